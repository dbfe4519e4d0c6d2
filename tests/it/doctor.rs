//! `tollkeeper doctor`: what it finds in logs, that it agrees with `scan`, and that it never shows the
//! text of a line.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::daemon::{output_of, tollkeeper};
use crate::support::json;
use crate::support::log::{Bodies, Call};
use crate::support::rotation::gzip;
use crate::support::work_dir::WorkDir;

const CANARY: &str = "c4n4ry";
const PROFILE: &str =
    "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3d4e5f6";

fn doctor(arguments: &[&OsStr]) -> String {
    let mut all: Vec<&OsStr> = vec!["doctor".as_ref()];
    all.extend(arguments);
    text_of(&output_of(&all))
}

fn text_of(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    String::from_utf8(output.stdout.clone()).expect("stdout is text")
}

fn report(arguments: &[&OsStr]) -> Value {
    let options: [&OsStr; 2] = ["--format".as_ref(), "json".as_ref()];
    json::parse(&doctor(&[arguments, &options].concat()))
}

/// The kinds of the problems, in order.
fn problems(report: &Value) -> Vec<&str> {
    let all = report["problems"].as_array().expect("a list");
    all.iter().map(|problem| problem["kind"].as_str().expect("a name")).collect()
}

fn call(id: &str, at: i64) -> Call {
    Call { at, request_id: Some(id.to_owned()), bodies: Bodies::Converse, ..Call::example() }
}

#[test]
fn a_clean_log_has_no_problem_but_that_it_can_not_show_throttles() {
    let work = WorkDir::new("doctor-clean");
    let lines: String = (0..4_000_i64)
        .map(|n| call(&format!("id-{n}"), 1_780_300_800 + n).bedrock_line())
        .collect();
    let log = work.file("bedrock.jsonl", lines);
    for packed in [false, true] {
        let path = if packed {
            gzip(&log);
            work.join("bedrock.jsonl.gz")
        } else {
            log.clone()
        };
        let found = report(&[path.as_os_str()]);
        assert_eq!(problems(&found), ["throttles_unproven"], "{found}");
        let source = &found["sources"][0];
        assert_eq!(source["records"], json!({"bedrock_invocation": 4_000}));
        assert_eq!(source["first"], "2026-06-01T08:00:00Z");
        assert_eq!(source["order"], json!({"earlier_than_the_one_before": 0, "late_ms_max": 0}));
        assert_eq!(source["throttles"]["sight"], "unproven");
    }
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let work = WorkDir::new("doctor-bad");
    let base = 1_780_300_800;
    let good: String =
        (0..100).map(|n| call(&format!("id-{n}"), base + n).bedrock_line()).collect();
    let bodiless = Call { bodies: Bodies::Off, ..call("bodiless", base + 100) }.bedrock_line();
    let again = call("id-7", base + 101).bedrock_line();
    let late = call("late", base + 20).bedrock_line();
    let profile =
        Call { model_id: PROFILE.to_owned(), ..call("profile", base + 7_200) }.bedrock_line();
    let odd = format!(
        "{{\"when\":\"2026-06-01T08:00:00Z\",\"llm\":{{\"in\":5,\"out\":7}},\"say\":\"{CANARY}\",\"{CANARY} x\":1}}\n"
    );
    let text = format!("tokens=12 {CANARY} said it\n{{\"cut\":\"{CANARY}\n");
    let lines =
        [&good, &bodiless, &again, &late, &odd, &odd, &text, &profile].map(String::as_str).concat();
    let odd_at = [&good, &bodiless, &again, &late].iter().map(|part| part.len()).sum::<usize>();
    let log = work.file("app.jsonl", &lines);
    let found = report(&[log.as_os_str()]);
    assert_eq!(
        problems(&found),
        [
            "not_understood",
            "unpriced",
            "throttles_unproven",
            "duplicates",
            "bodies_missing",
            "silence"
        ],
        "{found}"
    );
    let source = &found["sources"][0];
    assert_eq!(source["duplicates"], 1);
    assert_eq!(source["rejected"], json!({"invalid_json": 2, "unknown_kind": 2}));
    assert_eq!(source["answers"]["without_body"], 1);
    assert_eq!(source["order"], json!({"earlier_than_the_one_before": 1, "late_ms_max": 81_000}));
    assert_eq!(source["longest_silence"]["ms"], 7_200_000 - 101_000);
    assert_eq!(source["opaque_models"], json!([{"arn": PROFILE, "calls": 1}]));
    assert_eq!(source["unpriced"][0]["reason"], "opaque_model");
    let most = &source["not_understood"][0];
    assert_eq!(
        (most["shape"].as_str(), most["count"].as_u64(), most["offset"].as_u64()),
        (
            Some("{llm: {in: number, out: number}, say: text, when: time, …}"),
            Some(2),
            u64::try_from(odd_at).ok()
        )
    );
    let shown = doctor(&[log.as_os_str()]);
    for wanted in [
        "2 invalid_json",
        "text that begins with key=value",
        "JSON that is cut off",
        &format!("first at {}:{odd_at}", log.display()),
    ] {
        assert!(shown.contains(wanted), "no `{wanted}` in\n{shown}");
    }
    assert!(!shown.contains(CANARY) && !found.to_string().contains(CANARY), "{shown}");
}

#[test]
fn of_very_many_lines_that_are_not_understood_a_sample_is_told_and_said_to_be_one() {
    let work = WorkDir::new("doctor-sample");
    let block = "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n{\"b\":\"x\"}\n";
    let log = work.file("odd.log", block.repeat(15_000));
    let one_thread: [&OsStr; 3] = [log.as_os_str(), "--threads".as_ref(), "1".as_ref()];
    let found = report(&one_thread);
    let source = &found["sources"][0];
    assert_eq!(source["rejected"], json!({"unknown_kind": 60_000}));
    assert_eq!(source["not_understood_is_sampled"], true);
    for (place, shape, exact) in [(0, "{a: number}", 45_000), (1, "{b: text}", 15_000)] {
        let told = &source["not_understood"][place];
        assert_eq!(told["shape"], shape);
        let count = told["count"].as_u64().unwrap();
        assert!(count.abs_diff(exact) < exact / 50, "{count} of {exact}");
    }
    assert!(doctor(&[log.as_os_str()]).contains("estimates"));
}

#[test]
fn the_lines_to_paste_are_refused_until_they_are_filled_in_and_then_help() {
    let work = WorkDir::new("doctor-paste");
    let line = Call { model_id: PROFILE.to_owned(), ..call("one", 1_780_300_800) }.bedrock_line();
    work.file("logs/app.jsonl", line);
    let source = "[[source]]\nname = \"app\"\ninclude = [\"logs/*\"]\n";
    let file = work.file("tollkeeper.toml", source);
    let arguments: [&OsStr; 2] = ["--config".as_ref(), file.as_os_str()];
    let found = report(&arguments);
    assert_eq!(found["sources"][0]["source"], "app");
    let lines = found["config_to_add"].as_str().expect("lines");
    assert!(lines.starts_with("[models]\n"), "{lines}");
    assert!(doctor(&arguments).contains(lines));
    work.file("tollkeeper.toml", format!("{source}{lines}"));
    let check: [&OsStr; 3] = ["check".as_ref(), "config".as_ref(), file.as_os_str()];
    assert_ne!(output_of(&check).status.code(), Some(0), "an empty model is refused");
    let filled = lines.replace("\"\"", "\"us.anthropic.claude-sonnet-4-6\"");
    work.file("tollkeeper.toml", format!("{source}{filled}"));
    assert_eq!(problems(&report(&arguments)), ["throttles_unproven"]);
}

#[test]
fn sources_that_show_throttles_prove_what_the_invocation_log_can_not() {
    let work = WorkDir::new("doctor-throttles");
    let bedrock = work.file("bedrock.jsonl", call("one", 1_780_300_800).bedrock_line());
    let gateway = work.file(
        "gateway.jsonl",
        "{\"requestId\":\"g\",\"requestTime\":\"01/Jun/2026:08:00:00 +0000\",\"httpMethod\":\"POST\",\
         \"resourcePath\":\"/chat\",\"status\":\"200\",\"responseLatency\":\"61\"}\n",
    );
    let found = report(&[bedrock.as_os_str(), gateway.as_os_str()]);
    assert_eq!(problems(&found), [""; 0], "{found}");
    assert_eq!(found["sources"][1]["throttles"]["sight"], "none");
    let shown = doctor(&[bedrock.as_os_str(), gateway.as_os_str()]);
    assert!(shown.starts_with("no problem found\n"), "{shown}");
    let twice = report(&[bedrock.as_os_str(), bedrock.as_os_str()]);
    assert_eq!(problems(&twice), ["throttles_unproven", "shared_ids"]);
    assert_eq!(twice["ids_in_several_sources"], 1);
}

#[test]
fn stdin_and_empty_sources_are_looked_at_too() {
    let mut child = tollkeeper()
        .args(["doctor", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let found = json::parse(&text_of(&child.wait_with_output().unwrap()));
    assert_eq!(problems(&found), ["nothing_understood"]);
    assert_eq!(found["sources"][0]["source"], "stdin");

    let work = WorkDir::new("doctor-empty");
    work.file("logs/empty.log", "");
    let include =
        |pattern: &str| format!("[[source]]\nname = \"{pattern}\"\ninclude = [\"{pattern}\"]\n");
    let text = include("logs/*") + &include("none/*");
    let file = work.file("tollkeeper.toml", text);
    let found = report(&["--config".as_ref(), file.as_os_str()]);
    assert_eq!(problems(&found), ["no_files", "no_records"]);

    let missing: &Path = Path::new("no-such-file.jsonl");
    for arguments in [vec!["doctor".as_ref()], vec!["doctor".as_ref(), missing.as_os_str()]] {
        assert_eq!(output_of(&arguments).status.code(), Some(2));
    }
}

/// A body that was too large for its record; it quotes a record, as anybody may.
fn delivered_to_s3(work: &WorkDir) -> String {
    let logs = "bucket/AWSLogs/111122223333/BedrockModelInvocationLogs";
    let hour = format!("{logs}/us-east-1/2026/06/01/08");
    let record = call("one", 1_780_300_800).bedrock_line();
    gzip(&work.file(&format!("{hour}/20260601T080000Z_1.json"), &record));
    let quoting = call("quoted", 1_780_300_800).bedrock_line();
    gzip(&work.file(&format!("{hour}/data/one_input.json"), quoting));
    work.file(&format!("{logs}/amazon-bedrock-logs-permission-check"), "");
    logs.to_owned()
}

#[test]
fn bodies_and_markers_beside_delivered_logs_are_left_out_and_said() {
    let work = WorkDir::new("doctor-s3");
    let logs = delivered_to_s3(&work);
    let glob = work.join(&format!("{logs}/**/*"));
    let found = report(&[glob.as_os_str()]);
    let source = &found["sources"][0];
    assert_eq!(problems(&found), ["throttles_unproven"], "{found}");
    assert_eq!((&source["files"], &source["files_left_out"]), (&json!(1), &json!(2)));
    assert_eq!(source["records"], json!({"bedrock_invocation": 1}));
    let shown = doctor(&[glob.as_os_str()]);
    assert!(shown.contains("left out    2 files"), "{shown}");

    // Named one by one, as a shell does it.
    let names = crate::support::work_dir::files_under(&work.join("bucket"));
    assert_eq!(names.len(), 3);
    let names: Vec<&OsStr> = names.iter().map(|name| name.as_os_str()).collect();
    assert_eq!(problems(&report(&names)), ["throttles_unproven"]);
    for command in ["scan", "find"] {
        let mut arguments: Vec<&OsStr> = vec![command.as_ref()];
        arguments.extend((command == "find").then_some(OsStr::new("--outcome=ok")));
        arguments.extend(&names);
        let output = output_of(&arguments);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("2 files left out"), "{said}");
        assert!(!said.contains("quoted"), "{said}");
    }
}

#[test]
fn calls_in_the_logs_of_service_and_application_are_told() {
    let work = WorkDir::new("doctor-corroborated");
    let id = |n: i64| format!("7d0f1a52-8c1e-4b57-9a41-{n:012}");
    let bedrock: String = (0..5).map(|n| call(&id(n), 1_780_300_800 + n).bedrock_line()).collect();
    let application: String =
        (3..9).map(|n| call(&id(n), 1_780_300_800 + n).application_line()).collect();
    let bedrock = work.file("bedrock.jsonl", bedrock);
    let application = work.file("application.jsonl", application);
    let found = report(&[bedrock.as_os_str(), application.as_os_str()]);
    assert_eq!(found["corroborated"], 2, "{found}");
    assert_eq!(found["ids_in_several_sources"], 0);
    let shown = doctor(&[bedrock.as_os_str(), application.as_os_str()]);
    assert!(shown.contains("2 calls are both in a log of the service"), "{shown}");
}
