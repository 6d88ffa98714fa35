//! Signals while packets come through a pipe, and a reader of standard output that leaves.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod common;

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use common::{
    DAY_BEGIN, Ran, Row, S, capture, capture_of, finish, json_lines, number, packets, probe, rows,
    rows_by_file, signal, tally, text, udp, write_capture,
};

/// A probe that reads from a pipe, and whose JSON lines tell how far it has come.
struct Live {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Lines read so far.
    lines: String,
    /// Packets written so far.
    packets: u64,
}

impl Live {
    fn start(folder: &Path, line: &str) -> Self {
        let mut child = probe(folder, line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&capture_of(&[])).unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout, lines: String::new(), packets: 0 }
    }

    /// Writes packets without the file's header. False once the program reads no more.
    fn feed(&mut self, packets: &[(u64, Vec<u8>)]) -> bool {
        match self.stdin.write_all(&capture_of(packets)[24..]) {
            Ok(()) => self.packets += packets.len() as u64,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }

    /// Waits for so many further flows.
    fn wait_for_lines(&mut self, count: usize) {
        for _ in 0..count {
            assert_ne!(self.stdout.read_line(&mut self.lines).unwrap(), 0, "{}", self.lines);
        }
    }

    fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for its end, with standard input still open if it is kept; all its flows.
    fn end(self, keep_stdin: bool) -> (Ran, Vec<Row>) {
        let Self { child, stdin, mut stdout, mut lines, .. } = self;
        let stdin = keep_stdin.then_some(stdin);
        let rest = std::thread::spawn(move || {
            while stdout.read_line(&mut lines).unwrap() > 0 {}
            lines
        });
        let ran = finish(child);
        drop(stdin);
        (ran, json_lines(&rest.join().unwrap()))
    }
}

/// A packet of the flow with this number, so many seconds after the begin.
fn packet(seconds: u64, flow: u16) -> (u64, Vec<u8>) {
    (DAY_BEGIN + seconds * S, udp(("10.0.0.1", 1000 + flow), ("10.0.0.2", 53)))
}

/// Twenty flows, and 400 seconds later five more, with which the twenty have been idle for too long.
fn twenty_and_five() -> Vec<(u64, Vec<u8>)> {
    (0..20).map(|flow| packet(0, flow)).chain((20..25).map(|flow| packet(400, flow))).collect()
}

#[test]
fn a_stop_while_waiting_for_packets_writes_the_open_flows() {
    for (name, workers) in [("INT", "1"), ("TERM", "1"), ("INT", "2"), ("TERM", "3")] {
        let folder = tempfile::tempdir().unwrap();
        let line = format!("-i - -o flows --json - --workers {workers}");
        let mut live = Live::start(folder.path(), &line);
        assert!(live.feed(&twenty_and_five()));
        live.wait_for_lines(20);
        live.signal(name);
        // Nothing more comes, and standard input stays open: it is the signal that ends the program.
        let (ran, flows) = live.end(true);
        assert_eq!((ran.code, ran.logged("WARN").len()), (Some(0), 0), "{name}: {}", ran.err);
        let reasons: Vec<&str> = flows.iter().map(|flow| text(flow, "flowEndReason")).collect();
        assert_eq!(reasons, [vec!["idle"; 20], vec!["shutdown"; 5]].concat(), "{name}");
        let rows = rows(&folder.path().join("flows"));
        assert_eq!(packets(&rows), 25, "{name}");
        assert_eq!(tally(&rows, "reason"), [("idle", 20), ("shutdown", 5)].into(), "{name}");
    }
}

#[test]
fn a_stop_while_packets_come_writes_the_open_flows() {
    for (name, workers) in [("INT", "1"), ("TERM", "2")] {
        let folder = tempfile::tempdir().unwrap();
        let line = format!("-i - -o flows --json - --workers {workers}");
        let mut live = Live::start(folder.path(), &line);
        assert!(live.feed(&twenty_and_five()));
        live.wait_for_lines(20);
        live.signal(name);
        // The same flow goes on until nobody reads it any more.
        let stopped = (401..2_000_000).any(|second| {
            let until_1800 = 401 + (second - 401) % 1000;
            !live.feed(&[packet(until_1800, 24)])
        });
        assert!(stopped, "{name}");
        let (ran, flows) = live.end(true);
        assert_eq!((ran.code, ran.lines("error").len()), (Some(0), 0), "{name}: {}", ran.err);
        let rows = rows(&folder.path().join("flows"));
        assert_eq!(rows.len(), flows.len());
        let open = tally(&rows, "reason")["shutdown"];
        assert!((1..=5).contains(&open), "{name}: {open}");
    }
}

#[test]
fn the_end_of_input_with_a_stop_is_a_shutdown() {
    // Ctrl-C reaches the program that feeds the pipe as well.
    let folder = tempfile::tempdir().unwrap();
    let mut live = Live::start(folder.path(), "-i - -o flows --json -");
    assert!(live.feed(&twenty_and_five()));
    live.wait_for_lines(20);
    live.signal("INT");
    let (ran, flows) = live.end(false);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(flows.len(), 25);
    assert_eq!(tally(&flows, "flowEndReason"), [("idle", 20), ("shutdown", 5)].into());
}

#[test]
fn a_second_stop_ends_at_once() {
    use std::os::unix::process::ExitStatusExt;
    let folder = tempfile::tempdir().unwrap();
    let mut live = Live::start(folder.path(), "-i - --json flows.json -o flows");
    assert!(live.feed(&twenty_and_five()));
    // Standard output has no lines here; that it listens is known once its file is there.
    let begun = (0..10_000_000).any(|_| {
        std::thread::yield_now();
        folder.path().join("flows.json").exists()
    });
    assert!(begun);
    // The first makes it end by itself, so how often it is told does not matter.
    for _ in 0..20 {
        live.signal("TERM");
        if live.child.try_wait().unwrap().is_some() {
            break;
        }
    }
    let status = live.child.wait().unwrap();
    assert!(status.success() || status.signal() == Some(15), "{status}");
    let left: Vec<String> = common::files(&folder.path().join("flows")).into_keys().collect();
    assert!(left.iter().filter(|name| !name.starts_with('.')).count() <= 1, "{left:?}");
}

#[test]
fn a_hangup_begins_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let flows_at = folder.path().join("flows");
    let mut live = Live::start(folder.path(), "-i - -o flows --json - --idle-timeout 1");
    // Ten seconds apart, each packet ends the flow of the one before.
    let mut told = 0;
    let next = |live: &mut Live, told: &mut u64| {
        *told += 1;
        assert!(live.feed(&[packet(*told * 10, (*told % 50_000) as u16)]));
        if *told > 1 {
            live.wait_for_lines(1);
        }
    };
    for _ in 0..10 {
        next(&mut live, &mut told);
    }
    let whole = |name: &String| !name.starts_with('.');
    let count = || common::files(&flows_at).keys().filter(|name| whole(name)).count();
    for files in 1..=2 {
        assert_eq!(count(), files - 1);
        live.signal("HUP");
        // The signal comes soon, and is seen when a second of the capture is over.
        let rotated = (0..20_000).any(|_| {
            next(&mut live, &mut told);
            count() == files
        });
        assert!(rotated, "{files}");
    }
    let (ran, lines) = live.end(false);
    assert_eq!((ran.code, ran.logged("WARN").len()), (Some(0), 0), "{}", ran.err);
    let files = rows_by_file(&flows_at);
    assert_eq!(files.len(), 3, "{:?}", files.keys());
    let mut last = i64::MIN;
    for (name, rows) in &files {
        assert!(number(&rows[0], "stime") > last, "{name} begins after the one before");
        last = number(rows.last().unwrap(), "stime");
    }
    let rows = rows(&flows_at);
    assert_eq!((rows.len() as u64, packets(&rows)), (told, told));
    let ids = |rows: &[Row], name: &str| -> Vec<String> {
        rows.iter().map(|row| text(row, name).to_owned()).collect()
    };
    assert_eq!(ids(&rows, "flowid"), ids(&lines, "flowId"));
    assert_eq!(tally(&rows, "reason"), [("eof", 1), ("idle", told as usize - 1)].into());
}

/// A capture whose JSON lines are more than a pipe holds.
fn many_flows(path: &Path) -> usize {
    let packets: Vec<_> = (0..3000).map(|i| packet(u64::from(i) * 2, i)).collect();
    write_capture(path, &packets);
    packets.len()
}

#[test]
fn a_reader_that_leaves_ends_the_program_quietly() {
    let folder = tempfile::tempdir().unwrap();
    many_flows(&folder.path().join("many.pcap"));
    for options in ["", "--workers 3", "--stats -v"] {
        let mut child = probe(folder.path(), &format!("-i many.pcap --json - {options}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let ran = finish(child);
        assert_eq!(json_lines(&first).len(), 1);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{options}");
    }
}

#[test]
fn files_are_written_though_the_reader_of_lines_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let flows = many_flows(&folder.path().join("many.pcap"));
    for workers in ["1", "2"] {
        let mut child = probe(folder.path(), "-i many.pcap --json -")
            .args(["--workers", workers, "-o", workers])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ran = finish(child);
        assert_eq!((ran.code, ran.lines("error").len()), (Some(0), 0), "{}", ran.err);
        assert_eq!(rows(&folder.path().join(workers)).len(), flows);
    }
}

#[test]
fn a_capture_through_a_pipe_in_small_pieces_is_metered_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture("seed/ipfixprobe-http.pcap");
    let octets = std::fs::read(&file).unwrap();
    let mut child = probe(folder.path(), "-i - -o piped -q").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for piece in octets.chunks(997) {
        stdin.write_all(piece).unwrap();
    }
    drop(stdin);
    assert_eq!(finish(child).code, Some(0));
    let ran = common::run(probe(folder.path(), "-o read -i").arg(file));
    assert_eq!(ran.code, Some(0));
    assert_eq!(rows(&folder.path().join("piped")), rows(&folder.path().join("read")));
}
