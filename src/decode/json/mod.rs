//! JSON as bytes: which places of a line are wanted, and two ways to walk to them.
//!
//! [`Walker`] is the fast one, [`plain::walk`] the plain one on top of `serde_json`; they accept and
//! refuse the same lines and report the same places in the same order, which `decode/agreement.rs`
//! checks. Nothing here knows any log format, and nothing here may keep what a line says: a walk
//! reports byte ranges only, and [`Walker`] remembers no more than the spelling of object keys.

mod elements;
pub(super) mod plain;
mod quoted;
mod resume;
mod scan;
mod script;
mod text;
mod trie;
mod walk;

use std::ops::Range;

pub(super) use elements::{Elements, document_end, elements};
pub(super) use resume::{Resume, Step};
pub(super) use text::{string, unescape_in};
pub(super) use trie::{Edge, Slot, Trie, TrieBuilder};
pub(super) use walk::Walker;

/// Takes the places that a walk finds.
pub(super) trait Sink {
    /// Takes one value: the wanted place `slot`, and where its JSON text stands in `line`.
    ///
    /// Called in the order in which the values end, so those inside a container come before it; of
    /// a key that an object has twice, both values are reported.
    fn take(&mut self, slot: Slot, line: &[u8], value: Range<usize>);

    /// Forgets everything that was taken of this line: it is walked over again.
    fn forget(&mut self);
}

/// What a whole line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// A JSON object.
    Object,
    /// A JSON value that is no object.
    Other,
    /// Not one complete JSON value.
    Invalid,
}
