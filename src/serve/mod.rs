//! The doors: HTTP and HTTPS. Who may come in, what there is to ask, and the answers.
//!
//! `listener` accepts and bounds connections (`pace`), `tls` makes them private, `lock` is what a config says
//! of all that, `access` tells who asks and what they may do. `router` has the table of all endpoints with the right
//! that each needs; to add one is a line there and a file of its own. `reply` makes answers, `problem` those
//! of an API that went wrong, `headers` adds what keeps browsers safe, `hosts` knows the names that are ours. `page` has
//! the files of the page at `/`, `events` tells it when to ask again.
//! It may use the core, `config`, `secret`, `metrics` and, for `usage`, the history of `store`. It must never write
//! to the ledger or wait for it on the event loop: it answers from what is committed. It must never tell a stranger more than that there is a door.

mod access;
pub mod api;
mod client_names;
mod events;
mod gate;
mod headers;
mod hosts;
mod listener;
mod lock;
mod openapi;
mod pace;
mod page;
mod pages;
mod password;
mod problem;
mod reply;
mod router;
mod tls;
pub mod usage;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

pub use events::Streams;
pub use listener::serve;
pub use lock::{Lock, LockError, read_file};
pub use tls::CertificateError;

use crate::metrics::Snapshot;
use crate::model::time::UnixMillis;
use crate::watch::lookout::Evaluation;

/// What the server answers from.
#[derive(Clone)]
pub struct Doors {
    /// Who may come in; another one after a reload.
    pub lock: watch::Receiver<Arc<Lock>>,
    /// The last snapshot; `None` until the ledger is open.
    pub snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
    /// What the last evaluation found.
    pub evaluation: watch::Receiver<Arc<Evaluation>>,
    /// The ledger's past, for questions about usage; `None` while the ledger is not open.
    pub history: watch::Receiver<Option<usage::SharedHistory>>,
    /// The streams of events that there may be.
    pub streams: Streams,
    /// Asks the daemon to reload; it answers with what happened.
    pub reload: mpsc::Sender<oneshot::Sender<Result<String, String>>>,
    /// Tells the time.
    pub now: fn() -> UnixMillis,
}
