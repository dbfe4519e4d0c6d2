//! What can be typed. Plain data; nothing is opened before all of it is parsed.

mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub use self::usage::{
    AskArgs, Compare, DaemonArgs, ExportArgs, ExportCommand, FocusArgs, FocusFormat, FocusPeriod,
    OpenMetricsArgs, ReportArgs, ReportFormat, UsageArgs,
};

/// Keeps the toll of every LLM call: tokens, dollars, throttles.
#[derive(Debug, Parser)]
#[command(name = "tollkeeper", version, max_term_width = 100)]
#[command(after_help = "Examples:\n  \
    tollkeeper doctor logs/*.jsonl*               what is in these logs?\n  \
    tollkeeper scan logs/*.jsonl* --by principal  who spent what?\n  \
    tollkeeper run tollkeeper.toml                keep watch, http://127.0.0.1:9478/metrics\n\
    `tollkeeper COMMAND --help` has more of them.")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow logs, keep the ledger, serve /metrics
    #[command(after_help = "Examples:\n  \
        tollkeeper run tollkeeper.toml\n  \
        tollkeeper run '/var/log/bedrock/*.jsonl' --ledger /var/lib/tollkeeper\n  \
        tollkeeper run tollkeeper.toml --listen 0.0.0.0:9478 --web.config.file web.yml")]
    Run(RunArgs),
    /// Read logs once and print tokens, dollars and throttles; keeps nothing
    #[command(after_help = "Examples:\n  \
        tollkeeper scan bedrock.jsonl.gz\n  \
        tollkeeper scan logs/*.jsonl --by principal,model --format json\n  \
        zcat old.gz | tollkeeper scan - --by day")]
    Scan(ScanArgs),
    /// Find calls in logs: by request id, model, caller, outcome, time or dollars
    #[command(after_help = "Examples:\n  \
        tollkeeper find 8f3a1c20-6d1e-4c5b-9a41-0e8b7f3f5d11 logs/*.jsonl*\n  \
        tollkeeper find --outcome throttled,timeout --since 2h --config tollkeeper.toml\n  \
        tollkeeper find --model '*claude*' --over-usd 0.50 logs/*.jsonl --format json\n\n\
        Exit code: 0 if a record was found, 1 if none was, 2 after an error.")]
    Find(FindArgs),
    /// Tell what logs hold, what of it is not understood, and what can't be known from them
    #[command(after_help = "Examples:\n  \
        tollkeeper doctor --config tollkeeper.toml\n  \
        tollkeeper doctor /var/log/bedrock/*.jsonl*\n  \
        kubectl logs deploy/chat | tollkeeper doctor -\n\n\
        Text of a log is never shown. The daemon may go on running.")]
    Doctor(DoctorArgs),
    /// Tell what was used and what it cost, of any time, from the ledger
    #[command(after_help = "Examples:\n  \
        tollkeeper report --since 7d --by model,principal\n  \
        tollkeeper report --since 2026-11 --until 2026-12 --by attr:team --compare previous\n  \
        tollkeeper report --since 30d --step day --zone Europe/Berlin --format csv > november.csv\n  \
        tollkeeper report --where principal=role/search --where 'model=!amazon.*' --top 5\n\n\
        While a daemon has the ledger open, the daemon is asked.")]
    Report(ReportArgs),
    /// Watch spend, budgets, callers and throttles of a running daemon on a terminal
    #[command(after_help = "Examples:\n  \
        tollkeeper top --config tollkeeper.toml\n  \
        tollkeeper top --url http://127.0.0.1:9478\n\n\
        It looks every two seconds; q quits.")]
    Top(DaemonArgs),
    /// Write the ledger's history for other programs, as FOCUS or as metrics
    #[command(after_help = "Examples:\n  \
        tollkeeper export focus --since 2026-11 --until 2026-12 > november.csv\n  \
        tollkeeper export openmetrics --since 90d > history.om")]
    Export(ExportArgs),
    /// Show what calls take of AWS's quotas, and why calls were throttled
    #[command(after_help = "Examples:\n  \
        tollkeeper quota --config tollkeeper.toml\n  \
        tollkeeper quota --ledger /var/lib/tollkeeper --at 2026-06-01T12:34:00Z\n\n\
        The last ten minutes before the newest record, or before `--at`, are explained.")]
    Quota(QuotaArgs),
    /// Tell what the traffic of a ledger would have cost otherwise
    #[command(after_help = "Examples:\n  \
        tollkeeper plan --config tollkeeper.toml\n  \
        tollkeeper plan --ledger copy --since 7d --model '*claude*' --plot plan.svg\n  \
        tollkeeper plan --config tollkeeper.toml --format json\n\n\
        Capacities of model units, other models and machines are named in `[plan]` of the config. The\n\
        ledger must not be in use: stop the daemon, or name a copy of its folder.\n\
        Exit code: 0 with a plan, 1 if there are no tokens to plan with, 2 after an error.")]
    Plan(PlanArgs),
    /// Check a config file or a ledger
    #[command(after_help = "Examples:\n  \
        tollkeeper check config tollkeeper.toml\n  \
        tollkeeper check ledger /var/lib/tollkeeper")]
    Check(CheckArgs),
    /// Test the ways by which alerts are delivered
    #[command(after_help = "Examples:\n  \
        tollkeeper alert test --all --config tollkeeper.toml\n  \
        tollkeeper alert replay 'logs/*.jsonl*' --config tollkeeper.toml")]
    Alert(AlertArgs),
    /// Print alert rules for Prometheus, for the budgets and the tuning of a config
    #[command(after_help = "Examples:\n  \
        tollkeeper rules --config tollkeeper.toml > /etc/prometheus/tollkeeper.rules.yml\n  \
        tollkeeper rules --runbook-url https://wiki.example.org/tollkeeper\n\n\
        Without a config they are those of alerts/tollkeeper.rules.yml, for any budget.")]
    Rules(RulesArgs),
    /// Write realistic logs of calls that were never made, for demos, tests and benches
    #[command(after_help = "Examples:\n  \
        tollkeeper simulate --out demo\n  \
        tollkeeper simulate --follow --incident log-summariser --out demo --append\n  \
        tollkeeper simulate --from 2026-06-01 --to 2026-06-29 --seed 7 --out weeks\n  \
        tollkeeper simulate --from -1h --out - | tollkeeper scan -\n\n\
        The same seed, times and rate give the same bytes on every machine.")]
    Simulate(SimulateArgs),
    /// Print a config with every key, what it takes and its default
    #[command(after_help = "Examples:\n  \
        tollkeeper reference | less\n  \
        tollkeeper reference > tollkeeper.toml")]
    Reference,
    /// Print completions for a shell
    #[command(after_help = "Examples:\n  \
        tollkeeper completions bash > /etc/bash_completion.d/tollkeeper\n  \
        tollkeeper completions zsh > \"${fpath[1]}/_tollkeeper\"\n  \
        tollkeeper completions fish > ~/.config/fish/completions/tollkeeper.fish")]
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands
    #[command(after_help = "Examples:\n  \
        tollkeeper man | man -l -\n  \
        tollkeeper man --out /usr/local/share/man/man1")]
    Man(ManArgs),
}

/// `tollkeeper run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// A config file (*.toml), or log files and globs
    #[arg(required = true, value_name = "CONFIG.toml | PATH | GLOB")]
    pub inputs: Vec<String>,
    /// Folder of the ledger [default: `[ledger] dir` of the config, else ./tollkeeper-ledger]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// Address to serve on; port 0 takes a free one [default: `listen` of the config, else 127.0.0.1:9478]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Certificates and users, in the format of other exporters [default: `[web] config_file` of the config]
    #[arg(long = "web.config.file", alias = "web-config-file", value_name = "FILE")]
    pub web_file: Option<PathBuf>,
}

/// `tollkeeper quota`.
#[derive(Debug, clap::Args)]
pub struct QuotaArgs {
    /// Where the answer comes from
    #[command(flatten)]
    pub ask: AskArgs,
    /// The time to look at [default: that of the newest record]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// `tollkeeper plan`.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Take the ledger, prices, `[plan]` and `[[provisioned]]` from this config file
    #[arg(long, value_name = "CONFIG.toml")]
    pub config: Option<PathBuf>,
    /// Folder of the ledger [default: `[ledger] dir` of the config]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// Traffic at or after this time: `30d` (ago), `2026-01-02` or RFC 3339 [default: 30 days before the end]
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Traffic before this time [default: the newest record]
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Models: a glob over base model ids
    #[arg(long, value_delimiter = ',', value_name = "GLOBS")]
    pub model: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = PlanFormat::Table)]
    pub format: PlanFormat,
    /// Also draw what a month costs against the load, of the traffic that costs most
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    Table,
    /// One object
    Json,
}

/// `tollkeeper scan`.
#[derive(Debug, clap::Args)]
pub struct ScanArgs {
    /// Log files, plain or gzip; `-` reads stdin
    #[arg(required = true, value_name = "FILES | -")]
    pub files: Vec<String>,
    /// What to group by
    ///
    /// Keys: provider, account, region, model, `model_id` (as logged), route, tier, principal,
    /// minute, hour, day, or attr:KEY for a key of the request metadata.
    #[arg(long, value_delimiter = ',', default_value = "model", value_name = "KEYS")]
    pub by: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Count a request id once, however often it is logged
    #[arg(long)]
    pub dedup: bool,
    /// Decode with the plain decoder (`serde_json`): slower, for cross-checking the numbers
    #[arg(long)]
    pub plain: bool,
    /// Take `[models]`, `[[provisioned]]`, `[prices]` and `[[format]]` from this config file
    #[arg(long, value_name = "CONFIG.toml")]
    pub config: Option<PathBuf>,
}

/// `tollkeeper find`.
#[derive(Debug, clap::Args)]
pub struct FindArgs {
    /// A request id, then log files, plain or gzip (`-` reads stdin); only files if an option says
    /// what to look for
    #[arg(value_name = "REQUEST_ID | FILES")]
    pub names: Vec<String>,
    /// Request id, exactly as logged; together with other options
    #[arg(long, value_name = "ID")]
    pub request_id: Option<String>,
    /// Models: a glob over the model and the model id as logged
    #[arg(long, value_delimiter = ',', value_name = "GLOBS")]
    pub model: Vec<String>,
    /// Callers: a glob
    #[arg(long, value_delimiter = ',', value_name = "GLOBS")]
    pub principal: Vec<String>,
    /// How the call ended, for example throttled
    #[arg(long, value_delimiter = ',', value_name = "OUTCOMES")]
    pub outcome: Vec<String>,
    /// Calls at or after this time: `2h` (ago), `2026-01-02` or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Calls before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Calls that cost more than this, exactly
    #[arg(long, value_name = "USD")]
    pub over_usd: Option<String>,
    /// Most records to show
    #[arg(long, default_value = "100", value_name = "N")]
    pub limit: std::num::NonZeroUsize,
    /// Show the lines as logged, prompts and answers included; only on a terminal
    #[arg(long)]
    pub show_body: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Take `[models]`, `[[provisioned]]`, `[prices]` and `[[format]]` from this config file, and its sources' files if
    /// no file is named
    #[arg(long, value_name = "CONFIG.toml")]
    pub config: Option<PathBuf>,
}

/// `tollkeeper doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Log files and globs, plain or gzip; `-` reads stdin
    #[arg(value_name = "FILES | -")]
    pub files: Vec<String>,
    /// Take `[models]`, `[[provisioned]]`, `[prices]` and `[[format]]` from this config file, and its sources' files if
    /// no file is named
    #[arg(long, value_name = "CONFIG.toml")]
    pub config: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
}

/// `tollkeeper rules`.
#[derive(Debug, clap::Args)]
pub struct RulesArgs {
    /// Take budgets and `[alerts]` from this config file
    #[arg(long, value_name = "CONFIG.toml")]
    pub config: Option<PathBuf>,
    /// Link to the runbook; the name of the alert is added as `#tollkeeper…` [default: `[alerts]
    /// runbook_url` of the config, else alerts/RUNBOOK.md]
    #[arg(long, value_name = "URL")]
    pub runbook_url: Option<String>,
    /// Name of the job that scrapes Tollkeeper
    #[arg(long, default_value = "tollkeeper", value_parser = job, value_name = "NAME")]
    pub job: String,
}

/// Takes a name that needs no quoting, whatever it is written into.
fn job(text: &str) -> Result<String, String> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if !text.is_empty() && text.chars().all(is_known) {
        Ok(text.to_owned())
    } else {
        Err("expected letters, digits, `_`, `.`, `-` and `/`".to_owned())
    }
}

/// `tollkeeper alert`.
#[derive(Debug, clap::Args)]
pub struct AlertArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AlertCommand,
}

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// Send a test alert and its end through a route, and say what the receiver answered
    #[command(after_help = "Examples:\n  \
        tollkeeper alert test pager --config tollkeeper.toml\n  \
        tollkeeper alert test --all\n\n\
        It pages: the test has the severity `page`. Each is sent once, without trying again.\n\
        Exit code: 0 if every receiver took it, 1 if one did not, 2 after an error.")]
    Test(AlertTestArgs),
    /// Tell which alerts old logs would have raised, to try thresholds and budgets
    #[command(after_help = "Examples:\n  \
        tollkeeper alert replay 'logs/*.jsonl*' --config tollkeeper.toml\n  \
        tollkeeper alert replay --step 1m bedrock-2026-*.jsonl.gz\n\n\
        Alerts about sources and about the age of the price book are not replayed.")]
    Replay(AlertReplayArgs),
}

/// `tollkeeper alert replay`.
#[derive(Debug, clap::Args)]
pub struct AlertReplayArgs {
    /// Log files and globs, plain or gzip; `-` reads stdin
    #[arg(required = true, value_name = "FILES | -")]
    pub files: Vec<String>,
    /// Take budgets, alerts, prices, models and formats from this config file
    #[arg(long, value_name = "CONFIG.toml")]
    pub config: Option<PathBuf>,
    /// Time between two evaluations, a part of a minute
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub step: String,
    /// How to print
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// `tollkeeper alert test`.
#[derive(Debug, clap::Args)]
pub struct AlertTestArgs {
    /// Names of routes of the config
    #[arg(required_unless_present = "all", value_name = "ROUTE")]
    pub routes: Vec<String>,
    /// Test every route of the config
    #[arg(long, conflicts_with = "routes")]
    pub all: bool,
    /// The config file
    #[arg(long, default_value = "tollkeeper.toml", value_name = "CONFIG.toml")]
    pub config: PathBuf,
}

/// `tollkeeper simulate`.
#[derive(Debug, clap::Args)]
pub struct SimulateArgs {
    /// What everything follows from: who calls which model, how much, and when
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// First instant: `-4w` or `+30s` from now, `now`, `2026-01-02` or RFC 3339 [default: -4w, with
    /// --follow now]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub from: Option<String>,
    /// First instant behind it [default: now, with --follow never]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub to: Option<String>,
    /// Write what lies in the past at once, then each line when it is due, until SIGTERM or ctrl-C
    #[arg(long)]
    pub follow: bool,
    /// With --follow, replay the past so many times as fast as it was; what comes after the present is
    /// written in real time
    #[arg(long, requires = "follow", value_name = "TIMES")]
    pub speed: Option<f64>,
    /// Calls a minute, on average over the first week
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    pub calls_per_minute: f64,
    /// Folder to write to; `-` writes all logs to stdout, in the order of time
    #[arg(long, default_value = "simulated", value_name = "DIR | -")]
    pub out: PathBuf,
    /// Write behind what is there, rather than refuse to
    #[arg(long)]
    pub append: bool,
    /// Which logs to write
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LOGS")]
    #[arg(default_values_t = SimulatedLog::ALL)]
    pub logs: Vec<SimulatedLog>,
    /// Rename a log to NAME.1, NAME.1 to NAME.2 and so on before it grows beyond this size: `10MB`
    #[arg(long, value_name = "SIZE")]
    pub rotate: Option<String>,
    /// Where to tell what was written: sums, and who the culprit is [default: truth.json beside the logs]
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// What goes wrong
    #[arg(long, value_enum, value_name = "NAME")]
    pub incident: Option<IncidentName>,
    /// When it begins [default: one hour before the end, with --follow in 30 s]
    #[arg(long, allow_hyphen_values = true, requires = "incident", value_name = "TIME")]
    pub incident_at: Option<String>,
    /// How long it lasts, for example `20m` [default: to the end]
    #[arg(long, requires = "incident", value_name = "DURATION")]
    pub incident_for: Option<String>,
    /// Who it is: `role/NAME:MODEL`, or `random` for one that the seed chooses
    #[arg(long, requires = "incident", value_name = "PRINCIPAL:MODEL | random")]
    pub culprit: Option<String>,
    /// Calls of the culprit, as a multiple of the usual ones
    #[arg(long, requires = "incident", default_value_t = 11.0, value_name = "TIMES")]
    pub incident_calls: f64,
    /// Input tokens in a call of the culprit, as a multiple of the usual ones
    #[arg(long, requires = "incident", default_value_t = 4.2, value_name = "TIMES")]
    pub incident_input: f64,
    /// Part of the culprit's calls that are throttled, three minutes into it
    #[arg(long, requires = "incident", default_value_t = 0.3, value_name = "PART")]
    pub incident_throttled: f64,
}

/// A log that can be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum SimulatedLog {
    /// Bedrock's model invocation log: bedrock.jsonl
    Bedrock,
    /// Runs of Lambda functions, as an S3 export has them: lambda.log
    Lambda,
    /// Access log of an API gateway: gateway.jsonl
    Gateway,
    /// Calls that are in no invocation log, as the application logs them: application.jsonl
    Application,
}

impl SimulatedLog {
    /// Every log.
    pub const ALL: [Self; 4] = [Self::Bedrock, Self::Lambda, Self::Gateway, Self::Application];
}

/// The incidents that can be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IncidentName {
    /// A program puts 500 lines of syslog into every prompt and does not stop calling
    LogSummariser,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One array of objects
    Json,
    /// The same, flat
    Csv,
}

/// `tollkeeper check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// What to check.
    #[command(subcommand)]
    pub command: CheckCommand,
}

/// The things that can be checked.
#[derive(Debug, Subcommand)]
pub enum CheckCommand {
    /// Check a config file: every mistake with its place
    #[command(after_help = "Examples:\n  \
        tollkeeper check config tollkeeper.toml\n\n\
        The web config file that it names is checked too. Exit code: 0 if all is well, 2 if not.")]
    Config {
        /// The file
        file: PathBuf,
    },
    /// Check that everything in a ledger belongs together (exit code 1 if not)
    #[command(after_help = "Examples:\n  \
        tollkeeper check ledger /var/lib/tollkeeper\n  \
        tollkeeper check ledger /var/lib/tollkeeper --format json\n\n\
        The daemon must not run on it. Exit code: 0 if all is well, 1 if not, 2 after an error.")]
    Ledger(CheckLedgerArgs),
}

/// `tollkeeper check ledger`.
#[derive(Debug, clap::Args)]
pub struct CheckLedgerArgs {
    /// Folder of the ledger
    pub dir: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// How what is no table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// For people
    Text,
    /// One object
    Json,
}

/// `tollkeeper completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `tollkeeper man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Folder to write a page for each command to
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
