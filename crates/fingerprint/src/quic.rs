//! The ClientHello in QUIC Initial packets.
//!
//! Keys follow from the destination connection id of the client's first Initial packet, which anybody on the way sees
//! (RFC 9001, section 5.2; RFC 9369 for version 2). Only the client's packets are opened. Versions without TLS (`Q0..`) send
//! the server name in the clear; that is read, no more.

use std::fmt;

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::assembler::Assembler;
use crate::bytes::Reader;
use crate::hello::{ClientHello, Hellos, Transport, Wire};
use crate::text;
use crate::tls::{CLIENT_HELLO, MESSAGE_HEADER};

/// Connection ids are not longer (RFC 9000, section 17.2).
const MOST_CONNECTION_ID: usize = 20;
/// Packets of one datagram that are looked at.
const MOST_PACKETS: usize = 8;
/// Packets of a flow that cannot be opened before it is given up.
const MOST_FAILURES: u8 = 8;
/// Frames of a packet that are looked at.
const MOST_FRAMES: usize = 512;

const TAG: usize = 16;
/// Octets of a decrypted packet whose memory is kept for the next one.
const MOST_KEPT: usize = 4096;

/// What a datagram was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Not a long header of QUIC in a version that is known.
    Nothing,
    /// QUIC, and no whole ClientHello yet.
    Other,
    /// A whole ClientHello.
    Client,
    /// QUIC whose hello will not be found.
    Hopeless,
}

/// What a version of QUIC does differently.
struct Version {
    salt: &'static [u8; 20],
    key: &'static [u8],
    iv: &'static [u8],
    hp: &'static [u8],
    /// Type of the Initial packet in the first octet.
    initial: u8,
    /// Frames that may come before and between those of the hello.
    ping: u64,
    crypto: u64,
}

const V1: Version = Version {
    salt: &[
        0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c,
        0xad, 0xcc, 0xbb, 0x7f, 0x0a,
    ],
    key: b"quic key",
    iv: b"quic iv",
    hp: b"quic hp",
    initial: 0,
    ping: 0x01,
    crypto: 0x06,
};

const V2: Version = Version {
    salt: &[
        0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d,
        0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
    ],
    key: b"quicv2 key",
    iv: b"quicv2 iv",
    hp: b"quicv2 hp",
    initial: 1,
    ..V1
};

const DRAFT_29: Version = Version {
    salt: &[
        0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11,
        0xe0, 0x43, 0x90, 0xa8, 0x99,
    ],
    ..V1
};

const DRAFT_23: Version = Version {
    salt: &[
        0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63,
        0x65, 0xbe, 0xf9, 0xf5, 0x02,
    ],
    ..V1
};

/// Google's own QUIC with TLS: its frames have other numbers.
const T051: Version = Version {
    ping: 0x07,
    crypto: 0x08,
    salt: &[
        0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8,
        0xcc, 0xda, 0x6e, 0x03, 0x3d,
    ],
    ..V1
};

fn version(number: u32) -> Option<&'static Version> {
    Some(match number {
        0x0000_0001 | 0xff00_0021 | 0xff00_0022 => &V1,
        0x6b33_43cf => &V2,
        0xff00_001d..=0xff00_0020 => &DRAFT_29,
        // 0xfaceb002 is Facebook's name of draft 27.
        0xff00_0017..=0xff00_001c | 0xface_b002 => &DRAFT_23,
        0x5430_3531 => &T051,
        _ => return None,
    })
}

/// What is kept of a flow until its ClientHello is whole.
#[derive(Debug, Default)]
pub(crate) struct State {
    keys: Option<Keys>,
    /// Whether the flow's initiator is the client, once a packet was opened.
    client: Option<bool>,
    largest: u64,
    failures: u8,
    crypto: Assembler,
    /// A decrypted packet; kept for its memory.
    plain: Vec<u8>,
}

impl State {
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.crypto.memory() + self.plain.capacity()
    }
}

/// A long header up to what the packet's type has of its own.
struct LongHeader<'a> {
    first: u8,
    version: u32,
    destination: &'a [u8],
}

impl<'a> LongHeader<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let first = reader.u8().filter(|first| first & 0x80 != 0)?;
        let version = reader.u32()?;
        let destination = reader.vector8()?;
        let source = reader.vector8()?;
        (destination.len() <= MOST_CONNECTION_ID && source.len() <= MOST_CONNECTION_ID)
            .then_some(Self { first, version, destination })
    }
}

/// Whether a datagram begins with a long header of a version whose Initial packets can be opened.
#[inline]
pub(crate) fn is_long_header(datagram: &[u8]) -> bool {
    match datagram {
        [first, a, b, c, d, ..] if first & 0x80 != 0 => {
            let number = u32::from_be_bytes([*a, *b, *c, *d]);
            // Zero is version negotiation.
            number == 0 && first & 0x40 != 0 || version(number).is_some()
        }
        _ => false,
    }
}

/// Reads one datagram. `from_initiator` only tells the directions apart.
pub(crate) fn datagram(
    from_initiator: bool,
    datagram: &[u8],
    state: &mut Option<Box<State>>,
    hellos: &mut Option<Box<Hellos>>,
) -> Found {
    if !is_long_header(datagram) {
        return Found::Nothing;
    }
    let mut rest = datagram;
    for _ in 0..MOST_PACKETS {
        let mut reader = Reader(rest);
        let Some(header) = LongHeader::read(&mut reader) else { break };
        let Some(known) = version(header.version) else { break };
        let kind = (header.first >> 4 & 3).wrapping_sub(known.initial) & 3;
        // Retry is the last type; it has no length and nothing comes after it.
        if kind == 3 {
            break;
        }
        if kind == 0 {
            let token =
                reader.varint().and_then(|length| reader.take(usize::try_from(length).ok()?));
            if token.is_none() {
                break;
            }
        }
        let Some(length) = reader.varint() else { break };
        let number_at = rest.len() - reader.len();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > reader.len() {
            break;
        }
        let (packet, after) = rest.split_at(number_at + length);
        rest = after;
        if kind != 0 {
            continue;
        }
        let state = state.get_or_insert_default();
        if state.client.is_some_and(|client| client != from_initiator) {
            continue;
        }
        if state.open(known, &header, packet, number_at) {
            state.client = Some(from_initiator);
            let found = state.take_frames(known, header.version, hellos);
            if state.plain.capacity() > MOST_KEPT {
                state.plain = Vec::new();
            }
            if let Some(found) = found {
                return found;
            }
        } else {
            state.failures += 1;
            if state.failures >= MOST_FAILURES {
                return Found::Hopeless;
            }
        }
    }
    Found::Other
}

impl State {
    /// Decrypts a packet into `plain`; false if it is not the client's, or damaged.
    fn open(&mut self, known: &Version, header: &LongHeader<'_>, packet: &[u8], at: usize) -> bool {
        if let Some(keys) = &self.keys
            && let Some(number) = keys.open(packet, at, self.largest, &mut self.plain)
        {
            self.largest = self.largest.max(number);
            return true;
        }
        // The first packet, or the first after a Retry, which gives the client another connection id to begin with.
        if self.keys.as_ref().is_some_and(|keys| keys.is_of(header.destination)) {
            return false;
        }
        let keys = Keys::derive(known, header.destination);
        match keys.open(packet, at, 0, &mut self.plain) {
            Some(number) => {
                self.largest = number;
                self.keys = Some(keys);
                true
            }
            None => false,
        }
    }

    /// Puts the CRYPTO frames of the decrypted packet where they belong and looks whether the hello is whole.
    fn take_frames(
        &mut self,
        known: &Version,
        version: u32,
        hellos: &mut Option<Box<Hellos>>,
    ) -> Option<Found> {
        let mut frames = Reader(&self.plain);
        for _ in 0..MOST_FRAMES {
            // Padding is most of many packets.
            let padding = frames.0.iter().take_while(|octet| **octet == 0).count();
            frames.take(padding);
            if frame(&mut frames, known, &mut self.crypto).is_none() {
                break;
            }
        }
        let ready = self.crypto.ready();
        let (header, body) = ready.split_first_chunk::<MESSAGE_HEADER>()?;
        let [CLIENT_HELLO, a, b, c] = *header else { return Some(Found::Hopeless) };
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length > Assembler::LIMIT - MESSAGE_HEADER {
            return Some(Found::Hopeless);
        }
        let Some(hello) = ClientHello::parse(body.get(..length)?, Wire::Quic) else {
            return Some(Found::Hopeless);
        };
        let hellos = hellos.get_or_insert_default();
        hellos.transport = Some(Transport::Quic(version));
        hellos.set_client(&hello, Wire::Quic);
        Some(Found::Client)
    }
}

/// Reads a frame that an Initial packet may hold (RFC 9000, section 12.4); none at the end or at another one.
fn frame(reader: &mut Reader<'_>, version: &Version, crypto: &mut Assembler) -> Option<()> {
    let kind = reader.varint()?;
    if kind == version.crypto {
        let offset = reader.varint()?;
        let length = usize::try_from(reader.varint()?).ok()?;
        let octets = reader.take(length)?;
        crypto.insert(usize::try_from(offset).ok()?, octets);
        return Some(());
    }
    if kind == version.ping {
        return Some(());
    }
    match kind {
        // ACK, with counters of explicit congestion notification
        0x02 | 0x03 => {
            let (_, _, ranges, _) =
                (reader.varint()?, reader.varint()?, reader.varint()?, reader.varint()?);
            let numbers = ranges.checked_mul(2)?.checked_add(if kind == 3 { 3 } else { 0 })?;
            for _ in 0..numbers {
                reader.varint()?;
            }
            Some(())
        }
        // CONNECTION_CLOSE says nothing, and nothing follows that would matter.
        _ => None,
    }
}

/// Keys of the client's Initial packets.
struct Keys {
    connection_id: [u8; MOST_CONNECTION_ID],
    connection_id_length: usize,
    packet: Aes128Gcm,
    iv: [u8; 12],
    header: Aes128,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("connection_id", &self.connection_id).finish_non_exhaustive()
    }
}

impl Keys {
    fn derive(version: &Version, connection_id: &[u8]) -> Self {
        let length = connection_id.len().min(MOST_CONNECTION_ID);
        let mut id = [0; MOST_CONNECTION_ID];
        id[..length].copy_from_slice(&connection_id[..length]);
        let initial = Hkdf::<Sha256>::new(Some(version.salt), &id[..length]);
        let mut secret = [0; 32];
        expand(&initial, b"client in", &mut secret);
        let client = Hkdf::<Sha256>::from_prk(&secret).unwrap_or(initial);
        let (mut key, mut iv, mut header) = ([0; 16], [0; 12], [0; 16]);
        expand(&client, version.key, &mut key);
        expand(&client, version.iv, &mut iv);
        expand(&client, version.hp, &mut header);
        Self {
            connection_id: id,
            connection_id_length: length,
            packet: Aes128Gcm::new(&key.into()),
            iv,
            header: Aes128::new(&header.into()),
        }
    }

    fn is_of(&self, connection_id: &[u8]) -> bool {
        self.connection_id[..self.connection_id_length] == *connection_id
    }

    /// Removes header protection and decrypts into `plain` (RFC 9001, section 5). Gives the packet number.
    fn open(&self, packet: &[u8], at: usize, largest: u64, plain: &mut Vec<u8>) -> Option<u64> {
        let sample = packet.get(at + 4..)?.first_chunk::<16>()?;
        let mut mask = (*sample).into();
        self.header.encrypt_block(&mut mask);
        let first = packet.first()? ^ mask[0] & 0x0f;
        let number_length = usize::from(first & 3) + 1;
        // The header as it was before protection: it is authenticated.
        let mut header = [0u8; 1 + 4 + 2 + 2 * MOST_CONNECTION_ID];
        let body_at = at + number_length;
        let number = packet
            .get(at..body_at)?
            .iter()
            .zip(&mask[1..])
            .fold(0, |number, (octet, mask)| number << 8 | u64::from(octet ^ mask));
        let number_octets = number.to_be_bytes();
        let number = expand_number(number, number_length, largest);
        // A token may be long; then the header does not fit the array.
        let mut long_header;
        let header = match header.get_mut(..body_at) {
            Some(header) => header,
            None => {
                long_header = vec![0; body_at];
                &mut long_header[..]
            }
        };
        header.copy_from_slice(packet.get(..body_at)?);
        header[0] = first;
        header[at..].copy_from_slice(&number_octets[8 - number_length..]);
        let mut nonce = self.iv;
        for (octet, number) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *octet ^= number;
        }
        let (body, tag) = packet[body_at..].split_last_chunk::<TAG>()?;
        plain.clear();
        plain.extend_from_slice(body);
        let opened = self.packet.decrypt_inout_detached(
            &Nonce::from(nonce),
            header,
            plain.as_mut_slice().into(),
            &Tag::from(*tag),
        );
        opened.ok().map(|()| number)
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446, section 7.1).
fn expand(secret: &Hkdf<Sha256>, label: &[u8], into: &mut [u8]) {
    let length = (into.len() as u16).to_be_bytes();
    let info: [&[u8]; 5] = [&length, &[label.len() as u8 + 6], b"tls13 ", label, &[0]];
    // Fails for 8 KiB and more only.
    let _ = secret.expand_multi_info(&info, into);
}

/// A packet number from its last octets (RFC 9000, appendix A.3).
fn expand_number(truncated: u64, octets: usize, largest: u64) -> u64 {
    let window = 1u64 << (8 * octets);
    let expected = largest + 1;
    let candidate = expected & !(window - 1) | truncated;
    if candidate + window / 2 <= expected {
        candidate + window
    } else if candidate > expected + window / 2 && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

/// The version of a datagram of Google's own QUIC, if it states one: `Q` and three digits.
#[inline]
pub(crate) fn google_version(datagram: &[u8]) -> Option<u32> {
    let at = match datagram.first()? {
        // Long header (Q046).
        first if first & 0xc0 == 0xc0 => 1,
        // Public header: version flag, and connection id of eight octets or none.
        first if first & 0x81 == 0x01 => {
            if first & 0x08 != 0 {
                9
            } else {
                1
            }
        }
        _ => return None,
    };
    match datagram.get(at..)?.first_chunk::<4>()? {
        version @ [b'Q', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
            Some(u32::from_be_bytes(*version))
        }
        _ => None,
    }
}

/// Looks for the client's hello of Google's own QUIC: a list of tagged values, sent in the clear up to version 46.
pub(crate) fn google_hello(
    version: u32,
    datagram: &[u8],
    hellos: &mut Option<Box<Hellos>>,
) -> Found {
    // Header, hash and frame header come before it.
    const MOST_BEFORE: usize = 64;
    let start = datagram
        .windows(4)
        .take(MOST_BEFORE)
        .position(|tag| tag == b"CHLO")
        .and_then(|at| datagram.get(at + 4..));
    let Some(message) = start else { return Found::Other };
    let hellos = hellos.get_or_insert_default();
    hellos.transport = Some(Transport::GoogleQuic(version));
    hellos.sni = google_value(message, b"SNI\0").map(text::host_name);
    Found::Client
}

fn google_value<'a>(message: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    let (count, rest) = message.split_first_chunk::<2>()?;
    let count = usize::from(u16::from_le_bytes(*count));
    let (index, values) = rest.get(2..)?.split_at_checked(8 * count)?;
    let mut start = 0;
    for entry in index.chunks_exact(8) {
        let (tag, end) = entry.split_first_chunk::<4>()?;
        let end = u32::from_le_bytes(*end.first_chunk::<4>()?) as usize;
        if tag == wanted {
            return values.get(start..end).filter(|value| !value.is_empty());
        }
        start = end;
    }
    None
}
