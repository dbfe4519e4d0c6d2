//! How the delivery of alerts goes: what became of notices, as committed, and how attempts end, counted
//! while it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::proto::MetricFamily;

use super::builder::{Family, float, pair};
use super::families::seconds;
use super::names;
use crate::ledger::alerts::Alerts;
use crate::model::time::UnixMillis;

/// The attempts of every route, since the start of the process. They survive a reload, and routes that
/// are no longer in the config keep their counters, since those must not fall back.
#[derive(Debug, Default)]
pub struct Deliveries(Mutex<BTreeMap<String, RouteHealth>>);

/// The attempts of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteHealth {
    /// Attempts by how they ended.
    pub attempts: BTreeMap<&'static str, u64>,
    /// When the receiver last took what it was sent.
    pub last_delivery: UnixMillis,
}

impl Deliveries {
    /// Changes the counts of a route.
    pub fn update(&self, route: &str, change: impl FnOnce(&mut RouteHealth)) {
        let mut routes = self.lock();
        if let Some(health) = routes.get_mut(route) {
            change(health);
        } else {
            change(routes.entry(route.to_owned()).or_default());
        }
    }

    /// Returns the counts of a route.
    pub fn of(&self, route: &str) -> RouteHealth {
        self.lock().get(route).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, RouteHealth>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn families(&self, alerts: &Alerts) -> impl Iterator<Item = MetricFamily> + use<> {
        let mut deliveries = Family::new(names::ALERT_DELIVERIES);
        let mut attempts = Family::new(names::ALERT_ATTEMPTS);
        let mut last = Family::new(names::ALERT_LAST_DELIVERY);
        let mut outbox = Family::new(names::ALERT_OUTBOX);
        let health = self.lock();
        let waiting = alerts.outbox().values().map(|notice| &notice.route);
        let routes: BTreeSet<&String> =
            health.keys().chain(alerts.deliveries().keys()).chain(waiting).collect();
        for route in routes {
            let shared = [pair("route", route)];
            let settled = alerts.deliveries().get(route);
            for ((alert, result), count) in settled.iter().flat_map(|one| one.counts.iter()) {
                let own = [("alert", alert.as_str()), ("result", result.as_str())];
                deliveries.add(&shared, &own, float(count));
            }
            let tried = health.get(route);
            for (result, count) in tried.iter().flat_map(|one| &one.attempts) {
                attempts.add(&shared, &[("result", result)], float(*count));
            }
            let heard = tried.map(|one| one.last_delivery).unwrap_or_default();
            last.add(&shared, &[], seconds(settled.map_or(heard, |one| one.last.max(heard))));
            let waiting = alerts.outbox().values().filter(|notice| notice.route == *route).count();
            outbox.add(&shared, &[], float(waiting as u64));
        }
        [deliveries, attempts, last, outbox].into_iter().filter_map(Family::finish)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ledger::alerts::AlertChange;
    use crate::model::alert::{
        AlertKey, AlertName, Brief, DeliveryResult, Notice, NoticeStatus, Severity,
    };

    fn notice(number: u64) -> AlertChange {
        AlertChange::Queue(Arc::new(Notice {
            number,
            route: "pager".to_owned(),
            status: NoticeStatus::Firing,
            key: AlertKey::new(AlertName::SpendSpike, &[]),
            severity: Severity::Page,
            brief: Brief::default(),
            since: UnixMillis(1),
            fired: UnixMillis(1),
            ended: None,
        }))
    }

    #[test]
    fn every_route_shows_what_it_met_and_what_is_committed() {
        let mut alerts = Alerts::default();
        for number in 1..=3 {
            alerts.apply(&notice(number));
        }
        let (result, at) = (DeliveryResult::Delivered, UnixMillis(1_500));
        alerts.apply(&AlertChange::Settle { number: 1, result, at });
        let health = Deliveries::default();
        for route in ["pager", "new"] {
            health.update(route, |route| *route.attempts.entry("timeout").or_default() += 2);
        }
        let families: Vec<MetricFamily> = health.families(&alerts).collect();
        let text = prometheus::TextEncoder::new().encode_to_string(&families).unwrap();
        for line in [
            "tollkeeper_alert_deliveries_total{route=\"pager\",alert=\"TollkeeperSpendSpike\",\
             result=\"delivered\"} 1",
            "tollkeeper_alert_delivery_attempts_total{route=\"pager\",result=\"timeout\"} 2",
            "tollkeeper_alert_last_delivery_timestamp_seconds{route=\"pager\"} 1.5",
            "tollkeeper_alert_last_delivery_timestamp_seconds{route=\"new\"} 0",
            "tollkeeper_alert_outbox_notices{route=\"pager\"} 2",
            "tollkeeper_alert_outbox_notices{route=\"new\"} 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
