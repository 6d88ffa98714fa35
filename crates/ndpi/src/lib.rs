//! Application labels by libndpi, from release 4.2 on.
//!
//! libndpi changes its functions and structures with nearly every release. A small file in C, compiled against the headers
//! that are installed, hides that; the library is linked dynamically (it is under LGPL-3). [`NdpiLabeler`] has one detection
//! module for itself: make one for each thread. Making and destroying them is done one at a time.
//!
//! What is given to libndpi: packets with payload, until it has decided or the limit is reached. Then its state, of 688
//! octets and more, is freed and used for the next flow.

mod aliases;
mod ffi;
mod hello;
mod labeler;

pub use labeler::{Limits, NdpiConfig, NdpiCounters, NdpiError, NdpiLabeler, dialect, version};
