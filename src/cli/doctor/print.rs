//! The diagnosis for a person: problems first, then what each source holds.

use super::diagnosis::{Diagnosis, Problem, SourceReport, counted, span, throttle_text};
use crate::cli::table::{grouped, printable};
use crate::ledger::counts::Counts;
use crate::model::names::{LineResult, Outcome, RecordKind, Reject};

/// Shapes shown of each source.
pub(super) const SHAPES_SHOWN: usize = 10;
/// Problems shown of those with the same advice.
const ALIKE_SHOWN: usize = 10;
/// Width of what stands before the values.
const LABEL: usize = 12;
/// Width that the text of problems is broken at.
const WIDTH: usize = 100;
/// From this number of sources on, one without a problem gets one line.
const BRIEF_FROM: usize = 8;

pub(super) fn text(diagnosis: &Diagnosis<'_>) -> String {
    let mut text = String::new();
    push_problems(&mut text, &diagnosis.problems);
    if diagnosis.corroborated > 0 {
        let calls = counted(diagnosis.corroborated, "call is", "calls are");
        let words = format!(
            "{calls} both in a log of the service and in one of an application; `run` counts each of them              once"
        );
        push_wrapped(&mut text, "", &words);
    }
    if let Some(mapping) = &diagnosis.mapping {
        text.push_str(
            "\nLines for the config: fill in the model id, or the ARN of a model or of a system-defined\n\
             profile, as `aws bedrock get-inference-profile --inference-profile-identifier ARN` tells it\n\n",
        );
        text.push_str(mapping);
    }
    for source in &diagnosis.sources {
        let is_bad = diagnosis.problems.iter().any(|it| it.source.as_ref() == Some(&source.name));
        text.push('\n');
        if diagnosis.sources.len() >= BRIEF_FROM && !is_bad {
            let name = printable(&source.name);
            let records = kinds(source);
            text.push_str(&format!("{name}: {records}; no problem\n"));
        } else {
            push_source(&mut text, source, diagnosis.inputs);
        }
    }
    text
}

/// Adds the problems; those with the same advice stand together above it.
fn push_problems(text: &mut String, problems: &[Problem]) {
    match problems.len() {
        0 => text.push_str("no problem found\n"),
        1 => text.push_str("1 problem\n"),
        count => text.push_str(&format!("{count} problems, the most serious first\n")),
    }
    for alike in problems.chunk_by(|one, next| one.advice == next.advice) {
        for problem in alike.iter().take(ALIKE_SHOWN) {
            let source =
                problem.source.as_ref().map_or_else(String::new, |name| format!("{name}: "));
            push_wrapped(text, "- ", &printable(&format!("{source}{}", problem.text)));
        }
        if let Some(more) = alike.len().checked_sub(ALIKE_SHOWN).filter(|more| *more > 0) {
            text.push_str(&format!("- and {more} more like these; `--format json` has them all\n"));
        }
        if let Some(problem) = alike.first() {
            push_wrapped(text, "    ", &printable(&problem.advice));
        }
    }
}

fn push_source(text: &mut String, source: &SourceReport, inputs: &[String]) {
    let exam = &source.exam;
    let mut heading = printable(&source.name);
    if source.files != 1 || inputs.iter().all(|input| *input != source.name) {
        let files = if source.files == 1 { "file" } else { "files" };
        heading.push_str(&format!(" ({} {files})", grouped(source.files as u64)));
    }
    text.push_str(&format!("{heading}\n"));
    let mut line = |label: &str, value: &str| {
        text.push_str(&format!("  {label:<LABEL$}{}\n", printable(value)));
    };
    line("records", &kinds(source));
    let failed = failures(source);
    if !failed.is_empty() {
        line("failed", &failed);
    }
    if source.noise > 0 {
        let files = counted(source.noise as u64, "file", "files");
        line("left out", &format!("{files}: bodies and markers of a delivery, no records"));
    }
    let rejected = listed(&exam.rejected(), Reject::as_str);
    if !rejected.is_empty() {
        line("rejected", &rejected);
    }
    let ignored = exam.lines.get((None, LineResult::Ignored));
    if ignored > 0 {
        line("ignored", &format!("{} known to hold nothing to count", grouped(ignored)));
    }
    if let Some((from, to)) = exam.times.range() {
        let length = span(to.0.saturating_sub(from.0));
        line("time", &format!("{} to {} ({length})", from.second_text(), to.second_text()));
        line("order", &order(source));
    }
    if let Some(silence) = exam.times.silence() {
        let length = span(silence.to.0.saturating_sub(silence.from.0));
        let (from, usual) = (silence.from.second_text(), span(silence.usual_ms));
        line(
            "silence",
            &format!("{length} at most, from {from}; else one every {usual} on average"),
        );
    }
    line("duplicates", &grouped(exam.duplicates));
    line("throttles", &throttle_text(source));
    if exam.bodies.answers > 0 {
        line("bodies", &bodies(source));
    }
    push_shapes(text, source, inputs);
}

fn push_shapes(text: &mut String, source: &SourceReport, inputs: &[String]) {
    let (shapes, rest) = source.exam.shapes.frequent(SHAPES_SHOWN);
    if shapes.is_empty() {
        return;
    }
    let note =
        if source.exam.shapes.is_sampled { " (numbers are estimates of a sample)" } else { "" };
    text.push_str(&format!("  not understood, without its text{note}\n"));
    let counts: Vec<String> = shapes.iter().map(|(_, _, seen)| grouped(seen.count)).collect();
    let width = counts.iter().map(String::len).max().unwrap_or(0);
    for ((reject, shape, seen), count) in shapes.iter().zip(&counts) {
        let (input, offset) = seen.first;
        let name = inputs.get(input).map_or("", String::as_str);
        let (shape, name) = (printable(shape), printable(name));
        text.push_str(&format!("  {count:>width$}  {}: {shape}\n", reject.as_str()));
        text.push_str(&format!("  {:>width$}  first at {name}:{offset}\n", ""));
    }
    if rest > 0 {
        text.push_str(&format!("  {} more of other shapes\n", grouped(rest)));
    }
}

fn kinds(source: &SourceReport) -> String {
    let kinds = listed(&source.exam.kinds(), RecordKind::as_str);
    if kinds.is_empty() { "none".to_owned() } else { kinds }
}

fn failures(source: &SourceReport) -> String {
    let mut failed = Counts::default();
    for ((_, outcome), count) in source.exam.calls.iter() {
        if outcome != Outcome::Ok {
            failed.add(outcome, count);
        }
    }
    listed(&failed, Outcome::as_str)
}

/// Returns names with their counts, the most frequent first.
fn listed<K: Ord + Copy>(counts: &Counts<K>, name: impl Fn(K) -> &'static str) -> String {
    let mut all: Vec<(K, u64)> = counts.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words: Vec<String> =
        all.into_iter().map(|(key, count)| format!("{} {}", grouped(count), name(key))).collect();
    words.join(", ")
}

fn order(source: &SourceReport) -> String {
    let disorder = source.exam.order.disorder();
    match disorder.steps_back {
        0 => "in order of time".to_owned(),
        steps => format!(
            "{} times a record is earlier than the one before it; by {} at most",
            grouped(steps),
            span(disorder.late_ms)
        ),
    }
}

fn bodies(source: &SourceReport) -> String {
    let bodies = &source.exam.bodies;
    let gaps = [
        (bodies.no_stop_reason, "no stop reason"),
        (bodies.no_max_tokens, "no max tokens"),
        (bodies.no_latency, "no latency"),
    ];
    let gaps: Vec<String> = gaps
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", grouped(*count)))
        .collect();
    let answers = grouped(bodies.answers);
    if gaps.is_empty() {
        return format!("{answers} answers tell stop reason, max tokens and latency");
    }
    format!("of {answers} answers: {}", gaps.join(", "))
}

/// Adds `words` broken into lines, the first of which begins with `first`.
fn push_wrapped(text: &mut String, first: &str, words: &str) {
    let indent = " ".repeat(first.chars().count());
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in words.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&format!("{}\n", line.trim_end()));
            line.clone_from(&indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    text.push_str(&format!("{}\n", line.trim_end()));
}
