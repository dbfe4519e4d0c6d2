//! Bytes of a line in, [`Invocation`], [`SignalRecord`] or [`Reject`] out.
//!
//! What lives here: the table of the places that are read (`paths`), the walks to them (`json`), what
//! records come wrapped in (`wrapping`, `prefix`), which lines belong together (`frame`), and one file
//! per log that says what they mean (`bedrock`, `application`, `batch`, `signal`). It may use `model`
//! only. It must never keep, copy or report body text: bodies are stepped over, and only the named paths
//! are picked out of them, found by their place in the JSON and not by their spelling.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod any_wrapping;
mod application;
#[cfg(test)]
mod application_spellings;
mod batch;
mod bedrock;
mod draft;
mod format;
pub mod frame;
mod invocation;
mod json;
#[cfg(test)]
mod meaning;
mod parallel;
mod paths;
mod prefix;
mod scalar;
mod shape;
mod signal;
mod slots;
mod usage;
mod wrapping;
#[cfg(test)]
mod wrapped;

pub use crate::model::names::Approximations;
pub use crate::model::names::Reject;
pub use invocation::Invocation;
pub use shape::{Refused, Shape};
pub use signal::{Measurement, SignalRecord};
pub use wrapping::Item;

use std::borrow::Cow;

use crate::model::log_format::LogFormat;
use draft::Draft;
use json::{Elements, Root, Slot, Trie, Walker};
use paths::Field;
use scalar::Clock;
use slots::Slots;

/// Turns lines into invocations. Make one for each thread and keep it: it learns the shape of the
/// lines, which changes its speed and nothing else.
pub struct Decoder {
    trie: Trie,
    walker: Walker,
    slots: Slots,
    attributes: Vec<Slot>,
    formats: Vec<format::Plan>,
    clock: Clock,
    /// Whether `serde_json` walks, and not the fast walk.
    plain: bool,
    /// Memory for what comes out of wrappings.
    spare: Vec<Vec<u8>>,
}

impl Decoder {
    /// Returns a decoder that picks the values of these keys of `requestMetadata` as attributes.
    pub fn new(attributes: &[String]) -> Self {
        Self::with_formats(attributes, &[])
    }

    /// Returns a decoder that also reads logs that are described.
    pub fn with_formats(attributes: &[String], formats: &[LogFormat]) -> Self {
        let (trie, plans) = places(attributes, formats);
        let slots_of = |key: &String| paths::attribute_slot(attributes, key);
        Self {
            walker: Walker::new(&trie),
            slots: Slots::new(attributes.len(), plans.also),
            formats: plans.plans,
            attributes: attributes.iter().filter_map(slots_of).collect(),
            clock: Clock::default(),
            plain: false,
            spare: Vec::new(),
            trie,
        }
    }

    /// Returns a decoder to the same results without anything clever: `serde_json` reads the lines.
    /// For cross-checks; many times slower.
    pub fn plain(attributes: &[String]) -> Self {
        Self::new(attributes).made_plain()
    }

    /// Returns the same decoder without anything clever.
    #[must_use]
    pub fn made_plain(self) -> Self {
        Self { plain: true, ..self }
    }

    /// Shows every record of one line to `visit`, and whatever else was found in it, in the order of
    /// the line. A [blank](is_blank) line holds nothing.
    pub fn each(&mut self, line: &[u8], visit: &mut impl FnMut(Item<'_>)) {
        let text;
        let line = match bare(line) {
            Ok(line) if self.plain => {
                text = String::from_utf8_lossy(line);
                text.as_bytes()
            }
            Ok(line) => line,
            Err(reject) => return visit(Item::Rejected { reject, part: Refused(line) }),
        };
        // Nearly every line is one record.
        if self.walk(line) == Root::Object {
            match self.draft(line).finish() {
                Ok(invocation) => return visit(Item::Record { invocation, event_id: None }),
                Err(Reject::UnknownKind) => return wrapping::unwrap_object(self, line, visit),
                Err(Reject::BadTokenCount) => return wrapping::unwrap_calls(self, line, visit),
                Err(reject) => return visit(Item::Rejected { reject, part: Refused(line) }),
            }
        }
        wrapping::unwrap(self, line, visit);
    }

    /// Decodes a line that is one record without a wrapping, with or without its line end and a byte
    /// order mark. A [blank](is_blank) line is [`Reject::InvalidJson`].
    pub fn decode<'l>(&mut self, line: &'l [u8]) -> Result<Invocation<'l>, Reject> {
        let line = bare(line)?;
        if !self.plain {
            return self.decode_bare(line);
        }
        match String::from_utf8_lossy(line) {
            Cow::Borrowed(text) => self.decode_bare(text.as_bytes()),
            Cow::Owned(text) => self.decode_bare(text.as_bytes()).map(Invocation::into_owned),
        }
    }

    fn decode_bare<'l>(&mut self, line: &'l [u8]) -> Result<Invocation<'l>, Reject> {
        match self.walk(line) {
            Root::Object => self.draft(line).finish(),
            Root::Other => Err(Reject::NotAnObject),
            Root::Invalid => Err(Reject::InvalidJson),
        }
    }

    /// Walks over `line`; what was found is in the slots until the next walk.
    #[inline]
    fn walk(&mut self, line: &[u8]) -> Root {
        self.slots.clear();
        if self.plain {
            // The plain walk reads text. Parts of a line that was made text may be none.
            let text = std::str::from_utf8(line);
            return text.map_or(Root::Invalid, |text| {
                json::plain::walk(&self.trie, text, &mut self.slots)
            });
        }
        self.walker.walk(&self.trie, line, &mut self.slots)
    }

    /// Walks over the next element of an array that a walk has checked, and returns what it is; what
    /// was found is in the slots until the next walk.
    fn walk_next<'a>(&mut self, elements: &mut Elements<'a>) -> Option<(Root, &'a [u8])> {
        if self.plain {
            let element = elements.next()?;
            return Some((self.walk(element), element));
        }
        // One step over the element instead of two: where it ends shows while it is walked over.
        self.slots.clear();
        let rest = elements.rest();
        let (root, length) = self.walker.walk_first(&self.trie, rest, &mut self.slots)?;
        Some((root, elements.step(length)?))
    }

    /// Returns what the last walk, which was over `line`, found.
    #[inline]
    fn draft<'d, 'l>(&'d mut self, line: &'l [u8]) -> Draft<'d, 'l> {
        let (slots, attributes) = (&self.slots, self.attributes.as_slice());
        let formats = self.formats.as_slice();
        Draft { line, head: draft::head(line), slots, attributes, formats, clock: &mut self.clock }
    }

    /// Returns the JSON text at a place of the last walk, which was over `line`.
    fn raw<'l>(&self, line: &'l [u8], field: Field) -> Option<&'l [u8]> {
        self.slots.raw(line, field)
    }
}

/// Returns the tree of all places, and the plans of the described logs.
fn places(attributes: &[String], formats: &[LogFormat]) -> (Trie, format::Plans) {
    let mut builder = paths::builder(attributes);
    let own = paths::FIELDS + attributes.len();
    let plans = format::Plans::of(formats, own, &mut builder);
    (builder.build(), plans)
}

/// Shows nothing of what the decoder has learned.
impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoder({} attributes)", self.attributes.len())
    }
}

/// Tells whether a line holds nothing but white space and NULs (which a hole in a file reads as,
/// after a log was cut while its writer kept its place).
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0))
}

/// Returns the line without byte order mark and without the NULs of a hole in front of it. Refuses
/// lines whose places don't fit 32 bits.
fn bare(line: &[u8]) -> Result<&[u8], Reject> {
    if u32::try_from(line.len()).is_err() {
        return Err(Reject::Oversized);
    }
    let hole = line.iter().take_while(|&&byte| byte == 0).count();
    let line = line.get(hole..).unwrap_or(&[]);
    Ok(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line))
}
