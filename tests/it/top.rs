//! `tollkeeper top` on a terminal, which `script` makes: what it shows, that a key ends it, and that the terminal is
//! as it was.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::quotas::{config, last_minute, log};
use crate::support::daemon::Daemon;
use crate::support::tools;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

/// The words on the screen: places that are moved to stand for spaces, colours for nothing.
fn words(shown: &str) -> String {
    let mut pieces = shown.split("\u{1b}[");
    let mut words = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| c.is_ascii_alphabetic()).map_or(piece.len(), |end| end + 1);
        let (code, text) = piece.split_at(end);
        words.push_str(if code.ends_with('H') { " " } else { "" });
        words.push_str(text);
    }
    words
}

#[test]
fn top_shows_spend_budgets_callers_and_throttles_until_a_key_is_pressed() {
    let Some(script) = tools::find("script", "top on a terminal") else { return };
    let work = WorkDir::new("top");
    work.file("logs/bedrock.jsonl", log(last_minute()));
    let config = config(&work, "[[budget]]\nname = \"daily\"\nlimit_usd = 10\nperiod = \"day\"\n");
    let daemon = Daemon::start_with(&[config.as_os_str()]);
    daemon.wait_for("the throttles to be explained", |page| {
        page.text.contains("tollkeeper_throttled_requests_explained{")
    });
    let address = daemon.address().unwrap();
    let binary = env!("CARGO_BIN_EXE_tollkeeper");
    let command = format!("stty rows 40 cols 150; exec '{binary}' top --url http://{address}");
    let screen = work.join("screen");
    let mut terminal = Command::new(script)
        .args(["--quiet", "--flush", "--return", "--command", &command])
        .arg(&screen)
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let shown = || String::from_utf8_lossy(&fs::read(&screen).unwrap_or_default()).into_owned();
    wait_until(SOON, "the screen", || words(&shown()).contains("q quits").then_some(()));
    let text = words(&shown());
    for part in ["USD an hour", "daily", "role/agent", "12 throttled", "reservation", "max_tokens"]
    {
        assert!(text.contains(part), "{part}: {text:?}");
    }
    assert!(shown().contains("\u{1b}[?1049h"), "it takes a screen of its own");
    terminal.stdin.take().unwrap().write_all(b"q").unwrap();
    let status = wait_until(SOON, "its end", || terminal.try_wait().unwrap());
    assert!(status.success(), "{status}: {:?}", shown());
    assert!(shown().contains("\u{1b}[?1049l"), "the terminal is given back");
}
