//! Records of several lines in the life of a daemon: half-written ones across kill -9 and rotation;
//! and `scan` and `find` on any number of threads.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;

use serde_json::Value;

use crate::support::daemon::{Daemon, stdout_of};
use crate::support::json;
use crate::support::prometheus::Scrape;
use crate::support::rotation::{append, with_suffix};
use crate::support::truth::{Generator, usd_text};
use crate::support::work_dir::WorkDir;

/// Some records, each in several lines.
fn pretty(generator: &mut Generator, count: usize) -> String {
    let lines = generator.anonymous_lines(count);
    let spelled = lines.lines().map(|line| {
        let value: Value = json::parse(line);
        serde_json::to_string_pretty(&value).unwrap() + "\n"
    });
    spelled.collect()
}

/// Records without request ids, so nothing but positions keeps them from counting twice.
#[test]
fn a_half_written_record_survives_kill_and_rotation() {
    let work = WorkDir::new("half-frames");
    let log = work.folder("logs").join("app.log");
    let mut generator = Generator::new("half-frames", 5);
    let mut daemon = None;
    for round in 0..12 {
        let before = generator.truth().total().requests;
        let text = pretty(&mut generator, 8);
        let records: Vec<usize> = text.match_indices("\n}\n").map(|(at, _)| at + 3).collect();
        // In the middle of the fifth record, at another place every time.
        let (from, to) = (records[3], records[4]);
        let (head, rest) = text.split_at(from + (to - from) * (round + 1) / 14);
        let running = daemon.take().unwrap_or_else(|| Daemon::start(&log, &work.join("ledger")));
        append(&log, head);
        running.wait_for_requests(before + 4);
        if round % 3 == 0 {
            running.kill_9();
        } else {
            daemon = Some(running);
        }
        if round % 2 == 0 {
            // The writer goes on in the renamed file until it opens the new one.
            let old = with_suffix(&log, &format!(".{}", 20 - round));
            fs::rename(&log, &old).unwrap();
            append(&log, "");
            append(&old, rest);
        } else {
            append(&log, rest);
        }
        if let Some(running) = &daemon {
            running.wait_for_requests(before + 8);
        }
    }
    let running = daemon.take().unwrap_or_else(|| Daemon::start(&log, &work.join("ledger")));
    running.wait_for_truth(generator.truth());
    running.kill_9();
    let running = Daemon::start(&log, &work.join("ledger"));
    generator.truth().assert_in(&running.scrape());
}

#[test]
fn any_number_of_threads_finds_the_same_records() {
    let work = WorkDir::new("frame-threads");
    let mut generator = Generator::new("frame-threads", 9);
    let mut text = String::new();
    // Several chunks, whose ends are in records and in what is none.
    while text.len() < 5 << 20 {
        text += &pretty(&mut generator, 50);
        text += "Traceback (most recent call last):\n  at {\n{\n  \"half\": 1,\n";
        text += &generator.anonymous_lines(20);
        text += pretty(&mut generator, 30).trim_end();
        text.push('{');
        text.push('\n');
    }
    let file = work.file("app.log", &text);
    let mut first: Option<Value> = None;
    for threads in ["1", "2", "3", "5", "8"] {
        let arguments = ["scan", "--format", "json", "--threads", threads];
        let mut arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        arguments.push(file.as_ref());
        let all = json::parse(&stdout_of(&arguments));
        let total = all.as_array().and_then(|groups| groups.last()).expect("the whole").clone();
        let truth = generator.truth().total();
        assert_eq!(json::number(&total, "/requests"), truth.requests);
        assert_eq!(json::text(&total, "/cost_usd"), usd_text(truth.picodollars));
        assert_eq!(*first.get_or_insert_with(|| total.clone()), total, "{threads}");
    }
    let mut arguments: Vec<&OsStr> = ["find", "--outcome", "ok", "--limit", "1000000"]
        .iter()
        .chain(&["--format", "json", "--threads", "3"])
        .map(OsStr::new)
        .collect();
    arguments.push(file.as_ref());
    let found = json::parse(&stdout_of(&arguments));
    let found = found.as_array().expect("an array");
    assert_eq!(found.len() as u64, generator.truth().total().requests);
    let offset = |record| usize::try_from(json::number(record, "/offset")).unwrap();
    let offsets: BTreeSet<usize> = found.iter().map(offset).collect();
    assert_eq!(offsets.len(), found.len());
    assert!(offsets.iter().all(|&at| text[at..].starts_with('{')));
}

#[test]
fn a_record_that_rotation_cut_in_two_is_told_and_costs_no_other() {
    let work = WorkDir::new("frame-rotated-pieces");
    let mut generator = Generator::new("frame-rotated-pieces", 11);
    let mut record = || generator.anonymous_lines(1).trim_end().to_owned();
    let (before, cut, behind) = (record(), record(), record());
    let cri =
        |tag: &str, text: &str| format!("2026-06-01T08:00:00.000000001Z stdout {tag} {text}\n");
    let (head, rest) = cut.split_at(cut.len() / 2);
    work.file("logs/app.log.1", cri("F", &before) + &cri("P", head));
    work.file("logs/app.log", cri("F", rest) + &cri("F", &behind));
    let config = work.file(
        "config.toml",
        "listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"ledger\"\n\
         [[source]]\nname = \"pod\"\ninclude = [\"logs/app.log*\"]\n",
    );
    let daemon = Daemon::start_with(&[config.as_os_str()]);
    let results = |scrape: &Scrape, result: &str| {
        scrape.count("tollkeeper_ingest_records_total", &[("result", result)])
    };
    let scrape = daemon.wait_for("the piece without its rest", |scrape| {
        results(scrape, "truncated") > 0 && scrape.count("tollkeeper_requests_total", &[]) > 1
    });
    // The rest is in another file, and no position spans two: it is said and never guessed.
    assert_eq!(scrape.count("tollkeeper_requests_total", &[]), 2);
    assert_eq!((results(&scrape, "truncated"), results(&scrape, "accepted")), (1, 2));
    let files = [work.join("logs/app.log.1"), work.join("logs/app.log")];
    let arguments: [&OsStr; 3] = ["scan".as_ref(), files[0].as_os_str(), files[1].as_os_str()];
    let shown = stdout_of(&arguments);
    assert!(shown.contains("1 truncated"), "{shown}");
}
