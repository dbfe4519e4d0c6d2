//! `[[budget]]`: what calls may come to, and in which periods.

use jiff::civil::Weekday;

use super::section::{Section, duration_text, nearest, parse_duration_ms};
use crate::budget::amount::Amount;
use crate::budget::period::{Cycle, Period};
use crate::budget::plan::{Budget, Fail, Threshold};
use crate::budget::scope::{Label, Matcher, Scope};
use crate::budget::track::MINUTES_MS;
use crate::budget::zone::Zone;
use crate::ledger::rollup::{HourCuts, Retention};
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// Most budgets of a config: what is evaluated in some tens of milliseconds.
const BUDGETS_MAX: usize = 1_000;
/// Longest name, in characters: it becomes a label.
const NAME_CHARS_MAX: usize = 64;
/// The parts of a limit that are worth telling where the config does not say.
pub(crate) const THRESHOLDS_DEFAULT: [Threshold; 3] =
    [Threshold(5_000), Threshold(8_000), Threshold(10_000)];
/// Most parts of a limit that are worth telling.
const THRESHOLDS_MAX: usize = 16;
/// Dollars in a burn rate's window below which nobody is told, where the config does not say.
const FLOOR_DEFAULT: Usd = Usd(PICODOLLARS_PER_USD);

const NAME: &str = "a name of letters, digits, `_`, `.` and `-`, at most 64";
const LIMIT_USD: &str = "dollars above 0, for example `500` or `\"99.50\"`";
const LIMIT_TOKENS: &str = "a whole number of tokens above 0";
const FLOOR_USD: &str = "dollars, 0 or more, for example `1` or `\"0.50\"`";
const PERIOD: &str = "`hour`, `day`, `week`, `month`, `quarter`, or `rolling` with a duration from `1h` to `366d`, for \
     example `rolling 30d`";
const START_DAY: &str = "a day of the month from 1 to 31, or of the week, for example `monday`";
const THRESHOLD: &str = "a percentage from `0.01%` to `1000%`, for example `80%`";
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// The day on which a period begins.
#[derive(Clone, Copy, Debug)]
enum StartDay {
    OfMonth(i8),
    OfWeek(Weekday),
}

/// Reads all budgets. `attributes` are the keys of the request metadata that series have, `retention`
/// is what the ledger keeps.
pub(super) fn read(
    root: &mut Section<'_, '_>,
    attributes: &[String],
    retention: Retention,
) -> Vec<Budget> {
    let mut budgets: Vec<Budget> = Vec::new();
    let sections = root.sections("budget");
    if sections.len() > BUDGETS_MAX {
        let count = sections.len();
        root.report(format!("found {count} `[[budget]]`, expected at most {BUDGETS_MAX}"));
    }
    if !sections.is_empty() && retention.minutes_ms < MINUTES_MS {
        let (found, needed) = (duration_text(retention.minutes_ms), duration_text(MINUTES_MS));
        root.report(format!(
            "found `ledger.keep_minutes` of `{found}`, expected `{needed}` at least, since there are \
             budgets: burn rates need them"
        ));
    }
    for mut section in sections {
        if let Some(budget) = read_one(&mut section, attributes) {
            if budgets.iter().any(|known| known.name == budget.name) {
                section.report(format!("found a second budget named `{}`", budget.name));
            }
            check_retention(&section, &budget, retention);
            budgets.push(budget);
        }
        section.finish();
    }
    budgets
}

/// Returns where rows by the hour have to begin for these budgets.
pub(super) fn cuts(budgets: &[Budget]) -> HourCuts {
    let mut zones: Vec<&Zone> = Vec::new();
    for budget in budgets.iter().filter(|budget| !budget.period.is_rolling()) {
        if !zones.contains(&&budget.period.zone) {
            zones.push(&budget.period.zone);
        }
    }
    zones.into_iter().fold(HourCuts::FULL_HOURS, |cuts, zone| cuts.and(zone.cuts()))
}

fn read_one(section: &mut Section<'_, '_>, attributes: &[String]) -> Option<Budget> {
    let name = read_name(section, "budget");
    let limit = read_limit(section);
    let period = read_period(section);
    let check = |name: &str| check_label(name, attributes).map(|_| ());
    let scope = section.text_lists("scope", check);
    let per = section
        .scalar("per", "a label, for example `principal`", |name| check_label(name, attributes));
    let thresholds = read_thresholds(section);
    let carry_over = section.flag("carry_over").unwrap_or(false);
    let enforce = section.flag("enforce").unwrap_or(false);
    let fail = section.parsed("fail", "`open` or `closed`", |text| match text {
        "open" => Some(Fail::Open),
        "closed" => Some(Fail::Closed),
        _ => None,
    });
    let floor = section.scalar("floor_usd", FLOOR_USD, |text| dollars(text, 0, FLOOR_USD));
    let period = period?;
    if carry_over && period.is_rolling() {
        section.report(
            "found `carry_over` with a rolling period, expected one with a beginning: there is no \
             period before it"
                .to_owned(),
        );
    }
    let matchers = scope.iter().filter_map(|(name, globs)| {
        Some(Matcher::new(Label::parse(name)?, globs.iter().map(String::as_str)))
    });
    Some(Budget {
        name: name?,
        limit: limit?,
        period,
        scope: Scope { matchers: matchers.collect() },
        thresholds,
        carry_over,
        per,
        enforce,
        fail: fail.unwrap_or_default(),
        floor: floor.unwrap_or(FLOOR_DEFAULT),
    })
}

/// Reads the name of something, which becomes the label `label`.
pub(super) fn read_name(section: &mut Section<'_, '_>, label: &str) -> Option<String> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_there = section.has("name");
    let name = section.scalar("name", NAME, |text| {
        let is_right = (1..=NAME_CHARS_MAX).contains(&text.len()) && text.chars().all(is_known);
        is_right.then(|| text.to_owned()).ok_or_else(|| format!("expected {NAME}"))
    });
    if !is_there {
        section.report(format!("`name` is missing; it becomes the label `{label}`"));
    }
    name
}

fn read_limit(section: &mut Section<'_, '_>) -> Option<Amount> {
    let (has_usd, has_tokens) = (section.has("limit_usd"), section.has("limit_tokens"));
    let usd = section.scalar("limit_usd", LIMIT_USD, |text| dollars(text, 1, LIMIT_USD));
    let tokens = section.scalar("limit_tokens", LIMIT_TOKENS, |text| match text.parse() {
        Ok(0) | Err(_) => Err(format!("expected {LIMIT_TOKENS}")),
        Ok(tokens) => Ok(tokens),
    });
    match (has_usd, has_tokens) {
        (true, false) => usd.map(Amount::Usd),
        (false, true) => tokens.map(Amount::Tokens),
        (false, false) => {
            section.report(format!(
                "the limit is missing, expected `limit_usd` ({LIMIT_USD}) or `limit_tokens` \
                 ({LIMIT_TOKENS})"
            ));
            None
        }
        (true, true) => {
            section.report(
                "found `limit_usd` and `limit_tokens`, expected one of them; two limits are two \
                 budgets"
                    .to_owned(),
            );
            None
        }
    }
}

/// Reads dollars of at least `least` picodollars.
pub(super) fn dollars(text: &str, least: i128, allowed: &str) -> Result<Usd, String> {
    match Usd::parse_exact(text) {
        Ok(usd) if usd.0 >= least => Ok(usd),
        Ok(_) => Err(format!("expected {allowed}")),
        Err(error) => Err(format!("expected {allowed}: {error}")),
    }
}

fn read_period(section: &mut Section<'_, '_>) -> Option<Period> {
    let has_period = section.has("period");
    let cycle = section.parsed("period", PERIOD, cycle);
    let zone = section.scalar("time_zone", "a time zone, for example `Europe/Berlin`", zone);
    let start_day = section.scalar("start_day", START_DAY, start_day);
    if !has_period {
        section.report(format!("`period` is missing, expected {PERIOD}"));
    }
    let cycle = match (cycle?, start_day) {
        (Cycle::Week { .. }, Some(StartDay::OfWeek(first))) => Cycle::Week { first },
        (Cycle::Month { .. }, Some(StartDay::OfMonth(day))) => Cycle::Month { day },
        (Cycle::Quarter { .. }, Some(StartDay::OfMonth(day))) => Cycle::Quarter { day },
        (cycle, None) => cycle,
        (cycle, Some(_)) => {
            let expected = match cycle {
                Cycle::Week { .. } => "a day of the week, for example `start_day = \"monday\"`",
                Cycle::Month { .. } | Cycle::Quarter { .. } => {
                    "a day of the month, for example `start_day = 1`"
                }
                _ => "none: weeks, months and quarters begin on a day",
            };
            section.report(format!(
                "found a `start_day` that the period does not have, expected {expected}"
            ));
            cycle
        }
    };
    Some(Period { cycle, zone: zone.unwrap_or(Zone::UTC) })
}

fn cycle(text: &str) -> Option<Cycle> {
    match text {
        "hour" => Some(Cycle::Hour),
        "day" => Some(Cycle::Day),
        "week" => Some(Cycle::Week { first: Weekday::Monday }),
        "month" => Some(Cycle::Month { day: 1 }),
        "quarter" => Some(Cycle::Quarter { day: 1 }),
        _ => {
            let ms = parse_duration_ms(text.strip_prefix("rolling ")?)?;
            let is_right = (HOUR_MS..=366 * DAY_MS).contains(&ms) && ms % MINUTE_MS == 0;
            is_right.then_some(Cycle::Rolling { ms })
        }
    }
}

fn zone(text: &str) -> Result<Zone, String> {
    Zone::named(text).ok_or_else(|| {
        let names = Zone::names();
        let hint = nearest(text, names.iter().map(String::as_str));
        let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        format!("expected a name of the IANA time zone database, for example `Europe/Berlin`{hint}")
    })
}

fn start_day(text: &str) -> Result<StartDay, String> {
    let weekday = WEEKDAYS.into_iter().find(|(name, _)| *name == text);
    let of_week = weekday.map(|(_, day)| StartDay::OfWeek(day));
    let of_month = || text.parse().ok().filter(|day| (1..=31).contains(day)).map(StartDay::OfMonth);
    of_week.or_else(of_month).ok_or_else(|| {
        let near = nearest(text, WEEKDAYS.into_iter().map(|(name, _)| name));
        let hint = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        format!("expected {START_DAY}{hint}")
    })
}

fn read_thresholds(section: &mut Section<'_, '_>) -> Vec<Threshold> {
    let read = section.list("thresholds", THRESHOLD, Threshold::parse);
    let mut thresholds = read.unwrap_or_else(|| THRESHOLDS_DEFAULT.to_vec());
    if thresholds.len() > THRESHOLDS_MAX {
        let count = thresholds.len();
        section.report(format!("found {count} `thresholds`, expected at most {THRESHOLDS_MAX}"));
    }
    thresholds.sort_unstable();
    thresholds.dedup();
    thresholds
}

/// Returns the label of this name if series have it.
pub(super) fn check_label(name: &str, attributes: &[String]) -> Result<Label, String> {
    let attributes: Vec<String> =
        attributes.iter().map(|key| Label::Attribute(key.clone()).name()).collect();
    let known = Label::NAMED.iter().map(|(name, _)| *name);
    let known: Vec<&str> = known.chain(attributes.iter().map(String::as_str)).collect();
    match Label::parse(name).filter(|_| known.contains(&name)) {
        Some(label) => Ok(label),
        None if name.starts_with(Label::ATTRIBUTE_PREFIX) => Err(format!(
            "there is no such attribute; name its key in `labels.attributes`, and here as \
             `{}KEY`",
            Label::ATTRIBUTE_PREFIX
        )),
        None => Err(match nearest(name, known.iter().copied()) {
            Some(near) => format!("there is no such label; did you mean `{near}`?"),
            None => format!("there is no such label; known ones are `{}`", known.join("`, `")),
        }),
    }
}

/// What is only kept by the day can't be told apart at a local midnight.
fn check_retention(section: &Section<'_, '_>, budget: &Budget, retention: Retention) {
    let needed_ms = (budget.reach_ms() + DAY_MS - 1) / DAY_MS * DAY_MS;
    if retention.hours_ms < needed_ms {
        let (found, needed) = (duration_text(retention.hours_ms), duration_text(needed_ms));
        section.report(format!(
            "found `ledger.keep_hours` of `{found}`, expected `{needed}` at least for this period{}",
            if budget.carry_over { " and the one before" } else { "" }
        ));
    }
}

#[cfg(test)]
mod tests;
