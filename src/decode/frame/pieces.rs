//! Lines of containers: docker's `json-file` cuts what is written to it every 16 KiB, CRI marks its
//! pieces `P` and the last one `F`, and both give each line of a container's output a line of its own.
//!
//! Here pieces of one stream are put together as long as they are JSON that is open. Streams
//! interleave, so each is followed by itself. What does not go on as JSON is not put together: each
//! piece is then looked at alone.

use std::borrow::Cow;
use std::ops::Range;

use super::super::json::{self, Resume, Step};
use super::super::prefix;

/// How docker begins every line. It writes its keys in this order and without white space.
pub(super) const DOCKER: &[u8] = b"{\"log\":\"";
/// Streams that are followed at a time; there are two.
const STREAMS_MAX: usize = 4;

/// A line of a container's log.
#[derive(Clone, Copy)]
pub(super) struct Piece<'l> {
    is_docker: bool,
    stream: &'l [u8],
    /// The text, as it stands between the quotes in a line of docker.
    raw: &'l [u8],
    /// Whether the container's line goes on in the next piece.
    is_partial: bool,
}

/// Returns the piece that a line is, with or without its line feed.
pub(super) fn parse(line: &[u8]) -> Option<Piece<'_>> {
    let line = line.get(line.iter().take_while(|&&byte| byte == 0).count()..)?;
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if line.starts_with(DOCKER) { docker(line) } else { cri(line) }
}

fn docker(line: &[u8]) -> Option<Piece<'_>> {
    let quoted = line.get(DOCKER.len() - 1..)?;
    let end = json::document_end(quoted)?;
    let inner = quoted.get(1..end.checked_sub(1)?)?;
    let rest = quoted.get(end..)?.strip_prefix(b",\"stream\":\"")?;
    let name = memchr::memchr(b'"', rest)?;
    let behind = rest.get(name..)?;
    let is_docker = behind.starts_with(b"\",\"time\":\"") || behind.starts_with(b"\",\"attrs\":{");
    if !is_docker || !line.trim_ascii_end().ends_with(b"}") {
        return None;
    }
    let is_partial = !ends_in_line_feed(inner);
    Some(Piece { is_docker: true, stream: rest.get(..name)?, raw: inner, is_partial })
}

/// Tells whether the text between two quotes ends in the escape of a line feed.
fn ends_in_line_feed(inner: &[u8]) -> bool {
    inner.strip_suffix(b"n").is_some_and(|inner| {
        let backslashes = inner.iter().rev().take_while(|&&byte| byte == b'\\').count();
        !backslashes.is_multiple_of(2)
    })
}

/// Returns the time and the text of a line of CRI, unless the text is blank.
pub(in crate::decode) fn container_text(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = cri(line)?.raw;
    let time = line.split(|&byte| byte == b' ').next()?;
    (!text.trim_ascii().is_empty()).then_some((time, text))
}

/// `2024-05-14T09:12:00.123456789Z stdout F text`.
fn cri(line: &[u8]) -> Option<Piece<'_>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = line.splitn(4, |&byte| byte == b' ');
    let (time, stream, tag) = (words.next()?, words.next()?, words.next()?);
    let is_cri = time.ends_with(b"Z") || time.contains(&b'+') || time.contains(&b':');
    if !is_cri || !prefix::is_iso_time(time) || !matches!(stream, b"stdout" | b"stderr") {
        return None;
    }
    // Tags are a list, the first of which tells.
    let is_partial = match tag.split(|&byte| byte == b':').next()? {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    let raw = words.next().unwrap_or_default();
    Some(Piece { is_docker: false, stream, raw, is_partial })
}

impl<'l> Piece<'l> {
    /// The text, with its line feed if the container's line ends here.
    fn text(&self) -> Cow<'l, [u8]> {
        if self.is_docker && self.raw.contains(&b'\\') {
            let mut text = Vec::new();
            let length = json::unescape_in(self.raw, &mut text).len();
            text.truncate(length);
            Cow::Owned(text)
        } else if self.is_docker || self.is_partial {
            Cow::Borrowed(self.raw)
        } else {
            Cow::Owned([self.raw, b"\n"].concat())
        }
    }

    /// Whether it is a whole line from brace to brace, which nearly all are.
    fn is_ordinary(&self) -> bool {
        let end: &[u8] = if self.is_docker { b"}\\n" } else { b"}" };
        !self.is_partial && self.raw.starts_with(b"{") && self.raw.ends_with(end)
    }

    /// Goes on with the text of this piece in JSON; `None` if that is impossible.
    fn go_on(&self, resume: Resume) -> Option<Progress> {
        go_on(resume, &self.text())
    }

    /// Returns the JSON that this piece leaves open.
    fn opened(&self) -> Option<Resume> {
        if self.is_ordinary() {
            return None;
        }
        let text = self.text();
        let text = text.trim_ascii_start();
        let open = |text| match go_on(Resume::default(), text) {
            Some(Progress::Open(resume)) => Some(resume),
            _ => None,
        };
        if matches!(text.first(), Some(b'{' | b'[')) {
            return open(text);
        }
        if !prefix::begins_like_a_log_line(text) {
            return None;
        }
        let head = text.get(..prefix::PREFIX_BYTES_MAX).unwrap_or(text);
        let mut braces = memchr::memchr_iter(b'{', head).take(prefix::TRIES_MAX);
        braces.find_map(|brace| open(text.get(brace..)?))
    }
}

enum Progress {
    Open(Resume),
    Closed,
}

/// Steps over documents that follow each other; `None` if they are none.
fn go_on(mut resume: Resume, mut text: &[u8]) -> Option<Progress> {
    loop {
        match resume.feed(text) {
            Step::Open => return Some(Progress::Open(resume)),
            Step::Broken => return None,
            Step::End(end) => text = text.get(end..)?.trim_ascii_start(),
        }
        match text.first() {
            None => return Some(Progress::Closed),
            Some(b'{' | b'[') => resume = Resume::default(),
            Some(_) => return None,
        }
    }
}

/// The streams of a container in the lines of a frame.
#[derive(Default)]
pub(super) struct Streams<'l> {
    is_docker: Option<bool>,
    open: Vec<Stream<'l>>,
}

/// A stream whose JSON is open.
struct Stream<'l> {
    name: &'l [u8],
    resume: Resume,
    pieces: Vec<(Piece<'l>, Range<usize>)>,
}

impl<'l> Streams<'l> {
    /// Takes the next line, which stands at `place`, and shows the places of what belongs together
    /// once that is known. Tells whether the line can be of the same log as those before it.
    pub(super) fn take(
        &mut self,
        piece: Piece<'l>,
        place: Range<usize>,
        show: &mut impl FnMut(&[Range<usize>]),
    ) -> bool {
        if *self.is_docker.get_or_insert(piece.is_docker) != piece.is_docker {
            return false;
        }
        let Some(broken) = self.add(piece, place.clone(), show) else { return true };
        // The first piece may be what is left of another line, and those behind it whole.
        let mut again = broken.into_iter();
        if let Some((_, alone)) = again.next() {
            show(&[alone]);
        }
        for (piece, place) in again.chain([(piece, place)]) {
            if let Some(broken) = self.add(piece, place.clone(), show) {
                for (_, alone) in broken {
                    show(&[alone]);
                }
                self.begin(piece, place, show);
            }
        }
        true
    }

    /// Adds a piece to its stream, or returns the pieces before it with which it is no JSON.
    fn add(
        &mut self,
        piece: Piece<'l>,
        place: Range<usize>,
        show: &mut impl FnMut(&[Range<usize>]),
    ) -> Option<Vec<(Piece<'l>, Range<usize>)>> {
        let Some(at) = self.open.iter().position(|stream| stream.name == piece.stream) else {
            self.begin(piece, place, show);
            return None;
        };
        let Stream { name, resume, mut pieces } = self.open.swap_remove(at);
        match piece.go_on(resume) {
            Some(Progress::Open(resume)) => {
                pieces.push((piece, place));
                self.open.push(Stream { name, resume, pieces });
            }
            Some(Progress::Closed) => {
                let places = pieces.into_iter().map(|(_, place)| place).chain([place]);
                show(&places.collect::<Vec<_>>());
            }
            None => return Some(pieces),
        }
        None
    }

    fn begin(
        &mut self,
        piece: Piece<'l>,
        place: Range<usize>,
        show: &mut impl FnMut(&[Range<usize>]),
    ) {
        match piece.opened().filter(|_| self.open.len() < STREAMS_MAX) {
            Some(resume) => {
                let pieces = vec![(piece, place)];
                self.open.push(Stream { name: piece.stream, resume, pieces });
            }
            None => show(&[place]),
        }
    }

    pub(super) fn are_closed(&self) -> bool {
        self.open.is_empty()
    }
}

/// A part of a frame that is decoded by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// Text as some program wrote it, or as it stands in the log.
    Text(&'p [u8]),
    /// A piece whose rest is nowhere.
    Leftover,
}

/// Tells whether a line is a piece of JSON whose rest should have followed.
#[inline]
pub fn is_leftover(line: &[u8]) -> bool {
    match line.first() {
        Some(b'{') if !line.starts_with(DOCKER) => false,
        Some(b'{' | b'0'..=b'9') => {
            parse(line).is_some_and(|piece| piece.is_partial && piece.opened().is_some())
        }
        _ => false,
    }
}

/// Shows the parts of a frame with the place at which each begins.
pub fn parts(frame: &[u8], mut visit: impl FnMut(usize, Part<'_>)) {
    let first = memchr::memchr(b'\n', frame).and_then(|end| frame.get(..end));
    if first.and_then(parse).is_none() {
        return visit(0, Part::Text(frame));
    }
    let mut show = |places: &[Range<usize>]| show_part(frame, places, &mut visit);
    let mut streams = Streams::default();
    let mut at = 0;
    for line in frame.split_inclusive(|&byte| byte == b'\n') {
        let place = at..at + line.len();
        at = place.end;
        match parse(line) {
            Some(piece) if streams.take(piece, place.clone(), &mut show) => {}
            _ => show(&[place]),
        }
    }
    for stream in &streams.open {
        stream.pieces.iter().for_each(|(_, alone)| show(std::slice::from_ref(alone)));
    }
}

fn show_part(frame: &[u8], places: &[Range<usize>], visit: &mut impl FnMut(usize, Part<'_>)) {
    let Some(at) = places.first().map(|place| place.start) else { return };
    let line = |place: &Range<usize>| frame.get(place.clone()).unwrap_or_default();
    if let [alone] = places {
        let line = line(alone);
        return visit(at, if is_leftover(line) { Part::Leftover } else { Part::Text(line) });
    }
    let mut text = Vec::new();
    for piece in places.iter().filter_map(|place| parse(line(place))) {
        text.extend_from_slice(&piece.text());
    }
    visit(at, Part::Text(&text));
}
