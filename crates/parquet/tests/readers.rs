//! Other readers agree on every value: DuckDB, pyarrow with pandas, polars.
//!
//! Runs with the Python that `ROCKFISH_TEST_PYTHON` names, which must have those packages; skips without.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::process::Command;
use std::{env, fs};

use common::{busy_network, empty_flow, expected_row};
use rockfish_parquet::{ParquetWriter, WriterConfig};
use rockfish_schema::{COLUMNS, EXTRA_COLUMNS, FlowIdNamespace, Tier};

#[test]
fn other_readers_agree() {
    let Some(python) = env::var_os("ROCKFISH_TEST_PYTHON") else {
        eprintln!(
            "skipped: ROCKFISH_TEST_PYTHON names no Python with duckdb, pandas, pyarrow and polars"
        );
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mut records = busy_network(50_000);
    // Two pages whose values do not repeat, without MAC addresses, far from the others in time.
    let mut random = common::Random(3);
    for i in 0..41_000 {
        let mut record = empty_flow(4_000_000_000_000_000 + i);
        record.ip_version = 6;
        record.destination = std::array::from_fn(|_| random.next() as u8);
        record.forward.octets = random.next() >> 1;
        records.push(record);
    }
    let namespace = FlowIdNamespace::new("gnat");
    let mut expected = records.clone();
    expected.sort_by_key(|record| (record.start, namespace.id(record)));
    let mut table = COLUMNS[..44].iter().map(|column| column.name).collect::<Vec<_>>().join("\t");
    for record in &expected {
        table.push('\n');
        table.push_str(&expected_row(record, "gnat").join("\t"));
    }
    let table_path = dir.path().join("expected.tsv");
    fs::write(&table_path, table).unwrap();
    let write = |folder: &str, config: WriterConfig| {
        let dir = dir.path().join(folder);
        let mut writer = ParquetWriter::create(WriterConfig { dir, ..config }).unwrap();
        writer.push(records.clone()).unwrap();
        writer.finish().unwrap().files[0].path.clone()
    };
    let community = write("community", WriterConfig::default());
    let all = write(
        "all",
        WriterConfig {
            tier: Tier::Enterprise,
            extra: EXTRA_COLUMNS.map(|column| column.field).into(),
            ..WriterConfig::default()
        },
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/read_with.py");
    let output = Command::new(python)
        .args([script.as_ref(), table_path.as_path(), &community, &all])
        .output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
