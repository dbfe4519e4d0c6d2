//! Where budgets stand, as JSON: the answer of `/api/v1/budgets`. Amounts are exact decimals, in the unit of the limit.

use serde_json::{Map, Value, json};

use crate::budget::amount::Amount;
use crate::budget::forecast::Forecast;
use crate::budget::pace::WINDOWS;
use crate::budget::period::Interval;
use crate::budget::status::{Exhaustion, Status};
use crate::watch::lookout::{BudgetState, Evaluation};

pub(super) fn budgets(evaluation: &Evaluation) -> Value {
    let states = evaluation.budgets.iter().filter_map(|state| budget(evaluation, state));
    json!({ "at": evaluation.at.second_text(), "budgets": states.collect::<Vec<_>>() })
}

fn budget(evaluation: &Evaluation, state: &BudgetState) -> Option<Value> {
    let plan = evaluation.plans.get(state.place)?;
    let status: &Status = &state.status;
    let unit = match status.limit {
        Amount::Usd(_) => "usd",
        Amount::Tokens(_) => "tokens",
    };
    let burns: Map<String, Value> = WINDOWS
        .iter()
        .zip(&status.burns)
        .map(|((window, _), burn)| ((*window).to_owned(), json!(burn.rate)))
        .collect();
    let exhausted = match status.exhaustion {
        Exhaustion::Since(at) | Exhaustion::At(at) => Some(at.second_text()),
        Exhaustion::NotInPeriod | Exhaustion::Unknown => None,
    };
    Some(json!({
        "budget": plan.name,
        "value": state.value.as_deref(),
        "unit": unit,
        "limit": number(status.limit),
        "spent": number(status.spent),
        "remaining": number(status.remaining),
        "used_ratio": status.used_ratio,
        "unpriced_ratio": status.unpriced_ratio,
        "burn_rates": burns,
        "forecast": status.forecast.as_ref().ok().map(forecast),
        "exhausted": exhausted,
        "is_exhausted": matches!(status.exhaustion, Exhaustion::Since(_)),
        "period": period(status),
    }))
}

pub(super) fn forecast(forecast: &Forecast) -> Value {
    json!({
        "expected": number(forecast.expected),
        "low": number(forecast.low),
        "high": number(forecast.high),
    })
}

pub(super) fn period(status: &Status) -> Value {
    let Interval { start, end } = status.period;
    json!({ "start": start.second_text(), "end": end.second_text() })
}

pub(super) fn number(amount: Amount) -> String {
    match amount {
        Amount::Usd(usd) => usd.to_string(),
        Amount::Tokens(tokens) => tokens.to_string(),
    }
}
