//! How much of the spend of one subject is also spend of another, for some subjects at once.

use std::collections::HashMap;

use super::recent::BySeries;
use super::usual::Subject;
use crate::ledger::delta::SeriesId;
use crate::model::money::Usd;

/// Spend by pairs of subjects; the whole of one stands under the pair of it with itself.
pub(super) struct Overlaps<'s> {
    places: HashMap<&'s Subject, u32, foldhash::fast::FixedState>,
    shared: HashMap<(u32, u32), Usd, foldhash::fast::FixedState>,
}

impl<'s> Overlaps<'s> {
    /// Adds up the spend that `subjects` share, in one pass over the series.
    pub(super) fn new(
        subjects: impl Iterator<Item = &'s Subject>,
        recent: &BySeries,
        subjects_of: &impl Fn(SeriesId) -> &'s [Subject],
    ) -> Self {
        let places: HashMap<_, _, foldhash::fast::FixedState> = subjects.zip(0..).collect();
        let mut shared: HashMap<_, Usd, foldhash::fast::FixedState> = HashMap::default();
        let mut of_series: Vec<u32> = Vec::new();
        for (&series, facts) in recent {
            of_series.clear();
            let known = subjects_of(series).iter().filter_map(|subject| places.get(subject));
            of_series.extend(known);
            for &one in &of_series {
                for &other in &of_series {
                    *shared.entry((one, other)).or_default() += facts.cost;
                }
            }
        }
        Self { places, shared }
    }

    /// Returns the part of `amount` that two subjects share: all of it if one contains the other.
    pub(super) fn part(&self, amount: Usd, one: &Subject, other: &Subject) -> Usd {
        let (Some(&one), Some(&other)) = (self.places.get(one), self.places.get(other)) else {
            return Usd::ZERO;
        };
        let of = |pair| self.shared.get(&pair).copied().unwrap_or_default();
        part_of(amount, of((one, other)), of((one, one)).min(of((other, other))))
    }
}

/// Returns `part / whole` of an amount, rounded down; nothing of it if the whole is less than a cent.
fn part_of(amount: Usd, part: Usd, whole: Usd) -> Usd {
    // Cents are exact enough for a comparison, and keep the product within range.
    const CENT: i128 = 10_000_000_000;
    if whole.0 < CENT {
        return Usd::ZERO;
    }
    Usd(amount.0 / CENT * (part.0 / CENT) / (whole.0 / CENT) * CENT)
}
