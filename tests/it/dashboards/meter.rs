//! The board *Meter health*: whether Tollkeeper itself keeps up, understands what it reads, keeps it, and gets its
//! alerts delivered.

use super::board::Board;
use super::panel::{BAD, GOOD, Panel, WARN};

/// A price book older than this raises an alert.
const PRICES_DAYS_MAX: f64 = 180.0;
/// A source that is read later than this raises an alert.
const LAG_SECONDS_MAX: f64 = 300.0;

pub(crate) fn board() -> Board {
    let mut board = Board::new(
        "tollkeeper-meter",
        "Tollkeeper / Meter health",
        "now-6h",
        "Whether the numbers of the other boards can be believed. Account, region, model, route and caller choose only \
         what is counted of calls; the source chooses among those of the config.",
    );
    let query = "label_values(tollkeeper_ingest_bytes_total, source)";
    board.variable("source", "Source", "A `[[source]]` of the config.", query, true);
    numbers(&mut board);
    reading(&mut board);
    files(&mut board);
    understood(&mut board);
    coverage(&mut board);
    ledger(&mut board);
    alerts(&mut board);
    process(&mut board);
    board
}

const SOURCE: &str = "{source=~\"$source\"}";

fn numbers(board: &mut Board) {
    board.row("At a glance");
    board.add(
        number(["Lag", "s"],
            "Of the source that is furthest behind: age of the newest record counted while there is a backlog, else 0. A \
             source whose log has stopped is at 0 too: see its last event.",
            &format!("max(tollkeeper_ingest_lag_seconds{SOURCE})"),
            "",
        )
        .steps(&[(60.0, WARN), (LAG_SECONDS_MAX, BAD)])
        .runbook("TollkeeperIngestLag"),
    );
    board.add(
        number(["Since the last event", "s"],
            "Age of the newest record of the source that is silent longest. Long is right where nothing is called, or \
             where a service delivers its log late.",
            &format!("time() - min(tollkeeper_ingest_last_event_timestamp_seconds{SOURCE})"),
            "",
        )
        .steps(&[(3_600.0, WARN)])
        .runbook("TollkeeperIngestSilent"),
    );
    board.add(
        number(["Lost bytes", "bytes"],
            "In the chosen range: seen to exist, and in no file any more, which is what copytruncate does. What was never \
             seen is not in it.",
            &format!("sum(increase(tollkeeper_ingest_lost_bytes_total{SOURCE}[$__range]))"),
            "",
        )
        .steps(&[(1.0, BAD)])
        .runbook("TollkeeperBytesLost"),
    );
    board.add(
        number(["Lines not understood", "percentunit"],
            "Share of the lines of the chosen range that were rejected; `tollkeeper doctor` shows their shapes. Messages \
             that are no calls are ignored, and not among them.",
            &rejected_share(),
            "",
        )
        .steps(&[(0.0001, WARN), (0.01, BAD)]),
    );
    more_numbers(board);
}

fn number(head: [&str; 2], description: &str, expr: &str, legend: &str) -> Panel {
    Panel::number(head, description).last(expr, legend).size(3, 4)
}

fn more_numbers(board: &mut Board) {
    board.add(
        number(["Price book", "dtdurations"],
            "Age of the prices in use: those that AWS changed since are wrong here. With own price files over it, the age \
             of the newest part.",
            "time() - min(tollkeeper_price_book_timestamp_seconds)",
            "",
        )
        .steps(&[(PRICES_DAYS_MAX * 43_200.0, WARN), (PRICES_DAYS_MAX * 86_400.0, BAD)])
        .runbook("TollkeeperPriceBookStale"),
    );
    board.add(
        number(["Since the last commit", "s"],
            "Of the daemon that commits least often; without new records there is nothing to commit. 1970 before the first \
             one of a process.",
            "time() - min(tollkeeper_ledger_last_commit_timestamp_seconds)",
            "",
        )
        .steps(&[(600.0, WARN)])
        .runbook("TollkeeperLedgerStalled"),
    );
    board.add(
        number(
            ["Alerts now", "short"],
            "That fire in the daemon; Prometheus rules have their own.",
            "sum(tollkeeper_alerts_firing)",
            "",
        )
        .steps(&[(1.0, WARN)]),
    );
    board.add(number(
        ["Build", "none"],
        "Daemons by version; during an upgrade two are right.",
        "count by (version) (tollkeeper_build_info)",
        "{{version}}",
    ));
}

/// What became of a line that was understood.
const UNDERSTOOD: &str = "accepted|duplicate|corroborated|ignored";

fn rejected_share() -> String {
    let lines = |result: &str| {
        format!(
            "sum(increase(tollkeeper_ingest_records_total{{source=~\"$source\"{result}}}[$__range]))"
        )
    };
    format!("{} / {}", lines(&format!(",result!~\"{UNDERSTOOD}\"")), lines(""))
}

fn by_source(metric: &str) -> String {
    format!("max by (instance, source) (tollkeeper_ingest_{metric}{SOURCE})")
}

fn reading(board: &mut Board) {
    board.row("Reading");
    board.add(
        Panel::series(
            ["Lag by source", "s"],
            "Age of the newest record counted while there is a backlog, else 0. Old logs that are caught up with are as old \
             as they are.",
        )
        .query(&by_source("lag_seconds"), "{{source}} {{instance}}")
        .steps(&[(LAG_SECONDS_MAX, BAD)])
        .lines()
        .min(0.0)
        .runbook("TollkeeperIngestLag")
        .size(8, 8),
    );
    board.add(
        Panel::series(
            ["Backlog by source", "bytes"],
            "Bytes in log files that are not counted yet; of compressed files, as they lie.",
        )
        .query(&by_source("backlog_bytes"), "{{source}} {{instance}}")
        .min(0.0)
        .size(8, 8),
    );
    board.add(
        Panel::series(
            ["Since the last event by source", "s"],
            "By the times in the records: a clock that is ahead there hides a silence.",
        )
        .query(
            &format!("time() - {}", by_source("last_event_timestamp_seconds")),
            "{{source}} {{instance}}",
        )
        .runbook("TollkeeperIngestSilent")
        .size(8, 8),
    );
    let lines = |by: &str, more: &str| {
        format!(
            "sum by ({by}) (rate(tollkeeper_ingest_records_total{{source=~\"$source\"{more}}}[$__rate_interval]))"
        )
    };
    board.add(
        Panel::series(
            ["Records by kind and result", "cps"],
            "Every line is in exactly one of them. `corroborated` is a call that another log had already.",
        )
        .query(
            &lines("kind, result", &format!(",result=~\"{UNDERSTOOD}\"")),
            "{{kind}} {{result}}",
        )
        .stacked()
        .min(0.0),
    );
    board.add(
        Panel::series(
            ["Lines that were not understood, by reason", "cps"],
            "They count nowhere else: what they told is missing on all boards.",
        )
        .query(
            &lines("source, result", &format!(",result!~\"{UNDERSTOOD}\"")),
            "{{source}} {{result}}",
        )
        .stacked()
        .min(0.0),
    );
}

fn files(board: &mut Board) {
    board.row("Log files");
    let rate = |metric: &str, by: &str| {
        format!("sum by ({by}) (rate(tollkeeper_ingest_{metric}{SOURCE}[$__rate_interval]))")
    };
    board.add(
        Panel::series(
            ["File changes a minute", "short"],
            "What happened to log files: rotation in all its kinds. `truncate` may lose bytes.",
        )
        .query(
            &format!("{} * 60", rate("file_changes_total", "source, change")),
            "{{source}} {{change}}",
        )
        .min(0.0)
        .size(6, 8),
    );
    board.add(
        Panel::series(
            ["Bytes read, and lost", "Bps"],
            "Uncompressed. Lost are bytes that were seen to exist and that no file holds any more.",
        )
        .query(&rate("bytes_total", "source"), "{{source}} read")
        .query(&rate("lost_bytes_total", "source"), "{{source}} lost")
        .min(0.0)
        .runbook("TollkeeperBytesLost")
        .size(6, 8),
    );
    board.add(
        Panel::series(
            ["Files", "short"],
            "Known files by whether they are held open, and paths that can't be read; the log names those.",
        )
        .query(
            &format!("sum by (source, state) (tollkeeper_ingest_files{SOURCE})"),
            "{{source}} {{state}}",
        )
        .query(
            &format!("sum by (source) (tollkeeper_ingest_unreadable_paths{SOURCE})"),
            "{{source}} unreadable",
        )
        .min(0.0)
        .size(6, 8),
    );
    board.add(
        Panel::series(
            ["Late records a minute", "short"],
            "Older than the deduplication window: counted, but a duplicate of one may not be noticed. Replaying old logs \
             shows here.",
        )
        .query(&format!("{} * 60", rate("late_records_total", "source")), "{{source}}")
        .min(0.0)
        .size(6, 8),
    );
}

fn understood(board: &mut Board) {
    board.row("Assumptions and caps");
    board.add(
        Panel::series(
            ["Calls whose amounts rest on an assumption", "reqps"],
            "By the assumption; each is still counted once. Nothing here: none had to be made. See the README for what to \
             log instead.",
        )
        .query(
            "sum by (reason) (rate(tollkeeper_approximated_records_total{CALLS}[$__rate_interval]))",
            "{{reason}}",
        )
        .stacked()
        .min(0.0)
        .or("no call rests on an assumption")
        .size(8, 8),
    );
    let calls = "sum(increase(tollkeeper_requests_total{CALLS}[$__range]))";
    let assumed =
        "sum by (reason) (increase(tollkeeper_approximated_records_total{CALLS}[$__range]))";
    board.add(
        Panel::bars(
            ["Share of calls that rest on an assumption", "percentunit"],
            "Of the chosen range and calls; one call may rest on several.",
        )
        .last(&format!("{assumed} / on () group_left () {calls}"), "{{reason}}")
        .steps(&[(0.01, WARN), (0.2, BAD)])
        .min(0.0)
        .max(1.0)
        .or("no call rests on an assumption")
        .size(8, 8),
    );
    board.add(
        Panel::series(
            ["Calls folded into `other`, a minute", "short"],
            "By the cap of the config that was reached. Sums stay exact; who or what it was is lost to metrics.",
        )
        .query(
            "sum by (metric) (rate(tollkeeper_series_overflow_total[$__rate_interval])) * 60",
            "{{metric}}",
        )
        .min(0.0)
        .size(8, 8),
    );
}

fn coverage(board: &mut Board) {
    board.row("Is everything in the logs?");
    let none = "CloudWatch's metrics are not read";
    board.add(
        Panel::series(
            ["Calls counted and calls that CloudWatch knows", "reqps"],
            "The same calls, never to be added. CloudWatch's come minutes late; calls through bedrock-mantle, and failures \
             before a model, are in one of them only.",
        )
        .query("sum(rate(tollkeeper_requests_total{CALLS}[$__rate_interval]))", "counted")
        .query(
            "sum by (result) (rate(tollkeeper_cloudwatch_requests_total{POOL}[$__rate_interval]))",
            "CloudWatch {{result}}",
        )
        .query("sum(rate(tollkeeper_cloudtrail_calls_total{POOL}[$__rate_interval]))", "CloudTrail")
        .min(0.0)
        .step("5m")
        .size(12, 8),
    );
    board.add(
        Panel::number(
            ["Counted, of what CloudWatch knows", "percentunit"],
            "Of the chosen range: below 100 % calls are missing in the logs; above it CloudWatch's metrics are late, or of \
             fewer accounts. Nothing without its metrics.",
        )
        .last(
            "sum(increase(tollkeeper_requests_total{CALLS}[$__range])) \
             / sum(increase(tollkeeper_cloudwatch_requests_total{POOL}[$__range]))",
            "",
        )
        .or(none)
        .rising(BAD, &[(0.9, WARN), (0.98, GOOD)])
        .size(4, 8),
    );
    board.add(
        Panel::series(
            ["Log deliveries and dropped logs", "short"],
            "A minute: invocation logs that Bedrock delivered or failed to deliver, as CloudWatch counts them, and records \
             that Lambda dropped. What failed is missing on all boards.",
        )
        .query(
            "sum by (result) (rate(tollkeeper_invocation_log_deliveries_total{PLACE}[$__rate_interval])) * 60",
            "{{result}}",
        )
        .query(
            "sum(rate(tollkeeper_lambda_logs_dropped_total{PLACE}[$__rate_interval])) * 60",
            "dropped by Lambda",
        )
        .min(0.0)
        .or(none)
        .size(8, 8),
    );
}

fn ledger(board: &mut Board) {
    board.row("Ledger and prices");
    let commit = |quantile: &str| {
        format!(
            "histogram_quantile({quantile}, sum by (le) (rate(tollkeeper_ledger_commit_duration_seconds_bucket[$__rate_interval])))"
        )
    };
    board.add(
        Panel::series(
            ["Time to make a commit durable", "s"],
            "Mostly the disk's fsync. Since the start of the process; as fine as the buckets.",
        )
        .query(&commit("0.5"), "p50")
        .query(&commit("0.99"), "p99")
        .min(0.0)
        .runbook("TollkeeperLedgerStalled")
        .size(8, 8),
    );
    board.add(
        Panel::series(
            ["Ledger on disk", "bytes"],
            "Old rows are summed to hours and days, so it grows slowly; it is folded now and then, and falls.",
        )
        .query("max by (instance) (tollkeeper_ledger_bytes)", "{{instance}}")
        .min(0.0)
        .size(4, 8),
    );
    board.add(
        Panel::series(
            ["Series and request ids", "short"],
            "Series in the ledger, request ids remembered, and slices of ids that were forgotten early, after which a \
             duplicate may count twice.",
        )
        .query("max by (instance) (tollkeeper_ledger_series)", "series {{instance}}")
        .query("max by (instance) (tollkeeper_deduplication_ids)", "ids {{instance}}")
        .query(
            "sum(increase(tollkeeper_deduplication_slices_evicted_early_total[$__rate_interval]))",
            "slices forgotten early",
        )
        .min(0.0)
        .size(6, 8),
    );
    let labels = "instance, version, source";
    board.add(
        Panel::table(
            ["Price book in use", "none"],
            "By daemon; `source` names own price files over the shipped book.",
        )
        .columns(
            &[("instance", "Daemon"), ("version", "Version"), ("source", "Source")],
            &[
                [
                    "Age",
                    "dtdurations",
                    &format!(
                        "time() - max by ({labels}) (tollkeeper_price_book_info * on (instance) group_left () \
                         tollkeeper_price_book_timestamp_seconds)"
                    ),
                ],
                ["Daemons", "short", &format!("count by ({labels}) (tollkeeper_price_book_info)")],
            ],
        )
        .runbook("TollkeeperPriceBookStale")
        .size(6, 8),
    );
}

fn alerts(board: &mut Board) {
    board.row("Alerts of the daemon");
    board.add(
        Panel::series(
            ["Alerts firing", "short"],
            "By alert. Prometheus rules fire by themselves and are not in it.",
        )
        .query("sum by (alert) (tollkeeper_alerts_firing) > 0", "{{alert}}")
        .stacked()
        .min(0.0)
        .or("no alert fires")
        .size(6, 8),
    );
    board.add(
        Panel::series(
            ["Notices that left the outbox", "short"],
            "In the chosen step, by way and result; every result but `delivered` is an alert that a receiver never showed. \
             Nothing here: no notice was sent yet.",
        )
        .query(
            "sum by (route, result) (increase(tollkeeper_alert_deliveries_total[$__rate_interval]))",
            "{{route}} {{result}}",
        )
        .min(0.0)
        .or("no notice yet")
        .runbook("TollkeeperAlertsNotDelivered")
        .size(6, 8),
    );
    board.add(
        Panel::series(
            ["Attempts to deliver, a minute", "short"],
            "By way and how they ended, since the start of the process; alerts that are sent again are among them.",
        )
        .query(
            "sum by (route, result) (rate(tollkeeper_alert_delivery_attempts_total[$__rate_interval])) * 60",
            "{{route}} {{result}}",
        )
        .min(0.0)
        .or("no way is configured")
        .runbook("TollkeeperAlertsNotDelivered")
        .size(6, 8),
    );
    board.add(
        Panel::table(
            ["Ways to receivers", "short"],
            "Notices committed and not yet taken, and when the receiver last took one; 1970 before the first time.",
        )
        .columns(
            &[("route", "Way")],
            &[
                ["Waiting", "short", "sum by (route) (tollkeeper_alert_outbox_notices)"],
                [
                    "Last taken",
                    "dateTimeFromNow",
                    "1000 * max by (route) (tollkeeper_alert_last_delivery_timestamp_seconds)",
                ],
            ],
        )
        .or("no way is configured")
        .runbook("TollkeeperAlertsNotDelivered")
        .size(6, 8),
    );
}

fn process(board: &mut Board) {
    board.row("Process");
    let of =
        |metric: &str| format!("process_{metric} and on (instance, job) tollkeeper_build_info");
    let panel = |title, unit, description: &str, expr: &str| {
        Panel::series([title, unit], description).query(expr, "{{instance}}").min(0.0).size(8, 7)
    };
    board.add(panel(
        "Memory",
        "bytes",
        "Resident, with pages of files that the kernel may take back.",
        &of("resident_memory_bytes"),
    ));
    let cpu = "rate(process_cpu_seconds_total[$__rate_interval]) and on (instance, job) tollkeeper_build_info";
    board.add(panel("Processor", "percentunit", "Of one core; catching up uses several.", cpu));
    board.add(
        panel("Open files", "short", "And how many the process may open.", &of("open_fds"))
            .query(&of("max_fds"), "{{instance}}, at most"),
    );
}
