//! Up to when time is believed to have passed: a clock that is set ahead must not charge days that did not
//! happen, and days on which the daemon did not run must be charged.
//!
//! While the daemon runs, time passes as its monotonic clock says. A clock that is further ahead than that
//! was set, or the machine slept: nobody knows, so it is believed once a record of a log is as late, or
//! once it has gone on for an hour. At a start there is nothing to compare with but what is known of the
//! past, so days of absence are believed, and months only as a jump is.

use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// How far the clock may be ahead of where it should be without a doubt.
const SLACK_MS: i64 = 10 * MINUTE_MS;
/// How far a record may be behind the clock to bear witness for it.
const WITNESS_MS: i64 = HOUR_MS;
/// After how long a clock is believed without a witness.
const STEADY_MS: i64 = HOUR_MS;
/// The longest absence that is believed at a start.
const ABSENCE_MS: i64 = 31 * DAY_MS;

/// Up to when time is believed to have passed.
#[derive(Clone, Copy, Debug)]
pub struct Believed {
    /// Up to when it is.
    at: UnixMillis,
    /// What the clock said at the last look, and for how long the daemon had run.
    wall: UnixMillis,
    ran_ms: i64,
    /// For how long the daemon had run when the clock was first doubted.
    doubted: Option<i64>,
}

impl Believed {
    /// Begins at a start of the daemon. `known` is the latest time that the ledger knows of.
    pub fn new(known: Option<UnixMillis>, now: UnixMillis) -> Self {
        let is_absence = known.is_none_or(|known| now.0.saturating_sub(known.0) <= ABSENCE_MS);
        let (at, doubted) = match known {
            Some(known) if !is_absence => (known, Some(0)),
            _ => (now, None),
        };
        Self { at, wall: now, ran_ms: 0, doubted }
    }

    /// Looks at the clock, which says `now` after the daemon has run for `ran_ms`. `witness` is the latest
    /// time of a record, as its log tells it. Returns up to when time is believed to have passed.
    pub fn look(&mut self, now: UnixMillis, ran_ms: i64, witness: UnixMillis) -> UnixMillis {
        let passed = ran_ms.saturating_sub(self.ran_ms).max(0);
        let is_stepped = (now.0 - self.wall.0 - passed).abs() > SLACK_MS;
        self.wall = now;
        self.ran_ms = ran_ms;
        let expected = self.at.plus(passed);
        if now <= expected.plus(SLACK_MS) {
            self.doubted = None;
            self.at = now;
            return self.at;
        }
        let since = match self.doubted {
            Some(since) if !is_stepped => since,
            _ => ran_ms,
        };
        self.doubted = Some(since);
        let is_witnessed = witness >= now.plus(-WITNESS_MS);
        if is_witnessed || ran_ms - since >= STEADY_MS {
            self.doubted = None;
            self.at = now;
        } else {
            self.at = expected;
        }
        self.at
    }

    /// Tells whether the clock is ahead of what is believed.
    pub fn is_doubted(&self) -> bool {
        self.doubted.is_some()
    }
}
