//! Prometheus Alertmanager, API v2: `POST /api/v2/alerts`.
//!
//! Labels identify an alert, so they are the same at every send, and annotations are what is told of it;
//! whoever sends an alert sends it again as long as it fires
//! (<https://prometheus.io/docs/alerting/clients/>, <https://prometheus.io/docs/alerting/latest/alerts_api/>).
//! The severity is one of the labels, as in rules of Prometheus: an alert whose severity changes is another
//! one there, and the one before it ends by itself.

use serde_json::{Map, Value, json};

use super::super::message::{instant, one_line};
use super::{Links, Told};
use crate::model::alert::NoticeStatus;
use crate::model::time::UnixMillis;

/// Path of the API below the address of the Alertmanager.
pub(in crate::alert) const PATH: &str = "/api/v2/alerts";
/// An alert ends by itself when it was not sent for so many intervals. Prometheus does the same:
/// `validUntil` is four times the larger of resend delay and interval
/// (<https://github.com/prometheus/prometheus/blob/main/rules/alerting.go>).
const INTERVALS: i64 = 4;
/// Most characters of a value of a label or annotation.
const VALUE_CHARS_MAX: usize = 1_000;

/// Returns the body for these alerts.
pub(in crate::alert) fn body<'n>(
    alerts: impl IntoIterator<Item = Told<'n>>,
    links: &Links,
    now: UnixMillis,
    resend_ms: i64,
) -> Value {
    alerts.into_iter().map(|told| alert(&told, links, now, resend_ms)).collect()
}

fn alert(told: &Told<'_>, links: &Links, now: UnixMillis, resend_ms: i64) -> Value {
    let mut labels = Map::new();
    for (name, value) in &told.key.labels {
        labels.insert(label_name(name), one_line(value, VALUE_CHARS_MAX).into());
    }
    labels.insert("alertname".to_owned(), told.key.name.as_str().into());
    labels.insert("severity".to_owned(), told.severity.as_str().into());
    labels.insert("service".to_owned(), "tollkeeper".into());

    let mut annotations = Map::new();
    for (name, value) in &told.brief.values {
        annotations.insert(label_name(name), one_line(value, VALUE_CHARS_MAX).into());
    }
    annotations.insert("summary".to_owned(), told.summary().into());
    let mut description = told.details();
    description.push(told.times());
    annotations.insert("description".to_owned(), description.join("\n").into());
    if let Some(runbook) = told.runbook(links) {
        annotations.insert("runbook_url".to_owned(), runbook.into());
    }
    if let Some(dashboard) = &links.dashboard {
        annotations.insert("dashboard".to_owned(), dashboard.clone().into());
    }

    let ends = match (told.status, told.ended) {
        (NoticeStatus::Resolved, Some(ended)) => ended,
        _ => now.plus(resend_ms.saturating_mul(INTERVALS)),
    };
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": instant(told.fired),
        "endsAt": instant(ends),
    });
    if let (Some(url), Some(object)) = (&links.dashboard, alert.as_object_mut()) {
        object.insert("generatorURL".to_owned(), url.clone().into());
    }
    alert
}

/// Returns a name that Alertmanager takes (`[a-zA-Z_][a-zA-Z0-9_]*`).
fn label_name(name: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let cleaned: String = name.chars().map(clean).collect();
    if cleaned.starts_with(|c: char| c.is_ascii_digit()) || cleaned.is_empty() {
        format!("_{cleaned}")
    } else {
        cleaned
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::message::tests::spike;
    use super::*;
    use crate::model::alert::{AlertState, Phase};
    use crate::model::time::MINUTE_MS;

    fn links() -> Links {
        Links {
            dashboard: Some("https://grafana.example/d/1".to_owned()),
            runbook: Some("https://example.org/RUNBOOK.md".to_owned()),
        }
    }

    #[test]
    fn a_notice_becomes_an_alert_that_ends_by_itself() {
        let notice = spike(NoticeStatus::Firing);
        let now = notice.fired.plus(MINUTE_MS);
        assert_eq!(
            body([Told::from(&notice)], &links(), now, MINUTE_MS),
            json!([{
                "labels": {
                    "alertname": "TollkeeperSpendSpike",
                    "model": "anthropic.claude-v2:1",
                    "service": "tollkeeper",
                    "severity": "page",
                },
                "annotations": {
                    "dashboard": "https://grafana.example/d/1",
                    "description": "role/log-summariser: +$377/h, 93 % of the increase\n\
                                    since 2026-11-23T10:00:00Z",
                    "runbook_url": "https://example.org/RUNBOOK.md#tollkeeperspendspike",
                    "spend_usd_per_hour": "412",
                    "summary": "spend $412/h, usual $35/h",
                },
                "startsAt": "2026-11-23T10:02:00.000Z",
                "endsAt": "2026-11-23T10:07:00.000Z",
                "generatorURL": "https://grafana.example/d/1",
            }])
        );
    }

    #[test]
    fn the_state_and_both_notices_of_an_alert_have_the_same_labels_and_start() {
        let (firing, resolved) = (spike(NoticeStatus::Firing), spike(NoticeStatus::Resolved));
        let state = AlertState {
            phase: Phase::Firing { fired: firing.fired, last_true: firing.fired },
            severity: firing.severity,
            since: firing.since,
            brief: firing.brief.clone(),
        };
        let told = Told::of_state(&firing.key, &state).unwrap();
        let all = [Told::from(&firing), Told::from(&resolved), told];
        let body = body(all, &links(), firing.fired, MINUTE_MS);
        for key in ["labels", "startsAt"] {
            assert_eq!(body[0][key], body[1][key]);
            assert_eq!(body[0][key], body[2][key]);
        }
        assert_eq!(body[1]["endsAt"], "2026-11-23T11:14:00.000Z");
        let pending = AlertState { phase: Phase::Pending, ..state };
        assert!(Told::of_state(&firing.key, &pending).is_none());
    }

    #[test]
    fn names_are_made_fit() {
        for (name, fit) in
            [("attr_team", "attr_team"), ("a-b.c", "a_b_c"), ("1x", "_1x"), ("", "_")]
        {
            assert_eq!(label_name(name), fit);
        }
    }
}
