//! Where bytes come from: sources read logs and emit [`Batch`]es of whole lines and frames.
//!
//! It may use the core and `config`, and it alone opens log files. It must never decode a line or
//! write to the ledger: a batch carries the position to store, and the committer stores it.

pub mod file;

use std::ops::Range;
use std::sync::Arc;

use self::file::lines::LeftOut;
use crate::ledger::position::{LogId, LogPosition};
use crate::model::names::FileChange;
use crate::model::span::Span;

/// Whole lines and frames of one log, with everything that must be committed together with them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The log that the lines are from.
    pub log: LogId,
    /// The bytes of the log that this batch covers: its lines and whatever was skipped among them.
    pub span: Span,
    /// Whole lines, each with its line feed, and frames, which may end without one; so may the last
    /// line of a finished file.
    pub lines: Vec<u8>,
    /// Where in the lines those are that belong together (see `decode::frame`).
    pub frames: Vec<Range<usize>>,
    /// What to store about the log once this batch is counted. Its `offset` is `span.to`.
    pub position: Arc<LogPosition>,
    /// What of the span is not among the lines.
    pub left_out: LeftOut,
    /// Lines that were skipped because they are longer than the limit.
    pub oversized_lines: u64,
    /// Where in the log the first of these begins, if there are any.
    pub oversized_at: u64,
    /// Last lines of finished files that are not whole records.
    pub truncated_lines: u64,
    /// Where in the log the first of these begins, if there are any.
    pub truncated_at: u64,
    /// Bytes that were seen to exist and that no file holds any more.
    pub lost_bytes: u64,
    /// What happened to the file.
    pub changes: Vec<FileChange>,
}
