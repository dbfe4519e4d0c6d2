//! `CloudTrail` events of Bedrock calls (`bedrock` user guide, page `logging-using-cloudtrail`): who was
//! refused and throttled, seen from the service's side. They hold no tokens.
//!
//! `requestID` is that of the invocation log. The same event may come from a trail's files and from
//! `EventBridge`; `eventID` is the same in both.

use super::{Found, SignalRecord, first_text, or_unknown, outcome_label};
use crate::decode::draft::Draft;
use crate::decode::paths::Field;
use crate::model::error_class::{self, ErrorClass};
use crate::model::names::{Outcome, RecordKind};
use crate::model::signal::Signal;

/// Operations that call a model (page `logging-using-cloudtrail`); all others manage something.
const CALLS: &[&str] = &[
    "InvokeModel",
    "InvokeModelWithResponseStream",
    "InvokeModelWithBidirectionalStream",
    "Converse",
    "ConverseStream",
    "StartAsyncInvoke",
];

pub(super) fn record<'l>(draft: &mut Draft<'_, 'l>) -> Found<'l> {
    let is_bedrock = draft.raw(Field::ApiSource) == Some(b"\"bedrock.amazonaws.com\"");
    let operation = draft.text(Field::ApiName).filter(|name| CALLS.contains(&&**name));
    let (true, Some(operation)) = (is_bedrock, operation) else { return Found::Ignored };
    let at = match draft.at_any(&[Field::ApiTime]) {
        Ok(at) => at,
        Err(reject) => return Found::Rejected(reject),
    };
    let outcome = match draft.raw(Field::ErrorCode) {
        None => Outcome::Ok,
        Some(_) => {
            draft
                .text(Field::ErrorCode)
                .and_then(|code| error_class::classify(&code))
                .unwrap_or(ErrorClass::UNKNOWN)
                .outcome
        }
    };
    let vpc_endpoint = draft.raw(Field::VpcEndpointId).is_some();
    let endpoint = if vpc_endpoint { "vpc" } else { "public" };
    let labels = vec![
        operation,
        outcome_label(outcome),
        endpoint.into(),
        first_text(draft, &[Field::InferenceRegion]).unwrap_or_default(),
    ];
    let mut record = SignalRecord {
        at: Some(at),
        id: first_text(draft, &[Field::ApiEventId]),
        request_id: first_text(draft, &[Field::ApiRequestId]),
        outcome: Some(outcome),
        context: error_class::Context { vpc_endpoint, retries_exhausted: false },
        account: first_text(draft, &[Field::ApiAccount]),
        region: first_text(draft, &[Field::ApiRegion]),
        model_id: Some(or_unknown(first_text(draft, &[Field::ApiModelId]))),
        identity_arn: first_text(draft, &[Field::ApiCaller]),
        ..SignalRecord::new(RecordKind::CloudTrail)
    };
    record.count(Signal::ApiCalls, labels, 1);
    Found::Signal(record)
}
