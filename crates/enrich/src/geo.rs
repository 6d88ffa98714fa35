//! The databases together, and their renewal.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::database::{Database, EnrichError, Kind, Stamp};
use crate::reader::GeoReader;
use crate::{Place, reader};

/// Which databases there are. Each may be missing: what it would know is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeoConfig {
    /// Countries, such as `GeoLite2-Country.mmdb`.
    pub country_db: Option<PathBuf>,
    /// Cities, such as `GeoLite2-City.mmdb`. It knows countries as well.
    pub city_db: Option<PathBuf>,
    /// Autonomous systems, such as `GeoLite2-ASN.mmdb`.
    pub asn_db: Option<PathBuf>,
}

impl GeoConfig {
    /// Whether there is any database.
    pub fn is_empty(&self) -> bool {
        self.country_db.is_none() && self.city_db.is_none() && self.asn_db.is_none()
    }
}

/// The databases as they are at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Databases {
    pub(crate) country: Option<Arc<Database>>,
    pub(crate) city: Option<Arc<Database>>,
    pub(crate) asn: Option<Arc<Database>>,
}

impl Databases {
    fn slot(&mut self, kind: Kind) -> &mut Option<Arc<Database>> {
        match kind {
            Kind::Country => &mut self.country,
            Kind::City => &mut self.city,
            Kind::Asn => &mut self.asn,
        }
    }
}

/// What readers and owner share.
#[derive(Debug)]
pub(crate) struct Shared {
    databases: RwLock<Databases>,
    /// Goes up after `databases` has changed, so that readers look only then.
    generation: AtomicU64,
}

impl Shared {
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn databases(&self) -> Databases {
        self.databases.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A file and what is known of it.
#[derive(Debug)]
struct Source {
    kind: Kind,
    path: PathBuf,
    /// The stamp of what was last tried, whether it could be used or not; `None` if there was nothing.
    tried: Option<Stamp>,
}

/// The databases, and the files they came from.
#[derive(Debug)]
pub struct GeoDb {
    sources: Vec<Source>,
    shared: Arc<Shared>,
}

/// Some of the databases could not be renewed. What was read before stays in use.
#[derive(Debug)]
pub struct RefreshError {
    /// Why, one for each database.
    pub problems: Vec<EnrichError>,
    /// Whether another database was renewed.
    pub renewed: bool,
}

impl fmt::Display for RefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
            if let Some(source) = std::error::Error::source(problem) {
                write!(f, ": {source}")?;
            }
        }
        f.write_str("; the database read before stays in use")
    }
}

impl std::error::Error for RefreshError {}

impl GeoDb {
    /// Reads the databases.
    ///
    /// # Errors
    /// If one that is named cannot be read, is damaged, or is of another type.
    pub fn open(config: &GeoConfig) -> Result<Self, EnrichError> {
        let named = [
            (Kind::Country, &config.country_db),
            (Kind::City, &config.city_db),
            (Kind::Asn, &config.asn_db),
        ];
        let mut databases = Databases::default();
        let mut sources = Vec::new();
        for (kind, path) in named {
            let Some(path) = path else { continue };
            let (database, stamp) = Database::open(kind, path)?;
            *databases.slot(kind) = Some(Arc::new(database));
            sources.push(Source { kind, path: path.clone(), tried: Some(stamp) });
        }
        let shared = Shared { databases: RwLock::new(databases), generation: AtomicU64::new(0) };
        Ok(Self { sources, shared: Arc::new(shared) })
    }

    /// A reader for one thread.
    pub fn reader(&self) -> GeoReader {
        GeoReader::new(Arc::clone(&self.shared))
    }

    /// Looks an address up, without a cache.
    pub fn lookup(&self, address: IpAddr) -> Place {
        reader::decode(&self.shared.databases(), address.to_canonical()).0
    }

    /// Reads anew what has changed: a file replaced by another, or written into. Costs a system call for each file where
    /// nothing has; call it every few seconds at most. True if a database was renewed.
    ///
    /// # Errors
    /// If a changed file cannot be used. What was read before stays in use, and the same file is not tried and told again
    /// until it changes once more.
    pub fn refresh(&mut self) -> Result<bool, RefreshError> {
        let mut problems = Vec::new();
        let mut renewed = false;
        for source in &mut self.sources {
            let now = Stamp::at(&source.path);
            if now == source.tried {
                continue;
            }
            match Database::open(source.kind, &source.path) {
                Ok((database, stamp)) => {
                    source.tried = Some(stamp);
                    let mut databases =
                        self.shared.databases.write().unwrap_or_else(PoisonError::into_inner);
                    *databases.slot(source.kind) = Some(Arc::new(database));
                    renewed = true;
                }
                // Someone is writing it just now; the next call finds it done, and nothing is wrong.
                Err(EnrichError::Changing { .. }) => {}
                Err(problem) => {
                    source.tried = now;
                    problems.push(problem);
                }
            }
        }
        if renewed {
            self.shared.generation.fetch_add(1, Ordering::Release);
        }
        if problems.is_empty() { Ok(renewed) } else { Err(RefreshError { problems, renewed }) }
    }
}
