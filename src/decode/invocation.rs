//! What a decoder found in one line: a call of a model.

use std::borrow::Cow;

use crate::model::error_class::ErrorClass;
use crate::model::money::Usd;
use crate::model::names::{
    Approximations, ErrorCode, Operation, Outcome, RecordKind, StopReason, ThrottleKind, Tier,
};
use crate::model::time::UnixMillis;
use crate::model::tokens::TokenCounts;

/// One call of a model, as one log line tells it. Borrowed from the line where possible.
///
/// It has no field for bodies, and none may be added: what is not here can't leak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation<'l> {
    /// Which log told it.
    pub kind: RecordKind,
    /// When the call was made.
    pub at: UnixMillis,
    /// AWS account id.
    pub account: Option<Cow<'l, str>>,
    /// Region that was called.
    pub region: Option<Cow<'l, str>>,
    /// Id of the request; the same for all logs of one call, another one for each retry.
    pub request_id: Option<Cow<'l, str>>,
    /// Which of several calls it is that one record tells of, from 1 on; 0 if it is the only one. The
    /// request id is then that of the record.
    pub part: u32,
    /// API operation.
    pub operation: Operation,
    /// Model id, profile id or ARN, as logged.
    pub model_id: Cow<'l, str>,
    /// The model that a prompt router chose (Converse `trace.promptRouter.invokedModelId`).
    pub invoked_model_id: Option<Cow<'l, str>>,
    /// ARN of the caller.
    pub identity_arn: Option<Cow<'l, str>>,
    /// Values of the request metadata that the config chose as attributes, in its order; `None`
    /// where the call has none. Empty, and not allocated, if the config chose none.
    pub attributes: Vec<Option<Cow<'l, str>>>,
    /// Tokens by class; a class that the log does not name is 0.
    pub tokens: TokenCounts,
    /// Output tokens spent on reasoning, a subset of the output.
    pub reasoning_tokens: u64,
    /// Whether the log names a count of output tokens (embedding calls have none).
    pub has_output_count: bool,
    /// The limit on output that the request asked for.
    pub max_tokens: Option<u64>,
    /// Whether the log holds the request's body, so that a limit which is not there was not asked for.
    pub has_prompt: bool,
    /// Tier that served the call (or was asked for, see `approximations`).
    pub tier: Tier,
    /// How the call ended.
    pub outcome: Outcome,
    /// Error code of a failed call.
    pub error_code: Option<ErrorCode>,
    /// Retries that the client made before it gave up, where the log tells. Each of them was an
    /// attempt more.
    pub retries_exhausted: Option<u32>,
    /// Which limit a throttled call ran into, where the log tells.
    pub throttle: ThrottleKind,
    /// Why the model stopped.
    pub stop_reason: Option<StopReason>,
    /// Duration of the call in milliseconds.
    pub latency_ms: Option<u64>,
    /// Time to the first byte of a streamed answer in milliseconds.
    pub first_byte_ms: Option<u64>,
    /// What the application's own log claims the call cost.
    pub reported_cost: Option<Usd>,
    /// What had to be assumed.
    pub approximations: Approximations,
}

impl<'l> Invocation<'l> {
    /// Returns a call of which nothing is known but which log told it, its time and its model.
    pub(super) fn new(kind: RecordKind, at: UnixMillis, model_id: Cow<'l, str>) -> Self {
        Self {
            kind,
            at,
            account: None,
            region: None,
            request_id: None,
            part: 0,
            operation: Operation::Unknown,
            model_id,
            invoked_model_id: None,
            identity_arn: None,
            attributes: Vec::new(),
            tokens: TokenCounts::default(),
            reasoning_tokens: 0,
            has_output_count: false,
            max_tokens: None,
            has_prompt: false,
            tier: Tier::Standard,
            outcome: Outcome::Ok,
            error_code: None,
            retries_exhausted: None,
            throttle: ThrottleKind::Unknown,
            stop_reason: None,
            latency_ms: None,
            first_byte_ms: None,
            reported_cost: None,
            approximations: Approximations::NONE,
        }
    }

    /// Returns the call with how it ended: an error tells, and without one why the model stopped.
    pub(super) fn ended(self, error: Option<ErrorClass>, stop_reason: Option<StopReason>) -> Self {
        let is_filtered = stop_reason.is_some_and(StopReason::is_filtered);
        let without_error = if is_filtered { Outcome::Filtered } else { Outcome::Ok };
        Self {
            outcome: error.map_or(without_error, |error| error.outcome),
            error_code: error.map(|error| error.code),
            retries_exhausted: error.and_then(|error| error.retries_exhausted),
            throttle: error.map_or(ThrottleKind::Unknown, |error| error.throttle),
            stop_reason,
            ..self
        }
    }

    /// Returns the invocation without its borrow of the line.
    pub fn into_owned(self) -> Invocation<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Invocation {
            account: self.account.map(owned),
            region: self.region.map(owned),
            request_id: self.request_id.map(owned),
            model_id: owned(self.model_id),
            invoked_model_id: self.invoked_model_id.map(owned),
            identity_arn: self.identity_arn.map(owned),
            attributes: self.attributes.into_iter().map(|text| text.map(owned)).collect(),
            ..self
        }
    }
}
