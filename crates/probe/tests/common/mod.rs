//! What the tests of the program share: running it, captures for it, and reading what it wrote.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by several test programs: each takes what it needs"
)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use rockfish_testkit::{Captured, PacketBuilder, PcapFormat};
use serde_json::{Map, Value};

/// When a program that does not end is ended, so that its test fails instead of waiting for ever. No test depends on it.
const STUCK: Duration = Duration::from_secs(60);

/// 2024-03-01T00:00:00Z, in microseconds.
pub const DAY_BEGIN: u64 = 1_709_251_200_000_000;

/// A second in microseconds.
pub const S: u64 = 1_000_000;

/// The program, run in `folder`, with the words of `line` and nothing of ours in its environment.
pub fn probe(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rockfish_probe"));
    command.current_dir(folder).args(line.split_whitespace()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROCKFISH_") {
            command.env_remove(name);
        }
    }
    command
}

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The lines of standard error that begin with this.
    pub fn lines(&self, begin: &str) -> Vec<&str> {
        self.err.lines().filter(|line| line.starts_with(begin)).collect()
    }

    /// The log lines of this level.
    pub fn logged(&self, level: &str) -> Vec<&str> {
        self.err.lines().filter(|line| line.split_whitespace().nth(1) == Some(level)).collect()
    }

    /// A number of `--stats`, 0 where it is not mentioned.
    #[track_caller]
    pub fn statistic(&self, name: &str) -> u64 {
        let mut found = self.out.lines().filter_map(|line| {
            let (label, value) = line.trim_end().rsplit_once(' ')?;
            (label.trim() == name).then(|| value.parse().unwrap())
        });
        let value = found.next().unwrap_or(0);
        assert_eq!(found.next(), None, "{name} is there once: {}", self.out);
        value
    }
}

/// Runs it to its end.
pub fn run(command: &mut Command) -> Ran {
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Runs it to its end with `input` on standard input.
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            // It may end before it has read all.
            let _ = stdin.write_all(input);
        });
        finish(child)
    })
}

/// Waits for its end; a standard output that was taken before is not read.
pub fn finish(mut child: Child) -> Ran {
    fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
        thread::spawn(move || {
            let mut text = String::new();
            if let Some(mut pipe) = pipe {
                pipe.read_to_string(&mut text).unwrap();
            }
            text
        })
    }
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let watched = child.id();
    let (ended, wait) = mpsc::channel::<()>();
    let guard = thread::spawn(move || {
        let stuck = wait.recv_timeout(STUCK) == Err(RecvTimeoutError::Timeout);
        if stuck {
            signal(watched, "KILL");
        }
        stuck
    });
    // Its pipes end with it, so they are read before it is waited for: until then its number stays its own.
    let (out, err) = (out.join().unwrap(), err.join().unwrap());
    drop(ended);
    let stuck = guard.join().unwrap();
    let code = child.wait().unwrap().code();
    assert!(!stuck, "it did not end; standard error: {err}");
    Ran { code, out, err }
}

/// Sends a signal, by name without SIG.
pub fn signal(process: u32, name: &str) {
    let kill = format!("kill -{name} {process}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
}

/// Whether the test has all rights, so that a missing right does not stop it.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// A capture of `tests/data/pcap`.
pub fn capture(name: &str) -> PathBuf {
    let path = rockfish_testkit::captures().join(name);
    assert!(path.exists(), "{} is part of the project", path.display());
    path
}

/// An Ethernet frame with these ends, to go on with.
pub fn between(source: &str, destination: &str) -> PacketBuilder {
    PacketBuilder::ethernet([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]).ip(source, destination)
}

/// A UDP packet with three octets of payload.
pub fn udp(source: (&str, u16), destination: (&str, u16)) -> Vec<u8> {
    between(source.0, destination.0).udp(source.1, destination.1).payload(b"abc").build()
}

/// Writes a classic capture of these packets, each with its microseconds.
pub fn write_capture(path: &Path, packets: &[(u64, Vec<u8>)]) {
    fs::write(path, capture_of(packets)).unwrap();
}

/// A classic capture of these packets, each with its microseconds.
pub fn capture_of(packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let packets: Vec<Captured> =
        packets.iter().map(|(time, data)| Captured::at_micros(*time, data.clone())).collect();
    rockfish_testkit::pcap(PcapFormat::default(), &packets)
}

/// The packets of a classic capture with microseconds in little-endian order.
pub fn packets_of(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let octets = fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(octets[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_c3d4, "{}", path.display());
    let (mut packets, mut at) = (Vec::new(), 24);
    while at < octets.len() {
        let time = u64::from(word(at)) * S + u64::from(word(at + 4));
        let length = word(at + 8) as usize;
        packets.push((time, octets[at + 16..at + 16 + length].to_vec()));
        at += 16 + length;
    }
    packets
}

/// Everything below a folder, by path, hidden or not; nothing if there is no such folder.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    if folder.exists() {
        walk(folder, folder, &mut found);
    }
    found
}

/// A row of a Parquet file by column name. Times are microseconds.
pub type Row = Map<String, Value>;

/// The rows of a Parquet file.
pub fn rows_of(path: &Path) -> Vec<Row> {
    let file = SerializedFileReader::new(File::open(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows: Vec<Row> =
        file.get_row_iter(None).unwrap().map(|row| values(&row.unwrap())).collect();
    assert_eq!(rows.len() as i64, file.metadata().file_metadata().num_rows());
    rows
}

fn values(row: &parquet::record::Row) -> Row {
    let value = |field: &Field| match field {
        Field::Null => Value::Null,
        Field::Int(number) => (*number).into(),
        Field::UByte(number) => (*number).into(),
        Field::UShort(number) => (*number).into(),
        Field::UInt(number) => (*number).into(),
        Field::ULong(number) => (*number).into(),
        Field::TimestampMicros(micros) => (*micros).into(),
        Field::Str(text) => text.as_str().into(),
        other => panic!("a type that the record does not have: {other:?}"),
    };
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

/// The rows of each Parquet file below a folder, by path.
pub fn rows_by_file(folder: &Path) -> BTreeMap<String, Vec<Row>> {
    files(folder)
        .into_keys()
        .map(|name| {
            assert_eq!(Path::new(&name).extension(), Some(OsStr::new("parquet")), "{name}");
            let rows = rows_of(&folder.join(&name));
            (name, rows)
        })
        .collect()
}

/// The rows of all Parquet files below a folder, in one order for all ways to cut them into files.
pub fn rows(folder: &Path) -> Vec<Row> {
    sorted(rows_by_file(folder).into_values().flatten().collect())
}

/// In order of start and id.
pub fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| (number(row, "stime"), text(row, "flowid").to_owned()));
    rows
}

/// A whole number of a row.
#[track_caller]
pub fn number(row: &Row, column: &str) -> i64 {
    row[column].as_i64().unwrap()
}

/// A text of a row.
#[track_caller]
pub fn text<'a>(row: &'a Row, column: &str) -> &'a str {
    row[column].as_str().unwrap()
}

/// Packets of both directions of all rows.
pub fn packets(rows: &[Row]) -> u64 {
    rows.iter().map(|row| (number(row, "spkts") + number(row, "dpkts")) as u64).sum()
}

/// How many rows have each value of a text column.
pub fn tally<'a>(rows: &'a [Row], column: &str) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(text(row, column)).or_default() += 1;
    }
    counts
}

/// JSON lines as objects.
pub fn json_lines(text: &str) -> Vec<Row> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
