//! Dictionaries: each distinct value has a number, in order of first appearance.
//!
//! The numbers do not depend on hashes, so files do not either. Hashes are seeded at random all the same: addresses and
//! sizes are chosen by whoever sends the packets, who must not be able to choose colliding ones.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use rockfish_flow::Address;

/// Distinct values that a dictionary may have; numbers fit in 16 bits, and one is left for "none".
pub(crate) const MAX_ENTRIES: usize = 65_535;

/// Keys looked up at a time.
const BATCH: usize = 32;

/// Set in slots that are not free.
const TAKEN: u64 = 1 << 16;

/// A value that can be looked up by its hash.
pub(crate) trait Key: Copy + Eq {
    /// Mixes the value with a secret.
    fn hash(&self, seed: &Seed) -> u32;
}

/// What hashes are mixed with.
#[derive(Clone, Copy)]
pub(crate) struct Seed(u64, u64);

impl Seed {
    fn new() -> Self {
        let word = || RandomState::new().build_hasher().finish();
        Self(word(), word() | 1)
    }

    /// Both halves of the 128-bit product, folded: every bit of either factor reaches every bit of the result.
    #[inline]
    fn mix(&self, high: u64, low: u64) -> u64 {
        let product = u128::from(high ^ self.0) * u128::from(low ^ self.1);
        product as u64 ^ (product >> 64) as u64
    }
}

impl Key for u64 {
    #[inline]
    fn hash(&self, seed: &Seed) -> u32 {
        (seed.mix(*self, 0) >> 16) as u32
    }
}

/// An address with its version, since IPv4 addresses look like some of IPv6.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressKey {
    high: u64,
    low: u64,
    version: u8,
}

impl AddressKey {
    #[inline]
    pub(crate) fn new(version: u8, address: &Address) -> Self {
        let whole = u128::from_ne_bytes(*address);
        Self { high: (whole >> 64) as u64, low: whole as u64, version }
    }

    pub(crate) fn version(&self) -> u8 {
        self.version
    }

    pub(crate) fn address(&self) -> Address {
        (u128::from(self.high) << 64 | u128::from(self.low)).to_ne_bytes()
    }
}

impl Key for AddressKey {
    #[inline]
    fn hash(&self, seed: &Seed) -> u32 {
        // A factor of nought would hide the other half, so each half is mixed by itself too.
        let first = seed.mix(self.high ^ u64::from(self.version), 0);
        (seed.mix(first, self.low) >> 16) as u32
    }
}

/// Numbers values by hashing them.
pub(crate) struct HashDictionary<K> {
    /// Hash in the upper half, [`TAKEN`] and the number in the lower; 0 is free.
    slots: Vec<u64>,
    keys: Vec<K>,
    seed: Seed,
}

impl<K: Key> HashDictionary<K> {
    pub(crate) fn new() -> Self {
        Self { slots: vec![0; 1024], keys: Vec::new(), seed: Seed::new() }
    }

    /// The values, by number.
    pub(crate) fn keys(&self) -> &[K] {
        &self.keys
    }

    /// Forgets all values; keeps the room.
    pub(crate) fn clear(&mut self) {
        self.slots.fill(0);
        self.keys.clear();
    }

    /// Numbers `keys`; false if there is no room for them all.
    pub(crate) fn number_all(&mut self, keys: &[K], numbers: &mut Vec<u16>) -> bool {
        numbers.clear();
        numbers.resize(keys.len(), 0);
        for (keys, numbers) in keys.chunks(BATCH).zip(numbers.chunks_mut(BATCH)) {
            // All slots are read before any is looked at: the table is larger than the nearest caches, and reads that wait for
            // nothing wait together.
            let mask = self.slots.len() - 1;
            let mut looks = [(0, 0); BATCH];
            for (look, key) in looks.iter_mut().zip(keys) {
                let hash = key.hash(&self.seed);
                *look = (hash, self.slots[hash as usize & mask]);
            }
            for ((number, key), (hash, slot)) in numbers.iter_mut().zip(keys).zip(looks) {
                let candidate = slot as u16;
                *number = if slot >> 32 == u64::from(hash)
                    && self.keys.get(usize::from(candidate)) == Some(key)
                {
                    candidate
                } else {
                    match self.number(*key) {
                        Some(number) => number,
                        None => return false,
                    }
                };
            }
        }
        true
    }

    /// The number of `key`, which is new if it is the count of those before; `None` if there is no room for it.
    #[inline]
    fn number(&mut self, key: K) -> Option<u16> {
        let hash = key.hash(&self.seed);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return self.insert(key, hash, at);
            }
            if (slot >> 32) as u32 == hash {
                let number = slot as u16;
                if self.keys[usize::from(number)] == key {
                    return Some(number);
                }
            }
            at = (at + 1) & mask;
        }
    }

    #[inline(never)]
    fn insert(&mut self, key: K, hash: u32, at: usize) -> Option<u16> {
        if self.keys.len() >= MAX_ENTRIES {
            return None;
        }
        let number = self.keys.len() as u16;
        self.keys.push(key);
        self.slots[at] = u64::from(hash) << 32 | TAKEN | u64::from(number);
        if 2 * self.keys.len() > self.slots.len() {
            self.grow();
        }
        Some(number)
    }

    fn grow(&mut self) {
        let mut slots = vec![0; 4 * self.slots.len()];
        let mask = slots.len() - 1;
        for slot in self.slots.iter().filter(|slot| **slot != 0) {
            let mut at = (slot >> 32) as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = *slot;
        }
        self.slots = slots;
    }
}

/// Numbers values below a bound by a table, the others by hashing.
pub(crate) struct NumberDictionary {
    /// Number + 1 of each small value, 0 if it has none.
    direct: Vec<u16>,
    hashed: HashDictionary<u64>,
    /// Number of each hashed value.
    hashed_numbers: Vec<u16>,
    values: Vec<u64>,
}

impl NumberDictionary {
    /// With a table for values below `bound`.
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            direct: vec![0; bound],
            hashed: HashDictionary::new(),
            hashed_numbers: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The values, by number.
    pub(crate) fn values(&self) -> &[u64] {
        &self.values
    }

    /// Forgets all values; keeps the room.
    pub(crate) fn clear(&mut self) {
        for value in &self.values {
            if let Some(number) = self.direct.get_mut(*value as usize) {
                *number = 0;
            }
        }
        if !self.hashed.keys().is_empty() {
            self.hashed.clear();
            self.hashed_numbers.clear();
        }
        self.values.clear();
    }

    /// Numbers `values`; false if there is no room for them all.
    #[inline]
    pub(crate) fn number_all(
        &mut self,
        values: impl ExactSizeIterator<Item = u64>,
        numbers: &mut Vec<u16>,
    ) -> bool {
        numbers.clear();
        numbers.resize(values.len(), 0);
        for (number, value) in numbers.iter_mut().zip(values) {
            match self.direct.get(value as usize) {
                Some(&of_value) if of_value > 0 => *number = of_value - 1,
                _ => match self.number_rare(value) {
                    Some(of_value) => *number = of_value,
                    None => return false,
                },
            }
        }
        true
    }

    /// The number of a value, which is new if it is the count of those before; `None` if there is no room for it.
    #[inline]
    pub(crate) fn number(&mut self, value: u64) -> Option<u16> {
        match self.direct.get(value as usize) {
            Some(&number) if number > 0 => Some(number - 1),
            _ => self.number_rare(value),
        }
    }

    /// That of a value which the table does not have.
    #[inline(never)]
    fn number_rare(&mut self, value: u64) -> Option<u16> {
        if let Some(slot) = self.direct.get_mut(value as usize) {
            if self.values.len() >= MAX_ENTRIES {
                return None;
            }
            self.values.push(value);
            *slot = self.values.len() as u16;
            return Some(*slot - 1);
        }
        let of_hashed = usize::from(self.hashed.number(value)?);
        if let Some(number) = self.hashed_numbers.get(of_hashed) {
            return Some(*number);
        }
        if self.values.len() >= MAX_ENTRIES {
            return None;
        }
        self.values.push(value);
        let number = self.values.len() as u16 - 1;
        self.hashed_numbers.push(number);
        Some(number)
    }
}

/// Numbers texts by looking them up.
#[derive(Default)]
pub(crate) struct TextDictionary {
    numbers: HashMap<Arc<[u8]>, u16>,
    texts: Vec<Arc<[u8]>>,
}

impl TextDictionary {
    /// Distinct texts.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The texts, by number.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().map(|text| &**text)
    }

    /// Forgets all texts.
    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
        self.texts.clear();
    }

    /// Numbers the texts that lie in line in `octets`; false if there is no room for them all.
    pub(crate) fn number_all(
        &mut self,
        octets: &[u8],
        lengths: &[u32],
        numbers: &mut Vec<u16>,
    ) -> bool {
        numbers.clear();
        let mut rest = octets;
        for length in lengths {
            let (text, after) = rest.split_at(*length as usize);
            rest = after;
            let number = match self.numbers.get(text) {
                Some(number) => *number,
                None if self.texts.len() >= MAX_ENTRIES => return false,
                None => {
                    let number = self.texts.len() as u16;
                    let text = Arc::<[u8]>::from(text);
                    self.numbers.insert(Arc::clone(&text), number);
                    self.texts.push(text);
                    number
                }
            };
            numbers.push(number);
        }
        true
    }
}
