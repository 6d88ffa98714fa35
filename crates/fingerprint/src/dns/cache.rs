//! Names by address: which name was asked for when this address was the answer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::message::Message;

/// Answers are kept at least so long, in microseconds: connections outlive the few seconds that load balancers allow.
const LEAST_TTL_US: i64 = 60_000_000;
/// Answers are kept at most so long, in microseconds.
const MOST_TTL_US: i64 = 86_400_000_000;

/// Remembers the names of addresses for as long as the answers hold, at least a minute and at most a day.
///
/// It holds a fixed number of addresses. When it is full, one goes that was not looked up since the hand of the clock last
/// passed it. Time is an argument, in microseconds, and is capture time.
#[derive(Debug)]
pub struct NameCache {
    places: HashMap<IpAddr, u32>,
    entries: Vec<Entry>,
    capacity: usize,
    hand: usize,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    name: Arc<str>,
    expires: i64,
    used: bool,
}

impl NameCache {
    /// A cache of so many addresses, at least one. An address takes about 100 octets, a name up to a few hundred more, shared
    /// by the addresses of one answer. Memory is taken as it fills.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, u32::MAX as usize);
        Self { places: HashMap::new(), entries: Vec::new(), capacity, hand: 0 }
    }

    /// Takes the addresses out of a response. `time` is when it was captured.
    pub fn learn(&mut self, message: &Message<'_>, time: i64) {
        let mut name: Option<Arc<str>> = None;
        for (owner, address, ttl) in message.resolved() {
            // One response has one question, so one name.
            let name = name.get_or_insert_with(|| {
                let mut text = owner.to_string();
                text.make_ascii_lowercase();
                text.into()
            });
            self.insert(address, Arc::clone(name), ttl, time);
        }
    }

    /// Remembers a name for an address; a later answer takes the place of an earlier one. `ttl` is in seconds.
    pub fn insert(&mut self, address: IpAddr, name: Arc<str>, ttl: u32, time: i64) {
        let kept = (i64::from(ttl) * 1_000_000).clamp(LEAST_TTL_US, MOST_TTL_US);
        let expires = time.saturating_add(kept);
        if let Some(place) = self.places.get(&address) {
            let entry = &mut self.entries[*place as usize];
            entry.name = name;
            entry.expires = expires;
            return;
        }
        let entry = Entry { address, name, expires, used: false };
        if self.entries.len() < self.capacity {
            self.places.insert(address, self.entries.len() as u32);
            self.entries.push(entry);
            return;
        }
        // Twice around at most: the first time takes all marks away.
        loop {
            let old = &mut self.entries[self.hand];
            if old.used && old.expires >= time {
                old.used = false;
                self.hand = (self.hand + 1) % self.capacity;
                continue;
            }
            self.places.remove(&old.address);
            self.places.insert(address, self.hand as u32);
            *old = entry;
            self.hand = (self.hand + 1) % self.capacity;
            return;
        }
    }

    /// The name of an address, if an answer for it still holds at `time`.
    pub fn get(&mut self, address: IpAddr, time: i64) -> Option<&Arc<str>> {
        let place = *self.places.get(&address)?;
        let entry = &mut self.entries[place as usize];
        if entry.expires < time {
            return None;
        }
        entry.used = true;
        Some(&entry.name)
    }

    /// Addresses in it, with those whose time has passed.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
