//! Spellings, codes, exports and limits: what is understood, what is not, and who wins.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;

use super::exact::Inexact;
use super::export::{Export, Why};
use super::kind::QuotaKind;
use super::limits::{Limit, LimitSource, Limits};
use super::names::{Named, QuotaName, Reach, Variant, parse};
use super::pool::Pool;
use super::settings::{OwnBurndown, OwnLimit, Settings};
use super::settle::reserved;
use super::shipped::Shipped;
use crate::model::names::Route;
use crate::model::time::UnixMillis;

const SONNET_45: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const HAIKU_3: &str = "anthropic.claude-3-haiku-20240307-v1:0";
const ACCOUNT: &str = "111122223333";

use QuotaKind::{RequestsPerMinute, TokensPerDay, TokensPerMinute};

fn shipped() -> Arc<Shipped> {
    Arc::new(Shipped::load().unwrap())
}

fn read(text: &str, settings: &Settings) -> Export {
    Export::read("q.json", text, &shipped(), settings).unwrap()
}

/// One quota as the API gives it.
fn quota(code: &str, name: &str, value: &str) -> String {
    let arn = format!("arn:aws:servicequotas:us-east-1:{ACCOUNT}:bedrock/{code}");
    format!(
        r#"{{"ServiceCode":"bedrock","QuotaArn":"{arn}","QuotaCode":"{code}","QuotaName":"{name}","Value":{value}}}"#
    )
}

fn page(quotas: &[String]) -> String {
    format!(r#"{{"Quotas":[{}]}}"#, quotas.join(","))
}

fn pool(model: &str, route: Route) -> Pool {
    Pool {
        account: ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        model: model.to_owned(),
        route,
    }
}

fn limits(settings: Settings, exports: &[Export]) -> Limits {
    Limits::new(shipped(), settings, exports)
}

fn told(limit: Option<Limit>) -> Option<(u64, &'static str)> {
    limit.map(|limit| (limit.value, limit.source.as_str()))
}

#[test]
fn every_spelling_of_a_name_is_read() {
    use Reach::{Doubled, Geo, Global, InRegion, Unnamed};
    use Variant::{LatencyOptimized, LongContext, Standard};
    let x = "Anthropic Claude 3 Haiku";
    for (name, kind, reach, model, variant) in [
        (
            "On-demand model inference tokens per minute for Anthropic Claude 3 Haiku",
            TokensPerMinute,
            InRegion,
            x,
            Standard,
        ),
        (
            "On-demand model inference requests per minute for Anthropic Claude 3 Haiku ",
            RequestsPerMinute,
            InRegion,
            x,
            Standard,
        ),
        (
            "Cross-region model inference tokens per minute for Anthropic Claude 3 Haiku",
            TokensPerMinute,
            Geo,
            x,
            Standard,
        ),
        (
            "Cross-Region model inference requests per minute for  Anthropic Claude 3 Haiku",
            RequestsPerMinute,
            Geo,
            x,
            Standard,
        ),
        (
            "Global cross-region model inference tokens per minute for Claude Haiku 4.5",
            TokensPerMinute,
            Global,
            "Claude Haiku 4.5",
            Standard,
        ),
        (
            "Global Cross-Region Model Inference Tokens Per Day for Anthropic Claude 3 Haiku",
            TokensPerDay,
            Global,
            x,
            Standard,
        ),
        (
            "Cross-Region InvokeModel tokens per minute for Anthropic Claude 3 Haiku",
            TokensPerMinute,
            Geo,
            x,
            Standard,
        ),
        (
            "On-demand InvokeModel tokens per minute for Anthropic Claude 3 Haiku",
            TokensPerMinute,
            InRegion,
            x,
            Standard,
        ),
        (
            "InvokeModel requests per minute for Anthropic Claude 3 Haiku",
            RequestsPerMinute,
            Unnamed,
            x,
            Standard,
        ),
        (
            "Model invocation max tokens per day for Anthropic Claude 3 Haiku (doubled for cross-region calls)",
            TokensPerDay,
            Doubled,
            x,
            Standard,
        ),
        (
            "Model invocation max tokens per day for Anthropic Claude 3 Haiku",
            TokensPerDay,
            Unnamed,
            x,
            Standard,
        ),
        (
            "On-demand, latency-optimized model inference tokens per minute for Anthropic Claude 3 Haiku",
            TokensPerMinute,
            InRegion,
            x,
            LatencyOptimized,
        ),
        (
            "On-demand latency-optimized model inference requests per minute for Anthropic Claude 3 Haiku",
            RequestsPerMinute,
            InRegion,
            x,
            LatencyOptimized,
        ),
        (
            "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4 V1 1M Context Length",
            TokensPerMinute,
            Geo,
            "Anthropic Claude Sonnet 4 V1",
            LongContext,
        ),
        (
            "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4 V1 (1M context length)",
            TokensPerMinute,
            Geo,
            "Anthropic Claude Sonnet 4 V1",
            LongContext,
        ),
        (
            "Global cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1 - 1M Context Length ",
            TokensPerMinute,
            Global,
            "Anthropic Claude Sonnet 4.5 V1",
            LongContext,
        ),
    ] {
        let expected = QuotaName { kind, reach, model: model.to_owned(), variant };
        assert_eq!(parse(name), Some(Named::Model(expected)), "{name}");
    }
    assert_eq!(
        parse(" Cross-Model Account-Level Tokens Per Day "),
        Some(Named::AccountTokensPerDay)
    );
}

#[test]
fn what_is_no_quota_of_calls_is_not_read_as_one() {
    for name in [
        "",
        "On-demand InvokeModel concurrent requests for Amazon Nova Sonic",
        "On-demand model inference tokens per minute for ",
        "On-demand model inference tokens per minute",
        "On-demand model inference tokens per hour for Amazon Nova Lite",
        "Global on-demand model inference tokens per minute for Amazon Nova Lite",
        "On-demand model inference tokens per day for Amazon Nova Lite (doubled for cross-region calls)",
        "Model units per provisioned model for Amazon Nova Lite",
        "Records per batch inference job for Amazon Nova Lite",
        "Model inference of tokens per minute for Amazon Nova Lite",
    ] {
        assert_eq!(parse(name), None, "{name}");
    }
}

#[test]
fn every_shipped_code_means_what_its_name_says() {
    let shipped = shipped();
    assert!(shipped.codes.len() > 200, "{}", shipped.codes.len());
    for (code, meaning) in &shipped.codes {
        let Some(Named::Model(name)) = parse(&meaning.name) else {
            panic!("{code} {}", meaning.name)
        };
        assert_eq!(
            (name.kind, name.reach),
            (meaning.kind, meaning.reach),
            "{code} {}",
            meaning.name
        );
        assert_eq!(name.variant, Variant::Standard, "{code} {}", meaning.name);
        let mut named = shipped.models_named(&name.model).to_vec();
        named.sort();
        assert_eq!(named, meaning.models, "{code} {}", meaning.name);
    }
    // The codes that AWS's table of quotas gives beside the models.
    for (code, model, kind, reach) in [
        ("L-DCADBC78", HAIKU_3, TokensPerMinute, Reach::Geo),
        ("L-FF8B4E28", "anthropic.claude-3-5-sonnet-20241022-v2:0", TokensPerMinute, Reach::Geo),
        ("L-6E888CC2", "anthropic.claude-3-7-sonnet-20250219-v1:0", TokensPerMinute, Reach::Geo),
        ("L-59759B4A", "anthropic.claude-sonnet-4-20250514-v1:0", TokensPerMinute, Reach::Geo),
        ("L-F4DDD3EB", SONNET_45, TokensPerMinute, Reach::Geo),
        ("L-4A6BFAB1", SONNET_45, RequestsPerMinute, Reach::Geo),
        ("L-58BE175A", "anthropic.claude-haiku-4-5-20251001-v1:0", TokensPerMinute, Reach::Geo),
        ("L-9A11C666", "anthropic.claude-haiku-4-5-20251001-v1:0", TokensPerMinute, Reach::Global),
    ] {
        let found = shipped.code(code).unwrap();
        assert_eq!(
            (found.kind, found.reach, found.models.as_slice()),
            (kind, reach, &[model.to_owned()][..])
        );
    }
}

#[test]
fn shipped_facts_are_about_base_ids_and_limits_do_not_contradict_each_other() {
    let shipped = shipped();
    let mut seen = Vec::new();
    for row in &shipped.defaults {
        assert!(super::pool::is_on_demand(row.route), "{row:?}");
        assert!(row.tokens_per_minute.is_some(), "{row:?}");
        for model in &row.models {
            let regions =
                if row.regions.is_empty() { vec![String::new()] } else { row.regions.clone() };
            for region in regions {
                let place = (model.clone(), row.route, region);
                assert!(!seen.contains(&place), "twice: {place:?}");
                seen.push(place);
            }
        }
    }
    let ids = shipped.max_output.keys().chain(shipped.codes.values().flat_map(|code| &code.models));
    for id in ids.chain(shipped.defaults.iter().flat_map(|row| &row.models)) {
        let base = crate::model::model_ref::ModelRef::parse(id);
        assert_eq!(
            (base.model.as_str(), base.route, base.opaque),
            (id.as_str(), Route::InRegion, false)
        );
    }
}

#[test]
fn the_sample_export_gives_exactly_its_limits() {
    let export = read(include_str!("../../tests/data/service_quotas.json"), &Settings::default());
    let mut found = String::new();
    for limit in &export.limits {
        let (place, route) = (&limit.place, limit.route.as_str());
        let account = place.account.as_deref().unwrap_or("any");
        writeln!(
            found,
            "{account} {} {} {route} {} {}",
            place.region, limit.model, limit.kind, limit.value
        )
        .unwrap();
    }
    assert_eq!(
        found,
        "111122223333 us-east-1 anthropic.claude-sonnet-4-5-20250929-v1:0 geo tokens_per_minute 5000000\n\
         111122223333 us-east-1 anthropic.claude-sonnet-4-5-20250929-v1:0 geo requests_per_minute 10000\n\
         111122223333 us-east-1 anthropic.claude-3-5-sonnet-20241022-v2:0 geo tokens_per_minute 800000\n\
         111122223333 us-east-1 anthropic.claude-haiku-4-5-20251001-v1:0 global tokens_per_minute 5000000\n\
         111122223333 us-east-1 anthropic.claude-3-haiku-20240307-v1:0 in_region tokens_per_minute 2000000\n\
         111122223333 us-east-1 anthropic.claude-sonnet-4-20250514-v1:0 in_region tokens_per_day 144000000\n\
         111122223333 us-east-1 anthropic.claude-sonnet-4-20250514-v1:0 geo tokens_per_day 288000000\n"
    );
    assert_eq!(export.skipped, []);
    assert_eq!(export.separate.len(), 1);
    assert_eq!(
        export.to_string(),
        "q.json: 7 limits, 0 unknown quotas, 1 for long contexts or low latency, which are kept apart; the list \
         is not whole, it ends with a `NextToken`: export it without `--max-items`, or append the other pages"
    );
    let limits = limits(Settings::default(), &[export]);
    assert_eq!(
        told(limits.account_tokens_per_day(ACCOUNT, "us-east-1")),
        Some((700_000_000, "service_quotas"))
    );
    assert_eq!(limits.account_tokens_per_day(ACCOUNT, "eu-west-1"), None);
    assert_eq!(limits.account_tokens_per_day("999999999999", "us-east-1"), None);
}

#[test]
fn what_is_not_known_is_told_and_is_no_limit_of_anything() {
    let text = page(&[
        quota(
            "L-FFFFFFF1",
            "Cross-region model inference tokens per minute for Acme Brain 7",
            "5.0",
        ),
        quota(
            "L-FFFFFFF2",
            "Cross-region model inference tokens per fortnight for Amazon Nova Lite",
            "5.0",
        ),
        quota(
            "L-FFFFFFF3",
            "On-demand model inference tokens per minute for OpenAI Nova Lite",
            "5.0",
        ),
        quota(
            "L-F4DDD3EB",
            "Cross-region model inference tokens per minute for Amazon Nova Lite",
            "5.0",
        ),
        quota(
            "L-F4DDD3EB",
            "Cross-region model inference tokens per minute for Sonnet Four Five",
            "6.0",
        ),
        quota("L-FFFFFFF4", "Agents per account", "5.0"),
        quota("L-FFFFFFF5", "Novel tokens per minute for anything at all", "5.0"),
    ]);
    let export = read(&text, &Settings::default());
    let skipped: Vec<_> = export.skipped.iter().map(|one| (one.code.as_str(), one.why)).collect();
    assert_eq!(
        skipped,
        [
            ("L-FFFFFFF1", Why::Unknown),
            ("L-FFFFFFF3", Why::Unknown),
            ("L-F4DDD3EB", Why::Disagree),
            ("L-FFFFFFF5", Why::Unknown),
        ]
    );
    assert_eq!((export.limits.len(), export.limits[0].value, export.others), (1, 6, 2));
    assert_eq!(
        export.to_string(),
        "q.json: 1 limit, 3 unknown quotas, 1 not usable (L-F4DDD3EB `Cross-region model inference tokens per \
         minute for Amazon Nova Lite`: its code and its name mean different limits; L-FFFFFFF1 `Cross-region \
         model inference tokens per minute for Acme Brain 7`: neither code nor model is known; L-FFFFFFF3 \
         `On-demand model inference tokens per minute for OpenAI Nova Lite`: neither code nor model is known; \
         and 1 more), 2 of other things"
    );
}

#[test]
fn a_value_is_a_whole_number_or_is_told() {
    let name = "On-demand model inference tokens per minute for Amazon Nova Lite";
    for (value, expected) in [
        ("0.0", Ok(0)),
        ("1.5e3", Ok(1_500)),
        ("18446744073709551615", Ok(u64::MAX)),
        ("18446744073709551616.0", Err(Inexact::TooLarge)),
        ("-1.0", Err(Inexact::Negative)),
        ("0.5", Err(Inexact::Fraction)),
        ("null", Err(Inexact::NoNumber)),
        ("\"NaN\"", Err(Inexact::NoNumber)),
        ("[[[[]]]]", Err(Inexact::NoNumber)),
    ] {
        let export = read(&page(&[quota("L-1", name, value)]), &Settings::default());
        let found = match export.skipped.first() {
            Some(skipped) => Err(skipped.why),
            None => Ok(export.limits[0].value),
        };
        assert_eq!(found, expected.map_err(Why::Value), "{value}");
    }
    let per_day =
        "Model invocation max tokens per day for Amazon Nova Lite (doubled for cross-region calls)";
    let export =
        read(&page(&[quota("L-1", per_day, "18446744073709551615")]), &Settings::default());
    assert_eq!(export.skipped[0].why, Why::Value(Inexact::TooLarge), "twice as much does not fit");
    assert_eq!(export.limits, [], "half of a quota is none");
}

#[test]
fn all_that_the_cli_prints_is_read() {
    let one = quota(
        "L-70423BF8",
        "On-demand model inference tokens per minute for Amazon Nova Lite",
        "7.0",
    );
    let two = quota("L-F4DDD3EB", "", "8.0");
    let single = format!(r#"{{"Quota":{one}}}"#);
    let pages = format!(
        "{{\"Quotas\":[{one}],\"NextToken\":\"x\"}}\n{}\n{{\"Quotas\":[]}}",
        page(std::slice::from_ref(&two))
    );
    for (text, values, is_whole) in [
        (single.clone(), vec![7], true),
        (format!("\u{feff}{single}{single}"), vec![7, 7], true),
        (pages, vec![7, 8], true),
        (format!(r#"{{"Quotas":[{two}],"NextToken":"x"}}"#), vec![8], false),
        (format!(r#"{{"Quotas":[{two}],"NextToken":null}}"#), vec![8], true),
        (r#"{"Quotas":[]}"#.to_owned(), vec![], true),
    ] {
        let export = read(&text, &Settings::default());
        let found: Vec<_> = export.limits.iter().map(|limit| limit.value).collect();
        assert_eq!((found, export.is_whole), (values, is_whole), "{text}");
    }
    let defaults = one.replace(ACCOUNT, "");
    let limits = limits(Settings::default(), &[read(&page(&[defaults]), &Settings::default())]);
    let nova = pool("amazon.nova-lite-v1:0", Route::InRegion);
    assert_eq!(told(limits.get(&nova, TokensPerMinute)), Some((7, "default")));
}

#[test]
fn what_is_no_export_is_refused_with_what_to_do() {
    let deep = "[".repeat(100_000);
    let deep_inside = format!(r#"{{"Quotas":[{{"Unit":{deep}"#);
    for (text, place, found) in [
        ("", "q.json:1:1", "the file is empty"),
        ("{}", "q.json:1:1", "object 1 has no `Quotas`"),
        ("{\"Quotas\":[]}\n{\"events\":[]}", "q.json:1:1", "object 2 has no `Quotas`"),
        ("{\"Quotas\":\n 5}", "q.json:2:2", "invalid type"),
        ("{\"Quotas\":[5]}", "q.json:1:12", "invalid type"),
        ("{\"Quotas\":[{\"QuotaCode\":7}]}", "q.json:1:25", "invalid type"),
        ("{\"Quotas\":[{\"Value\":NaN}]}", "q.json:1:21", "expected value"),
        ("{\"Quotas\":[", "q.json:1:11", "EOF"),
        ("An error occurred (AccessDenied)", "q.json:1:1", "expected value"),
        ("[{\"QuotaCode\":\"L-1\"}]", "q.json:1:", "invalid type"),
        (&deep, "q.json:1:", "invalid type"),
        (&deep_inside, "q.json:1:", "EOF"),
    ] {
        let error =
            Export::read("q.json", text, &shipped(), &Settings::default()).unwrap_err().to_string();
        let start: String = text.chars().take(40).collect();
        assert!(error.starts_with(place), "{start}: {error}");
        assert!(error.contains(found), "{start}: {error}");
        assert!(error.contains("aws service-quotas list-service-quotas"), "{start}: {error}");
        assert!(error.len() < 400, "{start}: {error}");
    }
}

#[test]
fn an_export_without_arn_is_of_the_account_and_region_that_the_config_names() {
    let quota = r#"{"QuotaCode":"L-F4DDD3EB","Value":9.0}"#.to_owned();
    let text = page(&[quota]);
    assert_eq!(read(&text, &Settings::default()).skipped[0].why, Why::NoPlace);
    let settings = Settings {
        account: Some(ACCOUNT.to_owned()),
        region: Some("us-east-1".to_owned()),
        ..Settings::default()
    };
    let limits = limits(settings.clone(), &[read(&text, &settings)]);
    let geo = pool(SONNET_45, Route::Geo);
    assert_eq!(told(limits.get(&geo, TokensPerMinute)), Some((9, "service_quotas")));
    for arn in [
        "",
        "x",
        "arn:aws:bedrock:us-east-1:1:x/y",
        "arn:aws:servicequotas::111122223333:bedrock/L-1",
    ] {
        let text =
            page(&[format!(r#"{{"QuotaArn":"{arn}","QuotaCode":"L-F4DDD3EB","Value":9.0}}"#)]);
        assert_eq!(read(&text, &settings).skipped[0].why, Why::NoPlace, "{arn}");
    }
}

#[test]
fn the_config_wins_over_an_export_and_an_export_over_a_default() {
    let geo = pool(SONNET_45, Route::Geo);
    let own = OwnLimit {
        account: None,
        region: None,
        model: SONNET_45.to_owned(),
        route: Route::Geo,
        values: vec![(TokensPerMinute, 0)],
    };
    let export = read(
        &page(&[quota("L-F4DDD3EB", "", "0.0"), quota("L-4A6BFAB1", "", "7.0")]),
        &Settings::default(),
    );
    let shipped_only = limits(Settings::default(), &[]);
    assert_eq!(told(shipped_only.get(&geo, TokensPerMinute)), Some((5_000_000, "default")));
    assert_eq!(told(shipped_only.get(&geo, TokensPerDay)), Some((7_200_000_000, "default")));
    let exported = limits(Settings::default(), std::slice::from_ref(&export));
    assert_eq!(
        told(exported.get(&geo, TokensPerMinute)),
        Some((0, "service_quotas")),
        "zero is a limit"
    );
    assert_eq!(told(exported.get(&geo, RequestsPerMinute)), Some((7, "service_quotas")));
    let settings = Settings { limits: vec![own.clone()], ..Settings::default() };
    let configured = limits(settings, std::slice::from_ref(&export));
    assert_eq!(told(configured.get(&geo, TokensPerMinute)), Some((0, "config")), "zero is a limit");
    assert_eq!(told(configured.get(&geo, RequestsPerMinute)), Some((7, "service_quotas")));
    let without = limits(Settings { defaults: false, ..Settings::default() }, &[]);
    assert_eq!(without.get(&geo, TokensPerMinute), None);
    for other in [
        pool(SONNET_45, Route::InRegion),
        pool(SONNET_45, Route::Global),
        pool("anthropic.x", Route::Geo),
    ] {
        assert_eq!(configured.get(&other, TokensPerMinute), None, "{other:?}");
    }
}

#[test]
fn the_most_exact_row_of_the_config_wins_in_any_order() {
    let row = |account: Option<&str>, region: Option<&str>, value| OwnLimit {
        account: account.map(str::to_owned),
        region: region.map(str::to_owned),
        model: HAIKU_3.to_owned(),
        route: Route::Geo,
        values: vec![(TokensPerMinute, value)],
    };
    let mut rows = vec![
        row(None, None, 1),
        row(None, Some("us-east-1"), 2),
        row(Some(ACCOUNT), None, 3),
        row(Some(ACCOUNT), Some("us-east-1"), 4),
        row(Some("999999999999"), Some("us-east-1"), 5),
    ];
    for _ in 0..2 {
        for (count, value) in [(5, 4), (4, 3), (3, 2), (2, 1)] {
            let kept = rows.iter().filter(|row| row.values[0].1 != 4 || count > 4);
            let kept = kept.filter(|row| row.values[0].1 != 3 || count > 3);
            let kept = kept.filter(|row| row.values[0].1 != 2 || count > 2).cloned().collect();
            let limits = limits(Settings { limits: kept, ..Settings::default() }, &[]);
            let found = limits.get(&pool(HAIKU_3, Route::Geo), TokensPerMinute);
            assert_eq!(told(found), Some((value, "config")));
        }
        rows.reverse();
    }
}

#[test]
fn an_unknown_account_or_region_is_not_guessed() {
    let export = read(&page(&[quota("L-F4DDD3EB", "", "9.0")]), &Settings::default());
    let mut unknown = pool(SONNET_45, Route::Geo);
    unknown.account = "unknown".to_owned();
    unknown.region = "unknown".to_owned();
    let guess = limits(Settings::default(), std::slice::from_ref(&export));
    // The default of this model is the same everywhere; that of 3 Haiku is not.
    assert_eq!(told(guess.get(&unknown, TokensPerMinute)), Some((5_000_000, "default")));
    let haiku = Pool { model: HAIKU_3.to_owned(), ..unknown.clone() };
    assert_eq!(guess.get(&haiku, TokensPerMinute), None);
    let settings = Settings {
        account: Some(ACCOUNT.to_owned()),
        region: Some("us-east-1".to_owned()),
        ..Settings::default()
    };
    let said = limits(settings, &[export]);
    assert_eq!(told(said.get(&unknown, TokensPerMinute)), Some((9, "service_quotas")));
    assert_eq!(told(said.get(&haiku, TokensPerMinute)), Some((4_000_000, "default")));
    let elsewhere = Pool { region: "eu-central-1".to_owned(), ..haiku };
    assert_eq!(told(said.get(&elsewhere, TokensPerMinute)), Some((600_000, "default")));
    let stranger = Pool { account: "999999999999".to_owned(), ..pool(SONNET_45, Route::Geo) };
    assert_eq!(told(said.get(&stranger, TokensPerMinute)), Some((5_000_000, "default")));
}

#[test]
fn of_contradicting_exports_the_smaller_limit_counts_and_is_told() {
    let export = |file: &str, value: &str| Export {
        file: file.to_owned(),
        ..read(&page(&[quota("L-F4DDD3EB", "", value)]), &Settings::default())
    };
    let (large, small) = (export("a.json", "9.0"), export("b.json", "8.0"));
    for exports in [[large.clone(), small.clone()], [small.clone(), large.clone()]] {
        let limits = limits(Settings::default(), &exports);
        let found = limits.get(&pool(SONNET_45, Route::Geo), TokensPerMinute);
        assert_eq!(told(found), Some((8, "service_quotas")));
        assert_eq!(
            limits.conflicts().iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["`b.json` and `a.json` give 8 and 9 as tokens_per_minute of \
              `anthropic.claude-sonnet-4-5-20250929-v1:0` (geo, us-east-1); the smaller one, 8, counts"]
        );
    }
    assert_eq!(limits(Settings::default(), &[large.clone(), large]).conflicts(), []);
}

#[test]
fn a_token_of_output_takes_what_aws_says_of_its_model() {
    let limits = limits(Settings::default(), &[]);
    for (model, rate, assumed) in [
        ("anthropic.claude-opus-4-8", 15, false),
        ("anthropic.claude-opus-5-5", 10, false),
        ("anthropic.claude-opus-5", 10, false),
        ("anthropic.claude-sonnet-5", 10, false),
        ("anthropic.claude-fable-5-1", 10, false),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", 5, false),
        ("anthropic.claude-opus-4-20250514-v1:0", 5, false),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", 5, false),
        ("anthropic.claude-sonnet-4-6", 5, false),
        ("anthropic.claude-opus-4-7", 5, false),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", 1, true),
        ("anthropic.claude-v2:1", 1, true),
        ("anthropic.claude-v2:1:200k", 1, true),
        ("anthropic.claude-haiku-5-5", 10, true),
        ("openai.gpt-5.6-sol", 10, false),
        ("openai.gpt-5.5", 1, false),
        ("amazon.nova-pro-v1:0", 1, false),
    ] {
        let found = limits.burndown_told(model, UnixMillis(0));
        assert_eq!((found.rate, found.assumed), (rate, assumed), "{model}");
    }
}

#[test]
fn the_config_sets_a_rate_right_from_its_day_on() {
    let row = |rate, from: Option<&str>| OwnBurndown {
        model: "anthropic.claude-v2:1".to_owned(),
        rate,
        from: from.and_then(UnixMillis::parse_day),
    };
    let settings = Settings {
        burndowns: vec![row(7, Some("2026-10-01")), row(5, Some("2026-01-01"))],
        ..Settings::default()
    };
    let limits = limits(settings, &[]);
    for (day, rate) in [("2025-12-31", 1), ("2026-01-01", 5), ("2026-09-30", 5), ("2026-10-01", 7)]
    {
        let at = UnixMillis::parse_day(day).unwrap();
        assert_eq!(limits.burndown("anthropic.claude-v2:1", at), rate, "{day}");
        assert_eq!(limits.burndown("anthropic.claude-v2:1:200k", at), rate, "{day}");
    }
}

/// AWS's example: a quota of 2,000,000 tokens per minute and calls without `max_tokens` to a Sonnet that may
/// write 64,000: 31 at once.
#[test]
fn without_max_tokens_two_million_tokens_are_31_calls_at_once() {
    let limits = limits(Settings::default(), &[]);
    let max_tokens = u64::from(limits.default_max_output(SONNET_45).unwrap());
    assert_eq!(max_tokens, 64_000);
    assert_eq!(2_000_000 / reserved(0, max_tokens), 31);
    assert_eq!(limits.default_max_output("anthropic.claude-v2:1:200k"), Some(8_191));
    assert_eq!(limits.default_max_output("acme.brain"), None);
}

/// Writes `text` with the case of letters and the width of spaces as `dice` has it.
fn respell(text: &str, dice: u64) -> String {
    let mut out = " ".repeat((dice % 3) as usize);
    for (index, c) in text.chars().enumerate() {
        match (c, (dice >> (index % 64)) & 1) {
            (' ', 1) => out.push_str("  "),
            (c, 1) => out.extend(c.to_uppercase()),
            (c, _) => out.push(c),
        }
    }
    out + if dice.is_multiple_of(2) { " " } else { "" }
}

proptest! {
    #[test]
    fn every_spelling_of_the_parts_gives_the_parts_back(
        reach in prop::sample::select(vec![
            ("On-demand ", Reach::InRegion), ("on demand ", Reach::InRegion), ("Cross-region ", Reach::Geo),
            ("Cross-Region ", Reach::Geo), ("Global cross-region ", Reach::Global), ("", Reach::Unnamed),
        ]),
        what in prop::sample::select(vec!["model inference", "InvokeModel", "Model invocation max"]),
        kind in prop::sample::select(QuotaKind::ALL.to_vec()),
        model in "[A-Za-z][A-Za-z0-9]{1,8}( [A-Za-z0-9.]{1,6}){0,3}",
        variant in prop::sample::select(vec![
            ("", "", Variant::Standard), ("latency-optimized ", "", Variant::LatencyOptimized),
            ("", " 1M Context Length", Variant::LongContext), ("", " - 200K Context Length", Variant::LongContext),
            ("", " latency-optimized", Variant::LatencyOptimized),
        ]),
        doubled: bool,
        dice: u64,
    ) {
        let (before, behind, variant) = variant;
        let is_doubled = doubled && reach.1 == Reach::Unnamed;
        let note = if is_doubled { " (doubled for cross-region calls)" } else { "" };
        let kind_words = kind.as_str().replace('_', " ");
        let head = format!("{}{before}{what} {kind_words} for ", reach.0);
        let name = format!("{}{model}{}", respell(&head, dice), respell(&format!("{behind}{note}"), dice));
        let reach = if is_doubled { Reach::Doubled } else { reach.1 };
        prop_assert_eq!(parse(&name), Some(Named::Model(QuotaName { kind, reach, model, variant })), "{}", name);
    }

    #[test]
    fn no_text_at_all_breaks_the_reading(text in ".{0,80}", name in "(?i)(global )?(cross-region )?model inference tokens per (day|minute) for .{0,20}") {
        parse(&text);
        parse(&name);
        let quoted = serde_json::to_string(&name).unwrap();
        let row = format!(r#"{{"Quotas":[{{"QuotaCode":"L-0","QuotaName":{quoted},"Value":1}}]}}"#);
        read(&row, &Settings::default());
        let _ = Export::read("q.json", &text, &shipped(), &Settings::default());
    }
}

#[test]
fn sources_have_names() {
    let names = [LimitSource::Config, LimitSource::ServiceQuotas, LimitSource::Default]
        .map(LimitSource::as_str);
    assert_eq!(names, ["config", "service_quotas", "default"]);
    for kind in QuotaKind::ALL {
        assert_eq!(QuotaKind::from_name(kind.as_str()), Some(kind));
    }
}
