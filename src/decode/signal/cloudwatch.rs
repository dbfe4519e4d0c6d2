//! Metrics that `CloudWatch` already has: one data point of a metric stream, and the table of the
//! metrics that are kept (`bedrock` user guide, page `monitoring-runtime-metrics`; SQS developer guide,
//! page `sqs-available-cloudwatch-metrics`).
//!
//! They are what the service itself counted, so they tell of throttles that no invocation log has.
//! They are never added to calls, tokens or dollars of records.

use std::borrow::Cow;

use super::{Found, Measurement, SignalRecord, first_text, or_unknown};
use crate::decode::draft::Draft;
use crate::decode::paths::Field;
use crate::decode::scalar;
use crate::model::names::{RecordKind, Reject};
use crate::model::signal::{Measure, Signal};
use crate::model::time::UnixMillis;

const BEDROCK: &str = "AWS/Bedrock";
const SQS: &str = "AWS/SQS";
/// The dimension value of metrics that are of no single model.
const ALL_MODELS: &str = "Across all model IDs";

/// Units of a family in one unit of the metric: milliseconds to microseconds, seconds to microseconds.
const FROM_MS: u32 = 1_000;
const FROM_S: u32 = 1_000_000;

/// A metric that is kept.
#[derive(Clone, Copy)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) signal: Signal,
    /// Value of the label that tells it from the other metrics of its family.
    labels: &'static [&'static str],
    pub(super) scale: u32,
}

const fn metric(
    name: &'static str,
    signal: Signal,
    labels: &'static [&'static str],
    scale: u32,
) -> Metric {
    Metric { name, signal, labels, scale }
}

pub(super) const OF_BEDROCK: &[Metric] = &[
    metric("Invocations", Signal::CloudWatchRequests, &["ok"], 1),
    metric("InvocationThrottles", Signal::CloudWatchRequests, &["throttled"], 1),
    metric("InvocationClientErrors", Signal::CloudWatchRequests, &["client_error"], 1),
    metric("InvocationServerErrors", Signal::CloudWatchRequests, &["server_error"], 1),
    metric("InputTokenCount", Signal::CloudWatchTokens, &["input"], 1),
    metric("OutputTokenCount", Signal::CloudWatchTokens, &["output"], 1),
    metric("CacheReadInputTokenCount", Signal::CloudWatchTokens, &["cache_read"], 1),
    metric("CacheWriteInputTokenCount", Signal::CloudWatchTokens, &["cache_write_unknown_ttl"], 1),
    metric("InvocationLatency", Signal::CloudWatchDuration, &[], FROM_MS),
    metric("TimeToFirstToken", Signal::CloudWatchFirstToken, &[], FROM_MS),
    metric("EstimatedTPMQuotaUsage", Signal::CloudWatchQuotaTokens, &[], 1),
    metric("OutputImageCount", Signal::CloudWatchImages, &[], 1),
];

/// How well Bedrock delivers the very log that calls are counted from.
const OF_DELIVERY: &[Metric] = &[
    metric(
        "ModelInvocationLogsCloudWatchDeliverySuccess",
        Signal::LogDeliveries,
        &["cloudwatch", "success"],
        1,
    ),
    metric(
        "ModelInvocationLogsCloudWatchDeliveryFailure",
        Signal::LogDeliveries,
        &["cloudwatch", "failure"],
        1,
    ),
    metric("ModelInvocationLogsS3DeliverySuccess", Signal::LogDeliveries, &["s3", "success"], 1),
    metric("ModelInvocationLogsS3DeliveryFailure", Signal::LogDeliveries, &["s3", "failure"], 1),
    metric(
        "ModelInvocationLargeDataS3DeliverySuccess",
        Signal::LogDeliveries,
        &["s3_large_data", "success"],
        1,
    ),
    metric(
        "ModelInvocationLargeDataS3DeliveryFailure",
        Signal::LogDeliveries,
        &["s3_large_data", "failure"],
        1,
    ),
];

const OF_QUEUES: &[Metric] = &[
    metric("ApproximateNumberOfMessagesVisible", Signal::QueueMessages, &["visible"], 1),
    metric("ApproximateNumberOfMessagesNotVisible", Signal::QueueMessages, &["in_flight"], 1),
    metric("ApproximateNumberOfMessagesDelayed", Signal::QueueMessages, &["delayed"], 1),
    metric("ApproximateAgeOfOldestMessage", Signal::QueueAge, &[], FROM_S),
];

impl Metric {
    /// Returns the labels, behind the queue's name where there is one.
    pub(super) fn labels(self, queue: Option<Cow<'_, str>>) -> Vec<Cow<'_, str>> {
        queue.into_iter().chain(self.labels.iter().map(|label| Cow::Borrowed(*label))).collect()
    }
}

/// Returns what one data point of a metric stream tells.
pub(super) fn record<'l>(draft: &mut Draft<'_, 'l>) -> Found<'l> {
    let model = first_text(draft, &[Field::MetricModelId]);
    let queue = first_text(draft, &[Field::QueueName]);
    let namespace = draft.text(Field::Namespace);
    let is_of_all = model.as_deref() == Some(ALL_MODELS);
    let metrics = match (namespace.as_deref(), &model, &queue) {
        // The same calls come once more by tier, so adding those would count them twice.
        (Some(BEDROCK), ..) if draft.raw(Field::MetricTier).is_some() => return Found::Ignored,
        (Some(BEDROCK), Some(_), _) if is_of_all => OF_DELIVERY,
        (Some(BEDROCK), Some(_), _) => OF_BEDROCK,
        (Some(SQS), _, Some(_)) => OF_QUEUES,
        _ => return Found::Ignored,
    };
    let name = draft.text(Field::MetricName);
    let metric = metrics.iter().find(|metric| Some(metric.name) == name.as_deref()).copied();
    let Some(metric) = metric else { return Found::Ignored };
    let at = match draft.at_any(&[Field::Timestamp]) {
        Ok(at) => at,
        Err(reject) => return Found::Rejected(reject),
    };
    let number = |field| draft.raw(field).and_then(|raw| scalar::decimal(raw, metric.scale));
    let is_level = matches!(metric.signal.measure(), Measure::Latest | Measure::Largest);
    let value = number(if is_level { Field::MetricMax } else { Field::MetricSum });
    let count = draft.raw(Field::MetricCount).and_then(|raw| scalar::decimal(raw, 1));
    let (Some(value), Some(count)) = (value, count) else {
        return Found::Rejected(Reject::BadField);
    };
    let subject = or_unknown(queue.clone().or_else(|| model.clone()));
    let mut record = SignalRecord {
        at: Some(at),
        id: Some(id(metric.name, &subject, draft.raw(Field::Dimensions), at)),
        account: first_text(draft, &[Field::AppAccountId]),
        region: first_text(draft, &[Field::Region]),
        model_id: model.filter(|_| !is_of_all),
        ..SignalRecord::new(RecordKind::CloudWatchMetric)
    };
    let labels = metric.labels(queue);
    record.measurements.push(Measurement { signal: metric.signal, labels, count, value });
    Found::Signal(record)
}

/// Returns what tells a data point from all others of an account and region: a metric stream delivers
/// at least once.
pub(super) fn id(
    name: &str,
    subject: &str,
    dimensions: Option<&[u8]>,
    at: UnixMillis,
) -> Cow<'static, str> {
    let dimensions = without_space(dimensions.unwrap_or_default());
    let dimensions = String::from_utf8_lossy(&dimensions);
    Cow::Owned(format!("{name} {subject} {} {dimensions}", at.0))
}

/// Returns JSON without the white space between its parts, as some pretty-print it.
fn without_space(json: &[u8]) -> Vec<u8> {
    let (mut in_string, mut is_escaped) = (false, false);
    let mut is_kept = |byte: &u8| {
        let quotes = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        in_string ^= quotes;
        in_string || !byte.is_ascii_whitespace()
    };
    json.iter().copied().filter(|byte| is_kept(byte)).collect()
}
