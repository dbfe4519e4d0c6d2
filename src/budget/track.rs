//! What was spent in one scope, by minute and hour: the sums that budgets and baselines look at.
//!
//! Rows come as the ledger books them. Minutes older than the longest window that needs them become
//! hours, as in the ledger; a row is counted where it starts, once.

use super::amount::Sums;
use super::rows::Rows;
use crate::ledger::rollup::{Bucket, HourCuts, Level};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// How long minutes are kept: the longest window that is looked at by the minute, and an hour more for
/// the status of a somewhat earlier time.
pub const MINUTES_MS: i64 = 7 * HOUR_MS;

/// The sums of one scope.
#[derive(Clone, Debug, Default)]
pub struct Track {
    minutes: Rows,
    hours: Rows,
    days: Rows,
    /// The first minute that is kept as such; earlier ones are in their hour.
    minutes_from: u32,
    /// Rows before this minute are dropped.
    kept_from: u32,
}

/// What is known of all tracks alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Start of the oldest row that ever came, of any series: nothing is known of the time before.
    pub from: Option<UnixMillis>,
    /// Where rows by the hour begin.
    pub cuts: HourCuts,
    /// Rows by the hour that start before it may be whole hours whatever `cuts` say.
    pub cuts_from: UnixMillis,
}

impl Known {
    /// Takes note that there is something to know since `at`.
    pub(super) fn learn(&mut self, at: UnixMillis) {
        self.from = Some(self.from.map_or(at, |from| from.min(at)));
    }
}

impl Track {
    /// Adds a row, or what was added to one.
    pub fn add(&mut self, bucket: Bucket, sums: &Sums, cuts: HourCuts) {
        let start = bucket.start_minute;
        if start < self.kept_from {
            return;
        }
        match bucket.level {
            Level::Minute if start >= self.minutes_from => self.minutes.add(start, sums),
            Level::Minute => self.hours.add(minute(cuts.start_of(instant(start))), sums),
            Level::Hour => self.hours.add(start, sums),
            Level::Day => self.days.add(start, sums),
            // Older than any window: what the ledger keeps by the day is checked against the periods.
            Level::Ever => {}
        }
    }

    /// Makes hours of the minutes before `minutes_from` and drops rows that start before `kept_from`.
    /// Neither moves back.
    pub fn settle(&mut self, minutes_from: UnixMillis, kept_from: UnixMillis, cuts: HourCuts) {
        let wanted = minute(cuts.start_of(minutes_from));
        if wanted > self.minutes_from {
            for (start, sums) in self.minutes.iter(0, wanted) {
                self.hours.add(minute(cuts.start_of(instant(start))), &sums);
            }
            self.minutes.cut(wanted);
            self.minutes_from = wanted;
        }
        // A full hour, so that no row is dropped in part.
        let wanted = minute(kept_from.floor(HOUR_MS));
        if wanted > self.kept_from {
            self.minutes.cut(wanted);
            self.hours.cut(wanted);
            self.days.cut(wanted);
            self.kept_from = wanted;
        }
    }

    /// Returns the sum of the rows that start in `from..to`.
    pub fn sum(&self, from: UnixMillis, to: UnixMillis) -> Sums {
        let (from, to) = (first_minute(from), first_minute(to));
        self.minutes.sum(from, to) + self.hours.sum(from, to) + self.days.sum(from, to)
    }

    /// Returns the start of the first row that starts in `from..to` and holds more than what time alone
    /// costs.
    pub fn first_of_calls(&self, from: UnixMillis, to: UnixMillis) -> Option<UnixMillis> {
        let (from, to) = (first_minute(from), first_minute(to));
        let levels = [&self.minutes, &self.hours, &self.days];
        levels.iter().filter_map(|rows| rows.first_of_calls(from, to)).min().map(instant)
    }

    /// Returns the rows that start in `from..to`, by start; rows of different levels may have the same.
    pub fn rows(&self, from: UnixMillis, to: UnixMillis) -> Vec<(UnixMillis, Sums)> {
        let (from, to) = (first_minute(from), first_minute(to));
        let levels = [&self.minutes, &self.hours, &self.days];
        let mut rows: Vec<_> = levels.iter().flat_map(|rows| rows.iter(from, to)).collect();
        rows.sort_by_key(|(start, _)| *start);
        rows.into_iter().map(|(start, sums)| (instant(start), sums)).collect()
    }

    /// Visits the rows that start in `from..to` and are not longer than an hour, in no order.
    pub fn each_within_hours(
        &self,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(UnixMillis, &Sums),
    ) {
        let (from, to) = (first_minute(from), first_minute(to));
        for rows in [&self.hours, &self.minutes] {
            for (start, sums) in rows.iter(from, to) {
                visit(instant(start), &sums);
            }
        }
    }

    /// Returns the end of the last row that is a whole day: the time before it is not known by the hour.
    pub fn days_to(&self) -> Option<UnixMillis> {
        self.days.last().map(|start| instant(start).plus(DAY_MS))
    }

    /// Returns what is in rows that start before `boundary` and may end after it: it is counted before,
    /// but some of it may have been spent after.
    pub fn straddling(&self, boundary: UnixMillis, known: &Known) -> Sums {
        let at = first_minute(boundary);
        let days = self.days.sum(first_minute(boundary.plus(-1).floor(DAY_MS)), at);
        let of_day = if boundary.floor(DAY_MS) == boundary { Sums::default() } else { days };
        let hour = minute(boundary.floor(HOUR_MS));
        let may_straddle =
            |start: UnixMillis| start < known.cuts_from || known.cuts.end_of(start) > boundary;
        let hours = self.hours.iter(hour, at);
        let of_hours = hours.filter(|(start, _)| may_straddle(instant(*start)));
        of_day + of_hours.map(|(_, sums)| sums).sum()
    }
}

fn instant(minute: u32) -> UnixMillis {
    UnixMillis(i64::from(minute) * MINUTE_MS)
}

/// Returns the minute that holds `at`, the first or last there is for times beyond.
fn minute(at: UnixMillis) -> u32 {
    let minute = at.0.div_euclid(MINUTE_MS);
    u32::try_from(minute.max(0)).unwrap_or(u32::MAX)
}

/// Returns the first minute that starts at `at` or later.
fn first_minute(at: UnixMillis) -> u32 {
    minute(at.plus(MINUTE_MS - 1))
}

#[cfg(test)]
mod tests;
