//! Which ids were seen before, in bounded memory and shared by all threads.
//!
//! What it counts does not depend on the order of the records, as long as it is not full.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ledger::seen::twin;
use crate::model::hash::seeded_hash;

/// Ids remembered, about 20 bytes each.
pub(super) const IDS_MAX: usize = 2_000_000;
/// Parts, so that threads rarely meet.
const SHARDS: usize = 64;

type Set = HashSet<u64, foldhash::fast::FixedState>;

/// The ids seen.
pub(super) struct Ids {
    /// Ids by the source that holds them; empty if there is but one.
    here: Vec<Mutex<Set>>,
    /// Ids in any source.
    anywhere: Vec<Mutex<Set>>,
    shard_max: usize,
    is_full: AtomicBool,
}

impl Ids {
    pub(super) fn new(sources: usize) -> Self {
        Self::with_room_for(IDS_MAX, sources)
    }

    fn with_room_for(ids: usize, sources: usize) -> Self {
        let shards = |count: usize| (0..count).map(|_| Mutex::default()).collect();
        Self {
            here: shards(if sources > 1 { SHARDS } else { 0 }),
            anywhere: shards(SHARDS),
            shard_max: ids / SHARDS,
            is_full: AtomicBool::new(false),
        }
    }

    /// Tells whether the source at `owner` held this id before, and remembers it.
    pub(super) fn is_duplicate(&self, owner: usize, id: Option<u64>) -> bool {
        let Some(id) = id else { return false };
        let is_new = self.insert(&self.anywhere, id);
        if self.here.is_empty() {
            return !is_new;
        }
        !self.insert(&self.here, seeded_hash(&id.to_le_bytes(), owner as u64))
    }

    /// Returns how many ids of one source are also in another.
    pub(super) fn shared(&self) -> u64 {
        if self.here.is_empty() {
            return 0;
        }
        let count = |shards: &[Mutex<Set>]| -> usize {
            shards
                .iter()
                .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len())
                .sum()
        };
        count(&self.here).saturating_sub(count(&self.anywhere)) as u64
    }

    /// Returns how many calls both a service's log and an application's log tell of, in one source or in
    /// two.
    pub(super) fn corroborated(&self) -> u64 {
        let lock = |shard| Mutex::lock(shard).unwrap_or_else(PoisonError::into_inner);
        let sets: Vec<MutexGuard<'_, Set>> = self.anywhere.iter().map(lock).collect();
        let is_there = |id: u64| sets.get(shard_of(id)).is_some_and(|set| set.contains(&id));
        // Of the two, one is the smaller.
        let pairs = sets.iter().flat_map(|set| set.iter().copied());
        pairs.filter(|id| twin(*id) > *id && is_there(twin(*id))).count() as u64
    }

    /// Tells whether there were more ids than can be remembered.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Tells whether an id is new, as far as is remembered.
    fn insert(&self, shards: &[Mutex<Set>], id: u64) -> bool {
        let Some(shard) = shards.get(shard_of(id)) else { return true };
        let mut set = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if set.len() < self.shard_max {
            return set.insert(id);
        }
        let is_new = !set.contains(&id);
        if is_new {
            self.is_full.store(true, Ordering::Relaxed);
        }
        is_new
    }
}

fn shard_of(id: u64) -> usize {
    usize::try_from(id >> 58).unwrap_or(0) % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::seen::told_by;

    fn id(number: u64) -> u64 {
        seeded_hash(&number.to_le_bytes(), 7)
    }

    #[test]
    fn ids_are_counted_alike_in_any_order() {
        let seen = [(0, 1), (0, 2), (0, 1), (1, 1), (2, 1), (1, 2), (1, 2)];
        for turn in 0..seen.len() {
            let ids = Ids::new(3);
            let mut turned = seen;
            turned.rotate_left(turn);
            let within =
                turned.iter().filter(|(owner, n)| ids.is_duplicate(*owner, Some(id(*n)))).count();
            assert_eq!((within, ids.shared(), ids.is_full()), (2, 3, false), "{turn}");
        }
        assert!(!Ids::new(1).is_duplicate(0, None));
        assert_eq!(Ids::new(1).shared(), 0);
    }

    #[test]
    fn calls_that_two_kinds_of_log_tell_of_are_corroborated_in_any_order() {
        let seen =
            [(0, 1, false), (0, 1, true), (0, 2, false), (1, 2, true), (1, 2, true), (0, 3, true)];
        for sources in [1, 2] {
            for turn in 0..seen.len() {
                let ids = Ids::new(sources);
                let mut turned = seen;
                turned.rotate_left(turn);
                for (owner, n, is_application) in turned {
                    ids.is_duplicate(owner % sources, Some(told_by(id(n), is_application)));
                }
                assert_eq!(ids.corroborated(), 2, "{sources} {turn}");
            }
        }
    }

    #[test]
    fn a_full_memory_knows_what_it_knows_and_says_that_it_is_full() {
        let ids = Ids::with_room_for(SHARDS, 1);
        let all: Vec<Option<u64>> = (0..1_000).map(|n| Some(id(n))).collect();
        assert!(!all.iter().any(|id| ids.is_duplicate(0, *id)));
        assert!(ids.is_full());
        assert_eq!(all.iter().filter(|id| ids.is_duplicate(0, **id)).count(), SHARDS);
    }
}
