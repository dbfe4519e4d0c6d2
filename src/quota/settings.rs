//! What the config says about limits.

use super::kind::QuotaKind;
use crate::model::names::Route;
use crate::model::time::UnixMillis;

/// The `[quota]` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The account of calls whose log names none, and of exports without ARN.
    pub account: Option<String>,
    /// The region of calls whose log names none, and of exports without ARN.
    pub region: Option<String>,
    /// Whether the shipped default limits count.
    pub defaults: bool,
    /// Limits that the config gives itself.
    pub limits: Vec<OwnLimit>,
    /// Burndown rates that the config gives itself.
    pub burndowns: Vec<OwnBurndown>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: None,
            region: None,
            defaults: true,
            limits: Vec::new(),
            burndowns: Vec::new(),
        }
    }
}

/// One `[[quota.limit]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLimit {
    /// Account; none for any.
    pub account: Option<String>,
    /// Region; none for any.
    pub region: Option<String>,
    /// Base model id.
    pub model: String,
    /// An on-demand route.
    pub route: Route,
    /// What is limited, and to what. Zero means that every call is throttled.
    pub values: Vec<(QuotaKind, u64)>,
}

/// One `[[quota.burndown]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnBurndown {
    /// Base model id.
    pub model: String,
    /// Quota tokens for one output token.
    pub rate: u32,
    /// When it begins; none for always.
    pub from: Option<UnixMillis>,
}
