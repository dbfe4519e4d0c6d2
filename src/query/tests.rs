//! What a question means and what comes out of rows.

use proptest::prelude::*;

use super::answer::{Share, State};
use super::tally::CELLS_MAX;
use super::{Answer, Question, Refusal, Tally, Used};
use crate::ledger::amounts::Row;
use crate::ledger::delta::SeriesId;
use crate::ledger::rollup::{Bucket, Horizons, HourCuts};
use crate::model::money::Usd;
use crate::model::names::{Outcome, Route, Tier};
use crate::model::series::{ContextBand, SeriesKey};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};
use crate::model::tokens::TokenClass;

const NOW: UnixMillis = UnixMillis(1_795_428_000_000); // 2026-11-23T10:00:00Z

fn key(principal: &str, model: &str, attributes: &[(&str, &str)]) -> SeriesKey {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    SeriesKey {
        provider: "aws.bedrock".to_owned(),
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        model: model.to_owned(),
        route: Route::InRegion,
        geo: String::new(),
        tier: Tier::Standard,
        principal: principal.to_owned(),
        attributes: attributes.iter().map(owned).collect(),
        context: ContextBand(0),
        item: String::new(),
    }
}

fn parameters(asked: &[(&str, &str)]) -> Vec<(String, String)> {
    asked.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn question(asked: &[(&str, &str)]) -> Question {
    Question::parse(&parameters(asked), NOW).unwrap()
}

fn refused(asked: &[(&str, &str)]) -> String {
    Question::parse(&parameters(asked), NOW).unwrap_err().to_string()
}

fn horizons() -> Horizons {
    Horizons {
        minutes_from: NOW.plus(-2 * DAY_MS).floor(HOUR_MS),
        hours_from: NOW.plus(-40 * DAY_MS).floor(DAY_MS),
        days_from: NOW.plus(-400 * DAY_MS).floor(DAY_MS),
        cuts: HourCuts::FULL_HOURS,
        cuts_from: UnixMillis(0),
    }
}

fn row(calls: u64, dollars: i128) -> Row {
    let mut row = Row::default();
    row.outcomes.add(Outcome::Ok, calls);
    row.tokens.set(TokenClass::Input, 10 * calls);
    row.cost.set(TokenClass::Input, Usd(dollars));
    row
}

fn series() -> Vec<(SeriesId, SeriesKey)> {
    let mut fixed = key("none", "none", &[]);
    fixed.item = "knowledge-base".to_owned();
    let keys = [
        key("role/search", "claude", &[("team", "search")]),
        key("role/search", "nova", &[("team", "search")]),
        key("role/ads", "claude", &[]),
        fixed,
    ];
    (0..).map(SeriesId).zip(keys).collect()
}

fn answer(question: &Question, rows: &[(Bucket, u32, Row)]) -> Answer {
    let series = series();
    let keys = series.iter().map(|(id, key)| (*id, key));
    let mut tally = Tally::new(question, horizons(), keys, CELLS_MAX);
    for (bucket, number, row) in rows {
        tally.add(*bucket, SeriesId(*number), &row.into()).unwrap();
    }
    tally.finish(State { commit: 7, newest: NOW, oldest: None })
}

/// A row booked where the ledger books what happened at `at`.
fn booked(at: UnixMillis, number: u32, calls: u64, dollars: i128) -> (Bucket, u32, Row) {
    (horizons().bucket(at), number, row(calls, dollars))
}

fn at(text: &str) -> UnixMillis {
    UnixMillis::parse_rfc3339(text).unwrap()
}

#[test]
fn usage_is_told_apart_by_what_was_asked_and_the_dearest_comes_first() {
    let rows =
        [booked(NOW, 0, 1, 5), booked(NOW, 1, 2, 7), booked(NOW, 2, 3, 9), booked(NOW, 3, 0, 1)];
    let told = |asked: &[(&str, &str)]| -> Vec<(String, i128)> {
        let answer = answer(&question(asked), &rows);
        let sum = answer.all().map(|group| group.sums.spent().0).sum::<i128>();
        assert_eq!(sum, answer.total.sums.spent().0);
        answer.groups.iter().map(|group| (group.labels.join("/"), group.sums.spent().0)).collect()
    };
    let owned = |rows: &[(&str, i128)]| -> Vec<(String, i128)> {
        rows.iter().map(|(name, sum)| ((*name).to_owned(), *sum)).collect()
    };
    assert_eq!(told(&[("by", "model")]), owned(&[("claude", 14), ("nova", 7), ("none", 1)]));
    assert_eq!(told(&[]), owned(&[("", 22)]));
    assert_eq!(told(&[("by", "attr:team")]), owned(&[("search", 12), ("", 10)]));
    assert_eq!(told(&[("by", "item")]), owned(&[("none", 21), ("knowledge-base", 1)]));
    assert_eq!(told(&[("by", "model"), ("model", "!n*")]), owned(&[("claude", 14)]));
    assert_eq!(told(&[("by", "model"), ("principal", "role/ads")]), owned(&[("claude", 9)]));
    assert_eq!(told(&[("by", "model"), ("model", "nothing")]), owned(&[]));
}

#[test]
fn what_is_beyond_the_top_is_told_together() {
    let rows = [booked(NOW, 0, 1, 5), booked(NOW, 1, 2, 7), booked(NOW, 2, 3, 9)];
    let answer = answer(&question(&[("by", "model,principal"), ("top", "1")]), &rows);
    let rest = answer.rest.unwrap();
    assert_eq!((answer.groups.len(), rest.groups), (1, 2));
    assert_eq!(answer.groups[0].sums.spent() + rest.usage.sums.spent(), Usd(21));
}

#[test]
fn everything_means_every_label_and_every_attribute() {
    let answer = answer(&question(&[("by", "*")]), &[booked(NOW, 0, 1, 5)]);
    let by = answer.by.join(" ");
    assert_eq!(by, "provider account region model route tier principal geo item context attr:team");
    assert_eq!(answer.groups[0].labels.len(), answer.by.len());
}

#[test]
fn steps_are_days_of_the_zone_and_rows_that_reach_over_are_told() {
    let asked =
        [("step", "day"), ("zone", "Asia/Kolkata"), ("since", "2026-11-20"), ("until", "now")];
    // Midnight there is half past six in the evening in UTC; rows of 20 November are by the hour.
    let rows = [
        booked(at("2026-11-19T18:10:00Z"), 0, 1, 1),
        booked(at("2026-11-19T19:10:00Z"), 0, 1, 10),
        booked(at("2026-11-20T18:10:00Z"), 0, 1, 100),
        booked(at("2026-11-22T18:29:00Z"), 0, 1, 1_000),
        booked(at("2026-11-22T18:30:00Z"), 0, 1, 10_000),
    ];
    let answer = answer(&question(&asked), &rows);
    let steps: Vec<_> =
        answer.groups[0].steps.iter().map(|step| (step.start, step.sums.spent().0)).collect();
    assert_eq!(
        steps,
        [
            (at("2026-11-19T18:30:00Z"), 110),
            (at("2026-11-21T18:30:00Z"), 1_000),
            (at("2026-11-22T18:30:00Z"), 10_000),
        ]
    );
    let share = |dollars| Share { requests: 1, tokens: 10, spent_usd: Usd(dollars) };
    assert_eq!(answer.doubt.early, share(1));
    assert_eq!(answer.doubt.between, share(100));
    assert!(answer.doubt.late.is_empty());
    assert_eq!(answer.remarks().len(), 2);
}

#[test]
fn a_day_that_the_end_cuts_is_counted_and_told() {
    let long_ago = NOW.plus(-100 * DAY_MS).floor(DAY_MS);
    let until = super::instant::text(long_ago.plus(HOUR_MS));
    let rows = [booked(long_ago, 0, 4, 5)];
    let answer = answer(&question(&[("until", &until)]), &rows);
    assert_eq!((answer.total.sums.requests(), answer.doubt.late.requests), (4, 4));
}

#[test]
fn what_is_older_than_every_day_is_of_all_time_only() {
    let rows = [booked(NOW.plus(-500 * DAY_MS), 0, 4, 5)];
    assert_eq!(answer(&question(&[]), &rows).total.sums.requests(), 4);
    let since = answer(&question(&[("since", "600d")]), &rows);
    assert_eq!((since.total.sums.requests(), since.doubt.early.requests), (0, 4));
}

#[test]
fn too_many_steps_are_refused() {
    let (question, series) = (question(&[("by", "model"), ("step", "minute")]), series());
    let keys = series.iter().map(|(id, key)| (*id, key));
    let mut tally = Tally::new(&question, horizons(), keys, 3);
    let mut add = |minutes: i64| {
        let (bucket, number, row) = booked(NOW.plus(-minutes * MINUTE_MS), 0, 1, 1);
        tally.add(bucket, SeriesId(number), &Used::from(&row))
    };
    assert_eq!([add(0), add(1), add(2), add(1)], [Ok(()), Ok(()), Ok(()), Ok(())]);
    assert!(matches!(add(3), Err(Refusal::TooLarge(_))));
}

#[test]
fn times_are_ages_months_days_of_the_zone_and_instants() {
    for (text, expected) in [
        ("7d", NOW.plus(-7 * DAY_MS)),
        ("90m", NOW.plus(-90 * MINUTE_MS)),
        ("2w", NOW.plus(-14 * DAY_MS)),
        ("now", NOW),
        ("2026-11", at("2026-10-31T23:00:00Z")),
        ("2026-11-20", at("2026-11-19T23:00:00Z")),
        ("2026-11-20T00:00:00.5Z", at("2026-11-20T00:00:00.5Z")),
    ] {
        let asked = question(&[("since", text), ("zone", "Europe/Berlin")]);
        assert_eq!(asked.from, Some(expected), "{text}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_what_is_expected() {
    for (asked, told) in [
        (&[("since", "yesterday")][..], "`since`: `yesterday` is no time; expected an age"),
        (&[("since", "1969-12-31")][..], "is no time"),
        (&[("since", "99999999999d")][..], "is no time"),
        (&[("since", "4294967295w")][..], "is no time"),
        (&[("since", "2026-11-21"), ("until", "2026-11-20")][..], "is not before"),
        (&[("step", "0m")][..], "`step`: `0m` is no step"),
        (&[("step", "fortnight")][..], "is no step"),
        (&[("step", "\u{e9}")][..], "is no step"),
        (&[("zone", "Mars")][..], "no time zone `Mars`"),
        (&[("top", "0")][..], "is no number"),
        (&[("by", "model,model")][..], "comes twice"),
        (&[("by", "modell")][..], "`by`: `modell` is not known; expected `provider`"),
        (&[("by", "model"), ("by", "region")][..], "`by` comes twice"),
        (&[("limit", "7")][..], "the parameter `limit` is not known"),
    ] {
        let text = refused(asked);
        assert!(text.contains(told), "{asked:?}: {text}");
    }
    let many = vec![("model".to_owned(), "x".to_owned()); 201];
    assert!(Question::parse(&many, NOW).is_err());
    let long = vec![("model".to_owned(), "x".repeat(1_001))];
    assert!(Question::parse(&long, NOW).is_err());
}

#[test]
fn sums_that_do_not_add_up_are_no_answer() {
    let answer = answer(&question(&[("by", "model")]), &[booked(NOW, 0, 1, 5)]);
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer);
    let wrong = text.replacen("\"cost_usd\":\"0.000000000005\"", "\"cost_usd\":\"0.1\"", 1);
    assert_ne!(wrong, text);
    assert!(serde_json::from_str::<Answer>(&wrong).is_err());
}

fn any_row() -> impl Strategy<Value = (Bucket, u32, Row)> {
    (0i64..500 * DAY_MS, 0u32..4, 0u64..9, 0i128..1_000_000, 0i128..50, 0u64..9).prop_map(
        |(age, number, calls, cost, charge, unpriced)| {
            let mut row = row(calls, cost);
            row.outcomes.add(Outcome::Throttled, calls / 2);
            row.charge = Usd(charge);
            row.reported_cost = Usd(charge * 3);
            row.wasted_cost = Usd(cost / 2);
            row.tokens.set(TokenClass::CacheRead, unpriced);
            row.unpriced.set(TokenClass::CacheRead, unpriced);
            (horizons().bucket(NOW.plus(-age)), number, row)
        },
    )
}

proptest! {
    /// However rows are cut into pieces and in whatever order they come, the answer is the same, and it
    /// is the same after it was sent.
    #[test]
    fn any_split_of_rows_gives_the_same_answer(
        rows in proptest::collection::vec(any_row(), 0..60),
        seed in any::<u64>(),
        by in prop_oneof![Just("model"), Just("principal,model"), Just("*"), Just("attr:team")],
        step in prop_oneof![Just(None), Just(Some("day")), Just(Some("15m")), Just(Some("month"))],
        since in 0u32..500,
    ) {
        let since = format!("{since}d");
        let mut asked = vec![("by", by), ("since", since.as_str()), ("zone", "America/New_York")];
        asked.extend(step.map(|step| ("step", step)));
        let question = question(&asked);
        let whole = answer(&question, &rows);
        let mut pieces: Vec<(Bucket, u32, Row)> = Vec::new();
        for (place, (bucket, number, row)) in rows.iter().enumerate() {
            // Calls go into one piece, what is paid by time into another.
            let mut rest = row.clone();
            let part = Row { charge: std::mem::take(&mut rest.charge), ..Row::default() };
            let at = usize::try_from(seed >> (place % 50)).unwrap_or(0) % (pieces.len() + 1);
            pieces.insert(at, (*bucket, *number, part));
            pieces.push((*bucket, *number, rest));
        }
        let split = answer(&question, &pieces);
        prop_assert_eq!(&whole, &split);
        let sent = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Answer>(&sent).unwrap(), &whole);
        // Nothing is lost: what is in the answer and what is not come to all rows.
        let from = question.first();
        let counted = rows.iter().filter(|(bucket, ..)| (from..question.to).contains(&bucket.start()));
        let spent: Usd = counted.map(|(_, _, row)| row.total_cost()).sum();
        prop_assert_eq!(whole.total.sums.spent(), spent);
        if question.step.is_some() {
            let by_step: Usd = whole.total.steps.iter().map(|step| step.sums.spent()).sum();
            prop_assert_eq!(by_step, spent);
        }
    }

    /// A query string may hold anything.
    #[test]
    fn no_parameter_makes_it_panic(
        asked in proptest::collection::vec(
            (
                prop_oneof!["since|until|step|zone|by|top|model|attr:.{0,3}", ".{0,6}"],
                prop_oneof!["[-0-9TZ:.dhmw]{0,24}", ".{0,30}", "[*?!a]{0,9}"],
            ),
            0..6,
        ),
    ) {
        if let Ok(question) = Question::parse(&asked, NOW) {
            answer(&question, &[booked(NOW, 0, 1, 5)]);
        }
    }

    /// A piece holds its instant and follows the one before it.
    #[test]
    fn steps_tile_time(ms in 946_684_800_000i64..4_102_444_800_000, name in "minute|hour|day|week|month|quarter|7m|5h") {
        let (_, step) = question(&[("step", &name), ("zone", "Australia/Lord_Howe")]).step.unwrap();
        let piece = step.holding(UnixMillis(ms));
        prop_assert!(piece.holds(UnixMillis(ms)));
        prop_assert_eq!(step.holding(piece.end).start, piece.end);
        prop_assert_eq!(step.holding(piece.end.plus(-1)), piece);
    }
}

#[test]
fn behind_an_equals_sign_nothing_stands_for_anything_else() {
    let key = |model: &str| key("role/search", model, &[]);
    for (glob, taken, left) in [
        ("=a*b", vec!["a*b"], vec!["axb", "a*bc", "=a*b", ""]),
        ("=", vec![""], vec!["a"]),
        ("==x", vec!["=x"], vec!["x"]),
        ("=!a", vec!["!a"], vec!["a", "b"]),
        ("!=a?", vec!["ab", "a"], vec!["a?"]),
    ] {
        let question = question(&[("model", glob)]);
        for model in taken {
            assert!(question.takes(&key(model)), "{glob} takes {model}");
        }
        for model in left {
            assert!(!question.takes(&key(model)), "{glob} leaves {model}");
        }
    }
}
