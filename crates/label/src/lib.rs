//! Application labels.
//!
//! A [`Labeler`] is given a flow's packets until it has decided and makes one [`AppLabel`] of what it saw and of what else
//! is known, as the server name of a TLS hello. [`BuiltinLabeler`] knows the common protocols by their payload and needs
//! nothing but this crate; the crate `ndpi` has one that asks libndpi. Names of protocols, services, categories and risks
//! are those that nDPI prints, so a query means the same with either.
//!
//! [`Rules`] and [`CategoryRules`] are custom files in nDPI's formats. They are read and checked here and mean the same in
//! both labelers.
//!
//! Octets and values in, values out: no I/O, no clock, no randomness. No octets make a labeler panic, and what it holds for
//! a flow is bounded and freed by [`Labeler::finish`].
#![forbid(unsafe_code)]

mod builtin;
mod categories;
mod category;
mod detect;
mod hosts;
mod http;
mod label;
mod labeler;
mod names;
mod ports;
mod rules;
mod slab;

pub use builtin::{BuiltinLabeler, Detection};
pub use categories::CategoryRules;
pub use category::Category;
pub use hosts::service_of_host;
pub use http::host as http_host;
pub use label::{AppLabel, Confidence, risk_name, risk_severity};
pub use labeler::{Ends, Handle, Known, Labeler, PacketView, Progress};
pub use names::{AppName, TooManyNames};
pub use ports::service_of_ports;
pub use rules::{Custom, Dialect, RuleError, Rules};
pub use slab::Slab;
