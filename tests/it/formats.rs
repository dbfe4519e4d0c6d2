//! `[[format]]`: a log with names of its own, through `scan`, `find`, `doctor` and `run` with a reload.

use std::ffi::OsStr;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, output_of, stdout_of};
use crate::support::json;
use crate::support::work_dir::WorkDir;

const FORMAT: &str = "[[format]]\nname = \"gateway\"\nwhen = [\"llm.model\", \"kind = call\"]\n\
    time = \"at\"\nmodel = \"llm.model\"\nrequest_id = \"id\"\nregion = \"where\"\n\
    input_tokens = \"llm.in\"\noutput_tokens = \"llm.out\"\ncache_read = \"llm.hit\"\n\
    cached_in_input = true\nstatus = \"code\"\n";

fn line(number: i64, code: u32) -> String {
    let record = json!({"kind": "call", "at": 1_780_300_800 + number, "id": format!("call-{number}"),
        "where": "us-east-1", "code": code,
        "llm": {"model": "anthropic.claude-v2:1", "in": "1000", "out": 50, "hit": 0}});
    format!("{record}\n")
}

fn config(work: &WorkDir, more: &str) -> PathBuf {
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"ledger\"\n[[source]]\nname = \"app\"\n\
         include = [\"logs/*\"]\n{more}"
    );
    work.file("tollkeeper.toml", text)
}

fn json_of(arguments: &[&OsStr]) -> Value {
    json::parse(&stdout_of(&[arguments, &["--format".as_ref(), "json".as_ref()]].concat()))
}

#[test]
fn a_log_with_names_of_its_own_is_scanned_found_and_diagnosed() {
    let work = WorkDir::new("format-scan");
    let lines: String = (0..20).map(|n| line(n, if n < 5 { 429 } else { 200 })).collect();
    let log = work.file("logs/app.log", lines);
    let file = config(&work, FORMAT);
    let with: [&OsStr; 2] = ["--config".as_ref(), file.as_os_str()];
    for plain in [false, true] {
        let mut arguments: Vec<&OsStr> = vec!["scan".as_ref(), log.as_os_str()];
        arguments.extend(with);
        arguments.extend(plain.then_some(OsStr::new("--plain")));
        let found = json_of(&arguments);
        assert_eq!(found[0]["model"], "anthropic.claude-v2:1");
        assert_eq!(found[0]["outcomes"], json!({"ok": 15, "throttled": 5}));
        assert_eq!(found[0]["tokens"]["input"], 20_000);
        assert_eq!(found[0]["tokens"]["output"], 1_000);
    }
    let mut find: Vec<&OsStr> = vec!["find".as_ref(), "call-7".as_ref()];
    find.extend(with);
    assert_eq!(json_of(&find)[0]["time"], "2026-06-01T08:00:07.000Z");
    let mut doctor: Vec<&OsStr> = vec!["doctor".as_ref()];
    doctor.extend(with);
    let found = json_of(&doctor);
    assert_eq!(found["problems"], json!([]), "{found}");
    assert_eq!(found["sources"][0]["records"], json!({"application": 20}));
    // Without the description nothing of it is understood, and the shape tells what to describe.
    let found = json_of(&["doctor".as_ref(), log.as_os_str()]);
    assert_eq!(found["problems"][0]["kind"], "nothing_understood");
    assert_eq!(
        found["sources"][0]["not_understood"][0]["shape"],
        "{at: number, code: number, id: text, kind: text, llm: {hit: number, in: number in quotes, \
         model: text, out: number}, where: text}"
    );
}

#[test]
fn the_daemon_counts_what_a_reload_taught_it() {
    let work = WorkDir::new("format-run");
    work.file("logs/one.log", (0..10).map(|n| line(n, 200)).collect::<String>());
    let file = config(&work, "");
    let daemon = Daemon::start_with(&[file.as_os_str()]);
    daemon.wait_for("ten refused lines", |scrape| {
        scrape.count("tollkeeper_ingest_records_total", &[("result", "unknown_kind")]) == 10
    });
    config(&work, FORMAT);
    assert_eq!(daemon.request("POST", "/-/reload").status, 200);
    work.file("logs/two.log", (10..30).map(|n| line(n, 200)).collect::<String>());
    daemon.wait_for_requests(20);
    config(&work, &FORMAT.replace("model =", "modle ="));
    assert_ne!(daemon.request("POST", "/-/reload").status, 200);
}

#[test]
fn the_commented_example_is_a_valid_config() {
    let text = include_str!("../../examples/formats.toml");
    let work = WorkDir::new("format-example");
    let file = work.file("formats.toml", text);
    let output = output_of(&["check".as_ref(), "config".as_ref(), file.as_os_str()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
