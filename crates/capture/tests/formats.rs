//! Every kind of capture is read as it was written, and whatever is wrong with one is said and costs nothing before it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::*;
use proptest::prelude::*;
use rockfish_capture::{CaptureError, CutReason, MAX_RECORD, Options, Skipped, Warning};
use rockfish_packet::LinkType;
use std::error::Error;
use std::io::Cursor;

fn samples() -> Vec<Sample> {
    vec![
        Sample { seconds: 1_600_000_000, nanos: 123_456_789, data: (0..60).collect(), cut: 0 },
        Sample { seconds: 1_600_000_001, nanos: 0, data: vec![], cut: 9 },
        Sample { seconds: 0, nanos: 999_999_999, data: vec![0xff; 150], cut: 1 },
        Sample { seconds: u32::MAX, nanos: 1000, data: vec![1, 2, 3], cut: 0 },
    ]
}

type Write = fn(&[Sample]) -> Vec<u8>;

/// The kinds of file, by name.
fn kinds() -> Vec<(&'static str, Write)> {
    fn enhanced(packets: &[Sample], big: bool) -> Vec<u8> {
        let mut file = PcapNg::new(big);
        file.interface(1, 0, &[(2, b"eth0"), (9, &[9])]);
        for packet in packets {
            let units = u64::from(packet.seconds) * 1_000_000_000 + u64::from(packet.nanos);
            // Statistics, a custom block: passed over.
            file.block(5, &[0; 12]).block(0x0bad, b"custom");
            file.enhanced(0, units, &packet.data, packet.wire());
        }
        file.out
    }
    fn obsolete(packets: &[Sample], big: bool) -> Vec<u8> {
        let mut file = PcapNg::new(!big);
        file.interface(113, 0, &[]).section(big).interface(113, 0, &[]).interface(1, 0, &[]);
        for packet in packets {
            file.obsolete(1, packet.micros() as u64, &packet.data, packet.wire());
        }
        file.out
    }
    vec![
        ("pcap", |p| Pcap::new(false, MICROS).file(p)),
        ("pcap, big-endian", |p| Pcap::new(true, MICROS).file(p)),
        ("pcap, nanoseconds", |p| Pcap::new(false, NANOS).file(p)),
        ("pcap, nanoseconds, big-endian", |p| Pcap::new(true, NANOS).file(p)),
        ("pcap, patched", |p| Pcap::new(false, PATCHED).file(p)),
        ("pcap, patched, big-endian", |p| Pcap::new(true, PATCHED).file(p)),
        ("pcap 2.2", |p| Pcap { version: (2, 2), ..Pcap::new(false, MICROS) }.file(p)),
        ("pcap 2.3", |p| Pcap { version: (2, 3), ..Pcap::new(false, MICROS) }.file(p)),
        ("pcap with check sequences", |p| {
            Pcap { link: 0x2400_0001, ..Pcap::new(false, MICROS) }.file(p)
        }),
        ("pcapng", |p| enhanced(p, false)),
        ("pcapng, big-endian", |p| enhanced(p, true)),
        ("pcapng, obsolete blocks", |p| obsolete(p, false)),
        ("pcapng, obsolete blocks, big-endian", |p| obsolete(p, true)),
        ("gzip", |p| gzip(&Pcap::new(false, MICROS).file(p))),
        // A frame for each packet: of a frame that is cut, nothing may come out.
        ("zstd", |p| {
            let kind = Pcap::new(false, MICROS);
            p.iter().fold(zstd(&kind.header()), |file, packet| {
                [file, zstd(&kind.record(packet))].concat()
            })
        }),
        ("gzip of pcapng", |p| gzip(&enhanced(p, true))),
    ]
}

#[test]
fn written_is_read() {
    for (name, write) in kinds() {
        let data = write(&samples());
        let got = read(&data).unwrap();
        assert_eq!(got.packets, expected(&samples()), "{name}");
        assert_eq!(got.warnings(), Vec::<String>::new(), "{name}");
        assert_eq!(got.progress.octets, data.len() as u64, "{name}");
    }
}

#[test]
fn no_packets_is_a_capture() {
    for (name, write) in kinds() {
        let got = read(&write(&[])).unwrap();
        assert!(got.packets.is_empty() && got.warnings.is_empty(), "{name}: {got:?}");
    }
    assert!(read(&PcapNg::new(false).out).unwrap().packets.is_empty());
}

#[test]
fn several_members_and_frames_are_one_stream() {
    let plain = Pcap::new(false, MICROS).file(&samples());
    let (a, b) = plain.split_at(100);
    let skippable = [0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3].to_vec();
    let cases = [
        ("gzip", [gzip(a), gzip(b)].concat()),
        ("gzip with an empty member", [gzip(&[]), gzip(a), gzip(&[]), gzip(b)].concat()),
        ("zstd", [zstd(a), zstd(b)].concat()),
        ("zstd with skippable frames", [skippable.clone(), zstd(a), skippable, zstd(b)].concat()),
    ];
    for (name, data) in cases {
        let got = read(&data).unwrap();
        assert_eq!(got.packets, expected(&samples()), "{name}");
        assert_eq!(got.warnings(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn sections_and_interfaces() {
    let mut file = PcapNg::new(false);
    let offset = file.order.u64(3600);
    file.interface(1, 0, &[(9, &[3])])
        .interface(101, 0, &[(9, &[0x80 | 10]), (14, &offset)])
        .interface(113, 4, &[])
        .enhanced(0, 5_000, b"a", 1)
        .enhanced(1, 1536, b"b", 1)
        .enhanced(2, 7, b"c", 1)
        .section(true);
    let offset = file.order.u64((-10i64) as u64);
    // Options that end too early and a resolution without a value are passed over.
    file.interface(276, 4, &[(14, &offset), (9, &[])])
        .enhanced(0, 20_000_000, b"d", 1)
        // A simple packet has the time of the one before it, and its length from the interface's limit.
        .simple(b"efgh", 1000)
        .simple(b"ij", 2);
    let got = read(&file.out).unwrap();
    let all = [
        (5_000_000, b"a".to_vec(), 1, LinkType::Ethernet),
        (3_601_500_000, b"b".to_vec(), 1, LinkType::RawIp),
        (7, b"c".to_vec(), 1, LinkType::LinuxSll),
        (10_000_000, b"d".to_vec(), 1, LinkType::LinuxSll2),
        (10_000_000, b"efgh".to_vec(), 1000, LinkType::LinuxSll2),
        (10_000_000, b"ij".to_vec(), 2, LinkType::LinuxSll2),
    ];
    assert_eq!(got.packets, all);
    assert_eq!(got.warnings(), Vec::<String>::new());
}

#[test]
fn absurd_times_saturate() {
    for (resolution, offset, units, micros) in [
        (0u8, 0i64, u64::MAX, i64::MAX),
        (6, i64::MAX, 1, i64::MAX),
        (6, i64::MIN, 1, i64::MIN + 1),
        (127, 0, u64::MAX, 0),
        (255, 0, u64::MAX, 0),
    ] {
        let mut file = PcapNg::new(false);
        let offset = offset.to_le_bytes();
        file.interface(1, 0, &[(9, &[resolution]), (14, &offset)]).enhanced(0, units, b"x", 1);
        assert_eq!(
            read(&file.out).unwrap().packets[0].0,
            micros,
            "{resolution} {offset:?} {units}"
        );
    }
}

#[test]
fn snaplen_limits_what_is_captured_only() {
    for (name, write) in kinds() {
        let data = write(&samples());
        let options = Options { snaplen: 10, ..Options::default() };
        let got = read_with(Box::new(Cursor::new(data)), options).unwrap();
        for (got, sample) in got.packets.iter().zip(samples()) {
            let expected = &sample.data[..sample.data.len().min(10)];
            assert_eq!((got.1.as_slice(), got.2), (expected, sample.wire()), "{name}");
        }
    }
}

#[test]
fn more_captured_than_on_the_wire_keeps_the_rest() {
    let order = Pcap::new(false, MICROS);
    let mut data = order.file(&samples());
    // The length on the wire of the first packet.
    data[24 + 12] = 10;
    let got = read(&data).unwrap();
    assert_eq!(got.packets.len(), 4);
    assert_eq!((got.packets[0].1.len(), got.packets[0].2), (60, 60));
    let mut file = PcapNg::new(false);
    file.interface(1, 0, &[]).enhanced(0, 1, &[0; 60], 10).enhanced(0, 2, &[0; 60], 60);
    let got = read(&file.out).unwrap();
    assert_eq!(got.packets.iter().map(|packet| packet.2).collect::<Vec<_>>(), [60, 60]);
}

#[test]
fn records_longer_than_a_block() {
    let big = Sample::new(5, 0, &vec![7; 5 << 20]);
    let packets = [Sample::new(4, 0, b"before"), big, Sample::new(6, 0, b"after")];
    let mut file = PcapNg::new(false);
    file.interface(1, 0, &[]);
    for packet in &packets {
        file.enhanced(0, packet.micros() as u64, &packet.data, packet.wire());
    }
    // Longer than any record may be, but never kept.
    file.block(0x0bad, &vec![1; MAX_RECORD + 8]).enhanced(0, 7_000_000, b"last", 4);
    let got = read(&file.out).unwrap();
    assert_eq!(got.warnings(), Vec::<String>::new());
    assert!(got.packets[..3] == expected(&packets), "packets differ");
    assert_eq!(got.packets[3].1, b"last");
    for (name, data) in [
        ("pcap", Pcap::new(false, MICROS).file(&packets)),
        ("gzip", gzip(&Pcap::new(true, NANOS).file(&packets))),
    ] {
        assert!(read(&data).unwrap().packets == expected(&packets), "{name}: packets differ");
    }
}

#[test]
fn what_cannot_be_opened() {
    let mut ng_link = PcapNg::new(false);
    ng_link.interface(127, 0, &[]).enhanced(0, 1, b"x", 1);
    let mut ng_version = PcapNg::new(true).out;
    ng_version[13] = 2;
    let mut bad_order = PcapNg::new(true).out;
    bad_order[8..12].copy_from_slice(&[1, 2, 3, 4]);
    let mut bad_length = PcapNg::new(false).out;
    bad_length[4] = 29;
    let known = "expected one of 0 (NULL), 1 (ETHERNET), 9 (PPP), 12 (RAW), 14 (RAW), 50 (PPP_HDLC), 51 (PPP_ETHER), \
                 101 (RAW), 108 (LOOP), 113 (LINUX_SLL), 228 (IPV4), 229 (IPV6), 276 (LINUX_SLL2)";
    let expected = "expected pcap or pcapng, plain or compressed with gzip or zstd";
    let damaged = "damaged file header: ";
    let cases: Vec<(Vec<u8>, String)> = vec![
        (vec![], "empty, expected a pcap or pcapng capture".into()),
        (gzip(&[]), "empty, expected a pcap or pcapng capture".into()),
        (b"\x7fELF".to_vec(), format!("not a capture: begins with 7f 45 4c 46, {expected}")),
        (
            b"a text that is no capture".to_vec(),
            format!(
                "not a capture: begins with 61 20 74 65 78 74 20 74 68 61 74 20 69 73 20 6e, {expected}"
            ),
        ),
        (gzip(b"text"), format!("not a capture: begins with 74 65 78 74, {expected}")),
        (
            bad_order[..28].to_vec(),
            format!(
                "not a capture: begins with 0a 0d 0d 0a 00 00 00 1c 01 02 03 04 00 01 00 00, {expected}"
            ),
        ),
        (
            Pcap { link: 127, ..Pcap::new(true, NANOS) }.header(),
            format!("unknown link type 127, {known}"),
        ),
        (ng_link.out, format!("unknown link type 127, {known}")),
        (
            Pcap::new(false, MICROS).header()[..20].to_vec(),
            format!("{damaged}the file ends after 20 octets, expected 24"),
        ),
        (
            Pcap { version: (3, 1), ..Pcap::new(false, MICROS) }.header(),
            format!("{damaged}pcap version 3.1, expected 2.x"),
        ),
        (
            PcapNg::new(true).out[..20].to_vec(),
            format!("{damaged}the file ends after 20 octets, expected at least 28"),
        ),
        (ng_version, format!("{damaged}pcapng version 2.0, expected 1.x")),
        (bad_length, format!("{damaged}block length 29, expected a multiple of 4 from 12 on")),
    ];
    for (data, message) in cases {
        match read(&data) {
            Err(error) => assert_eq!(error.to_string(), format!("capture: {message}")),
            Ok(got) => panic!("read as {got:?}, expected {message}"),
        }
    }
    for data in [
        gzip(b"x")[..5].to_vec(),
        zstd(b"x")[..5].to_vec(),
        [0x1f, 0x8b, 0xff, 0xff, 0xff].to_vec(),
    ] {
        assert!(matches!(read(&data), Err(CaptureError::Compression { .. })), "{data:?}");
    }
    // Damage before the first packet of a capture that can be read is a warning, as after it.
    let mut file = PcapNg::new(false);
    file.interface(1, 0, &[]);
    file.out.extend([6, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        read(&file.out).unwrap().warnings(),
        [
            "capture: cut at byte 48, 0 packets read before: block length 3, expected a multiple of 4 from 12 on"
        ]
    );
}

#[test]
fn corrupt_records() {
    let pcap = Pcap::new(false, MICROS);
    let mut data = pcap.file(&samples());
    let whole = data.len();
    data.extend([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0]);
    let got = read(&data).unwrap();
    assert_eq!(got.packets, expected(&samples()));
    let text = format!(
        "capture: cut at byte {whole}, 4 packets read before: captured length 16777217, expected at most 16777216"
    );
    assert_eq!(got.warnings(), [text]);
    assert!(got.warnings[0].is_loss());

    // What the format delimits costs only the packet itself.
    let mut file = PcapNg::new(false);
    file.interface(1, 0, &[]).interface(127, 0, &[]).enhanced(0, 1, b"good", 4);
    let mut long = [0u8; 24];
    long[12] = 5;
    let places = [file.out.len(), file.out.len() + 36, file.out.len() + 36 + 48];
    file.block(6, &long)
        .enhanced(2, 1, b"lost", 4)
        .block(6, &[0; 8])
        .enhanced(1, 1, b"other", 5)
        .enhanced(1, 1, b"other", 5)
        .enhanced(0, 2, b"good", 4);
    let end = file.out.len();
    file.enhanced(0, 3, b"bad", 3);
    let last = file.out.len() - 4;
    file.out[last] ^= 0x40;
    let got = read(&file.out).unwrap();
    assert_eq!(
        got.packets.iter().map(|packet| packet.1.as_slice()).collect::<Vec<_>>(),
        [b"good", b"good"]
    );
    assert_eq!(got.skipped, Skipped { unknown_link: 2, unknown_interface: 1, corrupt: 2 });
    assert_eq!(got.skipped.total(), 5);
    let [a, b, c] = places;
    assert_eq!(
        got.warnings(),
        [
            format!(
                "capture: packet at byte {a} skipped: captured length 5, expected at most the 4 octets of its block"
            ),
            format!(
                "capture: packet at byte {b} skipped: interface 2, expected one of the 2 that the section describes"
            ),
            format!(
                "capture: packet at byte {c} skipped: packet block of 20 octets, expected 32 or more"
            ),
            "capture: interface 1 has the unknown link type 127, its packets are skipped"
                .to_owned(),
            format!(
                "capture: cut at byte {end}, 7 packets read before: block ends with length 112, expected 48 as it begins with"
            ),
        ]
    );
    assert!(got.warnings.iter().all(Warning::is_loss));
}

#[test]
fn warnings_are_bounded() {
    let mut file = PcapNg::new(false);
    file.interface(1, 0, &[]);
    for _ in 0..1000 {
        file.enhanced(9, 1, b"x", 1);
    }
    file.enhanced(0, 1, b"x", 1);
    let got = read(&file.out).unwrap();
    assert_eq!((got.packets.len(), got.skipped.total()), (1, 1000));
    assert_eq!(got.warnings.len(), 16);
}

/// Cut anywhere, a capture gives the packets that are complete, and says where it was cut.
#[test]
fn cut_anywhere() {
    let packets = samples();
    for (name, write) in kinds() {
        let data = write(&packets);
        // Where the packets end: a capture with fewer of them is the begin of one with all, unless it is compressed.
        let ends: Vec<usize> = (0..=packets.len()).map(|n| write(&packets[..n]).len()).collect();
        let compressed = name.starts_with("gzip") || name.starts_with("zstd");
        let mut before = 0;
        for length in 0..data.len() {
            let options = Options { block_size: 500, ..Options::default() };
            let Ok(got) = read_with(Box::new(Cursor::new(data[..length].to_vec())), options) else {
                assert!(before == 0, "{name}: an error at {length} after packets before");
                continue;
            };
            let all = expected(&packets);
            assert!(all.starts_with(&got.packets), "{name}: other packets at {length}");
            assert!(got.packets.len() >= before, "{name}: fewer packets at {length}");
            before = got.packets.len();
            if compressed {
                // Between two frames nothing is missing.
                let between = name == "zstd" && ends.contains(&length) && got.warnings.is_empty();
                assert!(
                    between
                        || matches!(
                            got.warnings[..],
                            [Warning::Cut {
                                reason: CutReason::Compression(_),
                                compressed: true,
                                ..
                            }]
                        ),
                    "{name} {length}: {:?}",
                    got.warnings()
                );
                continue;
            }
            let complete = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
            assert_eq!(got.packets.len(), complete, "{name} {length}");
            match &got.warnings[..] {
                [] => assert!(
                    !name.starts_with("pcap,") || ends.contains(&length),
                    "{name} {length}: not told"
                ),
                [Warning::Cut { offset, packets, compressed: false, reason, .. }] => {
                    assert_eq!(*packets, got.packets.len() as u64, "{name} {length}");
                    let CutReason::Incomplete { found, expected } = reason else {
                        panic!("{name} {length}: {reason}")
                    };
                    assert!(found < expected, "{name} {length}: {reason}");
                    assert_eq!(offset + found, length as u64, "{name} {length}");
                }
                other => panic!("{name} {length}: {other:?}"),
            }
        }
        assert!(before + 1 >= packets.len(), "{name}: {before} packets before the last octet");
    }
}

#[test]
fn a_failing_source_is_an_error_after_its_packets() {
    for (name, write) in kinds() {
        let data = write(&samples());
        let length = data.len() as u64;
        let got = read_with(Box::new(Failing(Cursor::new(data))), Options::default()).unwrap();
        assert_eq!(got.packets, expected(&samples()), "{name}");
        match got.error {
            Some(error @ CaptureError::Read { offset, .. }) => {
                assert_eq!(offset, length, "{name}");
                assert_eq!(error.to_string(), format!("capture: cannot be read at byte {length}"));
                assert_eq!(
                    error.source().map(ToString::to_string).as_deref(),
                    Some("the disk is gone")
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let input = Box::new(Failing(Cursor::new(Vec::new())));
    assert!(matches!(
        read_with(input, Options::default()),
        Err(CaptureError::Read { offset: 0, .. })
    ));
}

fn sample() -> impl Strategy<Value = Sample> {
    let data = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..200),
        1 => (any::<u8>(), 0..9000usize).prop_map(|(octet, length)| vec![octet; length])
    ];
    (any::<u32>(), 0..1_000_000_000u32, data, 0..100u32)
        .prop_map(|(seconds, nanos, data, cut)| Sample { seconds, nanos, data, cut })
}

proptest! {
    // Each case is written and read in every kind.
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The size of blocks and of what the system reads at once change nothing.
    #[test]
    fn any_pieces_any_blocks(
        packets in proptest::collection::vec(sample(), 0..40),
        sizes in proptest::collection::vec(0..5000usize, 0..20),
        block_size in prop_oneof![Just(1usize), 1..10_000usize],
    ) {
        for (name, write) in kinds() {
            let input = Pieces::new(write(&packets), &sizes);
            let options = Options { block_size, ..Options::default() };
            let got = read_with(Box::new(input), options).unwrap();
            prop_assert!(got.packets == expected(&packets), "{}: packets differ", name);
            prop_assert!(got.warnings.is_empty(), "{}: {:?}", name, got.warnings());
        }
    }

    /// Damage never panics, and packets before it are not lost.
    #[test]
    fn damage(
        packets in proptest::collection::vec(sample(), 1..10),
        at in any::<prop::sample::Index>(),
        octets in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        for (name, write) in kinds() {
            let mut data = write(&packets);
            let at = at.index(data.len());
            for (place, octet) in data[at..].iter_mut().zip(&octets) {
                *place = *octet;
            }
            let ends: Vec<usize> = (0..=packets.len()).map(|n| write(&packets[..n]).len()).collect();
            let whole = ends.iter().filter(|end| **end <= at).count().saturating_sub(1);
            let options = Options { block_size: 5000, ..Options::default() };
            let Ok(got) = read_with(Box::new(Cursor::new(data)), options) else { continue };
            if name.starts_with("pcap") && at >= ends[0] {
                prop_assert!(got.packets.len() >= whole, "{}: {} of {}", name, got.packets.len(), whole);
                prop_assert!(got.packets[..whole] == expected(&packets)[..whole], "{}: packets differ", name);
            }
        }
    }

    /// Octets without any sense after a header that has some.
    #[test]
    fn nonsense(
        octets in proptest::collection::vec(any::<u8>(), 0..3000),
        words in proptest::collection::vec(0..40u32, 0..300),
        block_size in 1..5000usize,
    ) {
        let small: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut interfaces = PcapNg::new(false);
        interfaces.interface(1, 0, &[]);
        for begin in [vec![], Pcap::new(false, MICROS).header(), Pcap::new(true, PATCHED).header(), interfaces.out] {
            for octets in [&octets, &small] {
                let data = [&begin[..], octets].concat();
                let options = Options { block_size, ..Options::default() };
                for data in [gzip(&data), data] {
                    if let Ok(got) = read_with(Box::new(Cursor::new(data)), options) {
                        prop_assert!(got.error.is_none());
                    }
                }
            }
        }
    }
}
