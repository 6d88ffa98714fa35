//! Hellos in DTLS datagrams (RFC 6347, section 4.2; RFC 9147, section 5), whole or in fragments.

use crate::assembler::Assembler;
use crate::bytes::Reader;
use crate::hello::{ClientHello, Hellos, ServerHello, Transport, Wire};
use crate::tls::{CLIENT_HELLO, SERVER_HELLO};

const HANDSHAKE: u8 = 22;
/// Records of one datagram that are looked at.
const MOST_RECORDS: usize = 16;

/// What a datagram was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Not DTLS.
    Nothing,
    /// DTLS without a hello, or with a part of one.
    Other,
    Client,
    Server,
}

/// The message that a direction is sending in fragments.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    kind: u8,
    sequence: u16,
    length: usize,
    assembler: Assembler,
}

impl Fragments {
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.assembler.memory()
    }
}

/// Whether a datagram begins with a record of DTLS: its type and a version that DTLS has had. 0x0100 is what OpenSSL sent
/// before the standard.
#[inline]
pub(crate) fn is_record(datagram: &[u8]) -> bool {
    matches!(datagram, [20..=25, 0xfe, 0xff | 0xfd | 0xfc, ..] | [20..=25, 0x01, 0x00, ..])
        && datagram.len() >= 13
}

pub(crate) fn datagram(
    datagram: &[u8],
    fragments: &mut Option<Box<Fragments>>,
    hellos: &mut Option<Box<Hellos>>,
) -> Found {
    if !is_record(datagram) {
        return Found::Nothing;
    }
    let mut reader = Reader(datagram);
    let mut found = Found::Other;
    for _ in 0..MOST_RECORDS {
        if !is_record(reader.0) {
            break;
        }
        let record = (|| Some((reader.u8()?, reader.u16()?, reader.u16()?, reader.take(6)?)))();
        let (Some((kind, _, epoch, _)), Some(body)) = (record, reader.vector16()) else { break };
        // Later epochs are encrypted.
        if kind != HANDSHAKE || epoch != 0 {
            continue;
        }
        let mut messages = Reader(body);
        while let Some(message) = Message::read(&mut messages) {
            match message.take(fragments, hellos) {
                Found::Client => found = Found::Client,
                Found::Server if found != Found::Client => found = Found::Server,
                _ => {}
            }
        }
    }
    found
}

struct Message<'a> {
    kind: u8,
    length: usize,
    sequence: u16,
    offset: usize,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let (kind, length, sequence) = (reader.u8()?, reader.u24()? as usize, reader.u16()?);
        let (offset, here) = (reader.u24()? as usize, reader.u24()? as usize);
        Some(Self { kind, length, sequence, offset, body: reader.take(here)? })
    }

    fn take(
        &self,
        fragments: &mut Option<Box<Fragments>>,
        hellos: &mut Option<Box<Hellos>>,
    ) -> Found {
        if !matches!(self.kind, CLIENT_HELLO | SERVER_HELLO) {
            return Found::Other;
        }
        if self.offset == 0 && self.body.len() == self.length {
            *fragments = None;
            return whole(self.kind, self.body, hellos);
        }
        if self.length > Assembler::LIMIT || self.offset + self.body.len() > self.length {
            return Found::Other;
        }
        let held = fragments.get_or_insert_default();
        if (held.kind, held.sequence, held.length) != (self.kind, self.sequence, self.length) {
            // Another message: the one before was given up, as after a request to verify the address.
            **held = Fragments {
                kind: self.kind,
                sequence: self.sequence,
                length: self.length,
                assembler: Assembler::default(),
            };
        }
        held.assembler.insert(self.offset, self.body);
        if held.assembler.ready().len() < held.length {
            return Found::Other;
        }
        let found = whole(held.kind, held.assembler.ready(), hellos);
        *fragments = None;
        found
    }
}

fn whole(kind: u8, body: &[u8], hellos: &mut Option<Box<Hellos>>) -> Found {
    if kind == CLIENT_HELLO {
        let Some(hello) = ClientHello::parse(body, Wire::Datagram) else { return Found::Other };
        // The second one, with a cookie, says the same again.
        let hellos = hellos.get_or_insert_default();
        if hellos.ja4.is_none() {
            hellos.transport = Some(Transport::Dtls);
            hellos.set_client(&hello, Wire::Datagram);
        }
        Found::Client
    } else {
        let Some(hello) = ServerHello::parse(body) else { return Found::Other };
        let hellos = hellos.get_or_insert_default();
        if hellos.ja3s.is_none() {
            hellos.transport = Some(Transport::Dtls);
            hellos.set_server(&hello);
        }
        Found::Server
    }
}
