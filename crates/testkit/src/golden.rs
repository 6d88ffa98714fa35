//! Our records against YAF's, field by field, and why they differ.
//!
//! YAF's rules were found by re-making its table from the captures with an independent program (`tests/yaf_rules.py`);
//! each [`Cause`] is one of them. A cause is given only where the record shows its sign, so that a fault of ours does not
//! pass under the name of a difference in definition.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;

use rockfish_flow::{FlowRecord, TcpFlags};

use crate::yaf::{YafDirection, YafFlow};

/// The settings that our records were made with, as far as they decide what can be equal to YAF's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YafRules {
    /// `flow.vlan_key`: YAF has the VLAN id in the key.
    pub vlan_key: bool,
    /// `flow.icmp_key`: YAF has ICMP type and code in the key.
    pub icmp_key: bool,
    /// Whether `flow.tcp_linger` is 0: YAF begins a new flow with the first packet after the end of a connection.
    pub no_linger: bool,
}

impl YafRules {
    /// All as YAF has it.
    pub const ALL: Self = Self { vlan_key: true, icmp_key: true, no_linger: true };
}

/// Why a record or a field of it is not as in YAF's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// YAF keeps payload, and so has entropy, of TCP and UDP only.
    EntropyProtocol,
    /// YAF keeps no payload of a TCP direction whose first packet is not a SYN.
    EntropyWithoutSyn,
    /// YAF keeps the payload of the first datagram of a UDP direction only.
    EntropyFirstDatagram,
    /// YAF sees the first 554 octets of a frame: with long headers fewer than 500 of them are payload.
    EntropyFrameStart,
    /// YAF places TCP payload by sequence number; ours counts it as it arrives.
    EntropySequence,
    /// YAF keeps no payload of datagrams from UDP port 0.
    EntropyPortZero,
    /// YAF's standard deviation is that of the first ten non-empty packets around the mean of all.
    DeviationOfTen,
    /// YAF's direction bits of the packets 33 to 40, 65 to 72 … fall onto those of the first eight.
    DirectionsWrap,
    /// YAF takes a later packet for a direction's first if its sequence number is not higher.
    LowestSequence,
    /// YAF has the innermost VLAN id, `svlan` and `dvlan` the outermost.
    InnerVlan,
    /// YAF's source is the sender of the first packet even if that is a SYN+ACK.
    SynAckFirst,
    /// SCTP: YAF knows no header, so the header's 12 octets are payload.
    SctpHeader,
    /// SCTP: YAF knows no ports, so all associations of two hosts are one flow.
    SctpPorts,
    /// YAF counts a reassembled datagram as one packet with one IP header, and its transport header as payload.
    Datagram,
    /// YAF leaves out fragments whose datagram stays incomplete.
    IncompleteDatagram,
    /// YAF leaves out packets whose IPv6 fragment header says that they are whole (RFC 6946).
    AtomicFragment,
    /// YAF leaves out packets that are older than the one before.
    TimeBackwards,
    /// YAF leaves out packets whose headers are cut off, or reach beyond the packet.
    CutHeader,
    /// YAF counts a packet whose IP header states an impossible length.
    ImpossibleLength,
    /// YAF reads no captures of this link type.
    LinkType,
    /// YAF reads no compressed captures.
    Compressed,
    /// YAF reads no IP behind LLC/SNAP or in provider backbone bridges (802.1ah).
    Encapsulation,
    /// ICMP: YAF has one flow per type and code and direction, ours (without `flow.icmp_key`) one per pair of hosts.
    IcmpKey,
    /// TCP: YAF begins a new flow after the end of a connection, ours (with `flow.tcp_linger`) absorbs late packets.
    Linger,
    /// YAF has one flow per VLAN id, ours (without `flow.vlan_key`) does not look at it.
    VlanKey,
}

impl Cause {
    /// Whether only the definition of a field differs: both records tell the same of the same packets.
    pub const fn is_definition(self) -> bool {
        matches!(
            self,
            Self::EntropyProtocol
                | Self::EntropyWithoutSyn
                | Self::EntropyFirstDatagram
                | Self::EntropyFrameStart
                | Self::EntropySequence
                | Self::EntropyPortZero
                | Self::DeviationOfTen
                | Self::DirectionsWrap
                | Self::LowestSequence
                | Self::InnerVlan
                | Self::SynAckFirst
                | Self::SctpHeader
        )
    }
}

/// What is special about a capture, as seen with other tools, and so may explain what else does not.
const CAPTURES: [(&str, Cause); 21] = [
    ("seed/ipfixprobe-tls.pcap", Cause::TimeBackwards),
    ("seed/mercury-capture2.pcap", Cause::TimeBackwards),
    ("seed/zeek-ipv6-reassembly-state-leak.pcap", Cause::IncompleteDatagram),
    ("edge/mercury-sll2_tls.pcap", Cause::LinkType),
    ("edge/sv-decode-sll2-01.pcap", Cause::LinkType),
    ("edge/sv-frag-eth-vlan-ipv6-tcp.pcap", Cause::IncompleteDatagram),
    ("edge/sv-ipv4frags.pcap", Cause::Datagram),
    ("edge/zeek-fragmented-2.pcap", Cause::IncompleteDatagram),
    ("edge/zeek-fragmented-3.pcap", Cause::IncompleteDatagram),
    ("edge/zeek-ip-bogus-header-len.pcap", Cause::ImpossibleLength),
    ("edge/zeek-ip6-ext-trunc.pcap", Cause::CutHeader),
    ("edge/zeek-ipv6-fragmented-dns.pcap", Cause::IncompleteDatagram),
    ("edge/zeek-ipv6-http-atomic-frag.pcap", Cause::AtomicFragment),
    ("edge/zeek-ipv6-mobility-dst-opts.pcap", Cause::CutHeader),
    ("edge/zeek-linux_dlt_sll2.pcap", Cause::LinkType),
    ("edge/zeek-mpls-6in6-broken.pcap.gz", Cause::Compressed),
    ("edge/zeek-pbb.pcap", Cause::Encapsulation),
    ("edge/zeek-snap-tcp.pcap", Cause::Encapsulation),
    ("edge/zeek-tcp.pcap", Cause::TimeBackwards),
    ("edge/zeek-truncated-header.pcap", Cause::CutHeader),
    ("edge/zeek-vxlan-encapsulated-http.pcap", Cause::TimeBackwards),
];

/// One field of two records that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDifference {
    /// Name of the field.
    pub field: &'static str,
    /// Our value.
    pub ours: String,
    /// YAF's value.
    pub yaf: String,
    /// Why they differ, if that is known.
    pub cause: Option<Cause>,
}

/// Two records that differ, or one without its counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Our record; `None` if only YAF has it.
    pub ours: Option<FlowRecord>,
    /// YAF's record; `None` if only we have it.
    pub yaf: Option<YafFlow>,
    /// The fields that differ. A record that one side alone has is a difference of the field `record`.
    pub fields: Vec<FieldDifference>,
}

impl Difference {
    /// Whether every field's cause is known.
    pub fn is_explained(&self) -> bool {
        self.fields.iter().all(|field| field.cause.is_some())
    }

    /// Whether the two tell the same of the same packets: all that differs is the definition of fields.
    pub fn is_definition(&self) -> bool {
        self.fields.iter().all(|field| field.cause.is_some_and(Cause::is_definition))
    }

    /// The causes, each once.
    pub fn causes(&self) -> Vec<Cause> {
        let mut causes: Vec<Cause> = self.fields.iter().filter_map(|field| field.cause).collect();
        causes.sort_unstable();
        causes.dedup();
        causes
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(yaf) = &self.yaf {
            write!(
                f,
                "yaf {} {}:{} -> {}:{} at {} ms, {}+{} packets",
                yaf.protocol,
                yaf.source,
                yaf.source_port,
                yaf.destination,
                yaf.destination_port,
                yaf.start_ms,
                yaf.forward.packets,
                yaf.reverse.packets
            )?;
        }
        if let Some(ours) = &self.ours {
            write!(
                f,
                "{}ours {} {}:{} -> {}:{} at {} s, {}+{} packets",
                if self.yaf.is_some() { "; " } else { "" },
                ours.protocol,
                ours.source_ip(),
                ours.source_port,
                ours.destination_ip(),
                ours.destination_port,
                ours.start,
                ours.forward.packets,
                ours.reverse.packets
            )?;
        }
        for field in &self.fields {
            write!(f, "; {} {} instead of {}", field.field, field.ours, field.yaf)?;
            match field.cause {
                Some(cause) => write!(f, " ({cause:?})")?,
                None => f.write_str(" (unexplained)")?,
            }
        }
        Ok(())
    }
}

/// What came of one capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// YAF's records that have a counterpart equal in every field.
    pub equal: usize,
    /// All else: differing pairs, YAF's records without a counterpart, ours without one.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// YAF's records whose counterpart differs in the definition of fields only.
    pub fn equal_but_for_definitions(&self) -> usize {
        self.differences
            .iter()
            .filter(|one| one.yaf.is_some() && one.ours.is_some() && one.is_definition())
            .count()
    }

    /// The differences that have no known cause.
    pub fn unexplained(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|one| !one.is_explained())
    }

    /// Adds for each cause the number of records that it concerns.
    pub fn count_causes(&self, counts: &mut BTreeMap<Cause, usize>) {
        for cause in self.differences.iter().flat_map(Difference::causes) {
            *counts.entry(cause).or_default() += 1;
        }
    }
}

/// Who talks with whom, by what, as YAF's table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ends {
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
    protocol: u8,
    vlan: u16,
}

const ICMP: [u8; 2] = [1, 58];
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

impl Ends {
    fn of_ours(flow: &FlowRecord, rules: YafRules) -> Self {
        let ports = match flow.protocol {
            protocol if ICMP.contains(&protocol) => {
                (0, u16::from(flow.icmp_type) << 8 | u16::from(flow.icmp_code))
            }
            TCP | UDP => (flow.source_port, flow.destination_port),
            _ => (0, 0),
        };
        Self {
            source: (flow.source_ip(), ports.0),
            destination: (flow.destination_ip(), ports.1),
            protocol: flow.protocol,
            vlan: if rules.vlan_key { flow.key_vlan } else { 0 },
        }
    }

    fn of_yaf(flow: &YafFlow, rules: YafRules) -> Self {
        Self {
            source: (flow.source, flow.source_port),
            destination: (flow.destination, flow.destination_port),
            protocol: flow.protocol,
            vlan: if rules.vlan_key { flow.forward.vlan.unwrap_or(0) } else { 0 },
        }
    }

    fn swapped(self) -> Self {
        Self { source: self.destination, destination: self.source, ..self }
    }

    /// The same for both directions and for all that may be one flow under other settings.
    fn conversation(self) -> Self {
        let mut ends = self;
        if ICMP.contains(&self.protocol) {
            ends.source.1 = 0;
            ends.destination.1 = 0;
        }
        ends.min(ends.swapped())
    }
}

/// YAF's record seen from the other end.
fn turned(flow: &YafFlow) -> YafFlow {
    let nonempty = flow.forward.nonempty_packets + flow.reverse.nonempty_packets;
    let used = if nonempty >= 8 { 0xff } else { (1_u16 << nonempty) as u8 - 1 };
    YafFlow {
        source: flow.destination,
        destination: flow.source,
        source_port: flow.destination_port,
        destination_port: flow.source_port,
        macs: (flow.macs.1, flow.macs.0),
        first_directions: !flow.first_directions & used,
        forward: flow.reverse.clone(),
        reverse: flow.forward.clone(),
        ..flow.clone()
    }
}

/// Holds our records of one capture against YAF's. `capture` is its path below `tests/data/pcap`.
pub fn compare(capture: &str, ours: &[FlowRecord], yaf: &[YafFlow], rules: YafRules) -> Comparison {
    let mut waiting = HashMap::<Ends, VecDeque<&FlowRecord>>::new();
    for flow in ours {
        waiting.entry(Ends::of_ours(flow, rules)).or_default().push_back(flow);
    }
    let mut take = |ends: Ends, start_ms: Option<i64>| {
        let queue = waiting.get_mut(&ends)?;
        let at = queue
            .iter()
            .position(|flow| start_ms.is_none_or(|start| ms(flow.start.as_micros()) == start))?;
        queue.remove(at)
    };
    // First those that surely belong together, so that none of them is taken for another's counterpart.
    let mut pairs: Vec<(Option<&FlowRecord>, &YafFlow, bool)> = yaf
        .iter()
        .map(|flow| (take(Ends::of_yaf(flow, rules), Some(flow.start_ms)), flow, false))
        .collect();
    for (ours, yaf, swapped) in pairs.iter_mut().filter(|pair| pair.0.is_none()) {
        *ours = take(Ends::of_yaf(yaf, rules).swapped(), Some(yaf.start_ms));
        *swapped = ours.is_some();
    }
    for (ours, yaf, swapped) in pairs.iter_mut().filter(|pair| pair.0.is_none()) {
        *ours = take(Ends::of_yaf(yaf, rules), None);
        if ours.is_none() {
            *ours = take(Ends::of_yaf(yaf, rules).swapped(), None);
            *swapped = ours.is_some();
        }
    }

    let mut comparison = Comparison::default();
    for (ours, yaf, swapped) in pairs {
        let fields = match ours {
            Some(ours) if swapped => {
                let mut fields = fields(ours, &turned(yaf));
                let syn_ack = TcpFlags::SYN | TcpFlags::ACK;
                let cause = yaf.forward.initial_flags.is_some_and(|flags| flags.contains(syn_ack));
                fields.push(FieldDifference {
                    field: "source",
                    ours: ours.source_ip().to_string(),
                    yaf: yaf.source.to_string(),
                    cause: cause.then_some(Cause::SynAckFirst),
                });
                fields
            }
            Some(ours) => fields(ours, yaf),
            None => vec![only("none", "a record")],
        };
        if fields.is_empty() {
            comparison.equal += 1;
        } else {
            comparison.differences.push(Difference {
                ours: ours.cloned(),
                yaf: Some(yaf.clone()),
                fields,
            });
        }
    }
    let mut extra: Vec<&FlowRecord> = waiting.into_values().flatten().collect();
    extra.sort_by_key(|flow| {
        (flow.start, flow.source, flow.destination, flow.source_port, flow.destination_port)
    });
    for flow in extra {
        comparison.differences.push(Difference {
            ours: Some(flow.clone()),
            yaf: None,
            fields: vec![only("a record", "none")],
        });
    }
    explain(capture, ours, yaf, rules, &mut comparison);
    comparison
}

fn ms(micros: i64) -> i64 {
    micros.div_euclid(1000)
}

fn only(ours: &str, yaf: &str) -> FieldDifference {
    FieldDifference { field: "record", ours: ours.to_owned(), yaf: yaf.to_owned(), cause: None }
}

/// Finds the causes that do not show in one pair of records: how packets were dealt out to flows, what YAF did not read.
fn explain(
    capture: &str,
    ours: &[FlowRecord],
    yaf: &[YafFlow],
    rules: YafRules,
    comparison: &mut Comparison,
) {
    let mut sums = HashMap::<Ends, [[u64; 2]; 2]>::new();
    for flow in ours {
        let [sum, _] = sums.entry(Ends::of_ours(flow, rules).conversation()).or_default();
        sum[0] += flow.forward.packets + flow.reverse.packets;
        sum[1] += flow.forward.octets + flow.reverse.octets;
    }
    for flow in yaf {
        let [_, sum] = sums.entry(Ends::of_yaf(flow, rules).conversation()).or_default();
        sum[0] += flow.forward.packets + flow.reverse.packets;
        sum[1] += flow.forward.octets + flow.reverse.octets;
    }
    let special = CAPTURES.iter().find(|(name, _)| *name == capture).map(|(_, cause)| *cause);
    for difference in &mut comparison.differences {
        let ends = match (&difference.ours, &difference.yaf) {
            (Some(ours), _) => Ends::of_ours(ours, rules),
            (None, Some(yaf)) => Ends::of_yaf(yaf, rules),
            (None, None) => continue,
        };
        // Nothing is lost if all flows of the two ends together have the same packets and octets.
        let [ours_sum, yaf_sum] = sums.get(&ends.conversation()).copied().unwrap_or_default();
        let split = match ends.protocol {
            SCTP => Some(Cause::SctpPorts),
            protocol if ICMP.contains(&protocol) => (!rules.icmp_key).then_some(Cause::IcmpKey),
            TCP => (!rules.no_linger).then_some(Cause::Linger),
            _ => None,
        };
        let split =
            split.or((!rules.vlan_key).then_some(Cause::VlanKey)).filter(|_| ours_sum == yaf_sum);
        let datagram = difference.yaf.as_ref().is_some_and(|yaf| {
            [&yaf.forward, &yaf.reverse]
                .iter()
                .any(|direction| direction.attributes.unwrap_or(0) & 8 != 0)
        });
        let cause = split.or(datagram.then_some(Cause::Datagram)).or(special);
        for field in difference.fields.iter_mut().filter(|field| field.cause.is_none()) {
            field.cause = cause;
        }
    }
}

/// The fields in which two records of one direction differ, with the causes that show in them.
fn fields(ours: &FlowRecord, yaf: &YafFlow) -> Vec<FieldDifference> {
    let mut differences = Vec::new();
    let mut check =
        |field, ours: &dyn fmt::Display, yaf: &dyn fmt::Display, cause: Option<Cause>| {
            let (ours, yaf) = (ours.to_string(), yaf.to_string());
            if ours != yaf {
                differences.push(FieldDifference { field, ours, yaf, cause });
            }
        };
    check("start", &ms(ours.start.as_micros()), &yaf.start_ms, None);
    check("end", &ms(ours.end.as_micros()), &yaf.end_ms, None);
    check("reason", &ours.reason.ipfix(), &yaf.end_reason, None);

    let initial = |direction: &YafDirection| direction.initial_flags.unwrap_or_default();
    let union =
        |direction: &YafDirection| initial(direction) | direction.union_flags.unwrap_or_default();
    check("union_flags", &ours.union_flags, &(union(&yaf.forward) | union(&yaf.reverse)), None);
    let replaced =
        |ours: u32, yaf: Option<u32>| yaf.filter(|yaf| *yaf <= ours).map(|_| Cause::LowestSequence);
    let forward_replaced = replaced(ours.forward.tcp_sequence, yaf.forward.tcp_sequence);
    let reverse_replaced = replaced(ours.reverse.tcp_sequence, yaf.reverse.tcp_sequence);
    let flags_differ = ours.protocol == TCP;
    check(
        "initial_flags",
        &ours.initial_flags,
        &initial(&yaf.forward),
        forward_replaced.filter(|_| flags_differ),
    );
    let sequence = |direction: &YafDirection| direction.tcp_sequence.unwrap_or(0);
    check(
        "forward.tcp_sequence",
        &ours.forward.tcp_sequence,
        &sequence(&yaf.forward),
        forward_replaced,
    );
    check(
        "reverse.tcp_sequence",
        &ours.reverse.tcp_sequence,
        &sequence(&yaf.reverse),
        reverse_replaced,
    );

    let nonempty = ours.forward.nonempty_packets + ours.reverse.nonempty_packets;
    // Bits can only be added by what wraps.
    let wraps = nonempty > 32 && ours.first_directions & !yaf.first_directions == 0;
    let wraps = wraps.then_some(Cause::DirectionsWrap);
    check("first_directions", &ours.first_directions, &yaf.first_directions, wraps);

    let mac = |mac: [u8; 6]| mac.map(|octet| format!("{octet:02x}")).join(":");
    let (source, destination) = ours.macs.unwrap_or_default();
    check("source_mac", &mac(source), &mac(yaf.macs.0), None);
    check("destination_mac", &mac(destination), &mac(yaf.macs.1), None);

    let names = [
        ["forward.packets", "reverse.packets"],
        ["forward.octets", "reverse.octets"],
        ["forward.payload_octets", "reverse.payload_octets"],
        ["forward.small_packets", "reverse.small_packets"],
        ["forward.large_packets", "reverse.large_packets"],
        ["forward.nonempty_packets", "reverse.nonempty_packets"],
        ["forward.first_nonempty", "reverse.first_nonempty"],
        ["forward.max_payload", "reverse.max_payload"],
        ["forward.mean_payload", "reverse.mean_payload"],
        ["forward.stdev_payload", "reverse.stdev_payload"],
        ["forward.vlan", "reverse.vlan"],
        ["forward.entropy", "reverse.entropy"],
    ];
    for (side, (stats, theirs)) in
        [(&ours.forward, &yaf.forward), (&ours.reverse, &yaf.reverse)].into_iter().enumerate()
    {
        let name = |index: usize| names[index][side];
        // What the header is counted for shows in these fields alone.
        let header = stats.packets == theirs.packets && stats.octets == theirs.octets;
        let header = (ours.protocol == SCTP && header).then_some(Cause::SctpHeader);
        check(name(0), &stats.packets, &theirs.packets, None);
        check(name(1), &stats.octets, &theirs.octets, None);
        check(name(2), &stats.payload_octets, &theirs.payload_octets, header);
        check(name(3), &stats.small_packets, &theirs.small_packets, header);
        check(name(4), &stats.large_packets, &theirs.large_packets, header);
        check(name(5), &stats.nonempty_packets, &theirs.nonempty_packets, header);
        check(name(6), &stats.first_nonempty, &theirs.first_nonempty, header);
        check(name(7), &stats.max_payload, &theirs.max_payload, header);
        let mean =
            theirs.payload_octets.checked_div(u64::from(theirs.nonempty_packets)).unwrap_or(0);
        check(name(8), &stats.mean_payload(), &mean, header);
        let ten = (stats.nonempty_packets > 10).then_some(Cause::DeviationOfTen);
        check(name(9), &stats.stdev_payload(), &theirs.stdev_payload, ten.or(header));
        // One tag: both have it. Several: YAF's is the innermost, which is the one in the key.
        let inner = theirs
            .vlan
            .filter(|inner| *inner != 0 && *inner == ours.key_vlan)
            .map(|_| Cause::InnerVlan);
        check(name(10), &stats.vlan, &theirs.vlan.unwrap_or(0), inner);
        let port = if side == 0 { ours.source_port } else { ours.destination_port };
        check(
            name(11),
            &stats.entropy,
            &theirs.entropy.unwrap_or(0),
            entropy_cause(ours, port, stats.nonempty_packets, stats.payload_octets, theirs),
        );
    }
    differences
}

/// The longest header before the payload in the captures' frames: Ethernet, two VLAN tags, IPv6, TCP with all options.
const LONGEST_HEADERS: u64 = 14 + 8 + 40 + 60;
/// What YAF sees of a frame, and what it keeps of a direction's payload.
const FRAME_START: u64 = 554;

fn entropy_cause(
    ours: &FlowRecord,
    port: u16,
    nonempty_packets: u32,
    payload_octets: u64,
    yaf: &YafDirection,
) -> Option<Cause> {
    match ours.protocol {
        TCP => match yaf.initial_flags {
            Some(flags) if !flags.contains(TcpFlags::SYN) => {
                yaf.entropy.is_none_or(|e| e == 0).then_some(Cause::EntropyWithoutSyn)
            }
            _ if payload_octets > FRAME_START - LONGEST_HEADERS => Some(Cause::EntropyFrameStart),
            _ => Some(Cause::EntropySequence),
        },
        UDP if port == 0 && yaf.entropy.is_none() => Some(Cause::EntropyPortZero),
        UDP if nonempty_packets > 1 => Some(Cause::EntropyFirstDatagram),
        UDP if payload_octets > FRAME_START - LONGEST_HEADERS => Some(Cause::EntropyFrameStart),
        UDP => None,
        _ => yaf.entropy.is_none().then_some(Cause::EntropyProtocol),
    }
}
