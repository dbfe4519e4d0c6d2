//! One small log of each shape that is known, with what is to be counted in it: `tests/golden/make.py`
//! writes both, from calls and prices of its own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::daemon::{Daemon, stdout_of};
use crate::support::json;
use crate::support::prometheus::Scrape;
use crate::support::work_dir::WorkDir;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every log with what is expected of it.
fn expected() -> Vec<(PathBuf, Value)> {
    let text = fs::read_to_string(folder().join("expected.json")).unwrap();
    let all = json::items(&text);
    all.into_iter()
        .map(|one| (folder().join("logs").join(json::text(&one, "/file")), one))
        .collect()
}

#[test]
fn calls_of_every_shape_are_scanned_to_the_picodollar() {
    let all = expected();
    assert_eq!(all.len(), fs::read_dir(folder().join("logs")).unwrap().count());
    for (path, expected) in all {
        for plain in [&[][..], &["--plain"]] {
            let mut arguments = vec!["scan", "--dedup", "--format", "json"];
            arguments.extend(plain);
            let mut arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
            arguments.push(path.as_os_str());
            let total = json::items(&stdout_of(&arguments)).pop().unwrap();
            let name = path.display();
            assert_eq!(total["requests"], expected["requests"], "{name}");
            assert_eq!(total["cost_usd"], expected["cost_usd"], "{name}");
            for counts in ["/outcomes", "/tokens"] {
                assert_eq!(json::counts(&total, counts), json::counts(&expected, counts), "{name}");
            }
        }
    }
}

#[test]
fn a_daemon_counts_the_lines_and_signals_of_every_shape() {
    let work = WorkDir::new("golden");
    let all = expected();
    let ledger = work.path().join("ledger");
    let mut config =
        format!("listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"{}\"\n", ledger.display());
    for (path, one) in &all {
        let (name, path) = (json::text(one, "/file"), path.display());
        writeln!(config, "[[source]]\nname = \"{name}\"\ninclude = [\"{path}\"]").unwrap();
    }
    let file = work.path().join("config.toml");
    fs::write(&file, config).unwrap();
    let daemon = Daemon::start_with(&[file.as_os_str()]);
    let lines_of = |one: &Value| json::counts(one, "/lines");
    let lines: u64 = all.iter().flat_map(|(_, one)| lines_of(one).into_values()).sum();
    let counted = |scrape: &Scrape| scrape.count("tollkeeper_ingest_records_total", &[]);
    let scrape = daemon.wait_for("every line", |scrape| counted(scrape) >= lines);
    for (_, one) in &all {
        let source = json::text(one, "/file");
        let counted = scrape.samples.iter().filter(|sample| {
            sample.name == "tollkeeper_ingest_records_total"
                && sample.value > 0.0
                && sample.labels["source"] == source
        });
        let counted: BTreeMap<String, u64> = counted
            .map(|sample| {
                let labels = [
                    ("source", source),
                    ("kind", &sample.labels["kind"]),
                    ("result", &sample.labels["result"]),
                ];
                let count = scrape.count("tollkeeper_ingest_records_total", &labels);
                (format!("{} {}", sample.labels["kind"], sample.labels["result"]), count)
            })
            .collect();
        assert_eq!(counted, lines_of(one), "{source}");
    }
    let requests: u64 = all.iter().map(|(_, one)| json::number(one, "/requests")).sum();
    assert_eq!(scrape.count("tollkeeper_requests_total", &[]), requests);
    let mut signals: BTreeMap<String, u64> = BTreeMap::new();
    for (_, one) in &all {
        for (signal, count) in json::counts(one, "/signals") {
            *signals.entry(signal).or_default() += count;
        }
    }
    assert!(signals.len() > 20);
    for (signal, count) in signals {
        let (name, labels) = signal.trim_end_matches('}').split_once('{').unwrap();
        let labels: Vec<(&str, &str)> = labels
            .split(',')
            .map(|label| label.split_once('=').unwrap())
            .map(|(label, value)| (label, value.trim_matches('"')))
            .collect();
        assert_eq!(scrape.count(&format!("tollkeeper_{name}"), &labels), count, "{signal}");
    }
}
