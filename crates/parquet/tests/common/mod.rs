//! Records for tests and benchmarks, and files as text.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by tests, benchmarks and an example: each takes what it needs"
)]

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rockfish_flow::{DirectionStats, EndReason, FlowRecord, TcpFlags, Timestamp};

/// A flow of one empty UDP packet, at `micros`.
pub fn empty_flow(micros: i64) -> FlowRecord {
    FlowRecord {
        start: Timestamp::from_micros(micros),
        end: Timestamp::from_micros(micros),
        source: [0; 16],
        destination: [0; 16],
        source_port: 0,
        destination_port: 0,
        ip_version: 4,
        protocol: 17,
        reason: EndReason::Idle,
        initial_flags: TcpFlags::default(),
        union_flags: TcpFlags::default(),
        icmp_type: 0,
        icmp_code: 0,
        key_vlan: 0,
        rtt_us: 0,
        ordinal: 0,
        forward: DirectionStats { packets: 1, octets: 28, ..DirectionStats::default() },
        reverse: DirectionStats::default(),
        first_directions: 0,
        first_count: 0,
        first_gaps_us: [0; 8],
        macs: None,
        labels: None,
    }
}

/// Numbers that occur often, and any.
fn number<T: Arbitrary + Clone + 'static>(common: &'static [T]) -> impl Strategy<Value = T> {
    prop_oneof![3 => proptest::sample::select(common), 1 => any::<T>()]
}

fn direction() -> impl Strategy<Value = DirectionStats> {
    let counts = (
        number(&[0_u64, 1, 2, 5, 4095, 4096]),
        number(&[0_u64, 28, 60, 1500, 70_000]),
        number(&[0_u64, 1, 1000, 1001]),
        number(&[0_u64, 1, 1_000_000]),
        number(&[0_u32, 1, 2, 3]),
        number(&[0_u32, 1]),
        number(&[0_u32, 1, 2, 3]),
        any::<u32>(),
    );
    let sizes = (
        number(&[0_u16, 1, 1460]),
        number(&[0_u16, 1, 1460]),
        number(&[0_u16, 1, 4095]),
        any::<u8>(),
        any::<u8>(),
    );
    (counts, sizes).prop_map(|(counts, sizes)| DirectionStats {
        packets: counts.0,
        octets: counts.1,
        payload_octets: counts.2,
        payload_squares: counts.3,
        small_packets: counts.4,
        large_packets: counts.5,
        nonempty_packets: counts.6,
        tcp_sequence: counts.7,
        first_nonempty: sizes.0,
        max_payload: sizes.1,
        vlan: sizes.2,
        entropy: sizes.3,
        ttl: sizes.4,
    })
}

/// Any flow that began in `start` microseconds.
pub fn any_flow(start: std::ops::Range<i64>) -> impl Strategy<Value = FlowRecord> {
    let key = (
        start,
        number(&[0_u32, 1, 1000, 2_000_000]),
        any::<bool>(),
        prop_oneof![Just([10; 16]), Just([0; 16]), any::<[u8; 16]>()],
        prop_oneof![Just([11; 16]), any::<[u8; 16]>()],
        number(&[0_u16, 53, 443]),
        number(&[0_u16, 53, 443]),
        number(&[1_u8, 6, 17, 58]),
        number(&[0_u16, 7]),
    );
    let rest = (
        proptest::sample::select(&EndReason::ALL[..]),
        number(&[0_u8, 2, 18]),
        any::<u8>(),
        number(&[0_u32, 20_000]),
        any::<u8>(),
        0_u8..=8,
        any::<[u32; 8]>(),
        proptest::option::weighted(0.8, number(&[[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]])),
        any::<(u8, u8)>(),
    );
    (key, rest, direction(), direction()).prop_map(|(key, rest, forward, reverse)| {
        let v6 = key.2;
        let address = |mut address: [u8; 16]| {
            if !v6 {
                address[4..].fill(0);
            }
            address
        };
        FlowRecord {
            start: Timestamp::from_micros(key.0),
            end: Timestamp::from_micros(key.0.saturating_add(i64::from(key.1))),
            source: address(key.3),
            destination: address(key.4),
            source_port: key.5,
            destination_port: key.6,
            ip_version: if v6 { 6 } else { 4 },
            protocol: key.7,
            reason: rest.0,
            initial_flags: TcpFlags::from_bits(rest.1),
            union_flags: TcpFlags::from_bits(rest.2),
            icmp_type: rest.8.0,
            icmp_code: rest.8.1,
            key_vlan: key.8,
            rtt_us: rest.3,
            ordinal: 0,
            forward,
            reverse,
            first_directions: rest.4,
            first_count: rest.5,
            first_gaps_us: rest.6,
            macs: rest.7.map(|mac| (mac, [mac[5]; 6])),
            labels: None,
        }
    })
}

/// Gives flows of equal key and start their ordinals, as the meter does.
pub fn number_equals(records: &mut [FlowRecord]) {
    let mut seen = std::collections::HashMap::new();
    for r in records {
        let key = (
            (r.start.as_micros(), r.ip_version, r.protocol, r.key_vlan),
            (r.source, r.destination, r.source_port, r.destination_port),
        );
        let count = seen.entry(key).or_insert(0);
        r.ordinal = *count;
        *count += 1;
    }
}

/// A small generator of numbers (splitmix64), so that benchmarks see the same flows everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// From 1 up, mostly small: halves with each doubling.
    pub fn skewed(&mut self, most_bits: u32) -> u64 {
        let bits = self.next().trailing_zeros().min(most_bits);
        (1 << bits) + self.below(1 << bits)
    }
}

/// Flows as a busy network has them, in the order in which they end: 900 s, 12,000 hosts inside and 40,000 outside, half of
/// the flows of one or two packets, 7 % IPv6.
pub fn busy_network(count: usize) -> Vec<FlowRecord> {
    let mut random = Random(1);
    let mut records = (0..count).map(|_| busy_flow(&mut random)).collect::<Vec<_>>();
    number_equals(&mut records);
    records.sort_by_key(|record| record.end);
    records
}

fn busy_flow(random: &mut Random) -> FlowRecord {
    let start = 1_760_000_000_000_000 + random.below(900_000_000) as i64;
    let mut record = empty_flow(start);
    let inside = random.below(12_000);
    let outside = random.below(40_000);
    record.ip_version = if random.below(100) < 7 { 6 } else { 4 };
    if record.ip_version == 4 {
        let inside = 0x0a00_0000 | inside as u32;
        record.source[..4].copy_from_slice(&inside.to_be_bytes());
        let outside = Random(outside).next() as u32 | 0x1000_0000;
        record.destination[..4].copy_from_slice(&outside.to_be_bytes());
    } else {
        record.source[..2].copy_from_slice(&[0xfd, 0]);
        record.source[8..].copy_from_slice(&inside.to_be_bytes());
        record.destination[..2].copy_from_slice(&[0x20, 1]);
        record.destination[8..].copy_from_slice(&Random(outside).next().to_be_bytes());
    }
    let host = inside.to_be_bytes();
    record.macs = Some((
        [2, host[3], host[4], host[5], host[6], host[7]],
        [2, 0xff, 0, 0, 0, (outside % 4) as u8],
    ));
    if random.below(100) < 15 {
        let vlan = 100 + random.below(40) as u16;
        (record.forward.vlan, record.reverse.vlan) = (vlan, vlan);
    }
    record.source_port = 1024 + random.below(64_512) as u16;
    match random.below(100) {
        // Names: a question, mostly an answer.
        0..35 => {
            record.destination_port = 53;
            let size = 30 + random.below(30);
            pay(&mut record.forward, random, 1, size);
            if random.below(100) < 96 {
                let size = 60 + random.below(200);
                pay(&mut record.reverse, random, 1, size);
            }
        }
        // Scans: one segment, perhaps a reset.
        35..45 => {
            record.protocol = 6;
            record.destination_port = random.below(5000) as u16;
            record.initial_flags = TcpFlags::SYN;
            record.union_flags = TcpFlags::SYN;
            record.forward.tcp_sequence = random.next() as u32;
            if random.below(2) == 0 {
                record.union_flags |= TcpFlags::RST | TcpFlags::ACK;
                record.reason = EndReason::Rst;
                (record.reverse.packets, record.reverse.octets) = (1, 40);
            }
        }
        // Pings.
        45..48 => {
            record.protocol = if record.ip_version == 4 { 1 } else { 58 };
            record.source_port = 0;
            let packets = random.skewed(4);
            pay(&mut record.forward, random, packets, 56);
            pay(&mut record.reverse, random, packets, 56);
        }
        // Other datagrams.
        48..58 => {
            record.destination_port = [123, 443, 3478, 5060, 161][random.below(5) as usize];
            let packets = random.skewed(6);
            let size = 20 + random.below(1200);
            pay(&mut record.forward, random, packets, size);
            if random.below(3) > 0 {
                let packets = random.skewed(6);
                let size = 20 + random.below(1200);
                pay(&mut record.reverse, random, packets, size);
            }
        }
        // Connections.
        _ => {
            record.protocol = 6;
            record.destination_port = [443, 443, 443, 80, 22, 25, 993][random.below(7) as usize];
            record.initial_flags = TcpFlags::SYN;
            record.union_flags = TcpFlags::from_bits(0x1b);
            record.reason = EndReason::End;
            record.rtt_us = (500 + random.below(60_000)) as u32;
            (record.forward.tcp_sequence, record.reverse.tcp_sequence) =
                (random.next() as u32, random.next() as u32);
            let packets = random.skewed(9);
            let size = 60 + random.below(500);
            pay(&mut record.forward, random, packets, size);
            let size = 200 + random.below(1260);
            pay(&mut record.reverse, random, packets, size);
            record.forward.packets += 3 + packets / 2;
            record.forward.octets += 40 * (3 + packets / 2);
            record.reverse.packets += 2 + packets / 2;
            record.reverse.octets += 40 * (2 + packets / 2);
        }
    }
    let nonempty = record.forward.nonempty_packets + record.reverse.nonempty_packets;
    record.first_count = nonempty.min(8) as u8;
    if record.reverse.nonempty_packets > 0 {
        record.first_directions = [0b10, 0b1010, 0b110, 0b0100_1110][random.below(4) as usize]
            & (((1_u16 << record.first_count) - 1) as u8);
    }
    let mut end = start;
    for gap in &mut record.first_gaps_us[1..usize::from(record.first_count.max(1))] {
        *gap = (100 * random.skewed(10) + random.below(100)) as u32;
        end += i64::from(*gap);
    }
    if nonempty > 8 {
        end += random.below(20_000_000) as i64;
    }
    record.end = Timestamp::from_micros(end);
    record
}

fn pay(stats: &mut DirectionStats, random: &mut Random, packets: u64, size: u64) {
    // All of about the same size, the last one shorter.
    let last = 1 + random.below(size);
    let full = packets - 1;
    stats.packets = packets;
    stats.payload_octets = full * size + last;
    stats.payload_squares = full * size * size + last * last;
    stats.octets = stats.payload_octets + 40 * packets;
    stats.nonempty_packets = packets as u32;
    stats.small_packets = if size < 60 { packets as u32 } else { u32::from(last < 60) };
    stats.large_packets = if size > 225 { full as u32 + u32::from(last > 225) } else { 0 };
    stats.first_nonempty = if packets == 1 { last } else { size } as u16;
    stats.max_payload = stats.first_nonempty;
    stats.entropy = (100 + random.below(150)) as u8;
    stats.ttl = 64;
}

/// What the file has for a record, as text by other means than the writer's: the columns of the Community tier.
pub fn expected_row(record: &FlowRecord, observation: &str) -> Vec<String> {
    let ip = |address: IpAddr| address.to_string();
    let number = |value: u64| value.to_string();
    let namespace = rockfish_schema::FlowIdNamespace::new(observation);
    let id = namespace.id(record).map(|octet| format!("{octet:02x}")).concat();
    let id = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
    let protocol = match record.protocol {
        1 => "ICMP".to_owned(),
        6 => "TCP".to_owned(),
        17 => "UDP".to_owned(),
        58 => "IPV6-ICMP".to_owned(),
        other => rockfish_schema::text::protocol(other).to_owned(),
    };
    let count = usize::from(record.first_count);
    let directions =
        (0..count).map(|i| if record.first_directions >> i & 1 == 1 { '1' } else { '0' }).collect();
    let gaps = record.first_gaps_us[..count].iter().map(u32::to_string).collect::<Vec<_>>();
    let mac = |mac: Option<[u8; 6]>| match mac {
        Some(mac) => mac.map(|octet| format!("{octet:02x}")).join(":"),
        None => "null".to_owned(),
    };
    let (f, r) = (&record.forward, &record.reverse);
    let mut row = vec![
        "1".to_owned(),
        id,
        observation.to_owned(),
        record.start.as_micros().to_string(),
        record.end.as_micros().to_string(),
        record.duration_ms().to_string(),
        record.rtt_us.to_string(),
        record.pcr_permille().to_string(),
        protocol,
        ip(record.source_ip()),
        ip(record.destination_ip()),
        record.source_port.to_string(),
        record.destination_port.to_string(),
        record.initial_flags.to_string(),
        record.union_flags.to_string(),
    ];
    for pair in [
        [f, r].map(|d| u64::from(d.tcp_sequence)),
        [f, r].map(|d| u64::from(d.vlan)),
        [f, r].map(|d| d.packets),
        [f, r].map(|d| d.octets),
        [f, r].map(|d| u64::from(d.entropy)),
        [f, r].map(|d| u64::from(d.small_packets)),
        [f, r].map(|d| u64::from(d.large_packets)),
        [f, r].map(|d| u64::from(d.nonempty_packets)),
        [f, r].map(|d| u64::from(d.first_nonempty)),
        [f, r].map(|d| u64::from(d.max_payload)),
        [f, r].map(|d| u64::from(d.mean_payload())),
        [f, r].map(|d| u64::from(d.stdev_payload())),
    ] {
        row.extend(pair.map(number));
    }
    row.push(directions);
    row.push(gaps.join(","));
    row.push(record.reason.to_string());
    row.push(mac(record.macs.map(|macs| macs.0)));
    row.push(mac(record.macs.map(|macs| macs.1)));
    row
}

/// The names in a folder and below, sorted, hidden ones too.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in std::fs::read_dir(folder.join(&below)).unwrap() {
            let entry = entry.unwrap();
            let path = below.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                names.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    names.sort();
    names
}
