//! What is written where, and what the options change about it.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;

use common::{
    DAY_BEGIN, Row, S, between, capture, files, json_lines, number, packets, packets_of, probe,
    rows, rows_by_file, run, run_with_input, tally, text, udp, write_capture,
};
use rockfish_schema::{Tier, columns};
use rockfish_testkit::PacketBuilder;
use serde_json::Value;

const DAY: u64 = 86_400 * S;

/// A JSON line's value as the Parquet column has it.
fn as_column(name: &str, line: &Row, json_name: &str) -> Value {
    let Some(value) = line.get(json_name) else { return Value::Null };
    match name {
        // "2024-03-01T00:00:00.123Z" is compared at its own precision.
        "stime" | "etime" => {
            let text = value.as_str().unwrap();
            assert!(text.len() == 24 && text.ends_with('Z'), "{text}");
            Value::from(text)
        }
        "proto" => Value::from(match value.as_u64().unwrap() {
            1 => "ICMP".to_owned(),
            2 => "IGMP".to_owned(),
            6 => "TCP".to_owned(),
            17 => "UDP".to_owned(),
            47 => "GRE".to_owned(),
            58 => "IPV6-ICMP".to_owned(),
            132 => "SCTP".to_owned(),
            other => panic!("a protocol that the captures of this test do not have: {other}"),
        }),
        _ => value.clone(),
    }
}

/// Microseconds since the epoch as ISO 8601 with milliseconds, by the calendar of RFC 3339, appendix B turned around.
fn iso(micros: i64) -> String {
    let (mut days, rest) = (micros.div_euclid(DAY as i64), micros.rem_euclid(DAY as i64));
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + i64::from(leap(year)) {
        days -= 365 + i64::from(leap(year));
        year += 1;
    }
    let february = 28 + i64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (millis, seconds) = (rest / 1000 % 1000, rest / 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let day = days + 1;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[test]
fn json_lines_say_what_the_rows_say() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert_eq!(iso(DAY_BEGIN as i64 - 1), "2024-02-29T23:59:59.999Z");
    // Names that the manual and RFC 7012 have, beside those of the table.
    let fixed = [
        ("stime", "flowStartMilliseconds"),
        ("etime", "flowEndMilliseconds"),
        ("sport", "sourceTransportPort"),
        ("sbytes", "octetTotalCount"),
        ("dbytes", "reverseOctetTotalCount"),
        ("spkts", "packetTotalCount"),
        ("reason", "flowEndReason"),
    ];
    let names: BTreeMap<&str, &str> = columns(Tier::Community, &[])
        .iter()
        .map(|column| (column.name, column.json))
        .chain(fixed)
        .collect();
    assert_eq!(names.len(), 44);
    for name in [
        "seed/mercury-capture2.pcap",
        "seed/ipfixprobe-mixed.pcap",
        "seed/zeek-gre-within-gre.pcap",
        "edge/zeek-icmp6-ping.pcap",
        "edge/zeek-raw_layer.pcap",
        "edge/zeek-sctp.pcap",
    ] {
        let ran = run(probe(at, "--json - -q").args(["-o", name, "-i"]).arg(capture(name)));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{name}");
        let ran_to_file = run(probe(at, "--json lines.json -q -i").arg(capture(name)));
        assert_eq!((ran_to_file.code, ran_to_file.out.as_str()), (Some(0), ""), "{name}");
        assert_eq!(fs::read_to_string(at.join("lines.json")).unwrap(), ran.out, "{name}");
        let lines = json_lines(&ran.out);
        let by_id: BTreeMap<&str, &Row> =
            lines.iter().map(|line| (text(line, "flowId"), line)).collect();
        let rows = rows(&at.join(name));
        assert_eq!((rows.len(), by_id.len()), (lines.len(), lines.len()), "{name}");
        for row in &rows {
            let line = by_id[text(row, "flowid")];
            assert_eq!(row.len(), 44, "{name}");
            for (column, json) in &names {
                let expected = match *column {
                    "stime" | "etime" => Value::from(iso(number(row, column))),
                    _ => row[*column].clone(),
                };
                assert_eq!(as_column(column, line, json), expected, "{name}: {column} {line:?}");
            }
            let version = if text(row, "saddr").contains(':') { 6 } else { 4 };
            assert_eq!(line["ipVersion"], version, "{name}");
            let nulls = row.values().filter(|value| value.is_null()).count();
            assert_eq!(line.len(), 44 + 1 - nulls, "{name}: nothing else is there");
        }
    }
}

#[test]
fn every_way_to_name_a_capture_gives_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let plain = fs::read(capture("seed/zeek-leak_test.pcap")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(&plain[..], 1).unwrap();
    fs::create_dir(at.join("in")).unwrap();
    for (name, octets) in [
        ("in/a.pcap", &plain),
        ("b.pcap.gz", &gzip),
        ("b.pcap.zst", &zstd),
        // What it is, its first octets say.
        ("gzip without a name for it", &gzip),
    ] {
        fs::write(at.join(name), octets).unwrap();
    }
    let absolute = at.join("in/a.pcap");
    let mut expected = None;
    for (index, source) in [
        "in/a.pcap",
        absolute.to_str().unwrap(),
        "in",
        "in/*.pcap",
        "i[n]/?.pcap",
        "b.pcap.gz",
        "b.pcap.zst",
        "gzip without a name for it",
    ]
    .iter()
    .enumerate()
    {
        let flows = format!("flows-{index}");
        let ran = run(probe(at, "-q -o").args([&flows, "-i", source]));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{source}");
        let written = files(&at.join(flows));
        assert!(*expected.get_or_insert_with(|| written.clone()) == written, "{source}");
    }
    for (name, octets) in [("plain", &plain), ("gzip", &gzip), ("zstd", &zstd)] {
        let ran = run_with_input(&mut probe(at, &format!("-q -i - -o {name}")), octets);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{name}");
        assert!(expected.as_ref() == Some(&files(&at.join(name))), "{name} on standard input");
    }
    let ran = run(&mut probe(at, "-q -o flows --dump-config -i in/a.pcap"));
    assert_eq!(ran.code, Some(0));
    fs::write(at.join("probe.yaml"), ran.out).unwrap();
    assert_eq!(run(&mut probe(at, "-q -c probe.yaml")).code, Some(0));
    assert!(expected.as_ref() == Some(&files(&at.join("flows"))), "by a configuration file");
}

#[test]
fn files_of_a_pattern_are_read_by_time_not_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let packets: Vec<_> = (0..60)
        .map(|i| (DAY_BEGIN + i * 10 * S, udp(("10.0.0.1", 1000 + i as u16 % 3), ("10.0.0.2", 53))))
        .collect();
    write_capture(&at.join("whole.pcap"), &packets);
    fs::create_dir(at.join("parts")).unwrap();
    for (name, part) in [("c", 0..20), ("a", 20..40), ("b", 40..60)] {
        write_capture(&at.join(format!("parts/{name}.pcap")), &packets[part]);
    }
    for (source, flows) in [("whole.pcap", "x"), ("parts/*", "y"), ("parts", "z")] {
        let ran = run(probe(at, "-q --idle-timeout 30 -i").args([source, "-o", flows]));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
    assert_eq!(rows(&at.join("x")).len(), 3, "flows go on from file to file");
    assert!(files(&at.join("x")) == files(&at.join("y")));
    assert!(files(&at.join("x")) == files(&at.join("z")));
}

/// The transport header of an Ethernet frame with IPv4 or IPv6 and no VLAN tag: protocol and ports.
fn transport(frame: &[u8]) -> Option<(u8, u16, u16)> {
    let be16 = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let (protocol, at) = match be16(12)? {
        // Not a later fragment, which has no ports.
        0x0800 if be16(20)? & 0x1fff == 0 => (frame[23], 14 + usize::from(frame[14] & 15) * 4),
        0x86dd => (frame[20], 54),
        _ => return None,
    };
    Some((protocol, be16(at)?, be16(at + 2)?))
}

#[test]
fn filters_let_through_what_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mixed = capture("seed/mercury-capture2.pcap");
    let all = packets_of(&mixed);
    let count = |matches: fn((u8, u16, u16)) -> bool| {
        all.iter().filter(|(_, frame)| transport(frame).is_some_and(matches)).count() as u64
    };
    let tcp = count(|(protocol, ..)| protocol == 6);
    let dns = count(|(protocol, a, b)| protocol == 17 && (a == 53 || b == 53));
    let web = count(|(protocol, a, b)| protocol == 6 && (a == 80 || b == 80));
    // What tcpdump 4.99.3 counts with these expressions.
    assert_eq!((tcp, dns, web), (4019, 781, 924));
    for (filter, expected) in [
        ("tcp", tcp),
        ("udp port 53", dns),
        ("tcp port 80 and not udp", web),
        ("tcp or udp port 53", tcp + dns),
        ("  ", u64::MAX),
    ] {
        let flows = format!("flows-{expected}");
        let ran =
            run(probe(at, "-v --stats -i").arg(&mixed).args(["--filter", filter, "-o", &flows]));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let found = packets(&rows(&at.join(flows)));
        if expected == u64::MAX {
            assert_eq!(found + ran.statistic("ignored"), all.len() as u64, "no filter");
            continue;
        }
        assert_eq!(found, expected, "{filter}");
        assert_eq!(ran.statistic("left out by the filter"), all.len() as u64 - expected);
        assert_eq!(ran.statistic("packets read"), all.len() as u64);
    }
    // A filter applies to the frame: what is in a VLAN is named by `vlan`.
    let tagged = |id: u16| {
        PacketBuilder::ethernet([2; 6], [4; 6])
            .vlan(id)
            .ip("10.0.0.1", "10.0.0.2")
            .udp(1, 2)
            .build()
    };
    let packets_of_vlans: Vec<_> =
        (0..10).map(|i| (DAY_BEGIN + i, tagged(1 + i as u16 % 3))).collect();
    write_capture(&at.join("vlans.pcap"), &packets_of_vlans);
    for (filter, expected) in [("udp", 0), ("vlan 2", 3), ("vlan and udp", 10)] {
        let ran = run(probe(at, "--stats -i vlans.pcap -o vlans").args(["--filter", filter]));
        assert_eq!(ran.statistic("packets in flows"), expected, "{filter}");
    }
}

/// A packet of another flow every ten minutes for four days.
fn four_days(path: &Path) -> usize {
    let packets: Vec<_> = (0..4 * 144_u16)
        .map(|i| {
            (DAY_BEGIN + u64::from(i) * 600 * S, udp(("10.0.0.1", 2000 + i), ("10.0.0.2", 53)))
        })
        .collect();
    write_capture(path, &packets);
    packets.len()
}

#[test]
fn files_are_begun_anew_as_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let flows = four_days(&at.join("days.pcap"));
    let write = |options: &str, into: &str| {
        let ran = run(&mut probe(at, &format!("-q -i days.pcap -o {into} {options}")));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{options}");
        rows_by_file(&at.join(into))
    };
    let one = write("", "one");
    assert_eq!(one.keys().collect::<Vec<_>>(), ["rockfish-v1-20240301-000000.parquet"]);
    let all = rows(&at.join("one"));
    assert_eq!(all.len(), flows);

    // A flow is handed over with the next packet, ten minutes after it began: exactly 36 in each quarter of a day.
    let quarters = write("--rotate-interval 21600", "quarters");
    assert_eq!(quarters.len(), 16);
    for (index, (name, rows)) in quarters.iter().enumerate() {
        assert_eq!(rows.len(), 36, "{name}");
        let (day, hour) = (1 + index / 4, index % 4 * 6);
        assert_eq!(name, &format!("rockfish-v1-202403{day:02}-{hour:02}0000.parquet"));
    }

    let days = write("--hive-boundary-flush --parquet-prefix edge-7", "days");
    let expected: Vec<String> =
        (1..=4).map(|day| format!("edge-7-v1-202403{day:02}-000000.parquet")).collect();
    assert_eq!(days.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());

    let hive = write("--hive-partitioning", "hive");
    let expected: Vec<String> = (1..=4)
        .map(|day| {
            format!("v1/year=2024/month=03/day={day:02}/rockfish-v1-202403{day:02}-000000.parquet")
        })
        .collect();
    assert_eq!(hive.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    for rows in days.values().chain(hive.values()) {
        assert_eq!(rows.len(), 144);
        let days: BTreeSet<i64> =
            rows.iter().map(|row| number(row, "stime") / DAY as i64).collect();
        assert_eq!(days.len(), 1);
    }

    let batches = write("--parquet-batch-size 100 --row-group-size 30", "batches");
    let mut sizes: Vec<usize> = batches.values().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [76, 100, 100, 100, 100, 100]);

    let both = write("--parquet-batch-size 100 --hive-boundary-flush", "both");
    let mut sizes: Vec<usize> = both.values().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [44, 44, 44, 44, 100, 100, 100, 100]);

    for into in ["quarters", "days", "hive", "batches", "both"] {
        assert!(rows(&at.join(into)) == all, "{into}: the rows are the same, however they are cut");
    }
    // A second run beside the first takes nothing away from it.
    let before = files(&at.join("one"));
    let twice = write("", "one");
    assert_eq!(
        twice.keys().collect::<Vec<_>>(),
        ["rockfish-v1-20240301-000000-1.parquet", "rockfish-v1-20240301-000000.parquet"]
    );
    let after = files(&at.join("one"));
    assert!(before.iter().all(|(name, octets)| after[name] == *octets));
}

#[test]
fn files_hold_what_readers_look_for() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    four_days(&at.join("days.pcap"));
    assert_eq!(run(&mut probe(at, "-q -i days.pcap -o flows --row-group-size 100")).code, Some(0));
    let name = at.join("flows/rockfish-v1-20240301-000000.parquet");
    let file = SerializedFileReader::new(fs::File::open(name).unwrap()).unwrap();
    let metadata = file.metadata().file_metadata();
    let pairs: BTreeMap<&str, &str> = metadata
        .key_value_metadata()
        .unwrap()
        .iter()
        .map(|pair| (pair.key.as_str(), pair.value.as_deref().unwrap_or_default()))
        .collect();
    let producer = concat!("rockfish_probe ", env!("CARGO_PKG_VERSION"));
    for (key, value) in [
        ("rockfish.schema_version", "1"),
        ("rockfish.tier", "community"),
        ("rockfish.observation", "gnat"),
        ("rockfish.producer", producer),
    ] {
        assert_eq!(pairs.get(key), Some(&value), "{key}");
    }
    let found: Vec<&str> =
        metadata.schema_descr().columns().iter().map(|column| column.name()).collect();
    let expected: Vec<&str> =
        columns(Tier::Community, &[]).iter().map(|column| column.name).collect();
    assert_eq!(found, expected);
    let groups: Vec<i64> =
        file.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [100, 100, 100, 100, 100, 76]);
}

/// Meters `packets` with and without the option; the rows of both.
fn with_and_without(packets: &[(u64, Vec<u8>)], option: &str) -> (Vec<Row>, Vec<Row>) {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_capture(&at.join("a.pcap"), packets);
    for (line, into) in [("", "without"), (option, "with")] {
        let ran = run(&mut probe(at, &format!("-q -i a.pcap -o {into} {line}")));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{line}");
        let found = rows(&at.join(into));
        assert_eq!(common::packets(&found), packets.len() as u64, "{line}");
    }
    (rows(&at.join("with")), rows(&at.join("without")))
}

#[test]
fn no_frag_meters_fragments_by_themselves() {
    let datagram = between("10.0.0.1", "10.0.0.2").udp(5000, 53).payload(&[7; 1000]);
    let packets: Vec<_> = (DAY_BEGIN..).zip(datagram.fragments(400)).collect();
    assert_eq!(packets.len(), 3);
    let (with, without) = with_and_without(&packets, "--no-frag");
    let [whole] = &without[..] else { panic!("{without:?}") };
    assert_eq!((number(whole, "spkts"), number(whole, "sport")), (3, 5000));
    assert_eq!((number(whole, "snonemptypktcnt"), number(whole, "smaxpktsize")), (1, 1000));
    let [first, later] = &with[..] else { panic!("{with:?}") };
    assert_eq!((number(first, "spkts"), number(first, "sport")), (1, 5000));
    assert_eq!((number(later, "spkts"), number(later, "sport")), (2, 0));
    assert_eq!(number(whole, "sbytes"), number(first, "sbytes") + number(later, "sbytes"));
}

#[test]
fn tunnels_inner_meters_what_travels_inside() {
    let inner = |builder: PacketBuilder| {
        builder.ip("192.168.0.1", "192.168.0.2").tcp(1000, 443, "S", 1, 0).build()
    };
    let outside = || between("10.0.0.1", "10.0.0.2");
    let packets = vec![
        (DAY_BEGIN, inner(outside().gre(None, None))),
        (DAY_BEGIN + 1, inner(outside().udp(9, 4789).vxlan(5).inner_ethernet([6; 6], [8; 6]))),
        (DAY_BEGIN + 2, inner(outside())),
        (
            DAY_BEGIN + 3,
            inner(outside().udp(9, 6081).geneve(5, &[]).inner_ethernet([6; 6], [8; 6])),
        ),
        (DAY_BEGIN + 4, udp(("10.0.0.1", 1), ("10.0.0.2", 2))),
    ];
    let (with, without) = with_and_without(&packets, "--tunnels inner");
    let outer = tally(&without, "proto");
    assert_eq!(outer, [("GRE", 1), ("IPV4", 1), ("UDP", 3)].into(), "{without:?}");
    assert!(without.iter().all(|row| text(row, "saddr") == "10.0.0.1"));
    assert_eq!(tally(&with, "proto"), [("TCP", 1), ("UDP", 1)].into());
    let inside = with.iter().find(|row| text(row, "proto") == "TCP").unwrap();
    assert_eq!((text(inside, "saddr"), number(inside, "spkts")), ("192.168.0.1", 4));
    assert_eq!(number(inside, "sbytes"), 4 * 40, "octets of the inner packets");
}

#[test]
fn udp_uniflow_makes_a_record_of_each_packet_of_the_port() {
    let (client, server) = ("10.0.0.1", "10.0.0.2");
    let mut packets = Vec::new();
    for i in 0..4 {
        for port in [53, 123] {
            let time = DAY_BEGIN + i * 10;
            packets.push((time, udp((client, 5000), (server, port))));
            packets.push((time + 5, udp((server, port), (client, 5000))));
        }
    }
    let (with, without) = with_and_without(&packets, "--udp-uniflow 53");
    assert_eq!(without.len(), 2);
    assert!(without.iter().all(|row| (number(row, "spkts"), number(row, "dpkts")) == (4, 4)));
    let is_dns = |row: &&Row| number(row, "sport") == 53 || number(row, "dport") == 53;
    let dns: Vec<&Row> = with.iter().filter(is_dns).collect();
    assert_eq!((with.len(), dns.len()), (9, 8));
    assert!(dns.iter().all(|row| (number(row, "spkts"), number(row, "dpkts")) == (1, 0)));
    let ids: BTreeSet<&str> = with.iter().map(|row| text(row, "flowid")).collect();
    assert_eq!(ids.len(), 9);
    let (all, _) = with_and_without(&packets, "--udp-uniflow 1");
    assert_eq!(all.len(), 16);
}

#[test]
fn max_flows_evicts_those_idle_for_longest() {
    // Flow 0 is kept alive; the others come one after the other.
    let packets: Vec<_> = (0..40)
        .map(|i| {
            let flow = if i % 2 == 0 { 0 } else { i };
            (DAY_BEGIN + i * 1000, udp(("10.0.0.1", 1000 + flow as u16), ("10.0.0.2", 53)))
        })
        .collect();
    for workers in [1, 4] {
        let (with, without) =
            with_and_without(&packets, &format!("--max-flows 5 --workers {workers}"));
        assert_eq!(tally(&without, "reason"), [("eof", 21)].into());
        assert_eq!(tally(&with, "reason"), [("eof", 5), ("resource", 16)].into());
        for row in &with {
            let flow = number(row, "sport") - 1000;
            let expected = if flow == 0 || flow > 31 { "eof" } else { "resource" };
            assert_eq!(text(row, "reason"), expected, "{flow}");
        }
    }
}

#[test]
fn switches_change_what_they_name_and_nothing_else() {
    let tagged = |id: u16, port: u16| {
        let ethernet = PacketBuilder::ethernet([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]);
        ethernet.vlan(id).ip("10.0.0.1", "10.0.0.2").udp(port, 53).payload(b"0123456789").build()
    };
    let echo = |kind: u8| between("10.0.0.3", "10.0.0.4").icmp(kind, 0, [0; 4]).build();
    let packets = vec![
        (DAY_BEGIN, tagged(1, 1000)),
        (DAY_BEGIN + 1, tagged(2, 1000)),
        (DAY_BEGIN + 2, echo(8)),
        (DAY_BEGIN + 3, echo(13)),
        (DAY_BEGIN + 20 * S, tagged(1, 1001)),
        (DAY_BEGIN + 40 * S, tagged(1, 1001)),
        (DAY_BEGIN + 60 * S, tagged(1, 1001)),
    ];
    let (with, without) = with_and_without(&packets, "--no-mac");
    assert_eq!(without.len(), 3);
    for (bare, row) in with.iter().zip(&without) {
        assert_eq!(text(row, "smac"), "02:00:00:00:00:01");
        assert_eq!(text(row, "dmac"), "02:00:00:00:00:02");
        let mut expected = row.clone();
        expected["smac"] = Value::Null;
        expected["dmac"] = Value::Null;
        assert_eq!(*bare, expected);
    }
    for (option, rows) in [
        ("--vlan-key", 4),
        ("--icmp-key", 4),
        ("--idle-timeout 10", 5),
        ("--active-timeout 30", 4),
        ("--idle-timeout 20", 3),
        ("--workers 2", 3),
    ] {
        let (with, without) = with_and_without(&packets, option);
        assert_eq!((with.len(), without.len()), (rows, 3), "{option}");
    }
    let (with, without) = with_and_without(&packets, "--max-payload 4");
    let entropy = |rows: &[Row]| rows.iter().map(|row| number(row, "sentropy")).collect::<Vec<_>>();
    // Ten different octets have log2(10) bits, four have two, on a scale of 32 for each; the echoes are empty.
    assert_eq!(entropy(&without), [106, 0, 106]);
    assert_eq!(entropy(&with), [64, 0, 64]);
    let (with, without) = with_and_without(&packets, "--snaplen 50");
    assert_eq!(entropy(&with), [64, 0, 64], "46 octets of headers are before the payload");
    let octets = |rows: &[Row]| rows.iter().map(|row| number(row, "sbytes")).collect::<Vec<_>>();
    assert_eq!(octets(&with), octets(&without), "what was on the wire counts");
}

#[test]
fn the_log_goes_where_it_is_sent_and_standard_output_stays_clean() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let octets = fs::read(capture("seed/ipfixprobe-http.pcap")).unwrap();
    fs::write(at.join("cut.pcap"), &octets[..octets.len() - 7]).unwrap();
    let log_of = |folder: &str| -> String {
        let logs = files(&at.join(folder));
        let [(name, text)] = &logs.into_iter().collect::<Vec<_>>()[..] else { panic!("one file") };
        assert!(name.starts_with("probe.20") && name.ends_with(".log"), "{name}");
        String::from_utf8(text.clone()).unwrap()
    };

    let ran = run(&mut probe(at, "-i cut.pcap --json - --log-file logs/probe.log -vv"));
    assert_eq!(ran.code, Some(0));
    assert!(!json_lines(&ran.out).is_empty(), "every line of standard output is a flow");
    assert_eq!((ran.logged("WARN").len(), ran.logged("INFO").len()), (1, 0), "{}", ran.err);
    let log = log_of("logs");
    assert!(log.contains(" WARN ") && log.contains("cut at byte"), "{log}");
    assert!(log.contains(" INFO ") && log.contains("packets="), "{log}");

    let line = "-i cut.pcap -o flows --log-file json/probe.log -v --log-format json --stats";
    let ran = run(&mut probe(at, line));
    assert_eq!(ran.code, Some(0));
    let lines = json_lines(&log_of("json"));
    assert!(lines.iter().any(|line| line["level"] == "WARN"), "{lines:?}");
    assert!(lines.iter().any(|line| line["level"] == "INFO" && line["packets"].is_u64()));
    assert_eq!(json_lines(&ran.err).len(), 1, "{}", ran.err);
    assert!(ran.statistic("packets read") > 0, "{}", ran.out);

    let ran = run(&mut probe(at, "-i cut.pcap -o flows -q"));
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    let ran = run(&mut probe(at, "-i cut.pcap -o flows -q --strict"));
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(3), "", ""));
    // Failures are said even so.
    let ran = run(&mut probe(at, "-i cut.pcap -o cut.pcap -q"));
    assert_eq!((ran.code, ran.lines("error: ").len()), (Some(1), 1));

    let ran = run(&mut probe(at, "-i cut.pcap --json - --stats -q"));
    assert!(!json_lines(&ran.out).is_empty(), "statistics do not mix with flows");
    assert!(ran.err.contains("packets read"), "{}", ran.err);
    let ran = run(&mut probe(at, "-i cut.pcap -o flows --progress always -q"));
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
}
