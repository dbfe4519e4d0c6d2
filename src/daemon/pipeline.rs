//! The pipeline: tailer, workers and committer, with bounded channels between them.
//!
//! Stopping is a drop order: the tailer ends, so the workers' channels close, so the committer's
//! channel closes, so it makes its last commit and gives the ledger back.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::DaemonError;
use super::charges::Charger;
use super::clock;
use super::committer::{Books, CommitError, Committer, Message};
use super::evaluator::Evaluator;
use super::mailbox::Mailbox;
use super::progress::Progress;
use super::published::Published;
use super::quiet::Quiet;
use super::tailer::{Followed, Tailer};
use super::wake::Wake;
use super::worker;
use crate::alert::{Deliverer, Route, Settled, Wiring};
use crate::charge;
use crate::config::Config;
use crate::decode::frame::{Part, parts};
use crate::decode::{Decoder, Item};
use crate::ledger::alerts::AlertChange;
use crate::ledger::meter::Rules;
use crate::model::names::Reject;
use crate::quota::limits::Limits;
use crate::source::file::bell::{Bell, Ring};
use crate::source::file::{FileSource, LogIds};
use crate::watch::lookout::Lookout;

/// Batches that may wait for a worker; they bound the memory of a backlog.
const BATCHES_WAITING: usize = 2;
/// Notices that are done with and wait for the committer.
const SETTLED_WAITING: usize = 64;
/// Messages that may wait for the committer.
const MESSAGES_WAITING: usize = 8;

/// The running threads.
pub(super) struct Pipeline {
    /// The committer's result, once it ended.
    pub(super) ended: oneshot::Receiver<Result<Books, CommitError>>,
    wake: Arc<Wake>,
    mailbox: Arc<Mailbox>,
    deliverer: Deliverer,
    threads: Vec<JoinHandle<()>>,
}

impl Pipeline {
    /// Starts all threads, and the tasks of `routes`.
    pub(super) fn start(
        config: &Config,
        rules: Rules,
        items: Arc<[charge::Item]>,
        limits: Arc<Limits>,
        books: Books,
        routes: Vec<Route>,
        published: &Published,
    ) -> Result<Self, DaemonError> {
        let lookout = Lookout::new(
            config.rules,
            config.budgets.as_slice().into(),
            limits,
            books.ledger.horizons(),
            books.ledger.alerts().states(),
        )
        .with_items(Arc::clone(&items), config.provisioned.as_slice().into());
        let mailbox = Arc::new(Mailbox::new(&lookout));
        let wake = Arc::new(Wake::default());
        let (committer_inbox, messages) = sync_channel(MESSAGES_WAITING);
        let (report, ended) = oneshot::channel();
        let sources = follow(config, &books, &wake);
        let mut threads = Vec::new();
        let mut workers = Vec::new();
        for place in 0..worker_count(config.workers) {
            let (worker, batches) = sync_channel(BATCHES_WAITING);
            let (rules, committer) = (rules.clone(), committer_inbox.clone());
            let told_elsewhere = told_elsewhere(config);
            threads.push(spawn(&format!("worker-{place}"), move || {
                worker::work(rules, &told_elsewhere, &batches, &committer);
            })?);
            workers.push(worker);
        }
        let (evaluator_start, start) = sync_channel(1);
        let evaluator = evaluator(config, &mailbox, &committer_inbox, published);
        threads.push(spawn("evaluator", move || evaluator.run(&start))?);
        // Alerts that fire are told to Alertmanager at once, not a minute after the start.
        published.alerts.send_replace(Arc::clone(books.ledger.alerts()));
        let history = Arc::new(Mutex::new(books.store.history()));
        published.histories.send_replace(Some(history));
        let (deliverer, settled) = deliver(config, routes, published);
        let settler_inbox = committer_inbox.clone();
        threads.push(spawn("settler", move || settle(settled, &settler_inbox))?);
        let charger = Charger::new(items, &books.ledger, clock::now());
        let committer = Committer::new(
            books,
            rules.book,
            config.labels.clone(),
            charger,
            published.clone(),
            Arc::clone(&mailbox),
            clock::now,
        );
        threads.push(spawn("committer", move || {
            // Nobody waits any more if the daemon is past its deadline.
            drop(report.send(committer.run(&messages, lookout, &evaluator_start)));
        })?);
        let tailer = Tailer {
            sources,
            wake: Arc::clone(&wake),
            workers,
            committer: committer_inbox,
            now: clock::now,
            number: 0,
            progress: Progress::new(),
            said: Quiet::default(),
            introduced: false,
        };
        threads.push(spawn("tailer", move || tailer.run())?);
        Ok(Self { ended, wake, mailbox, deliverer, threads })
    }

    /// Stops reading, commits what was read, and returns the ledger.
    pub(super) async fn stop(self) -> Result<Books, DaemonError> {
        self.wake.stop();
        self.mailbox.close();
        self.deliverer.stop().await;
        let books = self.ended.await.map_err(|_| DaemonError::ThreadEnded)??;
        for thread in self.threads {
            thread.join().map_err(|_| DaemonError::ThreadEnded)?;
        }
        Ok(books)
    }
}

fn evaluator(
    config: &Config,
    mailbox: &Arc<Mailbox>,
    committer: &SyncSender<Message>,
    published: &Published,
) -> Evaluator {
    Evaluator {
        mailbox: Arc::clone(mailbox),
        committer: committer.clone(),
        snapshots: published.snapshots.subscribe(),
        evaluations: published.evaluations.clone(),
        delivery: config.delivery.clone(),
        now: clock::now,
        said: Quiet::default(),
    }
}

/// Starts delivery. Returns it with what tells of notices that are done with.
fn deliver(
    config: &Config,
    routes: Vec<Route>,
    published: &Published,
) -> (Deliverer, mpsc::Receiver<Settled>) {
    let (settled, inbox) = mpsc::channel(SETTLED_WAITING);
    let wiring = Wiring {
        alerts: published.alerts.subscribe(),
        settled,
        deliveries: Arc::clone(&published.deliveries),
        now: clock::now,
        random: || RandomState::new().build_hasher().finish(),
        give_up_after_ms: config.delivery.give_up_after_ms,
    };
    (Deliverer::start(routes, &wiring), inbox)
}

/// Hands what is done with to the committer, as long as there is anyone who delivers.
fn settle(mut settled: mpsc::Receiver<Settled>, committer: &SyncSender<Message>) {
    let mut some = Vec::new();
    while settled.blocking_recv_many(&mut some, SETTLED_WAITING) > 0 {
        let at = clock::now();
        let changes = some.drain(..).map(|Settled { number, result }| AlertChange::Settle {
            number,
            result,
            at,
        });
        if committer.send(Message::Alerts(changes.collect())).is_err() {
            return;
        }
    }
}

/// Returns the names of the sources whose calls are counted from other sources.
fn told_elsewhere(config: &Config) -> BTreeSet<String> {
    let sources = config.sources.iter().filter(|source| !source.corroborates.is_empty());
    sources.map(|source| source.name.clone()).collect()
}

fn follow(config: &Config, books: &Books, wake: &Arc<Wake>) -> Vec<Followed> {
    let positions = books.ledger.positions();
    let ids = LogIds::after(positions.last_key_value().map(|(log, _)| *log));
    config
        .sources
        .iter()
        .map(|source| {
            let positions = positions.iter().map(|(log, at)| (*log, at.clone())).collect();
            let file_source =
                FileSource::new(source.clone(), positions, ids.clone(), is_whole_record);
            Followed { source: file_source, config: source.clone(), bell: bell(wake), looked: None }
        })
        .collect()
}

/// Tells whether the end of a file without a line feed is whole. A log that the config describes is of
/// an unknown kind here, and JSON that has its end all the same.
fn is_whole_record(unit: &[u8]) -> bool {
    let mut holds_record = false;
    let mut decoder = Decoder::new(&[]);
    parts(unit, |_, part| {
        if let Part::Text(text) = part {
            decoder.each(text, &mut |item| {
                holds_record |= match item {
                    Item::Record { .. } | Item::Signal { .. } => true,
                    Item::Rejected { reject, .. } => reject == Reject::UnknownKind,
                    Item::Ignored => false,
                };
            });
        }
    });
    holds_record
}

fn bell(wake: &Arc<Wake>) -> Bell {
    let wake = Arc::clone(wake);
    let (bell, error) = Bell::new(move |ring| match ring {
        Ring::Changed(paths) => wake.changed(paths),
        Ring::Everything => wake.everything(),
    });
    if let Some(error) = error {
        tracing::warn!(
            %error,
            "the system gives no file events, so files are only looked at every `rescan`; if its limit is \
             reached, raise it (`sysctl -w fs.inotify.max_user_instances=512`)"
        );
    }
    bell
}

fn worker_count(configured: usize) -> usize {
    match configured {
        0 => {
            thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1)).max(1)
        }
        workers => workers,
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, DaemonError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|source| DaemonError::System { what: "start a thread", source })
}
