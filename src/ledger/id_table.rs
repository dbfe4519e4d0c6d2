//! The tables behind [`super::seen`]: which ids may be known and in which slots, in five and a half bytes
//! each and a megabyte or two.
//!
//! New ids gather in a small open table, whole. When there are many they are merged into the *settled*
//! ones, of which only the upper 40 bits are kept: twelve by the run in which an id stands, the others
//! beside its slot in four bytes. So of what is found among those it is only likely that it is known, and
//! who needs to be sure looks at the stored ids of the slot. Nearly all ids that are looked for are new,
//! which a filter tells in one look. It must never drop an id that it was not told to
//! drop, and growth must never hold the ids twice.

use std::hint::black_box;
use std::ops::Range;

use super::id_filter::Filter;

/// Bits of an entry that name its slot; the rest are the id.
pub(super) const SLOT_BITS: u32 = 4;
/// How many slots there are.
pub(super) const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;
/// Upper bits of an entry, which its run tells.
const RUN_BITS: u32 = 12;
const RUNS: usize = 1 << RUN_BITS;
/// Bits that name the slot beside what is kept of a settled id.
const TAG_SLOT: u32 = (1 << SLOT_BITS) - 1;
/// Bits of an entry below those that settled ids keep.
pub(super) const DROPPED_BITS: u32 = u64::BITS - RUN_BITS - (u32::BITS - SLOT_BITS);
/// A merge visits every run, so it waits for this many new ids (few in tests, which have few) …
const FRESH_MIN: usize = if cfg!(test) { 500 } else { 44_000 };
/// … and for one new id to so many settled ones, each of which it moves.
const SETTLED_PER_FRESH: usize = 64;
/// Places of the smallest open table.
const PLACES_MIN: usize = 1 << 13;

/// Slots in which an id may be, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SlotSet(u16);

impl SlotSet {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn holds(self, slot: u8) -> bool {
        self.0 >> slot & 1 == 1
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Ids, each with a slot.
#[derive(Debug)]
pub(super) struct IdTable {
    settled: Settled,
    fresh: Fresh,
    /// Holds every id of both.
    filter: Filter,
}

impl IdTable {
    pub(super) fn new() -> Self {
        Self { settled: Settled::new(), fresh: Fresh::new(PLACES_MIN), filter: Filter::new() }
    }

    /// Merges the new ids into the settled ones if they are many.
    pub(super) fn settle(&mut self) {
        let due = FRESH_MIN.max(self.settled.tags.len() / SETTLED_PER_FRESH).min(ENTRIES_MAX);
        if self.fresh.entries.len() >= due {
            self.settled.merge(&self.fresh);
            self.fresh.empty();
        }
    }

    /// Brings what [`Self::may_hold`] and [`Self::add`] read of `id` into the processor's cache. Each search
    /// waits for memory, but of something as short as this many wait at the same time.
    #[inline]
    pub(super) fn touch(&self, id: u64) {
        black_box(self.fresh.places.get(home(id, self.fresh.places.len())).copied());
        self.filter.touch(id);
    }

    /// Tells whether `id` may be in here; if not, it certainly is not.
    #[inline]
    pub(super) fn may_hold(&self, id: u64) -> bool {
        self.filter.may_hold(id)
    }

    /// Returns the slots that may have `id` among the settled ids.
    pub(super) fn slots_of(&self, id: u64) -> SlotSet {
        if self.settled.may_hold(id) { self.settled.slots_of(id) } else { SlotSet::default() }
    }

    /// Tells whether `id` was added since the last merge.
    pub(super) fn is_fresh(&self, id: u64) -> bool {
        self.fresh.find(id).is_ok()
    }

    /// Adds an entry, which is an id with its slot in the low bits, unless its id is fresh.
    pub(super) fn add(&mut self, entry: u64) -> bool {
        let is_new = self.fresh.add(entry);
        if is_new {
            self.filter.note(entry);
        }
        if self.filter.is_full() {
            self.renew_filter();
        }
        is_new
    }

    /// Makes a filter that holds nothing of what was dropped.
    #[cold]
    fn renew_filter(&mut self) {
        let filter = &mut self.filter;
        filter.begin_anew(self.settled.tags.len() + self.fresh.len());
        self.settled.each(|entry| filter.note(entry));
        self.fresh.each(|entry| filter.note(entry));
    }

    /// Drops all ids of a slot.
    pub(super) fn remove_slot(&mut self, slot: u8) {
        self.settled.remove(usize::from(slot));
        self.fresh.remove(usize::from(slot));
    }

    /// Returns the bytes that the tables hold.
    pub(super) fn bytes(&self) -> usize {
        let Fresh { entries, places, .. } = &self.fresh;
        let fresh = entries.capacity() * size_of::<u64>() + places.capacity() * size_of::<u32>();
        self.settled.bytes() + fresh + self.filter.bytes()
    }
}

/// The upper bits of ids without gaps, in runs. Within a run they are in no order: a search compares them
/// all, many at a time, which takes fewer steps that a processor can't foresee than one that halves.
#[derive(Debug)]
struct Settled {
    /// Where each run starts, and where the last one ends.
    starts: Vec<u32>,
    /// The bits of an id below those of its run, and its slot in the lowest.
    tags: Vec<u32>,
    /// How many there are of each slot.
    by_slot: [usize; SLOTS],
}

impl Settled {
    fn new() -> Self {
        Self { starts: vec![0; RUNS + 1], tags: Vec::new(), by_slot: [0; SLOTS] }
    }

    fn bytes(&self) -> usize {
        (self.starts.capacity() + self.tags.capacity()) * size_of::<u32>()
    }

    fn start(&self, run: usize) -> usize {
        self.starts.get(run).map_or(0, |&start| start as usize)
    }

    fn run(&self, run: usize) -> &[u32] {
        self.tags.get(self.start(run)..self.start(run + 1)).unwrap_or(&[])
    }

    /// Visits the ids as entries, as far as their bits are kept.
    fn each(&self, mut visit: impl FnMut(u64)) {
        for run in 0..RUNS {
            let upper = (run as u64) << (u64::BITS - RUN_BITS);
            for &tag in self.run(run) {
                visit(upper | u64::from(tag & !TAG_SLOT) << (DROPPED_BITS - SLOT_BITS));
            }
        }
    }

    fn may_hold(&self, id: u64) -> bool {
        let wanted = tag_of(id) & !TAG_SLOT;
        // Never stops early, so that it is compiled to compare many at a time.
        let is_there = |there, &tag: &u32| there | u32::from(tag & !TAG_SLOT == wanted);
        self.run(run_of(id)).iter().fold(0, is_there) != 0
    }

    #[cold]
    fn slots_of(&self, id: u64) -> SlotSet {
        let wanted = tag_of(id) & !TAG_SLOT;
        let found = self.run(run_of(id)).iter().filter(|&&tag| tag & !TAG_SLOT == wanted);
        SlotSet(found.fold(0, |slots, tag| slots | 1 << (tag & TAG_SLOT)))
    }

    /// Adds entries, each at the end of its run.
    fn merge(&mut self, fresh: &Fresh) {
        let mut free = vec![0u32; RUNS];
        fresh.each(|entry| {
            if let Some(added) = free.get_mut(run_of(entry)) {
                *added += 1;
            }
        });
        self.make_room(fresh.len(), &mut free);
        fresh.each(|entry| {
            let Some(free) = free.get_mut(run_of(entry)) else { return };
            if let Some(tag) = self.tags.get_mut(*free as usize) {
                *tag = tag_of(entry);
                *free += 1;
            }
        });
        for (settled, fresh) in self.by_slot.iter_mut().zip(fresh.by_slot) {
            *settled += fresh;
        }
    }

    /// Moves the ids apart, so that `sum` more fit between them: as many as `added` says for each run,
    /// whose next free place that becomes.
    fn make_room(&mut self, sum: usize, added: &mut [u32]) {
        let mut end = self.tags.len() + sum;
        // The table is only ever as large as the most ids that were in it at once.
        self.tags.reserve_exact(sum);
        self.tags.resize(end, 0);
        // From the last run to the first, so that none is overwritten before it is moved.
        for (run, added) in added.iter_mut().enumerate().rev() {
            let (from, to) = (self.start(run), self.start(run + 1));
            let free = end - *added as usize;
            let start = free - (to - from);
            self.tags.copy_within(from..to, start);
            *added = place(free);
            if let Some(next) = self.starts.get_mut(run + 1) {
                *next = place(end);
            }
            end = start;
        }
    }

    /// Drops all ids of a slot.
    fn remove(&mut self, slot: usize) {
        if self.by_slot.get_mut(slot).map_or(0, std::mem::take) == 0 {
            return;
        }
        let (mut from, mut kept) = (0, 0);
        for run in 0..RUNS {
            let to = self.start(run + 1);
            kept = self.keep_others(slot, from..to, kept);
            from = to;
            if let Some(end) = self.starts.get_mut(run + 1) {
                *end = place(kept);
            }
        }
        self.tags.truncate(kept);
    }

    /// Moves the ids of a run that are not of a slot down to `into`. Returns where they end.
    fn keep_others(&mut self, slot: usize, run: Range<usize>, into: usize) -> usize {
        let is_kept = |tag: u32| (tag & TAG_SLOT) as usize != slot;
        let tags = self.tags.get(run.clone()).unwrap_or(&[]);
        // A slot that is forgotten is mostly the oldest, whose ids came first.
        let first = tags.iter().position(|&tag| is_kept(tag)).unwrap_or(tags.len());
        let rest = run.start + first..run.end;
        let others = tags.iter().skip(first).fold(0, |sum, &tag| sum + u32::from(!is_kept(tag)));
        if others == 0 {
            self.tags.copy_within(rest.clone(), into);
            return into + rest.len();
        }
        let mut kept = into;
        for place in rest {
            let tag = self.tags.get(place).copied().unwrap_or(0);
            // Always written, so that there is nothing to foresee.
            if let Some(place) = self.tags.get_mut(kept) {
                *place = tag;
            }
            kept += usize::from(is_kept(tag));
        }
        kept
    }
}

/// Returns a place among the entries as it is stored. There are at most 2^32 of them: the cap of
/// the ids is far below.
fn place(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn slot_of(entry: u64) -> usize {
    usize::try_from(entry & SLOT_MASK).unwrap_or(0)
}

fn run_of(entry: u64) -> usize {
    usize::try_from(entry >> (u64::BITS - RUN_BITS)).unwrap_or(0)
}

#[expect(clippy::cast_possible_truncation, reason = "the upper bits are those of the run")]
fn tag_of(entry: u64) -> u32 {
    (entry >> (DROPPED_BITS - SLOT_BITS)) as u32 & !TAG_SLOT | (entry & SLOT_MASK) as u32
}

/// Entries in the order in which they came, and an open-addressing table that finds them.
#[derive(Debug)]
struct Fresh {
    /// Those that were dropped are [`DROPPED`].
    entries: Vec<u64>,
    /// One more than the place of an entry, and above that some bits of its id; 0 where there is none. So
    /// most searches look at no other entry, and this is half as large as a table of entries.
    places: Vec<u32>,
    /// How many entries there are of each slot.
    by_slot: [usize; SLOTS],
}

/// Bits of a place that say which entry it is: more than ever wait for a merge.
const ENTRY_BITS: u32 = 20;
const ENTRY_MASK: u32 = (1 << ENTRY_BITS) - 1;
const ENTRIES_MAX: usize = 1 << (ENTRY_BITS - 1);
/// Most entries that may come between two calls of [`IdTable::settle`]: their places have no more bits.
pub(super) const ADDED_MAX: usize = ENTRIES_MAX / 2;
/// What stands in the place of a dropped entry; it is equal to none, since the id of each is at least 1.
const DROPPED: u64 = 0;

impl Fresh {
    fn new(places: usize) -> Self {
        Self { entries: Vec::new(), places: vec![0; places], by_slot: [0; SLOTS] }
    }

    /// Drops everything. The memory stays: fresh memory costs more than to clear it.
    fn empty(&mut self) {
        self.entries.clear();
        self.places.fill(0);
        self.by_slot = [0; SLOTS];
    }

    /// Drops the entries of a slot. Their places stay taken until the next merge: to make the table anew
    /// for each slice would let times that are far apart cost as much as all that waits here.
    fn remove(&mut self, slot: usize) {
        let left = self.by_slot.get_mut(slot).map_or(0, std::mem::take);
        let is_of_slot = |entry: &&mut u64| **entry != DROPPED && slot_of(**entry) == slot;
        // A slice that is forgotten is mostly so old that it has none, or so new that they came last.
        self.entries.iter_mut().rev().filter(is_of_slot).take(left).for_each(|it| *it = DROPPED);
    }

    /// Returns how many entries there are.
    fn len(&self) -> usize {
        self.by_slot.iter().sum()
    }

    /// Visits the entries.
    fn each(&self, visit: impl FnMut(u64)) {
        self.entries.iter().copied().filter(|&entry| entry != DROPPED).for_each(visit);
    }

    /// Returns where an id is found, or the empty place where that belongs.
    fn find(&self, id: u64) -> Result<usize, usize> {
        let (mut place, wanted) = (home(id, self.places.len()), mark_of(id));
        loop {
            match self.places.get(place) {
                Some(0) => return Err(place),
                Some(&found) if found & !ENTRY_MASK == wanted && self.is(found, id) => {
                    return Ok(place);
                }
                Some(_) => place += 1,
                None => place = 0,
            }
        }
    }

    fn is(&self, found: u32, id: u64) -> bool {
        let entry = self.entries.get((found & ENTRY_MASK) as usize - 1);
        entry.is_some_and(|entry| entry >> SLOT_BITS == id >> SLOT_BITS)
    }

    fn add(&mut self, entry: u64) -> bool {
        // A quarter always stays empty, so that a search ends soon.
        if self.entries.len() * 4 >= self.places.len() * 3 {
            self.grow();
        }
        let Err(free) = self.find(entry) else { return false };
        debug_assert!(self.entries.len() < ENTRY_MASK as usize, "more than `ADDED_MAX` at once");
        self.entries.push(entry);
        if let Some(free) = self.places.get_mut(free) {
            *free = mark_of(entry) | place(self.entries.len());
        }
        if let Some(entries) = self.by_slot.get_mut(slot_of(entry)) {
            *entries += 1;
        }
        true
    }

    /// Makes twice the places for the same entries.
    fn grow(&mut self) {
        let mut table = Self::new(self.places.len() * 2);
        self.each(|entry| {
            table.add(entry);
        });
        *self = table;
    }
}

/// Returns the bits of an id that stand beside its place.
#[expect(clippy::cast_possible_truncation, reason = "these bits are as good as others")]
fn mark_of(id: u64) -> u32 {
    (id as u32) << (ENTRY_BITS - SLOT_BITS) & !ENTRY_MASK
}

/// Returns the first place to look for `id`: its upper half scaled to the table, which is far smaller.
fn home(id: u64, places: usize) -> usize {
    let scaled = ((id >> u32::BITS) * places as u64) >> u32::BITS;
    usize::try_from(scaled).unwrap_or(0)
}
