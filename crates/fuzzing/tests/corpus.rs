//! The fuzz targets over real captures and changed copies of them: a bounded, repeatable number of inputs.
#![expect(clippy::print_stderr, reason = "says what is skipped")]

use std::path::{Path, PathBuf};

/// Changed copies of each capture or packet.
const CHANGES: u64 = 40;
/// Captures larger than this are cut: changes to their rear would be read only after much else.
const MOST_OCTETS: usize = 20_000;

struct Random(u64);

impl Random {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let Ok(entries) = std::fs::read_dir(&path) else {
        eprintln!("{folder} is not there: skipped");
        return Vec::new();
    };
    let mut files: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Calls `target` with each input as it is and changed in a few places, each time with another first octet or two.
fn drive(inputs: &[Vec<u8>], options: usize, target: fn(&[u8])) {
    let mut random = Random(11);
    for input in inputs {
        for change in 0..CHANGES {
            let mut data: Vec<u8> = (0..options).map(|_| random.next() as u8).collect();
            data.extend_from_slice(input);
            if change > 0 {
                for _ in 0..=random.below(4) {
                    let place = options + random.below(input.len());
                    if let Some(octet) = data.get_mut(place) {
                        *octet = random.next() as u8;
                    }
                }
                if change % 8 == 0 {
                    data.truncate(options + random.below(input.len() + 1));
                }
            }
            target(&data);
        }
    }
}

fn captures() -> Vec<Vec<u8>> {
    let mut all = files("tests/data/pcap/edge");
    all.extend(files("tests/data/pcap/seed"));
    all.iter()
        .filter_map(|path| std::fs::read(path).ok())
        .map(|mut octets| {
            octets.truncate(MOST_OCTETS);
            octets
        })
        .collect()
}

/// What the fuzzer found, and what it is to keep: inputs of a target as they are.
fn regressions(name: &str, target: fn(&[u8])) {
    for path in files(&format!("fuzz/regressions/{name}")) {
        target(&std::fs::read(path).expect("a readable file"));
    }
}

/// Frames of the captures, without the file structures.
fn frames() -> Vec<Vec<u8>> {
    use rockfish_capture::PacketSource as _;
    let mut frames = Vec::new();
    for octets in captures() {
        let input = Box::new(std::io::Cursor::new(octets));
        let Ok(mut stream) = rockfish_capture::CaptureStream::new(input, "capture") else {
            continue;
        };
        let mut block = rockfish_capture::Block::default();
        while let Ok(true) = stream.next_block(&mut block) {
            frames
                .extend(block.packets.iter().take(12).map(|packet| block.octets(packet).to_vec()));
        }
    }
    frames
}

#[test]
fn capture_files() {
    regressions("capture", rockfish_fuzzing::capture);
    drive(&captures(), 1, rockfish_fuzzing::capture);
}

#[test]
fn frames_of_every_link_type() {
    regressions("decode", rockfish_fuzzing::decode);
    let mut frames = frames();
    // Ethernet is the second of the table; the octet is drawn by `drive`, so most frames meet every link type.
    frames.truncate(2000);
    drive(&frames, 2, rockfish_fuzzing::decode);
}

#[test]
fn fragments() {
    regressions("defragment", rockfish_fuzzing::defragment);
    let mut random = Random(3);
    let inputs: Vec<Vec<u8>> = (0..200)
        .map(|_| (0..random.below(3000)).map(|_| random.next() as u8 & 0x3f).collect())
        .collect();
    drive(&inputs, 1, rockfish_fuzzing::defragment);
}

#[test]
fn metering() {
    regressions("meter", rockfish_fuzzing::meter);
    let mut random = Random(5);
    let inputs: Vec<Vec<u8>> =
        (0..20).map(|_| (0..random.below(2000)).map(|_| random.next() as u8).collect()).collect();
    drive(&inputs, 5, rockfish_fuzzing::meter);
}

#[test]
fn payload_samples() {
    regressions("payload", rockfish_fuzzing::payload);
    drive(&captures()[..40.min(captures().len())], 2, rockfish_fuzzing::payload);
}
