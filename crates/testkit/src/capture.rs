//! Capture files in memory: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng).

/// A packet as a capture file has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// Nanoseconds since the epoch; the file's resolution truncates it.
    pub time_ns: u64,
    /// The octets that were captured.
    pub data: Vec<u8>,
    /// Octets cut off by the snap length: what it had on the wire beyond `data`.
    pub cut: u32,
    /// Which of the interfaces of a pcapng section saw it, from 0.
    pub interface: u32,
}

impl Captured {
    /// A whole packet at `time_us` microseconds since the epoch.
    pub fn at_micros(time_us: u64, data: Vec<u8>) -> Self {
        Self { time_ns: time_us * 1000, data, ..Self::default() }
    }
}

/// Variants of the classic format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcapFormat {
    /// Byte order of the file's numbers.
    pub big_endian: bool,
    /// Nanosecond instead of microsecond times.
    pub nanoseconds: bool,
    /// Link type number, with whatever its upper bits shall hold.
    pub link: u32,
    /// Snap length of the header.
    pub snaplen: u32,
}

impl Default for PcapFormat {
    fn default() -> Self {
        Self { big_endian: false, nanoseconds: false, link: 1, snaplen: 262_144 }
    }
}

/// Numbers in the file's byte order.
struct Writer {
    octets: Vec<u8>,
    big_endian: bool,
}

impl Writer {
    fn u16(&mut self, value: u16) {
        self.octets.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u32(&mut self, value: u32) {
        self.octets.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn pad(&mut self) {
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
    }

    fn block(&mut self, kind: u32, body: impl FnOnce(&mut Self)) {
        let start = self.octets.len();
        self.u32(kind);
        self.u32(0);
        body(self);
        self.pad();
        let total = (self.octets.len() - start + 4) as u32;
        self.u32(total);
        let length = if self.big_endian { total.to_be_bytes() } else { total.to_le_bytes() };
        self.octets[start + 4..start + 8].copy_from_slice(&length);
    }
}

/// A classic capture file.
pub fn pcap(format: PcapFormat, packets: &[Captured]) -> Vec<u8> {
    let mut file = Writer { octets: Vec::new(), big_endian: format.big_endian };
    file.u32(if format.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 });
    file.u16(2);
    file.u16(4);
    file.u32(0);
    file.u32(0);
    file.u32(format.snaplen);
    file.u32(format.link);
    for packet in packets {
        let fraction = (packet.time_ns % 1_000_000_000) as u32;
        file.u32((packet.time_ns / 1_000_000_000) as u32);
        file.u32(if format.nanoseconds { fraction } else { fraction / 1000 });
        file.u32(packet.data.len() as u32);
        file.u32(packet.data.len() as u32 + packet.cut);
        file.octets.extend(&packet.data);
    }
    file.octets
}

/// An interface of a pcapng section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Link type number.
    pub link: u16,
    /// The option `if_tsresol`: negative power of 10, or of 2 with the top bit; microseconds without it.
    pub resolution: Option<u8>,
    /// The option `if_tsoffset`: seconds to add to each time.
    pub offset: Option<i64>,
    /// Snap length.
    pub snaplen: u32,
}

impl Default for Interface {
    fn default() -> Self {
        Self { link: 1, resolution: None, offset: None, snaplen: 0 }
    }
}

impl Interface {
    /// Ticks of this interface's clock for a time, truncated.
    fn ticks(&self, time_ns: u64) -> u64 {
        let offset = i128::from(self.offset.unwrap_or(0)) * 1_000_000_000;
        let time = u128::try_from(i128::from(time_ns) - offset)
            .expect("a time after the interface's offset");
        let per_second = match self.resolution.unwrap_or(6) {
            binary if binary & 0x80 != 0 => 1 << (binary & 0x7f).min(63),
            decimal => 10_u128.pow(u32::from(decimal).min(18)),
        };
        (time * per_second / 1_000_000_000) as u64
    }
}

/// A pcapng file of one section: its header, the interfaces, an enhanced packet block for each packet.
///
/// # Panics
///
/// When a packet names an interface that is not in the list.
pub fn pcapng(big_endian: bool, interfaces: &[Interface], packets: &[Captured]) -> Vec<u8> {
    let mut file = Writer { octets: Vec::new(), big_endian };
    file.block(0x0a0d_0d0a, |file| {
        file.u32(0x1a2b_3c4d);
        file.u16(1);
        file.u16(0);
        file.u32(u32::MAX);
        file.u32(u32::MAX);
    });
    for interface in interfaces {
        file.block(1, |file| {
            file.u16(interface.link);
            file.u16(0);
            file.u32(interface.snaplen);
            if let Some(resolution) = interface.resolution {
                file.u16(9);
                file.u16(1);
                file.octets.push(resolution);
                file.pad();
            }
            if let Some(offset) = interface.offset {
                file.u16(14);
                file.u16(8);
                let octets =
                    if file.big_endian { offset.to_be_bytes() } else { offset.to_le_bytes() };
                file.octets.extend(octets);
            }
            if interface.resolution.is_some() || interface.offset.is_some() {
                file.u32(0);
            }
        });
    }
    for packet in packets {
        let ticks = interfaces[packet.interface as usize].ticks(packet.time_ns);
        file.block(6, |file| {
            file.u32(packet.interface);
            file.u32((ticks >> 32) as u32);
            file.u32(ticks as u32);
            file.u32(packet.data.len() as u32);
            file.u32(packet.data.len() as u32 + packet.cut);
            file.octets.extend(&packet.data);
        });
    }
    file.octets
}
