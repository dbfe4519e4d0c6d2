//! The incident of `examples/incident/`, replayed: every log it left behind is understood without
//! being told what it is, and no call is counted twice. The expected numbers were counted by hand.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, output_of, stdout_of};
use crate::support::json;
use crate::support::prometheus::Scrape;
use crate::support::work_dir::WorkDir;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/incident")
}

/// Starts the daemon on `config`, which says nothing of address and ledger.
fn start(work: &WorkDir, config: &str) -> Daemon {
    let path = work.path().join("config.toml");
    let ledger = work.path().join("ledger");
    let head = format!("listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"{}\"\n", ledger.display());
    fs::write(&path, head + config).unwrap();
    Daemon::start_with(&[path.as_os_str()])
}

fn lines_of(scrape: &Scrape) -> u64 {
    scrape.count("tollkeeper_ingest_records_total", &[])
}

#[test]
fn every_log_of_the_incident_is_understood() {
    let work = WorkDir::new("incident");
    let config = fs::read_to_string(example().join("incident.toml")).unwrap();
    let (_, sources) = config.split_once("[labels]").unwrap();
    let logs = format!("\"{}/logs/", example().display());
    let daemon = start(&work, &format!("[labels]{}", sources.replace("\"logs/", &logs)));
    // 35 lines, of which the empty run's steps and plain messages are known to be nothing.
    let scrape = daemon.wait_for("every line", |scrape| lines_of(scrape) >= 35);
    assert_eq!(lines_of(&scrape), 35);
    let result = |result| scrape.count("tollkeeper_ingest_records_total", &[("result", result)]);
    assert_eq!([result("accepted"), result("ignored"), result("corroborated")], [27, 7, 1]);

    let sum =
        |name: &str, labels: &[(&str, &str)]| scrape.count(&format!("tollkeeper_{name}"), labels);
    // Four of the invocation log and four of the application's, one of which is in both.
    assert_eq!(sum("requests_total", &[]), 7);
    for (outcome, count) in [("ok", 4), ("filtered", 1), ("throttled", 1), ("access_denied", 1)] {
        assert_eq!(sum("requests_total", &[("outcome", outcome)]), count, "{outcome}");
    }
    // 3 x 4,502 + 9,100 + 4,502 input and 128 + 0 + 4,096 + 128 + 0 output tokens at $8 and $24 a million.
    assert_eq!(sum("tokens_total", &[("token_class", "input")]), 27_108);
    assert_eq!(sum("tokens_total", &[("token_class", "output")]), 4_352);
    let usd = |name| scrape.sum(name, &[]);
    assert!((usd("tollkeeper_cost_usd_total") - 0.321_312).abs() < 1e-12);
    assert!((usd("tollkeeper_reported_cost_usd_total") - 0.156).abs() < 1e-12);
    assert_eq!(sum("requests_total", &[("principal", "role/log-summariser")]), 4);
    assert_eq!(sum("empty_responses_total", &[]), 1);
    assert_eq!(sum("stop_reasons_total", &[("stop_reason", "content_filtered")]), 1);
    assert_eq!(sum("stop_reasons_total", &[("stop_reason", "max_tokens")]), 1);
    assert_eq!(
        [sum("request_retries_total", &[]), sum("request_retries_exhausted_total", &[])],
        [4, 1]
    );

    for (outcome, count) in [("timeout", 3), ("unavailable", 1), ("throttled", 1)] {
        assert_eq!(sum("log_errors_total", &[("outcome", outcome)]), count, "{outcome}");
    }
    let endpoint =
        [("model", "anthropic.claude-v2:1"), ("region", "us-east-1"), ("outcome", "timeout")];
    assert_eq!(sum("log_errors_total", &endpoint), 1);
    assert_eq!(sum("log_retries_exhausted_total", &[("outcome", "throttled")]), 1);

    for (status, count) in [("200", 2), ("504", 2)] {
        let labels = [("route_path", "/summarise"), ("status", status)];
        assert_eq!(sum("gateway_requests_total", &labels), count, "{status}");
    }
    assert_eq!(sum("gateway_errors_total", &[("outcome", "timeout")]), 2);
    assert_eq!(sum("gateway_errors_total", &[("outcome", "throttled")]), 1);
    // Both timeouts are above the bound of 28 s and below that of 30 s.
    let below = |bound| sum("gateway_duration_seconds_bucket", &[("le", bound)]);
    assert_eq!([below("28"), below("30")], [2, 4]);

    // Its report names no status: it may have answered or ended with an exception.
    assert_eq!(sum("lambda_invocations_total", &[("outcome", "unknown")]), 1);
    assert_eq!(sum("lambda_invocations_total", &[("outcome", "timeout")]), 1);
    assert_eq!(sum("lambda_init_duration_seconds_count", &[]), 1);
    assert!((usd("tollkeeper_lambda_init_duration_seconds_sum") - 0.812_55).abs() < 1e-12);

    let denied =
        [("outcome", "access_denied"), ("endpoint", "vpc"), ("principal", "role/log-summariser")];
    assert_eq!(sum("cloudtrail_calls_total", &denied), 1);
    assert_eq!(sum("cloudtrail_calls_total", &[("outcome", "throttled")]), 3);
    assert_eq!(sum("cloudwatch_requests_total", &[("result", "throttled")]), 9_588);
    assert_eq!(sum("cloudwatch_requests_total", &[("result", "ok")]), 412);
    assert_eq!(sum("queue_messages", &[("queue", "syslog-batches")]), 120_000);
    assert_eq!(sum("queue_oldest_message_age_seconds", &[]), 5_400);
    for text in ["/var/log/syslog", "SECRET", "Too many requests", "aws ai"] {
        assert!(!scrape.text.contains(text), "{text}");
    }
    daemon.terminate();
    let ledger = work.path().join("ledger");
    let report = stdout_of(&[OsStr::new("check"), OsStr::new("ledger"), ledger.as_os_str()]);
    assert!(report.contains("cost USD   0.321312"), "{report}");
}

#[test]
fn find_says_of_each_log_what_happened_and_what_to_do() {
    let logs = example().join("logs/*");
    let found = |arguments: &[&str]| -> Vec<Value> {
        let mut all = vec![OsStr::new("find"), OsStr::new("--format"), OsStr::new("json")];
        all.extend(arguments.iter().map(OsStr::new));
        all.push(logs.as_os_str());
        json::items(&stdout_of(&all))
    };
    let denied = found(&["--outcome", "access_denied"]);
    let kinds: Vec<_> = denied.iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["cloudtrail", "bedrock_invocation"]);
    assert!(denied[0]["hint"].as_str().unwrap().contains("endpoint policy"));
    assert!(!denied[1]["hint"].as_str().unwrap().contains("endpoint policy"));
    assert_eq!(denied[0].get("cost_usd"), None);

    let exhausted = found(&["--request-id", "req-7f3c"]);
    assert_eq!(exhausted.len(), 1);
    assert!(exhausted[0]["hint"].as_str().unwrap().contains("every retry was throttled"));

    // The call that is in two logs, and in the trail.
    let one = found(&["--request-id", "7d0f1a52-8c1e-4b57-9a41-0c6f2f5e0001"]);
    let kinds: Vec<_> = one.iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["application", "cloudtrail", "bedrock_invocation"]);

    let mut all = vec![OsStr::new("find"), OsStr::new("--outcome"), OsStr::new("timeout")];
    all.push(logs.as_os_str());
    let output = output_of(&all);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("api_gateway") && table.contains("lambda") && table.contains("error_log")
    );
    assert!(String::from_utf8(output.stderr).unwrap().contains("timeout: nobody answered in time"));
}

/// The application's line of a call.
fn told(id: &Value, minute: usize) -> String {
    json!({"timestamp": format!("2026-09-02T14:{minute:02}:00Z"), "level": "INFO", "message": "m",
        "model_id": "anthropic.claude-v2:1", "usage": {"input_tokens": 1000, "output_tokens": 10},
        "billing_estimate_usd": 0.5, "request_id": id})
    .to_string()
}

/// The record of the invocation log of the same call.
fn logged(id: &str, minute: usize) -> String {
    json!({"schemaType": "ModelInvocationLog", "timestamp": format!("2026-09-02T14:{minute:02}:01Z"),
        "accountId": "111122223333", "region": "us-east-1", "requestId": id, "operation": "Converse",
        "modelId": "anthropic.claude-v2:1", "input": {"inputTokenCount": 1000},
        "output": {"outputTokenCount": 10}})
    .to_string()
}

fn uuid(number: usize) -> String {
    format!("7d0f1a52-8c1e-4b57-9a41-{number:012x}")
}

#[test]
fn a_call_in_two_logs_counts_once_whichever_comes_first() {
    let work = WorkDir::new("corroborated");
    let (app, own) = (work.path().join("app.jsonl"), work.path().join("bedrock.jsonl"));
    let ids: Vec<String> = (0..40).map(uuid).collect();
    let tell = |range: std::ops::Range<usize>| -> String {
        range.map(|at| told(&json!(ids[at]), at) + "\n").collect()
    };
    let log = |range: std::ops::Range<usize>| -> String {
        range.map(|at| logged(&ids[at], at) + "\n").collect()
    };
    fs::write(&app, tell(0..20)).unwrap();
    fs::write(&own, "").unwrap();
    let config =
        format!("[[source]]\nname = \"all\"\ninclude = [\"{}/*.jsonl\"]\n", work.path().display());
    let daemon = start(&work, &config);
    daemon.wait_for_requests(20);
    // The invocation log tells of the same calls and of others, which the application tells of later.
    fs::write(&own, log(0..40)).unwrap();
    daemon.wait_for_requests(40);
    // A restart in between knows which logs there were.
    daemon.terminate();
    let daemon = start(&work, &config);
    fs::write(&app, tell(0..40) + &tell(39..40)).unwrap();
    let scrape = daemon.wait_for("every line", |scrape| lines_of(scrape) >= 81);
    let result = |result| scrape.count("tollkeeper_ingest_records_total", &[("result", result)]);
    assert_eq!([result("accepted"), result("corroborated"), result("duplicate")], [40, 40, 1]);
    assert_eq!(scrape.count("tollkeeper_requests_total", &[]), 40);
    assert_eq!(scrape.count("tollkeeper_tokens_total", &[]), 40 * 1010);
    // What the application claims is kept beside, whoever was first.
    assert!((scrape.sum("tollkeeper_reported_cost_usd_total", &[]) - 20.0).abs() < 1e-9);
    daemon.terminate();

    let files = [app.as_os_str(), own.as_os_str()];
    let flags = ["scan", "--dedup", "--format", "json"].map(OsStr::new);
    let items = json::items(&stdout_of(&[&flags[..], &files].concat()));
    let total = items.last().unwrap();
    assert_eq!((&total["requests"], &total["lines_corroborated"]), (&json!(40), &json!(40)));
    assert_eq!(
        total["reported_cost_usd"].as_str().map(|usd| usd.parse::<f64>().unwrap()),
        Some(20.0)
    );
}

#[test]
fn a_source_may_say_that_another_one_has_its_calls() {
    let work = WorkDir::new("corroborates");
    let (app, own) = (work.path().join("app.jsonl"), work.path().join("bedrock.jsonl"));
    let told: String = (0..5).map(|at| told(&Value::Null, at) + "\n").collect();
    fs::write(&app, told + &told_named("req-1") + &told_named("req-1")).unwrap();
    let logged: String = (0..6).map(|at| logged(&uuid(at), at) + "\n").collect();
    fs::write(&own, logged).unwrap();
    let source = |name: &str, more: &str| {
        let folder = work.path().display();
        format!("[[source]]\nname = \"{name}\"\ninclude = [\"{folder}/{name}.jsonl\"]\n{more}\n")
    };
    let both = source("app", "corroborates = [\"bedrock\"]") + &source("bedrock", "");
    let daemon = start(&work, &both);
    let scrape = daemon.wait_for("every line", |scrape| lines_of(scrape) >= 13);
    let of = |source, result| {
        scrape.count("tollkeeper_ingest_records_total", &[("source", source), ("result", result)])
    };
    assert_eq!([of("bedrock", "accepted"), of("app", "accepted")], [6, 0]);
    assert_eq!([of("app", "corroborated"), of("app", "duplicate")], [6, 1]);
    assert_eq!(scrape.count("tollkeeper_requests_total", &[]), 6);
    assert!((scrape.sum("tollkeeper_reported_cost_usd_total", &[]) - 3.0).abs() < 1e-9);
}

fn told_named(id: &str) -> String {
    told(&json!(id), 6) + "\n"
}
