//! The simulated world: what happens in it follows from a seed, a start and an incident, and nothing else.
//!
//! Plain functions without I/O and clock. Each minute of each workload has random numbers of its own, so
//! an incident adds calls and changes those it is about, and everything else stays as it would
//! have been. It must never write a line: that is `lines`.

mod call;
mod cast;
mod incident;
mod random;
mod shape;
mod workload;

pub(super) use call::{Call, GATEWAY_LIMIT_MS, Run};
pub(super) use cast::{Door, Speech};
pub(super) use incident::Incident;
pub(super) use workload::Workload;

use self::incident::Strain;
use self::random::{Key, Random};
use crate::model::time::{MINUTE_MS, UnixMillis};

/// Everybody who calls a model, and what goes wrong.
pub(super) struct World {
    seed: u64,
    /// The minute from which growth is counted.
    since: i64,
    pub(super) workloads: Vec<Workload>,
    pub(super) incident: Option<Incident>,
}

impl World {
    /// Returns the world of a seed, in which `per_minute` calls a minute are made on average in the week
    /// that begins at `from`.
    pub(super) fn new(seed: u64, from: UnixMillis, per_minute: f64) -> Self {
        let since = from.0.div_euclid(MINUTE_MS);
        Self { seed, since, workloads: workload::all(seed, since, per_minute), incident: None }
    }

    /// Hands out the calls that are asked for in a minute since 1970, workload by workload, each with the
    /// place of its workload.
    pub(super) fn calls_of(&self, minute: i64, mut each: impl FnMut(usize, Call)) {
        for (place, workload) in self.workloads.iter().enumerate() {
            workload.usual(minute, self.since, |at, random| {
                each(place, Call::draw(workload, at, random, self.strain(place, at)));
            });
        }
        let Some(incident) = &self.incident else { return };
        let place = incident.culprit;
        let is_over = |at| !incident.is_on(UnixMillis(at));
        let (first, last) = (minute * MINUTE_MS, (minute + 1) * MINUTE_MS - 1);
        if is_over(first) && is_over(last) {
            return;
        }
        if let Some(workload) = self.workloads.get(place) {
            workload.more(incident.calls, minute, self.since, |at, random| {
                if incident.is_on(UnixMillis(at)) {
                    each(place, Call::draw(workload, at, random, self.strain(place, at)));
                }
            });
        }
    }

    fn strain(&self, place: usize, at: i64) -> Strain {
        self.incident.as_ref().map_or_else(Strain::default, |incident| {
            incident.strain(self.seed, &self.workloads, place, UnixMillis(at))
        })
    }

    /// Returns the places of those who can be a culprit that is worth a page: with so many times its
    /// spend, all spend about doubles at least.
    #[expect(clippy::float_arithmetic, reason = "tells large from small, and no amount of money")]
    fn suspects(&self, times: f64) -> Vec<usize> {
        let all: f64 = self.workloads.iter().map(Workload::spend_about).sum();
        let is_one = |workload: &Workload| {
            workload.is_steady
                && workload.door != Door::Mantle
                && workload.spend_about() * times >= all
        };
        let all = self.workloads.iter().enumerate();
        all.filter(|(_, workload)| is_one(workload)).map(|(place, _)| place).collect()
    }

    /// Returns the place of one of the suspects, by the seed.
    pub(super) fn any_suspect(&self, times: f64) -> Option<usize> {
        let mut random: Random = Key::new(self.seed, "culprit").at(0);
        random.choose(&self.suspects(times))
    }
}
