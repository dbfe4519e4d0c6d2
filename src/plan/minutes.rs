//! How tokens are spread over minutes. A minute without calls counts as one without tokens.

use super::fleet::{Fleet, Stretch};

/// A share of minutes that has no more than something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Percentile {
    /// Half of the minutes.
    P50,
    /// 90 of 100.
    P90,
    /// 95 of 100.
    P95,
    /// 99 of 100.
    P99,
    /// All.
    Max,
}

impl Percentile {
    /// Every percentile, the lowest first.
    pub const ALL: [Self; 5] = [Self::P50, Self::P90, Self::P95, Self::P99, Self::Max];

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }

    fn percent(self) -> u64 {
        match self {
            Self::P50 => 50,
            Self::P90 => 90,
            Self::P95 => 95,
            Self::P99 => 99,
            Self::Max => 100,
        }
    }

    /// Returns the value at the nearest rank of `count` values: those of `sorted`, the rest of them 0.
    fn of(self, sorted: &[u64], count: u64) -> u64 {
        let rank = u128::from(count) * u128::from(self.percent());
        let rank = u64::try_from(rank.div_ceil(100)).unwrap_or(u64::MAX).max(1);
        let zeros = count.saturating_sub(sorted.len() as u64);
        let place = usize::try_from(rank.saturating_sub(zeros)).unwrap_or(usize::MAX);
        place.checked_sub(1).and_then(|place| sorted.get(place)).copied().unwrap_or(0)
    }
}

/// Tokens of minutes that are known one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minutes {
    /// How many minutes are known, those without calls too.
    pub count: u64,
    /// Minutes with tokens.
    known: Vec<Stretch>,
    /// Tokens of each of those, rising.
    tokens: Vec<u64>,
    /// Of the stretches that are longer, the largest mean of tokens in a minute.
    pub longer_mean_max: Option<u64>,
}

impl Minutes {
    /// Returns the minutes among `stretches`, out of `count`.
    pub(super) fn of(stretches: &[Stretch], count: u64) -> Self {
        let known: Vec<Stretch> =
            stretches.iter().filter(|stretch| stretch.minutes == 1).copied().collect();
        let tokens = sorted(known.iter().map(|minute| minute.input + minute.output));
        let longer = stretches.iter().filter(|stretch| stretch.minutes > 1);
        let longer_mean_max =
            longer.map(|stretch| (stretch.input + stretch.output) / stretch.minutes).max();
        Self { count, known, tokens, longer_mean_max }
    }

    /// Returns the tokens in a minute; `None` if no minute is known.
    pub fn tokens(&self, percentile: Percentile) -> Option<u64> {
        (self.count > 0).then(|| percentile.of(&self.tokens, self.count))
    }

    /// Returns the units of `fleet` that serve such a share of the minutes whole.
    pub fn units(&self, fleet: &Fleet) -> Vec<(Percentile, u64)> {
        if self.count == 0 {
            return Vec::new();
        }
        let needed = sorted(self.known.iter().map(|minute| fleet.needed(minute)));
        let of = |percentile: Percentile| percentile.of(&needed, self.count).max(fleet.least);
        Percentile::ALL.into_iter().map(|percentile| (percentile, of(percentile))).collect()
    }
}

fn sorted(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values
}
