//! `tollkeeper plan` with the real binary: its sums are those of the ledger, its figures those of a hand, and a
//! ledger in use is left alone.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::daemon::{Daemon, output_of, stdout_of};
use crate::support::json;
use crate::support::log::{Call, Tokens};
use crate::support::work_dir::WorkDir;

const CLAUDE: &str = "anthropic.claude-v2:1";

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Dollars as text in picodollars.
fn pico(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction:0<12}");
    digits.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Counts `requests` calls of the logs `pattern` in a ledger.
fn count(pattern: &Path, ledger: &Path, requests: u64) {
    let daemon = Daemon::start(pattern, ledger);
    daemon.wait_for_requests(requests);
    let (status, _, stderr) = daemon.terminate();
    assert!(status.success(), "{stderr}");
}

fn plan(ledger: &Path, options: &[&OsStr]) -> String {
    let mut arguments: Vec<&OsStr> = vec!["plan".as_ref(), "--ledger".as_ref(), ledger.as_os_str()];
    arguments.extend(options);
    stdout_of(&arguments)
}

fn plan_json(ledger: &Path, options: &[&OsStr]) -> Value {
    let options = [options, &["--format".as_ref(), "json".as_ref()]].concat();
    json::parse(&plan(ledger, &options))
}

/// The option of the only traffic of a plan.
fn option<'p>(plan: &'p Value, name: &str) -> &'p Value {
    assert_eq!(plan["traffic"].as_array().unwrap().len(), 1, "{plan:#}");
    let options = plan["traffic"][0]["options"].as_array().unwrap();
    options.iter().find(|one| one["option"] == name).unwrap_or_else(|| panic!("{name}: {plan:#}"))
}

fn sum(values: &Value, pointer: &str) -> i128 {
    values.as_array().unwrap().iter().map(|value| pico(json::text(value, pointer))).sum()
}

#[test]
fn on_demand_is_what_scan_and_the_ledger_say_of_simulated_calls() {
    let work = WorkDir::new("plan-simulated");
    let (logs, ledger) = (work.join("logs"), work.join("ledger"));
    let options =
        ["--seed", "11", "--from", "-3h", "--calls-per-minute", "40", "--logs", "bedrock"];
    let mut arguments: Vec<&OsStr> = vec!["simulate".as_ref(), "--out".as_ref(), logs.as_os_str()];
    arguments.extend(options.map(OsStr::new));
    stdout_of(&arguments);
    let truth = json::parse(&fs::read_to_string(logs.join("truth.json")).unwrap());
    let log = logs.join("bedrock.jsonl");
    count(&log, &ledger, json::number(&truth, "/total/requests"));

    let scan = stdout_of(&["scan".as_ref(), log.as_os_str(), "--format".as_ref(), "json".as_ref()]);
    let groups = json::items(&scan).into_iter().filter(|group| group["total"] != true);
    let scanned = sum(&groups.collect(), "/cost_usd");
    assert!(scanned > 0);
    let svg = work.join("plan.svg");
    let plan_of = |options: &[&OsStr]| plan_json(&ledger, options);
    let found = plan_of(&["--plot".as_ref(), svg.as_os_str()]);
    assert_eq!(sum(&found["traffic"], "/booked_usd"), scanned);
    let total = &found["totals"][0];
    assert_eq!((&total["option"], &total["priced"]), (&"on_demand".into(), &total["of"]));
    assert_eq!(pico(json::text(total, "/usd")), scanned);
    let check = [
        "check".as_ref(),
        "ledger".as_ref(),
        ledger.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ];
    assert_eq!(pico(json::text(&json::parse(&stdout_of(&check)), "/cost_usd")), scanned);

    // The parts by model are the whole, and a time without calls is said to be one.
    let models = ["*claude*", "*nova*", "*"];
    let [claude, nova, all] = models.map(|glob| {
        let found = plan_of(&["--model".as_ref(), glob.as_ref()]);
        sum(&found["traffic"], "/booked_usd")
    });
    assert!(claude > 0 && nova > 0 && claude + nova <= all && all == scanned);
    let arguments = ["plan", "--until", "2001-01-01", "--ledger"].map(OsStr::new);
    let output = output_of(&[&arguments[..], &[ledger.as_os_str()]].concat());
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("the ledger has no tokens from"), "{told}");

    let drawn = fs::read_to_string(svg).unwrap();
    assert!(
        drawn.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"")
            && drawn.ends_with("</svg>\n")
    );
    for expected in ["on demand</text>", "US dollars a month", "p99", "prefers-color-scheme:dark"] {
        assert!(drawn.contains(expected), "{expected}\n{drawn}");
    }
    assert!(!drawn.contains("href") && !drawn.contains("<script"), "{drawn}");
}

#[test]
fn options_of_a_config_by_hand() {
    let work = WorkDir::new("plan-hand");
    let (logs, ledger) = (work.folder("logs"), work.join("ledger"));
    // Two minutes with an hour between them: 20,000 and 5,000 input tokens, 2,000 and 1,000 output.
    let first = now() / 60 * 60 - 7_200;
    let calls = [(first, 20_000, 2_000), (first + 3_600, 5_000, 1_000)];
    let lines = calls.iter().zip(1..).map(|(&(at, input, output), id)| {
        let call = Call {
            model_id: CLAUDE.to_owned(),
            at,
            request_id: Some(format!("call-{id}")),
            tokens: Tokens { input, output, ..Tokens::default() },
            ..Call::example()
        };
        call.bedrock_line()
    });
    let log = logs.join("a.jsonl");
    fs::write(&log, lines.collect::<String>()).unwrap();
    count(&log, &ledger, 2);
    let config = work.file(
        "tollkeeper.toml",
        "[ledger]\ndir = \"ledger\"\n[[source]]\nname = \"a\"\ninclude = [\"logs/*.jsonl\"]\n\
         [[plan.capacity]]\nmodel = \"anthropic.claude-v2:1\"\ninput_tokens_per_minute = 10_000\n\
         [[plan.alternative]]\nmodel = \"amazon.nova-lite-v1:0\"\n\
         [[plan.self_hosted]]\nname = \"gpu\"\nhourly_usd = 4.1\ninput_tokens_per_second = 1000\n\
         output_tokens_per_second = 100\nmin_instances = 2\n",
    );
    let options: [&OsStr; 2] = ["--config".as_ref(), config.as_os_str()];
    let found = plan_json(&ledger, &options);
    assert_eq!((json::number(&found, "/hours"), json::number(&found, "/known_minutes")), (2, 61));
    // $8 and $24 a million: 0.16 + 0.048 and 0.04 + 0.024.
    assert_eq!(option(&found, "on_demand")["usd"], "0.272");
    // One unit for two hours at $63; half of the first minute flows over.
    let month = option(&found, "provisioned_1_month");
    assert_eq!(
        (&month["usd"], &month["fleet"]["overflow_usd"]),
        (&"126.104".into(), &"0.104".into())
    );
    assert_eq!(month["fleet"]["sizes"][4]["units"], 2);
    assert_eq!(month["fleet"]["sizes"][4]["usd"], "252");
    assert_eq!(month["fleet"]["committed_usd"], "45990");
    // 28,000 tokens for 0.272: $63 an hour are 6,485,294.1 of them, 108,088.2 a minute.
    assert_eq!(month["break_even_tokens_per_minute"], 108_089);
    assert_eq!(option(&found, "provisioned")["no_price"], "no_hourly_price");
    assert_eq!(option(&found, "batch")["no_price_text"], "no batch price in the price book");
    assert_eq!(option(&found, "batch")["usd"], Value::Null);
    // Nova Lite: 25,000 at $0.06 and 3,000 at $0.24 a million.
    assert_eq!(option(&found, "model")["usd"], "0.00222");
    assert_eq!(option(&found, "self_hosted")["usd"], "16.4");

    let page = plan(&ledger, &options);
    for expected in [
        "anthropic.claude-v2:1 · in-region · us-east-1",
        "no batch price in the price book",
        "126.104000",
        "every minute",
        "$45990 committed at least",
        "Another model is given the same token counts",
        "assumed:",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
}

#[test]
fn a_ledger_in_use_is_left_alone_and_says_what_to_do() {
    let work = WorkDir::new("plan-locked");
    let (logs, ledger) = (work.folder("logs"), work.join("ledger"));
    fs::write(logs.join("a.jsonl"), Call::example().bedrock_line()).unwrap();
    let daemon = Daemon::start(&logs.join("a.jsonl"), &ledger);
    daemon.wait_for_requests(1);
    let output = output_of(&["plan".as_ref(), "--ledger".as_ref(), ledger.as_os_str()]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("is in use by another process") && told.contains("copy the folder"),
        "{told}"
    );
    assert!(output.stdout.is_empty());
}
