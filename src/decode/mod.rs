//! Bytes of a line in, [`Invocation`] or [`Reject`] out.
//!
//! What lives here: the table of the places that are read (`paths`), the walks to them (`json`), and
//! one file per log that says what they mean (`bedrock`, `application`). It may use `model` only. It
//! must never keep, copy or report body text: bodies are stepped over, and only the named paths are
//! picked out of them, found by their place in the JSON and not by their spelling.

#[cfg(test)]
mod agreement;
mod application;
#[cfg(test)]
mod application_spellings;
mod bedrock;
mod draft;
mod invocation;
mod json;
#[cfg(test)]
mod meaning;
mod paths;
mod scalar;
mod slots;
mod usage;

pub use crate::model::names::Approximations;
pub use crate::model::names::Reject;
pub use invocation::Invocation;

use draft::Draft;
use json::{Root, Slot, Trie, Walker};
use scalar::Clock;
use slots::Slots;

/// Turns lines into invocations. Make one for each thread and keep it: it learns the shape of the
/// lines, which changes its speed and nothing else.
pub struct Decoder {
    trie: Trie,
    walker: Walker,
    slots: Slots,
    attributes: Vec<Slot>,
    clock: Clock,
}

impl Decoder {
    /// Returns a decoder that picks the values of these keys of `requestMetadata` as attributes.
    pub fn new(attributes: &[String]) -> Self {
        let trie = paths::trie(attributes);
        let slots_of = |key: &String| paths::attribute_slot(attributes, key);
        Self {
            walker: Walker::new(&trie),
            slots: Slots::new(attributes.len()),
            attributes: attributes.iter().filter_map(slots_of).collect(),
            clock: Clock::default(),
            trie,
        }
    }

    /// Decodes one line, with or without its line end and a byte order mark. A [blank](is_blank)
    /// line is [`Reject::InvalidJson`].
    pub fn decode<'l>(&mut self, line: &'l [u8]) -> Result<Invocation<'l>, Reject> {
        let line = bare(line)?;
        self.slots.clear();
        let root = self.walker.walk(&self.trie, line, &mut self.slots);
        self.finish(root, line)
    }

    /// Decodes one line to the same result without anything clever: `serde_json` reads it. For
    /// cross-checks; many times slower than [`decode`](Self::decode).
    pub fn decode_plain<'l>(&mut self, line: &'l [u8]) -> Result<Invocation<'l>, Reject> {
        let line = bare(line)?;
        self.slots.clear();
        match String::from_utf8_lossy(line) {
            std::borrow::Cow::Borrowed(text) => {
                let root = json::plain::walk(&self.trie, text, &mut self.slots);
                self.finish(root, line)
            }
            std::borrow::Cow::Owned(text) => {
                let root = json::plain::walk(&self.trie, &text, &mut self.slots);
                self.finish(root, text.as_bytes()).map(Invocation::into_owned)
            }
        }
    }

    fn finish<'l>(&mut self, root: Root, line: &'l [u8]) -> Result<Invocation<'l>, Reject> {
        match root {
            Root::Object => {
                let (slots, attributes) = (&self.slots, self.attributes.as_slice());
                Draft { line, head: draft::head(line), slots, attributes, clock: &mut self.clock }
                    .finish()
            }
            Root::Other => Err(Reject::NotAnObject),
            Root::Invalid => Err(Reject::InvalidJson),
        }
    }
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
