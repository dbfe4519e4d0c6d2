//! What the committer leaves for the evaluator: committed rows, added up until they are taken.
//!
//! The committer must never wait here longer than a lock is held. What waits is bounded by the rows that
//! the ledger has, and is taken as soon as there is much of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::ledger::delta::{Cell, Delta, SeriesId};
use crate::ledger::inflight::Inflight;
use crate::ledger::rollup::Bucket;
use crate::ledger::signals::SignalId;
use crate::model::series::SeriesKey;
use crate::model::signal::SignalKey;
use crate::model::time::UnixMillis;
use crate::quota::told::CallSignal;
use crate::quota::tracker;
use crate::watch::evidence;
use crate::watch::facts::Facts;
use crate::watch::lookout::Lookout;
use crate::watch::rules::LatencyLimit;

/// Rows with which the evaluator is woken although it is not time yet.
const ROWS_URGENT: usize = 4_096;

/// Where rows wait.
#[derive(Debug)]
pub(super) struct Mailbox {
    /// For how long rows matter, in milliseconds.
    reach_ms: i64,
    limit: LatencyLimit,
    mail: Mutex<Mail>,
    rings: Condvar,
}

/// What came since it was last taken.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// Series that are new, in the order of their numbers.
    pub(super) series: Vec<(SeriesId, Arc<SeriesKey>)>,
    /// What was added to rows.
    pub(super) rows: BTreeMap<(SeriesId, Bucket), Facts>,
    /// What was added to calls in flight of minutes.
    pub(super) inflight: BTreeMap<(SeriesId, UnixMillis), Inflight>,
    /// Signals of interest that are new.
    pub(super) signal_keys: Vec<(SignalId, SignalKey)>,
    /// What was added to signals.
    pub(super) signals: BTreeMap<(SignalId, Bucket), u64>,
    /// Whether the evaluator is to end.
    pub(super) closed: bool,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.series.is_empty()
            && self.rows.is_empty()
            && self.signal_keys.is_empty()
            && self.signals.is_empty()
    }
}

impl Mailbox {
    /// Returns an empty mailbox for what `lookout` looks at.
    pub(super) fn new(lookout: &Lookout) -> Self {
        let (reach_ms, limit) = (lookout.reach_ms(), lookout.latency_limit());
        Self { reach_ms, limit, mail: Mutex::default(), rings: Condvar::new() }
    }

    /// Leaves what a commit has added, but for rows that are too old to matter: a backlog of months costs
    /// nothing here.
    pub(super) fn post(&self, delta: &Delta, now: UnixMillis) {
        let from = now.plus(-self.reach_ms);
        let matters = |cell: &&Cell| cell.bucket.start() >= from;
        let signals_from = now.plus(-evidence::KEPT_MS);
        let has_signals = !delta.new_signals.is_empty()
            || delta.signal_cells.iter().any(|cell| cell.bucket.start() >= signals_from);
        let has_rows =
            !delta.new_series.is_empty() || delta.cells.iter().any(|cell| matters(&cell));
        if !has_rows && !has_signals {
            return;
        }
        let mut mail = self.lock();
        let was_empty = mail.is_empty();
        let labels = delta.new_series.iter();
        mail.series.extend(labels.map(|(id, key)| (*id, Arc::new(key.clone()))));
        let kept_from = now.plus(-tracker::KEPT_MS);
        for cell in delta.cells.iter().filter(matters) {
            let facts = Facts::of(&cell.amounts.row(), self.limit);
            mail.rows.entry((cell.series, cell.bucket)).or_default().merge(&facts);
            let minute = cell.bucket.start();
            if minute >= kept_from && !cell.inflight.is_empty() {
                mail.inflight.entry((cell.series, minute)).or_default().merge(&cell.inflight);
            }
        }
        let told = delta.new_signals.iter().filter(|(_, key)| CallSignal::of(key).is_some());
        mail.signal_keys.extend(told.cloned());
        for cell in delta.signal_cells.iter().filter(|cell| cell.bucket.start() >= signals_from) {
            *mail.signals.entry((cell.signal, cell.bucket)).or_default() += cell.tally.sum;
        }
        let is_urgent = mail.rows.len() >= ROWS_URGENT;
        drop(mail);
        if was_empty || is_urgent {
            self.rings.notify_one();
        }
    }

    /// Tells the evaluator to end.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.rings.notify_one();
    }

    /// Waits until `at`, or from `earliest` on until something came, or until much came or it is to end.
    pub(super) fn wait(&self, earliest: Instant, at: Instant) -> Mail {
        let mut mail = self.lock();
        loop {
            let now = Instant::now();
            let is_due = now >= at || (now >= earliest && !mail.is_empty());
            if mail.closed || is_due || mail.rows.len() >= ROWS_URGENT {
                let closed = mail.closed;
                return std::mem::replace(&mut *mail, Mail { closed, ..Mail::default() });
            }
            let until = if mail.is_empty() { at } else { earliest };
            let wait = until.saturating_duration_since(now);
            let waited = self.rings.wait_timeout(mail, wait);
            mail = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
