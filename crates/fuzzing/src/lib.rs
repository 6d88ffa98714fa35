//! What is fuzzed: one function per parser.
//!
//! `cargo fuzz` (folder `fuzz/`) drives these functions with inputs that it finds; `tests/corpus.rs` drives them with the
//! captures of `tests/data` and changed copies of these. Each asserts what must hold for any input, so a wrong answer is
//! found as well as a panic.
#![forbid(unsafe_code)]

mod fingerprint;
mod label;
mod license;

use std::collections::HashSet;
use std::io::Cursor;
use std::num::NonZeroUsize;

use rockfish_capture::{Block, CaptureStream, Options, PacketSource};
use rockfish_flow::{EndReason, FlowRecord, Timestamp};
use rockfish_meter::{Advance, Clock, Meter, MeterConfig};
use rockfish_packet::{
    DecodeConfig, Decoder, FlowKey, Frame, HashSeed, LinkType, Packet, PacketBatch, Tunnels,
    UdpUniflow,
};
use rockfish_payload::entropy;

pub use crate::fingerprint::{dns, handshake, tcp_options};
pub use crate::label::label;
pub use crate::license::license;

/// Reads numbers and runs of octets off the front of an input; zeros and nothing when it has ended.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn number(&mut self, octets: usize) -> u64 {
        (0..octets).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn link(number: u8) -> LinkType {
    LinkType::TABLE[usize::from(number) % LinkType::TABLE.len()].2
}

fn decode_config(options: u8) -> DecodeConfig {
    let mut config = DecodeConfig {
        tunnels: if options & 1 == 0 { Tunnels::Outer } else { Tunnels::Inner },
        vlan_key: options & 2 != 0,
        icmp_key: options & 4 != 0,
        udp_uniflow: if options & 8 == 0 { UdpUniflow::Off } else { UdpUniflow::All },
        ..DecodeConfig::default()
    };
    config.fragments.disabled = options & 16 != 0;
    config.fragments.max_tables = 4;
    config.fragments.max_bytes = 1 << 17;
    config
}

/// Checks what every packet promises, and that none was lost or made.
fn check_packets(decoder: &Decoder, batch: &PacketBatch, block: &[u8]) {
    let mut packets = 0;
    for packet in &batch.packets {
        packets += u64::from(packet.packets);
        assert!(packet.packets > 0);
        assert!(packet.captured <= packet.payload, "captured more than there was");
        let payload = packet.payload_at.slice(block, &batch.side, packet.captured as usize);
        assert_eq!(payload.len(), packet.captured as usize, "the payload lies outside");
        assert_ne!(packet.key, FlowKey::NONE);
    }
    let counters = decoder.counters();
    assert_eq!(counters.frames, packets + counters.ignored_total(), "frames are lost or made");
}

/// One frame: the first octet is the link type, the second the options, the rest the frame.
pub fn decode(data: &[u8]) {
    let mut input = Input(data);
    let (link, options) = (link(input.byte()), input.byte());
    let data = input.0;
    let mut decoder = Decoder::new(decode_config(options), HashSeed::new(1));
    let mut batch = PacketBatch::default();
    let wire = data.len() as u32 + u32::from(options >> 5) * 100;
    decoder.decode(&Frame { time: Timestamp::ZERO, link, wire, data, offset: 0 }, &mut batch);
    decoder.finish(&mut batch);
    check_packets(&decoder, &batch, data);
}

/// Fragments of few datagrams, made from the input: a header of six octets each says which datagram, where, and how long.
pub fn defragment(data: &[u8]) {
    let mut input = Input(data);
    let options = input.byte() & !16;
    let mut decoder = Decoder::new(decode_config(options), HashSeed::new(1));
    let mut batch = PacketBatch::default();
    let mut time = 0;
    let mut octets_in = 0;
    while !input.is_empty() {
        let (which, flags) = (input.byte(), input.byte());
        let offset = input.number(2) as u16;
        let length = input.byte();
        time += i64::from(input.byte()) * 100_000;
        let body = input.take(usize::from(length));
        let frame = if flags & 1 == 0 {
            let field = offset & 0x1fff | u16::from(flags & 2) << 12;
            ipv4_fragment(which & 3, field, which >> 2 & 1, body)
        } else {
            ipv6_fragment(which & 3, offset & !7 | u16::from(flags >> 1 & 1), flags >> 4, body)
        };
        octets_in += frame.len() as u64;
        let time = Timestamp::from_micros(time);
        decoder.advance(time, &mut batch);
        let link = LinkType::RawIp;
        decoder.decode(
            &Frame { time, link, wire: frame.len() as u32, data: &frame, offset: 0 },
            &mut batch,
        );
    }
    decoder.finish(&mut batch);
    let packets: u64 = batch.packets.iter().map(|packet| u64::from(packet.packets)).sum();
    let octets: u64 = batch.packets.iter().map(|packet| u64::from(packet.octets)).sum();
    assert_eq!(packets, decoder.counters().frames - decoder.counters().ignored_total());
    if options & 1 == 0 && decoder.counters().ignored_total() == 0 {
        assert_eq!(octets, octets_in, "octets of all fragments");
    }
    for packet in batch.packets.iter().filter(|packet| packet.packets > 1) {
        let payload = packet.payload_at.slice(&[], &batch.side, packet.captured as usize);
        assert_eq!(payload.len(), packet.captured as usize);
        assert!(packet.payload <= 65_535);
    }
}

fn ipv4_fragment(id: u8, field: u16, protocol: u8, body: &[u8]) -> Vec<u8> {
    let length = (20 + body.len()) as u16;
    let mut frame = vec![0x45, 0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&[0, id]);
    frame.extend_from_slice(&field.to_be_bytes());
    frame.extend_from_slice(&[
        64,
        if protocol == 0 { 17 } else { 6 },
        0,
        0,
        10,
        0,
        0,
        1,
        10,
        0,
        0,
        2,
    ]);
    frame.extend_from_slice(body);
    frame
}

fn ipv6_fragment(id: u8, field: u16, next: u8, body: &[u8]) -> Vec<u8> {
    let length = (8 + body.len()) as u16;
    let mut frame = vec![0x60, 0, 0, 0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&[44, 64]);
    frame.extend_from_slice(&[0x20; 16]);
    frame.extend_from_slice(&[0x21; 16]);
    frame.extend_from_slice(&[[17, 6, 60, 44, 4, 41, 58, 0][usize::from(next & 7)], 0]);
    frame.extend_from_slice(&field.to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0, id]);
    frame.extend_from_slice(body);
    frame
}

/// A capture file: any octets. The first one says how long the blocks are, so that records are cut at any place.
pub fn capture(data: &[u8]) {
    let mut input = Input(data);
    let block_size = 1 << (input.byte() % 14 + 4);
    let octets = input.0.to_vec();
    let options = Options { block_size, ..Options::default() };
    let Ok(mut stream) =
        CaptureStream::with_options(Box::new(Cursor::new(octets)), "input", options)
    else {
        return;
    };
    let mut block = Block::default();
    let mut packets = 0;
    while let Ok(true) = stream.next_block(&mut block) {
        for packet in &block.packets {
            packets += 1;
            let start = packet.offset as usize;
            assert!(block.data.get(start..start + packet.captured as usize).is_some());
        }
        for warning in stream.take_warnings() {
            assert!(!warning.to_string().is_empty());
        }
    }
    assert_eq!(stream.progress().packets, packets);
}

/// Packets of few flows, made from the input, metered by one meter and by three that share them: both must give the same
/// records, and every packet must be in one of them.
pub fn meter(data: &[u8]) {
    let mut input = Input(data);
    let options = input.byte();
    let config = MeterConfig {
        idle_timeout_us: 1_000_000 * (1 + i64::from(input.byte())),
        active_timeout_us: 1_000_000 * (1 + i64::from(input.byte()) * 8),
        max_flows: if options & 1 == 0 { 0 } else { 3 },
        max_payload: input.number(2) as u16,
        mac: true,
        tcp_linger_us: if options & 2 == 0 { 2_000_000 } else { 0 },
    };
    let mut packets = Vec::new();
    let mut time = 1_000_000_000i64;
    let pattern = pattern();
    while !input.is_empty() && packets.len() < 4096 {
        packets.push(synthetic(&mut input, &mut time, pattern));
    }
    let block: Vec<u8> = (0..=u8::MAX).cycle().take(4096).collect();
    let alone = run_meters(&config, &packets, &block, NonZeroUsize::MIN, 1);
    let (count, octets) = alone.iter().fold((0, 0), |(count, octets), record| {
        assert!(record.start <= record.end);
        assert!(record.first_count as usize <= 8);
        let nonempty = record.forward.nonempty_packets + record.reverse.nonempty_packets;
        assert_eq!(u32::from(record.first_count), nonempty.min(8));
        assert!(
            record.forward.small_packets + record.forward.large_packets
                <= record.forward.nonempty_packets
        );
        record.forward.stdev_payload();
        assert!((-1000..=1000).contains(&record.pcr_permille()));
        (
            count + record.forward.packets + record.reverse.packets,
            octets + record.forward.octets + record.reverse.octets,
        )
    });
    let ids: HashSet<_> = alone
        .iter()
        .map(|record| {
            let ends =
                (record.source, record.destination, record.source_port, record.destination_port);
            (record.start, record.protocol, ends, record.ordinal)
        })
        .collect();
    // A clock that is stepped to and fro may forget a namesake of a flow that was open all the while.
    if alone.iter().all(|record| record.ordinal >> 16 == 0) {
        assert_eq!(ids.len(), alone.len(), "flows with one id");
    }
    assert_eq!(count, packets.iter().map(|packet| u64::from(packet.packets)).sum::<u64>());
    assert_eq!(octets, packets.iter().map(|packet| u64::from(packet.octets)).sum::<u64>());
    if config.max_flows == 0 {
        let shared = run_meters(&config, &packets, &block, NonZeroUsize::MIN.saturating_add(2), 7);
        for (one, other) in alone.iter().zip(&shared) {
            assert_eq!(one, other, "the records depend on how the flows are shared");
        }
        assert_eq!(alone.len(), shared.len());
    }
}

/// A real packet as the pattern: places of payload cannot be made from outside.
fn pattern() -> Packet {
    let mut decoder = Decoder::new(DecodeConfig::default(), HashSeed::new(5));
    let mut batch = PacketBatch::default();
    let frame = ipv4_fragment(0, 0, 0, &[0; 8]);
    let link = LinkType::RawIp;
    decoder.decode(
        &Frame { time: Timestamp::ZERO, link, wire: 28, data: &frame, offset: 0 },
        &mut batch,
    );
    batch.packets[0]
}

/// Eight octets of input make a packet.
fn synthetic(input: &mut Input<'_>, time: &mut i64, pattern: Packet) -> Packet {
    let seed = HashSeed::new(5);
    let (ends, flags) = (input.byte(), input.byte());
    let (kind, payload) = (input.byte(), input.number(2) as u32);
    let step = input.number(3) as i64;
    // Mostly forwards, sometimes a little or far backwards.
    *time += match kind >> 5 {
        0 => -step,
        1 => -step * 1000,
        2 => step * 1000,
        _ => step,
    };
    let host = |number: u8| [10, 0, 0, number & 3];
    let (source, destination) = if ends & 0x80 == 0 {
        (host(ends), host(ends >> 2))
    } else {
        (host(ends >> 2), host(ends))
    };
    let protocol = if kind & 1 == 0 { 6 } else { 17 };
    let ports = [u16::from(ends >> 4 & 3), u16::from(ends >> 4 & 3)];
    let (mut key, mut from_low) = FlowKey::v4(source, destination, ports, protocol);
    if protocol == 17 && ports[0] == 3 {
        key.set_one_way(from_low);
        from_low = true;
    }
    let mut packet = pattern;
    packet.hash = key.hash(&seed);
    packet.key = key;
    packet.from_low = from_low;
    packet.time = Timestamp::from_micros(*time);
    packet.span_us = if kind & 8 == 0 { 0 } else { u32::from(flags) * 1000 };
    packet.packets = 1 + u32::from(kind >> 3 & 1);
    packet.octets = 28 + payload;
    packet.payload = payload;
    packet.captured = payload.min(2048);
    packet.tcp_flags = rockfish_flow::TcpFlags::from_bits(if protocol == 6 { flags } else { 0 });
    packet
}

fn run_meters(
    config: &MeterConfig,
    packets: &[Packet],
    block: &[u8],
    shards: NonZeroUsize,
    batch_size: usize,
) -> Vec<FlowRecord> {
    let seed = HashSeed::new(5);
    let mut meters: Vec<_> =
        (0..shards.get()).map(|_| Meter::new(config.clone(), seed.clone())).collect();
    let mut clock = Clock::new(config.idle_timeout_us);
    let mut records = Vec::new();
    let mut batch = PacketBatch::default();
    let flush = |batch: &mut PacketBatch, meters: &mut [Meter], records: &mut Vec<FlowRecord>| {
        let count = meters.len() as u64;
        for (shard, meter) in meters.iter_mut().enumerate() {
            let select: Vec<u32> = (0..batch.packets.len() as u32)
                .filter(|index| (batch.packets[*index as usize].hash >> 32) % count == shard as u64)
                .collect();
            meter.process(batch, block, &select, records);
        }
        batch.clear();
    };
    for packet in packets {
        if let Advance::Tick(now) = clock.observe(packet.time) {
            flush(&mut batch, &mut meters, &mut records);
            meters.iter_mut().for_each(|meter| meter.tick(now, &mut records));
        }
        batch.packets.push(*packet);
        if batch.packets.len() >= batch_size {
            flush(&mut batch, &mut meters, &mut records);
        }
    }
    flush(&mut batch, &mut meters, &mut records);
    for meter in &mut meters {
        let mut drain = meter.finish(EndReason::Eof);
        while drain.next_second(&mut records).is_some() {}
        assert_eq!(meter.counters().open, 0);
    }
    records.sort_unstable_by_key(|record| {
        let ends = (record.source, record.destination, record.source_port, record.destination_port);
        (record.start, record.end, record.protocol, ends, record.ordinal, record.reason.as_str())
    });
    records
}

/// A payload in pieces: the sample store must say what the whole says.
pub fn payload(data: &[u8]) {
    let mut input = Input(data);
    let limit = input.number(2) as u16 % 4096;
    let mut store = rockfish_payload::SampleStore::new(limit);
    let mut samples = [rockfish_payload::Sample::default(); 4];
    let mut wholes: [Vec<u8>; 4] = Default::default();
    while !input.is_empty() {
        let (which, length) = (usize::from(input.byte() & 3), usize::from(input.byte()));
        let piece = input.take(length);
        store.add(&mut samples[which], piece);
        wholes[which].extend_from_slice(piece);
    }
    for (sample, whole) in samples.iter_mut().zip(&wholes) {
        assert_eq!(store.finish(sample), entropy(&whole[..whole.len().min(usize::from(limit))]));
    }
}
