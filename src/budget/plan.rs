//! A budget as the config describes it.

use std::fmt;

use super::amount::Amount;
use super::period::Period;
use super::scope::{Label, Scope};
use super::tracks::TrackRule;
use crate::model::money::Usd;
use crate::model::time::DAY_MS;

/// How much history forecasts look at, in milliseconds.
pub const HISTORY_MS: i64 = 56 * DAY_MS;
/// What is kept beyond what is needed now, so that the status of a somewhat earlier time is right too.
const SLACK_MS: i64 = 2 * DAY_MS;

/// An amount that calls in scope may come to in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Unique among the budgets.
    pub name: String,
    /// The limit of each period; more than 0.
    pub limit: Amount,
    /// The periods.
    pub period: Period,
    /// What is counted. Scopes may overlap: each budget counts what is in its own.
    pub scope: Scope,
    /// Parts of the limit that are worth telling, in order, without doubles.
    pub thresholds: Vec<Threshold>,
    /// Whether what the period before left over is added to the limit.
    pub carry_over: bool,
    /// Where set, each value of this label has a budget of its own, with the same limit.
    pub per: Option<Label>,
    /// Whether the gate refuses calls once it is used up.
    pub enforce: bool,
    /// What the gate says while it can't know.
    pub fail: Fail,
    /// Dollars in a burn rate's window below which it is not worth telling.
    pub floor: Usd,
}

/// A part of a limit in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(pub u32);

/// What a gate says while it can't know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fail {
    /// Calls may go on.
    #[default]
    Open,
    /// Calls are refused.
    Closed,
}

impl Budget {
    /// Returns the tracks that this budget needs.
    pub fn track_rule(&self) -> TrackRule {
        TrackRule {
            scope: self.scope.clone(),
            per: self.per.clone(),
            keep_ms: HISTORY_MS.max(self.reach_ms()) + SLACK_MS,
        }
    }

    /// Returns how far back this budget looks for its period, and for the one before if that carries over.
    pub fn reach_ms(&self) -> i64 {
        self.period.longest_ms() * if self.carry_over { 2 } else { 1 }
    }
}

impl Threshold {
    /// Hundredths of a percent in one.
    const WHOLE: u32 = 10_000;
    /// The largest, 1000 %.
    const MAX: u32 = 100_000;

    /// Reads `80%` or `99.5%`, more than 0 and at most 1000.
    pub fn parse(text: &str) -> Option<Self> {
        let percent = Usd::parse_exact(text.strip_suffix('%')?).ok()?;
        let step = crate::model::money::PICODOLLARS_PER_USD / 100;
        let hundredths = u32::try_from(percent.0 / step).ok()?;
        (percent.0 % step == 0 && (1..=Self::MAX).contains(&hundredths)).then_some(Self(hundredths))
    }

    /// Tells whether `spent` of `limit` has reached this part, exactly.
    pub fn is_reached(self, spent: Amount, limit: Amount) -> bool {
        let part = limit.number().saturating_mul(i128::from(self.0));
        spent.number().saturating_mul(i128::from(Self::WHOLE)) >= part
    }
}

/// `80%`, `99.5%`.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match (rest, rest % 10) {
            (0, _) => write!(f, "{whole}%"),
            (_, 0) => write!(f, "{whole}.{}%", rest / 10),
            _ => write!(f, "{whole}.{rest:02}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_percentages() {
        for (text, hundredths) in [
            ("50%", Some(5_000)),
            ("99.5%", Some(9_950)),
            ("0.01%", Some(1)),
            ("1000%", Some(100_000)),
            ("0%", None),
            ("-5%", None),
            ("0.001%", None),
            ("1001%", None),
            ("50", None),
            ("0.5", None),
            ("%", None),
        ] {
            assert_eq!(Threshold::parse(text).map(|threshold| threshold.0), hundredths, "{text}");
        }
        for text in ["50%", "99.5%", "0.01%", "7.05%"] {
            assert_eq!(Threshold::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_threshold_is_reached_exactly() {
        let usd = |picodollars| Amount::Usd(Usd(picodollars));
        let threshold = Threshold::parse("80%").unwrap();
        assert!(!threshold.is_reached(usd(799_999_999_999), usd(1_000_000_000_000)));
        assert!(threshold.is_reached(usd(800_000_000_000), usd(1_000_000_000_000)));
        assert!(threshold.is_reached(Amount::Tokens(8), Amount::Tokens(10)));
        assert!(!threshold.is_reached(Amount::Tokens(7), Amount::Tokens(10)));
    }
}
