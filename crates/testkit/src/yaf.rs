//! The table of flow records that YAF wrote for the captures in `tests/data/pcap`.
//!
//! Columns are IPFIX and CERT elements. An empty cell is an element that YAF did not export: a flow without reverse
//! packets has no reverse elements, one without payload no statistics, one that is not TCP no flags.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use flate2::bufread::MultiGzDecoder;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rockfish_flow::{MacAddress, TcpFlags};

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A column of the header is missing.
    #[error("{}: line 1: no column {column}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column's name.
        column: &'static str,
    },
    /// A cell does not hold what its column holds.
    #[error("{}: line {line}: column {column}: found {found:?}, expected {expected}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column's name.
        column: &'static str,
        /// The cell.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// What YAF says of one direction of a flow. Statistics are 0 where it exported none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct YafDirection {
    /// `packetTotalCount`.
    pub packets: u64,
    /// `octetTotalCount`: IP octets.
    pub octets: u64,
    /// `flowAttributes`: bit 0, all packets have one size; bit 3, fragments (set on all that had some, and on others).
    pub attributes: Option<u16>,
    /// `vlanId`: the innermost tag's; `None` if there is no such direction.
    pub vlan: Option<u16>,
    /// `ipClassOfService`.
    pub class_of_service: Option<u8>,
    /// `dataByteCount`: payload octets.
    pub payload_octets: u64,
    /// `averageInterarrivalTime`, milliseconds.
    pub mean_gap_ms: u64,
    /// `standardDeviationInterarrivalTime`, milliseconds.
    pub stdev_gap_ms: u64,
    /// `tcpUrgTotalCount`.
    pub urgent_packets: u32,
    /// `smallPacketCount`.
    pub small_packets: u32,
    /// `nonEmptyPacketCount`.
    pub nonempty_packets: u32,
    /// `largePacketCount`.
    pub large_packets: u32,
    /// `firstNonEmptyPacketSize`.
    pub first_nonempty: u16,
    /// `maxPacketSize`.
    pub max_payload: u16,
    /// `standardDeviationPayloadLength`.
    pub stdev_payload: u16,
    /// `tcpSequenceNumber`.
    pub tcp_sequence: Option<u32>,
    /// `initialTCPFlags`.
    pub initial_flags: Option<TcpFlags>,
    /// `unionTCPFlags`: of all packets but the first.
    pub union_flags: Option<TcpFlags>,
    /// `payloadEntropy`.
    pub entropy: Option<u8>,
}

/// One record of YAF's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YafFlow {
    /// `flowStartMilliseconds`, since the epoch.
    pub start_ms: i64,
    /// `flowEndMilliseconds`, since the epoch.
    pub end_ms: i64,
    /// `sourceIPv4Address` or `sourceIPv6Address`.
    pub source: IpAddr,
    /// `destinationIPv4Address` or `destinationIPv6Address`.
    pub destination: IpAddr,
    /// `sourceTransportPort`; 0 for all but TCP and UDP.
    pub source_port: u16,
    /// `destinationTransportPort`; type × 256 + code for ICMP, 0 for all but TCP, UDP and ICMP.
    pub destination_port: u16,
    /// `protocolIdentifier`.
    pub protocol: u8,
    /// `flowEndReason`: 1 idle, 2 active, 3 end of flow, 4 end of input, 5 lack of resources.
    pub end_reason: u8,
    /// `silkAppLabel`: the port of the application found, or 0.
    pub application: u16,
    /// `reverseFlowDeltaMilliseconds`: from the first packet to the first of the other direction.
    pub reverse_delta_ms: Option<i64>,
    /// `mplsTopLabelStackSection` and the two that follow it.
    pub mpls: [u32; 3],
    /// `sourceMacAddress`, `destinationMacAddress`; zeros where there is no Ethernet header.
    pub macs: (MacAddress, MacAddress),
    /// `firstEightNonEmptyPacketDirections`: a bit each, 1 for reverse.
    pub first_directions: u8,
    /// Source to destination.
    pub forward: YafDirection,
    /// Destination to source.
    pub reverse: YafDirection,
}

/// YAF's records of several captures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct YafTable {
    files: BTreeMap<String, Vec<YafFlow>>,
}

impl YafTable {
    /// Reads a table compressed with gzip.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let failed = |source| TableError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        Self::read(MultiGzDecoder::new(BufReader::new(file)), path)
    }

    /// Reads a table; `path` is named in errors.
    pub fn read(input: impl Read, path: &Path) -> Result<Self, TableError> {
        let mut columns = HashMap::new();
        let mut files = BTreeMap::<String, Vec<YafFlow>>::new();
        for (index, line) in BufReader::new(input).lines().enumerate() {
            let line = line.map_err(|source| TableError::Read { path: path.to_owned(), source })?;
            let cells = line.trim_end_matches('\r').split(',');
            if index == 0 {
                columns = cells.enumerate().map(|(at, name)| (name.to_owned(), at)).collect();
                continue;
            }
            let row = Row { path, line: index + 1, columns: &columns, cells: cells.collect() };
            files.entry(row.cell("file")?.to_owned()).or_default().push(row.flow()?);
        }
        Ok(Self { files })
    }

    /// The captures that have records, by their path below `tests/data/pcap`, in order of it.
    pub fn captures(&self) -> impl Iterator<Item = (&str, &[YafFlow])> {
        self.files.iter().map(|(name, flows)| (name.as_str(), flows.as_slice()))
    }

    /// The records of one capture; none where YAF found no flow.
    pub fn flows(&self, capture: &str) -> &[YafFlow] {
        self.files.get(capture).map_or(&[], Vec::as_slice)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

struct Row<'a> {
    path: &'a Path,
    line: usize,
    columns: &'a HashMap<String, usize>,
    cells: Vec<&'a str>,
}

impl Row<'_> {
    fn cell(&self, column: &'static str) -> Result<&str, TableError> {
        let at = self.columns.get(column);
        let at = at.ok_or_else(|| TableError::Column { path: self.path.to_owned(), column })?;
        self.cells.get(*at).copied().ok_or_else(|| self.wrong(column, "", "a cell"))
    }

    fn wrong(&self, column: &'static str, found: &str, expected: &'static str) -> TableError {
        let (path, found) = (self.path.to_owned(), found.to_owned());
        TableError::Cell { path, line: self.line, column, found, expected }
    }

    /// The cell's value; `None` if it is empty.
    fn optional<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, TableError> {
        match self.cell(column)? {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| self.wrong(column, text, "a number in its range")),
        }
    }

    fn number<T: FromStr + Default>(&self, column: &'static str) -> Result<T, TableError> {
        Ok(self.optional(column)?.unwrap_or_default())
    }

    fn time(&self, column: &'static str) -> Result<i64, TableError> {
        let text = self.cell(column)?;
        let wrong = || self.wrong(column, text, "a date and time");
        let time: DateTime = text.parse().map_err(|_| wrong())?;
        let zoned = time.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
        Ok(zoned.timestamp().as_millisecond())
    }

    fn address(&self, v4: &'static str, v6: &'static str) -> Result<IpAddr, TableError> {
        let (column, text) = match self.cell(v4)? {
            "" => (v6, self.cell(v6)?),
            text => (v4, text),
        };
        text.parse().map_err(|_| self.wrong(column, text, "an IP address"))
    }

    fn mac(&self, column: &'static str) -> Result<MacAddress, TableError> {
        let text = self.cell(column)?;
        let wrong = || self.wrong(column, text, "six octets in hex with colons between");
        let octets: Result<Vec<u8>, _> =
            text.split(':').map(|part| u8::from_str_radix(part, 16)).collect();
        octets.ok().and_then(|octets| octets.try_into().ok()).ok_or_else(wrong)
    }

    fn flags(&self, column: &'static str) -> Result<Option<TcpFlags>, TableError> {
        Ok(self.optional(column)?.map(TcpFlags::from_bits))
    }

    fn flow(&self) -> Result<YafFlow, TableError> {
        Ok(YafFlow {
            start_ms: self.time("flowStartMilliseconds")?,
            end_ms: self.time("flowEndMilliseconds")?,
            source: self.address("sourceIPv4Address", "sourceIPv6Address")?,
            destination: self.address("destinationIPv4Address", "destinationIPv6Address")?,
            source_port: self.number("sourceTransportPort")?,
            destination_port: self.number("destinationTransportPort")?,
            protocol: self.number("protocolIdentifier")?,
            end_reason: self.number("flowEndReason")?,
            application: self.number("silkAppLabel")?,
            reverse_delta_ms: self.optional("reverseFlowDeltaMilliseconds")?,
            mpls: [
                self.number("mplsTopLabelStackSection")?,
                self.number("mplsLabelStackSection2")?,
                self.number("mplsLabelStackSection3")?,
            ],
            macs: (self.mac("sourceMacAddress")?, self.mac("destinationMacAddress")?),
            first_directions: self.number("firstEightNonEmptyPacketDirections")?,
            forward: self.forward()?,
            reverse: self.reverse()?,
        })
    }

    fn forward(&self) -> Result<YafDirection, TableError> {
        Ok(YafDirection {
            packets: self.number("packetTotalCount")?,
            octets: self.number("octetTotalCount")?,
            attributes: self.optional("flowAttributes")?,
            vlan: self.optional("vlanId")?,
            class_of_service: self.optional("ipClassOfService")?,
            payload_octets: self.number("dataByteCount")?,
            mean_gap_ms: self.number("averageInterarrivalTime")?,
            stdev_gap_ms: self.number("standardDeviationInterarrivalTime")?,
            urgent_packets: self.number("tcpUrgTotalCount")?,
            small_packets: self.number("smallPacketCount")?,
            nonempty_packets: self.number("nonEmptyPacketCount")?,
            large_packets: self.number("largePacketCount")?,
            first_nonempty: self.number("firstNonEmptyPacketSize")?,
            max_payload: self.number("maxPacketSize")?,
            stdev_payload: self.number("standardDeviationPayloadLength")?,
            tcp_sequence: self.optional("tcpSequenceNumber")?,
            initial_flags: self.flags("initialTCPFlags")?,
            union_flags: self.flags("unionTCPFlags")?,
            entropy: self.optional("payloadEntropy")?,
        })
    }

    fn reverse(&self) -> Result<YafDirection, TableError> {
        Ok(YafDirection {
            packets: self.number("reversePacketTotalCount")?,
            octets: self.number("reverseOctetTotalCount")?,
            attributes: self.optional("reverseFlowAttributes")?,
            vlan: self.optional("reverseVlanId")?,
            class_of_service: self.optional("reverseIpClassOfService")?,
            payload_octets: self.number("reverseDataByteCount")?,
            mean_gap_ms: self.number("reverseAverageInterarrivalTime")?,
            stdev_gap_ms: self.number("reverseStandardDeviationInterarrivalTime")?,
            urgent_packets: self.number("reverseTcpUrgTotalCount")?,
            small_packets: self.number("reverseSmallPacketCount")?,
            nonempty_packets: self.number("reverseNonEmptyPacketCount")?,
            large_packets: self.number("reverseLargePacketCount")?,
            first_nonempty: self.number("reverseFirstNonEmptyPacketSize")?,
            max_payload: self.number("reverseMaxPacketSize")?,
            stdev_payload: self.number("reverseStandardDeviationPayloadLength")?,
            tcp_sequence: self.optional("reverseTcpSequenceNumber")?,
            initial_flags: self.flags("reverseInitialTCPFlags")?,
            union_flags: self.flags("reverseUnionTCPFlags")?,
            entropy: self.optional("reversePayloadEntropy")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        let path = crate::captures().join("expected/yaf-2.16.4-flows.csv.gz");
        let table = YafTable::open(&path).unwrap();
        assert_eq!(table.len(), 4347);
        assert_eq!(table.captures().map(|(_, flows)| flows.len()).sum::<usize>(), 4347);
        let flow = &table.flows("edge/mercury-pppoe_double_vlan_tagging.pcap")[0];
        assert_eq!((flow.start_ms, flow.end_ms), (1_770_872_203_456, 1_770_872_203_461));
        assert_eq!((flow.source_port, flow.destination_port, flow.protocol), (5062, 80, 6));
        assert_eq!(flow.source.to_string(), "1.1.1.129");
        assert_eq!(flow.macs.0, [0x00, 0x0c, 0x29, 0x4e, 0xc5, 0x00]);
        assert_eq!((flow.forward.packets, flow.forward.octets, flow.reverse.octets), (6, 396, 582));
        assert_eq!((flow.forward.entropy, flow.reverse.entropy), (Some(151), Some(162)));
        assert_eq!(flow.forward.vlan, Some(401));
        assert!(table.flows("edge/zeek-empty.pcap").is_empty());
    }

    #[test]
    fn errors_name_line_and_column() {
        let error = |text: &str| {
            YafTable::read(text.as_bytes(), Path::new("t.csv")).unwrap_err().to_string()
        };
        assert_eq!(error("file\na\n"), "t.csv: line 1: no column flowStartMilliseconds");
        assert_eq!(
            error("file,flowStartMilliseconds\na,yesterday\n"),
            "t.csv: line 2: column flowStartMilliseconds: found \"yesterday\", expected a date and time"
        );
    }
}
