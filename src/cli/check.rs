//! `tollkeeper check`: is a config file right, does everything in a ledger belong together?

use std::io::Write as _;
use std::path::Path;

use serde_json::{Map, json};

use super::args::{CheckLedgerArgs, TextFormat};
use super::failure::Failure;
use super::run::load_config;
use super::table::grouped;
use crate::config::SETTINGS_DEFAULT;
use crate::daemon::{self, OpenError, clock};
use crate::ledger::state::Ledger;
use crate::serve;
use crate::store::ledger_store::Identity;
use crate::store::sled::SledEngine;
use crate::store::verify::{Report, verify};
use crate::store::{LedgerStore, StoreError};

pub(super) fn config(file: &Path) -> Result<(), Failure> {
    let config = load_config(file)?;
    let book = daemon::load_book(&config.price_files)?;
    config.items(&book)?;
    let (limits, exports) = daemon::load_limits(&config.quota)?;
    serve::read_file(&config.web)?;
    let mut text = format!(
        "{}: {} source{}, {} mapped model{}, {} price file{}, {} provisioned throughput{}, {} fixed cost{}, {} alert \
         route{}: ok\n",
        file.display(),
        config.sources.len(),
        plural(config.sources.len()),
        config.models.len(),
        plural(config.models.len()),
        config.price_files.len(),
        plural(config.price_files.len()),
        config.provisioned.len(),
        plural(config.provisioned.len()),
        config.fixed_costs.len(),
        plural(config.fixed_costs.len()),
        config.delivery.routes.len(),
        plural(config.delivery.routes.len()),
    );
    for line in daemon::limits_told(&limits, &exports) {
        text.push_str(&format!("{line}\n"));
    }
    for model in config.quota.models().filter(|model| !book.knows(model)) {
        text.push_str(&format!(
            "`{model}` in `[quota]` is no model of the price book; is it spelled right?\n"
        ));
    }
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

pub(super) fn ledger(args: &CheckLedgerArgs) -> Result<(), Failure> {
    let (ledger, report) =
        examine(&args.dir).map_err(|source| OpenError::Store { dir: args.dir.clone(), source })?;
    let page = match args.format {
        TextFormat::Text => text(&ledger, &report),
        TextFormat::Json => json(&ledger, &report)?,
    };
    std::io::stdout().lock().write_all(page.as_bytes())?;
    if report.problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::no(format!("the ledger has {} problems", report.problems.len())))
    }
}

fn examine(dir: &Path) -> Result<(Ledger, Report), StoreError> {
    let (store, ledger) = open_as_it_is(dir)?;
    let report = verify(&store, &ledger)?;
    Ok((ledger, report))
}

/// Opens the ledger as it is: nothing is made anew or moved aside.
pub(super) fn open_as_it_is(dir: &Path) -> Result<(LedgerStore, Ledger), StoreError> {
    if !dir.join("db").exists() {
        return Err(StoreError::Missing { dir: dir.to_owned() });
    }
    let engine = SledEngine::open(dir)?;
    let fresh = Identity { seed: 0, created: clock::now() };
    LedgerStore::open(Box::new(engine), SETTINGS_DEFAULT, fresh)
}

fn text(ledger: &Ledger, report: &Report) -> String {
    let grand = ledger.grand();
    let mut text = format!(
        "calls      {}\ntokens     {}\nunpriced   {}\ncost USD   {}\nfixed USD  {}\n",
        grouped(grand.requests),
        grouped(grand.tokens.total()),
        grouped(grand.unpriced.total()),
        grand.cost,
        grand.charge,
    );
    text.push_str(&format!("commits    {}\n", grouped(ledger.number())));
    text.push_str(&format!("series     {}\n", grouped(report.series as u64)));
    text.push_str(&format!("logs       {}\n", grouped(report.logs as u64)));
    text.push_str(&format!("ids        {}\n", grouped(report.ids)));
    for (level, rows) in &report.rows {
        let name = format!("{} rows", level.as_str());
        text.push_str(&format!("{name:<10} {}\n", grouped(*rows)));
    }
    if report.problems.is_empty() {
        text.push_str("every row, total and position belongs together\n");
    }
    for problem in &report.problems {
        text.push_str(&format!("problem: {problem}\n"));
    }
    text
}

fn json(ledger: &Ledger, report: &Report) -> Result<String, Failure> {
    let grand = ledger.grand();
    let by_class = |tokens: &crate::model::tokens::TokenCounts| -> Map<String, _> {
        tokens.iter().map(|(class, count)| (class.as_str().to_owned(), json!(count))).collect()
    };
    let rows: Map<String, _> =
        report.rows.iter().map(|(level, rows)| (level.as_str().to_owned(), json!(rows))).collect();
    let object = json!({
        "requests": grand.requests,
        "tokens": by_class(&grand.tokens),
        "unpriced_tokens": by_class(&grand.unpriced),
        "cost_usd": grand.cost.to_string(),
        "fixed_cost_usd": grand.charge.to_string(),
        "reported_cost_usd": grand.reported_cost.to_string(),
        "commits": ledger.number(),
        "series": report.series,
        "logs": report.logs,
        "ids": report.ids,
        "rows": rows,
        "problems": report.problems,
    });
    Ok(serde_json::to_string_pretty(&object)? + "\n")
}
