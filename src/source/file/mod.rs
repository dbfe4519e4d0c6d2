//! Log files: finding them, knowing them again, and reading each line once.
//!
//! It may open and list files. It must never decode a line, write, spawn or read a clock. Events
//! (`bell`) are hints; a *look* (stat, fingerprint, read) is the truth. The rules:
//!
//! 1. A *generation* is one life of one file. It is known by device and inode AND by content: the
//!    hash of its head and marks along what was read (`identity`). The mark at the position is
//!    checked before reading on in a file that changed, and again after reading; what was read
//!    from a file that changed under the reader is dropped.
//! 2. A file shorter than its position, or with other bytes before it, is a new generation; the
//!    old one has ended, but a copy of it may still turn up.
//! 3. An unknown file is compared with every known generation (`judge`). If all of it is counted
//!    it is a *shadow* and waits until it changes. If it goes on where a generation without a file
//!    stopped, it takes over its position. If it goes on differently than a generation that is
//!    still there, it is a new generation that begins where they part. Else it is new. A file too
//!    short to tell waits until it is quiet, and then counts: request ids remove what is double.
//! 4. When a path gets another file, or its file is cut, the rotated siblings of the path are
//!    looked through, whether a glob matches them or not: for the rest of the old generation, and
//!    for generations that came and went unseen. Those are not older than the old generation was
//!    when it was last seen; older siblings are history that nobody asked for. They are in the
//!    ledger, at 0, before a line of their successor is: a crash in between forgets none.
//! 5. A generation whose file is gone is read to its end through its open handle. It ends after
//!    `finished_after_ms` without a change; bytes that were seen to exist and that no file holds
//!    are then lost bytes.
//! 6. Half a line waits, and a frame that is open (`decode::frame`): positions are where units end.
//!    Once its file is finished (renamed or gone and quiet, or gzip with a clean end) what has no
//!    line feed counts if it is a whole record, else as truncated. Of a file that is only quiet, whole
//!    records at its end are taken, since nothing can be added to closed JSON. NULs before a line are
//!    padding; NULs at the end are not passed, since a file may be filled with them in advance.
//! 7. Known logs stay in the ledger until they were not seen for `forget_after_ms`.
//!
//! Memory: one chunk, one unit of about `line_bytes_max`, and the window of one gzip decoder at a time.

mod announce;
pub mod bell;
mod content;
mod discover;
mod follow;
mod identity;
mod judge;
pub mod lines;
mod log;
mod look;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use content::decoded_reader;
pub use discover::is_delivery_noise;

use self::content::FileKey;
use self::discover::Globs;
use self::judge::Memo;
use self::log::Log;
use self::look::Succession;
use super::Batch;
use crate::config::FileSourceConfig;
use crate::ledger::position::{LogId, LogPosition};
use crate::model::time::UnixMillis;

/// Bytes read in one sweep; the next one continues, so that every file gets its turn.
const SWEEP_BYTES_MAX: u64 = 64 << 20;

/// Hands out ids for new generations; all sources of a ledger share one.
#[derive(Clone, Debug)]
pub struct LogIds(Arc<AtomicU64>);

impl LogIds {
    /// Starts after `last`, the largest id that the ledger has ever stored.
    pub fn after(last: Option<LogId>) -> Self {
        Self(Arc::new(AtomicU64::new(last.map_or(0, |last| last.0.saturating_add(1)))))
    }

    fn next(&self) -> LogId {
        LogId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// What to look at.
#[derive(Clone, Copy, Debug)]
pub enum Look<'p> {
    /// These paths, if nothing but their ends changed; else everything.
    Changed(&'p [PathBuf]),
    /// Every file that the globs match, and every known file.
    Everything,
}

/// What a sweep found, besides the batches it emitted.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Bytes that wait to be read (of plain files; gzip is not known before it is decoded).
    pub backlog_bytes: u64,
    /// Files that are followed.
    pub tracked_files: usize,
    /// Handles that are open.
    pub open_files: usize,
    /// Milliseconds after which something is due even without an event; 0 means more is waiting.
    pub next_wake_ms: Option<u64>,
    /// Generations to remove from the ledger, after the batches of this sweep.
    pub forget: Vec<LogId>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Whether `emit` asked to stop.
    pub stopped: bool,
}

/// Something that could not be read; the other files were.
#[derive(Debug, thiserror::Error)]
#[error("{kind} (`{}`)", path.display())]
pub struct Problem {
    /// The file, folder or glob.
    pub path: PathBuf,
    /// What could not be done with it.
    pub kind: ProblemKind,
    /// What the operating system said.
    #[source]
    pub error: Option<io::Error>,
}

/// What could not be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProblemKind {
    /// The pattern is not a glob.
    #[error("the pattern is no glob; correct `include` or `exclude`")]
    Glob,
    /// A folder can't be listed.
    #[error("the folder can't be listed; give the daemon the right to read it")]
    List,
    /// A path can't be looked at.
    #[error("the file can't be looked at; give the daemon the right to search its folder")]
    Stat,
    /// A file can't be opened.
    #[error("the file can't be opened; give the daemon the right to read it")]
    Open,
    /// A file can't be read.
    #[error("the file can't be read; it is tried again")]
    Read,
    /// A gzip file stops in the middle.
    #[error("the gzip file is cut off; what is in it is counted, and the rest if it grows")]
    GzipCut,
    /// A gzip file is damaged.
    #[error("the gzip file is damaged; what comes before the damage is counted")]
    GzipDamaged,
}

type Emit<'e> = &'e mut dyn FnMut(Batch) -> ControlFlow<()>;

/// Returns the files that the globs of a source match now, the one that changed first at the front,
/// and what could not be looked at. A file with several names is there once.
pub fn files_of(config: &FileSourceConfig) -> Matched {
    let view = Globs::new(config).look();
    let mut found: Vec<_> = view.files.into_values().collect();
    found.sort_by(|a, b| (a.modified_ns, &a.path).cmp(&(b.modified_ns, &b.path)));
    let paths = found.into_iter().map(|found| found.path).collect();
    Matched { paths, noise: view.noise, problems: view.problems }
}

/// What the globs of a source match at one moment.
#[derive(Debug)]
pub struct Matched {
    /// Files to read.
    pub paths: Vec<PathBuf>,
    /// Files that are left out since they hold no records by their place ([`is_delivery_noise`]).
    pub noise: usize,
    /// What could not be looked at.
    pub problems: Vec<Problem>,
}

/// Reads the files of one `[[source]]`.
#[derive(Debug)]
pub struct FileSource {
    config: FileSourceConfig,
    globs: Globs,
    ids: LogIds,
    is_whole_record: fn(&[u8]) -> bool,
    logs: BTreeMap<LogId, Log>,
    /// Files that are no log of their own, as they were when that was found.
    memos: BTreeMap<FileKey, Memo>,
    successions: BTreeMap<PathBuf, Succession>,
    /// Which file each matched path held at the last look.
    occupants: BTreeMap<PathBuf, FileKey>,
    by_path: BTreeMap<PathBuf, LogId>,
    now_ms: i64,
    uses: u64,
    sweep: Sweep,
}

impl FileSource {
    /// Reads on at `positions` (those of other sources are left alone).
    ///
    /// `is_whole_record` tells whether bytes without a line feed at the end of a finished file are
    /// a record.
    pub fn new(
        config: FileSourceConfig,
        positions: Vec<(LogId, LogPosition)>,
        ids: LogIds,
        is_whole_record: fn(&[u8]) -> bool,
    ) -> Self {
        let own = positions.into_iter().filter(|(_, position)| position.source == config.name);
        let logs = own.map(|(id, position)| (id, Log::restored(position))).collect();
        Self {
            globs: Globs::new(&config),
            config,
            ids,
            is_whole_record,
            logs,
            memos: BTreeMap::new(),
            successions: BTreeMap::new(),
            occupants: BTreeMap::new(),
            by_path: BTreeMap::new(),
            now_ms: 0,
            uses: 0,
            sweep: Sweep::default(),
        }
    }

    /// Returns the globs as absolute patterns, for [`bell::Bell`].
    pub fn patterns(&self) -> &[String] {
        self.globs.patterns()
    }

    /// Looks, and emits what is new, in the order of each log, until nothing is left, a share of
    /// bytes is read, or `emit` breaks. `emit` may block.
    ///
    /// The first batch of a log says where it begins, which need not be 0. A source whose `emit`
    /// broke off is ahead of the ledger and must be made anew.
    pub fn sweep(&mut self, now: UnixMillis, look: Look<'_>, emit: Emit<'_>) -> Sweep {
        self.now_ms = now.0;
        self.sweep = Sweep::default();
        let flow = self.look_and_read(look, emit);
        let mut sweep = std::mem::take(&mut self.sweep);
        sweep.stopped = flow.is_break();
        for log in self.logs.values() {
            sweep.backlog_bytes = sweep.backlog_bytes.saturating_add(log.backlog());
            sweep.tracked_files += usize::from(log.is_there());
            sweep.open_files += usize::from(log.content.is_some());
        }
        sweep
    }

    fn look_and_read(&mut self, look: Look<'_>, emit: Emit<'_>) -> ControlFlow<()> {
        let only_ends = match look {
            Look::Changed(paths) => self.look_at(paths),
            Look::Everything => false,
        };
        if !only_ends {
            self.look_at_everything(emit)?;
        }
        self.drain(emit)?;
        self.settle(emit)
    }

    fn wake_in(&mut self, ms: i64) {
        let ms = u64::try_from(ms).unwrap_or(0);
        let next = self.sweep.next_wake_ms;
        self.sweep.next_wake_ms = Some(next.map_or(ms, |next| next.min(ms)));
    }

    fn finished_after_ms(&self) -> i64 {
        i64::try_from(self.config.finished_after_ms).unwrap_or(i64::MAX)
    }

    fn problem(&mut self, path: PathBuf, kind: ProblemKind, error: Option<io::Error>) {
        let gone = error.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
        if !gone {
            self.sweep.problems.push(Problem { path, kind, error });
        }
    }
}
