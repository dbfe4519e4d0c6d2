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
        let mut whole = (self.last == Some(slice.start)).then(IdSet::default);
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
        }
        if let Some(whole) = whole {
            self.whole = Some((slice.start, whole));
            self.is_used = true;
        }
        Ok(())
    }

    /// Adds an id that is new to a slice.
    pub(super) fn add(&mut self, slice: UnixMillis, id: u64) {
        if let Some((_, ids)) = self.whole.as_mut().filter(|(known, _)| *known == slice) {
            ids.insert(id);
        }
    }

    /// Drops everything: slices were forgotten.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Drops what was not used since the last commit.
    pub(super) fn rest(&mut self) {
        if !std::mem::take(&mut self.is_used) {
            self.clear();
        }
    }
}
