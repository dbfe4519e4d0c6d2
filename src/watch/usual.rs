//! What is usual: spend by hour of each subject over some weeks, and how much of it comes in bursts.
//!
//! The baseline of an hour is the median of the same hours of earlier weeks, with a band from their
//! median absolute deviation; today is left out, so a spike of this morning does not become usual by
//! noon. With less history the band is wider, and with none there is no baseline at all.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};

use crate::ledger::rollup::{Bucket, Level};
use crate::model::money::Usd;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// Earlier weeks that are compared with.
pub const WEEKS: i64 = 4;
/// Hours that are kept.
pub const KEPT_MS: i64 = (WEEKS * 7 + 1) * DAY_MS;
/// Width of the slices that bursts are measured in: that of the spike window.
pub const SLICE_MS: i64 = 5 * MINUTE_MS;
/// Time over which bursts are measured, which ends an hour ago: what goes on now is not usual.
const BURSTS_MS: i64 = DAY_MS;
/// Picodollars in the unit of history. What is lost by rounding is below a dollar in a billion calls.
const UNIT: i128 = 1_000;

/// Whose spend is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Everything.
    Total,
    /// One account.
    Account(String),
    /// One model.
    Model(String),
    /// One principal.
    Principal(String),
    /// One principal on one model: who calls several may go wrong on one.
    Use {
        /// The principal.
        principal: String,
        /// The model.
        model: String,
    },
}

/// The history of one subject. Hours and slices without spend take no space.
#[derive(Debug, Default)]
pub struct Usual {
    hours: Sums,
    slices: Sums,
    /// What was asked last: it is the same for half an hour, unless older rows come.
    last: Cell<Option<Known>>,
}

/// A baseline, and what it was computed for.
#[derive(Clone, Copy, Debug)]
struct Known {
    half_hour: i64,
    first: UnixMillis,
    baseline: Option<Baseline>,
}

/// What a subject usually spends at some time of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// The middle of what was spent at this hour, dollars an hour.
    pub middle: Usd,
    /// What an hour may cost and still be usual.
    pub top: Usd,
    /// How far slices of five minutes usually exceed their hour, in percent: 100 if spend is even, 1200 if
    /// one of them has it all.
    pub burst_percent: u64,
    /// What is compared with.
    pub history: History,
}

/// How much history a baseline rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// The same hours of so many earlier weeks.
    Weeks(usize),
    /// The same hours of so many earlier days.
    Days(usize),
}

/// Sums by the number of their bucket, in [`UNIT`], in order.
#[derive(Debug, Default)]
struct Sums(VecDeque<(u32, u64)>);

impl Sums {
    fn add(&mut self, number: u32, amount: u64) {
        let place = self.0.partition_point(|&(known, _)| known < number);
        match self.0.get_mut(place) {
            Some((known, sum)) if *known == number => *sum = sum.saturating_add(amount),
            _ => self.0.insert(place, (number, amount)),
        }
    }

    fn get(&self, number: i64) -> u64 {
        let Ok(number) = u32::try_from(number) else { return 0 };
        let place = self.0.partition_point(|&(known, _)| known < number);
        self.0.get(place).filter(|(known, _)| *known == number).map_or(0, |&(_, sum)| sum)
    }

    fn prune(&mut self, before: i64) {
        while self.0.front().is_some_and(|&(number, _)| i64::from(number) < before) {
            self.0.pop_front();
        }
    }
}

impl Usual {
    /// Adds spend of a bucket. Of buckets coarser than an hour nothing is known by the hour.
    pub fn add(&mut self, bucket: Bucket, cost: Usd, now: UnixMillis) {
        let amount = u64::try_from(cost.0 / UNIT).unwrap_or(0);
        let at = bucket.start();
        if amount == 0 || bucket.level > Level::Hour || at < now.plus(-KEPT_MS) {
            return;
        }
        self.hours.add(number(at, HOUR_MS), amount);
        // What comes of this hour is today's, and no baseline looks at it.
        if at < now.floor(HOUR_MS) {
            self.last.set(None);
        }
        if bucket.level == Level::Minute && at >= now.plus(-BURSTS_MS - HOUR_MS) {
            self.slices.add(number(at, SLICE_MS), amount);
        }
    }

    /// Forgets what is too old to be compared with.
    pub fn prune(&mut self, now: UnixMillis) {
        self.hours.prune(now.plus(-KEPT_MS).0.div_euclid(HOUR_MS));
        self.slices.prune(now.plus(-BURSTS_MS - HOUR_MS).0.div_euclid(SLICE_MS));
    }

    /// Tells whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.hours.0.is_empty()
    }

    /// Returns what is usual at `now`, or nothing if there is no history. `first` is the first instant
    /// that the ledger knows of: hours before it are not hours without spend.
    pub fn baseline(&self, first: UnixMillis, now: UnixMillis) -> Option<Baseline> {
        let half_hour = now.0.div_euclid(HOUR_MS / 2);
        // Only the hour in which all begins matters.
        let first = first.floor(HOUR_MS);
        match self.last.get() {
            Some(last) if (last.half_hour, last.first) == (half_hour, first) => last.baseline,
            _ => {
                let baseline = self.computed(first, now);
                self.last.set(Some(Known { half_hour, first, baseline }));
                baseline
            }
        }
    }

    fn computed(&self, first: UnixMillis, now: UnixMillis) -> Option<Baseline> {
        let weeks: Vec<u64> = self.samples(first, now, 7 * DAY_MS, WEEKS);
        let days: Vec<u64> = self.samples(first, now, DAY_MS, 6);
        let (middle, top, history) = match (weeks.len(), days.len()) {
            (0, 0) => return None,
            (0, 1) => (median(&days), max(&days).saturating_mul(3), History::Days(1)),
            (0, count) => (median(&days), max(&days).saturating_mul(2), History::Days(count)),
            (count @ 1..=2, _) => {
                let all: Vec<u64> = weeks.iter().chain(&days).copied().collect();
                (median(&weeks), max(&all).saturating_mul(3) / 2, History::Weeks(count))
            }
            (count, _) => {
                let middle = median(&weeks);
                (middle, middle.saturating_add(band(&weeks, middle)), History::Weeks(count))
            }
        };
        let top = top.max(self.busy_hour(first, now));
        let burst_percent = self.burst_percent(now);
        Some(Baseline { middle: usd(middle), top: usd(top), burst_percent, history })
    }

    /// Returns what was spent at the same time of so many earlier periods. An alert must not ring
    /// because a morning rises within the hour, so it is the larger of the hour and the one that is
    /// next to the minute.
    fn samples(&self, first: UnixMillis, now: UnixMillis, period: i64, count: i64) -> Vec<u64> {
        let mut samples = Vec::new();
        for back in 1..=count {
            let at = now.plus(-back * period);
            let hour = at.0.div_euclid(HOUR_MS);
            if first.0 > hour * HOUR_MS {
                break;
            }
            let is_first_half = at.0.rem_euclid(HOUR_MS) < HOUR_MS / 2;
            let neighbour = if is_first_half { hour - 1 } else { hour + 1 };
            samples.push(self.hours.get(hour).max(self.hours.get(neighbour)));
        }
        samples
    }

    /// Returns what a busy hour costs of who calls in less than half of the hours, else nothing: who calls now
    /// and then has no usual hour of the week. Of busy hours one in twenty costs more. Today is left out.
    fn busy_hour(&self, first: UnixMillis, now: UnixMillis) -> u64 {
        let until = now.plus(-DAY_MS).0.div_euclid(HOUR_MS);
        let known = usize::try_from(until - first.0.div_euclid(HOUR_MS)).unwrap_or(0);
        let earlier = self.hours.0.iter().take_while(|(number, _)| i64::from(*number) < until);
        let mut sums: Vec<u64> = earlier.map(|&(_, sum)| sum).collect();
        if sums.len() * 2 >= known {
            return 0;
        }
        sums.sort_unstable();
        sums.get(sums.len() * 19 / 20).copied().unwrap_or(0)
    }

    /// Returns how far slices exceed the mean of their hour: the level that all but 4 % of the slices with
    /// any spend in the last day stay below. A job that runs once an hour is above that, an hour of trouble
    /// below; who calls now and then has the spend of an hour in one slice.
    fn burst_percent(&self, now: UnixMillis) -> u64 {
        const PER_HOUR: u64 = (HOUR_MS / SLICE_MS).unsigned_abs();
        let until = now.plus(-HOUR_MS).0.div_euclid(HOUR_MS) * HOUR_MS;
        let from = until - BURSTS_MS;
        let mut levels = Vec::new();
        for &(number, sum) in &self.slices.0 {
            let at = i64::from(number) * SLICE_MS;
            if (from..until).contains(&at) {
                let of_hour = self.hours.get(at.div_euclid(HOUR_MS)).max(1);
                levels.push(sum.saturating_mul(PER_HOUR * 100) / of_hour);
            }
        }
        levels.sort_unstable();
        match levels.get(levels.len() * 96 / 100) {
            Some(&level) => level.clamp(100, PER_HOUR * 100),
            // Nothing was spent for a day: one slice may hold all that an hour usually has.
            None => PER_HOUR * 100,
        }
    }
}

/// Returns how far above the middle an hour is still usual: five deviations, at least half of the middle.
fn band(samples: &[u64], middle: u64) -> u64 {
    let deviations: Vec<u64> = samples.iter().map(|sample| sample.abs_diff(middle)).collect();
    // 1.4826 makes the median absolute deviation of normal noise its standard deviation.
    let deviation = median(&deviations).saturating_mul(14_826) / 10_000;
    deviation.saturating_mul(5).max(middle / 2)
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    let lower = sorted.len().checked_sub(1).and_then(|last| sorted.get(last / 2)).copied();
    lower.unwrap_or(0).midpoint(upper)
}

fn max(samples: &[u64]) -> u64 {
    samples.iter().copied().max().unwrap_or(0)
}

fn usd(units: u64) -> Usd {
    Usd(i128::from(units) * UNIT)
}

fn number(at: UnixMillis, width: i64) -> u32 {
    u32::try_from(at.0.div_euclid(width)).unwrap_or(0)
}

/// The history of every subject.
#[derive(Debug)]
pub struct Histories {
    subjects: HashMap<Subject, Usual, foldhash::fast::FixedState>,
    subjects_max: usize,
    first: UnixMillis,
    refused: u64,
}

impl Histories {
    /// Returns histories of at most `subjects_max` subjects beside the total.
    pub fn new(subjects_max: usize) -> Self {
        let first = UnixMillis::UNKNOWN;
        Self { subjects: HashMap::default(), subjects_max, first, refused: 0 }
    }

    /// Adds spend of a subject; one beyond the cap is only part of wider ones, and is counted.
    pub fn add(&mut self, subject: &Subject, bucket: Bucket, cost: Usd, now: UnixMillis) {
        if bucket.level <= Level::Hour {
            self.first = self.first.min(bucket.start());
        }
        if let Some(usual) = self.subjects.get_mut(subject) {
            usual.add(bucket, cost, now);
            return;
        }
        let mut usual = Usual::default();
        usual.add(bucket, cost, now);
        if usual.is_empty() {
            return;
        }
        if self.has_place_for(subject) {
            self.subjects.insert(subject.clone(), usual);
        } else {
            self.refused += 1;
        }
    }

    /// There are as many uses as callers times models, so they must leave places for both.
    fn has_place_for(&self, subject: &Subject) -> bool {
        let max = match subject {
            Subject::Total => return true,
            Subject::Use { .. } => self.subjects_max / 3 * 2,
            Subject::Account(_) | Subject::Model(_) | Subject::Principal(_) => self.subjects_max,
        };
        self.subjects.len() < max
    }

    /// Returns how many rows were of subjects beyond the cap.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Returns what is usual for a subject at `now`. A subject that is new where others have a
    /// history usually spends nothing; of one beyond the cap nothing is known.
    pub fn baseline(&self, subject: &Subject, now: UnixMillis) -> Option<Baseline> {
        if !self.subjects.contains_key(subject) && !self.has_place_for(subject) {
            return None;
        }
        let nothing = Usual::default();
        // What is older than what is kept is not known either.
        let first = self.first.max(now.plus(-KEPT_MS));
        self.subjects.get(subject).unwrap_or(&nothing).baseline(first, now)
    }

    /// Takes note that everything since `at` is known.
    pub fn know_since(&mut self, at: UnixMillis) {
        self.first = self.first.min(at);
    }

    /// Returns the first instant that is known of.
    pub fn first(&self) -> UnixMillis {
        self.first
    }

    /// Forgets what is too old to be compared with.
    pub fn prune(&mut self, now: UnixMillis) {
        self.subjects.retain(|_, usual| {
            usual.prune(now);
            !usual.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::rollup::HourCuts;
    use crate::model::money::PICODOLLARS_PER_USD;
    use proptest::prelude::*;

    /// A Monday at 12:10.
    const NOW: UnixMillis = UnixMillis(20_780 * DAY_MS + 12 * HOUR_MS + 10 * MINUTE_MS);

    fn dollars(cents: i64) -> Usd {
        Usd(i128::from(cents) * PICODOLLARS_PER_USD / 100)
    }

    fn hour(at: UnixMillis) -> Bucket {
        Bucket::holding(Level::Hour, at, HourCuts::default())
    }

    /// A history that spends `cents(hours ago)` an hour over so many hours.
    fn history(hours: i64, cents: impl Fn(i64) -> i64) -> Histories {
        let mut histories = Histories::new(10);
        for ago in 1..=hours {
            let at = NOW.plus(-ago * HOUR_MS);
            histories.add(&Subject::Total, hour(at), dollars(cents(ago)), NOW);
        }
        histories
    }

    #[test]
    fn the_same_hours_of_earlier_weeks_are_usual_and_today_is_not() {
        // 100 cents at this hour of the week, 5 at others, and a mad morning today.
        let histories = history(24 * 29, |ago| match ago {
            1..=6 => 90_000,
            ago if (ago % (7 * 24)) <= 1 => 100,
            _ => 5,
        });
        let baseline = histories.baseline(&Subject::Total, NOW).unwrap();
        assert_eq!(baseline.history, History::Weeks(4));
        assert_eq!((baseline.middle, baseline.top), (dollars(100), dollars(150)));
    }

    #[test]
    fn one_bad_week_changes_little() {
        let histories =
            history(24 * 29, |ago| if (160..180).contains(&ago) { 50_000 } else { 100 });
        let baseline = histories.baseline(&Subject::Total, NOW).unwrap();
        assert_eq!(baseline.middle, dollars(100));
        assert_eq!(baseline.top, dollars(150));
    }

    #[test]
    fn less_history_has_a_wider_band_and_none_has_no_baseline() {
        let top = |hours| {
            let baseline = history(hours, |_| 100).baseline(&Subject::Total, NOW);
            baseline.map(|baseline| (baseline.history, baseline.top))
        };
        assert_eq!(top(12), None);
        assert_eq!(top(25), Some((History::Days(1), dollars(300))));
        assert_eq!(top(24 * 3 + 1), Some((History::Days(3), dollars(200))));
        assert_eq!(top(24 * 8), Some((History::Weeks(1), dollars(150))));
        assert_eq!(top(24 * 22), Some((History::Weeks(3), dollars(150))));
    }

    #[test]
    fn a_subject_that_is_new_beside_old_ones_usually_spends_nothing() {
        let histories = history(24 * 29, |_| 100);
        let new = Subject::Principal("role/new".to_owned());
        let baseline = histories.baseline(&new, NOW).unwrap();
        assert_eq!((baseline.middle, baseline.top), (Usd::ZERO, Usd::ZERO));
    }

    #[test]
    fn an_hourly_job_is_usual_in_its_five_minutes_and_an_hour_of_trouble_is_not() {
        let bursts = |cents: &dyn Fn(i64) -> i64| {
            let mut usual = Usual::default();
            for ago in 0..26 * 60 {
                let at = NOW.plus(-ago * MINUTE_MS);
                let minute = Bucket::holding(Level::Minute, at, HourCuts::default());
                usual.add(minute, dollars(cents(at.0 / MINUTE_MS)), NOW);
            }
            usual.burst_percent(NOW)
        };
        assert_eq!(bursts(&|_| 10), 100);
        assert_eq!(bursts(&|minute| if minute % 60 < 5 { 100 } else { 0 }), 1_200);
        let trouble = NOW.0 / MINUTE_MS - 5 * 60;
        assert_eq!(
            bursts(&|minute| if (trouble..trouble + 30).contains(&minute) { 9_000 } else { 10 }),
            100
        );
    }

    #[test]
    fn of_a_subject_beyond_the_cap_nothing_is_known_and_that_is_counted() {
        let mut histories = Histories::new(3);
        let at = hour(NOW.plus(-30 * HOUR_MS));
        let model = |name: &str| Subject::Model(name.to_owned());
        let of_use = |name: &str| {
            let (principal, model) = ("role/a".to_owned(), name.to_owned());
            Subject::Use { principal, model }
        };
        let all = [of_use("a"), of_use("b"), of_use("c"), model("a"), model("b")];
        for subject in &all {
            histories.add(subject, at, dollars(5), NOW);
        }
        let known = all.map(|subject| histories.baseline(&subject, NOW).is_some());
        assert_eq!(known, [true, true, false, true, false]);
        assert_eq!(histories.refused(), 2);
    }

    proptest! {
        /// Replaying the same spend in another order gives the same baseline.
        #[test]
        fn the_order_of_what_is_added_changes_nothing(
            spend in proptest::collection::vec((0i64..40 * 24, 0i64..10_000), 0..80),
        ) {
            let build = |spend: &[(i64, i64)]| {
                let mut histories = Histories::new(10);
                for &(ago, cents) in spend {
                    histories.add(&Subject::Total, hour(NOW.plus(-ago * HOUR_MS)), dollars(cents), NOW);
                }
                histories.prune(NOW);
                histories.baseline(&Subject::Total, NOW)
            };
            let mut turned = spend.clone();
            turned.reverse();
            prop_assert_eq!(build(&spend), build(&turned));
        }

        #[test]
        fn the_median_splits_the_samples(samples in proptest::collection::vec(0u64..1_000, 1..20)) {
            let middle = median(&samples);
            let below = samples.iter().filter(|&&sample| sample < middle).count();
            let above = samples.iter().filter(|&&sample| sample > middle).count();
            prop_assert!(below * 2 <= samples.len() && above * 2 <= samples.len());
        }
    }
}
