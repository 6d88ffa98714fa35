//! Payload signals.
//!
//! Entropy of the first octets of a direction, and the store that keeps those octets until there are enough of them.
//! Units: entropy is bits per octet × 256/8, truncated, 0–255.
//! Source: CERT element 6871/35, payloadEntropy, as `yaf --entropy` computes it.
#![forbid(unsafe_code)]

mod entropy;
mod sample;

pub use entropy::{Histogram, entropy};
pub use sample::{Sample, SampleStore};
