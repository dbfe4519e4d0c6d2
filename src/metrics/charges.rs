//! The families of what is not paid by token: provisioned throughput and fixed costs.

use std::collections::BTreeMap;

use prometheus::proto::MetricFamily;

use super::builder::{Family, float};
use super::names;
use super::snapshot::Snapshot;
use crate::model::money::Usd;
use crate::model::names::Route;
use crate::watch::lookout::Evaluation;
use crate::watch::provisioned::ThroughputUse;

/// Returns what was charged, as committed, and how throughput is used.
pub(super) fn families(evaluation: &Evaluation, snapshot: &Snapshot) -> Vec<MetricFamily> {
    let mut provisioned: BTreeMap<&str, Usd> = BTreeMap::new();
    let mut fixed: BTreeMap<&str, Usd> = BTreeMap::new();
    let declared = evaluation.items.iter().map(|item| (&item.key, Usd::ZERO));
    let charged = snapshot.series.iter().map(|(key, amounts)| (&**key, amounts.charge));
    for (key, charge) in declared.chain(charged).filter(|(key, _)| !key.item.is_empty()) {
        let costs = if key.route == Route::Provisioned { &mut provisioned } else { &mut fixed };
        *costs.entry(&key.item).or_default() += charge;
    }
    let mut provisioned_cost = Family::new(names::PROVISIONED_COST);
    for (name, usd) in provisioned {
        provisioned_cost.add(&[], &[("provisioned_model", name)], usd.to_f64());
    }
    let mut fixed_cost = Family::new(names::FIXED_COST);
    for (name, usd) in fixed {
        fixed_cost.add(&[], &[("item", name)], usd.to_f64());
    }
    let charged = [provisioned_cost, fixed_cost].into_iter().filter_map(Family::finish);
    charged.chain(uses(&evaluation.provisioned)).collect()
}

#[expect(clippy::float_arithmetic, reason = "Prometheus values are floats")]
fn uses(uses: &[ThroughputUse]) -> impl Iterator<Item = MetricFamily> + use<> {
    let per_minute = 1.0 / float(crate::watch::provisioned::WINDOW_MINUTES.unsigned_abs());
    let mut units = Family::new(names::PROVISIONED_UNITS);
    let mut per_hour = Family::new(names::PROVISIONED_COST_PER_HOUR);
    let mut used = Family::new(names::PROVISIONED_UTILIZATION);
    let mut idle = Family::new(names::PROVISIONED_IDLE);
    let mut calls = Family::new(names::PROVISIONED_OVERFLOW_REQUESTS);
    let mut tokens = Family::new(names::PROVISIONED_OVERFLOW_TOKENS);
    let mut dead = Family::new(names::PROVISIONED_DEAD_ZONE);
    for one in uses {
        let label = ("provisioned_model", one.name.as_str());
        units.add(&[], &[label], float(one.units.into()));
        per_hour.add(&[], &[label], one.per_hour.to_f64());
        for (direction, ppm) in [("input", one.input_ppm), ("output", one.output_ppm)] {
            if let Some(ppm) = ppm {
                used.add(&[], &[label, ("tokens", direction)], float(ppm) / 1e6);
            }
        }
        if let Some(usd) = one.idle_per_hour {
            idle.add(&[], &[label], usd.to_f64());
        }
        calls.add(&[], &[label], float(one.overflow_calls) * per_minute);
        tokens.add(&[], &[label], float(one.overflow_tokens) * per_minute);
        if let Some(minutes) = one.dead_zone_minutes {
            dead.add(&[], &[label], float(minutes.into()));
        }
    }
    [units, per_hour, used, idle, calls, tokens, dead].into_iter().filter_map(Family::finish)
}
