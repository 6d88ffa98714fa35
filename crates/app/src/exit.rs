//! How a program ends: one status, one report.

use std::error::Error as StdError;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use crate::{logging, stdout};

/// Exit status of every program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed: something that should have worked did not.
    Failed = 1,
    /// The command line, the configuration or the input is wrong.
    Usage = 2,
    /// Done, but something was lost, and `--strict` asked to be told.
    Losses = 3,
}

impl Exit {
    /// All statuses with their meaning, for help and man pages.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Usage, "wrong usage, configuration or input"),
        (Self::Losses, "done, with losses, under --strict"),
    ];

    /// The number that the operating system gets.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error with the exit status it leads to and, perhaps, advice. Made by [`ResultExt`]; it shows as the error it holds.
#[derive(Debug)]
struct Marked {
    exit: Option<Exit>,
    hint: Option<String>,
    error: anyhow::Error,
}

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl StdError for Marked {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The held error is already shown as this one; an empty link keeps the marks within it in the chain.
        Some(self.error.as_ref())
    }
}

/// Marks errors with what they mean for the program's end.
pub trait ResultExt<T> {
    /// The program ends with `exit` if this error reaches the end. Without a mark it is [`Exit::Failed`].
    ///
    /// # Errors
    /// The error, marked.
    fn exit(self, exit: Exit) -> anyhow::Result<T>;

    /// Adds advice, printed on a line of its own.
    ///
    /// # Errors
    /// The error, marked.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> ResultExt<T> for Result<T, E> {
    fn exit(self, exit: Exit) -> anyhow::Result<T> {
        self.map_err(|error| {
            anyhow::Error::new(Marked { exit: Some(exit), hint: None, error: error.into() })
        })
    }

    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| {
            anyhow::Error::new(Marked { exit: None, hint: Some(hint.into()), error: error.into() })
        })
    }
}

/// One thing that is wrong, with advice if there is any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What was found and what was expected.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Several things that are wrong at once, reported one a line. Ends the program with [`Exit::Usage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&problem.text)?;
        }
        Ok(())
    }
}

impl StdError for Problems {}

/// What is said about a failure.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// The status.
    pub exit: Exit,
    /// `error:` lines, without the word.
    pub errors: Vec<String>,
    /// `hint:` lines, without the word.
    pub hints: Vec<String>,
}

impl Report {
    /// What is to be said about `error`; `None` if it only means that standard output's reader has gone.
    pub fn of(error: &anyhow::Error) -> Option<Self> {
        if error.chain().any(stdout::is_closed_stdout) {
            return None;
        }
        let mut exit = None;
        let mut hints = Vec::new();
        let mut texts: Vec<String> = Vec::new();
        let mut problems = None;
        for link in error.chain() {
            if let Some(marked) = link.downcast_ref::<Marked>() {
                exit = exit.or(marked.exit);
                hints.extend(marked.hint.clone());
                continue;
            }
            if let Some(found) = link.downcast_ref::<Problems>() {
                exit = exit.or(Some(Exit::Usage));
                problems = Some(found);
                break;
            }
            let text = link.to_string();
            // Many errors repeat their cause in their own text; it is said once.
            if !text.is_empty() && !texts.last().is_some_and(|last| last.ends_with(&text)) {
                texts.push(text);
            }
        }
        let context = texts.join(": caused by ");
        let errors = match problems {
            None => vec![context],
            Some(Problems(problems)) => problems
                .iter()
                .map(|problem| {
                    hints.extend(problem.hint.clone());
                    if context.is_empty() {
                        problem.text.clone()
                    } else {
                        format!("{context}: {}", problem.text)
                    }
                })
                .collect(),
        };
        let mut seen = Vec::new();
        hints.retain(|hint| {
            !seen.contains(hint) && {
                seen.push(hint.clone());
                true
            }
        });
        Some(Self { exit: exit.unwrap_or(Exit::Failed), errors, hints })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "error: {error}")?;
        }
        for hint in &self.hints {
            writeln!(f, "hint: {hint}")?;
        }
        Ok(())
    }
}

/// Runs a program and turns what it returns into an exit status; a failure is reported on standard error, and in the log
/// file if there is one.
pub fn run(program: impl FnOnce() -> anyhow::Result<Exit>) -> ExitCode {
    let error = match program() {
        Ok(exit) => return exit.into(),
        Err(error) => error,
    };
    let Some(report) = Report::of(&error) else {
        return Exit::Done.into();
    };
    if !logging::log_failure(&report) {
        // Nothing is left to be done if standard error is closed.
        let _ = write!(std::io::stderr().lock(), "{report}");
    }
    report.exit.into()
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::{Context, anyhow};

    use super::*;

    fn report(result: anyhow::Result<()>) -> Report {
        Report::of(&result.unwrap_err()).unwrap()
    }

    #[test]
    fn chain_is_said_once_with_status_and_hint() {
        let disk = || io::Error::other("no space left on device");
        for (result, exit, text) in [
            (Err(anyhow!("bad")), Exit::Failed, "error: bad\n"),
            (
                Err(disk()).context("cannot write flows/a.parquet"),
                Exit::Failed,
                "error: cannot write flows/a.parquet: caused by no space left on device\n",
            ),
            (
                Err(disk()).with_context(|| format!("cannot write a: {}", disk())),
                Exit::Failed,
                "error: cannot write a: no space left on device\n",
            ),
            (
                Err(anyhow!("x: not a capture")).hint("give a pcap file").exit(Exit::Usage),
                Exit::Usage,
                "error: x: not a capture\nhint: give a pcap file\n",
            ),
            (
                Err(anyhow!("inner")).exit(Exit::Usage).context("outer").hint("h").context("top"),
                Exit::Usage,
                "error: top: caused by outer: caused by inner\nhint: h\n",
            ),
            (Err(anyhow!("a")).exit(Exit::Usage).exit(Exit::Failed), Exit::Failed, "error: a\n"),
            (
                Err(Problems(vec![
                    Problem { text: "one".into(), hint: Some("h".into()) },
                    Problem { text: "two".into(), hint: Some("h".into()) },
                ])
                .into()),
                Exit::Usage,
                "error: one\nerror: two\nhint: h\n",
            ),
        ] {
            let report = report(result);
            assert_eq!((report.exit, report.to_string().as_str()), (exit, text));
        }
    }

    #[test]
    fn only_standard_output_may_break_quietly() {
        let closed = io::Error::new(io::ErrorKind::BrokenPipe, stdout::StdoutClosed);
        let result: anyhow::Result<()> = Err(closed).context("cannot write flows");
        assert_eq!(Report::of(&result.unwrap_err()), None);
        let other = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(Report::of(&other).unwrap().exit, Exit::Failed);
    }
}
