//! Everything that is committed, as one commit left it, while other threads go on writing: the stored
//! rows and what the journal adds to them. It must never write.
//!
//! A fold moves rows from key to key, and sled's ranges are no snapshots, so a fold waits for readers. A
//! commit only adds a journal entry, of which those up to the last durable one are read.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{PoisonError, RwLockReadGuard};

use super::codec::{self, misplaced};
use super::engine::{Reader, each, first_pair, while_wanted};
use super::error::StoreError;
use super::history::{Shared, each_row};
use super::keys::{self, prefix};
use super::ledger_store::{Meta, number_of};
use super::pending::Pending;
use super::skim::Skim;
use crate::ledger::delta::{Delta, SeriesId};
use crate::ledger::rollup::{Bucket, Horizons, Level};
use crate::model::series::SeriesKey;
use crate::model::time::{MINUTE_MS, UnixMillis};
use crate::query::used::Used;

/// Behind every row that has a date.
const LAST: UnixMillis = UnixMillis(i64::MAX - MINUTE_MS);

/// The rows of all that is committed.
pub struct Past<'h> {
    reader: &'h dyn Reader,
    pending: Pending,
    /// Number of the commit that this is the state of.
    pub number: u64,
    /// Which level holds which time.
    pub horizons: Horizons,
    /// Latest event time.
    pub newest: UnixMillis,
    /// Every series with its labels.
    pub series: BTreeMap<SeriesId, SeriesKey>,
    _no_fold: RwLockReadGuard<'h, ()>,
}

impl<'h> Past<'h> {
    pub(super) fn open(reader: &'h dyn Reader, shared: &'h Shared) -> Result<Self, StoreError> {
        let no_fold = shared.folding.read().unwrap_or_else(PoisonError::into_inner);
        let last = shared.last_commit();
        if one(reader, keys::FOLDED)?.is_some() {
            // Only a fold that failed leaves it; the next start ends that fold.
            return Err(StoreError::Poisoned);
        }
        let meta = one(reader, keys::META)?.ok_or_else(|| StoreError::Corrupt {
            what: "its summary (key `m`) is missing".to_owned(),
        })?;
        let meta: Meta = codec::get(keys::META, &meta)?;
        let mut past = Self {
            reader,
            pending: Pending::default(),
            number: meta.number,
            horizons: meta.horizons,
            newest: meta.newest,
            series: BTreeMap::new(),
            _no_fold: no_fold,
        };
        let (from, to) = keys::all(prefix::SERIES);
        let series = &mut past.series;
        each(reader, &from, &to, |key, value| {
            let number = number_of(key).ok_or_else(|| misplaced(key))?;
            series.insert(SeriesId(number), codec::get(key, value)?);
            Ok(())
        })?;
        past.read_journal(last)?;
        let added = std::mem::take(&mut past.pending.new_series);
        past.series.extend(added);
        Ok(past)
    }

    /// Reads the journal up to the commit with the number `last`.
    fn read_journal(&mut self, last: u64) -> Result<(), StoreError> {
        let (from, to) = (keys::journal(0, 0), keys::journal(last.saturating_add(1), 0));
        let mut entries: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        each(self.reader, &from, &to, |key, value| {
            let (number, _) = keys::journal_parts(key).ok_or_else(|| misplaced(key))?;
            entries.entry(number).or_default().extend_from_slice(codec::get_bytes(key, value)?);
            Ok(())
        })?;
        for (number, bytes) in entries {
            let delta: Delta = codec::decode(&keys::journal(number, 0), &bytes)?;
            if number != self.number + 1 || delta.number != number {
                let expected = self.number + 1;
                let what = format!("commit {number} follows where {expected} was expected");
                return Err(StoreError::Corrupt { what });
            }
            self.number = number;
            self.horizons = delta.horizons;
            self.newest = delta.newest;
            self.pending.absorb(&delta, Vec::new(), bytes.len());
        }
        if self.number == last {
            return Ok(());
        }
        let what = format!("it ends with commit {}, where {last} were made", self.number);
        Err(StoreError::Corrupt { what })
    }

    /// Visits the rows of `level` whose bucket starts in `from..to`, until `visit` says that it is enough;
    /// all rows of [`Level::Ever`], which has no dates. What the journal adds to a stored row comes as a row of
    /// its own.
    pub fn rows(
        &self,
        level: Level,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(Bucket, SeriesId, &Used) -> bool,
    ) -> Result<(), StoreError> {
        let (from, to) = keys::rollup_range(prefix::ROLLUP, level, from, to);
        let mut is_enough = false;
        while_wanted(self.reader, &from, &to, |key, value| {
            is_enough = !skim(key, value, &mut visit)?;
            Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if is_enough {
            return Ok(());
        }
        if from < to {
            for (key, block) in self.pending.blocks.range(from..to) {
                let mut go_on = true;
                each_row(key, block, |bucket, number, row| {
                    go_on = go_on && visit(bucket, SeriesId(number), &Used::from(row));
                })?;
                if !go_on {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Returns where the first of all rows starts; [`Level::Ever`] starts in 1970.
    pub fn oldest(&self) -> Result<Option<UnixMillis>, StoreError> {
        let mut oldest = None;
        for level in [Level::Ever, Level::Day, Level::Hour, Level::Minute] {
            let (from, to) = keys::rollup_range(prefix::ROLLUP, level, UnixMillis(0), LAST);
            let stored = first_pair(self.reader, &from, &to)?.map(|(key, _)| key);
            let pending = self.pending.blocks.range(from..to).next().map(|(key, _)| key.clone());
            for key in stored.into_iter().chain(pending) {
                let (bucket, _) = keys::rollup_parts(&key).ok_or_else(|| misplaced(&key))?;
                oldest =
                    Some(oldest.map_or(bucket.start(), |at: UnixMillis| at.min(bucket.start())));
            }
        }
        Ok(oldest)
    }
}

/// Visits the rows of a stored block; tells whether to go on.
fn skim(
    key: &[u8],
    value: &[u8],
    mut visit: impl FnMut(Bucket, SeriesId, &Used) -> bool,
) -> Result<bool, StoreError> {
    let (bucket, block) = keys::rollup_parts(key).ok_or_else(|| misplaced(key))?;
    let (mut go_on, mut is_sound) = (true, true);
    let seed = Skim(|place, used: &Used| match keys::number_in_block(block, place) {
        Some(number) => go_on = go_on && visit(bucket, SeriesId(number), used),
        None => is_sound = false,
    });
    codec::get_with(key, value, seed)?;
    if is_sound { Ok(go_on) } else { Err(misplaced(key)) }
}

/// Returns the value of `key`.
fn one(reader: &dyn Reader, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let mut end = key.to_vec();
    end.push(0);
    Ok(first_pair(reader, key, &end)?.map(|(_, value)| value))
}
