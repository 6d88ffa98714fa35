//! Licences as their holders meet them: the manual's example, and what must not unlock anything.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use proptest::prelude::*;
use rockfish_flow::Timestamp;
use rockfish_license::{
    License, LicenseError, LicenseTime, PrivateKey, PublicKey, Terms, Tier, Validity,
};

fn key(octet: u8) -> PrivateKey {
    PrivateKey::from_seed(&[octet; 32].into())
}

fn time(text: &str) -> LicenseTime {
    LicenseTime::parse(text).unwrap()
}

/// The example of the manual.
fn terms() -> Terms {
    Terms {
        id: "lic_abc123".to_owned(),
        tier: Tier::Professional,
        customer_email: Some("ops@example.com".to_owned()),
        company: "Example Corp".to_owned(),
        observation: Some("sensor-01".to_owned()),
        issued_at: time("2025-01-01T00:00:00Z"),
        not_before: None,
        expires_at: time("2026-01-01T00:00:00Z"),
    }
}

fn license() -> License {
    terms().sign(&key(1)).unwrap()
}

/// The middle of the term.
fn now() -> Timestamp {
    time("2025-07-01T00:00:00Z").timestamp()
}

fn check(json: &str, now: Timestamp, key: &PublicKey) -> Result<Tier, LicenseError> {
    License::parse(json.as_bytes())?.verify(key, now).map(|verified| verified.tier())
}

#[test]
fn a_licence_is_written_as_the_manual_prints_it() {
    let json = license().to_json();
    let (head, signature) = json.split_at(json.find("  \"signature\"").unwrap());
    assert_eq!(
        head,
        "{\n  \"id\": \"lic_abc123\",\n  \"tier\": \"professional\",\n  \"customer_email\": \"ops@example.com\",\n  \
         \"company\": \"Example Corp\",\n  \"observation\": \"sensor-01\",\n  \"issued_at\": \"2025-01-01T00:00:00Z\",\n  \
         \"expires_at\": \"2026-01-01T00:00:00Z\",\n"
    );
    assert_eq!(signature.len(), "  \"signature\": \"\"\n}\n".len() + 88);
    assert_eq!(
        license().canonical(),
        "{\"company\":\"Example Corp\",\"customer_email\":\"ops@example.com\",\"expires_at\":\"2026-01-01T00:00:00Z\",\
         \"id\":\"lic_abc123\",\"issued_at\":\"2025-01-01T00:00:00Z\",\"observation\":\"sensor-01\",\
         \"tier\":\"professional\"}"
    );
}

/// Made by another implementation (OpenSSL) over the canonical text above, with the seed of 32 ones. It
/// must stay readable for ever.
const SIGNATURE: &str =
    "hdD6/b0gKoQaCCk/oJhfXbXN9Jr6g35qC97b7bXuQsDJ1J5rCLvLbt/ZfZvzyKlPs63zJYuCPJSJrV7aPh1jAw==";

#[test]
fn a_licence_made_elsewhere_is_read() {
    let json = format!(
        "{{\"signature\":\"{SIGNATURE}\",\"tier\":\"professional\",\"id\":\"lic_abc123\",\n\
         \"customer_email\":\"ops@example.com\",\"company\":\"Example Corp\",\"observation\":\"sensor\\u002d01\",\n\
         \"issued_at\":\"2025-01-01T00:00:00Z\",\"expires_at\":\"2026-01-01T00:00:00Z\"}}"
    );
    let public = key(1).public_key();
    assert_eq!(public.to_string(), "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=");
    let verified = License::parse(json.as_bytes()).unwrap().verify(&public, now()).unwrap();
    assert_eq!(verified.terms(), &terms());
    assert_eq!(
        (verified.id(), verified.company(), verified.observation(), verified.tier()),
        ("lic_abc123", "Example Corp", Some("sensor-01"), Tier::Professional)
    );
    assert_eq!(verified.expires_at(), time("2026-01-01T00:00:00Z").timestamp());
}

#[test]
fn a_flipped_bit_is_seen_wherever_it_is() {
    let json = license().to_json();
    let public = key(1).public_key();
    assert_eq!(check(&json, now(), &public), Ok(Tier::Professional));
    let tier = json.find("professional").unwrap();
    for place in 0..json.len() {
        // One bit of each octet, and all of those that are the tier.
        let all = (tier..tier + "professional".len()).contains(&place);
        for bit in (0..8).filter(|bit| all || *bit == place % 8) {
            let mut octets = json.clone().into_bytes();
            octets[place] ^= 1 << bit;
            let result = License::parse(&octets).and_then(|license| license.verify(&public, now()));
            assert!(result.is_err(), "octet {place}, bit {bit}");
        }
    }
}

#[test]
fn what_is_renamed_added_or_left_out_does_not_verify() {
    let json = license().to_json();
    let public = key(1).public_key();
    for (from, to) in [
        ("professional", "enterprise"),
        ("professional", "basic"),
        ("Example Corp", "Example Corq"),
        ("sensor-01", "sensor-02"),
        ("2026-01-01", "2027-01-01"),
        ("2025-01-01", "2024-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00"),
        ("  \"observation\": \"sensor-01\",\n", ""),
        ("  \"customer_email\": \"ops@example.com\",\n", ""),
        ("  \"tier\"", "  \"seats\": 5,\n  \"tier\""),
        ("  \"tier\"", "  \"not_before\": \"2025-01-02T00:00:00Z\",\n  \"tier\""),
    ] {
        let changed = json.replacen(from, to, 1);
        assert_ne!(changed, json);
        let error = check(&changed, now(), &public).unwrap_err();
        assert_eq!(error, LicenseError::Signature { key: public.to_string() }, "{from} to {to}");
    }
    // Without meaning, so without harm.
    let compact = license().to_compact();
    assert_eq!(check(&compact, now(), &public), Ok(Tier::Professional));
    assert_eq!(check(&json.replace('\n', "\r\n"), now(), &public), Ok(Tier::Professional));
}

#[test]
fn another_key_unlocks_nothing() {
    let other = key(2).public_key();
    let error = check(&license().to_json(), now(), &other).unwrap_err();
    assert_eq!(error, LicenseError::Signature { key: other.to_string() });
    assert!(error.to_string().contains(&other.to_string()));
}

#[test]
fn the_term_ends_by_the_second() {
    let json = license().to_json();
    let later = Terms { not_before: Some(time("2025-02-01T00:00:00Z")), ..terms() };
    let later = later.sign(&key(1)).unwrap().to_json();
    let public = key(1).public_key();
    for (json, now, expected) in [
        (&json, "2024-12-31T23:59:59Z", Validity::NotYet),
        (&json, "2025-01-01T00:00:00Z", Validity::Valid),
        (&json, "2025-12-31T23:59:59.999999Z", Validity::Valid),
        (&json, "2026-01-01T00:00:00Z", Validity::Expired),
        (&json, "2026-01-01T00:00:01Z", Validity::Expired),
        (&later, "2025-01-31T23:59:59Z", Validity::NotYet),
        (&later, "2025-02-01T00:00:00Z", Validity::Valid),
    ] {
        let found = check(json, time(now).timestamp(), &public);
        match expected {
            Validity::Valid => assert_eq!(found, Ok(Tier::Professional), "{now}"),
            Validity::NotYet => {
                assert!(matches!(found, Err(LicenseError::NotYetValid { .. })), "{now}");
            }
            Validity::Expired => {
                assert!(matches!(found, Err(LicenseError::Expired { .. })), "{now}");
            }
        }
    }
    // A wrong key is said before the term, of which only the right key tells the truth.
    assert!(matches!(
        check(&json, Timestamp::ZERO, &key(2).public_key()),
        Err(LicenseError::Signature { .. })
    ));
    let error = check(&json, time("2026-01-01T00:00:01Z").timestamp(), &public).unwrap_err();
    assert_eq!(error.to_string(), "expired at 2026-01-01T00:00:00Z, it is 2026-01-01T00:00:01Z");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let json = license().to_json();
    let member = |from: &str, to: &str| json.replacen(from, to, 1);
    let long = "x".repeat(257);
    for (json, expected) in [
        (String::new(), "line 1, column 0: EOF while parsing a value"),
        ("[]".to_owned(), "line 1, column "),
        (json[..60].to_owned(), "EOF while parsing"),
        (member("\"company\"", "\"id\""), "line 5, column 6: found member \"id\" twice"),
        (
            member("professional", "platinum"),
            "member \"tier\": unknown tier \"platinum\", expected community",
        ),
        (member("professional", "Professional"), "unknown tier \"Professional\""),
        (member("\"professional\"", "60"), "member \"tier\": found a number, expected text"),
        (member("  \"id\": \"lic_abc123\",\n", ""), "member \"id\" is missing"),
        (member("  \"company\": \"Example Corp\",\n", ""), "member \"company\" is missing"),
        (member("signature", "signatures"), "member \"signature\" is missing"),
        (member("Example Corp", ""), "member \"company\": found 0 characters, expected 1 to 256"),
        (member("Example Corp", &long), "found 257 characters"),
        (member("Example Corp", "a\\u001b[2Jb"), "found '\\u{1b}', expected text without control"),
        (
            member("2025-01-01T00:00:00Z", "yesterday"),
            "member \"issued_at\": found \"yesterday\", expected a time",
        ),
        (member("2026-01-01", "2025-01-01"), "expected a time after 2025-01-01T00:00:00Z"),
        (member("==\"", "\""), "member \"signature\": found 86 characters that are no such thing"),
        (" ".repeat(70_000), "found 70000 octets, expected at most 65536"),
    ] {
        let error = License::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\nexpected {expected}");
    }
}

#[test]
fn a_signature_has_one_spelling() {
    let json = license().to_json();
    let place = json.rfind("==").unwrap() - 1;
    // The last character has four bits that decode to nothing.
    let mut read = 0;
    for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".chars() {
        let mut changed = json.clone();
        changed.replace_range(place..=place, &c.to_string());
        let verified = check(&changed, now(), &key(1).public_key()).is_ok();
        assert_eq!(verified, changed == json);
        read += u32::from(License::parse(changed.as_bytes()).is_ok());
    }
    assert_eq!(read, 4);
}

#[test]
fn unknown_members_are_signed_and_kept() {
    let json = license().to_json();
    let parsed =
        License::parse(json.replacen("{", "{\"x\": [1, {\"y\": null}],", 1).as_bytes()).unwrap();
    assert!(parsed.canonical().ends_with(",\"x\":[1,{\"y\":null}]}"));
    assert_eq!(
        License::parse(parsed.to_json().as_bytes()).unwrap().to_compact(),
        parsed.to_compact()
    );
}

#[test]
fn observation_domains() {
    let with = |tier, observation: Option<&str>| Terms {
        tier,
        observation: observation.map(str::to_owned),
        ..terms()
    };
    for (terms, default, name, permitted) in [
        (with(Tier::Community, None), "gnat", "gnat", true),
        (with(Tier::Community, None), "gnat", "x", false),
        (with(Tier::Community, Some("x")), "gnat", "x", false),
        (with(Tier::Basic, None), "gnat", "x", true),
        (with(Tier::Basic, None), "gnat", "gnat", true),
        (with(Tier::Basic, Some("x")), "x", "x", true),
        (with(Tier::Enterprise, Some("x")), "x", "y", false),
        (with(Tier::Enterprise, Some("x")), "x", "gnat", false),
    ] {
        assert_eq!(terms.default_observation(), default);
        assert_eq!(terms.permits_observation(name), permitted, "{terms:?} {name}");
    }
}

fn text() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,40}"
}

proptest! {
    #[test]
    fn what_is_signed_is_read_as_it_was(
        id in text(),
        company in text(),
        customer_email in proptest::option::of(text()),
        observation in proptest::option::of(text()),
        tier in 0usize..4,
        issued in 0i64..4_000_000_000,
        days in 1i64..20_000,
        seed in any::<[u8; 32]>(),
    ) {
        let at = |seconds| LicenseTime::from_timestamp(Timestamp::from_secs(seconds)).unwrap();
        let terms = Terms {
            id,
            tier: Tier::ALL[tier],
            customer_email,
            company,
            observation,
            issued_at: at(issued),
            not_before: None,
            expires_at: at(issued + days * 86_400),
        };
        let key = PrivateKey::from_seed(&seed.into());
        let license = terms.clone().sign(&key).unwrap();
        for json in [license.to_json(), license.to_compact()] {
            let read = License::parse(json.as_bytes()).unwrap();
            prop_assert_eq!(read.canonical(), license.canonical());
            let verified = read.verify(&key.public_key(), Timestamp::from_secs(issued)).unwrap();
            prop_assert_eq!(verified.terms(), &terms);
        }
    }

    #[test]
    fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = License::parse(&octets);
        let _ = PublicKey::parse(&octets);
        let _ = PrivateKey::parse(&octets);
    }
}

#[test]
fn the_example_of_the_documentation_is_signed() {
    let page = include_str!("../../../docs/licenses.md");
    let mut blocks = page.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let license = License::parse(blocks.next().unwrap().as_bytes()).unwrap();
    assert_eq!(license.canonical(), blocks.next().unwrap());
    license.verify(&key(1).public_key(), now()).unwrap();
}
