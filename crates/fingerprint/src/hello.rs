//! ClientHello and ServerHello (RFC 8446, section 4.1; RFC 5246, section 7.4.1; RFC 9147, section 5.3) and what is kept of
//! them.

use crate::bytes::{Reader, pairs};
use crate::ja3s::Ja3s;
use crate::ja4::Ja4;
use crate::text;

const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_SIGNATURE_ALGORITHMS: u16 = 13;
const EXTENSION_ALPN: u16 = 16;
const EXTENSION_SUPPORTED_VERSIONS: u16 = 43;
const EXTENSION_ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// What carried the hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Tcp,
    Datagram,
    Quic,
}

/// What carried the hellos of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TLS over TCP.
    Tls,
    /// DTLS.
    Dtls,
    /// QUIC with TLS, and its version as on the wire (1 for RFC 9000).
    Quic(u32),
    /// QUIC as it was before IETF's, with a handshake of its own, and its version as on the wire (`Q035` …).
    GoogleQuic(u32),
}

/// What the hellos of a flow, and the first HTTP request, said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hellos {
    /// What carried them; none while only [`Self::http_host`] is known.
    pub transport: Option<Transport>,
    /// Whether the flow's initiator sent the ClientHello. It does, unless the capture began in the middle of the flow.
    pub client_is_initiator: Option<bool>,
    /// Server name of the ClientHello, in lower case, at most 255 octets; what is not printable ASCII as `\xNN`. With
    /// [`Self::ech`] it may be an outer name that is true of the provider alone.
    pub sni: Option<Box<str>>,
    /// Application protocols that the client offered, in its order, separated by commas; at most 255 octets of them.
    pub alpn: Option<Box<str>>,
    /// The application protocol that the server chose, where it says so in the clear (TLS 1.2 and before).
    pub server_alpn: Option<Box<str>>,
    /// JA4 of the ClientHello.
    pub ja4: Option<Ja4>,
    /// JA3S of the ServerHello, of TLS and DTLS; a QUIC server's is not decrypted.
    pub ja3s: Option<Ja3s>,
    /// The highest version that the client offered, as on the wire (0x0304 for TLS 1.3).
    pub client_version: Option<u16>,
    /// The version that the server chose.
    pub server_version: Option<u16>,
    /// The cipher suite that the server chose.
    pub cipher: Option<u16>,
    /// Whether the ClientHello has the encrypted_client_hello extension, be it GREASE or in earnest.
    pub ech: bool,
    /// Host of the first HTTP/1 request, in lower case as [`Self::sni`].
    pub http_host: Option<Box<str>>,
}

impl Hellos {
    /// The version spoken: what the server chose, else the highest that the client offered.
    pub fn version(&self) -> Option<u16> {
        self.server_version.or(self.client_version)
    }

    pub(crate) fn set_client(&mut self, hello: &ClientHello<'_>, wire: Wire) {
        self.sni = hello.server_name().map(text::host_name);
        self.alpn = hello.alpn_text();
        self.ja4 = Some(Ja4::of(hello, wire));
        self.client_version = Some(hello.highest_version(wire));
        self.ech = hello.ech;
    }

    pub(crate) fn set_server(&mut self, hello: &ServerHello<'_>) {
        self.ja3s = Some(Ja3s::of(hello));
        self.cipher = Some(hello.cipher);
        self.server_version = Some(hello.chosen_version());
        self.server_alpn = hello.alpn().map(|protocol| text_of(&[protocol]));
    }

    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>()
            + [&self.sni, &self.alpn, &self.server_alpn, &self.http_host]
                .iter()
                .map(|text| text.as_ref().map_or(0, |text| text.len()))
                .sum::<usize>()
    }
}

/// The usual name of a version as it is on the wire, such as `TLSv1.3`; none for one that is not assigned.
pub const fn version_name(version: u16) -> Option<&'static str> {
    Some(match version {
        0x0002 => "SSLv2",
        0x0300 => "SSLv3",
        0x0301 => "TLSv1.0",
        0x0302 => "TLSv1.1",
        0x0303 => "TLSv1.2",
        0x0304 => "TLSv1.3",
        0x0100 | 0xfeff => "DTLSv1.0",
        0xfefd => "DTLSv1.2",
        0xfefc => "DTLSv1.3",
        _ => return None,
    })
}

/// Values that mean nothing and are sent to keep servers tolerant (RFC 8701).
#[inline]
pub(crate) const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// A ClientHello where it lies.
#[derive(Debug)]
pub(crate) struct ClientHello<'a> {
    version: u16,
    ciphers: &'a [u8],
    extensions: &'a [u8],
    pub(crate) has_sni: bool,
    pub(crate) ech: bool,
    server_name: Option<&'a [u8]>,
    alpn: &'a [u8],
    signature_algorithms: &'a [u8],
    supported_versions: &'a [u8],
}

impl<'a> ClientHello<'a> {
    /// Reads the body of the message, without its header. None if that is no ClientHello.
    ///
    /// Extensions are read up to the first that does not fit: some clients send a wrong length there, and servers answer.
    pub(crate) fn parse(body: &'a [u8], wire: Wire) -> Option<Self> {
        let mut reader = Reader(body);
        let version = reader.u16()?;
        reader.take(32)?;
        // A session id has at most 32 octets. Longer ones mean that this is something else.
        if reader.vector8()?.len() > 32 {
            return None;
        }
        if wire == Wire::Datagram {
            reader.vector8()?;
        }
        let ciphers = reader.vector16()?;
        if ciphers.len() % 2 != 0 {
            return None;
        }
        reader.vector8()?;
        let mut hello = Self {
            version,
            ciphers,
            extensions: extension_block(reader),
            has_sni: false,
            ech: false,
            server_name: None,
            alpn: &[],
            signature_algorithms: &[],
            supported_versions: &[],
        };
        for (kind, body) in extensions(hello.extensions) {
            let mut reader = Reader(body);
            match kind {
                EXTENSION_SERVER_NAME => {
                    hello.has_sni = true;
                    if hello.server_name.is_none() {
                        hello.server_name = server_name(reader);
                    }
                }
                EXTENSION_ALPN => hello.alpn = reader.vector16().unwrap_or_default(),
                EXTENSION_SIGNATURE_ALGORITHMS => {
                    hello.signature_algorithms = reader.vector16().unwrap_or_default();
                }
                EXTENSION_SUPPORTED_VERSIONS => {
                    hello.supported_versions = reader.vector8().unwrap_or_default();
                }
                EXTENSION_ENCRYPTED_CLIENT_HELLO => hello.ech = true,
                _ => {}
            }
        }
        Some(hello)
    }

    pub(crate) fn ciphers(&self) -> impl Iterator<Item = u16> + '_ {
        pairs(self.ciphers)
    }

    pub(crate) fn extension_types(&self) -> impl Iterator<Item = u16> + '_ {
        extensions(self.extensions).map(|(kind, _)| kind)
    }

    pub(crate) fn signature_algorithms(&self) -> impl Iterator<Item = u16> + '_ {
        pairs(self.signature_algorithms)
    }

    fn server_name(&self) -> Option<&'a [u8]> {
        self.server_name
    }

    fn alpn_values(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut reader = Reader(self.alpn);
        std::iter::from_fn(move || reader.vector8())
    }

    pub(crate) fn first_alpn(&self) -> &'a [u8] {
        self.alpn_values().next().unwrap_or_default()
    }

    fn alpn_text(&self) -> Option<Box<str>> {
        let mut values = Vec::new();
        let mut octets = 0;
        for value in self.alpn_values() {
            octets += value.len() + 1;
            if octets > text::MOST_NAME + 1 {
                break;
            }
            values.push(value);
        }
        (!values.is_empty()).then(|| text_of(&values))
    }

    /// The newest version offered. Versions of DTLS count downwards.
    pub(crate) fn highest_version(&self, wire: Wire) -> u16 {
        let rank = |version: &u16| match wire {
            Wire::Datagram if version >> 8 == 0xfe => 0x1_0000 + (0xffff - u32::from(*version)),
            _ => u32::from(*version),
        };
        pairs(self.supported_versions)
            .filter(|version| !is_grease(*version))
            .max_by_key(rank)
            .unwrap_or(self.version)
    }
}

/// A ServerHello where it lies.
#[derive(Debug)]
pub(crate) struct ServerHello<'a> {
    pub(crate) version: u16,
    pub(crate) cipher: u16,
    extensions: &'a [u8],
}

impl<'a> ServerHello<'a> {
    /// Reads the body of the message, without its header. None if that is no ServerHello.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let version = reader.u16()?;
        reader.take(32)?;
        if reader.vector8()?.len() > 32 {
            return None;
        }
        let cipher = reader.u16()?;
        reader.u8()?;
        Some(Self { version, cipher, extensions: extension_block(reader) })
    }

    pub(crate) fn extensions(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        extensions(self.extensions)
    }

    fn chosen_version(&self) -> u16 {
        self.extensions()
            .find(|(kind, _)| *kind == EXTENSION_SUPPORTED_VERSIONS)
            .and_then(|(_, body)| Reader(body).u16())
            .unwrap_or(self.version)
    }

    fn alpn(&self) -> Option<&'a [u8]> {
        let (_, body) = self.extensions().find(|(kind, _)| *kind == EXTENSION_ALPN)?;
        Reader(Reader(body).vector16()?).vector8()
    }
}

/// The extensions, without the length before them; as many octets as there are if the length says more.
fn extension_block(mut reader: Reader<'_>) -> &[u8] {
    match reader.u16() {
        Some(length) => &reader.0[..usize::from(length).min(reader.len())],
        None => &[],
    }
}

fn extensions(block: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut reader = Reader(block);
    std::iter::from_fn(move || Some((reader.u16()?, reader.vector16()?)))
}

/// The first host name of the list (RFC 6066, section 3).
fn server_name(mut reader: Reader<'_>) -> Option<&[u8]> {
    let mut list = Reader(reader.vector16()?);
    while !list.is_empty() {
        let kind = list.u8()?;
        let name = list.vector16()?;
        if kind == 0 && !name.is_empty() {
            return Some(name);
        }
    }
    None
}

fn text_of(values: &[&[u8]]) -> Box<str> {
    let mut joined = String::with_capacity(values.iter().map(|value| value.len() + 1).sum());
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            joined.push(',');
        }
        text::escape(value, &mut joined);
    }
    joined.into_boxed_str()
}
