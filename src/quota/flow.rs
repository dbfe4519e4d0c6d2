//! What the calls of one pool took of its quota, second by second.
//!
//! Bedrock takes a call's reservation when it begins and settles when it ends (Bedrock user guide, "Token
//! burndown"); over which time it adds up is not documented. Assumed here: a reservation counts while its call is
//! open, and what it settled to for a minute after it ended. Adding is exact and in any order the same.

use std::collections::{BTreeMap, VecDeque};

use super::settle::reserved;
use crate::ledger::inflight::{Inflight, Load, Settled};
use crate::model::time::{MINUTE_MS, UnixMillis};

/// Seconds of the windows of limits by the minute.
const WINDOW: i64 = 60;

/// What tokens of one model take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toll {
    /// Quota tokens of one output token.
    pub burndown: u32,
    /// What a call without a limit of its own may write, if that is known.
    pub max_output: Option<u32>,
}

impl Toll {
    /// Returns what open calls hold.
    pub fn held(self, load: &Load) -> u64 {
        let unset = u64::from(load.unset) * u64::from(self.max_output.unwrap_or(0));
        reserved(load.input, load.max_tokens.saturating_add(unset))
    }

    /// Returns what ended calls took.
    pub fn taken(self, settled: &Settled) -> u64 {
        settled.input.saturating_add(settled.output.saturating_mul(self.burndown.into()))
    }
}

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Second {
    began: u64,
    held: u64,
    freed: u64,
    ended: u64,
    settled: u64,
    throttled: u64,
}

/// What is not known of the calls of one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Calls that reserved something.
    pub calls: u64,
    /// Calls of which the log does not tell how much they may write: only their input is counted.
    pub unlimited: u64,
    /// Calls of which the log does not tell how long they took: they count for a second.
    pub untimed: u64,
}

/// The calls of one pool by the second.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    seconds: BTreeMap<i64, Second>,
    gaps: BTreeMap<UnixMillis, Gaps>,
}

/// What one minute of a pool took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinuteUse {
    /// Its start.
    pub minute: UnixMillis,
    /// Quota tokens of the calls that ended in it.
    pub settled: u64,
    /// The most that open calls held at once.
    pub reserved_peak: u64,
    /// The most that open calls held and calls of the last minute had settled to, together.
    pub use_peak: u64,
    /// Calls that began in it.
    pub requests: u64,
    /// The most calls that began within sixty seconds that end in it.
    pub requests_peak: u64,
    /// The most calls that were open at once.
    pub open_peak: u64,
    /// Calls that were throttled in it.
    pub throttled: u64,
    /// What is not known of its calls.
    pub gaps: Gaps,
}

/// What counted at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The second, since 1970.
    pub second: i64,
    /// Calls that are open.
    pub open: u64,
    /// What they hold.
    pub held: u64,
    /// What calls that ended within the last sixty seconds had settled to.
    pub settled: u64,
    /// Calls that began within the last sixty seconds.
    pub requests: u64,
    /// Calls that are throttled in this second.
    pub throttled: u64,
}

impl Flow {
    /// Adds the calls of a minute.
    pub fn add(&mut self, minute: UnixMillis, inflight: &Inflight, toll: Toll) {
        let base = minute.0.div_euclid(1_000);
        let at = |second: i16| base + i64::from(second);
        for (second, load) in &inflight.opened {
            let place = self.seconds.entry(at(*second)).or_default();
            place.began += u64::from(load.calls);
            place.held = place.held.saturating_add(toll.held(load));
        }
        for (second, load, settled) in &inflight.closed {
            let place = self.seconds.entry(at(*second)).or_default();
            place.ended += u64::from(load.calls);
            place.freed = place.freed.saturating_add(toll.held(load));
            place.settled = place.settled.saturating_add(toll.taken(settled));
        }
        for &(second, calls) in &inflight.throttled {
            self.seconds.entry(at(second)).or_default().throttled += u64::from(calls);
        }
        let gaps = self.gaps.entry(minute).or_default();
        gaps.calls += inflight.opened.iter().map(|(_, load)| u64::from(load.calls)).sum::<u64>();
        gaps.unlimited += u64::from(inflight.unlimited);
        gaps.untimed += u64::from(inflight.untimed);
    }

    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        for (at, theirs) in &other.seconds {
            let mine = self.seconds.entry(*at).or_default();
            mine.began += theirs.began;
            mine.ended += theirs.ended;
            mine.throttled += theirs.throttled;
            mine.held = mine.held.saturating_add(theirs.held);
            mine.freed = mine.freed.saturating_add(theirs.freed);
            mine.settled = mine.settled.saturating_add(theirs.settled);
        }
        for (minute, theirs) in &other.gaps {
            let mine = self.gaps.entry(*minute).or_default();
            mine.calls += theirs.calls;
            mine.unlimited += theirs.unlimited;
            mine.untimed += theirs.untimed;
        }
    }

    /// Forgets what happened before `from`: what is open then counts as begun then.
    pub fn forget_before(&mut self, from: UnixMillis) {
        let first = from.0.div_euclid(1_000);
        let rest = self.seconds.split_off(&first);
        let mut carried = Second::default();
        for second in std::mem::replace(&mut self.seconds, rest).into_values() {
            carried.began = (carried.began + second.began).saturating_sub(second.ended);
            carried.held = carried.held.saturating_add(second.held).saturating_sub(second.freed);
        }
        if carried.held > 0 {
            let place = self.seconds.entry(first).or_default();
            place.began += carried.began;
            place.held = place.held.saturating_add(carried.held);
        }
        self.gaps = self.gaps.split_off(&from);
    }

    /// Tells whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.seconds.is_empty()
    }

    /// Returns the minutes in which calls were throttled, in order.
    pub fn throttled_minutes(&self) -> Vec<UnixMillis> {
        let throttled = self.seconds.iter().filter(|(_, second)| second.throttled > 0);
        let mut minutes: Vec<_> =
            throttled.map(|(&second, _)| UnixMillis(second * 1_000).floor(MINUTE_MS)).collect();
        minutes.dedup();
        minutes
    }

    /// Visits how things stood in each second of `from..to` in which something happened, and at `from`.
    pub fn standings(&self, from: UnixMillis, to: UnixMillis, mut visit: impl FnMut(Standing)) {
        let (from, to) = (from.0.div_euclid(1_000), to.0.div_euclid(1_000));
        let mut state = Standing::default();
        let mut window: VecDeque<(i64, Second)> = VecDeque::new();
        let mut has_begun = false;
        for (&at, second) in self.seconds.range(..to) {
            if at > from && !has_begun {
                has_begun = true;
                expire(&mut window, &mut state, from);
                visit(Standing { second: from, throttled: 0, ..state });
            }
            expire(&mut window, &mut state, at);
            state.open = (state.open + second.began).saturating_sub(second.ended);
            state.held = state.held.saturating_add(second.held).saturating_sub(second.freed);
            state.settled = state.settled.saturating_add(second.settled);
            state.requests += second.began;
            window.push_back((at, *second));
            if at >= from {
                has_begun = true;
                visit(Standing { second: at, throttled: second.throttled, ..state });
            }
        }
        if !has_begun {
            expire(&mut window, &mut state, from);
            visit(Standing { second: from, throttled: 0, ..state });
        }
    }

    /// Returns what the minute that starts at `minute` took.
    pub fn minute(&self, minute: UnixMillis) -> MinuteUse {
        let to = minute.plus(MINUTE_MS);
        let mut sum = MinuteUse { minute, ..MinuteUse::default() };
        sum.gaps = self.gaps.get(&minute).copied().unwrap_or_default();
        for second in self.seconds.range(seconds(minute)..seconds(to)).map(|(_, second)| second) {
            sum.settled = sum.settled.saturating_add(second.settled);
            sum.requests += second.began;
            sum.throttled += second.throttled;
        }
        self.standings(minute, to, |standing| {
            sum.open_peak = sum.open_peak.max(standing.open);
            sum.reserved_peak = sum.reserved_peak.max(standing.held);
            sum.use_peak = sum.use_peak.max(standing.held.saturating_add(standing.settled));
            sum.requests_peak = sum.requests_peak.max(standing.requests);
        });
        sum
    }
}

fn seconds(at: UnixMillis) -> i64 {
    at.0.div_euclid(1_000)
}

/// Takes out of the window what is older than sixty seconds at `now`.
fn expire(window: &mut VecDeque<(i64, Second)>, state: &mut Standing, now: i64) {
    while let Some((at, second)) = window.front() {
        if *at > now - WINDOW {
            break;
        }
        state.settled = state.settled.saturating_sub(second.settled);
        state.requests = state.requests.saturating_sub(second.began);
        window.pop_front();
    }
}
