//! Live sources: they lend the memory that packets arrive in.

use std::io;
use std::time::Duration;

use rockfish_packet::LinkType;

use crate::PacketRef;

/// What an interface's capture counted since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounters {
    /// Packets that reached the capture, whether they were kept or not.
    pub received: u64,
    /// Packets of these that were lost, since nobody read fast enough.
    pub dropped: u64,
    /// How often the buffer was full and capture stood still.
    pub freezes: u64,
    /// Packets that the interface lost before they reached the capture, where the system says so.
    pub interface_dropped: u64,
    /// Packets that were found and not delivered, being damaged: a wrong frame check sequence, for one.
    pub errors: u64,
}

impl LiveCounters {
    /// Adds those of another source, or of the same one before it was opened again.
    pub fn add(&mut self, other: &Self) {
        let Self { received, dropped, freezes, interface_dropped, errors } = other;
        self.received += received;
        self.dropped += dropped;
        self.freezes += freezes;
        self.interface_dropped += interface_dropped;
        self.errors += errors;
    }
}

/// Packets from an interface, as they come.
pub trait LiveSource: Send {
    /// Waits for packets, at most `wait`, and lends them: clears `packets`, fills it, and returns the octets that they lie
    /// in. What was lent before goes back to the capture. No packets: none came in that time.
    ///
    /// # Errors
    /// Capture cannot go on: the interface is down or gone, or the system fails. The source is done then; another may be
    /// opened later, see [`LiveError::may_pass`].
    fn next(&mut self, wait: Duration, packets: &mut Vec<PacketRef>) -> Result<&[u8], LiveError>;

    /// Takes in no more. [`next`](Self::next) goes on to lend what was taken in before, until it lends nothing.
    fn close_intake(&mut self);

    /// What was counted so far. Asks the system: not for every packet.
    fn counters(&mut self) -> LiveCounters;
}

/// Why packets cannot be captured. The cause, if there is one, is the error's source and not in its text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// There is no such interface.
    #[error("{interface}: no such interface")]
    NoInterface {
        /// Its name.
        interface: String,
    },
    /// The interface is down.
    #[error("{interface}: the interface is down")]
    Down {
        /// Its name.
        interface: String,
    },
    /// The interface went away, or another one has its name now.
    #[error("{interface}: the interface is gone: {found}")]
    Gone {
        /// Its name.
        interface: String,
        /// What was found.
        found: String,
    },
    /// The process may not capture.
    #[error("{interface}: {doing}: not permitted, {expected}")]
    Permission {
        /// The interface.
        interface: String,
        /// What was tried.
        doing: &'static str,
        /// Which right it takes.
        expected: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The interface or a setting does not suit.
    #[error("{interface}: {found}")]
    Unsuitable {
        /// The interface.
        interface: String,
        /// What was found and what was expected.
        found: String,
    },
    /// The interface's packets cannot be decoded.
    #[error(
        "{interface}: packets of link type {number} cannot be decoded, expected one of {}",
        known_links()
    )]
    UnknownLink {
        /// The interface.
        interface: String,
        /// Its link type's number.
        number: i32,
    },
    /// The system failed.
    #[error("{interface}: {doing} failed")]
    System {
        /// The interface.
        interface: String,
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl LiveError {
    /// Whether trying again later makes sense for a capture that has worked before.
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::UnknownLink { .. })
    }

    /// Whether it is for the person to mend what was asked for, in contrast to a failure of the system.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::System { .. })
    }
}

fn known_links() -> String {
    let names: Vec<_> =
        LinkType::TABLE.iter().map(|(number, name, _)| format!("{number} ({name})")).collect();
    names.join(", ")
}
