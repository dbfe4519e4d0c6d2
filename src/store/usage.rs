//! Answers questions about usage from what is committed.

use super::error::StoreError;
use super::history::History;
use super::past::Past;
use crate::query::answer::State;
use crate::query::{Answer, Question, Refusal, Tally};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The question is not answered.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The rows can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl History {
    /// Answers `question` from everything that is committed by now. `cells_max` bounds the answer: how many
    /// steps all groups may have together.
    pub fn usage(&self, question: &Question, cells_max: usize) -> Result<Answer, UsageError> {
        let past = self.past()?;
        let series = past.series.iter().map(|(id, key)| (*id, key));
        let mut tally = Tally::new(question, past.horizons, series, cells_max);
        for (level, from, to) in tally.ranges() {
            let mut refusal = None;
            past.rows(level, from, to, |bucket, series, row| {
                refusal = tally.add(bucket, series, row).err();
                refusal.is_none()
            })?;
            if let Some(refusal) = refusal {
                return Err(refusal.into());
            }
        }
        let oldest = past.oldest()?;
        let Past { number: commit, newest, .. } = past;
        Ok(tally.finish(State { commit, newest, oldest }))
    }
}
