//! Periods in every zone of the database, and in those that are odd, by hand.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::ledger::rollup::QUARTER_MS;

const FROM: i64 = 946_684_800_000; // 2000
const TO: i64 = 4_102_444_800_000; // 2100
const FRIDAY: i64 = 4;

fn period(zone: &str, kind: &str, start: i64) -> Period {
    let day = i8::try_from(start).unwrap();
    let cycle = match kind {
        "hour" => Cycle::Hour,
        "day" => Cycle::Day,
        "week" => Cycle::Week { first: Weekday::from_monday_zero_offset(day).unwrap() },
        "month" => Cycle::Month { day },
        "quarter" => Cycle::Quarter { day },
        _ => Cycle::Rolling { ms: start * DAY_MS },
    };
    Period { cycle, zone: Zone::named(zone).unwrap() }
}

fn at(text: &str) -> UnixMillis {
    UnixMillis::parse_rfc3339(text).unwrap()
}

/// From Python's `zoneinfo` with `tzdata` 2026.6 (2026f, as jiff's): the first minute of UTC whose local date is the one wanted, found by
/// trying every minute. Weekdays count from Monday, 0.
const BY_HAND: &[(&str, &str, i64, &str, &str, &str)] = &[
    (
        "Europe/Berlin",
        "day",
        0,
        "2026-03-29T12:00:00Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T22:00:00Z",
    ),
    (
        "Europe/Berlin",
        "day",
        0,
        "2026-10-25T00:30:00Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z",
    ),
    (
        "Europe/Berlin",
        "month",
        31,
        "2028-02-29T12:00:00Z",
        "2028-02-28T23:00:00Z",
        "2028-03-30T22:00:00Z",
    ),
    (
        "Europe/Berlin",
        "month",
        31,
        "2026-04-30T21:59:59Z",
        "2026-04-29T22:00:00Z",
        "2026-05-30T22:00:00Z",
    ),
    (
        "Europe/Berlin",
        "month",
        31,
        "2026-04-29T22:00:00Z",
        "2026-04-29T22:00:00Z",
        "2026-05-30T22:00:00Z",
    ),
    (
        "Europe/Berlin",
        "quarter",
        1,
        "2026-11-26T00:00:00Z",
        "2026-09-30T22:00:00Z",
        "2026-12-31T23:00:00Z",
    ),
    (
        "America/Santiago",
        "day",
        0,
        "2026-09-06T12:00:00Z",
        "2026-09-06T04:00:00Z",
        "2026-09-07T03:00:00Z",
    ),
    (
        "America/Santiago",
        "day",
        0,
        "2026-09-06T03:59:59Z",
        "2026-09-05T04:00:00Z",
        "2026-09-06T04:00:00Z",
    ),
    (
        "America/Santiago",
        "day",
        0,
        "2026-04-05T03:30:00Z",
        "2026-04-04T03:00:00Z",
        "2026-04-05T04:00:00Z",
    ),
    (
        "America/Santiago",
        "week",
        6,
        "2026-09-07T12:00:00Z",
        "2026-09-06T04:00:00Z",
        "2026-09-13T03:00:00Z",
    ),
    (
        "Asia/Kolkata",
        "month",
        1,
        "2026-11-26T12:00:00Z",
        "2026-10-31T18:30:00Z",
        "2026-11-30T18:30:00Z",
    ),
    (
        "Asia/Kolkata",
        "day",
        0,
        "2026-11-26T18:29:59Z",
        "2026-11-25T18:30:00Z",
        "2026-11-26T18:30:00Z",
    ),
    (
        "Asia/Kolkata",
        "day",
        0,
        "2026-11-26T18:30:00Z",
        "2026-11-26T18:30:00Z",
        "2026-11-27T18:30:00Z",
    ),
    (
        "Australia/Lord_Howe",
        "day",
        0,
        "2026-04-04T20:00:00Z",
        "2026-04-04T13:00:00Z",
        "2026-04-05T13:30:00Z",
    ),
    (
        "Australia/Lord_Howe",
        "day",
        0,
        "2026-10-03T16:00:00Z",
        "2026-10-03T13:30:00Z",
        "2026-10-04T13:00:00Z",
    ),
    (
        "America/Havana",
        "day",
        0,
        "2024-11-03T04:30:00Z",
        "2024-11-03T04:00:00Z",
        "2024-11-04T05:00:00Z",
    ),
    (
        "America/Havana",
        "day",
        0,
        "2024-11-03T05:30:00Z",
        "2024-11-03T04:00:00Z",
        "2024-11-04T05:00:00Z",
    ),
    (
        "America/Havana",
        "day",
        0,
        "2026-11-01T05:30:00Z",
        "2026-11-01T04:00:00Z",
        "2026-11-02T04:00:00Z",
    ),
    (
        "America/Havana",
        "day",
        0,
        "2026-03-08T12:00:00Z",
        "2026-03-08T05:00:00Z",
        "2026-03-09T04:00:00Z",
    ),
    (
        "America/Havana",
        "month",
        1,
        "2026-11-01T04:00:00Z",
        "2026-11-01T04:00:00Z",
        "2026-12-01T04:00:00Z",
    ),
    (
        "Pacific/Apia",
        "day",
        0,
        "2011-12-30T09:59:59Z",
        "2011-12-29T10:00:00Z",
        "2011-12-30T10:00:00Z",
    ),
    (
        "Pacific/Apia",
        "day",
        0,
        "2011-12-30T10:00:00Z",
        "2011-12-30T10:00:00Z",
        "2011-12-31T10:00:00Z",
    ),
    (
        "Pacific/Apia",
        "week",
        4,
        "2011-12-31T00:00:00Z",
        "2011-12-30T10:00:00Z",
        "2012-01-05T10:00:00Z",
    ),
    (
        "Pacific/Apia",
        "month",
        30,
        "2012-01-05T00:00:00Z",
        "2011-12-30T10:00:00Z",
        "2012-01-29T10:00:00Z",
    ),
    (
        "America/St_Johns",
        "day",
        0,
        "2010-11-07T02:30:30Z",
        "2010-11-07T02:30:00Z",
        "2010-11-08T03:30:00Z",
    ),
    (
        "America/St_Johns",
        "day",
        0,
        "2010-11-07T03:00:00Z",
        "2010-11-07T02:30:00Z",
        "2010-11-08T03:30:00Z",
    ),
    (
        "Asia/Kathmandu",
        "quarter",
        15,
        "2026-01-20T00:00:00Z",
        "2026-01-14T18:15:00Z",
        "2026-04-14T18:15:00Z",
    ),
    ("UTC", "week", 0, "2026-01-01T00:00:00Z", "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z"),
    ("UTC", "month", 29, "2100-02-28T12:00:00Z", "2100-02-28T00:00:00Z", "2100-03-29T00:00:00Z"),
    ("Asia/Gaza", "day", 0, "2011-04-01T12:00:00Z", "2011-03-31T22:00:00Z", "2011-04-01T21:00:00Z"),
];

#[test]
fn odd_midnights_are_those_of_an_independent_computation() {
    for (zone, kind, first, instant, start, end) in BY_HAND {
        let found = period(zone, kind, *first).holding(at(instant));
        let texts = (found.start.second_text(), found.end.second_text());
        assert_eq!(texts, ((*start).into(), (*end).into()), "{zone} {kind} {first} {instant}");
    }
}

#[test]
fn a_day_that_a_zone_left_out_has_no_period() {
    let days = period("Pacific/Apia", "day", 0);
    let before = days.holding(at("2011-12-30T09:00:00Z"));
    let after = days.holding(before.end);
    assert_eq!((before.length_ms(), after.length_ms()), (DAY_MS, DAY_MS));
    assert_eq!(days.zone.date(before.start).to_string(), "2011-12-29");
    assert_eq!(days.zone.date(after.start).to_string(), "2011-12-31");
    // The Friday that never was begins on Saturday.
    let weeks = period("Pacific/Apia", "week", FRIDAY);
    assert_eq!(weeks.holding(after.start).start, after.start);
}

#[test]
fn an_hour_is_cut_where_the_clock_is_set_by_half_an_hour() {
    let hours = period("Australia/Lord_Howe", "hour", 0);
    // At 02:00 of 5 April 2026 the clock goes back to 01:30: 15:00 UTC.
    let mut lengths = Vec::new();
    let mut hour = hours.holding(at("2026-04-04T13:00:00Z"));
    for _ in 0..4 {
        lengths.push((hour.start.second_text(), hour.length_ms() / MINUTE_MS));
        hour = hours.holding(hour.end);
    }
    let expected = [
        ("2026-04-04T13:00:00Z", 60),
        ("2026-04-04T14:00:00Z", 60),
        ("2026-04-04T15:00:00Z", 30),
        ("2026-04-04T15:30:00Z", 60),
    ];
    assert_eq!(lengths, expected.map(|(start, minutes)| (start.to_owned(), minutes)));
    // A doubled hour in Berlin is two hours.
    let berlin = period("Europe/Berlin", "hour", 0);
    assert_eq!(berlin.holding(at("2026-10-25T00:59:00Z")).length_ms(), HOUR_MS);
}

#[test]
fn a_rolling_period_ends_with_the_minute_of_now() {
    let now = at("2026-11-26T17:51:38Z");
    let days = Period { cycle: Cycle::Rolling { ms: 30 * DAY_MS }, zone: Zone::UTC };
    let found = days.holding(now);
    assert_eq!(found.start.second_text(), "2026-10-27T17:00:00Z");
    assert_eq!(found.end.second_text(), "2026-11-26T17:52:00Z");
    assert!(found.holds(now) && days.longest_ms() >= found.length_ms());
    let hours = Period { cycle: Cycle::Rolling { ms: 6 * HOUR_MS }, zone: Zone::UTC };
    assert_eq!(hours.holding(now).start.second_text(), "2026-11-26T11:52:00Z");
    let hours = Period { cycle: Cycle::Rolling { ms: 12 * HOUR_MS }, zone: Zone::UTC };
    assert_eq!(hours.holding(now).start.second_text(), "2026-11-26T05:00:00Z");
}

#[test]
fn any_clock_has_a_period() {
    for ms in [i64::MIN, -1, 0, i64::MAX] {
        for kind in ["hour", "day", "week", "month", "quarter", "rolling"] {
            let found = period("America/Havana", kind, 1).holding(UnixMillis(ms));
            assert!(found.start <= found.end, "{ms} {kind} {found:?}");
        }
    }
}

/// Tells whether a period of this kind begins on a date, by what the calendar shows.
fn begins_on(cycle: Cycle, date: Date) -> bool {
    let is_day = |day: i8| date.day() == day.min(date.days_in_month());
    match cycle {
        Cycle::Week { first } => date.weekday() == first,
        Cycle::Month { day } => is_day(day),
        Cycle::Quarter { day } => is_day(day) && [1, 4, 7, 10].contains(&date.month()),
        _ => true,
    }
}

/// The civil date of a beginning is that of its kind, nothing of that date came before, and only a date
/// that is missing begins later than itself.
fn check_beginning(period: &Period, start: UnixMillis) -> Result<(), TestCaseError> {
    let zone = &period.zone;
    if period.cycle == Cycle::Hour {
        let is_full = start.plus(zone.offset_ms(start)).0.rem_euclid(HOUR_MS) == 0;
        let is_set = zone.offset_ms(start) != zone.offset_ms(start.plus(-1));
        prop_assert!(is_full || is_set);
        return Ok(());
    }
    let (date, before) = (zone.date(start), zone.date(start.plus(-1)));
    let mut meant = date;
    while !begins_on(period.cycle, meant) {
        meant = meant.yesterday().unwrap();
    }
    prop_assert!(before < meant, "{before} {meant} {date}");
    for quarters in 1..=120 {
        let earlier = zone.date(start.plus(-quarters * QUARTER_MS));
        prop_assert!(earlier < meant, "{earlier} {meant}");
    }
    Ok(())
}

fn check_tiling(period: &Period, at: UnixMillis) -> Result<(), TestCaseError> {
    let found = period.holding(at);
    prop_assert!(found.holds(at), "{:?}", found);
    prop_assert_eq!(period.holding(found.end).start, found.end);
    prop_assert_eq!(period.holding(found.end.plus(-1)), found);
    prop_assert_eq!(period.holding(found.start), found);
    let previous = period.previous(found);
    prop_assert_eq!(previous.end, found.start);
    prop_assert!(found.length_ms() <= period.longest_ms(), "{:?}", found);
    check_beginning(period, found.start)?;
    // So rows by the hour are never of two periods.
    let cuts = period.cuts();
    let (hour, minute) = (period.cycle == Cycle::Hour, found.start.0 % QUARTER_MS);
    prop_assert!(cuts.has(found.start) || (hour && minute != 0), "{:?}", found.start.second_text());
    Ok(())
}

/// An instant of this century, every other one close to when a clock is set.
fn any_instant(zone: &Zone) -> impl Strategy<Value = UnixMillis> + use<> {
    let mut changes = zone.shifts(UnixMillis(FROM), UnixMillis(TO), DAY_MS * 7);
    changes.push(UnixMillis(FROM));
    let near = (prop::sample::select(changes), -26 * HOUR_MS..26 * HOUR_MS);
    prop_oneof![(FROM..TO).prop_map(UnixMillis), near.prop_map(|(change, ms)| change.plus(ms)),]
}

#[test]
fn periods_tile_time_in_every_zone() {
    let names = Zone::names();
    assert!(names.len() > 500, "{}", names.len());
    for name in names {
        let Some(zone) = Zone::named(&name) else { panic!("{name} is no zone") };
        let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let cases = (any_instant(&zone), 0i8..7, 1i8..=31);
        let outcome = runner.run(&cases, |(at, weekday, day)| {
            let first = Weekday::from_monday_zero_offset(weekday).unwrap();
            for cycle in [
                Cycle::Hour,
                Cycle::Day,
                Cycle::Week { first },
                Cycle::Month { day },
                Cycle::Quarter { day },
            ] {
                check_tiling(&Period { cycle, zone: zone.clone() }, at)?;
            }
            Ok(())
        });
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }
}

#[test]
fn zones_are_those_that_are_compiled_in() {
    // Vancouver stays on summer time from 2026-11-01 on, which the databases of most machines of that
    // year do not know.
    let vancouver = Zone::named("america/vancouver").unwrap();
    assert_eq!(vancouver.name(), "America/Vancouver");
    assert_eq!(vancouver.offset_ms(at("2026-12-24T12:00:00Z")), -7 * HOUR_MS);
    for name in ["Europe/Berln", "", "Etc/Unknown", "../etc/passwd", "/etc/localtime", "TZ"] {
        assert_eq!(Zone::named(name), None, "{name}");
    }
    assert_eq!(Zone::UTC.name(), "UTC");
}
