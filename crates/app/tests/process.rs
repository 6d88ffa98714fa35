//! What only a process of its own shows: log lines on standard error and in the file, the failure's report, exit status,
//! signals. The test program runs itself again as that process.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output, Stdio, Termination};

use anyhow::anyhow;
use rockfish_app::exit::run;
use rockfish_app::logging::{Level, LogFormat, Logging, init};
use rockfish_app::signals::Signals;
use rockfish_app::{Exit, ResultExt, stdout};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::raise;

/// Names the scene that the process is to play.
const SCENE: &str = "ROCKFISH_TEST_SCENE";
const FILE: &str = "ROCKFISH_TEST_FILE";

fn play(scene: &str) -> anyhow::Result<Exit> {
    let file = std::env::var_os(FILE).map(PathBuf::from);
    let logging = |level, format| Logging { level, format, file: file.clone() };
    match scene {
        "talk" | "talk json" => {
            let format = if scene == "talk" { LogFormat::Text } else { LogFormat::Json };
            init(&logging(Level::Debug, format))?;
            tracing::trace!("too much");
            tracing::debug!(packets = 7, "why");
            tracing::info!("what");
            tracing::warn!("careful");
            Err(anyhow!("disk full")).hint("make room")
        }
        "unheard" => Err(anyhow!("no logging yet")).exit(Exit::Usage),
        "losses" => Ok(Exit::Losses),
        "pipe" => {
            let mut out = stdout();
            for _ in 0..10_000 {
                writeln!(out, "a line of some length that fills the pipe at last")?;
            }
            Ok(Exit::Failed)
        }
        "one signal" => {
            let signals = Signals::install()?;
            raise(SIGTERM)?;
            assert!(signals.stop_requested());
            Ok(Exit::Done)
        }
        "two signals" => {
            let _signals = Signals::install()?;
            raise(SIGINT)?;
            raise(SIGINT)?;
            Ok(Exit::Done)
        }
        other => Err(anyhow!("no scene {other}")),
    }
}

/// Not a test in itself: the process that the others start.
#[test]
fn child() -> ExitCode {
    match std::env::var(SCENE) {
        Ok(scene) => run(|| play(&scene)),
        Err(_) => ().report(),
    }
}

fn command(scene: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(SCENE, scene);
    command
}

fn output(command: &mut Command) -> (String, Output) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    // What the test runner itself says of a test that returned a failure.
    let text = text.lines().filter(|line| !line.starts_with("error: test failed"));
    (text.map(|line| format!("{line}\n")).collect(), output)
}

fn file_text(folder: &std::path::Path) -> String {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    std::fs::read_to_string(files.remove(0)).unwrap()
}

#[test]
fn lines_go_to_standard_error_and_the_failure_is_printed_once() {
    let (text, output) = output(&mut command("talk"));
    for expected in ["DEBUG why packets=7", " INFO what", " WARN careful"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("too much") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(text.matches("disk full").count(), 1, "{text}");
    assert!(text.contains("\nerror: disk full\nhint: make room\n"), "{text}");
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(!out.contains("what") && !out.contains("careful"), "{out}");
}

#[test]
fn json_lines_are_json_to_the_end() {
    let (text, _) = output(&mut command("talk json"));
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(
        lines[0].contains("\"packets\":7") && lines[0].contains("\"level\":\"DEBUG\""),
        "{text}"
    );
    assert!(
        lines[3].contains("\"message\":\"disk full\"")
            && lines[3].contains("\"hint\":\"make room\"")
    );
    assert!(!text.contains("error: disk full"), "{text}");
}

#[test]
fn the_file_gets_all_and_standard_error_what_matters() {
    let folder = tempfile::tempdir().unwrap();
    let (text, _) = output(command("talk").env(FILE, folder.path().join("p.log")));
    assert!(
        text.contains(" WARN careful") && !text.contains("what") && !text.contains("why"),
        "{text}"
    );
    assert_eq!(text.matches("disk full").count(), 1, "{text}");
    let file = file_text(folder.path());
    for expected in ["DEBUG why packets=7", " INFO what", " WARN careful", "ERROR disk full"] {
        assert!(file.contains(expected), "{expected}: {file}");
    }
}

#[test]
fn without_logging_the_report_is_still_printed() {
    let (text, _) = output(&mut command("unheard"));
    assert!(text.contains("error: no logging yet\n"), "{text}");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child = command("pipe").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Leaves once the scene has begun to write, and long before it is through.
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("a line of some length") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the scene wrote nothing");
    }
    drop(reader);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("closed by its reader"), "{text}");
}

#[cfg(unix)]
#[test]
fn the_second_signal_ends_at_once() {
    use std::os::unix::process::ExitStatusExt;
    let status = command("one signal").output().unwrap().status;
    assert_eq!((status.signal(), status.code()), (None, Some(0)));
    let status = command("two signals").output().unwrap().status;
    assert_eq!(status.signal(), Some(SIGINT));
}

#[test]
fn statuses_are_those_documented() {
    for (result, expected) in [
        (Ok(Exit::Done), 0),
        (Err(anyhow!("a")), 1),
        (Err(anyhow!("a")).exit(Exit::Usage), 2),
        (Ok(Exit::Losses), 3),
    ] {
        let code: u8 = match &result {
            Ok(exit) => exit.code(),
            Err(error) => rockfish_app::exit::Report::of(error).unwrap().exit.code(),
        };
        assert_eq!(code, expected);
        assert_eq!(format!("{:?}", run(|| result)), format!("{:?}", ExitCode::from(expected)));
    }
}
