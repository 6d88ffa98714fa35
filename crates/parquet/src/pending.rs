//! Records that are not written yet, and their order.

use rockfish_flow::FlowRecord;
use rockfish_schema::FlowIdNamespace;

/// Records in the chunks they came in.
#[derive(Default)]
pub(crate) struct Pending {
    chunks: Vec<Vec<FlowRecord>>,
    rows: usize,
}

impl Pending {
    pub(crate) fn push(&mut self, records: Vec<FlowRecord>) {
        self.rows += records.len();
        if !records.is_empty() {
            self.chunks.push(records);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// All records, by (`stime`, `flowid`).
    pub(crate) fn sorted(&self, namespace: &FlowIdNamespace) -> Vec<&FlowRecord> {
        let records = self.chunks.iter().flatten().collect::<Vec<_>>();
        let starts = records.iter().map(|record| record.start.as_micros()).collect::<Vec<_>>();
        let order = order(&starts);
        let mut sorted = order.iter().map(|(_, place)| records[*place]).collect::<Vec<_>>();
        drop(records);
        let mut done = 0;
        for equal in order.chunk_by(|a, b| a.0 == b.0) {
            let ties = &mut sorted[done..done + equal.len()];
            done += equal.len();
            if ties.len() > 1 {
                // Captures with coarse clocks have long runs of these, so each id is made once.
                ties.sort_by_cached_key(|record| namespace.id(record));
            }
        }
        sorted
    }

    /// Keeps these records of its own, in this order, and forgets the others.
    pub(crate) fn keep(&mut self, rest: Vec<FlowRecord>) {
        self.chunks.clear();
        self.rows = 0;
        self.push(rest);
    }
}

/// Starts and their places, by start.
fn order(starts: &[i64]) -> Vec<(i64, usize)> {
    let (Some(first), Some(last)) = (starts.iter().min(), starts.iter().max()) else {
        return Vec::new();
    };
    // Time and place fit in one word, unless the times are years apart. Words sort twice as quickly.
    let place_bits = usize::BITS - starts.len().leading_zeros();
    if last.abs_diff(*first).leading_zeros() < place_bits {
        let mut order = starts.iter().copied().zip(0..).collect::<Vec<_>>();
        order.sort_unstable();
        return order;
    }
    let mut words = starts
        .iter()
        .zip(0_u64..)
        .map(|(start, place)| start.abs_diff(*first) << place_bits | place)
        .collect::<Vec<_>>();
    words.sort_unstable();
    let mask = (1_u64 << place_bits) - 1;
    words
        .into_iter()
        .map(|word| (first.wrapping_add_unsigned(word >> place_bits), (word & mask) as usize))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_is_by_start_then_place(
            near in proptest::collection::vec(0_i64..50, 0..200),
            far in proptest::collection::vec(any::<i64>(), 0..50),
        ) {
            for starts in [near.clone(), far.clone(), [near, far].concat()] {
                let mut expected = starts.iter().copied().zip(0..).collect::<Vec<(i64, usize)>>();
                expected.sort();
                prop_assert_eq!(order(&starts), expected);
            }
        }
    }
}
