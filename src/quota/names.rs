//! The names of quotas, as Service Quotas and the user guide write them, read into what they mean.
//!
//! AWS spells them in many ways: upper and lower case, with and without the maker, "model inference" or
//! "`InvokeModel`". Only what is understood as a whole has a meaning; which model a name's text is about is
//! for `model_text` to tell.

use serde::Deserialize;

use super::kind::QuotaKind;
use crate::model::names::Route;

/// What a quota that calls take from is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A quota of one model.
    Model(QuotaName),
    /// Tokens per day over all models of an account.
    AccountTokensPerDay,
}

/// The parts of the name of a quota of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaName {
    /// What it counts.
    pub kind: QuotaKind,
    /// Which routes it limits.
    pub reach: Reach,
    /// The model, as the name writes it (`Anthropic Claude Sonnet 4.5 V1`).
    pub model: String,
    /// Which calls to the model.
    pub variant: Variant,
}

/// Which routes a quota limits, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// "On-demand".
    InRegion,
    /// "Cross-region".
    Geo,
    /// "Global cross-region".
    Global,
    /// "(doubled for cross-region calls)": in the region, and twice the value through a geographic profile.
    Doubled,
    /// No word of it: in the region and through a geographic profile, each by itself. Quotas of global profiles
    /// always say so.
    Unnamed,
}

impl Reach {
    /// Returns the routes, each with what the value is to be multiplied by.
    pub fn routes(self) -> &'static [(Route, u64)] {
        match self {
            Self::InRegion => &[(Route::InRegion, 1)],
            Self::Geo => &[(Route::Geo, 1)],
            Self::Global => &[(Route::Global, 1)],
            Self::Doubled => &[(Route::InRegion, 1), (Route::Geo, 2)],
            Self::Unnamed => &[(Route::InRegion, 1), (Route::Geo, 1)],
        }
    }
}

/// Which calls to a model a quota limits. The log does not tell the others apart from the standard ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// All that have no quota of their own.
    Standard,
    /// Those with a long context ("1M Context Length").
    LongContext,
    /// Those that ask for low latency.
    LatencyOptimized,
}

const DOUBLED: &str = "(doubled for cross-region calls)";
const CONTEXT_LENGTH: &str = "context length";

/// Reads the name of a quota. None for a quota of anything but tokens and requests of model calls per minute
/// or day.
pub fn parse(name: &str) -> Option<Named> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = name.to_ascii_lowercase();
    if ["cross-model account-level tokens per day", "cross-model account level tokens per day"]
        .contains(&lower.as_str())
    {
        return Some(Named::AccountTokensPerDay);
    }
    // Lowercase ASCII is as long, so places in one are places in the other.
    let (head, _) = lower.split_once(" for ")?;
    let model = name.get(head.len() + " for ".len()..)?;
    let (kind, named_reach, is_fast) = read_head(head)?;
    let (model, is_doubled) = cut(model, DOUBLED);
    let (model, is_fast_model) = cut(model, " latency-optimized");
    let (model, is_long) = cut_context(model);
    let reach = match (named_reach, is_doubled) {
        (None, true) => Reach::Doubled,
        (None, false) => Reach::Unnamed,
        (Some(reach), false) => reach,
        (Some(_), true) => return None,
    };
    let variant = match (is_long, is_fast || is_fast_model) {
        (false, false) => Variant::Standard,
        (true, false) => Variant::LongContext,
        (_, true) => Variant::LatencyOptimized,
    };
    let model = model.to_owned();
    (!model.is_empty()).then_some(Named::Model(QuotaName { kind, reach, model, variant }))
}

/// Reads what stands before "for": the kind, the routes if it names any, whether it is of low latency.
fn read_head(head: &str) -> Option<(QuotaKind, Option<Reach>, bool)> {
    let head = head.replace([',', '-'], " ");
    let mut rest = head.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut eat = |words: &str| {
        let after =
            rest.strip_prefix(words).filter(|after| after.is_empty() || after.starts_with(' '));
        let after = after.map(|after| after.trim_start().to_owned());
        let is_there = after.is_some();
        rest = after.unwrap_or_else(|| rest.clone());
        is_there
    };
    let is_global = eat("global");
    let is_cross = eat("cross region");
    let is_on_demand = !is_global && !is_cross && eat("on demand");
    let is_fast = eat("latency optimized");
    if !(eat("model inference") || eat("model invocation") || eat("invokemodel")) {
        return None;
    }
    eat("max");
    let kind = match rest.as_str() {
        "tokens per minute" => QuotaKind::TokensPerMinute,
        "tokens per day" => QuotaKind::TokensPerDay,
        "requests per minute" => QuotaKind::RequestsPerMinute,
        _ => return None,
    };
    let reach = match (is_global, is_cross, is_on_demand) {
        (true, _, _) => Some(Reach::Global),
        (_, true, _) => Some(Reach::Geo),
        (_, _, true) => Some(Reach::InRegion),
        _ => None,
    };
    Some((kind, reach, is_fast))
}

/// Cuts `suffix`, in whatever case, off the end of `text`; tells whether it was there.
fn cut<'t>(text: &'t str, suffix: &str) -> (&'t str, bool) {
    let at = text.len().saturating_sub(suffix.len());
    match text.split_at_checked(at) {
        Some((before, end)) if end.eq_ignore_ascii_case(suffix) => (before.trim_end(), true),
        _ => (text, false),
    }
}

/// Cuts "1M Context Length" off the end of `text`, also in brackets or behind "with" or a dash.
fn cut_context(text: &str) -> (&str, bool) {
    let (bare, _) = cut(text, ")");
    let (before, is_there) = cut(bare, CONTEXT_LENGTH);
    let Some((model, size)) = before.rsplit_once(' ').filter(|_| is_there) else {
        return (text, false);
    };
    let size = size.strip_prefix('(').unwrap_or(size);
    let digits = size.strip_suffix(['m', 'M', 'k', 'K']).unwrap_or("");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return (text, false);
    }
    let (model, _) = cut(model.trim_end_matches([' ', '-', ',']), " with");
    (model.trim_end_matches([' ', '-', ',']), true)
}

#[cfg(test)]
mod tests;
