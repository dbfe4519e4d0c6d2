//! Conditions beside spend: ratios of calls by model, sources that lag or stopped, models without a
//! price, claims that differ, an old price book.

use std::collections::BTreeMap;

use super::evidence::{ByModel, Source};
use super::facts::Facts;
use super::rules::{AgeRule, DifferenceRule, LatencyLimit, Ppm, RatioRule, Rules};
use super::text;
use super::{Finding, Level};
use crate::model::alert::{AlertKey, AlertName, Brief, Severity};
use crate::model::digits;
use crate::model::money::Usd;
use crate::model::time::{MINUTE_MS, UnixMillis};

/// The window of ratios.
pub const WINDOW_MS: i64 = 10 * MINUTE_MS;
/// The part of a threshold, in percent, at which an alert that fires goes on.
const NEAR_PERCENT: u32 = 70;

/// A ratio that is looked at: how it is counted, and what it says.
struct Ratio {
    name: AlertName,
    rule: fn(&Rules) -> &RatioRule,
    part: fn(&Facts) -> u32,
    whole: fn(&Facts) -> u32,
    /// Completes "5 % of 120 calls …".
    says: &'static str,
    advice: &'static str,
}

const RATIOS: [Ratio; 6] = [
    Ratio {
        name: AlertName::ThrottleRatio,
        rule: |rules| &rules.throttled,
        part: |facts| facts.throttled,
        whole: |facts| facts.calls,
        says: "were throttled",
        advice: "Compare tokens and requests a minute with the quota of the model; lower max_tokens, spread load, or ask for more quota.",
    },
    Ratio {
        name: AlertName::AccessDeniedRatio,
        rule: |rules| &rules.denied,
        part: |facts| facts.denied,
        whole: |facts| facts.calls,
        says: "were denied",
        advice: "Check the role's policy, the VPC endpoint's policy and the access to the model; `tollkeeper find --outcome access_denied` shows the calls.",
    },
    Ratio {
        name: AlertName::TimeoutRatio,
        rule: |rules| &rules.timeouts,
        part: |facts| facts.timeouts,
        whole: |facts| facts.calls,
        says: "timed out",
        advice: "Timed-out calls may be billed; compare the client's timeout with the latency of the model, and stream long answers.",
    },
    Ratio {
        name: AlertName::LatencyNearLimit,
        rule: |rules| &rules.slow,
        part: |facts| facts.slow,
        whole: |facts| facts.timed,
        says: "took more than NEAR, close to the LIMIT after which callers give up",
        advice: "Stream the answer, lower max_tokens, or go around the gateway.",
    },
    Ratio {
        name: AlertName::EmptyAnswers,
        rule: |rules| &rules.empty,
        part: |facts| facts.empty,
        whole: |facts| facts.ok,
        says: "ended well without an answer",
        advice: "Look at stop reasons: a prompt or a stop sequence may end the answer at once.",
    },
    Ratio {
        name: AlertName::FilteredAnswers,
        rule: |rules| &rules.filtered,
        part: |facts| facts.filtered,
        whole: |facts| facts.calls,
        says: "were stopped by a guardrail or content filter",
        advice: "Look at the guardrail's trace; filtered calls are billed.",
    },
];

/// Returns which calls an alert about a ratio counts.
pub fn counted(name: AlertName) -> Option<fn(&Facts) -> u32> {
    RATIOS.iter().find(|ratio| ratio.name == name).map(|ratio| ratio.part)
}

/// Returns what is said of the calls that an alert about a ratio counts, and what to do.
pub fn wording(name: AlertName, limit: LatencyLimit) -> Option<(String, &'static str)> {
    let found = RATIOS.iter().find(|ratio| ratio.name == name);
    found.map(|ratio| (ratio.says(limit), ratio.advice))
}

/// Returns the findings of ratios and prices. `models` are the sums of the window by model.
pub fn of_models(rules: &Rules, models: &BTreeMap<&str, Facts>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (&model, facts) in models {
        for ratio in &RATIOS {
            let part = u64::from((ratio.part)(facts));
            findings.extend(ratio.finding(rules, model, part, (ratio.whole)(facts).into(), None));
        }
        findings.extend(unpriced(&rules.unpriced, model, facts));
        findings.extend(difference(&rules.reported, model, facts));
    }
    findings
}

/// Returns the findings of throttled calls that logs of AWS tell of, which an invocation log may not have at all.
/// Logs tell of the same calls, so of each model the log counts that says most.
pub fn of_logs(rules: &Rules, sums: &ByModel) -> Vec<Finding> {
    let ratio = RATIOS.iter().find(|ratio| ratio.name == AlertName::ThrottleRatio);
    let told = sums.iter().filter_map(|((model, source), tally)| {
        let name = match source {
            Source::CloudTrail => "CloudTrail",
            Source::CloudWatch => "CloudWatch",
            Source::InvocationLog | Source::ApplicationLog => return None,
        };
        ratio?.finding(rules, model, tally.throttled, tally.calls, Some(name))
    });
    let mut findings: Vec<Finding> = Vec::new();
    for finding in told {
        push_worse(&mut findings, finding);
    }
    findings
}

/// Adds a finding, or puts it in the place of a milder one that is about the same.
pub fn push_worse(findings: &mut Vec<Finding>, finding: Finding) {
    match findings.iter_mut().find(|known| known.key == finding.key) {
        Some(known) if (finding.level, finding.severity) > (known.level, known.severity) => {
            *known = finding;
        }
        Some(_) => {}
        None => findings.push(finding),
    }
}

impl Ratio {
    fn says(&self, limit: LatencyLimit) -> String {
        let near = text::seconds(limit.near_ms());
        self.says.replace("NEAR", &near).replace("LIMIT", &text::seconds(limit.ms()))
    }

    /// Returns the finding of `part` of `whole` calls, if it is one. `log` is said where it is no log of calls.
    fn finding(
        &self,
        rules: &Rules,
        model: &str,
        part: u64,
        whole: u64,
        log: Option<&str>,
    ) -> Option<Finding> {
        let rule = (self.rule)(rules);
        if !rule.enabled || whole < rule.calls_min.into() || part < rule.affected_min.into() {
            return None;
        }
        let level = level(rule.over, part, whole)?;
        let is_page = rule.page_over.is_below(part, whole);
        let severity = if is_page { Severity::Page } else { Severity::Ticket };
        let share = text::share(part, whole);
        let minutes = WINDOW_MS / MINUTE_MS;
        let says = self.says(rules.latency_limit);
        let log = log.map_or_else(String::new, |log| format!(", says {log}"));
        let mut brief = Brief {
            summary: format!(
                "{model}: {share} of {whole} calls {says} in the last {minutes} minutes{log}"
            ),
            details: vec![self.advice.to_owned()],
            ..Brief::default()
        };
        brief.values.insert("calls".to_owned(), whole.to_string());
        brief.values.insert("affected_calls".to_owned(), part.to_string());
        Some(Finding { key: AlertKey::new(self.name, &[("model", model)]), severity, level, brief })
    }
}

fn level(over: Ppm, part: u64, whole: u64) -> Option<Level> {
    let near = Ppm(over.0 / 100 * NEAR_PERCENT);
    if over.is_below(part, whole) {
        Some(Level::Over)
    } else if near.is_below(part, whole) {
        Some(Level::Near)
    } else {
        None
    }
}

fn unpriced(rule: &RatioRule, model: &str, facts: &Facts) -> Option<Finding> {
    if !rule.enabled || facts.unpriced_tokens == 0 {
        return None;
    }
    let tokens = digits::grouped(facts.unpriced_tokens);
    let minutes = WINDOW_MS / MINUTE_MS;
    let mut brief = Brief {
        summary: format!("{model}: {tokens} tokens in the last {minutes} minutes have no price"),
        details: vec![
            "Their cost is missing from every number. Add a price file, or map an opaque ARN with [models]; `tollkeeper doctor` prints the lines.".to_owned(),
        ],
        ..Brief::default()
    };
    brief.values.insert("unpriced_tokens".to_owned(), facts.unpriced_tokens.to_string());
    let key = AlertKey::new(AlertName::UnpricedModel, &[("model", model)]);
    Some(Finding { key, severity: Severity::Ticket, level: Level::Over, brief })
}

fn difference(rule: &DifferenceRule, model: &str, facts: &Facts) -> Option<Finding> {
    let Facts { reported, basis, .. } = *facts;
    // What has no price is told by an alert of its own; here it would look like a difference.
    if !rule.enabled || basis.0 <= 0 || facts.unpriced_tokens > 0 {
        return None;
    }
    let difference = Usd((reported.0 - basis.0).abs());
    let (off, whole) = (nano(difference), nano(basis));
    if difference < rule.floor || !rule.over.is_below(off, whole) {
        return None;
    }
    let mut brief = Brief {
        summary: format!(
            "{model}: applications claim {}, list price is {}",
            text::dollars(reported),
            text::dollars(basis)
        ),
        details: vec![
            "Either the application's price is wrong or old, or a discount is not in the price book: add it as a price file.".to_owned(),
        ],
        ..Brief::default()
    };
    brief.values.insert("reported_usd".to_owned(), reported.to_string());
    brief.values.insert("computed_usd".to_owned(), basis.to_string());
    let key = AlertKey::new(AlertName::ReportedCostDiffers, &[("model", model)]);
    Some(Finding { key, severity: Severity::Notice, level: Level::Over, brief })
}

/// Nanodollars, for a comparison of shares.
fn nano(amount: Usd) -> u64 {
    u64::try_from(amount.0 / 1_000).unwrap_or(u64::MAX)
}

/// What is known of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceState<'s> {
    /// Its name.
    pub name: &'s str,
    /// Latest event time; 0 before the first record.
    pub newest: UnixMillis,
    /// Bytes that are there and not read.
    pub backlog_bytes: u64,
    /// Whether it ever had a record that was not old: a log that only holds history can't stop.
    pub was_live: bool,
}

/// Returns the findings of sources and of the price book, which was made at `book_made`.
pub fn of_sources(
    rules: &Rules,
    sources: &[SourceState<'_>],
    book_made: Option<UnixMillis>,
    now: UnixMillis,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.newest > UnixMillis(0)) {
        let age = (now.0 - source.newest.0).max(0);
        let (rule, name, brief) = if source.backlog_bytes > 0 {
            (&rules.lag, AlertName::IngestLag, lag_brief(source, age))
        } else if source.was_live {
            (&rules.silence, AlertName::IngestSilent, silence_brief(source, age))
        } else {
            continue;
        };
        let key = AlertKey::new(name, &[("source", source.name)]);
        findings.extend(late(rule, age, key, Severity::Ticket, brief));
    }
    if let Some(made) = book_made {
        let key = AlertKey::new(AlertName::PriceBookStale, &[]);
        let age = (now.0 - made.0).max(0);
        findings.extend(late(&rules.prices, age, key, Severity::Notice, prices_brief(made, age)));
    }
    findings
}

fn late(
    rule: &AgeRule,
    age: i64,
    key: AlertKey,
    severity: Severity,
    brief: Brief,
) -> Option<Finding> {
    (rule.enabled && age > rule.over_ms).then_some(Finding {
        key,
        severity,
        level: Level::Over,
        brief,
    })
}

fn lag_brief(source: &SourceState<'_>, age: i64) -> Brief {
    let SourceState { name, backlog_bytes, .. } = source;
    let mut brief = Brief {
        summary: format!(
            "source {name} is read {} late, {} bytes wait",
            text::duration(age),
            digits::grouped(*backlog_bytes)
        ),
        details: vec![
            "Spend of this time is not known yet, so budgets and spikes are blind for it."
                .to_owned(),
        ],
        ..Brief::default()
    };
    brief.values.insert("lag_seconds".to_owned(), (age / 1_000).to_string());
    brief.values.insert("backlog_bytes".to_owned(), backlog_bytes.to_string());
    brief
}

fn silence_brief(source: &SourceState<'_>, age: i64) -> Brief {
    let name = source.name;
    let mut brief = Brief {
        summary: format!("source {name} has no record since {}, for {}", source.newest.second_text(), text::duration(age)),
        details: vec!["Either nobody calls models any more, or the log is not delivered: check that logging is on and where it goes.".to_owned()],
        ..Brief::default()
    };
    brief.values.insert("silent_seconds".to_owned(), (age / 1_000).to_string());
    brief
}

fn prices_brief(made: UnixMillis, age: i64) -> Brief {
    Brief {
        summary: format!("the price book is of {}, {} old", made.day_text(), text::duration(age)),
        details: vec![
            "Prices may have changed since; update Tollkeeper, or add a price file.".to_owned(),
        ],
        ..Brief::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::Tally;
    use super::*;
    use crate::model::money::PICODOLLARS_PER_USD;
    use crate::model::time::{DAY_MS, HOUR_MS};

    fn names(facts: Facts) -> Vec<(&'static str, Severity, Level)> {
        let models = BTreeMap::from([("m", facts)]);
        let findings = of_models(&Rules::default(), &models);
        findings.iter().map(|f| (f.key.name.as_str(), f.severity, f.level)).collect()
    }

    #[test]
    fn ratios_count_above_their_threshold_and_with_enough_calls() {
        use Severity::{Page, Ticket};
        let calls = |throttled| Facts { calls: 100, ok: 100, throttled, ..Facts::default() };
        let name = "TollkeeperThrottleRatioHigh";
        assert_eq!(names(calls(3)), []);
        assert_eq!(names(calls(4)), []);
        assert_eq!(names(calls(5)), [(name, Ticket, Level::Near)]);
        assert_eq!(names(calls(6)), [(name, Ticket, Level::Over)]);
        assert_eq!(names(calls(26)), [(name, Page, Level::Over)]);
        assert_eq!(names(Facts { calls: 19, throttled: 19, ..Facts::default() }), []);
    }

    #[test]
    fn the_log_that_says_most_counts_and_is_named() {
        let tally = |throttled| Tally { throttled, calls: 100, ..Tally::default() };
        let sums = ByModel::from([
            (("m".to_owned(), Source::InvocationLog), tally(90)),
            (("m".to_owned(), Source::CloudTrail), tally(7)),
            (("m".to_owned(), Source::CloudWatch), tally(30)),
            (("n".to_owned(), Source::CloudWatch), tally(2)),
        ]);
        let rules = Rules::default();
        let findings = of_logs(&rules, &sums);
        let [found] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((found.level, found.severity), (Level::Over, Severity::Page));
        assert_eq!(
            found.brief.summary,
            "m: 30 % of 100 calls were throttled in the last 10 minutes, says CloudWatch"
        );
        let facts = |throttled| Facts { calls: 100, throttled, ..Facts::default() };
        for (throttled, is_own) in [(10, false), (40, true)] {
            let mut all = of_models(&rules, &BTreeMap::from([("m", facts(throttled))]));
            push_worse(&mut all, found.clone());
            let [one] = all.as_slice() else { panic!("{all:?}") };
            assert_eq!(one.brief.summary.ends_with("10 minutes"), is_own, "{one:?}");
        }
    }

    #[test]
    fn each_kind_of_trouble_has_its_own_alert() {
        let facts = Facts {
            calls: 100,
            ok: 80,
            denied: 10,
            timeouts: 10,
            empty: 40,
            filtered: 20,
            timed: 50,
            slow: 40,
            unpriced_tokens: 5,
            ..Facts::default()
        };
        let found: Vec<_> = names(facts).iter().map(|(name, ..)| *name).collect();
        assert_eq!(
            found,
            [
                "TollkeeperAccessDeniedRatioHigh",
                "TollkeeperTimeoutRatioHigh",
                "TollkeeperLatencyNearLimit",
                "TollkeeperEmptyAnswerRatioHigh",
                "TollkeeperFilteredAnswerRatioHigh",
                "TollkeeperUnpricedModel",
            ]
        );
    }

    #[test]
    fn claims_are_compared_with_the_cost_of_the_calls_that_carry_them() {
        let claim = |reported: i128, basis: i128| Facts {
            reported: Usd(reported * PICODOLLARS_PER_USD),
            basis: Usd(basis * PICODOLLARS_PER_USD),
            cost: Usd(1_000 * PICODOLLARS_PER_USD),
            ..Facts::default()
        };
        assert_eq!(names(claim(11, 10)), []);
        assert_eq!(
            names(claim(20, 10)),
            [("TollkeeperReportedCostDiffers", Severity::Notice, Level::Over)]
        );
        assert_eq!(
            names(claim(5, 10)),
            [("TollkeeperReportedCostDiffers", Severity::Notice, Level::Over)]
        );
        assert_eq!(names(claim(20, 0)), []);
        assert_eq!(names(Facts { unpriced_tokens: 1, ..claim(20, 10) }).len(), 1);
    }

    #[test]
    fn a_source_lags_or_is_silent_or_was_never_heard() {
        let now = UnixMillis(1_800_000_000_000);
        let seen = |newest, backlog_bytes, book_made, was_live| {
            let source = SourceState { name: "s", newest, backlog_bytes, was_live };
            let found = of_sources(&Rules::default(), &[source], book_made, now);
            found.iter().map(|finding| finding.key.name).collect::<Vec<_>>()
        };
        let found = |newest, backlog, made| seen(newest, backlog, made, true);
        assert_eq!(seen(now.plus(-2 * HOUR_MS), 0, None, false), []);
        assert_eq!(found(UnixMillis(0), 10, None), []);
        assert_eq!(found(now.plus(-6 * MINUTE_MS), 10, None), [AlertName::IngestLag]);
        assert_eq!(found(now.plus(-6 * MINUTE_MS), 0, None), []);
        assert_eq!(found(now.plus(-2 * HOUR_MS), 0, None), [AlertName::IngestSilent]);
        assert_eq!(found(now.plus(HOUR_MS), 0, None), []);
        assert_eq!(found(now, 0, Some(now.plus(-200 * DAY_MS))), [AlertName::PriceBookStale]);
    }
}
