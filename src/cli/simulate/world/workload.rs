//! One caller on one model: its character, which follows from the seed alone, and when it calls.
#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is drawn is made up, and no amount of money"
)]

use super::cast::{Door, Model, Place, ROLES, Rhythm, Role, Speech};
use super::random::{Key, Random};
use super::shape::{MINUTES_PER_WEEK, Shape};
use crate::model::time::{HOUR_MS, MINUTE_MS};

/// How much the rate of an hour differs from the curve, as the spread of a lognormal factor.
const HOUR_SPREAD: f64 = 0.12;
/// Most that a workload grows in a week.
const GROWTH_PER_WEEK_MAX: f64 = 0.04;

/// One caller on one model.
pub(in crate::cli::simulate) struct Workload {
    /// Value of the label `principal`.
    pub(in crate::cli::simulate) principal: &'static str,
    pub(in crate::cli::simulate) team: &'static str,
    pub(in crate::cli::simulate) model: Model,
    /// The model id as the caller writes it.
    pub(in crate::cli::simulate) model_id: String,
    pub(in crate::cli::simulate) place: Place,
    pub(in crate::cli::simulate) door: Door,
    pub(in crate::cli::simulate) speech: Speech,
    /// What every call allows for its answer.
    pub(in crate::cli::simulate) max_tokens: u64,
    /// Median and spread of the input tokens.
    pub(super) input: (f64, f64),
    /// Median and spread of the output tokens.
    pub(super) output: (f64, f64),
    /// Tokens that a call reads from the cache, or writes to it for five minutes.
    pub(super) cached: u64,
    /// Part of the calls that find the cache filled.
    pub(super) cache_hits: f64,
    /// Part of the calls that are throttled on a good day.
    pub(super) throttled: f64,
    /// Part of the runs of the function that start cold.
    pub(super) cold: f64,
    /// Memory of the function in megabytes.
    pub(in crate::cli::simulate) memory_mb: u64,
    /// Whether it calls at all hours, so that a multiple of its rate is a multiple of something.
    pub(super) is_steady: bool,
    /// Calls a minute on average, before growth.
    pub(super) per_minute: f64,
    growth_per_week: f64,
    shape: Shape,
    arrivals: Key,
    more_arrivals: Key,
    noise: Key,
}

/// Returns everybody, with `per_minute` calls a minute on average together. Their character follows from
/// the seed; when they call, also from the minute `since` which growth is counted from. So logs that were
/// simulated one behind the other do not share an id in the minute where they meet.
pub(super) fn all(seed: u64, since: i64, per_minute: f64) -> Vec<Workload> {
    let mut workloads = Vec::new();
    for role in ROLES {
        let mut random = Key::new(seed, role.principal).at(0);
        let place = random.choose(role.places);
        let model = random.choose(role.models);
        let share = role.share * random.lognormal(1.0, 0.2);
        // Every role names one of each at least.
        let (Some(place), Some(model)) = (place, model) else { continue };
        let second = role.second.map_or(0.0, |(_, part)| part);
        workloads.push(Workload::new(seed, since, role, model, place, share * (1.0 - second)));
        if let Some((model, part)) = role.second {
            workloads.push(Workload::new(seed, since, role, model, place, share * part));
        }
    }
    let shares: f64 = workloads.iter().map(|workload| workload.per_minute).sum();
    for workload in &mut workloads {
        workload.per_minute *= per_minute / shares;
    }
    workloads
}

impl Workload {
    /// Returns the workload of a role on a model; its rate is its share for now.
    fn new(seed: u64, since: i64, role: &Role, model: Model, place: Place, share: f64) -> Self {
        let name = format!("{} {}", role.principal, model.base);
        let mut random = Key::new(seed, &name).at(0);
        let mut vary = |(median, spread): (f64, f64)| (random.lognormal(median, 0.15), spread);
        let (input, output) = (vary(role.input), vary(role.output));
        let (start, is_steady) = match role.rhythm {
            Rhythm::People { .. } => (14.0 + 1.2 * random.normal(), true),
            Rhythm::Hourly { .. } => (random.uniform() * 0.9, false),
            Rhythm::Nightly { .. } => (1.0 + 3.0 * random.uniform(), false),
        };
        Self {
            principal: role.principal,
            team: role.team,
            model,
            model_id: model.id(place.region),
            place,
            door: role.door,
            speech: role.speech,
            max_tokens: max_tokens(role, output.0),
            input,
            output,
            cached: random.lognormal(role.cached, 0.15) as u64,
            cache_hits: 0.8 + 0.17 * random.uniform(),
            throttled: 0.001 + 0.004 * random.uniform(),
            cold: 0.004 + 0.02 * random.uniform(),
            memory_mb: random.choose(&[256, 512, 1_024]).unwrap_or(512),
            is_steady,
            per_minute: share,
            growth_per_week: GROWTH_PER_WEEK_MAX * random.uniform(),
            shape: Shape::new(role.rhythm, start, place.hours_from_utc),
            arrivals: Key::new(seed, &format!("{name} arrivals {since}")),
            more_arrivals: Key::new(seed, &format!("{name} more {since}")),
            noise: Key::new(seed, &format!("{name} noise")),
        }
    }

    /// Returns the usual calls in a minute since 1970, `weeks` after the first one.
    fn rate(&self, minute: i64, weeks: f64) -> f64 {
        let mut noise = self.noise.at(minute.div_euclid(HOUR_MS / MINUTE_MS));
        let noise = noise.lognormal(1.0, HOUR_SPREAD) * libm::exp(-HOUR_SPREAD * HOUR_SPREAD / 2.0);
        self.grown(weeks) * self.shape.at(minute) * noise
    }

    /// Returns the average calls a minute after so many weeks of growth.
    fn grown(&self, weeks: f64) -> f64 {
        self.per_minute * libm::exp(weeks * libm::log1p(self.growth_per_week))
    }

    /// Hands out the usual calls of a minute, in order: each with its time in milliseconds since 1970 and
    /// a source of random numbers of its own. `since` is the minute from which growth is counted.
    pub(super) fn usual(&self, minute: i64, since: i64, each: impl FnMut(i64, Random)) {
        let weeks = (minute - since) as f64 / MINUTES_PER_WEEK as f64;
        arrive(self.arrivals.at(minute), self.rate(minute, weeks), minute, each);
    }

    /// Hands out the calls that come on top if everything is called `times` as often as usual, or as on
    /// average if that is more: a program that runs wild does not sleep at night.
    pub(super) fn more(&self, times: f64, minute: i64, since: i64, each: impl FnMut(i64, Random)) {
        let weeks = (minute - since) as f64 / MINUTES_PER_WEEK as f64;
        let rate = self.rate(minute, weeks).max(self.grown(weeks)) * (times - 1.0);
        arrive(self.more_arrivals.at(minute), rate, minute, each);
    }

    /// Returns about how many dollars a minute go for input, to tell large from small.
    pub(super) fn spend_about(&self) -> f64 {
        self.per_minute * self.input.0 * self.model.input_usd_about
    }
}

/// Returns what a role allows for an answer: most answers end by themselves, and one behind a gateway has
/// to be there in time.
fn max_tokens(role: &Role, median: f64) -> u64 {
    let most = if matches!(role.door, Door::Gateway(_)) { 1_024 } else { 8_192 };
    ((median * 6.0) as u64).next_power_of_two().clamp(256, most)
}

/// Hands out the arrivals of a minute: a Poisson process with `rate` arrivals a minute.
fn arrive(mut random: Random, rate: f64, minute: i64, mut each: impl FnMut(i64, Random)) {
    if rate <= 0.0 {
        return;
    }
    let mut part = 0.0;
    loop {
        part += random.exponential() / rate;
        if part >= 1.0 {
            return;
        }
        let at = minute * MINUTE_MS + (part * MINUTE_MS as f64) as i64;
        each(at, random.fork());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arrivals_come_in_order_within_their_minute(
            seed: u64,
            rate in 0.0..2_000.0,
            minute in 0_i64..60_000_000,
        ) {
            let mut times = Vec::new();
            arrive(Key::new(seed, "x").at(minute), rate, minute, |at, _| times.push(at));
            prop_assert!(times.is_sorted());
            let of_minute = minute * MINUTE_MS..(minute + 1) * MINUTE_MS;
            prop_assert!(times.iter().all(|at| of_minute.contains(at)));
        }

        #[test]
        fn arrivals_have_the_mean_and_the_spread_of_a_poisson_process(
            seed: u64,
            rate in 0.5..40.0,
        ) {
            let minutes = 4_000;
            let counts: Vec<f64> = (0..minutes)
                .map(|minute| {
                    let mut count = 0.0;
                    arrive(Key::new(seed, "x").at(minute), rate, minute, |_, _| count += 1.0);
                    count
                })
                .collect();
            let mean = counts.iter().sum::<f64>() / minutes as f64;
            let spread = |count: &f64| (count - mean) * (count - mean);
            let variance = counts.iter().map(spread).sum::<f64>() / minutes as f64;
            // Six standard deviations of the mean; the variance of a Poisson process is its mean.
            prop_assert!((mean - rate).abs() < 6.0 * (rate / minutes as f64).sqrt(), "{}", mean);
            prop_assert!((variance / rate - 1.0).abs() < 0.2, "{} of {}", variance, rate);
        }
    }

    #[test]
    fn all_together_call_as_often_as_was_asked_for() {
        for (seed, per_minute) in [(1, 10.0), (2, 10.0), (3, 600.0)] {
            let workloads = all(seed, 0, per_minute);
            let minutes = MINUTES_PER_WEEK;
            let mut calls = 0;
            for minute in 29_900_000..29_900_000 + minutes {
                for workload in &workloads {
                    arrive(
                        workload.arrivals.at(minute),
                        workload.rate(minute, 0.0),
                        minute,
                        |_, _| calls += 1,
                    );
                }
            }
            let mean = f64::from(calls) / minutes as f64;
            assert!((mean / per_minute - 1.0).abs() < 0.03, "{mean} instead of {per_minute}");
        }
    }

    #[test]
    fn a_seed_gives_everybody_a_stable_character() {
        let of = |seed| {
            let all = all(seed, 0, 10.0);
            let part = |workload: &Workload| {
                (workload.model_id.clone(), workload.input.0.to_bits(), workload.max_tokens)
            };
            all.iter().map(part).collect::<Vec<_>>()
        };
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }
}
