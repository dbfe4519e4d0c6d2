//! How much there is of what no sum tells: sources that have counters. Kept in the summary of a fold, so
//! that it is noticed when keys vanish whole. It must never count what is in the journal only.

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use crate::ledger::delta::Ingest;

/// What was folded, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Census {
    sources: u64,
    lines: u64,
}

impl Census {
    /// Counts the counters of sources.
    pub(super) fn of<'i>(counters: impl IntoIterator<Item = &'i Ingest>) -> Self {
        let mut census = Self::default();
        for ingest in counters {
            census.sources += 1;
            census.lines = census.lines.wrapping_add(ingest.lines.total());
        }
        census
    }

    /// Fails if less, or more, was `found` than was folded.
    pub(super) fn check(&self, found: &Self) -> Result<(), StoreError> {
        if self == found {
            return Ok(());
        }
        let what = format!(
            "it holds counters of {} sources with {} lines, where {} with {} were committed",
            found.sources, found.lines, self.sources, self.lines
        );
        Err(StoreError::Corrupt { what })
    }
}
