//! The facts that every build carries: what codes mean, default limits, burndown rates, and the most that
//! models write. The files are in `data/`, with their sources.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::kind::QuotaKind;
use super::model_text::ModelNames;
use super::names::Reach;
use crate::model::names::Route;
use crate::model::time::UnixMillis;

/// A shipped file is wrong, which is our mistake.
#[derive(Debug, thiserror::Error)]
#[error("the shipped quota file `{file}` is wrong, please report it: {text}")]
pub struct ShippedError {
    file: &'static str,
    text: String,
}

/// What a code of Service Quotas means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// What it counts.
    pub kind: QuotaKind,
    /// Which routes it limits.
    pub reach: Reach,
    /// Base ids of the models that it limits, each by itself.
    pub models: Vec<String>,
    /// AWS's name.
    pub name: String,
}

/// A default limit of some models on one route.
#[derive(Clone, Debug)]
pub(super) struct DefaultLimit {
    pub(super) models: Vec<String>,
    pub(super) route: Route,
    /// Empty for all regions that no other row of the model and route names.
    pub(super) regions: Vec<String>,
    pub(super) tokens_per_minute: Option<u64>,
    pub(super) requests_per_minute: Option<u64>,
}

/// A burndown rate.
#[derive(Clone, Debug)]
pub(super) struct OutputRate {
    /// Base ids; one that ends in `*` is for all that begin so.
    pub(super) models: Vec<String>,
    pub(super) rate: u32,
    pub(super) from: Option<UnixMillis>,
    pub(super) assumed: bool,
}

/// All shipped facts.
#[derive(Clone, Debug)]
pub struct Shipped {
    pub(super) model_names: ModelNames,
    pub(super) codes: HashMap<String, Code>,
    pub(super) defaults: Vec<DefaultLimit>,
    pub(super) rates: Vec<OutputRate>,
    pub(super) max_output: HashMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodesFile {
    models: BTreeMap<String, Vec<String>>,
    codes: HashMap<String, Code>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultsFile {
    limit: Vec<DefaultRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultRow {
    models: Vec<String>,
    route: String,
    #[serde(default)]
    regions: Vec<String>,
    tokens_per_minute: Option<u64>,
    requests_per_minute: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BurndownFile {
    rate: Vec<RateRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateRow {
    models: Vec<String>,
    rate: u32,
    from: Option<String>,
    #[serde(default)]
    assumed: bool,
}

impl Shipped {
    /// Reads the shipped files.
    ///
    /// # Errors
    /// See [`ShippedError`].
    pub fn load() -> Result<Self, ShippedError> {
        let codes: CodesFile = parse("codes.toml", include_str!("data/codes.toml"))?;
        let defaults: DefaultsFile = parse("defaults.toml", include_str!("data/defaults.toml"))?;
        let burndown: BurndownFile = parse("burndown.toml", include_str!("data/burndown.toml"))?;
        let defaults: Result<_, _> = defaults.limit.into_iter().map(default_limit).collect();
        let rates: Result<_, _> = burndown.rate.into_iter().map(rate).collect();
        Ok(Self {
            model_names: ModelNames::new(&codes.models),
            codes: codes.codes,
            defaults: defaults?,
            rates: rates?,
            max_output: parse("max_output.toml", include_str!("data/max_output.toml"))?,
        })
    }

    /// Returns what a code of Service Quotas means.
    pub fn code(&self, code: &str) -> Option<&Code> {
        self.codes.get(code)
    }

    /// Returns the base ids of the models that the text of a quota's name is about.
    pub fn models_named(&self, text: &str) -> &[String] {
        self.model_names.ids(text)
    }
}

fn parse<T: DeserializeOwned>(file: &'static str, text: &str) -> Result<T, ShippedError> {
    toml::from_str(text).map_err(|error| ShippedError { file, text: error.message().to_owned() })
}

fn default_limit(row: DefaultRow) -> Result<DefaultLimit, ShippedError> {
    let wrong = || ShippedError {
        file: "defaults.toml",
        text: format!("there is no route `{}`", row.route),
    };
    Ok(DefaultLimit {
        route: Route::from_name(&row.route).ok_or_else(wrong)?,
        models: row.models,
        regions: row.regions,
        tokens_per_minute: row.tokens_per_minute,
        requests_per_minute: row.requests_per_minute,
    })
}

fn rate(row: RateRow) -> Result<OutputRate, ShippedError> {
    let from = row.from.map(|day| {
        let text = format!("`{day}` is no day");
        UnixMillis::parse_day(&day).ok_or(ShippedError { file: "burndown.toml", text })
    });
    Ok(OutputRate {
        models: row.models,
        rate: row.rate,
        from: from.transpose()?,
        assumed: row.assumed,
    })
}
