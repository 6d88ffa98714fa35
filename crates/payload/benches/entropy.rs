//! Entropy of runs of octets, and samples that come in pieces.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rockfish_payload::{Sample, SampleStore, entropy};

/// Octets of a linear congruential generator (Knuth's MMIX constants).
fn random(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

fn text(length: usize) -> Vec<u8> {
    b"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nAccept: text/html\r\n\r\n"
        .iter()
        .copied()
        .cycle()
        .take(length)
        .collect()
}

fn runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("entropy");
    for length in [60, 120, 500] {
        group.throughput(Throughput::Bytes(length as u64));
        for (name, octets) in
            [("random", random(length)), ("text", text(length)), ("zeros", vec![0; length])]
        {
            group.bench_with_input(BenchmarkId::new(name, length), &octets, |bencher, octets| {
                bencher.iter(|| entropy(black_box(octets)));
            });
        }
    }
    group.finish();
}

fn samples(criterion: &mut Criterion) {
    let octets = random(500);
    let mut group = criterion.benchmark_group("sample");
    for pieces in [1, 5, 10] {
        group.bench_function(BenchmarkId::new("pieces of 500 octets", pieces), |bencher| {
            let mut store = SampleStore::new(500);
            bencher.iter(|| {
                let mut sample = Sample::default();
                for piece in octets.chunks(500 / pieces) {
                    store.add(&mut sample, black_box(piece));
                }
                store.finish(&mut sample)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, runs, samples);
criterion_main!(benches);
