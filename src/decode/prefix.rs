//! Text in front of JSON: what `aws logs tail`, S3 exports, containers, syslog, the journal and
//! loggers put before what they were given.
//!
//! None of it is parsed for its meaning: JSON that reaches to the end of the line is the record, if
//! what stands before it begins like a log line. It must never take JSON out of the middle of a
//! sentence for a record.

use super::draft::believed;
use super::wrapping::begins_json;
use super::{frame, is_blank, json, signal};
use crate::model::time::UnixMillis;

/// Longest text in front of JSON: a time, a stream or host name of up to 512 bytes, a logger.
pub(super) const PREFIX_BYTES_MAX: usize = 1_024;
/// Braces in front of the JSON that are tried.
pub(super) const TRIES_MAX: usize = 4;

/// What a line was wrapped around: JSON, or the message of an event whatever it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Payload<'l> {
    pub(super) text: &'l [u8],
    /// Id of the `CloudWatch` event.
    pub(super) event_id: Option<&'l str>,
    /// When a container wrote it.
    pub(super) at: Option<UnixMillis>,
}

/// Returns what a line of text was wrapped around.
pub(super) fn payload(line: &[u8]) -> Option<Payload<'_>> {
    let line = line.trim_ascii();
    if let Some(event) = line.strip_prefix(b"EVENTS\t") {
        return event_of_page(event);
    }
    if let Some((time, text)) = frame::container_text(line)
        && is_message(text)
    {
        let at = std::str::from_utf8(time).ok().and_then(UnixMillis::parse_rfc3339);
        let at = at.and_then(|at| believed(at).ok());
        return Some(Payload { text, event_id: None, at });
    }
    if !begins_like_a_log_line(line) {
        return None;
    }
    let head = line.get(..PREFIX_BYTES_MAX).unwrap_or(line);
    for start in memchr::memchr_iter(b'{', head).take(TRIES_MAX) {
        let json = line.get(start..)?;
        if is_documents(json) {
            return Some(Payload { text: json, event_id: None, at: None });
        }
    }
    None
}

/// Tells whether what a container wrote is something by itself; other text is no more than a log line.
fn is_message(text: &[u8]) -> bool {
    let start = text.trim_ascii_start();
    begins_json(start)
        || start.starts_with(b"EVENTS\t")
        || begins_like_a_log_line(start)
        || signal::of_text(&String::from_utf8_lossy(text), &signal::Context::default()).is_some()
}

/// Tells whether a line of a page in text form names streams or pages and no event.
pub(super) fn is_empty_page(line: &[u8]) -> bool {
    line.starts_with(b"SEARCHEDLOGSTREAMS\t")
}

/// Tells whether a line is what `aws logs tail --format json` puts before each event, whose JSON
/// begins in a line of its own: a time and the name of a stream, colours aside.
pub(super) fn is_heading(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(line) = line.strip_suffix(b" ") else { return false };
    let line = without_colour(line);
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(time), Some(name), None) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    is_iso_time(time) && !name.is_empty() && line.len() < PREFIX_BYTES_MAX
}

/// `filter-log-events --output text`: the values of an event in the order of their keys, which are
/// `eventId`, `ingestionTime`, `logStreamName`, `message` and `timestamp`.
fn event_of_page(event: &[u8]) -> Option<Payload<'_>> {
    let mut values = event.splitn(4, |&byte| byte == b'\t');
    let id = std::str::from_utf8(values.next()?).ok()?;
    let rest = values.nth(2)?;
    let end = memchr::memrchr(b'\t', rest)?;
    let event_id = Some(id).filter(|id| !id.is_empty());
    Some(Payload { text: rest.get(..end)?, event_id, at: None })
}

/// Tells whether `text` holds JSON values and nothing else.
fn is_documents(mut text: &[u8]) -> bool {
    while !is_blank(text) {
        let Some(rest) = json::document_end(text).and_then(|end| text.get(end..)) else {
            return false;
        };
        text = rest;
    }
    true
}

/// Tells whether a line begins with a time, a syslog priority or a level, colours aside.
pub(super) fn begins_like_a_log_line(line: &[u8]) -> bool {
    let line = without_colour(line);
    let line = line.strip_prefix(b"[").unwrap_or(line);
    is_iso_time(line) || is_priority(line) || is_month(line) || is_level(line)
}

/// Returns the line without the terminal colours that it begins with.
pub(super) fn without_colour(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(b"\x1b[") {
        let Some(end) = rest.iter().take(16).position(|&byte| byte == b'm') else { return line };
        line = rest.get(end + 1..).unwrap_or(&[]);
    }
    line
}

/// `2024-05-14` and a `T` or space behind it.
pub(super) fn is_iso_time(line: &[u8]) -> bool {
    const SHAPE: &[u8] = b"dddd-dd-dd";
    let same = |(shape, byte): (&u8, &u8)| match shape {
        b'd' => byte.is_ascii_digit(),
        shape => shape == byte,
    };
    line.len() > SHAPE.len()
        && SHAPE.iter().zip(line).all(same)
        && matches!(line.get(SHAPE.len()), Some(b'T' | b' '))
}

/// `<14>` of RFC 3164 and RFC 5424.
fn is_priority(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"<") else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=3).contains(&digits) && rest.get(digits) == Some(&b'>')
}

/// `May 14` of RFC 3164 and the journal.
fn is_month(line: &[u8]) -> bool {
    const MONTHS: [&[u8]; 12] = [
        b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ",
        b"Nov ", b"Dec ",
    ];
    MONTHS.iter().any(|month| line.starts_with(month))
        && line.get(4..).is_some_and(|day| {
            let day = day.trim_ascii_start();
            day.first().is_some_and(u8::is_ascii_digit)
        })
}

/// `INFO`, `WARN:` and their like.
fn is_level(line: &[u8]) -> bool {
    const LEVELS: [&[u8]; 9] = [
        b"TRACE",
        b"DEBUG",
        b"INFO",
        b"NOTICE",
        b"WARNING",
        b"WARN",
        b"ERROR",
        b"CRITICAL",
        b"FATAL",
    ];
    LEVELS.iter().any(|level| {
        line.strip_prefix(*level)
            .is_some_and(|rest| matches!(rest.first(), Some(b' ' | b':' | b'\t' | b']' | b'\x1b')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_behind_the_prefix_of_a_log_line_is_found() {
        let json = r#"{"a":"x y {"}"#;
        for prefix in [
            "2024-05-14T09:12:03.000000+00:00 aws/bedrock/modelinvocations ",
            "2024-05-14T09:12:03 ",
            "2024-05-14 09:12:00,123 INFO  [main] LLM - ",
            "[2024-05-14 09:12:00] {main} ",
            "\u{1b}[32m2024-05-14T09:12:03+00:00\u{1b}[0m \u{1b}[36mstream\u{1b}[0m ",
            "<14>1 2024-05-14T09:12:00.123Z ip-10-0-12-34 chat 812 - - ",
            "May  4 09:12:00 ip-10-0-12-34 chat[812]: ",
            "INFO ",
            "WARN: ",
        ] {
            let line = format!("{prefix}{json}\n");
            let expected = Some(Payload { text: json.as_bytes(), event_id: None, at: None });
            assert_eq!(payload(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn whatever_a_container_wrote_is_found_with_its_time() {
        for text in [r#"{"a":1}"#, "ValueError: x", "EVENTS\t1\t2", "2024-05-14 INFO x"] {
            let line = format!("2024-05-14T09:12:03.123456789Z stderr F {text}");
            let at = Some(UnixMillis(1_715_677_923_123));
            let expected = Some(Payload { text: text.as_bytes(), event_id: None, at });
            assert_eq!(payload(line.as_bytes()), expected, "{line}");
        }
        for line in [
            "2024-05-14T09:12:03Z stdout F ",
            "2024-05-14T09:12:03Z stdout F no more",
            "2024-05-14T09:12:03Z stdlog F x",
            "stdout F x",
        ] {
            assert_eq!(payload(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn json_anywhere_else_is_none() {
        let long = format!("INFO {}{{}}", "x".repeat(PREFIX_BYTES_MAX));
        for line in [
            r#"the user wrote {"a":1}"#,
            r#"INFO the user wrote {"a":1} and more"#,
            r#"INFO {"a":1"#,
            r#"INFORMATION {"a":1}"#,
            r#"2024-05-14X {"a":1}"#,
            r#"<1234> {"a":1}"#,
            r#"Mayor 14 {"a":1}"#,
            r#"INFO { { { { {"a":1}"#,
            "INFO nothing",
            &long,
            "",
        ] {
            assert_eq!(payload(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_heading_is_a_time_and_a_name() {
        for (line, is) in [
            ("2024-05-14T09:12:03+00:00 aws/bedrock/modelinvocations \n", true),
            ("\u{1b}[32m2024-05-14T09:12:03+00:00\u{1b}[0m \u{1b}[36ms\u{1b}[0m \n", true),
            ("2024-05-14T09:12:03Z name", false),
            ("2024-05-14T09:12:03Z  ", false),
            ("2024-05-14T09:12:03Z two words ", false),
            ("name name ", false),
            ("", false),
        ] {
            assert_eq!(is_heading(line.as_bytes()), is, "{line}");
        }
    }

    #[test]
    fn an_event_of_a_page_in_text_form_brings_its_id() {
        let line = b"EVENTS\t3825\t1715677923812\taws/bedrock\t{\"a\":\"b\"}\t1715677923000";
        let text = br#"{"a":"b"}"#;
        let expected = Some(Payload { text, event_id: Some("3825"), at: None });
        assert_eq!(payload(line), expected);
        for line in ["EVENTS\t1\t2\t3", "EVENTS\t1\t2\t3\tplain text", "EVENTS\t"] {
            assert_eq!(payload(line.as_bytes()), None, "{line}");
        }
    }
}
