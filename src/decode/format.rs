//! Logs that the config describes: which lines are of them, and the call that such a line tells of.
//!
//! Places are found as all others are, by the one walk. A place that something else is read from too
//! has a slot of its own here, and what is found there is handed on (see `slots`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::draft::{Draft, believed};
use super::json::{Edge, Slot, TrieBuilder};
use super::{Approximations, Invocation, Reject, application, scalar};
use crate::model::error_class::{self, ErrorClass};
use crate::model::log_format::{FormatField, JsonPath, LogFormat, PathStep};
use crate::model::names::{Approximation, RecordKind, StopReason};
use crate::model::time::UnixMillis;
use crate::model::tokens::{TokenClass, TokenCounts};

/// Words for a failed call, in lowercase. What other words mean nobody knows, so they tell nothing.
const FAILED: &[&str] = &["error", "failed", "failure", "exception"];

/// A described log with the slots of its places.
pub(super) struct Plan {
    when: Vec<(Slot, Option<String>)>,
    slots: [Option<Slot>; FormatField::ALL.len()],
    cached_in_input: bool,
}

/// The described logs, and what else is read from their places.
#[derive(Default)]
pub(super) struct Plans {
    pub(super) plans: Vec<Plan>,
    /// Of each slot from the first one on, the slot that also wants what stands there.
    pub(super) also: Vec<Option<Slot>>,
}

impl Plans {
    /// Adds the places of `formats` to the tree; their slots begin at `first`.
    pub(super) fn of(formats: &[LogFormat], first: usize, builder: &mut TrieBuilder) -> Self {
        let mut known: BTreeMap<JsonPath, Slot> = BTreeMap::new();
        let mut also: Vec<Option<Slot>> = Vec::new();
        let mut slot_of = |path: &JsonPath| -> Option<Slot> {
            if let Some(slot) = known.get(path) {
                return Some(*slot);
            }
            let slot = Slot::try_from(first + also.len()).ok()?;
            let edges = path.0.iter().map(|step| match step {
                PathStep::Key(key) => Edge::Key(key),
                PathStep::Elements => Edge::Element,
            });
            also.push(builder.replace(edges, slot));
            known.insert(path.clone(), slot);
            Some(slot)
        };
        let mut plan = |format: &LogFormat| -> Option<Plan> {
            let when = format
                .when
                .iter()
                .map(|condition| Some((slot_of(&condition.path)?, condition.equals.clone())));
            let when: Option<Vec<_>> = when.collect();
            let mut slots = [None; FormatField::ALL.len()];
            for (field, path) in &format.fields {
                if let Some(place) = slots.get_mut(*field as usize) {
                    *place = slot_of(path);
                }
            }
            let cached_in_input = format.cached_in_input;
            Some(Plan { when: when?, slots, cached_in_input })
        };
        let plans = formats.iter().filter_map(&mut plan).collect();
        Self { plans, also }
    }
}

/// A line of a described log.
struct Line<'a, 'd, 'l> {
    draft: &'a mut Draft<'d, 'l>,
    plan: &'a Plan,
}

/// Returns the described log that a line is of; the first one that fits.
pub(super) fn plan_of<'d>(draft: &Draft<'d, '_>) -> Option<&'d Plan> {
    draft.formats.iter().find(|plan| {
        plan.when.iter().all(|(slot, equals)| match (draft.raw_slot(*slot), equals) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(raw), Some(wanted)) => match draft.text_slot(*slot) {
                Some(text) => *text == **wanted,
                None => raw == wanted.as_bytes(),
            },
        })
    })
}

/// Returns the call that a line of a described log tells of.
pub(super) fn invocation<'l>(
    draft: &mut Draft<'_, 'l>,
    plan: &Plan,
) -> Result<Invocation<'l>, Reject> {
    let mut line = Line { draft, plan };
    line.raw(FormatField::Model).ok_or(Reject::MissingField)?;
    let model_id = line.text(FormatField::Model).filter(|id| !id.is_empty());
    let model_id = model_id.ok_or(Reject::BadField)?;
    let mut approximations = Approximations::NONE;
    let at = line.at()?.unwrap_or_else(|| {
        // What holds the line may tell its time.
        approximations.insert(Approximation::TimeUnknown);
        UnixMillis::UNKNOWN
    });
    let error = line.error();
    let tokens = line.tokens(error.is_some(), &mut approximations)?;
    let stop_reason = line.text(FormatField::StopReason);
    let stop_reason =
        stop_reason.filter(|text| !text.is_empty()).map(|text| StopReason::from_log(&text));
    let call = Invocation {
        account: line.name(FormatField::Account),
        region: line.name(FormatField::Region),
        request_id: line.name(FormatField::RequestId),
        identity_arn: line.text(FormatField::Principal).filter(|text| text.starts_with("arn:")),
        attributes: line.draft.attribute_values(),
        tokens,
        has_output_count: line.raw(FormatField::OutputTokens).is_some(),
        latency_ms: line.millis(FormatField::LatencyMs),
        first_byte_ms: line.millis(FormatField::FirstTokenMs),
        reported_cost: line.raw(FormatField::CostUsd).and_then(scalar::dollars),
        approximations,
        ..Invocation::new(RecordKind::Application, at, model_id)
    };
    Ok(call.ended(error, stop_reason))
}

impl<'l> Line<'_, '_, 'l> {
    fn slot(&self, field: FormatField) -> Option<Slot> {
        *self.plan.slots.get(field as usize)?
    }

    fn raw(&self, field: FormatField) -> Option<&'l [u8]> {
        self.draft.raw_slot(self.slot(field)?)
    }

    fn text(&self, field: FormatField) -> Option<Cow<'l, str>> {
        self.draft.text_slot(self.slot(field)?)
    }

    /// Returns a name, which some write as a number.
    fn name(&self, field: FormatField) -> Option<Cow<'l, str>> {
        let digits = || {
            let raw = self.raw(field).filter(|raw| raw.iter().all(u8::is_ascii_digit))?;
            std::str::from_utf8(raw).ok().map(Cow::Borrowed)
        };
        self.text(field).or_else(digits).filter(|text| !text.is_empty())
    }

    fn at(&mut self) -> Result<Option<UnixMillis>, Reject> {
        let Some(raw) = self.raw(FormatField::Time) else { return Ok(None) };
        let at = match self.text(FormatField::Time) {
            Some(text) => self.draft.clock.read(&text).or_else(|| scalar::epoch(text.as_bytes())),
            None => scalar::epoch(raw),
        };
        at.ok_or(Reject::BadTimestamp).and_then(believed).map(Some)
    }

    /// Returns a count, in quotes or without.
    fn count(&self, field: FormatField) -> Result<Option<u64>, Reject> {
        let count = self.raw(field).map(|raw| scalar::count(unquoted(raw))).transpose();
        count.map_err(|scalar::NotACount| Reject::BadTokenCount)
    }

    fn millis(&self, field: FormatField) -> Option<u64> {
        scalar::decimal(self.raw(field)?, 1)
    }

    fn tokens(
        &self,
        has_failed: bool,
        approximations: &mut Approximations,
    ) -> Result<TokenCounts, Reject> {
        let input = self.count(FormatField::InputTokens)?;
        let output = self.count(FormatField::OutputTokens)?;
        let read = self.count(FormatField::CacheRead)?.unwrap_or(0);
        let write = self.count(FormatField::CacheWrite)?.unwrap_or(0);
        let total = self.count(FormatField::Total)?;
        if input.is_none() && output.is_none() && !has_failed {
            // A total alone does not tell what it would cost.
            return Err(Reject::MissingField);
        }
        let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
        let fresh =
            if self.plan.cached_in_input { input.checked_sub(read + write) } else { Some(input) };
        if fresh.is_none() {
            approximations.insert(Approximation::CacheCountingAssumed);
        }
        let mut tokens = TokenCounts::default();
        tokens.set(TokenClass::Input, fresh.unwrap_or(input));
        tokens.set(TokenClass::CacheRead, read);
        tokens.set(TokenClass::CacheWriteUnknownTtl, write);
        tokens.set(TokenClass::Output, output);
        // Nobody says whether the sum of an exclusive count holds cached tokens, so both pass.
        let sums = [tokens.total(), input + output];
        if total.is_some_and(|total| !sums.contains(&total)) {
            approximations.insert(Approximation::TokenTotalMismatch);
        }
        Ok(tokens)
    }

    /// Returns the error of a failed call: what the error says, else what the status says.
    fn error(&self) -> Option<ErrorClass> {
        let error = self.raw(FormatField::Error).filter(|raw| !application::is_nothing(raw));
        let named = error.and_then(|raw| classified(raw, self.text(FormatField::Error)));
        let status = self.raw(FormatField::Status);
        let by_status = status.and_then(|raw| classified(raw, self.text(FormatField::Status)));
        let word = self.text(FormatField::Status).unwrap_or_default().trim().to_ascii_lowercase();
        let has_failed = error.is_some() || FAILED.contains(&word.as_str());
        named.or(by_status).or(has_failed.then_some(ErrorClass::UNKNOWN))
    }
}

fn classified(raw: &[u8], text: Option<Cow<'_, str>>) -> Option<ErrorClass> {
    match text {
        Some(text) => error_class::classify(&text),
        None => error_class::of_status(u32::try_from(scalar::count(raw).ok()?).ok()?),
    }
}

fn unquoted(raw: &[u8]) -> &[u8] {
    match raw {
        [b'"', inner @ .., b'"'] => inner,
        bare => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Decoder, Item};
    use crate::model::log_format::Condition;
    use crate::model::names::{ErrorCode, Outcome};

    fn format(when: &[&str], fields: &[(FormatField, &str)], cached_in_input: bool) -> LogFormat {
        LogFormat {
            name: "f".to_owned(),
            when: when.iter().map(|text| Condition::parse(text).unwrap()).collect(),
            fields: fields
                .iter()
                .map(|(field, text)| (*field, JsonPath::parse(text).unwrap()))
                .collect(),
            cached_in_input,
        }
    }

    fn gateway() -> LogFormat {
        use FormatField as F;
        format(
            &["llm.model", "kind = call"],
            &[
                (F::Time, "at"),
                (F::Model, "llm.model"),
                (F::RequestId, "llm.\"call.id\""),
                (F::Account, "account"),
                (F::Region, "where"),
                (F::Principal, "who"),
                (F::InputTokens, "llm.usage.in"),
                (F::OutputTokens, "llm.usage.out"),
                (F::CacheRead, "llm.usage.hit"),
                (F::CacheWrite, "llm.usage.put"),
                (F::Total, "llm.usage.all"),
                (F::LatencyMs, "took"),
                (F::FirstTokenMs, "first"),
                (F::StopReason, "llm.choices[].why"),
                (F::Error, "error"),
                (F::Status, "http.status"),
                (F::CostUsd, "usd"),
            ],
            true,
        )
    }

    /// What both decoders make of a line.
    fn decode(formats: &[LogFormat], line: &str) -> Result<Invocation<'static>, Reject> {
        let fast =
            Decoder::with_formats(&[], formats).decode(line.as_bytes()).map(Invocation::into_owned);
        let mut plain = Decoder::with_formats(&[], formats).made_plain();
        assert_eq!(fast, plain.decode(line.as_bytes()).map(Invocation::into_owned), "{line}");
        fast
    }

    const LINE: &str = r#"{"kind":"call","at":"2026-09-02T14:00:01Z","account":111122223333,"where":"us-east-1",
        "who":"arn:aws:iam::111122223333:user/jo","took":"812.9","first":95,"usd":"0.5",
        "llm":{"model":"anthropic.claude-v2:1","call.id":"r-1","choices":[{"why":"length"}],
        "usage":{"in":"1000","out":20,"hit":300,"put":100,"all":1020}}}"#;

    #[test]
    fn every_field_is_read_from_its_place() {
        let call = decode(&[gateway()], LINE).unwrap();
        assert_eq!(call.kind, RecordKind::Application);
        assert_eq!(call.at, UnixMillis(1_788_357_601_000));
        assert_eq!(call.model_id, "anthropic.claude-v2:1");
        assert_eq!(call.request_id.as_deref(), Some("r-1"));
        assert_eq!(call.account.as_deref(), Some("111122223333"));
        assert_eq!(call.region.as_deref(), Some("us-east-1"));
        assert_eq!(call.identity_arn.as_deref(), Some("arn:aws:iam::111122223333:user/jo"));
        assert_eq!(call.tokens.0, [600, 300, 0, 0, 100, 20]);
        assert_eq!((call.latency_ms, call.first_byte_ms), (Some(812), Some(95)));
        assert_eq!((call.outcome, call.stop_reason), (Outcome::Ok, Some(StopReason::MaxTokens)));
        assert_eq!(call.reported_cost.map(|usd| usd.to_string()).as_deref(), Some("0.5"));
        assert_eq!(call.approximations, Approximations::NONE);
    }

    #[test]
    fn odd_values_are_refused_or_said_and_never_guessed() {
        use Approximation as A;
        let with = |from: &str, to: &str| {
            assert!(LINE.contains(from), "{from}");
            decode(&[gateway()], &LINE.replace(from, to))
        };
        for (from, to, reject) in [
            (r#""model":"anthropic.claude-v2:1""#, r#""model":5"#, Reject::BadField),
            (r#""model":"anthropic.claude-v2:1""#, r#""model":"""#, Reject::BadField),
            (r#""in":"1000""#, r#""in":-1"#, Reject::BadTokenCount),
            (r#""in":"1000""#, r#""in":"many""#, Reject::BadTokenCount),
            (r#""in":"1000""#, r#""in":1000.5"#, Reject::BadTokenCount),
            (r#""hit":300"#, r#""hit":{}"#, Reject::BadTokenCount),
            (r#""at":"2026-09-02T14:00:01Z""#, r#""at":"noon""#, Reject::BadTimestamp),
            (r#""at":"2026-09-02T14:00:01Z""#, r#""at":5"#, Reject::BadTimestamp),
            (r#""usage":{"in":"1000","out":20,"#, r#""usage":{"#, Reject::MissingField),
            (r#""kind":"call""#, r#""kind":"other""#, Reject::UnknownKind),
        ] {
            assert_eq!(with(from, to).err(), Some(reject), "{to}");
        }
        for (from, to, approximation) in [
            (r#""all":1020"#, r#""all":1021"#, A::TokenTotalMismatch),
            (r#""hit":300"#, r#""hit":3000"#, A::CacheCountingAssumed),
            (r#""at":"2026-09-02T14:00:01Z""#, r#""at":null"#, A::TimeUnknown),
        ] {
            let call = with(from, to).unwrap();
            assert!(call.approximations.contains(approximation), "{to}: {call:?}");
        }
        for at in ["1788357601", "\"1788357601\"", "1788357601000"] {
            let call = with(r#""2026-09-02T14:00:01Z""#, at).unwrap();
            assert_eq!(call.at, UnixMillis(1_788_357_601_000), "{at}");
        }
        // What only looks like an error is none.
        for (from, to, outcome) in [
            (r#""kind""#, r#""error":"","kind""#, Outcome::Ok),
            (r#""kind""#, r#""error":"ThrottlingException: slow","kind""#, Outcome::Throttled),
            (r#""kind""#, r#""error":{"x":1},"kind""#, Outcome::OtherError),
            (r#""kind""#, r#""http":{"status":429},"kind""#, Outcome::Throttled),
            (r#""kind""#, r#""http":{"status":"503"},"kind""#, Outcome::Unavailable),
            (r#""kind""#, r#""http":{"status":"Failed"},"kind""#, Outcome::OtherError),
            (r#""kind""#, r#""http":{"status":"fine"},"kind""#, Outcome::Ok),
            (r#""kind""#, r#""http":{"status":200},"kind""#, Outcome::Ok),
            (r#""why":"length""#, r#""why":"content_filter""#, Outcome::Filtered),
        ] {
            assert_eq!(with(from, to).map(|call| call.outcome), Ok(outcome), "{to}");
        }
        let failed = r#"{"kind":"call","llm":{"model":"m"},"http":{"status":429}}"#;
        let failed = decode(&[gateway()], failed).unwrap();
        assert_eq!((failed.tokens.total(), failed.error_code), (0, Some(ErrorCode::Other)));
    }

    #[test]
    fn places_that_others_read_too_serve_both() {
        use FormatField as F;
        let fields = [
            (F::Model, "model"),
            (F::InputTokens, "usage.prompt_tokens"),
            (F::Error, "error.code"),
        ];
        let formats = [
            format(&["source = mine"], &fields, false),
            format(&["deployment"], &[(F::Model, "model"), (F::InputTokens, "n")], false),
        ];
        let rest = r#""model":"m","usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":2}}"#;
        let known = decode(&formats, &format!("{{{rest}}}")).unwrap();
        assert_eq!(known.tokens.0, [3, 2, 0, 0, 0, 7]);
        let mine = decode(&formats, &format!("{{\"source\":\"mine\",{rest}}}")).unwrap();
        assert_eq!(mine.tokens.0, [5, 0, 0, 0, 0, 0]);
        let other = decode(&formats, &format!("{{\"deployment\":1,\"n\":9,{rest}}}")).unwrap();
        assert_eq!(other.tokens.0, [9, 0, 0, 0, 0, 0]);
        assert_eq!(
            decode(&formats, &format!("{{\"deployment\":null,\"n\":9,{rest}}}"))
                .map(|call| call.tokens),
            Ok(known.tokens)
        );
    }

    #[test]
    fn bedrocks_own_record_is_never_taken_for_a_described_log() {
        let greedy = format(
            &["modelId"],
            &[(FormatField::Model, "modelId"), (FormatField::InputTokens, "requestId")],
            false,
        );
        for line in crate::decode::meaning::SAMPLES
            .lines()
            .filter(|line| line.contains("ModelInvocationLog"))
        {
            assert_eq!(decode(std::slice::from_ref(&greedy), line), decode(&[], line), "{line}");
        }
    }

    #[test]
    fn a_described_log_is_found_in_wrappings() {
        let log =
            serde_json::json!({"log": format!("{}\n", LINE.replace('\n', "")), "stream": "stdout"});
        let mut calls = 0;
        Decoder::with_formats(&[], &[gateway()]).each(log.to_string().as_bytes(), &mut |item| {
            calls += u32::from(matches!(item, Item::Record { .. }));
        });
        assert_eq!(calls, 1);
    }
}
