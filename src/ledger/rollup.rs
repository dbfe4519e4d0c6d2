//! Where in time an amount is booked: levels of buckets, and when an older level gives way to a
//! coarser one.
//!
//! Every amount lives at exactly one level, so that all rows of a series sum to its totals. Minutes
//! move into hours, hours into days, days into one row without a date, each when it is older than
//! the retention of its level. A late record is booked at the level that holds its time by then.

use serde::{Deserialize, Serialize};

use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// A level of buckets, the finest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Level {
    /// One row a minute.
    Minute,
    /// One row an hour.
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
    pub fn holding(level: Level, at: UnixMillis) -> Self {
        let start = match level {
            Level::Minute => at.floor(MINUTE_MS),
            Level::Hour => at.floor(HOUR_MS),
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
    pub fn coarser(self) -> Option<Self> {
        Some(Self::holding(self.level.coarser()?, self.start()))
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
        Bucket::holding(level, at)
    }

    /// Returns the horizons of `retention` at `now`, never before the present ones.
    #[must_use]
    pub fn moved(&self, retention: Retention, now: UnixMillis) -> Self {
        Self {
            minutes_from: self.minutes_from.max(now.plus(-retention.minutes_ms).floor(HOUR_MS)),
            hours_from: self.hours_from.max(now.plus(-retention.hours_ms).floor(DAY_MS)),
            days_from: self.days_from.max(now.plus(-retention.days_ms).floor(DAY_MS)),
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

    proptest! {
        /// A late record lands where a compaction would have moved the row it would have been in.
        #[test]
        fn booking_late_is_the_same_as_booking_early_and_compacting(
            at in 1_000_000_000_000i64..1_800_000_000_000,
            first in 1_000_000_000_000i64..1_800_000_000_000,
            later in 0i64..300_000_000_000,
        ) {
            let at = UnixMillis(at);
            let early = Horizons::default().moved(RETENTION, UnixMillis(first));
            let late = early.moved(RETENTION, UnixMillis(first + later));
            let mut bucket = early.bucket(at);
            while late.of(bucket.level).is_some_and(|horizon| bucket.start() < horizon) {
                bucket = bucket.coarser().unwrap();
            }
            prop_assert_eq!(bucket, late.bucket(at));
        }
    }

    #[test]
    fn horizons_never_move_back() {
        let now = UnixMillis(1_800_000_000_000);
        let horizons = Horizons::default().moved(RETENTION, now);
        assert_eq!(horizons.moved(RETENTION, now.plus(-DAY_MS)), horizons);
    }
}
