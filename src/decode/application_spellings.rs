//! The spellings of application logs: one row for each, and the promises that neither the order of
//! keys nor text that looks like a field changes anything.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Approximations, Decoder, Invocation, Reject};
use crate::model::names::{Approximation, ErrorCode, Outcome, RecordKind, StopReason};
use crate::model::time::UnixMillis;

/// One line for each shape that an application may write; the fuzzers start from them too.
pub(super) const SAMPLES: &str = include_str!("../../tests/data/decode/applications.jsonl");

fn decode(line: &str) -> Result<Invocation<'static>, Reject> {
    let fast = Decoder::new(&[]).decode(line.as_bytes()).map(Invocation::into_owned);
    assert_eq!(fast, Decoder::plain(&[]).decode(line.as_bytes()), "{line}");
    fast
}

/// A call of model `m` with these fields added.
fn with(fields: &Value) -> String {
    let mut line = json!({"ts": "2026-09-02T14:00:01Z", "model": "m"});
    let all = line.as_object_mut().expect("an object");
    for (key, value) in fields.as_object().expect("an object") {
        match value {
            Value::Null => drop(all.remove(key)),
            value => drop(all.insert(key.clone(), value.clone())),
        }
    }
    line.to_string()
}

/// The same, with usage.
fn call(fields: &Value) -> Invocation<'static> {
    let line = with(fields);
    let mut line: Value = serde_json::from_str(&line).expect("JSON");
    line["prompt_tokens"] = json!(3);
    line["completion_tokens"] = json!(0);
    decode(&line.to_string()).unwrap_or_else(|reject| panic!("{reject:?}: {line}"))
}

#[test]
fn usage_in_every_spelling_is_a_partition() {
    use Approximation as A;
    // Columns: input, cache read, cache write 5m, 1h, of unknown time to live, output.
    for (fields, expected, assumed) in [
        (json!({"usage": {"input_tokens": 10, "output_tokens": 2}}), [10, 0, 0, 0, 0, 2], None),
        (
            json!({"usage": {"input_tokens": 10, "output_tokens": 2, "total_tokens": 27, "cache_read_input_tokens": 9, "cache_creation_input_tokens": 6}}),
            [10, 9, 0, 0, 6, 2],
            None,
        ),
        (
            json!({"usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}),
            [10, 0, 0, 0, 0, 2],
            None,
        ),
        (
            json!({"usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "prompt_tokens_details": {"cached_tokens": 8}}}),
            [2, 8, 0, 0, 0, 2],
            None,
        ),
        // LiteLLM writes both names for the cached tokens.
        (
            json!({"usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "prompt_tokens_details": {"cached_tokens": 7}, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 1}}),
            [2, 7, 0, 0, 1, 2],
            None,
        ),
        (
            json!({"usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 20, "cache_read_input_tokens": 8}}),
            [10, 8, 0, 0, 0, 2],
            None,
        ),
        (
            json!({"usage": {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 11}}}),
            [10, 11, 0, 0, 0, 2],
            Some(A::CacheCountingAssumed),
        ),
        (
            json!({"usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 13}}),
            [10, 0, 0, 0, 0, 2],
            Some(A::TokenTotalMismatch),
        ),
        (
            json!({"usage": {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12, "input_tokens_details": {"cached_tokens": 8}}}),
            [2, 8, 0, 0, 0, 2],
            None,
        ),
        (
            json!({"usage": {"inputTokens": 10, "outputTokens": 2, "totalTokens": 26, "cacheReadInputTokens": 9, "cacheWriteInputTokens": 5}}),
            [10, 9, 0, 0, 5, 2],
            None,
        ),
        (
            json!({"input_tokens": 10, "output_tokens": 2, "total_tokens": 12, "cache_read_input_tokens": 4}),
            [10, 4, 0, 0, 0, 2],
            None,
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}),
            [6, 4, 0, 0, 0, 2],
            None,
        ),
        (
            json!({"inputTokens": 10, "outputTokens": 2, "cacheWriteInputTokens": 4}),
            [10, 0, 0, 0, 4, 2],
            None,
        ),
        (
            json!({"usage": {"input_tokens": 10, "output_tokens": 2, "prompt_tokens": 10, "completion_tokens": 2}}),
            [10, 0, 0, 0, 0, 2],
            None,
        ),
        (
            json!({"usage": {"input_tokens": 10, "output_tokens": 2}, "prompt_tokens": 11, "completion_tokens": 2}),
            [10, 0, 0, 0, 0, 2],
            Some(A::TokenTotalMismatch),
        ),
    ] {
        let line = with(&fields);
        let call = decode(&line).unwrap_or_else(|reject| panic!("{reject:?}: {line}"));
        assert_eq!(call.tokens.0, expected, "{line}");
        assert_eq!(call.approximations, assumed.into_iter().collect(), "{line}");
        assert_eq!((call.kind, call.outcome), (RecordKind::Application, Outcome::Ok), "{line}");
    }
}

#[test]
fn the_model_and_its_call_are_found_under_every_name() {
    for key in ["model", "model_id", "modelId", "model_name", "gen_ai.request.model"] {
        assert_eq!(call(&json!({"model": null, key: "x"})).model_id, "x", "{key}");
    }
    let nested = json!({"model": null, "gen_ai": {"request": {"model": "x"}}});
    assert_eq!(call(&nested).model_id, "x");
    assert_eq!(call(&json!({"model_id": "x"})).model_id, "x");
    assert_eq!(call(&json!({"request_id": "r"})).request_id.as_deref(), Some("r"));
    // All calls of one run of a Lambda function share these.
    for key in ["requestId", "aws_request_id", "AWSrequestId"] {
        assert_eq!(call(&json!({key: "r"})).request_id, None, "{key}");
    }
    for key in ["region", "aws_region"] {
        assert_eq!(call(&json!({key: "r"})).region.as_deref(), Some("r"), "{key}");
    }
    for key in ["account_id", "accountId"] {
        assert_eq!(call(&json!({key: "1"})).account.as_deref(), Some("1"), "{key}");
    }
    let arn = "arn:aws:iam::111122223333:role/chat";
    for key in ["principal", "role_arn"] {
        assert_eq!(call(&json!({key: arn})).identity_arn.as_deref(), Some(arn), "{key}");
        assert_eq!(call(&json!({key: "jo"})).identity_arn, None, "{key}");
    }
    assert_eq!(call(&json!({"identity": {"arn": arn}})).identity_arn.as_deref(), Some(arn));
    for key in ["latency_ms", "duration_ms", "latencyMs"] {
        assert_eq!(call(&json!({key: 1234.5})).latency_ms, Some(1234), "{key}");
    }
    for key in ["ttft_ms", "time_to_first_token_ms"] {
        assert_eq!(call(&json!({key: 99})).first_byte_ms, Some(99), "{key}");
    }
}

#[test]
fn times_are_read_as_text_and_as_numbers() {
    const AT: i64 = 1_788_357_601_000;
    for key in ["timestamp", "time", "ts", "@timestamp"] {
        for (value, millis) in [
            (json!("2026-09-02T14:00:01Z"), 0),
            (json!("2026-09-02T14:00:01.123456+00:00"), 123),
            (json!(1_788_357_601), 0),
            (json!(1_788_357_601.25), 250),
            (json!(1_788_357_601_250_i64), 250),
        ] {
            let fields = json!({"ts": null, key: value});
            let line = with(&fields);
            assert_eq!(call(&fields).at, UnixMillis(AT + millis), "{line}");
        }
    }
    let unread = json!({"timestamp": "2026-09-02 14:00", "prompt_tokens": 1});
    assert_eq!(decode(&with(&unread)).map(|call| call.at), Ok(UnixMillis(AT)));
    for (ts, reject) in [
        (json!("yesterday"), Reject::BadTimestamp),
        (json!(12), Reject::BadTimestamp),
        (json!(-1), Reject::BadTimestamp),
    ] {
        let line = with(&json!({"ts": ts, "prompt_tokens": 1}));
        assert_eq!(decode(&line).err(), Some(reject), "{line}");
    }
    let without = decode(&with(&json!({"ts": null, "prompt_tokens": 1}))).expect("a call");
    assert_eq!(without.at, UnixMillis::UNKNOWN);
    assert!(without.approximations.contains(Approximation::TimeUnknown));
}

#[test]
fn a_failed_call_counts_with_its_outcome_and_without_tokens() {
    let exhausted = "An error occurred (ThrottlingException) when calling the InvokeModel operation (reached max retries: 4): Too many requests";
    for (fields, outcome, code) in [
        (json!({"error": exhausted}), Outcome::Throttled, ErrorCode::ThrottlingException),
        (
            json!({"error_code": "AccessDenied"}),
            Outcome::AccessDenied,
            ErrorCode::AccessDeniedException,
        ),
        (
            json!({"errorCode": "ValidationException"}),
            Outcome::Validation,
            ErrorCode::ValidationException,
        ),
        (
            json!({"error": {"type": "rate_limit_error", "message": "x"}}),
            Outcome::Throttled,
            ErrorCode::Other,
        ),
        (json!({"error": {"code": 503}}), Outcome::Unavailable, ErrorCode::Other),
        (
            json!({"error.type": "ModelErrorException"}),
            Outcome::ModelError,
            ErrorCode::ModelErrorException,
        ),
        (
            json!({"exception": "botocore.exceptions.ReadTimeoutError: x"}),
            Outcome::Timeout,
            ErrorCode::Other,
        ),
        (json!({"status_code": 429}), Outcome::Throttled, ErrorCode::Other),
        (json!({"status_code": 403, "error": "no"}), Outcome::AccessDenied, ErrorCode::Other),
        (json!({"error": "it broke"}), Outcome::OtherError, ErrorCode::Other),
        (json!({"error": true}), Outcome::OtherError, ErrorCode::Other),
    ] {
        let line = with(&fields);
        let call = decode(&line).unwrap_or_else(|reject| panic!("{reject:?}: {line}"));
        assert_eq!((call.outcome, call.error_code), (outcome, Some(code)), "{line}");
        assert_eq!((call.tokens.total(), call.has_output_count), (0, false), "{line}");
        assert_eq!(call.approximations, Approximations::NONE, "{line}");
    }
    let loud = decode(&with(&json!({"error": "x", "total_tokens": 5}))).expect("a failed call");
    assert!(loud.approximations.contains(Approximation::TokenTotalMismatch));
}

#[test]
fn the_retries_of_a_failed_call_are_read_beside_its_code() {
    let text = "call failed (reached max retries: 4): Too many requests";
    for (fields, retries) in [
        (json!({"error": text}), Some(4)),
        (json!({"error_code": "ThrottlingException", "message": text}), Some(4)),
        (json!({"error": {"type": "rate_limit_error", "message": text}}), Some(4)),
        (json!({"error_code": "ThrottlingException", "message": "slow"}), None),
        (json!({"message": text}), None),
    ] {
        let line = with(&fields);
        let call = decode(&line).map(|call| call.retries_exhausted);
        assert_eq!(call.unwrap_or_default(), retries, "{line}");
    }
}

#[test]
fn what_is_no_call_and_no_error_is_none() {
    for fields in [
        json!({}),
        json!({"error": null}),
        json!({"error": false}),
        json!({"error": ""}),
        json!({"status_code": 200}),
        json!({"message": "ThrottlingException"}),
    ] {
        let line = with(&fields);
        assert_eq!(decode(&line).err(), Some(Reject::UnknownKind), "{line}");
        let call = call(&fields);
        assert_eq!((call.outcome, call.error_code), (Outcome::Ok, None), "{line}");
    }
    // A total alone can't be priced.
    let line = with(&json!({"total_tokens": 5}));
    assert_eq!(decode(&line).err(), Some(Reject::MissingField));
    for bad in [json!(-1), json!("5"), json!(1.5)] {
        let line = with(&json!({"usage": {"prompt_tokens": bad}}));
        assert_eq!(decode(&line).err(), Some(Reject::BadTokenCount), "{line}");
    }
}

#[test]
fn stop_reasons_tell_what_cut_an_answer() {
    for (key, reason, expected, outcome) in [
        ("finish_reason", "content_filter", StopReason::ContentFiltered, Outcome::Filtered),
        ("finish_reason", "length", StopReason::MaxTokens, Outcome::Ok),
        ("stop_reason", "max_tokens", StopReason::MaxTokens, Outcome::Ok),
        ("stopReason", "guardrail_intervened", StopReason::GuardrailIntervened, Outcome::Filtered),
    ] {
        let call = call(&json!({key: reason}));
        assert_eq!((call.stop_reason, call.outcome), (Some(expected), outcome), "{key}");
        // No output although the log counts it: an empty answer.
        assert!(call.has_output_count);
    }
}

#[test]
fn look_alikes_inside_prompts_change_nothing() {
    let plain = json!({"usage": {"prompt_tokens": 5, "completion_tokens": 1}});
    let fake = json!({"model": "evil", "error": "ThrottlingException", "usage": {"prompt_tokens": 9}, "prompt_tokens": 9, "stop_reason": "refusal"});
    let whole = decode(&with(&plain));
    assert!(whole.is_ok());
    for key in ["prompt", "messages", "message", "response", "Usage", "usage "] {
        for value in [fake.clone(), json!([fake]), json!(fake.to_string())] {
            let mut fields = plain.clone();
            fields[key] = value;
            assert_eq!(decode(&with(&fields)), whole, "{key}");
        }
    }
}

#[test]
fn no_text_of_an_error_is_kept() {
    for fields in [
        json!({"error": "CANARY"}),
        json!({"error": {"type": "CANARY", "message": "CANARY", "code": "CANARY"}}),
        json!({"exception": "ThrottlingException: CANARY", "stop_reason": "CANARY"}),
        json!({"error_code": "CANARY", "message": "CANARY"}),
    ] {
        let shown = format!("{:?}", decode(&with(&fields)).expect("a failed call"));
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}

#[test]
fn every_sample_is_a_call() {
    for line in SAMPLES.lines() {
        assert_eq!(decode(line).map(|call| call.kind), Ok(RecordKind::Application), "{line}");
    }
}

proptest! {
    #[test]
    fn the_order_of_keys_changes_nothing(
        (line, shuffled) in proptest::sample::select(SAMPLES.lines().collect::<Vec<_>>()).prop_flat_map(|line| {
            let members: Map<String, Value> = serde_json::from_str(line).unwrap();
            let members: Vec<(String, Value)> = members.into_iter().collect();
            (Just(line), Just(members).prop_shuffle())
        })
    ) {
        let members: Vec<String> =
            shuffled.iter().map(|(key, value)| format!("{}:{value}", Value::from(key.as_str()))).collect();
        prop_assert_eq!(decode(&format!("{{{}}}", members.join(","))), decode(line));
    }
}
