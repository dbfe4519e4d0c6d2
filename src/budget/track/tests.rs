//! Tracks against plain sums, and what happens when rows get coarser.

use proptest::prelude::*;

use super::*;
use crate::budget::tests::any_sums;
use crate::ledger::rollup::QUARTER_MS;
use crate::model::money::Usd;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000 / HOUR_MS * HOUR_MS);

fn usd(dollars: i128) -> Sums {
    Sums { cost: Usd(dollars), calls: 1, ..Sums::default() }
}

fn bucket(level: Level, at: UnixMillis) -> Bucket {
    Bucket::holding(level, at, HourCuts::FULL_HOURS)
}

proptest! {
    /// Whatever came when, in however many pieces, and however often minutes were made hours in
    /// between: sums between beginnings of rows by the hour are those of the rows.
    #[test]
    fn a_row_counts_once_where_it_starts(
        rows in proptest::collection::vec((0i64..20 * 60, any_sums(), any::<bool>()), 1..60),
        settled in proptest::collection::vec((0usize..60, 0i64..20), 0..4),
        from in 0i64..80,
        to in 0i64..80,
        half in any::<bool>(),
    ) {
        let cuts = HourCuts::FULL_HOURS.and_at(UnixMillis(if half { 2 * QUARTER_MS } else { 0 }));
        let first = NOW.plus(-20 * HOUR_MS);
        let mut track = Track::default();
        for (place, (minute, sums, is_split)) in rows.iter().enumerate() {
            for (_, hour) in settled.iter().filter(|(when, _)| *when == place) {
                track.settle(first.plus(hour * HOUR_MS), UnixMillis(0), cuts);
            }
            let bucket = Bucket::holding(Level::Minute, first.plus(minute * MINUTE_MS), cuts);
            if *is_split {
                let part = Sums { calls: sums.calls / 2, ..Sums::default() };
                track.add(bucket, &part, cuts);
                track.add(bucket, &Sums { calls: sums.calls - part.calls, ..*sums }, cuts);
            } else {
                track.add(bucket, sums, cuts);
            }
        }
        let edge = |quarter: i64| cuts.start_of(first.plus(quarter * QUARTER_MS));
        let (from, to) = (edge(from), edge(to));
        let is_in = |minute: i64| {
            let start = first.plus(minute * MINUTE_MS);
            from <= start && start < to
        };
        let expected: Sums = rows.iter().filter(|row| is_in(row.0)).map(|row| row.1).sum();
        prop_assert_eq!(track.sum(from, to), expected);
        let listed = track.rows(from, to);
        prop_assert!(listed.is_sorted_by_key(|(start, _)| *start));
        prop_assert_eq!(listed.into_iter().map(|(_, sums)| sums).sum::<Sums>(), expected);
    }
}

#[test]
fn minutes_of_the_last_hours_are_kept_and_rows_of_all_levels_are_summed() {
    let cuts = HourCuts::FULL_HOURS;
    let mut track = Track::default();
    track.add(bucket(Level::Day, NOW.plus(-9 * DAY_MS)), &usd(1), cuts);
    track.add(bucket(Level::Hour, NOW.plus(-2 * DAY_MS)), &usd(20), cuts);
    track.add(bucket(Level::Minute, NOW.plus(-9 * HOUR_MS)), &usd(300), cuts);
    track.add(bucket(Level::Minute, NOW.plus(-2 * MINUTE_MS)), &usd(4_000), cuts);
    track.add(Bucket { level: Level::Ever, start_minute: 0 }, &usd(50_000), cuts);
    assert_eq!(track.sum(NOW.plus(-10 * DAY_MS), NOW), Sums { calls: 4, ..usd(4_321) });
    track.settle(NOW.plus(-MINUTES_MS), NOW.plus(-5 * DAY_MS), cuts);
    assert_eq!(track.sum(UnixMillis(0), NOW), Sums { calls: 3, ..usd(4_320) });
    assert_eq!(track.sum(NOW.plus(-2 * MINUTE_MS), NOW.plus(-MINUTE_MS)), usd(4_000));
    // What comes late lands where it would be by then, or is dropped with what nobody looks at.
    track.add(bucket(Level::Minute, NOW.plus(-9 * HOUR_MS + MINUTE_MS)), &usd(7), cuts);
    track.add(bucket(Level::Day, NOW.plus(-9 * DAY_MS)), &usd(9), cuts);
    assert_eq!(
        track.sum(NOW.plus(-9 * HOUR_MS), NOW.plus(-8 * HOUR_MS)),
        Sums { calls: 2, ..usd(307) }
    );
    assert_eq!(track.sum(UnixMillis(0), NOW).calls, 4);
}

#[test]
fn only_rows_that_may_reach_over_a_beginning_straddle_it() {
    let half = NOW.plus(2 * QUARTER_MS);
    let cuts = HourCuts::FULL_HOURS.and_at(half);
    let known = |cuts_from| Known { from: None, cuts, cuts_from };
    let mut track = Track::default();
    track.add(Bucket::holding(Level::Hour, NOW, cuts), &usd(5), cuts);
    track.add(Bucket::holding(Level::Hour, half, cuts), &usd(70), cuts);
    assert_eq!(track.straddling(half, &known(NOW)), Sums::default());
    assert_eq!(track.straddling(half, &known(NOW.plus(DAY_MS))), usd(5));
    assert_eq!(track.straddling(NOW, &known(NOW.plus(DAY_MS))), Sums::default());
    // A beginning that is no cut at all.
    assert_eq!(track.straddling(half.plus(MINUTE_MS), &known(NOW)), usd(70));
    let day = NOW.floor(DAY_MS);
    track.add(Bucket::holding(Level::Day, day, cuts), &usd(900), cuts);
    assert_eq!(track.straddling(day, &known(NOW)), Sums::default());
    assert_eq!(track.straddling(day.plus(HOUR_MS), &known(NOW)), usd(900));
}
