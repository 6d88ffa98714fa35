//! What needs libpcap: filter expressions, and live capture wherever libpcap runs.
//!
//! libpcap compiles an expression (pcap-filter(7)) for a link type; its instructions are then run here, on packets where
//! they lie, with their length on the wire. The binding's own way to run them tells them only the captured length, so
//! that `len`, `greater` and `less` would be wrong for packets that were cut.
#![forbid(unsafe_code)]

mod filter;
mod live;
mod program;

pub use filter::{BpfFilter, FilterError};
pub use live::{PcapLive, PcapLiveConfig, compile_for_interface};
pub use program::{RawInstruction, UnknownInstruction};
