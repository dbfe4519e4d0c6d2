//! Reads a TOML table key by key and notes every mistake with its place: wrong types, values out of
//! range, keys that do not exist. Nothing stops at the first mistake.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// A file being read, and what was found wrong so far.
pub(super) struct Reader<'i> {
    file: String,
    text: &'i str,
    problems: RefCell<Vec<Problem>>,
    /// Every key that was asked for, with what it takes; for the reference.
    asked: RefCell<Vec<(String, String)>>,
    is_whole: Cell<bool>,
}

/// A table of the file. Keys that were never asked for are reported by [`Section::finish`].
pub(super) struct Section<'r, 'i> {
    reader: &'r Reader<'i>,
    path: String,
    at: Range<usize>,
    table: DeTable<'i>,
    known: Vec<&'static str>,
    /// Keys that were there when they were read.
    read: Vec<&'static str>,
}

impl<'i> Reader<'i> {
    pub(super) fn new(file: &str, text: &'i str) -> Self {
        let problems = RefCell::default();
        let asked = RefCell::default();
        Self { file: file.to_owned(), text, problems, asked, is_whole: Cell::new(true) }
    }

    /// Parses the file; a syntax error is a problem, and what could be read is still checked.
    pub(super) fn root(&self) -> Section<'_, 'i> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            self.is_whole.set(false);
            let at = error.span().unwrap_or(0..0);
            self.report(&at, String::new(), error.message().replace('\n', ", "));
        }
        Section {
            reader: self,
            path: String::new(),
            at: 0..0,
            table: table.into_inner(),
            known: Vec::new(),
            read: Vec::new(),
        }
    }

    fn line(&self, at: &Range<usize>) -> usize {
        self.text.get(..at.start).unwrap_or("").matches('\n').count() + 1
    }

    pub(super) fn report(&self, at: &Range<usize>, key: String, text: String) {
        let before = self.text.get(..at.start).unwrap_or("");
        let line = self.line(at);
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let problem = Problem { file: self.file.clone(), line, column, key, text };
        self.problems.borrow_mut().push(problem);
    }

    /// Returns every key that was asked for, without numbers of tables, and what it takes.
    pub(super) fn asked(&self) -> Vec<(String, String)> {
        self.asked.borrow().clone()
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }
}

impl<'r, 'i> Section<'r, 'i> {
    /// Tells whether all of the file was understood as TOML.
    pub(super) fn is_whole(&self) -> bool {
        self.reader.is_whole.get()
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Takes the value of a key, which is known from now on and takes what `takes` says.
    fn take(&mut self, key: &'static str, takes: &str) -> Option<Spanned<DeValue<'i>>> {
        self.known.push(key);
        let parts = self.path.split('.').map(|part| part.split('[').next().unwrap_or_default());
        let path: Vec<&str> = parts.filter(|part| !part.is_empty()).chain([key]).collect();
        self.reader.asked.borrow_mut().push((path.join("."), takes.to_owned()));
        let value = self.table.remove(key);
        if value.is_some() {
            self.read.push(key);
        }
        value
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'i>>, wanted: &str) {
        let found = value.get_ref().type_str();
        self.report_at(key, &value.span(), format!("found {found}, expected {wanted}"));
    }

    fn report_at(&self, key: &str, at: &Range<usize>, text: String) {
        self.reader.report(at, self.path_of(key), text);
    }

    /// Reports something about the section as a whole.
    pub(super) fn report(&self, text: String) {
        self.reader.report(&self.at, self.path.clone(), text);
    }

    /// Returns where the section is, for problems of another one.
    pub(super) fn place(&self) -> String {
        format!("`{}` on line {}", self.path, self.reader.line(&self.at))
    }

    /// Reads a text and what it stands for; `allowed` completes "expected …".
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(key, allowed)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, &value, allowed);
            return None;
        };
        let parsed = parse(text);
        if parsed.is_none() {
            self.report_at(key, &value.span(), format!("found `{text}`, expected {allowed}"));
        }
        parsed
    }

    /// Reads a text or a number, as it is written. The error of `parse` says what is wrong with it, after
    /// "found …, "; `allowed` completes "expected …" where it is neither.
    pub(super) fn scalar<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.take(key, allowed)?;
        let text = match value.get_ref() {
            DeValue::String(text) => text.as_ref(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => {
                self.wrong_type(key, &value, allowed);
                return None;
            }
        };
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(what) => {
                self.report_at(key, &value.span(), format!("found `{text}`, {what}"));
                None
            }
        }
    }

    /// Reads a day or an instant, quoted or not; `allowed` completes "expected …".
    pub(super) fn instant<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(key, allowed)?;
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            _ => {
                self.wrong_type(key, &value, allowed);
                return None;
            }
        };
        let parsed = parse(&text);
        if parsed.is_none() {
            self.report_at(key, &value.span(), format!("found `{text}`, expected {allowed}"));
        }
        parsed
    }

    /// Reads a text whose mistakes `parse` describes itself, without the text where that may hold a
    /// secret.
    pub(super) fn checked<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.take(key, "a text")?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, &value, "a text that is not empty");
            return None;
        };
        parse(text).map_err(|problem| self.report_at(key, &value.span(), problem)).ok()
    }

    /// Tells whether a key is there and was not read yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Tells whether a key that was read was there, whatever it held.
    pub(super) fn was_there(&self, key: &str) -> bool {
        self.read.contains(&key)
    }

    /// Reports a key that must not be there, without its value; it is not shown as a known one.
    pub(super) fn refuse(&mut self, key: &str, text: &str) {
        if let Some(value) = self.table.remove(key) {
            self.report_at(key, &value.span(), text.to_owned());
        }
    }

    /// Reads a text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.parsed(key, "a text that is not empty", |text| {
            (!text.is_empty()).then(|| text.to_owned())
        })
    }

    /// Reads a whole number within `range`.
    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        let value = self.take(key, &allowed)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, &value, &allowed);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let found = integer.as_str();
            self.report_at(key, &value.span(), format!("found `{found}`, expected {allowed}"));
        }
        number
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key, "`true` or `false`")?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, &value, "`true` or `false`");
        }
        flag
    }

    /// Reads a duration such as `90s`, as milliseconds, within `range` of milliseconds.
    pub(super) fn duration_ms(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let allowed = format!(
            "a duration from `{}` to `{}`, for example `500ms`, `90s`, `15m`, `6h` or `30d`",
            duration_text(*range.start()),
            duration_text(*range.end())
        );
        self.parsed(key, &allowed, |text| parse_duration_ms(text).filter(|ms| range.contains(ms)))
    }

    /// Reads a list of texts.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.list(key, "a text that is not empty", |text| {
            (!text.is_empty()).then(|| text.to_owned())
        })
    }

    /// Reads a list of texts and what they stand for; `allowed` completes "expected …".
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.take(key, &format!("a list of texts, each {allowed}"))?;
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, &value, "a list of texts, for example `[\"a\", \"b\"]`");
            return None;
        };
        let mut texts = Vec::new();
        for (place, item) in items.iter().enumerate() {
            match item.get_ref().as_str().map(|text| (text, parse(text))) {
                Some((_, Some(parsed))) => texts.push(parsed),
                Some((text, None)) => {
                    let text = format!("found `{text}`, expected {allowed}");
                    self.report_at(&format!("{key}[{place}]"), &item.span(), text);
                }
                None => self.wrong_type(&format!("{key}[{place}]"), item, "a text"),
            }
        }
        Some(texts)
    }

    /// Reads a table whose keys are free and whose values are texts that are `valid`.
    pub(super) fn text_map(
        &mut self,
        key: &'static str,
        allowed: &str,
        valid: impl Fn(&str) -> bool,
    ) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        let Some(value) = self.take(key, &format!("a table; each value is {allowed}")) else {
            return map;
        };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, &value, "a table");
            return map;
        };
        for (name, value) in table {
            let path = format!("{key}.\"{}\"", name.get_ref());
            match value.get_ref().as_str() {
                Some(text) if valid(text) => {
                    map.insert(name.get_ref().to_string(), text.to_owned());
                }
                Some(text) => {
                    let text = format!("found `{text}`, expected {allowed}");
                    self.report_at(&path, &value.span(), text);
                }
                None => self.wrong_type(&path, value, allowed),
            }
        }
        map
    }

    /// Reads a table whose keys are free, each with a text or a list of texts. The error of `check` says
    /// what is wrong with a key.
    pub(super) fn text_lists(
        &mut self,
        key: &'static str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Vec<(String, Vec<String>)> {
        let allowed = "a text or a list of texts, for example `[\"a\", \"b\"]`, not an empty one";
        let mut lists = Vec::new();
        let Some(value) = self.take(key, &format!("a table; each value is {allowed}")) else {
            return lists;
        };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, &value, "a table");
            return lists;
        };
        for (name, value) in table {
            let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let quote = if name.get_ref().chars().all(is_bare) { "" } else { "\"" };
            let path = format!("{key}.{quote}{}{quote}", name.get_ref());
            if let Err(what) = check(name.get_ref()) {
                self.report_at(&path, &name.span(), what);
                continue;
            }
            let items = match value.get_ref() {
                DeValue::String(_) => std::slice::from_ref(value),
                DeValue::Array(items) => items.as_ref(),
                _ => &[],
            };
            let texts: Option<Vec<String>> =
                items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
            match texts {
                Some(texts) if !texts.is_empty() => lists.push((name.get_ref().to_string(), texts)),
                _ => self.wrong_type(&path, value, allowed),
            }
        }
        lists
    }

    /// Opens a table; a missing one reads as empty.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'r, 'i> {
        let path = self.path_of(key);
        let (at, table) = match self.take(key, "a table") {
            None => (self.at.clone(), DeTable::new()),
            Some(value) => {
                let at = value.span();
                if !value.get_ref().is_table() {
                    self.wrong_type(key, &value, "a table");
                }
                match value.into_inner() {
                    DeValue::Table(table) => (at, table),
                    _ => (at, DeTable::new()),
                }
            }
        };
        Section { reader: self.reader, path, at, table, known: Vec::new(), read: Vec::new() }
    }

    /// Opens a list of tables (`[[key]]`).
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'r, 'i>> {
        let path = self.path_of(key);
        let Some(value) = self.take(key, "tables") else { return Vec::new() };
        if !value.get_ref().is_array() {
            self.wrong_type(key, &value, &format!("a list of tables (`[[{path}]]`)"));
        }
        let DeValue::Array(items) = value.into_inner() else { return Vec::new() };
        let mut sections = Vec::new();
        for (place, item) in items.into_iter().enumerate() {
            let at = item.span();
            if !item.get_ref().is_table() {
                self.wrong_type(&format!("{key}[{place}]"), &item, "a table");
            }
            if let DeValue::Table(table) = item.into_inner() {
                let path = format!("{path}[{place}]");
                sections.push(Section {
                    reader: self.reader,
                    path,
                    at,
                    table,
                    known: Vec::new(),
                    read: Vec::new(),
                });
            }
        }
        sections
    }

    /// Reports every key that does not exist, with the nearest that does.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let found = key.get_ref();
            let hint = match nearest(found, self.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known keys are `{}`", self.known.join("`, `")),
            };
            self.report_at(found, &key.span(), format!("there is no such key; {hint}"));
        }
    }
}

/// Returns the right spelling that is nearest to `found`, if any is near.
pub(super) fn nearest<'k>(found: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|known| (strsim::damerau_levenshtein(found, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(3) / 2)
        .map(|(_, known)| known)
}

/// Milliseconds by unit, the largest unit first.
const UNITS: [(&str, i64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration such as `90s` or `6h` as milliseconds.
pub(crate) fn parse_duration_ms(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, ms) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.parse::<i64>().ok()?.checked_mul(ms)
}

pub(super) fn duration_text(ms: i64) -> String {
    let whole = UNITS.into_iter().find(|(_, unit)| ms >= *unit && ms % unit == 0);
    whole.map_or_else(|| format!("{ms}ms"), |(name, unit)| format!("{}{name}", ms / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, ms) in [
            ("500ms", Some(500)),
            ("90s", Some(90_000)),
            ("6h", Some(21_600_000)),
            ("400d", Some(34_560_000_000)),
            ("6", None),
            ("h", None),
            ("-6h", None),
            ("1.5h", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(parse_duration_ms(text), ms, "{text}");
        }
        assert_eq!(duration_text(21_600_000), "6h");
    }
}
