//! Whole lines out of chunks of bytes: where a line ends, which lines are too long, what is padding.
//!
//! Pure functions and a chunker over any reader (`scan`, stdin). It must never look into a line:
//! a line is the bytes up to a line feed. NUL bytes before a line are padding: they are what a
//! writer without `O_APPEND` leaves behind when its file is truncated under it.

use std::io::{self, Read};

/// Whole lines that are short enough, and how many were not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Lines, each with its line feed; only the last line of an input may lack it.
    pub lines: Vec<u8>,
    /// Lines that were left out because they are longer than the limit.
    pub oversized: u64,
    /// Where in the input the first of these bytes stood, left out or not.
    pub from: u64,
    /// What was left out: a place in `lines`, and the bytes missing before it since `from`.
    left_out: Vec<(usize, u64)>,
}

impl Admitted {
    /// Returns where in the input the byte at `place` of `lines` stood.
    pub fn offset_of(&self, place: usize) -> u64 {
        let before = self.left_out.partition_point(|&(at, _)| at <= place);
        let last = self.left_out.get(..before).and_then(<[_]>::last);
        let missing = last.map_or(0, |&(_, missing)| missing);
        self.from.saturating_add(place as u64).saturating_add(missing)
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

/// Leaves out the lines of `lines` that are longer than `line_bytes_max` (line feed not counted)
/// and the padding before lines. Costs one scan for NUL where nothing can be too long.
pub fn admit(lines: Vec<u8>, line_bytes_max: usize) -> Admitted {
    if lines.len() <= line_bytes_max && memchr::memchr(0, &lines).is_none() {
        return Admitted { lines, ..Admitted::default() };
    }
    let mut admitted = Admitted { lines: Vec::with_capacity(lines.len()), ..Admitted::default() };
    let (mut missing, mut noted) = (0_usize, 0_usize);
    for padded in lines.split_inclusive(|&byte| byte == b'\n') {
        let line = without_padding(padded);
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        missing = missing.saturating_add(padded.len().saturating_sub(line.len()));
        if text.len() > line_bytes_max {
            admitted.oversized = admitted.oversized.saturating_add(1);
            missing = missing.saturating_add(line.len());
            continue;
        }
        if missing != noted {
            noted = missing;
            admitted.left_out.push((admitted.lines.len(), missing as u64));
        }
        admitted.lines.extend_from_slice(line);
    }
    admitted
}

/// Cuts what a reader gives into chunks of whole lines.
///
/// Holds one chunk and one line at most, however long a line is.
#[derive(Debug)]
pub struct LineChunks<R> {
    reader: R,
    chunk_bytes: usize,
    line_bytes_max: usize,
    carry: Vec<u8>,
    /// Memory for the next chunk, see [`Self::give_back`].
    spare: Vec<u8>,
    /// Where in the input `carry` begins.
    at: u64,
    /// How much of `carry` is known to hold no line feed.
    scanned: usize,
    skipping: bool,
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
            spare: Vec::new(),
            at: 0,
            scanned: 0,
            skipping: false,
            oversized: 0,
            ended: false,
        }
    }

    /// Returns the next whole lines, or `None` after the last one.
    ///
    /// The last line of the input is returned also without a line feed. Fails as the reader
    /// fails; all whole lines before the failure were returned by then or follow on the next call.
    pub fn next_chunk(&mut self) -> io::Result<Option<Admitted>> {
        loop {
            if self.skipping {
                self.skip_line()?;
                self.skipping = false;
                self.scanned = 0;
                self.oversized = self.oversized.saturating_add(1);
            }
            let fresh = self.carry.get(self.scanned..).unwrap_or_default();
            let whole = match whole_len(fresh) {
                0 if self.ended => self.carry.len(),
                0 => 0,
                whole => self.scanned.saturating_add(whole),
            };
            if whole > 0 {
                let mut rest = std::mem::take(&mut self.spare);
                rest.extend_from_slice(self.carry.get(whole..).unwrap_or_default());
                let mut lines = std::mem::replace(&mut self.carry, rest);
                lines.truncate(whole);
                self.scanned = self.carry.len();
                let mut admitted = admit(lines, self.line_bytes_max);
                admitted.oversized += std::mem::take(&mut self.oversized);
                admitted.from = self.at;
                self.at = self.at.saturating_add(whole as u64);
                return Ok(Some(admitted));
            }
            if self.ended {
                let oversized = std::mem::take(&mut self.oversized);
                let nothing = Admitted { oversized, from: self.at, ..Admitted::default() };
                return Ok((oversized > 0).then_some(nothing));
            }
            self.scanned = self.carry.len();
            self.skipping = without_padding(&self.carry).len() > self.line_bytes_max;
            if !self.skipping {
                self.fill()?;
            }
        }
    }

    /// Takes back the memory of a chunk that is done with, for a next one: fresh memory costs more
    /// than to read into it.
    pub fn give_back(&mut self, chunk: Admitted) {
        let mut lines = chunk.lines;
        if lines.capacity() <= self.chunk_bytes.saturating_mul(4) {
            lines.clear();
            self.spare = lines;
        }
    }

    /// Drops the rest of a line that is too long, with its line feed.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.carry) {
                drop(self.carry.drain(..=end));
                self.at = self.at.saturating_add(end as u64).saturating_add(1);
                return Ok(());
            }
            self.at = self.at.saturating_add(self.carry.len() as u64);
            self.carry.clear();
            if self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Appends up to a chunk to what is carried.
    fn fill(&mut self) -> io::Result<()> {
        let wanted = u64::try_from(self.chunk_bytes).unwrap_or(u64::MAX);
        self.carry.reserve(self.chunk_bytes);
        let read = self.reader.by_ref().take(wanted).read_to_end(&mut self.carry)?;
        self.ended = read < self.chunk_bytes;
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
