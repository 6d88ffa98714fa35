//! The flow record as the meter hands it over: numbers only, no text, no derived value.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Labels, TcpFlags, Timestamp};

/// How many of a flow's first non-empty packets the record describes (`spd`, `spdt`).
pub const FIRST_PACKETS: usize = 8;

/// An IP address in sixteen octets: IPv6 as it is, IPv4 in the first four with the rest zero. Which of the two it is, the
/// flow says once for both ends.
pub type Address = [u8; 16];

/// A MAC address.
pub type MacAddress = [u8; 6];

/// Why a flow ended (IPFIX flowEndReason, element 136, with TCP end split in two and the operator's shutdown named).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EndReason {
    /// No packet for the idle timeout.
    Idle,
    /// Reached the active timeout; the connection goes on in a further record.
    Active,
    /// The capture ended.
    Eof,
    /// TCP: FIN from both sides, both acknowledged.
    End,
    /// TCP: reset.
    Rst,
    /// Evicted as the longest-idle flow of a full table.
    Resource,
    /// The program was asked to stop.
    Shutdown,
}

impl EndReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Idle, Self::Active, Self::Eof, Self::End, Self::Rst, Self::Resource, Self::Shutdown];

    /// The text of column `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Eof => "eof",
            Self::End => "end",
            Self::Rst => "rst",
            Self::Resource => "resource",
            Self::Shutdown => "shutdown",
        }
    }

    /// The number that IPFIX element 136 has for it: 1 idle, 2 active, 3 end of flow, 4 forced end, 5 lack of resources.
    pub const fn ipfix(self) -> u8 {
        match self {
            Self::Idle => 1,
            Self::Active => 2,
            Self::End | Self::Rst => 3,
            Self::Eof | Self::Shutdown => 4,
            Self::Resource => 5,
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is counted for each of a flow's two directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionStats {
    /// Packets; every fragment of a datagram counts.
    pub packets: u64,
    /// IP octets: header and up, by the IP length field.
    pub octets: u64,
    /// Payload octets, by the headers.
    pub payload_octets: u64,
    /// Sum of the squares of the payload sizes.
    pub payload_squares: u64,
    /// Non-empty packets with fewer than 60 payload octets.
    pub small_packets: u32,
    /// Packets with more than 225 payload octets.
    pub large_packets: u32,
    /// Packets with payload. A reassembled datagram is one.
    pub nonempty_packets: u32,
    /// TCP sequence number of the first packet.
    pub tcp_sequence: u32,
    /// Payload size of the first non-empty packet.
    pub first_nonempty: u16,
    /// Largest payload.
    pub max_payload: u16,
    /// Outermost VLAN id of the first packet, 0 if untagged.
    pub vlan: u16,
    /// Payload entropy: bits per octet × 256/8, truncated, at most 255; 0 without payload.
    pub entropy: u8,
    /// TTL or hop limit of the first packet.
    pub ttl: u8,
}

impl DirectionStats {
    /// Mean payload of the non-empty packets, truncated; 0 if there are none.
    #[inline]
    pub fn mean_payload(&self) -> u16 {
        match u64::from(self.nonempty_packets) {
            0 => 0,
            n => u16::try_from(self.payload_octets / n).unwrap_or(u16::MAX),
        }
    }

    /// Population standard deviation of the payload size over the non-empty packets, truncated; 0 if there are none.
    ///
    /// In whole numbers: `floor(sqrt((n·Σx² − (Σx)²) / n²))`, so nothing cancels.
    pub fn stdev_payload(&self) -> u16 {
        let n = u128::from(self.nonempty_packets);
        if n < 2 {
            return 0;
        }
        let sum = u128::from(self.payload_octets);
        // A saturated square sum (more than 2^32 full-size packets) must not underflow.
        let spread = (n * u128::from(self.payload_squares)).saturating_sub(sum * sum);
        if spread == 0 {
            return 0;
        }
        let spread_root =
            if spread < 1 << 53 { root_in_f64(spread as u64) } else { spread.isqrt() };
        u16::try_from(spread_root / n).unwrap_or(u16::MAX)
    }
}

/// `floor(sqrt(value))` of a value below 2^53: such a value is exact in an `f64`, whose root is correctly rounded; the
/// rounding can only reach the next whole number for squares minus one, which the check takes back.
fn root_in_f64(value: u64) -> u128 {
    let root = (value as f64).sqrt() as u64;
    u128::from(if root * root > value { root - 1 } else { root })
}

/// One flow record: all that the 44 columns are made of.
///
/// Times satisfy `start <= end`. For flows without ports both ports are 0. `first_directions` holds bit *i* = 1 if the
/// *i*-th non-empty packet came from the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
    /// The initiator's address.
    pub source: Address,
    /// The responder's address.
    pub destination: Address,
    /// The initiator's port.
    pub source_port: u16,
    /// The responder's port.
    pub destination_port: u16,
    /// 4 or 6.
    pub ip_version: u8,
    /// IANA protocol number; for IPv6, that of the last header of the chain.
    pub protocol: u8,
    /// Why the flow ended.
    pub reason: EndReason,
    /// TCP flags of the first forward packet.
    pub initial_flags: TcpFlags,
    /// Union of the TCP flags of all packets.
    pub union_flags: TcpFlags,
    /// ICMP type of the first packet.
    pub icmp_type: u8,
    /// ICMP code of the first packet.
    pub icmp_code: u8,
    /// VLAN id that is part of the key, or 0.
    pub key_vlan: u16,
    /// Microseconds from SYN to the initiator's ACK of the SYN+ACK; to the SYN+ACK if no such ACK was seen; else 0.
    pub rtt_us: u32,
    /// Which of the flows with equal key and equal `start` this is, from 0.
    pub ordinal: u32,
    /// Source to destination.
    pub forward: DirectionStats,
    /// Destination to source.
    pub reverse: DirectionStats,
    /// Directions of the first non-empty packets, a bit each.
    pub first_directions: u8,
    /// How many of the first eight there were.
    pub first_count: u8,
    /// Microseconds of each of those since the one before; the first is 0.
    pub first_gaps_us: [u32; FIRST_PACKETS],
    /// Source and destination MAC of the first packet; `None` without an Ethernet layer.
    pub macs: Option<(MacAddress, MacAddress)>,
    /// What is known beyond that; `None` if nothing was looked for or found.
    pub labels: Option<Box<Labels>>,
}

impl FlowRecord {
    /// The same without labels: plain numbers, cheap to copy.
    #[inline]
    pub fn numbers(&self) -> Self {
        Self { labels: None, ..*self }
    }

    /// `end − start` in milliseconds, truncated; saturates after 49 days.
    #[inline]
    pub fn duration_ms(&self) -> u32 {
        u32::try_from(self.end.micros_since(self.start).max(0) / 1000).unwrap_or(u32::MAX)
    }

    /// Producer-consumer ratio × 1000, rounded half away from zero: `(s − d) / (s + d)` over the payload octets, −1000 … 1000; 0 without payload.
    #[inline]
    pub fn pcr_permille(&self) -> i32 {
        let source = i128::from(self.forward.payload_octets);
        let destination = i128::from(self.reverse.payload_octets);
        let sum = source + destination;
        if sum == 0 {
            return 0;
        }
        let difference = source - destination;
        // Sums below 2^52 octets fit a 64-bit product, which is much quicker than 128 bits.
        let scaled = if sum < 1 << 52 {
            let (difference, sum) = (difference as i64 * 2000, sum as i64);
            i128::from((difference + sum * difference.signum()) / (2 * sum))
        } else {
            (difference * 2000 + sum * difference.signum()) / (2 * sum)
        };
        scaled as i32
    }

    /// The initiator's address as a standard type.
    pub fn source_ip(&self) -> IpAddr {
        to_ip(self.ip_version, &self.source)
    }

    /// The responder's address as a standard type.
    pub fn destination_ip(&self) -> IpAddr {
        to_ip(self.ip_version, &self.destination)
    }
}

fn to_ip(version: u8, address: &Address) -> IpAddr {
    if version == 4 {
        IpAddr::V4(Ipv4Addr::new(address[0], address[1], address[2], address[3]))
    } else {
        IpAddr::V6(Ipv6Addr::from(*address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(sizes: &[u64]) -> DirectionStats {
        DirectionStats {
            payload_octets: sizes.iter().sum(),
            payload_squares: sizes.iter().map(|s| s * s).sum(),
            nonempty_packets: sizes.len() as u32,
            ..DirectionStats::default()
        }
    }

    #[test]
    fn deviation_is_that_of_the_population_truncated() {
        for (sizes, mean, stdev) in [
            (&[][..], 0, 0),
            (&[1460], 1460, 0),
            (&[100, 101], 100, 0),
            (&[2, 4, 4, 4, 5, 5, 7, 9], 5, 2),
            (&[0xffff, 1], 0x8000, 0x7fff),
        ] {
            let stats = stats(sizes);
            assert_eq!((stats.mean_payload(), stats.stdev_payload()), (mean, stdev), "{sizes:?}");
        }
        let huge = DirectionStats {
            payload_octets: u64::MAX,
            payload_squares: u64::MAX,
            nonempty_packets: u32::MAX,
            ..DirectionStats::default()
        };
        huge.stdev_payload();
    }

    #[test]
    fn pcr_rounds_half_away_from_zero() {
        let record = |source, destination| {
            let mut record = sample();
            record.forward.payload_octets = source;
            record.reverse.payload_octets = destination;
            record.pcr_permille()
        };
        for (source, destination, expected) in [
            (0, 0, 0),
            (10, 0, 1000),
            (0, 10, -1000),
            (2001, 1999, 1),
            (1999, 2001, -1),
            (20009, 19991, 0),
            (u64::MAX, 0, 1000),
            (0, u64::MAX, -1000),
            (u64::MAX, u64::MAX, 0),
        ] {
            assert_eq!(record(source, destination), expected, "{source} {destination}");
        }
    }

    fn sample() -> FlowRecord {
        FlowRecord {
            start: Timestamp::ZERO,
            end: Timestamp::ZERO,
            source: [0; 16],
            destination: [0; 16],
            source_port: 0,
            destination_port: 0,
            ip_version: 4,
            protocol: 17,
            reason: EndReason::Eof,
            initial_flags: TcpFlags::default(),
            union_flags: TcpFlags::default(),
            icmp_type: 0,
            icmp_code: 0,
            key_vlan: 0,
            rtt_us: 0,
            ordinal: 0,
            forward: DirectionStats::default(),
            reverse: DirectionStats::default(),
            first_directions: 0,
            first_count: 0,
            first_gaps_us: [0; 8],
            macs: None,
            labels: None,
        }
    }
}
