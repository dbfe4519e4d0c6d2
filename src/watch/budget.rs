//! What budgets give rise to: thresholds reached, money that burns too fast, a forecast over the limit,
//! tokens without a price that make a budget blind.

use super::text;
use super::{Finding, Level};
use crate::budget::amount::Amount;
use crate::budget::burn::{Urgency, Verdict};
use crate::budget::plan::{Budget, Threshold};
use crate::budget::status::{Exhaustion, Status};
use crate::model::alert::{AlertKey, AlertName, Brief, Severity};
use crate::model::digits;
use crate::model::time::HOUR_MS;

/// Share of tokens without a price above which a budget in dollars is blind.
pub const BLIND_RATIO: f64 = 0.01;
/// The part of a limit from which on a threshold is a ticket, and from which on a page.
const TICKET_FROM: Threshold = Threshold(8_000);
const PAGE_FROM: Threshold = Threshold(10_000);
/// The part of a threshold or pace at which an alert that fires goes on.
const NEAR: f64 = 0.9;

/// One budget, or its part for one value of a label, with where it stands.
#[derive(Clone, Copy)]
pub struct Look<'b> {
    /// The budget.
    pub budget: &'b Budget,
    /// The label and its value, if each value has a budget of its own.
    pub value: Option<(&'b str, &'b str)>,
    /// Where it stands.
    pub status: &'b Status,
}

/// Something found about a budget, and the time over which it came about, in milliseconds.
pub type Found = (Finding, i64);

/// Returns how urgent it is that a threshold is reached.
pub fn severity_of(threshold: Threshold) -> Severity {
    match threshold {
        reached if reached >= PAGE_FROM => Severity::Page,
        reached if reached >= TICKET_FROM => Severity::Ticket,
        _ => Severity::Notice,
    }
}

/// Returns which alert a burn rate raises, and how urgent it is.
pub fn alert_of(urgency: Urgency) -> (AlertName, Severity) {
    match urgency {
        Urgency::Page => (AlertName::BudgetBurnRateFast, Severity::Page),
        Urgency::Ticket => (AlertName::BudgetBurnRateSlow, Severity::Ticket),
        Urgency::Notice => (AlertName::BudgetForecast, Severity::Notice),
    }
}

/// Returns everything that is worth telling about a budget, whose burn rates are `verdicts`.
pub fn findings(look: Look<'_>, verdicts: &[Verdict]) -> Vec<Found> {
    let mut found = thresholds(look);
    let is_fast =
        verdicts.iter().any(|verdict| verdict.holds && verdict.rule.urgency == Urgency::Page);
    for verdict in verdicts {
        // What is used up can't burn any more; that it is, a threshold has said.
        let is_said = is_told_used_up(look) || (is_fast && verdict.rule.urgency != Urgency::Page);
        found.extend(burning(look, verdict, is_said));
    }
    found.extend(blind(look));
    found
}

/// Tells whether a threshold says that a budget is used up.
fn is_told_used_up(look: Look<'_>) -> bool {
    look.status.is_exhausted() && look.budget.thresholds.contains(&PAGE_FROM)
}

impl Look<'_> {
    fn key(&self, name: AlertName, more: &[(&str, &str)]) -> AlertKey {
        let mut labels = vec![("budget", self.budget.name.as_str())];
        labels.extend(self.value);
        labels.extend(more);
        AlertKey::new(name, &labels)
    }

    /// Returns the name as a person reads it.
    fn name(&self) -> String {
        match self.value {
            Some((_, value)) => format!("budget {} of {value}", self.budget.name),
            None => format!("budget {}", self.budget.name),
        }
    }

    fn brief(&self, summary: String) -> Brief {
        let status = self.status;
        let mut brief = Brief { summary, ..Brief::default() };
        let unit = match status.limit {
            Amount::Usd(_) => "usd",
            Amount::Tokens(_) => "tokens",
        };
        let mut value = |name: &str, value: String| brief.values.insert(name.to_owned(), value);
        value(&format!("spent_{unit}"), exact(status.spent));
        value(&format!("limit_{unit}"), exact(status.limit));
        value("period_start", status.period.start.second_text());
        value("period_end", status.period.end.second_text());
        brief.details.push(self.outlook());
        brief
    }

    /// Returns the line about how it goes on.
    fn outlook(&self) -> String {
        let status = self.status;
        let end = status.period.end.second_text();
        let spent = format!("Spent {} of {}", shown(status.spent), shown(status.limit));
        match (status.exhaustion, &status.forecast) {
            (Exhaustion::Since(since), _) => {
                format!("{spent}, used up since {}; the period ends {end}.", since.second_text())
            }
            (Exhaustion::At(at), Ok(forecast)) => format!(
                "{spent}; used up at {} at this pace, {} by the end of the period ({end}).",
                at.second_text(),
                shown(forecast.expected)
            ),
            (_, Ok(forecast)) => {
                format!(
                    "{spent}; {} expected by the end of the period ({end}).",
                    shown(forecast.expected)
                )
            }
            (_, Err(_)) if self.budget.period.is_rolling() => {
                format!("{spent} in the rolling window.")
            }
            (_, Err(_)) => format!("{spent}; too early for a forecast, the period ends {end}."),
        }
    }
}

/// Of the thresholds that are reached only the highest is news: the others are said by it.
fn thresholds(look: Look<'_>) -> Vec<Found> {
    let Look { budget, status, .. } = look;
    let is_reached = |threshold: &&Threshold| threshold.is_reached(status.spent, status.limit);
    let highest = budget.thresholds.iter().filter(is_reached).max().copied();
    let is_near = |threshold: Threshold| {
        threshold.is_reached(Amount::with_number(status.spent, near(status.spent)), status.limit)
    };
    let mut found = Vec::new();
    for &threshold in budget.thresholds.iter().filter(|threshold| is_near(**threshold)) {
        let level = if Some(threshold) == highest { Level::Over } else { Level::Near };
        let severity = severity_of(threshold);
        let key = look.key(AlertName::BudgetThreshold, &[("threshold", &threshold.to_string())]);
        let used = text::percent(status.used_ratio);
        let mut brief = look.brief(format!("{} is used to {used}", look.name()));
        if budget.enforce && status.is_exhausted() {
            brief.details.push(
                "The gate answers 429 until the period ends or the limit is raised.".to_owned(),
            );
        }
        found.push((Finding { key, severity, level, brief }, HOUR_MS));
    }
    found
}

/// Spend that would still reach what `spent` almost reaches: an eighteenth more.
fn near(spent: Amount) -> i128 {
    spent.number().saturating_add(spent.number() / 18)
}

/// `is_said`: a more urgent alert tells the same already.
fn burning(look: Look<'_>, verdict: &Verdict, is_said: bool) -> Option<Found> {
    let (name, severity) = alert_of(verdict.rule.urgency);
    let level = if verdict.holds && !is_said {
        Level::Over
    } else if verdict.holds || is_near(verdict) {
        Level::Near
    } else {
        return None;
    };
    let window = text::duration(verdict.rule.long_ms);
    let pace = text::factor(verdict.long.rate);
    let summary = if verdict.rule.urgency == Urgency::Notice {
        format!("{} will not last: {pace} the pace that would, over the last {window}", look.name())
    } else {
        let spent = shown(look.status.limit.in_unit_of(&verdict.long.sums));
        format!("{} burns at {pace} the pace that would last: {spent} in {window}", look.name())
    };
    let mut brief = look.brief(summary);
    brief.values.insert("burn_rate".to_owned(), format!("{:.2}", verdict.long.rate));
    let key = look.key(name, &[]);
    Some((Finding { key, severity, level, brief }, verdict.rule.long_ms))
}

#[expect(clippy::float_arithmetic, reason = "a pace is no money")]
fn is_near(verdict: &Verdict) -> bool {
    let least = verdict.rule.factor.to_f64() * NEAR;
    let is_so = |rate: f64| rate >= least;
    verdict.is_above_floor
        && is_so(verdict.long.rate)
        && verdict.short.is_none_or(|short| is_so(short.rate))
        && verdict.rule.urgency != Urgency::Notice
}

fn blind(look: Look<'_>) -> Option<Found> {
    let Look { status, .. } = look;
    if !matches!(status.limit, Amount::Usd(_)) || status.unpriced_ratio <= BLIND_RATIO {
        return None;
    }
    let share = text::percent(status.unpriced_ratio);
    let mut brief =
        look.brief(format!("{} is blind: {share} of its tokens have no price", look.name()));
    brief.details.push(
        "What they cost is not in it. Add a price file or map opaque ARNs with [models]."
            .to_owned(),
    );
    let key = look.key(AlertName::BudgetBlind, &[]);
    Some((Finding { key, severity: Severity::Ticket, level: Level::Over, brief }, HOUR_MS))
}

/// Returns an amount as a person reads it.
fn shown(amount: Amount) -> String {
    match amount {
        Amount::Usd(amount) => text::dollars(amount),
        Amount::Tokens(tokens) => format!("{} tokens", digits::grouped(tokens)),
    }
}

/// Returns an amount for programs.
fn exact(amount: Amount) -> String {
    match amount {
        Amount::Usd(amount) => amount.to_string(),
        Amount::Tokens(tokens) => tokens.to_string(),
    }
}
