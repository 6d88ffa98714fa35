//! The program from keys to checked files.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use rockfish_license::{License, PublicKey, Tier};
use rockfish_schema::COLUMNS;

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// The program in `folder`, with the words of `line`; an underscore in a word stands for a space.
fn run(folder: &Path, line: &str) -> Ran {
    run_with(folder, line, None)
}

fn run_with(folder: &Path, line: &str, public_key: Option<&str>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rockfish_license"));
    command.current_dir(folder).stdin(Stdio::null()).env_remove("ROCKFISH_LICENSE_PUBLIC_KEY");
    command.args(line.split_whitespace().map(|word| word.replace('_', " ")));
    if let Some(key) = public_key {
        command.env("ROCKFISH_LICENSE_PUBLIC_KEY", key);
    }
    let output = command.output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with keys and a licence of the Professional tier for `sensor-01`.
fn issued() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "keygen --out issuer");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = run(
        folder.path(),
        "issue --key issuer.key --tier professional --company Example_Corp --email ops@example.com \
         --observation sensor-01 --days 365 --out license.json",
    );
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{}", ran.err);
    folder
}

/// What the program that writes files takes of the licence in `folder`, as soon as it is valid.
fn licence_metadata(folder: &Path) -> Vec<(String, String)> {
    let key = PublicKey::parse(&fs::read(folder.join("issuer.pub")).unwrap()).unwrap();
    let license = License::parse(&fs::read(folder.join("license.json")).unwrap()).unwrap();
    let then = license.terms().valid_from().timestamp();
    let verified = license.verify(&key, then).unwrap();
    verified.metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A Parquet file with the columns of `tier`, all text, and two rows of `observation`.
fn write(path: &Path, tier: Tier, observation: &str, metadata: Vec<(String, String)>) {
    let schema: rockfish_schema::Tier = tier.name().parse().unwrap();
    let columns = COLUMNS[..schema.column_count()].iter().map(|column| {
        let rows: ArrayRef = Arc::new(StringArray::from(vec![observation, observation]));
        (column.name, rows)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let own = [
        ("rockfish.schema_version", schema.schema_version().to_string()),
        ("rockfish.tier", tier.name().to_owned()),
        ("rockfish.observation", observation.to_owned()),
        ("rockfish.producer", "test".to_owned()),
    ];
    let pairs = own.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(metadata);
    let properties = WriterProperties::builder()
        .set_key_value_metadata(Some(pairs.map(|(key, value)| KeyValue::new(key, value)).collect()))
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// `path` with each `from` replaced by a `to` of the same length.
fn edited(path: &Path, from: &str, to: &str) -> PathBuf {
    assert_eq!(from.len(), to.len());
    let mut octets = fs::read(path).unwrap();
    let mut edits = 0;
    for place in 0..octets.len() - from.len() {
        if octets[place..].starts_with(from.as_bytes()) {
            octets[place..place + from.len()].copy_from_slice(to.as_bytes());
            edits += 1;
        }
    }
    assert!(edits > 0, "{from} is not there");
    let edited = path.with_file_name("edited.parquet");
    fs::write(&edited, octets).unwrap();
    edited
}

#[test]
#[cfg(unix)]
fn keys_are_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "keygen --out my.issuer");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let key = folder.path().join("my.issuer.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let private = fs::read_to_string(&key).unwrap();
    let body = private.lines().nth(1).unwrap();
    assert!(!ran.out.contains(body) && !ran.err.contains(body));
    let public = PublicKey::parse(&fs::read(folder.path().join("my.issuer.pub")).unwrap()).unwrap();
    assert!(ran.out.ends_with(&format!("in base64    {public}\n")), "{}", ran.out);

    for gone in [None, Some("my.issuer.pub")] {
        if let Some(name) = gone {
            fs::remove_file(folder.path().join(name)).unwrap();
        }
        let ran = run(folder.path(), "keygen --out my.issuer");
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains("is there already: keys are not overwritten"), "{}", ran.err);
        assert_eq!(fs::read_to_string(&key).unwrap(), private);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half made is left");
    // The program that takes it for something else does not show it either.
    for line in ["show my.issuer.key", "verify --public-key my.issuer.key my.issuer.key"] {
        let ran = run(folder.path(), line);
        assert_eq!(ran.code, Some(2));
        assert!(!ran.out.contains(body) && !ran.err.contains(body));
    }
}

#[test]
#[cfg(unix)]
fn a_private_key_that_others_may_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = issued();
    let key = folder.path().join("issuer.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let ran = run(folder.path(), "issue --key issuer.key --tier basic --company X --days 1");
    assert_eq!(ran.code, Some(0));
    assert!(ran.err.contains("(mode 640, expected 600)"), "{}", ran.err);
}

#[test]
fn a_licence_is_issued_shown_and_verified() {
    let folder = issued();
    let json = fs::read_to_string(folder.path().join("license.json")).unwrap();
    let names: Vec<_> = json.lines().filter_map(|line| line.trim().split('"').nth(1)).collect();
    let manual = ["id", "tier", "customer_email", "company", "observation", "issued_at"];
    assert_eq!(names, [&manual[..], &["expires_at", "signature"]].concat());
    let ran = run(folder.path(), "show license.json");
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.contains("company         Example Corp\n"), "{}", ran.out);
    assert!(ran.out.contains("not checked"));
    for (line, key) in [
        ("verify --public-key issuer.pub license.json", None),
        ("verify --license-public-key issuer.pub license.json", None),
        ("-q verify license.json", Some("issuer.pub")),
    ] {
        let ran = run_with(folder.path(), line, key);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        assert!(ran.out.starts_with("license.json: valid: lic_"), "{}", ran.out);
    }
    let ran = run(folder.path(), "verify --public-key issuer.pub --json license.json");
    let line: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    for (name, value) in
        [("tier", "professional"), ("observation", "sensor-01"), ("state", "valid")]
    {
        assert_eq!(line[name], value);
    }
    assert_eq!(line["valid"], true);
}

#[test]
fn what_does_not_hold_is_told_by_status_and_line() {
    let folder = issued();
    let path = |name: &str| folder.path().join(name);
    let json = fs::read_to_string(path("license.json")).unwrap();
    fs::write(path("renamed.json"), json.replace("professional", "enterprise")).unwrap();
    fs::write(path("half.json"), &json[..45]).unwrap();
    fs::write(path("empty.json"), "").unwrap();
    run(folder.path(), "keygen --out other");
    for (days, name) in [
        ("--days 1 --not-before 2020-01-01", "old"),
        ("--days 1 --not-before 9000-01-01T00:00:00Z", "new"),
    ] {
        let line =
            format!("issue --key issuer.key --tier basic --company X {days} --out {name}.json");
        let ran = run(folder.path(), &line);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
    for (line, code, expected) in [
        ("issuer.pub renamed.json", 1, "renamed.json: not valid: signature does not match"),
        ("other.pub license.json", 1, "license.json: not valid: signature does not match"),
        ("issuer.pub half.json", 1, "half.json: not valid: line 3, column "),
        ("issuer.pub empty.json", 1, "empty.json: not valid: line 1"),
        ("issuer.pub old.json", 1, "old.json: not valid: expired at 2020-01-02T00:00:00Z"),
        ("issuer.pub new.json", 1, "new.json: not valid: not valid before 9000-01-01T00:00:00Z"),
        ("issuer.pub renamed.json license.json", 1, "license.json: valid: "),
        ("issuer.pub nothing.json license.json", 2, "license.json: valid: "),
    ] {
        let ran = run(folder.path(), &format!("verify --public-key {line}"));
        assert_eq!(ran.code, Some(code), "{line}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(expected), "{line}: {}", ran.out);
    }
    let issue = "issue --key issuer.key --company X";
    for (line, expected) in [
        ("verify license.json", "no public key: this build has none"),
        ("verify --public-key nothing license.json", "cannot read nothing"),
        (
            "verify --public-key license.json license.json",
            "license.json: found JSON, expected a PEM public key",
        ),
        ("show half.json", "half.json: line 3"),
        (
            "issue --key issuer.pub --tier basic --company X --days 1",
            "issuer.pub: found a public key",
        ),
        (&format!("{issue} --tier gold --days 1"), "possible values: community, basic"),
        (&format!("{issue} --tier basic --days 0"), "0 is not in 1..=36500"),
        (&format!("{issue} --tier basic --days 9 --not-before soon"), "expected a time such as"),
        (
            &format!("{issue} --tier basic --days 9 --not-before 9999-12-30"),
            "ends after the year 9999",
        ),
        (
            &format!("{issue} --tier community --days 9 --observation x"),
            "the community tier has \"gnat\" only",
        ),
        ("keygen --out /", "expected DIR/NAME"),
        ("", "Usage: rockfish_license [OPTIONS] <COMMAND>"),
    ] {
        // Whether this build has a key of its own is not this test's to say.
        if line == "verify license.json" && PublicKey::built_in().unwrap().is_some() {
            continue;
        }
        let ran = run(folder.path(), line);
        assert_eq!(ran.code, Some(2), "{line}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(expected), "{line}: {}", ran.err);
    }
}

#[test]
fn a_file_of_a_licensed_probe_holds_until_it_is_edited() {
    let folder = issued();
    let metadata = licence_metadata(folder.path());
    let path = folder.path().join("flows.parquet");
    write(&path, Tier::Professional, "sensor-01", metadata.clone());
    let verify = |name: &str| run(folder.path(), &format!("verify --public-key issuer.pub {name}"));
    let ran = verify("flows.parquet");
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let begin = "flows.parquet: valid: professional file of sensor-01, licence lic_";
    assert!(ran.out.starts_with(begin), "{}", ran.out);

    for (from, to, expected) in [
        ("Example Corp", "Exemple Corp", "metadata \"rockfish.license\": signature does not match"),
        ("\"professional\"", "\"enterprise  \"", "unknown tier \"enterprise  \""),
        ("sensor-01", "sensor-02", "signature does not match"),
        ("ops@example.com", "ops@example.org", "signature does not match"),
        (
            "rockfish.license_id",
            "rockfish.licence_id",
            "metadata \"rockfish.license_id\" is missing",
        ),
        ("rockfish.company", "rockfish.c0mpany", "metadata \"rockfish.company\" is missing"),
        ("rockfish.tier", "rockfish.teir", "metadata \"rockfish.tier\" is missing"),
    ] {
        let name = edited(&path, from, to);
        let ran = verify("edited.parquet");
        assert_eq!(ran.code, Some(1), "{from}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("not valid") && ran.out.contains(expected), "{from}: {}", ran.out);
        fs::remove_file(name).unwrap();
    }

    // Written anew, with other columns, tiers and rows than the licence grants.
    for (tier, observation, more, expected) in [
        (
            Tier::Enterprise,
            "sensor-01",
            None,
            "found \"enterprise\", expected professional or less",
        ),
        (Tier::Professional, "sensor-02", None, "found \"sensor-02\", expected \"sensor-01\""),
        (
            Tier::Professional,
            "sensor-01",
            Some(("rockfish.tier", "basic")),
            "\"rockfish.tier\" is there more than once",
        ),
        (
            Tier::Professional,
            "sensor-01",
            Some(("rockfish.license.tier", "basic")),
            "the columns are those of the professional tier",
        ),
    ] {
        let mut metadata = metadata.clone();
        metadata.extend(more.map(|(key, value)| (key.to_owned(), value.to_owned())));
        write(&folder.path().join("other.parquet"), tier, observation, metadata);
        let ran = verify("other.parquet");
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains(expected), "{}", ran.out);
    }
    write(&folder.path().join("free.parquet"), Tier::Community, "gnat", Vec::new());
    let ran = verify("free.parquet");
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out.contains("no licence: metadata \"rockfish.license\" is missing"),
        "{}",
        ran.out
    );
}

#[test]
fn rows_of_another_domain_are_seen() {
    let folder = issued();
    let line = "issue --key issuer.key --tier basic --company X --days 9 --out license.json";
    assert_eq!(run(folder.path(), line).code, Some(0));
    let mut metadata = licence_metadata(folder.path());
    let path = folder.path().join("flows.parquet");
    write(&path, Tier::Basic, "here", metadata.clone());
    assert_eq!(run(folder.path(), "verify --public-key issuer.pub flows.parquet").code, Some(0));
    metadata.push(("rockfish.license.observation".to_owned(), "there".to_owned()));
    write(&path, Tier::Basic, "here", metadata);
    let ran = run(folder.path(), "verify --public-key issuer.pub flows.parquet");
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out.contains("found \"there\", expected \"here\", as in column obname"),
        "{}",
        ran.out
    );
}

#[test]
fn an_old_file_is_genuine_and_not_current() {
    let folder = issued();
    let line = "issue --key issuer.key --tier basic --company X --days 1 --not-before 2020-01-01 --out license.json";
    assert_eq!(run(folder.path(), line).code, Some(0));
    let path = folder.path().join("flows.parquet");
    write(&path, Tier::Basic, "any", licence_metadata(folder.path()));
    let ran = run(folder.path(), "verify --public-key issuer.pub flows.parquet");
    assert_eq!(ran.code, Some(0));
    let begin = "flows.parquet: genuine, licence expired since: basic file of any";
    assert!(ran.out.starts_with(begin), "{}", ran.out);
    let ran = run(folder.path(), "verify --current --public-key issuer.pub flows.parquet");
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("not valid: expired at 2020-01-02T00:00:00Z"), "{}", ran.out);
}

#[test]
fn a_damaged_file_is_not_valid_and_harms_nothing() {
    let folder = issued();
    let path = folder.path().join("flows.parquet");
    write(&path, Tier::Basic, "sensor-01", licence_metadata(folder.path()));
    let octets = fs::read(&path).unwrap();
    let tail: [u8; 4] = octets[octets.len() - 8..octets.len() - 4].try_into().unwrap();
    let length = u32::from_le_bytes(tail) as usize;
    let footer = octets.len() - 8 - length;
    let mut names = Vec::new();
    for step in 0..400 {
        let mut damaged = octets.clone();
        let place = footer + step * (length + 8) / 400;
        if step % 4 == 0 {
            damaged.truncate(place);
        } else {
            damaged[place] ^= 1 << (step % 8);
        }
        let name = format!("damaged-{step}.parquet");
        fs::write(folder.path().join(&name), damaged).unwrap();
        names.push(name);
    }
    let ran = run(folder.path(), &format!("verify --public-key issuer.pub {}", names.join(" ")));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_eq!(ran.err, "");
    assert_eq!(ran.out.lines().count(), names.len());
    for (step, line) in ran.out.lines().enumerate().step_by(4) {
        assert!(line.contains("not valid: not a whole Parquet file"), "{step}: {line}");
    }
    let ran = run(folder.path(), "show damaged-0.parquet");
    assert_eq!(ran.code, Some(2));
    let ran = run(folder.path(), "show flows.parquet");
    assert!(ran.out.contains("rockfish.company           Example Corp\n"), "{}", ran.out);
}

#[test]
fn completions_and_man_page() {
    let folder = tempfile::tempdir().unwrap();
    for (line, expected) in
        [("completions bash", "rockfish_license"), ("man", ".SH \"EXIT STATUS\"")]
    {
        let ran = run(folder.path(), line);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        assert!(ran.out.contains(expected), "{}", ran.out);
    }
}
