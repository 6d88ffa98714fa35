//! What the decoder makes of frames, layer by layer.

use proptest::prelude::*;
use rockfish_flow::Timestamp;
use rockfish_packet::{
    Anomaly, DecodeConfig, DecodeCounters, Decoder, Frame, HashSeed, Ignored, LinkType, Packet,
    PacketBatch, Tunnels,
};
use rockfish_testkit::PacketBuilder;

const MAC_A: [u8; 6] = [2, 0, 0, 0, 0, 1];
const MAC_B: [u8; 6] = [2, 0, 0, 0, 0, 2];
const A: &str = "10.0.0.1";
const B: &str = "192.0.2.9";
const A6: &str = "2001:db8::1";
const B6: &str = "2001:db8::2";

fn ethernet() -> PacketBuilder {
    PacketBuilder::ethernet(MAC_B, MAC_A)
}

fn decoder(tunnels: Tunnels) -> Decoder {
    Decoder::new(DecodeConfig { tunnels, ..DecodeConfig::default() }, HashSeed::new(3))
}

/// All that comes of frames given one after the other, 1 ms apart, with what is left at the end.
fn decode_with(
    mut decoder: Decoder,
    link: LinkType,
    frames: &[Vec<u8>],
) -> (Vec<Packet>, PacketBatch, DecodeCounters) {
    let mut batch = PacketBatch::default();
    for (index, data) in frames.iter().enumerate() {
        let time = Timestamp::from_micros(index as i64 * 1000);
        let frame = Frame { time, link, wire: data.len() as u32, data, offset: 0 };
        decoder.decode(&frame, &mut batch);
    }
    decoder.finish(&mut batch);
    let counters = decoder.counters().clone();
    assert_conserved(&batch, &counters);
    (batch.packets.clone(), batch, counters)
}

fn assert_conserved(batch: &PacketBatch, counters: &DecodeCounters) {
    let packets: u64 = batch.packets.iter().map(|packet| u64::from(packet.packets)).sum();
    assert_eq!(counters.frames, packets + counters.ignored_total());
}

fn decode(link: LinkType, frame: &[u8]) -> Result<Packet, Ignored> {
    let (packets, _, counters) = decode_with(decoder(Tunnels::Outer), link, &[frame.to_vec()]);
    match packets[..] {
        [packet] => Ok(packet),
        _ => Err(Ignored::ALL.into_iter().find(|r| counters.ignored(*r) == 1).expect("counted")),
    }
}

/// (version, protocol, lower port, upper port, payload octets, vlan) of a packet.
fn summary(packet: &Packet) -> (u8, u8, u16, u16, u32, u16) {
    let key = &packet.key;
    let (low, high) = (key.low_port().min(key.high_port()), key.low_port().max(key.high_port()));
    (key.ip_version(), key.protocol(), low, high, packet.payload, packet.vlan)
}

#[test]
fn link_layers_lead_to_the_same_packet() {
    let inside = |builder: PacketBuilder| builder.ip(A, B).udp(53, 1024).payload(b"hello").build();
    let ppp: Vec<u8> = [&[0xff, 0x03, 0x00, 0x21][..], &inside(PacketBuilder::raw())].concat();
    let short_ppp: Vec<u8> = [&[0x21][..], &inside(PacketBuilder::raw())].concat();
    let snap = {
        let frame = inside(ethernet());
        let length = (frame.len() - 14 + 8) as u16;
        [&frame[..12], &length.to_be_bytes(), &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &frame[14..]]
            .concat()
    };
    let pseudowire = {
        let frame = inside(ethernet());
        [&frame[..12], &[0x88, 0x47, 0, 0x01, 0x01, 0x40, 0, 0, 0, 0], &frame[..]].concat()
    };
    for (name, link, frame, vlan) in [
        ("ethernet", LinkType::Ethernet, inside(ethernet()), 0),
        ("802.1Q", LinkType::Ethernet, inside(ethernet().vlan(7)), 7),
        ("QinQ", LinkType::Ethernet, inside(ethernet().service_vlan(100).vlan(7)), 100),
        ("three tags", LinkType::Ethernet, inside(ethernet().vlan(1).vlan(2).vlan(3)), 1),
        ("MPLS", LinkType::Ethernet, inside(ethernet().mpls(16).mpls(17)), 0),
        ("VLAN and MPLS", LinkType::Ethernet, inside(ethernet().vlan(9).mpls(16)), 9),
        ("MPLS pseudowire", LinkType::Ethernet, pseudowire, 0),
        ("PPPoE", LinkType::Ethernet, inside(ethernet().pppoe(3)), 0),
        (
            "PPPoE over QinQ",
            LinkType::Ethernet,
            inside(ethernet().service_vlan(4).vlan(5).pppoe(3)),
            4,
        ),
        ("802.3 SNAP", LinkType::Ethernet, snap, 0),
        ("raw", LinkType::RawIp, inside(PacketBuilder::raw()), 0),
        ("raw IPv4", LinkType::RawIpv4, inside(PacketBuilder::raw()), 0),
        ("SLL", LinkType::LinuxSll, inside(PacketBuilder::linux_sll(MAC_A)), 0),
        ("SLL2", LinkType::LinuxSll2, inside(PacketBuilder::linux_sll2(MAC_A)), 0),
        ("null", LinkType::Null, inside(PacketBuilder::null(false)), 0),
        ("loop", LinkType::Loop, inside(PacketBuilder::null(true)), 0),
        ("PPP", LinkType::Ppp, ppp.clone(), 0),
        ("PPP HDLC", LinkType::PppHdlc, ppp, 0),
        ("PPP, compressed", LinkType::Ppp, short_ppp, 0),
    ] {
        let packet = decode(link, &frame).unwrap_or_else(|reason| panic!("{name}: {reason:?}"));
        assert_eq!(summary(&packet), (4, 17, 53, 1024, 5, vlan), "{name}");
        assert_eq!(packet.payload_at.slice(&frame, &[], 5), b"hello", "{name}");
        let macs = packet.macs(&frame, &[]);
        let ethernet = link == LinkType::Ethernet;
        assert_eq!(macs, ethernet.then_some((MAC_A, MAC_B)), "{name}");
    }
}

#[test]
fn transports_have_ports_where_they_have_them() {
    let v4 = |layer: fn(PacketBuilder) -> PacketBuilder| {
        layer(ethernet().ip(A, B)).payload(&[1; 10]).build()
    };
    let v6 = |layer: fn(PacketBuilder) -> PacketBuilder| {
        layer(ethernet().ip(A6, B6)).payload(&[1; 10]).build()
    };
    for (name, frame, expected) in [
        ("TCP", v4(|p| p.tcp(1, 2, "SA", 7, 8)), (4, 6, 1, 2, 10, 0)),
        ("UDP", v6(|p| p.udp(1, 2)), (6, 17, 1, 2, 10, 0)),
        ("UDP-Lite", v4(|p| p.udp_lite(1, 2)), (4, 136, 1, 2, 10, 0)),
        ("ICMP", v4(|p| p.icmp(8, 0, [0; 4])), (4, 1, 0, 0, 10, 0)),
        ("ICMPv6", v6(|p| p.icmp(128, 0, [0; 4])), (6, 58, 0, 0, 10, 0)),
        ("by number", v4(|p| p.payload_type(89)), (4, 89, 0, 0, 10, 0)),
        (
            "hop-by-hop and routing",
            v6(|p| p.extension(0, &[1, 4, 0, 0, 0, 0]).extension(43, &[0; 6]).udp(1, 2)),
            (6, 17, 1, 2, 10, 0),
        ),
        ("atomic fragment", v6(|p| p.fragment_header(9, 0, false).udp(1, 2)), (6, 17, 1, 2, 10, 0)),
    ] {
        let packet = decode(LinkType::Ethernet, &frame)
            .unwrap_or_else(|reason| panic!("{name}: {reason:?}"));
        assert_eq!(summary(&packet), expected, "{name}");
        assert_eq!(packet.octets as usize, frame.len() - 14, "{name}");
    }
    let sctp = ethernet().ip(A, B).sctp(1, 2).payload(&[1; 12]).build();
    let packet = decode(LinkType::Ethernet, &sctp).expect("SCTP");
    assert_eq!(
        (packet.key.protocol(), packet.key.low_port().min(packet.key.high_port())),
        (132, 1)
    );
    assert_eq!(packet.payload as usize, sctp.len() - 14 - 20 - 12);
}

#[test]
fn padding_is_no_payload_and_a_snapped_packet_counts_what_was_on_the_wire() {
    let mut padded = ethernet().ip(A, B).tcp(1, 2, "S", 0, 0).build();
    padded.resize(60, 0);
    let packet = decode(LinkType::Ethernet, &padded).expect("padded");
    assert_eq!((packet.octets, packet.payload), (40, 0));

    let whole = ethernet().ip(A, B).udp(1, 2).payload(&[9; 1000]).build();
    let mut decoder = decoder(Tunnels::Outer);
    let mut batch = PacketBatch::default();
    let data = &whole[..100];
    let frame = Frame {
        time: Timestamp::ZERO,
        link: LinkType::Ethernet,
        wire: whole.len() as u32,
        data,
        offset: 0,
    };
    decoder.decode(&frame, &mut batch);
    let packet = batch.packets[0];
    assert_eq!((packet.octets, packet.payload, packet.captured), (1028, 1000, 58));
    assert_eq!(decoder.counters().anomaly(Anomaly::LengthBeyondFrame), 0);
}

#[test]
fn what_cannot_be_decoded_is_counted_by_reason() {
    let good = ethernet().ip(A, B).udp(1, 2).payload(b"hello").build();
    let with = |offset: usize, value: u8| {
        let mut frame = good.clone();
        frame[offset] = value;
        frame
    };
    for (name, frame, reason) in [
        ("ARP", with(13, 6), Ignored::NotIp),
        ("no Ethernet header", good[..13].to_vec(), Ignored::LinkTruncated),
        ("half an IP header", good[..30].to_vec(), Ignored::IpTruncated),
        ("version 5", with(14, 0x55), Ignored::IpVersion),
        ("header length 4", with(14, 0x41), Ignored::IpHeaderLength),
        ("header length 0", with(14, 0x40), Ignored::IpHeaderLength),
        ("header longer than the packet", with(14, 0x4f), Ignored::IpHeaderLength),
        ("total length 19", with(17, 19), Ignored::IpTotalLength),
        ("empty", vec![], Ignored::LinkTruncated),
    ] {
        assert_eq!(decode(LinkType::Ethernet, &frame), Err(reason), "{name}");
    }
}

#[test]
fn odd_packets_are_metered_and_noted() {
    let tcp = ethernet().ip(A, B).tcp(1, 2, "S", 5, 0).payload(&[0; 20]).build();
    let with = |offset: usize, value: u8| {
        let mut frame = tcp.clone();
        frame[offset] = value;
        frame
    };
    let total_length = |length: u16| {
        let mut frame = tcp.clone();
        frame[16..18].copy_from_slice(&length.to_be_bytes());
        frame
    };
    for (name, frame, anomaly, octets, payload) in [
        ("TCP data offset 4", with(46, 0x40), Anomaly::TcpHeaderLength, 60, 0),
        ("TCP data offset 15 of 40 octets", with(46, 0xf0), Anomaly::TcpHeaderLength, 60, 0),
        ("length beyond the frame", total_length(61), Anomaly::LengthBeyondFrame, 61, 21),
        ("length 0 of offloading", total_length(0), Anomaly::LengthZero, 60, 20),
        ("length cuts the TCP header", total_length(30), Anomaly::TransportTruncated, 30, 0),
    ] {
        let (packets, _, counters) =
            decode_with(decoder(Tunnels::Outer), LinkType::Ethernet, &[frame]);
        assert_eq!(counters.anomaly(anomaly), 1, "{name}");
        assert_eq!((packets[0].octets, packets[0].payload), (octets, payload), "{name}");
        assert_eq!(packets[0].key.protocol(), 6, "{name}");
    }
    let cut_chain =
        ethernet().ip(A6, B6).extension(0, &[0; 6]).payload_type(60).payload(&[1]).build();
    let (packets, _, counters) =
        decode_with(decoder(Tunnels::Outer), LinkType::Ethernet, &[cut_chain]);
    assert_eq!(counters.anomaly(Anomaly::ExtensionTruncated), 1);
    assert_eq!(packets[0].key.protocol(), 60);
}

#[test]
fn tunnels_are_opened_only_when_asked() {
    let cases = [
        ("GRE", ethernet().ip("1.1.1.1", "2.2.2.2").gre(Some(5), Some(1)), 47),
        ("IP-in-IP", ethernet().ip("1.1.1.1", "2.2.2.2"), 4),
        ("4in6", ethernet().ip(A6, B6), 4),
        (
            "VXLAN",
            ethernet()
                .ip("1.1.1.1", "2.2.2.2")
                .udp(5555, 4789)
                .vxlan(7)
                .inner_ethernet(MAC_A, MAC_B),
            17,
        ),
        (
            "Geneve",
            ethernet()
                .ip("1.1.1.1", "2.2.2.2")
                .udp(5555, 6081)
                .geneve(7, &[0; 8])
                .inner_ethernet(MAC_A, MAC_B),
            17,
        ),
        (
            "GRE with Ethernet",
            ethernet().ip("1.1.1.1", "2.2.2.2").gre(None, None).inner_ethernet(MAC_A, MAC_B),
            47,
        ),
    ];
    for (name, outer, protocol) in cases {
        let frame = outer.ip(A, B).udp(53, 1024).payload(b"hello").build();
        let packet = decode(LinkType::Ethernet, &frame).expect(name);
        assert_eq!(packet.key.protocol(), protocol, "{name}");
        let (packets, _, counters) =
            decode_with(decoder(Tunnels::Inner), LinkType::Ethernet, &[frame]);
        assert_eq!(summary(&packets[0]), (4, 17, 53, 1024, 5, 0), "{name}");
        assert_eq!(packets[0].octets, 33, "{name}: octets of the inner packet");
        assert_eq!(counters.anomaly(Anomaly::TunnelUndecoded), 0, "{name}");
    }
    let six =
        ethernet().ip("1.1.1.1", "2.2.2.2").ip(A6, B6).udp(53, 1024).payload(b"hello").build();
    let (packets, ..) = decode_with(decoder(Tunnels::Inner), LinkType::Ethernet, &[six]);
    assert_eq!(summary(&packets[0]), (6, 17, 53, 1024, 5, 0), "6in4");

    let not_ip = ethernet().ip(A, B).gre(None, None).payload_type(0x0806).payload(&[0; 28]).build();
    let (packets, _, counters) =
        decode_with(decoder(Tunnels::Inner), LinkType::Ethernet, &[not_ip]);
    assert_eq!((packets[0].key.protocol(), counters.anomaly(Anomaly::TunnelUndecoded)), (47, 1));
}

#[test]
fn erspan_of_each_type_is_opened() {
    let inner =
        PacketBuilder::ethernet(MAC_A, MAC_B).ip(A, B).udp(53, 1024).payload(b"hello").build();
    let type_1 = [&[0, 0, 0x88, 0xbe][..], &inner].concat();
    let type_2 =
        [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0][..], &inner].concat();
    let type_3 = [&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1][..], &[0x20; 11], &[0], &inner].concat();
    let type_3_more =
        [&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1][..], &[0x20; 11], &[1], &[0; 8], &inner].concat();
    for (name, gre) in
        [("I", type_1), ("II", type_2), ("III", type_3), ("III with subheader", type_3_more)]
    {
        let frame = ethernet().ip("1.1.1.1", "2.2.2.2").payload_type(47).payload(&gre).build();
        let (packets, ..) = decode_with(decoder(Tunnels::Inner), LinkType::Ethernet, &[frame]);
        assert_eq!(summary(&packets[0]), (4, 17, 53, 1024, 5, 0), "type {name}");
    }
}

#[test]
fn overlapping_and_endless_fragments_are_not_put_together() {
    let fragments = ethernet().ip(A, B).udp(4000, 53).payload(&[7; 600]).fragments(200);
    let shifted = {
        // The second fragment once more, eight octets earlier and with other contents.
        let mut frame = fragments[1].clone();
        let field = u16::from_be_bytes([frame[20], frame[21]]) - 1;
        frame[20..22].copy_from_slice(&field.to_be_bytes());
        frame[34] ^= 0xff;
        frame
    };
    let frames = [
        fragments[0].clone(),
        fragments[1].clone(),
        shifted,
        fragments[2].clone(),
        fragments[3].clone(),
    ];
    let (packets, _, counters) = decode_with(decoder(Tunnels::Outer), LinkType::Ethernet, &frames);
    assert_eq!((counters.reassembled, counters.anomaly(Anomaly::FragmentOverlap)), (0, 1));
    assert_eq!(packets.iter().map(|p| p.packets).sum::<u32>(), 5);

    let repeated: Vec<_> = fragments.iter().flat_map(|f| [f.clone(), f.clone()]).take(7).collect();
    let (packets, _, counters) =
        decode_with(decoder(Tunnels::Outer), LinkType::Ethernet, &repeated);
    assert_eq!((counters.reassembled, packets[0].packets, packets[0].payload), (1, 7, 600));

    let beyond = {
        let mut frame = fragments[1].clone();
        frame[20..22].copy_from_slice(&0x3fffu16.to_be_bytes());
        frame
    };
    let (packets, _, counters) =
        decode_with(decoder(Tunnels::Outer), LinkType::Ethernet, &[beyond]);
    assert_eq!((counters.anomaly(Anomaly::FragmentBeyondEnd), packets.len()), (1, 1));
}

#[test]
fn a_flood_of_fragments_stays_within_its_limits() {
    let mut config = DecodeConfig::default();
    config.fragments.max_tables = 16;
    let first = |id: u16| {
        let whole = ethernet().ip(A, B).identification(id).udp(4000, 53).payload(&[7; 600]);
        whole.fragments(200)[0].clone()
    };
    let frames: Vec<_> = (0..1000).map(first).collect();
    let (packets, _, counters) =
        decode_with(Decoder::new(config, HashSeed::new(1)), LinkType::Ethernet, &frames);
    assert_eq!(packets.len(), 1000);
    assert_eq!(counters.anomaly(Anomaly::FragmentEvicted), 984);
}

#[test]
fn waiting_fragments_are_given_up_in_time() {
    let mut decoder = decoder(Tunnels::Outer);
    let mut batch = PacketBatch::default();
    let fragments = ethernet().ip(A6, B6).udp(4000, 53).payload(&[7; 3000]).fragments(1000);
    let data = &fragments[0];
    let frame = Frame {
        time: Timestamp::ZERO,
        link: LinkType::Ethernet,
        wire: data.len() as u32,
        data,
        offset: 0,
    };
    decoder.decode(&frame, &mut batch);
    decoder.advance(Timestamp::from_secs(30), &mut batch);
    assert!(batch.packets.is_empty());
    decoder.advance(Timestamp::from_micros(30_000_001), &mut batch);
    assert_eq!(batch.packets.len(), 1);
    assert_eq!(decoder.counters().anomaly(Anomaly::FragmentTimeout), 1);
}

fn any_link() -> impl Strategy<Value = LinkType> {
    proptest::sample::select(LinkType::TABLE.map(|(_, _, link)| link).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn anything_is_decoded_or_counted(
        link in any_link(),
        inner in any::<bool>(),
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..20),
    ) {
        decode_with(decoder(if inner { Tunnels::Inner } else { Tunnels::Outer }), link, &frames);
    }

    /// Real headers with a few octets changed get further in than noise does.
    #[test]
    fn damaged_packets_are_decoded_or_counted(
        inner in any::<bool>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        which in 0usize..6,
    ) {
        let whole = match which {
            0 => vec![ethernet().vlan(3).ip(A, B).tcp(1, 2, "SA", 3, 4).payload(&[5; 40]).build()],
            1 => ethernet().ip(A, B).udp(4000, 53).payload(&[7; 600]).fragments(200),
            2 => ethernet().ip(A6, B6).udp(4000, 53).payload(&[7; 600]).fragments(200),
            3 => vec![ethernet().ip(A6, B6).extension(0, &[0; 6]).extension(60, &[0; 14]).udp(1, 2).build()],
            4 => vec![ethernet().ip(A, B).udp(1, 4789).vxlan(1).inner_ethernet(MAC_A, MAC_B).ip(A6, B6).udp(1, 2).build()],
            _ => vec![ethernet().mpls(3).ip(A, B).gre(Some(1), Some(2)).ip(A, B).icmp(8, 0, [0; 4]).build()],
        };
        let mut frames = whole;
        for (index, value) in damage {
            let frame = index.index(frames.len());
            let octet = index.index(frames[frame].len());
            frames[frame][octet] = value;
        }
        let last = frames.len() - 1;
        let length = cut.index(frames[last].len() + 1);
        frames[last].truncate(length);
        decode_with(decoder(if inner { Tunnels::Inner } else { Tunnels::Outer }), LinkType::Ethernet, &frames);
    }
}
