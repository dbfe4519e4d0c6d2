//! What the walk over one line found: for each wanted place, where its value stands.
//!
//! Ranges only; no byte of the line is kept. A place that comes twice keeps its last value, and
//! `null` is as good as nothing (so a key that comes again with `null` keeps its first value).

use std::ops::Range;

use super::json::{self, Sink, Slot};
use super::paths::{FIELDS, Field};
use super::scalar;

/// A value's place in the line of round `round`.
#[derive(Clone, Copy, Default)]
struct Place {
    start: u32,
    end: u32,
    round: u32,
}

/// The places of the wanted values of one line.
pub(super) struct Slots {
    places: Vec<Place>,
    /// The first slot of the described logs.
    own: usize,
    /// Of each slot from `own` on, the slot that also wants what stands there.
    also: Vec<Option<Slot>>,
    /// Number of the current line, from 1 on: emptying the slots costs nothing.
    round: u32,
    details: Details,
}

/// Cache writes by time to live, summed over Converse's `cacheDetails`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    /// Whether there were any.
    pub(super) any: bool,
    /// Tokens kept for five minutes.
    pub(super) write_5m: u64,
    /// Tokens kept for one hour.
    pub(super) write_1h: u64,
}

impl Slots {
    /// Returns empty slots for the fields, this many attributes, and the places of described logs.
    pub(super) fn new(attributes: usize, also: Vec<Option<Slot>>) -> Self {
        let own = FIELDS + attributes;
        let places = vec![Place::default(); own + also.len()];
        Self { places, own, also, round: 0, details: Details::default() }
    }

    /// Forgets the last line.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.details = Details::default();
        self.round = self.round.checked_add(1).unwrap_or_else(|| {
            self.places.fill(Place::default());
            1
        });
    }

    /// Returns the JSON text of a field in `line`, if it is there and not `null`.
    #[inline]
    pub(super) fn raw<'l>(&self, line: &'l [u8], field: Field) -> Option<&'l [u8]> {
        self.raw_slot(line, field as Slot)
    }

    /// Returns the JSON text at a slot.
    #[inline]
    pub(super) fn raw_slot<'l>(&self, line: &'l [u8], slot: Slot) -> Option<&'l [u8]> {
        line.get(self.place(slot)?)
    }

    /// Returns the cache writes by time to live.
    pub(super) fn details(&self) -> Details {
        self.details
    }

    /// Returns where the value of a slot stands in its line.
    #[inline]
    pub(super) fn place(&self, slot: Slot) -> Option<Range<usize>> {
        let place = self.places.get(usize::from(slot))?;
        (place.round == self.round).then_some(place.start as usize..place.end as usize)
    }

    fn remove(&mut self, field: Field) {
        if let Some(place) = self.places.get_mut(usize::from(field as Slot)) {
            *place = Place::default();
        }
    }

    /// Adds up one element of `cacheDetails`: its parts may stand in any order, so they are known
    /// together only where the element ends.
    fn end_detail(&mut self, line: &[u8]) {
        let tokens = self.raw(line, Field::DetailTokens).and_then(|raw| scalar::count(raw).ok());
        let ttl = self.raw(line, Field::DetailTtl).and_then(json::string);
        if let (Some(tokens), Some(ttl)) = (tokens, ttl) {
            self.details.any = true;
            let sum = match &*ttl {
                "5m" => &mut self.details.write_5m,
                "1h" => &mut self.details.write_1h,
                _ => &mut 0,
            };
            *sum = sum.saturating_add(tokens);
        }
        self.remove(Field::DetailTokens);
        self.remove(Field::DetailTtl);
    }
}

impl Sink for Slots {
    #[inline]
    fn take(&mut self, slot: Slot, line: &[u8], value: Range<usize>) {
        if let Some(own) = usize::from(slot).checked_sub(self.own)
            && let Some(also) = self.also.get(own).copied().flatten()
        {
            self.take(also, line, value.clone());
        }
        if slot == Field::DetailEnd as Slot {
            self.end_detail(line);
            return;
        }
        if line.get(value.start) == Some(&b'n') {
            return;
        }
        let (Ok(start), Ok(end)) = (u32::try_from(value.start), u32::try_from(value.end)) else {
            // `decode` refuses lines as long as that.
            return;
        };
        if let Some(place) = self.places.get_mut(usize::from(slot)) {
            *place = Place { start, end, round: self.round };
        }
    }
}
