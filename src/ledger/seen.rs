//! Which request ids were counted lately: deduplication in at most 16 bytes an id.
//!
//! A duplicate carries the same event time as the original or one close to it, so ids are kept by
//! *slice* of event time and forgotten slice by slice. An id is 60 bits of a keyed hash beside the 4
//! bits that name its slice: with 3.6 million ids (six hours at 10,000 calls a minute) a new id is
//! taken for a known one once in 3 * 10^11 calls, that is once in sixty years at that rate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::time::UnixMillis;

/// How many slices are kept at once: those of the window, and spare ones for late records.
const SLOTS: usize = 16;
/// Slices that one window is divided into; with one more the window is covered at any time.
const SLICES_PER_WINDOW: i64 = 12;
/// Bits of a table entry that name its slot.
const SLOT_BITS: u32 = 4;
/// A table is rebuilt larger when it is fuller than this many 32nds.
const FULL_32NDS: usize = 28;
/// Tables that grow one after the other, so that growth never holds the whole set twice.
const SHARDS: usize = 64;

/// The ids counted in a sliding window of event time.
#[derive(Debug)]
pub struct SeenIds {
    slice_ms: i64,
    window_ms: i64,
    ids_max: usize,
    slots: [Slot; SLOTS],
    /// Slot by start of slice.
    live: BTreeMap<UnixMillis, u8>,
    shards: Vec<Shard>,
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
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            len: 0,
            clock: 0,
            evicted: Vec::new(),
        }
    }

    fn slice_of(&self, at: UnixMillis) -> UnixMillis {
        at.floor(self.slice_ms)
    }

    /// Looks for the keyed hash `id` of a record made at `at`, and keeps it if it is new.
    /// `newest` is the latest event time seen; it tells which slices are out of the window.
    pub fn insert(&mut self, id: u64, at: UnixMillis, newest: UnixMillis) -> Seen {
        // An entry of 0 means an empty place, so the one id that would look like it moves aside.
        let id = (id & (u64::MAX << SLOT_BITS)).max(1 << SLOT_BITS);
        let shard = shard_of(id);
        if self.shards.get(shard).is_some_and(|shard| shard.contains(id)) {
            return Seen::Duplicate;
        }
        let slice = self.slice_of(at);
        let slot = self.slot_for(slice, newest);
        if let Some(shard) = self.shards.get_mut(shard) {
            shard.insert(id | u64::from(slot));
        }
        self.clock += 1;
        self.len += 1;
        if let Some(state) = self.slots.get_mut(usize::from(slot)) {
            state.ids += 1;
            state.touched = self.clock;
        }
        Seen::New { id, slice }
    }

    /// Tells whether a record made at `at` is older than the window, so that a duplicate of it may
    /// have been forgotten.
    pub fn is_late(&self, at: UnixMillis, newest: UnixMillis) -> bool {
        at.0 < newest.0.saturating_sub(self.window_ms)
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
        self.shards.iter().map(|shard| shard.places.len() * size_of::<u64>()).sum()
    }

    fn slot_for(&mut self, slice: UnixMillis, newest: UnixMillis) -> u8 {
        while self.len >= self.ids_max && !self.live.is_empty() {
            self.evict_one(newest);
        }
        if let Some(&slot) = self.live.get(&slice) {
            return slot;
        }
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
        for shard in &mut self.shards {
            shard.remove_slot(slot);
        }
        if let Some(state) = self.slots.get_mut(usize::from(slot)) {
            self.len -= state.ids;
            *state = Slot::default();
        }
    }
}

fn shard_of(id: u64) -> usize {
    usize::try_from(id >> 58).unwrap_or(0) % SHARDS
}

/// An open-addressing table of ids with their slot in the low bits; 0 is an empty place.
///
/// First places follow the order of the hashes and every run of entries is kept sorted, so a search
/// ends at the first larger entry: some three places at any load, all in one or two cache lines.
#[derive(Debug, Default)]
struct Shard {
    places: Vec<u64>,
    used: usize,
}

/// First places of the smallest table.
const HOMES_MIN: usize = 32;
/// Places behind the last first place, for runs that begin before it.
const TAIL: usize = 16;

impl Shard {
    fn homes(&self) -> usize {
        self.places.len().saturating_sub(TAIL)
    }

    /// Returns where an id is, or where it belongs.
    fn find(&self, id: u64) -> Result<usize, usize> {
        let from = home(id, self.homes());
        let rest = self.places.get(from..).unwrap_or(&[]);
        for (step, &entry) in rest.iter().enumerate() {
            if entry >> SLOT_BITS == id >> SLOT_BITS {
                return Ok(from + step);
            }
            if entry == 0 || entry > id {
                return Err(from + step);
            }
        }
        Err(self.places.len())
    }

    fn contains(&self, id: u64) -> bool {
        self.find(id).is_ok()
    }

    fn insert(&mut self, entry: u64) {
        if (self.used + 1) * 32 > self.homes() * FULL_32NDS {
            // By half: just after growing an entry takes 8 / (28/32) * 1.5 = 13.7 bytes.
            let larger = (self.homes() + self.homes() / 2).max(HOMES_MIN);
            self.rebuild(larger, |_| true);
        }
        let (Ok(place) | Err(place)) = self.find(entry);
        let rest = self.places.get(place..).unwrap_or(&[]);
        let run = rest.iter().position(|&entry| entry == 0);
        let end = run.map_or(self.places.len(), |run| place + run);
        if run.is_none() {
            self.places.push(0);
        }
        self.places.copy_within(place..end, place + 1);
        if let Some(free) = self.places.get_mut(place) {
            *free = entry;
            self.used += 1;
        }
    }

    fn remove_slot(&mut self, slot: u8) {
        let mask = (1u64 << SLOT_BITS) - 1;
        let kept = self.places.iter().filter(|&&e| e != 0 && e & mask != u64::from(slot)).count();
        let size = (kept * 3 / 2).max(HOMES_MIN);
        self.rebuild(size, |entry| entry & mask != u64::from(slot));
    }

    /// Moves the entries to keep into a table with this many first places. They come in order, so
    /// each goes to its first place or right behind the one before it.
    fn rebuild(&mut self, homes: usize, keep: impl Fn(u64) -> bool) {
        let old = std::mem::replace(&mut self.places, vec![0; homes + TAIL]);
        self.used = 0;
        let mut free = 0;
        for entry in old.into_iter().filter(|&entry| entry != 0 && keep(entry)) {
            free = free.max(home(entry, homes));
            match self.places.get_mut(free) {
                Some(place) => *place = entry,
                None => self.places.push(entry),
            }
            free += 1;
            self.used += 1;
        }
    }
}

/// Returns the first place to look for `id`: its bits below the shard's, scaled to the table.
fn home(id: u64, homes: usize) -> usize {
    let scaled = (u128::from(id << 6) * homes as u128) >> 64;
    usize::try_from(scaled).unwrap_or(0)
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

    #[test]
    fn an_id_is_kept_for_the_window_and_forgotten_after_it() {
        let mut seen = SeenIds::new(6 * HOUR_MS, 1_000_000);
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
        assert!(seen.is_late(at, now));
        assert!(!seen.take_evicted().is_empty());
    }

    #[test]
    fn an_id_takes_at_most_sixteen_bytes() {
        let mut seen = SeenIds::new(6 * HOUR_MS, 10_000_000);
        let at = UnixMillis(1_000 * HOUR_MS);
        let mut worst = 0;
        for number in 0..300_000u64 {
            seen.insert(id(number), at, at);
            if number > 20_000 {
                worst = worst.max(seen.table_bytes() * 100 / seen.len());
            }
        }
        assert!(worst <= 1_600, "{worst} hundredths of a byte");
    }

    #[test]
    fn the_cap_forgets_the_slice_touched_longest_ago() {
        let mut seen = SeenIds::new(6 * HOUR_MS, 100);
        let at = UnixMillis(1_000 * HOUR_MS);
        for number in 0..300u64 {
            let at = at.plus(i64::try_from(number).unwrap() * 60_000);
            seen.insert(id(number), at, at);
        }
        assert!(seen.len() <= 100);
        let last = at.plus(299 * 60_000);
        assert_eq!(seen.insert(id(299), last, last), Seen::Duplicate);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set_inside_the_window(
            numbers in prop::collection::vec((0u64..500, 0i64..360), 0..2_000)
        ) {
            let mut seen = SeenIds::new(6 * HOUR_MS, 1_000_000);
            let mut plain = HashSet::new();
            let start = UnixMillis(50_000 * HOUR_MS);
            let newest = start.plus(6 * HOUR_MS);
            for (number, minute) in numbers {
                let found = seen.insert(id(number), start.plus(minute * 60_000), newest);
                prop_assert_eq!(matches!(found, Seen::New { .. }), plain.insert(number));
            }
            prop_assert_eq!(seen.len(), plain.len());
        }
    }
}
