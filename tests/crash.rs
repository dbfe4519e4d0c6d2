//! The real binary and kill -9: whatever happens, every record counts exactly once.
//!
//! A writer with rotations runs all the time, the daemon is killed at random moments, and a poller
//! looks on. `TOLLKEEPER_CRASH_ROUNDS` makes it longer, `TOLLKEEPER_CRASH_SEED` repeats a failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::float_arithmetic,
    clippy::print_stdout,
    dead_code,
    reason = "a test may stop, compares floats of /metrics, and uses a part of the support"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use support::daemon::{Daemon, run_arguments, stdout_of};
use support::http;
use support::log::{Call, Tokens};
use support::prometheus::{Labels, Scrape};
use support::random::{Random, number_from_environment, seed};
use support::rotation::{Logrotate, append, copy_truncate, gzip, open_log, with_suffix};
use support::truth::{Generator, Truth};
use support::wait::pause;
use support::work_dir::WorkDir;

const ROUNDS: u64 = 50;
const SEED: u64 = 0x7011;
/// How long a daemon lives at most before it is killed.
const LIFE_MS_MAX: u64 = 900;
/// How long the daemon is away at most.
const AWAY_MS_MAX: u64 = 120;
/// Counters of the process and not of the ledger: they begin anew with each start.
const OF_THE_PROCESS: &[&str] = &["process_", "tollkeeper_ledger_commit_duration_seconds"];

/// How a log is rotated.
enum Rotation {
    /// `a.log` becomes `a.log-7` and stays that.
    Dated,
    /// `a.log` becomes `a.log.1`, which becomes `a.log.2`, …, by the real logrotate.
    Logrotate { renaming: Logrotate, truncating: Logrotate },
}

/// One log that is written and rotated.
struct Writer {
    path: PathBuf,
    file: File,
    rotation: Rotation,
    /// Rotated files of [`Rotation::Dated`] that are not compressed yet, the oldest first.
    plain: Vec<PathBuf>,
    rotations: u64,
    generator: Generator,
    random: Random,
}

impl Writer {
    fn new(path: PathBuf, name: &str, rotation: Rotation, seed: u64) -> Self {
        Self {
            file: open_log(&path),
            path,
            rotation,
            plain: Vec::new(),
            rotations: 0,
            generator: Generator::new(name, seed),
            random: Random::new(seed ^ 0x5eed),
        }
    }

    fn write(&mut self, text: &str) {
        self.file.write_all(text.as_bytes()).expect("a log can be written");
    }

    /// One thing that happens to a log; most often it grows.
    fn act(&mut self) {
        match self.random.range(0, 100) {
            0..70 => self.write_lines(),
            70..92 => self.write_halves(),
            92..95 => self.rename(),
            95..98 => self.truncate(),
            _ => self.compress(),
        }
    }

    fn write_lines(&mut self) {
        let count = usize::try_from(self.random.range(1, 60)).unwrap();
        let text = self.generator.lines(count);
        self.write(&text);
    }

    /// A line that is there in two pieces, with time between them for the daemon to read or to die.
    fn write_halves(&mut self) {
        let line = self.generator.line();
        let cut = usize::try_from(self.random.range(0, line.len() as u64 + 1)).unwrap();
        let (first, second) = line.as_bytes().split_at(cut);
        self.file.write_all(first).expect("a log can be written");
        pause(Duration::from_millis(self.random.range(0, 12)));
        self.file.write_all(second).expect("a log can be written");
    }

    fn next_name(&mut self) -> PathBuf {
        self.rotations += 1;
        with_suffix(&self.path, &format!("-{:05}", self.rotations))
    }

    /// Rename and create, with the writer still busy in the old file for a while.
    fn rename(&mut self) {
        let moved = self.next_name();
        match &self.rotation {
            Rotation::Dated => {
                fs::rename(&self.path, &moved).expect("a log can be renamed");
                self.plain.push(moved);
            }
            Rotation::Logrotate { renaming, .. } => renaming.rotate(),
        }
        self.write_lines();
        pause(Duration::from_millis(self.random.range(0, 25)));
        self.write_halves();
        self.file = open_log(&self.path);
        self.write_lines();
    }

    /// Copy and truncate; nobody writes in between, so nothing may be lost.
    fn truncate(&mut self) {
        let copy = self.next_name();
        match &self.rotation {
            Rotation::Dated => {
                copy_truncate(&self.path, &copy);
                self.plain.push(copy);
            }
            Rotation::Logrotate { truncating, .. } => truncating.rotate(),
        }
        self.write_lines();
    }

    fn compress(&mut self) {
        if !self.plain.is_empty() {
            gzip(&self.plain.remove(0));
        }
    }
}

/// The writers of all logs on one thread, until told to stop.
fn write_until(stop: Arc<AtomicBool>, mut writers: Vec<Writer>) -> JoinHandle<Truth> {
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            for writer in &mut writers {
                writer.act();
            }
            pause(Duration::from_millis(3));
        }
        let mut truth = Truth::default();
        for writer in &writers {
            truth.add(writer.generator.truth());
        }
        truth
    })
}

/// Scrapes all the time, whichever daemon runs, and remembers every counter.
#[derive(Default)]
struct Poller {
    last: BTreeMap<(String, Labels), f64>,
    scrapes: u64,
    violations: Vec<String>,
}

impl Poller {
    fn look(&mut self, scrape: &Scrape) {
        self.scrapes += 1;
        let mut now = BTreeMap::new();
        for sample in &scrape.samples {
            let of_the_process = OF_THE_PROCESS.iter().any(|name| sample.name.starts_with(name));
            if scrape.is_cumulative(sample) && !of_the_process {
                now.insert((sample.name.clone(), sample.labels.clone()), sample.value);
            }
        }
        for (series, before) in &self.last {
            // A series that is away and comes back is for Prometheus as if it had begun anew.
            let after = now.get(series).copied().unwrap_or(0.0);
            if after < *before {
                self.violations.push(format!("{series:?} fell from {before} to {after}"));
            }
        }
        self.last = now;
    }
}

/// Where the poller finds the daemon; nothing while there is none.
type Address = Arc<Mutex<Option<String>>>;

fn poll_until(stop: Arc<AtomicBool>, address: Address) -> JoinHandle<Poller> {
    thread::spawn(move || {
        let mut poller = Poller::default();
        while !stop.load(Ordering::Relaxed) {
            let known = address.lock().unwrap().clone();
            // A daemon that dies cuts its answer off; that is no answer.
            match known.map(|address| http::request("GET", &address, "/metrics")) {
                Some(Ok(answer)) if answer.status == 200 => {
                    poller.look(&Scrape::parse(&answer.body));
                }
                _ => pause(Duration::from_millis(1)),
            }
        }
        poller
    })
}

/// Lets a daemon live for a while, then kills it.
fn live_and_die(arguments: &[&std::ffi::OsStr], life: Duration, address: &Address) {
    let start = Instant::now();
    let daemon = Daemon::spawn(arguments);
    while start.elapsed() < life {
        if address.lock().unwrap().is_none() {
            *address.lock().unwrap() = daemon.address();
        }
        pause(Duration::from_millis(1));
    }
    let stderr = daemon.kill_9();
    *address.lock().unwrap() = None;
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn writers_in(logs: &Path, scratch: &Path, seed: u64) -> Vec<Writer> {
    let dated = logs.join("dated.log");
    let mut writers = vec![Writer::new(dated, "d", Rotation::Dated, seed)];
    let shifted = logs.join("shifted.log");
    append(&shifted, "");
    // Two configurations of one log: how it is rotated differs from time to time.
    let variant = |name: &str, directives: &[&str]| {
        let mut all = vec!["rotate 100000", "missingok", "ifempty"];
        all.extend(directives);
        let folder = scratch.join(name);
        fs::create_dir_all(&folder).unwrap();
        Logrotate::new(&folder, "rotation by logrotate", &shifted, &all)
    };
    let renaming = variant("renaming", &["create", "compress", "delaycompress"]);
    let truncating = variant("truncating", &["copytruncate", "compress", "delaycompress"]);
    if let (Some(renaming), Some(truncating)) = (renaming, truncating) {
        let rotation = Rotation::Logrotate { renaming, truncating };
        writers.push(Writer::new(shifted, "s", rotation, seed ^ 0xff));
    }
    writers
}

#[test]
fn every_record_counts_once_through_kills_and_rotations() {
    let seed = seed("TOLLKEEPER_CRASH_SEED", SEED);
    let rounds = number_from_environment("TOLLKEEPER_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let work = WorkDir::new("crash");
    let (logs, ledger) = (work.folder("logs"), work.join("ledger"));
    let pattern = logs.join("*.log*");
    let arguments = run_arguments(&pattern, &ledger);

    let stop = Arc::new(AtomicBool::new(false));
    let stop_polling = Arc::new(AtomicBool::new(false));
    let address = Address::default();
    let writers = writers_in(&logs, &work.folder("scratch"), seed);
    let writing = write_until(Arc::clone(&stop), writers);
    let polling = poll_until(Arc::clone(&stop_polling), Arc::clone(&address));
    let mut random = Random::new(seed);
    for _ in 0..rounds {
        // One in four dies at its start: while the store opens and the files are found again.
        let life_max = if random.chance(25) { 80 } else { LIFE_MS_MAX };
        live_and_die(&arguments, Duration::from_millis(random.range(0, life_max)), &address);
        pause(Duration::from_millis(random.range(0, AWAY_MS_MAX)));
    }
    stop.store(true, Ordering::Relaxed);
    let truth = writing.join().expect("the writer does not panic");

    let daemon = Daemon::start(&pattern, &ledger);
    *address.lock().unwrap() = daemon.address();
    daemon.wait_for_truth(&truth);
    stop_polling.store(true, Ordering::Relaxed);
    let poller = polling.join().expect("the poller does not panic");
    assert!(poller.violations.is_empty(), "{}", poller.violations.join("\n"));
    assert!(poller.scrapes >= rounds, "only {} scrapes", poller.scrapes);
    let (status, _, stderr) = daemon.terminate();
    assert!(status.success(), "{status}: {stderr}");

    let command = ["check", "ledger"].map(std::ffi::OsStr::new);
    let report = stdout_of(&[
        command[0],
        command[1],
        ledger.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    truth.assert_in_ledger(&report);
    println!("{} lines, {} scrapes, {rounds} kills", truth.lines(), poller.scrapes);
}

/// Lines that a busy writer wrote, by model: how many, and their input tokens.
type ByModel = BTreeMap<String, (u64, u64)>;

const BUSY_LINES: u64 = 24_000;
/// Lines of one model: small, so that lines lost in one place cannot hide doubled ones in another.
const BUSY_LINES_PER_MODEL: u64 = 400;

fn busy_model(number: u64) -> String {
    format!("example.model-{:03}-v1:0", number / BUSY_LINES_PER_MODEL)
}

/// The line with this number. Its number is its count of tokens; no request id tells it apart.
fn busy_line(number: u64) -> String {
    let tokens = Tokens { input: number + 1, output: 1, ..Tokens::default() };
    Call { model_id: busy_model(number), tokens, ..Call::example() }.application_line()
}

fn by_model(numbers: impl Iterator<Item = u64>) -> ByModel {
    let mut models = ByModel::new();
    for number in numbers {
        let (lines, tokens) = models.entry(busy_model(number)).or_default();
        *lines += 1;
        *tokens += number + 1;
    }
    models
}

/// The numbers of the whole lines that some file still holds.
fn numbers_held(logs: &Path) -> BTreeSet<u64> {
    let numbers: BTreeMap<String, u64> =
        (0..BUSY_LINES).map(|number| (busy_line(number), number)).collect();
    let mut held = BTreeSet::new();
    for path in support::work_dir::files_under(logs) {
        let text = fs::read_to_string(path).expect("only text was written");
        // A copy that was taken while a line was being written may begin or end within a line.
        held.extend(text.split_inclusive('\n').filter_map(|line| numbers.get(line)));
    }
    held
}

#[test]
fn a_busy_writer_loses_only_what_no_file_held_when_its_log_is_truncated() {
    let seed = seed("TOLLKEEPER_CRASH_SEED", SEED);
    let mut random = Random::new(seed);
    let work = WorkDir::new("busy");
    let (logs, ledger) = (work.folder("logs"), work.join("ledger"));
    let (log, pattern) = (logs.join("app.log"), logs.join("app.log*"));
    append(&log, "");
    let path = log.clone();
    let writing = thread::spawn(move || {
        let mut file = open_log(&path);
        for number in 0..BUSY_LINES {
            file.write_all(busy_line(number).as_bytes()).expect("a log can be written");
            if number % 16 == 0 {
                pause(Duration::from_millis(1));
            }
        }
    });
    let mut rotations = 0;
    let mut daemon = Daemon::start(&pattern, &ledger);
    while !writing.is_finished() {
        pause(Duration::from_millis(random.range(20, 160)));
        rotations += 1;
        copy_truncate(&log, &with_suffix(&log, &format!("-{rotations:03}")));
        if random.chance(20) {
            daemon.kill_9();
            daemon = Daemon::start(&pattern, &ledger);
        }
    }
    writing.join().expect("the writer does not panic");

    let held = by_model(numbers_held(&logs).into_iter());
    let written = by_model(0..BUSY_LINES);
    let held_lines: u64 = held.values().map(|(lines, _)| lines).sum();
    daemon.wait_for_requests(held_lines);
    daemon.wait_for("an empty backlog", |scrape| {
        scrape.sum("tollkeeper_ingest_backlog_bytes", &[]) == 0.0
    });
    let scrape = daemon.scrape();
    for (model, (lines_written, tokens_written)) in &written {
        let labels = [("model", model.as_str())];
        let lines = scrape.count("tollkeeper_requests_total", &labels);
        let tokens = scrape.count(
            "tollkeeper_tokens_total",
            &[("model", model.as_str()), ("token_class", "input")],
        );
        let (lines_held, tokens_held) = held.get(model).copied().unwrap_or_default();
        assert!(
            (lines_held..=*lines_written).contains(&lines)
                && (tokens_held..=*tokens_written).contains(&tokens),
            "{model}: counted {lines} lines with {tokens} tokens; files hold {lines_held} with \
             {tokens_held}, {lines_written} with {tokens_written} were written"
        );
    }
    println!("{rotations} truncations, {held_lines} of {BUSY_LINES} lines held");
}
