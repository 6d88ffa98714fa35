//! The ring's layout, version 0x100, and the check of its header.
//!
//! Source: `include/fmadio_packet.h` of the vendor's public `platform` repository. The structures there are packed, numbers
//! are in host order (the appliances are x86: little-endian), and each of the three parts has pages of its own:
//!
//! | offset | octets | what |
//! |---:|---:|---|
//! | 0 | 4 | version, 0x100; written last when the ring is set up |
//! | 4 | 4 | octets of the whole ring |
//! | 8 | 4 | octets of an entry |
//! | 12 | 128 | path of the ring, for people |
//! | 140 | 8 | depth: entries |
//! | 148 | 8 | mask: depth − 1 |
//! | 156 | 4 | whether the writer waits for the reader |
//! | 160 | 8 | how long it waits at most, nanoseconds |
//! | 168 | 8 | octets that wait on the writer's side |
//! | 4096 | 8 | put: entries written so far; the next one goes to put & mask |
//! | 4104 | 8 | octets written so far |
//! | 4112 | 8 | time of the last packet written |
//! | 8192 | 8 | get: entries read so far |
//! | 8200 | 8 | octets read so far |
//! | 8208 | 8 | time of the last packet read |
//! | 12288 | depth × 12288 | entries |
//!
//! An entry:
//!
//! | offset | octets | what |
//! |---:|---:|---|
//! | 0 | 8 | time, nanoseconds since 1970 |
//! | 8 | 2 | octets on the wire |
//! | 10 | 2 | octets captured |
//! | 12 | 1 | port of the appliance |
//! | 13 | 1 | flags: 1 end of the stream, 2 wrong frame check sequence |
//! | 16 | 8 | where the appliance has stored it |
//! | 24 | 10240 | the packet |
//! | 10264 | 2024 | nothing |

/// The only version there is.
pub(crate) const VERSION: u32 = 0x100;
/// Octets of the header that say something.
pub(crate) const HEADER: usize = 176;
/// Entries written so far.
pub(crate) const PUT: usize = 4096;
/// Entries read so far.
pub(crate) const GET: usize = 8192;
/// Octets read so far.
pub(crate) const GET_OCTETS: usize = GET + 8;
/// Time of the last packet read, nanoseconds.
pub(crate) const GET_TIME: usize = GET + 16;
/// Where the entries begin.
pub(crate) const ENTRIES: usize = 12288;
/// Octets of an entry.
pub(crate) const ENTRY: usize = 12288;
/// Where an entry's packet begins.
pub(crate) const PACKET: usize = 24;
/// Most octets of a packet in an entry.
pub(crate) const PACKET_MAX: usize = 10240;
/// The stream ends here; the entry has no packet.
pub(crate) const FLAG_END: u8 = 1;
/// The packet's frame check sequence is wrong.
pub(crate) const FLAG_FCS: u8 = 2;

const SIZE_AT: usize = 4;
const ENTRY_SIZE_AT: usize = 8;
const DEPTH_AT: usize = 140;
const MASK_AT: usize = 148;
pub(crate) const FLOW_CONTROL_AT: usize = 156;

/// What a valid header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Entries, a power of two.
    pub(crate) depth: u64,
    /// Octets of the whole ring.
    pub(crate) size: usize,
}

/// Reads the header of a ring in a file of `file_size` octets, or says what is wrong with it.
///
/// The vendor's reader takes a depth of 1024 alone. The header states it, so any other one that it states without
/// contradiction is taken here.
pub(crate) fn parse(header: &[u8; HEADER], file_size: u64) -> Result<Geometry, String> {
    let version = u32_at(header, 0);
    if version != VERSION {
        return Err(format!("ring version {version:#x} at offset 0, expected {VERSION:#x}"));
    }
    let entry = u32_at(header, ENTRY_SIZE_AT);
    if entry as usize != ENTRY {
        return Err(format!(
            "entries of {entry} octets at offset {ENTRY_SIZE_AT}, expected {ENTRY}; older software of the appliance had others"
        ));
    }
    let depth = u64_at(header, DEPTH_AT);
    if !depth.is_power_of_two() || depth < 2 || depth > u64::from(u32::MAX) / ENTRY as u64 {
        return Err(format!(
            "a depth of {depth} at offset {DEPTH_AT}, expected a power of two, usually 1024"
        ));
    }
    let mask = u64_at(header, MASK_AT);
    if mask != depth - 1 {
        return Err(format!("mask {mask:#x} at offset {MASK_AT}, expected {:#x}", depth - 1));
    }
    let size = u32_at(header, SIZE_AT);
    let expected = ENTRIES as u64 + depth * ENTRY as u64;
    if u64::from(size) != expected {
        return Err(format!(
            "a ring of {size} octets at offset {SIZE_AT}, expected {expected} for {depth} entries"
        ));
    }
    if file_size < expected {
        return Err(format!(
            "a file of {file_size} octets, expected {expected} for {depth} entries"
        ));
    }
    Ok(Geometry { depth, size: size as usize })
}

/// The fields of an entry that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    pub(crate) wire: u16,
    pub(crate) captured: u16,
    pub(crate) flags: u8,
}

impl Entry {
    /// From the first two words of an entry, as they lie in memory.
    pub(crate) fn from_words(words: [u64; 2]) -> Self {
        let [time, rest] = words;
        let [w0, w1, c0, c1, _port, flags, ..] = rest.to_ne_bytes();
        Self {
            time,
            wire: u16::from_ne_bytes([w0, w1]),
            captured: u16::from_ne_bytes([c0, c1]),
            flags,
        }
    }
}

fn u32_at(header: &[u8; HEADER], at: usize) -> u32 {
    header
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |octets| u32::from_ne_bytes(*octets))
}

fn u64_at(header: &[u8; HEADER], at: usize) -> u64 {
    header
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |octets| u64::from_ne_bytes(*octets))
}
