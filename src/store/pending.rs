//! What the journal holds and the rest of the store does not know yet.
//!
//! A commit is one journal entry, so it costs one small write however many series it touches. A
//! *fold* adds many entries to the rollups, totals, positions and ids at once and deletes them.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{self, prefix};
use crate::ledger::alerts::AlertChange;
use crate::ledger::amounts::Row;
use crate::ledger::delta::{Delta, SeriesId};
use crate::ledger::inflight::Inflight;
use crate::ledger::position::LogId;
use crate::ledger::signals::{SignalId, SignalRow};
use crate::model::alert::AlertKey;
use crate::model::series::SeriesKey;
use crate::model::signal::SignalKey;
use crate::model::time::UnixMillis;

/// Rows that make a fold due; bounds the memory that waits for it.
const ROWS_MAX: usize = 4_096;
/// Blocks that make a fold due; each is read and written whole, with up to 64 rows.
const BLOCKS_MAX: usize = 2_048;
/// Seconds of calls in flight that make a fold due: in memory, some 50 bytes each.
const INFLIGHT_SECONDS_MAX: usize = 65_536;
/// Journal bytes that make a fold due; bounds the time a restart needs to read them.
const JOURNAL_BYTES_MAX: usize = 2 << 20;

/// The rows of one rollup block, by place in the block.
pub(super) type Block<R> = BTreeMap<u8, R>;
/// Rollup blocks by key.
pub(super) type Blocks<R> = BTreeMap<Vec<u8>, Block<R>>;

/// Journal entries since the last fold, added up.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) new_series: Vec<(SeriesId, SeriesKey)>,
    pub(super) touched: BTreeSet<SeriesId>,
    /// Rows to add, by key of their block.
    pub(super) blocks: Blocks<Row>,
    /// Calls in flight to add, by minute and series.
    pub(super) inflight: BTreeMap<(u32, SeriesId), Inflight>,
    pub(super) charged: BTreeSet<String>,
    pub(super) new_signals: Vec<(SignalId, SignalKey)>,
    pub(super) touched_signals: BTreeSet<SignalId>,
    /// Rows of signals to add, by key of their block.
    pub(super) signal_blocks: Blocks<SignalRow>,
    pub(super) positions: BTreeSet<LogId>,
    pub(super) sources: BTreeSet<String>,
    pub(super) alerts: BTreeSet<AlertKey>,
    pub(super) notices: BTreeSet<u64>,
    /// Ids that the journal holds.
    pub(super) ids: BTreeMap<UnixMillis, Vec<u64>>,
    pub(super) journal_keys: Vec<Vec<u8>>,
    rows: usize,
    inflight_seconds: usize,
    journal_bytes: usize,
}

impl Pending {
    /// Adds a delta whose journal entry is durable.
    pub(super) fn absorb(&mut self, delta: &Delta, journal_keys: Vec<Vec<u8>>, bytes: usize) {
        self.new_series.extend(delta.new_series.iter().cloned());
        for cell in &delta.cells {
            self.touched.insert(cell.series);
            let number = cell.series.0;
            let key = keys::rollup(prefix::ROLLUP, cell.bucket, number);
            let block = self.blocks.entry(key).or_default();
            let rows_before = block.len();
            block.entry(keys::place_in_block(number)).or_default().merge(&cell.amounts.row());
            self.rows += block.len() - rows_before;
            if !cell.inflight.is_empty() {
                let place = (cell.bucket.start_minute, cell.series);
                let sum = self.inflight.entry(place).or_default();
                let before = sum.seconds();
                sum.merge(&cell.inflight);
                self.inflight_seconds += sum.seconds() - before;
            }
        }
        self.charged.extend(delta.charged.iter().map(|(item, _)| item.clone()));
        self.new_signals.extend(delta.new_signals.iter().cloned());
        for cell in &delta.signal_cells {
            self.touched_signals.insert(cell.signal);
            let number = cell.signal.0;
            let key = keys::rollup(prefix::SIGNAL_ROLLUP, cell.bucket, number);
            let block = self.signal_blocks.entry(key).or_default();
            let rows_before = block.len();
            block.entry(keys::place_in_block(number)).or_default().merge(&cell.tally.row());
            self.rows += block.len() - rows_before;
        }
        self.positions.extend(delta.positions.iter().map(|(log, _)| *log));
        self.positions.extend(&delta.forgotten);
        self.sources.extend(delta.ingest.iter().map(|(source, _)| source.clone()));
        for change in &delta.alerts {
            match change {
                AlertChange::Set(key, _) | AlertChange::Clear(key) => {
                    self.alerts.insert(key.clone());
                }
                AlertChange::Queue(notice) => {
                    self.notices.insert(notice.number);
                }
                AlertChange::Settle { number, .. } => {
                    self.notices.insert(*number);
                }
            }
        }
        for evicted in &delta.evicted {
            self.ids.retain(|&slice, _| !evicted.holds(slice));
        }
        for (slice, ids) in &delta.ids {
            if !ids.listed().is_empty() {
                self.ids.entry(*slice).or_default().extend(ids.listed());
            }
        }
        self.journal_keys.extend(journal_keys);
        self.journal_bytes += bytes;
    }

    pub(super) fn fold_is_due(&self) -> bool {
        self.rows >= ROWS_MAX
            || self.inflight_seconds >= INFLIGHT_SECONDS_MAX
            || self.blocks.len() + self.signal_blocks.len() >= BLOCKS_MAX
            || self.journal_bytes >= JOURNAL_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.journal_keys.is_empty()
    }
}
