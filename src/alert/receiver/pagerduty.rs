//! `PagerDuty`, Events API v2
//! (<https://developer.pagerduty.com/docs/events-api-v2-overview>, <https://developer.pagerduty.com/docs/send-alert-event>).

use serde_json::{Map, Value, json};

use super::super::message::{instant, one_line};
use super::{Links, Told};
use crate::model::alert::{NoticeStatus, Severity};
use crate::secret::Secret;

/// Longest `payload.summary`.
const SUMMARY_CHARS_MAX: usize = 1_024;
const VALUE_CHARS_MAX: usize = 400;

/// Returns the body. An end needs only the key of the event that it ends.
pub(in crate::alert) fn body(
    told: &Told<'_>,
    deduplication_key: &str,
    routing_key: &Secret,
    links: &Links,
) -> Value {
    let mut event = json!({
        "routing_key": routing_key.exposed(),
        "event_action": match told.status {
            NoticeStatus::Firing => "trigger",
            NoticeStatus::Resolved => "resolve",
        },
        "dedup_key": deduplication_key,
    });
    if told.status == NoticeStatus::Resolved {
        return event;
    }
    let mut details = Map::new();
    for (name, value) in told.key.labels.iter().chain(&told.brief.values) {
        details.insert(name.clone(), one_line(value, VALUE_CHARS_MAX).into());
    }
    details.insert("details".to_owned(), told.details().join("\n").into());
    details.insert("since".to_owned(), told.since.second_text().into());
    let shown: Vec<Value> = told
        .links(links)
        .into_iter()
        .map(|(text, href)| json!({ "href": href, "text": text }))
        .collect();
    if let Some(event) = event.as_object_mut() {
        event.insert("client".to_owned(), "Tollkeeper".into());
        if let Some(url) = &links.dashboard {
            event.insert("client_url".to_owned(), url.clone().into());
        }
        event.insert("links".to_owned(), shown.into());
        event.insert(
            "payload".to_owned(),
            json!({
                "summary": one_line(&told.title(), SUMMARY_CHARS_MAX),
                "source": "tollkeeper",
                "severity": severity(told.severity),
                "timestamp": instant(told.fired),
                "class": told.key.name.as_str(),
                "component": told.key.labels.get("model"),
                "custom_details": details,
            }),
        );
    }
    event
}

/// `critical` and `error` have high urgency, `warning` and `info` low urgency
/// (<https://support.pagerduty.com/main/docs/dynamic-notifications>). A ticket is for working hours, so
/// it must not wake anybody.
const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Page => "critical",
        Severity::Ticket => "warning",
        Severity::Notice => "info",
    }
}

/// Tells whether an answer is one of `PagerDuty`: `{"status":"success",…}`. What else says 200 is a proxy
/// or login page in between; asking again does no harm, since the key is the same.
pub(in crate::alert) fn is_taken(body: &str) -> bool {
    let answer: Result<Value, _> = serde_json::from_str(body);
    answer.is_ok_and(|answer| answer.get("status").and_then(Value::as_str) == Some("success"))
}

#[cfg(test)]
mod tests {
    use super::super::super::message::tests::spike;
    use super::*;

    #[test]
    fn begin_and_end_share_the_key() {
        let key = Secret::new("R0UT1NG".to_owned());
        let links = Links { dashboard: Some("https://g.example/d".to_owned()), runbook: None };
        let firing = spike(NoticeStatus::Firing);
        let begin = body(&Told::from(&firing), "d", &key, &links);
        assert_eq!(
            begin,
            json!({
                "routing_key": "R0UT1NG",
                "event_action": "trigger",
                "dedup_key": "d",
                "client": "Tollkeeper",
                "client_url": "https://g.example/d",
                "links": [{ "href": "https://g.example/d", "text": "dashboard" }],
                "payload": {
                    "summary": "[page] TollkeeperSpendSpike model=anthropic.claude-v2:1: spend \
                                $412/h, usual $35/h",
                    "source": "tollkeeper",
                    "severity": "critical",
                    "timestamp": "2026-11-23T10:02:00.000Z",
                    "class": "TollkeeperSpendSpike",
                    "component": "anthropic.claude-v2:1",
                    "custom_details": {
                        "model": "anthropic.claude-v2:1",
                        "spend_usd_per_hour": "412",
                        "details": "role/log-summariser: +$377/h, 93 % of the increase",
                        "since": "2026-11-23T10:00:00Z",
                    },
                },
            })
        );
        let resolved = spike(NoticeStatus::Resolved);
        let end = body(&Told::from(&resolved), "d", &key, &links);
        assert_eq!(
            end,
            json!({ "routing_key": "R0UT1NG", "event_action": "resolve", "dedup_key": "d" })
        );
    }

    #[test]
    fn only_pagerduty_itself_takes_an_event() {
        assert!(is_taken(r#"{"status":"success","message":"Event processed","dedup_key":"d"}"#));
        for other in ["", "<html>please log in</html>", "{\"status\":\"invalid event\"}", "[]"] {
            assert!(!is_taken(other), "{other}");
        }
    }
}
