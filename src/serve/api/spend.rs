//! Spend of the last minutes against the usual, and of this month with what it will come to, as JSON: the answer of
//! `/api/v1/spend`. Dimensions overlap, so they must never be added.

use serde_json::{Value, json};

use super::budgets::{forecast, number, period};
use crate::budget::status::Status;
use crate::watch::lookout::Evaluation;
use crate::watch::spike::Spend;
use crate::watch::usual::Subject;

pub(super) fn spend(evaluation: &Evaluation) -> Value {
    let subjects = evaluation.spending.iter().map(|(subject, spend)| one(subject, spend));
    json!({
        "at": evaluation.at.second_text(),
        "spend": subjects.collect::<Vec<_>>(),
        "month": evaluation.month.as_ref().map(month),
    })
}

/// Where everything together stands in this month of UTC.
fn month(status: &Status) -> Value {
    let method = status.forecast.as_ref().ok().map(|forecast| forecast.method.as_str());
    json!({
        "spent": number(status.spent),
        "forecast": status.forecast.as_ref().ok().map(forecast),
        "forecast_method": method,
        "unpriced_ratio": status.unpriced_ratio,
        "period": period(status),
    })
}

fn one(subject: &Subject, spend: &Spend) -> Value {
    let (dimension, principal, model, account) = match subject {
        Subject::Total => ("total", None, None, None),
        Subject::Account(account) => ("account", None, None, Some(account)),
        Subject::Model(model) => ("model", None, Some(model), None),
        Subject::Principal(principal) => ("principal", Some(principal), None, None),
        Subject::Use { principal, model } => ("use", Some(principal), Some(model), None),
    };
    json!({
        "dimension": dimension,
        "principal": principal,
        "model": model,
        "account": account,
        "usd_per_hour": spend.per_hour.to_string(),
        "usual_usd_per_hour": spend.baseline.map(|baseline| baseline.middle.to_string()),
        "spike_usd_per_hour": spend.limit.to_string(),
    })
}
