//! Tests of the store against a plain model: every commit fails once, the ledger is opened and
//! folded at any moment, and the numbers are always those of an uninterrupted run.

mod cases;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::StoreError;
use super::ledger_store::{Identity, LedgerStore};
use super::memory::{Disk, Failure, MemoryEngine};
use super::verify::verify;
use crate::ledger::alerts::AlertChange;
use crate::ledger::amounts::Row;
use crate::ledger::batch::{Entry, Group, Observation, Rated, RatedBatch, SignalEntry};
use crate::ledger::delta::Ingest;
use crate::ledger::position::{LogId, LogPosition, Mark};
use crate::ledger::rollup::{HourCuts, Level, Retention};
use crate::ledger::state::{Ledger, Settings};
use crate::model::alert::{
    AlertKey, AlertName, AlertState, Brief, DeliveryResult, Notice, NoticeStatus, Phase, Severity,
};
use crate::model::money::Usd;
use crate::model::names::{
    Approximations, Capped, LineResult, Operation, Outcome, RecordKind, Reject, Route, Tier,
    UnpricedReason,
};
use crate::model::series::{ContextBand, SeriesKey};
use crate::model::signal::{Signal, SignalKey};
use crate::model::span::Span;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};
use crate::model::tokens::{ByClass, TokenClass};
use crate::price::{Price, RateCard};

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
    /// What is booked is committed.
    Commit,
    /// The journal is folded.
    Fold,
    /// The daemon is killed and starts again.
    Restart,
}

/// What a ledger is compared by. Filled from a [`Ledger`], and by [`expected`] without one.
#[derive(Debug, Default, PartialEq)]
struct Picture {
    /// Calls, input tokens, unpriced output tokens and picodollars by model and principal.
    series: BTreeMap<(String, String), (u64, u64, u64, i128)>,
    /// Values of signals, and their sum, by path.
    signals: BTreeMap<String, (u64, u64)>,
    positions: BTreeMap<u64, u64>,
    /// Since when alerts are true, by alert.
    alerts: BTreeMap<String, i64>,
    notices: BTreeSet<u64>,
    delivered: u64,
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    bytes: u64,
    overflow: BTreeMap<Capped, u64>,
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
        outcome: Outcome::Ok,
        error_code: None,
        retries_exhausted: None,
        stop_reason: None,
        empty: false,
        tokens,
        reasoning_tokens: 0,
        latency_ms: Some(call.tokens),
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

fn picture(ledger: &Ledger) -> Picture {
    let mut picture = Picture::default();
    for (_, key, amounts) in ledger.totals() {
        let unpriced = amounts.unpriced.total();
        let cost: Usd = amounts.cost.0.iter().copied().sum();
        picture.series.insert(
            (key.model.clone(), key.principal.clone()),
            (amounts.requests.total(), amounts.tokens.get(TokenClass::Input), unpriced, cost.0),
        );
    }
    for (_, key, tally) in ledger.signals() {
        assert_eq!(tally.buckets.iter().sum::<u64>(), tally.count);
        picture.signals.insert(key.values.join(" "), (tally.count, tally.sum));
    }
    for (log, position) in ledger.positions() {
        picture.positions.insert(log.0, position.offset);
    }
    let alerts = ledger.alerts();
    for (key, state) in alerts.states() {
        picture.alerts.insert(key.labels["model"].clone(), state.since.0);
    }
    picture.notices = alerts.outbox().keys().copied().collect();
    picture.delivered = alerts.deliveries().values().map(|sent| sent.counts.total()).sum();
    let ingest = ledger.ingest().get("logs").cloned().unwrap_or_default();
    let lines = |result| ingest.lines.get((Some(RecordKind::Application), result));
    picture.accepted = lines(LineResult::Accepted);
    picture.duplicates = lines(LineResult::Duplicate);
    picture.rejected = ingest.lines.get((None, LineResult::Rejected(Reject::InvalidJson)));
    picture.bytes = ingest.bytes;
    picture.overflow = ledger.overflow().iter().collect();
    picture
}

impl Picture {
    /// Takes a change of the alert about `model`, made by the step at `place`.
    fn take(&mut self, model: String, change: &AlertChange, place: usize) {
        match change {
            AlertChange::Set(..) => {
                let since = START.plus(i64::try_from(place).unwrap());
                self.alerts.insert(model, since.0);
            }
            AlertChange::Clear(_) => {
                self.alerts.remove(&model);
            }
            AlertChange::Queue(_) => {
                self.notices.insert(place as u64);
            }
            AlertChange::Settle { number, .. } => {
                self.delivered += u64::from(self.notices.remove(number));
            }
        }
    }
}

/// Plain sums over the steps up to the last commit, and the ids that count as duplicates as far as
/// no cap of ids is reached.
fn expected(steps: &[Step]) -> Picture {
    let committed =
        steps.iter().rposition(|step| matches!(step, Step::Commit)).map_or(0, |at| at + 1);
    let mut picture = Picture::default();
    let mut ids = HashSet::new();
    let mut offsets: BTreeMap<u64, u64> = BTreeMap::new();
    let mut read = BTreeMap::new();
    let mut forgotten = BTreeSet::new();
    let mut principals = BTreeSet::new();
    let mut series = BTreeSet::new();
    for (place, step) in steps[..committed].iter().enumerate() {
        match step {
            Step::Alert { alert, change } => {
                let model = format!("m{alert}");
                picture.take(model, &alert_change(*alert, *change, place), place);
            }
            Step::Read { log, calls } => {
                let offset = offsets.entry(*log).or_default();
                *offset += 10 * calls.len() as u64 + 1;
                picture.bytes += 10 * calls.len() as u64 + 1;
                picture.rejected += 1;
                read.insert(*log, *offset);
                forgotten.remove(log);
                for call in calls {
                    let sums = picture.signals.entry(path(call)).or_default();
                    *sums = (sums.0 + 1, sums.1 + u64::from(call.tokens));
                    if !ids.insert(call.id) {
                        picture.duplicates += 1;
                        continue;
                    }
                    picture.accepted += 1;
                    let wanted =
                        (format!("m{}", call.principal % 2), format!("role/{}", call.principal));
                    let mut found = wanted.clone();
                    if !series.contains(&wanted) {
                        if principals.len() >= 3 && !principals.contains(&wanted.1) {
                            found.1 = "other".to_owned();
                            *picture.overflow.entry(Capped::Principal).or_default() += 1;
                        }
                        if series.len() >= 5 && !series.contains(&found) {
                            found = ("other".to_owned(), "other".to_owned());
                            *picture.overflow.entry(Capped::Series).or_default() += 1;
                        }
                        principals.insert(found.1.clone());
                        series.insert(found.clone());
                    }
                    let sums = picture.series.entry(found).or_default();
                    sums.0 += 1;
                    sums.1 += u64::from(call.tokens);
                    sums.2 += 1;
                    sums.3 += 3 * i128::from(call.tokens);
                }
            }
            Step::Forget(log) => {
                if picture.positions.contains_key(log) && !read.contains_key(log) {
                    forgotten.insert(*log);
                }
            }
            Step::Commit => {
                for log in std::mem::take(&mut forgotten) {
                    picture.positions.remove(&log);
                }
                picture.positions.append(&mut read);
            }
            Step::Wait(_) | Step::Fold | Step::Restart => {}
        }
    }
    picture
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
                        ledger.book(&mut booking, &batch(*log, from, calls, now), now).unwrap();
                    }
                    Step::Wait(_) => {}
                    Step::Forget(log) => ledger.forget(&mut booking, LogId(*log)),
                    Step::Alert { alert, change } => {
                        booking.change_alerts(vec![alert_change(*alert, *change, at - 1)]);
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
                                    ledger.book(&mut booking, &batch, now).unwrap();
                                }
                                Step::Forget(log) => ledger.forget(&mut booking, LogId(*log)),
                                Step::Alert { alert, change } => booking
                                    .change_alerts(vec![alert_change(*alert, *change, place)]),
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
        ledger.alerts().clone(),
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

fn assert_sound(store: &LedgerStore, ledger: &Ledger) {
    assert_eq!(verify(store, ledger).unwrap().problems, Vec::<String>::new());
    let totals: BTreeMap<u32, Row> =
        ledger.totals().map(|(id, _, totals)| (id.0, totals.row())).collect();
    assert_eq!(sums_of_rows(store), totals);
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
    }

    #[test]
    fn each_commit_may_fail_once_and_nothing_is_lost_or_doubled(steps in steps(120)) {
        let whole = run(&steps, None);
        let (_, whole_ledger) = whole.go(SETTINGS);
        let commits = *whole.commits.lock().unwrap();
        for number in 0..commits {
            for failure in [Failure::Before, Failure::After] {
                let failing = run(&steps, Some((number, failure)));
                let (store, ledger) = failing.go(SETTINGS);
                prop_assert_eq!(all_of(&ledger), all_of(&whole_ledger), "{} {:?}", number, failure);
                assert_sound(&store, &ledger);
            }
        }
    }
}
