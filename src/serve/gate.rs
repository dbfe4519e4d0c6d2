//! `/api/v1/gate`: may a call go on? For `auth_request` of nginx, `ext_authz` of Envoy over HTTP, or a
//! client.
//!
//! The budget or the labels of the call come as query parameters (`budget=`, `principal=`, …) or as
//! headers (`X-Tollkeeper-Budget`, `X-Tollkeeper-Principal`, …). Envoy appends the path and query of
//! the call to the prefix; there only headers count, since callers choose the query.
//! Answers: 200, 429 with `Retry-After`, 404. nginx takes only 401 and 403 for a refusal, so `deny=403`
//! chooses another status (nginx, "Module `ngx_http_auth_request_module`").

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode};
use serde_json::{Value, json};

use super::problem;
use super::reply::{Answer, JSON_TYPE, Pending, ready, whole};
use super::router::Asked;
use crate::budget::amount::Amount;
use crate::model::time::UnixMillis;
use crate::watch::gate::{self, Ask, Basis};
use crate::watch::lookout::Evaluation;

/// The path of the gate.
pub(super) const PATH: &str = "/api/v1/gate";
const HEADER_PREFIX: &str = "x-tollkeeper-";
/// Most labels of a question; a client that sends more is told of the first ones.
const LABELS_MAX: usize = 32;

/// Answers a request, also with the path of a call behind ours.
pub(super) fn reply(asked: &Asked) -> Pending {
    let evaluation = Arc::clone(&asked.doors.evaluation.borrow());
    ready(answer(&asked.request, &evaluation, (asked.doors.now)()))
}

fn answer<B>(request: &Request<B>, evaluation: &Evaluation, now: UnixMillis) -> Answer {
    let (ask, deny) = read(request);
    let refused = deny.unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    match gate::answer(evaluation, &ask, now) {
        gate::Answer::NoSuchBudget => no_such_budget(&ask),
        gate::Answer::Go(basis) => verdict(StatusCode::OK, true, basis.as_ref(), None),
        gate::Answer::Stop(basis, ms) => verdict(refused, false, Some(&basis), Some(ms)),
    }
}

fn read<B>(request: &Request<B>) -> (Ask, Option<StatusCode>) {
    let mut ask = Ask::default();
    let mut deny = None;
    let mut take = |name: &str, value: String| match name {
        "budget" => ask.budget = Some(value),
        "deny" => deny = deny_status(&value),
        label if ask.labels.len() < LABELS_MAX => ask.labels.push((label.to_owned(), value)),
        _ => {}
    };
    for (name, value) in labels_of(request.headers()) {
        take(&name, value);
    }
    if request.uri().path() == PATH {
        let query = request.uri().query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            take(&name, value.into_owned());
        }
    }
    (ask, deny)
}

/// Returns the headers that are meant for the gate; an attribute `attr:team` is `X-Tollkeeper-Attr-Team`.
fn labels_of(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(HEADER_PREFIX)?;
        let name = match name.strip_prefix("attr-") {
            Some(key) => format!("attr:{key}"),
            None => name.to_owned(),
        };
        Some((name, value.to_str().ok()?.to_owned()))
    })
}

fn deny_status(text: &str) -> Option<StatusCode> {
    match text {
        "401" => Some(StatusCode::UNAUTHORIZED),
        "403" => Some(StatusCode::FORBIDDEN),
        _ => None,
    }
}

fn verdict(
    status: StatusCode,
    allowed: bool,
    basis: Option<&Basis<'_>>,
    retry: Option<i64>,
) -> Answer {
    let mut headers = Vec::new();
    let mut body = json!({ "allowed": allowed });
    if let (Some(basis), Some(body)) = (basis, body.as_object_mut()) {
        for (name, value) in facts(basis) {
            if let (Some(text), "remaining_usd" | "remaining_tokens") = (value.as_str(), name) {
                let header = HeaderName::from_static("x-tollkeeper-remaining");
                headers.extend(HeaderValue::from_str(text).ok().map(|text| (header, text)));
            }
            body.insert(name.to_owned(), value);
        }
    }
    if let Some(ms) = retry {
        let seconds = (ms + 999) / 1_000;
        headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
    }
    let mut answer = whole(status, JSON_TYPE, format!("{body}\n"));
    answer.headers_mut().extend(headers);
    answer
}

fn facts(basis: &Basis<'_>) -> Vec<(&'static str, Value)> {
    let mut facts = vec![
        ("budget", json!(basis.plan.name)),
        ("enforced", json!(basis.plan.enforce)),
        ("known", json!(basis.doubt.is_none())),
    ];
    if let Some(doubt) = basis.doubt {
        facts.push(("doubt", json!(doubt)));
    }
    let (remaining, limit) = match basis.state {
        Some(state) => (state.status.remaining, state.status.limit),
        // Nothing was spent yet, as far as is known.
        None => (basis.plan.limit, basis.plan.limit),
    };
    match (remaining, limit) {
        (Amount::Usd(remaining), Amount::Usd(limit)) => {
            facts.push(("remaining_usd", json!(remaining.to_string())));
            facts.push(("limit_usd", json!(limit.to_string())));
        }
        (Amount::Tokens(remaining), Amount::Tokens(limit)) => {
            facts.push(("remaining_tokens", json!(remaining.to_string())));
            facts.push(("limit_tokens", json!(limit.to_string())));
        }
        _ => {}
    }
    if let Some(state) = basis.state {
        facts.push(("period_end", json!(state.status.period.end.second_text())));
    }
    facts
}

fn no_such_budget(ask: &Ask) -> Answer {
    let detail = match &ask.budget {
        Some(name) => format!("there is no budget named `{name}`"),
        None if ask.labels.is_empty() => {
            "name a budget (`?budget=NAME`) or the labels of the call (`?principal=…&model=…`)"
                .to_owned()
        }
        None => "no budget's scope is told by these labels".to_owned(),
    };
    let status = StatusCode::NOT_FOUND;
    whole(status, problem::PROBLEM_TYPE, problem::json(status, "no such budget", &detail))
}
