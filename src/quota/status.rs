//! Where a quota stands: what is left of it, how its use grows, and when the limit is reached. Numbers for people:
//! nothing is decided by them.
#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "ratios, slopes and times of forecasts are for people"
)]

use super::flow::MinuteUse;
use super::kind::QuotaKind;
use super::limits::Limit;
use crate::model::time::{DAY_MS, MINUTE_MS, UnixMillis};

/// One quota of a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaStatus {
    /// Of what.
    pub kind: QuotaKind,
    /// The limit, if any is known.
    pub limit: Option<Limit>,
    /// What the last full minute used of it, or the day so far.
    pub used: u64,
    /// The most that was taken of it at once, with reservations: what is compared with the limit.
    pub peak: u64,
    /// What is left of the limit, 0 to 1.
    pub headroom: Option<f64>,
    /// By how much `used` grows a minute.
    pub slope: f64,
    /// When the limit is reached if it goes on so; none if it does not grow.
    pub exhausted: Option<UnixMillis>,
}

/// Returns where a quota stands, of whose limit `peak` was taken at once and `used` in all, at the time `at`.
pub(super) fn quota(
    kind: QuotaKind,
    limit: Option<Limit>,
    used: u64,
    peak: u64,
    slope: f64,
    at: UnixMillis,
) -> QuotaStatus {
    let value = limit.map(|limit| limit.value as f64);
    let most = used.max(peak) as f64;
    let headroom = value.map(|value| if value > 0.0 { (1.0 - most / value).max(0.0) } else { 0.0 });
    let exhausted = value.and_then(|value| {
        let left = value - used as f64;
        if left <= 0.0 {
            return Some(at);
        }
        let ms = left / slope * MINUTE_MS as f64;
        // More than a day ahead is no more than a guess, and the limit of a day begins anew with the next one.
        let most = match kind {
            QuotaKind::TokensPerDay => at.floor(DAY_MS).0 + DAY_MS - at.0,
            QuotaKind::TokensPerMinute | QuotaKind::RequestsPerMinute => DAY_MS,
        };
        (slope > 0.0 && ms < most as f64).then(|| at.plus(ms as i64))
    });
    QuotaStatus { kind, limit, used, peak, headroom, slope, exhausted }
}

/// Returns the mean over minutes.
pub(super) fn mean(minutes: &[MinuteUse], of: fn(&MinuteUse) -> u64) -> f64 {
    let sum: u64 = minutes.iter().map(of).sum();
    sum as f64 / minutes.len().max(1) as f64
}

/// Returns by how much a minute grows over the one before: the least squares line.
pub(super) fn slope(minutes: &[MinuteUse], of: fn(&MinuteUse) -> u64) -> f64 {
    let count = minutes.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let (mut over, mut under) = (0.0, 0.0);
    for (place, minute) in minutes.iter().enumerate() {
        let from_middle = place as f64 - middle;
        over += from_middle * of(minute) as f64;
        under += from_middle * from_middle;
    }
    if under > 0.0 { over / under } else { 0.0 }
}
