//! Timer wheel of one-second slots over flow slots.
//!
//! Lazy: a packet never touches it. A flow is entered once, for the second in which it would expire by what is known then;
//! when that second has passed, its real deadline is looked at, and it is entered again or expires. So it costs one entry a
//! flow and idle timeout, not one list operation a packet.

/// A place in the wheel: a slot of the slab and the serial number that tells a reused slot.
pub(crate) type Entry = (u32, u32);

/// More than the default idle timeout, so that most flows come up once.
const SECONDS: usize = 1 << 9;
const WORDS: usize = SECONDS / 64;

/// A second's list whose room is kept for another second: more is given back.
const KEPT_ENTRIES: usize = 1 << 14;

#[derive(Debug)]
pub(crate) struct Wheel {
    slots: Vec<Vec<Entry>>,
    /// A bit for each slot that has entries: a clock that jumps passes over the others sixty-four at a time.
    occupied: [u64; WORDS],
    /// The first second that has not been looked at; `None` before the first tick.
    cursor: Option<i64>,
    entries: usize,
}

impl Wheel {
    pub(crate) fn new() -> Self {
        Self { slots: vec![Vec::new(); SECONDS], occupied: [0; WORDS], cursor: None, entries: 0 }
    }

    /// Enters a flow for the second of its deadline; one that is too far ahead comes up for a look before.
    #[inline]
    pub(crate) fn arm(&mut self, deadline_secs: i64, entry: Entry) {
        let cursor = *self.cursor.get_or_insert(deadline_secs);
        let second = deadline_secs.clamp(cursor, cursor.saturating_add(SECONDS as i64 - 1));
        let slot = second as usize & (SECONDS - 1);
        self.slots[slot].push(entry);
        self.entries += 1;
        self.occupied[slot / 64] |= 1 << (slot % 64);
    }

    /// Starts at this second, if it has not started.
    pub(crate) fn start(&mut self, second: i64) {
        self.cursor.get_or_insert(second);
    }

    /// Takes the entries of the next second before `now_secs`, if there is one with entries.
    pub(crate) fn next_before(&mut self, now_secs: i64) -> Option<Vec<Entry>> {
        // What is entered again must come after `now_secs`: a flow from before a step back may be due in years, and would
        // come up for a look once for each round that lies between.
        let cursor = self.cursor?.max(now_secs.saturating_sub(SECONDS as i64));
        let behind = now_secs.saturating_sub(cursor);
        if behind <= 0 {
            return None;
        }
        // One round visits every slot there is.
        match self.distance(cursor as usize & (SECONDS - 1)) {
            Some(distance) if (distance as i64) < behind => {
                let second = cursor.saturating_add(distance as i64);
                let slot = second as usize & (SECONDS - 1);
                self.cursor = Some(second.saturating_add(1));
                self.occupied[slot / 64] &= !(1 << (slot % 64));
                let taken = std::mem::take(&mut self.slots[slot]);
                self.entries -= taken.len();
                Some(taken)
            }
            _ => {
                self.cursor = Some(now_secs);
                None
            }
        }
    }

    /// Slots from this one on to the first that has entries, around the wheel.
    fn distance(&self, from: usize) -> Option<usize> {
        let (word, bit) = (from / 64, from % 64);
        let first = self.occupied[word] >> bit;
        if first != 0 {
            return Some(first.trailing_zeros() as usize);
        }
        for step in 1..=WORDS {
            let bits = self.occupied[(word + step) % WORDS];
            if bits != 0 {
                // Back at the first word, its lower bits are the end of the round.
                return Some(step * 64 - bit + bits.trailing_zeros() as usize)
                    .filter(|d| *d < SECONDS);
            }
        }
        None
    }

    /// Gives an emptied list back for reuse.
    pub(crate) fn recycle(&mut self, second_before: i64, mut list: Vec<Entry>) {
        list.clear();
        let slot = &mut self.slots[second_before as usize & (SECONDS - 1)];
        if slot.is_empty() && slot.capacity() == 0 && list.capacity() <= KEPT_ENTRIES {
            *slot = list;
        }
    }

    /// Whether the clock was stepped back behind what has been looked at already.
    pub(crate) fn is_ahead_of(&self, now_secs: i64) -> bool {
        self.cursor.is_some_and(|cursor| cursor > now_secs)
    }

    /// Entries, those of flows that have ended before their second among them.
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// Octets held.
    pub(crate) fn memory(&self) -> usize {
        self.slots.iter().map(|slot| slot.capacity() * size_of::<Entry>()).sum()
    }

    /// Drops the entries that `is_valid` does not know, and their room.
    pub(crate) fn retain(&mut self, is_valid: impl Fn(Entry) -> bool) {
        self.entries = 0;
        for (slot, list) in self.slots.iter_mut().enumerate() {
            list.retain(|entry| is_valid(*entry));
            list.shrink_to(list.len() + list.len() / 4);
            self.entries += list.len();
            if list.is_empty() {
                self.occupied[slot / 64] &= !(1 << (slot % 64));
            }
        }
    }

    /// The second that comes up next.
    pub(crate) fn cursor(&self) -> i64 {
        self.cursor.unwrap_or_default()
    }

    /// Takes everything out and starts anew at this second.
    pub(crate) fn restart(&mut self, second: i64) -> Vec<Entry> {
        self.cursor = Some(second);
        self.entries = 0;
        let occupied = std::mem::replace(&mut self.occupied, [0; WORDS]);
        let slots = self.slots.iter_mut().enumerate();
        let taken = slots.filter(|(slot, _)| occupied[slot / 64] >> (slot % 64) & 1 == 1);
        taken.flat_map(|(_, entries)| std::mem::take(entries)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every entry comes up once, in the first call after its second has passed, or for a look before if it is far ahead.
        #[test]
        fn entries_come_up_when_their_second_has_passed(
            steps in proptest::collection::vec((0i64..9000, 0i64..6000), 1..60),
        ) {
            let mut wheel = Wheel::new();
            let mut now = -5000;
            wheel.start(now);
            let mut waiting = std::collections::BTreeMap::new();
            for (serial, (ahead, step)) in steps.into_iter().enumerate() {
                wheel.arm(now + ahead, (7, serial as u32));
                waiting.insert(serial as u32, now + ahead);
                now += step;
                while let Some(entries) = wheel.next_before(now) {
                    for (_, serial) in entries {
                        let due = waiting[&serial];
                        if due < now {
                            waiting.remove(&serial);
                        } else {
                            wheel.arm(due, (7, serial));
                        }
                    }
                }
                prop_assert!(waiting.values().all(|due| *due >= now), "{waiting:?} at {now}");
            }
            prop_assert_eq!(wheel.restart(now).len(), waiting.len());
            prop_assert!(wheel.next_before(now + 10_000).is_none());
        }
    }

    #[test]
    fn a_leap_costs_one_look_at_each() {
        let mut wheel = Wheel::new();
        wheel.start(100);
        let far = 4_000_000_000;
        for slot in 0..10 {
            wheel.arm(far + i64::from(slot), (slot, 0));
        }
        let mut looks = 0;
        while let Some(entries) = wheel.next_before(far) {
            for entry in entries {
                looks += 1;
                wheel.arm(far + i64::from(entry.0), entry);
            }
        }
        assert_eq!((looks, wheel.cursor()), (10, far));
        for slot in 0..10 {
            let entries = wheel.next_before(far + i64::from(slot) + 1);
            assert_eq!(entries, Some(vec![(slot, 0)]), "each in its second");
        }
    }
}
