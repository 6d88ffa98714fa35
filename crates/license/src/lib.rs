//! Licences: their signature, what they grant, and what a file may claim by them.
//!
//! A licence is a JSON object whose members are signed with Ed25519. [`License::parse`] reads one, [`License::verify`]
//! says whether an issuer's key signed it and whether it is valid at a given time, and only the [`Verified`] that comes
//! of it grants anything. [`verify_file`] does the same for the licence that a Parquet file carries, and compares the
//! rest of its metadata with it.
//!
//! **What is signed.** The licence without its member `signature`, as [RFC 8785](https://www.rfc-editor.org/rfc/rfc8785)
//! writes it: members sorted, no white space. Members that this version does not know are covered too. White space and
//! the order of members in the file are free, since they mean nothing.
//!
//! **What is not.** The rows of a Parquet file. The signature says that an issuer granted the licence, not that a flow
//! took place; see [`verify_file`].
//!
//! No clock is read here: the time is an argument.
#![forbid(unsafe_code)]

mod file;
mod json;
mod key;
mod license;
mod tier;
mod time;

pub use file::{FileError, FileFacts, VerifiedFile, metadata_keys, verify_file};
pub use key::{KeyError, PrivateKey, PublicKey};
pub use license::{License, LicenseError, MAX_OCTETS, MAX_TEXT, Terms, Validity, Verified};
pub use tier::{DEFAULT_OBSERVATION, Tier, UnknownTier};
pub use time::LicenseTime;
