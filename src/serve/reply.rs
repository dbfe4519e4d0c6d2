//! Answers and their bodies.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue};
use hyper::{Response, StatusCode};

use crate::model::hash::stored_hash;

pub(super) const TEXT_TYPE: &str = "text/plain; charset=utf-8";
pub(super) const JSON_TYPE: &str = "application/json";

/// An answer; its body may be made while it is sent.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>>;
/// An answer that is being made.
pub(super) type Pending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Returns an answer that is already there.
pub(super) fn ready(answer: Answer) -> Pending {
    Box::pin(std::future::ready(answer))
}

/// Returns an answer of one piece.
pub(super) fn whole(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    streamed(status, kind, Full::from(body.into()))
}

/// Returns a text that the client may keep and ask for again by its tag, or nothing but that it has it already.
pub(super) fn tagged(
    kind: &'static str,
    body: impl Into<Bytes>,
    held: Option<&HeaderValue>,
) -> Answer {
    let body = body.into();
    let tag = format!("\"{:016x}\"", stored_hash(&body));
    let held = held.and_then(|held| held.to_str().ok());
    let is_held = held.is_some_and(|held| {
        held.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
    });
    let mut answer = if is_held {
        whole(StatusCode::NOT_MODIFIED, kind, "")
    } else {
        whole(StatusCode::OK, kind, body)
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
    answer
}

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    whole(status, TEXT_TYPE, body)
}

/// Returns an answer whose body is made piece by piece.
pub(super) fn streamed<B>(status: StatusCode, kind: &'static str, body: B) -> Answer
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut response = Response::new(body.map_err(Into::into).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
