//! What the reader costs for a packet, with and without backpressure.
//!
//! A ring is filled, which is not timed, and read empty; the consumer looks at the first 64 octets of each packet, as a decoder
//! does. One thread does both, so what the writer wrote last is in this core's cache: with the writer on another core, each
//! packet costs the transfer of its cache lines on top.

#[path = "../tests/writer/mod.rs"]
mod writer;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rockfish_capture::LiveSource;
use rockfish_capture_fmadio::{Fmadio, FmadioConfig};

use writer::{Packet, Writer};

const DEPTH: u64 = 1024;

fn drain(reader: &mut Fmadio) -> Option<u64> {
    let (mut packets, mut sum) = (Vec::with_capacity(DEPTH as usize), 0);
    loop {
        let lent = reader.next(Duration::ZERO, &mut packets).ok()?;
        if packets.is_empty() {
            return Some(sum);
        }
        for packet in &packets {
            let start = packet.offset as usize;
            let head = lent.get(start..start + packet.captured.min(64) as usize)?;
            sum += head.iter().step_by(32).map(|octet| u64::from(*octet)).sum::<u64>();
        }
    }
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(DEPTH - 1));
    for (name, flow_control, length) in
        [("in place, 64", true, 64), ("in place, 512", true, 512), ("copied, 512", false, 512)]
    {
        let Ok(directory) = tempfile::tempdir() else { return };
        let ring_path = directory.path().join("ring");
        let writer = Writer::create(&ring_path, DEPTH, flow_control);
        let config = FmadioConfig { ring_path, ..FmadioConfig::default() };
        let Ok(mut reader) = Fmadio::open(&config) else { return };
        let octets = vec![0x55; length];
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    for number in 0..DEPTH - 1 {
                        writer.send(Packet::new(number * 1000, &octets));
                    }
                    let start = Instant::now();
                    black_box(drain(&mut reader));
                    spent += start.elapsed();
                }
                spent
            });
        });
        assert_eq!(reader.counters().dropped, 0);
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
