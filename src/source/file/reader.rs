//! Finds the next whole lines and frames behind a place of a file.
//!
//! Thousands of files can't each keep a buffer: what is not whole yet is found again in the file
//! when there is more of it. It must never move a position.

use std::io;

use super::content::Content;
use super::lines::{Raw, without_padding};
use crate::decode::frame::{Rule, cut};

/// Bytes scanned at a time where a line is only measured.
const SCAN_BYTES: usize = 64 << 10;

/// What was found.
pub(super) enum Piece {
    /// Whole units, the last of which ends at `to`.
    Units { raw: Raw, to: u64 },
    /// A line that is longer than the limit, with its line feed.
    TooLong { to: u64 },
    /// Nothing is whole up to here.
    None { scanned_to: u64 },
}

pub(super) struct Reader<'c> {
    pub(super) content: &'c mut Content,
    /// Where the next unit begins.
    pub(super) from: u64,
    /// Where the content ends for now.
    pub(super) limit: u64,
    pub(super) line_bytes_max: usize,
}

impl Reader<'_> {
    /// Returns the next units, of which there are none before `scanned_to`; at most about `bytes` of
    /// them.
    pub(super) fn next(&mut self, scanned_to: u64, bytes: usize) -> io::Result<Piece> {
        let mut wanted = bytes;
        if scanned_to > self.from {
            // Without another line feed nothing becomes whole.
            match self.find_line_end(scanned_to, scanned_to)? {
                Err(scanned_to) => return Ok(Piece::None { scanned_to }),
                Ok(to) => {
                    let length = usize::try_from(to.saturating_sub(self.from));
                    let most = self.line_bytes_max.saturating_add(bytes);
                    wanted = wanted.max(length.unwrap_or(most).min(most));
                }
            }
        }
        let mid_line = self.is_mid_line()?;
        let mut start = self.from;
        let mut raw = Vec::new();
        loop {
            raw.clear();
            self.content.read_at(start, self.clip(start, wanted), &mut raw)?;
            let rule = Rule { line_bytes_max: self.line_bytes_max, mid_line, is_finished: false };
            let cut = cut(&raw, rule);
            if cut.whole > 0 {
                raw.truncate(cut.whole);
                let to = start.saturating_add(cut.whole as u64);
                let raw = Raw { bytes: raw, frames: cut.frames, has_nul: cut.has_nul };
                return Ok(Piece::Units { raw, to });
            }
            let text = raw.iter().rposition(|&byte| byte != 0).map_or(0, |at| at.saturating_add(1));
            let text_to = if text == 0 { self.from } else { start.saturating_add(text as u64) };
            if cut.is_too_long {
                let searched = start.saturating_add(raw.len() as u64);
                return Ok(match self.find_line_end(searched, text_to)? {
                    Ok(to) => Piece::TooLong { to },
                    Err(scanned_to) => Piece::None { scanned_to },
                });
            }
            if raw.len() < wanted {
                return Ok(Piece::None { scanned_to: text_to.max(scanned_to) });
            }
            let padding = raw.len().saturating_sub(without_padding(&raw).len());
            start = start.saturating_add(padding as u64);
            wanted = raw.len().saturating_sub(padding).saturating_mul(2).max(bytes);
        }
    }

    /// Returns all units up to the limit, which is the end of a finished file, or as many as there
    /// are in what is held at once. `None` if the content is shorter by now.
    pub(super) fn rest(&mut self) -> io::Result<Option<Piece>> {
        let mid_line = self.is_mid_line()?;
        let most = self.line_bytes_max.saturating_add(SCAN_BYTES);
        let length = self.clip(self.from, most);
        let to = self.from.saturating_add(length as u64);
        let Some(mut bytes) = self.content.range(self.from, to)? else { return Ok(None) };
        let is_finished = to == self.limit;
        let rule = Rule { line_bytes_max: self.line_bytes_max, mid_line, is_finished };
        let cut = cut(&bytes, rule);
        if cut.whole == 0 {
            return Ok(Some(Piece::TooLong { to: self.limit }));
        }
        bytes.truncate(cut.whole);
        let to = self.from.saturating_add(cut.whole as u64);
        let raw = Raw { bytes, frames: cut.frames, has_nul: cut.has_nul };
        Ok(Some(Piece::Units { raw, to }))
    }

    /// Whether the next unit begins in the middle of a line.
    fn is_mid_line(&mut self) -> io::Result<bool> {
        let Some(before) = self.from.checked_sub(1) else { return Ok(false) };
        let byte = self.content.range(before, self.from)?;
        Ok(byte.is_some_and(|byte| byte != b"\n"))
    }

    fn clip(&self, at: u64, bytes: usize) -> usize {
        usize::try_from(self.limit.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes)
    }

    /// Returns where the line ends, or how far there is none. A file may be filled with NULs in
    /// advance, so NULs at its end do not count as looked at.
    fn find_line_end(&mut self, from: u64, text_to: u64) -> io::Result<Result<u64, u64>> {
        let mut at = from;
        let mut scanned_to = text_to;
        let mut piece = Vec::new();
        loop {
            piece.clear();
            let bytes = self.clip(at, SCAN_BYTES);
            let read = self.content.read_at(at, bytes, &mut piece)?;
            if read == 0 {
                return Ok(Err(scanned_to));
            }
            if let Some(end) = memchr::memchr(b'\n', &piece) {
                return Ok(Ok(at.saturating_add(end as u64).saturating_add(1)));
            }
            if let Some(last) = piece.iter().rposition(|&byte| byte != 0) {
                scanned_to = at.saturating_add(last as u64).saturating_add(1);
            }
            at = at.saturating_add(read as u64);
            if at.saturating_sub(self.from) > self.line_bytes_max as u64 {
                self.content.release(at);
            }
        }
    }
}
