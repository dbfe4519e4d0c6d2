//! Who and what explains an increase of spend: contributors, largest first, each with what changed
//! about its calls.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "ratios for a person to read; no amount is computed from them"
)]

use std::collections::BTreeMap;

use super::facts::Facts;
use super::text;
use crate::model::money::Usd;
use crate::model::series::SeriesKey;
use crate::model::time::HOUR_MS;

/// Most contributors that are named.
const NAMED_MAX: usize = 3;
/// A contributor below this share of the increase is not named, unless it is the largest.
const SHARE_MIN: f64 = 0.05;
/// Ratios between these are no change worth telling.
const STEADY: std::ops::Range<f64> = 0.8..1.25;
/// How much a share (of a region, of cached tokens) must move to be told.
const MOVED_MIN: f64 = 0.3;
/// Calls below which a mean says nothing.
const CALLS_MIN: f64 = 1.0;

/// An increase below this part of the spend explains nothing: then those who spend most are named.
const INCREASE_MIN: f64 = 0.2;

/// Sums of one contributor over some time.
type Sums<'k> = BTreeMap<(&'k str, &'k str), Part<'k>>;

/// Calls by series over some time.
pub struct Period<'k> {
    /// Series with their facts.
    pub calls: Vec<(&'k SeriesKey, Facts)>,
    /// How long it is, in milliseconds.
    pub length_ms: i64,
}

/// Who explains a part of an increase.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributor {
    /// Who called.
    pub principal: String,
    /// Which model.
    pub model: String,
    /// What it spends more than before, dollars an hour.
    pub increase: Usd,
    /// Its part of the whole increase.
    pub share: f64,
    /// What changed about its calls, in words.
    pub causes: Vec<String>,
}

#[derive(Default)]
struct Part<'k> {
    facts: Facts,
    regions: BTreeMap<&'k str, Usd>,
    routes: BTreeMap<&'static str, Usd>,
}

impl Part<'_> {
    fn per_hour(&self, length_ms: i64) -> Usd {
        Usd(self.facts.cost.0 * i128::from(HOUR_MS) / i128::from(length_ms.max(1)))
    }
}

/// Returns who explains that `now` costs more than `before`, largest first; empty if it does not.
pub fn contributors(now: &Period<'_>, before: &Period<'_>) -> Vec<Contributor> {
    let (now_sums, before_sums) = (sums(now), sums(before));
    let nothing = Part::default();
    let mut increases: Vec<_> = now_sums
        .iter()
        .map(|(&who, part)| {
            let old = before_sums.get(&who).unwrap_or(&nothing);
            let increase = part.per_hour(now.length_ms).0 - old.per_hour(before.length_ms).0;
            (who, part, old, Usd(increase))
        })
        .collect();
    increases.sort_by_key(|(who, .., increase)| (std::cmp::Reverse(*increase), *who));
    let whole: Usd =
        increases.iter().map(|(.., increase)| *increase).filter(|more| more.0 > 0).sum();
    let mut contributors = Vec::new();
    for ((principal, model), part, old, increase) in increases {
        let share = if whole.0 > 0 { increase.to_f64() / whole.to_f64() } else { 0.0 };
        let is_named = contributors.is_empty() || share >= SHARE_MIN;
        if increase.0 <= 0 || !is_named || contributors.len() >= NAMED_MAX {
            break;
        }
        contributors.push(Contributor {
            principal: principal.to_owned(),
            model: model.to_owned(),
            increase,
            share,
            causes: causes((part, now.length_ms), (old, before.length_ms)),
        });
    }
    contributors
}

/// Returns who spends most of `now`, and how much: what there is to tell where spend did not increase.
/// Empty if it did, by a fifth at least.
pub fn spenders(now: &Period<'_>, before: &Period<'_>) -> Vec<String> {
    let rate = |period: &Period<'_>| {
        let cost: Usd = period.calls.iter().map(|(_, facts)| facts.cost).sum();
        Part { facts: Facts { cost, ..Facts::default() }, ..Part::default() }
            .per_hour(period.length_ms)
    };
    let (whole, earlier) = (rate(now), rate(before));
    if whole.0 <= 0 || (whole.to_f64() - earlier.to_f64()) / whole.to_f64() >= INCREASE_MIN {
        return Vec::new();
    }
    let mut parts: Vec<_> =
        sums(now).into_iter().map(|(who, part)| (part.per_hour(now.length_ms), who)).collect();
    parts.sort_by_key(|(per_hour, who)| (std::cmp::Reverse(*per_hour), *who));
    let line = |(per_hour, (principal, model)): (Usd, (&str, &str))| {
        let share = text::percent(per_hour.to_f64() / whole.to_f64());
        format!(
            "{principal} on {model}: {}/h, {share} of the spend, as usual",
            text::dollars(per_hour)
        )
    };
    parts.into_iter().take(NAMED_MAX).map(line).collect()
}

impl Contributor {
    /// Returns the line that tells a person.
    pub fn line(&self) -> String {
        let Self { principal, model, increase, share, causes } = self;
        let (more, share) = (text::dollars(*increase), text::percent(*share));
        let causes =
            if causes.is_empty() { String::new() } else { format!("; {}", causes.join(", ")) };
        format!("{principal} on {model}: +{more}/h, {share} of the increase{causes}")
    }
}

fn sums<'k>(period: &Period<'k>) -> Sums<'k> {
    let mut sums: Sums<'k> = BTreeMap::new();
    for (key, facts) in &period.calls {
        let part = sums.entry((key.principal.as_str(), key.model.as_str())).or_default();
        part.facts.merge(facts);
        *part.regions.entry(key.region.as_str()).or_default() += facts.cost;
        *part.routes.entry(key.route.as_str()).or_default() += facts.cost;
    }
    sums
}

/// Returns what changed, the strongest first as far as numbers can be compared.
fn causes((now, now_ms): (&Part<'_>, i64), (old, old_ms): (&Part<'_>, i64)) -> Vec<String> {
    let (facts, before) = (&now.facts, &old.facts);
    if before.calls == 0 {
        return vec!["no such calls before".to_owned()];
    }
    let hours = |ms: i64| ms.max(1) as f64 / HOUR_MS as f64;
    let calls =
        (f64::from(facts.calls) / hours(now_ms)) / (f64::from(before.calls) / hours(old_ms));
    let mut ratios = vec![
        (calls, "calls"),
        (
            mean(facts, facts.input_tokens) / mean(before, before.input_tokens),
            "input tokens per call",
        ),
        (
            mean(facts, facts.output_tokens) / mean(before, before.output_tokens),
            "output tokens per call",
        ),
        (price(facts) / price(before), "price per token"),
    ];
    let is_dearer_by_mix = cached(facts) < cached(before) - MOVED_MIN;
    ratios.retain(|(ratio, what)| {
        let is_change = ratio.is_finite() && !STEADY.contains(ratio) && *ratio > 0.0;
        // Fewer cached tokens raise the mean price: that is told as what it is.
        is_change && !(*what == "price per token" && is_dearer_by_mix)
    });
    ratios.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let mut causes: Vec<String> =
        ratios.iter().map(|(ratio, what)| format!("{what} {}", text::factor(*ratio))).collect();
    if is_dearer_by_mix {
        let (from, to) = (text::percent(cached(before)), text::percent(cached(facts)));
        causes.push(format!("cached input {from} to {to}"));
    }
    causes.extend(moved("region", &now.regions, &old.regions));
    causes.extend(moved("route", &now.routes, &old.routes));
    let retried = |facts: &Facts| f64::from(facts.retries) / f64::from(facts.calls.max(1));
    if retried(facts) > retried(before) + 0.05 {
        let (from, to) = (text::percent(retried(before)), text::percent(retried(facts)));
        causes.push(format!("retries per call {from} to {to}"));
    }
    causes
}

/// Returns the mean of tokens over the calls that the model answered.
fn mean(facts: &Facts, tokens: u64) -> f64 {
    tokens as f64 / f64::from(facts.ok).max(CALLS_MIN)
}

/// Returns dollars per token, whatever their classes.
fn price(facts: &Facts) -> f64 {
    facts.cost.to_f64() / (facts.input_tokens + facts.output_tokens) as f64
}

/// Returns the part of the input that a cache served.
fn cached(facts: &Facts) -> f64 {
    facts.cached_tokens as f64 / (facts.input_tokens as f64).max(1.0)
}

/// Returns where spend moved to, if a value took over a good part of it.
fn moved(what: &str, now: &BTreeMap<&str, Usd>, old: &BTreeMap<&str, Usd>) -> Option<String> {
    let share = |parts: &BTreeMap<&str, Usd>, of: &str| {
        let whole: Usd = parts.values().copied().sum();
        let part = parts.get(of).copied().unwrap_or_default();
        if whole.0 == 0 { 0.0 } else { part.to_f64() / whole.to_f64() }
    };
    let (to, _) = now.iter().max_by_key(|(_, cost)| **cost)?;
    let (before, after) = (share(old, to), share(now, to));
    (after - before >= MOVED_MIN)
        .then(|| format!("{what} {to} {} to {}", text::percent(before), text::percent(after)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::money::PICODOLLARS_PER_USD;
    use crate::model::names::{Route, Tier};
    use crate::model::series::ContextBand;
    use crate::model::time::MINUTE_MS;

    fn key(principal: &str, model: &str, region: &str) -> SeriesKey {
        SeriesKey {
            provider: "aws.bedrock".to_owned(),
            account: "111122223333".to_owned(),
            region: region.to_owned(),
            model: model.to_owned(),
            route: Route::InRegion,
            geo: String::new(),
            tier: Tier::Standard,
            principal: principal.to_owned(),
            attributes: Vec::new(),
            context: ContextBand::default(),
            item: String::new(),
        }
    }

    /// Calls with so many input tokens each, at eight dollars a million, and none of output.
    fn facts(calls: u32, input: u64) -> Facts {
        let tokens = u64::from(calls) * input;
        let cost = Usd(8 * PICODOLLARS_PER_USD / 1_000_000).times(tokens);
        Facts { calls, ok: calls, input_tokens: tokens, cost, ..Facts::default() }
    }

    fn lines(now: &[(&SeriesKey, Facts)], before: &[(&SeriesKey, Facts)]) -> Vec<String> {
        let now = Period { calls: now.to_vec(), length_ms: 5 * MINUTE_MS };
        let before = Period { calls: before.to_vec(), length_ms: HOUR_MS };
        contributors(&now, &before).iter().map(Contributor::line).collect()
    }

    #[test]
    fn the_culprit_of_the_story_is_named_with_what_it_does() {
        let culprit = key("role/log-summariser", "anthropic.claude-v2:1", "us-east-1");
        let other = key("role/chat", "anthropic.claude-v2:1", "us-east-1");
        // Per hour: 600 calls of 1,000 tokens before; now 550 in five minutes of 4,200 each.
        let before = [(&culprit, facts(600, 1_000)), (&other, facts(1_200, 2_000))];
        let now = [(&culprit, facts(550, 4_200)), (&other, facts(110, 2_000))];
        assert_eq!(
            lines(&now, &before),
            [
                "role/log-summariser on anthropic.claude-v2:1: +$217/h, 99 % of the increase; calls ×11, input tokens per call ×4.2"
            ]
        );
    }

    fn line(now: &[(&SeriesKey, Facts)], before: &[(&SeriesKey, Facts)]) -> String {
        lines(now, before)[0].clone()
    }

    #[test]
    fn lost_cache_hits_prices_regions_and_new_callers_are_told_apart() {
        let a = key("role/a", "m", "us-east-1");
        let moved = key("role/a", "m", "us-west-2");
        let mut cached = facts(100, 10_000);
        cached.cached_tokens = 900_000;
        cached.cost = Usd(cached.cost.0 / 5);
        let now = facts(9, 10_000);
        assert!(line(&[(&a, now)], &[(&a, cached)]).ends_with("cached input 90 % to 0 %"));
        let mut dearer = now;
        dearer.cost = Usd(now.cost.0 * 3 / 2);
        assert!(
            line(&[(&a, dearer)], &[(&a, facts(100, 10_000))]).ends_with("price per token ×1.5")
        );
        let mut retried = facts(20, 10_000);
        retried.retries = 10;
        let text = line(&[(&moved, retried)], &[(&a, facts(100, 10_000))]);
        assert!(
            text.ends_with(
                "calls ×2.4, region us-west-2 0 % to 100 %, retries per call 0 % to 50 %"
            ),
            "{text}"
        );
        assert!(line(&[(&a, now)], &[]).ends_with("no such calls before"));
    }

    #[test]
    fn where_spend_is_as_usual_those_who_spend_most_are_named() {
        let (a, b) = (key("role/a", "m", "us-east-1"), key("role/b", "m", "us-east-1"));
        let period = |a_calls, b_calls, length_ms| Period {
            calls: vec![(&a, facts(a_calls, 10_000)), (&b, facts(b_calls, 10_000))],
            length_ms,
        };
        let (now, before) = (period(30, 10, HOUR_MS), period(29, 10, HOUR_MS));
        assert_eq!(
            spenders(&now, &before),
            [
                "role/a on m: $2.40/h, 75 % of the spend, as usual",
                "role/b on m: $0.8000/h, 25 % of the spend, as usual"
            ]
        );
        assert_eq!(spenders(&now, &period(3, 1, HOUR_MS)), Vec::<String>::new());
    }

    #[test]
    fn without_an_increase_nobody_is_named() {
        let a = key("role/a", "m", "us-east-1");
        assert_eq!(
            lines(&[(&a, facts(8, 1_000))], &[(&a, facts(100, 1_000))]),
            Vec::<String>::new()
        );
    }
}
