//! All tracks: which there are, and which of them a series belongs to.
//!
//! What a track is for is not known here: a rule says what is in it, and whether there is one for all or
//! one for each value of a label. Budgets have a rule each; baselines have theirs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::amount::Sums;
use super::scope::{Label, Scope};
use super::track::{Known, MINUTES_MS, Track};
use crate::ledger::amounts::Row;
use crate::ledger::delta::SeriesId;
use crate::ledger::rollup::{Bucket, HourCuts, Level};
use crate::model::series::{OTHER, SeriesKey};
use crate::model::time::UnixMillis;

/// Most values of one rule that have tracks of their own; what is beyond shares the track `other`.
pub const VALUES_MAX: usize = 1_000;

/// Which tracks there are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackRule {
    /// What is in them.
    pub scope: Scope,
    /// Where set, each value of this label has a track.
    pub per: Option<Label>,
    /// For how long rows are kept, in milliseconds.
    pub keep_ms: i64,
}

/// What tells one track from the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackKey {
    /// Place of its rule.
    pub rule: usize,
    /// The value of the rule's label, if it has one.
    pub value: Option<Arc<str>>,
}

/// The tracks of some rules.
#[derive(Clone, Debug)]
pub struct Tracks {
    rules: Vec<TrackRule>,
    list: Vec<(TrackKey, Track)>,
    /// Places in `list` by rule, then by value.
    places: Vec<HashMap<Option<Arc<str>>, u32, foldhash::fast::FixedState>>,
    /// Series that had no track of their own, by rule.
    folded: Vec<u64>,
    /// Places in `list` by series.
    of_series: Vec<Option<Box<[u32]>>>,
    /// Series of what is not paid by token. They may reach back to before anything is known of calls.
    items: HashSet<SeriesId, foldhash::fast::FixedState>,
    known: Known,
    newest: UnixMillis,
}

impl Tracks {
    /// Returns empty tracks for `rules`. `cuts` and `cuts_from` are those of the ledger's horizons.
    pub fn new(rules: Vec<TrackRule>, cuts: HourCuts, cuts_from: UnixMillis) -> Self {
        let mut tracks = Self {
            places: rules.iter().map(|_| HashMap::default()).collect(),
            folded: vec![0; rules.len()],
            rules,
            list: Vec::new(),
            of_series: Vec::new(),
            items: HashSet::default(),
            known: Known { from: None, cuts, cuts_from },
            newest: UnixMillis(0),
        };
        for rule in 0..tracks.rules.len() {
            if tracks.rules.get(rule).is_some_and(|rule| rule.per.is_none()) {
                tracks.open(TrackKey { rule, value: None });
            }
        }
        tracks
    }

    /// Finds the tracks of a series. Must come before its first row; again changes nothing.
    pub fn learn(&mut self, series: SeriesId, key: &SeriesKey) {
        let Ok(place) = usize::try_from(series.0) else { return };
        if self.of_series.len() <= place {
            self.of_series.resize(place + 1, None);
        }
        if self.of_series.get(place).is_some_and(Option::is_some) {
            return;
        }
        if !key.item.is_empty() {
            self.items.insert(series);
        }
        let mut of_series = Vec::new();
        for rule in 0..self.rules.len() {
            let Some(found) = self.rules.get(rule).filter(|rule| rule.scope.matches(key)) else {
                continue;
            };
            let value = found.per.as_ref().map(|label| Arc::from(label.of(key)));
            of_series.push(self.open(TrackKey { rule, value }));
        }
        if let Some(known) = self.of_series.get_mut(place) {
            *known = Some(of_series.into_boxed_slice());
        }
    }

    /// Returns the place of a track, or of that of `other` if the rule has too many.
    fn open(&mut self, mut key: TrackKey) -> u32 {
        let place = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let Some(places) = self.places.get_mut(key.rule) else { return place };
        if let Some(place) = places.get(&key.value) {
            return *place;
        }
        if key.value.is_some() && places.len() >= VALUES_MAX {
            if let Some(folded) = self.folded.get_mut(key.rule) {
                *folded += 1;
            }
            key.value = Some(Arc::from(OTHER));
            if let Some(place) = places.get(&key.value) {
                return *place;
            }
        }
        places.insert(key.value.clone(), place);
        self.list.push((key, Track::default()));
        place
    }

    /// Adds a row, or what a commit adds to one, to every track of its series. Each amount must come
    /// once. Returns whether the series is known; else nothing was added, and its labels must be learnt.
    #[must_use]
    pub fn add(&mut self, series: SeriesId, bucket: Bucket, row: &Row) -> bool {
        self.add_sums(series, bucket, &Sums::of(row))
    }

    /// Adds the sums of a row like [`Self::add`].
    #[must_use]
    pub fn add_sums(&mut self, series: SeriesId, bucket: Bucket, sums: &Sums) -> bool {
        let place = usize::try_from(series.0).ok();
        let Some(Some(places)) = place.and_then(|place| self.of_series.get(place)) else {
            return false;
        };
        if bucket.level != Level::Ever {
            self.newest = self.newest.max(bucket.start());
        }
        if !self.items.contains(&series) {
            self.known.learn(bucket.start());
        }
        if sums.is_empty() {
            return true;
        }
        for place in places {
            let place = usize::try_from(*place).ok();
            if let Some((_, track)) = place.and_then(|place| self.list.get_mut(place)) {
                track.add(bucket, sums, self.known.cuts);
            }
        }
        true
    }

    /// Takes note that everything since `at` is known, though no row as old may come: who only loads
    /// rows since `at` says so if the ledger has older ones.
    pub fn know_since(&mut self, at: UnixMillis) {
        self.known.learn(at);
    }

    /// Makes hours of old minutes and drops what is older than its rule keeps. Worth a call in some
    /// minutes. Only rows make time move: a clock that jumps ahead must not drop what the next look needs.
    pub fn settle(&mut self, now: UnixMillis) {
        let now = now.min(self.newest);
        for (key, track) in &mut self.list {
            let keep_ms = self.rules.get(key.rule).map_or(0, |rule| rule.keep_ms);
            track.settle(now.plus(-MINUTES_MS), now.plus(-keep_ms), self.known.cuts);
        }
    }

    /// Iterates over the tracks of a rule, in the order in which they appeared.
    pub fn of_rule(&self, rule: usize) -> impl Iterator<Item = (&TrackKey, &Track)> {
        let mut places: Vec<u32> =
            self.places.get(rule).into_iter().flat_map(HashMap::values).copied().collect();
        places.sort_unstable();
        places.into_iter().filter_map(|place| {
            let (key, track) = self.list.get(usize::try_from(place).ok()?)?;
            Some((key, track))
        })
    }

    /// Returns the track of a rule and a value.
    pub fn get(&self, key: &TrackKey) -> Option<&Track> {
        let place = self.places.get(key.rule)?.get(&key.value)?;
        Some(&self.list.get(usize::try_from(*place).ok()?)?.1)
    }

    /// Returns the rules.
    pub fn rules(&self) -> &[TrackRule] {
        &self.rules
    }

    /// Returns how many series of a rule share the track `other`, since there were too many values.
    pub fn folded(&self, rule: usize) -> u64 {
        self.folded.get(rule).copied().unwrap_or(0)
    }

    /// Returns what is known of all tracks alike.
    pub fn known(&self) -> Known {
        self.known
    }

    /// Returns the start of the newest row.
    pub fn newest(&self) -> UnixMillis {
        self.newest
    }
}

#[cfg(test)]
mod tests;
