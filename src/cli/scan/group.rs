//! What a scan adds up, and by what.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cli::failure::Failure;
use crate::ledger::amounts::Amounts;
use crate::ledger::batch::{Group, Rated};
use crate::ledger::cells::Cells;
use crate::ledger::counts::Counts;
use crate::ledger::seen::twin;
use crate::model::names::{LineResult, RecordKind, Reject};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// A key to group by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    Provider,
    Account,
    Region,
    Model,
    ModelId,
    Route,
    Tier,
    Principal,
    Minute,
    Hour,
    Day,
    Attribute(String),
}

const NAMES: [(&str, By); 11] = [
    ("provider", By::Provider),
    ("account", By::Account),
    ("region", By::Region),
    ("model", By::Model),
    ("model_id", By::ModelId),
    ("route", By::Route),
    ("tier", By::Tier),
    ("principal", By::Principal),
    ("minute", By::Minute),
    ("hour", By::Hour),
    ("day", By::Day),
];

impl By {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        if let Some(key) = text.strip_prefix("attr:").filter(|key| !key.is_empty()) {
            return Ok(Self::Attribute(key.to_owned()));
        }
        let known = NAMES.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, by)| by).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            let near = names.iter().min_by_key(|name| strsim::damerau_levenshtein(name, text));
            let error = format!(
                "there is no key `{text}` to group by; known are {} and attr:KEY",
                names.join(", ")
            );
            Failure::with_hint(error, &format!("did you mean `{}`?", near.unwrap_or(&"model")))
        })
    }

    /// Returns the name of the field in the output.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Attribute(key) => key,
            by => NAMES.iter().find(|(_, known)| known == by).map_or("", |(name, _)| name),
        }
    }

    /// Returns the request-metadata key, if this is one.
    pub(super) fn attribute(&self) -> Option<String> {
        match self {
            Self::Attribute(key) => Some(key.clone()),
            _ => None,
        }
    }

    fn value(&self, group: &Group, at: UnixMillis) -> String {
        let series = &group.series;
        match self {
            Self::Provider => series.provider.clone(),
            Self::Account => series.account.clone(),
            Self::Region => series.region.clone(),
            Self::Model => series.model.clone(),
            Self::ModelId => group.model_id.clone(),
            Self::Route => series.route.as_str().to_owned(),
            Self::Tier => series.tier.as_str().to_owned(),
            Self::Principal => series.principal.clone(),
            Self::Minute => at.floor(MINUTE_MS).second_text(),
            Self::Hour => at.floor(HOUR_MS).second_text(),
            Self::Day => at.day_text(),
            Self::Attribute(key) => {
                let found = series.attributes.iter().find(|(name, _)| name == key);
                found.map_or_else(String::new, |(_, value)| value.clone())
            }
        }
    }

    /// Returns the width of the time buckets that this key tells apart.
    fn bucket_ms(&self) -> Option<i64> {
        match self {
            Self::Minute => Some(MINUTE_MS),
            Self::Hour => Some(HOUR_MS),
            Self::Day => Some(DAY_MS),
            _ => None,
        }
    }
}

/// What all threads of a scan count together.
pub(in super::super) struct Tally {
    /// Ids seen, in shards so that threads rarely meet; `None` without `--dedup`.
    ids: Option<Vec<Mutex<HashSet<u64>>>>,
    oversized: AtomicU64,
}

const ID_SHARDS: usize = 64;

impl Tally {
    pub(in super::super) fn new(dedup: bool) -> Self {
        let ids = dedup.then(|| (0..ID_SHARDS).map(|_| Mutex::default()).collect());
        Self { ids, oversized: AtomicU64::new(0) }
    }

    pub(super) fn oversized(&self, lines: u64) {
        self.oversized.fetch_add(lines, Ordering::Relaxed);
    }

    /// Tells whether an id was seen before, and remembers it; also whether another kind of log told
    /// of the same call under the id that is its twin.
    pub(in super::super) fn judge(&self, id: Option<u64>, has_twin: bool) -> LineResult {
        let (Some(shards), Some(id)) = (&self.ids, id) else { return LineResult::Accepted };
        // Twins differ in a low bit, so they meet in one shard.
        let shard = usize::try_from(id >> 58).unwrap_or(0) % ID_SHARDS;
        let Some(shard) = shards.get(shard) else { return LineResult::Accepted };
        let mut ids = shard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !ids.insert(id) {
            LineResult::Duplicate
        } else if has_twin && ids.contains(&twin(id)) {
            LineResult::Corroborated
        } else {
            LineResult::Accepted
        }
    }
}

/// What became of the lines.
pub(super) struct LineCounts {
    pub(super) read: u64,
    pub(super) rejected: Counts<Reject>,
    pub(super) duplicate: u64,
    /// Calls that another kind of log told of.
    pub(super) corroborated: u64,
}

/// Sums by group, of one thread or of all.
pub(super) struct Groups {
    by: Vec<By>,
    bucket_ms: i64,
    cells: Cells<i64>,
    pub(super) lines: Counts<(Option<RecordKind>, LineResult)>,
    /// Sums by the values of the keys, once merged.
    pub(super) rows: BTreeMap<Vec<String>, Amounts>,
}

/// Cells that are worked off at once, so that a scan by minute stays small.
const CELLS_MAX: usize = 4_096;

impl Groups {
    pub(super) fn new(by: &[By]) -> Self {
        // Without a key of time all calls of a group share one cell.
        let bucket_ms = by.iter().filter_map(By::bucket_ms).min().unwrap_or(i64::MAX);
        Self {
            by: by.to_vec(),
            bucket_ms,
            cells: Cells::default(),
            lines: Counts::default(),
            rows: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, rated: &Rated, tally: &Tally) {
        self.lines.merge(&rated.rejected);
        let places = self.cells.places_of(&rated.groups);
        let mut accepted = [0u64; RecordKind::ALL.len()];
        for entry in &rated.entries {
            let result = tally.judge(entry.id, entry.has_shared_id);
            let bucket = entry.at.0.div_euclid(self.bucket_ms);
            let place = usize::try_from(entry.group).ok().and_then(|group| places.get(group));
            match (result, place) {
                (LineResult::Accepted, Some(&place)) => self.cells.add(place, bucket, entry),
                (LineResult::Corroborated, Some(&place)) => {
                    self.cells.add_claim(place, bucket, entry);
                }
                _ => {}
            }
            if result != LineResult::Accepted {
                self.lines.add((Some(entry.kind), result), 1);
            } else if let Some(count) = accepted.get_mut(entry.kind as usize) {
                *count += 1;
            }
        }
        for signal in &rated.signals {
            if tally.judge(signal.id, false) == LineResult::Duplicate {
                self.lines.add((Some(signal.kind), LineResult::Duplicate), 1);
            } else if let Some(count) = accepted.get_mut(signal.kind as usize) {
                *count += 1;
            }
        }
        for (kind, count) in RecordKind::ALL.iter().zip(accepted) {
            self.lines.add((Some(*kind), LineResult::Accepted), count);
        }
        if self.cells.len() > CELLS_MAX {
            self.settle();
        }
    }

    fn settle(&mut self) {
        for (group, bucket, amounts, _) in std::mem::take(&mut self.cells).finish() {
            let at = UnixMillis(bucket.saturating_mul(self.bucket_ms));
            let values = self.by.iter().map(|by| by.value(&group, at)).collect();
            self.rows.entry(values).or_default().merge(&amounts);
        }
    }

    pub(super) fn merged(parts: Vec<Self>) -> Self {
        let mut all = Self::new(&[]);
        for mut part in parts {
            part.settle();
            all.lines.merge(&part.lines);
            for (values, amounts) in part.rows {
                all.rows.entry(values).or_default().merge(&amounts);
            }
        }
        all
    }

    /// Returns the sum of all groups.
    pub(super) fn total(&self) -> Amounts {
        let mut total = Amounts::default();
        for amounts in self.rows.values() {
            total.merge(amounts);
        }
        total
    }

    /// Returns how many records of each kind are no calls.
    pub(super) fn signals(&self) -> impl Iterator<Item = (RecordKind, u64)> {
        let accepted = self.lines.iter().filter(|((_, result), _)| *result == LineResult::Accepted);
        let kinds = accepted.filter_map(|((kind, _), count)| Some((kind?, count)));
        kinds.filter(|(kind, _)| !kind.is_call())
    }

    /// Counts the lines by what became of them.
    pub(super) fn line_counts(&self, tally: &Tally) -> LineCounts {
        let mut rejected = Counts::default();
        let (mut duplicate, mut corroborated) = (0, 0);
        rejected.add(Reject::Oversized, tally.oversized.load(Ordering::Relaxed));
        let mut read = rejected.total();
        for ((_, result), count) in self.lines.iter() {
            read += count;
            match result {
                LineResult::Accepted | LineResult::Ignored => {}
                LineResult::Duplicate => duplicate += count,
                LineResult::Corroborated => corroborated += count,
                LineResult::Rejected(reject) => rejected.add(reject, count),
            }
        }
        LineCounts { read, rejected, duplicate, corroborated }
    }
}
