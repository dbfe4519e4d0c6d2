//! Metrics embedded in a log line (`CloudWatch` user guide, page
//! `CloudWatch_Embedded_Metric_Format_Specification`), where they are those of Bedrock. An application's
//! own line with model and tokens is a call, whatever it embeds.

use super::cloudwatch::OF_BEDROCK;
use super::{Found, Measurement, SignalRecord, first_text};
use crate::decode::draft::Draft;
use crate::decode::paths::Field;
use crate::decode::{application, json, scalar};
use crate::model::names::{RecordKind, Reject};

/// The metrics as members of the line.
const MEMBERS: &[(&str, Field)] = &[
    ("Invocations", Field::EmfInvocations),
    ("InvocationThrottles", Field::EmfThrottles),
    ("InvocationClientErrors", Field::EmfClientErrors),
    ("InvocationServerErrors", Field::EmfServerErrors),
    ("InputTokenCount", Field::EmfInput),
    ("OutputTokenCount", Field::EmfOutput),
    ("CacheReadInputTokenCount", Field::EmfCacheRead),
    ("CacheWriteInputTokenCount", Field::EmfCacheWrite),
    ("InvocationLatency", Field::EmfLatency),
    ("TimeToFirstToken", Field::EmfFirstToken),
    ("EstimatedTPMQuotaUsage", Field::EmfQuotaTokens),
];

pub(super) fn record<'l>(draft: &mut Draft<'_, 'l>) -> Found<'l> {
    if draft.raw(Field::EmfNamespace) != Some(b"\"AWS/Bedrock\"") {
        // Metrics of others hold no call, but those that name a model might.
        let names_a_model = application::names_a_model(draft);
        return if names_a_model { Found::Rejected(Reject::UnknownKind) } else { Found::Ignored };
    }
    let at = match draft.at_any(&[Field::EmfTime]) {
        Ok(at) => at,
        Err(reject) => return Found::Rejected(reject),
    };
    let mut record = SignalRecord {
        at: Some(at),
        account: first_text(draft, &[Field::AppAccountId]),
        region: first_text(draft, &[Field::Region]),
        model_id: Some(super::or_unknown(first_text(draft, &[Field::EmfModelId]))),
        ..SignalRecord::new(RecordKind::CloudWatchMetric)
    };
    for (name, field) in MEMBERS {
        let Some(raw) = draft.raw(*field) else { continue };
        let metric = OF_BEDROCK.iter().find(|metric| metric.name == *name);
        let (Some(metric), Some((count, value))) = (metric, metric.and_then(|m| sum(raw, m.scale)))
        else {
            return Found::Rejected(Reject::BadField);
        };
        let labels = metric.labels(None);
        record.measurements.push(Measurement { signal: metric.signal, labels, count, value });
    }
    if record.measurements.is_empty() { Found::Ignored } else { Found::Signal(record) }
}

/// Returns how many numbers there are, one or an array of them, and their sum.
fn sum(raw: &[u8], scale: u32) -> Option<(u64, u64)> {
    if !raw.starts_with(b"[") {
        return Some((1, scalar::decimal(raw, scale)?));
    }
    json::elements(raw).try_fold((0_u64, 0_u64), |(count, sum), element| {
        Some((count + 1, sum.checked_add(scalar::decimal(element, scale)?)?))
    })
}
