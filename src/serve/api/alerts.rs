//! Alerts that are pending or firing, as JSON: the answer of `/api/v1/alerts`.

use serde_json::{Value, json};

use crate::ledger::alerts::Alerts;
use crate::model::alert::Phase;

pub(super) fn alerts(alerts: &Alerts) -> Value {
    let states = alerts.states().iter().map(|(key, state)| {
        let (phase, fired) = match state.phase {
            Phase::Pending => ("pending", None),
            Phase::Firing { fired, .. } => ("firing", Some(fired.second_text())),
        };
        json!({
            "alert": key.name.as_str(),
            "labels": key.labels,
            "severity": state.severity.as_str(),
            "phase": phase,
            "since": state.since.second_text(),
            "fired": fired,
            "summary": state.brief.summary,
            "details": state.brief.details,
            "values": state.brief.values,
        })
    });
    json!({ "alerts": states.collect::<Vec<_>>() })
}
