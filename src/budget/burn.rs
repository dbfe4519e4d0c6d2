//! When a burn rate is worth telling: the rules of error budgets, made to fit money.
//!
//! The rules say which share of a period's budget may go in a window before someone is told: 2 % in an
//! hour is a page, 5 % in six hours a ticket (for 30 days, factors 14.4 and 6, as in the SRE workbook). A
//! window is over only if it and a shorter one are, so an alert ends soon after the spending does.
//!
//! Periods of other lengths keep the shares: the factor is share × period / window. Shorter ones also
//! have shorter windows, in proportion to 30 days, but not below what logs that come in bundles of some
//! minutes can fill. There the share grows instead: an error budget normally burns near 0 but money near
//! 1, and who works 40 of 168 hours burns at 4.2 all day, so no factor is below 12 for a page and 5 for a
//! ticket. Where more than half of the budget would be gone before a rule could tell, there is no rule:
//! hours have thresholds only.
//!
//! | period | page | ticket | notice |
//! |---|---|---|---|
//! | quarter (90 d) | 2 % in 1 h (43.2), 5 m | 5 % in 6 h (18), 30 m | 1.2 over 3 d and forecast |
//! | month (30 d) | 2 % in 1 h (14.4), 5 m | 5 % in 6 h (6), 30 m | 1.2 over 3 d and forecast |
//! | week | 2 % in 15 m (13.44), 5 m | 5 % in 84 m (6), 7 m | 1.2 over 1 d and forecast |
//! | day | 12.5 % in 15 m (12), 5 m | 10.4 % in 30 m (5), 5 m | 1.2 over 1 d and forecast |
//! | hour | none | none | none |

use super::amount::{Amount, ratio};
use super::pace::{Burn, burn};
use super::plan::Budget;
use super::status::Status;
use super::track::Track;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// The period that shares and windows are given for.
const PERIOD_MS: i64 = 30 * DAY_MS;
/// What the shorter window is a part of.
const SHORT_PART: i64 = 12;
/// The shortest window: logs come in bundles of some minutes.
const SHORT_MIN_MS: i64 = 5 * MINUTE_MS;
/// The pace of a window of days above which a forecast over the limit is worth a notice.
const NOTICE_FACTOR: Factor = Factor { numerator: 6, denominator: 5 };

/// How urgent a burn rate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Wake someone.
    Page,
    /// Within a working day.
    Ticket,
    /// The forecast is over the limit, and days, not hours, say so.
    Notice,
}

/// A pace, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Above the line.
    pub numerator: i64,
    /// Below it.
    pub denominator: i64,
}

/// A rule for one length of period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How urgent it is.
    pub urgency: Urgency,
    /// The pace from which on it holds.
    pub factor: Factor,
    /// The window, in milliseconds.
    pub long_ms: i64,
    /// The window that confirms it.
    pub short_ms: Option<i64>,
}

/// What a rule says of a budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The rule.
    pub rule: Rule,
    /// The window.
    pub long: Burn,
    /// The window that confirms it.
    pub short: Option<Burn>,
    /// Whether what was spent in the window is worth telling at all.
    pub is_above_floor: bool,
    /// Whether, beside the pace, everything is so that it would be told.
    pub is_worth_telling: bool,
    /// Whether it should be told.
    pub holds: bool,
}

/// What a rule is for a period of 30 days.
struct Model {
    urgency: Urgency,
    share_percent: i64,
    long_ms: i64,
    /// The shortest that `long_ms` becomes.
    long_min_ms: i64,
    factor_min: i64,
}

const MODELS: [Model; 2] = [
    Model {
        urgency: Urgency::Page,
        share_percent: 2,
        long_ms: HOUR_MS,
        long_min_ms: 15 * MINUTE_MS,
        factor_min: 12,
    },
    Model {
        urgency: Urgency::Ticket,
        share_percent: 5,
        long_ms: 6 * HOUR_MS,
        long_min_ms: 30 * MINUTE_MS,
        factor_min: 5,
    },
];

impl Factor {
    /// Returns it as a float.
    pub fn to_f64(self) -> f64 {
        ratio(i128::from(self.numerator), i128::from(self.denominator))
    }

    /// Tells whether a window's pace is at least this, exactly.
    fn is_reached(self, burn: &Burn, limit: Amount, period_ms: i64) -> bool {
        let spent = limit.in_unit_of(&burn.sums).number();
        let pace = spent
            .saturating_mul(i128::from(period_ms))
            .saturating_mul(i128::from(self.denominator));
        let wanted = limit
            .number()
            .saturating_mul(i128::from(burn.interval.length_ms()))
            .saturating_mul(i128::from(self.numerator));
        pace >= wanted
    }
}

/// Returns the rules for a period of `period_ms`.
pub fn rules(period_ms: i64) -> Vec<Rule> {
    let mut rules: Vec<Rule> = MODELS.iter().filter_map(|model| model.rule(period_ms)).collect();
    // A local day is an hour shorter when summer time begins.
    if period_ms >= DAY_MS - HOUR_MS {
        // Whole days, so that day and night are in it alike.
        let long_ms = (period_ms / 10).div_euclid(DAY_MS).clamp(1, 3) * DAY_MS;
        let urgency = Urgency::Notice;
        rules.push(Rule { urgency, factor: NOTICE_FACTOR, long_ms, short_ms: None });
    }
    rules
}

impl Model {
    fn rule(&self, period_ms: i64) -> Option<Rule> {
        let in_proportion = whole_minutes(self.long_ms.saturating_mul(period_ms) / PERIOD_MS);
        let long_ms = in_proportion.clamp(self.long_min_ms, self.long_ms);
        let short_ms = whole_minutes(long_ms / SHORT_PART).max(SHORT_MIN_MS);
        let shared = Factor {
            numerator: self.share_percent.saturating_mul(period_ms),
            denominator: long_ms.saturating_mul(100),
        };
        let least = Factor { numerator: self.factor_min, denominator: 1 };
        let is_less = shared.numerator < least.numerator.saturating_mul(shared.denominator);
        let factor = if is_less { least } else { shared };
        // More than half of the budget: factor × window > period / 2.
        let gone = i128::from(factor.numerator) * i128::from(long_ms) * 2;
        let rule = Rule { urgency: self.urgency, factor, long_ms, short_ms: Some(short_ms) };
        (gone <= i128::from(period_ms) * i128::from(factor.denominator)).then_some(rule)
    }
}

impl Verdict {
    /// Returns how near the rule is to hold: the pace of the slower window as a part of the rule's, at
    /// least 1 exactly where it holds. 0 while too little was spent, or the forecast is within the limit.
    #[expect(clippy::float_arithmetic, reason = "a ratio to be shown")]
    pub fn score(&self) -> f64 {
        let slower = self.short.map_or(self.long.rate, |short| short.rate.min(self.long.rate));
        let score = slower / self.rule.factor.to_f64();
        if self.holds {
            score.max(1.0)
        } else if self.is_worth_telling {
            // A float may round up to what was not reached.
            score.min(1.0 - f64::EPSILON)
        } else {
            0.0
        }
    }
}

fn whole_minutes(ms: i64) -> i64 {
    ms / MINUTE_MS * MINUTE_MS
}

/// Returns what each rule says of a budget at the time of `status`.
pub fn verdicts(budget: &Budget, track: &Track, status: &Status) -> Vec<Verdict> {
    let Status { limit, period, now, .. } = *status;
    let period_ms = period.length_ms();
    let look = |window_ms| burn(track, limit, period_ms, window_ms, now);
    let verdict = |rule: Rule| {
        let (long, short) = (look(rule.long_ms), rule.short_ms.map(look));
        let is_over = |burn: &Burn| rule.factor.is_reached(burn, limit, period_ms);
        let is_above_floor = match limit {
            Amount::Usd(_) => long.sums.cost >= budget.floor,
            Amount::Tokens(_) => true,
        };
        let is_forecast = match (rule.urgency, &status.forecast) {
            (Urgency::Notice, Ok(forecast)) => forecast.expected.number() > limit.number(),
            (Urgency::Notice, Err(_)) => false,
            _ => true,
        };
        let is_confirmed = short.as_ref().is_none_or(is_over);
        let is_worth_telling = is_above_floor && is_forecast;
        let holds = is_over(&long) && is_confirmed && is_worth_telling;
        Verdict { rule, long, short, is_above_floor, is_worth_telling, holds }
    };
    rules(period_ms).into_iter().map(verdict).collect()
}

#[cfg(test)]
mod tests;
