//! The HTTP server: `/metrics`, health, reload, and a start page that names them.
//!
//! It may use the core and `metrics`. It must never write to the ledger or wait for it: it answers
//! from the snapshot that the last commit published.

mod gate;
pub mod usage;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::metrics::{Page, Snapshot};
use crate::model::time::UnixMillis;
use crate::watch::lookout::Evaluation;

/// Connections served at once; more wait in the listen queue of the system.
const CONNECTIONS_MAX: usize = 128;
/// How long a client may take to send its request headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest request head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long to wait after a failed accept (out of file handles) before the next one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The content type of the Prometheus text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON_TYPE: &str = "application/json";
const PROBLEM_TYPE: &str = "application/problem+json";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// The body of an answer.
type Answer = Either<Full<Bytes>, MetricsPage>;

/// What the server answers from.
#[derive(Clone)]
pub struct Doors {
    /// The last snapshot; `None` until the ledger is open.
    pub snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
    /// What the last evaluation found.
    pub evaluation: watch::Receiver<Arc<Evaluation>>,
    /// Asks the daemon to reload; it answers with what happened.
    pub reload: mpsc::Sender<oneshot::Sender<Result<String, String>>>,
    /// Tells the time.
    pub now: fn() -> UnixMillis,
}

/// Serves on `listener` until `stop` is done.
pub async fn serve(listener: TcpListener, doors: Doors, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    tokio::pin!(stop);
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file handles, most likely; a tight loop would make it worse.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // The page is sent in pieces; without this each would wait for the client's delayed ACK, 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays slow");
        }
        let doors = doors.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, doors.clone()));
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
}

/// Returns the line that tells a person where to look.
pub fn listening_text(address: SocketAddr) -> String {
    format!("listening on http://{address}, opening the ledger")
}

async fn answer(request: Request<Incoming>, doors: Doors) -> Result<Response<Answer>, Infallible> {
    if gate::is_asked(request.uri().path()) {
        return Ok(gate_reply(&request, &doors));
    }
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    Ok(match (request.uri().path(), reading) {
        ("/metrics", true) => metrics_page(&doors),
        ("/healthz", true) => text(StatusCode::OK, "ok\n"),
        ("/readyz", true) => ready(&doors),
        ("/", true) => text(StatusCode::OK, START_PAGE),
        ("/-/reload", _) if *request.method() == Method::POST => reload(&doors).await,
        ("/metrics" | "/healthz" | "/readyz" | "/", _) => not_allowed("GET, HEAD"),
        ("/-/reload", _) => not_allowed("POST"),
        _ => text(StatusCode::NOT_FOUND, "there is no such page; see /\n"),
    })
}

const START_PAGE: &str = "tollkeeper: what LLM calls cost and why they are throttled\n\n\
    /metrics    metrics for Prometheus\n\
    /healthz    200 while the process runs\n\
    /readyz     200 once the ledger is open\n\
    /api/v1/gate?budget=NAME  200 while the budget lasts, 429 once it is used up\n\
    /-/reload   POST: read config and price files again\n";

fn metrics_page(doors: &Doors) -> Response<Answer> {
    let snapshot = doors.snapshot.borrow().clone();
    let Some(snapshot) = snapshot else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the ledger is being opened\n");
    };
    let evaluation = Arc::clone(&doors.evaluation.borrow());
    let page = MetricsPage(Page::new(snapshot, evaluation, (doors.now)()));
    response(StatusCode::OK, METRICS_TYPE, Either::Right(page))
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

fn gate_reply(request: &Request<Incoming>, doors: &Doors) -> Response<Answer> {
    let evaluation = Arc::clone(&doors.evaluation.borrow());
    let gate::Reply { status, headers, body } = gate::answer(request, &evaluation, (doors.now)());
    let kind = if status == StatusCode::NOT_FOUND { PROBLEM_TYPE } else { JSON_TYPE };
    let mut response = response(status, kind, Either::Left(Full::from(body)));
    response.headers_mut().extend(headers);
    response
}

fn ready(doors: &Doors) -> Response<Answer> {
    if doors.snapshot.borrow().is_some() {
        text(StatusCode::OK, "ready\n")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "the ledger is being opened\n")
    }
}

async fn reload(doors: &Doors) -> Response<Answer> {
    let (reply, answer) = oneshot::channel();
    let asked = doors.reload.send(reply).await.is_ok();
    match answer.await {
        Ok(Ok(done)) if asked => text_owned(StatusCode::OK, format!("{done}\n")),
        Ok(Err(why)) => text_owned(StatusCode::BAD_REQUEST, format!("{why}\n")),
        _ => text(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping\n"),
    }
}

fn not_allowed(allowed: &'static str) -> Response<Answer> {
    let mut response =
        text(StatusCode::METHOD_NOT_ALLOWED, "this page does not take that method\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn text(status: StatusCode, body: &'static str) -> Response<Answer> {
    response(status, TEXT_TYPE, Either::Left(Full::from(body)))
}

fn text_owned(status: StatusCode, body: String) -> Response<Answer> {
    response(status, TEXT_TYPE, Either::Left(Full::from(body)))
}

fn response(status: StatusCode, kind: &'static str, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
