//! How many calls were throttled, by the log that says so.
//!
//! An invocation log may hold no throttled calls at all, and other logs tell of the same calls again, so ratios of
//! different sources must never be added; each is a ratio of its own.

use std::collections::BTreeMap;

use super::facts::Facts;
use crate::ledger::signals::SignalId;
use crate::model::money::Usd;
use crate::model::signal::SignalKey;
use crate::model::time::{HOUR_MS, MINUTE_MS, UnixMillis};
use crate::quota::told::CallSignal;
pub use crate::quota::told::Source;

/// Windows of ratios, with their names as label values; the longest decides how long minutes are kept.
pub const WINDOWS: [(&str, i64); 2] = [("5m", 5 * MINUTE_MS), ("1h", HOUR_MS)];
/// Time for which minutes are kept: the longest window, and what comes late.
pub const KEPT_MS: i64 = HOUR_MS + 5 * MINUTE_MS;

/// What one log says of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Throttled calls.
    pub throttled: u64,
    /// All calls that the log has, the throttled ones too.
    pub calls: u64,
    /// Retries that errors of failed calls tell of, which the log does not have one by one.
    pub retries: u64,
    /// Failed calls that came after the last retry.
    pub retries_exhausted: u64,
    /// Cost of the tokens of calls that failed.
    pub wasted: Usd,
}

impl Tally {
    /// Returns how many attempts a call took, on average: 1 without retries; none without calls.
    #[expect(
        clippy::float_arithmetic,
        clippy::cast_precision_loss,
        reason = "a ratio, for a person to read"
    )]
    pub fn amplification(&self) -> Option<f64> {
        let attempts = self.calls.saturating_add(self.retries);
        (self.calls > 0).then(|| attempts as f64 / self.calls as f64)
    }

    fn add(&mut self, more: &Self) {
        self.throttled += more.throttled;
        self.calls += more.calls;
        self.retries += more.retries;
        self.retries_exhausted += more.retries_exhausted;
        self.wasted += more.wasted;
    }
}

/// Sums by model and source.
pub type ByModel = BTreeMap<(String, Source), Tally>;

/// Throttled calls of the last hour by minute, model and source.
#[derive(Debug, Default)]
pub struct Evidence {
    minutes: BTreeMap<UnixMillis, ByModel>,
    /// The signals that tell of calls: of which model, which log says it, and whether they were throttled.
    signals: BTreeMap<SignalId, (String, Source, bool)>,
}

impl Evidence {
    /// Takes the labels of a signal; what tells of no calls is left out.
    pub fn learn(&mut self, id: SignalId, key: &SignalKey) {
        if let Some(CallSignal { source, model, is_throttled, .. }) = CallSignal::of(key) {
            self.signals.insert(id, (model, source, is_throttled));
        }
    }

    /// Adds values of a signal.
    pub fn add_signal(&mut self, id: SignalId, minute: UnixMillis, calls: u64, now: UnixMillis) {
        let Some((model, source, is_throttled)) = self.signals.get(&id) else { return };
        let throttled = if *is_throttled { calls } else { 0 };
        let tally = Tally { throttled, calls, ..Tally::default() };
        let key = (model.clone(), *source);
        self.add(key, minute, tally, now);
    }

    /// Adds calls.
    pub fn add_calls(&mut self, model: &str, minute: UnixMillis, facts: &Facts, now: UnixMillis) {
        let [calls, throttled] = facts.application.map(u64::from);
        let application = Tally {
            throttled,
            calls,
            // Only applications tell of retries; what a service answered it logs one by one.
            retries: facts.retries.into(),
            retries_exhausted: facts.retries_exhausted.into(),
            // Failed calls with tokens are mostly those of the service's log.
            wasted: if calls == u64::from(facts.calls) { facts.wasted } else { Usd::ZERO },
        };
        let service = Tally {
            throttled: u64::from(facts.throttled).saturating_sub(throttled),
            calls: u64::from(facts.calls).saturating_sub(calls),
            wasted: Usd(facts.wasted.0 - application.wasted.0),
            ..Tally::default()
        };
        self.add((model.to_owned(), Source::ApplicationLog), minute, application, now);
        self.add((model.to_owned(), Source::InvocationLog), minute, service, now);
    }

    fn add(&mut self, key: (String, Source), minute: UnixMillis, more: Tally, now: UnixMillis) {
        if more.calls == 0 || minute < now.plus(-KEPT_MS) {
            return;
        }
        self.minutes.entry(minute).or_default().entry(key).or_default().add(&more);
    }

    /// Forgets minutes that no window reaches at `now`.
    pub fn prune(&mut self, now: UnixMillis) {
        self.minutes = self.minutes.split_off(&now.plus(-KEPT_MS));
    }

    /// Returns the sums of the full minutes of a window that end at `to`.
    pub fn sums(&self, to: UnixMillis, window_ms: i64) -> ByModel {
        let mut sums: BTreeMap<&(String, Source), Tally> = BTreeMap::new();
        for (key, tally) in self.minutes.range(to.plus(-window_ms)..to).flat_map(|(_, by)| by) {
            sums.entry(key).or_default().add(tally);
        }
        sums.into_iter().map(|(key, tally)| (key.clone(), tally)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::signal::Signal;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn key(signal: Signal, values: &[&str]) -> SignalKey {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        SignalKey { signal, account: "a".to_owned(), region: "r".to_owned(), values }
    }

    #[test]
    fn each_log_has_a_ratio_of_its_own() {
        let mut evidence = Evidence::default();
        let minute = NOW.floor(MINUTE_MS).plus(-MINUTE_MS);
        let facts = Facts { calls: 10, throttled: 3, application: [4, 3], ..Facts::default() };
        evidence.add_calls("m", minute, &facts, NOW);
        evidence.learn(SignalId(0), &key(Signal::CloudWatchRequests, &["m", "geo", "throttled"]));
        evidence.learn(SignalId(1), &key(Signal::CloudWatchRequests, &["m", "geo", "ok"]));
        evidence.learn(SignalId(2), &key(Signal::GatewayErrors, &["/", "throttled"]));
        evidence.add_signal(SignalId(0), minute, 5, NOW);
        evidence.add_signal(SignalId(1), minute, 15, NOW);
        evidence.add_signal(SignalId(2), minute, 99, NOW);
        evidence.add_signal(SignalId(1), minute.plus(-2 * HOUR_MS), 15, NOW);
        let sums = evidence.sums(NOW.floor(MINUTE_MS), 5 * MINUTE_MS);
        let found: Vec<_> = sums
            .iter()
            .map(|((_, source), tally)| (source.as_str(), tally.throttled, tally.calls))
            .collect();
        assert_eq!(
            found,
            [("invocation_log", 0, 6), ("application_log", 3, 4), ("cloudwatch", 5, 20)]
        );
        evidence.prune(NOW.plus(2 * HOUR_MS));
        assert!(evidence.sums(NOW.plus(2 * HOUR_MS), 3 * HOUR_MS).is_empty());
    }
}
