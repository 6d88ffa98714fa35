//! JA4, the fingerprint of a ClientHello.
//!
//! Source: FoxIO's specification of JA4, `technical_details/JA4.md` (BSD-3-Clause). Where tools and text differ, the text
//! holds: an ALPN value that does not begin and end with an alphanumeric octet is told by its hexadecimal digits, and a hash
//! of an empty list is zeros, also when it is empty only because SNI and ALPN are left out of it.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::hello::{ClientHello, Wire, is_grease};
use crate::text::hex;

/// JA4 of a ClientHello: 36 characters of ASCII.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ja4([u8; 36]);

impl Ja4 {
    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn of(hello: &ClientHello<'_>, wire: Wire) -> Self {
        let mut ciphers: Vec<u16> = hello.ciphers().filter(|cipher| !is_grease(*cipher)).collect();
        let mut extensions: Vec<u16> =
            hello.extension_types().filter(|kind| !is_grease(*kind)).collect();
        let mut text = [b'_'; 36];
        text[0] = match wire {
            Wire::Tcp => b't',
            Wire::Datagram => b'd',
            Wire::Quic => b'q',
        };
        text[1..3].copy_from_slice(version(hello.highest_version(wire)));
        text[3] = if hello.has_sni { b'd' } else { b'i' };
        text[4..6].copy_from_slice(&count(ciphers.len()));
        text[6..8].copy_from_slice(&count(extensions.len()));
        text[8..10].copy_from_slice(&alpn(hello.first_alpn()));

        let mut list = Vec::with_capacity(5 * (ciphers.len().max(extensions.len()) + 24));
        ciphers.sort_unstable();
        write_list(ciphers.iter().copied(), &mut list);
        text[11..23].copy_from_slice(&short_hash(&list));

        extensions.retain(|kind| !matches!(kind, 0x0000 | 0x0010));
        extensions.sort_unstable();
        list.clear();
        write_list(extensions.iter().copied(), &mut list);
        if !list.is_empty() {
            let extensions = list.len();
            list.push(b'_');
            write_list(hello.signature_algorithms().filter(|kind| !is_grease(*kind)), &mut list);
            if list.len() == extensions + 1 {
                list.pop();
            }
        }
        text[24..36].copy_from_slice(&short_hash(&list));
        Self(text)
    }
}

impl fmt::Display for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn version(version: u16) -> &'static [u8; 2] {
    match version {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 => b"s2",
        0xfeff => b"d1",
        0xfefd => b"d2",
        0xfefc => b"d3",
        _ => b"00",
    }
}

fn count(number: usize) -> [u8; 2] {
    let number = number.min(99) as u8;
    [b'0' + number / 10, b'0' + number % 10]
}

/// First and last character of the first ALPN value.
fn alpn(value: &[u8]) -> [u8; 2] {
    match (value.first(), value.last()) {
        (Some(first), Some(last))
            if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() =>
        {
            [*first, *last]
        }
        (Some(first), Some(last)) => [hex(*first)[0], hex(*last)[1]],
        _ => *b"00",
    }
}

fn write_list(numbers: impl Iterator<Item = u16>, into: &mut Vec<u8>) {
    for (place, number) in numbers.enumerate() {
        if place > 0 {
            into.push(b',');
        }
        let [high, low] = number.to_be_bytes();
        into.extend(hex(high));
        into.extend(hex(low));
    }
}

/// The first six octets of SHA-256, or zeros for an empty list.
fn short_hash(list: &[u8]) -> [u8; 12] {
    let mut text = [b'0'; 12];
    if !list.is_empty() {
        let digest = Sha256::digest(list);
        for (pair, octet) in text.chunks_exact_mut(2).zip(digest) {
            pair.copy_from_slice(&hex(octet));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpn_characters() {
        // The cases of the specification.
        for (value, expect) in [
            (&b"h2"[..], b"h2"),
            (b"http/1.1", b"h1"),
            (b"", b"00"),
            (b"x", b"xx"),
            (&[0xab], b"ab"),
            (&[0xab, 0xcd], b"ad"),
            (&[0x30, 0xab], b"3b"),
            (&[0x30, 0x31, 0xab, 0xcd], b"3d"),
            (&[0x30, 0xab, 0xcd, 0x31], b"01"),
        ] {
            assert_eq!(&alpn(value), expect, "{value:?}");
        }
    }

    #[test]
    fn counts() {
        assert_eq!(
            [0, 6, 15, 99, 100, 30_000].map(count),
            [*b"00", *b"06", *b"15", *b"99", *b"99", *b"99"]
        );
    }

    #[test]
    fn hashes() {
        // Lists and hashes of the specification.
        let mut list = Vec::new();
        let ciphers = [
            0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
            0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let mut sorted = ciphers;
        sorted.sort_unstable();
        write_list(sorted.into_iter(), &mut list);
        assert_eq!(&short_hash(&list), b"8daaf6152771");
        let text = "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_0403,0804,0401,0503,0805,0501,0806,0601";
        assert_eq!(&short_hash(text.as_bytes()), b"e5627efa2ab1");
        assert_eq!(&short_hash(text.split('_').next().unwrap().as_bytes()), b"6d807ffa2a79");
        assert_eq!(&short_hash(b""), b"000000000000");
    }
}
