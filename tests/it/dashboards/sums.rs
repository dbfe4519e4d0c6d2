//! What queries that compute something come to, for series whose truth is known: promtool evaluates them.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;

use super::live::filled;
use super::{panels, shipped};
use crate::support::tools;
use crate::support::work_dir::WorkDir;

/// Labels of calls but for model and caller.
const CALL: &str =
    "instance=\"a\",provider=\"p\",account=\"1\",region=\"r\",route=\"geo\",tier=\"standard\"";

/// The first query of the panel of this title, for all.
fn query(boards: &[Value], title: &str) -> String {
    let all = boards.iter().flat_map(panels);
    let found: Vec<_> = all.filter(|panel| panel["title"] == title).collect();
    let [panel] = found.as_slice() else { panic!("{title}: {} panels", found.len()) };
    filled(panel["targets"][0]["expr"].as_str().unwrap(), &|_| ".*".to_owned())
}

/// Series that grow by so much each minute, in the words of promtool.
fn growing(series: &[(String, f64)]) -> String {
    let mut text = String::new();
    for (series, by) in series {
        writeln!(text, "      - series: '{series}'\n        values: '0+{by}x90'").unwrap();
    }
    text
}

/// What each query comes to, after an hour and a half.
fn expect(name: &str, series: &str, expected: &[(String, &str)]) {
    let Some(promtool) = tools::find("promtool", "sums of the boards") else { return };
    let work = WorkDir::new("boards-sums");
    let mut text =
        format!("tests:\n  - interval: 1m\n    input_series:\n{series}    promql_expr_test:\n");
    for (expr, samples) in expected {
        // Prometheus divides floats; what is left of that is no difference.
        write!(
            text,
            "      - expr: 'round({expr}, 0.0001)'\n        eval_time: 90m\n        exp_samples:\n{samples}"
        )
        .unwrap();
    }
    let file = work.file(&format!("{name}.yml"), text);
    tools::run(Command::new(promtool).args(["test", "rules"]).arg(file));
}

fn tokens(principal: &str, class: &str, tokens: f64, dollars: f64) -> [(String, f64); 2] {
    let labels = format!("{CALL},model=\"m\",principal=\"{principal}\",token_class=\"{class}\"");
    [
        (format!("tollkeeper_tokens_total{{{labels}}}"), tokens),
        (format!("tollkeeper_cost_usd_total{{{labels}}}"), dollars),
    ]
}

#[test]
fn caches_save_what_reads_would_cost_as_input_less_the_premium_of_writes() {
    // A million tokens: 3 dollars as input, 0.30 read from a cache, 3.75 written to it for five minutes.
    let mut series = Vec::new();
    for principal in ["x", "y"] {
        series.extend(tokens(principal, "input", 500_000.0, 1.5));
        series.extend(tokens(principal, "cache_read", 1_000_000.0, 0.3));
        series.extend(tokens(principal, "cache_write_5m", 200_000.0, 0.75));
    }
    let price = format!(
        "tollkeeper_price_usd_per_million_tokens{{{CALL},model=\"m\",token_class=\"input\"}}"
    );
    let series = format!("{}      - series: '{price}'\n        values: '3x90'\n", growing(&series));
    // Of each caller and minute: reads save 2.70, writes cost 0.15 more.
    let boards = shipped();
    let of_model = "          - labels: '{model=\"m\"}'\n            value: 306\n";
    let of_all = "          - labels: '{}'\n            value: 306\n";
    expect(
        "caches",
        &series,
        &[
            (query(&boards, "Saved per hour by model"), of_model),
            (query(&boards, "Saved, net of the premium for writing"), of_all),
        ],
    );
}

fn calls(model: &str, outcome: &str, each_minute: f64) -> (String, f64) {
    let labels = format!("{CALL},model=\"{model}\",operation=\"Converse\",outcome=\"{outcome}\"");
    (format!("tollkeeper_requests_total{{{labels}}}"), each_minute)
}

#[test]
fn shares_are_zero_where_nothing_of_the_kind_was_ever_seen() {
    let unpriced = format!(
        "tollkeeper_unpriced_tokens_total{{{CALL},model=\"m\",token_class=\"input\",reason=\"opaque_model\"}}"
    );
    let of = |model: &str| {
        format!("tollkeeper_tokens_total{{{CALL},model=\"{model}\",token_class=\"input\"}}")
    };
    let series = growing(&[
        calls("m", "ok", 57.0),
        calls("m", "throttled", 3.0),
        calls("n", "ok", 10.0),
        (unpriced, 25.0),
        (of("m"), 100.0),
        (of("n"), 100.0),
    ]);
    let boards = shipped();
    let by_model = |m: &str| {
        format!(
            "          - labels: '{{model=\"m\"}}'\n            value: {m}\n          \
             - labels: '{{model=\"n\"}}'\n            value: 0\n"
        )
    };
    expect(
        "shares",
        &series,
        &[
            (query(&boards, "Throttled share of calls by model"), &by_model("0.05")),
            (query(&boards, "Tokens without a price by model"), &by_model("0.25")),
            (
                query(&boards, "Tokens without a price"),
                "          - labels: '{}'\n            value: 0.125\n",
            ),
        ],
    );
}
