//! What is charged beside tokens: what time makes due, and what calls and bytes cost that are booked.
//!
//! All of it becomes part of the booking that is at hand, so it is committed with what it is about, or not
//! at all. It must never charge by itself: `charge` says what is due.

use std::sync::Arc;
use std::time::Instant;

use crate::charge::{Believed, Bytes, Calls, Item};
use crate::ledger::batch::RatedBatch;
use crate::ledger::booking::{BookError, Booking, StoredIds};
use crate::ledger::state::Ledger;
use crate::model::time::{HOUR_MS, MINUTE_MS, UnixMillis};

/// Most steps of time in one booking; they bound its size.
const STEPS_MAX: usize = 1_500;
/// How far a log's clock may be ahead of ours and still bear witness for it.
const AHEAD_MS: i64 = HOUR_MS;

/// The items of the config, and up to when time is believed to have passed.
pub(super) struct Charger {
    items: Arc<[Item]>,
    believed: Believed,
    started: Instant,
    /// The latest time that a log told since the start.
    witness: UnixMillis,
    /// The minute at which everything was charged.
    charged: Option<UnixMillis>,
    has_doubted: bool,
}

impl Charger {
    /// Returns what charges for `items` from now on.
    pub(super) fn new(items: Arc<[Item]>, ledger: &Ledger, now: UnixMillis) -> Self {
        let charged = ledger.charged().values().max().copied().unwrap_or_default();
        let known = Some(ledger.newest().max(charged)).filter(|known| *known > UnixMillis(0));
        Self {
            items,
            believed: Believed::new(known, now),
            started: Instant::now(),
            witness: UnixMillis(0),
            charged: None,
            has_doubted: false,
        }
    }

    /// Books what time has made due and is not charged yet, or as much of it as one commit takes. Must
    /// come once for each booking. Tells whether there is more.
    pub(super) fn book_due(
        &mut self,
        booking: &mut Booking,
        ledger: &Ledger,
        now: UnixMillis,
    ) -> bool {
        if self.items.is_empty() {
            return false;
        }
        let ran_ms = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let believed = self.believed.look(now, ran_ms, self.witness);
        self.say_doubt();
        let minute = believed.floor(MINUTE_MS);
        if self.charged == Some(minute) {
            return false;
        }
        let mut steps = STEPS_MAX;
        for item in self.items.iter() {
            let charged = ledger.charged().get(item.name()).copied();
            let Some(due) = item.due(charged, believed, booking.horizons(), steps) else {
                continue;
            };
            for (at, usd) in &due.amounts {
                booking.charge(&item.key, *at, *usd);
            }
            booking.charged_until(item.name(), due.until);
            steps = steps.saturating_sub(due.steps);
            if steps == 0 {
                return true;
            }
        }
        self.charged = Some(minute);
        false
    }

    /// Books a batch, and what its calls and bytes cost beside their tokens.
    pub(super) fn book_batch(
        &mut self,
        ledger: &mut Ledger,
        booking: &mut Booking,
        batch: &RatedBatch,
        now: UnixMillis,
        stored: &StoredIds<'_>,
    ) -> Result<(), BookError> {
        if self.items.is_empty() {
            return ledger.book(booking, batch, now, stored);
        }
        let source = &batch.source;
        let (bytes, newest) = ledger
            .ingest()
            .get(source)
            .map_or_else(Default::default, |one| (one.bytes, one.newest));
        let bytes = Bytes::of(batch, bytes + booking.bytes_of(source), newest, now);
        let mut calls = Calls::new(&self.items, &batch.rated.groups, now.plus(AHEAD_MS));
        ledger.book_seen(booking, batch, now, stored, |entry, at| calls.see(entry, at))?;
        self.witness = self.witness.max(calls.newest());
        for (item, at, usd) in calls.charges() {
            booking.charge(&item.key, at, usd);
        }
        for item in self.items.iter() {
            if let Some(usd) = bytes.charge(item, source) {
                booking.charge(&item.key, bytes.at, usd);
            }
        }
        Ok(())
    }

    fn say_doubt(&mut self) {
        let is_doubted = self.believed.is_doubted();
        if is_doubted && !self.has_doubted {
            tracing::warn!(
                "the clock is further ahead than time has passed; what is paid by the hour is charged up to its \
                 time once a record is as late, or in an hour"
            );
        }
        self.has_doubted = is_doubted;
    }
}

#[cfg(test)]
mod tests;
