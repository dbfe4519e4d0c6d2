//! Histograms with fixed bounds, summed exactly in integers.

use serde::{Deserialize, Serialize};

/// Upper bounds of durations in milliseconds. 29 s is where API Gateway gives up by default
/// (Amazon API Gateway quotas, "Maximum integration timeout"), so it has a bound of its own.
pub const DURATION_MS_BOUNDS: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 15_000, 20_000, 25_000, 29_000, 30_000, 60_000,
    120_000, 300_000,
];

/// Upper bounds of token counts of one request.
pub const TOKEN_BOUNDS: [u64; 10] =
    [16, 64, 256, 1_024, 4_096, 16_384, 65_536, 200_000, 524_288, 1_048_576];

/// Counts of observed values by bound. The bounds are not stored: they belong to the field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Count of values up to each bound and above the one before; the last place is for values
    /// above every bound. Empty until the first value.
    pub buckets: Vec<u64>,
    /// Sum of all values, in the unit of the bounds.
    pub sum: u64,
}

impl Histogram {
    /// Adds `value`. `bounds` must be the same at every call for one histogram.
    pub fn observe<const BOUNDS: usize>(&mut self, bounds: &[u64; BOUNDS], value: u64) {
        if self.buckets.is_empty() {
            self.buckets = vec![0; bounds.len() + 1];
        }
        // Compares them all: where it ended would be a guess for the processor, mostly a wrong one.
        let place = bounds.iter().map(|&bound| usize::from(value > bound)).sum::<usize>();
        if let Some(bucket) = self.buckets.get_mut(place) {
            *bucket = bucket.saturating_add(1);
        }
        self.sum = self.sum.saturating_add(value);
    }

    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
        } else {
            for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
                *mine = mine.saturating_add(*theirs);
            }
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// Returns how many values were observed.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn merging_is_the_same_as_observing_everything(
            left in prop::collection::vec(0u64..2_000_000, 0..50),
            right in prop::collection::vec(0u64..2_000_000, 0..50),
        ) {
            let of = |values: &[u64]| {
                let mut histogram = Histogram::default();
                for &value in values { histogram.observe(&TOKEN_BOUNDS, value); }
                histogram
            };
            let mut merged = of(&left);
            merged.merge(&of(&right));
            let both: Vec<u64> = left.iter().chain(&right).copied().collect();
            prop_assert_eq!(merged.count(), both.len() as u64);
            prop_assert_eq!(merged, of(&both));
        }
    }

    #[test]
    fn a_value_on_a_bound_belongs_to_it() {
        let mut histogram = Histogram::default();
        histogram.observe(&DURATION_MS_BOUNDS, 29_000);
        histogram.observe(&DURATION_MS_BOUNDS, 300_001);
        assert_eq!(histogram.buckets.iter().position(|&count| count == 1), Some(11));
        assert_eq!(histogram.buckets.last(), Some(&1));
    }
}
