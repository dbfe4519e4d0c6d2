//! `tollkeeper alert replay`: which alerts old logs would have raised, evaluated as `run` does, with the
//! time of the logs for a clock. So thresholds can be tried before they ring.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::args::{AlertReplayArgs, TextFormat};
use super::super::failure::Failure;
use super::super::input::{Inputs, progress_bar};
use super::super::run::load_config;
use super::super::scan::{Tally, rules};
use crate::config::{Config, parse_duration_ms};
use crate::ledger::batch::Rated;
use crate::ledger::cells::Cells;
use crate::ledger::delta::SeriesId;
use crate::ledger::meter::Meter;
use crate::ledger::rollup::{Bucket, Horizons, HourCuts, Level};
use crate::model::alert::{Brief, NoticeStatus};
use crate::model::names::LineResult;
use crate::model::series::SeriesKey;
use crate::model::time::{MINUTE_MS, UnixMillis};
use crate::quota::limits::Limits;
use crate::watch::facts::Facts;
use crate::watch::lookout::{Lookout, World};
use crate::watch::machine::Event;
use crate::watch::rules::{LatencyLimit, Rules};

/// Shortest step: an evaluation of `run` while records come.
const STEP_MIN_MS: i64 = 1_000;

/// Calls by time and series.
#[derive(Default)]
struct Calls {
    keys: Vec<Arc<SeriesKey>>,
    numbers: HashMap<Arc<SeriesKey>, SeriesId>,
    /// Sums by the step that holds the call.
    rows: BTreeMap<(UnixMillis, SeriesId), Facts>,
}

/// One alert from its beginning to its end.
struct Episode {
    event: Event,
    ended: Option<UnixMillis>,
}

pub(in super::super) fn replay(args: &AlertReplayArgs) -> Result<(), Failure> {
    let config = args.config.as_deref().map(load_config).transpose()?;
    let step = parse_duration_ms(&args.step)
        .filter(|ms| *ms >= STEP_MIN_MS && MINUTE_MS % ms == 0)
        .ok_or_else(|| {
            let text = format!("`{}` is no step", args.step);
            Failure::with_hint(
                text,
                "expected a part of a minute of whole seconds, for example `10s`",
            )
        })?;
    let calls = read(args, config.as_ref(), step)?;
    let limits = Arc::new(Limits::shipped()?);
    let episodes = evaluate(&calls, config.as_ref(), limits, step);
    let text = match args.format {
        TextFormat::Json => format!("{:#}\n", Value::Array(episodes.iter().map(object).collect())),
        TextFormat::Text => page(&calls, &episodes),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

fn read(args: &AlertReplayArgs, config: Option<&Config>, step: i64) -> Result<Calls, Failure> {
    let attributes = config.map(|config| config.labels.attributes.clone()).unwrap_or_default();
    let mut meter = Meter::new(rules(config, attributes, false)?);
    let inputs = Inputs::open(&args.files)?;
    let bar = progress_bar(inputs.bytes());
    let tally = Tally::new(true);
    let limit = config.map_or(LatencyLimit::API_GATEWAY, |config| config.rules.latency_limit);
    let mut calls = Calls::default();
    while let Some(mut piece) = inputs.next() {
        while let Some(chunk) = piece.next_chunk() {
            calls.add(&meter.rate(&chunk.lines, &chunk.frames), &tally, step, limit);
            bar.inc(chunk.lines.len() as u64);
            piece.give_back(chunk);
        }
    }
    bar.finish_and_clear();
    inputs.finish()?;
    Ok(calls)
}

impl Calls {
    fn add(&mut self, rated: &Rated, tally: &Tally, step: i64, limit: LatencyLimit) {
        let mut cells: Cells<UnixMillis> = Cells::default();
        let places = cells.places_of(&rated.groups);
        for entry in &rated.entries {
            let place = usize::try_from(entry.group).ok().and_then(|group| places.get(group));
            // A call without a time can't be replayed.
            let (Some(&place), true) = (place, entry.at != UnixMillis::UNKNOWN) else { continue };
            match tally.judge(entry.id, entry.has_shared_id) {
                LineResult::Accepted => cells.add(place, entry.at.floor(step), entry),
                LineResult::Corroborated => cells.add_claim(place, entry.at.floor(step), entry),
                _ => {}
            }
        }
        for (group, at, amounts, _) in cells.finish() {
            let series = self.number(&group.series);
            self.rows.entry((at, series)).or_default().merge(&Facts::of(&amounts.row(), limit));
        }
    }

    fn number(&mut self, key: &SeriesKey) -> SeriesId {
        if let Some(known) = self.numbers.get(key) {
            return *known;
        }
        let number = SeriesId(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        let key = Arc::new(key.clone());
        self.numbers.insert(Arc::clone(&key), number);
        self.keys.push(key);
        number
    }

    /// Returns the sums by series of `from..to`.
    fn sums(&self, from: UnixMillis, to: UnixMillis) -> BTreeMap<SeriesId, Facts> {
        let mut sums: BTreeMap<SeriesId, Facts> = BTreeMap::new();
        for ((_, series), facts) in self.rows.range((from, SeriesId(0))..(to, SeriesId(0))) {
            sums.entry(*series).or_default().merge(facts);
        }
        sums
    }
}

/// Evaluates at the end of every step, and until the last alert is over.
fn evaluate(
    calls: &Calls,
    config: Option<&Config>,
    limits: Arc<Limits>,
    step: i64,
) -> Vec<Episode> {
    let (Some(((first, _), _)), Some(((last, _), _))) =
        (calls.rows.first_key_value(), calls.rows.last_key_value())
    else {
        return Vec::new();
    };
    let cuts = config.map_or(HourCuts::FULL_HOURS, |config| config.ledger.cuts);
    let horizons = Horizons { cuts, ..Horizons::default() };
    let plans = config.map_or(&[][..], |config| &config.budgets).into();
    let rules = config.map_or_else(Rules::default, |config| config.rules);
    // Calls in flight are not kept for all of history, so the reasons of throttles are not found.
    let mut lookout = Lookout::new(rules, plans, limits, horizons, &BTreeMap::new());
    for (number, key) in (0..).map(SeriesId).zip(&calls.keys) {
        lookout.learn(number, key);
    }
    let mut rows = calls.rows.iter().peekable();
    let mut episodes: Vec<Episode> = Vec::new();
    let mut now = *first;
    // Without sources nothing is known of what is read late, and the price book is of today.
    let mut world = World { sources: Vec::new(), book_made: None };
    while now <= *last {
        now = now.plus(step);
        while let Some((&(at, series), facts)) = rows.next_if(|((at, _), _)| *at < now) {
            let bucket = Bucket::holding(Level::Minute, at, cuts);
            lookout.add(series, bucket, facts, now);
        }
        // What is committed at `now` is what was read until then.
        let mut past = |from: UnixMillis, to: UnixMillis| calls.sums(from, to.min(now));
        let (_, found) = lookout.evaluate(&mut world, &mut past, now);
        for event in found.events {
            note(&mut episodes, event);
        }
    }
    episodes
}

fn note(episodes: &mut Vec<Episode>, event: Event) {
    let open = episodes
        .iter_mut()
        .rev()
        .find(|episode| episode.event.key == event.key && episode.event.fired == event.fired);
    match (open, event.status) {
        (Some(episode), NoticeStatus::Resolved) => episode.ended = event.ended,
        // It became worse: told anew.
        (Some(episode), NoticeStatus::Firing) => episode.event = event,
        (None, _) => episodes.push(Episode { event, ended: None }),
    }
}

fn object(episode: &Episode) -> Value {
    let Event { key, state, fired, .. } = &episode.event;
    let Brief { summary, details, values } = &state.brief;
    json!({
        "alert": key.name.as_str(),
        "labels": key.labels,
        "severity": state.severity.as_str(),
        "since": state.since.second_text(),
        "fired": fired.second_text(),
        "ended": episode.ended.map(UnixMillis::second_text),
        "summary": summary,
        "details": details,
        "values": values,
    })
}

fn page(calls: &Calls, episodes: &[Episode]) -> String {
    let count = episodes.len();
    let span = match (calls.rows.first_key_value(), calls.rows.last_key_value()) {
        (Some(((first, _), _)), Some(((last, _), _))) => {
            format!("{} to {}", first.second_text(), last.second_text())
        }
        _ => "no calls".to_owned(),
    };
    let mut text = format!("{count} alert{} from {span}\n", if count == 1 { "" } else { "s" });
    for Episode { event, ended } in episodes {
        let ended = ended.map_or_else(|| "still firing".to_owned(), UnixMillis::second_text);
        let (fired, severity) = (event.fired.second_text(), event.state.severity.as_str());
        text.push_str(&format!("\n{fired} to {ended}  {severity}  {}\n", event.key));
        text.push_str(&format!("  {}\n", event.state.brief.summary));
        for line in &event.state.brief.details {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}
