//! The board *Quota and reliability*: how near the limits are, what is throttled and why, what fails, how long it
//! takes, what answers are like, and what stands around the calls.

use super::board::Board;
use super::panel::{BAD, GOOD, Panel, WARN};
use super::spend;

const UID: &str = "tollkeeper-quota";
/// Where an alert about throttled calls begins.
const THROTTLED: f64 = 0.05;
/// Where API Gateway gives up, in seconds.
const GATEWAY_LIMIT: f64 = 29.0;
/// What holds of every panel of counters.
const COUNTED: &str =
    "At the time at which calls were counted: a backlog that is caught up with looks like a burst.";
/// What holds of every panel of quotas.
const LAST_MINUTE: &str = "Of the last full minute of the records, not of the clock. Calls in no log that Tollkeeper \
     reads take from the quota too, and are not seen.";

pub(crate) fn board() -> Board {
    let mut board = Board::new(
        UID,
        "Tollkeeper / Quota and reliability",
        "now-6h",
        "How near calls are to AWS's quotas, which of them are throttled, fail or take long, and what API Gateway and \
         Lambda in front of them do. An invocation log may hold no throttled calls at all.",
    );
    quotas(&mut board);
    against_limit(&mut board);
    throttles(&mut board);
    throttled_callers(&mut board);
    errors(&mut board);
    latency(&mut board);
    answers(&mut board);
    gateway(&mut board);
    lambda(&mut board);
    provisioned(&mut board);
    board
}

fn quotas(board: &mut Board) {
    board.row("Quotas of AWS");
    let of = |expr: &str| format!("max by (account, region, model, route, quota) ({expr})");
    let gauge = |name: &str| of(&format!("tollkeeper_quota_{name}{{POOL}}"));
    let exhaustion = gauge("exhaustion_timestamp_seconds");
    board.add(
        Panel::table(
            ["Quotas", "short"],
            &format!(
                "*At once* is the most that counted against the limit: what open calls reserve and others settled to. \
                 *Used* is what calls settled to. Without a limit in the config or an export of Service Quotas it is AWS's \
                 default, which the account may not have. {LAST_MINUTE}"
            ),
        )
        .columns(
            &[
                ("model", "Model"),
                ("route", "Route"),
                ("account", "Account"),
                ("region", "Region"),
                ("quota", "Quota"),
            ],
            &[
                [
                    "Taken",
                    "percentunit",
                    &of("1 - tollkeeper_quota_headroom_ratio{POOL}"),
                ],
                ["At once", "short", &gauge("peak")],
                ["Used", "short", &gauge("used")],
                ["Limit", "short", &gauge("limit")],
                ["Grows a minute", "short", &gauge("used_growth_per_minute")],
                ["Limit is reached", "dateTimeFromNow", &format!("1000 * {exhaustion}")],
            ],
        )
        .with(
            "Taken",
            &[
                ("custom.cellOptions", serde_json::json!({"type": "gauge", "mode": "basic"})),
                ("min", serde_json::json!(0)),
                ("max", serde_json::json!(1)),
                ("color", serde_json::json!({"mode": "thresholds"})),
            ],
        )
        .steps(&[(0.8, WARN), (0.9, BAD)])
        .runbook("TollkeeperThrottleRatioHigh")
        .size(24, 9),
    );
    let labels = "account, region, model, route, quota";
    board.add(
        Panel::series(
            ["Headroom: the ten tightest of the range", "percentunit"],
            &format!("What the peak leaves of the limit; absent where no limit is known. {LAST_MINUTE}"),
        )
        .query(
            &format!(
                "min by ({labels}) (tollkeeper_quota_headroom_ratio{{POOL}}) and on ({labels}) bottomk(10, min by \
                 ({labels}) (min_over_time(tollkeeper_quota_headroom_ratio{{POOL}}[$__range] @ end())))"
            ),
            "{{model}} {{route}} {{region}} {{quota}}",
        )
        .rising(BAD, &[(0.1, WARN), (0.2, GOOD)])
        .lines()
        .min(0.0)
        .max(1.0)
        .size(16, 9),
    );
    board.add(
        Panel::bars(
            ["Time until a limit is reached", "dtdurations"],
            "At the growth of the last ten minutes, or of the day so far for limits of a day: a straight line into the \
             future, which traffic seldom is. Quotas whose limit is not reached within a day are not shown.",
        )
        .last(
            "sort(min by (model, route, quota) (tollkeeper_quota_exhaustion_timestamp_seconds{POOL}) - time())",
            "{{model}} {{route}} {{quota}}",
        )
        .rising(BAD, &[(600.0, WARN), (3_600.0, GOOD)])
        .or("none within a day")
        .size(8, 9),
    );
}

fn against_limit(board: &mut Board) {
    let share = |name: &str, quota: &str, by: &str| {
        format!(
            "max by ({by}) (tollkeeper_quota_{name}{{POOL{quota}}} / ignoring (source) tollkeeper_quota_limit{{POOL{quota}}})"
        )
    };
    let minute = ",quota=\"tokens_per_minute\"";
    let panel = |title, what: &str, expr: &str, legend| {
        Panel::series([title, "percentunit"], &format!("{what} {LAST_MINUTE}"))
            .query(expr, legend)
            .steps(&[(1.0, BAD)])
            .lines()
            .min(0.0)
            .size(8, 9)
    };
    board.add(panel(
        "Reserved, of the limit of tokens a minute",
        "What open calls held at once: their input and `max_tokens`. Too small where the log has no `max_tokens` or no \
         durations. The largest of the accounts and regions of a model and route.",
        &share("reserved", minute, "model, route"),
        "{{model}} {{route}}",
    ));
    board.add(panel(
        "Settled, of the limit",
        "What calls took in the end: input, cache writes, and output times the burndown rate. Far below what is reserved: \
         smaller `max_tokens` would help.",
        &share("used", "", "model, route, quota"),
        "{{model}} {{route}} {{quota}}",
    ));
    let sum = |name: &str| format!("sum(tollkeeper_quota_{name}{{POOL{minute}}})");
    board.add(
        Panel::series(
            ["Tokens a minute: reserved, settled, limit", "short"],
            &format!(
                "Summed over what is chosen, so it tells something of a limit only if one model, route, account and region \
                 is. {LAST_MINUTE}"
            ),
        )
        .query(&sum("limit"), "limit")
        .query(&sum("peak"), "at once")
        .query(&sum("reserved"), "reserved")
        .query(&sum("used"), "settled")
        .dashed("limit", BAD)
        .min(0.0)
        .size(8, 9),
    );
}

fn rate(by: &str, outcome: &str) -> String {
    format!("sum by ({by}) (rate(tollkeeper_requests_total{{CALLS{outcome}}}[$__rate_interval]))")
}

const THROTTLED_ONLY: &str = ",outcome=\"throttled\"";

fn throttles(board: &mut Board) {
    board.row("Throttled calls");
    let (throttled, all) = (rate("model", THROTTLED_ONLY), rate("model", ""));
    board.add(
        Panel::series(
            ["Throttled share of calls by model", "percentunit"],
            &format!(
                "As far as logs say: 0 in an invocation log is no proof that there were none. Retries within a client count \
                 only where the log has them. {COUNTED}"
            ),
        )
        .query(&format!("({throttled} or 0 * {all}) / {all}"), "{{model}}")
        .steps(&[(THROTTLED, BAD)])
        .lines()
        .min(0.0)
        .step("5m")
        .runbook("TollkeeperThrottleRatioHigh")
        .size(12, 9),
    );
    board.add(
        Panel::series(
            ["Throttled share by the log that says so", "percentunit"],
            "The worst model of each kind of log, over five minutes of event time. The same calls may be in several logs: \
             do not add them.",
        )
        .query("max by (source) (tollkeeper_throttle_ratio{MODEL,window=\"5m\"})", "{{source}}")
        .steps(&[(THROTTLED, BAD)])
        .lines()
        .min(0.0)
        .runbook("TollkeeperThrottleRatioHigh")
        .size(6, 9),
    );
    board.add(
        Panel::series(
            ["Throttled calls: logs and CloudWatch", "reqps"],
            "CloudWatch counts what an invocation log may not hold. Its line is there only if its metrics are read; they \
             come minutes late, and tell of all callers of the account.",
        )
        .query(
            "sum(rate(tollkeeper_requests_total{CALLS,outcome=\"throttled\"}[$__rate_interval]))",
            "counted in logs",
        )
        .query(
            "sum(rate(tollkeeper_cloudwatch_requests_total{POOL,result=\"throttled\"}[$__rate_interval]))",
            "CloudWatch",
        )
        .min(0.0)
        .step("5m")
        .size(6, 9),
    );
}

fn throttled_callers(board: &mut Board) {
    let by = "principal, model";
    let increase = |outcome: &str| {
        format!("sum by ({by}) (increase(tollkeeper_requests_total{{CALLS{outcome}}}[$__range]))")
    };
    let (throttled, all) = (increase(THROTTLED_ONLY), increase(""));
    let top = format!("topk(15, {throttled} > 0)");
    let cost = format!("sum by ({by}) (increase(tollkeeper_cost_usd_total{{CALLS}}[$__range]))");
    board.add(
        Panel::table(
            ["Callers that are throttled most", "short"],
            "Of the chosen range. Who is throttled need not be who fills the quota: compare the calls, and `tollkeeper \
             quota` tells who reserves how much. One row by model if callers are no label. What a series had when \
             Prometheus first saw it is missing.",
        )
        .columns(
            &[("principal", "Caller"), ("model", "Model")],
            &[
                ["Throttled", "short", &top],
                ["Calls", "short", &format!("{all} and on ({by}) {top}")],
                ["Share", "percentunit", &format!("{throttled} / {all} and on ({by}) {top}")],
                ["Spent", "currencyUSD", &format!("{cost} and on ({by}) {top}")],
            ],
        )
        .or("no call was throttled, as far as logs say")
        .leads_to("Caller", spend::UID, "principal")
        .runbook("TollkeeperThrottleRatioHigh")
        .size(12, 9),
    );
    board.add(
        Panel::series(
            ["Why calls were throttled", "short"],
            "Calls throttled in the last ten minutes of event time, by the limit that they ran into and how sure that is. \
             `tollkeeper quota` tells it in words, with who holds what. Nothing here: none was throttled.",
        )
        .query(
            "sum by (reason, confidence) (tollkeeper_throttled_requests_explained{POOL})",
            "{{reason}} ({{confidence}})",
        )
        .stacked()
        .min(0.0)
        .or("no call was throttled, as far as logs say")
        .runbook("TollkeeperThrottleRatioHigh")
        .size(12, 9),
    );
}

fn errors(board: &mut Board) {
    board.row("Errors");
    board.add(
        Panel::series(["Calls that did not end well, by outcome", "reqps"], COUNTED)
            .query(&rate("outcome", ",outcome!=\"ok\""), "{{outcome}}")
            .stacked()
            .min(0.0)
            .step("5m")
            .runbook("TollkeeperAccessDeniedRatioHigh")
            .size(6, 8),
    );
    let code =
        "sum by (error_code) (rate(tollkeeper_request_errors_total{CALLS}[$__rate_interval]))";
    board.add(
        Panel::series(
            ["Failed calls by error code", "reqps"],
            &format!("Codes that are not known to Tollkeeper are `other`. {COUNTED}"),
        )
        .query(code, "{{error_code}}")
        .stacked()
        .min(0.0)
        .step("5m")
        .size(6, 8),
    );
    let sum = |metric: &str, labels: &str| {
        format!("sum(rate(tollkeeper_{metric}_total{{{labels}}}[$__rate_interval]))")
    };
    board.add(
        Panel::series(
            ["Errors beside calls, and retries", "reqps"],
            "Errors in logs of programs that belong to no counted call, retries that errors tell of, and calls whose client \
             gave up. Few errors tell of retries: at least so many.",
        )
        .query(&sum("log_errors", "PLACE"), "errors in logs")
        .query(&sum("request_retries", "CALLS"), "retries")
        .query(&sum("request_retries_exhausted", "CALLS"), "gave up")
        .min(0.0)
        .step("5m")
        .size(6, 8),
    );
    board.add(
        Panel::series(
            ["Attempts for each call of applications", "none"],
            "Of calls that applications log, over an hour of event time: 1 without retries. Only retries that errors \
             tell of are known: at least so many.",
        )
        .query("max by (model) (tollkeeper_retry_amplification_ratio{MODEL,window=\"1h\"})", "{{model}}")
        .steps(&[(1.5, WARN)])
        .lines()
        .min(1.0)
        .or("no application logs its calls")
        .runbook("TollkeeperThrottleRatioHigh")
        .size(6, 8),
    );
}

fn quantile(quantile: &str, by: &str, metric: &str, labels: &str) -> String {
    format!(
        "histogram_quantile({quantile}, sum by (le{by}) (rate(tollkeeper_{metric}_seconds_bucket{{{labels}}}[$__rate_interval])))"
    )
}

/// What holds of every quantile.
const BUCKETS: &str = "Only calls whose log tells it; quantiles are as fine as the buckets, which are close around 29 s.";

fn latency(board: &mut Board) {
    board.row("Latency");
    let of_calls = |q: &str, by: &str| quantile(q, by, "request_duration", "CALLS");
    let limited = |panel: Panel| panel.steps(&[(GATEWAY_LIMIT, BAD)]).lines().min(0.0).step("5m");
    board.add(
        limited(Panel::series(
            ["Duration of calls", "s"],
            &format!("The line is at 29 s, where API Gateway gives up by default. {BUCKETS}"),
        ))
        .query(&of_calls("0.5", ""), "p50")
        .query(&of_calls("0.95", ""), "p95")
        .query(&of_calls("0.99", ""), "p99")
        .runbook("TollkeeperLatencyNearLimit")
        .size(8, 9),
    );
    board.add(
        limited(Panel::series(["Duration by model, p95", "s"], BUCKETS))
            .query(&of_calls("0.95", ", model"), "{{model}}")
            .runbook("TollkeeperLatencyNearLimit")
            .size(8, 9),
    );
    let first = |q: &str| quantile(q, ", model", "time_to_first_token", "CALLS");
    board.add(
        Panel::series(
            ["Time to the first token of streams", "s"],
            "Only streamed answers whose log tells it: Bedrock's log does so in the body, applications seldom.",
        )
        .query(&first("0.5"), "{{model}} p50")
        .query(&first("0.95"), "{{model}} p95")
        .min(0.0)
        .step("5m")
        .size(8, 9),
    );
}

fn answers(board: &mut Board) {
    board.row("Answers");
    let stops = |by: &str, reason: &str| {
        format!("sum{by} (rate(tollkeeper_stop_reasons_total{{CALLS{reason}}}[$__rate_interval]))")
    };
    let by_model = " by (model)";
    board.add(
        Panel::series(
            ["Answers by stop reason", "reqps"],
            &format!("Only where the log holds the reason, which is in the body. {COUNTED}"),
        )
        .query(&stops(" by (stop_reason)", ""), "{{stop_reason}}")
        .stacked()
        .min(0.0)
        .step("5m")
        .size(8, 8),
    );
    let (cut, all) = (stops(by_model, ",stop_reason=\"max_tokens\""), stops(by_model, ""));
    board.add(
        Panel::series(
            ["Answers cut off by max_tokens", "percentunit"],
            "Share of the answers whose stop reason is known. Many: answers are useless half of the time, and paid for.",
        )
        .query(&format!("({cut} or 0 * {all}) / {all}"), "{{model}}")
        .steps(&[(THROTTLED, WARN)])
        .lines()
        .min(0.0)
        .step("5m")
        .size(8, 8),
    );
    let empty = "sum by (model) (rate(tollkeeper_empty_responses_total{CALLS}[$__rate_interval]))";
    board.add(
        Panel::series(
            ["Empty answers", "percentunit"],
            "Share of calls that ended well without one output token, where the log counts output. Models that embed have \
             none and are not counted.",
        )
        .query(&format!("{empty} / {}", rate("model", ",outcome=\"ok\"")), "{{model}}")
        .steps(&[(0.05, BAD)])
        .lines()
        .min(0.0)
        .step("5m")
        .runbook("TollkeeperEmptyAnswerRatioHigh")
        .size(8, 8),
    );
}

fn gateway(board: &mut Board) {
    board.row("API Gateway (account and region only, where its log names them)");
    let panel = |title, unit, description: &str, expr: &str, legend| {
        let description =
            format!("From access logs of API Gateway, if they are read. {description}");
        Panel::series([title, unit], &description)
            .query(expr, legend)
            .min(0.0)
            .step("5m")
            .size(6, 8)
    };
    board.add(panel(
        "Gateway 504s a minute",
        "short",
        "The gateway gave up after 29 s; the call behind it went on, and is paid for. Nothing here: there was none.",
        "sum by (route_path) (rate(tollkeeper_gateway_requests_total{PLACE,status=\"504\"}[$__rate_interval])) * 60",
        "{{route_path}}",
    )
    .or("no 504")
    .runbook("TollkeeperTimeoutRatioHigh"));
    board.add(
        panel(
            "Gateway latency, p99",
            "s",
            "Longer than the call by what is in front of it; nothing is longer than the gateway's limit.",
            &quantile("0.99", ", route_path", "gateway_duration", "PLACE"),
            "{{route_path}}",
        )
        .steps(&[(GATEWAY_LIMIT, BAD)])
        .lines()
        .runbook("TollkeeperLatencyNearLimit"),
    );
    board.add(
        panel(
            "Gateway answers by status",
            "reqps",
            "What clients saw; a 200 may hide a failure.",
            "sum by (status) (rate(tollkeeper_gateway_requests_total{PLACE}[$__rate_interval]))",
            "{{status}}",
        )
        .stacked(),
    );
    board.add(
        panel(
            "Gateway failures by outcome",
            "reqps",
            "Also those behind a 200, where the log tells.",
            "sum by (outcome) (rate(tollkeeper_gateway_errors_total{PLACE}[$__rate_interval]))",
            "{{outcome}}",
        )
        .stacked(),
    );
}

fn lambda(board: &mut Board) {
    board.row("Lambda (account and region only, where its log names them)");
    let panel = |title, unit, description: &str, expr: &str, legend| {
        let description = format!("From reports of Lambda, if its logs are read. {description}");
        Panel::series([title, unit], &description)
            .query(expr, legend)
            .min(0.0)
            .step("5m")
            .size(6, 8)
    };
    let per_minute = |metric: &str, by: &str| {
        format!("sum by ({by}) (rate(tollkeeper_lambda_{metric}{{PLACE}}[$__rate_interval])) * 60")
    };
    let started = per_minute("init_duration_seconds_count", "function");
    board.add(panel(
        "Cold starts a minute",
        "short",
        "The function is known from the log group of an envelope, else `unknown`.",
        &started,
        "{{function}}",
    ));
    board.add(panel(
        "Share of runs with a cold start",
        "percentunit",
        "Of the runs that were reported.",
        &format!("{started} / ({})", per_minute("invocations_total", "function")),
        "{{function}}",
    ));
    board.add(panel(
        "Duration of cold starts, p95",
        "s",
        "As fine as the buckets.",
        &quantile("0.95", ", function", "lambda_init_duration", "PLACE"),
        "{{function}}",
    ));
    board.add(
        panel(
            "Runs a minute by outcome",
            "short",
            "`unknown` where a report in text names no status, which it does of crashes and timeouts only.",
            &per_minute("invocations_total", "outcome"),
            "{{outcome}}",
        )
        .stacked(),
    );
}

fn provisioned(board: &mut Board) {
    board.row("Provisioned throughput (all of it)");
    let panel = |title, unit, description: &str, expr: &str, legend| {
        let or = "nothing is declared, or no capacity of it";
        Panel::series([title, unit], description).query(expr, legend).min(0.0).or(or).size(8, 8)
    };
    board.add(
        panel(
            "Utilisation",
            "percentunit",
            "Tokens of the last five full minutes by event time against the declared capacity; absent where none is \
             declared. Throughputs of one model, account and region show what they are used together.",
            "max by (provisioned_model, tokens) (tollkeeper_provisioned_utilization_ratio)",
            "{{provisioned_model}} {{tokens}}",
        )
        .steps(&[(0.95, BAD)])
        .lines(),
    );
    board.add(panel(
        "Calls that went on demand instead, a minute",
        "short",
        "On-demand calls of the same model, account and region; throughputs that share them show the same.",
        "max by (provisioned_model) (tollkeeper_provisioned_overflow_requests_per_minute)",
        "{{provisioned_model}}",
    ));
    board.add(
        panel(
            "Minutes in which it was full while others were throttled",
            "short",
            "Of the last 15 full minutes: used to 95 % or more while on-demand calls of the same model were throttled. \
             Throttles that no log tells of are not in it.",
            "max by (provisioned_model) (tollkeeper_provisioned_dead_zone_minutes)",
            "{{provisioned_model}}",
        )
        .max(15.0),
    );
}
