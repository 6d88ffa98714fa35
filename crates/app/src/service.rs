//! Telling a service manager how the program is doing.
//!
//! Under systemd with `Type=notify` the unit counts as started once [`Service::ready`] was called, `systemctl status` shows
//! the last [`Service::status`], and with `WatchdogSec=` the program is restarted unless [`Service::alive`] is called often
//! enough. Elsewhere nothing of it does anything.
//!
//! Source: `sd_notify(3)`, `sd_watchdog_enabled(3)`.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// The service manager that started this process, if one did.
///
/// A message may wait while the manager does not read: send them from a thread that may wait, not from one that takes in
/// packets. But [`alive`](Self::alive) is worth nothing unless the threads that work were seen to get on since the last
/// one.
#[derive(Debug, Default)]
pub struct Service {
    notifies: bool,
    watchdog: Option<Duration>,
    failed: AtomicBool,
}

impl Service {
    /// Looks for a service manager in the environment (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`), which stays as it
    /// is.
    pub fn from_environment() -> Self {
        let notifies = std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        // Nobody would hear that the program lives without a socket to say it to.
        let watchdog = sd_notify::watchdog_enabled().filter(|_| notifies);
        Self {
            notifies,
            watchdog: watchdog.map(|within| within / 2).filter(|half| !half.is_zero()),
            failed: AtomicBool::new(false),
        }
    }

    /// Whether anybody hears what is said.
    pub fn is_supervised(&self) -> bool {
        self.notifies
    }

    /// How often [`alive`](Self::alive) is to be called: half of the time after which the program is given up. `None` if
    /// nobody waits for it.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The program does its work from now on; `status` says what, in a line.
    pub fn ready(&self, status: impl fmt::Display) {
        self.notify(&[NotifyState::Ready, NotifyState::Status(&line(status))]);
    }

    /// What the program is doing, in a line.
    pub fn status(&self, status: impl fmt::Display) {
        if self.notifies {
            self.notify(&[NotifyState::Status(&line(status))]);
        }
    }

    /// The program is well, see [`watchdog_interval`](Self::watchdog_interval).
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            self.notify(&[NotifyState::Watchdog]);
        }
    }

    /// The program is about to end, having been asked to; `status` says what it still does.
    pub fn stopping(&self, status: impl fmt::Display) {
        self.notify(&[NotifyState::Stopping, NotifyState::Status(&line(status))]);
    }

    fn notify(&self, states: &[NotifyState<'_>]) {
        if !self.notifies {
            return;
        }
        match sd_notify::notify(states) {
            Ok(()) => self.failed.store(false, Ordering::Relaxed),
            // Once, not with every message.
            Err(error) => {
                if !self.failed.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "cannot tell the service manager how the program is doing");
                }
            }
        }
    }
}

/// On one line: a line feed would begin another message.
fn line(status: impl fmt::Display) -> String {
    status.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
