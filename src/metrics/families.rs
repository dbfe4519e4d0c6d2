//! The families of prices, logs and the ledger.

use std::collections::BTreeMap;

use prometheus::proto::{LabelPair, MetricFamily};

use super::budgets;
use super::builder::{Family, float, pair};
use super::charges;
use super::series::Group;
use super::signals;
use super::snapshot::{COMMIT_US_BOUNDS, Snapshot};
use super::{names, quotas};
use crate::ledger::delta::Ingest;
use crate::model::money::Usd;
use crate::model::names::{Capped, FileChange, LineResult, RecordKind, Reject};
use crate::model::series::{ContextBand, SeriesKey, UNKNOWN};
use crate::model::time::UnixMillis;
use crate::price::{Book, Price};
use crate::watch::lookout::Evaluation;

/// Returns what is shown beside the sums of the series, which are `groups`.
pub(super) fn beside_series(
    snapshot: &Snapshot,
    evaluation: &Evaluation,
    groups: &[Group],
    now: UnixMillis,
) -> Vec<MetricFamily> {
    let mut families: Vec<_> = price_families(snapshot, groups, now).collect();
    families.extend(charges::families(evaluation, snapshot));
    families.extend(signals::families(snapshot));
    families.extend(ingest_families(snapshot, now));
    families.extend(budgets::spending(evaluation, snapshot));
    families.extend(budgets::budgets(evaluation));
    families.extend(quotas::quotas(evaluation));
    families.extend(quotas::throttles(evaluation));
    families.extend(budgets::alerts(snapshot));
    families.extend(snapshot.deliveries.families(&snapshot.alerts));
    families.extend(ledger_families(snapshot));
    families.extend(prometheus::gather());
    families
}

fn price_families(
    snapshot: &Snapshot,
    groups: &[Group],
    now: UnixMillis,
) -> impl Iterator<Item = MetricFamily> {
    // Who called and how much does not change the price of a token of the first context band.
    let mut by_labels: BTreeMap<Vec<&str>, (&[LabelPair], &SeriesKey)> = BTreeMap::new();
    for Group { labels, example, .. } in groups {
        let canonical = labels.get(..6).unwrap_or(labels);
        let values = canonical.iter().map(LabelPair::value).collect();
        by_labels.entry(values).or_insert((canonical, example));
    }
    let mut price = Family::new(names::PRICE);
    for (labels, example) in by_labels.into_values() {
        let key = SeriesKey { context: ContextBand::default(), ..example.clone() };
        let card = snapshot.book.rate_card(&key, now);
        for (class, per_token) in card.prices.iter() {
            if let Price::Priced(Usd(picodollars)) = per_token {
                let per_million = Usd(picodollars.saturating_mul(1_000_000));
                price.add(labels, &[("token_class", class.as_str())], per_million.to_f64());
            }
        }
    }
    let mut info = Family::new(names::PRICE_BOOK_INFO);
    let version = snapshot.book.version();
    info.add(&[], &[("version", &version), ("source", &book_source(&snapshot.book))], 1.0);
    let mut timestamp = Family::new(names::PRICE_BOOK_TIMESTAMP);
    if let Some(published) = snapshot.book.published_at() {
        timestamp.add(&[], &[], seconds(published));
    }
    [price, info, timestamp].into_iter().filter_map(Family::finish)
}

/// Returns `shipped`, and the names of the user's files over it.
fn book_source(book: &Book) -> String {
    let own = book.parts().iter().filter(|part| !part.shipped).map(|part| part.name.as_str());
    std::iter::once("shipped").chain(own).collect::<Vec<_>>().join(",")
}

fn ingest_families(snapshot: &Snapshot, now: UnixMillis) -> impl Iterator<Item = MetricFamily> {
    let mut records = Family::new(names::INGEST_RECORDS);
    let mut bytes = Family::new(names::INGEST_BYTES);
    let mut lost = Family::new(names::INGEST_LOST_BYTES);
    let mut late = Family::new(names::INGEST_LATE);
    let mut lag = Family::new(names::INGEST_LAG);
    let mut last_event = Family::new(names::INGEST_LAST_EVENT);
    let mut backlog = Family::new(names::INGEST_BACKLOG);
    let mut files = Family::new(names::INGEST_FILES);
    let mut problems = Family::new(names::INGEST_PROBLEMS);
    let mut changes = Family::new(names::INGEST_FILE_CHANGES);
    let nothing = Ingest::default();
    let names = snapshot.ingest.keys().chain(snapshot.sources.keys());
    for source in names.collect::<std::collections::BTreeSet<_>>() {
        let shared = [pair("source", source)];
        let ingest = snapshot.ingest.get(source).unwrap_or(&nothing);
        for (kind, result) in line_results(ingest) {
            let own =
                [("kind", kind.map_or(UNKNOWN, RecordKind::as_str)), ("result", result.as_str())];
            records.add(&shared, &own, float(ingest.lines.get((kind, result))));
        }
        bytes.add(&shared, &[], float(ingest.bytes));
        lost.add(&shared, &[], float(ingest.lost_bytes));
        late.add(&shared, &[], float(ingest.late_records));
        for change in FileChange::ALL {
            let own = [("change", change.as_str())];
            changes.add(&shared, &own, float(ingest.changes.get(*change)));
        }
        let seen_any = ingest.newest > UnixMillis(0);
        if seen_any {
            last_event.add(&shared, &[], seconds(ingest.newest));
        }
        if let Some(facts) = snapshot.sources.get(source) {
            let behind = facts.backlog_bytes > 0 && seen_any;
            let lag_ms = if behind { (now.0 - ingest.newest.0).max(0) } else { 0 };
            lag.add(&shared, &[], seconds(UnixMillis(lag_ms)));
            backlog.add(&shared, &[], float(facts.backlog_bytes));
            let closed = facts.files.saturating_sub(facts.open_files);
            files.add(&shared, &[("state", "open")], float(facts.open_files));
            files.add(&shared, &[("state", "closed")], float(closed));
            problems.add(&shared, &[], float(facts.problems));
        }
    }
    [records, bytes, lost, late, lag, last_event, backlog, files, problems, changes]
        .into_iter()
        .filter_map(Family::finish)
}

/// Returns what lines of a source can become: everything that is known beforehand, and what was seen.
fn line_results(ingest: &Ingest) -> Vec<(Option<RecordKind>, LineResult)> {
    let kinds = RecordKind::ALL.iter().map(|kind| Some(*kind));
    let counted = kinds.flat_map(|kind| {
        [LineResult::Accepted, LineResult::Duplicate].map(|result| (kind, result))
    });
    let rejected = Reject::ALL.iter().map(|reject| (None, LineResult::Rejected(*reject)));
    let mut results: Vec<_> =
        counted.chain(rejected).chain(ingest.lines.iter().map(|(key, _)| key)).collect();
    results.sort_unstable();
    results.dedup();
    results
}

fn ledger_families(snapshot: &Snapshot) -> impl Iterator<Item = MetricFamily> {
    let facts = &snapshot.ledger;
    let mut commits = Family::new(names::COMMIT_DURATION);
    commits.add_histogram(&[], &facts.commit_us, &COMMIT_US_BOUNDS, 1_000_000.0);
    let gauge = |metric, value| {
        let mut family = Family::new(metric);
        family.add(&[], &[], value);
        family
    };
    let mut overflow = Family::new(names::SERIES_OVERFLOW);
    for cap in Capped::ALL {
        overflow.add(&[], &[("metric", cap.as_str())], float(snapshot.overflow.get(*cap)));
    }
    let mut build = Family::new(names::BUILD_INFO);
    build.add(&[], &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    [
        commits,
        gauge(names::LEDGER_BYTES, float(facts.bytes)),
        gauge(names::LEDGER_SERIES, float(snapshot.series.len() as u64)),
        gauge(names::LEDGER_CREATED, seconds(facts.created)),
        gauge(names::LEDGER_COMMITTED, seconds(facts.committed)),
        gauge(names::DEDUPLICATION_IDS, float(facts.ids)),
        gauge(names::DEDUPLICATION_EVICTED, float(facts.ids_evicted_early)),
        overflow,
        build,
    ]
    .into_iter()
    .filter_map(Family::finish)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "Prometheus values are floats"
)]
pub(super) fn seconds(at: UnixMillis) -> f64 {
    at.0 as f64 / 1_000.0
}
