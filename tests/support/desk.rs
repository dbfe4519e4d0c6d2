//! The deliverer of alerts under test, with a stand-in for the committer: it makes what is settled part of
//! the "committed" outbox and publishes it, as the daemon does. A config's text says what the routes are.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};
use tollkeeper::alert::{Deliverer, Settled, Wiring, prepare};
use tollkeeper::config::Config;
use tollkeeper::daemon::clock;
use tollkeeper::ledger::alerts::{AlertChange, Alerts};
use tollkeeper::metrics::Deliveries;
use tollkeeper::model::alert::{
    AlertKey, AlertName, AlertState, Brief, DeliveryResult, Notice, NoticeStatus, Phase, Severity,
};
use tollkeeper::model::time::UnixMillis;

use super::wait::{SOON, wait_until};

/// A running deliverer.
pub(crate) struct Desk {
    alerts: Arc<watch::Sender<Arc<Alerts>>>,
    settled: Arc<Mutex<Vec<Settled>>>,
    pub(crate) deliveries: Arc<Deliveries>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    /// Starts with the routes of a config and what an earlier process committed.
    pub(crate) fn start(routes: &str, folder: &Path, alerts: Alerts) -> Self {
        Self::start_with(routes, folder, alerts, true)
    }

    /// The same; without `commits` nothing that is settled is ever committed.
    pub(crate) fn start_with(routes: &str, folder: &Path, alerts: Alerts, commits: bool) -> Self {
        let text = format!("[[source]]\nname = \"a\"\ninclude = [\"x\"]\n{routes}");
        let config = Config::parse("t.toml", &text, folder).expect("a config").delivery;
        let routes = prepare(&config, |_| None).expect("routes that are ready");
        let alerts = Arc::new(watch::Sender::new(Arc::new(alerts)));
        let settled = Arc::new(Mutex::new(Vec::new()));
        let deliveries = Arc::new(Deliveries::default());
        let (stop, stopping) = oneshot::channel();
        let (sender, mut receiver) = mpsc::channel(1);
        let wiring = Wiring {
            alerts: alerts.subscribe(),
            settled: sender,
            deliveries: Arc::clone(&deliveries),
            now: clock::now,
            random: || 0,
            give_up_after_ms: config.give_up_after_ms,
        };
        let (published, all) = (Arc::clone(&alerts), Arc::clone(&settled));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let deliverer = Deliverer::start(routes, &wiring);
                drop(wiring);
                let committer = tokio::spawn(async move {
                    while let Some(settled) = receiver.recv().await {
                        all.lock().expect("nobody panics with the lock").push(settled);
                        if commits {
                            let Settled { number, result } = settled;
                            let at = UnixMillis(0);
                            change(&published, &AlertChange::Settle { number, result, at });
                        }
                    }
                });
                drop(stopping.await);
                deliverer.stop().await;
                drop(committer.await);
            });
        });
        Self { alerts, settled, deliveries, stop: Some(stop), thread: Some(thread) }
    }

    /// Commits a change.
    pub(crate) fn commit(&self, what: &AlertChange) {
        change(&self.alerts, what);
    }

    pub(crate) fn queue(&self, notice: Notice) {
        self.commit(&AlertChange::Queue(Arc::new(notice)));
    }

    pub(crate) fn settled(&self) -> Vec<(u64, DeliveryResult)> {
        let settled = self.settled.lock().expect("nobody panics with the lock");
        settled.iter().map(|settled| (settled.number, settled.result)).collect()
    }

    /// Waits until these are settled, in this order.
    pub(crate) fn wait_settled(&self, expected: &[(u64, DeliveryResult)]) {
        wait_until(SOON, &format!("{expected:?} to be settled"), || {
            (self.settled() == expected).then_some(())
        });
    }

    /// The number of notices of a route that wait, as committed.
    pub(crate) fn waiting(&self, route: &str) -> usize {
        self.alerts.borrow().outbox().values().filter(|notice| notice.route == route).count()
    }

    /// The number of attempts of a route that ended so.
    pub(crate) fn attempts(&self, route: &str, result: &str) -> u64 {
        self.deliveries.of(route).attempts.get(result).copied().unwrap_or(0)
    }

    /// Stops and returns what is committed.
    pub(crate) fn stop(mut self) -> Alerts {
        self.end();
        let alerts = self.alerts.borrow();
        (**alerts).clone()
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the deliverer panicked");
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.end();
    }
}

fn change(published: &watch::Sender<Arc<Alerts>>, what: &AlertChange) {
    published.send_modify(|alerts| Arc::make_mut(alerts).apply(what));
}

/// A notice of now.
pub(crate) fn notice(number: u64, route: &str, status: NoticeStatus) -> Notice {
    // One episode for all notices of a test.
    static FIRED: OnceLock<UnixMillis> = OnceLock::new();
    let fired = *FIRED.get_or_init(clock::now);
    Notice {
        number,
        route: route.to_owned(),
        status,
        key: AlertKey::new(AlertName::SpendSpike, &[("model", "anthropic.claude-v2:1")]),
        severity: Severity::Page,
        brief: Brief {
            summary: "spend $412/h, usual $35/h".to_owned(),
            details: vec!["role/log-summariser: +$377/h".to_owned()],
            values: [("spend_usd_per_hour".to_owned(), "412".to_owned())].into(),
        },
        since: fired,
        fired,
        ended: (status == NoticeStatus::Resolved).then(clock::now),
    }
}

/// The state of the alert that a notice tells of.
pub(crate) fn state(notice: &Notice) -> AlertState {
    AlertState {
        phase: Phase::Firing { fired: notice.fired, last_true: notice.fired },
        severity: notice.severity,
        since: notice.since,
        brief: notice.brief.clone(),
    }
}

/// A committed outbox of these.
pub(crate) fn outbox(notices: impl IntoIterator<Item = Notice>) -> Alerts {
    let mut alerts = Alerts::default();
    for notice in notices {
        alerts.apply(&AlertChange::Queue(Arc::new(notice)));
    }
    alerts
}
