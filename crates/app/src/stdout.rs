//! Standard output whose reader may leave.

use std::io::{self, ErrorKind, Write};

/// Marks the error of a write to a standard output that nobody reads any more.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed by its reader")]
pub(crate) struct StdoutClosed;

/// Standard output. When its reader has gone (`rockfish_probe --json - | head`), writing fails with an error that
/// [`exit::run`](crate::exit::run) takes for a quiet end; a broken pipe anywhere else remains a failure.
#[derive(Debug)]
pub struct Stdout(io::Stdout);

/// Standard output, see [`Stdout`]. Buffer it when much is written.
pub fn stdout() -> Stdout {
    Stdout(io::stdout())
}

/// Whether `error` comes from a standard output without reader.
pub(crate) fn is_closed_stdout(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<StdoutClosed>()
        || error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .is_some_and(|inner| inner.is::<StdoutClosed>())
}

fn marked(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::BrokenPipe {
        io::Error::new(ErrorKind::BrokenPipe, StdoutClosed)
    } else {
        error
    }
}

impl Write for Stdout {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer).map_err(marked)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(marked)
    }
}
