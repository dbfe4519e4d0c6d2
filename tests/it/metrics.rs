//! `/metrics` as others read it: promtool and a real Prometheus.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::daemon::Daemon;
use crate::support::servers::Prometheus;
use crate::support::tools;
use crate::support::truth::{Generator, usd_f64};
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

#[test]
fn the_page_has_the_truth_in_it_and_says_the_same_on_every_scrape() {
    let work = WorkDir::new("page");
    let mut generator = Generator::new("p", 11);
    let log = work.file("logs/app.log", generator.lines(2_000));
    let daemon = Daemon::start(&log, &work.join("ledger"));
    daemon.wait_for_truth(generator.truth());
    let answer = daemon.get("/metrics");
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    let counters = |text: &str| -> Vec<String> {
        let of_calls = ["requests", "tokens", "cost_usd", "unpriced"];
        text.lines()
            .filter(|line| {
                of_calls.iter().any(|name| line.starts_with(&format!("tollkeeper_{name}")))
            })
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(counters(&answer.body), counters(&daemon.get("/metrics").body));
    assert_eq!(daemon.get("/healthz").status, 200);
    assert_eq!(daemon.get("/no-such-page").status, 404);
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let Some(promtool) = tools::find("promtool", "promtool check metrics") else { return };
    let work = WorkDir::new("promtool");
    let mut generator = Generator::new("p", 12);
    let log = work.file("logs/app.log", generator.lines(500));
    let daemon = Daemon::start(&log, &work.join("ledger"));
    daemon.wait_for_truth(generator.truth());
    let mut command = Command::new(promtool);
    let mut child = command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let page = daemon.get("/metrics").body;
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = tools::describe(&command, &output);
    assert!(output.status.success() && output.stderr.is_empty(), "{told}");
}

#[test]
fn a_real_prometheus_scrapes_and_answers_with_the_truth() {
    let Some(program) = tools::find("prometheus", "scrape by a real Prometheus") else { return };
    let work = WorkDir::new("prometheus");
    let mut generator = Generator::new("p", 13);
    let log = work.file("logs/app.log", generator.lines(1_000));
    let daemon = Daemon::start(&log, &work.join("ledger"));
    daemon.wait_for_truth(generator.truth());
    let prometheus = Prometheus::start(&program, &work, &daemon.address().unwrap());
    wait_until(SOON, "Prometheus to have scraped", || {
        prometheus.query("up{job=\"tollkeeper\"}").filter(|up| *up > 0.0)
    });
    let total = generator.truth().total();
    for (query, expected) in [
        ("sum(tollkeeper_requests_total)".to_owned(), total.requests.to_string()),
        ("sum(tollkeeper_tokens_total)".to_owned(), total.tokens.values().sum::<u64>().to_string()),
        (
            "sum(tollkeeper_requests_total{outcome=\"throttled\"})".to_owned(),
            total.outcomes["throttled"].to_string(),
        ),
    ] {
        assert_eq!(prometheus.query(&query), expected.parse().ok(), "{query}");
    }
    let cost = prometheus.query("sum(tollkeeper_cost_usd_total)").unwrap();
    let expected = usd_f64(total.picodollars);
    assert!((cost - expected).abs() < expected * 1e-9, "{cost} instead of {expected}");
}
