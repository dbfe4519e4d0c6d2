//! `/api/v1/…`: what is known now, as JSON. Each answer is made of the last commit and the last evaluation, has an
//! `ETag`, and computes nothing that they do not hold.

mod alerts;
mod budgets;
mod ledger;
pub mod quotas;
mod sources;
mod spend;

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::IF_NONE_MATCH;
use serde_json::Value;

use super::reply::{JSON_TYPE, Pending, ready, tagged};
use super::router::Asked;
use super::{Doors, problem};
use crate::metrics::Snapshot;
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
    answer(asked, |known| {
        let Evaluation { pools, throttles, at, .. } = &*known.evaluation;
        quotas::quotas(pools, throttles, *at)
    })
}

pub(super) fn alerts(asked: &Asked) -> Pending {
    answer(asked, |known| alerts::alerts(&known.snapshot.alerts))
}

pub(super) fn sources(asked: &Asked) -> Pending {
    answer(asked, |known| sources::sources(&known.snapshot, known.now))
}

pub(super) fn ledger(asked: &Asked) -> Pending {
    answer(asked, |known| ledger::ledger(&known.snapshot))
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
    ready(tagged(JSON_TYPE, format!("{}\n", make(&known)), held))
}

fn known(doors: &Doors) -> Option<Known> {
    let snapshot = doors.snapshot.borrow().clone()?;
    let evaluation = Arc::clone(&doors.evaluation.borrow());
    Some(Known { snapshot, evaluation, now: (doors.now)() })
}
