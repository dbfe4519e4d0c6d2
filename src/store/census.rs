//! How much there is of what no sum tells: sources that have counters, and stored request ids. Kept in
//! the summary of a fold, so that it is noticed when keys vanish whole. It must never count what
//! is in the journal only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::pending::Pending;
use crate::ledger::delta::Ingest;
use crate::ledger::new_ids::IDS_PER_PIECE;
use crate::ledger::seen::Evicted;
use crate::ledger::state::Ledger;
use crate::model::time::UnixMillis;

/// What was folded, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Census {
    sources: u64,
    lines: u64,
    /// Request ids by slice.
    ids: BTreeMap<UnixMillis, u64>,
}

impl Census {
    /// Counts the counters of sources.
    pub(super) fn of<'i>(ingest: impl IntoIterator<Item = &'i (String, Ingest)>) -> Self {
        let mut census = Self::default();
        for (_, ingest) in ingest {
            census.add_source(ingest);
        }
        census
    }

    fn add_source(&mut self, ingest: &Ingest) {
        self.sources += 1;
        self.lines = self.lines.wrapping_add(ingest.lines.total());
    }

    /// Counts ids of a slice.
    pub(super) fn add_ids(&mut self, slice: UnixMillis, ids: usize) {
        *self.ids.entry(slice).or_default() += ids as u64;
    }

    /// Counts what the fold of `pending` stores; `ledger` is the state after it.
    pub(super) fn fold(&mut self, pending: &Pending, ledger: &Ledger) {
        let mut next = Self { ids: std::mem::take(&mut self.ids), ..Self::default() };
        ledger.ingest().values().for_each(|ingest| next.add_source(ingest));
        for evicted in &pending.evicted {
            next.ids.retain(|&slice, _| !evicted.holds(slice));
        }
        for (&slice, ids) in &pending.ids {
            next.add_ids(slice, ids.len());
        }
        for (&slice, stored) in &pending.pieces {
            let pieces: usize = stored.iter().map(|&(_, pieces)| usize::from(pieces)).sum();
            next.add_ids(slice, pieces * IDS_PER_PIECE);
        }
        *self = next;
    }

    /// Fails if less, or more, was `found` than was folded. What the journal says was `evicted` may be
    /// deleted already.
    pub(super) fn check(&self, found: &Self, evicted: &[Evicted]) -> Result<(), StoreError> {
        let corrupt = |what| Err(StoreError::Corrupt { what });
        if (self.sources, self.lines) != (found.sources, found.lines) {
            return corrupt(format!(
                "it holds counters of {} sources with {} lines, where {} with {} were committed",
                found.sources, found.lines, self.sources, self.lines
            ));
        }
        for slice in self.ids.keys().chain(found.ids.keys()) {
            let [known, there] =
                [self, found].map(|census| census.ids.get(slice).copied().unwrap_or(0));
            if known != there && !evicted.iter().any(|evicted| evicted.holds(*slice)) {
                return corrupt(format!(
                    "it holds {there} request ids of {}, where {known} were committed",
                    slice.second_text()
                ));
            }
        }
        Ok(())
    }
}
