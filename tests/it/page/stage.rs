//! A daemon with something to see: two weeks of simulated calls, an incident of just now, budgets and a quota.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::support::daemon::{Daemon, stdout_of};
use crate::support::json;
use crate::support::work_dir::WorkDir;

/// The daemon and its files. The daemon ends first.
pub(super) struct Stage {
    pub(super) daemon: Daemon,
    _work: WorkDir,
}

/// The stage that tests share which change nothing; it ends with the last of them.
pub(super) fn shared() -> Arc<Stage> {
    static STAGE: Mutex<Weak<Stage>> = Mutex::new(Weak::new());
    let mut known = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stage) = known.upgrade() {
        return stage;
    }
    let stage = Arc::new(Stage::new());
    *known = Arc::downgrade(&stage);
    stage
}

const CONFIG: &str = r#"
listen = "127.0.0.1:0"
[ledger]
dir = "ledger"
[[source]]
name = "bedrock"
include = ["logs/bedrock.jsonl"]
[[source]]
name = "application"
include = ["logs/application.jsonl"]
[[source]]
name = "gateway"
include = ["logs/gateway.jsonl", "logs/lambda.log"]
[[budget]]
name = "everything"
limit_usd = 1500
period = "month"
[[budget]]
name = "log-summariser"
limit_usd = 4
period = "day"
scope = { principal = "role/log-summariser" }
[[budget]]
name = "team"
limit_usd = 150
period = "week"
per = "principal"
[[quota.limit]]
model = "anthropic.claude-v2:1"
route = "in_region"
tokens_per_minute = 200000
requests_per_minute = 60
[alerts.spike]
floor_usd_per_hour = 1
for = "1s"
[alerts.throttle_ratio]
calls_min = 5
affected_min = 2
for = "1s"
"#;

impl Stage {
    fn new() -> Self {
        let work = WorkDir::new("page");
        let logs = work.join("logs");
        // What is simulated depends on when it begins. So that the last minutes are a spike by any chance,
        // the culprit calls much more often than one of the story.
        let mut arguments: Vec<&OsStr> = ["simulate", "--seed", "5", "--from", "-15d"]
            .into_iter()
            .chain(["--calls-per-minute", "3", "--incident", "log-summariser"])
            .chain(["--incident-at", "-12m", "--incident-calls", "60", "--out"])
            .map(OsStr::new)
            .collect();
        arguments.push(logs.as_os_str());
        stdout_of(&arguments);
        let truth = json::parse(&std::fs::read_to_string(logs.join("truth.json")).unwrap());
        let daemon = Daemon::start_with(&[work.file("tollkeeper.toml", CONFIG).as_os_str()]);
        let calls = json::number(&truth, "/total/requests");
        daemon.wait_for_requests(calls);
        daemon.wait_for("an evaluation of all that", |scrape| {
            scrape.count("tollkeeper_alerts_firing", &[("alert", "TollkeeperSpendSpike")]) > 0
        });
        Self { daemon, _work: work }
    }
}
