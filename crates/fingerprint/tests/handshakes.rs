//! Hellos whole, in pieces, out of order, and behind what comes before TLS. All octets are made here.

mod common;

use common::hellos::{
    CONNECTION_ID, Client, EXAMPLE_JA4, QuicKeys, crypto_frame, dtls_fragment, message, record,
    server_body, server_record,
};
use proptest::prelude::*;
use proptest::sample::Index;
use rockfish_fingerprint::{Handshake, Hellos, Progress, Transport};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// MD5 of `771,49199,65281-16`.
const SERVER_JA3S: &str = "7bee5c1d424b7e5f943b06983bb11422";

fn ja4(hellos: &Hellos) -> String {
    hellos.ja4.map(|ja4| ja4.to_string()).unwrap_or_default()
}

fn ja3s(hellos: &Hellos) -> String {
    hellos.ja3s.map(|ja3s| ja3s.to_string()).unwrap_or_default()
}

/// Both directions' octets, each as one segment after its SYN.
fn converse(client: &[u8], server: &[u8]) -> Hellos {
    let mut handshake = Handshake::new(TCP);
    handshake.open(true, 99);
    handshake.open(false, 199);
    handshake.segment(true, 100, client);
    handshake.segment(false, 200, server);
    assert!(handshake.memory() <= Handshake::MOST_MEMORY);
    handshake.hellos().cloned().unwrap_or_default()
}

fn check_example(hellos: &Hellos) {
    assert_eq!(ja4(hellos), EXAMPLE_JA4);
    assert_eq!(hellos.sni.as_deref(), Some("www.example.com"));
    assert_eq!(hellos.alpn.as_deref(), Some("h2,http/1.1"));
    assert_eq!(hellos.client_version, Some(0x0304));
    assert!(!hellos.ech);
}

#[test]
fn whole_hellos() {
    let hellos = converse(&Client::default().record(), &server_record());
    check_example(&hellos);
    assert_eq!(ja3s(&hellos), SERVER_JA3S);
    assert_eq!(hellos.transport, Some(Transport::Tls));
    assert_eq!(hellos.client_is_initiator, Some(true));
    assert_eq!(hellos.server_version, Some(0x0303));
    assert_eq!(hellos.version(), Some(0x0303));
    assert_eq!(hellos.cipher, Some(0xc02f));
    assert_eq!(hellos.server_alpn.as_deref(), Some("h2"));
}

#[test]
fn done_as_soon_as_it_is() {
    let mut handshake = Handshake::new(TCP);
    assert_eq!(handshake.segment(true, 0, &Client::default().record()), Progress::More);
    assert_eq!(handshake.segment(false, 0, &server_record()[..200]), Progress::Done);
    // Nothing that comes later changes the result.
    let before = handshake.hellos().cloned();
    let other = Client { name: b"other.example".to_vec(), ..Client::default() };
    assert_eq!(handshake.segment(true, 0, &other.record()), Progress::Done);
    assert_eq!(handshake.hellos(), before.as_ref());
    assert_eq!(handshake.into_hellos().as_deref(), before.as_ref());

    for (protocol, payload) in [(TCP, &b"\x13BitTorrent protocol"[..]), (TCP, b"SSH-2.0-a\r\n")] {
        let mut handshake = Handshake::new(protocol);
        handshake.open(true, 0);
        assert_eq!(handshake.segment(true, 1, payload), Progress::Done, "{payload:?}");
    }
    let mut handshake = Handshake::new(1);
    assert_eq!(handshake.packet(true, &Client::default().record()), Progress::Done);
    assert_eq!(handshake.hellos(), None);
    let mut handshake = Handshake::new(UDP);
    assert!((0..10).any(|_| handshake.packet(true, b"something else") == Progress::Done));
}

#[test]
fn small_while_nothing_is_held() {
    // A meter keeps many: two cache lines and a little.
    assert!(size_of::<Handshake>() <= 136, "{}", size_of::<Handshake>());
    assert_eq!(Handshake::new(TCP).memory(), size_of::<Handshake>());
}

#[test]
fn either_direction() {
    let (client, server) = (Client::default().record(), server_record());
    let mut handshake = Handshake::new(TCP);
    handshake.segment(true, 5, &server);
    assert_eq!(handshake.segment(false, 5, &client), Progress::Done);
    let hellos = handshake.hellos().unwrap();
    check_example(hellos);
    assert_eq!(ja3s(hellos), SERVER_JA3S);
    assert_eq!(hellos.client_is_initiator, Some(false));
}

#[test]
fn three_packets_in_any_order() {
    // A key share of the size of post-quantum ones.
    let hello = Client { key_share: 3200, ..Client::default() }.record();
    let pieces = [0..1460, 1460..2920, 2920..hello.len()];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        // Without a SYN seen, and over the end of sequence numbers.
        for start in [7, u32::MAX - 2000] {
            let mut handshake = Handshake::new(TCP);
            for piece in order {
                let range = pieces[piece].clone();
                let sequence = start.wrapping_add(range.start as u32);
                handshake.segment(true, sequence, &hello[range]);
            }
            check_example(handshake.hellos().expect("a hello"));
        }
    }
}

#[test]
fn in_order_without_sequence_numbers() {
    let hello = Client { key_share: 3200, ..Client::default() }.record();
    let mut handshake = Handshake::new(TCP);
    for piece in hello.chunks(700) {
        handshake.packet(true, piece);
    }
    check_example(handshake.hellos().unwrap());
}

#[test]
fn one_message_in_several_records() {
    let message = Client::default().message();
    for size in [1, 3, 5, 40, 200] {
        let records: Vec<u8> = message.chunks(size).flat_map(record).collect();
        check_example(&converse(&records, &[]));
    }
}

#[test]
fn what_is_no_hello() {
    let hello = Client::default().record();
    for (place, octet) in [(0, 23), (1, 2), (3, 0xff), (5, 11), (6, 1), (43, 33)] {
        let mut broken = hello.clone();
        broken[place] = octet;
        let hellos = converse(&broken, &[]);
        assert_eq!(hellos, Hellos::default(), "octet {place} is {octet}");
    }
}

#[test]
fn extensions_that_do_not_fit() {
    // The last extension says that it is longer than the hello: those before it hold.
    let mut client = Client::default();
    client.extensions.pop();
    let right = converse(&client.record(), &[]);
    let mut hello = Client::default().record();
    let end = hello.len();
    hello[end - 1] = 9;
    assert_eq!(converse(&hello, &[]), right);
}

#[test]
fn alpn_and_sni_as_octets() {
    for (alpn, expect_ja4, expect_text) in [
        (&b"\xab\xcd"[..], "ad", "\\xab\\xcd"),
        (b"h2", "h2", "h2"),
        (b"\x30\xab", "3b", "0\\xab"),
        (b"http/1.1", "h1", "http/1.1"),
        (b"-", "2d", "-"),
        (b"a", "aa", "a"),
    ] {
        let client = Client { alpn: vec![alpn.to_vec()], ..Client::default() };
        let hellos = converse(&client.record(), &[]);
        assert_eq!(&ja4(&hellos)[8..10], expect_ja4);
        assert_eq!(hellos.alpn.as_deref(), Some(expect_text));
    }
    let client =
        Client { name: b"B\xfccher .example\\".to_vec(), alpn: Vec::new(), ..Client::default() };
    let hellos = converse(&client.record(), &[]);
    assert_eq!(hellos.sni.as_deref(), Some("b\\xfccher\\x20.example\\x5c"));
    assert_eq!(&ja4(&hellos)[8..10], "00");
    assert_eq!(hellos.alpn, None);
    let client = Client { name: vec![b'a'; 3000], ..Client::default() };
    assert_eq!(converse(&client.record(), &[]).sni.map(|name| name.len()), Some(255));
}

#[test]
fn ja4_of_bare_hellos() {
    let bare = Client { extensions: Vec::new(), versions: Vec::new(), ..Client::default() };
    let text = ja4(&converse(&bare.record(), &[]));
    assert_eq!(text, "t12i150000_8daaf6152771_000000000000");
    // Nothing is left of the extensions without server name and ALPN.
    let two = Client { extensions: vec![0, 16], ..Client::default() };
    assert_eq!(ja4(&converse(&two.record(), &[])), "t12d1502h2_8daaf6152771_000000000000");
    let none = Client { ciphers: vec![0x0a0a], ..bare };
    assert_eq!(ja4(&converse(&none.record(), &[])), "t12i000000_000000000000_000000000000");
    let ech = Client { extensions: vec![0xfe0d], ..Client::default() };
    assert!(converse(&ech.record(), &[]).ech);
}

#[test]
fn before_and_beside_the_hello() {
    let client = Client::default().record();
    // A warning that the name is not known, then the hello.
    let server = [&[21, 3, 3, 0, 2, 1, 112], &server_record()[..]].concat();
    assert_eq!(ja3s(&converse(&client, &server)), SERVER_JA3S);
    // A fatal alert instead of it.
    assert_eq!(ja3s(&converse(&client, &[21, 3, 3, 0, 2, 2, 40])), "");
    // A hello in the form of SSL 2; the answer is TLS.
    let old = [&[0x80, 0x2e, 1, 3, 1, 0, 5, 0, 0, 0, 16][..], &[0; 37]].concat();
    let hellos = converse(&old, &server_record());
    assert_eq!((ja4(&hellos).as_str(), hellos.client_version), ("", Some(0x0301)));
    assert_eq!(ja3s(&hellos), SERVER_JA3S);
}

/// What both sides say before TLS.
const DIALOGUES: [(&str, &[u8], &[u8]); 19] = [
    (
        "SMTP",
        b"EHLO me.example\r\nSTARTTLS\r\n",
        b"220-hello\r\n220 mail.example ESMTP\r\n250-mail.example\r\n250-SIZE 9\r\n250 STARTTLS\r\n220 2.0.0 go ahead\r\n",
    ),
    (
        "IMAP",
        b"a1 CAPABILITY\r\na2 starttls\r\n",
        b"* OK ready\r\n* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK done\r\na2 OK begin TLS\r\n",
    ),
    ("POP3", b"CAPA\r\nSTLS\r\n", b"+OK ready\r\n+OK\r\nSTLS\r\n.\r\n+OK begin\r\n"),
    (
        "FTP",
        b"AUTH TLS\r\n",
        b"220-Welcome\r\n220 ftp.example\r\n234 AUTH TLS OK.\r\n",
    ),
    ("FTP with SSL", b"FEAT\r\nauth ssl\r\n", b"220 a\r\n211-x\r\n AUTH TLS\r\n211 e\r\n234 go\r\n"),
    ("NNTP", b"CAPABILITIES\r\nSTARTTLS\r\n", b"200 news\r\n101 list\r\n.\r\n382 go\r\n"),
    ("ManageSieve", b"STARTTLS\r\n", b"\"STARTTLS\"\r\nOK\r\nOK \"Begin TLS\"\r\n"),
    (
        "XMPP",
        b"<?xml version='1.0'?><stream:stream to='a.example' version='1.0'>\n<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\n",
        b"<?xml version='1.0'?><stream:stream from='a.example'> <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'></starttls><mechanisms><mechanism>PLAIN</mechanism></mechanisms></stream:features><proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    ),
    (
        "LDAP",
        b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037",
        b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
    ),
    ("PostgreSQL", b"\0\0\0\x08\x04\xd2\x16\x2f", b"S"),
    ("PostgreSQL with GSS", b"\0\0\0\x08\x04\xd2\x16\x30\0\0\0\x08\x04\xd2\x16\x2f", b"NS"),
    (
        "MySQL",
        b"\x20\0\0\x01\x85\xae\xff\x19\0\0\0\x01\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x4a\0\0\0\x0a8.0.36\0\x0b\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0abcdefghijkl\0caching_sha2_password\0",
    ),
    (
        "RDP",
        b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
        b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x0f\x08\0\x02\0\0\0",
    ),
    ("SOCKS 4", b"\x04\x01\x01\xbb\x0a\0\0\x01me\0", b"\0\x5a\x01\xbb\x0a\0\0\x01"),
    ("SOCKS 4A", b"\x04\x01\x01\xbb\0\0\0\x01me\0www.example.com\0", b"\0\x5a\0\0\0\0\0\0"),
    (
        "SOCKS 5",
        b"\x05\x01\0\x05\x01\0\x03\x0fwww.example.com\x01\xbb",
        b"\x05\0\x05\0\0\x01\x0a\0\0\x01\x01\xbb",
    ),
    (
        "SOCKS 5 with a password",
        b"\x05\x02\0\x02\x01\x02me\x06secret\x05\x01\0\x01\x0a\0\0\x01\x01\xbb",
        b"\x05\x02\x01\0\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb",
    ),
    (
        "CONNECT",
        b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\nCONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\nProxy-Authorization: Basic eA==\r\n\r\n",
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 7\r\n\r\ndenied\nHTTP/1.1 200 Connection established\r\n\r\n",
    ),
    (
        "PROXY, SOCKS 5 and SMTP",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n\x05\x01\0\x05\x01\0\x01\x0a\0\0\x01\0\x19EHLO a\r\nSTARTTLS\r\n",
        b"\x05\0\x05\0\0\x01\x0a\0\0\x01\0\x19220 a\r\n250 b\r\n220 c\r\n",
    ),
];

#[test]
fn behind_a_dialogue() {
    for (name, client, server) in DIALOGUES {
        let client = [client, &Client::default().record()].concat();
        let server = [server, &server_record()].concat();
        let hellos = converse(&client, &server);
        assert_eq!(ja4(&hellos), EXAMPLE_JA4, "{name}: client");
        assert_eq!(ja3s(&hellos), SERVER_JA3S, "{name}: server");
        check_example(&hellos);
        // Turn by turn, as it happens: no direction may be given up meanwhile.
        let mut handshake = Handshake::new(TCP);
        let (mut from_client, mut from_server) = (client.chunks(11), server.chunks(9));
        let mut sequences = [1u32, 1];
        for _ in 0..1000 {
            for (initiator, pieces) in [(true, &mut from_client), (false, &mut from_server)] {
                if let Some(piece) = pieces.next() {
                    let sequence = &mut sequences[usize::from(initiator)];
                    handshake.segment(initiator, *sequence, piece);
                    *sequence += piece.len() as u32;
                }
            }
        }
        // In so small pieces some dialogues take more packets than are looked at.
        if client.len() < 11 * 40 && server.len() < 9 * 40 {
            check_example(handshake.hellos().expect(name));
        }
    }
}

#[test]
fn a_hello_where_none_may_be() {
    for before in [
        &b"EHLO me.example\r\n"[..],
        b"DATA\r\nSubject: a\r\n\r\n",
        b"<message>",
        b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x30",
        b"\x05\x01\0\x05\x02\0\x01\x0a\0\0\x01\x01\xbb",
    ] {
        let octets = [before, &Client::default().record()].concat();
        assert_eq!(converse(&octets, &[]).ja4, None, "{:?}", String::from_utf8_lossy(before));
    }
}

#[test]
fn hosts_of_http() {
    let requests: [(&[u8], Option<&str>); 6] = [
        (b"GET / HTTP/1.1\r\nHost: A.example:8080\r\n\r\n", Some("a.example:8080")),
        (b"POST /x HTTP/1.1\r\nA: b\r\nhOST:a.example\r\n", Some("a.example")),
        (b"GET / HTTP/1.0\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: a.exam", None),
        (b"GET / HTTP/1.1\r\n\r\nHost: b.example\r\n", None),
        (b"FETCH / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    ];
    for (request, expect) in requests {
        let mut handshake = Handshake::new(TCP);
        handshake.packet(true, request);
        let host = handshake.hellos().and_then(|hellos| hellos.http_host.as_deref());
        assert_eq!(host, expect, "{:?}", String::from_utf8_lossy(request));
    }
    let mut handshake = Handshake::new(TCP);
    let request = b"GET /a/long/path HTTP/1.1\r\nAccept: */*\r\nHost: a.example\r\n\r\n";
    for piece in request.chunks(7) {
        handshake.packet(true, piece);
    }
    assert_eq!(handshake.hellos().unwrap().http_host.as_deref(), Some("a.example"));
}

// DTLS.

fn datagrams(all: &[(bool, Vec<u8>)]) -> Handshake {
    let mut handshake = Handshake::new(UDP);
    for (from_initiator, datagram) in all {
        handshake.packet(*from_initiator, datagram);
        assert!(handshake.memory() <= Handshake::MOST_MEMORY);
    }
    handshake
}

#[test]
fn dtls() {
    let client = Client { version: 0xfefd, versions: vec![0xfefc, 0xfefd], ..Client::default() };
    let body = client.datagram_body();
    let server = server_body(0xfefd);
    let whole = dtls_fragment(1, 0, &body, 0, body.len());
    let answer = dtls_fragment(2, 1, &server, 0, server.len());
    let expect = EXAMPLE_JA4.replacen("t13", "dd3", 1);
    let handshake = datagrams(&[(true, whole.clone()), (false, answer.clone())]);
    let hellos = handshake.hellos().unwrap();
    assert_eq!(ja4(hellos), expect);
    assert_eq!(hellos.transport, Some(Transport::Dtls));
    assert_eq!(hellos.sni.as_deref(), Some("www.example.com"));
    assert_eq!((hellos.server_version, hellos.client_is_initiator), (Some(0xfefd), Some(true)));
    // 65277,49199,65281-16
    assert_eq!(ja3s(hellos), "1009dc98465ea69133da8a414829b0e6");

    // In fragments, out of order and overlapping, after a first hello that was given up.
    let early = dtls_fragment(1, 0, &body, 50, 100);
    let a = dtls_fragment(1, 1, &body, 0, 90);
    let b = dtls_fragment(1, 1, &body, 80, 170);
    let c = dtls_fragment(1, 1, &body, 170, body.len());
    let handshake = datagrams(&[(true, early), (true, [c, a].concat()), (true, b)]);
    assert_eq!(ja4(handshake.hellos().unwrap()), expect);

    // After STUN, relayed in a channel, and in an indication.
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[0; 12]].concat();
    let channel = [&[0x40, 1][..], &(whole.len() as u16).to_be_bytes(), &whole].concat();
    let indication = [
        &[0, 0x17, 0, 0, 0x21, 0x12, 0xa4, 0x42][..],
        &[0; 12],
        &[0, 0x12, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0],
        &[0, 0x13],
        &(whole.len() as u16).to_be_bytes(),
        &whole,
    ]
    .concat();
    for relayed in [whole, channel, indication] {
        let mut all = vec![(false, stun.clone()); 8];
        all.push((false, relayed));
        let handshake = datagrams(&all);
        let hellos = handshake.hellos().unwrap();
        assert_eq!(ja4(hellos), expect);
        assert_eq!(hellos.client_is_initiator, Some(false));
    }
}

// QUIC.

fn quic_client() -> Client {
    Client { alpn: vec![b"h3".to_vec()], key_share: 1400, ..Client::default() }
}

fn check_quic(handshake: &Handshake, version: u32) {
    let hellos = handshake.hellos().expect("a hello");
    assert_eq!(ja4(hellos), EXAMPLE_JA4.replacen('t', "q", 1).replace("h2", "h3"));
    assert_eq!(hellos.sni.as_deref(), Some("www.example.com"));
    assert_eq!(hellos.alpn.as_deref(), Some("h3"));
    assert_eq!(hellos.transport, Some(Transport::Quic(version)));
}

#[test]
fn quic_versions() {
    let hello = Client { alpn: vec![b"h3".to_vec()], ..Client::default() }.message();
    let frames = crypto_frame(&hello, 0, hello.len());
    // The keys are those that the documents print.
    for keys in [QuicKeys::v1(), QuicKeys::v2(), QuicKeys::draft_29(), QuicKeys::draft_27()] {
        for from_initiator in [true, false] {
            let packet = keys.initial(&CONNECTION_ID, 2, &frames, 1162);
            let handshake = datagrams(&[(from_initiator, packet)]);
            check_quic(&handshake, keys.version);
            let client = handshake.hellos().unwrap().client_is_initiator;
            assert_eq!(client, Some(from_initiator));
        }
    }
    for version in (0xff00_0017u32..=0xff00_0020).chain([0xff00_0021, 0xff00_0022]) {
        let keys = match version {
            0xff00_0021.. => QuicKeys::v1(),
            0xff00_001d.. => QuicKeys::draft_29(),
            _ => QuicKeys::draft_27(),
        };
        let keys = QuicKeys { version, ..keys };
        let packet = keys.initial(&CONNECTION_ID, 0, &frames, 1162);
        check_quic(&datagrams(&[(true, packet)]), version);
    }
}

#[test]
fn quic_shuffled() {
    // As Chrome does it: many CRYPTO frames in any order, PING and padding between them, over two datagrams.
    let hello = quic_client().message();
    let keys = QuicKeys::v1();
    let cuts = [0, 1, 60, 61, 300, 900, 1200, 1500, hello.len()];
    let frames: Vec<Vec<u8>> =
        cuts.windows(2).map(|cut| crypto_frame(&hello, cut[0], cut[1])).collect();
    let pad = vec![0; 7];
    let ping = vec![1];
    let ack = vec![2, 0, 0, 0, 0];
    let first = [&frames[6], &pad, &frames[1], &ping, &frames[3]].map(Vec::as_slice).concat();
    let second =
        [&frames[4], &ping, &frames[0], &pad, &pad, &frames[2]].map(Vec::as_slice).concat();
    let third = [&ack, &frames[7], &frames[5], &frames[1]].map(Vec::as_slice).concat();
    let first = keys.initial(&CONNECTION_ID, 0, &first, 0);
    let second = keys.initial(&CONNECTION_ID, 1, &second, 0);
    let third = keys.initial(&CONNECTION_ID, 2, &third, 0);
    for order in [[&first, &second, &third], [&third, &first, &second], [&second, &third, &first]] {
        let all: Vec<(bool, Vec<u8>)> =
            order.iter().map(|datagram| (true, datagram.to_vec())).collect();
        check_quic(&datagrams(&all), 1);
        // Several packets in one datagram, after one of another type.
        let other =
            [&[0xd0 | 1, 0, 0, 0, 1, 8][..], &CONNECTION_ID, &[0, 0x40, 30], &[5; 30]].concat();
        let one = [&other, order[0], order[1], order[2]].map(Vec::as_slice).concat();
        check_quic(&datagrams(&[(true, one)]), 1);
    }
}

#[test]
fn quic_connection_ids() {
    let hello = quic_client().message();
    let (keys, middle) = (QuicKeys::v1(), 700);
    let first = crypto_frame(&hello, 0, middle);
    let second = crypto_frame(&hello, middle, hello.len());
    // The server has chosen an id; keys stay those of the first.
    let other_id = [1, 2, 3, 4, 5];
    let server = [&[0xc1, 0, 0, 0, 1, 0, 5][..], &other_id, &[0, 0x40, 50], &[8; 50]].concat();
    let a = keys.initial(&CONNECTION_ID, 0, &first, 0);
    let b = keys.initial(&other_id, 1, &second, 0);
    check_quic(&datagrams(&[(true, a.clone()), (false, server.clone()), (true, b)]), 1);
    // After a Retry they are those of its id; the hello begins again.
    let retry = [&[0xf0, 0, 0, 0, 1, 0, 5][..], &other_id, &[6; 40]].concat();
    let keys = QuicKeys::v1_of(&other_id);
    let b = keys.initial(&other_id, 1, &second, 0);
    let c = keys.initial(&other_id, 2, &crypto_frame(&hello, 0, 900), 0);
    check_quic(&datagrams(&[(true, a), (false, retry), (true, b), (true, c)]), 1);
    // What cannot be opened is given up.
    let damaged: Vec<(bool, Vec<u8>)> = (0..20).map(|_| (false, server.clone())).collect();
    let mut handshake = datagrams(&damaged);
    assert_eq!(handshake.packet(false, &server), Progress::Done);
    assert_eq!(handshake.hellos(), None);
}

#[test]
fn quic_before_tls() {
    let values: [(&[u8; 4], &[u8]); 4] =
        [(b"PAD\0", &[b'-'; 500]), (b"SNI\0", b"a.Example"), (b"VER\0", b"Q043"), (b"UAID", b"x")];
    let mut index = Vec::new();
    let mut data = Vec::new();
    for (tag, value) in values {
        data.extend(value);
        index.extend(*tag);
        index.extend((data.len() as u32).to_le_bytes());
    }
    let chlo = [&b"CHLO\x04\0\0\0"[..], &index, &data].concat();
    let header = [&[0x0d][..], &[1; 8], b"Q043", &[1], &[2; 12], &[0xa0, 1, 0, 4]].concat();
    let handshake = datagrams(&[(true, [header, chlo].concat())]);
    let hellos = handshake.hellos().unwrap();
    assert_eq!(hellos.sni.as_deref(), Some("a.example"));
    assert_eq!(hellos.transport, Some(Transport::GoogleQuic(0x5130_3433)));
    assert_eq!(hellos.ja4, None);
}

// Properties.

/// A stream cut at places, in any order, with pieces that overlap and come twice.
fn pieces(octets: &[u8], cuts: &[Index], order: &[Index]) -> Vec<(usize, Vec<u8>)> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len())).collect();
    cuts.extend([0, octets.len()]);
    cuts.sort_unstable();
    let mut pieces: Vec<(usize, Vec<u8>)> = cuts
        .windows(2)
        .map(|cut| {
            // Every other piece reaches into the next one.
            let end = (cut[1] + 5 * (cut[0] % 2)).min(octets.len());
            (cut[0], octets[cut[0]..end].to_vec())
        })
        .filter(|piece| !piece.1.is_empty())
        .collect();
    for (place, other) in order.iter().enumerate() {
        let (place, other) = (place % pieces.len(), other.index(pieces.len()));
        pieces.swap(place, other);
    }
    let again = pieces[0].clone();
    pieces.push(again);
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// However the octets come, the result is the same, and memory is bounded.
    #[test]
    fn any_cuts_in_any_order(
        dialogue in 0..DIALOGUES.len() + 1,
        key_share in 0usize..6000,
        start in any::<u32>(),
        client_cuts in prop::collection::vec(any::<Index>(), 0..14),
        server_cuts in prop::collection::vec(any::<Index>(), 0..14),
        order in prop::collection::vec(any::<Index>(), 0..30),
        turns in prop::collection::vec(any::<bool>(), 60),
    ) {
        let (_, client, server) = DIALOGUES.get(dialogue).copied().unwrap_or_default();
        let hello = Client { key_share, ..Client::default() };
        let client = [client, &hello.record()].concat();
        let server = [server, &server_record()].concat();
        let mut client_pieces = pieces(&client, &client_cuts, &order).into_iter();
        let mut server_pieces = pieces(&server, &server_cuts, &order).into_iter();
        let mut handshake = Handshake::new(TCP);
        handshake.open(true, start);
        handshake.open(false, !start);
        for from_client in turns {
            let (initiator, base, next) = if from_client {
                (true, start, client_pieces.next())
            } else {
                (false, !start, server_pieces.next())
            };
            if let Some((offset, piece)) = next {
                handshake.segment(initiator, base.wrapping_add(1 + offset as u32), &piece);
            }
            prop_assert!(handshake.memory() <= Handshake::MOST_MEMORY);
        }
        for (offset, piece) in client_pieces {
            handshake.segment(true, start.wrapping_add(1 + offset as u32), &piece);
        }
        for (offset, piece) in server_pieces {
            handshake.segment(false, (!start).wrapping_add(1 + offset as u32), &piece);
        }
        let hellos = handshake.hellos().cloned().unwrap_or_default();
        prop_assert_eq!(ja4(&hellos), EXAMPLE_JA4);
        prop_assert_eq!(ja3s(&hellos), SERVER_JA3S);
        prop_assert_eq!(hellos, converse(&client, &server));
    }

    /// CRYPTO frames cut and ordered in any way, several to a packet.
    #[test]
    fn any_crypto_frames(
        key_share in 0usize..3000,
        cuts in prop::collection::vec(any::<Index>(), 0..14),
        order in prop::collection::vec(any::<Index>(), 0..20),
        per_packet in 1usize..5,
        coalesced in any::<bool>(),
    ) {
        let hello = Client { key_share, ..quic_client() }.message();
        let keys = QuicKeys::v1();
        let frames: Vec<Vec<u8>> = pieces(&hello, &cuts, &order)
            .into_iter()
            .map(|(offset, piece)| crypto_frame(&hello, offset, offset + piece.len()))
            .collect();
        let packets: Vec<Vec<u8>> = frames
            .chunks(per_packet)
            .enumerate()
            .map(|(number, frames)| keys.initial(&CONNECTION_ID, number as u16, &frames.concat(), 0))
            .collect();
        let datagrams_of: Vec<(bool, Vec<u8>)> = if coalesced {
            packets.chunks(4).map(|packets| (true, packets.concat())).collect()
        } else {
            packets.into_iter().map(|packet| (true, packet)).collect()
        };
        check_quic(&datagrams(&datagrams_of), 1);
    }

    /// Any octets, or changed ones: no panic, bounded memory, an end.
    #[test]
    fn anything(
        tcp in any::<bool>(),
        seed in 0usize..8,
        packets in prop::collection::vec(
            (any::<bool>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..80), any::<Index>(), any::<u8>()),
            0..80,
        ),
    ) {
        let hello = Client { key_share: 2000, ..Client::default() };
        let body = hello.datagram_body();
        let keys = QuicKeys::v1();
        let seeds: [Vec<u8>; 8] = [
            Vec::new(),
            hello.record(),
            server_record(),
            dtls_fragment(1, 0, &body, 0, body.len()),
            dtls_fragment(1, 0, &body, 100, 900),
            keys.initial(&CONNECTION_ID, 0, &crypto_frame(&hello.message(), 0, 800), 1162),
            DIALOGUES[7].1.to_vec(),
            message(1, b"\0"),
        ];
        let mut handshake = Handshake::new(if tcp { TCP } else { UDP });
        for (number, (initiator, sequence, random, place, octet)) in packets.iter().enumerate() {
            let mut payload = seeds[seed].clone();
            if payload.is_empty() || number % 3 == 2 {
                payload.clone_from(random);
            } else {
                let place = place.index(payload.len());
                payload[place] = *octet;
            }
            // Near one another, or anywhere.
            let sequence = if number % 4 == 0 { *sequence } else { *sequence % 20_000 };
            if number % 7 == 6 {
                handshake.open(*initiator, sequence);
            }
            if number % 5 == 4 {
                handshake.packet(*initiator, &payload);
            } else if tcp {
                handshake.segment(*initiator, sequence, &payload);
            } else {
                handshake.packet(*initiator, &payload);
            }
            prop_assert!(handshake.memory() <= Handshake::MOST_MEMORY, "{}", handshake.memory());
        }
        for _ in 0..200 {
            handshake.packet(true, b"end");
            handshake.packet(false, b"end");
        }
        prop_assert_eq!(handshake.packet(true, b"end"), Progress::Done);
    }
}
