//! The one thread that writes to the ledger: it books rated batches in the order in which they were
//! read, makes them durable, and only then publishes what may be seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use super::charges::Charger;
use super::evaluator::Start;
use super::mailbox::Mailbox;
use super::published::Published;
use super::quiet::Quiet;
use crate::config::Labels;
use crate::ledger::alerts::AlertChange;
use crate::ledger::batch::RatedBatch;
use crate::ledger::booking::{BookError, Booking};
use crate::ledger::delta::Delta;
use crate::ledger::position::LogId;
use crate::ledger::state::Ledger;
use crate::metrics::snapshot::COMMIT_US_BOUNDS;
use crate::metrics::{LedgerFacts, Snapshot, SourceFacts};
use crate::model::time::UnixMillis;
use crate::price::Book;
use crate::store::{LedgerStore, StoreError};
use crate::watch::lookout::Lookout;

/// Shortest time between two commits while lines trickle in. A commit after a pause does not wait.
const PACE: Duration = Duration::from_millis(40);
/// Time between two commits while a backlog streams in.
const PACE_IN_BACKLOG: Duration = Duration::from_millis(150);
/// Records in one booking that tell a backlog from a trickle.
const BACKLOG_RECORDS: u64 = 2_000;
/// Records and cells that make a commit due at once; they bound its size.
const RECORDS_MAX: u64 = 200_000;
const CELLS_MAX: usize = 2_048;
/// Longest time that commits wait in the journal.
const FOLD_EVERY: Duration = Duration::from_secs(10);

/// What the committer is told.
pub(super) enum Message {
    /// A rated batch, with its number in the order of reading.
    Rated { number: u64, batch: Box<RatedBatch> },
    /// The state of a source after a sweep, and logs that it forgot.
    Swept { source: String, facts: SourceFacts, forget: Vec<LogId> },
    /// Changes of alerts and of the outbox, in order.
    Alerts(Vec<AlertChange>),
}

/// Why the committer gave up.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A reader broke the order of a log.
    #[error(transparent)]
    Book(#[from] BookError),
}

/// What the committer works with, and gives back when it ends.
pub(super) struct Books {
    pub(super) store: LedgerStore,
    pub(super) ledger: Ledger,
}

/// The committer's own state.
pub(super) struct Committer {
    pub(super) books: Books,
    pub(super) book: Arc<Book>,
    pub(super) labels: Labels,
    published: Published,
    pub(super) now: fn() -> UnixMillis,
    /// What charges beside tokens.
    charger: Charger,
    /// Where the evaluator finds what was committed.
    mailbox: Arc<Mailbox>,
    facts: LedgerFacts,
    sources: BTreeMap<String, SourceFacts>,
    /// Batches that came before an earlier one.
    early: BTreeMap<u64, Box<RatedBatch>>,
    next_number: u64,
    last_commit: Option<Instant>,
    last_fold: Instant,
    said: Quiet<&'static str>,
}

impl Committer {
    pub(super) fn new(
        books: Books,
        book: Arc<Book>,
        labels: Labels,
        charger: Charger,
        published: Published,
        mailbox: Arc<Mailbox>,
        now: fn() -> UnixMillis,
    ) -> Self {
        // What was seen of the process before a reload stays.
        let before = published.snapshots.borrow().clone();
        let (facts, sources) = before
            .map(|snapshot| (snapshot.ledger.clone(), snapshot.sources.clone()))
            .unwrap_or_default();
        Self {
            books,
            book,
            labels,
            published,
            now,
            charger,
            mailbox,
            facts,
            sources,
            early: BTreeMap::new(),
            next_number: 0,
            last_commit: None,
            last_fold: Instant::now(),
            said: Quiet::default(),
        }
    }

    /// Commits what comes through `inbox` until all its senders are gone. Before the first commit it
    /// hands what the evaluator begins with to `evaluator`.
    pub(super) fn run(
        mut self,
        inbox: &Receiver<Message>,
        lookout: Lookout,
        evaluator: &SyncSender<Start>,
    ) -> Result<Books, CommitError> {
        self.catch_up()?;
        self.publish();
        self.published.alerts.send_replace(Arc::clone(self.books.ledger.alerts()));
        tracing::info!("ready: /metrics shows what the ledger holds");
        let Books { store, ledger } = &self.books;
        let start = Start::load(lookout, store, ledger, (self.now)())?;
        // It may have been told to end already.
        drop(evaluator.send(start));
        loop {
            let first = match inbox.recv_timeout(FOLD_EVERY) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let now = (self.now)();
            let mut booking = self.books.ledger.open_booking(now);
            self.charger.book_due(&mut booking, &self.books.ledger, now);
            if let Some(first) = first {
                self.take(&mut booking, first)?;
                self.gather(&mut booking, inbox)?;
            } else if booking.is_empty() {
                self.fold_if_old()?;
                continue;
            }
            self.commit(booking)?;
            self.fold_if_old()?;
        }
        if self.books.store.has_journal() {
            self.books.store.fold(&self.books.ledger)?;
        }
        Ok(self.books)
    }

    /// Charges what fell due while nobody ran, before anyone looks.
    fn catch_up(&mut self) -> Result<(), CommitError> {
        let mut is_more = true;
        while is_more {
            let now = (self.now)();
            let Books { store, ledger } = &mut self.books;
            let mut booking = ledger.open_booking(now);
            is_more = self.charger.book_due(&mut booking, ledger, now);
            if !booking.is_empty() {
                let delta = ledger.close(booking);
                store.commit(&delta)?;
                ledger.apply(&delta);
                if store.fold_is_due() {
                    store.fold(ledger)?;
                }
                self.tell_evicted(&delta);
            }
        }
        Ok(())
    }

    /// Adds what else is there, until it is time to commit.
    fn gather(
        &mut self,
        booking: &mut Booking,
        inbox: &Receiver<Message>,
    ) -> Result<(), CommitError> {
        while booking.records() < RECORDS_MAX && booking.cells() < CELLS_MAX {
            let pace = if booking.records() < BACKLOG_RECORDS { PACE } else { PACE_IN_BACKLOG };
            let wait =
                self.last_commit.map_or(Duration::ZERO, |last| pace.saturating_sub(last.elapsed()));
            match inbox.recv_timeout(wait) {
                Ok(message) => self.take(booking, message)?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, booking: &mut Booking, message: Message) -> Result<(), CommitError> {
        match message {
            Message::Rated { number, batch } => {
                self.early.insert(number, batch);
            }
            Message::Alerts(changes) => booking.change_alerts(changes),
            Message::Swept { source, facts, forget } => {
                for log in forget {
                    self.books.ledger.forget(booking, log);
                }
                self.sources.insert(source, facts);
            }
        }
        let now = (self.now)();
        while let Some(batch) = self.early.remove(&self.next_number) {
            self.next_number += 1;
            let Books { store, ledger } = &mut self.books;
            self.charger.book_batch(ledger, booking, &batch, now, &store.stored_ids())?;
        }
        Ok(())
    }

    fn commit(&mut self, booking: Booking) -> Result<(), CommitError> {
        if !booking.is_empty() {
            let started = Instant::now();
            let delta = self.books.ledger.close(booking);
            self.books.store.commit(&delta)?;
            self.books.ledger.apply(&delta);
            self.mailbox.post(&delta, (self.now)());
            if !delta.alerts.is_empty() {
                self.published.alerts.send_replace(Arc::clone(self.books.ledger.alerts()));
            }
            let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.facts.commit_us.observe(&COMMIT_US_BOUNDS, micros);
            self.facts.committed = (self.now)();
            self.tell_evicted(&delta);
            self.last_commit = Some(Instant::now());
        }
        self.publish();
        Ok(())
    }

    /// Counts the slices that a commit forgot although they were in the window.
    fn tell_evicted(&mut self, delta: &Delta) {
        let early = delta.evicted.iter().filter(|slice| slice.early).count() as u64;
        self.facts.ids_evicted_early += early;
        if early > 0 && self.said.may_say("evicted") {
            tracing::warn!(
                slices = early,
                "request ids were forgotten before the window was over, a duplicate of their calls would count \
                 again; raise `deduplication.ids_max`"
            );
        }
    }

    fn fold_if_old(&mut self) -> Result<(), CommitError> {
        let store = &mut self.books.store;
        let is_old = self.last_fold.elapsed() >= FOLD_EVERY && store.has_journal();
        if store.fold_is_due() || is_old {
            store.fold(&self.books.ledger)?;
            self.last_fold = Instant::now();
        }
        Ok(())
    }

    fn publish(&mut self) {
        let Books { store, ledger } = &self.books;
        self.facts.bytes = store.bytes_on_disk();
        self.facts.created = store.identity().created;
        self.facts.ids = ledger.seen().len() as u64;
        let snapshot = Snapshot {
            series: ledger.totals().map(|(_, key, totals)| (key.clone(), totals.clone())).collect(),
            signals: ledger
                .signals()
                .map(|(_, key, totals)| (key.clone(), totals.clone()))
                .collect(),
            ingest: ledger.ingest().clone(),
            overflow: ledger.overflow().clone(),
            ledger: self.facts.clone(),
            sources: self.sources.clone(),
            book: Arc::clone(&self.book),
            labels: self.labels.clone(),
            alerts: Arc::clone(ledger.alerts()),
            deliveries: Arc::clone(&self.published.deliveries),
        };
        self.published.snapshots.send_replace(Some(Arc::new(snapshot)));
    }
}
