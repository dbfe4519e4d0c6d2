//! `tollkeeper plan`: what the traffic in the ledger would have cost otherwise.

mod json;
mod plot;
mod print;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::args::{PlanArgs, PlanFormat};
use super::check::open_as_it_is;
use super::failure::Failure;
use super::find::parse_time;
use super::run::load_config;
use crate::budget::scope::Glob;
use crate::config::Config;
use crate::daemon::{self, OpenError};
use crate::ledger::rollup::Level;
use crate::model::series::SeriesKey;
use crate::model::time::{DAY_MS, MINUTE_MS, UnixMillis};
use crate::plan::{Gatherer, Plan, Settings, Window};
use crate::price::Book;
use crate::store::StoreError;

/// How far back traffic is looked at by default.
const SINCE_DEFAULT_MS: i64 = 30 * DAY_MS;

pub(super) fn plan(args: &PlanArgs, now: UnixMillis) -> Result<(), Failure> {
    let config = args.config.as_deref().map(load_config).transpose()?;
    let time = |option: &str, text: Option<&str>| {
        text.map(|text| parse_time(option, text, now)).transpose()
    };
    let since = time("--since", args.since.as_deref())?;
    let until = time("--until", args.until.as_deref())?;
    if let (Some(since), Some(until)) = (since, until)
        && until <= since
    {
        return Err("`--until` is not after `--since`".into());
    }
    let dir = args.ledger.as_deref().or(config.as_ref().map(|config| config.ledger_dir.as_path()));
    let dir = dir.ok_or_else(|| {
        Failure::with_hint("no ledger is named", "give `--ledger DIR` or `--config FILE`")
    })?;
    let files = config.as_ref().map_or(&[][..], |config| &config.price_files);
    let book = daemon::load_book(files)?;
    let plan = read(dir, config.as_ref(), &book, args, since, until)?;
    if plan.traffic.is_empty() {
        return Err(Failure::no(nothing(&plan)));
    }
    if let Some(file) = &args.plot {
        let svg = plot::svg(&plan);
        std::fs::write(file, svg.text).map_err(|error| {
            Failure::with_hint(
                format!("can't write the plot `{}`: {error}", file.display()),
                "name a file in a folder that you may write to",
            )
        })?;
        if let Some(remark) = svg.remark {
            std::io::stderr().lock().write_all(remark.as_bytes())?;
        }
    }
    let page = match args.format {
        PlanFormat::Table => print::page(&plan),
        PlanFormat::Json => format!("{:#}\n", json::object(&plan)),
    };
    Ok(std::io::stdout().lock().write_all(page.as_bytes())?)
}

fn nothing(plan: &Plan) -> String {
    let (from, to) = (plan.window.from.second_text(), plan.window.to.second_text());
    format!("the ledger has no tokens from {from} to {to}, of these models")
}

/// Makes the plan of what the ledger in `dir` holds.
fn read(
    dir: &Path,
    config: Option<&Config>,
    book: &Book,
    args: &PlanArgs,
    since: Option<UnixMillis>,
    until: Option<UnixMillis>,
) -> Result<Plan, Failure> {
    let no_settings = Settings::default();
    let settings = config.map_or(&no_settings, |config| &config.plan);
    let provisioned = config.map_or(&[][..], |config| &config.provisioned);
    let globs: Vec<Glob> = args.model.iter().map(|text| Glob::new(text)).collect();
    let is_wanted =
        |key: &SeriesKey| globs.is_empty() || globs.iter().any(|glob| glob.matches(&key.model));
    let gather = || -> Result<(Gatherer<'_>, Window), StoreError> {
        let (store, ledger) = open_as_it_is(dir)?;
        let until = until.unwrap_or_else(|| ledger.newest().floor(MINUTE_MS).plus(MINUTE_MS));
        let since = since.unwrap_or_else(|| until.plus(-SINCE_DEFAULT_MS));
        let horizons = ledger.horizons();
        let window = Window::of(since, until, &horizons);
        let keys: Vec<Arc<SeriesKey>> =
            ledger.totals().map(|(_, key, _)| Arc::clone(key)).collect();
        let wanted: Vec<bool> = keys.iter().map(|key| is_wanted(key)).collect();
        let mut gatherer = Gatherer::new(book, horizons, &settings.alternatives);
        for level in [Level::Day, Level::Hour, Level::Minute] {
            store.rows(level, window.from, window.to, |bucket, id, row| {
                let place = usize::try_from(id.0).unwrap_or(usize::MAX);
                match (keys.get(place), wanted.get(place)) {
                    (Some(key), Some(true)) => gatherer.add(id, key, bucket, row),
                    (Some(key), _) if key.item.is_empty() => gatherer.see(bucket),
                    _ => {}
                }
            })?;
        }
        Ok((gatherer, window))
    };
    let (gatherer, window) = gather().map_err(|source| failure(dir, source))?;
    Ok(Plan::of(gatherer, window, book, settings, provisioned))
}

fn failure(dir: &Path, source: StoreError) -> Failure {
    let is_locked = matches!(source, StoreError::Locked { .. });
    let error = OpenError::Store { dir: dir.to_owned(), source };
    if is_locked {
        let hint = "a daemon that runs keeps its ledger to itself: stop it for this, or copy the folder and give \
                    the copy as `--ledger`";
        Failure::with_hint(error, hint)
    } else {
        error.into()
    }
}
