//! Data of records as text.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::name::Name;
use super::numbers::types;
use crate::bytes::Reader;
use crate::text::hex;

/// Text of record data; see [`super::Record::text`].
pub(super) fn text(message: &[u8], kind: u16, at: usize, length: usize) -> String {
    let mut text = String::new();
    // The data, and what stands before it, to which names in it may point.
    let message = message.get(..at + length).unwrap_or_default();
    let mut data = Data { message, at };
    if known(&mut data, kind, &mut text).is_some() && data.at == message.len() {
        return text;
    }
    text.clear();
    let octets = message.get(at..).unwrap_or_default();
    let _ = write!(text, "\\# {}", octets.len());
    if !octets.is_empty() {
        text.push(' ');
        text.extend(octets.iter().flat_map(|octet| hex(*octet)).map(char::from));
    }
    text
}

struct Data<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Data<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let octets = self.message.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(octets)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn name(&mut self) -> Option<Name<'a>> {
        let (name, end) = Name::read(self.message, self.at)?;
        self.at = end;
        Some(name)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    fn rest(&mut self) -> &'a [u8] {
        let rest = self.message.get(self.at..).unwrap_or_default();
        self.at = self.message.len();
        rest
    }
}

fn known(data: &mut Data<'_>, kind: u16, text: &mut String) -> Option<()> {
    let written = match kind {
        types::A => write!(text, "{}", Ipv4Addr::from(data.array::<4>()?)),
        types::AAAA => write!(text, "{}", Ipv6Addr::from(data.array::<16>()?)),
        types::CNAME | types::DNAME | types::NS | types::PTR => write!(text, "{}", data.name()?),
        types::MX => write!(text, "{} {}", data.u16()?, data.name()?),
        types::SRV => {
            write!(text, "{} {} {} {}", data.u16()?, data.u16()?, data.u16()?, data.name()?)
        }
        types::SOA => {
            let _ = write!(text, "{} {}", data.name()?, data.name()?);
            for _ in 0..5 {
                let _ = write!(text, " {}", data.u32()?);
            }
            Ok(())
        }
        // SPF had the form of TXT.
        types::TXT | 99 => {
            let mut first = true;
            while data.at < data.message.len() {
                if !first {
                    text.push(' ');
                }
                first = false;
                quoted(data.string()?, text);
            }
            Ok(())
        }
        types::NAPTR => {
            let _ = write!(text, "{} {}", data.u16()?, data.u16()?);
            for _ in 0..3 {
                text.push(' ');
                quoted(data.string()?, text);
            }
            write!(text, " {}", data.name()?)
        }
        types::CAA => {
            let flags = data.u8()?;
            let tag = data.string().filter(|tag| tag.iter().all(u8::is_ascii_alphanumeric))?;
            let _ = write!(text, "{flags} {} ", std::str::from_utf8(tag).ok()?);
            quoted(data.rest(), text);
            Ok(())
        }
        types::SVCB | types::HTTPS => {
            let _ = write!(text, "{} {}", data.u16()?, data.name()?);
            while data.at < data.message.len() {
                let key = data.u16()?;
                let length = data.u16()?;
                text.push(' ');
                service_parameter(key, data.take(usize::from(length))?, text)?;
            }
            Ok(())
        }
        _ => return None,
    };
    written.ok()
}

/// A parameter of a service binding (RFC 9460, section 2.1 and appendix A).
fn service_parameter(key: u16, value: &[u8], text: &mut String) -> Option<()> {
    const NAMES: [&str; 8] =
        ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath"];
    match NAMES.get(usize::from(key)) {
        Some(name) => text.push_str(name),
        None => {
            let _ = write!(text, "key{key}");
        }
    }
    if value.is_empty() {
        return Some(());
    }
    text.push('=');
    let mut reader = Reader(value);
    let mut first = true;
    let mut comma = |text: &mut String| {
        if !first {
            text.push(',');
        }
        first = false;
    };
    match key {
        0 => {
            while !reader.is_empty() {
                comma(text);
                let key = reader.u16()?;
                match NAMES.get(usize::from(key)) {
                    Some(name) => text.push_str(name),
                    None => {
                        let _ = write!(text, "key{key}");
                    }
                }
            }
        }
        1 => {
            while !reader.is_empty() {
                comma(text);
                escaped(reader.vector8()?, b" ,\"", text);
            }
        }
        3 => {
            let _ = write!(text, "{}", reader.u16().filter(|_| reader.is_empty())?);
        }
        4 => {
            while !reader.is_empty() {
                comma(text);
                let _ = write!(text, "{}", Ipv4Addr::from(reader.array::<4>()?));
            }
        }
        6 => {
            while !reader.is_empty() {
                comma(text);
                let _ = write!(text, "{}", Ipv6Addr::from(reader.array::<16>()?));
            }
        }
        _ => quoted(value, text),
    }
    Some(())
}

fn quoted(octets: &[u8], text: &mut String) {
    text.push('"');
    escaped(octets, b"\"", text);
    text.push('"');
}

/// Octets with a backslash before `special` ones, others that are not printable as `\DDD`.
fn escaped(octets: &[u8], special: &[u8], text: &mut String) {
    for octet in octets {
        match octet {
            b'\\' => text.push_str("\\\\"),
            octet if special.contains(octet) => {
                text.push('\\');
                text.push(char::from(*octet));
            }
            0..=0x1f | 0x7f.. => {
                let _ = write!(text, "\\{octet:03}");
            }
            _ => text.push(char::from(*octet)),
        }
    }
}
