//! Shipped facts and limits: what they say, and who wins.

use std::sync::Arc;

use super::export::{Export, Why};
use super::kind::QuotaKind;
use super::limits::{Limit, LimitSource, Limits};
use super::names::{Named, Reach, Variant, parse};
use super::pool::Pool;
use super::settings::{OwnBurndown, OwnLimit, Settings};
use super::settle::reserved;
use super::shipped::Shipped;
use crate::model::names::Route;
use crate::model::time::UnixMillis;

pub(super) const SONNET_45: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const HAIKU_3: &str = "anthropic.claude-3-haiku-20240307-v1:0";
pub(super) const ACCOUNT: &str = "111122223333";

use QuotaKind::{RequestsPerMinute, TokensPerDay, TokensPerMinute};

pub(super) fn shipped() -> Arc<Shipped> {
    Arc::new(Shipped::load().unwrap())
}

pub(super) fn read(text: &str, settings: &Settings) -> Export {
    Export::read("q.json", text, &shipped(), settings).unwrap()
}

/// One quota as the API gives it.
pub(super) fn quota(code: &str, name: &str, value: &str) -> String {
    let arn = format!("arn:aws:servicequotas:us-east-1:{ACCOUNT}:bedrock/{code}");
    format!(
        r#"{{"ServiceCode":"bedrock","QuotaArn":"{arn}","QuotaCode":"{code}","QuotaName":"{name}","Value":{value}}}"#
    )
}

pub(super) fn page(quotas: &[String]) -> String {
    format!(r#"{{"Quotas":[{}]}}"#, quotas.join(","))
}

pub(super) fn pool(model: &str, route: Route) -> Pool {
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

pub(super) fn told(limit: Option<Limit>) -> Option<(u64, &'static str)> {
    limit.map(|limit| (limit.value, limit.source.as_str()))
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
        assert_eq!(read(&text, &settings).skipped[0].why, Why::BadArn, "{arn}");
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
    let mut rows = [
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
    let account = |file: &str, value: &str| Export {
        file: file.to_owned(),
        ..read(
            &page(&[quota("L-1", "Cross-Model Account-Level Tokens Per Day", value)]),
            &Settings::default(),
        )
    };
    let limits = limits(Settings::default(), &[account("a.json", "5.0"), account("b.json", "0.0")]);
    let found = limits.account_tokens_per_day(ACCOUNT, "us-east-1");
    assert_eq!(told(found), Some((0, "service_quotas")));
    assert_eq!(
        limits.conflicts()[0].to_string(),
        "`b.json` and `a.json` give 0 and 5 as tokens_per_day of the account (us-east-1); the smaller one, 0, \
         counts"
    );
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

#[test]
fn sources_have_names() {
    let names = [LimitSource::Config, LimitSource::ServiceQuotas, LimitSource::Default]
        .map(LimitSource::as_str);
    assert_eq!(names, ["config", "service_quotas", "default"]);
    for kind in QuotaKind::ALL {
        assert_eq!(QuotaKind::from_name(kind.as_str()), Some(kind));
    }
}
