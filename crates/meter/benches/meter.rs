//! Packets through the flow table.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rockfish_flow::{EndReason, Timestamp};
use rockfish_meter::{Meter, MeterConfig};
use rockfish_packet::{
    DecodeConfig, Decoder, FlowKey, Frame, HashSeed, LinkType, Packet, PacketBatch,
};
use rockfish_testkit::PacketBuilder;

const PACKETS: usize = 100_000;

/// A decoded TCP packet with payload, and the frame that it points into.
fn pattern() -> (Packet, Vec<u8>) {
    let frame = PacketBuilder::ethernet([2; 6], [4; 6])
        .ip("10.0.0.1", "192.0.2.1")
        .tcp(4000, 443, "A", 1, 2)
        .payload(&[7; 400])
        .build();
    let mut decoder = Decoder::new(DecodeConfig::default(), HashSeed::new(1));
    let mut batch = PacketBatch::default();
    let wire = frame.len() as u32;
    let link = LinkType::Ethernet;
    decoder
        .decode(&Frame { time: Timestamp::ZERO, link, wire, data: &frame, offset: 0 }, &mut batch);
    (batch.packets[0], frame)
}

/// Packets of `flows` flows, in an order that no cache likes.
fn packets(flows: u64) -> (PacketBatch, Vec<u8>) {
    let (pattern, frame) = pattern();
    let seed = HashSeed::new(1);
    let mut batch = PacketBatch::default();
    for index in 0..PACKETS as u64 {
        let flow = (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % flows;
        let source = (0x0a00_0000 + flow as u32).to_be_bytes();
        let (key, from_low) = FlowKey::v4(source, [192, 0, 2, 1], [4000, 443], 6);
        let time = Timestamp::from_micros(index as i64 * 10);
        batch.packets.push(Packet { hash: key.hash(&seed), key, from_low, time, ..pattern });
    }
    (batch, frame)
}

fn table(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("meter");
    group.throughput(Throughput::Elements(PACKETS as u64)).sample_size(20);
    let config = MeterConfig::default();
    for flows in [100, 10_000, 100_000, 1_000_000] {
        let (batch, frame) = packets(flows);
        let select: Vec<u32> = (0..PACKETS as u32).collect();
        let new = || Meter::new(config.clone(), HashSeed::new(1));
        group.bench_function(BenchmarkId::new("into an empty table, flows", flows), |bencher| {
            bencher.iter_batched_ref(
                new,
                |meter| meter.process(&batch, &frame, &select, &mut Vec::new()),
                BatchSize::PerIteration,
            );
        });
        group.bench_function(BenchmarkId::new("of established flows", flows), |bencher| {
            let mut meter = new();
            meter.process(&batch, &frame, &select, &mut Vec::new());
            bencher.iter(|| meter.process(&batch, &frame, &select, &mut Vec::new()));
        });
        group.bench_function(BenchmarkId::new("hand over all, flows", flows), |bencher| {
            bencher.iter_batched_ref(
                || {
                    let mut meter = new();
                    meter.process(&batch, &frame, &select, &mut Vec::new());
                    meter
                },
                |meter| {
                    let mut records = Vec::new();
                    let mut drain = meter.finish(EndReason::Eof);
                    while drain.next_second(&mut records).is_some() {}
                    records.len()
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, table);
criterion_main!(benches);
