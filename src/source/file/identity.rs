//! How a file is known again: the hash of its head, and marks along what was read.
//!
//! Pure but for reading content. The marks at the ends of the first lines and frames are never thinned out: through
//! them files that are shorter than the hashed head can be told apart.

use std::collections::BTreeMap;
use std::io;

use super::content::Content;
use super::lines::whole_len;
use crate::decode::frame::{Rule, cut, units};
use crate::ledger::position::{HEAD_BYTES_MAX, LogPosition, MARK_BYTES, MARKS_MAX, Mark};
use crate::model::hash::stored_hash;

/// How many of the ends of the first units are kept as marks for good.
const HEAD_MARKS_MAX: usize = 6;
/// Distance of marks within one large batch.
const MARK_STEP_BYTES: usize = 64 << 10;
/// How much of two files is compared where one may be a copy of the other.
const COMPARED_BYTES: u64 = 64 << 10;

/// What the content of an unknown file says about a known log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// They differ.
    Distinct,
    /// All of the file is part of what was read from the log, and it is as long.
    Same,
    /// All of the file is part of what was read from the log.
    Prefix,
    /// The file holds all that was read from the log, and more.
    Continues,
    /// The file is too short to tell.
    Unclear,
}

/// Returns whether `content` still begins as it did, and the bytes before the position are still
/// those that were read. Lines of one length may end alike, so the mark alone does not tell.
pub(super) fn still_there(content: &mut Content, position: &LogPosition) -> io::Result<bool> {
    let Some(mark) = position.marks.last() else { return Ok(true) };
    let head = content.range(0, position.head_bytes)?;
    if head.is_none_or(|head| stored_hash(&head) != position.head_hash) {
        return Ok(false);
    }
    Ok(hash_before(content, mark.at)? == Some(mark.hash))
}

fn hash_before(content: &mut Content, at: u64) -> io::Result<Option<u64>> {
    let bytes = content.range(at.saturating_sub(MARK_BYTES), at)?;
    Ok(bytes.map(|bytes| stored_hash(&bytes)))
}

/// Moves `position` over `raw` (the content `raw_from..to`) and lays the marks.
///
/// Returns `false`, with the position half-moved, if the file no longer holds `raw`: it was
/// rewritten while it was read, and the caller drops position and bytes.
pub(super) fn advance(
    content: &mut Content,
    position: &mut LogPosition,
    raw: &[u8],
    to: u64,
) -> io::Result<bool> {
    let from = position.offset;
    let before = position.clone();
    let Some(tail) = content.range(to.saturating_sub(MARK_BYTES), to)? else { return Ok(false) };
    let agrees = raw.iter().rev().zip(tail.iter().rev()).all(|(read, there)| read == there);
    if !agrees {
        return Ok(false);
    }
    if position.head_bytes < HEAD_BYTES_MAX {
        let head_bytes = to.min(HEAD_BYTES_MAX);
        let Some(head) = content.range(0, head_bytes)? else { return Ok(false) };
        mark_head(position, &head, from);
        position.head_bytes = head_bytes;
        position.head_hash = stored_hash(&head);
    }
    mark_steps(position, raw, to);
    push_mark(position, Mark { at: to, hash: stored_hash(&tail) });
    position.offset = to;
    // Last of all: whatever was read above is from before this check. Gzip is not rewritten in
    // place, and its head left the window.
    Ok(content.compressed() || still_there(content, &before)?)
}

fn mark_head(position: &mut LogPosition, head: &[u8], from: u64) {
    for end in unit_ends(head).take(HEAD_MARKS_MAX) {
        if end as u64 > from {
            let start = end.saturating_sub(usize::try_from(MARK_BYTES).unwrap_or(end));
            let hash = stored_hash(head.get(start..end).unwrap_or_default());
            push_mark(position, Mark { at: end as u64, hash });
        }
    }
}

/// Where the whole units of the head of a file end. The line limit is left aside: it may change,
/// and the same bytes must have the same ends whoever looks at them.
fn unit_ends(head: &[u8]) -> impl Iterator<Item = usize> {
    let rule = Rule { line_bytes_max: head.len(), mid_line: false, is_finished: false };
    let cut = cut(head, rule);
    let whole = head.get(..cut.whole).unwrap_or_default();
    let ends: Vec<usize> = units(whole, &cut.frames).map(|unit| unit.range.end).collect();
    ends.into_iter()
}

fn mark_steps(position: &mut LogPosition, raw: &[u8], to: u64) {
    let raw_from = to.saturating_sub(raw.len() as u64);
    let covered = usize::try_from(MARK_BYTES).unwrap_or(MARK_STEP_BYTES);
    let mut step = MARK_STEP_BYTES;
    while let Some(line_end) = raw.get(..step).map(whole_len) {
        if let Some(bytes) =
            line_end.checked_sub(covered).and_then(|start| raw.get(start..line_end))
        {
            let at = raw_from.saturating_add(line_end as u64);
            push_mark(position, Mark { at, hash: stored_hash(bytes) });
        }
        step = step.saturating_add(MARK_STEP_BYTES);
    }
}

/// Adds a mark behind the others, then thins: the head marks and the last stay, of the others the
/// one with the closest neighbours goes.
fn push_mark(position: &mut LogPosition, mark: Mark) {
    let marks = &mut position.marks;
    if marks.last().is_some_and(|last| mark.at <= last.at) {
        return;
    }
    marks.push(mark);
    while marks.len() > MARKS_MAX {
        let closest = (HEAD_MARKS_MAX..marks.len().saturating_sub(1)).min_by_key(|&index| {
            let at = |index: usize| marks.get(index).map_or(u64::MAX, |mark| mark.at);
            at(index.saturating_add(1)).saturating_sub(at(index.saturating_sub(1)))
        });
        let Some(closest) = closest else { break };
        marks.remove(closest);
    }
}

/// An unknown file, looked at as far as known logs ask for.
pub(super) struct Probe {
    /// First bytes of the file.
    head: Vec<u8>,
    /// Where the units of `head` end.
    ends: Vec<u64>,
    /// Length of the file as it was found; of gzip, how far it was decoded.
    pub(super) len: u64,
    hashes: BTreeMap<u64, Option<u64>>,
    /// Hash of the first bytes of `head`, for the length that was asked for last.
    head_hash: std::cell::Cell<(u64, u64)>,
}

impl Probe {
    /// Reads the head of `content`; `size` is the length of a plain file.
    pub(super) fn new(content: &mut Content, size: u64) -> io::Result<Self> {
        let limit = if content.compressed() { HEAD_BYTES_MAX } else { size.min(HEAD_BYTES_MAX) };
        let mut head = Vec::new();
        content.read_at(0, usize::try_from(limit).unwrap_or(0), &mut head)?;
        let len = if content.compressed() { head.len() as u64 } else { size };
        let ends = unit_ends(&head).map(|end| end as u64).collect();
        Ok(Self {
            head,
            ends,
            len,
            hashes: BTreeMap::new(),
            head_hash: std::cell::Cell::new((0, 0)),
        })
    }

    /// Returns whether the file may have begun like the log.
    pub(super) fn may_begin_like(&self, position: &LogPosition) -> bool {
        let same_ends = self.ends.iter().take(HEAD_MARKS_MAX).all(|&end| {
            end > position.head_bytes
                || position.marks.iter().take(HEAD_MARKS_MAX).any(|mark| mark.at == end)
        });
        let same_head = || {
            let hash = self.hash_of_head(position.head_bytes);
            hash.is_none_or(|hash| hash == position.head_hash)
        };
        position.offset > 0 && same_ends && same_head()
    }

    fn hash_of_head(&self, bytes: u64) -> Option<u64> {
        let (known, hash) = self.head_hash.get();
        if known == bytes && bytes > 0 {
            return Some(hash);
        }
        let hash = stored_hash(self.head.get(..usize::try_from(bytes).ok()?)?);
        self.head_hash.set((bytes, hash));
        Some(hash)
    }

    fn is_within_first_unit(&self, offset: u64) -> bool {
        offset <= self.head.len() as u64 && self.ends.first().is_none_or(|&end| end > offset)
    }

    /// Reads what the marks of all `logs` cover, forwards, once.
    pub(super) fn read_marks<'p>(
        &mut self,
        content: &mut Content,
        logs: impl Iterator<Item = &'p LogPosition>,
    ) -> io::Result<()> {
        let mut end = 0;
        for position in logs {
            end = end.max(position.offset);
            for mark in &position.marks {
                self.hashes.insert(mark.at, None);
            }
        }
        for (&at, hash) in &mut self.hashes {
            if content.compressed() || at <= self.len {
                *hash = hash_before(content, at)?;
                content.release(at);
            }
        }
        if content.compressed() {
            let mut beyond = Vec::new();
            let bytes = usize::try_from(COMPARED_BYTES).unwrap_or(0);
            let last =
                self.hashes.iter().filter(|(_, hash)| hash.is_some()).map(|(&at, _)| at).max();
            let from = last.unwrap_or(0);
            loop {
                beyond.clear();
                let read = content.read_at(self.len.max(from), bytes, &mut beyond)? as u64;
                self.len = self.len.max(from).saturating_add(read);
                content.release(self.len);
                if read == 0 || self.len > end {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Returns how the file relates to a log whose marks were read.
    pub(super) fn relation(&self, position: &LogPosition) -> Relation {
        if !self.may_begin_like(position) {
            return Relation::Distinct;
        }
        let mut known_to = 0;
        for mark in position.marks.iter().filter(|mark| mark.at <= self.len) {
            if self.hashes.get(&mark.at).copied().flatten() != Some(mark.hash) {
                return Relation::Distinct;
            }
            known_to = mark.at;
        }
        match self.len.cmp(&position.offset) {
            // Half a record that was given up is how every log begins: it identifies none.
            std::cmp::Ordering::Greater if self.is_within_first_unit(position.offset) => {
                return Relation::Distinct;
            }
            std::cmp::Ordering::Greater => return Relation::Continues,
            std::cmp::Ordering::Equal => return Relation::Same,
            std::cmp::Ordering::Less => {}
        }
        let told_by_units = self.ends.last().is_some_and(|&end| known_to >= end);
        if self.len >= position.head_bytes || told_by_units {
            Relation::Prefix
        } else {
            Relation::Unclear
        }
    }
}

/// Returns whether `copy` (of length `copy_len`) and `original` (of length `original_len`) agree
/// where the shorter one ends.
pub(super) fn agree_at_end(
    copy: &mut Content,
    copy_len: u64,
    original: &mut Content,
    original_len: u64,
) -> io::Result<bool> {
    let to = copy_len.min(original_len);
    let from = to.saturating_sub(COMPARED_BYTES);
    let there = original.range(from, to)?;
    Ok(there.is_some() && copy.range(from, to)? == there)
}
