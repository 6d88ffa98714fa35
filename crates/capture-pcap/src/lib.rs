//! What needs libpcap: filter expressions.
//!
//! libpcap compiles an expression (pcap-filter(7)) for a link type; its instructions are then run here, on packets where
//! they lie, with their length on the wire. The binding's own way to run them tells them only the captured length, so
//! that `len`, `greater` and `less` would be wrong for packets that were cut.
#![forbid(unsafe_code)]

mod filter;
mod program;

pub use filter::{BpfFilter, FilterError};
pub use program::UnknownInstruction;
