//! The evaluator's thread: it keeps the sums of budgets and alerts up to date from what was committed,
//! evaluates them now and then, and hands what changes about alerts to the committer.
//!
//! It must never show or send anything by itself: states and notices count once they are committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::committer::Message;
use super::mailbox::{Mail, Mailbox};
use super::quiet::Quiet;
use crate::config::DeliveryConfig;
use crate::ledger::alerts::AlertChange;
use crate::ledger::delta::SeriesId;
use crate::ledger::rollup::Level;
use crate::ledger::state::Ledger;
use crate::metrics::Snapshot;
use crate::model::alert::{DeliveryResult, Notice, NoticeStatus};
use crate::model::time::UnixMillis;
use crate::quota::tracker;
use crate::store::{History, LedgerStore, StoreError};
use crate::watch::condition::SourceState;
use crate::watch::evidence;
use crate::watch::facts::Facts;
use crate::watch::lookout::{Evaluation, Lookout, World};
use crate::watch::machine::Event;
use crate::watch::rules::LatencyLimit;

/// Shortest time between two evaluations while records come.
const PACE: Duration = Duration::from_secs(1);
/// Longest time between two evaluations: alerts also begin and end with time alone.
const IDLE: Duration = Duration::from_secs(5);

/// Most notices that wait to be sent.
const OUTBOX_MAX: usize = 10_000;

/// What the evaluator begins with; the committer makes it of the ledger before the first commit.
pub(super) struct Start {
    pub(super) lookout: Lookout,
    pub(super) history: History,
    /// Number of the last notice.
    pub(super) last_notice: u64,
}

/// The evaluator's own state.
pub(super) struct Evaluator {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) committer: SyncSender<Message>,
    pub(super) snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pub(super) evaluations: watch::Sender<Arc<Evaluation>>,
    pub(super) delivery: DeliveryConfig,
    pub(super) now: fn() -> UnixMillis,
    pub(super) said: Quiet<&'static str>,
}

impl Start {
    /// Makes what the evaluator begins with: rows of `lookout`'s reach, as the ledger holds them.
    pub(super) fn load(
        mut lookout: Lookout,
        store: &LedgerStore,
        ledger: &Ledger,
        now: UnixMillis,
    ) -> Result<Self, StoreError> {
        for (id, key, _) in ledger.totals() {
            lookout.learn(id, key);
        }
        let (from, limit) = (now.plus(-lookout.reach_ms()), lookout.latency_limit());
        // A log's clock may be ahead of ours.
        let to = ledger.newest().max(now).plus(crate::model::time::DAY_MS);
        for level in [Level::Day, Level::Hour, Level::Minute] {
            store.rows(level, from, to, |bucket, series, row| {
                lookout.add(series, bucket, &Facts::of(row, limit), now);
            })?;
        }
        store.inflight(now.plus(-tracker::KEPT_MS), to, |minute, series, inflight| {
            lookout.add_inflight(series, minute, inflight, now);
        })?;
        for (id, key, _) in ledger.signals() {
            lookout.learn_signal(id, key);
        }
        let from_signals = now.plus(-evidence::KEPT_MS);
        store.signal_rows(Level::Minute, from_signals, to, |bucket, id, row| {
            lookout.add_signal(id, bucket, row.sum, now);
        })?;
        if store.identity().created <= from {
            lookout.know_since(from);
        }
        let last_notice = ledger.alerts().last_number();
        Ok(Self { lookout, history: store.history(), last_notice })
    }
}

impl Evaluator {
    /// Evaluates until the mailbox is closed, or nobody takes what changes.
    pub(super) fn run(mut self, start: &Receiver<Start>) {
        let Ok(mut start) = start.recv() else { return };
        let mut last = Instant::now();
        self.evaluate(&mut start);
        loop {
            let mail = self.mailbox.wait(last + PACE, last + IDLE);
            if mail.closed {
                return;
            }
            self.take(&mut start.lookout, mail);
            if last.elapsed() >= PACE {
                last = Instant::now();
                if !self.evaluate(&mut start) {
                    return;
                }
            }
        }
    }

    fn take(&self, lookout: &mut Lookout, mail: Mail) {
        let now = (self.now)();
        for (id, key) in &mail.series {
            lookout.learn(*id, key);
        }
        for ((series, bucket), facts) in mail.rows {
            lookout.add(series, bucket, &facts, now);
        }
        for (id, key) in &mail.signal_keys {
            lookout.learn_signal(*id, key);
        }
        for ((id, bucket), values) in mail.signals {
            lookout.add_signal(id, bucket, values, now);
        }
        for ((series, minute), inflight) in mail.inflight {
            lookout.add_inflight(series, minute, &inflight, now);
        }
    }

    /// Evaluates once; tells whether the committer took what changes.
    fn evaluate(&mut self, start: &mut Start) -> bool {
        let now = (self.now)();
        let snapshot = self.snapshots.borrow().clone();
        let Some(snapshot) = snapshot else { return true };
        let (history, limit) = (&start.history, start.lookout.latency_limit());
        let said = &mut self.said;
        let mut past = |from, to| {
            sums_of(history, limit, from, to).unwrap_or_else(|error| {
                if said.may_say("history") {
                    tracing::error!(%error, "can't read the ledger's history; alerts come without who explains them");
                }
                BTreeMap::new()
            })
        };
        let (evaluation, step) = start.lookout.evaluate(&mut world(&snapshot), &mut past, now);
        if step.refused > 0 && self.said.may_say("refused") {
            let refused = step.refused;
            tracing::error!(
                refused,
                "too many alerts at once; those that found no place are not told"
            );
        }
        self.evaluations.send_replace(Arc::new(evaluation));
        let mut changes = step.changes;
        let is_full = snapshot.alerts.outbox().len() >= OUTBOX_MAX;
        if is_full && !step.events.is_empty() && self.said.may_say("outbox") {
            tracing::error!(
                "the outbox is full, alerts are not sent any more: no receiver takes them"
            );
        }
        for event in &step.events {
            say(event);
            for route in self.delivery.routes_for(event.key.name, event.state.severity) {
                start.last_notice += 1;
                let number = start.last_notice;
                changes.push(AlertChange::Queue(Arc::new(notice(event, route, number))));
                if is_full {
                    // Queued and settled at once, so that it is counted.
                    let result = DeliveryResult::Dropped;
                    changes.push(AlertChange::Settle { number, result, at: now });
                }
            }
        }
        changes.is_empty() || self.committer.send(Message::Alerts(changes)).is_ok()
    }
}

/// Returns the rows that start in `from..to`, added up by series.
fn sums_of(
    history: &History,
    limit: LatencyLimit,
    from: UnixMillis,
    to: UnixMillis,
) -> Result<BTreeMap<SeriesId, Facts>, StoreError> {
    let mut sums: BTreeMap<SeriesId, Facts> = BTreeMap::new();
    for level in [Level::Hour, Level::Minute] {
        history.rows(level, from, to, |_, series, row| {
            sums.entry(series).or_default().merge(&Facts::of(row, limit));
        })?;
    }
    Ok(sums)
}

fn world(snapshot: &Snapshot) -> World<'_> {
    let sources = snapshot.ingest.iter().filter_map(|(name, ingest)| {
        // Before the first sweep nothing is known of a source's backlog.
        let facts = snapshot.sources.get(name)?;
        Some(SourceState {
            name,
            newest: ingest.newest,
            backlog_bytes: facts.backlog_bytes,
            was_live: false,
        })
    });
    World { sources: sources.collect(), book_made: snapshot.book.published_at() }
}

fn notice(event: &Event, route: &str, number: u64) -> Notice {
    Notice {
        number,
        route: route.to_owned(),
        status: event.status,
        key: event.key.clone(),
        severity: event.state.severity,
        brief: event.state.brief.clone(),
        since: event.state.since,
        fired: event.fired,
        ended: event.ended,
    }
}

/// Whoever has no route at all still finds alerts in the log.
fn say(event: &Event) {
    let (alert, severity) = (&event.key, event.state.severity.as_str());
    match event.status {
        NoticeStatus::Firing => {
            let who = event.state.brief.details.first().map_or("", String::as_str);
            tracing::warn!(%alert, severity, who, "alert: {}", event.state.brief.summary);
        }
        NoticeStatus::Resolved => tracing::info!(%alert, severity, "alert is over"),
    }
}
