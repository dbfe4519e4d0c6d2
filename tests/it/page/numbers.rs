//! The numbers on the page: those of the API, and those of a sum by hand.

use serde_json::{Value, json};

use super::{amount, open, stage};
use crate::support::browser::Browser;
use crate::support::daemon::Daemon;
use crate::support::http::url_encode;
use crate::support::json as at;
use crate::support::log::{Call, Tokens};
use crate::support::work_dir::WorkDir;

/// Picodollars of a decimal text.
fn pico(text: &str) -> i128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<12}").parse().unwrap()
}

fn get(daemon: &Daemon, path: &str) -> Value {
    let answer = daemon.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    at::parse(&answer.body)
}

fn spent(sums: &Value) -> i128 {
    pico(at::text(sums, "/cost_usd")) + sums["charge_usd"].as_str().map_or(0, pico)
}

/// The rows of a table on the page: what stands in the first column, and the exact amount behind it.
fn rows(browser: &Browser, css: &str) -> Vec<(String, i128)> {
    let found = browser.run(
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map((row) => [row.querySelector('th').textContent, row.querySelector('data').value])",
        &[json!(css)],
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    found.as_array().unwrap().iter().map(|row| (text(&row[0]), pico(&text(&row[1])))).collect()
}

#[test]
fn the_page_shows_what_the_api_says_to_the_last_picodollar() {
    let Some(browser) = Browser::start("numbers of the page") else { return };
    let stage = stage::shared();
    browser.look(1280, "light");
    open(&browser, &stage.daemon, "?range=7d&by=principal&table=usage&table=month");
    let slots = browser.run(
        "const query = performance.getEntriesByType('resource').map(({ name }) => name).find((name) => name.includes('by=principal&step='));\
         return new URL(query).search",
        &[],
    );
    let asked = slots.as_str().unwrap();
    assert!(asked.contains("&step=3h&top=10"), "{asked}");
    let answer = get(&stage.daemon, &format!("/api/v1/usage{asked}"));
    let total = spent(&answer["total"]["sums"]);
    assert!(total > 0);
    assert_eq!(pico(&amount(&browser, "#tiles")), total);
    assert_eq!(pico(&amount(&browser, "#usage .readout")), total);

    // Every cell of the table, its rows and its columns.
    let cells = browser.value(
        "[...document.querySelectorAll('#usage tbody tr')].map((row) => [...row.querySelectorAll('td')].map((cell) => cell.querySelector('data')?.value ?? '0'))",
    );
    let cells: Vec<Vec<i128>> = cells
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            row.as_array().unwrap().iter().map(|cell| pico(cell.as_str().unwrap())).collect()
        })
        .collect();
    assert!(cells.len() > 40, "{}", cells.len());
    for row in &cells {
        let (all, parts) = row.split_last().unwrap();
        assert_eq!(parts.iter().sum::<i128>(), *all);
    }
    assert_eq!(cells.iter().map(|row| row.last().unwrap()).sum::<i128>(), total);
    for (column, group) in answer["groups"].as_array().unwrap().iter().enumerate() {
        let sum: i128 = cells.iter().map(|row| row[column]).sum();
        assert_eq!(sum, spent(&group["sums"]), "{group:.100}");
    }

    // The tables of models and principals.
    for label in ["model", "principal"] {
        let asked = asked.replace("by=principal&step=3h&top=10", &format!("by={label}"));
        let answer = get(&stage.daemon, &format!("/api/v1/usage{asked}"));
        let expected: Vec<(String, i128)> = answer["groups"]
            .as_array()
            .unwrap()
            .iter()
            .take(10)
            .map(|group| (at::text(group, "/labels/0").to_owned(), spent(&group["sums"])))
            .collect();
        assert_eq!(rows(&browser, &format!("#{label}s")), expected, "{label}");
    }

    let month = get(&stage.daemon, "/api/v1/spend");
    let last = rows(&browser, "#month").last().unwrap().1;
    assert_eq!(last, pico(at::text(&month, "/month/spent")), "this month");
    let budgets = get(&stage.daemon, "/api/v1/budgets");
    let shown = browser.value("[...document.querySelectorAll('#budgets tbody tr')].map((row) => [row.querySelector('th').textContent, ...[...row.querySelectorAll('data')].map((one) => one.value)])");
    for budget in budgets["budgets"].as_array().unwrap() {
        let name = format!(
            "{}{}",
            at::text(budget, "/budget"),
            budget["value"].as_str().map_or(String::new(), |value| format!(" {value}"))
        );
        let row = shown
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row[0].as_str().unwrap().starts_with(&format!("{name}until")))
            .unwrap_or_else(|| panic!("no row of {name} in {shown}"));
        assert_eq!(
            (row[1].as_str(), row[2].as_str()),
            (budget["spent"].as_str(), budget["limit"].as_str())
        );
    }
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn this_month_is_what_a_budget_for_everything_would_say() {
    let stage = stage::shared();
    let (month, budget) = crate::support::wait::wait_until(
        crate::support::wait::SOON,
        "both of the same evaluation",
        || {
            let spend = get(&stage.daemon, "/api/v1/spend");
            let budgets = get(&stage.daemon, "/api/v1/budgets");
            let budget =
                budgets["budgets"].as_array()?.iter().find(|one| one["budget"] == "everything")?;
            (spend["at"] == budgets["at"]).then(|| (spend["month"].clone(), budget.clone()))
        },
    );
    for key in ["spent", "forecast", "period", "unpriced_ratio"] {
        assert_eq!(month[key], budget[key], "{key}");
    }
    assert_eq!(
        month["forecast_method"], "hour_of_week",
        "two weeks of history tell the hours of the week"
    );
    let [low, expected, high] =
        ["low", "expected", "high"].map(|key| pico(at::text(&month, &format!("/forecast/{key}"))));
    assert!(
        pico(at::text(&month, "/spent")) <= low && low <= expected && expected <= high,
        "{month}"
    );
}

#[test]
fn three_calls_are_what_three_calls_cost() {
    let Some(browser) = Browser::start("sums by hand") else { return };
    let work = WorkDir::new("page-hand");
    let now = tollkeeper::daemon::clock::now().0 / 1000;
    let call = |principal: &str, id: u32, input: u64, output: u64| {
        let tokens = Tokens { input, output, ..Tokens::default() };
        Call {
            at: now - 60,
            request_id: Some(format!("r-{id}")),
            identity_arn: format!("arn:aws:sts::111122223333:assumed-role/{principal}/s"),
            tokens,
            ..Call::example()
        }
        .bedrock_line()
    };
    // Claude 2.1: $0.008 for a thousand input tokens, $0.024 for a thousand output tokens.
    let lines = [call("ads", 1, 1_000, 500), call("ads", 2, 3_001, 7), call("search", 3, 12, 1)];
    work.file("logs/a.log", lines.concat());
    let daemon = Daemon::start(&work.join("logs/*.log"), &work.join("ledger"));
    daemon.wait_for_requests(3);
    open(&browser, &daemon, "?range=1h");
    let (ads, search) = (8_000_000_i128 * 4_001 + 24_000_000 * 507, 8_000_000 * 12 + 24_000_000);
    assert_eq!(
        rows(&browser, "#principals"),
        [("role/ads".to_owned(), ads), ("role/search".to_owned(), search)]
    );
    assert_eq!(pico(&amount(&browser, "#tiles")), ads + search);
    assert_eq!(browser.text("#usage .readout"), "$0.044 in all, last hour");
    assert_eq!(amount(&browser, "#usage .readout"), "0.044296");

    // A filter is this very value: nothing in it stands for anything else.
    open(&browser, &daemon, &format!("?range=1h&where={}", url_encode("principal==role/*")));
    assert!(browser.text("#usage").contains("Nothing was spent"), "{}", browser.text("#usage"));
    open(&browser, &daemon, &format!("?range=1h&where={}", url_encode("principal=role/s*")));
    assert_eq!(amount(&browser, "#usage .readout"), "0.00012");
    assert_eq!(browser.errors(), Vec::<String>::new());
}
