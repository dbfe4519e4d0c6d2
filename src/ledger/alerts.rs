//! Alerts that are pending or firing, and the outbox of what is still to be sent: part of the ledger,
//! so that both change in one commit and survive a crash together.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use crate::model::alert::{AlertKey, AlertName, AlertState, DeliveryResult, Notice};
use crate::model::time::UnixMillis;

/// One change of alerts or outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlertChange {
    /// An alert is pending or firing, or what is told of it changed.
    Set(AlertKey, AlertState),
    /// An alert is over.
    Clear(AlertKey),
    /// Something is to be sent.
    Queue(Arc<Notice>),
    /// A notice leaves the outbox.
    Settle {
        /// Its number.
        number: u64,
        /// What became of it.
        result: DeliveryResult,
        /// When.
        at: UnixMillis,
    },
}

/// What became of the notices of one route, since the ledger was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    /// Notices by alert and result.
    pub counts: Counts<(AlertName, DeliveryResult)>,
    /// When one last arrived; 0 before the first.
    pub last: UnixMillis,
}

/// Every alert that is not over, and every notice that is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    states: BTreeMap<AlertKey, AlertState>,
    outbox: BTreeMap<u64, Arc<Notice>>,
    deliveries: BTreeMap<String, Deliveries>,
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

    /// Returns what became of notices, by route.
    pub fn deliveries(&self) -> &BTreeMap<String, Deliveries> {
        &self.deliveries
    }

    /// Returns the number of the last notice that was ever queued.
    pub fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Makes a committed change. Settling a notice that is settled already changes nothing.
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
            AlertChange::Settle { number, result, at } => self.settle(*number, *result, *at),
        }
    }

    fn settle(&mut self, number: u64, result: DeliveryResult, at: UnixMillis) {
        let Some(notice) = self.outbox.remove(&number) else { return };
        let deliveries = self.deliveries.entry(notice.route.clone()).or_default();
        deliveries.counts.add((notice.key.name, result), 1);
        if result == DeliveryResult::Delivered {
            deliveries.last = deliveries.last.max(at);
        }
    }

    /// Sets what became of the notices of a route as it was stored.
    pub fn restore_deliveries(&mut self, route: String, deliveries: Deliveries) {
        self.deliveries.insert(route, deliveries);
    }

    /// Sets the number of the last notice as it was stored.
    pub fn restore_last_number(&mut self, number: u64) {
        self.last_number = self.last_number.max(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alert::{Brief, NoticeStatus, Severity};

    #[test]
    fn a_notice_is_settled_once() {
        let notice = Notice {
            number: 7,
            route: "pager".to_owned(),
            status: NoticeStatus::Firing,
            key: AlertKey::new(AlertName::Test, &[]),
            severity: Severity::Page,
            brief: Brief::default(),
            since: UnixMillis(1),
            fired: UnixMillis(2),
            ended: None,
        };
        let mut alerts = Alerts::default();
        alerts.apply(&AlertChange::Queue(Arc::new(notice)));
        let settle = |result, at| AlertChange::Settle { number: 7, result, at: UnixMillis(at) };
        alerts.apply(&settle(DeliveryResult::Delivered, 5));
        alerts.apply(&settle(DeliveryResult::Rejected, 6));
        assert!(alerts.outbox().is_empty());
        let pager = &alerts.deliveries()["pager"];
        assert_eq!(pager.counts.total(), 1);
        assert_eq!(pager.counts.get((AlertName::Test, DeliveryResult::Delivered)), 1);
        assert_eq!((pager.last, alerts.last_number()), (UnixMillis(5), 7));
    }
}
