//! The tailer's thread: sweeps the sources when something changed and now and then anyway, and
//! hands batches to the workers in turn.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::committer::Message;
use super::progress::Progress;
use super::quiet::Quiet;
use super::wake::{Rung, Wake};
use super::worker::Numbered;
use crate::config::FileSourceConfig;
use crate::metrics::SourceFacts;
use crate::model::time::UnixMillis;
use crate::source::Batch;
use crate::source::file::bell::{Bell, WatchProblem};
use crate::source::file::{FileSource, Look, Problem};

/// Shortest time between two sweeps while lines trickle in; bounds what a busy writer costs.
const PACE: Duration = Duration::from_millis(40);

/// A source with what the tailer knows of it.
pub(super) struct Followed {
    pub(super) source: FileSource,
    pub(super) config: FileSourceConfig,
    pub(super) bell: Bell,
    /// When everything was looked at.
    pub(super) looked: Option<Instant>,
}

/// Where the tailer's results go.
pub(super) struct Tailer {
    pub(super) sources: Vec<Followed>,
    pub(super) wake: Arc<Wake>,
    pub(super) workers: Vec<SyncSender<Numbered>>,
    pub(super) committer: SyncSender<Message>,
    pub(super) now: fn() -> UnixMillis,
    pub(super) number: u64,
    pub(super) progress: Progress,
    pub(super) said: Quiet<(PathBuf, String)>,
    pub(super) introduced: bool,
}

impl Tailer {
    /// Sweeps until the end is rung for, or nobody takes batches any more.
    pub(super) fn run(mut self) {
        let mut rung = Rung { everything: true, ..Rung::default() };
        loop {
            let started = Instant::now();
            let mut next = started + Duration::from_hours(1);
            let mut backlog = 0;
            for place in 0..self.sources.len() {
                match self.sweep(place, &rung) {
                    ControlFlow::Continue((wake, left)) => {
                        next = next.min(wake);
                        backlog += left;
                    }
                    ControlFlow::Break(()) => return,
                }
            }
            self.introduced = true;
            self.progress.left(backlog);
            rung = self.wake.wait(started + if backlog > 0 { Duration::ZERO } else { PACE }, next);
            if rung.stop {
                return;
            }
        }
    }

    /// Sweeps one source. Returns when it wants to be swept again at the latest, and its backlog.
    fn sweep(&mut self, place: usize, rung: &Rung) -> ControlFlow<(), (Instant, u64)> {
        let Self { sources, wake, workers, number, progress, said, .. } = self;
        let Some(followed) = sources.get_mut(place) else { return ControlFlow::Break(()) };
        let rescan = Duration::from_millis(followed.config.rescan_ms);
        let due = followed.looked.is_none_or(|looked| looked.elapsed() >= rescan);
        let paths: Vec<PathBuf> = rung.paths.iter().cloned().collect();
        let look = if due || rung.everything { Look::Everything } else { Look::Changed(&paths) };
        if matches!(look, Look::Everything) {
            followed.looked = Some(Instant::now());
            complain_of_watches(said, &followed.bell.watch(followed.source.patterns()));
        }
        let mut emit = |batch: Batch| {
            if wake.is_stopping() {
                return ControlFlow::Break(());
            }
            progress.read(batch.span.to.saturating_sub(batch.span.from));
            hand_out(workers, number, batch)
        };
        let sweep = followed.source.sweep((self.now)(), look, &mut emit);
        if sweep.stopped {
            return ControlFlow::Break(());
        }
        let facts = SourceFacts {
            backlog_bytes: sweep.backlog_bytes,
            files: sweep.tracked_files as u64,
            open_files: sweep.open_files as u64,
            problems: sweep.problems.len() as u64,
        };
        let source = followed.config.name.clone();
        let looked = followed.looked.unwrap_or_else(Instant::now);
        if !self.introduced {
            tracing::info!(source, files = facts.files, "following the files of this source");
        }
        self.complain(&source, &sweep.problems);
        let message = Message::Swept { source, facts, forget: sweep.forget };
        if self.committer.send(message).is_err() {
            return ControlFlow::Break(());
        }
        let due = sweep.next_wake_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        let next = due.map_or(looked + rescan, |due| due.min(looked + rescan));
        ControlFlow::Continue((next, facts.backlog_bytes))
    }

    fn complain(&mut self, source: &str, problems: &[Problem]) {
        for problem in problems {
            let cause = problem.error.as_ref().map(ToString::to_string).unwrap_or_default();
            if self.said.may_say((problem.path.clone(), problem.kind.to_string())) {
                tracing::warn!(source, cause, "{problem}");
            }
        }
    }
}

/// Says which folders can't be watched, each cause once in a while: where a limit is reached there may be
/// thousands.
fn complain_of_watches(said: &mut Quiet<(PathBuf, String)>, problems: &[WatchProblem]) {
    for problem in problems {
        let advice = problem.advice();
        if said.may_say((PathBuf::new(), advice.to_owned())) {
            let alike = problems.iter().filter(|other| other.advice() == advice).count();
            let cause = problem.error.to_string();
            tracing::warn!(cause, folders = alike, "{problem}");
        }
    }
}

/// Gives a batch to the worker whose turn it is; the order is restored by the number.
fn hand_out(workers: &[SyncSender<Numbered>], number: &mut u64, batch: Batch) -> ControlFlow<()> {
    let turn = usize::try_from(*number).unwrap_or(0) % workers.len().max(1);
    let Some(worker) = workers.get(turn) else { return ControlFlow::Break(()) };
    let numbered = Numbered { number: *number, batch };
    *number += 1;
    match worker.send(numbered) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}
