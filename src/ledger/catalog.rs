//! The series of a ledger, their numbers, and the caps on how many there may be. It must never let
//! a log decide how large the ledger grows: labels are cut, and what is beyond a cap is `other`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::batch::Group;
use super::delta::{Delta, SeriesId};
use super::state::Settings;
use crate::model::names::{Capped, Route, Tier};
use crate::model::series::{ContextBand, OTHER, SeriesKey};

/// Longest label value in bytes. AWS's names are shorter (an IAM name has 64 characters, request
/// metadata values 256: `IAM quotas` and botocore's `RequestMetadataValueString`); what a log makes
/// up may be as long as a line, and the labels of one series have to fit into one stored value.
pub(super) const LABEL_BYTES_MAX: usize = 256;

/// Groups whose series is remembered. A group is made again when its prices change.
const GROUPS_MAX: usize = 1 << 13;

/// Every series by number and by labels.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    keys: Vec<Arc<SeriesKey>>,
    ids: HashMap<Arc<SeriesKey>, SeriesId, foldhash::fast::FixedState>,
    /// Series by address of the group, which each `Arc` keeps alive: labels are long, and each commit looks
    /// for those of all that had calls.
    by_group: HashMap<usize, (Arc<Group>, SeriesId), foldhash::fast::FixedState>,
    /// How many of them are no calls but items of the config, which no cap is about.
    items: usize,
    principals: HashSet<String>,
    attribute_values: BTreeMap<String, HashSet<String>>,
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

    /// Does what [`Self::find`] does for the labels of a group.
    pub(super) fn find_group(
        &mut self,
        group: &Arc<Group>,
        limits: &Settings,
        calls: u64,
        delta: &mut Delta,
    ) -> SeriesId {
        let address = Arc::as_ptr(group).addr();
        if let Some((_, id)) = self.by_group.get(&address) {
            return *id;
        }
        let id = self.find(&group.series, limits, calls, delta);
        // What a cap folds is counted each time.
        if self.ids.contains_key(&group.series) {
            if self.by_group.len() >= GROUPS_MAX {
                self.by_group.clear();
            }
            self.by_group.insert(address, (Arc::clone(group), id));
        }
        id
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
        if !key.item.is_empty() {
            // There are no more items than the config names.
            return self.known_or_new(key, delta);
        }
        if full(&self.principals, &key.principal, limits.principals_max) {
            OTHER.clone_into(&mut key.principal);
            delta.overflow.add(Capped::Principal, calls);
        }
        for (name, value) in &mut key.attributes {
            let known = self.attribute_values.get(name);
            if known.is_some_and(|known| full(known, value, limits.attribute_values_max)) {
                OTHER.clone_into(value);
                delta.overflow.add(Capped::Attribute, calls);
            }
        }
        if self.keys.len() - self.items >= limits.series_max && !self.ids.contains_key(&key) {
            key = folded(&key);
            delta.overflow.add(Capped::Series, calls);
        }
        self.known_or_new(key, delta)
    }

    fn known_or_new(&mut self, key: SeriesKey, delta: &mut Delta) -> SeriesId {
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
            if key.item.is_empty() {
                self.principals.insert(key.principal.clone());
            } else {
                self.items += 1;
            }
            for (name, value) in &key.attributes {
                self.attribute_values.entry(name.clone()).or_default().insert(value.clone());
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
        &mut key.item,
    ];
    for label in named.into_iter().chain(key.attributes.iter_mut().map(|(_, value)| value)) {
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
        attributes: key
            .attributes
            .iter()
            .map(|(name, _)| (name.clone(), OTHER.to_owned()))
            .collect(),
        context: ContextBand::default(),
        item: String::new(),
    }
}
