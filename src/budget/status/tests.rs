//! Where budgets stand: by hand, and whatever way the rows came.

use proptest::prelude::*;

use super::*;
use crate::budget::period::Cycle;
use crate::budget::tests::{any_sums, budget};
use crate::budget::track::MINUTES_MS;
use crate::budget::zone::Zone;
use crate::ledger::rollup::{Bucket, HourCuts, Level, QUARTER_MS};
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::time::{DAY_MS, HOUR_MS};

fn at(text: &str) -> UnixMillis {
    UnixMillis::parse_rfc3339(text).unwrap()
}

fn usd(dollars: i128) -> Amount {
    Amount::Usd(Usd(dollars * PICODOLLARS_PER_USD))
}

fn spend(track: &mut Track, level: Level, text: &str, dollars: i128) {
    let cuts = HourCuts::FULL_HOURS;
    let cost = Usd(dollars * PICODOLLARS_PER_USD);
    let sums = Sums { cost, tokens: 10, unpriced_tokens: 1, calls: 1, ..Sums::default() };
    track.add(Bucket::holding(level, at(text), cuts), &sums, cuts);
}

fn known(from: &str) -> Known {
    Known { from: Some(at(from)), ..Known::default() }
}

#[test]
fn a_month_in_berlin_begins_at_its_midnight_and_carries_over_what_was_left() {
    let mut month = budget(Cycle::Month { day: 1 }, 100);
    month.period.zone = Zone::named("Europe/Berlin").unwrap();
    let mut track = Track::default();
    spend(&mut track, Level::Hour, "2026-09-30T21:00:00Z", 1_000);
    spend(&mut track, Level::Hour, "2026-09-30T22:00:00Z", 30);
    spend(&mut track, Level::Hour, "2026-10-31T22:00:00Z", 10);
    spend(&mut track, Level::Hour, "2026-10-31T23:00:00Z", 5);
    spend(&mut track, Level::Minute, "2026-11-10T11:59:00Z", 15);
    spend(&mut track, Level::Minute, "2026-11-10T12:00:00Z", 20);
    let now = at("2026-11-10T11:59:30Z");
    let status = Status::of(&month, &track, &known("2026-09-01T00:00:00Z"), now);
    assert_eq!(status.period.start.second_text(), "2026-10-31T23:00:00Z");
    assert_eq!(status.period.end.second_text(), "2026-11-30T23:00:00Z");
    assert_eq!((status.limit, status.carried), (usd(100), usd(0)));
    assert_eq!((status.spent, status.remaining), (usd(20), usd(80)));
    assert_eq!((status.used_ratio, status.unpriced_ratio), (0.2, 0.1));
    month.carry_over = true;
    let status = Status::of(&month, &track, &known("2026-09-01T00:00:00Z"), now);
    // October left 60; what September left or overdrew does not matter.
    assert_eq!((status.limit, status.carried, status.remaining), (usd(160), usd(60), usd(140)));
    assert_eq!((status.used_ratio, status.unpriced_ratio), (0.125, 0.1));
    let rates: Vec<f64> = status.burns.iter().map(|burn| burn.rate).collect();
    assert!(rates.windows(2).all(|pair| pair[0] > pair[1]), "{rates:?}");
    // Who does not know all of October does not know what it left.
    let status = Status::of(&month, &track, &known("2026-10-02T00:00:00Z"), now);
    assert_eq!((status.limit, status.carried), (usd(100), usd(0)));
    // One minute later there is more, and one month later nothing of it.
    let status = Status::of(&month, &track, &known("2026-09-01T00:00:00Z"), now.plus(HOUR_MS));
    assert_eq!(status.spent, usd(40));
    let later = Status::of(&month, &track, &known("2026-09-01T00:00:00Z"), now.plus(31 * DAY_MS));
    assert_eq!((later.spent, later.carried), (usd(0), usd(60)));
}

#[test]
fn a_budget_that_is_used_up_says_since_when() {
    let day = budget(Cycle::Day, 100);
    let mut track = Track::default();
    spend(&mut track, Level::Hour, "2026-11-10T01:00:00Z", 60);
    spend(&mut track, Level::Minute, "2026-11-10T09:30:00Z", 39);
    let from = known("2026-11-01T00:00:00Z");
    let now = at("2026-11-10T12:00:00Z");
    let status = Status::of(&day, &track, &from, now);
    assert!(!status.is_exhausted());
    // 99 dollars in the 11 hours since the first row: the last one goes in 6 minutes and 40 seconds.
    let Exhaustion::At(when) = status.exhaustion else { panic!("{status:?}") };
    assert_eq!(when.second_text(), "2026-11-10T12:06:40Z");
    spend(&mut track, Level::Minute, "2026-11-10T09:31:00Z", 1);
    spend(&mut track, Level::Minute, "2026-11-10T09:40:00Z", 500);
    let status = Status::of(&day, &track, &from, now);
    assert!(status.is_exhausted());
    assert_eq!(status.exhaustion, Exhaustion::Since(at("2026-11-10T09:31:00Z")));
    assert_eq!((status.remaining, status.used_ratio), (usd(0), 6.0));
    // An earlier time, after a clock was set back, has the status of that time.
    let earlier = Status::of(&day, &track, &from, at("2026-11-10T09:30:59Z"));
    assert_eq!((earlier.spent, earlier.is_exhausted()), (usd(99), false));
    let next = Status::of(&day, &track, &from, at("2026-11-11T00:10:00Z"));
    assert_eq!((next.exhaustion, next.spent), (Exhaustion::Unknown, usd(0)));
}

#[test]
fn tokens_are_counted_with_and_without_a_price() {
    let tokens = Budget { limit: Amount::Tokens(40), ..budget(Cycle::Day, 1) };
    let mut track = Track::default();
    for _ in 0..3 {
        spend(&mut track, Level::Minute, "2026-11-10T09:30:00Z", 39);
    }
    let now = at("2026-11-10T10:00:00Z");
    let status = Status::of(&tokens, &track, &known("2026-11-01T00:00:00Z"), now);
    assert_eq!((status.spent, status.remaining), (Amount::Tokens(30), Amount::Tokens(10)));
    assert_eq!((status.used_ratio, status.sums.calls), (0.75, 3));
}

#[test]
fn a_row_that_was_longer_when_the_budget_came_is_told() {
    let mut day = budget(Cycle::Day, 100);
    day.period.zone = Zone::named("Asia/Kolkata").unwrap();
    let mut track = Track::default();
    spend(&mut track, Level::Hour, "2026-11-10T18:00:00Z", 7);
    let now = at("2026-11-11T10:00:00Z");
    let of = |cuts_from| {
        let known = Known { from: Some(UnixMillis(0)), cuts: day.period.cuts(), cuts_from };
        Status::of(&day, &track, &known, now)
    };
    let status = of(at("2026-11-11T00:00:00Z"));
    assert_eq!((status.spent, status.straddling.cost), (usd(0), Usd(7 * PICODOLLARS_PER_USD)));
    assert!(of(at("2026-11-10T00:00:00Z")).straddling.is_empty());
}

#[test]
fn a_rolling_budget_has_no_forecast_but_all_else() {
    let rolling = budget(Cycle::Rolling { ms: DAY_MS }, 100);
    let mut track = Track::default();
    spend(&mut track, Level::Hour, "2026-11-09T11:00:00Z", 1_000);
    spend(&mut track, Level::Hour, "2026-11-09T12:00:00Z", 50);
    let now = at("2026-11-10T12:30:00Z");
    let status = Status::of(&rolling, &track, &known("2026-11-01T00:00:00Z"), now);
    assert_eq!((status.spent, status.forecast), (usd(50), Err(NoForecast::Rolling)));
    assert_eq!(status.exhaustion, Exhaustion::Unknown);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A restart, a replay and records that come late change nothing but what is true: rows in any
    /// order and any pieces, with minutes made hours now or then, give the same status.
    #[test]
    fn the_way_that_rows_came_does_not_matter(
        rows in proptest::collection::vec((0i64..40 * 24 * 60, any_sums()), 0..60),
        order in any::<prop::sample::Index>(),
        settled_after in 0usize..60,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu"]),
        cycle in prop::sample::select(vec![
            Cycle::Hour,
            Cycle::Day,
            Cycle::Month { day: 3 },
            Cycle::Rolling { ms: 7 * DAY_MS },
        ]),
        now_minute in 39 * 24 * 60i64..40 * 24 * 60,
    ) {
        let start = at("2026-10-01T00:00:00Z");
        let now = start.plus(now_minute * 60_000 + 12_345);
        let mut plan = Budget { carry_over: true, ..budget(cycle, 1_000) };
        plan.period.zone = Zone::named(zone).unwrap();
        let cuts = plan.period.cuts();
        let known = Known { from: Some(start), cuts, cuts_from: UnixMillis(0) };
        let of = |ms| Bucket::holding(Level::Minute, start.plus(ms), cuts);
        let mut once = Track::default();
        for (minute, sums) in &rows {
            once.add(of(minute * 60_000), sums, cuts);
        }
        let mut other = Track::default();
        let pivot = if rows.is_empty() { 0 } else { order.index(rows.len()) };
        let turned = rows[pivot..].iter().chain(&rows[..pivot]).rev();
        for (place, (minute, sums)) in turned.enumerate() {
            if place == settled_after {
                other.settle(now.plus(-MINUTES_MS), start, cuts);
            }
            let tokens = Sums { tokens: sums.tokens, ..Sums::default() };
            other.add(of(minute * 60_000), &tokens, cuts);
            other.add(of(minute * 60_000 + 59_999), &Sums { tokens: 0, ..*sums }, cuts);
        }
        other.settle(now.plus(-MINUTES_MS), start, cuts);
        let (one, mut two) = (
            Status::of(&plan, &once, &known, now),
            Status::of(&plan, &other, &known, now),
        );
        // When a limit was crossed is told by the row: a minute, or the hour it went into.
        if let (Exhaustion::Since(minute), Exhaustion::Since(row)) = (one.exhaustion, two.exhaustion) {
            prop_assert!(row <= minute && minute.0 - row.0 < HOUR_MS.max(QUARTER_MS));
            two.exhaustion = one.exhaustion;
        }
        prop_assert_eq!(one, two);
    }
}
