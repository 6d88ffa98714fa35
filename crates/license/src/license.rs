//! The licence itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rockfish_flow::Timestamp;

use crate::json::{Object, Value};
use crate::key::{PrivateKey, PublicKey};
use crate::tier::{DEFAULT_OBSERVATION, Tier, UnknownTier};
use crate::time::{self, LicenseTime};

/// Most octets of a licence. One of the manual's form has about 350.
pub const MAX_OCTETS: usize = 65_536;

/// Most characters of a text in a licence: it goes into the metadata of every file.
pub const MAX_TEXT: usize = 256;

const SIGNATURE: &str = "signature";

/// A licence grants nothing, or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LicenseError {
    /// Not JSON, or JSON that cannot be signed unambiguously.
    #[error("line {line}, column {column}: {problem}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column in octets, from 1; 0 at the end of the line before.
        column: usize,
        /// What was found.
        problem: String,
    },
    /// More octets than any licence has.
    #[error("found {0} octets, expected at most {MAX_OCTETS}")]
    TooLong(usize),
    /// A member that every licence has is not there.
    #[error("member {0:?} is missing")]
    Missing(&'static str),
    /// A member says what it cannot say.
    #[error("member {member:?}: found {found}, expected {expected}")]
    Member {
        /// Its name.
        member: &'static str,
        /// What it says, or what kind of value it is.
        found: String,
        /// What it may say.
        expected: String,
    },
    /// The tier is none.
    #[error("member \"tier\": {0}")]
    Tier(#[from] UnknownTier),
    /// The signature is not this key's over these members. Which of the two is wrong cannot be told.
    #[error(
        "signature does not match: the licence was altered, or signed by another key than {key}"
    )]
    Signature {
        /// The key it was checked with, in base64.
        key: String,
    },
    /// Valid from a later time on.
    #[error("not valid before {from}, it is {}", time::text(*.now))]
    NotYetValid {
        /// From when on.
        from: LicenseTime,
        /// The time it was checked at.
        now: Timestamp,
    },
    /// No longer valid.
    #[error("expired at {expires_at}, it is {}", time::text(*.now))]
    Expired {
        /// Since when.
        expires_at: LicenseTime,
        /// The time it was checked at.
        now: Timestamp,
    },
}

/// What a licence says. Nothing is granted by it until a signature is checked: see [`Verified`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Identifier, such as `lic_abc123`.
    pub id: String,
    /// What is unlocked.
    pub tier: Tier,
    /// Address of the customer.
    pub customer_email: Option<String>,
    /// Who it was given to.
    pub company: String,
    /// The only observation domain it is for; `None`: any.
    pub observation: Option<String>,
    /// When it was given.
    pub issued_at: LicenseTime,
    /// From when on it is valid, if not from [`Self::issued_at`] on.
    pub not_before: Option<LicenseTime>,
    /// The first moment at which it is no longer valid.
    pub expires_at: LicenseTime,
}

/// Where a time lies in a licence's term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Before it.
    NotYet,
    /// In it.
    Valid,
    /// After it.
    Expired,
}

impl Terms {
    /// From when on it is valid.
    pub fn valid_from(&self) -> &LicenseTime {
        self.not_before.as_ref().unwrap_or(&self.issued_at)
    }

    /// Whether it is valid at `now`: from [`Self::valid_from`] on, and until just before [`Self::expires_at`].
    pub fn validity(&self, now: Timestamp) -> Validity {
        if now >= self.expires_at.timestamp() {
            Validity::Expired
        } else if now < self.valid_from().timestamp() {
            Validity::NotYet
        } else {
            Validity::Valid
        }
    }

    /// Whether files may be of observation domain `name`. The Community tier has [`DEFAULT_OBSERVATION`] alone; above it,
    /// a licence that names a domain is for that one, and one that names none is for any.
    pub fn permits_observation(&self, name: &str) -> bool {
        if !self.tier.has_observation() {
            return name == DEFAULT_OBSERVATION;
        }
        self.observation.as_deref().is_none_or(|observation| observation == name)
    }

    /// The observation domain where nobody chose one.
    pub fn default_observation(&self) -> &str {
        match &self.observation {
            Some(observation) if self.tier.has_observation() => observation,
            _ => DEFAULT_OBSERVATION,
        }
    }

    /// Makes the licence.
    ///
    /// # Errors
    /// If a text is empty, longer than [`MAX_TEXT`], or has control characters, or if the licence would never be valid.
    pub fn sign(self, key: &PrivateKey) -> Result<License, LicenseError> {
        let text = |text: &str| Value::Text(text.to_owned());
        let members = [
            ("id", Some(text(&self.id))),
            ("tier", Some(text(self.tier.name()))),
            ("customer_email", self.customer_email.as_deref().map(text)),
            ("company", Some(text(&self.company))),
            ("observation", self.observation.as_deref().map(text)),
            ("issued_at", Some(text(self.issued_at.as_str()))),
            ("not_before", self.not_before.as_ref().map(|time| text(time.as_str()))),
            ("expires_at", Some(text(self.expires_at.as_str()))),
        ];
        let members =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let document = Object(members.collect());
        let terms = read_terms(&document)?;
        let signature = key.sign(document.canonical().as_bytes());
        Ok(License { document, terms, signature })
    }
}

/// A licence as it was read or made; its signature is not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// All members but the signature, known or not.
    document: Object,
    terms: Terms,
    signature: [u8; 64],
}

impl License {
    /// Reads a licence. Members that are not known are kept, as they are signed too.
    ///
    /// # Errors
    /// If it is not a JSON object, has a member twice, lacks one, or one says what it cannot say.
    pub fn parse(json: &[u8]) -> Result<Self, LicenseError> {
        if json.len() > MAX_OCTETS {
            return Err(LicenseError::TooLong(json.len()));
        }
        let mut document: Object = serde_json::from_slice(json).map_err(|error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let problem = error.to_string();
            let problem = problem.strip_suffix(&place).unwrap_or(&problem).to_owned();
            LicenseError::Json { line: error.line(), column: error.column(), problem }
        })?;
        let signature = read_signature(&document)?;
        document.0.retain(|(name, _)| name != SIGNATURE);
        let terms = read_terms(&document)?;
        Ok(Self { document, terms, signature })
    }

    /// Checks that `key` signed it and that it is valid at `now`.
    ///
    /// # Errors
    /// [`LicenseError::Signature`], [`LicenseError::NotYetValid`] or [`LicenseError::Expired`].
    pub fn verify(&self, key: &PublicKey, now: Timestamp) -> Result<Verified, LicenseError> {
        self.check_signature(key)?;
        match self.terms.validity(now) {
            Validity::Valid => {
                Ok(Verified { terms: self.terms.clone(), document: self.to_compact() })
            }
            Validity::NotYet => {
                Err(LicenseError::NotYetValid { from: self.terms.valid_from().clone(), now })
            }
            Validity::Expired => {
                Err(LicenseError::Expired { expires_at: self.terms.expires_at.clone(), now })
            }
        }
    }

    /// Checks that `key` signed it, whatever the time.
    ///
    /// # Errors
    /// [`LicenseError::Signature`].
    pub fn check_signature(&self, key: &PublicKey) -> Result<(), LicenseError> {
        if key.signed(self.canonical().as_bytes(), &self.signature) {
            Ok(())
        } else {
            Err(LicenseError::Signature { key: key.to_string() })
        }
    }

    /// What it says, which nobody has checked.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The octets that are signed: the members but for the signature, in the form of RFC 8785.
    pub fn canonical(&self) -> String {
        self.document.canonical()
    }

    /// The licence as a file for people: the members in their order, the signature last.
    pub fn to_json(&self) -> String {
        self.with_signature().pretty()
    }

    /// The licence in the form of RFC 8785, with its signature: what files carry.
    pub fn to_compact(&self) -> String {
        self.with_signature().canonical()
    }

    fn with_signature(&self) -> Object {
        let mut document = self.document.clone();
        document.0.push((SIGNATURE.to_owned(), Value::Text(STANDARD.encode(self.signature))));
        document
    }
}

/// A licence that an issuer's key signed and that was valid when it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    terms: Terms,
    document: String,
}

impl Verified {
    /// What is unlocked.
    pub fn tier(&self) -> Tier {
        self.terms.tier
    }

    /// Its identifier.
    pub fn id(&self) -> &str {
        &self.terms.id
    }

    /// Who it was given to.
    pub fn company(&self) -> &str {
        &self.terms.company
    }

    /// The only observation domain it is for; `None`: any.
    pub fn observation(&self) -> Option<&str> {
        self.terms.observation.as_deref()
    }

    /// The first moment at which it is no longer valid. A program that runs on checks it again: [`Terms::validity`].
    pub fn expires_at(&self) -> Timestamp {
        self.terms.expires_at.timestamp()
    }

    /// All that it says.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What a file carries of its licence: keys and values for the metadata of Parquet. `rockfish.tier`,
    /// `rockfish.schema_version` and `rockfish.observation` are the file's own and not among them.
    pub fn metadata(&self) -> Vec<(&'static str, String)> {
        let mut pairs = crate::file::claims(&self.terms)
            .filter_map(|(keys, value)| Some((*keys.first()?, value?.to_owned())))
            .collect::<Vec<_>>();
        pairs.push((crate::file::LICENSE, self.document.clone()));
        pairs
    }
}

fn read_signature(document: &Object) -> Result<[u8; 64], LicenseError> {
    let text = match document.get(SIGNATURE) {
        None => return Err(LicenseError::Missing(SIGNATURE)),
        Some(Value::Text(text)) => text,
        Some(other) => return Err(wrong(SIGNATURE, other.kind(), "64 octets in base64")),
    };
    // Strict: no other text may stand for the same signature.
    STANDARD.decode(text).ok().and_then(|octets| octets.try_into().ok()).ok_or_else(|| {
        let found = format!("{} characters that are no such thing", text.chars().count());
        wrong(SIGNATURE, &found, "64 octets in base64")
    })
}

fn wrong(member: &'static str, found: &str, expected: &str) -> LicenseError {
    LicenseError::Member { member, found: found.to_owned(), expected: expected.to_owned() }
}

fn read_terms(document: &Object) -> Result<Terms, LicenseError> {
    let required = |member| optional_text(document, member)?.ok_or(LicenseError::Missing(member));
    let time = |member| {
        optional_text(document, member)?
            .map(|text| {
                LicenseTime::parse(&text).ok_or_else(|| {
                    wrong(member, &format!("{text:?}"), "a time such as 2025-01-01T00:00:00Z")
                })
            })
            .transpose()
    };
    let terms = Terms {
        id: required("id")?,
        tier: required("tier")?.parse()?,
        customer_email: optional_text(document, "customer_email")?,
        company: required("company")?,
        observation: optional_text(document, "observation")?,
        issued_at: time("issued_at")?.ok_or(LicenseError::Missing("issued_at"))?,
        not_before: time("not_before")?,
        expires_at: time("expires_at")?.ok_or(LicenseError::Missing("expires_at"))?,
    };
    if terms.expires_at.timestamp() <= terms.valid_from().timestamp() {
        return Err(wrong(
            "expires_at",
            terms.expires_at.as_str(),
            &format!("a time after {}, from when on it is valid", terms.valid_from()),
        ));
    }
    Ok(terms)
}

fn optional_text(document: &Object, member: &'static str) -> Result<Option<String>, LicenseError> {
    let text = match document.get(member) {
        None => return Ok(None),
        Some(Value::Text(text)) => text,
        Some(other) => return Err(wrong(member, other.kind(), "text")),
    };
    let length = text.chars().count();
    if length == 0 || length > MAX_TEXT {
        let expected = format!("1 to {MAX_TEXT} characters");
        return Err(wrong(member, &format!("{length} characters"), &expected));
    }
    // It is printed to terminals and logs.
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(wrong(member, &format!("{c:?}"), "text without control characters"));
    }
    Ok(Some(text.clone()))
}
