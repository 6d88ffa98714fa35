//! Against the values of other tools for real captures: `dpi` of the data folder beside the checkout, which is not part of
//! the project.
#![expect(clippy::print_stderr, reason = "says what is skipped and what was compared")]
#![expect(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use common::flows::{self, Flow};
use rockfish_fingerprint::{Handshake, Transport, ndpi_fp};

fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("ROCKFISH_DPI_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dpi"),
    };
    if folder.join("expected.csv").is_file() {
        return Some(folder);
    }
    eprintln!("skipped: no expected.csv where ROCKFISH_DPI_DATA says, or beside the checkout");
    None
}

type Row = HashMap<String, String>;

/// Rows by capture. The table has no quoted fields.
fn expected(folder: &Path) -> BTreeMap<String, Vec<Row>> {
    let text = std::fs::read_to_string(folder.join("expected.csv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut captures: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for line in lines {
        let row: Row = fields(line)
            .into_iter()
            .zip(&names)
            .map(|(field, name)| ((*name).to_owned(), field))
            .collect();
        let capture = format!("{}/{}", row["source"], row["capture"]);
        captures.entry(capture).or_default().push(row);
    }
    captures
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().unwrap().push(character),
        }
    }
    fields
}

fn ends(flow: &Flow) -> [(IpAddr, u16); 2] {
    let address = |octets: [u8; 16]| match flow.key.ip_version() {
        4 => IpAddr::V4(Ipv4Addr::from(*octets.first_chunk::<4>().unwrap())),
        _ => IpAddr::from(octets),
    };
    let low = (address(flow.key.low()), flow.key.low_port());
    let high = (address(flow.key.high()), flow.key.high_port());
    if flow.low_first { [low, high] } else { [high, low] }
}

/// Where ours is not what the table has: capture, port of the source, column, ours, and why ours is right. For columns that
/// follow from other columns ours is not repeated.
const DIFFERENCES: [(&str, u16, &str, Option<&str>, &str); 15] = [
    ("foxio/socks-https-example.pcap", 53554, "ja4", Some(SOCKS_JA4), IN_SOCKS),
    ("foxio/socks-https-example.pcap", 53554, "ja3s", Some(SOCKS_JA3S), IN_SOCKS),
    ("foxio/socks-https-example.pcap", 53554, "sni", Some("www.example.com"), IN_SOCKS),
    ("foxio/socks-https-example.pcap", 53555, "ja4", Some(SOCKS_JA4), IN_SOCKS),
    ("foxio/socks-https-example.pcap", 53555, "ja3s", Some(SOCKS_JA3S), IN_SOCKS),
    ("foxio/socks-https-example.pcap", 53555, "sni", Some("www.example.com"), IN_SOCKS),
    ("foxio/socks-https-example.pcap", 53556, "ja4", Some(SOCKS_JA4), IN_SOCKS),
    ("foxio/socks-https-example.pcap", 53556, "ja3s", Some(SOCKS_JA3S), IN_SOCKS),
    ("foxio/socks-https-example.pcap", 53556, "sni", Some("www.example.com"), IN_SOCKS),
    (
        "ndpi/android.pcap",
        36888,
        "ja3s",
        Some("eca9b8f0f3eae50309eaf901cb822d9b"),
        "the ServerHello came after a later segment, which the other tool does not put in order",
    ),
    ("ndpi/android.pcap", 36888, "alpn", Some("http/1.1"), "the same"),
    ("foxio/https3-301-get.pcap", 62599, "ndpi_fp", None, "JA4 with zeros for an empty list"),
    ("foxio/tls-non-ascii-alpn.pcapng", 50112, "ndpi_fp", None, "JA4 with ALPN as digits"),
    ("ndpi/dtls.pcap", 40983, "ndpi_fp", None, "JA4 of DTLS 1.3"),
    ("ndpi/dtls2.pcap", 53045, "ndpi_fp", None, "JA4 with zeros for an empty list"),
];
const IN_SOCKS: &str = "TLS inside SOCKS, which the table leaves out; JA4 is FoxIO's own value";
const SOCKS_JA4: &str = "t10d230100_6a57a6f57151_000000000000";
const SOCKS_JA3S: &str = "280ca4511bfaa384b2e931c058e8816e";

/// Values that are equal, values that there are on either side, and what differs.
#[derive(Default)]
struct Comparison {
    counts: BTreeMap<&'static str, [u64; 2]>,
    differences: Vec<String>,
    explained: usize,
}

impl Comparison {
    fn check(&mut self, at: (&str, u16), column: &'static str, ours: Option<&str>, theirs: &str) {
        let ours = ours.unwrap_or_default();
        if theirs.is_empty() && ours.is_empty() {
            return;
        }
        let count = self.counts.entry(column).or_default();
        count[1] += 1;
        if ours == theirs {
            count[0] += 1;
            return;
        }
        let known = DIFFERENCES.iter().any(|(capture, port, name, value, _)| {
            (*capture, *port, *name) == (at.0, at.1, column)
                && value.is_none_or(|value| value == ours)
        });
        if known {
            self.explained += 1;
        } else {
            let (capture, port) = at;
            self.differences
                .push(format!("{capture} {port} {column}: {ours:?}, expected {theirs:?}"));
        }
    }
}

#[test]
fn values_of_other_tools() {
    let Some(folder) = folder() else { return };
    let mut comparison = Comparison::default();
    for (capture, rows) in expected(&folder) {
        let all = flows::flows(&folder.join("captures").join(&capture));
        for row in rows {
            compare(&capture, &all, &row, &mut comparison);
        }
    }
    let Comparison { counts, differences, explained } = comparison;
    eprintln!("equal and all: {counts:?}");
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(explained, DIFFERENCES.len(), "a difference that is explained is no more");
    assert!(counts["ja4"][1] > 300 && counts["tcp_fp"][1] > 150 && counts["ja3s"][1] > 170);
}

fn compare(capture: &str, all: &[Flow], row: &Row, comparison: &mut Comparison) {
    let end = |address: &str, port: &str| -> (IpAddr, u16) {
        (row[address].parse().unwrap(), row[port].parse().unwrap())
    };
    let [source, destination] = [end("saddr", "sport"), end("daddr", "dport")];
    let number = |name: &str| row[name].parse::<u16>().unwrap();
    let flow = all
        .iter()
        .find(|flow| {
            let [one, other] = ends(flow);
            ((one, other) == (source, destination) || (other, one) == (source, destination))
                && u16::from(flow.key.protocol()) == number("proto")
                && flow.key.vlan() == number("vlan")
        })
        .unwrap_or_else(|| panic!("{capture}: no flow {source:?} {destination:?}"));
    let hellos = flow.hellos();
    assert!(flow.handshake.memory() <= Handshake::MOST_MEMORY);
    let ja4 = hellos.ja4.map(|ja4| ja4.to_string());
    let ja3s = hellos.ja3s.map(|ja3s| ja3s.to_string());
    let tcp = flow.tcp.map(|tcp| tcp.bare().to_string());
    let ndpi5 = flow.tcp_ndpi5.map(|tcp| tcp.bare().to_string());
    let at = (capture, source.1);
    let mut check =
        |column, ours: Option<&str>, theirs: &str| comparison.check(at, column, ours, theirs);
    check("ja4", ja4.as_deref(), &row["ja4_expected"]);
    check("ja3s", ja3s.as_deref(), &row["ja3s"]);
    check("tcp_fp", tcp.as_deref(), &row["tcp_fp_spec04"]);
    check("tcp_fp ndpi5", ndpi5.as_deref(), &row["tcp_fp_ndpi50"]);
    // The system is not compared where the other tool knows none.
    if !row["tcp_os_ndpi50"].is_empty() {
        check("os", flow.tcp.map(|tcp| tcp.os().as_str()), &row["tcp_os_ndpi50"]);
    }
    // In other protocols the host is that of a question or a request.
    let named = matches!(row["label_ndpi50"].split('.').next(), Some("TLS" | "QUIC" | "DTLS"));
    check("sni", hellos.sni.as_deref(), if named { &row["host"] } else { "" });
    check("alpn", hellos.server_alpn.as_deref(), &row["alpn"]);
    check("ech", hellos.ech.then_some("65037"), row["ech"].trim_start_matches('0'));
    if row["label_ndpi50"].starts_with("HTTP") || hellos.http_host.is_some() {
        check("http host", hellos.http_host.as_deref(), &row["host"]);
    }
    if let Some(Transport::Quic(version) | Transport::GoogleQuic(version)) = hellos.transport {
        check("quic version", Some(&format!("{version:#x}")), &row["quic_version"]);
    }
    if !row["ndpi_fp_ndpi50"].is_empty() {
        let composite = ndpi_fp(ndpi5.as_deref(), ja4.as_deref());
        check("ndpi_fp", Some(&composite), &row["ndpi_fp_ndpi50"]);
        // From the other tool's own parts the composite is always the same.
        let part = |column: &str| Some(row[column].as_str()).filter(|part| !part.is_empty());
        let (tcp, ja4) = (part("tcp_fp_ndpi50"), part("ja4_ndpi50"));
        if ja4 != Some("NON-ASCII") {
            check("ndpi_fp of their parts", Some(&ndpi_fp(tcp, ja4)), &row["ndpi_fp_ndpi50"]);
        }
    }
}
