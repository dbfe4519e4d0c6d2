//! When to try again, and what an answer means: pure functions.

use std::time::Duration;

use chrono::DateTime;
use hyper::StatusCode;

use crate::model::time::UnixMillis;

/// Shortest pause, so that a receiver that is down is not hammered.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Upper bound of the first pause; it doubles with each attempt.
const PAUSE_FIRST_MS: u64 = 1_000;
/// Longest pause. Short, since a page waits behind it.
const PAUSE_MAX_MS: u64 = 60_000;
/// The longest pause that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);

/// How an attempt to reach a receiver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptResult {
    /// The receiver took it.
    Delivered,
    /// There was no answer in time.
    Timeout,
    /// There was no connection, or it broke, or TLS failed, or it did not speak HTTP.
    Network,
    /// The receiver asks for fewer requests.
    Throttled,
    /// The receiver failed.
    ServerError,
    /// Something answered that is not the receiver.
    InvalidAnswer,
    /// The receiver refuses this for good.
    Rejected,
}

impl AttemptResult {
    /// Every result.
    pub const ALL: [Self; 7] = [
        Self::Delivered,
        Self::Timeout,
        Self::Network,
        Self::Throttled,
        Self::ServerError,
        Self::InvalidAnswer,
        Self::Rejected,
    ];

    /// Returns the value of the label `result`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Timeout => "timeout",
            Self::Network => "network_error",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::InvalidAnswer => "invalid_answer",
            Self::Rejected => "rejected",
        }
    }

    /// Tells whether trying again may help.
    pub const fn is_retried(self) -> bool {
        !matches!(self, Self::Delivered | Self::Rejected)
    }

    /// Returns what a status means. Redirects are refused: the request holds secrets, which must not
    /// go where somebody else points.
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Delivered,
            429 => Self::Throttled,
            408 | 425 | 500..=599 => Self::ServerError,
            100..=199 => Self::InvalidAnswer,
            _ => Self::Rejected,
        }
    }
}

/// Returns the pause after so many failed attempts in a row (from 1): exponential with full jitter, as
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/> has it, so that many
/// daemons do not come back at once. `random` is any number.
pub(super) fn pause(failed: u32, random: u64) -> Duration {
    let doublings = failed.saturating_sub(1).min(16);
    let bound = PAUSE_FIRST_MS.saturating_mul(1 << doublings).min(PAUSE_MAX_MS);
    PAUSE_MIN.max(Duration::from_millis(random % (bound + 1)))
}

/// Reads `Retry-After`: seconds, or a date (RFC 9110, 10.2.3); bounded.
pub(super) fn retry_after(header: &str, now: UnixMillis) -> Option<Duration> {
    let header = header.trim();
    let asked = if let Ok(seconds) = header.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let at = DateTime::parse_from_rfc2822(header).ok()?.timestamp_millis();
        Duration::from_millis(u64::try_from(at.saturating_sub(now.0)).unwrap_or(0))
    };
    Some(asked.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_status_says_whether_to_try_again() {
        for (status, result) in [
            (200, AttemptResult::Delivered),
            (202, AttemptResult::Delivered),
            (301, AttemptResult::Rejected),
            (400, AttemptResult::Rejected),
            (401, AttemptResult::Rejected),
            (408, AttemptResult::ServerError),
            (410, AttemptResult::Rejected),
            (425, AttemptResult::ServerError),
            (429, AttemptResult::Throttled),
            (500, AttemptResult::ServerError),
            (503, AttemptResult::ServerError),
        ] {
            let found = AttemptResult::of_status(StatusCode::from_u16(status).unwrap());
            assert_eq!(found, result, "{status}");
        }
    }

    #[test]
    fn a_receiver_may_ask_for_a_pause_of_some_minutes() {
        let now = UnixMillis::parse_rfc3339("2026-11-23T10:00:00Z").unwrap();
        for (header, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("86400", Some(600)),
            ("Mon, 23 Nov 2026 10:00:30 GMT", Some(30)),
            ("Mon, 23 Nov 2026 09:00:00 GMT", Some(0)),
            ("Tue, 24 Nov 2026 10:00:00 GMT", Some(600)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(header, now), seconds.map(Duration::from_secs), "{header}");
        }
    }

    proptest! {
        #[test]
        fn pauses_are_bounded_and_their_bound_grows(failed in 0..=u32::MAX, random: u64) {
            let found = pause(failed, random);
            prop_assert!(found >= PAUSE_MIN && found <= Duration::from_millis(PAUSE_MAX_MS));
            // The longest pause of an attempt is not shorter than that of the one before it.
            let longest = |failed: u32| {
                let bound = PAUSE_FIRST_MS.saturating_mul(1 << failed.saturating_sub(1).min(16));
                pause(failed, bound.min(PAUSE_MAX_MS))
            };
            prop_assert!(found <= longest(failed));
            prop_assert!(longest(failed) <= longest(failed.saturating_add(1)));
        }

        #[test]
        fn every_pause_up_to_the_bound_is_possible(failed in 1_u32..8, wanted in 100_u64..60_000) {
            let bound = (1_000_u64 << (failed - 1)).min(60_000);
            prop_assume!(wanted <= bound);
            prop_assert_eq!(pause(failed, wanted), Duration::from_millis(wanted));
        }

        #[test]
        fn no_header_makes_us_wait_beyond_the_bound(header in ".{0,40}", now in 0_i64..4_000_000_000_000) {
            let found = retry_after(&header, UnixMillis(now));
            prop_assert!(found.is_none_or(|asked| asked <= RETRY_AFTER_MAX));
        }
    }
}
