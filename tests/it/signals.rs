//! Signals and reload: stop fast and committed, keep what works when the new config does not.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::daemon::Daemon;
use crate::support::rotation::append;
use crate::support::truth::Generator;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

/// How long a stop may take.
const STOP: Duration = Duration::from_secs(2);

fn config(work: &WorkDir, pattern: &str, more: &str) -> PathBuf {
    work.file(
        "tollkeeper.toml",
        format!(
            "listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"ledger\"\n[[source]]\nname = \"app\"\n\
             include = [\"{pattern}\"]\n{more}"
        ),
    )
}

#[test]
fn an_idle_daemon_stops_at_once_and_goes_on_where_it_was() {
    for signal in ["TERM", "INT"] {
        let work = WorkDir::new("idle");
        let mut generator = Generator::new("i", 41);
        let log = work.file("logs/app.log", generator.lines(200));
        let mut daemon = Daemon::start(&log, &work.join("ledger"));
        daemon.wait_for_truth(generator.truth());
        let start = std::time::Instant::now();
        daemon.signal(signal);
        let status = daemon.wait_exit();
        assert!(status.success() && start.elapsed() < STOP, "{status} in {:?}", start.elapsed());
        append(&log, &generator.lines(200));
        Daemon::start(&log, &work.join("ledger")).wait_for_truth(generator.truth());
    }
}

#[test]
fn a_daemon_in_the_middle_of_a_backlog_stops_within_two_seconds() {
    let work = WorkDir::new("backlog");
    let mut generator = Generator::new("g", 42);
    let log = work.folder("logs").join("app.log");
    // Written many times over, without ids: tens of seconds of work would be needed to read it all.
    let piece = generator.anonymous_lines(20_000);
    let copies = 40;
    for _ in 0..copies {
        append(&log, &piece);
    }
    let daemon = Daemon::start(&log, &work.join("ledger"));
    daemon.wait_for_requests(1);
    let (status, took, stderr) = daemon.terminate();
    assert!(status.success(), "{status}: {stderr}");
    assert!(took < STOP, "took {took:?}");
    let mut truth = crate::support::truth::Truth::default();
    (0..copies).for_each(|_| truth.add(generator.truth()));
    Daemon::start(&log, &work.join("ledger")).wait_for_truth(&truth);
}

#[test]
fn a_reload_takes_the_new_config_over() {
    for by_signal in [true, false] {
        let work = WorkDir::new("reload");
        let mut generator = Generator::new("r", 43);
        work.file("logs/one.log", generator.lines(50));
        let file = config(&work, "logs/one.log", "");
        let daemon = Daemon::start_with(&[file.as_os_str()]);
        daemon.wait_for_truth(generator.truth());
        work.file("logs/two.log", generator.lines(50));
        config(&work, "logs/*.log", "");
        reload(&daemon, by_signal, true);
        daemon.wait_for_truth(generator.truth());
    }
}

#[test]
fn a_reload_keeps_the_old_config_when_the_new_one_is_wrong() {
    for by_signal in [true, false] {
        let work = WorkDir::new("keep");
        let mut generator = Generator::new("k", 44);
        let log = work.file("logs/one.log", generator.lines(50));
        let file = config(&work, "logs/one.log", "");
        let daemon = Daemon::start_with(&[file.as_os_str()]);
        daemon.wait_for_truth(generator.truth());
        for broken in ["[prices]\nfiles = [\"missing.toml\"]\n", "nonsense = 1\n", "= ="] {
            config(&work, "logs/elsewhere.log", broken);
            let told = daemon.stderr().len();
            reload(&daemon, by_signal, false);
            wait_until(SOON, "a word about the broken config", || {
                daemon.stderr()[told..]
                    .contains("tollkeeper.toml")
                    .then_some(())
                    .or_else(|| daemon.stderr()[told..].contains("missing.toml").then_some(()))
            });
        }
        append(&log, &generator.lines(50));
        daemon.wait_for_truth(generator.truth());
        assert_eq!(daemon.get("/readyz").status, 200);
        // What was wrong can be put right.
        fs::remove_file(&file).unwrap();
        config(&work, "logs/*.log", "");
        work.file("logs/two.log", generator.lines(50));
        reload(&daemon, by_signal, true);
        daemon.wait_for_truth(generator.truth());
    }
}

fn reload(daemon: &Daemon, by_signal: bool, accepted: bool) {
    if by_signal {
        daemon.signal("HUP");
    } else {
        let answer = daemon.request("POST", "/-/reload");
        assert_eq!(answer.status == 200, accepted, "{}: {}", answer.status, answer.body);
    }
}

#[test]
fn reload_is_not_for_get() {
    let work = WorkDir::new("get");
    let log = work.file("logs/app.log", "");
    let daemon = Daemon::start(&log, &work.join("ledger"));
    assert_eq!(daemon.get("/-/reload").status, 405);
}
