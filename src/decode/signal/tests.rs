//! What each kind of signal is read as, from lines of our own in the documented shapes; and that
//! neither look-alikes nor texts get into one.

use super::SignalRecord;
use crate::decode::{Decoder, Item};
use crate::model::names::{RecordKind, Reject};
use crate::model::time::UnixMillis;
use serde_json::{Value, json};

/// Everything that a line holds, one text each: a measurement as `family{labels} value`.
fn read(line: &str) -> Vec<String> {
    let of = |mut decoder: Decoder| {
        let mut all = Vec::new();
        decoder.each(line.as_bytes(), &mut |item| match item {
            Item::Record { invocation, .. } => all.push(format!("call {}", invocation.model_id)),
            Item::Signal { signal, .. } => all.extend(shown(&signal)),
            Item::Rejected { reject, .. } => all.push(reject.as_str().to_owned()),
            Item::Ignored => all.push("ignored".to_owned()),
        });
        all
    };
    let fast = of(Decoder::new(&[]));
    assert_eq!(fast, of(Decoder::plain(&[])), "{line}");
    fast
}

fn shown(signal: &SignalRecord<'_>) -> Vec<String> {
    let model = signal.model_id.as_deref().map_or(String::new(), |model| format!("{model} "));
    let shown = signal.measurements.iter().map(|one| {
        format!("{}{{{model}{}}} {}", one.signal.as_str(), one.labels.join(" "), one.value)
    });
    shown.collect()
}

/// Returns the one signal of a line.
fn signal(line: &str) -> SignalRecord<'static> {
    let mut found = None;
    Decoder::new(&[]).each(line.as_bytes(), &mut |item| {
        if let Item::Signal { signal, .. } = item {
            let owned =
                |text: Option<std::borrow::Cow<'_, str>>| text.map(|t| t.into_owned().into());
            found = Some(SignalRecord {
                kind: signal.kind,
                at: signal.at,
                id: owned(signal.id),
                request_id: owned(signal.request_id),
                outcome: signal.outcome,
                context: signal.context,
                account: owned(signal.account),
                region: owned(signal.region),
                model_id: owned(signal.model_id),
                identity_arn: owned(signal.identity_arn),
                measurements: Vec::new(),
            });
        }
    });
    found.expect("a signal")
}

fn event(changes: &Value) -> String {
    let mut event = json!({
        "eventVersion": "1.11", "eventSource": "bedrock.amazonaws.com", "eventName": "InvokeModel",
        "eventTime": "2026-09-02T14:00:01Z", "awsRegion": "us-east-1",
        "userIdentity": {"arn": "arn:aws:sts::444455556666:assumed-role/bot/session"},
        "requestParameters": {"modelId": "anthropic.claude-v2:1"}, "responseElements": null,
        "requestID": "r", "eventID": "e", "recipientAccountId": "444455556666",
    });
    for (key, value) in changes.as_object().expect("an object") {
        event[key] = value.clone();
    }
    event.to_string()
}

#[test]
fn a_cloudtrail_event_is_a_call_seen_from_the_other_side() {
    let seen = "api_calls{anthropic.claude-v2:1 InvokeModel";
    for (changes, expected) in [
        (json!({}), format!("{seen} ok public }} 1")),
        (json!({"vpcEndpointId": "vpce-1"}), format!("{seen} ok vpc }} 1")),
        (json!({"errorCode": "ThrottlingException"}), format!("{seen} throttled public }} 1")),
        (
            json!({"errorCode": "AccessDenied", "vpcEndpointId": "vpce-1"}),
            format!("{seen} access_denied vpc }} 1"),
        ),
        (json!({"errorCode": "Novel"}), format!("{seen} other_error public }} 1")),
        (
            json!({"additionalEventData": {"inferenceRegion": "us-west-2"}}),
            format!("{seen} ok public us-west-2}} 1"),
        ),
        (json!({"eventName": "ListFoundationModels"}), "ignored".to_owned()),
        (json!({"eventSource": "s3.amazonaws.com"}), "ignored".to_owned()),
        (json!({"eventTime": "once"}), "bad_timestamp".to_owned()),
    ] {
        let line = event(&changes);
        assert_eq!(read(&line), std::slice::from_ref(&expected), "{line}");
        let bus = json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.bedrock",
            "detail": serde_json::from_str::<Value>(&line).unwrap()});
        assert_eq!(read(&bus.to_string()), [expected], "{bus}");
    }
    let one = signal(&event(&json!({})));
    assert_eq!(one.kind, RecordKind::CloudTrail);
    assert_eq!((one.id.as_deref(), one.account.as_deref()), (Some("e"), Some("444455556666")));
    assert_eq!(one.at, Some(UnixMillis(1_788_357_601_000)));
    let file = format!("{{\"Records\":[{},{}]}}", event(&json!({})), event(&json!({})));
    assert_eq!(read(&file).len(), 2);
}

#[test]
fn a_run_is_read_from_its_report_in_text_and_in_json() {
    let of = |name: &str, value: u64| format!("lambda_{name}{{unknown}} {value}");
    let expected = |outcome: &str| {
        vec![
            format!("lambda_invocations{{unknown {outcome}}} 1"),
            of("init_duration", 812_550),
            of("billed_duration", 6_124_000),
            of("memory_size", 512 << 20),
            of("memory_used", 143 << 20),
        ]
    };
    let text = "REPORT RequestId: 6f6d\tDuration: 6123.44 ms\tBilled Duration: 6124 ms\tMemory Size: 512 MB\tMax Memory Used: 143 MB\tInit Duration: 812.55 ms\t";
    // A handler that ended with an exception is reported like one that answered.
    assert_eq!(read(text), expected("unknown"));
    assert_eq!(signal(text).outcome, None);
    assert_eq!(read(&format!("{text}\n")), expected("unknown"));
    assert_eq!(read(&format!("{text}Status: timeout")), expected("timeout"));
    assert_eq!(read(&format!("{text}Status: error\tError Type: X")), expected("other_error"));
    let tailed = format!("2026-09-02T14:00:01.000000+00:00 2026/09/02/[$LATEST]ab {text}");
    assert_eq!(read(&tailed), expected("unknown"));
    assert_eq!(signal(&tailed).at, Some(UnixMillis(1_788_357_601_000)));
    let json = |status: &str| {
        json!({"time": "2026-09-02T14:00:01.000Z", "type": "platform.report", "record": {
            "requestId": "6f6d", "status": status, "metrics": {"durationMs": 6123.44,
            "billedDurationMs": 6124, "memorySizeMB": 512, "maxMemoryUsedMB": 143,
            "initDurationMs": 812.55}}})
        .to_string()
    };
    assert_eq!(read(&json("success")), expected("ok"));
    assert_eq!(read(&json("timeout")), expected("timeout"));
    // Both forms have the id of the request and how long it took.
    assert_eq!(signal(text).id, signal(&json("success")).id);
    let init = json!({"time": "2026-09-02T14:00:01.000Z", "type": "platform.initReport",
        "record": {"status": "timeout", "metrics": {"durationMs": 9999.1}}});
    assert_eq!(read(&init.to_string()), ["lambda_init_failures{unknown timeout} 1"]);
    assert_eq!(
        read("INIT_REPORT Init Duration: 9999.10 ms\tPhase: init\tStatus: timeout"),
        ["lambda_init_failures{unknown timeout} 1"]
    );
    for step in [
        "START RequestId: 6f6d Version: $LATEST",
        "END RequestId: 6f6d",
        "INIT_START Runtime Version: python:3.12.v18\tRuntime Version ARN: arn:x",
        "INIT_REPORT Init Duration: 99.10 ms\tPhase: init\tStatus: success",
        "XRAY TraceId: 1-66\tSegmentId: 00\tSampled: true",
    ] {
        assert_eq!(read(step), ["ignored"], "{step}");
    }
    assert_eq!(read("REPORT RequestId: 6f6d\tDuration: soon"), ["missing_field"]);
}

#[test]
fn the_function_is_that_of_the_log_group() {
    let envelope = json!({"messageType": "DATA_MESSAGE", "owner": "444455556666",
        "logGroup": "/aws/lambda/chat", "logStream": "s", "subscriptionFilters": [], "logEvents": [
        {"id": "1", "timestamp": 1_788_357_601_000_i64, "message": "REPORT RequestId: 6f\tDuration: 1 ms\tBilled Duration: 2 ms"}]})
    .to_string();
    assert_eq!(
        read(&envelope),
        ["lambda_invocations{chat unknown} 1", "lambda_billed_duration{chat} 2000"]
    );
    let one = signal(&envelope);
    assert_eq!(one.at, Some(UnixMillis(1_788_357_601_000)));
    assert_eq!(one.account.as_deref(), Some("444455556666"));
}

#[test]
fn a_gateway_tells_what_it_and_what_is_behind_it_answered() {
    let line = |changes: Value| {
        let mut line = json!({"requestId": "g", "requestTime": "02/Sep/2026:14:00:01 +0000",
            "httpMethod": "POST", "resourcePath": "/chat", "path": "/prod/chat?secret=1",
            "status": "200", "integrationStatus": "200", "integrationLatency": "-",
            "responseLatency": "6150", "errorMessage": "-", "errorResponseType": "-"});
        for (key, value) in changes.as_object().expect("an object") {
            line[key] = value.clone();
        }
        line.to_string()
    };
    let ok = ["gateway_requests{/chat 200} 1", "gateway_duration{/chat} 6150000"];
    assert_eq!(read(&line(json!({}))), ok);
    assert_eq!(read(&line(json!({"status": 200, "responseLatency": 6150}))), ok);
    assert_eq!(signal(&line(json!({}))).at, Some(UnixMillis(1_788_357_601_000)));
    for (changes, status, outcome) in [
        (json!({"status": "504", "errorResponseType": "INTEGRATION_TIMEOUT"}), "504", "timeout"),
        (json!({"status": "504"}), "504", "timeout"),
        (json!({"status": "429", "errorResponseType": "THROTTLED"}), "429", "throttled"),
        (json!({"integrationStatus": "429"}), "200", "throttled"),
        (json!({"status": "403", "errorResponseType": "ACCESS_DENIED"}), "403", "access_denied"),
        (json!({"status": "502"}), "502", "unavailable"),
        (json!({"status": "700", "integrationStatus": "-"}), "other", ""),
    ] {
        let mut expected = vec![format!("gateway_requests{{/chat {status}}} 1")];
        if !outcome.is_empty() {
            expected.push(format!("gateway_errors{{/chat {outcome}}} 1"));
        }
        expected.push("gateway_duration{/chat} 6150000".to_owned());
        let line = line(changes);
        assert_eq!(read(&line), expected, "{line}");
    }
    assert_eq!(read(&line(json!({"status": "-"}))), ["bad_field"]);
    assert_eq!(read(&line(json!({"requestTime": "noon"}))), ["bad_timestamp"]);
}

#[test]
fn metrics_of_cloudwatch_are_read_from_streams_queries_and_embedded_ones() {
    let point = |name: &str, dimensions: Value, namespace: &str| {
        json!({"metric_stream_name": "s", "account_id": "444455556666", "region": "us-east-1",
            "namespace": namespace, "metric_name": name, "dimensions": dimensions,
            "timestamp": 1_788_357_600_000_i64, "unit": "None",
            "value": {"max": 9.5, "min": 1.0, "sum": 73212.0, "count": 12.0}})
        .to_string()
    };
    let model = || json!({"ModelId": "us.amazon.nova-pro-v1:0"});
    let nova = "us.amazon.nova-pro-v1:0";
    for (name, expected) in [
        ("Invocations", format!("cloudwatch_requests{{{nova} ok}} 73212")),
        ("InvocationThrottles", format!("cloudwatch_requests{{{nova} throttled}} 73212")),
        ("InputTokenCount", format!("cloudwatch_tokens{{{nova} input}} 73212")),
        ("InvocationLatency", format!("cloudwatch_duration{{{nova} }} 73212000")),
        ("EstimatedTPMQuotaUsage", format!("cloudwatch_quota_tokens{{{nova} }} 73212")),
        ("LegacyModelInvocations", "ignored".to_owned()),
    ] {
        assert_eq!(read(&point(name, model(), "AWS/Bedrock")), [expected], "{name}");
    }
    // The same calls come once more by tier.
    let tiered = json!({"ModelId": nova, "ServiceTier": "priority"});
    assert_eq!(read(&point("Invocations", tiered, "AWS/Bedrock")), ["ignored"]);
    assert_eq!(read(&point("Invocations", model(), "AWS/EC2")), ["ignored"]);
    let all = json!({"ModelId": "Across all model IDs"});
    let failed = "ModelInvocationLogsCloudWatchDeliveryFailure";
    assert_eq!(
        read(&point(failed, all, "AWS/Bedrock")),
        ["log_deliveries{cloudwatch failure} 73212"]
    );
    let queue = || json!({"QueueName": "jobs"});
    let age = point("ApproximateAgeOfOldestMessage", queue(), "AWS/SQS");
    assert_eq!(read(&age), ["queue_age{jobs} 9500000"]);
    let visible = point("ApproximateNumberOfMessagesVisible", queue(), "AWS/SQS");
    assert_eq!(read(&visible), ["queue_messages{jobs visible} 9"]);

    let query = json!({"MetricDataResults": [
        {"Id": "m0", "Label": "Invocations amazon.nova-pro-v1:0", "StatusCode": "Complete",
         "Timestamps": ["2026-09-02T14:01:00+00:00", "2026-09-02T14:00:00+00:00"], "Values": [12.0, 0.0]},
        {"Id": "m1", "Label": "InvocationLatency x", "Timestamps": [], "Values": []},
        {"Id": "m2", "Label": "InvocationThrottles", "Timestamps": ["2026-09-02T14:01:00Z"], "Values": []},
    ], "Messages": []});
    assert_eq!(
        read(&query.to_string()),
        [
            "cloudwatch_requests{amazon.nova-pro-v1:0 ok} 12",
            "cloudwatch_requests{amazon.nova-pro-v1:0 ok} 0",
            "ignored",
            "bad_field",
        ]
    );

    let embedded = json!({"_aws": {"Timestamp": 1_788_357_600_000_i64, "CloudWatchMetrics": [
        {"Namespace": "AWS/Bedrock", "Dimensions": [["ModelId"]], "Metrics": [{"Name": "Invocations"}]}]},
        "ModelId": "amazon.nova-pro-v1:0", "Invocations": [1, 2, 3], "InvocationThrottles": 4});
    assert_eq!(
        read(&embedded.to_string()),
        [
            "cloudwatch_requests{amazon.nova-pro-v1:0 ok} 6",
            "cloudwatch_requests{amazon.nova-pro-v1:0 throttled} 4",
        ]
    );
}

#[test]
fn errors_of_text_logs_are_classed_and_their_text_is_dropped() {
    let errors = |outcome: &str| vec![format!("log_errors{{{outcome}}} 1")];
    for (line, outcome) in [
        ("ERROR: Lambda runtime timed out after 29.002s", "timeout"),
        ("FATAL: Upstream \"aws ai\" service unreachable via VPC Endpoint.", "unavailable"),
        ("2026-09-02 14:00:01,123 ERROR [main] call failed", "other_error"),
        ("[ERROR] 2026-09-02T14:00:01.123Z 6f6d ThrottlingException: slow", "throttled"),
        (
            "2026-09-02T14:00:40.003Z 43ac3fea-fbc5-46d6-a3be-f8da3c4d3c6e Task timed out after 29.00 seconds",
            "timeout",
        ),
        ("RequestId: 5d82 Error: Runtime exited with error: signal: killed", "other_error"),
        ("\u{1b}[31mERROR\u{1b}[0m: ThrottlingException", "throttled"),
        (r#"{"level":"ERROR","message":"ThrottlingException: slow down"}"#, "throttled"),
        (r#"{"severity":"error","msg":"it broke"}"#, "other_error"),
        (r#"{"level":"WARNING","message":"Rate exceeded"}"#, "throttled"),
        (r#"{"message":"x","error":{"type":"overloaded_error"}}"#, "unavailable"),
    ] {
        assert_eq!(read(line), errors(outcome), "{line}");
    }
    let retried = "botocore.errorfactory.ThrottlingException: An error occurred (ThrottlingException) when calling the InvokeModel operation (reached max retries: 4): Too many requests";
    assert_eq!(
        read(retried),
        [
            "log_errors{throttled} 1",
            "log_retries{throttled} 4",
            "log_retries_exhausted{throttled} 1"
        ]
    );
    let unreachable = "botocore.exceptions.ConnectTimeoutError: Connect timeout on endpoint URL: \"https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v2:1/invoke\"";
    assert_eq!(read(unreachable), ["log_errors{anthropic.claude-v2:1 timeout} 1"]);
    assert_eq!(signal(unreachable).region.as_deref(), Some("us-east-1"));
    let secret = format!("{:?}", signal("ERROR: ThrottlingException for SECRET prompt"));
    assert!(!secret.contains("SECRET"), "{secret}");
}

#[test]
fn what_only_quotes_an_error_or_might_be_a_call_is_neither_counted_nor_dropped() {
    for (line, expected) in [
        ("INFO the user asked about ThrottlingException", "ignored"),
        ("2026-09-02T14:00:01Z INFO ERROR handling is on", "ignored"),
        ("WARN it is late", "ignored"),
        ("Traceback (most recent call last):", "ignored"),
        ("  File \"app.py\", line 5, in call", "ignored"),
        (r#"{"level":"INFO","message":"ThrottlingException"}"#, "ignored"),
        (r#"{"level":"info","message":"hello"}"#, "ignored"),
        ("the model said ThrottlingException", Reject::InvalidJson.as_str()),
        (r#"INFO {"model_id":"m","usage":{"input_tokens":5}"#, Reject::UnknownKind.as_str()),
        (r#"x{"level":"INFO","model_id":"m"}"#, Reject::InvalidJson.as_str()),
        (r#"{"level":"INFO","model":"m","tokens_in":5}"#, Reject::UnknownKind.as_str()),
        (r#"{"message":"hello"}"#, Reject::UnknownKind.as_str()),
    ] {
        assert_eq!(read(line), [expected], "{line}");
    }
}

#[test]
fn batch_answers_are_calls_and_manifests_are_not() {
    let answer = json!({"recordId": "1", "modelInput": {"usage": {"input_tokens": 9}},
        "modelOutput": {"model": "claude-3-haiku-20240307", "stop_reason": "end_turn",
        "usage": {"input_tokens": 100, "output_tokens": 20}}});
    assert_eq!(read(&answer.to_string()), ["call unknown"]);
    let failed = json!({"recordId": "1", "modelInput": {}, "error": {"errorCode": 400, "errorMessage": "m"}});
    assert_eq!(read(&failed.to_string()), ["call unknown"]);
    let manifest = json!({"totalRecordCount": 6, "processedRecordCount": 6, "successRecordCount": 5,
        "errorRecordCount": 1, "inputTokenCount": 5_000_000_000_u64, "outputTokenCount": 110});
    assert_eq!(
        read(&manifest.to_string()),
        [
            "batch_records{success} 5",
            "batch_records{error} 1",
            "batch_tokens{input} 5000000000",
            "batch_tokens{output} 110",
        ]
    );
}
