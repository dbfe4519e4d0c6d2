//! Where in time an amount is booked: levels of buckets, and when an older level gives way to a
//! coarser one.
//!
//! Every amount lives at exactly one level, so that all rows of a series sum to its totals. Minutes
//! move into hours, hours into days, days into one row without a date, each when it is older than
//! the retention of its level. A late record is booked at the level that holds its time by then.
//!
//! Rows by the hour end at every full hour, and also at those quarters of an hour at which a budget's
//! period can begin ([`HourCuts`]), so that a row is never of two periods.

use serde::{Deserialize, Serialize};

use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// Milliseconds in a quarter of an hour: every time zone of this century is ahead of or behind UTC by
/// a multiple of it.
pub const QUARTER_MS: i64 = 15 * MINUTE_MS;

/// A level of buckets, the finest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Level {
    /// One row a minute.
    Minute,
    /// One row an hour, or a part of one where [`HourCuts`] say so.
    Hour,
    /// One row a day (UTC).
    Day,
    /// One row for everything older.
    Ever,
}

/// A bucket of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bucket {
    /// Its level.
    pub level: Level,
    /// Its start, in minutes since 1970; 0 for [`Level::Ever`].
    pub start_minute: u32,
}

/// How long each level is kept, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Minutes.
    pub minutes_ms: i64,
    /// Hours.
    pub hours_ms: i64,
    /// Days.
    pub days_ms: i64,
}

/// At which quarters of a UTC hour a row by the hour begins: at the full hour always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HourCuts(u8);

/// The first instant that each level still holds. They only move forward, and are stored, so that
/// a record of some time is booked where a compaction would have left it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Horizons {
    /// First instant booked by minute; always the start of an hour.
    pub minutes_from: UnixMillis,
    /// First instant booked by hour; always the start of a day.
    pub hours_from: UnixMillis,
    /// First instant booked by day; always the start of a day.
    pub days_from: UnixMillis,
    /// Where rows by the hour begin. Cuts are added, never taken away.
    pub cuts: HourCuts,
    /// Rows by the hour that start before it may be longer than `cuts` say, since a cut was added
    /// when they were made already; always the start of an hour.
    pub cuts_from: UnixMillis,
}

impl HourCuts {
    /// Full hours only.
    pub const FULL_HOURS: Self = Self(1);

    /// Returns these cuts and the one at the quarter of an hour that holds `at`.
    #[must_use]
    pub const fn and_at(self, at: UnixMillis) -> Self {
        Self(self.0 | 1 << at.0.rem_euclid(HOUR_MS).div_euclid(QUARTER_MS))
    }

    /// Returns the cuts of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Tells whether a row begins at the quarter of an hour that holds `at`.
    fn begins(self, at: UnixMillis) -> bool {
        self.and(Self::FULL_HOURS).and_at(at) == self.and(Self::FULL_HOURS)
    }

    /// Tells whether a row by the hour begins at `at`.
    pub fn has(self, at: UnixMillis) -> bool {
        self.start_of(at) == at
    }

    /// Returns the start of the row by the hour that holds `at`.
    pub fn start_of(self, at: UnixMillis) -> UnixMillis {
        let mut start = at.floor(QUARTER_MS);
        while !self.begins(start) {
            start = start.plus(-QUARTER_MS);
        }
        start
    }

    /// Returns the end of the row by the hour that holds `at`.
    pub fn end_of(self, at: UnixMillis) -> UnixMillis {
        let mut end = at.floor(QUARTER_MS).plus(QUARTER_MS);
        while !self.begins(end) {
            end = end.plus(QUARTER_MS);
        }
        end
    }
}

impl Default for HourCuts {
    fn default() -> Self {
        Self::FULL_HOURS
    }
}

impl Level {
    /// Returns the level that rows of this one move to.
    pub fn coarser(self) -> Option<Self> {
        match self {
            Self::Minute => Some(Self::Hour),
            Self::Hour => Some(Self::Day),
            Self::Day => Some(Self::Ever),
            Self::Ever => None,
        }
    }

    /// Returns the name used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Ever => "ever",
        }
    }
}

impl Bucket {
    /// Returns the bucket of `level` that holds `at`.
    pub fn holding(level: Level, at: UnixMillis, cuts: HourCuts) -> Self {
        let start = match level {
            Level::Minute => at.floor(MINUTE_MS),
            Level::Hour => cuts.start_of(at),
            Level::Day => at.floor(DAY_MS),
            Level::Ever => UnixMillis(0),
        };
        // Records are of the years 2000 to 2200 (`decode` refuses others), so this never saturates.
        let start_minute = u32::try_from(start.0.div_euclid(MINUTE_MS)).unwrap_or(0);
        Self { level, start_minute }
    }

    /// Returns the first instant of the bucket.
    pub fn start(self) -> UnixMillis {
        UnixMillis(i64::from(self.start_minute) * MINUTE_MS)
    }

    /// Returns the bucket of the next coarser level that this one moves into.
    pub fn coarser(self, cuts: HourCuts) -> Option<Self> {
        Some(Self::holding(self.level.coarser()?, self.start(), cuts))
    }
}

impl Horizons {
    /// Returns the bucket in which a record made at `at` is booked.
    pub fn bucket(&self, at: UnixMillis) -> Bucket {
        let level = if at >= self.minutes_from {
            Level::Minute
        } else if at >= self.hours_from {
            Level::Hour
        } else if at >= self.days_from {
            Level::Day
        } else {
            Level::Ever
        };
        Bucket::holding(level, at, self.cuts)
    }

    /// Returns these horizons with `cuts` added.
    #[must_use]
    pub fn with_cuts(&self, cuts: HourCuts) -> Self {
        let cuts = self.cuts.and(cuts);
        // What is still there by the minute will be cut as well. A ledger that has never booked anything
        // has no longer rows: its horizons are still 0.
        let cuts_from = if cuts == self.cuts { self.cuts_from } else { self.minutes_from };
        Self { cuts, cuts_from, ..*self }
    }

    /// Returns the horizons of `retention` at `now`, never before the present ones.
    #[must_use]
    pub fn moved(&self, retention: Retention, now: UnixMillis) -> Self {
        Self {
            minutes_from: self.minutes_from.max(now.plus(-retention.minutes_ms).floor(HOUR_MS)),
            hours_from: self.hours_from.max(now.plus(-retention.hours_ms).floor(DAY_MS)),
            days_from: self.days_from.max(now.plus(-retention.days_ms).floor(DAY_MS)),
            ..*self
        }
    }

    /// Returns the horizon of one level: its buckets that start before it move to the next level.
    pub fn of(&self, level: Level) -> Option<UnixMillis> {
        match level {
            Level::Minute => Some(self.minutes_from),
            Level::Hour => Some(self.hours_from),
            Level::Day => Some(self.days_from),
            Level::Ever => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RETENTION: Retention =
        Retention { minutes_ms: 48 * HOUR_MS, hours_ms: 400 * DAY_MS, days_ms: 1_825 * DAY_MS };

    fn any_cuts() -> impl Strategy<Value = HourCuts> {
        proptest::collection::vec(0i64..4, 0..4).prop_map(|quarters| {
            quarters.into_iter().fold(HourCuts::FULL_HOURS, |cuts, quarter| {
                cuts.and_at(UnixMillis(quarter * QUARTER_MS))
            })
        })
    }

    proptest! {
        /// A late record lands where a compaction would have moved the row it would have been in.
        #[test]
        fn booking_late_is_the_same_as_booking_early_and_compacting(
            at in 1_000_000_000_000i64..1_800_000_000_000,
            first in 1_000_000_000_000i64..1_800_000_000_000,
            later in 0i64..300_000_000_000,
            cuts in any_cuts(),
        ) {
            let at = UnixMillis(at);
            let early = Horizons::default().with_cuts(cuts).moved(RETENTION, UnixMillis(first));
            let late = early.moved(RETENTION, UnixMillis(first + later));
            let mut bucket = early.bucket(at);
            while late.of(bucket.level).is_some_and(|horizon| bucket.start() < horizon) {
                bucket = bucket.coarser(late.cuts).unwrap();
            }
            prop_assert_eq!(bucket, late.bucket(at));
        }

        /// Rows by the hour tile time, and never hold a full hour's turn or a cut inside.
        #[test]
        fn rows_by_the_hour_end_where_the_next_begins(
            at in 946_684_800_000i64..4_102_444_800_000,
            cuts in any_cuts(),
        ) {
            let at = UnixMillis(at);
            let (start, end) = (cuts.start_of(at), cuts.end_of(at));
            prop_assert!(start <= at && at < end && end.0 - start.0 <= HOUR_MS);
            prop_assert!(cuts.has(start) && cuts.start_of(end) == end);
            prop_assert_eq!(cuts.end_of(end.plus(-1)), end);
            prop_assert!((start.0 + 1..end.0).step_by(60_000).all(|ms| !cuts.has(UnixMillis(ms))));
            prop_assert_eq!(start.floor(HOUR_MS), at.floor(HOUR_MS));
        }
    }

    #[test]
    fn horizons_never_move_back() {
        let now = UnixMillis(1_800_000_000_000);
        let horizons = Horizons::default().moved(RETENTION, now);
        assert_eq!(horizons.moved(RETENTION, now.plus(-DAY_MS)), horizons);
    }

    #[test]
    fn a_cut_that_is_added_says_from_when_on_rows_have_it_and_stays() {
        let (now, half) = (UnixMillis(1_800_000_000_000), UnixMillis(2 * QUARTER_MS));
        let cuts = HourCuts::FULL_HOURS.and_at(half);
        let fresh = Horizons::default().with_cuts(cuts).moved(RETENTION, now);
        assert_eq!((fresh.cuts, fresh.cuts_from), (cuts, UnixMillis(0)));
        let used = Horizons::default().moved(RETENTION, now);
        let cut = used.with_cuts(cuts);
        assert_eq!((cut.cuts, cut.cuts_from), (cuts, used.minutes_from));
        let later = cut.moved(RETENTION, now.plus(2 * DAY_MS)).with_cuts(HourCuts::FULL_HOURS);
        assert_eq!((later.cuts, later.cuts_from), (cuts, cut.cuts_from));
    }
}
