//! What went wrong, for who asked: `application/problem+json` below `/api/`, a line of text elsewhere.

use hyper::StatusCode;
use serde_json::json;

use super::reply::{Answer, text, whole};

/// RFC 9457, "Problem Details for HTTP APIs".
pub(super) const PROBLEM_TYPE: &str = "application/problem+json";

/// Returns the answer to a request for `path` that failed; `detail` says what to do.
pub(super) fn answer(path: &str, status: StatusCode, detail: &str) -> Answer {
    if path.starts_with("/api/") {
        return whole(status, PROBLEM_TYPE, json(status, title_of(status), detail));
    }
    text(status, format!("{detail}\n"))
}

/// Returns the body of a problem.
pub(super) fn json(status: StatusCode, title: &str, detail: &str) -> String {
    let body = json!({ "title": title, "status": status.as_u16(), "detail": detail });
    format!("{body}\n")
}

fn title_of(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("error")
}
