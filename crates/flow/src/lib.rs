//! Vocabulary of the flow record: what every other crate means by time, address, flag, direction and flow.
//!
//! A flow is bidirectional (RFC 5103): the *source* is the initiator, the sender of the first packet seen, unless that
//! packet is a TCP SYN+ACK, whose sender is the destination. Values here are plain numbers in the units named; text is
//! made where records are written.
#![forbid(unsafe_code)]

mod labels;
mod record;
mod tcp;
mod time;

pub use labels::{Application, Labels, Place};
pub use record::{Address, DirectionStats, EndReason, FIRST_PACKETS, FlowRecord, MacAddress};
pub use tcp::TcpFlags;
pub use time::Timestamp;
