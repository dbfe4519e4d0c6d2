//! The result of a scan as a table, as JSON and as CSV.

use serde_json::{Map, Value, json};

use super::group::{By, Groups, LineCounts, Tally};
use crate::cli::failure::Failure;
use crate::cli::table::{self, Align, csv_line, dollars, grouped};
use crate::ledger::amounts::Amounts;
use crate::model::money::Usd;
use crate::model::names::Outcome;
use crate::model::tokens::{TokenClass, TokenCounts};

pub(super) fn table(by: &[By], groups: &Groups, tally: &Tally) -> String {
    let names: Vec<String> = by.iter().map(|key| key.name().to_uppercase()).collect();
    let mut header: Vec<(&str, Align)> = names.iter().map(|n| (n.as_str(), Align::Left)).collect();
    let columns = [
        "REQUESTS",
        "THROTTLED",
        "ERRORS",
        "INPUT",
        "CACHE READ",
        "CACHE WRITE",
        "OUTPUT",
        "COST USD",
        "REPORTED USD",
        "UNPRICED",
    ];
    header.extend(columns.map(|name| (name, Align::Right)));
    // The dearest first: that is what one looks for.
    let mut rows: Vec<(&Vec<String>, &Amounts)> = groups.rows.iter().collect();
    if !by.iter().any(|key| matches!(key, By::Minute | By::Hour | By::Day)) {
        rows.sort_by_key(|(_, amounts)| std::cmp::Reverse(cost(amounts)));
    }
    let total = groups.total();
    let mut lines: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(values, amounts)| values.iter().cloned().chain(cells(amounts)).collect())
        .collect();
    let label = std::iter::once("total".to_owned()).chain(std::iter::repeat(String::new()));
    lines.push(label.take(by.len()).chain(cells(&total)).collect());
    let mut text = table::table(&header, &lines, 1);
    text.push_str(&remarks(groups, tally, &total));
    text
}

fn cells(amounts: &Amounts) -> impl Iterator<Item = String> {
    let row = amounts.row();
    let requests = row.outcomes.total();
    let throttled = row.outcomes.get(Outcome::Throttled);
    let errors = requests - throttled - row.outcomes.get(Outcome::Ok);
    let token = |class| row.tokens.get(class);
    let cache_write = token(TokenClass::CacheWrite5m)
        + token(TokenClass::CacheWrite1h)
        + token(TokenClass::CacheWriteUnknownTtl);
    let counts = [
        requests,
        throttled,
        errors,
        token(TokenClass::Input),
        token(TokenClass::CacheRead),
        cache_write,
        token(TokenClass::Output),
    ];
    let nothing_priced = cost(amounts) == Usd::ZERO && row.unpriced.total() > 0;
    let computed = if nothing_priced { "unpriced".to_owned() } else { dollars(cost(amounts)) };
    let money = [computed, dollars(amounts.reported_cost)];
    let unpriced = grouped(row.unpriced.total());
    counts.map(grouped).into_iter().chain(money).chain([unpriced])
}

/// What the numbers above do not say.
fn remarks(groups: &Groups, tally: &Tally, total: &Amounts) -> String {
    let LineCounts { read, rejected, duplicate, corroborated } = groups.line_counts(tally);
    let mut text = format!("\n{} lines read", grouped(read));
    for (reject, count) in rejected.iter() {
        text.push_str(&format!(", {} {}", grouped(count), reject.as_str()));
    }
    if duplicate > 0 {
        text.push_str(&format!(", {} duplicate", grouped(duplicate)));
    }
    if corroborated > 0 {
        let count = grouped(corroborated);
        text.push_str(&format!(", {count} of calls that another log told of"));
    }
    text.push('\n');
    for (kind, count) in groups.signals() {
        let (kind, count) = (kind.as_str(), grouped(count));
        text.push_str(&format!("{count} {kind} records are no calls: see `find` and `run`\n"));
    }
    for ((class, reason), tokens) in total.unpriced.iter() {
        let (tokens, class, reason) = (grouped(tokens), class.as_str(), reason.as_str());
        text.push_str(&format!(
            "{tokens} {class} tokens have no price ({reason}): not in COST USD\n"
        ));
    }
    for (approximation, calls) in total.approximated.iter() {
        text.push_str(&format!(
            "{} calls approximated: {}\n",
            grouped(calls),
            approximation.as_str()
        ));
    }
    text
}

pub(super) fn json(by: &[By], groups: &Groups, tally: &Tally) -> Result<String, Failure> {
    let mut items: Vec<Value> = groups
        .rows
        .iter()
        .map(|(values, amounts)| {
            let mut object: Map<String, Value> = Map::new();
            for (key, value) in by.iter().zip(values) {
                object.insert(key.name().to_owned(), json!(value));
            }
            object.extend(amounts_object(amounts));
            Value::Object(object)
        })
        .collect();
    let LineCounts { read, rejected, duplicate, corroborated } = groups.line_counts(tally);
    let mut total: Map<String, Value> = Map::new();
    total.insert("total".to_owned(), json!(true));
    total.extend(amounts_object(&groups.total()));
    let rejected: Map<String, Value> =
        rejected.iter().map(|(reject, count)| (reject.as_str().to_owned(), json!(count))).collect();
    total.insert("lines_read".to_owned(), json!(read));
    total.insert("lines_rejected".to_owned(), Value::Object(rejected));
    total.insert("lines_duplicate".to_owned(), json!(duplicate));
    total.insert("lines_corroborated".to_owned(), json!(corroborated));
    items.push(Value::Object(total));
    let mut text = serde_json::to_string_pretty(&items)?;
    text.push('\n');
    Ok(text)
}

fn amounts_object(amounts: &Amounts) -> Map<String, Value> {
    let row = amounts.row();
    let outcomes: Map<String, Value> = row
        .outcomes
        .iter()
        .map(|(outcome, count)| (outcome.as_str().to_owned(), json!(count)))
        .collect();
    let by_class = |tokens: &TokenCounts, zeros: bool| -> Map<String, Value> {
        let shown = tokens.iter().filter(|&(_, tokens)| zeros || tokens > 0);
        shown.map(|(class, tokens)| (class.as_str().to_owned(), json!(tokens))).collect()
    };
    let mut object = Map::new();
    object.insert("requests".to_owned(), json!(row.outcomes.total()));
    object.insert("outcomes".to_owned(), Value::Object(outcomes));
    object.insert("tokens".to_owned(), Value::Object(by_class(&row.tokens, true)));
    object.insert("cost_usd".to_owned(), json!(cost(amounts).to_string()));
    object.insert("reported_cost_usd".to_owned(), json!(row.reported_cost.to_string()));
    object.insert("unpriced_tokens".to_owned(), Value::Object(by_class(&row.unpriced, false)));
    object
}

pub(super) fn csv(by: &[By], groups: &Groups, tally: &Tally) -> String {
    let mut names: Vec<String> = by.iter().map(|key| key.name().to_owned()).collect();
    names.extend(["total", "requests"].map(str::to_owned));
    names.extend(Outcome::ALL.iter().map(|outcome| format!("outcomes_{}", outcome.as_str())));
    names.extend(TokenClass::ALL.map(|class| format!("tokens_{}", class.as_str())));
    names.extend(["cost_usd", "reported_cost_usd"].map(str::to_owned));
    names.extend(TokenClass::ALL.map(|class| format!("unpriced_tokens_{}", class.as_str())));
    names.extend(
        ["lines_read", "lines_rejected", "lines_duplicate", "lines_corroborated"]
            .map(str::to_owned),
    );
    let mut text = csv_line(&names);
    for (values, amounts) in &groups.rows {
        let mut cells = values.clone();
        cells.push("false".to_owned());
        cells.extend(csv_amounts(amounts));
        cells.extend([String::new(), String::new(), String::new()]);
        text.push_str(&csv_line(&cells));
    }
    let LineCounts { read, rejected, duplicate, corroborated } = groups.line_counts(tally);
    let mut cells = vec![String::new(); by.len()];
    cells.push("true".to_owned());
    cells.extend(csv_amounts(&groups.total()));
    cells.extend([read, rejected.total(), duplicate, corroborated].map(|count| count.to_string()));
    text.push_str(&csv_line(&cells));
    text
}

fn csv_amounts(amounts: &Amounts) -> Vec<String> {
    let row = amounts.row();
    let mut cells = vec![row.outcomes.total().to_string()];
    cells.extend(Outcome::ALL.iter().map(|outcome| row.outcomes.get(*outcome).to_string()));
    cells.extend(row.tokens.0.map(|tokens| tokens.to_string()));
    cells.extend([cost(amounts), row.reported_cost].map(|usd| usd.to_string()));
    cells.extend(row.unpriced.0.map(|tokens| tokens.to_string()));
    cells
}

fn cost(amounts: &Amounts) -> Usd {
    amounts.cost.0.iter().copied().sum()
}
