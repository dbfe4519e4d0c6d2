//! `/metrics` as others read it: promtool and a real Prometheus.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use crate::support::daemon::Daemon;
use crate::support::http::{request, url_encode};
use crate::support::json;
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

/// A Prometheus of our own, ended with the test.
struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    fn start(program: &std::path::Path, work: &WorkDir, target: &str) -> Self {
        let config = work.file(
            "prometheus.yml",
            format!(
                "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: tollkeeper\n    \
                 static_configs:\n      - targets: ['{target}']\n"
            ),
        );
        let address = free_address();
        let log = std::fs::File::create(work.join("prometheus.log")).unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", work.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// The value of an instant query that gives one; `None` while there is none.
    fn query(&self, query: &str) -> Option<f64> {
        let path = format!("/api/v1/query?query={}", url_encode(query));
        let answer = request("GET", &self.address, &path).ok()?;
        if answer.status != 200 {
            return None;
        }
        let body = json::parse(&answer.body);
        Some(body.pointer("/data/result/0/value/1")?.as_str()?.parse().unwrap())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Fails only when it ended by itself, and then the queries have failed already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An address that was free a moment ago: Prometheus doesn't tell which port it picked itself.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
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
