//! The keys of the config file, what each may be, and what it is when it is not there.

use std::path::Path;

use super::budget;
use super::charge;
use super::conditions;
use super::format;
use super::problem::Problems;
use super::quota;
use super::route;
use super::section::{Reader, Section};
use super::web;
use super::{
    Config, FileSourceConfig, LEDGER_DIR_DEFAULT, LISTEN_DEFAULT, Labels, SETTINGS_DEFAULT,
};
use crate::ledger::rollup::Retention;
use crate::ledger::state::Settings;
use crate::model::model_ref::ModelRef;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// Most worker threads, sources, chosen attributes.
const WORKERS_MAX: u64 = 256;
const ATTRIBUTES_MAX: usize = 8;

impl Config {
    /// Checks the config `text` of the file `file`. Paths in it are as seen from `folder`.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the file.
    pub fn parse(file: &str, text: &str, folder: &Path) -> Result<Self, Problems> {
        let reader = Reader::new(file, text);
        let config = read(&reader, folder);
        let problems = reader.into_problems();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(Problems(problems)),
        }
    }
}

pub(super) fn read(reader: &Reader<'_>, folder: &Path) -> Option<Config> {
    let mut root = reader.root();
    let listen =
        root.parsed("listen", "an address such as `127.0.0.1:9478`", |text| text.parse().ok());
    let workers = root.number("workers", 0..=WORKERS_MAX).unwrap_or(0);

    let web = web::read(&mut root, folder);
    let mut ledger = root.section("ledger");
    let dir = ledger.text("dir").unwrap_or_else(|| LEDGER_DIR_DEFAULT.to_owned());
    let retention = read_retention(&mut ledger);
    ledger.finish();

    let mut deduplication = root.section("deduplication");
    let window_ms = deduplication.duration_ms("window", MINUTE_MS..=31 * DAY_MS);
    let ids_max = deduplication.number("ids_max", 1_000..=1_000_000_000);
    deduplication.finish();

    let mut labels = root.section("labels");
    let shown = read_labels(&mut labels);
    let principals_max = labels.number("principals_max", 1..=100_000);
    let attribute_values_max = labels.number("attribute_values_max", 1..=100_000);
    let series_max = labels.number("series_max", 10..=1_000_000);
    labels.finish();

    let sources = read_sources(&mut root, folder);
    let allowed = "the id or ARN of a model or of a system-defined inference profile, for example \
                   `us.anthropic.claude-sonnet-4-6`";
    let mut models = root.text_map("models", allowed, |target| {
        !target.is_empty() && !ModelRef::parse(target).opaque
    });
    let formats = format::read(&mut root);
    let mut prices = root.section("prices");
    let price_files = prices.texts("files").unwrap_or_default();
    prices.finish();
    let quota = quota::read(&mut root, folder);
    let budgets = budget::read(&mut root, &shown.attributes, retention);
    let source_names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let items = charge::read(&mut root, &shown.attributes, &source_names);
    charge::map_models(&root, &mut models, &items);
    let mut alerts = root.section("alerts");
    let delivery = route::read(&mut alerts, folder);
    let rules = conditions::read(&mut alerts);
    alerts.finish();
    root.finish();

    let defaults = SETTINGS_DEFAULT;
    Some(Config {
        listen: listen.or_else(|| LISTEN_DEFAULT.parse().ok())?,
        web,
        ledger_dir: folder.join(dir),
        ledger: Settings {
            retention,
            cuts: budget::cuts(&budgets),
            window_ms: window_ms.unwrap_or(defaults.window_ms),
            ids_max: size_or(ids_max, defaults.ids_max),
            principals_max: size_or(principals_max, defaults.principals_max),
            attribute_values_max: size_or(attribute_values_max, defaults.attribute_values_max),
            series_max: size_or(series_max, defaults.series_max),
        },
        sources,
        workers: size_or(Some(workers), 0),
        labels: shown,
        models,
        formats,
        price_files: price_files.iter().map(|file| folder.join(file)).collect(),
        quota,
        budgets,
        provisioned: items.provisioned,
        fixed_costs: items.fixed_costs,
        rules,
        delivery,
    })
}

fn read_retention(ledger: &mut Section<'_, '_>) -> Retention {
    let defaults = SETTINGS_DEFAULT.retention;
    let minutes = ledger.duration_ms("keep_minutes", HOUR_MS..=366 * DAY_MS);
    let hours = ledger.duration_ms("keep_hours", DAY_MS..=3_650 * DAY_MS);
    let days = ledger.duration_ms("keep_days", DAY_MS..=36_500 * DAY_MS);
    let retention = Retention {
        minutes_ms: minutes.unwrap_or(defaults.minutes_ms),
        hours_ms: hours.unwrap_or(defaults.hours_ms),
        days_ms: days.unwrap_or(defaults.days_ms),
    };
    if retention.minutes_ms > retention.hours_ms || retention.hours_ms > retention.days_ms {
        ledger.report(
            "found a finer level kept longer than a coarser one, expected `keep_minutes` <= \
             `keep_hours` <= `keep_days`"
                .to_owned(),
        );
    }
    retention
}

fn read_labels(labels: &mut Section<'_, '_>) -> Labels {
    let principal = labels.flag("principal").unwrap_or(false);
    let attributes = labels.texts("attributes").unwrap_or_default();
    if attributes.len() > ATTRIBUTES_MAX {
        let count = attributes.len();
        labels.report(format!("found {count} attributes, expected at most {ATTRIBUTES_MAX}"));
    }
    let mut names: Vec<String> = attributes.iter().map(|key| label_name(key)).collect();
    names.sort();
    names.dedup();
    if names.len() < attributes.len() {
        labels.report("found two attributes with the same label name".to_owned());
    }
    Labels { principal, attributes }
}

/// Returns the Prometheus label of a request-metadata key: `attr_` and the key with everything but
/// letters, digits and underscores replaced.
pub(crate) fn label_name(attribute: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("attr_{}", attribute.chars().map(clean).collect::<String>())
}

fn read_sources(root: &mut Section<'_, '_>, folder: &Path) -> Vec<FileSourceConfig> {
    let mut sources: Vec<FileSourceConfig> = Vec::new();
    let sections = root.sections("source");
    // Where the text is no TOML, a section that is there may not have been found.
    if sections.is_empty() && root.is_whole() {
        root.report(
            "there is no `[[source]]`; name at least one with the files to read".to_owned(),
        );
    }
    for mut section in sections {
        let source = read_source(&mut section, folder);
        if sources.iter().any(|known| known.name == source.name) {
            section.report(format!("found a second source named `{}`", source.name));
        }
        section.finish();
        sources.push(source);
    }
    check_corroborations(root, &sources);
    sources
}

fn read_source(section: &mut Section<'_, '_>, folder: &Path) -> FileSourceConfig {
    let name = section.text("name");
    if name.is_none() {
        section.report("`name` is missing; it becomes the label `source`".to_owned());
    }
    let allowed = "a glob such as `/var/log/app/*.log`";
    let include = section.texts("include").unwrap_or_default();
    if include.is_empty() {
        section.report(format!("`include` is missing or empty, expected a list with {allowed}"));
    }
    let exclude = section.texts("exclude").unwrap_or_default();
    for pattern in include.iter().chain(&exclude) {
        if let Err(error) = glob::Pattern::new(pattern) {
            let what = error.msg;
            section.report(format!("found `{pattern}`, expected {allowed}: {what}"));
        }
    }
    let below = |patterns: Vec<String>| -> Vec<String> {
        patterns.iter().map(|glob| folder.join(glob).to_string_lossy().into_owned()).collect()
    };
    let mut source = FileSourceConfig::new(&name.unwrap_or_default(), below(include));
    source.exclude = below(exclude);
    source.corroborates = section.texts("corroborates").unwrap_or_default();
    let unsigned = |ms: i64| ms.unsigned_abs();
    if let Some(bytes) = section.number("line_bytes_max", 1_024..=1 << 30) {
        source.line_bytes_max = size_or(Some(bytes), source.line_bytes_max);
    }
    if let Some(files) = section.number("open_files_max", 1..=100_000) {
        source.open_files_max = size_or(Some(files), source.open_files_max);
    }
    if let Some(ms) = section.duration_ms("rescan", 100..=DAY_MS) {
        source.rescan_ms = unsigned(ms);
    }
    if let Some(ms) = section.duration_ms("finished_after", 0..=DAY_MS) {
        source.finished_after_ms = unsigned(ms);
    }
    if let Some(ms) = section.duration_ms("forget_after", HOUR_MS..=3_650 * DAY_MS) {
        source.forget_after_ms = unsigned(ms);
    }
    source
}

/// What a source corroborates must be counted somewhere: in a source that corroborates nothing.
fn check_corroborations(root: &Section<'_, '_>, sources: &[FileSourceConfig]) {
    for source in sources {
        for named in &source.corroborates {
            let found = sources.iter().find(|known| known.name == *named);
            let problem = match found {
                None => "there is no such source",
                Some(found) if !found.corroborates.is_empty() => {
                    "that source corroborates others itself, so its calls are not counted"
                }
                Some(_) => continue,
            };
            root.report(format!("`{}` corroborates `{named}`, but {problem}", source.name));
        }
    }
}

fn size_or(number: Option<u64>, default: usize) -> usize {
    number.and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        match Config::parse("t.toml", text, Path::new("/etc/tollkeeper")) {
            Ok(config) => format!("no problem: {config:?}"),
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn a_full_config_is_read_and_its_paths_are_seen_from_its_folder() {
        let text = r#"
            listen = "127.0.0.1:9479"
            [ledger]
            dir = "state"
            keep_minutes = "3d"
            [deduplication]
            window = "12h"
            [labels]
            principal = true
            attributes = ["team"]
            [[source]]
            name = "bedrock"
            include = ["logs/*.jsonl", "/var/log/app.log"]
            rescan = "5s"
            [models]
            "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3d4e5f6" = "us.anthropic.claude-sonnet-4-6"
            [prices]
            files = ["mine.toml"]
        "#;
        let config = Config::parse("t.toml", text, Path::new("/etc/tollkeeper")).unwrap();
        assert_eq!(config.ledger_dir, Path::new("/etc/tollkeeper/state"));
        let source = &config.sources[0];
        assert_eq!(source.include, ["/etc/tollkeeper/logs/*.jsonl", "/var/log/app.log"]);
        assert_eq!((source.rescan_ms, source.line_bytes_max), (5_000, 8 << 20));
        assert_eq!(config.ledger.window_ms, 12 * HOUR_MS);
        assert_eq!(config.ledger.retention.minutes_ms, 3 * DAY_MS);
        assert_eq!(config.price_files, [Path::new("/etc/tollkeeper/mine.toml")]);
        assert_eq!(config.models.len(), 1);
        assert!(config.labels.principal);
    }

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        let text = "listen = 9478\n\
                    worker = 2\n\
                    [deduplication]\n\
                    window = \"6 hours\"\n\
                    [[source]]\n\
                    name = \"a\"\n\
                    includes = [\"x\"]\n\
                    line_bytes_max = 10\n";
        assert_eq!(
            problems(text),
            "t.toml:1:10: listen: found integer, expected an address such as `127.0.0.1:9478`\n\
             t.toml:2:1: worker: there is no such key; did you mean `workers`?\n\
             t.toml:4:10: deduplication.window: found `6 hours`, expected a duration from `1m` to \
             `31d`, for example `500ms`, `90s`, `15m`, `6h` or `30d`\n\
             t.toml:5:1: source[0]: `include` is missing or empty, expected a list with a glob such \
             as `/var/log/app/*.log`\n\
             t.toml:7:1: source[0].includes: there is no such key; did you mean `include`?\n\
             t.toml:8:18: source[0].line_bytes_max: found `10`, expected a whole number from 1024 to \
             1073741824"
        );
    }

    #[test]
    fn a_syntax_error_names_its_place() {
        assert!(
            problems("listen = \n[[source]]\nname=\"a\"\ninclude=[\"x\"]\n")
                .starts_with("t.toml:1:")
        );
        assert_eq!(
            problems(""),
            "t.toml:1:1: there is no `[[source]]`; name at least one with the files to read"
        );
    }

    #[test]
    fn a_section_in_a_broken_header_is_not_said_to_be_missing() {
        let found = problems("[[source]\nname = \"a\"\ninclude = [\"x\"]\n");
        assert!(found.starts_with("t.toml:1:"), "{found}");
        assert!(!found.contains("no `[[source]]`"), "{found}");
    }
}
