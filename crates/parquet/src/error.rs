//! What can go wrong with writing.

use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;

/// Why records could not be written. Files finished before stay; the one in the making is removed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// A row group could not be put in form.
    #[error("cannot encode {}: {source}", path.display())]
    Encode {
        /// The file it was for, by its final name.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
    /// A setting cannot be used.
    #[error("{setting} is {found}, expected {expected}")]
    Setting {
        /// Its name in [`crate::WriterConfig`].
        setting: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// An earlier call failed, so records are missing.
    #[error("the writer of {} has failed before", path.display())]
    Failed {
        /// The folder it writes to.
        path: PathBuf,
    },
}

impl WriteError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}
