//! The answers that are no API: `/metrics`, health, reload, and the list that names all of them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body, Frame};
use tokio::sync::oneshot;

use super::Doors;
use super::reply::{Answer, Pending, ready as done, streamed, text};
use super::router::{Asked, ROUTES};
use crate::metrics::Page;

/// The content type of the Prometheus text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENING: &str = "the ledger is being opened\n";

pub(super) fn endpoints(_: &Asked) -> Pending {
    let mut page = "tollkeeper: what LLM calls cost and why they are throttled\n\n".to_owned();
    let told = || ROUTES.iter().filter(|route| !route.help.is_empty());
    let width = told().map(|route| route.path.len()).max().unwrap_or(0);
    for route in told() {
        page.push_str(&format!("{:<width$}  {}\n", route.path, route.help));
    }
    done(text(StatusCode::OK, page))
}

pub(super) fn health(_: &Asked) -> Pending {
    done(text(StatusCode::OK, "ok\n"))
}

pub(super) fn ready(asked: &Asked) -> Pending {
    let is_open = asked.doors.snapshot.borrow().is_some();
    done(if is_open {
        text(StatusCode::OK, "ready\n")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, OPENING)
    })
}

pub(super) fn metrics(asked: &Asked) -> Pending {
    done(metrics_page(&asked.doors))
}

fn metrics_page(doors: &Doors) -> Answer {
    let snapshot = doors.snapshot.borrow().clone();
    let Some(snapshot) = snapshot else { return text(StatusCode::SERVICE_UNAVAILABLE, OPENING) };
    let evaluation = Arc::clone(&doors.evaluation.borrow());
    let page = MetricsPage(Page::new(snapshot, evaluation, (doors.now)()));
    streamed(StatusCode::OK, METRICS_TYPE, page)
}

/// Makes each piece of the page when the one before it is sent.
struct MetricsPage(Page);

impl Body for MetricsPage {
    type Data = Bytes;
    type Error = prometheus::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<prometheus::Result<Frame<Bytes>>>> {
        let piece = self.0.next();
        if let Some(Err(error)) = &piece {
            tracing::error!(%error, "can't encode the metrics");
        }
        Poll::Ready(piece.map(|piece| piece.map(|text| Frame::data(Bytes::from(text)))))
    }
}

pub(super) fn reload(asked: &Asked) -> Pending {
    let door = asked.doors.reload.clone();
    Box::pin(async move {
        let (reply, answer) = oneshot::channel();
        let is_asked = door.send(reply).await.is_ok();
        match answer.await {
            Ok(Ok(done)) if is_asked => text(StatusCode::OK, format!("{done}\n")),
            Ok(Err(why)) => text(StatusCode::BAD_REQUEST, format!("{why}\n")),
            _ => text(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping\n"),
        }
    })
}
