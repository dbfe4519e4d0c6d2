//! Numbered commits, and the check that a ledger holds exactly the first so many of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use tollkeeper::ledger::batch::{Entry, Group, OutputLimit, Rated, RatedBatch};
use tollkeeper::ledger::position::{LogId, LogPosition, Mark};
use tollkeeper::ledger::rollup::{HourCuts, Retention};
use tollkeeper::ledger::state::{Ledger, Settings};
use tollkeeper::model::money::Usd;
use tollkeeper::model::names::{
    Approximations, Operation, Outcome, RecordKind, Route, ThrottleKind, Tier,
};
use tollkeeper::model::series::{ContextBand, SeriesKey};
use tollkeeper::model::span::Span;
use tollkeeper::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};
use tollkeeper::model::tokens::{ByClass, TokenClass};
use tollkeeper::price::{Price, RateCard, Validity};
use tollkeeper::store::LedgerStore;
use tollkeeper::store::ledger_store::Identity;
use tollkeeper::store::sled::SledEngine;
use tollkeeper::store::verify::verify;

const START: UnixMillis = UnixMillis(20_000 * DAY_MS);
/// Most calls of a commit.
const CALLS_MAX: u64 = 1_300;
const COMMITS_PER_FOLD: u64 = 7;
const SERIES: u64 = 10;
const LOGS: u64 = 3;
const BYTES_PER_COMMIT: u64 = 100;

const SETTINGS: Settings = Settings {
    retention: Retention { minutes_ms: 2 * HOUR_MS, hours_ms: 2 * DAY_MS, days_ms: 9 * DAY_MS },
    cuts: HourCuts::FULL_HOURS,
    window_ms: 6 * HOUR_MS,
    ids_max: 10_000_000,
    principals_max: 1_000,
    attribute_values_max: 1_000,
    series_max: 1_000,
};

/// Makes commits up to number `last` and prints each one that is acknowledged.
pub(crate) fn write(dir: &Path, last: u64) {
    let (mut store, mut ledger) = open(dir).unwrap();
    let mut stdout = std::io::stdout();
    for number in ledger.number() + 1..=last {
        commit(&mut store, &mut ledger, number).unwrap();
        writeln!(stdout, "ack {number}").unwrap();
        stdout.flush().unwrap();
        if number.is_multiple_of(COMMITS_PER_FOLD) {
            store.fold(&ledger).unwrap();
        }
    }
}

/// Returns the last number that `stdout` of a writer acknowledges in whole lines; 0 for none.
pub(crate) fn last_ack(stdout: &str) -> u64 {
    let whole = stdout.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let last = whole.lines().next_back().and_then(|line| line.strip_prefix("ack "));
    last.map_or(0, |number| number.parse().unwrap())
}

/// Checks that the ledger in `dir` holds every commit up to `acked`, at most one more, each in
/// whole, and that it goes on. Returns what is wrong.
pub(crate) fn check(dir: &Path, acked: u64) -> Result<(), String> {
    let (mut store, mut ledger) = open(dir)?;
    let number = ledger.number();
    if !(acked..=acked + 1).contains(&number) {
        return Err(format!("{acked} commits were acknowledged and {number} are there"));
    }
    compare(&store, &ledger)?;
    commit(&mut store, &mut ledger, number + 1)?;
    store.fold(&ledger).map_err(|error| error.to_string())?;
    drop(store);
    let (store, ledger) = open(dir)?;
    if ledger.number() != number + 1 {
        return Err("the commit after the power cut is lost".to_owned());
    }
    compare(&store, &ledger)
}

fn compare(store: &LedgerStore, ledger: &Ledger) -> Result<(), String> {
    let number = ledger.number();
    let mut tokens: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut offsets: BTreeMap<u64, u64> = BTreeMap::new();
    for commit in 1..=number {
        *offsets.entry(commit % LOGS).or_default() += BYTES_PER_COMMIT;
        for call in 0..calls(commit) {
            let sums = tokens.entry(format!("model-{}", (commit + call) % SERIES)).or_default();
            sums.0 += 1;
            sums.1 += commit * 1_000 + call;
        }
    }
    let found: BTreeMap<String, (u64, u64)> = ledger
        .totals()
        .map(|(_, key, sums)| {
            (key.model.clone(), (sums.requests.total(), sums.tokens.get(TokenClass::Input)))
        })
        .collect();
    let found_offsets: BTreeMap<u64, u64> =
        ledger.positions().iter().map(|(log, position)| (log.0, position.offset)).collect();
    let ids = u64::try_from(ledger.seen().len()).unwrap();
    let problems = verify(store, ledger).map_err(|error| error.to_string())?.problems;
    if found != tokens || found_offsets != offsets {
        return Err(format!("after {number} commits the sums are {found:?} {found_offsets:?}"));
    }
    // Ids of the first hours are forgotten in a long run, those of the last six are not.
    let recent: u64 = (number.saturating_sub(359)..=number).map(calls).sum();
    if ids < recent {
        return Err(format!("after {number} commits only {ids} ids are remembered"));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

fn open(dir: &Path) -> Result<(LedgerStore, Ledger), String> {
    let engine = SledEngine::open(dir).map_err(|error| error.to_string())?;
    let identity = Identity { seed: 1, created: START };
    LedgerStore::open(Box::new(engine), SETTINGS, identity).map_err(|error| error.to_string())
}

fn commit(store: &mut LedgerStore, ledger: &mut Ledger, number: u64) -> Result<(), String> {
    let now = START.plus(i64::try_from(number).unwrap() * MINUTE_MS);
    let mut booking = ledger.open_booking(now);
    let batch = batch(number, now);
    ledger
        .book(&mut booking, &batch, now, &store.stored_ids())
        .map_err(|error| error.to_string())?;
    let delta = ledger.close(booking);
    store.commit(&delta).map_err(|error| error.to_string())?;
    ledger.apply(&delta);
    Ok(())
}

/// Returns how many calls a commit has: some so many that their request ids fill pieces of their own.
fn calls(number: u64) -> u64 {
    match number {
        0 => 0,
        number if number.is_multiple_of(5) => CALLS_MAX,
        _ => 40,
    }
}

fn batch(number: u64, now: UnixMillis) -> RatedBatch {
    let log = number % LOGS;
    let before = (1..number).filter(|commit| commit % LOGS == log).count();
    let from = u64::try_from(before).unwrap() * BYTES_PER_COMMIT;
    let to = from + BYTES_PER_COMMIT;
    let mut rated = Rated::default();
    for call in 0..calls(number) {
        rated.groups.push(group((number + call) % SERIES));
        rated.entries.push(entry(number, call, now));
    }
    RatedBatch {
        source: "logs".to_owned(),
        log: LogId(log),
        span: Span { from, to },
        position: Arc::new(LogPosition {
            offset: to,
            marks: vec![Mark { at: to, hash: number }],
            ..LogPosition::default()
        }),
        lost_bytes: 0,
        changes: vec![],
        rated,
    }
}

fn group(series: u64) -> Arc<Group> {
    Arc::new(Group {
        series: SeriesKey {
            provider: "aws.bedrock".to_owned(),
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            model: format!("model-{series}"),
            route: Route::InRegion,
            geo: String::new(),
            tier: Tier::Standard,
            principal: "role/chat".to_owned(),
            attributes: vec![],
            context: ContextBand(0),
            item: String::new(),
        },
        model_id: String::new(),
        card: RateCard {
            prices: ByClass([Price::Priced(Usd(1)); 6]),
            approximations: Approximations::default(),
            valid: Validity::ALWAYS,
            source: None,
        },
    })
}

fn entry(number: u64, call: u64, at: UnixMillis) -> Entry {
    let mut tokens = ByClass([0; 6]);
    tokens.set(TokenClass::Input, u32::try_from(number * 1_000 + call).unwrap());
    let id = (number * CALLS_MAX + call).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Entry {
        group: u32::try_from(call).unwrap(),
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
        tokens,
        reasoning_tokens: 0,
        latency_ms: Some(1_000),
        first_byte_ms: None,
        reported_cost: None,
        approximations: Approximations::default(),
    }
}
