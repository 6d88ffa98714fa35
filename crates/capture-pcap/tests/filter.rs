//! Expressions match what libpcap itself matches.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use pcap::{Capture, Linktype};
use proptest::prelude::*;
use rockfish_capture::{Block, CaptureFiles, PacketSource};
use rockfish_capture_pcap::{BpfFilter, FilterError};
use rockfish_packet::LinkType;

const EXPRESSIONS: [&str; 40] = [
    "tcp",
    "udp",
    "tcp or udp",
    "port 80 or port 443",
    "port 53",
    "not port 22",
    "net 10.0.0.0/8",
    "not net 192.168.0.0/16",
    "host 10.0.0.1 or host 192.168.1.1",
    "src net 192.168.0.0/16 and dst port 80",
    "ip",
    "ip6",
    "arp",
    "not arp",
    "icmp or icmp6",
    "icmp[icmptype] = icmp-echo",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[13] = 2",
    "ip[6:2] & 0x1fff != 0",
    "ip[8] < 64 and (ip[2:2] - ((ip[0] & 0xf) << 2)) > 100",
    "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
    "len > 100",
    "len <= 60",
    "greater 500",
    "less 64",
    "len % 7 = 3",
    "len / (ip[8] - 64) > 2",
    "portrange 1-1023",
    "dst portrange 1024-65535 and udp",
    "ip proto 47",
    "proto \\sctp",
    "ip protochain 6",
    "ip6 protochain 17",
    "ip6 protochain 58",
    "ip6[6] = 0 or ip6[6] = 44",
    "ip broadcast or ip multicast",
    "ip6 multicast",
    "tcp src port 80 and not src host 127.0.0.1",
    "2 * len - 3 > 200 ^ 5",
    "(ip[0] | 0x40) & 0xf0 = 0x40 and ip[12:4] != 0",
];

/// Expressions that only suit a link layer with addresses or tags.
const ETHERNET: [&str; 10] = [
    "vlan",
    "vlan and tcp",
    "vlan 5 or vlan 100",
    "vlan and vlan",
    "mpls",
    "pppoes and ip",
    "not broadcast",
    "ether multicast",
    "ether[0] & 1 = 0",
    "ether proto 0x88cc or ether proto 0x806",
];

/// The captures beside the workspace's tests, or of a checkout next to it: every file with a link type that is decoded.
fn captures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let places = [root.join("tests/data/pcap"), root.join("../shared/data/pcap")];
    let Some(place) =
        places.into_iter().find(|place| place.join("seed").is_dir() && place.join("edge").is_dir())
    else {
        eprintln!("skipped: no captures under tests/data/pcap");
        return Vec::new();
    };
    let folders =
        ["seed", "edge"].iter().flat_map(|folder| std::fs::read_dir(place.join(folder)).unwrap());
    let mut files: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).collect();
    // libpcap does not decompress.
    files.retain(|path| path.extension().is_some_and(|extension| extension != "gz"));
    files.retain(|path| CaptureFiles::open(path.to_str().unwrap()).is_ok());
    // Its header limits packets to one octet, and its only packet has eight: libpcap drops seven, we keep them.
    files.retain(|path| !path.ends_with("zeek-trunc-hdr.pcap"));
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Packets that our reader and filter find.
fn ours(path: &Path, expression: &str) -> Result<u64, FilterError> {
    let mut files = CaptureFiles::open(path.to_str().unwrap()).unwrap();
    let mut filter = BpfFilter::compile(expression, &files.links())?;
    let mut block = Block::default();
    let mut found = 0;
    while files.next_block(&mut block).unwrap() {
        for packet in &block.packets {
            found += u64::from(filter.matches(packet.link, packet.wire, block.octets(packet))?);
        }
    }
    Ok(found)
}

/// Packets that libpcap finds when it reads the file.
fn theirs(path: &Path, expression: &str) -> Result<u64, pcap::Error> {
    let mut capture = Capture::from_file(path)?;
    capture.filter(expression, true)?;
    let mut found = 0;
    loop {
        match capture.next_packet() {
            Ok(_) => found += 1,
            Err(pcap::Error::NoMorePackets) => return Ok(found),
            Err(error) => return Err(error),
        }
    }
}

fn compare(path: &Path, expression: &str) {
    let name = path.file_name().unwrap().to_str().unwrap();
    match (ours(path, expression), theirs(path, expression)) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{name}: {expression}"),
        (Err(FilterError::Compile { message, .. }), Err(pcap::Error::PcapError(theirs))) => {
            assert_eq!(message, theirs, "{name}: {expression}");
        }
        (ours, theirs) => panic!("{name}: {expression}: {ours:?}, libpcap {theirs:?}"),
    }
}

#[test]
fn captures_give_the_packets_that_libpcap_finds() {
    for path in captures() {
        for expression in EXPRESSIONS.iter().chain(&ETHERNET) {
            compare(&path, expression);
        }
    }
}

/// Writes a pcap file: packets of captured octets and length on the wire.
fn write(link: u32, big_endian: bool, packets: &[(Vec<u8>, u32)]) -> tempfile::NamedTempFile {
    let number = |n: u32| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut out = number(0xa1b2_c3d4).to_vec();
    let version = if big_endian { 0x0002_0004 } else { 0x0004_0002 };
    [version, 0, 0, 65_535, link].iter().for_each(|n| out.extend(number(*n)));
    for (data, wire) in packets {
        [0, 0, data.len() as u32, *wire].iter().for_each(|n| out.extend(number(*n)));
        out.extend(data);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), out).unwrap();
    file
}

/// IPv4 with a UDP header.
fn datagram() -> Vec<u8> {
    let mut data = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    data.extend([0, 53, 0x30, 0x39, 0, 8, 0, 0]);
    data
}

#[test]
fn lengths_are_those_on_the_wire() {
    let packets: Vec<_> =
        (0..100).map(|n| (datagram()[..28 - n % 20].to_vec(), 28 + n as u32 * 16)).collect();
    let file = write(101, false, &packets);
    for expression in
        ["len > 100", "greater 1000", "less 64", "len = 28", "udp and len > 500", "len % 7 = 3"]
    {
        compare(file.path(), expression);
    }
    assert_eq!(ours(file.path(), "greater 28"), Ok(100));
    assert_eq!(ours(file.path(), "less 28"), Ok(1));
}

#[test]
fn loopback_in_either_order() {
    for (link, big_endian) in [(0, false), (0, true), (108, false), (108, true)] {
        let family =
            if big_endian || link == 108 { 2u32.to_be_bytes() } else { 2u32.to_le_bytes() };
        let file = write(link, big_endian, &[([&family[..], &datagram()].concat(), 32)]);
        for expression in ["udp", "port 53", "tcp", "ip", "ip6", "len = 32"] {
            compare(file.path(), expression);
        }
        assert_eq!(
            ours(file.path(), "udp port 53"),
            Ok(1),
            "link type {link}, big-endian {big_endian}"
        );
    }
}

#[test]
fn every_link_type_compiles() {
    let links: Vec<LinkType> = LinkType::TABLE.iter().map(|(_, _, link)| *link).collect();
    for expression in ["tcp or udp", "port 53 and len > 60", "net 10.0.0.0/8"] {
        let mut filter = BpfFilter::compile(expression, &links).unwrap();
        for link in &links {
            filter.matches(*link, 60, &[0; 60]).unwrap();
        }
    }
    let mut filter = BpfFilter::compile("udp port 53", &[]).unwrap();
    let cases: [(LinkType, &[u8]); 8] = [
        (LinkType::RawIp, &[]),
        (LinkType::RawIpv4, &[]),
        (LinkType::Ethernet, &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]),
        (LinkType::Ppp, &[0xff, 3, 0, 0x21]),
        (LinkType::PppHdlc, &[0xff, 3, 0, 0x21]),
        (LinkType::PppEther, &[0x11, 0, 0, 1, 0, 30, 0, 0x21]),
        (LinkType::LinuxSll, &[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0]),
        (LinkType::LinuxSll2, &[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]),
    ];
    for (link, header) in cases {
        let data = [header, &datagram()].concat();
        assert_eq!(filter.matches(link, data.len() as u32, &data), Ok(true), "{link:?}");
    }
}

#[test]
fn empty_matches_all() {
    for expression in ["", "  \n"] {
        let mut filter = BpfFilter::compile(expression, &[LinkType::Ethernet]).unwrap();
        assert_eq!(filter.matches(LinkType::RawIp, 0, &[]), Ok(true));
    }
}

#[test]
fn what_cannot_be_compiled() {
    use LinkType::{Ethernet, RawIp, RawIpv4};
    let cases: [(&str, &[LinkType], &str); 6] = [
        ("prot 80", &[Ethernet], "filter \"prot 80\" for link type ETHERNET: "),
        ("tcp and", &[RawIp], "filter \"tcp and\" for link type RAW: "),
        (
            "ether host 2:0:0:0:0:1",
            &[Ethernet, RawIp],
            "filter \"ether host 2:0:0:0:0:1\" for link type RAW: ",
        ),
        (
            "tcp and udp",
            &[Ethernet],
            "filter \"tcp and udp\" for link type ETHERNET: expression rejects all packets",
        ),
        ("ip6", &[RawIpv4], "filter \"ip6\" for link type IPV4: expression rejects all packets"),
        ("tcp\0", &[Ethernet], "filter \"tcp\0\" for link type ETHERNET: zero octet at byte 3"),
    ];
    for (expression, links, message) in cases {
        match BpfFilter::compile(expression, links) {
            Err(error) => assert!(error.to_string().starts_with(message), "{error}"),
            Ok(_) => panic!("{expression} compiled"),
        }
    }
    // What cannot match packets of one link type may match those of another.
    let mut filter = BpfFilter::compile("ip6", &[RawIpv4, RawIp]).unwrap();
    assert_eq!(filter.matches(RawIpv4, 28, &datagram()), Ok(false));
    assert_eq!(filter.matches(RawIp, 40, &[0x60; 40]), Ok(true));
    // One met later.
    let mut filter = BpfFilter::compile("ip6", &[Ethernet]).unwrap();
    assert_eq!(filter.matches(RawIpv4, 28, &datagram()), Ok(false));
    let mut filter = BpfFilter::compile("vlan", &[Ethernet]).unwrap();
    assert!(filter.matches(RawIp, 28, &datagram()).is_err());
}

#[test]
fn can_be_sent() {
    fn send<T: Send>() {}
    send::<BpfFilter>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// On packets that only begin as ones do, of any length: the same as the machine of libpcap.
    #[test]
    fn any_packet(
        link in 0..LinkType::TABLE.len(),
        begin in 0..4usize,
        mut data in proptest::collection::vec(prop_oneof![0..8u8, any::<u8>()], 0..120),
    ) {
        let link = LinkType::TABLE[link].2;
        let start = [0, 14, 4, 16][begin].min(data.len());
        for (place, octet) in data[start..].iter_mut().zip(datagram().iter().take(10)) {
            *place = *octet;
        }
        if begin == 1 && data.len() >= 14 {
            data[12..14].copy_from_slice(&[8, 0]);
        }
        // Which order a loopback header has, libpcap does not see from the packet.
        prop_assume!(link != LinkType::Null || !data.starts_with(&[0, 0]));
        let number = if link == LinkType::RawIp { 12 } else { i32::from(link.number()) };
        let handle = Capture::dead(Linktype(number)).unwrap();
        for expression in EXPRESSIONS {
            let Ok(theirs) = handle.compile(expression, true) else { continue };
            let mut filter = BpfFilter::compile(expression, &[link]).unwrap();
            let ours = filter.matches(link, data.len() as u32, &data).unwrap();
            prop_assert_eq!(ours, theirs.filter(&data), "{} on {:?}: {:x?}", expression, link, data);
        }
    }
}
