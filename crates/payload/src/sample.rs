//! The first payload octets of many directions at once, in little memory.
//!
//! A direction whose first packet already fills the sample never comes here. Others are kept as octets, in slots of 64 to
//! 512; a longer sample becomes a histogram, which has 512 octets as well. So a flow costs what it sent, not a kilobyte
//! (the histogram of counts that YAF-like meters hold for each direction).

use crate::entropy::{Histogram, entropy};

/// Octets of a slot in each class; samples longer than the largest are histograms.
const CLASSES: [usize; 4] = [64, 128, 256, 512];

/// Slots that a class grows by.
const CHUNK_SLOTS: usize = 256;

/// A direction's sample: which slot, and how many octets of payload were seen for it.
///
/// Eight octets; `Default` is a sample that has seen nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Slot number in its class plus 1; 0 for none.
    slot: u32,
    length: u16,
    class: u8,
    /// The value, once the sample is full; what [`SampleStore::finish`] returns then.
    entropy: u8,
}

#[derive(Debug, Default)]
struct Class {
    chunks: Vec<Vec<u8>>,
    free: Vec<u32>,
    used: u32,
}

/// Where samples live that are not full yet.
#[derive(Debug)]
pub struct SampleStore {
    limit: usize,
    classes: [Class; CLASSES.len()],
    histograms: Vec<Histogram>,
    free_histograms: Vec<u32>,
}

const HISTOGRAM: u8 = CLASSES.len() as u8;

impl SampleStore {
    /// A store for samples of at most `limit` octets each; 0 takes none.
    pub fn new(limit: u16) -> Self {
        Self {
            limit: usize::from(limit),
            classes: Default::default(),
            histograms: Vec::new(),
            free_histograms: Vec::new(),
        }
    }

    /// Whether further octets would be taken.
    #[inline(always)]
    pub fn wants(&self, sample: &Sample) -> bool {
        usize::from(sample.length) < self.limit
    }

    /// Octets that the sample still takes.
    #[inline]
    pub fn room(&self, sample: &Sample) -> usize {
        self.limit.saturating_sub(usize::from(sample.length))
    }

    /// Adds the next octets of the direction; those beyond the limit are left out.
    pub fn add(&mut self, sample: &mut Sample, octets: &[u8]) {
        let length = usize::from(sample.length);
        let octets = &octets[..octets.len().min(self.limit.saturating_sub(length))];
        if octets.is_empty() {
            return;
        }
        let total = length + octets.len();
        if total == self.limit && length == 0 {
            sample.entropy = entropy(octets);
            sample.length = total as u16;
            return;
        }
        if total == self.limit && sample.class != HISTOGRAM && total <= CLASSES[CLASSES.len() - 1] {
            // The last piece never needs a larger slot: both pieces are put together here.
            let mut whole = [0; CLASSES[CLASSES.len() - 1]];
            whole[..length].copy_from_slice(&self.slot(sample)[..length]);
            whole[length..total].copy_from_slice(octets);
            self.release(sample);
            sample.entropy = entropy(&whole[..total]);
            sample.length = total as u16;
            return;
        }
        self.make_room(sample, total);
        if sample.class == HISTOGRAM {
            self.histograms[sample.slot as usize - 1].add(octets);
            sample.length = total as u16;
            if total == self.limit {
                sample.entropy = self.histograms[sample.slot as usize - 1].entropy();
                self.release(sample);
            }
        } else {
            self.slot_mut(sample)[length..total].copy_from_slice(octets);
            sample.length = total as u16;
        }
    }

    /// Gives the memory back and returns the entropy of what was seen, on the scale of [`entropy`].
    pub fn finish(&mut self, sample: &mut Sample) -> u8 {
        if sample.slot == 0 {
            return sample.entropy;
        }
        let value = if sample.class == HISTOGRAM {
            self.histograms[sample.slot as usize - 1].entropy()
        } else {
            entropy(&self.slot(sample)[..usize::from(sample.length)])
        };
        self.release(sample);
        value
    }

    /// Octets of memory held.
    pub fn memory(&self) -> usize {
        let slots: usize = self
            .classes
            .iter()
            .map(|class| class.chunks.iter().map(Vec::capacity).sum::<usize>())
            .sum();
        slots + self.histograms.capacity() * size_of::<Histogram>()
    }

    fn make_room(&mut self, sample: &mut Sample, total: usize) {
        let fits = |class: usize| CLASSES.get(class).is_none_or(|octets| total <= *octets);
        let class = (0..=CLASSES.len()).find(|class| fits(*class)).unwrap_or(CLASSES.len());
        if sample.slot != 0 && class <= usize::from(sample.class) {
            return;
        }
        let mut moved = *sample;
        moved.class = class as u8;
        moved.slot = self.take(class);
        if sample.slot != 0 {
            let length = usize::from(sample.length);
            let mut octets = [0; CLASSES[CLASSES.len() - 1]];
            octets[..length].copy_from_slice(&self.slot(sample)[..length]);
            if moved.class == HISTOGRAM {
                self.histograms[moved.slot as usize - 1].add(&octets[..length]);
            } else {
                self.slot_mut(&moved)[..length].copy_from_slice(&octets[..length]);
            }
            self.release(sample);
        }
        *sample = moved;
    }

    /// A free slot of a class, as number plus 1.
    fn take(&mut self, class: usize) -> u32 {
        if class == CLASSES.len() {
            if let Some(slot) = self.free_histograms.pop() {
                self.histograms[slot as usize] = Histogram::default();
                return slot + 1;
            }
            self.histograms.push(Histogram::default());
            return self.histograms.len() as u32;
        }
        let octets = CLASSES[class];
        let class = &mut self.classes[class];
        if let Some(slot) = class.free.pop() {
            return slot + 1;
        }
        if class.used as usize == class.chunks.len() * CHUNK_SLOTS {
            class.chunks.push(vec![0; CHUNK_SLOTS * octets]);
        }
        class.used += 1;
        class.used
    }

    fn release(&mut self, sample: &mut Sample) {
        if sample.slot == 0 {
            return;
        }
        let slot = sample.slot - 1;
        match self.classes.get_mut(usize::from(sample.class)) {
            Some(class) => class.free.push(slot),
            None => self.free_histograms.push(slot),
        }
        sample.slot = 0;
    }

    fn slot(&self, sample: &Sample) -> &[u8] {
        let octets = CLASSES[usize::from(sample.class)];
        let slot = sample.slot as usize - 1;
        let start = slot % CHUNK_SLOTS * octets;
        &self.classes[usize::from(sample.class)].chunks[slot / CHUNK_SLOTS][start..start + octets]
    }

    fn slot_mut(&mut self, sample: &Sample) -> &mut [u8] {
        let octets = CLASSES[usize::from(sample.class)];
        let slot = sample.slot as usize - 1;
        let start = slot % CHUNK_SLOTS * octets;
        &mut self.classes[usize::from(sample.class)].chunks[slot / CHUNK_SLOTS]
            [start..start + octets]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_give_the_entropy_of_the_whole(
            limit in prop_oneof![Just(0u16), 1u16..40, Just(500), 480u16..600, 1000u16..3000],
            directions in proptest::collection::vec(
                proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..12), 1..6),
        ) {
            let mut store = SampleStore::new(limit);
            let mut samples = vec![Sample::default(); directions.len()];
            // Directions take turns, so that slots of one class are in use side by side.
            for turn in 0..12 {
                for (sample, pieces) in samples.iter_mut().zip(&directions) {
                    if let Some(piece) = pieces.get(turn) {
                        store.add(sample, piece);
                    }
                }
            }
            for (sample, pieces) in samples.iter_mut().zip(&directions) {
                let whole = pieces.concat();
                let seen = &whole[..whole.len().min(usize::from(limit))];
                prop_assert_eq!(usize::from(sample.length), seen.len());
                prop_assert_eq!(store.finish(sample), entropy(seen));
            }
            // Everything was given back: a second round finds free slots.
            for class in &store.classes {
                prop_assert_eq!(class.free.len(), class.used as usize);
            }
            prop_assert_eq!(store.free_histograms.len(), store.histograms.len());
        }
    }
}
