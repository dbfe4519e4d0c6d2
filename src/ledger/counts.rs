//! Counters by a small closed set of names, kept sparse.

use serde::{Deserialize, Serialize};

/// How often each name was seen; names never seen take no space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts<K>(Vec<(K, u64)>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord + Copy> Counts<K> {
    /// Adds `count` to `name`.
    pub fn add(&mut self, name: K, count: u64) {
        if count == 0 {
            return;
        }
        // The sets are small and a run of records mostly repeats one name.
        if let Some((_, total)) = self.0.iter_mut().find(|(known, _)| *known == name) {
            *total = total.saturating_add(count);
        } else {
            let place = self.0.partition_point(|(known, _)| *known < name);
            self.0.insert(place, (name, count));
        }
    }

    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        for &(name, count) in &other.0 {
            self.add(name, count);
        }
    }

    /// Returns the count of `name`.
    pub fn get(&self, name: K) -> u64 {
        self.0.iter().find(|(known, _)| *known == name).map_or(0, |&(_, count)| count)
    }

    /// Returns the sum over all names.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|&(_, count)| count).sum()
    }

    /// Iterates over the names seen, in order.
    pub fn iter(&self) -> impl Iterator<Item = (K, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Tells whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
