//! Numbers for flows of equal key and equal start.
//!
//! A flow id is made of key and start. Two flows can only share both if the first ended before any timeout and the second
//! began in the same microsecond or with a late packet. So flows that end early are remembered for as long as late packets
//! are taken, and only flows that begin late, or are found to have begun earlier, are looked up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rockfish_flow::Timestamp;
use rockfish_packet::{FlowKey, HashSeed};

/// A flow's key, start and count of clock steps, hashed under the table's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Namesake(u64);

impl Namesake {
    pub(crate) fn new(key: &FlowKey, start: Timestamp, steps_back: u16, seed: &HashSeed) -> Self {
        let place = (start.as_micros() as u64).wrapping_add(u64::from(steps_back) << 48);
        Self(seed.mix(key.hash(seed), place))
    }
}

/// Hashed already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

type Numbers = HashMap<Namesake, u16, BuildHasherDefault<AsItIs>>;

/// How many flows of each key and start have ended lately.
#[derive(Debug)]
pub(crate) struct Namesakes {
    recent: Numbers,
    older: Numbers,
    turned: Timestamp,
    keep_us: i64,
    most: usize,
}

impl Namesakes {
    /// Remembers for `keep_us` microseconds at least, or the latest `most` flows where these are more than that.
    pub(crate) fn new(keep_us: i64, most: usize) -> Self {
        let numbers = Numbers::default;
        Self { recent: numbers(), older: numbers(), turned: Timestamp::MIN, keep_us, most }
    }

    /// Octets held, about: a control octet for each place.
    pub(crate) fn memory(&self) -> usize {
        (self.recent.capacity() + self.older.capacity()) * (size_of::<(Namesake, u16)>() + 1)
    }

    /// The number of the next flow of this name.
    pub(crate) fn next(&self, name: Namesake) -> u16 {
        let number = |numbers: &Numbers| numbers.get(&name).copied().unwrap_or_default();
        number(&self.recent).max(number(&self.older))
    }

    /// The flow of this name with this number has ended.
    pub(crate) fn ended(&mut self, name: Namesake, number: u16) {
        if self.recent.len() >= self.most {
            self.turn();
        }
        let next = self.recent.entry(name).or_default();
        *next = number.saturating_add(1).max(*next);
    }

    fn turn(&mut self) {
        std::mem::swap(&mut self.older, &mut self.recent);
        self.recent.clear();
    }

    /// Forgets what is old enough.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        if now.micros_since(self.turned).saturating_abs() > self.keep_us {
            self.turn();
            self.turned = now;
        }
    }
}
