//! What the walk over one line found: for each wanted place, where its value stands.
//!
//! Ranges only; no byte of the line is kept. A place that comes twice keeps its last value, and
//! `null` is as good as nothing (so a key that comes again with `null` keeps its first value).

use std::ops::Range;

use super::json::{self, Sink, Slot};
use super::paths::{FIELDS, Field};
use super::scalar;

/// Where a value stands in its line.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: u32,
    end: u32,
}

/// A set of fields, so that whether a line has any of many takes one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet([u64; 4]);

const _: () = assert!(FIELDS <= 4 * 64, "a set of fields needs more words");

impl FieldSet {
    /// Returns the set of these fields.
    pub(super) const fn of(mut fields: &[Field]) -> Self {
        let mut set = Self([0; 4]);
        while let [field, rest @ ..] = fields {
            set = set.with(*field);
            fields = rest;
        }
        set
    }

    pub(super) const fn with(self, field: Field) -> Self {
        let Self([a, b, c, d]) = self;
        let bit = 1 << (field as Slot % 64);
        Self(match field as Slot / 64 {
            0 => [a | bit, b, c, d],
            1 => [a, b | bit, c, d],
            2 => [a, b, c | bit, d],
            _ => [a, b, c, d | bit],
        })
    }

    pub(super) const fn union(self, other: Self) -> Self {
        let (Self([a, b, c, d]), Self(others)) = (self, other);
        Self([a | others[0], b | others[1], c | others[2], d | others[3]])
    }

    #[inline]
    fn meets(self, other: Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |both, (own, other)| both | own & other) != 0
    }

    #[inline]
    fn insert(&mut self, slot: Slot) {
        if let Some(word) = self.0.get_mut(usize::from(slot / 64)) {
            *word |= 1 << (slot % 64);
        }
    }

    #[inline]
    fn remove(&mut self, field: Field) {
        let slot = field as Slot;
        if let Some(word) = self.0.get_mut(usize::from(slot / 64)) {
            *word &= !(1 << (slot % 64));
        }
    }

    #[inline]
    fn has(&self, slot: Slot) -> bool {
        self.0.get(usize::from(slot / 64)).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }
}

/// The places of the wanted values of one line.
pub(super) struct Slots {
    /// The fields that the line has; the places of all others are of earlier lines.
    present: FieldSet,
    fields: [Place; FIELDS],
    /// The places of attributes, then of described logs.
    attributes: Vec<Option<Place>>,
    /// The first slot of the described logs.
    own: usize,
    /// Of each slot from `own` on, the slot that also wants what stands there.
    also: Vec<Option<Slot>>,
    details: Details,
    events: Events,
}

/// The events of the lists that a line has. They are gathered in the one walk over it, since to look
/// for them afterwards would step over all of it again.
#[derive(Default)]
pub(super) struct Events {
    all: Vec<Event>,
    /// Which of them the lists hold, in the order of [`LISTS`].
    lists: [Range<usize>; LISTS.len()],
    /// How many there were, of which [`EVENTS_MAX`] are kept.
    count: usize,
}

/// One event of a list: where its parts stand, if it has them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Event {
    message: Option<Place>,
    id: Option<Place>,
    time: Option<Place>,
}

/// The lists of events.
const LISTS: [Field; 3] = [Field::LogEvents, Field::Events, Field::SessionResults];
/// Events kept for one line, lest a line of nothing but empty ones take many times its own memory.
/// `CloudWatch` Logs takes 10,000 at once (`PutLogEvents`).
const EVENTS_MAX: usize = 32_768;

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
        Self {
            present: FieldSet::default(),
            fields: [Place::default(); FIELDS],
            attributes: vec![None; attributes + also.len()],
            own: FIELDS + attributes,
            also,
            details: Details::default(),
            events: Events::default(),
        }
    }

    /// Forgets the last line.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.present = FieldSet::default();
        self.attributes.fill(None);
        self.details = Details::default();
        self.events.clear();
    }

    /// Tells whether the line has a field, and not as `null`.
    #[inline]
    pub(super) fn has(&self, field: Field) -> bool {
        self.present.has(field as Slot)
    }

    /// Tells whether the line has any of these fields, and not as `null`.
    #[inline]
    pub(super) fn has_any(&self, fields: FieldSet) -> bool {
        self.present.meets(fields)
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
        let place = match self.fields.get(usize::from(slot)) {
            Some(place) => self.present.has(slot).then_some(*place),
            None => *self.attributes.get(usize::from(slot) - FIELDS)?,
        };
        place.map(|place| place.start as usize..place.end as usize)
    }

    /// Puts another value of the line, or none, in the place of a field.
    pub(super) fn put(&mut self, field: Field, value: Option<Range<usize>>) {
        self.present.remove(field);
        let place = value.and_then(|value| {
            let (start, end) = (u32::try_from(value.start).ok()?, u32::try_from(value.end).ok()?);
            Some(Place { start, end })
        });
        if let (Some(place), Some(known)) = (place, self.fields.get_mut(field as usize)) {
            *known = place;
            self.present.insert(field as Slot);
        }
    }

    /// Takes the events that were found, for who goes through them while other lines are walked over.
    pub(super) fn take_events(&mut self) -> Events {
        std::mem::take(&mut self.events)
    }

    /// Gives the memory of events back.
    pub(super) fn give_back(&mut self, events: Events) {
        self.events = events;
        self.events.clear();
    }

    /// Gives the value of a place of a described log to what else is read from there.
    #[inline(never)]
    fn hand_on(&mut self, slot: Slot, line: &[u8], value: &Range<usize>) {
        if let Some(own) = usize::from(slot).checked_sub(self.own)
            && let Some(also) = self.also.get(own).copied().flatten()
        {
            self.take(also, line, value.clone());
        }
    }

    // Not inlined, and so the next one: `take` is, and must stay small for that.
    #[inline(never)]
    fn end_event(&mut self) {
        let part = |field| {
            let is_there = self.present.has(field as Slot);
            self.fields.get(field as usize).copied().filter(|_| is_there)
        };
        self.events.push(Event {
            message: part(Field::ListedMessage),
            id: part(Field::ListedId),
            time: part(Field::ListedTime),
        });
        for field in [Field::ListedMessage, Field::ListedId, Field::ListedTime] {
            self.present.remove(field);
        }
    }

    /// Adds up one element of `cacheDetails`: its parts may stand in any order, so they are known
    /// together only where the element ends.
    #[inline(never)]
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
        self.present.remove(Field::DetailTokens);
        self.present.remove(Field::DetailTtl);
    }
}

impl Events {
    #[inline]
    fn clear(&mut self) {
        if self.count > 0 {
            self.all.clear();
            self.count = 0;
            self.lists = Default::default();
        }
    }

    fn push(&mut self, event: Event) {
        self.count += 1;
        if self.all.len() < EVENTS_MAX {
            self.all.push(event);
        }
    }

    /// If this slot is that of a list, its events are those since the last list. If it comes twice, its
    /// last value counts.
    #[inline(never)]
    fn end_list(&mut self, slot: Slot) {
        if let Some(place) = LISTS.iter().position(|&list| list as Slot == slot) {
            let start = self.lists.iter().map(|list| list.end).max().unwrap_or(0);
            if let Some(list) = self.lists.get_mut(place) {
                *list = start..self.count;
            }
        }
    }

    /// Returns the events of the list at `field`, or `None` if there are too many.
    pub(super) fn of(&self, field: Field) -> Option<&[Event]> {
        let place = LISTS.iter().position(|&list| list as Slot == field as Slot)?;
        self.all.get(self.lists.get(place)?.clone())
    }
}

impl Event {
    /// Returns the JSON text of its message in `line`.
    pub(super) fn message<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        self.message?.text(line)
    }

    /// Returns the JSON text of its time in `line`.
    pub(super) fn time<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        self.time?.text(line)
    }

    /// Returns the JSON text of its id in `line`.
    pub(super) fn id<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        self.id?.text(line)
    }
}

impl Place {
    #[inline]
    fn text(self, line: &[u8]) -> Option<&[u8]> {
        line.get(self.start as usize..self.end as usize)
    }
}

/// The slots that stand for more than a place: what ends there.
const ENDS: FieldSet = FieldSet::of(&[
    Field::DetailEnd,
    Field::ListedEnd,
    Field::LogEvents,
    Field::Events,
    Field::SessionResults,
]);

impl Sink for Slots {
    #[inline]
    fn take(&mut self, slot: Slot, line: &[u8], value: Range<usize>) {
        // Nearly all are fields that just stand there.
        if !self.also.is_empty() || ENDS.has(slot) || usize::from(slot) >= FIELDS {
            return self.take_other(slot, line, &value);
        }
        // `decode` refuses lines whose places don't fit.
        let (Ok(start), Ok(end)) = (u32::try_from(value.start), u32::try_from(value.end)) else {
            return;
        };
        if line.get(value.start) != Some(&b'n')
            && let Some(field) = self.fields.get_mut(usize::from(slot))
        {
            *field = Place { start, end };
            self.present.insert(slot);
        }
    }

    fn forget(&mut self) {
        self.clear();
    }
}

impl Slots {
    #[inline(never)]
    fn take_other(&mut self, slot: Slot, line: &[u8], value: &Range<usize>) {
        if !self.also.is_empty() {
            self.hand_on(slot, line, value);
        }
        if slot == Field::DetailEnd as Slot {
            return self.end_detail(line);
        }
        if slot == Field::ListedEnd as Slot {
            return self.end_event();
        }
        let (Ok(start), Ok(end)) = (u32::try_from(value.start), u32::try_from(value.end)) else {
            return;
        };
        if line.get(value.start) == Some(&b'n') {
            return;
        }
        let place = Place { start, end };
        if let Some(field) = self.fields.get_mut(usize::from(slot)) {
            *field = place;
            self.present.insert(slot);
            if self.events.count > 0 {
                self.events.end_list(slot);
            }
        } else if let Some(attribute) = self.attributes.get_mut(usize::from(slot) - FIELDS) {
            *attribute = Some(place);
        }
    }
}
