//! What the page computes by itself, in the browser that computes it: amounts, and times in a zone with a change of clocks.

use serde_json::{Value, json};

use super::open;
use crate::support::browser::Browser;
use crate::support::daemon::Daemon;
use crate::support::log::Call;
use crate::support::work_dir::WorkDir;

/// A page in Berlin.
fn berlin(test: &str) -> Option<(Browser, Daemon, WorkDir)> {
    let browser = Browser::start(test)?;
    let work = WorkDir::new("page-modules");
    work.file("logs/a.log", Call::example().bedrock_line());
    let daemon = Daemon::start(&work.join("logs/*.log"), &work.join("ledger"));
    browser.devtools("Emulation.setTimezoneOverride", &json!({ "timezoneId": "Europe/Berlin" }));
    open(&browser, &daemon, "");
    Some((browser, daemon, work))
}

/// Runs a script with the names of a module.
fn with(browser: &Browser, module: &str, script: &str) -> Value {
    let script = format!(
        "return import(`${{location.origin}}/page/{module}.js`).then((module) => {{ {script} }})"
    );
    browser.run(&script, &[])
}

#[test]
fn amounts_are_exact_and_rounded_only_to_be_read() {
    let Some((browser, _daemon, _work)) = berlin("amounts of the page") else { return };
    let texts =
        ["0", "0.000000000001", "12.5", "-3.000000000001", "123456789012345678.999999999999"];
    let script = format!("return {}.map((text) => module.exact(module.parse(text)))", json!(texts));
    assert_eq!(with(&browser, "money", &script), json!(texts));
    for (exact, shown) in [
        ("0", "$0"),
        ("0.0000001", "<$0.000001"),
        ("0.00001234", "$0.000012"),
        ("0.00456", "$0.0046"),
        ("0.0126", "$0.013"),
        ("0.9996", "$1.000"),
        ("1.005", "$1.01"),
        ("1234567.894999999999", "$1,234,567.89"),
        ("-12.5", "−$12.50"),
    ] {
        let script = format!("return module.dollars(module.parse('{exact}'))");
        assert_eq!(with(&browser, "money", &script), shown, "{exact}");
    }
    let count = "return [module.count(1234567), module.count(2 ** 60), module.percent(0.0004), module.percent(0.0512)]";
    assert_eq!(
        with(&browser, "money", count),
        json!(["1,234,567", "≈1,152,921,504,606,847,000", "<0.1%", "5.1%"])
    );
}

#[test]
fn days_are_those_of_the_zone_also_when_the_clocks_change() {
    let Some((browser, _daemon, _work)) = berlin("times of the page") else { return };
    let now = "const now = Date.parse('2026-10-26T09:20:00Z'); const state = (range, zone) => ({ range, zone });";
    let iso = "const iso = (list) => list.map((at) => module.iso(at));";
    let days = with(
        &browser,
        "time",
        &format!(
            "{now} {iso} const span = module.span(state('30d', 'Europe/Berlin'), now); const all = module.buckets(span, 'Europe/Berlin'); return [all.length, ...iso([span.from, ...all.slice(-3), span.to])]"
        ),
    );
    // The 25th of October has 25 hours there.
    assert_eq!(
        days,
        json!([
            30,
            "2026-09-26T22:00:00Z",
            "2026-10-23T22:00:00Z",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
            "2026-10-26T23:00:00Z"
        ])
    );
    let month = with(
        &browser,
        "time",
        &format!(
            "{now} {iso} return ['Europe/Berlin', 'UTC'].flatMap((zone) => {{ const span = module.span(state('month', zone), now); return iso([span.from, span.to, module.today(now, zone)]); }})"
        ),
    );
    assert_eq!(
        month,
        json!([
            "2026-09-30T22:00:00Z",
            "2026-10-31T23:00:00Z",
            "2026-10-25T23:00:00Z",
            "2026-10-01T00:00:00Z",
            "2026-11-01T00:00:00Z",
            "2026-10-26T00:00:00Z"
        ])
    );
    let hours = with(
        &browser,
        "time",
        &format!(
            "{now} {iso} const span = module.span(state('24h', 'UTC'), now); const then = module.before(span, now); return [span.step, ...iso([span.from, span.to, then.from, then.to]), then.days, then.isFair]"
        ),
    );
    assert_eq!(
        hours,
        json!([
            "30m",
            "2026-10-25T10:00:00Z",
            "2026-10-26T10:00:00Z",
            "2026-10-18T10:00:00Z",
            "2026-10-19T10:00:00Z",
            7,
            false
        ]),
        "the same hours a week before; the hour that is not over makes it only about right"
    );
    let quarter = with(
        &browser,
        "time",
        &format!(
            "{now} {iso} const span = module.span(state('90d', 'UTC'), now); const then = module.before(span, now); return [...iso([then.from, then.to]), then.days, then.isFair]"
        ),
    );
    assert_eq!(quarter, json!(["2026-04-29T00:00:00Z", "2026-07-27T10:00:00Z", 91, true]));
    let spoken =
        with(&browser, "time", "return [0, 59_400, 3_660_000, 90_000_000].map(module.duration)");
    assert_eq!(spoken, json!(["0 s", "59 s", "1 h 1 min", "1 d 1 h"]));
}
