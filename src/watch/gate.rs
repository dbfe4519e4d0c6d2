//! The budget gate: may a call go on? Answered from what the last evaluation found, so it never drifts
//! from the ledger; it counts nothing by itself.

use super::lookout::{BudgetState, Evaluation};
use crate::budget::amount::Amount;
use crate::budget::plan::{Budget, Fail};
use crate::budget::scope::Label;
use crate::model::series::NONE;
use crate::model::time::{MINUTE_MS, UnixMillis};

/// Age of an evaluation beyond which nothing is known any more.
const KNOWN_FOR_MS: i64 = MINUTE_MS;
/// Share of tokens without a price above which a budget in dollars is blind.
const BLIND_RATIO: f64 = 0.01;
/// When to ask again where no end of a period tells.
const ASK_AGAIN_MS: i64 = MINUTE_MS;

/// Whose budget is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Name of a budget.
    pub budget: Option<String>,
    /// Labels of the call, by name.
    pub labels: Vec<(String, String)>,
}

/// What the gate says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<'e> {
    /// No budget is asked about: there is none of that name, or none whose scope the labels tell.
    NoSuchBudget,
    /// The call may go on.
    Go(Option<Basis<'e>>),
    /// The call is refused, and may be tried again after so many milliseconds.
    Stop(Basis<'e>, i64),
}

/// The budget that decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Basis<'e> {
    /// The budget.
    pub plan: &'e Budget,
    /// Where it stands, if anything is known of it.
    pub state: Option<&'e BudgetState>,
    /// Why nothing certain is known, if so; then `fail` of the budget decides.
    pub doubt: Option<&'static str>,
}

/// Answers at `now`. Of several budgets the first that refuses decides, else the one with the least left.
pub fn answer<'e>(evaluation: &'e Evaluation, ask: &Ask, now: UnixMillis) -> Answer<'e> {
    let mut found = false;
    let mut least: Option<(f64, Basis<'e>)> = None;
    for (place, plan) in evaluation.plans.iter().enumerate() {
        if !is_asked(plan, ask) {
            continue;
        }
        found = true;
        let basis = basis(evaluation, place, plan, ask, now);
        if plan.enforce && refuses(&basis) {
            return Answer::Stop(basis, retry_after_ms(&basis, now));
        }
        let used = basis.state.map_or(0.0, |state| state.status.used_ratio);
        if least.as_ref().is_none_or(|(most, _)| used > *most) {
            least = Some((used, basis));
        }
    }
    if found { Answer::Go(least.map(|(_, basis)| basis)) } else { Answer::NoSuchBudget }
}

/// A budget is asked about by its name, or because the labels tell that the call is in its scope. What
/// labels do not tell is not guessed.
fn is_asked(plan: &Budget, ask: &Ask) -> bool {
    if let Some(name) = &ask.budget {
        return *name == plan.name;
    }
    let told = |label: &str| value_of(ask, label);
    let is_in_scope = plan
        .scope
        .matchers
        .iter()
        .all(|matcher| told(&matcher.label.name()).is_some_and(|value| matcher.takes(value)));
    let is_divided_by_known = plan.per.as_ref().is_none_or(|label| told(&label.name()).is_some());
    !ask.labels.is_empty() && is_in_scope && is_divided_by_known
}

fn value_of<'a>(ask: &'a Ask, label: &str) -> Option<&'a str> {
    let told = ask.labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.as_str());
    // Who asks is about to call, and no call is an item.
    told.or_else(|| (Label::parse(label) == Some(Label::Item)).then_some(NONE))
}

fn basis<'e>(
    evaluation: &'e Evaluation,
    place: usize,
    plan: &'e Budget,
    ask: &Ask,
    now: UnixMillis,
) -> Basis<'e> {
    let value = plan.per.as_ref().map(|label| value_of(ask, &label.name()));
    let state = match value {
        None => evaluation.budgets.iter().find(|state| state.place == place),
        Some(None) => None,
        // A value that spent nothing yet has no part of its own.
        Some(Some(value)) => evaluation
            .budgets
            .iter()
            .find(|state| state.place == place && state.value.as_deref() == Some(value)),
    };
    let is_blind = state.is_some_and(|state| {
        matches!(state.status.limit, Amount::Usd(_)) && state.status.unpriced_ratio > BLIND_RATIO
    });
    let doubt = if evaluation.at.0 == 0 {
        Some("nothing is evaluated yet")
    } else if (now.0 - evaluation.at.0).abs() > KNOWN_FOR_MS {
        Some("the last evaluation is old")
    } else if value == Some(None) {
        Some("the label that divides this budget is not given")
    } else if is_blind {
        Some("tokens without a price are not in it")
    } else {
        None
    };
    Basis { plan, state, doubt }
}

fn refuses(basis: &Basis<'_>) -> bool {
    // What is known to be spent is a lower bound, so it decides also where there is doubt.
    let is_used_up = basis.state.is_some_and(|state| state.status.is_exhausted());
    is_used_up || (basis.doubt.is_some() && basis.plan.fail == Fail::Closed)
}

fn retry_after_ms(basis: &Basis<'_>, now: UnixMillis) -> i64 {
    match basis.state {
        Some(state) if state.status.is_exhausted() && !basis.plan.period.is_rolling() => {
            (state.status.period.end.0 - now.0).max(1_000)
        }
        _ => ASK_AGAIN_MS,
    }
}
