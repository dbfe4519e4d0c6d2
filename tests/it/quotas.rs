//! Quotas from outside: a log of calls that reserve far more than they use, the limit in the config, and what the
//! daemon, the alert and `tollkeeper quota` say of it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, output_of, stdout_of};
use crate::support::json;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

const MODEL: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const MINUTE: i64 = 60;

/// Seconds since 1970 of the start of the minute before the present one: it is over, and it is new.
pub(crate) fn last_minute() -> i64 {
    let now = tollkeeper::daemon::clock::now().0.div_euclid(1_000);
    now.div_euclid(MINUTE) * MINUTE - MINUTE
}

fn line(at: i64, id: usize, role: &str, rest: &Value) -> String {
    let time = chrono::DateTime::from_timestamp(at, 0).unwrap();
    let mut record = json!({
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "accountId": "111122223333",
        "region": "us-east-1",
        "requestId": format!("00000000-0000-4000-8000-{id:012}"),
        "operation": "Converse",
        "modelId": format!("us.{MODEL}"),
        "identity": {"arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/s")},
    });
    let (Value::Object(record), Value::Object(rest)) = (&mut record, rest) else { unreachable!() };
    record.extend(rest.clone());
    format!("{}\n", serde_json::to_string(&record).unwrap())
}

fn answered(input: u64, output: u64, max_tokens: Option<u64>, latency_ms: u64) -> Value {
    let inference = max_tokens.map_or_else(|| json!({}), |max| json!({"maxTokens": max}));
    json!({
        "input": {
            "inputTokenCount": input,
            "inputBodyJson": {"messages": [], "inferenceConfig": inference},
        },
        "output": {
            "outputTokenCount": output,
            "outputBodyJson": {
                "stopReason": "end_turn",
                "metrics": {"latencyMs": latency_ms},
                "usage": {"inputTokens": input, "outputTokens": output, "totalTokens": input + output},
            },
        },
    })
}

fn throttled() -> Value {
    json!({"errorCode": "ThrottlingException", "input": {}, "output": {}})
}

/// Thirty calls at once that set no limit of their own, a few small ones, and twelve that find no room.
pub(crate) fn log(at: i64) -> String {
    let mut text = String::new();
    for call in 0..30 {
        text += &line(at + 10, call, "agent", &answered(1_000, 100, None, 30_000));
    }
    for call in 30..36 {
        text += &line(at + 12, call, "chat", &answered(500, 100, Some(1_000), 2_000));
    }
    for call in 36..48 {
        text += &line(at + 13, call, "agent", &throttled());
    }
    // So the minute before is over, as far as records tell.
    text + &line(at + MINUTE, 48, "chat", &answered(500, 100, Some(1_000), 2_000))
}

/// Follows [`log`], with limits of its model and `more`.
pub(crate) fn config(work: &WorkDir, more: &str) -> PathBuf {
    work.file(
        "tollkeeper.toml",
        format!(
            "listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"ledger\"\n[[source]]\nname = \"bedrock\"\n\
             include = [\"logs/*.jsonl\"]\n[[quota.limit]]\nmodel = \"{MODEL}\"\nroute = \"geo\"\n\
             tokens_per_minute = 2000000\nrequests_per_minute = 10000\n{more}"
        ),
    )
}

fn quota_of(config: &Path, more: &[&str]) -> Value {
    let mut arguments: Vec<&OsStr> = ["quota", "--config"].map(OsStr::new).to_vec();
    arguments.push(config.as_os_str());
    arguments.extend(["--format", "json"].map(OsStr::new));
    arguments.extend(more.iter().map(OsStr::new));
    json::parse(&stdout_of(&arguments))
}

/// 1,000 tokens and what Sonnet 4.5 may write, 64,000, thirty times; and what the small calls reserve.
const RESERVED: u64 = 30 * 65_000 + 6 * 1_500;
/// 1,000 in and 100 out at five are 1,500, the worked example of the user guide; and 500 in and 100 out.
const SETTLED: u64 = 30 * 1_500 + 6 * 1_000;

#[test]
fn a_reservation_that_fills_the_quota_is_shown_and_explained_over_a_kill() {
    let work = WorkDir::new("quota");
    let minute = last_minute();
    work.file("logs/bedrock.jsonl", log(minute));
    let file = config(&work, "");
    let start = || Daemon::start_with(&[file.as_os_str()]);
    let labels = format!("model=\"{MODEL}\",route=\"geo\"");
    let of = |name: &str, more: &str| {
        format!(
            "{name}{{provider=\"aws.bedrock\",account=\"111122223333\",region=\"us-east-1\",{labels}{more}}}"
        )
    };
    let explained = of(
        "tollkeeper_throttled_requests_explained",
        ",reason=\"reservation\",confidence=\"high\"",
    );
    let check = |daemon: &Daemon| {
        let page = daemon
            .wait_for("the throttles to be explained", |page| page.text.contains(&explained))
            .text;
        for (sample, value) in [
            (explained.clone(), 12),
            (
                of("tollkeeper_quota_limit", ",quota=\"tokens_per_minute\",source=\"config\""),
                2_000_000,
            ),
            (of("tollkeeper_quota_used", ",quota=\"tokens_per_minute\""), SETTLED),
            (of("tollkeeper_quota_used", ",quota=\"requests_per_minute\""), 36),
            (of("tollkeeper_quota_reserved", ",quota=\"tokens_per_minute\""), RESERVED),
            (of("tollkeeper_quota_peak", ",quota=\"tokens_per_minute\""), RESERVED),
            (of("tollkeeper_quota_open_requests", ""), 36),
        ] {
            let line = page.lines().find(|line| line.starts_with(&sample));
            assert_eq!(line, Some(format!("{sample} {value}").as_str()));
        }
        let ratio = format!(
            "tollkeeper_throttle_ratio{{model=\"{MODEL}\",window=\"5m\",source=\"invocation_log\"}} 0.25"
        );
        assert!(page.lines().any(|line| line == ratio), "{ratio}");
    };
    let daemon = start();
    check(&daemon);
    daemon.kill_9();
    let daemon = start();
    check(&daemon);
    let url = format!("http://{}", daemon.address().unwrap());
    let live =
        json::parse(&stdout_of(&["quota", "--url", &url, "--format", "json"].map(OsStr::new)));
    assert_eq!(json::text(&live, "/pools/0/throttled_minutes/0/reason"), "reservation");
    let past = output_of(&["quota", "--url", &url, "--at", "1h"].map(OsStr::new));
    assert!(String::from_utf8_lossy(&past.stderr).contains("tells of the present only"));
    let page = stdout_of(&["quota", "--url", &url].map(OsStr::new));
    assert!(page.contains("reservation (high confidence)"), "{page}");
    daemon.terminate();

    let value = quota_of(&file, &[]);
    let pool = &value["pools"][0];
    let told = &pool["throttled_minutes"][0];
    assert_eq!(json::text(told, "/reason"), "reservation");
    assert_eq!(json::number(told, "/throttled_requests"), 12);
    assert_eq!(json::number(told, "/reserved_tokens_peak"), RESERVED);
    assert_eq!(json::text(told, "/holders/0/principal"), "role/agent");
    assert_eq!(json::number(told, "/holders/0/reserved_tokens"), 30 * 65_000);
    assert_eq!(
        json::text(told, "/advice/0"),
        "role/agent reserves 64,000 and uses 103 at p99: max_tokens 130 would cut the peak reservation from \
         98 % of 2,000,000 to 2 % of 2,000,000"
    );
    let later = chrono::DateTime::from_timestamp(minute + 40 * MINUTE, 0).unwrap().to_rfc3339();
    let value = quota_of(&file, &["--at", &later]);
    // There may be no pool at all, if that is another day.
    for pool in value["pools"].as_array().unwrap() {
        assert_eq!(pool["throttled_minutes"], json!([]), "old throttles are not told");
    }
}

#[test]
fn a_ledger_that_is_not_there_and_times_that_are_none_are_told() {
    let work = WorkDir::new("quota-none");
    let dir = work.join("nothing");
    for (arguments, text) in [
        (vec!["quota", "--ledger", dir.to_str().unwrap()], "no ledger"),
        (vec!["quota", "--ledger", ".", "--at", "yesterday"], "`yesterday` of `--at` is no time"),
    ] {
        let arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
        let output = output_of(&arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains(text), "{stderr}");
    }
}

/// A line of a metric stream of `CloudWatch` about the calls of a minute.
fn metric(at: i64, name: &str, calls: u64) -> String {
    let record = json!({
        "metric_stream_name": "llm", "account_id": "111122223333", "region": "us-east-1",
        "namespace": "AWS/Bedrock", "metric_name": name,
        "dimensions": {"ModelId": format!("us.{MODEL}")}, "timestamp": at * 1_000,
        "value": {"max": 1.0, "min": 1.0, "sum": calls, "count": calls}, "unit": "Count",
    });
    format!("{record}\n")
}

/// An invocation log may hold no throttled call at all.
#[test]
fn throttles_that_only_cloudwatch_tells_of_are_explained_and_alerted() {
    let work = WorkDir::new("quota-cloudwatch");
    let minute = last_minute();
    let calls: String =
        log(minute).split_inclusive('\n').filter(|line| !line.contains("Throttling")).collect();
    work.file("logs/bedrock.jsonl", calls);
    let metrics = metric(minute, "Invocations", 36) + &metric(minute, "InvocationThrottles", 12);
    work.file("logs/metrics.jsonl", metrics);
    let file = config(&work, "");
    let daemon = Daemon::start_with(&[file.as_os_str()]);
    let explained = "tollkeeper_throttled_requests_explained{";
    let page =
        daemon.wait_for("the throttles to be explained", |page| page.text.contains(explained)).text;
    let line = page.lines().find(|line| line.starts_with(explained)).unwrap();
    assert!(line.ends_with(",reason=\"reservation\",confidence=\"medium\"} 12"), "{line}");
    let alerts = wait_until(SOON, "an alert about throttles", || {
        let alerts = json::parse(&daemon.get("/api/v1/alerts").body);
        alerts["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()).then_some(alerts)
    });
    let alert = alerts["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|alert| json::text(alert, "/alert") == "TollkeeperThrottleRatioHigh")
        .unwrap_or_else(|| panic!("{alerts:#}"));
    let text = alert.to_string();
    assert!(
        text.contains("25 % of 48 calls were throttled in the last 10 minutes, says CloudWatch"),
        "{text}"
    );
    assert!(text.contains("throttled_calls_not_in_this_log"), "{text}");
    daemon.terminate();
    let told = &quota_of(&file, &[])["pools"][0]["throttled_minutes"][0];
    assert_eq!(json::number(told, "/throttled_requests"), 0);
    assert_eq!(json::number(told, "/throttled_requests_elsewhere"), 12);
    assert_eq!(json::text(told, "/reason"), "reservation");
    let page = stdout_of(&["quota", "--config", file.to_str().unwrap()].map(OsStr::new));
    assert!(page.contains("  12 calls: reservation (medium confidence)"), "{page}");
}
