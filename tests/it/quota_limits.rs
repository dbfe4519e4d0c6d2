//! `[quota]`: what `check config` says of limits, and a daemon that reads them again.

use std::path::{Path, PathBuf};

use crate::support::daemon::{Daemon, output_of};
use crate::support::truth::Generator;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

/// An export as AWS documents it, cut off after the first page.
const EXPORT: &str = include_str!("../data/service_quotas.json");

fn config(work: &WorkDir, quota: &str) -> PathBuf {
    work.file(
        "tollkeeper.toml",
        format!(
            "listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"ledger\"\n[[source]]\nname = \"app\"\n\
             include = [\"logs/*.log\"]\n{quota}"
        ),
    )
}

/// The exit code, and all that was printed.
fn check(file: &Path) -> (Option<i32>, String) {
    let output = output_of(&["check".as_ref(), "config".as_ref(), file.as_os_str()]);
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), texts.concat())
}

#[test]
fn check_config_says_what_an_export_holds() {
    let work = WorkDir::new("quota-check");
    work.file("all.json", EXPORT.replace("\"page-2\"", "null"));
    work.file("cut.json", EXPORT.replace("5000000.0", "4000000.0"));
    let file = config(
        &work,
        "[quota]\nservice_quotas = [\"all.json\", \"cut.json\"]\n[[quota.limit]]\n\
         model = \"anthropic.claude-sonet-4-6\"\nroute = \"geo\"\ntokens_per_minute = 5\n",
    );
    let (code, told) = check(&file);
    assert_eq!(code, Some(0), "{told}");
    for expected in [
        "all.json: 7 limits, 0 unknown quotas, 1 for long contexts or low latency, which are kept apart\n",
        "cut.json: 7 limits, 0 unknown quotas, 1 for long contexts or low latency, which are kept apart; the list \
         is not whole",
        "give 4000000 and 5000000 as tokens_per_minute of `anthropic.claude-sonnet-4-5-20250929-v1:0` (geo, \
         us-east-1); the smaller one, 4000000, counts\n",
        "`anthropic.claude-sonet-4-6` in `[quota]` is no model of the price book; is it spelled right?\n",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
}

#[test]
fn a_file_that_is_no_export_is_refused_with_what_to_do() {
    let work = WorkDir::new("quota-wrong");
    let line = "{\"timestamp\":\"2024-05-20T14:32:01Z\",\"message\":\"a secret\"}\n";
    work.file("log.json", line.repeat(10));
    work.file("large.json", line.repeat(100_000));
    for (name, expected) in [
        ("log.json", "expected what `aws service-quotas list-service-quotas"),
        ("large.json", "no config, price or quota file"),
        ("missing.json", "correct `[quota] service_quotas`"),
    ] {
        let file = config(&work, &format!("[quota]\nservice_quotas = [\"{name}\"]\n"));
        let (code, told) = check(&file);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(name) && told.contains(expected), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn a_reload_reads_quota_files_again_and_a_wrong_one_changes_nothing() {
    let work = WorkDir::new("quota-reload");
    let mut generator = Generator::new("q", 61);
    work.file("logs/one.log", generator.lines(20));
    work.file("quotas.json", EXPORT);
    let file = config(&work, "[quota]\nservice_quotas = [\"quotas.json\"]\n");
    let daemon = Daemon::start_with(&[file.as_os_str()]);
    daemon.wait_for_truth(generator.truth());
    assert!(daemon.stderr().contains("quotas.json: 7 limits"), "{}", daemon.stderr());

    work.file("quotas.json", "{\"Quotas\":[");
    let told = daemon.stderr().len();
    daemon.signal("HUP");
    wait_until(SOON, "a word about the broken file", || {
        let log = daemon.stderr();
        let has = |words: &str| log[told..].contains(words);
        (has("the old one stays in force") && has("quotas.json:1:11")).then_some(())
    });
    work.file("logs/two.log", generator.lines(20));
    daemon.wait_for_truth(generator.truth());

    work.file("quotas.json", EXPORT.replace("5000000.0", "-1.0"));
    assert_eq!(daemon.request("POST", "/-/reload").status, 200);
    assert!(daemon.stderr()[told..].contains("quotas.json: 5 limits"), "{}", daemon.stderr());
    assert!(daemon.stderr()[told..].contains("its value is negative"), "{}", daemon.stderr());
}
