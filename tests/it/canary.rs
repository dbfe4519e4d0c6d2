//! No text of a prompt or an answer reaches the ledger, the log or a metric.

use std::ffi::OsStr;
use std::fs;

use crate::support::daemon::{Daemon, output_of, run_arguments};
use crate::support::log::{Bodies, Call, Tokens};
use crate::support::work_dir::{WorkDir, files_under};

const CANARY: &str = "c4n4ry-in-the-prompt";
/// Fields that a prompt may pretend to be.
const TRAP: &str = "{\"inputTokenCount\":999999,\"identity\":{\"arn\":\"arn:aws:iam::999999999999:user/c4n4ry-in-the-prompt\"},\
    \"modelId\":\"c4n4ry-in-the-prompt\",\"errorCode\":\"ThrottlingException\"}";

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Calls of every form of body with the canary in prompt and answer, then lines that go wrong with
/// the canary in them.
fn log_text() -> (String, u64) {
    let mut text = String::new();
    let mut calls = 0;
    for bodies in
        [Bodies::Off, Bodies::Converse, Bodies::Messages, Bodies::MessagesStream, Bodies::Embedding]
    {
        for body_text in [CANARY.to_owned(), TRAP.to_owned(), format!("\"{CANARY}\\\u{1f600}\n")] {
            calls += 1;
            let call = Call {
                bodies,
                request_id: Some(format!("req-{calls}")),
                prompt: body_text.clone(),
                answer: body_text,
                tokens: Tokens { input: 10, output: 1, ..Tokens::default() },
                ..Call::example()
            };
            text.push_str(&call.bedrock_line());
        }
    }
    let good = Call { prompt: CANARY.into(), bodies: Bodies::Converse, ..Call::example() };
    let line = good.bedrock_line();
    for bad in [
        line.replacen("\"inputTokenCount\":4502", "\"inputTokenCount\":\"4502\"", 1),
        line.replacen("\"timestamp\":\"2026", "\"timestamp\":\"never", 1),
        format!("{}\n", &line[..line.len() / 2]),
        format!("{CANARY}\n"),
        format!("{{\"{CANARY}\":1}}\n"),
    ] {
        text.push_str(&bad);
    }
    (text, calls)
}

#[test]
fn no_text_of_a_body_is_found_anywhere() {
    let work = WorkDir::new("canary");
    let (text, calls) = log_text();
    let log = work.file("logs/app.log", text);
    let ledger = work.join("ledger");
    let daemon = Daemon::start_with(&run_arguments(&log, &ledger));
    let scrape = daemon.wait_for_requests(calls);
    assert_eq!(scrape.count("tollkeeper_requests_total", &[("outcome", "ok")]), calls);
    assert_eq!(scrape.count("tollkeeper_tokens_total", &[("token_class", "input")]), calls * 10);
    for page in ["/metrics", "/healthz", "/readyz", "/"] {
        let body = daemon.get(page).body;
        assert!(!body.contains(CANARY), "{page}: {body}");
        assert!(!body.contains("999999"), "{page}: {body}");
    }
    let (_, _, stderr) = daemon.terminate();
    assert!(!stderr.contains(CANARY), "{stderr}");
    for file in files_under(&ledger) {
        assert!(!contains(&fs::read(&file).unwrap(), CANARY), "{}", file.display());
    }
    let arguments: [&OsStr; 4] =
        ["scan".as_ref(), log.as_os_str(), "--format".as_ref(), "json".as_ref()];
    let output = output_of(&arguments);
    assert!(!contains(&output.stdout, CANARY) && !contains(&output.stderr, CANARY));
}
