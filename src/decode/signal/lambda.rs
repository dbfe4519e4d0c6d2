//! Lambda's report of a run of a function, as text (`REPORT RequestId: …`) and as JSON
//! (`platform.report`): Lambda developer guide, pages `monitoring-cloudwatchlogs` and
//! `telemetry-schema-reference`.
//!
//! One run is counted once, by its report. All else that the system says of a run is ignored, except
//! a cold start that failed and records that were dropped.

use std::borrow::Cow;

use super::{Context, Found, SignalRecord, or_unknown, outcome_label};
use crate::decode::draft::Draft;
use crate::decode::paths::Field;
use crate::decode::scalar;
use crate::model::names::{Outcome, RecordKind};
use crate::model::signal::Signal;

/// Microseconds in a millisecond.
const US_PER_MS: u32 = 1_000;
/// Bytes in what Lambda calls a megabyte (`Lambda quotas` counts memory in 1-MB steps of 2^20).
const BYTES_PER_MB: u64 = 1 << 20;

/// What a report says, in whichever form.
struct Run<'l> {
    request_id: Option<Cow<'l, str>>,
    /// Text that no other report of the same request has: an asynchronous run that is tried again
    /// keeps its request id.
    duration: Cow<'l, str>,
    /// How the run ended, if the report tells.
    outcome: Option<Outcome>,
    init_us: Option<u64>,
    billed_us: Option<u64>,
    memory_mb: Option<u64>,
    memory_used_mb: Option<u64>,
}

/// Returns what a system log line in JSON tells.
pub(super) fn record<'l>(draft: &mut Draft<'_, 'l>, around: &Context<'l>) -> Found<'l> {
    let Some(kind) = draft.text(Field::SystemType) else { return Found::Ignored };
    let at = draft.at_any(&[Field::AppTime]).ok();
    let function = || or_unknown(around.function().map(Cow::Borrowed));
    let mut record = SignalRecord { at, ..SignalRecord::new(RecordKind::Lambda) };
    match &*kind {
        "platform.report" => {
            let us = |field| draft.raw(field).and_then(|raw| scalar::decimal(raw, US_PER_MS));
            let run = Run {
                request_id: draft.text(Field::RunId),
                duration: draft.raw(Field::RunDuration).map_or(Cow::Borrowed(""), lossy),
                outcome: draft.text(Field::RunStatus).as_deref().map(outcome_of),
                init_us: us(Field::RunInit),
                billed_us: us(Field::RunBilled),
                memory_mb: draft.hint(Field::RunMemorySize),
                memory_used_mb: draft.hint(Field::RunMemoryUsed),
            };
            add_run(&mut record, run, function());
        }
        "platform.initReport" => {
            let outcome = draft.text(Field::RunStatus).map(|status| outcome_of(&status));
            let outcome = outcome.unwrap_or(Outcome::Ok);
            if outcome == Outcome::Ok {
                return Found::Ignored;
            }
            let labels = vec![function(), outcome_label(outcome)];
            record.outcome = Some(outcome);
            record.count(Signal::LambdaInitFailures, labels, 1);
        }
        "platform.logsDropped" => {
            let dropped = draft.hint(Field::DroppedRecords);
            record.observe(Signal::LambdaLogsDropped, vec![function()], dropped);
        }
        _ => return Found::Ignored,
    }
    if record.measurements.is_empty() { Found::Ignored } else { Found::Signal(record) }
}

/// Returns what a line of text tells that holds `REPORT RequestId: …`, which `report` begins with.
pub(super) fn report<'l>(report: &'l str, around: &Context<'l>) -> Found<'l> {
    let part = |name: &str| {
        let mut parts = report.split('\t').map(str::trim);
        parts.find_map(|part| part.strip_prefix(name)?.strip_prefix(": "))
    };
    let number = |name: &str, unit: &str| part(name)?.strip_suffix(unit).map(str::trim);
    let us = |name| scalar::decimal(number(name, "ms")?.as_bytes(), US_PER_MS);
    let megabytes = |name| scalar::count(number(name, "MB")?.as_bytes()).ok();
    let Some(duration) = number("Duration", "ms") else {
        return Found::Rejected(crate::model::names::Reject::MissingField);
    };
    let run = Run {
        request_id: part("REPORT RequestId").map(Cow::Borrowed),
        duration: Cow::Borrowed(duration),
        outcome: part("Status").map(outcome_of),
        init_us: us("Init Duration"),
        billed_us: us("Billed Duration"),
        memory_mb: megabytes("Memory Size"),
        memory_used_mb: megabytes("Max Memory Used"),
    };
    let mut record = SignalRecord::new(RecordKind::Lambda);
    let function = or_unknown(around.function().map(Cow::Borrowed));
    add_run(&mut record, run, function);
    Found::Signal(record)
}

fn add_run<'l>(record: &mut SignalRecord<'l>, run: Run<'l>, function: Cow<'l, str>) {
    let labels = || vec![function.clone()];
    record.id = run.request_id.as_ref().map(|id| Cow::Owned(format!("{id} {}", run.duration)));
    record.request_id = run.request_id;
    record.outcome = run.outcome;
    let outcome = vec![function.clone(), or_unknown(run.outcome.map(outcome_label))];
    record.count(Signal::LambdaInvocations, outcome, 1);
    record.observe(Signal::LambdaInitDuration, labels(), run.init_us);
    record.observe(Signal::LambdaBilledDuration, labels(), run.billed_us);
    let bytes = |megabytes: Option<u64>| Some(megabytes?.saturating_mul(BYTES_PER_MB));
    record.observe(Signal::LambdaMemorySize, labels(), bytes(run.memory_mb));
    record.observe(Signal::LambdaMemoryUsed, vec![function], bytes(run.memory_used_mb));
}

/// Returns how a run ended that tells its status.
///
/// A report in text has none unless the run was cut off or crashed (`Status: timeout`, `Status: error` with
/// `Error Type: Runtime.…`). Without one nobody knows: a handler that ended with an exception is reported
/// like one that answered, and so was a timeout before there was a status (seen in published logs, such as
/// `REPORT` lines behind `LAMBDA_WARNING: Unhandled exception`; the page `monitoring-cloudwatchlogs` shows
/// the line without a status and does not say). What failed is then among the errors of the log. JSON
/// (`telemetry-schema-reference`) always tells.
fn outcome_of(status: &str) -> Outcome {
    match status {
        "success" => Outcome::Ok,
        "timeout" => Outcome::Timeout,
        _ => Outcome::OtherError,
    }
}

fn lossy(raw: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(raw)
}

/// Returns what a line of text tells that `INIT_REPORT …`, which `init` begins with: a cold start is
/// known from the report of its run, but one that failed has none.
pub(super) fn init_report<'l>(init: &'l str, around: &Context<'l>) -> Found<'l> {
    let status = init.split('\t').find_map(|part| part.trim().strip_prefix("Status: "));
    let outcome = status.map_or(Outcome::Ok, outcome_of);
    if outcome == Outcome::Ok {
        return Found::Ignored;
    }
    let mut record = SignalRecord::new(RecordKind::Lambda);
    let function = or_unknown(around.function().map(Cow::Borrowed));
    record.outcome = Some(outcome);
    record.count(Signal::LambdaInitFailures, vec![function, outcome_label(outcome)], 1);
    Found::Signal(record)
}
