//! What may be tuned of each alert: whether it is on, its threshold, and how long something must hold.

use crate::ledger::histogram::DURATION_MS_BOUNDS;
use crate::model::alert::AlertName;
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// A part of a million: ratios are compared in integers, so that an evaluation gives the same anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ppm(pub u32);

impl Ppm {
    /// The whole.
    pub const ONE: Self = Self(1_000_000);

    /// Returns `percent` of the whole.
    pub const fn percent(percent: u32) -> Self {
        Self(percent * 10_000)
    }

    /// Tells whether `part` is more than this share of `whole`.
    pub fn is_below(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 1_000_000 > u128::from(whole) * u128::from(self.0)
    }

    /// Returns the share as a float, for texts and metrics.
    #[expect(clippy::float_arithmetic, reason = "a share is no money")]
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

/// How long an alert must hold to fire, and how long it goes on after it was last true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Milliseconds that it must be true before receivers are told.
    pub for_ms: i64,
    /// Milliseconds that it goes on firing after it was last true.
    pub keep_ms: i64,
}

/// A ratio of calls that is too high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatioRule {
    /// Whether it is looked at.
    pub enabled: bool,
    /// The share of calls above which it is a ticket.
    pub over: Ppm,
    /// The share of calls above which it is a page.
    pub page_over: Ppm,
    /// Fewest calls in the window; below, a ratio says nothing.
    pub calls_min: u32,
    /// Fewest calls that it must concern: one or two are chance.
    pub affected_min: u32,
    /// How long it must hold.
    pub patience: Patience,
}

/// How long a caller waits for an answer, and from when on a call is close to that. Both are bounds of the
/// histogram of durations, since rows hold no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyLimit {
    /// Place of the limit among [`DURATION_MS_BOUNDS`].
    place: u8,
}

impl LatencyLimit {
    /// 29 s, where API Gateway gives up by default (Amazon API Gateway quotas, "Maximum integration
    /// timeout").
    pub const API_GATEWAY: Self = Self { place: 11 };

    /// The limits that there may be, in milliseconds.
    pub fn allowed() -> impl Iterator<Item = u64> {
        DURATION_MS_BOUNDS.into_iter().skip(1)
    }

    /// Returns the limit of `ms` milliseconds, if that is one of [`Self::allowed`].
    pub fn of_ms(ms: u64) -> Option<Self> {
        let place = Self::allowed().position(|allowed| allowed == ms)? + 1;
        Some(Self { place: u8::try_from(place).ok()? })
    }

    /// Returns the limit in milliseconds.
    pub fn ms(self) -> u64 {
        DURATION_MS_BOUNDS.get(usize::from(self.place)).copied().unwrap_or(u64::MAX)
    }

    /// Returns from when on a call is close to the limit, in milliseconds: the bound below it.
    pub fn near_ms(self) -> u64 {
        let below = usize::from(self.place).checked_sub(1);
        below.and_then(|place| DURATION_MS_BOUNDS.get(place)).copied().unwrap_or(0)
    }

    /// Tells whether the calls at a place of the histogram are close to the limit or beyond it.
    pub fn is_near(self, place: u8) -> bool {
        place >= self.place
    }
}

/// Spend far above the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpikeRule {
    /// Whether it is looked at.
    pub enabled: bool,
    /// Dollars an hour below which no spend is a spike.
    pub floor: Usd,
    /// How long it must hold.
    pub patience: Patience,
}

/// Something that is late or old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeRule {
    /// Whether it is looked at.
    pub enabled: bool,
    /// Milliseconds after which it is late or old.
    pub over_ms: i64,
    /// How long it must hold.
    pub patience: Patience,
}

/// Claims of cost that differ from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DifferenceRule {
    /// Whether it is looked at.
    pub enabled: bool,
    /// The share of our cost by which claims may differ.
    pub over: Ppm,
    /// Dollars within the window below which no difference matters.
    pub floor: Usd,
    /// How long it must hold.
    pub patience: Patience,
}

/// Everything that may be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Spend far above the usual.
    pub spike: SpikeRule,
    /// Throttled calls.
    pub throttled: RatioRule,
    /// Denied calls.
    pub denied: RatioRule,
    /// Calls that time out.
    pub timeouts: RatioRule,
    /// Calls that take nearly as long as the gateway waits.
    pub slow: RatioRule,
    /// How long callers wait.
    pub latency_limit: LatencyLimit,
    /// Calls without an answer.
    pub empty: RatioRule,
    /// Answers that are filtered.
    pub filtered: RatioRule,
    /// Sources that are read late.
    pub lag: AgeRule,
    /// Sources that stopped.
    pub silence: AgeRule,
    /// The price book.
    pub prices: AgeRule,
    /// Models without a price.
    pub unpriced: RatioRule,
    /// Claims of cost.
    pub reported: DifferenceRule,
    /// Budgets: alerts by threshold, burn rate, forecast and blindness.
    pub budgets: Patience,
}

const fn patience(for_ms: i64, keep_ms: i64) -> Patience {
    Patience { for_ms, keep_ms }
}

const fn ratio(over: u32, page_over: u32, calls_min: u32) -> RatioRule {
    RatioRule {
        enabled: true,
        over: Ppm::percent(over),
        page_over: Ppm::percent(page_over),
        calls_min,
        affected_min: 5,
        patience: patience(2 * MINUTE_MS, 10 * MINUTE_MS),
    }
}

const fn age(over_ms: i64, for_ms: i64) -> AgeRule {
    AgeRule { enabled: true, over_ms, patience: patience(for_ms, 5 * MINUTE_MS) }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            // It must hold through several evaluations, and a page within half a minute is wanted.
            spike: SpikeRule {
                enabled: true,
                floor: Usd(50 * PICODOLLARS_PER_USD),
                patience: patience(5_000, 10 * MINUTE_MS),
            },
            // 5 % is the line that boards of peers draw.
            throttled: ratio(5, 25, 20),
            denied: ratio(5, 50, 20),
            timeouts: ratio(2, 20, 20),
            slow: ratio(5, 50, 20),
            latency_limit: LatencyLimit::API_GATEWAY,
            empty: ratio(5, 50, 20),
            filtered: ratio(10, 101, 20),
            lag: age(5 * MINUTE_MS, 2 * MINUTE_MS),
            silence: age(HOUR_MS, MINUTE_MS),
            prices: age(180 * DAY_MS, HOUR_MS),
            unpriced: RatioRule {
                patience: patience(MINUTE_MS, HOUR_MS),
                affected_min: 1,
                ..ratio(0, 101, 1)
            },
            reported: DifferenceRule {
                enabled: true,
                over: Ppm::percent(20),
                floor: Usd(PICODOLLARS_PER_USD),
                patience: patience(10 * MINUTE_MS, HOUR_MS),
            },
            budgets: patience(0, 10 * MINUTE_MS),
        }
    }
}

impl Rules {
    /// Returns how long an alert must hold and goes on.
    pub fn patience(&self, name: AlertName) -> Patience {
        match name {
            AlertName::BudgetThreshold
            | AlertName::BudgetBurnRateFast
            | AlertName::BudgetBurnRateSlow
            | AlertName::BudgetForecast
            | AlertName::BudgetBlind => self.budgets,
            AlertName::SpendSpike => self.spike.patience,
            AlertName::ThrottleRatio => self.throttled.patience,
            AlertName::AccessDeniedRatio => self.denied.patience,
            AlertName::TimeoutRatio => self.timeouts.patience,
            AlertName::LatencyNearLimit => self.slow.patience,
            AlertName::EmptyAnswers => self.empty.patience,
            AlertName::FilteredAnswers => self.filtered.patience,
            AlertName::IngestLag => self.lag.patience,
            AlertName::IngestSilent => self.silence.patience,
            AlertName::PriceBookStale => self.prices.patience,
            AlertName::UnpricedModel => self.unpriced.patience,
            AlertName::ReportedCostDiffers => self.reported.patience,
            AlertName::Test => patience(0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_limit_is_a_bound_and_near_is_the_one_below() {
        let gateway = LatencyLimit::API_GATEWAY;
        assert_eq!((gateway.ms(), gateway.near_ms()), (29_000, 25_000));
        for ms in LatencyLimit::allowed() {
            let limit = LatencyLimit::of_ms(ms).unwrap();
            assert_eq!(limit.ms(), ms);
            assert!(limit.near_ms() < ms);
        }
        assert_eq!(LatencyLimit::of_ms(29_000), Some(gateway));
        assert_eq!(LatencyLimit::of_ms(50), None);
        assert_eq!(LatencyLimit::of_ms(28_000), None);
    }
}
