//! Files that carry a licence, and what an edited one must not get away with.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use rockfish_flow::Timestamp;
use rockfish_license::{
    FileError, FileFacts, LicenseError, LicenseTime, PrivateKey, PublicKey, Terms, Tier,
    VerifiedFile, verify_file,
};

fn key(octet: u8) -> PrivateKey {
    PrivateKey::from_seed(&[octet; 32].into())
}

fn terms(tier: Tier, observation: Option<&str>) -> Terms {
    Terms {
        id: "lic_abc123".to_owned(),
        tier,
        customer_email: Some("ops@example.com".to_owned()),
        company: "Example Corp".to_owned(),
        observation: observation.map(str::to_owned),
        issued_at: LicenseTime::parse("2025-01-01T00:00:00Z").unwrap(),
        not_before: None,
        expires_at: LicenseTime::parse("2026-01-01T00:00:00Z").unwrap(),
    }
}

type Pairs = Vec<(String, Option<String>)>;

/// The metadata of a file of `tier` by a licence of `terms`.
fn metadata(terms: Terms, tier: Tier, observation: &str) -> Pairs {
    let now = terms.issued_at.timestamp();
    let verified = terms.sign(&key(1)).unwrap().verify(&key(1).public_key(), now).unwrap();
    let mut pairs: Pairs =
        verified.metadata().into_iter().map(|(key, value)| (key.to_owned(), Some(value))).collect();
    for (key, value) in [
        ("rockfish.tier", tier.name().to_owned()),
        ("rockfish.schema_version", tier.schema_version().to_string()),
        ("rockfish.observation", observation.to_owned()),
        ("rockfish.producer", "anything".to_owned()),
        ("ARROW:schema", "anything".to_owned()),
    ] {
        pairs.push((key.to_owned(), Some(value)));
    }
    pairs
}

fn verify(
    pairs: &Pairs,
    columns: Tier,
    observations: &[&str],
    key: &PublicKey,
) -> Result<VerifiedFile, FileError> {
    let pairs = pairs.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
    verify_file(pairs, &FileFacts { columns, observations }, key)
}

fn set(pairs: &mut Pairs, key: &str, value: Option<&str>) {
    pairs.retain(|(found, _)| found != key);
    if let Some(value) = value {
        pairs.push((key.to_owned(), Some(value.to_owned())));
    }
}

const PROFESSIONAL: Tier = Tier::Professional;

fn file() -> Pairs {
    metadata(terms(PROFESSIONAL, Some("sensor-01")), PROFESSIONAL, "sensor-01")
}

#[test]
fn a_file_of_its_licence_holds() {
    let public = key(1).public_key();
    let found = verify(&file(), PROFESSIONAL, &["sensor-01", "sensor-01"], &public).unwrap();
    assert_eq!(found.license, terms(PROFESSIONAL, Some("sensor-01")));
    assert_eq!((found.tier, found.observation.as_str()), (PROFESSIONAL, "sensor-01"));
    // Less than the licence grants.
    let basic = metadata(terms(PROFESSIONAL, None), Tier::Basic, "any");
    assert_eq!(verify(&basic, Tier::Basic, &[], &public).unwrap().tier, Tier::Basic);
    // The tier of the licence over the columns of a smaller one.
    let mut simple = metadata(terms(PROFESSIONAL, None), Tier::Basic, "any");
    set(&mut simple, "rockfish.tier", Some("professional"));
    assert_eq!(verify(&simple, Tier::Basic, &[], &public).unwrap().tier, PROFESSIONAL);
    let community = metadata(terms(Tier::Community, None), Tier::Community, "gnat");
    verify(&community, Tier::Community, &["gnat"], &public).unwrap();
}

#[test]
fn metadata_of_the_manual() {
    let pairs = file();
    for (key, value) in [
        ("rockfish.license_id", "lic_abc123"),
        ("rockfish.company", "Example Corp"),
        ("rockfish.customer_email", "ops@example.com"),
        ("rockfish.issued_at", "2025-01-01T00:00:00Z"),
    ] {
        let found = pairs.iter().find(|(found, _)| found == key).unwrap().1.as_deref();
        assert_eq!(found, Some(value));
    }
    assert!(pairs.iter().any(|(key, value)| key == "rockfish.license"
        && value.as_deref().unwrap().starts_with("{\"company\":\"Example Corp\",")));
}

#[test]
fn the_older_spelling_is_read() {
    let mut pairs = file();
    for (key, _) in &mut pairs {
        *key = match key.as_str() {
            "rockfish.license_id" => "rockfish.license.id",
            "rockfish.company" => "rockfish.license.company",
            "rockfish.customer_email" => "rockfish.license.customer_email",
            "rockfish.issued_at" => "rockfish.license.issued_at",
            "rockfish.tier" => "rockfish.license.tier",
            "rockfish.observation" => "rockfish.license.observation",
            same => same,
        }
        .to_owned();
    }
    let public = key(1).public_key();
    verify(&pairs, PROFESSIONAL, &["sensor-01"], &public).unwrap();
    // Both spellings, of which one lies.
    pairs.push(("rockfish.license_id".to_owned(), Some("lic_other".to_owned())));
    let error = verify(&pairs, PROFESSIONAL, &[], &public).unwrap_err();
    assert!(matches!(error, FileError::Claim { key: "rockfish.license_id", .. }), "{error}");
}

#[test]
fn each_edit_of_the_metadata_is_seen() {
    let public = key(1).public_key();
    for (name, value, expected) in [
        (
            "rockfish.tier",
            Some("enterprise"),
            "found \"enterprise\", expected professional or less, as in the licence",
        ),
        ("rockfish.tier", Some("basic"), "the columns are those of the professional tier"),
        ("rockfish.tier", Some("platinum"), "unknown tier \"platinum\""),
        ("rockfish.tier", None, "metadata \"rockfish.tier\" is missing"),
        (
            "rockfish.schema_version",
            Some("1"),
            "found \"1\", expected \"2\" for the columns of the professional tier",
        ),
        ("rockfish.schema_version", None, "is missing"),
        (
            "rockfish.observation",
            Some("sensor-02"),
            "found \"sensor-02\", expected \"sensor-01\", as in the licence",
        ),
        ("rockfish.observation", Some("gnat"), "expected \"sensor-01\""),
        ("rockfish.observation", None, "is missing"),
        (
            "rockfish.license_id",
            Some("lic_abc124"),
            "found \"lic_abc124\", expected \"lic_abc123\", as in the licence",
        ),
        ("rockfish.license_id", None, "is missing"),
        ("rockfish.company", Some("Other Corp"), "expected \"Example Corp\""),
        ("rockfish.company", None, "is missing"),
        ("rockfish.customer_email", Some("x@example.com"), "expected \"ops@example.com\""),
        (
            "rockfish.issued_at",
            Some("2025-01-01T00:00:00+00:00"),
            "expected \"2025-01-01T00:00:00Z\"",
        ),
        (
            "rockfish.license.tier",
            Some("enterprise"),
            "metadata \"rockfish.license.tier\": found \"enterprise\"",
        ),
        ("rockfish.license.tier", Some("basic"), "the columns are those of the professional"),
        ("rockfish.license", None, "licence \"lic_abc123\" is named, but not carried"),
        ("rockfish.license", Some(""), "metadata \"rockfish.license\": line 1, column 0"),
        ("rockfish.license", Some("{}"), "member \"signature\" is missing"),
    ] {
        let mut pairs = file();
        set(&mut pairs, name, value);
        let error = verify(&pairs, PROFESSIONAL, &["sensor-01"], &public).unwrap_err().to_string();
        assert!(error.contains(expected), "{name} {value:?}: {error}");
    }
}

#[test]
fn the_carried_licence_cannot_be_edited_along() {
    let public = key(1).public_key();
    for (from, to) in
        [("professional", "enterprise"), ("sensor-01", "sensor-02"), ("Example Corp", "Other Corp")]
    {
        let mut pairs = file();
        for (_, value) in &mut pairs {
            *value = value.as_ref().map(|value| value.replace(from, to));
        }
        let error = verify(&pairs, PROFESSIONAL, &[], &public).unwrap_err();
        assert!(matches!(error, FileError::License(LicenseError::Signature { .. })), "{error}");
    }
    let error = verify(&file(), PROFESSIONAL, &[], &key(2).public_key()).unwrap_err();
    assert!(matches!(error, FileError::License(LicenseError::Signature { .. })), "{error}");
}

#[test]
fn rows_and_columns_must_fit_the_metadata() {
    let public = key(1).public_key();
    let any = metadata(terms(PROFESSIONAL, None), PROFESSIONAL, "here");
    verify(&any, PROFESSIONAL, &["here"], &public).unwrap();
    let error = verify(&any, PROFESSIONAL, &["here", "there"], &public).unwrap_err().to_string();
    assert!(error.contains("found \"here\", expected \"there\", as in column obname"), "{error}");
    let error = verify(&any, Tier::Enterprise, &[], &public).unwrap_err();
    assert!(matches!(error, FileError::Columns { columns: Tier::Enterprise, .. }), "{error}");
    let community = metadata(terms(Tier::Community, None), Tier::Community, "here");
    let error = verify(&community, Tier::Community, &[], &public).unwrap_err().to_string();
    assert!(error.contains("expected \"gnat\""), "{error}");
}

#[test]
fn a_key_twice_is_refused() {
    for (name, value) in file() {
        let mut pairs = file();
        pairs.push((name.clone(), value));
        let found = verify(&pairs, PROFESSIONAL, &[], &key(1).public_key());
        if name.starts_with("rockfish.") && name != "rockfish.producer" {
            assert_eq!(found, Err(FileError::Twice(name)));
        } else {
            found.unwrap();
        }
    }
}

#[test]
fn a_file_without_licence_says_so() {
    let public = key(1).public_key();
    let none = vec![("rockfish.tier".to_owned(), Some("community".to_owned()))];
    assert_eq!(verify(&none, Tier::Community, &[], &public), Err(FileError::Unlicensed));
    assert_eq!(verify(&Vec::new(), Tier::Community, &[], &public), Err(FileError::Unlicensed));
}

#[test]
fn an_expired_licence_leaves_its_files_as_they_are() {
    let found = verify(&file(), PROFESSIONAL, &[], &key(1).public_key()).unwrap();
    let later = Timestamp::from_secs(4_000_000_000);
    assert_eq!(found.license.validity(later), rockfish_license::Validity::Expired);
}
