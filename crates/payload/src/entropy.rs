//! Shannon entropy of a run of octets.

use std::sync::LazyLock;

/// Fractional bits of the fixed-point sums. With at most 65,535 octets a sum stays below 2^20 · 2^40.
const FRACTION_BITS: u32 = 40;

/// Runs up to this length find every step of the sum in a table.
const TABLE: usize = 512;

/// `TERMS[c] = c · log2(c)` in fixed point.
static TERMS: LazyLock<[u64; TABLE + 1]> =
    LazyLock::new(|| std::array::from_fn(|count| term(count as u64)));

/// `STEPS[c] = (c + 1) · log2(c + 1) − c · log2(c)` in fixed point: what the sum grows by when a count goes from `c` to `c + 1`.
static STEPS: LazyLock<[u64; TABLE]> =
    LazyLock::new(|| std::array::from_fn(|count| TERMS[count + 1] - TERMS[count]));

fn term(count: u64) -> u64 {
    if count < 2 {
        return 0;
    }
    let count = count as f64;
    (count * count.log2() * (1u64 << FRACTION_BITS) as f64).round() as u64
}

/// Entropy of `octets`: bits per octet × 256/8, truncated, at most 255; 0 of nothing.
///
/// `H = log2(n) − (Σ c·log2 c) / n` over the counts `c` of the octet values.
pub fn entropy(octets: &[u8]) -> u8 {
    if octets.len() > TABLE {
        let mut histogram = Histogram::default();
        histogram.add(octets);
        return histogram.entropy();
    }
    // Small counters are cleared sooner, and most runs are short.
    let sum = if octets.len() <= usize::from(u8::MAX) {
        sum_of_steps::<u8>(octets)
    } else {
        sum_of_steps::<u16>(octets)
    };
    scale(octets.len() as u64, TERMS[octets.len()], sum)
}

/// Σ c·log2 c over the counts of the octets, step by step as they grow. At most [`TABLE`] octets, and no more than `C` counts.
fn sum_of_steps<C: Copy + Default + Into<usize> + std::ops::AddAssign<C> + From<bool>>(
    octets: &[u8],
) -> u64 {
    let steps = &*STEPS;
    let mut counts = [C::default(); 256];
    let (mut even, mut odd) = (0, 0);
    let mut step = |octet: u8| {
        let count = &mut counts[usize::from(octet)];
        // No count can reach the length of the run before the last octet, so the mask never bites.
        let step = steps[(*count).into() & (TABLE - 1)];
        *count += C::from(true);
        step
    };
    // Eight octets to a load, two sums side by side: the additions wait for each other less.
    let (words, rest) = octets.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        for pair in 0..4 {
            even += step((word >> (16 * pair)) as u8);
            odd += step((word >> (16 * pair + 8)) as u8);
        }
    }
    even + odd + rest.iter().map(|octet| step(*octet)).sum::<u64>()
}

/// `(n·log2 n − Σ c·log2 c) / n × 32`, truncated.
fn scale(total: u64, whole: u64, sum: u64) -> u8 {
    if total == 0 {
        return 0;
    }
    // Rounded table entries put a sum that is exact in theory a hair to either side; truncation must not see that.
    let slack = 256 + total;
    let difference = (whole + slack).saturating_sub(sum);
    let scaled = (u128::from(difference) * 32 / u128::from(total)) >> FRACTION_BITS;
    u8::try_from(scaled).unwrap_or(u8::MAX)
}

/// Counts of octet values, for runs that come in pieces. At most 65,535 octets.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u16; 256],
    total: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; 256], total: 0 }
    }
}

impl Histogram {
    /// Counts further octets; those beyond 65,535 in all are left out.
    pub fn add(&mut self, octets: &[u8]) {
        let room = usize::from(u16::MAX) - self.total as usize;
        let octets = &octets[..octets.len().min(room)];
        for octet in octets {
            self.counts[usize::from(*octet)] += 1;
        }
        self.total += octets.len() as u32;
    }

    /// How many octets were counted.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Their entropy, on the scale of [`entropy`].
    pub fn entropy(&self) -> u8 {
        let of = |count: u64| match TERMS.get(count as usize) {
            Some(term) => *term,
            None => term(count),
        };
        let sum = self.counts.iter().map(|count| of(u64::from(*count))).sum();
        scale(u64::from(self.total), of(u64::from(self.total)), sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reference(octets: &[u8]) -> f64 {
        let total = octets.len() as f64;
        let mut counts = [0u32; 256];
        octets.iter().for_each(|octet| counts[usize::from(*octet)] += 1);
        counts
            .iter()
            .filter(|count| **count > 0)
            .map(|count| f64::from(*count) / total)
            .map(|p| -p * p.log2())
            .sum::<f64>()
            * 32.0
    }

    #[test]
    fn whole_bits_are_exact() {
        let cycle = |values: usize, length: usize| {
            (0..length).map(|i| (i % values) as u8).collect::<Vec<_>>()
        };
        for (octets, expected) in [
            (vec![], 0),
            (vec![7], 0),
            (vec![7; 500], 0),
            (cycle(2, 12), 32),
            (cycle(4, 12), 64),
            (cycle(8, 24), 96),
            (cycle(16, 500 - 500 % 16), 128),
            (cycle(128, 384), 224),
            (cycle(256, 512), 255),
            (cycle(256, 65_280), 255),
        ] {
            assert_eq!(entropy(&octets), expected, "{} octets", octets.len());
        }
    }

    proptest! {
        #[test]
        fn agrees_with_floating_point(octets in proptest::collection::vec(any::<u8>().prop_map(|o| o & o.rotate_left(3)), 1..1500)) {
            let exact = reference(&octets);
            let ours = f64::from(entropy(&octets));
            let mut pieces = Histogram::default();
            octets.chunks(7).for_each(|chunk| pieces.add(chunk));
            prop_assert_eq!(pieces.entropy(), entropy(&octets));
            // Truncated, unless the exact value is within rounding of the next whole number.
            prop_assert!(ours <= exact + 1e-6 && exact < ours + 1.0 + 1e-6 || ours == 255.0, "{ours} {exact}");
        }
    }
}
