//! The one place that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::time::UnixMillis;

/// Returns the time; 1970 if the system's clock stands before that.
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
