//! Burn rates of constant, added and late spending.
#![expect(clippy::float_arithmetic, reason = "burn rates are ratios")]

use proptest::prelude::*;

use super::*;
use crate::budget::track::MINUTES_MS;
use crate::ledger::rollup::{Bucket, HourCuts, Level};
use crate::model::money::Usd;

const START: UnixMillis = UnixMillis(20_000 * DAY_MS);
const CUTS: HourCuts = HourCuts::FULL_HOURS;

fn usd(picodollars: i128) -> Sums {
    Sums { cost: Usd(picodollars), ..Sums::default() }
}

fn add(track: &mut Track, at: UnixMillis, picodollars: i128) {
    track.add(Bucket::holding(Level::Minute, at, CUTS), &usd(picodollars), CUTS);
}

fn rates(track: &Track, limit: Amount, now: UnixMillis) -> Vec<f64> {
    WINDOWS.iter().map(|(_, ms)| burn(track, limit, 30 * DAY_MS, *ms, now).rate).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// At a constant rate every window says the same, at whatever millisecond one looks and wherever
    /// minutes have become hours: rate × period / limit.
    #[test]
    fn a_constant_rate_burns_the_same_in_every_window(
        per_ms in 1i128..1_000_000,
        limit in 1i128..1 << 60,
        period_days in 1i64..93,
        now_ms in 4 * DAY_MS..5 * DAY_MS,
        is_settled in any::<bool>(),
    ) {
        let now = START.plus(now_ms);
        let mut track = Track::default();
        let mut minute = START;
        while minute <= now {
            let length = MINUTE_MS.min(now.0 + 1 - minute.0);
            add(&mut track, minute, per_ms * i128::from(length));
            minute = minute.plus(MINUTE_MS);
        }
        if is_settled {
            track.settle(now.plus(-MINUTES_MS), START, CUTS);
        }
        let period_ms = period_days * DAY_MS;
        let expected = ratio(per_ms * i128::from(period_ms), limit);
        for (name, window_ms) in WINDOWS {
            let found = burn(&track, Amount::Usd(Usd(limit)), period_ms, window_ms, now);
            prop_assert!((found.rate / expected - 1.0).abs() < 1e-12, "{} {}", name, found.rate);
            let row_ms = if window_ms > BY_MINUTE_MAX_MS { HOUR_MS } else { MINUTE_MS };
            let over = found.interval.length_ms() - window_ms;
            prop_assert!((1..=row_ms).contains(&over), "{}", over);
        }
    }

    /// Two spenders together burn what they burn alone, and twice the limit is half the rate.
    #[test]
    fn burn_rates_add_up(
        rows in proptest::collection::vec((0i64..3 * DAY_MS, 0i128..1 << 50, any::<bool>()), 0..40),
    ) {
        let now = START.plus(3 * DAY_MS);
        let mut tracks = [Track::default(), Track::default(), Track::default()];
        for (ms, picodollars, is_first) in rows {
            let one = usize::from(is_first);
            add(&mut tracks[one], START.plus(ms), picodollars);
            add(&mut tracks[2], START.plus(ms), picodollars);
        }
        let limit = Amount::Usd(Usd(1 << 55));
        let [first, second, both] = tracks.each_ref().map(|track| rates(track, limit, now));
        for ((one, other), sum) in first.iter().zip(&second).zip(&both) {
            prop_assert!((one + other - sum).abs() <= 1e-12 * sum);
        }
        let doubled = rates(&tracks[2], Amount::Usd(Usd(1 << 56)), now);
        prop_assert!(both.iter().zip(&doubled).all(|(one, half)| (one / 2.0 - half).abs() < 1e-9));
    }

    /// A late record changes the windows that hold its time, and no other.
    #[test]
    fn a_late_record_changes_only_the_windows_that_hold_it(late in 0i64..4 * DAY_MS) {
        let now = START.plus(4 * DAY_MS + 12_345);
        let mut track = Track::default();
        let limit = Amount::Usd(Usd(1 << 40));
        let before = rates(&track, limit, now);
        let at = now.plus(-late);
        add(&mut track, at, 1_000);
        let after = rates(&track, limit, now);
        for ((before, after), (name, window_ms)) in before.iter().zip(&after).zip(WINDOWS) {
            let is_in = window(window_ms, now).holds(at.floor(MINUTE_MS));
            prop_assert_eq!(after > before, is_in, "{} {}", name, late);
            // What counts is that it is exact up to a row.
            let row_ms = if window_ms > BY_MINUTE_MAX_MS { HOUR_MS } else { MINUTE_MS };
            prop_assert!(is_in == (late <= window_ms) || (late - window_ms).abs() <= row_ms);
        }
    }
}

#[test]
fn what_is_booked_ahead_of_now_is_in_no_window() {
    let now = START.plus(DAY_MS);
    let mut track = Track::default();
    add(&mut track, now.plus(MINUTE_MS), 1_000);
    assert!(rates(&track, Amount::Usd(Usd(1)), now).iter().all(|rate| *rate == 0.0));
    assert!(rates(&track, Amount::Usd(Usd(1)), now.plus(MINUTE_MS)).iter().all(|rate| *rate > 0.0));
}
