//! A Prometheus and an Alertmanager of one's own, ended with the test.
//!
//! They don't tell which port they picked themselves, so they get one that was free a moment ago.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::http::{request, url_encode};
use super::json;
use super::wait::{SOON, wait_until};
use super::work_dir::WorkDir;

/// An Alertmanager that tells nobody.
const TELLS_NOBODY: &str = "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n";

pub(crate) struct Alertmanager {
    _process: Process,
    pub(crate) address: String,
}

pub(crate) struct Prometheus {
    _process: Process,
    address: String,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only when it ended by itself, and then what is asked of it has failed already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Alertmanager {
    pub(crate) fn start(program: &Path, work: &WorkDir) -> Self {
        Self::start_with(program, work, TELLS_NOBODY)
    }

    pub(crate) fn start_with(program: &Path, work: &WorkDir, config: &str) -> Self {
        let config = work.file("alertmanager.yml", config);
        let address = free_address();
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", work.folder("alertmanager").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=");
        let alertmanager =
            Self { _process: spawn(&mut command, work, "alertmanager.log"), address };
        wait_until(SOON, "Alertmanager to be ready", || {
            let answer = request("GET", &alertmanager.address, "/-/ready").ok()?;
            (answer.status == 200).then_some(())
        });
        alertmanager
    }

    /// The alerts that fire, silent ones too.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let answer = request("GET", &self.address, "/api/v2/alerts").unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// A route of the daemon that leads here.
    pub(crate) fn route(&self) -> String {
        format!(
            "[alerts]\nrunbook_url = \"https://r.example/RUNBOOK.md\"\n\
             [[alerts.route]]\nname = \"am\"\nkind = \"alertmanager\"\nurl = \"http://{}\"\n\
             resend = \"1s\"\n",
            self.address
        )
    }
}

impl Prometheus {
    /// Scrapes `target` each second as job `tollkeeper`.
    pub(crate) fn start(program: &Path, work: &WorkDir, target: &str) -> Self {
        Self::start_with(program, work, target, "")
    }

    /// The same, with more lines of config.
    pub(crate) fn start_with(program: &Path, work: &WorkDir, target: &str, more: &str) -> Self {
        let config = work.file(
            "prometheus.yml",
            format!(
                "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nscrape_configs:\n  \
                 - job_name: tollkeeper\n    static_configs:\n      - targets: ['{target}']\n{more}"
            ),
        );
        let address = free_address();
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", work.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"));
        Self { _process: spawn(&mut command, work, "prometheus.log"), address }
    }

    /// The value of an instant query that gives one; `None` while there is none.
    pub(crate) fn query(&self, query: &str) -> Option<f64> {
        let path = format!("/api/v1/query?query={}", url_encode(query));
        let answer = request("GET", &self.address, &path).ok()?;
        if answer.status != 200 {
            return None;
        }
        let body = json::parse(&answer.body);
        Some(body.pointer("/data/result/0/value/1")?.as_str()?.parse().unwrap())
    }

    /// The series of an instant query, or what Prometheus has against it.
    pub(crate) fn instant(&self, query: &str) -> Result<Vec<Value>, String> {
        self.series(&format!("/api/v1/query?query={}", url_encode(query)))
    }

    /// The series of a query over a range; times in seconds since 1970.
    pub(crate) fn range(
        &self,
        query: &str,
        start: i64,
        end: i64,
        step: i64,
    ) -> Result<Vec<Value>, String> {
        let query = url_encode(query);
        let times = format!("start={start}&end={end}&step={step}");
        self.series(&format!("/api/v1/query_range?query={query}&{times}"))
    }

    fn series(&self, path: &str) -> Result<Vec<Value>, String> {
        let answer = request("GET", &self.address, path).map_err(|error| error.to_string())?;
        let mut body = json::parse(&answer.body);
        match body["data"]["result"].take() {
            Value::Array(series) if answer.status == 200 => Ok(series),
            _ => Err(answer.body),
        }
    }

    /// The values of a label of the series that a selector matches.
    pub(crate) fn label_values(&self, label: &str, selector: &str) -> Vec<Value> {
        let path = format!("/api/v1/label/{label}/values?match[]={}", url_encode(selector));
        let answer = request("GET", &self.address, &path).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        json::parse(&answer.body)["data"].as_array().unwrap().clone()
    }
}

fn spawn(command: &mut Command, work: &WorkDir, log: &str) -> Process {
    let log = std::fs::File::create(work.join(log)).unwrap();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    Process(child.unwrap())
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
