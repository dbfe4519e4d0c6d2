//! Records that take several lines, or of which several stand in a line that is too long: where a
//! text may be cut without cutting a record.
//!
//! Pure functions over the bytes of one log. A *unit* is what the decoder is given at once: a line,
//! or a *frame*, which is JSON over several lines, what containers cut into pieces (`pieces`), or
//! one of the documents of a line. The rules, which make the units of a log the same wherever
//! reading began and however much was read at a time:
//!
//! 1. A line that is whole by itself is a unit, whatever is in it.
//! 2. JSON that is open at the end of its line goes on in the next lines. It ends where it closes,
//!    also in the middle of a line; what stands behind it there is looked at like a line.
//! 3. JSON that turns out to be none, that does not close within the line limit, or that is still
//!    open at the end of a finished file, *falls apart*: its first line is a unit, and what follows is
//!    looked at anew. So text in between, or a record that was cut off, costs no record behind it.
//! 4. A line longer than the limit falls into the documents that it begins with.
//!
//! It must never change what it is given, nor keep it.

mod certain;
mod cut;
mod pieces;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use certain::certain_start;
pub use cut::{Cut, Rule, cut};
pub(super) use pieces::container_text;
pub use pieces::{Part, is_leftover, parts};

/// Bytes to decode at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Where they stand; a line is with its line feed.
    pub range: Range<usize>,
    /// Whether it is a frame.
    pub is_frame: bool,
}

/// Iterates over the units of `text`, in which `frames` are known and everything else is lines.
pub fn units<'t>(text: &'t [u8], frames: &'t [Range<usize>]) -> Units<'t> {
    let mut frames = frames.iter();
    Units { text, next: frames.next(), frames, at: 0 }
}

/// See [`units`].
#[derive(Clone, Debug)]
pub struct Units<'t> {
    text: &'t [u8],
    frames: std::slice::Iter<'t, Range<usize>>,
    next: Option<&'t Range<usize>>,
    at: usize,
}

impl Iterator for Units<'_> {
    type Item = Unit;

    #[inline]
    fn next(&mut self) -> Option<Unit> {
        let from = self.at;
        if let Some(frame) = self.next.filter(|frame| frame.start <= from) {
            self.next = self.frames.next();
            self.at = frame.end.max(from);
            return Some(Unit { range: from..self.at, is_frame: true });
        }
        let to = self.next.map_or(self.text.len(), |frame| frame.start.min(self.text.len()));
        let rest = self.text.get(from..to).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end.saturating_add(1));
        self.at = from.saturating_add(length);
        Some(Unit { range: from..self.at, is_frame: false })
    }
}
