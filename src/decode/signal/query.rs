//! What `aws cloudwatch get-metric-data` prints: labels, times and values in columns.
//!
//! The label is the caller's own, so metric and model are looked for among its words. Which statistic
//! was asked for is not told: counts and tokens are taken for sums, and latencies are left out.

use super::cloudwatch::{self, OF_BEDROCK};
use super::{Found, Measurement, SignalRecord};
use crate::decode::draft::believed;
use crate::decode::{json, scalar};
use crate::model::model_ref::ModelRef;
use crate::model::names::{RecordKind, Reject, Route};
use crate::model::series::UNKNOWN;
use crate::model::signal::Measure;
use crate::model::time::UnixMillis;

/// Shows the data points of one result.
pub(in crate::decode) fn results(
    label: &str,
    times: &[u8],
    values: &[u8],
    visit: &mut impl FnMut(Found<'static>),
) {
    let metric = label
        .split_whitespace()
        .find_map(|word| OF_BEDROCK.iter().find(|metric| metric.name == word));
    let is_sum = |signal: crate::model::signal::Signal| signal.measure() == Measure::Counter;
    let Some(metric) = metric.filter(|metric| is_sum(metric.signal)) else {
        return visit(Found::Ignored);
    };
    let model = label.split_whitespace().find(|word| is_model(word)).unwrap_or(UNKNOWN);
    if json::elements(times).count() != json::elements(values).count() {
        return visit(Found::Rejected(Reject::BadField));
    }
    for (time, value) in json::elements(times).zip(json::elements(values)) {
        let at = json::string(time)
            .and_then(|text| UnixMillis::parse_rfc3339(&text))
            .or_else(|| scalar::epoch(time))
            .and_then(|at| believed(at).ok());
        let (at, value) = match (at, scalar::decimal(value, metric.scale)) {
            (None, _) => {
                visit(Found::Rejected(Reject::BadTimestamp));
                continue;
            }
            (_, None) => {
                visit(Found::Rejected(Reject::BadField));
                continue;
            }
            (Some(at), Some(value)) => (at, value),
        };
        let labels = metric.labels(None);
        visit(Found::Signal(SignalRecord {
            at: Some(at),
            id: Some(cloudwatch::id(metric.name, model, None, at)),
            model_id: Some(model.to_owned().into()),
            measurements: vec![Measurement { signal: metric.signal, labels, count: 1, value }],
            ..SignalRecord::new(RecordKind::CloudWatchMetric)
        }));
    }
}

/// Tells whether a word is a model id and no other word of a label.
fn is_model(word: &str) -> bool {
    word.contains('.') && ModelRef::parse(word).route != Route::Unknown
}
