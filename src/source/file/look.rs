//! One look at everything: which known log is where, which path got another file.
//!
//! It finds and binds; what unknown files are is decided in `judge`, and reading is `follow`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::content::{FileKey, modified_ns};
use super::discover::{Found, View, bases_of, is_put_aside, is_rotated_name};
use super::follow::Ready;
use super::log::Log;
use super::{Emit, FileSource};
use crate::ledger::position::LogId;
use crate::source::FileChange;

/// A path that got another file not long ago: its siblings may hold what was not read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Succession {
    /// Unknown siblings modified before this are history.
    threshold_ns: i64,
    until_ms: i64,
}

/// Siblings that may have come and gone unseen, with the time since when.
pub(super) type Expected = BTreeMap<FileKey, i64>;

impl FileSource {
    /// Looks at `paths` only; returns whether that was enough.
    pub(super) fn look_at(&mut self, paths: &[PathBuf]) -> bool {
        paths.iter().all(|path| self.look_at_end(path))
    }

    fn look_at_end(&mut self, path: &Path) -> bool {
        let Some(id) = self.by_path.get(path).copied() else { return !self.concerns(path) };
        let now_ms = self.now_ms;
        let Some(log) = self.logs.get_mut(&id) else { return false };
        let Ok(metadata) = std::fs::metadata(path) else { return false };
        let same = FileKey::of(&metadata) == log.key() && log.is_alive() && !log.held;
        if !same
            || log.is_blank()
            || log.position.compressed
            || metadata.len() < log.position.offset
        {
            return false;
        }
        log.saw(metadata.len(), modified_ns(&metadata), now_ms);
        true
    }

    /// Whether a path that is no known log can matter: matched, a folder, or a rotated sibling.
    fn concerns(&self, path: &Path) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return true };
        self.globs.matches(path)
            || bases_of(name).iter().any(|base| {
                self.by_path.contains_key(&folder.join(std::ffi::OsStr::from_bytes(base)))
            })
            || path.is_dir()
    }

    pub(super) fn look_at_everything(&mut self, emit: Emit<'_>) -> ControlFlow<()> {
        let mut view = self.globs.look();
        for log in self.logs.values_mut() {
            // A look at its end alone may have seen the time of what replaced its content.
            if log.modified_ns > i64::MIN && (!log.unchecked || log.is_blank()) {
                log.modified_before_ns = log.modified_ns;
            }
        }
        self.find_known(&mut view);
        self.note_successions(&view);
        // Before binding, since one of these may have the inode of a file that is gone; and after
        // it, since files that turn out to be cut have siblings too.
        self.find_expected(&mut view);
        self.bind(&view, emit)?;
        let expected = self.find_expected(&mut view);
        self.judge_all(&view, &expected, emit)?;
        self.index_paths(&view);
        self.sweep.problems.append(&mut view.problems);
        self.memos.retain(|key, _| view.files.contains_key(key));
        ControlFlow::Continue(())
    }

    /// Finds the files of known logs that no glob matches, by path or among the siblings.
    fn find_known(&mut self, view: &mut View) {
        for log in self.logs.values_mut() {
            let in_grace = log.position.grace_until_ms.is_some();
            let here = log.owner
                && (view.files.contains_key(&log.key())
                    || view.add(&log.path, false) == Some(log.key()));
            if here && !in_grace {
                continue;
            }
            if !in_grace && log.position.ended {
                log.owner = false;
                log.found = false;
                continue;
            }
            if !in_grace && !log.owner {
                continue;
            }
            for path in [Some(&log.path), log.seat.as_ref()].into_iter().flatten() {
                let Some((folder, name)) = path.parent().zip(path.file_name()) else { continue };
                view.add_siblings(folder, &bases_of(name));
            }
        }
    }

    /// Notes the paths that hold a file which is no known log, although another one was there.
    fn note_successions(&mut self, view: &View) {
        let homes: BTreeSet<(FileKey, &Path)> = self
            .logs
            .values()
            .filter(|log| log.owner)
            .map(|log| (log.key(), log.path.as_path()))
            .collect();
        let mut by_folder: BTreeMap<&Path, Vec<LogId>> = BTreeMap::new();
        for (&id, log) in &self.logs {
            by_folder.entry(log.path.parent().unwrap_or(&log.path)).or_default().push(id);
        }
        // What a file had that nothing was read of may have been copied away and cut unseen.
        let stirred: BTreeSet<(FileKey, i64)> = self
            .logs
            .values()
            .filter(|log| log.is_blank())
            .map(|log| (log.key(), log.modified_before_ns))
            .collect();
        let is_stirred = |found: &Found| {
            let known = stirred.range((found.key, i64::MIN)..=(found.key, i64::MAX)).next();
            known.is_some_and(|&(_, modified_ns)| modified_ns != found.modified_ns)
        };
        let mut noted = Vec::new();
        for (seat, key) in &view.seats {
            let Some(found) = view.files.get(key) else { continue };
            // After a start only the positions tell who was here. An inode alone tells nothing:
            // that of a deleted file is soon given to another.
            let same = match self.occupants.get(seat) {
                Some(before) => before == key,
                None => homes.contains(&(*key, found.path.as_path())),
            };
            if same && !is_stirred(found) {
                continue;
            }
            let name = seat.file_name().unwrap_or_default().as_bytes();
            let real_name = found.path.file_name().unwrap_or_default().as_bytes();
            let neighbours = by_folder.get(found.path.parent().unwrap_or(&found.path));
            let before = neighbours.into_iter().flatten().filter_map(|id| self.logs.get(id));
            let threshold = before
                .filter(|log| {
                    let other = log.path.file_name().unwrap_or_default().as_bytes();
                    other == real_name
                        || other == name
                        || is_rotated_name(name, other)
                        || log.seat.as_ref() == Some(seat)
                })
                .map(|log| log.modified_before_ns)
                .max();
            noted.extend(threshold.map(|threshold| (seat.clone(), threshold)));
        }
        for (seat, threshold) in noted {
            self.expect_siblings(seat, threshold);
        }
        self.occupants.clone_from(&view.seats);
    }

    /// Looks through the siblings of `seat` for a while.
    pub(super) fn expect_siblings(&mut self, seat: PathBuf, threshold_ns: i64) {
        let until_ms = self.now_ms.saturating_add(self.finished_after_ms());
        self.successions
            .entry(seat)
            .and_modify(|known| known.until_ms = until_ms)
            .or_insert(Succession { threshold_ns, until_ms });
    }

    fn find_expected(&mut self, view: &mut View) -> Expected {
        let now_ms = self.now_ms;
        self.successions.retain(|_, succession| now_ms <= succession.until_ms);
        let mut expected = Expected::new();
        let mut next_ms = None;
        for (seat, succession) in &self.successions {
            next_ms = next_ms.max(Some(succession.until_ms.saturating_sub(now_ms)));
            let name = seat.file_name().unwrap_or_default().as_bytes().to_vec();
            let bases = BTreeSet::from([name]);
            let real = view.seats.get(seat).and_then(|key| view.files.get(key));
            let real_folder = real.and_then(|found| found.path.parent()).map(Path::to_owned);
            let folders: BTreeSet<PathBuf> =
                seat.parent().map(Path::to_owned).into_iter().chain(real_folder).collect();
            for folder in folders {
                for key in view.add_siblings(&folder, &bases) {
                    let since = expected.entry(key).or_insert(succession.threshold_ns);
                    *since = succession.threshold_ns.min(*since);
                }
            }
        }
        if let Some(ms) = next_ms {
            self.wake_in(ms);
        }
        expected
    }

    /// Ties known logs to the files that were found, and ends those whose content changed.
    fn bind(&mut self, view: &View, emit: Emit<'_>) -> ControlFlow<()> {
        let owners: Vec<LogId> =
            self.logs.iter().filter(|(_, log)| log.owner).map(|(&id, _)| id).collect();
        for id in owners {
            let Some(key) = self.logs.get(&id).map(Log::key) else { continue };
            let came_from = if let Some(found) = view.files.get(&key) {
                self.bind_one(id, found)
            } else {
                self.miss(id);
                None
            };
            let to_check = self
                .logs
                .get(&id)
                .is_some_and(|log| log.is_alive() && !log.is_blank() && log.unchecked);
            let rewritten = to_check && self.prepare(id) == Ready::Rewritten;
            let Some(log) = self.logs.get_mut(&id) else { continue };
            match came_from {
                // Not moved: its inode was given to another file.
                Some(path) if rewritten => log.place(&path, key),
                Some(path) => {
                    log.changes.push(FileChange::Rename);
                    // Its writer may have a line to end, however long it was quiet before.
                    log.changed_ms = self.now_ms;
                    log.retired = is_put_aside(&path, &log.path);
                    log.dirty = true;
                }
                None => {}
            }
            if rewritten {
                self.cut(id, emit)?;
                self.memos.remove(&key);
            }
        }
        ControlFlow::Continue(())
    }

    fn miss(&mut self, id: LogId) {
        let now_ms = self.now_ms;
        let Some(log) = self.logs.get_mut(&id) else { return };
        log.found = false;
        log.missing_ms.get_or_insert(now_ms);
        // Its writer may still hold it open, as we do.
        let metadata = log.content.as_ref().and_then(|content| content.metadata().ok());
        if let Some(metadata) = metadata {
            let held = log.held;
            log.saw(metadata.len(), modified_ns(&metadata), now_ms);
            // The handle, unlike an inode number, is certainly that of the same file.
            log.held = held;
        }
    }

    /// Ties a log to a file with its inode; returns the path it had, if it has another now.
    fn bind_one(&mut self, id: LogId, found: &Found) -> Option<PathBuf> {
        let now_ms = self.now_ms;
        let log = self.logs.get_mut(&id)?;
        log.found = true;
        log.missing_ms = None;
        log.position.seen_ms = now_ms;
        log.saw(found.size, found.modified_ns, now_ms);
        if log.position.ended && found.modified_ns != log.position.modified_ns {
            log.owner = false;
            return None;
        }
        if let Some(seat) = &found.seat {
            log.seat.get_or_insert_with(|| seat.clone());
        }
        let moved = log.path != found.path
            && !std::fs::metadata(&log.path).is_ok_and(|there| FileKey::of(&there) == found.key);
        let path = log.path.clone();
        moved.then(|| {
            log.place(&found.path, found.key);
            path
        })
    }

    fn index_paths(&mut self, view: &View) {
        self.by_path.clear();
        for (&id, log) in self.logs.iter().filter(|(_, log)| log.is_there()) {
            self.by_path.insert(log.path.clone(), id);
        }
        let owners: BTreeMap<FileKey, LogId> = self
            .logs
            .iter()
            .filter(|(_, log)| log.is_there())
            .map(|(&id, log)| (log.key(), id))
            .collect();
        for (seat, key) in &view.seats {
            if let Some(&id) = owners.get(key) {
                self.by_path.insert(seat.clone(), id);
            }
        }
    }
}
