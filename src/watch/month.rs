//! This month, for who has no budget for it: what everything comes to so far, and what it will come to.

use crate::budget::amount::Amount;
use crate::budget::period::{Cycle, Period};
use crate::budget::plan::{Budget, Fail};
use crate::budget::scope::Scope;
use crate::budget::zone::Zone;
use crate::model::money::Usd;

/// More than anybody spends in a month, so that it is never reached and limits nothing.
const NO_LIMIT: Amount = Amount::Usd(Usd(i128::MAX >> 32));

/// Returns what looks like a budget and is none: everything, by the month of UTC, as AWS bills it.
pub(super) fn everything() -> Budget {
    Budget {
        name: String::new(),
        limit: NO_LIMIT,
        period: Period { cycle: Cycle::Month { day: 1 }, zone: Zone::UTC },
        scope: Scope::default(),
        thresholds: Vec::new(),
        carry_over: false,
        per: None,
        enforce: false,
        fail: Fail::Open,
        floor: Usd::ZERO,
    }
}
