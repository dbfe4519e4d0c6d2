//! What is collected of one source while its logs are read: counts, times, shapes, sums.

use std::collections::BTreeMap;

use super::ids::Ids;
use super::shapes::Shapes;
use super::times::{Order, Stretch, Times};
use crate::decode::SignalRecord;
use crate::ledger::amounts::Amounts;
use crate::ledger::batch::Group;
use crate::ledger::cells::Cells;
use crate::ledger::counts::Counts;
use crate::ledger::meter::{CallSight, Meter, Seen, Sight};
use crate::model::model_ref::ModelRef;
use crate::model::names::{
    Approximation, LineResult, Outcome, RecordKind, Reject, Route, UnpricedReason,
};
use crate::model::series::LABEL_CHARS_MAX;
use crate::model::signal::Signal;
use crate::model::time::UnixMillis;
use crate::model::tokens::TokenClass;
use crate::source::file::lines::Admitted;

/// Groups whose sums are worked off at once.
const CELLS_MAX: usize = 4_096;
/// Models without a price, and ARNs, that are told apart.
const MODELS_MAX: usize = 1_000;

/// What one source holds.
#[derive(Debug, Default)]
pub(super) struct Exam {
    /// Bytes of lines read.
    pub(super) bytes: u64,
    /// Calls by kind of log and outcome, duplicates included.
    pub(super) calls: Counts<(RecordKind, Outcome)>,
    /// Records that are no calls.
    pub(super) signals: Counts<RecordKind>,
    /// What was not counted.
    pub(super) lines: Counts<(Option<RecordKind>, LineResult)>,
    pub(super) shapes: Shapes,
    pub(super) times: Times,
    pub(super) order: Order,
    /// Records whose id the source held before.
    pub(super) duplicates: u64,
    pub(super) throttles: Throttles,
    pub(super) bodies: Bodies,
    pub(super) approximated: Counts<Approximation>,
    /// Tokens without a price by model and reason.
    pub(super) unpriced: BTreeMap<(String, UnpricedReason), Unpriced>,
    /// Calls by ARN that does not tell its model and is not mapped.
    pub(super) opaque: BTreeMap<String, u64>,
    /// Whether there were more than [`MODELS_MAX`] of these.
    pub(super) more_models: bool,
    cells: Cells<()>,
}

/// Tokens of a model that have no price.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unpriced {
    pub(super) input: u64,
    pub(super) output: u64,
}

/// What tells of throttles.
#[derive(Debug, Default)]
pub(super) struct Throttles {
    /// Throttled calls and answers.
    pub(super) seen: u64,
    /// Whether there are records of a kind that would show them.
    pub(super) would_be_seen: bool,
}

/// What answers of the Bedrock invocation log do not tell.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    /// Answers with output.
    pub(super) answers: u64,
    pub(super) no_stop_reason: u64,
    pub(super) no_max_tokens: u64,
    pub(super) no_latency: u64,
    /// Those with none of these.
    pub(super) missing: u64,
}

impl Exam {
    /// Reads a chunk of an input: `place` is that of the source and of the input.
    pub(super) fn read(
        &mut self,
        meter: &mut Meter,
        place: (usize, usize),
        chunk: &Admitted,
        ids: &Ids,
    ) {
        let (owner, input) = place;
        let mut stretch: Option<Stretch> = None;
        let mut dated = |times: &mut Times, at: UnixMillis| {
            times.add(at);
            match &mut stretch {
                Some(stretch) => stretch.followed_by(Stretch::of(at)),
                None => stretch = Some(Stretch::of(at)),
            }
        };
        let rated = meter.rate_seen(&chunk.lines, &chunk.frames, |seen| match seen {
            Seen::Record(Sight::Call(sight)) => {
                self.call(sight);
                if sight.entry.at != UnixMillis::UNKNOWN {
                    dated(&mut self.times, sight.entry.at);
                }
            }
            Seen::Record(Sight::Signal(sight)) => {
                let signal = sight.record;
                self.signal(signal);
                match signal.at {
                    // Queries give the newest point first, and points of many series side by side.
                    Some(at) if signal.kind == RecordKind::CloudWatchMetric => self.times.add(at),
                    Some(at) => dated(&mut self.times, at),
                    None => {}
                }
            }
            Seen::Refused(refused) => {
                let place = (input, chunk.offset_of(refused.place.start));
                self.shapes.add(refused.reject, &refused.part, place);
            }
        });
        self.order.add(input, chunk.from, stretch);
        self.bytes += chunk.lines.len() as u64;
        self.lines.merge(&rated.rejected);
        self.lines.add((None, LineResult::Rejected(Reject::Oversized)), chunk.oversized);
        let places = self.cells.places_of(&rated.groups);
        for entry in &rated.entries {
            if ids.is_duplicate(owner, entry.id) {
                self.duplicates += 1;
                continue;
            }
            let place = usize::try_from(entry.group).ok().and_then(|group| places.get(group));
            if let Some(&place) = place {
                self.cells.add(place, (), entry);
            }
        }
        let again = rated.signals.iter().filter(|signal| ids.is_duplicate(owner, signal.id));
        self.duplicates += again.count() as u64;
        if self.cells.len() > CELLS_MAX {
            self.settle();
        }
    }

    fn call(&mut self, sight: &CallSight<'_>) {
        let entry = sight.entry;
        self.calls.add((entry.kind, entry.outcome), 1);
        self.throttles.seen += u64::from(entry.outcome == Outcome::Throttled);
        if entry.kind == RecordKind::Application {
            // A log that holds failed calls would hold throttled ones.
            self.throttles.would_be_seen |=
                !matches!(entry.outcome, Outcome::Ok | Outcome::Filtered);
        }
        let is_answer = entry.kind == RecordKind::BedrockInvocation
            && entry.outcome == Outcome::Ok
            && entry.tokens.get(TokenClass::Output) > 0;
        if is_answer {
            let missing = [
                entry.stop_reason.is_none(),
                sight.max_tokens.is_none(),
                entry.latency_ms.is_none(),
            ];
            let bodies = &mut self.bodies;
            let [stop_reason, max_tokens, latency] = missing.map(u64::from);
            bodies.answers += 1;
            bodies.no_stop_reason += stop_reason;
            bodies.no_max_tokens += max_tokens;
            bodies.no_latency += latency;
            bodies.missing += u64::from(missing == [true; 3]);
        }
    }

    fn signal(&mut self, signal: &SignalRecord<'_>) {
        self.signals.add(signal.kind, 1);
        for measurement in &signal.measurements {
            let shows = matches!(
                measurement.signal,
                Signal::ApiCalls
                    | Signal::GatewayRequests
                    | Signal::GatewayErrors
                    | Signal::CloudWatchRequests
                    | Signal::LogErrors
            );
            let throttled = Outcome::Throttled.as_str();
            if shows && measurement.labels.iter().any(|value| **value == *throttled) {
                self.throttles.seen += measurement.value;
            }
            self.throttles.would_be_seen |= shows;
        }
    }

    /// Works off the sums by group.
    pub(super) fn settle(&mut self) {
        for (group, (), amounts, _) in std::mem::take(&mut self.cells).finish() {
            self.price(&group, &amounts);
        }
    }

    fn price(&mut self, group: &Group, amounts: &Amounts) {
        for (approximation, calls) in amounts.approximated.iter() {
            self.approximated.add(approximation, calls);
        }
        for ((class, reason), tokens) in amounts.unpriced.iter() {
            let sum = Unpriced {
                input: if class == TokenClass::Output { 0 } else { tokens },
                output: if class == TokenClass::Output { tokens } else { 0 },
            };
            self.add_unpriced((group.series.model.clone(), reason), sum);
        }
        let model = ModelRef::parse(&group.model_id);
        // A label value of full length may be cut, and half an ARN is nothing to paste.
        let is_whole = group.model_id.chars().count() < LABEL_CHARS_MAX;
        let is_arn = group.model_id.starts_with("arn:") && is_whole;
        // What is paid by time has no price of its base, so to map it is no help.
        let is_free = matches!(model.route, Route::Provisioned | Route::Custom | Route::Imported);
        if model.opaque && is_arn && !is_free && group.series.model == model.model {
            self.add_opaque(group.model_id.clone(), amounts.requests.total());
        }
    }

    fn add_unpriced(&mut self, key: (String, UnpricedReason), sum: Unpriced) {
        if self.unpriced.len() >= MODELS_MAX && !self.unpriced.contains_key(&key) {
            self.more_models = true;
            return;
        }
        let known = self.unpriced.entry(key).or_default();
        known.input += sum.input;
        known.output += sum.output;
    }

    fn add_opaque(&mut self, arn: String, calls: u64) {
        if self.opaque.len() >= MODELS_MAX && !self.opaque.contains_key(&arn) {
            self.more_models = true;
            return;
        }
        *self.opaque.entry(arn).or_default() += calls;
    }

    /// Adds what another thread found of the same source.
    pub(super) fn merge(&mut self, mut other: Self) {
        other.settle();
        self.bytes += other.bytes;
        self.calls.merge(&other.calls);
        self.signals.merge(&other.signals);
        self.lines.merge(&other.lines);
        self.shapes.merge(other.shapes);
        self.times.merge(other.times);
        self.order.merge(other.order);
        self.duplicates += other.duplicates;
        self.throttles.seen += other.throttles.seen;
        self.throttles.would_be_seen |= other.throttles.would_be_seen;
        self.bodies.answers += other.bodies.answers;
        self.bodies.no_stop_reason += other.bodies.no_stop_reason;
        self.bodies.no_max_tokens += other.bodies.no_max_tokens;
        self.bodies.no_latency += other.bodies.no_latency;
        self.bodies.missing += other.bodies.missing;
        self.approximated.merge(&other.approximated);
        self.more_models |= other.more_models;
        other.unpriced.into_iter().for_each(|(key, sum)| self.add_unpriced(key, sum));
        other.opaque.into_iter().for_each(|(arn, calls)| self.add_opaque(arn, calls));
    }

    /// Returns the records by kind.
    pub(super) fn kinds(&self) -> Counts<RecordKind> {
        let mut kinds = self.signals.clone();
        for ((kind, _), count) in self.calls.iter() {
            kinds.add(kind, count);
        }
        kinds
    }

    /// Returns what was rejected, by reason.
    pub(super) fn rejected(&self) -> Counts<Reject> {
        let mut rejected = Counts::default();
        for ((_, result), count) in self.lines.iter() {
            if let LineResult::Rejected(reject) = result {
                rejected.add(reject, count);
            }
        }
        rejected
    }
}
