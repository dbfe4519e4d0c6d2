//! The tasks that deliver: one for each route, so that none waits for another's receiver.
//!
//! A task keeps no queue of its own. It looks at the committed outbox for the next notice of its route
//! and remembers only the number of the last one it is done with, so memory is bounded by the ledger.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::message::Told;
use super::retry::{AttemptResult, pause};
use super::route::{Attempt, Route};
use crate::ledger::alerts::Alerts;
use crate::metrics::Deliveries;
use crate::metrics::delivery::RouteHealth;
use crate::model::alert::{DeliveryResult, Notice, NoticeStatus};
use crate::model::time::UnixMillis;

/// How long a stop waits for attempts that are under way: long enough that a receiver which answers is
/// not sent the same again after the start.
const STOP_GRACE: Duration = Duration::from_millis(1_500);
/// Most alerts in one request that sends them again.
const RESEND_BATCH: usize = 256;
/// The farthest a timer is set.
const FAR: Duration = Duration::from_hours(1);

/// A notice that is done with. Commit an `AlertChange::Settle`; until it is committed and published,
/// the deliverer remembers it, and after a crash it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its number in the outbox.
    pub number: u64,
    /// What became of it.
    pub result: DeliveryResult,
}

/// What the deliverer works with.
#[derive(Clone)]
pub struct Wiring {
    /// The committed states and outbox. When the sender is dropped, delivery ends.
    pub alerts: watch::Receiver<Arc<Alerts>>,
    /// Takes what is done with; a full channel makes the route wait.
    pub settled: mpsc::Sender<Settled>,
    /// Where attempts are counted.
    pub deliveries: Arc<Deliveries>,
    /// Tells the time.
    pub now: fn() -> UnixMillis,
    /// Gives any number, for the jitter of pauses.
    pub random: fn() -> u64,
    /// Age in milliseconds beyond which a notice that can't be sent is given up.
    pub give_up_after_ms: i64,
}

/// The running tasks. They end when this is dropped; [`Deliverer::stop`] is gentler.
#[derive(Debug)]
pub struct Deliverer {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Deliverer {
    /// Starts a task for each route, on the runtime that this is called in.
    pub fn start(routes: Vec<Route>, wiring: &Wiring) -> Self {
        let (stop, stopping) = watch::channel(false);
        let names = routes.iter().map(|route| route.config().name.clone()).collect();
        let mut tasks = JoinSet::new();
        for route in routes {
            tasks.spawn(Courier::new(route, wiring.clone(), stopping.clone()).run());
        }
        tasks.spawn(settle_unknown(names, wiring.clone(), stopping));
        Self { tasks, stop }
    }

    /// Begins no further attempt, and lets those that are under way come to their end for some seconds.
    /// Go on taking what is settled until this returns.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(STOP_GRACE, all).await.is_err() {
            tracing::warn!(
                "a receiver of alerts does not answer; what it was sent is sent again after the next start"
            );
        }
    }
}

/// Settles notices of routes that are not in the config any more: nobody else would.
async fn settle_unknown(
    names: BTreeSet<String>,
    mut wiring: Wiring,
    mut stopping: watch::Receiver<bool>,
) {
    let mut done = 0;
    loop {
        let alerts = Arc::clone(&wiring.alerts.borrow_and_update());
        let lost: Vec<Arc<Notice>> = after(&alerts, done)
            .filter(|notice| !names.contains(&notice.route))
            .map(Arc::clone)
            .collect();
        drop(alerts);
        for notice in lost {
            tracing::error!(
                route = notice.route, alert = %notice.key, status = notice.status.as_str(),
                "an alert is not delivered: its route is no longer in the config"
            );
            done = notice.number;
            if !settle(&wiring, &notice, DeliveryResult::NoRoute).await {
                return;
            }
        }
        tokio::select! {
            changed = wiring.alerts.changed() => if changed.is_err() { return },
            _ = stopping.changed() => return,
        }
    }
}

/// Returns the notices of the outbox behind a number.
fn after(alerts: &Alerts, number: u64) -> impl Iterator<Item = &Arc<Notice>> {
    let behind = (Bound::Excluded(number), Bound::Unbounded);
    alerts.outbox().range(behind).map(|(_, notice)| notice)
}

/// Reports a notice as done with. False if nobody takes it: the daemon is at its end.
async fn settle(wiring: &Wiring, notice: &Notice, result: DeliveryResult) -> bool {
    wiring.settled.send(Settled { number: notice.number, result }).await.is_ok()
}

/// The task of one route.
struct Courier {
    route: Route,
    wiring: Wiring,
    stopping: watch::Receiver<bool>,
    /// Number of the last notice that is done with.
    done: u64,
    /// Attempts in a row that failed, of the next notice.
    failed: u32,
    /// When the next notice may be tried.
    next_try: Instant,
    /// When alerts that fire are sent again, if the receiver wants that.
    resend_at: Option<Instant>,
    /// The same for sending again.
    failed_resends: u32,
}

impl Courier {
    fn new(route: Route, wiring: Wiring, stopping: watch::Receiver<bool>) -> Self {
        let now = Instant::now();
        let name = &route.config().name;
        wiring.deliveries.update(name, |health| {
            for result in AttemptResult::ALL {
                health.attempts.entry(result.as_str()).or_default();
            }
        });
        let resend_at = route.resend().map(|_| now);
        Self {
            route,
            wiring,
            stopping,
            done: 0,
            failed: 0,
            next_try: now,
            resend_at,
            failed_resends: 0,
        }
    }

    async fn run(mut self) {
        while !*self.stopping.borrow() {
            let next = self.next_notice();
            let now = Instant::now();
            if self.resend_at.is_some_and(|at| at <= now) {
                self.resend().await;
                continue;
            }
            if let Some(notice) = &next
                && self.next_try <= now
            {
                if !self.deliver(notice).await {
                    return;
                }
                continue;
            }
            let wake = [next.map(|_| self.next_try), self.resend_at];
            let wake = wake.into_iter().flatten().min().unwrap_or(now + FAR);
            tokio::select! {
                changed = self.wiring.alerts.changed() => if changed.is_err() { return },
                _ = self.stopping.changed() => return,
                () = sleep_until(wake) => (),
            }
        }
    }

    /// Returns the next notice of this route.
    fn next_notice(&mut self) -> Option<Arc<Notice>> {
        let alerts = self.wiring.alerts.borrow_and_update();
        let name = &self.route.config().name;
        after(&alerts, self.done).find(|notice| notice.route == *name).map(Arc::clone)
    }

    /// Tries a notice once. False at the end of the daemon.
    async fn deliver(&mut self, notice: &Notice) -> bool {
        let attempt = self.route.send(notice, (self.wiring.now)()).await;
        self.count(&attempt);
        let result = match attempt.result {
            AttemptResult::Delivered => DeliveryResult::Delivered,
            AttemptResult::Rejected => DeliveryResult::Rejected,
            _ if self.is_too_old(notice) => DeliveryResult::GivenUp,
            _ => {
                self.failed = self.failed.saturating_add(1);
                let pause = self.pause_after(self.failed, &attempt);
                self.next_try = Instant::now() + pause;
                self.tell_failure(notice, &attempt, pause);
                return true;
            }
        };
        self.tell_end(notice, &attempt, result);
        self.done = notice.number;
        self.failed = 0;
        settle(&self.wiring, notice, result).await
    }

    /// Sends every alert that fires again, to a receiver that forgets those it does not hear of.
    async fn resend(&mut self) {
        let Some(every) = self.route.resend() else { return };
        let mut pause = every;
        let alerts = Arc::clone(&self.wiring.alerts.borrow());
        let firing: Vec<Told<'_>> = alerts
            .states()
            .iter()
            .filter(|(key, state)| self.route.config().takes(key.name, state.severity))
            .filter_map(|(key, state)| Told::of_state(key, state))
            .collect();
        for batch in firing.chunks(RESEND_BATCH) {
            let told = batch.iter().copied();
            let Some(attempt) = self.route.send_again(told, (self.wiring.now)()).await else {
                break;
            };
            self.count(&attempt);
            if attempt.result == AttemptResult::Delivered {
                self.failed_resends = 0;
                continue;
            }
            self.failed_resends = self.failed_resends.saturating_add(1);
            pause = every.min(self.pause_after(self.failed_resends, &attempt));
            if self.failed_resends.is_power_of_two() {
                tracing::warn!(
                    route = self.route.config().name,
                    target = self.route.target(),
                    alerts = firing.len(),
                    attempts = self.failed_resends,
                    "can't send alerts that fire again: {}",
                    attempt.text
                );
            }
            break;
        }
        self.resend_at = Some(Instant::now() + pause);
    }

    fn pause_after(&self, failed: u32, attempt: &Attempt) -> Duration {
        pause(failed, (self.wiring.random)()).max(attempt.pause.unwrap_or_default())
    }

    fn count(&self, attempt: &Attempt) {
        let now = (self.wiring.now)();
        self.wiring.deliveries.update(&self.route.config().name, |health: &mut RouteHealth| {
            *health.attempts.entry(attempt.result.as_str()).or_default() += 1;
            if attempt.result == AttemptResult::Delivered {
                health.last_delivery = now;
            }
        });
    }

    fn is_too_old(&self, notice: &Notice) -> bool {
        let told = match notice.status {
            NoticeStatus::Firing => notice.fired,
            NoticeStatus::Resolved => notice.ended.unwrap_or(notice.fired),
        };
        (self.wiring.now)().0.saturating_sub(told.0) > self.wiring.give_up_after_ms
    }

    fn tell_failure(&self, notice: &Notice, attempt: &Attempt, pause: Duration) {
        // A receiver that is down for a day must not fill the log.
        if self.failed.is_power_of_two() {
            tracing::warn!(
                route = self.route.config().name, target = self.route.target(),
                alert = %notice.key, status = notice.status.as_str(), attempts = self.failed,
                pause_ms = pause.as_millis(), "an alert waits: {}", attempt.text
            );
        }
    }

    fn tell_end(&self, notice: &Notice, attempt: &Attempt, result: DeliveryResult) {
        let (route, status) = (&self.route.config().name, notice.status.as_str());
        let attempts = self.failed.saturating_add(1);
        let text = &attempt.text;
        match result {
            DeliveryResult::Delivered => {
                tracing::info!(route, alert = %notice.key, status, attempts, "an alert is delivered: {text}");
            }
            DeliveryResult::GivenUp => tracing::error!(
                route, alert = %notice.key, status, attempts,
                "an alert is given up, nobody was told of it: {text}"
            ),
            DeliveryResult::Rejected | DeliveryResult::NoRoute | DeliveryResult::Dropped => {
                tracing::error!(
                    route, alert = %notice.key, status, attempts,
                    "an alert is refused by its receiver, nobody was told of it: {text}"
                );
            }
        }
    }
}
