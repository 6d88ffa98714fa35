//! What every program shares: configuration, logging, signals, exit codes.
//!
//! A program's life: parse the command line (clap), [`exit::run`] the rest; [`config::load`] the YAML file into a layer,
//! put flags over environment over file over default ([`config::Layers`]), build the validated settings once,
//! [`logging::init`], [`signals::Signals::install`], work, and return an [`Exit`].
//!
//! Standard output belongs to the program's data; everything said to the person goes to standard error.
#![forbid(unsafe_code)]

// The macros name this crate, also where they are expanded within it.
extern crate self as rockfish_app;

pub mod cli;
pub mod config;
pub mod exit;
pub mod logging;
pub mod privileges;
pub mod service;
pub mod signals;

mod secret;
mod stdout;

pub use exit::{Exit, ResultExt};
pub use secret::Secret;
pub use stdout::{Stdout, stdout};

/// What the macros of this crate need where they are expanded.
#[doc(hidden)]
pub mod reexport {
    pub use clap;
    pub use serde;
}
