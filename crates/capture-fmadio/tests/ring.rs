//! The reader against rings that a writer of ours lays out as published.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get makes it fail")]

mod writer;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use rockfish_capture::{LiveError, LiveSource, PacketRef};
use rockfish_capture_fmadio::{Fmadio, FmadioConfig};
use rockfish_packet::LinkType;
use tempfile::TempDir;

use writer::{Packet, Writer};

/// Long enough for a writer that is at work; no test waits for its end.
const WAIT: Duration = Duration::from_secs(60);

fn ring(directory: &TempDir) -> PathBuf {
    directory.path().join("ring0")
}

fn config(path: &Path) -> FmadioConfig {
    FmadioConfig { ring_path: path.to_owned(), ..FmadioConfig::default() }
}

fn opened(depth: u64, flow_control: bool) -> (TempDir, Writer, Fmadio) {
    let directory = tempfile::tempdir().unwrap();
    let writer = Writer::create(&ring(&directory), depth, flow_control);
    let reader = Fmadio::open(&config(&ring(&directory))).unwrap();
    (directory, writer, reader)
}

fn octets<'a>(lent: &'a [u8], packet: &PacketRef) -> &'a [u8] {
    &lent[packet.offset as usize..][..packet.captured as usize]
}

/// The octets of everything that is in the ring now.
fn drain(reader: &mut Fmadio) -> Vec<Vec<u8>> {
    let (mut packets, mut all) = (Vec::new(), Vec::new());
    loop {
        let lent = reader.next(Duration::ZERO, &mut packets).unwrap();
        if packets.is_empty() {
            return all;
        }
        all.extend(packets.iter().map(|packet| octets(lent, packet).to_vec()));
    }
}

/// Octets that differ from packet to packet in content and number.
struct Pattern(Vec<u8>);

impl Pattern {
    fn new() -> Self {
        Self((0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect())
    }

    fn packet(&self, number: u64) -> &[u8] {
        let length = 60 + (number * 7919 % 1455) as usize;
        &self.0[(number * 31 % 2048) as usize..][..length]
    }
}

#[test]
fn packets_are_lent_in_place_and_go_back_at_the_next_call() {
    let (_directory, writer, mut reader) = opened(1024, true);
    writer.send(Packet::new(1_700_000_000_123_456_789, b"first packet"));
    writer.send(Packet { wire: 9000, ..Packet::new(1_700_000_000_123_457_999, b"second") });
    let mut packets = Vec::new();
    let lent = reader.next(WAIT, &mut packets).unwrap();
    let seen: Vec<_> =
        packets.iter().map(|p| (p.time.as_micros(), octets(lent, p), p.wire, p.link)).collect();
    assert_eq!(
        seen,
        [
            (1_700_000_000_123_456, &b"first packet"[..], 12, LinkType::Ethernet),
            (1_700_000_000_123_457, &b"second"[..], 9000, LinkType::Ethernet),
        ]
    );
    assert_eq!(writer.get(), 0, "lent packets are still the reader's");
    assert!(reader.next(Duration::ZERO, &mut packets).unwrap().is_empty());
    assert!(packets.is_empty());
    assert_eq!(writer.get(), 2);
    let word = |at| writer.word(at).load(Ordering::Relaxed);
    assert_eq!((word(8200), word(8208)), (18, 1_700_000_000_123_457_999));
    assert_eq!(reader.counters().received, 2);
}

#[test]
fn reading_begins_with_what_is_written_after_opening() {
    let directory = tempfile::tempdir().unwrap();
    let writer = Writer::create(&ring(&directory), 16, true);
    for _ in 0..5 {
        writer.send(Packet::new(1, b"before"));
    }
    let mut reader = Fmadio::open(&config(&ring(&directory))).unwrap();
    assert_eq!(writer.get(), 5);
    writer.send(Packet::new(2, b"after"));
    assert_eq!(drain(&mut reader), [b"after"]);
}

#[test]
fn snaplen_cuts_what_is_delivered_and_not_what_was_on_the_wire() {
    let directory = tempfile::tempdir().unwrap();
    let writer = Writer::create(&ring(&directory), 16, true);
    let mut reader =
        Fmadio::open(&FmadioConfig { snaplen: 4, ..config(&ring(&directory)) }).unwrap();
    writer.send(Packet::new(1, b"0123456789"));
    let mut packets = Vec::new();
    let lent = reader.next(WAIT, &mut packets).unwrap();
    assert_eq!((octets(lent, &packets[0]), packets[0].wire), (&b"0123"[..], 10));
}

#[test]
fn entries_keep_their_order_around_the_end() {
    for flow_control in [true, false] {
        let (_directory, writer, mut reader) = opened(8, flow_control);
        let (mut sent, mut seen) = (Vec::new(), Vec::new());
        for round in 0..50u64 {
            for index in 0..=round % 6 {
                let packet = format!("round {round} packet {index}").into_bytes();
                writer.send(Packet::new(round, &packet));
                sent.push(packet);
            }
            seen.extend(drain(&mut reader));
        }
        assert_eq!(seen, sent, "flow control {flow_control}");
        let counters = reader.counters();
        assert_eq!((counters.received, counters.dropped), (sent.len() as u64, 0));
    }
}

#[test]
fn counters_wrap_around() {
    let directory = tempfile::tempdir().unwrap();
    let writer = Writer::create(&ring(&directory), 8, true);
    writer.set(4096, &(u64::MAX - 2).to_ne_bytes());
    let mut reader = Fmadio::open(&config(&ring(&directory))).unwrap();
    for packet in [b"a", b"b", b"c", b"d", b"e"] {
        writer.send(Packet::new(1, packet));
    }
    assert_eq!(drain(&mut reader), [b"a", b"b", b"c", b"d", b"e"]);
    assert_eq!(writer.get(), 2);
}

#[test]
fn a_full_ring_stops_the_writer_and_is_counted() {
    let (_directory, writer, mut reader) = opened(16, true);
    let sent = (0..100).take_while(|_| writer.try_send(Packet::new(1, b"x"))).count();
    assert_eq!(sent, 15);
    assert_eq!(drain(&mut reader).len(), 15);
    let counters = reader.counters();
    assert_eq!((counters.received, counters.dropped, counters.freezes), (15, 0, 1));
    assert!(writer.try_send(Packet::new(1, b"x")));
}

#[test]
fn wrong_check_sequences_and_lengths_are_errors() {
    for include_fcs_errors in [false, true] {
        for flow_control in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let writer = Writer::create(&ring(&directory), 64, flow_control);
            let mut reader =
                Fmadio::open(&FmadioConfig { include_fcs_errors, ..config(&ring(&directory)) })
                    .unwrap();
            let long = [7; 10_240];
            let plain = Packet::new(1, b"plain");
            writer.send(plain);
            writer.send(Packet { flags: 2, ..Packet::new(1, b"wrong") });
            writer.send(Packet { captured: 10_241, ..plain });
            writer.send(Packet { captured: u16::MAX, ..plain });
            writer.send(Packet { captured: 0, ..plain });
            writer.send(Packet::new(1, &long));
            // Flags without a meaning are none of our business.
            writer.send(Packet { flags: 0xfc, ..plain });
            let mut expected: Vec<&[u8]> = vec![b"plain", b"wrong", b"", &long, b"plain"];
            if !include_fcs_errors {
                expected.remove(1);
            }
            assert_eq!(drain(&mut reader), expected);
            let counters = reader.counters();
            let errors = if include_fcs_errors { 2 } else { 3 };
            assert_eq!((counters.received, counters.errors, counters.dropped), (7, errors, 0));
            assert_eq!(writer.get(), if flow_control { 7 } else { writer.get() });
        }
    }
}

#[test]
fn a_ring_full_of_errors_is_passed_at_once() {
    let (_directory, writer, mut reader) = opened(1024, true);
    while writer.try_send(Packet { flags: 2, ..Packet::new(1, b"wrong") }) {}
    assert_eq!(drain(&mut reader), Vec::<Vec<u8>>::new());
    assert_eq!((writer.get(), reader.counters().errors), (1023, 1023));
}

#[test]
fn end_marks_are_counted_and_the_next_stream_is_read() {
    for flow_control in [false, true] {
        let (_directory, writer, mut reader) = opened(64, flow_control);
        writer.send(Packet::new(1, b"one"));
        writer.end(2);
        writer.send(Packet::new(3, b"two"));
        writer.end(4);
        assert_eq!(drain(&mut reader), [b"one", b"two"]);
        assert_eq!((reader.ends(), reader.counters().received), (2, 2));
    }
}

#[test]
fn a_writer_that_begins_anew_is_followed() {
    // Packets read before, packets unread then, packets after.
    for (read, unread, after) in [(3, 0, 0), (3, 0, 2), (3, 4, 2), (3, 0, 10), (7, 0, 12)] {
        let (_directory, writer, mut reader) = opened(16, true);
        for _ in 0..read {
            writer.send(Packet::new(1, b"old"));
        }
        assert_eq!(drain(&mut reader).len(), read);
        for _ in 0..unread {
            writer.send(Packet::new(1, b"unread"));
        }
        writer.reset();
        for _ in 0..after {
            writer.send(Packet::new(2, b"new"));
        }
        assert_eq!(drain(&mut reader), vec![b"new"; after]);
        writer.send(Packet::new(3, b"newer"));
        assert_eq!(drain(&mut reader), [b"newer"]);
        assert_eq!((reader.restarts(), writer.get()), (1, after as u64 + 1));
    }
}

#[test]
fn lent_packets_of_a_ring_set_up_anew_do_not_go_back_to_it() {
    let (_directory, writer, mut reader) = opened(16, true);
    writer.send(Packet::new(1, b"read"));
    drain(&mut reader);
    writer.send(Packet::new(1, b"lent"));
    let mut packets = Vec::new();
    reader.next(WAIT, &mut packets).unwrap();
    writer.reset();
    assert!(drain(&mut reader).is_empty());
    assert_eq!((reader.restarts(), writer.get()), (1, 0));
}

#[test]
fn a_ring_that_is_being_set_up_is_waited_for() {
    let (_directory, writer, mut reader) = opened(16, true);
    writer.send(Packet::new(1, b"one"));
    assert_eq!(drain(&mut reader), [b"one"]);
    // The writer clears from the front: version, then put, then get.
    writer.set(0, &[0; 176]);
    assert!(drain(&mut reader).is_empty());
    writer.set(4096, &[0; 24]);
    assert!(drain(&mut reader).is_empty());
    writer.reset();
    writer.send(Packet::new(2, b"two"));
    assert_eq!(drain(&mut reader), [b"two"]);
}

#[test]
fn a_second_reader_is_an_error_for_the_first() {
    let (directory, writer, mut first) = opened(16, true);
    for _ in 0..3 {
        writer.send(Packet::new(1, b"x"));
    }
    let mut second = Fmadio::open(&config(&ring(&directory))).unwrap();
    let error = first.next(WAIT, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, LiveError::Unsuitable { .. }));
    let text = error.to_string();
    assert!(
        text.ends_with("moved the read counter from 0 to 3, expected to be the ring's one reader"),
        "{text}"
    );
    writer.send(Packet::new(1, b"y"));
    assert_eq!(drain(&mut second), [b"y"]);
}

#[test]
fn a_writer_that_does_not_wait_overwrites_and_that_is_counted() {
    // Written, then seen by the reader for the first time.
    for written in [15, 16, 17, 31, 32, 100, 1000u64] {
        let (_directory, writer, mut reader) = opened(16, false);
        let packets: Vec<_> = (0..written).map(|n| format!("packet {n}").into_bytes()).collect();
        for packet in &packets {
            writer.send(Packet::new(1, packet));
        }
        let seen = drain(&mut reader);
        assert_eq!(seen, packets[packets.len() - seen.len()..], "the last ones, in order");
        let counters = reader.counters();
        assert_eq!(counters.received, written);
        assert_eq!(counters.dropped, written - seen.len() as u64);
        assert_eq!(counters.freezes, 0);
        // One entry may be half written, and an eighth is left to the writer.
        assert_eq!(seen.len() as u64, if written < 16 { written } else { 14 });
    }
}

#[test]
fn a_writer_that_says_it_waits_and_does_not_is_not_believed() {
    for written in [15, 16, 17, 100u64] {
        let (_directory, writer, mut reader) = opened(16, false);
        writer.set(156, &1u32.to_ne_bytes());
        let packets: Vec<_> = (0..written).map(|n| format!("packet {n}").into_bytes()).collect();
        for packet in &packets {
            writer.send(Packet::new(1, packet));
        }
        let seen = drain(&mut reader);
        assert_eq!(seen, packets[packets.len() - seen.len()..]);
        let counters = reader.counters();
        assert_eq!((counters.received, counters.dropped), (written, written - seen.len() as u64));
        assert_eq!(counters.dropped > 0, written > 15);
    }
}

#[test]
fn closing_intake_leaves_what_comes_after() {
    for flow_control in [false, true] {
        let (_directory, writer, mut reader) = opened(1024, flow_control);
        for _ in 0..700 {
            writer.send(Packet::new(1, b"before"));
        }
        reader.close_intake();
        for _ in 0..100 {
            writer.send(Packet::new(1, b"after"));
        }
        reader.close_intake();
        assert_eq!(drain(&mut reader), vec![b"before"; 700]);
        // However long it may wait, it knows that nothing will come.
        let mut packets = Vec::new();
        reader.next(WAIT, &mut packets).unwrap();
        assert!(packets.is_empty());
    }
}

#[test]
fn a_ring_set_up_anew_after_closing_intake_has_nothing_to_lend() {
    let (_directory, writer, mut reader) = opened(16, true);
    writer.send(Packet::new(1, b"read"));
    drain(&mut reader);
    writer.send(Packet::new(1, b"unread"));
    reader.close_intake();
    writer.reset();
    for _ in 0..5 {
        writer.send(Packet::new(1, b"after"));
    }
    assert!(drain(&mut reader).is_empty());
}

#[test]
fn closing_intake_with_errors_at_the_front_still_lends_the_rest() {
    let (_directory, writer, mut reader) = opened(1024, true);
    for _ in 0..600 {
        writer.send(Packet { flags: 2, ..Packet::new(1, b"wrong") });
    }
    writer.send(Packet::new(1, b"right"));
    reader.close_intake();
    assert_eq!(drain(&mut reader), [b"right"]);
}

/// What is done to the file under an open reader, and what the reader says.
#[test]
fn a_ring_that_goes_away_is_noticed() {
    type Act = fn(&Path);
    let cases: [(&str, Act, &str); 3] = [
        ("removed", |path| std::fs::remove_file(path).unwrap(), "nothing is at its path"),
        (
            "replaced",
            |path| {
                std::fs::remove_file(path).unwrap();
                Writer::create(path, 16, true);
            },
            "another file is at its path",
        ),
        (
            "cut",
            |path| OpenOptions::new().write(true).open(path).unwrap().set_len(12_288).unwrap(),
            "the file has 12288 octets now, expected 208896",
        ),
    ];
    for (name, act, expected) in cases {
        let (directory, _writer, mut reader) = opened(16, true);
        act(&ring(&directory));
        let error = reader.next(Duration::ZERO, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, LiveError::Gone { .. }), "{name}: {error}");
        assert!(error.may_pass() && error.to_string().contains(expected), "{name}: {error}");
    }
}

#[test]
fn what_is_no_ring_is_named() {
    let u32s = |at, number: u32| (at, number.to_ne_bytes().to_vec());
    let u64s = |at, number: u64| (at, number.to_ne_bytes().to_vec());
    let cases = [
        (u32s(0, 0), "ring version 0x0 at offset 0, expected 0x100"),
        (u32s(0, 0x101), "ring version 0x101 at offset 0, expected 0x100"),
        // The layout of the vendor's older software, under the same version.
        (u32s(8, 10_232), "entries of 10232 octets at offset 8, expected 12288"),
        (u64s(140, 0), "a depth of 0 at offset 140, expected a power of two"),
        (u64s(140, 1), "a depth of 1 at offset 140, expected a power of two"),
        (u64s(140, 1000), "a depth of 1000 at offset 140, expected a power of two"),
        (u64s(140, 1 << 40), "a depth of 1099511627776 at offset 140"),
        (u64s(140, u64::MAX), "a depth of 18446744073709551615 at offset 140"),
        (u64s(148, 16), "mask 0x10 at offset 148, expected 0xf"),
        (u32s(4, 208_895), "a ring of 208895 octets at offset 4, expected 208896 for 16 entries"),
    ];
    for ((at, octets), expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::create(&ring(&directory), 16, true);
        writer.set(at, &octets);
        let error = Fmadio::open(&config(&ring(&directory))).unwrap_err();
        assert!(matches!(error, LiveError::Unsuitable { .. }), "{error}");
        assert!(error.is_usage() && error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("ring0"), "{error}");
    }
}

#[test]
fn files_that_are_no_ring_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("empty"), []).unwrap();
    std::fs::write(at("text"), "this is not a ring at all".repeat(50)).unwrap();
    std::fs::write(at("header alone"), writer::header(1024, true)).unwrap();
    std::fs::create_dir(at("directory")).unwrap();
    let cases = [
        ("nothing", "no such file, expected the ring of an FMADIO appliance"),
        ("empty", "a file of 0 octets, expected a ring with a header of 176"),
        ("text", "ring version 0x73696874 at offset 0, expected 0x100"),
        ("header alone", "a file of 176 octets, expected 12595200 for 1024 entries"),
        ("directory", "a directory, expected the ring of an FMADIO appliance"),
    ];
    for (name, expected) in cases {
        let error = Fmadio::open(&config(&at(name))).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: ", at(name).display())), "{error}");
        assert!(error.ends_with(expected), "{error}");
    }
}

/// Says that the reader is gone, also when it has panicked, so that no writer waits for it.
struct Gone<'a>(&'a AtomicBool);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_writer_at_work_with_backpressure_loses_nothing() {
    const PACKETS: u64 = 1_200_000;
    let (_directory, writer, mut reader) = opened(1024, true);
    let (pattern, is_gone) = (Pattern::new(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..PACKETS {
                while !writer.try_send(Packet::new(number * 1000, pattern.packet(number))) {
                    if is_gone.load(Ordering::Relaxed) {
                        return;
                    }
                    std::thread::yield_now();
                }
            }
        });
        let _gone = Gone(&is_gone);
        let (mut packets, mut number) = (Vec::new(), 0);
        while number < PACKETS {
            let lent = reader.next(WAIT, &mut packets).unwrap();
            assert!(!packets.is_empty(), "nothing came after {number} packets");
            for packet in &packets {
                assert_eq!(packet.time.as_micros(), number as i64);
                assert!(octets(lent, packet) == pattern.packet(number), "packet {number}");
                number += 1;
            }
        }
    });
    writer.end(PACKETS * 1000);
    assert!(drain(&mut reader).is_empty());
    let counters = reader.counters();
    assert_eq!((counters.received, counters.dropped, counters.errors), (PACKETS, 0, 0));
    assert_eq!((reader.ends(), writer.get()), (1, PACKETS + 1));
}

#[test]
fn a_writer_at_work_without_backpressure_loses_only_what_is_counted() {
    const PACKETS: u64 = 300_000;
    for depth in [2, 16, 1024] {
        let (_directory, writer, mut reader) = opened(depth, false);
        let pattern = Pattern::new();
        let mut delivered = 0;
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                for number in 0..PACKETS {
                    writer.send(Packet::new(number * 1000, pattern.packet(number)));
                }
            });
            let (mut packets, mut least) = (Vec::new(), 0);
            loop {
                let is_over = writing.is_finished();
                let lent = reader.next(Duration::ZERO, &mut packets).unwrap();
                for packet in &packets {
                    let number = packet.time.as_micros() as u64;
                    assert!(number >= least, "packet {number} after {least}");
                    assert!(octets(lent, packet) == pattern.packet(number), "packet {number}");
                    (delivered, least) = (delivered + 1, number + 1);
                }
                if is_over && packets.is_empty() {
                    break;
                }
            }
        });
        let counters = reader.counters();
        assert_eq!(counters.received, PACKETS, "depth {depth}");
        assert_eq!(delivered + counters.dropped, PACKETS, "depth {depth}");
        assert_eq!(counters.errors, 0, "depth {depth}");
    }
}

/// Octets somewhere in a ring: its header, its counters, its first entries.
fn damage() -> impl Strategy<Value = Vec<(usize, u32)>> {
    let at = prop_oneof![
        (0..44usize).prop_map(|word| word * 4),
        prop_oneof![Just(4096), Just(4100), Just(8192), Just(8196)],
        (0..8usize, 0..6usize).prop_map(|(entry, word)| 12_288 * (entry + 1) + word * 4),
    ];
    let value = prop_oneof![any::<u32>(), 0..0x200u32, Just(12_288), Just(u32::MAX)];
    prop::collection::vec((at, value), 0..6)
}

proptest! {
    /// Whatever is in the ring, before it is opened or while it is read: an error or packets that lie in what was lent.
    #[test]
    fn no_ring_makes_the_reader_panic(
        before in damage(),
        steps in prop::collection::vec((damage(), any::<bool>(), 0..12u8), 0..6),
        flow_control in any::<bool>(),
        cut in prop_oneof![9 => Just(None), 1 => (0..110_592u64).prop_map(Some)],
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = ring(&directory);
        let writer = Writer::create(&path, 8, flow_control);
        for (at, value) in before {
            writer.set(at, &value.to_ne_bytes());
        }
        if let Some(length) = cut {
            OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
            // A writer has nothing to write to now.
            prop_assert!(Fmadio::open(&config(&path)).is_err());
            return Ok(());
        }
        let Ok(mut reader) = Fmadio::open(&config(&path)) else { return Ok(()) };
        let (mut packets, mut delivered) = (Vec::new(), 0);
        for (damage, is_last, send) in steps {
            for _ in 0..send {
                writer.try_send(Packet::new(1, b"0123456789"));
            }
            for (at, value) in damage {
                writer.set(at, &value.to_ne_bytes());
            }
            if is_last {
                reader.close_intake();
            }
            let Ok(lent) = reader.next(Duration::ZERO, &mut packets) else { break };
            for packet in &packets {
                prop_assert!(packet.offset as usize + packet.captured as usize <= lent.len());
                prop_assert!(packet.captured <= packet.wire);
            }
            delivered += packets.len() as u64;
            let counters = reader.counters();
            prop_assert_eq!(counters.received, delivered + counters.errors + counters.dropped);
        }
    }

    /// Every header that contradicts itself is refused.
    #[test]
    fn a_header_is_taken_only_as_it_must_be(at in 0..44usize, value in any::<u32>()) {
        let directory = tempfile::tempdir().unwrap();
        let path = ring(&directory);
        let writer = Writer::create(&path, 8, true);
        let before = writer::header(8, true);
        writer.set(at * 4, &value.to_ne_bytes());
        let says_something = matches!(at * 4, 0..12 | 140..156);
        let is_other = before[at * 4..][..4] != value.to_ne_bytes();
        prop_assert_eq!(Fmadio::open(&config(&path)).is_err(), says_something && is_other);
    }
}
