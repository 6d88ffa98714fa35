//! What the program does besides metering.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;
use rockfish_app::{Exit, cli, config, stdout};

use crate::args::{Args, Command, SECTIONS};
use crate::settings::Settings;

/// Runs a subcommand or `--dump-config`; `None` if packets are to be metered.
///
/// # Errors
/// If the configuration is not valid, or standard output cannot be written.
pub(crate) fn run(args: &Args) -> anyhow::Result<Option<Exit>> {
    let mut out = stdout();
    let written = "cannot write to standard output";
    match &args.command {
        Some(Command::Completions { shell }) => {
            cli::write_completions(Args::command(), *shell, &mut out).context(written)?;
        }
        Some(Command::Man) => {
            cli::write_man(Args::command(), SECTIONS, &mut out).context(written)?;
        }
        // Before the settings are checked: it is most wanted where a value is wrong and nobody knows where it came from.
        _ if args.effective_options().dump_config() => {
            let yaml = Settings::layers(args, &config::environment)?.dump()?;
            out.write_all(yaml.as_bytes()).and_then(|()| out.flush()).context(written)?;
        }
        Some(Command::Validate(_)) => {
            let layers = Settings::layers(args, &config::environment)?;
            let settings = Settings::resolve(args, &layers)?;
            for warning in &settings.warnings {
                writeln!(std::io::stderr().lock(), "warning: {warning}")
                    .context("cannot write to standard error")?;
            }
            writeln!(out, "configuration is valid").and_then(|()| out.flush()).context(written)?;
        }
        None => return Ok(None),
    }
    Ok(Some(Exit::Done))
}
