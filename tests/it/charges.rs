//! What is not paid by token, with the real binary: charged exactly once whatever kills it, counted by the
//! budgets whose scope says so, and loud where a price is missing.
#![allow(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "amounts here are few and exact in a float"
)]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::daemon::{Daemon, output_of};
use crate::support::log::{Call, Tokens};
use crate::support::prometheus::Scrape;
use crate::support::random::Random;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

const ARN: &str = "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abcdefabcdef";
const PROVISIONED: &str = "tollkeeper_provisioned_cost_usd_total";
const FIXED: &str = "tollkeeper_fixed_cost_usd_total";

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Seconds since 1970 as a config names an instant.
fn instant(at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn provisioned(from: i64, more: &str) -> String {
    let from = instant(from);
    format!(
        "[[provisioned]]\nname = \"claude\"\narn = \"{ARN}\"\nmodel = \"anthropic.claude-v2:1\"\nunits = 2\n\
         from = \"{from}\"\n{more}\n"
    )
}

fn config(work: &WorkDir, text: &str) -> std::path::PathBuf {
    let source = "[[source]]\nname = \"logs\"\ninclude = [\"logs/*.jsonl\"]\nrescan = \"200ms\"\n";
    work.file("tollkeeper.toml", format!("listen = \"127.0.0.1:0\"\n{source}{text}"))
}

fn start(config: &Path) -> Daemon {
    Daemon::start_with(&[config.as_os_str()])
}

fn append(work: &WorkDir, call: &Call) {
    let path = work.folder("logs").join("a.jsonl");
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(call.bedrock_line().as_bytes()).unwrap();
}

fn call(model: &str, id: u64) -> Call {
    Call {
        model_id: model.to_owned(),
        at: now(),
        request_id: Some(format!("call-{id}")),
        tokens: Tokens { input: 1_000, output: 500, ..Tokens::default() },
        ..Call::example()
    }
}

fn ledger_check(work: &WorkDir) -> Value {
    let dir = work.join("tollkeeper-ledger");
    let output = output_of(&[
        "check".as_ref(),
        "ledger".as_ref(),
        dir.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn hours_are_charged_to_the_minute_over_kills_and_reloads() {
    let work = WorkDir::new("hours");
    // Thirty dollars a unit and hour: a dollar a minute, since three days and a bit.
    let from = now() / 60 * 60 - (3 * 24 * 60 + 7) * 60;
    let budget = |name: &str, scope: &str| {
        format!(
            "[[budget]]\nname = \"{name}\"\nlimit_usd = 100000\nperiod = \"rolling 7d\"\n{scope}\n"
        )
    };
    let text = [
        provisioned(from, "hourly_usd_per_unit = 30\ninput_tokens_per_minute_per_unit = 1_000_000"),
        format!(
            "[[fixed_cost]]\nname = \"endpoint\"\nhourly_usd = \"0.6\"\ncount = 3\nfrom = \"{}\"\nto = \"{}\"\n",
            instant(from),
            instant(from + 5_400),
        ),
        budget("all", ""),
        budget("calls", "scope = { item = \"none\" }"),
        budget("model", "scope = { model = \"anthropic.*\" }"),
        budget("fixed", "scope = { item = \"endpoint\" }"),
    ]
    .concat();
    let config = config(&work, &text);
    // A call on it costs no tokens, one on demand 0.02: 1,000 × 8 + 500 × 24 dollars a million.
    append(&work, &call(ARN, 1));
    append(&work, &call("anthropic.claude-v2:1", 2));
    let mut charged = 0.0;
    for round in 0..4 {
        let before = now();
        let daemon = start(&config);
        daemon.wait_for_requests(2);
        if round == 2 {
            daemon.signal("HUP");
            wait_until(SOON, "the reload", || {
                daemon.stderr().contains("web files reloaded").then_some(())
            });
        }
        let scrape = daemon.scrape();
        let cost = scrape.sum(PROVISIONED, &[("provisioned_model", "claude")]);
        let minutes = |at: i64| ((at - from) / 60) as f64;
        assert!((minutes(before)..=minutes(now())).contains(&cost), "{cost} after round {round}");
        assert!(cost >= charged && cost.fract() == 0.0, "{cost} after {charged}");
        charged = cost;
        // An hour and a half: two hours of three endpoints.
        assert_eq!(scrape.sum(FIXED, &[("item", "endpoint")]), 3.6);
        assert_eq!(scrape.sum("tollkeeper_cost_usd_total", &[]), 0.02);
        assert_eq!(scrape.sum("tollkeeper_unpriced_tokens_total", &[]), 0.0);
        assert_eq!(scrape.count("tollkeeper_requests_total", &[]), 2);
        assert_eq!(scrape.count("tollkeeper_requests_total", &[("route", "provisioned")]), 1);
        let is_call = |sample: &&crate::support::prometheus::Sample| {
            sample.labels.get("model").is_none_or(|model| model != "none")
        };
        assert!(scrape.samples.iter().all(|sample| is_call(&sample)), "an item among calls");
        daemon.wait_for("budgets to count it", |scrape| {
            let spent = |budget| scrape.sum("tollkeeper_budget_spent_usd", &[("budget", budget)]);
            let cost = scrape.sum(PROVISIONED, &[]);
            let near = |found: f64, expected: f64| (found - expected).abs() < 1e-6;
            near(spent("calls"), 0.02)
                && near(spent("fixed"), 3.6)
                && near(spent("model"), cost + 0.02)
                && near(spent("all"), cost + 3.62)
                && scrape.sum("tollkeeper_provisioned_model_units", &[]) == 2.0
        });
        daemon.kill_9();
    }
    let checked = ledger_check(&work);
    let fixed: f64 = checked["fixed_cost_usd"].as_str().unwrap().parse().unwrap();
    assert!(fixed >= charged + 3.6 && (fixed - 3.6).fract() < 1e-9, "{checked:#}");
    assert_eq!(checked["problems"].as_array().unwrap().len(), 0);
}

/// Half a dollar a call, and a dollar a byte.
fn assert_in_step(scrape: &Scrape) {
    let calls = scrape.count("tollkeeper_requests_total", &[]);
    let bytes = scrape.count("tollkeeper_ingest_bytes_total", &[("source", "logs")]);
    assert_eq!(scrape.sum(FIXED, &[("item", "calls")]), calls as f64 / 2.0);
    assert_eq!(scrape.sum(FIXED, &[("item", "bytes")]), bytes as f64);
}

#[test]
fn calls_and_bytes_are_charged_in_their_own_commit_whatever_kills_it() {
    let work = WorkDir::new("calls-and-bytes");
    let config = config(
        &work,
        "[[fixed_cost]]\nname = \"calls\"\nper_call_usd = 0.5\n[[fixed_cost]]\nname = \"bytes\"\n\
         per_gb_usd = 1000000000\ngigabyte = \"10^9\"\nsource = \"logs\"\n[[fixed_cost]]\nname = \"others\"\n\
         per_call_usd = 1\nscope = { principal = \"role/nobody\" }\n[[budget]]\nname = \"tokens\"\n\
         limit_usd = 1000\nperiod = \"day\"\nscope = { item = \"none\" }\n",
    );
    let mut random = Random::new(44);
    let mut written = 0;
    for round in 0..8 {
        let daemon = start(&config);
        // Killed while it reads, at another place each time.
        let until = written + random.range(0, 30);
        for _ in 0..40 {
            append(&work, &call("anthropic.claude-v2:1", written));
            written += 1;
            // Every page holds calls and what they cost together.
            assert_in_step(&daemon.scrape());
        }
        // The same calls once more count nothing.
        append(&work, &call("anthropic.claude-v2:1", written - 1));
        wait_until(SOON, "some of it to be read", || {
            (daemon.scrape().count("tollkeeper_requests_total", &[]) >= until).then_some(())
        });
        let killed = daemon.kill_9();
        assert!(!killed.contains("panicked"), "round {round}: {killed}");
    }
    let length = std::fs::metadata(work.join("logs/a.jsonl")).unwrap().len();
    let daemon = start(&config);
    let scrape = daemon.wait_for("everything to be read", |scrape| {
        scrape.count("tollkeeper_ingest_bytes_total", &[]) == length
    });
    assert_eq!(scrape.count("tollkeeper_requests_total", &[]), written);
    assert_in_step(&scrape);
    assert_eq!(scrape.sum(FIXED, &[("item", "others")]), 0.0);
    // Who asks the gate is about to call: no label has to say so.
    assert_eq!(daemon.get("/api/v1/gate?principal=role/chat-backend").status, 200);
    assert_eq!(daemon.get("/api/v1/gate?principal=role/chat-backend&item=endpoint").status, 404);
    daemon.terminate();
    assert_eq!(ledger_check(&work)["problems"].as_array().unwrap().len(), 0);
}

#[test]
fn throughput_that_nobody_pays_for_here_is_loud_and_never_free() {
    let work = WorkDir::new("undeclared");
    append(&work, &call(ARN, 1));
    let bare = config(&work, "[alerts.unpriced_model]\nfor = \"0s\"\n");
    let unpriced = |daemon: &Daemon| {
        let reason = [("reason", "provisioned_not_declared")];
        let scrape = daemon.wait_for_requests(1);
        assert_eq!(scrape.sum("tollkeeper_cost_usd_total", &[]), 0.0);
        scrape.count("tollkeeper_unpriced_tokens_total", &reason)
    };
    let daemon = start(&bare);
    assert_eq!(unpriced(&daemon), 1_500);
    daemon.wait_for("an alert about the model", |scrape| {
        scrape.sum("tollkeeper_alerts_firing", &[("alert", "TollkeeperUnpricedModel")]) == 1.0
    });
    daemon.terminate();
    // A mapping tells the model, but not who pays.
    std::fs::remove_dir_all(work.join("tollkeeper-ledger")).unwrap();
    let mapped = config(&work, &format!("[models]\n\"{ARN}\" = \"anthropic.claude-v2:1\"\n"));
    let daemon = start(&mapped);
    assert_eq!(unpriced(&daemon), 1_500);
    daemon.terminate();
    // It was not paid yet when this was called.
    std::fs::remove_dir_all(work.join("tollkeeper-ledger")).unwrap();
    let later = config(&work, &provisioned(now() + 3_600, "hourly_usd_per_unit = 30"));
    let daemon = start(&later);
    assert_eq!(unpriced(&daemon), 1_500);
    daemon.terminate();
    std::fs::remove_dir_all(work.join("tollkeeper-ledger")).unwrap();
    let paid = config(&work, &provisioned(now() - 3_600, "term = \"1_month\""));
    let daemon = start(&paid);
    assert_eq!(unpriced(&daemon), 0);
    let hourly = daemon.scrape().sum("tollkeeper_provisioned_cost_usd_per_hour", &[]);
    // It is known with the first evaluation.
    if hourly != 126.0 {
        daemon.wait_for("the price of an hour", |scrape| {
            scrape.sum("tollkeeper_provisioned_cost_usd_per_hour", &[]) == 126.0
        });
    }
}

#[test]
fn a_price_that_the_book_does_not_have_stops_the_start_and_the_reload() {
    let work = WorkDir::new("no-price");
    let wrong = provisioned(now() - 3_600, "term = \"none\"");
    let config_file = config(&work, &wrong);
    for arguments in [&["check".as_ref(), "config".as_ref()][..], &["run".as_ref()][..]] {
        let output = output_of(&[arguments, &[config_file.as_os_str()]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        for part in ["`claude`", "`none`", "`1_month` in `us-east-1`", "hourly_usd_per_unit"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    let right = config(&work, "");
    let daemon = start(&right);
    config(&work, &wrong);
    daemon.signal("HUP");
    wait_until(SOON, "the refusal", || {
        let said = daemon.stderr();
        (said.contains("the old one stays in force") && said.contains("`claude`")).then_some(())
    });
    let output = output_of(&["check".as_ref(), "config".as_ref(), right.as_os_str()]);
    assert!(!output.status.success());
    config(&work, &provisioned(now() - 3_600, "term = \"6_months\""));
    let output = output_of(&["check".as_ref(), "config".as_ref(), right.as_os_str()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("1 provisioned throughput, 0 fixed costs,"),
        "{said}"
    );
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fixed-costs.toml");
    let output = output_of(&["check".as_ref(), "config".as_ref(), example.as_os_str()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
