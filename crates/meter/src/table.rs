//! Hash table from flow keys to slab slots: open addressing, linear probing, no tombstones.
//!
//! An entry is 32 bits of the hash and a slot number, eight octets in all, so that eight fit a cache line and growing needs
//! no look at the flows. Deletion shifts the entries behind back (Knuth 6.4, algorithm R).

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Table {
    /// `hash << 32 | slot + 1`, or 0.
    entries: Vec<u64>,
    mask: usize,
    used: usize,
}

const FIRST_SIZE: usize = 1 << 12;

impl Table {
    pub(crate) fn new() -> Self {
        Self { entries: vec![0; FIRST_SIZE], mask: FIRST_SIZE - 1, used: 0 }
    }

    /// Octets held.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<u64>()
    }

    /// The first slot from the hash's place on for which `is_it` holds; entries with another hash are not asked about.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = hash as u32;
        let mut place = tag as usize & self.mask;
        loop {
            let entry = self.entries[place];
            if entry == 0 {
                return None;
            }
            if (entry >> 32) as u32 == tag {
                let slot = entry as u32 - 1;
                if is_it(slot) {
                    return Some(slot);
                }
            }
            place = (place + 1) & self.mask;
        }
    }

    /// The entry at the hash's place, whatever it is: loads that wait for nothing, before [`Self::guess`] branches on them.
    #[inline(always)]
    pub(crate) fn warm(&self, hash: u64) -> u64 {
        self.entries[hash as u32 as usize & self.mask]
    }

    /// The first slot with this hash, or [`NONE`]: a guess, to be checked.
    #[inline(always)]
    pub(crate) fn guess(&self, hash: u64) -> u32 {
        self.find(hash, |_| true).unwrap_or(NONE)
    }

    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        // Half full at most: probes stay within a cache line or two.
        if (self.used + 1) * 2 > self.entries.len() {
            self.grow();
        }
        self.used += 1;
        self.place(u64::from(hash as u32) << 32 | u64::from(slot + 1));
    }

    #[inline]
    fn place(&mut self, entry: u64) {
        let mut place = (entry >> 32) as usize & self.mask;
        while self.entries[place] != 0 {
            place = (place + 1) & self.mask;
        }
        self.entries[place] = entry;
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.entries);
        self.entries = vec![0; old.len() * 2];
        self.mask = self.entries.len() - 1;
        for entry in old.into_iter().filter(|entry| *entry != 0) {
            self.place(entry);
        }
    }

    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let wanted = u64::from(hash as u32) << 32 | u64::from(slot + 1);
        let mut hole = hash as u32 as usize & self.mask;
        loop {
            match self.entries[hole] {
                0 => return,
                entry if entry == wanted => break,
                _ => hole = (hole + 1) & self.mask,
            }
        }
        self.used -= 1;
        let mut place = hole;
        loop {
            place = (place + 1) & self.mask;
            let entry = self.entries[place];
            if entry == 0 {
                break;
            }
            let home = (entry >> 32) as usize & self.mask;
            // It may move to the hole unless its home lies behind the hole.
            if place.wrapping_sub(home) & self.mask >= place.wrapping_sub(hole) & self.mask {
                self.entries[hole] = entry;
                hole = place;
            }
        }
        self.entries[hole] = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Hashes of few distinct values make long probe chains that wrap around.
        #[test]
        fn behaves_as_a_map(steps in proptest::collection::vec((any::<bool>(), 0u64..400), 1..3000)) {
            let mut table = Table::new();
            let mut model = HashMap::new();
            let hash = |key: u64| (key % 7) * 0x9e37 + (FIRST_SIZE as u64 - 3);
            for (insert, key) in steps {
                let slot = key as u32;
                if insert {
                    if model.insert(slot, hash(key)).is_none() {
                        table.insert(hash(key), slot);
                    }
                } else if let Some(hash) = model.remove(&slot) {
                    table.remove(hash, slot);
                }
                prop_assert_eq!(table.used, model.len());
            }
            for key in 0..400 {
                let found = table.find(hash(key), |slot| slot == key as u32);
                prop_assert_eq!(found, model.contains_key(&(key as u32)).then_some(key as u32));
            }
        }
    }

    #[test]
    fn grows_and_finds_all() {
        let mut table = Table::new();
        let hash = |slot: u32| u64::from(slot).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 13;
        for slot in 0..100_000 {
            table.insert(hash(slot), slot);
        }
        for slot in (0..100_000).step_by(3) {
            table.remove(hash(slot), slot);
        }
        for slot in 0..100_000 {
            assert_eq!(table.find(hash(slot), |s| s == slot).is_some(), slot % 3 != 0);
        }
    }
}
