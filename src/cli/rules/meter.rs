//! Rules about Tollkeeper itself: what it can't tell, because it is not there or can't reach anybody.

use super::page::{Alert, Group};
use crate::model::alert::Severity;
use crate::model::time::{HOUR_MS, MINUTE_MS};
use crate::watch::rules::Patience;

/// Name, severity, expression, minutes it must hold, minutes it goes on, summary, what to know.
type Row = (&'static str, Severity, &'static str, i64, i64, &'static str, &'static str);

const ROWS: [Row; 4] = [
    (
        "TollkeeperDown",
        Severity::Page,
        "up{job=\"JOB\"} == 0\nor\nabsent(up{job=\"JOB\"})",
        5,
        0,
        "Tollkeeper{{ with $labels.instance }} at {{ . }}{{ end }} is not there",
        "Nothing is metered and no alert about spend can come. Nothing is lost while the logs are there: it \
         catches up when it starts. If it was never there, the scrape job has another name than JOB: \
         `tollkeeper rules --job NAME`.",
    ),
    (
        "TollkeeperAlertsNotDelivered",
        Severity::Page,
        "min_over_time(tollkeeper_alert_outbox_notices[10m]) > 0\n\
         and\n  time() - tollkeeper_alert_last_delivery_timestamp_seconds > 600",
        5,
        0,
        "at least {{ $value }} alerts wait for route {{ $labels.route }}",
        "Its receiver took nothing for ten minutes and more. What waits is kept and sent later; look at what \
         it says: `tollkeeper_alert_delivery_attempts_total` by result, and the log.",
    ),
    (
        "TollkeeperLedgerStalled",
        Severity::Page,
        "sum by (instance) (delta(tollkeeper_ingest_backlog_bytes[10m])) > 0\n\
         and on (instance)\n  time() - tollkeeper_ledger_last_commit_timestamp_seconds > 300",
        5,
        0,
        "Tollkeeper at {{ $labels.instance }} commits nothing, {{ $value | humanize1024 }}B more wait",
        "Logs grow and nothing of them is counted, so budgets and spikes are blind. A full or slow disk is \
         the usual cause.",
    ),
    (
        "TollkeeperBytesLost",
        Severity::Ticket,
        "increase(tollkeeper_ingest_lost_bytes_total[10m]) > 0",
        0,
        HOUR_MS / MINUTE_MS,
        "source {{ $labels.source }}: {{ $value | humanize1024 }}B of logs are gone unread",
        "They were seen to exist and no file holds them any more, so the calls in them are missing from \
         every number. Logs are rotated away faster than they are read, or by copytruncate.",
    ),
];

pub(super) fn group(job: &str) -> Group {
    let alert = |&(name, severity, expr, minutes, keep, summary, description): &Row| Alert {
        name,
        severity,
        expr: expr.replace("JOB", job),
        patience: Patience { for_ms: minutes * MINUTE_MS, keep_ms: keep * MINUTE_MS },
        labels: Vec::new(),
        summary: summary.to_owned(),
        description: description.replace("JOB", job),
    };
    Group { name: "tollkeeper-meter", sums: Vec::new(), alerts: ROWS.iter().map(alert).collect() }
}
