//! Reading on in known logs, and what becomes of those that are finished.
//!
//! Everything that is emitted goes out here, so that a position never leaves without its lines.

use std::ops::ControlFlow;

use super::content::{Content, FileKey, GzipEnd};
use super::discover::bases_of;
use super::identity::still_there;
use super::log::{CHUNK_BYTES, Chunk, Log, Step};
use super::{Emit, FileSource, ProblemKind, SWEEP_BYTES_MAX};
use crate::ledger::position::LogId;
use crate::model::span::Span;
use crate::source::{Batch, FileChange};

/// What stands between a log and its next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Yes,
    /// It can't be opened now.
    No,
    /// The content before the position is another.
    Rewritten,
}

impl FileSource {
    /// Opens the file of a log if it is closed, and checks its content if it changed.
    pub(super) fn prepare(&mut self, id: LogId) -> Ready {
        self.uses = self.uses.saturating_add(1);
        let uses = self.uses;
        let Some(log) = self.logs.get_mut(&id) else { return Ready::No };
        log.used = uses;
        if !log.position.compressed && log.size < log.position.offset {
            return Ready::Rewritten;
        }
        if log.content.is_none() {
            match Content::open(&log.path, log.key()) {
                Ok(content) => {
                    if !log.is_blank() && content.compressed() != log.position.compressed {
                        return Ready::Rewritten;
                    }
                    log.position.compressed = content.compressed();
                    log.content = Some(content);
                    log.unchecked = true;
                    self.close_surplus(id);
                }
                Err(error) => {
                    log.settled = true;
                    log.failed = true;
                    let path = log.path.clone();
                    self.problem(path, ProblemKind::Open, Some(error));
                    return Ready::No;
                }
            }
        }
        let Some(log) = self.logs.get_mut(&id) else { return Ready::No };
        let (true, Some(content)) = (log.unchecked, log.content.as_mut()) else {
            return Ready::Yes;
        };
        match still_there(content, &log.position) {
            Ok(true) => {
                log.unchecked = false;
                log.owe();
                Ready::Yes
            }
            Ok(false) => Ready::Rewritten,
            Err(error) => {
                self.failed(id, error);
                Ready::No
            }
        }
    }

    fn failed(&mut self, id: LogId, error: std::io::Error) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        log.settled = true;
        log.failed = true;
        let path = log.path.clone();
        self.problem(path, ProblemKind::Read, Some(error));
    }

    /// Closes handles that were not used for longest, but not that of `kept`.
    pub(super) fn close_surplus(&mut self, kept: LogId) {
        let open = self.logs.values().filter(|log| log.content.is_some()).count();
        for _ in self.config.open_files_max.max(1)..open {
            let others =
                self.logs.iter_mut().filter(|(id, log)| **id != kept && log.content.is_some());
            // A file without a path can't be opened again, so its handle goes last.
            let oldest = others.min_by_key(|(_, log)| (log.missing_ms.is_some(), log.used));
            if let Some((_, log)) = oldest {
                log.content = None;
            }
        }
    }

    /// Reads all logs to where they were seen to end, a chunk of each in turn.
    pub(super) fn drain(&mut self, emit: Emit<'_>) -> ControlFlow<()> {
        let mut read_bytes = 0_u64;
        loop {
            let waiting = self.logs.iter().filter(|(_, log)| log.may_read());
            let (gzip, plain): (Vec<_>, Vec<_>) = waiting
                .map(|(&id, log)| (id, log.position.compressed))
                .partition(|&(_, gzip)| gzip);
            // One gzip file at a time: each decoder holds a window.
            let round: Vec<LogId> = plain.iter().chain(gzip.first()).map(|&(id, _)| id).collect();
            if round.is_empty() {
                return ControlFlow::Continue(());
            }
            for id in round {
                read_bytes = read_bytes.saturating_add(self.read_chunk(id, CHUNK_BYTES, emit)?);
                if read_bytes > SWEEP_BYTES_MAX {
                    self.wake_in(0);
                    return ControlFlow::Continue(());
                }
            }
        }
    }

    /// Reads and emits the next lines of one log; returns how many bytes it covered.
    pub(super) fn read_chunk(
        &mut self,
        id: LogId,
        bytes: usize,
        emit: Emit<'_>,
    ) -> ControlFlow<(), u64> {
        match self.prepare(id) {
            Ready::Yes => {}
            Ready::No => return ControlFlow::Continue(0),
            Ready::Rewritten => {
                self.cut_between(id, emit)?;
                return ControlFlow::Continue(0);
            }
        }
        let line_bytes_max = self.config.line_bytes_max;
        let Some(log) = self.logs.get_mut(&id) else { return ControlFlow::Continue(0) };
        match log.read(bytes, line_bytes_max) {
            Ok(Step::Lines(chunk)) => self.emit(id, chunk, 0, emit),
            Ok(Step::Idle) => {
                log.settled = true;
                ControlFlow::Continue(0)
            }
            Ok(Step::Rewritten) => {
                self.cut_between(id, emit)?;
                ControlFlow::Continue(0)
            }
            Err(error) => {
                self.failed(id, error);
                ControlFlow::Continue(0)
            }
        }
    }

    fn emit(
        &mut self,
        id: LogId,
        chunk: Chunk,
        lost_bytes: u64,
        emit: Emit<'_>,
    ) -> ControlFlow<(), u64> {
        let Some(log) = self.logs.get_mut(&id) else { return ControlFlow::Continue(0) };
        log.dirty = false;
        log.stored_seen_ms = log.position.seen_ms;
        log.stored_owed_to = log.position.owed_to;
        let span = Span { from: chunk.from, to: log.position.offset };
        emit(Batch {
            log: id,
            span,
            lines: chunk.lines,
            frames: chunk.frames,
            position: std::sync::Arc::new(log.position.clone()),
            left_out: chunk.left_out,
            oversized_lines: chunk.oversized,
            oversized_at: chunk.oversized_at,
            truncated_lines: chunk.truncated,
            truncated_at: chunk.truncated_at,
            lost_bytes,
            changes: std::mem::take(&mut log.changes),
        })?;
        ControlFlow::Continue(span.to.saturating_sub(span.from))
    }

    /// Emits a position without lines.
    pub(super) fn emit_position(
        &mut self,
        id: LogId,
        lost: u64,
        emit: Emit<'_>,
    ) -> ControlFlow<()> {
        let Some(log) = self.logs.get(&id) else { return ControlFlow::Continue(()) };
        let chunk = Chunk { from: log.position.offset, ..Chunk::default() };
        self.emit(id, chunk, lost, emit).map_continue(drop)
    }

    /// Ends a generation whose file was cut while it was read: the look before does not know what
    /// is there now.
    fn cut_between(&mut self, id: LogId, emit: Emit<'_>) -> ControlFlow<()> {
        self.wake_in(0);
        self.cut(id, emit)
    }

    /// Ends a generation whose file was cut or rewritten; its copies may still turn up.
    pub(super) fn cut(&mut self, id: LogId, emit: Emit<'_>) -> ControlFlow<()> {
        let grace_until_ms = self.now_ms.saturating_add(self.finished_after_ms());
        let Some(log) = self.logs.get_mut(&id) else { return ControlFlow::Continue(()) };
        log.end();
        log.position.grace_until_ms = Some(grace_until_ms);
        log.changes.push(FileChange::Truncate);
        let seat = log.seat.clone().unwrap_or_else(|| log.path.clone());
        let threshold = log.modified_before_ns;
        self.expect_siblings(seat, threshold);
        self.emit_position(id, 0, emit)
    }

    /// After reading: last lines of finished files, ends, losses, and what to forget.
    pub(super) fn settle(&mut self, emit: Emit<'_>) -> ControlFlow<()> {
        let ids: Vec<LogId> = self.logs.keys().copied().collect();
        for id in ids {
            self.settle_missing(id, emit)?;
            self.settle_tail(id, emit)?;
            self.settle_gzip(id);
            self.settle_loss(id, emit)?;
            self.settle_memory(id);
            if self.logs.get(&id).is_some_and(Log::is_to_be_stored) {
                self.emit_position(id, 0, emit)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Returns whether `since` is `finished_after_ms` ago; else sees to a look at that time.
    fn is_quiet(&mut self, since_ms: i64) -> bool {
        let due = since_ms.saturating_add(self.finished_after_ms());
        let left = due.saturating_sub(self.now_ms);
        if left > 0 {
            self.wake_in(left);
        }
        left <= 0
    }

    fn settle_missing(&mut self, id: LogId, emit: Emit<'_>) -> ControlFlow<()> {
        let Some(log) = self.logs.get(&id) else { return ControlFlow::Continue(()) };
        let Some(missing_ms) = log.missing_ms else { return ControlFlow::Continue(()) };
        let since = missing_ms.max(log.changed_ms);
        if log.may_read() || !self.is_quiet(since) {
            return ControlFlow::Continue(());
        }
        let has_copy = self.memos.values().any(|memo| memo.is_copy_of(id));
        let Some(log) = self.logs.get_mut(&id) else { return ControlFlow::Continue(()) };
        if has_copy && log.content.take().is_some() {
            // Without its handle the copy is judged again, and may go on where this one stops.
            self.wake_in(0);
            return ControlFlow::Continue(());
        }
        if log.has_tail() && !log.held {
            self.finish_tail(id, emit)?;
        }
        let Some(log) = self.logs.get_mut(&id) else { return ControlFlow::Continue(()) };
        let replaced = std::fs::symlink_metadata(&log.path).is_ok();
        log.changes.push(if replaced { FileChange::Replace } else { FileChange::Delete });
        let lost = log.position.owed_to.saturating_sub(log.position.offset);
        log.position.owed_to = log.position.offset;
        log.end();
        self.emit_position(id, lost, emit)
    }

    fn settle_tail(&mut self, id: LogId, emit: Emit<'_>) -> ControlFlow<()> {
        let Some(log) = self.logs.get(&id) else { return ControlFlow::Continue(()) };
        if !(log.has_tail() && log.settled && !log.failed && log.found && log.is_alive())
            || log.held
        {
            return ControlFlow::Continue(());
        }
        let finished = match log.gzip_end {
            Some(GzipEnd::Clean) => true,
            Some(GzipEnd::Cut | GzipEnd::Damaged) => false,
            None => {
                let (since, end_is_open) = (log.changed_ms, log.end_is_open);
                let is_rotated = self.is_rotated(id);
                if (is_rotated || !end_is_open) && !self.is_quiet(since) {
                    return ControlFlow::Continue(());
                }
                if !is_rotated && !end_is_open {
                    return self.take_closed_end(id, emit);
                }
                is_rotated
            }
        };
        if finished { self.finish_tail(id, emit) } else { ControlFlow::Continue(()) }
    }

    /// Takes whole records at the end of a file whose writer may still come back.
    fn take_closed_end(&mut self, id: LogId, emit: Emit<'_>) -> ControlFlow<()> {
        let (line_bytes_max, is_whole_record) = (self.config.line_bytes_max, self.is_whole_record);
        match self.prepare(id) {
            Ready::Yes => {}
            Ready::No => return ControlFlow::Continue(()),
            Ready::Rewritten => return self.cut_between(id, emit),
        }
        let Some(log) = self.logs.get_mut(&id) else { return ControlFlow::Continue(()) };
        match log.read_closed_end(line_bytes_max, is_whole_record) {
            Ok(Step::Lines(chunk)) => {
                self.emit(id, chunk, 0, emit)?;
            }
            Ok(Step::Idle) => {}
            Ok(Step::Rewritten) => return self.cut_between(id, emit),
            Err(error) => self.failed(id, error),
        }
        ControlFlow::Continue(())
    }

    /// Whether the log is not the file that its writer writes to.
    fn is_rotated(&self, id: LogId) -> bool {
        let Some(log) = self.logs.get(&id) else { return false };
        if log.retired || !self.seats_hold(log.key()) {
            return true;
        }
        let (Some(folder), Some(name)) = (log.path.parent(), log.path.file_name()) else {
            return false;
        };
        let is_followed = |base: &Vec<u8>| {
            let path = folder.join(std::path::PathBuf::from(os_string(base)));
            path != log.path && self.by_path.contains_key(&path)
        };
        bases_of(name).iter().any(is_followed)
    }

    fn seats_hold(&self, key: FileKey) -> bool {
        self.occupants.values().any(|&occupant| occupant == key)
    }

    fn finish_tail(&mut self, id: LogId, emit: Emit<'_>) -> ControlFlow<()> {
        let (line_bytes_max, is_whole_record) = (self.config.line_bytes_max, self.is_whole_record);
        loop {
            match self.prepare(id) {
                Ready::Yes => {}
                Ready::No => return ControlFlow::Continue(()),
                Ready::Rewritten => return self.cut_between(id, emit),
            }
            let Some(log) = self.logs.get_mut(&id) else { return ControlFlow::Continue(()) };
            match log.read_tail(line_bytes_max, is_whole_record) {
                Ok(Step::Lines(chunk)) => {
                    let is_all = !log.has_tail();
                    self.emit(id, chunk, 0, emit)?;
                    if is_all {
                        return ControlFlow::Continue(());
                    }
                }
                Ok(Step::Idle) => return ControlFlow::Continue(()),
                Ok(Step::Rewritten) => return self.cut_between(id, emit),
                Err(error) => {
                    self.failed(id, error);
                    return ControlFlow::Continue(());
                }
            }
        }
    }

    fn settle_gzip(&mut self, id: LogId) {
        let Some(log) = self.logs.get(&id) else { return };
        let Some(end) = log.gzip_end.filter(|_| log.is_alive() && log.settled) else { return };
        let since = log.changed_ms;
        let kind = match end {
            GzipEnd::Clean => {
                if let Some(log) = self.logs.get_mut(&id) {
                    log.position.ended = true;
                    log.position.modified_ns = log.modified_ns;
                    log.content = None;
                    log.dirty = true;
                }
                return;
            }
            GzipEnd::Damaged => ProblemKind::GzipDamaged,
            GzipEnd::Cut if !log.reported && self.is_quiet(since) => ProblemKind::GzipCut,
            GzipEnd::Cut => return,
        };
        let Some(log) = self.logs.get_mut(&id) else { return };
        log.content = None;
        if !std::mem::replace(&mut log.reported, true) {
            let path = log.path.clone();
            self.problem(path, kind, None);
        }
    }

    /// Counts what a cut generation had and no copy of it has.
    fn settle_loss(&mut self, id: LogId, emit: Emit<'_>) -> ControlFlow<()> {
        let Some(log) = self.logs.get(&id) else { return ControlFlow::Continue(()) };
        let Some(grace_until_ms) = log.position.grace_until_ms else {
            return ControlFlow::Continue(());
        };
        let left = grace_until_ms.saturating_sub(self.now_ms);
        if left > 0 {
            self.wake_in(left);
            return ControlFlow::Continue(());
        }
        let since = log.changed_ms;
        if log.is_alive() && (log.may_read() || !self.is_quiet(since)) {
            return ControlFlow::Continue(());
        }
        let Some(log) = self.logs.get_mut(&id) else { return ControlFlow::Continue(()) };
        log.position.grace_until_ms = None;
        let reached = if log.is_alive() { log.scanned_to } else { 0 }.max(log.position.offset);
        let lost = log.position.owed_to.saturating_sub(reached);
        log.position.owed_to = reached;
        self.emit_position(id, lost, emit)
    }

    fn settle_memory(&mut self, id: LogId) {
        let forget_after = i64::try_from(self.config.forget_after_ms).unwrap_or(i64::MAX);
        let now_ms = self.now_ms;
        let Some(log) = self.logs.get_mut(&id) else { return };
        let unseen_ms = now_ms.saturating_sub(log.position.seen_ms);
        let is_over = log.position.grace_until_ms.is_none() && !log.is_alive() && !log.is_there();
        if is_over && !log.dirty && (log.is_blank() || unseen_ms >= forget_after) {
            self.drop_log(id);
        } else if log.position.seen_ms.saturating_sub(log.stored_seen_ms) > forget_after / 4 {
            log.dirty = true;
        }
    }

    /// Removes a log here and, by the result of the sweep, from the ledger.
    pub(super) fn drop_log(&mut self, id: LogId) {
        self.logs.remove(&id);
        self.sweep.forget.push(id);
    }
}

fn os_string(bytes: &[u8]) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}
