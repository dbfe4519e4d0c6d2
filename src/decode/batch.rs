//! One answer of a batch inference job (`bedrock` user guide, page `batch-inference-results`).
//!
//! It tells neither when nor in which account nor by which model id: the model that the body names is
//! the family's own name for it, which no price list has. So its tokens are counted under the model
//! `unknown`, which has no price, until the config says what `unknown` stands for under `[models]`.

use std::borrow::Cow;

use super::draft::{Draft, set_cache_writes};
use super::paths::Field;
use super::{Approximations, Invocation, Reject};
use crate::model::error_class::{self, ErrorClass};
use crate::model::names::{Approximation, RecordKind, StopReason, Tier};
use crate::model::series::UNKNOWN;
use crate::model::time::UnixMillis;
use crate::model::tokens::{TokenClass, TokenCounts};

/// Tells whether a line is such an answer.
pub(super) fn is_one(draft: &Draft<'_, '_>) -> bool {
    draft.raw(Field::BatchRecordId).is_some()
        && (draft.raw(Field::BatchOutput).is_some() || draft.raw(Field::BatchErrorCode).is_some())
}

/// Returns the call that an answer is of.
pub(super) fn invocation<'l>(draft: &mut Draft<'_, 'l>) -> Result<Invocation<'l>, Reject> {
    let mut tokens = TokenCounts::default();
    let output = draft.count(Field::BodyOutput)?;
    tokens.set(TokenClass::Input, draft.count(Field::BodyInput)?.unwrap_or(0));
    tokens.set(TokenClass::Output, output.unwrap_or(0));
    let either = |one, other| draft.first_hint(&[one, other]);
    let cache_read = either(Field::BodyCacheRead, Field::ConverseCacheRead);
    tokens.set(TokenClass::CacheRead, cache_read.unwrap_or(0));
    let written = either(Field::BodyCacheWrite, Field::ConverseCacheWrite).filter(|&sum| sum > 0);
    if written.is_some() {
        let parts = (draft.hint(Field::BodyWrite5m), draft.hint(Field::BodyWrite1h));
        let parts = match parts {
            (None, None) => None,
            (short, long) => Some((short.unwrap_or(0), long.unwrap_or(0))),
        };
        set_cache_writes(&mut tokens, written, parts);
    }
    let error = draft.hint(Field::BatchErrorCode).map(|code| {
        let status = u32::try_from(code).ok().and_then(error_class::of_status);
        status.unwrap_or(ErrorClass::UNKNOWN)
    });
    let stop_reason = draft.text(Field::StopReason).map(|reason| StopReason::from_log(&reason));
    // It names neither account nor region; its record id is the caller's own and comes again in the
    // next job, so it is no request id.
    let call = Invocation {
        attributes: draft.attribute_values(),
        tokens,
        has_output_count: output.is_some(),
        tier: Tier::Batch,
        approximations: Approximations::NONE.with(Approximation::TimeUnknown),
        ..Invocation::new(RecordKind::BatchOutput, UnixMillis::UNKNOWN, Cow::Borrowed(UNKNOWN))
    };
    Ok(call.ended(error, stop_reason))
}
