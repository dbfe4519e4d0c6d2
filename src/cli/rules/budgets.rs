//! Rules about budgets: one set for each budget of the config, or one for all of them.
//!
//! The windows and paces of burn rates follow from the length of the present period, which the daylight
//! saving and the months change. So the expressions read the score that the daemon computes with them,
//! and the descriptions say what they are for the usual length.

use super::page::{Alert, Group, duration, looked_up};
use crate::budget::amount::Amount;
use crate::budget::burn::{Rule, Urgency, rules as burn_rules};
use crate::budget::period::Cycle;
use crate::budget::plan::{Budget, Threshold};
use crate::config::THRESHOLDS_DEFAULT;
use crate::model::alert::{AlertName, Severity};
use crate::model::time::{DAY_MS, HOUR_MS};
use crate::watch::budget::{BLIND_RATIO, alert_of, severity_of};
use crate::watch::rules::{Patience, Rules};

/// What a budget is called in a text.
const WHO: &str =
    "budget {{ $labels.budget }}{{ if $labels.value }} of {{ $labels.value }}{{ end }}";
const LABELS: [&str; 3] = ["instance", "budget", "value"];

/// The length of a month that texts are about, in milliseconds.
const MONTH_MS: i64 = 30 * DAY_MS;

/// What is written for: one budget, or all.
struct Subject<'s> {
    /// The name of the budget.
    name: Option<&'s str>,
    thresholds: &'s [Threshold],
    /// The usual length of a period, where it is one budget.
    length_ms: Option<i64>,
    is_rolling: bool,
    in_dollars: bool,
}

pub(super) fn group(rules: &Rules, budgets: &[Budget]) -> Group {
    let all = Subject {
        name: None,
        thresholds: &THRESHOLDS_DEFAULT,
        length_ms: None,
        is_rolling: false,
        in_dollars: true,
    };
    let mut subjects: Vec<Subject<'_>> = budgets.iter().map(Subject::of).collect();
    if subjects.is_empty() {
        subjects.push(all);
    }
    let alerts = subjects.iter().flat_map(|subject| subject.alerts(rules.budgets)).collect();
    Group { name: "tollkeeper-budgets", sums: Vec::new(), alerts }
}

impl<'s> Subject<'s> {
    fn of(budget: &'s Budget) -> Self {
        Self {
            name: Some(&budget.name),
            thresholds: &budget.thresholds,
            length_ms: Some(length_ms(budget.period.cycle)),
            is_rolling: budget.period.is_rolling(),
            in_dollars: matches!(budget.limit, Amount::Usd(_)),
        }
    }

    fn alerts(&self, patience: Patience) -> Vec<Alert> {
        let thresholds = self.thresholds.iter().map(|&threshold| self.threshold(threshold));
        let burning = burn_rules(self.length_ms.unwrap_or(MONTH_MS));
        // Of a rolling period there is no end to forecast for.
        let burning =
            burning.iter().filter(|rule| !(self.is_rolling && rule.urgency == Urgency::Notice));
        let burning = burning.map(|rule| self.burning(rule));
        let blind = self.in_dollars.then(|| self.blind());
        // Rules of one name must differ in their labels, else Prometheus takes them for doubles.
        let own = |mut alert: Alert| {
            alert.labels.extend(self.name.map(|name| ("budget", name.to_owned())));
            Alert { patience, ..alert }
        };
        thresholds.chain(burning).chain(blind).map(own).collect()
    }

    fn alert(&self, (name, severity): (AlertName, Severity), expr: String, summary: &str) -> Alert {
        Alert {
            name: name.as_str(),
            severity,
            expr,
            patience: Patience { for_ms: 0, keep_ms: 0 },
            labels: Vec::new(),
            summary: format!("{WHO} {summary}"),
            description: standing(self.in_dollars, self.length_ms.is_none()),
        }
    }

    fn threshold(&self, threshold: Threshold) -> Alert {
        let severity = severity_of(threshold);
        let part = f64::from(threshold.0);
        let expr =
            format!("tollkeeper_budget_used_ratio{} >= {}", self.braces(""), hundredths(part));
        let summary = "is used to {{ $value | humanizePercentage }}";
        let alert = self.alert((AlertName::BudgetThreshold, severity), expr, summary);
        let description =
            format!("{}Told from {threshold} on, until the period ends.", alert.description);
        Alert { labels: vec![("threshold", threshold.to_string())], description, ..alert }
    }

    fn burning(&self, rule: &Rule) -> Alert {
        let (name, severity) = alert_of(rule.urgency);
        let own = format!("severity=\"{}\"", severity.as_str());
        let expr = format!("tollkeeper_budget_burn_score{} >= 1", self.braces(&own));
        let summary = match rule.urgency {
            Urgency::Notice => "will not last: the forecast is over the limit",
            _ => "burns {{ $value | printf \"%.1f\" }} times as fast as is worth telling",
        };
        let alert = self.alert((name, severity), expr, summary);
        let description = format!("{}{}", alert.description, self.limits(rule));
        Alert { description, ..alert }
    }

    /// Returns what the rule compares with.
    fn limits(&self, rule: &Rule) -> String {
        let windows = match rule.short_ms {
            Some(short) => format!("over {} and {}", duration(rule.long_ms), duration(short)),
            None => format!("over {}", duration(rule.long_ms)),
        };
        let period = match self.length_ms {
            Some(length) => duration(length),
            None => "30d; other lengths have windows of their own".to_owned(),
        };
        let pace = shortest(rule.factor.to_f64());
        format!("Told from {pace} times the pace that lasts, {windows} (for a period of {period}).")
    }

    fn blind(&self) -> Alert {
        let braces = self.braces("");
        let expr = format!(
            "tollkeeper_budget_unpriced_ratio{braces} > {BLIND_RATIO}\nand\n  \
             tollkeeper_budget_limit_usd{braces}"
        );
        let summary = "is blind: {{ $value | humanizePercentage }} of its tokens have no price";
        let alert = self.alert((AlertName::BudgetBlind, Severity::Ticket), expr, summary);
        let description = format!(
            "{}What tokens without a price cost is not in it. Add a price file or map opaque ARNs with \
             [models].",
            alert.description
        );
        Alert { description, ..alert }
    }

    fn braces(&self, own: &str) -> String {
        let name = self.name.map(|name| format!("budget=\"{name}\""));
        let own = (!own.is_empty()).then(|| own.to_owned());
        let matchers: Vec<String> = name.into_iter().chain(own).collect();
        if matchers.is_empty() { String::new() } else { format!("{{{}}}", matchers.join(",")) }
    }
}

/// Returns the template of what is spent, and of which limit.
fn standing(in_dollars: bool, of_any: bool) -> String {
    let of = |unit: &str, format: &str| {
        let amount = |what: &str, format: &str| {
            let query =
                format!("tollkeeper_budget_{what}_{unit}{{instance=%q,budget=%q,value=%q}}");
            looked_up(&query, &LABELS, format)
        };
        let spent = amount("spent", &format.replace("TEXT", "Spent ").replace("END", ""));
        let limit = amount("limit", &format.replace("TEXT", " of ").replace("END", ". "));
        format!("{spent}{limit}")
    };
    let (usd, tokens) = ("printf \"TEXT$%.2fEND\"", "printf \"TEXT%.0f tokensEND\"");
    match (of_any, in_dollars) {
        (true, _) => format!("{}{}", of("usd", usd), of("tokens", tokens)),
        (false, true) => of("usd", usd),
        (false, false) => of("tokens", tokens),
    }
}

/// Returns how long a period usually is, in milliseconds.
fn length_ms(cycle: Cycle) -> i64 {
    match cycle {
        Cycle::Hour => HOUR_MS,
        Cycle::Day => DAY_MS,
        Cycle::Week { .. } => 7 * DAY_MS,
        Cycle::Month { .. } => MONTH_MS,
        Cycle::Quarter { .. } => 90 * DAY_MS,
        Cycle::Rolling { ms } => ms,
    }
}

/// Returns hundredths of a percent as a part of one.
#[expect(clippy::float_arithmetic, reason = "a share is no money")]
fn hundredths(part: f64) -> f64 {
    part / 10_000.0
}

/// Returns a pace with at most two decimals: `14.4`, `12`.
fn shortest(pace: f64) -> String {
    let text = format!("{pace:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
