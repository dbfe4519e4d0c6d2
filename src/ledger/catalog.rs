//! The series of a ledger, their numbers, and the caps on how many there may be. It must never let
//! a log decide how large the ledger grows: labels are cut, and what is beyond a cap is `other`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::delta::{Delta, SeriesId};
use super::state::Settings;
use crate::model::names::{Capped, Route, Tier};
use crate::model::series::{ContextBand, OTHER, SeriesKey};

/// Longest label value in bytes. AWS's names are shorter (an IAM name has 64 characters, request
/// metadata values 256: `IAM quotas` and botocore's `RequestMetadataValueString`); what a log makes
/// up may be as long as a line, and the labels of one series have to fit into one stored value.
pub(super) const LABEL_BYTES_MAX: usize = 1_024;

/// Every series by number and by labels.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    keys: Vec<Arc<SeriesKey>>,
    ids: HashMap<Arc<SeriesKey>, SeriesId, foldhash::fast::FixedState>,
    principals: HashSet<String>,
    attribute_values: Vec<HashSet<String>>,
}

impl Catalog {
    /// Returns how many series there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns the labels of all series, in the order of their numbers.
    pub(super) fn keys(&self) -> &[Arc<SeriesKey>] {
        &self.keys
    }

    /// Returns the series in which `calls` calls with the labels `wanted` are counted. A new series
    /// and what a cap did are written into `delta`.
    pub(super) fn find(
        &mut self,
        wanted: &SeriesKey,
        limits: &Settings,
        calls: u64,
        delta: &mut Delta,
    ) -> SeriesId {
        if let Some(&id) = self.ids.get(wanted) {
            return id;
        }
        let mut key = shortened(wanted);
        if full(&self.principals, &key.principal, limits.principals_max) {
            OTHER.clone_into(&mut key.principal);
            delta.overflow.add(Capped::Principal, calls);
        }
        for (values, value) in self.attribute_values.iter().zip(&mut key.attributes) {
            if full(values, value, limits.attribute_values_max) {
                OTHER.clone_into(value);
                delta.overflow.add(Capped::Attribute, calls);
            }
        }
        if self.keys.len() >= limits.series_max && !self.ids.contains_key(&key) {
            key = folded(&key);
            delta.overflow.add(Capped::Series, calls);
        }
        if let Some(&id) = self.ids.get(&key) {
            return id;
        }
        let id = SeriesId(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        self.learn(id, &key);
        delta.new_series.push((id, key));
        id
    }

    /// Adds the next series; one that is known already changes nothing.
    pub(super) fn learn(&mut self, id: SeriesId, key: &SeriesKey) {
        if usize::try_from(id.0).is_ok_and(|place| place == self.keys.len()) {
            self.principals.insert(key.principal.clone());
            self.attribute_values
                .resize(self.attribute_values.len().max(key.attributes.len()), HashSet::new());
            for (values, value) in self.attribute_values.iter_mut().zip(&key.attributes) {
                values.insert(value.clone());
            }
            let key = Arc::new(key.clone());
            self.ids.insert(Arc::clone(&key), id);
            self.keys.push(key);
        }
    }
}

fn full(known: &HashSet<String>, value: &str, max: usize) -> bool {
    known.len() >= max && !known.contains(value)
}

/// Returns `key` with every label at most [`LABEL_BYTES_MAX`] long.
fn shortened(key: &SeriesKey) -> SeriesKey {
    let mut key = key.clone();
    let named = [
        &mut key.provider,
        &mut key.account,
        &mut key.region,
        &mut key.model,
        &mut key.geo,
        &mut key.principal,
    ];
    for label in named.into_iter().chain(&mut key.attributes) {
        label.truncate(label.floor_char_boundary(LABEL_BYTES_MAX));
    }
    key
}

/// Returns the series that everything beyond the cap of series folds into.
fn folded(key: &SeriesKey) -> SeriesKey {
    SeriesKey {
        provider: key.provider.clone(),
        account: OTHER.to_owned(),
        region: OTHER.to_owned(),
        model: OTHER.to_owned(),
        route: Route::Unknown,
        geo: String::new(),
        tier: Tier::Standard,
        principal: OTHER.to_owned(),
        attributes: key.attributes.iter().map(|_| OTHER.to_owned()).collect(),
        context: ContextBand::default(),
    }
}
