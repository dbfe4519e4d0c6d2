//! The ledger in memory: what the committed deltas add up to, and how the next one is made.
//!
//! [`Ledger::book`] gathers batches into a [`Booking`], [`Ledger::close`] makes a [`Delta`] of it,
//! and [`Ledger::apply`] adds a delta. A restart applies the stored deltas through the same
//! function, so it can't come to another state.

use std::collections::btree_map::{self, BTreeMap};
use std::sync::Arc;

use super::alerts::Alerts;
use super::amounts::Amounts;
use super::batch::{Entry, Observation, RatedBatch, SignalEntry};
use super::booking::{BookError, Booking, StoredIds, TakeIds};
use super::catalog::Catalog;
use super::counts::Counts;
use super::delta::{Cell, Delta, Grand, Ingest, SeriesId, SignalCell};
use super::inflight::Inflight;
use super::position::{LogId, LogPosition};
use super::recalled::{IdSet, Recalled};
use super::rollup::{Bucket, Horizons, HourCuts, Level, Retention};
use super::seen::{Guess, INSERTS_MAX, Seen, SeenIds, as_kept};
use super::signals::{SignalId, Signals, Tally};
use super::tellers::Tellers;
use crate::model::names::{Approximation, Capped, LineResult, RecordKind};
use crate::model::series::SeriesKey;
use crate::model::signal::SignalKey;
use crate::model::span::Span;
use crate::model::time::{DAY_MS, HOUR_MS, UnixMillis};

/// How far a log's clock may be ahead of ours before its times are not believed.
const FUTURE_MAX_MS: i64 = HOUR_MS;
/// How far our clock may be ahead of the newest record before the horizons do not follow it. They
/// never move back, so a machine that starts with a clock of 2090 would lose every minute and hour.
const IDLE_MAX_MS: i64 = DAY_MS;

/// Limits of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long each level of rollups is kept.
    pub retention: Retention,
    /// Where rows by the hour begin.
    pub cuts: HourCuts,
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
    catalog: Catalog,
    totals: Vec<Arc<Amounts>>,
    signals: Signals,
    tellers: Tellers,
    ingest: BTreeMap<String, Ingest>,
    overflow: Counts<Capped>,
    /// Up to when each item that is paid by time is charged.
    charged: BTreeMap<String, UnixMillis>,
    alerts: Arc<Alerts>,
    positions: BTreeMap<LogId, LogPosition>,
    seen: SeenIds,
    recalled: Recalled,
    /// Slices of the committed ids with how many there are, the one that grew longest ago first.
    slices: Vec<(UnixMillis, u64)>,
    horizons: Horizons,
    newest: UnixMillis,
    grand: Grand,
}

/// What tells whether a record was counted before.
struct Novelty {
    kind: RecordKind,
    id: Option<u64>,
    /// Whether the id was counted in an earlier batch.
    is_known: bool,
    /// Whether another log told of it.
    is_told: bool,
    at: UnixMillis,
}

impl Ledger {
    /// Returns an empty ledger.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            number: 0,
            catalog: Catalog::default(),
            totals: Vec::new(),
            signals: Signals::default(),
            tellers: Tellers::default(),
            ingest: BTreeMap::new(),
            overflow: Counts::default(),
            charged: BTreeMap::new(),
            alerts: Arc::default(),
            positions: BTreeMap::new(),
            seen: SeenIds::new(settings.window_ms, settings.ids_max),
            recalled: Recalled::default(),
            slices: Vec::new(),
            horizons: Horizons::default(),
            newest: UnixMillis(0),
            grand: Grand::default(),
        }
    }

    /// Begins the next commit at the time `now`. The one before must be applied.
    pub fn open_booking(&self, now: UnixMillis) -> Booking {
        // What is charged by time goes on where no calls come, and its minutes must become hours as well.
        let charged = self.charged.values().max().copied().unwrap_or_default();
        let believed = match self.newest.max(charged.min(now)) {
            UnixMillis(0) => now,
            newest => now.min(newest.plus(IDLE_MAX_MS)),
        };
        Booking {
            newest: self.newest,
            horizons: self.horizons().moved(self.settings.retention, believed),
            ..Booking::default()
        }
    }

    /// Adds a batch to the next commit. `now` is the time of reading, `stored` where committed request ids
    /// are. After an error the ledger must not be used any more: some of the batch may be booked.
    pub fn book(
        &mut self,
        booking: &mut Booking,
        batch: &RatedBatch,
        now: UnixMillis,
        stored: &StoredIds<'_>,
    ) -> Result<(), BookError> {
        self.book_seen(booking, batch, now, stored, |_, _| {})
    }

    /// Does the same, and shows every call that is counted with the time at which it is booked.
    pub fn book_seen(
        &mut self,
        booking: &mut Booking,
        batch: &RatedBatch,
        now: UnixMillis,
        stored: &StoredIds<'_>,
        mut see: impl FnMut(&Entry, UnixMillis),
    ) -> Result<(), BookError> {
        let known = booking.positions.get(&batch.log).or_else(|| self.positions.get(&batch.log));
        // A log that is not known yet begins where its reader says: at 0, or behind what it shares
        // with the log it was copied from.
        let reached = known.map_or(batch.span.from, |position| position.offset);
        let end = Span { from: batch.position.offset, to: batch.position.offset };
        batch
            .span
            .advance(reached)
            .and_then(|next| end.advance(next))
            .map_err(|source| BookError::order(batch, source))?;
        // A log that comes back while it is being forgotten stays.
        booking.forgotten.remove(&batch.log);
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
        for entries in batch.rated.entries.chunks(INSERTS_MAX) {
            let (known, twins) = self.known_of(booking, entries, stored)?;
            for ((entry, is_known), is_twin_known) in entries.iter().zip(known).zip(twins) {
                let place = usize::try_from(entry.group).ok().and_then(|group| places.get(group));
                let &place = place.ok_or_else(|| BookError::group(batch, entry.group))?;
                let is_told = entry.is_told_elsewhere
                    || is_twin_known
                    || self.tellers.twin(entry).is_some_and(|twin| self.seen.is_fresh(twin));
                let novelty =
                    Novelty { kind: entry.kind, id: entry.id, is_known, is_told, at: entry.at };
                match self.accept(booking, &mut ingest, novelty, now) {
                    LineResult::Accepted => see(entry, book_entry(booking, place, entry, now)),
                    LineResult::Corroborated => book_claim(booking, place, entry, now),
                    _ => {}
                }
            }
        }
        for signals in batch.rated.signals.chunks(INSERTS_MAX) {
            let known = self.known(booking, &signals.iter().map(|signal| signal.id), stored)?;
            for (signal, is_known) in signals.iter().zip(known) {
                self.book_signal(booking, &mut ingest, signal, is_known, now);
            }
        }
        booking.ingest.entry(batch.source.clone()).or_default().merge(&ingest);
        Ok(())
    }

    /// Tells for each of `entries` whether it was counted before, but for those of this list; and the same of the
    /// ids by which the other kind of log tells of them, of which there are none if nobody does.
    fn known_of(
        &mut self,
        booking: &Booking,
        entries: &[Entry],
        stored: &StoredIds<'_>,
    ) -> Result<(Vec<bool>, impl Iterator<Item = bool> + use<>), BookError> {
        let tellers = self.tellers;
        let twins = entries.iter().map(|entry| tellers.twin(entry));
        // Nearly no ledger has two kinds of log.
        let twins = if twins.clone().any(|id| id.is_some()) {
            self.known(booking, &twins, stored)?
        } else {
            Vec::new()
        };
        let known = self.known(booking, &entries.iter().map(|entry| entry.id), stored)?;
        Ok((known, twins.into_iter().chain(std::iter::repeat(false))))
    }

    /// Tells for each of `ids` whether it was counted before, but for those of this list.
    fn known(
        &mut self,
        booking: &Booking,
        ids: &(impl Iterator<Item = Option<u64>> + Clone),
        stored: &StoredIds<'_>,
    ) -> Result<Vec<bool>, BookError> {
        let Guess { may_be_known, slices } = self.seen.look_up(ids.clone());
        if slices.is_empty() {
            return Ok(may_be_known);
        }
        let wanted = || ids.clone().zip(&may_be_known).map(|(id, may_be)| id.filter(|_| *may_be));
        let wanted_ids: IdSet = wanted().flatten().map(as_kept).collect();
        let mut found = IdSet::default();
        for slice in &slices {
            let each = |take: &mut TakeIds<'_>| booking.each_id(slice, stored, take);
            self.recalled.find(slice, &wanted_ids, &mut found, each)?;
        }
        Ok(wanted().map(|id| id.is_some_and(|id| found.contains(&as_kept(id)))).collect())
    }

    fn book_signal(
        &mut self,
        booking: &mut Booking,
        ingest: &mut Ingest,
        signal: &SignalEntry,
        is_known: bool,
        now: UnixMillis,
    ) {
        let at = signal.at.unwrap_or(now);
        let SignalEntry { kind, id, .. } = *signal;
        let novelty = Novelty { kind, id, is_known, is_told: false, at };
        if self.accept(booking, ingest, novelty, now) != LineResult::Accepted {
            return;
        }
        let at = if at > now.plus(FUTURE_MAX_MS) { now } else { at };
        let bucket = booking.horizons.bucket(at);
        for observation in &signal.observations {
            let tally = booking.signals.entry((observation.key.clone(), bucket)).or_default();
            let Observation { key, count, value } = observation;
            tally.observe(key.signal, at, *count, *value);
        }
    }

    /// Counts a record as read; tells whether it is accepted, corroborated or a duplicate.
    fn accept(
        &mut self,
        booking: &mut Booking,
        ingest: &mut Ingest,
        Novelty { kind, id, is_known, is_told, at }: Novelty,
        now: UnixMillis,
    ) -> LineResult {
        // A time in the future must not take the place of a slice of the window.
        let believed = at.min(now);
        if let Some(id) = id {
            match self.seen.insert(id, is_known, believed, booking.newest) {
                Seen::Duplicate => {
                    ingest.lines.add((Some(kind), LineResult::Duplicate), 1);
                    return LineResult::Duplicate;
                }
                Seen::New { id, slice } => {
                    if self.seen.has_evicted() {
                        booking.forget_ids(self.seen.take_evicted());
                        self.recalled.clear();
                    }
                    self.recalled.add(slice, id);
                    booking.ids.entry(slice).or_default().push(id);
                }
            }
        }
        let result = if is_told { LineResult::Corroborated } else { LineResult::Accepted };
        ingest.lines.add((Some(kind), result), 1);
        self.tellers.add(kind);
        ingest.late_records += u64::from(self.seen.is_late(at, booking.newest));
        booking.newest = booking.newest.max(believed);
        ingest.newest = ingest.newest.max(believed);
        booking.records += 1;
        result
    }

    /// Makes the delta of everything that was booked.
    pub fn close(&mut self, mut booking: Booking) -> Delta {
        booking.forget_ids(self.seen.take_evicted());
        self.recalled.rest();
        let ids = self.seen.slices().into_iter();
        let ids = ids.filter_map(|slice| Some((slice, booking.ids.remove(&slice)?)));
        let mut delta = Delta {
            number: self.number + 1,
            ids: ids.collect(),
            evicted: booking.evicted,
            charged: booking.charged.into_iter().collect(),
            alerts: booking.alerts,
            positions: booking.positions.into_iter().collect(),
            forgotten: booking.forgotten.into_iter().collect(),
            ingest: booking.ingest.into_iter().collect(),
            horizons: booking.horizons,
            newest: booking.newest,
            grand: self.grand.clone(),
            ..Delta::default()
        };
        let mut merged: BTreeMap<(SeriesId, Bucket), (Box<Amounts>, Inflight)> = BTreeMap::new();
        for (group, bucket, amounts, inflight) in booking.cells.finish() {
            let calls = amounts.requests.total();
            let series = self.catalog.find_group(&group, &self.settings, calls, &mut delta);
            delta.grand.add(&amounts);
            match merged.entry((series, bucket)) {
                btree_map::Entry::Vacant(place) => {
                    place.insert((amounts, inflight));
                }
                btree_map::Entry::Occupied(mut sums) => {
                    let sums = sums.get_mut();
                    sums.0.merge(&amounts);
                    sums.1.merge(&inflight);
                }
            }
        }
        for (key, costs) in booking.charges {
            let series = self.catalog.find(&key, &self.settings, 0, &mut delta);
            for (bucket, charge) in costs {
                let amounts = Amounts { charge, ..Amounts::default() };
                delta.grand.add(&amounts);
                merged.entry((series, bucket)).or_default().0.merge(&amounts);
            }
        }
        delta.cells = merged
            .into_iter()
            .map(|((series, bucket), (amounts, inflight))| Cell {
                series,
                bucket,
                amounts,
                inflight,
            })
            .collect();
        for ((key, bucket), tally) in booking.signals {
            let count = tally.count;
            let signal = self.signals.find(&key, self.settings.series_max, count, &mut delta);
            delta.grand.add_signal(&tally.row());
            delta.signal_cells.push(SignalCell { signal, bucket, tally });
        }
        self.digest_positions(&mut delta);
        self.digest_alerts(&mut delta);
        delta
    }

    fn digest_alerts(&self, delta: &mut Delta) {
        if !delta.alerts.is_empty() {
            let mut after = Alerts::clone(&self.alerts);
            delta.alerts.iter().for_each(|change| after.apply(change));
            delta.grand.set_alerts(&after);
        }
    }

    fn digest_positions(&self, delta: &mut Delta) {
        for (log, position) in &delta.positions {
            if let Some(old) = self.positions.get(log) {
                delta.grand.remove_position(old);
            }
            delta.grand.add_position(position);
        }
        for old in delta.forgotten.iter().filter_map(|log| self.positions.get(log)) {
            delta.grand.remove_position(old);
        }
    }

    /// Adds a delta that is durable.
    pub fn apply(&mut self, delta: &Delta) {
        for (id, key) in &delta.new_series {
            self.catalog.learn(*id, key);
        }
        self.totals.resize_with(self.catalog.len(), Arc::default);
        for cell in &delta.cells {
            if let Some(totals) = place(&mut self.totals, cell.series) {
                Arc::make_mut(totals).merge(&cell.amounts);
            }
        }
        for (id, key) in &delta.new_signals {
            self.signals.learn(*id, key);
        }
        for cell in &delta.signal_cells {
            self.signals.add(cell.signal, &cell.tally);
        }
        for (log, position) in &delta.positions {
            self.positions.insert(*log, position.clone());
        }
        for log in &delta.forgotten {
            self.positions.remove(log);
        }
        for (source, ingest) in &delta.ingest {
            self.ingest.entry(source.clone()).or_default().merge(ingest);
            for kind in ingest.lines.iter().filter_map(|((kind, _), _)| kind) {
                self.tellers.add(kind);
            }
        }
        self.overflow.merge(&delta.overflow);
        self.charged.extend(delta.charged.iter().cloned());
        if !delta.alerts.is_empty() {
            let alerts = Arc::make_mut(&mut self.alerts);
            delta.alerts.iter().for_each(|change| alerts.apply(change));
        }
        for evicted in &delta.evicted {
            self.slices.retain(|&(slice, _)| !evicted.holds(slice));
        }
        for (slice, ids) in &delta.ids {
            let known = self.slices.iter().position(|(known, _)| known == slice);
            let before = known.map_or(0, |place| self.slices.remove(place).1);
            self.slices.push((*slice, before + ids.count()));
        }
        self.horizons = delta.horizons;
        self.newest = delta.newest;
        self.grand = delta.grand.clone();
        self.number = delta.number;
    }

    /// Sets how many request ids there are by slice, as it was stored.
    pub fn restore_slices(&mut self, slices: Vec<(UnixMillis, u64)>) {
        self.slices = slices;
    }

    /// Forgets with the next commit the first of [`Self::slices`] if all have more ids than may be remembered,
    /// and returns how many. Comes before any id is restored.
    pub fn forget_surplus(&mut self) -> usize {
        self.seen.forget_surplus(&self.slices, self.newest)
    }

    /// Remembers request ids that stored commits counted. Slices come in the order of
    /// [`Self::slices`], after all that was committed was applied.
    pub fn restore_ids(&mut self, slice: UnixMillis, ids: &[u64]) {
        self.seen.restore(slice, ids, self.newest);
    }

    /// Sets the totals of a series as they were stored.
    pub fn restore_totals(&mut self, id: SeriesId, amounts: Amounts) {
        if let Some(totals) = place(&mut self.totals, id) {
            *totals = Arc::new(amounts);
        }
    }

    /// Sets the totals of a combination of labels of signals as they were stored.
    pub fn restore_signal(&mut self, id: SignalId, tally: Tally) {
        self.signals.restore(id, tally);
    }

    /// Changes alerts and what is known of deliveries to what was stored.
    pub fn restore_alerts(&mut self, restore: impl FnOnce(&mut Alerts)) {
        restore(Arc::make_mut(&mut self.alerts));
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

    /// Iterates over the series with their totals.
    pub fn totals(&self) -> impl Iterator<Item = (SeriesId, &Arc<SeriesKey>, &Arc<Amounts>)> {
        (0..)
            .map(SeriesId)
            .zip(self.catalog.keys())
            .zip(&self.totals)
            .map(|((id, key), totals)| (id, key, totals))
    }

    /// Iterates over the combinations of labels of signals with their totals.
    pub fn signals(&self) -> impl Iterator<Item = (SignalId, &Arc<SignalKey>, &Arc<Tally>)> {
        self.signals.iter()
    }

    /// Returns what was read, by source.
    pub fn ingest(&self) -> &BTreeMap<String, Ingest> {
        &self.ingest
    }

    /// Returns how many calls were folded into `other`.
    pub fn overflow(&self) -> &Counts<Capped> {
        &self.overflow
    }

    /// Returns up to when each item that is paid by time is charged.
    pub fn charged(&self) -> &BTreeMap<String, UnixMillis> {
        &self.charged
    }

    /// Returns the alerts that are not over, and what is to be sent.
    pub fn alerts(&self) -> &Arc<Alerts> {
        &self.alerts
    }

    /// Returns where each log is counted up to.
    pub fn positions(&self) -> &BTreeMap<LogId, LogPosition> {
        &self.positions
    }

    /// Returns the remembered request ids.
    pub fn seen(&self) -> &SeenIds {
        &self.seen
    }

    /// Returns the slices of the committed request ids with how many there are, the one that grew longest
    /// ago first.
    pub fn slices(&self) -> &[(UnixMillis, u64)] {
        &self.slices
    }

    /// Returns the horizons of the levels, with the cuts of the settings from the first moment on.
    pub fn horizons(&self) -> Horizons {
        self.horizons.with_cuts(self.settings.cuts)
    }

    /// Returns the latest event time.
    pub fn newest(&self) -> UnixMillis {
        self.newest
    }

    /// Returns the sums over all series.
    pub fn grand(&self) -> &Grand {
        &self.grand
    }
}

/// Adds a call. Returns the time at which it is booked.
fn book_entry(booking: &mut Booking, place: u32, entry: &Entry, now: UnixMillis) -> UnixMillis {
    let in_present;
    let entry = if entry.at > now.plus(FUTURE_MAX_MS) {
        in_present = at_reading(entry, now);
        &in_present
    } else {
        entry
    };
    let bucket = booking.horizons.bucket(entry.at);
    if bucket.level == Level::Minute {
        booking.cells.add_in_minute(place, bucket, bucket.start(), entry);
    } else {
        booking.cells.add(place, bucket, entry);
    }
    entry.at
}

/// Returns a call whose time is not believed, or not known, as one of the time of reading.
fn at_reading(entry: &Entry, now: UnixMillis) -> Entry {
    let mut entry = *entry;
    if entry.at != UnixMillis::UNKNOWN {
        entry.approximations.insert(Approximation::TimeInFuture);
    }
    entry.at = now;
    entry
}

/// Adds what a log claims of the cost of a call that is counted elsewhere, to be compared with that.
fn book_claim(booking: &mut Booking, place: u32, entry: &Entry, now: UnixMillis) {
    let at = if entry.at > now.plus(FUTURE_MAX_MS) { now } else { entry.at };
    booking.cells.add_claim(place, booking.horizons.bucket(at), entry);
}

fn place(totals: &mut [Arc<Amounts>], id: SeriesId) -> Option<&mut Arc<Amounts>> {
    totals.get_mut(usize::try_from(id.0).ok()?)
}
