//! `/api/v1/events`: a stream that says when there is something new, for who shows it (the format that browsers read:
//! HTML standard, "Server-sent events"). It says only that; what is new is asked for at the other endpoints.
//!
//! `commit` comes after commits, `evaluation` when what was committed has been looked at (budgets, quotas, alerts), each at most
//! once a second, and `beat` when there was nothing for a while. A stream ends when the locks change, so that
//! nobody listens by an old one.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body, Frame};
use hyper::header::{HeaderName, HeaderValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::lock::Lock;
use super::reply::{Pending, ready as done, streamed};
use super::router::Asked;
use super::{Doors, problem};
use crate::metrics::Snapshot;
use crate::model::time::UnixMillis;
use crate::watch::lookout::Evaluation;

/// The path.
pub(super) const PATH: &str = "/api/v1/events";
pub(super) const KIND: &str = "text/event-stream";
/// Streams at once: they stay, so they must leave places for who asks and goes.
const STREAMS_MAX: usize = 64;
/// Shortest time between two events.
const PACE: Duration = Duration::from_secs(1);
/// Longest time without one. Also how soon it is noticed that the client has gone.
const BEAT: Duration = Duration::from_secs(10);
/// After how long a client comes back that lost the stream.
const RETRY: &str = "retry: 2000\n\n";

/// The places for streams.
#[derive(Clone)]
pub struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS_MAX)))
    }
}

pub(super) fn reply(asked: &Asked) -> Pending {
    let path = asked.request.uri().path();
    let Ok(place) = Arc::clone(&asked.doors.streams.0).try_acquire_owned() else {
        let detail = "there are too many streams; ask the other endpoints now and then instead";
        return done(problem::answer(path, StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    let watcher = Watcher::new(&asked.doors, place);
    let first = std::future::ready(Some((Bytes::from_static(RETRY.as_bytes()), watcher)));
    let mut answer = streamed(StatusCode::OK, KIND, Events(Box::pin(first)));
    // nginx would hold events back until there are some pages of them.
    let unheld = HeaderName::from_static("x-accel-buffering");
    answer.headers_mut().insert(unheld, HeaderValue::from_static("no"));
    done(answer)
}

/// What waits for the next event.
struct Watcher {
    lock: watch::Receiver<Arc<Lock>>,
    snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
    evaluation: watch::Receiver<Arc<Evaluation>>,
    now: fn() -> UnixMillis,
    /// How many commits were told; a snapshot may come without one.
    commits: Option<u64>,
    /// Whether something was committed that an evaluation has yet to look at.
    is_evaluation_due: bool,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    fn new(doors: &Doors, place: OwnedSemaphorePermit) -> Self {
        let mut snapshot = doors.snapshot.clone();
        // Who comes back may have missed something.
        snapshot.mark_changed();
        let (mut lock, mut evaluation) = (doors.lock.clone(), doors.evaluation.clone());
        lock.mark_unchanged();
        evaluation.mark_unchanged();
        Self {
            lock,
            snapshot,
            evaluation,
            now: doors.now,
            commits: None,
            is_evaluation_due: false,
            _place: place,
        }
    }

    /// Waits for the next event; nothing at the end.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let beat = tokio::time::sleep(BEAT);
        tokio::pin!(beat);
        loop {
            tokio::select! {
                _ = self.lock.changed() => return None,
                is_there = self.snapshot.changed() => {
                    is_there.ok()?;
                    if self.is_new_commit() {
                        self.is_evaluation_due = true;
                        return Some((self.event("commit"), self));
                    }
                }
                is_there = self.evaluation.changed(), if self.is_evaluation_due => {
                    is_there.ok()?;
                    self.is_evaluation_due = false;
                    return Some((self.event("evaluation"), self));
                }
                () = &mut beat => return Some((self.event("beat"), self)),
            }
        }
    }

    /// The same, not too soon after the event before.
    async fn next_paced(mut self) -> Option<(Bytes, Self)> {
        tokio::select! {
            _ = self.lock.changed() => return None,
            () = tokio::time::sleep(PACE) => {}
        }
        self.next().await
    }

    fn is_new_commit(&mut self) -> bool {
        let commits = self
            .snapshot
            .borrow_and_update()
            .as_ref()
            .map(|snapshot| snapshot.ledger.commit_us.count());
        let is_new = commits.is_some() && commits != self.commits;
        self.commits = commits;
        is_new
    }

    fn event(&self, name: &str) -> Bytes {
        let at = (self.now)().second_text();
        Bytes::from(format!("event: {name}\ndata: {{\"at\":\"{at}\"}}\n\n"))
    }
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Watcher)>> + Send>>;

/// The body: each event is waited for when the one before it is sent.
struct Events(Next);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some((text, watcher)) = ready!(self.0.as_mut().poll(context)) else {
            self.0 = Box::pin(std::future::pending());
            return Poll::Ready(None);
        };
        let is_first = text == RETRY.as_bytes();
        self.0 = if is_first { Box::pin(watcher.next()) } else { Box::pin(watcher.next_paced()) };
        Poll::Ready(Some(Ok(Frame::data(text))))
    }
}
