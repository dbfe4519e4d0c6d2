//! Rated records on their way from the decoding workers to the ledger.

use std::sync::Arc;

use super::counts::Counts;
use super::position::{LogId, LogPosition};
use crate::model::money::Usd;
use crate::model::names::{
    Approximations, ErrorCode, FileChange, LineResult, Operation, Outcome, RecordKind, Reject,
    StopReason, ThrottleKind,
};
use crate::model::series::SeriesKey;
use crate::model::signal::SignalKey;
use crate::model::span::Span;
use crate::model::time::UnixMillis;
use crate::model::tokens::ByClass;
use crate::price::RateCard;

/// What all entries of one group share: labels and prices. Groups are made by
/// [`super::meter::Meter`] and live as long as any batch refers to them.
#[derive(Debug)]
pub struct Group {
    /// Labels of the series.
    pub series: SeriesKey,
    /// Model id as logged.
    pub model_id: String,
    /// Prices that hold for every entry of the group.
    pub card: RateCard,
}

/// One call, rated. Small, because millions of them wait in queues.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Place of its group in the batch.
    pub group: u32,
    /// When the call was made.
    pub at: UnixMillis,
    /// Keyed hash of account, region and request id; of the request id alone where that is unique
    /// by itself.
    pub id: Option<u64>,
    /// Whether other kinds of log name the call by the same id.
    pub has_shared_id: bool,
    /// Whether the config says that another source tells of the call as well.
    pub is_told_elsewhere: bool,
    /// Which log told it.
    pub kind: RecordKind,
    /// API operation.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Outcome,
    /// Error code, if it failed.
    pub error_code: Option<ErrorCode>,
    /// Retries that the client made before it gave up, where the log tells.
    pub retries_exhausted: Option<u16>,
    /// Which limit a throttled call ran into, where the log tells.
    pub throttle: ThrottleKind,
    /// What the request let the model write at most.
    pub output_limit: OutputLimit,
    /// Why the model stopped.
    pub stop_reason: Option<StopReason>,
    /// Whether it ended well without the output that the log counts.
    pub empty: bool,
    /// Tokens by class, at most [`crate::model::tokens::TOKENS_PER_CALL_MAX`] each.
    pub tokens: ByClass<u32>,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u32,
    /// Duration in milliseconds.
    pub latency_ms: Option<u32>,
    /// Time to the first byte in milliseconds.
    pub first_byte_ms: Option<u32>,
    /// What the application's log claims it cost.
    pub reported_cost: Option<Usd>,
    /// What the decoder had to assume.
    pub approximations: Approximations,
}

/// What a request lets a model write at most: the quota reserves it while the call is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputLimit {
    /// So many tokens.
    Tokens(u32),
    /// The request sets none, so it is all that the model can write.
    Unset,
    /// The log does not hold the request.
    Unknown,
}

/// One record that is no call, on its way to the ledger.
#[derive(Clone, Debug)]
pub struct SignalEntry {
    /// Which log told it.
    pub kind: RecordKind,
    /// When it happened, if the log tells.
    pub at: Option<UnixMillis>,
    /// Keyed hash of what tells it from all others.
    pub id: Option<u64>,
    /// What it measured.
    pub observations: Vec<Observation>,
}

/// One value, or the sum of `count` of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Family and labels.
    pub key: SignalKey,
    /// How many values.
    pub count: u64,
    /// The value, or their sum.
    pub value: u64,
}

/// Everything that is committed together for one piece of one log.
#[derive(Clone, Debug)]
pub struct RatedBatch {
    /// Name of the source.
    pub source: String,
    /// The log.
    pub log: LogId,
    /// The piece of the log.
    pub span: Span,
    /// What to store about the log.
    pub position: Arc<LogPosition>,
    /// Bytes that no file holds any more.
    pub lost_bytes: u64,
    /// What happened to the file.
    pub changes: Vec<FileChange>,
    /// The entries and rejects of its lines.
    pub rated: Rated,
}

/// The records of some lines.
#[derive(Clone, Debug, Default)]
pub struct Rated {
    /// Groups that entries refer to.
    pub groups: Vec<Arc<Group>>,
    /// Records in the order of the lines.
    pub entries: Vec<Entry>,
    /// Records that are no calls, in the order of the lines.
    pub signals: Vec<SignalEntry>,
    /// Lines that were not records.
    pub rejected: Counts<(Option<RecordKind>, LineResult)>,
    /// The first line of each kind of reject: where it begins in the lines.
    pub examples: Vec<(Reject, usize)>,
}

impl Rated {
    /// Drops everything and keeps the memory.
    pub fn clear(&mut self) {
        self.groups.clear();
        self.entries.clear();
        self.signals.clear();
        self.rejected = Counts::default();
        self.examples.clear();
    }
}
