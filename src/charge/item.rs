//! One thing that is not paid by token, and what time makes due of it.
//!
//! An hour of an item begins where the item begins, and a started hour is paid in full: so AWS bills
//! model units and endpoints. Within an hour the price falls due by the minute, so that burn rates are
//! smooth; what is due up to a minute of the hour is rounded down, so that the minutes of an hour sum to
//! its price exactly. What an item that ends within an hour owes of the rest falls due in its last minute:
//! nothing is ever booked before the begin of an item or after its end.

use crate::budget::scope::Scope;
use crate::ledger::rollup::{Horizons, Level};
use crate::model::money::Usd;
use crate::model::series::SeriesKey;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// Minutes in an hour.
const MINUTES: i128 = 60;

/// One thing that is not paid by token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Labels of its series; [`SeriesKey::item`] is its name.
    pub key: SeriesKey,
    /// What it costs.
    pub rate: Rate,
    /// From when on it costs something.
    pub from: UnixMillis,
    /// The first instant at which it does not any more.
    pub to: Option<UnixMillis>,
}

/// What an item costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Dollars an hour, all units together.
    Hourly(Usd),
    /// Dollars a call.
    PerCall {
        /// The price.
        usd: Usd,
        /// Which calls.
        scope: Scope,
    },
    /// Dollars a gigabyte of log.
    PerGigabyte {
        /// The price.
        usd: Usd,
        /// Bytes of a gigabyte.
        gigabyte: u64,
        /// Whose bytes.
        source: Source,
    },
}

/// The name of a source of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(pub String);

/// What is due, and up to when the item is charged once that is booked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Dollars with the times at which they are booked, in order.
    pub amounts: Vec<(UnixMillis, Usd)>,
    /// Up to when the item is charged then.
    pub until: UnixMillis,
    /// How many steps of time that took.
    pub steps: usize,
}

impl Item {
    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.key.item
    }

    /// Returns the price of an hour, if time is what is paid for.
    pub fn per_hour(&self) -> Option<Usd> {
        match self.rate {
            Rate::Hourly(usd) => Some(usd),
            Rate::PerCall { .. } | Rate::PerGigabyte { .. } => None,
        }
    }

    /// Tells whether it costs something at `at`.
    pub fn is_in_force(&self, at: UnixMillis) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    /// Returns the end of the last hour that was started, if the item ends.
    fn paid_until(&self) -> Option<UnixMillis> {
        let started_ms = self.to?.0.saturating_sub(self.from.0).max(0);
        let hours = (started_ms + HOUR_MS - 1) / HOUR_MS;
        Some(self.from.plus(hours * HOUR_MS))
    }

    /// Returns what the item has cost from its begin up to `at`, as if it did not end: linear, and rounded
    /// down within the hour only.
    fn cost_until(&self, at: UnixMillis) -> i128 {
        let per_hour = self.per_hour().unwrap_or_default().0;
        let ms = at.0.saturating_sub(self.from.0).max(0);
        let minutes = i128::from(ms % HOUR_MS / MINUTE_MS);
        let hours = per_hour.saturating_mul(i128::from(ms / HOUR_MS));
        hours.saturating_add(per_hour.saturating_mul(minutes) / MINUTES)
    }

    /// Returns what falls due from `from` to `to`, which may lie ahead.
    pub fn standing(&self, from: UnixMillis, to: UnixMillis) -> Usd {
        let until = |at: UnixMillis| match (self.to, self.paid_until()) {
            (Some(end), Some(paid)) if at >= end => self.cost_until(paid),
            _ => self.cost_until(at),
        };
        Usd((until(to) - until(from)).max(0))
    }

    /// Returns what time has made due at `now`, behind what is charged already: up to the last full minute,
    /// in steps as long as the ledger's rows of those times, and no more than `steps_max` of them. Nothing
    /// for an item that is not paid by time, or is charged up to now.
    pub fn due(
        &self,
        charged: Option<UnixMillis>,
        now: UnixMillis,
        horizons: &Horizons,
        steps_max: usize,
    ) -> Option<Due> {
        self.per_hour()?;
        let now = now.floor(MINUTE_MS);
        let begin = charged.map_or(self.from, |charged| charged.max(self.from));
        let mut due = Due { amounts: Vec::new(), until: begin, steps: 0 };
        while due.steps < steps_max {
            let at = due.until;
            if self.paid_until().is_some_and(|paid| at >= paid) {
                break;
            }
            let (booked, end) = match self.to {
                // Its end became known after it.
                Some(to) if at >= to => (to.plus(-1), to),
                _ => (at, step_end(at, horizons)),
            };
            let end = self.to.map_or(end, |to| end.min(to));
            if end > now {
                break;
            }
            let until = if self.to == Some(end) { self.paid_until().unwrap_or(end) } else { end };
            let amount = Usd(self.cost_until(until) - self.cost_until(at));
            if amount != Usd::ZERO {
                due.amounts.push((booked, amount));
            }
            due.until = until;
            due.steps += 1;
        }
        (due.until > begin).then_some(due)
    }
}

/// Returns the end of the step that begins at `at`: of the ledger's row that holds it.
fn step_end(at: UnixMillis, horizons: &Horizons) -> UnixMillis {
    match horizons.bucket(at).level {
        Level::Minute => at.floor(MINUTE_MS).plus(MINUTE_MS),
        Level::Hour => horizons.cuts.end_of(at),
        Level::Day => at.floor(DAY_MS).plus(DAY_MS),
        Level::Ever => horizons.days_from,
    }
}
