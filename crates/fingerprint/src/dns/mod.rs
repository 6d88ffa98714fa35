//! DNS: messages (RFC 1035 and those after it), messages in TCP streams, and names by address.
//!
//! - [`Message`] reads one message, as it is in a UDP datagram. Multicast DNS and LLMNR have the same form.
//! - [`Stream`] cuts one direction of a TCP connection into messages.
//! - [`NameCache`] remembers for which name an address was answered.
//!
//! Names are text as in zone files: labels with dots between them, the root as `.`, dots and backslashes in labels as `\.`
//! and `\\`, what is not printable as `\DDD` (RFC 1035, section 5.1). Their case stays as it was sent, except in
//! [`NameCache`].

mod cache;
mod message;
mod name;
mod numbers;
mod rdata;
mod stream;

pub use cache::NameCache;
pub use message::{DnsError, Header, Message, Question, Record, Records, Section};
pub use name::Name;
pub use numbers::{class_name, opcode_name, rcode_name, type_name, types};
pub use stream::Stream;
