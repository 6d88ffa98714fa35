//! The program's own commands, run as a person would.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::io::Read;
use std::process::{Command, Output, Stdio};

fn probe(folder: &std::path::Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rockfish_probe"));
    command.current_dir(folder).args(line.split_whitespace());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROCKFISH_") {
            command.env_remove(name);
        }
    }
    command
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn validate_says_valid_or_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("a.pcap"), "").unwrap();
    std::fs::write(at.join("good.yaml"), "input: {source: a.pcap}\noutput: {parquet_dir: flows}\n")
        .unwrap();
    std::fs::write(at.join("bad.yaml"), "input: {source: a.pcap}\noutput: {parquet_dri: flows}\n")
        .unwrap();

    let (code, out, err) = run(&mut probe(at, "validate -c good.yaml"));
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "configuration is valid\n", ""));
    assert!(!at.join("flows").exists(), "validating writes nothing");

    let (code, out, err) = run(&mut probe(at, "validate -c bad.yaml"));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.starts_with("error: bad.yaml:2:10: unknown key \"parquet_dri\" in section output, permitted: parquet_dir, "), "{err}");
    assert!(err.ends_with("\nhint: did you mean parquet_dir?\n"), "{err}");

    let (code, _, err) = run(probe(at, "validate")
        .env("ROCKFISH_CONFIG", "good.yaml")
        .env("ROCKFISH_S3_REGION", "r")
        .env("ROCKFISH_S3_BUCKET", "b"));
    assert_eq!(code, Some(2));
    assert_eq!(err, "error: s3.bucket (ROCKFISH_S3_BUCKET): S3 upload is not in this build\n");

    let (code, out, err) = run(&mut probe(at, "validate -c good.yaml --observation hq"));
    assert_eq!((code, out.as_str()), (Some(0), "configuration is valid\n"));
    assert!(err.starts_with("warning: output.observation (--observation): "), "{err}");
}

#[test]
fn metering_refuses_what_validate_refuses() {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        "",
        "-i eth0 --live pcap -o flows --workers 2",
        "-c gone.yaml",
        "--test-s3 --s3-bucket b --s3-region r",
    ] {
        let (code, out, err) = run(&mut probe(folder.path(), line));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{line}");
        assert!(err.starts_with("error: "), "{line}: {err}");
        let (code, _, same) = run(&mut probe(folder.path(), &format!("validate {line}")));
        assert_eq!((code, same), (Some(2), err), "{line}");
    }
    let (code, _, err) = run(&mut probe(folder.path(), "--idle-timout 3"));
    assert_eq!(code, Some(2));
    assert!(err.contains("--idle-timeout"), "{err}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn the_dump_is_a_file_that_dumps_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (code, first, _) = run(probe(at, "--dump-config --json - -i x --tunnels inner")
        .env("ROCKFISH_IP_REPUTATION_API_KEY", "hunter2"));
    assert_eq!(code, Some(0));
    assert!(first.contains("api_key: ") && !first.contains("hunter2"), "{first}");
    std::fs::write(at.join("dump.yaml"), &first).unwrap();
    let (code, second, _) = run(&mut probe(at, "-c dump.yaml --dump-config"));
    assert_eq!((code, second), (Some(0), first));
}

#[test]
fn completions_and_man_page_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    for (line, expected) in [
        ("completions bash", "--parquet-dir"),
        ("completions zsh", "#compdef rockfish_probe"),
        ("completions fish", "complete -c rockfish_probe"),
        ("man", ".SH \"EXIT STATUS\""),
        ("--version", env!("CARGO_PKG_VERSION")),
    ] {
        let (code, out, err) = run(&mut probe(folder.path(), line));
        assert_eq!((code, err.as_str()), (Some(0), ""), "{line}");
        assert!(out.contains(expected), "{line}");
    }
    let (code, _, _) = run(&mut probe(folder.path(), "completions tcsh"));
    assert_eq!(code, Some(2));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    for line in ["man", "completions bash", "--dump-config"] {
        let mut child = probe(folder.path(), line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""), "{line}");
    }
}
