//! The fast walk: checks a line as JSON while it steps over it, and reports the wanted places.
//!
//! Logs repeat themselves, so the walk guesses: for each object it remembers which key came after
//! which, spelled with its comma, colon and white space, and compares that text first. A guess that
//! fails costs one compare; the key is then read and looked up in full, and remembered. What is
//! remembered changes the speed and never the result. Lines of a shape that came before are walked
//! over by a script, which is faster still. Only keys of objects in which something is
//! wanted are remembered, up to [`SPELLING_MAX`] bytes each, and nothing can read them back.

use wide::u8x32;

use super::quoted;
use super::scan::{self, Nesting};
use super::script::{Script, Then};
use super::text;
use super::trie::{NodeId, Slot, Step, Trie, hash};
use super::{Root, Sink};

/// The longest spelling remembered, separators included. The longest of the wanted keys is
/// `cache_creation_input_tokens` with 27 bytes.
const SPELLING_MAX: usize = 48;
/// Spellings of a first key remembered for one object.
const FIRSTS: usize = 4;
/// Spellings of a further key, or of the end, remembered for one object.
const LATERS: usize = 32;
/// Places that a spelling is looked for, lest two that follow each other fight for one.
const PROBES: usize = 6;
/// Places of one object in the table: where it begins, then first keys, then later ones. The two
/// kinds never share a place: a first key has no comma before it, and a later one must have it.
const PLACES: usize = 1 + FIRSTS + LATERS;

/// What a remembered spelling leads to.
#[derive(Clone, Copy)]
enum Found {
    /// The end of the object.
    End,
    /// The value of a key.
    Value(Step),
    /// Nothing: the place is empty, and its spelling can't stand in JSON.
    Nothing,
}

/// One remembered spelling. As large as a line of the processor's cache.
#[derive(Clone, Copy)]
struct Guess {
    spelling: [u8; SPELLING_MAX],
    length: u32,
    /// One bit for each byte of the spelling, as far as it stands in one block.
    mask: u32,
    /// Place of the guess that followed last time, counted in the whole table.
    next: u32,
    found: Found,
}

impl Guess {
    /// Matches no JSON: 0xff can't stand where a key is due. If it does, the line is invalid.
    const EMPTY: Self =
        Self { spelling: [0xff; SPELLING_MAX], length: 1, mask: 1, next: 0, found: Found::Nothing };

    /// Tells whether a spelling can be written here without losing another one.
    fn is_free_for(&self, text: &[u8]) -> bool {
        matches!(self.found, Found::Nothing) || self.text() == Some(text)
    }

    fn text(&self) -> Option<&[u8]> {
        self.spelling.get(..self.length as usize)
    }

    /// Writes another spelling here, unless it is too long to be remembered.
    fn set(&mut self, text: &[u8], found: Found) {
        if let (Ok(length), Some(spelling)) =
            (u32::try_from(text.len()), self.spelling.get_mut(..text.len()))
        {
            spelling.copy_from_slice(text);
            self.length = length;
            self.mask = !u32::MAX.checked_shl(length).unwrap_or(0);
            self.found = found;
        }
    }

    /// Tells whether the line continues with this spelling at `at`.
    #[inline]
    fn matches(&self, line: &[u8], at: usize) -> bool {
        if let (Some(text), Some(&spelling)) =
            (quoted::block(line, at), self.spelling.first_chunk::<{ quoted::BLOCK }>())
        {
            let same = text.simd_eq(u8x32::new(spelling)).to_bitmask();
            if same & self.mask != self.mask {
                return false;
            }
            if self.length as usize <= quoted::BLOCK {
                return true;
            }
        }
        // A long spelling, or the end of the line is near.
        line.get(at..at + self.length as usize) == self.text()
    }
}

/// The fast walk with what it remembers.
pub(in crate::decode) struct Walker {
    script: Script,
    memory: Memory,
}

/// What the walk in full remembers.
struct Memory {
    guesses: Vec<Guess>,
    nesting: Nesting,
}

impl Walker {
    /// Returns a walker that has seen nothing yet.
    pub(in crate::decode) fn new(trie: &Trie) -> Self {
        let mut guesses = vec![Guess::EMPTY; trie.len() * PLACES];
        // Until it is known better, the next guess of every place is an empty one of its own kind.
        for (node, places) in guesses.chunks_mut(PLACES).enumerate() {
            for (place, guess) in places.iter_mut().enumerate() {
                let empty = node * PLACES + if place == 0 { 1 } else { 1 + FIRSTS };
                guess.next = index(empty);
            }
        }
        Self { script: Script::new(), memory: Memory { guesses, nesting: Nesting::default() } }
    }

    /// Walks over `line` and reports the places that `trie` wants to `sink`, which is empty. The trie must
    /// be the one that the walker was made for. After [`Root::Invalid`] some places may be reported
    /// already.
    pub(in crate::decode) fn walk(
        &mut self,
        trie: &Trie,
        line: &[u8],
        sink: &mut impl Sink,
    ) -> Root {
        if self.walk_known(trie, line, sink).is_some() {
            self.script.hit();
            return Root::Object;
        }
        // Some places may be reported already, up to where the shape was known.
        sink.forget();
        match self.walk_first(trie, line, sink) {
            Some((root, end)) if scan::space(line, end) == line.len() => {
                if root == Root::Object {
                    self.script.learn(trie, line);
                }
                root
            }
            _ => Root::Invalid,
        }
    }

    /// Walks over an object of a shape that is known.
    #[inline]
    fn walk_known(&mut self, trie: &Trie, line: &[u8], sink: &mut impl Sink) -> Option<()> {
        let mut place = self.script.begin()?;
        let Self { script, memory } = self;
        loop {
            let then = script.next(line, &mut place)?;
            let from = place.at;
            match then {
                Then::Skip => place.at = scan::value(line, from, &mut memory.nesting)?,
                Then::Take(slot) => {
                    place.at = scan::value(line, from, &mut memory.nesting)?;
                    sink.take(slot, line, from..place.at);
                }
                Then::Walk(node) => {
                    place.at = Walk { line, trie, memory, sink }.value(node, from)?;
                }
                Then::End => return (scan::space(line, from) == line.len()).then_some(()),
                Then::Text => {}
            }
        }
    }

    /// Walks over the first value of `text`, whatever follows it, and returns what it is and where it
    /// ends. Some places may be reported already if that is `None`.
    pub(in crate::decode) fn walk_first(
        &mut self,
        trie: &Trie,
        text: &[u8],
        sink: &mut impl Sink,
    ) -> Option<(Root, usize)> {
        let mut walk = Walk { line: text, trie, memory: &mut self.memory, sink };
        let start = scan::space(text, 0);
        let end = walk.value(Trie::ROOT, start)?;
        let root = if scan::byte(text, start)? == b'{' { Root::Object } else { Root::Other };
        // A guess steps over the white space behind an object.
        let length = text.get(..end)?.trim_ascii_end().len();
        Some((root, length))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "65536 nodes have fewer places than 2^32")]
fn index(place: usize) -> u32 {
    place as u32
}

/// A key or the end of an object, as found in the line.
struct Member {
    found: Found,
    /// Where the value starts, or the place after the object.
    at: usize,
    /// Where its guess stands now.
    guess: usize,
}

struct Walk<'w, S> {
    line: &'w [u8],
    trie: &'w Trie,
    memory: &'w mut Memory,
    sink: &'w mut S,
}

impl<S: Sink> Walk<'_, S> {
    /// Steps over the value at `at`, in which something is wanted.
    ///
    /// Recurses, but no deeper than the trie.
    fn value(&mut self, node: NodeId, at: usize) -> Option<usize> {
        let end = match (scan::byte(self.line, at)?, self.trie.element(node)) {
            (b'{', _) if self.trie.has_keys(node) => self.object(node, at + 1)?,
            (b'[', Some(element)) => self.array(element, at + 1)?,
            _ => scan::value(self.line, at, &mut self.memory.nesting)?,
        };
        if let Some(slot) = self.trie.slot(node) {
            // A guess steps over the white space behind an object, which is no part of it.
            let value = self.line.get(at..end)?.trim_ascii_end();
            self.sink.take(slot, self.line, at..at + value.len());
        }
        Some(end)
    }

    fn array(&mut self, element: NodeId, at: usize) -> Option<usize> {
        let mut at = scan::space(self.line, at);
        if scan::byte(self.line, at)? == b']' {
            return Some(at + 1);
        }
        loop {
            at = scan::space(self.line, self.value(element, at)?);
            match scan::byte(self.line, at)? {
                b',' => at = scan::space(self.line, at + 1),
                b']' => return Some(at + 1),
                _ => return None,
            }
        }
    }

    /// Steps over the rest of an object, from after its opening brace.
    fn object(&mut self, node: NodeId, mut at: usize) -> Option<usize> {
        let first = node.index() * PLACES;
        let mut last = first;
        let mut next = self.memory.guesses.get(first)?.next as usize;
        loop {
            // Needs no guess, as an object nearly always ends without white space.
            if scan::byte(self.line, at)? == b'}' {
                return Some(at + 1);
            }
            let guess = self.memory.guesses.get(next)?;
            let found = if guess.matches(self.line, at) {
                // The spelling may have been remembered with less white space before the value.
                at = scan::space(self.line, at + guess.length as usize);
                last = next;
                next = guess.next as usize;
                guess.found
            } else {
                let member = self.member(node, last == first, at)?;
                self.memory.guesses.get_mut(last)?.next = index(member.guess);
                at = member.at;
                last = member.guess;
                next = self.memory.guesses.get(last)?.next as usize;
                member.found
            };
            at = match found {
                Found::Value(Step::Skip) => scan::value(self.line, at, &mut self.memory.nesting)?,
                Found::Value(Step::Take(slot)) => self.leaf(slot, at)?,
                Found::Value(Step::Walk(inner)) => self.value(inner, at)?,
                Found::End => return Some(at),
                Found::Nothing => return None,
            };
        }
    }

    #[inline]
    fn leaf(&mut self, slot: Slot, at: usize) -> Option<usize> {
        let end = scan::value(self.line, at, &mut self.memory.nesting)?;
        self.sink.take(slot, self.line, at..end);
        Some(end)
    }

    /// Reads what follows at `start` in full: a key up to its value, or the end of the object.
    fn member(&mut self, node: NodeId, is_first: bool, start: usize) -> Option<Member> {
        let line = self.line;
        let mut at = scan::space(line, start);
        let (found, end, hash) = if scan::byte(line, at)? == b'}' {
            (Found::End, at + 1, 0)
        } else {
            if !is_first {
                if scan::byte(line, at)? != b',' {
                    return None;
                }
                at = scan::space(line, at + 1);
            }
            if scan::byte(line, at)? != b'"' {
                return None;
            }
            let close = quoted::string(line, at + 1)?;
            let quoted = line.get(at + 1..close - 1)?;
            let (step, hash) = self.step(node, quoted);
            (Found::Value(step), scan::colon(line, close)?, hash)
        };
        let guess = self.remember(node, is_first, hash, line.get(start..end)?, found);
        Some(Member { found, at: end, guess })
    }

    fn step(&self, node: NodeId, quoted: &[u8]) -> (Step, u64) {
        if quoted.contains(&b'\\') || !quoted.is_ascii() {
            let key = text::unquoted(quoted);
            let hash = hash(key.as_bytes());
            return (self.trie.step(node, key.as_bytes(), hash), hash);
        }
        let hash = hash(quoted);
        (self.trie.step(node, quoted, hash), hash)
    }

    /// Writes a spelling to its place, which its key's hash determines, and returns the place.
    fn remember(
        &mut self,
        node: NodeId,
        is_first: bool,
        hash: u64,
        text: &[u8],
        found: Found,
    ) -> usize {
        let (start, count) = if is_first { (1, FIRSTS) } else { (1 + FIRSTS, LATERS) };
        // The upper bits of the hash, since its lower ones choose the place in the table of keys.
        let home = (hash >> 40) as usize;
        let places = (home..home + PROBES).map(|at| node.index() * PLACES + start + at % count);
        let fits = |place: &usize| {
            self.memory.guesses.get(*place).is_some_and(|guess| guess.is_free_for(text))
        };
        let place = places.clone().find(fits).or_else(|| places.clone().next()).unwrap_or(0);
        if let Some(guess) = self.memory.guesses.get_mut(place) {
            guess.set(text, found);
        }
        place
    }
}
