//! Instants as UTC milliseconds, their buckets, and the text forms in which logs write them.

use serde::{Deserialize, Serialize};

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};

/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60_000;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The time of what no log dates; after every other instant.
    pub const UNKNOWN: Self = Self(i64::MAX);

    /// Returns the start of the bucket of `width_ms` that holds this instant.
    #[must_use]
    pub fn floor(self, width_ms: i64) -> Self {
        Self(self.0.div_euclid(width_ms) * width_ms)
    }

    /// Returns the instant `ms` later (earlier if negative), saturating.
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Reads an RFC 3339 instant (`2026-11-23T10:00:00.123Z`, any offset).
    ///
    /// The form in which AWS writes every invocation record (`YYYY-MM-DDTHH:MM:SS[.fff]Z`) takes a
    /// path of its own that costs a fifth of the general one and gives the same result.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        parse_plain_utc(text.as_bytes()).or_else(|| {
            let instant = DateTime::parse_from_rfc3339(text).ok()?;
            Some(Self(instant.timestamp_millis()))
        })
    }

    /// Reads a day (`2026-11-23`) as its first instant in UTC.
    pub fn parse_day(text: &str) -> Option<Self> {
        let is_day = text.len() == "2026-11-23".len();
        is_day.then(|| Self::parse_rfc3339(&format!("{text}T00:00:00Z"))).flatten()
    }

    /// Returns the instant as chrono's type, or `None` beyond chrono's range.
    pub fn to_chrono(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.0)
    }

    /// Returns the day as `2026-11-23`.
    pub fn day_text(self) -> String {
        match self.to_chrono() {
            Some(at) => format!("{:04}-{:02}-{:02}", at.year(), at.month(), at.day()),
            None => super::series::UNKNOWN.to_owned(),
        }
    }

    /// Returns the second as `2026-11-23T10:00:00Z`.
    pub fn second_text(self) -> String {
        match self.to_chrono() {
            Some(at) => format!(
                "{}T{:02}:{:02}:{:02}Z",
                self.day_text(),
                at.hour(),
                at.minute(),
                at.second()
            ),
            None => super::series::UNKNOWN.to_owned(),
        }
    }
}

/// Reads `YYYY-MM-DDTHH:MM:SSZ` with up to nine decimals of a second, or nothing.
fn parse_plain_utc(text: &[u8]) -> Option<UnixMillis> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1] =
        *date_time
    else {
        return None;
    };
    let two = |tens, units| Some(digit(tens)? * 10 + digit(units)?);
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day) = (two(m0, m1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(n0, n1)?, two(s0, s1)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let millis = parse_fraction(rest)?;
    let date = NaiveDate::from_ymd_opt(year, month.unsigned_abs(), day.unsigned_abs())?;
    let days = i64::from(date.num_days_from_ce()) - 719_163;
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    Some(UnixMillis(days * DAY_MS + seconds * 1000 + i64::from(millis)))
}

/// Reads `Z` or `.123Z` as milliseconds; digits below a millisecond are cut.
fn parse_fraction(rest: &[u8]) -> Option<i32> {
    let digits = match rest {
        [b'Z'] => return Some(0),
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let mut millis = 0;
    for (place, weight) in [100, 10, 1].into_iter().enumerate() {
        millis += weight * digits.get(place).map_or(Some(0), |&byte| digit(byte))?;
    }
    digits.iter().all(u8::is_ascii_digit).then_some(millis)
}

fn digit(byte: u8) -> Option<i32> {
    byte.is_ascii_digit().then(|| i32::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn instants_are_read_as_written() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-23T10:00:00.123Z", Some(1_795_428_000_123)),
            ("2026-11-23T10:00:00.1239Z", Some(1_795_428_000_123)),
            ("2026-11-23T12:00:00+02:00", Some(1_795_428_000_000)),
            ("2262-04-12T00:00:00Z", Some(9_223_372_800_000)),
            ("2026-02-29T00:00:00Z", None),
            ("2026-11-23", None),
            ("", None),
            ("2026-11-23T10:00:00", None),
        ] {
            assert_eq!(UnixMillis::parse_rfc3339(text).map(|at| at.0), millis, "{text}");
        }
    }

    #[test]
    fn buckets_before_1970_round_down() {
        assert_eq!(UnixMillis(-1).floor(MINUTE_MS), UnixMillis(-MINUTE_MS));
    }

    proptest! {
        #[test]
        fn the_short_path_agrees_with_chrono(
            text in "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?Z"
        ) {
            if let Some(short) = parse_plain_utc(text.as_bytes()) {
                let general = DateTime::parse_from_rfc3339(&text).map(|at| at.timestamp_millis());
                prop_assert_eq!(Ok(short.0), general);
            }
        }
    }
}
