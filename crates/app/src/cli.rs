//! Command-line parts that every program has.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::roff::{Roff, roman};

use crate::logging::LogFormat;

/// Heading of the options of [`LoggingOptions`].
pub const LOGGING_HEADING: &str = "Logging Options";

/// What every program's logging takes from the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = LOGGING_HEADING)]
pub struct LoggingOptions {
    /// Say more: -v information, -vv debugging, -vvv everything; never less than output.verbose
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Say errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Log to a file, a new one each day; standard error then gets warnings and errors only
    #[arg(long, value_name = "PATH")]
    pub log_file: Option<PathBuf>,

    /// Shape of log lines: text, json [default: text]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub log_format: Option<LogFormat>,
}

/// Parses a flag that may be switched both ways (`--ndpi`, `--ndpi=false`), so that a flag can also switch off what the
/// file switches on.
///
/// # Errors
/// A message naming what is accepted.
pub fn parse_switch(text: &str) -> Result<bool, String> {
    <bool as crate::config::Value>::from_text(text)
}

/// Writes the completion script of `command` for `shell`.
///
/// # Errors
/// If `out` cannot be written.
pub fn write_completions(
    mut command: Command,
    shell: Shell,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let name = command.get_name().to_owned();
    // Through a buffer: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    out.write_all(&script)?;
    out.flush()
}

/// A titled paragraph that help and man page end with, in lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Title, such as `Exit status`.
    pub title: &'static str,
    /// Its lines, none longer than 90 characters, as they are to be printed.
    pub lines: &'static [&'static str],
}

/// The end of a program's help, made of `sections`.
pub fn after_help(sections: &[Section]) -> String {
    let paragraphs: Vec<String> = sections
        .iter()
        .map(|section| format!("{}:\n  {}", section.title, section.lines.join("\n  ")))
        .collect();
    paragraphs.join("\n\n")
}

/// Writes the man page (section 1) of `command`, with `sections` where its help has them.
///
/// # Errors
/// If `out` cannot be written.
pub fn write_man(
    command: Command,
    sections: &[Section],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let has_version = command.get_version().is_some();
    let has_commands = command.get_subcommands().next().is_some();
    let mut man = clap_mangen::Man::new(command).manual("Rockfish Toolkit");
    if !has_version {
        // A subcommand has no version of its own, and its bare name says nothing as the source.
        man = man.source("");
    }
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if has_commands {
        man.render_subcommands_section(out)?;
    }
    let mut roff = Roff::default();
    for section in sections {
        roff.control("SH", [section.title.to_uppercase().as_str()]);
        roff.control("nf", []);
        for line in section.lines {
            roff.text([roman(*line)]);
        }
        roff.control("fi", []);
    }
    roff.to_writer(out)?;
    if has_version {
        man.render_version_section(out)?;
    }
    out.flush()
}
