//! Logs as they arrive: the same calls in every wrapping cost the same to the picodollar, and an
//! event that is delivered twice counts once.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, stdout_of};
use crate::support::json;
use crate::support::truth::{Generator, Truth, usd_text};
use crate::support::work_dir::WorkDir;

/// Calls in each wrapping.
const CALLS: usize = 1_000;
/// Events in one envelope, page or record.
const EVENTS: usize = 20;
/// Characters of a piece. Containers cut every 16 KiB; here every record is to be cut.
const PIECE: usize = 200;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn base64_gzip(text: &str) -> String {
    STANDARD.encode(gzip(text))
}

/// The envelope that `CloudWatch` sends to subscribers.
fn envelope(first: usize, lines: &[&str]) -> String {
    let events = lines.iter().enumerate().map(|(at, line)| {
        let id = format!("{:056}", first + at);
        json!({"id": id, "timestamp": 1_788_357_601_000_u64, "message": line})
    });
    json!({"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "g",
        "logStream": "s", "subscriptionFilters": ["f"], "logEvents": events.collect::<Vec<_>>()})
    .to_string()
}

fn page(first: usize, lines: &[&str]) -> String {
    let events = lines.iter().enumerate().map(|(at, line)| {
        json!({"logStreamName": "s", "timestamp": 1, "message": line, "ingestionTime": 2,
            "eventId": format!("{:056}", first + at)})
    });
    json!({"events": events.collect::<Vec<_>>(), "searchedLogStreams": []}).to_string()
}

/// `text` in several lines, as `--output json` prints it, or as it is if it is no JSON.
fn pretty(text: &str) -> String {
    let value = serde_json::from_str::<Value>(text);
    value.map_or_else(|_| text.to_owned(), |value| serde_json::to_string_pretty(&value).unwrap())
}

/// `text` in pieces of so many characters; at least one.
fn pieces(text: &str, length: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(length).map(|piece| piece.iter().collect()).collect()
}

/// A line as docker cuts it, with an error of the same container between its pieces.
fn docker_pieces(line: &str) -> String {
    let entry = |log: &str, stream: &str| {
        json!({"log": log, "stream": stream, "time": "2026-09-02T14:00:01Z"}).to_string()
    };
    let empty = format!("\n{}\n", entry("\n", "stderr"));
    let all = pieces(&format!("{line}\n"), PIECE);
    all.iter().map(|piece| entry(piece, "stdout")).collect::<Vec<_>>().join(&empty)
}

/// Two lines as CRI cuts them, in two streams that alternate.
fn cri_pieces(lines: &[&str]) -> String {
    let streams = lines.iter().zip(["stdout", "stderr"]).map(|(line, stream)| {
        let all = pieces(line, PIECE);
        let last = all.len() - 1;
        let tag = move |at| if at == last { 'F' } else { 'P' };
        let all = all.into_iter().enumerate();
        all.map(move |(at, piece)| format!("2026-09-02T14:00:01.5Z {stream} {} {piece}", tag(at)))
    });
    let mut streams: Vec<_> = streams.collect();
    let mut text = Vec::new();
    loop {
        let round: Vec<String> = streams.iter_mut().filter_map(Iterator::next).collect();
        if round.is_empty() {
            return text.join("\n");
        }
        text.extend(round);
    }
}

/// Records in several lines, the next one in the line in which one ends.
fn touching(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        if !line.starts_with('{') {
            text.push('\n');
        }
        text.push_str(&pretty(line));
        if !line.starts_with('{') {
            text.push('\n');
        }
    }
    text
}

/// A JSON array in as many lines as its records have together, and behind it what is no record.
fn array(lines: &[&str]) -> String {
    let (records, others): (Vec<&str>, Vec<&str>) =
        lines.iter().copied().partition(|line| line.starts_with('{'));
    format!("{}\n{}\n", pretty(&format!("[{}]", records.join(","))), others.join("\n"))
}

/// `filter-log-events --output text`.
fn text_page(first: usize, lines: &[&str]) -> String {
    lines
        .iter()
        .zip(first..)
        .fold(String::new(), |text, (line, id)| text + &format!("EVENTS\t{id}\t1\ts\t{line}\t2\n"))
}

/// What a Logs Insights query gives.
fn insights(_: usize, lines: &[&str]) -> String {
    let row = |line: &&str| {
        json!([{"field": "@timestamp", "value": "2026-09-02 14:00:01.000"},
            {"field": "@message", "value": line}])
    };
    json!({"results": lines.iter().map(row).collect::<Value>()}).to_string()
}

/// One file of a log in every wrapping, by name; ids of events count up from `first`.
fn files(log: &str, first: usize) -> Vec<(&'static str, Vec<u8>)> {
    let lines: Vec<&str> = log.lines().collect();
    let each = |wrap: &dyn Fn(&str) -> String| -> Vec<u8> {
        lines.iter().fold(String::new(), |text, line| text + &wrap(line) + "\n").into_bytes()
    };
    let groups = |wrap: Group<'_>, end: &str| -> Vec<u8> {
        let mut text = String::new();
        for (number, group) in lines.chunks(EVENTS).enumerate() {
            write!(text, "{}{end}", wrap(first + number * EVENTS, group)).unwrap();
        }
        text.into_bytes()
    };
    let mut files = vec![
        ("bare", log.as_bytes().to_vec()),
        ("gzip", gzip(log)),
        ("subscription", groups(&envelope, "\n")),
        ("firehose", groups(&envelope, "")),
        ("firehose-gzip", gzip(&String::from_utf8(groups(&envelope, "")).unwrap())),
        (
            "awslogs",
            groups(
                &|first, group| {
                    json!({"awslogs": {"data": base64_gzip(&envelope(first, group))}}).to_string()
                },
                "\n",
            ),
        ),
        (
            "kinesis",
            groups(
                &|first, group| {
                    let data = base64_gzip(&envelope(first, group));
                    json!({"SequenceNumber": "1", "Data": data, "PartitionKey": "p"}).to_string()
                },
                "\n",
            ),
        ),
        ("filter-log-events", groups(&page, "\n")),
        ("insights", groups(&insights, "\n")),
        ("tail", each(&|line| format!("2026-09-02T14:00:01.000000+00:00 aws/bedrock/s {line}"))),
        ("tail-short", each(&|line| format!("2026-09-02T14:00:01 {line}"))),
        ("export", each(&|line| format!("2026-09-02T14:00:01.000Z {line}"))),
        (
            "docker",
            each(&|line| {
                json!({"log": format!("{line}\n"), "stream": "stdout", "time": "t"}).to_string()
            }),
        ),
        ("cri", each(&|line| format!("2026-09-02T14:00:01.123456789Z stdout F {line}"))),
        ("fluent-bit", each(&|line| json!({"date": 1.5, "log": line, "x": {"y": 1}}).to_string())),
        ("journal", each(&|line| json!({"MESSAGE": line, "_PID": "1"}).to_string())),
        ("journal-short", each(&|line| format!("Sep 02 14:00:01 host chat[8]: {line}"))),
        ("syslog", each(&|line| format!("<14>1 2026-09-02T14:00:01Z host chat 8 - - {line}"))),
        ("logger", each(&|line| format!("2026-09-02 14:00:01,123 INFO  [main] LLM - {line}"))),
        ("text-page", groups(&text_page, "")),
        (
            "cri-of-docker-of-syslog",
            each(&|line| {
                let inner =
                    json!({"log": format!("<14>1 2026-09-02T14:00:01Z h c 8 - - {line}\n")});
                format!("2026-09-02T14:00:01.123456789Z stdout F {inner}")
            }),
        ),
    ];
    files.extend(files_of_frames(&lines, each, groups));
    files
}

/// Makes one text of some lines, the first of which has this number.
type Group<'g> = &'g dyn Fn(usize, &[&str]) -> String;

/// Files in which a record takes several lines, or shares one.
fn files_of_frames(
    lines: &[&str],
    each: impl Fn(&dyn Fn(&str) -> String) -> Vec<u8>,
    groups: impl Fn(Group<'_>, &str) -> Vec<u8>,
) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("pretty", each(&pretty)),
        ("pretty-gzip", gzip(&String::from_utf8(each(&pretty)).unwrap())),
        ("pretty-touching", touching(lines).into_bytes()),
        ("pretty-arrays", groups(&|_, group| array(group), "")),
        ("pretty-subscription", groups(&|first, group| pretty(&envelope(first, group)), "\n")),
        ("pretty-firehose", groups(&|first, group| pretty(&envelope(first, group)), "")),
        ("pretty-page", groups(&|first, group| pretty(&page(first, group)), "\n")),
        ("pretty-insights", groups(&|first, group| pretty(&insights(first, group)), "\n")),
        (
            "tail-json",
            each(&|line| {
                // The heading of what is no JSON would count as a line of its own.
                if !line.starts_with('{') {
                    return line.to_owned();
                }
                format!("2026-09-02T14:00:01+00:00 aws/bedrock/s \n{}", pretty(line))
            }),
        ),
        ("pretty-logger", each(&|line| format!("2026-09-02 14:00:01,123 INFO {}", pretty(line)))),
        ("docker-pieces", each(&docker_pieces)),
        (
            "cri-pieces",
            lines.chunks(2).fold(String::new(), |text, two| text + &cri_pieces(two) + "\n").into(),
        ),
    ]
}

fn total(file: &Path, options: &[&str]) -> Value {
    let mut arguments: Vec<&OsStr> = vec!["scan".as_ref(), file.as_ref()];
    arguments.extend(["--format", "json"].iter().chain(options).map(OsStr::new));
    let Value::Array(mut all) = json::parse(&stdout_of(&arguments)) else { panic!("no array") };
    all.pop().expect("the object of the whole")
}

fn assert_is(total: &Value, truth: &Truth, name: &str) {
    let expected = truth.total();
    assert_eq!(json::number(total, "/requests"), expected.requests, "{name}");
    assert_eq!(json::counts(total, "/outcomes"), expected.outcomes, "{name}");
    assert_eq!(json::counts(total, "/tokens"), expected.tokens, "{name}");
    assert_eq!(json::counts(total, "/unpriced_tokens"), expected.unpriced, "{name}");
    assert_eq!(json::text(total, "/cost_usd"), usd_text(expected.picodollars), "{name}");
    assert_eq!(json::number(total, "/lines_read"), truth.lines(), "{name}");
}

#[test]
fn the_same_calls_cost_the_same_in_every_wrapping() {
    let work = WorkDir::new("wrappings");
    let mut generator = Generator::new("wrapped", 7);
    let log = generator.lines(CALLS);
    for (name, bytes) in files(&log, 0) {
        let file = work.file(name, bytes);
        assert_is(&total(&file, &[]), generator.truth(), name);
        assert_is(&total(&file, &["--plain", "--threads", "1"]), generator.truth(), name);
    }
}

#[test]
fn a_daemon_counts_every_wrapping_once() {
    let work = WorkDir::new("wrapped-run");
    let logs = work.folder("logs");
    let mut truth = Truth::default();
    let names: Vec<&str> = files("", 0).into_iter().map(|(name, _)| name).collect();
    for (place, name) in names.into_iter().enumerate() {
        let mut generator = Generator::new(name, 11 + place as u64);
        let log = generator.lines(100);
        let (_, bytes) = files(&log, place * CALLS).swap_remove(place);
        // A file that goes on growing would have to end in a line feed.
        if !name.contains("gzip") && !bytes.ends_with(b"\n") {
            continue;
        }
        std::fs::write(logs.join(format!("{name}.log")), bytes).unwrap();
        truth.add(generator.truth());
    }
    let daemon = Daemon::start(&work.join("logs/*"), &work.join("ledger"));
    daemon.wait_for_truth(&truth);
    daemon.terminate();
}

#[test]
fn an_event_that_is_delivered_twice_counts_once() {
    let work = WorkDir::new("delivered-twice");
    let mut generator = Generator::new("twice", 3);
    let log = generator.anonymous_lines(50);
    let lines: Vec<&str> = log.lines().collect();
    let once = envelope(0, &lines);
    let file = work.file("twice.log", format!("{once}\n{once}\n"));
    let total = total(&file, &["--dedup"]);
    assert_eq!(json::number(&total, "/requests"), 50);
    assert_eq!(json::number(&total, "/lines_duplicate"), 50);
    assert_eq!(json::text(&total, "/cost_usd"), usd_text(generator.truth().total().picodollars));
}
