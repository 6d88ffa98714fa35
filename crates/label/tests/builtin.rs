//! The built-in labeler on payloads made for it.

#[path = "common/packets.rs"]
mod packets;

use std::sync::Arc;

use packets::{CATEGORIES, RULES, check_rules, client_hello, dns_question, ends, label, name};
use proptest::prelude::*;
use rockfish_label::{
    AppLabel, BuiltinLabeler, CategoryRules, Confidence, Custom, Known, Labeler, PacketView,
    Progress, Rules,
};

fn labeler() -> BuiltinLabeler {
    BuiltinLabeler::new(Arc::new(Custom::default()))
}

#[test]
fn protocols_by_their_payload() {
    let smb = |magic: &[u8]| [&[0, 0, 0, 60], magic, &[0; 56]].concat();
    let mysql = [&[49, 0, 0, 0, 10][..], b"8.0.36\0", &[7; 41]].concat();
    let ike = {
        let mut ike = vec![9; 28];
        ike[16..20].copy_from_slice(&[0x21, 0x20, 0x22, 0x08]);
        ike[24..28].copy_from_slice(&[0, 0, 0, 28]);
        ike
    };
    let wireguard = [&[1, 0, 0, 0][..], &[5; 144]].concat();
    let cases: Vec<(u8, u16, Vec<u8>, &str)> = vec![
        (6, 4433, client_hello("a.invalid"), "TLS"),
        (6, 993, client_hello("a.invalid"), "IMAPS"),
        (6, 853, client_hello("a.invalid"), "TLS.DoH_DoT"),
        (6, 8000, b"GET /x HTTP/1.1\r\nHost: www.netflix.com\r\n\r\n".to_vec(), "HTTP.NetFlix"),
        (
            6,
            80,
            b"POST / HTTP/1.1\r\nContent-Type: application/ocsp-request\r\n\r\n".to_vec(),
            "HTTP.OCSP",
        ),
        (6, 80, b"GET /s HTTP/1.1\r\nUpgrade: websocket\r\n\r\n".to_vec(), "HTTP.WebSocket"),
        (6, 3128, b"CONNECT a.invalid:443 HTTP/1.1\r\n\r\n".to_vec(), "HTTP_Connect"),
        (6, 3128, b"GET http://a.invalid/ HTTP/1.1\r\n\r\n".to_vec(), "HTTP_Proxy"),
        (6, 22222, b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), "SSH"),
        (6, 25, b"220 mail.invalid ESMTP\r\n".to_vec(), "SMTP"),
        (6, 2121, b"220 ProFTPD Server ready\r\n".to_vec(), "FTP_CONTROL"),
        (6, 110, b"+OK ready\r\n".to_vec(), "POP3"),
        (6, 143, b"* OK [CAPABILITY IMAP4rev1] ready\r\n".to_vec(), "IMAP"),
        (6, 5901, b"RFB 003.008\n".to_vec(), "VNC"),
        (
            6,
            3389,
            b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"
                .to_vec(),
            "RDP",
        ),
        (6, 445, smb(b"\xfeSMB"), "NetBIOS.SMBv23"),
        (6, 445, smb(b"\xffSMB"), "NetBIOS.SMBv1"),
        (6, 3306, mysql, "MySQL"),
        (6, 5432, b"\x00\x00\x00\x08\x04\xd2\x16\x2f".to_vec(), "PostgreSQL"),
        (6, 6379, b"*1\r\n$4\r\nPING\r\n".to_vec(), "RESP"),
        (6, 1883, b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00".to_vec(), "MQTT"),
        (6, 502, b"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x0a".to_vec(), "Modbus"),
        (6, 389, b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00".to_vec(), "LDAP"),
        (6, 6881, b"\x13BitTorrent protocol12345678".to_vec(), "BitTorrent"),
        (6, 5222, b"<?xml version='1.0'?><stream:stream xmlns='jabber:client'>".to_vec(), "Jabber"),
        (6, 179, [&[0xff; 16][..], &[0, 29, 1, 4, 0, 0, 0, 180, 1, 1, 1, 1, 0]].concat(), "BGP"),
        (6, 554, b"OPTIONS rtsp://a.invalid/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec(), "RTSP"),
        (17, 53, dns_question("www.google.com"), "DNS"),
        (17, 5353, dns_question("_ipp._tcp.local"), "MDNS"),
        (17, 5355, dns_question("wpad"), "LLMNR"),
        (17, 123, [&[0x23][..], &[0; 47]].concat(), "NTP"),
        (17, 161, b"\x30\x0c\x02\x01\x01\x04\x06public\xa0".to_vec(), "SNMP"),
        (17, 514, b"<34>Oct 11 22:14:15 host su: failed".to_vec(), "Syslog"),
        (17, 3478, b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl".to_vec(), "STUN"),
        (
            17,
            4444,
            b"\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00".to_vec(),
            "DTLS",
        ),
        (17, 5060, b"REGISTER sip:a.invalid SIP/2.0\r\n".to_vec(), "SIP"),
        (17, 1900, b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n".to_vec(), "SSDP"),
        (17, 443, [&[0xc3, 0, 0, 0, 1, 8][..], &[1; 1194]].concat(), "QUIC"),
        (17, 443, [&[0xd3, 0x6b, 0x33, 0x43, 0xcf, 8][..], &[1; 1194]].concat(), "QUIC"),
        (17, 500, ike, "IPSec"),
        (17, 9999, wireguard, "WireGuard"),
        (17, 69, b"\x00\x01boot.img\x00octet\x00".to_vec(), "TFTP"),
        (
            17,
            6881,
            b"d1:ad2:id20:01234567890123456789e1:q4:ping1:t2:aa1:y1:qe".to_vec(),
            "BitTorrent",
        ),
        (17, 47808, b"\x81\x0b\x00\x0c\x01\x20\xff\xff\x00\xff\x10\x08".to_vec(), "BACnet"),
        (1, 0, vec![8, 0, 0, 0, 0, 1], "ICMP"),
        (89, 0, vec![2; 24], "IP_OSPF"),
        (6, 40001, vec![0; 40], "-"),
    ];
    let mut labeler = labeler();
    for (protocol, port, payload, expected) in cases {
        let ends = ends(protocol, "203.0.113.1", port);
        let label = label(&mut labeler, &ends, &[&payload], &Known::default());
        assert_eq!(
            name(label),
            expected,
            "{protocol} {port} {}",
            String::from_utf8_lossy(&payload)
        );
    }
    assert_eq!(labeler.open(), 0);
}

/// A dialogue: who speaks, and what.
fn dialogue(port: u16, packets: &[(bool, &[u8])]) -> Option<AppLabel> {
    let mut labeler = labeler();
    let ends = ends(6, "203.0.113.1", port);
    let handle = labeler.begin(&ends);
    for (from_initiator, payload) in packets {
        let view = PacketView { ip: &[], payload, from_initiator: *from_initiator, time_ms: 0 };
        labeler.packet(handle, &view);
    }
    labeler.finish(handle, &Known::default())
}

#[test]
fn protocols_by_several_packets() {
    let hello = client_hello("a.invalid");
    type Case<'a> = (u16, &'a [(bool, &'a [u8])], &'a str);
    let cases: [Case<'_>; 6] = [
        (
            143,
            &[
                (false, b"* OK ready\r\n"),
                (true, b"a1 STARTTLS\r\n"),
                (false, b"a1 OK\r\n"),
                (true, &hello),
            ],
            "IMAPS",
        ),
        (2525, &[(false, b"220 a ESMTP\r\n"), (true, b"STARTTLS\r\n"), (true, &hello)], "SMTPS"),
        (1080, &[(true, &[5, 1, 0]), (false, &[5, 0])], "SOCKS"),
        (4000, &[(true, &[5, 1, 0])], "-"),
        (4000, &[(true, &[0, 14, 0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0])], "-"),
        (
            4000,
            &[
                (true, &[0, 14, 0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0]),
                (false, &[0, 14, 0x40, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0]),
            ],
            "OpenVPN",
        ),
    ];
    for (port, packets, expected) in cases {
        assert_eq!(name(dialogue(port, packets)), expected, "{port} {packets:?}");
    }
}

#[test]
fn names_that_others_know() {
    let mut labeler = labeler();
    let hello = client_hello("a.invalid");
    let tls = ends(6, "203.0.113.1", 443);
    let cases = [
        (
            Known { sni: Some("www.youtube.com"), ..Known::default() },
            "TLS.YouTube",
            Confidence::Payload,
        ),
        (
            Known { dns_name: Some("open.spotify.com"), ..Known::default() },
            "TLS.Spotify",
            Confidence::Related,
        ),
        (
            Known {
                sni: Some("a.invalid"),
                dns_name: Some("open.spotify.com"),
                ..Known::default()
            },
            "TLS",
            Confidence::Payload,
        ),
    ];
    for (known, expected, confidence) in cases {
        let label = label(&mut labeler, &tls, &[&hello], &known).unwrap();
        assert_eq!((name(Some(label)).as_str(), label.confidence), (expected, confidence));
    }
    let guess = labeler.guess(&tls, &Known::default()).unwrap();
    assert_eq!((name(Some(guess)).as_str(), guess.confidence), ("TLS", Confidence::Port));
    assert_eq!(guess.category_name(), Some("Web"));
}

#[test]
fn custom_rules() {
    let rules = Rules::parse("protos.txt", RULES.as_bytes()).unwrap();
    let categories = CategoryRules::parse("categories.txt", CATEGORIES.as_bytes()).unwrap();
    check_rules(&mut BuiltinLabeler::new(Arc::new(Custom::new(&rules, categories))));
}

#[test]
fn risks() {
    let mut labeler = labeler();
    let ssh =
        label(&mut labeler, &ends(6, "203.0.113.1", 8000), &[b"SSH-2.0-x\r\n"], &Known::default())
            .unwrap();
    assert_eq!(ssh.risk_names().collect::<Vec<_>>(), ["Known Proto on Non Std Port"]);
    assert_eq!((ssh.score, ssh.severity), (50, 2));
    let usual =
        label(&mut labeler, &ends(6, "203.0.113.1", 22), &[b"SSH-2.0-x\r\n"], &Known::default())
            .unwrap();
    assert_eq!((usual.risk, usual.score, usual.severity), (0, 0, 0));
    let mut all = AppLabel::default();
    all.set_risk(u64::MAX);
    assert_eq!(all.severity, 3);
    assert!(all.risk_names().all(|name| !name.is_empty() && !name.contains(',')));
    assert_eq!(all.risk_names().count(), 64);
}

#[test]
fn short_payloads() {
    let mut labeler = labeler();
    for port in [23, 53, 80, 102, 123, 139, 161, 389, 445, 502, 1521, 1883, 3544, 4500, 9042, 40001]
    {
        for (first, rest) in (0..=255u8).flat_map(|first| [0, 1, 0xff].map(|rest| (first, rest))) {
            let mut payload = [rest; 48];
            payload[0] = first;
            for length in 1..payload.len() {
                for protocol in [6, 17] {
                    let ends = ends(protocol, "203.0.113.1", port);
                    let handle = labeler.begin(&ends);
                    let payload = &payload[..length];
                    let view = PacketView { ip: &[], payload, from_initiator: true, time_ms: 0 };
                    labeler.packet(handle, &view);
                    labeler.finish(handle, &Known::default());
                }
            }
        }
    }
}

proptest! {
    /// No octets and no order make it panic; what is begun can be finished; after it is done it stays so.
    #[test]
    fn any_octets(
        protocol in prop_oneof![Just(6u8), Just(17), any::<u8>()],
        ports in any::<(u16, u16)>(),
        packets in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 0..30),
    ) {
        let mut labeler = labeler();
        let mut ends = ends(protocol, "203.0.113.1", ports.0);
        ends.source_port = ports.1;
        let handle = labeler.begin(&ends);
        let mut done = false;
        for (from_initiator, payload) in &packets {
            let view = PacketView { ip: payload, payload, from_initiator: *from_initiator, time_ms: 0 };
            let now = labeler.packet(handle, &view) == Progress::Done;
            prop_assert!(now || !done);
            done = now;
        }
        let label = labeler.finish(handle, &Known::default());
        prop_assert!(label.is_none_or(|label| label.name().is_some()));
        prop_assert_eq!(labeler.open(), 0);
    }

    /// The beginnings of real payloads, with octets changed.
    #[test]
    fn changed_octets(
        which in 0usize..8,
        port in prop_oneof![Just(443u16), Just(80), Just(53), Just(5353), Just(3478), Just(445), any::<u16>()],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut payload = match which {
            0 => client_hello("www.example.org"),
            1 => dns_question("www.example.org"),
            2 => b"GET http://a:80/b HTTP/1.1\r\nHost: [::1]:80\r\nUpgrade: websocket\r\n\r\n".to_vec(),
            3 => b"\x00\x01\x00\x08\x21\x12\xa4\x42abcdefghijkl\x80\x22\x00\x04test".to_vec(),
            4 => b"\x00\x00\x00\x40\xffSMBr\x00\x00\x00\x00\x02SMB 2.002\x00".to_vec(),
            5 => b"\x30\x82\x00\x10\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00".to_vec(),
            6 => b"* OK a\r\nb".to_vec(),
            _ => b"\x05\x00\x0b\x03\x10\x00\x00\x00\x48\x00\x00\x00\x01\x00\x00\x00".to_vec(),
        };
        for (place, octet) in &changes {
            let place = place.index(payload.len());
            payload[place] = *octet;
        }
        payload.truncate(cut.index(payload.len() + 1));
        for protocol in [6, 17] {
            let ends = ends(protocol, "203.0.113.1", port);
            label(&mut labeler(), &ends, &[&payload, &payload], &Known::default());
        }
    }

    /// Custom files: no text makes reading panic, and what was read can be written and read again.
    #[test]
    fn any_rules(text in "(tcp|udp|host|ip|ipv6|nbpf|ip_risk_mask)?[:=@,\"\\[\\]/.0-9a-z\\n# -]{0,60}") {
        if let Ok(rules) = Rules::parse("p", text.as_bytes()) {
            let written = rules.sanitized(rockfish_label::Dialect::new(5, 0));
            let again = Rules::parse("q", written.as_bytes());
            prop_assert!(again.is_ok(), "{:?} from {:?}", again, text);
        }
        if let Ok(rules) = CategoryRules::parse("p", text.as_bytes()) {
            prop_assert!(CategoryRules::parse("q", rules.sanitized().as_bytes()).is_ok());
        }
    }
}
