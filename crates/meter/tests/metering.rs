//! What the meter makes of packets, case by case.

use rockfish_flow::{EndReason, FlowRecord, Timestamp};
use rockfish_meter::{Advance, Clock, Meter, MeterConfig};
use rockfish_packet::{DecodeConfig, Decoder, Frame, HashSeed, LinkType, PacketBatch, UdpUniflow};
use rockfish_testkit::PacketBuilder;

const A: &str = "10.0.0.1";
const B: &str = "192.0.2.9";
const MAC_A: [u8; 6] = [2, 0, 0, 0, 0, 1];
const MAC_B: [u8; 6] = [2, 0, 0, 0, 0, 2];

const SYN: &str = "S";
const RST: &str = "R";

/// A packet at so many microseconds.
type Timed = (i64, Vec<u8>);

fn tcp_from(source: &str, flags: &str, payload: usize) -> Vec<u8> {
    let forward = source == A;
    let (destination, ports) = if forward { (B, (40000, 443)) } else { (A, (443, 40000)) };
    let (to, from) = if forward { (MAC_B, MAC_A) } else { (MAC_A, MAC_B) };
    PacketBuilder::ethernet(to, from)
        .ip(source, destination)
        .tcp(ports.0, ports.1, flags, 1000, 0)
        .payload(&vec![b'x'; payload])
        .build()
}

fn udp_from(source: &str, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let destination = if source == A { B } else { A };
    PacketBuilder::ethernet(MAC_B, MAC_A)
        .ip(source, destination)
        .udp(ports.0, ports.1)
        .payload(payload)
        .build()
}

struct Setup {
    decode: DecodeConfig,
    meter: MeterConfig,
}

impl Setup {
    fn new() -> Self {
        Self { decode: DecodeConfig::default(), meter: MeterConfig::default() }
    }

    /// Meters frames in the order given and returns the records in the order they were handed over.
    fn run(&self, packets: &[Timed]) -> Vec<FlowRecord> {
        let seed = HashSeed::new(1);
        let mut decoder = Decoder::new(self.decode.clone(), seed.clone());
        let mut meter = Meter::new(self.meter.clone(), seed);
        let mut clock = Clock::new(self.meter.idle_timeout_us);
        let (mut batch, mut records) = (PacketBatch::default(), Vec::new());
        for (micros, frame) in packets {
            let time = Timestamp::from_micros(*micros);
            batch.clear();
            if let Advance::Tick(now) = clock.observe(time) {
                decoder.advance(now, &mut batch);
                meter.process_all(&batch, &[], &mut records);
                batch.clear();
                meter.tick(now, &mut records);
            }
            let frame_ref = Frame {
                time,
                link: LinkType::Ethernet,
                wire: frame.len() as u32,
                data: frame,
                offset: 0,
            };
            decoder.decode(&frame_ref, &mut batch);
            meter.process_all(&batch, frame, &mut records);
        }
        batch.clear();
        decoder.finish(&mut batch);
        meter.process_all(&batch, &[], &mut records);
        let mut drain = meter.finish(EndReason::Eof);
        while drain.next_second(&mut records).is_some() {}
        let counters = meter.counters();
        assert_eq!(counters.open, 0);
        assert_eq!(counters.records_total(), records.len() as u64);
        let packets: u64 = records.iter().map(|r| r.forward.packets + r.reverse.packets).sum();
        assert_eq!(packets, counters.packets, "packets of all records = packets metered");
        let octets: u64 = records.iter().map(|r| r.forward.octets + r.reverse.octets).sum();
        assert_eq!(octets, counters.octets);
        records
    }
}

fn reasons(records: &[FlowRecord]) -> Vec<EndReason> {
    records.iter().map(|record| record.reason).collect()
}

const S: i64 = 1_000_000;

#[test]
fn a_tcp_connection_is_one_record() {
    let records = Setup::new().run(&[
        (0, tcp_from(A, SYN, 0)),
        (30_000, tcp_from(B, "SA", 0)),
        (40_000, tcp_from(A, "A", 0)),
        (41_000, tcp_from(A, "PA", 100)),
        (80_000, tcp_from(B, "PA", 1400)),
        (80_100, tcp_from(B, "PA", 1400)),
        (90_000, tcp_from(A, "FA", 0)),
        (120_000, tcp_from(B, "FA", 0)),
        (130_000, tcp_from(A, "A", 0)),
    ]);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.source_ip().to_string(), A);
    assert_eq!((record.source_port, record.destination_port), (40000, 443));
    assert_eq!(record.reason, EndReason::End);
    assert_eq!(record.rtt_us, 40_000);
    assert_eq!(record.duration_ms(), 130);
    assert_eq!(record.initial_flags.to_string(), "S");
    assert_eq!(record.union_flags.to_string(), "FSPA");
    assert_eq!((record.forward.packets, record.reverse.packets), (5, 4));
    assert_eq!((record.forward.octets, record.reverse.octets), (5 * 40 + 100, 4 * 40 + 2800));
    assert_eq!(record.pcr_permille(), -931);
    assert_eq!((record.first_count, record.first_directions), (3, 0b110));
    assert_eq!(record.first_gaps_us[..3], [0, 39_000, 100]);
    assert_eq!((record.forward.small_packets, record.forward.large_packets), (0, 0));
    assert_eq!((record.reverse.small_packets, record.reverse.large_packets), (0, 2));
    assert_eq!((record.reverse.first_nonempty, record.reverse.max_payload), (1400, 1400));
    assert_eq!(record.macs, Some((MAC_A, MAC_B)));
}

#[test]
fn the_answer_first_still_makes_the_client_the_source() {
    let records = Setup::new().run(&[
        (0, tcp_from(B, "SA", 0)),
        (10, tcp_from(A, SYN, 0)),
        (20, tcp_from(A, "A", 0)),
    ]);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.source_ip().to_string(), A);
    assert_eq!(record.initial_flags.to_string(), "S");
    assert_eq!((record.forward.packets, record.reverse.packets), (2, 1));
    assert_eq!(record.macs, Some((MAC_A, MAC_B)), "the MACs go with their ends");
    assert_eq!(record.rtt_us, 0, "no SYN before the SYN+ACK");
}

#[test]
fn rtt_without_the_last_ack_is_that_of_the_answer() {
    let records = Setup::new().run(&[(0, tcp_from(A, SYN, 0)), (25_000, tcp_from(B, "SA", 0))]);
    assert_eq!(records[0].rtt_us, 25_000);
}

#[test]
fn late_packets_are_absorbed_and_a_new_syn_is_not() {
    let reset = [(0, tcp_from(A, SYN, 0)), (10, tcp_from(B, "RA", 0))];
    let with = |more: &[Timed]| {
        let mut packets = reset.to_vec();
        packets.extend_from_slice(more);
        Setup::new().run(&packets)
    };
    let late = with(&[(S, tcp_from(A, "A", 0)), (2 * S, tcp_from(A, RST, 0))]);
    assert_eq!(reasons(&late), [EndReason::Rst]);
    assert_eq!(late[0].forward.packets, 3);
    let later = with(&[(2 * S + 2000, tcp_from(A, RST, 0))]);
    assert_eq!(reasons(&later), [EndReason::Rst, EndReason::Rst]);
    let again = with(&[(20, tcp_from(A, SYN, 0)), (30, tcp_from(B, "RA", 0))]);
    assert_eq!(reasons(&again), [EndReason::Rst, EndReason::Rst]);
    assert_eq!(again.iter().map(|r| r.forward.packets).collect::<Vec<_>>(), [1, 1]);
    let mut no_linger = Setup::new();
    no_linger.meter.tcp_linger_us = 0;
    let packets = [(0, tcp_from(A, RST, 0)), (0, tcp_from(A, RST, 0)), (0, tcp_from(A, RST, 0))];
    let records = no_linger.run(&packets);
    assert_eq!(records.iter().map(|r| r.ordinal).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn idle_flows_end_by_packet_time() {
    let query = |at| (at, udp_from(A, (5353, 53), b"q"));
    assert_eq!(Setup::new().run(&[query(0), query(300 * S)]).len(), 1);
    let records = Setup::new().run(&[query(0), query(300 * S + 1)]);
    assert_eq!(reasons(&records), [EndReason::Idle, EndReason::Eof]);
    // Another flow's packet is enough to tell the time.
    let other = (302 * S, udp_from(A, (1, 2), b""));
    assert_eq!(reasons(&Setup::new().run(&[query(0), other])), [EndReason::Idle, EndReason::Eof]);
}

#[test]
fn active_flows_go_on_with_the_same_initiator() {
    let mut packets: Vec<Timed> =
        (0..19).map(|i| (i * 100 * S, udp_from(A, (4000, 53), b"a"))).collect();
    packets.push((1801 * S, udp_from(B, (53, 4000), b"bb")));
    packets.push((1802 * S, udp_from(A, (4000, 53), b"a")));
    let records = Setup::new().run(&packets);
    assert_eq!(reasons(&records), [EndReason::Active, EndReason::Eof]);
    assert_eq!(records[0].forward.packets, 19);
    assert_eq!(
        records[1].source_ip().to_string(),
        A,
        "though its first packet came from the other end"
    );
    assert_eq!((records[1].forward.packets, records[1].reverse.packets), (1, 1));
    assert_eq!(records[1].start, Timestamp::from_secs(1801));
    // Gone idle since: a new conversation, whoever begins it.
    packets.truncate(19);
    packets.push((2200 * S, udp_from(B, (53, 4000), b"bb")));
    let records = Setup::new().run(&packets);
    assert_eq!(reasons(&records), [EndReason::Active, EndReason::Eof]);
    assert_eq!(records[1].source_ip().to_string(), B);
}

#[test]
fn the_longest_idle_flow_makes_room() {
    let mut setup = Setup::new();
    setup.meter.max_flows = 3;
    let packets: Vec<Timed> = [1, 2, 3, 1, 4, 2]
        .iter()
        .enumerate()
        .map(|(i, port)| (i as i64 * 10, udp_from(A, (*port, 53), b"q")))
        .collect();
    let records = setup.run(&packets);
    // 4 evicts 2 (1 was seen again), then 2 evicts 3.
    assert_eq!(records[..2].iter().map(|r| r.source_port).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(reasons(&records)[..2], [EndReason::Resource, EndReason::Resource]);
    assert_eq!(records.len(), 5);
}

/// A flood of first packets from ever new sources, for longer than the idle timeout: what is remembered of the flows that had
/// to make room must not grow with their number.
#[test]
fn a_flood_of_new_flows_takes_no_more_memory_than_the_limit_allows() {
    const FLOWS: u32 = 400_000;
    const A_SECOND: u32 = 2_000;
    let config = MeterConfig { max_flows: 2_000, ..MeterConfig::default() };
    let seed = HashSeed::new(1);
    let mut decoder = Decoder::new(DecodeConfig::default(), seed.clone());
    let mut meter = Meter::new(config, seed);
    let (mut batch, mut records) = (PacketBatch::default(), Vec::new());
    let mut frame = tcp_from(A, SYN, 0);
    let mut handed_over = 0;
    for number in 0..FLOWS {
        let time = Timestamp::from_micros(i64::from(number) * S / i64::from(A_SECOND));
        frame[26..30].copy_from_slice(&(0x0b00_0000 + number).to_be_bytes());
        batch.clear();
        if number % A_SECOND == 0 {
            meter.tick(time, &mut records);
        }
        let wire = frame.len() as u32;
        let link = LinkType::Ethernet;
        decoder.decode(&Frame { time, link, wire, data: &frame, offset: 0 }, &mut batch);
        meter.process_all(&batch, &frame, &mut records);
        handed_over += records.drain(..).filter(|r| r.reason == EndReason::Resource).count();
    }
    assert_eq!(handed_over as u32, FLOWS - 2_000);
    assert_eq!(meter.counters().open, 2_000);
    assert!(meter.memory() < 9 << 20, "{} octets", meter.memory());
}

#[test]
fn udp_uniflow_makes_a_record_of_each_packet() {
    let mut setup = Setup::new();
    setup.decode.udp_uniflow = UdpUniflow::Port(53);
    let records = setup.run(&[
        (0, udp_from(A, (4000, 53), b"query")),
        (0, udp_from(A, (4000, 53), b"query")),
        (5, udp_from(B, (53, 4000), b"answer")),
        (6, udp_from(A, (4000, 123), b"time")),
        (7, udp_from(B, (123, 4000), b"time")),
    ]);
    assert_eq!(records.len(), 4);
    assert_eq!(
        records[..3].iter().map(|r| (r.source_port, r.ordinal)).collect::<Vec<_>>(),
        [(4000, 0), (4000, 1), (53, 0)]
    );
    assert!(records[2].forward.entropy > 0);
}

#[test]
fn packets_out_of_order_never_end_before_the_start() {
    let records = Setup::new().run(&[
        (10 * S, udp_from(A, (1, 2), b"one")),
        (9 * S, udp_from(A, (1, 2), b"two")),
        (10 * S + 5, udp_from(A, (1, 2), b"three")),
    ]);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(
        (record.start, record.end),
        (Timestamp::from_secs(9), Timestamp::from_micros(10 * S + 5))
    );
    assert_eq!(record.first_gaps_us[..3], [0, 0, S as u32 + 5]);
}

#[test]
fn a_capture_from_long_before_makes_flows_of_its_own() {
    let records = Setup::new().run(&[
        (1_000_000 * S, udp_from(A, (1, 2), b"one")),
        (5 * S, udp_from(A, (1, 2), b"two")),
        (6 * S, udp_from(A, (1, 2), b"three")),
        (7 * S, udp_from(A, (3, 4), b"four")),
    ]);
    let mut starts: Vec<_> =
        records.iter().map(|r| (r.start.as_secs(), r.forward.packets)).collect();
    starts.sort_unstable();
    assert_eq!(starts, [(5, 2), (7, 1), (1_000_000, 1)]);
}

#[test]
fn fragments_are_counted_one_by_one_and_their_datagram_once() {
    let whole = PacketBuilder::ethernet(MAC_B, MAC_A).ip(A, B).udp(4000, 53).payload(&[7; 3000]);
    let fragments = whole.fragments(1000);
    let count = fragments.len() as u64;
    assert!(count > 2);
    let in_order: Vec<Timed> =
        fragments.iter().enumerate().map(|(i, f)| (i as i64 * 10, f.clone())).collect();
    let mut reversed = in_order.clone();
    reversed.reverse();
    reversed.iter_mut().enumerate().for_each(|(i, (at, _))| *at = i as i64 * 10);
    for packets in [in_order.clone(), reversed] {
        let records = Setup::new().run(&packets);
        let [record] = &records[..] else { panic!("{records:?}") };
        assert_eq!((record.source_port, record.destination_port), (4000, 53));
        assert_eq!(record.forward.packets, count);
        assert_eq!(record.forward.octets, 3008 + 20 * count);
        assert_eq!((record.forward.nonempty_packets, record.forward.max_payload), (1, 3000));
        assert_eq!(record.start, Timestamp::ZERO);
        assert_eq!(record.end, Timestamp::from_micros((count as i64 - 1) * 10));
    }
    // Without its last fragment the datagram is metered all the same, with what came of it.
    let records = Setup::new().run(&in_order[..2]);
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].source_port, records[0].forward.packets), (4000, 2));
    // Without its first the ports are not known.
    let records = Setup::new().run(&in_order[1..]);
    assert_eq!((records[0].source_port, records[0].forward.packets), (0, count - 1));
}

#[test]
fn icmp_both_ways_is_one_flow_unless_type_and_code_are_in_the_key() {
    let icmp = |from: &str, kind| {
        let to = if from == A { B } else { A };
        PacketBuilder::ethernet(MAC_B, MAC_A)
            .ip(from, to)
            .icmp(kind, 0, [0, 1, 0, 1])
            .payload(&[1; 56])
            .build()
    };
    let packets = [(0, icmp(A, 8)), (10, icmp(B, 0))];
    let records = Setup::new().run(&packets);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.source_port, record.destination_port), (0, 0));
    assert_eq!((record.icmp_type, record.forward.payload_octets), (8, 56));
    let mut keyed = Setup::new();
    keyed.decode.icmp_key = true;
    let records = keyed.run(&packets);
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|r| (r.source_port, r.destination_port) == (0, 0)));
}

#[test]
fn the_vlan_tells_flows_apart_only_when_it_is_in_the_key() {
    let tagged = |id| {
        PacketBuilder::ethernet(MAC_B, MAC_A)
            .service_vlan(id + 100)
            .vlan(id)
            .ip(A, B)
            .udp(1, 2)
            .payload(b"x")
            .build()
    };
    let packets = [(0, tagged(1)), (1, tagged(2))];
    let records = Setup::new().run(&packets);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(
        (record.forward.packets, record.forward.vlan),
        (2, 101),
        "the outer tag of the first packet"
    );
    let mut keyed = Setup::new();
    keyed.decode.vlan_key = true;
    assert_eq!(keyed.run(&packets).len(), 2);
}

#[test]
fn flows_of_equal_key_and_start_are_numbered_even_when_time_runs_backwards() {
    let day = 86_400 * S;
    let exchange = |at: i64| [(at, tcp_from(A, "S", 0)), (at + 100, tcp_from(B, "RA", 0))];
    let mut packets = Vec::new();
    // The same exchange: as it was, again after the clock was stepped back, and late within one run of the clock.
    packets.extend(exchange(5 * S));
    packets.extend(exchange(day));
    packets.extend(exchange(5 * S));
    packets.extend(exchange(100 * S));
    packets.extend(exchange(5 * S));
    let records = Setup::new().run(&packets);
    let mut ids: Vec<_> = records.iter().map(|r| (r.start, r.ordinal)).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!((ids.len(), count), (5, 5), "{ids:?}");
}
