//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use rockfish_app::cli::{LoggingOptions, Section, after_help};
use rockfish_license::{LicenseTime, Tier};

/// What help and man page end with.
pub const SECTIONS: &[Section] = &[
    Section {
        title: "Public key",
        lines: &[
            "A licence is checked with the key of --public-key, of ROCKFISH_LICENSE_PUBLIC_KEY, or else",
            "with the one that ROCKFISH_ISSUER_PUBLIC_KEY held when the program was built.",
        ],
    },
    Section {
        title: "Exit status",
        lines: &[
            "0  done; every licence is valid",
            "1  failed; a licence is not valid",
            "2  wrong usage or input",
        ],
    },
    Section {
        title: "Examples",
        lines: &[
            "rockfish_license keygen --out keys/issuer",
            "rockfish_license issue --key keys/issuer.key --tier professional \\",
            "    --company \"Example Corp\" --observation sensor-01 --days 365 --out license.json",
            "rockfish_license verify --public-key keys/issuer.pub license.json flows/*.parquet",
            "rockfish_license show license.json",
        ],
    },
];

/// Issue and check licences
///
/// Makes an issuer's keys, signs licences with them, and checks licences and the Parquet files that carry them.
#[derive(Clone, Debug, Parser)]
#[command(name = "rockfish_license", version, after_help = after_help(SECTIONS), max_term_width = 120)]
#[command(subcommand_help_heading = "Commands", disable_help_subcommand = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Logging, as in every program.
    #[command(flatten)]
    pub logging: LoggingOptions,
}

/// The command line, with the options of logging before and after the command.
pub fn command() -> clap::Command {
    Args::command().mut_args(|argument| argument.global(true))
}

/// What can be done.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Make a pair of keys: NAME.key, readable by its owner alone, and NAME.pub
    Keygen(Keygen),
    /// Sign a licence
    Issue(Box<Issue>),
    /// Check licences, and the Parquet files that carry one
    Verify(Verify),
    /// Print what a licence or a Parquet file says, without checking it
    Show(Show),
    /// Print a completion script
    Completions {
        /// Shell to complete for
        shell: Shell,
    },
    /// Print the man page
    Man,
}

/// Making keys.
#[derive(Clone, Debug, PartialEq, Eq, ClapArgs)]
pub struct Keygen {
    /// Where: the files become NAME.key and NAME.pub, and must not be there yet
    #[arg(long, value_name = "DIR/NAME")]
    pub out: PathBuf,
}

/// Signing a licence.
#[derive(Clone, Debug, PartialEq, Eq, ClapArgs)]
pub struct Issue {
    /// Private key of the issuer, in PEM
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,

    /// What is unlocked: community, basic, professional, enterprise
    #[arg(long, value_name = "TIER", hide_possible_values = true, ignore_case = true, value_parser = tiers())]
    pub tier: Tier,

    /// Who it is for
    #[arg(long, value_name = "NAME")]
    pub company: String,

    /// Address of the customer
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,

    /// The only observation domain it is for; without, any
    #[arg(long, value_name = "NAME")]
    pub observation: Option<String>,

    /// Identifier [default: lic_ and 16 random hexadecimal digits]
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,

    /// Days for which it is valid
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,

    /// When it begins to be valid, as 2025-01-31 or 2025-01-31T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub not_before: Option<LicenseTime>,

    /// The licence's file; one that is there is replaced [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Checking.
#[derive(Clone, Debug, PartialEq, Eq, ClapArgs)]
pub struct Verify {
    /// Public key of the issuer, PEM or base64 [env: ROCKFISH_LICENSE_PUBLIC_KEY]
    #[arg(
        long,
        value_name = "FILE",
        visible_alias = "license-public-key",
        env = "ROCKFISH_LICENSE_PUBLIC_KEY",
        hide_env = true
    )]
    pub public_key: Option<PathBuf>,

    /// Of Parquet files, too, want a licence that is valid now
    #[arg(long)]
    pub current: bool,

    /// Print a JSON object for each file
    #[arg(long)]
    pub json: bool,

    /// Licences, or Parquet files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// Showing.
#[derive(Clone, Debug, PartialEq, Eq, ClapArgs)]
pub struct Show {
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,

    /// A licence, or a Parquet file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

fn tiers() -> impl TypedValueParser<Value = Tier> {
    PossibleValuesParser::new(Tier::ALL.map(Tier::name))
        .try_map(|name| name.to_ascii_lowercase().parse::<Tier>())
}

fn parse_time(text: &str) -> Result<LicenseTime, String> {
    LicenseTime::parse(text)
        .or_else(|| LicenseTime::parse(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| "expected a time such as 2025-01-31 or 2025-01-31T12:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
