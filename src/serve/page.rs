//! The page at `/`: its files, as they are in `page/`. They are part of the binary and ask for nothing from elsewhere.
//!
//! The page is for a browser; who asks for text gets the list of endpoints there. What it shows comes from
//! `/api/v1/`, so there is nothing on it that a person could not ask for as well.

use hyper::StatusCode;
use hyper::header::{ACCEPT, CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, IF_NONE_MATCH, VARY};

use super::reply::{Answer, Pending, ready, tagged};
use super::router::Asked;
use super::{pages, problem};

/// Below this are the files of the page.
pub(super) const PATH: &str = "/page";

/// Scripts and styles are files of ours, never text of the page: what a log says can't become either. No
/// script can make markup of text, not even by mistake (`trusted-types`).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const INDEX: &str = include_str!("page/index.html");

/// A file of the page.
struct File {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($name:literal: $kind:expr),* $(,)?) => {
        &[$(File { name: $name, kind: $kind, text: include_str!(concat!("page/", $name)) }),*]
    };
}

const FILES: &[File] = files! {
    "alerts.js": SCRIPT,
    "api.js": SCRIPT,
    "budgets.js": SCRIPT,
    "chart.js": SCRIPT,
    "colours.js": SCRIPT,
    "controls.js": SCRIPT,
    "dom.js": SCRIPT,
    "live.js": SCRIPT,
    "load.js": SCRIPT,
    "main.js": SCRIPT,
    "money.js": SCRIPT,
    "month.js": SCRIPT,
    "notices.js": SCRIPT,
    "quotas.js": SCRIPT,
    "sources.js": SCRIPT,
    "state.js": SCRIPT,
    "style.css": CSS,
    "svg.js": SCRIPT,
    "theme.js": SCRIPT,
    "tiles.js": SCRIPT,
    "time.js": SCRIPT,
    "tops.js": SCRIPT,
    "usage.js": SCRIPT,
};

/// Answers `/`.
pub(super) fn start(asked: &Asked) -> Pending {
    let headers = asked.request.headers();
    let html = |kinds: &HeaderValue| kinds.to_str().is_ok_and(|kinds| kinds.contains("text/html"));
    if !headers.get_all(ACCEPT).iter().any(html) {
        let list = pages::endpoints(asked);
        return Box::pin(async move { varied(list.await) });
    }
    ready(varied(guarded(HTML, INDEX, headers)))
}

/// Answers what is below [`PATH`].
pub(super) fn file(asked: &Asked) -> Pending {
    let path = asked.request.uri().path();
    let name = path.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/'));
    let file = name.and_then(|name| FILES.iter().find(|file| file.name == name));
    ready(match file {
        Some(file) => guarded(file.kind, file.text, asked.request.headers()),
        None => problem::answer(path, StatusCode::NOT_FOUND, "there is no such page; see /"),
    })
}

fn guarded(kind: &'static str, text: &'static str, headers: &HeaderMap) -> Answer {
    let mut answer = tagged(kind, text, headers.get(IF_NONE_MATCH));
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    answer
}

fn varied(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    answer
}
