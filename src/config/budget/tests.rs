//! What a budget in the config may be, and every mistake in one.

use std::path::Path;

use super::*;
use crate::config::Config;

const SOURCE: &str = "[[source]]\nname = \"a\"\ninclude = [\"x\"]\n";

fn parse(budgets: &str) -> Result<Config, String> {
    let text = format!("{SOURCE}{budgets}");
    Config::parse("t.toml", &text, Path::new(".")).map_err(|problems| problems.to_string())
}

#[test]
fn a_budget_is_read_with_all_it_has() {
    let config = parse(
        r#"
        [[budget]]
        name = "search.eu"
        limit_usd = "99.500000000001"
        period = "month"
        time_zone = "europe/berlin"
        start_day = 31
        thresholds = ["100%", "50%", "99.5%", "50%"]
        carry_over = true
        per = "principal"
        enforce = true
        fail = "closed"
        floor_usd = 0.25
        [budget.scope]
        model = "anthropic.*"
        principal = ["role/search-*", "!role/search-test"]
        "attr:team" = ["search"]
        [[budget]]
        name = "all"
        limit_tokens = 1_000_000
        period = "rolling 30d"
        [labels]
        attributes = ["team"]
        "#,
    )
    .unwrap();
    let [search, all] = config.budgets.as_slice() else { panic!("{config:?}") };
    assert_eq!(search.limit, Amount::Usd(Usd(99_500_000_000_001)));
    assert_eq!(search.period.cycle, Cycle::Month { day: 31 });
    assert_eq!(search.period.zone.name(), "Europe/Berlin");
    assert_eq!(search.thresholds, [Threshold(5_000), Threshold(9_950), Threshold(10_000)]);
    assert_eq!((search.carry_over, search.enforce, search.fail), (true, true, Fail::Closed));
    assert_eq!((search.per.clone(), search.floor), (Some(Label::Principal), Usd(250_000_000_000)));
    let team = Label::Attribute("team".to_owned());
    let matchers = [
        Matcher::new(team, ["search"]),
        Matcher::new(Label::Model, ["anthropic.*"]),
        Matcher::new(Label::Principal, ["role/search-*", "!role/search-test"]),
    ];
    assert!(matchers.iter().all(|matcher| search.scope.matchers.contains(matcher)), "{search:?}");
    assert_eq!(search.scope.matchers.len(), 3);
    assert_eq!(all.limit, Amount::Tokens(1_000_000));
    assert_eq!(all.period, Period { cycle: Cycle::Rolling { ms: 30 * DAY_MS }, zone: Zone::UTC });
    assert_eq!((all.enforce, all.fail, all.carry_over), (false, Fail::Open, false));
    assert_eq!(all.thresholds, [Threshold(5_000), Threshold(8_000), Threshold(10_000)]);
    assert_eq!((all.floor, all.scope.clone()), (Usd(PICODOLLARS_PER_USD), Scope::default()));
    assert_eq!(config.ledger.cuts, HourCuts::FULL_HOURS);
}

#[test]
fn dollars_are_exact_however_they_are_written() {
    for (written, picodollars) in [
        ("500", 500_000_000_000_000),
        ("1_000", 1_000_000_000_000_000),
        ("0.1", 100_000_000_000),
        ("1e3", 1_000_000_000_000_000),
        ("\"0.000000000001\"", 1),
    ] {
        let text = format!("[[budget]]\nname = \"b\"\nperiod = \"day\"\nlimit_usd = {written}\n");
        let config = parse(&text).unwrap();
        assert_eq!(config.budgets[0].limit, Amount::Usd(Usd(picodollars)), "{written}");
    }
}

#[test]
fn rows_by_the_hour_are_cut_for_the_zones_of_all_budgets() {
    use crate::ledger::rollup::QUARTER_MS;
    use crate::model::time::UnixMillis;
    let budget = |name: &str, zone: &str| {
        format!(
            "[[budget]]\nname = \"{name}\"\nperiod = \"day\"\nlimit_usd = 1\ntime_zone = \"{zone}\"\n"
        )
    };
    let quarters = |text: &str| {
        let cuts = parse(text).unwrap().ledger.cuts;
        (0..4).filter(|quarter| cuts.has(UnixMillis(quarter * QUARTER_MS))).collect::<Vec<_>>()
    };
    let (berlin, kolkata) = (budget("a", "Europe/Berlin"), budget("b", "Asia/Kolkata"));
    assert_eq!(quarters(&berlin), [0]);
    assert_eq!(quarters(&kolkata), [0, 2]);
    assert_eq!(quarters(&format!("{kolkata}{}", budget("c", "Asia/Kathmandu"))), [0, 1, 2]);
}

#[test]
fn every_mistake_in_a_budget_is_told_with_its_place() {
    let found = parse(
        "[[budget]]\nname = \"a b\"\nlimit_usd = 0\nperiod = \"fortnight\"\ntime_zone = \"Europe/Berln\"\n\
         start_day = \"munday\"\nthresholds = [\"50\", 0.8]\nper = \"principle\"\nfail = \"maybe\"\n\
         floor_usd = \"-1\"\n[budget.scope]\nmodle = \"x\"\n\"attr:team\" = \"x\"\nmodel = []\nregion = 5\n\
         [[budget]]\nlimt_usd = 5\nperiod = \"day\"\n",
    )
    .unwrap_err();
    let expected = [
        format!("t.toml:5:8: budget[0].name: found `a b`, expected {NAME}"),
        format!("t.toml:6:13: budget[0].limit_usd: found `0`, expected {LIMIT_USD}"),
        format!("t.toml:7:10: budget[0].period: found `fortnight`, expected {PERIOD}"),
        "t.toml:8:13: budget[0].time_zone: found `Europe/Berln`, expected a name of the IANA time zone \
         database, for example `Europe/Berlin`; did you mean `Europe/Berlin`?"
            .to_owned(),
        format!(
            "t.toml:9:13: budget[0].start_day: found `munday`, expected {START_DAY}; did you mean `monday`?"
        ),
        format!("t.toml:10:15: budget[0].thresholds[0]: found `50`, expected {THRESHOLD}"),
        "t.toml:10:21: budget[0].thresholds[1]: found float, expected a text".to_owned(),
        "t.toml:11:7: budget[0].per: found `principle`, there is no such label; did you mean `principal`?"
            .to_owned(),
        "t.toml:12:8: budget[0].fail: found `maybe`, expected `open` or `closed`".to_owned(),
        format!("t.toml:13:13: budget[0].floor_usd: found `-1`, expected {FLOOR_USD}"),
        "t.toml:15:1: budget[0].scope.modle: there is no such label; did you mean `model`?".to_owned(),
        "t.toml:16:1: budget[0].scope.\"attr:team\": there is no such attribute; name its key in \
         `labels.attributes`, and here as `attr:KEY`"
            .to_owned(),
        "t.toml:17:9: budget[0].scope.model: found array, expected a text or a list of texts, for example \
         `[\"a\", \"b\"]`, not an empty one"
            .to_owned(),
        "t.toml:18:10: budget[0].scope.region: found integer, expected a text or a list of texts, for \
         example `[\"a\", \"b\"]`, not an empty one"
            .to_owned(),
        "t.toml:19:1: budget[1]: `name` is missing; it becomes the label `budget`".to_owned(),
        format!(
            "t.toml:19:1: budget[1]: the limit is missing, expected `limit_usd` ({LIMIT_USD}) or \
             `limit_tokens` ({LIMIT_TOKENS})"
        ),
        "t.toml:20:1: budget[1].limt_usd: there is no such key; did you mean `limit_usd`?".to_owned(),
    ];
    assert_eq!(found, expected.join("\n"));
}

#[test]
fn what_does_not_go_together_is_told() {
    let budget = |rest: &str| parse(&format!("[[budget]]\nname = \"b\"\nlimit_usd = 1\n{rest}"));
    for (rest, problem) in [
        ("limit_tokens = 5\nperiod = \"day\"", "two limits are two budgets"),
        ("", "`period` is missing"),
        ("period = \"rolling 30m\"", "found `rolling 30m`"),
        ("period = \"rolling 30d\"\ncarry_over = true", "no period before it"),
        ("period = \"day\"\nstart_day = 2", "weeks, months and quarters begin on a day"),
        ("period = \"week\"\nstart_day = 2", "a day of the week"),
        ("period = \"month\"\nstart_day = \"monday\"", "a day of the month"),
        ("period = \"month\"\nstart_day = 32", "found `32`"),
        ("period = \"month\"\nstart_day = 0", "found `0`"),
        (
            "period = \"day\"\n[[budget]]\nname = \"b\"\nlimit_usd = 1\nperiod = \"day\"",
            "second budget",
        ),
        (
            "period = \"month\"\n[ledger]\nkeep_hours = \"31d\"",
            "expected `32d` at least for this period",
        ),
        (
            "period = \"month\"\ncarry_over = true\n[ledger]\nkeep_hours = \"63d\"",
            "expected `64d` at least for this period and the one before",
        ),
        ("period = \"day\"\n[ledger]\nkeep_minutes = \"6h\"", "`7h` at least"),
        ("period = \"day\"\ntime_zone = \"Nowhere\"", "expected a name of the IANA"),
    ] {
        let found = budget(rest).unwrap_err();
        assert!(found.contains(problem), "{rest}: {found}");
        assert!(!found.contains('\n'), "{rest}: {found}");
    }
    assert!(budget("period = \"month\"\n[ledger]\nkeep_hours = \"32d\"").is_ok());
    // Scopes may overlap: each budget counts what is in its own.
    let twice = "period = \"day\"\n[[budget]]\nname = \"c\"\nlimit_usd = 2\nperiod = \"day\"";
    assert_eq!(budget(twice).unwrap().budgets.len(), 2);
}
