//! Hellos and what carries them, made for tests.

use aes::Aes128;
use aes::cipher::BlockCipherEncrypt;
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, KeyInit, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;

fn vector8(octets: &[u8]) -> Vec<u8> {
    [&[octets.len() as u8], octets].concat()
}

fn vector16(octets: &[u8]) -> Vec<u8> {
    [&(octets.len() as u16).to_be_bytes(), octets].concat()
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A ClientHello; what it is by default has the JA4 of the specification's example, with GREASE added to it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) version: u16,
    pub(crate) ciphers: Vec<u16>,
    /// The extensions in order; the bodies of those that are known here are made.
    pub(crate) extensions: Vec<u16>,
    pub(crate) name: Vec<u8>,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) signatures: Vec<u16>,
    pub(crate) versions: Vec<u16>,
    /// Octets of the key share, to make the hello long.
    pub(crate) key_share: usize,
}

pub(crate) const EXAMPLE_JA4: &str = "t13d1516h2_8daaf6152771_e5627efa2ab1";

impl Default for Client {
    fn default() -> Self {
        Self {
            version: 0x0303,
            ciphers: vec![
                0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
                0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
            ],
            extensions: vec![
                0x5a5a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005,
                0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0xfafa, 0x0015,
            ],
            name: b"www.Example.com".to_vec(),
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            signatures: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            versions: vec![0xcaca, 0x0304, 0x0303],
            key_share: 36,
        }
    }
}

impl Client {
    fn extension(&self, kind: u16) -> Vec<u8> {
        let body = match kind {
            0x0000 => vector16(&[&[0], &vector16(&self.name)[..]].concat()),
            0x0010 => {
                vector16(&self.alpn.iter().flat_map(|value| vector8(value)).collect::<Vec<_>>())
            }
            0x000d => vector16(&numbers(&self.signatures)),
            0x002b => vector8(&numbers(&self.versions)),
            0x0033 => (0..self.key_share).map(|octet| octet as u8).collect(),
            _ => Vec::new(),
        };
        [&kind.to_be_bytes()[..], &vector16(&body)].concat()
    }

    fn body(&self, dtls: bool) -> Vec<u8> {
        let extensions: Vec<u8> =
            self.extensions.iter().flat_map(|kind| self.extension(*kind)).collect();
        let cookie: &[u8] = if dtls { &[0] } else { &[] };
        [
            &self.version.to_be_bytes()[..],
            &[7; 32],
            &vector8(&[3; 32]),
            cookie,
            &vector16(&numbers(&self.ciphers)),
            &vector8(&[0]),
            &vector16(&extensions),
        ]
        .concat()
    }

    /// The handshake message, as in TLS and QUIC.
    pub(crate) fn message(&self) -> Vec<u8> {
        message(1, &self.body(false))
    }

    /// One record of TLS.
    pub(crate) fn record(&self) -> Vec<u8> {
        record(&self.message())
    }

    /// The body of DTLS's message.
    pub(crate) fn datagram_body(&self) -> Vec<u8> {
        self.body(true)
    }
}

/// A ServerHello of TLS 1.2 with cipher 0xc02f, ALPN `h2` and JA3S over `771,49199,65281-16`.
pub(crate) fn server_body(version: u16) -> Vec<u8> {
    let alpn = vector16(&vector8(b"h2"));
    let extensions = [&[0xff, 0x01, 0, 1, 0, 0, 16][..], &vector16(&alpn)].concat();
    [&version.to_be_bytes()[..], &[9; 32], &[0], &[0xc0, 0x2f], &[0], &vector16(&extensions)]
        .concat()
}

pub(crate) fn server_record() -> Vec<u8> {
    // A certificate follows in the same record.
    record(&[message(2, &server_body(0x0303)), message(11, &[1; 900])].concat())
}

pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&(u32::from(kind) << 24 | body.len() as u32).to_be_bytes(), body].concat()
}

pub(crate) fn record(fragment: &[u8]) -> Vec<u8> {
    [&[22, 3, 1], &vector16(fragment)[..]].concat()
}

/// A record of DTLS with one fragment of a handshake message.
pub(crate) fn dtls_fragment(
    kind: u8,
    sequence: u16,
    body: &[u8],
    from: usize,
    to: usize,
) -> Vec<u8> {
    let u24 = |number: usize| (number as u32).to_be_bytes()[1..].to_vec();
    let fragment = [
        &[kind][..],
        &u24(body.len()),
        &sequence.to_be_bytes(),
        &u24(from),
        &u24(to - from),
        &body[from..to],
    ]
    .concat();
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1][..], &vector16(&fragment)].concat()
}

/// A QUIC variable-length integer of two octets.
fn varint(number: usize) -> [u8; 2] {
    (number as u16 | 0x4000).to_be_bytes()
}

pub(crate) fn crypto_frame(hello: &[u8], from: usize, to: usize) -> Vec<u8> {
    [&[6][..], &varint(from), &varint(to - from), &hello[from..to]].concat()
}

/// The connection id of the examples in RFC 9001 and RFC 9369.
pub(crate) const CONNECTION_ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

/// Keys that a QUIC version makes of [`CONNECTION_ID`].
#[derive(Clone, Debug)]
pub(crate) struct QuicKeys {
    pub(crate) version: u32,
    pub(crate) key: [u8; 16],
    pub(crate) iv: [u8; 12],
    pub(crate) header: [u8; 16],
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    std::array::from_fn(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap())
}

impl QuicKeys {
    fn new(version: u32, key: &str, iv: &str, header: &str) -> Self {
        Self { version, key: hex(key), iv: hex(iv), header: hex(header) }
    }

    /// RFC 9001, appendix A.1.
    pub(crate) fn v1() -> Self {
        Self::new(
            1,
            "1f369613dd76d5467730efcbe3b1a22d",
            "fa044b2f42a3fd3b46fb255c",
            "9f50449e04a0e810283a1e9933adedd2",
        )
    }

    /// RFC 9369, appendix A.1.
    pub(crate) fn v2() -> Self {
        Self::new(
            0x6b33_43cf,
            "8b1a0bc121284290a29e0971b5cd045d",
            "91f73e2351d8fa91660e909f",
            "45b95e15235d6f45a6b19cbcb0294ba9",
        )
    }

    /// draft-ietf-quic-tls-29, appendix A.1.
    pub(crate) fn draft_29() -> Self {
        Self::new(
            0xff00_001d,
            "175257a31eb09dea9366d8bb79ad80ba",
            "6b26114b9cba2b63a9e8dd4f",
            "9ddd12c994c0698b89374a9c077a3077",
        )
    }

    /// draft-ietf-quic-tls-27, appendix A.1.
    pub(crate) fn draft_27() -> Self {
        Self::new(
            0xff00_001b,
            "af7fd7efebd21878ff66811248983694",
            "8681359410a70bb9c92f0420",
            "a980b8b4fb7d9fbc13e814c23164253d",
        )
    }

    /// Version 1 of another connection id, as after a Retry.
    pub(crate) fn v1_of(connection_id: &[u8]) -> Self {
        let salt: [u8; 20] = hex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a");
        let expand = |secret: &Hkdf<Sha256>, label: &str, into: &mut [u8]| {
            let label = vector8(format!("tls13 {label}").as_bytes());
            let info = [&(into.len() as u16).to_be_bytes()[..], &label, &[0]].concat();
            secret.expand(&info, into).unwrap();
        };
        let mut secret = [0; 32];
        expand(&Hkdf::new(Some(&salt), connection_id), "client in", &mut secret);
        let secret = Hkdf::from_prk(&secret).unwrap();
        let mut keys = Self { version: 1, key: [0; 16], iv: [0; 12], header: [0; 16] };
        expand(&secret, "quic key", &mut keys.key);
        expand(&secret, "quic iv", &mut keys.iv);
        expand(&secret, "quic hp", &mut keys.header);
        keys
    }

    /// A client's Initial packet with these frames, padded to `size` octets of them.
    pub(crate) fn initial(
        &self,
        connection_id: &[u8],
        number: u16,
        frames: &[u8],
        size: usize,
    ) -> Vec<u8> {
        let kind = if self.version == 0x6b33_43cf { 0xd0 } else { 0xc0 };
        let mut packet = [
            &[kind | 1][..],
            &self.version.to_be_bytes(),
            &vector8(connection_id),
            &vector8(&[]),
            &[0],
            &varint(2 + frames.len().max(size) + 16),
        ]
        .concat();
        let at = packet.len();
        packet.extend(number.to_be_bytes());
        let mut body = frames.to_vec();
        body.resize(frames.len().max(size), 0);
        let mut nonce = self.iv;
        nonce[10] ^= number.to_be_bytes()[0];
        nonce[11] ^= number.to_be_bytes()[1];
        let tag = Aes128Gcm::new(&self.key.into())
            .encrypt_inout_detached(&Nonce::from(nonce), &packet, body.as_mut_slice().into())
            .unwrap();
        packet.extend(body);
        packet.extend(tag);
        let mut mask: aes::Block = <[u8; 16]>::try_from(&packet[at + 4..at + 20]).unwrap().into();
        Aes128::new(&self.header.into()).encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        packet[at] ^= mask[1];
        packet[at + 1] ^= mask[2];
        packet
    }
}
