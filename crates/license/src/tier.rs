//! Tiers.

use std::fmt;
use std::str::FromStr;

/// The observation domain of those who may not choose one: the Community tier's.
pub const DEFAULT_OBSERVATION: &str = "gnat";

/// What a licence unlocks. Each tier has all that the one before has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// 44 columns; no licence is needed.
    #[default]
    Community,
    /// 54 columns, an observation domain of one's own.
    Basic,
    /// 60 columns.
    Professional,
    /// 63 columns.
    Enterprise,
}

impl Tier {
    /// All tiers, smallest first.
    pub const ALL: [Self; 4] = [Self::Community, Self::Basic, Self::Professional, Self::Enterprise];

    /// The name, as licences and file metadata have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Community => "community",
            Self::Basic => "basic",
            Self::Professional => "professional",
            Self::Enterprise => "enterprise",
        }
    }

    /// Whether files may be named after another observation domain than [`DEFAULT_OBSERVATION`].
    pub const fn has_observation(self) -> bool {
        !matches!(self, Self::Community)
    }

    /// What `rockfish.schema_version` says in a file that has this tier's columns.
    pub const fn schema_version(self) -> u16 {
        match self {
            Self::Community | Self::Basic => 1,
            Self::Professional | Self::Enterprise => 2,
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tier's name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown tier {0:?}, expected community, basic, professional or enterprise")]
pub struct UnknownTier(
    /// What was found.
    pub String,
);

impl FromStr for Tier {
    type Err = UnknownTier;

    fn from_str(name: &str) -> Result<Self, UnknownTier> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.name() == name)
            .ok_or_else(|| UnknownTier(name.to_owned()))
    }
}
