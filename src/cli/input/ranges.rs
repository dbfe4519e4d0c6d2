//! A plain file as ranges, each of which one thread reads by itself.
//!
//! A range ends where a unit certainly begins (`decode::frame::certain_start`), so what is in it is
//! the same as if the file were read in one go. Only the places of the ranges are found one after
//! the other; nothing else of one waits for another.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::decode::frame::certain_start;

/// About how long a range is: so short that threads end at about the same time, so long that what is
/// read to find its end does not matter.
const RANGE_BYTES: u64 = 1 << 20;
/// Bytes that are read first to find an end …
const PROBE_BYTES_MIN: usize = 8 << 10;
/// … and at most. A file of one long document is better read in one go.
const PROBE_BYTES_MAX: usize = 1 << 20;

/// What is left of a file.
#[derive(Debug)]
pub(super) struct Ranges {
    file: Arc<File>,
    at: u64,
    range_bytes: u64,
    probe: Vec<u8>,
}

/// The next range of a file.
#[derive(Debug)]
pub(super) enum Next {
    /// A range that begins here.
    Range(u64, RangeReader),
    /// All of the rest, which can't be divided.
    Rest(u64, RangeReader),
}

/// Reads a range of a file that others read, too.
#[derive(Debug)]
pub(super) struct RangeReader {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Ranges {
    /// Divides `file`, which can be read at any place.
    pub(super) fn of(file: File) -> Self {
        Self { file: Arc::new(file), at: 0, range_bytes: RANGE_BYTES, probe: Vec::new() }
    }

    /// Returns the next range, or `None` behind the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Next>> {
        if self.at == u64::MAX {
            return Ok(None);
        }
        let from = self.at;
        // Whatever fails, this is the last range then.
        self.at = u64::MAX;
        let wanted = from.saturating_add(self.range_bytes);
        let mut bytes = PROBE_BYTES_MIN;
        loop {
            self.probe.resize(bytes, 0);
            let read = read_at(&self.file, wanted, &mut self.probe)?;
            let probe = self.probe.get(..read).unwrap_or_default();
            if let Some(place) = certain_start(probe) {
                self.at = wanted.saturating_add(place as u64);
                return Ok(Some(Next::Range(from, self.reader(from, self.at))));
            }
            if read < bytes {
                return Ok(Some(Next::Range(from, self.reader(from, u64::MAX))));
            }
            if bytes >= PROBE_BYTES_MAX {
                return Ok(Some(Next::Rest(from, self.reader(from, u64::MAX))));
            }
            bytes = bytes.saturating_mul(4).min(PROBE_BYTES_MAX);
        }
    }

    fn reader(&self, at: u64, end: u64) -> RangeReader {
        RangeReader { file: Arc::clone(&self.file), at, end }
    }
}

impl Read for RangeReader {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = space.len().min(left);
        let read = self.file.read_at(space.get_mut(..length).unwrap_or_default(), self.at)?;
        self.at = self.at.saturating_add(read as u64);
        Ok(read)
    }
}

/// Reads as much as fits or is there.
fn read_at(file: &File, at: u64, space: &mut [u8]) -> io::Result<usize> {
    let mut done = 0_usize;
    while let Some(rest) = space.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(read) => done = done.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn ranges_of(text: &[u8], range_bytes: u64) -> Vec<(bool, u64, Vec<u8>)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        let mut ranges = Ranges { range_bytes, ..Ranges::of(file) };
        let mut found = Vec::new();
        while let Some(next) = ranges.next().unwrap() {
            let (is_rest, from, mut reader) = match next {
                Next::Range(from, reader) => (false, from, reader),
                Next::Rest(from, reader) => (true, from, reader),
            };
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            found.push((is_rest, from, bytes));
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn ranges_are_the_whole_file_in_order(
            lines in prop::collection::vec("\\{[a-z]{0,9}\\}\r?\n|[a-z]{0,9}\n|\n|\\{\n", 0..200),
            range_bytes in 1_u64..300,
        ) {
            let text = lines.concat();
            let mut at = 0;
            for (is_rest, from, bytes) in ranges_of(text.as_bytes(), range_bytes) {
                prop_assert!(!is_rest);
                prop_assert_eq!(from, at);
                prop_assert!(text.as_bytes()[usize::try_from(at).unwrap()..].starts_with(&bytes));
                at += bytes.len() as u64;
            }
            prop_assert_eq!(at, text.len() as u64);
        }
    }

    #[test]
    fn lines_from_brace_to_brace_are_divided() {
        let text = "{\"a\":1}\n".repeat(1000);
        let ranges = ranges_of(text.as_bytes(), 1000);
        assert!(ranges.len() >= 7, "{}", ranges.len());
    }

    #[test]
    fn what_can_not_be_divided_is_left_whole() {
        let text = "{\"a\":1}\n".repeat(10_000) + &"1,\n".repeat(PROBE_BYTES_MAX);
        let ranges = ranges_of(text.as_bytes(), 1000);
        let (is_rest, from, bytes) = ranges.last().unwrap();
        assert!(*is_rest && *from < 80_000, "{from}");
        assert_eq!(*from + bytes.len() as u64, text.len() as u64);
    }
}
