//! What is stored, and how it becomes a [`Ledger`] again.
//!
//! A commit writes one journal entry: the whole delta, positions and ids and amounts in one atomic
//! batch. Now and then a fold moves the journal into keys of their own. Opening reads those keys
//! and then applies the journal, through the same `Ledger::apply` as a running daemon.

use std::ops::Range;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::census::Census;
use super::codec::{self, misplaced};
use super::engine::{Engine, WriteBatch, each, first_pair};
use super::error::StoreError;
use super::fold;
use super::history::{History, Shared, each_piece, each_row};
use super::id_streams::IdStreams;
use super::keys::{self, prefix};
use super::pending::{Blocks, Pending};
use crate::ledger::alerts::{AlertChange, Deliveries};
use crate::ledger::amounts::{Amounts, Row};
use crate::ledger::booking::{StoredResult, TakeIds};
use crate::ledger::counts::Counts;
use crate::ledger::delta::{Delta, Grand, Ingest, SeriesId};
use crate::ledger::inflight::Inflight;
use crate::ledger::position::{LogId, LogPosition};
use crate::ledger::rollup::{Bucket, Horizons, Level};
use crate::ledger::signals::{SignalId, SignalRow, Tally};
use crate::ledger::state::{Ledger, Settings};
use crate::model::alert::{AlertKey, AlertState, Notice};
use crate::model::names::Capped;
use crate::model::series::SeriesKey;
use crate::model::signal::SignalKey;
use crate::model::time::{MINUTE_MS, UnixMillis};

/// Version of the layout of keys and values. Versions of builds before the first release are refused: 1
/// had no signals; 2 had no alerts, durations and cuts of hours, and did not say how many request ids
/// and sources there are; 3 had no calls in flight, kinds of logs and costs that are not by token; 4 had
/// all request ids of a commit in the journal, and 5 had them in keys.
pub const SCHEMA_VERSION: u32 = 6;
/// Largest part of a journal entry; with its checksum it must fit into the largest value.
const JOURNAL_PART_BYTES: usize = 5_000;

/// A ledger's store.
pub struct LedgerStore {
    engine: Box<dyn Engine>,
    pending: Pending,
    ids: IdStreams,
    identity: Identity,
    census: Census,
    shared: Arc<Shared>,
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
    pub(super) number: u64,
    pub(super) horizons: Horizons,
    pub(super) newest: UnixMillis,
    overflow: Counts<Capped>,
    grand: Grand,
    /// Number of the last notice that was ever queued.
    last_notice: u64,
    /// Slices of the request ids with how many there are, the one that grew longest ago first.
    slices: Vec<(UnixMillis, u64)>,
    census: Census,
}

impl LedgerStore {
    /// Opens what `engine` holds; `fresh` is the identity to take if it holds nothing.
    ///
    /// Fails if the parts do not belong together (see [`Grand`]), or some are missing.
    pub fn open(
        engine: Box<dyn Engine>,
        settings: Settings,
        fresh: Identity,
    ) -> Result<(Self, Ledger), StoreError> {
        let mut ledger = Ledger::new(settings);
        let mut store = Self {
            engine,
            pending: Pending::default(),
            ids: IdStreams::default(),
            identity: fresh,
            census: Census::default(),
            shared: Arc::default(),
        };
        match store.engine.get(keys::SCHEMA)? {
            None => store.create()?,
            Some(version) => check_schema(&version)?,
        }
        let found = store.load_folded(&mut ledger)?;
        let folded = store.folded()?;
        store.replay_journal(&mut ledger, folded.unwrap_or(SeriesId(0)))?;
        check_grand(&ledger)?;
        store.census.check(&found)?;
        store.restore_ids(&mut ledger)?;
        store.shared.committed(ledger.number());
        if folded.is_some() {
            store.fold(&ledger)?;
        }
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
        let bytes = codec::encode(delta)?;
        let mut batch = WriteBatch::default();
        let mut written = Vec::new();
        for (part, chunk) in (0..).zip(bytes.chunks(JOURNAL_PART_BYTES)) {
            let key = keys::journal(delta.number, part);
            written.push(key.clone());
            codec::put_bytes(&mut batch, key, chunk);
        }
        self.ids.forget(&delta.evicted, &mut batch);
        for (slice, ids) in &delta.ids {
            self.ids.add(*slice, ids.apart(), &mut batch)?;
        }
        self.engine.commit(batch)?;
        self.shared.committed(delta.number);
        self.pending.absorb(delta, written, bytes.len());
        Ok(())
    }

    /// Hands over the committed request ids of slices that begin in `slices`.
    fn each_id(&self, slices: Range<UnixMillis>, take: &mut TakeIds<'_>) -> Result<(), StoreError> {
        for (slice, _) in self.ids.counts().filter(|(slice, _)| slices.contains(slice)) {
            self.ids.each(&*self.engine, slice, &mut *take)?;
        }
        self.pending.ids.range(slices).for_each(|(_, listed)| take(listed));
        Ok(())
    }

    /// Returns where the ledger finds the request ids that are committed here.
    pub fn stored_ids(&self) -> impl Fn(Range<UnixMillis>, &mut TakeIds<'_>) -> StoredResult {
        |slices, take| Ok(self.each_id(slices, take)?)
    }

    /// Tells whether the journal is so large that it should be folded now.
    pub fn fold_is_due(&self) -> bool {
        self.pending.fold_is_due()
    }

    /// Tells whether the journal holds anything.
    pub fn has_journal(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Moves the journal into rollups, totals, positions and ids, and old rows into coarser buckets.
    /// `ledger` is the state after the last commit, and no other commit comes in between.
    pub fn fold(&mut self, ledger: &Ledger) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let _nobody_reads = shared.fold();
        self.census = Census::of(ledger.ingest().values());
        let Self { engine, pending, ids, .. } = self;
        let mut parts = fold::parts(pending);
        let last = parts.pop();
        for part in parts {
            let mut batch = fold::series(&**engine, pending, ledger, &part)?;
            codec::put(&mut batch, keys::FOLDED.to_vec(), &part.end)?;
            engine.commit(batch)?;
        }
        let mut batch = match last {
            Some(part) => fold::series(&**engine, pending, ledger, &part)?,
            None => WriteBatch::default(),
        };
        fold::rest(&**engine, pending, ledger, ids, &mut batch)?;
        batch.delete(keys::FOLDED.to_vec());
        codec::put(&mut batch, keys::META.to_vec(), &self.meta(ledger))?;
        self.engine.commit(batch)?;
        let folded = std::mem::take(&mut self.pending);
        let batch = fold::compaction(&*self.engine, ledger.horizons(), &folded)?;
        if batch.is_empty() { Ok(()) } else { self.engine.commit(batch) }
    }

    /// Visits the rows of `level` whose bucket starts in `from..to`; all rows of [`Level::Ever`],
    /// which has no dates. What the journal adds to a stored row comes as a row of its own.
    pub fn rows(
        &self,
        level: Level,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(Bucket, SeriesId, &Row),
    ) -> Result<(), StoreError> {
        let range = keys::rollup_range(prefix::ROLLUP, level, from, to);
        self.rows_of(range, &self.pending.blocks, |bucket, number, row| {
            visit(bucket, SeriesId(number), row);
        })
    }

    /// Visits the rows of signals like [`Self::rows`].
    pub fn signal_rows(
        &self,
        level: Level,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(Bucket, SignalId, &SignalRow),
    ) -> Result<(), StoreError> {
        let range = keys::rollup_range(prefix::SIGNAL_ROLLUP, level, from, to);
        self.rows_of(range, &self.pending.signal_blocks, |bucket, number, row| {
            visit(bucket, SignalId(number), row);
        })
    }

    /// Visits the calls in flight of minutes that start in `from..to`. One series and minute may come in
    /// pieces, which add up.
    pub fn inflight(
        &self,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(UnixMillis, SeriesId, &Inflight),
    ) -> Result<(), StoreError> {
        let range = keys::inflight_range(from, to);
        each(&*self.engine, &range.0, &range.1, |key, value| {
            each_piece(key, &codec::get(key, value)?, &mut visit)
        })?;
        for (&(minute, series), inflight) in &self.pending.inflight {
            let start = UnixMillis(i64::from(minute) * MINUTE_MS);
            if from <= start && start < to {
                visit(start, series, inflight);
            }
        }
        Ok(())
    }

    /// Returns what reads the stored rows from another thread.
    pub fn history(&self) -> History {
        History::new(self.engine.reader(), Arc::clone(&self.shared))
    }

    fn rows_of<R: DeserializeOwned>(
        &self,
        (from, to): (Vec<u8>, Vec<u8>),
        pending: &Blocks<R>,
        mut visit: impl FnMut(Bucket, u32, &R),
    ) -> Result<(), StoreError> {
        each(&*self.engine, &from, &to, |key, value| {
            each_row(key, &codec::get(key, value)?, &mut visit)
        })?;
        if from < to {
            for (key, block) in pending.range(from..to) {
                each_row(key, block, &mut visit)?;
            }
        }
        Ok(())
    }

    fn create(&mut self) -> Result<(), StoreError> {
        if first_pair(&*self.engine, &[], &[u8::MAX])?.is_some() {
            let what = "it has no schema version, but other keys".to_owned();
            return Err(StoreError::Corrupt { what });
        }
        let mut batch = WriteBatch::default();
        batch.put(keys::SCHEMA.to_vec(), SCHEMA_VERSION.to_be_bytes().to_vec());
        let meta = Meta {
            identity: self.identity,
            number: 0,
            horizons: Horizons::default(),
            newest: UnixMillis(0),
            overflow: Counts::default(),
            grand: Grand::default(),
            last_notice: 0,
            slices: Vec::new(),
            census: Census::default(),
        };
        codec::put(&mut batch, keys::META.to_vec(), &meta)?;
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
            last_notice: ledger.alerts().last_number(),
            slices: ledger.slices().to_vec(),
            census: self.census.clone(),
        }
    }

    /// Applies the folded keys as if they were one large delta. Returns what there was of that which no
    /// sum tells.
    fn load_folded(&mut self, ledger: &mut Ledger) -> Result<Census, StoreError> {
        let meta = self.engine.get(keys::META)?.ok_or_else(|| StoreError::Corrupt {
            what: "its summary (key `m`) is missing".to_owned(),
        })?;
        let meta: Meta = codec::get(keys::META, &meta)?;
        self.identity = meta.identity;
        self.census = meta.census;
        ledger.restore_slices(meta.slices);
        let mut folded = Delta {
            number: meta.number,
            overflow: meta.overflow,
            horizons: meta.horizons,
            newest: meta.newest,
            grand: meta.grand,
            ..Delta::default()
        };
        self.each_of(prefix::SERIES, |key, value: SeriesKey| {
            folded.new_series.push((SeriesId(number_of(key)?), value));
            Some(())
        })?;
        self.each_of(prefix::SIGNAL, |key, value: SignalKey| {
            folded.new_signals.push((SignalId(number_of(key)?), value));
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
        self.each_of(prefix::CHARGED, |key, until: UnixMillis| {
            let item = std::str::from_utf8(key.get(1..)?).ok()?;
            folded.charged.push((item.to_owned(), until));
            Some(())
        })?;
        self.each_of(prefix::ALERT, |_, (key, state): (AlertKey, AlertState)| {
            folded.alerts.push(AlertChange::Set(key, state));
            Some(())
        })?;
        self.each_of(prefix::NOTICE, |_, notice: Notice| {
            folded.alerts.push(AlertChange::Queue(Arc::new(notice)));
            Some(())
        })?;
        ledger.apply(&folded);
        self.each_of(prefix::DELIVERIES, |key, value: Deliveries| {
            let route = std::str::from_utf8(key.get(1..)?).ok()?.to_owned();
            ledger.restore_alerts(|alerts| alerts.restore_deliveries(route, value));
            Some(())
        })?;
        ledger.restore_alerts(|alerts| alerts.restore_last_number(meta.last_notice));
        self.each_of(prefix::TOTALS, |key, value: Amounts| {
            ledger.restore_totals(SeriesId(number_of(key)?), value);
            Some(())
        })?;
        self.each_of(prefix::SIGNAL_TOTALS, |key, value: Tally| {
            ledger.restore_signal(SignalId(number_of(key)?), value);
            Some(())
        })?;
        Ok(Census::of(folded.ingest.iter().map(|(_, ingest)| ingest)))
    }

    /// Gives the ledger the request ids of all slices: those of the streams, and those that the journal
    /// holds.
    fn restore_ids(&mut self, ledger: &mut Ledger) -> Result<(), StoreError> {
        self.ids = IdStreams::load(&*self.engine)?;
        let slices = ledger.slices().to_vec();
        let is_known = |slice| slices.iter().any(|&(known, _)| known == slice);
        for (slice, there) in self.ids.counts().filter(|&(slice, _)| !is_known(slice)) {
            check_ids(slice, there, 0)?;
        }
        let forgotten = ledger.forget_surplus();
        for (place, (slice, known)) in slices.into_iter().enumerate() {
            let listed = self.pending.ids.get(&slice).map_or(&[][..], Vec::as_slice);
            let mut restore = |ids: &[u64]| {
                if place >= forgotten {
                    ledger.restore_ids(slice, ids);
                }
            };
            let stored = self.ids.each(&*self.engine, slice, &mut restore)?;
            restore(listed);
            check_ids(slice, stored + listed.len() as u64, known)?;
        }
        self.engine.end_streams_but(&self.ids.numbers())
    }

    /// Returns the first series that a fold which did not end has left to the journal.
    fn folded(&self) -> Result<Option<SeriesId>, StoreError> {
        let value = self.engine.get(keys::FOLDED)?;
        value.map(|value| codec::get(keys::FOLDED, &value)).transpose()
    }

    /// Applies the journal, but for the amounts of series before `from`, which are folded already.
    fn replay_journal(&mut self, ledger: &mut Ledger, from: SeriesId) -> Result<(), StoreError> {
        let (first, end) = keys::all(prefix::JOURNAL);
        let mut entry = JournalEntry::default();
        let Self { engine, pending, .. } = self;
        each(&**engine, &first, &end, |key, value| {
            let (number, part) = keys::journal_parts(key).ok_or_else(|| misplaced(key))?;
            if part == 0 {
                std::mem::take(&mut entry).replay(ledger, pending, from)?;
                entry.number = number;
            }
            if (number, part) != (entry.number, entry.next_part()) {
                let what = format!("commit {number} has a part {part} but not the one before");
                return Err(StoreError::Corrupt { what });
            }
            entry.bytes.extend_from_slice(codec::get_bytes(key, value)?);
            entry.keys.push(key.to_vec());
            Ok(())
        })?;
        entry.replay(ledger, pending, from)
    }

    fn each_of<T: DeserializeOwned>(
        &self,
        prefix: u8,
        mut visit: impl FnMut(&[u8], T) -> Option<()>,
    ) -> Result<(), StoreError> {
        let (from, to) = keys::all(prefix);
        each(&*self.engine, &from, &to, |key, value| {
            visit(key, codec::get(key, value)?).ok_or_else(|| misplaced(key))
        })
    }
}

/// The parts of one commit, put together.
#[derive(Default)]
struct JournalEntry {
    number: u64,
    keys: Vec<Vec<u8>>,
    bytes: Vec<u8>,
}

impl JournalEntry {
    fn next_part(&self) -> u16 {
        u16::try_from(self.keys.len()).unwrap_or(u16::MAX)
    }

    fn replay(
        self,
        ledger: &mut Ledger,
        pending: &mut Pending,
        from: SeriesId,
    ) -> Result<(), StoreError> {
        let Self { number, keys, bytes } = self;
        let Some(key) = keys.first() else { return Ok(()) };
        let expected = ledger.number() + 1;
        let mut delta: Delta = codec::decode(key, &bytes)?;
        if number != expected || delta.number != expected {
            let what = format!("commit {number} follows where {expected} was expected");
            return Err(StoreError::Corrupt { what });
        }
        delta.cells.retain(|cell| cell.series >= from);
        ledger.apply(&delta);
        pending.absorb(&delta, keys, bytes.len());
        Ok(())
    }
}

/// Fails if there are less or more request ids of a slice than were committed.
fn check_ids(slice: UnixMillis, there: u64, known: u64) -> Result<(), StoreError> {
    if there == known {
        return Ok(());
    }
    let slice = slice.second_text();
    let what = format!("it holds {there} request ids of {slice}, where {known} were committed");
    Err(StoreError::Corrupt { what })
}

/// Tells whether the sums over all series and logs are those that were stored with the last commit.
fn check_grand(ledger: &Ledger) -> Result<(), StoreError> {
    let mut sum = Grand::default();
    for (_, _, totals) in ledger.totals() {
        sum.add(totals);
    }
    for (_, _, totals) in ledger.signals() {
        sum.add_signal(&totals.row());
    }
    for position in ledger.positions().values() {
        sum.add_position(position);
    }
    sum.set_alerts(ledger.alerts());
    if sum == *ledger.grand() {
        return Ok(());
    }
    let of = |grand: &Grand| {
        let Grand { requests, cost, charge, logs, offsets, signal_values, alerts, notices, .. } =
            grand;
        format!(
            "{requests} calls, {cost} and {charge} dollars, {signal_values} values of signals, {offsets} bytes of {logs} logs, {alerts} alerts and {notices} notices"
        )
    };
    let what =
        format!("its parts sum to {}, where {} were committed", of(&sum), of(ledger.grand()));
    Err(StoreError::Corrupt { what })
}

fn check_schema(version: &[u8]) -> Result<(), StoreError> {
    let found = version.try_into().map(u32::from_be_bytes);
    match found {
        Ok(SCHEMA_VERSION) => Ok(()),
        Ok(found @ 1..SCHEMA_VERSION) => Err(StoreError::OlderSchema { found }),
        Ok(found @ SCHEMA_VERSION..) => {
            Err(StoreError::NewerSchema { found, supported: SCHEMA_VERSION })
        }
        Ok(0) | Err(_) => {
            Err(StoreError::Corrupt { what: "its schema version is not a number".to_owned() })
        }
    }
}

pub(super) fn number_of(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(key.get(1..)?.try_into().ok()?))
}

fn log_of(key: &[u8]) -> Option<LogId> {
    Some(LogId(u64::from_be_bytes(key.get(1..)?.try_into().ok()?)))
}
