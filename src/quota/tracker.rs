//! What is known of every pool by now: its last minutes second by second, and its day. Kept up to date from
//! committed cells, and evaluated at a given time; it must never ask a clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::explain::{Case, Explanation, PoolLimits, explain};
use super::flow::{Flow, MinuteUse, Toll};
use super::kind::QuotaKind;
use super::lane::Lane;
use super::limits::Limits;
use super::pool::Pool;
use super::status::{QuotaStatus, mean, quota, slope};
use crate::ledger::counts::Counts;
use crate::ledger::delta::SeriesId;
use crate::ledger::inflight::{Inflight, OPEN_SECONDS_MAX, Settled};
use crate::ledger::rollup::{Bucket, Level};
use crate::model::names::ThrottleKind;
use crate::model::series::SeriesKey;
use crate::model::time::{DAY_MS, MINUTE_MS, UnixMillis};

/// Minutes over which the slope of a pool's use is taken, and for which throttles are explained.
pub const LOOK_BACK_MS: i64 = 10 * MINUTE_MS;
/// Time for which calls are kept by the second: a minute that is explained needs all that may be open in it.
pub const KEPT_MS: i64 = LOOK_BACK_MS + OPEN_SECONDS_MAX as i64 * 1_000 + 2 * MINUTE_MS;
/// How long no record may come at all before the present minute is that of the clock.
const STALE_MS: i64 = 15 * MINUTE_MS;
/// Most pools that are looked at; those beyond are counted.
const POOLS_MAX: usize = 1_000;

/// Everything that a tracker knows of one pool.
#[derive(Debug, Default)]
struct Known {
    flow: Flow,
    /// Quota tokens that calls of a day settled to, by the day's start: input without what a cache served, and
    /// output.
    days: BTreeMap<UnixMillis, (u64, u64)>,
    series: Vec<SeriesId>,
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
    pub explanations: Vec<Explanation>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Tracker {
    pools: BTreeMap<Arc<Pool>, Known>,
    members: BTreeMap<SeriesId, Member>,
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
}

impl Tracker {
    /// Takes the labels of a series, before its first row.
    pub fn learn(&mut self, series: SeriesId, key: &SeriesKey) {
        let Some(pool) = Pool::of(key).filter(|_| key.item.is_empty()) else { return };
        if !self.pools.contains_key(&pool) && self.pools.len() >= POOLS_MAX {
            self.refused += 1;
            return;
        }
        let known = self.pools.get_key_value(&pool).map(|(pool, _)| Arc::clone(pool));
        let pool = known.unwrap_or_else(|| Arc::new(pool));
        self.pools.entry(Arc::clone(&pool)).or_default().series.push(series);
        let principal = Arc::from(key.principal.as_str());
        self.members.insert(
            series,
            Member { pool, principal, minutes: BTreeMap::new(), told: BTreeMap::new() },
        );
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
    pub fn evaluate(&self, limits: &Limits, now: UnixMillis) -> Vec<PoolStatus> {
        let used = self.pools.iter().filter(|(_, known)| {
            !known.flow.is_empty() || known.days.contains_key(&now.floor(DAY_MS))
        });
        let status = |(pool, known): (&Arc<Pool>, &Known)| {
            let minute = last_minute(self.newest.get(&pool.account).copied(), now);
            self.status(pool, known, limits, minute, now)
        };
        used.map(status).collect()
    }

    fn status(
        &self,
        pool: &Arc<Pool>,
        known: &Known,
        limits: &Limits,
        minute: UnixMillis,
        now: UnixMillis,
    ) -> PoolStatus {
        let pool_limits = limits_of(limits, pool);
        let used = known.flow.minute(minute);
        let from = minute.plus(-LOOK_BACK_MS);
        let minutes = (1..=LOOK_BACK_MS / MINUTE_MS)
            .map(|back| known.flow.minute(minute.plus(-LOOK_BACK_MS + back * MINUTE_MS)));
        let minutes: Vec<MinuteUse> = minutes.collect();
        let slope = |of: fn(&MinuteUse) -> u64| slope(&minutes, of);
        let day = known.day_settled(now.floor(DAY_MS), toll(limits, pool, now));
        let settled_slope = slope(|used| used.settled);
        let kinds = [
            (QuotaKind::TokensPerMinute, used.settled, used.use_peak, settled_slope),
            (QuotaKind::TokensPerDay, day, day, mean(&minutes, |used| used.settled)),
            (
                QuotaKind::RequestsPerMinute,
                used.requests,
                used.requests_peak,
                slope(|used| used.requests),
            ),
        ];
        let quotas = kinds.map(|(kind, used, peak, slope)| {
            quota(kind, pool_limits.of(kind), used, peak, slope, minute.plus(MINUTE_MS))
        });
        let throttled = known.flow.throttled_minutes();
        let throttled =
            throttled.into_iter().rev().filter(|&at| at >= from && at <= minute.plus(MINUTE_MS));
        let explanations = throttled.filter_map(|at| self.explain(pool, known, limits, at));
        PoolStatus {
            pool: Arc::clone(pool),
            minute: used,
            quotas,
            explanations: explanations.collect(),
        }
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
        explain(&Case {
            minute,
            limits: limits_of(limits, pool),
            toll,
            lanes: &lanes,
            day_settled: known.day_settled(minute.floor(DAY_MS), toll),
            told: &told,
        })
    }
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
mod tests {
    use super::*;
    use crate::ledger::inflight::{Load, Settled};
    use crate::ledger::rollup::HourCuts;
    use crate::model::names::{Route, Tier};
    use crate::model::series::{ContextBand, PROVIDER_BEDROCK};
    use crate::model::time::HOUR_MS;

    const NOW: UnixMillis = UnixMillis(20_000 * DAY_MS + 12 * HOUR_MS);

    fn key(account: &str, principal: &str) -> SeriesKey {
        SeriesKey {
            provider: PROVIDER_BEDROCK.to_owned(),
            account: account.to_owned(),
            region: "us-east-1".to_owned(),
            model: "amazon.nova-pro-v1:0".to_owned(),
            route: Route::Geo,
            geo: "us".to_owned(),
            tier: Tier::Standard,
            principal: principal.to_owned(),
            attributes: Vec::new(),
            context: ContextBand(0),
            item: String::new(),
        }
    }

    /// One call of a thousand tokens, three seconds long.
    fn call() -> Inflight {
        let load = Load { calls: 1, unset: 0, input: 1_000, max_tokens: 5_000 };
        let settled = Settled { input: 1_000, output: 100 };
        Inflight {
            opened: vec![(10, load)],
            closed: vec![(13, load, settled)],
            ..Inflight::default()
        }
    }

    fn add(tracker: &mut Tracker, series: u32, minute: UnixMillis, limits: &Limits) {
        let bucket = Bucket::holding(Level::Minute, minute, HourCuts::default());
        let part = QuotaPart { input: 1_000, output: 100, ..QuotaPart::default() };
        tracker.add_row(SeriesId(series), bucket, &part, NOW);
        tracker.add_inflight(SeriesId(series), minute, &call(), limits, NOW);
    }

    /// Each account's last minute is that of its own records, so one whose clock is behind, or whose log comes late,
    /// is not taken for idle.
    #[test]
    fn clocks_of_accounts_may_differ() {
        let limits = Limits::shipped().unwrap();
        let mut tracker = Tracker::default();
        for (series, account) in [(0, "1"), (1, "2"), (2, "3")] {
            tracker.learn(SeriesId(series), &key(account, "role/a"));
        }
        let minutes = |back: i64| NOW.plus(-back * MINUTE_MS);
        for (series, back) in [(0, 1), (1, 9), (2, 1)] {
            add(&mut tracker, series, minutes(back), &limits);
            add(&mut tracker, series, minutes(back - 1), &limits);
        }
        // One is ahead by half an hour: its minutes are not over, and count as the present one.
        add(&mut tracker, 2, minutes(-30), &limits);
        let found = tracker.evaluate(&limits, NOW);
        let used: Vec<_> = found
            .iter()
            .map(|status| (&*status.pool.account, status.minute.minute, status.minute.settled))
            .collect();
        assert_eq!(
            used,
            [("1", minutes(1), 1_100), ("2", minutes(9), 1_100), ("3", minutes(1), 1_100)]
        );
        let days = found.iter().map(|status| status.quotas[1].used).collect::<Vec<_>>();
        assert_eq!(days, [2_200, 2_200, 3_300]);
    }

    #[test]
    fn the_order_of_what_is_added_and_what_is_forgotten_change_nothing() {
        let limits = Limits::shipped().unwrap();
        let build = |reverse: bool, settle: bool| {
            let mut tracker = Tracker::default();
            tracker.learn(SeriesId(0), &key("1", "role/a"));
            tracker.learn(SeriesId(1), &key("1", "role/b"));
            let mut rows: Vec<(u32, i64)> =
                (0..40).flat_map(|back| [(0, back), (1, back)]).collect();
            if reverse {
                rows.reverse();
            }
            for (series, back) in rows {
                add(&mut tracker, series, NOW.plus(-back * MINUTE_MS), &limits);
            }
            if settle {
                tracker.settle(NOW);
            }
            tracker.evaluate(&limits, NOW)
        };
        let plain = build(false, false);
        assert_eq!(plain.len(), 1);
        assert_eq!((plain[0].minute.settled, plain[0].minute.reserved_peak), (2_200, 12_000));
        assert_eq!(plain, build(true, false));
        assert_eq!(plain, build(true, true));
    }

    #[test]
    fn a_pool_without_calls_is_idle_and_not_full() {
        let limits = Limits::shipped().unwrap();
        let mut tracker = Tracker::default();
        tracker.learn(SeriesId(0), &key("1", "role/a"));
        add(&mut tracker, 0, NOW.plus(-2 * MINUTE_MS), &limits);
        let later = NOW.plus(20 * MINUTE_MS);
        let found = tracker.evaluate(&limits, later);
        assert_eq!(found[0].minute.settled, 0);
        assert_eq!(found[0].quotas[0].headroom, Some(1.0));
    }
}
