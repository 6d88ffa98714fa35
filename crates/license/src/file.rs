//! What a Parquet file says of its licence, and whether that holds.

use crate::key::PublicKey;
use crate::license::{License, LicenseError, Terms};
use crate::tier::{Tier, UnknownTier};

/// Key of the whole signed licence.
pub(crate) const LICENSE: &str = "rockfish.license";
const LICENSE_ID: [&str; 2] = ["rockfish.license_id", "rockfish.license.id"];
const COMPANY: [&str; 2] = ["rockfish.company", "rockfish.license.company"];
const EMAIL: [&str; 2] = ["rockfish.customer_email", "rockfish.license.customer_email"];
const ISSUED_AT: [&str; 2] = ["rockfish.issued_at", "rockfish.license.issued_at"];
const TIER: [&str; 2] = ["rockfish.tier", "rockfish.license.tier"];
const OBSERVATION: [&str; 2] = ["rockfish.observation", "rockfish.license.observation"];
const SCHEMA_VERSION: [&str; 1] = ["rockfish.schema_version"];

/// The keys of a file's metadata that this crate reads, each with its spellings: the first is written, the others are
/// older.
pub fn metadata_keys() -> impl Iterator<Item = &'static [&'static str]> {
    let keys: [&'static [&'static str]; 8] = [
        &[LICENSE],
        &LICENSE_ID,
        &COMPANY,
        &EMAIL,
        &ISSUED_AT,
        &TIER,
        &OBSERVATION,
        &SCHEMA_VERSION,
    ];
    keys.into_iter()
}

/// What a file repeats of its licence, to be read without parsing it.
pub(crate) fn claims(
    terms: &Terms,
) -> impl Iterator<Item = (&'static [&'static str], Option<&str>)> {
    [
        (LICENSE_ID.as_slice(), Some(terms.id.as_str())),
        (COMPANY.as_slice(), Some(terms.company.as_str())),
        (EMAIL.as_slice(), terms.customer_email.as_deref()),
        (ISSUED_AT.as_slice(), Some(terms.issued_at.as_str())),
    ]
    .into_iter()
}

/// A file's metadata does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is no licence, and none is claimed.
    #[error("no licence: metadata {LICENSE:?} is missing")]
    Unlicensed,
    /// A licence is named, but the file does not carry it, so nothing can be checked.
    #[error("licence {id:?} is named, but not carried: metadata {LICENSE:?} is missing")]
    Unsigned {
        /// The licence that is named.
        id: String,
    },
    /// The carried licence cannot be read, or is not the issuer's.
    #[error("metadata {LICENSE:?}: {0}")]
    License(#[from] LicenseError),
    /// A key is there more than once, so that readers may differ on what the file says.
    #[error("metadata {0:?} is there more than once")]
    Twice(String),
    /// A key is missing that a licensed file has.
    #[error("metadata {0:?} is missing")]
    Missing(&'static str),
    /// A key does not say what the licence or the rows say.
    #[error("metadata {key:?}: found {found:?}, expected {expected}")]
    Claim {
        /// The key, as the file spells it.
        key: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        expected: String,
    },
    /// The tier is none.
    #[error("metadata {key:?}: {error}")]
    Tier {
        /// The key, as the file spells it.
        key: &'static str,
        /// What was found.
        error: UnknownTier,
    },
    /// The rows need more than the file's tier.
    #[error("the columns are those of the {columns} tier, metadata {key:?} says {tier}")]
    Columns {
        /// The smallest tier that has the columns.
        columns: Tier,
        /// The key, as the file spells it.
        key: &'static str,
        /// What it says.
        tier: Tier,
    },
}

/// What the file shows besides its metadata: its columns, and the statistics of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts<'a> {
    /// The smallest tier that has all columns of the file; columns beyond the tiers' are not counted.
    pub columns: Tier,
    /// Values that column `obname` is known to hold, as its least and greatest; none if the file does not say.
    pub observations: &'a [&'a str],
}

/// A file whose metadata agrees with the licence that it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedFile {
    /// The licence. It may have expired since the file was written: [`Terms::validity`].
    pub license: Terms,
    /// The file's tier, at most the licence's.
    pub tier: Tier,
    /// The file's observation domain.
    pub observation: String,
}

/// Checks the metadata of a file: that `key` signed the licence it carries, that what it repeats of the licence says the
/// same, and that tier, schema version and observation domain are not more than the licence grants and are those of the
/// columns and rows.
///
/// **What this shows:** an issuer granted this licence, and nobody changed what the metadata says of it. **What it does
/// not:** that the rows are those a probe wrote, or that a probe with this licence wrote them. A program that writes files
/// has no private key, so rows are not signed; whoever has a file of a licence can put its licence into another file of the
/// same tier and observation domain. When the file was written is not signed either, so a licence that has expired since
/// is none the worse: the term is left to the caller.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify_file<'a>(
    metadata: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    facts: &FileFacts<'_>,
    key: &PublicKey,
) -> Result<VerifiedFile, FileError> {
    let pairs = read_pairs(metadata)?;
    // Both spellings count, so that neither can say something else unseen.
    let values = |keys: &'static [&'static str]| {
        keys.iter().filter_map(|key| {
            let (_, value) = pairs.iter().find(|(found, _)| found == key)?;
            Some((*key, *value))
        })
    };
    let Some((_, document)) = values(&[LICENSE]).next() else {
        let named = values(&LICENSE_ID).next();
        return Err(
            named.map_or(FileError::Unlicensed, |(_, id)| FileError::Unsigned { id: shown(id) })
        );
    };
    let license = License::parse(document.as_bytes())?;
    license.check_signature(key)?;
    let terms = license.terms();

    for (keys, expected) in claims(terms) {
        let mut seen = false;
        for (key, found) in values(keys) {
            seen = true;
            if Some(found) != expected {
                let expected = expected.map_or("none, as in the licence".to_owned(), |text| {
                    format!("{text:?}, as in the licence")
                });
                return Err(FileError::Claim { key, found: shown(found), expected });
            }
        }
        if let (Some(_), false, Some(key)) = (expected, seen, keys.first()) {
            return Err(FileError::Missing(key));
        }
    }

    let mut tier = None;
    for (key, found) in values(&TIER) {
        let claimed: Tier = found.parse().map_err(|error| FileError::Tier { key, error })?;
        if claimed > terms.tier {
            return Err(FileError::Claim {
                key,
                found: shown(found),
                expected: format!("{} or less, as in the licence", terms.tier),
            });
        }
        if facts.columns > claimed {
            return Err(FileError::Columns { columns: facts.columns, key, tier: claimed });
        }
        if tier.is_some_and(|tier| tier != claimed) {
            return Err(FileError::Twice(TIER[0].to_owned()));
        }
        tier = Some(claimed);
    }
    let tier = tier.ok_or(FileError::Missing(TIER[0]))?;

    let (key, found) =
        values(&SCHEMA_VERSION).next().ok_or(FileError::Missing(SCHEMA_VERSION[0]))?;
    let version = facts.columns.schema_version();
    if found != version.to_string() {
        let expected = format!("\"{version}\" for the columns of the {} tier", facts.columns);
        return Err(FileError::Claim { key, found: shown(found), expected });
    }

    let mut observation = None;
    for (key, found) in values(&OBSERVATION) {
        let claim = |expected| FileError::Claim { key, found: shown(found), expected };
        if !terms.permits_observation(found) {
            return Err(claim(format!("{:?}, as in the licence", terms.default_observation())));
        }
        if let Some(other) = facts.observations.iter().find(|other| **other != found) {
            return Err(claim(format!("{:?}, as in column obname", shown(other))));
        }
        if observation.is_some_and(|observation| observation != found) {
            return Err(FileError::Twice(OBSERVATION[0].to_owned()));
        }
        observation = Some(found);
    }
    let observation = observation.ok_or(FileError::Missing(OBSERVATION[0]))?.to_owned();
    Ok(VerifiedFile { license: terms.clone(), tier, observation })
}

/// The pairs that are ours, each key once.
fn read_pairs<'a>(
    metadata: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<Vec<(&'static str, &'a str)>, FileError> {
    let mut pairs: Vec<(&'static str, &str)> = Vec::new();
    for (found, value) in metadata {
        let Some(key) = metadata_keys().flatten().copied().find(|key| *key == found) else {
            continue;
        };
        if pairs.iter().any(|(seen, _)| *seen == key) {
            return Err(FileError::Twice(key.to_owned()));
        }
        pairs.push((key, value.unwrap_or_default()));
    }
    Ok(pairs)
}

/// Text of a file, cut for a message.
fn shown(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
