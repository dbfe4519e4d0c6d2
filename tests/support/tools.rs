//! Programs that a test would like to have: from the PATH, from the folder that `tests/run` names
//! in `TOLLKEEPER_TOOLS`, or from `target/tools/bin`, where `tests/tools` unpacks them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Finds a program; without it, says so on a line that begins with `skipped:`.
pub(crate) fn find(program: &str, test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin");
    let found = std::env::split_paths(&path)
        .chain(std::env::var_os("TOLLKEEPER_TOOLS").map(PathBuf::from))
        .chain(["/usr/sbin".into(), unpacked])
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    if found.is_none() {
        skipped(test, &format!("there is no `{program}`; tests/run fetches it"));
    }
    found
}

/// Says that a test did not run. Straight to stderr: what a passing test prints is not shown.
pub(crate) fn skipped(test: &str, reason: &str) {
    writeln!(std::io::stderr(), "skipped: {test}: {reason}").expect("stderr is open");
}

/// Runs a program to its end; panics with everything it said when it fails.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{command:?} does not start: {error}");
    });
    assert!(output.status.success(), "{}", describe(command, &output));
    output
}

/// Everything about a finished command, for a failure message.
pub(crate) fn describe(command: &Command, output: &Output) -> String {
    format!(
        "{command:?}: {}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
