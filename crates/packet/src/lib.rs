//! From captured octets to what the meter needs of a packet.
//!
//! [`Decoder`] takes a link-layer frame in the caller's buffer and writes one [`Packet`]: key, counts, TCP header fields and
//! where its payload lies. Nothing is copied and nothing is allocated for a packet, except where a datagram has to be
//! reassembled. Whatever cannot be decoded is counted under an [`Ignored`] reason; it is never an error and never a panic.
//!
//! Invariant: every frame ends in exactly one place: in the `packets` count of a [`Packet`], or in one [`Ignored`] counter.
//! Fragments that wait for the rest of their datagram are handed over at the latest by [`Decoder::finish`].
#![forbid(unsafe_code)]

mod bytes;
mod counters;
mod decode;
mod fragment;
mod key;
mod link;
mod packet;
mod tunnel;

pub use counters::{Anomaly, DecodeCounters, Ignored};
pub use decode::{DecodeConfig, Decoder, Frame, Tunnels, UdpUniflow};
pub use fragment::FragmentConfig;
pub use key::{FlowKey, HashSeed};
pub use link::LinkType;
pub use packet::{Packet, PacketBatch, Place};
