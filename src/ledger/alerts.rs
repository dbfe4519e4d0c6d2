//! Alerts that are pending or firing, and the outbox of what is still to be sent: part of the ledger,
//! so that both change in one commit and survive a crash together.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::alert::{AlertKey, AlertState, Notice};

/// One change of alerts or outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlertChange {
    /// An alert is pending or firing, or what is told of it changed.
    Set(AlertKey, AlertState),
    /// An alert is over.
    Clear(AlertKey),
    /// Something is to be sent.
    Queue(Arc<Notice>),
    /// A notice arrived, or was given up; it leaves the outbox.
    Settle(u64),
}

/// Every alert that is not over, and every notice that is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    states: BTreeMap<AlertKey, AlertState>,
    outbox: BTreeMap<u64, Arc<Notice>>,
    last_number: u64,
}

impl Alerts {
    /// Returns the alerts that are pending or firing.
    pub fn states(&self) -> &BTreeMap<AlertKey, AlertState> {
        &self.states
    }

    /// Returns what is to be sent, by number.
    pub fn outbox(&self) -> &BTreeMap<u64, Arc<Notice>> {
        &self.outbox
    }

    /// Returns the number of the last notice that was ever queued.
    pub fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Makes a committed change.
    pub fn apply(&mut self, change: &AlertChange) {
        match change {
            AlertChange::Set(key, state) => {
                self.states.insert(key.clone(), state.clone());
            }
            AlertChange::Clear(key) => {
                self.states.remove(key);
            }
            AlertChange::Queue(notice) => {
                self.last_number = self.last_number.max(notice.number);
                self.outbox.insert(notice.number, Arc::clone(notice));
            }
            AlertChange::Settle(number) => {
                self.outbox.remove(number);
            }
        }
    }

    /// Restores the number of the last notice as it was stored.
    pub fn restore_last_number(&mut self, number: u64) {
        self.last_number = self.last_number.max(number);
    }
}
