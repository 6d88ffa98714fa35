//! Checking licences and files.

use std::path::Path;

use anyhow::Context;
use rockfish_app::exit::Report;
use rockfish_app::{Exit, ResultExt};
use rockfish_flow::Timestamp;
use rockfish_license::{License, LicenseError, PublicKey, Terms, Tier, Validity, verify_file};
use serde::Serialize;

use crate::args::Verify;
use crate::document::Document;

/// What was found out about a file.
struct Genuine {
    terms: Terms,
    /// The file's tier and observation domain, if it is a Parquet file.
    file: Option<(Tier, String)>,
    validity: Validity,
}

pub(crate) fn run(options: &Verify, now: Timestamp) -> anyhow::Result<Exit> {
    let key = crate::public_key(options.public_key.as_deref())?;
    let mut exit = Exit::Done;
    for path in &options.files {
        let document = match Document::read(path) {
            Ok(document) => document,
            // The other files are checked all the same.
            Err(error) => {
                exit = Exit::Usage;
                let report = Report::of(&error).map(|report| report.errors).unwrap_or_default();
                tracing::error!("{}", report.join("; "));
                continue;
            }
        };
        let found = check(&document, &key, now, options.current);
        match &found {
            Ok(genuine) => {
                tracing::info!(file = %path.display(), id = genuine.terms.id, "verified");
            }
            Err(problem) => {
                tracing::info!(file = %path.display(), problem, "not valid");
                if exit == Exit::Done {
                    exit = Exit::Failed;
                }
            }
        }
        crate::print(&if options.json { json(path, &found)? } else { line(path, &found) })?;
    }
    Ok(exit)
}

fn check(
    document: &Document,
    key: &PublicKey,
    now: Timestamp,
    current: bool,
) -> Result<Genuine, String> {
    match document {
        Document::License(octets) => {
            let license = License::parse(octets).map_err(|error| error.to_string())?;
            let verified = license.verify(key, now).map_err(|error| error.to_string())?;
            Ok(Genuine { terms: verified.terms().clone(), file: None, validity: Validity::Valid })
        }
        Document::Parquet(footer) => {
            let file = footer
                .with_facts(|facts| verify_file(footer.pairs(), facts, key))
                .map_err(|error| error.to_string())?;
            let validity = file.license.validity(now);
            match validity {
                Validity::Expired if current => {
                    let expires_at = file.license.expires_at;
                    return Err(LicenseError::Expired { expires_at, now }.to_string());
                }
                Validity::NotYet if current => {
                    let from = file.license.valid_from().clone();
                    return Err(LicenseError::NotYetValid { from, now }.to_string());
                }
                _ => {}
            }
            Ok(Genuine { terms: file.license, file: Some((file.tier, file.observation)), validity })
        }
        Document::Broken(problem) => Err(problem.clone()),
    }
}

fn line(path: &Path, found: &Result<Genuine, String>) -> String {
    let path = path.display();
    match found {
        Err(problem) => format!("{path}: not valid: {problem}\n"),
        Ok(Genuine { terms, file, validity }) => {
            let state = match validity {
                Validity::Valid => "valid",
                // Only of a file, whose licence was perhaps valid when it was written.
                Validity::Expired => "genuine, licence expired since",
                Validity::NotYet => "genuine, licence not yet valid",
            };
            let scope = match file {
                Some((tier, observation)) => format!("{tier} file of {observation}, licence "),
                None => String::new(),
            };
            let domain = terms
                .observation
                .as_deref()
                .map_or(String::new(), |observation| format!(" for {observation}"));
            format!(
                "{path}: {state}: {scope}{} ({}{domain}) of {}, until {}\n",
                terms.id, terms.tier, terms.company, terms.expires_at
            )
        }
    }
}

/// What `--json` prints of a file.
#[derive(Serialize)]
struct Line<'a> {
    file: std::borrow::Cow<'a, str>,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(flatten)]
    license: Option<LicenseLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_observation: Option<&'a str>,
}

/// What a licence says, by its own names.
#[derive(Serialize)]
pub(crate) struct LicenseLine<'a> {
    id: &'a str,
    tier: &'static str,
    customer_email: Option<&'a str>,
    company: &'a str,
    observation: Option<&'a str>,
    issued_at: &'a str,
    not_before: Option<&'a str>,
    expires_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

impl<'a> LicenseLine<'a> {
    pub(crate) fn new(terms: &'a Terms, validity: Option<Validity>) -> Self {
        Self {
            id: &terms.id,
            tier: terms.tier.name(),
            customer_email: terms.customer_email.as_deref(),
            company: &terms.company,
            observation: terms.observation.as_deref(),
            issued_at: terms.issued_at.as_str(),
            not_before: terms.not_before.as_ref().map(|time| time.as_str()),
            expires_at: terms.expires_at.as_str(),
            state: validity.map(|validity| match validity {
                Validity::Valid => "valid",
                Validity::Expired => "expired",
                Validity::NotYet => "not yet valid",
            }),
        }
    }
}

fn json(path: &Path, found: &Result<Genuine, String>) -> anyhow::Result<String> {
    let genuine = found.as_ref().ok();
    let file = genuine.and_then(|genuine| genuine.file.as_ref());
    let line = Line {
        file: path.to_string_lossy(),
        valid: genuine.is_some(),
        problem: found.as_ref().err().map(String::as_str),
        license: genuine.map(|genuine| LicenseLine::new(&genuine.terms, Some(genuine.validity))),
        file_tier: file.map(|(tier, _)| tier.name()),
        file_observation: file.map(|(_, observation)| observation.as_str()),
    };
    let text = serde_json::to_string(&line).context("cannot write JSON").exit(Exit::Failed)?;
    Ok(text + "\n")
}
