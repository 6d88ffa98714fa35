//! What a licence opens, and what does not open anything.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{Ran, Row, capture, run};
use parquet::file::reader::{FileReader, SerializedFileReader};
use rockfish_flow::Timestamp;
use rockfish_license::{FileFacts, LicenseTime, PrivateKey, Terms, Tier, verify_file};

const SEED: u8 = 7;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros() as i64)
}

fn seconds(from_now: i64) -> LicenseTime {
    LicenseTime::from_timestamp(now().plus_micros(from_now * 1_000_000)).unwrap()
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32].into())
}

fn terms(tier: Tier) -> Terms {
    Terms {
        id: "lic_test".to_owned(),
        tier,
        customer_email: Some("soc@example.com".to_owned()),
        company: "Example".to_owned(),
        observation: None,
        issued_at: seconds(-1000),
        not_before: None,
        expires_at: seconds(1000),
    }
}

/// A folder with a licence and the issuer's key.
fn folder(license: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("license.json"), license).unwrap();
    fs::write(folder.path().join("key.pub"), key(SEED).public_key().to_pem().unwrap()).unwrap();
    folder
}

fn meter(folder: &Path, line: &str) -> Ran {
    let line = format!("-o flows --license license.json --license-public-key key.pub {line}");
    run(common::probe(folder, &line).arg("-i").arg(capture("seed/mercury-capture2.pcap")))
}

fn first_file(folder: &Path) -> SerializedFileReader<File> {
    let files = common::files(&folder.join("flows"));
    SerializedFileReader::new(
        File::open(folder.join("flows").join(files.keys().next().unwrap())).unwrap(),
    )
    .unwrap()
}

fn columns(folder: &Path) -> usize {
    first_file(folder).metadata().file_metadata().schema_descr().num_columns()
}

fn values<'a>(rows: &'a [Row], column: &str) -> BTreeSet<&'a str> {
    rows.iter().filter_map(|row| row[column].as_str()).collect()
}

#[test]
fn tiers_have_their_columns_names_and_places() {
    for (tier, line, expected, name) in [
        (Tier::Community, "", 44, "rockfish-v1-"),
        (Tier::Basic, "--observation hq", 54, "rockfish-v1-"),
        (Tier::Professional, "", 54, "rockfish-v1-"),
        (Tier::Professional, "--parquet-schema extended --observation hq", 60, "rockfish-hq-v2-"),
        (Tier::Enterprise, "--parquet-schema extended", 60, "rockfish-gnat-v2-"),
    ] {
        let folder = folder(&terms(tier).sign(&key(SEED)).unwrap().to_json());
        let ran = meter(folder.path(), line);
        assert_eq!((ran.code, ran.logged("WARN").len()), (Some(0), 0), "{tier}: {}", ran.err);
        assert_eq!(columns(folder.path()), expected, "{tier} {line}");
        let files = common::files(&folder.path().join("flows"));
        assert!(files.keys().all(|file| file.starts_with(name)), "{:?}", files.keys());
    }
}

#[test]
fn extended_needs_its_tier() {
    for tier in [Tier::Community, Tier::Basic] {
        let folder = folder(&terms(tier).sign(&key(SEED)).unwrap().to_json());
        let ran = meter(folder.path(), "--parquet-schema extended");
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains(&format!("Professional tier, found {tier}")), "{}", ran.err);
    }
}

/// None of these unlocks a field: each is told, and leaves the Community tier.
#[test]
fn what_is_no_valid_licence_unlocks_nothing() {
    let license = |terms: Terms| terms.sign(&key(SEED)).unwrap().to_json();
    let whole = license(terms(Tier::Professional));
    let altered = whole.replace("\"Example\"", "\"Exbmple\"");
    let renamed = license(terms(Tier::Basic)).replace("\"basic\"", "\"professional\"");
    let expired = license(Terms { expires_at: seconds(-1), ..terms(Tier::Professional) });
    let early = license(Terms { not_before: Some(seconds(500)), ..terms(Tier::Professional) });
    let foreign = terms(Tier::Professional).sign(&key(8)).unwrap().to_json();
    for (text, expected) in [
        (altered, "signature"),
        (renamed, "signature"),
        (foreign, "signature"),
        (expired, "expired"),
        (early, "not valid before"),
        ("{}".to_owned(), "licence license.json: "),
        ("no JSON".to_owned(), "licence license.json: "),
    ] {
        let folder = folder(&text);
        let ran = meter(folder.path(), "");
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let warnings = ran.logged("WARN");
        assert!(warnings.iter().any(|line| line.contains(expected)), "{expected}: {}", ran.err);
        assert_eq!(columns(folder.path()), 44, "{expected}");
        fs::write(
            folder.path().join("c.yaml"),
            "license: {path: license.json, public_key: key.pub, required: true}\n",
        )
        .unwrap();
        fs::remove_dir_all(folder.path().join("flows")).unwrap();
        let ran = run(common::probe(folder.path(), "-o flows -c c.yaml")
            .arg("-i")
            .arg(capture("seed/mercury-capture2.pcap")));
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(!folder.path().join("flows").exists());
    }
}

#[test]
fn a_named_observation_binds_the_licence() {
    let terms = Terms { observation: Some("sensor-1".into()), ..terms(Tier::Professional) };
    let folder = folder(&terms.sign(&key(SEED)).unwrap().to_json());
    for (line, warnings) in [("", 0), ("--observation sensor-1", 0), ("--observation other", 1)] {
        let ran = meter(folder.path(), line);
        assert_eq!((ran.code, ran.logged("WARN").len()), (Some(0), warnings), "{}", ran.err);
        let rows = common::rows(&folder.path().join("flows"));
        assert_eq!(values(&rows, "obname"), ["sensor-1"].into());
        fs::remove_dir_all(folder.path().join("flows")).unwrap();
    }
}

/// A licensed file carries its licence; a file whose metadata was changed is found out.
#[test]
fn files_carry_the_licence() {
    let folder = folder(&terms(Tier::Professional).sign(&key(SEED)).unwrap().to_json());
    let ran = meter(folder.path(), "--parquet-schema extended --observation hq");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let file = first_file(folder.path());
    let metadata = file.metadata().file_metadata();
    let pairs: Vec<(String, String)> = metadata
        .key_value_metadata()
        .unwrap()
        .iter()
        .map(|pair| (pair.key.clone(), pair.value.clone().unwrap()))
        .collect();
    let facts = FileFacts { columns: Tier::Professional, observations: &["hq"] };
    let check = |pairs: &[(String, String)]| {
        let pairs = pairs.iter().map(|(key, value)| (key.as_str(), Some(value.as_str())));
        verify_file(pairs, &facts, &key(SEED).public_key())
    };
    assert!(check(&pairs).is_ok(), "{:?}", check(&pairs));
    for (index, (key, _)) in pairs.iter().enumerate() {
        if key == "rockfish.producer" {
            continue;
        }
        let mut changed = pairs.clone();
        changed[index].1.push('x');
        assert!(check(&changed).is_err(), "{key}");
    }
}

/// What is found in payload stands in the columns of its tier: servers' names stay the same for any number of workers.
#[test]
fn applications_and_fingerprints_are_in_their_columns() {
    let mut all = Vec::new();
    for workers in ["1", "3"] {
        let folder = folder(&terms(Tier::Professional).sign(&key(SEED)).unwrap().to_json());
        let line = format!("--parquet-schema extended --ndpi --workers {workers} -q");
        let ran = meter(folder.path(), &line);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let rows = common::rows(&folder.path().join("flows"));
        let names = values(&rows, "ndpi_appid");
        assert!(
            names.contains("DNS") && names.iter().any(|name| name.starts_with("TLS")),
            "{names:?}"
        );
        let ja4 = values(&rows, "ndpi_ja4");
        assert!(!ja4.is_empty() && ja4.iter().all(|ja4| ja4.len() == 36), "{ja4:?}");
        assert!(values(&rows, "ndpi_ja3s").iter().all(|ja3s| ja3s.len() == 32));
        assert!(
            values(&rows, "ndpi_tcp_fp")
                .iter()
                .all(|text| text.starts_with("2_") || text.contains('/'))
        );
        assert!(values(&rows, "ndpi_fp").len() >= ja4.len().min(2));
        all.push(common::files(&folder.path().join("flows")).into_values().collect::<Vec<_>>());
    }
    assert!(all[0] == all[1], "files do not depend on the number of workers");
}

#[test]
fn further_columns_are_written_where_named() {
    let folder = folder(&terms(Tier::Basic).sign(&key(SEED)).unwrap().to_json());
    let ran = meter(folder.path(), "--extra-fields sttl,community_id,ndpi_hostname");
    assert_eq!((ran.code, ran.logged("WARN").len()), (Some(0), 0), "{}", ran.err);
    assert_eq!(columns(folder.path()), 57);
    let rows = common::rows(&folder.path().join("flows"));
    assert!(values(&rows, "community_id").iter().all(|id| id.starts_with("1:") && id.len() == 30));
    assert!(values(&rows, "ndpi_hostname").iter().any(|name| name.contains('.')));
    let ran = run(common::probe(folder.path(), "-o more --extra-fields sttl,ndpi_hostname")
        .arg("-i")
        .arg(capture("seed/mercury-capture2.pcap")));
    assert!(ran.logged("WARN")[0].contains("ndpi_hostname needs a licence"), "{}", ran.err);
    let ran = meter(folder.path(), "--extra-fields splt,none");
    assert_eq!((ran.code, ran.lines("error").len()), (Some(2), 2), "{}", ran.err);
}

#[test]
fn places_come_from_databases() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../enrich/tests/data");
    let database = |word: &str| {
        let found = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
            name.contains(word) && name.ends_with(".mmdb")
        });
        found.unwrap_or_else(|| panic!("a database of {word} in {}", data.display()))
    };
    let folder = folder(&terms(Tier::Basic).sign(&key(SEED)).unwrap().to_json());
    let config = format!(
        "geoip: {{city_db: {}, asn_db: {}}}\n",
        database("city").display(),
        database("asn").display()
    );
    fs::write(folder.path().join("c.yaml"), config).unwrap();
    let ran = meter(folder.path(), "-c c.yaml");
    assert_eq!((ran.code, ran.logged("WARN").len()), (Some(0), 0), "{}", ran.err);
    assert_eq!(columns(folder.path()), 54);
    fs::write(folder.path().join("c.yaml"), "geoip: {city_db: gone.mmdb}\n").unwrap();
    let ran = meter(folder.path(), "-c c.yaml");
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("gone.mmdb"), "{}", ran.err);
}
