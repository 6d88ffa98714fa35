//! Logging: lines for people or JSON on standard error, and to a file that changes daily.
//!
//! Standard output never gets a line: it may carry flows.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, filter};

use crate::exit::Report;

/// Target of the one event that repeats a failure's report for the log file.
const FAILURE_TARGET: &str = "rockfish::failure";

/// How far down lines are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Data was lost or an operator must act.
    Error,
    /// Something went wrong and was recovered.
    Warn,
    /// What the program does.
    Info,
    /// Why it does it.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// From the configured `verbose` (0 warnings, 1 info, 2 debug, 3 trace), the number of `-v` given (1 info, 2 debug, 3 trace), whichever is more, and `-q`.
    pub fn new(verbose: u8, more: u8, quiet: bool) -> Self {
        if quiet {
            return Self::Error;
        }
        match verbose.max(more) {
            0 => Self::Warn,
            1 => Self::Info,
            2 => Self::Debug,
            _ => Self::Trace,
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What to log and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// How far down.
    pub level: Level,
    /// Shape of the lines, on standard error and in the file.
    pub format: LogFormat,
    /// If given, lines go to this file, a new one each day (UTC) with the date between stem and extension, and standard
    /// error gets warnings and errors only.
    pub file: Option<PathBuf>,
}

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The log file's path names no file, or one whose name is not UTF-8.
    #[error("log file {}: not a file name", .0.display())]
    Name(PathBuf),
    /// The log file could not be opened.
    #[error("cannot open log file {}", path.display())]
    Open {
        /// The path as configured.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Logging was set up before.
    #[error("logging is already set up")]
    Twice,
}

/// Set once logging runs, so that the end of the program knows where a failure is to be said.
static STATE: AtomicU8 = AtomicU8::new(NOT_RUNNING);
const NOT_RUNNING: u8 = 0;
const TEXT: u8 = 1;
const JSON: u8 = 2;

/// Starts logging for the whole process.
///
/// # Errors
/// If the log file cannot be opened, or logging was started before.
pub fn init(logging: &Logging) -> Result<(), LoggingError> {
    let json = logging.format == LogFormat::Json;
    let to_file = logging.file.is_some();
    // A log file takes the talk; what needs attention is still said where a person may look.
    let on_stderr = if to_file { logging.level.min(Level::Warn) } else { logging.level }.filter();
    let file_filter = logging.level.filter();
    let file = logging.file.as_deref().map(open).transpose()?;
    // As text, a failure is printed by the end of the program, not as a log line.
    let stderr_filter = filter::filter_fn(move |metadata: &Metadata<'_>| {
        *metadata.level() <= on_stderr && (json || metadata.target() != FAILURE_TARGET)
    });
    tracing_subscriber::registry()
        .with(lines(StderrLines, json, colours()).with_filter(stderr_filter))
        .with(file.map(|file| lines(file, json, false).with_filter(file_filter)))
        .try_init()
        .map_err(|_| LoggingError::Twice)?;
    STATE.store(if json { JSON } else { TEXT }, Ordering::Relaxed);
    Ok(())
}

/// Says a failure through the log; true if standard error has it by that.
pub(crate) fn log_failure(report: &Report) -> bool {
    let state = STATE.load(Ordering::Relaxed);
    if state == NOT_RUNNING {
        return false;
    }
    for error in &report.errors {
        if report.hints.is_empty() {
            tracing::error!(target: FAILURE_TARGET, "{error}");
        } else {
            tracing::error!(target: FAILURE_TARGET, hint = report.hints.join("; "), "{error}");
        }
    }
    state == JSON
}

fn lines<S, W>(writer: W, json: bool, ansi: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
    if json {
        layer.json().flatten_event(true).with_ansi(false).boxed()
    } else {
        layer.with_ansi(ansi).boxed()
    }
}

/// Colours only for a person's terminal, and not for one who set `NO_COLOR`.
fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Opens `path` for a file a day: `rockfish.log` becomes `rockfish.2026-01-31.log`.
fn open(path: &Path) -> Result<RollingFileAppender, LoggingError> {
    let name = || LoggingError::Name(path.to_owned());
    let stem = path.file_stem().and_then(|stem| stem.to_str()).ok_or_else(name)?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder =
        RollingFileAppender::builder().rotation(Rotation::DAILY).filename_prefix(stem);
    if let Some(extension) = path.extension() {
        builder = builder.filename_suffix(extension.to_str().ok_or_else(name)?);
    }
    builder
        .build(folder)
        .map_err(|source| LoggingError::Open { path: path.to_owned(), source: source.into() })
}

type Around = dyn Fn(&mut dyn FnMut()) + Send + Sync;

static AROUND: RwLock<Option<Arc<Around>>> = RwLock::new(None);

/// Has every line for standard error written from within `around`, which must call what it is given exactly once: a
/// progress bar hides itself there, so that lines and bar do not mix. `None` ends that.
pub fn set_around_stderr(around: Option<Arc<Around>>) {
    *AROUND.write().unwrap_or_else(PoisonError::into_inner) = around;
}

/// Standard error, a whole line at a time.
#[derive(Clone, Copy)]
struct StderrLines;

impl fmt::Debug for StderrLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard error")
    }
}

impl Write for StderrLines {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let around = AROUND.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut result = Ok(());
        let mut write = || result = io::stderr().lock().write_all(buffer);
        match around {
            Some(around) => around(&mut write),
            None => write(),
        }
        result.map(|()| buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

impl MakeWriter<'_> for StderrLines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for (verbose, more, quiet, expected) in [
            (0, 0, false, Level::Warn),
            (1, 0, false, Level::Info),
            (1, 1, false, Level::Info),
            (1, 2, false, Level::Debug),
            (1, 3, false, Level::Trace),
            (2, 1, false, Level::Debug),
            (0, 1, false, Level::Info),
            (3, u8::MAX, false, Level::Trace),
            (3, 2, true, Level::Error),
        ] {
            assert_eq!(Level::new(verbose, more, quiet), expected, "{verbose} {more} {quiet}");
        }
    }

    #[test]
    fn the_file_is_named_by_its_day() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = open(&folder.path().join("deep/probe.log")).unwrap();
        file.write_all(b"line\n").unwrap();
        let names: Vec<String> = std::fs::read_dir(folder.path().join("deep"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names.len(), 1);
        let day = names[0].strip_prefix("probe.").unwrap().strip_suffix(".log").unwrap();
        assert_eq!(day.len(), "2026-01-31".len());
        assert!(day.bytes().all(|octet| octet == b'-' || octet.is_ascii_digit()), "{day}");
        assert!(matches!(open(Path::new("/")), Err(LoggingError::Name(_))));
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        let error = open(&blocked.join("probe.log")).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot open log file") && error.ends_with("probe.log"),
            "{error}"
        );
    }
}
