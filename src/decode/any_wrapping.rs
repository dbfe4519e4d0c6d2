//! A property over whole logs: any record, call or signal, in any wrapping and in any of the layouts that
//! take several lines, decodes to that record and nothing else.
//!
//! Records come from the small logs of each shape, wrappings from `wrapped`. What a wrapping tells beside
//! (account, time of the event) may fill a gap of the record and change nothing that it says itself.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::frame::{Part, Rule, cut, is_leftover, parts, units};
use super::meaning::SAMPLES;
use super::wrapped::{PREFIXES, WRAPPINGS, Wrap};
use super::{Approximations, Decoder, Item, is_blank};
use crate::model::names::Approximation;
use crate::model::time::UnixMillis;

/// Logs in which each line is one record of a kind.
const LOGS: &[&str] = &[
    SAMPLES,
    include_str!("../../tests/golden/logs/api-gateway.jsonl"),
    include_str!("../../tests/golden/logs/application.jsonl"),
    include_str!("../../tests/golden/logs/batch-manifest.json.out"),
    include_str!("../../tests/golden/logs/batch-output.jsonl.out"),
    include_str!("../../tests/golden/logs/cloudtrail.jsonl"),
    include_str!("../../tests/golden/logs/cloudtrail-bus.jsonl"),
    include_str!("../../tests/golden/logs/emf.jsonl"),
    include_str!("../../tests/golden/logs/errors.log"),
    include_str!("../../tests/golden/logs/lambda.jsonl"),
    include_str!("../../tests/golden/logs/lambda.log"),
    include_str!("../../tests/golden/logs/metric-stream.jsonl"),
];

/// Text of several lines that holds what the lines before it held.
type Layout = fn(&[String]) -> String;

/// Layouts that take any lines.
const OF_LINES: &[(&str, Layout)] = &[
    ("lines", |lines| ended(lines, "\n")),
    ("lines of another system", |lines| ended(lines, "\r\n")),
    ("docker in pieces", |lines| {
        let piece = |text: &str| {
            json!({"log": text, "stream": "stdout", "time": "2026-09-02T14:00:01.5Z"}).to_string()
                + "\n"
        };
        let of_line = |line: &String| -> String {
            pieces(&format!("{line}\n")).iter().map(|text| piece(text)).collect()
        };
        lines.iter().map(of_line).collect()
    }),
    ("cri in pieces", |lines| {
        let of_line = |line: &String| -> String {
            let all = pieces(line);
            let tag = |at: usize| if at + 1 < all.len() { "P" } else { "F" };
            let line = |(at, text): (usize, &String)| {
                format!("2026-09-02T14:00:01.00000000{}Z stdout {} {text}\n", at % 10, tag(at))
            };
            all.iter().enumerate().map(line).collect()
        };
        lines.iter().map(of_line).collect()
    }),
];

/// Layouts that take JSON only.
const OF_JSON: &[(&str, Layout)] = &[
    ("firehose without line feeds", |lines| lines.concat()),
    ("pretty", |lines| lines.iter().map(|line| pretty(line) + "\n").collect()),
    ("pretty and touching", |lines| lines.iter().map(|line| pretty(line)).collect()),
    ("a pretty array", |lines| pretty(&format!("[{}]", lines.join(",")))),
    ("aws logs tail as json", |lines| {
        let event =
            |line: &String| format!("2026-09-02T14:00:01.000000+00:00 s \n{}\n", pretty(line));
        lines.iter().map(event).collect()
    }),
    ("a logger", |lines| {
        let event =
            |line: &String| format!("2026-09-02 14:00:01,123 INFO [main] LLM - {}\n", pretty(line));
        lines.iter().map(event).collect()
    }),
];

/// The lines, each with this end.
fn ended(lines: &[String], end: &str) -> String {
    lines.iter().flat_map(|line| [line.as_str(), end]).collect()
}

fn pretty(line: &str) -> String {
    serde_json::to_string_pretty(&serde_json::from_str::<Value>(line).unwrap()).unwrap()
}

/// Pieces as small as leave something to put together; text that is no JSON stays in one, as nobody
/// puts that together.
fn pieces(line: &str) -> Vec<String> {
    if !line.starts_with(['{', '[']) {
        return vec![line.to_owned()];
    }
    let all: Vec<char> = line.chars().collect();
    let (head, end) = all.split_at(all.len() - all.len().min(2));
    let mut pieces: Vec<String> = head.chunks(97).map(|piece| piece.iter().collect()).collect();
    // A line feed is never a piece of its own.
    match pieces.last_mut() {
        Some(last) => last.extend(end),
        None => pieces.push(end.iter().collect()),
    }
    pieces
}

/// A record without what a wrapping may add, and that apart.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    what: String,
    at: Option<UnixMillis>,
    account: Option<String>,
}

impl Shown {
    fn of(item: Item<'_>) -> Option<Self> {
        match item {
            Item::Record { mut invocation, .. } => {
                let at = Some(invocation.at).filter(|at| *at != UnixMillis::UNKNOWN);
                let account = invocation.account.take().map(Cow::into_owned);
                invocation.at = UnixMillis::UNKNOWN;
                let mut approximations: Approximations = invocation.approximations;
                approximations.remove(Approximation::TimeUnknown);
                invocation.approximations = approximations;
                Some(Self { what: format!("{invocation:?}"), at, account })
            }
            Item::Signal { mut signal, .. } => {
                let (at, account) = (signal.at.take(), signal.account.take());
                let account = account.map(Cow::into_owned);
                Some(Self { what: format!("{signal:?}"), at, account })
            }
            Item::Rejected { reject, .. } => {
                Some(Self { what: format!("{reject:?}"), at: None, account: None })
            }
            Item::Ignored => None,
        }
    }

    /// Tells whether `other` is this record, told by somebody who may know more.
    fn is_told_by(&self, other: &Self) -> bool {
        self.what == other.what
            && (self.at.is_none() || self.at == other.at)
            && (self.account.is_none() || self.account == other.account)
    }
}

/// Reads a whole log, unit by unit as `scan` and `run` do.
fn read(text: &str, decoder: &mut Decoder) -> Vec<Shown> {
    let bytes = text.as_bytes();
    let rule = Rule { line_bytes_max: 8 << 20, mid_line: false, is_finished: true };
    let cut = cut(bytes, rule);
    assert_eq!(cut.whole, bytes.len());
    let mut all = Vec::new();
    let mut show = |part: &[u8]| decoder.each(part, &mut |item| all.extend(Shown::of(item)));
    for unit in units(bytes, &cut.frames) {
        let text = &bytes[unit.range];
        if unit.is_frame {
            parts(text, |_, part| match part {
                Part::Text(text) => show(text),
                Part::Leftover => panic!("a leftover in {}", String::from_utf8_lossy(text)),
            });
        } else if !is_blank(text) {
            assert!(!is_leftover(text));
            show(text);
        }
    }
    all
}

/// Every line of the logs that is a record, JSON or text.
fn records() -> Vec<&'static str> {
    let is_record = |line: &&str| {
        let all = read(line, &mut Decoder::new(&[]));
        !all.is_empty() && all.iter().all(|shown| shown.what.contains('{'))
    };
    LOGS.iter().flat_map(|log| log.lines()).filter(is_record).collect()
}

fn record(is_json: bool) -> impl Strategy<Value = &'static str> {
    let wanted = |line: &&str| !is_json || line.starts_with('{');
    proptest::sample::select(records().into_iter().filter(wanted).collect::<Vec<_>>())
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(
    all: &'static [(&'static str, T)],
) -> impl Strategy<Value = (&'static str, T)> {
    proptest::sample::select(all.to_vec())
}

/// Checks that a log holds these records, in both walks.
fn check(text: &str, records: &[&str]) -> Result<(), TestCaseError> {
    for mut decoder in [Decoder::new(&[]), Decoder::plain(&[])] {
        let bare: Vec<Shown> =
            records.iter().flat_map(|record| read(record, &mut Decoder::new(&[]))).collect();
        let found = read(text, &mut decoder);
        prop_assert_eq!(found.len(), bare.len(), "{}", text);
        for (found, bare) in found.iter().zip(&bare) {
            prop_assert!(bare.is_told_by(found), "{:?} is not {:?} in {}", found, bare, text);
        }
    }
    Ok(())
}

#[test]
fn every_kind_of_record_is_among_those_that_are_wrapped() {
    let all = records();
    for kind in [
        "BedrockInvocation",
        "Application",
        "BatchOutput",
        "ApiGateway",
        "CloudTrail",
        "CloudWatchMetric",
        "Lambda",
        "ErrorLog",
        "BatchManifest",
    ] {
        let has = |line: &&str| {
            read(line, &mut Decoder::new(&[]))[0].what.contains(&format!("kind: {kind},"))
        };
        assert!(all.iter().any(has), "{kind}");
    }
}

#[test]
fn every_record_in_every_wrapping_and_layout_is_that_record() {
    for record in records() {
        let is_json = record.starts_with('{');
        // An array holds JSON only, and a logger's level is that of the line behind it.
        let is_for_text =
            |(name, _): &&(&str, Wrap)| is_json || !["array", "logger"].contains(name);
        let inner = WRAPPINGS.iter().chain(PREFIXES.iter().filter(is_for_text));
        for (name, wrap) in inner {
            let line = wrap(record);
            let layouts = OF_LINES.iter().chain(OF_JSON.iter().filter(|_| line.starts_with('{')));
            for (layout, lay_out) in layouts {
                let text = lay_out(std::slice::from_ref(&line));
                check(&text, &[record]).unwrap_or_else(|error| panic!("{name}, {layout}: {error}"));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_records_in_any_wrappings_and_layout_are_those_records(
        lines in proptest::collection::vec(
            (record(false), proptest::collection::vec(one_of(WRAPPINGS), 0..3)), 1..5,
        ),
        layout in one_of(OF_LINES),
    ) {
        let wrapped: Vec<String> = lines.iter().map(|(record, layers)| wrap_all(record, layers)).collect();
        let records: Vec<&str> = lines.iter().map(|(record, _)| *record).collect();
        check(&layout.1(&wrapped), &records)?;
    }

    #[test]
    fn any_records_of_json_in_any_wrappings_and_layout_are_those_records(
        lines in proptest::collection::vec(
            (record(true), prop::option::of(one_of(PREFIXES)), proptest::collection::vec(one_of(WRAPPINGS), 0..3)),
            1..5,
        ),
        layout in one_of(OF_JSON),
    ) {
        // A prefix makes text of it, which another wrapping has to hold for a layout of JSON.
        let wrapped: Vec<String> = lines
            .iter()
            .map(|(record, prefix, layers)| match prefix {
                Some((_, prefix)) => wrap_all(&WRAPPINGS[1].1(&prefix(record)), layers),
                None => wrap_all(record, layers),
            })
            .collect();
        let records: Vec<&str> = lines.iter().map(|(record, ..)| *record).collect();
        check(&layout.1(&wrapped), &records)?;
    }
}

fn wrap_all(record: &str, layers: &[(&'static str, Wrap)]) -> String {
    layers.iter().fold(record.to_owned(), |text, (_, wrap)| wrap(&text))
}
