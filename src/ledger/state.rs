//! The ledger in memory: what the committed deltas add up to, and how the next one is made.
//!
//! [`Ledger::book`] gathers batches into a [`Booking`], [`Ledger::close`] makes a [`Delta`] of it,
//! and [`Ledger::apply`] adds a delta. A restart applies the stored deltas through the same
//! function, so it can't come to another state.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::amounts::Amounts;
use super::batch::{Entry, RatedBatch};
use super::cells::Cells;
use super::counts::Counts;
use super::delta::{Cell, Delta, Grand, IdList, Ingest, SeriesId};
use super::position::{LogId, LogPosition};
use super::rollup::{Bucket, Horizons, Retention};
use super::seen::{Seen, SeenIds};
use crate::model::names::{Approximation, Capped, LineResult, Route, Tier};
use crate::model::series::{ContextBand, OTHER, SeriesKey};
use crate::model::span::SpanError;
use crate::model::time::{HOUR_MS, UnixMillis};

/// How far a log's clock may be ahead of ours before its times are not believed.
const FUTURE_MAX_MS: i64 = HOUR_MS;

/// Limits of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long each level of rollups is kept.
    pub retention: Retention,
    /// Event time for which request ids are remembered, in milliseconds.
    pub window_ms: i64,
    /// Most request ids remembered.
    pub ids_max: usize,
    /// Most principals told apart.
    pub principals_max: usize,
    /// Most values of each chosen attribute told apart.
    pub attribute_values_max: usize,
    /// Most series.
    pub series_max: usize,
}

/// The state that the committed deltas add up to.
#[derive(Debug)]
pub struct Ledger {
    settings: Settings,
    number: u64,
    series: Vec<Arc<SeriesKey>>,
    series_ids: HashMap<Arc<SeriesKey>, SeriesId, foldhash::fast::FixedState>,
    principals: HashSet<String>,
    attribute_values: BTreeMap<String, HashSet<String>>,
    totals: Vec<Arc<Amounts>>,
    ingest: BTreeMap<String, Ingest>,
    overflow: Counts<Capped>,
    positions: BTreeMap<LogId, LogPosition>,
    seen: SeenIds,
    horizons: Horizons,
    newest: UnixMillis,
    grand: Grand,
}

/// Batches that wait for their commit.
#[derive(Debug, Default)]
pub struct Booking {
    cells: Cells<Bucket>,
    ids: BTreeMap<UnixMillis, Vec<u64>>,
    positions: BTreeMap<LogId, LogPosition>,
    forgotten: BTreeSet<LogId>,
    ingest: BTreeMap<String, Ingest>,
    records: u64,
    newest: UnixMillis,
    horizons: Horizons,
}

/// Why a batch can't be booked: a reader broke the order of a log.
#[derive(Debug, thiserror::Error)]
#[error("a piece of log {} (`{path}`) does not continue what is counted; stop and report this", log.0)]
pub struct BookError {
    /// The log.
    pub log: LogId,
    /// Its path.
    pub path: String,
    /// How the piece and the stored position disagree.
    #[source]
    pub source: SpanError,
}

impl Ledger {
    /// Returns an empty ledger.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            number: 0,
            series: Vec::new(),
            series_ids: HashMap::default(),
            principals: HashSet::new(),
            attribute_values: BTreeMap::new(),
            totals: Vec::new(),
            ingest: BTreeMap::new(),
            overflow: Counts::default(),
            positions: BTreeMap::new(),
            seen: SeenIds::new(settings.window_ms, settings.ids_max),
            horizons: Horizons::default(),
            newest: UnixMillis(0),
            grand: Grand::default(),
        }
    }

    /// Begins the next commit at the time `now`.
    pub fn open_booking(&self, now: UnixMillis) -> Booking {
        Booking {
            newest: self.newest,
            horizons: self.horizons.moved(self.settings.retention, now),
            ..Booking::default()
        }
    }

    /// Adds a batch to the next commit. `now` is the time of reading.
    pub fn book(
        &mut self,
        booking: &mut Booking,
        batch: &RatedBatch,
        now: UnixMillis,
    ) -> Result<(), BookError> {
        let known = booking.positions.get(&batch.log).or_else(|| self.positions.get(&batch.log));
        // A log that is not known yet begins where its reader says: at 0, or behind what it shares
        // with the log it was copied from.
        let stored = known.map_or(batch.span.from, |position| position.offset);
        batch.span.advance(stored).map_err(|source| BookError {
            log: batch.log,
            path: String::from_utf8_lossy(&batch.position.path).into_owned(),
            source,
        })?;
        booking.positions.insert(batch.log, LogPosition::clone(&batch.position));

        let mut ingest = Ingest {
            lines: batch.rated.rejected.clone(),
            bytes: batch.span.to.saturating_sub(batch.span.from),
            lost_bytes: batch.lost_bytes,
            ..Ingest::default()
        };
        for &change in &batch.changes {
            ingest.changes.add(change, 1);
        }
        let places = booking.cells.places_of(&batch.rated.groups);
        for entry in &batch.rated.entries {
            let place = usize::try_from(entry.group).ok().and_then(|group| places.get(group));
            if let Some(&place) = place {
                self.book_entry(booking, &mut ingest, place, entry, now);
            }
        }
        booking.ingest.entry(batch.source.clone()).or_default().merge(&ingest);
        Ok(())
    }

    fn book_entry(
        &mut self,
        booking: &mut Booking,
        ingest: &mut Ingest,
        place: u32,
        entry: &Entry,
        now: UnixMillis,
    ) {
        let kind = Some(entry.kind);
        if let Some(id) = entry.id {
            match self.seen.insert(id, entry.at, booking.newest) {
                Seen::Duplicate => {
                    ingest.lines.add((kind, LineResult::Duplicate), 1);
                    return;
                }
                Seen::New { id, slice } => booking.ids.entry(slice).or_default().push(id),
            }
        }
        ingest.lines.add((kind, LineResult::Accepted), 1);
        ingest.late_records += u64::from(self.seen.is_late(entry.at, booking.newest));
        booking.newest = booking.newest.max(entry.at.min(now));
        ingest.newest = ingest.newest.max(entry.at.min(now));
        booking.records += 1;
        if entry.at > now.plus(FUTURE_MAX_MS) {
            let mut entry = *entry;
            entry.approximations.insert(Approximation::TimeInFuture);
            booking.cells.add(place, booking.horizons.bucket(now), &entry);
        } else {
            booking.cells.add(place, booking.horizons.bucket(entry.at), entry);
        }
    }

    /// Makes the delta of everything that was booked.
    pub fn close(&mut self, booking: Booking) -> Delta {
        let mut delta = Delta {
            number: self.number + 1,
            ids: booking.ids.into_iter().map(|(slice, ids)| (slice, IdList(ids))).collect(),
            evicted: self.seen.take_evicted(),
            positions: booking.positions.into_iter().collect(),
            forgotten: booking.forgotten.into_iter().collect(),
            ingest: booking.ingest.into_iter().collect(),
            horizons: booking.horizons,
            newest: booking.newest,
            grand: self.grand.clone(),
            ..Delta::default()
        };
        let mut merged: BTreeMap<(SeriesId, Bucket), Amounts> = BTreeMap::new();
        for (group, bucket, amounts) in booking.cells.finish() {
            let series = self.series_of(&group.series, amounts.requests.total(), &mut delta);
            delta.grand.add(&amounts.row());
            merged.entry((series, bucket)).or_default().merge(&amounts);
        }
        delta.cells = merged
            .into_iter()
            .map(|((series, bucket), amounts)| Cell { series, bucket, amounts })
            .collect();
        delta
    }

    /// Adds a delta that is durable.
    pub fn apply(&mut self, delta: &Delta) {
        for (id, key) in &delta.new_series {
            self.learn_series(*id, Arc::new(key.clone()));
        }
        for cell in &delta.cells {
            if let Some(totals) = place(&mut self.totals, cell.series) {
                Arc::make_mut(totals).merge(&cell.amounts);
            }
        }
        for (log, position) in &delta.positions {
            self.positions.insert(*log, position.clone());
        }
        for log in &delta.forgotten {
            self.positions.remove(log);
        }
        for (source, ingest) in &delta.ingest {
            self.ingest.entry(source.clone()).or_default().merge(ingest);
        }
        self.overflow.merge(&delta.overflow);
        self.horizons = delta.horizons;
        self.newest = delta.newest;
        self.grand = delta.grand.clone();
        self.number = delta.number;
    }

    /// Remembers request ids that a stored commit counted.
    pub fn restore_ids(&mut self, slice: UnixMillis, ids: &[u64]) {
        for &id in ids {
            self.seen.insert(id, slice, self.newest);
        }
    }

    /// Sets the totals of a series as they were stored.
    pub fn restore_totals(&mut self, id: SeriesId, amounts: Amounts) {
        if let Some(totals) = place(&mut self.totals, id) {
            *totals = Arc::new(amounts);
        }
    }

    /// Forgets a log with the next commit.
    pub fn forget(&self, booking: &mut Booking, log: LogId) {
        if self.positions.contains_key(&log) && !booking.positions.contains_key(&log) {
            booking.forgotten.insert(log);
        }
    }

    /// Returns the number of the last commit.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the limits.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Iterates over the series with their totals.
    pub fn totals(&self) -> impl Iterator<Item = (SeriesId, &Arc<SeriesKey>, &Arc<Amounts>)> {
        (0..)
            .map(SeriesId)
            .zip(&self.series)
            .zip(&self.totals)
            .map(|((id, key), totals)| (id, key, totals))
    }

    /// Returns what was read, by source.
    pub fn ingest(&self) -> &BTreeMap<String, Ingest> {
        &self.ingest
    }

    /// Returns how many calls were folded into `other`.
    pub fn overflow(&self) -> &Counts<Capped> {
        &self.overflow
    }

    /// Returns where each log is counted up to.
    pub fn positions(&self) -> &BTreeMap<LogId, LogPosition> {
        &self.positions
    }

    /// Returns the remembered request ids.
    pub fn seen(&self) -> &SeenIds {
        &self.seen
    }

    /// Returns the horizons of the levels.
    pub fn horizons(&self) -> Horizons {
        self.horizons
    }

    /// Returns the latest event time.
    pub fn newest(&self) -> UnixMillis {
        self.newest
    }

    /// Returns the sums over all series.
    pub fn grand(&self) -> &Grand {
        &self.grand
    }

    fn series_of(&mut self, wanted: &SeriesKey, calls: u64, delta: &mut Delta) -> SeriesId {
        if let Some(&id) = self.series_ids.get(wanted) {
            return id;
        }
        let mut key = wanted.clone();
        if full(&self.principals, &key.principal, self.settings.principals_max) {
            OTHER.clone_into(&mut key.principal);
            delta.overflow.add(Capped::Principal, calls);
        }
        for (name, value) in &mut key.attributes {
            let known = self.attribute_values.get(name);
            if known.is_some_and(|v| full(v, value, self.settings.attribute_values_max)) {
                OTHER.clone_into(value);
                delta.overflow.add(Capped::Attribute, calls);
            }
        }
        if self.series.len() >= self.settings.series_max && !self.series_ids.contains_key(&key) {
            key = folded(&key);
            delta.overflow.add(Capped::Series, calls);
        }
        if let Some(&id) = self.series_ids.get(&key) {
            return id;
        }
        let id = SeriesId(u32::try_from(self.series.len()).unwrap_or(u32::MAX));
        delta.new_series.push((id, key.clone()));
        self.learn_series(id, Arc::new(key));
        id
    }

    fn learn_series(&mut self, id: SeriesId, key: Arc<SeriesKey>) {
        if usize::try_from(id.0).is_ok_and(|place| place == self.series.len()) {
            self.principals.insert(key.principal.clone());
            for (name, value) in &key.attributes {
                self.attribute_values.entry(name.clone()).or_default().insert(value.clone());
            }
            self.series_ids.insert(Arc::clone(&key), id);
            self.series.push(key);
            self.totals.push(Arc::default());
        }
    }
}

impl Booking {
    /// Returns how many records were booked.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Returns how many cells were touched.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Tells whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty() && self.forgotten.is_empty() && self.ingest.is_empty()
    }
}

fn full(known: &HashSet<String>, value: &str, max: usize) -> bool {
    known.len() >= max && !known.contains(value)
}

fn place(totals: &mut [Arc<Amounts>], id: SeriesId) -> Option<&mut Arc<Amounts>> {
    totals.get_mut(usize::try_from(id.0).ok()?)
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
        attributes: key.attributes.iter().map(|(n, _)| (n.clone(), OTHER.to_owned())).collect(),
        context: ContextBand::default(),
    }
}
