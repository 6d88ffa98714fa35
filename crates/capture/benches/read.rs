//! What walking over a capture costs beside reading the file.
//!
//! Reads the file named by `ROCKFISH_BENCH_PCAP`, or else one that it writes: 64 MiB of packets of mixed sizes.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rockfish_capture::{BLOCK_SIZE, Block, CaptureFiles, Options, PacketSource};

/// Captured lengths as they occur: mostly small, some full ones.
const LENGTHS: [usize; 12] = [54, 66, 66, 1514, 60, 78, 342, 66, 1514, 90, 128, 590];

fn write(path: &Path) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let mut header = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        header.extend(word.to_le_bytes());
    }
    file.write_all(&header)?;
    let (mut data, mut octets, mut packet) = (Vec::new(), 0, 0usize);
    while octets < 64 << 20 {
        data.clear();
        while data.len() < 1 << 20 {
            let length = LENGTHS[packet % LENGTHS.len()];
            for word in [
                1_600_000_000 + packet as u32 / 1000,
                packet as u32 % 1_000_000,
                length as u32,
                length as u32,
            ] {
                data.extend(word.to_le_bytes());
            }
            data.resize(data.len() + length, packet as u8);
            packet += 1;
        }
        file.write_all(&data)?;
        octets += data.len();
    }
    file.flush()
}

fn walk(
    spec: &str,
    options: Options,
    block: &mut Block,
) -> Result<u64, Box<dyn std::error::Error>> {
    let mut files = CaptureFiles::with_options(spec, options)?;
    let mut octets = 0;
    while files.next_block(block)? {
        for packet in &block.packets {
            octets += u64::from(packet.captured);
        }
    }
    Ok(octets)
}

fn only_read(path: &Path, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut file = File::open(path)?;
    let mut octets = 0;
    loop {
        match file.read(buffer)? {
            0 => return Ok(octets),
            n => octets += n,
        }
    }
}

fn benches(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = match std::env::var_os("ROCKFISH_BENCH_PCAP") {
        Some(path) => PathBuf::from(path),
        None => {
            let path = folder.path().join("bench.pcap");
            write(&path).expect("a capture written");
            path
        }
    };
    let spec = path.to_str().expect("a path in UTF-8").to_owned();
    let mut group = criterion.benchmark_group("capture");
    group.throughput(Throughput::Bytes(path.metadata().expect("a file").len()));
    group.sample_size(20);
    let mut buffer = vec![0; BLOCK_SIZE];
    group.bench_function("read only", |b| {
        b.iter(|| only_read(black_box(&path), &mut buffer).expect("read"))
    });
    let mut block = Block::default();
    for block_size in [BLOCK_SIZE / 2, BLOCK_SIZE, BLOCK_SIZE * 2] {
        let options = Options { block_size, ..Options::default() };
        group.bench_function(format!("walk, blocks of {} KiB", block_size >> 10), |b| {
            b.iter(|| walk(black_box(&spec), options, &mut block).expect("read"));
        });
    }
    group.finish();
}

criterion_group!(read, benches);
criterion_main!(read);
