//! What a token costs: the shapes in which the price book answers.
//!
//! Core: no I/O. It must never turn a missing price into zero.

use crate::model::money::Usd;
use crate::model::names::{Approximations, UnpricedReason};
use crate::model::time::UnixMillis;
use crate::model::tokens::ByClass;

/// The price of one token, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// Dollars per token.
    Priced(Usd),
    /// No price.
    Unpriced(UnpricedReason),
}

/// The prices of one series while nothing in the price book changes.
#[derive(Clone, Copy, Debug)]
pub struct RateCard {
    /// Price by class.
    pub prices: ByClass<Price>,
    /// What the prices rest on.
    pub approximations: Approximations,
    /// First instant at which the card holds.
    pub valid_from: UnixMillis,
    /// First instant at which it does not hold any more.
    pub valid_to: UnixMillis,
}
