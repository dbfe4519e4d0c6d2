//! `/api/v1/usage`: what was used and what it cost, see `query`. The answer is that of `tollkeeper report --format
//! json`, since that asks here while the daemon has the ledger.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use hyper::header::IF_NONE_MATCH;

use super::problem;
use super::reply::{JSON_TYPE, Pending, tagged};
use super::router::Asked;
use crate::model::time::UnixMillis;
use crate::query::tally::CELLS_MAX;
use crate::query::{Parameters, Question, Refusal};
use crate::store::{History, UsageError};

/// The path.
pub const PATH: &str = "/api/v1/usage";

/// Why there is no answer, for who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageProblem {
    /// 400, 422 for what would be too large, or 500.
    pub status: StatusCode,
    /// What to do.
    pub detail: String,
}

/// The ledger's history. One question at a time is answered, so that they take no more than one core from who
/// counts.
pub type SharedHistory = Arc<Mutex<History>>;

/// Answers a request, beside the event loop.
pub(super) fn reply(asked: &Asked) -> Pending {
    let query = asked.request.uri().query().unwrap_or_default().to_owned();
    let (history, now) = (asked.doors.history.borrow().clone(), (asked.doors.now)());
    let held = asked.request.headers().get(IF_NONE_MATCH).cloned();
    Box::pin(async move {
        let Some(history) = history else {
            let detail = "the ledger is not open; try again in a moment";
            return problem::answer(PATH, StatusCode::SERVICE_UNAVAILABLE, detail);
        };
        let work = move || {
            // It is only read, so whoever panicked left nothing half done.
            let history = history.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&query, &history, now)
        };
        match tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(failed())) {
            Ok(body) => tagged(JSON_TYPE, body, held.as_ref()),
            Err(UsageProblem { status, detail }) => problem::answer(PATH, status, &detail),
        }
    })
}

/// Answers a query string at `now`, with JSON. It reads the disk, so it must not run on the event loop.
///
/// # Errors
/// See [`UsageProblem`].
pub fn answer(query: &str, history: &History, now: UnixMillis) -> Result<String, UsageProblem> {
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    let parameters: Parameters = pairs.collect();
    let question = Question::parse(&parameters, now).map_err(UsageError::from);
    let answer = question.and_then(|question| history.usage(&question, CELLS_MAX));
    let answer = answer.map_err(|error| problem(&error))?;
    let text = serde_json::to_string(&answer);
    text.map(|text| text + "\n").map_err(|error| {
        tracing::error!(%error, "can't write an answer about usage");
        failed()
    })
}

fn problem(error: &UsageError) -> UsageProblem {
    match error {
        UsageError::Refused(Refusal::Wrong(detail)) => {
            UsageProblem { status: StatusCode::BAD_REQUEST, detail: detail.clone() }
        }
        UsageError::Refused(Refusal::TooLarge(detail)) => {
            UsageProblem { status: StatusCode::UNPROCESSABLE_ENTITY, detail: detail.clone() }
        }
        UsageError::Store(error) => {
            tracing::error!(%error, "can't answer a question about usage");
            failed()
        }
    }
}

fn failed() -> UsageProblem {
    let detail = "the ledger can't be read; the daemon's log says why".to_owned();
    UsageProblem { status: StatusCode::INTERNAL_SERVER_ERROR, detail }
}
