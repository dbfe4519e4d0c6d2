//! What can be typed for commands that ask about usage: `report`, `top`, `export`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

/// Which daemon is asked, and how.
#[derive(Debug, clap::Args)]
pub struct DaemonArgs {
    /// The config, which names the ledger and where its daemon listens [default: tollkeeper.toml, if it is here]
    #[arg(long, value_name = "CONFIG.toml")]
    pub config: Option<PathBuf>,
    /// Ask this daemon, and not that of the config
    #[arg(long, value_name = "http://HOST:PORT")]
    pub url: Option<String>,
    /// Send the token in this file to the daemon
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Trust the authorities in this file when the daemon is asked by https
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Where answers about usage come from.
#[derive(Debug, clap::Args)]
pub struct AskArgs {
    /// The daemon that has the ledger.
    #[command(flatten)]
    pub daemon: DaemonArgs,
    /// Folder of the ledger [default: `[ledger] dir` of the config, else ./tollkeeper-ledger]
    #[arg(long, conflicts_with = "url", value_name = "DIR")]
    pub ledger: Option<PathBuf>,
}

/// Which usage is meant.
#[derive(Debug, clap::Args)]
pub struct UsageArgs {
    /// From then on: `7d` (ago), `2026-11`, `2026-11-23` or RFC 3339 [default: everything]
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Until before then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Whose midnight days begin at [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Only where a label matches a glob (or is the text behind another `=`), or with `!` before it does not; more
    /// than once for more
    #[arg(long = "where", value_name = "LABEL=GLOB")]
    pub filters: Vec<String>,
}

/// `tollkeeper report`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// Which usage is meant.
    #[command(flatten)]
    pub usage: UsageArgs,
    /// What to tell it apart by
    ///
    /// Labels: provider, account, region, model, route, tier, principal, geo, item (what is paid by
    /// time and not by token), context, attr:KEY for a key of the request metadata, or `*` for all.
    #[arg(long, default_value = "model", value_name = "LABELS")]
    pub by: String,
    /// Tell it by minute, hour, day, week, month, quarter, or by `15m`, `6h` and so on
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
    /// Show what changed against the period before
    #[arg(long, value_enum, conflicts_with = "step", requires = "since", value_name = "WITH")]
    pub compare: Option<Compare>,
    /// Show only the dearest one by one, and the others together
    #[arg(long, value_name = "N")]
    pub top: Option<std::num::NonZeroUsize>,
    /// How to print
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
    /// Where answers come from.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// What usage is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Compare {
    /// The period before, as long; months and days are those of the calendar
    Previous,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    Table,
    /// One object, exact
    Json,
    /// A line for each group and step, exact
    Csv,
    /// For issues and wikis
    Markdown,
    /// One page that needs no other file
    Html,
}

/// `tollkeeper export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// What to write.
    #[command(subcommand)]
    pub command: ExportCommand,
}

/// What can be exported.
#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// Charges in the columns of FOCUS 1.2, for tools of finance
    #[command(after_help = "Examples:\n  \
        tollkeeper export focus --since 2026-11 --until 2026-12 > november.csv\n  \
        tollkeeper export focus --since 2026-11 --format parquet --out november.parquet\n\n\
        A row for each day, series and class of tokens. Costs are estimates by the price book.")]
    Focus(FocusArgs),
    /// History with timestamps, for `promtool tsdb create-blocks-from openmetrics`
    #[command(name = "openmetrics")]
    #[command(after_help = "Examples:\n  \
        tollkeeper export openmetrics --since 90d > history.om\n  \
        promtool tsdb create-blocks-from openmetrics history.om /var/lib/prometheus\n\n\
        Counters begin at 0 at --since. Samples are a step apart: ask for `increase(…[2h])` with steps of an hour.")]
    OpenMetrics(OpenMetricsArgs),
}

/// `tollkeeper export focus`.
#[derive(Debug, clap::Args)]
pub struct FocusArgs {
    /// Which usage is meant.
    #[command(flatten)]
    pub usage: UsageArgs,
    /// How long a charge period is
    #[arg(long, value_enum, default_value_t = FocusPeriod::Day)]
    pub period: FocusPeriod,
    /// What to write
    #[arg(long, value_enum, default_value_t = FocusFormat::Csv)]
    pub format: FocusFormat,
    /// Where to write [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where answers come from.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// How long a charge period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FocusPeriod {
    /// An hour
    Hour,
    /// A day in UTC
    Day,
}

/// The files of FOCUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FocusFormat {
    /// Amounts as exact decimals
    Csv,
    /// The same as DECIMAL(38,12)
    Parquet,
}

/// `tollkeeper export openmetrics`.
#[derive(Debug, clap::Args)]
pub struct OpenMetricsArgs {
    /// Which usage is meant.
    #[command(flatten)]
    pub usage: UsageArgs,
    /// Time between two samples: minute, hour, day, `15m`, `6h` and so on
    #[arg(long, default_value = "hour", value_name = "STEP")]
    pub step: String,
    /// Where to write [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where answers come from.
    #[command(flatten)]
    pub ask: AskArgs,
}
