//! Instants as a person writes them and as they are sent: RFC 3339 in UTC, milliseconds only where there are any.

use chrono::SecondsFormat;
use serde::{Deserialize as _, Deserializer, Serializer};

use crate::model::time::UnixMillis;

/// Returns `2026-11-23T10:00:00Z` or `2026-11-23T10:00:00.123Z`.
pub fn text(at: UnixMillis) -> String {
    let with = if at.0 % 1_000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    at.to_chrono().map_or_else(|| at.second_text(), |at| at.to_rfc3339_opts(with, true))
}

/// Writes an instant.
pub fn serialize<S: Serializer>(at: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*at))
}

/// Reads an instant.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixMillis, D::Error> {
    let text = String::deserialize(deserializer)?;
    UnixMillis::parse_rfc3339(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no time in RFC 3339")))
}
