//! A report for programs: a line for each group and step, every amount exact.

use std::collections::HashMap;

use crate::cli::table::csv_line;
use crate::model::names::Outcome;
use crate::model::tokens::TokenClass;
use crate::query::{Answer, Group, Sums, instant};

/// The label of what is not told one by one.
const REST: &str = "(others)";

pub(super) fn page(answer: &Answer, before: Option<&Answer>) -> String {
    let mut text = csv_line(&header(answer, before.is_some()));
    let spent_before: Option<HashMap<&Vec<String>, &Sums>> = before
        .map(|before| before.groups.iter().map(|group| (&group.labels, &group.sums)).collect());
    for group in answer.all() {
        let labels = if group.labels.len() == answer.by.len() {
            group.labels.clone()
        } else {
            answer.by.iter().map(|_| REST.to_owned()).collect()
        };
        let earlier = spent_before.as_ref().map(|known| known.get(&group.labels).copied());
        for (start, sums) in parts(answer, group) {
            let mut cells: Vec<String> = start.into_iter().collect();
            cells.extend(labels.iter().cloned());
            cells.extend(amounts(sums));
            if let Some(earlier) = earlier {
                cells.push(earlier.map_or_else(|| "0".to_owned(), |sums| sums.spent().to_string()));
            }
            text.push_str(&csv_line(&cells));
        }
    }
    let told: std::collections::HashSet<&Vec<String>> =
        answer.groups.iter().map(|group| &group.labels).collect();
    let gone = before.map_or(&[][..], |before| &before.groups);
    for group in gone.iter().filter(|group| !told.contains(&group.labels)) {
        let mut cells = group.labels.clone();
        cells.extend(amounts(&Sums::default()));
        cells.push(group.sums.spent().to_string());
        text.push_str(&csv_line(&cells));
    }
    text
}

fn parts<'g>(answer: &Answer, group: &'g Group) -> Vec<(Option<String>, &'g Sums)> {
    if answer.step.is_none() {
        return vec![(None, &group.sums)];
    }
    group.steps.iter().map(|step| (Some(instant::text(step.start)), &step.sums)).collect()
}

fn header(answer: &Answer, has_before: bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if answer.step.is_some() {
        names.push("from".to_owned());
    }
    names.extend(answer.by.iter().cloned());
    names.push("requests".to_owned());
    names.extend(Outcome::ALL.iter().map(|outcome| format!("requests_{}", outcome.as_str())));
    names.extend(TokenClass::ALL.map(|class| format!("{}_tokens", class.as_str())));
    names.extend(["reasoning_tokens", "unpriced_tokens"].map(str::to_owned));
    names.extend(TokenClass::ALL.map(|class| format!("{}_cost_usd", class.as_str())));
    let totals = ["cost_usd", "charge_usd", "spent_usd", "wasted_usd", "reported_cost_usd"];
    names.extend(totals.map(str::to_owned));
    if has_before {
        names.push("previous_spent_usd".to_owned());
    }
    names
}

fn amounts(sums: &Sums) -> Vec<String> {
    let mut cells = vec![sums.requests().to_string()];
    cells.extend(Outcome::ALL.iter().map(|outcome| sums.outcomes.get(*outcome).to_string()));
    cells.extend(sums.tokens.0.iter().map(u64::to_string));
    cells.push(sums.reasoning_tokens.to_string());
    cells.push(sums.unpriced.total().to_string());
    cells.extend(sums.cost.0.iter().map(ToString::to_string));
    let totals = [sums.token_cost(), sums.charge, sums.spent(), sums.wasted, sums.reported];
    cells.extend(totals.iter().map(ToString::to_string));
    cells
}
