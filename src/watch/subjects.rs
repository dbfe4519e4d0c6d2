//! Whom the calls of each series are compared as. Names stand here once, however many series share them, so sums by
//! subject are sums by number.

use std::collections::HashMap;

use super::recent::Costs;
use super::usual::Subject;
use crate::ledger::delta::SeriesId;
use crate::model::money::Usd;
use crate::model::series::{NONE, OTHER, SeriesKey, UNKNOWN};

/// The subjects of all series, in the order of their numbers.
#[derive(Debug, Default)]
pub struct Subjects {
    table: Vec<Subject>,
    places: HashMap<Subject, u32, foldhash::fast::FixedState>,
    of_series: Vec<Box<[u32]>>,
}

impl Subjects {
    /// Takes the labels of the next series; what is not known is nobody.
    pub fn learn(&mut self, key: &SeriesKey) {
        let named = |name: &String| {
            let is_name = name != UNKNOWN && name != OTHER && name != NONE;
            is_name.then(|| name.clone())
        };
        let known = [
            named(&key.account).map(Subject::Account),
            named(&key.model).map(Subject::Model),
            named(&key.principal).map(Subject::Principal),
        ];
        let both = named(&key.principal)
            .zip(named(&key.model))
            .map(|(principal, model)| Subject::Use { principal, model });
        self.push([Some(Subject::Total)].into_iter().chain(known).chain([both]).flatten());
    }

    /// Takes the subjects of the next series.
    pub(super) fn push(&mut self, subjects: impl Iterator<Item = Subject>) {
        let places = subjects.map(|subject| {
            if let Some(&place) = self.places.get(&subject) {
                return place;
            }
            let place = u32::try_from(self.table.len()).unwrap_or(u32::MAX);
            self.table.push(subject.clone());
            self.places.insert(subject, place);
            place
        });
        let places = places.collect();
        self.of_series.push(places);
    }

    /// Returns the number of a subject, which is below [`Self::count`].
    pub(super) fn place(&self, subject: &Subject) -> Option<usize> {
        self.places.get(subject).and_then(|&place| usize::try_from(place).ok())
    }

    /// Returns how many subjects there are.
    pub(super) fn count(&self) -> usize {
        self.table.len()
    }

    /// Returns the numbers of the subjects of a series.
    pub(super) fn places_of(&self, series: SeriesId) -> impl Iterator<Item = usize> + '_ {
        let of_series = usize::try_from(series.0).ok().and_then(|place| self.of_series.get(place));
        let places = of_series.map_or(&[][..], |places| places);
        places.iter().filter_map(|&place| usize::try_from(place).ok())
    }

    /// Returns the subjects of a series.
    pub fn of(&self, series: SeriesId) -> impl Iterator<Item = &Subject> {
        self.places_of(series).filter_map(|place| self.table.get(place))
    }

    /// Returns the sums of costs by subject, of those that have any.
    pub fn sums(&self, costs: &Costs) -> impl Iterator<Item = (&Subject, Usd)> {
        let mut sums: Vec<Option<Usd>> = vec![None; self.table.len()];
        for (&series, &cost) in costs {
            for place in self.places_of(series) {
                if let Some(sum) = sums.get_mut(place) {
                    *sum.get_or_insert_default() += cost;
                }
            }
        }
        self.table.iter().zip(sums).filter_map(|(subject, sum)| Some((subject, sum?)))
    }
}
