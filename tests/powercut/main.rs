//! What is left of a ledger after a power cut, over the real engine and real file systems: every
//! acknowledged commit, whole, and at most the one that was being written.
//!
//! `TOLLKEEPER_POWERCUT_ROUNDS` sets how many rebuilds are tried (40 without it),
//! `TOLLKEEPER_POWERCUT_SEED` repeats a run. Tools that are not installed are looked for in the
//! folder that `TOLLKEEPER_TOOLS` names and where `tests/tools` unpacks them. What a machine can't do
//! is skipped with a line that says so.
#![expect(clippy::print_stdout, reason = "this is the report of a test without a harness")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; without a harness clippy does not see that it is one"
)]

mod image;
mod rebuild;
mod trace;
mod workload;

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

/// Set in the process that writes until it is killed or done: the ledger's folder.
const WRITER_DIR: &str = "TOLLKEEPER_POWERCUT_DIR";
/// Set in the same process: how many commits it makes.
const WRITER_COMMITS: &str = "TOLLKEEPER_POWERCUT_COMMITS";

/// What a case came to: a line for the report, or why it could not be tried.
enum Outcome {
    Passed(String),
    Skipped(String),
}

/// A small random generator (xorshift), so that a run can be repeated by its seed.
struct Random(u64);

impl Random {
    /// Returns a number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

fn main() {
    if let Some(dir) = std::env::var_os(WRITER_DIR) {
        workload::write(Path::new(&dir), number(WRITER_COMMITS).unwrap());
        return;
    }
    let seed = number("TOLLKEEPER_POWERCUT_SEED")
        .unwrap_or_else(|| RandomState::new().hash_one("seed") | 1);
    let rounds = number("TOLLKEEPER_POWERCUT_ROUNDS").unwrap_or(40);
    println!("powercut: seed {seed}, {rounds} rounds");
    let mut random = Random(seed);
    report("writes reordered between syncs", rebuild::run(rounds, &mut random));
    for file_system in image::FILE_SYSTEMS {
        let name = format!("image of a loop device, {}", file_system.name);
        report(&name, image::run(file_system, rounds.div_ceil(8), &mut random));
    }
}

fn report(name: &str, outcome: Outcome) {
    match outcome {
        Outcome::Passed(what) => println!("passed: {name}: {what}"),
        Outcome::Skipped(why) => println!("skipped: {name}: {why}"),
    }
}

/// Returns the path of a program; its name alone where it is found nowhere.
fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(std::env::var_os("TOLLKEEPER_TOOLS").map(PathBuf::from))
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .chain([Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin")])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| name.into())
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var_os(variable)?;
    Some(value.to_str().and_then(|value| value.parse().ok()).expect("a number"))
}
