//! A number of alike units that are paid by the hour: what they serve of traffic, what flows over to on demand,
//! and which number is the cheapest.
//!
//! Within a stretch of time traffic is taken as even, so what is said of a stretch longer than a minute is a
//! lower bound.

use crate::model::money::Usd;

/// Traffic of a minute, or of a longer time where the ledger knows no minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// How long it is.
    pub minutes: u64,
    /// Input tokens, all input classes summed.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// What these would have cost on demand.
    pub on_demand: Usd,
}

/// Alike units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// Dollars per unit and hour.
    pub per_hour: Usd,
    /// Input tokens that a unit takes a minute, if that is a limit.
    pub input: Option<u64>,
    /// Output tokens that a unit writes a minute, if that is a limit.
    pub output: Option<u64>,
    /// Fewest units.
    pub least: u64,
}

/// What a number of units comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sized {
    /// How many.
    pub units: u64,
    /// What the units cost.
    pub fixed: Usd,
    /// What flows over to on demand costs.
    pub overflow: Usd,
    /// Tokens that flow over.
    pub overflow_tokens: u64,
}

/// A part of a whole, to multiply with: capacity against use.
#[derive(Clone, Copy)]
struct Share {
    part: u128,
    whole: u128,
}

impl Share {
    /// Returns this share of `amount`, rounded down. A share is below 1, so nothing overflows.
    fn of(self, amount: u128) -> u128 {
        let (whole_parts, rest) = (amount / self.whole, amount % self.whole);
        whole_parts * self.part + rest.saturating_mul(self.part) / self.whole
    }
}

impl Sized {
    /// Returns units and overflow together.
    pub fn total(&self) -> Usd {
        self.fixed + self.overflow
    }
}

impl Fleet {
    /// Returns the pairs of limit and use of a stretch that have a limit.
    fn limits(&self, stretch: &Stretch) -> impl Iterator<Item = (u64, u64)> {
        let pairs = [(self.input, stretch.input), (self.output, stretch.output)];
        pairs.into_iter().filter_map(|(limit, used)| Some((limit?, used)))
    }

    /// Returns how many units serve all of a stretch.
    pub fn needed(&self, stretch: &Stretch) -> u64 {
        let minutes = u128::from(stretch.minutes.max(1));
        let units = self.limits(stretch).map(|(limit, used)| {
            let capacity = u128::from(limit.max(1)).saturating_mul(minutes);
            u64::try_from(u128::from(used).div_ceil(capacity)).unwrap_or(u64::MAX)
        });
        units.max().unwrap_or(0).max(self.least)
    }

    /// Returns which share of a stretch `units` serve, if not all of it: calls flow over whole, so input and
    /// output share the tighter limit.
    fn share(&self, units: u64, stretch: &Stretch) -> Option<Share> {
        let minutes = u128::from(stretch.minutes.max(1));
        let shares = self.limits(stretch).filter_map(|(limit, used)| {
            let part = u128::from(limit.max(1)).saturating_mul(minutes);
            let (part, whole) = (part.saturating_mul(units.into()), u128::from(used));
            (part < whole).then_some(Share { part, whole })
        });
        shares.min_by(|a, b| a.part.saturating_mul(b.whole).cmp(&b.part.saturating_mul(a.whole)))
    }

    /// Returns what flows over of a stretch: dollars and tokens, both rounded up.
    fn overflow(&self, units: u64, stretch: &Stretch) -> (Usd, u64) {
        let Some(share) = self.share(units, stretch) else { return (Usd::ZERO, 0) };
        let cost = stretch.on_demand.0.max(0).unsigned_abs();
        let served = i128::try_from(share.of(cost)).unwrap_or(i128::MAX);
        let tokens = stretch.input.saturating_add(stretch.output);
        let served_tokens = u64::try_from(share.of(tokens.into())).unwrap_or(u64::MAX);
        (Usd(stretch.on_demand.0.max(0) - served), tokens.saturating_sub(served_tokens))
    }

    /// Returns what `units` come to over `hours`.
    pub fn sized(&self, units: u64, stretches: &[Stretch], hours: u64) -> Sized {
        let fixed = self.per_hour.times(units).times(hours);
        let mut sized = Sized { units, fixed, overflow: Usd::ZERO, overflow_tokens: 0 };
        for stretch in stretches {
            let (usd, tokens) = self.overflow(units, stretch);
            sized.overflow += usd;
            sized.overflow_tokens = sized.overflow_tokens.saturating_add(tokens);
        }
        sized
    }

    /// Returns the number of units that is the cheapest over `hours`, overflow included.
    ///
    /// Each further unit saves no more overflow than the one before it, so the last that pays for itself is
    /// looked for by halves. (Rounding to picodollars may shift that by as many picodollars as there are stretches.)
    pub fn cheapest(&self, stretches: &[Stretch], hours: u64) -> Sized {
        let all = stretches.iter().map(|stretch| self.needed(stretch)).max();
        let (mut least, mut most) = (self.least, all.unwrap_or(self.least));
        let overflow = |units| -> Usd {
            stretches.iter().map(|stretch| self.overflow(units, stretch).0).sum()
        };
        let unit = self.per_hour.times(hours);
        while least < most {
            let middle = least + (most - least).div_ceil(2);
            if overflow(middle - 1).0 - overflow(middle).0 > unit.0 {
                least = middle;
            } else {
                most = middle - 1;
            }
        }
        self.sized(least, stretches, hours)
    }
}
