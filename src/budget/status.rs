//! Where a budget stands at a given time.

use super::amount::{Amount, Sums, ratio};
use super::forecast::{Forecast, NoForecast, Question, Standing, forecast};
use super::pace::{Burn, WINDOWS, burn};
use super::period::Interval;
use super::plan::Budget;
use super::track::{Known, Track};
use crate::model::time::{MINUTE_MS, UnixMillis};

/// Where a budget stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The time it is about. The minute that holds it counts with all that came of it so far, and so does
    /// the hour where minutes are no longer kept.
    pub now: UnixMillis,
    /// The period.
    pub period: Interval,
    /// The limit, with what was carried over.
    pub limit: Amount,
    /// What the period before left of its own limit, as far as it is part of `limit`.
    pub carried: Amount,
    /// What was spent in the period, up to the minute of `now`.
    pub sums: Sums,
    /// The same in the unit of the limit.
    pub spent: Amount,
    /// What is left of the limit; nothing if it is used up.
    pub remaining: Amount,
    /// What was spent, as a share of the limit.
    pub used_ratio: f64,
    /// Burn rates by window, in the order of [`WINDOWS`].
    pub burns: [Burn; WINDOWS.len()],
    /// What the period will come to.
    pub forecast: Result<Forecast, NoForecast>,
    /// Whether and when the limit is used up.
    pub exhaustion: Exhaustion,
    /// Tokens without a price as a share of all in the period: what a budget in dollars is blind to.
    pub unpriced_ratio: f64,
    /// What is counted in the period before, though some of it may be of this one, since it is in a row
    /// that was longer when the ledger did not know of this budget.
    pub straddling: Sums,
}

/// Whether and when a limit is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhaustion {
    /// It is, since the row that starts then.
    Since(UnixMillis),
    /// It is expected to be then.
    At(UnixMillis),
    /// Not in this period, as far as the forecast tells.
    NotInPeriod,
    /// There is no forecast.
    Unknown,
}

impl Status {
    /// Returns where `budget` stands at `now`, by what is in `track`.
    ///
    /// The same rows give the same status in whatever order and pieces they came. It needs rows back to
    /// the beginning of the period, and `now` no more than an hour before a time at which the track was
    /// settled.
    pub fn of(budget: &Budget, track: &Track, known: &Known, now: UnixMillis) -> Self {
        Self::with(budget, track, known, Standing::NONE, now)
    }

    /// Does the same where some of what is counted is paid by time, as `standing` tells.
    pub fn with(
        budget: &Budget,
        track: &Track,
        known: &Known,
        standing: Standing<'_>,
        now: UnixMillis,
    ) -> Self {
        let period = budget.period.holding(now);
        let carried = carried(budget, track, known, period);
        let limit = budget.limit.plus(carried);
        let counted_to = period.end.min(now.floor(MINUTE_MS).plus(MINUTE_MS));
        let sums = track.sum(period.start, counted_to);
        let spent = limit.in_unit_of(&sums);
        let period_ms = period.length_ms();
        let burns = WINDOWS.map(|(_, window_ms)| burn(track, limit, period_ms, window_ms, now));
        let made = limit.made_by_calls(&sums);
        let question = Question { track, known, period, limit, spent, made, standing, now };
        let forecast =
            if budget.period.is_rolling() { Err(NoForecast::Rolling) } else { forecast(&question) };
        Self {
            now,
            period,
            limit,
            carried,
            sums,
            spent,
            remaining: limit.less(spent),
            used_ratio: ratio(spent.number(), limit.number()),
            burns,
            exhaustion: exhaustion(&question, &forecast, counted_to),
            forecast,
            unpriced_ratio: sums.unpriced_ratio(),
            straddling: track.straddling(period.start, known),
        }
    }

    /// Tells whether the limit is used up.
    pub fn is_exhausted(&self) -> bool {
        self.spent.number() >= self.limit.number()
    }
}

/// Returns what the period before left of its own limit. What is not known of as a whole leaves nothing:
/// a ledger that began in the middle of it can't tell.
fn carried(budget: &Budget, track: &Track, known: &Known, period: Interval) -> Amount {
    let nothing = budget.limit.with_number(0);
    if !budget.carry_over || budget.period.is_rolling() {
        return nothing;
    }
    let previous = budget.period.previous(period);
    if known.from.is_none_or(|from| from > previous.start) {
        return nothing;
    }
    let spent = budget.limit.in_unit_of(&track.sum(previous.start, previous.end));
    budget.limit.less(spent)
}

fn exhaustion(
    question: &Question<'_>,
    forecast: &Result<Forecast, NoForecast>,
    counted_to: UnixMillis,
) -> Exhaustion {
    let Question { track, period, limit, spent, .. } = *question;
    if spent.number() >= limit.number() {
        let mut total = 0_i128;
        for (start, sums) in track.rows(period.start, counted_to) {
            total = total.saturating_add(limit.in_unit_of(&sums).number());
            if total >= limit.number() {
                return Exhaustion::Since(start);
            }
        }
    }
    match forecast {
        Ok(Forecast { crossing: Some(at), .. }) => Exhaustion::At(*at),
        Ok(_) => Exhaustion::NotInPeriod,
        Err(_) => Exhaustion::Unknown,
    }
}

#[cfg(test)]
mod tests;
