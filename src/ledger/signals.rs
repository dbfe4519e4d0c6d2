//! Sums of signals: what each family adds up to by its labels, and the part of it that history keeps.
//!
//! They stand beside the sums of calls and never touch them. The number of combinations is capped like
//! that of series; beyond the cap a family folds into one combination of `other`.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::delta::Delta;
use crate::model::names::Capped;
use crate::model::series::LABEL_CHARS_MAX;
use crate::model::signal::{Measure, Signal, SignalKey};
use crate::model::time::UnixMillis;

/// Number of a combination of labels of signals in one ledger, counted up from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignalId(pub u32);

/// Sums over the values of one combination. Adding two is exact, commutative and associative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// How many are up to each bound and above the one before, if the family has bounds.
    pub buckets: Vec<u64>,
    /// The latest value, and when it was; of two at one time the larger.
    pub latest: (UnixMillis, u64),
    /// The largest value.
    pub largest: u64,
}

/// Sums over the values of one combination in one time bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalRow {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

impl Tally {
    /// Adds `count` values that sum to `value`, of the time `at`.
    pub fn observe(&mut self, signal: Signal, at: UnixMillis, count: u64, value: u64) {
        self.count = self.count.saturating_add(count);
        self.sum = self.sum.saturating_add(value);
        self.latest = self.latest.max((at, value));
        self.largest = self.largest.max(value);
        if let Measure::Histogram(bounds) = signal.measure() {
            self.buckets.resize(bounds.len() + 1, 0);
            let place = bounds.iter().take_while(|&&bound| value > bound).count();
            if let Some(bucket) = self.buckets.get_mut(place) {
                *bucket = bucket.saturating_add(count);
            }
        }
    }

    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.latest = self.latest.max(other.latest);
        self.largest = self.largest.max(other.largest);
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine = mine.saturating_add(*theirs);
        }
    }

    /// Returns what history keeps.
    pub fn row(&self) -> SignalRow {
        SignalRow { count: self.count, sum: self.sum }
    }
}

impl SignalRow {
    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// Every combination by number and by labels, with its totals.
#[derive(Debug, Default)]
pub(super) struct Signals {
    keys: Vec<Arc<SignalKey>>,
    ids: HashMap<Arc<SignalKey>, SignalId, foldhash::fast::FixedState>,
    totals: Vec<Arc<Tally>>,
}

impl Signals {
    /// Returns the combination in which `count` values of `wanted` are counted. A new one and what the
    /// cap did are written into `delta`.
    pub(super) fn find(
        &mut self,
        wanted: &SignalKey,
        max: usize,
        count: u64,
        delta: &mut Delta,
    ) -> SignalId {
        if let Some(&id) = self.ids.get(wanted) {
            return id;
        }
        let mut key = wanted.clone();
        if self.keys.len() >= max {
            key = key.folded();
            delta.overflow.add(Capped::Signal, count);
            if let Some(&id) = self.ids.get(&key) {
                return id;
            }
        }
        let id = SignalId(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        self.learn(id, &key);
        delta.new_signals.push((id, key));
        id
    }

    /// Adds the next combination; one that is known already changes nothing.
    pub(super) fn learn(&mut self, id: SignalId, key: &SignalKey) {
        if usize::try_from(id.0).is_ok_and(|place| place == self.keys.len()) {
            let key = Arc::new(key.clone());
            self.ids.insert(Arc::clone(&key), id);
            self.keys.push(key);
            self.totals.push(Arc::default());
        }
    }

    /// Adds to the totals of a combination.
    pub(super) fn add(&mut self, id: SignalId, tally: &Tally) {
        if let Some(totals) = self.place(id) {
            Arc::make_mut(totals).merge(tally);
        }
    }

    /// Sets the totals of a combination.
    pub(super) fn restore(&mut self, id: SignalId, tally: Tally) {
        if let Some(totals) = self.place(id) {
            *totals = Arc::new(tally);
        }
    }

    /// Iterates over the combinations with their totals.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SignalId, &Arc<SignalKey>, &Arc<Tally>)> {
        let ids = (0..).map(SignalId);
        ids.zip(&self.keys).zip(&self.totals).map(|((id, key), totals)| (id, key, totals))
    }

    fn place(&mut self, id: SignalId) -> Option<&mut Arc<Tally>> {
        self.totals.get_mut(usize::try_from(id.0).ok()?)
    }
}

/// Returns `value` as a label value of a signal: no longer than [`LABEL_CHARS_MAX`].
pub(super) fn label(value: &str) -> String {
    value.chars().take(LABEL_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tally(values: &[(i64, u64)]) -> Tally {
        let mut tally = Tally::default();
        for &(at, value) in values {
            tally.observe(Signal::GatewayDuration, UnixMillis(at), 1, value);
        }
        tally
    }

    #[test]
    fn beyond_the_cap_a_family_folds_into_one_and_says_so() {
        let key = |path: &str| SignalKey {
            signal: Signal::GatewayErrors,
            account: "a".to_owned(),
            region: "r".to_owned(),
            values: vec![path.to_owned(), "timeout".to_owned()],
        };
        let (mut signals, mut delta) = (Signals::default(), Delta::default());
        let mut find = |path: &str| signals.find(&key(path), 2, 3, &mut delta).0;
        let found: Vec<u32> = ["/a", "/b", "/c", "/d", "/a"].map(&mut find).to_vec();
        assert_eq!(found, [0, 1, 2, 2, 0]);
        assert_eq!(delta.overflow.get(Capped::Signal), 6);
        assert_eq!(
            delta.new_signals.last().map(|(_, key)| key.values.join(" ")),
            Some("other other".to_owned())
        );
    }

    proptest! {
        #[test]
        fn the_order_and_grouping_of_values_change_nothing(
            values in proptest::collection::vec((0i64..50, 0u64..90_000_000), 0..40),
            split in 0..40usize,
        ) {
            let whole = tally(&values);
            let (left, right) = values.split_at(split.min(values.len()));
            let mut parts = tally(right);
            parts.merge(&tally(left));
            prop_assert_eq!(&parts, &whole);
            prop_assert_eq!(whole.buckets.iter().sum::<u64>(), values.len() as u64);
        }
    }
}
