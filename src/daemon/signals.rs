//! What comes from outside: signals and the reload door, as one stream of events.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

/// Who wants to know how a reload went.
pub(super) type Reply = oneshot::Sender<Result<String, String>>;

/// What happened.
pub(super) enum Event {
    /// Stop; the signal's name.
    Stop(&'static str),
    /// Read the config again.
    Reload(Option<Reply>),
}

/// Everything that is waited for.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    asked: mpsc::Receiver<Reply>,
}

impl Signals {
    pub(super) fn new(asked: mpsc::Receiver<Reply>) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            asked,
        })
    }

    pub(super) async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.terminate.recv() => Event::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Event::Stop("SIGINT"),
            _ = self.hangup.recv() => Event::Reload(None),
            Some(reply) = self.asked.recv() => Event::Reload(Some(reply)),
        }
    }
}
