//! Which request ids were counted lately: deduplication in six bytes an id.
//!
//! A duplicate carries the same event time as the original or one close to it, so ids are kept by
//! *slice* of event time and forgotten slice by slice. An id is 60 bits of a keyed hash beside the 4
//! bits that name its slice: with 3.6 million ids (six hours at 10,000 calls a minute) a new id is
//! taken for a known one once in 3 * 10^11 calls, that is once in sixty years at that rate. Ids that
//! several logs share give one of the bits to tell these logs apart.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::id_table::{ADDED_MAX, DROPPED_BITS, IdTable, SLOT_BITS, SLOTS, SlotSet};
use crate::model::time::UnixMillis;

/// Slices that one window is divided into; with one more the window is covered at any time. As many slices
/// are kept at once as there are slots, the spare ones for late records.
const SLICES_PER_WINDOW: i64 = 12;

/// The bit of an id that tells who told of the call: the service's log or an application's. The tables
/// keep it.
const TELLER_BIT: u64 = 1 << DROPPED_BITS;

/// Most ids that may be inserted after one [`SeenIds::look_up`].
pub const INSERTS_MAX: usize = ADDED_MAX;

/// Returns the id of a call that several logs name alike, as a service's or an application's log
/// tells of it: the two differ in one bit, so each leads to the other.
pub fn told_by(id: u64, is_application: bool) -> u64 {
    if is_application { id | TELLER_BIT } else { id & !TELLER_BIT }
}

/// Returns the id under which the other kind of log tells of the same call.
pub fn twin(id: u64) -> u64 {
    id ^ TELLER_BIT
}

/// The ids counted in a sliding window of event time.
#[derive(Debug)]
pub struct SeenIds {
    slice_ms: i64,
    window_ms: i64,
    ids_max: usize,
    slots: [Slot; SLOTS],
    /// Slot by start of slice.
    live: BTreeMap<UnixMillis, u8>,
    /// The slice of the last new id, with its slot: the next one is mostly of the same.
    last: Option<(UnixMillis, u8)>,
    table: IdTable,
    len: usize,
    clock: u64,
    evicted: Vec<Evicted>,
}

/// Event times `from..to` whose ids are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evicted {
    /// Start of the slice.
    pub from: UnixMillis,
    /// End of the slice.
    pub to: UnixMillis,
    /// Whether the slice was still in the window: too many ids, or too many old slices in use.
    pub early: bool,
}

impl Evicted {
    /// Tells whether the ids of the slice that starts at `slice` are forgotten.
    pub fn holds(&self, slice: UnixMillis) -> bool {
        self.from <= slice && slice < self.to
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    ids: usize,
    touched: u64,
}

/// What [`SeenIds::look_up`] found. The tables keep less of an id than is stored, so what may be known is
/// certain only once it was found among the ids of these slices.
#[derive(Clone, Debug)]
pub struct Guess {
    /// Whether each id may be known.
    pub may_be_known: Vec<bool>,
    /// The slices that these may be of. What was stored when windows were of another length is in the slice
    /// in which its own begins.
    pub slices: Vec<Range<UnixMillis>>,
}

/// What [`SeenIds::insert`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The id is new, and kept from now on.
    New {
        /// The id as it is stored.
        id: u64,
        /// Start of the slice it belongs to.
        slice: UnixMillis,
    },
    /// The id was counted before.
    Duplicate,
}

impl SeenIds {
    /// Returns an empty set that remembers ids for `window_ms` of event time, as long as they are at
    /// most `ids_max`.
    pub fn new(window_ms: i64, ids_max: usize) -> Self {
        Self {
            slice_ms: (window_ms / SLICES_PER_WINDOW).max(1),
            window_ms,
            ids_max: ids_max.max(1),
            slots: [Slot::default(); SLOTS],
            live: BTreeMap::new(),
            last: None,
            table: IdTable::new(),
            len: 0,
            clock: 0,
            evicted: Vec::new(),
        }
    }

    fn slice_of(&self, at: UnixMillis) -> UnixMillis {
        at.floor(self.slice_ms)
    }

    /// Tells of each of `ids` whether it may be known, but for those inserted after the last call of this:
    /// what [`Self::insert`] wants to know about the ids of one batch, asked for all of them at once
    /// because memory answers many questions as fast as one.
    pub fn look_up(&mut self, ids: impl Iterator<Item = Option<u64>> + Clone) -> Guess {
        self.table.settle();
        ids.clone().flatten().for_each(|id| self.table.touch(as_kept(id)));
        let may_hold = |id| self.table.may_hold(as_kept(id));
        let mut may_be_known: Vec<bool> = ids.clone().map(|id| id.is_some_and(may_hold)).collect();
        let mut slots = SlotSet::default();
        // Few ids come so far but those that are known.
        for (id, may_be_known) in ids.zip(&mut may_be_known).filter(|(_, may_be)| **may_be) {
            let found = id.map_or(SlotSet::default(), |id| self.table.slots_of(as_kept(id)));
            *may_be_known = !found.is_empty();
            slots = slots.with(found);
        }
        let slices = self.live.iter().filter(|&(_, &slot)| slots.holds(slot));
        let slices = slices.map(|(&slice, _)| slice..slice.plus(self.slice_ms)).collect();
        Guess { may_be_known, slices }
    }

    /// Keeps the keyed hash `id` of a record made at `at` if it is new. `is_known` is what is certain after
    /// [`Self::look_up`], with no other call of that in between and at most [`INSERTS_MAX`] of this. `newest`
    /// is the latest event time seen; it tells which slices are out of the window.
    pub fn insert(&mut self, id: u64, is_known: bool, at: UnixMillis, newest: UnixMillis) -> Seen {
        let id = as_kept(id);
        if is_known {
            return Seen::Duplicate;
        }
        let (slice, slot) = match self.ready_slot(at) {
            Some(ready) => ready,
            None if self.table.is_fresh(id) => return Seen::Duplicate,
            None => self.slot_for(at, newest),
        };
        if !self.table.add(id | u64::from(slot)) {
            return Seen::Duplicate;
        }
        self.clock += 1;
        self.len += 1;
        if let Some(state) = self.slots.get_mut(usize::from(slot)) {
            state.ids += 1;
            state.touched = self.clock;
        }
        Seen::New { id, slice }
    }

    /// Tells whether `id` was inserted since the last call of [`Self::look_up`].
    pub fn is_fresh(&self, id: u64) -> bool {
        self.table.is_fresh(as_kept(id))
    }

    /// Forgets of `slices` that were kept before a restart, with how many ids each has, as many from the first as
    /// are more than may be kept now, and returns how many these are.
    pub fn forget_surplus(&mut self, slices: &[(UnixMillis, u64)], newest: UnixMillis) -> usize {
        let mut left: u64 = slices.iter().map(|&(_, ids)| ids).sum();
        let is_surplus = |&&(_, ids): &&(UnixMillis, u64)| {
            let is_surplus = left > self.ids_max as u64;
            left -= if is_surplus { ids } else { 0 };
            is_surplus
        };
        let before = self.evicted.len();
        let window_from = self.slice_of(newest.plus(-self.window_ms));
        let surplus = slices.iter().take_while(is_surplus).map(|&(from, _)| {
            // Only itself: where windows were of another length others may begin before it is over.
            Evicted { from, to: from.plus(1), early: from >= window_from }
        });
        self.evicted.extend(surplus);
        self.evicted.len() - before
    }

    /// Keeps ids of a slice that were kept before a restart, all of which are different.
    pub fn restore(&mut self, slice: UnixMillis, ids: &[u64], newest: UnixMillis) {
        for ids in ids.chunks(INSERTS_MAX) {
            self.table.settle();
            for &id in ids {
                self.insert(id, false, slice, newest);
            }
        }
    }

    /// Tells whether a record made at `at` is older than the window, so that a duplicate of it may
    /// have been forgotten.
    pub fn is_late(&self, at: UnixMillis, newest: UnixMillis) -> bool {
        at.0 < newest.0.saturating_sub(self.window_ms)
    }

    /// Tells whether slices were forgotten since they were last taken.
    pub fn has_evicted(&self) -> bool {
        !self.evicted.is_empty()
    }

    /// Returns the slices forgotten since the last call.
    pub fn take_evicted(&mut self) -> Vec<Evicted> {
        std::mem::take(&mut self.evicted)
    }

    /// Returns the slices that hold ids, the one that grew longest ago first.
    pub fn slices(&self) -> Vec<UnixMillis> {
        let mut slices: Vec<_> = self.live.iter().map(|(&slice, &slot)| (slot, slice)).collect();
        slices.sort_by_key(|&(slot, _)| self.touched(slot));
        slices.into_iter().map(|(_, slice)| slice).collect()
    }

    /// Returns how many ids are kept.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether no id is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes that the tables hold.
    pub fn table_bytes(&self) -> usize {
        self.table.bytes()
    }

    /// Returns the slice of `at` with its slot if it is that of the last new id, and nothing has to
    /// be forgotten for one more.
    fn ready_slot(&self, at: UnixMillis) -> Option<(UnixMillis, u8)> {
        let (slice, slot) = self.last.filter(|_| self.len < self.ids_max)?;
        (slice <= at && at < slice.plus(self.slice_ms)).then_some((slice, slot))
    }

    fn slot_for(&mut self, at: UnixMillis, newest: UnixMillis) -> (UnixMillis, u8) {
        while self.len >= self.ids_max && !self.live.is_empty() {
            self.evict_one(newest);
        }
        let slice = self.slice_of(at);
        let slot = match self.live.get(&slice) {
            Some(&slot) => slot,
            None => self.new_slot(slice, newest),
        };
        self.last = Some((slice, slot));
        (slice, slot)
    }

    fn new_slot(&mut self, slice: UnixMillis, newest: UnixMillis) -> u8 {
        if self.live.len() >= SLOTS {
            self.evict_one(newest);
        }
        let mut taken = [false; SLOTS];
        for &slot in self.live.values() {
            if let Some(place) = taken.get_mut(usize::from(slot)) {
                *place = true;
            }
        }
        let free = taken.iter().position(|taken| !taken).unwrap_or(0);
        let slot = u8::try_from(free).unwrap_or(0);
        self.live.insert(slice, slot);
        slot
    }

    /// Forgets the slice that was touched longest ago, preferring those out of the window: while a
    /// backlog of old files is read side by side, their slices stay as long as they are in use.
    fn evict_one(&mut self, newest: UnixMillis) {
        let window_from = self.slice_of(newest.plus(-self.window_ms));
        let victim = self
            .live
            .iter()
            .min_by_key(|&(&slice, &slot)| (slice >= window_from, self.touched(slot)))
            .map(|(&slice, _)| slice);
        let Some(slice) = victim else { return };
        self.remove(slice);
        let to = slice.plus(self.slice_ms);
        self.evicted.push(Evicted { from: slice, to, early: slice >= window_from });
    }

    fn touched(&self, slot: u8) -> u64 {
        self.slots.get(usize::from(slot)).map_or(0, |slot| slot.touched)
    }

    fn remove(&mut self, slice: UnixMillis) {
        let Some(slot) = self.live.remove(&slice) else { return };
        self.last = None;
        self.table.remove_slot(slot);
        if let Some(state) = self.slots.get_mut(usize::from(slot)) {
            self.len -= state.ids;
            *state = Slot::default();
        }
    }
}

/// Returns a hash as it is kept and stored, with room for the slot. 0 means an empty place in the tables,
/// so the one id that would look like it moves aside.
pub(super) fn as_kept(id: u64) -> u64 {
    (id & (u64::MAX << SLOT_BITS)).max(1 << SLOT_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hash::seeded_hash;
    use crate::model::time::HOUR_MS;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn id(number: u64) -> u64 {
        seeded_hash(&number.to_be_bytes(), 7)
    }

    /// The set, and beside it what a store holds, by slice.
    struct Kept {
        seen: SeenIds,
        stored: BTreeMap<UnixMillis, HashSet<u64>>,
    }

    impl Kept {
        fn new(window_ms: i64, ids_max: usize) -> Self {
            Self { seen: SeenIds::new(window_ms, ids_max), stored: BTreeMap::new() }
        }

        /// Tells which ids are known, after a look at the slices of the guess and no others.
        fn known(&mut self, ids: impl Iterator<Item = u64> + Clone) -> Vec<bool> {
            let Guess { may_be_known, slices } = self.seen.look_up(ids.clone().map(Some));
            let stored =
                |id| slices.iter().any(|slice| self.stored[&slice.start].contains(&as_kept(id)));
            may_be_known.into_iter().zip(ids).map(|(may_be, id)| may_be && stored(id)).collect()
        }

        fn insert_known(
            &mut self,
            id: u64,
            is_known: bool,
            at: UnixMillis,
            newest: UnixMillis,
        ) -> Seen {
            let found = self.seen.insert(id, is_known, at, newest);
            for evicted in self.seen.take_evicted() {
                self.stored.retain(|&slice, _| !evicted.holds(slice));
            }
            if let Seen::New { id, slice } = found {
                self.stored.entry(slice).or_default().insert(id);
            }
            found
        }

        /// Inserts an id as a batch of its own.
        fn insert(&mut self, id: u64, at: UnixMillis, newest: UnixMillis) -> Seen {
            let known = self.known(std::iter::once(id));
            self.insert_known(id, known[0], at, newest)
        }
    }

    #[test]
    fn an_id_is_kept_for_the_window_and_forgotten_after_it() {
        let mut seen = Kept::new(6 * HOUR_MS, 1_000_000);
        let at = UnixMillis(1_000 * HOUR_MS);
        assert!(matches!(seen.insert(id(1), at, at), Seen::New { .. }));
        let later = at.plus(6 * HOUR_MS);
        for minute in 0..360 {
            let now = at.plus(minute * 60_000);
            assert!(matches!(
                seen.insert(id(1_000 + minute.unsigned_abs()), now, now),
                Seen::New { .. }
            ));
        }
        assert_eq!(seen.insert(id(1), later, later), Seen::Duplicate);
        for minute in 360..900 {
            let now = at.plus(minute * 60_000);
            assert!(matches!(
                seen.insert(id(1_000 + minute.unsigned_abs()), now, now),
                Seen::New { .. }
            ));
        }
        let now = at.plus(15 * HOUR_MS);
        assert!(matches!(seen.insert(id(1), at, now), Seen::New { .. }));
        assert!(seen.seen.is_late(at, now));
        assert!(!seen.stored.contains_key(&later));
    }

    /// The open table takes up to a megabyte; the rest grows by a sixtieth, in place.
    #[test]
    fn an_id_takes_six_bytes() {
        let mut seen = Kept::new(6 * HOUR_MS, 10_000_000);
        let at = UnixMillis(1_000 * HOUR_MS);
        for batch in 0..1_200u64 {
            let ids = (batch * 1_000..(batch + 1) * 1_000).map(id);
            let known = seen.known(ids.clone());
            for (id, is_known) in ids.zip(known) {
                seen.insert_known(id, is_known, at, at);
            }
            let (bytes, ids) = (seen.seen.table_bytes(), seen.seen.len());
            assert!(bytes <= 1_500_000 + 6 * ids, "{bytes} bytes for {ids} ids");
        }
        assert_eq!(seen.seen.len(), 1_200_000);
    }

    #[test]
    fn every_id_is_known_again_however_many_there_are() {
        let mut seen = Kept::new(6 * HOUR_MS, 10_000_000);
        let at = UnixMillis(1_000 * HOUR_MS);
        let batches: Vec<Vec<u64>> =
            (0..400u64).map(|batch| (0..500).map(|one| id(batch * 500 + one)).collect()).collect();
        for (number, batch) in batches.iter().enumerate() {
            let all = batches.iter().take(number + 1).flatten().copied();
            for id in batch {
                // Once for itself and once more in its own batch.
                let known = seen.known(std::iter::once(*id));
                assert_eq!(known, [false]);
                assert!(matches!(seen.insert_known(*id, false, at, at), Seen::New { .. }));
                assert_eq!(seen.insert_known(*id, false, at, at), Seen::Duplicate);
            }
            if number % 40 == 39 {
                for id in all {
                    assert_eq!(seen.insert(id, at, at), Seen::Duplicate);
                }
            }
        }
        assert_eq!(seen.seen.len(), 200_000);
    }

    #[test]
    fn the_cap_forgets_the_slice_touched_longest_ago() {
        let mut seen = Kept::new(6 * HOUR_MS, 100);
        let at = UnixMillis(1_000 * HOUR_MS);
        for number in 0..300u64 {
            let at = at.plus(i64::try_from(number).unwrap() * 60_000);
            seen.insert(id(number), at, at);
        }
        assert!(seen.seen.len() <= 100);
        let last = at.plus(299 * 60_000);
        assert_eq!(seen.insert(id(299), last, last), Seen::Duplicate);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set_inside_the_window(
            numbers in prop::collection::vec((0u64..9_000, 0i64..360), 0..20_000)
        ) {
            let mut seen = Kept::new(6 * HOUR_MS, 1_000_000);
            let mut plain = HashSet::new();
            let start = UnixMillis(50_000 * HOUR_MS);
            let newest = start.plus(6 * HOUR_MS);
            for (number, minute) in numbers {
                let found = seen.insert(id(number), start.plus(minute * 60_000), newest);
                prop_assert_eq!(matches!(found, Seen::New { .. }), plain.insert(number));
            }
            prop_assert_eq!(seen.seen.len(), plain.len());
        }

        /// Times anywhere in two days take more slices than there are, and ids more than there may be.
        #[test]
        fn it_agrees_with_plain_sets_by_slice_while_slices_are_forgotten(
            calls in prop::collection::vec((0u64..4_000, 0i64..2_880), 0..12_000)
        ) {
            let mut seen = Kept::new(6 * HOUR_MS, 3_000);
            let start = UnixMillis(50_000 * HOUR_MS);
            let mut newest = start;
            for (number, minute) in calls {
                let at = start.plus(minute * 60_000);
                let kept = as_kept(id(number));
                let is_known = seen.stored.values().any(|slice| slice.contains(&kept));
                let found = seen.insert(id(number), at, newest);
                prop_assert_eq!(found == Seen::Duplicate, is_known);
                newest = newest.max(at);
            }
            let all: Vec<u64> = seen.stored.values().flatten().copied().collect();
            prop_assert_eq!(seen.seen.len(), all.len());
            for id in all {
                prop_assert!(seen.known(std::iter::once(id))[0] || seen.seen.is_fresh(id));
            }
        }

        /// A restart keeps the slices in order, and of each its ids.
        #[test]
        fn what_was_kept_before_a_restart_is_known_after_it(
            calls in prop::collection::vec((0u64..4_000, 0i64..360), 0..6_000)
        ) {
            let mut seen = Kept::new(6 * HOUR_MS, 1_000_000);
            let start = UnixMillis(50_000 * HOUR_MS);
            for (number, minute) in calls {
                seen.insert(id(number), start.plus(minute * 60_000), start);
            }
            let mut again = Kept::new(6 * HOUR_MS, 1_000_000);
            for slice in seen.seen.slices() {
                let ids: Vec<u64> = seen.stored[&slice].iter().copied().collect();
                again.seen.restore(slice, &ids, start);
            }
            again.stored.clone_from(&seen.stored);
            prop_assert_eq!(again.seen.slices(), seen.seen.slices());
            for number in 0..4_000 {
                let is_known = seen.stored.values().any(|slice| slice.contains(&as_kept(id(number))));
                let found = again.insert(id(number), start, start);
                prop_assert_eq!(found == Seen::Duplicate, is_known);
            }
        }
    }
}
