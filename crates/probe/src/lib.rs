//! rockfish_probe: packets to flow records.
#![forbid(unsafe_code)]

pub mod args;
pub mod config;
pub mod pipeline;
pub mod settings;

mod commands;
mod decoding;
mod grant;
mod inspection;
mod live;
mod report;
mod run;
mod sink;
mod waiting;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
pub use crate::run::pipeline_config;

/// The program.
pub fn main() -> ExitCode {
    let args = Args::parse();
    rockfish_app::exit::run(|| {
        if let Some(exit) = commands::run(&args)? {
            return Ok(exit);
        }
        let layers = settings::Settings::layers(&args, &rockfish_app::config::environment)?;
        let settings = settings::Settings::resolve(&args, &layers)?;
        rockfish_app::logging::init(&settings.logging)?;
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        run::run(&settings)
    })
}
