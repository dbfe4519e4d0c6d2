//! Bad input: each kind is counted, the next line is read, nothing panics, memory stays bounded.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::support::daemon::{Daemon, tollkeeper};
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
        ("garbage bytes", b"\x01\x00\xfe\xff\x80 canary-of-a-bad-line \xc3\x28\n".to_vec()),
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
    let (mut bad, mut first_bad) = (0, None);
    for (_, line) in bad_lines() {
        // Two good lines around each bad one: what goes wrong must not take a neighbour along.
        file.write_all(generator.anonymous_lines(2).as_bytes()).unwrap();
        first_bad.get_or_insert(file.metadata().unwrap().len());
        file.write_all(&line).unwrap();
        bad += 1;
    }
    let first_bad = first_bad.unwrap();
    file.write_all(generator.anonymous_lines(2).as_bytes()).unwrap();
    let daemon = Daemon::start(&log, &work.join("ledger"));
    let scrape = daemon.wait_for_truth(generator.truth());
    assert_eq!(rejected(&scrape), bad, "{}", scrape.text);
    let (status, _, stderr) = daemon.terminate();
    assert!(status.success(), "{status}: {stderr}");
    assert!(!stderr.contains(MARKER) && !stderr.contains("panicked"), "{stderr}");
    let said: Vec<&str> =
        stderr.lines().filter(|line| line.contains("a line was not counted")).collect();
    assert!(
        said.iter().all(|line| line.contains("app.log") && line.contains("offset=")),
        "{stderr}"
    );
    // The first bad line is named by where it begins; later ones of its kind are only counted.
    assert!(said[0].contains(&format!("offset={first_bad} ")), "{first_bad}: {stderr}");
    let mut reasons: Vec<&str> =
        said.iter().map(|line| line.split_once("reason=").unwrap().1).collect();
    let all = reasons.len();
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons.len(), all, "a reason was said twice: {stderr}");
    assert!(all >= 2 && (all as u64) < bad, "{stderr}");
}

#[test]
fn a_bad_line_behind_a_hole_is_named_by_its_own_place() {
    let work = WorkDir::new("hole");
    let mut generator = Generator::new("h", 33);
    let log = work.folder("logs").join("app.log");
    let mut text = generator.anonymous_lines(2).into_bytes();
    text.extend([0; 1_000]);
    text.extend(generator.anonymous_lines(2).into_bytes());
    let bad_at = text.len();
    text.extend(b"12\n");
    text.extend(generator.anonymous_lines(2).into_bytes());
    fs::write(&log, text).unwrap();
    let daemon = Daemon::start(&log, &work.join("ledger"));
    let scrape = daemon.wait_for_truth(generator.truth());
    assert_eq!(rejected(&scrape), 1, "{}", scrape.text);
    let (status, _, stderr) = daemon.terminate();
    assert!(status.success(), "{status}: {stderr}");
    assert!(stderr.contains(&format!("offset={bad_at} ")), "{bad_at}: {stderr}");
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
    tools::run(Command::new("mkfifo").arg(logs.join("pipe.log")));
    let _socket = UnixListener::bind(logs.join("socket.log")).unwrap();
    append(&logs.join("empty.log"), "");
    std::os::unix::fs::symlink("nowhere", logs.join("dangling.log")).unwrap();
    let config = config_for(&work, &["logs/*.log*"]);
    let daemon = start_with_config(&config);
    daemon.wait_for_truth(generator.truth());
    append(&logs.join("vanishes.log"), "");
    fs::remove_file(logs.join("vanishes.log")).unwrap();
    append(&logs.join("good.log"), &generator.lines(50));
    daemon.wait_for_truth(generator.truth());
}

#[test]
fn what_may_not_be_read_is_said_once_and_counted_when_it_may_be() {
    let work = WorkDir::new("forbidden");
    let logs = work.folder("logs");
    let mut generator = Generator::new("p", 34);
    append(&logs.join("good.log"), &generator.lines(20));
    let config = config_for(&work, &["logs/*.log", "logs/closed/*.log"]);
    let closed = work.folder("logs/closed");
    let mut behind = Generator::new("q", 35);
    append(&closed.join("a.log"), &behind.lines(7));
    append(&logs.join("locked.log"), &behind.lines(5));
    let mut command = tollkeeper();
    command.arg("run").arg(&config);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // Nothing is forbidden to root, so the daemon runs as somebody else, who owns the files.
        give_away(work.path());
        command.uid(NOBODY).gid(NOBODY);
    }
    let modes = |mode| {
        for path in [&closed, &logs.join("locked.log")] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
    };
    modes(0o000);
    let mut daemon = match Daemon::spawn_command(&mut command) {
        Ok(daemon) => daemon,
        Err(error) => {
            modes(0o700);
            tools::skipped("forbidden files", &format!("nobody may start the binary: {error}"));
            return;
        }
    };
    daemon.wait_ready();
    daemon.wait_for_truth(generator.truth());
    daemon.wait_for("both paths to be told", |scrape| {
        scrape.count("tollkeeper_ingest_unreadable_paths", &[]) == 2
    });
    let stderr = daemon.stderr();
    for (what, name) in [("can't be opened", "locked.log"), ("can't be listed", "logs/closed")] {
        let said = stderr.lines().filter(|line| line.contains(what) && line.contains(name));
        assert_eq!(said.count(), 1, "{name}: {stderr}");
    }
    modes(0o700);
    daemon.wait_for_requests(20 + 7 + 5);
    daemon.wait_for("no path to be left", |scrape| {
        scrape.count("tollkeeper_ingest_unreadable_paths", &[]) == 0
    });
}

/// The user without rights, as Linux numbers it.
const NOBODY: u32 = 65_534;

fn give_away(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
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
