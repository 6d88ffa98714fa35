//! What metering a packet costs: of flows that go on, of flows that begin and end, and of both. Elements are packets.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rockfish_flow::{EndReason, FlowRecord, Timestamp};
use rockfish_meter::{Meter, MeterConfig};
use rockfish_packet::{DecodeConfig, Decoder, Frame, HashSeed, LinkType, PacketBatch};
use rockfish_testkit::PacketBuilder;

const SEED: u64 = 7;
const BEGIN: i64 = 1_700_000_000_000_000;

/// Packets metered together, as many as a block of the reader has.
const BATCH: usize = 1_000;

/// A block of decoded packets.
struct Decoded {
    data: Vec<u8>,
    batch: PacketBatch,
    clock: Timestamp,
}

/// How the packets of a load are made.
#[derive(Clone, Copy)]
struct Load {
    packets: usize,
    /// Flows to draw from.
    flows: u64,
    /// Instead of drawing, packets of each flow that come one after the other before the next flow begins.
    each: Option<u64>,
    /// Microseconds between packets.
    gap: i64,
    payload: usize,
}

/// An Ethernet frame of a TCP packet, and where addresses and port lie in it.
fn template(payload: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..payload).map(|at| (at * 37 % 251) as u8).collect();
    PacketBuilder::ethernet([2; 6], [4; 6])
        .ip("10.0.0.1", "192.0.2.1")
        .tcp(4000, 443, "A", 1, 2)
        .payload(&payload)
        .build()
}

fn decode(load: Load) -> Vec<Decoded> {
    let mut decoder = Decoder::new(DecodeConfig::default(), HashSeed::new(SEED));
    let template = template(load.payload);
    let mut state = 1_u64;
    let mut time = BEGIN;
    let mut number = 0..load.packets;
    let mut blocks = Vec::new();
    while !number.is_empty() {
        let (mut data, mut batch) = (Vec::new(), PacketBatch::default());
        let numbers: Vec<usize> = number.by_ref().take(BATCH).collect();
        for _ in &numbers {
            data.extend_from_slice(&template);
        }
        for (place, index) in numbers.iter().enumerate() {
            // A linear congruential generator (Knuth's MMIX); its upper bits are good.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let flow = match load.each {
                Some(each) => *index as u64 / each,
                None => (state >> 33) % load.flows,
            };
            let start = place * template.len();
            let frame = &mut data[start..start + template.len()];
            frame[26..30].copy_from_slice(&(0x0a00_0000 | (flow >> 8) as u32).to_be_bytes());
            frame[34..36].copy_from_slice(&(0x8000 | (flow & 0xff) as u16).to_be_bytes());
            if index % 2 == 1 {
                // The answer: ends and ports change places.
                let (low, high) = frame.split_at_mut(30);
                low[26..].swap_with_slice(&mut high[..4]);
                let (low, high) = frame.split_at_mut(36);
                low[34..].swap_with_slice(&mut high[..2]);
            }
            let frame = Frame {
                time: Timestamp::from_micros(time),
                link: LinkType::Ethernet,
                wire: template.len() as u32,
                data: &data[start..start + template.len()],
                offset: start as u32,
            };
            decoder.decode(&frame, &mut batch);
            time += load.gap;
        }
        assert_eq!(batch.packets.len(), numbers.len());
        blocks.push(Decoded { data, batch, clock: Timestamp::from_micros(time) });
    }
    blocks
}

fn meter(meter: &mut Meter, blocks: &[Decoded], records: &mut Vec<FlowRecord>) {
    for block in blocks {
        meter.process_all(black_box(&block.batch), &block.data, records);
        meter.tick(block.clock, records);
        records.clear();
    }
}

fn new_meter() -> Meter {
    Meter::new(MeterConfig::default(), HashSeed::new(SEED))
}

/// Packets of flows that are in the table already.
fn established(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("established flows");
    group.sample_size(20);
    for (name, flows, payload) in [
        ("1 k, no payload", 1_000, 0),
        ("1 k, 500 octets", 1_000, 500),
        ("100 k, no payload", 100_000, 0),
        ("1 M, no payload", 1_000_000, 0),
    ] {
        let load = Load { packets: 100_000, flows, each: None, gap: 0, payload };
        let mut table = new_meter();
        let mut records = Vec::new();
        // A packet of each flow fills the table; it is not measured.
        let filling = Load { packets: flows as usize, each: Some(1), ..load };
        meter(&mut table, &decode(filling), &mut records);
        assert_eq!(table.counters().open, flows as usize);
        let blocks = decode(load);
        group.throughput(Throughput::Elements(load.packets as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| meter(&mut table, &blocks, &mut records));
        });
        assert_eq!(table.counters().open, flows as usize, "no flow has ended or begun");
    }
    group.finish();
}

/// Each flow has two packets; it ends when it was idle for long enough, or at the end.
fn new_flows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("new flows");
    group.sample_size(10);
    for (name, packets, gap, payload) in [
        // All stay in the table, which grows with them; then all are handed over.
        ("200 k open at once", 400_000, 0, 0),
        // 600 seconds: most flows end by the idle timeout on the way.
        ("200 k, 100 k at a time", 400_000, 1_500, 0),
        ("200 k, 100 k at a time, 60 octets", 400_000, 1_500, 60),
    ] {
        let blocks = decode(Load { packets, flows: 0, each: Some(2), gap, payload });
        group.throughput(Throughput::Elements(packets as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                new_meter,
                |mut table| {
                    let mut records = Vec::new();
                    meter(&mut table, &blocks, &mut records);
                    let mut drain = table.finish(EndReason::Eof);
                    while drain.next_second(&mut records).is_some() {
                        records.clear();
                    }
                    table
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Of the packets of a busy network most belong to few flows, and a sixth begins one.
fn mixed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mixed");
    group.sample_size(10);
    let load = Load { packets: 400_000, flows: 20_000, each: None, gap: 1_500, payload: 200 };
    let mut blocks = decode(load);
    // Every third block has new flows.
    let renewed = decode(Load { each: Some(2), payload: 60, ..load });
    for (index, fresh) in renewed.into_iter().enumerate().step_by(3) {
        blocks[index] = Decoded { clock: blocks[index].clock, ..fresh };
    }
    group.throughput(Throughput::Elements(load.packets as u64));
    group.bench_function("20 k busy flows, a third of the packets of new ones", |bencher| {
        bencher.iter_batched(
            new_meter,
            |mut table| {
                let mut records = Vec::new();
                meter(&mut table, &blocks, &mut records);
                table
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, established, new_flows, mixed);
criterion_main!(benches);
