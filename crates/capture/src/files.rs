//! Capture files by path, pattern or directory, one after the other.

use std::collections::VecDeque;
use std::error::Error;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use rockfish_flow::Timestamp;
use rockfish_packet::LinkType;

use crate::{
    Block, CaptureError, CaptureStream, Options, PacketSource, Progress, Skipped, Warning,
};

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// The packets of one or more capture files, in the order of the files' first packets.
///
/// When it is made, every file was opened and read up to its first packet. Regular files of which there are several are
/// closed again until their turn comes.
pub struct CaptureFiles {
    options: Options,
    paths: Vec<PathBuf>,
    links: Vec<LinkType>,
    waiting: VecDeque<Waiting>,
    current: Option<CaptureStream>,
    /// Octets of all files, if all are regular.
    total: Option<u64>,
    /// Sums of the files that are finished.
    octets: u64,
    packets: u64,
    skipped: Skipped,
    warnings: Vec<Warning>,
}

/// A file that was checked.
enum Waiting {
    Closed(PathBuf),
    /// Only read once: standard input, a pipe, or the only file.
    Open(Box<CaptureStream>),
}

struct Checked {
    path: PathBuf,
    first: Option<Timestamp>,
    stream: Option<Box<CaptureStream>>,
}

impl CaptureFiles {
    /// Finds and checks the files that `spec` stands for: a path, a directory (its regular files, not those of
    /// folders in it; what is no capture is left out with a warning), a glob pattern, or `-` for standard input.
    /// A path that exists is never taken for a pattern.
    ///
    /// Files are ordered by the time of their first packet, then by name.
    ///
    /// # Errors
    /// There is no such file, or one of them cannot be read, is no capture, is empty, or has a link type that cannot be
    /// decoded. A capture without packets is none of these.
    pub fn open(spec: &str) -> Result<Self, CaptureError> {
        Self::with_options(spec, Options::default())
    }

    /// As [`Self::open`], with options.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn with_options(spec: &str, options: Options) -> Result<Self, CaptureError> {
        let mut files = Self {
            options,
            paths: Vec::new(),
            links: Vec::new(),
            waiting: VecDeque::new(),
            current: None,
            total: Some(0),
            octets: 0,
            packets: 0,
            skipped: Skipped::default(),
            warnings: Vec::new(),
        };
        if spec == STANDARD_INPUT {
            let stream =
                CaptureStream::with_options(Box::new(io::stdin()), "standard input", options)?;
            files.total = None;
            files.links = stream.links();
            files.paths.push(PathBuf::from(STANDARD_INPUT));
            files.waiting.push_back(Waiting::Open(Box::new(stream)));
            return Ok(files);
        }
        let path = Path::new(spec);
        let mut checked = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => files.check_directory(path)?,
            Ok(metadata) => vec![files.check(path.to_path_buf(), &metadata, true)?],
            Err(source) if source.kind() == io::ErrorKind::NotFound && is_pattern(spec) => {
                files.check_pattern(spec)?
            }
            Err(source) => return Err(CaptureError::Open { path: path.to_path_buf(), source }),
        };
        checked.sort_by(|a, b| (a.first, &a.path).cmp(&(b.first, &b.path)));
        files.paths = checked.iter().map(|file| file.path.clone()).collect();
        files.waiting = checked
            .into_iter()
            .map(|file| file.stream.map_or(Waiting::Closed(file.path), Waiting::Open))
            .collect();
        Ok(files)
    }

    /// Link types of the packets, as far as they are known before all is read; see [`CaptureStream::links`].
    pub fn links(&self) -> Vec<LinkType> {
        self.links.clone()
    }

    /// The files, in the order in which they are read.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Reads a file up to its first packet. It stays open if `keep`, or if it can be read only once.
    fn check(
        &mut self,
        path: PathBuf,
        metadata: &Metadata,
        keep: bool,
    ) -> Result<Checked, CaptureError> {
        let stream = open_stream(&path, self.options)?;
        let is_regular = metadata.is_file();
        self.total =
            self.total.filter(|_| is_regular).map(|total| total.saturating_add(metadata.len()));
        for link in stream.links() {
            if !self.links.contains(&link) {
                self.links.push(link);
            }
        }
        let first = stream.first_time();
        let stream = (keep || !is_regular).then(|| Box::new(stream));
        Ok(Checked { path, first, stream })
    }

    fn check_directory(&mut self, directory: &Path) -> Result<Vec<Checked>, CaptureError> {
        let unreadable = |source| CaptureError::Directory { path: directory.to_path_buf(), source };
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        // The order of a directory is arbitrary; of several bad files the same one should be named each time.
        paths.sort();
        let mut checked = Vec::new();
        let mut files = 0;
        for path in paths {
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(source) => return Err(CaptureError::Open { path, source }),
            };
            // A pipe among the files could keep the program waiting for ever.
            if !metadata.is_file() {
                continue;
            }
            files += 1;
            match self.check(path.clone(), &metadata, false) {
                Ok(file) => checked.push(file),
                Err(error) if error.is_not_a_capture() => {
                    self.warnings.push(Warning::NotACapture { found: reason(&error, &path), path });
                }
                Err(error) => return Err(error),
            }
        }
        if checked.is_empty() {
            return Err(CaptureError::NoCapture { path: directory.to_path_buf(), files });
        }
        Ok(checked)
    }

    fn check_pattern(&mut self, pattern: &str) -> Result<Vec<Checked>, CaptureError> {
        let found = glob::glob(pattern)
            .map_err(|source| CaptureError::Pattern { pattern: pattern.to_owned(), source })?;
        let mut checked = Vec::new();
        for path in found {
            let path = path.map_err(|error| CaptureError::Directory {
                path: error.path().to_path_buf(),
                source: error.into(),
            })?;
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(source) => return Err(CaptureError::Open { path, source }),
            };
            if !metadata.is_dir() {
                checked.push(self.check(path, &metadata, false)?);
            }
        }
        if checked.is_empty() {
            return Err(CaptureError::NoMatch { pattern: pattern.to_owned() });
        }
        Ok(checked)
    }

    /// Adds up what the current file had, and leaves it.
    fn leave(&mut self) {
        if let Some(mut stream) = self.current.take() {
            let progress = stream.progress();
            self.octets += progress.octets;
            self.packets += progress.packets;
            self.skipped.add(&stream.skipped());
            self.warnings.append(&mut stream.take_warnings());
        }
    }
}

impl PacketSource for CaptureFiles {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.packets.clear();
        loop {
            let Some(stream) = &mut self.current else {
                self.current = Some(match self.waiting.pop_front() {
                    None => return Ok(false),
                    Some(Waiting::Open(stream)) => *stream,
                    Some(Waiting::Closed(path)) => open_stream(&path, self.options)?,
                });
                continue;
            };
            match stream.next_block(block) {
                Ok(true) => return Ok(true),
                Ok(false) => self.leave(),
                Err(error) => {
                    self.leave();
                    return Err(error);
                }
            }
        }
    }

    fn progress(&self) -> Progress {
        let current = self.current.as_ref().map(PacketSource::progress).unwrap_or_default();
        Progress {
            octets: self.octets + current.octets,
            total: self.total,
            packets: self.packets + current.packets,
        }
    }

    fn take_warnings(&mut self) -> Vec<Warning> {
        let mut warnings = std::mem::take(&mut self.warnings);
        if let Some(stream) = &mut self.current {
            warnings.append(&mut stream.take_warnings());
        }
        warnings
    }

    fn skipped(&self) -> Skipped {
        let mut skipped = self.skipped;
        if let Some(stream) = &self.current {
            skipped.add(&stream.skipped());
        }
        skipped
    }
}

fn open_stream(path: &Path, options: Options) -> Result<CaptureStream, CaptureError> {
    match File::open(path) {
        Ok(file) => CaptureStream::with_options(Box::new(file), path, options),
        Err(source) => Err(CaptureError::Open { path: path.to_path_buf(), source }),
    }
}

/// Whether there is anything in it that a pattern has and a plain name rarely has.
fn is_pattern(spec: &str) -> bool {
    spec.contains(['*', '?', '['])
}

/// The error without the path, which the warning names itself.
fn reason(error: &CaptureError, path: &Path) -> String {
    let mut text = error.to_string();
    if let Some(rest) = text.strip_prefix(&format!("{}: ", path.display())) {
        text = rest.to_owned();
    }
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
