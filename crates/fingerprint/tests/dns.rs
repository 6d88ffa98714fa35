//! DNS messages made by hand, their text, messages in streams, and names by address.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use rockfish_fingerprint::dns::{self, DnsError, Message, NameCache, Section, Stream, types};

/// A message under construction.
#[derive(Clone, Default)]
struct Builder {
    flags: u16,
    counts: [u16; 4],
    body: Vec<u8>,
}

fn name(text: &str) -> Vec<u8> {
    let mut octets: Vec<u8> = text
        .split('.')
        .filter(|label| !label.is_empty())
        .flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat())
        .collect();
    octets.push(0);
    octets
}

/// A pointer to the first name after the header.
const FIRST: [u8; 2] = [0xc0, 12];

impl Builder {
    fn response(question: &str, kind: u16) -> Self {
        let mut builder = Self { flags: 0x8180, ..Self::default() };
        builder.question(question, kind);
        builder
    }

    fn question(&mut self, text: &str, kind: u16) {
        self.counts[0] += 1;
        self.body.extend(name(text));
        self.body.extend(kind.to_be_bytes());
        self.body.extend([0, 1]);
    }

    fn record(mut self, section: usize, owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Self {
        self.counts[section] += 1;
        self.body.extend(owner);
        self.body.extend(kind.to_be_bytes());
        self.body.extend([0, 1]);
        self.body.extend(ttl.to_be_bytes());
        self.body.extend((data.len() as u16).to_be_bytes());
        self.body.extend(data);
        self
    }

    fn answer(self, owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Self {
        self.record(1, owner, kind, ttl, data)
    }

    fn build(&self) -> Vec<u8> {
        let mut octets = vec![0x12, 0x34];
        octets.extend(self.flags.to_be_bytes());
        octets.extend(self.counts.iter().flat_map(|count| count.to_be_bytes()));
        octets.extend(&self.body);
        octets
    }
}

#[test]
fn a_response() {
    let octets = Builder::response("www.Example.com", types::A)
        .answer(&FIRST, types::CNAME, 300, &[3, b'c', b'd', b'n', 0xc0, 16])
        .answer(&[0xc0, 45], types::A, 20, &[192, 0, 2, 1])
        .answer(&[0xc0, 45], types::A, 25, &[192, 0, 2, 2])
        .record(2, &[0xc0, 16], types::NS, 5000, &name("ns.example.com"))
        .record(3, &[0], types::OPT, 0x0100_0000, &[])
        .build();
    let message = Message::parse(&octets).unwrap();
    let header = message.header;
    assert_eq!((header.id, header.is_response(), header.opcode()), (0x1234, true, 0));
    assert!(header.recursion_desired() && header.recursion_available());
    assert!(!header.truncated() && !header.authoritative());
    assert!(!header.authentic_data() && !header.checking_disabled());
    let question = message.question.unwrap();
    assert_eq!(question.name.to_string(), "www.Example.com");
    assert_eq!((question.kind, question.class), (types::A, 1));
    assert_eq!(message.size(), octets.len());
    // With EDNS the code has more digits.
    assert_eq!(message.rcode(), 16);
    let records: Vec<_> = message
        .records()
        .map(|record| (record.section, record.name.to_string(), record.ttl, record.text()))
        .collect();
    let text = |section, name: &str, ttl, text: &str| (section, name.into(), ttl, text.into());
    assert_eq!(
        records,
        [
            text(Section::Answer, "www.Example.com", 300, "cdn.Example.com"),
            text(Section::Answer, "cdn.Example.com", 20, "192.0.2.1"),
            text(Section::Answer, "cdn.Example.com", 25, "192.0.2.2"),
            text(Section::Authority, "Example.com", 5000, "ns.example.com"),
            text(Section::Additional, ".", 0x0100_0000, "\\# 0"),
        ]
    );
    assert_eq!(message.answers().count(), 3);
    let resolved: Vec<_> = message
        .resolved()
        .map(|(name, address, ttl)| (name.to_string(), address.to_string(), ttl))
        .collect();
    assert_eq!(
        resolved,
        [
            ("www.Example.com".into(), "192.0.2.1".into(), 20),
            ("www.Example.com".into(), "192.0.2.2".into(), 25)
        ]
    );
}

#[test]
fn record_data() {
    let svcb = |parameters: &[(u16, &[u8])]| {
        let mut data = vec![0, 1, 0];
        for (key, value) in parameters {
            data.extend(key.to_be_bytes());
            data.extend((value.len() as u16).to_be_bytes());
            data.extend(*value);
        }
        data
    };
    let cases: Vec<(u16, Vec<u8>, &str)> = vec![
        (types::A, vec![10, 0, 0, 1], "10.0.0.1"),
        (types::A, vec![10, 0, 0], "\\# 3 0a0000"),
        (types::AAAA, [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1]].concat(), "2001:db8::1"),
        (types::CNAME, FIRST.to_vec(), "a.example"),
        (types::CNAME, vec![0xc0, 12, 7], "\\# 3 c00c07"),
        (types::CNAME, vec![0], "."),
        (types::PTR, vec![1, b'b', 0xc0, 14], "b.example"),
        (types::NS, [&[1, b'.', 2, b'\\', 0xff][..], &FIRST].concat(), "\\..\\\\\\255.a.example"),
        (types::DNAME, name("x_y-z.example"), "x_y-z.example"),
        (types::MX, [&[0, 10][..], &name("mail.example")].concat(), "10 mail.example"),
        (types::SRV, [&[0, 1, 0, 2, 0x14, 0xe9][..], &FIRST].concat(), "1 2 5353 a.example"),
        (
            types::SOA,
            [
                &FIRST[..],
                &name("h.example"),
                &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5],
            ]
            .concat(),
            "a.example h.example 1 2 3 4 5",
        ),
        (types::TXT, b"\x05v=1 a\x04\"b\\\xff".to_vec(), "\"v=1 a\" \"\\\"b\\\\\\255\""),
        (types::TXT, b"\x00".to_vec(), "\"\""),
        (types::TXT, b"\x05ab".to_vec(), "\\# 3 056162"),
        (
            types::NAPTR,
            [&[0, 1, 0, 2][..], b"\x01u\x07E2U+sip\x03!a!", &[0]].concat(),
            "1 2 \"u\" \"E2U+sip\" \"!a!\" .",
        ),
        (types::CAA, b"\x80\x05issueca.example".to_vec(), "128 issue \"ca.example\""),
        (
            types::HTTPS,
            svcb(&[
                (1, b"\x02h3\x03h,2"),
                (3, &[1, 0xbb]),
                (4, &[192, 0, 2, 1, 192, 0, 2, 2]),
                (5, &[0xfe, b'"']),
                (6, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
                (9, b""),
            ]),
            "1 . alpn=h3,h\\,2 port=443 ipv4hint=192.0.2.1,192.0.2.2 ech=\"\\254\\\"\" ipv6hint=::1 key9",
        ),
        (types::SVCB, svcb(&[(0, &[0, 1, 0, 200])]), "1 . mandatory=alpn,key200"),
        (types::SVCB, svcb(&[(3, &[1])]), "\\# 8 0001000003000101"),
        (999, vec![1, 0xab], "\\# 2 01ab"),
        (999, vec![], "\\# 0"),
    ];
    for (kind, data, expect) in cases {
        let octets = Builder::response("a.example", kind).answer(&FIRST, kind, 1, &data).build();
        let message = Message::parse(&octets).unwrap();
        let record = message.answers().next().unwrap();
        assert_eq!(record.text(), expect, "type {kind}");
        assert_eq!(record.data(), data);
        let target = record.target().map(|name| name.to_string());
        let names = [types::CNAME, types::DNAME, types::NS, types::PTR].contains(&kind);
        assert_eq!(
            target.as_deref(),
            Some(expect).filter(|text| names && !text.starts_with("\\#"))
        );
        assert_eq!(record.address().is_some(), expect.parse::<IpAddr>().is_ok());
    }
}

#[test]
fn names_that_lead_nowhere() {
    let header = [0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0];
    let long: Vec<u8> = (0..4).flat_map(|_| [&[63][..], &[b'a'; 63]].concat()).collect();
    let most: Vec<u8> = [&long[..64 * 3], &[61], &[b'a'; 61], &[0, 0, 1, 0, 1]].concat();
    for (body, whole) in [
        // To itself, forwards, and beyond the end.
        (vec![0xc0, 12, 0, 1, 0, 1], false),
        (vec![0xc0, 14, 0, 0, 1, 0, 1], false),
        (vec![0xff, 0xff, 0, 1, 0, 1], false),
        // A loop of two.
        (vec![1, b'a', 0xc0, 16, 1, b'b', 0xc0, 12, 0, 1, 0, 1], false),
        // Reserved kinds of labels; cut off; too long.
        (vec![0x40, 0, 0, 1, 0, 1], false),
        (vec![3, b'a', b'b'], false),
        (vec![1, b'a', 0, 0, 1, 0], false),
        ([&long[..], &[0, 0, 1, 0, 1]].concat(), false),
        (most, true),
        (vec![0, 0, 1, 0, 1], true),
    ] {
        let octets = [&header[..], &body].concat();
        let parsed = Message::parse(&octets).map(|message| message.question.is_some());
        assert_eq!(parsed, if whole { Ok(true) } else { Err(DnsError::Question { offset: 12 }) });
    }
    for length in 0..12 {
        let error = Message::parse(&header[..length]).unwrap_err();
        assert_eq!(error, DnsError::Short { found: length });
        assert!(error.to_string().contains("expected a header of 12"));
    }
    // A chain of pointers, in the data of a record, is followed as far as a name could have labels.
    for (pointers, records) in [(126, 2), (127, 1)] {
        // Behind header, question and what stands before the data.
        let place = |number: u16| (0xc000 | (28 + 2 * number)).to_be_bytes();
        let chain: Vec<u8> = (0..pointers)
            .flat_map(|number| if number == 0 { FIRST } else { place(number - 1) })
            .collect();
        let octets = Builder::response("", types::A)
            .answer(&[0], types::TXT, 1, &chain)
            .answer(&place(pointers - 1), types::A, 1, &[10, 0, 0, 1])
            .build();
        assert_eq!(Message::parse(&octets).unwrap().records().count(), records, "{pointers}");
    }
    // Records are read up to the one that is damaged.
    let mut octets = Builder::response("a.example", types::A)
        .answer(&FIRST, types::A, 1, &[10, 0, 0, 1])
        .answer(&FIRST, types::A, 1, &[10, 0, 0, 2])
        .build();
    octets.pop();
    assert_eq!(Message::parse(&octets).unwrap().records().count(), 1);
}

#[test]
fn names_of_numbers() {
    assert_eq!(dns::type_name(types::HTTPS), Some("HTTPS"));
    assert_eq!(dns::type_name(60_000), None);
    assert_eq!(dns::class_name(1), Some("IN"));
    assert_eq!(dns::rcode_name(3), Some("NXDOMAIN"));
    assert_eq!(dns::opcode_name(4), Some("NOTIFY"));
}

const MINUTE: i64 = 60_000_000;

#[test]
fn names_by_address() {
    let mut cache = NameCache::new(100);
    let octets = Builder::response("WWW.example", types::A)
        .answer(&FIRST, types::CNAME, 300, &name("edge.example"))
        .answer(&name("Edge.Example"), types::A, 3600, &[192, 0, 2, 1])
        .answer(&name("else.example"), types::A, 3600, &[192, 0, 2, 9])
        .build();
    cache.learn(&Message::parse(&octets).unwrap(), 0);
    let get = |cache: &mut NameCache, address: &str, time| {
        cache.get(address.parse().unwrap(), time).map(|name| name.to_string())
    };
    // The name asked for, for as long as the shortest of the way holds.
    assert_eq!(get(&mut cache, "192.0.2.1", 5 * MINUTE).as_deref(), Some("www.example"));
    assert_eq!(get(&mut cache, "192.0.2.1", 5 * MINUTE + 1), None);
    assert_eq!(get(&mut cache, "192.0.2.9", 0), None, "nobody asked for it");
    // Neither questions nor errors teach anything.
    for flags in [0x0100, 0x8183] {
        let mut builder = Builder::response("b.example", types::AAAA);
        builder.flags = flags;
        let octets = builder.answer(&FIRST, types::AAAA, 9, &[1; 16]).build();
        cache.learn(&Message::parse(&octets).unwrap(), 0);
    }
    assert_eq!(cache.len(), 1);
    let octets = Builder::response("b.example", types::AAAA)
        .answer(&FIRST, types::AAAA, 0, &[1; 16])
        .build();
    cache.learn(&Message::parse(&octets).unwrap(), 0);
    let address = "101:101:101:101:101:101:101:101";
    // At least a minute.
    assert_eq!(get(&mut cache, address, MINUTE).as_deref(), Some("b.example"));
    assert_eq!(get(&mut cache, address, MINUTE + 1), None);
    // A later answer takes the place of an earlier one.
    cache.insert(address.parse().unwrap(), "c.example".into(), 600, MINUTE);
    assert_eq!(get(&mut cache, address, MINUTE + 1).as_deref(), Some("c.example"));
    assert_eq!(cache.len(), 2);
}

#[test]
fn a_full_cache() {
    let mut cache = NameCache::new(4);
    let address = |number: u8| IpAddr::from([10, 0, 0, number]);
    let name: Arc<str> = "a.example".into();
    for number in 0..4 {
        cache.insert(address(number), Arc::clone(&name), 3600, 0);
    }
    // What was looked up stays, what was not goes, and so does what has expired.
    assert!(cache.get(address(0), 1).is_some() && cache.get(address(2), 1).is_some());
    cache.insert(address(4), Arc::clone(&name), 60, 1);
    let there = |cache: &mut NameCache, time| -> Vec<u8> {
        (0..8).filter(|number| cache.get(address(*number), time).is_some()).collect()
    };
    assert_eq!(there(&mut cache, 2), [0, 2, 3, 4]);
    cache.insert(address(5), Arc::clone(&name), 3600, 2 * MINUTE);
    assert_eq!(cache.len(), 4);
    assert!(there(&mut cache, 2 * MINUTE).contains(&5));
    assert!(NameCache::new(0).is_empty());
}

#[test]
fn a_gap_in_a_stream() {
    let mut stream = Stream::default();
    stream.open(0);
    let mut count = 0;
    stream.segment(20_000, b"far away", |_| count += 1);
    stream.segment(1, b"\0\x01a", |_| count += 1);
    assert_eq!(count, 0, "a direction with a gap like that is given up");
    // A message longer than what is kept.
    let mut stream = Stream::default();
    let long = [&[0xff, 0xff][..], &[0; 9000]].concat();
    for part in 0..20u32 {
        stream.segment(part * 9002, &long, |_| count += 1);
        assert!(stream.memory() < 20_000);
    }
    assert_eq!(count, 0);
}

proptest! {
    /// A stream cut in any way gives the messages that were put in.
    #[test]
    fn streams(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        start in any::<u32>(),
    ) {
        let whole: Vec<u8> = messages
            .iter()
            .flat_map(|message| [&(message.len() as u16).to_be_bytes()[..], message].concat())
            .collect();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
        ends.extend([0, whole.len()]);
        ends.sort_unstable();
        let mut pieces: Vec<_> = ends.windows(2).map(|cut| cut[0]..cut[1]).collect();
        for (place, other) in order.iter().enumerate() {
            let other = other.index(pieces.len());
            let place = place % pieces.len();
            pieces.swap(place, other);
        }
        let mut stream = Stream::default();
        stream.open(start);
        let mut read = Vec::new();
        for piece in pieces {
            let sequence = start.wrapping_add(1 + piece.start as u32);
            stream.segment(sequence, &whole[piece], |message| read.push(message.to_vec()));
        }
        prop_assert_eq!(read, messages);
    }

    /// Any octets, also those that are nearly a message.
    #[test]
    fn anything(
        random in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let made = Builder::response("www.example.com", types::HTTPS)
            .answer(&FIRST, types::SOA, 300, &[0xc0, 16, 0xc0, 12, 0, 0])
            .answer(&[0xc0, 16], types::HTTPS, 20, &[0, 1, 0xc0, 12, 0, 1, 0, 3, 2, b'h', b'3'])
            .answer(&[0xc0, 16], types::TXT, 20, b"\x03abc\x01d")
            .record(3, &[0], types::OPT, 1 << 31, &[0, 3])
            .build();
        for mut octets in [random, made] {
            for (place, octet) in &changes {
                if !octets.is_empty() {
                    let place = place.index(octets.len());
                    octets[place] = *octet;
                }
            }
            octets.truncate(cut.index(octets.len() + 1).max(octets.len() / 2));
            let Ok(message) = Message::parse(&octets) else { continue };
            let _ = message.rcode();
            let mut cache = NameCache::new(2);
            cache.learn(&message, i64::MAX);
            for record in message.records() {
                prop_assert!(record.name.to_string().len() <= 4 * 255);
                prop_assert!(!record.text().is_empty());
                prop_assert!(record.data().len() <= octets.len());
            }
        }
    }
}
