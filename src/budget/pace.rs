//! How fast a budget burns: 1 is exactly the pace that uses up the limit by the end of the period.
//!
//! A window of width `w` at `now` is `now - w..=now` by event time, begun earlier by what it takes to
//! begin with a row: windows up to 6 hours begin with a minute, longer ones with a full hour. The minute
//! of `now` is part of it, with what came of it so far. The rate is that of what the window really is
//! long, so nothing is estimated: a constant rate gives the same burn rate in every window.

use super::amount::{Amount, Sums, ratio};
use super::period::Interval;
use super::track::Track;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// The windows whose burn rates are shown, with their names.
pub const WINDOWS: [(&str, i64); 6] = [
    ("5m", 5 * MINUTE_MS),
    ("30m", 30 * MINUTE_MS),
    ("1h", HOUR_MS),
    ("6h", 6 * HOUR_MS),
    ("1d", DAY_MS),
    ("3d", 3 * DAY_MS),
];
/// The widest window that is looked at by the minute.
pub const BY_MINUTE_MAX_MS: i64 = 6 * HOUR_MS;

/// What was spent in a window, and what pace that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burn {
    /// How wide the window is meant to be, in milliseconds.
    pub window_ms: i64,
    /// What it is: from its first row to now.
    pub interval: Interval,
    /// What was spent in it.
    pub sums: Sums,
    /// The pace: what was spent, as a share of the limit, over the window as a share of the period.
    pub rate: f64,
}

/// Returns the burn rate of a window of `window_ms` at `now`, for a limit of a period of `period_ms`.
pub fn burn(track: &Track, limit: Amount, period_ms: i64, window_ms: i64, now: UnixMillis) -> Burn {
    let interval = window(window_ms, now);
    let sums = track.sum(interval.start, interval.end);
    let spent = limit.in_unit_of(&sums).number();
    let rate = ratio(
        spent.saturating_mul(i128::from(period_ms)),
        limit.number().saturating_mul(i128::from(interval.length_ms())),
    );
    Burn { window_ms, interval, sums, rate }
}

/// Returns what a window of `window_ms` at `now` is.
pub fn window(window_ms: i64, now: UnixMillis) -> Interval {
    let row_ms = if window_ms <= BY_MINUTE_MAX_MS { MINUTE_MS } else { HOUR_MS };
    // The row that starts at this very instant is not over; one more millisecond takes it in.
    Interval { start: now.plus(-window_ms).floor(row_ms), end: now.plus(1) }
}

#[cfg(test)]
mod tests;
