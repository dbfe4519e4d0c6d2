//! Which request ids were counted lately: deduplication in 8 bytes an id.
//!
//! A duplicate carries the same event time as the original or one close to it, so ids are kept by
//! *slice* of event time and forgotten slice by slice. An id is 60 bits of a keyed hash beside the 4
//! bits that name its slice: with 3.6 million ids (six hours at 10,000 calls a minute) a new id is
//! taken for a known one once in 3 * 10^11 calls, that is once in sixty years at that rate. Ids that
//! several logs share give one of the bits to tell these logs apart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

// As many slices are kept at once as there are slots: those of the window, and spare ones for late
// records.
use super::id_table::{IdTable, SLOT_BITS, SLOTS};
use crate::model::time::UnixMillis;

/// Slices that one window is divided into; with one more the window is covered at any time.
const SLICES_PER_WINDOW: i64 = 12;

/// The bit of an id that tells who told of the call: the service's log or an application's.
const TELLER_BIT: u64 = 1 << SLOT_BITS;

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

    /// Tells for each of `ids` whether it is known, but for those inserted after the last call of
    /// this: what [`Self::insert`] wants to know about the ids of one batch, asked for all of them
    /// at once because memory answers many questions as fast as one.
    pub fn look_up(&mut self, ids: impl Iterator<Item = Option<u64>> + Clone) -> Vec<bool> {
        self.table.settle();
        let mut known: Vec<bool> =
            ids.clone().map(|id| id.is_some_and(|id| self.table.may_hold(entry(id)))).collect();
        for (id, is_known) in ids.zip(&mut known) {
            // Few ids come so far but those that are known.
            *is_known = *is_known && id.is_some_and(|id| self.table.is_settled(entry(id)));
        }
        known
    }

    /// Keeps the keyed hash `id` of a record made at `at` if it is new. `is_known` is what
    /// [`Self::look_up`] said of it, with no other call of that in between. `newest` is the latest
    /// event time seen; it tells which slices are out of the window.
    pub fn insert(&mut self, id: u64, is_known: bool, at: UnixMillis, newest: UnixMillis) -> Seen {
        let id = entry(id);
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
        self.table.is_fresh(entry(id))
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

    /// Forgets what a stored commit forgot.
    pub fn forget(&mut self, evicted: Evicted) {
        let starts: Vec<_> = self.live.range(evicted.from..).map(|(&slice, _)| slice).collect();
        for slice in starts.into_iter().filter(|&slice| evicted.holds(slice)) {
            self.remove(slice);
        }
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

/// Returns a hash as the tables know it, with room for the slot. 0 means an empty place there, so
/// the one id that would look like it moves aside.
fn entry(id: u64) -> u64 {
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

    /// Inserts an id as a batch of its own.
    fn insert(seen: &mut SeenIds, id: u64, at: UnixMillis, newest: UnixMillis) -> Seen {
        let known = seen.look_up(std::iter::once(Some(id)));
        seen.insert(id, known[0], at, newest)
    }

    #[test]
    fn an_id_is_kept_for_the_window_and_forgotten_after_it() {
        let mut seen = SeenIds::new(6 * HOUR_MS, 1_000_000);
        let at = UnixMillis(1_000 * HOUR_MS);
        assert!(matches!(insert(&mut seen, id(1), at, at), Seen::New { .. }));
        let later = at.plus(6 * HOUR_MS);
        for minute in 0..360 {
            let now = at.plus(minute * 60_000);
            assert!(matches!(
                insert(&mut seen, id(1_000 + minute.unsigned_abs()), now, now),
                Seen::New { .. }
            ));
        }
        assert_eq!(insert(&mut seen, id(1), later, later), Seen::Duplicate);
        for minute in 360..900 {
            let now = at.plus(minute * 60_000);
            assert!(matches!(
                insert(&mut seen, id(1_000 + minute.unsigned_abs()), now, now),
                Seen::New { .. }
            ));
        }
        let now = at.plus(15 * HOUR_MS);
        assert!(matches!(insert(&mut seen, id(1), at, now), Seen::New { .. }));
        assert!(seen.is_late(at, now));
        assert!(!seen.take_evicted().is_empty());
    }

    /// The open table takes up to a megabyte; the rest grows by a thirtieth, in place.
    #[test]
    fn an_id_takes_eight_bytes() {
        let mut seen = SeenIds::new(6 * HOUR_MS, 10_000_000);
        let at = UnixMillis(1_000 * HOUR_MS);
        for batch in 0..1_200u64 {
            let ids = (batch * 1_000..(batch + 1) * 1_000).map(id);
            let known = seen.look_up(ids.clone().map(Some));
            for (id, is_known) in ids.zip(known) {
                seen.insert(id, is_known, at, at);
            }
            let (bytes, ids) = (seen.table_bytes(), seen.len());
            assert!(bytes <= 1_500_000 + 8 * ids, "{bytes} bytes for {ids} ids");
        }
        assert_eq!(seen.len(), 1_200_000);
    }

    #[test]
    fn every_id_is_known_again_however_many_there_are() {
        let mut seen = SeenIds::new(6 * HOUR_MS, 10_000_000);
        let at = UnixMillis(1_000 * HOUR_MS);
        let batches: Vec<Vec<u64>> =
            (0..400u64).map(|batch| (0..500).map(|one| id(batch * 500 + one)).collect()).collect();
        for (number, batch) in batches.iter().enumerate() {
            let all = batches.iter().take(number + 1).flatten().copied();
            for id in batch {
                // Once for itself and once more in its own batch.
                let known = seen.look_up(std::iter::once(Some(*id)));
                assert_eq!(known, [false]);
                assert!(matches!(seen.insert(*id, false, at, at), Seen::New { .. }));
                assert_eq!(seen.insert(*id, false, at, at), Seen::Duplicate);
            }
            if number % 40 == 39 {
                for id in all {
                    assert_eq!(insert(&mut seen, id, at, at), Seen::Duplicate);
                }
            }
        }
        assert_eq!(seen.len(), 200_000);
    }

    #[test]
    fn the_cap_forgets_the_slice_touched_longest_ago() {
        let mut seen = SeenIds::new(6 * HOUR_MS, 100);
        let at = UnixMillis(1_000 * HOUR_MS);
        for number in 0..300u64 {
            let at = at.plus(i64::try_from(number).unwrap() * 60_000);
            insert(&mut seen, id(number), at, at);
        }
        assert!(seen.len() <= 100);
        let last = at.plus(299 * 60_000);
        assert_eq!(insert(&mut seen, id(299), last, last), Seen::Duplicate);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set_inside_the_window(
            numbers in prop::collection::vec((0u64..9_000, 0i64..360), 0..20_000)
        ) {
            let mut seen = SeenIds::new(6 * HOUR_MS, 1_000_000);
            let mut plain = HashSet::new();
            let start = UnixMillis(50_000 * HOUR_MS);
            let newest = start.plus(6 * HOUR_MS);
            for (number, minute) in numbers {
                let found = insert(&mut seen, id(number), start.plus(minute * 60_000), newest);
                prop_assert_eq!(matches!(found, Seen::New { .. }), plain.insert(number));
            }
            prop_assert_eq!(seen.len(), plain.len());
        }

        /// Times anywhere in two days take more slices than there are, and ids more than there may be.
        #[test]
        fn it_agrees_with_plain_sets_by_slice_while_slices_are_forgotten(
            calls in prop::collection::vec((0u64..4_000, 0i64..2_880), 0..12_000)
        ) {
            let mut seen = SeenIds::new(6 * HOUR_MS, 3_000);
            let mut plain: BTreeMap<UnixMillis, HashSet<u64>> = BTreeMap::new();
            let start = UnixMillis(50_000 * HOUR_MS);
            let mut newest = start;
            for (number, minute) in calls {
                let at = start.plus(minute * 60_000);
                let is_known = plain.values().any(|slice| slice.contains(&number));
                let found = insert(&mut seen, id(number), at, newest);
                prop_assert_eq!(found == Seen::Duplicate, is_known);
                for evicted in seen.take_evicted() {
                    plain.retain(|&slice, _| !evicted.holds(slice));
                }
                if let Seen::New { slice, .. } = found {
                    plain.entry(slice).or_default().insert(number);
                }
                newest = newest.max(at);
            }
            prop_assert_eq!(seen.len(), plain.values().map(HashSet::len).sum::<usize>());
            for &number in plain.values().flatten() {
                let known = seen.look_up(std::iter::once(Some(id(number))));
                prop_assert!(known[0] || seen.is_fresh(id(number)));
            }
        }
    }
}
