//! The records found so far: the first ones in the order of the inputs, and how many there are.

use std::collections::BTreeMap;
use std::ops::Range;

use super::criteria::tokens_of;
use crate::ledger::counts::Counts;
use crate::ledger::meter::{CallSight, Sight, SignalSight};
use crate::model::error_class;
use crate::model::money::Usd;
use crate::model::names::{LineResult, Outcome, RecordKind, Reject};
use crate::model::series::{LABEL_CHARS_MAX, label_value};
use crate::model::time::UnixMillis;
use crate::model::tokens::TokenCounts;
use crate::price::Charge;
use crate::source::file::lines::Admitted;

/// Bytes of a line that `--show-body` keeps: more than anybody reads on a terminal, and few enough
/// that the matches fit in memory.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Where a record stands: the input, the offset of its line, and the records before it.
type Place = (usize, u64, u64);

/// The records found by one thread or by all.
pub(super) struct Matches {
    limit: usize,
    bodies: bool,
    found: BTreeMap<Place, Found>,
    /// Records that fit, kept or not.
    pub(super) total: u64,
    /// Records that would fit if their dollars were known.
    pub(super) cost_unknown: u64,
    /// Lines that were not records.
    pub(super) rejected: Counts<(Option<RecordKind>, LineResult)>,
}

/// A record that fits.
pub(super) struct Found {
    pub(super) input: usize,
    pub(super) offset: u64,
    pub(super) at: UnixMillis,
    pub(super) kind: RecordKind,
    pub(super) model: String,
    /// As logged.
    pub(super) model_id: String,
    pub(super) principal: String,
    /// How it ended, if the log tells.
    pub(super) outcome: Option<Outcome>,
    /// What to do about it, if it failed.
    pub(super) hint: Option<&'static str>,
    pub(super) request_id: Option<String>,
    /// What it cost; only calls cost something.
    pub(super) cost: Option<Cost>,
    pub(super) body: Option<String>,
}

/// What a call used and cost.
pub(super) struct Cost {
    pub(super) tokens: TokenCounts,
    pub(super) charge: Charge,
    pub(super) reported: Option<Usd>,
}

impl Matches {
    pub(super) fn new(limit: usize, bodies: bool) -> Self {
        Self {
            limit,
            bodies,
            found: BTreeMap::new(),
            total: 0,
            cost_unknown: 0,
            rejected: Counts::default(),
        }
    }

    pub(super) fn oversized(&mut self, lines: u64) {
        if lines > 0 {
            self.rejected.add((None, LineResult::Rejected(Reject::Oversized)), lines);
        }
    }

    /// Adds a record of a chunk. Of too many, those at the end are dropped, whoever found them.
    pub(super) fn add(&mut self, input: usize, chunk: &Admitted, sight: &Sight<'_>) {
        let at = match sight {
            Sight::Call(call) => &call.place,
            Sight::Signal(signal) => &signal.place,
        };
        let offset = chunk.offset_of(at.start);
        let place = (input, offset, self.total);
        self.total += 1;
        let full = self.found.len() >= self.limit;
        if full && self.found.last_key_value().is_some_and(|(last, _)| *last < place) {
            return;
        }
        let found = match sight {
            Sight::Call(call) => Found::of_call(call),
            Sight::Signal(signal) => Found::of_signal(signal),
        };
        let body = self.bodies.then(|| body(&chunk.lines, at));
        self.found.insert(place, Found { input, offset, body, ..found });
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.found.len() > self.limit {
            self.found.pop_last();
        }
    }

    pub(super) fn merged(limit: usize, parts: Vec<Self>) -> Self {
        let mut all = Self::new(limit, false);
        for part in parts {
            all.total += part.total;
            all.cost_unknown += part.cost_unknown;
            all.rejected.merge(&part.rejected);
            all.found.extend(part.found);
            all.shrink();
        }
        all
    }

    /// Returns the records kept, in the order of the inputs and then of their lines.
    pub(super) fn shown(&self) -> impl ExactSizeIterator<Item = &Found> {
        self.found.values()
    }
}

impl Found {
    fn of_call(call: &CallSight<'_>) -> Self {
        let (entry, group) = (call.entry, call.group);
        let tokens = tokens_of(entry);
        let retries_exhausted = entry.retries_exhausted.is_some();
        let context = error_class::Context { retries_exhausted, ..Default::default() };
        Self {
            input: 0,
            offset: 0,
            at: entry.at,
            kind: entry.kind,
            model: group.series.model.clone(),
            model_id: group.model_id.clone(),
            principal: group.series.principal.clone(),
            outcome: Some(entry.outcome),
            hint: error_class::hint(entry.outcome, context),
            request_id: call.request_id.map(shown_id),
            cost: Some(Cost {
                charge: group.card.charge(&tokens),
                tokens,
                reported: entry.reported_cost,
            }),
            body: None,
        }
    }

    fn of_signal(signal: &SignalSight<'_>) -> Self {
        let record = signal.record;
        Self {
            input: 0,
            offset: 0,
            at: record.at.unwrap_or(UnixMillis::UNKNOWN),
            kind: record.kind,
            model: signal.model.to_owned(),
            model_id: record.model_id.as_deref().map(label_value).unwrap_or_default(),
            principal: signal.principal.to_owned(),
            outcome: record.outcome,
            hint: record.outcome.and_then(|outcome| error_class::hint(outcome, record.context)),
            request_id: record.request_id.as_deref().map(shown_id),
            cost: None,
            body: None,
        }
    }
}

/// Returns an id for showing; a log may hold one of any length.
fn shown_id(id: &str) -> String {
    let mut shown: String = id.chars().take(LABEL_CHARS_MAX).collect();
    if shown.len() < id.len() {
        shown.push('…');
    }
    shown
}

/// Returns the line or frame at `place`, cut to [`BODY_BYTES_MAX`].
fn body(lines: &[u8], place: &Range<usize>) -> String {
    let text = lines.get(place.clone()).unwrap_or_default();
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    match text.get(..BODY_BYTES_MAX) {
        Some(cut) if cut.len() < text.len() => {
            let more = text.len().saturating_sub(cut.len());
            format!("{}… and {more} bytes more", String::from_utf8_lossy(cut))
        }
        _ => String::from_utf8_lossy(text).into_owned(),
    }
}
