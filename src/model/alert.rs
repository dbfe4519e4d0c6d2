//! Alerts as plain data: what one is about, where it stands, and what a receiver is told of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::hash::stored_hash;
use super::names::names;
use super::time::UnixMillis;

names! {
    /// What is wrong, as the label `alertname` of Prometheus and Alertmanager spells it.
    AlertName {
        /// A budget is used up to one of its thresholds; once a period.
        BudgetThreshold = "TollkeeperBudgetThreshold",
        /// A budget burns so fast that the last hour took a share of the period that pages.
        BudgetBurnRateFast = "TollkeeperBudgetBurnRateFast",
        /// A budget burns so fast that the last hours took a share that wants a ticket.
        BudgetBurnRateSlow = "TollkeeperBudgetBurnRateSlow",
        /// A budget is not used up yet, but will be by the end of its period.
        BudgetForecast = "TollkeeperBudgetForecastOverLimit",
        /// Tokens without a price make a budget blind.
        BudgetBlind = "TollkeeperBudgetBlind",
        /// Spend is far above what is usual at this hour, or above the floor where nothing is usual yet.
        SpendSpike = "TollkeeperSpendSpike",
        /// Many calls are throttled.
        ThrottleRatio = "TollkeeperThrottleRatioHigh",
        /// Many calls are denied.
        AccessDeniedRatio = "TollkeeperAccessDeniedRatioHigh",
        /// Many calls time out.
        TimeoutRatio = "TollkeeperTimeoutRatioHigh",
        /// Many calls take nearly as long as the gateway waits.
        LatencyNearLimit = "TollkeeperLatencyNearLimit",
        /// Many calls end well without an answer.
        EmptyAnswers = "TollkeeperEmptyAnswerRatioHigh",
        /// Many answers are stopped by guardrails or content filters.
        FilteredAnswers = "TollkeeperFilteredAnswerRatioHigh",
        /// A source is read late.
        IngestLag = "TollkeeperIngestLag",
        /// A source that used to have records has none any more.
        IngestSilent = "TollkeeperIngestSilent",
        /// A model without a price is in use.
        UnpricedModel = "TollkeeperUnpricedModel",
        /// What applications report as cost differs from what we compute.
        ReportedCostDiffers = "TollkeeperReportedCostDiffers",
        /// The price book is old.
        PriceBookStale = "TollkeeperPriceBookStale",
        /// Not about anything: sent by `tollkeeper alert test`.
        Test = "TollkeeperTest",
    }
}

names! {
    /// How soon a person should look; later ones are more urgent.
    Severity {
        /// When there is time.
        Notice = "notice",
        /// Within a working day.
        Ticket = "ticket",
        /// Now.
        Page = "page",
    }
}

names! {
    /// Which of the two things a notice tells.
    NoticeStatus {
        /// The alert began.
        Firing = "firing",
        /// The alert is over.
        Resolved = "resolved",
    }
}

names! {
    /// What became of a notice.
    DeliveryResult {
        /// The receiver took it.
        Delivered = "delivered",
        /// The receiver refused it for good.
        Rejected = "rejected",
        /// It was too old to be tried any longer.
        GivenUp = "given_up",
        /// Its route is no longer in the config.
        NoRoute = "no_route",
        /// The outbox was full.
        Dropped = "dropped",
    }
}

/// What an alert is about: two alerts with the same key are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    /// What is wrong.
    pub name: AlertName,
    /// With what: `budget`, `threshold`, `model`, `principal`, `source`, …, never `alertname` or
    /// `severity`.
    pub labels: BTreeMap<String, String>,
}

/// What a person is told about an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// One line: what, how much, who.
    pub summary: String,
    /// A few lines more: who and what explains it, largest first, and what to do.
    pub details: Vec<String>,
    /// The numbers in it, for programs: value by name, exact decimals.
    pub values: BTreeMap<String, String>,
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// True, but not for long enough yet.
    Pending,
    /// Receivers were told.
    Firing {
        /// Since when.
        fired: UnixMillis,
        /// When it was last true.
        last_true: UnixMillis,
    },
}

/// The state of an alert that is pending or firing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertState {
    /// Where it stands.
    pub phase: Phase,
    /// How urgent it is.
    pub severity: Severity,
    /// Since when it is true.
    pub since: UnixMillis,
    /// What is told, as of the last change worth telling.
    pub brief: Brief,
}

/// Something to be sent through one route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its number in this ledger, counted up from 1; notices of a route are sent in this order.
    pub number: u64,
    /// Name of the route.
    pub route: String,
    /// What it tells.
    pub status: NoticeStatus,
    /// What the alert is about.
    pub key: AlertKey,
    /// How urgent it is.
    pub severity: Severity,
    /// What is told.
    pub brief: Brief,
    /// Since when the alert is true.
    pub since: UnixMillis,
    /// When it fired: with the key this names one episode of the alert.
    pub fired: UnixMillis,
    /// When it was over, if it is.
    pub ended: Option<UnixMillis>,
}

impl AlertKey {
    /// Returns the key of an alert.
    pub fn new(name: AlertName, labels: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { name, labels: labels.iter().map(owned).collect() }
    }
}

/// Spells the key as Prometheus does: `Name{label="value"}`.
impl fmt::Display for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())?;
        let labels: Vec<_> =
            self.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        if labels.is_empty() { Ok(()) } else { write!(f, "{{{}}}", labels.join(",")) }
    }
}

impl Notice {
    /// Returns what names one episode of an alert for good: the same text at every attempt to send
    /// it and for its end, another one when the alert fires again. At most 80 characters.
    pub fn deduplication_key(&self) -> String {
        let about = stored_hash(self.key.to_string().as_bytes());
        format!("{}-{about:016x}-{}", self.key.name.as_str(), self.fired.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(labels: &[(&str, &str)], fired: i64, status: NoticeStatus) -> Notice {
        Notice {
            number: 1,
            route: "pager".to_owned(),
            status,
            key: AlertKey::new(AlertName::SpendSpike, labels),
            severity: Severity::Page,
            brief: Brief::default(),
            since: UnixMillis(fired - 1),
            fired: UnixMillis(fired),
            ended: None,
        }
    }

    #[test]
    fn one_episode_has_one_deduplication_key() {
        let key = |labels, fired, status| notice(labels, fired, status).deduplication_key();
        let first = key(&[("model", "a")], 10, NoticeStatus::Firing);
        assert_eq!(first, key(&[("model", "a")], 10, NoticeStatus::Resolved));
        assert_ne!(first, key(&[("model", "a")], 11, NoticeStatus::Firing));
        assert_ne!(first, key(&[("model", "b")], 10, NoticeStatus::Firing));
        let longest = AlertName::ALL.iter().map(|name| name.as_str().len()).max();
        assert!(longest.is_some_and(|longest| longest + 1 + 16 + 1 + 13 <= 80));
    }

    #[test]
    fn a_key_is_spelled_as_prometheus_does() {
        let key = AlertKey::new(AlertName::SpendSpike, &[("model", "a\"b"), ("account", "1")]);
        assert_eq!(key.to_string(), "TollkeeperSpendSpike{account=\"1\",model=\"a\\\"b\"}");
    }
}
