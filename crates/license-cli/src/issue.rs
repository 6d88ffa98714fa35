//! Signing a licence.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow};
use rockfish_app::{Exit, ResultExt};
use rockfish_flow::Timestamp;
use rockfish_license::{DEFAULT_OBSERVATION, License, LicenseTime, PrivateKey, Terms};
use zeroize::Zeroizing;

use crate::args::Issue;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

pub(crate) fn run(options: &Issue, now: Timestamp) -> anyhow::Result<Exit> {
    let license = sign(options, now)?;
    let json = license.to_json();
    match &options.out {
        None => crate::print(&json)?,
        Some(path) => {
            replace(path, json.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            let terms = license.terms();
            tracing::info!(
                id = terms.id, tier = %terms.tier, expires_at = %terms.expires_at,
                file = %path.display(), "licence issued"
            );
        }
    }
    Ok(Exit::Done)
}

fn sign(options: &Issue, now: Timestamp) -> anyhow::Result<License> {
    if !options.tier.has_observation()
        && options.observation.as_deref().is_some_and(|name| name != DEFAULT_OBSERVATION)
    {
        return Err(anyhow!(
            "--observation: the {} tier has {DEFAULT_OBSERVATION:?} only, another needs basic or more",
            options.tier
        ))
        .exit(Exit::Usage);
    }
    let key = private_key(&options.key)?;
    let time = |time: Timestamp| {
        LicenseTime::from_timestamp(time)
            .with_context(|| format!("--days {}: ends after the year 9999", options.days))
            .exit(Exit::Usage)
    };
    let begin = options.not_before.as_ref().map_or(now, LicenseTime::timestamp);
    let terms = Terms {
        id: options.id.clone().map_or_else(random_id, Ok)?,
        tier: options.tier,
        customer_email: options.email.clone(),
        company: options.company.clone(),
        observation: options.observation.clone(),
        issued_at: time(now)?,
        not_before: options.not_before.clone(),
        expires_at: time(begin.plus_micros(i64::from(options.days) * DAY))?,
    };
    terms.sign(&key).context("cannot issue this licence").exit(Exit::Usage)
}

fn private_key(path: &Path) -> anyhow::Result<PrivateKey> {
    let text = Zeroizing::new(crate::read(path)?);
    let key = PrivateKey::parse(&text)
        .map_err(|error| anyhow!("{}: {error}", path.display()))
        .exit(Exit::Usage)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o077 != 0 {
            tracing::warn!(
                "{}: others than its owner have access to this private key (mode {:o}, expected 600)",
                path.display(),
                mode & 0o777
            );
        }
    }
    Ok(key)
}

fn random_id() -> anyhow::Result<String> {
    let mut octets = [0; 8];
    getrandom::fill(&mut octets)
        .map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    let mut id = "lic_".to_owned();
    for octet in octets {
        let _ = write!(id, "{octet:02x}");
    }
    Ok(id)
}

/// Puts a file in place of what is there, whole or not at all.
fn replace(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(std::io::Error::other("not a file name"));
    };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    let hidden = path.with_file_name(hidden);
    crate::create_new(&hidden, true, octets)?;
    fs::rename(&hidden, path).inspect_err(|_| {
        let _ = fs::remove_file(&hidden);
    })
}
