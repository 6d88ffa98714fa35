//! The records of a capture are the same whatever the number of workers and the size of the blocks it is read in.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod common;

use std::fs;
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use common::{S, capture, files, packets_of, probe, rows, run, write_capture};
use proptest::prelude::*;
use proptest::test_runner::Config;
use rockfish_capture::{CaptureError, CaptureStream, Options, Warning};
use rockfish_capture_pcap::BpfFilter;
use rockfish_flow::{EndReason, FlowRecord, Timestamp};
use rockfish_meter::MeterConfig;
use rockfish_packet::{DecodeConfig, FragmentConfig, LinkType, Tunnels, UdpUniflow};
use rockfish_probe::pipeline::{self, Observer, PipelineConfig, RecordSink, Totals};
use rockfish_testkit::{Captured, Interface, PacketBuilder, PcapFormat};

/// Hosts that talk, few enough for their flows to meet again and again.
const HOSTS: u8 = 24;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// One thing that happens in a generated capture.
#[derive(Clone, Copy, Debug)]
struct Event {
    /// Microseconds since the one before; negative for packets out of order.
    gap: i64,
    /// Which two hosts, and which of them sends.
    pair: u8,
    answer: bool,
    shape: u8,
    size: u16,
}

fn event(long_gap: i64) -> impl Strategy<Value = Event> {
    let gap = prop_oneof![
        40 => Just(0),
        40 => 1_i64..2_000,
        30 => 2_000_i64..400_000,
        2 => Just(1_000_000),
        1 => 1_900_000_i64..2_100_000,
        6 => -3_000_i64..0,
        1 => -2_500_000_i64..-1_000,
        1 => Just(long_gap),
        1 => (long_gap - 2)..(long_gap + 2_000_000),
    ];
    let size = prop_oneof![4 => Just(0_u16), 4 => 1_u16..120, 2 => 120_u16..1400];
    (gap, 0..HOSTS, any::<bool>(), any::<u8>(), size)
        .prop_map(|(gap, pair, answer, shape, size)| Event { gap, pair, answer, shape, size })
}

/// Settings under which captures are metered, and how they are stored.
#[derive(Clone, Debug)]
struct Case {
    idle: i64,
    active: i64,
    linger: i64,
    decode: DecodeConfig,
    /// A step back of the clock, once, by so many microseconds.
    step_back: i64,
    pcapng: bool,
    filter: bool,
    events: Vec<Event>,
}

fn case() -> impl Strategy<Value = Case> {
    let times = (
        prop_oneof![Just(3_i64), Just(30)],
        prop_oneof![Just(7_i64), Just(60)],
        prop_oneof![Just(0_i64), Just(2_000_000)],
        prop_oneof![Just(0_i64), Just(5_000_000), Just(100_000_000)],
    );
    let decode = (any::<bool>(), any::<bool>(), any::<bool>(), 0..3_u8, 0..3_u8).prop_map(
        |(inner, vlan_key, icmp_key, uniflow, fragments)| DecodeConfig {
            tunnels: if inner { Tunnels::Inner } else { Tunnels::Outer },
            vlan_key,
            icmp_key,
            udp_uniflow: [UdpUniflow::Off, UdpUniflow::All, UdpUniflow::Port(53)]
                [usize::from(uniflow)],
            fragments: FragmentConfig {
                disabled: fragments == 0,
                max_tables: if fragments == 1 { 3 } else { 1024 },
                timeout_secs: 2,
                max_bytes: 1 << 20,
            },
        },
    );
    (times, decode, any::<bool>(), any::<bool>()).prop_flat_map(
        |((idle, active, linger, step_back), decode, pcapng, filter)| {
            proptest::collection::vec(event(idle * S as i64), 2_000..4_000).prop_map(
                move |events| Case {
                    idle: idle * S as i64,
                    active: active * S as i64,
                    linger,
                    decode: decode.clone(),
                    step_back,
                    pcapng,
                    filter,
                    events,
                },
            )
        },
    )
}

/// The frames of an event: one, or the fragments of a datagram, of which some may be lost.
fn frames(event: &Event, index: usize) -> Vec<Vec<u8>> {
    let Event { pair, answer, shape, size, .. } = *event;
    let (low, high) = (1 + pair % 6, 1 + pair / 6);
    let ethernet = || PacketBuilder::ethernet(MAC, [2, 0, 0, 0, 1, pair]);
    let ends = |builder: PacketBuilder| {
        let v6 = pair % 5 == 0;
        let name = |net: u8, host: u8| match v6 {
            true => format!("2001:db8:{net}::{host}"),
            false => format!("10.0.{net}.{host}"),
        };
        let (a, b) = (name(0, low), name(1, high));
        if answer { builder.ip(&b, &a) } else { builder.ip(&a, &b) }
    };
    let ports = |server: u16| {
        let client = 4000 + u16::from(pair % 3);
        if answer { (server, client) } else { (client, server) }
    };
    let payload: Vec<u8> = (0..size).map(|at| (at as u8) ^ (index as u8)).collect();
    let tcp = |flags: &str, builder: PacketBuilder| {
        let (from, to) = ports(443);
        ends(builder).tcp(from, to, flags, index as u32, 7).payload(&payload)
    };
    let udp = |builder: PacketBuilder| {
        let (from, to) = ports(if pair % 2 == 0 { 53 } else { 4789 });
        ends(builder).udp(from, to)
    };
    match shape % 32 {
        0..=7 => vec![tcp("A", ethernet()).build()],
        8 => vec![tcp(if answer { "SA" } else { "S" }, ethernet()).build()],
        9 | 10 => vec![tcp("FA", ethernet()).build()],
        11 => vec![tcp("R", ethernet()).build()],
        12..=14 => vec![tcp("PA", ethernet().vlan(1 + u16::from(pair % 2))).build()],
        15..=19 => vec![udp(ethernet()).payload(&payload).build()],
        20 => vec![udp(ethernet().service_vlan(9).vlan(3)).payload(&payload).build()],
        21..=23 => {
            let kind = if pair % 5 == 0 { [128, 129] } else { [8, 0] };
            let rest = [0, 1, 0, index as u8];
            let icmp = ends(ethernet()).icmp(kind[usize::from(answer)], 0, rest);
            vec![icmp.payload(&payload).build()]
        }
        24..=27 => {
            // Of every second datagram a fragment is missing, of every third the order is turned.
            let datagram = udp(ethernet()).payload(&[payload.as_slice(); 3].concat());
            let id = (index / 4) as u16;
            let datagram = if pair % 5 == 0 { datagram } else { datagram.identification(id) };
            let mut fragments = datagram.fragments(200 + usize::from(pair) * 16);
            if index.is_multiple_of(2) && fragments.len() > 1 {
                fragments.remove(index / 2 % fragments.len());
            }
            if index.is_multiple_of(3) {
                fragments.reverse();
            }
            fragments
        }
        28 => {
            let inner = ends(ends(ethernet()).gre(None, None)).udp(1, 2).payload(&payload);
            vec![inner.build()]
        }
        29 => {
            let (from, to) = ports(36412);
            vec![ends(ethernet()).sctp(from, to).payload(&payload).build()]
        }
        30 => vec![ethernet().payload_type(0x0806).payload(&[0; 28]).build()],
        _ => {
            // Cut off within the headers, or with a header length of 0.
            let mut frame = udp(ethernet()).payload(&payload).build();
            if answer {
                frame.truncate(14 + usize::from(pair));
            } else {
                frame[14] &= 0xf0;
            }
            vec![frame]
        }
    }
}

/// The packets of a case. The second interface of a pcapng file cannot be decoded.
fn packets(case: &Case) -> Vec<Captured> {
    let mut packets = Vec::new();
    let mut time = 1_700_000_000_i64 * S as i64;
    for (index, event) in case.events.iter().enumerate() {
        time += event.gap;
        if index == case.events.len() / 2 {
            time -= case.step_back;
        }
        for frame in frames(event, index) {
            let mut packet = Captured::at_micros(time as u64, frame);
            packet.interface = u32::from(case.pcapng && event.shape == 77);
            packets.push(packet);
            // Fragments come one after the other.
            time += 3;
        }
    }
    packets
}

/// The records between two ticks, in an order of their own, and the clock at the second.
type Epoch = (Timestamp, Vec<FlowRecord>);

#[derive(Default)]
struct Epochs {
    done: Vec<Epoch>,
    current: Vec<FlowRecord>,
}

impl RecordSink for Epochs {
    fn push(&mut self, mut records: Vec<FlowRecord>) -> anyhow::Result<()> {
        self.current.append(&mut records);
        Ok(())
    }

    fn end_epoch(&mut self, clock: Timestamp) -> anyhow::Result<()> {
        let mut records = std::mem::take(&mut self.current);
        records.sort_by_key(|record| {
            let ends =
                (record.source, record.destination, record.source_port, record.destination_port);
            let kind = (record.protocol, record.key_vlan, record.icmp_type, record.icmp_code);
            let counts = (record.forward.packets, record.reverse.packets, record.forward.octets);
            (record.start, record.end, kind, ends, record.ordinal, record.reason as u8, counts)
        });
        self.done.push((clock, records));
        Ok(())
    }
}

struct Quiet;

impl Observer for Quiet {
    fn block(&mut self, _: &Totals) {}

    fn warning(&mut self, warning: &Warning) {
        assert!(matches!(warning, Warning::UnknownLink { .. }), "{warning}");
    }

    fn failed(&mut self, error: CaptureError) -> anyhow::Result<()> {
        Err(error.into())
    }
}

fn meter(case: &Case, file: &[u8], workers: usize, block_size: usize) -> (Vec<Epoch>, Totals) {
    let options = Options { block_size, ..Options::default() };
    let input = Box::new(Cursor::new(file.to_vec()));
    let mut source = CaptureStream::with_options(input, "generated", options).unwrap();
    let filter =
        case.filter.then(|| BpfFilter::compile("not ip6 or udp", &[LinkType::Ethernet]).unwrap());
    let config = PipelineConfig {
        decode: case.decode.clone(),
        meter: MeterConfig {
            idle_timeout_us: case.idle,
            active_timeout_us: case.active,
            tcp_linger_us: case.linger,
            ..MeterConfig::default()
        },
        workers: NonZeroUsize::new(workers).unwrap(),
        // Another secret each time: flows fall to other workers, and other places of the table.
        hash_secret: (workers * 1000 + block_size) as u64,
        inspection: None,
    };
    let sink = Epochs::default();
    let never = AtomicBool::new(false);
    let (totals, sink) =
        pipeline::run(&mut source, filter, &config, sink, &never, &mut Quiet).unwrap();
    assert!(sink.current.is_empty(), "the last epoch is ended");
    (sink.done, totals)
}

/// Every packet is in a record or was counted as left out, and the counters agree with the records.
fn check_sums(
    packets: &[Captured],
    epochs: &[Epoch],
    totals: &Totals,
) -> Result<(), TestCaseError> {
    let records: Vec<&FlowRecord> = epochs.iter().flat_map(|(_, records)| records).collect();
    let sum =
        |count: fn(&FlowRecord) -> u64| records.iter().map(|record| count(record)).sum::<u64>();
    let in_records = sum(|record| record.forward.packets + record.reverse.packets);
    let octets = sum(|record| record.forward.octets + record.reverse.octets);
    let left_out = totals.decode.ignored_total() + totals.skipped.total() + totals.filtered;
    prop_assert_eq!(packets.len() as u64, in_records + left_out);
    prop_assert_eq!(totals.progress.packets + totals.skipped.total(), packets.len() as u64);
    prop_assert_eq!(totals.meter.packets, in_records);
    prop_assert_eq!(totals.meter.octets, octets);
    prop_assert_eq!(totals.meter.records_total(), records.len() as u64);
    prop_assert_eq!(totals.meter.open, 0);
    for reason in EndReason::ALL {
        let count = records.iter().filter(|record| record.reason == reason).count();
        prop_assert_eq!(totals.meter.records[reason as usize], count as u64, "{}", reason);
    }
    prop_assert!(records.iter().all(|record| record.start <= record.end));
    // What numbers equal flows makes their ids different.
    let mut ids: Vec<_> = records
        .iter()
        .map(|record| {
            let ends = (record.source, record.source_port, record.destination_port);
            let kind = (record.destination, record.protocol, record.key_vlan, record.ip_version);
            let icmp = (record.icmp_type, record.icmp_code);
            (record.start, ends, kind, icmp, record.ordinal)
        })
        .collect();
    ids.sort_unstable();
    let before = ids.len();
    ids.dedup();
    prop_assert_eq!(ids.len(), before, "two records of one start, key and ordinal");
    Ok(())
}

/// The decoder's and meters' counts that workers and blocks must not change. `peak` is a sum over workers.
fn counts(totals: &Totals) -> impl PartialEq + std::fmt::Debug {
    let Totals { progress, skipped, filtered, decode, meter, clock, stopped } = totals.clone();
    let meter = (meter.packets, meter.octets, meter.records, meter.open);
    (progress.packets, skipped, filtered, decode, meter, clock, stopped)
}

proptest! {
    #![proptest_config(Config { cases: 10, max_shrink_iters: 200, ..Config::default() })]

    #[test]
    fn records_do_not_depend_on_workers_or_blocks(case in case()) {
        let packets = packets(&case);
        let file = if case.pcapng {
            let radiotap = Interface { link: 127, ..Interface::default() };
            rockfish_testkit::pcapng(false, &[Interface::default(), radiotap], &packets)
        } else {
            rockfish_testkit::pcap(PcapFormat::default(), &packets)
        };
        let (expected, totals) = meter(&case, &file, 1, 1 << 20);
        check_sums(&packets, &expected, &totals)?;
        for (workers, block_size) in
            [(1, 64), (1, 5_000), (2, 64), (2, 1 << 20), (3, 1_500), (5, 64), (5, 20_000)]
        {
            let (epochs, found) = meter(&case, &file, workers, block_size);
            prop_assert_eq!(
                counts(&found), counts(&totals), "{} workers, blocks of {}", workers, block_size
            );
            for (at, (epoch, same)) in epochs.iter().zip(&expected).enumerate() {
                prop_assert_eq!(
                    epoch, same, "{} workers, blocks of {}, epoch {}", workers, block_size, at
                );
            }
            prop_assert_eq!(epochs.len(), expected.len());
        }
    }
}

/// The files and lines of a run with so many workers.
fn outputs(input: &str, options: &str, workers: usize) -> impl PartialEq + Clone {
    let folder = tempfile::tempdir().unwrap();
    let mut command = probe(folder.path(), options);
    command.args(["-i", input, "-o", "flows", "--json", "flows.json"]);
    command.args(["--workers", &workers.to_string(), "-q"]);
    let ran = run(&mut command);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""), "{input}");
    let written = files(&folder.path().join("flows"));
    assert!(!written.is_empty(), "{input}");
    (written, fs::read_to_string(folder.path().join("flows.json")).unwrap())
}

fn same_for_all_workers(input: &Path, options: &str) {
    let input = input.to_str().unwrap();
    let one = outputs(input, options, 1);
    for workers in [2, 4] {
        // Not by assert_eq: files of octets are nothing to print.
        assert!(outputs(input, options, workers) == one, "{input}: {workers} workers, {options}");
    }
}

#[test]
fn files_are_equal_octet_by_octet() {
    for (name, options) in [
        ("seed/mercury-capture2.pcap", "--row-group-size 7 --parquet-batch-size 100"),
        ("seed/ipfixprobe-mixed.pcap", "--tunnels inner --vlan-key --icmp-key"),
        (
            "seed/zeek-gtp1_gn_normal_incl_fragmentation.pcap",
            "--row-group-size 3 --parquet-batch-size 40",
        ),
        ("seed/zeek-leak_test.pcap", "--idle-timeout 5 --active-timeout 20 --tcp-linger 0"),
        ("edge/zeek-pcapng-multi-interface.pcapng", ""),
        ("edge/zeek-mpls-6in6-broken.pcap.gz", "--tunnels inner"),
        ("edge/zeek-udp.pcap", "--udp-uniflow 1"),
    ] {
        same_for_all_workers(&capture(name), options);
    }
}

#[test]
fn files_of_a_longer_capture_are_equal_octet_by_octet() {
    let folder = tempfile::tempdir().unwrap();
    let once = packets_of(&capture("seed/mercury-capture2.pcap"));
    let (begin, end) = (once.first().unwrap().0, once.iter().map(|(time, _)| *time).max().unwrap());
    // Half a day apart, some of them with other hosts at the same time, so that many flows end in one second.
    let mut packets = Vec::new();
    for round in 0..4_u64 {
        let shift = round / 2 * (43_200 * S).max(end - begin + 400 * S);
        for (time, frame) in &once {
            let mut frame = frame.clone();
            if round % 2 == 1 && frame.len() > 34 && frame[12..14] == [8, 0] {
                frame[27] ^= 0x40;
                frame[31] ^= 0x40;
            }
            packets.push((time + shift, frame));
        }
    }
    packets.sort_by_key(|(time, _)| *time);
    let at = folder.path().join("long.pcap");
    write_capture(&at, &packets);
    for options in [
        "--row-group-size 50 --parquet-batch-size 333",
        "--row-group-size 64 --hive-partitioning --rotate-interval 3600",
    ] {
        same_for_all_workers(&at, options);
    }
    let ran =
        run(&mut probe(folder.path(), "-i long.pcap -o flows --stats --parquet-batch-size 333"));
    assert_eq!(ran.statistic("packets read"), packets.len() as u64);
    let rows = rows(&folder.path().join("flows"));
    assert_eq!(common::packets(&rows) + ran.statistic("ignored"), packets.len() as u64);
    assert_eq!(rows.len() as u64, ran.statistic("flows"));
    assert!(files(&folder.path().join("flows")).len() > 3);
}

#[test]
fn icmp_flows_of_one_moment_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let echo = |kind: u8, host: u8| {
        common::between("10.0.0.1", &format!("10.0.0.{host}")).icmp(kind, 0, [0; 4]).build()
    };
    let packets: Vec<_> = (2..40)
        .flat_map(|host| [8, 13, 15, 17].map(|kind| (common::DAY_BEGIN, echo(kind, host))))
        .collect();
    let at = folder.path().join("icmp.pcap");
    write_capture(&at, &packets);
    for round in 0..3 {
        same_for_all_workers(&at, "--icmp-key");
        let flows = format!("flows-{round}");
        assert_eq!(
            run(&mut probe(folder.path(), &format!("-i icmp.pcap -o {flows} --icmp-key"))).code,
            Some(0)
        );
        let rows = rows(&folder.path().join(flows));
        let mut ids: Vec<&str> = rows.iter().map(|row| common::text(row, "flowid")).collect();
        ids.dedup();
        assert_eq!((rows.len(), ids.len()), (packets.len(), packets.len()), "each has its id");
    }
}

/// At the end one worker may have its last open flow long before the first one has handed over its own: nobody may wait for it
/// then. Which worker gets which flow, the secret decides.
#[test]
fn a_worker_that_has_handed_over_all_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spread.pcap");
    let packets: Vec<_> = (0..24)
        .map(|i: u16| (u64::from(i) * S, common::udp(("10.0.0.1", 1024 + i), ("192.0.2.1", 53))))
        .collect();
    write_capture(&path, &packets);
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for hash_secret in 0..200 {
            let config = PipelineConfig {
                decode: DecodeConfig::default(),
                meter: MeterConfig::default(),
                workers: NonZeroUsize::new(2).unwrap(),
                hash_secret,
                inspection: None,
            };
            let (records, _) = pipeline::meter_file(path.to_str().unwrap(), &config).unwrap();
            done.send(records.len()).unwrap();
        }
    });
    for secret in 0..200 {
        let records = ended.recv_timeout(std::time::Duration::from_secs(60));
        assert_eq!(records, Ok(24), "secret {secret}");
    }
}
