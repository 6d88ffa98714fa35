//! Names, rotation, and what is left when something goes wrong.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use common::{busy_network, empty_flow, names};
use rockfish_flow::Timestamp;
use rockfish_parquet::{ParquetWriter, WriteError, WriterConfig};
use rockfish_schema::Tier;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

fn config(dir: &Path) -> WriterConfig {
    WriterConfig { dir: dir.into(), ..WriterConfig::default() }
}

/// Writes epochs of (starts of flows in microseconds, clock) and returns the names of the files.
fn written(config: WriterConfig, epochs: &[(&[i64], i64)]) -> Vec<String> {
    let dir = config.dir.clone();
    let mut writer = ParquetWriter::create(config).unwrap();
    for (starts, clock) in epochs {
        writer.push(starts.iter().map(|start| empty_flow(*start)).collect()).unwrap();
        writer.end_epoch(Timestamp::from_micros(*clock)).unwrap();
    }
    let summary = writer.finish().unwrap();
    let names = names(&dir);
    let mut of_summary = summary.files.iter().map(|f| f.path.clone()).collect::<Vec<_>>();
    of_summary.sort();
    let of_folder = names.iter().map(|name| dir.join(name)).collect::<Vec<_>>();
    assert_eq!(of_summary, of_folder);
    for file in &summary.files {
        assert_eq!(file.bytes, fs::metadata(&file.path).unwrap().len());
    }
    names
}

#[test]
fn names_say_prefix_version_and_first_time() {
    for (prefix, tier, observation, expected) in [
        ("rockfish", Tier::Community, "gnat", "rockfish-v1-19700102-010203.parquet"),
        ("flows", Tier::Basic, "gnat", "flows-v1-19700102-010203.parquet"),
        ("rockfish", Tier::Professional, "gnat", "rockfish-gnat-v2-19700102-010203.parquet"),
        ("rockfish", Tier::Enterprise, "a/b é", "rockfish-a_b__-v2-19700102-010203.parquet"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let config = WriterConfig {
            prefix: prefix.into(),
            tier,
            observation: observation.into(),
            ..config(dir.path())
        };
        let first = DAY + HOUR + 123_999_999;
        assert_eq!(written(config, &[(&[first + 5, first], 0)]), [expected]);
    }
}

#[test]
fn files_have_at_most_batch_size_rows() {
    let dir = tempfile::tempdir().unwrap();
    let config = WriterConfig { batch_size: 25, row_group_size: 10, ..config(dir.path()) };
    let mut writer = ParquetWriter::create(config).unwrap();
    writer.push((0..60).map(|i| empty_flow(i * 1_000_000)).collect()).unwrap();
    writer.end_epoch(Timestamp::ZERO).unwrap();
    let rows = |writer: &ParquetWriter| {
        writer.summary().files.iter().map(|file| file.rows).collect::<Vec<_>>()
    };
    assert_eq!(rows(&writer), [25, 25]);
    let summary = writer.finish().unwrap();
    assert_eq!(summary.files.iter().map(|file| file.rows).collect::<Vec<_>>(), [25, 25, 10]);
    assert_eq!(summary.rows, 60);
    assert_eq!(
        names(dir.path()),
        [
            "rockfish-v1-19700101-000000.parquet",
            "rockfish-v1-19700101-000025.parquet",
            "rockfish-v1-19700101-000050.parquet"
        ]
    );
}

#[test]
fn files_end_where_the_clock_passes_a_multiple_of_the_interval() {
    let dir = tempfile::tempdir().unwrap();
    let config = WriterConfig { rotate_interval: Some(60), ..config(dir.path()) };
    let second = 1_000_000;
    let names = written(
        config,
        &[
            (&[0], 50 * second),
            (&[10 * second], 59 * second),
            // Passed: all so far is one file.
            (&[20 * second], 60 * second),
            (&[61 * second], 119 * second),
            (&[], 500 * second),
            (&[], 600 * second),
        ],
    );
    assert_eq!(
        names,
        ["rockfish-v1-19700101-000000.parquet", "rockfish-v1-19700101-000101.parquet"]
    );
}

#[test]
fn days_have_files_of_their_own() {
    for (partitioning, expected) in [
        (
            false,
            [
                "rockfish-v1-19700101-235958.parquet",
                "rockfish-v1-19700101-235959.parquet",
                "rockfish-v1-19700102-000000.parquet",
            ],
        ),
        (
            true,
            [
                "v1/year=1970/month=01/day=01/rockfish-v1-19700101-235958.parquet",
                "v1/year=1970/month=01/day=01/rockfish-v1-19700101-235959.parquet",
                "v1/year=1970/month=01/day=02/rockfish-v1-19700102-000000.parquet",
            ],
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let config = WriterConfig {
            hive_boundary_flush: !partitioning,
            hive_partitioning: partitioning,
            ..config(dir.path())
        };
        let mut writer = ParquetWriter::create(config).unwrap();
        let mut epoch = |starts: &[i64], clock: i64| {
            writer.push(starts.iter().map(|start| empty_flow(*start)).collect()).unwrap();
            writer.end_epoch(Timestamp::from_micros(clock)).unwrap();
            writer.summary().files.len()
        };
        assert_eq!(epoch(&[DAY - 2_000_000], DAY - 1), 0);
        // The day's file is there right after midnight; late flows follow at the full hour, together.
        assert_eq!(epoch(&[DAY], DAY + 1), 1);
        assert_eq!(epoch(&[DAY - 1_000_000], DAY + 2), 1);
        assert_eq!(epoch(&[DAY - 500_000], DAY + 3), 1);
        assert_eq!(epoch(&[], DAY + HOUR), 2);
        writer.finish().unwrap();
        assert_eq!(names(dir.path()), expected);
    }
}

#[test]
fn flows_of_many_days_neither_fill_the_memory_nor_mix() {
    let dir = tempfile::tempdir().unwrap();
    let config = WriterConfig {
        hive_boundary_flush: true,
        batch_size: 10,
        row_group_size: 10,
        ..config(dir.path())
    };
    let starts = (0..200).map(|i| i % 40 * DAY).collect::<Vec<_>>();
    let epochs = starts.chunks(5).map(|starts| (starts, 0)).collect::<Vec<_>>();
    let names = written(config, &epochs);
    assert!(names.len() >= 40, "{names:?}");
}

#[test]
fn a_taken_name_gets_a_number() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let mut writer = ParquetWriter::create(config(dir.path())).unwrap();
        writer.push(vec![empty_flow(0)]).unwrap();
        writer.finish().unwrap();
    }
    // A name that leads nowhere is taken too.
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", dir.path().join("rockfish-v1-19700101-000000-3.parquet"))
        .unwrap();
    let mut writer = ParquetWriter::create(config(dir.path())).unwrap();
    writer.push(vec![empty_flow(0)]).unwrap();
    let summary = writer.finish().unwrap();
    assert_eq!(summary.files[0].path, dir.path().join("rockfish-v1-19700101-000000-4.parquet"));
}

#[test]
fn two_writers_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let threads = (0..4).map(|_| {
        let config = WriterConfig { batch_size: 3, row_group_size: 3, ..config(dir.path()) };
        std::thread::spawn(move || {
            let mut writer = ParquetWriter::create(config).unwrap();
            writer.push((0..30).map(empty_flow).collect()).unwrap();
            writer.finish().unwrap().files
        })
    });
    let files = threads
        .collect::<Vec<_>>()
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .map(|file| file.path)
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(files.len(), 40);
    assert_eq!(names(dir.path()).len(), 40);
}

#[test]
fn without_rows_there_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(written(config(dir.path()), &[(&[], HOUR), (&[], 2 * DAY)]), [""; 0]);
}

#[test]
fn a_writer_that_is_dropped_leaves_finished_files_only() {
    let dir = tempfile::tempdir().unwrap();
    let config = WriterConfig { batch_size: 10, row_group_size: 4, ..config(dir.path()) };
    let mut writer = ParquetWriter::create(config).unwrap();
    writer.push((0..15).map(empty_flow).collect()).unwrap();
    writer.end_epoch(Timestamp::ZERO).unwrap();
    assert_eq!(names(dir.path()).len(), 2, "one finished, one hidden");
    drop(writer);
    assert_eq!(names(dir.path()), ["rockfish-v1-19700101-000000.parquet"]);
}

/// Writes, and dies before it has finished; only as a child of the test below.
#[test]
fn dies_in_the_middle() {
    let Some(dir) = env::var_os("ROCKFISH_TEST_DIE_IN") else { return };
    let config = WriterConfig { batch_size: 10, row_group_size: 4, ..config(Path::new(&dir)) };
    let mut writer = ParquetWriter::create(config).unwrap();
    writer.push((0..15).map(empty_flow).collect()).unwrap();
    writer.end_epoch(Timestamp::ZERO).unwrap();
    std::process::abort();
}

#[test]
fn what_a_killed_writer_leaves_is_hidden_and_goes_with_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", "dies_in_the_middle"])
        .env("ROCKFISH_TEST_DIE_IN", dir.path())
        .output()
        .unwrap()
        .status;
    assert!(!status.success());
    let left = names(dir.path());
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].starts_with(".rockfish-v1-19700101-000000.parquet.tmp-"), "{left:?}");
    assert_eq!(left[1], "rockfish-v1-19700101-000000.parquet");
    // Not that of a living one, nor other files.
    let of_two = WriterConfig { row_group_size: 1, batch_size: 2, ..config(dir.path()) };
    let mut living = ParquetWriter::create(of_two).unwrap();
    living.push(vec![empty_flow(DAY)]).unwrap();
    living.end_epoch(Timestamp::ZERO).unwrap();
    let other = dir.path().join(".rockfish-notes");
    fs::write(&other, "keep").unwrap();
    ParquetWriter::create(config(dir.path())).unwrap();
    let left = names(dir.path());
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left[0].starts_with(".rockfish-notes"));
    assert!(left[1].starts_with(".rockfish-v1-19700102-000000.parquet.tmp-"), "{left:?}");
    living.finish().unwrap();
}

#[test]
fn a_folder_that_goes_away_is_an_error_that_names_it() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("flows");
    let config = WriterConfig { row_group_size: 5, batch_size: 5, ..config(&dir) };
    let mut writer = ParquetWriter::create(config).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    writer.push((0..5).map(empty_flow).collect()).unwrap();
    let error = writer.end_epoch(Timestamp::ZERO).unwrap_err().to_string();
    assert!(error.contains(dir.to_str().unwrap()) && error.starts_with("cannot create"), "{error}");
    // From now on every call says so.
    assert!(matches!(writer.push(Vec::new()), Err(WriteError::Failed { .. })));
    assert!(matches!(writer.finish(), Err(WriteError::Failed { .. })));
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let base = config(dir.path());
    for (config, expected) in [
        (WriterConfig { prefix: "a/b".into(), ..base.clone() }, "prefix is \"a/b\", expected"),
        (WriterConfig { prefix: String::new(), ..base.clone() }, "prefix is \"\", expected"),
        (WriterConfig { batch_size: 0, ..base.clone() }, "batch_size is 0, expected at least 1"),
        (WriterConfig { row_group_size: 1, ..base.clone() }, "row_group_size is 1, expected"),
        (WriterConfig { rotate_interval: Some(0), ..base.clone() }, "rotate_interval is 0,"),
        (
            WriterConfig { zstd_level: 23, ..base.clone() },
            "zstd_level is 23, expected -131072 to 22",
        ),
    ] {
        let error = ParquetWriter::create(config).err().map(|error| error.to_string());
        assert!(error.as_deref().is_some_and(|e| e.starts_with(expected)), "{error:?}");
    }
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = ParquetWriter::create(config(&file.join("below"))).err().unwrap().to_string();
    assert!(error.contains("file"), "{error}");
}

/// A small file system of its own, if this user may have one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"])
            .arg(dir.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_leaves_finished_files_only() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: may not mount a file system");
        return;
    };
    let config = WriterConfig { batch_size: 3000, row_group_size: 1000, ..config(disk.0.path()) };
    let mut writer = ParquetWriter::create(config).unwrap();
    let mut result = Ok(());
    for records in busy_network(20_000).chunks(1000) {
        writer.push(records.to_vec()).unwrap();
        result = writer.end_epoch(Timestamp::ZERO);
        if result.is_err() {
            break;
        }
    }
    let error = result.unwrap_err().to_string();
    assert!(
        error.contains(disk.0.path().to_str().unwrap()) && error.contains("No space left"),
        "{error}"
    );
    let finished = writer.summary().files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    assert!(!finished.is_empty());
    drop(writer);
    let left = names(disk.0.path()).iter().map(|name| disk.0.path().join(name)).collect::<Vec<_>>();
    assert_eq!(left, finished);
}
