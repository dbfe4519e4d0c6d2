//! The sums that conditions, spikes and explanations are made of: a small part of a row.

use super::rules::LatencyLimit;
use crate::budget::amount::Sums;
use crate::ledger::amounts::Row;
use crate::ledger::counts::Counts;
use crate::model::money::Usd;
use crate::model::names::{Outcome, RecordKind, ThrottleKind};
use crate::model::tokens::TokenClass;
use crate::quota::tracker::QuotaPart;

/// Sums over calls. Adding two is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Calls.
    pub calls: u32,
    /// Calls that ended well.
    pub ok: u32,
    /// Throttled calls.
    pub throttled: u32,
    /// Calls that an application's log told, and the throttled ones of these; the others are of the service's.
    pub application: [u32; 2],
    /// Throttled calls whose error names the limit: requests, tokens, tokens of the day.
    pub told: [u32; 3],
    /// Denied calls.
    pub denied: u32,
    /// Calls that timed out.
    pub timeouts: u32,
    /// Calls that ended well without an output token.
    pub empty: u32,
    /// Answers stopped by guardrails or content filters.
    pub filtered: u32,
    /// Calls whose duration is known.
    pub timed: u32,
    /// Of these, calls that took nearly as long as callers wait, or longer.
    pub slow: u32,
    /// Retries that errors tell of.
    pub retries: u32,
    /// Input tokens, all input classes summed.
    pub input_tokens: u64,
    /// Input tokens read from a cache.
    pub cached_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Tokens without a price.
    pub unpriced_tokens: u64,
    /// Cost of priced tokens.
    pub cost: Usd,
    /// What is paid by time, bytes or calls.
    pub charge: Usd,
    /// What applications claim as cost.
    pub reported: Usd,
    /// What we compute for the calls whose cost was claimed.
    pub basis: Usd,
}

impl Facts {
    /// Returns the facts of a row.
    pub fn of(row: &Row, limit: LatencyLimit) -> Self {
        let outcome = |outcome| small(row.outcomes.get(outcome));
        let slow = row.durations.iter().filter(|&(place, _)| limit.is_near(place));
        Self {
            calls: small(row.outcomes.total()),
            ok: outcome(Outcome::Ok),
            throttled: outcome(Outcome::Throttled),
            application: [
                small(row.kinds.get(RecordKind::Application)),
                small(throttles(row, |kind, _| kind == RecordKind::Application)),
            ],
            told: TOLD.map(|told| small(throttles(row, |_, kind| kind == told))),
            denied: outcome(Outcome::AccessDenied),
            timeouts: outcome(Outcome::Timeout),
            empty: small(row.empty_responses),
            filtered: outcome(Outcome::Filtered),
            timed: small(row.durations.total()),
            slow: small(slow.map(|(_, calls)| calls).sum()),
            retries: small(row.retries),
            input_tokens: row.tokens.total_input(),
            cached_tokens: row.tokens.get(TokenClass::CacheRead),
            output_tokens: row.tokens.get(TokenClass::Output),
            unpriced_tokens: row.unpriced.total(),
            cost: row.cost.0.into_iter().sum(),
            charge: row.charge,
            reported: row.reported_cost,
            basis: row.reported_basis,
        }
    }

    /// Returns the part that budgets look at; `is_standing` tells whether the charge is paid by time.
    pub fn sums(&self, is_standing: bool) -> Sums {
        Sums {
            cost: self.cost + self.charge,
            standing: if is_standing { self.charge } else { Usd::ZERO },
            tokens: self.input_tokens + self.output_tokens,
            unpriced_tokens: self.unpriced_tokens,
            calls: self.calls.into(),
        }
    }

    /// Returns the part that quotas look at.
    pub fn of_quota(&self) -> QuotaPart {
        let mut told = Counts::default();
        for (kind, calls) in TOLD.into_iter().zip(self.told) {
            told.add(kind, calls.into());
        }
        let input = self.input_tokens.saturating_sub(self.cached_tokens);
        QuotaPart { input, output: self.output_tokens, told }
    }

    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        let counts = [
            (&mut self.calls, other.calls),
            (&mut self.ok, other.ok),
            (&mut self.throttled, other.throttled),
            (&mut self.denied, other.denied),
            (&mut self.timeouts, other.timeouts),
            (&mut self.empty, other.empty),
            (&mut self.filtered, other.filtered),
            (&mut self.timed, other.timed),
            (&mut self.slow, other.slow),
            (&mut self.retries, other.retries),
        ];
        let arrays = self.application.iter_mut().zip(other.application);
        let arrays = arrays.chain(self.told.iter_mut().zip(other.told));
        for (mine, theirs) in counts.into_iter().chain(arrays) {
            *mine = mine.saturating_add(theirs);
        }
        self.input_tokens += other.input_tokens;
        self.cached_tokens += other.cached_tokens;
        self.output_tokens += other.output_tokens;
        self.unpriced_tokens += other.unpriced_tokens;
        self.cost += other.cost;
        self.charge += other.charge;
        self.reported += other.reported;
        self.basis += other.basis;
    }
}

/// The limits that errors name, in the order of [`Facts::told`].
const TOLD: [ThrottleKind; 3] =
    [ThrottleKind::Requests, ThrottleKind::Tokens, ThrottleKind::TokensPerDay];

fn throttles(row: &Row, is_wanted: impl Fn(RecordKind, ThrottleKind) -> bool) -> u64 {
    let wanted = row.throttles.iter().filter(|&((log, kind), _)| is_wanted(log, kind));
    wanted.map(|(_, calls)| calls).sum()
}

/// A count of calls of a few minutes: four billion are more than any ledger meets.
fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::amounts::Amounts;
    use crate::ledger::histogram::DURATION_MS_BOUNDS;
    use crate::model::names::Operation;

    #[test]
    fn slow_calls_are_those_above_the_bound_below_the_limit() {
        let mut amounts = Amounts::default();
        for ms in [100, 25_000, 25_001, 29_000, 29_001, 400_000] {
            amounts.requests.add((Operation::Converse, Outcome::Ok), 1);
            amounts.duration_ms.observe(&DURATION_MS_BOUNDS, ms);
        }
        let facts = Facts::of(&amounts.row(), LatencyLimit::API_GATEWAY);
        assert_eq!((facts.calls, facts.ok, facts.timed, facts.slow), (6, 6, 6, 4));
        let lenient = LatencyLimit::of_ms(60_000).unwrap();
        assert_eq!(Facts::of(&amounts.row(), lenient).slow, 1);
    }
}
