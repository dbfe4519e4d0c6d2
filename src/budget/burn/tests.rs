//! The table of the rules, and when they hold.

use proptest::prelude::*;

use super::*;
use crate::budget::amount::Sums;
use crate::budget::period::Cycle;
use crate::budget::tests::budget;
use crate::budget::track::Known;
use crate::ledger::rollup::{Bucket, HourCuts, Level};
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::time::UnixMillis;

const START: UnixMillis = UnixMillis(20_000 * DAY_MS);
const DOLLAR: i128 = PICODOLLARS_PER_USD;

/// Spends `per_minute` picodollars in each of the minutes before `now` that are in `ago`.
fn spend(track: &mut Track, now: UnixMillis, ago: std::ops::Range<i64>, per_minute: i128) {
    for minutes in ago {
        let bucket =
            Bucket::holding(Level::Minute, now.plus(-minutes * MINUTE_MS), HourCuts::FULL_HOURS);
        let sums = Sums { cost: Usd(per_minute), calls: 1, ..Sums::default() };
        track.add(bucket, &sums, HourCuts::FULL_HOURS);
    }
}

fn holding(budget: &Budget, track: &Track, now: UnixMillis) -> Vec<Urgency> {
    let known = Known { from: Some(START.plus(-90 * DAY_MS)), ..Known::default() };
    let status = Status::of(budget, track, &known, now);
    let verdicts = verdicts(budget, track, &status);
    verdicts.iter().filter(|verdict| verdict.holds).map(|verdict| verdict.rule.urgency).collect()
}

#[test]
fn the_rules_of_each_length_of_period_are_those_of_the_table() {
    let rows = |period_ms| -> Vec<(Urgency, String, i64, Option<i64>)> {
        let minutes = |ms: i64| ms / MINUTE_MS;
        rules(period_ms)
            .into_iter()
            .map(|rule| {
                let factor = format!("{:.2}", rule.factor.to_f64());
                (rule.urgency, factor, minutes(rule.long_ms), rule.short_ms.map(minutes))
            })
            .collect()
    };
    let table = |page: (&str, i64), ticket: (&str, i64, i64), notice: i64| {
        vec![
            (Urgency::Page, page.0.to_owned(), page.1, Some(5)),
            (Urgency::Ticket, ticket.0.to_owned(), ticket.1, Some(ticket.2)),
            (Urgency::Notice, "1.20".to_owned(), notice * 24 * 60, None),
        ]
    };
    assert_eq!(rows(90 * DAY_MS), table(("43.20", 60), ("18.00", 360, 30), 3));
    assert_eq!(rows(30 * DAY_MS), table(("14.40", 60), ("6.00", 360, 30), 3));
    assert_eq!(rows(31 * DAY_MS), table(("14.88", 60), ("6.20", 360, 30), 3));
    assert_eq!(rows(28 * DAY_MS), table(("14.40", 56), ("6.00", 336, 28), 2));
    assert_eq!(rows(7 * DAY_MS), table(("13.44", 15), ("6.00", 84, 7), 1));
    assert_eq!(rows(DAY_MS), table(("12.00", 15), ("5.00", 30, 5), 1));
    assert_eq!(rows(HOUR_MS), vec![]);
}

#[test]
fn a_rule_never_waits_until_half_of_the_budget_is_gone() {
    for minutes in 60..200_000 {
        for rule in rules(minutes * MINUTE_MS) {
            let Some(short_ms) = rule.short_ms else { continue };
            assert!(short_ms <= rule.long_ms && short_ms >= SHORT_MIN_MS, "{minutes} {rule:?}");
            let gone = ratio(
                i128::from(rule.factor.numerator) * i128::from(rule.long_ms),
                i128::from(rule.factor.denominator) * i128::from(minutes * MINUTE_MS),
            );
            assert!((0.02..=0.5).contains(&gone), "{minutes} {rule:?}: {gone}");
        }
    }
}

#[test]
fn two_percent_in_an_hour_page_if_the_last_minutes_confirm_it() {
    // A rolling month is exactly 30 days long, from the full hour on.
    let month = budget(Cycle::Rolling { ms: 30 * DAY_MS }, 3_000);
    let now = START.plus(30 * DAY_MS);
    let spend_of = |ago, cents: i128| {
        let mut track = Track::default();
        spend(&mut track, now, ago, cents * DOLLAR / 100);
        holding(&month, &track, now)
    };
    // 61 dollars in an hour are 2 % and a little: 101 cents a minute.
    assert_eq!(spend_of(0..61, 102), [Urgency::Page]);
    assert_eq!(spend_of(0..61, 95), []);
    // Over for ten minutes: the hour still says yes, the five minutes no.
    assert_eq!(spend_of(10..70, 150), []);
    // 150 dollars in six hours are 5 %; the last hour alone is far from 2 %.
    assert_eq!(spend_of(0..361, 43), [Urgency::Ticket]);
    assert_eq!(spend_of(0..361, 40), []);
}

#[test]
fn what_costs_less_than_the_floor_is_not_worth_telling() {
    let month = |dollars, floor: i128| Budget {
        floor: Usd(floor),
        ..budget(Cycle::Rolling { ms: 30 * DAY_MS }, dollars)
    };
    let now = START.plus(30 * DAY_MS);
    let mut track = Track::default();
    spend(&mut track, now, 0..61, DOLLAR / 100);
    // 61 cents of 10 dollars in an hour.
    assert_eq!(holding(&month(10, DOLLAR), &track, now), []);
    assert_eq!(holding(&month(10, DOLLAR / 2), &track, now), [Urgency::Page, Urgency::Ticket]);
    let tokens = Budget { limit: Amount::Tokens(100), ..month(10, DOLLAR) };
    assert_eq!(holding(&tokens, &track, now), []);
    let bucket = Bucket::holding(Level::Minute, now, HourCuts::FULL_HOURS);
    track.add(bucket, &Sums { tokens: 50, ..Sums::default() }, HourCuts::FULL_HOURS);
    assert_eq!(holding(&tokens, &track, now), [Urgency::Page, Urgency::Ticket]);
}

#[test]
fn a_notice_needs_days_above_the_pace_and_a_forecast_above_the_limit() {
    // April 2026 has 30 days; one dollar a day is the pace.
    let start = UnixMillis::parse_rfc3339("2026-04-01T00:00:00Z").unwrap();
    let month = budget(Cycle::Month { day: 1 }, 30);
    let now = start.plus(10 * DAY_MS);
    let at_pace = |percent: i128| {
        let mut track = Track::default();
        spend(&mut track, now, 0..10 * 24 * 60, DOLLAR * percent / 100 / 1_440);
        let known = Known { from: Some(start), ..Known::default() };
        let status = Status::of(&month, &track, &known, now);
        let verdicts = verdicts(&month, &track, &status);
        verdicts.iter().filter(|verdict| verdict.holds).map(|v| v.rule.urgency).collect::<Vec<_>>()
    };
    assert_eq!(at_pace(130), [Urgency::Notice]);
    // Over the limit at the end, but not by enough.
    assert_eq!(at_pace(110), []);
    // Three fast days of a slow month: the forecast stays below.
    let mut track = Track::default();
    spend(&mut track, now, 0..3 * 24 * 60, DOLLAR * 130 / 100 / 1_440);
    let known = Known { from: Some(start), ..Known::default() };
    let status = Status::of(&month, &track, &known, now);
    assert!(verdicts(&month, &track, &status).iter().all(|verdict| !verdict.holds));
}

proptest! {
    #[test]
    fn a_score_is_one_or_more_exactly_where_its_rule_holds(
        percent in 1_i128..400,
        minutes in 1_i64..5_000,
        dollars in 1_u32..200,
    ) {
        let start = UnixMillis::parse_rfc3339("2026-04-01T00:00:00Z").unwrap();
        let month = budget(Cycle::Month { day: 1 }, dollars.into());
        let now = start.plus(10 * DAY_MS);
        let mut track = Track::default();
        // A multiple of the pace that pages, so that some are just at it.
        let pace = i128::from(dollars) * DOLLAR * 144 * percent / (100 * 10 * 30 * 1_440);
        spend(&mut track, now, 0..minutes, pace);
        let known = Known { from: Some(start), ..Known::default() };
        let status = Status::of(&month, &track, &known, now);
        for verdict in verdicts(&month, &track, &status) {
            let score = verdict.score();
            prop_assert!(score.is_finite() && score >= 0.0, "{score}");
            prop_assert_eq!(score >= 1.0, verdict.holds, "{} {:?}", score, verdict);
        }
    }
}
