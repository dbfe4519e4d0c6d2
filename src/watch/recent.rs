//! The last minutes by series: what windows up to a quarter of an hour are summed from.

use std::collections::{BTreeMap, HashMap};

use super::facts::Facts;
use crate::ledger::delta::SeriesId;
use crate::model::money::Usd;
use crate::model::time::{MINUTE_MS, UnixMillis};

/// Minutes that are kept, the present one included. Two thousand series that are all active
/// take some 4 MB.
pub const KEPT_MINUTES: i64 = 16;

/// Facts by series.
pub type BySeries = HashMap<SeriesId, Facts, foldhash::fast::FixedState>;

/// Costs by series.
pub type Costs = HashMap<SeriesId, Usd, foldhash::fast::FixedState>;

/// Facts by minute of event time and series.
#[derive(Debug, Default)]
pub struct Recent {
    minutes: BTreeMap<UnixMillis, BySeries>,
}

impl Recent {
    /// Returns the first instant that is kept at `now`.
    pub fn kept_from(now: UnixMillis) -> UnixMillis {
        now.floor(MINUTE_MS).plus(-(KEPT_MINUTES - 1) * MINUTE_MS)
    }

    /// Adds what was committed for a series in the minute that begins at `minute`, if it is recent at
    /// `now`.
    pub fn add(&mut self, minute: UnixMillis, series: SeriesId, facts: &Facts, now: UnixMillis) {
        // A log may be ahead of our clock by some minutes; what it tells is shown when its time comes.
        if minute >= Self::kept_from(now) {
            let of_minute = self.minutes.entry(minute.floor(MINUTE_MS)).or_default();
            of_minute.entry(series).or_default().merge(facts);
        }
    }

    /// Forgets what is not recent any more.
    pub fn prune(&mut self, now: UnixMillis) {
        self.minutes = self.minutes.split_off(&Self::kept_from(now));
    }

    /// Visits everything of `from..=now`, in whole minutes.
    pub fn each(&self, from: UnixMillis, now: UnixMillis, mut visit: impl FnMut(SeriesId, &Facts)) {
        for (_, series) in self.minutes.range(from.floor(MINUTE_MS)..=now) {
            for (&series, facts) in series {
                visit(series, facts);
            }
        }
    }

    /// Returns the cost by series of `from..=now`, in whole minutes: all that is looked at every second.
    pub fn costs(&self, from: UnixMillis, now: UnixMillis) -> Costs {
        let mut costs = Costs::default();
        self.each(from, now, |series, facts| *costs.entry(series).or_default() += facts.cost);
        costs
    }

    /// Returns the sums by series of `from..=now`, in whole minutes.
    pub fn by_series(&self, from: UnixMillis, now: UnixMillis) -> BySeries {
        let window = self.minutes.range(from.floor(MINUTE_MS)..=now);
        let most = window.map(|(_, series)| series.len()).max().unwrap_or(0);
        let mut sums =
            BySeries::with_capacity_and_hasher(most * 2, foldhash::fast::FixedState::default());
        self.each(from, now, |series, facts| sums.entry(series).or_default().merge(facts));
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A window holds exactly the calls of its whole minutes, in whatever order they came.
        #[test]
        fn a_window_sums_its_minutes(
            calls in proptest::collection::vec((0i64..20, 0u32..3), 0..60),
            window in 1i64..KEPT_MINUTES,
            second in 0i64..60,
        ) {
            let now = UnixMillis(1_000 * MINUTE_MS + second * 1_000);
            let mut recent = Recent::default();
            for &(age, series) in &calls {
                let minute = now.floor(MINUTE_MS).plus(-age * MINUTE_MS);
                let facts = Facts { calls: 1, ..Facts::default() };
                recent.add(minute, SeriesId(series), &facts, now);
                recent.prune(now);
            }
            let from = now.plus(-window * MINUTE_MS);
            let found: u32 = recent.by_series(from, now).values().map(|facts| facts.calls).sum();
            let expected = calls.iter().filter(|&&(age, _)| age <= window && age < KEPT_MINUTES);
            prop_assert_eq!(found as usize, expected.count());
        }
    }
}
