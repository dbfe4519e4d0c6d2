//! The tables behind [`super::seen`]: which ids are known, and the slot of each, in 8 bytes and half
//! a megabyte.
//!
//! Nearly all ids lie *settled*, by slot: without gaps, in runs of those that share their upper 12
//! bits. Slot and run tell these, so the other 48 bits fit into six bytes. A slot is forgotten at
//! once and whole, and new ids move none but those of their own slot. They gather in a small open
//! table and are merged when there are many, in place: growth never holds the ids twice. Nearly
//! all ids that are looked for are new, which a filter tells in one look. It must never drop an id
//! that it was not told to drop.

use std::hint::black_box;

use super::id_filter::Filter;

/// Bits of an entry that name its slot; the rest are the id.
pub(super) const SLOT_BITS: u32 = 4;
/// How many slots there are.
pub(super) const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;
/// Upper bits of an entry, which its run tells.
const RUN_BITS: u32 = 12;
const RUNS: usize = 1 << RUN_BITS;
/// Bits below those in [`Ids::middle`].
const MIDDLE_SHIFT: u32 = SLOT_BITS + u16::BITS;
/// A merge visits every run, so it waits for this many new ids (few in tests, which have few) …
const FRESH_MIN: usize = if cfg!(test) { 500 } else { 44_000 };
/// … and for one new id to so many of the largest slot, each of which it moves.
const SETTLED_PER_FRESH: usize = 32;
/// Places of the smallest open table.
const PLACES_MIN: usize = 1 << 13;

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
        let filter = Filter::for_ids(0);
        Self { settled: Settled::new(), fresh: Fresh::new(PLACES_MIN), filter }
    }

    /// Merges the new ids into the settled ones if they are many.
    pub(super) fn settle(&mut self) {
        let largest = self.settled.slots.iter().map(Ids::len).max().unwrap_or(0);
        if self.fresh.used >= FRESH_MIN.max(largest / SETTLED_PER_FRESH) {
            self.settled.merge(&self.fresh);
            self.fresh.empty();
        }
    }

    /// Tells whether `id` may be in here; if not, it certainly is not. Also brings what [`Self::add`] reads
    /// into the processor's cache: each search waits for memory, but many of these wait at the same
    /// time.
    #[inline]
    pub(super) fn may_hold(&self, id: u64) -> bool {
        black_box(self.fresh.places.get(home(id, self.fresh.places.len())).copied());
        self.filter.may_hold(id)
    }

    /// Tells whether `id` is among the settled ids.
    pub(super) fn is_settled(&self, id: u64) -> bool {
        self.settled.holds(id)
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
        let settled: usize = self.settled.slots.iter().map(Ids::len).sum();
        // Two of them would be the most that all this ever takes.
        self.filter = Filter::for_ids(0);
        self.filter = Filter::for_ids(settled + self.fresh.used);
        let filter = &mut self.filter;
        self.settled.each(|entry| filter.note(entry));
        self.fresh.entries().for_each(|entry| filter.note(entry));
    }

    /// Drops all ids of a slot.
    pub(super) fn remove_slot(&mut self, slot: u8) {
        self.settled.remove(usize::from(slot));
        self.fresh.remove(usize::from(slot));
    }

    /// Returns the bytes that the tables hold.
    pub(super) fn bytes(&self) -> usize {
        let places = self.fresh.places.capacity() * size_of::<u64>();
        self.settled.bytes() + places + self.filter.bytes()
    }
}

/// Ids without gaps, by slot and in runs. Within a run they are in no order: a search compares them
/// all, many at a time, which takes fewer steps that a processor can't foresee than one that halves.
#[derive(Debug)]
struct Settled {
    /// Where each run of each slot starts, and where the last one ends. Those of all slots stand side by
    /// side, since a search asks all of them.
    starts: Vec<[u32; SLOTS]>,
    slots: [Ids; SLOTS],
}

/// The ids of one slot.
#[derive(Debug, Default)]
struct Ids {
    /// The 32 bits of each id below those of its run.
    middle: Vec<u32>,
    /// The lowest 16 bits of each id.
    low: Vec<u16>,
}

impl Ids {
    fn len(&self) -> usize {
        self.middle.len()
    }

    /// Makes room. The table is only ever as large as the most ids that were in it at once.
    fn grow(&mut self, added: usize) {
        let len = self.len() + added;
        self.middle.reserve_exact(added);
        self.middle.resize(len, 0);
        self.low.reserve_exact(added);
        self.low.resize(len, 0);
    }

    fn shift(&mut self, (from, to): (usize, usize), start: usize) {
        self.middle.copy_within(from..to, start);
        self.low.copy_within(from..to, start);
    }
}

impl Settled {
    fn new() -> Self {
        Self { starts: vec![[0; SLOTS]; RUNS + 1], slots: Default::default() }
    }

    fn bytes(&self) -> usize {
        let of_ids = |ids: &Ids| {
            ids.middle.capacity() * size_of::<u32>() + ids.low.capacity() * size_of::<u16>()
        };
        let starts = self.starts.capacity() * size_of::<[u32; SLOTS]>();
        starts + self.slots.iter().map(of_ids).sum::<usize>()
    }

    fn bounds(&self, run: usize, slot: usize) -> (usize, usize) {
        let start = |run: usize| {
            let starts = self.starts.get(run).and_then(|starts| starts.get(slot));
            starts.map_or(0, |&start| start as usize)
        };
        (start(run), start(run + 1))
    }

    /// Visits the ids, as entries of the slot 0.
    fn each(&self, mut visit: impl FnMut(u64)) {
        for (slot, ids) in self.slots.iter().enumerate().filter(|(_, ids)| ids.len() > 0) {
            for run in 0..RUNS {
                let (from, to) = self.bounds(run, slot);
                let upper = (run as u64) << (u64::BITS - RUN_BITS);
                let (middle, low) = (ids.middle.get(from..to), ids.low.get(from..to));
                for (&middle, &low) in middle.unwrap_or(&[]).iter().zip(low.unwrap_or(&[])) {
                    visit(upper | u64::from(middle) << MIDDLE_SHIFT | u64::from(low) << SLOT_BITS);
                }
            }
        }
    }

    fn holds(&self, id: u64) -> bool {
        let run = run_of(id);
        let (Some(starts), Some(ends)) = (self.starts.get(run), self.starts.get(run + 1)) else {
            return false;
        };
        let wanted = middle_bits(id);
        let mut matches = 0;
        for ((ids, &from), &to) in self.slots.iter().zip(starts).zip(ends) {
            let middle = ids.middle.get(from as usize..to as usize).unwrap_or(&[]);
            // Never stops early, so that it is compiled to compare many at a time.
            matches |= middle.iter().fold(0, |all, &bits| all | u32::from(bits == wanted));
        }
        matches != 0 && self.holds_one_of(id)
    }

    #[cold]
    fn holds_one_of(&self, id: u64) -> bool {
        let wanted = (middle_bits(id), low_bits(id));
        self.slots.iter().enumerate().any(|(slot, ids)| {
            let (from, to) = self.bounds(run_of(id), slot);
            let (middle, low) = (ids.middle.get(from..to), ids.low.get(from..to));
            let mut both = middle.unwrap_or(&[]).iter().zip(low.unwrap_or(&[]));
            both.any(|(&middle, &low)| (middle, low) == wanted)
        })
    }

    /// Adds entries that are not in here, each at the end of its run.
    fn merge(&mut self, fresh: &Fresh) {
        let mut added = vec![[0u32; SLOTS]; RUNS];
        for entry in fresh.entries() {
            let run = added.get_mut(run_of(entry));
            if let Some(added) = run.and_then(|run| run.get_mut(slot_of(entry))) {
                *added += 1;
            }
        }
        for (slot, &sum) in fresh.by_slot.iter().enumerate().filter(|&(_, &sum)| sum > 0) {
            self.make_room(slot, sum, &mut added);
        }
        for entry in fresh.entries() {
            let slot = slot_of(entry);
            let free = added.get_mut(run_of(entry)).and_then(|run| run.get_mut(slot));
            let (Some(free), Some(ids)) = (free, self.slots.get_mut(slot)) else { continue };
            let place = *free as usize;
            *free += 1;
            if let (Some(middle), Some(low)) = (ids.middle.get_mut(place), ids.low.get_mut(place)) {
                (*middle, *low) = (middle_bits(entry), low_bits(entry));
            }
        }
    }

    /// Moves the ids of a slot apart, so that `sum` more fit between them: as many as `added` says for
    /// each run, whose next free place that becomes.
    fn make_room(&mut self, slot: usize, sum: usize, added: &mut [[u32; SLOTS]]) {
        let Some(mut end) = self.slots.get(slot).map(|ids| ids.len() + sum) else { return };
        if let Some(ids) = self.slots.get_mut(slot) {
            ids.grow(sum);
        }
        // From the last run to the first, so that none is overwritten before it is moved.
        for (run, added) in added.iter_mut().enumerate().rev() {
            let (from, to) = self.bounds(run, slot);
            let Some(added) = added.get_mut(slot) else { continue };
            let free = end - *added as usize;
            let start = free - (to - from);
            if let Some(ids) = self.slots.get_mut(slot) {
                ids.shift((from, to), start);
            }
            *added = place(free);
            if let Some(next) = self.starts.get_mut(run + 1).and_then(|run| run.get_mut(slot)) {
                *next = place(end);
            }
            end = start;
        }
    }

    /// Drops all ids of a slot.
    fn remove(&mut self, slot: usize) {
        let Some(ids) = self.slots.get_mut(slot) else { return };
        if ids.len() > 0 {
            *ids = Ids::default();
            self.starts.iter_mut().filter_map(|run| run.get_mut(slot)).for_each(|start| *start = 0);
        }
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
fn middle_bits(entry: u64) -> u32 {
    (entry >> MIDDLE_SHIFT) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the upper bits are stored elsewhere")]
fn low_bits(entry: u64) -> u16 {
    (entry >> SLOT_BITS) as u16
}

/// An open-addressing table of entries; 0 is an empty place.
#[derive(Debug)]
struct Fresh {
    places: Vec<u64>,
    used: usize,
    /// How many entries there are of each slot.
    by_slot: [usize; SLOTS],
}

impl Fresh {
    fn new(places: usize) -> Self {
        Self { places: vec![0; places], used: 0, by_slot: [0; SLOTS] }
    }

    fn entries(&self) -> impl Iterator<Item = u64> {
        self.places.iter().copied().filter(|&entry| entry != 0)
    }

    /// Drops everything. The memory stays: fresh memory costs more than to clear it.
    fn empty(&mut self) {
        self.places.fill(0);
        self.used = 0;
        self.by_slot = [0; SLOTS];
    }

    /// Drops the entries of a slot. A slice that is forgotten is mostly so old that it has none.
    fn remove(&mut self, slot: usize) {
        if self.by_slot.get(slot).is_none_or(|&entries| entries == 0) {
            return;
        }
        let kept: Vec<u64> = self.entries().filter(|&entry| slot_of(entry) != slot).collect();
        self.empty();
        for entry in kept {
            self.add(entry);
        }
    }

    /// Returns where an id is, or the empty place where it belongs.
    fn find(&self, id: u64) -> Result<usize, usize> {
        let mut place = home(id, self.places.len());
        loop {
            match self.places.get(place) {
                Some(0) => return Err(place),
                Some(entry) if entry >> SLOT_BITS == id >> SLOT_BITS => return Ok(place),
                Some(_) => place += 1,
                None => place = 0,
            }
        }
    }

    fn add(&mut self, entry: u64) -> bool {
        // A quarter always stays empty, so that a search ends soon.
        if self.used * 4 >= self.places.len() * 3 {
            *self = self.grown();
        }
        let Err(place) = self.find(entry) else { return false };
        if let Some(place) = self.places.get_mut(place) {
            *place = entry;
            self.used += 1;
            if let Some(entries) = self.by_slot.get_mut(slot_of(entry)) {
                *entries += 1;
            }
        }
        true
    }

    /// Returns a table with the same entries and twice the places.
    fn grown(&self) -> Self {
        let mut table = Self::new(self.places.len() * 2);
        for entry in self.entries() {
            table.add(entry);
        }
        table
    }
}

/// Returns the first place to look for `id`: the id scaled to the table.
fn home(id: u64, places: usize) -> usize {
    let scaled = (u128::from(id) * places as u128) >> u64::BITS;
    usize::try_from(scaled).unwrap_or(0)
}
