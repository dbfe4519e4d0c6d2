//! When the records of a source are from: the range, the longest silence, and how far they are out of
//! order. In bounded memory, whatever the number of records.

use std::collections::BTreeMap;

use crate::model::time::UnixMillis;

/// Buckets kept; beyond, they become wider.
const BUCKETS_MAX: usize = 8_192;

/// The times of records, in buckets of which the first and last time are known.
#[derive(Debug)]
pub(super) struct Times {
    width_ms: i64,
    buckets: BTreeMap<i64, Bucket>,
    /// The bucket being filled, since records mostly come in order.
    current: Option<(i64, Bucket)>,
    count: u64,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    first: i64,
    last: i64,
}

/// A time without records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) from: UnixMillis,
    pub(super) to: UnixMillis,
    /// Average distance of the other records in milliseconds.
    pub(super) usual_ms: i64,
}

impl Default for Times {
    fn default() -> Self {
        Self { width_ms: 1_000, buckets: BTreeMap::new(), current: None, count: 0 }
    }
}

impl Bucket {
    fn join(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

impl Times {
    pub(super) fn add(&mut self, at: UnixMillis) {
        self.count += 1;
        let one = Bucket { first: at.0, last: at.0 };
        let place = at.0.div_euclid(self.width_ms);
        match &mut self.current {
            Some((current, bucket)) if *current == place => bucket.join(one),
            _ => {
                self.settle();
                self.current = Some((place, one));
            }
        }
    }

    fn settle(&mut self) {
        if let Some((place, bucket)) = self.current.take() {
            self.buckets.entry(place).and_modify(|known| known.join(bucket)).or_insert(bucket);
            while self.buckets.len() > BUCKETS_MAX {
                self.widen();
            }
        }
    }

    fn widen(&mut self) {
        self.width_ms = self.width_ms.saturating_mul(2);
        for (_, bucket) in std::mem::take(&mut self.buckets) {
            let place = bucket.first.div_euclid(self.width_ms);
            self.buckets.entry(place).and_modify(|known| known.join(bucket)).or_insert(bucket);
        }
    }

    pub(super) fn merge(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        while self.width_ms < other.width_ms {
            self.widen();
        }
        while other.width_ms < self.width_ms {
            other.widen();
        }
        self.count += other.count;
        for (place, bucket) in other.buckets {
            self.buckets.entry(place).and_modify(|known| known.join(bucket)).or_insert(bucket);
        }
        while self.buckets.len() > BUCKETS_MAX {
            self.widen();
        }
    }

    fn all(&self) -> impl Iterator<Item = Bucket> {
        let mut all: Vec<Bucket> = self.buckets.values().copied().collect();
        all.extend(self.current.map(|(_, bucket)| bucket));
        all.sort_by_key(|bucket| bucket.first);
        all.into_iter()
    }

    /// Returns the first and the last time.
    pub(super) fn range(&self) -> Option<(UnixMillis, UnixMillis)> {
        let first = self.all().map(|bucket| bucket.first).min()?;
        let last = self.all().map(|bucket| bucket.last).max()?;
        Some((UnixMillis(first), UnixMillis(last)))
    }

    /// Returns the longest time without a record between the first and the last one. Silences shorter
    /// than a bucket are not seen.
    pub(super) fn silence(&self) -> Option<Silence> {
        let (first, last) = self.range()?;
        let (mut longest, mut end) = (Bucket { first: 0, last: 0 }, first.0);
        for bucket in self.all() {
            if bucket.first.saturating_sub(end) > longest.last.saturating_sub(longest.first) {
                longest = Bucket { first: end, last: bucket.first };
            }
            end = end.max(bucket.last);
        }
        let length = longest.last.saturating_sub(longest.first);
        // The records have one distance less than their number, and the silence is one of them.
        let others = i64::try_from(self.count.checked_sub(2)?).ok().filter(|others| *others > 0)?;
        let spread = last.0.saturating_sub(first.0).saturating_sub(length);
        let usual_ms = spread.checked_div(others)?;
        (length > usual_ms).then_some(Silence {
            from: UnixMillis(longest.first),
            to: UnixMillis(longest.last),
            usual_ms,
        })
    }
}

/// The order of the records in one piece of one input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    first: i64,
    last: i64,
    min: i64,
    max: i64,
    disorder: Disorder,
}

/// How far records are out of order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Disorder {
    /// Records that are earlier than the one before them.
    pub(super) steps_back: u64,
    /// The most that a record is earlier than the latest one before it, in milliseconds.
    pub(super) late_ms: i64,
}

impl Stretch {
    pub(super) fn of(at: UnixMillis) -> Self {
        Self { first: at.0, last: at.0, min: at.0, max: at.0, disorder: Disorder::default() }
    }

    /// Adds what follows in the same input.
    pub(super) fn followed_by(&mut self, next: Self) {
        let steps = u64::from(next.first < self.last) + next.disorder.steps_back;
        self.disorder.steps_back += steps;
        let late = self.max.saturating_sub(next.min).max(next.disorder.late_ms);
        self.disorder.late_ms = self.disorder.late_ms.max(late);
        self.last = next.last;
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
    }
}

/// The order of the records of all inputs of a source: stretches by input and place in it.
#[derive(Debug, Default)]
pub(super) struct Order(BTreeMap<(usize, u64), Stretch>);

impl Order {
    pub(super) fn add(&mut self, input: usize, from: u64, stretch: Option<Stretch>) {
        if let Some(stretch) = stretch {
            self.0.insert((input, from), stretch);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns how far the records are out of order within their files.
    pub(super) fn disorder(&self) -> Disorder {
        let mut sum = Disorder::default();
        let mut files: BTreeMap<usize, Stretch> = BTreeMap::new();
        for ((input, _), stretch) in &self.0 {
            files.entry(*input).and_modify(|file| file.followed_by(*stretch)).or_insert(*stretch);
        }
        for file in files.values() {
            sum.steps_back += file.disorder.steps_back;
            sum.late_ms = sum.late_ms.max(file.disorder.late_ms);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(all: &[i64]) -> Times {
        let mut times = Times::default();
        for at in all {
            times.add(UnixMillis(*at));
        }
        times
    }

    #[test]
    fn the_longest_silence_is_told_with_what_is_usual() {
        let found = times(&[0, 9_000, 1_000, 2_000, 61_000, 62_000]).silence();
        let expected =
            Silence { from: UnixMillis(9_000), to: UnixMillis(61_000), usual_ms: 10_000 / 4 };
        assert_eq!(found, Some(expected));
        assert_eq!(times(&[5]).silence(), None);
        assert_eq!(times(&[]).range(), None);
    }

    proptest! {
        #[test]
        fn parts_in_any_cut_tell_what_the_whole_tells(
            all in proptest::collection::vec(0..4_000_000_000_i64, 1..300), cut in 0..300_usize,
        ) {
            let (one, other) = all.split_at(cut.min(all.len()));
            let whole = times(&all);
            let mut joined = times(one);
            joined.merge(times(other));
            prop_assert_eq!(joined.range(), whole.range());
            prop_assert_eq!(joined.silence(), whole.silence());

            let stretch = |part: &[i64]| {
                let mut ats = part.iter().map(|at| Stretch::of(UnixMillis(*at)));
                let mut all = ats.next()?;
                ats.for_each(|at| all.followed_by(at));
                Some(all)
            };
            let mut order = Order::default();
            order.add(0, 7, stretch(other));
            order.add(0, 0, stretch(one));
            let steps_back = all.windows(2).filter(|pair| pair[1] < pair[0]).count() as u64;
            let late = |at: usize| all[..=at].iter().max().unwrap() - all[at];
            let late_ms = (0..all.len()).map(late).max().unwrap();
            prop_assert_eq!(order.disorder(), Disorder { steps_back, late_ms });
        }

        #[test]
        fn many_buckets_become_wider_and_lose_neither_range_nor_a_long_silence(step in 1_000..90_000_i64) {
            let mut all: Vec<i64> = (0..20_000).map(|n| n * step).collect();
            let silent = *all.last().unwrap();
            all.push(silent + 100_000_000);
            let times = times(&all);
            prop_assert!(times.buckets.len() <= BUCKETS_MAX);
            prop_assert_eq!(times.range(), Some((UnixMillis(0), UnixMillis(silent + 100_000_000))));
            let silence = times.silence().unwrap();
            prop_assert_eq!((silence.from, silence.usual_ms), (UnixMillis(silent), step));
        }
    }
}
