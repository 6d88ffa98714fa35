//! The pcap format: a file header, then packets with a header each.
//!
//! Source: draft-ietf-opsawg-pcap. Older and patched variants as libpcap reads them.

use rockfish_flow::Timestamp;
use rockfish_packet::LinkType;

use crate::stream::{Step, read_u16, read_u32};
use crate::{MAX_RECORD, PacketRef};

/// Octets of the file header.
pub(crate) const FILE_HEADER: usize = 24;

const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOS: u32 = 0xa1b2_3c4d;
/// Written by old Linux kernels' patched libpcap: eight more octets to each packet's header.
const MAGIC_PATCHED: u32 = 0xa1b2_cd34;

/// How the records of one file are laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    big_endian: bool,
    nanos: bool,
    /// Octets of a packet's header.
    header: usize,
    lengths: Lengths,
    /// How the packets are to be decoded.
    pub(crate) link: LinkType,
}

/// In which order a packet's two lengths stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    WireFirst,
    /// Version 2.3 has both, depending on who wrote it; the captured length is never the greater one.
    SmallerIsCaptured,
}

/// What a file header says.
pub(crate) enum Header {
    /// It is none of pcap.
    Other,
    /// It is one, with this link type that cannot be decoded.
    UnknownLink(u16),
    /// It is one that cannot be read: what was found and what was expected.
    Damaged(String),
    Known(Layout),
}

impl Header {
    /// Reads a file header, or says what the first octets of a file are that has no more than these.
    pub(crate) fn parse(data: &[u8]) -> Self {
        let Some(magic) = data.first_chunk::<4>() else { return Self::Other };
        let known = [MAGIC_MICROS, MAGIC_NANOS, MAGIC_PATCHED];
        let (magic, big_endian) = match (u32::from_le_bytes(*magic), u32::from_be_bytes(*magic)) {
            (little, _) if known.contains(&little) => (little, false),
            (_, big) if known.contains(&big) => (big, true),
            _ => return Self::Other,
        };
        if data.len() < FILE_HEADER {
            return Self::Damaged(format!(
                "the file ends after {} octets, expected {FILE_HEADER}",
                data.len()
            ));
        }
        let (major, minor) = (read_u16(data, 4, big_endian), read_u16(data, 6, big_endian));
        if major != 2 {
            return Self::Damaged(format!("pcap version {major}.{minor}, expected 2.x"));
        }
        // The upper half tells whether and how long a frame check sequence is kept; packets are decoded by their own lengths,
        // so it need not be cut off.
        let number = (read_u32(data, 20, big_endian) & 0xffff) as u16;
        let Some(link) = LinkType::from_number(number) else { return Self::UnknownLink(number) };
        Self::Known(Layout {
            big_endian,
            nanos: magic == MAGIC_NANOS,
            header: if magic == MAGIC_PATCHED { 24 } else { 16 },
            lengths: match minor {
                // 543 is what DG/UX wrote.
                0..=2 | 543 => Lengths::WireFirst,
                3 => Lengths::SmallerIsCaptured,
                _ => Lengths::CapturedFirst,
            },
            link,
        })
    }
}

impl Layout {
    /// Adds the packets that lie completely in `data` from `start` on; returns where the next record begins and why
    /// the walk ended there.
    pub(crate) fn walk(
        &self,
        data: &[u8],
        start: usize,
        snaplen: u32,
        packets: &mut Vec<PacketRef>,
    ) -> (usize, Step) {
        // The order of octets is decided once a block, not four times a packet.
        if self.big_endian {
            self.walk_ordered::<true>(data, start, snaplen, packets)
        } else {
            self.walk_ordered::<false>(data, start, snaplen, packets)
        }
    }

    fn walk_ordered<const BIG_ENDIAN: bool>(
        &self,
        data: &[u8],
        start: usize,
        snaplen: u32,
        packets: &mut Vec<PacketRef>,
    ) -> (usize, Step) {
        let mut at = start;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            let Some(header) = rest.first_chunk::<16>() else {
                return (at, Step::More(self.header));
            };
            let field = |offset| read_u32(header, offset, BIG_ENDIAN);
            let (mut captured, mut wire) = (field(8), field(12));
            let reversed = match self.lengths {
                Lengths::CapturedFirst => false,
                Lengths::WireFirst => true,
                Lengths::SmallerIsCaptured => captured > wire,
            };
            if reversed {
                (captured, wire) = (wire, captured);
            }
            if captured as usize > MAX_RECORD {
                let found = format!("captured length {captured}, expected at most {MAX_RECORD}");
                return (at, Step::Corrupt(found));
            }
            let length = self.header + captured as usize;
            if rest.len() < length {
                return (at, Step::More(length));
            }
            let fraction = if self.nanos { field(4) / 1000 } else { field(4) };
            packets.push(PacketRef {
                time: Timestamp::from_micros(i64::from(field(0)) * 1_000_000 + i64::from(fraction)),
                offset: (at + self.header) as u32,
                captured: captured.min(snaplen),
                // Octets that are there were on the wire, whatever the header says.
                wire: wire.max(captured),
                link: self.link,
            });
            at += length;
        }
    }
}
