//! What each column costs: octets a flow in the files given, as a Markdown table.
//!
//!     cargo run --release -p rockfish-parquet --example columns -- flows/*.parquet
//!
//! `--sample FOLDER` writes 345,000 made-up flows of a busy network there first, and takes that file.

#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::path::PathBuf;

use parquet::file::reader::{FileReader, SerializedFileReader};
use rockfish_parquet::{ParquetWriter, WriterConfig};

#[derive(Default)]
struct Sum {
    name: String,
    compressed: i64,
    uncompressed: i64,
    encodings: BTreeSet<String>,
    compression: String,
}

#[expect(clippy::print_stdout, reason = "printing is what this is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>();
    if paths.first().is_some_and(|path| path.as_os_str() == "--sample") {
        let dir = paths.pop().ok_or("--sample wants a folder")?;
        let mut writer = ParquetWriter::create(WriterConfig { dir, ..WriterConfig::default() })?;
        writer.push(common::busy_network(345_000))?;
        paths = writer.finish()?.files.into_iter().map(|file| file.path).collect();
    }
    let mut sums = Vec::<Sum>::new();
    let mut rows = 0;
    let mut octets = 0;
    for path in paths {
        let file = File::open(&path).map_err(|e| format!("cannot open {}: {e}", path.display()))?;
        octets += file.metadata()?.len();
        let reader = SerializedFileReader::new(file)?;
        for group in reader.metadata().row_groups() {
            rows += group.num_rows();
            for (i, column) in group.columns().iter().enumerate() {
                if sums.len() <= i {
                    sums.push(Sum { name: column.column_path().string(), ..Sum::default() });
                }
                let sum = &mut sums[i];
                sum.compressed += column.compressed_size();
                sum.uncompressed += column.uncompressed_size();
                sum.compression = format!("{:?}", column.compression_codec());
                let of_pages = column.page_encoding_stats_mask();
                sum.encodings.extend(
                    of_pages.into_iter().flat_map(|mask| mask.encodings()).map(|e| e.to_string()),
                );
            }
        }
    }
    let each = |octets: f64| octets / rows.max(1) as f64;
    println!("| column | octets a flow | before compression | encoding | compression |");
    println!("|---|---:|---:|---|---|");
    for sum in &sums {
        let encodings = sum.encodings.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let Sum { name, compression, .. } = sum;
        println!(
            "| `{name}` | {:.2} | {:.2} | {encodings} | {compression} |",
            each(sum.compressed as f64),
            each(sum.uncompressed as f64),
        );
    }
    println!("\n{rows} flows, {octets} octets, {:.2} a flow", each(octets as f64));
    Ok(())
}
