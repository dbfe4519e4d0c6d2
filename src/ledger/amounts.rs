//! What is summed for a series: everything the metrics show ([`Amounts`]) and the part of it that
//! history keeps ([`Row`]).

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::histogram::Histogram;
use crate::model::money::Usd;
use crate::model::names::{
    Approximation, ErrorCode, Operation, Outcome, RecordKind, StopReason, ThrottleKind,
    UnpricedReason,
};
use crate::model::tokens::{ByClass, TokenClass, TokenCounts};

/// Sums over calls. Adding two is exact, commutative and associative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Calls by operation and outcome.
    pub requests: Counts<(Operation, Outcome)>,
    /// Failed calls by error code.
    pub errors: Counts<ErrorCode>,
    /// Retries that failed calls' errors tell of.
    pub retries: u64,
    /// Failed calls that came after the last retry.
    pub retries_exhausted: u64,
    /// Calls by the kind of log that told them.
    pub kinds: Counts<RecordKind>,
    /// Throttled calls by the kind of log that told them, and the limit they ran into.
    pub throttles: Counts<(RecordKind, ThrottleKind)>,
    /// Answers by stop reason.
    pub stop_reasons: Counts<StopReason>,
    /// Calls that ended well without an output token, where the log counts output.
    pub empty_responses: u64,
    /// Tokens by class.
    pub tokens: TokenCounts,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Cost by class, of the tokens that have a price.
    pub cost: ByClass<Usd>,
    /// Cost of the tokens of calls that failed.
    pub wasted_cost: Usd,
    /// What is paid by time, bytes or calls and not by tokens.
    pub charge: Usd,
    /// What the applications' own logs claim.
    pub reported_cost: Usd,
    /// What we compute for the calls whose cost was claimed.
    pub reported_basis: Usd,
    /// Tokens without a price.
    pub unpriced: Counts<(TokenClass, UnpricedReason)>,
    /// Calls whose amounts rest on an assumption.
    pub approximated: Counts<Approximation>,
    /// Duration of calls in milliseconds.
    pub duration_ms: Histogram,
    /// Time to the first byte in milliseconds.
    pub first_byte_ms: Histogram,
    /// Input tokens of calls, all input classes summed.
    pub input_tokens: Histogram,
    /// Output tokens of calls.
    pub output_tokens: Histogram,
}

impl Amounts {
    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        self.requests.merge(&other.requests);
        self.errors.merge(&other.errors);
        self.retries += other.retries;
        self.retries_exhausted += other.retries_exhausted;
        self.kinds.merge(&other.kinds);
        self.throttles.merge(&other.throttles);
        self.stop_reasons.merge(&other.stop_reasons);
        self.empty_responses += other.empty_responses;
        self.tokens += &other.tokens;
        self.reasoning_tokens += other.reasoning_tokens;
        self.cost += &other.cost;
        self.wasted_cost += other.wasted_cost;
        self.charge += other.charge;
        self.reported_cost += other.reported_cost;
        self.reported_basis += other.reported_basis;
        self.unpriced.merge(&other.unpriced);
        self.approximated.merge(&other.approximated);
        self.duration_ms.merge(&other.duration_ms);
        self.first_byte_ms.merge(&other.first_byte_ms);
        self.input_tokens.merge(&other.input_tokens);
        self.output_tokens.merge(&other.output_tokens);
    }

    /// Returns the tokens without a price, for whatever reason.
    pub fn unpriced_by_class(&self) -> TokenCounts {
        let mut unpriced = TokenCounts::default();
        for ((class, _), count) in self.unpriced.iter() {
            unpriced.set(class, unpriced.get(class) + count);
        }
        unpriced
    }

    /// Returns what history keeps of these amounts.
    pub fn row(&self) -> Row {
        let mut outcomes = Counts::default();
        for ((_, outcome), count) in self.requests.iter() {
            outcomes.add(outcome, count);
        }
        let mut durations = Counts::default();
        for (place, &calls) in (0..).zip(&self.duration_ms.buckets) {
            durations.add(place, calls);
        }
        Row {
            outcomes,
            kinds: self.kinds.clone(),
            throttles: self.throttles.clone(),
            tokens: self.tokens,
            reasoning_tokens: self.reasoning_tokens,
            cost: self.cost,
            wasted_cost: self.wasted_cost,
            charge: self.charge,
            reported_cost: self.reported_cost,
            reported_basis: self.reported_basis,
            unpriced: self.unpriced_by_class(),
            empty_responses: self.empty_responses,
            retries: self.retries,
            retries_exhausted: self.retries_exhausted,
            durations,
        }
    }
}

/// Sums over the calls of one series in one time bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Calls by outcome.
    pub outcomes: Counts<Outcome>,
    /// Calls by the kind of log that told them.
    pub kinds: Counts<RecordKind>,
    /// Throttled calls by the kind of log that told them, and the limit they ran into.
    pub throttles: Counts<(RecordKind, ThrottleKind)>,
    /// Tokens by class.
    pub tokens: TokenCounts,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Cost by class, of the tokens that have a price.
    pub cost: ByClass<Usd>,
    /// Cost of the tokens of calls that failed, a part of `cost`.
    pub wasted_cost: Usd,
    /// What is paid by time, bytes or calls and not by tokens.
    pub charge: Usd,
    /// What the applications' own logs claim.
    pub reported_cost: Usd,
    /// What we compute for the calls whose cost was claimed.
    pub reported_basis: Usd,
    /// Tokens without a price, by class.
    pub unpriced: TokenCounts,
    /// Calls that ended well without an output token.
    pub empty_responses: u64,
    /// Retries that failed calls' errors tell of.
    pub retries: u64,
    /// Failed calls that came after the last retry.
    pub retries_exhausted: u64,
    /// Calls whose duration is known, by place among [`super::histogram::DURATION_MS_BOUNDS`].
    pub durations: Counts<u8>,
}

impl Row {
    /// Returns everything that is paid: tokens, and what is not paid by token.
    pub fn total_cost(&self) -> Usd {
        self.cost.0.into_iter().sum::<Usd>() + self.charge
    }

    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        self.outcomes.merge(&other.outcomes);
        self.kinds.merge(&other.kinds);
        self.throttles.merge(&other.throttles);
        self.tokens += &other.tokens;
        self.reasoning_tokens += other.reasoning_tokens;
        self.cost += &other.cost;
        self.wasted_cost += other.wasted_cost;
        self.charge += other.charge;
        self.reported_cost += other.reported_cost;
        self.reported_basis += other.reported_basis;
        self.unpriced += &other.unpriced;
        self.empty_responses += other.empty_responses;
        self.retries += other.retries;
        self.retries_exhausted += other.retries_exhausted;
        self.durations.merge(&other.durations);
    }
}
