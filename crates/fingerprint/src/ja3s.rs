//! JA3S, the fingerprint of a ServerHello: MD5 of `version,cipher,extension-extension-…`, all decimal.
//!
//! Source: the JA3 project's description (BSD-3-Clause). The version is the one in the hello's own field; extensions stand in
//! the order in which they came, and none is left out.

use std::fmt;

use md5::{Digest, Md5};

use crate::hello::ServerHello;
use crate::text::hex;

/// JA3S of a ServerHello: the MD5 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ja3s(pub [u8; 16]);

impl Ja3s {
    pub(crate) fn of(hello: &ServerHello<'_>) -> Self {
        let mut text = Vec::with_capacity(64);
        write_decimal(hello.version, &mut text);
        text.push(b',');
        write_decimal(hello.cipher, &mut text);
        text.push(b',');
        for (place, (kind, _)) in hello.extensions().enumerate() {
            if place > 0 {
                text.push(b'-');
            }
            write_decimal(kind, &mut text);
        }
        Self(Md5::digest(&text).into())
    }

    /// As 32 hexadecimal digits.
    pub fn hex(&self) -> [u8; 32] {
        let mut text = [0; 32];
        for (pair, octet) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&hex(octet));
        }
        text
    }
}

fn write_decimal(number: u16, into: &mut Vec<u8>) {
    let mut digits = [0; 5];
    let mut place = digits.len();
    let mut rest = number;
    loop {
        place -= 1;
        digits[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    into.extend_from_slice(&digits[place..]);
}

impl fmt::Display for Ja3s {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Debug for Ja3s {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
