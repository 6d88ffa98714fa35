//! One flow as one line of JSON, with names of IPFIX information elements.

use rockfish_flow::{Address, FlowRecord, Labels, MacAddress, Timestamp};

use crate::column::{Column, Field, Tier};
use crate::flow_id::FlowIdNamespace;
use crate::table::columns;
use crate::text;
use crate::visit::{Visit, visit};

/// Writes flows as JSON objects, one a line.
///
/// Differences from the columns: times are ISO 8601 with milliseconds, `protocolIdentifier` is the number, `ipVersion` comes
/// before it, and what is not known is left out.
#[derive(Clone, Debug)]
pub struct JsonWriter {
    columns: Vec<(&'static Column, Vec<u8>)>,
    version: u16,
    /// The name of the observation domain, quoted.
    observation: Vec<u8>,
    namespace: FlowIdNamespace,
}

impl JsonWriter {
    /// For the columns of `tier` and those of `extra`, in an observation domain.
    pub fn new(tier: Tier, extra: &[Field], observation: &str) -> Self {
        let mut quoted = Vec::new();
        push_string(&mut quoted, observation.as_bytes());
        Self {
            columns: columns(tier, extra)
                .into_iter()
                .map(|column| (column, format!("\"{}\":", column.json).into_bytes()))
                .collect(),
            version: tier.schema_version(),
            observation: quoted,
            namespace: FlowIdNamespace::new(observation),
        }
    }

    /// Appends the line of `record`, with its line feed.
    pub fn write(&self, record: &FlowRecord, out: &mut Vec<u8>) {
        let mut separator = b'{';
        for (column, key) in &self.columns {
            let start = out.len();
            out.push(separator);
            let mut value = Value { writer: self, record, out, known: true };
            if column.field == Field::Protocol {
                value.out.extend_from_slice(b"\"ipVersion\":");
                value.number(u64::from(record.ip_version));
                value.out.push(b',');
                value.out.extend_from_slice(key);
                value.number(u64::from(record.protocol));
            } else {
                value.out.extend_from_slice(key);
                visit(column.field, &mut value);
            }
            if value.known {
                separator = b',';
            } else {
                out.truncate(start);
            }
        }
        out.extend_from_slice(b"}\n");
    }
}

/// Appends one value of one record.
struct Value<'a> {
    writer: &'a JsonWriter,
    record: &'a FlowRecord,
    out: &'a mut Vec<u8>,
    known: bool,
}

impl Value<'_> {
    fn number(&mut self, value: u64) {
        text::push_decimal(self.out, value);
    }

    /// Text of ours, which has nothing to escape.
    fn plain_text(&mut self, push: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(b'"');
        push(self.out);
        self.out.push(b'"');
    }
}

impl Visit for Value<'_> {
    fn version(&mut self) {
        self.number(u64::from(self.writer.version));
    }

    fn observation(&mut self) {
        self.out.extend_from_slice(&self.writer.observation);
    }

    fn flow_id(&mut self) {
        let id = text::uuid(&self.writer.namespace.id(self.record));
        self.plain_text(|out| out.extend_from_slice(&id));
    }

    fn time(&mut self, get: impl Fn(&FlowRecord) -> Timestamp) {
        let micros = get(self.record).as_micros();
        self.plain_text(|out| text::push_iso8601(out, micros));
    }

    fn u8(&mut self, get: impl Fn(&FlowRecord) -> u8) {
        self.number(u64::from(get(self.record)));
    }

    fn optional_u8(&mut self, get: impl Fn(&FlowRecord) -> Option<u8>) {
        match get(self.record) {
            Some(value) => self.number(u64::from(value)),
            None => self.known = false,
        }
    }

    fn u16(&mut self, get: impl Fn(&FlowRecord) -> u16) {
        self.number(u64::from(get(self.record)));
    }

    fn u32(&mut self, get: impl Fn(&FlowRecord) -> u32) {
        self.number(u64::from(get(self.record)));
    }

    fn i32(&mut self, get: impl Fn(&FlowRecord) -> i32) {
        let value = get(self.record);
        if value < 0 {
            self.out.push(b'-');
        }
        self.number(u64::from(value.unsigned_abs()));
    }

    fn u64(&mut self, get: impl Fn(&FlowRecord) -> u64) {
        self.number(get(self.record));
    }

    fn code(&mut self, get: impl Fn(&FlowRecord) -> u16, push: impl Fn(&mut Vec<u8>, u16)) {
        let code = get(self.record);
        self.plain_text(|out| push(out, code));
    }

    fn address(&mut self, get: impl Fn(&FlowRecord) -> &Address) {
        let record = self.record;
        self.plain_text(|out| text::push_address(out, record.ip_version, get(record)));
    }

    fn mac(&mut self, get: impl Fn(&FlowRecord) -> Option<&MacAddress>) {
        match get(self.record) {
            Some(address) => self.plain_text(|out| text::push_mac(out, address)),
            None => self.known = false,
        }
    }

    fn gaps(&mut self) {
        let record = self.record;
        self.plain_text(|out| text::push_gaps(out, &record.first_gaps_us, record.first_count));
    }

    fn text(&mut self, push: impl Fn(&FlowRecord, &mut Vec<u8>)) {
        let record = self.record;
        self.plain_text(|out| push(record, out));
    }

    fn label_text(&mut self, get: impl Fn(&Labels) -> Option<&str>) {
        match self.record.labels.as_deref().and_then(get) {
            Some(text) => push_string(self.out, text.as_bytes()),
            None => self.known = false,
        }
    }

    fn label_u32(&mut self, get: impl Fn(&Labels) -> Option<u32>) {
        match self.record.labels.as_deref().and_then(get) {
            Some(value) => self.number(u64::from(value)),
            None => self.known = false,
        }
    }

    fn label_u8(&mut self, get: impl Fn(&Labels) -> Option<u8>) {
        self.label_u32(|labels| get(labels).map(u32::from));
    }

    fn unknown(&mut self) {
        self.known = false;
    }
}

/// Appends a JSON string (RFC 8259, section 7).
fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for octet in text {
        match octet {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *octet]),
            0..0x20 => out.extend_from_slice(format!("\\u{octet:04x}").as_bytes()),
            _ => out.push(*octet),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visit::tests::sample;
    use serde_json::Value as Json;

    fn line(writer: &JsonWriter, record: &FlowRecord) -> (String, Json) {
        let mut out = Vec::new();
        writer.write(record, &mut out);
        let line = String::from_utf8(out).expect("UTF-8");
        let parsed = serde_json::from_str(&line).expect("JSON");
        (line, parsed)
    }

    #[test]
    fn a_flow_is_one_line() {
        let (line, _) = line(&JsonWriter::new(Tier::Community, &[], "gnat"), &sample());
        assert_eq!(
            line,
            concat!(
                r#"{"flowRecordVersion":1,"flowId":"c447442d-880a-5b9b-8bce-025a4e8ca347","observationDomainName":"gnat","#,
                r#""flowStartMilliseconds":"2025-01-15T10:30:00.000Z","flowEndMilliseconds":"2025-01-15T10:30:05.123Z","#,
                r#""flowDurationMilliseconds":5123,"tcpRoundTripTimeMicroseconds":20123,"producerConsumerRatio":905,"#,
                r#""ipVersion":4,"protocolIdentifier":6,"sourceIPAddress":"192.168.1.100","#,
                r#""destinationIPAddress":"93.184.216.34","sourceTransportPort":54321,"destinationTransportPort":443,"#,
                r#""initialTCPFlags":"S","unionTCPFlags":"FSPA","tcpSequenceNumber":4000000000,"#,
                r#""reverseTcpSequenceNumber":7,"vlanId":12,"reverseVlanId":13,"packetTotalCount":4,"#,
                r#""reversePacketTotalCount":2,"octetTotalCount":1234,"reverseOctetTotalCount":130,"payloadEntropy":250,"#,
                r#""reversePayloadEntropy":100,"smallPacketCount":0,"reverseSmallPacketCount":1,"largePacketCount":2,"#,
                r#""reverseLargePacketCount":0,"nonEmptyPacketCount":2,"reverseNonEmptyPacketCount":1,"#,
                r#""firstNonEmptyPacketSize":300,"reverseFirstNonEmptyPacketSize":50,"maxPacketSize":700,"#,
                r#""reverseMaxPacketSize":50,"averagePayloadLength":500,"reverseAveragePayloadLength":50,"#,
                r#""standardDeviationPayloadLength":200,"reverseStandardDeviationPayloadLength":0,"#,
                r#""firstEightNonEmptyPacketDirections":"010","firstEightNonEmptyPacketGapsMicroseconds":"0,120,33","#,
                r#""flowEndReason":"end","sourceMacAddress":"02:00:00:00:00:01","destinationMacAddress":"02:00:00:00:00:fe"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut record = sample();
        record.macs = None;
        let extra = [Field::IcmpType, Field::SourceTtl, Field::SpltLengths];
        let writer = JsonWriter::new(Tier::Enterprise, &extra, "a \"b\" \\ \u{1} é");
        let (_, parsed) = line(&writer, &record);
        assert_eq!(parsed["observationDomainName"], "a \"b\" \\ \u{1} é");
        assert_eq!(parsed["flowRecordVersion"], 2);
        assert_eq!(parsed["ipTTL"], 64);
        for name in
            ["sourceMacAddress", "icmpType", "spltLengths", "anomalyScore", "applicationName"]
        {
            assert_eq!(parsed.get(name), None, "{name}");
        }
        assert_eq!(parsed.as_object().map(serde_json::Map::len), Some(42 + 1 + 1));
        record.protocol = 1;
        record.icmp_type = 8;
        assert_eq!(line(&writer, &record).1["icmpType"], 8);
    }

    #[test]
    fn negative_ratios_have_their_sign() {
        let mut record = sample();
        std::mem::swap(&mut record.forward, &mut record.reverse);
        let writer = JsonWriter::new(Tier::Community, &[], "gnat");
        assert_eq!(line(&writer, &record).1["producerConsumerRatio"], -905);
    }
}
