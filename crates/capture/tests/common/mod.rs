//! Writes captures of every kind that is read, and reads them back whole.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(unreachable_pub, reason = "shared by test programs")]

use std::io::{self, Read, Write};

use rockfish_capture::{
    Block, CaptureError, CaptureFiles, CaptureStream, Options, PacketSource, Progress, Skipped,
    Warning,
};
use rockfish_packet::LinkType;

/// A packet to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub seconds: u32,
    pub nanos: u32,
    pub data: Vec<u8>,
    /// Octets on the wire beyond those captured.
    pub cut: u32,
}

impl Sample {
    pub fn new(seconds: u32, nanos: u32, data: &[u8]) -> Self {
        Self { seconds, nanos, data: data.to_vec(), cut: 0 }
    }

    pub fn wire(&self) -> u32 {
        self.data.len() as u32 + self.cut
    }

    pub fn micros(&self) -> i64 {
        i64::from(self.seconds) * 1_000_000 + i64::from(self.nanos / 1000)
    }
}

/// Numbers in one of the two orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub big: bool,
}

impl Order {
    pub fn u16(self, n: u16) -> [u8; 2] {
        if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    pub fn u32(self, n: u32) -> [u8; 4] {
        if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    pub fn u64(self, n: u64) -> [u8; 8] {
        if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
    }
}

/// A kind of pcap file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pcap {
    pub order: Order,
    pub magic: u32,
    pub version: (u16, u16),
    pub link: u32,
}

pub const MICROS: u32 = 0xa1b2_c3d4;
pub const NANOS: u32 = 0xa1b2_3c4d;
pub const PATCHED: u32 = 0xa1b2_cd34;

impl Pcap {
    pub fn new(big: bool, magic: u32) -> Self {
        Self { order: Order { big }, magic, version: (2, 4), link: 1 }
    }

    pub fn header(self) -> Vec<u8> {
        let mut out = self.order.u32(self.magic).to_vec();
        out.extend(self.order.u16(self.version.0));
        out.extend(self.order.u16(self.version.1));
        out.extend([0; 8]);
        out.extend(self.order.u32(65_535));
        out.extend(self.order.u32(self.link));
        out
    }

    pub fn record(self, packet: &Sample) -> Vec<u8> {
        let fraction = if self.magic == NANOS { packet.nanos } else { packet.nanos / 1000 };
        let mut lengths = [packet.data.len() as u32, packet.wire()];
        if self.version.1 < 3 {
            lengths.reverse();
        }
        let mut out = Vec::new();
        for n in [packet.seconds, fraction, lengths[0], lengths[1]] {
            out.extend(self.order.u32(n));
        }
        if self.magic == PATCHED {
            out.extend([0xee; 8]);
        }
        out.extend(&packet.data);
        out
    }

    pub fn file(self, packets: &[Sample]) -> Vec<u8> {
        let mut out = self.header();
        packets.iter().for_each(|packet| out.extend(self.record(packet)));
        out
    }
}

/// A pcapng file in the making.
pub struct PcapNg {
    pub order: Order,
    pub out: Vec<u8>,
}

impl PcapNg {
    pub fn new(big: bool) -> Self {
        let mut file = Self { order: Order { big }, out: Vec::new() };
        file.section(big);
        file
    }

    pub fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let length = self.order.u32((body.len().next_multiple_of(4) + 12) as u32);
        self.out.extend(self.order.u32(kind));
        self.out.extend(length);
        self.out.extend(body);
        self.out.resize(self.out.len().next_multiple_of(4), 0);
        self.out.extend(length);
        self
    }

    pub fn section(&mut self, big: bool) -> &mut Self {
        self.order = Order { big };
        let mut body = self.order.u32(0x1a2b_3c4d).to_vec();
        body.extend(self.order.u16(1));
        body.extend(self.order.u16(0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    /// `options`: code and value.
    pub fn interface(&mut self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) -> &mut Self {
        let mut body = self.order.u16(link).to_vec();
        body.extend([0; 2]);
        body.extend(self.order.u32(snaplen));
        for (code, value) in options {
            body.extend(self.order.u16(*code));
            body.extend(self.order.u16(value.len() as u16));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            body.extend([0; 4]);
        }
        self.block(1, &body)
    }

    /// An enhanced packet block, with options behind the data.
    pub fn enhanced(&mut self, interface: u32, units: u64, data: &[u8], wire: u32) -> &mut Self {
        let mut body = self.order.u32(interface).to_vec();
        body.extend(self.order.u32((units >> 32) as u32));
        body.extend(self.order.u32(units as u32));
        body.extend(self.order.u32(data.len() as u32));
        body.extend(self.order.u32(wire));
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(self.order.u16(2));
        body.extend(self.order.u16(4));
        body.extend([0; 8]);
        self.block(6, &body)
    }

    /// An obsolete packet block.
    pub fn obsolete(&mut self, interface: u16, units: u64, data: &[u8], wire: u32) -> &mut Self {
        let mut body = self.order.u16(interface).to_vec();
        body.extend(self.order.u16(7));
        body.extend(self.order.u32((units >> 32) as u32));
        body.extend(self.order.u32(units as u32));
        body.extend(self.order.u32(data.len() as u32));
        body.extend(self.order.u32(wire));
        body.extend(data);
        self.block(2, &body)
    }

    pub fn simple(&mut self, data: &[u8], wire: u32) -> &mut Self {
        let mut body = self.order.u32(wire).to_vec();
        body.extend(data);
        self.block(3, &body)
    }
}

/// What a source delivered.
#[derive(Debug)]
pub struct Delivered {
    /// Microseconds, octets, octets on the wire, link type.
    pub packets: Vec<(i64, Vec<u8>, u32, LinkType)>,
    pub warnings: Vec<Warning>,
    pub skipped: Skipped,
    pub progress: Progress,
    /// What `next_block` failed with.
    pub error: Option<CaptureError>,
}

impl Delivered {
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.iter().map(ToString::to_string).collect()
    }
}

/// Reads a source to its end.
pub fn drain(source: &mut dyn PacketSource) -> Delivered {
    let mut block = Block::default();
    let (mut packets, mut error) = (Vec::new(), None);
    loop {
        match source.next_block(&mut block) {
            Ok(true) => {
                assert!(!block.packets.is_empty(), "a block without packets is the end");
                for packet in &block.packets {
                    let octets = block.octets(packet);
                    assert_eq!(
                        octets.len(),
                        packet.captured as usize,
                        "{packet:?} lies outside its block"
                    );
                    assert!(
                        packet.captured <= packet.wire,
                        "{packet:?} captured more than there was"
                    );
                    packets.push((
                        packet.time.as_micros(),
                        octets.to_vec(),
                        packet.wire,
                        packet.link,
                    ));
                }
            }
            Ok(false) => break,
            Err(e) => error = Some(e),
        }
    }
    assert!(block.packets.is_empty(), "packets left at the end");
    assert!(matches!(source.next_block(&mut block), Ok(false)), "the end is not the end");
    let progress = source.progress();
    assert_eq!(progress.packets, packets.len() as u64);
    Delivered {
        packets,
        warnings: source.take_warnings(),
        skipped: source.skipped(),
        progress,
        error,
    }
}

/// Reads octets as a capture named `capture`.
pub fn read(data: &[u8]) -> Result<Delivered, CaptureError> {
    read_with(Box::new(io::Cursor::new(data.to_vec())), Options::default())
}

pub fn read_with(input: Box<dyn Read + Send>, options: Options) -> Result<Delivered, CaptureError> {
    Ok(drain(&mut CaptureStream::with_options(input, "capture", options)?))
}

pub fn read_files(spec: &str) -> Result<Delivered, CaptureError> {
    Ok(drain(&mut CaptureFiles::open(spec)?))
}

/// What is expected of these packets.
pub fn expected(packets: &[Sample]) -> Vec<(i64, Vec<u8>, u32, LinkType)> {
    packets.iter().map(|p| (p.micros(), p.data.clone(), p.wire(), LinkType::Ethernet)).collect()
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(data).unwrap();
    out.finish().unwrap()
}

pub fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(data, 1).unwrap()
}

/// Delivers its data in pieces of the sizes given, again and again; a size of 0 is an interruption by a signal.
pub struct Pieces {
    pub data: io::Cursor<Vec<u8>>,
    pub sizes: Vec<usize>,
    pub turn: usize,
}

impl Pieces {
    pub fn new(data: Vec<u8>, sizes: &[usize]) -> Self {
        // Interruptions alone would never end.
        let mut sizes = sizes.to_vec();
        sizes.push(7);
        Self { data: io::Cursor::new(data), sizes, turn: 0 }
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()];
        self.turn += 1;
        match size {
            0 => Err(io::ErrorKind::Interrupted.into()),
            _ => {
                let n = size.min(into.len());
                self.data.read(&mut into[..n])
            }
        }
    }
}

/// Delivers its data, then fails.
pub struct Failing(pub io::Cursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => Err(io::Error::other("the disk is gone")),
            n => Ok(n),
        }
    }
}
