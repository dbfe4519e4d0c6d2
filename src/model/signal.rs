//! What logs tell beside calls: gateway answers, runs of functions, denied calls, metrics of others.
//!
//! A [`Signal`] is one family of such facts: what is measured, and which labels it has. It must never
//! hold tokens or dollars that a call is counted with: a signal is evidence beside the ledger of
//! calls, so nothing is counted twice when both are read.

use serde::{Deserialize, Serialize};

use super::names::names;
use super::series::OTHER;

names! {
    /// A family of signals.
    Signal {
        /// Calls as `CloudTrail` saw them.
        ApiCalls = "api_calls",
        /// Answers of an API gateway.
        GatewayRequests = "gateway_requests",
        /// Failed answers of an API gateway or of what is behind it.
        GatewayErrors = "gateway_errors",
        /// Time that an API gateway took to answer, microseconds.
        GatewayDuration = "gateway_duration",
        /// Runs of a Lambda function.
        LambdaInvocations = "lambda_invocations",
        /// Duration of cold starts, microseconds.
        LambdaInitDuration = "lambda_init_duration",
        /// Cold starts that failed.
        LambdaInitFailures = "lambda_init_failures",
        /// Time that Lambda bills, microseconds.
        LambdaBilledDuration = "lambda_billed_duration",
        /// Memory that a function may use, bytes.
        LambdaMemorySize = "lambda_memory_size",
        /// Memory that a function used, bytes.
        LambdaMemoryUsed = "lambda_memory_used",
        /// Log records that Lambda dropped.
        LambdaLogsDropped = "lambda_logs_dropped",
        /// Calls as `CloudWatch` counts them.
        CloudWatchRequests = "cloudwatch_requests",
        /// Tokens as `CloudWatch` counts them.
        CloudWatchTokens = "cloudwatch_tokens",
        /// Latency as `CloudWatch` sums it up, microseconds.
        CloudWatchDuration = "cloudwatch_duration",
        /// Time to the first token as `CloudWatch` sums it up, microseconds.
        CloudWatchFirstToken = "cloudwatch_first_token",
        /// Tokens that `CloudWatch` estimates for the quota.
        CloudWatchQuotaTokens = "cloudwatch_quota_tokens",
        /// Images that models made.
        CloudWatchImages = "cloudwatch_images",
        /// Invocation logs that Bedrock delivered or could not deliver.
        LogDeliveries = "log_deliveries",
        /// Messages in a queue.
        QueueMessages = "queue_messages",
        /// Age of the oldest message in a queue, microseconds.
        QueueAge = "queue_age",
        /// Records of batch inference jobs, by their manifests.
        BatchRecords = "batch_records",
        /// Tokens of batch inference jobs, by their manifests.
        BatchTokens = "batch_tokens",
        /// Errors in applications' logs that belong to no counted call.
        LogErrors = "log_errors",
        /// Retries that such errors tell of.
        LogRetries = "log_retries",
        /// Such errors after the last retry.
        LogRetriesExhausted = "log_retries_exhausted",
    }
}

/// What the values of a family add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A sum that only grows.
    Counter,
    /// How many values are up to each bound, and their sum.
    Histogram(&'static [u64]),
    /// How many values there were, and their sum: what is left of a histogram by others.
    Summary,
    /// The value at the latest time.
    Latest,
    /// The largest value.
    Largest,
}

/// Upper bounds of durations in microseconds. API Gateway gives up after 29 s by default ("Maximum
/// integration timeout" of its quotas), so what comes close to it can be told.
pub const DURATION_US_BOUNDS: [u64; 15] = [
    50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 15_000_000,
    20_000_000, 25_000_000, 28_000_000, 29_000_000, 30_000_000, 60_000_000,
];

impl Signal {
    /// Returns the names of its labels behind `account` and `region`.
    pub fn labels(self) -> &'static [&'static str] {
        match self {
            Self::ApiCalls => &[
                "model",
                "route",
                "principal",
                "operation",
                "outcome",
                "endpoint",
                "inference_region",
            ],
            Self::GatewayRequests => &["route_path", "status"],
            Self::GatewayErrors => &["route_path", "outcome"],
            Self::GatewayDuration => &["route_path"],
            Self::LambdaInvocations | Self::LambdaInitFailures => &["function", "outcome"],
            Self::LambdaInitDuration
            | Self::LambdaBilledDuration
            | Self::LambdaMemorySize
            | Self::LambdaMemoryUsed
            | Self::LambdaLogsDropped => &["function"],
            Self::CloudWatchRequests => &["model", "route", "result"],
            Self::CloudWatchTokens => &["model", "route", "token_class"],
            Self::CloudWatchDuration
            | Self::CloudWatchFirstToken
            | Self::CloudWatchQuotaTokens
            | Self::CloudWatchImages => &["model", "route"],
            Self::LogDeliveries => &["destination", "result"],
            Self::QueueMessages => &["queue", "state"],
            Self::QueueAge => &["queue"],
            Self::BatchRecords => &["result"],
            Self::BatchTokens => &["token_class"],
            Self::LogErrors | Self::LogRetries | Self::LogRetriesExhausted => {
                &["model", "route", "outcome"]
            }
        }
    }

    /// Returns what its values add up to.
    pub fn measure(self) -> Measure {
        match self {
            Self::GatewayDuration | Self::LambdaInitDuration | Self::LambdaBilledDuration => {
                Measure::Histogram(&DURATION_US_BOUNDS)
            }
            Self::CloudWatchDuration | Self::CloudWatchFirstToken => Measure::Summary,
            Self::LambdaMemorySize | Self::QueueMessages | Self::QueueAge => Measure::Latest,
            Self::LambdaMemoryUsed => Measure::Largest,
            _ => Measure::Counter,
        }
    }
}

/// One combination of everything that the values of a family are kept apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignalKey {
    /// The family.
    pub signal: Signal,
    /// AWS account id, or [`super::series::UNKNOWN`].
    pub account: String,
    /// Region, or [`super::series::UNKNOWN`].
    pub region: String,
    /// Values of the labels, in the order of [`Signal::labels`].
    pub values: Vec<String>,
}

impl SignalKey {
    /// Returns the key that everything of the family beyond the cap folds into.
    #[must_use]
    pub fn folded(&self) -> Self {
        let other = || OTHER.to_owned();
        Self {
            signal: self.signal,
            account: other(),
            region: other(),
            values: self.values.iter().map(|_| other()).collect(),
        }
    }
}
