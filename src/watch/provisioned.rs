//! How provisioned throughput is used: against its declared capacity, what idles away, what flows over to
//! on-demand, and the minutes of the dead zone, in which it is full and on-demand calls are throttled.
//!
//! Records do not tell which of several throughputs of one model, account and region served a call, so
//! those share one use. A log that names no account or region is taken for the one it may be.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::facts::Facts;
use super::recent::Recent;
use crate::charge::{Item, Throughput};
use crate::ledger::delta::SeriesId;
use crate::model::money::Usd;
use crate::model::names::Route;
use crate::model::series::{SeriesKey, UNKNOWN};
use crate::model::time::{MINUTE_MS, UnixMillis};

/// Full minutes over which use is looked at.
pub const WINDOW_MINUTES: i64 = 5;
/// Full minutes among which those of the dead zone are counted.
pub const DEAD_ZONE_MINUTES: i64 = 15;
/// Millionths in a whole.
const WHOLE: u128 = 1_000_000;
/// Use, in millionths, from which on a throughput is full.
const FULL: u128 = 950_000;

/// How one throughput is used, in the last full minutes by event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThroughputUse {
    /// Its name.
    pub name: String,
    /// Model units.
    pub units: u32,
    /// What it costs an hour.
    pub per_hour: Usd,
    /// Input tokens against the declared capacity, in millionths.
    pub input_ppm: Option<u64>,
    /// Output tokens against the declared capacity, in millionths.
    pub output_ppm: Option<u64>,
    /// What of its price is paid for nothing; not known without a declared capacity.
    pub idle_per_hour: Option<Usd>,
    /// Calls of the same model that went to on-demand.
    pub overflow_calls: u64,
    /// Their tokens.
    pub overflow_tokens: u64,
    /// Minutes of the dead zone; not known without a declared capacity.
    pub dead_zone_minutes: Option<u32>,
}

/// What calls of a series are to a throughput.
#[derive(Clone, Copy, Debug)]
enum Role {
    /// It serves them.
    Served,
    /// It might have, but on-demand does.
    OnDemand,
}

/// The throughputs of the config, and which series they are about.
#[derive(Debug, Default)]
pub(super) struct Throughputs {
    list: Arc<[Throughput]>,
    roles: HashMap<SeriesId, Vec<(usize, Role)>, foldhash::fast::FixedState>,
}

/// What happened in one minute.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    served: Facts,
    on_demand: Facts,
}

impl Throughputs {
    pub(super) fn new(list: Arc<[Throughput]>) -> Self {
        Self { list, roles: HashMap::default() }
    }

    /// Takes the labels of a series.
    pub(super) fn learn(&mut self, series: SeriesId, key: &SeriesKey) {
        let role = match key.route {
            Route::Provisioned => Role::Served,
            Route::InRegion | Route::Geo | Route::Global => Role::OnDemand,
            Route::Custom | Route::Imported | Route::Unknown => return,
        };
        let may_be = |label: &str, wanted: &str| label == wanted || label == UNKNOWN;
        let is_about = |one: &Throughput| {
            key.item.is_empty()
                && key.model == one.model
                && may_be(&key.account, &one.account)
                && may_be(&key.region, &one.region)
        };
        let about = self.list.iter().enumerate().filter(|(_, one)| is_about(one));
        let roles: Vec<_> = about.map(|(place, _)| (place, role)).collect();
        if !roles.is_empty() {
            self.roles.insert(series, roles);
        }
    }

    /// Returns how the throughputs that are paid at `now` are used. `items` have their prices.
    pub(super) fn uses(
        &self,
        recent: &Recent,
        items: &[Item],
        now: UnixMillis,
    ) -> Vec<ThroughputUse> {
        let in_force = || self.list.iter().enumerate().filter(|(_, one)| one.is_in_force(now));
        if in_force().next().is_none() {
            return Vec::new();
        }
        let minutes = self.minutes(recent, now);
        let of = |(place, one): (usize, &Throughput)| {
            let pool: Vec<&Throughput> = in_force()
                .map(|(_, other)| other)
                .filter(|other| {
                    (&other.model, &other.account, &other.region)
                        == (&one.model, &one.account, &one.region)
                })
                .collect();
            let item = items.iter().find(|item| item.name() == one.name);
            let per_hour = item.and_then(Item::per_hour).unwrap_or_default();
            of_throughput(one, per_hour, &pool, minutes.get(&place).map_or(&[], Vec::as_slice))
        };
        in_force().map(of).collect()
    }

    /// Returns what happened in the last full minutes, the newest first, by place of the throughput.
    fn minutes(&self, recent: &Recent, now: UnixMillis) -> BTreeMap<usize, Vec<Minute>> {
        let mut all: BTreeMap<usize, Vec<Minute>> = BTreeMap::new();
        for ago in 1..=DEAD_ZONE_MINUTES {
            let start = now.floor(MINUTE_MS).plus(-ago * MINUTE_MS);
            for place in 0..self.list.len() {
                all.entry(place).or_default().push(Minute::default());
            }
            recent.each(start, start, |series, facts| {
                for (place, role) in self.roles.get(&series).into_iter().flatten() {
                    let Some(minute) = all.get_mut(place).and_then(|list| list.last_mut()) else {
                        continue;
                    };
                    match role {
                        Role::Served => minute.served.merge(facts),
                        Role::OnDemand => minute.on_demand.merge(facts),
                    }
                }
            });
        }
        all
    }
}

fn of_throughput(
    one: &Throughput,
    per_hour: Usd,
    pool: &[&Throughput],
    minutes: &[Minute],
) -> ThroughputUse {
    let window = usize::try_from(WINDOW_MINUTES).unwrap_or(0);
    let mut sums = Minute::default();
    for minute in minutes.iter().take(window) {
        sums.served.merge(&minute.served);
        sums.on_demand.merge(&minute.on_demand);
    }
    let all = |of: fn(&Throughput) -> Option<u64>| -> Option<u64> {
        pool.iter().map(|other| of(other)).sum()
    };
    let input = all(|one| one.capacity().input);
    let output = all(|one| one.capacity().output);
    let of_window = |tokens, capacity: Option<u64>| ppm(tokens, capacity?, WINDOW_MINUTES);
    let input_ppm = of_window(sums.served.input_tokens, input);
    let output_ppm = of_window(sums.served.output_tokens, output);
    let used = input_ppm.max(output_ppm).map(u128::from);
    let idle = |used: u128| {
        let idle = i128::try_from(WHOLE - used.min(WHOLE)).unwrap_or(0);
        Usd(per_hour.0.saturating_mul(idle) / 1_000_000)
    };
    let is_dead = |minute: &&Minute| {
        let input = input.and_then(|input| ppm(minute.served.input_tokens, input, 1));
        let output = output.and_then(|output| ppm(minute.served.output_tokens, output, 1));
        let is_full = input.max(output).is_some_and(|used| u128::from(used) >= FULL);
        is_full && minute.on_demand.throttled > 0
    };
    let dead = minutes.iter().filter(is_dead).count();
    ThroughputUse {
        name: one.name.clone(),
        units: one.units,
        per_hour,
        input_ppm,
        output_ppm,
        idle_per_hour: used.map(idle),
        overflow_calls: sums.on_demand.calls.into(),
        overflow_tokens: sums.on_demand.input_tokens + sums.on_demand.output_tokens,
        dead_zone_minutes: used.and(u32::try_from(dead).ok()),
    }
}

/// Returns `tokens` of some minutes as millionths of what can be done in them.
fn ppm(tokens: u64, per_minute: u64, minutes: i64) -> Option<u64> {
    let capacity = u128::from(per_minute) * u128::from(minutes.unsigned_abs());
    u64::try_from((u128::from(tokens) * WHOLE).checked_div(capacity)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charge::{Capacity, HourPrice, Rate};
    use crate::model::money::PICODOLLARS_PER_USD;

    const NOW: UnixMillis = UnixMillis(1_780_300_830_000);

    fn throughput(name: &str, units: u32, input: Option<u64>) -> Throughput {
        Throughput {
            name: name.to_owned(),
            arn: format!("arn:aws:bedrock:us-east-1:111122223333:provisioned-model/{name}"),
            model: "anthropic.claude-v2:1".to_owned(),
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            units,
            price: HourPrice::Given(Usd(63 * PICODOLLARS_PER_USD)),
            from: NOW.plus(-3_600_000),
            to: Some(NOW.plus(3_600_000)),
            per_unit: Capacity { input, output: Some(1_000) },
        }
    }

    /// A call each minute that uses so many tokens, on the throughput and on demand.
    fn uses(list: &[Throughput], input: u64, output: u64, throttled: u32) -> Vec<ThroughputUse> {
        let item = |one: &Throughput| {
            let rate = Rate::Hourly(Usd(i128::from(one.units) * 63 * PICODOLLARS_PER_USD));
            Item { key: one.key(), rate, from: one.from, to: one.to }
        };
        let items: Vec<Item> = list.iter().map(item).collect();
        let mut throughputs = Throughputs::new(list.into());
        let served = SeriesKey { item: String::new(), ..list[0].key() };
        let on_demand = SeriesKey { route: Route::Geo, ..served.clone() };
        let other = SeriesKey { account: "444455556666".to_owned(), ..on_demand.clone() };
        let nobody = SeriesKey { account: UNKNOWN.to_owned(), ..served.clone() };
        for (id, key) in (0..).map(SeriesId).zip([&served, &on_demand, &other, &nobody]) {
            throughputs.learn(id, key);
        }
        let mut recent = Recent::default();
        for ago in 0..16 {
            let minute = NOW.floor(MINUTE_MS).plus(-ago * MINUTE_MS);
            let call =
                Facts { calls: 1, input_tokens: input, output_tokens: output, ..Facts::default() };
            let half = Facts {
                calls: 1,
                input_tokens: 7,
                output_tokens: 3,
                throttled,
                ..Facts::default()
            };
            recent.add(minute, SeriesId(0), &call, NOW);
            recent.add(minute, SeriesId(1), &half, NOW);
            recent.add(minute, SeriesId(2), &half, NOW);
        }
        throughputs.uses(&recent, &items, NOW)
    }

    #[test]
    fn use_idle_dollars_and_overflow_are_those_of_the_last_full_minutes() {
        let found = uses(&[throughput("a", 2, Some(10_000))], 5_000, 100, 0);
        let [a] = found.as_slice() else { panic!("{found:?}") };
        // 5,000 of 20,000 and 100 of 2,000 tokens a minute; three quarters of 126 dollars idle.
        assert_eq!((a.input_ppm, a.output_ppm), (Some(250_000), Some(50_000)));
        assert_eq!(a.idle_per_hour, Some(Usd(94_500_000_000_000)));
        assert_eq!((a.overflow_calls, a.overflow_tokens), (5, 50));
        assert_eq!((a.units, a.dead_zone_minutes), (2, Some(0)));
        // What nobody declared is not known.
        let found = uses(&[throughput("a", 2, None)], 5_000, 100, 0);
        assert_eq!((found[0].input_ppm, found[0].output_ppm), (None, Some(50_000)));
        let bare = Throughput { per_unit: Capacity::default(), ..throughput("a", 2, None) };
        let found = uses(&[bare], 5_000, 100, 1);
        assert_eq!((found[0].idle_per_hour, found[0].dead_zone_minutes), (None, None));
        let ended = Throughput { to: Some(NOW), ..throughput("a", 2, None) };
        assert_eq!(uses(&[ended], 5_000, 100, 0), []);
    }

    #[test]
    fn throughputs_of_one_model_share_their_use() {
        let found = uses(
            &[throughput("a", 1, Some(10_000)), throughput("b", 3, Some(10_000))],
            20_000,
            0,
            0,
        );
        let ratios: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.input_ppm)).collect();
        assert_eq!(ratios, [("a", Some(500_000)), ("b", Some(500_000))]);
        assert_eq!(found[1].idle_per_hour, Some(Usd(94_500_000_000_000)));
    }

    #[test]
    fn a_full_throughput_beside_throttled_calls_is_the_dead_zone() {
        let list = [throughput("a", 1, Some(10_000))];
        let dead = |input, throttled| uses(&list, input, 0, throttled)[0].dead_zone_minutes;
        assert_eq!(dead(9_500, 1), Some(15));
        assert_eq!(dead(9_499, 1), Some(0));
        assert_eq!(dead(12_000, 0), Some(0));
        let idle = uses(&list, 12_000, 0, 0)[0].idle_per_hour;
        assert_eq!(idle, Some(Usd::ZERO));
    }
}
