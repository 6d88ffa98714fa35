//! Showing what a file says.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::anyhow;
use rockfish_app::{Exit, ResultExt};
use rockfish_license::{License, Terms, metadata_keys};

use crate::args::Show;
use crate::document::{Document, Footer};
use crate::verify::LicenseLine;

pub(crate) fn run(options: &Show) -> anyhow::Result<Exit> {
    let path = &options.file;
    let text = match Document::read(path)? {
        Document::License(octets) => {
            let license = License::parse(&octets)
                .map_err(|error| anyhow!("{}: {error}", path.display()))
                .exit(Exit::Usage)?;
            if options.json { json_license(&license)? } else { text_license(license.terms()) }
        }
        Document::Parquet(footer) if options.json => json_file(&footer)?,
        Document::Parquet(footer) => text_file(path, &footer)?,
        Document::Broken(problem) => {
            return Err(anyhow!("{}: {problem}", path.display())).exit(Exit::Usage);
        }
    };
    crate::print(&text)?;
    Ok(Exit::Done)
}

fn json_license(license: &License) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&LicenseLine::new(license.terms(), None))? + "\n")
}

fn text_license(terms: &Terms) -> String {
    let mut text = String::new();
    for (name, value) in [
        ("id", Some(terms.id.as_str())),
        ("tier", Some(terms.tier.name())),
        ("customer_email", terms.customer_email.as_deref()),
        ("company", Some(terms.company.as_str())),
        ("observation", terms.observation.as_deref().or(Some("any"))),
        ("issued_at", Some(terms.issued_at.as_str())),
        ("not_before", terms.not_before.as_ref().map(|time| time.as_str())),
        ("expires_at", Some(terms.expires_at.as_str())),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:15} {value}");
        }
    }
    text.push_str("signature       not checked, see rockfish_license verify\n");
    text
}

/// The metadata that is ours.
fn own(footer: &Footer) -> impl Iterator<Item = (&str, Option<&str>)> {
    let known = |key: &str| {
        key.starts_with("rockfish.") || metadata_keys().flatten().any(|name| *name == key)
    };
    footer.pairs().filter(move |(key, _)| known(key))
}

fn json_file(footer: &Footer) -> anyhow::Result<String> {
    let pairs: BTreeMap<&str, Option<&str>> = own(footer).collect();
    Ok(serde_json::to_string(&pairs)? + "\n")
}

fn text_file(path: &Path, footer: &Footer) -> anyhow::Result<String> {
    let mut text = String::new();
    for (key, value) in own(footer) {
        // Nobody has checked what stands there: it must not reach the terminal as commands.
        let value: String = value
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        writeln!(text, "{key:26} {value}")?;
    }
    if text.is_empty() {
        writeln!(text, "{}: no metadata of the Rockfish Toolkit", path.display())?;
    } else {
        text.push_str("Nothing of this is checked, see rockfish_license verify\n");
    }
    Ok(text)
}
