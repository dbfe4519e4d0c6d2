//! Every metric: its name, type and help. Dashboards, alert rules and README are checked against
//! this list.

use prometheus::proto::MetricType;

/// A metric family.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name as exposed.
    pub name: &'static str,
    /// Prometheus type.
    pub kind: MetricType,
    /// What it says, from what, and when it can be wrong.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal $help:literal;)+) => {
        $(
            #[doc = $help]
            #[allow(clippy::doc_markdown, reason = "a help text is shown as it is")]
            pub const $constant: Metric =
                Metric { name: $name, kind: MetricType::$kind, help: $help };
        )+
        /// Every metric of the daemon, in the order of the page (`process_*` comes beside them).
        pub const ALL: &[Metric] = &[$($constant,)+];
    };
}

metrics! {
    REQUESTS = COUNTER "tollkeeper_requests_total"
        "Model calls by operation and outcome, each attempt counted once. An invocation log may not hold throttled calls: 0 is no proof that there were none.";
    ERRORS = COUNTER "tollkeeper_request_errors_total"
        "Failed model calls by error code.";
    RETRIES = COUNTER "tollkeeper_request_retries_total"
        "Retries that the errors of failed calls tell of; each was an attempt beside the call itself.";
    RETRIES_EXHAUSTED = COUNTER "tollkeeper_request_retries_exhausted_total"
        "Failed calls whose client gave up after its last retry, where the error tells.";
    STOP_REASONS = COUNTER "tollkeeper_stop_reasons_total"
        "Answers by stop reason, where the log holds it.";
    EMPTY_RESPONSES = COUNTER "tollkeeper_empty_responses_total"
        "Calls that ended well without one output token, where the log counts output.";
    TOKENS = COUNTER "tollkeeper_tokens_total"
        "Tokens by billing class; the classes are a partition, so their sum is what was used.";
    REASONING_TOKENS = COUNTER "tollkeeper_reasoning_tokens_total"
        "Output tokens spent on reasoning, where the log tells; contained in the class output.";
    COST = COUNTER "tollkeeper_cost_usd_total"
        "Estimated cost of priced tokens at list price of the time of the call; discounts, commitments and free tiers are not in it.";
    WASTED_COST = COUNTER "tollkeeper_wasted_cost_usd_total"
        "Estimated cost of the tokens of calls that failed or timed out, where the log holds their tokens; contained in the cost.";
    REPORTED_COST = COUNTER "tollkeeper_reported_cost_usd_total"
        "Cost that the applications' own logs claim, to compare with the computed cost.";
    REPORTED_BASIS = COUNTER "tollkeeper_reported_cost_basis_usd_total"
        "Estimated cost of the calls whose own log claims a cost; the claims divided by it tell how far they are off.";
    UNPRICED_TOKENS = COUNTER "tollkeeper_unpriced_tokens_total"
        "Tokens without a price, by class and reason; their cost is missing from the cost.";
    APPROXIMATED = COUNTER "tollkeeper_approximated_records_total"
        "Calls whose amounts rest on an assumption, by the assumption.";
    DURATION = HISTOGRAM "tollkeeper_request_duration_seconds"
        "Duration of model calls, only where the log tells it.";
    FIRST_TOKEN = HISTOGRAM "tollkeeper_time_to_first_token_seconds"
        "Time to the first byte of streamed answers, only where the log tells it.";
    INPUT_TOKENS = HISTOGRAM "tollkeeper_request_input_tokens"
        "Input tokens per call, cached ones included.";
    OUTPUT_TOKENS = HISTOGRAM "tollkeeper_request_output_tokens"
        "Output tokens per call.";
    PRICE = GAUGE "tollkeeper_price_usd_per_million_tokens"
        "Price now in force for the series seen, by token class.";
    PRICE_BOOK_INFO = GAUGE "tollkeeper_price_book_info"
        "The price book in use.";
    PRICE_BOOK_TIMESTAMP = GAUGE "tollkeeper_price_book_timestamp_seconds"
        "Time of the price book in use.";
    PROVISIONED_COST = COUNTER "tollkeeper_provisioned_cost_usd_total"
        "What provisioned throughput of the config has cost, by the minute of its hours; the calls on it cost no tokens.";
    FIXED_COST = COUNTER "tollkeeper_fixed_cost_usd_total"
        "What the fixed costs of the config have come to, by the hour, the call or the gigabyte of log.";
    PROVISIONED_UNITS = GAUGE "tollkeeper_provisioned_model_units"
        "Model units of provisioned throughput that is paid now.";
    PROVISIONED_COST_PER_HOUR = GAUGE "tollkeeper_provisioned_cost_usd_per_hour"
        "What provisioned throughput that is paid now costs an hour, all its units together.";
    PROVISIONED_UTILIZATION = GAUGE "tollkeeper_provisioned_utilization_ratio"
        "Tokens of the last five full minutes by event time against the declared capacity; absent where none is declared. Throughputs of one model, account and region show what they are used together.";
    PROVISIONED_IDLE = GAUGE "tollkeeper_provisioned_idle_usd_per_hour"
        "The part of the hourly cost that is paid for capacity without use in the last five full minutes.";
    PROVISIONED_OVERFLOW_REQUESTS = GAUGE "tollkeeper_provisioned_overflow_requests_per_minute"
        "On-demand calls of the same model, account and region in the last five full minutes; throughputs that share them show the same.";
    PROVISIONED_OVERFLOW_TOKENS = GAUGE "tollkeeper_provisioned_overflow_tokens_per_minute"
        "Tokens of these calls.";
    PROVISIONED_DEAD_ZONE = GAUGE "tollkeeper_provisioned_dead_zone_minutes"
        "Of the last 15 full minutes, those in which the throughput was used to 95 % or more while on-demand calls of the same model were throttled.";
    CLOUDTRAIL_CALLS = COUNTER "tollkeeper_cloudtrail_calls_total"
        "Model calls that CloudTrail tells of, by operation, outcome and whether they came through a VPC endpoint; the same calls as those of other logs, so never add them.";
    GATEWAY_REQUESTS = COUNTER "tollkeeper_gateway_requests_total"
        "Requests in access logs of API Gateway, by route and status.";
    GATEWAY_ERRORS = COUNTER "tollkeeper_gateway_errors_total"
        "Requests that API Gateway or what is behind it failed, by outcome; also those that the client saw as 200.";
    GATEWAY_DURATION = HISTOGRAM "tollkeeper_gateway_duration_seconds"
        "Time that API Gateway took to answer; it gives up after 29 s by default.";
    LAMBDA_INVOCATIONS = COUNTER "tollkeeper_lambda_invocations_total"
        "Runs of Lambda functions that were reported, by outcome: `unknown` where a report in text names no status, which it does of crashes and timeouts only; see the log errors too. The function is known from the log group of an envelope.";
    LAMBDA_INIT_DURATION = HISTOGRAM "tollkeeper_lambda_init_duration_seconds"
        "Duration of cold starts of Lambda functions; the count is the number of cold starts that were reported.";
    LAMBDA_INIT_FAILURES = COUNTER "tollkeeper_lambda_init_failures_total"
        "Cold starts of Lambda functions that failed or timed out.";
    LAMBDA_BILLED_DURATION = HISTOGRAM "tollkeeper_lambda_billed_duration_seconds"
        "Time that Lambda bills for a run.";
    LAMBDA_MEMORY_SIZE = GAUGE "tollkeeper_lambda_memory_size_bytes"
        "Memory that a Lambda function may use, by its latest report.";
    LAMBDA_MEMORY_USED = GAUGE "tollkeeper_lambda_memory_used_max_bytes"
        "Most memory that a run of a Lambda function used, over everything read.";
    LAMBDA_LOGS_DROPPED = COUNTER "tollkeeper_lambda_logs_dropped_total"
        "Log records that Lambda says it dropped: what they told is missing everywhere.";
    CLOUDWATCH_REQUESTS = COUNTER "tollkeeper_cloudwatch_requests_total"
        "Model calls as CloudWatch counts them, by result; the same calls as those of other logs, so never add them. Throttled calls are in no other result.";
    CLOUDWATCH_TOKENS = COUNTER "tollkeeper_cloudwatch_tokens_total"
        "Tokens as CloudWatch counts them; the same tokens as those of other logs, so never add them.";
    CLOUDWATCH_DURATION = SUMMARY "tollkeeper_cloudwatch_request_duration_seconds"
        "Latency of model calls as CloudWatch sums it up.";
    CLOUDWATCH_FIRST_TOKEN = SUMMARY "tollkeeper_cloudwatch_time_to_first_token_seconds"
        "Time to the first token of streamed answers as CloudWatch sums it up.";
    CLOUDWATCH_QUOTA_TOKENS = COUNTER "tollkeeper_cloudwatch_estimated_quota_tokens_total"
        "Tokens that CloudWatch estimates to count against the quota; what is reserved when a call starts is not in it.";
    CLOUDWATCH_IMAGES = COUNTER "tollkeeper_cloudwatch_images_total"
        "Images that models made, as CloudWatch counts them.";
    LOG_DELIVERIES = COUNTER "tollkeeper_invocation_log_deliveries_total"
        "Invocation logs that Bedrock delivered or failed to deliver, as CloudWatch counts them: calls of a failed delivery are missing everywhere.";
    QUEUE_MESSAGES = GAUGE "tollkeeper_queue_messages"
        "Most messages in an SQS queue within the latest data point, by state.";
    QUEUE_AGE = GAUGE "tollkeeper_queue_oldest_message_age_seconds"
        "Age of the oldest message in an SQS queue within the latest data point.";
    BATCH_RECORDS = COUNTER "tollkeeper_batch_manifest_records_total"
        "Records of batch inference jobs by their manifests.";
    BATCH_TOKENS = COUNTER "tollkeeper_batch_manifest_tokens_total"
        "Tokens of batch inference jobs by their manifests; the same tokens as those of the jobs' output files, so never add them.";
    LOG_ERRORS = COUNTER "tollkeeper_log_errors_total"
        "Errors in logs that belong to no counted call, by outcome; the model is known where the error names an endpoint.";
    LOG_RETRIES = COUNTER "tollkeeper_log_retries_total"
        "Retries that such errors tell of.";
    LOG_RETRIES_EXHAUSTED = COUNTER "tollkeeper_log_retries_exhausted_total"
        "Such errors that came after the last retry.";
    INGEST_RECORDS = COUNTER "tollkeeper_ingest_records_total"
        "Lines read by source, kind of record and what became of them.";
    INGEST_BYTES = COUNTER "tollkeeper_ingest_bytes_total"
        "Bytes of logs counted, uncompressed.";
    INGEST_LOST_BYTES = COUNTER "tollkeeper_ingest_lost_bytes_total"
        "Bytes of logs that were seen to exist and that no file holds any more.";
    INGEST_LATE = COUNTER "tollkeeper_ingest_late_records_total"
        "Records older than the deduplication window: counted, but a duplicate of them may not be noticed.";
    INGEST_LAG = GAUGE "tollkeeper_ingest_lag_seconds"
        "Age of the newest record counted while there is a backlog, else 0.";
    INGEST_LAST_EVENT = GAUGE "tollkeeper_ingest_last_event_timestamp_seconds"
        "Time of the newest record counted.";
    INGEST_BACKLOG = GAUGE "tollkeeper_ingest_backlog_bytes"
        "Bytes in log files that are not counted yet.";
    INGEST_FILES = GAUGE "tollkeeper_ingest_files"
        "Log files known, by whether they are held open.";
    INGEST_PROBLEMS = GAUGE "tollkeeper_ingest_unreadable_paths"
        "Paths that can't be read; the log names them.";
    INGEST_FILE_CHANGES = COUNTER "tollkeeper_ingest_file_changes_total"
        "What happened to log files.";
    COMMIT_DURATION = HISTOGRAM "tollkeeper_ledger_commit_duration_seconds"
        "Time to make one commit durable, since the start of the process.";
    LEDGER_BYTES = GAUGE "tollkeeper_ledger_bytes"
        "Bytes of the ledger on disk.";
    LEDGER_SERIES = GAUGE "tollkeeper_ledger_series"
        "Series in the ledger.";
    LEDGER_CREATED = GAUGE "tollkeeper_ledger_created_timestamp_seconds"
        "When the ledger was made; the counters have been growing since then, across restarts.";
    LEDGER_COMMITTED = GAUGE "tollkeeper_ledger_last_commit_timestamp_seconds"
        "When the last commit was made; 0 before the first one of this process.";
    DEDUPLICATION_IDS = GAUGE "tollkeeper_deduplication_ids"
        "Request ids remembered.";
    DEDUPLICATION_EVICTED = COUNTER "tollkeeper_deduplication_slices_evicted_early_total"
        "Slices of request ids forgotten before the window was over because of the cap, since the start of the process.";
    SERIES_OVERFLOW = COUNTER "tollkeeper_series_overflow_total"
        "Calls folded into the label value other, by the cap that was reached.";
    SPEND_RATE = GAUGE "tollkeeper_spend_rate_usd_per_hour"
        "Spend of the last minutes by event time, as dollars an hour, by model; late records are not in it yet.";
    SPEND_BASELINE = GAUGE "tollkeeper_spend_baseline_usd_per_hour"
        "What is usually spent at this hour, from the same hours of earlier weeks; absent where there is no history. Do not add: the dimensions overlap.";
    SPEND_ANOMALY_SCORE = GAUGE "tollkeeper_spend_anomaly_score"
        "Spend rate divided by the rate above which it is a spike: above 1 it is one. Do not add: the dimensions overlap.";
    SPEND_UNCOMPARED = COUNTER "tollkeeper_spend_uncompared_rows_total"
        "Rows of callers and models that are not compared with what is usual, since there are too many, since the start of the process; they count in the total.";
    BUDGET_FOLDED = GAUGE "tollkeeper_budget_folded_series"
        "Series whose value shares the part other of a budget that is divided by a label, since it has too many values.";
    BUDGET_LIMIT_USD = GAUGE "tollkeeper_budget_limit_usd"
        "Limit of the present period, with what was carried over. Budgets may overlap, so a sum over them means nothing, here and below.";
    BUDGET_LIMIT_TOKENS = GAUGE "tollkeeper_budget_limit_tokens"
        "Limit of the present period of budgets in tokens.";
    BUDGET_SPENT_USD = GAUGE "tollkeeper_budget_spent_usd"
        "Spent in the present period.";
    BUDGET_SPENT_TOKENS = GAUGE "tollkeeper_budget_spent_tokens"
        "Tokens used in the present period of budgets in tokens.";
    BUDGET_FORECAST_USD = GAUGE "tollkeeper_budget_forecast_usd"
        "What the period is expected to come to, with a low and a high bound; absent while it is too early to tell.";
    BUDGET_FORECAST_TOKENS = GAUGE "tollkeeper_budget_forecast_tokens"
        "What the period of a budget in tokens is expected to come to.";
    BUDGET_USED = GAUGE "tollkeeper_budget_used_ratio"
        "Spent divided by the limit.";
    BUDGET_UNPRICED = GAUGE "tollkeeper_budget_unpriced_ratio"
        "Share of the tokens of the period that have no price: what a budget in dollars is blind to.";
    BUDGET_STRADDLING = GAUGE "tollkeeper_budget_straddling_usd"
        "Spend counted in the period before although some of it may be of this one: a row by the hour was older than the budget.";
    BUDGET_BURN_RATE = GAUGE "tollkeeper_budget_burn_rate"
        "Pace of spending over a window; 1 uses up exactly the limit by the end of the period.";
    BUDGET_BURN_SCORE = GAUGE "tollkeeper_budget_burn_score"
        "Burn rate divided by that of the alert rule for the length of the period, of its slower window; from 1 on the rule holds. 0 while too little was spent, or the forecast is within the limit.";
    BUDGET_EXHAUSTION = GAUGE "tollkeeper_budget_exhaustion_timestamp_seconds"
        "When the limit was used up or is expected to be; absent if it lasts, as far as can be told.";
    BUDGET_PERIOD_START = GAUGE "tollkeeper_budget_period_start_timestamp_seconds"
        "Start of the present period.";
    BUDGET_PERIOD_END = GAUGE "tollkeeper_budget_period_end_timestamp_seconds"
        "End of the present period.";
    QUOTA_LIMIT = GAUGE "tollkeeper_quota_limit"
        "Limit of a quota, and where it is known from: config, service_quotas, or AWS's default, which the account may not have.";
    QUOTA_USED = GAUGE "tollkeeper_quota_used"
        "Quota tokens that calls of the last full minute (or of the day so far, UTC) settled to, or calls that began in it; by event time.";
    QUOTA_PEAK = GAUGE "tollkeeper_quota_peak"
        "Most that counted against the limit at once in the last full minute: what open calls reserve, and what calls of the sixty seconds before settled to. Calls of other accounts' tools that are not in the logs are not in it.";
    QUOTA_RESERVED = GAUGE "tollkeeper_quota_reserved"
        "Most quota tokens that open calls reserved at once in the last full minute (input and max_tokens); only the input of calls whose max_tokens is not logged.";
    QUOTA_HEADROOM = GAUGE "tollkeeper_quota_headroom_ratio"
        "What the peak leaves of the limit, 0 to 1; absent where no limit is known.";
    QUOTA_GROWTH = GAUGE "tollkeeper_quota_used_growth_per_minute"
        "By how much the use of a minute grows each minute, over the last ten; of a day, what a minute adds on average.";
    QUOTA_EXHAUSTION = GAUGE "tollkeeper_quota_exhaustion_timestamp_seconds"
        "When the limit is reached at the present growth; absent if it is not within a day.";
    QUOTA_OPEN = GAUGE "tollkeeper_quota_open_requests"
        "Most calls that were open at once in the last full minute.";
    THROTTLES_EXPLAINED = GAUGE "tollkeeper_throttled_requests_explained"
        "Calls throttled in the last ten minutes, by the limit that they ran into and how sure that is.";
    THROTTLE_RATIO = GAUGE "tollkeeper_throttle_ratio"
        "Share of throttled calls over a window of event time, by the log that says so. The same calls may be in several logs, so never add them; 0 in an invocation log is no proof.";
    ALERTS_FIRING = GAUGE "tollkeeper_alerts_firing"
        "Alerts that fire.";
    ALERT_DELIVERIES = COUNTER "tollkeeper_alert_deliveries_total"
        "Notices of alerts that left the outbox, by what became of them, since the ledger was made; every result but delivered is an alert that a receiver never showed.";
    ALERT_ATTEMPTS = COUNTER "tollkeeper_alert_delivery_attempts_total"
        "Attempts to reach the receiver of a route, by how they ended, since the start of the process; those that send firing alerts again are among them.";
    ALERT_LAST_DELIVERY = GAUGE "tollkeeper_alert_last_delivery_timestamp_seconds"
        "When the receiver of a route last took what it was sent; 0 before the first time.";
    ALERT_OUTBOX = GAUGE "tollkeeper_alert_outbox_notices"
        "Notices committed and not yet taken by the receiver of a route.";
    BUILD_INFO = GAUGE "tollkeeper_build_info"
        "The build that runs.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_prometheus() {
        let mut seen = BTreeSet::new();
        for metric in ALL {
            let name = metric.name;
            assert!(seen.insert(name), "{name} twice");
            assert!(name.starts_with("tollkeeper_"), "{name}");
            assert_eq!(
                metric.kind == MetricType::COUNTER,
                name.ends_with("_total"),
                "{name}: _total is for counters"
            );
            assert!(metric.help.ends_with('.'), "{name}: help is a sentence");
        }
    }
}
