//! What the last commit left to be shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::delivery::Deliveries;
use crate::config::Labels;
use crate::ledger::alerts::Alerts;
use crate::ledger::amounts::Amounts;
use crate::ledger::counts::Counts;
use crate::ledger::delta::Ingest;
use crate::ledger::histogram::Histogram;
use crate::ledger::signals::Tally;
use crate::model::names::Capped;
use crate::model::series::SeriesKey;
use crate::model::signal::SignalKey;
use crate::model::time::UnixMillis;
use crate::price::Book;

/// Everything that can be shown, as of one commit. Cheap to make: series are shared, and only those
/// that the next commit touches are copied.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Series with their totals.
    pub series: Vec<(Arc<SeriesKey>, Arc<Amounts>)>,
    /// Signals with their totals.
    pub signals: Vec<(Arc<SignalKey>, Arc<Tally>)>,
    /// What was read, by source.
    pub ingest: BTreeMap<String, Ingest>,
    /// Calls folded into `other`.
    pub overflow: Counts<Capped>,
    /// The ledger as such.
    pub ledger: LedgerFacts,
    /// Sources by name.
    pub sources: BTreeMap<String, SourceFacts>,
    /// The price book in use.
    pub book: Arc<Book>,
    /// Which labels to show.
    pub labels: Labels,
    /// Alerts that are not over, and what is to be sent.
    pub alerts: Arc<Alerts>,
    /// How the delivery of alerts goes; shared with who delivers them.
    pub deliveries: Arc<Deliveries>,
}

/// The state of the ledger, beside its amounts.
#[derive(Clone, Debug, Default)]
pub struct LedgerFacts {
    /// Bytes on disk.
    pub bytes: u64,
    /// Request ids remembered.
    pub ids: u64,
    /// Slices of request ids forgotten before the window was over, since the start.
    pub ids_evicted_early: u64,
    /// Durations of commits in microseconds, since the start.
    pub commit_us: Histogram,
    /// When the ledger was made.
    pub created: UnixMillis,
    /// When the last commit was made; 0 before the first one.
    pub committed: UnixMillis,
}

/// Upper bounds of [`LedgerFacts::commit_us`].
pub const COMMIT_US_BOUNDS: [u64; 10] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000];

/// The state of a source after its last sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceFacts {
    /// Bytes that are there and not read yet.
    pub backlog_bytes: u64,
    /// Files known.
    pub files: u64,
    /// Files held open.
    pub open_files: u64,
    /// Paths that can't be read.
    pub problems: u64,
}
