//! What is stored, and how it becomes a [`Ledger`] again.
//!
//! A commit writes one journal entry: the whole delta, positions and ids and amounts in one atomic
//! batch. Now and then a fold moves the journal into keys of their own. Opening reads those keys
//! and then applies the journal, through the same `Ledger::apply` as a running daemon.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::engine::{Engine, WriteBatch, each};
use super::error::StoreError;
use super::keys::{self, prefix};
use super::pending::{Block, Pending};
use crate::ledger::amounts::Amounts;
use crate::ledger::counts::Counts;
use crate::ledger::delta::{Delta, Grand, IdList, Ingest, SeriesId};
use crate::ledger::position::{LogId, LogPosition};
use crate::ledger::rollup::{Bucket, Horizons, Level};
use crate::ledger::state::{Ledger, Settings};
use crate::model::names::Capped;
use crate::model::series::SeriesKey;
use crate::model::time::UnixMillis;

/// Version of the layout of keys and values. A build reads every version up to its own.
pub const SCHEMA_VERSION: u32 = 1;
/// Largest part of a journal entry; safely below what sled keeps in its synced file.
const JOURNAL_PART_BYTES: usize = 96 << 10;
/// Ids in one stored chunk: 64 KiB.
const IDS_PER_CHUNK: usize = 8_192;
/// Blocks that one fold moves to a coarser level; bounds how long a commit can wait for a fold.
const COMPACTIONS_PER_FOLD: usize = 256;

/// A ledger's store.
pub struct LedgerStore {
    engine: Box<dyn Engine>,
    pending: Pending,
    identity: Identity,
}

/// What is drawn once when a store is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Secret key of the hashes of request ids.
    pub seed: u64,
    /// When the store was made; counters are monotone since then.
    pub created: UnixMillis,
}

/// State of the last fold that belongs to no key of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Meta {
    identity: Identity,
    number: u64,
    horizons: Horizons,
    newest: UnixMillis,
    overflow: Counts<Capped>,
    grand: Grand,
}

impl LedgerStore {
    /// Opens what `engine` holds; `fresh` is the identity to take if it holds nothing.
    ///
    /// Fails if the parts do not belong together (see [`Grand`]).
    pub fn open(
        engine: Box<dyn Engine>,
        settings: Settings,
        fresh: Identity,
    ) -> Result<(Self, Ledger), StoreError> {
        let mut ledger = Ledger::new(settings);
        let mut store = Self { engine, pending: Pending::default(), identity: fresh };
        match store.engine.get(keys::SCHEMA)? {
            None => store.create()?,
            Some(version) => check_schema(&version)?,
        }
        store.load_folded(&mut ledger)?;
        store.replay_journal(&mut ledger)?;
        check_grand(&ledger)?;
        Ok((store, ledger))
    }

    /// Returns the identity drawn when the store was made.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns the bytes taken on disk.
    pub fn bytes_on_disk(&self) -> u64 {
        self.engine.bytes_on_disk()
    }

    /// Makes a delta durable. Only after this may it be applied and shown.
    pub fn commit(&mut self, delta: &Delta) -> Result<(), StoreError> {
        let bytes = encode(delta)?;
        let mut batch = WriteBatch::default();
        let mut written = Vec::new();
        for (part, chunk) in (0..).zip(bytes.chunks(JOURNAL_PART_BYTES)) {
            let key = keys::journal(delta.number, part);
            written.push(key.clone());
            batch.put(key, chunk.to_vec());
        }
        self.engine.commit(batch)?;
        self.pending.absorb(delta, written, bytes.len());
        Ok(())
    }

    /// Tells whether the journal is so large that it should be folded now.
    pub fn fold_is_due(&self) -> bool {
        self.pending.fold_is_due()
    }

    /// Tells whether the journal holds anything.
    pub fn has_journal(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Moves the journal into rollups, totals, positions and ids. `ledger` is the state after the
    /// last commit.
    pub fn fold(&mut self, ledger: &Ledger) -> Result<(), StoreError> {
        let pending = std::mem::take(&mut self.pending);
        let mut batch = WriteBatch::default();
        for (id, key) in &pending.new_series {
            batch.put(keys::series(*id), encode(key)?);
        }
        for (id, _, totals) in ledger.totals().filter(|(id, ..)| pending.touched.contains(id)) {
            batch.put(keys::totals(id), encode(&**totals)?);
        }
        for log in &pending.positions {
            match ledger.positions().get(log) {
                Some(position) => batch.put(keys::position(*log), encode(position)?),
                None => batch.delete(keys::position(*log)),
            }
        }
        for source in &pending.sources {
            if let Some(ingest) = ledger.ingest().get(source) {
                batch.put(keys::ingest(source), encode(ingest)?);
            }
        }
        self.fold_ids(&pending, ledger.number(), &mut batch)?;
        self.fold_rows(&pending, ledger.horizons(), &mut batch)?;
        for key in pending.journal_keys {
            batch.delete(key);
        }
        batch.put(keys::META.to_vec(), encode(&self.meta(ledger))?);
        self.engine.commit(batch)
    }

    /// Visits every row of `level` whose bucket starts in `from..to`, the journal included.
    pub fn rows(
        &self,
        level: Level,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(Bucket, SeriesId, &crate::ledger::amounts::Row),
    ) -> Result<(), StoreError> {
        let start = |at| keys::rollup_block(Bucket::holding(level, at), 0);
        let (from, to) = (start(from), start(to));
        let mut emit = |key: &[u8], block: &Block| {
            if let Some((bucket, number)) = keys::rollup_parts(key) {
                for (place, row) in block {
                    let id = number * keys::SERIES_PER_BLOCK + u32::from(*place);
                    visit(bucket, SeriesId(id), row);
                }
            }
        };
        each(&*self.engine, &from, &to, |key, value| {
            emit(key, &decode(key, value)?);
            Ok(())
        })?;
        for (key, block) in self.pending.blocks.range(from..to) {
            emit(key, block);
        }
        Ok(())
    }

    fn create(&mut self) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        batch.put(keys::SCHEMA.to_vec(), SCHEMA_VERSION.to_be_bytes().to_vec());
        let meta = Meta {
            identity: self.identity,
            number: 0,
            horizons: Horizons::default(),
            newest: UnixMillis(0),
            overflow: Counts::default(),
            grand: Grand::default(),
        };
        batch.put(keys::META.to_vec(), encode(&meta)?);
        self.engine.commit(batch)
    }

    fn meta(&self, ledger: &Ledger) -> Meta {
        Meta {
            identity: self.identity,
            number: ledger.number(),
            horizons: ledger.horizons(),
            newest: ledger.newest(),
            overflow: ledger.overflow().clone(),
            grand: ledger.grand().clone(),
        }
    }

    /// Applies the folded keys as if they were one large delta.
    fn load_folded(&mut self, ledger: &mut Ledger) -> Result<(), StoreError> {
        let meta = self.engine.get(keys::META)?.ok_or_else(|| StoreError::Corrupt {
            what: "its summary (key `m`) is missing".to_owned(),
        })?;
        let meta: Meta = decode(keys::META, &meta)?;
        self.identity = meta.identity;
        let mut folded = Delta {
            number: meta.number,
            overflow: meta.overflow,
            horizons: meta.horizons,
            newest: meta.newest,
            grand: meta.grand,
            ..Delta::default()
        };
        self.each_of(prefix::SERIES, |key, value: SeriesKey| {
            folded.new_series.push((series_of(key)?, value));
            Some(())
        })?;
        self.each_of(prefix::POSITION, |key, value: LogPosition| {
            folded.positions.push((log_of(key)?, value));
            Some(())
        })?;
        self.each_of(prefix::INGEST, |key, value: Ingest| {
            let source = std::str::from_utf8(key.get(1..)?).ok()?;
            folded.ingest.push((source.to_owned(), value));
            Some(())
        })?;
        ledger.apply(&folded);
        self.each_of(prefix::TOTALS, |key, value: Amounts| {
            ledger.restore_totals(series_of(key)?, value);
            Some(())
        })?;
        self.each_of(prefix::IDS, |key, value: IdList| {
            ledger.restore_ids(keys::ids_slice(key)?, &value.0);
            Some(())
        })
    }

    fn replay_journal(&mut self, ledger: &mut Ledger) -> Result<(), StoreError> {
        let (from, to) = keys::all(prefix::JOURNAL);
        let mut entries: BTreeMap<u64, (Vec<Vec<u8>>, Vec<u8>)> = BTreeMap::new();
        each(&*self.engine, &from, &to, |key, value| {
            let number = keys::journal_number(key).ok_or_else(|| misplaced(key))?;
            let (keys, bytes) = entries.entry(number).or_default();
            keys.push(key.to_vec());
            bytes.extend_from_slice(value);
            Ok(())
        })?;
        for (number, (journal_keys, bytes)) in entries {
            let expected = ledger.number() + 1;
            if number != expected {
                let what = format!("commit {number} follows where {expected} was expected");
                return Err(StoreError::Corrupt { what });
            }
            let delta: Delta = decode(&keys::journal(number, 0), &bytes)?;
            ledger.apply(&delta);
            for (slice, ids) in &delta.ids {
                ledger.restore_ids(*slice, &ids.0);
            }
            self.pending.absorb(&delta, journal_keys, bytes.len());
        }
        Ok(())
    }

    fn fold_ids(
        &self,
        pending: &Pending,
        number: u64,
        batch: &mut WriteBatch,
    ) -> Result<(), StoreError> {
        for evicted in &pending.evicted {
            let (from, to) = (keys::ids_from(evicted.from), keys::ids_from(evicted.to));
            each(&*self.engine, &from, &to, |key, _| {
                batch.delete(key.to_vec());
                Ok(())
            })?;
        }
        for (slice, ids) in &pending.ids {
            for (part, chunk) in (0..).zip(ids.chunks(IDS_PER_CHUNK)) {
                batch.put(keys::ids(*slice, number, part), encode(&IdList(chunk.to_vec()))?);
            }
        }
        Ok(())
    }

    fn fold_rows(
        &self,
        pending: &Pending,
        horizons: Horizons,
        batch: &mut WriteBatch,
    ) -> Result<(), StoreError> {
        let mut blocks: BTreeMap<Vec<u8>, Block> = BTreeMap::new();
        for (key, added) in &pending.blocks {
            let mut block = self.block(key)?;
            merge(&mut block, added);
            blocks.insert(key.clone(), block);
        }
        for level in [Level::Minute, Level::Hour, Level::Day] {
            let Some(horizon) = horizons.of(level) else { continue };
            let first = keys::rollup_block(Bucket { level, start_minute: 0 }, 0);
            let end = keys::rollup_block(Bucket::holding(level, horizon), 0);
            for (key, value) in self.engine.range(&first, &end, COMPACTIONS_PER_FOLD)? {
                let parts = keys::rollup_parts(&key);
                let Some((bucket, number)) = parts else { return Err(misplaced(&key)) };
                let Some(coarser) = bucket.coarser() else { continue };
                let old = match blocks.remove(&key) {
                    Some(block) => block,
                    None => decode(&key, &value)?,
                };
                batch.delete(key);
                let target = keys::rollup_block(coarser, number);
                if !blocks.contains_key(&target) {
                    let stored = if batch.0.get(&target) == Some(&None) {
                        Block::new()
                    } else {
                        self.block(&target)?
                    };
                    blocks.insert(target.clone(), stored);
                }
                if let Some(block) = blocks.get_mut(&target) {
                    merge(block, &old);
                }
            }
        }
        for (key, block) in blocks {
            batch.put(key, encode(&block)?);
        }
        Ok(())
    }

    fn block(&self, key: &[u8]) -> Result<Block, StoreError> {
        match self.engine.get(key)? {
            Some(value) => decode(key, &value),
            None => Ok(Block::new()),
        }
    }

    fn each_of<T: DeserializeOwned>(
        &self,
        prefix: u8,
        mut visit: impl FnMut(&[u8], T) -> Option<()>,
    ) -> Result<(), StoreError> {
        let (from, to) = keys::all(prefix);
        each(&*self.engine, &from, &to, |key, value| {
            visit(key, decode(key, value)?).ok_or_else(|| misplaced(key))
        })
    }
}

/// Tells whether the sums over all series are those that were stored with the last commit.
fn check_grand(ledger: &Ledger) -> Result<(), StoreError> {
    let mut sum = Grand::default();
    for (_, _, totals) in ledger.totals() {
        sum.add(&totals.row());
    }
    if sum == *ledger.grand() {
        return Ok(());
    }
    let what = format!(
        "its series sum to {} calls and {} dollars where {} and {} were committed",
        sum.requests,
        sum.cost,
        ledger.grand().requests,
        ledger.grand().cost
    );
    Err(StoreError::Corrupt { what })
}

fn check_schema(version: &[u8]) -> Result<(), StoreError> {
    let found = version.try_into().map(u32::from_be_bytes);
    match found {
        Ok(found) if found <= SCHEMA_VERSION => Ok(()),
        Ok(found) => Err(StoreError::NewerSchema { found, supported: SCHEMA_VERSION }),
        Err(_) => {
            Err(StoreError::Corrupt { what: "its schema version is not a number".to_owned() })
        }
    }
}

fn merge(block: &mut Block, added: &Block) {
    for (place, row) in added {
        block.entry(*place).or_default().merge(row);
    }
}

fn series_of(key: &[u8]) -> Option<SeriesId> {
    Some(SeriesId(u32::from_be_bytes(key.get(1..)?.try_into().ok()?)))
}

fn log_of(key: &[u8]) -> Option<LogId> {
    Some(LogId(u64::from_be_bytes(key.get(1..)?.try_into().ok()?)))
}

fn misplaced(key: &[u8]) -> StoreError {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    StoreError::Corrupt { what: format!("there is no such key as {key}") }
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(value)
        .map_err(|error| StoreError::Engine { action: "encode a value", what: error.to_string() })
}

fn decode<'v, T: Deserialize<'v>>(key: &[u8], value: &'v [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(value).map_err(|error| StoreError::undecodable(key, error))
}
