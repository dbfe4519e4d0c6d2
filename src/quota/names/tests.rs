//! Every spelling of a name, and what is none.

use proptest::prelude::*;

use super::*;
use QuotaKind::{RequestsPerMinute, TokensPerDay, TokensPerMinute};
use Reach::{Doubled, Geo, Global, InRegion, Unnamed};
use Variant::{LatencyOptimized, LongContext, Standard};

const HAIKU: &str = "Anthropic Claude 3 Haiku";

/// Names as AWS writes them, and their parts.
const SPELLINGS: &[(&str, QuotaKind, Reach, &str, Variant)] = &[
    (
        "On-demand model inference tokens per minute for Anthropic Claude 3 Haiku",
        TokensPerMinute,
        InRegion,
        HAIKU,
        Standard,
    ),
    (
        "On-demand model inference requests per minute for Anthropic Claude 3 Haiku ",
        RequestsPerMinute,
        InRegion,
        HAIKU,
        Standard,
    ),
    (
        "Cross-region model inference tokens per minute for Anthropic Claude 3 Haiku",
        TokensPerMinute,
        Geo,
        HAIKU,
        Standard,
    ),
    (
        "Cross-Region model inference requests per minute for  Anthropic Claude 3 Haiku",
        RequestsPerMinute,
        Geo,
        HAIKU,
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
        HAIKU,
        Standard,
    ),
    (
        "Cross-Region InvokeModel tokens per minute for Anthropic Claude 3 Haiku",
        TokensPerMinute,
        Geo,
        HAIKU,
        Standard,
    ),
    (
        "On-demand InvokeModel tokens per minute for Anthropic Claude 3 Haiku",
        TokensPerMinute,
        InRegion,
        HAIKU,
        Standard,
    ),
    (
        "InvokeModel requests per minute for Anthropic Claude 3 Haiku",
        RequestsPerMinute,
        Unnamed,
        HAIKU,
        Standard,
    ),
    (
        "Model invocation max tokens per day for Anthropic Claude 3 Haiku (doubled for cross-region calls)",
        TokensPerDay,
        Doubled,
        HAIKU,
        Standard,
    ),
    (
        "Model invocation max tokens per day for Anthropic Claude 3 Haiku",
        TokensPerDay,
        Unnamed,
        HAIKU,
        Standard,
    ),
    (
        "On-demand, latency-optimized model inference tokens per minute for Anthropic Claude 3 Haiku",
        TokensPerMinute,
        InRegion,
        HAIKU,
        LatencyOptimized,
    ),
    (
        "On-demand latency-optimized model inference requests per minute for Anthropic Claude 3 Haiku",
        RequestsPerMinute,
        InRegion,
        HAIKU,
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
];

#[test]
fn every_spelling_of_a_name_is_read() {
    for (name, kind, reach, model, variant) in SPELLINGS.iter().copied() {
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
    fn no_text_at_all_breaks_the_reading(
        text in ".{0,80}",
        name in "(?i)(global )?(cross-region )?model inference tokens per (day|minute) for .{0,20}",
    ) {
        if let Some(Named::Model(found)) = parse(&text) {
            prop_assert!(!found.model.is_empty());
        }
        if let Some(Named::Model(found)) = parse(&name) {
            prop_assert!(!found.model.is_empty());
            prop_assert!(matches!(found.kind, TokensPerDay | TokensPerMinute));
        }
    }
}
