//! From captured octets to what the meter needs of a packet.
//!
//! [`Decoder`] takes a link-layer frame in the caller's buffer and writes one [`Packet`]: key, counts, TCP header fields and
//! where its payload lies. Nothing is copied and nothing is allocated for a packet, except where a datagram has to be
//! reassembled. Whatever cannot be decoded is an [`Ignored`] reason to be counted, never an error and never a panic.
#![forbid(unsafe_code)]

mod link;

pub use link::LinkType;
