//! Which ids were seen before, in bounded memory and shared by all threads.
//!
//! What it counts does not depend on the order of the records, as long as it is not full.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::model::hash::seeded_hash;

/// Ids remembered, about 20 bytes each.
pub(super) const IDS_MAX: usize = 2_000_000;
/// Parts, so that threads rarely meet.
const SHARDS: usize = 64;

type Set = HashSet<u64, foldhash::fast::FixedState>;

/// The ids seen.
pub(super) struct Ids {
    /// Ids by the source that holds them.
    here: Vec<Mutex<Set>>,
    /// Ids in any source; empty if there is but one.
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
            here: shards(SHARDS),
            anywhere: shards(if sources > 1 { SHARDS } else { 0 }),
            shard_max: ids / SHARDS,
            is_full: AtomicBool::new(false),
        }
    }

    /// Tells whether the source at `owner` held this id before, and remembers it.
    pub(super) fn is_duplicate(&self, owner: usize, id: Option<u64>) -> bool {
        let Some(id) = id else { return false };
        self.insert(&self.anywhere, id);
        !self.insert(&self.here, seeded_hash(&id.to_le_bytes(), owner as u64))
    }

    /// Returns how many ids of one source are also in another.
    pub(super) fn shared(&self) -> u64 {
        if self.anywhere.is_empty() {
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

    /// Tells whether there were more ids than can be remembered.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Tells whether an id is new, as far as is remembered.
    fn insert(&self, shards: &[Mutex<Set>], id: u64) -> bool {
        let place = usize::try_from(id >> 58).unwrap_or(0) % SHARDS;
        let Some(shard) = shards.get(place) else { return true };
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_full_memory_knows_what_it_knows_and_says_that_it_is_full() {
        let ids = Ids::with_room_for(SHARDS, 1);
        let all: Vec<Option<u64>> = (0..1_000).map(|n| Some(id(n))).collect();
        assert!(!all.iter().any(|id| ids.is_duplicate(0, *id)));
        assert!(ids.is_full());
        assert_eq!(all.iter().filter(|id| ids.is_duplicate(0, **id)).count(), SHARDS);
    }
}
