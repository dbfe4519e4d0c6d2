//! What was not understood, counted by why and by shape. Shapes hold no text of a line.

use std::collections::BTreeMap;

use crate::decode::{Refused, Shape};
use crate::model::names::Reject;

/// Shapes told apart; more fold into one number.
const SHAPES_MAX: usize = 512;

/// Parts of which every one is looked at. Telling a shape costs many times what refusing a part does, so
/// of a log that is refused as a whole only a sample of the rest is.
const EXACT_PARTS: u64 = 10_000;
/// Of the parts beyond, one in this many is looked at, and stands for all of them. A prime, so that it
/// does not fall in step with a log that repeats its lines.
const SAMPLE: u64 = 17;

/// A place in an input: the input and the offset of the line.
pub(super) type Place = (usize, u64);

/// The shapes seen.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    by_shape: BTreeMap<(Reject, Shape), Sighting>,
    /// Parts of shapes beyond [`SHAPES_MAX`].
    pub(super) others: u64,
    /// Parts added.
    parts: u64,
    /// Whether only a sample was looked at, so that the counts are estimates.
    pub(super) is_sampled: bool,
}

/// How often a shape was seen, and where first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) count: u64,
    pub(super) first: Place,
}

impl Shapes {
    pub(super) fn add(&mut self, reject: Reject, part: &Refused<'_>, place: Place) {
        self.parts += 1;
        let count = match self.parts.checked_sub(EXACT_PARTS) {
            None | Some(0) => 1,
            Some(beyond) if beyond.is_multiple_of(SAMPLE) => SAMPLE,
            Some(_) => {
                self.is_sampled = true;
                return;
            }
        };
        self.join((reject, part.shape()), Sighting { count, first: place });
    }

    fn join(&mut self, shape: (Reject, Shape), seen: Sighting) {
        if let Some(known) = self.by_shape.get_mut(&shape) {
            known.count += seen.count;
            known.first = known.first.min(seen.first);
        } else if self.by_shape.len() < SHAPES_MAX {
            self.by_shape.insert(shape, seen);
        } else {
            self.others += seen.count;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.others += other.others;
        self.parts += other.parts;
        self.is_sampled |= other.is_sampled;
        for (shape, seen) in other.by_shape {
            self.join(shape, seen);
        }
    }

    /// Returns the `most` most frequent ones, and how many parts have none of these shapes.
    pub(super) fn frequent(&self, most: usize) -> (Vec<(Reject, String, Sighting)>, u64) {
        let mut all: Vec<_> = self.by_shape.iter().collect();
        all.sort_by_key(|(_, seen)| (std::cmp::Reverse(seen.count), seen.first));
        let rest = all.iter().skip(most).map(|(_, seen)| seen.count).sum::<u64>() + self.others;
        let shown = all.into_iter().take(most);
        let shown = shown.map(|((reject, shape), seen)| (*reject, shape.to_string(), *seen));
        (shown.collect(), rest)
    }
}
