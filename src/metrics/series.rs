//! The families of what is summed by series, one at a time and for some series at a time.
//!
//! Series that show the same labels are one [`Group`]. It must never hold more of the data model of
//! the prometheus crate than the caller asks for: at 2,000 series all of it takes 50 MiB.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::proto::LabelPair;

use super::builder::{Family, float, pair};
use super::names::{self, Metric};
use super::snapshot::Snapshot;
use crate::config::label_name;
use crate::ledger::amounts::Amounts;
use crate::ledger::histogram::{DURATION_MS_BOUNDS, TOKEN_BOUNDS};
use crate::model::series::SeriesKey;
use crate::model::tokens::TokenClass;

/// Series that show the same labels, added up.
pub(super) struct Group {
    pub(super) labels: Vec<LabelPair>,
    /// One of the series, for what the labels decide alone.
    pub(super) example: Arc<SeriesKey>,
    /// Shared with the snapshot where the group is one series.
    amounts: Arc<Amounts>,
}

/// Adds the samples of one group to a family.
type Fill = fn(&mut Family, &[LabelPair], &Amounts);

/// Every family with a sample for each series, in the order of the page.
pub(super) const BY_SERIES: [(Metric, Fill); 18] = [
    (names::REQUESTS, requests),
    (names::ERRORS, errors),
    (names::RETRIES, |family, labels, amounts| {
        family.add(labels, &[], float(amounts.retries));
    }),
    (names::RETRIES_EXHAUSTED, |family, labels, amounts| {
        family.add(labels, &[], float(amounts.retries_exhausted));
    }),
    (names::STOP_REASONS, stop_reasons),
    (names::EMPTY_RESPONSES, |family, labels, amounts| {
        family.add(labels, &[], float(amounts.empty_responses));
    }),
    (names::TOKENS, tokens),
    (names::REASONING_TOKENS, |family, labels, amounts| {
        family.add(labels, &[], float(amounts.reasoning_tokens));
    }),
    (names::COST, cost),
    (names::WASTED_COST, |family, labels, amounts| {
        family.add(labels, &[], amounts.wasted_cost.to_f64());
    }),
    (names::REPORTED_COST, |family, labels, amounts| {
        family.add(labels, &[], amounts.reported_cost.to_f64());
    }),
    (names::REPORTED_BASIS, |family, labels, amounts| {
        family.add(labels, &[], amounts.reported_basis.to_f64());
    }),
    (names::UNPRICED_TOKENS, unpriced),
    (names::APPROXIMATED, approximated),
    (names::DURATION, |family, labels, amounts| {
        if amounts.duration_ms.count() > 0 {
            family.add_histogram(labels, &amounts.duration_ms, &DURATION_MS_BOUNDS, 1_000.0);
        }
    }),
    (names::FIRST_TOKEN, |family, labels, amounts| {
        if amounts.first_byte_ms.count() > 0 {
            family.add_histogram(labels, &amounts.first_byte_ms, &DURATION_MS_BOUNDS, 1_000.0);
        }
    }),
    (names::INPUT_TOKENS, |family, labels, amounts| {
        family.add_histogram(labels, &amounts.input_tokens, &TOKEN_BOUNDS, 1.0);
    }),
    (names::OUTPUT_TOKENS, |family, labels, amounts| {
        family.add_histogram(labels, &amounts.output_tokens, &TOKEN_BOUNDS, 1.0);
    }),
];

/// Returns `metric` for `groups`, made with `fill`.
pub(super) fn family(metric: Metric, fill: Fill, groups: &[Group]) -> Family {
    let mut family = Family::new(metric);
    for Group { labels, amounts, .. } in groups {
        fill(&mut family, labels, amounts);
    }
    family
}

/// Returns the groups of a snapshot, in the order of their labels.
pub(super) fn group(snapshot: &Snapshot) -> Vec<Group> {
    let names = label_names(snapshot);
    let mut groups: BTreeMap<Vec<&str>, Group> = BTreeMap::new();
    for (series, amounts) in snapshot.series.iter().filter(|(series, _)| series.item.is_empty()) {
        let mut values = vec![
            series.provider.as_str(),
            &series.account,
            &series.region,
            &series.model,
            series.route.as_str(),
            series.tier.as_str(),
        ];
        if snapshot.labels.principal {
            values.push(&series.principal);
        }
        for chosen in &snapshot.labels.attributes {
            // A series from before an attribute was chosen has no value for it.
            let found = series.attributes.iter().find(|(name, _)| name == chosen);
            values.push(found.map_or("", |(_, value)| value));
        }
        if let Some(group) = groups.get_mut(&values) {
            Arc::make_mut(&mut group.amounts).merge(amounts);
            continue;
        }
        let labels = names.iter().zip(&values).map(|(name, value)| pair(name, value)).collect();
        let (example, amounts) = (Arc::clone(series), Arc::clone(amounts));
        groups.insert(values, Group { labels, example, amounts });
    }
    groups.into_values().collect()
}

fn label_names(snapshot: &Snapshot) -> Vec<String> {
    let canonical = ["provider", "account", "region", "model", "route", "tier"];
    let mut names: Vec<String> = canonical.map(str::to_owned).to_vec();
    if snapshot.labels.principal {
        names.push("principal".to_owned());
    }
    names.extend(snapshot.labels.attributes.iter().map(|key| label_name(key)));
    names
}

fn requests(family: &mut Family, labels: &[LabelPair], amounts: &Amounts) {
    for ((operation, outcome), count) in amounts.requests.iter() {
        let own = [("operation", operation.as_str()), ("outcome", outcome.as_str())];
        family.add(labels, &own, float(count));
    }
}

fn errors(family: &mut Family, labels: &[LabelPair], amounts: &Amounts) {
    for (code, count) in amounts.errors.iter() {
        family.add(labels, &[("error_code", code.as_str())], float(count));
    }
}

fn stop_reasons(family: &mut Family, labels: &[LabelPair], amounts: &Amounts) {
    for (reason, count) in amounts.stop_reasons.iter() {
        family.add(labels, &[("stop_reason", reason.as_str())], float(count));
    }
}

fn tokens(family: &mut Family, labels: &[LabelPair], amounts: &Amounts) {
    for class in TokenClass::ALL {
        family.add(labels, &[("token_class", class.as_str())], float(amounts.tokens.get(class)));
    }
}

fn cost(family: &mut Family, labels: &[LabelPair], amounts: &Amounts) {
    for class in TokenClass::ALL {
        family.add(labels, &[("token_class", class.as_str())], amounts.cost.get(class).to_f64());
    }
}

fn unpriced(family: &mut Family, labels: &[LabelPair], amounts: &Amounts) {
    for ((class, reason), count) in amounts.unpriced.iter() {
        let own = [("token_class", class.as_str()), ("reason", reason.as_str())];
        family.add(labels, &own, float(count));
    }
}

fn approximated(family: &mut Family, labels: &[LabelPair], amounts: &Amounts) {
    for (approximation, count) in amounts.approximated.iter() {
        family.add(labels, &[("reason", approximation.as_str())], float(count));
    }
}
