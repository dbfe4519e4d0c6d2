//! The families of quotas: limits, what is taken of them, and why calls were throttled.

use std::collections::BTreeMap;

use prometheus::proto::{LabelPair, MetricFamily};

use super::builder::{Family, float, pair};
use super::families::seconds;
use super::names;
use crate::model::series::PROVIDER_BEDROCK;
use crate::quota::explain::{Confidence, Reason};
use crate::quota::kind::QuotaKind;
use crate::quota::tracker::PoolStatus;
use crate::watch::evidence::{Source, WINDOWS};
use crate::watch::lookout::Evaluation;

/// Returns where quotas stand.
pub(super) fn quotas(evaluation: &Evaluation) -> Vec<MetricFamily> {
    let mut limit = Family::new(names::QUOTA_LIMIT);
    let mut used = Family::new(names::QUOTA_USED);
    let mut peak = Family::new(names::QUOTA_PEAK);
    let mut reserved = Family::new(names::QUOTA_RESERVED);
    let mut headroom = Family::new(names::QUOTA_HEADROOM);
    let mut growth = Family::new(names::QUOTA_GROWTH);
    let mut exhaustion = Family::new(names::QUOTA_EXHAUSTION);
    let mut open = Family::new(names::QUOTA_OPEN);
    let mut explained = Family::new(names::THROTTLES_EXPLAINED);
    for status in &evaluation.pools {
        let labels = labels(status);
        for quota in &status.quotas {
            let kind = ("quota", quota.kind.as_str());
            used.add(&labels, &[kind], float(quota.used));
            peak.add(&labels, &[kind], float(quota.peak));
            growth.add(&labels, &[kind], quota.slope);
            if let Some(found) = quota.limit {
                let source = ("source", found.source.as_str());
                limit.add(&labels, &[kind, source], float(found.value));
            }
            if let Some(ratio) = quota.headroom {
                headroom.add(&labels, &[kind], ratio);
            }
            if let Some(at) = quota.exhausted {
                exhaustion.add(&labels, &[kind], seconds(at));
            }
        }
        let kind = ("quota", QuotaKind::TokensPerMinute.as_str());
        reserved.add(&labels, &[kind], float(status.minute.reserved_peak));
        open.add(&labels, &[], float(status.minute.open_peak));
        let mut reasons: BTreeMap<(Reason, Confidence), u64> = BTreeMap::new();
        for one in &status.explanations {
            *reasons.entry((one.reason, one.confidence)).or_default() += one.throttled();
        }
        for ((reason, confidence), calls) in reasons {
            let own = [("reason", reason.as_str()), ("confidence", confidence.as_str())];
            explained.add(&labels, &own, float(calls));
        }
    }
    [limit, used, peak, reserved, headroom, growth, exhaustion, open, explained]
        .into_iter()
        .filter_map(Family::finish)
        .collect()
}

/// Returns the ratio of throttled calls, by the log that says so.
pub(super) fn throttles(evaluation: &Evaluation) -> Vec<MetricFamily> {
    let mut ratio = Family::new(names::THROTTLE_RATIO);
    let mut amplification = Family::new(names::RETRY_AMPLIFICATION);
    for ((window, _), sums) in WINDOWS.iter().zip(&evaluation.throttles) {
        for ((model, source), tally) in sums {
            let labels =
                [("model", model.as_str()), ("window", window), ("source", source.as_str())];
            ratio.add(&[], &labels, share(tally.throttled, tally.calls));
            if let (Source::ApplicationLog, Some(attempts)) = (source, tally.amplification()) {
                let labels = [("model", model.as_str()), ("window", window)];
                amplification.add(&[], &labels, attempts);
            }
        }
    }
    [ratio, amplification].into_iter().filter_map(Family::finish).collect()
}

fn labels(status: &PoolStatus) -> [LabelPair; 5] {
    let pool = &status.pool;
    [
        pair("provider", PROVIDER_BEDROCK),
        pair("account", &pool.account),
        pair("region", &pool.region),
        pair("model", &pool.model),
        pair("route", pool.route.as_str()),
    ]
}

#[expect(clippy::float_arithmetic, reason = "Prometheus values are floats")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { float(part) / float(whole) }
}
