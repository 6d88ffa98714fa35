//! Timer wheel of one-second slots over flow slots.
//!
//! Lazy: a packet never touches it. A flow is entered once, for the second in which it would expire by what is known then;
//! when that second has passed, its real deadline is looked at, and it is entered again or expires. So it costs one entry a
//! flow and idle timeout, not one list operation a packet.

/// A place in the wheel: a slot of the slab and the serial number that tells a reused slot.
pub(crate) type Entry = (u32, u32);

const SECONDS: usize = 1 << 12;

#[derive(Debug)]
pub(crate) struct Wheel {
    slots: Vec<Vec<Entry>>,
    /// The first second that has not been looked at; `None` before the first tick.
    cursor: Option<i64>,
}

impl Wheel {
    pub(crate) fn new() -> Self {
        Self { slots: vec![Vec::new(); SECONDS], cursor: None }
    }

    /// Enters a flow for the second of its deadline; one that is too far ahead comes up for a look before.
    #[inline]
    pub(crate) fn arm(&mut self, deadline_secs: i64, entry: Entry) {
        let cursor = *self.cursor.get_or_insert(deadline_secs);
        let second = deadline_secs.clamp(cursor, cursor.saturating_add(SECONDS as i64 - 1));
        self.slots[second as usize & (SECONDS - 1)].push(entry);
    }

    /// Starts at this second, if it has not started.
    pub(crate) fn start(&mut self, second: i64) {
        self.cursor.get_or_insert(second);
    }

    /// Takes the entries of the next second before `now_secs`, if there is one with entries.
    pub(crate) fn next_before(&mut self, now_secs: i64) -> Option<Vec<Entry>> {
        let cursor = self.cursor.as_mut()?;
        let behind = now_secs.saturating_sub(*cursor);
        // One round visits every slot there is.
        for _ in 0..behind.clamp(0, SECONDS as i64) {
            let slot = &mut self.slots[*cursor as usize & (SECONDS - 1)];
            *cursor += 1;
            if !slot.is_empty() {
                return Some(std::mem::take(slot));
            }
        }
        *cursor = now_secs.max(*cursor);
        None
    }

    /// Gives an emptied list back for reuse.
    pub(crate) fn recycle(&mut self, second_before: i64, mut list: Vec<Entry>) {
        list.clear();
        let slot = &mut self.slots[second_before as usize & (SECONDS - 1)];
        if slot.is_empty() && slot.capacity() == 0 {
            *slot = list;
        }
    }

    /// Whether the clock was stepped back behind what has been looked at already.
    pub(crate) fn is_ahead_of(&self, now_secs: i64) -> bool {
        self.cursor.is_some_and(|cursor| cursor > now_secs)
    }

    /// The second that comes up next.
    pub(crate) fn cursor(&self) -> i64 {
        self.cursor.unwrap_or_default()
    }

    /// Takes everything out and starts anew at this second.
    pub(crate) fn restart(&mut self, second: i64) -> Vec<Entry> {
        self.cursor = Some(second);
        self.slots.iter_mut().flat_map(std::mem::take).collect()
    }
}
