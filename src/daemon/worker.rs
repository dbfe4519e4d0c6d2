//! The workers: batches of lines in, rated batches out.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender};

use super::committer::Message;
use super::quiet::Quiet;
use crate::ledger::batch::RatedBatch;
use crate::ledger::meter::{Meter, Rules};
use crate::model::names::{LineResult, Reject};
use crate::source::Batch;

/// Rejects by source that were complained about.
type Complaints = Quiet<(String, Reject)>;

/// A batch with its number in the order of reading.
pub(super) struct Numbered {
    pub(super) number: u64,
    pub(super) batch: Batch,
}

/// Rates batches until their sender or the committer is gone.
///
/// Calls of the sources `told_elsewhere` are marked as such.
pub(super) fn work(
    rules: Rules,
    told_elsewhere: &BTreeSet<String>,
    batches: &Receiver<Numbered>,
    committer: &SyncSender<Message>,
) {
    let mut meter = Meter::new(rules);
    let mut complaints = Complaints::default();
    while let Ok(Numbered { number, batch }) = batches.recv() {
        let mut rated = rate(&mut meter, &batch, &mut complaints);
        if told_elsewhere.contains(&rated.source) {
            rated.rated.entries.iter_mut().for_each(|entry| entry.is_told_elsewhere = true);
        }
        if committer.send(Message::Rated { number, batch: Box::new(rated) }).is_err() {
            return;
        }
    }
}

fn rate(meter: &mut Meter, batch: &Batch, complaints: &mut Complaints) -> RatedBatch {
    let mut rated = meter.rate(&batch.lines, &batch.frames);
    let skipped = [
        (Reject::Oversized, batch.oversized_lines, batch.oversized_at),
        (Reject::Truncated, batch.truncated_lines, batch.truncated_at),
    ];
    for (reject, lines, offset) in skipped {
        rated.rejected.add((None, LineResult::Rejected(reject)), lines);
        if lines > 0 {
            complain(complaints, batch, reject, offset);
        }
    }
    for &(reject, place) in &rated.examples {
        let offset = batch.span.from.saturating_add(batch.left_out.offset_of(place));
        complain(complaints, batch, reject, offset);
    }
    RatedBatch {
        source: batch.position.source.clone(),
        log: batch.log,
        span: batch.span,
        position: batch.position.clone(),
        lost_bytes: batch.lost_bytes,
        changes: batch.changes.clone(),
        rated,
    }
}

/// Says which lines are not counted. The text of a line is never said.
fn complain(quiet: &mut Complaints, batch: &Batch, reject: Reject, offset: u64) {
    if !quiet.may_say((batch.position.source.clone(), reject)) {
        return;
    }
    tracing::warn!(
        source = %batch.position.source,
        file = %String::from_utf8_lossy(&batch.position.path),
        offset,
        reason = reject.as_str(),
        "a line was not counted; more of this kind are only counted for a minute"
    );
}
