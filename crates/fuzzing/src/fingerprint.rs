//! Hellos, DNS messages and TCP options.

use std::net::IpAddr;

use rockfish_fingerprint::dns::{Message, NameCache, Stream};
use rockfish_fingerprint::{Handshake, Hellos, Progress, Syn, TcpFingerprint, TcpFormat};

use crate::Input;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Packets of one flow. The first octet says the protocol, and whether the rest is packets as they are or one direction of
/// TCP, which must give the same however it is cut.
pub fn handshake(data: &[u8]) {
    let mut input = Input(data);
    let options = input.byte();
    if options & 1 != 0 {
        return cut_stream(&mut input);
    }
    let protocol = if options & 2 == 0 { TCP } else { UDP };
    let mut handshake = Handshake::new(protocol);
    if options & 4 != 0 {
        handshake.open(true, 0);
        handshake.open(false, 0);
    }
    let mut finished: Option<Option<Hellos>> = None;
    while !input.is_empty() {
        let (flags, sequence) = (input.byte(), input.number(2) as u32);
        let length = input.number(2) as usize % 2048;
        let (initiator, payload) = (flags & 1 != 0, input.take(length));
        let progress = if flags & 2 == 0 && protocol == TCP {
            let sequence = if flags & 4 == 0 { sequence } else { sequence.wrapping_neg() };
            handshake.segment(initiator, sequence, payload)
        } else {
            handshake.packet(initiator, payload)
        };
        assert!(handshake.memory() <= Handshake::MOST_MEMORY, "{}", handshake.memory());
        if let Some(hellos) = &finished {
            assert_eq!(progress, Progress::Done, "what was done goes on");
            assert_eq!(&handshake.hellos().cloned(), hellos, "the result changes after the end");
        } else if progress == Progress::Done {
            finished = Some(handshake.hellos().cloned());
        }
    }
    handshake.hellos().iter().for_each(|hellos| check(hellos));
}

fn check(hellos: &Hellos) {
    for text in [&hellos.sni, &hellos.alpn, &hellos.server_alpn, &hellos.http_host] {
        for octet in text.iter().flat_map(|text| text.bytes()) {
            assert!(matches!(octet, 0x21..=0x7e), "text that is not printable");
        }
    }
    if let Some(ja4) = hellos.ja4 {
        assert_eq!(ja4.as_str().split('_').map(str::len).collect::<Vec<_>>(), [10, 12, 12]);
    }
}

/// One direction: whole, in pieces in order, and in pieces from the last to the first.
fn cut_stream(input: &mut Input<'_>) {
    // Fewer pieces than are looked at, less than is held.
    let cuts: Vec<usize> = (0..input.byte() % 40).map(|_| input.number(2) as usize).collect();
    let octets = input.take(8000);
    if octets.is_empty() {
        return;
    }
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % octets.len()).collect();
    ends.extend([0, octets.len()]);
    ends.sort_unstable();
    let give = |pieces: &mut dyn Iterator<Item = &[usize]>| {
        let mut handshake = Handshake::new(TCP);
        handshake.open(true, u32::MAX - 9);
        for ends in pieces {
            let sequence = (u32::MAX - 8).wrapping_add(ends[0] as u32);
            handshake.segment(true, sequence, &octets[ends[0]..ends[1]]);
            assert!(handshake.memory() <= Handshake::MOST_MEMORY);
        }
        handshake.into_hellos()
    };
    let whole = give(&mut [[0, octets.len()].as_slice()].into_iter());
    assert_eq!(give(&mut ends.windows(2)), whole, "in order");
    assert_eq!(give(&mut ends.windows(2).rev()), whole, "backwards");
    whole.iter().for_each(|hellos| check(hellos));
}

/// A DNS message, and the same octets as one direction of TCP, cut by the first octets.
pub fn dns(data: &[u8]) {
    let mut input = Input(data);
    let cuts = [input.byte(), input.byte(), input.byte()];
    let octets = input.0;
    if let Ok(message) = Message::parse(octets) {
        let announced = usize::from(message.header.answers)
            + usize::from(message.header.authorities)
            + usize::from(message.header.additionals);
        assert!(message.records().count() <= announced);
        for record in message.records() {
            assert!(record.data().len() <= octets.len());
            assert!(record.name.to_string().is_ascii() && record.text().is_ascii());
            assert!(record.name.matches(&record.name));
        }
        let mut cache = NameCache::new(2);
        cache.learn(&message, 0);
        cache.insert(IpAddr::from([10, 0, 0, 1]), "a.example".into(), u32::MAX, i64::MAX);
        assert!(cache.len() <= 2);
    }
    let read = |ends: &[usize]| {
        let (mut stream, mut messages) = (Stream::default(), Vec::new());
        stream.open(0);
        for ends in ends.windows(2) {
            let piece = &octets[ends[0]..ends[1]];
            stream.segment(1 + ends[0] as u32, piece, |message| messages.push(message.to_vec()));
        }
        messages
    };
    if octets.len() < 16_000 {
        let mut ends: Vec<usize> =
            cuts.iter().map(|cut| usize::from(*cut) % (octets.len() + 1)).collect();
        ends.extend([0, octets.len()]);
        ends.sort_unstable();
        assert_eq!(read(&ends), read(&[0, octets.len()]), "messages depend on the segments");
    }
}

/// A SYN: TTL, flags, window, and the rest options.
pub fn tcp_options(data: &[u8]) {
    let mut input = Input(data);
    let (ttl, flags, window) = (input.byte(), input.number(2) as u16, input.number(2) as u16);
    let octets = input.0;
    let syn = Syn { flags, ttl, window, options: octets };
    for format in [TcpFormat::Draft04, TcpFormat::Ndpi5] {
        let Some(fingerprint) = TcpFingerprint::of_syn(&syn, format) else {
            assert!(!syn.qualifies());
            continue;
        };
        let text = fingerprint.to_string();
        let (bare, os) = text.split_once('/').unwrap_or_default();
        assert_eq!(os, fingerprint.os().as_str());
        let fields: Vec<&str> = bare.split('_').collect();
        let [flags, ttl, window, hash] = fields[..] else { panic!("{text} has not four fields") };
        assert!(flags.parse().is_ok_and(|flags: u16| flags < 4096));
        assert!(ttl.parse().is_ok_and(|ttl: u8| [32, 64, 128, 192, 255].contains(&ttl)));
        assert!(window.parse::<u16>().is_ok());
        assert!(hash.len() == 12 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()));
    }
    // The same from a header, if the options fit one.
    if octets.len() <= 40 && octets.len().is_multiple_of(4) {
        let words = 5 + octets.len() as u16 / 4;
        let mut header = vec![0; 12];
        header.extend((words << 12 | flags & 0xfff).to_be_bytes());
        header.extend(window.to_be_bytes());
        header.extend([0; 4]);
        header.extend(octets);
        let expect = Syn { flags: flags & 0xfff, ..syn };
        assert_eq!(Syn::from_header(&header, ttl), Some(expect));
    }
    let _ = Syn::from_header(data, 64);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets of each kind, with what a target reads before them.
    #[test]
    fn changed_inputs() {
        // SplitMix64.
        let mut state = 17u64;
        let mut random = move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        };
        let hello = [
            &[22, 3, 1, 0, 62, 1, 0, 0, 58, 3, 3][..],
            &[7; 32],
            &[0, 0, 2, 0x13, 1, 1, 0, 0, 15, 0, 0, 0, 11, 0, 9, 0, 0, 6],
            b"a.test\0\0",
        ]
        .concat();
        let streams: [&[u8]; 10] = [
            &hello,
            b"EHLO a\r\nSTARTTLS\r\n",
            b"* OK\r\na OK\r\n",
            b"<a><starttls/> \n",
            b"\x05\x02\0\x02\x01\x01u\x01p\x05\x01\0\x03\x01h\x01\xbb",
            b"\x05\x02\x01\0\x05\0\0\x01\x01\x02\x03\x04\x01\xbb",
            b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            b"HTTP/1.1 407 a\r\nContent-Length: 2\r\n\r\nxyHTTP/1.1 200 b\r\n\r\n",
            b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037",
        ];
        let message = b"\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0\x01a\0\0\x01\0\x01\xc0\x0c\0\x05\0\x01\0\0\0\x09\0\x02\xc0\x0c\xc0\x0c\0\x01\0\x01\0\0\0\x09\0\x04\x0a\0\0\x01";
        for round in 0..6000usize {
            let stream = [streams[round % 10], &hello].concat();
            let mut before: Vec<u8> = vec![random() as u8 | u8::from(round % 3 > 0)];
            let cuts = random() as u8 % 12;
            before.push(cuts);
            before.extend((0..2 * cuts).map(|_| random() as u8));
            for (before, octets, target) in [
                (&before[..], &stream[..], handshake as fn(&[u8])),
                (&before[..3.min(before.len())], message, dns),
                (&[64, 0, 2], &b"\xff\xff\x02\x04\x05\xb4\x04\x02\x08\x0a\0\0\0\0\0\0\0\0\x01\x03\x03\x07\x22\x02\x01\x01"[..], tcp_options),
            ] {
                let mut data = [before, octets].concat();
                for _ in 0..random() % 4 {
                    let place = before.len() + random() as usize % octets.len();
                    data[place] = random() as u8;
                }
                target(&data);
            }
        }
    }
}
