//! One database: reading it, and knowing whether its file has changed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;

/// What a database is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Countries.
    Country,
    /// Cities, and countries where no database of countries knows them.
    City,
    /// Autonomous systems.
    Asn,
}

impl Kind {
    /// The configuration's name for it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Country => "country_db",
            Self::City => "city_db",
            Self::Asn => "asn_db",
        }
    }

    /// Words of which a fitting database has one in its type, such as `GeoLite2-City`.
    const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Country => &["country", "city", "enterprise"],
            Self::City => &["city", "enterprise"],
            Self::Asn => &["asn", "isp"],
        }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Country => "a Country, City or Enterprise database",
            Self::City => "a City or Enterprise database",
            Self::Asn => "an ASN or ISP database",
        }
    }
}

/// A database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnrichError {
    /// The file cannot be read.
    #[error("{}: cannot read {}", .kind.key(), .path.display())]
    Read {
        /// What it is wanted for.
        kind: Kind,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The path leads to something that is no file.
    #[error("{}: {}: found {found}, expected a file", .kind.key(), .path.display())]
    NotAFile {
        /// What it is wanted for.
        kind: Kind,
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The file changed while it was read.
    #[error("{}: {} changed while it was read", .kind.key(), .path.display())]
    Changing {
        /// What it is wanted for.
        kind: Kind,
        /// The file.
        path: PathBuf,
    },
    /// Not a MaxMind database, or a damaged one.
    #[error("{}: {} ({octets} octets) is no whole MaxMind database: {problem}", .kind.key(), .path.display())]
    Format {
        /// What it is wanted for.
        kind: Kind,
        /// The file.
        path: PathBuf,
        /// Its length.
        octets: usize,
        /// What is wrong, with the offset where it is known.
        problem: String,
    },
    /// A MaxMind database of something else.
    #[error("{}: {}: found a database of type {found:?}, expected {}", .kind.key(), .path.display(), .kind.expected())]
    Type {
        /// What it is wanted for.
        kind: Kind,
        /// The file.
        path: PathBuf,
        /// The type that it names.
        found: String,
    },
}

/// What tells a file from the one that was there before: replaced by another (device and inode), or written into (length
/// and times). The time of change is among them since it cannot be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    identity: (u64, u64),
    octets: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Self {
                identity: (metadata.dev(), metadata.ino()),
                octets: metadata.len(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            }
        }
        #[cfg(not(unix))]
        {
            let modified = metadata.modified().ok().and_then(|time| {
                let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
                Some((since.as_secs() as i64, i64::from(since.subsec_nanos())))
            });
            let modified = modified.unwrap_or_default();
            Self { identity: (0, 0), octets: metadata.len(), modified, changed: modified }
        }
    }

    /// The stamp of what is at `path` now; `None` if nothing can be said.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }
}

/// A database in memory.
#[derive(Debug)]
pub(crate) struct Database {
    reader: Reader<Vec<u8>>,
}

impl Database {
    /// Reads the file at `path` and checks that it is a database of this kind.
    pub(crate) fn open(kind: Kind, path: &Path) -> Result<(Self, Stamp), EnrichError> {
        let read = |source| EnrichError::Read { kind, path: path.to_owned(), source };
        // Asked before it is opened: opening a pipe would wait for its writer.
        let found = fs::metadata(path).map_err(read)?.file_type();
        if !found.is_file() {
            let found = if found.is_dir() { "a folder" } else { "a device or pipe" };
            return Err(EnrichError::NotAFile { kind, path: path.to_owned(), found });
        }
        let mut file = File::open(path).map_err(read)?;
        let before = Stamp::of(&file.metadata().map_err(read)?);
        let mut octets = Vec::new();
        octets.try_reserve_exact(usize::try_from(before.octets).unwrap_or(usize::MAX)).map_err(
            |_| read(io::Error::new(io::ErrorKind::OutOfMemory, "it does not fit into memory")),
        )?;
        // No further than it was long: a file that grows on and on is one that is being written.
        (&mut file).take(before.octets).read_to_end(&mut octets).map_err(read)?;
        let after = Stamp::of(&file.metadata().map_err(read)?);
        if after != before {
            return Err(EnrichError::Changing { kind, path: path.to_owned() });
        }
        Ok((Self::parse(kind, path, octets)?, before))
    }

    fn parse(kind: Kind, path: &Path, octets: Vec<u8>) -> Result<Self, EnrichError> {
        let length = octets.len();
        let reader = Reader::from_source(octets).map_err(|error| EnrichError::Format {
            kind,
            path: path.to_owned(),
            octets: length,
            problem: error.to_string(),
        })?;
        let found = &reader.metadata().database_type;
        let lower = found.to_ascii_lowercase();
        if !kind.types().iter().any(|word| lower.contains(word)) {
            let found = found.clone();
            return Err(EnrichError::Type { kind, path: path.to_owned(), found });
        }
        Ok(Self { reader })
    }

    /// Where the record of `address` lies, which tells records apart; `None` if there is none.
    pub(crate) fn find(&self, address: IpAddr) -> Result<Option<usize>, MaxMindDbError> {
        // A database of IPv4 alone knows nothing of IPv6; that is no failure.
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        Ok(self.reader.lookup(address)?.offset())
    }

    /// The record of `address`.
    pub(crate) fn record<'a, T: Deserialize<'a>>(
        &'a self,
        address: IpAddr,
    ) -> Result<Option<T>, MaxMindDbError> {
        self.reader.lookup(address)?.decode()
    }
}

/// What is read of a record of countries or cities.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GeoRecord<'a> {
    #[serde(borrow)]
    pub(crate) country: Country<'a>,
    #[serde(borrow)]
    pub(crate) city: City<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Country<'a> {
    pub(crate) iso_code: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct City<'a> {
    #[serde(borrow)]
    pub(crate) names: Names<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Names<'a> {
    pub(crate) en: Option<&'a str>,
}

/// What is read of a record of autonomous systems.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AsnRecord<'a> {
    pub(crate) autonomous_system_number: Option<u32>,
    pub(crate) autonomous_system_organization: Option<&'a str>,
}
