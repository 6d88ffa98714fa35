//! Payload entropy: of a whole run at once, and of a flow's first octets as they come through the store.
#![allow(missing_docs, reason = "a benchmark: the harness's items are public")]

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rockfish_payload::{Sample, SampleStore, entropy};

/// Runs of one length to go through in turn, so that no branch learns a single run by heart.
const RUNS: usize = 64;

/// Makes an octet of a random number.
type Kind = fn(u64) -> u8;

/// Characters of a text protocol, frequent ones several times.
const TEXT: &[u8] = b"eeetttaaoinshr dlucmfw ypvbgk\r\n:/.=-0123";

/// Octets like those of the wire: encrypted, text, padding.
const KINDS: [(&str, Kind); 3] = [
    ("random", |random| random as u8),
    ("text", |random| TEXT[random as usize % TEXT.len()]),
    ("zeros", |_| 0),
];

/// A run of octets of a kind; another one for each seed.
fn run(length: usize, kind: Kind, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            // Xorshift64*: good enough to look random, the same in every run.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            kind(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33)
        })
        .collect()
}

fn whole_runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("entropy");
    for (name, kind) in KINDS {
        for length in [60, 120, 500] {
            let runs: Vec<_> = (0..RUNS as u64).map(|seed| run(length, kind, seed)).collect();
            group.throughput(Throughput::Bytes(length as u64));
            let mut next = 0;
            group.bench_function(BenchmarkId::new(name, length), |bencher| {
                bencher.iter(|| {
                    next = (next + 1) % RUNS;
                    entropy(black_box(&runs[next]))
                });
            });
        }
    }
    group.finish();
}

/// Directions that take turns, as flows do: each gets a piece, then the next one, until all are full or finished.
fn store(criterion: &mut Criterion) {
    const DIRECTIONS: usize = 10_000;
    let mut group = criterion.benchmark_group("sample store");
    group.sample_size(20);
    for (name, limit, pieces) in [
        // The first packet fills the sample: nothing is stored.
        ("one of 1400", 500, &[1400][..]),
        // A request and no more: stored, and counted at the end.
        ("one of 60", 500, &[60]),
        // Grows through the slots until it is full.
        ("60, 120, 250, 1400", 500, &[60, 120, 250, 1400]),
        // Never full.
        ("five of 60", 500, &[60; 5]),
        // Longer than the largest slot: counts instead of octets.
        ("eight of 250, limit 1500", 1500, &[250; 8]),
    ] {
        let text = KINDS[1].1;
        let payloads: Vec<_> =
            pieces.iter().map(|length| run(*length, text, *length as u64)).collect();
        group.throughput(Throughput::Elements((DIRECTIONS * pieces.len()) as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || (SampleStore::new(limit), vec![Sample::default(); DIRECTIONS]),
                |(store, samples)| {
                    for payload in &payloads {
                        for sample in samples.iter_mut() {
                            if store.wants(sample) {
                                store.add(sample, black_box(payload));
                            }
                        }
                    }
                    samples.iter_mut().map(|sample| u64::from(store.finish(sample))).sum::<u64>()
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, whole_runs, store);
criterion_main!(benches);
