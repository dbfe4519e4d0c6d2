//! `tollkeeper quota`: what calls take of AWS's quotas, and why calls were throttled.

mod print;

use std::io::Write as _;

use serde_json::Value;

use super::args::{QuotaArgs, TextFormat};
use super::ask::{Source, config_or_here};
use super::failure::Failure;
use super::find::parse_time;
use crate::config::QuotaConfig;
use crate::daemon;
use crate::ledger::rollup::Level;
use crate::ledger::state::Ledger;
use crate::model::time::{DAY_MS, MINUTE_MS, UnixMillis};
use crate::quota::limits::Limits;
use crate::quota::tracker::{self, Tracker};
use crate::serve::api::quotas;
use crate::store::{LedgerStore, StoreError};
use crate::watch::evidence::{self, Evidence};
use crate::watch::facts::Facts;
use crate::watch::rules::LatencyLimit;

pub(super) fn quota(args: &QuotaArgs, now: UnixMillis) -> Result<(), Failure> {
    let at = args.at.as_deref().map(|text| parse_time("--at", text, now)).transpose()?;
    let value = match (Source::find(&args.ask)?, at) {
        (Source::Daemon(daemon), None) => daemon.json(quotas::PATH)?,
        (Source::Daemon(_), Some(_)) => {
            return Err(Failure::with_hint(
                "a daemon tells of the present only",
                "leave `--at` out, or stop the daemon and name its ledger with `--ledger`",
            ));
        }
        (Source::Ledger(books), at) => {
            let (store, ledger) = *books;
            of_ledger(&store, &ledger, &limits(args)?, at)?
        }
    };
    let text = match args.format {
        TextFormat::Json => format!("{value:#}\n"),
        TextFormat::Text => print::page(&value),
    };
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// Returns the limits of the config that is named, or that is here; of none where a ledger is named alone.
fn limits(args: &QuotaArgs) -> Result<Limits, Failure> {
    let is_alone = args.ask.daemon.config.is_none() && args.ask.ledger.is_some();
    let config = if is_alone { None } else { config_or_here(args.ask.daemon.config.as_deref())? };
    let quota = config.map_or_else(QuotaConfig::default, |config| config.quota);
    Ok(daemon::load_limits(&quota)?.0)
}

/// Returns where pools stood at `at`, or after the newest record.
fn of_ledger(
    store: &LedgerStore,
    ledger: &Ledger,
    limits: &Limits,
    at: Option<UnixMillis>,
) -> Result<Value, StoreError> {
    // The minute of the newest record is not over; as far as the ledger knows it is.
    let now = at.unwrap_or_else(|| ledger.newest().floor(MINUTE_MS).plus(MINUTE_MS));
    let mut tracker = tracker(store, ledger, limits, now)?;
    let evidence = evidence(store, ledger, now)?;
    let to = tracker.last_minute(now).plus(MINUTE_MS);
    let throttles: Vec<_> =
        evidence::WINDOWS.iter().map(|&(_, ms)| evidence.sums(to, ms)).collect();
    Ok(quotas::quotas(&tracker.evaluate(limits, now), &throttles, now))
}

fn tracker(
    store: &LedgerStore,
    ledger: &Ledger,
    limits: &Limits,
    now: UnixMillis,
) -> Result<Tracker, StoreError> {
    let mut tracker = Tracker::default();
    for (id, key, _) in ledger.totals() {
        tracker.learn(id, key);
    }
    let day = now.floor(DAY_MS);
    for level in [Level::Hour, Level::Minute] {
        store.rows(level, day.plus(-DAY_MS), now, |bucket, series, row| {
            let facts = Facts::of(row, LatencyLimit::API_GATEWAY);
            tracker.add_row(series, bucket, &facts.of_quota(), now);
        })?;
    }
    store.inflight(now.plus(-tracker::KEPT_MS), now, |minute, series, inflight| {
        tracker.add_inflight(series, minute, inflight, limits, now);
    })?;
    for (id, key, _) in ledger.signals() {
        tracker.learn_signal(id, key);
    }
    store.signal_rows(Level::Minute, now.plus(-tracker::KEPT_MS), now, |bucket, id, row| {
        tracker.add_signal(id, bucket.start(), row.sum, now);
    })?;
    Ok(tracker)
}

fn evidence(store: &LedgerStore, ledger: &Ledger, now: UnixMillis) -> Result<Evidence, StoreError> {
    let mut evidence = Evidence::default();
    let models: Vec<_> = ledger.totals().map(|(_, key, _)| key).collect();
    let from = now.plus(-evidence::KEPT_MS);
    store.rows(Level::Minute, from, now, |bucket, series, row| {
        if let Some(key) = usize::try_from(series.0).ok().and_then(|place| models.get(place)) {
            let facts = Facts::of(row, LatencyLimit::API_GATEWAY);
            evidence.add_calls(&key.model, bucket.start(), &facts, now);
        }
    })?;
    for (id, key, _) in ledger.signals() {
        evidence.learn(id, key);
    }
    store.signal_rows(Level::Minute, from, now, |bucket, id, row| {
        evidence.add_signal(id, bucket.start(), row.sum, now);
    })?;
    Ok(evidence)
}
