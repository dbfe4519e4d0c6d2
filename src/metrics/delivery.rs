//! How the delivery of alerts goes, counted while it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::proto::MetricFamily;

use super::builder::{Family, float, pair};
use super::families::seconds;
use super::names;
use crate::model::alert::AlertName;
use crate::model::time::UnixMillis;

/// The counts of every route, since the start of the process. They survive a reload, and routes that
/// are no longer in the config keep their counters, since those must not fall back.
#[derive(Debug, Default)]
pub struct Deliveries(Mutex<BTreeMap<String, RouteHealth>>);

/// The counts of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteHealth {
    /// Attempts by how they ended.
    pub attempts: BTreeMap<&'static str, u64>,
    /// Notices that left the outbox, by alert and what became of them.
    pub deliveries: BTreeMap<(AlertName, &'static str), u64>,
    /// When the receiver last took what it was sent.
    pub last_delivery: UnixMillis,
    /// Notices that wait.
    pub waiting: u64,
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

    /// Says that nothing waits for routes of other names than these: the config has them no more.
    pub fn keep_waiting(&self, names: &BTreeSet<String>) {
        let mut routes = self.lock();
        for (_, health) in routes.iter_mut().filter(|(name, _)| !names.contains(*name)) {
            health.waiting = 0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, RouteHealth>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn families(&self) -> impl Iterator<Item = MetricFamily> + use<> {
        let mut deliveries = Family::new(names::ALERT_DELIVERIES);
        let mut attempts = Family::new(names::ALERT_ATTEMPTS);
        let mut last = Family::new(names::ALERT_LAST_DELIVERY);
        let mut outbox = Family::new(names::ALERT_OUTBOX);
        for (route, health) in self.lock().iter() {
            let shared = [pair("route", route)];
            for ((alert, result), count) in &health.deliveries {
                let own = [("alert", alert.as_str()), ("result", *result)];
                deliveries.add(&shared, &own, float(*count));
            }
            for (result, count) in &health.attempts {
                attempts.add(&shared, &[("result", result)], float(*count));
            }
            last.add(&shared, &[], seconds(health.last_delivery));
            outbox.add(&shared, &[], float(health.waiting));
        }
        [deliveries, attempts, last, outbox].into_iter().filter_map(Family::finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_shows_what_it_met() {
        let health = Deliveries::default();
        health.update("pager", |route| {
            *route.attempts.entry("timeout").or_default() += 2;
            *route.deliveries.entry((AlertName::SpendSpike, "delivered")).or_default() += 1;
            route.last_delivery = UnixMillis(1_500);
            route.waiting = 3;
        });
        let families: Vec<MetricFamily> = health.families().collect();
        let text = prometheus::TextEncoder::new().encode_to_string(&families).unwrap();
        for line in [
            "tollkeeper_alert_deliveries_total{route=\"pager\",alert=\"TollkeeperSpendSpike\",\
             result=\"delivered\"} 1",
            "tollkeeper_alert_delivery_attempts_total{route=\"pager\",result=\"timeout\"} 2",
            "tollkeeper_alert_last_delivery_timestamp_seconds{route=\"pager\"} 1.5",
            "tollkeeper_alert_outbox_notices{route=\"pager\"} 3",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
