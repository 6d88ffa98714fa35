//! One capture, from anything that can be read.

use std::io::Read;
use std::path::{Path, PathBuf};

use rockfish_flow::Timestamp;
use rockfish_packet::LinkType;

use crate::input::{Input, InputError};
use crate::pcap;
use crate::pcapng::{Note, Sections};
use crate::{
    Block, CaptureError, CutReason, Options, PacketRef, PacketSource, Progress, Skipped, Warning,
};

/// Octets read at once until the first packet was found.
const FIRST_READ: usize = 4096;
/// Octets of the file's begin that an error shows.
const SHOWN: usize = 16;
/// The longest block that can be asked for: offsets in a block have 32 bits.
const MAX_BLOCK_SIZE: usize = 1 << 30;

/// Why a walk over the octets ended.
#[derive(Debug)]
pub(crate) enum Step {
    /// The record has at least this many octets, and not all of them are there.
    More(usize),
    /// The record cannot be one: what was found and what was expected.
    Corrupt(String),
}

enum Format {
    Pcap(pcap::Layout),
    PcapNg(Box<Sections>),
}

/// Why no more octets come.
enum End {
    Eof,
    Compression(String),
    Failed(CaptureError),
}

/// A capture read from anything that implements `Read`.
pub struct CaptureStream {
    path: PathBuf,
    options: Options,
    input: Input,
    format: Format,
    /// Octets that were read and belong to the next block.
    carry: Vec<u8>,
    /// Where in `carry` the next record begins, and the packets found before. Only in the first block is there anything:
    /// what was read to find the first packet.
    carry_at: usize,
    carry_packets: Vec<PacketRef>,
    /// Octets of the next record that must be there before it is worth to look again.
    need: usize,
    /// Where `carry` begins, in octets from the file's begin, after decompression.
    offset: u64,
    end: Option<End>,
    finished: bool,
    /// Packets found, delivered or not yet.
    found: u64,
    delivered: u64,
    first: Option<Timestamp>,
    warnings: Vec<Warning>,
}

impl CaptureStream {
    /// Reads the file header and on to the first packet. `name` stands for the input in errors and warnings.
    ///
    /// # Errors
    /// It is no capture, empty, damaged before the first packet, of a link type that cannot be decoded, or cannot be read.
    pub fn new(input: Box<dyn Read + Send>, name: impl AsRef<Path>) -> Result<Self, CaptureError> {
        Self::with_options(input, name, Options::default())
    }

    /// As [`Self::new`], with options.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_options(
        input: Box<dyn Read + Send>,
        name: impl AsRef<Path>,
        options: Options,
    ) -> Result<Self, CaptureError> {
        let path = name.as_ref().to_path_buf();
        let fail = |error, octets| match error {
            InputError::Read(source) => {
                CaptureError::Read { path: path.clone(), offset: octets, source }
            }
            InputError::Compression(e) => {
                CaptureError::Compression { path: path.clone(), found: e.to_string() }
            }
        };
        let mut input = Input::new(input).map_err(|e| fail(e, 0))?;
        let mut carry = vec![0; FIRST_READ];
        let mut filled = 0;
        while filled < pcap::FILE_HEADER {
            match input.read(&mut carry[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) => return Err(fail(e, input.octets())),
            }
        }
        carry.truncate(filled);
        if carry.is_empty() {
            return Err(CaptureError::Empty { path });
        }
        let (format, carry_at) = match pcap::Header::parse(&carry) {
            pcap::Header::Known(layout) => (Format::Pcap(layout), pcap::FILE_HEADER),
            pcap::Header::UnknownLink(number) => {
                return Err(CaptureError::UnknownLink { path, number });
            }
            pcap::Header::Damaged(found) => return Err(CaptureError::Header { path, found }),
            pcap::Header::Other if Sections::is_begin(&carry) => {
                (Format::PcapNg(Box::default()), 0)
            }
            pcap::Header::Other => {
                carry.truncate(SHOWN);
                return Err(CaptureError::NotACapture { path, found: carry });
            }
        };
        let block_size = options.block_size.clamp(1, MAX_BLOCK_SIZE);
        let mut stream = Self {
            path,
            options: Options { block_size, ..options },
            input,
            format,
            carry,
            carry_at,
            carry_packets: Vec::new(),
            need: 0,
            offset: 0,
            end: None,
            finished: false,
            found: 0,
            delivered: 0,
            first: None,
            warnings: Vec::new(),
        };
        stream.start()?;
        Ok(stream)
    }

    /// The link types of its packets as far as they are known: of a pcap file the only one, of a pcapng file those of the
    /// interfaces described before the first packet. Further ones may follow.
    pub fn links(&self) -> Vec<LinkType> {
        match &self.format {
            Format::Pcap(layout) => vec![layout.link],
            Format::PcapNg(sections) => {
                let mut links = Vec::new();
                for link in sections.interfaces.iter().filter_map(|interface| interface.link) {
                    if !links.contains(&link) {
                        links.push(link);
                    }
                }
                links
            }
        }
    }

    /// When its first packet was captured; none if it has no packets.
    pub fn first_time(&self) -> Option<Timestamp> {
        self.first
    }

    /// Reads on to the first packet. It and what follows it are kept for the first block.
    fn start(&mut self) -> Result<(), CaptureError> {
        let mut data = std::mem::take(&mut self.carry);
        let (mut at, mut filled) = (self.carry_at, data.len());
        let mut packets = std::mem::take(&mut self.carry_packets);
        loop {
            let step = self.walk(&data, &mut at, filled, &mut packets);
            if let Format::PcapNg(sections) = &self.format
                && packets.is_empty()
            {
                let interfaces = &sections.interfaces;
                if let Some(interface) = interfaces.first()
                    && interfaces.iter().all(|interface| interface.link.is_none())
                    && (sections.skipped.unknown_link > 0 || self.end.is_some())
                {
                    let number = interface.number;
                    return Err(CaptureError::UnknownLink { path: self.path.clone(), number });
                }
                // The walk has not come beyond the first header: there is nothing that could be delivered.
                if sections.sections == 0
                    && let Some(found) = damaged_begin(&step, &self.end, filled)
                {
                    return Err(CaptureError::Header { path: self.path.clone(), found });
                }
            }
            if let Step::Corrupt(_) = step {
                // Told when the first block is asked for.
                break;
            }
            if !packets.is_empty() || self.skipped().total() > 0 || self.end.is_some() {
                break;
            }
            self.drop_walked(&mut data, &mut at, &mut filled);
            let room = filled.saturating_add(FIRST_READ).max(self.need);
            self.fill(&mut data, &mut filled, room);
        }
        if let Some(End::Failed(_)) = self.end
            && packets.is_empty()
            && let Some(End::Failed(error)) = self.end.take()
        {
            return Err(error);
        }
        self.first = match &self.format {
            Format::PcapNg(sections) => sections.first,
            Format::Pcap(_) => packets.first().map(|packet| packet.time),
        };
        data.truncate(filled);
        self.carry = data;
        self.carry_at = at;
        self.carry_packets = packets;
        Ok(())
    }

    /// Walks over the records that are complete, from `at` on.
    fn walk(
        &mut self,
        data: &[u8],
        at: &mut usize,
        filled: usize,
        packets: &mut Vec<PacketRef>,
    ) -> Step {
        let before = packets.len();
        let data = &data[..filled];
        let (next, step) = match &mut self.format {
            Format::Pcap(layout) => layout.walk(data, *at, self.options.snaplen, packets),
            Format::PcapNg(sections) => {
                let result = sections.walk(data, *at, self.options.snaplen, packets);
                for note in sections.notes.drain(..) {
                    let path = self.path.clone();
                    self.warnings.push(match note {
                        Note::UnknownLink { interface, number } => {
                            Warning::UnknownLink { path, interface, number }
                        }
                        Note::Record { at, found } => {
                            Warning::Record { path, offset: self.offset + at as u64, found }
                        }
                    });
                }
                result
            }
        };
        *at = next;
        self.found += (packets.len() - before) as u64;
        if let Step::More(length) = step {
            self.need = length;
        }
        step
    }

    /// Moves the record that is not complete to the begin of the buffer.
    fn drop_walked(&mut self, data: &mut [u8], at: &mut usize, filled: &mut usize) {
        data.copy_within(*at..*filled, 0);
        self.offset += *at as u64;
        *filled -= *at;
        *at = 0;
    }

    /// Reads until `data` has `room` octets, or less where waiting for more would delay what is there.
    fn fill(&mut self, data: &mut Vec<u8>, filled: &mut usize, room: usize) {
        lengthen(data, *filled, room);
        while *filled < room && self.end.is_none() {
            match self.input.read(&mut data[*filled..room]) {
                Ok(0) => self.end = Some(End::Eof),
                Ok(n) => {
                    *filled += n;
                    // One read of a file fills the block; from a pipe it takes what is there.
                    if !self.input.is_compressed() {
                        break;
                    }
                }
                Err(InputError::Compression(e)) => self.end = Some(End::Compression(e.to_string())),
                Err(InputError::Read(source)) => {
                    let (path, offset) = (self.path.clone(), self.input.octets());
                    self.end = Some(End::Failed(CaptureError::Read { path, offset, source }));
                }
            }
        }
    }

    /// Ends the stream after its last packet was delivered.
    fn finish(
        &mut self,
        at: usize,
        filled: usize,
        corrupt: Option<String>,
    ) -> Result<bool, CaptureError> {
        self.finished = true;
        let found = (filled - at) as u64;
        let pass = match &self.format {
            Format::PcapNg(sections) => sections.pass(),
            Format::Pcap(_) => 0,
        };
        let reason = match (corrupt, self.end.take()) {
            (Some(found), _) => CutReason::Corrupt(found),
            (None, Some(End::Failed(error))) => return Err(error),
            (None, Some(End::Compression(found))) => CutReason::Compression(found),
            // Octets of a block that is passed over are not kept: its length alone tells what is missing.
            (None, _) if pass > 0 => CutReason::Incomplete { found, expected: found + pass },
            (None, _) if found > 0 => CutReason::Incomplete { found, expected: self.need as u64 },
            (None, _) => return Ok(false),
        };
        self.warnings.push(Warning::Cut {
            path: self.path.clone(),
            offset: self.offset + at as u64,
            packets: self.found + self.skipped().total(),
            compressed: self.input.is_compressed(),
            reason,
        });
        Ok(false)
    }
}

/// Makes room for `length` octets, of which the first `kept` stay. A new buffer comes zeroed from the system, page by page as
/// it is used, which lengthening the old one in place would not.
fn lengthen(data: &mut Vec<u8>, kept: usize, length: usize) {
    if data.len() < length {
        let mut longer = vec![0; length];
        longer[..kept].copy_from_slice(&data[..kept]);
        *data = longer;
    }
}

/// What is wrong with a file of which not even the first section header could be read.
fn damaged_begin(step: &Step, end: &Option<End>, filled: usize) -> Option<String> {
    match (step, end) {
        (Step::Corrupt(found), _) => Some(found.clone()),
        (Step::More(expected), Some(End::Eof)) => {
            Some(format!("the file ends after {filled} octets, expected at least {expected}"))
        }
        (Step::More(_), Some(End::Compression(found))) => {
            Some(format!("cannot be decompressed: {found}"))
        }
        _ => None,
    }
}

impl PacketSource for CaptureStream {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.packets.clear();
        if self.finished {
            return Ok(false);
        }
        // Only the record that was not complete is copied from block to block.
        let carried = self.carry.len();
        lengthen(&mut block.data, 0, carried);
        block.data[..carried].copy_from_slice(&self.carry);
        block.packets.append(&mut self.carry_packets);
        let (mut at, mut filled) = (std::mem::take(&mut self.carry_at), carried);
        loop {
            // What the search for the first packet found goes out at once: a pipe may have nothing more yet.
            if block.packets.is_empty() {
                let room = self.options.block_size.max(at.saturating_add(self.need));
                self.fill(&mut block.data, &mut filled, room);
            }
            let step = self.walk(&block.data, &mut at, filled, &mut block.packets);
            if !block.packets.is_empty() {
                break;
            }
            if let Step::Corrupt(found) = step {
                return self.finish(at, filled, Some(found));
            }
            if self.end.is_some() {
                return self.finish(at, filled, None);
            }
            self.drop_walked(&mut block.data, &mut at, &mut filled);
        }
        self.carry.clear();
        self.carry.extend_from_slice(&block.data[at..filled]);
        self.offset += at as u64;
        self.delivered += block.packets.len() as u64;
        Ok(true)
    }

    fn progress(&self) -> Progress {
        Progress { octets: self.input.octets(), total: None, packets: self.delivered }
    }

    fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    fn skipped(&self) -> Skipped {
        match &self.format {
            Format::Pcap(_) => Skipped::default(),
            Format::PcapNg(sections) => sections.skipped,
        }
    }
}

/// Two octets as a number; 0 beyond the data, which callers rule out.
#[inline(always)]
pub(crate) fn read_u16(data: &[u8], at: usize, big_endian: bool) -> u16 {
    match data.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
        Some(octets) if big_endian => u16::from_be_bytes(*octets),
        Some(octets) => u16::from_le_bytes(*octets),
        None => 0,
    }
}

/// Four octets as a number; 0 beyond the data, which callers rule out.
#[inline(always)]
pub(crate) fn read_u32(data: &[u8], at: usize, big_endian: bool) -> u32 {
    match data.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        Some(octets) if big_endian => u32::from_be_bytes(*octets),
        Some(octets) => u32::from_le_bytes(*octets),
        None => 0,
    }
}
