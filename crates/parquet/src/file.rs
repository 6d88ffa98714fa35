//! One file, from its hidden beginning to its final name.
//!
//! A file is written as `.STEM.parquet.tmp-PID-N` in the writer's folder, under a lock that says that somebody is at it.
//! When it is complete and on disk, it gets its name by a hard link, which fails rather than replaces what is there: two
//! writers may share a folder. Where the file system has no hard links, a rename follows a look whether the name is free.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;

use crate::encode::{EncodedChunk, Shape};
use crate::error::WriteError;

/// What every temporary name has before its process and number.
const MARK: &str = ".parquet.tmp-";

/// Octets given to the operating system at a time.
const BUFFER: usize = 1 << 20;

/// Numbers this process's temporaries.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A file in the making. Dropped before [`finish`](Self::finish), it vanishes.
pub(crate) struct OpenFile {
    writer: SerializedFileWriter<BufWriter<File>>,
    temporary: Temporary,
    folder: PathBuf,
    stem: String,
    rows: usize,
}

impl OpenFile {
    /// Begins a file in `root` that will be `folder`/`stem`.parquet, or `folder`/`stem`-1.parquet if that is taken, and so
    /// on. `folder` is `root` or below it.
    pub(crate) fn create(
        root: &Path,
        folder: PathBuf,
        stem: String,
        shape: &Shape,
        properties: WriterPropertiesPtr,
    ) -> Result<Self, WriteError> {
        let temporary = Temporary::create(root, &stem)?;
        let file = temporary
            .handle
            .try_clone()
            .map_err(|error| WriteError::io("write", &temporary.path, error))?;
        let sink = BufWriter::with_capacity(BUFFER, file);
        let schema = shape.schema.root_schema_ptr();
        let writer = SerializedFileWriter::new(sink, schema, properties)
            .map_err(|error| write_error(&temporary.path, error))?;
        Ok(Self { writer, temporary, folder, stem, rows: 0 })
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Appends a row group of `rows` rows.
    pub(crate) fn push(
        &mut self,
        chunks: Vec<EncodedChunk>,
        rows: usize,
    ) -> Result<(), WriteError> {
        let result = self.writer.next_row_group().and_then(|mut group| {
            for chunk in chunks {
                let close = chunk.close.clone();
                group.append_column(&chunk, close)?;
            }
            group.close()
        });
        result.map_err(|error| write_error(&self.temporary.path, error))?;
        self.rows += rows;
        Ok(())
    }

    /// Completes the file and gives it its name; returns that and its octets.
    pub(crate) fn finish(self) -> Result<(PathBuf, u64), WriteError> {
        let Self { writer, temporary, folder, stem, .. } = self;
        let close = |writer: SerializedFileWriter<BufWriter<File>>| {
            // Writes the footer too.
            let sink = writer.into_inner()?;
            let file = sink.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        };
        let octets = close(writer).map_err(|error| write_error(&temporary.path, error))?;
        create_folder(&folder)?;
        let path = publish(&temporary.path, &folder, &stem)?;
        drop(temporary);
        sync_folder(&folder)?;
        Ok((path, octets))
    }
}

/// A file with a name of its own; both go when it is dropped.
struct Temporary {
    path: PathBuf,
    handle: File,
}

impl Temporary {
    fn create(root: &Path, stem: &str) -> Result<Self, WriteError> {
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = root.join(format!(".{stem}{MARK}{}-{number}", std::process::id()));
            let handle = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(handle) => handle,
                // A process of that number in another container, or before a restart.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(WriteError::io("create", path, error)),
            };
            match handle.try_lock() {
                // Somebody who tidies up was quicker than the lock, and removes the file.
                Err(TryLockError::WouldBlock) => continue,
                // Without locks nobody tidies up either.
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
            if is_at(&handle, &path) {
                return Ok(Self { path, handle });
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing can be done about a failure: the next writer of this folder tries again.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the open file is the one of that name.
#[cfg(unix)]
fn is_at(handle: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (handle.metadata(), fs::metadata(path)) {
        (Ok(of_handle), Ok(of_path)) => {
            (of_handle.dev(), of_handle.ino()) == (of_path.dev(), of_path.ino())
        }
        _ => false,
    }
}

/// Whether the open file is the one of that name: elsewhere open files cannot be removed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// Creates the folder where missing, tries whether files can be made there, and removes what a crashed writer of the same
/// prefix has left.
pub(crate) fn prepare_folder(root: &Path, prefix: &str) -> Result<(), WriteError> {
    create_folder(root)?;
    drop(Temporary::create(root, prefix)?);
    let begin = format!(".{prefix}-");
    let entries = fs::read_dir(root).map_err(|error| WriteError::io("read", root, error))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if !(name.starts_with(&begin) && name.contains(MARK)) {
            continue;
        }
        let path = entry.path();
        // Who writes it holds its lock; what cannot be opened or locked is left alone.
        if let Ok(file) = OpenOptions::new().write(true).open(&path)
            && file.try_lock().is_ok()
            && is_at(&file, &path)
        {
            let _ = fs::remove_file(&path);
        }
    }
    Ok(())
}

/// Gives the file its name and returns it.
fn publish(temporary: &Path, folder: &Path, stem: &str) -> Result<PathBuf, WriteError> {
    let mut number = 0_u32;
    loop {
        let path = if number == 0 {
            folder.join(format!("{stem}.parquet"))
        } else {
            folder.join(format!("{stem}-{number}.parquet"))
        };
        match fs::hard_link(temporary, &path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) if fs::symlink_metadata(&path).is_ok() => {}
            Err(_) => {
                return match fs::rename(temporary, &path) {
                    Ok(()) => Ok(path),
                    Err(error) => Err(WriteError::io("create", path, error)),
                };
            }
        }
        number += 1;
    }
}

/// Creates a folder and those above it, so that they outlast a crash.
fn create_folder(folder: &Path) -> Result<(), WriteError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => {}
        // Another writer was quicker.
        Err(_) if folder.is_dir() => return Ok(()),
        Err(error) => return Err(WriteError::io("create folder", folder, error)),
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// Waits until the names in a folder are on disk.
fn sync_folder(folder: &Path) -> Result<(), WriteError> {
    let result = File::open(folder).and_then(|handle| handle.sync_all());
    match result {
        // Some file systems cannot do that with folders, and folders that may be written but not read cannot be opened.
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::InvalidInput
                    | io::ErrorKind::Unsupported
                    | io::ErrorKind::PermissionDenied
            ) =>
        {
            Err(WriteError::io("sync", folder, error))
        }
        _ => Ok(()),
    }
}

/// An error of the layers above the file, which is mostly the operating system's.
fn write_error(path: &Path, error: ParquetError) -> WriteError {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => WriteError::io("write", path, *source),
            Err(source) => {
                WriteError::Encode { path: path.into(), source: ParquetError::External(source) }
            }
        },
        source => WriteError::Encode { path: path.into(), source },
    }
}
