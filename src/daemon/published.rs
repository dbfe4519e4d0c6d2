//! Where the threads publish what may be seen, for as long as the daemon runs: also across reloads.

use std::sync::Arc;

use tokio::sync::watch;

use crate::charge::Item;
use crate::config::Config;
use crate::ledger::alerts::Alerts;
use crate::metrics::{Deliveries, Snapshot};
use crate::serve::Lock;
use crate::serve::usage::SharedHistory;
use crate::watch::lookout::Evaluation;

/// Senders of what is published. Each reader sees the latest.
#[derive(Clone)]
pub(super) struct Published {
    /// Who may come in.
    pub(super) locks: watch::Sender<Arc<Lock>>,
    /// What the last commit left to be shown; nothing until the ledger is open.
    pub(super) snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    /// What the last evaluation found.
    pub(super) evaluations: watch::Sender<Arc<Evaluation>>,
    /// The ledger's past; nothing while the ledger is not open.
    pub(super) histories: watch::Sender<Option<SharedHistory>>,
    /// The committed alerts and the outbox.
    pub(super) alerts: watch::Sender<Arc<Alerts>>,
    /// How the delivery of alerts goes; counted by who delivers, shown with every snapshot.
    pub(super) deliveries: Arc<Deliveries>,
}

impl Published {
    /// Returns senders of nothing yet but who may come in.
    pub(super) fn new(lock: Arc<Lock>) -> Self {
        Self {
            locks: watch::Sender::new(lock),
            snapshots: watch::Sender::new(None),
            evaluations: watch::Sender::default(),
            histories: watch::Sender::new(None),
            alerts: watch::Sender::default(),
            deliveries: Arc::default(),
        }
    }

    /// Publishes the budgets and items of a config, of which nothing is known until they are evaluated.
    pub(super) fn plan(&self, config: &Config, items: &Arc<[Item]>) {
        let (plans, items) = (config.budgets.as_slice().into(), Arc::clone(items));
        self.evaluations.send_replace(Arc::new(Evaluation {
            plans,
            items,
            ..Evaluation::default()
        }));
    }
}
