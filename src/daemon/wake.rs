//! What wakes the tailer: a path that changed, something that was missed, the time, or the end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Paths remembered between two sweeps; with more of them everything is looked at.
const PATHS_MAX: usize = 1_024;

/// How long a ringer may be held while what it rang before is not taken yet. The kernel meanwhile
/// merges the events of a busy file into one, so its writer costs one event a sweep and not one a line.
const HOLD: Duration = Duration::from_millis(25);

/// A bell that many can ring and one waits for.
#[derive(Debug, Default)]
pub(super) struct Wake {
    rung: Mutex<Rung>,
    bell: Condvar,
    taken: Condvar,
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

impl Rung {
    fn is_rung(&self) -> bool {
        self.everything || !self.paths.is_empty()
    }
}

impl Wake {
    /// Rings for paths. Blocks for a moment if it was rung before and nobody came yet.
    pub(super) fn changed(&self, paths: Vec<PathBuf>) {
        let mut rung = self.lock();
        let was_rung = rung.is_rung();
        rung.paths.extend(paths);
        if rung.paths.len() > PATHS_MAX {
            rung.paths.clear();
            rung.everything = true;
        }
        if was_rung {
            drop(self.taken.wait_timeout(rung, HOLD));
        } else {
            self.bell.notify_one();
        }
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
        self.taken.notify_all();
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
            let until = if rung.is_rung() { earliest } else { latest.max(earliest) };
            if rung.stop || now >= until {
                let stop = rung.stop;
                self.taken.notify_all();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_for_a_ring_and_gives_everything_that_was_rung() {
        let wake = Wake::default();
        let now = Instant::now();
        wake.changed(vec![PathBuf::from("a"), PathBuf::from("b")]);
        wake.everything();
        let rung = wake.wait(now, now + Duration::from_mins(1));
        assert!(rung.everything && !rung.stop);
        assert_eq!(rung.paths.len(), 2);
        assert!(!wake.wait(now, now).is_rung(), "what was taken is gone");
    }

    #[test]
    fn the_end_is_not_kept_waiting_and_stays() {
        let wake = Wake::default();
        let later = Instant::now() + Duration::from_mins(1);
        wake.stop();
        assert!(wake.wait(later, later).stop);
        assert!(wake.wait(later, later).stop && wake.is_stopping());
    }

    #[test]
    fn too_many_paths_become_everything() {
        let wake = Wake::default();
        let paths = (0..=PATHS_MAX).map(|number| PathBuf::from(number.to_string())).collect();
        wake.changed(paths);
        let now = Instant::now();
        let rung = wake.wait(now, now);
        assert!(rung.everything && rung.paths.is_empty());
    }
}
