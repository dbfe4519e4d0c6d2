//! Why calls of one minute were throttled: which limit they ran into, how sure that is, and who held it.
//!
//! What the log can't tell is said ([`Unknown`]), and never taken for zero: a limit that is not reached by what
//! is known is not the reason, unless the error itself names it.

use super::advice::{self, Advice};
use super::flow::{Flow, MinuteUse, Standing, Toll};
use super::kind::QuotaKind;
use super::lane::{Lane, LaneSums};
use super::limits::{Limit, LimitSource};
use crate::ledger::counts::Counts;
use crate::model::names::{ThrottleKind, names};
use crate::model::time::{MINUTE_MS, UnixMillis};

/// The part of a limit, in percent, from which on it counts as reached: seconds are as fine as logs are.
const REACHED_PERCENT: u128 = 98;
/// The part of calls, in percent, of which little may be known before a reason is less sure, and unsure.
const GAPS_PERCENT: u64 = 5;
const GAPS_MANY_PERCENT: u64 = 25;
/// Most principals that are named.
const HOLDERS_MAX: usize = 3;

names! {
    /// Which limit throttled calls ran into.
    Reason {
        /// Open calls held more than they would use.
        Reservation = "reservation",
        /// Calls used up the tokens of a minute.
        Settled = "settled",
        /// Too many calls a minute.
        Requests = "requests",
        /// The tokens of the day are used up.
        Daily = "daily",
        /// None that this log shows: capacity that AWS shares between customers, callers that are not in this
        /// log, or a limit that is not known.
        Unknown = "shared_capacity_or_unknown",
    }
}

names! {
    /// How sure a reason is.
    Confidence {
        /// The limit is the account's, all of its calls are known, and they reach it; or the error says so.
        High = "high",
        /// Something of it is assumed.
        Medium = "medium",
        /// Much of it is assumed.
        Low = "low",
    }
}

names! {
    /// What is not known of a throttled minute.
    Unknown {
        /// The log does not hold requests, so how much they reserve is not known.
        OutputLimits = "max_tokens_not_logged",
        /// The log does not tell how long calls took, so they count as open for a second.
        Durations = "durations_not_logged",
        /// No limit of tokens a minute is known.
        TokenLimit = "no_token_limit",
        /// The limit is AWS's default; the account may have another.
        DefaultLimit = "default_limit",
        /// Nothing but throttled calls is in this log.
        OtherCalls = "no_other_calls_in_this_log",
        /// Only other logs tell of the throttled calls, and not at which second.
        ThrottledCalls = "throttled_calls_not_in_this_log",
    }
}

/// The limits of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolLimits {
    /// Quota tokens a minute.
    pub tokens_per_minute: Option<Limit>,
    /// Quota tokens a day.
    pub tokens_per_day: Option<Limit>,
    /// Calls a minute.
    pub requests_per_minute: Option<Limit>,
}

impl PoolLimits {
    /// Returns the limit of a kind.
    pub fn of(&self, kind: QuotaKind) -> Option<Limit> {
        match kind {
            QuotaKind::TokensPerMinute => self.tokens_per_minute,
            QuotaKind::TokensPerDay => self.tokens_per_day,
            QuotaKind::RequestsPerMinute => self.requests_per_minute,
        }
    }
}

/// A minute in which calls of one pool were throttled.
#[derive(Clone, Copy, Debug)]
pub struct Case<'c> {
    /// The start of the minute.
    pub minute: UnixMillis,
    /// The limits of the pool.
    pub limits: PoolLimits,
    /// What tokens of its model take.
    pub toll: Toll,
    /// Its calls, from a quarter of an hour before the minute on.
    pub lanes: &'c [Lane<'c>],
    /// The day by then.
    pub day: DayUse,
    /// What errors of this minute say.
    pub told: &'c Counts<ThrottleKind>,
    /// Throttled calls of this minute that only other logs tell of.
    pub elsewhere: u64,
}

/// What calls of a day settled to, of the limit that is the fuller one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayUse {
    /// Quota tokens.
    pub settled: u64,
    /// What they may settle to, if it is known.
    pub limit: Option<Limit>,
    /// Whether all models of the account in the region share it.
    pub is_of_account: bool,
}

impl DayUse {
    /// Returns the one of both whose limit is used up first.
    #[must_use]
    pub fn or_fuller(self, other: Self) -> Self {
        let share = |used: &Self, of: u64| u128::from(used.settled) * u128::from(of);
        match (self.limit, other.limit) {
            (_, None) => self,
            (None, Some(_)) => other,
            (Some(mine), Some(theirs)) => {
                if share(&other, mine.value) > share(&self, theirs.value) { other } else { self }
            }
        }
    }
}

/// A principal whose calls fill a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub principal: String,
    /// What its open calls held when the most was held.
    pub held: u64,
    /// What its calls of the last minute had settled to by then.
    pub settled: u64,
    /// Its calls that began within the last minute by then.
    pub requests: u64,
}

/// Why calls of one minute were throttled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What the minute took.
    pub used: MinuteUse,
    /// The day by then.
    pub day: DayUse,
    /// Throttled calls that only other logs tell of.
    pub elsewhere: u64,
    /// The limits.
    pub limits: PoolLimits,
    /// The limit that most throttled calls ran into.
    pub reason: Reason,
    /// How sure that is.
    pub confidence: Confidence,
    /// Who fills the quota, the largest part first.
    pub holders: Vec<Holder>,
    /// What to do about it.
    pub advice: Vec<Advice>,
    /// What is not known.
    pub unknown: Vec<Unknown>,
}

impl Explanation {
    /// Returns how many calls were throttled, by all logs.
    pub fn throttled(&self) -> u64 {
        self.used.throttled.saturating_add(self.elsewhere)
    }
}

/// Explains a minute; none if nothing was throttled in it.
pub fn explain(case: &Case<'_>) -> Option<Explanation> {
    let flow = merged(case);
    let used = flow.minute(case.minute);
    if used.throttled == 0 && case.elsewhere == 0 {
        return None;
    }
    let sums: Vec<LaneSums> = case.lanes.iter().map(Lane::sums).collect();
    let reason = reason(case, &flow, &sums);
    let unknown = unknown(case, &sums, used.throttled == 0);
    let at = fullest(&flow, case.minute, reason);
    let holders = holders(case, at, reason);
    let advice = advice::of(case, reason, &used, &holders, &sums);
    let confidence = confidence(case, reason, &sums, &unknown);
    Some(Explanation {
        used,
        day: case.day,
        elsewhere: case.elsewhere,
        limits: case.limits,
        reason,
        confidence,
        holders,
        advice,
        unknown,
    })
}

/// Returns the calls of all lanes by the second.
fn merged(case: &Case<'_>) -> Flow {
    let mut flow = Flow::default();
    for lane in case.lanes {
        for (minute, inflight) in &lane.minutes {
            flow.add(*minute, inflight, case.toll);
        }
    }
    flow
}

/// Returns the reason that holds for most throttled calls. Each is looked at in its second, with what a call of
/// its principal holds and uses on average.
fn reason(case: &Case<'_>, flow: &Flow, sums: &[LaneSums]) -> Reason {
    let told = told(case.told);
    let to = case.minute.plus(MINUTE_MS);
    let mut standings = Vec::new();
    flow.standings(case.minute, to, |standing| standings.push(standing));
    let all = total(sums);
    let mut votes: Counts<Reason> = Counts::default();
    for (lane, sums) in case.lanes.iter().zip(sums) {
        let pick = |of: fn(&LaneSums, Toll) -> Option<u64>| {
            of(sums, case.toll).or_else(|| of(&all, case.toll)).unwrap_or(0)
        };
        let call = Need { held: pick(LaneSums::mean_held), taken: pick(LaneSums::mean_taken) };
        lane.flow(case.toll).standings(case.minute, to, |own| {
            let standing = standings.iter().rfind(|standing| standing.second <= own.second);
            if let Some(standing) = standing.filter(|_| own.throttled > 0) {
                votes.add(of_call(case, told, standing, call, &all), own.throttled);
            }
        });
    }
    if votes.is_empty() {
        // Nobody knows when or whose: it is looked at where most was taken, for a call of the usual size.
        let [held, taken] =
            [LaneSums::mean_held, LaneSums::mean_taken].map(|of| of(&all, case.toll).unwrap_or(0));
        let fullest =
            standings.iter().max_by_key(|at| (at.held.saturating_add(at.settled), at.requests));
        return fullest
            .map_or(Reason::Unknown, |at| of_call(case, told, at, Need { held, taken }, &all));
    }
    let most = votes.iter().max_by_key(|&(reason, calls)| (calls, std::cmp::Reverse(reason)));
    most.map_or(Reason::Unknown, |(reason, _)| reason)
}

/// What one more call would hold, and what it would settle to.
#[derive(Clone, Copy)]
struct Need {
    held: u64,
    taken: u64,
}

fn of_call(
    case: &Case<'_>,
    told: Option<ThrottleKind>,
    standing: &Standing,
    need: Need,
    all: &LaneSums,
) -> Reason {
    let PoolLimits { tokens_per_minute, requests_per_minute, .. } = case.limits;
    let is_full = |limit: Option<Limit>, amount: u64| {
        limit.is_some_and(|limit| {
            u128::from(amount) * 100 > u128::from(limit.value) * REACHED_PERCENT
        })
    };
    // What open calls will settle to is not told before they end.
    let mean_taken = all.mean_taken(case.toll).unwrap_or(need.taken);
    let used = standing.settled.saturating_add(standing.open.saturating_mul(mean_taken));
    let is_settled = is_full(tokens_per_minute, used.saturating_add(need.taken));
    let holds = standing.settled.saturating_add(standing.held).saturating_add(need.held);
    let of_tokens = if is_settled {
        Reason::Settled
    } else if is_full(tokens_per_minute, holds) {
        Reason::Reservation
    } else {
        Reason::Unknown
    };
    match told {
        Some(ThrottleKind::Requests) => return Reason::Requests,
        Some(ThrottleKind::TokensPerDay) => return Reason::Daily,
        Some(ThrottleKind::Tokens) => return of_tokens,
        Some(ThrottleKind::Unknown) | None => {}
    }
    let day = case.day.settled.saturating_add(standing.held).saturating_add(need.held);
    if is_full(case.day.limit, day) {
        Reason::Daily
    } else if is_full(requests_per_minute, standing.requests + 1) {
        Reason::Requests
    } else {
        of_tokens
    }
}

/// Returns the limit that most errors name, if any does.
fn told(told: &Counts<ThrottleKind>) -> Option<ThrottleKind> {
    let named = told.iter().filter(|&(kind, _)| kind != ThrottleKind::Unknown);
    named.max_by_key(|&(kind, calls)| (calls, std::cmp::Reverse(kind))).map(|(kind, _)| kind)
}

fn total(sums: &[LaneSums]) -> LaneSums {
    let mut all = LaneSums::default();
    for sums in sums {
        all.load.add(&sums.load);
        all.settled.add(&sums.settled);
        all.unlimited += sums.unlimited;
        all.throttled += sums.throttled;
    }
    all
}

fn unknown(case: &Case<'_>, sums: &[LaneSums], is_elsewhere: bool) -> Vec<Unknown> {
    let all = total(sums);
    let calls = u64::from(all.load.calls);
    let untimed = case.lanes.iter().flat_map(|lane| &lane.minutes);
    let untimed: u64 = untimed.map(|(_, inflight)| u64::from(inflight.untimed)).sum();
    let unset = if case.toll.max_output.is_none() { u64::from(all.load.unset) } else { 0 };
    let is_many = |part: u64| part * 100 > calls * GAPS_PERCENT;
    let limit = case.limits.tokens_per_minute;
    let found = [
        (Unknown::OtherCalls, calls == 0),
        (Unknown::ThrottledCalls, is_elsewhere),
        (Unknown::OutputLimits, is_many(all.unlimited + unset)),
        (Unknown::Durations, is_many(untimed)),
        (Unknown::TokenLimit, limit.is_none()),
        (Unknown::DefaultLimit, limit.is_some_and(|limit| limit.source == LimitSource::Default)),
    ];
    found.into_iter().filter(|(_, is_so)| *is_so).map(|(unknown, _)| unknown).collect()
}

fn confidence(
    case: &Case<'_>,
    reason: Reason,
    sums: &[LaneSums],
    unknown: &[Unknown],
) -> Confidence {
    let is_told = match told(case.told) {
        Some(ThrottleKind::Requests) => reason == Reason::Requests,
        Some(ThrottleKind::TokensPerDay) => reason == Reason::Daily,
        Some(ThrottleKind::Tokens) => matches!(reason, Reason::Settled | Reason::Reservation),
        Some(ThrottleKind::Unknown) | None => false,
    };
    let all = total(sums);
    let many = u64::from(all.load.calls) * GAPS_MANY_PERCENT;
    let is_blind = all.load.calls == 0 || all.unlimited * 100 > many;
    let source = match reason {
        Reason::Requests => case.limits.requests_per_minute,
        Reason::Daily => case.day.limit,
        _ => case.limits.tokens_per_minute,
    };
    let is_assumed = source.is_none_or(|limit| limit.source == LimitSource::Default);
    match reason {
        Reason::Requests | Reason::Daily if is_told => Confidence::High,
        Reason::Unknown => Confidence::Low,
        Reason::Requests | Reason::Daily
            if is_assumed || unknown.contains(&Unknown::ThrottledCalls) =>
        {
            Confidence::Medium
        }
        Reason::Requests | Reason::Daily => Confidence::High,
        _ if is_blind && !is_told => Confidence::Low,
        _ if is_blind || (is_assumed && !is_told) || !unknown.is_empty() => Confidence::Medium,
        _ => Confidence::High,
    }
}

/// Returns the second of the minute in which what `reason` is about was the most.
fn fullest(flow: &Flow, minute: UnixMillis, reason: Reason) -> i64 {
    let mut best = (0, minute.0.div_euclid(1_000));
    flow.standings(minute, minute.plus(MINUTE_MS), |standing| {
        let amount = match reason {
            Reason::Requests => standing.requests,
            _ => standing.held.saturating_add(standing.settled),
        };
        if amount > best.0 {
            best = (amount, standing.second);
        }
    });
    best.1
}

fn holders(case: &Case<'_>, second: i64, reason: Reason) -> Vec<Holder> {
    let at = UnixMillis(second * 1_000);
    let mut holders: Vec<Holder> = Vec::new();
    for lane in case.lanes {
        let mut own = Standing::default();
        lane.flow(case.toll).standings(at, at.plus(1_000), |standing| own = standing);
        let Standing { held, settled, requests, .. } = own;
        if let Some(known) = holders.iter_mut().find(|known| known.principal == lane.principal) {
            known.held += held;
            known.settled += settled;
            known.requests += requests;
        } else {
            let principal = lane.principal.to_owned();
            holders.push(Holder { principal, held, settled, requests });
        }
    }
    let weight = |holder: &Holder| match reason {
        Reason::Requests => holder.requests,
        Reason::Settled | Reason::Daily => holder.settled,
        Reason::Reservation | Reason::Unknown => holder.held.saturating_add(holder.settled),
    };
    holders.retain(|holder| weight(holder) > 0);
    holders.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.principal.cmp(&b.principal)));
    holders.truncate(HOLDERS_MAX);
    holders
}

#[cfg(test)]
mod tests;
