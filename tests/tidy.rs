//! Properties of the source tree that neither the compiler nor clippy checks.
//!
//! Reads files and finds text in them, line by line; it knows no Rust grammar, so every rule is
//! about text that is easy to see. All violations are reported at once as `path:line: text`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test that can't read the tree may stop"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the order in which they may name each other: each one uses only those before it.
const LAYERS: &[&str] = &[
    "model", "decode", "price", "ledger", "quota", "budget", "charge", "plan", "watch", "query",
    "secret", "config", "store", "source", "metrics", "serve", "alert", "daemon", "cli",
];
/// How many of [`LAYERS`] are the core.
const CORE_LAYERS: usize = 10;
/// What the core must not name: I/O, clocks, threads, logging and the crates that bring them.
const SHELL_ONLY: &[&str] = &[
    "tokio::",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "sled::",
    "hyper::",
    "tracing::",
    "notify::",
    "Utc::now",
    "Local::now",
    "SystemTime",
    "Instant::now",
];
const FILE_LINES_MAX: usize = 600;
/// Files that may sleep: the one waiting helper, and the test that kills at random moments.
const MAY_SLEEP: &[&str] = &["tests/crash.rs", "tests/support/wait.rs", "tests/tidy.rs"];
/// Error texts may begin with these although they are not lowercase.
const PROPER_NAMES: &[&str] = &[
    "AWS",
    "HTTP",
    "JSON",
    "TOML",
    "CSV",
    "TLS",
    "YAML",
    "SIGHUP",
    "SIGTERM",
    "RFC",
    "UTF-8",
    "Prometheus",
];
/// Prefix of every metric name.
const METRIC_PREFIX: &str = "tollkeeper_";
/// What Prometheus adds to the name of a histogram.
const HISTOGRAM_SUFFIXES: &[&str] = &["_bucket", "_sum", "_count"];
/// Folders that are not part of the source.
const FOREIGN_FOLDERS: &[&str] = &["target", ".git", "corpus", "artifacts"];
/// Longer files are data, and are not searched for machine paths line by line by a person either.
const TEXT_BYTES_MAX: u64 = 4 << 20;

/// One file of the tree.
struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn is_rust_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder) && self.path.ends_with(".rs")
    }

    fn report(&self, index: usize, text: &str) -> String {
        format!("{}:{}: {text}", self.path, index + 1)
    }

    /// The lines with their index, without what a `//` comment says. A `//` inside a string
    /// (`http://`) cuts too much, which can only hide a violation on that line.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| {
            let code = line.find("//").map_or(line, |comment| &line[..comment]);
            (index, code)
        })
    }

    /// The lines of code in front of the unit tests.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code_lines().take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            let name = entry.file_name();
            if !FOREIGN_FOLDERS.iter().any(|foreign| name.to_str() == Some(foreign)) {
                walk(&entry.path(), found);
            }
        } else if kind.is_file() && entry.file_name() != ".git" {
            found.push(entry.path());
        }
    }
}

/// Every text file of the tree, in the order of their paths.
fn tree() -> Vec<Source> {
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .filter(|path| fs::metadata(path).unwrap().len() <= TEXT_BYTES_MAX)
        .filter_map(|path| {
            let text = String::from_utf8(fs::read(&path).unwrap()).ok()?;
            let path = path.strip_prefix(root()).unwrap().to_str()?.to_owned();
            Some(Source { path, text })
        })
        .collect()
}

fn rust_of<'t>(tree: &'t [Source], folder: &'t str) -> impl Iterator<Item = &'t Source> {
    tree.iter().filter(move |source| source.is_rust_in(folder))
}

fn expect_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// The module of the crate that a path under `src/` belongs to.
fn layer_of(path: &str) -> Option<usize> {
    let rest = path.strip_prefix("src/")?;
    let module = rest.split(['/', '.']).next()?;
    LAYERS.iter().position(|layer| *layer == module)
}

/// The words that follow each `crate::` of a line; for `crate::{a::X, b}` each of the group's.
fn modules_named(line: &str) -> Vec<&str> {
    let word = |text: &'_ str| -> usize {
        text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
    };
    let mut named = Vec::new();
    for (at, marker) in line.match_indices("crate::") {
        // `$crate::` and `some_crate::` are not paths from the root of this crate.
        if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &line[at + marker.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut first = true;
            for (index, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => first = true,
                    c if first && (c.is_alphabetic() || c == '_') => {
                        let tail = &group[index..];
                        named.push(&tail[..word(tail)]);
                        first = false;
                    }
                    _ => (),
                }
            }
        } else {
            named.push(&rest[..word(rest)]);
        }
    }
    named
}

fn layer_violations(source: &Source) -> Vec<String> {
    let Some(layer) = layer_of(&source.path) else { return Vec::new() };
    let mut violations = Vec::new();
    for (index, line) in source.code_lines() {
        for module in modules_named(line) {
            if LAYERS.iter().position(|known| *known == module).is_some_and(|named| named > layer) {
                let text = format!("`{}` must not use `{module}`", LAYERS[layer]);
                violations.push(source.report(index, &text));
            }
        }
    }
    if layer < CORE_LAYERS {
        for (index, line) in source.product_lines() {
            for forbidden in SHELL_ONLY.iter().filter(|text| line.contains(*text)) {
                let text = format!("`{}` is core and must not use `{forbidden}`", LAYERS[layer]);
                violations.push(source.report(index, &text));
            }
        }
    }
    violations
}

fn head_violations(source: &Source) -> Vec<String> {
    let wanted = if source.path.ends_with("/mod.rs") { 2 } else { 1 };
    let found = source.text.lines().take_while(|line| line.starts_with("//!")).count();
    if found >= wanted {
        return Vec::new();
    }
    vec![source.report(0, &format!("opens with {found} lines of `//!` where {wanted} are needed"))]
}

fn leftover_violations(source: &Source) -> Vec<String> {
    let mut violations = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for word in ["FIXME", "TODO"] {
            if line.contains(word) && !line.contains(&format!("{word}(#")) {
                violations.push(
                    source.report(index, &format!("`{word}` without an issue: `{word}(#12)`")),
                );
            }
        }
        for call in ["dbg!(", "todo!(", "unimplemented!("] {
            if line.contains(call) {
                violations.push(source.report(index, &format!("`{call}…)` is left over")));
            }
        }
    }
    violations
}

/// The texts of `#[error("…")]`, on one line or with the text on the next.
fn error_texts(source: &Source) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut texts = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(rest) = line.trim_start().strip_prefix("#[error(") else { continue };
        let (index, rest) = match (rest.is_empty(), lines.get(index + 1)) {
            (true, Some(next)) => (index + 1, next.trim_start()),
            _ => (index, rest),
        };
        let Some(text) = rest.strip_prefix('"') else { continue };
        let end = text
            .char_indices()
            .find(|&(at, c)| c == '"' && !text[..at].ends_with('\\'))
            .map_or(text.len(), |(at, _)| at);
        texts.push((index, &text[..end]));
    }
    texts
}

fn error_text_violations(source: &Source) -> Vec<String> {
    let mut violations = Vec::new();
    for (index, text) in error_texts(source) {
        let proper = PROPER_NAMES.iter().any(|name| text.starts_with(name));
        if text.starts_with(char::is_uppercase) && !proper {
            violations.push(source.report(index, "an error text begins in lowercase"));
        }
        if text.ends_with(['.', '!', ' ']) {
            violations.push(source.report(index, "an error text ends without a full stop"));
        }
    }
    violations
}

fn sleep_violations(source: &Source) -> Vec<String> {
    if MAY_SLEEP.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let sleeps = |line: &str| line.contains("thread::sleep") || line.contains("time::sleep(");
    let in_tests = source.path.starts_with("tests/");
    let first_test = source.product_lines().count();
    source
        .code_lines()
        .filter(|&(index, line)| (in_tests || index >= first_test) && sleeps(line))
        .map(|(index, _)| source.report(index, "tests wait for a condition, they don't sleep"))
        .collect()
}

fn length_violations(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![source.report(FILE_LINES_MAX, &format!("{lines} lines; {FILE_LINES_MAX} are allowed"))]
}

/// Paths that exist on one machine only. Put together here, so that this file has none of them.
fn machine_paths() -> [String; 3] {
    ["work", "root", "tmp/wt"].map(|folder| format!("/{folder}/"))
}

fn machine_path_violations(source: &Source) -> Vec<String> {
    let mut violations = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for path in machine_paths() {
            let stands_alone = |at: usize| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}*".contains(c))
            };
            if line.match_indices(&path).any(|(at, _)| stands_alone(at)) {
                violations
                    .push(source.report(index, &format!("names `{path}`, a path of one machine")));
            }
        }
    }
    violations
}

/// The metric names in a text: every word with the prefix. What stands behind a colon is part of
/// the name of a recording rule.
fn metric_names(text: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices(METRIC_PREFIX) {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || "_-:".contains(c)) {
            continue;
        }
        let rest = &text[at..];
        let end = rest
            .find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_')
            .unwrap_or(rest.len());
        // `tollkeeper_ingest_*` and `tollkeeper_budget_{limit,spent}_usd` name families in prose;
        // `tollkeeper_tokens_total{…}` is a selector.
        let follows = &rest[end..];
        let word = &rest[..end];
        if word.ends_with('_') || follows.starts_with('*') {
            continue;
        }
        names.insert(word);
    }
    names
}

fn is_known_metric(name: &str, known: &BTreeSet<&str>) -> bool {
    known.contains(name)
        || HISTOGRAM_SUFFIXES
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .any(|family| known.contains(family))
}

fn names_metrics(path: &str) -> bool {
    let ends = |extension: &str| {
        Path::new(path).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
    };
    path == "README.md"
        || (path.starts_with("dashboards/") && ends("json"))
        || (path.starts_with("alerts/") && (ends("yml") || ends("yaml") || ends("md")))
}

fn metric_name_violations(source: &Source, known: &BTreeSet<&str>) -> Vec<String> {
    source
        .text
        .lines()
        .enumerate()
        .flat_map(|(index, line)| {
            metric_names(line)
                .into_iter()
                .filter(|name| !is_known_metric(name, known))
                .map(|name| {
                    source.report(index, &format!("`{name}` is not in src/metrics/names.rs"))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The test files that the invariants of `src/lib.rs` name, like `tests/crash`.
fn tests_named(text: &str) -> Vec<(usize, &str)> {
    let mut named = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some(at) = rest.find("`tests/") {
            let from = &rest[at + 1..];
            let end = from.find('`').unwrap_or(from.len());
            named.push((index, &from[..end]));
            rest = &from[end..];
        }
    }
    named
}

#[test]
fn modules_name_only_modules_above_them_and_the_core_does_no_io() {
    let tree = tree();
    let violations: Vec<String> = rust_of(&tree, "src/").flat_map(layer_violations).collect();
    expect_none(&violations);
}

#[test]
fn lib_declares_the_modules_in_their_order() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let places: Vec<Option<usize>> =
        declared.iter().map(|module| LAYERS.iter().position(|layer| layer == module)).collect();
    assert!(!places.contains(&None), "a module without a layer in {declared:?}");
    assert!(places.is_sorted(), "{declared:?} is not in the order of {LAYERS:?}");
}

#[test]
fn every_file_says_what_lives_in_it() {
    let tree = tree();
    let violations: Vec<String> = ["src/", "tests/", "benches/"]
        .into_iter()
        .flat_map(|folder| rust_of(&tree, folder))
        .flat_map(head_violations)
        .collect();
    expect_none(&violations);
}

#[test]
fn nothing_is_left_over_from_the_work() {
    let tree = tree();
    let violations: Vec<String> = rust_of(&tree, "src/")
        .chain(rust_of(&tree, "tests/").filter(|source| source.path != "tests/tidy.rs"))
        .flat_map(leftover_violations)
        .collect();
    expect_none(&violations);
}

#[test]
fn error_texts_are_lowercase_and_without_full_stop() {
    let tree = tree();
    let violations: Vec<String> = rust_of(&tree, "src/").flat_map(error_text_violations).collect();
    expect_none(&violations);
}

#[test]
fn tests_do_not_sleep() {
    let tree = tree();
    let violations: Vec<String> =
        rust_of(&tree, "src/").chain(rust_of(&tree, "tests/")).flat_map(sleep_violations).collect();
    expect_none(&violations);
}

#[test]
fn files_are_short() {
    let tree = tree();
    let violations: Vec<String> = ["src/", "tests/", "benches/"]
        .into_iter()
        .flat_map(|folder| rust_of(&tree, folder))
        .flat_map(length_violations)
        .collect();
    expect_none(&violations);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let violations: Vec<String> = tree().iter().flat_map(machine_path_violations).collect();
    expect_none(&violations);
}

#[test]
fn every_metric_in_dashboards_alerts_and_readme_exists() {
    let tree = tree();
    let Some(names) = tree.iter().find(|source| source.path == "src/metrics/names.rs") else {
        println!("skipped: there is no src/metrics/names.rs to compare with");
        return;
    };
    let known = metric_names(&names.text);
    let violations: Vec<String> = tree
        .iter()
        .filter(|source| names_metrics(&source.path))
        .flat_map(|source| metric_name_violations(source, &known))
        .collect();
    expect_none(&violations);
}

#[test]
fn invariants_name_tests_that_exist() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let named = tests_named(&text);
    assert!(!named.is_empty(), "no invariant in src/lib.rs names a test");
    let violations: Vec<String> = named
        .into_iter()
        .filter(|(_, path)| {
            !root().join(path).exists() && !root().join(format!("{path}.rs")).exists()
        })
        .map(|(index, path)| format!("src/lib.rs:{}: `{path}` does not exist", index + 1))
        .collect();
    expect_none(&violations);
}

// From here: the rules themselves, on small texts.

fn lines_of(violations: &[String]) -> Vec<usize> {
    violations.iter().map(|line| line.split(':').nth(1).unwrap().parse().unwrap()).collect()
}

#[test]
fn the_layer_rule_sees_paths_groups_and_shell_crates() {
    for (path, text, lines) in [
        ("src/ledger/a.rs", "use crate::model::X;\nuse crate::store::Y;", vec![2]),
        ("src/ledger/a.rs", "use crate::{model::{A, b::C}, price, daemon::D};", vec![1]),
        ("src/ledger/a.rs", "// crate::store is not for us", vec![]),
        ("src/ledger/a.rs", "let a = crate::ledger::f(crate::cli::g());", vec![1]),
        ("src/daemon/a.rs", "use crate::store::Y; use tokio::sync;", vec![]),
        ("src/decode/a.rs", "use std::fs;\nlet t = Utc::now();", vec![1, 2]),
        ("src/decode/a.rs", "#[cfg(test)]\nmod tests { use std::fs; }", vec![]),
        ("src/decode/a.rs", "#[cfg(test)]\nmod tests { use crate::store::X; }", vec![2]),
        ("src/decode/a.rs", "$crate::model::x(); other_crate::store::y();", vec![]),
        ("src/main.rs", "use crate::cli;", vec![]),
    ] {
        assert_eq!(lines_of(&layer_violations(&Source::new(path, text))), lines, "{path}: {text}");
    }
}

#[test]
fn the_head_rule_wants_two_lines_of_a_folder() {
    for (path, text, count) in [
        ("src/a.rs", "//! One.\n", 0),
        ("src/a.rs", "use x;\n", 1),
        ("src/a/mod.rs", "//! One.\n\nuse x;", 1),
        ("src/a/mod.rs", "//! One.\n//! Two.\n", 0),
    ] {
        assert_eq!(head_violations(&Source::new(path, text)).len(), count, "{path}: {text}");
    }
}

#[test]
fn the_error_text_rule_reads_both_layouts() {
    for (text, lines) in [
        ("#[error(\"can't open `{path}`\")]", vec![]),
        ("#[error(\"Cannot open\")]", vec![1]),
        ("#[error(\"cannot open.\")]", vec![1]),
        ("#[error(\n    \"Cannot open\"\n)]", vec![2]),
        ("#[error(\"JSON is broken\")]", vec![]),
        ("#[error(\"`{0}` \\\"is\\\" bad\")]", vec![]),
        ("#[error(transparent)]", vec![]),
    ] {
        assert_eq!(
            lines_of(&error_text_violations(&Source::new("src/a.rs", text))),
            lines,
            "{text}"
        );
    }
}

#[test]
fn the_leftover_sleep_and_length_rules_find_their_lines() {
    let open = Source::new("src/a.rs", "// TODO: later\n// TODO(#12): later\ndbg!(x);\ntodo!()");
    assert_eq!(lines_of(&leftover_violations(&open)), [1, 3, 4]);
    let sleep = "fn f() {}\nstd::thread::sleep(x);\n#[cfg(test)]\nmod t { thread::sleep(x); }";
    assert_eq!(lines_of(&sleep_violations(&Source::new("src/a.rs", sleep))), [4]);
    assert_eq!(lines_of(&sleep_violations(&Source::new("tests/it/a.rs", sleep))), [2, 4]);
    assert_eq!(
        lines_of(&sleep_violations(&Source::new("tests/crash.rs", sleep))),
        Vec::<usize>::new()
    );
    let long = "x\n".repeat(FILE_LINES_MAX + 1);
    assert_eq!(lines_of(&length_violations(&Source::new("src/a.rs", &long))), [FILE_LINES_MAX + 1]);
    assert!(length_violations(&Source::new("src/a.rs", &long[2..])).is_empty());
}

#[test]
fn the_machine_path_rule_leaves_longer_paths_alone() {
    let [machine, ..] = machine_paths();
    for (line, found) in [
        (format!("see {machine}notes"), true),
        (format!("\"{machine}x\""), true),
        (format!("https://example.org{machine}x"), false),
        (format!("home{machine}x"), false),
        ("a path/to/something".to_owned(), false),
    ] {
        let violations = machine_path_violations(&Source::new("a.md", &line));
        assert_eq!(!violations.is_empty(), found, "{line}");
    }
}

#[test]
fn the_metric_rule_knows_histograms_and_leaves_prose_alone() {
    let known =
        metric_names("\"tollkeeper_requests_total\" \"tollkeeper_request_duration_seconds\"");
    for (line, unknown) in [
        ("rate(tollkeeper_requests_total{model=\"x\"}[5m])", vec![]),
        ("tollkeeper_request_duration_seconds_bucket", vec![]),
        ("tollkeeper_request_total", vec!["tollkeeper_request_total"]),
        ("all of tollkeeper_ingest_* and tollkeeper_budget_{limit,spent}_usd", vec![]),
        ("sum(tollkeeper_made_up)", vec!["tollkeeper_made_up"]),
        ("job:tollkeeper_made_up:sum", vec![]),
        ("my_tollkeeper_thing", vec![]),
    ] {
        let source = Source::new("alerts/a.yml", line);
        let found = metric_name_violations(&source, &known);
        assert_eq!(found.len(), unknown.len(), "{line}: {found:?}");
        assert!(unknown.iter().zip(&found).all(|(name, text)| text.contains(name)), "{found:?}");
    }
    assert_eq!(tests_named("a `tests/crash` b `tests/it/x.rs`").len(), 2);
}
