//! What a ledger is compared by, and the plain model that says what it has to be.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Step, alert_change, path};
use crate::ledger::alerts::AlertChange;
use crate::ledger::state::Ledger;
use crate::model::money::Usd;
use crate::model::names::{Capped, LineResult, RecordKind, Reject};
use crate::model::tokens::TokenClass;

/// What a ledger is compared by. Filled from a [`Ledger`], and by [`expected`] without one.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Picture {
    /// Calls, input tokens, unpriced output tokens and picodollars by model and principal.
    series: BTreeMap<(String, String), (u64, u64, u64, i128)>,
    /// Picodollars by item that is not paid by token.
    charges: BTreeMap<String, i128>,
    /// Values of signals, and their sum, by path.
    signals: BTreeMap<String, (u64, u64)>,
    positions: BTreeMap<u64, u64>,
    /// Since when alerts are true, by alert.
    alerts: BTreeMap<String, i64>,
    notices: BTreeSet<u64>,
    delivered: u64,
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    bytes: u64,
    overflow: BTreeMap<Capped, u64>,
}

pub(super) fn picture(ledger: &Ledger) -> Picture {
    let mut picture = Picture::default();
    for (_, key, amounts) in ledger.totals() {
        if !key.item.is_empty() {
            picture.charges.insert(key.item.clone(), amounts.charge.0);
            continue;
        }
        let unpriced = amounts.unpriced.total();
        let cost: Usd = amounts.cost.0.iter().copied().sum();
        picture.series.insert(
            (key.model.clone(), key.principal.clone()),
            (amounts.requests.total(), amounts.tokens.get(TokenClass::Input), unpriced, cost.0),
        );
    }
    for (_, key, tally) in ledger.signals() {
        assert_eq!(tally.buckets.iter().sum::<u64>(), tally.count);
        picture.signals.insert(key.values.join(" "), (tally.count, tally.sum));
    }
    for (log, position) in ledger.positions() {
        picture.positions.insert(log.0, position.offset);
    }
    let alerts = ledger.alerts();
    for (key, state) in alerts.states() {
        picture.alerts.insert(key.labels["model"].clone(), state.since.0);
    }
    picture.notices = alerts.outbox().keys().copied().collect();
    picture.delivered = alerts.deliveries().values().map(|sent| sent.counts.total()).sum();
    let ingest = ledger.ingest().get("logs").cloned().unwrap_or_default();
    let lines = |result| ingest.lines.get((Some(RecordKind::Application), result));
    picture.accepted = lines(LineResult::Accepted);
    picture.duplicates = lines(LineResult::Duplicate);
    picture.rejected = ingest.lines.get((None, LineResult::Rejected(Reject::InvalidJson)));
    picture.bytes = ingest.bytes;
    picture.overflow = ledger.overflow().iter().collect();
    picture
}

/// Plain sums over the steps up to the last commit, and the ids that count as duplicates as far as
/// no cap of ids is reached.
pub(super) fn expected(steps: &[Step]) -> Picture {
    let committed =
        steps.iter().rposition(|step| matches!(step, Step::Commit)).map_or(0, |at| at + 1);
    let mut picture = Picture::default();
    let mut ids = HashSet::new();
    let mut offsets: BTreeMap<u64, u64> = BTreeMap::new();
    let mut read = BTreeMap::new();
    let mut forgotten = BTreeSet::new();
    let mut principals = BTreeSet::new();
    let mut series = BTreeSet::new();
    for (place, step) in steps[..committed].iter().enumerate() {
        match step {
            Step::Alert { alert, change } => {
                expect_alert(&mut picture, *alert, *change, place);
            }
            Step::Charge { item, cost, .. } => {
                *picture.charges.entry(format!("i{item}")).or_default() += i128::from(*cost);
            }
            Step::Read { log, calls } => {
                let offset = offsets.entry(*log).or_default();
                *offset += 10 * calls.len() as u64 + 1;
                picture.bytes += 10 * calls.len() as u64 + 1;
                picture.rejected += 1;
                read.insert(*log, *offset);
                forgotten.remove(log);
                for call in calls {
                    let sums = picture.signals.entry(path(call)).or_default();
                    *sums = (sums.0 + 1, sums.1 + u64::from(call.tokens));
                    if !ids.insert(call.id) {
                        picture.duplicates += 1;
                        continue;
                    }
                    picture.accepted += 1;
                    let wanted =
                        (format!("m{}", call.principal % 2), format!("role/{}", call.principal));
                    let mut found = wanted.clone();
                    if !series.contains(&wanted) {
                        if principals.len() >= 3 && !principals.contains(&wanted.1) {
                            found.1 = "other".to_owned();
                            *picture.overflow.entry(Capped::Principal).or_default() += 1;
                        }
                        if series.len() >= 5 && !series.contains(&found) {
                            found = ("other".to_owned(), "other".to_owned());
                            *picture.overflow.entry(Capped::Series).or_default() += 1;
                        }
                        principals.insert(found.1.clone());
                        series.insert(found.clone());
                    }
                    let sums = picture.series.entry(found).or_default();
                    sums.0 += 1;
                    sums.1 += u64::from(call.tokens);
                    sums.2 += 1;
                    sums.3 += 3 * i128::from(call.tokens);
                }
            }
            Step::Forget(log) => {
                if picture.positions.contains_key(log) && !read.contains_key(log) {
                    forgotten.insert(*log);
                }
            }
            Step::Commit => {
                for log in std::mem::take(&mut forgotten) {
                    picture.positions.remove(&log);
                }
                picture.positions.append(&mut read);
            }
            Step::Wait(_) | Step::Fold | Step::Restart => {}
        }
    }
    picture
}

fn expect_alert(picture: &mut Picture, alert: u8, change: u8, place: usize) {
    let model = format!("m{alert}");
    match alert_change(alert, change, place) {
        AlertChange::Set(_, state) => {
            picture.alerts.insert(model, state.since.0);
        }
        AlertChange::Clear(_) => {
            picture.alerts.remove(&model);
        }
        AlertChange::Queue(_) => {
            picture.notices.insert(place as u64);
        }
        AlertChange::Settle { number, .. } => {
            picture.delivered += u64::from(picture.notices.remove(&number));
        }
    }
}
