//! `[alerts.NAME]`: what is worth an alert, each switched and tuned by its own table.

use super::section::{Section, duration_text, parse_duration_ms};
use crate::model::money::Usd;
use crate::model::time::{DAY_MS, MINUTE_MS};
use crate::watch::rules::{
    AgeRule, DifferenceRule, LatencyLimit, Patience, Ppm, RatioRule, Rules, SpikeRule,
};

const PERCENTAGE: &str = "a percentage from `0%` to `100%`, for example `5%`";
const DOLLARS: &str = "dollars, for example `50` or `\"12.50\"`";
/// Longest time that an alert waits or goes on.
const PATIENCE_MAX_MS: i64 = 7 * DAY_MS;

/// Reads the tables of all alerts within `[alerts]`.
pub(super) fn read(alerts: &mut Section<'_, '_>) -> Rules {
    let mut rules = Rules::default();
    spike(alerts.section("spike"), &mut rules.spike);
    ratio(alerts.section("throttle_ratio"), &mut rules.throttled);
    ratio(alerts.section("access_denied_ratio"), &mut rules.denied);
    ratio(alerts.section("timeout_ratio"), &mut rules.timeouts);
    latency(alerts.section("latency_near_limit"), &mut rules);
    ratio(alerts.section("empty_answer_ratio"), &mut rules.empty);
    ratio(alerts.section("filtered_answer_ratio"), &mut rules.filtered);
    age(alerts.section("ingest_lag"), &mut rules.lag);
    age(alerts.section("ingest_silent"), &mut rules.silence);
    age(alerts.section("price_book_stale"), &mut rules.prices);
    let mut unpriced = alerts.section("unpriced_model");
    enabled(&mut unpriced, &mut rules.unpriced.enabled);
    patience(&mut unpriced, &mut rules.unpriced.patience);
    unpriced.finish();
    difference(alerts.section("reported_cost_differs"), &mut rules.reported);
    let mut budgets = alerts.section("budgets");
    patience(&mut budgets, &mut rules.budgets);
    budgets.finish();
    rules
}

fn spike(mut section: Section<'_, '_>, rule: &mut SpikeRule) {
    enabled(&mut section, &mut rule.enabled);
    if let Some(floor) = section.scalar("floor_usd_per_hour", DOLLARS, dollars) {
        rule.floor = floor;
    }
    patience(&mut section, &mut rule.patience);
    section.finish();
}

fn latency(mut section: Section<'_, '_>, rules: &mut Rules) {
    let allowed: Vec<String> = LatencyLimit::allowed()
        .map(|ms| format!("`{}`", duration_text(i64::try_from(ms).unwrap_or(i64::MAX))))
        .collect();
    let allowed = format!("a bound of the histogram of durations: {}", allowed.join(", "));
    let limit = section.parsed("limit", &allowed, |text| {
        LatencyLimit::of_ms(u64::try_from(parse_duration_ms(text)?).ok()?)
    });
    if let Some(limit) = limit {
        rules.latency_limit = limit;
    }
    ratio(section, &mut rules.slow);
}

fn ratio(mut section: Section<'_, '_>, rule: &mut RatioRule) {
    enabled(&mut section, &mut rule.enabled);
    if let Some(over) = section.parsed("over", PERCENTAGE, percentage) {
        rule.over = over;
        rule.page_over = rule.page_over.max(over);
    }
    if let Some(over) = section.parsed("page_over", PERCENTAGE, percentage) {
        rule.page_over = over;
    }
    if rule.page_over < rule.over {
        section.report(
            "found a `page_over` below `over`, expected it to be at least as high".to_owned(),
        );
    }
    if let Some(calls) = section.number("calls_min", 1..=u64::from(u32::MAX)) {
        rule.calls_min = u32::try_from(calls).unwrap_or(u32::MAX);
    }
    if let Some(calls) = section.number("affected_min", 1..=u64::from(u32::MAX)) {
        rule.affected_min = u32::try_from(calls).unwrap_or(u32::MAX);
    }
    patience(&mut section, &mut rule.patience);
    section.finish();
}

fn age(mut section: Section<'_, '_>, rule: &mut AgeRule) {
    enabled(&mut section, &mut rule.enabled);
    if let Some(ms) = section.duration_ms("over", MINUTE_MS..=3_650 * DAY_MS) {
        rule.over_ms = ms;
    }
    patience(&mut section, &mut rule.patience);
    section.finish();
}

fn difference(mut section: Section<'_, '_>, rule: &mut DifferenceRule) {
    enabled(&mut section, &mut rule.enabled);
    if let Some(over) = section.parsed("over", PERCENTAGE, percentage) {
        rule.over = over;
    }
    if let Some(floor) = section.scalar("floor_usd", DOLLARS, dollars) {
        rule.floor = floor;
    }
    patience(&mut section, &mut rule.patience);
    section.finish();
}

fn enabled(section: &mut Section<'_, '_>, enabled: &mut bool) {
    if let Some(flag) = section.flag("enabled") {
        *enabled = flag;
    }
}

fn patience(section: &mut Section<'_, '_>, patience: &mut Patience) {
    if let Some(ms) = section.duration_ms("for", 0..=PATIENCE_MAX_MS) {
        patience.for_ms = ms;
    }
    if let Some(ms) = section.duration_ms("keep_firing_for", 0..=PATIENCE_MAX_MS) {
        patience.keep_ms = ms;
    }
}

fn dollars(text: &str) -> Result<Usd, String> {
    match Usd::parse_exact(text) {
        Ok(amount) if amount >= Usd::ZERO => Ok(amount),
        _ => Err(format!("expected {DOLLARS}")),
    }
}

fn percentage(text: &str) -> Option<Ppm> {
    // Four decimals of a percent are a part of a million.
    let percent = Usd::parse_exact(text.strip_suffix('%')?).ok()?;
    let step = crate::model::money::PICODOLLARS_PER_USD / 10_000;
    let ppm = Ppm(u32::try_from(percent.0 / step).ok()?);
    (percent.0 % step == 0 && ppm <= Ppm::ONE).then_some(ppm)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn parse(text: &str) -> Result<Rules, String> {
        let text = format!("[[source]]\nname = \"a\"\ninclude = [\"x\"]\n{text}");
        let config = Config::parse("t.toml", &text, Path::new("/"));
        config.map(|config| config.rules).map_err(|problems| problems.to_string())
    }

    #[test]
    fn every_alert_may_be_switched_off_and_tuned() {
        let rules = parse(
            "[alerts.spike]\nfloor_usd_per_hour = \"7.50\"\nfor = \"1m\"\n\
             [alerts.throttle_ratio]\nover = \"2.5%\"\nkeep_firing_for = \"1h\"\n\
             [alerts.latency_near_limit]\nlimit = \"1m\"\n\
             [alerts.ingest_silent]\nenabled = false\n\
             [alerts.price_book_stale]\nover = \"30d\"\n",
        )
        .unwrap();
        assert_eq!(rules.spike.floor, Usd(7_500_000_000_000));
        assert_eq!(rules.spike.patience.for_ms, MINUTE_MS);
        assert_eq!(
            (rules.throttled.over, rules.throttled.patience.keep_ms),
            (Ppm(25_000), 3_600_000)
        );
        assert_eq!((rules.latency_limit.ms(), rules.latency_limit.near_ms()), (60_000, 30_000));
        let problem = parse("[alerts.latency_near_limit]\nlimit = \"28s\"\n").unwrap_err();
        assert!(problem.contains("found `28s`, expected a bound of the histogram"), "{problem}");
        assert!(!rules.silence.enabled);
        assert_eq!(rules.prices.over_ms, 30 * DAY_MS);
        assert_eq!(parse("").unwrap(), Rules::default());
    }

    #[test]
    fn mistakes_name_their_place() {
        let problems = parse(
            "[alerts.throttle_ratio]\nover = \"120%\"\npage_ovr = \"5%\"\n\
             [alerts.denied]\nenabled = true\n\
             [alerts.timeout_ratio]\nover = \"30%\"\npage_over = \"10%\"\n",
        )
        .unwrap_err();
        let problems: Vec<&str> =
            problems.lines().map(|line| line.split("; known keys").next().unwrap()).collect();
        assert_eq!(
            problems.join("\n"),
            "t.toml:5:8: alerts.throttle_ratio.over: found `120%`, expected a percentage from `0%` to `100%`, for example `5%`\n\
             t.toml:6:1: alerts.throttle_ratio.page_ovr: there is no such key; did you mean `page_over`?\n\
             t.toml:7:9: alerts.denied: there is no such key\n\
             t.toml:9:1: alerts.timeout_ratio: found a `page_over` below `over`, expected it to be at least as high"
        );
    }
}
