//! The packet builder and the capture writers, held against what other programs read of their output.

use rockfish_testkit::{
    Captured, Interface, PacketBuilder, PcapFormat, crc32c, internet_checksum, pcap, pcapng,
};

const A: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0a];
const B: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0b];

fn ethernet() -> PacketBuilder {
    PacketBuilder::ethernet(B, A)
}

fn v4() -> PacketBuilder {
    ethernet().ip("10.0.0.1", "10.0.0.2")
}

fn v6() -> PacketBuilder {
    ethernet().ip("2001:db8::1", "2001:db8::2")
}

/// One of each kind, by name.
fn kinds() -> Vec<(&'static str, PacketBuilder)> {
    let inner = |outer: PacketBuilder| {
        outer.ip("192.168.0.1", "192.168.0.2").tcp(40000, 80, "PA", 7, 9).payload(b"GET /")
    };
    vec![
        ("udp", v4().udp(4000, 5000).payload(b"odd")),
        ("udp empty", v4().udp(4000, 5000)),
        ("udp v6", v6().udp(4100, 5100).payload(b"even")),
        ("udp-lite", v4().udp_lite(1, 2).payload(b"lite")),
        ("tcp", v4().tcp(1024, 443, "S", 1, 0).tcp_options(&[2, 4, 5, 0xb4, 1])),
        ("tcp v6", v6().tcp(1024, 443, "FSRPAUEC", u32::MAX, 1).payload(&[0xff; 301])),
        ("icmp", v4().icmp(8, 0, [0, 1, 0, 2]).payload(&[7; 33])),
        ("icmp v6", v6().icmp(128, 0, [0, 1, 0, 2]).payload(&[7; 33])),
        (
            "sctp",
            v4().sctp(3000, 4000)
                .payload(&[0, 3, 0, 20, 1, 2, 3, 4, 0, 0, 0, 10, 0, 1, 0, 2, 0, 0, 0, 0]),
        ),
        ("options", v4().ttl(3).identification(0x1234).ipv4_options(&[0x94, 4, 0, 0]).udp(1, 2)),
        ("vlan", ethernet().vlan(100).ip("10.0.0.1", "10.0.0.2").udp(1, 2)),
        ("qinq", ethernet().service_vlan(100).vlan(200).ip("10.0.0.1", "10.0.0.2").udp(1, 2)),
        ("mpls", ethernet().mpls(16).mpls(17).ip("10.0.0.1", "10.0.0.2").udp(1, 2)),
        ("pppoe", ethernet().pppoe(9).ip("2001:db8::1", "2001:db8::2").udp(1, 2)),
        (
            "extensions",
            v6().extension(0, &[1, 4, 0, 0, 0, 0])
                .extension(60, &[1, 2, 0, 0])
                .extension(43, &[253, 0])
                .udp(1, 2),
        ),
        ("authentication", v6().extension(51, &[0; 22]).udp(1, 2)),
        ("gre", inner(v4().gre(None, None))),
        ("gre with key", inner(v4().gre(Some(5), Some(6)))),
        ("gre ethernet", inner(v4().gre(None, None).inner_ethernet(A, B))),
        ("ip in ip", inner(v4())),
        ("6in4", v4().ip("2001:db8::1", "2001:db8::2").udp(1, 2)),
        ("vxlan", inner(v4().udp(50000, 4789).vxlan(42).inner_ethernet(A, B))),
        (
            "geneve",
            inner(v6().udp(50000, 6081).geneve(42, &[0, 1, 2, 1, 1, 2, 3, 4]).inner_ethernet(A, B)),
        ),
        ("other protocol", v4().payload_type(253).payload(b"experiment")),
        ("no ip", ethernet().payload_type(0x88b5).payload(&[0; 46])),
    ]
}

#[test]
fn frames_are_as_checked_with_tshark() {
    // tshark reads every frame of this file without a complaint and finds every checksum good; see the hash change only
    // after a look at the new file with `tshark -V -o ip.check_checksum:true -o tcp.check_checksum:true …`.
    let mut packets = Vec::new();
    for (_, builder) in kinds() {
        packets.push(Captured::at_micros(1_000_000, builder.build()));
    }
    for datagram in [v4().udp(1, 2).payload(&[5; 100]), v6().udp(1, 2).payload(&[6; 100])] {
        packets.extend(
            datagram.fragments(48).into_iter().map(|frame| Captured::at_micros(2_000_000, frame)),
        );
    }
    let file = pcap(PcapFormat::default(), &packets);
    if let Some(path) = std::env::var_os("ROCKFISH_TESTKIT_PCAP") {
        std::fs::write(path, &file).unwrap();
    }
    assert_eq!(crc32c(&file), 2_895_732_176, "{} packets", packets.len());
}

#[test]
fn checksums_verify() {
    for (name, builder) in kinds() {
        let frame = builder.build();
        if frame[12..15] == [0x08, 0x00, 0x45] {
            assert_eq!(internet_checksum(&[&frame[14..34]]), 0, "{name}: header");
            let total = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
            assert_eq!(14 + total, frame.len(), "{name}: length");
            let protocol = frame[23];
            if matches!(protocol, 6 | 17 | 136) {
                let pseudo =
                    [&frame[26..34], &[0, protocol], &(total as u16 - 20).to_be_bytes()].concat();
                assert_eq!(internet_checksum(&[&pseudo, &frame[34..]]), 0, "{name}: transport");
            }
        }
    }
}

#[test]
fn fragments_put_together_are_the_whole() {
    let body: Vec<u8> = (0..=255).cycle().take(1000).map(|n: u16| n as u8).collect();
    for size in [8, 9, 200, 992, 1500] {
        for (builder, headers) in [
            (v4().udp(1, 2), 34),
            (v6().udp(1, 2), 62),
            (v6().extension(0, &[1, 4, 0, 0, 0, 0]).udp(1, 2), 70),
        ] {
            let builder = builder.payload(&body);
            let mut together = Vec::<u8>::new();
            for frame in builder.fragments(size) {
                together.extend(&frame[headers..]);
            }
            let whole = builder.build();
            assert_eq!(together, whole[whole.len() - 1008..], "{size} {headers}");
        }
    }
}

#[test]
fn capture_files_have_their_layout() {
    let packet =
        Captured { time_ns: 1_500_000_000_123_456_789, data: vec![1, 2, 3], cut: 7, interface: 0 };
    let file = pcap(
        PcapFormat { big_endian: true, nanoseconds: true, link: 101, snaplen: 3 },
        std::slice::from_ref(&packet),
    );
    assert_eq!(
        file,
        [
            &[0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 101]
                [..],
            &1_500_000_000_u32.to_be_bytes(),
            &123_456_789_u32.to_be_bytes(),
            &[0, 0, 0, 3, 0, 0, 0, 10, 1, 2, 3],
        ]
        .concat()
    );
    let interface =
        Interface { link: 1, resolution: Some(9), offset: Some(1_000_000_000), snaplen: 0 };
    let file = pcapng(false, &[interface], &[packet]);
    assert_eq!(file.len(), 28 + 20 + 8 + 12 + 4 + 32 + 4);
    let ticks: u64 = 500_000_000_123_456_789;
    let block = &file[72..];
    assert_eq!(block[..8], [6, 0, 0, 0, 36, 0, 0, 0]);
    assert_eq!(block[12..16], ((ticks >> 32) as u32).to_le_bytes());
    assert_eq!(block[16..20], (ticks as u32).to_le_bytes());
    assert_eq!(block[20..], [3, 0, 0, 0, 10, 0, 0, 0, 1, 2, 3, 0, 36, 0, 0, 0]);
}
