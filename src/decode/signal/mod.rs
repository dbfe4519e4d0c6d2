//! Records that are no calls: what they measure, one file per kind of log.
//!
//! They are looked for only where a line is neither a call nor a wrapping, so calls never pay for
//! them. Here is also what text lines and JSON lines of applications tell of errors. Texts are matched
//! against what is known and dropped: of a message nothing but numbers, names of the table of errors,
//! and the model and region of an endpoint's address may get out.

mod cloudtrail;
mod cloudwatch;
mod embedded;
mod endpoint;
mod error_log;
mod gateway;
mod lambda;
mod manifest;
mod query;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;

use super::draft::Draft;
use super::paths::Field;
use crate::model::error_class::{self, ErrorClass};
use crate::model::names::{Outcome, RecordKind, Reject};
use crate::model::signal::Signal;
use crate::model::time::UnixMillis;

pub(super) use query::results as query_results;
pub(super) use text::of_text;

/// One record that is no call, as one log line tells it. Borrowed from the line where possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalRecord<'l> {
    /// Which log told it.
    pub kind: RecordKind,
    /// When it happened, if the line or what is around it tells.
    pub at: Option<UnixMillis>,
    /// What tells the record from all others of its kind.
    pub id: Option<Cow<'l, str>>,
    /// Id of the request or run, as logged.
    pub request_id: Option<Cow<'l, str>>,
    /// How what happened ended; nothing for what only measures.
    pub outcome: Option<Outcome>,
    /// What else is known of a failure.
    pub context: error_class::Context,
    /// AWS account id.
    pub account: Option<Cow<'l, str>>,
    /// Region.
    pub region: Option<Cow<'l, str>>,
    /// Model id, profile id or ARN, as logged.
    pub model_id: Option<Cow<'l, str>>,
    /// ARN of the caller.
    pub identity_arn: Option<Cow<'l, str>>,
    /// What it measures; never empty.
    pub measurements: Vec<Measurement<'l>>,
}

/// One value of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement<'l> {
    /// The family.
    pub signal: Signal,
    /// Values of the family's labels, in its order, without `model`, `route` and `principal`: those
    /// are resolved with the config.
    pub labels: Vec<Cow<'l, str>>,
    /// How many values `value` is the sum of.
    pub count: u64,
    /// The value, or the sum of `count` values, in the unit of the family.
    pub value: u64,
}

/// What a line that is no call and no wrapping is.
#[derive(Debug)]
pub(super) enum Found<'l> {
    Signal(SignalRecord<'l>),
    /// Known to hold nothing that is measured.
    Ignored,
    Rejected(Reject),
}

impl<'l> SignalRecord<'l> {
    fn new(kind: RecordKind) -> Self {
        Self {
            kind,
            at: None,
            id: None,
            request_id: None,
            outcome: None,
            context: error_class::Context::default(),
            account: None,
            region: None,
            model_id: None,
            identity_arn: None,
            measurements: Vec::new(),
        }
    }

    /// Adds `value` of a counter.
    fn count(&mut self, signal: Signal, labels: Vec<Cow<'l, str>>, value: u64) {
        self.measurements.push(Measurement { signal, labels, count: 1, value });
    }

    /// Adds one value, if there is any.
    fn observe(&mut self, signal: Signal, labels: Vec<Cow<'l, str>>, value: Option<u64>) {
        if let Some(value) = value {
            self.count(signal, labels, value);
        }
    }
}

/// Returns what an object is that is no call and no wrapping.
pub(super) fn of_object<'l>(draft: &mut Draft<'_, 'l>, around: &Context<'l>) -> Found<'l> {
    if draft.raw(Field::ApiSource).is_some() {
        cloudtrail::record(draft)
    } else if draft.raw(Field::SystemRecord).is_some() && draft.raw(Field::SystemType).is_some() {
        lambda::record(draft, around)
    } else if gateway::is_one(draft) {
        gateway::record(draft)
    } else if draft.raw(Field::MetricName).is_some() && draft.raw(Field::Namespace).is_some() {
        cloudwatch::record(draft)
    } else if draft.raw(Field::EmfTime).is_some() {
        embedded::record(draft)
    } else if draft.raw(Field::ManifestTotal).is_some() {
        manifest::record(draft)
    } else {
        error_log::record(draft, around)
    }
}

/// What is known of a line beside its text.
#[derive(Clone, Copy, Default)]
pub(super) struct Context<'l> {
    /// Name of the log group of an envelope.
    pub(super) log_group: Option<&'l str>,
}

impl<'l> Context<'l> {
    /// Returns the Lambda function that the log group belongs to: it is named `/aws/lambda/NAME`
    /// (Lambda developer guide, `monitoring-cloudwatchlogs`) unless somebody chose another.
    fn function(&self) -> Option<&'l str> {
        self.log_group?.strip_prefix("/aws/lambda/").filter(|name| !name.is_empty())
    }
}

/// Returns the first string of some fields that is not empty and no placeholder.
fn first_text<'l>(draft: &Draft<'_, 'l>, fields: &[Field]) -> Option<Cow<'l, str>> {
    fields
        .iter()
        .find_map(|&field| draft.text(field).filter(|text| !text.is_empty() && text != "-"))
}

fn or_unknown(text: Option<Cow<'_, str>>) -> Cow<'_, str> {
    text.unwrap_or(Cow::Borrowed(crate::model::series::UNKNOWN))
}

/// Returns the label value of an outcome.
fn outcome_label(outcome: Outcome) -> Cow<'static, str> {
    Cow::Borrowed(outcome.as_str())
}

/// Adds an error of a log to `record`, with what it tells of retries.
fn add_error(record: &mut SignalRecord<'_>, class: ErrorClass) {
    let labels = || vec![outcome_label(class.outcome)];
    record.outcome = Some(class.outcome);
    record.context.retries_exhausted = class.retries_exhausted.is_some();
    record.count(Signal::LogErrors, labels(), 1);
    if let Some(retries) = class.retries_exhausted {
        record.count(Signal::LogRetries, labels(), u64::from(retries));
        record.count(Signal::LogRetriesExhausted, labels(), 1);
    }
}
