//! What wakes the tailer: a path that changed, something that was missed, the time, or the end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Paths remembered between two sweeps; with more of them everything is looked at.
const PATHS_MAX: usize = 1_024;

/// A bell that many can ring and one waits for.
#[derive(Debug, Default)]
pub(super) struct Wake {
    rung: Mutex<Rung>,
    bell: Condvar,
}

/// What was rung since the last wait.
#[derive(Debug, Default)]
pub(super) struct Rung {
    /// Paths that changed.
    pub(super) paths: BTreeSet<PathBuf>,
    /// Something changed, and nobody knows what.
    pub(super) everything: bool,
    /// It is time to end.
    pub(super) stop: bool,
}

impl Wake {
    /// Rings for paths.
    pub(super) fn changed(&self, paths: Vec<PathBuf>) {
        let mut rung = self.lock();
        rung.paths.extend(paths);
        if rung.paths.len() > PATHS_MAX {
            rung.paths.clear();
            rung.everything = true;
        }
        self.bell.notify_one();
    }

    /// Rings for everything.
    pub(super) fn everything(&self) {
        self.lock().everything = true;
        self.bell.notify_one();
    }

    /// Rings for the end.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.bell.notify_one();
    }

    /// Tells whether the end was rung for.
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stop
    }

    /// Waits for a ring, at least until `earliest` (unless for the end) and at most until `latest`.
    pub(super) fn wait(&self, earliest: Instant, latest: Instant) -> Rung {
        let mut rung = self.lock();
        loop {
            let now = Instant::now();
            let is_rung = rung.everything || !rung.paths.is_empty();
            let until = if is_rung { earliest } else { latest.max(earliest) };
            if rung.stop || now >= until {
                let stop = rung.stop;
                return std::mem::replace(&mut *rung, Rung { stop, ..Rung::default() });
            }
            rung = self.wait_until(rung, until.saturating_duration_since(now));
        }
    }

    fn wait_until<'g>(&self, rung: MutexGuard<'g, Rung>, time: Duration) -> MutexGuard<'g, Rung> {
        self.bell.wait_timeout(rung, time).unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
