//! What other logs than those of calls say of throttled calls: `CloudTrail` and `CloudWatch`. They tell of the same
//! calls as an invocation log, or of those that it leaves out, so they must never be added to it.

use std::collections::BTreeMap;

use super::pool::Pool;
use crate::model::names::{Route, names};
use crate::model::signal::{Signal, SignalKey};
use crate::model::time::UnixMillis;

names! {
    /// Which log says how many calls were throttled.
    Source {
        /// Bedrock's invocation log.
        InvocationLog = "invocation_log",
        /// Logs of applications.
        ApplicationLog = "application_log",
        /// `CloudTrail`.
        CloudTrail = "cloudtrail",
        /// Metrics of `CloudWatch`.
        CloudWatch = "cloudwatch",
    }
}

/// A signal that counts calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSignal {
    /// Which log it is of.
    pub source: Source,
    /// Model id.
    pub model: String,
    /// Whether its calls were throttled.
    pub is_throttled: bool,
    /// The pool of quotas that its calls take from, if it is known.
    pub pool: Option<Pool>,
}

impl CallSignal {
    /// Returns what a signal counts, if it counts calls.
    pub fn of(key: &SignalKey) -> Option<Self> {
        let (source, state) = match key.signal {
            Signal::ApiCalls => (Source::CloudTrail, "outcome"),
            Signal::CloudWatchRequests => (Source::CloudWatch, "result"),
            _ => return None,
        };
        let value = |label: &str| {
            let place = key.signal.labels().iter().position(|name| *name == label)?;
            key.values.get(place).map(String::as_str)
        };
        let (model, state) = (value("model")?.to_owned(), value(state)?);
        let route = value("route").and_then(Route::from_name);
        let pool =
            route.and_then(|route| Pool::on_demand(&key.account, &key.region, &model, route));
        Some(Self { source, model, is_throttled: state == "throttled", pool })
    }
}

/// Throttled calls of one pool that `CloudTrail` and `CloudWatch` tell of.
#[derive(Debug, Default)]
pub struct Elsewhere {
    /// By minute, what each of the two says.
    minutes: BTreeMap<UnixMillis, BTreeMap<Source, u64>>,
}

impl Elsewhere {
    /// Adds throttled calls of a minute.
    pub fn add(&mut self, minute: UnixMillis, source: Source, calls: u64) {
        let calls_of = self.minutes.entry(minute).or_default().entry(source).or_default();
        *calls_of = calls_of.saturating_add(calls);
    }

    /// Returns how many calls of a minute were throttled: what the log says that knows of most.
    pub fn throttled(&self, minute: UnixMillis) -> u64 {
        self.minutes.get(&minute).and_then(|by| by.values().max()).copied().unwrap_or(0)
    }

    /// Returns the minutes in which calls were throttled, in order.
    pub fn throttled_minutes(&self) -> impl Iterator<Item = UnixMillis> + '_ {
        self.minutes.keys().copied()
    }

    /// Forgets what was before `from`.
    pub fn forget_before(&mut self, from: UnixMillis) {
        self.minutes = self.minutes.split_off(&from);
    }

    /// Tells whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::MINUTE_MS;

    /// What the log of calls itself has no pool for has none here either.
    #[test]
    fn only_calls_of_known_models_have_a_pool() {
        let pool = |model: &str, route: &str| {
            let values = [model, route, "throttled"].map(str::to_owned).to_vec();
            let (account, region) = ("1".to_owned(), "us-east-1".to_owned());
            let signal = Signal::CloudWatchRequests;
            CallSignal::of(&SignalKey { signal, account, region, values }).unwrap().pool
        };
        let found = pool("anthropic.claude-v2:1:200k", "in_region").unwrap();
        assert_eq!(found.model, "anthropic.claude-v2:1");
        for (model, route) in [
            ("unknown", "in_region"),
            ("other", "geo"),
            ("application-inference-profile/a1", "geo"),
            ("anthropic.claude-v2:1", "provisioned"),
            ("anthropic.claude-v2:1", "unknown"),
        ] {
            assert_eq!(pool(model, route), None, "{model} {route}");
        }
    }

    /// `CloudTrail` and `CloudWatch` tell of the same calls.
    #[test]
    fn what_several_logs_say_is_not_added() {
        let mut elsewhere = Elsewhere::default();
        let minute = |number: i64| UnixMillis(number * MINUTE_MS);
        elsewhere.add(minute(1), Source::CloudTrail, 3);
        elsewhere.add(minute(1), Source::CloudTrail, 4);
        elsewhere.add(minute(1), Source::CloudWatch, 6);
        elsewhere.add(minute(2), Source::CloudWatch, 2);
        assert_eq!([1, 2, 3].map(|number| elsewhere.throttled(minute(number))), [7, 2, 0]);
        elsewhere.forget_before(minute(2));
        assert_eq!(elsewhere.throttled_minutes().collect::<Vec<_>>(), [minute(2)]);
    }
}
