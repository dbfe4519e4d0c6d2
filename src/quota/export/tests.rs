//! What exports hold, what of it is no limit, and files that are no exports.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::limits::Limits;
use super::super::tests::{ACCOUNT, page, pool, quota, read, shipped, told};
use super::*;

fn limits(settings: Settings, exports: &[Export]) -> Limits {
    Limits::new(shipped(), settings, exports)
}

#[test]
fn the_sample_export_gives_exactly_its_limits() {
    let export =
        read(include_str!("../../../tests/data/service_quotas.json"), &Settings::default());
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
fn a_known_code_keeps_its_meaning_under_a_name_in_new_words_but_not_under_another_meaning() {
    for (code, name, is_limit) in [
        ("L-F4DDD3EB", "", true),
        ("L-F4DDD3EB", "Something about tokens", true),
        ("L-F4DDD3EB", "InvokeModel tokens per minute for Anthropic Claude Sonnet 4.5", true),
        ("L-F4DDD3EB", "Cross-Region InvokeModel tokens per minute for Claude Sonnet 4.5", true),
        ("L-F4DDD3EB", "On-demand InvokeModel tokens per minute for Claude Sonnet 4.5", false),
        (
            "L-F4DDD3EB",
            "Cross-region model inference requests per minute for Claude Sonnet 4.5",
            false,
        ),
        (
            "L-F4DDD3EB",
            "Cross-region InvokeModel tokens per minute for Claude Sonnet 4.5 1M Context Length",
            false,
        ),
        (
            "L-F4DDD3EB",
            "Cross-region model inference tokens per minute for Claude Haiku 4.5",
            false,
        ),
        ("L-F4DDD3EB", "Cross-Model Account-Level Tokens Per Day", false),
        ("L-381AD9EE", "Model invocation max tokens per day for Claude Sonnet 4.5", false),
    ] {
        let export = read(&page(&[quota(code, name, "5.0")]), &Settings::default());
        assert_eq!(export.limits.len(), usize::from(is_limit), "{name}");
        let told = export.skipped.first().map(|skipped| skipped.why);
        assert_eq!(told, (!is_limit).then_some(Why::Disagree), "{name}");
    }
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
    assert_eq!(told(limits.get(&nova, QuotaKind::TokensPerMinute)), Some((7, "default")));
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

proptest! {
    #[test]
    fn a_text_is_an_export_or_an_error_with_its_place(
        text in ".{0,80}",
        name in "(?i)(global )?(cross-region )?model inference tokens per (day|minute) for .{0,20}",
    ) {
        let shipped = shipped();
        if let Err(error) = Export::read("q.json", &text, &shipped, &Settings::default()) {
            prop_assert!(error.to_string().starts_with("q.json:"));
        }
        let quoted = serde_json::to_string(&name).unwrap();
        let row = format!(r#"{{"Quotas":[{{"QuotaCode":"L-0","QuotaName":{quoted},"Value":1}}]}}"#);
        let export = read(&row, &Settings::default());
        prop_assert_eq!(export.skipped.len() + export.separate.len() + export.others, 1, "{}", name);
        prop_assert_eq!(export.limits, []);
    }
}
