//! What falls due, against sums made by hand, and whatever pieces time comes in.

use proptest::prelude::*;

use super::*;
use crate::ledger::rollup::{Horizons, HourCuts, QUARTER_MS, Retention};
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::series::SeriesKey;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};
use crate::price::{Book, Term};

fn at(text: &str) -> UnixMillis {
    UnixMillis::parse_rfc3339(text).unwrap()
}

fn usd(text: &str) -> Usd {
    Usd::parse_exact(text).unwrap()
}

fn throughput(price: HourPrice, from: &str, to: Option<&str>) -> Throughput {
    Throughput {
        name: "claude".to_owned(),
        arn: "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abcdefabcdef".to_owned(),
        model: "anthropic.claude-v2:1".to_owned(),
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        units: 2,
        price,
        from: at(from),
        to: to.map(at),
        per_unit: Capacity::default(),
    }
}

fn item(per_hour: Usd, from: UnixMillis, to: Option<UnixMillis>) -> Item {
    let key = throughput(HourPrice::Given(per_hour), "2026-06-01T00:00:00Z", None).key();
    Item { key, rate: Rate::Hourly(per_hour), from, to }
}

fn horizons(now: UnixMillis) -> Horizons {
    let retention =
        Retention { minutes_ms: 2 * DAY_MS, hours_ms: 400 * DAY_MS, days_ms: 3_650 * DAY_MS };
    Horizons::default().moved(retention, now)
}

/// Everything that is due at `now`, in commits of `steps` steps.
fn charge(
    item: &Item,
    charged: &mut Option<UnixMillis>,
    now: UnixMillis,
    steps: usize,
) -> Vec<(UnixMillis, Usd)> {
    let mut all = Vec::new();
    while let Some(due) = item.due(*charged, now, &horizons(now), steps) {
        assert!(due.amounts.len() <= steps);
        all.extend(due.amounts);
        *charged = Some(due.until);
    }
    all
}

fn sum(amounts: &[(UnixMillis, Usd)]) -> Usd {
    amounts.iter().map(|(_, usd)| *usd).sum()
}

#[test]
fn a_day_of_two_units_of_claude_for_a_month_comes_to_what_the_book_says() {
    let book = Book::shipped().unwrap();
    let month = throughput(HourPrice::OfTerm(Term::OneMonth), "2026-06-01T00:00:00Z", None);
    let item = month.item(&book).unwrap();
    assert_eq!(item.per_hour(), Some(usd("126")));
    // 63.00 × 2 × 24.
    let amounts = charge(&item, &mut None, at("2026-06-02T00:00:00Z"), 5_000);
    assert_eq!(sum(&amounts), usd("3024"));
    assert_eq!(amounts.len(), 24 * 60);
    assert!(amounts.iter().all(|(_, each)| *each == usd("2.1")));
    // 90.972 an hour in Tokyo for six months, and nothing without a commitment.
    let tokyo = Throughput { region: "ap-northeast-1".to_owned(), units: 1, ..month.clone() };
    let tokyo = Throughput { price: HourPrice::OfTerm(Term::SixMonths), ..tokyo };
    assert_eq!(tokyo.item(&book).unwrap().per_hour(), Some(usd("90.972")));
    let none = Throughput { price: HourPrice::OfTerm(Term::None), ..month.clone() };
    let error = none.item(&book).unwrap_err().to_string();
    assert!(error.contains("`claude`") && error.contains("`1_month` in `us-east-1`"), "{error}");
    let unknown = Throughput { model: "nobody.knows-v1".to_owned(), ..month };
    let error = unknown.item(&book).unwrap_err().to_string();
    assert!(error.contains("none of that model"), "{error}");
}

#[test]
fn a_started_hour_is_paid_in_full_in_the_last_minute_of_the_item() {
    let (from, to) = (at("2026-06-01T10:15:00Z"), at("2026-06-01T12:45:00Z"));
    let item = item(usd("63"), from, Some(to));
    let amounts = charge(&item, &mut None, at("2026-06-05T00:00:00Z"), 100_000);
    // Two hours and a half, from a quarter past: three hours.
    assert_eq!(sum(&amounts), usd("189"));
    assert!(amounts.iter().all(|(when, _)| from <= *when && *when < to), "{amounts:?}");
    let mut charged = None;
    let before = charge(&item, &mut charged, at("2026-06-01T12:44:59Z"), 100_000);
    assert_eq!(sum(&before), usd("156.45"));
    let last = charge(&item, &mut charged, to, 100_000);
    assert_eq!(last, [(at("2026-06-01T12:44:00Z"), usd("32.55"))]);
    assert_eq!(charge(&item, &mut charged, at("2026-09-01T00:00:00Z"), 100_000), []);
    // It goes on where what is paid ends.
    let longer = Item { to: Some(at("2026-06-01T13:16:00Z")), ..item.clone() };
    let more = charge(&longer, &mut charged, at("2026-06-01T20:00:00Z"), 100_000);
    assert_eq!(sum(&more), usd("63"));
    // An end that becomes known late leaves what is charged, and the rest of the hour.
    let mut charged = Some(at("2026-06-01T12:50:00Z"));
    let rest = charge(&item, &mut charged, at("2026-06-01T12:51:00Z"), 100_000);
    assert_eq!(rest, [(to.plus(-1), usd("26.25"))]);
    assert_eq!(charge(&item, &mut charged, at("2026-06-02T00:00:00Z"), 100_000), []);
}

#[test]
fn a_year_back_is_charged_by_the_hour_and_the_last_days_by_the_minute() {
    let now = at("2026-11-26T12:00:00Z");
    let item = item(usd("0.03"), now.plus(-365 * DAY_MS), None);
    let amounts = charge(&item, &mut None, now, 1_000);
    assert_eq!(sum(&amounts), usd("262.8"));
    assert_eq!(amounts.len(), 363 * 24 + 2 * 24 * 60);
    let ever = Item { from: now.plus(-20 * 365 * DAY_MS), ..item };
    let amounts = charge(&ever, &mut None, now, 1_000);
    assert_eq!(sum(&amounts), usd("5256"));
    assert!(amounts.len() < 16_000, "{}", amounts.len());
}

#[test]
fn nothing_falls_due_before_the_begin_or_when_the_clock_goes_back() {
    let item = item(usd("60"), at("2026-06-01T00:00:30Z"), None);
    let mut charged = None;
    assert_eq!(charge(&item, &mut charged, at("2026-06-01T00:00:59Z"), 10), []);
    assert_eq!(charge(&item, &mut charged, at("2026-05-01T00:00:00Z"), 10), []);
    let first = charge(&item, &mut charged, at("2026-06-01T00:02:10Z"), 10);
    assert_eq!(first, [(at("2026-06-01T00:01:00Z"), usd("1"))]);
    assert_eq!(charge(&item, &mut charged, at("2026-05-31T00:00:00Z"), 10), []);
    let next = charge(&item, &mut charged, at("2026-06-01T00:03:00Z"), 10);
    assert_eq!(next, [(at("2026-06-01T00:02:00Z"), usd("1"))]);
}

proptest! {
    /// However time comes in pieces, and whatever is charged at once, an item costs the same, and each
    /// full hour costs its price.
    #[test]
    fn the_pieces_of_time_do_not_matter(
        per_hour in 0i128..100 * PICODOLLARS_PER_USD,
        from_minute in 0i64..3_000,
        from_second in 0i64..60,
        length in proptest::option::of(1i64..6_000),
        mut looks in proptest::collection::vec(0i64..12_000, 1..12),
        steps in 1usize..200,
        quarters in proptest::collection::vec(0i64..4, 0..3),
    ) {
        let begin = at("2026-06-01T00:00:00Z");
        let from = begin.plus(from_minute * MINUTE_MS + from_second * 1_000);
        let to = length.map(|minutes| from.plus(minutes * MINUTE_MS));
        let item = item(Usd(per_hour), from, to);
        let cuts = quarters.into_iter().fold(HourCuts::FULL_HOURS, |cuts, quarter| {
            cuts.and_at(UnixMillis(quarter * QUARTER_MS))
        });
        looks.sort_unstable();
        let last = begin.plus(looks.last().unwrap() * MINUTE_MS);
        let mut charged = None;
        let mut amounts = Vec::new();
        for look in looks {
            let now = begin.plus(look * MINUTE_MS);
            let horizons = horizons(now).with_cuts(cuts);
            while let Some(due) = item.due(charged, now, &horizons, steps) {
                prop_assert!(Some(due.until) > charged);
                amounts.extend(due.amounts);
                charged = Some(due.until);
            }
        }
        let within = |when: &UnixMillis| {
            from <= *when && *when < last && to.is_none_or(|to| *when < to)
        };
        prop_assert!(amounts.iter().all(|(when, each)| within(when) && each.0 >= 0));
        let ended = to.is_some_and(|to| to <= last);
        let whole = (to.filter(|_| ended).unwrap_or(last).0 - from.0).max(0);
        let hours = if ended { (whole + HOUR_MS - 1) / HOUR_MS } else { whole / HOUR_MS };
        let minutes = if ended { 0 } else { whole % HOUR_MS / MINUTE_MS };
        let expected = per_hour * i128::from(hours) + per_hour * i128::from(minutes) / 60;
        prop_assert_eq!(sum(&amounts), Usd(expected));
        // What is foreseen is what comes.
        prop_assert_eq!(item.standing(begin, last), Usd(expected));
    }

    /// Bytes cost the same in whatever batches they are read.
    #[test]
    fn the_pieces_of_a_log_do_not_matter(
        pieces in proptest::collection::vec(0u64..1 << 34, 1..20),
        price in 0i128..2 * PICODOLLARS_PER_USD,
    ) {
        let source = Source("logs".to_owned());
        let rate = Rate::PerGigabyte { usd: Usd(price), gigabyte: 1 << 30, source };
        let item = Item { rate, ..item(Usd::ZERO, UnixMillis(0), None) };
        let mut before = 0;
        let mut cost = Usd::ZERO;
        for added in pieces {
            let bytes = Bytes { before, added, at: UnixMillis(1) };
            cost += bytes.charge(&item, "logs").unwrap_or_default();
            prop_assert_eq!(bytes.charge(&item, "others"), None);
            before += added;
        }
        prop_assert_eq!(cost, Usd(price * i128::from(before) / (1 << 30)));
    }
}

#[test]
fn days_of_absence_are_believed_and_a_clock_that_is_set_is_not() {
    let start = at("2026-06-01T00:00:00Z");
    let nobody = UnixMillis(0);
    // Nothing is known yet.
    assert_eq!(Believed::new(None, start).look(start, 0, nobody), start);
    // Three days of absence.
    let known = Some(start.plus(-3 * DAY_MS));
    let mut believed = Believed::new(known, start);
    assert_eq!(believed.look(start, 0, nobody), start);
    let next = start.plus(MINUTE_MS);
    assert_eq!(believed.look(next, MINUTE_MS, nobody), next);
    // The clock is set ahead by a week, and back five minutes later.
    let ahead = |minutes: i64| start.plus(7 * DAY_MS + minutes * MINUTE_MS);
    for minutes in 2..7 {
        let found = believed.look(ahead(minutes), minutes * MINUTE_MS, nobody);
        assert_eq!(found, start.plus(minutes * MINUTE_MS));
        assert!(believed.is_doubted());
    }
    let back = start.plus(7 * MINUTE_MS);
    assert_eq!(believed.look(back, 7 * MINUTE_MS, nobody), back);
    assert!(!believed.is_doubted());
    // The machine slept for a week: a record says so.
    assert_eq!(believed.look(ahead(8), 8 * MINUTE_MS, nobody), start.plus(8 * MINUTE_MS));
    assert_eq!(believed.look(ahead(9), 9 * MINUTE_MS, ahead(8)), ahead(9));
    // It slept, and nobody calls any more: after an hour it is believed.
    let mut believed = Believed::new(known, start);
    let mut found = start;
    for minutes in 1..=61 {
        found = believed.look(ahead(minutes), minutes * MINUTE_MS, nobody);
        assert_eq!(found == ahead(minutes), minutes == 61, "{minutes}");
    }
    assert_eq!(found, ahead(61));
    // Months of absence need a witness as well.
    let mut believed = Believed::new(Some(start.plus(-40 * DAY_MS)), start);
    assert_eq!(believed.look(start, 0, nobody), start.plus(-40 * DAY_MS));
    assert_eq!(believed.look(next, MINUTE_MS, start), next);
}

#[test]
fn labels_of_throughput_are_those_of_its_calls() {
    let key: SeriesKey = throughput(HourPrice::Given(usd("1")), "2026-06-01T00:00:00Z", None).key();
    assert_eq!((key.model.as_str(), key.route.as_str()), ("anthropic.claude-v2:1", "provisioned"));
    assert_eq!((key.principal.as_str(), key.item.as_str()), ("none", "claude"));
}
