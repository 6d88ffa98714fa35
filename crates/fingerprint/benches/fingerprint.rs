//! What hellos, SYNs and DNS messages cost each, and what all of it costs for a packet of a real capture.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;

use common::flows;
use common::hellos::{CONNECTION_ID, Client, QuicKeys, crypto_frame, server_record};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rockfish_fingerprint::community_id::CommunityId;
use rockfish_fingerprint::dns::{Message, NameCache};
use rockfish_fingerprint::{Handshake, Syn, TcpFingerprint, TcpFormat};
use rockfish_flow::TcpFlags;

fn hellos(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hello");
    let client = Client::default().record();
    let server = server_record();
    group.bench_function("tls", |bencher| {
        bencher.iter(|| {
            let mut handshake = Handshake::new(6);
            handshake.segment(true, 1, black_box(&client));
            handshake.segment(false, 1, black_box(&server));
            handshake
        });
    });
    let long = Client { key_share: 3200, ..Client::default() }.record();
    group.bench_function("tls in three, out of order", |bencher| {
        bencher.iter(|| {
            let mut handshake = Handshake::new(6);
            handshake.open(true, 0);
            for piece in [1, 2, 0] {
                let from = piece * 1400;
                let octets = &long[from..long.len().min(from + 1400)];
                handshake.segment(true, 1 + from as u32, black_box(octets));
            }
            handshake
        });
    });
    let hello = Client::default().message();
    let frames = crypto_frame(&hello, 0, hello.len());
    let initial = QuicKeys::v1().initial(&CONNECTION_ID, 0, &frames, 1162);
    group.bench_function("quic", |bencher| {
        bencher.iter(|| {
            let mut handshake = Handshake::new(17);
            handshake.packet(true, black_box(&initial));
            handshake
        });
    });
    group.bench_function("nothing", |bencher| {
        bencher.iter(|| {
            let mut handshake = Handshake::new(6);
            handshake.open(true, 0);
            handshake.segment(true, 1, black_box(b"\x13BitTorrent protocol"));
            handshake
        });
    });
    group.finish();
}

fn small(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one");
    let options = [2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];
    let syn = Syn { flags: 2, ttl: 64, window: 64240, options: &options };
    for format in [TcpFormat::Draft04, TcpFormat::Ndpi5] {
        group.bench_function(format!("syn {format:?}"), |bencher| {
            bencher.iter(|| TcpFingerprint::of_syn(black_box(&syn), format));
        });
    }
    let [source, destination] = ["192.0.2.1", "198.51.100.2"].map(|text| text.parse().unwrap());
    group.bench_function("community id", |bencher| {
        bencher.iter(|| CommunityId::new(0, black_box(source), destination, 6, [1234, 80]));
    });
    let mut message =
        b"\x12\x34\x81\x80\0\x01\0\x03\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01".to_vec();
    message.extend(b"\xc0\x0c\0\x05\0\x01\0\0\x01\0\0\x06\x03cdn\xc0\x10");
    for host in 1..3 {
        message.extend(b"\xc0\x2d\0\x01\0\x01\0\0\0\x14\0\x04\xc0\0\x02");
        message.push(host);
    }
    group.bench_function("dns message", |bencher| {
        bencher.iter(|| {
            let message = Message::parse(black_box(&message)).unwrap();
            message.answers().map(|record| record.text().len()).sum::<usize>()
        });
    });
    let mut cache = NameCache::new(1000);
    group.bench_function("names learned", |bencher| {
        bencher.iter(|| cache.learn(&Message::parse(black_box(&message)).unwrap(), 0));
    });
    group.finish();
}

/// A packet as the meter has it.
struct Given {
    flow: usize,
    from_initiator: bool,
    syn: Option<(Vec<u8>, u8)>,
    sequence: u32,
    payload: Vec<u8>,
}

fn capture(criterion: &mut Criterion) {
    let name = "mercury-capture2.pcap";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/pcap/seed");
    let mut given = Vec::new();
    let mut flows_of: HashMap<_, (usize, bool)> = HashMap::new();
    let mut protocols = Vec::new();
    flows::packets(&folder.join(name), |packet, block, side| {
        let key = packet.key;
        let ends = (key.low(), key.high(), key.low_port(), key.high_port(), key.protocol());
        let (flow, low_first) = *flows_of.entry(ends).or_insert_with(|| {
            protocols.push(key.protocol());
            (protocols.len() - 1, packet.from_low)
        });
        let is_syn = key.protocol() == 6 && packet.tcp_flags.contains(TcpFlags::SYN);
        let header = is_syn.then(|| flows::tcp_header(packet, block, side)).flatten();
        given.push(Given {
            flow,
            from_initiator: packet.from_low == low_first,
            syn: header.map(|header| (header.to_vec(), packet.ttl)),
            sequence: packet.tcp_sequence.wrapping_add(u32::from(is_syn)),
            payload: packet.payload_at.slice(block, side, packet.captured as usize).to_vec(),
        });
    });
    let mut group = criterion.benchmark_group("capture");
    group.throughput(Throughput::Elements(given.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut handshakes: Vec<Handshake> =
                protocols.iter().map(|protocol| Handshake::new(*protocol)).collect();
            let mut fingerprints = 0;
            for packet in &given {
                let handshake = &mut handshakes[packet.flow];
                if let Some((header, ttl)) = &packet.syn {
                    handshake.open(packet.from_initiator, packet.sequence.wrapping_sub(1));
                    fingerprints += Syn::from_header(header, *ttl)
                        .and_then(|syn| TcpFingerprint::of_syn(&syn, TcpFormat::Draft04))
                        .map_or(0, |_| 1);
                }
                if protocols[packet.flow] == 6 {
                    handshake.segment(packet.from_initiator, packet.sequence, &packet.payload);
                } else {
                    handshake.packet(packet.from_initiator, &packet.payload);
                }
            }
            (handshakes, fingerprints)
        });
    });
    group.finish();
}

criterion_group!(benches, hellos, small, capture);
criterion_main!(benches);
