//! What several test programs and the benchmark share.
#![allow(dead_code, reason = "each takes what it needs")]
#![allow(clippy::unwrap_used, reason = "only tests and a benchmark")]

pub(crate) mod flows;
pub(crate) mod hellos;
