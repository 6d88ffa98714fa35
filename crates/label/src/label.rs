//! The label itself: numbers, so that one for each flow costs little until its record is written.

use std::fmt;

use crate::{AppName, Category};

/// How sure a label is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Confidence {
    /// There is none.
    #[default]
    Unknown,
    /// Only the ports say so.
    Port,
    /// Only an address says so.
    Address,
    /// Another flow says so: a DNS answer, or a cache of the library's.
    Related,
    /// The payload says so.
    Payload,
    /// A custom rule says so.
    Custom,
}

impl Confidence {
    /// A word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Port => "port",
            Self::Address => "address",
            Self::Related => "related",
            Self::Payload => "payload",
            Self::Custom => "custom",
        }
    }
}

/// What a flow is: protocol, service, category and risks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppLabel {
    /// Risks, a bit each, by nDPI's numbers: see [`risk_name`].
    pub risk: u64,
    /// The protocol, as `TLS`; [`AppName::UNKNOWN`] if only a service is known.
    pub master: AppName,
    /// The service that uses it, as `YouTube`; [`AppName::UNKNOWN`] if none is known.
    pub app: AppName,
    /// Sum of the risks' scores.
    pub score: u16,
    /// Category.
    pub category: Category,
    /// The worst of the risks: 0 none, 1 low, 2 medium, 3 high.
    pub severity: u8,
    /// How sure it is.
    pub confidence: Confidence,
}

/// What [`AppLabel::name`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Printed {
    master: &'static str,
    app: &'static str,
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.master)?;
        if !self.master.is_empty() && !self.app.is_empty() {
            f.write_str(".")?;
        }
        f.write_str(self.app)
    }
}

impl AppLabel {
    /// Whether neither protocol nor service is known. Risks may be.
    pub fn is_unknown(&self) -> bool {
        self.master == AppName::UNKNOWN && self.app == AppName::UNKNOWN
    }

    /// `TLS.YouTube`, `DNS`, `Dropbox`: as nDPI prints it. Nothing if neither is known.
    pub fn name(&self) -> Option<impl fmt::Display + Copy + fmt::Debug + use<>> {
        let word = |name: AppName| if name == AppName::UNKNOWN { "" } else { name.as_str() };
        (!self.is_unknown()).then(|| Printed {
            master: word(self.master),
            app: if self.app == self.master { "" } else { word(self.app) },
        })
    }

    /// The two numbers of [`Self::name`] in one: equal for equal names, as long as the process lives.
    pub fn name_key(&self) -> u32 {
        let app = if self.app == self.master { AppName::UNKNOWN } else { self.app };
        u32::from(self.master.index()) << 16 | u32::from(app.index())
    }

    /// Name of the category; nothing if neither protocol nor service is known.
    pub fn category_name(&self) -> Option<&'static str> {
        (!self.is_unknown()).then(|| self.category.name()).filter(|name| !name.is_empty())
    }

    /// Names of its risks, by number.
    pub fn risk_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let risk = self.risk;
        (0..64).filter(move |bit| risk >> bit & 1 == 1).map(risk_name)
    }

    /// Sets the risks with the score and the severity that nDPI gives for them.
    pub fn set_risk(&mut self, risk: u64) {
        self.risk = risk;
        self.score = 0;
        self.severity = 0;
        for bit in (0..64).filter(|bit| risk >> bit & 1 == 1) {
            let severity = risk_severity(bit);
            self.severity = self.severity.max(severity.min(3));
            self.score = self.score.saturating_add([0, 10, 50, 100, 150][usize::from(severity)]);
        }
    }
}

/// The number that stands for nDPI's risk 21 as it was up to release 4.8. Later releases use 21 for something else.
pub(crate) const ESNI_RISK: u32 = 60;

/// Names by number, and how severe they are: 1 low, 2 medium, 3 high, 4 severe.
const RISKS: [(&str, u8); 57] = [
    ("", 0),
    ("XSS Attack", 4),
    ("SQL Injection", 4),
    ("RCE Injection", 4),
    ("Binary App Transfer", 4),
    ("Known Proto on Non Std Port", 2),
    ("Self-signed Cert", 3),
    ("Obsolete TLS (v1.1 or older)", 3),
    ("Weak TLS Cipher", 3),
    ("TLS Cert Expired", 3),
    ("TLS Cert Mismatch", 3),
    ("HTTP Susp User-Agent", 3),
    ("HTTP/TLS/QUIC Numeric Hostname/SNI", 1),
    ("HTTP Susp URL", 3),
    ("HTTP Susp Header", 3),
    ("TLS (probably) Not Carrying HTTPS", 1),
    ("Susp DGA Domain name", 3),
    ("Malformed Packet", 1),
    ("SSH Obsolete Cli Vers/Cipher", 3),
    ("SSH Obsolete Ser Vers/Cipher", 2),
    ("SMB Insecure Vers", 3),
    ("Mismatching Protocol with server IP address", 3),
    ("Unsafe Protocol", 1),
    ("Susp DNS Traffic", 2),
    ("Missing SNI TLS Extn", 2),
    ("HTTP Susp Content", 3),
    ("Risky ASN", 2),
    ("Risky Domain Name", 2),
    ("Malicious Fingerprint", 3),
    ("Malicious SSL Cert/SHA1 Fingerp.", 2),
    ("Desktop/File Sharing", 1),
    ("Uncommon TLS ALPN", 2),
    ("TLS Cert Validity Too Long", 2),
    ("TLS Susp Extn", 3),
    ("TLS Fatal Alert", 1),
    ("Susp Entropy", 1),
    ("Clear-Text Credentials", 3),
    ("Large DNS Packet (512+ bytes)", 2),
    ("Fragmented DNS Message", 2),
    ("Non-Printable/Invalid Chars Detected", 3),
    ("Possible Exploit Attempt", 4),
    ("TLS Cert About To Expire", 2),
    ("IDN Domain Name", 1),
    ("Error Code", 1),
    ("Crawler/Bot", 1),
    ("Anonymous Subscriber", 2),
    ("Unidirectional Traffic", 1),
    ("HTTP Obsolete Server", 2),
    ("Periodic Flow", 1),
    ("Minor Issues", 1),
    ("TCP Connection Issues", 2),
    ("Unresolved hostname", 2),
    ("ALPN/SNI Mismatch", 2),
    ("Client Contacted A Malware Host", 4),
    ("Binary File/Data Transfer (Attempt)", 2),
    ("Probing Attempt", 2),
    ("Obfuscated Traffic", 3),
];

/// The name of a risk by its number, as nDPI 5.0 prints it. A comma is in none of them.
pub const fn risk_name(bit: u32) -> &'static str {
    if bit == ESNI_RISK {
        return "TLS Suspicious ESNI Usage";
    }
    let name = if (bit as usize) < RISKS.len() { RISKS[bit as usize].0 } else { "" };
    if name.is_empty() { "Unknown Risk" } else { name }
}

/// How severe nDPI 5.0 holds a risk: 1 low, 2 medium, 3 high, 4 severe.
pub const fn risk_severity(bit: u32) -> u8 {
    if bit == ESNI_RISK {
        return 2;
    }
    if (bit as usize) < RISKS.len() && RISKS[bit as usize].1 != 0 {
        RISKS[bit as usize].1
    } else {
        1
    }
}
