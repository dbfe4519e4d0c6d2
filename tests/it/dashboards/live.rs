//! Every query of every board in a real Prometheus that scrapes the daemon while it reads simulated logs.
//!
//! The logs are cut in two: what is in the second part is what counters grow by while Prometheus looks. Beside them lie
//! the example logs (a model without a price, claims of cost) and a few records that are not simulated:
//! `CloudTrail`, metrics of `CloudWatch`, an error without a call, logs that Lambda dropped, an application's call of
//! just now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::structure::{metrics, variables};
use super::{Query, queries, root, shipped};
use crate::support::daemon::{Daemon, stdout_of};
use crate::support::prometheus::Scrape;
use crate::support::servers::Prometheus;
use crate::support::tools;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

const SIMULATED: [&str; 4] = ["bedrock.jsonl", "lambda.log", "gateway.jsonl", "application.jsonl"];
const EXAMPLES: [&str; 2] = ["bedrock-invocations.jsonl", "application.jsonl"];
const ARN: &str = "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abcdefabcdef";

/// A budget that is used up and one in tokens, a limit that is reached, and what is not paid by token.
fn config(work: &WorkDir) -> PathBuf {
    let from = tollkeeper::daemon::clock::now().second_text();
    let day = &from[..10];
    let mut text =
        "listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"ledger\"\n[labels]\nprincipal = true\n"
            .to_owned();
    for (source, include) in [
        ("bedrock", "\"logs/bedrock*.jsonl\""),
        ("application", "\"logs/application*.jsonl\""),
        ("beside", "\"logs/lambda.log\", \"logs/gateway.jsonl\", \"logs/beside.log\""),
    ] {
        write!(
            text,
            "[[source]]\nname = \"{source}\"\ninclude = [{include}]\nrescan = \"200ms\"\n"
        )
        .unwrap();
    }
    text += "[[budget]]\nname = \"dollars\"\nlimit_usd = 10\nperiod = \"month\"\n\
             [[budget]]\nname = \"tokens\"\nlimit_tokens = 1000000000\nperiod = \"month\"\n\
             [[quota.limit]]\nmodel = \"anthropic.claude-v2:1\"\nroute = \"in_region\"\n\
             tokens_per_minute = 2000000\nrequests_per_minute = 1000\ntokens_per_day = 1000\n\
             [[alerts.route]]\nname = \"log\"\nkind = \"stdout\"\n\
             [[fixed_cost]]\nname = \"endpoint\"\nhourly_usd = \"0.01\"\n";
    writeln!(text, "from = {day}").unwrap();
    writeln!(
        text,
        "[[provisioned]]\nname = \"claude\"\narn = \"{ARN}\"\nmodel = \"anthropic.claude-v2:1\"\nunits = 2\n\
         hourly_usd_per_unit = \"20\"\ninput_tokens_per_minute_per_unit = 100000\n\
         output_tokens_per_minute_per_unit = 20000\nfrom = {day}"
    )
    .unwrap();
    work.file("tollkeeper.toml", text)
}

/// One record of each kind that is not simulated, of the minute that is `minutes` ago.
fn beside(minutes: i64) -> String {
    let at = tollkeeper::daemon::clock::now().0 - minutes * 60_000;
    let time = chrono::DateTime::from_timestamp_millis(at).unwrap().format("%Y-%m-%dT%H:%M:%SZ");
    let time = time.to_string();
    let metric = |name: &str, dimensions: Value| {
        json!({
            "metric_stream_name": "llm", "account_id": "111122223333", "region": "us-east-1",
            "namespace": "AWS/Bedrock", "metric_name": name, "dimensions": dimensions,
            "timestamp": at - at % 60_000, "unit": "Count",
            "value": {"max": 1.0, "min": 1.0, "sum": 12.0, "count": 12.0},
        })
    };
    let model = json!({"ModelId": "anthropic.claude-v2:1"});
    let call = json!({
        "eventVersion": "1.11", "eventTime": time, "eventSource": "bedrock.amazonaws.com",
        "eventName": "InvokeModel", "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
        "requestParameters": {"modelId": "anthropic.claude-v2:1"}, "eventType": "AwsApiCall",
        "eventID": format!("c142e465-a622-413f-ad2f-9521d0b7{minutes:04}"),
    });
    let dropped = json!({
        "time": time, "type": "platform.logsDropped",
        "record": {"droppedRecords": 3, "droppedBytes": 99, "reason": "slow"},
    });
    let application = json!({
        "timestamp": time, "model": "anthropic.claude-v2:1", "input_tokens": 12, "output_tokens": 3,
        "request_id": format!("app-{minutes}"),
    });
    let records = [
        application,
        metric("Invocations", model.clone()),
        metric("InvocationThrottles", model),
        metric(
            "ModelInvocationLogsCloudWatchDeliverySuccess",
            json!({"ModelId": "Across all model IDs"}),
        ),
        call,
        dropped,
    ];
    let lines: Vec<String> = records.iter().map(|record| format!("{record}\n")).collect();
    let error = "ERROR botocore.errorfactory.ThrottlingException: An error occurred (ThrottlingException) when calling \
                 the InvokeModel operation (reached max retries: 4): Too many requests";
    format!("{}{time} {error}\n", lines.concat())
}

/// The two parts of every log, by name.
fn parts(work: &WorkDir) -> BTreeMap<String, [String; 2]> {
    let dir = work.join("simulated");
    let options = ["--from", "-16d", "--calls-per-minute", "2", "--incident", "log-summariser"];
    let mut arguments = vec!["simulate".as_ref(), "--out".as_ref(), dir.as_os_str()];
    arguments.extend(options.iter().map(std::ffi::OsStr::new));
    stdout_of(&arguments);
    // The second part begins within the incident, which is one hour of 16 days but 11 times as busy.
    let cut = |path: &Path, keep: usize| {
        let text = fs::read_to_string(path).unwrap();
        let at = text.len() * keep / 1_000;
        let at = at + text[at..].find('\n').unwrap() + 1;
        let (before, after) = text.split_at(at);
        [before.to_owned(), after.to_owned()]
    };
    let mut parts = BTreeMap::new();
    for name in SIMULATED {
        parts.insert(name.to_owned(), cut(&dir.join(name), 990));
    }
    for name in EXAMPLES {
        let cut = cut(&root().join("examples/logs").join(name), 500);
        parts.insert(name.replace(".jsonl", "-example.jsonl"), cut);
    }
    parts.insert("beside.log".to_owned(), [beside(3), beside(2)]);
    parts
}

/// What stands for the variables of Grafana in a query; `chosen` for those of labels.
pub(super) fn filled(expr: &str, chosen: &dyn Fn(&str) -> String) -> String {
    let mut expr = expr.to_owned();
    for (name, value) in [("$__rate_interval", "5m"), ("$__range_s", "3600"), ("$__range", "1h")] {
        expr = expr.replace(name, value);
    }
    for name in ["account", "region", "model", "route", "principal", "source", "budget"] {
        expr = expr.replace(&format!("${name}"), &chosen(name));
    }
    assert!(!expr.contains('$'), "{expr}");
    expr
}

/// Names that stand in `by (…)`, `on (…)` and before an operator of matching: labels, all of them.
fn labels(expr: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for word in ["by (", "on (", "ignoring (", "group_left ("] {
        for (at, _) in expr.match_indices(word) {
            let inside = expr[at + word.len()..].split(')').next().unwrap();
            found.extend(inside.split(',').map(|label| label.trim().to_owned()));
        }
    }
    for end in ["=~\"", "!~\"", "!=\"", "=\""] {
        for (at, _) in expr.match_indices(end) {
            let before = expr[..at].rsplit(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
            found.extend(before.take(1).map(str::to_owned));
        }
    }
    found.remove("");
    found
}

/// Every label of a query is one of a metric in it.
fn assert_labels_exist(queries: &[Query], page: &Scrape) {
    let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sample in &page.samples {
        known.entry(&sample.name).or_default().extend(sample.labels.keys().map(String::as_str));
    }
    for Query { place, expr, .. } in queries {
        let metrics = metrics(expr);
        let has = |label: &str| {
            let of_prometheus = ["instance", "job"].contains(&label);
            of_prometheus
                || metrics.iter().any(|name| known.get(name).is_some_and(|it| it.contains(label)))
        };
        let missing: Vec<String> = labels(expr).into_iter().filter(|label| !has(label)).collect();
        assert!(missing.is_empty(), "{place}: {missing:?} in {expr}");
    }
}

/// A query until it has given data.
struct Open<'q> {
    query: &'q Query<'q>,
    expr: String,
}

impl Open<'_> {
    /// Whether there is a number among what Prometheus says.
    fn has_data(&self, prometheus: &Prometheus, now: i64) -> bool {
        let answer = if self.query.is_range {
            let step = self.query.step.unwrap_or(5);
            let start = now.div_euclid(step) * step - if step > 60 { step } else { 60 };
            prometheus.range(&self.expr, start, now, step)
        } else {
            prometheus.instant(&self.expr)
        };
        let series = answer.unwrap_or_else(|error| panic!("{}: {error}", self.query.place));
        let is_number = |value: &Value| {
            value[1].as_str().is_some_and(|text| text.parse().is_ok_and(f64::is_finite))
        };
        series.iter().any(|one| {
            let values = one["values"].as_array().into_iter().flatten();
            values.chain(one.get("value")).any(is_number)
        })
    }
}

fn all_give_data(
    prometheus: &Prometheus,
    queries: &[Query],
    what: &str,
    filled: impl Fn(&str) -> String,
) {
    let now = || tollkeeper::daemon::clock::now().0 / 1_000;
    let mut open: Vec<Open> =
        queries.iter().map(|query| Open { query, expr: filled(query.expr) }).collect();
    let start = std::time::Instant::now();
    wait_until(2 * SOON, what, || {
        open.retain(|query| !query.has_data(prometheus, now()));
        let left: Vec<_> = open.iter().map(|one| (&one.query.place, &one.expr)).collect();
        assert!(left.is_empty() || start.elapsed() < SOON, "{what}: no data in {left:#?}");
        left.is_empty().then_some(())
    });
}

/// Values as Grafana writes several of them into a selector.
fn several(label: &str) -> String {
    let values: &[&str] = match label {
        "account" => &["111122223333", "444455556666"],
        "region" => &["us-east-1", "eu-central-1"],
        "model" => &[r"anthropic\\.claude-v2:1", r"amazon\\.nova-pro-v1:0"],
        "route" => &["in_region", "geo"],
        "principal" => &["role/log-summariser", r"user/a\\.b"],
        "source" => &["bedrock", "beside"],
        _ => return "dollars".to_owned(),
    };
    format!("({})", values.join("|"))
}

/// Bytes of both parts, or of the first.
fn bytes(parts: &BTreeMap<String, [String; 2]>, count: usize) -> u64 {
    parts.values().flat_map(|parts| &parts[..count]).map(|part| part.len() as u64).sum()
}

fn variables_have_values(prometheus: &Prometheus, boards: &[Value]) {
    for board in boards {
        for (name, variable) in variables(board).iter().filter(|(_, it)| it["type"] == "query") {
            let query = variable["query"]["query"].as_str().unwrap();
            let inside = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (selector, label) = inside.rsplit_once(", ").unwrap();
            let selector = filled(selector, &|_| ".*".to_owned());
            let values = prometheus.label_values(label, &selector);
            assert!(!values.is_empty(), "{name}: {query}");
        }
    }
}

#[test]
fn every_query_of_every_board_gives_data_in_a_real_prometheus() {
    let Some(program) = tools::find("prometheus", "queries of the boards") else { return };
    let work = WorkDir::new("boards");
    let parts = parts(&work);
    for (name, [before, _]) in &parts {
        work.file(&format!("logs/{name}"), before);
    }
    let file = config(&work);
    let daemon = Daemon::start_with(&[file.as_os_str()]);
    let read = "tollkeeper_ingest_bytes_total";
    let first = bytes(&parts, 1);
    daemon.wait_long_for(4 * SOON, "the first part", |page| page.count(read, &[]) == first);
    let prometheus = Prometheus::start(&program, &work, &daemon.address().unwrap());
    #[expect(clippy::cast_precision_loss, reason = "sizes of small files")]
    let scraped = |bytes: u64| {
        wait_until(2 * SOON, "Prometheus to have scraped", || {
            let found = prometheus.query(&format!("sum({read})"))?;
            (found >= bytes as f64).then_some(())
        });
    };
    scraped(first);
    for (name, [_, after]) in &parts {
        let mut log = OpenOptions::new().append(true).open(work.join("logs").join(name)).unwrap();
        log.write_all(after.as_bytes()).unwrap();
    }
    scraped(bytes(&parts, 2));

    let boards = shipped();
    let queries = queries(&boards);
    let all = |_: &str| ".*".to_owned();
    all_give_data(&prometheus, &queries, "every query for all", |expr| filled(expr, &all));
    // Callers are no label unless the config says so: to Prometheus a label that is missing is one that nobody knows.
    let nameless = |expr: &str| filled(expr, &all).replace("principal", "no_such_label");
    all_give_data(&prometheus, &queries, "every query without callers", nameless);
    for query in &queries {
        let answer = prometheus.instant(&filled(query.expr, &several));
        assert!(answer.is_ok(), "{}: {answer:?}", query.place);
    }
    variables_have_values(&prometheus, &boards);
    assert_labels_exist(&queries, &daemon.scrape());
}
