//! Places of addresses, from databases that the tests write.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod mmdb;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mmdb::{Writer, asn, city, country, map, text};
use proptest::prelude::*;
use rockfish_enrich::{EnrichError, GeoConfig, GeoDb, Place};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn all() -> GeoConfig {
    GeoConfig {
        country_db: Some(data("country.mmdb")),
        city_db: Some(data("city.mmdb")),
        asn_db: Some(data("asn.mmdb")),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

type Known<'a> = (Option<&'a str>, Option<&'a str>, Option<u32>, Option<&'a str>);

fn known(place: &Place) -> Known<'_> {
    (place.country.as_deref(), place.city.as_deref(), place.asn, place.as_org.as_deref())
}

const NOTHING: Known<'_> = (None, None, None, None);

#[test]
fn sample_databases_are_what_the_example_writes() {
    for (name, octets) in mmdb::samples() {
        assert!(fs::read(data(name)).unwrap() == octets, "{name} is stale");
    }
}

#[test]
fn places_of_addresses() {
    let berlin = (Some("DE"), Some("Berlin"), Some(64_496), Some("Example Networks GmbH"));
    let cases: [(&str, Known<'_>); 14] = [
        ("192.0.2.0", berlin),
        ("192.0.2.255", berlin),
        ("::ffff:192.0.2.9", berlin),
        ("192.0.1.255", NOTHING),
        ("192.0.3.0", NOTHING),
        ("203.0.113.127", (Some("JP"), Some("Tokyo"), Some(64_498), Some("Rei KK"))),
        ("203.0.113.128", (Some("JP"), None, Some(64_498), Some("Rei KK"))),
        ("2001:db8::1", (Some("BR"), Some("São Paulo"), Some(64_499), Some("Exemplo Ltda"))),
        ("2001:db9::1", NOTHING),
        ("10.1.2.3", (Some("US"), Some("Ashburn"), None, None)),
        ("10.2.2.3", (Some("NL"), Some("Utrecht"), None, None)),
        ("10.3.2.3", (None, None, Some(4_200_000_001), Some("Four Octets Inc"))),
        ("255.255.255.255", NOTHING),
        ("::", NOTHING),
    ];
    let db = GeoDb::open(&all()).unwrap();
    let mut reader = db.reader();
    // Once from the databases, once from the cache.
    for round in 0..2 {
        for (text, expected) in cases {
            assert_eq!(known(&reader.lookup(address(text))), expected, "{text}, round {round}");
            assert_eq!(known(&db.lookup(address(text))), expected, "{text}");
        }
    }
    let stats = reader.stats();
    // Of IPv4-mapped addresses there are none: 192.0.2.9 is one of its own.
    assert_eq!((stats.hits, stats.misses, stats.damaged), (14, 14, 0));
}

#[test]
fn each_database_may_be_missing() {
    for (without, expected) in [
        ("country", (Some("DE"), Some("Berlin"), Some(64_496), Some("Example Networks GmbH"))),
        ("city", (Some("DE"), None, Some(64_496), Some("Example Networks GmbH"))),
        ("asn", (Some("DE"), Some("Berlin"), None, None)),
        ("all", NOTHING),
    ] {
        let mut config = all();
        match without {
            "country" => config.country_db = None,
            "city" => config.city_db = None,
            "asn" => config.asn_db = None,
            _ => config = GeoConfig::default(),
        }
        assert_eq!(config.is_empty(), without == "all");
        let mut db = GeoDb::open(&config).unwrap();
        assert_eq!(known(&db.reader().lookup(address("192.0.2.1"))), expected, "{without}");
        assert!(!db.refresh().unwrap());
    }
}

#[test]
fn databases_of_countries_may_be_of_cities() {
    let config = GeoConfig { country_db: Some(data("city.mmdb")), ..GeoConfig::default() };
    let db = GeoDb::open(&config).unwrap();
    assert_eq!(known(&db.lookup(address("192.0.2.1"))), (Some("DE"), None, None, None));
}

#[test]
fn what_is_no_database_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("empty"), "").unwrap();
    fs::write(path("text"), "a text\n".repeat(1000)).unwrap();
    let whole = fs::read(data("city.mmdb")).unwrap();
    fs::write(path("half"), &whole[..whole.len() / 2]).unwrap();
    fs::write(path("headless"), &whole[whole.len() - 200..]).unwrap();
    for (name, expected) in [
        ("nothing", "city_db: cannot read "),
        ("empty", "empty (0 octets) is no whole MaxMind database: invalid database"),
        ("text", "text (7000 octets) is no whole MaxMind database: invalid database"),
        ("half", "is no whole MaxMind database"),
        ("headless", "is no whole MaxMind database"),
        (".", "found a folder, expected a file"),
    ] {
        let config = GeoConfig { city_db: Some(path(name)), ..GeoConfig::default() };
        let error = GeoDb::open(&config).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    for (config, expected) in [
        (
            GeoConfig { asn_db: Some(data("city.mmdb")), ..GeoConfig::default() },
            "city.mmdb: found a database of type \"Rockfish-Test-City\", expected an ASN or ISP database",
        ),
        (
            GeoConfig { city_db: Some(data("country.mmdb")), ..GeoConfig::default() },
            "found a database of type \"Rockfish-Test-Country\", expected a City or Enterprise database",
        ),
        (GeoConfig { country_db: Some(data("asn.mmdb")), ..GeoConfig::default() }, "country_db: "),
    ] {
        let error = GeoDb::open(&config).unwrap_err();
        assert!(matches!(error, EnrichError::Type { .. }));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// A database of cities where `10.0.0.0/8` is `name`.
fn city_of(name: &str) -> Vec<u8> {
    let mut writer = Writer::new("Test-City", 4, 24);
    writer.insert(address("10.0.0.0"), 8, &city("DE", name));
    writer.finish()
}

#[test]
fn changed_files_are_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.mmdb");
    let new = folder.path().join("new");
    fs::write(&path, city_of("One")).unwrap();
    let config = GeoConfig { city_db: Some(path.clone()), ..GeoConfig::default() };
    let mut db = GeoDb::open(&config).unwrap();
    let mut reader = db.reader();
    let mut found = || reader.lookup(address("10.1.1.1")).city.as_deref().map(str::to_owned);
    assert_eq!(found().as_deref(), Some("One"));
    assert!(!db.refresh().unwrap());

    // Replaced by another file, as MaxMind's own tool does it.
    fs::write(&new, city_of("Two")).unwrap();
    fs::rename(&new, &path).unwrap();
    assert_eq!(found().as_deref(), Some("One"));
    assert!(db.refresh().unwrap());
    assert_eq!(found().as_deref(), Some("Two"));
    assert!(!db.refresh().unwrap());

    // Written into, longer and shorter: nothing is mapped, so nothing breaks meanwhile.
    for name in ["A longer name", "3"] {
        fs::write(&path, city_of(name)).unwrap();
        assert!(db.refresh().unwrap());
        assert_eq!(found().as_deref(), Some(name));
    }

    // Damaged, of another type, gone: told once, and what was there stays.
    for (octets, expected) in [
        (b"not a database".to_vec(), "is no whole MaxMind database"),
        (fs::read(data("asn.mmdb")).unwrap(), "found a database of type \"Rockfish-Test-ASN\""),
    ] {
        fs::write(&new, octets).unwrap();
        fs::rename(&new, &path).unwrap();
        let error = db.refresh().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().ends_with("the database read before stays in use"));
        assert!(!error.renewed);
        assert!(!db.refresh().unwrap(), "told twice");
        assert_eq!(found().as_deref(), Some("3"));
    }
    fs::remove_file(&path).unwrap();
    assert!(db.refresh().unwrap_err().to_string().contains("city_db: cannot read"));
    assert!(!db.refresh().unwrap());
    assert_eq!(found().as_deref(), Some("3"));
    fs::write(&path, city_of("Back")).unwrap();
    assert!(db.refresh().unwrap());
    assert_eq!(found().as_deref(), Some("Back"));
}

#[test]
fn one_broken_database_does_not_hold_up_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("city"), city_of("One")).unwrap();
    fs::copy(data("asn.mmdb"), path("asn")).unwrap();
    let config =
        GeoConfig { country_db: None, city_db: Some(path("city")), asn_db: Some(path("asn")) };
    let mut db = GeoDb::open(&config).unwrap();
    let mut reader = db.reader();
    fs::write(path("city"), "").unwrap();
    let mut writer = Writer::new("Test-ASN", 6, 28);
    writer.insert(address("10.0.0.0"), 8, &asn(7, "Seven"));
    fs::write(path("asn"), writer.finish()).unwrap();
    let error = db.refresh().unwrap_err();
    assert!(error.renewed);
    assert_eq!(error.problems.len(), 1);
    let place = reader.lookup(address("10.1.1.1"));
    assert_eq!(known(&place), (Some("DE"), Some("One"), Some(7), Some("Seven")));
}

#[test]
fn threads_share_the_databases() {
    let db = GeoDb::open(&all()).unwrap();
    let found: Vec<Arc<Place>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let mut reader = db.reader();
                scope.spawn(move || reader.lookup(address("198.51.100.1")))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for place in found {
        assert_eq!(known(&place), (Some("FR"), Some("Paris"), Some(64_497), Some("Exemple SA")));
    }
}

#[test]
fn records_that_say_other_things_are_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let mut writer = Writer::new("Any-City", 4, 24);
    let names = |names| map([("city", map([("names", names)]))]);
    for (octet, record) in [
        map([]),
        map([("city", map([]))]),
        names(map([("de", text("Wien"))])),
        names(map([("en", text(""))])),
        map([("country", map([("iso_code", text(""))]))]),
        // Wrong types: told as damaged.
        names(map([("en", mmdb::Value::U32(5))])),
        map([("country", text("DE"))]),
    ]
    .iter()
    .enumerate()
    {
        writer.insert(Ipv4Addr::new(10, octet as u8, 0, 0).into(), 16, record);
    }
    fs::write(&path, writer.finish()).unwrap();
    let db = GeoDb::open(&GeoConfig { city_db: Some(path), ..GeoConfig::default() }).unwrap();
    let mut reader = db.reader();
    for octet in 0..7 {
        let place = reader.lookup(Ipv4Addr::new(10, octet, 0, 1).into());
        assert_eq!(known(&place), NOTHING, "10.{octet}.0.1");
    }
    assert_eq!(reader.stats().damaged, 2);
    // A database of IPv4 alone.
    assert_eq!(known(&reader.lookup(address("2001:db8::1"))), NOTHING);
    assert_eq!(known(&reader.lookup(address("::ffff:10.0.0.1"))), NOTHING);
    assert_eq!(reader.stats().damaged, 2);
}

fn networks() -> impl Strategy<Value = Vec<(u32, u8, u8)>> {
    proptest::collection::vec((any::<u32>(), 1u8..=32, any::<u8>()), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The cache and the tree say what a list of networks says, the longest match first.
    #[test]
    fn lookups_agree_with_a_list(
        networks in networks(),
        size in proptest::sample::select(vec![24u16, 28, 32]),
        version in proptest::sample::select(vec![4u16, 6]),
        asked in proptest::collection::vec((any::<u32>(), any::<bool>()), 0..200),
    ) {
        let mut writer = Writer::new("Any-ASN", version, size);
        let mut list: Vec<(u32, u8, u32)> = Vec::new();
        let mask = |length: u8| u32::MAX << (32 - length);
        let mut sorted = networks;
        // The writer forgets what lies within a later network, so the longer ones come last.
        sorted.sort_by_key(|(_, length, _)| *length);
        for (network, length, number) in sorted {
            let network = network & mask(length);
            writer.insert(Ipv4Addr::from_bits(network).into(), length, &asn(number.into(), "x"));
            list.push((network, length, number.into()));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        fs::write(&path, writer.finish()).unwrap();
        let db = GeoDb::open(&GeoConfig { asn_db: Some(path), ..GeoConfig::default() }).unwrap();
        let mut reader = db.reader();
        for (number, near) in asked {
            // Half of them near a network, where the borders are.
            let number = match list.get(number as usize % list.len().max(1)) {
                Some((network, ..)) if near => network.wrapping_add(number >> 30).wrapping_sub(1),
                _ => number,
            };
            let expected =
                list.iter().rev().find(|(network, length, _)| number & mask(*length) == *network);
            let expected = expected.map(|(_, _, asn)| *asn);
            for _ in 0..2 {
                prop_assert_eq!(reader.lookup(Ipv4Addr::from_bits(number).into()).asn, expected);
            }
        }
        prop_assert_eq!(reader.stats().damaged, 0);
    }

    /// Damaged databases give errors or wrong places, never a panic.
    #[test]
    fn damaged_databases_do_no_harm(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        asked in proptest::collection::vec(any::<u128>(), 0..50),
    ) {
        let mut writer = Writer::new("Any-City", 6, 28);
        for octet in 0..40 {
            writer.insert(Ipv4Addr::new(octet * 6, 0, 0, 0).into(), 7, &city("DE", &"n".repeat(octet.into())));
        }
        writer.insert(address("2000::"), 3, &country("FR"));
        let mut octets = writer.finish();
        for (index, value) in changes {
            let place = index.index(octets.len());
            octets[place] = value;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        fs::write(&path, octets).unwrap();
        if let Ok(db) = GeoDb::open(&GeoConfig { city_db: Some(path), ..GeoConfig::default() }) {
            let mut reader = db.reader();
            for number in asked {
                reader.lookup(Ipv4Addr::from_bits(number as u32).into());
                reader.lookup(std::net::Ipv6Addr::from_bits(number).into());
            }
        }
    }
}
