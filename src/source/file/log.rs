//! One known generation of a log, and how its next lines are taken from it.
//!
//! It takes whole units and verifies after reading that the file is still the one it read. It must
//! never emit: the caller gets what was read together with the position that belongs to it.

use std::io;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::content::{Content, FileKey, GzipEnd};
use super::identity::advance;
use super::lines::{LeftOut, Raw, admit};
use super::reader::{Piece, Reader};
use crate::decode::frame::units;
use crate::ledger::position::LogPosition;
use crate::source::FileChange;

/// Bytes read at a time, and about the size of a batch.
pub(super) const CHUNK_BYTES: usize = 256 << 10;

/// A generation that is in the ledger or is about to be.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own cause")]
#[derive(Debug)]
pub(super) struct Log {
    /// What the ledger knows once everything emitted is committed.
    pub(super) position: LogPosition,
    /// Path of the last look, as in `position`.
    pub(super) path: PathBuf,
    /// Path under which the glob matched it, for finding its rotated siblings.
    pub(super) seat: Option<PathBuf>,
    /// Whether it must not be read yet: it is a copy of another log, or that is not known yet.
    pub(super) held: bool,
    /// Whether everything was read that the last look saw.
    pub(super) settled: bool,
    /// Whether reading failed and is to be tried again at the next full look.
    pub(super) failed: bool,
    /// Whether what is open at its end was looked at since it changed, and is not closed.
    pub(super) end_is_open: bool,
    /// Whether its damage was reported.
    pub(super) reported: bool,
    /// Since when its file is found by no path.
    pub(super) missing_ms: Option<i64>,
    /// Whether the inode in `position` still belongs to this generation, as far as is known.
    pub(super) owner: bool,
    /// Whether the last full look found its file by a path.
    pub(super) found: bool,
    /// Whether rotation put it aside: it is not the file that is written to.
    pub(super) retired: bool,
    pub(super) content: Option<Content>,
    /// When `content` was used last, for closing the one that was not used for longest.
    pub(super) used: u64,
    /// Size of the file, compressed if it is.
    pub(super) size: u64,
    /// Modification time of the last look.
    pub(super) modified_ns: i64,
    /// Modification time that was known before this look.
    pub(super) modified_before_ns: i64,
    /// Last time that size or modification time were seen to differ.
    pub(super) changed_ms: i64,
    /// Whether the content must be checked before it is read on.
    pub(super) unchecked: bool,
    /// Bytes from the offset to here hold no whole line or frame.
    pub(super) scanned_to: u64,
    /// Where the uncompressed content ends, once it was read to its end.
    pub(super) gzip_end: Option<GzipEnd>,
    pub(super) changes: Vec<FileChange>,
    /// Whether `position` or `changes` are to be emitted without lines.
    pub(super) dirty: bool,
    /// `seen_ms` and `owed_to` as they were last emitted.
    pub(super) stored_seen_ms: i64,
    pub(super) stored_owed_to: u64,
}

/// What was read: emit it, with the position moved already.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) from: u64,
    pub(super) lines: Vec<u8>,
    pub(super) frames: Vec<Range<usize>>,
    pub(super) oversized: u64,
    pub(super) truncated: u64,
    /// Where in the log the first line was that is too long, and the one that is cut off.
    pub(super) oversized_at: u64,
    pub(super) truncated_at: u64,
    pub(super) left_out: LeftOut,
}

/// The result of reading on.
#[derive(Debug)]
pub(super) enum Step {
    Lines(Chunk),
    /// No whole line or frame is left.
    Idle,
    /// The content before the position changed: another generation.
    Rewritten,
}

impl Log {
    pub(super) fn restored(mut position: LogPosition) -> Self {
        position.owed_to = position.owed_to.max(position.offset);
        let path = PathBuf::from(std::ffi::OsString::from_vec(position.path.clone()));
        Self {
            path,
            seat: None,
            // The inode of a plain file that ended may have been given to another since.
            owner: !position.ended || position.compressed,
            held: position.offset == 0,
            settled: false,
            failed: false,
            reported: false,
            end_is_open: false,
            missing_ms: None,
            found: false,
            retired: false,
            content: None,
            used: 0,
            size: 0,
            modified_ns: i64::MIN,
            modified_before_ns: position.modified_ns,
            changed_ms: 0,
            unchecked: true,
            scanned_to: position.offset,
            gzip_end: None,
            changes: Vec::new(),
            dirty: false,
            stored_seen_ms: position.seen_ms,
            stored_owed_to: position.owed_to,
            position,
        }
    }

    pub(super) fn key(&self) -> FileKey {
        FileKey { device: self.position.device, inode: self.position.inode }
    }

    /// Nothing of it was read yet, so its content says nothing about it.
    pub(super) fn is_blank(&self) -> bool {
        self.position.offset == 0
    }

    /// Its file is there (or held open) and may be read.
    pub(super) fn is_alive(&self) -> bool {
        !self.position.ended && self.owner && (self.found || self.content.is_some())
    }

    pub(super) fn place(&mut self, path: &Path, key: FileKey) {
        path.clone_into(&mut self.path);
        self.position.path = path.as_os_str().as_bytes().to_vec();
        self.position.device = key.device;
        self.position.inode = key.inode;
    }

    /// Bytes that are known to wait (of plain files).
    pub(super) fn backlog(&self) -> u64 {
        if !self.is_alive() || self.position.compressed {
            return 0;
        }
        self.size.saturating_sub(self.scanned_to.max(self.position.offset))
    }

    /// Whether bytes behind the position wait for the end of their line or frame.
    pub(super) fn has_tail(&self) -> bool {
        self.scanned_to > self.position.offset
    }

    /// Its file is where it was, also if nothing more is expected of it.
    pub(super) fn is_there(&self) -> bool {
        self.owner && self.found
    }

    /// Takes what a look saw of the file; returns whether it changed.
    pub(super) fn saw(&mut self, size: u64, modified_ns: i64, now_ms: i64) -> bool {
        let changed = (self.size, self.modified_ns) != (size, modified_ns);
        if changed {
            (self.size, self.modified_ns) = (size, modified_ns);
            self.changed_ms = now_ms;
            self.unchecked = true;
            self.reported = false;
            self.end_is_open = false;
            // Nothing identifies a file of which no line was read but its content, judged anew.
            self.held |= self.is_blank();
        }
        if changed || self.failed {
            self.settled = false;
            self.failed = false;
        }
        if changed && self.position.compressed {
            // The decoder can't go on behind an end that it met.
            self.content = None;
        }
        if self.is_blank() {
            self.owe();
        }
        changed
    }

    /// Notes that the bytes of its file exist, once it is certain that it is its file.
    pub(super) fn owe(&mut self) {
        if !self.position.compressed {
            self.position.owed_to = self.position.owed_to.max(self.size);
        }
    }

    /// Whether its position has to be emitted without lines. Bytes that wait for the end of their line
    /// are part of it: if they are gone after a restart, they are lost.
    pub(super) fn is_to_be_stored(&self) -> bool {
        self.dirty || (!self.is_blank() && self.position.owed_to != self.stored_owed_to)
    }

    /// Nothing more is read from its file, if it still has one.
    pub(super) fn end(&mut self) {
        self.position.ended = true;
        self.owner = false;
        self.found = false;
        self.missing_ms = None;
        self.content = None;
        self.dirty = true;
    }

    /// Where the content ends for this look.
    fn limit(&self) -> u64 {
        if self.position.compressed { u64::MAX } else { self.size }
    }

    /// Whether reading on can give anything.
    pub(super) fn may_read(&self) -> bool {
        self.is_alive() && !self.held && !self.settled && self.limit() > self.position.offset
    }

    /// Reads the next whole lines and frames, at most about `bytes` of them, and moves the position.
    pub(super) fn read(&mut self, bytes: usize, line_bytes_max: usize) -> io::Result<Step> {
        let limit = self.limit();
        let Some(content) = self.content.as_mut() else { return Ok(Step::Idle) };
        let mut reader = Reader { content, from: self.position.offset, limit, line_bytes_max };
        match reader.next(self.scanned_to, bytes)? {
            Piece::None { scanned_to } => {
                self.scanned_to = scanned_to;
                self.settled = true;
                self.gzip_end = content.gzip_end();
                if self.position.compressed {
                    self.position.owed_to = self.position.owed_to.max(scanned_to);
                }
                Ok(Step::Idle)
            }
            Piece::Units { raw, to } => self.take(raw, to, line_bytes_max),
            Piece::TooLong { to } => self.skip(to, line_bytes_max),
        }
    }

    /// Takes what is open at the end of a finished file. What has no line feed there is a unit if
    /// it is a whole record, else it is truncated.
    ///
    /// Does not take all at once if it is too long for one unit.
    pub(super) fn read_tail(
        &mut self,
        line_bytes_max: usize,
        is_whole_record: fn(&[u8]) -> bool,
    ) -> io::Result<Step> {
        let (from, limit) = (self.position.offset, self.scanned_to);
        let Some(content) = self.content.as_mut() else { return Ok(Step::Idle) };
        let mut reader = Reader { content, from, limit, line_bytes_max };
        let step = match reader.rest()? {
            None => return Ok(Step::Rewritten),
            Some(Piece::Units { raw, to }) => self.take(raw, to, line_bytes_max)?,
            Some(_) => self.skip(limit, line_bytes_max)?,
        };
        let Step::Lines(mut chunk) = step else { return Ok(step) };
        self.scanned_to = limit;
        if self.position.offset == limit {
            chunk.judge_end(is_whole_record);
        }
        Ok(Step::Lines(chunk))
    }

    /// Takes what is open at the end of a quiet file, if it is JSON that nothing can be added to: whole
    /// records without a line feed, as services write them into objects.
    pub(super) fn read_closed_end(
        &mut self,
        line_bytes_max: usize,
        is_whole_record: fn(&[u8]) -> bool,
    ) -> io::Result<Step> {
        let (from, limit) = (self.position.offset, self.scanned_to);
        self.end_is_open = true;
        let Some(content) = self.content.as_mut() else { return Ok(Step::Idle) };
        let mut reader = Reader { content, from, limit, line_bytes_max };
        let (raw, to) = match reader.rest()? {
            None => return Ok(Step::Rewritten),
            Some(Piece::Units { raw, to }) if to == limit => (raw, to),
            Some(_) => return Ok(Step::Idle),
        };
        let is_closed = matches!(raw.bytes.trim_ascii_end(), [.., b'}' | b']'])
            && units(&raw.bytes, &raw.frames)
                .all(|unit| raw.bytes.get(unit.range).is_some_and(is_whole_record));
        if is_closed { self.take(raw, to, line_bytes_max) } else { Ok(Step::Idle) }
    }

    fn skip(&mut self, to: u64, line_bytes_max: usize) -> io::Result<Step> {
        let step = self.take(Raw::default(), to, line_bytes_max)?;
        let Step::Lines(chunk) = step else { return Ok(step) };
        Ok(Step::Lines(Chunk { oversized: 1, oversized_at: chunk.from, ..chunk }))
    }

    fn take(&mut self, raw: Raw, to: u64, line_bytes_max: usize) -> io::Result<Step> {
        let from = self.position.offset;
        let Some(content) = self.content.as_mut() else { return Ok(Step::Idle) };
        let mut moved = self.position.clone();
        if !advance(content, &mut moved, &raw.bytes, to)? {
            return Ok(Step::Rewritten);
        }
        content.release(to);
        moved.modified_ns = self.modified_ns;
        self.position = moved;
        self.scanned_to = to;
        self.position.owed_to = self.position.owed_to.max(to);
        let admitted = admit(raw, line_bytes_max);
        Ok(Step::Lines(Chunk {
            from,
            oversized: admitted.oversized,
            oversized_at: from.saturating_add(admitted.oversized_at),
            left_out: admitted.left_out,
            lines: admitted.lines,
            frames: admitted.frames,
            ..Chunk::default()
        }))
    }
}

impl Chunk {
    /// Leaves out what has no line feed at the end of a finished file, unless it is a record.
    fn judge_end(&mut self, is_whole_record: fn(&[u8]) -> bool) {
        let Some(last) = units(&self.lines, &self.frames).last() else { return };
        let Some(text) = self.lines.get(last.range.clone()) else { return };
        if text.ends_with(b"\n") || is_whole_record(text) {
            return;
        }
        let start = last.range.start;
        self.truncated_at = self.from.saturating_add(self.left_out.offset_of(start));
        self.lines.truncate(start);
        self.frames.truncate(self.frames.len().saturating_sub(usize::from(last.is_frame)));
        self.truncated = 1;
    }
}
