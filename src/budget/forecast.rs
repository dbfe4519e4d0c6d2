//! What a period will have come to at its end, and when it crosses the limit.
//!
//! With two weeks of hours the shape of the coming hours is that of the same hours of the last weeks
//! (their mean, for up to eight weeks), as high as the last seven days were. The band comes from how far
//! days and weeks were from that. Hours of the week are those of UTC: when the clocks change, the shape
//! is off by an hour until the weeks before are forgotten. With less history the pace of the period so
//! far goes on, with a wide band. History begins with the first row in scope: what is new has none, and
//! must not be taken for something that rests on most days. What is paid by time (`standing`) has no part
//! in pace and shape: what it comes to is known, and is added. Estimates only: what is known stays in picodollars.
#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "an estimate is no money; what is known of it comes from whole numbers"
)]

use super::amount::Amount;
use super::period::Interval;
use super::plan::HISTORY_MS;
use super::track::{Known, Track};
use crate::model::money::Usd;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

const HOURS_PER_WEEK: usize = 168;
const HOURS_PER_DAY: usize = 24;
const WEEK_MS: i64 = 7 * DAY_MS;
/// Fewest weeks of history that tell one hour of the week from another.
const WEEKS_MIN: usize = 2;
/// Standard deviations to the ends of a band that holds four of five outcomes, if they were normal.
const BAND: f64 = 1.2816;
/// Part of a period that must be over before its pace says something, and the least time.
const PACE_PART: i64 = 20;
const PACE_MIN_MS: i64 = 10 * MINUTE_MS;
/// How far the rest of a period may be from the pace so far.
const PACE_LOW: f64 = 0.5;
const PACE_HIGH: f64 = 2.0;

/// What a period comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// What is most likely.
    pub expected: Amount,
    /// Less is unlikely (one in ten, by the hours of the week).
    pub low: Amount,
    /// More is unlikely (one in ten, by the hours of the week).
    pub high: Amount,
    /// How it was made.
    pub method: Method,
    /// When the expected amount crosses the limit, if it does in this period and has not yet.
    pub crossing: Option<UnixMillis>,
}

/// How a forecast is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// From the hours of the week.
    HourOfWeek {
        /// How many weeks of history there were.
        weeks: usize,
    },
    /// From the pace of the period so far.
    Pace,
}

/// Why there is no forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoForecast {
    /// Too little of the period is over, or known, to tell its pace.
    TooEarly {
        /// When it can be told.
        until: UnixMillis,
    },
    /// A rolling period has no end.
    Rolling,
}

/// What is paid by time, whatever is called: how much from one instant to another.
#[derive(Clone, Copy)]
pub struct Standing<'s>(pub &'s dyn Fn(UnixMillis, UnixMillis) -> Usd);

impl Standing<'_> {
    /// Nothing is paid by time.
    pub const NONE: Standing<'static> = Standing(&|_, _| Usd::ZERO);
}

/// What a forecast is made of.
#[derive(Clone, Copy)]
pub(super) struct Question<'t> {
    pub(super) track: &'t Track,
    pub(super) known: &'t Known,
    pub(super) period: Interval,
    /// Limit of the period; its unit is that of the forecast.
    pub(super) limit: Amount,
    /// What the period came to so far.
    pub(super) spent: Amount,
    /// The part of that which calls made.
    pub(super) made: Amount,
    pub(super) standing: Standing<'t>,
    pub(super) now: UnixMillis,
}

impl Question<'_> {
    /// Returns since when there is something to go by: since the first row of the history (or of the
    /// period, if that is longer), as far as that is known.
    fn since(&self) -> Option<UnixMillis> {
        let looked_at = self.now.floor(HOUR_MS).plus(-HISTORY_MS).min(self.period.start);
        // By the hour, since a minute becomes one.
        let first = self.track.first_of_calls(looked_at, self.now.plus(1));
        let first = first.map(|first| first.floor(HOUR_MS));
        self.known.from.map(|from| from.max(first.unwrap_or(from)))
    }

    /// Returns what time alone comes to in `from..to`, in the unit of the limit.
    fn standing(&self, from: UnixMillis, to: UnixMillis) -> f64 {
        match self.limit {
            Amount::Usd(_) => (self.standing.0)(from, to).0 as f64,
            Amount::Tokens(_) => 0.0,
        }
    }
}

impl Method {
    /// Returns the name used in texts and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HourOfWeek { .. } => "hour_of_week",
            Self::Pace => "pace",
        }
    }
}

/// Returns what the period comes to. It must have an end.
pub(super) fn forecast(question: &Question<'_>) -> Result<Forecast, NoForecast> {
    match Shape::of(question) {
        Some(shape) => Ok(by_hour_of_week(question, &shape)),
        None => by_pace(question),
    }
}

fn by_pace(question: &Question<'_>) -> Result<Forecast, NoForecast> {
    let Question { period, limit, spent, made, now, .. } = *question;
    let from = question.since().map_or(now, |from| from.max(period.start));
    let needed_ms = PACE_MIN_MS.max(period.length_ms() / PACE_PART);
    let elapsed_ms = now.0 - from.0;
    let standing = question.standing(now.floor(MINUTE_MS), period.end);
    // Where nothing was ever called, what is paid by time is all there is to know.
    let is_standing_only = made.number() == 0 && standing > 0.0;
    if elapsed_ms < needed_ms && !is_standing_only {
        return Err(NoForecast::TooEarly { until: from.plus(needed_ms) });
    }
    let rest_ms = (period.end.0 - now.0) as f64;
    let per_ms = if elapsed_ms > 0 { made.number() as f64 / elapsed_ms as f64 } else { 0.0 };
    let rest = per_ms * rest_ms;
    let left = (limit.number() - spent.number()) as f64;
    let all_per_ms = per_ms + standing / rest_ms;
    let crossing =
        (left > 0.0 && rest + standing > left).then(|| now.plus((left / all_per_ms) as i64));
    let to = |rest: f64| with_rest(spent, rest + standing);
    Ok(Forecast {
        expected: to(rest),
        low: to(rest * PACE_LOW),
        high: to(rest * PACE_HIGH),
        method: Method::Pace,
        crossing,
    })
}

/// What the hours of a week come to.
struct Shape {
    weeks: usize,
    /// The first hour of the history, at which a week begins here.
    from: UnixMillis,
    /// What each hour of the week is expected to come to.
    hours: [f64; HOURS_PER_WEEK],
    /// Mean of what days were off by, squared.
    day_variance: f64,
    /// Mean of what weeks were off by, squared.
    week_variance: f64,
}

impl Shape {
    /// Returns the shape of the weeks before the hour of now, if enough of them are known.
    fn of(question: &Question<'_>) -> Option<Self> {
        let Question { track, limit, now, .. } = *question;
        let to = now.floor(HOUR_MS);
        let known_from = question.since()?.max(track.days_to().unwrap_or_default());
        let known_ms = (to.0 - known_from.0).clamp(0, HISTORY_MS);
        let weeks = usize::try_from(known_ms / WEEK_MS).ok()?;
        if weeks < WEEKS_MIN {
            return None;
        }
        let count = weeks * HOURS_PER_WEEK;
        let from = to.plus(-(weeks as i64) * WEEK_MS);
        // Whole numbers first: floats would depend on the order and the pieces in which rows came.
        let mut exact = vec![0_i128; count];
        track.each_within_hours(from, to, |start, sums| {
            let place = usize::try_from((start.0 - from.0) / HOUR_MS).ok();
            if let Some(hour) = place.and_then(|place| exact.get_mut(place)) {
                *hour = hour.saturating_add(limit.made_by_calls(sums).number());
            }
        });
        let history: Vec<f64> = exact.into_iter().map(|hour| hour as f64).collect();
        let mut hours = [0.0; HOURS_PER_WEEK];
        for week in history.chunks_exact(HOURS_PER_WEEK) {
            for (hour, value) in hours.iter_mut().zip(week) {
                *hour += value / weeks as f64;
            }
        }
        let usual: f64 = hours.iter().sum();
        let week_of = |week: &[f64]| week.iter().sum::<f64>();
        let totals: Vec<f64> = history.chunks_exact(HOURS_PER_WEEK).map(week_of).collect();
        let week_variance = variance(totals.iter().map(|total| total - usual), weeks);
        // Days against their share of their own week, so that what a week is off by counts once.
        let mut off_by = Vec::with_capacity(weeks * 7);
        for (week, total) in history.chunks_exact(HOURS_PER_WEEK).zip(&totals) {
            let level = if usual > 0.0 { total / usual } else { 0.0 };
            let days = week.chunks(HOURS_PER_DAY).zip(hours.chunks(HOURS_PER_DAY));
            off_by.extend(days.map(|(day, shape)| week_of(day) - week_of(shape) * level));
        }
        let day_variance = variance(off_by.iter().copied(), weeks * 6);
        let level = totals.last().filter(|_| usual > 0.0).map_or(0.0, |last| last / usual);
        for hour in &mut hours {
            *hour *= level;
        }
        Some(Self { weeks, from, hours, day_variance, week_variance })
    }

    /// Returns what the hour that starts at `start` is expected to come to.
    fn hour(&self, start: UnixMillis) -> f64 {
        let hours = (start.0 - self.from.0).div_euclid(HOUR_MS);
        let place = usize::try_from(hours).unwrap_or(0) % HOURS_PER_WEEK;
        self.hours.get(place).copied().unwrap_or(0.0)
    }
}

/// Returns the sum of squares over what a sample of `count` leaves free.
fn variance(off_by: impl Iterator<Item = f64>, count: usize) -> f64 {
    off_by.map(|off| off * off).sum::<f64>() / (count.saturating_sub(1).max(1)) as f64
}

fn by_hour_of_week(question: &Question<'_>, shape: &Shape) -> Forecast {
    let Question { period, limit, spent, now, .. } = *question;
    let left = (limit.number() - spent.number()) as f64;
    let standing = question.standing(now.floor(MINUTE_MS), period.end);
    let (mut rest, mut standing_before) = (0.0, 0.0);
    let mut crossing = None;
    let mut hour = now.floor(HOUR_MS);
    while hour < period.end {
        let begin = hour.max(now);
        let end = hour.plus(HOUR_MS).min(period.end);
        let part = shape.hour(hour) * (end.0 - begin.0) as f64 / HOUR_MS as f64;
        if crossing.is_none() && left > 0.0 {
            let of_hour = if standing > 0.0 { question.standing(begin, end) } else { 0.0 };
            let (before, all) = (rest + standing_before, part + of_hour);
            if before + all > left {
                crossing =
                    Some(begin.plus(((left - before) / all * (end.0 - begin.0) as f64) as i64));
            }
            standing_before += of_hour;
        }
        rest += part;
        hour = hour.plus(HOUR_MS);
    }
    let rest_ms = (period.end.0 - now.0) as f64;
    // Days are off on their own, weeks all alike: the one grows with the root of time, the other with time.
    let of_days = shape.day_variance * rest_ms / DAY_MS as f64;
    let part_of_week = rest_ms / WEEK_MS as f64;
    let of_weeks = shape.week_variance * part_of_week * part_of_week;
    let spread = BAND * (of_days + of_weeks).sqrt();
    Forecast {
        expected: with_rest(spent, rest + standing),
        low: with_rest(spent, (rest - spread).max(0.0) + standing),
        high: with_rest(spent, rest + spread + standing),
        method: Method::HourOfWeek { weeks: shape.weeks },
        crossing,
    }
}

fn with_rest(spent: Amount, rest: f64) -> Amount {
    spent.with_number(spent.number().saturating_add(rest.round() as i128))
}

#[cfg(test)]
mod tests;
