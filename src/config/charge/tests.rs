//! What is not paid by token in a config, and every mistake in it.

use std::path::Path;

use super::*;
use crate::config::Config;

const SOURCE: &str = "[[source]]\nname = \"logs\"\ninclude = [\"x\"]\n";

fn parse(items: &str) -> Result<Config, String> {
    let text = format!("{SOURCE}{items}");
    Config::parse("t.toml", &text, Path::new(".")).map_err(|problems| problems.to_string())
}

fn at(text: &str) -> UnixMillis {
    UnixMillis::parse_rfc3339(text).unwrap()
}

const CLAUDE: &str = r#"
[[provisioned]]
name = "claude"
arn = "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abcdefabcdef"
model = "anthropic.claude-v2:1"
units = 2
"#;

#[test]
fn items_are_read_with_all_they_have() {
    let config = parse(&format!(
        r#"{CLAUDE}
        term = "1_month"
        from = 2026-06-01
        to = "2026-07-01T12:00:00+02:00"
        input_tokens_per_minute_per_unit = 50_000
        [[fixed_cost]]
        name = "endpoint"
        hourly_usd = "0.01"
        count = 3
        from = 2026-06-01T10:30:00Z
        account = "111122223333"
        region = "us-east-1"
        [[fixed_cost]]
        name = "gateway"
        per_call_usd = 0.0000035
        [fixed_cost.scope]
        principal = "role/web-*"
        [[fixed_cost]]
        name = "ingestion"
        per_gb_usd = 0.50
        source = "logs"
        "#
    ))
    .unwrap();
    let [claude] = config.provisioned.as_slice() else { panic!("{config:?}") };
    assert_eq!((claude.account.as_str(), claude.region.as_str()), ("111122223333", "us-east-1"));
    assert_eq!((claude.units, claude.price), (2, HourPrice::OfTerm(Term::OneMonth)));
    assert_eq!(
        (claude.from, claude.to),
        (at("2026-06-01T00:00:00Z"), Some(at("2026-07-01T10:00:00Z")))
    );
    assert_eq!(claude.capacity(), Capacity { input: Some(100_000), output: None });
    // Its calls name the ARN, so that is mapped.
    assert_eq!(config.models.get(&claude.arn), Some(&claude.model));
    let [endpoint, gateway, ingestion] = config.fixed_costs.as_slice() else {
        panic!("{config:?}")
    };
    assert_eq!(endpoint.rate, Rate::Hourly(Usd::parse_exact("0.03").unwrap()));
    assert_eq!(endpoint.from, at("2026-06-01T10:30:00Z"));
    assert_eq!((endpoint.key.region.as_str(), endpoint.key.model.as_str()), ("us-east-1", "none"));
    let Rate::PerCall { usd, scope } = &gateway.rate else { panic!("{gateway:?}") };
    assert_eq!((*usd, scope.matchers.len()), (Usd(3_500_000), 1));
    let source = Source("logs".to_owned());
    let usd = Usd::parse_exact("0.5").unwrap();
    assert_eq!(ingestion.rate, Rate::PerGigabyte { usd, gigabyte: 1 << 30, source });
}

#[test]
fn every_mistake_is_named() {
    let hourly = "[[fixed_cost]]\nname = \"a\"\nfrom = 2026-01-01\nhourly_usd = 1\n";
    let price = "hourly_usd_per_unit = 63\n";
    for (text, part) in [
        (
            format!("{CLAUDE}{price}from = 2026-06-01\nto = 2026-06-01"),
            "`to` that is not after `from`",
        ),
        (
            format!("{CLAUDE}{price}from = 2026-06-01").replace("units = 2", "units = 0"),
            "found `0`",
        ),
        (
            format!("{CLAUDE}{price}from = 2026-06-01").replace("units = 2", ""),
            "`units` is missing",
        ),
        (format!("{CLAUDE}from = 2026-06-01"), "the price is missing"),
        (format!("{CLAUDE}hourly_usd_per_unit = -63\nfrom = 2026-06-01"), "found `-63`"),
        (format!("{CLAUDE}hourly_usd_per_unit = 0\nfrom = 2026-06-01"), "found `0`"),
        (format!("{CLAUDE}{price}term = \"none\"\nfrom = 2026-06-01"), "expected one of them"),
        (format!("{CLAUDE}term = \"2_years\"\nfrom = 2026-06-01"), "found `2_years`"),
        (format!("{CLAUDE}{price}"), "`from` is missing"),
        (format!("{CLAUDE}{price}from = \"1999-12-31\""), "found `1999-12-31`"),
        (format!("{CLAUDE}{price}from = 12"), "found integer, expected a day"),
        (
            format!("{CLAUDE}{price}from = 2026-06-01")
                .replace("provisioned-model", "custom-model"),
            "the ARN of provisioned throughput",
        ),
        (
            format!("{CLAUDE}{price}from = 2026-06-01").replace("anthropic.c", "us.anthropic.c"),
            "the id of a base model",
        ),
        (
            format!("{CLAUDE}{price}from = 2026-06-01{CLAUDE}{price}from = 2026-06-01"),
            "named `claude`",
        ),
        (
            format!(
                "{CLAUDE}{price}from = 2026-06-01\nto = 2026-07-01{CLAUDE}{price}from = 2026-06-30"
            )
            .replacen("\"claude\"", "\"before\"", 1),
            "times that overlap",
        ),
        (
            format!(
                "[models]\n\"arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abcdefabcdef\" = \
                 \"amazon.nova-pro-v1:0\"\n{CLAUDE}{price}from = 2026-06-01"
            ),
            "`[models]` maps the ARN of `claude` to `amazon.nova-pro-v1:0`",
        ),
        (format!("{hourly}{hourly}"), "a second `[[provisioned]]` or `[[fixed_cost]]` named `a`"),
        (hourly.replace("\"a\"", "\"none\""), "found the name `none`"),
        (hourly.replace("hourly_usd = 1", ""), "expected one of `hourly_usd`"),
        (format!("{hourly}per_call_usd = 1"), "expected one of `hourly_usd`"),
        (format!("{hourly}source = \"logs\""), "`source`, which goes with `per_gb_usd` only"),
        (hourly.replace("hourly_usd", "per_gb_usd"), "`source` is missing"),
        (
            hourly.replace("hourly_usd = 1", "per_gb_usd = 1\nsource = \"log\""),
            "found `log`, expected the name of a `[[source]]`; did you mean `logs`?",
        ),
        (
            hourly.replace("hourly_usd = 1", "per_call_usd = 1\nscope = { item = \"a\" }"),
            "there is no such label of calls",
        ),
        (hourly.replace("hourly_usd = 1", "per_call_usd = 1e10"), "found `1e10`"),
    ] {
        let found = parse(&text).expect_err(&text);
        assert!(found.contains(part), "{found}\n--- of\n{text}");
    }
}
