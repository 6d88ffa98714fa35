//! Flow records to Parquet files: rotating, atomic, the same bytes for the same flows.
//!
//! [`ParquetWriter`] takes records as the metering threads hand them over and writes them sorted by (`stime`, `flowid`).
//! Files appear under their final name only when complete. The column chunks are encoded here rather than by the generic
//! writer, which costs several times as much; file structure and metadata are the `parquet` crate's.
//!
//! The encodings, and what each column costs, are in `docs/parquet-columns.md`.
#![forbid(unsafe_code)]

mod encode;
mod error;
mod file;
mod pending;
mod writer;

pub use error::WriteError;
pub use writer::{ParquetWriter, Summary, WriterConfig, WrittenFile};
