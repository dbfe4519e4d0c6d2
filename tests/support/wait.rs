//! Waiting for a condition with a deadline: the only place of the tests that sleeps.

use std::time::{Duration, Instant};

/// How long a condition may take that normally holds at once. Generous, since tests share a
/// machine: it is reached only by a test that fails.
pub(crate) const SOON: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(4);

/// Polls until the condition gives a value; panics with `what` at the deadline.
pub(crate) fn wait_until<T>(
    deadline: Duration,
    what: &str,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < deadline, "gave up after {deadline:?} waiting for: {what}");
        pause(PAUSE);
    }
}

/// Polls for a while and panics as soon as the condition fails: something must not happen.
pub(crate) fn holds_for(duration: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < duration {
        assert!(condition(), "did not hold: {what}");
        pause(PAUSE);
    }
}

/// Lets time pass: for random moments and for writers of a steady rate, never to wait for something.
#[expect(clippy::disallowed_methods, reason = "the one place of the tests that sleeps")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
