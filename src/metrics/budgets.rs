//! The families of budgets, of what is spent against the usual, and of alerts.

use prometheus::proto::MetricFamily;

use super::builder::{Family, float, pair};
use super::families::seconds;
use super::names;
use super::snapshot::Snapshot;
use crate::budget::amount::Amount;
use crate::budget::pace::WINDOWS;
use crate::budget::status::{Exhaustion, Status};
use crate::model::alert::{AlertName, Phase};
use crate::watch::budget::alert_of;
use crate::watch::lookout::Evaluation;
use crate::watch::usual::Subject;

/// The window of spend rates, as a label.
const SPEND_WINDOW: &str = "5m";

/// A family in dollars and its twin in tokens: a budget has one of them.
struct InUnit {
    usd: Family,
    tokens: Family,
}

impl InUnit {
    fn new(usd: names::Metric, tokens: names::Metric) -> Self {
        Self { usd: Family::new(usd), tokens: Family::new(tokens) }
    }

    fn add(
        &mut self,
        labels: &[prometheus::proto::LabelPair],
        own: &[(&str, &str)],
        amount: Amount,
    ) {
        let family = match amount {
            Amount::Usd(_) => &mut self.usd,
            Amount::Tokens(_) => &mut self.tokens,
        };
        family.add(labels, own, amount.to_f64());
    }

    fn finish(self) -> impl Iterator<Item = MetricFamily> {
        [self.usd, self.tokens].into_iter().filter_map(Family::finish)
    }
}

/// Returns where budgets stand. The label `value` is empty for a budget that is not divided.
pub(super) fn budgets(evaluation: &Evaluation) -> Vec<MetricFamily> {
    let mut limit = InUnit::new(names::BUDGET_LIMIT_USD, names::BUDGET_LIMIT_TOKENS);
    let mut spent = InUnit::new(names::BUDGET_SPENT_USD, names::BUDGET_SPENT_TOKENS);
    let mut forecast = InUnit::new(names::BUDGET_FORECAST_USD, names::BUDGET_FORECAST_TOKENS);
    let mut used = Family::new(names::BUDGET_USED);
    let mut unpriced = Family::new(names::BUDGET_UNPRICED);
    let mut straddling = Family::new(names::BUDGET_STRADDLING);
    let mut burn = Family::new(names::BUDGET_BURN_RATE);
    let mut score = Family::new(names::BUDGET_BURN_SCORE);
    let mut exhaustion = Family::new(names::BUDGET_EXHAUSTION);
    let mut start = Family::new(names::BUDGET_PERIOD_START);
    let mut end = Family::new(names::BUDGET_PERIOD_END);
    for state in &evaluation.budgets {
        let Some(plan) = evaluation.plans.get(state.place) else { continue };
        let value = state.value.as_deref().unwrap_or_default();
        let labels = [pair("budget", &plan.name), pair("value", value)];
        let status: &Status = &state.status;
        limit.add(&labels, &[], status.limit);
        spent.add(&labels, &[], status.spent);
        if let Ok(found) = &status.forecast {
            forecast.add(&labels, &[("bound", "expected")], found.expected);
            forecast.add(&labels, &[("bound", "low")], found.low);
            forecast.add(&labels, &[("bound", "high")], found.high);
        }
        used.add(&labels, &[], status.used_ratio);
        unpriced.add(&labels, &[], status.unpriced_ratio);
        straddling.add(&labels, &[], status.straddling.cost.to_f64());
        for ((window, _), found) in WINDOWS.iter().zip(&status.burns) {
            burn.add(&labels, &[("window", window)], found.rate);
        }
        for verdict in &state.verdicts {
            let (_, severity) = alert_of(verdict.rule.urgency);
            score.add(&labels, &[("severity", severity.as_str())], verdict.score());
        }
        if let Exhaustion::Since(at) | Exhaustion::At(at) = status.exhaustion {
            exhaustion.add(&labels, &[], seconds(at));
        }
        start.add(&labels, &[], seconds(status.period.start));
        end.add(&labels, &[], seconds(status.period.end));
    }
    let mut folded = Family::new(names::BUDGET_FOLDED);
    for (plan, series) in evaluation.plans.iter().zip(&evaluation.folded) {
        if plan.per.is_some() {
            folded.add(&[], &[("budget", &plan.name)], float(*series));
        }
    }
    let rest = [folded, used, unpriced, straddling, burn, score, exhaustion, start, end];
    limit
        .finish()
        .chain(spent.finish())
        .chain(forecast.finish())
        .chain(rest.into_iter().filter_map(Family::finish))
        .collect()
}

/// Returns what is spent at present. Rates are by model, so that their sum is the whole; what is usual
/// and how far it is exceeded stands for each subject, whose principals are shown only if the config
/// chose that label.
pub(super) fn spending(evaluation: &Evaluation, snapshot: &Snapshot) -> Vec<MetricFamily> {
    let mut rate = Family::new(names::SPEND_RATE);
    let mut baseline = Family::new(names::SPEND_BASELINE);
    let mut score = Family::new(names::SPEND_ANOMALY_SCORE);
    for (subject, spend) in &evaluation.spending {
        let (dimension, name) = match subject {
            Subject::Total => ("total", ""),
            Subject::Account(account) => ("account", account.as_str()),
            Subject::Model(model) => ("model", model.as_str()),
            // Models and principals are shown each by themselves.
            Subject::Use { .. } => continue,
            Subject::Principal(_) if !snapshot.labels.principal => continue,
            Subject::Principal(principal) => ("principal", principal.as_str()),
        };
        if let Subject::Model(model) = subject {
            let labels = [("model", model.as_str()), ("window", SPEND_WINDOW)];
            rate.add(&[], &labels, spend.per_hour.to_f64());
        }
        let labels = [("dimension", dimension), ("name", name)];
        if let Some(usual) = &spend.baseline {
            baseline.add(&[], &labels, usual.middle.to_f64());
        }
        score.add(&[], &labels, spend.score());
    }
    let mut uncompared = Family::new(names::SPEND_UNCOMPARED);
    uncompared.add(&[], &[], float(evaluation.uncompared));
    [rate, baseline, score, uncompared].into_iter().filter_map(Family::finish).collect()
}

/// Returns how many alerts fire, and what became of notices.
pub(super) fn alerts(snapshot: &Snapshot) -> Vec<MetricFamily> {
    let mut firing = Family::new(names::ALERTS_FIRING);
    let states = snapshot.alerts.states();
    for name in AlertName::ALL.iter().filter(|name| **name != AlertName::Test) {
        let count = states
            .iter()
            .filter(|(key, state)| key.name == *name && matches!(state.phase, Phase::Firing { .. }))
            .count();
        firing.add(&[], &[("alert", name.as_str())], float(count as u64));
    }
    firing.finish().into_iter().collect()
}
