//! The limit of a pool: from the config, else from an export, else a shipped default. Also what a token of output
//! takes, and how much a model writes at most.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::export::{Export, ExportedLimit};
use super::kind::QuotaKind;
use super::pool::Pool;
use super::settings::{OwnLimit, Settings};
use super::shipped::{Shipped, ShippedError};
use crate::model::names::Route;
use crate::model::series::UNKNOWN;
use crate::model::time::UnixMillis;
use crate::price::without_context;

/// Minutes of a day: AWS's default for a day is so many times that for a minute.
const DAY_MINUTES: u64 = 1_440;

/// Where a limit is from. What comes first wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitSource {
    /// The config.
    Config,
    /// The limit of the account, from an exported file.
    ServiceQuotas,
    /// What AWS gives to accounts that asked for nothing, shipped or exported. The account may have another.
    Default,
}

impl LimitSource {
    /// Returns the name used in labels and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::ServiceQuotas => "service_quotas",
            Self::Default => "default",
        }
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

/// Two exports that give one pool different limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    limit: ExportedLimit,
    kept: u64,
    other: u64,
    files: (String, String),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, kept, other, files } = self;
        let (one, two) = files;
        let (kind, model, route) = (limit.kind, &limit.model, limit.route.as_str());
        let region = &limit.place.region;
        let told =
            if one == two { format!("`{one}` gives") } else { format!("`{one}` and `{two}` give") };
        write!(
            f,
            "{told} {kept} and {other} as {kind} of `{model}` ({route}, {region}); the smaller \
             one, {kept}, counts"
        )
    }
}

/// A limit of an export, and the file it is from.
#[derive(Clone, Debug)]
struct Filed {
    limit: ExportedLimit,
    file: String,
}

/// All limits.
#[derive(Clone, Debug)]
pub struct Limits {
    shipped: Arc<Shipped>,
    settings: Settings,
    /// By base model id.
    exported: HashMap<String, Vec<Filed>>,
    account_tokens_per_day: Vec<(Option<String>, String, u64)>,
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
            for limit in &export.limits {
                limits.file(limit, &export.file);
            }
            for (place, value) in &export.account_tokens_per_day {
                let known =
                    limits.account_tokens_per_day.iter_mut().find(|(account, region, _)| {
                        *account == place.account && *region == place.region
                    });
                match known {
                    Some((_, _, known)) => *known = (*known).min(*value),
                    None => limits.account_tokens_per_day.push((
                        place.account.clone(),
                        place.region.clone(),
                        *value,
                    )),
                }
            }
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

    fn file(&mut self, limit: &ExportedLimit, file: &str) {
        let filed = self.exported.entry(limit.model.clone()).or_default();
        let same = |known: &&mut Filed| {
            let known = &known.limit;
            (known.route, known.kind, &known.place) == (limit.route, limit.kind, &limit.place)
        };
        let Some(known) = filed.iter_mut().find(same) else {
            filed.push(Filed { limit: limit.clone(), file: file.to_owned() });
            return;
        };
        let (kept, other) = (known.limit.value, limit.value);
        if kept == other {
            return;
        }
        let (kept, other, files) = if kept < other {
            (kept, other, (known.file.clone(), file.to_owned()))
        } else {
            (other, kept, (file.to_owned(), known.file.clone()))
        };
        if known.limit.value != kept {
            *known = Filed { limit: limit.clone(), file: file.to_owned() };
        }
        self.conflicts.push(Conflict { limit: limit.clone(), kept, other, files });
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
        let found = |of: Option<&str>| {
            let limit = filed.iter().map(|filed| &filed.limit).find(|limit| {
                limit.route == pool.route
                    && limit.kind == kind
                    && limit.place.region == region
                    && limit.place.account.as_deref() == of
            });
            limit.map(|limit| limit.value)
        };
        let applied = account.and_then(|account| found(Some(account)));
        let applied = applied.map(|value| Limit { value, source: LimitSource::ServiceQuotas });
        applied.or_else(|| Some(Limit { value: found(None)?, source: LimitSource::Default }))
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
        let found = |of: Option<&str>| {
            let mut rows = self.account_tokens_per_day.iter();
            let row = rows.find(|(account, known, _)| account.as_deref() == of && known == region);
            row.map(|(_, _, value)| *value)
        };
        let applied = account.and_then(|account| found(Some(account)));
        let applied = applied.map(|value| Limit { value, source: LimitSource::ServiceQuotas });
        applied.or_else(|| Some(Limit { value: found(None)?, source: LimitSource::Default }))
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
