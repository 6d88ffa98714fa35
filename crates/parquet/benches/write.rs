//! Records to a finished file: sorting, text, encoding, compression, the file itself.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rockfish_flow::Timestamp;
use rockfish_parquet::{ParquetWriter, WriterConfig};

/// As many flows as the benchmark capture `mix` has.
const FLOWS: usize = 345_000;

fn write(criterion: &mut Criterion) {
    let records = common::busy_network(FLOWS);
    let mut group = criterion.benchmark_group("write");
    group.throughput(Throughput::Elements(FLOWS as u64));
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for level in [-131_072, -1000, 1, 3] {
        group.bench_function(format!("zstd {level}"), |bencher| {
            bencher.iter_batched(
                || {
                    let chunks = records.chunks(4096).map(<[_]>::to_vec).collect::<Vec<_>>();
                    (tempfile::tempdir().unwrap(), chunks)
                },
                |(dir, chunks)| {
                    let config = WriterConfig {
                        dir: dir.path().into(),
                        zstd_level: level,
                        ..WriterConfig::default()
                    };
                    let mut writer = ParquetWriter::create(config).unwrap();
                    for (i, records) in chunks.into_iter().enumerate() {
                        let clock = records.last().map_or(Timestamp::ZERO, |record| record.end);
                        writer.push(records).unwrap();
                        if i % 3 == 2 {
                            writer.end_epoch(clock).unwrap();
                        }
                    }
                    black_box(writer.finish().unwrap());
                    dir
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, write);
criterion_main!(benches);
