//! Generated documents and checks of this workspace: `cargo xtask docs` writes them, `cargo xtask docs --check` fails
//! when one is stale.

mod docs;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use rockfish_app::{Exit, ResultExt};

/// Generated documents and checks of this workspace
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write the documents that come from code: command line, configuration, schema, man pages, completions
    Docs {
        /// Write nothing; fail if a document is not what the code says
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    rockfish_app::exit::run(|| {
        match args.task {
            Task::Docs { check: true } => check(&root())?,
            Task::Docs { check: false } => write(&root())?,
        }
        Ok(Exit::Done)
    })
}

/// The workspace's folder.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

fn write(root: &Path) -> anyhow::Result<()> {
    for document in docs::all()? {
        let path = root.join(document.path);
        if std::fs::read(&path).is_ok_and(|found| found == document.text.as_bytes()) {
            continue;
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        std::fs::write(&path, document.text)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn check(root: &Path) -> anyhow::Result<()> {
    let mut stale = Vec::new();
    for document in docs::all()? {
        match std::fs::read_to_string(root.join(document.path)) {
            Ok(found) if found == document.text => {}
            Ok(found) => {
                let same = found.lines().zip(document.text.lines()).take_while(|(a, b)| a == b);
                stale.push(format!("{} from line {}", document.path, same.count() + 1));
            }
            Err(error) => stale.push(format!("{} ({error})", document.path)),
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    let verdict = || bail!("not what the code says: {}", stale.join(", "));
    verdict().hint("run: cargo xtask docs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_what_the_code_says() {
        check(&root()).unwrap();
    }

    #[test]
    fn a_stale_or_missing_document_is_told() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        check(folder.path()).unwrap();
        let path = folder.path().join("docs/cli.md");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("--idle-timeout", "--idel-timeout", 1)).unwrap();
        std::fs::remove_file(folder.path().join("docs/config.md")).unwrap();
        let error = check(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("docs/cli.md from line ") && error.contains("docs/config.md ("),
            "{error}"
        );
        assert!(!error.contains("docs/man"), "{error}");
    }
}
