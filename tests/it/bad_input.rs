//! Bad input: each kind is counted, the next line is read, nothing panics, memory stays bounded.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::daemon::Daemon;
use crate::support::log::{Bodies, Call};
use crate::support::prometheus::Scrape;
use crate::support::rotation::append;
use crate::support::tools;
use crate::support::truth::Generator;
use crate::support::work_dir::WorkDir;

const MIB: u64 = 1 << 20;
/// The memory goal of the project for a daemon at work.
const RSS_MAX: u64 = 64 * MIB;
const LONG_LINE_MIB: u64 = 100;
/// Left behind by every bad line, and never to be seen again.
const MARKER: &str = "canary-of-a-bad-line";

/// One record with a bad value at one place.
fn record(change: &str, to: &str) -> Vec<u8> {
    let line =
        Call { prompt: MARKER.into(), bodies: Bodies::Converse, ..Call::example() }.bedrock_line();
    let changed = line.replacen(change, to, 1);
    assert_ne!(changed, line, "{change} is not in {line}");
    changed.into_bytes()
}

/// Lines that are no records, each with the name of what is wrong.
fn bad_lines() -> Vec<(&'static str, Vec<u8>)> {
    let count = "\"inputTokenCount\":4502";
    let nested = format!("{}{MARKER}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let nested_object = format!("{}1{}\n", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    vec![
        ("garbage bytes", b"\x00\x01\xfe\xff\x80 canary-of-a-bad-line \xc3\x28\n".to_vec()),
        ("text", format!("{MARKER}: this is no JSON\n").into_bytes()),
        ("truncated JSON", format!("{{\"modelId\":\"x\",\"input\":{{\"{MARKER}\n").into_bytes()),
        ("an array", format!("[\"{MARKER}\"]\n").into_bytes()),
        ("a number", b"12\n".to_vec()),
        ("an unknown kind", format!("{{\"hello\":\"{MARKER}\"}}\n").into_bytes()),
        ("beyond u64", record(count, "\"inputTokenCount\":99999999999999999999999")),
        ("negative", record(count, "\"inputTokenCount\":-5")),
        ("fractional", record(count, "\"inputTokenCount\":1.5")),
        ("a count as text", record(count, "\"inputTokenCount\":\"4502\"")),
        ("an exponent beyond all reason", record(count, "\"inputTokenCount\":1e300")),
        ("the year 1970", record("2026-06-01T08:00:00Z", "1970-01-01T00:00:00Z")),
        ("the year 2262", record("2026-06-01T08:00:00Z", "2262-04-12T00:00:00Z")),
        ("no time", record("\"timestamp\":", "\"other\":")),
        ("no model", record("\"modelId\":", "\"other\":")),
        ("a time that is none", record("2026-06-01T08:00:00Z", "yesterday")),
        ("deep nesting", nested.into_bytes()),
        ("deeply nested objects", nested_object.into_bytes()),
    ]
}

/// Records of all results but counted ones, whatever the results are called.
fn rejected(scrape: &Scrape) -> u64 {
    let all = scrape.counts_by("tollkeeper_ingest_records_total", "result", &[]);
    all.iter().filter(|(result, _)| *result != "accepted").map(|(_, count)| count).sum()
}

#[test]
fn bad_lines_are_counted_and_the_next_line_is_read() {
    let work = WorkDir::new("bad");
    let mut generator = Generator::new("b", 31);
    let log = work.folder("logs").join("app.log");
    let mut file = File::create(&log).unwrap();
    let mut bad = 0;
    for (_, line) in bad_lines() {
        // Two good lines around each bad one: what goes wrong must not take a neighbour along.
        file.write_all(generator.anonymous_lines(2).as_bytes()).unwrap();
        file.write_all(&line).unwrap();
        bad += 1;
    }
    file.write_all(generator.anonymous_lines(2).as_bytes()).unwrap();
    let daemon = Daemon::start(&log, &work.join("ledger"));
    let scrape = daemon.wait_for_truth(generator.truth());
    assert_eq!(rejected(&scrape), bad, "{}", scrape.text);
    let (status, _, stderr) = daemon.terminate();
    assert!(status.success(), "{status}: {stderr}");
    assert!(!stderr.contains(MARKER) && !stderr.contains("panicked"), "{stderr}");
    assert!(stderr.contains("app.log"), "no word about the file: {stderr}");
}

#[test]
fn odd_but_readable_lines_count() {
    let work = WorkDir::new("odd");
    let line = Call::example().bedrock_line();
    let plain = line.trim_end();
    let mut generator = Generator::new("odd", 1);
    let text = format!(
        "\u{feff}{plain}\r\n\r\n\n   {plain}  \n{}\n{}\n{}",
        plain.replace("\":", "\" :\t"),
        plain.replace(
            "{\"arn\":\"arn:aws:sts::111122223333:assumed-role/chat-backend/i-0aa1\"}",
            "[{\"arn\":\"arn:aws:sts::111122223333:assumed-role/chat-backend/i-0aa1\"}]"
        ),
        generator.anonymous_lines(1),
    );
    let log = work.file("logs/app.log", text);
    let daemon = Daemon::start(&log, &work.join("ledger"));
    let scrape = daemon.wait_for_requests(5);
    assert_eq!(rejected(&scrape), 0, "{}", scrape.text);
    let labels = [("model", "anthropic.claude-v2:1"), ("token_class", "input")];
    assert_eq!(scrape.count("tollkeeper_tokens_total", &labels), 4 * 4502);
}

#[test]
fn a_line_of_100_mb_is_skipped_without_holding_it() {
    let work = WorkDir::new("long");
    let mut generator = Generator::new("l", 32);
    let log = work.folder("logs").join("app.log");
    let mut file = File::create(&log).unwrap();
    file.write_all(generator.anonymous_lines(5).as_bytes()).unwrap();
    let piece = vec![b'x'; usize::try_from(MIB).unwrap()];
    file.write_all(b"{\"a\":\"").unwrap();
    for _ in 0..LONG_LINE_MIB {
        file.write_all(&piece).unwrap();
    }
    file.write_all(b"\"}\n").unwrap();
    file.write_all(generator.anonymous_lines(5).as_bytes()).unwrap();
    let daemon = Daemon::start(&log, &work.join("ledger"));
    let scrape = daemon.wait_for_truth(generator.truth());
    assert_eq!(rejected(&scrape), 1, "{}", scrape.text);
    // The high-water mark, so that a short peak is seen too.
    let peak = peak_rss_bytes(&daemon);
    assert!(peak < RSS_MAX, "peak of {} MiB", peak / MIB);
}

fn peak_rss_bytes(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn files_that_cannot_be_read_do_not_stop_the_others() {
    let work = WorkDir::new("unreadable");
    let logs = work.folder("logs");
    let mut generator = Generator::new("u", 33);
    append(&logs.join("good.log"), &generator.lines(50));
    fs::create_dir(logs.join("folder.log")).unwrap();
    append(&logs.join("broken.log.gz"), "this is not gzip\n");
    append(&logs.join("cut.log"), &generator.lines(5));
    let closed = work.folder("logs/closed");
    append(&closed.join("a.log"), "never read\n");
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    tools::run(Command::new("mkfifo").arg(logs.join("pipe.log")));
    let config = config_for(&work, &["logs/*.log*", "logs/*/*.log"]);
    let daemon = start_with_config(&config);
    daemon.wait_for_truth(generator.truth());
    append(&logs.join("vanishes.log"), "");
    fs::remove_file(logs.join("vanishes.log")).unwrap();
    append(&logs.join("good.log"), &generator.lines(50));
    daemon.wait_for_truth(generator.truth());
    fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();
}

fn config_for(work: &WorkDir, include: &[&str]) -> std::path::PathBuf {
    work.file(
        "tollkeeper.toml",
        format!(
            "listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"ledger\"\n[[source]]\nname = \"app\"\n\
             include = {include:?}\n"
        ),
    )
}

fn start_with_config(config: &Path) -> Daemon {
    Daemon::start_with(&[config.as_os_str()])
}
