//! Files of which nothing was read yet, and how they get into the ledger.
//!
//! A position at 0 says that a file is to be read, whatever becomes of its name. Nothing is read
//! here, nor decided what a file is.

use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;

use super::content::FileKey;
use super::discover::Found;
use super::log::Log;
use super::look::Expected;
use super::{Emit, FileSource};
use crate::ledger::position::{LogId, LogPosition};

impl FileSource {
    /// Puts the expected siblings into the ledger before a line of their successor: when that is
    /// known, nothing tells them from history after a restart.
    pub(super) fn announce(
        &mut self,
        unknown: &[&Found],
        expected: &Expected,
        emit: Emit<'_>,
    ) -> ControlFlow<()> {
        let mut oldest_first: Vec<&Found> = unknown.to_vec();
        // If only some are committed, the others must be younger than these.
        oldest_first.sort_by_key(|found| found.modified_ns);
        for found in oldest_first {
            let is_expected =
                expected.get(&found.key).is_some_and(|&since| found.modified_ns >= since);
            let is_counted = self.memos.get(&found.key).is_some_and(|memo| memo.is_counted(found));
            if !is_expected
                || is_counted
                || found.seat.is_some()
                || found.size == 0
                || self.owner_of(found.key).is_some()
            {
                continue;
            }
            let id = self.register(found);
            self.emit_position(id, 0, emit)?;
        }
        ControlFlow::Continue(())
    }

    pub(super) fn owner_of(&self, key: FileKey) -> Option<LogId> {
        self.logs.iter().find(|(_, log)| log.owner && log.key() == key).map(|(&id, _)| id)
    }

    /// Gives a matched file a position at 0, so that it is known again if it is rotated before
    /// its first line is read.
    pub(super) fn register(&mut self, found: &Found) -> LogId {
        if let Some(id) = self.owner_of(found.key) {
            return id;
        }
        self.add_log(found, LogPosition::default())
    }

    pub(super) fn add_log(&mut self, found: &Found, begin: LogPosition) -> LogId {
        let position = LogPosition {
            path: found.path.as_os_str().as_bytes().to_vec(),
            source: self.config.name.clone(),
            device: found.key.device,
            inode: found.key.inode,
            modified_ns: found.modified_ns,
            seen_ms: self.now_ms,
            ended: false,
            owed_to: begin.offset,
            grace_until_ms: None,
            ..begin
        };
        let mut log = Log::restored(position);
        log.seat.clone_from(&found.seat);
        log.found = true;
        log.dirty = true;
        log.saw(found.size, found.modified_ns, self.now_ms);
        let id = self.ids.next();
        self.logs.insert(id, log);
        id
    }

    /// Remembers an expected sibling that can't be judged yet: after a restart, or once its
    /// siblings are no longer looked through, nothing would tell it from history.
    pub(super) fn keep_expected(&mut self, found: &Found, is_expected: bool) {
        if is_expected {
            self.register(found);
        }
    }
}
