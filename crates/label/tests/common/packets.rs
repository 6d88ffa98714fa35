//! Packets made for tests: IPv4 with TCP or UDP.
#![allow(clippy::unwrap_used, reason = "test helpers; benchmarks use them as well")]

use std::net::{IpAddr, Ipv4Addr};

use rockfish_label::{AppLabel, Ends, Known, Labeler, PacketView};

/// A flow from 10.0.0.1:40000.
pub(crate) fn ends(protocol: u8, destination: &str, port: u16) -> Ends {
    Ends {
        protocol,
        source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        destination: destination.parse().unwrap(),
        source_port: 40000,
        destination_port: port,
    }
}

/// The payload behind the headers of its flow, as the initiator sends it.
pub(crate) fn packet(ends: &Ends, payload: &[u8]) -> Vec<u8> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (ends.source, ends.destination) else {
        return Vec::new();
    };
    let transport = if ends.protocol == 6 { 20 } else { 8 };
    let length = (20 + transport + payload.len()) as u16;
    let mut octets = vec![0x45, 0];
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(&[0, 1, 0, 0, 64, ends.protocol, 0, 0]);
    octets.extend_from_slice(&source.octets());
    octets.extend_from_slice(&destination.octets());
    octets.extend_from_slice(&ends.source_port.to_be_bytes());
    octets.extend_from_slice(&ends.destination_port.to_be_bytes());
    if ends.protocol == 6 {
        octets.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    } else {
        octets.extend_from_slice(&(8 + payload.len() as u16).to_be_bytes());
        octets.extend_from_slice(&[0, 0]);
    }
    octets.extend_from_slice(payload);
    octets
}

/// The label of a flow with these payloads, all sent by the initiator.
pub(crate) fn label(
    labeler: &mut dyn Labeler,
    ends: &Ends,
    payloads: &[&[u8]],
    known: &Known<'_>,
) -> Option<AppLabel> {
    let handle = labeler.begin(ends);
    for payload in payloads {
        let ip = packet(ends, payload);
        let view =
            PacketView { ip: &ip, payload, from_initiator: true, time_ms: 1_700_000_000_000 };
        labeler.packet(handle, &view);
    }
    labeler.finish(handle, known)
}

pub(crate) fn name(label: Option<AppLabel>) -> String {
    label.and_then(|label| label.name()).map_or_else(|| "-".to_owned(), |name| name.to_string())
}

/// A ClientHello with this server name.
pub(crate) fn client_hello(server: &str) -> Vec<u8> {
    let name = server.len() as u16;
    let mut extension = vec![0, 0];
    extension.extend_from_slice(&(name + 5).to_be_bytes());
    extension.extend_from_slice(&(name + 3).to_be_bytes());
    extension.push(0);
    extension.extend_from_slice(&name.to_be_bytes());
    extension.extend_from_slice(server.as_bytes());
    // Supported groups and versions.
    extension.extend_from_slice(&[0, 10, 0, 4, 0, 2, 0, 29, 0, 43, 0, 3, 2, 3, 4]);
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.push(0);
    body.extend_from_slice(&[0, 8, 0x13, 1, 0x13, 2, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    body.extend_from_slice(&(extension.len() as u16).to_be_bytes());
    body.extend_from_slice(&extension);
    let mut hello = vec![0x16, 3, 1];
    hello.extend_from_slice(&(body.len() as u16 + 4).to_be_bytes());
    hello.extend_from_slice(&[1, 0]);
    hello.extend_from_slice(&(body.len() as u16).to_be_bytes());
    hello.extend_from_slice(&body);
    hello
}

/// A question for the addresses of a name.
pub(crate) fn dns_question(name: &str) -> Vec<u8> {
    let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(label.len() as u8);
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 1, 0, 1]);
    question
}

/// The custom rules that every labeler is tried with.
pub(crate) const RULES: &str = "\
tcp:81@HTTP
tcp:3000-3002,udp:3000@Intranet
tcp:65000-65535@Top
udp:65535@Top
host:\"video.example\",host:\"*.cdn.example\"@Own_Video
host:\"youtube.com\"@Netflix
ip:192.0.2.0/24@Branch
ip:198.51.100.7:443@Portal
ipv6:[2001:db8::/32]@Six
";

pub(crate) const CATEGORIES: &str = "bad.example\t100\n203.0.113.0/24\t14\n";

/// What labels have to be with these rules, whatever makes them.
pub(crate) fn check_rules(labeler: &mut dyn Labeler) {
    let known = Known::default();
    let http = b"GET / HTTP/1.1\r\nHost: www.video.example\r\n\r\n";
    let odd: &[u8] = b"\x00\x00\x00\x00\x00\x00\x00\x01nothing known\x00\x00";
    let cases: [(u8, &str, u16, Vec<u8>, &str); 18] = [
        (6, "203.0.113.1", 443, client_hello("www.youtube.com"), "TLS.NetFlix"),
        (6, "203.0.113.1", 443, client_hello("a.video.example"), "TLS.Own_Video"),
        (6, "203.0.113.1", 443, client_hello("notvideo.example"), "TLS"),
        (6, "203.0.113.1", 80, http.to_vec(), "HTTP.Own_Video"),
        (17, "203.0.113.1", 53, dns_question("x.cdn.example"), "DNS.Own_Video"),
        (17, "203.0.113.1", 53, dns_question("www.google.com"), "DNS"),
        // A port of an own protocol goes before what the payload tells.
        (6, "203.0.113.1", 3001, client_hello("www.google.com"), "Intranet"),
        (6, "203.0.113.1", 3003, client_hello("www.google.com"), "TLS.Google"),
        (17, "203.0.113.1", 3000, odd.to_vec(), "Intranet"),
        (6, "203.0.113.1", 65534, odd.to_vec(), "Top"),
        (6, "203.0.113.1", 65535, odd.to_vec(), "Top"),
        (17, "203.0.113.1", 65535, odd.to_vec(), "Top"),
        // A port of a known one is a guess.
        (6, "203.0.113.1", 81, odd.to_vec(), "HTTP"),
        (6, "203.0.113.1", 81, client_hello("a.invalid"), "TLS"),
        (6, "192.0.2.9", 443, client_hello("www.google.com"), "TLS.Branch"),
        (6, "192.0.2.9", 4444, odd.to_vec(), "Branch"),
        (6, "198.51.100.7", 443, client_hello("a.invalid"), "TLS.Portal"),
        (6, "198.51.100.7", 8443, client_hello("a.invalid"), "TLS"),
    ];
    for (protocol, address, port, payload, expected) in cases {
        let ends = ends(protocol, address, port);
        let sni = payload.starts_with(&[0x16, 3, 1]).then(|| {
            let length = usize::from(payload[66]);
            String::from_utf8(payload[67..67 + length].to_vec()).unwrap()
        });
        let known = Known { sni: sni.as_deref(), ..known };
        let label = label(labeler, &ends, &[&payload], &known);
        assert_eq!(name(label), expected, "{protocol} {address} {port} {known:?}");
    }
    // Without any payload.
    for (address, port, expected) in [
        ("203.0.113.1", 3002, "Intranet"),
        ("203.0.113.1", 81, "HTTP"),
        ("2001:db8::1", 22, "SSH.Six"),
    ] {
        assert_eq!(
            name(labeler.guess(&ends(6, address, port), &known)),
            expected,
            "{address} {port}"
        );
    }
    let category =
        |label: Option<AppLabel>| label.and_then(|label| label.category_name()).unwrap_or("-");
    let known = Known { sni: Some("www.bad.example"), ..known };
    let bad =
        label(labeler, &ends(6, "198.51.100.1", 443), &[&client_hello("www.bad.example")], &known);
    assert_eq!(category(bad), "Malware");
    let net = labeler.guess(&ends(6, "203.0.113.77", 443), &Known::default());
    assert_eq!((name(net).as_str(), category(net)), ("TLS", "Network"));
    assert_eq!(labeler.open(), 0);
}
