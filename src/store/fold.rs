//! A fold: the journal moves into rollups, totals, positions and ids. It reads the engine and fills
//! batches; it must never write by itself.
//!
//! sled holds on to everything that a batch replaced until the batch is applied, so a fold of many
//! series is one batch for each [`Part`] of them and one for the rest, which also ends the journal.
//! Until then a restart applies the journal to the series whose part was not folded yet.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec;
use super::engine::{Engine, WriteBatch, each, each_key};
use super::error::StoreError;
use super::id_streams::IdStreams;
use super::keys::{self, prefix};
use super::pending::{Block, Blocks, Pending};
use crate::ledger::amounts::Row;
use crate::ledger::delta::SeriesId;
use crate::ledger::rollup::{Bucket, Horizons, Level};
use crate::ledger::signals::SignalRow;
use crate::ledger::state::Ledger;
use crate::model::time::UnixMillis;

/// Fewest blocks of a level that one fold moves to a coarser one. A fold that writes many blocks
/// moves twice as many, so that compaction keeps up with what is written; beyond that it waits for
/// the next fold, so that a commit never waits long for this one.
const COMPACTIONS_MIN: usize = 256;

/// Series that fold together.
pub(super) type Part = Range<SeriesId>;

/// Touched series of one part: with their rows, some 200 keys.
const SERIES_PER_PART: usize = 128;

/// Divides the series that `pending` touches, in order. Rows of one block are of one part.
pub(super) fn parts(pending: &Pending) -> Vec<Part> {
    let touched: Vec<SeriesId> = pending.touched.iter().copied().collect();
    let mut parts: Vec<Part> = Vec::new();
    for some in touched.chunks(SERIES_PER_PART) {
        let from = parts.last().map_or(SeriesId(0), |part| part.end);
        let last = some.last().map_or(0, |last| last.0);
        let block_end = (last / keys::SERIES_PER_BLOCK + 1).saturating_mul(keys::SERIES_PER_BLOCK);
        parts.push(from..SeriesId(block_end));
    }
    parts
}

/// Returns what a fold changes of the labels, totals and rows of a part. `ledger` is the state after
/// the last commit.
pub(super) fn series(
    engine: &dyn Engine,
    pending: &Pending,
    ledger: &Ledger,
    part: &Part,
) -> Result<WriteBatch, StoreError> {
    let mut batch = WriteBatch::default();
    for (id, key) in pending.new_series.iter().filter(|(id, _)| part.contains(id)) {
        codec::put(&mut batch, keys::series(*id), key)?;
    }
    let is_touched = |id: &SeriesId| part.contains(id) && pending.touched.contains(id);
    for (id, _, totals) in ledger.totals().filter(|(id, ..)| is_touched(id)) {
        codec::put(&mut batch, keys::totals(id), &**totals)?;
    }
    for (key, added) in &pending.blocks {
        let (_, number) = keys::rollup_parts(key).ok_or_else(|| codec::misplaced(key))?;
        let first = keys::number_in_block(number, 0).map(SeriesId);
        if first.is_some_and(|first| part.contains(&first)) {
            let mut block = stored_block(engine, key)?;
            merge(&mut block, added);
            codec::put(&mut batch, key.clone(), &block)?;
        }
    }
    for (&(minute, series), added) in
        pending.inflight.iter().filter(|((_, series), _)| part.contains(series))
    {
        let mut sum = added.clone();
        let (from, to) =
            (keys::inflight(minute, series, 0), keys::inflight(minute, series, u16::MAX));
        each(engine, &from, &to, |key, value| {
            sum.merge(&codec::get(key, value)?);
            Ok(())
        })?;
        for (number, piece) in (0..).zip(sum.pieces()) {
            codec::put(&mut batch, keys::inflight(minute, series, number), &piece)?;
        }
    }
    Ok(batch)
}

/// Adds what a fold changes of everything that is not of a series, and the end of the journal.
pub(super) fn rest(
    engine: &dyn Engine,
    pending: &Pending,
    ledger: &Ledger,
    ids: &mut IdStreams,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    signals(engine, pending, ledger, batch)?;
    for log in &pending.positions {
        match ledger.positions().get(log) {
            Some(position) => codec::put(batch, keys::position(*log), position)?,
            None => batch.delete(keys::position(*log)),
        }
    }
    for source in &pending.sources {
        if let Some(ingest) = ledger.ingest().get(source) {
            codec::put(batch, keys::ingest(source), ingest)?;
        }
    }
    for item in &pending.charged {
        if let Some(until) = ledger.charged().get(item) {
            codec::put(batch, keys::charged(item), until)?;
        }
    }
    alerts(pending, ledger, batch)?;
    for (slice, listed) in &pending.ids {
        ids.add(*slice, listed, batch)?;
    }
    for key in &pending.journal_keys {
        batch.delete(key.clone());
    }
    Ok(())
}

/// Adds what a fold changes of alerts, notices and deliveries.
fn alerts(pending: &Pending, ledger: &Ledger, batch: &mut WriteBatch) -> Result<(), StoreError> {
    let alerts = ledger.alerts();
    for key in &pending.alerts {
        match alerts.states().get(key) {
            Some(state) => codec::put(batch, keys::alert(key), &(key, state))?,
            None => batch.delete(keys::alert(key)),
        }
    }
    for number in &pending.notices {
        match alerts.outbox().get(number) {
            Some(notice) => codec::put(batch, keys::notice(*number), &**notice)?,
            None => batch.delete(keys::notice(*number)),
        }
    }
    if !pending.notices.is_empty() {
        for (route, deliveries) in alerts.deliveries() {
            codec::put(batch, keys::deliveries(route), deliveries)?;
        }
    }
    Ok(())
}

/// Adds what a fold changes of signals: there are few of them.
fn signals(
    engine: &dyn Engine,
    pending: &Pending,
    ledger: &Ledger,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    for (id, key) in &pending.new_signals {
        codec::put(batch, keys::signal(*id), key)?;
    }
    let touched = &pending.touched_signals;
    for (id, _, totals) in ledger.signals().filter(|(id, ..)| touched.contains(id)) {
        codec::put(batch, keys::signal_totals(id), &**totals)?;
    }
    for (key, added) in &pending.signal_blocks {
        let mut block = stored_block(engine, key)?;
        merge(&mut block, added);
        codec::put(batch, key.clone(), &block)?;
    }
    Ok(())
}

/// A row of a rollup table: adding is all that a fold does with it.
trait Additive: Default + Serialize + DeserializeOwned {
    fn add(&mut self, other: &Self);
}

impl Additive for Row {
    fn add(&mut self, other: &Self) {
        self.merge(other);
    }
}

impl Additive for SignalRow {
    fn add(&mut self, other: &Self) {
        self.merge(other);
    }
}

/// Returns how old blocks move to coarser buckets, at most as many as keep up with the blocks written.
pub(super) fn compaction(
    engine: &dyn Engine,
    horizons: Horizons,
    pending: &Pending,
) -> Result<WriteBatch, StoreError> {
    let mut batch = WriteBatch::default();
    let Pending { blocks, signal_blocks, inflight, .. } = pending;
    compact::<Row>(engine, prefix::ROLLUP, horizons, blocks.len(), &mut batch)?;
    compact::<SignalRow>(engine, prefix::SIGNAL_ROLLUP, horizons, signal_blocks.len(), &mut batch)?;
    // Calls in flight are kept as long as minutes are.
    let (from, to) = keys::inflight_range(UnixMillis(0), horizons.minutes_from);
    let deleted_max = COMPACTIONS_MIN.max(2 * inflight.len());
    each_key(engine, &from, &to, deleted_max, |key| {
        batch.delete(key.to_vec());
        true
    })?;
    Ok(batch)
}

fn compact<R: Additive>(
    engine: &dyn Engine,
    table: u8,
    horizons: Horizons,
    blocks: usize,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    let mut moved: Blocks<R> = BTreeMap::new();
    let moves_max = COMPACTIONS_MIN.max(2 * blocks);
    // Finer levels first. A block that a finer level has just moved into waits for the next fold,
    // so no level meets a block that this one has deleted.
    for level in [Level::Minute, Level::Hour, Level::Day] {
        let Some(horizon) = horizons.of(level) else { continue };
        let first = keys::rollup_block(table, Bucket { level, start_minute: 0 }, 0);
        let end = keys::rollup_block(table, Bucket::holding(level, horizon, horizons.cuts), 0);
        let mut old_keys = Vec::new();
        each_key(engine, &first, &end, moves_max, |key| {
            old_keys.push(key.to_vec());
            true
        })?;
        for key in old_keys {
            let parts = keys::rollup_parts(&key).ok_or_else(|| codec::misplaced(&key))?;
            let (Some(coarser), number) = (parts.0.coarser(horizons.cuts), parts.1) else {
                continue;
            };
            let old = match moved.remove(&key) {
                Some(block) => block,
                None => stored_block(engine, &key)?,
            };
            batch.delete(key);
            let target = keys::rollup_block(table, coarser, number);
            if !moved.contains_key(&target) {
                moved.insert(target.clone(), stored_block(engine, &target)?);
            }
            if let Some(block) = moved.get_mut(&target) {
                merge(block, &old);
            }
        }
    }
    for (key, block) in moved {
        codec::put(batch, key, &block)?;
    }
    Ok(())
}

fn stored_block<R: Additive>(engine: &dyn Engine, key: &[u8]) -> Result<Block<R>, StoreError> {
    match engine.get(key)? {
        Some(value) => codec::get(key, &value),
        None => Ok(Block::new()),
    }
}

fn merge<R: Additive>(block: &mut Block<R>, added: &Block<R>) {
    for (place, row) in added {
        block.entry(*place).or_default().add(row);
    }
}
