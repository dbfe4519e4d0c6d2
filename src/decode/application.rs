//! The application's own log of a call: one JSON object a line with a time, a model, and usage or an
//! error, in the spellings that are common. What the application believes the call cost is kept beside
//! our own price, never in its place.
//!
//! Where a line tells a thing twice, the order of the lists here decides, never the order in the line.
//! Error texts are matched against the table of known ones and dropped.

use std::borrow::Cow;

use super::draft::Draft;
use super::paths::Field;
use super::slots::FieldSet;
use super::{Approximations, Invocation, Reject, scalar, usage};
use crate::model::error_class::{self, ErrorClass};
use crate::model::names::{Approximation, RecordKind, StopReason};
use crate::model::time::UnixMillis;
use crate::model::tokens::TokenClass;

const MODELS: &[Field] = &[
    Field::AppModelId,
    Field::ModelId,
    Field::AppModelRequested,
    Field::AppModel,
    Field::AppModelName,
];
const TIMES: &[Field] =
    &[Field::Timestamp, Field::AppAtTimestamp, Field::AppTime, Field::AppTs, Field::EmfTime];
const CALLERS: &[Field] = &[Field::IdentityArn, Field::AppPrincipal, Field::AppRoleArn];
const STOP_REASONS: &[Field] =
    &[Field::AppStopReason, Field::AppFinishReason, Field::AppStopReasonCamel];
const LATENCIES: &[Field] =
    &[Field::AppLatency, Field::AppLatencyCamel, Field::AppDuration, Field::AppLatencyPascal];
const ACCOUNTS: &[Field] = &[Field::AppAccountId, Field::AccountId];
const REGIONS: &[Field] = &[Field::Region, Field::AppRegion];
const OUTPUT_LIMITS: &[Field] = &[Field::AppMaxTokens];
const FIRST_TOKENS: &[Field] = &[Field::AppFirstToken, Field::AppTimeToFirstToken];
/// What the application claims that the call cost.
pub(super) const CLAIM: Field = Field::AppEstimate;
/// What is measured of a call beside its counts.
pub(super) const MEASURED: &[&[Field]] = &[LATENCIES, FIRST_TOKENS, &[Field::AppReasoning, CLAIM]];
/// What only a failed call has: codes before texts, since they are exact.
const ERRORS: &[Field] = &[
    Field::ErrorCode,
    Field::AppErrorCode,
    Field::AppErrorInnerCode,
    Field::AppErrorInnerType,
    Field::AppErrorType,
    Field::AppExceptionType,
    Field::AppException,
    Field::AppExceptionMessage,
    Field::AppError,
    Field::AppErrorMessage,
];

/// What few lines have: one look tells that a line has none of it.
const RARE: FieldSet = FieldSet::of(STOP_REASONS)
    .union(FieldSet::of(LATENCIES))
    .union(FieldSet::of(FIRST_TOKENS))
    .union(FieldSet::of(OUTPUT_LIMITS))
    .union(FieldSet::of(CALLERS))
    .union(FieldSet::of(ACCOUNTS))
    .union(FieldSet::of(REGIONS))
    .with(Field::AppReasoning);

/// Tells whether a line is such a log: a model, and usage or an error.
pub(super) fn is_one(draft: &Draft<'_, '_>) -> bool {
    names_a_model(draft) && (usage::is_there(draft) || error(draft).is_some())
}

/// Tells whether a line names a model, with or without what it used.
pub(super) fn names_a_model(draft: &Draft<'_, '_>) -> bool {
    draft.has_any(const { FieldSet::of(MODELS) })
}

/// Returns when the line was written.
pub(super) fn at(draft: &mut Draft<'_, '_>) -> Result<UnixMillis, Reject> {
    draft.at_any(TIMES)
}

/// Returns the call that a line tells of.
pub(super) fn invocation<'l>(draft: &mut Draft<'_, 'l>) -> Result<Invocation<'l>, Reject> {
    let model = MODELS.iter().copied().find(|&field| draft.has(field));
    let model_id = draft.model_id(model.ok_or(Reject::MissingField)?)?;
    let mut approximations = Approximations::NONE;
    let at = match at(draft) {
        // What holds the line may tell its time.
        Err(Reject::MissingField) => {
            approximations.insert(Approximation::TimeUnknown);
            UnixMillis::UNKNOWN
        }
        at => at?,
    };
    let error = error(draft);
    let usage = usage::read(draft, &mut approximations)?;
    if error.is_none() && !usage.is_complete {
        // A total alone does not tell what it would cost.
        return Err(Reject::MissingField);
    }
    let has_more = draft.has_any(RARE);
    let rare = |fields: &'static [Field]| if has_more { fields } else { &[] };
    let stop_reason =
        first_text(draft, rare(STOP_REASONS)).map(|reason| StopReason::from_log(&reason));
    let arn = |&field: &Field| draft.text(field).filter(|text| text.starts_with("arn:"));
    let call = Invocation {
        account: first_text(draft, rare(ACCOUNTS)),
        region: first_text(draft, rare(REGIONS)),
        // Neither `requestId` nor `aws_request_id`: in Lambda's own JSON logs (Lambda developer guide,
        // `monitoring-cloudwatchlogs-logformat`) they name a run of a function, which all its calls
        // share, so all but one would be taken for duplicates.
        request_id: draft.text(Field::AppRequestId),
        identity_arn: rare(CALLERS).iter().filter(|&&field| draft.has(field)).find_map(arn),
        attributes: draft.attribute_values(),
        tokens: usage.tokens,
        reasoning_tokens: draft
            .hint(Field::AppReasoning)
            .map_or(0, |reasoning| reasoning.min(usage.tokens.get(TokenClass::Output))),
        has_output_count: usage.has_output,
        max_tokens: rare(OUTPUT_LIMITS).iter().find_map(|&field| draft.hint(field)),
        latency_ms: first_millis(draft, rare(LATENCIES)),
        first_byte_ms: first_millis(draft, rare(FIRST_TOKENS)),
        reported_cost: draft.raw(CLAIM).and_then(scalar::dollars),
        approximations,
        ..Invocation::new(RecordKind::Application, at, model_id)
    };
    Ok(call.ended(error, stop_reason))
}

fn first_text<'l>(draft: &Draft<'_, 'l>, fields: &[Field]) -> Option<Cow<'l, str>> {
    fields.iter().filter(|&&field| draft.has(field)).find_map(|&field| draft.text(field))
}

fn first_millis(draft: &Draft<'_, '_>, fields: &[Field]) -> Option<u64> {
    let mut there = fields.iter().filter(|&&field| draft.has(field));
    there.find_map(|&field| scalar::millis(draft.raw(field)?))
}

/// Returns the error of a failed call: the first that the table of known ones has, else an unknown
/// one if there is any.
pub(super) fn error(draft: &Draft<'_, '_>) -> Option<ErrorClass> {
    if !draft.has_any(const { FieldSet::of(ERRORS).with(Field::AppStatus) }) {
        return None;
    }
    let status = draft.hint(Field::AppStatus).and_then(|status| u32::try_from(status).ok());
    let status = status.and_then(error_class::of_status);
    let mut is_failed = false;
    for &field in ERRORS {
        if draft.raw(field).is_none_or(is_nothing) {
            continue;
        }
        is_failed = true;
        let class = match draft.text(field) {
            Some(text) => error_class::classify(&text),
            // A number; what stands in an object has places of its own.
            None => {
                draft.hint(field).and_then(|code| error_class::of_status(u32::try_from(code).ok()?))
            }
        };
        if let Some(class) = class {
            return Some(detailed(draft, class));
        }
    }
    status.or(is_failed.then_some(ErrorClass::UNKNOWN))
}

/// Returns the class with what the text tells that stands beside the code.
fn detailed(draft: &Draft<'_, '_>, class: ErrorClass) -> ErrorClass {
    const TEXTS: &[Field] = &[
        Field::AppErrorMessage,
        Field::AppExceptionMessage,
        Field::AppException,
        Field::AppError,
        Field::EventMessage,
        Field::ShortMessage,
    ];
    let texts = TEXTS.iter().filter_map(|&field| draft.text(field));
    texts.fold(class, |class, text| class.detailed_by(&text))
}

/// Tells whether a value stands for no error.
pub(super) fn is_nothing(raw: &[u8]) -> bool {
    const NOTHING: [&[u8]; 7] = [b"\"\"", b"false", b"0", b"{}", b"[]", b"\"None\"", b"\"null\""];
    NOTHING.contains(&raw)
}
