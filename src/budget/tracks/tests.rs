//! Which series count where.

use super::*;
use crate::budget::scope::Matcher;
use crate::budget::tests::key;
use crate::model::money::Usd;
use crate::model::names::Outcome;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::model::tokens::TokenClass;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000 / HOUR_MS * HOUR_MS);

fn rule(label: &str, glob: &str, per: Option<&str>) -> TrackRule {
    let matcher = Matcher::new(Label::parse(label).unwrap(), [glob]);
    TrackRule {
        scope: Scope { matchers: vec![matcher] },
        per: per.and_then(Label::parse),
        keep_ms: 10 * DAY_MS,
    }
}

fn row(picodollars: i128, tokens: u64, unpriced: u64) -> Row {
    let mut row = Row::default();
    row.outcomes.add(Outcome::Ok, 1);
    row.outcomes.add(Outcome::Throttled, 1);
    row.cost.set(TokenClass::Input, Usd(picodollars));
    row.cost.set(TokenClass::Output, Usd(1));
    row.tokens.set(TokenClass::CacheRead, tokens);
    row.unpriced.set(TokenClass::CacheRead, unpriced);
    row
}

fn minute(ago: i64) -> Bucket {
    Bucket::holding(Level::Minute, NOW.plus(-ago * MINUTE_MS), HourCuts::FULL_HOURS)
}

fn spent(tracks: &Tracks, rule: usize) -> Vec<(String, i128)> {
    tracks
        .of_rule(rule)
        .map(|(key, track)| {
            let value = key.value.as_deref().unwrap_or("all").to_owned();
            (value, track.sum(UnixMillis(0), UnixMillis(i64::MAX)).cost.0)
        })
        .collect()
}

#[test]
fn a_row_counts_in_every_rule_whose_scope_its_series_is_in() {
    let rules = vec![
        rule("model", "*", None),
        rule("model", "anthropic.*", None),
        rule("principal", "role/*", Some("principal")),
        rule("model", "*", Some("attr:team")),
    ];
    let mut tracks = Tracks::new(rules, HourCuts::FULL_HOURS, UnixMillis(0));
    let series = [
        key("role/a", "anthropic.x", &[("team", "blue")]),
        key("role/b", "amazon.y", &[("team", "red")]),
        key("user/c", "anthropic.x", &[]),
    ];
    assert!(!tracks.add(SeriesId(0), minute(1), &row(1, 1, 0)), "a series that is not known");
    for (id, key) in (0..).zip(&series) {
        tracks.learn(SeriesId(id), key);
        tracks.learn(SeriesId(id), key);
    }
    for (id, picodollars) in [(0, 9), (1, 99), (2, 999), (0, 9_999)] {
        assert!(tracks.add(SeriesId(id), minute(1), &row(picodollars, 10, 5)));
    }
    let list = |pairs: &[(&str, i128)]| {
        pairs.iter().map(|(value, sum)| ((*value).to_owned(), *sum)).collect::<Vec<_>>()
    };
    assert_eq!(spent(&tracks, 0), list(&[("all", 11_110)]));
    assert_eq!(spent(&tracks, 1), list(&[("all", 11_010)]));
    assert_eq!(spent(&tracks, 2), list(&[("role/a", 10_010), ("role/b", 100)]));
    assert_eq!(spent(&tracks, 3), list(&[("blue", 10_010), ("red", 100), ("", 1_000)]));
    let all = tracks.get(&TrackKey { rule: 0, value: None }).unwrap();
    let sums = all.sum(NOW.plus(-MINUTE_MS), NOW);
    assert_eq!((sums.calls, sums.tokens, sums.unpriced_tokens), (8, 40, 20));
    assert_eq!(tracks.known().from, Some(NOW.plus(-MINUTE_MS)));
}

#[test]
fn values_beyond_the_most_share_one_track() {
    let mut tracks = Tracks::new(
        vec![rule("model", "*", Some("principal"))],
        HourCuts::FULL_HOURS,
        UnixMillis(0),
    );
    let count = u32::try_from(VALUES_MAX).unwrap() + 3;
    for id in 0..count {
        tracks.learn(SeriesId(id), &key(&format!("role/{id}"), "m", &[]));
        assert!(tracks.add(SeriesId(id), minute(1), &row(9, 1, 0)));
    }
    let spent = spent(&tracks, 0);
    assert_eq!((spent.len(), tracks.folded(0)), (VALUES_MAX + 1, 3));
    assert_eq!(spent.last(), Some(&(OTHER.to_owned(), 30)));
    assert_eq!(spent.iter().map(|(_, sum)| sum).sum::<i128>(), i128::from(count) * 10);
}

#[test]
fn a_clock_that_jumps_ahead_drops_nothing() {
    let mut tracks =
        Tracks::new(vec![rule("model", "*", None)], HourCuts::FULL_HOURS, UnixMillis(0));
    tracks.learn(SeriesId(0), &key("role/a", "m", &[]));
    for ago in [9 * 24 * 60, 20, 1] {
        assert!(tracks.add(SeriesId(0), minute(ago), &row(9, 1, 0)));
    }
    tracks.settle(NOW.plus(20_000 * DAY_MS));
    tracks.settle(UnixMillis(0));
    assert!(tracks.add(SeriesId(0), minute(0), &row(9, 1, 0)));
    assert_eq!(spent(&tracks, 0), [("all".to_owned(), 40)]);
    let (_, track) = tracks.of_rule(0).next().unwrap();
    assert_eq!(track.sum(NOW, NOW.plus(MINUTE_MS)).cost.0, 10, "minutes are still minutes");
    // When there are rows of that time, what is older goes.
    assert!(tracks.add(SeriesId(0), minute(-2 * 24 * 60), &row(9, 1, 0)));
    tracks.settle(NOW.plus(20_000 * DAY_MS));
    assert_eq!(spent(&tracks, 0), [("all".to_owned(), 40)]);
}
