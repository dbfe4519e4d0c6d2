//! The board *Spend*: budgets, who spends on what, whether that is usual, what caches save, and how far the dollars
//! can be trusted.

use super::board::Board;
use super::panel::{BAD, GOOD, Panel, WARN};

pub(crate) const UID: &str = "tollkeeper-spend";
const USD: &str = "currencyUSD";
/// What every panel of counters is subject to.
const COUNTED: &str = "Estimated list prices, at the time at which a call was counted: a backlog that is caught up \
     with looks like a spike, and what a series had when Prometheus first saw it is missing.";

pub(crate) fn board() -> Board {
    let mut board = Board::new(
        UID,
        "Tollkeeper / Spend",
        "now-7d",
        "What calls of language models cost, from the logs they leave behind. Dollars are list prices: no discounts, \
         commitments or free tiers. Tokens without a price are in no amount, see the share of them.",
    );
    board.variable(
        "budget",
        "Budget",
        "Of the panels that show one budget: one in dollars.",
        "label_values(tollkeeper_budget_limit_usd, budget)",
        false,
    );
    budgets(&mut board);
    paces(&mut board);
    numbers(&mut board);
    spend(&mut board);
    callers(&mut board);
    usual(&mut board);
    caches(&mut board);
    trust(&mut board);
    unmetered(&mut board);
    board
}

fn of_budgets(metric: &str) -> String {
    format!("max by (budget, value) (tollkeeper_budget_{metric})")
}

fn budgets(board: &mut Board) {
    board.row("Budgets of the present period");
    let forecast = |bound| of_budgets(&format!("forecast_usd{{bound=\"{bound}\"}}"));
    let milliseconds = |metric| format!("1000 * {}", of_budgets(metric));
    let columns: [[&str; 3]; 11] = [
        ["Used", "percentunit", &of_budgets("used_ratio")],
        ["Spent", USD, &of_budgets("spent_usd")],
        ["Limit", USD, &of_budgets("limit_usd")],
        ["Forecast", USD, &forecast("expected")],
        ["at least", USD, &forecast("low")],
        ["at most", USD, &forecast("high")],
        ["Used up", "dateTimeFromNow", &milliseconds("exhaustion_timestamp_seconds")],
        ["Period ends", "dateTimeFromNow", &milliseconds("period_end_timestamp_seconds")],
        ["Unpriced tokens", "percentunit", &of_budgets("unpriced_ratio")],
        ["Spent tokens", "short", &of_budgets("spent_tokens")],
        ["Limit in tokens", "short", &of_budgets("limit_tokens")],
    ];
    let table = Panel::table(
        ["Budgets", "none"],
        "Every budget of the config, by the time of the calls; the variables do not touch it. Budgets may overlap: do \
         not add them. No forecast: it is too early to tell, or the period rolls. Nothing in *Used up*: it lasts, as \
         far as can be told. With unpriced tokens more is spent than the dollars say.",
    );
    board.add(
        table
            .columns(&[("budget", "Budget"), ("value", "Part")], &columns)
            .with(
                "Used",
                &[
                    ("custom.cellOptions", serde_json::json!({"type": "gauge", "mode": "basic"})),
                    ("min", serde_json::json!(0)),
                    ("max", serde_json::json!(1)),
                    ("color", serde_json::json!({"mode": "thresholds"})),
                ],
            )
            .steps(&[(0.8, WARN), (1.0, BAD)])
            .runbook("TollkeeperBudgetThreshold")
            .size(24, 7),
    );
}

fn of_budget(metric: &str, more: &str) -> String {
    format!("sum by (budget) (tollkeeper_budget_{metric}{{budget=~\"$budget\"{more}}})")
}

fn paces(board: &mut Board) {
    let forecast = |bound| of_budget("forecast_usd", &format!(",bound=\"{bound}\""));
    board.add(
        Panel::series(
            ["Spent against the limit, with the forecast: $budget", USD],
            "Spent in the period so far, and the band in which the period is expected to end. The forecast repeats the \
             same hours of earlier weeks; it knows nothing of what is new. Of a budget that is divided by a label, the \
             sum of its parts.",
        )
        .query(&of_budget("spent_usd", ""), "spent")
        .query(&of_budget("limit_usd", ""), "limit")
        .query(&forecast("low"), "forecast, at least")
        .query(&forecast("high"), "forecast, at most")
        .query(&forecast("expected"), "forecast")
        .dashed("limit", BAD)
        .dashed("forecast", WARN)
        .band("forecast, at least", "forecast, at most")
        .min(0.0)
        .runbook("TollkeeperBudgetForecastOverLimit")
        .size(16, 9),
    );
    board.add(
        Panel::bars(
            ["Time until the limit is used up", "dtdurations"],
            "Of every budget of which it is known; below zero it was used up so long ago. A budget that lasts is not \
             shown, nor one of which it is too early to tell.",
        )
        .last("min by (budget) (tollkeeper_budget_exhaustion_timestamp_seconds) - time()", "{{budget}}")
        .rising(BAD, &[(86_400.0, WARN), (604_800.0, GOOD)])
        .or("every budget lasts, as far as can be told")
        .runbook("TollkeeperBudgetThreshold")
        .size(8, 9),
    );
    board.add(
        Panel::series(
            ["Burn rate by window: $budget", "none"],
            "Pace of spending over windows of event time; 1 uses up exactly the limit by the end of the period. Records \
             that come late are missing in the short windows. Of a divided budget, the part that burns fastest.",
        )
        .query("max by (window) (tollkeeper_budget_burn_rate{budget=~\"$budget\"})", "{{window}}")
        .steps(&[(1.0, WARN)])
        .lines()
        .min(0.0)
        .runbook("TollkeeperBudgetBurnRateFast"),
    );
    board.add(
        Panel::series(
            ["Burn score: from 1 on an alert fires", "none"],
            "Burn rate over that of the alert for the length of the period, by severity; 0 while too little was spent to \
             tell. Of all budgets.",
        )
        .query("max by (budget, severity) (tollkeeper_budget_burn_score)", "{{budget}} {{severity}}")
        .steps(&[(1.0, BAD)])
        .lines()
        .min(0.0)
        .runbook("TollkeeperBudgetBurnRateSlow"),
    );
}

const COST_OF_RANGE: &str = "sum(increase(tollkeeper_cost_usd_total{CALLS}[$__range]))";

fn numbers(board: &mut Board) {
    board.row("Of the chosen range and calls");
    let per = |factor: &str, metric: &str| {
        format!("{factor} * {COST_OF_RANGE} / sum(increase({metric}[$__range]))")
    };
    let number = |title, unit, description: &str, expr: &str| {
        Panel::number([title, unit], description).last(expr, "")
    };
    board.add(number("Spent", USD, COUNTED, COST_OF_RANGE));
    board.add(number(
        "Now, per hour",
        USD,
        "Spend of the last five minutes by the time of the calls, as dollars an hour. Of the chosen models; the other \
         variables do not touch it. Late records are not in it yet.",
        "sum(tollkeeper_spend_rate_usd_per_hour{MODEL})",
    ));
    board.add(number(
        "Per 1,000 calls",
        USD,
        "All spend over all calls, failed ones too. Too small where tokens have no price.",
        &per("1000", "tollkeeper_requests_total{CALLS}"),
    ));
    board.add(number(
        "Per million output tokens",
        USD,
        "All spend, that of input too, over output tokens. Models that embed have no output. Too small where tokens have \
         no price.",
        &per("1e6", "tollkeeper_tokens_total{CALLS,token_class=\"output\"}"),
    ));
    board.add(
        number(
            "Spent on calls that failed",
            "percentunit",
            "Cost of the tokens of calls that failed or timed out, over all cost. Only where the log holds their tokens: \
             at least as much.",
            &format!("sum(increase(tollkeeper_wasted_cost_usd_total{{CALLS}}[$__range])) / {COST_OF_RANGE}"),
        )
        .steps(&[(0.05, WARN), (0.2, BAD)]),
    );
    board.add(
        number(
            "Tokens without a price",
            "percentunit",
            "Their cost is in no amount of this board: from a few percent on, dollars mislead.",
            &share_unpriced("", "[$__range]"),
        )
        .steps(&[(0.0001, WARN), (0.01, BAD)])
        .runbook("TollkeeperUnpricedModel"),
    );
}

/// The share of tokens without a price; 0 where there never was one.
fn share_unpriced(by: &str, range: &str) -> String {
    let sum = |metric: &str| format!("sum{by} (increase(tollkeeper_{metric}{{CALLS}}{range}))");
    let (unpriced, all) = (sum("unpriced_tokens_total"), sum("tokens_total"));
    format!("({unpriced} or 0 * {all}) / {all}")
}

fn per_hour(by: &str) -> String {
    format!("sum by ({by}) (rate(tollkeeper_cost_usd_total{{CALLS}}[$__rate_interval])) * 3600")
}

fn spend(board: &mut Board) {
    board.row("Who spends on what");
    let panel = |title, expr: &str, legend| {
        Panel::series([title, USD], COUNTED).query(expr, legend).stacked().min(0.0).step("5m")
    };
    board.add(panel("Spend per hour by model", &per_hour("model"), "{{model}}").size(24, 10));
    board.add(panel("Spend per hour by token class", &per_hour("token_class"), "{{token_class}}"));
    board.add(panel(
        "Spend per hour by route and tier",
        &per_hour("route, tier"),
        "{{route}} {{tier}}",
    ));
    board.add(
        Panel::heat_map(
            ["Model by day", USD],
            "What was counted on a day, of the last 30 days whatever the range of the board is; the last column is the \
             day so far. Days are those of the board's time zone. Needs a Prometheus that keeps so much, and what it did \
             not scrape is missing.",
        )
        .query("sum by (model) (increase(tollkeeper_cost_usd_total{CALLS}[1d] offset -1d))", "{{model}}")
        .steps_of("1d", "30d")
        .size(24, 9),
    );
}

fn callers(board: &mut Board) {
    let of_range = |count: usize, at: &str| {
        format!(
            "topk({count}, sum by (principal) (increase(tollkeeper_cost_usd_total{{CALLS}}[$__range]{at})))"
        )
    };
    board.add(
        Panel::series(
            ["Spend per hour by caller: the ten largest of the range", USD],
            &format!("One line without a name if callers are no label (`labels.principal` in the config). {COUNTED}"),
        )
        .query(
            &format!("{} and on (principal) {}", per_hour("principal"), of_range(10, " @ end()")),
            "{{principal}}",
        )
        .stacked()
        .min(0.0)
        .step("5m")
        .size(12, 10),
    );
    let increase = |metric: &str| {
        format!(
            "sum by (principal) (increase(tollkeeper_{metric}{{CALLS}}[$__range])) and on (principal) {}",
            of_range(15, "")
        )
    };
    let calls = "sum by (principal) (increase(tollkeeper_requests_total{CALLS}[$__range]))";
    let per_call = format!(
        "1000 * sum by (principal) (increase(tollkeeper_cost_usd_total{{CALLS}}[$__range])) / {calls} \
         and on (principal) {}",
        of_range(15, "")
    );
    board.add(
        Panel::table(
            ["Callers that spend most", USD],
            "Of the chosen range. Callers beyond `labels.principals_max` are folded into `other`; one row without a name \
             if callers are no label.",
        )
        .columns(
            &[("principal", "Caller")],
            &[
                ["Spent", USD, &of_range(15, "")],
                ["Calls", "short", &increase("requests_total")],
                ["Per 1,000 calls", USD, &per_call],
                ["Tokens", "short", &increase("tokens_total")],
            ],
        )
        .leads_to("Caller", UID, "principal")
        .size(12, 10),
    );
}

fn usual(board: &mut Board) {
    board.row("Is it usual?");
    let dimension = "dimension=\"total\"";
    board.add(
        Panel::series(
            ["Spend rate and what is usual at this hour", USD],
            "Everything together, by the time of the calls; the variables do not touch it. What is usual is that of the \
             same hours of earlier weeks, and absent while there is no history.",
        )
        .query("sum(tollkeeper_spend_rate_usd_per_hour)", "now")
        .query(&format!("sum(tollkeeper_spend_baseline_usd_per_hour{{{dimension}}})"), "usual")
        .dashed("usual", WARN)
        .min(0.0)
        .runbook("TollkeeperSpendSpike"),
    );
    board.add(
        Panel::series(
            ["Spike score: above 1 it is a spike", "none"],
            "Spend rate over the rate above which it is a spike, by what is compared: the dimensions overlap, do not add \
             them. Callers only where they are a label. New callers and models have no history and are measured against \
             the floor of the config.",
        )
        .query("max by (dimension, name) (tollkeeper_spend_anomaly_score)", "{{dimension}} {{name}}")
        .steps(&[(1.0, BAD)])
        .lines()
        .min(0.0)
        .runbook("TollkeeperSpendSpike"),
    );
}

/// What cached tokens would cost as plain input, less what they cost: reads save, writes cost more.
fn saved(by: &str, range: &str) -> String {
    let cached = |metric| format!("tollkeeper_{metric}{{CALLS,token_class=~\"cache_.*\"}}{range}");
    let (tokens, cost) = (cached("tokens_total"), cached("cost_usd_total"));
    let price = "tollkeeper_price_usd_per_million_tokens{POOL,token_class=\"input\"}";
    let labels = "instance, provider, account, region, model, route, tier";
    format!(
        "sum{by} (rate({tokens}) * on ({labels}) group_left () max by ({labels}) ({price})) / 1e6 \
         - sum{by} (rate({cost}))"
    )
}

fn caches(board: &mut Board) {
    board.row("Prompt caches");
    let caution = "Cached tokens at the present price of input, less what they cost: reads save, writes cost more than \
         input. At today's prices, and those of short contexts; below zero where caches are written and not read.";
    board.add(
        Panel::number(["Saved, net of the premium for writing", USD], caution)
            .last(&format!("({}) * $__range_s", saved("", "[$__range]")), "")
            .size(6, 8),
    );
    board.add(
        Panel::series(["Saved per hour by model", USD], caution)
            .query(&format!("({}) * 3600", saved(" by (model)", "[$__rate_interval]")), "{{model}}")
            .step("5m")
            .size(9, 8),
    );
    let input = "token_class!=\"output\"";
    let tokens = |class: &str| {
        format!("sum by (model) (rate(tollkeeper_tokens_total{{CALLS,{class}}}[$__rate_interval]))")
    };
    board.add(
        Panel::series(
            ["Share of input read from a cache", "percentunit"],
            "Of all input tokens, those written to a cache too. Models that have no cache are at 0.",
        )
        .query(&format!("{} / {}", tokens("token_class=\"cache_read\""), tokens(input)), "{{model}}")
        .min(0.0)
        .max(1.0)
        .step("5m")
        .size(9, 8),
    );
}

fn trust(board: &mut Board) {
    board.row("How far the dollars can be trusted");
    board.add(
        Panel::series(
            ["Tokens without a price by model", "percentunit"],
            "Share of a model's tokens: what they cost is missing everywhere. `[models]` and `[prices]` of the config give \
             them one, and `tollkeeper doctor` shows the lines to paste.",
        )
        .query(&share_unpriced(" by (model)", "[$__rate_interval]"), "{{model}}")
        .min(0.0)
        .max(1.0)
        .step("5m")
        .runbook("TollkeeperUnpricedModel")
        .size(8, 8),
    );
    board.add(
        Panel::series(
            ["Tokens without a price by reason", "short"],
            "Tokens a minute. Nothing here: every token had a price so far.",
        )
        .query(
            "sum by (reason) (rate(tollkeeper_unpriced_tokens_total{CALLS}[$__rate_interval])) * 60",
            "{{reason}}",
        )
        .stacked()
        .min(0.0)
        .or("every token had a price")
        .runbook("TollkeeperUnpricedModel")
        .size(8, 8),
    );
    let sum = |metric: &str| {
        format!("sum by (model) (increase(tollkeeper_{metric}_usd_total{{CALLS}}[$__range]))")
    };
    let (reported, basis) = (sum("reported_cost"), sum("reported_cost_basis"));
    board.add(
        Panel::table(
            ["Reported by applications against computed", USD],
            "What applications claim in their own logs, and what Tollkeeper computes of the very same calls. Calls without \
             a claim are in neither. Which of the two is wrong, the bill tells.",
        )
        .columns(
            &[("model", "Model")],
            &[
                ["Reported", USD, &format!("{reported} > 0")],
                ["Computed", USD, &format!("{basis} and on (model) {reported} > 0")],
                ["Difference", "percentunit", &format!("({reported} > 0) / {basis} - 1")],
            ],
        )
        .or("no log claims a cost")
        .runbook("TollkeeperReportedCostDiffers")
        .size(8, 8),
    );
}

fn unmetered(board: &mut Board) {
    board.row("What is not paid by token");
    board.add(
        Panel::series(
            ["Provisioned throughput per hour", USD],
            "What throughput of the config costs an hour while it is paid, and the part of it without use. Idle dollars \
             only where the capacity is declared. In no other amount of this board but budgets.",
        )
        .query(
            "sum by (provisioned_model) (tollkeeper_provisioned_cost_usd_per_hour)",
            "{{provisioned_model}}",
        )
        .query(
            "sum by (provisioned_model) (tollkeeper_provisioned_idle_usd_per_hour)",
            "{{provisioned_model}}, idle",
        )
        .min(0.0)
        .or("no throughput is paid now"),
    );
    board.add(
        Panel::series(
            ["Fixed costs and throughput, of the last day", USD],
            "What was charged in the 24 hours before, by item: started hours in full, gigabytes as logs are read. In no \
             other amount of this board but budgets.",
        )
        .query("sum by (item) (increase(tollkeeper_fixed_cost_usd_total[1d]))", "{{item}}")
        .query(
            "sum by (provisioned_model) (increase(tollkeeper_provisioned_cost_usd_total[1d]))",
            "{{provisioned_model}}",
        )
        .stacked()
        .min(0.0)
        .step("1h")
        .or("nothing is declared"),
    );
}
