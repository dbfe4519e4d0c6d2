//! The rules of frames as tables, and two properties: whatever records are spelled like and cut into,
//! they come out, and what stands between them costs none.
#![allow(clippy::string_slice, reason = "a test may stop")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::decode::{Decoder, Item};

const FINISHED: Rule = Rule { line_bytes_max: 1 << 20, mid_line: false, is_finished: true };
const GROWING: Rule = Rule { is_finished: false, ..FINISHED };

/// The texts of the units, frames in angle brackets.
fn shown(text: &str, rule: Rule) -> Vec<String> {
    let cut = cut(text.as_bytes(), rule);
    let whole = &text[..cut.whole];
    units(whole.as_bytes(), &cut.frames)
        .map(|unit| {
            let text = &whole[unit.range];
            if unit.is_frame { format!("<{text}>") } else { text.to_owned() }
        })
        .collect()
}

fn docker(text: &str, stream: &str) -> String {
    json!({"log": text, "stream": stream, "time": "2024-05-14T09:12:00Z"}).to_string() + "\n"
}

fn cri(tag: &str, text: &str, stream: &str) -> String {
    format!("2024-05-14T09:12:00.123456789Z {stream} {tag} {text}\n")
}

#[test]
fn a_finished_text_falls_into_these_units() {
    for (text, expected) in [
        ("", &[][..]),
        ("{}\n", &["{}\n"]),
        ("{}", &["{}"]),
        ("{\"a\":1}\n\n{\"b\":2}\r\n", &["{\"a\":1}\n", "\n", "{\"b\":2}\r\n"]),
        ("{}{}\n", &["{}{}\n"]),
        ("{}{} x\n{}\n", &["{}{} x\n", "{}\n"]),
        // Over several lines.
        ("{\n\"a\":1\n}\n{}\n", &["<{\n\"a\":1\n}\n>", "{}\n"]),
        ("{\n}", &["<{\n}>"]),
        ("{\n}  ", &["<{\n}  >"]),
        ("\u{feff}{\r\n}\r\n", &["<\u{feff}{\r\n}\r\n>"]),
        ("  {\n\n  }\n", &["<  {\n\n  }\n>"]),
        ("[\n{},\n{}\n]\n", &["<[\n{},\n{}\n]\n>"]),
        ("[{}\n,{}\n]\n", &["<[{}\n,{}\n]\n>"]),
        ("{\"a\":{}\n,\"b\":1}\n", &["<{\"a\":{}\n,\"b\":1}\n>"]),
        ("{\"a\":{}\n \n,\"b\":1}\n", &["<{\"a\":{}\n \n,\"b\":1}\n>"]),
        // Boundaries in the middle of a line.
        ("{\n}{\n}{\n}\n", &["<{\n}>", "<{\n}>", "<{\n}\n>"]),
        ("{\n}{}{}\n{}\n", &["<{\n}>", "<{}>", "<{}\n>", "{}\n"]),
        ("{}{}{\n}\n", &["<{}{}>", "<{\n}\n>"]),
        ("{\n},\n{\n}\n", &["<{\n}>", ",\n", "<{\n}\n>"]),
        ("{\n} x\n{}\n", &["<{\n}>", " x\n", "{}\n"]),
        // What is no JSON falls apart.
        ("{\nx\n{}\n", &["{\n", "x\n", "{}\n"]),
        ("{\n{\n}\n", &["{\n", "<{\n}\n>"]),
        ("{\n\"a\":\n{\n}\n{}\n", &["{\n", "\"a\":\n", "<{\n}\n>", "{}\n"]),
        ("[\n[\n[\n{\n}\nx\n", &["[\n", "[\n", "[\n", "<{\n}\n>", "x\n"]),
        ("{\n\"a\": 1\n", &["{\n", "\"a\": 1\n"]),
        ("{\"a\":\"\n\"}\n", &["{\"a\":\"\n", "\"}\n"]),
        ("{\n\"a\": 1", &["{\n", "\"a\": 1"]),
        // Text before JSON.
        ("2024-05-14T09:12:03Z s \n{\n}\nx\n", &["<2024-05-14T09:12:03Z s \n{\n}\n>", "x\n"]),
        ("2024-05-14T09:12:03Z s \n{}\n", &["2024-05-14T09:12:03Z s \n", "{}\n"]),
        ("2024-05-14T09:12:03Z s \ntext\n", &["2024-05-14T09:12:03Z s \n", "text\n"]),
        ("2024-05-14T09:12:03Z s \n", &["2024-05-14T09:12:03Z s \n"]),
        ("INFO got {\n\"a\":1}\n{}\n", &["<INFO got {\n\"a\":1}\n>", "{}\n"]),
        ("INFO got {\nat x\n{}\n", &["INFO got {\n", "at x\n", "{}\n"]),
        ("he said {\n}\n", &["he said {\n", "}\n"]),
    ] {
        assert_eq!(shown(text, FINISHED), expected, "{text}");
    }
}

#[test]
fn a_growing_text_gives_what_is_certain() {
    for (text, expected) in [
        ("{}", &[][..]),
        ("{}\n", &["{}\n"]),
        ("{}\n{", &["{}\n"]),
        ("{}\n{\n", &["{}\n"]),
        ("{}\n{\n}", &["{}\n"]),
        ("{}\n{\n} ", &["{}\n"]),
        ("{}\n{\n}\n", &["{}\n", "<{\n}\n>"]),
        ("{\n}{", &["<{\n}>"]),
        ("{\n}{}", &["<{\n}>"]),
        ("{\n\"a\":", &[]),
        ("{\nx", &["{\n"]),
        ("{\nx\n", &["{\n", "x\n"]),
        ("{\"a\":{}\n", &[]),
        ("{\"a\":{}}\n", &["{\"a\":{}}\n"]),
        ("2024-05-14T09:12:03Z s \n", &[]),
        ("2024-05-14T09:12:03Z s \n{", &[]),
        ("2024-05-14T09:12:03Z s \n{\n", &[]),
        ("2024-05-14T09:12:03Z s \ntext", &["2024-05-14T09:12:03Z s \n"]),
    ] {
        assert_eq!(shown(text, GROWING), expected, "{text}");
    }
}

#[test]
fn a_line_that_is_too_long_falls_into_its_documents() {
    let rule = Rule { line_bytes_max: 8, ..FINISHED };
    for (text, expected) in [
        ("{\"a\":1}\n", &["{\"a\":1}\n"][..]),
        ("{\"a\":1}{\"b\":2}\n{}\n", &["<{\"a\":1}>", "<{\"b\":2}\n>", "{}\n"]),
        ("{\"a\":1}{\"b\":2}", &["<{\"a\":1}>", "<{\"b\":2}>"]),
        ("{\"a\":1}{\"b\":x}\n", &["<{\"a\":1}>", "{\"b\":x}\n"]),
        ("{\"a\":123456}\n{}\n", &["{\"a\":123456}\n", "{}\n"]),
        // A frame that does not close within the limit.
        ("{\n\"a\":1}\n", &["<{\n\"a\":1}\n>"]),
        ("{\n\"a\":12}\n", &["{\n", "\"a\":12}\n"]),
        ("{\n\"a\":1\n}\n", &["{\n", "\"a\":1\n", "}\n"]),
        ("[\n{},\n{}\n]\n", &["[\n", "{},\n", "{}\n", "]\n"]),
    ] {
        assert_eq!(shown(text, rule), expected, "{text}");
    }
    let growing = Rule { is_finished: false, ..rule };
    let (open, long) = (cut(b"{\"a\":1}{\"b\":", growing), cut(b"{\"a\":12345", growing));
    assert_eq!((open.whole, open.is_too_long), (7, false));
    assert_eq!((long.whole, long.is_too_long), (0, true));
}

/// The places and texts of the parts of the units of a text; a leftover is `-`.
fn parts_of(text: &str) -> Vec<String> {
    let cut = cut(text.as_bytes(), FINISHED);
    let mut found = Vec::new();
    for unit in units(text.as_bytes(), &cut.frames) {
        let unit_text = &text[unit.range];
        if unit.is_frame {
            parts(unit_text.as_bytes(), |_, part| {
                found.push(match part {
                    Part::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                    Part::Leftover => "-".to_owned(),
                });
            });
        } else if is_leftover(unit_text.as_bytes()) {
            found.push("-".to_owned());
        } else {
            found.push(unit_text.to_owned());
        }
    }
    found
}

#[test]
fn pieces_of_a_stream_are_put_together_whatever_comes_between() {
    let whole = docker("{\"n\":1}\n", "stdout");
    let error = docker("oh no\n", "stderr");
    let cut = [
        docker("{\"n\"", "stdout"),
        error.clone(),
        docker(":1", "stdout"),
        docker("}\n", "stdout"),
        whole.clone(),
    ];
    assert_eq!(parts_of(&cut.concat()), [error.as_str(), "{\"n\":1}\n", whole.as_str()]);
    // The piece ends in a backslash and an `n`, not in a line feed.
    let escape = [docker("{\"a\":\"x\\n", "stdout"), docker("\"}\n", "stdout")];
    assert_eq!(parts_of(&escape.concat()), ["{\"a\":\"x\\n\"}\n"]);
    let both = [
        cri("P", "{\"a\":\"x", "stdout"),
        cri("P", "{\"b\":\"y", "stderr"),
        cri("F", "x\"}", "stdout"),
        cri("F", "y\"}", "stderr"),
    ];
    assert_eq!(parts_of(&both.concat()), ["{\"a\":\"xx\"}\n", "{\"b\":\"yy\"}\n"]);
    let pretty =
        [cri("F", "{", "stdout"), cri("F", "  \"n\": 1", "stdout"), cri("F", "}", "stdout")];
    assert_eq!(parts_of(&pretty.concat()), ["{\n  \"n\": 1\n}\n"]);
    let logger = [cri("P", "INFO {\"n\"", "stdout"), cri("F", ":1}", "stdout")];
    assert_eq!(parts_of(&logger.concat()), ["INFO {\"n\":1}\n"]);
}

#[test]
fn a_piece_whose_rest_never_comes_is_a_leftover() {
    let whole = cri("F", "{\"n\":1}", "stdout");
    let piece = cri("P", "{\"a\":\"x", "stdout");
    assert_eq!(parts_of(&piece), ["-"]);
    assert_eq!(parts_of(&format!("{piece}{whole}{whole}")), ["-", whole.as_str(), whole.as_str()]);
    assert_eq!(parts_of(&format!("{piece}{{}}\n")), ["-", "{}\n"]);
    let docker_piece = docker("{\"a\":\"x", "stdout");
    let docker_whole = docker("{\"n\":1}\n", "stdout");
    assert_eq!(
        parts_of(&format!("{docker_piece}{docker_whole}")),
        ["-".to_owned(), docker_whole.clone()]
    );
    // Others than docker leave the line feed out, and a text that is no JSON has no end to wait for.
    let alone = docker("{\"n\":1}", "stdout");
    let text = docker("text", "stdout");
    assert_eq!(parts_of(&format!("{alone}{text}{docker_whole}")), [alone, text, docker_whole]);
}

/// Without a bound on what is looked at again this would take an hour.
#[test]
fn what_falls_apart_again_and_again_is_stepped_over_in_time() {
    let hostile = "[\n".repeat(1_000_000) + "{}\n";
    assert_eq!(shown(&hostile, FINISHED).len(), 1_000_001);
}

/// How a record stands in a log.
#[derive(Clone, Debug)]
enum Spelling {
    Line,
    Pretty(&'static str),
    Heading,
    Logger,
    Array,
    Glued,
    Docker(usize),
    Cri(usize),
    PrettyCri,
}

fn record(n: usize) -> Value {
    json!({"timestamp": "2026-06-01T08:00:00Z", "model": "anthropic.claude-v2:1",
        "usage": {"input_tokens": 5, "output_tokens": 7},
        "request_id": format!("req-{n}"), "text": "\"}{\\ \u{1}é".repeat(n % 5), "more": [[], {}, [1.5e3, null]]})
}

fn pretty(value: &Value, indent: &'static str) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    serde::Serialize::serialize(value, &mut serializer).unwrap();
    String::from_utf8(out).unwrap()
}

/// The text in pieces of so many characters.
fn pieces(text: &str, length: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(length).map(|piece| piece.iter().collect()).collect()
}

fn spelled(spelling: &Spelling, n: usize) -> String {
    let value = record(n);
    let line = value.to_string();
    match spelling {
        Spelling::Line => line + "\n",
        Spelling::Pretty(indent) => pretty(&value, indent) + "\n",
        Spelling::Heading => {
            format!("2024-05-14T09:12:03+00:00 aws/bedrock/s \n{}\n", pretty(&value, "    "))
        }
        Spelling::Logger => format!("2024-05-14 09:12:03,123 INFO {}\n", pretty(&value, "  ")),
        Spelling::Array => pretty(&json!([value]), " ") + "\n",
        Spelling::Glued => pretty(&value, "  "),
        Spelling::Docker(length) => {
            let error = docker("at Main.java {\n", "stderr");
            pieces(&(line + "\n"), *length)
                .iter()
                .map(|piece| docker(piece, "stdout"))
                .collect::<Vec<_>>()
                .join(if n.is_multiple_of(2) { "" } else { &error })
        }
        Spelling::Cri(length) => {
            let all = pieces(&line, *length);
            let last = all.len() - 1;
            let tag = |at| if at == last { "F" } else { "P" };
            all.iter().enumerate().map(|(at, piece)| cri(tag(at), piece, "stdout")).collect()
        }
        Spelling::PrettyCri => {
            pretty(&value, "  ").lines().map(|line| cri("F", line, "stdout")).collect()
        }
    }
}

/// The request ids that a text holds, in their order.
fn ids(text: &[u8], frames: &[Range<usize>]) -> Vec<String> {
    let mut found = Vec::new();
    let mut decoder = Decoder::new(&[]);
    for unit in units(text, frames) {
        parts(&text[unit.range], |_, part| {
            if let Part::Text(text) = part {
                decoder.each(text, &mut |item| {
                    if let Item::Record { invocation, .. } = item {
                        found.push(invocation.request_id.unwrap().into_owned());
                    }
                });
            }
        });
    }
    found
}

fn spelling() -> impl Strategy<Value = Spelling> {
    prop_oneof![
        3 => Just(Spelling::Line),
        1 => Just(Spelling::Pretty("")),
        2 => Just(Spelling::Pretty("  ")),
        1 => Just(Spelling::Pretty("\t")),
        1 => Just(Spelling::Heading),
        1 => Just(Spelling::Logger),
        1 => Just(Spelling::Array),
        2 => Just(Spelling::Glued),
        2 => (4_usize..400).prop_map(Spelling::Docker),
        2 => (4_usize..400).prop_map(Spelling::Cri),
        1 => Just(Spelling::PrettyCri),
    ]
}

fn garbage() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just(String::new()),
        1 => Just("{\n".to_owned()),
        1 => Just("{\n  \"a\": 1,\n".to_owned()),
        1 => Just("  \"a\":\n".to_owned()),
        1 => Just("{\"timestamp\":\"2024\n".to_owned()),
        1 => Just("[\n[\n".to_owned()),
        1 => Just("}\n],\n".to_owned()),
        1 => Just("Traceback (most recent call last):\n  File \"x.py\", line 3 {\n\n".to_owned()),
        1 => Just("INFO connecting {\n".to_owned()),
        1 => Just("2024-05-14T09:12:03+00:00 aws/bedrock/s \n".to_owned()),
        1 => Just(cri("P", "{\"cut\":\"off", "stdout")),
        1 => Just(docker("{\"cut\":", "stdout")),
        1 => "[ -~\n]{0,40}\n".prop_map(|text| text.replace(['{', '['], "x")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_record_comes_out_of_any_spelling_whatever_stands_between(
        parts in prop::collection::vec((spelling(), garbage()), 1..8),
    ) {
        let mut text = String::new();
        let mut expected = Vec::new();
        for (n, (spelling, garbage)) in parts.iter().enumerate() {
            // Text that a record is glued to is part of its line.
            if !garbage.is_empty() && !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(garbage);
            let is_json = matches!(spelling, Spelling::Pretty(_) | Spelling::Glued | Spelling::Array);
            if !is_json && !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&spelled(spelling, n));
            expected.push(format!("req-{n}"));
        }
        let whole = cut(text.as_bytes(), FINISHED);
        prop_assert_eq!(whole.whole, text.len());
        prop_assert_eq!(ids(text.as_bytes(), &whole.frames), expected, "{}", text);
    }
}
