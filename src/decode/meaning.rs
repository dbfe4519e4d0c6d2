//! What lines mean: one row for each shape of body, for each broken input, and the promises that no
//! body text gets through and that the order of keys changes nothing.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Approximations, Decoder, Invocation, Reject, is_blank};
use crate::model::names::{
    Approximation, ErrorCode, Operation, Outcome, RecordKind, StopReason, Tier,
};
use crate::model::time::UnixMillis;

/// One line for each shape, in the order of the tests below.
pub(super) const SAMPLES: &str = include_str!("../../tests/data/decode/records.jsonl");

fn sample(row: usize) -> &'static str {
    SAMPLES.lines().nth(row).expect("there is a sample for each row")
}

fn decode(line: &str) -> Result<Invocation<'static>, Reject> {
    let attributes = ["team".to_owned(), "cost".to_owned()];
    let fast = Decoder::new(&attributes).decode(line.as_bytes()).map(Invocation::into_owned);
    assert_eq!(fast, Decoder::plain(&attributes).decode(line.as_bytes()), "{line}");
    fast
}

fn tokens(call: &Invocation<'_>) -> [u64; 6] {
    call.tokens.0
}

#[test]
fn every_shape_of_body_tells_its_tokens() {
    use StopReason as S;
    // Columns: input, cache read, cache write 5m, 1h, of unknown time to live, output; limit; reason.
    for (row, expected, max_tokens, stop_reason) in [
        (0, [4502, 0, 0, 0, 0, 128], Some(300), Some(S::StopSequence)),
        (1, [571, 7, 10, 20, 0, 44], Some(512), Some(S::EndTurn)),
        (2, [812, 5, 0, 0, 6, 97], Some(1024), Some(S::ToolUse)),
        (3, [318, 18240, 1000, 1048, 0, 640], Some(4096), Some(S::EndTurn)),
        (4, [62, 0, 0, 0, 0, 36], None, Some(S::GuardrailIntervened)),
        (5, [120, 11, 0, 0, 12, 80], Some(200), Some(S::MaxTokens)),
        (6, [35, 0, 0, 0, 0, 19], Some(256), Some(S::ContentFiltered)),
        (7, [407, 0, 0, 0, 0, 0], None, None),
        (8, [15, 0, 0, 0, 0, 12], Some(64), Some(S::EndTurn)),
        (9, [22, 0, 0, 0, 0, 9], Some(64), Some(S::MaxTokens)),
        (10, [9, 0, 0, 0, 0, 3], None, Some(S::EndTurn)),
        (11, [0; 6], None, None),
        (12, [0; 6], Some(2000), Some(S::EndTurn)),
        (13, [5, 0, 0, 0, 0, 20], None, None),
        (14, [4502, 0, 0, 0, 0, 128], None, None),
        (15, [4502, 1, 0, 0, 2, 128], None, None),
    ] {
        let call = decode(sample(row)).expect("samples are good");
        assert_eq!(tokens(&call), expected, "row {row}");
        assert_eq!((call.max_tokens, call.stop_reason), (max_tokens, stop_reason), "row {row}");
        assert_eq!(call.has_output_count, ![7, 11].contains(&row), "row {row}");
    }
    assert_eq!(SAMPLES.lines().count(), 16);
}

#[test]
fn every_shape_tells_how_the_call_ended_and_ran() {
    let none = Approximations::NONE;
    let only = |one| Approximations::from_iter([one]);
    for (row, outcome, tier, approximations, latency) in [
        (0, Outcome::Ok, Tier::Standard, none, (None, None)),
        (2, Outcome::Ok, Tier::Standard, none, (Some(2210), Some(402))),
        (3, Outcome::Ok, Tier::Priority, none, (Some(7312), None)),
        (
            4,
            Outcome::Filtered,
            Tier::Standard,
            only(Approximation::TokenTotalMismatch),
            (Some(1134), None),
        ),
        (5, Outcome::Ok, Tier::Flex, only(Approximation::TierAssumed), (None, None)),
        (6, Outcome::Filtered, Tier::Standard, none, (None, None)),
        (10, Outcome::Ok, Tier::Standard, only(Approximation::TierAssumed), (None, None)),
        (11, Outcome::Throttled, Tier::Standard, none, (None, None)),
        (12, Outcome::Filtered, Tier::Standard, none, (None, None)),
        (14, Outcome::Ok, Tier::Standard, none, (None, None)),
        (15, Outcome::Ok, Tier::Standard, only(Approximation::TokenTotalMismatch), (None, None)),
    ] {
        let call = decode(sample(row)).expect("samples are good");
        assert_eq!((call.outcome, call.tier), (outcome, tier), "row {row}");
        assert_eq!(call.approximations, approximations, "row {row}");
        assert_eq!((call.latency_ms, call.first_byte_ms), latency, "row {row}");
    }
}

#[test]
fn the_names_in_a_bedrock_record_are_picked_up() {
    let call = decode(sample(3)).expect("samples are good");
    assert_eq!(call.kind, RecordKind::BedrockInvocation);
    assert_eq!(call.at, UnixMillis(1_788_357_601_000));
    assert_eq!(call.account.as_deref(), Some("444455556666"));
    assert_eq!(call.region.as_deref(), Some("eu-west-1"));
    assert_eq!(call.request_id.as_deref(), Some("00000000-0000-4000-a000-000000000004"));
    assert_eq!(call.operation, Operation::Converse);
    assert_eq!(call.model_id, "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
    assert_eq!(call.invoked_model_id.as_deref(), Some("amazon.nova-lite-v1:0"));
    let arn = "arn:aws:sts::444455556666:assumed-role/billing-bot/session-4";
    assert_eq!(call.identity_arn.as_deref(), Some(arn));
    assert_eq!(call.attributes, [Some("growth".into()), None]);
    assert_eq!(call.error_code, None);
    let failed = decode(sample(11)).expect("samples are good");
    assert_eq!(failed.error_code, Some(ErrorCode::ThrottlingException));
    let listed = decode(sample(13)).expect("samples are good");
    assert_eq!(listed.identity_arn.as_deref(), Some("arn:aws:iam::444455556666:user/jo"));
    // A model can't have reasoned more than it wrote.
    assert_eq!(listed.reasoning_tokens, 20);
}

#[test]
fn the_application_log_is_picked_up() {
    let call = decode(sample(14)).expect("samples are good");
    assert_eq!(call.kind, RecordKind::Application);
    assert_eq!(call.at, UnixMillis(1_788_357_601_250));
    assert_eq!(call.model_id, "anthropic.claude-v2:1");
    assert_eq!(call.request_id.as_deref(), Some("req-1"));
    assert_eq!((call.region, call.account), (None, None));
    assert_eq!(call.reported_cost.map(|usd| usd.to_string()).as_deref(), Some("0.078"));
    let shuffled = decode(sample(15)).expect("samples are good");
    assert_eq!(shuffled.at, UnixMillis(1_788_357_601_000));
    assert_eq!(shuffled.region.as_deref(), Some("us-west-2"));
    assert_eq!(shuffled.account.as_deref(), Some("111"));
    assert_eq!(shuffled.reported_cost.map(|usd| usd.to_string()).as_deref(), Some("0.1"));
}

/// Returns the sample with the value at a JSON pointer set, or taken away by `None`.
fn changed(row: usize, pointer: &str, value: Option<Value>) -> String {
    let mut record: Value = serde_json::from_str(sample(row)).expect("samples are JSON");
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer has a slash");
    let parent = record.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    match value {
        Some(value) => drop(parent.insert(key.to_owned(), value)),
        None => drop(parent.remove(key)),
    }
    record.to_string()
}

#[test]
fn broken_lines_are_refused_with_their_reason() {
    let whole = sample(0);
    let (cut, _) = whole.split_at(whole.len() - 9);
    let huge =
        r#"{"model_id":"m","timestamp":"2026-09-02T14:00:01Z","usage":{"input_tokens":NUMBER}}"#;
    let huge = huge.replace("NUMBER", &"9".repeat(400));
    let tail = format!("{whole} x");
    let twice = format!("{whole}{whole}");
    let deep = "[".repeat(100_000);
    for (line, reject) in [
        ("", Reject::InvalidJson),
        ("garbage", Reject::InvalidJson),
        (cut, Reject::InvalidJson),
        (&tail, Reject::InvalidJson),
        (&twice, Reject::InvalidJson),
        (&deep, Reject::InvalidJson),
        ("[]", Reject::NotAnObject),
        ("\"text\"", Reject::NotAnObject),
        ("12", Reject::NotAnObject),
        ("{}", Reject::UnknownKind),
        (r#"{"message":"hello","level":"INFO"}"#, Reject::UnknownKind),
        (r#"{"model_id":"m","usage":{}}"#, Reject::UnknownKind),
        (r#"{"model_id":"m","usage":5}"#, Reject::UnknownKind),
        (r#"{"schemaType":"SomethingElse","modelId":"m"}"#, Reject::UnknownKind),
        (r#"{"schemaType":"ModelInvocationLog"}"#, Reject::MissingField),
        (r#"{"modelId":"m"}"#, Reject::MissingField),
        (&huge, Reject::BadTokenCount),
    ] {
        assert_eq!(decode(line).err(), Some(reject), "{line}");
    }
}

#[test]
fn broken_fields_are_refused_with_their_reason() {
    let text = |text: &str| Some(Value::from(text));
    for (row, pointer, value, result) in [
        (0, "/timestamp", None, Err(Reject::MissingField)),
        (0, "/timestamp", Some(Value::Null), Err(Reject::MissingField)),
        (0, "/timestamp", text("yesterday"), Err(Reject::BadTimestamp)),
        (0, "/timestamp", text("1970-01-01T00:00:00Z"), Err(Reject::BadTimestamp)),
        (0, "/timestamp", text("1999-12-31T23:59:59Z"), Err(Reject::BadTimestamp)),
        (0, "/timestamp", text("2000-01-01T00:00:00Z"), Ok(4630)),
        (0, "/timestamp", text("2200-01-01T00:00:00Z"), Err(Reject::BadTimestamp)),
        (0, "/timestamp", text("2262-04-12T00:00:00Z"), Err(Reject::BadTimestamp)),
        (0, "/timestamp", Some(json!(1_788_357_601)), Err(Reject::BadTimestamp)),
        (0, "/modelId", None, Err(Reject::MissingField)),
        (0, "/modelId", Some(Value::Null), Err(Reject::MissingField)),
        (0, "/modelId", text(""), Err(Reject::BadField)),
        (0, "/modelId", Some(json!(["m"])), Err(Reject::BadField)),
        (0, "/modelId", Some(json!(5)), Err(Reject::BadField)),
        (0, "/input/inputTokenCount", Some(json!(-1)), Err(Reject::BadTokenCount)),
        (0, "/input/inputTokenCount", Some(json!(1.5)), Err(Reject::BadTokenCount)),
        (0, "/input/inputTokenCount", Some(json!(1e3)), Err(Reject::BadTokenCount)),
        (0, "/input/inputTokenCount", text("4502"), Err(Reject::BadTokenCount)),
        (0, "/input/inputTokenCount", Some(json!({})), Err(Reject::BadTokenCount)),
        (0, "/input/inputTokenCount", Some(json!(4_294_967_295_u64)), Ok(4_294_967_423)),
        (0, "/input/inputTokenCount", Some(json!(4_294_967_296_u64)), Err(Reject::BadTokenCount)),
        (0, "/input/inputTokenCount", Some(Value::Null), Ok(128)),
        (0, "/output/outputTokenCount", Some(json!(true)), Err(Reject::BadTokenCount)),
        (0, "/output/outputTokenCount", None, Ok(4502)),
        (3, "/input/cacheReadInputTokenCount", Some(json!(-5)), Err(Reject::BadTokenCount)),
        (3, "/input/cacheWriteInputTokenCount", text(""), Err(Reject::BadTokenCount)),
        // A body is only a body.
        (3, "/output/outputBodyJson/usage", text("none"), Ok(21_246)),
        (3, "/output/outputBodyJson/usage/inputTokens", Some(json!(-1)), Ok(21_246)),
        (8, "/output/outputBodyJson/prompt_token_count", Some(json!(1.5)), Ok(12)),
        (0, "/input/inputBodyJson", text("text"), Ok(4630)),
        (0, "/input/inputBodyJson", Some(json!([1, {"max_tokens": 5}])), Ok(4630)),
        (0, "/output/outputBodyJson", Some(Value::Null), Ok(4630)),
        (0, "/output/outputBodyJson", Some(json!(7)), Ok(4630)),
        (0, "/output", text("gone"), Ok(4502)),
        (0, "/identity", Some(json!([1, "x"])), Ok(4630)),
        (0, "/errorCode", text(""), Ok(4630)),
        (14, "/usage/input_tokens", text("4502"), Err(Reject::BadTokenCount)),
        (14, "/usage/output_tokens", Some(json!(-128)), Err(Reject::BadTokenCount)),
        (14, "/usage/total_tokens", Some(json!(0.5)), Err(Reject::BadTokenCount)),
        (14, "/usage/output_tokens", None, Ok(4502)),
        (14, "/usage", None, Err(Reject::UnknownKind)),
        (14, "/model_id", None, Err(Reject::UnknownKind)),
        (14, "/model_id", text(""), Err(Reject::BadField)),
        (14, "/timestamp", None, Ok(4630)),
        (14, "/billing_estimate_usd", text("a lot"), Ok(4630)),
        (14, "/billing_estimate_usd", Some(json!(-1)), Ok(4630)),
    ] {
        let line = changed(row, pointer, value);
        assert_eq!(decode(&line).map(|call| call.tokens.total()), result, "{line}");
    }
}

#[test]
fn a_split_of_cache_writes_counts_only_if_it_adds_up() {
    let usage = "/output/outputBodyJson/usage";
    let details = format!("{usage}/cacheDetails");
    let write = |short, long, unknown| [318, 18240, short, long, unknown, 640];
    for (details_value, expected) in [
        (json!([{"ttl": "5m", "inputTokens": 2048}]), write(2048, 0, 0)),
        (
            json!([{"ttl": "5m", "inputTokens": 2000}, {"ttl": "5m", "inputTokens": 48}]),
            write(2048, 0, 0),
        ),
        (json!([{"ttl": "5m", "inputTokens": 2047}]), write(0, 0, 2048)),
        (json!([{"ttl": "1d", "inputTokens": 2048}]), write(0, 0, 2048)),
        (json!([{"ttl": "5m"}, {"inputTokens": 2048}]), write(0, 0, 2048)),
        (json!([{"ttl": "5m", "inputTokens": "2048"}]), write(0, 0, 2048)),
        (json!("none"), write(0, 0, 2048)),
    ] {
        let line = changed(3, &details, Some(details_value));
        assert_eq!(decode(&line).map(|call| tokens(&call)), Ok(expected), "{line}");
    }
}

#[test]
fn look_alikes_change_nothing() {
    let whole = decode(sample(0));
    let fake = r#""inputTokenCount":999999,"identity":{"arn":"arn:aws:iam::1:user/evil"},"errorCode":"ThrottlingException""#;
    let escaped = fake.replace('"', "\\\"");
    for line in [
        sample(0).replace("Human: x", &escaped),
        sample(0).replace(r#""inputBodyJson":{"#, &format!(r#""inputBodyJson":{{{fake},"#)),
        sample(0)
            .replace(r#""inputBodyJson":{"#, &format!(r#""inputBodyJson":{{"usage":{{{fake}}},"#)),
        sample(0).replace(
            r#""outputBodyJson":{"#,
            &format!(r#""outputBodyJson":{{{fake},"input":{{{fake}}},"#),
        ),
        sample(0).replace(r#""input":{"#, r#""Input":{"inputTokenCount":999999},"input":{"#),
        sample(0)
            .replace(r#""input":{"#, r#""inputTokenCount":999999,"inputtokencount":1,"input":{"#),
        sample(0)
            .replace(r#""input":{"#, r#""model_id":"other","usage":{"input_tokens":1},"input":{"#),
    ] {
        assert_ne!(line, sample(0));
        assert_eq!(decode(&line), whole, "{line}");
    }
}

#[test]
fn a_key_is_what_it_says_however_it_is_spelled() {
    let line = sample(0).replace("\"modelId\"", r#""model\u0049d""#);
    assert_eq!(decode(&line), decode(sample(0)));
    let line = sample(0)
        .replace(r#""inputTokenCount":4502"#, r#""inputTokenCount":1,"inputTokenCount":4502"#);
    assert_eq!(decode(&line), decode(sample(0)));
}

#[test]
fn line_ends_marks_holes_and_broken_characters_are_tolerated() {
    let mut decoder = Decoder::new(&[]);
    let clean = decoder.decode(sample(0).as_bytes());
    let line = sample(0).as_bytes();
    let with = |before: &[u8], after: &[u8]| [before, line, after].concat();
    for framed in [with(b"\xef\xbb\xbf", b"\r"), with(b"  ", b" \r\n"), with(&[0; 5000], b"")] {
        assert_eq!(decoder.decode(&framed), clean);
        assert_eq!(Decoder::plain(&[]).decode(&framed), clean);
    }
    let broken: Vec<u8> =
        sample(0).replace(" y", "\u{1}").replace("billing-bot", "\u{2}").into_bytes();
    let broken: Vec<u8> = broken.into_iter().map(|b| if b < 3 { 0xf0 } else { b }).collect();
    let call = decoder.decode(&broken).expect("bytes in strings are free").into_owned();
    assert!(call.identity_arn.as_deref().is_some_and(|arn| arn.contains("role/\u{fffd}/session")));
    assert_eq!(Decoder::plain(&[]).decode(&broken), Ok(call));
}

#[test]
fn only_space_and_nuls_are_blank() {
    assert!(is_blank(b"") && is_blank(b" \t\r\n") && is_blank(&[0; 9000]));
    assert!(!is_blank(b" \0 {") && !is_blank(b"0") && !is_blank(b"\xef\xbb\xbf"));
}

/// Replaces every string in a value by a canary.
fn fill(value: &mut Value) {
    match value {
        Value::String(text) => "CANARY".clone_into(text),
        Value::Array(all) => all.iter_mut().for_each(fill),
        Value::Object(all) => all.values_mut().for_each(fill),
        _ => (),
    }
}

/// Writes a value with its keys in another order and with white space between everything.
fn shuffled(value: &Value, random: &mut impl FnMut() -> usize) -> String {
    const SPACE: [&str; 4] = ["", " ", "\t", "\r  "];
    match value {
        Value::Object(all) => {
            let mut members: Vec<String> = all
                .iter()
                .map(|(key, value)| {
                    let key = Value::from(key.as_str());
                    format!(
                        "{}{key}{}:{}{}",
                        SPACE[random() % 4],
                        SPACE[random() % 4],
                        SPACE[random() % 4],
                        shuffled(value, random)
                    )
                })
                .collect();
            for at in 1..members.len() {
                members.swap(at, random() % (at + 1));
            }
            format!("{{{}{}}}", members.join(","), SPACE[random() % 4])
        }
        Value::Array(all) => {
            let all: Vec<String> = all.iter().map(|value| shuffled(value, random)).collect();
            format!("[{}]", all.join([",", " ,", ",\t", " , "][random() % 4]))
        }
        scalar => scalar.to_string(),
    }
}

proptest! {
    #[test]
    fn no_body_text_is_ever_in_an_invocation(row in 0..14_usize, keys in proptest::collection::vec("[a-z]{1,9}", 0..4)) {
        let mut record: Value = serde_json::from_str(sample(row)).unwrap();
        for (side, body) in [("input", "inputBodyJson"), ("output", "outputBodyJson")] {
            if let Some(body) = record.get_mut(side).and_then(|side| side.get_mut(body)) {
                fill(body);
                if let Some(body) = body.as_object_mut() {
                    body.extend(keys.iter().map(|key| (format!("{key}_CANARY"), Value::from("CANARY"))));
                    // The one name in a body that is kept: the model that a router chose.
                    body.remove("trace");
                }
            }
        }
        let mut decoder = Decoder::new(&["team".to_owned()]);
        let line = record.to_string();
        let call = decoder.decode(line.as_bytes());
        prop_assert!(call.is_ok());
        let shown = format!("{call:?}");
        prop_assert!(!shown.contains("CANARY"), "{}", shown);
        let shown = format!("{decoder:?}");
        prop_assert!(!shown.contains("CANARY"), "{}", shown);
    }

    #[test]
    fn the_order_of_keys_and_white_space_change_nothing(row in 0..16_usize, mut state in any::<u64>()) {
        let record: Map<String, Value> = serde_json::from_str(sample(row)).unwrap();
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 40).unwrap()
        };
        let line = shuffled(&Value::Object(record), &mut random);
        prop_assert_eq!(decode(&line), decode(sample(row)), "{}", line);
    }
}
