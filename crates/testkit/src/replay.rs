//! The packets of a capture file, in memory, to be sent again.
//!
//! A reader of its own, so that what a test sends does not depend on the reader that it tests. It takes whole, valid files
//! only.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// Why a capture file cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It cannot be read.
    #[error("{path}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not what can be replayed.
    #[error("{path}, octet {offset}: {found}, expected {expected}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: usize,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// Ethernet frames, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Packets {
    octets: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl Packets {
    /// Reads the frames of a pcap or pcapng file, plain or compressed with gzip, as far as they were captured.
    ///
    /// # Errors
    /// The file cannot be read, is cut or of another format, or is not of Ethernet.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let io = |source| ReadError::Io { path: path.to_owned(), source };
        let mut octets = Vec::new();
        File::open(path).and_then(|mut file| file.read_to_end(&mut octets)).map_err(io)?;
        if octets.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            MultiGzDecoder::new(&octets[..]).read_to_end(&mut plain).map_err(io)?;
            octets = plain;
        }
        match places(&octets) {
            Ok(places) => Ok(Self { octets, places }),
            Err((offset, found, expected)) => {
                Err(ReadError::Format { path: path.to_owned(), offset, found, expected })
            }
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The frames, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.places.iter().map(|place| &self.octets[place.clone()])
    }

    /// The frame at `index`, from 0.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn get(&self, index: usize) -> &[u8] {
        &self.octets[self.places[index].clone()]
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for Packets {
    fn from_iter<I: IntoIterator<Item = T>>(frames: I) -> Self {
        let mut packets = Self::default();
        for frame in frames {
            let start = packets.octets.len();
            packets.octets.extend_from_slice(frame.as_ref());
            packets.places.push(start..packets.octets.len());
        }
        packets
    }
}

/// Where, what was found, what was expected.
type Fault = (usize, String, &'static str);

/// Numbers of a file in its byte order.
struct Numbers<'a> {
    octets: &'a [u8],
    big_endian: bool,
}

impl Numbers<'_> {
    fn u16(&self, at: usize) -> Result<u16, Fault> {
        let octets = self.octets.get(at..).and_then(|rest| rest.first_chunk::<2>().copied());
        let octets = octets.ok_or_else(|| self.cut(at))?;
        Ok(if self.big_endian { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) })
    }

    fn u32(&self, at: usize) -> Result<u32, Fault> {
        let octets = self.octets.get(at..).and_then(|rest| rest.first_chunk::<4>().copied());
        let octets = octets.ok_or_else(|| self.cut(at))?;
        Ok(if self.big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) })
    }

    /// `length` octets from `at` on, if they lie before `end`.
    fn place(&self, at: usize, length: u32, end: usize) -> Result<Range<usize>, Fault> {
        let place = at..at + length as usize;
        if place.end > end || place.end > self.octets.len() {
            return Err((
                at,
                format!("a packet of {length} octets"),
                "one that ends in its record",
            ));
        }
        Ok(place)
    }

    fn cut(&self, at: usize) -> Fault {
        (at, format!("the end of the file, {} octets long", self.octets.len()), "a whole record")
    }
}

fn ethernet(at: usize, link: u32) -> Result<(), Fault> {
    match link {
        1 => Ok(()),
        other => Err((at, format!("link type {other}"), "1 (Ethernet)")),
    }
}

fn places(octets: &[u8]) -> Result<Vec<Range<usize>>, Fault> {
    match octets.first_chunk::<4>() {
        Some([0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d]) => pcap(octets, true),
        Some([0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1]) => pcap(octets, false),
        Some([0x0a, 0x0d, 0x0d, 0x0a]) => pcapng(octets),
        first => Err((0, format!("{first:02x?}"), "the first octets of pcap or pcapng")),
    }
}

fn pcap(octets: &[u8], big_endian: bool) -> Result<Vec<Range<usize>>, Fault> {
    let file = Numbers { octets, big_endian };
    // The upper bits tell of frame check sequences and the like.
    ethernet(20, file.u32(20)? & 0x03ff_ffff)?;
    let mut places = Vec::new();
    let mut at = 24;
    while at < octets.len() {
        let place = file.place(at + 16, file.u32(at + 8)?, octets.len())?;
        at = place.end;
        places.push(place);
    }
    Ok(places)
}

fn pcapng(octets: &[u8]) -> Result<Vec<Range<usize>>, Fault> {
    let mut file = Numbers { octets, big_endian: false };
    let mut places = Vec::new();
    let mut at = 0;
    while at < octets.len() {
        // A section header reads the same in both byte orders, and says which one holds from here on.
        let kind = file.u32(at)?;
        if kind == 0x0a0d_0d0a {
            file.big_endian = octets.get(at + 8) == Some(&0x1a);
        }
        let length = file.u32(at + 4)? as usize;
        let end = at + length;
        if length < 12 || end > octets.len() {
            return Err((
                at + 4,
                format!("a block of {length} octets"),
                "one that ends in the file",
            ));
        }
        match kind {
            1 => ethernet(at + 8, file.u16(at + 8)?.into())?,
            6 => places.push(file.place(at + 28, file.u32(at + 20)?, end - 4)?),
            // A simple packet block has the length on the wire alone; the snap length may have cut it.
            3 => return Err((at, "a simple packet block".to_owned(), "enhanced packet blocks")),
            _ => {}
        }
        at = end;
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Captured, Interface, PcapFormat};

    #[test]
    fn formats() {
        let frames = [vec![1; 60], vec![2; 61], vec![3; 1]];
        let packets: Vec<_> =
            frames.iter().map(|frame| Captured::at_micros(7, frame.clone())).collect();
        let file = |big_endian, nanoseconds| {
            crate::pcap(PcapFormat { big_endian, nanoseconds, ..PcapFormat::default() }, &packets)
        };
        let other = crate::pcap(PcapFormat { link: 101, ..PcapFormat::default() }, &packets);
        let ng = |big_endian| crate::pcapng(big_endian, &[Interface::default()], &packets);
        let read = |octets: &[u8]| {
            let places = places(octets)?;
            Ok::<_, Fault>(places.into_iter().map(|p| octets[p].to_vec()).collect::<Vec<_>>())
        };
        for octets in [file(false, false), file(true, true), file(false, true), ng(false), ng(true)]
        {
            assert_eq!(read(&octets).as_deref(), Ok(&frames[..]));
            assert!(read(&octets[..octets.len() - 2]).is_err());
        }
        assert!(matches!(read(&other), Err((20, found, _)) if found == "link type 101"));
        assert!(read(b"nothing").is_err());
        assert_eq!(frames.iter().collect::<Packets>().iter().collect::<Vec<_>>(), frames);
    }
}
