//! Every seed of every target, which is also where findings are kept, through the function that is fuzzed.
//! So `cargo test` needs no fuzzer to see a finding come back, and sees when that function is broken.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and says where"
)]

mod harness;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every target with the small logs of `tests/golden/logs` that it starts from, one a line.
const TARGETS: &str = include_str!("targets.txt");

fn here(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// The files of a folder; none if there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Every target with its seeds.
fn targets() -> Vec<(&'static str, Vec<PathBuf>)> {
    let target = |line: &'static str| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let own = files(&here("tests/fuzz/seeds").join(name));
        (name, words.map(|log| here("tests/golden/logs").join(log)).chain(own).collect())
    };
    TARGETS.lines().map(target).collect()
}

#[test]
fn every_seed_of_every_target_holds() {
    for (target, seeds) in targets() {
        assert!(!seeds.is_empty(), "{target}");
        for path in seeds {
            // The name of a finding is the hash of its bytes: said before it fails.
            println!("{target}: {}", path.display());
            let data = fs::read(&path).unwrap();
            harness::ask(target, &data);
            // Each line also alone, where no line before it has taught the fast walk anything.
            data.split(|&byte| byte == b'\n').for_each(|line| harness::ask(target, line));
        }
    }
}

#[test]
fn every_small_log_is_a_seed_and_every_target_is_built() {
    let seeds: BTreeSet<PathBuf> = targets().into_iter().flat_map(|(_, seeds)| seeds).collect();
    for log in files(&here("tests/golden/logs")) {
        assert!(seeds.contains(&log), "{} is no seed", log.display());
    }
    let manifest = fs::read_to_string(here("tests/fuzz/Cargo.toml")).unwrap();
    let built: BTreeSet<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix(".rs\""))
        .collect();
    let named: BTreeSet<&str> = targets().iter().map(|(name, _)| *name).collect();
    assert_eq!(built, named);
    for folder in files(&here("tests/fuzz/seeds")) {
        assert!(
            named.contains(folder.file_name().unwrap().to_str().unwrap()),
            "{}",
            folder.display()
        );
    }
}
