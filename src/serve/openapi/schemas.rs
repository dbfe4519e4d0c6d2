//! What answers of `/api/v1` look like, as JSON Schema 2020-12, which `OpenAPI` 3.1 uses.

use serde_json::{Map, Value, json};

use super::reference;
use crate::budget::pace;
use crate::model::alert::{AlertName, Severity};
use crate::model::names::{Outcome, Route};
use crate::model::tokens::TokenClass;
use crate::quota::explain::{Confidence, Reason, Unknown};
use crate::quota::kind::QuotaKind;
use crate::quota::limits::LimitSource;
use crate::quota::told::Source;
use crate::watch::evidence;

/// Returns all schemas by name.
pub(super) fn all() -> Map<String, Value> {
    let schemas = [
        ("Problem", problem()),
        ("Amount", decimal("an exact amount, in US dollars or, of a budget of tokens, in tokens")),
        ("Usage", usage()),
        ("Group", group()),
        ("Sums", sums()),
        ("Share", share()),
        ("Budgets", listed("budgets", "Budget", true)),
        ("Budget", budget()),
        ("Quotas", quotas()),
        ("Pool", pool()),
        ("Quota", quota()),
        ("ThrottledMinute", throttled_minute()),
        ("Log", log()),
        ("Alerts", listed("alerts", "Alert", false)),
        ("Alert", alert()),
        ("Sources", listed("sources", "Source", false)),
        ("Source", source()),
        ("Spend", spend()),
        ("Month", month()),
        ("Ledger", ledger()),
        ("SubjectSpend", subject_spend()),
        ("Verdict", verdict()),
    ];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// An object; fields whose name ends in `?` may be missing.
fn object(fields: &[(&str, Value)]) -> Value {
    let required: Vec<&str> =
        fields.iter().map(|(name, _)| *name).filter(|name| !name.ends_with('?')).collect();
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, schema)| (name.trim_end_matches('?').to_owned(), schema.clone()))
        .collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn decimal(description: &str) -> Value {
    json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "description": description })
}

fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn float(description: &str) -> Value {
    json!({ "type": "number", "description": description })
}

fn flag(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

/// The same, or null.
fn or_null(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.push(Value::Null);
    }
    schema
}

fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str, description: &str) -> Value {
    let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
    json!({ "type": "string", "enum": names, "description": description })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// An object whose keys are among `keys`.
fn by_name(keys: &[&str], value: &Value, description: &str) -> Value {
    json!({
        "type": "object", "propertyNames": { "enum": keys }, "additionalProperties": value, "description": description,
    })
}

fn listed(field: &str, item: &str, has_time: bool) -> Value {
    let mut fields = vec![(field, list(&reference(item)))];
    if has_time {
        fields.push(("at", time("when this was evaluated")));
    }
    object(&fields)
}

fn problem() -> Value {
    object(&[
        ("title", text("what went wrong, in a word")),
        ("status", json!({ "type": "integer", "minimum": 400, "maximum": 599 })),
        ("detail", text("what to do")),
    ])
}

fn usage() -> Value {
    let doubt = ["early", "late", "between"].map(|name| (name, reference("Share")));
    let rest = object(&[("groups", count("how many")), ("usage", reference("Group"))]);
    let state = object(&[
        ("commit", count("the last commit")),
        ("newest", time("latest event")),
        ("oldest", or_null(time("start of the first row; what was before is not known"))),
    ]);
    object(&[
        ("from", or_null(time("the first instant"))),
        ("to", time("the first instant behind the last one")),
        ("step", or_null(text("the step that was asked for"))),
        ("zone", text("whose days are meant")),
        ("by", list(&text("what usage is told apart by"))),
        ("steps", list(&time("steps in which anything was used"))),
        ("groups", list(&reference("Group"))),
        ("rest", json!({ "anyOf": [rest, { "type": "null" }] })),
        ("total", reference("Group")),
        ("doubt", object(&doubt)),
        ("of", state),
    ])
}

fn group() -> Value {
    let step = object(&[("start", time("its first instant")), ("sums", reference("Sums"))]);
    object(&[
        ("labels", list(&text("values of `by`, in that order"))),
        ("sums", reference("Sums")),
        ("steps?", list(&step)),
    ])
}

fn sums() -> Value {
    let classes = TokenClass::ALL.map(TokenClass::as_str);
    let outcomes: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
    let tokens = |what| by_name(&classes, &count("tokens"), what);
    object(&[
        ("requests", count("calls")),
        ("outcomes?", by_name(&outcomes, &count("calls"), "calls by outcome")),
        ("tokens?", tokens("tokens by class")),
        ("reasoning_tokens?", count("output tokens spent on reasoning")),
        ("unpriced_tokens?", tokens("tokens without a price: their cost is in no amount")),
        ("cost_usd", decimal("cost of the tokens that have a price")),
        ("cost_usd_by_class?", by_name(&classes, &decimal("US dollars"), "the same by class")),
        ("charge_usd?", decimal("what is paid by time, bytes or calls")),
        ("wasted_usd?", decimal("cost of tokens of calls that failed")),
        ("reported_cost_usd?", decimal("what applications claim")),
    ])
}

fn share() -> Value {
    object(&[
        ("requests", count("calls")),
        ("tokens", count("tokens")),
        ("spent_usd", decimal("US dollars")),
    ])
}

fn forecast() -> Value {
    let forecast = ["expected", "low", "high"].map(|name| (name, reference("Amount")));
    json!({ "anyOf": [object(&forecast), { "type": "null" }] })
}

fn period() -> Value {
    object(&[("start", time("its start")), ("end", time("its end"))])
}

fn budget() -> Value {
    let windows = pace::WINDOWS.map(|(window, _)| window);
    object(&[
        ("budget", text("its name")),
        ("value", or_null(text("the value of the label it is divided by"))),
        ("unit", json!({ "type": "string", "enum": ["usd", "tokens"] })),
        ("limit", reference("Amount")),
        ("spent", reference("Amount")),
        ("remaining", reference("Amount")),
        ("used_ratio", float("spent of the limit")),
        ("unpriced_ratio", float("tokens without a price of all tokens")),
        (
            "burn_rates",
            by_name(&windows, &or_null(float("")), "spend against that of an even pace"),
        ),
        ("forecast", forecast()),
        ("exhausted", or_null(time("when it was or will be used up"))),
        ("is_exhausted", flag("whether it is used up")),
        ("period", period()),
    ])
}

fn quotas() -> Value {
    object(&[
        ("at", time("when this was evaluated")),
        ("pools", list(&reference("Pool"))),
        ("logs", list(&reference("Log"))),
    ])
}

fn pool() -> Value {
    object(&[
        ("account", text("AWS account id")),
        ("region", text("region that was called")),
        ("model", text("base model id")),
        ("route", names(Route::ALL, Route::as_str, "how calls reach the model")),
        ("minute", time("the last full minute")),
        ("throttled_requests", count("in that minute, in logs of calls")),
        ("open_requests_peak", count("most calls open at once in it")),
        ("reserved_tokens_peak", count("most that open calls held in it")),
        ("quotas", list(&reference("Quota"))),
        ("throttled_minutes", list(&reference("ThrottledMinute"))),
    ])
}

fn quota() -> Value {
    object(&[
        ("quota", names(&QuotaKind::ALL, QuotaKind::as_str, "what is limited")),
        ("limit", or_null(count("the limit, if one is known"))),
        ("limit_source", or_null(names(LimitSource::ALL, LimitSource::as_str, "who says so"))),
        ("used", count("in the last full minute, or of the day")),
        ("peak", count("the most at once in it")),
        ("headroom_ratio", or_null(float("what is left of the limit"))),
        ("used_growth_per_minute", float("slope of the last ten minutes")),
        ("reached", or_null(time("when the limit is reached at this pace"))),
    ])
}

fn throttled_minute() -> Value {
    let holder = object(&[
        ("principal", text("who")),
        ("reserved_tokens", count("what its open calls held")),
        ("settled_tokens", count("what its calls of a minute settled to")),
        ("requests", count("its calls of a minute")),
    ]);
    object(&[
        ("minute", time("its start")),
        ("throttled_requests", count("in logs of calls")),
        ("throttled_requests_elsewhere", count("that only CloudTrail or CloudWatch tells of")),
        ("reason", names(Reason::ALL, Reason::as_str, "the limit that was reached")),
        ("confidence", names(Confidence::ALL, Confidence::as_str, "how sure that is")),
        ("text", text("the same as a sentence")),
        ("settled_tokens", count("quota tokens of calls that ended in it")),
        ("reserved_tokens_peak", count("most that open calls held")),
        ("taken_tokens_peak", count("most that was held and settled together")),
        ("requests_peak", count("most calls within sixty seconds")),
        ("settled_tokens_of_day", count("quota tokens of the day")),
        ("day_is_of_account", flag("whether those are of all models of the account")),
        ("holders", list(&holder)),
        ("advice", list(&text("what to do"))),
        ("not_known", list(&names(Unknown::ALL, Unknown::as_str, "what is not known"))),
    ])
}

fn log() -> Value {
    let windows = evidence::WINDOWS.map(|(window, _)| window);
    object(&[
        ("window", json!({ "type": "string", "enum": windows })),
        ("model", text("model id")),
        (
            "source",
            names(Source::ALL, Source::as_str, "the log that says so; logs tell of the same calls"),
        ),
        ("requests", count("calls")),
        ("throttled_requests", count("throttled ones")),
        ("retries", count("retries that errors tell of")),
        ("retries_exhausted", count("calls that failed after the last retry")),
        ("retry_amplification_ratio", or_null(float("attempts a call"))),
        ("wasted_cost_usd", decimal("cost of tokens of calls that failed")),
    ])
}

fn alert() -> Value {
    let values = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    object(&[
        ("alert", names(AlertName::ALL, AlertName::as_str, "its name")),
        ("labels", values.clone()),
        ("severity", names(Severity::ALL, Severity::as_str, "how soon to look")),
        ("phase", json!({ "type": "string", "enum": ["pending", "firing"] })),
        ("since", time("when it began")),
        ("fired", or_null(time("when it was told"))),
        ("summary", text("what it is")),
        ("details", list(&text("who, and what to do"))),
        ("values", values),
    ])
}

fn source() -> Value {
    let lines = json!({ "type": "object", "additionalProperties": count("lines"), "description": "by result" });
    object(&[
        ("source", text("its name")),
        ("lines", lines),
        ("bytes", count("bytes that were read")),
        ("lost_bytes", count("bytes that no file holds any more")),
        ("late_records", count("records that came after what is kept")),
        ("backlog_bytes", count("bytes that are there and not read")),
        ("lag_seconds", count("age of the newest record while there is a backlog")),
        ("newest_record", or_null(time("latest event"))),
        ("files", count("files that are followed")),
        ("unreadable_paths", count("paths that can't be read")),
    ])
}

fn spend() -> Value {
    let month = json!({ "anyOf": [reference("Month"), { "type": "null" }] });
    object(&[
        ("at", time("when this was evaluated")),
        ("spend", list(&reference("SubjectSpend"))),
        ("month", month),
    ])
}

fn month() -> Value {
    object(&[
        ("spent", decimal("by everything in this month of UTC, in US dollars")),
        ("forecast", forecast()),
        ("forecast_method", or_null(text("`hour_of_week`, or `pace` while little is known"))),
        ("unpriced_ratio", float("tokens without a price of all tokens")),
        ("period", period()),
    ])
}

fn ledger() -> Value {
    let book = object(&[("version", text("its version")), ("made", or_null(time("when")))]);
    object(&[
        ("created", time("when the ledger was made")),
        ("committed", or_null(time("the last commit since the daemon started"))),
        ("newest_record", or_null(time("latest event"))),
        ("series", count("combinations of labels")),
        ("bytes_on_disk", count("bytes")),
        ("dimensions", list(&text("what usage can be told apart by"))),
        ("price_book", book),
    ])
}

fn subject_spend() -> Value {
    let dimensions = ["total", "account", "model", "principal", "use"];
    object(&[
        (
            "dimension",
            json!({ "type": "string", "enum": dimensions, "description": "these overlap: never add them" }),
        ),
        ("principal", or_null(text("who"))),
        ("model", or_null(text("model id"))),
        ("account", or_null(text("AWS account id"))),
        ("usd_per_hour", decimal("of the last minutes")),
        ("usual_usd_per_hour", or_null(decimal("at this time of the week, if that is known"))),
        ("spike_usd_per_hour", decimal("above which it is a spike")),
    ])
}

fn verdict() -> Value {
    object(&[
        ("allowed", flag("whether the call may go on")),
        ("budget?", text("the budget that says so")),
        ("enforced?", flag("whether it is meant to stop calls")),
        ("known?", flag("whether it is known for sure where it stands")),
        ("doubt?", text("why it is not")),
        ("remaining_usd?", decimal("what is left")),
        ("limit_usd?", decimal("the limit")),
        ("remaining_tokens?", decimal("what is left")),
        ("limit_tokens?", decimal("the limit")),
        ("period_end?", time("when the period ends")),
    ])
}
