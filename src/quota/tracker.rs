//! What is known of every pool by now: its last minutes second by second, and its day. Kept up to date from
//! committed cells, and evaluated at a given time; it must never ask a clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::explain::{Case, DayUse, Explanation, PoolLimits, explain};
use super::flow::{Flow, MinuteUse, Toll};
use super::kind::QuotaKind;
use super::lane::Lane;
use super::limits::Limits;
use super::pool::Pool;
use super::status::{QuotaStatus, mean, quota, slope};
use super::told::{CallSignal, Elsewhere, Source};
use crate::ledger::counts::Counts;
use crate::ledger::delta::SeriesId;
use crate::ledger::inflight::{Inflight, OPEN_SECONDS_MAX, Settled};
use crate::ledger::rollup::{Bucket, Level};
use crate::ledger::signals::SignalId;
use crate::model::names::ThrottleKind;
use crate::model::series::SeriesKey;
use crate::model::signal::SignalKey;
use crate::model::time::{DAY_MS, MINUTE_MS, UnixMillis};

/// Minutes over which the slope of a pool's use is taken, and for which throttles are explained.
pub const LOOK_BACK_MS: i64 = 10 * MINUTE_MS;
/// Time for which calls are kept by the second: a minute that is explained needs all that may be open in it.
pub const KEPT_MS: i64 = LOOK_BACK_MS + OPEN_SECONDS_MAX as i64 * 1_000 + 2 * MINUTE_MS;
/// How long no record may come at all before the present minute is that of the clock.
const STALE_MS: i64 = 15 * MINUTE_MS;
/// How long an explanation of a minute that is over may lag behind what comes late.
const EXPLAIN_EVERY_MS: i64 = 30_000;
/// Most pools that are looked at; those beyond are counted.
const POOLS_MAX: usize = 1_000;

/// Everything that a tracker knows of one pool.
#[derive(Debug, Default)]
struct Known {
    flow: Flow,
    /// Quota tokens that calls of a day settled to, by the day's start: input without what a cache served, and
    /// output.
    days: BTreeMap<UnixMillis, (u64, u64)>,
    elsewhere: Elsewhere,
    series: Vec<SeriesId>,
    /// When anything was added last.
    changed: UnixMillis,
}

/// What is kept of one series.
#[derive(Debug)]
struct Member {
    pool: Arc<Pool>,
    principal: Arc<str>,
    minutes: BTreeMap<UnixMillis, Inflight>,
    told: BTreeMap<UnixMillis, Counts<ThrottleKind>>,
}

/// What quotas need of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaPart {
    /// Input tokens without what a cache served.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Throttled calls by the limit that their error names.
    pub told: Counts<ThrottleKind>,
}

/// Where a pool stands.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolStatus {
    /// The pool.
    pub pool: Arc<Pool>,
    /// What its last full minute took.
    pub minute: MinuteUse,
    /// Its quotas.
    pub quotas: [QuotaStatus; 3],
    /// The minutes of the last ten in which calls were throttled, the latest first.
    pub explanations: Vec<Arc<Explanation>>,
}

/// Why calls of a minute were throttled, and when that was found.
#[derive(Clone, Debug)]
struct Explained {
    at: UnixMillis,
    explanation: Arc<Explanation>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Tracker {
    pools: BTreeMap<Arc<Pool>, Known>,
    members: BTreeMap<SeriesId, Member>,
    /// The signals that count throttled calls.
    signals: BTreeMap<SignalId, (Arc<Pool>, Source)>,
    explained: BTreeMap<(Arc<Pool>, UnixMillis), Explained>,
    refused: u64,
    /// The newest minute with calls, by account: their clocks may differ.
    newest: BTreeMap<String, UnixMillis>,
}

impl Known {
    /// Returns what calls of a day settled to.
    fn day_settled(&self, day: UnixMillis, toll: Toll) -> u64 {
        let (input, output) = self.days.get(&day).copied().unwrap_or_default();
        toll.taken(&Settled { input, output })
    }

    /// Returns where the quotas stood when `minute` ended; that of the day at `now`.
    fn quotas(
        &self,
        pool: &Pool,
        limits: &Limits,
        minute: UnixMillis,
        now: UnixMillis,
    ) -> [QuotaStatus; 3] {
        let back = (0..LOOK_BACK_MS / MINUTE_MS).rev();
        let minutes: Vec<MinuteUse> =
            back.map(|back| self.flow.minute(minute.plus(-back * MINUTE_MS))).collect();
        let used = minutes.last().copied().unwrap_or_default();
        let day = self.day_settled(now.floor(DAY_MS), toll(limits, pool, now));
        let settled_slope = slope(&minutes, |used| used.settled);
        let requests_slope = slope(&minutes, |used| used.requests);
        let kinds = [
            (QuotaKind::TokensPerMinute, used.settled, used.use_peak, settled_slope),
            (QuotaKind::TokensPerDay, day, day, mean(&minutes, |used| used.settled)),
            (QuotaKind::RequestsPerMinute, used.requests, used.requests_peak, requests_slope),
        ];
        let limits = limits_of(limits, pool);
        kinds.map(|(kind, used, peak, slope)| {
            quota(kind, limits.of(kind), used, peak, slope, minute.plus(MINUTE_MS))
        })
    }
}

impl Tracker {
    /// Takes the labels of a series, before its first row.
    pub fn learn(&mut self, series: SeriesId, key: &SeriesKey) {
        let Some(pool) = Pool::of(key).filter(|_| key.item.is_empty()) else { return };
        let Some(pool) = self.place(pool) else { return };
        self.pools.entry(Arc::clone(&pool)).or_default().series.push(series);
        let principal = Arc::from(key.principal.as_str());
        self.members.insert(
            series,
            Member { pool, principal, minutes: BTreeMap::new(), told: BTreeMap::new() },
        );
    }

    /// Returns the pool as it is shared here, or none where there are too many.
    fn place(&mut self, pool: Pool) -> Option<Arc<Pool>> {
        if let Some((known, _)) = self.pools.get_key_value(&pool) {
            return Some(Arc::clone(known));
        }
        if self.pools.len() >= POOLS_MAX {
            self.refused += 1;
            return None;
        }
        let pool = Arc::new(pool);
        self.pools.insert(Arc::clone(&pool), Known::default());
        Some(pool)
    }

    /// Takes the labels of a signal, before its first value.
    pub fn learn_signal(&mut self, id: SignalId, key: &SignalKey) {
        let signal = CallSignal::of(key).filter(|signal| signal.is_throttled);
        let Some((pool, source)) = signal.and_then(|found| Some((found.pool?, found.source)))
        else {
            return;
        };
        if let Some(pool) = self.place(pool) {
            self.signals.insert(id, (pool, source));
        }
    }

    /// Adds values of a signal.
    pub fn add_signal(&mut self, id: SignalId, minute: UnixMillis, calls: u64, now: UnixMillis) {
        let Some((pool, source)) = self.signals.get(&id) else { return };
        if calls == 0 || minute < now.plus(-KEPT_MS) {
            return;
        }
        let Some(known) = self.pools.get_mut(pool) else { return };
        known.elsewhere.add(minute, *source, calls);
        known.changed = now.max(known.changed);
    }

    /// Returns how many series have no place here, since there are too many pools.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Adds what calls of a series used in a bucket.
    pub fn add_row(&mut self, series: SeriesId, bucket: Bucket, part: &QuotaPart, now: UnixMillis) {
        let start = bucket.start();
        if start < now.floor(DAY_MS).plus(-DAY_MS) {
            return;
        }
        let Some(member) = self.members.get_mut(&series) else { return };
        note(&mut self.newest, &member.pool.account, start.min(now));
        let Some(known) = self.pools.get_mut(&member.pool) else { return };
        let sums = known.days.entry(start.floor(DAY_MS)).or_default();
        sums.0 += part.input;
        sums.1 += part.output;
        known.changed = now.max(known.changed);
        if bucket.level == Level::Minute && !part.told.is_empty() {
            member.told.entry(start).or_default().merge(&part.told);
        }
    }

    /// Adds calls in flight of a minute.
    pub fn add_inflight(
        &mut self,
        series: SeriesId,
        minute: UnixMillis,
        inflight: &Inflight,
        limits: &Limits,
        now: UnixMillis,
    ) {
        if minute < now.plus(-KEPT_MS) {
            return;
        }
        let Some(member) = self.members.get_mut(&series) else { return };
        note(&mut self.newest, &member.pool.account, minute.min(now));
        let Some(known) = self.pools.get_mut(&member.pool) else { return };
        known.flow.add(minute, inflight, toll(limits, &member.pool, minute));
        known.changed = now.max(known.changed);
        member.minutes.entry(minute).or_default().merge(inflight);
    }

    /// Forgets what is too old to matter at `now`. A clock that jumps ahead makes nothing old that is newer
    /// than the newest row.
    pub fn settle(&mut self, now: UnixMillis) {
        let newest = self.newest.values().max().copied().unwrap_or(now);
        let believed = now.min(newest.plus(STALE_MS));
        let from = believed.plus(-KEPT_MS).floor(MINUTE_MS);
        let day = believed.floor(DAY_MS).plus(-DAY_MS);
        for known in self.pools.values_mut() {
            known.flow.forget_before(from);
            known.elsewhere.forget_before(from);
            known.days = known.days.split_off(&day);
        }
        for member in self.members.values_mut() {
            member.minutes = member.minutes.split_off(&from);
            member.told = member.told.split_off(&from);
        }
    }

    /// Returns the last full minute at `now`: of the records where they come late, of the clock where none come.
    pub fn last_minute(&self, now: UnixMillis) -> UnixMillis {
        last_minute(self.newest.values().max().copied(), now)
    }

    /// Returns where all pools stand that were used today or in the last minutes.
    pub fn evaluate(&mut self, limits: &Limits, now: UnixMillis) -> Vec<PoolStatus> {
        let mut explained = BTreeMap::new();
        let used = self.pools.iter().filter(|(_, known)| {
            !known.flow.is_empty()
                || !known.elsewhere.is_empty()
                || known.days.contains_key(&now.floor(DAY_MS))
        });
        let mut statuses = Vec::new();
        for (pool, known) in used {
            let minute = last_minute(self.newest.get(&pool.account).copied(), now);
            let found = self.explanations(pool, known, limits, minute, now);
            statuses.push(PoolStatus {
                pool: Arc::clone(pool),
                minute: known.flow.minute(minute),
                quotas: known.quotas(pool, limits, minute, now),
                explanations: found.iter().map(|one| Arc::clone(&one.explanation)).collect(),
            });
            let key = |one: &Explained| (Arc::clone(pool), one.explanation.used.minute);
            explained.extend(found.into_iter().map(|one| (key(&one), one)));
        }
        self.explained = explained;
        statuses
    }

    /// Returns why calls were throttled in the last minutes, the latest first.
    fn explanations(
        &self,
        pool: &Arc<Pool>,
        known: &Known,
        limits: &Limits,
        minute: UnixMillis,
        now: UnixMillis,
    ) -> Vec<Explained> {
        let looked_at = minute.plus(-LOOK_BACK_MS)..=minute.plus(MINUTE_MS);
        let mut throttled: Vec<_> = known.flow.throttled_minutes();
        throttled.extend(known.elsewhere.throttled_minutes());
        throttled.retain(|at| looked_at.contains(at));
        throttled.sort_unstable_by(|a, b| b.cmp(a));
        throttled.dedup();
        let explain = |at| {
            let before = self.explained.get(&(Arc::clone(pool), at));
            if let Some(before) = before.filter(|one| is_good(one, known, minute, now)) {
                return Some(before.clone());
            }
            let explanation = Arc::new(self.explain(pool, known, limits, at)?);
            Some(Explained { at: now, explanation })
        };
        throttled.into_iter().filter_map(explain).collect()
    }

    fn explain(
        &self,
        pool: &Arc<Pool>,
        known: &Known,
        limits: &Limits,
        minute: UnixMillis,
    ) -> Option<Explanation> {
        let members = known.series.iter().filter_map(|series| self.members.get(series));
        let from = minute.plus(-i64::from(OPEN_SECONDS_MAX) * 1_000).floor(MINUTE_MS);
        let to = minute.plus(i64::from(OPEN_SECONDS_MAX) * 1_000);
        let mut told = Counts::default();
        let mut lanes: BTreeMap<&str, Lane<'_>> = BTreeMap::new();
        for member in members {
            if let Some(kinds) = member.told.get(&minute) {
                told.merge(kinds);
            }
            let own = member.minutes.range(from..to).map(|(at, inflight)| (*at, inflight));
            let principal = &*member.principal;
            let lane =
                lanes.entry(principal).or_insert_with(|| Lane { principal, minutes: Vec::new() });
            lane.minutes.extend(own);
        }
        let toll = toll(limits, pool, minute);
        let lanes: Vec<Lane<'_>> =
            lanes.into_values().filter(|lane| !lane.minutes.is_empty()).collect();
        let limits_of_pool = limits_of(limits, pool);
        let day = DayUse {
            settled: known.day_settled(minute.floor(DAY_MS), toll),
            limit: limits_of_pool.tokens_per_day,
            is_of_account: false,
        };
        let in_log = known.flow.minute(minute).throttled;
        explain(&Case {
            minute,
            limits: limits_of_pool,
            toll,
            lanes: &lanes,
            day: day.or_fuller(self.account_day(pool, limits, minute)),
            told: &told,
            elsewhere: known.elsewhere.throttled(minute).saturating_sub(in_log),
        })
    }

    /// Returns what all pools of an account in a region took of the day, where they share a limit.
    fn account_day(&self, pool: &Pool, limits: &Limits, minute: UnixMillis) -> DayUse {
        let limit = limits.account_tokens_per_day(&pool.account, &pool.region);
        if limit.is_none() {
            return DayUse::default();
        }
        let of_account = self
            .pools
            .iter()
            .filter(|(other, _)| (&other.account, &other.region) == (&pool.account, &pool.region));
        let day = minute.floor(DAY_MS);
        let settled =
            of_account.map(|(other, known)| known.day_settled(day, toll(limits, other, minute)));
        DayUse { settled: settled.fold(0, u64::saturating_add), limit, is_of_account: true }
    }
}

/// Tells whether an explanation still holds: nothing came since, or its minute is over and it was made just now.
fn is_good(one: &Explained, known: &Known, minute: UnixMillis, now: UnixMillis) -> bool {
    let age = now.0 - one.at.0;
    let is_over = one.explanation.used.minute < minute;
    known.changed < one.at || (is_over && (0..EXPLAIN_EVERY_MS).contains(&age))
}

fn note(newest: &mut BTreeMap<String, UnixMillis>, account: &str, at: UnixMillis) {
    match newest.get_mut(account) {
        Some(known) => *known = at.max(*known),
        None => {
            newest.insert(account.to_owned(), at);
        }
    }
}

fn last_minute(newest: Option<UnixMillis>, now: UnixMillis) -> UnixMillis {
    let recent = newest.filter(|newest| now.0 - newest.0 <= STALE_MS);
    recent.map_or(now, |newest| newest.min(now)).floor(MINUTE_MS).plus(-MINUTE_MS)
}

/// Returns what tokens of a pool's model take at `at`.
pub fn toll(limits: &Limits, pool: &Pool, at: UnixMillis) -> Toll {
    Toll {
        burndown: limits.burndown(&pool.model, at),
        max_output: limits.default_max_output(&pool.model),
    }
}

/// Returns the limits of a pool.
pub fn limits_of(limits: &Limits, pool: &Pool) -> PoolLimits {
    PoolLimits {
        tokens_per_minute: limits.get(pool, QuotaKind::TokensPerMinute),
        tokens_per_day: limits.get(pool, QuotaKind::TokensPerDay),
        requests_per_minute: limits.get(pool, QuotaKind::RequestsPerMinute),
    }
}

#[cfg(test)]
mod tests;
