//! The diagnosis for machines: one object.

use serde_json::{Map, Value, json};

use super::diagnosis::{Diagnosis, SourceReport};
use super::print::SHAPES_SHOWN;
use crate::cli::failure::Failure;
use crate::ledger::counts::Counts;
use crate::model::names::{Approximation, LineResult, Outcome, RecordKind, Reject};

pub(super) fn json(diagnosis: &Diagnosis<'_>) -> Result<String, Failure> {
    let problems: Vec<Value> = diagnosis
        .problems
        .iter()
        .map(|it| json!({"kind": it.kind, "source": it.source, "text": it.text, "advice": it.advice}))
        .collect();
    let sources: Vec<Value> =
        diagnosis.sources.iter().map(|it| source(it, diagnosis.inputs)).collect();
    let page = json!({
        "problems": problems,
        "sources": sources,
        "ids_in_several_sources": diagnosis.shared_ids,
        "corroborated": diagnosis.corroborated,
        "config_to_add": diagnosis.mapping,
    });
    Ok(serde_json::to_string_pretty(&page)? + "\n")
}

fn source(source: &SourceReport, inputs: &[String]) -> Value {
    let exam = &source.exam;
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    set("source", json!(source.name));
    set("files", json!(source.files));
    set("files_left_out", json!(source.noise));
    set("bytes", json!(exam.bytes));
    set("records", counts(&exam.kinds(), RecordKind::as_str));
    let mut outcomes = Counts::default();
    exam.calls.iter().for_each(|((_, outcome), count)| outcomes.add(outcome, count));
    set("outcomes", counts(&outcomes, Outcome::as_str));
    set("rejected", counts(&exam.rejected(), Reject::as_str));
    set("ignored", json!(exam.lines.get((None, LineResult::Ignored))));
    set("duplicates", json!(exam.duplicates));
    let range = exam.times.range();
    set("first", json!(range.map(|(first, _)| first.second_text())));
    set("last", json!(range.map(|(_, last)| last.second_text())));
    let disorder = exam.order.disorder();
    let order = json!({"earlier_than_the_one_before": disorder.steps_back, "late_ms_max": disorder.late_ms});
    set("order", order);
    let silence = exam.times.silence().map(|silence| {
        json!({
            "from": silence.from.second_text(),
            "to": silence.to.second_text(),
            "ms": silence.to.0.saturating_sub(silence.from.0),
            "average_ms_between_others": silence.usual_ms,
        })
    });
    set("longest_silence", json!(silence));
    set("throttles", json!({"sight": source.sight.as_str(), "seen": exam.throttles.seen}));
    set(
        "answers",
        json!({
            "all": exam.bodies.answers,
            "without_body": exam.bodies.missing,
            "without_stop_reason": exam.bodies.no_stop_reason,
            "without_max_tokens": exam.bodies.no_max_tokens,
            "without_latency": exam.bodies.no_latency,
        }),
    );
    set("approximated", counts(&exam.approximated, Approximation::as_str));
    let unpriced = exam.unpriced.iter().map(|((model, reason), tokens)| {
        json!({"model": model, "reason": reason.as_str(), "input_tokens": tokens.input,
            "output_tokens": tokens.output})
    });
    set("unpriced", unpriced.collect());
    let opaque = exam.opaque.iter().map(|(arn, calls)| json!({"arn": arn, "calls": calls}));
    set("opaque_models", opaque.collect());
    let (shapes, others) = exam.shapes.frequent(SHAPES_SHOWN);
    let shapes = shapes.iter().map(|(reject, shape, seen)| {
        json!({"reason": reject.as_str(), "shape": shape, "count": seen.count,
            "file": inputs.get(seen.first.0), "offset": seen.first.1})
    });
    set("not_understood", shapes.collect());
    set("not_understood_otherwise", json!(others));
    set("not_understood_is_sampled", json!(exam.shapes.is_sampled));
    Value::Object(object)
}

fn counts<K: Ord + Copy>(counts: &Counts<K>, name: impl Fn(K) -> &'static str) -> Value {
    counts
        .iter()
        .map(|(key, count)| (name(key).to_owned(), json!(count)))
        .collect::<Map<_, _>>()
        .into()
}
