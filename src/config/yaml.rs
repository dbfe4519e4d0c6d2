//! Reads YAML key by key and notes every mistake with its place, as `section` does for TOML.
//!
//! Only plain documents: anchors, aliases and tags are refused, and so are two keys of one name. So no
//! small file becomes a large tree, and no key hides another. Values are texts; who asks says what they
//! stand for. The text of a value is never part of a problem, since it may be a secret.

use std::cell::RefCell;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::problem::Problem;
use super::section::nearest;

/// Deepest nesting that is read; nothing here has more than four levels.
const DEPTH_MAX: usize = 16;

/// A file being read, and what was found wrong so far.
pub(super) struct YamlReader {
    file: String,
    problems: RefCell<Vec<Problem>>,
}

/// A mapping of the file. Keys that were never asked for are reported by [`YamlTable::finish`].
pub(super) struct YamlTable<'r> {
    reader: &'r YamlReader,
    path: String,
    at: Place,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
}

/// Line and column, from 1.
type Place = (usize, usize);

struct Entry {
    key: String,
    at: Place,
    value: Node,
}

struct Node {
    at: Place,
    value: Value,
}

enum Value {
    /// A text; whether it stands there without quotes.
    Scalar(String, bool),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// What is wrong, and where.
type Mistake = (Place, String);
type Events<'i> = Parser<'i, StrInput<'i>>;

impl YamlReader {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), problems: RefCell::default() }
    }

    /// Parses the file; a syntax error is a problem, and then there is nothing to check.
    pub(super) fn root(&self, text: &str) -> YamlTable<'_> {
        let entries = match parse(text) {
            Ok(Node { value: Value::Map(entries), .. }) => entries,
            Ok(node) if node.is_nothing() => Vec::new(),
            Ok(node) => {
                self.report(node.at, "", format!("found {}, expected keys", node.kind()));
                Vec::new()
            }
            Err((at, text)) => {
                self.report(at, "", text);
                Vec::new()
            }
        };
        YamlTable { reader: self, path: String::new(), at: (1, 1), entries, known: Vec::new() }
    }

    fn report(&self, (line, column): Place, key: &str, text: String) {
        let (file, key) = (self.file.clone(), key.to_owned());
        self.problems.borrow_mut().push(Problem { file, line, column, key, text });
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }
}

impl<'r> YamlTable<'r> {
    fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.known.push(key);
        let found = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(found)).filter(|entry| !entry.value.is_nothing())
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn report_at(&self, key: &str, at: Place, text: String) {
        self.reader.report(at, &self.path_of(key), text);
    }

    /// Reports something about the table as a whole.
    pub(super) fn report(&self, text: &str) {
        self.reader.report(self.at, &self.path, text.to_owned());
    }

    /// Tells whether a key is there with a value, and was not read yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key && !entry.value.is_nothing())
    }

    /// Reports a key that is known and can't be had; it is not shown as a known one.
    pub(super) fn refuse(&mut self, key: &str, text: &str) {
        if let Some(found) = self.entries.iter().position(|entry| entry.key == key) {
            let entry = self.entries.remove(found);
            self.report_at(key, entry.at, text.to_owned());
        }
    }

    /// Reads a text. The error of `parse` says what is expected, and never repeats the text where that
    /// may be a secret.
    pub(super) fn text<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let entry = self.take(key)?;
        self.parsed(key, &entry.value, parse)
    }

    fn parsed<T>(
        &self,
        key: &str,
        node: &Node,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Value::Scalar(text, _) = &node.value else {
            self.report_at(key, node.at, format!("found {}, expected a text", node.kind()));
            return None;
        };
        parse(text).map_err(|problem| self.report_at(key, node.at, problem)).ok()
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let entry = self.take(key)?;
        match &entry.value.value {
            Value::Scalar(text, true) if text == "true" => Some(true),
            Value::Scalar(text, true) if text == "false" => Some(false),
            _ => {
                let text = "expected `true` or `false`, without quotes".to_owned();
                self.report_at(key, entry.value.at, text);
                None
            }
        }
    }

    /// Reads a list of texts.
    pub(super) fn texts<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(entry) = self.take(key) else { return Vec::new() };
        let Value::List(items) = &entry.value.value else {
            let found = entry.value.kind();
            self.report_at(key, entry.value.at, format!("found {found}, expected a list"));
            return Vec::new();
        };
        let numbered = items.iter().enumerate();
        numbered
            .filter_map(|(number, item)| self.parsed(&format!("{key}[{number}]"), item, &parse))
            .collect()
    }

    /// Opens a mapping; a missing one reads as empty.
    pub(super) fn table(&mut self, key: &'static str) -> YamlTable<'r> {
        let path = self.path_of(key);
        let (at, entries) = match self.take(key) {
            None => (self.at, Vec::new()),
            Some(Entry { value: Node { value: Value::Map(entries), .. }, at, .. }) => (at, entries),
            Some(entry) => {
                let found = entry.value.kind();
                self.report_at(key, entry.value.at, format!("found {found}, expected keys"));
                (entry.at, Vec::new())
            }
        };
        YamlTable { reader: self.reader, path, at, entries, known: Vec::new() }
    }

    /// Reads all entries of a mapping whose keys are free.
    pub(super) fn all<T>(
        mut self,
        parse: impl Fn(&str, &str) -> Result<T, String>,
    ) -> Vec<(String, T)> {
        let entries = std::mem::take(&mut self.entries);
        let read = |entry: Entry| {
            let value = self.parsed(&entry.key, &entry.value, |text| parse(&entry.key, text))?;
            Some((entry.key, value))
        };
        entries.into_iter().filter_map(read).collect()
    }

    /// Reports every key that does not exist, with the nearest that does.
    pub(super) fn finish(self) {
        for entry in &self.entries {
            let hint = match nearest(&entry.key, self.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known keys are `{}`", self.known.join("`, `")),
            };
            self.report_at(&entry.key, entry.at, format!("there is no such key; {hint}"));
        }
    }
}

impl Node {
    fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(..) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "keys",
        }
    }

    /// A key without a value is as good as none.
    fn is_nothing(&self) -> bool {
        matches!(&self.value, Value::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null"))
    }
}

fn place(mark: &Marker) -> Place {
    (mark.line(), mark.col() + 1)
}

fn parse(text: &str) -> Result<Node, Mistake> {
    let mut events = Parser::new_from_str(text);
    let mut root = None;
    loop {
        let (event, span) = next(&mut events)?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if root.is_some() => {
                return Err((place(&span.start), "found a second document".to_owned()));
            }
            event => root = Some(node(&mut events, event, &span, 0)?),
        }
    }
    let nothing = Node { at: (1, 1), value: Value::Scalar(String::new(), true) };
    Ok(root.unwrap_or(nothing))
}

fn next<'i>(events: &mut Events<'i>) -> Result<(Event<'i>, Span), Mistake> {
    match events.next_event() {
        Some(Ok(event)) => Ok(event),
        Some(Err(error)) => {
            Err((place(error.marker()), format!("this is no YAML: {}", error.info())))
        }
        None => Err(((1, 1), "this is no YAML: it ends too early".to_owned())),
    }
}

fn node<'i>(
    events: &mut Events<'i>,
    event: Event<'i>,
    span: &Span,
    depth: usize,
) -> Result<Node, Mistake> {
    let at = place(&span.start);
    if depth > DEPTH_MAX {
        return Err((at, format!("found more than {DEPTH_MAX} levels")));
    }
    let value = match event {
        Event::Scalar(text, style, 0, None) => {
            Value::Scalar(text.into_owned(), style == ScalarStyle::Plain)
        }
        Event::SequenceStart(0, None) => list(events, depth)?,
        Event::MappingStart(0, None) => map(events, depth)?,
        _ => {
            return Err((
                at,
                "anchors, aliases and tags of YAML are not read; write it out".into(),
            ));
        }
    };
    Ok(Node { at, value })
}

fn list(events: &mut Events<'_>, depth: usize) -> Result<Value, Mistake> {
    let mut items = Vec::new();
    loop {
        let (event, span) = next(events)?;
        if event == Event::SequenceEnd {
            return Ok(Value::List(items));
        }
        items.push(node(events, event, &span, depth + 1)?);
    }
}

fn map(events: &mut Events<'_>, depth: usize) -> Result<Value, Mistake> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let (event, span) = next(events)?;
        if event == Event::MappingEnd {
            return Ok(Value::Map(entries));
        }
        let key = node(events, event, &span, depth + 1)?;
        let Value::Scalar(name, _) = key.value else {
            return Err((key.at, "found a key that is no text".to_owned()));
        };
        if entries.iter().any(|entry| entry.key == name) {
            return Err((key.at, format!("found `{name}` twice, expected it once")));
        }
        let (event, span) = next(events)?;
        let value = node(events, event, &span, depth + 1)?;
        entries.push(Entry { key: name, at: key.at, value });
    }
}
