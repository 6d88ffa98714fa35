//! Who is talking: what the first packets of a flow say about its ends.
//!
//! - [`Handshake`] reads the hellos of one flow: TLS over TCP, also behind STARTTLS, SOCKS and HTTP CONNECT; DTLS; QUIC
//!   Initial packets. It gives [`Hellos`]: server name, ALPN, versions, [`Ja4`], [`Ja3s`].
//! - [`TcpFingerprint`] is the fingerprint of a SYN, [`ndpi_fp`] the composite of it and JA4.
//! - [`community_id`] is the flow identifier of Corelight's specification.
//! - [`dns`] reads DNS messages and remembers which name an address was given for.
//!
//! Of the JA4+ family there is JA4 alone, by its BSD-licensed specification (FoxIO, `technical_details/JA4.md`). The other
//! methods (JA4S, JA4H, JA4X, JA4L, JA4T, JA4SSH …) are under a licence that does not go with this project's, and none of
//! them is here.
//!
//! Everything here takes octets and gives values: no I/O, no clock, no randomness in a result. No octets make it panic, and
//! what a flow may keep is bounded: see [`Handshake::MOST_MEMORY`] and [`dns::NameCache::new`]. Payload must be whole: with
//! cut packets hellos are found in part or not at all.
#![forbid(unsafe_code)]

mod assembler;
mod bytes;
pub mod community_id;
pub mod dns;
mod dtls;
mod handshake;
mod hello;
mod ja3s;
mod ja4;
mod preamble;
mod quic;
mod tcp;
mod text;
mod tls;

pub use handshake::{Handshake, Progress};
pub use hello::{Hellos, Transport, version_name};
pub use ja3s::Ja3s;
pub use ja4::Ja4;
pub use tcp::{Os, Syn, TcpFingerprint, TcpFormat, ndpi_fp};
