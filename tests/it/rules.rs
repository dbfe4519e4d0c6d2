//! `alerts/` and `tollkeeper rules`: promtool and amtool agree, every alert is tested and has its place in
//! the runbook, and a real Prometheus and Alertmanager page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tollkeeper::model::alert::AlertName;

use crate::support::daemon::{Daemon, output_of, stdout_of};
use crate::support::receiver::Receiver;
use crate::support::servers::{Alertmanager, Prometheus};
use crate::support::tools;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts")
}

fn shipped() -> String {
    fs::read_to_string(folder().join("tollkeeper.rules.yml")).unwrap()
}

/// `tollkeeper rules` with a config of these lines.
fn rules(work: &WorkDir, config: &str, more: &[&str]) -> String {
    let source = "[[source]]\nname = \"s\"\ninclude = [\"x\"]\n";
    let config = work.file("tollkeeper.toml", format!("{source}{config}"));
    let arguments = ["rules".as_ref(), "--config".as_ref(), config.as_os_str()];
    let more: Vec<_> = more.iter().map(AsRef::as_ref).collect();
    stdout_of(&[&arguments[..], &more].concat())
}

/// What stands behind `key` on lines of a YAML file.
fn values<'t>(text: &'t str, key: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(move |line| line.trim_start_matches([' ', '-']).strip_prefix(key))
}

/// One rule of a file, from its name to the next rule.
fn alerts(text: &str) -> Vec<&str> {
    text.split("- alert: ").skip(1).collect()
}

fn alert_names() -> BTreeSet<String> {
    values(&shipped(), "alert: ").map(str::to_owned).collect()
}

fn test_files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join("tests")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_shipped_rules_are_what_is_printed_without_a_budget() {
    let work = WorkDir::new("rules-shipped");
    let printed = stdout_of(&["rules".as_ref()]);
    assert!(
        printed == shipped(),
        "alerts/tollkeeper.rules.yml is not what `tollkeeper rules` prints; write it anew:\n{printed}"
    );
    assert_eq!(rules(&work, "", &[]), printed);
}

#[test]
fn promtool_takes_the_rules_and_their_tests_pass() {
    let Some(promtool) = tools::find("promtool", "promtool test rules") else { return };
    let rules = folder().join("tollkeeper.rules.yml");
    tools::run(Command::new(&promtool).args(["check", "rules"]).arg(rules));
    let files = test_files();
    assert!(!files.is_empty());
    tools::run(Command::new(&promtool).args(["test", "rules"]).args(files));
}

#[test]
fn every_alert_fires_in_a_test() {
    let tests: String = test_files().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for name in alert_names() {
        // In a list of what fires, or with labels and texts.
        let is_counted = tests.contains(&format!("alertname=\"{name}\""));
        assert!(is_counted, "{name} fires in no file of alerts/tests");
    }
}

#[test]
fn the_runbook_has_a_section_for_every_alert_and_no_other() {
    let runbook = fs::read_to_string(folder().join("RUNBOOK.md")).unwrap();
    let sections: Vec<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
    let unique: BTreeSet<String> = sections.iter().cloned().collect();
    assert_eq!(unique.len(), sections.len(), "a section twice");
    let mut known = alert_names();
    known.extend(AlertName::ALL.iter().map(|name| name.as_str().to_owned()));
    assert_eq!(unique, known);
    // The links lead to them.
    for rule in alerts(&shipped()) {
        let name = rule.lines().next().unwrap();
        let link = format!("runbook_url: \"alerts/RUNBOOK.md#{}\"\n", name.to_ascii_lowercase());
        assert!(rule.contains(&link), "{link} is not in\n{rule}");
    }
}

#[test]
fn amtool_takes_the_example_for_alertmanager() {
    let Some(amtool) = tools::find("amtool", "amtool check-config") else { return };
    tools::run(Command::new(amtool).arg("check-config").arg(folder().join("alertmanager.yml")));
}

const BUDGETS: &str = "\
[[budget]]\nname = \"chat-month\"\nlimit_usd = 500\nperiod = \"month\"\nthresholds = [\"75%\", \"99.5%\", \"150%\"]\n\
[[budget]]\nname = \"batch\"\nlimit_usd = 70\nperiod = \"week\"\nthresholds = [\"100%\"]\n\
[[budget]]\nname = \"day\"\nlimit_tokens = 1000000\nperiod = \"day\"\nper = \"principal\"\n\
[[budget]]\nname = \"hour\"\nlimit_usd = 5\nperiod = \"hour\"\nthresholds = [\"100%\"]\n\
[[budget]]\nname = \"rolling\"\nlimit_usd = 5\nperiod = \"rolling 30d\"\nthresholds = [\"100%\"]\n\
[alerts]\nrunbook_url = \"https://r.example/R.md\"\n\
[alerts.budgets]\nkeep_firing_for = \"30m\"\n\
[alerts.timeout_ratio]\nover = \"2.5%\"\npage_over = \"100%\"\ncalls_min = 7\nfor = \"90s\"\n\
[alerts.ingest_silent]\nenabled = false\n";

#[test]
fn the_rules_of_a_config_are_those_of_its_budgets_and_its_tuning() {
    let work = WorkDir::new("rules-config");
    let text = rules(&work, BUDGETS, &[]);
    if let Some(promtool) = tools::find("promtool", "promtool check rules of a config") {
        let file = work.file("made.rules.yml", &text);
        let output = tools::run(Command::new(promtool).args(["check", "rules"]).arg(file));
        assert!(String::from_utf8_lossy(&output.stdout).contains("SUCCESS"), "{output:?}");
    }
    let all = alerts(&text);
    // What is told of each budget: its first line of PromQL, and how urgent it is.
    let of = |budget: &str| -> Vec<(String, String)> {
        let matcher = format!("{{budget=\"{budget}\"");
        let rules = all.iter().filter(|rule| rule.contains(&matcher));
        rules
            .map(|rule| {
                let expr = rule.lines().nth(2).unwrap().trim().to_owned();
                (expr, values(rule, "severity: ").next().unwrap().to_owned())
            })
            .collect()
    };
    let expected = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
        rows.iter().map(|(expr, severity)| ((*expr).to_owned(), (*severity).to_owned())).collect()
    };
    assert_eq!(
        of("chat-month"),
        expected(&[
            ("tollkeeper_budget_used_ratio{budget=\"chat-month\"} >= 0.75", "notice"),
            ("tollkeeper_budget_used_ratio{budget=\"chat-month\"} >= 0.995", "ticket"),
            ("tollkeeper_budget_used_ratio{budget=\"chat-month\"} >= 1.5", "page"),
            ("tollkeeper_budget_burn_score{budget=\"chat-month\",severity=\"page\"} >= 1", "page"),
            (
                "tollkeeper_budget_burn_score{budget=\"chat-month\",severity=\"ticket\"} >= 1",
                "ticket"
            ),
            (
                "tollkeeper_budget_burn_score{budget=\"chat-month\",severity=\"notice\"} >= 1",
                "notice"
            ),
            ("tollkeeper_budget_unpriced_ratio{budget=\"chat-month\"} > 0.01", "ticket"),
        ])
    );
    // A budget in tokens is never blind, an hour has no burn rate, a rolling window no forecast.
    let severities = |budget: &str| -> Vec<String> {
        of(budget).into_iter().map(|(_, severity)| severity).collect()
    };
    assert_eq!(severities("day"), ["notice", "ticket", "page", "page", "ticket", "notice"]);
    assert_eq!(severities("hour"), ["page", "ticket"]);
    assert_eq!(severities("rolling"), ["page", "page", "ticket", "ticket"]);
    for told in [
        "Told from 14.4 times the pace that lasts, over 1h and 5m (for a period of 30d).",
        "Told from 13.44 times the pace that lasts, over 15m and 5m (for a period of 7d).",
        "Told from 6 times the pace that lasts, over 1h24m and 7m (for a period of 7d).",
        "Told from 12 times the pace that lasts, over 15m and 5m (for a period of 1d).",
    ] {
        assert!(text.contains(told), "{told}");
    }
    let timeouts: Vec<&&str> =
        all.iter().filter(|rule| rule.starts_with("TollkeeperTimeoutRatioHigh")).collect();
    let [ticket] = timeouts.as_slice() else { panic!("{timeouts:#?}") };
    for part in [") > 0.025\n", ">= 7\n", "for: 1m30s\n", "keep_firing_for: 10m\n"] {
        assert!(ticket.contains(part), "{part} is not in\n{ticket}");
    }
    let of_budgets = all.iter().filter(|rule| rule.starts_with("TollkeeperBudget"));
    assert!(of_budgets.clone().all(|rule| rule.contains("keep_firing_for: 30m\n")));
    assert!(!text.contains("alert: TollkeeperIngestSilent"));
    assert!(text.contains("\"https://r.example/R.md#tollkeeperdown\""));
}

#[test]
fn options_of_rules_come_before_the_config_and_mistakes_are_refused() {
    let work = WorkDir::new("rules-options");
    let config = "[alerts]\nrunbook_url = \"https://r.example/R.md\"\n";
    let options = ["--runbook-url", "https://wiki.example/x", "--job", "llm/tollkeeper"];
    let text = rules(&work, config, &options);
    assert!(text.contains("\"https://wiki.example/x#tollkeeperdown\""));
    assert!(!text.contains("r.example"));
    assert!(text.contains("up{job=\"llm/tollkeeper\"} == 0"));
    for arguments in [["--job", "a\"} or vector(1) #"], ["--config", "there-is-no-such.toml"]] {
        let arguments = [&["rules"], &arguments[..]].concat();
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        let output = output_of(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty());
    }
}

/// Calls of now that use up a budget of a dollar: ten thousand tokens cost eight cents.
fn spend(work: &WorkDir, calls: usize) {
    let now = tollkeeper::daemon::clock::now().second_text();
    let line = |number: usize| {
        format!(
            "{{\"schemaType\":\"ModelInvocationLog\",\"timestamp\":\"{now}\",\"accountId\":\"111122223333\",\
             \"region\":\"us-east-1\",\"requestId\":\"r-{number}\",\"operation\":\"InvokeModel\",\
             \"modelId\":\"anthropic.claude-v2:1\",\"input\":{{\"inputTokenCount\":10000}},\
             \"output\":{{\"outputTokenCount\":0}}}}\n"
        )
    };
    work.file("logs/bedrock.jsonl", (0..calls).map(line).collect::<Vec<_>>().concat());
}

/// The example for Alertmanager as it is, but for its receivers, which are one of ours.
fn example_with(receiver: &Receiver) -> String {
    let example = fs::read_to_string(folder().join("alertmanager.yml")).unwrap();
    let (before, receivers) = example.split_once("\nreceivers:\n").unwrap();
    let url = receiver.url();
    let named =
        |name| format!("  - name: {name}\n    webhook_configs: [{{url: '{url}/{name}'}}]\n");
    let named: Vec<String> = values(receivers, "name: ").map(named).collect();
    let named = named.concat();
    format!("{before}\nreceivers:\n{named}")
}

/// Alerts of an Alertmanager by name and severity: whether they are told, and the link to the runbook.
fn shown(alertmanager: &Alertmanager) -> BTreeMap<(String, String), (bool, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let alerts = alertmanager.alerts();
    let row = |alert: &Value| {
        let name = text(&alert["labels"]["alertname"]);
        let is_told = alert["status"]["state"] == "active";
        let link = text(&alert["annotations"]["runbook_url"]);
        ((name, text(&alert["labels"]["severity"])), (is_told, link))
    };
    alerts.iter().map(row).collect()
}

#[test]
fn a_used_up_budget_pages_through_prometheus_and_alertmanager() {
    let test = "a page through Prometheus and Alertmanager";
    let programs = ["prometheus", "prometheus-alertmanager"].map(|name| tools::find(name, test));
    let [Some(prometheus), Some(alertmanager)] = programs else { return };
    let work = WorkDir::new("rules-page");
    spend(&work, 20);
    let budget = "[[budget]]\nname = \"chat\"\nlimit_usd = 1\nperiod = \"month\"\n";
    let config = format!(
        "listen = \"127.0.0.1:0\"\n[[source]]\nname = \"logs\"\ninclude = [\"logs/*.jsonl\"]\n{budget}"
    );
    let config = work.file("daemon.toml", config);
    let ledger = work.join("ledger");
    let daemon = Daemon::start_with(&[config.as_os_str(), "--ledger".as_ref(), ledger.as_os_str()]);
    daemon.wait_for("the budget", |scrape| {
        scrape.sum("tollkeeper_budget_used_ratio", &[("budget", "chat")]) >= 1.0
            && scrape.sum("tollkeeper_budget_burn_score", &[("severity", "page")]) >= 1.0
    });
    let made = rules(&work, budget, &["--runbook-url", "https://r.example/RUNBOOK.md"]);
    let made = work.file("tollkeeper.rules.yml", made);
    let receiver = Receiver::good();
    let alertmanager = Alertmanager::start_with(&alertmanager, &work, &example_with(&receiver));
    let more = format!(
        "rule_files: ['{}']\nalerting:\n  alertmanagers:\n    - static_configs:\n        \
         - targets: ['{}']\n",
        made.display(),
        alertmanager.address
    );
    let _prometheus = Prometheus::start_with(&prometheus, &work, &daemon.address().unwrap(), &more);

    let page = wait_until(2 * SOON, "a page", || {
        let received = receiver.received();
        let page = received.iter().find(|request| request.path.ends_with("/tollkeeper-page"))?;
        Some(page.json())
    });
    assert_eq!(page["commonLabels"]["severity"], "page", "{page:#}");
    let at = |name: &str, severity: &str| (name.to_owned(), severity.to_owned());
    let link = |name: &str| format!("https://r.example/RUNBOOK.md#{}", name.to_ascii_lowercase());
    // Everything is there, and what a page says already is not told again.
    let expected: BTreeMap<_, _> = [
        ("TollkeeperBudgetThreshold", "page", true),
        ("TollkeeperBudgetThreshold", "ticket", false),
        ("TollkeeperBudgetThreshold", "notice", false),
        ("TollkeeperBudgetBurnRateFast", "page", true),
        ("TollkeeperBudgetBurnRateSlow", "ticket", false),
    ]
    .map(|(name, severity, is_told)| (at(name, severity), (is_told, link(name))))
    .into();
    let mut last = BTreeMap::new();
    wait_until(SOON, "all alerts with their links", || {
        let mut now = shown(&alertmanager);
        now.retain(|(name, _), _| {
            name.starts_with("TollkeeperBudget") && !name.contains("Forecast")
        });
        if now != last {
            println!("{now:#?}");
            last.clone_from(&now);
        }
        (now == expected).then_some(())
    });
    let summary = "budget chat is used to 160%";
    let is_there = |alert: &Value| alert["annotations"]["summary"] == summary;
    assert!(alertmanager.alerts().iter().any(is_there), "{:#?}", alertmanager.alerts());
    assert_eq!(daemon.scrape().count("tollkeeper_requests_total", &[]), 20);
}
