//! Access logs of API Gateway. Their form is the customer's own, made of the variables of the developer
//! guide's page `api-gateway-variables-for-access-logging`; values are often quoted, and `-` is none.
//!
//! The gateway answers 200 although the model behind it threw 429, or 504 after the integration took
//! too long: both its own status and that of the integration are looked at.

use std::borrow::Cow;

use chrono::DateTime;

use super::{Found, SignalRecord, first_text, or_unknown, outcome_label};
use crate::decode::draft::Draft;
use crate::decode::paths::Field;
use crate::decode::scalar;
use crate::model::error_class;
use crate::model::names::{Outcome, RecordKind, Reject};
use crate::model::signal::Signal;
use crate::model::time::UnixMillis;

/// Microseconds in a millisecond.
const US_PER_MS: u32 = 1_000;

/// Tells whether a line is such a log: a status, and something that only a gateway knows.
pub(super) fn is_one(draft: &Draft<'_, '_>) -> bool {
    const OWN: &[Field] = &[
        Field::ResponseLatency,
        Field::IntegrationLatency,
        Field::IntegrationStatus,
        Field::HttpMethod,
        Field::RouteKey,
    ];
    draft.raw(Field::GatewayStatus).is_some() && OWN.iter().any(|&own| draft.raw(own).is_some())
}

pub(super) fn record<'l>(draft: &mut Draft<'_, 'l>) -> Found<'l> {
    let Some(status) = number(draft, Field::GatewayStatus) else {
        return Found::Rejected(Reject::BadField);
    };
    let at = match at(draft) {
        Ok(at) => at,
        Err(reject) => return Found::Rejected(reject),
    };
    let mut record = SignalRecord {
        at,
        id: first_text(draft, &[Field::RequestId]),
        request_id: first_text(draft, &[Field::RequestId]),
        outcome: Some(Outcome::Ok),
        account: first_text(draft, &[Field::AccountId]),
        region: first_text(draft, &[Field::Region]),
        ..SignalRecord::new(RecordKind::ApiGateway)
    };
    // Never the path itself, which has whatever a client sent.
    let path = or_unknown(first_text(draft, &[Field::ResourcePath, Field::RouteKey]));
    // Of what is no HTTP status there is no bound.
    let status_label = match status {
        100..=599 => status.to_string().into(),
        _ => Cow::Borrowed(crate::model::series::OTHER),
    };
    record.count(Signal::GatewayRequests, vec![path.clone(), status_label], 1);
    if let Some(outcome) = failure(draft, status) {
        record.outcome = Some(outcome);
        let labels = vec![path.clone(), outcome_label(outcome)];
        record.count(Signal::GatewayErrors, labels, 1);
    }
    let latency = [Field::ResponseLatency, Field::IntegrationLatency];
    let latency = latency.iter().find_map(|&field| scalar::decimal(draft.raw(field)?, US_PER_MS));
    record.observe(Signal::GatewayDuration, vec![path], latency);
    Found::Signal(record)
}

/// Returns how a request failed: what the gateway says first, then its status, then the status of what
/// is behind it.
fn failure(draft: &Draft<'_, '_>, status: u32) -> Option<Outcome> {
    let named = first_text(draft, &[Field::ErrorResponseType])
        .and_then(|name| error_class::classify(&name))
        .map(|class| class.outcome);
    let worded = || {
        let text = first_text(draft, &[Field::IntegrationError]).filter(|_| status >= 400)?;
        error_class::classify(&text).map(|class| class.outcome)
    };
    let behind = || number(draft, Field::IntegrationStatus).and_then(error_class::of_status);
    named
        .or_else(worded)
        .or_else(|| error_class::of_status(status).map(|class| class.outcome))
        .or_else(|| behind().map(|class| class.outcome))
}

/// Returns a number that may be quoted.
fn number(draft: &Draft<'_, '_>, field: Field) -> Option<u32> {
    let number = scalar::decimal(draft.raw(field)?, 1)?;
    u32::try_from(number).ok()
}

/// Returns when a request came, if the template of the log has a time.
fn at(draft: &mut Draft<'_, '_>) -> Result<Option<UnixMillis>, Reject> {
    let common = draft.text(Field::RequestTime).and_then(|text| {
        let at = DateTime::parse_from_str(&text, "%d/%b/%Y:%H:%M:%S %z").ok()?;
        Some(UnixMillis(at.timestamp_millis()))
    });
    let quoted =
        draft.text(Field::RequestTimeEpoch).and_then(|text| scalar::epoch(text.as_bytes()));
    let plain = [Field::RequestTimeEpoch, Field::Timestamp, Field::AppTime];
    match quoted.or_else(|| draft.at_any(&plain).ok()).or(common) {
        Some(at) => crate::decode::draft::believed(at).map(Some),
        None if draft.raw(Field::RequestTime).is_some() => Err(Reject::BadTimestamp),
        None => Ok(None),
    }
}
