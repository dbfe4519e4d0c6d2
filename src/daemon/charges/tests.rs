//! Charges over restarts, kills, absences and clocks that are set, in a real ledger.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::budget::scope::{Label, Matcher, Scope};
use crate::charge::{Rate, Source};
use crate::config::SETTINGS_DEFAULT;
use crate::daemon::open_ledger;
use crate::ledger::meter::{Meter, Rules};
use crate::ledger::position::{LogId, LogPosition, Mark};
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::names::{Route, Tier};
use crate::model::series::{ContextBand, NONE, PROVIDER_BEDROCK, SeriesKey};
use crate::model::span::Span;
use crate::model::time::DAY_MS;
use crate::price::Book;
use crate::store::LedgerStore;
use crate::store::verify::verify;

const START: UnixMillis = UnixMillis(20_000 * DAY_MS);

fn usd(text: &str) -> Usd {
    Usd::parse_exact(text).unwrap()
}

fn item(name: &str, rate: Rate) -> Item {
    let key = SeriesKey {
        provider: PROVIDER_BEDROCK.to_owned(),
        account: NONE.to_owned(),
        region: NONE.to_owned(),
        model: NONE.to_owned(),
        route: Route::Unknown,
        geo: String::new(),
        tier: Tier::Standard,
        principal: NONE.to_owned(),
        attributes: Vec::new(),
        context: ContextBand::default(),
        item: name.to_owned(),
    };
    Item { key, rate, from: START.plus(-HOUR_MS), to: None }
}

/// A daemon without its threads.
struct Desk {
    store: LedgerStore,
    ledger: Ledger,
    charger: Charger,
}

impl Desk {
    fn start(dir: &Path, items: &[Item], now: UnixMillis) -> Self {
        let (store, ledger) = open_ledger(dir, SETTINGS_DEFAULT, now).unwrap();
        let charger = Charger::new(items.into(), &ledger, now);
        Self { store, ledger, charger }
    }

    /// One commit; tells whether there is more that is due.
    fn commit(&mut self, now: UnixMillis, batches: &[RatedBatch]) -> bool {
        let mut booking = self.ledger.open_booking(now);
        let is_more = self.charger.book_due(&mut booking, &self.ledger, now);
        for batch in batches {
            self.charger
                .book_batch(&mut self.ledger, &mut booking, batch, now, &self.store.stored_ids())
                .unwrap();
        }
        if !booking.is_empty() {
            let delta = self.ledger.close(booking);
            self.store.commit(&delta).unwrap();
            self.ledger.apply(&delta);
        }
        is_more
    }

    fn charge_all(&mut self, now: UnixMillis) {
        while self.commit(now, &[]) {}
    }

    fn cost_of(&self, item: &str) -> Usd {
        let of_item = self.ledger.totals().filter(|(_, key, _)| key.item == item);
        of_item.map(|(_, _, amounts)| amounts.charge).sum()
    }

    fn assert_sound(&self) {
        let report = verify(&self.store, &self.ledger).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }
}

fn rules() -> Rules {
    Rules {
        book: Arc::new(Book::shipped().unwrap()),
        models: Arc::new(BTreeMap::new()),
        provisioned: Arc::new(BTreeMap::new()),
        attributes: Arc::new([]),
        formats: Arc::new([]),
        seed: 1,
        ids: true,
        plain: false,
    }
}

/// Calls of two callers at `at`, with the ids `ids`.
fn batch(log: u64, from: u64, ids: std::ops::Range<u32>, at: UnixMillis) -> RatedBatch {
    let mut lines = String::new();
    for id in ids {
        let role = if id % 2 == 0 { "web" } else { "batch" };
        lines.push_str(&format!(
            "{{\"timestamp\":\"{}\",\"accountId\":\"111122223333\",\"region\":\"us-east-1\",\
             \"identity\":{{\"arn\":\"arn:aws:sts::111122223333:assumed-role/{role}/s\"}},\
             \"requestId\":\"r{id}\",\"operation\":\"Converse\",\"modelId\":\"amazon.nova-pro-v1:0\",\
             \"input\":{{\"inputTokenCount\":10}},\"output\":{{\"outputTokenCount\":5}},\
             \"schemaType\":\"ModelInvocationLog\",\"schemaVersion\":\"1.0\"}}\n",
            at.second_text()
        ));
    }
    let to = from + lines.len() as u64;
    RatedBatch {
        source: "logs".to_owned(),
        log: LogId(log),
        span: Span { from, to },
        position: Arc::new(LogPosition {
            path: format!("/log/{log}").into_bytes(),
            source: "logs".to_owned(),
            offset: to,
            marks: vec![Mark { at: to, hash: to }],
            ..LogPosition::default()
        }),
        lost_bytes: 0,
        changes: vec![],
        rated: Meter::new(rules()).rate(lines.as_bytes(), &[]),
    }
}

#[test]
fn days_without_the_daemon_are_charged_once_and_in_full() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("ledger");
    let items = [item("endpoint", Rate::Hourly(usd("0.6")))];
    let mut desk = Desk::start(&dir, &items, START);
    desk.charge_all(START);
    assert_eq!(desk.cost_of("endpoint"), usd("0.6"));
    desk.charge_all(START.plus(90_000));
    assert_eq!(desk.cost_of("endpoint"), usd("0.61"));
    // Killed: nothing is folded, and what was not committed is gone.
    let mut booking = desk.ledger.open_booking(START.plus(5 * MINUTE_MS));
    desk.charger.book_due(&mut booking, &desk.ledger, START.plus(5 * MINUTE_MS));
    assert!(!booking.is_empty());
    drop(desk);
    let back = START.plus(3 * DAY_MS);
    let mut desk = Desk::start(&dir, &items, back);
    let mut commits = 1;
    while desk.commit(back, &[]) {
        commits += 1;
    }
    // Three days of minutes, 1,500 to a commit.
    assert_eq!(commits, 3);
    assert_eq!(desk.cost_of("endpoint"), usd("43.8"));
    assert_eq!(desk.ledger.grand().charge, usd("43.8"));
    assert_eq!(desk.ledger.charged()["endpoint"], back);
    desk.store.fold(&desk.ledger).unwrap();
    desk.assert_sound();
    // The clock is set back by a day: nothing is charged until it has passed that time again.
    desk.charge_all(back.plus(-DAY_MS));
    drop(desk);
    let mut desk = Desk::start(&dir, &items, back.plus(-DAY_MS));
    desk.charge_all(back.plus(-DAY_MS));
    desk.charge_all(back);
    assert_eq!(desk.cost_of("endpoint"), usd("43.8"));
    // A reload with another price goes on from where it was.
    let dearer = [item("endpoint", Rate::Hourly(usd("6")))];
    desk.charger = Charger::new(dearer.as_slice().into(), &desk.ledger, back);
    desk.charge_all(back.plus(HOUR_MS / 60 * 10));
    assert_eq!(desk.cost_of("endpoint"), usd("44.8"));
    desk.assert_sound();
}

#[test]
fn a_clock_that_is_set_ahead_charges_nothing_until_a_record_is_as_late() {
    let dir = tempfile::tempdir().unwrap();
    let items = [item("endpoint", Rate::Hourly(usd("60")))];
    let mut desk = Desk::start(&dir.path().join("ledger"), &items, START);
    desk.charge_all(START);
    assert_eq!(desk.cost_of("endpoint"), usd("60"));
    let ahead = START.plus(7 * DAY_MS);
    desk.charge_all(ahead);
    desk.charge_all(ahead.plus(1_000));
    assert_eq!(desk.cost_of("endpoint"), usd("60"));
    // Neither an old record nor one of the far future says that the clock is right.
    desk.commit(ahead, &[batch(1, 0, 0..1, START), batch(2, 0, 1..2, START.plus(30 * DAY_MS))]);
    desk.charge_all(ahead);
    assert_eq!(desk.cost_of("endpoint"), usd("60"));
    desk.charge_all(START.plus(2 * MINUTE_MS));
    assert_eq!(desk.cost_of("endpoint"), usd("62"));
    // The machine has slept.
    desk.commit(ahead, &[batch(3, 0, 2..3, ahead)]);
    desk.charge_all(ahead);
    assert_eq!(desk.cost_of("endpoint"), usd("10140"));
    desk.assert_sound();
}

#[test]
fn calls_and_bytes_are_charged_once_with_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("ledger");
    let web = Matcher::new(Label::Principal, ["role/web"]);
    let items = [
        item("all", Rate::PerCall { usd: usd("0.5"), scope: Scope::default() }),
        item("web", Rate::PerCall { usd: usd("0.25"), scope: Scope { matchers: vec![web] } }),
        item(
            "bytes",
            Rate::PerGigabyte {
                usd: Usd(PICODOLLARS_PER_USD * 1_000_000_000),
                gigabyte: 1_000_000_000,
                source: Source("logs".to_owned()),
            },
        ),
    ];
    let mut desk = Desk::start(&dir, &items, START);
    let first = batch(1, 0, 0..10, START);
    let bytes = first.span.to;
    // The same calls in another file are duplicates, but bytes of a log all the same.
    let copy = batch(2, 0, 5..10, START);
    desk.commit(START, &[first.clone(), copy.clone()]);
    let read = bytes + copy.span.to;
    assert_eq!((desk.cost_of("all"), desk.cost_of("web")), (usd("5"), usd("1.25")));
    assert_eq!(desk.cost_of("bytes"), Usd(i128::from(read) * PICODOLLARS_PER_USD));
    // Before an item begins nothing is charged; late calls are of their own time.
    let old = batch(1, bytes, 10..12, START.plus(-2 * HOUR_MS));
    let late = batch(2, copy.span.to, 12..14, START.plus(-HOUR_MS / 2));
    // What is not committed is not charged, and is read again.
    let mut booking = desk.ledger.open_booking(START);
    desk.charger
        .book_batch(&mut desk.ledger, &mut booking, &late, START, &desk.store.stored_ids())
        .unwrap();
    drop(desk);
    let mut desk = Desk::start(&dir, &items, START);
    desk.commit(START, &[old, late.clone()]);
    assert_eq!((desk.cost_of("all"), desk.cost_of("web")), (usd("6"), usd("1.5")));
    let read = read + late.span.to - late.span.from;
    assert_eq!(desk.cost_of("bytes"), Usd(i128::from(read) * PICODOLLARS_PER_USD));
    assert_eq!(desk.ledger.grand().requests, 14);
    desk.store.fold(&desk.ledger).unwrap();
    desk.assert_sound();
}
