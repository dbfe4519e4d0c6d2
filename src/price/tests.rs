//! Tests of the whole book: the shipped content, overlays, and the texts of mistakes.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::model::names::{Approximation, Route, Tier, UnpricedReason};
use crate::model::series::{ContextBand, PROVIDER_BEDROCK, SeriesKey};
use crate::model::time::UnixMillis;
use crate::model::tokens::{TokenClass, TokenCounts};
use crate::model::{model_ref::ModelRef, money::Usd};

/// Made from the source by `tests/data/price/golden.py`, without the code or the files under test.
const GOLDEN: &str = include_str!("../../tests/data/price/golden.csv");
const NOW: UnixMillis = UnixMillis(1_795_428_000_000); // 2026-11-23T10:00:00Z

fn series(id: &str, region: &str) -> SeriesKey {
    let model = ModelRef::parse(id);
    SeriesKey {
        provider: PROVIDER_BEDROCK.to_owned(),
        account: "111122223333".to_owned(),
        region: region.to_owned(),
        model: model.model,
        route: model.route,
        geo: model.geo,
        tier: Tier::Standard,
        principal: "role/App".to_owned(),
        attributes: Vec::new(),
        context: ContextBand(0),
        item: String::new(),
    }
}

fn day(text: &str) -> UnixMillis {
    UnixMillis::parse_rfc3339(&format!("{text}T00:00:00Z")).unwrap()
}

fn assumed(card: &RateCard) -> Vec<Approximation> {
    card.approximations.iter().collect()
}

fn book_of(text: &str) -> Book {
    let mut book = Book::default();
    book.overlay("test.toml", text).unwrap();
    book
}

fn usd_per_million(text: &str) -> Price {
    Price::Priced(Usd(Usd::parse_exact(text).unwrap().0 / 1_000_000))
}

fn input(book: &Book, key: &SeriesKey, at: UnixMillis) -> Price {
    book.rate_card(key, at).prices.get(TokenClass::Input)
}

#[test]
fn every_price_of_the_source_is_in_the_book() {
    let book = Book::shipped().unwrap();
    let mut lines = 0;
    for line in GOLDEN.lines().skip(1) {
        let [key, provider, model, route, geo, region, tier, size, class, picodollars] =
            line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let key_asked = SeriesKey {
            provider: provider.to_owned(),
            model: model.to_owned(),
            route: Route::from_name(route).unwrap(),
            geo: geo.to_owned(),
            tier: Tier::from_name(tier).unwrap(),
            context: ContextBand::of_input(size.parse().unwrap()),
            ..series(model, region)
        };
        let class = TokenClass::ALL.into_iter().find(|each| each.as_str() == class).unwrap();
        let card = book.rate_card(&key_asked, NOW);
        let expected = Price::Priced(Usd(picodollars.parse().unwrap()));
        assert_eq!(card.prices.get(class), expected, "{key} {region} {tier} {size} {class:?}");
        lines += 1;
    }
    assert!(lines > 2000, "only {lines} prices");
}

#[test]
fn list_prices_per_million_are_as_known() {
    let book = Book::shipped().unwrap();
    // id, region, size, then dollars per million: input, output, 5m, 1h, read; `-` is unpriced.
    for (id, region, size, prices) in [
        ("anthropic.claude-v2:1", "us-east-1", 0, "8 24 - - -"),
        ("anthropic.claude-v2", "us-east-1", 0, "8 24 - - -"),
        ("anthropic.claude-v1", "us-west-2", 0, "8 24 - - -"),
        ("anthropic.claude-instant-v1", "us-east-1", 0, "0.8 2.4 - - -"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "us-east-1", 0, "0.25 1.25 - - -"),
        ("anthropic.claude-3-sonnet-20240229-v1:0", "us-east-1", 0, "3 15 - - -"),
        ("anthropic.claude-3-opus-20240229-v1:0", "us-east-1", 0, "15 75 18.75 - 1.5"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "us-east-1", 0, "3 15 3.75 - 0.3"),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "us-east-1", 0, "3 15 3.75 - 0.3"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "us-east-1", 200_000, "3 15 3.75 - 0.3"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "us-east-1", 200_001, "6 22.5 7.5 - 0.6"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "eu-west-1", 0, "3 15 3.75 6 0.3"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1", 0, "3.3 16.5 4.125 6.6 0.33"),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "us-east-1",
            300_000,
            "6.6 24.75 8.25 13.2 0.66",
        ),
        ("global.anthropic.claude-sonnet-4-6", "us-east-1", 300_000, "3 15 3.75 6 0.3"),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", "us-east-1", 0, "15 75 18.75 - 1.5"),
        ("global.anthropic.claude-opus-4-8", "us-east-1", 0, "5 25 6.25 10 0.5"),
        ("us.anthropic.claude-opus-4-8", "us-east-1", 0, "5.5 27.5 6.875 11 0.55"),
        ("global.anthropic.claude-opus-5-5", "us-east-1", 0, "4 20 5 8 0.2"),
        ("global.anthropic.claude-sonnet-5", "us-east-1", 0, "2 10 2.5 4 0.2"),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "us-east-1", 0, "1 5 1.25 2 0.1"),
        ("amazon.nova-micro-v1:0", "us-east-1", 0, "0.035 0.14 - - 0.00875"),
        ("amazon.nova-micro-v1:0", "ap-northeast-1", 0, "0.042 0.168 - - -"),
        ("apac.amazon.nova-micro-v1:0", "ap-south-1", 0, "0.037 0.148 - - 0.00925"),
        ("eu.amazon.nova-micro-v1:0", "eu-west-1", 0, "0.046 0.184 - - 0.0115"),
        ("amazon.nova-premier-v1:0", "us-east-1", 0, "2.5 12.5 - - 0.625"),
        ("amazon.titan-embed-text-v2:0", "us-east-1", 0, "0.02 0 - - -"),
        ("amazon.titan-text-express-v1", "us-east-1", 0, "0.2 0.6 - - -"),
        ("meta.llama3-70b-instruct-v1:0", "us-east-1", 0, "2.65 3.5 - - -"),
        ("mistral.mistral-large-2402-v1:0", "us-east-1", 0, "4 12 - - -"),
        ("cohere.command-r-plus-v1:0", "us-east-1", 0, "3 15 - - -"),
    ] {
        let key = SeriesKey { context: ContextBand::of_input(size), ..series(id, region) };
        let card = book.rate_card(&key, NOW);
        let classes = [
            TokenClass::Input,
            TokenClass::Output,
            TokenClass::CacheWrite5m,
            TokenClass::CacheWrite1h,
            TokenClass::CacheRead,
        ];
        for (class, text) in classes.into_iter().zip(prices.split(' ')) {
            let expected = match text {
                "-" => Price::Unpriced(UnpricedReason::NoPriceForClass),
                _ => usd_per_million(text),
            };
            assert_eq!(card.prices.get(class), expected, "{id} {region} {size} {class:?}");
        }
    }
}

#[test]
fn tiers_have_prices_of_their_own_or_none() {
    let book = Book::shipped().unwrap();
    let none = Price::Unpriced(UnpricedReason::NoPriceForRoute);
    for (id, tier, size, expected) in [
        ("amazon.nova-pro-v1:0", Tier::Flex, 0, usd_per_million("0.4")),
        ("amazon.nova-pro-v1:0", Tier::Priority, 0, usd_per_million("1.4")),
        ("amazon.nova-pro-v1:0", Tier::Reserved, 0, none),
        ("anthropic.claude-v2:1", Tier::Batch, 0, none),
        (
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            Tier::Batch,
            0,
            usd_per_million("1.5"),
        ),
        // Only the standard tier tells what long calls cost.
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", Tier::Batch, 200_001, none),
    ] {
        let context = ContextBand::of_input(size);
        let key = SeriesKey { tier, context, ..series(id, "us-east-1") };
        assert_eq!(input(&book, &key, NOW), expected, "{id} {tier:?} {size}");
    }
}

#[test]
fn the_application_log_line_costs_what_the_list_says() {
    let book = Book::shipped().unwrap();
    let mut tokens = TokenCounts::default();
    tokens.set(TokenClass::Input, 4502);
    tokens.set(TokenClass::Output, 128);
    for (region, assumptions) in [
        ("us-east-1", vec![]),
        ("us-west-2", vec![]),
        ("unknown", vec![Approximation::RegionUnknown]),
        ("eu-west-9", vec![Approximation::RegionPriceAssumed]),
        ("ap-northeast-1", vec![]),
    ] {
        let card = book.rate_card(&series("anthropic.claude-v2:1", region), NOW);
        let charge = card.charge(&tokens);
        assert_eq!(charge.total().to_string(), "0.039088", "{region}");
        assert_eq!(charge.approximations.iter().collect::<Vec<_>>(), assumptions, "{region}");
    }
}

#[test]
fn what_has_no_price_says_why() {
    let book = Book::shipped().unwrap();
    let arn = "arn:aws:bedrock:us-east-1:111122223333:";
    for (id, region, reason) in [
        ("anthropic.claude-9", "us-east-1", UnpricedReason::UnknownModel),
        ("", "us-east-1", UnpricedReason::UnknownModel),
        ("ca.anthropic.claude-v2:1", "ca-central-1", UnpricedReason::NoPriceForRoute),
        ("global.amazon.nova-pro-v1:0", "us-east-1", UnpricedReason::NoPriceForRoute),
        ("amazon.rerank-v1:0", "us-east-1", UnpricedReason::NotPaidByToken),
        ("us.stability.stable-outpaint-v1:0", "us-east-1", UnpricedReason::NotPaidByToken),
        (
            &format!("{arn}application-inference-profile/abc"),
            "us-east-1",
            UnpricedReason::OpaqueModel,
        ),
        (&format!("{arn}default-prompt-router/x"), "us-east-1", UnpricedReason::OpaqueModel),
        (&format!("{arn}imported-model/abc"), "us-east-1", UnpricedReason::NotPaidByToken),
        (
            &format!("{arn}custom-model/anthropic.claude-v2:1/abc"),
            "us-east-1",
            UnpricedReason::NotPaidByToken,
        ),
    ] {
        let card = book.rate_card(&series(id, region), NOW);
        for (class, price) in card.prices.iter() {
            assert_eq!(price, Price::Unpriced(reason), "{id} {class:?}");
        }
        assert_eq!(card.source, None, "{id}");
    }
}

#[test]
fn tokens_on_provisioned_throughput_are_free_and_nothing_is_assumed() {
    let book = Book::shipped().unwrap();
    let key = series("arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abc", "unknown");
    // Nobody says here that its hours are paid, so it is never taken for free.
    let unpriced = Price::Unpriced(UnpricedReason::ProvisionedNotDeclared);
    let undeclared = book.rate_card(&key, NOW);
    assert_eq!(undeclared.prices.get(TokenClass::Output), unpriced);
    let hour = |hours: i64| NOW.plus(hours * 3_600_000);
    let times = [(0, 2), (5, 9)].map(|(from, to)| Validity { from: hour(from), to: hour(to) });
    for (at, is_paid, from, to) in [
        (hour(-1), false, Validity::ALWAYS.from, hour(0)),
        (hour(0), true, hour(0), hour(2)),
        (hour(2), false, hour(2), hour(5)),
        (hour(8), true, hour(5), hour(9)),
        (hour(9), false, hour(9), Validity::ALWAYS.to),
    ] {
        let card = RateCard::of_provisioned(&times, at);
        assert_eq!(card.valid, Validity { from, to });
        let price = if is_paid { Price::Priced(Usd::ZERO) } else { unpriced };
        assert_eq!(card.prices.get(TokenClass::Output), price);
        if is_paid {
            let charge = card.charge(&crate::model::tokens::ByClass([1; 6]));
            assert_eq!(charge, Charge::default());
        }
    }
}

#[test]
fn context_variants_cost_what_their_model_costs() {
    let book = Book::shipped().unwrap();
    for (variant, base) in [
        ("anthropic.claude-v2:1:200k", "anthropic.claude-v2:1"),
        ("anthropic.claude-3-haiku-20240307-v1:0:48k", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("anthropic.claude-3-sonnet-20240229-v1:0:28k", "anthropic.claude-3-sonnet-20240229-v1:0"),
    ] {
        let card = |id| book.rate_card(&series(id, "us-east-1"), NOW);
        assert_eq!(card(variant), card(base), "{variant}");
        assert!(book.knows(variant), "{variant}");
    }
    assert!(!book.knows("anthropic.claude-v2:1:k"));
    assert!(!book.knows("anthropic.claude-v2:9"));
}

#[test]
fn provisioned_throughput_and_units_are_kept() {
    let book = Book::shipped().unwrap();
    let hourly = |model: &str, region: &str, term| {
        let found = book
            .hourly()
            .iter()
            .find(|row| row.model == model && row.region == region && row.term == term);
        found.map(|row| row.usd_per_hour.to_string())
    };
    let v21 = "anthropic.claude-v2:1";
    assert_eq!(hourly(v21, "us-east-1", Term::OneMonth).as_deref(), Some("63"));
    assert_eq!(hourly(v21, "us-east-1", Term::None), None);
    assert_eq!(hourly("cohere.command-text-v14", "*", Term::OneMonth).as_deref(), Some("39.6"));
    let unit = |model: &str, unit: &str| {
        let found = book.units().iter().find(|row| row.model == model && row.unit == unit);
        found.map(|row| row.usd.to_string())
    };
    assert_eq!(unit("cohere.rerank-v3-5:0", "query").as_deref(), Some("0.002"));
    assert_eq!(unit("guardrails", "content_policy_units").as_deref(), Some("0.00015"));
}

#[test]
fn the_version_names_the_content() {
    let mut book = Book::shipped().unwrap();
    assert_eq!(book.published_at(), Some(day("2026-11-23")));
    let before = book.version();
    assert!(before.starts_with("2026-11-23-"), "{before}");
    assert_eq!(Book::shipped().unwrap().version(), before);
    book.overlay("mine.toml", "published = 2026-11-24").unwrap();
    assert!(book.version().starts_with("2026-11-24-"));
    assert_eq!(book.parts().last().map(|part| part.name.as_str()), Some("mine.toml"));
}

const DATED: &str = r#"
[[price]]
model = "a.b"
route = "in_region"
from = "2024-03-07"
to = "2025-01-01"
standard = { input = "8" }

[[price]]
model = "a.b"
route = "in_region"
from = 2025-01-01
to = "2026-01-01"
standard = { input = "4" }
"#;

#[test]
fn a_price_holds_from_its_first_instant_to_the_one_before_its_last_day() {
    let book = book_of(DATED);
    let key = series("a.b", "us-east-1");
    let gone = Price::Unpriced(UnpricedReason::NoPriceAtTime);
    let early = vec![Approximation::PriceBeforeFirst];
    for (at, price, assumptions) in [
        (UnixMillis(i64::MIN), usd_per_million("8"), early.clone()),
        (day("2024-03-07").plus(-1), usd_per_million("8"), early),
        (day("2024-03-07"), usd_per_million("8"), vec![]),
        (day("2025-01-01").plus(-1), usd_per_million("8"), vec![]),
        (day("2025-01-01"), usd_per_million("4"), vec![]),
        (day("2026-01-01").plus(-1), usd_per_million("4"), vec![]),
        (day("2026-01-01"), gone, vec![]),
        (UnixMillis(i64::MAX), gone, vec![]),
    ] {
        let card = book.rate_card(&key, at);
        assert_eq!(card.prices.get(TokenClass::Input), price, "{at:?}");
        assert_eq!(assumed(&card), assumptions, "{at:?}");
        assert!(card.valid.holds_at(at), "{at:?}");
    }
}

#[test]
fn a_row_without_regions_is_for_every_region() {
    let mut book = Book::shipped().unwrap();
    let text = "[[price]]\nmodel = \"anthropic.claude-v2:1\"\nroute = \"in_region\"\nstandard = { input = \"7\" }";
    book.overlay("mine.toml", text).unwrap();
    for region in ["us-east-1", "eu-central-1", "unknown", "eu-west-9"] {
        let card = book.rate_card(&series("anthropic.claude-v2:1", region), NOW);
        assert_eq!(card.prices.get(TokenClass::Input), usd_per_million("7"), "{region}");
        assert_eq!(assumed(&card), [], "{region}");
        assert_eq!(card.source.as_deref(), Some("mine.toml"), "{region}");
    }
    let other = book.rate_card(&series("anthropic.claude-v2", "us-east-1"), NOW);
    assert_eq!(other.prices.get(TokenClass::Input), usd_per_million("8"));
}

#[test]
fn a_row_for_one_region_leaves_other_tiers_and_regions_alone() {
    let mut book = Book::shipped().unwrap();
    let text = "[[price]]\nmodel = \"amazon.nova-pro-v1:0\"\nroute = \"in_region\"\nregion = \"eu-west-9\"\nstandard = { input = \"7\" }";
    let elsewhere = series("amazon.nova-pro-v1:0", "us-east-1");
    let flex = SeriesKey { tier: Tier::Flex, ..series("amazon.nova-pro-v1:0", "eu-west-9") };
    let before = (book.rate_card(&elsewhere, NOW), book.rate_card(&flex, NOW));
    book.overlay("mine.toml", text).unwrap();
    assert_eq!((book.rate_card(&elsewhere, NOW), book.rate_card(&flex, NOW)), before);
    let own = series("amazon.nova-pro-v1:0", "eu-west-9");
    assert_eq!(input(&book, &own, NOW), usd_per_million("7"));
}

#[test]
fn cache_writes_of_unknown_duration_cost_five_minutes() {
    let book = Book::shipped().unwrap();
    let card = book.rate_card(&series("global.anthropic.claude-sonnet-4-6", "us-east-1"), NOW);
    let mut tokens = TokenCounts::default();
    tokens.set(TokenClass::CacheWriteUnknownTtl, 1_000_000);
    let charge = card.charge(&tokens);
    assert_eq!(charge.total().to_string(), "3.75");
    assert!(charge.approximations.contains(Approximation::CacheTtlUnknown));
}

/// Each file with all of its mistakes, as the user sees them.
#[test]
fn every_mistake_is_told_with_its_place() {
    let golden = include_str!("../../tests/data/price/mistakes.txt");
    let mut told = String::new();
    for case in golden.split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (text, _) = rest.split_once("--- problems\n").unwrap();
        let mut book = Book::default();
        let problems = book.overlay(name, text).expect_err(name);
        assert_eq!(book.parts(), [], "{name} changed the book");
        write!(told, "=== {name}\n{text}--- problems\n").unwrap();
        for problem in problems {
            writeln!(told, "{problem}").unwrap();
        }
    }
    assert!(told == golden, "mistakes.txt is not what is told now:\n{told}");
}

#[test]
fn the_example_of_the_format_is_a_price_file() {
    let readme = include_str!("book/README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let key = series("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1");
    assert_eq!(input(&book_of(example), &key, NOW), usd_per_million("3.3"));
}

proptest! {
    #[test]
    fn an_overlay_wins_on_its_interval_and_nowhere_else(
        from in 0i64..40, length in 1i64..40, at in -5i64..90
    ) {
        let text = |days: i64| UnixMillis(days * crate::model::time::DAY_MS).day_text();
        let mut book = Book::shipped().unwrap();
        let key = series("anthropic.claude-v2:1", "us-east-1");
        let at_instant = UnixMillis(at * crate::model::time::DAY_MS);
        let before = input(&book, &key, at_instant);
        let (first, gone) = (text(from), text(from + length));
        book.overlay("mine.toml", &format!(
            "price = [{{ model = \"anthropic.claude-v2:1\", route = \"in_region\", from = \"{first}\", \
             to = \"{gone}\", standard = {{ input = \"1\" }} }}]"
        )).unwrap();
        let inside = (from..from + length).contains(&at);
        let expected = if inside { usd_per_million("1") } else { before };
        prop_assert_eq!(input(&book, &key, at_instant), expected);
    }

    #[test]
    fn a_card_is_the_same_throughout_its_validity(
        rows in prop::collection::vec((0i64..30, 1i64..15, 0usize..3, 0usize..3), 1..6),
        one in -3i64..50, other in -3i64..50, size in 0u64..300_000, region in 0usize..3,
    ) {
        let text = |days: i64| UnixMillis(days * crate::model::time::DAY_MS).day_text();
        let mut book = Book::default();
        for (number, (from, length, table, place)) in rows.into_iter().enumerate() {
            let table = ["standard", "standard_above_200k", "batch"][table];
            let place = ["", "region = \"us-east-1\",", "region = [\"us-east-1\", \"*\"],"][place];
            book.overlay("row.toml", &format!(
                "price = [{{ model = \"a.b\", route = \"in_region\", {place} from = \"{}\", \
                 to = \"{}\", {table} = {{ input = \"{number}\" }} }}]", text(from), text(from + length)
            )).unwrap();
        }
        let key = SeriesKey {
            context: ContextBand::of_input(size),
            ..series("a.b", ["us-east-1", "eu-west-9", "unknown"][region])
        };
        let at = |days: i64| UnixMillis(days * crate::model::time::DAY_MS);
        let card = book.rate_card(&key, at(one));
        prop_assert!(card.valid.holds_at(at(one)));
        if card.valid.holds_at(at(other)) {
            prop_assert_eq!(book.rate_card(&key, at(other)), card);
        }
    }

    #[test]
    fn reading_never_panics(text in "[\\[\\]{}=\"a-z0-9_., \\n-]{0,200}") {
        let mut book = Book::default();
        prop_assert_eq!(book.overlay("x", &text).is_ok(), !book.parts().is_empty());
    }
}
