//! The metering process (RFC 7011, section 2): packets in, flow records out.
//!
//! Time is capture time and an argument: [`Clock`] turns packet times into ticks, [`Meter::tick`] expires flows. What a
//! record holds depends on the flow's own packets and the configuration alone: not on batch sizes, not on other flows, and
//! not on how many meters share the flows of a capture. (The one exception is `max_flows`, where flows compete.)
#![forbid(unsafe_code)]

mod clock;
mod flow;
mod inspect;
mod meter;
mod namesakes;
mod slab;
mod table;
mod wheel;

pub use clock::{Advance, Clock};
pub use inspect::{Inspector, Seen};
pub use meter::{Drain, Meter, MeterConfig, MeterCounters};
