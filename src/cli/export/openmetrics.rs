//! `tollkeeper export openmetrics`: history with timestamps, which `promtool tsdb create-blocks-from openmetrics`
//! makes blocks of.
//!
//! Families and labels are those of `/metrics` (`docs` of `metrics::names`); counters begin at 0 at the first
//! instant. A series has its samples together and in order of time, as the format wants it.

use std::collections::BTreeMap;
use std::io::Write;

use super::super::args::OpenMetricsArgs;
use super::super::ask::Source;
use super::super::failure::Failure;
use super::super::report::parameters;
use super::pieces::Pieces;
use crate::budget::zone::Zone;
use crate::config::label_name;
use crate::model::money::Usd;
use crate::model::names::Outcome;
use crate::model::time::UnixMillis;
use crate::query::question::EVERYTHING;
use crate::query::{Answer, Step, Sums};

/// A family: its name without `_total`, what it tells, the label that its samples differ in, and its values.
struct Family {
    name: &'static str,
    help: &'static str,
    label: Option<&'static str>,
    values: fn(&Sums) -> Vec<(&'static str, i128)>,
    /// Whether values are picodollars.
    is_money: bool,
}

const FAMILIES: &[Family] = &[
    Family {
        name: "tollkeeper_requests",
        help: "Calls by how they ended.",
        label: Some("outcome"),
        values: |sums| {
            let counts = Outcome::ALL.iter().map(|outcome| (*outcome, sums.outcomes.get(*outcome)));
            counts.map(|(outcome, count)| (outcome.as_str(), i128::from(count))).collect()
        },
        is_money: false,
    },
    Family {
        name: "tollkeeper_tokens",
        help: "Tokens by class. The classes are a partition.",
        label: Some("token_class"),
        values: |sums| {
            sums.tokens.iter().map(|(class, count)| (class.as_str(), i128::from(count))).collect()
        },
        is_money: false,
    },
    Family {
        name: "tollkeeper_unpriced_tokens",
        help: "Tokens without a price by class, which are in no cost.",
        label: Some("token_class"),
        values: |sums| {
            sums.unpriced.iter().map(|(class, count)| (class.as_str(), i128::from(count))).collect()
        },
        is_money: false,
    },
    Family {
        name: "tollkeeper_cost_usd",
        help: "Cost of the tokens that have a price, by class.",
        label: Some("token_class"),
        values: |sums| sums.cost.iter().map(|(class, cost)| (class.as_str(), cost.0)).collect(),
        is_money: true,
    },
    Family {
        name: "tollkeeper_wasted_cost_usd",
        help: "Cost of the tokens of calls that failed.",
        label: None,
        values: |sums| vec![("", sums.wasted.0)],
        is_money: true,
    },
    Family {
        name: "tollkeeper_reported_cost_usd",
        help: "What the applications' own logs claim that calls cost.",
        label: None,
        values: |sums| vec![("", sums.reported.0)],
        is_money: true,
    },
    Family {
        name: "tollkeeper_charge_usd",
        help: "What is paid by time, bytes or calls and not by token.",
        label: None,
        values: |sums| vec![("", sums.charge.0)],
        is_money: true,
    },
];

/// The samples of one series of a family: value since the last sample, by the end of its step.
type Samples = Vec<(UnixMillis, i128)>;

pub(super) fn openmetrics(args: &OpenMetricsArgs) -> Result<(), Failure> {
    let source = Source::find(&args.ask)?;
    let mut parameters = parameters(&args.usage)?;
    parameters.push(("by".to_owned(), EVERYTHING.to_owned()));
    let mut pieces = Pieces::new(&source, parameters, &args.step)?;
    let from = pieces.from();
    // By place of the family, then by labels.
    let mut found: BTreeMap<(usize, String), Samples> = BTreeMap::new();
    let mut remarks: Vec<String> = Vec::new();
    while let Some(answer) = pieces.next()? {
        collect(&answer, &mut found)?;
        remarks.extend(answer.remarks());
    }
    let mut out = super::output(args.out.as_deref())?;
    for (place, family) in FAMILIES.iter().enumerate() {
        let series = found.range((place, String::new())..(place + 1, String::new()));
        let mut series = series.peekable();
        if series.peek().is_none() {
            continue;
        }
        let name = family.name;
        writeln!(out, "# TYPE {name} counter\n# HELP {name} {}", family.help)?;
        for ((_, labels), samples) in series {
            write_series(&mut out, family, labels, samples, from)?;
        }
    }
    out.write_all(b"# EOF\n")?;
    out.flush()?;
    let mut stderr = std::io::stderr().lock();
    for remark in remarks {
        stderr.write_all(format!("{remark}\n").as_bytes())?;
    }
    Ok(())
}

fn collect(answer: &Answer, found: &mut BTreeMap<(usize, String), Samples>) -> Result<(), Failure> {
    let step = answer.step.as_deref().zip(Zone::named(&answer.zone));
    let step = step.and_then(|(step, zone)| Step::parse(step, &zone));
    let Some(step) = step else { return Err("the answer has no steps".into()) };
    for group in &answer.groups {
        let names = answer
            .by
            .iter()
            .map(|name| name.strip_prefix("attr:").map_or_else(|| name.clone(), label_name));
        let labels: Vec<String> = names
            .zip(&group.labels)
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| label(&name, value))
            .collect();
        for part in &group.steps {
            let end = step.holding(part.start).end.min(answer.to);
            for (place, family) in FAMILIES.iter().enumerate() {
                for (value_label, value) in (family.values)(&part.sums) {
                    if value == 0 {
                        continue;
                    }
                    let own = family.label.map(|name| label(name, value_label));
                    let all: Vec<String> = labels.iter().cloned().chain(own).collect();
                    found.entry((place, all.join(","))).or_default().push((end, value));
                }
            }
        }
    }
    Ok(())
}

/// Returns a label as the format has it, quoted.
fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
    format!("{name}=\"{value}\"")
}

fn write_series(
    out: &mut impl Write,
    family: &Family,
    labels: &str,
    samples: &Samples,
    from: UnixMillis,
) -> std::io::Result<()> {
    let mut total = 0;
    for (at, value) in std::iter::once(&(from, 0)).chain(samples) {
        total += value;
        let text = if family.is_money { Usd(total).to_string() } else { total.to_string() };
        let seconds = at.0.div_euclid(1_000);
        let millis = at.0.rem_euclid(1_000);
        writeln!(out, "{}_total{{{labels}}} {text} {seconds}.{millis:03}", family.name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_as_the_format_wants() {
        assert_eq!(label("model", "a\"b\\c\nd"), "model=\"a\\\"b\\\\c\\nd\"");
    }
}
