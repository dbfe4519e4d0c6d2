//! The limit of a pool: from the config, else from an export, else a shipped default. Also what a token of output
//! takes, and how much a model writes at most.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::export::{Export, Place};
use super::kind::QuotaKind;
use super::pool::Pool;
use super::settings::{OwnLimit, Settings};
use super::shipped::{Shipped, ShippedError};
use crate::model::names::Route;
use crate::model::names::names;
use crate::model::series::UNKNOWN;
use crate::model::time::UnixMillis;
use crate::price::without_context;

/// Minutes of a day: AWS's default for a day is so many times that for a minute.
const DAY_MINUTES: u64 = 1_440;

names! {
    /// Where a limit is from. What comes first wins.
    LimitSource {
        /// The config.
        Config = "config",
        /// The limit of the account, from an exported file.
        ServiceQuotas = "service_quotas",
        /// What AWS gives to accounts that asked for nothing, shipped or exported. The account may have another.
        Default = "default",
    }
}

/// A limit. Zero is one: every call is throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Tokens or requests.
    pub value: u64,
    /// Where it is from.
    pub source: LimitSource,
}

/// How many quota tokens one output token takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burndown {
    /// Quota tokens.
    pub rate: u32,
    /// Whether AWS does not say it plainly.
    pub assumed: bool,
}

/// Two exports that give different limits to the same calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What is limited, for a person.
    what: String,
    smaller: (u64, String),
    larger: (u64, String),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, smaller: (kept, one), larger: (other, two) } = self;
        if one == two {
            write!(f, "`{one}` gives")?;
        } else {
            write!(f, "`{one}` and `{two}` give")?;
        }
        write!(f, " {kept} and {other} as {what}; the smaller one, {kept}, counts")
    }
}

/// What an export says, and which one it is.
#[derive(Clone, Debug)]
struct Filed<K> {
    key: K,
    value: (u64, String),
}

/// Adds what a file says. Where something else was said, the smaller value stays, and the conflict is returned.
fn add<K: PartialEq>(
    filed: &mut Vec<Filed<K>>,
    new: Filed<K>,
) -> Option<((u64, String), (u64, String))> {
    let Some(known) = filed.iter_mut().find(|known| known.key == new.key) else {
        filed.push(new);
        return None;
    };
    if known.value.0 == new.value.0 {
        return None;
    }
    let larger = if known.value.0 < new.value.0 {
        new.value
    } else {
        std::mem::replace(&mut known.value, new.value)
    };
    Some((known.value.clone(), larger))
}

/// What a limit of a model is known by.
type PoolKey = (Route, QuotaKind, Place);

/// All limits.
#[derive(Clone, Debug)]
pub struct Limits {
    shipped: Arc<Shipped>,
    settings: Settings,
    /// By base model id.
    exported: HashMap<String, Vec<Filed<PoolKey>>>,
    account_tokens_per_day: Vec<Filed<Place>>,
    conflicts: Vec<Conflict>,
}

impl Limits {
    /// Puts limits together. Where exports contradict each other the smaller limit counts, and
    /// [`Self::conflicts`] tells of it.
    pub fn new(shipped: Arc<Shipped>, settings: Settings, exports: &[Export]) -> Self {
        let mut limits = Self {
            shipped,
            settings,
            exported: HashMap::new(),
            account_tokens_per_day: Vec::new(),
            conflicts: Vec::new(),
        };
        for export in exports {
            limits.add(export);
        }
        limits
    }

    /// Returns the shipped limits alone.
    ///
    /// # Errors
    /// If the shipped files are wrong, which is our mistake.
    pub fn shipped() -> Result<Self, ShippedError> {
        Ok(Self::new(Arc::new(Shipped::load()?), Settings::default(), &[]))
    }

    fn add(&mut self, export: &Export) {
        let value = |value| (value, export.file.clone());
        for limit in &export.limits {
            let filed = self.exported.entry(limit.model.clone()).or_default();
            let key = (limit.route, limit.kind, limit.place.clone());
            if let Some((smaller, larger)) = add(filed, Filed { key, value: value(limit.value) }) {
                let (kind, model, route) = (limit.kind, &limit.model, limit.route.as_str());
                let what = format!("{kind} of `{model}` ({route}, {})", limit.place.region);
                self.conflicts.push(Conflict { what, smaller, larger });
            }
        }
        for (place, tokens) in &export.account_tokens_per_day {
            let new = Filed { key: place.clone(), value: value(*tokens) };
            if let Some((smaller, larger)) = add(&mut self.account_tokens_per_day, new) {
                let what = format!("tokens_per_day of the account ({})", place.region);
                self.conflicts.push(Conflict { what, smaller, larger });
            }
        }
    }

    /// Returns the contradictions between exports.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// Returns the limit of a pool, or none where none is known.
    ///
    /// Where the log names no account or region those of `[quota]` hold. Without them only limits apply that
    /// are said to be of any.
    pub fn get(&self, pool: &Pool, kind: QuotaKind) -> Option<Limit> {
        let account = known_or(&pool.account, self.settings.account.as_deref());
        let region = known_or(&pool.region, self.settings.region.as_deref());
        let own = self.own(pool, kind, account, region);
        own.map(|value| Limit { value, source: LimitSource::Config })
            .or_else(|| self.exported(pool, kind, account, region?))
            .or_else(|| {
                let value = self.default_of(&pool.model, pool.route, kind, region)?;
                self.settings.defaults.then_some(Limit { value, source: LimitSource::Default })
            })
    }

    /// The most exact row of the config wins; the account counts for more than the region.
    fn own(
        &self,
        pool: &Pool,
        kind: QuotaKind,
        account: Option<&str>,
        region: Option<&str>,
    ) -> Option<u64> {
        let is_of = |named: Option<&str>, found: Option<&str>| named.is_none() || named == found;
        let applies = |own: &&OwnLimit| {
            own.model == pool.model
                && own.route == pool.route
                && is_of(own.account.as_deref(), account)
                && is_of(own.region.as_deref(), region)
        };
        let rows = self.settings.limits.iter().filter(applies);
        let values = rows.flat_map(|own| {
            let rank = (own.account.is_some(), own.region.is_some());
            own.values.iter().filter(|(of, _)| *of == kind).map(move |(_, value)| (rank, *value))
        });
        values.max_by_key(|(rank, _)| *rank).map(|(_, value)| value)
    }

    /// The limit of the account wins over AWS's default for all of them.
    fn exported(
        &self,
        pool: &Pool,
        kind: QuotaKind,
        account: Option<&str>,
        region: &str,
    ) -> Option<Limit> {
        let filed = self.exported.get(&pool.model)?;
        applied_or_default(account, |of| {
            let found = filed.iter().find(|Filed { key: (route, counted, place), .. }| {
                *route == pool.route && *counted == kind && place.is(of, region)
            });
            found.map(|filed| filed.value.0)
        })
    }

    fn default_of(
        &self,
        model: &str,
        route: Route,
        kind: QuotaKind,
        region: Option<&str>,
    ) -> Option<u64> {
        let rows = || {
            let rows = self.shipped.defaults.iter().filter(|row| row.route == route);
            rows.filter(|row| row.models.iter().any(|known| known == model))
        };
        let names = |row: &&_| -> bool {
            let row: &super::shipped::DefaultLimit = row;
            region.is_some_and(|region| row.regions.iter().any(|known| known == region))
        };
        let elsewhere = || {
            // Where regions differ, an unknown one may be any of them.
            let is_certain = region.is_some() || rows().all(|row| row.regions.is_empty());
            rows().find(|row| row.regions.is_empty()).filter(|_| is_certain)
        };
        let row = rows().find(names).or_else(elsewhere)?;
        match kind {
            QuotaKind::TokensPerMinute => row.tokens_per_minute,
            QuotaKind::TokensPerDay => row.tokens_per_minute?.checked_mul(DAY_MINUTES),
            QuotaKind::RequestsPerMinute => row.requests_per_minute,
        }
    }

    /// Returns the tokens per day over all models of an account in a region, from an export.
    pub fn account_tokens_per_day(&self, account: &str, region: &str) -> Option<Limit> {
        let account = known_or(account, self.settings.account.as_deref());
        let region = known_or(region, self.settings.region.as_deref())?;
        applied_or_default(account, |of| {
            let found = self.account_tokens_per_day.iter().find(|filed| filed.key.is(of, region));
            found.map(|filed| filed.value.0)
        })
    }

    /// Returns how many quota tokens one output token of a base model took at `at`.
    pub fn burndown(&self, model: &str, at: UnixMillis) -> u32 {
        self.burndown_told(model, at).rate
    }

    /// Returns [`Self::burndown`], and whether it is assumed.
    pub fn burndown_told(&self, model: &str, at: UnixMillis) -> Burndown {
        let model = without_context(model).unwrap_or(model);
        let has_begun = |from: Option<UnixMillis>| from.is_none_or(|from| from <= at);
        let own = self.settings.burndowns.iter().filter(|own| own.model == model);
        if let Some(own) = own.filter(|own| has_begun(own.from)).max_by_key(|own| own.from) {
            return Burndown { rate: own.rate, assumed: false };
        }
        let rows = self.shipped.rates.iter().filter(|row| has_begun(row.from));
        let matches = rows.flat_map(|row| {
            row.models
                .iter()
                .filter_map(move |known| Some(((exactness(known, model)?, row.from), row)))
        });
        let best = matches.max_by_key(|(rank, _)| *rank).map(|(_, row)| row);
        best.map_or(Burndown { rate: 1, assumed: true }, |row| Burndown {
            rate: row.rate,
            assumed: row.assumed,
        })
    }

    /// Returns the most that a base model writes, which a request without `max_tokens` reserves.
    pub fn default_max_output(&self, model: &str) -> Option<u32> {
        let known = |model: &str| self.shipped.max_output.get(model);
        let tokens = known(model).or_else(|| known(without_context(model)?))?;
        u32::try_from(*tokens).ok()
    }
}

/// Returns what is `found` for the account, else for none, which is AWS's default.
fn applied_or_default(
    account: Option<&str>,
    found: impl Fn(Option<&str>) -> Option<u64>,
) -> Option<Limit> {
    let applied = account.and_then(|account| found(Some(account)));
    let applied = applied.map(|value| Limit { value, source: LimitSource::ServiceQuotas });
    applied.or_else(|| Some(Limit { value: found(None)?, source: LimitSource::Default }))
}

/// What the log says, else what the config does.
fn known_or<'t>(logged: &'t str, configured: Option<&'t str>) -> Option<&'t str> {
    if logged == UNKNOWN || logged.is_empty() { configured } else { Some(logged) }
}

/// Returns how exactly `known`, which may end in `*`, names `model`: the whole id is more than any beginning.
fn exactness(known: &str, model: &str) -> Option<usize> {
    match known.strip_suffix('*') {
        Some(beginning) => model.starts_with(beginning).then_some(beginning.len()),
        None => (known == model).then_some(usize::MAX),
    }
}
