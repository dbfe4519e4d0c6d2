//! Lines of text: what Lambda says of runs, and errors of applications.
//!
//! A line is an error by its level, or since it begins with the name of an exception. Anything else may
//! quote an error, in a prompt above all, and is not one.

use std::borrow::Cow;

use super::error_log::{Severity, severity};
use super::{Context, Found, SignalRecord, add_error, endpoint, lambda};
use crate::decode::draft::believed;
use crate::decode::prefix;
use crate::model::error_class::{self, ErrorClass};
use crate::model::names::RecordKind;
use crate::model::time::UnixMillis;

/// How much of a line is looked at.
const TEXT_BYTES_MAX: usize = 4_096;
/// Words at the start of a line among which its level stands.
const WORDS_BEFORE_LEVEL: usize = 12;

/// What Lambda says of a run beside its report.
const LAMBDA_STEPS: &[&str] = &[
    "START RequestId: ",
    "END RequestId: ",
    "INIT_START ",
    "XRAY TraceId: ",
    "EXTENSION\t",
    "TELEMETRY\t",
    "RESTORE_START ",
    "RESTORE_REPORT ",
    // Said once more under the line that says what happened.
    "Runtime.ExitError",
];
/// How the lines of a stack trace begin, white space aside.
const TRACE_LINES: &[&str] = &["Traceback (most recent call last):", "File \"", "at ", "... "];

/// Returns what a line of text is, if it is of a known kind.
pub(in crate::decode) fn of_text<'l>(line: &'l str, around: &Context<'l>) -> Option<Found<'l>> {
    let head = line.get(..line.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(line);
    let is_indented = head.starts_with([' ', '\t']);
    let head = head.trim_ascii();
    let body = prefix::without_colour(head.as_bytes());
    let head = head.get(head.len() - body.len()..)?;
    let is_log_line = prefix::begins_like_a_log_line(body);
    if let Some(report) = behind(head, "REPORT RequestId: ", is_log_line) {
        return Some(timed(lambda::report(report, around), head));
    }
    if let Some(init) = behind(head, "INIT_REPORT ", is_log_line) {
        return Some(timed(lambda::init_report(init, around), head));
    }
    if LAMBDA_STEPS.iter().any(|step| behind(head, step, is_log_line).is_some()) {
        return Some(Found::Ignored);
    }
    if TRACE_LINES.iter().any(|start| head.starts_with(start) && (is_indented || start.len() > 10))
    {
        return Some(Found::Ignored);
    }
    // Where there is JSON there may be a call, so such a line is nothing only if it is understood.
    let ignored = (!head.contains("{\"")).then_some(Found::Ignored);
    let message = messages(head).filter(|_| is_log_line).find(|text| is_failure(text));
    let class = match level(head).filter(|_| is_log_line) {
        _ if is_failure(head) => error_class::classify(head).unwrap_or(ErrorClass::UNKNOWN),
        Some(Severity::Error) => error_class::classify(head).unwrap_or(ErrorClass::UNKNOWN),
        Some(Severity::Warning) => match error_class::classify(head) {
            Some(class) => class,
            None => return ignored,
        },
        Some(Severity::Fine) => return ignored,
        None if message.is_some() => error_class::classify(head).unwrap_or(ErrorClass::UNKNOWN),
        None => return ignored.filter(|_| is_log_line),
    };
    let endpoint = endpoint::in_text(head);
    let mut record = SignalRecord {
        region: endpoint.region.map(Cow::Borrowed),
        model_id: endpoint.model_id,
        ..SignalRecord::new(RecordKind::ErrorLog)
    };
    add_error(&mut record, class);
    // What a program wrote knows better when it was than what carried it.
    record.at = message.and_then(leading_time);
    Some(timed(Found::Signal(record), head))
}

/// Returns the text from `mark` on, if the line begins with it or is a log line that holds it behind
/// white space.
fn behind<'t>(text: &'t str, mark: &str, is_log_line: bool) -> Option<&'t str> {
    let at = text.find(mark)?;
    let before = text.get(..at)?;
    let fits = before.is_empty() || (is_log_line && before.ends_with([' ', '\t']));
    text.get(at..).filter(|_| fits)
}

/// Returns the severity of the first word that is a level, which loggers write in capitals.
fn level(text: &str) -> Option<Severity> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let is_level = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase());
    words.take(WORDS_BEFORE_LEVEL).filter(is_level).find_map(severity)
}

/// `botocore.exceptions.ConnectTimeoutError: …`, `An error occurred (ThrottlingException) …`.
fn begins_with_an_exception(text: &str) -> bool {
    if text.starts_with("An error occurred (") {
        return true;
    }
    let name = text.split([':', ' ']).next().unwrap_or("");
    let is_name = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._#".contains(&byte))
    };
    is_name(name)
        && ["Error", "Exception"].iter().any(|end| name.ends_with(end) && name.len() > end.len())
}

/// Returns where the message of a log line without a level may begin: behind the time, behind a stream
/// (`aws logs tail`), behind what syslog (RFC 5424) or the journal names.
fn messages(head: &str) -> impl Iterator<Item = &str> {
    let behind_words = |words: usize| head.splitn(words + 1, [' ', '\t']).nth(words);
    let behind = |mark: &str| head.split_once(mark).map(|(_, text)| text);
    let all = if prefix::is_iso_time(head.as_bytes()) {
        [behind_words(1), behind_words(2), behind_words(3)]
    } else if head.starts_with('[') {
        [behind("] "), None, None]
    } else {
        [behind("]: "), behind(": "), behind_words(7)]
    };
    all.into_iter().flatten()
}

/// Tells whether text tells of a failure by how it begins, whatever its level.
fn is_failure(text: &str) -> bool {
    begins_with_an_exception(text) || is_of_a_run(text)
}

/// `2024-05-14T09:12:40.003Z 43ac3fea-… Task timed out after 29.00 seconds`, or `RequestId: 43ac3fea-…
/// Error: Runtime exited with error: signal: killed`.
fn is_of_a_run(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix("RequestId: ") {
        return rest.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("Error: "));
    }
    let mut words = text.splitn(3, ' ');
    let is_time = words.next().is_some_and(|word| UnixMillis::parse_rfc3339(word).is_some());
    let is_id = words.next().is_some_and(|word| word.len() == 36);
    is_time && is_id && words.next().is_some_and(|rest| rest.starts_with("Task timed out after "))
}

/// Returns a signal with the time that its line begins with.
fn timed<'l>(found: Found<'l>, text: &str) -> Found<'l> {
    match found {
        Found::Signal(record) => {
            let at = record.at.or_else(|| leading_time(text));
            Found::Signal(SignalRecord { at, ..record })
        }
        other => other,
    }
}

/// Returns the instant that a line begins with, if it names its offset.
fn leading_time(text: &str) -> Option<UnixMillis> {
    let word = |word: &&str| UnixMillis::parse_rfc3339(word.trim_matches(['[', ']'])).is_some();
    let first = text.split([' ', '\t']).take(2).find(word)?;
    let at = UnixMillis::parse_rfc3339(first.trim_matches(['[', ']']))?;
    believed(at).ok()
}
