//! Walks over captures and counts, or with `--read` only reads the file: what reading costs, to be measured from outside
//! (`perf stat`, `time`) beside other readers.
//!
//! `cargo run --release -p rockfish-capture --example walk -- [--read] capture.pcap [block size in KiB]`

use std::fs::File;
use std::io::{self, Read, Write};

use rockfish_capture::{BLOCK_SIZE, Block, CaptureFiles, Options, PacketSource};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let only_read = arguments.first().is_some_and(|argument| argument == "--read");
    if only_read {
        arguments.remove(0);
    }
    let spec = arguments.first().ok_or("expected a path, a pattern, a directory or -")?;
    let block_size = match arguments.get(1) {
        Some(kib) => kib.parse::<usize>()? << 10,
        None => BLOCK_SIZE,
    };
    let mut out = io::stdout().lock();
    if only_read {
        let mut file = File::open(spec)?;
        let mut buffer = vec![0; block_size];
        let mut octets = 0;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => octets += n,
            }
        }
        writeln!(out, "octets {octets}")?;
        return Ok(());
    }
    let mut files = CaptureFiles::with_options(spec, Options { block_size, ..Options::default() })?;
    let mut block = Block::default();
    let (mut packets, mut captured, mut wire) = (0u64, 0u64, 0u64);
    while files.next_block(&mut block)? {
        for packet in &block.packets {
            packets += 1;
            captured += u64::from(packet.captured);
            wire += u64::from(packet.wire);
        }
    }
    writeln!(
        out,
        "packets {packets} captured {captured} wire {wire} skipped {}",
        files.skipped().total()
    )?;
    for warning in files.take_warnings() {
        writeln!(out, "{warning}")?;
    }
    Ok(())
}
