//! A fold: the journal moves into rollups, totals, positions and ids, and old rows into coarser
//! buckets, all in one batch. It reads the engine and fills a batch; it must never write by itself.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec;
use super::engine::{Engine, WriteBatch, each};
use super::error::StoreError;
use super::keys::{self, prefix};
use super::pending::{Block, Blocks, Pending};
use crate::ledger::amounts::Row;
use crate::ledger::delta::IdList;
use crate::ledger::rollup::{Bucket, Horizons, Level};
use crate::ledger::signals::SignalRow;
use crate::ledger::state::Ledger;

/// Ids in one stored chunk, eight bytes each: they must fit into the largest value.
const IDS_PER_CHUNK: usize = 600;
/// Fewest blocks of a level that one fold moves to a coarser one. A fold that writes many blocks
/// moves twice as many, so that compaction keeps up with what is written; beyond that it waits for
/// the next fold, so that a commit never waits long for this one.
const COMPACTIONS_MIN: usize = 256;

/// Returns everything that a fold of `pending` changes. `ledger` is the state after the last commit.
pub(super) fn batch(
    engine: &dyn Engine,
    pending: &Pending,
    ledger: &Ledger,
) -> Result<WriteBatch, StoreError> {
    let mut batch = WriteBatch::default();
    for (id, key) in &pending.new_series {
        codec::put(&mut batch, keys::series(*id), key)?;
    }
    for (id, _, totals) in ledger.totals().filter(|(id, ..)| pending.touched.contains(id)) {
        codec::put(&mut batch, keys::totals(id), &**totals)?;
    }
    for (id, key) in &pending.new_signals {
        codec::put(&mut batch, keys::signal(*id), key)?;
    }
    for (id, _, totals) in ledger.signals().filter(|(id, ..)| pending.touched_signals.contains(id))
    {
        codec::put(&mut batch, keys::signal_totals(id), &**totals)?;
    }
    for log in &pending.positions {
        match ledger.positions().get(log) {
            Some(position) => codec::put(&mut batch, keys::position(*log), position)?,
            None => batch.delete(keys::position(*log)),
        }
    }
    for source in &pending.sources {
        if let Some(ingest) = ledger.ingest().get(source) {
            codec::put(&mut batch, keys::ingest(source), ingest)?;
        }
    }
    ids(engine, pending, ledger.number(), &mut batch)?;
    let horizons = ledger.horizons();
    rows(engine, prefix::ROLLUP, &pending.blocks, horizons, &mut batch)?;
    rows(engine, prefix::SIGNAL_ROLLUP, &pending.signal_blocks, horizons, &mut batch)?;
    for key in &pending.journal_keys {
        batch.delete(key.clone());
    }
    Ok(batch)
}

fn ids(
    engine: &dyn Engine,
    pending: &Pending,
    number: u64,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    for evicted in &pending.evicted {
        let (from, to) = (keys::ids_from(evicted.from), keys::ids_from(evicted.to));
        each(engine, &from, &to, |key, _| {
            batch.delete(key.to_vec());
            Ok(())
        })?;
    }
    for (slice, ids) in &pending.ids {
        for (part, chunk) in (0..).zip(ids.chunks(IDS_PER_CHUNK)) {
            codec::put(batch, keys::ids(*slice, number, part), &IdList(chunk.to_vec()))?;
        }
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

fn rows<R: Additive>(
    engine: &dyn Engine,
    table: u8,
    added: &Blocks<R>,
    horizons: Horizons,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    let moves_max = COMPACTIONS_MIN.max(2 * added.len());
    let mut blocks: Blocks<R> = BTreeMap::new();
    for (key, added) in added {
        let mut block = stored_block(engine, key)?;
        merge(&mut block, added);
        blocks.insert(key.clone(), block);
    }
    // Finer levels first. A block that a finer level has just moved into waits for the next fold,
    // so no level meets a block that this fold has deleted.
    for level in [Level::Minute, Level::Hour, Level::Day] {
        let Some(horizon) = horizons.of(level) else { continue };
        let first = keys::rollup_block(table, Bucket { level, start_minute: 0 }, 0);
        let end = keys::rollup_block(table, Bucket::holding(level, horizon), 0);
        let mut old_keys = Vec::new();
        super::engine::each_key(engine, &first, &end, moves_max, |key| {
            old_keys.push(key.to_vec());
        })?;
        for key in old_keys {
            let parts = keys::rollup_parts(&key).ok_or_else(|| codec::misplaced(&key))?;
            let (Some(coarser), number) = (parts.0.coarser(), parts.1) else { continue };
            let old = match blocks.remove(&key) {
                Some(block) => block,
                None => stored_block(engine, &key)?,
            };
            batch.delete(key);
            let target = keys::rollup_block(table, coarser, number);
            if !blocks.contains_key(&target) {
                blocks.insert(target.clone(), stored_block(engine, &target)?);
            }
            if let Some(block) = blocks.get_mut(&target) {
                merge(block, &old);
            }
        }
    }
    for (key, block) in blocks {
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
