//! What is paid by the call or by the gigabyte of log: counted with what is counted, in the same commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::item::{Item, Rate};
use crate::ledger::batch::{Entry, Group, RatedBatch};
use crate::model::money::Usd;
use crate::model::time::{MINUTE_MS, UnixMillis};

/// The calls of one batch that items are paid for.
#[derive(Debug)]
pub struct Calls<'i> {
    /// Items that are paid by the call, with their price.
    items: Vec<(&'i Item, Usd)>,
    /// Which of them count the calls of a group of the batch: as many places for each group.
    counts: Vec<bool>,
    /// Calls by place of the item and minute.
    by_minute: BTreeMap<(usize, UnixMillis), u64>,
    /// The latest time that a log tells and that may be true.
    newest: UnixMillis,
    believable: UnixMillis,
}

impl<'i> Calls<'i> {
    /// Returns no calls of a batch with these groups. Times after `believable` bear no witness.
    pub fn new(items: &'i [Item], groups: &[Arc<Group>], believable: UnixMillis) -> Self {
        let mut paid = Vec::new();
        let mut scopes = Vec::new();
        for item in items {
            if let Rate::PerCall { usd, scope } = &item.rate {
                paid.push((item, *usd));
                scopes.push(scope);
            }
        }
        let of_group = |group: &Arc<Group>| {
            let series = Arc::clone(group);
            scopes.iter().map(move |scope| scope.matches(&series.series))
        };
        let counts = groups.iter().flat_map(of_group).collect();
        Self { items: paid, counts, by_minute: BTreeMap::new(), newest: UnixMillis(0), believable }
    }

    /// Takes a call that is counted, booked at `at`.
    pub fn see(&mut self, entry: &Entry, at: UnixMillis) {
        if entry.at <= self.believable {
            self.newest = self.newest.max(entry.at);
        }
        if self.items.is_empty() {
            return;
        }
        let first =
            usize::try_from(entry.group).unwrap_or(usize::MAX).saturating_mul(self.items.len());
        for (place, (item, _)) in self.items.iter().enumerate() {
            let is_counted = self.counts.get(first.saturating_add(place)) == Some(&true);
            if is_counted && item.is_in_force(at) {
                *self.by_minute.entry((place, at.floor(MINUTE_MS))).or_default() += 1;
            }
        }
    }

    /// Returns the latest time of a call, as its log tells it, if that may be true.
    pub fn newest(&self) -> UnixMillis {
        self.newest
    }

    /// Returns what is to be paid: item, time and dollars.
    pub fn charges(&self) -> impl Iterator<Item = (&'i Item, UnixMillis, Usd)> + '_ {
        self.by_minute.iter().filter_map(|(&(place, minute), &calls)| {
            let &(item, usd) = self.items.get(place)?;
            // The minute in which an item begins began before it.
            Some((item, minute.max(item.from), usd.times(calls)))
        })
    }
}

/// The bytes that one batch adds to those of its source.
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// Bytes of the source before it.
    pub before: u64,
    /// Its own.
    pub added: u64,
    /// When they were written, as far as that is known.
    pub at: UnixMillis,
}

impl Bytes {
    /// Returns the bytes of a batch; `newest` is the latest event known of its source, 0 if there is none.
    ///
    /// A log does not say when each byte was written, so those of a batch are of the time of its last
    /// call, else of the latest event of the source, else of now.
    pub fn of(batch: &RatedBatch, before: u64, newest: UnixMillis, now: UnixMillis) -> Self {
        let added = batch.span.to.saturating_sub(batch.span.from);
        let times = batch.rated.entries.iter().map(|entry| entry.at).filter(|at| *at <= now);
        let known = times.max().or_else(|| (newest > UnixMillis(0)).then_some(newest));
        Self { before, added, at: known.map_or(now, |at| at.min(now)) }
    }

    /// Returns what an item costs for them, if it is paid by the bytes of `source` at that time.
    ///
    /// What a source costs in all is rounded down to a picodollar, whatever the batches it is read in.
    pub fn charge(&self, item: &Item, source: &str) -> Option<Usd> {
        let Rate::PerGigabyte { usd, gigabyte, source: paid } = &item.rate else { return None };
        let is_paid = paid.0 == source && item.is_in_force(self.at);
        let until = |bytes: u64| usd.times(bytes).0 / i128::from((*gigabyte).max(1));
        let cost = Usd(until(self.before.saturating_add(self.added)) - until(self.before));
        (is_paid && cost != Usd::ZERO).then_some(cost)
    }
}
