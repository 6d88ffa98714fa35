//! rockfish_license: issue and check licences.
#![forbid(unsafe_code)]

pub mod args;

mod document;
mod issue;
mod keygen;
mod show;
mod verify;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::FromArgMatches;
use rockfish_app::logging::{Level, Logging};
use rockfish_app::{Exit, ResultExt, cli, stdout};
use rockfish_flow::Timestamp;
use rockfish_license::PublicKey;

use crate::args::{Args, Command, SECTIONS, command};

/// The program.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    rockfish_app::exit::run(|| run(&args))
}

fn run(args: &Args) -> anyhow::Result<Exit> {
    rockfish_app::logging::init(&Logging {
        level: Level::new(0, args.logging.verbose, args.logging.quiet),
        format: args.logging.log_format.unwrap_or_default(),
        file: args.logging.log_file.clone(),
    })?;
    match &args.command {
        Command::Keygen(options) => keygen::run(options),
        Command::Issue(options) => issue::run(options, now()?),
        Command::Verify(options) => verify::run(options, now()?),
        Command::Show(options) => show::run(options),
        Command::Completions { shell } => {
            cli::write_completions(command(), *shell, &mut stdout()).context(NOT_WRITTEN)?;
            Ok(Exit::Done)
        }
        Command::Man => {
            cli::write_man(command(), SECTIONS, &mut stdout()).context(NOT_WRITTEN)?;
            Ok(Exit::Done)
        }
    }
}

const NOT_WRITTEN: &str = "cannot write to standard output";

/// Writes `text` to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context(NOT_WRITTEN)
}

/// The clock, in whole seconds.
fn now() -> anyhow::Result<Timestamp> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the system's clock is before 1970, so no licence's term can be told")?;
    Ok(Timestamp::from_secs(i64::try_from(since.as_secs())?))
}

/// Octets of a file that is a key or a licence: more than any has, and little enough to be read whole.
const MAX_READ: u64 = 1 << 20;

/// Reads a small file.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read;
    let mut octets = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_READ).read_to_end(&mut octets))
        .with_context(|| format!("cannot read {}", path.display()))
        .exit(Exit::Usage)?;
    Ok(octets)
}

/// The issuer's public key: the file that is given, else the one of this build.
fn public_key(path: Option<&Path>) -> anyhow::Result<PublicKey> {
    if let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) {
        return PublicKey::parse(&read(path)?)
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
            .exit(Exit::Usage);
    }
    PublicKey::built_in()
        .context("the public key of this build, ROCKFISH_ISSUER_PUBLIC_KEY")
        .transpose()
        .unwrap_or_else(|| Err(anyhow::anyhow!("no public key: this build has none")))
        .hint("give the issuer's with --public-key FILE or ROCKFISH_LICENSE_PUBLIC_KEY")
        .exit(Exit::Usage)
}

/// Makes a file that must not be there yet; nobody but its owner can read it unless `public`.
fn create_new(path: &Path, public: bool, octets: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if public { 0o644 } else { 0o600 });
    }
    let mut file = options.open(path)?;
    let written = file.write_all(octets).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key is of no use to anyone; the error that matters is the first one.
        let _ = fs::remove_file(path);
    }
    written
}
