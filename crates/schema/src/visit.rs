//! Which value of a flow stands in which column: the only place that says so.

use rockfish_fingerprint::community_id::CommunityId;
use rockfish_flow::{Address, FlowRecord, Labels, MacAddress, Timestamp};

use crate::column::Field;
use crate::text;

/// Takes the values of a column, each kind by its own method. `get` is known at compile time, so a visitor that runs
/// over many records has a loop of its own for every column.
///
/// What comes of a flow's [`Labels`] is unknown for flows without.
pub trait Visit {
    /// The schema version: the same for all flows of a file.
    fn version(&mut self);
    /// The observation domain: the same for all flows of a file.
    fn observation(&mut self);
    /// The flow's UUID: [`crate::FlowIdNamespace::id`].
    fn flow_id(&mut self);
    /// A time.
    fn time(&mut self, get: impl Fn(&FlowRecord) -> Timestamp);
    /// A number of 8 bits.
    fn u8(&mut self, get: impl Fn(&FlowRecord) -> u8);
    /// A number of 8 bits that a flow may lack.
    fn optional_u8(&mut self, get: impl Fn(&FlowRecord) -> Option<u8>);
    /// A number of 16 bits.
    fn u16(&mut self, get: impl Fn(&FlowRecord) -> u16);
    /// A number of 32 bits.
    fn u32(&mut self, get: impl Fn(&FlowRecord) -> u32);
    /// A signed number of 32 bits.
    fn i32(&mut self, get: impl Fn(&FlowRecord) -> i32);
    /// A number of 64 bits.
    fn u64(&mut self, get: impl Fn(&FlowRecord) -> u64);
    /// Text that follows from at most 16 bits: `push` appends that of one code.
    fn code(&mut self, get: impl Fn(&FlowRecord) -> u16, push: impl Fn(&mut Vec<u8>, u16));
    /// An address; the record says which version.
    fn address(&mut self, get: impl Fn(&FlowRecord) -> &Address);
    /// A MAC address, or none.
    fn mac(&mut self, get: impl Fn(&FlowRecord) -> Option<&MacAddress>);
    /// The gaps before the first packets.
    fn gaps(&mut self);
    /// Text made of the record: `push` appends it.
    fn text(&mut self, push: impl Fn(&FlowRecord, &mut Vec<u8>));
    /// Text of the labels.
    fn label_text(&mut self, get: impl Fn(&Labels) -> Option<&str>);
    /// A number of 32 bits of the labels.
    fn label_u32(&mut self, get: impl Fn(&Labels) -> Option<u32>);
    /// A number of 8 bits of the labels.
    fn label_u8(&mut self, get: impl Fn(&Labels) -> Option<u8>);
    /// Nothing that the record knows.
    fn unknown(&mut self);
}

/// Hands `visitor` the values of `field`.
#[inline]
pub fn visit(field: Field, visitor: &mut impl Visit) {
    match field {
        Field::Version => visitor.version(),
        Field::FlowId => visitor.flow_id(),
        Field::ObservationName => visitor.observation(),
        Field::StartTime => visitor.time(|r| r.start),
        Field::EndTime => visitor.time(|r| r.end),
        Field::Duration => visitor.u32(FlowRecord::duration_ms),
        Field::RoundTripTime => visitor.u32(|r| r.rtt_us),
        Field::ProducerConsumerRatio => visitor.i32(FlowRecord::pcr_permille),
        Field::Protocol => visitor.code(
            |r| u16::from(r.protocol),
            |out, code| out.extend_from_slice(text::protocol(low(code)).as_bytes()),
        ),
        Field::SourceAddress => visitor.address(|r| &r.source),
        Field::DestinationAddress => visitor.address(|r| &r.destination),
        Field::SourcePort => visitor.u16(|r| r.source_port),
        Field::DestinationPort => visitor.u16(|r| r.destination_port),
        Field::InitialFlags => visitor.code(|r| u16::from(r.initial_flags.bits()), push_flags),
        Field::UnionFlags => visitor.code(|r| u16::from(r.union_flags.bits()), push_flags),
        Field::SourceSequence => visitor.u32(|r| r.forward.tcp_sequence),
        Field::DestinationSequence => visitor.u32(|r| r.reverse.tcp_sequence),
        Field::SourceVlan => visitor.u16(|r| r.forward.vlan),
        Field::DestinationVlan => visitor.u16(|r| r.reverse.vlan),
        Field::SourcePackets => visitor.u64(|r| r.forward.packets),
        Field::DestinationPackets => visitor.u64(|r| r.reverse.packets),
        Field::SourceOctets => visitor.u64(|r| r.forward.octets),
        Field::DestinationOctets => visitor.u64(|r| r.reverse.octets),
        Field::SourceEntropy => visitor.u8(|r| r.forward.entropy),
        Field::DestinationEntropy => visitor.u8(|r| r.reverse.entropy),
        Field::SourceSmallPackets => visitor.u32(|r| r.forward.small_packets),
        Field::DestinationSmallPackets => visitor.u32(|r| r.reverse.small_packets),
        Field::SourceLargePackets => visitor.u32(|r| r.forward.large_packets),
        Field::DestinationLargePackets => visitor.u32(|r| r.reverse.large_packets),
        Field::SourceNonEmptyPackets => visitor.u32(|r| r.forward.nonempty_packets),
        Field::DestinationNonEmptyPackets => visitor.u32(|r| r.reverse.nonempty_packets),
        Field::SourceFirstNonEmpty => visitor.u16(|r| r.forward.first_nonempty),
        Field::DestinationFirstNonEmpty => visitor.u16(|r| r.reverse.first_nonempty),
        Field::SourceMaxPayload => visitor.u16(|r| r.forward.max_payload),
        Field::DestinationMaxPayload => visitor.u16(|r| r.reverse.max_payload),
        Field::SourceMeanPayload => visitor.u16(|r| r.forward.mean_payload()),
        Field::DestinationMeanPayload => visitor.u16(|r| r.reverse.mean_payload()),
        Field::SourceStdevPayload => visitor.u16(|r| r.forward.stdev_payload()),
        Field::DestinationStdevPayload => visitor.u16(|r| r.reverse.stdev_payload()),
        Field::FirstDirections => visitor.code(
            |r| u16::from(r.first_count.min(8)) << 8 | u16::from(r.first_directions),
            |out, code| text::push_directions(out, low(code), low(code >> 8)),
        ),
        Field::FirstGaps => visitor.gaps(),
        Field::Reason => visitor.code(
            |r| r.reason as u16,
            |out, code| {
                // A code comes from a reason, so it is the number of one.
                if let Some(reason) = rockfish_flow::EndReason::ALL.get(usize::from(code)) {
                    out.extend_from_slice(reason.as_str().as_bytes());
                }
            },
        ),
        Field::SourceMac => visitor.mac(|r| r.macs.as_ref().map(|(source, _)| source)),
        Field::DestinationMac => {
            visitor.mac(|r| r.macs.as_ref().map(|(_, destination)| destination));
        }
        Field::IcmpType => visitor.optional_u8(|r| is_icmp(r).then_some(r.icmp_type)),
        Field::IcmpCode => visitor.optional_u8(|r| is_icmp(r).then_some(r.icmp_code)),
        Field::SourceTtl => {
            visitor.optional_u8(|r| (r.forward.packets > 0).then_some(r.forward.ttl));
        }
        Field::DestinationTtl => {
            visitor.optional_u8(|r| (r.reverse.packets > 0).then_some(r.reverse.ttl));
        }
        Field::CommunityId => visitor.text(push_community_id),
        Field::SourceCountry => visitor.label_text(|l| l.source_place.as_ref()?.country.as_deref()),
        Field::DestinationCountry => {
            visitor.label_text(|l| l.destination_place.as_ref()?.country.as_deref());
        }
        Field::SourceCity => visitor.label_text(|l| l.source_place.as_ref()?.city.as_deref()),
        Field::DestinationCity => {
            visitor.label_text(|l| l.destination_place.as_ref()?.city.as_deref())
        }
        Field::SourceAsn => visitor.label_u32(|l| l.source_place.as_ref()?.asn),
        Field::DestinationAsn => visitor.label_u32(|l| l.destination_place.as_ref()?.asn),
        Field::SourceAsOrganisation => {
            visitor.label_text(|l| l.source_place.as_ref()?.as_org.as_deref());
        }
        Field::DestinationAsOrganisation => {
            visitor.label_text(|l| l.destination_place.as_ref()?.as_org.as_deref());
        }
        Field::ApplicationName => {
            visitor.label_text(|l| l.application.as_ref().map(|a| &*a.name));
        }
        Field::ApplicationCategory => {
            visitor.label_text(|l| l.application.as_ref().and_then(|a| a.category));
        }
        Field::RiskScore => visitor.label_u32(|l| l.application.as_ref().map(|a| a.risk_score)),
        Field::RiskSeverity => {
            visitor.label_u8(|l| l.application.as_ref().map(|a| a.risk_severity));
        }
        Field::RiskList => {
            visitor.label_text(|l| l.application.as_ref().and_then(|a| a.risks.as_deref()));
        }
        Field::HostName => visitor.label_text(|l| l.host_name.as_deref()),
        Field::Ja4 => visitor.label_text(|l| l.ja4.as_deref()),
        Field::Ja3s => visitor.label_text(|l| l.ja3s.as_deref()),
        Field::TcpFingerprint => visitor.label_text(|l| l.tcp_fingerprint.as_deref()),
        Field::Fingerprint => visitor.label_text(|l| l.fingerprint.as_deref()),
        Field::AnomalyScore
        | Field::AnomalySeverity
        | Field::AnomalyFactors
        | Field::Splt
        | Field::SpltLengths
        | Field::SpltGaps => visitor.unknown(),
    }
}

fn push_community_id(record: &FlowRecord, out: &mut Vec<u8>) {
    let ports = match is_icmp(record) {
        true => [record.icmp_type, record.icmp_code].map(u16::from),
        false => [record.source_port, record.destination_port],
    };
    let (source, destination) = (record.source_ip(), record.destination_ip());
    let id = CommunityId::new(0, source, destination, record.protocol, ports);
    out.extend_from_slice(id.to_string().as_bytes());
}

fn push_flags(out: &mut Vec<u8>, code: u16) {
    out.extend_from_slice(text::flags(low(code)));
}

/// The low octet.
fn low(code: u16) -> u8 {
    code.to_le_bytes()[0]
}

/// ICMP or ICMPv6.
fn is_icmp(record: &FlowRecord) -> bool {
    record.protocol == if record.ip_version == 4 { 1 } else { 58 }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{COLUMNS, EXTRA_COLUMNS, Group, Tier, Type};
    use rockfish_flow::{DirectionStats, EndReason, TcpFlags};

    /// A web flow of six packets.
    pub(crate) fn sample() -> FlowRecord {
        let mut source = [0; 16];
        source[..4].copy_from_slice(&[192, 168, 1, 100]);
        let mut destination = [0; 16];
        destination[..4].copy_from_slice(&[93, 184, 216, 34]);
        FlowRecord {
            start: Timestamp::from_micros(1_736_937_000_000_250),
            end: Timestamp::from_micros(1_736_937_005_123_999),
            source,
            destination,
            source_port: 54321,
            destination_port: 443,
            ip_version: 4,
            protocol: 6,
            reason: EndReason::End,
            initial_flags: TcpFlags::SYN,
            union_flags: TcpFlags::from_bits(0x1b),
            icmp_type: 0,
            icmp_code: 0,
            key_vlan: 0,
            rtt_us: 20_123,
            ordinal: 0,
            forward: DirectionStats {
                packets: 4,
                octets: 1234,
                payload_octets: 1000,
                payload_squares: 580_000,
                small_packets: 0,
                large_packets: 2,
                nonempty_packets: 2,
                tcp_sequence: 4_000_000_000,
                first_nonempty: 300,
                max_payload: 700,
                vlan: 12,
                entropy: 250,
                ttl: 64,
            },
            reverse: DirectionStats {
                packets: 2,
                octets: 130,
                payload_octets: 50,
                payload_squares: 2500,
                small_packets: 1,
                nonempty_packets: 1,
                tcp_sequence: 7,
                first_nonempty: 50,
                max_payload: 50,
                vlan: 13,
                entropy: 100,
                ttl: 57,
                ..DirectionStats::default()
            },
            first_directions: 0b010,
            first_count: 3,
            first_gaps_us: [0, 120, 33, 0, 0, 0, 0, 0],
            macs: Some(([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 0xfe])),
            labels: None,
        }
    }

    /// What kind of value a column was handed, and whether it may lack.
    #[derive(Default)]
    struct Kind(Option<(Type, bool)>);

    impl Visit for Kind {
        fn version(&mut self) {
            self.0 = Some((Type::UInt16, false));
        }
        fn observation(&mut self) {
            self.0 = Some((Type::Utf8, false));
        }
        fn flow_id(&mut self) {
            self.0 = Some((Type::Utf8, false));
        }
        fn time(&mut self, _: impl Fn(&FlowRecord) -> Timestamp) {
            self.0 = Some((Type::Timestamp, false));
        }
        fn u8(&mut self, _: impl Fn(&FlowRecord) -> u8) {
            self.0 = Some((Type::UInt8, false));
        }
        fn optional_u8(&mut self, _: impl Fn(&FlowRecord) -> Option<u8>) {
            self.0 = Some((Type::UInt8, true));
        }
        fn u16(&mut self, _: impl Fn(&FlowRecord) -> u16) {
            self.0 = Some((Type::UInt16, false));
        }
        fn u32(&mut self, _: impl Fn(&FlowRecord) -> u32) {
            self.0 = Some((Type::UInt32, false));
        }
        fn i32(&mut self, _: impl Fn(&FlowRecord) -> i32) {
            self.0 = Some((Type::Int32, false));
        }
        fn u64(&mut self, _: impl Fn(&FlowRecord) -> u64) {
            self.0 = Some((Type::UInt64, false));
        }
        fn code(&mut self, _: impl Fn(&FlowRecord) -> u16, _: impl Fn(&mut Vec<u8>, u16)) {
            self.0 = Some((Type::Utf8, false));
        }
        fn address(&mut self, _: impl Fn(&FlowRecord) -> &Address) {
            self.0 = Some((Type::Utf8, false));
        }
        fn mac(&mut self, _: impl Fn(&FlowRecord) -> Option<&MacAddress>) {
            self.0 = Some((Type::Utf8, true));
        }
        fn gaps(&mut self) {
            self.0 = Some((Type::Utf8, false));
        }
        fn text(&mut self, _: impl Fn(&FlowRecord, &mut Vec<u8>)) {
            self.0 = Some((Type::Utf8, true));
        }
        fn label_text(&mut self, _: impl Fn(&Labels) -> Option<&str>) {
            self.0 = Some((Type::Utf8, true));
        }
        fn label_u32(&mut self, _: impl Fn(&Labels) -> Option<u32>) {
            self.0 = Some((Type::UInt32, true));
        }
        fn label_u8(&mut self, _: impl Fn(&Labels) -> Option<u8>) {
            self.0 = Some((Type::UInt8, true));
        }
        fn unknown(&mut self) {
            self.0 = None;
        }
    }

    #[test]
    fn values_have_their_columns_type() {
        for column in COLUMNS.iter().chain(&EXTRA_COLUMNS) {
            let mut kind = Kind::default();
            visit(column.field, &mut kind);
            match kind.0 {
                Some(kind) => {
                    assert_eq!(kind, (column.data_type, column.nullable), "{}", column.name);
                }
                None => assert!(
                    column.nullable && column.group != Group::Tier(Tier::Community),
                    "{} has no value in the record",
                    column.name
                ),
            }
        }
    }
}
