//! The families of signals: one for each, with the labels of the family.

use std::collections::BTreeMap;

use prometheus::proto::{LabelPair, MetricFamily};

use super::builder::{Family, float, pair};
use super::names::{self, Metric};
use super::snapshot::Snapshot;
use crate::ledger::histogram::Histogram;
use crate::ledger::signals::Tally;
use crate::model::signal::{Measure, Signal};

/// Microseconds in a second, the unit of durations on the page.
const US_PER_S: f64 = 1_000_000.0;
/// Labels that are shown only where the config chose them.
const CHOSEN: &str = "principal";

/// Returns the metric of a family, and how many of its units make one of the exposed unit.
fn metric(signal: Signal) -> (Metric, f64) {
    match signal {
        Signal::ApiCalls => (names::CLOUDTRAIL_CALLS, 1.0),
        Signal::GatewayRequests => (names::GATEWAY_REQUESTS, 1.0),
        Signal::GatewayErrors => (names::GATEWAY_ERRORS, 1.0),
        Signal::GatewayDuration => (names::GATEWAY_DURATION, US_PER_S),
        Signal::LambdaInvocations => (names::LAMBDA_INVOCATIONS, 1.0),
        Signal::LambdaInitDuration => (names::LAMBDA_INIT_DURATION, US_PER_S),
        Signal::LambdaInitFailures => (names::LAMBDA_INIT_FAILURES, 1.0),
        Signal::LambdaBilledDuration => (names::LAMBDA_BILLED_DURATION, US_PER_S),
        Signal::LambdaMemorySize => (names::LAMBDA_MEMORY_SIZE, 1.0),
        Signal::LambdaMemoryUsed => (names::LAMBDA_MEMORY_USED, 1.0),
        Signal::LambdaLogsDropped => (names::LAMBDA_LOGS_DROPPED, 1.0),
        Signal::CloudWatchRequests => (names::CLOUDWATCH_REQUESTS, 1.0),
        Signal::CloudWatchTokens => (names::CLOUDWATCH_TOKENS, 1.0),
        Signal::CloudWatchDuration => (names::CLOUDWATCH_DURATION, US_PER_S),
        Signal::CloudWatchFirstToken => (names::CLOUDWATCH_FIRST_TOKEN, US_PER_S),
        Signal::CloudWatchQuotaTokens => (names::CLOUDWATCH_QUOTA_TOKENS, 1.0),
        Signal::CloudWatchImages => (names::CLOUDWATCH_IMAGES, 1.0),
        Signal::LogDeliveries => (names::LOG_DELIVERIES, 1.0),
        Signal::QueueMessages => (names::QUEUE_MESSAGES, 1.0),
        Signal::QueueAge => (names::QUEUE_AGE, US_PER_S),
        Signal::BatchRecords => (names::BATCH_RECORDS, 1.0),
        Signal::BatchTokens => (names::BATCH_TOKENS, 1.0),
        Signal::LogErrors => (names::LOG_ERRORS, 1.0),
        Signal::LogRetries => (names::LOG_RETRIES, 1.0),
        Signal::LogRetriesExhausted => (names::LOG_RETRIES_EXHAUSTED, 1.0),
    }
}

/// Returns the families of everything that was seen.
pub(super) fn families(snapshot: &Snapshot) -> Vec<MetricFamily> {
    // Keys that differ only in labels that are not shown are one sample.
    let mut samples: BTreeMap<(Signal, Vec<&str>), Tally> = BTreeMap::new();
    for (key, tally) in &snapshot.signals {
        let own = key.signal.labels().iter().zip(&key.values);
        let shown = own.filter(|(name, _)| **name != CHOSEN || snapshot.labels.principal);
        let mut values = vec![key.account.as_str(), &key.region];
        values.extend(shown.map(|(_, value)| value.as_str()));
        samples.entry((key.signal, values)).or_default().merge(tally);
    }
    let mut families: Vec<(Signal, Family)> = Vec::new();
    for ((signal, values), tally) in samples {
        if families.last().is_none_or(|(last, _)| *last != signal) {
            families.push((signal, Family::new(metric(signal).0)));
        }
        if let Some((_, family)) = families.last_mut() {
            let names = label_names(signal, snapshot.labels.principal);
            let labels: Vec<LabelPair> =
                names.zip(values).map(|(name, value)| pair(name, value)).collect();
            add(family, signal, &labels, tally);
        }
    }
    families.into_iter().filter_map(|(_, family)| family.finish()).collect()
}

fn label_names(signal: Signal, principal: bool) -> impl Iterator<Item = &'static str> {
    let own = signal.labels().iter().copied().filter(move |name| *name != CHOSEN || principal);
    ["account", "region"].into_iter().chain(own)
}

#[expect(clippy::float_arithmetic, reason = "Prometheus values are floats")]
fn add(family: &mut Family, signal: Signal, labels: &[LabelPair], tally: Tally) {
    let (_, per_unit) = metric(signal);
    match signal.measure() {
        Measure::Counter => family.add(labels, &[], float(tally.sum) / per_unit),
        Measure::Latest => family.add(labels, &[], float(tally.latest.1) / per_unit),
        Measure::Largest => family.add(labels, &[], float(tally.largest) / per_unit),
        Measure::Summary => family.add_summary(labels, tally.count, float(tally.sum) / per_unit),
        Measure::Histogram(bounds) => {
            let histogram = Histogram { buckets: tally.buckets, sum: tally.sum };
            family.add_histogram(labels, &histogram, bounds, per_unit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::proto::MetricType;

    #[test]
    fn every_family_has_the_type_of_its_measure() {
        let mut seen = Vec::new();
        for &signal in Signal::ALL {
            let (metric, _) = metric(signal);
            let expected = match signal.measure() {
                Measure::Counter => MetricType::COUNTER,
                Measure::Histogram(_) => MetricType::HISTOGRAM,
                Measure::Summary => MetricType::SUMMARY,
                Measure::Latest | Measure::Largest => MetricType::GAUGE,
            };
            assert_eq!(metric.kind, expected, "{}", metric.name);
            assert!(!seen.contains(&metric.name), "{} twice", metric.name);
            seen.push(metric.name);
        }
    }
}
