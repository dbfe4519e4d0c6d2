//! Which ids were certainly never seen: one look at one word of memory for an id, where the tables
//! take several.
//!
//! A Bloom filter whose bits of one id stand in one word (Putze, Sanders, Singler: "Cache-, Hash- and
//! Space-Efficient Bloom Filters", 2007). It may say of a new id that it was seen, which costs a
//! search in the tables; it must never say of an id that was noted that it was not.

/// Ids to a word, once it is full: some 3 in 100 new ids are then taken for known ones.
const PER_WORD: usize = 8;
/// Words of the smallest filter.
const WORDS_MIN: usize = 1 << 13;

/// A set that holds what was noted, and perhaps more.
#[derive(Debug)]
pub(super) struct Filter {
    words: Vec<u64>,
    noted: usize,
}

impl Filter {
    /// Returns an empty filter with room for half as many ids again as `live`.
    pub(super) fn for_ids(live: usize) -> Self {
        let words = ((live + live / 2) / PER_WORD).max(WORDS_MIN);
        Self { words: vec![0; words], noted: 0 }
    }

    /// Tells whether `id` may have been noted.
    #[inline]
    pub(super) fn may_hold(&self, id: u64) -> bool {
        let bits = bits_of(id);
        self.words.get(self.place(id)).is_none_or(|word| word & bits == bits)
    }

    /// Notes an id.
    #[inline]
    pub(super) fn note(&mut self, id: u64) {
        let place = self.place(id);
        if let Some(word) = self.words.get_mut(place) {
            *word |= bits_of(id);
            self.noted += 1;
        }
    }

    /// Tells whether it is time for a new one: nothing can be taken out of this one, also what is
    /// forgotten.
    pub(super) fn is_full(&self) -> bool {
        self.noted >= self.words.len() * PER_WORD
    }

    /// Returns the bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// The id scaled to the words: its upper bits choose the word.
    #[inline]
    fn place(&self, id: u64) -> usize {
        let scaled = (u128::from(id) * self.words.len() as u128) >> u64::BITS;
        usize::try_from(scaled).unwrap_or(0)
    }
}

/// Four bits of a word, chosen by bits of the id that don't choose the word. The lowest four are those of
/// the slot.
#[inline]
fn bits_of(id: u64) -> u64 {
    [4, 10, 16, 22].iter().fold(0, |bits, shift| bits | 1 << (id >> shift & 63))
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
        let mut filter = Filter::for_ids(50_000);
        let mut noted = 0;
        while !filter.is_full() {
            filter.note(id(noted));
            noted += 1;
        }
        assert!(noted >= 75_000);
        assert!((0..noted).all(|number| filter.may_hold(id(number))));
        let others = (noted..noted + 100_000).filter(|&number| filter.may_hold(id(number))).count();
        assert!(others < 5_000, "{others}");
    }
}
