//! Wrappings: every one of them gives back the record that was put into it, nested as they come, and
//! hostile ones are bounded and counted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::Write as _;

use super::meaning::SAMPLES;
use super::{Decoder, Invocation, Item, Reject};
use crate::model::names::{Approximation, RecordKind};

/// What was found, without its borrows.
#[derive(Debug, PartialEq)]
enum Found {
    Record(Box<Invocation<'static>>, Option<String>),
    Signal(RecordKind, Option<String>),
    Rejected(Reject),
    Ignored,
}

fn all_of(decoder: &mut Decoder, line: &[u8]) -> Vec<Found> {
    let mut all = Vec::new();
    decoder.each(line, &mut |item| {
        all.push(match item {
            Item::Record { invocation, event_id } => {
                Found::Record(Box::new(invocation.into_owned()), event_id.map(str::to_owned))
            }
            Item::Signal { signal, event_id } => {
                Found::Signal(signal.kind, event_id.map(str::to_owned))
            }
            Item::Rejected { reject, .. } => Found::Rejected(reject),
            Item::Ignored => Found::Ignored,
        });
    });
    all
}

/// Returns what both decoders find in a line.
fn found(line: &[u8]) -> Vec<Found> {
    let fast = all_of(&mut Decoder::new(&[]), line);
    assert_eq!(fast, all_of(&mut Decoder::plain(&[]), line), "{}", String::from_utf8_lossy(line));
    fast
}

fn calls(line: &[u8]) -> Vec<Invocation<'static>> {
    let calls = found(line).into_iter().map(|found| match found {
        Found::Record(call, _) => *call,
        other => panic!("{other:?} in {}", String::from_utf8_lossy(line)),
    });
    calls.collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn base64_gzip(text: &str) -> String {
    STANDARD.encode(gzip(text.as_bytes()))
}

fn envelope(message: &str) -> Value {
    json!({"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "g", "logStream": "s",
        "subscriptionFilters": ["f"],
        "logEvents": [{"id": "3825", "timestamp": 1_715_677_923_000_u64, "message": message}]})
}

/// Every wrapping with its name, around one record or around another wrapping.
pub(super) type Wrap = fn(&str) -> String;

/// Wrappings whose result is JSON or text in one line, and which take any such line.
pub(super) const WRAPPINGS: &[(&str, Wrap)] = &[
    ("bare", str::to_owned),
    ("subscription envelope", |text| envelope(text).to_string()),
    ("lambda awslogs", |text| {
        json!({"awslogs": {"data": base64_gzip(&envelope(text).to_string())}}).to_string()
    }),
    ("kinesis record", |text| {
        let data = base64_gzip(&envelope(text).to_string());
        json!({"SequenceNumber": "495", "Data": data, "PartitionKey": "p"}).to_string()
    }),
    ("kinesis get-records", |text| {
        let data = STANDARD.encode(text);
        json!({"Records": [{"Data": data, "PartitionKey": "p"}], "MillisBehindLatest": 0})
            .to_string()
    }),
    ("kinesis to lambda", |text| {
        let data = base64_gzip(text);
        json!({"Records": [{"kinesis": {"data": data}, "eventSource": "aws:kinesis"}]}).to_string()
    }),
    ("firehose to lambda", |text| {
        json!({"invocationId": "i", "records": [{"recordId": "r", "data": base64_gzip(text)}]})
            .to_string()
    }),
    ("queue to lambda", |text| {
        json!({"Records": [{"messageId": "m", "body": text, "eventSource": "aws:sqs"}]}).to_string()
    }),
    ("filter-log-events", |text| {
        json!({"events": [{"logStreamName": "s", "timestamp": 1, "message": text,
            "ingestionTime": 2, "eventId": "3825"}], "searchedLogStreams": [], "nextToken": null})
        .to_string()
    }),
    ("get-log-events", |text| {
        json!({"events": [{"timestamp": 1, "message": text, "ingestionTime": 2}],
            "nextForwardToken": "f", "nextBackwardToken": "b"})
        .to_string()
    }),
    ("insights", |text| {
        json!({"results": [[{"field": "@timestamp", "value": "2024-05-14 09:12:03.000"},
            {"field": "@message", "value": text}, {"field": "@ptr", "value": "C"}]],
            "status": "Complete"})
        .to_string()
    }),
    ("live tail", |text| {
        json!({"sessionUpdate": {"sessionMetadata": {"sampled": false}, "sessionResults": [
            {"logGroupIdentifier": "111122223333:g", "message": text, "timestamp": 1_715_677_923_000_u64}]}})
        .to_string()
    }),
    ("topic", |text| {
        json!({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:111122223333:t", "Message": text})
            .to_string()
    }),
    ("docker json-file", |text| {
        json!({"log": format!("{text}\n"), "stream": "stdout", "time": "2024-05-14T09:12:03.1Z"})
            .to_string()
    }),
    ("fluent bit", |text| {
        json!({"date": 1_715_677_923.0, "log": text, "stream": "stdout", "kubernetes": {"a": "b"}})
            .to_string()
    }),
    ("journald export", |text| {
        json!({"MESSAGE": text, "__REALTIME_TIMESTAMP": "1715677923000000", "_PID": "8"})
            .to_string()
    }),
];

/// Wrappings that take JSON only.
pub(super) const PREFIXES: &[(&str, Wrap)] = &[
    ("aws logs tail", |text| {
        format!("2024-05-14T09:12:03.000000+00:00 aws/bedrock/modelinvocations {text}")
    }),
    ("aws logs tail, short", |text| format!("2024-05-14T09:12:03 {text}")),
    ("aws logs tail, coloured", |text| {
        format!("\u{1b}[32m2024-05-14T09:12:03+00:00\u{1b}[0m \u{1b}[36ms\u{1b}[0m {text}")
    }),
    ("s3 export", |text| format!("2024-05-14T09:12:03.000Z {text}")),
    ("cri", |text| format!("2024-05-14T09:12:00.123456789Z stdout F {text}")),
    ("syslog", |text| format!("<14>1 2024-05-14T09:12:00.123Z host chat 812 - - {text}")),
    ("journald short", |text| format!("May 14 09:12:00 host chat[812]: {text}")),
    ("logger", |text| format!("2024-05-14 09:12:00,123 INFO  [main] LLM - {text}")),
    ("page in text form", |text| {
        format!("EVENTS\t3825\t1715677923812\tstream\t{text}\t1715677923000")
    }),
    ("array", |text| format!("[{text}]")),
];

#[test]
fn every_wrapping_of_every_record_gives_that_record() {
    for (row, record) in SAMPLES.lines().enumerate() {
        let bare = Decoder::new(&[]).decode(record.as_bytes()).unwrap().into_owned();
        for (name, wrap) in WRAPPINGS.iter().chain(PREFIXES) {
            let mut call = calls(wrap(record).as_bytes()).pop().unwrap();
            if bare.account.is_none() {
                call.account = None;
            }
            assert_eq!(call, bare, "row {row} in {name}");
        }
    }
}

fn wrapping() -> impl Strategy<Value = Wrap> {
    proptest::sample::select(WRAPPINGS.iter().skip(1).map(|(_, wrap)| *wrap).collect::<Vec<_>>())
}

fn prefix() -> impl Strategy<Value = Wrap> {
    proptest::sample::select(PREFIXES.iter().map(|(_, wrap)| *wrap).collect::<Vec<_>>())
}

proptest! {
    /// A prefix needs JSON behind it, so at most one of two layers is one.
    #[test]
    fn nested_wrappings_give_the_records_in_order(
        rows in proptest::collection::vec(0..16_usize, 1..4),
        layers in proptest::collection::vec((wrapping(), prop::option::of(prefix())), 1..4),
        glue in proptest::sample::select(vec!["", " ", "\n", "\r\n"]),
    ) {
        let records: Vec<&str> =
            rows.iter().map(|row| SAMPLES.lines().nth(*row).unwrap()).collect();
        let mut text = records.join(glue);
        for (wrap, prefix) in &layers {
            text = wrap(&text);
            if let Some(prefix) = prefix {
                text = prefix(&text);
            }
        }
        let mut expected: Vec<_> = records
            .iter()
            .map(|record| Decoder::new(&[]).decode(record.as_bytes()).unwrap().into_owned())
            .collect();
        let mut found = calls(text.as_bytes());
        for (call, bare) in found.iter_mut().zip(&mut expected) {
            call.account.clone_from(&bare.account);
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn both_decoders_take_anything_apart_alike(
        layers in proptest::collection::vec(wrapping(), 0..4),
        text in "[ -~]{0,40}|\\PC{0,20}",
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut line = layers.iter().fold(text, |text, wrap| wrap(&text)).into_bytes();
        if let Some((place, byte)) = damage
            && !line.is_empty()
        {
            let place = place.index(line.len());
            line[place] = byte;
        }
        let fast = all_of(&mut Decoder::new(&[]), &line);
        prop_assert_eq!(fast, all_of(&mut Decoder::plain(&[]), &line));
    }
}

#[test]
fn an_event_brings_its_id_and_its_account() {
    let record = SAMPLES.lines().nth(14).unwrap();
    let line = envelope(record).to_string();
    let [Found::Record(call, id)] = &found(line.as_bytes())[..] else { panic!("one record") };
    assert_eq!(id.as_deref(), Some("3825"));
    assert_eq!(call.account.as_deref(), Some("111122223333"));
    let tsv = format!("EVENTS\t77\t1\tstream\t{record}\t1");
    let [Found::Record(_, id)] = &found(tsv.as_bytes())[..] else { panic!("one record") };
    assert_eq!(id.as_deref(), Some("77"));
}

#[test]
fn what_holds_no_record_is_ignored_and_not_refused() {
    for line in [
        r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}"#,
        r#"{"events":[],"nextToken":"t"}"#,
        r#"{"results":[],"status":"Running"}"#,
        r#"{"sessionStart":{"requestId":"r"}}"#,
        r#"{"sessionUpdate":{"sessionMetadata":{"sampled":false},"sessionResults":[]}}"#,
        r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#,
        "SEARCHEDLOGSTREAMS\taws/bedrock/modelinvocations\tTrue",
    ] {
        assert_eq!(found(line.as_bytes()), [Found::Ignored], "{line}");
    }
}

#[test]
fn every_event_of_a_list_counts_however_many_there_are() {
    let call = r#"{\"modelId\":\"m\",\"timestamp\":\"2026-09-02T14:00:01Z\",\"input\":{\"inputTokenCount\":1}}"#;
    for count in [1, 32_768, 32_769] {
        let event = format!(r#"{{"id":"7","message":"{call}"}}"#);
        let line = format!(r#"{{"logEvents":[{}]}}"#, vec![event; count].join(","));
        let found = all_of(&mut Decoder::new(&[]), line.as_bytes());
        assert_eq!(found.len(), count);
        for found in found {
            assert!(matches!(found, Found::Record(_, Some(id)) if id == "7"));
        }
    }
}

#[test]
fn of_a_list_that_comes_twice_the_last_counts_and_lists_are_kept_apart() {
    let event = |id: &str| {
        let call = r#"{\"modelId\":\"m\",\"timestamp\":\"2026-09-02T14:00:01Z\",\"input\":{\"inputTokenCount\":1}}"#;
        format!(r#"{{"id":"{id}","message":"{call}"}}"#)
    };
    let (a, b, c) = (event("a"), event("b"), event("c"));
    for (line, ids) in [
        (format!(r#"{{"logEvents":[{a}],"logEvents":[{b},{c}]}}"#), &["b", "c"][..]),
        (format!(r#"{{"logEvents":[{a}],"logEvents":null}}"#), &["a"]),
        (format!(r#"{{"logEvents":[{a}],"logEvents":[]}}"#), &[]),
        (format!(r#"{{"events":[{a}],"logEvents":[{b}],"events":[]}}"#), &["b"]),
        (format!(r#"{{"events":[{a}],"logEvents":[]}}"#), &[]),
        (format!(r#"{{"events":[{a},{b}],"results":[{c}]}}"#), &["a", "b"]),
        (format!(r#"{{"sessionUpdate":{{"sessionResults":[{b}]}},"events":[{a}]}}"#), &["b"]),
    ] {
        let mut found_ids = Vec::new();
        for found in found(line.as_bytes()) {
            match found {
                Found::Record(_, id) => found_ids.extend(id),
                Found::Ignored => {}
                other => panic!("{other:?} in {line}"),
            }
        }
        assert_eq!(found_ids, ids, "{line}");
    }
}

#[test]
fn a_tail_that_left_events_out_says_so_of_those_it_has() {
    let record = SAMPLES.lines().next().unwrap();
    let results = json!([{"message": record, "timestamp": 1}]);
    let update = |sampled: bool| {
        json!({"sessionUpdate": {"sessionMetadata": {"sampled": sampled}, "sessionResults": results}})
            .to_string()
    };
    for sampled in [true, false] {
        let call = calls(update(sampled).as_bytes()).pop().unwrap();
        assert_eq!(call.approximations.contains(Approximation::SampledLog), sampled);
    }
}

#[test]
fn each_part_of_a_mixed_line_has_its_own_fate() {
    let record = SAMPLES.lines().next().unwrap();
    let rejected = |all: &[Found]| -> Vec<Option<Reject>> {
        let reject = |found: &Found| match found {
            Found::Rejected(reject) => Some(*reject),
            _ => None,
        };
        all.iter().map(reject).collect()
    };
    for (line, expected) in [
        (format!("{record}{record}"), vec![None, None]),
        (format!("{record} x"), vec![None, Some(Reject::InvalidJson)]),
        (
            format!("[{record},5,{{}}]"),
            vec![None, Some(Reject::NotAnObject), Some(Reject::UnknownKind)],
        ),
        (
            json!({"logEvents": [{"message": record}, {"message": "plain"}, {"id": "3"}, 7]})
                .to_string(),
            vec![
                None,
                Some(Reject::InvalidJson),
                Some(Reject::UnknownKind),
                Some(Reject::UnknownKind),
            ],
        ),
        (
            json!({"awslogs": {"data": base64_gzip(&format!("{record}\nplain\n\n{record}"))}})
                .to_string(),
            vec![None, Some(Reject::InvalidJson)],
        ),
        (
            json!({"log": format!("plain\n{record}\n{record}")}).to_string(),
            vec![Some(Reject::InvalidJson), None, None],
        ),
    ] {
        assert_eq!(rejected(&found(line.as_bytes())), expected, "{line}");
    }
}

#[test]
fn the_message_of_an_application_is_no_wrapping() {
    let record = SAMPLES.lines().next().unwrap();
    for line in [
        json!({"level": "INFO", "message": record}),
        json!({"level": "INFO", "message": "m", "body": record, "data": base64_gzip(record)}),
        json!({"prompt": {"logEvents": [{"message": record}], "log": record}}),
    ] {
        let line = line.to_string();
        assert_eq!(found(line.as_bytes()), [Found::Rejected(Reject::UnknownKind)], "{line}");
    }
    let prompt = format!("INFO the user asked for {record} today");
    assert_eq!(found(prompt.as_bytes()), [Found::Rejected(Reject::InvalidJson)]);
}

#[test]
fn a_line_that_gzip_shrunk_to_nothing_holds_few_records() {
    let record = r#"{"time":1788357601,"model":"m","input_tokens":1,"output_tokens":1}"#;
    let many = vec![record; 20_000].join("\n");
    let line = json!({"awslogs": {"data": base64_gzip(&many)}}).to_string();
    let found = |line: &str| {
        let all = found(line.as_bytes());
        let records = all.iter().filter(|found| matches!(found, Found::Record(..))).count();
        let oversized = all.iter().filter(|found| **found == Found::Rejected(Reject::Oversized));
        (records, oversized.count(), all.len())
    };
    let allowed = line.len() / 2 + 128;
    assert!((200..15_000).contains(&allowed), "{allowed}");
    assert_eq!(found(&line), (allowed, 20_000 - allowed, 20_000));
    // What is as long as it looks has all of them, and so have arrays of counts.
    assert_eq!(found(&format!("[{}]", vec![record; 20_000].join(","))), (20_000, 0, 20_000));
    let counts = vec![10; 100];
    let arrays = json!({"_aws": {"Timestamp": 1_788_357_601_000_u64}, "model": "m", "input_tokens": counts,
        "output_tokens": counts});
    assert_eq!(found(&json!(vec![arrays; 40]).to_string()), (4_000, 0, 4_000));
}

#[test]
fn hostile_wrappings_are_bounded_and_counted() {
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let data = STANDARD.encode(&bomb);
    let line = json!({"awslogs": {"data": data}}).to_string();
    assert_eq!(found(line.as_bytes()), [Found::Rejected(Reject::Oversized)]);
    // The limit is that of the line, whatever it is divided into.
    let half = STANDARD.encode(gzip(&vec![b' '; 20 << 20]));
    let many = json!({"records": [{"data": half}, {"data": half}, {"data": half}]}).to_string();
    let oversized = || Found::Rejected(Reject::Oversized);
    assert_eq!(found(many.as_bytes()), [oversized(), oversized()]);
    let broken = STANDARD.encode(&bomb[..bomb.len() / 2]);
    let truncated = gzip(b"{}");
    let truncated = STANDARD.encode(&truncated[..truncated.len() - 6]);
    for (data, reject) in [
        ("not base64!", Reject::BadWrapping),
        ("H4sIAAAA", Reject::BadWrapping),
        (&truncated, Reject::BadWrapping),
        (&broken, Reject::BadWrapping),
    ] {
        let line = json!({"awslogs": {"data": data}}).to_string();
        assert_eq!(found(line.as_bytes()), [Found::Rejected(reject)]);
    }
    let mut deep = SAMPLES.lines().next().unwrap().to_owned();
    for _ in 0..12 {
        deep = format!(r#"{{"records":[{{"data":"{}"}}]}}"#, STANDARD.encode(deep));
    }
    assert_eq!(found(deep.as_bytes()), [Found::Rejected(Reject::NestedTooDeep)]);
}
