//! A report as cells, before it is known what they are written to. Cells hold text of logs as it is.

use std::collections::HashMap;

use crate::cli::table::{Align, dollars, grouped};
use crate::model::money::Usd;
use crate::model::tokens::TokenClass;
use crate::query::{Answer, Group, Sums, instant};

/// A report for people.
pub(super) struct Sheet {
    /// What it is about.
    pub(super) title: String,
    pub(super) columns: Vec<(String, Align)>,
    pub(super) lines: Vec<Line>,
    pub(super) total: Line,
    /// What the numbers do not say.
    pub(super) remarks: Vec<String>,
}

/// A line of a report.
pub(super) struct Line {
    pub(super) cells: Vec<String>,
    /// The share of all that is spent, in parts of a thousand; nothing where nothing was spent.
    pub(super) share: Option<u64>,
}

/// Which columns there are beside those that are always there.
#[expect(clippy::struct_excessive_bools, reason = "one for each column")]
struct Shape {
    step: bool,
    charge: bool,
    unpriced: bool,
    before: bool,
}

impl Sheet {
    /// Returns the report of an answer, against another one if that is wanted. `is_cut` tells whether only some
    /// groups are told one by one.
    pub(super) fn new(answer: &Answer, before: Option<&Answer>, is_cut: bool) -> Self {
        let total = &answer.total.sums;
        let shape = Shape {
            step: answer.step.is_some(),
            charge: total.charge != Usd::ZERO,
            unpriced: total.unpriced.total() > 0,
            before: before.is_some(),
        };
        let mut told: Vec<Told<'_>> = answer
            .groups
            .iter()
            .map(|group| Told { labels: group.labels.clone(), usage: Some(group), before: None })
            .collect();
        let rest_labels = |count: usize| {
            let name = format!("{count} other{}", if count == 1 { "" } else { "s" });
            labels_of(&name, answer.by.len())
        };
        let mut rest = answer.rest.as_ref().map(|rest| Told {
            labels: rest_labels(rest.groups),
            usage: Some(&rest.usage),
            before: None,
        });
        if let Some(before) = before {
            compare(&mut told, &mut rest, before, is_cut, answer);
        }
        let spent = total.spent();
        let lines = told.iter().chain(&rest).flat_map(|told| told.lines(&shape, spent));
        let mut lines: Vec<(String, Line)> = lines.collect();
        // A stable sort: in a step the dearest groups of the whole time come first.
        lines.sort_by(|(a, _), (b, _)| a.cmp(b));
        let total_before = before.map(|before| before.total.sums.spent());
        let all = Told {
            labels: labels_of("total", answer.by.len() + usize::from(shape.step)),
            usage: None,
            before: total_before,
        };
        Self {
            title: title(answer, before),
            columns: columns(answer, &shape),
            lines: lines.into_iter().map(|(_, line)| line).collect(),
            total: all.line(None, total, &shape, spent),
            remarks: remarks(answer, before),
        }
    }
}

/// A group that is told, with what it was before.
struct Told<'a> {
    labels: Vec<String>,
    /// Nothing where there was only something before.
    usage: Option<&'a Group>,
    before: Option<Usd>,
}

/// Returns labels of which only the first says something; none if nothing is told apart.
fn labels_of(name: &str, count: usize) -> Vec<String> {
    let rest = std::iter::repeat_n(String::new(), count.saturating_sub(1));
    if count == 0 { Vec::new() } else { std::iter::once(name.to_owned()).chain(rest).collect() }
}

/// Adds what was spent before to what is told, and what is spent no more.
fn compare<'a>(
    told: &mut Vec<Told<'a>>,
    rest: &mut Option<Told<'a>>,
    before: &Answer,
    is_cut: bool,
    answer: &Answer,
) {
    let mut left: HashMap<&Vec<String>, Usd> =
        before.groups.iter().map(|group| (&group.labels, group.sums.spent())).collect();
    for told in told.iter_mut() {
        told.before = Some(left.remove(&told.labels).unwrap_or(Usd::ZERO));
    }
    if !is_cut {
        let gone = before.groups.iter().filter(|group| left.contains_key(&group.labels));
        told.extend(gone.map(|group| Told {
            labels: group.labels.clone(),
            usage: None,
            before: Some(group.sums.spent()),
        }));
        return;
    }
    let spent_before: Usd = left.values().copied().sum();
    match rest {
        Some(rest) => rest.before = Some(spent_before),
        None if left.is_empty() => {}
        None => {
            let labels = labels_of("others, before", answer.by.len());
            *rest = Some(Told { labels, usage: None, before: Some(spent_before) });
        }
    }
}

impl Told<'_> {
    /// Returns the lines with the steps that they are of.
    fn lines(&self, shape: &Shape, spent: Usd) -> Vec<(String, Line)> {
        let nothing = Sums::default();
        if !shape.step {
            let sums = self.usage.map_or(&nothing, |usage| &usage.sums);
            return vec![(String::new(), self.line(None, sums, shape, spent))];
        }
        let steps = self.usage.map_or(&[][..], |usage| &usage.steps);
        steps
            .iter()
            .map(|step| {
                let start = instant::text(step.start);
                let line = self.line(Some(&start), &step.sums, shape, spent);
                (start, line)
            })
            .collect()
    }

    fn line(&self, step: Option<&str>, sums: &Sums, shape: &Shape, spent: Usd) -> Line {
        let token = |class| sums.tokens.get(class);
        let cache_write = token(TokenClass::CacheWrite5m)
            + token(TokenClass::CacheWrite1h)
            + token(TokenClass::CacheWriteUnknownTtl);
        let counts = [
            sums.requests(),
            token(TokenClass::Input),
            token(TokenClass::CacheRead),
            cache_write,
            token(TokenClass::Output),
        ];
        let mut cells: Vec<String> = step.map(str::to_owned).into_iter().collect();
        cells.extend(self.labels.iter().cloned());
        cells.extend(counts.map(grouped));
        if shape.unpriced {
            cells.push(grouped(sums.unpriced.total()));
        }
        if shape.charge {
            cells.push(dollars(sums.charge));
        }
        let nothing_priced = sums.spent() == Usd::ZERO && sums.unpriced.total() > 0;
        cells.push(if nothing_priced { "unpriced".to_owned() } else { dollars(sums.spent()) });
        if shape.before {
            let before = self.before.unwrap_or(Usd::ZERO);
            cells.push(dollars(before));
            cells.push(change(before, sums.spent()));
        }
        Line { cells, share: share(sums.spent(), spent) }
    }
}

fn columns(answer: &Answer, shape: &Shape) -> Vec<(String, Align)> {
    let mut columns = Vec::new();
    if shape.step {
        columns.push(("FROM".to_owned(), Align::Left));
    }
    columns.extend(answer.by.iter().map(|name| (name.to_uppercase(), Align::Left)));
    let numbers = [
        ("REQUESTS", true),
        ("INPUT", true),
        ("CACHE READ", true),
        ("CACHE WRITE", true),
        ("OUTPUT", true),
        ("UNPRICED", shape.unpriced),
        ("OTHER USD", shape.charge),
        ("SPENT USD", true),
        ("BEFORE USD", shape.before),
        ("CHANGE", shape.before),
    ];
    let shown = numbers.into_iter().filter(|(_, is_shown)| *is_shown);
    columns.extend(shown.map(|(name, _)| (name.to_owned(), Align::Right)));
    columns
}

fn title(answer: &Answer, before: Option<&Answer>) -> String {
    let range = |answer: &Answer| match answer.from {
        None => format!("until {}", instant::text(answer.to)),
        Some(from) => format!("from {} until {}", instant::text(from), instant::text(answer.to)),
    };
    let mut title = match answer.from {
        None if answer.to > answer.of.newest => "All usage".to_owned(),
        _ => format!("Usage {}", range(answer)),
    };
    if let Some(before) = before {
        title.push_str(&format!(", against that {}", range(before)));
    }
    title
}

fn remarks(answer: &Answer, before: Option<&Answer>) -> Vec<String> {
    let mut remarks = answer.remarks();
    let of_before = before.map(Answer::remarks).unwrap_or_default();
    remarks.extend(of_before.into_iter().map(|remark| format!("before: {remark}")));
    if answer.groups.is_empty() {
        let newest = instant::text(answer.of.newest);
        remarks.push(format!("nothing was used; the newest call of the ledger is of {newest}"));
    }
    remarks
}

/// Returns the part of `of` that `amount` is, in parts of a thousand, rounded.
fn share(amount: Usd, of: Usd) -> Option<u64> {
    let part = (amount.0 * 2_000 + of.0).checked_div(of.0 * 2)?;
    u64::try_from(part).ok()
}

/// Returns the change in percent, rounded toward zero.
fn change(before: Usd, now: Usd) -> String {
    let difference = now.0 - before.0;
    let Some(permille) = (difference * 1_000).checked_div(before.0) else {
        return if difference == 0 { String::new() } else { "new".to_owned() };
    };
    let sign = if difference < 0 { "-" } else { "+" };
    let permille = permille.unsigned_abs();
    format!("{sign}{}.{}%", grouped(permille / 10), permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_percents_with_a_sign() {
        for (before, now, text) in [
            (100, 150, "+50.0%"),
            (300, 200, "-33.3%"),
            (100, 0, "-100.0%"),
            (0, 5, "new"),
            (0, 0, ""),
            (1, 12_345, "+1,234,400.0%"),
        ] {
            assert_eq!(change(Usd(before), Usd(now)), text, "{before} {now}");
        }
    }

    #[test]
    fn shares_are_rounded_and_none_where_nothing_was_spent() {
        assert_eq!(share(Usd(1), Usd(3)), Some(333));
        assert_eq!(share(Usd(2), Usd(3)), Some(667));
        assert_eq!(share(Usd(0), Usd(0)), None);
    }
}
