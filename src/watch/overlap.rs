//! How much of the spend of one subject is also spend of another, for some subjects at once.

use std::collections::HashMap;

use super::recent::Costs;
use super::subjects::Subjects;
use super::usual::Subject;
use crate::model::money::Usd;

/// Spend by pairs of subjects; the whole of one stands under the pair of it with itself.
pub(super) struct Overlaps<'s> {
    places: HashMap<&'s Subject, u32, foldhash::fast::FixedState>,
    shared: HashMap<(u32, u32), Usd, foldhash::fast::FixedState>,
}

impl<'s> Overlaps<'s> {
    /// Adds up the spend that `wanted` share, in one pass over the series.
    pub(super) fn new(
        wanted: impl Iterator<Item = &'s Subject>,
        costs: &Costs,
        subjects: &Subjects,
    ) -> Self {
        let places: HashMap<_, _, foldhash::fast::FixedState> = wanted.zip(0..).collect();
        let mut wanted: Vec<Option<u32>> = vec![None; subjects.count()];
        for (subject, &place) in &places {
            let of_subject = subjects.place(subject).and_then(|number| wanted.get_mut(number));
            if let Some(of_subject) = of_subject {
                *of_subject = Some(place);
            }
        }
        let mut shared: HashMap<_, Usd, foldhash::fast::FixedState> = HashMap::default();
        let mut of_series: Vec<u32> = Vec::new();
        for (&series, &cost) in costs {
            of_series.clear();
            let numbers = subjects.places_of(series);
            of_series.extend(numbers.filter_map(|number| wanted.get(number).copied().flatten()));
            for &one in &of_series {
                for &other in &of_series {
                    *shared.entry((one, other)).or_default() += cost;
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
