//! What an unknown file is: a copy of what was read, the rest of a log, or a log of its own.
//!
//! A copy is told from an original by content only; names and times decide nothing but which
//! siblings outside the globs are history. Rule 3 and 4 of the parent are implemented here.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;

use super::content::{Content, FileKey, GzipEnd};
use super::discover::{Found, View, is_put_aside};
use super::identity::{Probe, Relation, agree_at_end, still_there};
use super::log::Log;
use super::look::Expected;
use super::{Emit, FileSource, ProblemKind};
use crate::ledger::position::{LogId, LogPosition};
use crate::source::FileChange;

/// Bytes of a new log that are read at once, so that the next file can be compared with it.
const FIRST_BYTES: usize = 64 << 10;
/// How long a gzip file must rest before it is decoded again to be judged.
const GZIP_REST_MS: i64 = 500;

/// What was found about a file that is no log of its own, or not yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memo {
    size: u64,
    modified_ns: i64,
    changed_ms: i64,
    verdict: Verdict,
    /// Whether the original was alive when this was found.
    beside_original: bool,
}

impl Memo {
    /// Whether the file is as it was then.
    fn is_about(&self, found: &Found) -> bool {
        (self.size, self.modified_ns) == (found.size, found.modified_ns)
    }

    /// Whether all of the file is counted as part of another.
    pub(super) fn is_counted(&self, found: &Found) -> bool {
        matches!(self.verdict, Verdict::Shadow(_)) && self.is_about(found)
    }

    pub(super) fn is_copy_of(&self, id: LogId) -> bool {
        matches!(self.verdict, Verdict::Shadow(of) if of == id)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// All of it is part of a known log.
    Shadow(LogId),
    /// It holds the rest of a log that has no file.
    TakeOver(LogId),
    /// It begins like a log that is still there, and goes on otherwise.
    Fork(LogId),
    /// A log of its own.
    New,
    /// Too short to tell.
    Wait,
    /// To be judged at the next look: a log that matters is just changing.
    Postpone,
    /// Older than anything that was followed, and matched by no glob.
    History,
}

impl FileSource {
    pub(super) fn judge_all(
        &mut self,
        view: &View,
        expected: &Expected,
        emit: Emit<'_>,
    ) -> ControlFlow<()> {
        self.read_nameless(emit)?;
        let read: BTreeSet<FileKey> =
            self.logs.values().filter(|log| log.owner && !log.is_blank()).map(Log::key).collect();
        let unknown = view.files.values().filter(|found| !read.contains(&found.key));
        let mut unknown: Vec<&Found> = unknown.collect();
        // Plain before gzip, since gzip may still be writing what a plain file has whole. Then the
        // oldest first; of the same age the rotated ones (`.2`, `.1`) before the current one.
        unknown.sort_by(|a, b| {
            let age =
                |found: &Found| (has_gzip_name(found), found.modified_ns, found.seat.is_some());
            age(a).cmp(&age(b)).then_with(|| b.path.cmp(&a.path))
        });
        self.announce(&unknown, expected, emit)?;
        for found in unknown {
            if found.seat.is_some() {
                self.register(found);
            }
            if found.size > 0 {
                self.judge_one(found, expected.get(&found.key).copied(), emit)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Reads first lines that only an open handle still reaches, so that a copy of them is known
    /// as one.
    fn read_nameless(&mut self, emit: Emit<'_>) -> ControlFlow<()> {
        let nameless: Vec<LogId> = self
            .logs
            .iter()
            .filter(|(_, log)| log.missing_ms.is_some() && log.is_blank() && log.may_read())
            .map(|(&id, _)| id)
            .collect();
        for id in nameless {
            self.read_chunk(id, FIRST_BYTES, emit)?;
        }
        ControlFlow::Continue(())
    }

    fn judge_one(
        &mut self,
        found: &Found,
        since_ns: Option<i64>,
        emit: Emit<'_>,
    ) -> ControlFlow<()> {
        let memo = self.memos.get(&found.key).copied();
        let same = memo.filter(|memo| memo.is_about(found));
        let changed_ms = same.map_or(self.now_ms, |memo| memo.changed_ms);
        let quiet_ms = self.now_ms.saturating_sub(changed_ms);
        let is_expected = since_ns.is_some_and(|since| found.modified_ns >= since);
        if same.is_some_and(|memo| self.still_holds(memo, quiet_ms, found, is_expected)) {
            return ControlFlow::Continue(());
        }
        if memo.is_some()
            && same.is_none_or(|memo| memo.verdict == Verdict::Postpone)
            && has_gzip_name(found)
            && quiet_ms < GZIP_REST_MS
        {
            self.wake_in(GZIP_REST_MS.saturating_sub(quiet_ms));
            self.note(found, changed_ms, Verdict::Postpone);
            self.keep_expected(found, is_expected);
            return ControlFlow::Continue(());
        }
        let (mut verdict, content) = match self.judge(found) {
            Ok(judged) => judged,
            Err(error) => {
                let kind = ProblemKind::Open;
                self.keep_expected(found, is_expected && error.kind() != io::ErrorKind::NotFound);
                self.problem(found.path.clone(), kind, Some(error));
                return ControlFlow::Continue(());
            }
        };
        if verdict == Verdict::Wait && quiet_ms >= self.finished_after_ms() {
            verdict = Verdict::New;
        }
        if verdict == Verdict::New
            && found.seat.is_none()
            && !is_expected
            && self.owner_of(found.key).is_none()
        {
            verdict = Verdict::History;
        }
        let undecided = matches!(verdict, Verdict::Wait | Verdict::Postpone);
        self.keep_expected(found, is_expected && undecided);
        self.act(found, changed_ms, verdict, content, emit)
    }

    fn still_holds(&mut self, memo: Memo, quiet_ms: i64, found: &Found, is_expected: bool) -> bool {
        match memo.verdict {
            Verdict::Shadow(of) => self
                .logs
                .get(&of)
                .is_some_and(|log| (log.is_alive() || log.is_there()) == memo.beside_original),
            Verdict::Wait => {
                let left = self.finished_after_ms().saturating_sub(quiet_ms);
                if left > 0 {
                    self.wake_in(left);
                }
                left > 0
            }
            Verdict::History => found.seat.is_none() && !is_expected,
            Verdict::New => true,
            Verdict::Postpone | Verdict::TakeOver(_) | Verdict::Fork(_) => false,
        }
    }

    fn note(&mut self, found: &Found, changed_ms: i64, verdict: Verdict) {
        let beside_original = match verdict {
            Verdict::Shadow(of) => {
                self.logs.get(&of).is_some_and(|log| log.is_alive() || log.is_there())
            }
            _ => false,
        };
        let (size, modified_ns) = (found.size, found.modified_ns);
        let memo = Memo { size, modified_ns, changed_ms, verdict, beside_original };
        self.memos.insert(found.key, memo);
    }

    fn judge(&mut self, found: &Found) -> io::Result<(Verdict, Content)> {
        let mut content = Content::open(&found.path, found.key)?;
        let mut probe = Probe::new(&mut content, found.size)?;
        let similar: Vec<LogId> = self
            .logs
            .iter()
            .filter(|(_, log)| !(log.owner && log.key() == found.key))
            .filter(|(_, log)| probe.may_begin_like(&log.position))
            .map(|(&id, _)| id)
            .collect();
        let mut verdict = Verdict::New;
        if !similar.is_empty() {
            let positions =
                similar.iter().filter_map(|id| self.logs.get(id)).map(|log| &log.position);
            probe.read_marks(&mut content, positions)?;
        }
        for id in similar {
            let against = self.judge_against(id, &probe, &mut content)?;
            verdict = self.stronger(verdict, against);
        }
        Ok((verdict, content))
    }

    /// Of two verdicts the one to follow: what is counted already first, then the longest known
    /// beginning.
    fn stronger(&self, one: Verdict, other: Verdict) -> Verdict {
        let offset = |id: LogId| self.logs.get(&id).map_or(0, |log| log.position.offset);
        let rank = |verdict| match verdict {
            Verdict::Postpone => (4, 0),
            Verdict::Shadow(id) => (3, offset(id)),
            Verdict::TakeOver(id) => (2, offset(id).saturating_mul(2).saturating_add(1)),
            Verdict::Fork(id) => (2, offset(id).saturating_mul(2)),
            Verdict::Wait => (1, 0),
            Verdict::New | Verdict::History => (0, 0),
        };
        if rank(other) > rank(one) { other } else { one }
    }

    fn judge_against(
        &mut self,
        id: LogId,
        probe: &Probe,
        content: &mut Content,
    ) -> io::Result<Verdict> {
        let Some(log) = self.logs.get(&id) else { return Ok(Verdict::New) };
        let relation = probe.relation(&log.position);
        if relation == Relation::Distinct {
            return Ok(Verdict::New);
        }
        // A gzip file that stops in the middle is no original to wait for.
        let stuck = matches!(log.gzip_end, Some(GzipEnd::Cut | GzipEnd::Damaged));
        if log.is_alive() && !log.position.compressed {
            return self.compare(id, probe, content);
        }
        Ok(match relation {
            Relation::Continues if log.is_there() && !stuck => Verdict::Fork(id),
            Relation::Continues => Verdict::TakeOver(id),
            Relation::Same if !log.is_there() || stuck => Verdict::TakeOver(id),
            Relation::Same | Relation::Prefix => Verdict::Shadow(id),
            Relation::Unclear if log.is_there() => Verdict::Shadow(id),
            Relation::Unclear => Verdict::Wait,
            Relation::Distinct => Verdict::New,
        })
    }

    /// Compares a file with a log that is still there, by their bytes.
    fn compare(&mut self, id: LogId, probe: &Probe, copy: &mut Content) -> io::Result<Verdict> {
        self.prepare(id);
        let Some(log) = self.logs.get_mut(&id) else { return Ok(Verdict::New) };
        let Some(original) = log.content.as_mut() else { return Ok(Verdict::Postpone) };
        let original_len = original.metadata()?.len();
        let agree = agree_at_end(copy, probe.len, original, original_len)?;
        // The original may have been cut in between, which makes the comparison worthless.
        if !still_there(original, &log.position)? || original_len < log.position.offset {
            self.wake_in(0);
            return Ok(Verdict::Postpone);
        }
        if !agree {
            return Ok(Verdict::New);
        }
        if probe.len <= original_len {
            return Ok(Verdict::Shadow(id));
        }
        if log.may_read() {
            self.wake_in(0);
            return Ok(Verdict::Postpone);
        }
        Ok(Verdict::Fork(id))
    }

    fn act(
        &mut self,
        found: &Found,
        changed_ms: i64,
        verdict: Verdict,
        content: Content,
        emit: Emit<'_>,
    ) -> ControlFlow<()> {
        self.note(found, changed_ms, verdict);
        let blank = self.owner_of(found.key);
        match verdict {
            Verdict::Wait => self.wake_in(self.finished_after_ms()),
            Verdict::Shadow(_) | Verdict::Postpone | Verdict::History => {}
            Verdict::New => {
                let id = blank.unwrap_or_else(|| self.add_log(found, LogPosition::default()));
                self.start(id, content);
                self.read_chunk(id, FIRST_BYTES, emit)?;
                self.rest_gzip(id);
            }
            Verdict::Fork(of) => {
                let Some(begin) = self.logs.get(&of).map(|log| log.position.clone()) else {
                    return ControlFlow::Continue(());
                };
                if let Some(id) = blank {
                    self.drop_log(id);
                }
                let id = self.add_log(found, begin);
                self.start(id, content);
            }
            Verdict::TakeOver(of) => {
                if let Some(id) = blank {
                    self.drop_log(id);
                }
                self.take_over(of, found, content);
            }
        }
        if matches!(verdict, Verdict::Shadow(_) | Verdict::Wait | Verdict::Postpone)
            && let Some(log) = blank.and_then(|id| self.logs.get_mut(&id))
        {
            log.held = true;
        }
        ControlFlow::Continue(())
    }

    fn start(&mut self, id: LogId, content: Content) {
        self.uses = self.uses.saturating_add(1);
        if let Some(log) = self.logs.get_mut(&id) {
            log.held = false;
            log.settled = false;
            log.position.compressed = content.compressed();
            log.content = Some(content);
            log.used = self.uses;
        }
        self.close_surplus(id);
    }

    /// A decoder holds a window, and many gzip files may be found at once.
    fn rest_gzip(&mut self, id: LogId) {
        if let Some(log) = self.logs.get_mut(&id)
            && log.position.compressed
        {
            log.content = None;
        }
    }

    fn take_over(&mut self, id: LogId, found: &Found, content: Content) {
        let grace_until_ms = self.now_ms.saturating_add(self.finished_after_ms());
        let Some(log) = self.logs.get_mut(&id) else { return };
        let was_cut = log.position.grace_until_ms.is_some();
        log.retired = is_put_aside(&log.path, &found.path);
        log.place(&found.path, found.key);
        if content.compressed() {
            log.changes.push(FileChange::Compress);
        } else if !was_cut {
            log.changes.push(FileChange::Rename);
        }
        log.position.compressed = content.compressed();
        log.position.ended = false;
        log.position.seen_ms = self.now_ms;
        log.owner = true;
        log.found = true;
        log.missing_ms = None;
        log.gzip_end = None;
        log.scanned_to = log.position.offset;
        log.position.grace_until_ms = Some(grace_until_ms);
        log.dirty = true;
        log.saw(found.size, found.modified_ns, self.now_ms);
        log.changed_ms = self.now_ms;
        self.start(id, content);
    }
}

fn has_gzip_name(found: &Found) -> bool {
    found.path.extension().is_some_and(|extension| extension == "gz")
}
