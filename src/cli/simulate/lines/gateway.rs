//! Access log of an API gateway, at the time when the request came.

use super::{push_number, push_padded, push_uuid};
use crate::cli::simulate::world::{Call, GATEWAY_LIMIT_MS, Run};
use crate::model::names::Outcome;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Adds the line of the request that led to a call; returns the status that it was answered.
pub(super) fn push(text: &mut String, path: &str, call: &Call, run: &Run) -> u64 {
    let status = match call.outcome {
        _ if run.timed_out => 504,
        Outcome::Ok | Outcome::Filtered => 200,
        Outcome::Throttled => 429,
        Outcome::Validation => 400,
        _ => 502,
    };
    text.push_str("{\"requestId\":\"");
    push_uuid(text, run.gateway_id);
    text.push_str("\",\"requestTime\":\"");
    push_common_time(text, call, run);
    text.push_str("\",\"requestTimeEpoch\":");
    push_number(text, run.from.0.unsigned_abs());
    text.push_str(",\"httpMethod\":\"POST\",\"resourcePath\":\"");
    text.push_str(path);
    text.push_str("\",\"status\":\"");
    push_number(text, status);
    let run_ms = (run.duration_us + run.init_us.unwrap_or(0)) / 1_000;
    let integration_ms = run_ms.min(GATEWAY_LIMIT_MS);
    text.push_str("\",\"integrationStatus\":\"");
    text.push_str(if run.timed_out { "-" } else { "200" });
    text.push_str("\",\"integrationLatency\":\"");
    push_number(text, integration_ms);
    text.push_str("\",\"responseLatency\":\"");
    push_number(text, integration_ms + run.gateway_ms);
    text.push_str(if run.timed_out {
        "\",\"errorMessage\":\"Endpoint request timed out\",\"errorResponseType\":\"INTEGRATION_TIMEOUT\""
    } else {
        "\",\"errorMessage\":\"-\",\"errorResponseType\":\"-\""
    });
    text.push_str(",\"integrationRequestId\":\"");
    push_uuid(text, run.request_id);
    text.push_str("\"}\n");
    status
}

/// Adds `14/May/2024:09:12:00 +0000`.
fn push_common_time(text: &mut String, call: &Call, run: &Run) {
    use chrono::{Datelike as _, Timelike as _};

    let Some(at) = run.from.to_chrono().or_else(|| call.at.to_chrono()) else { return };
    push_padded(text, u64::from(at.day()), 2);
    text.push('/');
    text.push_str(usize::try_from(at.month0()).ok().and_then(|m| MONTHS.get(m)).unwrap_or(&"Jan"));
    text.push('/');
    push_number(text, u64::from(at.year().unsigned_abs()));
    for part in [at.hour(), at.minute(), at.second()] {
        text.push(':');
        push_padded(text, u64::from(part), 2);
    }
    text.push_str(" +0000");
}
