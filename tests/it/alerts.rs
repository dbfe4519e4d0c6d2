//! From logs to a pager: the incident of the story raises one page that names who causes it, quiet weeks
//! raise none, and a daemon that is killed again and again loses no alert and shows none twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::daemon::{Daemon, output_of, stdout_of, tollkeeper};
use crate::support::receiver::{Received, Receiver, Reply};
use crate::support::servers::Alertmanager;
use crate::support::tools;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

/// `tollkeeper simulate` to its end.
fn simulate(out: &Path, arguments: &[&str]) {
    let out = out.to_str().unwrap();
    let mut command = tollkeeper();
    command.args(["simulate", "--out", out, "--logs", "bedrock,application"]).args(arguments);
    tools::run(&mut command);
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path} in {value:#}"))
}

fn floor(dollars: u32) -> String {
    format!("[alerts.spike]\nfloor_usd_per_hour = {dollars}\n")
}

/// Alerts that the logs in `out` would have raised.
fn replay(work: &WorkDir, out: &Path, floor_usd: u32, step: &str) -> Vec<Value> {
    let source = "[[source]]\nname = \"s\"\ninclude = [\"*.jsonl\"]\n";
    let name = format!("{}.toml", out.file_name().unwrap().to_str().unwrap());
    let config = work.file(&name, format!("{source}{}", floor(floor_usd)));
    let logs = out.join("*.jsonl");
    let printed = stdout_of(&[
        "alert".as_ref(),
        "replay".as_ref(),
        logs.as_os_str(),
        "--config".as_ref(),
        config.as_os_str(),
        "--step".as_ref(),
        step.as_ref(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    std::fs::remove_dir_all(out).unwrap();
    serde_json::from_str(&printed).unwrap()
}

/// Two companies that spend five dollars an hour on average, a day of nothing but the floor included.
#[test]
fn four_quiet_weeks_page_nobody() {
    let work = WorkDir::new("quiet-weeks");
    let check = |seed: &str| {
        let out = work.join(&format!("quiet-{seed}"));
        simulate(&out, &["--from", "2026-06-01", "--to", "2026-06-29", "--seed", seed]);
        let alerts = replay(&work, &out, 20, "1m");
        let pages: Vec<_> = alerts.iter().filter(|alert| alert["severity"] == "page").collect();
        assert!(pages.is_empty(), "seed {seed}: {pages:#?}");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| check("2"));
        scope.spawn(|| check("3"));
    });
}

#[test]
fn twenty_random_culprits_are_named_within_seconds() {
    let work = WorkDir::new("culprits");
    let seeds: Vec<u64> = (1..=20).collect();
    let quick = AtomicUsize::new(0);
    let check = |seed: u64| {
        let out = work.join(&format!("seed-{seed}"));
        let number = seed.to_string();
        let span =
            ["--from", "2026-06-02T12:00:00Z", "--to", "2026-06-04T14:05:00Z", "--seed", &number];
        let incident = ["--incident", "log-summariser", "--incident-at", "2026-06-04T14:00:00Z"];
        let who = ["--culprit", "random", "--calls-per-minute", "60"];
        simulate(&out, &[&span[..], &incident[..], &who[..]].concat());
        let truth = json_of(&out.join("truth.json"));
        let (culprit, model) =
            (text(&truth, "/incident/principal"), text(&truth, "/incident/model"));
        let alerts = replay(&work, &out, 3, "10s");
        let spikes: Vec<_> = alerts
            .iter()
            .filter(|alert| alert["alert"] == "TollkeeperSpendSpike")
            .filter(|alert| text(alert, "/fired") > "2026-06-04T14:00:00Z")
            .collect();
        let [spike] = spikes.as_slice() else { panic!("seed {seed}, {culprit}: {spikes:#?}") };
        assert_eq!(text(spike, "/severity"), "page");
        assert_eq!(text(spike, "/values/culprit_principal"), culprit, "seed {seed}: {spike:#}");
        assert_eq!(text(spike, "/values/culprit_model"), model, "seed {seed}: {spike:#}");
        let fired = text(spike, "/fired");
        assert!(fired <= "2026-06-04T14:02:00Z", "seed {seed}: {fired}");
        quick.fetch_add(usize::from(fired <= "2026-06-04T14:01:30Z"), Ordering::Relaxed);
    };
    std::thread::scope(|scope| {
        for half in seeds.chunks(10) {
            scope.spawn(|| half.iter().for_each(|seed| check(*seed)));
        }
    });
    // Who spends hardly more than the floor takes a moment longer.
    let quick = quick.into_inner();
    assert!(quick >= 18, "{quick} of 20 within half a minute of the first bad minute");
}

/// `simulate --follow`, ended with the test.
struct Following(Child);

impl Following {
    fn start(out: &Path, arguments: &[&str]) -> Self {
        let mut command = tollkeeper();
        command.args(["simulate", "--follow", "--logs", "bedrock", "--out"]).arg(out);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn daemon(work: &WorkDir, config: &str) -> Daemon {
    let source = "[[source]]\nname = \"logs\"\ninclude = [\"logs/*.jsonl\"]\n";
    let text = format!("listen = \"127.0.0.1:0\"\n{source}{config}");
    let config = work.file("tollkeeper.toml", &text);
    Daemon::start_with(&[config.as_os_str(), "--ledger".as_ref(), work.join("ledger").as_os_str()])
}

fn webhook(receiver: &Receiver) -> String {
    format!("[[alerts.route]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\n", receiver.url())
}

#[test]
fn the_incident_of_the_story_pages_within_seconds_and_history_does_not() {
    let work = WorkDir::new("incident-page");
    let out = work.join("logs");
    let receiver = Receiver::good();
    let following = Following::start(
        &out,
        &[
            "--from",
            "-2d",
            // So many that chance has no part in how soon it is seen.
            "--calls-per-minute",
            "80",
            "--incident",
            "log-summariser",
            "--incident-at",
            "+20s",
            "--seed",
            "5",
        ],
    );
    wait_until(2 * SOON, "the truth", || out.join("truth.json").exists().then_some(()));
    let behind = Receiver::good();
    let alertmanager = tools::find("prometheus-alertmanager", "the page through Alertmanager").map(|program| {
        let config = format!(
            "route:\n  receiver: hook\n  group_by: ['...']\n  group_wait: 0s\nreceivers:\n  - name: hook\n    \
             webhook_configs:\n      - url: {}/page\n",
            behind.url()
        );
        Alertmanager::start_with(&program, &work, &config)
    });
    let route = alertmanager.as_ref().map(Alertmanager::route).unwrap_or_default();
    let route = route.split_once("[[alerts.route]]").map_or("", |(_, route)| route);
    let second = if route.is_empty() { String::new() } else { format!("[[alerts.route]]{route}") };
    let daemon = daemon(&work, &format!("{}{}{second}", floor(3), webhook(&receiver)));
    let spike = wait_until(6 * SOON, "a page", || {
        receiver.received().into_iter().find(|request| request.body.contains("SpendSpike"))
    });
    drop(following);
    let truth = json_of(&out.join("truth.json"));
    let page = spike.json();
    assert!(spike.body.contains(text(&truth, "/incident/principal")), "{page:#}");
    assert!(spike.body.contains("of the increase"), "{page:#}");
    assert!(page.to_string().contains("\"page\""), "{page:#}");
    // Nothing in the days before paged.
    let earlier: Vec<Received> = receiver.received();
    let pages = earlier.iter().filter(|request| request.body.contains("\"page\"")).count();
    assert_eq!(pages, 1, "{earlier:#?}");
    if alertmanager.is_some() {
        let page = wait_until(SOON, "the page behind Alertmanager", || {
            behind.received().into_iter().find(|request| request.body.contains("SpendSpike"))
        });
        assert!(page.body.contains(text(&truth, "/incident/principal")), "{}", page.body);
    }
    let scrape = daemon.scrape();
    assert_eq!(scrape.count("tollkeeper_alerts_firing", &[("alert", "TollkeeperSpendSpike")]), 1);
    assert!(scrape.sum("tollkeeper_spend_anomaly_score", &[("dimension", "total")]) > 0.0);
}

/// Calls of one principal, now: more than a budget of a dollar.
fn spend(work: &WorkDir, principal: &str, calls: usize) {
    let now = tollkeeper::daemon::clock::now().second_text();
    let line = |number: usize| {
        format!(
            "{{\"schemaType\":\"ModelInvocationLog\",\"schemaVersion\":\"1.0\",\"timestamp\":\"{now}\",\
             \"accountId\":\"111122223333\",\"identity\":{{\"arn\":\"arn:aws:sts::111122223333:assumed-role/{principal}/s\"}},\
             \"region\":\"us-east-1\",\"requestId\":\"{principal}-{number}-{now}\",\"operation\":\"InvokeModel\",\
             \"modelId\":\"anthropic.claude-v2:1\",\"input\":{{\"inputTokenCount\":10000}},\
             \"output\":{{\"outputTokenCount\":0}}}}\n"
        )
    };
    let text: String = (0..calls).map(line).collect();
    std::fs::create_dir_all(work.join("logs")).unwrap();
    let path = work.join("logs/bedrock.jsonl");
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

/// A budget of a dollar a month for each principal: ten thousand tokens cost eight cents.
const BUDGET: &str = "[[budget]]\nname = \"each\"\nlimit_usd = 1\nperiod = \"month\"\nper = \"principal\"\n\
                      enforce = true\nthresholds = [\"100%\"]\n[alerts.spike]\nenabled = false\n";

#[test]
fn killed_while_it_delivers_it_loses_no_alert_and_shows_none_twice() {
    let work = WorkDir::new("alert-kill");
    // Every third request is refused, every fourth hangs until the daemon is killed or gives up.
    let receiver = Receiver::start(|number, _| match number % 4 {
        1 => Reply::status(500),
        3 => Reply::Hang,
        _ => Reply::body(200, "ok"),
    });
    let route = format!("{}timeout = \"1s\"\n", webhook(&receiver));
    // All rounds are of one period, also when a month ends between them.
    let config = format!("{}{route}", BUDGET.replace("\"month\"", "\"rolling 30d\""));
    let principals: BTreeSet<String> = (0..12).map(|number| format!("role-{number}")).collect();
    for (round, principal) in principals.iter().enumerate() {
        spend(&work, principal, 20);
        let daemon = daemon(&work, &config);
        let wanted = round as u64 + 1;
        daemon.wait_for("the budget", |scrape| {
            let alert = [("alert", "TollkeeperBudgetThreshold")];
            scrape.count("tollkeeper_alerts_firing", &alert) >= wanted
        });
        daemon.kill_9();
    }
    let daemon = daemon(&work, &config);
    daemon.wait_long_for(4 * SOON, "an empty outbox", |scrape| {
        scrape.sum("tollkeeper_alert_outbox_notices", &[("route", "hook")]) == 0.0
    });
    // A receiver that knows deduplication keys shows each principal's alert once.
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in receiver.received() {
        let body = request.json();
        if body.to_string().contains("TollkeeperBudgetThreshold") {
            let key = request.header("idempotency-key").expect("a key").to_owned();
            let named =
                principals.iter().find(|name| request.body.contains(&format!("role/{name}\"")));
            shown.entry(named.expect("a principal").clone()).or_default().insert(key);
        }
    }
    let told: BTreeSet<String> = shown.keys().cloned().collect();
    assert_eq!(told, principals, "alerts were lost");
    assert!(shown.values().all(|keys| keys.len() == 1), "shown twice: {shown:#?}");
}

#[test]
fn the_gate_closes_once_the_budget_is_used_up() {
    let work = WorkDir::new("gate");
    spend(&work, "quiet", 1);
    let daemon = daemon(&work, BUDGET);
    daemon.wait_for_requests(1);
    let ask = |query: &str| daemon.get(&format!("/api/v1/gate?{query}"));
    let open = wait_until(SOON, "an evaluation", || {
        let answer = ask("budget=each&principal=role/quiet");
        answer.body.contains("\"remaining_usd\":\"0.92\"").then_some(answer)
    });
    assert_eq!(open.status, 200, "{}", open.body);
    // Who has spent nothing has the whole limit.
    let new = ask("budget=each&principal=role/new");
    assert_eq!(
        (new.status, new.body.contains("\"remaining_usd\":\"1\"")),
        (200, true),
        "{}",
        new.body
    );
    spend(&work, "quiet", 12);
    let closed = wait_until(SOON, "the gate to close", || {
        let answer = ask("budget=each&principal=role/quiet");
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(closed.status, 429, "{}", closed.body);
    assert!(closed.head.to_ascii_lowercase().contains("retry-after: "), "{}", closed.body);
    assert_eq!(ask("budget=each&principal=role/new").status, 200);
    // The labels of a call lead to the same budget; nginx wants another status.
    assert_eq!(ask("principal=role/quiet&deny=403").status, 403);
    assert_eq!(ask("budget=eech").status, 404);
    // An open budget whose label is not told lets calls go on, and says that it does not know.
    let unknown = ask("budget=each");
    assert_eq!(
        (unknown.status, unknown.body.contains("\"known\":false")),
        (200, true),
        "{}",
        unknown.body
    );
    // Envoy puts the call's own path and query behind the prefix: a caller chooses no budget.
    assert_eq!(daemon.get("/api/v1/gate/model/x?budget=eech").status, 404);
}

#[test]
fn check_config_tells_mistakes_of_budgets_and_alerts() {
    let work = WorkDir::new("alert-config");
    let config = work.file(
        "t.toml",
        "[[source]]\nname = \"s\"\ninclude = [\"x\"]\n[[budget]]\nname = \"b\"\nlimit_usd = 0\nperiod = \"month\"\n\
         time_zone = \"Europe/Berln\"\n[alerts.spke]\nenabled = false\n",
    );
    let output = output_of(&["check".as_ref(), "config".as_ref(), config.as_os_str()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    for part in ["limit_usd", "Europe/Berlin", "did you mean `spike`?"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
