//! Request ids on disk: one stream for each slice, eight bytes an id, and a key that says how much of the
//! stream counts. The key changes with each batch that writes to the stream, and goes with the batch that
//! forgets the slice. It must never hold ids in memory.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::codec::{self, misplaced};
use super::engine::{Engine, StreamPart, WriteBatch, each};
use super::error::StoreError;
use super::keys::{self, prefix};
use crate::ledger::new_ids::{bytes_of, ids_of};
use crate::ledger::seen::Evicted;
use crate::model::time::UnixMillis;

/// An odd number without a pattern (that of FNV-1a), so that a digest tells order and every bit.
const DIGEST_FACTOR: u64 = 0x0100_0000_01b3;
const ID_BYTES: u64 = size_of::<u64>() as u64;

/// The streams of all slices.
#[derive(Debug, Default)]
pub(super) struct IdStreams(BTreeMap<UnixMillis, IdStream>);

/// What counts of one stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct IdStream {
    number: u64,
    ids: u64,
    digest: u64,
}

impl IdStreams {
    /// Reads what `engine` says of them.
    pub(super) fn load(engine: &dyn Engine) -> Result<Self, StoreError> {
        let mut streams = BTreeMap::new();
        let (from, to) = keys::all(prefix::IDS);
        each(engine, &from, &to, |key, value| {
            let slice = keys::ids_slice(key).ok_or_else(|| misplaced(key))?;
            streams.insert(slice, codec::get(key, value)?);
            Ok(())
        })?;
        Ok(Self(streams))
    }

    /// Ends the streams of forgotten slices.
    pub(super) fn forget(&mut self, evicted: &[Evicted], batch: &mut WriteBatch) {
        let is_forgotten = |slice| evicted.iter().any(|evicted| evicted.holds(slice));
        for (slice, stream) in self.0.extract_if(.., |slice, _| is_forgotten(*slice)) {
            batch.delete(keys::ids(slice));
            batch.ended.push(stream.number);
        }
    }

    /// Adds ids to a slice.
    pub(super) fn add(
        &mut self,
        slice: UnixMillis,
        ids: &[u64],
        batch: &mut WriteBatch,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        // Also none that this batch ends.
        let taken = self.0.values().map(|stream| stream.number).chain(batch.ended.iter().copied());
        let next = taken.max().map_or(0, |number| number + 1);
        let stream = self.0.entry(slice).or_insert(IdStream { number: next, ids: 0, digest: 0 });
        let from = stream.ids * ID_BYTES;
        batch.written.push(StreamPart { stream: stream.number, from, bytes: bytes_of(ids) });
        stream.ids += ids.len() as u64;
        stream.digest = digest(stream.digest, ids);
        codec::put(batch, keys::ids(slice), stream)
    }

    /// Visits the ids of a slice in lists, and returns how many there are.
    pub(super) fn each(
        &self,
        engine: &dyn Engine,
        slice: UnixMillis,
        mut visit: impl FnMut(&[u64]),
    ) -> Result<u64, StoreError> {
        let Some(stream) = self.0.get(&slice) else { return Ok(0) };
        let mut found = 0;
        let mut list = Vec::new();
        engine.read_stream(stream.number, stream.ids.saturating_mul(ID_BYTES), &mut |bytes| {
            list.clear();
            list.extend(ids_of(bytes));
            found = digest(found, &list);
            visit(&list);
        })?;
        if found == stream.digest {
            return Ok(stream.ids);
        }
        let slice = slice.second_text();
        let what = format!("the request ids of {slice} are not those that were committed");
        Err(StoreError::Corrupt { what })
    }

    /// Returns the slices that have a stream, with how many ids it has.
    pub(super) fn counts(&self) -> impl Iterator<Item = (UnixMillis, u64)> {
        self.0.iter().map(|(slice, stream)| (*slice, stream.ids))
    }

    /// Returns the numbers of the streams.
    pub(super) fn numbers(&self) -> BTreeSet<u64> {
        self.0.values().map(|stream| stream.number).collect()
    }
}

fn digest(before: u64, ids: &[u64]) -> u64 {
    ids.iter().fold(before, |digest, id| digest.wrapping_mul(DIGEST_FACTOR).wrapping_add(*id))
}
