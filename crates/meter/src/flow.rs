//! One flow in the table.

use rockfish_flow::{
    Address, DirectionStats, EndReason, FIRST_PACKETS, FlowRecord, MacAddress, TcpFlags, Timestamp,
};
use rockfish_packet::{FlowKey, Packet};
use rockfish_payload::{Sample, SampleStore};

/// Non-empty packets with fewer payload octets are small (YAF).
const SMALL_BELOW: u32 = 60;
/// Packets with more payload octets are large (YAF).
const LARGE_ABOVE: u32 = 225;

/// Bits of [`Flow::state`].
const SOURCE_IS_LOW: u8 = 1;
const CLOSED: u8 = 2;
const CLOSED_BY_RESET: u8 = 4;
const HAS_MACS: u8 = 8;
/// An inspector wants the next packet.
const INSPECTED: u8 = 16;

/// Bits of [`Flow::tcp`].
const FORWARD_FIN: u8 = 1;
const REVERSE_FIN: u8 = 2;
const FORWARD_FIN_ACKED: u8 = 4;
const REVERSE_FIN_ACKED: u8 = 8;
const BOTH_FIN_ACKED: u8 = 15;
const SYN_SEEN: u8 = 16;
const SYN_ACK_SEEN: u8 = 32;
const RTT_DONE: u8 = 64;

/// One direction: a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Direction {
    stats: DirectionStats,
    sample: Sample,
}

/// A flow: four cache lines. Packets of an established flow touch the first, the one of their direction, and while the first
/// packets or the TCP handshake are noted, the last.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    pub(crate) start: Timestamp,
    pub(crate) last: Timestamp,
    /// Changes when the slot is given to another flow.
    pub(crate) serial: u32,
    state: u8,
    tcp: u8,
    pub(crate) ordinal: u16,
    forward: Direction,
    reverse: Direction,
    first: First,
}

/// What only the first packets of a flow write.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct First {
    gaps_us: [u32; FIRST_PACKETS - 1],
    /// Microseconds from the flow's start to the last of the first non-empty packets.
    nonempty_offset_us: u32,
    /// Microseconds from the flow's start to the SYN.
    syn_offset_us: u32,
    rtt_us: u32,
    /// Milliseconds from the flow's start to its TCP end.
    closed_offset_ms: u32,
    source_mac: MacAddress,
    destination_mac: MacAddress,
    directions: u8,
    count: u8,
    initial_flags: TcpFlags,
    union_flags: TcpFlags,
    icmp_type: u8,
    icmp_code: u8,
    /// How often the clock had been stepped back when the flow began.
    steps_back: u16,
}

/// What a packet did to its flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// TCP reached its end with this packet.
    pub(crate) closed: bool,
    /// The packet is earlier than the flow's start was.
    pub(crate) earlier: bool,
}

impl Flow {
    pub(crate) fn vacant() -> Self {
        Self {
            key: FlowKey::NONE,
            start: Timestamp::ZERO,
            last: Timestamp::ZERO,
            serial: 0,
            state: 0,
            tcp: 0,
            ordinal: 0,
            forward: Direction::default(),
            reverse: Direction::default(),
            first: First::default(),
        }
    }

    /// Makes this the flow of `packet`, without counting it yet.
    ///
    /// The sender is the source, unless the packet is a SYN+ACK. `source_is_low` overrides that for a connection that goes
    /// on after the active timeout: its initiator stays the source.
    pub(crate) fn begin(
        &mut self,
        packet: &Packet,
        source_is_low: Option<bool>,
        macs: Option<(MacAddress, MacAddress)>,
        steps_back: u16,
    ) {
        let answer = TcpFlags::SYN | TcpFlags::ACK;
        let sender_is_source = !packet.tcp_flags.contains(answer);
        let source_is_low = source_is_low.unwrap_or(packet.from_low == sender_is_source);
        self.key = packet.key;
        self.start = packet.time.plus_micros(-i64::from(packet.span_us));
        self.last = packet.time;
        self.state = if source_is_low { SOURCE_IS_LOW } else { 0 };
        self.tcp = 0;
        self.ordinal = 0;
        self.forward = Direction::default();
        self.reverse = Direction::default();
        self.first = First {
            icmp_type: packet.icmp_type,
            icmp_code: packet.icmp_code,
            steps_back,
            ..First::default()
        };
        if let Some((sender, receiver)) = macs {
            self.state |= HAS_MACS;
            let forward = packet.from_low == source_is_low;
            let (source, destination) =
                if forward { (sender, receiver) } else { (receiver, sender) };
            self.first.source_mac = source;
            self.first.destination_mac = destination;
        }
    }

    /// Keeps a connection that reached the active timeout: who initiated it, and that nothing was seen of it since.
    pub(crate) fn rest(&mut self) {
        self.forward = Direction::default();
        self.reverse = Direction::default();
    }

    /// Whether it waits for the connection to go on after the active timeout.
    #[inline]
    pub(crate) fn is_resting(&self) -> bool {
        self.forward.stats.packets | self.reverse.stats.packets == 0
    }

    #[inline]
    pub(crate) fn source_is_low(&self) -> bool {
        self.state & SOURCE_IS_LOW != 0
    }

    /// Whether an inspector wants the next packet.
    #[inline(always)]
    pub(crate) fn is_inspected(&self) -> bool {
        self.state & INSPECTED != 0
    }

    pub(crate) fn set_inspected(&mut self, wanted: bool) {
        self.state = self.state & !INSPECTED | if wanted { INSPECTED } else { 0 };
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.state & CLOSED != 0
    }

    /// When TCP reached its end.
    pub(crate) fn closed_at(&self) -> Timestamp {
        self.start.plus_micros(i64::from(self.first.closed_offset_ms) * 1000)
    }

    /// The reason of a closed flow.
    pub(crate) fn closed_reason(&self) -> EndReason {
        if self.state & CLOSED_BY_RESET != 0 { EndReason::Rst } else { EndReason::End }
    }

    /// Reads the lines that the packet will write, so that they are in the cache then.
    #[inline(always)]
    pub(crate) fn warm(&self, from_low: bool) -> u64 {
        let direction =
            if from_low == self.source_is_low() { &self.forward } else { &self.reverse };
        direction.stats.packets.wrapping_add(u64::from(self.first.count))
    }

    /// Counts a packet. `payload` is what was captured of its payload.
    #[inline(always)]
    pub(crate) fn add(
        &mut self,
        packet: &Packet,
        payload: &[u8],
        samples: &mut SampleStore,
    ) -> Change {
        let began = packet.time.plus_micros(-i64::from(packet.span_us));
        let mut change = Change::default();
        if began < self.start {
            self.start_earlier(began);
            change.earlier = true;
        }
        if packet.time > self.last {
            self.last = packet.time;
        }
        let is_forward = packet.from_low == self.source_is_low();
        let direction = if is_forward { &mut self.forward } else { &mut self.reverse };
        let stats = &mut direction.stats;
        if stats.packets == 0 {
            stats.tcp_sequence = packet.tcp_sequence;
            stats.vlan = packet.vlan;
            stats.ttl = packet.ttl;
            if is_forward {
                self.first.initial_flags = packet.tcp_flags;
            }
        }
        stats.packets = stats.packets.saturating_add(u64::from(packet.packets));
        stats.octets = stats.octets.saturating_add(u64::from(packet.octets));
        if packet.payload > 0 {
            let size = packet.payload;
            let size16 = u16::try_from(size).unwrap_or(u16::MAX);
            if stats.nonempty_packets == 0 {
                stats.first_nonempty = size16;
            }
            stats.payload_octets = stats.payload_octets.saturating_add(u64::from(size));
            stats.payload_squares =
                stats.payload_squares.saturating_add(u64::from(size) * u64::from(size));
            stats.nonempty_packets = stats.nonempty_packets.saturating_add(1);
            stats.small_packets = stats.small_packets.saturating_add(u32::from(size < SMALL_BELOW));
            stats.large_packets = stats.large_packets.saturating_add(u32::from(size > LARGE_ABOVE));
            stats.max_payload = stats.max_payload.max(size16);
            if samples.wants(&direction.sample) {
                samples.add(&mut direction.sample, payload);
            }
            if usize::from(self.first.count) < FIRST_PACKETS {
                self.note_first(packet.time, !is_forward);
            }
        }
        if packet.key.protocol() == 6 {
            change.closed = self.note_tcp(packet.tcp_flags, packet.time, is_forward);
        }
        change
    }

    #[cold]
    fn start_earlier(&mut self, start: Timestamp) {
        let shift = self.start.micros_since(start);
        let micros = u32::try_from(shift).unwrap_or(u32::MAX);
        self.start = start;
        let first = &mut self.first;
        first.nonempty_offset_us = first.nonempty_offset_us.saturating_add(micros);
        first.syn_offset_us = first.syn_offset_us.saturating_add(micros);
        first.closed_offset_ms =
            first.closed_offset_ms.saturating_add(u32::try_from(shift / 1000).unwrap_or(u32::MAX));
    }

    /// Direction of and gap before one of the first non-empty packets. Gaps of packets out of order are 0, and none exceeds
    /// 71 minutes.
    fn note_first(&mut self, time: Timestamp, from_destination: bool) {
        let offset = u32::try_from(time.micros_since(self.start).max(0)).unwrap_or(u32::MAX);
        let first = &mut self.first;
        let count = usize::from(first.count);
        first.directions |= u8::from(from_destination) << count;
        if count > 0 {
            first.gaps_us[count - 1] = offset.saturating_sub(first.nonempty_offset_us);
        }
        first.nonempty_offset_us = offset;
        first.count += 1;
    }

    /// Handshake time and end of a TCP connection.
    ///
    /// Returns whether it ended with this packet. An ACK after the other side's FIN counts as acknowledging it, whatever its number: what comes late is absorbed.
    #[inline(always)]
    fn note_tcp(&mut self, flags: TcpFlags, time: Timestamp, is_forward: bool) -> bool {
        self.first.union_flags |= flags;
        let acks = flags.contains(TcpFlags::ACK);
        if self.tcp & RTT_DONE == 0 {
            self.note_handshake(flags, acks, time, is_forward);
        }
        if flags.contains(TcpFlags::FIN) {
            self.tcp |= if is_forward { FORWARD_FIN } else { REVERSE_FIN };
        }
        if acks && self.tcp & (FORWARD_FIN | REVERSE_FIN) != 0 {
            if is_forward && self.tcp & REVERSE_FIN != 0 {
                self.tcp |= REVERSE_FIN_ACKED;
            } else if !is_forward && self.tcp & FORWARD_FIN != 0 {
                self.tcp |= FORWARD_FIN_ACKED;
            }
        }
        if self.is_closed() {
            return false;
        }
        if flags.contains(TcpFlags::RST) {
            self.state |= CLOSED | CLOSED_BY_RESET;
        } else if self.tcp & BOTH_FIN_ACKED == BOTH_FIN_ACKED {
            self.state |= CLOSED;
        } else {
            return false;
        }
        let offset = time.micros_since(self.start).max(0) / 1000;
        self.first.closed_offset_ms = u32::try_from(offset).unwrap_or(u32::MAX);
        true
    }

    #[inline]
    fn note_handshake(&mut self, flags: TcpFlags, acks: bool, time: Timestamp, is_forward: bool) {
        let syn = flags.contains(TcpFlags::SYN);
        let since_syn = || {
            let offset = time.micros_since(self.start) - i64::from(self.first.syn_offset_us);
            u32::try_from(offset.max(0)).unwrap_or(u32::MAX)
        };
        if is_forward && syn && !acks {
            // Of several SYNs the last one before the answer counts: it is most likely the one that was answered.
            if self.tcp & SYN_ACK_SEEN == 0 {
                self.tcp |= SYN_SEEN;
                let offset = time.micros_since(self.start).max(0);
                self.first.syn_offset_us = u32::try_from(offset).unwrap_or(u32::MAX);
            }
        } else if !is_forward && syn && acks {
            if self.tcp & (SYN_SEEN | SYN_ACK_SEEN) == SYN_SEEN {
                self.first.rtt_us = since_syn();
                self.tcp |= SYN_ACK_SEEN;
            }
        } else if is_forward && acks && !syn && self.tcp & SYN_ACK_SEEN != 0 {
            self.first.rtt_us = since_syn();
            self.tcp |= RTT_DONE;
        }
    }

    /// How often the clock had been stepped back when the flow began.
    pub(crate) fn steps_back(&self) -> u16 {
        self.first.steps_back
    }

    /// The record of what was counted; gives the payload samples back.
    pub(crate) fn record(&mut self, reason: EndReason, samples: &mut SampleStore) -> FlowRecord {
        self.forward.stats.entropy = samples.finish(&mut self.forward.sample);
        self.reverse.stats.entropy = samples.finish(&mut self.reverse.sample);
        let (source, destination, source_port, destination_port) =
            ends(&self.key, self.source_is_low());
        let first = &self.first;
        let mut first_gaps_us = [0; FIRST_PACKETS];
        first_gaps_us[1..].copy_from_slice(&first.gaps_us);
        FlowRecord {
            start: self.start,
            end: self.last,
            source,
            destination,
            source_port,
            destination_port,
            ip_version: self.key.ip_version(),
            protocol: self.key.protocol(),
            reason,
            initial_flags: first.initial_flags,
            union_flags: first.union_flags,
            icmp_type: first.icmp_type,
            icmp_code: first.icmp_code,
            key_vlan: self.key.vlan(),
            rtt_us: first.rtt_us,
            ordinal: u32::from(first.steps_back) << 16 | u32::from(self.ordinal),
            forward: self.forward.stats,
            reverse: self.reverse.stats,
            first_directions: first.directions,
            first_count: first.count,
            first_gaps_us,
            macs: (self.state & HAS_MACS != 0).then_some((first.source_mac, first.destination_mac)),
            labels: None,
        }
    }
}

/// Source and destination of a key. ICMP's type and code may be in the key; they are no ports of the record.
fn ends(key: &FlowKey, source_is_low: bool) -> (Address, Address, u16, u16) {
    let ports =
        if matches!(key.protocol(), 1 | 58) { (0, 0) } else { (key.low_port(), key.high_port()) };
    if source_is_low {
        (key.low(), key.high(), ports.0, ports.1)
    } else {
        (key.high(), key.low(), ports.1, ports.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_four_cache_lines() {
        assert_eq!(size_of::<Direction>(), 64);
        assert_eq!(size_of::<Flow>(), 256);
    }
}
