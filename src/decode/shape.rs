//! What a part of a line that was not understood looks like, without its text: names of keys and types
//! of values, or a class of text.
//!
//! This is all that anybody gets to see of such a part. Values are never kept; keys only if they look
//! like names that a program gave (a key may be anybody's text too), few of them, not too deep, and
//! none from where prompts and answers stand.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::wrapping::begins_json;
use crate::model::time::UnixMillis;

/// Objects and arrays in each other that are looked into.
const DEPTH_MAX: usize = 4;
/// Keys named of one object.
const OBJECT_KEYS_MAX: usize = 16;
/// Keys named of one part.
const KEYS_MAX: usize = 40;
/// Different kinds of elements named of one array.
const ELEMENTS_MAX: usize = 3;
/// Elements of an array that are looked at.
const ELEMENTS_SEEN_MAX: usize = 16;
/// The longest key that is named; the longest one that is read, `cache_creation_input_tokens`, has 27
/// bytes.
const KEY_BYTES_MAX: usize = 40;
/// A key with more digits is an id and no name.
const KEY_DIGITS_MAX: usize = 4;
/// Keys whose values are written by people and models.
const BODIES: &[&str] = &[
    "choices",
    "completion",
    "content",
    "inputBodyJson",
    "messages",
    "modelInput",
    "modelOutput",
    "outputBodyJson",
    "prompt",
    "system",
    "tools",
];

/// A part of a line. Nobody but the decoder reads its text.
#[derive(Clone, Copy)]
pub struct Refused<'i>(pub(super) &'i [u8]);

impl Refused<'_> {
    /// Returns what the part looks like.
    pub fn shape(&self) -> Shape {
        let text = String::from_utf8_lossy(self.0);
        let text = text.trim();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let mut keys = KEYS_MAX;
        let json = Json { depth: DEPTH_MAX, keys: &mut keys }.deserialize(&mut deserializer);
        match json.and_then(|json| deserializer.end().map(|()| json)) {
            Ok(json) if json.starts_with(['{', '[']) => Shape::Json(json),
            Ok(scalar) => Shape::Json(format!("JSON that is only a {scalar}")),
            Err(error) if begins_json(text.as_bytes()) => {
                Shape::Text(if error.is_eof() { Class::CutJson } else { Class::BrokenJson }, false)
            }
            Err(_) => {
                let class = Class::of(text);
                Shape::Text(class, class != Class::Binary && text.contains('{'))
            }
        }
    }
}

/// Shows the shape, since the text must not get out.
impl fmt::Debug for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({})", self.shape())
    }
}

/// What a part of a line looks like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// JSON: keys in alphabetic order, and the types of their values.
    Json(String),
    /// Text, and whether a brace stands in it.
    Text(Class, bool),
}

/// `{level: text, usage: {in: number}}`, or `text that begins with a time, with a brace in it`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(json) => f.write_str(json),
            Self::Text(class, has_brace) => {
                f.write_str(class.as_str())?;
                f.write_str(if *has_brace { ", with a brace in it" } else { "" })
            }
        }
    }
}

/// A class of text that is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Begins as JSON and ends too early.
    CutJson,
    /// Begins as JSON and is none.
    BrokenJson,
    /// Begins with a date, a time of day or a number of seconds.
    Time,
    /// Begins with a level such as `ERROR`.
    Level,
    /// Begins with an address, as access logs do.
    Address,
    /// Begins with a priority of syslog.
    Priority,
    /// Begins with `key=value`.
    KeyValue,
    /// Begins with `<`.
    Markup,
    /// Has bytes that no text has.
    Binary,
    /// Anything else.
    Other,
}

impl Class {
    /// Returns the class in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CutJson => "JSON that is cut off",
            Self::BrokenJson => "JSON with a mistake in it",
            Self::Time => "text that begins with a time",
            Self::Level => "text that begins with a level",
            Self::Address => "text that begins with an address",
            Self::Priority => "text that begins with a syslog priority",
            Self::KeyValue => "text that begins with key=value",
            Self::Markup => "text that begins with `<`",
            Self::Binary => "no text",
            Self::Other => "text",
        }
    }

    fn of(text: &str) -> Self {
        const LEVELS: &[&str] = &[
            "TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL",
            "SEVERE", "PANIC",
        ];
        let is_foreign = |c: char| {
            c == char::REPLACEMENT_CHARACTER || (c.is_control() && !"\t\r\n\u{1b}".contains(c))
        };
        if text.contains(is_foreign) {
            return Self::Binary;
        }
        let word = text.split([' ', '\t', ',']).next().unwrap_or("");
        let bare = word.trim_matches(['[', ']', '(', ')', ':', '"']);
        if LEVELS.contains(&bare.to_uppercase().as_str()) {
            return Self::Level;
        }
        if bare.parse::<core::net::IpAddr>().is_ok() {
            return Self::Address;
        }
        if is_time(bare) {
            return Self::Time;
        }
        match text.strip_prefix('<') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => return Self::Priority,
            Some(_) => return Self::Markup,
            None => {}
        }
        let is_pair = bare.split_once('=').is_some_and(|(key, _)| is_name(key));
        if is_pair { Self::KeyValue } else { Self::Other }
    }
}

/// Tells whether a word begins as dates, times of day and numbers of seconds do.
fn is_time(word: &str) -> bool {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let next = word.as_bytes().get(digits).copied();
    match digits {
        0 => MONTHS.contains(&word),
        1 | 2 => matches!(next, Some(b':' | b'/' | b'-' | b'.')),
        4 => matches!(next, Some(b'-' | b'/')),
        digits => digits >= 8 && matches!(next, None | Some(b'.' | b'T')),
    }
}

/// Tells whether a key is one that a program's author chose, as far as that can be seen.
fn is_name(key: &str) -> bool {
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    key.len() <= KEY_BYTES_MAX
        && digits <= KEY_DIGITS_MAX
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || "_@$".contains(c))
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "_@$.-".contains(c))
}

/// Reads a value and returns its shape.
struct Json<'k> {
    /// Objects and arrays that may still be looked into.
    depth: usize,
    /// Keys that may still be named.
    keys: &'k mut usize,
}

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<String, E> {
        Ok("bool".to_owned())
    }

    fn visit_i64<E>(self, _: i64) -> Result<String, E> {
        Ok("number".to_owned())
    }

    fn visit_u64<E>(self, _: u64) -> Result<String, E> {
        Ok("number".to_owned())
    }

    fn visit_f64<E>(self, _: f64) -> Result<String, E> {
        Ok("number".to_owned())
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok("null".to_owned())
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        Ok(if UnixMillis::parse_rfc3339(text).is_some() {
            "time".to_owned()
        } else if is_number {
            "number in quotes".to_owned()
        } else {
            "text".to_owned()
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<String, A::Error> {
        let mut shapes: Vec<String> = Vec::new();
        let mut seen = 0;
        let Some(depth) = self.depth.checked_sub(1) else {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return Ok("[…]".to_owned());
        };
        while seen < ELEMENTS_SEEN_MAX {
            let seed = Json { depth, keys: &mut *self.keys };
            let Some(shape) = elements.next_element_seed(seed)? else { break };
            seen += 1;
            if !shapes.contains(&shape) && shapes.len() < ELEMENTS_MAX {
                shapes.push(shape);
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(format!("[{}]", shapes.join(", ")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<String, A::Error> {
        let mut named: Vec<String> = Vec::new();
        let mut left_out = false;
        let depth = self.depth.checked_sub(1);
        while let Some(key) = members.next_key::<std::borrow::Cow<'_, str>>()? {
            let room = named.len() < OBJECT_KEYS_MAX && *self.keys > 0;
            let (true, Some(depth)) = (room && is_name(&key), depth) else {
                members.next_value::<IgnoredAny>()?;
                left_out = true;
                continue;
            };
            *self.keys -= 1;
            let depth = if BODIES.contains(&&*key) { 0 } else { depth };
            let value = members.next_value_seed(Json { depth, keys: &mut *self.keys })?;
            named.push(format!("{key}: {value}"));
        }
        named.sort_unstable();
        named.dedup();
        if left_out {
            named.push("…".to_owned());
        }
        Ok(format!("{{{}}}", named.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(text: &str) -> String {
        Refused(text.as_bytes()).shape().to_string()
    }

    #[test]
    fn json_is_told_by_its_keys_and_types_in_any_order() {
        for text in [
            r#"{"ts":"2026-09-02T14:00:01Z","llm":{"in":5,"out":7,"ok":true},"n":"12","x":null}"#,
            r#"{"x":null,"n":"93","llm":{"ok":false,"out":9.5,"in":-1},"ts":"2026-09-02T14:00:02Z"}"#,
        ] {
            assert_eq!(
                shape(text),
                "{llm: {in: number, ok: bool, out: number}, n: number in quotes, ts: time, x: null}"
            );
        }
        assert_eq!(shape(r#"[{"a":1},{"a":2},{"b":[]}]"#), "[{a: number}, {b: []}]");
        assert_eq!(shape(r#"{"a":{"b":{"c":{"d":{"e":1}}}}}"#), "{a: {b: {c: {d: {…}}}}}");
        assert_eq!(shape("12"), "JSON that is only a number");
    }

    #[test]
    fn keys_that_are_no_names_and_everything_in_bodies_are_left_out() {
        for (text, expected) in [
            (r#"{"my secret":1,"a":2}"#, "{a: number, …}"),
            (r#"{"4f1a9c20":1}"#, "{…}"),
            (r#"{"user_1234567":1}"#, "{…}"),
            (r#"{"caf\u00e9":1}"#, "{…}"),
            (
                r#"{"messages":[{"c4n4ry":"c4n4ry"}],"prompt":"c4n4ry"}"#,
                "{messages: […], prompt: text}",
            ),
            (r#"{"inputBodyJson":{"c4n4ry":1}}"#, "{inputBodyJson: {…}}"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
        let long = format!("{{\"{}\":1}}", "k".repeat(KEY_BYTES_MAX + 1));
        assert_eq!(shape(&long), "{…}");
        let key = |n: usize| format!("\"k{}\":1", char::from(b'a' + u8::try_from(n).unwrap()));
        let wide = format!("{{{}}}", (0..26).map(key).collect::<Vec<_>>().join(","));
        assert_eq!(shape(&wide).matches("number").count(), OBJECT_KEYS_MAX);
    }

    #[test]
    fn text_is_told_by_how_it_begins() {
        for (text, expected) in [
            ("2026-09-02 14:00:01,123 hello", "text that begins with a time"),
            ("[02/Sep/2026:14:00:01 +0000] hello", "text that begins with a time"),
            ("Sep 02 14:00:01 host app[1]: {", "text that begins with a time, with a brace in it"),
            ("1788357601.25 hello", "text that begins with a time"),
            ("[INFO] hello", "text that begins with a level"),
            ("10.0.0.7 - - [x] \"GET /\"", "text that begins with an address"),
            ("<14>1 hello", "text that begins with a syslog priority"),
            ("<html>", "text that begins with `<`"),
            ("tokens=12 model=m", "text that begins with key=value"),
            ("hello", "text"),
            ("5 apples", "text"),
            (r#"{"a":1,"b":"#, "JSON that is cut off"),
            (r#"{"a":1,,}"#, "JSON with a mistake in it"),
            ("a\u{1}b", "no text"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
        assert_eq!(Refused(b"\xff\xfe").shape().to_string(), "no text");
    }

    proptest! {
        #[test]
        fn no_value_is_ever_in_a_shape(
            keys in proptest::collection::vec("[a-z_]{1,12}", 1..6),
            canary in "[A-Z]{12}",
            cut in 0..400_usize,
        ) {
            let mut json = format!("\"{canary}\"");
            for key in &keys {
                json = format!("{{\"{key}\":[{json},{{\"a {canary}\":1}}],\"t\":\"{canary} {canary}\"}}");
            }
            for text in [json.as_str(), json.get(..cut.min(json.len())).unwrap(), &format!("{canary} {json}")] {
                let shape = shape(text);
                prop_assert!(!shape.contains(canary.as_str()), "{} of {}", shape, text);
                prop_assert!(shape.len() < 4_096);
            }
        }

        #[test]
        fn a_shape_of_anything_is_short_and_printable(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let shape = Refused(&bytes).shape().to_string();
            prop_assert!(shape.len() < 4_096 && !shape.contains(char::is_control), "{}", shape);
        }
    }
}
