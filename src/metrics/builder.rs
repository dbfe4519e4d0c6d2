//! Small helpers over the data model of the prometheus crate.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as ProtoHistogram, LabelPair, Metric as ProtoMetric,
    MetricFamily, MetricType, Summary,
};

use super::names::Metric;
use crate::ledger::histogram::Histogram;

/// A family being filled.
pub(super) struct Family {
    metric: Metric,
    samples: Vec<ProtoMetric>,
}

/// Label names with their values.
pub(super) type Labels<'l> = &'l [(&'l str, &'l str)];

impl Family {
    pub(super) fn new(metric: Metric) -> Self {
        Self { metric, samples: Vec::new() }
    }

    /// Adds a sample of a counter or gauge; `shared` labels stand before `own`.
    pub(super) fn add(&mut self, shared: &[LabelPair], own: Labels<'_>, value: f64) {
        let mut sample = ProtoMetric::from_label(labels(shared, own));
        if self.metric.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            sample.set_gauge(gauge);
        }
        self.samples.push(sample);
    }

    /// Adds a histogram whose bounds and sum are multiples of `1 / per_unit` of the exposed unit.
    #[expect(clippy::float_arithmetic, reason = "Prometheus values are floats")]
    pub(super) fn add_histogram(
        &mut self,
        shared: &[LabelPair],
        histogram: &Histogram,
        bounds: &[u64],
        per_unit: f64,
    ) {
        let mut cumulative = 0;
        let buckets = bounds
            .iter()
            .zip(histogram.buckets.iter().chain(std::iter::repeat(&0)))
            .map(|(bound, count)| {
                cumulative += count;
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(float(*bound) / per_unit);
                bucket.set_cumulative_count(cumulative);
                bucket
            })
            .collect();
        let mut proto = ProtoHistogram::default();
        proto.set_bucket(buckets);
        proto.set_sample_count(histogram.count());
        proto.set_sample_sum(float(histogram.sum) / per_unit);
        let mut sample = ProtoMetric::from_label(labels(shared, &[]));
        sample.set_histogram(proto);
        self.samples.push(sample);
    }

    /// Adds a summary without quantiles.
    pub(super) fn add_summary(&mut self, labels: &[LabelPair], count: u64, sum: f64) {
        let mut summary = Summary::default();
        summary.set_sample_count(count);
        summary.set_sample_sum(sum);
        let mut sample = ProtoMetric::from_label(labels.to_vec());
        sample.set_summary(summary);
        self.samples.push(sample);
    }

    /// Returns the family, if it has samples.
    pub(super) fn finish(self) -> Option<MetricFamily> {
        if self.samples.is_empty() {
            return None;
        }
        let mut family = MetricFamily::default();
        family.set_name(self.metric.name.to_owned());
        family.set_help(self.metric.help.to_owned());
        family.set_field_type(self.metric.kind);
        family.set_metric(self.samples);
        Some(family)
    }
}

pub(super) fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn labels(shared: &[LabelPair], own: Labels<'_>) -> Vec<LabelPair> {
    shared.iter().cloned().chain(own.iter().map(|(name, value)| pair(name, value))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus values are floats")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}
