//! Sums by the minute their bucket starts, in order of time, in columns: a quarter of hours takes 60 KB.

use std::ops::Range;

use super::amount::Sums;
use crate::model::money::Usd;

/// Sums of one level of buckets. A bucket without calls takes no place.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Minutes since 1970.
    starts: Vec<u32>,
    /// The lower 64 bits of the cost in picodollars.
    cost: Vec<u64>,
    /// The upper ones: for rows of more than 18 million dollars.
    cost_high: Sparse,
    /// The halves of the part that is paid by time.
    standing: Sparse,
    standing_high: Sparse,
    tokens: Vec<u64>,
    unpriced: Sparse,
    calls: Vec<u64>,
}

/// A column that is mostly 0, and takes no place while it is.
#[derive(Clone, Debug, Default)]
struct Sparse(Vec<u64>);

impl Sparse {
    fn get(&self, place: usize) -> u64 {
        self.0.get(place).copied().unwrap_or(0)
    }

    fn insert(&mut self, place: usize) {
        if !self.0.is_empty() {
            self.0.insert(place, 0);
        }
    }

    fn set(&mut self, place: usize, value: u64, len: usize) {
        if value != 0 && self.0.is_empty() {
            self.0.resize(len, 0);
        }
        if let Some(held) = self.0.get_mut(place) {
            *held = value;
        }
    }

    fn cut(&mut self, count: usize) {
        if !self.0.is_empty() {
            self.0.drain(..count);
        }
    }

    fn slice(&self, range: Range<usize>) -> &[u64] {
        self.0.get(range).unwrap_or_default()
    }
}

impl Rows {
    /// Adds to the bucket that starts at `start`.
    pub(super) fn add(&mut self, start: u32, sums: &Sums) {
        let place = match self.starts.last() {
            Some(last) if *last == start => self.starts.len() - 1,
            Some(last) if *last > start => self.starts.partition_point(|known| *known < start),
            _ => self.starts.len(),
        };
        if self.starts.get(place) != Some(&start) {
            self.starts.insert(place, start);
            self.cost.insert(place, 0);
            self.cost_high.insert(place);
            self.standing.insert(place);
            self.standing_high.insert(place);
            self.tokens.insert(place, 0);
            self.unpriced.insert(place);
            self.calls.insert(place, 0);
        }
        let total = self.get(place) + *sums;
        self.set(place, &total);
    }

    fn get(&self, place: usize) -> Sums {
        let of = |column: &[u64]| column.get(place).copied().unwrap_or(0);
        Sums {
            cost: Usd(wide(self.cost_high.get(place), of(&self.cost))),
            standing: Usd(wide(self.standing_high.get(place), self.standing.get(place))),
            tokens: of(&self.tokens),
            unpriced_tokens: self.unpriced.get(place),
            calls: of(&self.calls),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the column has the lower half")]
    #[expect(clippy::cast_sign_loss, reason = "both halves keep the bits, sign included")]
    fn set(&mut self, place: usize, total: &Sums) {
        let len = self.starts.len();
        let columns = [
            (&mut self.cost, total.cost.0 as u64),
            (&mut self.tokens, total.tokens),
            (&mut self.calls, total.calls),
        ];
        for (column, value) in columns {
            if let Some(held) = column.get_mut(place) {
                *held = value;
            }
        }
        self.cost_high.set(place, (total.cost.0 >> 64) as u64, len);
        self.standing.set(place, total.standing.0 as u64, len);
        self.standing_high.set(place, (total.standing.0 >> 64) as u64, len);
        self.unpriced.set(place, total.unpriced_tokens, len);
    }

    /// Returns the places of the buckets that start in `from..to`.
    fn places(&self, from: u32, to: u32) -> Range<usize> {
        let begin = self.starts.partition_point(|start| *start < from);
        let end = self.starts.partition_point(|start| *start < to);
        begin..end.max(begin)
    }

    /// Returns the sum of the buckets that start in `from..to`.
    pub(super) fn sum(&self, from: u32, to: u32) -> Sums {
        let places = self.places(from, to);
        let of = |column: &[u64]| -> u128 {
            let slice = column.get(places.clone()).unwrap_or_default();
            slice.iter().copied().map(u128::from).sum()
        };
        let count = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
        let high_of = |column: &Sparse| -> i128 {
            column.slice(places.clone()).iter().map(|high| wide(*high, 0)).sum()
        };
        let (high, standing_high) = (high_of(&self.cost_high), high_of(&self.standing_high));
        Sums {
            cost: Usd(high.saturating_add_unsigned(of(&self.cost))),
            standing: Usd(standing_high.saturating_add_unsigned(of(&self.standing.0))),
            tokens: count(of(&self.tokens)),
            unpriced_tokens: count(of(&self.unpriced.0)),
            calls: count(of(&self.calls)),
        }
    }

    /// Iterates over the buckets that start in `from..to`, in order.
    pub(super) fn iter(&self, from: u32, to: u32) -> impl Iterator<Item = (u32, Sums)> + '_ {
        let places = self.places(from, to);
        let starts = self.starts.get(places.clone()).unwrap_or_default();
        places.zip(starts).map(|(place, start)| (*start, self.get(place)))
    }

    /// Removes the buckets that start before `from`.
    pub(super) fn cut(&mut self, from: u32) {
        let count = self.places(0, from).len();
        if count > 0 {
            self.starts.drain(..count);
            self.cost.drain(..count);
            self.cost_high.cut(count);
            self.standing.cut(count);
            self.standing_high.cut(count);
            self.tokens.drain(..count);
            self.unpriced.cut(count);
            self.calls.drain(..count);
        }
    }

    /// Returns the start of the first bucket that starts in `from..to`.
    pub(super) fn first(&self, from: u32, to: u32) -> Option<u32> {
        self.starts.get(self.places(from, to))?.first().copied()
    }

    /// Returns the start of the first bucket that starts in `from..to` and holds more than what time
    /// alone costs.
    pub(super) fn first_of_calls(&self, from: u32, to: u32) -> Option<u32> {
        if self.standing.0.is_empty() && self.standing_high.0.is_empty() {
            return self.first(from, to);
        }
        let is_of_calls = |sums: &Sums| {
            *sums != Sums { cost: sums.standing, standing: sums.standing, ..Sums::default() }
        };
        self.iter(from, to).find(|(_, sums)| is_of_calls(sums)).map(|(start, _)| start)
    }

    /// Returns the start of the last bucket.
    pub(super) fn last(&self) -> Option<u32> {
        self.starts.last().copied()
    }
}

/// Puts the halves of a number together.
#[expect(clippy::cast_possible_wrap, reason = "the upper half has the sign")]
fn wide(high: u64, low: u64) -> i128 {
    (i128::from(high as i64) << 64) | i128::from(low)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::budget::tests::any_sums;
    use proptest::prelude::*;

    proptest! {
        /// Rows are a map by start, in whatever order they come.
        #[test]
        fn rows_are_a_map_of_sums(
            added in proptest::collection::vec((0u32..40, any_sums()), 0..60),
            cut in 0u32..20,
            from in 0u32..40,
            to in 0u32..40,
        ) {
            let mut rows = Rows::default();
            let mut map: BTreeMap<u32, Sums> = BTreeMap::new();
            for (start, sums) in &added {
                rows.add(*start, sums);
                *map.entry(*start).or_default() += *sums;
            }
            rows.cut(cut);
            map.retain(|start, _| *start >= cut);
            prop_assert_eq!(rows.last(), map.keys().last().copied());
            let (from, to) = (from.min(to), to);
            let wanted: Vec<_> = map.range(from..to).map(|(start, sums)| (*start, *sums)).collect();
            prop_assert_eq!(rows.first(from, to), wanted.first().map(|(start, _)| *start));
            prop_assert_eq!(rows.sum(from, to), wanted.iter().map(|(_, sums)| *sums).sum());
            prop_assert_eq!(rows.iter(from, to).collect::<Vec<_>>(), wanted);
        }
    }
}
