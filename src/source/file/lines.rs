//! Whole units (lines and frames, see `decode::frame`) out of chunks of bytes: which are too long,
//! what is padding.
//!
//! Pure functions and a chunker over any reader (`scan`, stdin). It must never look into a line:
//! where one ends and which belong together is told by `decode::frame`. NUL bytes before a line are
//! padding: they are what a writer without `O_APPEND` leaves behind when its file is truncated under
//! it.

use std::io::{self, Read};
use std::ops::Range;

use crate::decode::frame::{Rule, cut, units};

/// Whole units that are short enough, and how many were not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Lines, each with its line feed, and frames, which may end without one; so may the last line
    /// of an input.
    pub lines: Vec<u8>,
    /// Where in `lines` the frames are.
    pub frames: Vec<Range<usize>>,
    /// Lines that were left out because they are longer than the limit.
    pub oversized: u64,
    /// Where the first of these stood, behind `from`.
    pub oversized_at: u64,
    /// Where in the input the first of these bytes stood, left out or not.
    pub from: u64,
    /// What was left out.
    pub left_out: LeftOut,
}

/// What was left out among lines: a place in the lines, and the bytes missing before it since their
/// start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut(Vec<(usize, u64)>);

impl LeftOut {
    /// Returns where the byte at `place` of the lines stood, behind where the first of them stood.
    pub fn offset_of(&self, place: usize) -> u64 {
        let before = self.0.partition_point(|&(at, _)| at <= place);
        let last = self.0.get(..before).and_then(<[_]>::last);
        let missing = last.map_or(0, |&(_, missing)| missing);
        (place as u64).saturating_add(missing)
    }
}

impl Admitted {
    /// Returns where in the input the byte at `place` of `lines` stood.
    pub fn offset_of(&self, place: usize) -> u64 {
        self.from.saturating_add(self.left_out.offset_of(place))
    }

    /// Takes `line` without its padding, before which `missing` bytes of the input are left out.
    fn take(&mut self, line: &[u8], missing: &mut usize) {
        let text = without_padding(line);
        *missing = missing.saturating_add(line.len().saturating_sub(text.len()));
        let noted = self.left_out.0.last().map_or(0, |&(_, missing)| missing);
        if *missing as u64 != noted {
            self.left_out.0.push((self.lines.len(), *missing as u64));
        }
        self.lines.extend_from_slice(text);
    }
}

/// Returns how many bytes of `bytes` are whole lines.
pub fn whole_len(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |at| at.saturating_add(1))
}

/// Returns `line` without the NULs before it.
pub fn without_padding(line: &[u8]) -> &[u8] {
    let padding = line.iter().take_while(|&&byte| byte == 0).count();
    line.get(padding..).unwrap_or_default()
}

/// Whole units as they stand in the log.
#[derive(Debug, Default)]
pub struct Raw {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where in the bytes the frames are.
    pub frames: Vec<Range<usize>>,
    /// Whether there may be NULs.
    pub has_nul: bool,
}

/// Leaves out the lines of `raw` that are longer than `line_bytes_max` (line feed not counted) and
/// the padding before lines. Costs nothing where nothing can be too long.
pub fn admit(raw: Raw, line_bytes_max: usize) -> Admitted {
    let Raw { bytes, frames, has_nul } = raw;
    if bytes.len() <= line_bytes_max && !has_nul {
        return Admitted { lines: bytes, frames, ..Admitted::default() };
    }
    let mut admitted = Admitted { lines: Vec::with_capacity(bytes.len()), ..Admitted::default() };
    let mut missing = 0_usize;
    for unit in units(&bytes, &frames) {
        let start = unit.range.start as u64;
        let text = bytes.get(unit.range).unwrap_or_default();
        if unit.is_frame {
            let from = admitted.lines.len();
            text.split_inclusive(|&byte| byte == b'\n')
                .for_each(|line| admitted.take(line, &mut missing));
            admitted.frames.push(from..admitted.lines.len());
            continue;
        }
        let line = without_padding(text);
        if line.strip_suffix(b"\n").unwrap_or(line).len() > line_bytes_max {
            if admitted.oversized == 0 {
                admitted.oversized_at = start;
            }
            admitted.oversized = admitted.oversized.saturating_add(1);
            missing = missing.saturating_add(text.len());
        } else {
            admitted.take(text, &mut missing);
        }
    }
    admitted
}

/// Cuts what a reader gives into chunks of whole units.
///
/// Holds one chunk and one unit at most, however long a line is.
#[derive(Debug)]
pub struct LineChunks<R> {
    reader: R,
    chunk_bytes: usize,
    line_bytes_max: usize,
    /// Its first `filled` bytes were read. The rest is of earlier chunks, since to clear memory that is
    /// read into anyway would be in vain.
    carry: Vec<u8>,
    filled: usize,
    /// Memory for the next chunk, see [`Self::give_back`].
    spare: Vec<u8>,
    /// Where in the input `carry` begins.
    at: u64,
    /// Whether `carry` begins in the middle of a line.
    mid_line: bool,
    /// How much of `carry` is known to hold no whole unit.
    searched: usize,
    oversized: u64,
    ended: bool,
}

impl<R: Read> LineChunks<R> {
    /// Reads `reader` in chunks of about `chunk_bytes`; lines longer than `line_bytes_max` are
    /// left out and counted.
    pub fn new(reader: R, chunk_bytes: usize, line_bytes_max: usize) -> Self {
        Self {
            reader,
            chunk_bytes: chunk_bytes.max(1),
            line_bytes_max,
            carry: Vec::new(),
            filled: 0,
            spare: Vec::new(),
            at: 0,
            mid_line: false,
            searched: 0,
            oversized: 0,
            ended: false,
        }
    }

    /// Says that the reader begins at `at` in its input, at the start of a unit.
    #[must_use]
    pub fn beginning_at(self, at: u64) -> Self {
        Self { at, ..self }
    }

    /// Returns the longest line that is not left out.
    pub fn line_bytes_max(&self) -> usize {
        self.line_bytes_max
    }

    /// Reads `reader` next, which begins at `at` in its input, and keeps the memory. What was not
    /// read to its end before is dropped.
    pub fn restart(&mut self, reader: R, at: u64) {
        self.filled = 0;
        (self.reader, self.at, self.mid_line) = (reader, at, false);
        (self.searched, self.oversized, self.ended) = (0, 0, false);
    }

    /// Returns the next whole units, or `None` after the last one.
    ///
    /// The last line of the input is returned also without a line feed. Fails as the reader
    /// fails; all whole units before the failure were returned by then or follow on the next call.
    pub fn next_chunk(&mut self) -> io::Result<Option<Admitted>> {
        loop {
            // What is open is looked at again when there is twice as much of it, but what is
            // held stays near the limit.
            let more = self.searched.min(self.line_bytes_max).max(self.chunk_bytes);
            self.fill(self.searched.saturating_add(more))?;
            let rule = Rule {
                line_bytes_max: self.line_bytes_max,
                mid_line: self.mid_line,
                is_finished: self.ended,
            };
            let cut = cut(self.carried(), rule);
            if cut.whole > 0 {
                let bytes = self.take_chunk(cut.whole);
                self.searched = 0;
                self.mid_line = !bytes.ends_with(b"\n");
                let raw = Raw { bytes, frames: cut.frames, has_nul: cut.has_nul };
                let mut admitted = admit(raw, self.line_bytes_max);
                admitted.oversized += std::mem::take(&mut self.oversized);
                admitted.from = self.at;
                self.at = self.at.saturating_add(cut.whole as u64);
                return Ok(Some(admitted));
            }
            if cut.is_too_long {
                self.skip_line()?;
                continue;
            }
            if self.ended {
                let oversized = std::mem::take(&mut self.oversized);
                let nothing = Admitted { oversized, from: self.at, ..Admitted::default() };
                return Ok((oversized > 0).then_some(nothing));
            }
            self.searched = self.filled;
        }
    }

    /// What was read and not returned.
    fn carried(&self) -> &[u8] {
        self.carry.get(..self.filled).unwrap_or_default()
    }

    /// Takes the first `whole` bytes of what is carried.
    fn take_chunk(&mut self, whole: usize) -> Vec<u8> {
        let mut next = std::mem::take(&mut self.spare);
        let rest = self.carry.get(whole..self.filled).unwrap_or_default();
        self.filled = rest.len();
        if next.len() < rest.len() {
            next.resize(rest.len(), 0);
        }
        if let Some(space) = next.get_mut(..rest.len()) {
            space.copy_from_slice(rest);
        }
        let mut bytes = std::mem::replace(&mut self.carry, next);
        bytes.truncate(whole);
        bytes
    }

    /// Takes back the memory of a chunk that is done with, for a next one: fresh memory costs more
    /// than to read into it.
    pub fn give_back(&mut self, chunk: Admitted) {
        if chunk.lines.capacity() <= self.chunk_bytes.saturating_mul(4) {
            self.spare = chunk.lines;
        }
    }

    /// Drops the rest of a line that is too long, with its line feed.
    fn skip_line(&mut self) -> io::Result<()> {
        self.oversized = self.oversized.saturating_add(1);
        self.mid_line = false;
        self.searched = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', self.carried()) {
                let behind = end.saturating_add(1);
                self.carry.copy_within(behind..self.filled, 0);
                self.filled = self.filled.saturating_sub(behind);
                self.at = self.at.saturating_add(behind as u64);
                return Ok(());
            }
            self.at = self.at.saturating_add(self.filled as u64);
            self.filled = 0;
            if self.ended {
                return Ok(());
            }
            self.fill(self.chunk_bytes)?;
        }
    }

    /// Reads until `wanted` bytes are carried or the input ends.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        if self.carry.len() < wanted {
            self.carry.resize(wanted, 0);
        }
        // Read at once: `read_to_end` feels its way from small reads to larger ones each time.
        while !self.ended
            && let Some(space) = self.carry.get_mut(self.filled..wanted)
            && !space.is_empty()
        {
            match self.reader.read(space) {
                Ok(0) => self.ended = true,
                Ok(read) => self.filled = self.filled.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule in its plainest form: split everything, then filter.
    fn plain(input: &[u8], max: usize) -> (Vec<u8>, u64) {
        let (mut lines, mut oversized) = (Vec::new(), 0);
        for line in input.split_inclusive(|&byte| byte == b'\n') {
            let start = line.iter().position(|&byte| byte != 0).unwrap_or(line.len());
            let line = &line[start..];
            if line.len() - usize::from(line.ends_with(b"\n")) > max {
                oversized += 1;
            } else {
                lines.extend_from_slice(line);
            }
        }
        (lines, oversized)
    }

    proptest! {
        #[test]
        fn chunks_of_any_size_give_the_lines_of_the_whole(
            input in prop::collection::vec(prop::sample::select(&b"ab\n\0"[..]), 0..300),
            chunk in 1_usize..40,
            max in 0_usize..12,
        ) {
            let mut chunks = LineChunks::new(input.as_slice(), chunk, max);
            let (mut lines, mut oversized) = (Vec::new(), 0);
            while let Some(part) = chunks.next_chunk().unwrap() {
                let mut place = 0;
                for line in part.lines.split_inclusive(|&byte| byte == b'\n') {
                    let offset = usize::try_from(part.offset_of(place)).unwrap();
                    prop_assert!(input[offset..].starts_with(line), "{part:?} {place} {offset}");
                    let before = input[..offset].iter().rposition(|&byte| byte != 0);
                    prop_assert!(before.is_none_or(|at| input[at] == b'\n'));
                    place += line.len();
                }
                lines.extend_from_slice(&part.lines);
                oversized += part.oversized;
            }
            prop_assert_eq!((lines, oversized), plain(&input, max));
        }
    }

    /// Every unit with its place in the input, and how many lines were too long.
    fn chunked(input: &[u8], chunk: usize, max: usize) -> (Vec<(u64, Vec<u8>)>, u64) {
        let mut chunks = LineChunks::new(input, chunk, max);
        let (mut found, mut oversized) = (Vec::new(), 0);
        while let Some(part) = chunks.next_chunk().unwrap() {
            for unit in units(&part.lines, &part.frames) {
                let text = part.lines[unit.range.clone()].to_vec();
                found.push((part.offset_of(unit.range.start), text));
            }
            oversized += part.oversized;
        }
        (found, oversized)
    }

    proptest! {
        #[test]
        fn chunks_of_any_size_give_the_same_units(
            input in prop::collection::vec(
                prop::sample::select(&["{", "}", "[", "]", ",", ":", "\"a\"", "1", "\n", "\n", "\0", " ", "{}\n"][..]),
                0..40,
            ),
            chunk in 1_usize..40,
            max in 1_usize..30,
        ) {
            let input = input.concat();
            let whole = chunked(input.as_bytes(), 1 << 20, max);
            prop_assert_eq!(chunked(input.as_bytes(), chunk, max), whole);
        }
    }

    #[test]
    fn where_lines_stood_is_known_behind_what_was_left_out() {
        let bytes = b"ab\ntoo long\n\0\0cd\nlonger yet\nef\n".to_vec();
        let admitted = admit(Raw { bytes, frames: Vec::new(), has_nul: true }, 4);
        assert_eq!(admitted.lines, b"ab\ncd\nef\n");
        assert_eq!((admitted.oversized, admitted.oversized_at), (2, 3));
        let places = [0, 3, 6].map(|place| admitted.offset_of(place));
        assert_eq!(places, [0, 14, 28]);
    }

    #[test]
    fn documents_in_a_line_of_many_megabytes_are_each_found() {
        let documents = "{\"a\":[1,2,3]}".repeat(10_000);
        let (found, oversized) = chunked(documents.as_bytes(), 4096, 1000);
        assert_eq!((found.len(), oversized), (10_000, 0));
        assert_eq!(found[9_999], (9_999 * 13, b"{\"a\":[1,2,3]}".to_vec()));
    }

    #[test]
    fn a_line_of_many_megabytes_is_never_held() {
        let long = io::repeat(b'x').take(100 << 20).chain(&b"\nok\n"[..]);
        let mut chunks = LineChunks::new(long, 4096, 1 << 20);
        let first = chunks.next_chunk().unwrap().unwrap();
        assert_eq!((first.lines.as_slice(), first.oversized), (&b"ok\n"[..], 1));
        assert_eq!(first.offset_of(0), (100 << 20) + 1);
        assert!(chunks.carry.capacity() <= 4 << 20, "{}", chunks.carry.capacity());
    }
}
