//! `tollkeeper quota`: what calls take of AWS's quotas, and why calls were throttled.

mod print;

use std::io::Write as _;
use std::path::Path;

use super::args::{QuotaArgs, TextFormat};
use super::check::open_as_it_is;
use super::failure::Failure;
use super::find::parse_time;
use super::run::load_config;
use crate::config::QuotaConfig;
use crate::daemon;
use crate::ledger::rollup::Level;
use crate::ledger::state::Ledger;
use crate::model::time::{DAY_MS, MINUTE_MS, UnixMillis};
use crate::quota::limits::Limits;
use crate::quota::tracker::{self, PoolStatus, Tracker};
use crate::serve::api::quotas;
use crate::store::{LedgerStore, StoreError};
use crate::watch::facts::Facts;
use crate::watch::rules::LatencyLimit;

pub(super) fn quota(args: &QuotaArgs, now: UnixMillis) -> Result<(), Failure> {
    let config = args.config.as_deref().map(load_config).transpose()?;
    let quota = config.as_ref().map_or_else(QuotaConfig::default, |config| config.quota.clone());
    let (limits, _) = daemon::load_limits(&quota)?;
    let dir = args.ledger.as_deref().or(config.as_ref().map(|config| config.ledger_dir.as_path()));
    let dir = dir.ok_or_else(|| {
        Failure::with_hint("no ledger is named", "give `--ledger DIR` or `--config FILE`")
    })?;
    let at = args.at.as_deref().map(|text| parse_time("--at", text, now)).transpose()?;
    let (statuses, now) = statuses(dir, &limits, at)
        .map_err(|source| daemon::OpenError::Store { dir: dir.to_owned(), source })?;
    let value = quotas::quotas(&statuses, now);
    let text = match args.format {
        TextFormat::Json => format!("{value:#}\n"),
        TextFormat::Text => print::page(&value),
    };
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// Returns where pools stood at `at`, or after the newest record.
fn statuses(
    dir: &Path,
    limits: &Limits,
    at: Option<UnixMillis>,
) -> Result<(Vec<PoolStatus>, UnixMillis), StoreError> {
    let (store, ledger) = open_as_it_is(dir)?;
    // The minute of the newest record is not over; as far as the ledger knows it is.
    let now = at.unwrap_or_else(|| ledger.newest().floor(MINUTE_MS).plus(MINUTE_MS));
    let tracker = load(&store, &ledger, limits, now)?;
    Ok((tracker.evaluate(limits, now), now))
}

fn load(
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
    Ok(tracker)
}
