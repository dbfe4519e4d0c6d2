//! Every endpoint: its path, its methods, the right it needs, and who answers.
//!
//! A new one is a line in [`ROUTES`]. Who has not said who they are learns nothing from an answer, not
//! even whether there is such a page.

use std::sync::Arc;

use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ALLOW, AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderValue, ORIGIN, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, StatusCode};

use super::access::{Denied, Peer};
use super::lock::Lock;
use super::reply::{Answer, Pending};
use super::{Doors, api, events, gate, headers, hosts, openapi, page, pages, problem, usage};
use crate::config::web::Right;

/// Largest body of a request that is not refused at once. Nothing here reads one.
const BODY_BYTES_MAX: u64 = 64 << 10;

/// What an answer is made from.
pub(super) struct Asked {
    pub(super) request: Request<Incoming>,
    pub(super) doors: Doors,
}

/// An endpoint.
pub(super) struct Route {
    pub(super) path: &'static str,
    /// Whether everything below the path is meant as well.
    has_below: bool,
    /// The methods it takes; none means all.
    methods: &'static [Method],
    need: Need,
    /// Whether it may be asked for by any name that leads here.
    any_host: bool,
    answer: fn(&Asked) -> Pending,
    /// What the start page says of it; nothing keeps it off that page.
    pub(super) help: &'static str,
}

/// What one must be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Nothing: what a probe asks, which has no password and is told nothing but yes or no.
    Nothing,
    A(Right),
}

const GET: &[Method] = &[Method::GET, Method::HEAD];
const POST: &[Method] = &[Method::POST];
const READ: Need = Need::A(Right::Read);
const ADMIN: Need = Need::A(Right::Admin);

/// All endpoints.
pub(super) const ROUTES: &[Route] = &[
    Route {
        help: "the page, for a browser; else this list",
        ..Route::new("/", GET, READ, page::start)
    },
    Route { has_below: true, ..Route::new(page::PATH, GET, READ, page::file) },
    Route { help: "this list", ..Route::new("/endpoints", GET, READ, pages::endpoints) },
    Route {
        help: "metrics for Prometheus",
        any_host: true,
        ..Route::new("/metrics", GET, READ, pages::metrics)
    },
    Route {
        help: "200 while the process runs; without login",
        any_host: true,
        ..Route::new("/healthz", GET, Need::Nothing, pages::health)
    },
    Route {
        help: "200 once the ledger is open; without login",
        any_host: true,
        ..Route::new("/readyz", GET, Need::Nothing, pages::ready)
    },
    Route {
        help: "?budget=NAME: 200 while the budget lasts, 429 once it is used up",
        has_below: true,
        // Envoy asks with the name that the call was made to.
        any_host: true,
        ..Route::new(gate::PATH, &[], READ, gate::reply)
    },
    Route { help: "where budgets stand", ..Route::new("/api/v1/budgets", GET, READ, api::budgets) },
    Route {
        help: "what calls take of quotas, and why they were throttled",
        ..Route::new(api::quotas::PATH, GET, READ, api::quotas)
    },
    Route {
        help: "alerts that are pending or fire",
        ..Route::new("/api/v1/alerts", GET, READ, api::alerts)
    },
    Route {
        help: "logs, and how far behind",
        ..Route::new("/api/v1/sources", GET, READ, api::sources)
    },
    Route {
        help: "spend against the usual, and what this month will come to",
        ..Route::new("/api/v1/spend", GET, READ, api::spend)
    },
    Route {
        help: "what usage can be told apart by, and what was read last",
        ..Route::new("/api/v1/ledger", GET, READ, api::ledger)
    },
    Route {
        help: "a stream that says when there is something new (text/event-stream)",
        ..Route::new(events::PATH, &[Method::GET], READ, events::reply)
    },
    Route {
        help: "?by=model,principal&since=7d&step=day: what was used and what it cost",
        ..Route::new(usage::PATH, GET, READ, usage::reply)
    },
    Route {
        help: "this API, described for programs",
        ..Route::new(openapi::PATH, GET, READ, openapi::reply)
    },
    Route {
        help: "POST: read config, price and web files again; needs the right `admin`",
        ..Route::new("/-/reload", POST, ADMIN, pages::reload)
    },
];

impl Route {
    const fn new(
        path: &'static str,
        methods: &'static [Method],
        need: Need,
        answer: fn(&Asked) -> Pending,
    ) -> Self {
        Self { path, has_below: false, methods, need, any_host: false, answer, help: "" }
    }

    fn is_for(&self, path: &str) -> bool {
        match path.strip_prefix(self.path) {
            Some("") => true,
            Some(rest) => self.has_below && rest.starts_with('/'),
            None => false,
        }
    }
}

/// Answers a request of `peer`.
pub(super) async fn answer(request: Request<Incoming>, doors: Doors, peer: Peer) -> Answer {
    let lock = Arc::clone(&doors.lock.borrow());
    let mut answer = answer_under(&lock, request, doors, peer).await;
    headers::secure(answer.headers_mut(), lock.headers());
    answer
}

async fn answer_under(lock: &Lock, request: Request<Incoming>, doors: Doors, peer: Peer) -> Answer {
    let path = request.uri().path();
    let route = ROUTES.iter().find(|route| route.is_for(path));
    let need = route.map_or(READ, |route| route.need);
    if let Some(refusal) = refusal(lock, &request, need, peer).await {
        return refusal;
    }
    if route.is_some_and(|route| !route.any_host && route.need != ADMIN)
        && let Some(name) = hosts::foreign(lock, peer, request.headers())
    {
        return problem::answer(path, StatusCode::MISDIRECTED_REQUEST, &hosts::what_to_do(&name));
    }
    let Some(route) = route else {
        return problem::answer(path, StatusCode::NOT_FOUND, "there is no such page; see /");
    };
    let is_taken = match *request.method() {
        Method::TRACE | Method::CONNECT => false,
        ref method => route.methods.is_empty() || route.methods.contains(method),
    };
    if !is_taken {
        let detail = "this page does not take that method";
        let mut answer = problem::answer(path, StatusCode::METHOD_NOT_ALLOWED, detail);
        let allowed: Vec<&str> = route.methods.iter().map(Method::as_str).collect();
        answer.headers_mut().extend(
            HeaderValue::from_str(&allowed.join(", ")).ok().map(|allowed| (ALLOW, allowed)),
        );
        return answer;
    }
    (route.answer)(&Asked { request, doors }).await
}

/// Returns why a request is not answered, if it is not.
async fn refusal(
    lock: &Lock,
    request: &Request<Incoming>,
    need: Need,
    peer: Peer,
) -> Option<Answer> {
    let path = request.uri().path();
    let refuse = |status, detail: &str| Some(problem::answer(path, status, detail));
    if let Need::A(needed) = need {
        let header = request.headers().get_all(AUTHORIZATION);
        match lock.access().right_of(header, peer).await {
            Err(denied) => return Some(ask_for_login(path, denied, lock)),
            Ok(right) if right < needed => {
                let detail = format!("this needs the right `{}`", needed.as_str());
                return refuse(StatusCode::FORBIDDEN, &detail);
            }
            Ok(_) => {}
        }
        if needed == Right::Admin && is_cross_site(request.headers(), lock, peer) {
            return refuse(StatusCode::FORBIDDEN, "this can't be asked by a page of another site");
        }
    }
    if request.body().size_hint().lower() > BODY_BYTES_MAX {
        let mut answer = problem::answer(
            path,
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large; nothing here reads one",
        );
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return Some(answer);
    }
    None
}

fn ask_for_login(path: &str, denied: Denied, lock: &Lock) -> Answer {
    let detail = match denied {
        Denied::NoLogin => "log in to see this",
        Denied::WrongLogin => "the user, the password or the token is wrong",
    };
    let mut answer = problem::answer(path, StatusCode::UNAUTHORIZED, detail);
    for challenge in lock.access().challenges() {
        answer.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    answer
}

/// Tells whether a page of another site made the browser ask. A browser sends what it knows to log in, and
/// reaches what listens on its own machine, whoever wrote the page.
fn is_cross_site(headers: &HeaderMap, lock: &Lock, peer: Peer) -> bool {
    let text = |value: Option<&HeaderValue>| {
        value.and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let Some(origin) = text(headers.get(ORIGIN)) else { return false };
    let host = text(headers.get(HOST)).unwrap_or_default();
    hosts::foreign(lock, peer, headers).is_some()
        || origin.split_once("://").is_none_or(|(_, from)| !from.eq_ignore_ascii_case(&host))
}
