//! What was written, summed from what was drawn and not from the lines: what `scan` and `run` have to
//! come to. Dollars are no part of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::instant_text;
use super::lines::{Log, Note};
use super::out;
use super::plan::{Plan, full_name};
use super::stream::{Line, Stream};
use super::world::{Door, World};
use crate::cli::failure::Failure;
use crate::model::names::Outcome;
use crate::model::time::UnixMillis;
use crate::model::tokens::TokenCounts;

/// What was written so far.
pub(super) struct Truth {
    /// By place of the workload.
    workloads: Vec<Sums>,
    /// The culprit's, from the first instant of the incident to its end.
    incident: Sums,
    culprit: Option<(usize, String, UnixMillis, Option<UnixMillis>)>,
    logs: BTreeMap<Log, (u64, u64)>,
    statuses: BTreeMap<u64, u64>,
    runs: u64,
    cold_starts: u64,
    timeouts: u64,
}

/// Sums of calls.
#[derive(Clone, Default)]
struct Sums {
    requests: u64,
    outcomes: BTreeMap<Outcome, u64>,
    tokens: TokenCounts,
}

impl Sums {
    fn add(&mut self, outcome: Outcome, tokens: &TokenCounts) {
        self.requests += 1;
        *self.outcomes.entry(outcome).or_default() += 1;
        self.tokens += tokens;
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
        self.tokens += &other.tokens;
    }

    /// Adds itself to an object, without zeros.
    fn put(&self, object: &mut Map<String, Value>) {
        let outcomes = self.outcomes.iter();
        let outcomes: Map<String, Value> =
            outcomes.map(|(outcome, count)| (outcome.as_str().to_owned(), json!(count))).collect();
        let tokens = self.tokens.iter().filter(|(_, tokens)| *tokens > 0);
        let tokens: Map<String, Value> =
            tokens.map(|(class, tokens)| (class.as_str().to_owned(), json!(tokens))).collect();
        object.insert("requests".to_owned(), json!(self.requests));
        object.insert("outcomes".to_owned(), Value::Object(outcomes));
        object.insert("tokens".to_owned(), Value::Object(tokens));
    }
}

impl Truth {
    pub(super) fn new(plan: &Plan, world: &World) -> Self {
        let culprit = world.incident.as_ref().and_then(|incident| {
            let name = full_name(world.workloads.get(incident.culprit)?);
            Some((incident.culprit, name, incident.from, incident.to))
        });
        Self {
            workloads: vec![Sums::default(); world.workloads.len()],
            incident: Sums::default(),
            culprit,
            logs: plan.logs.iter().map(|log| (*log, (0, 0))).collect(),
            statuses: BTreeMap::new(),
            runs: 0,
            cold_starts: 0,
            timeouts: 0,
        }
    }

    /// Counts a line of so many bytes that was written.
    pub(super) fn count(&mut self, line: &Line, bytes: usize) {
        let log = self.logs.entry(line.log).or_default();
        log.0 += 1;
        log.1 += bytes as u64;
        match &line.note {
            Note::Nothing => (),
            Note::Call { workload, outcome, tokens } => {
                if let Some(sums) = self.workloads.get_mut(*workload) {
                    sums.add(*outcome, tokens);
                }
                let is_part = self.culprit.as_ref().is_some_and(|(culprit, _, from, to)| {
                    culprit == workload && line.at >= *from && to.is_none_or(|to| line.at < to)
                });
                if is_part {
                    self.incident.add(*outcome, tokens);
                }
            }
            Note::Run { is_cold, timed_out } => {
                self.runs += 1;
                self.cold_starts += u64::from(*is_cold);
                self.timeouts += u64::from(*timed_out);
            }
            Note::Request { status } => *self.statuses.entry(*status).or_default() += 1,
        }
    }

    pub(super) fn calls(&self) -> u64 {
        self.workloads.iter().map(|sums| sums.requests).sum()
    }

    pub(super) fn lines(&self) -> u64 {
        self.logs.values().map(|(lines, _)| lines).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.logs.values().map(|(_, bytes)| bytes).sum()
    }

    /// Returns who the culprit is and since when, for a person.
    pub(super) fn culprit_text(&self) -> Option<String> {
        let (_, name, from, _) = self.culprit.as_ref()?;
        Some(format!("the incident begins at {} with {name}", instant_text(*from)))
    }

    /// Writes the file, if one is wanted.
    pub(super) fn save(
        &self,
        plan: &Plan,
        stream: &Stream,
        is_complete: bool,
    ) -> Result<(), Failure> {
        let Some(path) = &plan.truth else { return Ok(()) };
        let mut text = serde_json::to_string_pretty(&self.json(plan, stream.world(), is_complete))?;
        text.push('\n');
        Ok(out::replace(path, &text)?)
    }

    fn json(&self, plan: &Plan, world: &World, is_complete: bool) -> Value {
        let mut total = Sums::default();
        self.workloads.iter().for_each(|sums| total.merge(sums));
        let mut all = Map::new();
        total.put(&mut all);
        let logs: Map<String, Value> = self
            .logs
            .iter()
            .map(|(log, (lines, bytes))| {
                (log.file_name().to_owned(), json!({"lines": lines, "bytes": bytes}))
            })
            .collect();
        let statuses: Map<String, Value> = self
            .statuses
            .iter()
            .map(|(status, count)| (status.to_string(), json!(count)))
            .collect();
        json!({
            "seed": plan.seed,
            "from": instant_text(plan.from),
            "to": plan.to.map(instant_text),
            "calls_per_minute": plan.calls_per_minute,
            "complete": is_complete,
            "incident": self.incident_json(world),
            "total": all,
            "groups": self.groups(world),
            "logs": logs,
            "lambda": {
                "runs": self.runs,
                "cold_starts": self.cold_starts,
                "timeouts": self.timeouts,
            },
            "gateway": {"statuses": statuses},
        })
    }

    fn incident_json(&self, world: &World) -> Value {
        let Some(incident) = &world.incident else { return Value::Null };
        let Some(culprit) = world.workloads.get(incident.culprit) else { return Value::Null };
        let mut during = Map::new();
        self.incident.put(&mut during);
        json!({
            "principal": culprit.principal,
            "model": culprit.model.base,
            "model_id": culprit.model_id,
            "account": culprit.place.account,
            "region": culprit.place.region,
            "from": instant_text(incident.from),
            "to": incident.to.map(instant_text),
            "calls_times": incident.calls,
            "input_times": incident.input,
            "throttled": incident.throttled,
            "during": during,
        })
    }

    fn groups(&self, world: &World) -> Value {
        let groups = world.workloads.iter().zip(&self.workloads).map(|(workload, sums)| {
            let log = match workload.door {
                Door::Mantle => Log::Application,
                _ => Log::Bedrock,
            };
            let mut group = Map::new();
            for (name, value) in [
                ("log", log.file_name()),
                ("principal", workload.principal),
                ("model", workload.model.base),
                ("account", workload.place.account),
                ("region", workload.place.region),
            ] {
                group.insert(name.to_owned(), json!(value));
            }
            sums.put(&mut group);
            Value::Object(group)
        });
        Value::Array(groups.collect())
    }
}
