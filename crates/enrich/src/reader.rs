//! Lookups of one thread, behind a cache.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::Place;
use crate::database::{AsnRecord, Database, GeoRecord};
use crate::geo::{Databases, Shared};

/// Addresses in the cache of a reader. A slot takes 32 octets, so this is half a mebibyte: what a core keeps near.
const SLOTS: usize = 1 << 14;

/// Slots in which an address may stand. The older of two gives way, so a pair of busy addresses does not fight for one.
const WAYS: usize = 2;

/// Records that are kept decoded. A country, city and AS together are one; when there are more, all are forgotten.
const MAX_PLACES: usize = 1 << 15;

/// How often the cache helped, and how often a record could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Lookups that the cache answered.
    pub hits: u64,
    /// Lookups that went to the databases.
    pub misses: u64,
    /// Records that a database holds damaged. What they would say is `None`.
    pub damaged: u64,
}

/// Where the records of an address lie, in each database.
type Records = [Option<usize>; 3];

#[derive(Clone)]
struct Slot {
    /// IPv4 addresses stand as IPv4-mapped ones.
    address: u128,
    place: Option<Arc<Place>>,
}

/// Looks addresses up for one thread. Made by [`GeoDb::reader`](crate::GeoDb::reader).
///
/// It takes at most about ten mebibytes: addresses in a cache of fixed size, and the places they lead to, each once.
pub struct GeoReader {
    shared: Arc<Shared>,
    databases: Databases,
    generation: u64,
    slots: Vec<Slot>,
    places: HashMap<Records, Arc<Place>>,
    stats: CacheStats,
}

impl std::fmt::Debug for GeoReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeoReader").field("stats", &self.stats).finish_non_exhaustive()
    }
}

impl GeoReader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let generation = shared.generation();
        Self {
            databases: shared.databases(),
            generation,
            shared,
            slots: vec![Slot { address: 0, place: None }; SLOTS],
            places: HashMap::new(),
            stats: CacheStats::default(),
        }
    }

    /// What is known of `address`. An IPv4-mapped address is looked up as the IPv4 one.
    #[inline]
    pub fn lookup(&mut self, address: IpAddr) -> Arc<Place> {
        let generation = self.shared.generation();
        if generation != self.generation {
            self.renew(generation);
        }
        let number = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        };
        let set = set_of(number);
        for slot in &self.slots[set..set + WAYS] {
            if slot.address == number
                && let Some(place) = &slot.place
            {
                self.stats.hits += 1;
                return Arc::clone(place);
            }
        }
        self.miss(number, set)
    }

    /// How the cache has done.
    pub fn stats(&self) -> CacheStats {
        self.stats
    }

    #[cold]
    fn miss(&mut self, number: u128, set: usize) -> Arc<Place> {
        self.stats.misses += 1;
        let place = self.place(Ipv6Addr::from_bits(number).to_canonical());
        self.slots[set..set + WAYS].rotate_right(1);
        self.slots[set] = Slot { address: number, place: Some(Arc::clone(&place)) };
        place
    }

    /// Most addresses share their records with others, so a record is decoded once.
    fn place(&mut self, address: IpAddr) -> Arc<Place> {
        let Databases { country, city, asn } = &self.databases;
        let mut damaged = false;
        let records = [country, city, asn].map(|database| {
            database.as_ref().and_then(|database| {
                database.find(address).unwrap_or_else(|_| {
                    damaged = true;
                    None
                })
            })
        });
        if damaged {
            self.stats.damaged += 1;
        }
        if let Some(place) = self.places.get(&records) {
            return Arc::clone(place);
        }
        let (place, damaged) = decode(&self.databases, address);
        self.stats.damaged += damaged;
        let place = Arc::new(place);
        if self.places.len() >= MAX_PLACES {
            self.places.clear();
        }
        self.places.insert(records, Arc::clone(&place));
        place
    }

    #[cold]
    fn renew(&mut self, generation: u64) {
        // Taken before the databases: should they change once more in between, the next lookup renews again.
        self.generation = generation;
        self.databases = self.shared.databases();
        self.slots.fill(Slot { address: 0, place: None });
        self.places.clear();
    }
}

/// The first slot of those in which `number` may stand.
fn set_of(number: u128) -> usize {
    // Multiplication by an odd constant (2^64 divided by the golden ratio) carries every bit upwards; hosts of one network
    // differ in the lowest. Who chooses addresses to collide slows down lookups to those of the databases, no more.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let folded = (number as u64) ^ ((number >> 64) as u64).rotate_left(32);
    let mixed = folded.wrapping_mul(SPREAD);
    (mixed >> 32) as usize % (SLOTS / WAYS) * WAYS
}

/// What the databases know of `address`, and how many records were damaged.
pub(crate) fn decode(databases: &Databases, address: IpAddr) -> (Place, u64) {
    let Databases { country, city, asn } = databases;
    let mut damaged = 0;
    let mut place = Place::default();
    if let Some(record) = record::<GeoRecord<'_>>(country.as_deref(), address, &mut damaged) {
        place.country = text(record.country.iso_code);
    }
    if let Some(record) = record::<GeoRecord<'_>>(city.as_deref(), address, &mut damaged) {
        place.city = text(record.city.names.en);
        if place.country.is_none() {
            place.country = text(record.country.iso_code);
        }
    }
    if let Some(record) = record::<AsnRecord<'_>>(asn.as_deref(), address, &mut damaged) {
        place.asn = record.autonomous_system_number;
        place.as_org = text(record.autonomous_system_organization);
    }
    (place, damaged)
}

fn record<'a, T: serde::Deserialize<'a>>(
    database: Option<&'a Database>,
    address: IpAddr,
    damaged: &mut u64,
) -> Option<T> {
    let database = database?;
    let found = database.find(address).and_then(|found| match found {
        Some(_) => database.record(address),
        None => Ok(None),
    });
    found.unwrap_or_else(|_| {
        *damaged += 1;
        None
    })
}

/// An empty name says as little as none.
fn text(text: Option<&str>) -> Option<Arc<str>> {
    text.filter(|text| !text.is_empty()).map(Arc::from)
}
