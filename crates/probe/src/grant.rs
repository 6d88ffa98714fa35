//! What the licence opens.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rockfish_flow::Timestamp;
use rockfish_license::{LicenseError, PublicKey, Verified};
use rockfish_schema::Tier;

use crate::config::License;
use crate::settings::DEFAULT_OBSERVATION;

/// Where a licence is looked for if no place is named.
const PLACES: [&str; 2] = ["/etc/rockfish/license.json", "/opt/rockfish/etc/license.json"];

/// What a licence opens, and which columns were chosen of it. Without one it is the Community tier.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grant {
    license: Option<Verified>,
    columns: Tier,
}

/// Why a licence opens nothing.
#[derive(Debug)]
pub(crate) enum GrantError {
    /// A file that is named cannot be read, or is not what it should be.
    File { key: &'static str, path: PathBuf, problem: String },
    /// The licence cannot be relied on.
    License { path: PathBuf, error: Box<LicenseError> },
    /// Nobody said whose signature counts.
    NoKey { path: PathBuf },
}

impl GrantError {
    /// The key that it is about.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::File { key, .. } => key,
            Self::License { .. } | Self::NoKey { .. } => "license.path",
        }
    }

    /// Whether the configuration is wrong, in contrast to the licence.
    pub(crate) fn is_config(&self) -> bool {
        matches!(self, Self::File { .. })
    }
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, problem, .. } => write!(f, "{}: {problem}", path.display()),
            Self::License { path, error } => write!(f, "licence {}: {error}", path.display()),
            Self::NoKey { path } => write!(
                f,
                "licence {}: this build knows no issuer's key, expected one by license.public_key",
                path.display()
            ),
        }
    }
}

impl Grant {
    /// Reads the licence that the configuration names, or one that lies where licences do.
    pub(crate) fn load(config: &License) -> Result<Self, GrantError> {
        let named = config.path.clone().filter(|path| !path.as_os_str().is_empty());
        let usual = || PLACES.into_iter().map(PathBuf::from).find(|path| path.exists());
        let Some(path) = named.or_else(usual) else { return Ok(Self::default()) };
        let text = read("license.path", &path)?;
        let failed = |error| GrantError::License { path: path.clone(), error: Box::new(error) };
        let license = rockfish_license::License::parse(&text).map_err(failed)?;
        let key = match config.public_key.as_deref().filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => {
                let key = "license.public_key";
                let text = read(key, path)?;
                PublicKey::parse(&text).map(Some).map_err(|error| GrantError::File {
                    key,
                    path: path.to_owned(),
                    problem: error.to_string(),
                })?
            }
            None => PublicKey::built_in().ok().flatten(),
        };
        let Some(key) = key else { return Err(GrantError::NoKey { path }) };
        let verified = license.verify(&key, now()).map_err(failed)?;
        Ok(Self { license: Some(verified), columns: Tier::Community })
    }

    /// Chooses the columns: those of version 2 if `extended`, else all of version 1 that the tier has. False if the tier
    /// does not have them.
    pub(crate) fn choose(&mut self, extended: bool) -> bool {
        use rockfish_license::Tier as Licensed;
        let tier = self.license.as_ref().map_or(Licensed::Community, Verified::tier);
        // What Enterprise has beyond, detection writes.
        self.columns = match tier {
            Licensed::Community => Tier::Community,
            Licensed::Professional | Licensed::Enterprise if extended => Tier::Professional,
            Licensed::Basic | Licensed::Professional | Licensed::Enterprise => Tier::Basic,
        };
        !extended || self.columns == Tier::Professional
    }

    /// Which columns are written.
    pub fn columns(&self) -> Tier {
        self.columns
    }

    /// Whether there is a valid licence.
    pub fn is_licensed(&self) -> bool {
        self.license.is_some()
    }

    /// Name of the licence's tier.
    pub fn tier_name(&self) -> &'static str {
        self.license.as_ref().map_or("community", |license| license.tier().name())
    }

    /// Whether there are columns for applications and places.
    pub fn has_applications(&self) -> bool {
        self.columns != Tier::Community
    }

    /// Whether there are columns for fingerprints.
    pub fn has_fingerprints(&self) -> bool {
        self.columns == Tier::Professional
    }

    /// The observation domain where nobody chose one.
    pub fn default_observation(&self) -> &str {
        self.license
            .as_ref()
            .map_or(DEFAULT_OBSERVATION, |license| license.terms().default_observation())
    }

    /// Whether records may carry this observation domain.
    pub fn permits_observation(&self, name: &str) -> bool {
        match &self.license {
            Some(license) => license.terms().permits_observation(name),
            None => name == DEFAULT_OBSERVATION,
        }
    }

    /// What files carry of the licence.
    pub fn metadata(&self) -> Vec<(String, String)> {
        let pairs = self.license.iter().flat_map(Verified::metadata);
        pairs.map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, GrantError> {
    std::fs::read(path).map_err(|error| GrantError::File {
        key,
        path: path.to_owned(),
        problem: format!("cannot read: {error}"),
    })
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
