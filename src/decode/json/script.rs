//! Whole lines known again: the text between the values of lines that were walked over before, as
//! a tree of steps.
//!
//! A log writes few shapes of lines. What stands between two values of one shape is always the same
//! text, across braces and levels; so a line is walked over by comparing that text and stepping over
//! a value, in turn. Every value is checked in full. Text that was JSON once is JSON again behind the
//! same text and whatever values, and leads to the same place of the trie; so the tree can only say
//! what the walk in full would say, or nothing.
//!
//! Only what stands between values is remembered: keys, marks and white space, and only of objects
//! in which something is wanted. It must never remember a value.

use std::ops::Range;

use wide::u8x32;

use super::quoted::{self, BLOCK};
use super::scan::{self, Nesting};
use super::text;
use super::trie::{NodeId, Slot, Step, Trie, hash};

/// Steps remembered; a log of more shapes is walked over in full.
const STEPS_MAX: usize = 1_024;
/// Texts that may follow the same text. More are keys that are never the same.
const BRANCHES_MAX: usize = 8;
/// What a line of an unknown shape costs, in lines of known shape: it was looked at in vain.
const MISS_COST: i32 = 4;
/// How far lines of unknown shape may outweigh the others until shapes are no longer looked for …
const CREDIT_MIN: i32 = -2_000;
/// … and the most credit that lines of known shape give.
const CREDIT_MAX: i32 = 2_000;
/// Lines for which shapes are not looked for then.
const REST_LINES: u32 = 16_384;

/// No step: the place behind every place.
const NONE: u32 = u32::MAX;

/// What follows the text of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// More text.
    Text,
    /// A value in which nothing is wanted.
    Skip,
    /// A value that is wanted.
    Take(Slot),
    /// A value in which something is wanted.
    Walk(NodeId),
    /// Nothing: the line ends.
    End,
}

/// Text, and what follows it.
#[derive(Clone, Copy)]
struct TextStep {
    text: [u8; BLOCK],
    /// One bit for each byte of the text.
    mask: u32,
    length: u32,
    /// The first step behind what follows.
    next: u32,
    /// The next step that may be taken instead.
    other: u32,
    then: Then,
}

/// The shapes of lines.
pub(super) struct Script {
    steps: Vec<TextStep>,
    credit: i32,
    rest: u32,
}

/// Where a line stands that is walked over by a script.
pub(super) struct Place {
    step: u32,
    pub(super) at: usize,
}

impl TextStep {
    fn of(text: &[u8], then: Then) -> Option<Self> {
        let mut padded = [0; BLOCK];
        padded.get_mut(..text.len())?.copy_from_slice(text);
        let length = u32::try_from(text.len()).ok()?;
        let mask = !u32::MAX.checked_shl(length).unwrap_or(0);
        Some(Self { text: padded, mask, length, next: NONE, other: NONE, then })
    }

    fn text(&self) -> &[u8] {
        self.text.get(..self.length as usize).unwrap_or(&[])
    }

    #[inline]
    fn matches(&self, line: &[u8], at: usize) -> bool {
        match quoted::block(line, at) {
            Some(text) => {
                let same = text.simd_eq(u8x32::new(self.text)).to_bitmask();
                same & self.mask == self.mask
            }
            // The end of the line is near.
            None => line.get(at..).is_some_and(|rest| rest.starts_with(self.text())),
        }
    }
}

impl Script {
    /// Returns a script that knows no shape.
    pub(super) fn new() -> Self {
        Self { steps: Vec::new(), credit: 0, rest: 0 }
    }

    /// Returns where to begin with a line, unless it is not worth it.
    #[inline]
    pub(super) fn begin(&mut self) -> Option<Place> {
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        Some(Place { step: 0, at: 0 })
    }

    /// Goes over the next text of `line` and returns what follows it at `place`; `None` if the shape is
    /// not known.
    #[inline]
    pub(super) fn next(&self, line: &[u8], place: &mut Place) -> Option<Then> {
        loop {
            let mut step = self.steps.get(place.step as usize)?;
            while !step.matches(line, place.at) {
                step = self.steps.get(step.other as usize)?;
            }
            place.at += step.length as usize;
            place.step = step.next;
            if step.then != Then::Text {
                return Some(step.then);
            }
        }
    }

    /// Notes that a line was of a known shape.
    #[inline]
    pub(super) fn hit(&mut self) {
        self.credit = (self.credit + 1).min(CREDIT_MAX);
    }

    /// Learns the shape of a line that was of none and that is an object.
    #[cold]
    pub(super) fn learn(&mut self, trie: &Trie, line: &[u8]) {
        if self.rest > 0 {
            return;
        }
        self.credit -= MISS_COST;
        if self.credit < CREDIT_MIN {
            *self = Self { rest: REST_LINES, ..Self::new() };
            return;
        }
        let mut shape =
            Shape { line, trie, from: 0, nesting: Nesting::default(), texts: Vec::new() };
        if shape.line().is_some() {
            self.add(line, &shape.texts);
        }
    }

    /// Adds a shape as far as there is room.
    fn add(&mut self, line: &[u8], texts: &[(Range<usize>, Then)]) {
        // The step before, and whether the next one is to be looked for.
        let (mut before, mut at) = (None, 0);
        for (range, then) in texts {
            let text = line.get(range.clone()).unwrap_or(&[]);
            let mut pieces = text.chunks(BLOCK).peekable();
            while let Some(piece) = pieces.next() {
                let then = if pieces.peek().is_some() { Then::Text } else { *then };
                let Some(step) = self.find_or_add(before, at, piece, then) else { return };
                before = Some(step);
                at = self.steps.get(step as usize).map_or(NONE, |step| step.next);
            }
        }
    }

    /// Returns the step with this text among those from `first` on, which follow `before`; adds it if
    /// there is none.
    fn find_or_add(
        &mut self,
        before: Option<u32>,
        first: u32,
        text: &[u8],
        then: Then,
    ) -> Option<u32> {
        let (mut at, mut last, mut branches) = (first, None, 0);
        while let Some(step) = self.steps.get(at as usize) {
            if step.text() == text && step.then == then {
                return Some(at);
            }
            (last, at) = (Some(at), step.other);
            branches += 1;
        }
        let new = u32::try_from(self.steps.len()).ok()?;
        if branches >= BRANCHES_MAX || self.steps.len() >= STEPS_MAX {
            return None;
        }
        self.steps.push(TextStep::of(text, then)?);
        match (last, before) {
            (Some(last), _) => self.steps.get_mut(last as usize)?.other = new,
            (None, Some(before)) => self.steps.get_mut(before as usize)?.next = new,
            (None, None) => {}
        }
        Some(new)
    }
}

/// The shape of one line, as it is learned.
struct Shape<'s> {
    line: &'s [u8],
    trie: &'s Trie,
    /// Where the text begins that is not in `texts` yet.
    from: usize,
    nesting: Nesting,
    texts: Vec<(Range<usize>, Then)>,
}

impl Shape<'_> {
    fn line(&mut self) -> Option<()> {
        let at = scan::space(self.line, 0);
        if scan::byte(self.line, at)? != b'{' || self.trie.slot(Trie::ROOT).is_some() {
            return None;
        }
        let end = self.object(Trie::ROOT, at + 1)?;
        self.texts.push((self.from..end, Then::End));
        Some(())
    }

    /// Goes over the rest of an object, from after its opening brace, and returns where it ends.
    fn object(&mut self, node: NodeId, at: usize) -> Option<usize> {
        let mut at = scan::space(self.line, at);
        if scan::byte(self.line, at)? == b'}' {
            return Some(at + 1);
        }
        loop {
            if scan::byte(self.line, at)? != b'"' {
                return None;
            }
            let close = quoted::string(self.line, at + 1)?;
            let key = text::unquoted(self.line.get(at + 1..close - 1)?);
            let step = self.trie.step(node, key.as_bytes(), hash(key.as_bytes()));
            let value = scan::colon(self.line, close)?;
            let end = match step {
                Step::Walk(inner) if self.is_plain_object(inner, value) => {
                    self.object(inner, value + 1)?
                }
                Step::Walk(inner) => self.value(value, Then::Walk(inner))?,
                Step::Take(slot) => self.value(value, Then::Take(slot))?,
                Step::Skip => self.value(value, Then::Skip)?,
            };
            at = scan::space(self.line, end);
            match scan::byte(self.line, at)? {
                b'}' => return Some(at + 1),
                b',' => at = scan::space(self.line, at + 1),
                _ => return None,
            }
        }
    }

    /// Tells whether the value at `at` is an object of which only values inside are wanted.
    fn is_plain_object(&self, node: NodeId, at: usize) -> bool {
        scan::byte(self.line, at) == Some(b'{')
            && self.trie.has_keys(node)
            && self.trie.slot(node).is_none()
    }

    fn value(&mut self, at: usize, then: Then) -> Option<usize> {
        let end = scan::value(self.line, at, &mut self.nesting)?;
        self.texts.push((self.from..at, then));
        self.from = end;
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::trie::TrieBuilder;
    use super::*;

    fn trie() -> Trie {
        let mut builder = TrieBuilder::default();
        builder.add("model", 1);
        builder.add("usage.in", 2);
        builder.add("list[].x", 3);
        builder.build()
    }

    /// What the values of `line` are and where each begins, as far as its shape is known.
    fn walked(script: &Script, line: &str) -> Vec<(Then, usize)> {
        let (mut place, mut found) = (Place { step: 0, at: 0 }, Vec::new());
        while let Some(then) = script.next(line.as_bytes(), &mut place) {
            found.push((then, place.at));
            if then == Then::End {
                break;
            }
            let mut nesting = Nesting::default();
            let value = scan::value(line.as_bytes(), place.at, &mut nesting);
            place.at = value.expect("a value");
        }
        found
    }

    #[test]
    fn a_line_of_a_known_shape_is_known_whatever_its_values() {
        let (trie, mut script) = (trie(), Script::new());
        script.learn(&trie, br#"{"model":"a","usage":{"in":1,"out":2},"list":[{"x":1}]}"#);
        let other = r#"{"model":"b, }","usage":{"in":234,"out":null},"list":[]}"#;
        let values: Vec<Then> = walked(&script, other).into_iter().map(|(then, _)| then).collect();
        let [.., Then::Walk(_), Then::End] = *values else { panic!("{values:?}") };
        assert_eq!(values[..3], [Then::Take(1), Then::Take(2), Then::Skip]);
        assert_eq!(values.len(), 5);
    }

    #[test]
    fn shapes_share_how_they_begin_and_part_where_they_differ() {
        let (trie, mut script) = (trie(), Script::new());
        let lines = [
            r#"{"model":1,"usage":{"in":1}}"#,
            r#"{"model":1,"usage":{"out":1}}"#,
            r#"{"model":1,"usage":3}"#,
        ];
        for line in lines {
            assert_ne!(walked(&script, line).last().map(|(then, _)| *then), Some(Then::End));
            script.learn(&trie, line.as_bytes());
        }
        for line in lines {
            assert_eq!(walked(&script, line).last(), Some(&(Then::End, line.len())), "{line}");
        }
        assert!(walked(&script, r#"{"Model":1}"#).is_empty());
    }

    #[test]
    fn a_log_whose_keys_are_never_the_same_is_left_alone() {
        let (trie, mut script) = (trie(), Script::new());
        for number in 0..2_000 {
            script.learn(&trie, format!(r#"{{"model":1,"usage":{{"{number}":1}}}}"#).as_bytes());
            assert!(script.steps.len() <= STEPS_MAX);
            if script.rest > 0 {
                return assert!(script.begin().is_none());
            }
        }
        panic!("it goes on and on");
    }
}
