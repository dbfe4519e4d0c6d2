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
/// Bits above those in `Settled::middle`.
const MIDDLE_SHIFT: u32 = SLOT_BITS + u16::BITS;
/// A merge visits every run, so it waits for this many new ids …
const FRESH_MIN: usize = 32_000;
/// … and for one new id to so many of the largest slot, each of which it moves.
const SETTLED_PER_FRESH: usize = 32;
/// Places of the smallest open table.
const PLACES_MIN: usize = 1 << 13;

/// Ids, each with a slot.
#[derive(Debug)]
pub(super) struct IdTable {
    /// By slot.
    settled: [Settled; SLOTS],
    fresh: Fresh,
    /// Holds every id of both.
    filter: Filter,
}

impl IdTable {
    pub(super) fn new() -> Self {
        let settled = std::array::from_fn(|_| Settled::default());
        Self { settled, fresh: Fresh::new(PLACES_MIN), filter: Filter::for_ids(0) }
    }

    /// Merges the new ids into the settled ones if they are many.
    pub(super) fn settle(&mut self) {
        let largest = self.settled.iter().map(Settled::len).max().unwrap_or(0);
        if self.fresh.used < FRESH_MIN.max(largest / SETTLED_PER_FRESH) {
            return;
        }
        let mut added = [0; SLOTS];
        for entry in self.fresh.entries() {
            if let Some(added) = added.get_mut(slot_of(entry)) {
                *added += 1;
            }
        }
        for (slot, (settled, added)) in self.settled.iter_mut().zip(added).enumerate() {
            if added > 0 {
                settled.merge(self.fresh.entries().filter(|&entry| slot_of(entry) == slot), added);
            }
        }
        self.fresh.empty();
    }

    /// Tells whether `id` may be in here; if not, it certainly is not. Also brings what [`Self::add`] reads
    /// into the processor's cache: each search waits for memory, but many of these wait at the same
    /// time.
    #[inline]
    pub(super) fn may_hold(&self, id: u64) -> bool {
        black_box(self.fresh.places.get(home(id, self.fresh.places.len())).copied());
        self.filter.may_hold(id)
    }

    /// Tells whether `id` is among the settled ids; it is most likely of the slot `likely`.
    pub(super) fn is_settled(&self, id: u64, likely: Option<u8>) -> bool {
        let likely = likely.and_then(|slot| self.settled.get(usize::from(slot)));
        likely.is_some_and(|settled| settled.holds(id))
            || self.settled.iter().any(|settled| settled.holds(id))
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
        let settled: usize = self.settled.iter().map(Settled::len).sum();
        // Two of them would be the most that all this ever takes.
        self.filter = Filter::for_ids(0);
        self.filter = Filter::for_ids(settled + self.fresh.used);
        let filter = &mut self.filter;
        for settled in &self.settled {
            settled.entries().for_each(|entry| filter.note(entry));
        }
        self.fresh.entries().for_each(|entry| filter.note(entry));
    }

    /// Drops all ids of a slot.
    pub(super) fn remove_slot(&mut self, slot: u8) {
        if let Some(settled) = self.settled.get_mut(usize::from(slot)) {
            *settled = Settled::default();
        }
        self.fresh.retain(|entry| slot_of(entry) != usize::from(slot));
    }

    /// Returns the bytes that the tables hold.
    pub(super) fn bytes(&self) -> usize {
        let settled: usize = self.settled.iter().map(Settled::bytes).sum();
        settled + self.fresh.places.capacity() * size_of::<u64>() + self.filter.bytes()
    }
}

/// Ids of one slot without gaps, in runs. Within a run they are in no order: a search compares them
/// all, many at a time, which takes fewer steps that a processor can't foresee than one that halves.
#[derive(Debug, Default)]
struct Settled {
    /// Where each run starts, and where the last one ends; empty as long as there is no id.
    starts: Vec<u32>,
    /// The 32 bits of each id below those of its run.
    middle: Vec<u32>,
    /// The lowest 16 bits of each id.
    low: Vec<u16>,
}

impl Settled {
    fn len(&self) -> usize {
        self.middle.len()
    }

    fn bytes(&self) -> usize {
        self.middle.capacity() * size_of::<u32>()
            + self.low.capacity() * size_of::<u16>()
            + self.starts.capacity() * size_of::<u32>()
    }

    fn bounds(&self, run: usize) -> (usize, usize) {
        let start = |run: usize| self.starts.get(run).map_or(0, |&start| start as usize);
        (start(run), start(run + 1))
    }

    fn middle_of(&self, id: u64) -> &[u32] {
        let (from, to) = self.bounds(run_of(id));
        self.middle.get(from..to).unwrap_or(&[])
    }

    /// The ids, as entries of the slot 0.
    fn entries(&self) -> impl Iterator<Item = u64> {
        let of_run = |run: usize| {
            let (from, to) = self.bounds(run);
            let (middle, low) = (self.middle.get(from..to), self.low.get(from..to));
            let both = middle.unwrap_or(&[]).iter().zip(low.unwrap_or(&[]));
            both.map(move |(&middle, &low)| {
                let upper = (run as u64) << (u64::BITS - RUN_BITS);
                upper | u64::from(middle) << MIDDLE_SHIFT | u64::from(low) << SLOT_BITS
            })
        };
        (0..RUNS).flat_map(of_run)
    }

    fn holds(&self, id: u64) -> bool {
        let middle = self.middle_of(id);
        let wanted = middle_bits(id);
        // Never stops early, so that it is compiled to compare many at a time.
        let matches = middle.iter().fold(0, |all, &bits| all | u32::from(bits == wanted));
        matches != 0 && self.holds_one_of(id)
    }

    #[cold]
    fn holds_one_of(&self, id: u64) -> bool {
        let (from, to) = self.bounds(run_of(id));
        let low = self.low.get(from..to).unwrap_or(&[]);
        let wanted = (middle_bits(id), low_bits(id));
        self.middle_of(id).iter().zip(low).any(|(&middle, &low)| (middle, low) == wanted)
    }

    /// Adds `count` ids that are not in here, each at the end of its run.
    fn merge(&mut self, ids: impl Iterator<Item = u64> + Clone, count: usize) {
        self.starts.resize(RUNS + 1, 0);
        let mut added = vec![0u32; RUNS];
        for id in ids.clone() {
            if let Some(added) = added.get_mut(run_of(id)) {
                *added += 1;
            }
        }
        let len = self.len() + count;
        // The table is only ever as large as the most ids that were in it at once.
        self.middle.reserve_exact(count);
        self.middle.resize(len, 0);
        self.low.reserve_exact(count);
        self.low.resize(len, 0);
        // From the last run to the first, so that none is overwritten before it is moved. `added`
        // becomes the next free place of each run.
        let mut end = len;
        for run in (0..RUNS).rev() {
            let (from, to) = self.bounds(run);
            let Some(added) = added.get_mut(run) else { continue };
            let free = end - *added as usize;
            let start = free - (to - from);
            self.middle.copy_within(from..to, start);
            self.low.copy_within(from..to, start);
            *added = place(free);
            if let Some(next) = self.starts.get_mut(run + 1) {
                *next = place(end);
            }
            end = start;
        }
        for id in ids {
            let Some(free) = added.get_mut(run_of(id)) else { continue };
            let place = *free as usize;
            *free += 1;
            if let (Some(middle), Some(low)) = (self.middle.get_mut(place), self.low.get_mut(place))
            {
                (*middle, *low) = (middle_bits(id), low_bits(id));
            }
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
}

impl Fresh {
    fn new(places: usize) -> Self {
        Self { places: vec![0; places], used: 0 }
    }

    fn entries(&self) -> impl Iterator<Item = u64> + Clone {
        self.places.iter().copied().filter(|&entry| entry != 0)
    }

    /// Drops everything. The memory stays: fresh memory costs more than to clear it.
    fn empty(&mut self) {
        self.places.fill(0);
        self.used = 0;
    }

    /// Keeps some entries.
    fn retain(&mut self, is_kept: impl Fn(u64) -> bool) {
        let kept: Vec<u64> = self.entries().filter(|&entry| is_kept(entry)).collect();
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
