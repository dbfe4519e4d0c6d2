//! The description of a log whose fields have names of their own: which lines are of it, and where in
//! them what stands. Plain data; `decode` reads lines with it.

use super::names::names;

/// The longest path, in bytes and in steps.
const PATH_BYTES_MAX: usize = 256;
const PATH_STEPS_MAX: usize = 16;

names! {
    /// What a described log may tell of a call.
    FormatField {
        /// When it was made: RFC 3339, or seconds or milliseconds since 1970.
        Time = "time",
        /// Model id, profile id or ARN.
        Model = "model",
        /// Id of the request.
        RequestId = "request_id",
        /// AWS account id.
        Account = "account",
        /// Region that was called.
        Region = "region",
        /// ARN of the caller.
        Principal = "principal",
        /// Input tokens.
        InputTokens = "input_tokens",
        /// Output tokens.
        OutputTokens = "output_tokens",
        /// Input tokens read from a cache.
        CacheRead = "cache_read",
        /// Input tokens written to a cache.
        CacheWrite = "cache_write",
        /// The sum of the tokens, to check the others.
        Total = "total",
        /// Duration of the call in milliseconds.
        LatencyMs = "latency_ms",
        /// Time to the first token in milliseconds.
        FirstTokenMs = "first_token_ms",
        /// Why the model stopped.
        StopReason = "stop_reason",
        /// Error code or text of a failed call.
        Error = "error",
        /// HTTP status, or a word such as `failed`.
        Status = "status",
        /// What the application believes the call cost, in dollars.
        CostUsd = "cost_usd",
    }
}

/// The description of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFormat {
    /// What the config calls it.
    pub name: String,
    /// What a line of it has; never empty.
    pub when: Vec<Condition>,
    /// Where the fields stand.
    pub fields: Vec<(FormatField, JsonPath)>,
    /// Whether the input tokens hold those read from and written to a cache.
    pub cached_in_input: bool,
}

/// A place that must be there, and what must stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The place.
    pub path: JsonPath,
    /// The text of the value; `None` takes any but `null`.
    pub equals: Option<String>,
}

/// A place in JSON: keys with dots between them, `[]` for every element of an array.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JsonPath(pub Vec<PathStep>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathStep {
    /// The value of a key.
    Key(String),
    /// The elements of an array.
    Elements,
}

impl Condition {
    /// Reads `path` or `path = value`, the value with or without quotes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut is_quoted = false;
        let equals = text.find(|c| {
            is_quoted ^= c == '"';
            c == '=' && !is_quoted
        });
        let Some((path, value)) = equals.and_then(|at| text.split_at_checked(at)) else {
            return Some(Self { path: JsonPath::parse(text)?, equals: None });
        };
        let value = value.strip_prefix('=')?.trim();
        let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        Some(Self { path: JsonPath::parse(path.trim())?, equals: Some(bare.to_owned()) })
    }
}

impl JsonPath {
    /// Reads a path such as `llm.usage.in`, `choices[].reason` or `attributes."gen_ai.request.model"`.
    /// A key with a dot, a bracket or a space in it stands in quotes. A leading `$.` is allowed.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > PATH_BYTES_MAX {
            return None;
        }
        let mut rest = text.strip_prefix("$.").unwrap_or(text);
        let mut steps = Vec::new();
        loop {
            let quoted = rest.strip_prefix('"').map(|quoted| quoted.split_once('"'));
            let (key, behind) = if let Some(quoted) = quoted {
                quoted?
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                rest.split_at_checked(end)?
            };
            let is_bare = !rest.starts_with('"');
            let is_odd = |c: char| c.is_whitespace() || c.is_control() || "\"]=$".contains(c);
            if key.is_empty() || (is_bare && key.contains(is_odd)) {
                return None;
            }
            steps.push(PathStep::Key(key.to_owned()));
            rest = behind;
            while let Some(behind) = rest.strip_prefix("[]") {
                steps.push(PathStep::Elements);
                rest = behind;
            }
            if rest.is_empty() {
                return (steps.len() <= PATH_STEPS_MAX).then_some(Self(steps));
            }
            rest = rest.strip_prefix('.')?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> PathStep {
        PathStep::Key(key.to_owned())
    }

    #[test]
    fn paths_are_keys_and_elements() {
        for (text, expected) in [
            ("a", Some(vec![key("a")])),
            ("$.a.b", Some(vec![key("a"), key("b")])),
            (
                "a[].b[][]",
                Some(vec![
                    key("a"),
                    PathStep::Elements,
                    key("b"),
                    PathStep::Elements,
                    PathStep::Elements,
                ]),
            ),
            ("a.\"b.c d\"[]", Some(vec![key("a"), key("b.c d"), PathStep::Elements])),
            ("@timestamp", Some(vec![key("@timestamp")])),
            ("", None),
            ("a.", None),
            (".a", None),
            ("a..b", None),
            ("a[0]", None),
            ("a b", None),
            ("\"a", None),
            ("\"\"", None),
            ("[]", None),
            ("$", None),
        ] {
            assert_eq!(JsonPath::parse(text).map(|path| path.0), expected, "{text}");
        }
        assert_eq!(JsonPath::parse("a.".repeat(20).trim_end_matches('.')), None);
    }

    #[test]
    fn a_condition_may_ask_for_a_value() {
        for (text, path, equals) in [
            ("kind", "kind", None),
            ("kind=llm", "kind", Some("llm")),
            ("kind = \"a = b\"", "kind", Some("a = b")),
            ("\"a=b\".c = 5", "\"a=b\".c", Some("5")),
            ("kind =", "kind", Some("")),
        ] {
            let expected = Condition {
                path: JsonPath::parse(path).unwrap(),
                equals: equals.map(str::to_owned),
            };
            assert_eq!(Condition::parse(text), Some(expected), "{text}");
        }
        assert_eq!(Condition::parse("= 5"), None);
    }
}
