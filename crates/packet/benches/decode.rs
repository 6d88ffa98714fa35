//! Frames to packets: a shipped capture, and frames of one kind.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rockfish_flow::Timestamp;
use rockfish_packet::{DecodeConfig, Decoder, Frame, HashSeed, LinkType, PacketBatch, Tunnels};
use rockfish_testkit::PacketBuilder;

const FRAMES: usize = 1000;

fn decode(criterion: &mut Criterion) {
    let ethernet = || PacketBuilder::ethernet([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let payload = [7; 400];
    let kinds = [
        (
            "IPv4 TCP",
            vec![
                ethernet()
                    .ip("10.0.0.1", "192.0.2.1")
                    .tcp(4000, 443, "A", 1, 2)
                    .payload(&payload)
                    .build(),
            ],
        ),
        (
            "IPv6 UDP",
            vec![
                ethernet().ip("2001:db8::1", "2001:db8::2").udp(4000, 53).payload(&payload).build(),
            ],
        ),
        (
            "QinQ IPv4 UDP",
            vec![
                ethernet()
                    .service_vlan(5)
                    .vlan(6)
                    .ip("10.0.0.1", "192.0.2.1")
                    .udp(4000, 53)
                    .payload(&payload)
                    .build(),
            ],
        ),
        (
            "IPv6 with extension headers",
            vec![
                ethernet()
                    .ip("2001:db8::1", "2001:db8::2")
                    .extension(0, &[0; 6])
                    .extension(60, &[0; 6])
                    .udp(1, 2)
                    .build(),
            ],
        ),
        (
            "VXLAN, inner",
            vec![
                ethernet()
                    .ip("10.0.0.1", "192.0.2.1")
                    .udp(4000, 4789)
                    .vxlan(1)
                    .inner_ethernet([2; 6], [4; 6])
                    .ip("10.1.0.1", "10.1.0.2")
                    .tcp(1, 2, "A", 1, 2)
                    .payload(&payload)
                    .build(),
            ],
        ),
        (
            "three fragments",
            ethernet()
                .ip("10.0.0.1", "192.0.2.1")
                .udp(4000, 53)
                .payload(&[7; 3000])
                .fragments(1400),
        ),
    ];
    let mut group = criterion.benchmark_group("decode");
    for (name, frames) in kinds {
        let tunnels = if name.ends_with("inner") { Tunnels::Inner } else { Tunnels::Outer };
        let config = DecodeConfig { tunnels, ..DecodeConfig::default() };
        let mut decoder = Decoder::new(config, HashSeed::new(1));
        let mut batch = PacketBatch::default();
        group.throughput(Throughput::Elements(FRAMES as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                batch.clear();
                for data in frames.iter().cycle().take(FRAMES) {
                    let frame = Frame {
                        time: Timestamp::ZERO,
                        link: LinkType::Ethernet,
                        wire: data.len() as u32,
                        data,
                        offset: 0,
                    };
                    decoder.decode(&frame, &mut batch);
                }
                batch.packets.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
