//! Octets that come in pieces, in any order, put together from the first one on.

use std::mem::size_of;

/// Pieces with gaps between them that are kept apart. More are refused: no stack sends a hello in so many.
const MOST_RUNS: usize = 32;

/// A bounded stretch of a stream. Where pieces overlap, the octets that came first stay.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    octets: Vec<u8>,
    /// What is there: from and to, sorted, never touching one another.
    runs: Vec<(u32, u32)>,
}

impl Assembler {
    /// Octets that one holds at most.
    pub(crate) const LIMIT: usize = 16 << 10;

    /// Adds a piece; what lies beyond the limit is left out.
    pub(crate) fn insert(&mut self, offset: usize, piece: &[u8]) {
        let end = (offset.saturating_add(piece.len())).min(Self::LIMIT);
        if offset >= end {
            return;
        }
        let (from, to) = (offset as u32, end as u32);
        // The runs that the piece touches become one with it.
        let first = self.runs.partition_point(|run| run.1 < from);
        let last = self.runs.partition_point(|run| run.0 <= to);
        if first == last && self.runs.len() >= MOST_RUNS {
            return;
        }
        if self.octets.len() < end {
            if self.octets.capacity() < end {
                self.octets.reserve_exact(end - self.octets.len());
            }
            self.octets.resize(end, 0);
        }
        let mut gap = from;
        for run in first..=last {
            let (run_from, run_to) = match self.runs.get(run) {
                Some(run) if run.0 < to => *run,
                _ => (to, to),
            };
            if gap < run_from {
                let (gap, until) = (gap as usize, run_from as usize);
                self.octets[gap..until].copy_from_slice(&piece[gap - offset..until - offset]);
            }
            gap = gap.max(run_to);
            if gap >= to {
                break;
            }
        }
        let merged = self.runs[first..last]
            .iter()
            .fold((from, to), |whole, run| (whole.0.min(run.0), whole.1.max(run.1)));
        self.runs.splice(first..last, [merged]);
    }

    /// The octets from the first one up to the first gap.
    pub(crate) fn ready(&self) -> &[u8] {
        match self.runs.first() {
            Some((0, to)) => self.octets.get(..*to as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Forgets so many octets at the front, which must be ready.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.ready().len());
        self.octets.drain(..count);
        let count = count as u32;
        for run in &mut self.runs {
            *run = (run.0.saturating_sub(count), run.1 - count);
        }
        self.runs.retain(|run| run.0 < run.1);
    }

    /// Makes room for octets before the first one; false, and empty, if that is more than it may hold.
    pub(crate) fn prepend_room(&mut self, count: usize) -> bool {
        if count.saturating_add(self.octets.len()) > Self::LIMIT {
            *self = Self::default();
            return false;
        }
        self.octets.splice(..0, std::iter::repeat_n(0, count));
        let count = count as u32;
        for run in &mut self.runs {
            *run = (run.0 + count, run.1 + count);
        }
        true
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Octets of memory that it keeps beside itself.
    pub(crate) fn memory(&self) -> usize {
        self.octets.capacity() + self.runs.capacity() * size_of::<(u32, u32)>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a plain model: which octets are known, the first to come wins.
        #[test]
        fn like_a_map(pieces in prop::collection::vec((0usize..200, 0usize..60), 0..40), eaten in 0usize..80) {
            let mut assembler = Assembler::default();
            let mut model = vec![None; 400];
            for (number, (offset, length)) in pieces.iter().enumerate() {
                if model.iter().flatten().count() > 0 && assembler.runs.len() >= MOST_RUNS {
                    break;
                }
                assembler.insert(*offset, &vec![number as u8; *length]);
                for place in &mut model[*offset..offset + length] {
                    place.get_or_insert(number as u8);
                }
            }
            let ready: Vec<u8> = model.iter().map_while(|octet| *octet).collect();
            prop_assert_eq!(assembler.ready(), &ready[..]);
            let eaten = eaten.min(ready.len());
            assembler.consume(eaten);
            prop_assert_eq!(assembler.ready(), &ready[eaten..]);
            assembler.insert(ready.len() - eaten, &[9; 400]);
            let whole: Vec<u8> = model.iter().map(|octet| octet.unwrap_or(9)).collect();
            prop_assert_eq!(&assembler.ready()[..whole.len() - eaten], &whole[eaten..]);
        }
    }

    #[test]
    fn room_in_front() {
        let mut assembler = Assembler::default();
        assembler.insert(0, b"lo");
        assert!(assembler.prepend_room(3));
        assert_eq!(assembler.ready(), b"");
        assembler.insert(0, b"helXX");
        assert_eq!(assembler.ready(), b"hello");
        assert!(!assembler.prepend_room(Assembler::LIMIT));
    }

    #[test]
    fn bounded() {
        let mut assembler = Assembler::default();
        assembler.insert(usize::MAX, b"x");
        for offset in (0..Assembler::LIMIT * 2).step_by(2) {
            assembler.insert(offset, b"x");
        }
        assert!(assembler.memory() <= Assembler::LIMIT + 1024);
        assembler.insert(0, &vec![1; 70_000]);
        assert_eq!(assembler.ready().len(), Assembler::LIMIT);
    }
}
