//! The time that a plan is about, cut where rows of the ledger begin and end.

use crate::ledger::rollup::{Bucket, Horizons, Level};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// A time whose rows are whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub from: UnixMillis,
    /// The first instant behind it.
    pub to: UnixMillis,
    /// From when on the ledger knows minutes; before, it knows hours or days.
    pub minutes_from: UnixMillis,
}

impl Window {
    /// Returns the time from `since` to `until`, widened to full rows of the ledger. What is older than its days
    /// has no date, so that is never in it.
    pub fn of(since: UnixMillis, until: UnixMillis, horizons: &Horizons) -> Self {
        let from = match horizons.bucket(since) {
            Bucket { level: Level::Ever, .. } => horizons.days_from,
            bucket => bucket.start(),
        };
        let last = until.plus(-1).max(from);
        let to = end(horizons.bucket(last), horizons);
        Self { from, to, minutes_from: horizons.minutes_from.clamp(from, to) }
    }

    /// Returns the same time without what lies before `first`, where nothing was known yet.
    #[must_use]
    pub(super) fn beginning_at(self, first: UnixMillis) -> Self {
        let from = first.clamp(self.from, self.to);
        Self { from, minutes_from: self.minutes_from.max(from), ..self }
    }

    /// Returns the hours, a started one for a full one: so AWS bills model units.
    pub fn hours(&self) -> u64 {
        let ms = self.to.0.saturating_sub(self.from.0).max(0).unsigned_abs();
        ms.div_ceil(HOUR_MS.unsigned_abs())
    }

    /// Returns the minutes that the ledger knows one by one.
    pub fn known_minutes(&self) -> u64 {
        let ms = self.to.0.saturating_sub(self.minutes_from.0).max(0);
        (ms / MINUTE_MS).unsigned_abs()
    }
}

/// Returns the first instant behind a bucket.
pub(super) fn end(bucket: Bucket, horizons: &Horizons) -> UnixMillis {
    let start = bucket.start();
    match bucket.level {
        Level::Minute => start.plus(MINUTE_MS),
        Level::Hour => horizons.cuts.end_of(start),
        Level::Day | Level::Ever => start.plus(DAY_MS),
    }
}
