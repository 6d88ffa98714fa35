//! Signals as flags that the work looks at.
//!
//! Nothing runs inside a handler: a signal sets a flag, and whoever reads packets or writes files looks at it between
//! two blocks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// The flags that signals set.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    stop: Arc<AtomicBool>,
    rotate: Arc<AtomicBool>,
}

impl Signals {
    /// Lets SIGINT and SIGTERM ask for a stop and SIGHUP for a new file. The second SIGINT or SIGTERM ends the program
    /// at once, as if nobody listened.
    ///
    /// # Errors
    /// If the operating system refuses a handler.
    pub fn install() -> io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // Order matters: the first signal finds the flag unset, goes past this one, and sets it.
            flag::register_conditional_default(signal, Arc::clone(&signals.stop))?;
            flag::register(signal, Arc::clone(&signals.stop))?;
        }
        flag::register(SIGHUP, Arc::clone(&signals.rotate))?;
        Ok(signals)
    }

    /// Whether a stop was asked for.
    #[inline]
    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Asks for a stop from within the program.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// The stop flag itself, for other threads and libraries.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Whether new files were asked for since the last call.
    #[inline]
    pub fn take_rotate(&self) -> bool {
        self.rotate.load(Ordering::Relaxed) && self.rotate.swap(false, Ordering::Relaxed)
    }

    /// Asks for new files from within the program.
    pub fn request_rotate(&self) {
        self.rotate.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use signal_hook::consts::{SIGHUP, SIGTERM};
    use signal_hook::low_level::raise;

    use super::Signals;

    #[test]
    fn signals_set_their_flags() {
        let signals = Signals::install().unwrap();
        assert!(!signals.stop_requested() && !signals.take_rotate());
        raise(SIGHUP).unwrap();
        assert!(!signals.stop_requested());
        assert!(signals.take_rotate());
        assert!(!signals.take_rotate(), "taken once");
        raise(SIGTERM).unwrap();
        assert!(signals.stop_requested());
        assert!(signals.stop_flag().load(std::sync::atomic::Ordering::Relaxed));
    }
}
