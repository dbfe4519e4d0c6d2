//! Which ids were certainly never seen: one look at one word of memory for an id, where the tables
//! take several.
//!
//! A Bloom filter whose bits of one id stand in one word (Putze, Sanders, Singler: "Cache-, Hash- and
//! Space-Efficient Bloom Filters", 2007). It may say of a new id that it was seen, which costs a
//! search in the tables; it must never say of an id that was noted that it was not.

use std::hint::black_box;

use super::id_table::DROPPED_BITS;

/// Ids to a word, once it is full: some 9 in 100 new ids are then taken for known ones, which costs a
/// search each.
const PER_WORD: usize = 12;
/// Words of a block. All blocks are of one size and stay, so that a filter that grows leaves no holes.
const BLOCK_WORDS: usize = 1 << 13;

/// A set that holds what was noted, and perhaps more.
#[derive(Debug)]
pub(super) struct Filter {
    blocks: Vec<Box<[u64]>>,
    noted: usize,
}

impl Filter {
    /// Returns the smallest filter, which is empty.
    pub(super) fn new() -> Self {
        let mut filter = Self { blocks: Vec::new(), noted: 0 };
        filter.begin_anew(0);
        filter
    }

    /// Forgets everything, and makes room for half as many ids again as `live`.
    pub(super) fn begin_anew(&mut self, live: usize) {
        let words = (live + live / 2) / PER_WORD;
        self.blocks.truncate(words.div_ceil(BLOCK_WORDS).max(1));
        self.blocks.iter_mut().for_each(|block| block.fill(0));
        while self.blocks.len() * BLOCK_WORDS < words.max(1) {
            self.blocks.push(vec![0; BLOCK_WORDS].into_boxed_slice());
        }
        self.noted = 0;
    }

    fn words(&self) -> usize {
        self.blocks.len() * BLOCK_WORDS
    }

    /// Reads what [`Self::may_hold`] will.
    #[inline]
    pub(super) fn touch(&self, id: u64) {
        let (block, word) = self.place(id);
        black_box(self.blocks.get(block).and_then(|block| block.get(word)).copied());
    }

    /// Tells whether `id` may have been noted.
    #[inline]
    pub(super) fn may_hold(&self, id: u64) -> bool {
        let bits = bits_of(id);
        let (block, word) = self.place(id);
        let word = self.blocks.get(block).and_then(|block| block.get(word));
        word.is_none_or(|word| word & bits == bits)
    }

    /// Notes an id.
    #[inline]
    pub(super) fn note(&mut self, id: u64) {
        let (block, word) = self.place(id);
        if let Some(word) = self.blocks.get_mut(block).and_then(|block| block.get_mut(word)) {
            *word |= bits_of(id);
            self.noted += 1;
        }
    }

    /// Tells whether it is time for a new one: nothing can be taken out of this one, also what is
    /// forgotten.
    pub(super) fn is_full(&self) -> bool {
        self.noted >= self.words() * PER_WORD
    }

    /// Returns the bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.words() * size_of::<u64>()
    }

    /// The upper half of the id scaled to the words chooses the block and the word.
    #[inline]
    fn place(&self, id: u64) -> (usize, usize) {
        let scaled = ((id >> u32::BITS) * self.words() as u64) >> u32::BITS;
        let place = usize::try_from(scaled).unwrap_or(0);
        (place / BLOCK_WORDS, place % BLOCK_WORDS)
    }
}

/// Four bits of a word, chosen by bits of the id that don't choose the word, nor are dropped when an id
/// settles.
#[inline]
fn bits_of(id: u64) -> u64 {
    [0, 4, 9, 14].iter().fold(0, |bits, shift| bits | 1 << (id >> (DROPPED_BITS + shift) & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hash::seeded_hash;

    fn id(number: u64) -> u64 {
        seeded_hash(&number.to_be_bytes(), 3)
    }

    #[test]
    fn what_was_noted_is_held_and_little_else() {
        let mut filter = Filter::new();
        filter.note(id(u64::MAX));
        filter.begin_anew(50_000);
        assert!(!filter.may_hold(id(u64::MAX)));
        let mut noted = 0;
        while !filter.is_full() {
            filter.note(id(noted));
            noted += 1;
        }
        assert!(noted >= 75_000);
        assert!((0..noted).all(|number| filter.may_hold(id(number))));
        let others = (noted..noted + 100_000).filter(|&number| filter.may_hold(id(number))).count();
        assert!(others < 9_500, "{others}");
    }
}
