//! What is written is read: every value of every column, by the `parquet` crate's reader.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int32Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::{DataType, TimeUnit};
use common::{any_flow, busy_network, empty_flow, expected_row, number_equals};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use proptest::prelude::*;
use rockfish_flow::{Application, FlowRecord, Labels, Place, Timestamp};
use rockfish_parquet::{ParquetWriter, WriterConfig};
use rockfish_schema::{EXTRA_COLUMNS, Field, FlowIdNamespace, Tier, arrow_schema};

fn read(path: &Path) -> (Arc<ParquetMetaData>, Vec<RecordBatch>) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let metadata = builder.metadata().clone();
    (metadata, builder.build().unwrap().map(Result::unwrap).collect())
}

/// The values of a row as text.
fn row(batch: &RecordBatch, row: usize) -> Vec<String> {
    let text = |column: &Arc<dyn Array>| {
        if column.is_null(row) {
            return "null".to_owned();
        }
        match column.data_type() {
            DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
            DataType::UInt8 => column.as_primitive::<UInt8Type>().value(row).to_string(),
            DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).to_string(),
            DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string(),
            DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
            DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                column.as_primitive::<TimestampMicrosecondType>().value(row).to_string()
            }
            other => panic!("unexpected type {other}"),
        }
    };
    batch.columns().iter().map(text).collect()
}

fn write(config: WriterConfig, records: &[FlowRecord]) -> Vec<std::path::PathBuf> {
    let mut writer = ParquetWriter::create(config).unwrap();
    writer.push(records.to_vec()).unwrap();
    let summary = writer.finish().unwrap();
    assert_eq!(summary.rows, records.len() as u64);
    summary.files.into_iter().map(|file| file.path).collect()
}

/// Writes and reads, and compares all there is.
fn check(records: &[FlowRecord], row_group_size: usize, level: i32) {
    let dir = tempfile::tempdir().unwrap();
    let config = WriterConfig {
        dir: dir.path().into(),
        row_group_size,
        batch_size: 100_000,
        zstd_level: level,
        observation: "here".into(),
        ..WriterConfig::default()
    };
    let namespace = FlowIdNamespace::new("here");
    let mut expected = records.to_vec();
    expected.sort_by_key(|record| (record.start, namespace.id(record)));
    let mut expected = expected.iter();
    for path in write(config, records) {
        let (metadata, batches) = read(&path);
        for batch in batches {
            let fields = batch.schema();
            assert_eq!(fields.fields(), arrow_schema(Tier::Community, &[]).fields());
            for i in 0..batch.num_rows() {
                let record = expected.next().unwrap();
                assert_eq!(row(&batch, i), expected_row(record, "here"));
            }
        }
        check_statistics(&metadata, records);
    }
    assert_eq!(expected.next(), None);
}

/// Times are where the statistics say, and pages are where the index says.
fn check_statistics(metadata: &ParquetMetaData, records: &[FlowRecord]) {
    let mut ends = Vec::new();
    for group in metadata.row_groups() {
        assert_eq!(group.columns().len(), 44);
        assert!(group.columns().iter().all(|column| column.offset_index_offset().is_some()));
        let parquet::file::statistics::Statistics::Int64(times) =
            group.column(3).statistics().unwrap()
        else {
            panic!("stime has no statistics");
        };
        ends.push((*times.min_opt().unwrap(), *times.max_opt().unwrap()));
    }
    let starts = || records.iter().map(|record| record.start.as_micros());
    assert_eq!(ends.iter().map(|end| end.0).min(), starts().min());
    assert_eq!(ends.iter().map(|end| end.1).max(), starts().max());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_flows_are_read_as_they_were(
        mut records in proptest::collection::vec(any_flow(-5_000_000..5_000_000), 1..300),
        row_group_size in prop_oneof![4_usize..20, 100_usize..400],
        level in proptest::sample::select(&[-131_072, -1000, 1, 3][..]),
    ) {
        number_equals(&mut records);
        check(&records, row_group_size, level);
    }

    #[test]
    fn times_may_be_anything(records in proptest::collection::vec(any_flow(i64::MIN..i64::MAX), 1..50)) {
        let mut records = records;
        number_equals(&mut records);
        check(&records, 1000, -1000);
    }
}

#[test]
fn several_pages_and_row_groups() {
    // Beyond a page, and more than a dictionary's first page has of addresses and ports.
    check(&busy_network(70_000), 50_000, -1000);
}

#[test]
fn values_without_repetition_need_no_dictionary() {
    let mut random = common::Random(7);
    let mut records = Vec::new();
    for i in 0..45_000 {
        let mut record = empty_flow(i);
        record.source = std::array::from_fn(|_| random.next() as u8);
        record.destination = std::array::from_fn(|_| random.next() as u8);
        record.ip_version = 6;
        record.forward.octets = random.next();
        record.reverse.packets = random.next() >> 40;
        record.forward.small_packets = random.next() as u32;
        // The second page alone has MAC addresses.
        if (20_480..40_960).contains(&i) {
            let mac = random.next().to_be_bytes();
            record.macs = Some(([mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]], [1; 6]));
        }
        records.push(record);
    }
    check(&records, 45_000, -1000);
}

#[test]
fn what_is_not_known_is_null_in_all_tiers() {
    let mut flow = empty_flow(0);
    flow.protocol = 1;
    flow.icmp_type = 8;
    flow.forward.ttl = 63;
    let records = [flow, empty_flow(1)];
    for tier in Tier::ALL {
        let dir = tempfile::tempdir().unwrap();
        let extra = EXTRA_COLUMNS.map(|column| column.field);
        let config = WriterConfig {
            dir: dir.path().into(),
            tier,
            extra: extra.into(),
            ..WriterConfig::default()
        };
        let (_, batches) = read(&write(config, &records)[0]);
        let batch = &batches[0];
        assert_eq!(batch.schema().fields(), arrow_schema(tier, &extra).fields());
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(row(&batch.project(&[0]).unwrap(), 0), [tier.schema_version().to_string()]);
        for (column, field) in batch.columns().iter().zip(batch.schema().fields()).skip(44) {
            let nulls = match field.name().as_str() {
                "icmp_type" | "icmp_code" => 1,
                "sttl" | "community_id" => 0,
                _ => 2,
            };
            assert_eq!(column.null_count(), nulls, "{tier} {}", field.name());
        }
    }
}

/// Texts that return, texts of which there are too many for a dictionary, and rows without.
#[test]
fn labels_come_back() {
    const ROWS: usize = 90_000;
    let text = |text: String| Some(text.into_boxed_str());
    let records: Vec<FlowRecord> = (0..ROWS)
        .map(|number| {
            let labels = Labels {
                host_name: text(format!("host{number}.example")).filter(|_| number % 3 > 0),
                ja4: text(format!("t13d{:04}", number % 100)),
                source_place: Some(Arc::new(Place {
                    country: Some("SE".into()),
                    asn: u32::try_from(number * 70_000).ok().filter(|_| number % 2 > 0),
                    ..Place::default()
                })),
                application: (number % 5 == 0).then(|| Application {
                    name: "TLS.é".into(),
                    category: None,
                    risk_score: number as u32,
                    risk_severity: (number % 4) as u8,
                    risks: Some("".into()),
                }),
                ..Labels::default()
            };
            FlowRecord {
                labels: (number % 7 > 0).then(|| Box::new(labels)),
                ..empty_flow(number as i64)
            }
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let config = WriterConfig {
        dir: dir.path().into(),
        tier: Tier::Professional,
        extra: vec![Field::HostName, Field::RiskList],
        ..WriterConfig::default()
    };
    let (_, batches) = read(&write(config, &records)[0]);
    let mut rows = records.iter();
    for batch in batches {
        let texts = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        let [hosts, ja4, countries, names, cities, risks] =
            ["ndpi_hostname", "ndpi_ja4", "scountry", "ndpi_appid", "scity", "ndpi_risk_list"]
                .map(texts);
        let asns = batch.column_by_name("sasn").unwrap().as_primitive::<UInt32Type>().clone();
        let scores =
            batch.column_by_name("ndpi_risk_score").unwrap().as_primitive::<UInt32Type>().clone();
        let severities =
            batch.column_by_name("ndpi_risk_severity").unwrap().as_primitive::<UInt8Type>().clone();
        for row in 0..batch.num_rows() {
            let labels = rows.next().unwrap().labels.clone().unwrap_or_default();
            let text =
                |array: &StringArray| array.is_valid(row).then(|| array.value(row).to_owned());
            let place = labels.source_place.as_deref().cloned().unwrap_or_default();
            let application = labels.application;
            assert_eq!(text(&hosts).as_deref(), labels.host_name.as_deref());
            assert_eq!(text(&ja4).as_deref(), labels.ja4.as_deref());
            assert_eq!(text(&countries).as_deref(), place.country.as_deref());
            assert_eq!(text(&names).as_deref(), application.as_ref().map(|a| &*a.name));
            assert_eq!(
                text(&risks).as_deref(),
                application.as_ref().and_then(|a| a.risks.as_deref())
            );
            assert_eq!(text(&cities), None);
            assert_eq!(asns.is_valid(row).then(|| asns.value(row)), place.asn);
            let score = scores.is_valid(row).then(|| scores.value(row));
            assert_eq!(score, application.as_ref().map(|a| a.risk_score));
            let severity = severities.is_valid(row).then(|| severities.value(row));
            assert_eq!(severity, application.as_ref().map(|a| a.risk_severity));
        }
    }
    assert!(rows.next().is_none());
}

#[test]
fn metadata_says_where_a_file_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let config = WriterConfig {
        dir: dir.path().into(),
        observation: "gate 1".into(),
        producer: "test 0".into(),
        metadata: vec![("rockfish.company".into(), "Example".into())],
        ..WriterConfig::default()
    };
    let (metadata, _) = read(&write(config, &[empty_flow(0)])[0]);
    let file = metadata.file_metadata();
    let pairs = file.key_value_metadata().unwrap().iter();
    let pairs =
        pairs.map(|kv| (kv.key.as_str(), kv.value.as_deref().unwrap_or(""))).collect::<Vec<_>>();
    assert_eq!(
        pairs,
        [
            ("rockfish.schema_version", "1"),
            ("rockfish.tier", "community"),
            ("rockfish.observation", "gate 1"),
            ("rockfish.producer", "test 0"),
            ("rockfish.company", "Example"),
        ]
    );
    let sorting = metadata.row_group(0).sorting_columns().unwrap();
    assert_eq!(sorting.iter().map(|column| column.column_idx).collect::<Vec<_>>(), [3, 1]);
}

/// Which records an epoch has, and its clock.
type Epochs = Vec<(Vec<FlowRecord>, i64)>;

fn epochs() -> impl Strategy<Value = Epochs> {
    let day = 86_400_000_000;
    let records =
        proptest::collection::vec(any_flow(day - 4_000_000_000..day + 1_000_000_000), 0..60);
    proptest::collection::vec((records, 0_i64..2_000_000_000), 1..6).prop_map(move |mut epochs| {
        let mut all =
            epochs.iter().flat_map(|(records, _)| records.iter().cloned()).collect::<Vec<_>>();
        number_equals(&mut all);
        let mut numbered = all.into_iter();
        let mut clock = day - 3_000_000_000;
        for (records, step) in &mut epochs {
            for (record, of_all) in records.iter_mut().zip(&mut numbered) {
                *record = of_all;
            }
            clock += *step;
            *step = clock;
        }
        epochs
    })
}

/// All files by name, written with records in an order that `seed` decides.
fn files(
    config: &WriterConfig,
    epochs: &Epochs,
    threads: usize,
    seed: u64,
) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let config = WriterConfig { dir: dir.path().into(), threads, ..config.clone() };
    let mut writer = ParquetWriter::create(config).unwrap();
    let mut random = common::Random(seed);
    for (records, clock) in epochs {
        let mut records = records.clone();
        if seed > 0 {
            records.sort_by_cached_key(|_| random.next());
        }
        while !records.is_empty() {
            let rest = records.split_off((random.below(40) as usize).min(records.len()));
            writer.push(records).unwrap();
            records = rest;
        }
        writer.end_epoch(Timestamp::from_micros(*clock)).unwrap();
    }
    writer.finish().unwrap();
    let names = common::names(dir.path());
    names
        .into_iter()
        .map(|name| (name.clone(), std::fs::read(dir.path().join(name)).unwrap()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn files_depend_only_on_the_sets_of_the_epochs(
        epochs in epochs(),
        batch_size in 1_usize..200,
        row_group_size in 1_usize..60,
        rotate_interval in proptest::option::of(600_u64..7200),
        hive_boundary_flush: bool,
        hive_partitioning: bool,
        threads in 2_usize..5,
        seed: u64,
    ) {
        let config = WriterConfig {
            batch_size, row_group_size, rotate_interval, hive_boundary_flush, hive_partitioning,
            ..WriterConfig::default()
        };
        let one = files(&config, &epochs, 1, 0);
        let other = files(&config, &epochs, threads, seed | 1);
        prop_assert_eq!(&one, &other);
        // Every record is in exactly one file.
        let dir = tempfile::tempdir().unwrap();
        let mut ids = Vec::new();
        for (name, octets) in one {
            let path = dir.path().join(name.replace('/', "_"));
            std::fs::write(&path, octets).unwrap();
            let (metadata, batches) = read(&path);
            let rows = metadata.file_metadata().num_rows();
            prop_assert!(rows > 0 && rows <= batch_size as i64);
            let mut days = std::collections::BTreeSet::new();
            for batch in batches {
                for i in 0..batch.num_rows() {
                    let row = row(&batch, i);
                    days.insert(row[3].parse::<i64>().unwrap().div_euclid(86_400_000_000));
                    ids.push(row[1].clone());
                }
            }
            prop_assert!(days.len() == 1 || !(hive_boundary_flush || hive_partitioning));
        }
        ids.sort();
        let namespace = FlowIdNamespace::new("gnat");
        let mut expected = epochs
            .iter()
            .flat_map(|(records, _)| records)
            .map(|record| String::from_utf8(rockfish_schema::text::uuid(&namespace.id(record)).to_vec()).unwrap())
            .collect::<Vec<_>>();
        expected.sort();
        prop_assert_eq!(ids, expected);
    }
}
