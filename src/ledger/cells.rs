//! Sums of entries by group and time bucket: the inner loop of `scan` and `run`.
//!
//! Tokens are summed first and priced once a cell: all entries of a group share one price card, and
//! the cost is linear in tokens, so this is exact.

use std::collections::HashMap;
use std::sync::Arc;

use super::amounts::Amounts;
use super::batch::{Entry, Group};
use super::histogram::{DURATION_MS_BOUNDS, TOKEN_BOUNDS};
use super::inflight::Inflight;
use crate::model::money::Usd;
use crate::model::names::{Approximation, Outcome};
use crate::model::time::UnixMillis;
use crate::model::tokens::{TokenClass, TokenCounts};
use crate::price::Price;

/// Amounts by group and bucket. `B` is whatever the caller tells times apart by.
#[derive(Debug)]
pub struct Cells<B> {
    groups: Vec<Arc<Group>>,
    /// Place in `groups` by address of the group, which each `Arc` in `groups` keeps alive.
    by_address: HashMap<usize, u32, foldhash::fast::FixedState>,
    /// Place in `list` by group and bucket.
    places: HashMap<(u32, B), usize, foldhash::fast::FixedState>,
    list: Vec<Cell<B>>,
    /// Bucket and place in `list` of the last entry of each group: the next is mostly of the same.
    last: Vec<Option<(B, usize)>>,
}

#[derive(Debug)]
struct Cell<B> {
    group: u32,
    bucket: B,
    sums: Sums,
    inflight: Inflight,
}

/// Sums of entries before they are priced.
#[derive(Debug, Default)]
struct Sums {
    /// Apart, so that they stay where they are all the way into the store.
    amounts: Box<Amounts>,
    /// Calls that used any token, which every assumption about prices concerns.
    with_tokens: u64,
    /// Calls with cache writes of unknown time to live.
    with_unknown_ttl: u64,
    /// Tokens of the calls whose cost was claimed.
    claimed: TokenCounts,
    /// Tokens of the calls that failed.
    wasted: TokenCounts,
}

impl<B> Default for Cells<B> {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            by_address: HashMap::default(),
            places: HashMap::default(),
            list: Vec::new(),
            last: Vec::new(),
        }
    }
}

impl<B: Copy + Eq + std::hash::Hash> Cells<B> {
    /// Returns the places of the groups of a batch, for [`Self::add`].
    pub fn places_of(&mut self, groups: &[Arc<Group>]) -> Vec<u32> {
        groups
            .iter()
            .map(|group| {
                let next = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
                let address = Arc::as_ptr(group).addr();
                *self.by_address.entry(address).or_insert_with(|| {
                    self.groups.push(Arc::clone(group));
                    self.last.push(None);
                    next
                })
            })
            .collect()
    }

    /// Adds an entry of the group at `place` to `bucket`.
    pub fn add(&mut self, place: u32, bucket: B, entry: &Entry) {
        if let Some(cell) = self.cell(place, bucket) {
            cell.sums.add(entry);
        }
    }

    /// Adds an entry like [`Self::add`], and when in `bucket`, which is the minute from `minute` on, it was
    /// open.
    pub fn add_in_minute(&mut self, place: u32, bucket: B, minute: UnixMillis, entry: &Entry) {
        if let Some(cell) = self.cell(place, bucket) {
            cell.sums.add(entry);
            cell.inflight.observe(minute, entry);
        }
    }

    fn cell(&mut self, place: u32, bucket: B) -> Option<&mut Cell<B>> {
        let of_group = usize::try_from(place).unwrap_or(usize::MAX);
        let index = match self.last.get(of_group) {
            Some(&Some((known, index))) if known == bucket => index,
            _ => {
                let next = self.list.len();
                let index = *self.places.entry((place, bucket)).or_insert(next);
                if index == next {
                    let (sums, inflight) = (Sums::default(), Inflight::default());
                    self.list.push(Cell { group: place, bucket, sums, inflight });
                }
                if let Some(last) = self.last.get_mut(of_group) {
                    *last = Some((bucket, index));
                }
                index
            }
        };
        self.list.get_mut(index)
    }

    /// Adds only what a call is claimed to have cost: the call is counted elsewhere.
    pub fn add_claim(&mut self, place: u32, bucket: B, entry: &Entry) {
        if let (Some(reported), Some(cell)) = (entry.reported_cost, self.cell(place, bucket)) {
            cell.sums.add_claim(reported, entry);
        }
    }

    /// Returns how many cells there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Tells whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Prices every cell and returns them in the order in which they were first seen.
    pub fn finish(self) -> impl Iterator<Item = (Arc<Group>, B, Box<Amounts>, Inflight)> {
        let groups = self.groups;
        self.list.into_iter().filter_map(move |cell| {
            let group = groups.get(usize::try_from(cell.group).ok()?)?;
            Some((Arc::clone(group), cell.bucket, cell.sums.priced(group), cell.inflight))
        })
    }
}

impl Sums {
    fn add(&mut self, entry: &Entry) {
        let amounts = &mut self.amounts;
        amounts.requests.add((entry.operation, entry.outcome), 1);
        if let Some(code) = entry.error_code {
            amounts.errors.add(code, 1);
        }
        if let Some(retries) = entry.retries_exhausted {
            amounts.retries += u64::from(retries);
            amounts.retries_exhausted += 1;
        }
        amounts.kinds.add(entry.kind, 1);
        match entry.outcome {
            Outcome::Ok | Outcome::Filtered => {}
            Outcome::Throttled => amounts.throttles.add((entry.kind, entry.throttle), 1),
            _ => add_tokens(&mut self.wasted, entry),
        }
        if let Some(reason) = entry.stop_reason {
            amounts.stop_reasons.add(reason, 1);
        }
        amounts.empty_responses += u64::from(entry.empty);
        add_tokens(&mut amounts.tokens, entry);
        amounts.reasoning_tokens += u64::from(entry.reasoning_tokens);
        if !entry.approximations.is_empty() {
            for approximation in entry.approximations.iter() {
                amounts.approximated.add(approximation, 1);
            }
        }
        if let Some(latency) = entry.latency_ms {
            amounts.duration_ms.observe(&DURATION_MS_BOUNDS, u64::from(latency));
        }
        if let Some(first_byte) = entry.first_byte_ms {
            amounts.first_byte_ms.observe(&DURATION_MS_BOUNDS, u64::from(first_byte));
        }
        let output = u64::from(entry.tokens.get(TokenClass::Output));
        let input = entry.tokens.0.iter().map(|&tokens| u64::from(tokens)).sum::<u64>() - output;
        if input + output > 0 {
            self.with_tokens += 1;
            amounts.input_tokens.observe(&TOKEN_BOUNDS, input);
            amounts.output_tokens.observe(&TOKEN_BOUNDS, output);
        }
        let unknown_ttl = entry.tokens.get(TokenClass::CacheWriteUnknownTtl);
        self.with_unknown_ttl += u64::from(unknown_ttl > 0);
        if let Some(reported) = entry.reported_cost {
            self.add_claim(reported, entry);
        }
    }

    fn add_claim(&mut self, reported: Usd, entry: &Entry) {
        self.amounts.reported_cost += reported;
        add_tokens(&mut self.claimed, entry);
    }

    fn priced(self, group: &Group) -> Box<Amounts> {
        let mut amounts = self.amounts;
        let charge = group.card.charge(&amounts.tokens);
        amounts.cost = charge.cost;
        amounts.reported_basis = group.card.charge(&self.claimed).cost.0.into_iter().sum();
        amounts.wasted_cost = group.card.charge(&self.wasted).cost.0.into_iter().sum();
        for (class, tokens) in charge.unpriced.iter().filter(|&(_, tokens)| tokens > 0) {
            if let Price::Unpriced(reason) = group.card.prices.get(class) {
                amounts.unpriced.add((class, reason), tokens);
            }
        }
        for approximation in charge.approximations.iter() {
            let calls = match approximation {
                Approximation::CacheTtlUnknown => self.with_unknown_ttl,
                _ => self.with_tokens,
            };
            amounts.approximated.add(approximation, calls);
        }
        amounts
    }
}

fn add_tokens(sums: &mut TokenCounts, entry: &Entry) {
    for (sum, tokens) in sums.0.iter_mut().zip(entry.tokens.0) {
        *sum += u64::from(tokens);
    }
}
