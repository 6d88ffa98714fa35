//! The first handshake message of one direction of TLS over TCP (RFC 8446, section 5.1).

use std::borrow::Cow;

use crate::assembler::Assembler;
use crate::bytes::Reader;
use crate::hello::{ClientHello, Hellos, ServerHello, Transport, Wire};

pub(crate) const CLIENT_HELLO: u8 = 1;
pub(crate) const SERVER_HELLO: u8 = 2;
const HANDSHAKE: u8 = 22;
/// Type, version and length.
const RECORD_HEADER: usize = 5;
/// Octets that a record has at most (RFC 5246, section 6.2.1, and what encryption adds in section 6.2.3).
const MOST_RECORD: usize = (1 << 14) + 2048;
/// Type and length.
pub(crate) const MESSAGE_HEADER: usize = 4;

/// What the octets at the start of a direction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Not decided before so many octets are there.
    Need(usize),
    /// A ClientHello; it is in the result.
    Client,
    /// A ServerHello; it is in the result.
    Server,
    /// Something else.
    Nothing,
}

/// Looks for a hello in the octets of one direction from its first record on.
pub(crate) fn look(data: &[u8], hellos: &mut Option<Box<Hellos>>) -> Found {
    match first_message(data) {
        Ok(message) => take_message(&message, hellos),
        Err(found) => found,
    }
}

/// Whether octets may be the start of a TLS handshake, as far as they go.
pub(crate) fn may_start(data: &[u8]) -> bool {
    match data {
        [] => true,
        [HANDSHAKE] => true,
        [HANDSHAKE, 3] => true,
        [HANDSHAKE, 3, minor, ..] => *minor <= 4,
        _ => false,
    }
}

/// What a record is that a server may send before its hello: a warning, for one that it does not know the name.
pub(crate) enum Warning {
    /// So many octets.
    Whole(usize),
    /// Not decided before so many octets are there.
    Need(usize),
    /// Something else.
    Nothing,
}

pub(crate) fn warning(data: &[u8]) -> Warning {
    const ALERT: u8 = 21;
    match data {
        [ALERT, 3, 0..=4, 0, 2, 1, _, ..] => Warning::Whole(RECORD_HEADER + 2),
        [ALERT]
        | [ALERT, 3]
        | [ALERT, 3, 0..=4]
        | [ALERT, 3, 0..=4, 0]
        | [ALERT, 3, 0..=4, 0, 2]
        | [ALERT, 3, 0..=4, 0, 2, 1] => Warning::Need(RECORD_HEADER + 2),
        _ => Warning::Nothing,
    }
}

/// A ClientHello in the form of SSL 2 that offers a later version (RFC 5246, appendix E.2): the version. It has no extensions,
/// and JA4 is not defined for it, but a server may answer it with TLS.
pub(crate) fn old_client(data: &[u8]) -> Option<u16> {
    match *data {
        [0x80..=0xff, _, CLIENT_HELLO, 3, minor @ 0..=4, ciphers, _, 0, session, 0, 8..=32, ..]
            if ciphers < 16 && session <= 32 =>
        {
            Some(0x0300 | u16::from(minor))
        }
        _ => None,
    }
}

/// As many octets as [`old_client`] looks at, if the first ones are such.
pub(crate) fn may_be_old_client(data: &[u8]) -> bool {
    matches!(
        data,
        [0x80..=0xff]
            | [0x80..=0xff, _]
            | [0x80..=0xff, _, 1]
            | [0x80..=0xff, _, 1, 3]
            | [0x80..=0xff, _, 1, 3, 0..=4, ..]
    ) && data.len() < OLD_CLIENT
}

pub(crate) const OLD_CLIENT: usize = 11;

fn take_message(message: &[u8], hellos: &mut Option<Box<Hellos>>) -> Found {
    let Some((header, body)) = message.split_at_checked(MESSAGE_HEADER) else {
        return Found::Nothing;
    };
    match header[0] {
        CLIENT_HELLO => match ClientHello::parse(body, Wire::Tcp) {
            Some(hello) => {
                let hellos = hellos.get_or_insert_default();
                hellos.transport = Some(Transport::Tls);
                hellos.set_client(&hello, Wire::Tcp);
                Found::Client
            }
            None => Found::Nothing,
        },
        _ => match ServerHello::parse(body) {
            Some(hello) => {
                let hellos = hellos.get_or_insert_default();
                hellos.transport = Some(Transport::Tls);
                hellos.set_server(&hello);
                Found::Server
            }
            None => Found::Nothing,
        },
    }
}

/// The first handshake message with its header, put together from as many records as it takes.
fn first_message(data: &[u8]) -> Result<Cow<'_, [u8]>, Found> {
    // Octets of records before, and what they carried.
    let mut passed = 0;
    let mut joined: Vec<u8> = Vec::new();
    let mut wanted = None;
    loop {
        let rest = &data[passed..];
        if !may_start(rest) {
            return Err(Found::Nothing);
        }
        let mut reader = Reader(rest);
        let length = match (reader.take(3), reader.u16()) {
            (Some(_), Some(length)) => usize::from(length),
            _ => return Err(Found::Need(passed + RECORD_HEADER + 1)),
        };
        if length == 0 || length > MOST_RECORD {
            return Err(Found::Nothing);
        }
        let there = &reader.0[..length.min(reader.len())];
        let fragment = if joined.is_empty() {
            Cow::Borrowed(there)
        } else {
            joined.extend_from_slice(there);
            Cow::Borrowed(&joined[..])
        };
        if wanted.is_none() {
            match fragment.first() {
                Some(&CLIENT_HELLO | &SERVER_HELLO) => {}
                Some(_) => return Err(Found::Nothing),
                None => return Err(Found::Need(passed + RECORD_HEADER + 1)),
            }
            if let [_, a, b, c, ..] = fragment[..] {
                let length = u32::from_be_bytes([0, a, b, c]) as usize;
                if length > Assembler::LIMIT {
                    return Err(Found::Nothing);
                }
                wanted = Some(MESSAGE_HEADER + length);
            }
        }
        let have = fragment.len();
        // Until the length is known, the octet after it is what is waited for.
        let target = wanted.unwrap_or(MESSAGE_HEADER);
        if wanted.is_some() && have >= target {
            return Ok(if joined.is_empty() {
                Cow::Borrowed(&there[..target])
            } else {
                joined.truncate(target);
                Cow::Owned(joined)
            });
        }
        let end = passed + RECORD_HEADER + length;
        if data.len() < end {
            return Err(Found::Need((data.len() + (target - have)).min(end).max(data.len() + 1)));
        }
        if joined.is_empty() {
            joined = there.to_vec();
        }
        passed = end;
        if passed > Assembler::LIMIT {
            return Err(Found::Nothing);
        }
    }
}
