//! Packet sources.
//!
//! A [`PacketSource`] fills a [`Block`]: the octets as they were read and where each packet lies in them. Packets are
//! decoded there, never copied.
#![forbid(unsafe_code)]

use rockfish_flow::Timestamp;
use rockfish_packet::LinkType;

/// Where one captured packet lies in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketRef {
    /// When it was captured.
    pub time: Timestamp,
    /// Offset of its first octet in the block's data.
    pub offset: u32,
    /// Octets captured: those that are there.
    pub captured: u32,
    /// Octets that it had on the wire.
    pub wire: u32,
    /// How its first header is to be read.
    pub link: LinkType,
}

/// Captured packets and the octets that they lie in. Made to be filled again and again.
#[derive(Debug, Default)]
pub struct Block {
    /// The octets as read; packets lie between file structures.
    pub data: Vec<u8>,
    /// The packets, in order of capture.
    pub packets: Vec<PacketRef>,
}
