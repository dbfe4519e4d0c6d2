//! `tollkeeper find`: which records it finds, where it says they are, what they cost, and that a
//! body is shown on a terminal only.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::daemon::{output_of, tollkeeper};
use crate::support::json;
use crate::support::log::{Bodies, Call, Tokens};
use crate::support::rotation::{gzip, with_suffix};
use crate::support::tools;
use crate::support::work_dir::WorkDir;

const CANARY: &str = "c4n4ry-in-the-prompt";

fn find(files: &[&Path], options: &[&str]) -> Output {
    let mut arguments: Vec<&OsStr> = vec!["find".as_ref()];
    arguments.extend(options.iter().map(OsStr::new));
    arguments.extend(files.iter().map(|file| file.as_os_str()));
    output_of(&arguments)
}

/// The records of a search that finds some.
fn found(files: &[&Path], options: &[&str]) -> Vec<Value> {
    let options: Vec<&str> = options.iter().copied().chain(["--format", "json"]).collect();
    let output = find(files, &options);
    assert_eq!(output.status.code(), Some(0), "{options:?}: {}", stderr(&output));
    records(&output)
}

fn records(output: &Output) -> Vec<Value> {
    let Value::Array(records) = json::parse(&stdout(output)) else { panic!("no array") };
    records
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compresses a file and returns its new path.
fn gzipped(path: &Path) -> PathBuf {
    gzip(path);
    with_suffix(path, ".gz")
}

fn call(id: &str) -> Call {
    Call { request_id: Some(id.to_owned()), ..Call::example() }
}

/// `count` calls with ids `PREFIX-0`, …, a second apart.
fn lines(prefix: &str, count: i64) -> String {
    let line = |n| Call { at: 1_780_300_800 + n, ..call(&format!("{prefix}-{n}")) }.bedrock_line();
    (0..count).map(line).collect()
}

/// Checks that a record's line stands at its offset in the uncompressed text.
fn assert_stands_in(record: &Value, text: &str) {
    let offset = usize::try_from(json::number(record, "/offset")).unwrap();
    assert!(offset == 0 || text.as_bytes()[offset - 1] == b'\n', "{record}");
    let line = text[offset..].lines().next().unwrap();
    assert!(line.contains(&format!("\"{}\"", json::text(record, "/request_id"))), "{record}");
}

#[test]
fn a_request_id_is_found_with_its_place_in_plain_and_gzip() {
    let work = WorkDir::new("find-id");
    // Beyond one chunk of reading, and behind a line too long to be decoded and a hole of NULs.
    let text = format!("{}{}\n\0\0\0{}", lines("a", 5_000), "x".repeat(9 << 20), lines("b", 2_000));
    let plain = work.file("app.jsonl", &text);
    let packed = work.file("copy.jsonl", &text);
    let packed = gzipped(&packed);
    for id in ["a-0", "a-4999", "b-1999"] {
        for threads in ["1", "3"] {
            let all = found(&[&plain, &packed], &[id, "--threads", threads]);
            assert_eq!(all.len(), 2, "{id}");
            for (record, file) in all.iter().zip([&plain, &packed]) {
                assert_eq!(json::text(record, "/file"), file.to_str().unwrap());
                assert_eq!(json::text(record, "/request_id"), id);
                assert_eq!(json::text(record, "/model"), "anthropic.claude-v2:1");
                assert_eq!(json::text(record, "/principal"), "role/chat-backend");
                assert_eq!(json::text(record, "/outcome"), "ok");
                assert_eq!(json::text(record, "/cost_usd"), "0.039088");
                assert_eq!(json::number(record, "/tokens/input"), 4502);
                assert_eq!(json::number(record, "/tokens/output"), 128);
                assert_stands_in(record, &text);
            }
        }
    }
    // The first line after the hole begins behind its NULs.
    let first = found(&[&plain], &["b-0"]);
    let offset = usize::try_from(json::number(&first[0], "/offset")).unwrap();
    assert_eq!(&text.as_bytes()[offset - 1..=offset], b"\0{");
    let output = find(&[&plain], &["a-0"]);
    assert!(stderr(&output).contains("1 lines not understood"), "{}", stderr(&output));
}

#[test]
fn nothing_found_is_exit_code_1_and_says_so() {
    let work = WorkDir::new("find-none");
    let log = work.file("app.jsonl", lines("a", 3));
    let output = find(&[&log], &["a-3", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(records(&output), Vec::<Value>::new());
    assert!(stderr(&output).contains("no record matches"), "{}", stderr(&output));
}

#[test]
fn the_files_of_the_configured_sources_are_looked_through() {
    let work = WorkDir::new("find-config");
    let logs = work.folder("logs");
    let texts = [lines("old", 4), lines("middle", 4), lines("new", 4)];
    gzipped(&work.file("logs/app.jsonl.2", &texts[0]));
    work.file("logs/app.jsonl.1", &texts[1]);
    work.file("logs/app.jsonl", &texts[2]);
    work.file("logs/app.jsonl.bak", lines("excluded", 4));
    let config = work.file(
        "tollkeeper.toml",
        "[[source]]\nname = \"a\"\ninclude = [\"logs/app.jsonl*\"]\nexclude = [\"logs/*.bak\"]\n\
         [[source]]\nname = \"b\"\ninclude = [\"logs/app.jsonl\"]\n",
    );
    let all = found(&[], &["--model", "*", "--config", config.to_str().unwrap()]);
    assert_eq!(all.len(), 12, "each file once: {all:?}");
    assert!(!all.iter().any(|record| json::text(record, "/request_id").starts_with("excluded")));
    for (name, text) in [("old-3", &texts[0]), ("middle-3", &texts[1]), ("new-3", &texts[2])] {
        let one = found(&[], &[name, "--config", config.to_str().unwrap()]);
        assert_eq!(one.len(), 1, "{name}");
        assert_stands_in(&one[0], text);
    }
    fs::remove_dir_all(&logs).unwrap();
    let output = find(&[], &["old-3", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("match no file"), "{}", stderr(&output));
}

#[test]
fn every_option_narrows_the_search() {
    let work = WorkDir::new("find-options");
    let base = Call::example();
    let calls = [
        call("plain"),
        Call { error_code: Some("ThrottlingException".into()), ..call("throttled") },
        Call { model_id: "us.anthropic.claude-sonnet-4-6".into(), ..call("sonnet") },
        Call { identity_arn: "arn:aws:iam::111122223333:user/eve".into(), ..call("eve") },
        Call { at: base.at + 60, ..call("later") },
        Call { request_id: None, ..base },
    ];
    let log = work.file("app.jsonl", calls.iter().map(Call::bedrock_line).collect::<String>());
    let ids = |options: &[&str]| -> Vec<String> {
        let all = found(&[&log], options);
        all.iter().map(|r| r["request_id"].as_str().unwrap_or("none").to_owned()).collect()
    };
    assert_eq!(ids(&["--outcome", "throttled"]), ["throttled"]);
    assert_eq!(ids(&["--outcome", "throttled,ok"]).len(), 6);
    assert_eq!(ids(&["--model", "*sonnet*"]), ["sonnet"]);
    assert_eq!(ids(&["--model", "us.*"]), ["sonnet"], "the id as logged matches too");
    assert_eq!(ids(&["--principal", "user/*"]), ["eve"]);
    assert_eq!(ids(&["--since", "2026-06-01T08:01:00Z"]), ["later"]);
    assert_eq!(ids(&["--until", "2026-06-01T08:01:00Z"]).len(), 5);
    assert_eq!(ids(&["--since", "2026-06-01", "--until", "2026-06-02"]).len(), 6);
    assert_eq!(ids(&["--principal", "role/*", "--until", "2026-06-01T08:01:00Z"]).len(), 4);
    assert_eq!(ids(&["--request-id", "later", "--since", "2026-06-01"]), ["later"]);
    let nameless = found(&[&log], &["--model", "*claude-v2*", "--outcome", "ok"]);
    assert_eq!(nameless.last().unwrap()["request_id"], Value::Null);
    let table = stdout(&find(&[&log], &["--model", "*claude-v2*"]));
    let last = table.lines().last().unwrap();
    assert!(last.split_whitespace().any(|cell| cell == "-"), "{table}");
    // An age counts back from now, and these calls are not made in the next minute.
    assert_eq!(find(&[&log], &["--since", "0s", "--until", "2100-01-01"]).status.code(), Some(1));
}

#[test]
fn over_usd_is_exact_and_what_has_no_price_is_said() {
    let work = WorkDir::new("find-usd");
    let text = call("priced").bedrock_line()
        + &Call { model_id: "acme.unheard-of-v1".into(), ..call("unknown") }.bedrock_line();
    let log = work.file("app.jsonl", text);
    // 4502 × $8 and 128 × $24 per million are $0.039088.
    let over = |usd: &str| find(&[&log], &["--over-usd", usd, "--format", "json"]);
    let exactly = over("0.039088");
    assert_eq!(exactly.status.code(), Some(1), "more than, not as much as");
    assert!(stderr(&exactly).contains("1 more records may cost that much"), "{}", stderr(&exactly));
    let below = over("0.039087999999");
    assert_eq!(below.status.code(), Some(0));
    assert_eq!(records(&below).len(), 1);
    let unpriced = found(&[&log], &["unknown"]);
    assert_eq!(json::text(&unpriced[0], "/cost_usd"), "unpriced");
    assert_eq!(json::number(&unpriced[0], "/unpriced_tokens/input"), 4502);
    let output = find(&[&log], &["unknown"]);
    let table = stdout(&output);
    assert!(table.contains("unpriced") && !table.contains("0.000000"), "{table}");
    let csv = stdout(&find(&[&log], &["unknown", "--format", "csv"]));
    assert!(csv.lines().nth(1).unwrap().contains(",unpriced,"), "{csv}");
}

#[test]
fn the_first_matches_are_shown_whatever_the_threads_did() {
    let work = WorkDir::new("find-limit");
    let files: Vec<_> =
        (0..3).map(|n| work.file(&format!("{n}.jsonl"), lines(&format!("f{n}"), 9_000))).collect();
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    for threads in ["1", "4"] {
        let options =
            ["--outcome", "ok", "--limit", "9002", "--threads", threads, "--format", "json"];
        let output = find(&files, &options);
        let all = records(&output);
        let ids: Vec<&str> = all.iter().map(|record| json::text(record, "/request_id")).collect();
        let expected: Vec<String> = (0..9_000).map(|n| format!("f0-{n}")).collect();
        assert_eq!(ids[..9_000], expected);
        assert_eq!(ids[9_000..], ["f1-0", "f1-1"]);
        let remark = "9,002 of 27,000 matching records shown";
        assert!(stderr(&output).contains(remark), "{}", stderr(&output));
    }
}

#[test]
fn a_body_is_shown_on_a_terminal_only() {
    let work = WorkDir::new("find-body");
    let prompt = format!("{CANARY}\u{1b}[31m");
    let bodies = Bodies::Converse;
    let tokens = Tokens { input: 10, output: 1, ..Tokens::default() };
    let with_body = Call { tokens, bodies, prompt, ..call("req-1") };
    let log = work.file("app.jsonl", with_body.bedrock_line());
    for format in ["table", "json", "csv"] {
        let output = find(&[&log], &["req-1", "--format", format]);
        assert_eq!(output.status.code(), Some(0));
        assert!(!(stdout(&output) + &stderr(&output)).contains(CANARY), "{format}");
        let output = find(&[&log], &["req-1", "--show-body", "--format", format]);
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert!(stderr(&output).contains("only on a terminal"), "{}", stderr(&output));
        assert!(!(stdout(&output) + &stderr(&output)).contains(CANARY), "{format}");
    }
    let Some(script) = tools::find("script", "find: body on a terminal") else { return };
    let binary = tollkeeper().get_program().to_str().unwrap().to_owned();
    let log = log.to_str().unwrap();
    let on_terminal = |options: &str| {
        let line = format!("'{binary}' find req-1 '{log}' {options}");
        let output = Command::new(&script).args(["-qec", &line, "/dev/null"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
        stdout(&output)
    };
    assert!(on_terminal("--show-body").contains(CANARY));
    assert!(!on_terminal("").contains(CANARY));
}

#[test]
fn what_can_t_be_asked_is_an_error_with_the_way_out() {
    let work = WorkDir::new("find-errors");
    let log = work.file("app.jsonl", lines("a", 1));
    let missing = work.join("missing.jsonl");
    for (files, options, text) in [
        (vec![&log], vec!["--outcome", "trottled"], "did you mean `throttled`?"),
        (vec![&log], vec!["--since", "yesterday"], "`yesterday` of `--since` is no time"),
        (vec![&log], vec!["--since", "2h", "--until", "3h"], "is not before `--until`"),
        (vec![&log], vec!["--over-usd", "much"], "is no amount of dollars"),
        (vec![&log], vec!["--model", "a**"], "is no glob"),
        (vec![&log], vec!["--limit", "0"], "--limit"),
        (vec![], vec![], "nothing to look for"),
        (vec![], vec!["a-0"], "nothing to look through"),
        (vec![&missing], vec!["a-0"], "there is no file"),
    ] {
        let files: Vec<&Path> = files.into_iter().map(PathBuf::as_path).collect();
        let output = find(&files, &options);
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(stderr(&output).contains(text), "{options:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{options:?}");
    }
}

#[test]
fn a_damaged_file_is_an_error_beside_what_was_found() {
    let work = WorkDir::new("find-damaged");
    let whole = fs::read(gzipped(&work.file("a.jsonl", lines("a", 2_000)))).unwrap();
    let cut = work.file("cut.jsonl.gz", &whole[..whole.len() / 2]);
    let good = work.file("good.jsonl", lines("b", 1));
    let output = find(&[&cut, &good], &["--request-id", "b-0", "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(records(&output).len(), 1);
    assert!(stderr(&output).contains("can't be read to its end"), "{}", stderr(&output));
}

#[test]
fn a_record_is_found_inside_of_what_its_line_wraps_it_in() {
    let work = WorkDir::new("find-wrapped");
    let plain = lines("plain", 1);
    let events: Vec<Value> = lines("wrapped", 3)
        .lines()
        .map(|line| serde_json::json!({"id": "1", "timestamp": 1, "message": line}))
        .collect();
    let envelope = serde_json::json!({"messageType": "DATA_MESSAGE", "logEvents": events});
    let log = work.file("wrapped.log", format!("{plain}{envelope}\n"));
    let all = found(&[&log], &["wrapped-2"]);
    assert_eq!(all.len(), 1);
    assert_eq!(json::number(&all[0], "/offset"), plain.len() as u64);
    assert_eq!(json::text(&all[0], "/request_id"), "wrapped-2");
}
