//! A writer of MaxMind databases for tests and benchmarks, after the published format, version 2.0.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by tests, a benchmark and an example: each takes what it needs"
)]

use std::collections::HashMap;
use std::net::IpAddr;

/// A value of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    Text(String),
    U16(u16),
    U32(u32),
    U64(u64),
    Map(Vec<(String, Self)>),
    Array(Vec<Self>),
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A record of a database of countries.
pub fn country(code: &str) -> Value {
    let names = map([("de", text("-")), ("en", text(&format!("Country {code}")))]);
    let country =
        map([("geoname_id", Value::U32(2_921_044)), ("iso_code", text(code)), ("names", names)]);
    map([("continent", map([("code", text("EU"))])), ("country", country)])
}

/// A record of a database of cities.
pub fn city(code: &str, city: &str) -> Value {
    let Value::Map(mut members) = country(code) else { return country(code) };
    let names = map([("de", text("-")), ("en", text(city)), ("zh-CN", text("城"))]);
    members.insert(
        0,
        ("city".to_owned(), map([("geoname_id", Value::U32(2_950_159)), ("names", names)])),
    );
    members.push(("subdivisions".to_owned(), Value::Array(vec![map([("iso_code", text("X"))])])));
    Value::Map(members)
}

/// A record of a database of autonomous systems.
pub fn asn(number: u32, organisation: &str) -> Value {
    map([
        ("autonomous_system_number", Value::U32(number)),
        ("autonomous_system_organization", text(organisation)),
    ])
}

#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Record(usize),
}

/// A database in the making.
pub struct Writer {
    database_type: String,
    ip_version: u16,
    record_size: u16,
    nodes: Vec<[Branch; 2]>,
    data: Vec<u8>,
    offsets: HashMap<Value, usize>,
}

impl Writer {
    /// For `ip_version` 4 or 6, with records of 24, 28 or 32 bits.
    pub fn new(database_type: &str, ip_version: u16, record_size: u16) -> Self {
        assert!(matches!((ip_version, record_size), (4 | 6, 24 | 28 | 32)));
        Self {
            database_type: database_type.to_owned(),
            ip_version,
            record_size,
            nodes: vec![[Branch::Nothing; 2]],
            data: Vec::new(),
            offsets: HashMap::new(),
        }
    }

    /// Says `value` of `address/length`; what was said of networks within is forgotten.
    pub fn insert(&mut self, address: IpAddr, length: u8, value: &Value) {
        let (bits, width, length) = match (address, self.ip_version) {
            (IpAddr::V4(address), 4) => (u128::from(address.to_bits()) << 96, 32, length),
            // IPv4 lies under ::/96.
            (IpAddr::V4(address), _) => (u128::from(address.to_bits()), 128, length + 96),
            (IpAddr::V6(address), _) => (address.to_bits(), 128, length),
        };
        assert!(length >= 1 && length <= width);
        let data = &mut self.data;
        let record = *self.offsets.entry(value.clone()).or_insert_with(|| {
            let offset = data.len();
            encode(value, data);
            offset
        });
        let mut node = 0;
        for depth in 0..length {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == length {
                self.nodes[node][side] = Branch::Record(record);
                return;
            }
            node = match self.nodes[node][side] {
                Branch::Node(next) => next,
                above => {
                    self.nodes.push([above; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][side] = Branch::Node(next);
                    next
                }
            };
        }
    }

    /// The whole file.
    pub fn finish(&self) -> Vec<u8> {
        let count = self.nodes.len();
        let number = |branch| match branch {
            Branch::Nothing => count as u32,
            Branch::Node(node) => node as u32,
            Branch::Record(offset) => (count + 16 + offset) as u32,
        };
        let mut out = Vec::new();
        for node in &self.nodes {
            let [left, right] = node.map(number);
            let [l, r] = [left.to_be_bytes(), right.to_be_bytes()];
            match self.record_size {
                24 => {
                    assert!(left < 1 << 24 && right < 1 << 24);
                    out.extend_from_slice(&l[1..]);
                    out.extend_from_slice(&r[1..]);
                }
                28 => {
                    assert!(left < 1 << 28 && right < 1 << 28);
                    out.extend_from_slice(&l[1..]);
                    out.push(l[0] << 4 | r[0]);
                    out.extend_from_slice(&r[1..]);
                }
                _ => out.extend_from_slice(&[l, r].concat()),
            }
        }
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(&self.data);
        out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        let metadata = map([
            ("binary_format_major_version", Value::U16(2)),
            ("binary_format_minor_version", Value::U16(0)),
            ("build_epoch", Value::U64(1_700_000_000)),
            ("database_type", text(&self.database_type)),
            ("description", map([("en", text("Made for tests; the places are invented"))])),
            ("ip_version", Value::U16(self.ip_version)),
            ("languages", Value::Array(vec![text("en")])),
            ("node_count", Value::U32(count as u32)),
            ("record_size", Value::U16(self.record_size)),
        ]);
        encode(&metadata, &mut out);
        out
    }
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            head(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::U16(number) => unsigned(5, &number.to_be_bytes(), out),
        Value::U32(number) => unsigned(6, &number.to_be_bytes(), out),
        Value::U64(number) => unsigned(9, &number.to_be_bytes(), out),
        Value::Map(members) => {
            head(7, members.len(), out);
            for (name, value) in members {
                encode(&text(name), out);
                encode(value, out);
            }
        }
        Value::Array(values) => {
            head(11, values.len(), out);
            values.iter().for_each(|value| encode(value, out));
        }
    }
}

fn unsigned(kind: u8, octets: &[u8], out: &mut Vec<u8>) {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    head(kind, octets.len() - zeros, out);
    out.extend_from_slice(&octets[zeros..]);
}

/// Types above 7 have an octet of their own after the first.
fn head(kind: u8, size: usize, out: &mut Vec<u8>) {
    let (low, rest) = match size {
        0..29 => (size as u8, Vec::new()),
        29..285 => (29, vec![(size - 29) as u8]),
        _ => {
            assert!(size < 65_821);
            (30, ((size - 285) as u16).to_be_bytes().to_vec())
        }
    };
    match kind {
        1..=7 => out.push(kind << 5 | low),
        _ => out.extend_from_slice(&[low, kind - 7]),
    }
    out.extend_from_slice(&rest);
}

/// The databases of `tests/data`, by file name.
pub fn samples() -> [(&'static str, Vec<u8>); 3] {
    let address = |text: &str| -> IpAddr {
        match text.parse() {
            Ok(address) => address,
            Err(error) => panic!("{text}: {error}"),
        }
    };
    let mut countries = Writer::new("Rockfish-Test-Country", 6, 24);
    let mut cities = Writer::new("Rockfish-Test-City", 6, 28);
    let mut systems = Writer::new("Rockfish-Test-ASN", 6, 32);
    for (network, length, code, name) in [
        ("192.0.2.0", 24, "DE", "Berlin"),
        ("198.51.100.0", 24, "FR", "Paris"),
        ("203.0.113.0", 24, "JP", "Tokyo"),
        ("2001:db8::", 32, "BR", "São Paulo"),
        ("10.1.0.0", 16, "US", "Ashburn"),
    ] {
        countries.insert(address(network), length, &country(code));
        cities.insert(address(network), length, &city(code, name));
    }
    // A network within another: its city is not known. One that only the cities have.
    cities.insert(address("203.0.113.128"), 25, &country("JP"));
    cities.insert(address("10.2.0.0"), 16, &city("NL", "Utrecht"));
    for (network, length, number, organisation) in [
        ("192.0.2.0", 24, 64_496, "Example Networks GmbH"),
        ("198.51.100.0", 24, 64_497, "Exemple SA"),
        ("203.0.113.0", 24, 64_498, "Rei KK"),
        ("2001:db8::", 32, 64_499, "Exemplo Ltda"),
        ("10.3.0.0", 16, 4_200_000_001, "Four Octets Inc"),
    ] {
        systems.insert(address(network), length, &asn(number, organisation));
    }
    [
        ("country.mmdb", countries.finish()),
        ("city.mmdb", cities.finish()),
        ("asn.mmdb", systems.finish()),
    ]
}
