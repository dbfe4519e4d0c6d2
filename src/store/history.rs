//! Reading rows from another thread than the one that writes. It must never write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use super::codec::{self, misplaced};
use super::engine::{Reader, each};
use super::error::StoreError;
use super::keys::{self, prefix};
use super::past::Past;
use super::pending::Block;
use crate::ledger::amounts::Row;
use crate::ledger::delta::SeriesId;
use crate::ledger::inflight::Inflight;
use crate::ledger::rollup::{Bucket, Level};
use crate::model::time::{MINUTE_MS, UnixMillis};

/// Reads stored rows. What the last few seconds brought may not be among them yet, but for
/// [`Self::past`].
pub struct History {
    reader: Box<dyn Reader>,
    shared: Arc<Shared>,
}

/// What the store and its readers in other threads agree on.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// A fold moves rows from key to key, so whoever reads the past holds it off meanwhile.
    pub(super) folding: RwLock<()>,
    committed: AtomicU64,
}

impl Shared {
    /// Says that a commit is durable.
    pub(super) fn committed(&self, number: u64) {
        self.committed.store(number, Ordering::Release);
    }

    /// Returns the number of the last commit that is durable.
    pub(super) fn last_commit(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Waits until nobody reads the past.
    pub(super) fn fold(&self) -> RwLockWriteGuard<'_, ()> {
        // The lock guards no data, so a reader that panicked left nothing half done.
        self.folding.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    pub(super) fn new(reader: Box<dyn Reader>, shared: Arc<Shared>) -> Self {
        Self { reader, shared }
    }

    /// Returns everything that is committed by now, the journal included. A fold waits until it is
    /// dropped; commits go on.
    pub fn past(&self) -> Result<Past<'_>, StoreError> {
        Past::open(&*self.reader, &self.shared)
    }

    /// Visits the stored rows of `level` whose bucket starts in `from..to`.
    pub fn rows(
        &self,
        level: Level,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(Bucket, SeriesId, &Row),
    ) -> Result<(), StoreError> {
        let (from, to) = keys::rollup_range(prefix::ROLLUP, level, from, to);
        each(&*self.reader, &from, &to, |key, value| {
            each_row(key, &codec::get(key, value)?, |bucket, number, row| {
                visit(bucket, SeriesId(number), row);
            })
        })
    }

    /// Visits the stored calls in flight of minutes that start in `from..to`, in pieces that add up.
    pub fn inflight(
        &self,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(UnixMillis, SeriesId, &Inflight),
    ) -> Result<(), StoreError> {
        let (from, to) = keys::inflight_range(from, to);
        each(&*self.reader, &from, &to, |key, value| {
            each_piece(key, &codec::get(key, value)?, &mut visit)
        })
    }
}

/// Visits a piece of the calls in flight under `key`.
pub(super) fn each_piece(
    key: &[u8],
    piece: &Inflight,
    mut visit: impl FnMut(UnixMillis, SeriesId, &Inflight),
) -> Result<(), StoreError> {
    let (minute, series) = keys::inflight_parts(key).ok_or_else(|| misplaced(key))?;
    visit(UnixMillis(i64::from(minute) * MINUTE_MS), series, piece);
    Ok(())
}

/// Visits the rows of the block under `key`, with the numbers of their series.
pub(super) fn each_row<R>(
    key: &[u8],
    block: &Block<R>,
    mut visit: impl FnMut(Bucket, u32, &R),
) -> Result<(), StoreError> {
    let (bucket, number) = keys::rollup_parts(key).ok_or_else(|| misplaced(key))?;
    for (place, row) in block {
        let number = keys::number_in_block(number, *place).ok_or_else(|| misplaced(key))?;
        visit(bucket, number, row);
    }
    Ok(())
}
