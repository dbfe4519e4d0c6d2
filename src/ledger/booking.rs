//! Batches on their way into one commit. Filled by [`super::state::Ledger::book`], emptied by
//! [`super::state::Ledger::close`]; it must never outlive a failed commit.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::ops::Range;

use super::alerts::AlertChange;
use super::batch::RatedBatch;
use super::cells::Cells;
use super::delta::Ingest;
use super::new_ids::NewIds;
use super::position::{LogId, LogPosition};
use super::rollup::{Bucket, Horizons};
use super::seen::Evicted;
use super::signals::Tally;
use crate::model::money::Usd;
use crate::model::series::SeriesKey;
use crate::model::signal::SignalKey;
use crate::model::span::SpanError;
use crate::model::time::UnixMillis;

/// Whether stored request ids could be read.
pub type StoredResult = Result<(), Box<dyn Error + Send + Sync>>;

/// Takes request ids, list by list.
pub type TakeIds<'t> = dyn FnMut(&[u64]) + 't;

/// Where committed request ids are: hands over those of slices that begin within a time.
pub type StoredIds<'s> = dyn Fn(Range<UnixMillis>, &mut TakeIds<'_>) -> StoredResult + 's;

/// Batches that wait for their commit.
#[derive(Debug, Default)]
pub struct Booking {
    pub(super) cells: Cells<Bucket>,
    pub(super) signals: BTreeMap<(SignalKey, Bucket), Tally>,
    pub(super) ids: BTreeMap<UnixMillis, NewIds>,
    pub(super) evicted: Vec<Evicted>,
    pub(super) positions: BTreeMap<LogId, LogPosition>,
    /// What items that are not paid by token cost, and up to when those paid by time are charged.
    pub(super) charges: Vec<(SeriesKey, BTreeMap<Bucket, Usd>)>,
    pub(super) charged: BTreeMap<String, UnixMillis>,
    pub(super) forgotten: BTreeSet<LogId>,
    pub(super) ingest: BTreeMap<String, Ingest>,
    pub(super) alerts: Vec<AlertChange>,
    pub(super) records: u64,
    pub(super) newest: UnixMillis,
    pub(super) horizons: Horizons,
}

/// Why a batch can't be booked. Nothing may be counted any more.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// Committed request ids can't be read, so it can't be told whether calls were counted before.
    #[error("can't tell whether calls of {} were counted before", slice.second_text())]
    Stored {
        /// Their slice.
        slice: UnixMillis,
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A reader broke the order of a log.
    #[error("a piece of log {} (`{path}`) does not continue what is counted; stop and report this", log.0)]
    Order {
        /// The log.
        log: LogId,
        /// Its path.
        path: String,
        /// How the piece, the stored position and the next position disagree.
        #[source]
        source: SpanError,
    },
    /// A record refers to labels and prices that its batch does not carry.
    #[error("a record of log {} (`{path}`) is of group {group}, which is missing; stop and report this", log.0)]
    Group {
        /// The log.
        log: LogId,
        /// Its path.
        path: String,
        /// Place of the group in the batch.
        group: u32,
    },
}

impl Booking {
    /// Returns how many records were booked.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Returns how many cells were touched.
    pub fn cells(&self) -> usize {
        let charges = self.charges.iter().map(|(_, costs)| costs.len()).sum::<usize>();
        self.cells.len() + self.signals.len() + charges
    }

    /// Tells whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
            && self.forgotten.is_empty()
            && self.ingest.is_empty()
            && self.alerts.is_empty()
            && self.charges.is_empty()
            && self.charged.is_empty()
    }

    /// Returns by which levels amounts are booked.
    pub fn horizons(&self) -> &Horizons {
        &self.horizons
    }

    /// Returns how many bytes of a source wait here.
    pub fn bytes_of(&self, source: &str) -> u64 {
        self.ingest.get(source).map_or(0, |ingest| ingest.bytes)
    }

    /// Adds what an item costs that is not paid by token, at the time `at`.
    pub fn charge(&mut self, key: &SeriesKey, at: UnixMillis, cost: Usd) {
        let bucket = self.horizons.bucket(at);
        match self.charges.iter_mut().find(|(known, _)| known == key) {
            Some((_, costs)) => *costs.entry(bucket).or_default() += cost,
            None => self.charges.push((key.clone(), BTreeMap::from([(bucket, cost)]))),
        }
    }

    /// Says up to when an item that is paid by time is charged.
    pub fn charged_until(&mut self, item: &str, until: UnixMillis) {
        self.charged.insert(item.to_owned(), until);
    }

    /// Adds changes of alerts, in order.
    pub fn change_alerts(&mut self, changes: Vec<AlertChange>) {
        self.alerts.extend(changes);
    }

    /// Hands over all ids of a slice, committed or booked here.
    pub(super) fn each_id(
        &self,
        slice: &Range<UnixMillis>,
        stored: &StoredIds<'_>,
        take: &mut TakeIds<'_>,
    ) -> Result<(), BookError> {
        stored(slice.clone(), take)
            .map_err(|source| BookError::Stored { slice: slice.start, source })?;
        for (_, ids) in self.ids.range(slice.clone()) {
            take(ids.apart());
            take(ids.listed());
        }
        Ok(())
    }

    /// Drops the ids of slices that were forgotten after they were booked, so that the commit holds
    /// what is remembered and nothing else.
    pub(super) fn forget_ids(&mut self, evicted: Vec<Evicted>) {
        for evicted in evicted {
            self.ids.retain(|&slice, _| !evicted.holds(slice));
            self.evicted.push(evicted);
        }
    }
}

impl BookError {
    pub(super) fn order(batch: &RatedBatch, source: SpanError) -> Self {
        Self::Order { log: batch.log, path: path_of(batch), source }
    }

    pub(super) fn group(batch: &RatedBatch, group: u32) -> Self {
        Self::Group { log: batch.log, path: path_of(batch), group }
    }
}

fn path_of(batch: &RatedBatch) -> String {
    String::from_utf8_lossy(&batch.position.path).into_owned()
}
