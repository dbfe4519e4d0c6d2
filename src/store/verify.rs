//! Does everything in a store belong together? Reads all of it, changes nothing.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::ledger_store::LedgerStore;
use crate::ledger::amounts::Row;
use crate::ledger::delta::SeriesId;
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
    pub ids: usize,
    /// Everything that does not belong together; empty for a sound ledger.
    pub problems: Vec<String>,
}

/// Checks that the rows of each series sum to its totals, and that positions are in themselves sound.
/// (That totals sum to the committed grand total is checked at every opening.)
pub fn verify(store: &LedgerStore, ledger: &Ledger) -> Result<Report, StoreError> {
    let mut report = Report {
        series: ledger.totals().count(),
        logs: ledger.positions().len(),
        ids: ledger.seen().len(),
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
                "series {} (`{}` in `{}` by `{}`): its rows sum to {} calls and {} tokens, its totals say {} and {}",
                id.0, key.model, key.region, key.principal,
                sum.outcomes.total(), sum.tokens.total(),
                expected.outcomes.total(), expected.tokens.total(),
            ));
        }
    }
    for id in sums.into_keys() {
        report.problems.push(format!("rows of series {} which has no labels", id.0));
    }
    verify_signals(store, ledger, &mut report)?;
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
