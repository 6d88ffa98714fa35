//! What decoding a frame costs: of a real capture and of each kind of frame by itself. Elements are frames.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rockfish_capture::{Block, CaptureFiles, Options, PacketRef, PacketSource};
use rockfish_flow::Timestamp;
use rockfish_packet::{DecodeConfig, Decoder, Frame, HashSeed, LinkType, PacketBatch, Tunnels};
use rockfish_testkit::PacketBuilder;

/// Frames of a synthetic block; with their headers they fit the second-level cache, as the reader's blocks do.
const FRAMES: usize = 2_000;

/// Decodes a block again and again.
fn decode(criterion: &mut Criterion, name: &str, config: &DecodeConfig, block: &Block) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(block.packets.len() as u64));
    let mut decoder = Decoder::new(config.clone(), HashSeed::new(7));
    let mut batch = PacketBatch::default();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            batch.clear();
            for packet in &block.packets {
                let frame = Frame {
                    time: packet.time,
                    link: packet.link,
                    wire: packet.wire,
                    data: block.octets(packet),
                    offset: packet.offset,
                };
                decoder.decode(black_box(&frame), &mut batch);
            }
            batch.packets.len()
        });
    });
    group.finish();
}

/// All packets of a shipped capture in one block.
fn shipped(name: &str) -> Block {
    let path = rockfish_testkit::captures().join(name);
    let options = Options { block_size: 16 << 20, ..Options::default() };
    let mut files = CaptureFiles::with_options(path.to_str().unwrap(), options).unwrap();
    let (mut all, mut block) = (Block::default(), Block::default());
    // The first block only has what was read to find the first packet.
    while files.next_block(&mut block).unwrap() {
        for packet in &block.packets {
            let octets = block.octets(packet);
            let offset = all.data.len() as u32;
            all.data.extend_from_slice(octets);
            all.packets.push(PacketRef { offset, ..*packet });
        }
    }
    all
}

/// A block of frames of one kind, each between other hosts.
fn synthetic(frames: impl Fn(PacketBuilder, usize) -> Vec<Vec<u8>>) -> Block {
    let mut block = Block::default();
    for index in 0.. {
        for data in frames(PacketBuilder::ethernet([2; 6], [4; 6]), index) {
            if block.packets.len() == FRAMES {
                return block;
            }
            block.packets.push(PacketRef {
                time: Timestamp::from_micros(1_700_000_000_000_000 + index as i64),
                offset: block.data.len() as u32,
                captured: data.len() as u32,
                wire: data.len() as u32,
                link: LinkType::Ethernet,
            });
            block.data.extend_from_slice(&data);
        }
    }
    block
}

fn v4(builder: PacketBuilder, index: usize) -> PacketBuilder {
    builder.ip(&format!("10.0.{}.{}", index / 250 % 250, index % 250), "192.0.2.1")
}

fn v6(builder: PacketBuilder, index: usize) -> PacketBuilder {
    builder.ip(&format!("2001:db8::{index:x}"), "2001:db8:1::1")
}

fn real_captures(criterion: &mut Criterion) {
    for name in ["seed/mercury-capture2.pcap", "seed/zeek-leak_test.pcap", "seed/mercury-emix.pcap"]
    {
        decode(criterion, name, &DecodeConfig::default(), &shipped(name));
    }
    let inner = DecodeConfig { tunnels: Tunnels::Inner, ..DecodeConfig::default() };
    let name = "seed/mercury-geneve.pcap";
    decode(criterion, &format!("{name}, inner"), &inner, &shipped(name));
}

fn kinds(criterion: &mut Criterion) {
    let plain = DecodeConfig::default();
    let inner = DecodeConfig { tunnels: Tunnels::Inner, ..DecodeConfig::default() };
    let payload = [7; 100];
    let tcp = |builder: PacketBuilder| builder.tcp(4000, 443, "PA", 1, 2).payload(&payload);
    let udp = |builder: PacketBuilder| builder.udp(4000, 53).payload(&payload);
    type Frames<'a> = &'a dyn Fn(PacketBuilder, usize) -> Vec<Vec<u8>>;
    let cases: [(&str, &DecodeConfig, Frames<'_>); 10] = [
        ("IPv4 TCP", &plain, &|builder, i| vec![tcp(v4(builder, i)).build()]),
        ("IPv4 UDP", &plain, &|builder, i| vec![udp(v4(builder, i)).build()]),
        ("IPv6 TCP", &plain, &|builder, i| vec![tcp(v6(builder, i)).build()]),
        ("IPv6 UDP behind two extension headers", &plain, &|builder, i| {
            vec![
                udp(v6(builder, i).extension(0, &[1, 4, 0, 0, 0, 0]).extension(60, &[0; 6]))
                    .build(),
            ]
        }),
        ("QinQ, IPv4 TCP", &plain, &|builder, i| {
            vec![tcp(v4(builder.service_vlan(7).vlan(9), i)).build()]
        }),
        ("MPLS, IPv4 UDP", &plain, &|builder, i| {
            vec![udp(v4(builder.mpls(16).mpls(17), i)).build()]
        }),
        ("PPPoE, IPv4 TCP", &plain, &|builder, i| vec![tcp(v4(builder.pppoe(1), i)).build()]),
        ("VXLAN, inner IPv4 TCP", &inner, &|builder, i| {
            let tunnel = v4(builder, i).udp(4000, 4789).vxlan(5).inner_ethernet([6; 6], [8; 6]);
            vec![tcp(v4(tunnel, i)).build()]
        }),
        ("datagrams in three fragments", &plain, &|builder, i| {
            let datagram = v4(builder, i).identification(i as u16).udp(4000, 53);
            datagram.payload(&[7; 1000]).fragments(400)
        }),
        ("not IP", &plain, &|builder, _| {
            vec![builder.payload_type(0x0806).payload(&[0; 46]).build()]
        }),
    ];
    for (name, config, frames) in cases {
        decode(criterion, name, config, &synthetic(frames));
    }
}

criterion_group!(benches, real_captures, kinds);
criterion_main!(benches);
