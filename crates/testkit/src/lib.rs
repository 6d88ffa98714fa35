//! Packet builder, golden tables, comparisons and private networks for tests.
//!
//! - [`PacketBuilder`] makes frames with right lengths and checksums, [`pcap`] and [`pcapng`] make capture files of them.
//! - [`YafTable`] reads the flow records that YAF wrote for the captures in `tests/data/pcap`, [`compare`] holds ours
//!   against them and names the cause of every difference it knows.
//! - [`netns`] makes a network of its own for a test (Linux, as root), [`Sender`] replays packets there.
//!
//! Only tests use this crate. It decodes nothing that the probe decodes: what it says about a capture is independent of it.

mod capture;
mod checksum;
mod golden;
#[cfg(target_os = "linux")]
pub mod netns;
mod packet;
mod replay;
#[cfg(target_os = "linux")]
mod sender;
mod yaf;

use std::path::{Path, PathBuf};

pub use capture::{Captured, Interface, PcapFormat, pcap, pcapng};
pub use checksum::{crc32c, internet_checksum};
pub use golden::{Cause, Comparison, Difference, FieldDifference, YafRules, compare};
pub use packet::PacketBuilder;
pub use replay::{Packets, ReadError};
#[cfg(target_os = "linux")]
pub use sender::{Rate, Sender, Sent};
pub use yaf::{TableError, YafDirection, YafFlow, YafTable};

/// Where the captures and expected tables lie: `tests/data/pcap` of this workspace.
pub fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/pcap")
}
