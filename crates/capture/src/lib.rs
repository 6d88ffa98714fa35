//! Packet sources.
//!
//! A [`PacketSource`] fills a [`Block`]: the octets as they were read and where each packet lies in them. Packets are
//! decoded there, never copied.
//!
//! Capture files come in as [`CaptureFiles`] (a path, a glob, a directory or standard input) or as a [`CaptureStream`]
//! (anything that implements `Read`). Read are pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), plain
//! or compressed with gzip (RFC 1952) or Zstandard (RFC 8878); what a file is, its first octets say, never its name.
//!
//! Invariant: packets in the files = packets delivered + [`Skipped::total`], apart from the record in which a cut or
//! corrupt file ends; that one a [`Warning::Cut`] names.
#![forbid(unsafe_code)]

mod error;
mod files;
mod input;
mod live;
mod pcap;
mod pcapng;
mod stream;

use rockfish_flow::Timestamp;
use rockfish_packet::LinkType;

pub use error::{CaptureError, CutReason, Warning};
pub use files::CaptureFiles;
pub use live::{LiveCounters, LiveError, LiveSource};
pub use stream::CaptureStream;

/// Octets of input that a block takes unless [`Options::block_size`] says otherwise. Measured beside other load, with 2 MiB
/// of second-level cache a core: 256 and 512 KiB are equal, 1 MiB costs 3 to 15 % more CPU time.
pub const BLOCK_SIZE: usize = 512 << 10;

/// The longest record, in octets, that is believed: a pcap packet or a whole pcapng packet, section or interface block.
/// A longer one is a corrupt length field. Other pcapng blocks may have any length, they are passed over.
pub const MAX_RECORD: usize = 16 << 20;

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

impl PacketRef {
    /// Its captured octets, in the octets of its block; empty if they do not lie there.
    #[inline]
    pub fn octets<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        let start = self.offset as usize;
        data.get(start..start + self.captured as usize).unwrap_or(&[])
    }
}

/// Captured packets and the octets that they lie in. Made to be filled again and again.
#[derive(Debug, Default)]
pub struct Block {
    /// The octets as read; packets lie between file structures.
    ///
    /// Longer than what was read last: it is never cut and never zeroed again, so only what a packet points to has a
    /// meaning.
    pub data: Vec<u8>,
    /// The packets, in order of capture.
    pub packets: Vec<PacketRef>,
}

impl Block {
    /// The captured octets of a packet of this block; empty if they do not lie in it.
    #[inline]
    pub fn octets(&self, packet: &PacketRef) -> &[u8] {
        packet.octets(&self.data)
    }
}

/// How captures are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most octets of a packet that are delivered; the length on the wire stays. Default: no limit.
    pub snaplen: u32,
    /// Octets of input to a block. Default: [`BLOCK_SIZE`]. A longer record makes its block longer.
    pub block_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { snaplen: u32::MAX, block_size: BLOCK_SIZE }
    }
}

/// How far a source has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Octets read so far, of the files as they are stored: compressed ones count compressed.
    pub octets: u64,
    /// Octets of all files as stored, if known: not for standard input, pipes and live capture.
    pub total: Option<u64>,
    /// Packets delivered so far.
    pub packets: u64,
}

/// Packets that were found and not delivered, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// The interface has a link type that cannot be decoded (pcapng).
    pub unknown_link: u64,
    /// The packet names an interface that the section does not describe (pcapng).
    pub unknown_interface: u64,
    /// The packet's block contradicts itself (pcapng).
    pub corrupt: u64,
}

impl Skipped {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.unknown_link + self.unknown_interface + self.corrupt
    }

    fn add(&mut self, other: &Self) {
        self.unknown_link += other.unknown_link;
        self.unknown_interface += other.unknown_interface;
        self.corrupt += other.corrupt;
    }
}

/// Where packets come from.
pub trait PacketSource: Send {
    /// Clears `block` and fills it with the next packets, about [`BLOCK_SIZE`] octets of input. Returns false, with the
    /// block empty, at the end of input.
    ///
    /// # Errors
    /// A file can no longer be opened or read. Packets read before are delivered before; calling again goes on with what
    /// follows the file, if anything does. Contents are never an error here, see [`Self::take_warnings`].
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError>;

    /// How far it has come.
    fn progress(&self) -> Progress;

    /// What was found since the last call.
    fn take_warnings(&mut self) -> Vec<Warning>;

    /// Packets that were found and not delivered so far.
    fn skipped(&self) -> Skipped;
}
