//! The fingerprint of a SYN, and the composite of it and JA4.
//!
//! Source: "nDPI TCP Fingerprint Format", draft 0.4 (ntop, 2026-09-29, CC BY 4.0): flags, TTL rounded up to what systems
//! begin with, window, and the first six octets of SHA-256 over the options as hexadecimal text. [`TcpFormat::Ndpi5`] is the
//! format before it, as its section 15 describes it: options with all their values but those of timestamps.
//!
//! The operating system is a guess from the same fields by a table of ours (`SYSTEMS`), for which the draft has no rule that others
//! could share: its fingerprints are compared whole. It is a hint for people, anybody can send any SYN.

use std::fmt;
use std::ops::RangeInclusive;

use sha2::{Digest, Sha256};

use crate::text::{DIGITS, hex, hex_string};

const SYN: u16 = 0x02;
const ACK: u16 = 0x10;
/// Octets of a TCP header without options.
const HEADER: usize = 20;
/// Octets of options that a TCP header can have.
const MOST_OPTIONS: usize = 40;
/// Octets of text that the older format hashes at most.
const MOST_TEXT: usize = 126;

/// Which generation of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TcpFormat {
    /// The published draft 0.4.
    #[default]
    Draft04,
    /// What nDPI 5.0 computes.
    Ndpi5,
}

/// The fields of a segment that a fingerprint is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syn<'a> {
    /// The 12 bits after the data offset: FIN is 1, SYN 2, … CWR 0x80, AE 0x100.
    pub flags: u16,
    /// TTL or hop limit as captured.
    pub ttl: u8,
    /// Window, not scaled.
    pub window: u16,
    /// The options, all of them, with their padding.
    pub options: &'a [u8],
}

impl<'a> Syn<'a> {
    /// Takes the fields out of a TCP header; none if it is cut off or too short to be one. Whether it is a SYN,
    /// [`TcpFingerprint::of_syn`] looks.
    pub fn from_header(header: &'a [u8], ttl: u8) -> Option<Self> {
        let fixed = header.first_chunk::<HEADER>()?;
        let flags = u16::from_be_bytes([fixed[12], fixed[13]]);
        let length = usize::from(flags >> 12) * 4;
        let window = u16::from_be_bytes([fixed[14], fixed[15]]);
        Some(Self { flags: flags & 0xfff, ttl, window, options: header.get(HEADER..length)? })
    }

    /// Whether a fingerprint is made of it: SYN without ACK.
    #[inline]
    pub const fn qualifies(&self) -> bool {
        self.flags & (SYN | ACK) == SYN
    }
}

/// An operating system as the table knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Os {
    /// None that is known.
    #[default]
    Unknown,
    /// Windows.
    Windows,
    /// macOS; iOS and iPadOS send the same.
    MacOs,
    /// Android.
    Android,
    /// Linux.
    Linux,
    /// FreeBSD.
    FreeBsd,
}

impl Os {
    /// Its name in lower case; `unknown` for none.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Windows => "windows",
            Self::MacOs => "macos",
            Self::Android => "android",
            Self::Linux => "linux",
            Self::FreeBsd => "freebsd",
        }
    }
}

/// The fingerprint of a SYN. As text it is `fingerprint/os`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TcpFingerprint {
    flags: u16,
    window: u16,
    ttl: u8,
    options: [u8; 6],
    os: Os,
}

impl TcpFingerprint {
    /// The fingerprint of a SYN; none of another segment. Of a flow it is to be taken of the first SYN of either direction.
    pub fn of_syn(syn: &Syn<'_>, format: TcpFormat) -> Option<Self> {
        if !syn.qualifies() {
            return None;
        }
        let options = &syn.options[..syn.options.len().min(MOST_OPTIONS)];
        let mut kept = Text::default();
        draft04(options, &mut kept);
        let ttl = ttl_bucket(syn.ttl);
        let os = os(syn.flags, ttl, syn.window, kept.as_bytes());
        let digest = match format {
            TcpFormat::Draft04 => Sha256::digest(kept.as_bytes()),
            TcpFormat::Ndpi5 => {
                let mut text = Text::default();
                ndpi5(options, &mut text);
                Sha256::digest(text.as_bytes())
            }
        };
        let mut options = [0; 6];
        options.copy_from_slice(&digest[..6]);
        Some(Self { flags: syn.flags & 0xfff, window: syn.window, ttl, options, os })
    }

    /// The operating system that sends such SYNs.
    pub const fn os(&self) -> Os {
        self.os
    }

    /// The fingerprint without the operating system.
    pub fn bare(&self) -> impl fmt::Display + use<> {
        Bare(*self)
    }
}

struct Bare(TcpFingerprint);

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TcpFingerprint { flags, window, ttl, options, .. } = self.0;
        let mut hash = [0; 12];
        for (pair, octet) in hash.chunks_exact_mut(2).zip(options) {
            pair.copy_from_slice(&hex(octet));
        }
        write!(f, "{flags}_{ttl}_{window}_{}", std::str::from_utf8(&hash).unwrap_or_default())
    }
}

impl fmt::Display for TcpFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Bare(*self), self.os.as_str())
    }
}

/// nDPI's composite fingerprint of a client, for flows of TLS, DTLS and QUIC: the first sixteen octets, as hexadecimal
/// digits, of SHA-256 over TCP fingerprint, JA4 and a place for the server's that is always empty. An operating system after
/// the TCP fingerprint does not count.
pub fn ndpi_fp(tcp_fp: Option<&str>, ja4: Option<&str>) -> String {
    let tcp_fp = tcp_fp.map(|text| text.split('/').next().unwrap_or_default());
    let mut hash = Sha256::new();
    hash.update(tcp_fp.unwrap_or("no_l4_fp"));
    hash.update("-");
    hash.update(ja4.unwrap_or("no_app_fp_cli"));
    hash.update("-no_app_fp_srv");
    hex_string(&hash.finalize()[..16])
}

/// Section 6.3.
const fn ttl_bucket(ttl: u8) -> u8 {
    match ttl {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        129..=192 => 192,
        193..=255 => 255,
    }
}

/// Hexadecimal text of bounded length.
struct Text {
    text: [u8; MOST_TEXT],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { text: [0; MOST_TEXT], length: 0 }
    }
}

impl Text {
    fn push(&mut self, octet: u8) -> bool {
        let Some(place) = self.text.get_mut(self.length..self.length + 2) else { return false };
        place[0] = DIGITS[usize::from(octet >> 4)];
        place[1] = DIGITS[usize::from(octet & 15)];
        self.length += 2;
        true
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

/// How much of an option's value counts.
enum Value {
    /// At most so many octets.
    Keep(usize),
    /// Neither kind nor value.
    Drop,
}

/// Section 7.
fn value_policy(options: &[u8], at: usize) -> Value {
    let octet = |place: usize| options.get(at + place).copied();
    match (options[at], octet(2), octet(3)) {
        // Maximum segment size, timestamps, MD5 and AO signatures.
        (2 | 8 | 19 | 29, ..) => Value::Keep(0),
        // Multipath TCP: subtype and version; with MP_CAPABLE its flags too.
        (30, Some(subtype), _) => Value::Keep(if subtype >> 4 == 0 { 2 } else { 1 }),
        (30, None, _) => Value::Keep(0),
        // Fast open.
        (34, ..) => Value::Drop,
        (253 | 254, Some(0xf9), Some(0x89)) => Value::Drop,
        (253 | 254, _, Some(_)) => Value::Keep(2),
        (253 | 254, _, None) => Value::Keep(0),
        _ => Value::Keep(usize::MAX),
    }
}

/// Section 6.4 of the draft.
fn draft04(options: &[u8], text: &mut Text) {
    let mut at = 0;
    // Where a run of NOPs began that may belong to an option that is dropped.
    let mut padding = None;
    let mut after_dropped = false;
    while let Some(kind) = options.get(at).copied() {
        if kind == 1 {
            if !after_dropped {
                padding.get_or_insert(text.length);
                text.push(1);
            }
            at += 1;
            continue;
        }
        if kind == 0 {
            text.push(0);
            return;
        }
        let policy = value_policy(options, at);
        after_dropped = matches!(policy, Value::Drop);
        if let (true, Some(length)) = (after_dropped, padding) {
            text.length = length;
        }
        padding = None;
        if !after_dropped {
            text.push(kind);
        }
        let length = match options.get(at + 1) {
            None | Some(0) => return,
            Some(length) => usize::from(*length),
        };
        if let Value::Keep(most) = policy {
            let end = (at + length).min(options.len());
            for octet in options.get(at + 2..end).unwrap_or_default().iter().take(most) {
                text.push(*octet);
            }
        }
        at += length;
    }
}

/// Section 15: what the format was before. Kinds and values in order, beyond the end of the list; of a zero length the kind
/// again and again until the text is full.
fn ndpi5(options: &[u8], text: &mut Text) {
    let mut at = 0u8;
    while let Some(kind) = options.get(usize::from(at)).copied() {
        if !text.push(kind) {
            return;
        }
        if kind <= 1 {
            at += 1;
            continue;
        }
        let Some(length) = options.get(usize::from(at) + 1).copied() else { return };
        if kind != 8 {
            let value = options.get(usize::from(at) + 2..).unwrap_or_default();
            for octet in value.iter().take(usize::from(length.saturating_sub(2))) {
                text.push(*octet);
            }
        }
        // Its place was counted in eight bits. Kinds are always written, so the text fills and the loop ends.
        at = at.wrapping_add(length);
    }
}

/// SYNs of a system, as a row of the table.
struct System {
    os: Os,
    /// TTL, rounded up.
    ttl: u8,
    windows: RangeInclusive<u16>,
    /// Options as they are hashed, before and after the shift of the window scale option, and the shifts.
    layout: (&'static [u8], RangeInclusive<u8>, &'static [u8]),
}

/// What systems send, from SYNs in captures whose sender is known otherwise (user agents, names of programs, the host the
/// capture was made on) and from the examples of the draft. The order of options is the system's own; the window and the
/// shift follow from how much memory it has for buffers, so they are ranges.
const SYSTEMS: [System; 6] = [
    System {
        os: Os::Android,
        ttl: 64,
        windows: 65535..=65535,
        layout: (b"0204080103", 7..=9, b""),
    },
    // 65535 with other shifts is sent by several systems.
    System { os: Os::Linux, ttl: 64, windows: 1..=65534, layout: (b"0204080103", 0..=14, b"") },
    // Mac OS X 10.6 has 3, 10.8 has 4, macOS 10.13 and later 5 or 6.
    System {
        os: Os::MacOs,
        ttl: 64,
        windows: 65535..=65535,
        layout: (b"020103", 3..=6, b"0101080400"),
    },
    System {
        os: Os::FreeBsd,
        ttl: 64,
        windows: 65535..=65535,
        layout: (b"020103", 0..=14, b"0408"),
    },
    // Windows XP with a large window has 1 to 3, Windows 7 has 2 or 8, Windows 10 and 11 have 8.
    System { os: Os::Windows, ttl: 128, windows: 1..=65535, layout: (b"020103", 0..=8, b"010104") },
    // Without window scale, before Windows Vista: the layout has no place for a shift.
    System { os: Os::Windows, ttl: 128, windows: 1..=65535, layout: (b"02010104", 0..=0, b"") },
];

fn os(flags: u16, ttl: u8, window: u16, options: &[u8]) -> Os {
    // With explicit congestion notification or without it; what has other flags no system of these sends.
    if !matches!(flags, 0x002 | 0x0c2 | 0x1c2) {
        return Os::Unknown;
    }
    SYSTEMS
        .iter()
        .find(|system| {
            system.ttl == ttl && system.windows.contains(&window) && has_layout(options, system)
        })
        .map_or(Os::Unknown, |system| system.os)
}

fn has_layout(options: &[u8], system: &System) -> bool {
    let (before, shifts, after) = &system.layout;
    if options == *before {
        // Only of the layout without a shift.
        return !before.ends_with(b"03");
    }
    let shift = options
        .strip_prefix(*before)
        .and_then(|rest| rest.strip_suffix(*after))
        .and_then(|shift| std::str::from_utf8(shift).ok())
        .filter(|shift| shift.len() == 2 && before.ends_with(b"03"))
        .and_then(|shift| u8::from_str_radix(shift, 16).ok());
    shift.is_some_and(|shift| shifts.contains(&shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .bytes()
            .filter(|digit| *digit != b' ')
            .map(|digit| (digit as char).to_digit(16).unwrap() as u8)
            .collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    const LINUX: &str = "020405b4 0402 080a9f3c110200000000 01 030307";

    #[test]
    fn vectors_of_the_draft() {
        let linux = |more: &str| format!("{LINUX} {more}");
        let macos = "020405b4 01 030305 01 01 080a0102030400000000 0402 00 00".to_owned();
        for (number, flags, ttl, window, options, expect) in [
            (1, 2, 64, 64240, linux(""), "2_64_64240_5ec4846073b9"),
            (2, 2, 64, 64800, linux("").replace("05b4", "05a0"), "2_64_64800_5ec4846073b9"),
            (3, 2, 64, 64240, linux("2202 01 01"), "2_64_64240_5ec4846073b9"),
            (4, 2, 64, 64240, linux("220a 0102030405060708 01 01"), "2_64_64240_5ec4846073b9"),
            (5, 2, 64, 64240, linux("1e0c 0081 0102030405060708"), "2_64_64240_d9f8b1298998"),
            (6, 2, 64, 65535, macos.clone(), "2_64_65535_fa6f8edaadeb"),
            (7, 194, 57, 65535, macos, "194_64_65535_fa6f8edaadeb"),
            (
                8,
                2,
                255,
                16384,
                format!("020405b4 1312 {} 01 01", "aa".repeat(16)),
                "2_255_16384_df9f6ba44436",
            ),
            (9, 2, 64, 64240, "020405b4 fe06f989aabb 01 01".to_owned(), "2_64_64240_a953f09a1b6b"),
            (10, 2, 250, 1024, String::new(), "2_255_1024_e3b0c44298fc"),
            (
                11,
                2,
                64,
                64240,
                format!("220301 22fd {}", "00".repeat(35)),
                "2_64_64240_e3b0c44298fc",
            ),
            (12, 2, 64, 64240, "020405b4 03000000".to_owned(), "2_64_64240_c2576dd8541a"),
            (13, 2, 64, 64240, "020405b4 00deadbe".to_owned(), "2_64_64240_1fdc13485c8a"),
        ] {
            let options = octets(&options);
            let syn = Syn { flags, ttl, window, options: &options };
            let fingerprint = TcpFingerprint::of_syn(&syn, TcpFormat::Draft04).unwrap();
            assert_eq!(fingerprint.bare().to_string(), expect, "vector {number}");
            assert!(TcpFingerprint::of_syn(&syn, TcpFormat::Ndpi5).is_some());
        }
    }

    #[test]
    fn the_format_before() {
        // The draft's section 15.
        for (window, ttl, options, expect) in [
            (64240, 64, LINUX.to_owned(), "2_64_64240_2e3cee914fc1"),
            (64800, 64, LINUX.replace("05b4", "05a0"), "2_64_64800_83b2f9a5576c"),
            (
                65535,
                64,
                "020405b4 01 030306 01 01 080a0102030400000000 0402 00 00".to_owned(),
                "2_64_65535_d29295416479",
            ),
            (64240, 128, "020405b4 01 030308 01 01 0402".to_owned(), "2_128_64240_6bb88f5575fd"),
        ] {
            let options = octets(&options);
            let syn = Syn { flags: 2, ttl, window, options: &options };
            let fingerprint = TcpFingerprint::of_syn(&syn, TcpFormat::Ndpi5).unwrap();
            assert_eq!(fingerprint.bare().to_string(), expect);
        }
    }

    #[test]
    fn systems() {
        let macos = "020405b4 01 0303SS 01 01 080a0102030400000000 0402 00 00";
        let linux = "020405b4 0402 080a9f3c110200000000 01 0303SS";
        let windows = "020405b4 01 0303SS 01 01 0402";
        for (flags, ttl, window, layout, shift, expect) in [
            (0x02, 64, 64240, linux, "07", "linux"),
            (0x02, 52, 29200, linux, "07", "linux"),
            (0xc2, 64, 5840, linux, "02", "linux"),
            (0x02, 64, 65535, linux, "08", "android"),
            (0x02, 64, 65535, linux, "01", "unknown"),
            (0x02, 128, 64240, linux, "07", "unknown"),
            (0x02, 64, 65535, macos, "06", "macos"),
            (0xc2, 64, 65535, macos, "04", "macos"),
            (0x02, 64, 65535, macos, "00", "unknown"),
            (0x02, 64, 8192, macos, "06", "unknown"),
            (0x02, 128, 64240, windows, "08", "windows"),
            (0x02, 113, 8192, windows, "02", "windows"),
            (0x02, 64, 64240, windows, "08", "unknown"),
            (0x02, 128, 16384, "020405b4 01 01 0402", "", "windows"),
            (0x02, 64, 65535, "020405b4 01 0303SS 0402 080a0102030400000000", "06", "freebsd"),
            (0x03, 64, 64240, linux, "07", "unknown"),
            (0x02, 64, 1024, "020405b4", "", "unknown"),
            (0x02, 64, 1024, "", "", "unknown"),
        ] {
            let options = octets(&layout.replace("SS", shift));
            let syn = Syn { flags, ttl, window, options: &options };
            for format in [TcpFormat::Draft04, TcpFormat::Ndpi5] {
                let fingerprint = TcpFingerprint::of_syn(&syn, format).unwrap();
                assert_eq!(fingerprint.os().as_str(), expect, "{syn:?}");
                assert!(fingerprint.to_string().ends_with(&format!("/{expect}")));
            }
        }
    }

    #[test]
    fn only_of_a_syn() {
        for (flags, expect) in
            [(0x02, true), (0x12, false), (0x10, false), (0xc2, true), (0, false)]
        {
            let syn = Syn { flags, ttl: 64, window: 1, options: &[] };
            assert_eq!(TcpFingerprint::of_syn(&syn, TcpFormat::Draft04).is_some(), expect);
        }
    }

    #[test]
    fn from_a_header() {
        let mut header = vec![0, 1, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0x61, 0xc2, 0x10, 0, 0, 0, 0, 0];
        assert_eq!(Syn::from_header(&header, 60), None, "options cut off");
        header.extend([2, 4, 5, 0xb4, 7]);
        let syn = Syn::from_header(&header, 60).unwrap();
        assert_eq!(syn, Syn { flags: 0x1c2, ttl: 60, window: 4096, options: &[2, 4, 5, 0xb4] });
        header[12] = 0x40;
        assert_eq!(Syn::from_header(&header, 60), None, "shorter than a header");
    }

    #[test]
    fn composite() {
        assert_eq!(
            ndpi_fp(
                Some("2_64_65535_15db81ff8b0d/unknown"),
                Some("t12d2010h2_2a284e3b0c56_f05fdf8c38a9")
            ),
            "7d566af7d9cf82d9648af572f48542b0"
        );
        assert_ne!(ndpi_fp(None, None), ndpi_fp(None, Some("")));
    }
}
