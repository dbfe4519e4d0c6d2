//! `tollkeeper report` and `/api/v1/usage`: the same sums as a scan of the logs, to the last picodollar, whoever has
//! the ledger open; and text of a log stays text in every format.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tollkeeper::model::money::Usd;

use crate::support::daemon::{Daemon, output_of, stdout_of};
use crate::support::http::url_encode;
use crate::support::json;
use crate::support::work_dir::WorkDir;

/// Logs of three days, and a ledger with all that they hold.
pub(crate) struct Books {
    pub(crate) work: WorkDir,
    pub(crate) logs: PathBuf,
    pub(crate) ledger: PathBuf,
}

impl Books {
    /// Makes logs that end an hour ago, and counts them. The daemon is still running.
    pub(crate) fn running(test: &str, seed: &str) -> (Self, Daemon) {
        let work = WorkDir::new(test);
        let logs = work.join("logs");
        let mut arguments: Vec<&OsStr> = vec!["simulate".as_ref(), "--out".as_ref()];
        let options = ["--seed", seed, "--from", "-3d", "--to", "-1h", "--calls-per-minute", "2"];
        arguments.push(logs.as_os_str());
        arguments.extend(options.map(OsStr::new));
        stdout_of(&arguments);
        let ledger = work.join("ledger");
        let books = Self { work, logs, ledger };
        let calls =
            books.scan("provider").iter().map(|group| json::number(group, "/requests")).sum();
        let daemon = Daemon::start(&books.pattern(), &books.ledger);
        daemon.wait_for_requests(calls);
        (books, daemon)
    }

    /// The same without a daemon.
    pub(crate) fn at_rest(test: &str, seed: &str) -> Self {
        let (books, daemon) = Self::running(test, seed);
        assert!(daemon.terminate().0.success());
        books
    }

    fn pattern(&self) -> PathBuf {
        self.logs.join("*.*l*")
    }

    /// The groups of a scan of the logs, without the total.
    pub(crate) fn scan(&self, by: &str) -> Vec<Value> {
        let names = ["bedrock.jsonl", "lambda.log", "gateway.jsonl", "application.jsonl"];
        let files = names.map(|name| self.logs.join(name));
        let mut arguments: Vec<&OsStr> = vec!["scan".as_ref(), "--dedup".as_ref()];
        arguments.extend(files.iter().map(|file| file.as_os_str()));
        arguments.extend(["--by", by, "--format", "json"].map(OsStr::new));
        let groups = json::items(&stdout_of(&arguments)).into_iter();
        groups.filter(|group| group.get("total").is_none()).collect()
    }

    /// What a command about the ledger writes.
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        ask(&["--ledger", self.ledger.to_str().unwrap()], arguments)
    }
}

fn ask(source: &[&str], arguments: &[&str]) -> String {
    let all: Vec<&OsStr> = arguments.iter().chain(source).map(OsStr::new).collect();
    stdout_of(&all)
}

/// Requests, tokens and cost by the values of some labels.
type Sums = BTreeMap<Vec<String>, (u64, BTreeMap<String, u64>, String)>;

fn of_scan(groups: &[Value], by: &[&str]) -> Sums {
    groups
        .iter()
        .map(|group| {
            let labels = by.iter().map(|name| json::text(group, &format!("/{name}")).to_owned());
            let mut tokens = json::counts(group, "/tokens");
            tokens.retain(|_, count| *count > 0);
            let cost = json::text(group, "/cost_usd").to_owned();
            (labels.collect(), (json::number(group, "/requests"), tokens, cost))
        })
        .collect()
}

fn of_answer(answer: &Value) -> Sums {
    let groups = answer["groups"].as_array().unwrap();
    groups
        .iter()
        .map(|group| {
            let labels = group["labels"].as_array().unwrap().iter();
            let sums = &group["sums"];
            let tokens = match sums.get("tokens") {
                Some(_) => json::counts(sums, "/tokens"),
                None => BTreeMap::new(),
            };
            let cost = json::text(sums, "/cost_usd").to_owned();
            let labels = labels.map(|label| label.as_str().unwrap().to_owned()).collect();
            (labels, (json::number(sums, "/requests"), tokens, cost))
        })
        .collect()
}

const BY: [&str; 2] = ["model", "principal"];

#[test]
fn a_report_has_the_sums_of_a_scan_whoever_has_the_ledger_open() {
    let (books, daemon) = Books::running("report", "71");
    let expected = of_scan(&books.scan("model,principal"), &BY);
    assert!(expected.len() > 5, "{expected:?}");
    let url = format!("http://{}", daemon.address().unwrap());
    let report = ["report", "--by", "model,principal", "--format", "json"];
    let asked = json::parse(&ask(&["--url", &url], &report));
    assert_eq!(of_answer(&asked), expected);
    let served = daemon.get("/api/v1/usage?by=model%2Cprincipal");
    assert_eq!((served.status, served.header("content-type")), (200, Some("application/json")));
    assert_eq!(json::parse(&served.body), asked);
    assert!(daemon.terminate().0.success());
    let read = json::parse(&books.ask(&report));
    assert_eq!(of_answer(&read), expected);
    assert_eq!(read["doubt"], asked["doubt"]);
}

#[test]
fn a_ledger_in_use_is_asked_for_at_its_daemon() {
    let work = WorkDir::new("in-use");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let log = work.file("a.jsonl", line("m", "p", 0));
    let config = work.file(
        "tollkeeper.toml",
        format!(
            "listen = \"{free}\"\n[ledger]\ndir = \"ledger\"\n[[source]]\nname = \"a\"\ninclude = [\"{}\"]\n",
            log.display()
        ),
    );
    let daemon = Daemon::start_with(&[config.as_os_str()]);
    daemon.wait_for_requests(1);
    let report = ["report", "--format", "json"];
    let answer = json::parse(&ask(&["--config", config.to_str().unwrap()], &report));
    assert_eq!(json::number(&answer, "/total/sums/requests"), 1);
    // Without the config nobody knows where its daemon listens.
    let ledger = work.join("ledger");
    let blind = output_of(&["report".as_ref(), "--ledger".as_ref(), ledger.as_os_str()]);
    let stderr = String::from_utf8(blind.stderr).unwrap();
    assert_eq!(blind.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("is in use") && stderr.contains("--url"), "{stderr}");
}

#[test]
fn steps_groups_and_others_sum_to_the_total() {
    let books = Books::at_rest("steps", "72");
    let spent = |text: &str| Usd::parse_exact(text).unwrap();
    let total: Usd =
        books.scan("provider").iter().map(|group| spent(json::text(group, "/cost_usd"))).sum();
    for arguments in [
        &["--step", "day"][..],
        &["--step", "15m", "--by", "model,route"],
        &["--step", "day", "--zone", "Asia/Kolkata", "--top", "2"],
        &["--by", "*", "--top", "3"],
    ] {
        let all = [&["report", "--format", "json"][..], arguments].concat();
        let answer = json::parse(&books.ask(&all));
        let groups = answer["groups"].as_array().unwrap().iter();
        let rest = answer.pointer("/rest/usage").into_iter();
        let (mut of_groups, mut of_steps) = (Usd::ZERO, Usd::ZERO);
        for group in groups.chain(rest) {
            of_groups += spent(json::text(group, "/sums/cost_usd"));
            let steps = group.get("steps").and_then(Value::as_array).into_iter().flatten();
            of_steps += steps.map(|step| spent(json::text(step, "/sums/cost_usd"))).sum();
        }
        assert_eq!((of_groups, spent(json::text(&answer, "/total/sums/cost_usd"))), (total, total));
        if arguments.contains(&"--step") {
            assert_eq!(of_steps, total, "{arguments:?}");
        }
    }
    let csv = books.ask(&["report", "--step", "day", "--by", "model,principal", "--format", "csv"]);
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let place = lines[0].iter().position(|name| *name == "cost_usd").unwrap();
    assert_eq!(lines[1..].iter().map(|line| spent(line[place])).sum::<Usd>(), total);
}

#[test]
fn a_comparison_tells_what_changed_and_what_is_gone() {
    let work = WorkDir::new("compare");
    let lines: String = [("new", 1, 2), ("same", 1, 4), ("same", 25, 3), ("gone", 25, 5)]
        .iter()
        .flat_map(|(who, hours, calls)| (0..*calls).map(move |_| line("m", who, *hours)))
        .collect();
    let log = work.file("a.jsonl", lines);
    let ledger = work.join("ledger");
    let daemon = Daemon::start(&log, &ledger);
    daemon.wait_for_requests(14);
    daemon.terminate();
    let report = |arguments: &[&str]| {
        let base = ["report", "--by", "principal", "--since", "24h", "--compare", "previous"];
        ask(&["--ledger", ledger.to_str().unwrap()], &[&base, arguments].concat())
    };
    let csv = report(&["--format", "csv"]);
    let rows: BTreeMap<&str, (&str, &str)> = csv
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[0], (cells[1], *cells.last().unwrap()))
        })
        .collect();
    // A million tokens in one call cost six dollars.
    assert_eq!(rows["role/new"], ("2", "0"), "{csv}");
    assert_eq!(rows["role/same"], ("4", "18"), "{csv}");
    assert_eq!(rows["role/gone"], ("0", "30"), "{csv}");
    let table = report(&[]);
    assert!(table.contains("+33.3%") && table.contains("-100.0%"), "{table}");
    assert!(table.contains("  new  ") && !table.contains('\u{1b}'), "{table}");
    let cut = report(&["--top", "1", "--format", "markdown"]);
    assert!(cut.contains("| role/same |") && cut.contains("| 1 other |"), "{cut}");
    assert!(!cut.contains("gone"), "{cut}");
}

/// A call of a million tokens, so many hours ago.
fn line(model: &str, principal: &str, hours: i64) -> String {
    let at = chrono::DateTime::from(std::time::SystemTime::now())
        - chrono::TimeDelta::try_hours(hours).unwrap();
    let at: chrono::DateTime<chrono::Utc> = at;
    let model = if model == "m" { "anthropic.claude-sonnet-4-20250514-v1:0" } else { model };
    let record = json!({
        "timestamp": at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "model": model,
        "principal": format!("arn:aws:iam::111122223333:role/{principal}"),
        "input_tokens": 1_000_000,
        "output_tokens": 0,
        "status": "ok",
    });
    format!("{record}\n")
}

/// What a log may hold.
const HOSTILE: [&str; 4] = [
    "a|b`c`<script>alert(1)</script>&\"'",
    "line\nfeed\u{1b}[31mred\u{1b}[0m\u{7}",
    "=HYPERLINK(\"http://x\"),1\r\n",
    "\u{202e}desrever\u{200b}",
];

#[test]
fn text_of_a_log_stays_text_in_every_format() {
    let work = WorkDir::new("hostile");
    let lines: String = HOSTILE.iter().map(|text| line(text, "p", 1)).collect();
    let log = work.file("a.jsonl", lines);
    let ledger = work.join("ledger");
    let daemon = Daemon::start(&log, &ledger);
    daemon.wait_for_requests(4);
    daemon.terminate();
    let source = ["--ledger", ledger.to_str().unwrap()];
    let report = |format| ask(&source, &["report", "--by", "model,principal", "--format", format]);
    for format in ["table", "markdown", "html"] {
        let page = report(format);
        assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "{format}: {page}");
        assert!(!page.contains(['\u{202e}', '\u{200b}']), "{format}: {page}");
    }
    let html = report("html");
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
    assert!(!html.contains("src=") && !html.contains("href="), "{html}");
    let markdown = report("markdown");
    assert!(markdown.contains("a\\|b\\`c\\`\\<script\\>"), "{markdown}");
    let widths: std::collections::BTreeSet<usize> = markdown
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.replace("\\\\", "").replace("\\|", "").matches('|').count())
        .collect();
    assert_eq!(widths.len(), 1, "{markdown}");
    let csv = report("csv");
    assert!(csv.contains("\"a|b`c`<script>alert(1)</script>&\"\"'\""), "{csv}");
    let answer = json::parse(&report("json"));
    let found = answer["groups"].as_array().unwrap().iter().map(|group| &group["labels"][0]);
    let mut found: Vec<&str> = found.map(|label| label.as_str().unwrap()).collect();
    found.sort_unstable();
    let mut expected = HOSTILE.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn hostile_query_strings_are_refused_and_nothing_ends() {
    let work = WorkDir::new("queries");
    let log = work.file("a.jsonl", line("m", "p", 1));
    let mut daemon = Daemon::start(&log, &work.join("ledger"));
    daemon.wait_for_requests(1);
    let long = "x".repeat(5_000);
    let many = "model=x&".repeat(500);
    for query in [
        "by=nothing",
        "by=model,model",
        "since=tomorrow",
        "since=9999999999w",
        "since=2026-13-45",
        "since=2d&until=3d",
        "step=0m",
        "step=%00",
        "top=-1",
        "top=99999999999999999999999",
        "zone=../../etc/passwd",
        "%ff%fe=%ff",
        "a",
        "since=1h&since=2h",
        "%3Cscript%3E=1",
        &long,
        &many,
    ] {
        let answer = daemon.get(&format!("/api/v1/usage?{query}"));
        assert_eq!(answer.status, 400, "{query}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(json::text(&json::parse(&answer.body), "/detail").len() > 10, "{query}");
    }
    let globs = url_encode(&"*a".repeat(400));
    assert_eq!(daemon.get(&format!("/api/v1/usage?model={globs}")).status, 200);
    assert_eq!(daemon.request("POST", "/api/v1/usage").status, 405);
    assert!(daemon.ended().is_none());
}

#[test]
fn a_report_of_no_ledger_says_which_folder_it_looked_in() {
    let work = WorkDir::new("none");
    let missing: PathBuf = work.join("nothing");
    let output = output_of(&["report".as_ref(), "--ledger".as_ref(), missing.as_os_str()]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("there is no ledger in") && stderr.contains("nothing"), "{stderr}");
    assert!(!Path::new(&missing).exists());
}
