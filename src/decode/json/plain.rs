//! The plain walk: `serde_json` finds every value, and this file only follows the paths. Slow (a
//! value is read once for each level of the paths that lead into it) and easy to believe: it is what
//! the fast walk is measured against, and what `--plain` runs on.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::text;
use super::trie::{NodeId, Step, Trie, hash};
use super::{Root, Sink};

/// Walks over `line` and reports the places that `trie` wants to `sink`.
///
/// Does what the fast walk does on the same line, with one exception: after [`Root::Invalid`] this
/// one has reported nothing.
pub(in crate::decode) fn walk(trie: &Trie, line: &str, sink: &mut impl Sink) -> Root {
    let Ok(root) = serde_json::from_str::<&RawValue>(line) else { return Root::Invalid };
    let mut walk = Walk { line, trie, sink };
    match walk.value(Trie::ROOT, root) {
        Ok(()) if root.get().starts_with('{') => Root::Object,
        Ok(()) => Root::Other,
        Err(_) => Root::Invalid,
    }
}

struct Walk<'w, S> {
    line: &'w str,
    trie: &'w Trie,
    sink: &'w mut S,
}

impl<S: Sink> Walk<'_, S> {
    fn value(&mut self, node: NodeId, raw: &RawValue) -> Result<(), serde_json::Error> {
        let text = raw.get();
        let mut inner = serde_json::Deserializer::from_str(text);
        if text.starts_with('{') && self.trie.has_keys(node) {
            inner.deserialize_map(Object { walk: self, node })?;
        } else if let (true, Some(element)) = (text.starts_with('['), self.trie.element(node)) {
            inner.deserialize_seq(Array { walk: self, element })?;
        }
        if let Some(slot) = self.trie.slot(node) {
            self.sink.take(slot, self.line.as_bytes(), self.place(raw));
        }
        Ok(())
    }

    /// Returns where a value stands in the line. It borrows from the line, so its address tells.
    fn place(&self, raw: &RawValue) -> Range<usize> {
        let start = raw.get().as_ptr().addr() - self.line.as_ptr().addr();
        start..start + raw.get().len()
    }
}

struct Object<'a, 'w, S> {
    walk: &'a mut Walk<'w, S>,
    node: NodeId,
}

impl<'de, S: Sink> Visitor<'de> for Object<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Keys are read raw too: as strings, `serde_json` would refuse halves of surrogate pairs,
        // which it accepts in what it ignores.
        while let Some((key, raw)) = map.next_entry::<&RawValue, &RawValue>()? {
            let key = text::string(key.get().as_bytes()).unwrap_or_default();
            match self.walk.trie.step(self.node, key.as_bytes(), hash(key.as_bytes())) {
                Step::Skip => {}
                Step::Take(slot) => {
                    let place = self.walk.place(raw);
                    self.walk.sink.take(slot, self.walk.line.as_bytes(), place);
                }
                Step::Walk(node) => {
                    self.walk.value(node, raw).map_err(serde::de::Error::custom)?;
                }
            }
        }
        Ok(())
    }
}

struct Array<'a, 'w, S> {
    walk: &'a mut Walk<'w, S>,
    element: NodeId,
}

impl<'de, S: Sink> Visitor<'de> for Array<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(raw) = elements.next_element::<&RawValue>()? {
            self.walk.value(self.element, raw).map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}
