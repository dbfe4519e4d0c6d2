//! Walks a parsed TOML tree and collects every problem on the way, each with its line, column and
//! key.
//!
//! It knows TOML and nothing of prices. It must never stop at the first problem.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::price::problem::BookProblem;

/// A value with its place in the text.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// One row (`price[3]`) or table inside a row (`price[3].standard`), for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    pub(super) section: &'p str,
    pub(super) index: usize,
    pub(super) table: Option<&'p str>,
}

impl Place<'_> {
    fn key(&self, key: &str) -> String {
        let Self { section, index, table } = self;
        let mut text = format!("{section}[{index}]");
        for part in table.iter().copied().chain([key]).filter(|part| !part.is_empty()) {
            text.push('.');
            text.push_str(part);
        }
        text
    }
}

/// The text that is read, and what was found wrong with it.
pub(super) struct Walk<'t> {
    file: &'t str,
    text: &'t str,
    problems: Vec<BookProblem>,
}

impl<'t> Walk<'t> {
    /// Parses `text` as TOML; syntax errors become problems, the rest of the tree is still there.
    pub(super) fn parse(file: &'t str, text: &'t str) -> (Self, DeTable<'t>) {
        let mut walk = Self { file, text, problems: Vec::new() };
        let (tree, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            walk.report(&span, String::new(), format!("not TOML: {}", error.message()));
        }
        (walk, tree.into_inner())
    }

    pub(super) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    pub(super) fn finish(mut self) -> Vec<BookProblem> {
        self.problems.sort_by(|one, other| {
            (one.line, one.column, &one.key).cmp(&(other.line, other.column, &other.key))
        });
        self.problems
    }

    /// Notes a problem with `key` of the row or table at `place`.
    pub(super) fn problem(
        &mut self,
        place: Place<'_>,
        key: &str,
        span: &Range<usize>,
        text: String,
    ) {
        self.report(span, place.key(key), text);
    }

    /// Notes a problem with the whole `key`.
    pub(super) fn report(&mut self, span: &Range<usize>, key: String, text: String) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count().saturating_add(1);
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let column = before.get(line_start..).unwrap_or("").chars().count().saturating_add(1);
        self.problems.push(BookProblem { file: self.file.to_owned(), line, column, key, text });
    }

    /// Notes every key of `table` that is not among `allowed`, with the nearest one that is.
    pub(super) fn check_keys(
        &mut self,
        place: Option<Place<'_>>,
        table: &DeTable<'t>,
        allowed: &[&str],
    ) {
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if !allowed.contains(&name) {
                let path = place.map_or_else(|| name.to_owned(), |place| place.key(name));
                self.report(&key.span(), path, unknown(name, allowed));
            }
        }
    }

    /// Returns the text under `key`, if it is there and a text.
    pub(super) fn text<'a>(
        &mut self,
        place: Place<'_>,
        table: &'a DeTable<'t>,
        key: &str,
    ) -> Option<(&'a str, Range<usize>)> {
        let value = table.get(key)?;
        match value.get_ref().as_str() {
            Some("") => {
                self.problem(
                    place,
                    key,
                    &value.span(),
                    "is empty; write a text or leave it out".to_owned(),
                );
                None
            }
            Some(text) => Some((text, value.span())),
            None => {
                let found = found(value);
                self.problem(
                    place,
                    key,
                    &value.span(),
                    format!("{found} is not a text; write it in quotes"),
                );
                None
            }
        }
    }

    /// Returns the text under `key`, which has to be there.
    pub(super) fn required<'a>(
        &mut self,
        place: Place<'_>,
        table: &'a DeTable<'t>,
        span: &Range<usize>,
        key: &str,
    ) -> Option<(&'a str, Range<usize>)> {
        if !table.contains_key(key) {
            self.problem(place, key, span, format!("`{key}` is missing; add it to this row"));
        }
        self.text(place, table, key)
    }

    /// Returns the texts under `key`: one text, or a list of them.
    pub(super) fn texts<'a>(
        &mut self,
        place: Place<'_>,
        table: &'a DeTable<'t>,
        key: &str,
    ) -> Vec<(&'a str, Range<usize>)> {
        let Some(value) = table.get(key) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            return self.text(place, table, key).into_iter().collect();
        };
        if list.is_empty() {
            self.problem(
                place,
                key,
                &value.span(),
                "is empty; name at least one or leave it out".to_owned(),
            );
        }
        let mut texts: Vec<(&str, Range<usize>)> = Vec::new();
        for item in list {
            match item.get_ref().as_str() {
                Some(text) if texts.iter().any(|(known, _)| *known == text) => {
                    self.problem(
                        place,
                        key,
                        &item.span(),
                        format!("`{text}` is there twice; remove one"),
                    );
                }
                Some(text) => texts.push((text, item.span())),
                None => {
                    let found = found(item);
                    self.problem(
                        place,
                        key,
                        &item.span(),
                        format!("{found} is not a text; write it in quotes"),
                    );
                }
            }
        }
        texts
    }
}

/// Says that `name` is not known, what is, and which one was probably meant.
pub(super) fn unknown(name: &str, allowed: &[&str]) -> String {
    let list = allowed.join("`, `");
    let nearest = allowed
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), *known))
        .min()
        .filter(|&(distance, known)| distance.saturating_mul(3) <= known.len().max(3));
    match nearest {
        Some((_, known)) => {
            format!("`{name}` is not known, did you mean `{known}`? Known are `{list}`")
        }
        None => format!("`{name}` is not known; known are `{list}`"),
    }
}

/// Describes what was found in place of something else.
pub(super) fn found(value: &Value<'_>) -> String {
    match value.get_ref() {
        DeValue::Integer(number) => format!("the number `{}`", number.as_str()),
        DeValue::Float(number) => format!("the number `{}`", number.as_str()),
        DeValue::Datetime(at) => format!("the date `{at}`"),
        DeValue::Boolean(truth) => format!("`{truth}`"),
        DeValue::String(text) => format!("the text `{text}`"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
