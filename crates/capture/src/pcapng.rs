//! The pcapng format: a sequence of blocks, of which those that describe sections and interfaces and those that hold
//! packets are read and all others passed over.
//!
//! Source: draft-ietf-opsawg-pcapng.

use rockfish_flow::Timestamp;
use rockfish_packet::LinkType;

use crate::stream::{Step, read_u16, read_u32};
use crate::{MAX_RECORD, PacketRef, Skipped};

/// Type of a section header block: the same in both orders of octets.
pub(crate) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
/// Obsolete packet block.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const OPTION_END: u16 = 0;
const OPTION_TSRESOL: u16 = 9;
const OPTION_TSOFFSET: u16 = 14;

/// Type and length before a block's body, length after it.
const BLOCK_HEADER: usize = 8;
const BLOCK_FRAME: usize = 12;

/// Interfaces that one section may describe. Captures have a handful; a file made to exhaust memory has more.
const MAX_INTERFACES: usize = 65_536;

/// Skipped packets of a file that are told one by one. A damaged file can have millions; those beyond are only counted.
const MAX_NOTES: usize = 16;

/// What is known within a section, and what was counted in the file.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    big_endian: bool,
    /// Section headers read.
    pub(crate) sections: u64,
    pub(crate) interfaces: Vec<Interface>,
    /// Octets of a block passed over that are still to come.
    pass: u64,
    /// Time of the last packet, which a simple packet takes since it has none of its own.
    last: Timestamp,
    /// Time of the first packet that has one, skipped or not.
    pub(crate) first: Option<Timestamp>,
    pub(crate) skipped: Skipped,
    /// What to warn of, until it is taken. The first [`MAX_NOTES`] of a file.
    pub(crate) notes: Vec<Note>,
    noted: usize,
}

/// One interface of a section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interface {
    pub(crate) number: u16,
    pub(crate) link: Option<LinkType>,
    snaplen: u32,
    resolution: Resolution,
    /// Microseconds to add to times.
    offset: i64,
    noted: bool,
}

/// Something found in a block that is skipped.
#[derive(Debug)]
pub(crate) enum Note {
    UnknownLink { interface: u32, number: u16 },
    Record { at: usize, found: String },
}

/// Units of an interface's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// A unit has this many microseconds.
    Micros(u64),
    /// A microsecond has this many units.
    Units(u64),
    /// A second has two to this power units, at most 2^127.
    Binary(u8),
}

impl Resolution {
    /// From the octet of `if_tsresol`: the negative power of 10 or, with the highest bit set, of 2.
    fn new(octet: u8) -> Self {
        match octet {
            0..=6 => Self::Micros(10u64.pow(6 - u32::from(octet))),
            // Times are below 2^64: with more than 10^19 units to a microsecond all of them are zero.
            7..=127 => {
                10u64.checked_pow(u32::from(octet) - 6).map_or(Self::Binary(127), Self::Units)
            }
            _ => Self::Binary(octet & 0x7f),
        }
    }

    /// Microseconds, truncated; saturates.
    fn micros(self, units: u64) -> i64 {
        let micros = match self {
            Self::Micros(1) => units,
            Self::Micros(factor) => units.saturating_mul(factor),
            Self::Units(1000) => units / 1000,
            Self::Units(divisor) => units / divisor,
            Self::Binary(power) => {
                u64::try_from((u128::from(units) * 1_000_000) >> power).unwrap_or(u64::MAX)
            }
        };
        i64::try_from(micros).unwrap_or(i64::MAX)
    }
}

/// A packet as its block describes it.
struct Fields {
    interface: u32,
    time: Option<u64>,
    captured: u32,
    wire: u32,
    /// Where its octets begin within the body.
    data: usize,
}

impl Sections {
    /// Whether `data` begins with a section header, as far as that can be seen. A wrong byte-order magic makes it
    /// something else.
    pub(crate) fn is_begin(data: &[u8]) -> bool {
        data.len() >= BLOCK_FRAME
            && read_u32(data, 0, false) == SECTION_HEADER
            && (read_u32(data, 8, false) == BYTE_ORDER_MAGIC
                || read_u32(data, 8, true) == BYTE_ORDER_MAGIC)
    }

    /// Whether octets are still to come of a block that is passed over, and how many.
    pub(crate) fn pass(&self) -> u64 {
        self.pass
    }

    /// Adds the packets that lie completely in `data` from `start` on; returns where the next block begins and why the
    /// walk ended there.
    pub(crate) fn walk(
        &mut self,
        data: &[u8],
        start: usize,
        snaplen: u32,
        packets: &mut Vec<PacketRef>,
    ) -> (usize, Step) {
        let mut at = start;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            if self.pass > 0 {
                let n = usize::try_from(self.pass).unwrap_or(usize::MAX).min(rest.len());
                self.pass -= n as u64;
                at += n;
                if self.pass > 0 {
                    return (at, Step::More(1));
                }
                continue;
            }
            if rest.len() < BLOCK_FRAME {
                return (at, Step::More(BLOCK_FRAME));
            }
            let mut big_endian = self.big_endian;
            let is_section = read_u32(rest, 0, false) == SECTION_HEADER;
            if is_section {
                let magic = read_u32(rest, 8, false);
                big_endian = magic != BYTE_ORDER_MAGIC;
                if big_endian && magic.swap_bytes() != BYTE_ORDER_MAGIC {
                    let found =
                        format!("byte-order magic {magic:08x}, expected {BYTE_ORDER_MAGIC:08x}");
                    return (at, Step::Corrupt(found));
                }
            }
            let kind = read_u32(rest, 0, big_endian);
            let length = read_u32(rest, 4, big_endian);
            if length < BLOCK_FRAME as u32 || !length.is_multiple_of(4) {
                let found = format!(
                    "block length {length}, expected a multiple of 4 from {BLOCK_FRAME} on"
                );
                return (at, Step::Corrupt(found));
            }
            let length = length as usize;
            let is_read = is_section
                || matches!(kind, INTERFACE_DESCRIPTION | PACKET | SIMPLE_PACKET | ENHANCED_PACKET);
            if rest.len() < length {
                if !is_read {
                    self.pass = length as u64;
                    continue;
                }
                if length > MAX_RECORD {
                    let found = format!("block length {length}, expected at most {MAX_RECORD}");
                    return (at, Step::Corrupt(found));
                }
                return (at, Step::More(length));
            }
            let trailer = read_u32(rest, length - 4, big_endian);
            if trailer as usize != length {
                let found = format!(
                    "block ends with length {trailer}, expected {length} as it begins with"
                );
                return (at, Step::Corrupt(found));
            }
            let body = &rest[BLOCK_HEADER..length - 4];
            if is_section {
                if let Err(found) = self.begin_section(body, big_endian) {
                    return (at, Step::Corrupt(found));
                }
            } else if kind == INTERFACE_DESCRIPTION {
                if let Err(found) = self.add_interface(body) {
                    return (at, Step::Corrupt(found));
                }
            } else if is_read {
                self.add_packet(kind, body, at, snaplen, packets);
            }
            at += length;
        }
    }

    fn begin_section(&mut self, body: &[u8], big_endian: bool) -> Result<(), String> {
        if body.len() < 16 {
            return Err(format!(
                "section header of {} octets, expected 28 or more",
                body.len() + BLOCK_FRAME
            ));
        }
        let (major, minor) = (read_u16(body, 4, big_endian), read_u16(body, 6, big_endian));
        if major != 1 {
            return Err(format!("pcapng version {major}.{minor}, expected 1.x"));
        }
        self.big_endian = big_endian;
        self.sections += 1;
        self.interfaces.clear();
        Ok(())
    }

    fn add_interface(&mut self, body: &[u8]) -> Result<(), String> {
        if body.len() < 8 {
            return Err(format!(
                "interface description of {} octets, expected 20 or more",
                body.len() + BLOCK_FRAME
            ));
        }
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(format!("more than {MAX_INTERFACES} interfaces in a section"));
        }
        let number = read_u16(body, 0, self.big_endian);
        let mut interface = Interface {
            number,
            link: LinkType::from_number(number),
            snaplen: read_u32(body, 4, self.big_endian),
            resolution: Resolution::Micros(1),
            offset: 0,
            noted: false,
        };
        let mut options = &body[8..];
        while options.len() >= 4 {
            let code = read_u16(options, 0, self.big_endian);
            let length = usize::from(read_u16(options, 2, self.big_endian));
            let Some(value) = options.get(4..4 + length) else { break };
            match (code, value) {
                (OPTION_END, _) => break,
                (OPTION_TSRESOL, [octet, ..]) => interface.resolution = Resolution::new(*octet),
                (OPTION_TSOFFSET, value) => {
                    if let Some(seconds) = value.first_chunk::<8>() {
                        let seconds = if self.big_endian {
                            i64::from_be_bytes(*seconds)
                        } else {
                            i64::from_le_bytes(*seconds)
                        };
                        interface.offset = seconds.saturating_mul(1_000_000);
                    }
                }
                _ => {}
            }
            options = options.get(4 + length.next_multiple_of(4)..).unwrap_or(&[]);
        }
        self.interfaces.push(interface);
        Ok(())
    }

    /// Adds the packet in the block at `at`, or counts why not.
    #[inline]
    fn add_packet(
        &mut self,
        kind: u32,
        body: &[u8],
        at: usize,
        snaplen: u32,
        packets: &mut Vec<PacketRef>,
    ) {
        let fields = match self.fields(kind, body) {
            Ok(fields) => fields,
            Err(found) => {
                self.skipped.corrupt += 1;
                self.note(|| Note::Record { at, found });
                return;
            }
        };
        let Some(interface) = self.interfaces.get_mut(fields.interface as usize) else {
            self.skipped.unknown_interface += 1;
            let (number, known) = (fields.interface, self.interfaces.len());
            self.note(|| Note::Record {
                at,
                found: format!(
                    "interface {number}, expected one of the {known} that the section describes"
                ),
            });
            return;
        };
        let time = match fields.time {
            Some(units) => Timestamp::from_micros(interface.resolution.micros(units))
                .plus_micros(interface.offset),
            None => self.last,
        };
        self.last = time;
        if self.first.is_none() {
            self.first = Some(time);
        }
        let Some(link) = interface.link else {
            self.skipped.unknown_link += 1;
            if !interface.noted {
                interface.noted = true;
                let number = interface.number;
                self.note(|| Note::UnknownLink { interface: fields.interface, number });
            }
            return;
        };
        packets.push(PacketRef {
            time,
            offset: (at + BLOCK_HEADER + fields.data) as u32,
            captured: fields.captured.min(snaplen),
            // Octets that are there were on the wire, whatever the block says.
            wire: fields.wire.max(fields.captured),
            link,
        });
    }

    fn note(&mut self, note: impl FnOnce() -> Note) {
        if self.noted < MAX_NOTES {
            self.noted += 1;
            self.notes.push(note());
        }
    }

    #[inline]
    fn fields(&self, kind: u32, body: &[u8]) -> Result<Fields, String> {
        let order = self.big_endian;
        let fixed = if kind == SIMPLE_PACKET { 4 } else { 20 };
        if body.len() < fixed {
            return Err(format!(
                "packet block of {} octets, expected {} or more",
                body.len() + 12,
                fixed + 12
            ));
        }
        let there = (body.len() - fixed) as u32;
        if kind == SIMPLE_PACKET {
            // Its interface is the first one, whose limit alone tells padding from data.
            let wire = read_u32(body, 0, order);
            let limit = self.interfaces.first().map_or(0, |interface| interface.snaplen);
            let limit = if limit == 0 { u32::MAX } else { limit };
            let captured = wire.min(limit).min(there);
            return Ok(Fields { interface: 0, time: None, captured, wire, data: fixed });
        }
        let interface = if kind == PACKET {
            u32::from(read_u16(body, 0, order))
        } else {
            read_u32(body, 0, order)
        };
        let time = u64::from(read_u32(body, 4, order)) << 32 | u64::from(read_u32(body, 8, order));
        let (captured, wire) = (read_u32(body, 12, order), read_u32(body, 16, order));
        if captured > there {
            return Err(format!(
                "captured length {captured}, expected at most the {there} octets of its block"
            ));
        }
        Ok(Fields { interface, time: Some(time), captured, wire, data: fixed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions() {
        let cases: [(u8, u64, i64); 14] = [
            (0, 1_600_000_000, 1_600_000_000_000_000),
            (3, 1_600_000_000_123, 1_600_000_000_123_000),
            (6, 1_600_000_000_123_456, 1_600_000_000_123_456),
            (7, 19, 1),
            (9, 1_600_000_000_123_456_789, 1_600_000_000_123_456),
            (25, u64::MAX, 1),
            (26, u64::MAX, 0),
            (127, u64::MAX, 0),
            (0, u64::MAX, i64::MAX),
            (6, u64::MAX, i64::MAX),
            (0x80, 7, 7_000_000),
            (0x80 | 10, 1536, 1_500_000),
            (0x80 | 63, 1 << 62, 500_000),
            (0x80 | 127, u64::MAX, 0),
        ];
        for (octet, units, micros) in cases {
            let got = Resolution::new(octet).micros(units);
            assert_eq!(got, micros, "resolution {octet:#x}, {units} units");
        }
    }
}
