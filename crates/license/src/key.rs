//! Keys, as files and as text.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes,
};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

const PUBLIC_HEAD: &str = "-----BEGIN PUBLIC KEY-----";
const PRIVATE_HEAD: &str = "-----BEGIN PRIVATE KEY-----";

/// The key that this build was given, see [`PublicKey::built_in`].
const BUILT_IN: Option<&str> = option_env!("ROCKFISH_ISSUER_PUBLIC_KEY");

// A key that cannot be one stops the build. Whether its point is on the curve is seen when it is used.
const _: () = assert!(
    match BUILT_IN {
        Some(text) => is_empty_base64_or_pem(text.as_bytes()),
        None => true,
    },
    "ROCKFISH_ISSUER_PUBLIC_KEY is neither 44 characters of base64 nor a PEM public key"
);

const fn is_empty_base64_or_pem(text: &[u8]) -> bool {
    let head = PUBLIC_HEAD.as_bytes();
    let mut at = 0;
    while at < text.len() && at < head.len() && text[at] == head[at] {
        at += 1;
    }
    text.is_empty() || text.len() == 44 || at == head.len()
}

/// A key could not be read. The message never shows a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither of the forms of a public key.
    #[error("found {found}, expected a PEM public key ({PUBLIC_HEAD}) or 32 octets in base64")]
    NotPublic {
        /// What it looks like instead.
        found: &'static str,
    },
    /// Not the form of a private key.
    #[error("found {found}, expected a PEM private key ({PRIVATE_HEAD})")]
    NotPrivate {
        /// What it looks like instead.
        found: &'static str,
    },
    /// The PEM text does not hold an Ed25519 key.
    #[error("not an Ed25519 key in PEM: {0}")]
    Pem(String),
    /// The octets are no point of the curve, or one that verifies anything.
    #[error("not an Ed25519 public key: its octets are not a usable point of the curve")]
    Point,
}

/// What a text that is not the wanted key looks like.
fn looks_like(text: &[u8]) -> &'static str {
    let contains = |part: &str| text.windows(part.len()).any(|window| window == part.as_bytes());
    if text.trim_ascii().is_empty() {
        "nothing"
    } else if contains("PRIVATE KEY-----") {
        "a private key"
    } else if contains("PUBLIC KEY-----") {
        "a public key"
    } else if contains("-----BEGIN ") {
        "another kind of PEM"
    } else if text.trim_ascii_start().first() == Some(&b'{') {
        "JSON"
    } else {
        "something else"
    }
}

/// An issuer's public key. It is not secret; `Display` shows its 32 octets in base64.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a key: PEM (`-----BEGIN PUBLIC KEY-----`, RFC 8410) or its 32 octets in base64. White space around is
    /// ignored.
    ///
    /// # Errors
    /// If it is neither, a key of another algorithm, or a weak one that many signatures would fit.
    pub fn parse(text: &[u8]) -> Result<Self, KeyError> {
        let trimmed = text.trim_ascii();
        let key = if trimmed.starts_with(PUBLIC_HEAD.as_bytes()) {
            let pem =
                std::str::from_utf8(trimmed).map_err(|error| KeyError::Pem(error.to_string()))?;
            VerifyingKey::from_public_key_pem(pem)
                .map_err(|error| KeyError::Pem(error.to_string()))?
        } else {
            let octets: [u8; 32] = STANDARD
                .decode(trimmed)
                .ok()
                .and_then(|octets| octets.try_into().ok())
                .ok_or_else(|| KeyError::NotPublic { found: looks_like(text) })?;
            VerifyingKey::from_bytes(&octets).map_err(|_| KeyError::Point)?
        };
        if key.is_weak() {
            return Err(KeyError::Point);
        }
        Ok(Self(key))
    }

    /// The key that `ROCKFISH_ISSUER_PUBLIC_KEY` held when this was compiled, in either form of [`Self::parse`]; `None`
    /// if it was not set, or empty.
    ///
    /// # Errors
    /// If it held something that is no key.
    pub fn built_in() -> Result<Option<Self>, KeyError> {
        BUILT_IN
            .filter(|text| !text.is_empty())
            .map(|text| Self::parse(text.as_bytes()))
            .transpose()
    }

    /// The key as PEM.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|error| KeyError::Pem(error.to_string()))
    }

    /// Whether `signature` is this key's over `message`. Strict: of the signatures that RFC 8032 leaves open, none that
    /// another verifier may refuse.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// An issuer's private key. Nothing shows it but [`Self::to_pem`]; its memory is overwritten when it is dropped.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// The key that 32 random octets make.
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads a key in PEM (`-----BEGIN PRIVATE KEY-----`, PKCS#8 as in RFC 8410), which OpenSSL writes as well.
    ///
    /// # Errors
    /// If it is something else, encrypted, or a key of another algorithm.
    pub fn parse(text: &[u8]) -> Result<Self, KeyError> {
        let trimmed = text.trim_ascii();
        if !trimmed.starts_with(PRIVATE_HEAD.as_bytes()) {
            return Err(KeyError::NotPrivate { found: looks_like(text) });
        }
        let pem = std::str::from_utf8(trimmed).map_err(|error| KeyError::Pem(error.to_string()))?;
        SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|error| KeyError::Pem(error.to_string()))
    }

    /// The key as PEM, to be written where only its owner reads.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        // Without the public half, as RFC 5958's first version has it: not every OpenSSL reads the second.
        let pair = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        pair.to_pkcs8_pem(LineEnding::LF).map_err(|error| KeyError::Pem(error.to_string()))
    }

    /// The public key that belongs to it.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(********)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(octet: u8) -> PrivateKey {
        PrivateKey::from_seed(&Zeroizing::new([octet; 32]))
    }

    #[test]
    fn the_first_vector_of_rfc_8032() {
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ];
        let key = PrivateKey::from_seed(&Zeroizing::new(seed));
        assert_eq!(key.public_key().to_string(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        let signature = key.sign(b"");
        let hex: String = signature.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(
            hex,
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        );
        assert!(key.public_key().signed(b"", &signature));
        assert!(!key.public_key().signed(b"x", &signature));
    }

    #[test]
    fn keys_survive_their_files() {
        let key = private(7);
        let pem = key.to_pem().unwrap();
        assert!(pem.starts_with(PRIVATE_HEAD), "{}", &pem[..20]);
        let read = PrivateKey::parse(format!("\n{}\n\n", pem.as_str()).as_bytes()).unwrap();
        assert_eq!(read.public_key(), key.public_key());
        let public = key.public_key();
        assert_eq!(PublicKey::parse(public.to_pem().unwrap().as_bytes()).unwrap(), public);
        assert_eq!(PublicKey::parse(format!(" {public}\r\n").as_bytes()).unwrap(), public);
    }

    #[test]
    fn openssl_keys_are_read() {
        // openssl genpkey -algorithm ed25519; openssl pkey -pubout
        let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
        let key = PrivateKey::parse(private.as_bytes()).unwrap();
        assert_eq!(key.public_key(), PublicKey::parse(public.as_bytes()).unwrap());
        assert_eq!(key.to_pem().unwrap().as_str(), private);
        assert_eq!(key.public_key().to_pem().unwrap(), public);
    }

    #[test]
    fn what_is_no_key_is_named_and_not_shown() {
        let key = private(9);
        let pem = key.to_pem().unwrap();
        let public = key.public_key().to_pem().unwrap();
        let body = pem.lines().nth(1).unwrap().to_owned();
        for (text, expected) in [
            ("", "found nothing"),
            (" \n", "found nothing"),
            ("{\"id\":1}", "found JSON"),
            (pem.as_str(), "found a private key"),
            ("-----BEGIN CERTIFICATE-----\n", "found another kind of PEM"),
            ("QUJD", "found something else"),
            (
                "-----BEGIN PUBLIC KEY-----\nQUJD\n-----END PUBLIC KEY-----\n",
                "not an Ed25519 key in PEM",
            ),
            // The point of order one, by which anything is signed.
            ("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "not a usable point"),
        ] {
            let error = PublicKey::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains(&body));
        }
        assert!(PublicKey::parse(&[0xff; 40]).is_err());
        for (text, expected) in [
            (public.as_str(), "found a public key"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "found a private key"),
            ("-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----", "not an Ed25519 key"),
            (&pem[..70], "not an Ed25519 key"),
        ] {
            let error = PrivateKey::parse(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!format!("{error} {error:?}").contains(&body));
        }
        assert_eq!(format!("{key:?}"), "PrivateKey(********)");
    }

    #[test]
    fn the_key_of_the_build_is_a_key() {
        PublicKey::built_in().unwrap();
    }

    #[test]
    fn a_build_is_stopped_by_what_is_no_key() {
        for (text, fits) in [
            ("", true),
            ("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", true),
            ("-----BEGIN PUBLIC KEY-----\nMCow", true),
            ("-----BEGIN PRIVATE KEY-----\nMC4C", false),
            ("keys/issuer.pub", false),
            ("-----BEGIN PUB", false),
        ] {
            assert_eq!(is_empty_base64_or_pem(text.as_bytes()), fits, "{text}");
        }
    }
}
