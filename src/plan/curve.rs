//! What a month costs at a steady load, option by option: the lines of the plot, and where they cross.
//!
//! The load has the mix of the traffic that was: the same share of every class of tokens.

use super::fleet::Fleet;
use crate::model::money::Usd;

/// Hours in a month: a twelfth of 365 days.
pub const MONTH_HOURS: u64 = 730;
/// Minutes in an hour.
const HOUR_MINUTES: u64 = 60;

/// What a month costs at so many tokens a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// By the token.
    Line {
        /// What `tokens` cost.
        usd: Usd,
        /// How many those are; not 0.
        tokens: u64,
    },
    /// By the unit: as many as serve the load.
    Steps {
        /// Dollars per unit and hour.
        per_hour: Usd,
        /// Tokens that a unit serves a minute; not 0.
        unit: u64,
        /// Fewest units.
        least: u64,
    },
}

impl Curve {
    /// Returns the steps of `fleet` under a load of `input` and `output` tokens, whatever their sum.
    pub(super) fn of_fleet(fleet: &Fleet, input: u64, output: u64) -> Self {
        let (unit, least) = (unit_tokens(fleet, input, output), fleet.least);
        Self::Steps { per_hour: fleet.per_hour, unit, least }
    }

    /// Returns the dollars of a month at `load` tokens a minute, rounded up.
    pub fn month(&self, load: u64) -> Usd {
        match *self {
            Self::Line { usd, tokens } => {
                let month = load.saturating_mul(HOUR_MINUTES * MONTH_HOURS);
                let whole = i128::from(tokens.max(1));
                let (each, rest) = (usd.0 / whole, Usd(usd.0 % whole).times(month).0);
                // Both parts are of the same sign, so rounding up the rest rounds up the sum.
                Usd(each).times(month) + Usd(rest.saturating_add(whole - 1) / whole)
            }
            Self::Steps { per_hour, unit, least } => {
                per_hour.times(load.div_ceil(unit.max(1)).max(least)).times(MONTH_HOURS)
            }
        }
    }

    /// Returns the load at which the fewest units cost no more than what is paid by the token, in tokens a
    /// minute, rounded up; `None` where tokens cost nothing.
    pub(super) fn break_even(per_hour: Usd, least: u64, usd: Usd, tokens: u64) -> Option<u64> {
        let price = usd.0.checked_mul(i128::from(HOUR_MINUTES)).filter(|price| *price > 0)?;
        let hour = per_hour.times(least.max(1)).times(tokens).0;
        u64::try_from(hour.saturating_add(price - 1) / price).ok()
    }
}

/// Returns how many tokens a unit serves in a minute of a load of `input` and `output` tokens.
fn unit_tokens(fleet: &Fleet, input: u64, output: u64) -> u64 {
    let all = u128::from(input) + u128::from(output);
    let limits = [(fleet.input, input), (fleet.output, output)];
    let served = limits.into_iter().filter_map(|(limit, used)| {
        (used > 0).then_some(())?;
        Some(u128::from(limit?).saturating_mul(all) / u128::from(used))
    });
    let served = served.min().unwrap_or(u128::MAX);
    u64::try_from(served).unwrap_or(u64::MAX).max(1)
}
