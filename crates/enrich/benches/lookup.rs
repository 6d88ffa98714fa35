//! What a lookup costs: with the address in the cache, with its record decoded already, and from the databases.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "../tests/mmdb/mod.rs"]
mod mmdb;

use std::fs;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{Criterion, criterion_group, criterion_main};
use mmdb::{Value, Writer, asn, map, text};
use rockfish_enrich::{GeoConfig, GeoDb};

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A record as rich as those of GeoLite2-City: names in eight languages of city, country, continent and subdivision.
fn rich(number: u32) -> Value {
    let names = |name: &str| {
        let languages = ["de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN"];
        let names = languages
            .iter()
            .map(|language| ((*language).to_owned(), text(&format!("{name} {number} {language}"))));
        Value::Map(names.collect())
    };
    let number = |offset| Value::U32(number + offset);
    map([
        ("city", map([("geoname_id", number(1)), ("names", names("city"))])),
        ("continent", map([("code", text("EU")), ("names", names("continent"))])),
        (
            "country",
            map([("geoname_id", number(2)), ("iso_code", text("DE")), ("names", names("country"))]),
        ),
        ("location", map([("time_zone", text("Europe/Berlin"))])),
        ("postal", map([("code", text("10115"))])),
        (
            "subdivisions",
            Value::Array(vec![map([("iso_code", text("BE")), ("names", names("region"))])]),
        ),
    ])
}

/// 200,000 networks of 20 to 24 bits with 20,000 cities and 40,000 autonomous systems, and addresses of them.
fn databases() -> (GeoDb, Vec<IpAddr>) {
    let mut state = 1;
    let mut cities = Writer::new("Bench-City", 6, 28);
    let mut systems = Writer::new("Bench-ASN", 6, 24);
    let mut addresses = Vec::new();
    for _ in 0..200_000 {
        let length = 20 + (random(&mut state) % 5) as u8;
        let address = random(&mut state) as u32;
        let network = Ipv4Addr::from_bits(address & (u32::MAX << (32 - length)));
        let number = random(&mut state) as u32;
        cities.insert(network.into(), length, &rich(number % 20_000));
        let organisation = format!("Organisation {}", number % 40_000);
        systems.insert(network.into(), length, &asn(number % 40_000, &organisation));
        addresses.push(Ipv4Addr::from_bits(address).into());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("city"), cities.finish()).unwrap();
    fs::write(path("asn"), systems.finish()).unwrap();
    let config =
        GeoConfig { country_db: None, city_db: Some(path("city")), asn_db: Some(path("asn")) };
    (GeoDb::open(&config).unwrap(), addresses)
}

fn lookups(criterion: &mut Criterion) {
    let (db, addresses) = databases();
    let mut group = criterion.benchmark_group("lookup");
    let mut reader = db.reader();
    let mut next = addresses[..4096].iter().cycle();
    group.bench_function("address in the cache", |bencher| {
        bencher.iter(|| reader.lookup(*black_box(next.next().unwrap())));
    });
    let mut reader = db.reader();
    let mut next = addresses.iter().cycle();
    group.bench_function("new address", |bencher| {
        bencher.iter(|| reader.lookup(*black_box(next.next().unwrap())));
    });
    let mut reader = db.reader();
    // 51,200 addresses, more than the cache holds, of 200 networks.
    let networks = &addresses[..200];
    let mut count = 0;
    group.bench_function("new address of a known record", |bencher| {
        bencher.iter(|| {
            count += 1;
            let IpAddr::V4(network) = networks[count % 200] else {
                return reader.lookup(networks[0]);
            };
            let host = ((count / 200) & 0xff) as u32;
            reader.lookup(black_box(Ipv4Addr::from_bits(network.to_bits() ^ host).into()))
        });
    });
    let mut next = addresses.iter().cycle();
    group.bench_function("without cache", |bencher| {
        bencher.iter(|| db.lookup(*black_box(next.next().unwrap())));
    });
    group.finish();
}

criterion_group!(benches, lookups);
criterion_main!(benches);
