//! The comparison itself: what is equal must be found equal, and a single wrong number must not pass.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rockfish_flow::{Address, DirectionStats, EndReason, FlowRecord, TcpFlags, Timestamp};
use rockfish_testkit::{Cause, YafDirection, YafFlow, YafRules, YafTable, captures, compare};

fn table() -> YafTable {
    YafTable::open(&captures().join("expected/yaf-2.16.4-flows.csv.gz")).expect("the table")
}

fn address(ip: IpAddr) -> Address {
    let mut address = [0; 16];
    match ip {
        IpAddr::V4(ip) => address[..4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => address = ip.octets(),
    }
    address
}

fn direction(yaf: &YafDirection) -> DirectionStats {
    let (n, sum, deviation) =
        (u64::from(yaf.nonempty_packets), yaf.payload_octets, u64::from(yaf.stdev_payload));
    DirectionStats {
        packets: yaf.packets,
        octets: yaf.octets,
        payload_octets: sum,
        // Any sum of squares that gives the deviation.
        payload_squares: if n == 0 {
            0
        } else {
            (deviation * deviation * n * n + sum * sum).div_ceil(n)
        },
        small_packets: yaf.small_packets,
        large_packets: yaf.large_packets,
        nonempty_packets: yaf.nonempty_packets,
        tcp_sequence: yaf.tcp_sequence.unwrap_or(0),
        first_nonempty: yaf.first_nonempty,
        max_payload: yaf.max_payload,
        vlan: yaf.vlan.unwrap_or(0),
        entropy: yaf.entropy.unwrap_or(0),
        ttl: 64,
    }
}

/// The record that we would have to have.
fn record(yaf: &YafFlow) -> FlowRecord {
    let reasons =
        [EndReason::Idle, EndReason::Active, EndReason::End, EndReason::Eof, EndReason::Resource];
    let icmp = matches!(yaf.protocol, 1 | 58);
    let [kind, code] = yaf.destination_port.to_be_bytes();
    let flags = |side: &YafDirection| {
        side.initial_flags.unwrap_or_default() | side.union_flags.unwrap_or_default()
    };
    FlowRecord {
        start: Timestamp::from_micros(yaf.start_ms * 1000 + 999),
        end: Timestamp::from_micros(yaf.end_ms * 1000 + 999),
        source: address(yaf.source),
        destination: address(yaf.destination),
        source_port: yaf.source_port,
        destination_port: if icmp { 0 } else { yaf.destination_port },
        ip_version: if yaf.source.is_ipv4() { 4 } else { 6 },
        protocol: yaf.protocol,
        reason: reasons[usize::from(yaf.end_reason) - 1],
        initial_flags: yaf.forward.initial_flags.unwrap_or_default(),
        union_flags: flags(&yaf.forward) | flags(&yaf.reverse),
        icmp_type: if icmp { kind } else { 0 },
        icmp_code: if icmp { code } else { 0 },
        key_vlan: yaf.forward.vlan.unwrap_or(0),
        rtt_us: 0,
        ordinal: 0,
        forward: direction(&yaf.forward),
        reverse: direction(&yaf.reverse),
        first_directions: yaf.first_directions,
        first_count: 0,
        first_gaps_us: [0; 8],
        macs: (yaf.macs != Default::default()).then_some(yaf.macs),
        labels: None,
    }
}

#[test]
fn the_whole_table_is_equal_to_itself() {
    let mut equal = 0;
    for (capture, flows) in table().captures() {
        // Its one record has a payload of 2^32 - 28 octets, which nothing of ours can hold.
        if capture == "edge/zeek-ip-bogus-header-len.pcap" {
            continue;
        }
        let ours: Vec<FlowRecord> = flows.iter().map(record).collect();
        let comparison = compare(capture, &ours, flows, YafRules::ALL);
        assert_eq!(comparison.differences, [], "{capture}: {}", comparison.differences[0]);
        equal += comparison.equal;
    }
    assert_eq!(equal, 4346);
}

#[test]
fn one_wrong_number_does_not_pass() {
    type Change = fn(&mut FlowRecord);
    let changes: [(&str, Change); 22] = [
        ("start", |flow| flow.start = flow.start.plus_micros(1000)),
        ("end", |flow| flow.end = flow.end.plus_micros(1000)),
        ("reason", |flow| flow.reason = EndReason::Resource),
        ("union_flags", |flow| flow.union_flags |= TcpFlags::URG),
        ("initial_flags", |flow| flow.initial_flags |= TcpFlags::URG),
        ("forward.tcp_sequence", |flow| flow.forward.tcp_sequence -= 1),
        ("reverse.tcp_sequence", |flow| flow.reverse.tcp_sequence -= 1),
        ("first_directions", |flow| flow.first_directions ^= 1),
        ("source_mac", |flow| flow.macs = flow.macs.map(|(_, destination)| ([9; 6], destination))),
        ("destination_mac", |flow| flow.macs = flow.macs.map(|(source, _)| (source, [9; 6]))),
        ("forward.packets", |flow| flow.forward.packets += 1),
        ("reverse.octets", |flow| flow.reverse.octets += 1),
        ("forward.payload_octets", |flow| flow.forward.payload_octets += 1),
        ("reverse.small_packets", |flow| flow.reverse.small_packets += 1),
        ("forward.large_packets", |flow| flow.forward.large_packets += 1),
        ("reverse.nonempty_packets", |flow| flow.reverse.nonempty_packets += 1),
        ("forward.first_nonempty", |flow| flow.forward.first_nonempty += 1),
        ("reverse.max_payload", |flow| flow.reverse.max_payload += 1),
        ("forward.mean_payload", |flow| flow.forward.payload_octets += 1000),
        ("reverse.stdev_payload", |flow| flow.reverse.payload_squares *= 4),
        ("forward.vlan", |flow| flow.forward.vlan = 7),
        ("record", |flow| flow.source_port ^= 1),
    ];
    let table = table();
    // A TCP flow with several non-empty packets both ways, but not many, from a capture about which nothing is special.
    let capture = "seed/mercury-smb.pcap";
    let several =
        |side: &YafDirection| (2..=10).contains(&side.nonempty_packets) && side.stdev_payload > 0;
    let flows = table.flows(capture);
    let at =
        flows.iter().position(|flow| several(&flow.forward) && several(&flow.reverse)).unwrap();
    let yaf = &flows[at..=at];
    for (field, change) in changes {
        let mut ours = record(&yaf[0]);
        if field == "initial_flags" || field.ends_with("sequence") {
            // YAF's may only be lower.
            ours.forward.tcp_sequence -= 2;
        }
        change(&mut ours);
        let comparison = compare(capture, &[ours], yaf, YafRules::ALL);
        let found =
            comparison.unexplained().flat_map(|one| &one.fields).any(|one| one.field == field);
        assert!(found, "{field}: {:?}", comparison.differences);
        assert!(comparison.equal + comparison.equal_but_for_definitions() == 0, "{field}");
    }
}

#[test]
fn causes_need_their_sign() {
    let table = table();
    let tcp = table
        .flows("seed/ipfixprobe-smtp.pcap")
        .iter()
        .find(|flow| flow.forward.nonempty_packets > 10)
        .unwrap();
    let check = |yaf: &YafFlow, rules, change: fn(&mut FlowRecord)| {
        let mut ours = record(yaf);
        change(&mut ours);
        let comparison = compare("any", &[ours], std::slice::from_ref(yaf), rules);
        comparison
            .differences
            .iter()
            .map(|one| (one.causes(), one.is_explained()))
            .collect::<Vec<_>>()
    };
    let deviation = check(tcp, YafRules::ALL, |flow| flow.forward.payload_squares *= 2);
    assert_eq!(deviation, [(vec![Cause::DeviationOfTen], true)]);
    let entropy = check(tcp, YafRules::ALL, |flow| flow.forward.entropy -= 1);
    assert_eq!(entropy, [(vec![Cause::EntropyFrameStart], true)]);
    // A lost packet is not explained by another rule's sign.
    let lost = check(tcp, YafRules::ALL, |flow| flow.forward.packets -= 1);
    assert_eq!(lost, [(vec![], false)]);
    let lost = check(tcp, YafRules { no_linger: false, ..YafRules::ALL }, |flow| {
        flow.forward.packets -= 1
    });
    assert_eq!(lost, [(vec![], false)]);
}

#[test]
fn a_syn_ack_first_is_compared_from_the_other_end() {
    let table = table();
    let mut found = 0;
    for (capture, flows) in table.captures() {
        for yaf in flows
            .iter()
            .filter(|flow| flow.forward.initial_flags == Some(TcpFlags::SYN | TcpFlags::ACK))
        {
            let mut ours = record(yaf);
            std::mem::swap(&mut ours.source, &mut ours.destination);
            std::mem::swap(&mut ours.source_port, &mut ours.destination_port);
            std::mem::swap(&mut ours.forward, &mut ours.reverse);
            ours.initial_flags = yaf.reverse.initial_flags.unwrap_or_default();
            ours.macs = ours.macs.map(|(source, destination)| (destination, source));
            let nonempty = ours.forward.nonempty_packets + ours.reverse.nonempty_packets;
            ours.first_directions =
                !ours.first_directions & if nonempty >= 8 { 0xff } else { (1 << nonempty) - 1 };
            let comparison = compare(capture, &[ours], std::slice::from_ref(yaf), YafRules::ALL);
            let mut causes = BTreeMap::new();
            comparison.count_causes(&mut causes);
            assert_eq!(
                causes,
                BTreeMap::from([(Cause::SynAckFirst, 1)]),
                "{}",
                comparison.differences[0]
            );
            assert_eq!(comparison.equal_but_for_definitions(), 1);
            found += 1;
        }
    }
    assert_eq!(found, 50);
}

#[test]
fn flows_dealt_out_otherwise_are_told_from_lost_packets() {
    let table = table();
    let capture = "edge/zeek-5-pings.pcap";
    let yaf = table.flows(capture);
    assert_eq!(yaf.len(), 2, "requests and replies");
    let mut ours = record(&yaf[0]);
    ours.reverse = direction(&yaf[1].forward);
    ours.end = Timestamp::from_micros(yaf[1].end_ms * 1000);
    let rules = YafRules { icmp_key: false, ..YafRules::ALL };
    let comparison = compare(capture, &[ours.clone()], yaf, rules);
    assert_eq!(comparison.unexplained().count(), 0, "{:?}", comparison.differences);
    assert!(comparison.differences.iter().all(|one| one.causes().contains(&Cause::IcmpKey)));
    ours.reverse.packets -= 1;
    assert_ne!(compare(capture, &[ours.clone()], yaf, rules).unexplained().count(), 0);
}
