//! `tollkeeper simulate`: its logs follow from the seed, are understood to the last line, and hold what
//! the truth beside them says.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, output_of, stdout_of, tollkeeper};
use crate::support::json;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

const LOGS: [&str; 4] = ["bedrock.jsonl", "lambda.log", "gateway.jsonl", "application.jsonl"];
/// A Monday afternoon in America.
const FOUR_HOURS: [&str; 4] = ["--from", "2026-11-23T16:00:00Z", "--to", "2026-11-23T20:00:00Z"];
const INCIDENT: [&str; 4] =
    ["--incident", "log-summariser", "--incident-at", "2026-11-23T19:00:00Z"];

fn simulate(dir: &Path, options: &[&[&str]]) {
    let mut arguments: Vec<&OsStr> = vec!["simulate".as_ref(), "--out".as_ref(), dir.as_os_str()];
    arguments.extend(options.iter().copied().flatten().map(OsStr::new));
    stdout_of(&arguments);
}

fn refusal(options: &[&str]) -> String {
    let arguments: Vec<&OsStr> =
        ["simulate"].into_iter().chain(options.iter().copied()).map(OsStr::new).collect();
    let output = output_of(&arguments);
    assert_eq!(output.status.code(), Some(2), "{options:?}");
    String::from_utf8(output.stderr).expect("stderr is text")
}

fn truth(dir: &Path) -> Value {
    json::parse(&text(dir, "truth.json"))
}

fn text(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn scan(dir: &Path, by: &str) -> Vec<Value> {
    let mut arguments = vec!["scan".to_owned()];
    arguments.extend(LOGS.iter().map(|name| dir.join(name).display().to_string()));
    arguments.extend(["--by", by, "--format", "json"].map(str::to_owned));
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    json::items(&stdout_of(&arguments))
}

/// Requests, outcomes and tokens of a group without zeros, in one form for scan and truth.
fn sums(group: &Value) -> Value {
    json!({
        "requests": json::number(group, "/requests"),
        "outcomes": json::counts(group, "/outcomes"),
        "tokens": json::counts(group, "/tokens"),
    })
}

/// Groups by their names, of scan or of the truth; those without calls say nothing.
fn by_name(groups: &[Value]) -> Vec<(String, Value)> {
    let name = |group: &Value| {
        let parts = ["/principal", "/model", "/account", "/region"];
        parts.map(|part| json::text(group, part)).join(" ")
    };
    let used = groups.iter().filter(|group| json::number(group, "/requests") > 0);
    let mut named: Vec<(String, Value)> = used.map(|group| (name(group), sums(group))).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named
}

fn group<'t>(truth: &'t Value, principal: &str, model: &str) -> &'t Value {
    let groups = truth["groups"].as_array().expect("groups");
    let found = groups.iter().find(|group| {
        json::text(group, "/principal") == principal && json::text(group, "/model") == model
    });
    found.unwrap_or_else(|| panic!("no {principal} on {model}"))
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for a comparison")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_one_other_bytes() {
    let work = WorkDir::new("simulate-seed");
    for (dir, seed) in [("a", "7"), ("b", "7"), ("c", "8")] {
        simulate(&work.join(dir), &[&FOUR_HOURS, &INCIDENT, &["--seed", seed]]);
    }
    for name in LOGS.into_iter().chain(["truth.json"]) {
        let [a, b, c] = ["a", "b", "c"].map(|dir| text(&work.join(dir), name));
        assert!(a.len() > 1_000, "{name}: {}", a.len());
        assert!(a == b, "{name} differs between two runs of one seed");
        assert!(a != c, "{name} is the same for two seeds");
    }
}

#[test]
fn stdout_has_the_lines_of_all_logs_in_the_order_of_time() {
    let work = WorkDir::new("simulate-stdout");
    simulate(&work.join("a"), &[&FOUR_HOURS]);
    let mut arguments = vec!["simulate", "--out", "-"];
    arguments.extend(FOUR_HOURS);
    let arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
    let all = stdout_of(&arguments);
    let mut apart: Vec<String> = Vec::new();
    for name in LOGS {
        let log = text(&work.join("a"), name);
        // Each log is a part of the whole, in order.
        let mut whole = all.lines();
        assert!(log.lines().all(|line| whole.any(|other| other == line)), "{name}");
        apart.extend(log.lines().map(str::to_owned));
    }
    assert_eq!(apart.len(), all.lines().count());
}

#[test]
fn a_scan_comes_to_the_truth_and_understands_every_line() {
    for (seed, culprit) in [("1", "role/log-summariser:anthropic.claude-v2:1"), ("2", "random")] {
        let work = WorkDir::new("simulate-truth");
        let dir = work.join("logs");
        let options = ["--seed", seed, "--calls-per-minute", "40", "--culprit", culprit];
        simulate(&dir, &[&FOUR_HOURS, &INCIDENT, &options]);
        let truth = truth(&dir);
        let mut groups = scan(&dir, "principal,model,account,region");
        let total = groups.pop().expect("the object of the whole");
        assert_eq!(sums(&total), sums(&truth["total"]), "seed {seed}");
        assert_eq!(by_name(&groups), by_name(truth["groups"].as_array().expect("groups")));
        assert_eq!(total["lines_rejected"], json!({}), "{total}");
        let mut lines = 0;
        for name in LOGS {
            let written = text(&dir, name);
            lines += written.lines().count() as u64;
            assert_eq!(
                truth["logs"][name],
                json!({"lines": written.lines().count(), "bytes": written.len()}),
                "{name}"
            );
        }
        assert_eq!(json::number(&total, "/lines_read"), lines);
        assert!(json::number(&truth, "/total/requests") > 8_000, "{truth}");
    }
}

#[test]
fn a_doctor_has_nothing_to_say_of_a_week() {
    let work = WorkDir::new("simulate-doctor");
    for seed in ["1", "2", "3"] {
        let dir = work.join(seed);
        let week = ["--from", "2026-11-16", "--to", "2026-11-23", "--seed", seed];
        simulate(&dir, &[&week, &["--calls-per-minute", "4"]]);
        let files: Vec<_> = LOGS.iter().map(|name| dir.join(name)).collect();
        let mut arguments: Vec<&OsStr> = vec!["doctor".as_ref()];
        arguments.extend(files.iter().map(|file| file.as_os_str()));
        arguments.extend(["--format".as_ref(), "json".as_ref()] as [&OsStr; 2]);
        let found = json::parse(&stdout_of(&arguments));
        assert_eq!(found["problems"], json!([]), "seed {seed}: {found:#}");
        for source in found["sources"].as_array().expect("sources") {
            assert_eq!(source["order"]["earlier_than_the_one_before"], 0, "{source}");
        }
    }
}

#[test]
fn a_day_has_its_hours_and_a_week_its_weekend() {
    let work = WorkDir::new("simulate-week");
    let dir = work.join("logs");
    let options = ["--from", "2026-11-16", "--to", "2026-11-23", "--logs", "bedrock"];
    simulate(&dir, &[&options, &["--calls-per-minute", "20"]]);
    let log = text(&dir, "bedrock.jsonl");
    let count = |start: &str| {
        log.lines().filter(|line| line.starts_with(&format!("{{\"timestamp\":\"{start}"))).count()
    };
    let mean = ratio(count("2026-11-") as u64, 7 * 24 * 60);
    // Bedrock's share is a little less than all: one application is not in its log.
    assert!((18.0..20.5).contains(&mean), "{mean}");
    assert!(count("2026-11-18T19") > 2 * count("2026-11-18T08"), "no day and night");
    assert!(count("2026-11-18") * 3 > count("2026-11-21") * 4, "no weekend");
    assert!(!dir.join("lambda.log").exists());
}

#[test]
fn an_incident_has_its_factors_and_leaves_the_others_as_they_were() {
    let work = WorkDir::new("simulate-incident");
    let (quiet, loud) = (work.join("quiet"), work.join("loud"));
    let rate = ["--seed", "5", "--calls-per-minute", "400"];
    let hour = ["--from", "2026-11-23T19:00:00Z", "--to", "2026-11-23T20:00:00Z"];
    simulate(&quiet, &[&hour, &rate]);
    simulate(&loud, &[&hour, &rate, &INCIDENT]);
    let (quiet, loud) = (truth(&quiet), truth(&loud));
    let (principal, model) = ("role/log-summariser", "anthropic.claude-v2:1");
    assert_eq!(loud["incident"]["principal"], principal);
    assert_eq!(loud["incident"]["model"], model);
    assert_eq!(quiet["incident"], Value::Null);
    let (usual, during) = (group(&quiet, principal, model), &loud["incident"]["during"]);

    let calls = ratio(json::number(during, "/requests"), json::number(usual, "/requests"));
    assert!((10.0..12.0).contains(&calls), "calls times {calls}");
    let per_answer =
        |of: &Value| ratio(json::number(of, "/tokens/input"), json::number(of, "/outcomes/ok"));
    let input = per_answer(during) / per_answer(usual);
    assert!((4.0..4.4).contains(&input), "input times {input}");
    let throttled =
        ratio(json::number(during, "/outcomes/throttled"), json::number(during, "/requests"));
    assert!((0.2..0.4).contains(&throttled), "throttled {throttled}");
    assert!(json::number(&loud, "/gateway/statuses/504") > 100, "{loud:#}");
    assert!(json::number(&loud, "/lambda/timeouts") > 100, "{loud:#}");
    let [before, after] = [&quiet, &loud].map(|truth| json::number(truth, "/lambda/cold_starts"));
    assert!(after > before + 20, "{before} and {after} cold starts");

    let others = |truth: &Value| {
        let groups = truth["groups"].as_array().expect("groups").clone();
        let others: Vec<Value> =
            groups.into_iter().filter(|group| group["model"] != model).collect();
        by_name(&others)
    };
    assert_eq!(others(&quiet), others(&loud));
}

#[test]
fn a_random_culprit_is_one_of_many_and_its_spike_is_worth_a_page() {
    let work = WorkDir::new("simulate-random");
    let mut culprits = std::collections::BTreeSet::new();
    for seed in 1..=12 {
        let dir = work.join(&seed.to_string());
        let options =
            ["--seed", &seed.to_string(), "--calls-per-minute", "30", "--culprit", "random"];
        let night = ["--from", "2026-11-24T07:00:00Z", "--to", "2026-11-24T08:00:00Z"];
        let incident = ["--incident", "log-summariser", "--incident-at", "2026-11-24T07:30:00Z"];
        simulate(&dir, &[&options, &night, &incident, &["--logs", "bedrock,application"]]);
        let truth = truth(&dir);
        let principal = json::text(&truth, "/incident/principal");
        culprits.insert(principal.to_owned());
        let dearest = cost_by_principal(&dir);
        assert_eq!(dearest.0, principal, "seed {seed}: {dearest:?}");
    }
    assert!(culprits.len() >= 4, "{culprits:?}");
}

/// Whoever spends most, and how much.
fn cost_by_principal(dir: &Path) -> (String, f64) {
    let files = ["bedrock.jsonl", "application.jsonl"].map(|name| dir.join(name));
    let options: [&OsStr; 4] =
        ["--by".as_ref(), "principal".as_ref(), "--format".as_ref(), "json".as_ref()];
    let mut arguments: Vec<&OsStr> = vec!["scan".as_ref()];
    arguments.extend(files.iter().map(|file| file.as_os_str()));
    arguments.extend(options);
    let mut groups = json::items(&stdout_of(&arguments));
    groups.pop();
    let cost = |group: &Value| json::text(group, "/cost_usd").parse::<f64>().expect("a number");
    let most = groups.iter().max_by(|a, b| cost(a).total_cmp(&cost(b))).expect("a group");
    (json::text(most, "/principal").to_owned(), cost(most))
}

#[test]
fn a_daemon_counts_what_the_truth_says_of_functions_and_gateway() {
    let work = WorkDir::new("simulate-run");
    let dir = work.join("logs");
    simulate(&dir, &[&FOUR_HOURS, &INCIDENT, &["--calls-per-minute", "20"]]);
    let truth = truth(&dir);
    let files = LOGS.map(|name| dir.join(name));
    let ledger = work.join("ledger");
    let mut arguments: Vec<&OsStr> = files.iter().map(|file| file.as_os_str()).collect();
    arguments.extend([
        OsStr::new("--ledger"),
        ledger.as_os_str(),
        "--listen".as_ref(),
        "127.0.0.1:0".as_ref(),
    ]);
    let daemon = Daemon::start_with(&arguments);
    let requests = json::number(&truth, "/total/requests");
    let runs = json::number(&truth, "/lambda/runs");
    let statuses = json::counts(&truth, "/gateway/statuses");
    let scrape = daemon.wait_for("everything to be counted", |scrape| {
        scrape.count("tollkeeper_requests_total", &[]) == requests
            && scrape.count("tollkeeper_lambda_invocations_total", &[]) == runs
            && scrape.count("tollkeeper_gateway_requests_total", &[])
                == statuses.values().sum::<u64>()
    });
    assert_eq!(scrape.counts_by("tollkeeper_gateway_requests_total", "status", &[]), statuses);
    let timeouts = [("outcome", "timeout")];
    assert_eq!(
        scrape.count("tollkeeper_lambda_invocations_total", &timeouts),
        json::number(&truth, "/lambda/timeouts")
    );
    assert_eq!(
        scrape.count("tollkeeper_lambda_init_duration_seconds_count", &[]),
        json::number(&truth, "/lambda/cold_starts")
    );
}

#[test]
fn rotated_parts_are_the_whole_log() {
    let work = WorkDir::new("simulate-rotate");
    let (whole, parts) = (work.join("whole"), work.join("parts"));
    simulate(&whole, &[&FOUR_HOURS]);
    simulate(&parts, &[&FOUR_HOURS, &["--rotate", "200kB"]]);
    let mut found = String::new();
    let rotated =
        (1..1_000).take_while(|n| parts.join(format!("bedrock.jsonl.{n}")).exists()).count();
    assert!(rotated >= 5, "{rotated} rotated files");
    for name in (1..=rotated).rev().map(|n| format!("bedrock.jsonl.{n}")) {
        let part = text(&parts, &name);
        assert!(part.len() <= 200_000 && part.ends_with('\n'), "{name}: {}", part.len());
        found.push_str(&part);
    }
    found.push_str(&text(&parts, "bedrock.jsonl"));
    assert!(found == text(&whole, "bedrock.jsonl"));
}

#[test]
fn a_replay_writes_what_is_written_at_once() {
    let work = WorkDir::new("simulate-replay");
    let (at_once, replay) = (work.join("at-once"), work.join("replay"));
    simulate(&at_once, &[&FOUR_HOURS]);
    simulate(&replay, &[&FOUR_HOURS, &["--follow", "--speed", "14400"]]);
    for name in LOGS {
        assert!(text(&at_once, name) == text(&replay, name), "{name}");
    }
}

fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("not that late")
}

#[test]
fn followed_lines_come_when_they_are_due_and_end_whole_at_sigterm() {
    let work = WorkDir::new("simulate-follow");
    let dir = work.join("logs");
    let began = now_seconds();
    let mut command = tollkeeper();
    command.args(["simulate", "--follow", "--calls-per-minute", "12000", "--out"]).arg(&dir);
    command.args(["--incident", "log-summariser", "--culprit", "random"]);
    let process = Daemon::spawn_command(&mut command).expect("the binary starts");
    let lines = || {
        let log = fs::read_to_string(dir.join("bedrock.jsonl")).unwrap_or_default();
        log.lines().count()
    };
    wait_until(SOON, "some lines", || (lines() > 300).then_some(()));
    let seen = now_seconds();
    let early = truth(&dir);
    assert_eq!(early["complete"], false);
    assert!(early["incident"]["principal"].is_string(), "{early:#}");
    wait_until(SOON, "more lines", || (lines() > 600).then_some(()));
    let (status, _, stderr) = process.terminate();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("until SIGTERM"), "{stderr}");

    let log = text(&dir, "bedrock.jsonl");
    assert!(log.ends_with('\n'));
    let ended = now_seconds();
    let times: Vec<i64> = log.lines().map(time_of).collect();
    assert!(times.is_sorted());
    assert!(times.iter().all(|at| (began..=ended).contains(at)), "{began} {ended} {times:?}");
    assert!(times[300] <= seen, "line 300 came before its time");
    let truth = truth(&dir);
    assert_eq!(truth["complete"], true);
    assert_eq!(truth["logs"]["bedrock.jsonl"]["lines"], json!(times.len()));
    let mut groups = scan(&dir, "model");
    let total = groups.pop().expect("the object of the whole");
    assert_eq!(sums(&total), sums(&truth["total"]));
}

fn time_of(line: &str) -> i64 {
    let record = json::parse(line);
    let at = DateTime::parse_from_rfc3339(json::text(&record, "/timestamp")).expect("a time");
    at.timestamp()
}

#[test]
fn a_follower_with_a_past_and_an_end_writes_both() {
    let work = WorkDir::new("simulate-past");
    let dir = work.join("logs");
    let began = now_seconds();
    simulate(&dir, &[&["--follow", "--from", "-2h", "--to", "+2s", "--calls-per-minute", "1200"]]);
    assert!(now_seconds() > began, "it ended before its end");
    let times: Vec<i64> = text(&dir, "bedrock.jsonl").lines().map(time_of).collect();
    assert!(times[0] < began - 7_000, "the past is missing");
    assert!(times[times.len() - 1] >= began, "the present is missing");
}

#[test]
fn logs_are_never_overwritten_and_wrong_words_are_told() {
    let work = WorkDir::new("simulate-refuse");
    let dir = work.join("logs");
    simulate(&dir, &[&FOUR_HOURS]);
    let before = text(&dir, "bedrock.jsonl");
    let out = dir.to_str().expect("a path of text");
    let hour = ["--from", "2026-11-23T20:00:00Z", "--to", "2026-11-23T21:00:00Z"];
    let told = refusal(&[&["--out", out][..], &hour].concat());
    assert!(told.contains("bedrock.jsonl` is there already"), "{told}");
    assert!(told.contains("--append"), "{told}");
    assert!(text(&dir, "bedrock.jsonl") == before);
    simulate(&dir, &[&hour, &["--append"]]);
    let after = text(&dir, "bedrock.jsonl");
    assert!(after.starts_with(&before) && after.len() > before.len());

    for (options, expected) in [
        (&["--from", "yesterday"][..], "`yesterday` of `--from` is no time"),
        (&["--from", "now", "--to", "-1h"], "is not before `--to`"),
        (&["--calls-per-minute", "0"], "`--calls-per-minute` must be between"),
        (&["--calls-per-minute", "NaN"], "`--calls-per-minute` must be between"),
        (&["--rotate", "big"], "`big` of `--rotate` is no size"),
        (&["--speed", "2"], "--follow"),
        (&["--culprit", "random"], "--incident"),
        (
            &[
                "--incident",
                "log-summariser",
                "--culprit",
                "role/log-sumariser:anthropic.claude-v2:1",
            ],
            "did you mean `role/log-summariser:anthropic.claude-v2:1`?",
        ),
        (&["--incident", "log-summariser", "--incident-for", "0s"], "is no duration"),
    ] {
        let unused = work.join("unused");
        let unused = unused.to_str().expect("a path of text");
        let told = refusal(&[&["--out", unused], options].concat());
        assert!(told.contains(expected), "{options:?}: {told}");
        assert!(!Path::new(unused).exists(), "{options:?} left something behind");
    }
}
