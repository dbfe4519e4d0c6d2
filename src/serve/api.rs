//! `/api/v1/…`: what is known now, as JSON. Each answer is made of the last commit and the last evaluation, has an
//! `ETag`, and computes nothing that they do not hold.

mod alerts;
mod budgets;
pub mod quotas;
mod sources;
mod spend;

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use serde_json::Value;

use super::reply::{Answer, JSON_TYPE, Pending, ready, whole};
use super::router::Asked;
use super::{Doors, problem};
use crate::metrics::Snapshot;
use crate::model::hash::stored_hash;
use crate::model::time::UnixMillis;
use crate::watch::lookout::Evaluation;

/// What an answer is made of.
struct Known {
    snapshot: Arc<Snapshot>,
    evaluation: Arc<Evaluation>,
    now: UnixMillis,
}

pub(super) fn budgets(asked: &Asked) -> Pending {
    answer(asked, |known| budgets::budgets(&known.evaluation))
}

pub(super) fn quotas(asked: &Asked) -> Pending {
    answer(asked, |known| quotas::quotas(&known.evaluation.pools, known.evaluation.at))
}

pub(super) fn alerts(asked: &Asked) -> Pending {
    answer(asked, |known| alerts::alerts(&known.snapshot.alerts))
}

pub(super) fn sources(asked: &Asked) -> Pending {
    answer(asked, |known| sources::sources(&known.snapshot, known.now))
}

pub(super) fn spend(asked: &Asked) -> Pending {
    answer(asked, |known| spend::spend(&known.evaluation))
}

fn answer(asked: &Asked, make: fn(&Known) -> Value) -> Pending {
    let path = asked.request.uri().path();
    let Some(known) = known(&asked.doors) else {
        let detail = "the ledger is being opened; ask again in a moment";
        return ready(problem::answer(path, StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    let held = asked.request.headers().get(IF_NONE_MATCH);
    ready(tagged(&make(&known), held))
}

fn known(doors: &Doors) -> Option<Known> {
    let snapshot = doors.snapshot.borrow().clone()?;
    let evaluation = Arc::clone(&doors.evaluation.borrow());
    Some(Known { snapshot, evaluation, now: (doors.now)() })
}

/// Returns JSON, or nothing but that the client has it already.
pub(super) fn tagged(value: &Value, held: Option<&HeaderValue>) -> Answer {
    let body = format!("{value}\n");
    let tag = format!("\"{:016x}\"", stored_hash(body.as_bytes()));
    let held = held.and_then(|held| held.to_str().ok());
    let is_held = held.is_some_and(|held| {
        held.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
    });
    let mut answer = if is_held {
        whole(StatusCode::NOT_MODIFIED, JSON_TYPE, "")
    } else {
        whole(StatusCode::OK, JSON_TYPE, body)
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
    answer
}
