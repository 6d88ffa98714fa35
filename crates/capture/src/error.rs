//! What ends reading, and what is only reported.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rockfish_packet::LinkType;

/// Why captures cannot be read. The cause, if there is one, is the error's source and not in its text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("{}: cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The directory cannot be listed.
    #[error("{}: directory cannot be read", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system failed to read.
    #[error("{}: cannot be read at byte {offset}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Octets of the file as stored that were read before.
        offset: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The file has no octets.
    #[error("{}: empty, expected a pcap or pcapng capture", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file begins with something else.
    #[error(
        "{}: not a capture: begins with {}, expected pcap or pcapng, plain or compressed with gzip or zstd",
        path.display(),
        Hex(found)
    )]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// Its first octets, at most 16, after decompression.
        found: Vec<u8>,
    },
    /// The file begins as a capture does and goes on differently.
    #[error("{}: damaged file header: {found}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        found: String,
    },
    /// The file is compressed and not even its beginning can be decompressed.
    #[error("{}: cannot be decompressed: {found}", path.display())]
    Compression {
        /// The file.
        path: PathBuf,
        /// What the decompressor says.
        found: String,
    },
    /// The file's packets cannot be decoded.
    #[error("{}: unknown link type {number}, expected one of {}", path.display(), KnownLinks)]
    UnknownLink {
        /// The file.
        path: PathBuf,
        /// The number found in the file.
        number: u16,
    },
    /// The directory has files, but no capture among them, or no files at all.
    #[error("{}: no capture among the {files} files of this directory", path.display())]
    NoCapture {
        /// The directory.
        path: PathBuf,
        /// Regular files found in it.
        files: usize,
    },
    /// What was given is neither a path nor a valid pattern.
    #[error("{pattern}: no such file, and not a valid pattern")]
    Pattern {
        /// What was given.
        pattern: String,
        /// Where and why.
        source: glob::PatternError,
    },
    /// No file has a name that the pattern matches.
    #[error("{pattern}: no file matches this pattern")]
    NoMatch {
        /// What was given.
        pattern: String,
    },
}

impl CaptureError {
    /// Whether the file was read and is no capture, in contrast to one that cannot be read or decoded.
    pub(crate) fn is_not_a_capture(&self) -> bool {
        matches!(
            self,
            Self::Empty { .. }
                | Self::NotACapture { .. }
                | Self::Header { .. }
                | Self::Compression { .. }
        )
    }
}

/// Something found while reading that does not stop it. Each is displayed as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A file ends before its end: what follows is not there or cannot be understood.
    Cut {
        /// The file.
        path: PathBuf,
        /// Where the record begins that is not complete, in octets from the file's begin, after decompression.
        offset: u64,
        /// Packets of this file found before, delivered or skipped.
        packets: u64,
        /// Whether the file is compressed.
        compressed: bool,
        /// What is wrong there.
        reason: CutReason,
    },
    /// An interface of a pcapng file has a link type that cannot be decoded; its packets are skipped and counted.
    UnknownLink {
        /// The file.
        path: PathBuf,
        /// The interface's number in its section, from 0.
        interface: u32,
        /// The link type's number.
        number: u16,
    },
    /// A pcapng packet is skipped and counted. Said for the first few of a file.
    Record {
        /// The file.
        path: PathBuf,
        /// Where its block begins, in octets from the file's begin, after decompression.
        offset: u64,
        /// What was found and what was expected.
        found: String,
    },
    /// A file of a directory was left out since it is no capture.
    NotACapture {
        /// The file.
        path: PathBuf,
        /// Why.
        found: String,
    },
}

impl Warning {
    /// Whether packets are missing from what was delivered.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Self::NotACapture { .. })
    }

    /// The file that it is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Cut { path, .. }
            | Self::UnknownLink { path, .. }
            | Self::Record { path, .. }
            | Self::NotACapture { path, .. } => path,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path().display())?;
        match self {
            Self::Cut { offset, packets, compressed, reason, .. } => {
                let place = if *compressed { " of the decompressed data" } else { "" };
                let plural = if *packets == 1 { "" } else { "s" };
                write!(
                    f,
                    "cut at byte {offset}{place}, {packets} packet{plural} read before: {reason}"
                )
            }
            Self::UnknownLink { interface, number, .. } => {
                write!(
                    f,
                    "interface {interface} has the unknown link type {number}, its packets are skipped"
                )
            }
            Self::Record { offset, found, .. } => {
                write!(f, "packet at byte {offset} skipped: {found}")
            }
            Self::NotACapture { found, .. } => write!(f, "left out: {found}"),
        }
    }
}

/// Why a file cannot be read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CutReason {
    /// It ends within a record.
    Incomplete {
        /// Octets of the record that are there.
        found: u64,
        /// Octets that it has at least.
        expected: u64,
    },
    /// The record cannot be one, and where the next begins cannot be known: what was found and what was expected.
    Corrupt(String),
    /// The compressed data end early or are damaged: what the decompressor says.
    Compression(String),
}

impl fmt::Display for CutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { found, expected } => {
                write!(
                    f,
                    "the file ends after {found} octets of a record, expected at least {expected}"
                )
            }
            Self::Corrupt(found) => f.write_str(found),
            Self::Compression(found) => write!(f, "cannot be decompressed further: {found}"),
        }
    }
}

/// Octets as two hexadecimal digits each.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, octet) in self.0.iter().enumerate() {
            write!(f, "{}{octet:02x}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// The link types that can be decoded, as `number (NAME)`.
struct KnownLinks;

impl fmt::Display for KnownLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (number, name, _)) in LinkType::TABLE.iter().enumerate() {
            write!(f, "{}{number} ({name})", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
