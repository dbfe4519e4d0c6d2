//! Everything that is looked at together: it takes committed rows, and at a given time tells where
//! budgets stand, what is spent, and what is to change about alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Finding;
use super::budget::{self, Look};
use super::condition::{self, SourceState};
use super::evidence::{self, Evidence};
use super::facts::Facts;
use super::machine::{Machine, Step};
use super::month;
use super::provisioned::{ThroughputUse, Throughputs};
use super::question::{Explainer, Past, Question, key_of};
use super::recent::Recent;
use super::rules::{LatencyLimit, Rules};
use super::spike::{self, Spend};
use super::subjects::Subjects;
use super::throttle;
use super::usual::{Histories, KEPT_MS, Subject};
use crate::budget::burn::{Verdict, verdicts};
use crate::budget::forecast::Standing;
use crate::budget::plan::Budget;
use crate::budget::status::Status;
use crate::budget::tracks::Tracks;
use crate::charge::{Item, Throughput};
use crate::ledger::delta::SeriesId;
use crate::ledger::inflight::Inflight;
use crate::ledger::rollup::{Bucket, Horizons, Level};
use crate::ledger::signals::SignalId;
use crate::model::alert::{AlertKey, AlertName, AlertState};
use crate::model::series::SeriesKey;
use crate::model::signal::SignalKey;
use crate::model::time::{MINUTE_MS, UnixMillis};
use crate::quota::limits::Limits;
use crate::quota::tracker::{PoolStatus, Tracker};

/// Most subjects whose usual spend is known.
const SUBJECTS_MAX: usize = 3_000;
/// How often what is too old is forgotten.
const SETTLE_EVERY_MS: i64 = 60_000;

/// What an evaluation looks at beside committed rows.
pub struct World<'w> {
    /// Every source.
    pub sources: Vec<SourceState<'w>>,
    /// When the price book was made, if it says so.
    pub book_made: Option<UnixMillis>,
}

/// One budget, or its part for one value of a label, at the time of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetState {
    /// Its place among the budgets of the config.
    pub place: usize,
    /// The value of the label by which it is divided, if it is.
    pub value: Option<Arc<str>>,
    /// Where it stands.
    pub status: Status,
    /// What the rules about burn rates say of it.
    pub verdicts: Vec<Verdict>,
}

/// What an evaluation found.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// The time that it is about.
    pub at: UnixMillis,
    /// The budgets of the config.
    pub plans: Arc<[Budget]>,
    /// Where they stand, in the order of the config.
    pub budgets: Vec<BudgetState>,
    /// Where everything together stands in this month of UTC, whether or not there is a budget for it; nothing before
    /// the first evaluation.
    pub month: Option<Status>,
    /// What subjects spend.
    pub spending: Vec<(Subject, Spend)>,
    /// Where the pools of quotas stand.
    pub pools: Vec<PoolStatus>,
    /// Throttled calls by model and the log that says so, for each of [`evidence::WINDOWS`].
    pub throttles: Vec<evidence::ByModel>,
    /// Rows of subjects whose history is not kept, since there are too many.
    pub uncompared: u64,
    /// Series whose value shares the part `other` of a divided budget, by place of the budget.
    pub folded: Vec<u64>,
    /// What is not paid by token.
    pub items: Arc<[Item]>,
    /// How the provisioned throughput of the config that is paid now is used.
    pub provisioned: Vec<ThroughputUse>,
}

/// See the module.
pub struct Lookout {
    rules: Rules,
    plans: Arc<[Budget]>,
    /// Everything together; its track is the one behind those of `plans`.
    everything: Budget,
    keys: Vec<Arc<SeriesKey>>,
    subjects: Subjects,
    recent: Recent,
    /// The last minutes by model, which ratios are looked at by: summed once, when rows come.
    models: BTreeMap<UnixMillis, BTreeMap<String, Facts>>,
    histories: Histories,
    tracks: Tracks,
    items: Arc<[Item]>,
    throughputs: Throughputs,
    limits: Arc<Limits>,
    quotas: Tracker,
    evidence: Evidence,
    machine: Machine,
    /// Sources that had a record while it was new.
    live: BTreeSet<String>,
    settled: UnixMillis,
}

impl Lookout {
    /// Returns a lookout that knows no rows yet, but the alerts that the ledger holds.
    pub fn new(
        rules: Rules,
        plans: Arc<[Budget]>,
        limits: Arc<Limits>,
        horizons: Horizons,
        states: &BTreeMap<AlertKey, AlertState>,
    ) -> Self {
        let everything = month::everything();
        let tracks = plans.iter().chain([&everything]).map(Budget::track_rule).collect();
        Self {
            rules,
            plans,
            everything,
            keys: Vec::new(),
            subjects: Subjects::default(),
            recent: Recent::default(),
            models: BTreeMap::new(),
            histories: Histories::new(SUBJECTS_MAX),
            tracks: Tracks::new(tracks, horizons.cuts, horizons.cuts_from),
            items: Arc::default(),
            throughputs: Throughputs::default(),
            limits,
            quotas: Tracker::default(),
            evidence: Evidence::default(),
            machine: Machine::new(states),
            live: BTreeSet::new(),
            settled: UnixMillis(0),
        }
    }

    /// Returns this lookout with what is not paid by token. Must come before any series.
    #[must_use]
    pub fn with_items(mut self, items: Arc<[Item]>, throughputs: Arc<[Throughput]>) -> Self {
        self.items = items;
        self.throughputs = Throughputs::new(throughputs);
        self
    }

    /// Returns how long callers wait, which facts of rows are made with.
    pub fn latency_limit(&self) -> LatencyLimit {
        self.rules.latency_limit
    }

    /// Returns for how long rows matter, in milliseconds.
    pub fn reach_ms(&self) -> i64 {
        let budgets = self.tracks.rules().iter().map(|rule| rule.keep_ms).max();
        budgets.unwrap_or(0).max(KEPT_MS)
    }

    /// Takes the labels of a series; they come in the order of the numbers, before the first row.
    pub fn learn(&mut self, series: SeriesId, key: &Arc<SeriesKey>) {
        if usize::try_from(series.0).is_ok_and(|place| place == self.keys.len()) {
            self.subjects.learn(key);
            self.quotas.learn(series, key);
            self.tracks.learn(series, key);
            self.throughputs.learn(series, key);
            self.keys.push(Arc::clone(key));
        }
    }

    /// Takes note that the ledger knows of everything since `at`, although no row as old may come.
    pub fn know_since(&mut self, at: UnixMillis) {
        self.tracks.know_since(at);
        self.histories.know_since(at);
    }

    /// Takes a row, or what a commit adds to one. Each amount must come once.
    pub fn add(&mut self, series: SeriesId, bucket: Bucket, facts: &Facts, now: UnixMillis) {
        // A series whose labels did not come has no place here; they come first, always.
        let item = key_of(&self.keys, series).map(|key| key.item.as_str()).unwrap_or_default();
        let is_standing = !item.is_empty() && !self.is_paid_by_use(item);
        let is_known = self.tracks.add_sums(series, bucket, &facts.sums(is_standing));
        // What is not paid by token is nobody's spike, and no call.
        if !is_known || !item.is_empty() {
            return;
        }
        self.quotas.add_row(series, bucket, &facts.of_quota(), now);
        if bucket.level == Level::Minute {
            self.recent.add(bucket.start(), series, facts, now);
            self.add_to_model(bucket.start(), series, facts, now);
        }
        for subject in self.subjects.of(series) {
            self.histories.add(subject, bucket, facts.cost, now);
        }
    }

    fn is_paid_by_use(&self, item: &str) -> bool {
        self.items.iter().any(|known| known.name() == item && known.per_hour().is_none())
    }

    /// Takes calls in flight of a minute, or what a commit adds to them. Each call must come once.
    pub fn add_inflight(
        &mut self,
        series: SeriesId,
        minute: UnixMillis,
        inflight: &Inflight,
        now: UnixMillis,
    ) {
        self.quotas.add_inflight(series, minute, inflight, &self.limits, now);
    }

    /// Takes the labels of a signal, before its first value.
    pub fn learn_signal(&mut self, id: SignalId, key: &SignalKey) {
        self.evidence.learn(id, key);
        self.quotas.learn_signal(id, key);
    }

    /// Takes values of a signal, or what a commit adds to them.
    pub fn add_signal(&mut self, id: SignalId, bucket: Bucket, values: u64, now: UnixMillis) {
        if bucket.level == Level::Minute {
            self.evidence.add_signal(id, bucket.start(), values, now);
            self.quotas.add_signal(id, bucket.start(), values, now);
        }
    }

    fn throttles(&self, now: UnixMillis) -> Vec<evidence::ByModel> {
        let to = self.quotas.last_minute(now).plus(MINUTE_MS);
        evidence::WINDOWS.iter().map(|&(_, ms)| self.evidence.sums(to, ms)).collect()
    }

    fn add_to_model(
        &mut self,
        minute: UnixMillis,
        series: SeriesId,
        facts: &Facts,
        now: UnixMillis,
    ) {
        let Some(key) = key_of(&self.keys, series) else { return };
        self.evidence.add_calls(&key.model, minute, facts, now);
        if minute < Recent::kept_from(now) {
            return;
        }
        let models = self.models.entry(minute).or_default();
        if let Some(sums) = models.get_mut(&key.model) {
            sums.merge(facts);
        } else {
            models.insert(key.model.clone(), *facts);
        }
    }

    /// Evaluates everything at `now`.
    pub fn evaluate(
        &mut self,
        world: &mut World<'_>,
        past: Past<'_>,
        now: UnixMillis,
    ) -> (Evaluation, Step) {
        if (now.0 - self.settled.0).abs() >= SETTLE_EVERY_MS {
            self.settle(now);
            self.settled = now;
        }
        self.tell_live(world, now);
        let pools = self.quotas.evaluate(&self.limits, now);
        let mut machine = std::mem::take(&mut self.machine);
        let firing: BTreeSet<Subject> =
            machine.states().keys().filter_map(spike::subject).collect();
        let mut found: Vec<(Finding, Question<'_>)> = Vec::new();
        let budgets = self.budgets(now, &mut found);
        let spending = self.spikes(&firing, now, &mut found);
        self.conditions(now, &pools, &mut found);
        let sources = condition::of_sources(&self.rules, &world.sources, world.book_made, now);
        found.extend(sources.into_iter().map(|finding| (finding, Question::nobody())));

        let (findings, questions): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let questions: BTreeMap<AlertKey, Question<'_>> =
            findings.iter().map(|finding| finding.key.clone()).zip(questions).collect();
        let explainer = Explainer {
            keys: &self.keys,
            subjects: &self.subjects,
            recent: &self.recent,
            histories: &self.histories,
        };
        let mut explain =
            |finding: &Finding| explainer.complete(finding, questions.get(&finding.key), past, now);
        let step = machine.step(findings, &self.rules, now, &mut explain);
        self.machine = machine;
        let evaluation = Evaluation {
            at: now,
            plans: Arc::clone(&self.plans),
            budgets,
            month: self.month(now),
            spending,
            pools,
            throttles: self.throttles(now),
            uncompared: self.histories.refused(),
            folded: (0..self.plans.len()).map(|place| self.tracks.folded(place)).collect(),
            items: Arc::clone(&self.items),
            provisioned: self.throughputs.uses(&self.recent, &self.items, now),
        };
        (evaluation, step)
    }

    /// Forgets what is too old. A clock that jumps ahead must not drop what is looked at when it is back,
    /// so nothing is older than the newest row makes it.
    fn settle(&mut self, now: UnixMillis) {
        let believed = now.min(self.tracks.newest().plus(MINUTE_MS));
        self.recent.prune(believed);
        self.models = self.models.split_off(&Recent::kept_from(believed));
        self.histories.prune(believed);
        self.tracks.settle(now);
        self.quotas.settle(now);
        self.evidence.prune(believed);
    }

    /// Says which sources were live: those that are silent already were, whatever a restart forgot.
    fn tell_live(&mut self, world: &mut World<'_>, now: UnixMillis) {
        for source in &mut world.sources {
            if source.newest.0 > 0 && now.0 - source.newest.0 <= self.rules.silence.over_ms {
                self.live.insert(source.name.to_owned());
            }
            let key = AlertKey::new(AlertName::IngestSilent, &[("source", source.name)]);
            source.was_live =
                self.live.contains(source.name) || self.machine.states().contains_key(&key);
        }
    }

    fn budgets<'f>(
        &'f self,
        now: UnixMillis,
        found: &mut Vec<(Finding, Question<'f>)>,
    ) -> Vec<BudgetState> {
        let mut states = Vec::new();
        for (place, plan) in self.plans.iter().enumerate() {
            let label = plan.per.as_ref();
            let label_name = label.map(crate::budget::scope::Label::name);
            let hourly = self.items.iter().filter(|item| item.per_hour().is_some());
            let hourly: Vec<_> = hourly.filter(|item| plan.scope.matches(&item.key)).collect();
            for (key, track) in self.tracks.of_rule(place) {
                let is_of = |item: &Item| {
                    label
                        .zip(key.value.as_deref())
                        .is_none_or(|(label, value)| label.of(&item.key) == value)
                };
                let standing = |from, to| {
                    let of_value = hourly.iter().filter(|item| is_of(item));
                    of_value.map(|item| item.standing(from, to)).sum()
                };
                let standing = Standing(&standing);
                let status = Status::with(plan, track, &self.tracks.known(), standing, now);
                let value = label_name.as_deref().zip(key.value.as_deref());
                let verdicts = verdicts(plan, track, &status);
                let look = Look { budget: plan, value, status: &status };
                for (finding, window_ms) in budget::findings(look, &verdicts) {
                    let value = label.cloned().zip(key.value.clone());
                    let question = Question {
                        scope: Some(&plan.scope),
                        value,
                        window_ms,
                        ..Question::nobody()
                    };
                    found.push((finding, question));
                }
                states.push(BudgetState { place, value: key.value.clone(), status, verdicts });
            }
        }
        states
    }

    fn month(&self, now: UnixMillis) -> Option<Status> {
        let (_, track) = self.tracks.of_rule(self.plans.len()).next()?;
        let hourly: Vec<_> = self.items.iter().filter(|item| item.per_hour().is_some()).collect();
        let standing = |from, to| hourly.iter().map(|item| item.standing(from, to)).sum();
        let known = self.tracks.known();
        Some(Status::with(&self.everything, track, &known, Standing(&standing), now))
    }

    fn spikes(
        &self,
        firing: &BTreeSet<Subject>,
        now: UnixMillis,
        found: &mut Vec<(Finding, Question<'_>)>,
    ) -> Vec<(Subject, Spend)> {
        let rule = &self.rules.spike;
        let (from, length) = spike::window(now);
        let costs = self.recent.costs(from, now);
        let spending = spike::spending(rule, &costs, &self.subjects, &self.histories, now);
        if rule.enabled {
            for (subject, level) in spike::spikes(&spending, &costs, &self.subjects, firing) {
                if let Some(spend) = spending.get(subject) {
                    let finding = spike::finding(subject, spend, level, rule);
                    let question = Question {
                        subject: Some(subject.clone()),
                        window_ms: length,
                        ..Question::nobody()
                    };
                    found.push((finding, question));
                }
            }
        }
        spending.into_iter().map(|(subject, spend)| (subject.clone(), spend)).collect()
    }

    fn conditions(
        &self,
        now: UnixMillis,
        pools: &[PoolStatus],
        found: &mut Vec<(Finding, Question<'_>)>,
    ) {
        let mut models: BTreeMap<&str, Facts> = BTreeMap::new();
        let from = now.plus(-condition::WINDOW_MS).floor(MINUTE_MS);
        for (model, facts) in self.models.range(from..=now).flat_map(|(_, models)| models) {
            models.entry(model.as_str()).or_default().merge(facts);
        }
        let mut findings = condition::of_models(&self.rules, &models);
        let to = self.quotas.last_minute(now).plus(MINUTE_MS);
        let logs = self.evidence.sums(to, condition::WINDOW_MS);
        for finding in condition::of_logs(&self.rules, &logs) {
            condition::push_worse(&mut findings, finding);
        }
        for mut finding in findings {
            let model = finding.key.labels.get("model").cloned();
            if finding.key.name == AlertName::ThrottleRatio
                && let Some(model) = &model
            {
                throttle::explain(&mut finding.brief, pools, model);
            }
            let question =
                Question { model, window_ms: condition::WINDOW_MS, ..Question::nobody() };
            found.push((finding, question));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::rollup::HourCuts;
    use crate::model::alert::NoticeStatus;
    use crate::model::money::{PICODOLLARS_PER_USD, Usd};
    use crate::model::names::{Route, Tier};
    use crate::model::series::ContextBand;
    use crate::model::time::{DAY_MS, HOUR_MS};

    /// A Monday at 12:00.
    const NOON: UnixMillis = UnixMillis(20_780 * DAY_MS + 12 * HOUR_MS);

    fn key(principal: &str) -> Arc<SeriesKey> {
        Arc::new(SeriesKey {
            provider: "aws.bedrock".to_owned(),
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            model: "m".to_owned(),
            route: Route::InRegion,
            geo: String::new(),
            tier: Tier::Standard,
            principal: principal.to_owned(),
            attributes: Vec::new(),
            context: ContextBand::default(),
            item: String::new(),
        })
    }

    /// A lookout that knows a caller who spends a cent a minute for two days.
    fn lookout() -> Lookout {
        let horizons = Horizons::default();
        let limits = Arc::new(Limits::shipped().unwrap());
        let mut lookout =
            Lookout::new(Rules::default(), Arc::default(), limits, horizons, &BTreeMap::new());
        lookout.learn(SeriesId(0), &key("role/a"));
        for minute in 0..2 * 24 * 60 {
            spend(&mut lookout, NOON.plus(-minute * MINUTE_MS), 1, NOON);
        }
        lookout
    }

    fn spend(lookout: &mut Lookout, at: UnixMillis, cents: i128, now: UnixMillis) {
        let cost = Usd(cents * PICODOLLARS_PER_USD / 100);
        let facts = Facts { calls: 1, ok: 1, input_tokens: 1_000, cost, ..Facts::default() };
        let bucket = Bucket::holding(Level::Minute, at, HourCuts::default());
        lookout.add(SeriesId(0), bucket, &facts, now);
    }

    fn told(lookout: &mut Lookout, now: UnixMillis) -> Vec<(NoticeStatus, String)> {
        let mut world = World { sources: Vec::new(), book_made: None };
        let (_, step) = lookout.evaluate(&mut world, &mut |_, _| BTreeMap::new(), now);
        step.events
            .iter()
            .map(|event| (event.status, event.state.brief.details.join(" ")))
            .collect()
    }

    #[test]
    fn a_clock_that_jumps_ahead_and_back_hides_no_spike() {
        let mut lookout = lookout();
        assert_eq!(told(&mut lookout, NOON), []);
        assert_eq!(told(&mut lookout, NOON.plus(DAY_MS)), []);
        spend(&mut lookout, NOON, 10_000, NOON.plus(5_000));
        assert_eq!(told(&mut lookout, NOON.plus(5_000)), []);
        let told = told(&mut lookout, NOON.plus(10_000));
        let [(NoticeStatus::Firing, details)] = told.as_slice() else { panic!("{told:?}") };
        assert!(details.starts_with("role/a on m: +$"), "{details}");
        // The minutes before the jump are still there.
        let kept = lookout.recent.by_series(NOON.plus(-10 * MINUTE_MS), NOON.plus(10_000));
        assert_eq!(kept[&SeriesId(0)].calls, 12);
    }
}
