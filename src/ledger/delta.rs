//! One commit: everything that changes together, as it is written to the store and read back.

use serde::{Deserialize, Serialize};

use super::alerts::{AlertChange, Alerts};
use super::amounts::Amounts;
use super::counts::Counts;
use super::inflight::Inflight;
use super::new_ids::NewIds;
use super::position::{LogId, LogPosition};
use super::rollup::{Bucket, Horizons};
use super::seen::Evicted;
use super::signals::{SignalId, SignalRow, Tally};
use crate::model::money::Usd;
use crate::model::names::{Capped, FileChange, LineResult, RecordKind};
use crate::model::series::SeriesKey;
use crate::model::signal::SignalKey;
use crate::model::time::UnixMillis;
use crate::model::tokens::TokenCounts;

/// Number of a series in one ledger, counted up from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesId(pub u32);

/// What one commit adds to one series in one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The series.
    pub series: SeriesId,
    /// The bucket of event time.
    pub bucket: Bucket,
    /// What is added.
    pub amounts: Box<Amounts>,
    /// When its calls were open; nothing but in buckets of a minute.
    pub inflight: Inflight,
}

/// What one commit adds to one combination of labels of signals in one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalCell {
    /// The combination.
    pub signal: SignalId,
    /// The bucket of event time.
    pub bucket: Bucket,
    /// What is added.
    pub tally: Tally,
}

/// Everything that one commit changes. Applying the deltas of a store in order gives its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// Number of the commit, counted up from 1.
    pub number: u64,
    /// Series that appear for the first time.
    pub new_series: Vec<(SeriesId, SeriesKey)>,
    /// Amounts.
    pub cells: Vec<Cell>,
    /// Combinations of labels of signals that appear for the first time.
    pub new_signals: Vec<(SignalId, SignalKey)>,
    /// Sums of signals.
    pub signal_cells: Vec<SignalCell>,
    /// Request ids counted, by start of their slice; the slice that grew last stands last. They come
    /// after everything in `evicted`.
    pub ids: Vec<(UnixMillis, NewIds)>,
    /// Slices of request ids forgotten.
    pub evicted: Vec<Evicted>,
    /// Up to when each item that is paid by time is charged.
    pub charged: Vec<(String, UnixMillis)>,
    /// Changes of alerts and of the outbox, in order.
    pub alerts: Vec<AlertChange>,
    /// Logs read further.
    pub positions: Vec<(LogId, LogPosition)>,
    /// Logs forgotten.
    pub forgotten: Vec<LogId>,
    /// What was read, by source.
    pub ingest: Vec<(String, Ingest)>,
    /// Calls folded into `other`, by the cap that did it.
    pub overflow: Counts<Capped>,
    /// The horizons that the buckets of this delta were chosen by.
    pub horizons: Horizons,
    /// Latest event time after this commit.
    pub newest: UnixMillis,
    /// Sums over all series after this commit.
    pub grand: Grand,
}

/// What was read from one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingest {
    /// Lines by kind (where it was found) and what became of them.
    pub lines: Counts<(Option<RecordKind>, LineResult)>,
    /// Bytes read, uncompressed.
    pub bytes: u64,
    /// Bytes that no file holds any more.
    pub lost_bytes: u64,
    /// Records older than the deduplication window: counted, but a duplicate may not be noticed.
    pub late_records: u64,
    /// What happened to files.
    pub changes: Counts<FileChange>,
    /// Latest event time, not after the time of reading.
    pub newest: UnixMillis,
}

/// Sums over all series and logs. Stored beside the position, so that a store whose parts do not belong
/// together is noticed when it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grand {
    /// Calls.
    pub requests: u64,
    /// Tokens by class.
    pub tokens: TokenCounts,
    /// Tokens without a price, by class.
    pub unpriced: TokenCounts,
    /// Cost of the tokens that have a price.
    pub cost: Usd,
    /// What is paid by time, bytes or calls.
    pub charge: Usd,
    /// What the applications' own logs claim.
    pub reported_cost: Usd,
    /// Logs that have a position.
    pub logs: u64,
    /// Sum of the offsets of all positions, wrapping around.
    pub offsets: u64,
    /// How many values of signals there are.
    pub signal_values: u64,
    /// Sum of the values of all signals, wrapping around.
    pub signal_sum: u64,
    /// Alerts that are pending or firing.
    pub alerts: u64,
    /// Notices that are to be sent.
    pub notices: u64,
}

impl Grand {
    /// Adds what was summed for a series.
    pub fn add(&mut self, amounts: &Amounts) {
        self.requests += amounts.requests.total();
        self.tokens += &amounts.tokens;
        self.unpriced += &amounts.unpriced_by_class();
        self.cost += amounts.cost.0.iter().copied().sum();
        self.charge += amounts.charge;
        self.reported_cost += amounts.reported_cost;
    }

    /// Adds sums of signals.
    pub fn add_signal(&mut self, row: &SignalRow) {
        self.signal_values = self.signal_values.wrapping_add(row.count);
        self.signal_sum = self.signal_sum.wrapping_add(row.sum);
    }

    /// Adds a position.
    pub fn add_position(&mut self, position: &LogPosition) {
        self.logs = self.logs.wrapping_add(1);
        self.offsets = self.offsets.wrapping_add(position.offset);
    }

    /// Sets how many alerts and notices there are.
    pub fn set_alerts(&mut self, alerts: &Alerts) {
        self.alerts = alerts.states().len() as u64;
        self.notices = alerts.outbox().len() as u64;
    }

    /// Takes back a position that was added.
    pub fn remove_position(&mut self, position: &LogPosition) {
        self.logs = self.logs.wrapping_sub(1);
        self.offsets = self.offsets.wrapping_sub(position.offset);
    }
}

impl Ingest {
    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        self.lines.merge(&other.lines);
        self.bytes += other.bytes;
        self.lost_bytes += other.lost_bytes;
        self.late_records += other.late_records;
        self.changes.merge(&other.changes);
        self.newest = self.newest.max(other.newest);
    }
}
