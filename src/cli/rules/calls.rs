//! Rules about calls of one model: ratios, tokens without a price, claims of cost.

use super::page::{Alert, Group, Sum, looked_up};
use crate::model::alert::{AlertName, Severity};
use crate::model::names::Outcome;
use crate::watch::condition::wording;
use crate::watch::rules::{DifferenceRule, LatencyLimit, Ppm, RatioRule, Rules};
use crate::watch::text::plain_seconds;

const REQUESTS: &str = "instance_model_outcome:tollkeeper_requests:added10m";
const EMPTY: &str = "instance_model:tollkeeper_empty_responses:added10m";
const TIMED: &str = "instance_model:tollkeeper_timed_requests:added10m";
const IN_TIME: &str = "instance_model:tollkeeper_requests_in_time:added10m";
const UNPRICED: &str = "instance_model:tollkeeper_unpriced_tokens:added10m";
const REPORTED: &str = "instance_model:tollkeeper_reported_cost_usd:added10m";
const BASIS: &str = "instance_model:tollkeeper_reported_cost_basis_usd:added10m";

/// The sums: name, labels, and the counter.
const SUMS: [(&str, &str, &str); 7] = [
    (REQUESTS, "instance, model, outcome", "tollkeeper_requests_total"),
    (EMPTY, "instance, model", "tollkeeper_empty_responses_total"),
    (TIMED, "instance, model", "tollkeeper_request_duration_seconds_count"),
    (IN_TIME, "instance, model", "tollkeeper_request_duration_seconds_bucket{BOUND}"),
    (UNPRICED, "instance, model", "tollkeeper_unpriced_tokens_total"),
    (REPORTED, "instance, model", "tollkeeper_reported_cost_usd_total"),
    (BASIS, "instance, model", "tollkeeper_reported_cost_basis_usd_total"),
];

/// What was added in the window. A series that has just appeared was 0 before, if the daemon was there then.
const ADDED: &str = "\
sum by (BY) (COUNTER)
- (
    sum by (BY) (COUNTER offset 10m)
  or
    0 * sum by (BY) (COUNTER) and on (instance) tollkeeper_build_info offset 10m
)";

/// Calls that are counted: a sum, and the outcome if it has that label.
#[derive(Clone, Copy)]
struct Calls {
    sum: &'static str,
    outcome: Option<&'static str>,
}

const ALL: Calls = Calls { sum: REQUESTS, outcome: None };
const WITH_TIME: Calls = Calls { sum: TIMED, outcome: None };

impl Calls {
    const fn of(outcome: &'static str) -> Self {
        Self { sum: REQUESTS, outcome: Some(outcome) }
    }

    /// Returns them as `PromQL`; `more` are matchers, each with a comma behind it.
    fn expr(self, more: &str) -> String {
        let outcome = self.outcome.map(|outcome| format!("outcome=\"{outcome}\""));
        let matchers = format!("{more}{}", outcome.unwrap_or_default());
        let matchers = matchers.trim_end_matches(',');
        let braces = if matchers.is_empty() { String::new() } else { format!("{{{matchers}}}") };
        let calls = format!("{}{braces}", self.sum);
        if self.sum == REQUESTS { format!("sum by (instance, model) ({calls})") } else { calls }
    }
}

pub(super) fn group(rules: &Rules) -> Group {
    let of = |outcome: Outcome| Calls::of(outcome.as_str());
    let plain = |calls: Calls| calls.expr("");
    let slow = format!("({TIMED} - {IN_TIME})");
    let alerts: Vec<Alert> = [
        (AlertName::ThrottleRatio, &rules.throttled, plain(of(Outcome::Throttled)), ALL),
        (AlertName::AccessDeniedRatio, &rules.denied, plain(of(Outcome::AccessDenied)), ALL),
        (AlertName::TimeoutRatio, &rules.timeouts, plain(of(Outcome::Timeout)), ALL),
        (AlertName::LatencyNearLimit, &rules.slow, slow, WITH_TIME),
        (AlertName::EmptyAnswers, &rules.empty, EMPTY.to_owned(), of(Outcome::Ok)),
        (AlertName::FilteredAnswers, &rules.filtered, plain(of(Outcome::Filtered)), ALL),
    ]
    .into_iter()
    .flat_map(|(name, rule, part, whole)| ratio((name, rule), rules.latency_limit, &part, whole))
    .chain(unpriced(&rules.unpriced))
    .chain(difference(&rules.reported))
    .collect();
    let is_read = |name: &str| alerts.iter().any(|alert: &Alert| alert.expr.contains(name));
    let bound = bound(rules.latency_limit);
    let sums = SUMS.iter().filter(|(name, ..)| is_read(name)).map(|&(name, by, counter)| Sum {
        name,
        expr: ADDED.replace("BY", by).replace("COUNTER", counter).replace("BOUND", &bound),
    });
    let sums = sums.collect();
    Group { name: "tollkeeper-calls", sums, alerts }
}

/// Returns the matcher of the bucket of calls that are not close to the limit. Prometheus 3 spells whole
/// seconds `25.0`.
fn bound(limit: LatencyLimit) -> String {
    let near = plain_seconds(limit.near_ms());
    if near.contains('.') { format!("le=\"{near}\"") } else { format!("le=~\"{near}|{near}[.]0\"") }
}

fn ratio(
    (name, rule): (AlertName, &RatioRule),
    limit: LatencyLimit,
    part: &str,
    whole: Calls,
) -> Vec<Alert> {
    if !rule.enabled {
        return Vec::new();
    }
    let (says, advice) = wording(name, limit).unwrap_or_default();
    let count = whole.expr("instance=%q,model=%q,");
    let count = looked_up(&count, &["instance", "model"], "printf \"%.0f\"");
    let whole = whole.expr("");
    let alert = |severity, over: Ppm| Alert {
        name: name.as_str(),
        severity,
        expr: format!(
            "(\n  {part}\n  /\n  {whole}\n) > {}\nand\n  {whole} >= {}\nand\n  {part} >= {}",
            over.to_f64(),
            rule.calls_min,
            rule.affected_min
        ),
        patience: rule.patience,
        labels: Vec::new(),
        summary: format!(
            "{{{{ $labels.model }}}}: in the last 10 minutes {{{{ $value | humanizePercentage }}}} of \
             calls {says}"
        ),
        description: format!(
            "Of {count} calls; more than {} is a {severity}. {advice}",
            percentage(over),
            severity = severity.as_str()
        ),
    };
    let ticket = alert(Severity::Ticket, rule.over);
    // A part is never more than the whole.
    let page = (rule.page_over < Ppm::ONE).then(|| alert(Severity::Page, rule.page_over));
    std::iter::once(ticket).chain(page).collect()
}

fn unpriced(rule: &RatioRule) -> Option<Alert> {
    rule.enabled.then(|| Alert {
        name: AlertName::UnpricedModel.as_str(),
        severity: Severity::Ticket,
        expr: format!("{UNPRICED} > 0"),
        patience: rule.patience,
        labels: Vec::new(),
        summary:
            "{{ $labels.model }}: {{ $value | printf \"%.0f\" }} tokens in the last 10 minutes \
                  have no price"
                .to_owned(),
        description:
            "Their cost is missing from every number. Add a price file, or map an opaque ARN \
                      with [models]; `tollkeeper doctor` prints the lines."
                .to_owned(),
    })
}

fn difference(rule: &DifferenceRule) -> Option<Alert> {
    let dollars = |sum: &str| {
        let query = format!("{sum}{{instance=%q,model=%q}}");
        looked_up(&query, &["instance", "model"], "printf \"$%.2f\"")
    };
    rule.enabled.then(|| Alert {
        name: AlertName::ReportedCostDiffers.as_str(),
        severity: Severity::Notice,
        expr: format!(
            "abs({REPORTED} - {BASIS}) / ({BASIS} > 0) > {}\n\
             and\n  abs({REPORTED} - {BASIS}) >= {}\n\
             unless\n  {UNPRICED} > 0",
            rule.over.to_f64(),
            rule.floor
        ),
        patience: rule.patience,
        labels: Vec::new(),
        summary: "{{ $labels.model }}: what applications claim as cost is off by \
                  {{ $value | humanizePercentage }}"
            .to_owned(),
        description: format!(
            "In the last 10 minutes they claim {}, list price is {}. Either the application's price is \
             wrong or old, or a discount is not in the price book: add it as a price file.",
            dollars(REPORTED),
            dollars(BASIS)
        ),
    })
}

#[expect(clippy::float_arithmetic, reason = "a share is no money")]
fn percentage(share: Ppm) -> String {
    format!("{} %", share.to_f64() * 100.0)
}
