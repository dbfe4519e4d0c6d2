//! What the ledger costs: commits, folds, and opening a year of hourly rollups.
//!
//! Run with `cargo bench --bench ledger`; `-- SERIES` sets the number of series of the year (50
//! without it). CPU time and memory are the kernel's own figures of this process.
#![expect(clippy::print_stdout, reason = "this is the report")]
#![expect(clippy::unwrap_used, reason = "a benchmark that can't go on has no result")]
#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "figures for people")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use tollkeeper::ledger::batch::{Entry, Group, OutputLimit, Rated, RatedBatch};
use tollkeeper::ledger::position::{LogId, LogPosition, Mark};
use tollkeeper::ledger::rollup::{HourCuts, Level, Retention};
use tollkeeper::ledger::state::{Ledger, Settings};
use tollkeeper::model::money::Usd;
use tollkeeper::model::names::{
    Approximations, Operation, Outcome, RecordKind, Route, ThrottleKind, Tier,
};
use tollkeeper::model::series::{ContextBand, SeriesKey};
use tollkeeper::model::span::Span;
use tollkeeper::model::time::{DAY_MS, HOUR_MS, UnixMillis};
use tollkeeper::model::tokens::ByClass;
use tollkeeper::price::{Price, RateCard};
use tollkeeper::store::LedgerStore;
use tollkeeper::store::ledger_store::Identity;
use tollkeeper::store::sled::SledEngine;
use tollkeeper::store::verify::verify;

const START: UnixMillis = UnixMillis(20_000 * DAY_MS);
const HOURS_PER_YEAR: i64 = 365 * 24;
const COMMITS: u64 = 500;
const SERIES_PER_COMMIT: u32 = 200;
/// Set in the process that only opens a ledger, so that its memory is that of opening.
const OPEN_DIR: &str = "TOLLKEEPER_BENCH_OPEN";

const SETTINGS: Settings = Settings {
    retention: Retention {
        minutes_ms: 48 * HOUR_MS,
        hours_ms: 400 * DAY_MS,
        days_ms: 1_825 * DAY_MS,
    },
    cuts: HourCuts::FULL_HOURS,
    window_ms: 6 * HOUR_MS,
    ids_max: 3_000_000,
    principals_max: 10_000,
    attribute_values_max: 10_000,
    series_max: 10_000,
};

fn main() {
    if let Some(dir) = std::env::var_os(OPEN_DIR) {
        report_opening(Path::new(&dir));
        return;
    }
    let series = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(50);
    let home = tempfile::tempdir().unwrap();
    commits(&home.path().join("commits"));
    year(&home.path().join("year"), series);
}

/// Commits that each touch many series, as a busy tail makes them.
fn commits(dir: &Path) {
    let (mut store, mut ledger) = open(dir);
    let groups: Vec<_> = (0..SERIES_PER_COMMIT).map(group).collect();
    let mut offset = 0;
    let mut spent = [(0.0, 0.0); 2];
    let mut folds = 0;
    for number in 0..COMMITS {
        let now = START.plus(i64::try_from(number).unwrap() * 100);
        let batch = batch(&groups, offset, now, now);
        offset = batch.span.to;
        add(&mut spent[0], || commit(&mut store, &mut ledger, &batch, now));
        if store.fold_is_due() || number + 1 == COMMITS {
            folds += 1;
            add(&mut spent[1], || store.fold(&ledger).unwrap());
        }
    }
    let [(wall, cpu), (fold_wall, fold_cpu)] = spent;
    println!(
        "commit of {SERIES_PER_COMMIT} series and ids, booking included: {:.3} ms wall, {:.3} ms CPU",
        wall * 1e3 / 500.0,
        cpu * 1e3 / 500.0
    );
    let count = f64::from(folds);
    println!(
        "fold ({folds} in {COMMITS} commits): {:.1} ms wall, {:.1} ms CPU each",
        fold_wall * 1e3 / count,
        fold_cpu * 1e3 / count
    );
}

/// A year of hourly rollups, read as history and folded.
fn year(dir: &Path, series: u32) {
    let (mut store, mut ledger) = open(dir);
    let groups: Vec<_> = (0..series).map(group).collect();
    let now = START.plus(HOURS_PER_YEAR * HOUR_MS);
    let mut offset = 0;
    let started = Instant::now();
    for hour in 0..HOURS_PER_YEAR {
        let batch = batch(&groups, offset, START.plus(hour * HOUR_MS), now);
        offset = batch.span.to;
        commit(&mut store, &mut ledger, &batch, now);
        if store.fold_is_due() {
            store.fold(&ledger).unwrap();
        }
    }
    store.fold(&ledger).unwrap();
    println!("a year of {series} series was made in {:.1} s", started.elapsed().as_secs_f64());
    drop(store);
    let bytes: u64 =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    println!("it takes {:.1} MB on disk", bytes as f64 / 1e6);
    let opened = Command::new(std::env::current_exe().unwrap()).env(OPEN_DIR, dir).status();
    assert!(opened.unwrap().success());
}

fn report_opening(dir: &Path) {
    let started = Instant::now();
    let (store, ledger) = open(dir);
    println!(
        "opening: {:.3} s wall, {:.3} s CPU, peak of memory {:.1} MB",
        started.elapsed().as_secs_f64(),
        cpu_seconds(),
        peak_megabytes()
    );
    let report = verify(&store, &ledger).unwrap();
    assert!(report.problems.is_empty());
    let rows: BTreeMap<Level, u64> = report.rows;
    println!(
        "verify: {:.2} s since start, peak of memory {:.1} MB, rows {rows:?}",
        started.elapsed().as_secs_f64(),
        peak_megabytes()
    );
}

fn add(spent: &mut (f64, f64), work: impl FnOnce()) {
    let (started, cpu) = (Instant::now(), cpu_seconds());
    work();
    spent.0 += started.elapsed().as_secs_f64();
    spent.1 += cpu_seconds() - cpu;
}

/// CPU time of all threads, in the nanoseconds of the scheduler.
fn cpu_seconds() -> f64 {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let nanoseconds = threads.filter_map(|thread| {
        let stat = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}

fn peak_megabytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
}

fn open(dir: &Path) -> (LedgerStore, Ledger) {
    let engine = SledEngine::open(dir).unwrap();
    let identity = Identity { seed: 1, created: START };
    LedgerStore::open(Box::new(engine), SETTINGS, identity).unwrap()
}

fn commit(store: &mut LedgerStore, ledger: &mut Ledger, batch: &RatedBatch, now: UnixMillis) {
    let mut booking = ledger.open_booking(now);
    ledger.book(&mut booking, batch, now, &store.stored_ids()).unwrap();
    let delta = ledger.close(booking);
    store.commit(&delta).unwrap();
    ledger.apply(&delta);
}

/// One call of every group at `at`.
fn batch(groups: &[Arc<Group>], from: u64, at: UnixMillis, now: UnixMillis) -> RatedBatch {
    let to = from + 1_000;
    let entries = (0..).zip(groups).map(|(place, _)| entry(place, from, at)).collect();
    let position = LogPosition {
        offset: to,
        marks: vec![Mark { at: to, hash: to }],
        seen_ms: now.0,
        ..LogPosition::default()
    };
    RatedBatch {
        source: "logs".to_owned(),
        log: LogId(1),
        span: Span { from, to },
        position: Arc::new(position),
        lost_bytes: 0,
        changes: vec![],
        rated: Rated { groups: groups.to_vec(), entries, ..Rated::default() },
    }
}

fn group(number: u32) -> Arc<Group> {
    Arc::new(Group {
        series: SeriesKey {
            provider: "aws.bedrock".to_owned(),
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            model: format!("anthropic.claude-{}", number % 10),
            route: Route::InRegion,
            geo: String::new(),
            tier: Tier::Standard,
            principal: format!("role/service-{number}"),
            attributes: vec![],
            context: ContextBand(0),
            item: String::new(),
        },
        model_id: String::new(),
        card: RateCard {
            prices: ByClass([Price::Priced(Usd(3_000_000)); 6]),
            approximations: Approximations::default(),
            valid: tollkeeper::price::Validity::ALWAYS,
            source: None,
        },
    })
}

fn entry(place: u32, from: u64, at: UnixMillis) -> Entry {
    let id = (from * 1_000 + u64::from(place)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Entry {
        group: place,
        at,
        id: Some(id),
        has_shared_id: false,
        is_told_elsewhere: false,
        kind: RecordKind::BedrockInvocation,
        operation: Operation::Converse,
        outcome: Outcome::Ok,
        error_code: None,
        retries_exhausted: None,
        throttle: ThrottleKind::Unknown,
        output_limit: OutputLimit::Tokens(100),
        stop_reason: None,
        empty: false,
        tokens: ByClass([4_502, 1_000, 0, 0, 0, 128]),
        reasoning_tokens: 0,
        latency_ms: Some(2_345),
        first_byte_ms: Some(345),
        reported_cost: None,
        approximations: Approximations::default(),
    }
}
