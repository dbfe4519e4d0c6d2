//! Limits as the Service Quotas API gives them, from the output of the AWS CLI.
//!
//! `list-service-quotas`, `list-aws-default-service-quotas` and `get-service-quota`, several pages of them one
//! behind the other too. A quota is known by its code, else by its name; what is neither is told with both, and
//! is no limit of anything.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::exact::{Inexact, whole_number};
use super::kind::QuotaKind;
use super::names::{self, Named, QuotaName, Reach, Variant};
use super::settings::Settings;
use super::shipped::{Code, Shipped};
use crate::model::names::Route;

/// What to do about a file that is no export.
const EXPECTED: &str = "expected what `aws service-quotas list-service-quotas --service-code bedrock --output json` \
     prints: an object with `Quotas` (or `Quota`)";
/// How many quotas the summary names.
const NAMED_MAX: usize = 3;

/// A file that is no export.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {text}")]
pub struct ExportError {
    file: String,
    line: usize,
    column: usize,
    text: String,
}

/// Whose limit it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Account; none for AWS's own default, which is that of every account.
    pub account: Option<String>,
    /// Region.
    pub region: String,
}

impl Place {
    /// Tells whether it is this one.
    pub(super) fn is(&self, account: Option<&str>, region: &str) -> bool {
        self.account.as_deref() == account && self.region == region
    }
}

/// A limit of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedLimit {
    /// Whose it is.
    pub place: Place,
    /// Base model id.
    pub model: String,
    /// Route.
    pub route: Route,
    /// What is limited.
    pub kind: QuotaKind,
    /// To what; zero means that every call is throttled.
    pub value: u64,
}

/// Why a quota in an export is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is about tokens or requests, but neither its code nor the model in its name is known.
    Unknown,
    /// Code and name mean different things.
    Disagree,
    /// Its value is none.
    Value(Inexact),
    /// Neither the file nor the config says of which account and region it is.
    NoPlace,
    /// Its ARN is none of Service Quotas.
    BadArn,
    /// It is of a single resource and not of the account.
    OneResource,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("neither code nor model is known"),
            Self::Disagree => f.write_str("its code and its name mean different limits"),
            Self::Value(why) => write!(f, "its value is {}", why.as_str()),
            Self::NoPlace => f.write_str(
                "it does not say of which account and region it is: add `account` and `region` to `[quota]`",
            ),
            Self::BadArn => f.write_str("its `QuotaArn` is none of Service Quotas with a region"),
            Self::OneResource => f.write_str("it is of one resource and not of the account"),
        }
    }
}

/// A quota that is no limit of anything we count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Why it is none.
    pub why: Why,
}

/// What one file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// The file as the user named it.
    pub file: String,
    /// How many quotas are limits of the pools we count.
    pub understood: usize,
    /// Their limits, one for each pool: a quota may be of several models and routes.
    pub limits: Vec<ExportedLimit>,
    /// Tokens per day over all models.
    pub account_tokens_per_day: Vec<(Place, u64)>,
    /// Code and name of quotas for long contexts and low latency. The log does not tell which calls take from
    /// them, so they are kept out of the pool of standard calls.
    pub separate: Vec<(String, String)>,
    /// How many quotas are of other things: jobs, agents, concurrent requests.
    pub others: usize,
    /// What should be a limit and is none.
    pub skipped: Vec<Skipped>,
    /// Whether the last page is there.
    pub is_whole: bool,
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "Quotas")]
    quotas: Option<Vec<Row>>,
    #[serde(rename = "Quota")]
    quota: Option<Row>,
    #[serde(rename = "NextToken")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    service_code: Option<String>,
    quota_arn: Option<String>,
    #[serde(default)]
    quota_code: String,
    #[serde(default)]
    quota_name: String,
    quota_applied_at_level: Option<String>,
    value: Option<Box<RawValue>>,
}

impl Export {
    /// Reads the text of an export, called `file` in problems.
    ///
    /// # Errors
    /// See [`ExportError`]. A single quota that is no limit is no error: it is told ([`Self::skipped`]).
    pub fn read(
        file: &str,
        text: &str,
        shipped: &Shipped,
        settings: &Settings,
    ) -> Result<Self, ExportError> {
        let wrong = |line, column, text| ExportError { file: file.to_owned(), line, column, text };
        let mut export = Self { file: file.to_owned(), is_whole: true, ..Self::default() };
        let mut pages = 0_usize;
        // Windows' shells begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for page in serde_json::Deserializer::from_str(text).into_iter::<Page>() {
            let page = page.map_err(|error| {
                let told = error.to_string();
                let what = told.rsplit_once(" at line ").map_or(told.as_str(), |(what, _)| what);
                wrong(error.line(), error.column(), format!("{what}; {EXPECTED}"))
            })?;
            pages += 1;
            if page.quotas.is_none() && page.quota.is_none() {
                return Err(wrong(1, 1, format!("object {pages} has no `Quotas`; {EXPECTED}")));
            }
            for row in page.quotas.into_iter().flatten().chain(page.quota) {
                export.take(row, shipped, settings);
            }
            export.is_whole = page.next_token.is_none_or(|token| token.is_empty());
        }
        if pages == 0 {
            return Err(wrong(1, 1, format!("the file is empty; {EXPECTED}")));
        }
        Ok(export)
    }

    fn take(&mut self, row: Row, shipped: &Shipped, settings: &Settings) {
        let code = shipped.code(&row.quota_code);
        let named = names::parse(&row.quota_name);
        let is_ours = row.service_code.as_deref().is_none_or(|service| service == "bedrock");
        if !is_ours || (code.is_none() && named.is_none() && !seems_a_limit(&row.quota_name)) {
            self.others += 1;
            return;
        }
        if let Err(why) = self.take_limit(&row, code, named.as_ref(), shipped, settings) {
            self.skipped.push(Skipped { code: row.quota_code, name: row.quota_name, why });
        }
    }

    fn take_limit(
        &mut self,
        row: &Row,
        code: Option<&Code>,
        named: Option<&Named>,
        shipped: &Shipped,
        settings: &Settings,
    ) -> Result<(), Why> {
        let meaning = meaning(code, named, shipped)?;
        if meaning == Meaning::Separate {
            self.separate.push((row.quota_code.clone(), row.quota_name.clone()));
            return Ok(());
        }
        if row.quota_applied_at_level.as_deref() == Some("RESOURCE") {
            return Err(Why::OneResource);
        }
        let place = place(row.quota_arn.as_deref(), settings)?;
        let text = row.value.as_deref().map_or("", RawValue::get);
        let value = whole_number(text).map_err(Why::Value)?;
        match meaning {
            Meaning::Pools(kind, reach, models) => {
                self.limits.append(&mut limits_of(&place, kind, reach, models, value)?);
            }
            Meaning::Account => self.account_tokens_per_day.push((place, value)),
            Meaning::Separate => (),
        }
        self.understood += 1;
        Ok(())
    }

    /// Returns how many quotas are not known at all.
    pub fn unknown(&self) -> usize {
        self.skipped.iter().filter(|skipped| skipped.why == Why::Unknown).count()
    }
}

/// What a quota limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning<'s> {
    /// Pools of standard calls.
    Pools(QuotaKind, Reach, &'s [String]),
    /// All tokens of a day.
    Account,
    /// Calls of long contexts or low latency.
    Separate,
}

fn meaning<'s>(
    code: Option<&'s Code>,
    named: Option<&Named>,
    shipped: &'s Shipped,
) -> Result<Meaning<'s>, Why> {
    match (code, named) {
        (Some(code), None) => Ok(Meaning::Pools(code.kind, code.reach, &code.models)),
        (Some(code), Some(Named::Model(name))) if agree(code, name, shipped) => {
            Ok(Meaning::Pools(code.kind, code.reach, &code.models))
        }
        (Some(_), Some(_)) => Err(Why::Disagree),
        (None, Some(Named::AccountTokensPerDay)) => Ok(Meaning::Account),
        (None, Some(Named::Model(name))) if name.variant != Variant::Standard => {
            Ok(Meaning::Separate)
        }
        (None, Some(Named::Model(name))) => match shipped.models_named(&name.model) {
            [] => Err(Why::Unknown),
            models => Ok(Meaning::Pools(name.kind, name.reach, models)),
        },
        (None, None) => Err(Why::Unknown),
    }
}

fn limits_of(
    place: &Place,
    kind: QuotaKind,
    reach: Reach,
    models: &[String],
    value: u64,
) -> Result<Vec<ExportedLimit>, Why> {
    let mut limits = Vec::new();
    for (route, factor) in reach.routes() {
        let value = value.checked_mul(*factor).ok_or(Why::Value(Inexact::TooLarge))?;
        limits.extend(models.iter().map(|model| ExportedLimit {
            place: place.clone(),
            model: model.clone(),
            route: *route,
            kind,
            value,
        }));
    }
    Ok(limits)
}

/// Tells whether code and name can mean the same: the name is told in new words now and then, which may leave
/// out the route, but its kind and a model that it names and we know are those of the code.
fn agree(code: &Code, name: &QuotaName, shipped: &Shipped) -> bool {
    let models = shipped.models_named(&name.model);
    let knows = models.is_empty() || models.iter().any(|model| code.models.contains(model));
    let leaves_out = name.reach == Reach::Unnamed && code.reach != Reach::Doubled;
    code.kind == name.kind
        && (code.reach == name.reach || leaves_out)
        && name.variant == Variant::Standard
        && knows
}

/// Tells whether a name that is not understood may be that of a limit we should know.
fn seems_a_limit(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    has(&["token", "request", "invocation"])
        && has(&["per minute", "per day"])
        && has(&["inference", "model invocation", "invokemodel", "tokens per"])
        && !has(&["batch inference"])
}

/// Returns of which account and region a quota is.
fn place(arn: Option<&str>, settings: &Settings) -> Result<Place, Why> {
    if let Some(arn) = arn {
        return place_in(arn).ok_or(Why::BadArn);
    }
    match (settings.account.clone(), settings.region.clone()) {
        (Some(account), Some(region)) => Ok(Place { account: Some(account), region }),
        _ => Err(Why::NoPlace),
    }
}

/// Reads `arn:aws:servicequotas:us-east-1:111122223333:bedrock/L-…`; AWS's defaults are of no account.
fn place_in(arn: &str) -> Option<Place> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "servicequotas", region, account, _] = parts[..] else { return None };
    let account = (!account.is_empty()).then(|| account.to_owned());
    (!region.is_empty()).then(|| Place { account, region: region.to_owned() })
}

/// `quotas.json: 7 limits, 1 unknown quota (L-1234ABCD `…`: neither code nor model is known)`
impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let (limits, unknown) = (self.understood, self.unknown());
        write!(f, "{}: {limits} limit{}", self.file, plural(limits))?;
        write!(f, ", {unknown} unknown quota{}", plural(unknown))?;
        let unusable = self.skipped.len() - unknown;
        if unusable > 0 {
            write!(f, ", {unusable} not usable")?;
        }
        // What is wrong with a value or a place can be set right, so it comes first.
        let (mut told, rest): (Vec<_>, Vec<_>) =
            self.skipped.iter().partition(|skipped| skipped.why != Why::Unknown);
        told.extend(rest);
        for (index, skipped) in told.iter().take(NAMED_MAX).enumerate() {
            let Skipped { code, name, why } = skipped;
            f.write_str(if index == 0 { " (" } else { "; " })?;
            write!(f, "{code} `{}`: {why}", name.trim())?;
        }
        match told.len() {
            0 => (),
            count if count > NAMED_MAX => write!(f, "; and {} more)", count - NAMED_MAX)?,
            _ => f.write_str(")")?,
        }
        if !self.separate.is_empty() {
            let count = self.separate.len();
            write!(f, ", {count} for long contexts or low latency, which are kept apart")?;
        }
        if self.others > 0 {
            write!(f, ", {} of other things", self.others)?;
        }
        if !self.is_whole {
            f.write_str(
                "; the list is not whole, it ends with a `NextToken`: export it without `--max-items`, or \
                 append the other pages",
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
