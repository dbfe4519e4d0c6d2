//! The ids of the slice that duplicates keep coming from, whole: to look for each batch of them in the store
//! would read the slice again each time. It must hold all ids of that slice, or none.

use std::collections::HashSet;
use std::ops::Range;

use super::booking::TakeIds;
use crate::model::time::UnixMillis;

/// Request ids. They are keyed hashes, so nobody can choose them.
pub(super) type IdSet = HashSet<u64, foldhash::fast::FixedState>;

/// Most ids that are held. Six hours at 10,000 calls a minute have 300,000 in a slice.
const IDS_MAX: usize = 500_000;

/// What was read of the store lately.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    /// The slice in which something was found last: when that happens again it is worth keeping.
    last: Option<UnixMillis>,
    whole: Option<(UnixMillis, IdSet)>,
    /// A slice that has more ids than are held.
    too_large: Option<UnixMillis>,
    is_used: bool,
}

impl Recalled {
    /// Adds to `found` which ids `wanted` a slice has. `each` hands over all ids that it has.
    pub(super) fn find<E>(
        &mut self,
        slice: &Range<UnixMillis>,
        wanted: &IdSet,
        found: &mut IdSet,
        each: impl FnOnce(&mut TakeIds<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some((_, whole)) = self.whole.as_ref().filter(|(known, _)| *known == slice.start) {
            found.extend(wanted.intersection(whole));
            self.is_used = true;
            return Ok(());
        }
        let is_worth = self.last == Some(slice.start) && self.too_large != Some(slice.start);
        let mut whole = is_worth.then(IdSet::default);
        let before = found.len();
        each(&mut |ids| {
            found.extend(ids.iter().filter(|id| wanted.contains(id)));
            whole = whole.take().filter(|whole| whole.len() + ids.len() <= IDS_MAX);
            if let Some(whole) = &mut whole {
                whole.extend(ids);
            }
        })?;
        if found.len() > before {
            self.last = Some(slice.start);
            self.is_used = true;
        }
        match whole {
            Some(whole) => self.whole = Some((slice.start, whole)),
            None if is_worth => self.too_large = Some(slice.start),
            None => {}
        }
        Ok(())
    }

    /// Adds an id that is new to a slice.
    pub(super) fn add(&mut self, slice: UnixMillis, id: u64) {
        if let Some((_, ids)) = self.whole.as_mut().filter(|(known, _)| *known == slice) {
            ids.insert(id);
            if ids.len() > IDS_MAX {
                self.whole = None;
                self.too_large = Some(slice);
            }
        }
    }

    /// Drops everything: slices were forgotten.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Drops everything that led to nothing since the last commit.
    pub(super) fn rest(&mut self) {
        if !std::mem::take(&mut self.is_used) {
            self.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::HOUR_MS;

    const SLICE: UnixMillis = UnixMillis(1_000 * HOUR_MS);

    /// Looks for `wanted` in a slice with the ids `1..=stored`. Tells whether they were read.
    fn is_read(recalled: &mut Recalled, stored: u64, wanted: u64) -> bool {
        let mut is_read = false;
        let mut found = IdSet::default();
        let wanted: IdSet = [wanted].into_iter().collect();
        let slice = SLICE..SLICE.plus(HOUR_MS);
        let all: Vec<u64> = (1..=stored).collect();
        let each = |take: &mut TakeIds<'_>| {
            is_read = true;
            all.chunks(8_192).for_each(take);
            Ok::<_, std::convert::Infallible>(())
        };
        recalled.find(&slice, &wanted, &mut found, each).unwrap();
        assert_eq!(found, wanted);
        is_read
    }

    #[test]
    fn a_slice_is_read_twice_however_few_duplicates_a_commit_has() {
        let mut recalled = Recalled::default();
        let reads = [0; 5].map(|_| {
            let is_read = is_read(&mut recalled, 100, 7);
            recalled.rest();
            is_read
        });
        assert_eq!(reads, [true, true, false, false, false]);
        // A commit without any is the end of it.
        recalled.rest();
        assert!(is_read(&mut recalled, 100, 7));
    }

    #[test]
    fn a_slice_that_is_too_large_is_not_held_again_and_again() {
        let mut recalled = Recalled::default();
        for _ in 0..3 {
            assert!(is_read(&mut recalled, IDS_MAX as u64 + 1, 7));
        }
        assert_eq!((recalled.too_large, recalled.whole), (Some(SLICE), None));
    }

    #[test]
    fn a_slice_that_grows_too_large_is_held_no_more() {
        let mut recalled = Recalled::default();
        let stored = IDS_MAX as u64;
        assert_eq!([0; 3].map(|_| is_read(&mut recalled, stored, 7)), [true, true, false]);
        recalled.add(SLICE, stored + 1);
        assert_eq!((recalled.too_large, &recalled.whole), (Some(SLICE), &None));
        assert!(is_read(&mut recalled, stored + 1, stored + 1));
    }
}
