//! Forecasts of spending that repeats exactly, that grows, and that is noisy.

use proptest::prelude::*;

use super::*;
use crate::budget::amount::Sums;
use crate::ledger::rollup::{Bucket, HourCuts, Level};
use crate::model::money::Usd;

/// A Sunday.
const START: UnixMillis = UnixMillis(20_000 * DAY_MS / WEEK_MS * WEEK_MS + 3 * DAY_MS);
const CUTS: HourCuts = HourCuts::FULL_HOURS;
const DOLLAR: f64 = 1e12;

fn add(track: &mut Track, hour: i64, picodollars: f64) {
    let bucket = Bucket::holding(Level::Hour, START.plus(hour * HOUR_MS), CUTS);
    let sums = Sums { cost: Usd(picodollars as i128), ..Sums::default() };
    track.add(bucket, &sums, CUTS);
}

/// A forecast of the period `days.0..days.1` (from the start) at an hour of it, in dollars.
fn ask(
    track: &Track,
    known_from: i64,
    days: (i64, i64),
    limit: f64,
    now: UnixMillis,
) -> Result<Forecast, NoForecast> {
    let period = Interval { start: START.plus(days.0 * DAY_MS), end: START.plus(days.1 * DAY_MS) };
    let known = Known { from: Some(START.plus(known_from * DAY_MS)), ..Known::default() };
    let limit = Amount::Usd(Usd((limit * DOLLAR) as i128));
    let spent = limit.in_unit_of(&track.sum(period.start, now));
    let (made, standing) = (spent, Standing::NONE);
    forecast(&Question { track, known: &known, period, limit, spent, made, standing, now })
}

fn dollars(amount: Amount) -> f64 {
    amount.number() as f64 / DOLLAR
}

/// Dollars of an hour of the week: busy office hours, quiet nights, quieter weekends.
fn usual(hour: i64) -> f64 {
    let (day, of_day) = (hour.div_euclid(24).rem_euclid(7), hour.rem_euclid(24));
    match (day, of_day) {
        (0 | 6, _) => 1.0,
        (_, 8..18) => 10.0 + of_day as f64,
        _ => 2.0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What repeats each week goes on: the forecast is what really comes, and the band has no width.
    #[test]
    fn what_repeats_each_week_is_foreseen_exactly(
        weeks in 2i64..12,
        begun in 0i64..7 * 24,
        length_days in 1i64..31,
        limit in 1u32..10_000,
    ) {
        // Hours cost whole dollars, so no hour ends at this limit.
        let limit = f64::from(limit) + 0.5;
        let now_hour = weeks * 168 + begun;
        let days = (now_hour / 24, now_hour / 24 + length_days);
        let mut track = Track::default();
        for hour in 0..now_hour {
            add(&mut track, hour, usual(hour) * DOLLAR);
        }
        let now = START.plus(now_hour * HOUR_MS);
        let found = ask(&track, 0, days, limit, now).unwrap();
        let known_weeks = usize::try_from(weeks.min(8)).unwrap();
        prop_assert_eq!(found.method, Method::HourOfWeek { weeks: known_weeks });
        let truth: f64 = (days.0 * 24..days.1 * 24).map(usual).sum();
        prop_assert!((dollars(found.expected) - truth).abs() < 1e-6, "{:?} {}", found, truth);
        prop_assert!((dollars(found.high) - dollars(found.low)).abs() < 1e-3, "{:?}", found);
        // It crosses the limit in the hour in which the sum does.
        let mut sum = 0.0;
        let crossed = (days.0 * 24..days.1 * 24).find(|hour| {
            sum += usual(*hour);
            sum > limit
        });
        let wanted = crossed.filter(|hour| *hour >= now_hour);
        let at = found.crossing.map(|at| (at.0 - START.0) / HOUR_MS);
        prop_assert_eq!(at, wanted, "{:?}", found);
    }
}

#[test]
fn the_level_is_that_of_the_last_week() {
    let mut track = Track::default();
    for hour in 0..8 * 168 {
        let level = if hour >= 7 * 168 { 3.0 } else { 1.0 };
        add(&mut track, hour, usual(hour) * level * DOLLAR);
    }
    let found = ask(&track, 0, (56, 63), 100.0, START.plus(56 * DAY_MS)).unwrap();
    let week: f64 = (0..168).map(usual).sum();
    assert!((dollars(found.expected) - 3.0 * week).abs() < 1e-6 * week, "{found:?}");
    assert!(dollars(found.low) < 2.5 * week && dollars(found.high) > 3.5 * week, "{found:?}");
}

/// What began four days ago is no service that rests on all other days of the week.
#[test]
fn what_is_new_goes_on_at_its_pace() {
    let mut track = Track::default();
    for hour in 56 * 24..60 * 24 {
        add(&mut track, hour, DOLLAR);
    }
    let found = ask(&track, 0, (50, 80), 600.0, START.plus(60 * DAY_MS)).unwrap();
    assert_eq!(found.method, Method::Pace);
    assert!((dollars(found.expected) - 24.0 * 24.0).abs() < 1e-6, "{found:?}");
}

/// Of forty noisy months the band holds most, but not all.
#[test]
fn the_band_holds_about_four_of_five_outcomes() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut held = 0;
    for _ in 0..40 {
        let mut hours = Vec::new();
        for week in 0..13 {
            let of_week = 0.8 + 0.4 * noise();
            for day in 0..7 {
                let of_day = of_week * (0.6 + 0.8 * noise());
                let first = week * 168 + day * 24;
                hours.extend((first..first + 24).map(|hour| usual(hour) * of_day));
            }
        }
        let mut track = Track::default();
        for (hour, value) in (0..8 * 168 + 48).zip(&hours) {
            add(&mut track, hour, value * DOLLAR);
        }
        let found = ask(&track, 0, (56, 86), 100.0, START.plus(58 * DAY_MS)).unwrap();
        let truth: f64 = hours[56 * 24..86 * 24].iter().sum();
        held += i32::from((dollars(found.low)..=dollars(found.high)).contains(&truth));
    }
    assert!((24..=39).contains(&held), "{held} of 40");
}

#[test]
fn with_less_history_the_pace_goes_on() {
    let mut track = Track::default();
    for hour in 0..13 * 24 {
        add(&mut track, hour, DOLLAR);
    }
    let found = ask(&track, 0, (10, 40), 600.0, START.plus(13 * DAY_MS)).unwrap();
    assert_eq!(found.method, Method::Pace);
    assert!((dollars(found.expected) - 720.0).abs() < 1e-6, "{found:?}");
    assert!((dollars(found.low) - (72.0 + 324.0)).abs() < 1e-6, "{found:?}");
    assert!((dollars(found.high) - (72.0 + 1_296.0)).abs() < 1e-6, "{found:?}");
    assert_eq!(found.crossing, Some(START.plus(35 * DAY_MS)));
    // What is known from the middle of the period on is a pace since then.
    let found = ask(&track, 11, (10, 40), 1_000.0, START.plus(13 * DAY_MS)).unwrap();
    assert!(
        (dollars(found.expected) - (72.0 + 72.0 / 48.0 * 27.0 * 24.0)).abs() < 1e-6,
        "{found:?}"
    );
}

#[test]
fn a_forecast_waits_for_a_twentieth_of_the_period() {
    let mut track = Track::default();
    add(&mut track, 0, DOLLAR);
    let until = START.plus(36 * HOUR_MS);
    let early = ask(&track, 0, (0, 30), 100.0, until.plus(-1));
    assert_eq!(early, Err(NoForecast::TooEarly { until }));
    assert!(ask(&track, 0, (0, 30), 100.0, until).is_ok());
    // Nothing is known at all.
    let period = Interval { start: START, end: START.plus(DAY_MS) };
    let (limit, now) = (Amount::Tokens(1), START.plus(12 * HOUR_MS));
    let known = Known::default();
    let question = Question {
        track: &track,
        known: &known,
        period,
        limit,
        spent: Amount::Tokens(0),
        made: Amount::Tokens(0),
        standing: Standing::NONE,
        now,
    };
    let until = now.plus(72 * MINUTE_MS);
    assert_eq!(forecast(&question), Err(NoForecast::TooEarly { until }));
}

#[test]
fn history_that_is_only_kept_by_the_day_tells_no_hours() {
    let mut track = Track::default();
    for hour in 0..28 * 24 {
        add(&mut track, hour, DOLLAR);
    }
    let day = Bucket::holding(Level::Day, START.plus(20 * DAY_MS), CUTS);
    track.add(day, &Sums { cost: Usd(1), ..Sums::default() }, CUTS);
    let found = ask(&track, 0, (21, 51), 600.0, START.plus(28 * DAY_MS)).unwrap();
    assert_eq!(found.method, Method::Pace);
}

#[test]
fn nothing_spent_comes_to_nothing() {
    let track = Track::default();
    let found = ask(&track, -60, (0, 30), 600.0, START.plus(13 * DAY_MS)).unwrap();
    assert_eq!(found.method, Method::HourOfWeek { weeks: 8 });
    assert_eq!((found.expected.number(), found.high.number()), (0, 0));
    assert_eq!(found.crossing, None);
}

#[test]
fn what_is_paid_by_time_is_known_and_has_no_part_in_the_pace() {
    // A dollar an hour for calls since the period began, two for something that ends after 20 hours.
    let mut track = Track::default();
    for hour in 0..10 {
        let bucket = Bucket::holding(Level::Hour, START.plus(hour * HOUR_MS), CUTS);
        let (cost, standing) = (Usd(3_000_000_000_000), Usd(2_000_000_000_000));
        track.add(bucket, &Sums { cost, standing, calls: 1, ..Sums::default() }, CUTS);
    }
    let end = START.plus(20 * HOUR_MS);
    let standing = |from: UnixMillis, to: UnixMillis| {
        let ms = to.min(end).0 - from.min(end).0;
        Usd(i128::from(ms) * 2_000_000_000_000 / i128::from(HOUR_MS))
    };
    let (period, now) =
        (Interval { start: START, end: START.plus(DAY_MS) }, START.plus(10 * HOUR_MS));
    let known = Known { from: Some(START), ..Known::default() };
    let ask = |track: &Track, limit: f64, now: UnixMillis| {
        let limit = Amount::Usd(Usd((limit * DOLLAR) as i128));
        let sums = track.sum(period.start, now);
        let (spent, made) = (limit.in_unit_of(&sums), limit.made_by_calls(&sums));
        let standing = Standing(&standing);
        forecast(&Question { track, known: &known, period, limit, spent, made, standing, now })
    };
    let found = ask(&track, 100.0, now).unwrap();
    // 30 so far, 14 of calls and 20 of the rest of its time.
    assert_eq!((dollars(found.expected), found.crossing), (64.0, None));
    assert_eq!((dollars(found.low), dollars(found.high)), (57.0, 78.0));
    assert!(ask(&track, 40.0, now).unwrap().crossing.is_some());
    // Where nothing was called, what is paid by time is known from the first moment on.
    let early = START.plus(MINUTE_MS);
    let found = ask(&Track::default(), 100.0, early).unwrap();
    assert!((dollars(found.expected) - 40.0).abs() < 0.04, "{found:?}");
    assert_eq!(found.low, found.high);
    // With weeks of history the shape is that of calls alone.
    let mut track = Track::default();
    for hour in 0..3 * 168 {
        let bucket = Bucket::holding(Level::Hour, START.plus((hour - 3 * 168) * HOUR_MS), CUTS);
        let sums = Sums { cost: Usd(1_000_000_000_000), calls: 1, ..Sums::default() };
        track.add(bucket, &sums, CUTS);
        if hour >= 168 {
            let standing = Usd(7_000_000_000_000);
            track.add(bucket, &Sums { cost: standing, standing, ..Sums::default() }, CUTS);
        }
    }
    let known = Known { from: Some(START.plus(-21 * DAY_MS)), ..Known::default() };
    let limit = Amount::Usd(Usd(50_000_000_000_000));
    let (spent, made, now) = (limit.with_number(0), limit.with_number(0), START);
    let standing = Standing(&standing);
    let question =
        Question { track: &track, known: &known, period, limit, spent, made, standing, now };
    let found = forecast(&question).unwrap();
    assert_eq!(found.method, Method::HourOfWeek { weeks: 3 });
    assert!((dollars(found.expected) - 64.0).abs() < 1e-6, "{found:?}");
    // Three dollars an hour reach fifty in the seventeenth.
    assert_eq!(found.crossing.map(|at| at.floor(HOUR_MS)), Some(START.plus(16 * HOUR_MS)));
}
