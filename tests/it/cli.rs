//! The command line: what `scan` prints in each format, what `check config` says, exit codes.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::daemon::{Daemon, output_of, stdout_of, tollkeeper};
use crate::support::json;
use crate::support::log::Call;
use crate::support::rotation::gzip;
use crate::support::truth::{Generator, Truth, usd_text};
use crate::support::work_dir::WorkDir;

/// The application line of the documentation. 4502 × $8 and 128 × $24 per million tokens are
/// $0.039088; the application itself claims twice that.
const QUOTED_LINE: &str = "{\"timestamp\":\"2024-05-20T14:32:01Z\",\"level\":\"INFO\",\"message\":\"Model invocation successful\",\
    \"model_id\":\"anthropic.claude-v2:1\",\"usage\":{\"input_tokens\":4502,\"output_tokens\":128,\"total_tokens\":4630},\
    \"billing_estimate_usd\":0.078,\"request_id\":\"req-8f3a\"}\n";

fn scan(files: &[&Path], options: &[&str]) -> String {
    let mut arguments: Vec<&OsStr> = vec!["scan".as_ref()];
    arguments.extend(files.iter().map(|file| file.as_os_str()));
    arguments.extend(options.iter().map(OsStr::new));
    stdout_of(&arguments)
}

/// The groups of a JSON report, and the object of the whole behind them.
fn groups_and_total(report: &str) -> (Vec<Value>, Value) {
    let Value::Array(mut all) = json::parse(report) else { panic!("no array: {report}") };
    let total = all.pop().expect("the object of the whole");
    assert_eq!(total["total"], Value::Bool(true), "{report}");
    assert!(all.iter().all(|group| group.get("total").is_none()), "{report}");
    (all, total)
}

fn assert_total(report: &str, truth: &Truth) {
    let (_, total) = groups_and_total(report);
    let expected = truth.total();
    assert_eq!(json::number(&total, "/requests"), expected.requests);
    assert_eq!(json::counts(&total, "/outcomes"), expected.outcomes);
    assert_eq!(json::counts(&total, "/tokens"), expected.tokens);
    assert_eq!(json::counts(&total, "/unpriced_tokens"), expected.unpriced);
    assert_eq!(json::text(&total, "/cost_usd"), usd_text(expected.picodollars));
    assert_eq!(json::text(&total, "/reported_cost_usd"), usd_text(expected.reported_picodollars));
}

#[test]
fn the_quoted_line_costs_what_the_list_says_beside_what_it_claims() {
    let work = WorkDir::new("quoted");
    let log = work.file("app.log", QUOTED_LINE);
    let (groups, total) = groups_and_total(&scan(&[&log], &["--format", "json"]));
    assert_eq!(groups.len(), 1);
    for object in [&groups[0], &total] {
        assert_eq!(json::text(object, "/cost_usd"), "0.039088");
        assert_eq!(json::text(object, "/reported_cost_usd"), "0.078");
        assert_eq!(json::number(object, "/tokens/input"), 4502);
        assert_eq!(json::number(object, "/tokens/output"), 128);
    }
    assert_eq!(json::text(&groups[0], "/model"), "anthropic.claude-v2:1");
    let table = scan(&[&log], &["--format", "table"]);
    assert!(table.contains("0.039088"), "{table}");
}

#[test]
fn a_json_report_has_exact_sums_by_model() {
    let work = WorkDir::new("json");
    let mut generator = Generator::new("j", 51);
    let log = work.file("app.log", generator.lines(3_000));
    for threads in ["1", "2", "7"] {
        let report = scan(&[&log], &["--format", "json", "--threads", threads]);
        assert_total(&report, generator.truth());
        let (groups, _) = groups_and_total(&report);
        assert_eq!(groups.len(), generator.truth().models.len());
        for group in &groups {
            let expected = &generator.truth().models[json::text(group, "/model")];
            assert_eq!(json::number(group, "/requests"), expected.requests, "{group}");
            assert_eq!(json::counts(group, "/tokens"), expected.tokens, "{group}");
            assert_eq!(json::text(group, "/cost_usd"), usd_text(expected.picodollars), "{group}");
        }
    }
}

#[test]
fn groups_by_any_keys_add_up_to_the_whole() {
    let work = WorkDir::new("by");
    let mut generator = Generator::new("y", 52);
    let log = work.file("app.log", generator.lines(2_000));
    for keys in
        ["model", "model_id", "principal", "account", "region", "route", "day", "principal,model"]
    {
        let report = scan(&[&log], &["--format", "json", "--by", keys]);
        assert_total(&report, generator.truth());
        let (groups, total) = groups_and_total(&report);
        let sum: u64 = groups.iter().map(|group| json::number(group, "/requests")).sum();
        assert_eq!(sum, json::number(&total, "/requests"), "{keys}");
        for key in keys.split(',') {
            assert!(groups.iter().all(|group| group.get(key).is_some()), "{keys}: {report}");
        }
    }
}

#[test]
fn csv_says_the_same_as_json() {
    let work = WorkDir::new("csv");
    let mut generator = Generator::new("c", 53);
    let log = work.file("app.log", generator.lines(500));
    let text = scan(&[&log], &["--format", "csv"]);
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let column = |name: &str| {
        header
            .iter()
            .position(|found| *found == name)
            .unwrap_or_else(|| panic!("{name}: {header:?}"))
    };
    let (model, requests, cost) = (column("model"), column("requests"), column("cost_usd"));
    let mut seen = 0;
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        if let Some(expected) = generator.truth().models.get(cells[model]) {
            assert_eq!(cells[requests], expected.requests.to_string(), "{line}");
            assert_eq!(cells[cost], usd_text(expected.picodollars), "{line}");
            seen += 1;
        }
    }
    assert_eq!(seen, generator.truth().models.len(), "{text}");
}

#[test]
fn stdin_and_gzip_are_read_like_files() {
    let work = WorkDir::new("stdin");
    let mut generator = Generator::new("s", 54);
    let text = generator.lines(300);
    let log = work.file("app.log", &text);
    let mut child = tollkeeper()
        .args(["scan", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_total(&String::from_utf8(output.stdout).unwrap(), generator.truth());
    gzip(&log);
    let report = scan(&[&work.join("app.log.gz")], &["--format", "json"]);
    assert_total(&report, generator.truth());
}

#[test]
fn duplicates_count_once_only_where_asked_for() {
    let work = WorkDir::new("dedup");
    let call = Call { request_id: Some("req-1".into()), ..Call::example() };
    let log = work.file("app.log", call.bedrock_line().repeat(3));
    for (options, requests) in
        [(&["--format", "json"][..], 3), (&["--format", "json", "--dedup"][..], 1)]
    {
        let (_, total) = groups_and_total(&scan(&[&log], options));
        assert_eq!(json::number(&total, "/requests"), requests, "{options:?}");
    }
}

#[test]
fn a_scan_and_a_ledger_of_the_same_log_agree() {
    let work = WorkDir::new("agree");
    let mut generator = Generator::new("a", 55);
    let log = work.file("logs/app.log", generator.lines(1_000));
    let ledger = work.join("ledger");
    let daemon = Daemon::start(&log, &ledger);
    daemon.wait_for_truth(generator.truth());
    daemon.terminate();
    assert_total(&scan(&[&log], &["--format", "json"]), generator.truth());
    let report = stdout_of(&[
        "check".as_ref(),
        "ledger".as_ref(),
        ledger.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    generator.truth().assert_in_ledger(&report);
}

fn stderr_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_file_that_is_not_there_is_an_error_that_names_it() {
    let output = output_of(&["scan".as_ref(), "no-such-file.log".as_ref()]);
    let stderr = stderr_of(&output);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.contains("no-such-file.log"), "{stderr}");
}

#[test]
fn a_closed_pipe_ends_a_scan_in_silence() {
    let work = WorkDir::new("pipe");
    let mut generator = Generator::new("w", 56);
    let log = work.file("app.log", generator.lines(200));
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
        .arg("scan")
        .arg(&log)
        .args(["--format", "json", "--by", "principal,model,region,day"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr_of(&output)), (Some(0), String::new()));
}

#[test]
fn a_log_that_is_given_as_a_config_is_refused_at_once() {
    let work = WorkDir::new("log-as-config");
    let log = work.file("config.toml", QUOTED_LINE.repeat(20_000));
    let output = output_of(&["check".as_ref(), "config".as_ref(), log.as_ref()]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("no config, price or quota file"), "{stderr}");
    assert!(!stderr.contains("claude"), "{stderr}");
}

#[test]
fn a_right_config_passes_the_check() {
    let work = WorkDir::new("right");
    let file = work.file("t.toml", "[[source]]\nname = \"app\"\ninclude = [\"logs/*.log\"]\n");
    let output = output_of(&["check".as_ref(), "config".as_ref(), file.as_os_str()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr_of(&output));
}

#[test]
fn every_mistake_of_a_config_is_told_with_its_place_and_the_right_spelling() {
    let work = WorkDir::new("wrong");
    let file = work.file(
        "t.toml",
        "lisen = \"127.0.0.1:9478\"\n[[source]]\nname = \"app\"\ninclud = [\"x\"]\n\
         line_bytes_max = 1\n",
    );
    let output = output_of(&["check".as_ref(), "config".as_ref(), file.as_os_str()]);
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr_of(&output));
    assert_eq!(output.status.code(), Some(2), "{told}");
    for expected in [
        "t.toml:1:1: lisen: ",
        "did you mean `listen`?",
        "t.toml:4:1: source[0].includ: ",
        "did you mean `include`?",
        "t.toml:5:18: source[0].line_bytes_max: found `1`",
    ] {
        assert!(told.contains(expected), "{expected} is not in:\n{told}");
    }
}

#[test]
fn run_refuses_a_wrong_config_before_it_starts_anything() {
    let work = WorkDir::new("refuse");
    let file = work.file("t.toml", "nonsense = 1\n");
    let output = output_of(&["run".as_ref(), file.as_os_str()]);
    let stderr = stderr_of(&output);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("t.toml:1:1: nonsense: "), "{stderr}");
    assert!(!work.join("tollkeeper-ledger").exists());
}

#[test]
fn the_example_logs_are_read_without_a_single_reject() {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/logs");
    let files = ["bedrock-invocations.jsonl", "application.jsonl"].map(|name| logs.join(name));
    let (_, total) = groups_and_total(&scan(&[&files[0], &files[1]], &["--format", "json"]));
    let written: u64 = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap().lines().count() as u64)
        .sum();
    assert_eq!(json::number(&total, "/requests"), written);
    assert!(json::counts(&total, "/outcomes")["throttled"] > 0, "{total}");
}
