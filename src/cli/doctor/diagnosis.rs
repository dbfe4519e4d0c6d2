//! What the collected facts mean: problems in plain words, the most serious first, each with what to do.

use super::exam::Exam;
use super::ids::{IDS_MAX, Ids};
use crate::cli::input::Inputs;
use crate::cli::table::grouped;
use crate::model::names::{Approximation, RecordKind, UnpricedReason};
use crate::model::series::UNKNOWN;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// A silence is worth a word if it is this long and so many times the usual distance.
const SILENCE_MS: i64 = 10 * MINUTE_MS;
const SILENCE_TIMES: i64 = 60;

/// Everything there is to show.
pub(super) struct Diagnosis<'d> {
    pub(super) sources: Vec<SourceReport>,
    /// What the inputs are called, in their order.
    pub(super) inputs: &'d [String],
    pub(super) problems: Vec<Problem>,
    /// Lines of a config for the ARNs that do not tell their model.
    pub(super) mapping: Option<String>,
    /// Ids of one source that are also in another.
    pub(super) shared_ids: u64,
    /// Calls that a service's log and an application's log tell of.
    pub(super) corroborated: u64,
}

/// One source and what it holds.
pub(super) struct SourceReport {
    pub(super) name: String,
    pub(super) files: usize,
    /// Files left out: they hold no records by their place.
    pub(super) noise: usize,
    pub(super) exam: Exam,
    pub(super) sight: ThrottleSight,
}

/// Whether throttles can be seen in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThrottleSight {
    /// It holds some.
    Seen,
    /// It has records of a kind that would show them, and holds none.
    None,
    /// It has calls, and nobody knows whether throttled ones would be among them.
    Unproven,
    /// It has no records.
    NoRecords,
}

/// One problem.
pub(super) struct Problem {
    /// A name for machines.
    pub(super) kind: &'static str,
    /// Name of the source, or `None` if it is about all of them.
    pub(super) source: Option<String>,
    pub(super) text: String,
    /// What to do, or what follows.
    pub(super) advice: String,
}

impl ThrottleSight {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::None => "none",
            Self::Unproven => "unproven",
            Self::NoRecords => "no_records",
        }
    }

    fn of(exam: &Exam) -> Self {
        if exam.throttles.seen > 0 {
            Self::Seen
        } else if exam.throttles.would_be_seen {
            Self::None
        } else if exam.calls.is_empty() {
            Self::NoRecords
        } else {
            Self::Unproven
        }
    }
}

impl<'d> Diagnosis<'d> {
    pub(super) fn of(
        names: &[String],
        inputs: &'d Inputs,
        exams: Vec<Exam>,
        ids: &Ids,
        window_ms: i64,
    ) -> Self {
        let owners: Vec<usize> =
            (0..inputs.names().len()).map(|input| inputs.owner_of(input)).collect();
        let reports =
            names.iter().zip(exams).enumerate().map(|(place, (name, exam))| SourceReport {
                name: if name == "-" { "stdin".to_owned() } else { name.clone() },
                noise: inputs.noise_of(place),
                files: owners.iter().filter(|owner| **owner == place).count(),
                sight: ThrottleSight::of(&exam),
                exam,
            });
        let sources: Vec<SourceReport> = reports.collect();
        let mut problems: Vec<(u8, Problem)> = Vec::new();
        for source in &sources {
            source.find(window_ms, &mut problems);
        }
        problems.extend(across(&sources, ids));
        problems.sort_by_key(|(rank, problem)| (*rank, problem.kind, problem.advice.clone()));
        Self {
            mapping: mapping(&sources),
            shared_ids: ids.shared(),
            corroborated: ids.corroborated(),
            problems: problems.into_iter().map(|(_, problem)| problem).collect(),
            inputs: inputs.names(),
            sources,
        }
    }
}

/// Finds problems that no source has by itself.
fn across(sources: &[SourceReport], ids: &Ids) -> Vec<(u8, Problem)> {
    let mut problems = Vec::new();
    let problem = |kind, text: String, advice: &str| Problem {
        kind,
        source: None,
        text,
        advice: advice.to_owned(),
    };
    let has = |sight| sources.iter().any(|source| source.sight == sight);
    if has(ThrottleSight::Unproven) && !has(ThrottleSight::Seen) && !has(ThrottleSight::None) {
        problems.push((
            3,
            problem(
                "throttles_unproven",
                "none of these logs shows a throttled or failed call, and that proves nothing".to_owned(),
                "Bedrock does not promise to log refused calls; read CloudTrail, CloudWatch metrics, an \
                 API gateway's log or an application's log with its errors too",
            ),
        ));
    }
    let shared = ids.shared();
    if shared > 0 {
        problems.push((
            4,
            problem(
                "shared_ids",
                format!("{} in more than one source", counted(shared, "call is", "calls are")),
                "`run` counts each of them once; `scan` without `--dedup` counts them every time",
            ),
        ));
    }
    if ids.is_full() {
        problems.push((
            9,
            problem(
                "duplicates_unknown",
                format!("there are more than {} ids", grouped(IDS_MAX as u64)),
                "duplicates of ids beyond that number were not looked for",
            ),
        ));
    }
    problems
}

impl SourceReport {
    /// Finds the problems of this source, each with its rank.
    fn find(&self, window_ms: i64, problems: &mut Vec<(u8, Problem)>) {
        let mut add = |rank: u8, kind, text: String, advice: &str| {
            let (source, advice) = (Some(self.name.clone()), advice.to_owned());
            problems.push((rank, Problem { kind, source, text, advice }));
        };
        let exam = &self.exam;
        let (records, rejected) = (exam.kinds().total(), exam.rejected().total());
        if self.files == 0 && self.noise > 0 {
            // There is nothing to say of what nobody looked at.
        } else if self.files == 0 {
            add(0, "no_files", "no file matches".to_owned(), "correct `include`");
        } else if records + rejected == 0 {
            add(1, "no_records", "there is no record in it".to_owned(), "is it the right log?");
        } else if records == 0 {
            add(
                0,
                "nothing_understood",
                format!("nothing is understood of {}, so nothing is counted", parts(rejected)),
                "see their shapes below; a `[[format]]` of the config can name the fields",
            );
        } else if rejected > 0 {
            add(
                1,
                "not_understood",
                format!(
                    "{} of {} not understood, so calls in them are not counted",
                    grouped(rejected),
                    parts(records + rejected)
                ),
                "see their shapes below",
            );
        }
        self.find_unpriced(&mut add);
        self.find_assumptions(&mut add);
        self.find_in_time(window_ms, &mut add);
        if exam.duplicates > 0 {
            add(
                4,
                "duplicates",
                format!(
                    "{} there more than once",
                    counted(exam.duplicates, "record is", "records are")
                ),
                "`run` counts each of them once; `scan` without `--dedup` counts them every time",
            );
        }
    }

    fn find_unpriced(&self, add: &mut impl FnMut(u8, &'static str, String, &str)) {
        for ((model, reason), tokens) in &self.exam.unpriced {
            let (input, output) = (grouped(tokens.input), grouped(tokens.output));
            let text = format!(
                "`{model}` has no price ({}): {input} input and {output} output tokens are in no sum of \
                 dollars",
                reason.as_str()
            );
            let is_unknown = model == UNKNOWN;
            let advice = if is_unknown { "the log names no model" } else { advice_for(*reason) };
            add(2, "unpriced", text, advice);
        }
        if self.exam.more_models {
            let text = "there are more models without a price than can be told apart".to_owned();
            add(2, "more_models", text, "only the first ones are listed");
        }
    }

    fn find_assumptions(&self, add: &mut impl FnMut(u8, &'static str, String, &str)) {
        let bodies = &self.exam.bodies;
        if bodies.missing > 0 {
            let (missing, answers) = (grouped(bodies.missing), grouped(bodies.answers));
            add(
                5,
                "bodies_missing",
                format!("{missing} of {answers} answers are logged without their bodies"),
                "unknown for those: stop reason (truncated? filtered?), max tokens, cache writes by time \
                 to live, latency, service tier (standard is assumed)",
            );
        }
        for (approximation, calls) in self.exam.approximated.iter() {
            let rank = if approximation == Approximation::SampledLog { 1 } else { 7 };
            let calls = counted(calls, "call", "calls");
            let text = format!("{calls}: {}", approximation.as_str());
            add(rank, approximation.as_str(), text, meaning_of(approximation));
        }
    }

    fn find_in_time(&self, window_ms: i64, add: &mut impl FnMut(u8, &'static str, String, &str)) {
        if let Some(silence) = self.exam.times.silence() {
            let length = silence.to.0.saturating_sub(silence.from.0);
            if length >= SILENCE_MS && length / SILENCE_TIMES >= silence.usual_ms {
                let (from, to) = (silence.from.second_text(), silence.to.second_text());
                let text = format!(
                    "nothing for {} from {from} to {to}; else one every {} on average",
                    span(length),
                    span(silence.usual_ms)
                );
                add(6, "silence", text, "were there no calls, or were they not logged?");
            }
        }
        let late_ms = self.exam.order.disorder().late_ms;
        if late_ms > window_ms {
            let text = format!(
                "records stand up to {} behind later ones, which is more than `[deduplication] window`",
                span(late_ms)
            );
            let advice = "`run` counts them, also if they were counted before; widen the window if the \
                          log repeats records";
            add(5, "late", text, advice);
        }
    }
}

fn advice_for(reason: UnpricedReason) -> &'static str {
    match reason {
        UnpricedReason::UnknownModel => {
            "if the name is right, add its price in a file of `[prices] files`"
        }
        UnpricedReason::OpaqueModel => {
            "the name does not tell the model; map its ARN in `[models]` (lines to paste are below)"
        }
        UnpricedReason::NoPriceForRoute => {
            "the model has prices, but not on this route, region or tier; add one in a file of \
             `[prices] files`"
        }
        UnpricedReason::NoPriceForClass => {
            "the model has prices, but none for these tokens; add it in a file of `[prices] files`"
        }
        UnpricedReason::NoPriceAtTime => {
            "the price book ends before or begins after these calls; add a price in a file of \
             `[prices] files`"
        }
        UnpricedReason::ProvisionedNotDeclared => {
            "it is paid by the hour, and nobody told what an hour costs at that time; declare its ARN as \
             `[[provisioned]]`"
        }
        UnpricedReason::NotPaidByToken => "it is paid by the minute, so there is nothing to do",
    }
}

fn meaning_of(approximation: Approximation) -> &'static str {
    match approximation {
        Approximation::CacheTtlUnknown => {
            "the log does not say for how long the cache was written; the price of five minutes is taken"
        }
        Approximation::RegionUnknown => "the log names no region; the list price is taken",
        Approximation::RegionPriceAssumed => {
            "the price book has no price for the region; the list price is taken"
        }
        Approximation::TierAssumed => "the tier asked for is taken for the one that served",
        Approximation::TokenTotalMismatch => {
            "the total of tokens in the log is not the sum of its parts; the parts are counted"
        }
        Approximation::PriceBeforeFirst => {
            "they were made before the first known price, which is taken"
        }
        Approximation::TimeInFuture => {
            "their time lies in the future; the time of reading is taken"
        }
        Approximation::CacheCountingAssumed => {
            "the input is smaller than the cached tokens that it should hold; they are counted beside it"
        }
        Approximation::SampledLog => {
            "CloudWatch left events out of this live tail: there were more calls than are counted"
        }
        Approximation::TimeUnknown => {
            "the log has no time; `run` books them at the time of reading"
        }
    }
}

/// Returns the lines of a config that map the ARNs that do not tell their model.
///
/// The values are empty, which `check config` refuses: a guess would be a wrong price.
fn mapping(sources: &[SourceReport]) -> Option<String> {
    let mut arns: Vec<&String> =
        sources.iter().flat_map(|source| source.exam.opaque.keys()).collect();
    arns.sort();
    arns.dedup();
    if arns.is_empty() {
        return None;
    }
    let mut text = "[models]\n".to_owned();
    for arn in arns {
        text.push_str(&format!("{} = \"\"\n", toml_key(arn)));
    }
    Some(text)
}

/// Returns `text` as a quoted key of TOML.
fn toml_key(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns a count with its noun.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// Returns a number of lines, or of what wrappings hold.
fn parts(count: u64) -> String {
    counted(count, "part", "parts")
}

/// Returns a span of time in words.
pub(super) fn span(ms: i64) -> String {
    let parts = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (1_000, "s"), (1, "ms")];
    let mut rest = ms;
    let mut words: Vec<String> = Vec::new();
    for (unit, name) in parts {
        let count = rest.checked_div(unit).unwrap_or(0);
        rest = rest.checked_rem(unit).unwrap_or(0);
        if count > 0 {
            words.push(format!("{count} {name}"));
        }
    }
    words.truncate(2);
    if words.is_empty() { "0 s".to_owned() } else { words.join(" ") }
}

/// Returns why a source with this view can or can't show throttles.
pub(super) fn throttle_text(source: &SourceReport) -> String {
    let has_application = source.exam.kinds().get(RecordKind::Application) > 0;
    match source.sight {
        ThrottleSight::Seen => format!("{} seen", grouped(source.exam.throttles.seen)),
        ThrottleSight::None => "none, and this log would show them".to_owned(),
        ThrottleSight::Unproven if has_application => {
            "none, which proves nothing: the application logs no failed call at all".to_owned()
        }
        ThrottleSight::Unproven => {
            "none, which proves nothing: a log of this kind need not hold refused calls".to_owned()
        }
        ThrottleSight::NoRecords => "can't be seen: this log holds no calls".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        for (ms, text) in [
            (0, "0 s"),
            (12, "12 ms"),
            (1_500, "1 s 500 ms"),
            (3 * HOUR_MS + 61_000, "3 h 1 min"),
            (9 * DAY_MS, "9 d"),
        ] {
            assert_eq!(span(ms), text);
        }
    }

    #[test]
    fn any_key_is_valid_toml() {
        for key in ["arn:aws:bedrock:us-east-1:1:x/y", "a\"b\\c", "a\nb\u{7f}\u{1}", "é"] {
            let table: toml::Table = toml::from_str(&format!("{} = 1", toml_key(key))).unwrap();
            assert_eq!(table.keys().next().map(String::as_str), Some(key));
        }
    }
}
