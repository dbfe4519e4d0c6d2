//! The part of a stored row that usage is summed from.

use crate::ledger::amounts::Row;
use crate::model::money::Usd;
use crate::model::names::Outcome;
use crate::model::tokens::{ByClass, TokenCounts};

/// What was used by one series in one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Calls by outcome.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Tokens by class.
    pub tokens: TokenCounts,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Cost by class, of the tokens that have a price.
    pub cost: ByClass<Usd>,
    /// Cost of the tokens of calls that failed.
    pub wasted: Usd,
    /// What is paid by time, bytes or calls and not by token.
    pub charge: Usd,
    /// What the applications' own logs claim.
    pub reported: Usd,
    /// Tokens without a price, by class.
    pub unpriced: TokenCounts,
}

impl From<&Row> for Used {
    fn from(row: &Row) -> Self {
        Self {
            outcomes: row.outcomes.iter().collect(),
            tokens: row.tokens,
            reasoning_tokens: row.reasoning_tokens,
            cost: row.cost,
            wasted: row.wasted_cost,
            charge: row.charge,
            reported: row.reported_cost,
            unpriced: row.unpriced,
        }
    }
}

impl Used {
    /// Returns how many calls there were.
    pub fn requests(&self) -> u64 {
        self.outcomes.iter().map(|(_, count)| count).sum()
    }

    /// Returns everything that is paid, as far as it has a price.
    pub fn spent(&self) -> Usd {
        self.cost.0.iter().copied().sum::<Usd>() + self.charge
    }
}
