//! The records found as a table, as JSON and as CSV, and what they do not say.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::matches::{Cost, Found, Matches};
use crate::cli::failure::Failure;
use crate::cli::table::{self, Align, csv_line, dollars, grouped, printable};
use crate::model::money::Usd;
use crate::model::names::{LineResult, Outcome};
use crate::model::series::UNKNOWN;
use crate::model::tokens::{TokenClass, TokenCounts};

/// What stands where no price is known at all.
const UNPRICED: &str = "unpriced";

pub(super) fn table(matches: &Matches, names: &[String]) -> String {
    if matches.total == 0 {
        return String::new();
    }
    let left = ["TIME", "KIND", "MODEL", "PRINCIPAL", "OUTCOME"].map(|name| (name, Align::Left));
    let right = ["INPUT", "CACHE READ", "CACHE WRITE", "OUTPUT", "COST USD", "UNPRICED"]
        .map(|name| (name, Align::Right));
    let ends = [("REQUEST ID", Align::Left), ("FILE", Align::Left), ("OFFSET", Align::Right)];
    let header: Vec<(&str, Align)> = left.into_iter().chain(right).chain(ends).collect();
    let rows: Vec<Vec<String>> = matches.shown().map(|found| row(found, names)).collect();
    let mut text = table::table(&header, &rows, 0);
    for found in matches.shown() {
        if let Some(body) = &found.body {
            let (file, offset) = (name(found, names), found.offset);
            let (file, body) = (printable(file), printable(body));
            text.push_str(&format!("\n{file}@{offset}:\n{body}\n"));
        }
    }
    text
}

/// Returns what to do about each outcome that was found; JSON and CSV say it with each record.
pub(super) fn hints(matches: &Matches) -> String {
    let hinted = matches.shown().filter_map(|found| Some((outcome(found), found.hint?)));
    let hints: BTreeSet<(&str, &str)> = hinted.collect();
    hints.iter().fold(String::new(), |text, (outcome, hint)| format!("{text}{outcome}: {hint}\n"))
}

fn row(found: &Found, names: &[String]) -> Vec<String> {
    let mut cells = vec![
        time(found),
        found.kind.as_str().to_owned(),
        found.model.clone(),
        found.principal.clone(),
        outcome(found).to_owned(),
    ];
    match &found.cost {
        None => cells.extend(["-"; 6].map(str::to_owned)),
        Some(cost) => {
            let token = |class| cost.tokens.get(class);
            let cache_write = token(TokenClass::CacheWrite5m)
                + token(TokenClass::CacheWrite1h)
                + token(TokenClass::CacheWriteUnknownTtl);
            cells.extend([
                grouped(token(TokenClass::Input)),
                grouped(token(TokenClass::CacheRead)),
                grouped(cache_write),
                grouped(token(TokenClass::Output)),
                cost.shown(dollars),
                grouped(cost.charge.unpriced.total()),
            ]);
        }
    }
    cells.extend([
        found.request_id.clone().unwrap_or_else(|| "-".to_owned()),
        name(found, names).to_owned(),
        found.offset.to_string(),
    ]);
    cells
}

pub(super) fn json(matches: &Matches, names: &[String]) -> Result<String, Failure> {
    let by_class = |tokens: &TokenCounts, zeros: bool| -> Map<String, Value> {
        let shown = tokens.iter().filter(|&(_, tokens)| zeros || tokens > 0);
        shown.map(|(class, tokens)| (class.as_str().to_owned(), json!(tokens))).collect()
    };
    let items: Vec<Value> = matches
        .shown()
        .map(|found| {
            let mut item = json!({
                "file": name(found, names),
                "offset": found.offset,
                "time": time(found),
                "kind": found.kind.as_str(),
                "model": found.model,
                "model_id": found.model_id,
                "principal": found.principal,
                "outcome": outcome(found),
                "hint": found.hint,
                "request_id": found.request_id,
            });
            if let (Some(cost), Some(item)) = (&found.cost, item.as_object_mut()) {
                item.extend([
                    ("tokens".to_owned(), json!(by_class(&cost.tokens, true))),
                    ("cost_usd".to_owned(), json!(cost.shown(|usd| usd.to_string()))),
                    (
                        "reported_cost_usd".to_owned(),
                        json!(cost.reported.map(|usd| usd.to_string())),
                    ),
                    ("unpriced_tokens".to_owned(), json!(by_class(&cost.charge.unpriced, false))),
                ]);
            }
            item
        })
        .collect();
    Ok(serde_json::to_string_pretty(&items)? + "\n")
}

pub(super) fn csv(matches: &Matches, names: &[String]) -> String {
    let mut header: Vec<String> =
        ["file", "offset", "time", "kind", "model", "model_id", "principal", "outcome"]
            .map(str::to_owned)
            .into();
    header.extend(TokenClass::ALL.map(|class| format!("tokens_{}", class.as_str())));
    header.extend(["cost_usd", "reported_cost_usd"].map(str::to_owned));
    header.extend(TokenClass::ALL.map(|class| format!("unpriced_tokens_{}", class.as_str())));
    header.extend(["request_id", "hint"].map(str::to_owned));
    let mut text = csv_line(&header);
    for found in matches.shown() {
        let mut cells = vec![
            name(found, names).to_owned(),
            found.offset.to_string(),
            time(found),
            found.kind.as_str().to_owned(),
            found.model.clone(),
            found.model_id.clone(),
            found.principal.clone(),
            outcome(found).to_owned(),
        ];
        match &found.cost {
            None => cells.extend(vec![String::new(); 2 * TokenClass::ALL.len() + 2]),
            Some(cost) => {
                cells.extend(cost.tokens.0.map(|tokens| tokens.to_string()));
                cells.push(cost.shown(|usd| usd.to_string()));
                cells.push(cost.reported.map_or_else(String::new, |usd| usd.to_string()));
                cells.extend(cost.charge.unpriced.0.map(|tokens| tokens.to_string()));
            }
        }
        cells.push(found.request_id.clone().unwrap_or_default());
        cells.push(found.hint.unwrap_or_default().to_owned());
        text.push_str(&csv_line(&cells));
    }
    text
}

/// What the records found do not say.
pub(super) fn remarks(matches: &Matches) -> String {
    let mut text = String::new();
    let shown = matches.shown().len() as u64;
    if matches.total > shown {
        let (shown, total) = (grouped(shown), grouped(matches.total));
        text.push_str(&format!("{shown} of {total} matching records shown; see `--limit`\n"));
    }
    if matches.cost_unknown > 0 {
        let count = grouped(matches.cost_unknown);
        text.push_str(&format!(
            "{count} more records may cost that much: they have tokens without a price\n"
        ));
    }
    for ((_, result), count) in matches.rejected.iter() {
        if let LineResult::Rejected(reject) = result {
            let (count, reason) = (grouped(count), reject.as_str());
            text.push_str(&format!("{count} lines not understood, so not searched: {reason}\n"));
        }
    }
    text
}

impl Cost {
    /// Returns the dollars; of a call without any priced token the word that says so.
    fn shown(&self, written: impl FnOnce(Usd) -> String) -> String {
        let usd = self.charge.total();
        if usd == Usd::ZERO && self.charge.unpriced.total() > 0 {
            return UNPRICED.to_owned();
        }
        written(usd)
    }
}

fn time(found: &Found) -> String {
    let precise =
        |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    found.at.to_chrono().map_or_else(|| found.at.second_text(), precise)
}

fn name<'n>(found: &Found, names: &'n [String]) -> &'n str {
    names.get(found.input).map_or("", String::as_str)
}

fn outcome(found: &Found) -> &'static str {
    found.outcome.map_or(UNKNOWN, Outcome::as_str)
}
