//! What a tracker says of pools whose records come late, in any order, or not at all.

use super::*;
use crate::ledger::inflight::{Load, Settled};
use crate::ledger::rollup::HourCuts;
use crate::model::names::{Route, Tier};
use crate::model::series::{ContextBand, PROVIDER_BEDROCK};
use crate::model::signal::Signal;
use crate::model::time::HOUR_MS;

const NOW: UnixMillis = UnixMillis(20_000 * DAY_MS + 12 * HOUR_MS);

fn key(account: &str, principal: &str) -> SeriesKey {
    SeriesKey {
        provider: PROVIDER_BEDROCK.to_owned(),
        account: account.to_owned(),
        region: "us-east-1".to_owned(),
        model: "amazon.nova-pro-v1:0".to_owned(),
        route: Route::Geo,
        geo: "us".to_owned(),
        tier: Tier::Standard,
        principal: principal.to_owned(),
        attributes: Vec::new(),
        context: ContextBand(0),
        item: String::new(),
    }
}

/// One call of a thousand tokens, three seconds long.
fn call() -> Inflight {
    let load = Load { calls: 1, unset: 0, input: 1_000, max_tokens: 5_000 };
    let settled = Settled { input: 1_000, output: 100 };
    Inflight { opened: vec![(10, load)], closed: vec![(13, load, settled)], ..Inflight::default() }
}

fn add(tracker: &mut Tracker, series: u32, minute: UnixMillis, limits: &Limits) {
    let bucket = Bucket::holding(Level::Minute, minute, HourCuts::default());
    let part = QuotaPart { input: 1_000, output: 100, ..QuotaPart::default() };
    tracker.add_row(SeriesId(series), bucket, &part, NOW);
    tracker.add_inflight(SeriesId(series), minute, &call(), limits, NOW);
}

/// Each account's last minute is that of its own records, so one whose clock is behind, or whose log comes late,
/// is not taken for idle.
#[test]
fn clocks_of_accounts_may_differ() {
    let limits = Limits::shipped().unwrap();
    let mut tracker = Tracker::default();
    for (series, account) in [(0, "1"), (1, "2"), (2, "3")] {
        tracker.learn(SeriesId(series), &key(account, "role/a"));
    }
    let minutes = |back: i64| NOW.plus(-back * MINUTE_MS);
    for (series, back) in [(0, 1), (1, 9), (2, 1)] {
        add(&mut tracker, series, minutes(back), &limits);
        add(&mut tracker, series, minutes(back - 1), &limits);
    }
    // One is ahead by half an hour: its minutes are not over, and count as the present one.
    add(&mut tracker, 2, minutes(-30), &limits);
    let found = tracker.evaluate(&limits, NOW);
    let used: Vec<_> = found
        .iter()
        .map(|status| (&*status.pool.account, status.minute.minute, status.minute.settled))
        .collect();
    assert_eq!(
        used,
        [("1", minutes(1), 1_100), ("2", minutes(9), 1_100), ("3", minutes(1), 1_100)]
    );
    let days = found.iter().map(|status| status.quotas[1].used).collect::<Vec<_>>();
    assert_eq!(days, [2_200, 2_200, 3_300]);
}

#[test]
fn the_order_of_what_is_added_and_what_is_forgotten_change_nothing() {
    let limits = Limits::shipped().unwrap();
    let build = |reverse: bool, settle: bool| {
        let mut tracker = Tracker::default();
        tracker.learn(SeriesId(0), &key("1", "role/a"));
        tracker.learn(SeriesId(1), &key("1", "role/b"));
        let mut rows: Vec<(u32, i64)> = (0..40).flat_map(|back| [(0, back), (1, back)]).collect();
        if reverse {
            rows.reverse();
        }
        for (series, back) in rows {
            add(&mut tracker, series, NOW.plus(-back * MINUTE_MS), &limits);
        }
        if settle {
            tracker.settle(NOW);
        }
        tracker.evaluate(&limits, NOW)
    };
    let plain = build(false, false);
    assert_eq!(plain.len(), 1);
    assert_eq!((plain[0].minute.settled, plain[0].minute.reserved_peak), (2_200, 12_000));
    assert_eq!(plain, build(true, false));
    assert_eq!(plain, build(true, true));
}

#[test]
fn a_pool_without_calls_is_idle_and_not_full() {
    let limits = Limits::shipped().unwrap();
    let mut tracker = Tracker::default();
    tracker.learn(SeriesId(0), &key("1", "role/a"));
    add(&mut tracker, 0, NOW.plus(-2 * MINUTE_MS), &limits);
    let later = NOW.plus(20 * MINUTE_MS);
    let found = tracker.evaluate(&limits, later);
    assert_eq!(found[0].minute.settled, 0);
    assert_eq!(found[0].quotas[0].headroom, Some(1.0));
}

fn signal(values: [&str; 3]) -> SignalKey {
    SignalKey {
        signal: Signal::CloudWatchRequests,
        account: "1".to_owned(),
        region: "us-east-1".to_owned(),
        values: values.map(str::to_owned).to_vec(),
    }
}

/// An invocation log may hold no throttled call; `CloudWatch` says when there were some.
#[test]
fn throttles_of_other_logs_are_explained_in_the_pool_of_their_calls() {
    let limits = Limits::shipped().unwrap();
    let mut tracker = Tracker::default();
    tracker.learn(SeriesId(0), &key("1", "role/a"));
    let model = "amazon.nova-pro-v1:0";
    tracker.learn_signal(SignalId(0), &signal([model, "geo", "throttled"]));
    tracker.learn_signal(SignalId(1), &signal([model, "geo", "ok"]));
    tracker.learn_signal(SignalId(2), &signal([model, "unknown", "throttled"]));
    for back in 1..4 {
        add(&mut tracker, 0, NOW.plus(-back * MINUTE_MS), &limits);
    }
    let minute = NOW.plus(-3 * MINUTE_MS);
    for id in [0, 1, 2] {
        tracker.add_signal(SignalId(id), minute, 5, NOW);
    }
    let found = tracker.evaluate(&limits, NOW.plus(1));
    assert_eq!(found.len(), 1);
    let told = |found: &[PoolStatus]| -> Vec<_> {
        let explained = found.iter().flat_map(|status| &status.explanations);
        explained.map(|one| (one.used.minute, one.used.throttled, one.elsewhere)).collect()
    };
    assert_eq!(told(&found), [(minute, 0, 5)]);
    // The log tells of three of the five, a moment later.
    let refused = Inflight { throttled: vec![(10, 3)], ..Inflight::default() };
    tracker.add_inflight(SeriesId(0), minute, &refused, &limits, NOW.plus(1_000));
    assert_eq!(told(&tracker.evaluate(&limits, NOW.plus(2_000))), [(minute, 0, 5)], "soon enough");
    let later = tracker.evaluate(&limits, NOW.plus(1 + EXPLAIN_EVERY_MS));
    assert_eq!(told(&later), [(minute, 3, 2)]);
    let again = tracker.evaluate(&limits, NOW.plus(2 + EXPLAIN_EVERY_MS));
    assert!(Arc::ptr_eq(&later[0].explanations[0], &again[0].explanations[0]), "nothing came");
    let gone = NOW.plus(10 * MINUTE_MS + KEPT_MS);
    tracker.settle(gone);
    assert_eq!(told(&tracker.evaluate(&limits, gone)), []);
}
