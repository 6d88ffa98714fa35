//! Files by path, pattern and directory, and the captures of the test data.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use rockfish_capture::{CaptureError, CaptureFiles, CaptureStream, PacketSource};
use rockfish_packet::LinkType;

/// A capture with one packet, of this second and content.
fn one(seconds: u32, content: &[u8]) -> Vec<u8> {
    Pcap::new(false, MICROS).file(&[Sample::new(seconds, 0, content)])
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, data) in files {
            fs::write(folder.path(name), data).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn spec(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The text without the folder's own path.
    fn short(&self, text: impl ToString) -> String {
        let folder = format!("{}", self.0.path().display());
        text.to_string().replace(&format!("{folder}/"), "").replace(&folder, "FOLDER")
    }
}

fn contents(got: &Delivered) -> Vec<String> {
    got.packets.iter().map(|packet| String::from_utf8_lossy(&packet.1).into_owned()).collect()
}

#[test]
fn order_is_by_first_packet_then_name() {
    let folder = Folder::new(&[
        ("a.pcap", one(30, b"third")),
        ("b.pcap.gz", gzip(&one(20, b"second"))),
        ("c.pcapng", zstd(&one(10, b"first"))),
        ("e.pcap", one(40, b"fifth")),
        ("d.pcap", one(40, b"fourth")),
        ("f.pcap", Pcap::new(false, MICROS).header()),
    ]);
    fs::create_dir(folder.path("folder.pcap")).unwrap();
    let names = ["f.pcap", "c.pcapng", "b.pcap.gz", "a.pcap", "d.pcap", "e.pcap"];
    for spec in [folder.spec(""), folder.spec("*"), folder.spec("[a-f].pcap*")] {
        let mut files = CaptureFiles::open(&spec).unwrap();
        let paths: Vec<PathBuf> = names.iter().map(|name| folder.path(name)).collect();
        assert_eq!(files.paths(), paths);
        assert_eq!(files.links(), [LinkType::Ethernet]);
        let octets: u64 = paths.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert_eq!(files.progress().total, Some(octets));
        let got = drain(&mut files);
        assert_eq!(contents(&got), ["first", "second", "third", "fourth", "fifth"]);
        assert_eq!((got.progress.octets, got.warnings.len()), (octets, 0));
    }
}

#[test]
fn a_path_that_exists_is_no_pattern() {
    let folder = Folder::new(&[("[ab].pcap", one(1, b"literal")), ("a.pcap", one(2, b"matched"))]);
    assert_eq!(contents(&read_files(&folder.spec("[ab].pcap")).unwrap()), ["literal"]);
    assert_eq!(contents(&read_files(&folder.spec("[a].pcap")).unwrap()), ["matched"]);
}

#[test]
fn a_directory_leaves_out_what_is_no_capture() {
    let folder = Folder::new(&[
        ("a.pcap", one(1, b"packet")),
        ("empty", vec![]),
        ("notes.txt", b"text".to_vec()),
        ("short.pcap", one(1, b"")[..10].to_vec()),
        ("broken.gz", b"\x1f\x8bno gzip at all".to_vec()),
    ]);
    let got = read_files(&folder.spec("")).unwrap();
    assert_eq!(contents(&got), ["packet"]);
    let warnings: Vec<String> = got.warnings().iter().map(|text| folder.short(text)).collect();
    assert_eq!(
        warnings[1..],
        [
            "empty: left out: empty, expected a pcap or pcapng capture",
            "notes.txt: left out: not a capture: begins with 74 65 78 74, expected pcap or pcapng, plain or compressed with gzip or zstd",
            "short.pcap: left out: damaged file header: the file ends after 10 octets, expected 24",
        ]
    );
    assert!(
        warnings[0].starts_with("broken.gz: left out: cannot be decompressed: "),
        "{warnings:?}"
    );
    assert!(!got.warnings.iter().any(|warning| warning.is_loss()));
}

#[test]
fn what_cannot_be_opened() {
    let folder = Folder::new(&[
        ("a.pcap", one(1, b"packet")),
        ("b.pcap", vec![]),
        ("c.pcap", Pcap { link: 127, ..Pcap::new(false, MICROS) }.header()),
    ]);
    fs::create_dir(folder.path("none")).unwrap();
    fs::write(folder.path("none/text"), "text").unwrap();
    let cases = [
        ("b.pcap", "b.pcap: empty, expected a pcap or pcapng capture"),
        ("[ab].pcap", "b.pcap: empty, expected a pcap or pcapng capture"),
        ("*", "b.pcap: empty, expected a pcap or pcapng capture"),
        ("c.pcap", "c.pcap: unknown link type 127, expected one of"),
        ("", "c.pcap: unknown link type 127, expected one of"),
        ("none", "none: no capture among the 1 files of this directory"),
        ("absent.pcap", "absent.pcap: cannot be opened"),
        ("absent*.pcap", "absent*.pcap: no file matches this pattern"),
        ("absent[.pcap", "absent[.pcap: no such file, and not a valid pattern"),
        ("a.pcap/b", "a.pcap/b: cannot be opened"),
    ];
    for (name, message) in cases {
        match CaptureFiles::open(&folder.spec(name)) {
            Err(error) => {
                let text = folder.short(&error);
                assert!(text.starts_with(message), "{name}: {text}");
            }
            Ok(files) => panic!("{name} opened {:?}", files.paths()),
        }
    }
}

#[test]
fn a_file_that_vanishes_is_an_error_and_the_next_is_read() {
    let folder = Folder::new(&[("a", one(1, b"a")), ("b", one(2, b"b")), ("c", one(3, b"c"))]);
    let mut files = CaptureFiles::open(&folder.spec("")).unwrap();
    fs::remove_file(folder.path("b")).unwrap();
    let got = drain(&mut files);
    assert_eq!(contents(&got), ["a", "c"]);
    assert!(matches!(got.error, Some(CaptureError::Open { path, .. }) if path == folder.path("b")));
}

#[test]
fn cut_files_are_told_one_by_one() {
    let cut = |seconds, content: &[u8]| {
        let mut data = one(seconds, content);
        data.extend(&one(seconds, content)[24..]);
        data.truncate(data.len() - 1);
        data
    };
    let folder =
        Folder::new(&[("a", cut(1, b"aaaa")), ("b", one(2, b"b")), ("c", gzip(&cut(3, b"c")))]);
    let got = read_files(&folder.spec("")).unwrap();
    assert_eq!(contents(&got), ["aaaa", "b", "c"]);
    let warnings: Vec<String> = got.warnings().iter().map(|text| folder.short(text)).collect();
    assert_eq!(
        warnings,
        [
            "a: cut at byte 44, 1 packet read before: the file ends after 19 octets of a record, expected at least 20",
            "c: cut at byte 41 of the decompressed data, 1 packet read before: the file ends after 16 octets of a record, \
             expected at least 17",
        ]
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_once() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let data = one(5, b"piped");
    writer.write_all(&data).unwrap();
    drop(writer);
    let spec = format!("/dev/fd/{}", reader.as_raw_fd());
    if !Path::new(&spec).exists() {
        eprintln!("skipped: this system has no /dev/fd");
        return;
    }
    let mut files = CaptureFiles::open(&spec).unwrap();
    assert_eq!(files.progress().total, None);
    assert_eq!(contents(&drain(&mut files)), ["piped"]);
}

/// The captures beside the workspace's tests, or of a checkout next to it.
fn captures() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let places = [root.join("tests/data/pcap"), root.join("../shared/data/pcap")];
    places.into_iter().find(|place| place.join("seed").is_dir() && place.join("edge").is_dir())
}

#[test]
fn captures_have_their_packets() {
    let Some(captures) = captures() else {
        eprintln!("skipped: no captures under tests/data/pcap");
        return;
    };
    let table: HashMap<&str, (u64, Option<u16>)> = include_str!("counts.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            (fields[0], (fields[1].parse().unwrap(), fields[2].parse().ok()))
        })
        .collect();
    let mut read = 0;
    for folder in ["seed", "edge"] {
        for entry in fs::read_dir(captures.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let Some((packets, number)) = table.get(name) else { continue };
            read += 1;
            let link = number.map(LinkType::from_number);
            let spec = path.to_str().unwrap();
            if link == Some(None) {
                let error = CaptureFiles::open(spec)
                    .err()
                    .map(|error| error.to_string())
                    .unwrap_or_default();
                let expected = format!("unknown link type {}", number.unwrap_or_default());
                assert!(error.contains(&expected), "{name}: {error}");
                continue;
            }
            let got = read_files(spec).unwrap();
            assert_eq!(got.packets.len() as u64, *packets, "{name}");
            assert!(got.warnings.is_empty(), "{name}: {:?}", got.warnings());
            let links: Vec<_> = got
                .packets
                .iter()
                .map(|packet| Some(packet.3))
                .filter(|l| Some(*l) != link)
                .collect();
            assert!(links.is_empty(), "{name}: {links:?}");
            let data = fs::read(&path).unwrap();
            for (kind, data) in [("gzip", gzip(&data)), ("zstd", zstd(&data))] {
                if name.ends_with(".gz") {
                    continue;
                }
                let mut stream =
                    CaptureStream::new(Box::new(std::io::Cursor::new(data)), name).unwrap();
                assert!(
                    drain(&mut stream).packets == got.packets,
                    "{name} with {kind}: packets differ"
                );
            }
        }
    }
    assert!(read > 0, "none of the files of the table is there");
}
