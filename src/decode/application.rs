//! The application's own log of a successful call: one JSON object a line with `timestamp`,
//! `model_id`, a `usage` object in Anthropic's spelling, and what the application believes it cost.
//!
//! The estimate is kept beside our own price, never in its place.

use super::draft::{Draft, set_cache_writes};
use super::paths::Field;
use super::{Approximations, Invocation, Reject, scalar};
use crate::model::names::{Approximation, Operation, Outcome, RecordKind, Tier};
use crate::model::tokens::{TokenClass, TokenCounts};

/// Returns the call that a line tells of.
pub(super) fn invocation<'l>(draft: &mut Draft<'_, 'l>) -> Result<Invocation<'l>, Reject> {
    let model_id = draft.model_id(Field::AppModelId)?;
    let at = draft.at()?;
    let output = draft.count(Field::AppOutput)?;
    let total = draft.count(Field::AppTotal)?;
    let tokens = tokens(draft, output)?;
    let mut approximations = Approximations::NONE;
    // Nobody says whether such a total holds cached tokens, so both sums pass.
    let fresh = tokens.get(TokenClass::Input) + tokens.get(TokenClass::Output);
    if total.is_some_and(|total| total != fresh && total != tokens.total()) {
        approximations.insert(Approximation::TokenTotalMismatch);
    }
    Ok(Invocation {
        kind: RecordKind::Application,
        at,
        account: draft.text(Field::AppAccountId),
        region: draft.text(Field::Region),
        request_id: draft.text(Field::AppRequestId),
        operation: Operation::Unknown,
        model_id,
        invoked_model_id: None,
        identity_arn: None,
        attributes: draft.attribute_values(),
        tokens,
        reasoning_tokens: draft
            .hint(Field::AppReasoning)
            .map_or(0, |reasoning| reasoning.min(tokens.get(TokenClass::Output))),
        has_output_count: output.is_some(),
        max_tokens: None,
        tier: Tier::Standard,
        outcome: Outcome::Ok,
        error_code: None,
        stop_reason: None,
        latency_ms: None,
        first_byte_ms: None,
        reported_cost: draft.raw(Field::AppEstimate).and_then(scalar::dollars),
        approximations,
    })
}

fn tokens(draft: &Draft<'_, '_>, output: Option<u64>) -> Result<TokenCounts, Reject> {
    let mut tokens = TokenCounts::default();
    tokens.set(TokenClass::Input, draft.count(Field::AppInput)?.unwrap_or(0));
    tokens.set(TokenClass::Output, output.unwrap_or(0));
    tokens.set(TokenClass::CacheRead, draft.count(Field::AppCacheRead)?.unwrap_or(0));
    let parts = match (draft.count(Field::AppWrite5m)?, draft.count(Field::AppWrite1h)?) {
        (None, None) => None,
        (short, long) => Some((short.unwrap_or(0), long.unwrap_or(0))),
    };
    set_cache_writes(&mut tokens, draft.count(Field::AppCacheWrite)?, parts);
    Ok(tokens)
}
