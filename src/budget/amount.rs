//! What a budget counts: dollars or tokens, and the sums that calls come to.

use std::fmt;
use std::ops::{Add, AddAssign};

use crate::ledger::amounts::Row;
use crate::model::money::Usd;

/// An amount in the unit of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Amount {
    /// Dollars.
    Usd(Usd),
    /// Tokens of all classes.
    Tokens(u64),
}

/// Sums over calls. Adding two is exact, commutative and associative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sums {
    /// Everything that is paid: the tokens that have a price, and what is not paid by token.
    pub cost: Usd,
    /// The part of the cost that is paid by time: what calls come to tells nothing of it.
    pub standing: Usd,
    /// Tokens of all classes, those without a price included.
    pub tokens: u64,
    /// Tokens without a price.
    pub unpriced_tokens: u64,
    /// Calls, failed ones included.
    pub calls: u64,
}

impl Amount {
    /// Returns the amount of a limit's unit in `sums`.
    #[must_use]
    pub fn in_unit_of(self, sums: &Sums) -> Self {
        match self {
            Self::Usd(_) => Self::Usd(sums.cost),
            Self::Tokens(_) => Self::Tokens(sums.tokens),
        }
    }

    /// Returns the part of [`Self::in_unit_of`] that calls made, and not time.
    #[must_use]
    pub fn made_by_calls(self, sums: &Sums) -> Self {
        match self {
            Self::Usd(_) => Self::Usd(Usd(sums.cost.0.saturating_sub(sums.standing.0))),
            Self::Tokens(_) => Self::Tokens(sums.tokens),
        }
    }

    /// Returns the amount as a number: picodollars or tokens.
    pub fn number(self) -> i128 {
        match self {
            Self::Usd(usd) => usd.0,
            Self::Tokens(tokens) => i128::from(tokens),
        }
    }

    /// Returns this many picodollars or tokens, in the unit of `self`; no less than 0 tokens.
    #[must_use]
    pub fn with_number(self, number: i128) -> Self {
        match self {
            Self::Usd(_) => Self::Usd(Usd(number)),
            Self::Tokens(_) => Self::Tokens(u64::try_from(number.max(0)).unwrap_or(u64::MAX)),
        }
    }

    /// Returns the sum of both, in the unit of `self`, saturating.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.with_number(self.number().saturating_add(other.number()))
    }

    /// Returns what is left after `other`, in the unit of `self`; nothing if it is more than there is.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        self.with_number(self.number().saturating_sub(other.number()).max(0))
    }

    /// Returns dollars or tokens as a float, for display on `/metrics` only.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus values are floats")]
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Usd(usd) => usd.to_f64(),
            Self::Tokens(tokens) => tokens as f64,
        }
    }
}

/// Exact: `12.5 USD`, `1000 tokens`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usd(usd) => write!(f, "{usd} USD"),
            Self::Tokens(tokens) => write!(f, "{tokens} tokens"),
        }
    }
}

impl Sums {
    /// Returns the sums of a row of the ledger.
    pub fn of(row: &Row) -> Self {
        Self {
            cost: row.total_cost(),
            standing: Usd::ZERO,
            tokens: row.tokens.total(),
            unpriced_tokens: row.unpriced.total(),
            calls: row.outcomes.total(),
        }
    }

    /// Tells whether there is nothing in them.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the share of the tokens that have no price, 0 without any tokens.
    pub fn unpriced_ratio(&self) -> f64 {
        ratio(i128::from(self.unpriced_tokens), i128::from(self.tokens))
    }
}

impl Add for Sums {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            cost: self.cost + other.cost,
            standing: self.standing + other.standing,
            tokens: self.tokens.saturating_add(other.tokens),
            unpriced_tokens: self.unpriced_tokens.saturating_add(other.unpriced_tokens),
            calls: self.calls.saturating_add(other.calls),
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Sums {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::default(), Add::add)
    }
}

/// Returns `part / whole`, 0 if both are 0.
#[expect(
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a ratio is no money; it is off by some 10^-16 of itself"
)]
pub(super) fn ratio(part: i128, whole: i128) -> f64 {
    if part == 0 { 0.0 } else { part as f64 / whole as f64 }
}
