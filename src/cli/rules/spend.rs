//! Rules about spend against the usual, without any budget.

use super::page::{Alert, Group, looked_up};
use crate::model::alert::{AlertName, Severity};
use crate::watch::rules::Rules;
use crate::watch::spike::SURE_WITHOUT_HISTORY;

const SCORE: &str = "tollkeeper_spend_anomaly_score";
const BASELINE: &str = "tollkeeper_spend_baseline_usd_per_hour";

/// Without history, the limit that scores are divided by is the floor alone.
pub(super) fn group(rules: &Rules) -> Group {
    let rule = &rules.spike;
    let who = "{{ if $labels.name }}{{ $labels.dimension }} {{ $labels.name }}{{ else }}all calls{{ end }}";
    let labels = ["instance", "dimension", "name"];
    let usual = format!("{BASELINE}{{instance=%q,dimension=%q,name=%q}}");
    let usual = looked_up(&usual, &labels, "printf \"Usual at this hour is $%.2f/h. \"");
    let alert = |severity, expr: String, known: &str| Alert {
        name: AlertName::SpendSpike.as_str(),
        severity,
        expr,
        patience: rule.patience,
        labels: Vec::new(),
        summary: format!(
            "{who} spends {{{{ $value | printf \"%.1f\" }}}} times what it may without being a spike"
        ),
        description: format!(
            "{known}Nothing below ${}/h counts. `tollkeeper find --since 10m --over-usd 0.50 --config \
             FILE` shows calls that cost most; of several of these alerts the narrowest names the culprit.",
            rule.floor
        ),
    };
    let page = format!("{SCORE} > 1 and {BASELINE}\nor\n{SCORE} > {SURE_WITHOUT_HISTORY}");
    let ticket = format!("{SCORE} > 1 <= {SURE_WITHOUT_HISTORY}\nunless {BASELINE}");
    let alerts = if rule.enabled {
        vec![
            alert(Severity::Page, page, &usual),
            alert(Severity::Ticket, ticket, "There is no history to compare with. "),
        ]
    } else {
        Vec::new()
    };
    Group { name: "tollkeeper-spend", sums: Vec::new(), alerts }
}
