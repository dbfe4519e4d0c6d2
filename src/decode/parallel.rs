//! The calls of one line of embedded metrics whose counts are arrays (`CloudWatch` user guide, page
//! `CloudWatch_Embedded_Metric_Format_Specification`: a metric is a number, or an array of at most 100).
//!
//! A library writes an array where a metric was set more than once before it was flushed, so as many
//! values of every count are as many calls, and the values at one place are those of one call. Counts of
//! different lengths tell of no single call, and an error beside several calls does not tell which of
//! them failed: such a line is refused, and nothing of it is guessed.

use std::ops::Range;

use super::json;
use super::paths::Field;
use super::slots::Slots;
use super::{Decoder, Invocation, application, usage};
use crate::model::names::Outcome;

/// Values of one metric in one line.
const VALUES_MAX: usize = 100;

/// The values of each call, by field.
struct Columns {
    length: usize,
    values: Vec<(Field, Vec<Range<usize>>)>,
    /// What the line tells once, though it is of one call.
    once: Vec<Field>,
}

/// Returns the calls of a line that was just walked over and is no single call, if their counts are
/// arrays that belong together.
pub(super) fn calls<'l>(decoder: &mut Decoder, line: &'l [u8]) -> Option<Vec<Invocation<'l>>> {
    let columns = Columns::of(&decoder.slots, line)?;
    let call = |nth| {
        columns.select(nth, &mut decoder.slots);
        let call = decoder.draft(line).finish().ok()?;
        if columns.length == 1 {
            return Some(call);
        }
        let part = u32::try_from(nth + 1).ok()?;
        (call.outcome == Outcome::Ok).then_some(Invocation { part, stop_reason: None, ..call })
    };
    (0..columns.length).map(call).collect()
}

impl Columns {
    fn of(slots: &Slots, line: &[u8]) -> Option<Self> {
        if !slots.has(Field::EmfTime) {
            return None;
        }
        let mut columns = Self { length: 0, values: Vec::new(), once: Vec::new() };
        for field in usage::counts().filter(|field| slots.has(*field)) {
            let values = elements(line, slots.place(field as json::Slot)?)?;
            let is_first = columns.values.is_empty();
            if values.is_empty() || !is_first && values.len() != columns.length {
                return None;
            }
            columns.length = values.len();
            columns.values.push((field, values));
        }
        let measured = application::MEASURED.iter().flat_map(|fields| fields.iter().copied());
        for field in measured.filter(|field| slots.has(*field)) {
            let values = slots.place(field as json::Slot).and_then(|place| elements(line, place));
            match values.filter(|values| values.len() == columns.length) {
                Some(values) => columns.values.push((field, values)),
                None => columns.once.push(field),
            }
        }
        Some(columns)
    }

    /// Puts the values of the `nth` call in their places.
    fn select(&self, nth: usize, slots: &mut Slots) {
        for (field, values) in &self.values {
            slots.put(*field, values.get(nth).cloned());
        }
        if self.length > 1 {
            // Only a sum can be told once for all.
            let told = |field: &&Field| **field != application::CLAIM || nth > 0;
            for field in self.once.iter().filter(told) {
                slots.put(*field, None);
            }
        }
    }
}

/// Returns where the elements of an array stand, or `None` if there is no array or a longer one than a
/// metric may have.
fn elements(line: &[u8], array: Range<usize>) -> Option<Vec<Range<usize>>> {
    let text = line.get(array.clone()).filter(|text| text.starts_with(b"["))?;
    let mut elements = json::elements(text);
    let mut places = Vec::new();
    loop {
        let start = array.end.checked_sub(elements.rest().len())?;
        let Some(element) = elements.next() else { return Some(places) };
        if places.len() == VALUES_MAX {
            return None;
        }
        places.push(start..start + element.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::decode::{Item, Reject};
    use crate::model::money::Usd;

    fn line(members: &Value) -> String {
        let mut line = json!({"_aws": {"Timestamp": 1_788_357_601_000_u64, "CloudWatchMetrics": [
            {"Namespace": "LLM/App", "Dimensions": [["model"]], "Metrics": [{"Name": "InputTokens"}]}]},
            "model": "anthropic.claude-v2:1"});
        let own = members.as_object().unwrap().clone();
        line.as_object_mut().unwrap().extend(own);
        line.to_string()
    }

    fn found(line: &str) -> Result<Vec<Invocation<'static>>, Reject> {
        let all = |mut decoder: Decoder| {
            let mut all = Ok(Vec::new());
            decoder.each(line.as_bytes(), &mut |item| match (item, &mut all) {
                (Item::Record { invocation, .. }, Ok(calls)) => calls.push(invocation.into_owned()),
                (Item::Rejected { reject, .. }, Ok(calls)) if calls.is_empty() => all = Err(reject),
                (other, all) => panic!("{other:?} beside {all:?}"),
            });
            all
        };
        let fast = all(Decoder::new(&[]));
        assert_eq!(fast, all(Decoder::plain(&[])), "{line}");
        fast
    }

    #[test]
    fn arrays_of_one_length_are_calls_with_their_own_values() {
        let calls = found(&line(&json!({"InputTokens": [10, 20, 30], "OutputTokens": [4, 5, 6],
            "LatencyMs": [100.5, 90, 80], "billing_estimate_usd": 0.25, "request_id": "r"})))
        .unwrap();
        let read = |call: &Invocation<'_>| (call.part, call.tokens.0, call.latency_ms);
        assert_eq!(
            calls.iter().map(read).collect::<Vec<_>>(),
            [
                (1, [10, 0, 0, 0, 0, 4], Some(100)),
                (2, [20, 0, 0, 0, 0, 5], Some(90)),
                (3, [30, 0, 0, 0, 0, 6], Some(80)),
            ]
        );
        let claims: Vec<_> = calls.iter().map(|call| call.reported_cost).collect();
        assert_eq!(claims, [Some(Usd(250_000_000_000)), None, None]);
        assert!(calls.iter().all(|call| call.request_id.as_deref() == Some("r")));
        assert!(calls.iter().all(|call| call.approximations.is_empty()));
    }

    #[test]
    fn an_array_of_one_value_is_the_value() {
        let one = found(&line(&json!({"InputTokens": [10], "OutputTokens": [4], "LatencyMs": 7,
            "finish_reason": "content_filter", "request_id": "r"})));
        let plain = found(&line(&json!({"InputTokens": 10, "OutputTokens": 4, "LatencyMs": 7,
            "finish_reason": "content_filter", "request_id": "r"})));
        assert_eq!(one, plain);
        assert_eq!(one.unwrap()[0].outcome, Outcome::Filtered);
    }

    #[test]
    fn what_a_line_tells_once_is_of_no_call_if_there_are_several() {
        let calls = found(&line(&json!({"input_tokens": [1, 2], "output_tokens": [3, 4],
            "latency_ms": 70, "ttft_ms": [1, 2, 3], "stop_reason": "end_turn"})))
        .unwrap();
        for call in calls {
            assert_eq!((call.latency_ms, call.first_byte_ms, call.stop_reason), (None, None, None));
        }
    }

    #[test]
    fn what_can_not_be_told_apart_is_refused_as_a_whole() {
        let long: Vec<u64> = (0..101).collect();
        for members in [
            json!({"InputTokens": [10, 20, 30], "OutputTokens": [4, 5]}),
            json!({"InputTokens": [10, 20], "OutputTokens": 4}),
            json!({"InputTokens": [10, 20], "OutputTokens": [4, "x"]}),
            json!({"InputTokens": [10, 20], "OutputTokens": [4, 0.5]}),
            json!({"InputTokens": [10, 20], "OutputTokens": [4, [5]]}),
            json!({"InputTokens": [], "OutputTokens": []}),
            json!({"InputTokens": long, "OutputTokens": long}),
            json!({"input_tokens": [1, 2], "output_tokens": [3, 4], "total_tokens": 10}),
            json!({"InputTokens": [1, 2], "OutputTokens": [3, 4], "error": "ThrottlingException"}),
            json!({"InputTokens": [1, 2], "OutputTokens": [3, 4], "finish_reason": "content_filter"}),
        ] {
            assert_eq!(found(&line(&members)), Err(Reject::BadTokenCount), "{members}");
        }
        // Elsewhere an array of counts has no known meaning.
        let plain = r#"{"time":1788357601,"model":"m","input_tokens":[1,2],"output_tokens":[3,4]}"#;
        assert_eq!(found(plain), Err(Reject::BadTokenCount));
    }

    proptest! {
        #[test]
        fn calls_in_arrays_are_those_of_lines_of_their_own(
            rows in proptest::collection::vec((0..9_u64, 0..9_u64, 0..99_u64), 1..=100),
        ) {
            let column = |of: fn(&(u64, u64, u64)) -> u64| rows.iter().map(of).collect::<Vec<_>>();
            let together = found(&line(&json!({"prompt_tokens": column(|row| row.0 + row.1),
                "completion_tokens": column(|row| row.2), "cached_tokens": column(|row| row.1)})));
            let apart: Vec<_> = rows
                .iter()
                .flat_map(|row| found(&line(&json!({"prompt_tokens": row.0 + row.1,
                    "completion_tokens": row.2, "cached_tokens": row.1}))).unwrap())
                .collect();
            let together = together.unwrap().into_iter().map(|call| Invocation { part: 0, ..call });
            prop_assert_eq!(together.collect::<Vec<_>>(), apart);
        }
    }
}
