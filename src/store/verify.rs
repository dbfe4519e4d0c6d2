//! Does everything in a store belong together? Reads all of it, changes nothing.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::ledger_store::LedgerStore;
use crate::ledger::amounts::Row;
use crate::ledger::delta::SeriesId;
use crate::ledger::inflight::Inflight;
use crate::ledger::rollup::Level;
use crate::ledger::signals::{SignalId, SignalRow};
use crate::ledger::state::Ledger;
use crate::model::time::UnixMillis;

/// Far beyond every instant that a record may have (`decode` ends in 2200).
const END_OF_TIME: UnixMillis = UnixMillis(253_402_300_799_000);

/// What a check of a ledger found.
#[derive(Debug, Default)]
pub struct Report {
    /// How many rows each level holds.
    pub rows: BTreeMap<Level, u64>,
    /// How many series there are.
    pub series: usize,
    /// How many logs have a position.
    pub logs: usize,
    /// How many request ids are remembered.
    pub ids: u64,
    /// Everything that does not belong together; empty for a sound ledger.
    pub problems: Vec<String>,
}

/// Checks that the rows of each series sum to its totals, and that positions are in themselves sound.
/// (That totals sum to the committed grand total is checked at every opening.)
pub fn verify(store: &LedgerStore, ledger: &Ledger) -> Result<Report, StoreError> {
    let mut report = Report {
        series: ledger.totals().count(),
        logs: ledger.positions().len(),
        ids: ledger.slices().iter().map(|&(_, ids)| ids).sum(),
        ..Report::default()
    };
    let mut sums: BTreeMap<SeriesId, Row> = BTreeMap::new();
    for level in [Level::Minute, Level::Hour, Level::Day, Level::Ever] {
        let mut rows = 0;
        store.rows(level, UnixMillis(0), END_OF_TIME, |_, series, row| {
            rows += 1;
            sums.entry(series).or_default().merge(row);
        })?;
        report.rows.insert(level, rows);
    }
    for (id, key, totals) in ledger.totals() {
        let sum = sums.remove(&id).unwrap_or_default();
        let expected = totals.row();
        if sum != expected {
            report.problems.push(format!(
                "series {} (`{}` in `{}` by `{}`): its rows sum to {} calls, {} tokens and {} USD, its totals say \
                 {}, {} and {}",
                id.0, key.model, key.region, key.principal,
                sum.outcomes.total(), sum.tokens.total(), sum.total_cost(),
                expected.outcomes.total(), expected.tokens.total(), expected.total_cost(),
            ));
        }
    }
    for id in sums.into_keys() {
        report.problems.push(format!("rows of series {} which has no labels", id.0));
    }
    verify_signals(store, ledger, &mut report)?;
    verify_inflight(store, ledger, &mut report)?;
    for (log, position) in ledger.positions() {
        let marked = position.marks.last().map_or(0, |mark| mark.at);
        if position.offset != marked {
            let path = String::from_utf8_lossy(&position.path);
            report.problems.push(format!(
                "log {} (`{path}`): it is counted up to {} but marked at {marked}",
                log.0, position.offset
            ));
        }
    }
    Ok(report)
}

/// Checks that calls in flight are those of the rows by the minute, and that all that began also ends.
fn verify_inflight(
    store: &LedgerStore,
    ledger: &Ledger,
    report: &mut Report,
) -> Result<(), StoreError> {
    // What is older may be on its way to coarser rows, which keep no calls in flight.
    let from = ledger.horizons().minutes_from;
    let mut calls: BTreeMap<SeriesId, [u64; 2]> = BTreeMap::new();
    store.rows(Level::Minute, from, END_OF_TIME, |_, series, row| {
        calls.entry(series).or_default()[0] += row.outcomes.total();
    })?;
    let mut current: Option<((UnixMillis, SeriesId), Inflight)> = None;
    let mut check = |done: Option<((UnixMillis, SeriesId), Inflight)>| {
        let Some(((minute, series), inflight)) = done else { return };
        calls.entry(series).or_default()[1] += inflight.calls();
        if !inflight.is_whole() {
            report.problems.push(format!(
                "calls in flight of series {} at {}: what began does not end",
                series.0,
                minute.second_text()
            ));
        }
    };
    // Pieces of one series and minute follow each other.
    store.inflight(from, END_OF_TIME, |minute, series, piece| match &mut current {
        Some((place, sum)) if *place == (minute, series) => sum.merge(piece),
        _ => check(current.replace(((minute, series), piece.clone()))),
    })?;
    check(current);
    for (series, [rows, inflight]) in calls.into_iter().filter(|(_, [a, b])| a != b) {
        report.problems.push(format!(
            "series {}: its rows by the minute have {rows} calls, its calls in flight are {inflight}",
            series.0
        ));
    }
    Ok(())
}

fn verify_signals(
    store: &LedgerStore,
    ledger: &Ledger,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut sums: BTreeMap<SignalId, SignalRow> = BTreeMap::new();
    for level in [Level::Minute, Level::Hour, Level::Day, Level::Ever] {
        let mut rows = 0;
        store.signal_rows(level, UnixMillis(0), END_OF_TIME, |_, signal, row| {
            rows += 1;
            sums.entry(signal).or_default().merge(row);
        })?;
        *report.rows.entry(level).or_default() += rows;
    }
    for (id, key, totals) in ledger.signals() {
        let sum = sums.remove(&id).unwrap_or_default();
        if sum != totals.row() {
            report.problems.push(format!(
                "signal {} (`{}`): its rows sum to {} values of {} together, its totals say {} and {}",
                id.0,
                key.signal.as_str(),
                sum.count,
                sum.sum,
                totals.count,
                totals.sum,
            ));
        }
    }
    for id in sums.into_keys() {
        report.problems.push(format!("rows of signal {} which has no labels", id.0));
    }
    Ok(())
}
