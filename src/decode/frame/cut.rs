//! Cuts a text into units, from its start to the last one that is whole.
//!
//! The ordinary line costs one search for its end and a look at its first and last byte: a line
//! from brace to brace goes on only if what follows it can go on behind a brace. Everything else is
//! stepped over in full. What falls apart is looked at again from its second line on, so the times
//! that this may happen to the same bytes are bounded.

use std::ops::Range;

use super::super::json::{Resume, Step};
use super::super::prefix;
use super::pieces::{DOCKER, Streams, parse};

/// Times that bytes which fell apart already may be in something that falls apart. Behind that, where
/// no log comes to, the units may depend on where reading began.
const FALLS_MAX: usize = 8;

/// How to cut a text.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Longest frame, and longest line that is one unit.
    pub line_bytes_max: usize,
    /// Whether the text begins in the middle of a line.
    pub mid_line: bool,
    /// Whether nothing follows the text.
    pub is_finished: bool,
}

/// Where the units of a text are.
#[derive(Debug, Default)]
pub struct Cut {
    /// The units before here are whole, and none is behind it yet.
    pub whole: usize,
    /// The units that are frames.
    pub frames: Vec<Range<usize>>,
    /// Whether there are NULs among the units.
    pub has_nul: bool,
    /// Whether what follows is a line that is too long, of which no more will be a unit.
    pub is_too_long: bool,
}

/// Cuts `text` into units.
pub fn cut(text: &[u8], rule: Rule) -> Cut {
    let mut cut = Cut::default();
    let (mut mid_line, mut fallen_to, mut falls) = (rule.mid_line, 0, 0);
    while let Some(rest) = text.get(cut.whole..).filter(|rest| !rest.is_empty()) {
        let end = line_end(rest, &mut cut.has_nul);
        if !mid_line
            && let Some(end) = end
            && is_ordinary(rest, end, rule)
        {
            cut.whole += end + 1;
            continue;
        }
        if cut.whole >= fallen_to {
            falls = 0;
        }
        let at = At { rest, end, mid_line, rule };
        let next = if falls < FALLS_MAX { at.next() } else { at.line() };
        let from = cut.whole;
        match next {
            Next::Line(length) => cut.whole += length,
            Next::Frame(length) => {
                cut.whole += length;
                cut.frames.push(from..cut.whole);
                // The search for the line's end saw the NULs of the first line only.
                cut.has_nul |= text.get(from..cut.whole).is_some_and(|frame| frame.contains(&0));
            }
            Next::Fallen { line, to } => {
                falls += 1;
                fallen_to = fallen_to.max(from + to);
                cut.whole += line;
            }
            Next::More => break,
            Next::TooLong => {
                cut.is_too_long = true;
                break;
            }
        }
        mid_line = text.get(..cut.whole).is_some_and(|units| !units.ends_with(b"\n"));
    }
    cut
}

/// Returns where the first line of `rest` ends, and notes whether there are NULs before that.
#[inline]
fn line_end(rest: &[u8], has_nul: &mut bool) -> Option<usize> {
    let found = memchr::memchr2(b'\n', 0, rest)?;
    if rest.get(found) == Some(&b'\n') {
        return Some(found);
    }
    *has_nul = true;
    let behind = rest.get(found..)?;
    memchr::memchr(b'\n', behind).map(|end| found + end)
}

/// Tells whether the line that ends at `end` is certainly a unit.
#[inline]
fn is_ordinary(rest: &[u8], end: usize, rule: Rule) -> bool {
    let Some(line) = rest.get(..end).map(|line| line.strip_suffix(b"\r").unwrap_or(line)) else {
        return false;
    };
    match line.first() {
        None => true,
        Some(b'{') => {
            line.ends_with(b"}")
                && end <= rule.line_bytes_max
                && !line.starts_with(DOCKER)
                && goes_on(rest.get(end..).unwrap_or_default()) == Some(false)
        }
        Some(b'A'..=b'Z' | b'a'..=b'z' | b'"' | b'}' | b']') => !may_open(line),
        Some(_) => false,
    }
}

/// Tells whether what follows can go on in JSON behind the end of a value, once that is known.
#[inline]
fn goes_on(following: &[u8]) -> Option<bool> {
    let next = following.iter().find(|&&byte| !is_space(byte))?;
    Some(matches!(next, b',' | b'}' | b']'))
}

/// Tells whether a line of text may have JSON behind it that is open at its end.
#[inline]
fn may_open(line: &[u8]) -> bool {
    matches!(line.trim_ascii_end().last(), Some(b'{' | b'['))
}

/// White space, and the NULs before a line.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0
}

fn padding(line: &[u8]) -> usize {
    line.iter().take_while(|&&byte| byte == 0).count()
}

fn space(text: &[u8]) -> usize {
    text.iter().take_while(|&&byte| is_space(byte)).count()
}

/// What comes next in a text.
enum Next {
    Line(usize),
    Frame(usize),
    /// A line, with which something begins that fell apart at `to`.
    Fallen {
        line: usize,
        to: usize,
    },
    /// That depends on what follows.
    More,
    /// A line whose end was not found in so many bytes.
    TooLong,
}

/// The start of a unit.
#[derive(Clone, Copy)]
struct At<'t> {
    rest: &'t [u8],
    /// Where the line feed is.
    end: Option<usize>,
    mid_line: bool,
    rule: Rule,
}

impl<'t> At<'t> {
    /// The line with its line feed.
    fn text(self) -> &'t [u8] {
        self.end.and_then(|end| self.rest.get(..=end)).unwrap_or(self.rest)
    }

    /// Whether all of the line is there.
    fn is_whole(self) -> bool {
        self.end.is_some() || self.rule.is_finished
    }

    fn line(self) -> Next {
        let line = self.text();
        match self.is_whole() {
            true => Next::Line(line.len()),
            false if self.is_long(padding(line)) => Next::TooLong,
            false => Next::More,
        }
    }

    /// Whether the line, which begins at `start`, is longer than the limit.
    fn is_long(self, start: usize) -> bool {
        let length = self.text().len().saturating_sub(usize::from(self.end.is_some()));
        length.saturating_sub(start) > self.rule.line_bytes_max
    }

    fn next(self) -> Next {
        let line = self.text();
        let padding = padding(line);
        if !self.is_whole() && !self.mid_line && !self.is_long(padding) {
            return Next::More;
        }
        let bom = line.get(padding..).is_some_and(|text| text.starts_with(b"\xef\xbb\xbf"));
        let start = padding + if bom { 3 } else { 0 };
        let start = start + space(line.get(start..).unwrap_or_default());
        let text = line.get(start..).unwrap_or_default();
        match text.first() {
            Some(b'{') if text.starts_with(DOCKER) && parse(text).is_some() => self.pieces(),
            Some(b'{' | b'[') => self.documents(start),
            Some(b'0'..=b'9') if parse(text).is_some() => self.pieces(),
            Some(_) if prefix::is_heading(text) => self.heading(),
            Some(_) if may_open(text) && prefix::begins_like_a_log_line(text) => {
                self.behind_text(start)
            }
            _ => self.line(),
        }
    }

    /// JSON from `start` on.
    fn documents(self, start: usize) -> Next {
        let line = self.text();
        let max = self.rule.line_bytes_max;
        let one_by_one = self.mid_line || self.is_long(padding(line));
        let (mut at, mut closed) = (start, None);
        loop {
            let mut resume = Resume::default();
            match resume.feed(line.get(at..).unwrap_or_default()) {
                Step::Broken => return self.line(),
                Step::Open if !self.is_whole() => return self.line(),
                Step::Open => {
                    return match (closed, self.end) {
                        (Some(end), Some(_)) => Next::Frame(end),
                        (None, Some(_)) => self.go_on(resume, start, line.len()),
                        (_, None) => self.line(),
                    };
                }
                Step::End(length) => {
                    let end = at + length;
                    if length > max {
                        return self.line();
                    }
                    let behind = line.get(end..).unwrap_or_default();
                    let gap = space(behind);
                    if gap == behind.len() && !one_by_one {
                        return self.line();
                    }
                    if one_by_one {
                        return self.frame(end, end + gap);
                    }
                    if !matches!(behind.get(gap), Some(b'{' | b'[')) {
                        return self.line();
                    }
                    (at, closed) = (end + gap, Some(end));
                }
            }
        }
    }

    /// A frame that closes at `end`, behind which is space up to `to`.
    fn frame(self, end: usize, to: usize) -> Next {
        let line = self.rest.get(..to).unwrap_or(self.rest);
        if line.ends_with(b"\n") || (to == self.rest.len() && self.rule.is_finished) {
            Next::Frame(to)
        } else if to < self.rest.len() || to - end > self.rule.line_bytes_max {
            Next::Frame(end)
        } else {
            Next::More
        }
    }

    /// JSON that began at `start` and is open where the line before `at` ends.
    fn go_on(self, mut resume: Resume, start: usize, mut at: usize) -> Next {
        let fallen = |to| Next::Fallen { line: self.text().len(), to };
        let max = self.rule.line_bytes_max;
        while let Some(rest) = self.rest.get(at..).filter(|rest| !rest.is_empty()) {
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let line = rest.get(..length).unwrap_or(rest);
            let padding = padding(line);
            match resume.feed(line.get(padding..).unwrap_or_default()) {
                Step::Broken => return fallen(at),
                Step::Open => at += length,
                Step::End(closed) => {
                    let closed = padding + closed;
                    if at + closed - start > max {
                        return fallen(at);
                    }
                    let gap = space(line.get(closed..).unwrap_or_default());
                    return self.frame(at + closed, at + closed + gap);
                }
            }
            if at - start > max {
                return fallen(at);
            }
        }
        if self.rule.is_finished { fallen(at) } else { Next::More }
    }

    /// A line that is nothing but a time and a name: `aws logs tail --format json` puts it before
    /// each event, whose JSON begins in a line of its own.
    fn heading(self) -> Next {
        let first = self.text().len();
        let rest = self.rest.get(first..).unwrap_or_default();
        let is_open = match memchr::memchr(b'\n', rest) {
            Some(end) => matches!(rest.get(..end).map(<[u8]>::trim_ascii), Some(b"{")),
            None if self.rule.is_finished => false,
            None if rest.len() < 3 => return Next::More,
            None => false,
        };
        if is_open { self.go_on(Resume::default(), first, first) } else { self.line() }
    }

    /// Text from `start` on, behind which JSON is open at the end of the line.
    fn behind_text(self, start: usize) -> Next {
        let line = self.text();
        let text = line.get(start..).unwrap_or_default();
        let head = text.get(..prefix::PREFIX_BYTES_MAX).unwrap_or(text);
        for brace in memchr::memchr_iter(b'{', head).take(prefix::TRIES_MAX) {
            let mut resume = Resume::default();
            let json = text.get(brace..).unwrap_or_default();
            if self.end.is_some() && resume.feed(json) == Step::Open {
                return self.go_on(resume, start, line.len());
            }
        }
        self.line()
    }

    /// What containers cut into pieces.
    fn pieces(self) -> Next {
        let fallen = |to| Next::Fallen { line: self.text().len(), to };
        let mut streams = Streams::default();
        let mut at = 0;
        while let Some(rest) = self.rest.get(at..).filter(|rest| !rest.is_empty()) {
            let end = memchr::memchr(b'\n', rest);
            let length = end.map_or(rest.len(), |end| end + 1);
            if end.is_none() && !self.rule.is_finished {
                break;
            }
            let Some(piece) = rest.get(..length).and_then(parse) else { return fallen(at) };
            if !streams.take(&piece, at..at + length, &mut |_| {}) {
                return fallen(at);
            }
            at += length;
            if streams.are_closed() {
                return if at == self.text().len() { self.line() } else { Next::Frame(at) };
            }
            if at > self.rule.line_bytes_max {
                return fallen(at);
            }
        }
        let is_long = self.rest.len() > self.rule.line_bytes_max;
        if self.rule.is_finished || is_long { fallen(at) } else { Next::More }
    }
}
