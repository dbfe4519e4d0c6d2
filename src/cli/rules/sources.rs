//! Rules about where logs and prices come from: late, silent, old.

use super::page::{Alert, Group, duration};
use crate::model::alert::{AlertName, Severity};
use crate::watch::rules::{AgeRule, Rules};

pub(super) fn group(rules: &Rules) -> Group {
    let lag = age(
        (AlertName::IngestLag, Severity::Ticket),
        &rules.lag,
        "tollkeeper_ingest_lag_seconds > SECONDS",
        "source {{ $labels.source }} is read {{ $value | humanizeDuration }} late",
        "Spend of this time is not known yet, so budgets and spikes are blind for it.",
    );
    let silent = age(
        (AlertName::IngestSilent, Severity::Ticket),
        &rules.silence,
        "time() - tollkeeper_ingest_last_event_timestamp_seconds > SECONDS\n\
         and\n  tollkeeper_ingest_backlog_bytes == 0",
        "source {{ $labels.source }} has no record for {{ $value | humanizeDuration }}",
        "Either nobody calls models any more, or the log is not delivered: check that logging is on and \
         where it goes.",
    );
    let prices = age(
        (AlertName::PriceBookStale, Severity::Notice),
        &rules.prices,
        "time() - tollkeeper_price_book_timestamp_seconds > SECONDS",
        "the price book is {{ $value | humanizeDuration }} old",
        "Prices may have changed since; update Tollkeeper, or add a price file.",
    );
    let alerts = [lag, silent, prices].into_iter().flatten().collect();
    Group { name: "tollkeeper-sources", sums: Vec::new(), alerts }
}

fn age(
    (name, severity): (AlertName, Severity),
    rule: &AgeRule,
    expr: &str,
    summary: &str,
    advice: &str,
) -> Option<Alert> {
    rule.enabled.then(|| Alert {
        name: name.as_str(),
        severity,
        expr: expr.replace("SECONDS", &seconds(rule.over_ms)),
        patience: rule.patience,
        labels: Vec::new(),
        summary: summary.to_owned(),
        description: format!("Told after {}. {advice}", duration(rule.over_ms)),
    })
}

/// Returns seconds as a number; milliseconds are its decimals.
fn seconds(ms: i64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
