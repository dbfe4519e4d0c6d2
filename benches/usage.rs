//! What a question about usage costs: 90 days by the hour, by model and principal.
//!
//! Run with `cargo bench --bench usage`; `-- SERIES` sets the number of series (200 without it).
#![expect(clippy::print_stdout, reason = "this is the report")]
#![expect(clippy::unwrap_used, reason = "a benchmark that can't go on has no result")]
#![expect(clippy::float_arithmetic, reason = "figures for people")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

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
use tollkeeper::model::tokens::ByClass;
use tollkeeper::price::{Price, RateCard, Validity};
use tollkeeper::query::Question;
use tollkeeper::store::LedgerStore;
use tollkeeper::store::ledger_store::Identity;
use tollkeeper::store::sled::SledEngine;

const START: UnixMillis = UnixMillis(20_000 * DAY_MS);
const HOURS: i64 = 90 * 24;
/// Calls of a series in an hour, of two outcomes and several durations.
const CALLS: u32 = 3;
const ROUNDS: usize = 15;

const SETTINGS: Settings = Settings {
    retention: Retention { minutes_ms: 0, hours_ms: 400 * DAY_MS, days_ms: 1_825 * DAY_MS },
    cuts: HourCuts::FULL_HOURS,
    window_ms: 6 * HOUR_MS,
    ids_max: 1_000,
    principals_max: 10_000,
    attribute_values_max: 10_000,
    series_max: 10_000,
};

fn main() {
    let series = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(200);
    let home = tempfile::tempdir().unwrap();
    let store = fill(home.path(), series);
    let history = store.history();
    let now = START.plus(HOURS * HOUR_MS);
    for asked in [
        &[("by", "model,principal")][..],
        &[("by", "model,principal"), ("step", "day")],
        &[("by", "model"), ("step", "hour")],
        &[("by", "model"), ("model", "*-3"), ("step", "day")],
    ] {
        let since = ("since".to_owned(), "90d".to_owned());
        let asked = asked.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let parameters: Vec<_> = std::iter::once(since).chain(asked).collect();
        let question = Question::parse(&parameters, now).unwrap();
        let mut took: Vec<f64> = Vec::new();
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let answer = history.usage(&question, usize::MAX).unwrap();
            took.push(started.elapsed().as_secs_f64() * 1e3);
            assert!(!answer.groups.is_empty());
        }
        took.sort_by(f64::total_cmp);
        let (least, median) = (took.first().unwrap(), took.get(ROUNDS / 2).unwrap());
        println!("{parameters:?}: median {median:.1} ms, least {least:.1} ms");
    }
}

/// Makes a ledger of so many series, all of them used every hour.
fn fill(dir: &Path, series: u32) -> LedgerStore {
    let engine = SledEngine::open(dir).unwrap();
    let identity = Identity { seed: 1, created: START };
    let (mut store, mut ledger) = LedgerStore::open(Box::new(engine), SETTINGS, identity).unwrap();
    let groups: Vec<_> = (0..series).map(group).collect();
    let now = START.plus(HOURS * HOUR_MS);
    let mut offset = 0;
    for hour in 0..HOURS {
        let batch = batch(&groups, offset, START.plus(hour * HOUR_MS), now);
        offset = batch.span.to;
        commit(&mut store, &mut ledger, &batch, now);
        if store.fold_is_due() {
            store.fold(&ledger).unwrap();
        }
    }
    store.fold(&ledger).unwrap();
    store
}

fn commit(store: &mut LedgerStore, ledger: &mut Ledger, batch: &RatedBatch, now: UnixMillis) {
    let mut booking = ledger.open_booking(now);
    ledger.book(&mut booking, batch, now, &store.stored_ids()).unwrap();
    let delta = ledger.close(booking);
    store.commit(&delta).unwrap();
    ledger.apply(&delta);
}

fn batch(groups: &[Arc<Group>], from: u64, at: UnixMillis, now: UnixMillis) -> RatedBatch {
    let to = from + 1_000;
    let places = (0..).zip(groups).map(|(place, _)| place);
    let entries = places.flat_map(|place| (0..CALLS).map(move |call| entry(place, call, at)));
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
        rated: Rated { groups: groups.to_vec(), entries: entries.collect(), ..Rated::default() },
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
            principal: format!("role/service-{}", number / 10),
            attributes: vec![],
            context: ContextBand(0),
            item: String::new(),
        },
        model_id: String::new(),
        card: RateCard {
            prices: ByClass([Price::Priced(Usd(3_000_000)); 6]),
            approximations: Approximations::default(),
            valid: Validity::ALWAYS,
            source: None,
        },
    })
}

fn entry(place: u32, call: u32, hour: UnixMillis) -> Entry {
    Entry {
        group: place,
        at: hour.plus(i64::from(call) * MINUTE_MS),
        id: None,
        has_shared_id: false,
        is_told_elsewhere: false,
        kind: RecordKind::BedrockInvocation,
        operation: Operation::Converse,
        outcome: if call == 2 { Outcome::Throttled } else { Outcome::Ok },
        error_code: None,
        retries_exhausted: None,
        throttle: ThrottleKind::Unknown,
        output_limit: OutputLimit::Tokens(100),
        stop_reason: None,
        empty: false,
        tokens: ByClass([4_502 + place, 1_000, 0, 0, 0, 128]),
        reasoning_tokens: 0,
        latency_ms: Some(2_345 * (call + 1)),
        first_byte_ms: Some(345),
        reported_cost: None,
        approximations: Approximations::default(),
    }
}
