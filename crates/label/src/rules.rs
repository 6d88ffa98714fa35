//! Custom protocols in nDPI's format (`protos.txt`).
//!
//! ```text
//! tcp:81,tcp:8181@HTTP                 ports of a protocol that is known: a guess where the payload does not tell
//! tcp:3000-3010,udp:3000@Intranet      ports of an own one: they go before what the payload tells
//! host:"video.example"@Video           that domain and all below it; TLS.Video, HTTP.Video, DNS.Video
//! ip:192.0.2.0/24@Branch               addresses of either end
//! ip:192.0.2.7:443@Portal              with the port of that end
//! ipv6:[2001:db8::/32]:443@Portal
//! ip_risk_mask:192.0.2.0/24=0          risks that a flow may have, given an address or a host name of it
//! host_risk_mask:".example"=0x10
//! trusted_issuer_dn:"CN=Own CA"        only for libndpi
//! ```
//!
//! Empty lines and lines that begin with `#` are passed over. Everything else has to be right, or the file is refused with
//! the line and what was expected there. Refused on purpose: host names in `ip:` (libndpi would ask DNS for them when it
//! starts) and `nbpf:` (few builds of libndpi have it).

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use crate::hosts::{NameMap, lower, suffixes};
use crate::{AppName, Category, CategoryRules, Ends, TooManyNames};

/// Octets that the name of a custom protocol may have: libndpi cuts longer ones.
const LONGEST_NAME: usize = 48;

/// A line of a custom file that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: line {line}: found {found}, expected {expected}")]
pub struct RuleError {
    /// Name of the file, as it was given.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is there.
    pub found: String,
    /// What should be there.
    pub expected: String,
}

/// Which release of libndpi a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dialect {
    /// Major and minor number.
    pub release: (u16, u16),
}

impl Dialect {
    /// Of this release.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { release: (major, minor) }
    }

    /// Custom IPv6 addresses came with 4.10.
    fn knows_ipv6(self) -> bool {
        self.release >= (4, 10)
    }
}

/// Addresses of one length of prefix and more, each with a value.
#[derive(Clone, Debug)]
pub(crate) struct Nets<T> {
    /// Lengths that occur, longest first, for addresses of sixteen octets.
    lengths: Vec<u8>,
    /// By masked address, length and port, 0 for any.
    values: HashMap<(u128, u8, u16), T>,
}

impl<T> Default for Nets<T> {
    fn default() -> Self {
        Self { lengths: Vec::new(), values: HashMap::new() }
    }
}

/// An address and how many of its bits count; IPv4 as IPv4-mapped IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    address: IpAddr,
    length: u8,
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn masked(bits: u128, length: u8) -> u128 {
    // A shift by all bits is none.
    if length == 0 { 0 } else { bits >> (128 - u32::from(length)) << (128 - u32::from(length)) }
}

impl Net {
    /// An address with or without the length of a prefix.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Some(most), |length| length.parse().ok())?;
        (length <= most).then_some(Self { address, length })
    }

    pub(crate) fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl<T> Nets<T> {
    pub(crate) fn insert(&mut self, net: Net, port: u16, value: T) {
        let length = if net.is_ipv4() { net.length + 96 } else { net.length };
        if let Err(place) = self.lengths.binary_search_by(|other| length.cmp(other)) {
            self.lengths.insert(place, length);
        }
        self.values.insert((masked(bits(net.address), length), length, port), value);
    }

    /// The value of the longest prefix; a rule with the port goes before one without.
    pub(crate) fn get(&self, address: IpAddr, port: u16) -> Option<&T> {
        let bits = bits(address);
        self.lengths.iter().find_map(|length| {
            let place = masked(bits, *length);
            let with_port = self.values.get(&(place, *length, port));
            with_port.or_else(|| self.values.get(&(place, *length, 0)))
        })
    }

    fn of_ends(&self, ends: &Ends) -> Option<&T> {
        if self.lengths.is_empty() {
            return None;
        }
        self.get(ends.destination, ends.destination_port)
            .or_else(|| self.get(ends.source, ends.source_port))
    }
}

/// Values of domains.
#[derive(Clone, Debug)]
pub(crate) struct Hosts<T> {
    domains: NameMap<Box<str>, T>,
}

impl<T> Default for Hosts<T> {
    fn default() -> Self {
        Self { domains: NameMap::default() }
    }
}

impl<T> Hosts<T> {
    pub(crate) fn insert(&mut self, domain: &str, value: T) {
        self.domains.insert(domain.into(), value);
    }

    pub(crate) fn get(&self, host: &str) -> Option<&T> {
        if self.domains.is_empty() {
            return None;
        }
        let mut buffer = [0; 255];
        let host = lower(host, &mut buffer)?;
        suffixes(host).find_map(|suffix| self.domains.get(suffix))
    }
}

/// A domain as rules write it, `*.` or `.` in front or not, in lower case; nothing if it is no host name.
pub(crate) fn domain(text: &str) -> Option<String> {
    let text = text.strip_prefix('*').unwrap_or(text);
    let text = text.strip_prefix('.').unwrap_or(text);
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    (text.len() <= 253 && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

/// One value of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Element {
    Ports { udp: bool, low: u16, high: u16 },
    Host(String),
    Net { net: Net, port: u16 },
}

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Rule { elements: Vec<Element>, name: AppName },
    NetMask { net: Net, mask: u64 },
    HostMask { host: String, mask: u64 },
    Issuer(String),
}

/// A custom protocols file that was read without an error.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    lines: Vec<Line>,
}

/// What has to do with a line while it is read.
struct At<'a> {
    file: &'a str,
    line: usize,
}

impl At<'_> {
    fn error(&self, found: impl Into<String>, expected: impl Into<String>) -> RuleError {
        RuleError {
            file: self.file.to_owned(),
            line: self.line,
            found: found.into(),
            expected: expected.into(),
        }
    }
}

fn quoted(text: &str) -> String {
    // A file that is no rules file at all must not fill the log.
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}

/// The lines of a file that say something, with their numbers.
pub(crate) fn lines<'a>(
    file: &'a str,
    octets: &'a [u8],
) -> impl Iterator<Item = Result<(usize, &'a str), RuleError>> {
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    octets.split(|octet| *octet == b'\n').enumerate().filter_map(move |(index, line)| {
        let at = At { file, line: index + 1 };
        match std::str::from_utf8(line) {
            Err(error) => {
                let octet = line.get(error.valid_up_to()).copied().unwrap_or_default();
                let found = format!("octet {octet:#04x} in column {}", error.valid_up_to() + 1);
                Some(Err(at.error(found, "text in UTF-8")))
            }
            Ok(line) => {
                let line = line.trim();
                (!line.is_empty() && !line.starts_with('#')).then_some(Ok((index + 1, line)))
            }
        }
    })
}

impl Rules {
    /// Reads a file's octets. `file` is what errors call it.
    ///
    /// # Errors
    /// The first line that is not right.
    pub fn parse(file: &str, octets: &[u8]) -> Result<Self, RuleError> {
        let mut rules = Self::default();
        for line in lines(file, octets) {
            let (line, text) = line?;
            rules.lines.push(parse_line(&At { file, line }, text)?);
        }
        Ok(rules)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many lines say something.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The rules as a text that this release of libndpi reads to its end. What a release cannot take in is left out: that
    /// part works all the same, since labelers go by [`Custom`].
    pub fn sanitized(&self, dialect: Dialect) -> String {
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Rule { elements, name } => {
                    let elements: Vec<_> =
                        elements.iter().filter_map(|element| element.text(dialect)).collect();
                    if !elements.is_empty() {
                        text += &format!("{}@{}\n", elements.join(","), name.as_str());
                    }
                }
                Line::NetMask { net, mask } => {
                    if net.is_ipv4() {
                        text += &format!("ip_risk_mask:{net}={mask}\n");
                    }
                }
                Line::HostMask { host, mask } => {
                    text += &format!("host_risk_mask:\"{host}\"={mask}\n")
                }
                Line::Issuer(name) => text += &format!("trusted_issuer_dn:\"{name}\"\n"),
            }
        }
        text
    }
}

impl Element {
    fn text(&self, dialect: Dialect) -> Option<String> {
        match self {
            Self::Ports { udp, low, high } => {
                let kind = if *udp { "udp" } else { "tcp" };
                // libndpi 4.2 walks over ports in a number of sixteen bits and never gets past the highest.
                let high = (*high).min(u16::MAX - 1);
                match low.cmp(&high) {
                    std::cmp::Ordering::Greater => None,
                    std::cmp::Ordering::Equal => Some(format!("{kind}:{low}")),
                    std::cmp::Ordering::Less => Some(format!("{kind}:{low}-{high}")),
                }
            }
            Self::Host(host) => Some(format!("host:\"{host}\"")),
            Self::Net { net, port } => {
                let port = if *port == 0 { String::new() } else { format!(":{port}") };
                if net.is_ipv4() {
                    Some(format!("ip:{net}{port}"))
                } else {
                    dialect.knows_ipv6().then(|| format!("ipv6:[{net}]{port}"))
                }
            }
        }
    }
}

fn unquoted(text: &str) -> Option<&str> {
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').filter(|inner| !inner.contains('"')),
        None => (!text.contains('"')).then_some(text),
    }
}

fn parse_line(at: &At<'_>, text: &str) -> Result<Line, RuleError> {
    if let Some(rest) = text.strip_prefix("ip_risk_mask:") {
        let (net, mask) = parse_mask(at, rest)?;
        let net = Net::parse(net)
            .ok_or_else(|| at.error(quoted(net), "an address or a network as 192.0.2.0/24"))?;
        return Ok(Line::NetMask { net, mask });
    }
    if let Some(rest) = text.strip_prefix("host_risk_mask:") {
        let (host, mask) = parse_mask(at, rest)?;
        let host = unquoted(host)
            .and_then(domain)
            .ok_or_else(|| at.error(quoted(host), "a host name or a domain"))?;
        return Ok(Line::HostMask { host, mask });
    }
    if let Some(rest) = text.strip_prefix("trusted_issuer_dn:") {
        let name = unquoted(rest)
            .filter(|name| {
                !name.is_empty() && name.len() <= 256 && !name.contains(char::is_control)
            })
            .ok_or_else(|| at.error(quoted(rest), "the name of an issuer in double quotes"))?;
        return Ok(Line::Issuer(name.to_owned()));
    }
    let Some((values, name)) = text.rsplit_once('@') else {
        return Err(at.error(quoted(text), "VALUE,VALUE@NAME"));
    };
    // A number for the protocol, which release 5 allows, means nothing here.
    let name = match name.split_once('=') {
        Some((name, number)) if number.trim().parse::<u16>().is_ok() => name,
        _ => name,
    };
    let name = protocol_name(at, name.trim())?;
    let elements =
        values.split(',').map(|value| parse_element(at, value.trim())).collect::<Result<_, _>>()?;
    Ok(Line::Rule { elements, name })
}

fn protocol_name(at: &At<'_>, text: &str) -> Result<AppName, RuleError> {
    // As libndpi does, so that both have one name.
    let name: String = text
        .chars()
        .map(|c| if matches!(c, '/' | '&' | '^' | ':' | ';' | '\'' | '"' | ' ') { '_' } else { c })
        .collect();
    let fine = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '@' | '.');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fine) {
        let expected = format!(
            "a name of 1 to {LONGEST_NAME} letters, digits or signs, none of them a dot or comma"
        );
        return Err(at.error(quoted(text), expected));
    }
    AppName::intern(&name)
        .map_err(|TooManyNames| at.error(quoted(text), "fewer names of protocols"))
}

fn parse_mask<'a>(at: &At<'_>, text: &'a str) -> Result<(&'a str, u64), RuleError> {
    let number = |text: &str| match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let (value, mask) =
        text.rsplit_once('=').ok_or_else(|| at.error(quoted(text), "VALUE=MASK"))?;
    let mask = number(mask.trim())
        .ok_or_else(|| at.error(quoted(mask), "a mask of 64 bits, as 0 or 0xff"))?;
    Ok((value.trim(), mask))
}

fn parse_element(at: &At<'_>, text: &str) -> Result<Element, RuleError> {
    const KINDS: &str = "tcp:PORT, udp:PORT, host:\"NAME\", ip:ADDRESS or ipv6:[ADDRESS]";
    let Some((kind, value)) = text.split_once(':') else {
        return Err(at.error(quoted(text), KINDS));
    };
    match kind {
        "tcp" | "udp" => {
            let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port != 0);
            let (low, high) = value.split_once('-').unwrap_or((value, value));
            match (port(low), port(high)) {
                (Some(low), Some(high)) if low <= high => {
                    Ok(Element::Ports { udp: kind == "udp", low, high })
                }
                _ => Err(at.error(quoted(text), "a port from 1 to 65535, or a range as 80-90")),
            }
        }
        "host" => unquoted(value)
            .and_then(domain)
            .map(Element::Host)
            .ok_or_else(|| at.error(quoted(text), "a host name or a domain in double quotes")),
        "ip" => {
            let (net, port) =
                value.split_once(':').map_or((value, None), |(net, port)| (net, Some(port)));
            let net = Net::parse(net).filter(Net::is_ipv4).ok_or_else(|| {
                let expected = "an IPv4 address or network (names of hosts are not looked up; an IPv6 \
                                address is written ipv6:[2001:db8::1])";
                at.error(quoted(text), expected)
            })?;
            Ok(Element::Net { net, port: address_port(at, text, port)? })
        }
        "ipv6" => {
            let broken =
                || at.error(quoted(text), "an IPv6 address or network as ipv6:[2001:db8::/32]:443");
            let (net, port) = match value.strip_prefix('[') {
                Some(rest) => {
                    let (inner, after) = rest.split_once(']').ok_or_else(broken)?;
                    let (length, port) = match after.split_once(':') {
                        Some((length, port)) => (length, Some(port)),
                        None => (after, None),
                    };
                    (format!("{inner}{length}"), port)
                }
                None => (value.to_owned(), None),
            };
            let net = Net::parse(&net).filter(|net| !net.is_ipv4()).ok_or_else(broken)?;
            Ok(Element::Net { net, port: address_port(at, text, port)? })
        }
        "nbpf" => Err(at.error("nbpf:, which not every libndpi has", KINDS)),
        _ => Err(at.error(quoted(text), KINDS)),
    }
}

fn address_port(at: &At<'_>, text: &str, port: Option<&str>) -> Result<u16, RuleError> {
    let Some(port) = port else { return Ok(0) };
    port.parse()
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| at.error(quoted(text), "a port from 1 to 65535 after the address"))
}

/// Custom rules and categories, ready to be looked up. Shared by the labelers of all threads.
#[derive(Clone, Debug, Default)]
pub struct Custom {
    tcp: Option<Box<[AppName]>>,
    udp: Option<Box<[AppName]>>,
    nets: Nets<AppName>,
    hosts: Hosts<AppName>,
    net_masks: Nets<u64>,
    host_masks: Hosts<u64>,
    categories: CategoryRules,
}

impl Custom {
    /// Of both files. Where lines contradict each other, the later one holds.
    pub fn new(rules: &Rules, categories: CategoryRules) -> Self {
        let mut custom = Self { categories, ..Self::default() };
        for line in &rules.lines {
            match line {
                Line::Rule { elements, name } => {
                    elements.iter().for_each(|element| custom.add(element, *name));
                }
                Line::NetMask { net, mask } => custom.net_masks.insert(*net, 0, *mask),
                Line::HostMask { host, mask } => custom.host_masks.insert(host, *mask),
                Line::Issuer(_) => {}
            }
        }
        custom
    }

    fn add(&mut self, element: &Element, name: AppName) {
        match element {
            Element::Ports { udp, low, high } => {
                let ports = if *udp { &mut self.udp } else { &mut self.tcp };
                let ports = ports.get_or_insert_with(|| vec![AppName::UNKNOWN; 1 << 16].into());
                ports[usize::from(*low)..=usize::from(*high)].fill(name);
            }
            Element::Host(host) => self.hosts.insert(host, name),
            Element::Net { net, port } => self.nets.insert(*net, *port, name),
        }
    }

    /// Whether there is no rule and no category.
    pub fn is_empty(&self) -> bool {
        self.tcp.is_none()
            && self.udp.is_none()
            && self.nets.lengths.is_empty()
            && self.hosts.domains.is_empty()
            && self.categories.is_empty()
    }

    /// The name of a port rule; the port of the end that was called goes first.
    pub fn port(&self, ends: &Ends) -> Option<AppName> {
        let ports = match ends.protocol {
            6 => self.tcp.as_ref()?,
            17 => self.udp.as_ref()?,
            _ => return None,
        };
        let name =
            |port: u16| Some(ports[usize::from(port)]).filter(|name| *name != AppName::UNKNOWN);
        name(ends.destination_port).or_else(|| name(ends.source_port))
    }

    /// The name of an address rule.
    pub fn address(&self, ends: &Ends) -> Option<AppName> {
        self.nets.of_ends(ends).copied()
    }

    /// The name of a host rule.
    pub fn host(&self, host: &str) -> Option<AppName> {
        self.hosts.get(host).copied()
    }

    /// The category that the categories file gives, by host or by address.
    pub fn category(&self, ends: &Ends, host: Option<&str>) -> Option<Category> {
        host.and_then(|host| self.categories.host(host))
            .or_else(|| self.categories.address(ends.destination))
            .or_else(|| self.categories.address(ends.source))
    }

    /// The risks that a flow may have.
    pub fn risk_mask(&self, ends: &Ends, host: Option<&str>) -> u64 {
        // Either end's mask lets a risk through, as libndpi has it.
        let ends =
            match (self.net_masks.get(ends.source, 0), self.net_masks.get(ends.destination, 0)) {
                (None, None) => u64::MAX,
                (one, other) => one.copied().unwrap_or(0) | other.copied().unwrap_or(0),
            };
        ends & host.and_then(|host| self.host_masks.get(host)).copied().unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ends(protocol: u8, destination: &str, port: u16) -> Ends {
        Ends {
            protocol,
            source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            destination: destination.parse().unwrap(),
            source_port: 40000,
            destination_port: port,
        }
    }

    const FILE: &str = r#"
# a comment
tcp:81,tcp:8181@HTTP
udp:5061-5062@SIP
tcp:860,udp:860 , tcp:3260@iSCSI
host:"disneyplus.com",host:"*.cdn.Example.org"@DisneyPlus
ip:213.75.170.11/32:443@CustomProtocol
ip:54.80.0.0/16@Own/Name
ipv6:[2001:db8::/32]:443,ipv6:[2001:db8:1::1]@Six=4711
tcp:65000-65535@Top
tcp:65535@VeryTop
ip_risk_mask:192.168.1.0/24=0
host_risk_mask:".home"=0x10
trusted_issuer_dn:"CN=813845657003339838, O=Code42, OU=TEST, ST=MN, C=US"
"#;

    #[test]
    fn rules_say_what_they_mean() {
        let rules = Rules::parse("protos.txt", FILE.as_bytes()).unwrap();
        assert_eq!(rules.len(), 12);
        let custom = Custom::new(&rules, CategoryRules::default());
        let port =
            |protocol, port| custom.port(&ends(protocol, "192.0.2.1", port)).map(AppName::as_str);
        assert_eq!(port(6, 8181), Some("HTTP"));
        assert_eq!(port(17, 5062), Some("SIP"));
        assert_eq!(port(17, 5063), None);
        assert_eq!(port(6, 3260), Some("iSCSI"));
        assert_eq!(port(17, 3260), None);
        assert_eq!(port(6, 65534), Some("Top"));
        assert_eq!(port(6, 65535), Some("VeryTop"));
        let address = |address, port| custom.address(&ends(6, address, port)).map(AppName::as_str);
        assert_eq!(address("213.75.170.11", 443), Some("CustomProtocol"));
        assert_eq!(address("213.75.170.11", 80), None);
        assert_eq!(address("54.80.47.130", 1), Some("Own_Name"));
        assert_eq!(address("54.81.0.0", 1), None);
        assert_eq!(address("2001:db8::7", 443), Some("Six"));
        assert_eq!(address("2001:db8::7", 80), None);
        assert_eq!(address("2001:db8:1::1", 80), Some("Six"));
        assert_eq!(custom.host("www.DisneyPlus.com").map(AppName::as_str), Some("DisneyPlus"));
        assert_eq!(custom.host("a.cdn.example.org").map(AppName::as_str), Some("DisneyPlus"));
        assert_eq!(custom.host("notdisneyplus.com"), None);
        assert_eq!(custom.risk_mask(&ends(6, "192.168.1.7", 1), None), 0);
        assert_eq!(custom.risk_mask(&ends(6, "192.168.2.7", 1), None), u64::MAX);
        assert_eq!(custom.risk_mask(&ends(6, "192.168.2.7", 1), Some("nas.home")), 0x10);
    }

    #[test]
    fn what_is_handed_over_can_be_read_again() {
        let rules = Rules::parse("protos.txt", FILE.as_bytes()).unwrap();
        let text = |major, minor| rules.sanitized(Dialect::new(major, minor));
        let again = Rules::parse("again", text(5, 0).as_bytes()).unwrap();
        assert_eq!(again.sanitized(Dialect::new(5, 0)), text(5, 0));
        assert_eq!(again.len() + 1, rules.len(), "only the rule for the highest port is left out");
        for text in [text(4, 2), text(5, 0)] {
            assert!(text.contains("tcp:65000-65534@Top\n"), "{text}");
            assert!(!text.contains("65535"), "{text}");
        }
        assert!(text(5, 0).contains("ipv6:[2001:db8::/32]:443") && !text(4, 2).contains("ipv6"));
    }

    #[test]
    fn errors_name_file_line_and_what_is_wrong() {
        let cases: [(&[u8], usize, &str, &str); 18] = [
            (b"\n\ntcp:81", 3, "\"tcp:81\"", "VALUE,VALUE@NAME"),
            (b"tcp:0@X", 1, "\"tcp:0\"", "a port from 1 to 65535"),
            (b"tcp:65536@X", 1, "\"tcp:65536\"", "a port from 1 to 65535"),
            (b"tcp:90-80@X", 1, "\"tcp:90-80\"", "a range"),
            (b"tcp:@X", 1, "\"tcp:\"", "a port"),
            (b"tcp:80@", 1, "\"\"", "a name of 1 to 48"),
            (b"tcp:80@a.b", 1, "\"a.b\"", "dot"),
            (b"ip:example.com@X", 1, "\"ip:example.com\"", "not looked up"),
            (b"ip:1.2.3.4/33@X", 1, "\"ip:1.2.3.4/33\"", "an IPv4 address"),
            (b"ip:1.2.3.4:0@X", 1, "\"ip:1.2.3.4:0\"", "a port from 1"),
            (b"ip:2001:db8::1@X", 1, "\"ip:2001:db8::1\"", "ipv6:["),
            (b"ipv6:[2001:db8::1@X", 1, "\"ipv6:[2001:db8::1\"", "an IPv6 address"),
            (b"nbpf:\"host 192.168.1.1 and port 80\"@HomeRouter", 1, "nbpf:", "tcp:PORT"),
            (b"ja4:abc@X", 1, "\"ja4:abc\"", "tcp:PORT"),
            (b"host:\"\"@X", 1, "\"host:\\\"\\\"\"", "a host name"),
            (b"host:\"a b\"@X", 1, "host", "a host name"),
            (b"ip_risk_mask:10.0.0.0/8", 1, "\"10.0.0.0/8\"", "VALUE=MASK"),
            (b"#\nhost:\"\xff\"@X", 2, "octet 0xff in column 7", "UTF-8"),
        ];
        for (text, line, found, expected) in cases {
            let error = Rules::parse("p.txt", text).unwrap_err();
            let message = error.to_string();
            assert_eq!(error.line, line, "{message}");
            assert!(error.found.contains(found), "{message}");
            assert!(error.expected.contains(expected), "{message}");
            assert!(message.starts_with(&format!("p.txt: line {line}: found ")), "{message}");
        }
    }
}
