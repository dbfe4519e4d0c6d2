//! Amazon Bedrock's model invocation log (`bedrock` user guide, page
//! `model-invocation-logging`): the meaning of its fields.
//!
//! The record's own counts are what Bedrock billed and always win; a body is written by the caller
//! or the model and only fills what the record leaves open. Records without bodies are complete.

use super::draft::{Draft, set_cache_writes};
use super::paths::Field;
use super::{Approximations, Invocation, Reject};
use crate::model::error_class::{self, ErrorClass};
use crate::model::names::{
    Approximation, Operation, Outcome, RecordKind, StopReason, ThrottleKind, Tier,
};
use crate::model::tokens::{TokenClass, TokenCounts};

/// Returns the call that a record tells of.
pub(super) fn invocation<'l>(draft: &mut Draft<'_, 'l>) -> Result<Invocation<'l>, Reject> {
    let model_id = draft.model_id(Field::ModelId)?;
    let at = draft.at()?;
    let output = draft.count(Field::Output)?.or_else(|| {
        draft.first_hint(&[Field::BodyOutput, Field::MetricsOutput, Field::StartOutput])
    });
    let tokens = tokens(draft, output)?;
    let mut approximations = Approximations::NONE;
    if !total_agrees(draft) {
        approximations.insert(Approximation::TokenTotalMismatch);
    }
    let tier = tier(draft, &mut approximations);
    let stop_reason = draft.text(Field::StopReason).map(|reason| StopReason::from_log(&reason));
    let error = error(draft);
    Ok(Invocation {
        kind: RecordKind::BedrockInvocation,
        at,
        account: draft.text(Field::AccountId),
        region: draft.text(Field::Region),
        request_id: draft.text(Field::RequestId),
        part: 0,
        operation: operation(draft),
        model_id,
        invoked_model_id: draft.text(Field::InvokedModelId),
        identity_arn: draft.text(Field::IdentityArn),
        attributes: draft.attribute_values(),
        tokens,
        reasoning_tokens: draft
            .hint(Field::BodyReasoning)
            .map_or(0, |reasoning| reasoning.min(tokens.get(TokenClass::Output))),
        has_output_count: output.is_some(),
        max_tokens: draft.hint(Field::MaxTokens),
        has_prompt: draft.has(Field::Prompt),
        tier,
        outcome: outcome(draft, error, stop_reason),
        error_code: error.map(|error| error.code),
        retries_exhausted: None,
        throttle: error.map_or(ThrottleKind::Unknown, |error| error.throttle),
        stop_reason,
        latency_ms: draft.first_hint(&[Field::Latency, Field::MetricsLatency]),
        first_byte_ms: draft.hint(Field::MetricsFirstByte),
        reported_cost: None,
        approximations,
    })
}

fn tokens(draft: &Draft<'_, '_>, output: Option<u64>) -> Result<TokenCounts, Reject> {
    let input = draft
        .count(Field::Input)?
        .or_else(|| draft.first_hint(&[Field::BodyInput, Field::MetricsInput, Field::StartInput]));
    let cache_read = draft.count(Field::CacheRead)?.or_else(|| {
        draft.first_hint(&[
            Field::ConverseCacheRead,
            Field::BodyCacheRead,
            Field::MetricsCacheRead,
            Field::StartCacheRead,
        ])
    });
    let cache_write = draft.count(Field::CacheWrite)?.or_else(|| {
        draft.first_hint(&[
            Field::ConverseCacheWrite,
            Field::BodyCacheWrite,
            Field::MetricsCacheWrite,
            Field::StartCacheWrite,
        ])
    });
    let mut tokens = TokenCounts::default();
    tokens.set(TokenClass::Input, input.unwrap_or(0));
    tokens.set(TokenClass::CacheRead, cache_read.unwrap_or(0));
    tokens.set(TokenClass::Output, output.unwrap_or(0));
    if cache_write != Some(0) {
        set_cache_writes(&mut tokens, cache_write, write_parts(draft));
    }
    Ok(tokens)
}

/// Returns the cache writes for five minutes and for one hour, where a body tells them apart.
fn write_parts(draft: &Draft<'_, '_>) -> Option<(u64, u64)> {
    let details = draft.slots.details();
    if details.any {
        return Some((details.write_5m, details.write_1h));
    }
    match (draft.hint(Field::BodyWrite5m), draft.hint(Field::BodyWrite1h)) {
        (None, None) => None,
        (short, long) => Some((short.unwrap_or(0), long.unwrap_or(0))),
    }
}

/// Tells whether the sum in the body's usage is the sum of its parts. Converse counts cached tokens
/// in; whether Nova's own answer does is not documented, so both sums pass there.
fn total_agrees(draft: &Draft<'_, '_>) -> bool {
    let Some(total) = draft.hint(Field::BodyTotal) else { return true };
    let sum = |fields: &[Field]| fields.iter().filter_map(|&field| draft.hint(field)).sum::<u64>();
    let fresh = sum(&[Field::BodyInput, Field::BodyOutput]);
    let converse = sum(&[Field::ConverseCacheRead, Field::ConverseCacheWrite]);
    let nova = sum(&[Field::BodyCacheRead, Field::BodyCacheWrite]);
    total == fresh + converse || total == fresh + converse + nova
}

/// Returns the tier. Only Converse answers tell which one served; a request tells what it asked for.
fn tier(draft: &Draft<'_, '_>, approximations: &mut Approximations) -> Tier {
    let (name, served) = match draft.text(Field::TierServed) {
        Some(name) => (name, true),
        None => match draft.text(Field::TierAsked) {
            Some(name) => (name, false),
            None => return Tier::Standard,
        },
    };
    let tier = Tier::from_log(&name);
    if tier.is_none() || (!served && tier != Some(Tier::Standard)) {
        approximations.insert(Approximation::TierAssumed);
    }
    tier.unwrap_or(Tier::Standard)
}

fn operation(draft: &Draft<'_, '_>) -> Operation {
    match draft.text(Field::Operation).as_deref() {
        None => Operation::Unknown,
        Some("InvokeModel") => Operation::InvokeModel,
        Some("Converse") => Operation::Converse,
        Some("InvokeModelWithResponseStream") => Operation::InvokeModelWithResponseStream,
        Some("ConverseStream") => Operation::ConverseStream,
        Some("InvokeModelWithBidirectionalStream") => Operation::InvokeModelWithBidirectionalStream,
        Some("StartAsyncInvoke") => Operation::StartAsyncInvoke,
        Some(_) => Operation::Other,
    }
}

/// Returns the error of a failed call. An empty code is none; one of another type is an error all
/// the same.
fn error(draft: &Draft<'_, '_>) -> Option<ErrorClass> {
    draft.raw(Field::ErrorCode)?;
    match draft.text(Field::ErrorCode) {
        Some(code) if code.is_empty() => None,
        Some(code) => Some(error_class::classify(&code).unwrap_or(ErrorClass::UNKNOWN)),
        None => Some(ErrorClass::UNKNOWN),
    }
}

fn outcome(
    draft: &Draft<'_, '_>,
    error: Option<ErrorClass>,
    stop_reason: Option<StopReason>,
) -> Outcome {
    if let Some(error) = error {
        return error.outcome;
    }
    // A guardrail that cuts a stream of `InvokeModel` leaves the model's own stop reason in place.
    let intervened = draft.raw(Field::GuardrailAction) == Some(b"\"INTERVENED\"");
    if intervened || stop_reason.is_some_and(StopReason::is_filtered) {
        Outcome::Filtered
    } else {
        Outcome::Ok
    }
}
