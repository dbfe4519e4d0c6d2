//! The config file: TOML text to checked settings, with every problem at once.
//!
//! `section` reads tables and notes what is wrong where; `check` knows the keys. `yaml` and `web_file` do the
//! same for the file of users and certificates, which others write in YAML. It may use the
//! core. It must never start or open anything, and never print: problems are values.

mod budget;
mod charge;
mod check;
mod conditions;
mod file_source;
mod format;
mod problem;
mod quota;
mod reference;
pub mod route;
mod secret_keys;
mod section;
pub mod web;
pub mod web_file;
mod yaml;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

pub(crate) use budget::THRESHOLDS_DEFAULT;
pub(crate) use check::label_name;
pub use file_source::FileSourceConfig;
pub use problem::{Problem, Problems};
pub use quota::QuotaConfig;
pub use reference::reference;
pub use route::DeliveryConfig;
pub(crate) use section::parse_duration_ms;
pub use web::WebConfig;

use crate::budget::plan::Budget;
use crate::charge::{Item, NoHourPrice, Throughput};
use crate::ledger::rollup::{HourCuts, Retention};
use crate::ledger::state::Settings;
use crate::model::log_format::LogFormat;
use crate::model::time::{DAY_MS, HOUR_MS};
use crate::price::{Book, Validity};
use crate::watch::rules::Rules;

/// Where `/metrics` is served by default.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:9478";
/// Where the ledger lives by default, as seen from the config file (or the working directory).
pub const LEDGER_DIR_DEFAULT: &str = "tollkeeper-ledger";

/// A checked config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Address of the HTTP server.
    pub listen: SocketAddr,
    /// Who may come in.
    pub web: WebConfig,
    /// Folder of the ledger.
    pub ledger_dir: PathBuf,
    /// Limits of the ledger.
    pub ledger: Settings,
    /// Where logs come from.
    pub sources: Vec<FileSourceConfig>,
    /// Threads that decode and rate.
    pub workers: usize,
    /// What the records are kept apart by.
    pub labels: Labels,
    /// What stands behind opaque model ARNs: model id or ARN by ARN.
    pub models: BTreeMap<String, String>,
    /// Logs whose fields have names of their own.
    pub formats: Vec<LogFormat>,
    /// Price files that override and extend the shipped price book, in this order.
    pub price_files: Vec<PathBuf>,
    /// Limits of AWS, and what counts against them.
    pub quota: QuotaConfig,
    /// What calls may come to.
    pub budgets: Vec<Budget>,
    /// Provisioned throughput.
    pub provisioned: Vec<Throughput>,
    /// What else is not paid by token.
    pub fixed_costs: Vec<Item>,
    /// What is worth an alert.
    pub rules: Rules,
    /// Where alerts are sent.
    pub delivery: DeliveryConfig,
}

/// Labels that are not on by default, since their values are not bounded by nature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Whether `/metrics` shows who called.
    pub principal: bool,
    /// Keys of request metadata kept as labels (`attr_<key>`).
    pub attributes: Vec<String>,
}

/// The limits of a ledger when the config does not say.
pub const SETTINGS_DEFAULT: Settings = Settings {
    retention: Retention {
        minutes_ms: 2 * DAY_MS,
        hours_ms: 400 * DAY_MS,
        days_ms: 3_650 * DAY_MS,
    },
    cuts: HourCuts::FULL_HOURS,
    window_ms: 6 * HOUR_MS,
    ids_max: 4_000_000,
    principals_max: 500,
    attribute_values_max: 100,
    series_max: 10_000,
};

impl Config {
    /// Returns the config that `run PATH…` without a config file means.
    pub fn for_files(include: Vec<String>, listen: SocketAddr) -> Self {
        Self {
            listen,
            web: WebConfig::default(),
            ledger_dir: PathBuf::from(LEDGER_DIR_DEFAULT),
            ledger: SETTINGS_DEFAULT,
            sources: vec![FileSourceConfig::new("files", include)],
            workers: 0,
            labels: Labels::default(),
            models: BTreeMap::new(),
            formats: Vec::new(),
            price_files: Vec::new(),
            quota: QuotaConfig::default(),
            budgets: Vec::new(),
            provisioned: Vec::new(),
            fixed_costs: Vec::new(),
            rules: Rules::default(),
            delivery: DeliveryConfig::default(),
        }
    }

    /// Returns everything that is not paid by token, with prices that `book` has where the config names
    /// none.
    ///
    /// # Errors
    /// There is no such price.
    pub fn items(&self, book: &Book) -> Result<Vec<Item>, NoHourPrice> {
        let provisioned = self.provisioned.iter().map(|throughput| throughput.item(book));
        let fixed = self.fixed_costs.iter().cloned().map(Ok);
        provisioned.chain(fixed).collect()
    }

    /// Returns when the ARNs of provisioned throughput are paid by the hour.
    pub fn paid_by_hour(&self) -> BTreeMap<String, Vec<Validity>> {
        let mut times: BTreeMap<String, Vec<Validity>> = BTreeMap::new();
        for one in &self.provisioned {
            let valid = Validity { from: one.from, to: one.to.unwrap_or(Validity::ALWAYS.to) };
            times.entry(one.arn.clone()).or_default().push(valid);
        }
        times
    }
}
