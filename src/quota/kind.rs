//! What a runtime quota counts.

use std::fmt;

use serde::Deserialize;

/// A quota that calls take from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKind {
    /// Quota tokens in a minute.
    TokensPerMinute,
    /// Quota tokens in a day, UTC.
    TokensPerDay,
    /// Calls in a minute.
    RequestsPerMinute,
}

impl QuotaKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::TokensPerMinute, Self::TokensPerDay, Self::RequestsPerMinute];

    /// Returns the name used in labels, JSON and config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokensPerMinute => "tokens_per_minute",
            Self::TokensPerDay => "tokens_per_day",
            Self::RequestsPerMinute => "requests_per_minute",
        }
    }

    /// Returns the kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for QuotaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
