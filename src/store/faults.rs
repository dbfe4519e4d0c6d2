//! Tests of the store against a plain model: every commit fails once, the ledger is opened and
//! folded at any moment, and the numbers are always those of an uninterrupted run.

mod cases;
mod picture;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::StoreError;
use super::ledger_store::{Identity, LedgerStore};
use super::memory::{Disk, Failure, MemoryEngine};
use super::verify::verify;
use picture::{expected, picture};

use crate::ledger::alerts::AlertChange;
use crate::ledger::amounts::Row;
use crate::ledger::batch::{
    Entry, Group, Observation, OutputLimit, Rated, RatedBatch, SignalEntry,
};
use crate::ledger::booking::Booking;
use crate::ledger::delta::Ingest;
use crate::ledger::inflight::Inflight;
use crate::ledger::position::{LogId, LogPosition, Mark};
use crate::ledger::rollup::{HourCuts, Level, Retention};
use crate::ledger::state::{Ledger, Settings};
use crate::model::alert::{
    AlertKey, AlertName, AlertState, Brief, DeliveryResult, Notice, NoticeStatus, Phase, Severity,
};
use crate::model::money::Usd;
use crate::model::names::{
    Approximations, LineResult, Operation, Outcome, RecordKind, Reject, Route, ThrottleKind, Tier,
    UnpricedReason,
};
use crate::model::series::{ContextBand, SeriesKey};
use crate::model::signal::{Signal, SignalKey};
use crate::model::span::Span;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};
use crate::model::tokens::{ByClass, TokenClass};
use crate::price::{Price, RateCard};
use crate::query::Question;

const START: UnixMillis = UnixMillis(20_000 * DAY_MS);
const IDENTITY: Identity = Identity { seed: 7, created: START };
const SETTINGS: Settings = Settings {
    retention: Retention { minutes_ms: 6 * HOUR_MS, hours_ms: 3 * DAY_MS, days_ms: 9 * DAY_MS },
    cuts: HourCuts::FULL_HOURS.and_at(UnixMillis(HOUR_MS / 2)),
    window_ms: 6 * HOUR_MS,
    ids_max: 60,
    principals_max: 3,
    attribute_values_max: 100,
    series_max: 5,
};

/// One call of a run.
#[derive(Clone, Copy, Debug)]
struct Call {
    /// Below 6: the principal. The model is `principal % 2`.
    principal: u8,
    id: u16,
    age_ms: i64,
    tokens: u32,
}

/// One step of a run.
#[derive(Clone, Debug)]
enum Step {
    /// A batch of a log (below 4) is booked.
    Read { log: u64, calls: Vec<Call> },
    /// The clock moves on.
    Wait(i64),
    /// A log (below 4) is forgotten.
    Forget(u64),
    /// An alert (below 3) or the outbox changes.
    Alert { alert: u8, change: u8 },
    /// An item (below 3) costs picodollars, at a time this long ago.
    Charge { item: u8, cost: u32, age_ms: i64 },
    /// What is booked is committed.
    Commit,
    /// The journal is folded.
    Fold,
    /// The daemon is killed and starts again.
    Restart,
}

/// A daemon without its threads: what it reads is derived from the stored positions.
struct Run<'r> {
    disk: Disk,
    commits: Arc<Mutex<usize>>,
    fail: Option<(usize, Failure)>,
    steps: &'r [Step],
}

fn group(principal: u8) -> Arc<Group> {
    let mut prices = ByClass([Price::Priced(Usd(3)); 6]);
    prices.set(TokenClass::Output, Price::Unpriced(UnpricedReason::NoPriceForClass));
    Arc::new(Group {
        series: SeriesKey {
            provider: "p".to_owned(),
            account: "a".to_owned(),
            region: "r".to_owned(),
            model: format!("m{}", principal % 2),
            route: Route::InRegion,
            geo: String::new(),
            tier: Tier::Standard,
            principal: format!("role/{principal}"),
            attributes: vec![],
            context: ContextBand(0),
            item: String::new(),
        },
        model_id: "m".to_owned(),
        card: RateCard {
            prices,
            approximations: Approximations::default(),
            valid: crate::price::Validity::ALWAYS,
            source: None,
        },
    })
}

fn entry(call: &Call, place: u32, now: UnixMillis) -> Entry {
    let mut tokens = ByClass([0; 6]);
    tokens.set(TokenClass::Input, call.tokens);
    tokens.set(TokenClass::Output, 1);
    Entry {
        group: place,
        at: now.plus(-call.age_ms),
        id: Some(crate::model::hash::seeded_hash(&call.id.to_be_bytes(), 7)),
        has_shared_id: false,
        is_told_elsewhere: false,
        kind: RecordKind::Application,
        operation: Operation::Converse,
        outcome: if call.tokens.is_multiple_of(7) { Outcome::Throttled } else { Outcome::Ok },
        error_code: None,
        retries_exhausted: None,
        throttle: ThrottleKind::Unknown,
        output_limit: match call.tokens % 3 {
            0 => OutputLimit::Unknown,
            1 => OutputLimit::Unset,
            _ => OutputLimit::Tokens(call.tokens),
        },
        stop_reason: None,
        empty: false,
        tokens,
        reasoning_tokens: 0,
        latency_ms: call.tokens.is_multiple_of(2).then_some(call.tokens * 100),
        first_byte_ms: None,
        reported_cost: None,
        approximations: Approximations::default(),
    }
}

/// A signal that comes with each call, whether or not that is a duplicate.
fn signal(call: &Call, now: UnixMillis) -> SignalEntry {
    let key = SignalKey {
        signal: Signal::GatewayDuration,
        account: "a".to_owned(),
        region: "r".to_owned(),
        values: vec![path(call)],
    };
    SignalEntry {
        kind: RecordKind::ApiGateway,
        at: (!call.tokens.is_multiple_of(5)).then(|| now.plus(-call.age_ms)),
        id: None,
        observations: vec![Observation { key, count: 1, value: u64::from(call.tokens) }],
    }
}

fn path(call: &Call) -> String {
    format!("/{}", call.principal % 4)
}

/// The batch of a log that begins at `from`. Each call takes ten bytes, and one line is a reject.
fn batch(log: u64, from: u64, calls: &[Call], now: UnixMillis) -> RatedBatch {
    let to = from + 10 * calls.len() as u64 + 1;
    let mut rated = Rated::default();
    for (place, call) in (0..).zip(calls) {
        rated.groups.push(group(call.principal));
        rated.entries.push(entry(call, place, now));
        rated.signals.push(signal(call, now));
    }
    rated.rejected.add((None, LineResult::Rejected(Reject::InvalidJson)), 1);
    RatedBatch {
        source: "logs".to_owned(),
        log: LogId(log),
        span: Span { from, to },
        position: Arc::new(LogPosition {
            path: format!("/log/{log}").into_bytes(),
            offset: to,
            marks: vec![Mark { at: to, hash: to }],
            ..LogPosition::default()
        }),
        lost_bytes: 0,
        changes: vec![],
        rated,
    }
}

/// Returns the change that the step at `place` makes. Notices are numbered by the steps that queue them.
fn alert_change(alert: u8, change: u8, place: usize) -> AlertChange {
    let key = AlertKey::new(AlertName::SpendSpike, &[("model", &format!("m{alert}"))]);
    let since = START.plus(i64::try_from(place).unwrap());
    let brief = Brief { summary: format!("step {place}"), ..Brief::default() };
    let severity = Severity::Page;
    match change {
        0 => AlertChange::Set(key, AlertState { phase: Phase::Pending, severity, since, brief }),
        1 => AlertChange::Clear(key),
        2 => AlertChange::Queue(Arc::new(Notice {
            number: place as u64,
            route: format!("r{alert}"),
            status: NoticeStatus::Firing,
            key,
            severity,
            brief,
            since,
            fired: since,
            ended: None,
        })),
        // Mostly a notice that is there; sometimes one that is not.
        _ => AlertChange::Settle {
            number: place.saturating_sub(usize::from(change)) as u64,
            result: DeliveryResult::Delivered,
            at: since,
        },
    }
}

fn charge(booking: &mut Booking, item: u8, cost: u32, at: UnixMillis) {
    let name = format!("i{item}");
    let key = SeriesKey { item: name.clone(), ..group(0).series.clone() };
    booking.charge(&key, at, Usd(cost.into()));
    booking.charged_until(&name, at);
}

impl Run<'_> {
    fn open(&self, settings: Settings) -> Result<(LedgerStore, Ledger), StoreError> {
        let engine = MemoryEngine::failing(&self.disk, &self.commits, self.fail);
        LedgerStore::open(Box::new(engine), settings, IDENTITY)
    }

    /// Goes through all steps. After a failure it starts again at the step after the last durable
    /// commit, as a daemon reads again from the stored positions.
    fn go(&self, settings: Settings) -> (LedgerStore, Ledger) {
        let mut failures = 0;
        loop {
            match self.try_go(settings) {
                Ok(end) => return end,
                Err(_) => failures += 1,
            }
            assert_eq!(failures, 1, "only one commit fails");
        }
    }

    fn try_go(&self, settings: Settings) -> Result<(LedgerStore, Ledger), StoreError> {
        let (mut store, mut ledger) = self.open(settings)?;
        let mut at = self.step_after(ledger.number());
        'open: loop {
            let mut booking = ledger.open_booking(self.now(at));
            let mut folded = false;
            while let Some(step) = self.steps.get(at) {
                let now = self.now(at);
                at += 1;
                match step {
                    Step::Read { log, calls } => {
                        let from = self.offset(*log, at - 1);
                        ledger
                            .book(
                                &mut booking,
                                &batch(*log, from, calls, now),
                                now,
                                &store.stored_ids(),
                            )
                            .unwrap();
                    }
                    Step::Wait(_) => {}
                    Step::Forget(log) => ledger.forget(&mut booking, LogId(*log)),
                    Step::Alert { alert, change } => {
                        booking.change_alerts(vec![alert_change(*alert, *change, at - 1)]);
                    }
                    Step::Charge { item, cost, age_ms } => {
                        charge(&mut booking, *item, *cost, now.plus(-age_ms));
                    }
                    Step::Fold => folded = true,
                    Step::Commit => {
                        let delta = ledger.close(booking);
                        store.commit(&delta)?;
                        ledger.apply(&delta);
                        if folded {
                            store.fold(&ledger)?;
                        }
                        continue 'open;
                    }
                    Step::Restart => {
                        drop(store);
                        (store, ledger) = self.open(settings)?;
                        // What was booked since the last commit is read again.
                        let again = self.step_after(ledger.number());
                        booking = ledger.open_booking(self.now(again));
                        for (place, step) in self.steps.iter().enumerate().take(at).skip(again) {
                            let now = self.now(place);
                            match step {
                                Step::Read { log, calls } => {
                                    let from = self.offset(*log, place);
                                    let batch = batch(*log, from, calls, now);
                                    ledger
                                        .book(&mut booking, &batch, now, &store.stored_ids())
                                        .unwrap();
                                }
                                Step::Forget(log) => ledger.forget(&mut booking, LogId(*log)),
                                Step::Alert { alert, change } => booking
                                    .change_alerts(vec![alert_change(*alert, *change, place)]),
                                Step::Charge { item, cost, age_ms } => {
                                    charge(&mut booking, *item, *cost, now.plus(-age_ms));
                                }
                                _ => {}
                            }
                        }
                    }
                }
            }
            return Ok((store, ledger));
        }
    }

    /// The step after commit `number`.
    fn step_after(&self, number: u64) -> usize {
        let commits =
            self.steps.iter().enumerate().filter(|(_, step)| matches!(step, Step::Commit));
        let mut ends = commits.map(|(at, _)| at + 1);
        match usize::try_from(number).unwrap() {
            0 => 0,
            number => ends.nth(number - 1).unwrap(),
        }
    }

    fn now(&self, at: usize) -> UnixMillis {
        let waits = self.steps[..at].iter().map(|step| match step {
            Step::Wait(ms) => *ms,
            _ => 1_000,
        });
        START.plus(waits.sum())
    }

    fn offset(&self, log: u64, at: usize) -> u64 {
        let read = self.steps[..at].iter().map(|step| match step {
            Step::Read { log: other, calls } if *other == log => 10 * calls.len() as u64 + 1,
            _ => 0,
        });
        read.sum()
    }
}

/// Everything that a ledger holds in memory, to compare two of them in full.
fn all_of(ledger: &Ledger) -> impl PartialEq + std::fmt::Debug + use<> {
    let totals: Vec<_> = ledger
        .totals()
        .map(|(id, key, totals)| {
            (id, SeriesKey::clone(key), crate::ledger::amounts::Amounts::clone(totals))
        })
        .collect();
    let ingest: BTreeMap<String, Ingest> = ledger.ingest().clone();
    (
        (totals, ingest, ledger.overflow().clone(), ledger.positions().clone()),
        (ledger.seen().len(), ledger.seen().slices(), ledger.slices().to_vec()),
        (ledger.horizons(), ledger.newest(), ledger.grand().clone(), ledger.number()),
        (ledger.alerts().clone(), ledger.charged().clone()),
    )
}

fn sums_of_rows(store: &LedgerStore) -> BTreeMap<u32, Row> {
    let mut sums: BTreeMap<u32, Row> = BTreeMap::new();
    for level in [Level::Minute, Level::Hour, Level::Day, Level::Ever] {
        store
            .rows(level, UnixMillis(0), START.plus(1_000 * DAY_MS), |_, series, row| {
                sums.entry(series.0).or_default().merge(row);
            })
            .unwrap();
    }
    sums
}

/// The calls in flight of all minutes that are kept by the minute.
fn inflight_of(store: &LedgerStore, ledger: &Ledger) -> BTreeMap<(UnixMillis, u32), Inflight> {
    let mut sums: BTreeMap<(UnixMillis, u32), Inflight> = BTreeMap::new();
    let from = ledger.horizons().minutes_from;
    store
        .inflight(from, START.plus(1_000 * DAY_MS), |minute, series, piece| {
            sums.entry((minute, series.0)).or_default().merge(piece);
        })
        .unwrap();
    sums
}

/// Calls in flight are those of the minutes.
fn assert_inflight(store: &LedgerStore, ledger: &Ledger) {
    let mut calls: BTreeMap<(UnixMillis, u32), u64> = BTreeMap::new();
    let end = START.plus(1_000 * DAY_MS);
    store
        .rows(Level::Minute, ledger.horizons().minutes_from, end, |bucket, series, row| {
            *calls.entry((bucket.start(), series.0)).or_default() += row.outcomes.total();
        })
        .unwrap();
    calls.retain(|_, calls| *calls > 0);
    let mut found = BTreeMap::new();
    for (place, inflight) in inflight_of(store, ledger) {
        assert!(inflight.is_whole());
        found.insert(place, inflight.calls());
        let opened: u64 = inflight.opened.iter().map(|(_, load)| u64::from(load.calls)).sum();
        assert_eq!(opened, u64::from(inflight.unlimited) + inflight.outputs.total());
    }
    assert_eq!(found, calls);
}

fn assert_sound(store: &LedgerStore, ledger: &Ledger) {
    assert_eq!(verify(store, ledger).unwrap().problems, Vec::<String>::new());
    let totals: BTreeMap<u32, Row> =
        ledger.totals().map(|(id, _, totals)| (id.0, totals.row())).collect();
    assert_eq!(sums_of_rows(store), totals);
    assert_inflight(store, ledger);
    assert_usage(store, ledger);
}

/// Usage of all time, as whoever reads beside the writer finds it, is what was committed.
fn assert_usage(store: &LedgerStore, ledger: &Ledger) {
    let answer = store.history().usage(&Question::parse(&[], START).unwrap(), 0).unwrap();
    let (sums, grand) = (&answer.total.sums, ledger.grand());
    assert_eq!(answer.of.commit, ledger.number());
    assert_eq!((sums.requests(), sums.tokens), (grand.requests, grand.tokens));
    assert_eq!((sums.token_cost(), sums.charge), (grand.cost, grand.charge));
    assert_eq!((sums.unpriced, sums.reported), (grand.unpriced, grand.reported_cost));
}

fn calls(ids: u16) -> impl Strategy<Value = Vec<Call>> {
    let age = prop_oneof![
        4 => 0..HOUR_MS,
        2 => 0..2 * DAY_MS,
        1 => 0..20 * DAY_MS,
        1 => -3 * HOUR_MS..0,
    ];
    let call = (0u8..6, 0..ids, age, 0u32..5_000)
        .prop_map(|(principal, id, age_ms, tokens)| Call { principal, id, age_ms, tokens });
    prop::collection::vec(call, 0..12)
}

fn steps(ids: u16) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u64..4, calls(ids)).prop_map(|(log, calls)| Step::Read { log, calls }),
        2 => (MINUTE_MS..2 * DAY_MS).prop_map(Step::Wait),
        1 => (0u64..4).prop_map(Step::Forget),
        1 => (0u8..3, 0u32..9_000, 0..20 * DAY_MS)
            .prop_map(|(item, cost, age_ms)| Step::Charge { item, cost, age_ms }),
        2 => (0u8..3, 0u8..9).prop_map(|(alert, change)| Step::Alert { alert, change }),
        4 => Just(Step::Commit),
        2 => Just(Step::Fold),
        2 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40).prop_map(|mut steps| {
        steps.extend([Step::Commit]);
        steps
    })
}

fn run(steps: &[Step], fail: Option<(usize, Failure)>) -> Run<'_> {
    Run { disk: Disk::default(), commits: Arc::default(), fail, steps }
}

/// Ids without a cap: what is a duplicate does not depend on slices.
const UNCAPPED: Settings = Settings { ids_max: 1_000_000, window_ms: 1_000 * DAY_MS, ..SETTINGS };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_order_of_commits_folds_and_restarts_gives_the_plain_sums(steps in steps(200)) {
        let (store, ledger) = run(&steps, None).go(UNCAPPED);
        prop_assert_eq!(picture(&ledger), expected(&steps));
        assert_sound(&store, &ledger);
    }

    #[test]
    fn a_restart_and_a_fold_change_nothing(steps in steps(200)) {
        let plain: Vec<Step> = steps
            .iter()
            .map(|step| match step {
                // The same time passes, so that the clocks agree.
                Step::Fold | Step::Restart => Step::Wait(1_000),
                step => step.clone(),
            })
            .collect();
        let (store, ledger) = run(&steps, None).go(SETTINGS);
        let (plain_store, plain_ledger) = run(&plain, None).go(SETTINGS);
        prop_assert_eq!(all_of(&ledger), all_of(&plain_ledger));
        assert_sound(&store, &ledger);
        prop_assert_eq!(sums_of_rows(&store), sums_of_rows(&plain_store));
        prop_assert_eq!(inflight_of(&store, &ledger), inflight_of(&plain_store, &plain_ledger));
    }

    #[test]
    fn each_commit_may_fail_once_and_nothing_is_lost_or_doubled(steps in steps(120)) {
        let whole = run(&steps, None);
        let (whole_store, whole_ledger) = whole.go(SETTINGS);
        let whole_inflight = inflight_of(&whole_store, &whole_ledger);
        let commits = *whole.commits.lock().unwrap();
        for number in 0..commits {
            for failure in [Failure::Before, Failure::After] {
                let failing = run(&steps, Some((number, failure)));
                let (store, ledger) = failing.go(SETTINGS);
                prop_assert_eq!(all_of(&ledger), all_of(&whole_ledger), "{} {:?}", number, failure);
                prop_assert_eq!(&inflight_of(&store, &ledger), &whole_inflight);
                assert_sound(&store, &ledger);
            }
        }
    }
}
