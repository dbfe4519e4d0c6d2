//! Quotas as a table and sentences. It prints the same JSON that a running daemon answers with.

use serde_json::Value;

use crate::cli::table::{self, Align, grouped, printable};

/// Columns of the table: their heads, and where their text stands.
const HEADER: [(&str, Align); 8] = [
    ("MODEL", Align::Left),
    ("ROUTE", Align::Left),
    ("ACCOUNT", Align::Left),
    ("REGION", Align::Left),
    ("TOKENS A MINUTE", Align::Right),
    ("TOKENS A DAY", Align::Right),
    ("REQUESTS A MINUTE", Align::Right),
    ("LIMITS FROM", Align::Left),
];

/// Returns the page for a person.
pub(super) fn page(value: &Value) -> String {
    let mut pools: Vec<&Value> = list(value, "pools").iter().collect();
    if pools.is_empty() {
        return "no calls that take from a quota are known, neither of today nor of the last minutes\n".to_owned();
    }
    pools.sort_by(|a, b| headroom(a).total_cmp(&headroom(b)));
    let rows: Vec<Vec<String>> = pools.iter().map(|pool| row(pool)).collect();
    let at = text(value, "at");
    let mut page = format!(
        "quotas at {at}: the most that was taken at once in the last full minute, reservations included, or in \
         the day so far (UTC)\n\n"
    );
    page.push_str(&table::table(&HEADER, &rows, 0));
    for pool in pools {
        page.push_str(&throttles(pool));
    }
    page.push_str(&logs(value));
    page
}

/// Returns what each log says of throttled calls in the last hour. Logs tell of the same calls, so there is no sum.
fn logs(value: &Value) -> String {
    let hour = list(value, "logs").iter().filter(|log| text(log, "window") == "1h");
    let rows: Vec<Vec<String>> = hour.map(log_row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = [
        ("MODEL", Align::Left),
        ("SAYS", Align::Left),
        ("CALLS", Align::Right),
        ("THROTTLED", Align::Right),
        ("RETRIES", Align::Right),
        ("GAVE UP", Align::Right),
        ("ATTEMPTS A CALL", Align::Right),
        ("WASTED USD", Align::Right),
    ];
    format!("\nthe last hour, by the log that says so\n\n{}", table::table(&header, &rows, 0))
}

fn log_row(log: &Value) -> Vec<String> {
    let number = |key: &str| grouped(log.get(key).and_then(Value::as_u64).unwrap_or(0));
    let attempts = log.get("retry_amplification_ratio").and_then(Value::as_f64);
    let attempts = attempts.map_or_else(String::new, |attempts| format!("{attempts:.2}"));
    vec![
        text(log, "model"),
        text(log, "source").replace('_', " "),
        number("requests"),
        number("throttled_requests"),
        number("retries"),
        number("retries_exhausted"),
        attempts,
        text(log, "wasted_cost_usd"),
    ]
}

/// Returns the smallest part that any limit of a pool leaves.
fn headroom(pool: &Value) -> f64 {
    let ratios =
        list(pool, "quotas").iter().filter_map(|quota| quota.get("headroom_ratio")?.as_f64());
    ratios.fold(1.0, f64::min)
}

fn row(pool: &Value) -> Vec<String> {
    let quotas = list(pool, "quotas");
    let mut sources: Vec<String> = quotas
        .iter()
        .map(|quota| text(quota, "limit_source"))
        .filter(|name| !name.is_empty())
        .collect();
    sources.dedup();
    let labels = ["model", "route", "account", "region"].map(|key| text(pool, key));
    let cells = ["tokens_per_minute", "tokens_per_day", "requests_per_minute"].map(|kind| {
        let quota = quotas.iter().find(|quota| text(quota, "quota") == kind);
        quota.map_or_else(String::new, cell)
    });
    labels.into_iter().chain(cells).chain([sources.join(", ").replace('_', " ")]).collect()
}

#[expect(clippy::float_arithmetic, reason = "a share, for a person to read")]
fn cell(quota: &Value) -> String {
    let number = |key: &str| quota.get(key).and_then(Value::as_u64);
    let peak = grouped(number("peak").unwrap_or(0));
    let Some(limit) = number("limit") else { return peak };
    let headroom = quota.get("headroom_ratio").and_then(Value::as_f64).unwrap_or(0.0);
    let reached = text(quota, "reached");
    let reached = if reached.is_empty() { reached } else { format!(", reached {reached}") };
    format!("{peak} of {} ({:.0} %{reached})", grouped(limit), (1.0 - headroom) * 100.0)
}

fn throttles(pool: &Value) -> String {
    let minutes = list(pool, "throttled_minutes");
    if minutes.is_empty() {
        return String::new();
    }
    let mut page = format!(
        "\n{} ({}, {}, {}): throttled\n",
        printable(&text(pool, "model")),
        text(pool, "route"),
        printable(&text(pool, "account")),
        printable(&text(pool, "region"))
    );
    for minute in minutes {
        let number = |key: &str| minute.get(key).and_then(Value::as_u64).unwrap_or(0);
        let calls = number("throttled_requests") + number("throttled_requests_elsewhere");
        let calls_text =
            if calls == 1 { "1 call".to_owned() } else { format!("{} calls", grouped(calls)) };
        page.push_str(&format!(
            "  {}  {calls_text}: {}\n",
            text(minute, "minute"),
            text(minute, "text")
        ));
        for holder in list(minute, "holders") {
            let number = |key: &str| grouped(holder.get(key).and_then(Value::as_u64).unwrap_or(0));
            page.push_str(&format!(
                "    {}: {} tokens reserved, {} settled, {} calls within a minute\n",
                printable(&text(holder, "principal")),
                number("reserved_tokens"),
                number("settled_tokens"),
                number("requests")
            ));
        }
        for advice in list(minute, "advice") {
            page.push_str(&format!("    -> {}\n", printable(advice.as_str().unwrap_or_default())));
        }
    }
    page
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
