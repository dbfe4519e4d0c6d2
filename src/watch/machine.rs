//! From pending over firing to resolved: findings of an evaluation in, changes of state out.
//!
//! An alert that is over its threshold is pending until it held for its `for`, then fires. A firing
//! alert goes on while it is near its threshold, and for its `keep` after it was last true; so an alert
//! that flickers is one alert. A clock that steps back makes nothing older than it is: times that lie in
//! the future count as now.

use std::collections::BTreeMap;

use super::rules::{Patience, Rules};
use super::text;
use super::{Finding, Level};
use crate::ledger::alerts::AlertChange;
use crate::model::alert::{AlertKey, AlertState, Brief, NoticeStatus, Phase};
use crate::model::time::{MINUTE_MS, UnixMillis};

/// How often what is told of a firing alert is brought up to date.
const REFRESH_MS: i64 = 5 * MINUTE_MS;
/// How far a stored time of the last truth may lag, so that an alert that goes on is not stored at
/// every evaluation.
const LAST_TRUE_SLACK_MS: i64 = MINUTE_MS;
/// Most alerts that are kept at once. Labels come from logs, so there must be an end.
const ALERTS_MAX: usize = 1_000;

/// Something that receivers are to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether it began or is over.
    pub status: NoticeStatus,
    /// What the alert is about.
    pub key: AlertKey,
    /// Its state as it began or as it was last.
    pub state: AlertState,
    /// When it fired.
    pub fired: UnixMillis,
    /// When it was over, if it is.
    pub ended: Option<UnixMillis>,
}

/// What one evaluation changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Changes of states, in order.
    pub changes: Vec<AlertChange>,
    /// What receivers are to be told, in order.
    pub events: Vec<Event>,
    /// Findings that found no place any more.
    pub refused: usize,
}

/// The states of all alerts, as the evaluator knows them: ahead of the ledger by what it has sent
/// there and is not committed yet.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    states: BTreeMap<AlertKey, AlertState>,
}

impl Machine {
    /// Returns the machine of committed states.
    pub fn new(states: &BTreeMap<AlertKey, AlertState>) -> Self {
        Self { states: states.clone() }
    }

    /// Returns the states.
    pub fn states(&self) -> &BTreeMap<AlertKey, AlertState> {
        &self.states
    }

    /// Takes everything that holds at `now`. `explain` completes what is told of an alert that fires.
    pub fn step(
        &mut self,
        findings: Vec<Finding>,
        rules: &Rules,
        now: UnixMillis,
        explain: &mut dyn FnMut(&Finding) -> Brief,
    ) -> Step {
        let mut step = Step::default();
        let mut gone = self.states.clone();
        for finding in findings {
            gone.remove(&finding.key);
            let patience = rules.patience(finding.key.name);
            self.take(finding, patience, now, explain, &mut step);
        }
        for (key, state) in gone {
            let patience = rules.patience(key.name);
            self.end_if_over(key, state, patience, now, &mut step);
        }
        step
    }

    fn take(
        &mut self,
        finding: Finding,
        patience: Patience,
        now: UnixMillis,
        explain: &mut dyn FnMut(&Finding) -> Brief,
        step: &mut Step,
    ) {
        let Some(old) = self.states.get(&finding.key).cloned() else {
            if finding.level == Level::Over && self.states.len() >= ALERTS_MAX {
                step.refused += 1;
            } else if finding.level == Level::Over {
                self.begin(finding, patience, now, explain, step);
            }
            return;
        };
        match old.phase {
            Phase::Pending if finding.level == Level::Near => {
                self.states.remove(&finding.key);
                step.changes.push(AlertChange::Clear(finding.key));
            }
            Phase::Pending if now.0 - old.since.min(now).0 >= patience.for_ms => {
                self.fire(finding, old.since.min(now), now, explain, step);
            }
            Phase::Pending => {}
            Phase::Firing { fired, last_true } => {
                let is_worse = finding.severity > old.severity && finding.level == Level::Over;
                if is_worse {
                    // A receiver that was told of a ticket must be told that it is a page by now.
                    self.fire_again(finding, old, fired, now, explain, step);
                } else if now.0 - last_true.min(now).0 >= LAST_TRUE_SLACK_MS {
                    let phase = Phase::Firing { fired, last_true: now };
                    let is_stale = finding.level == Level::Over
                        && (now.0 - fired.0) / REFRESH_MS != (last_true.0 - fired.0) / REFRESH_MS;
                    let brief =
                        if is_stale { text::bounded(explain(&finding)) } else { old.brief.clone() };
                    self.set(finding.key, AlertState { phase, brief, ..old }, step);
                }
            }
        }
    }

    fn begin(
        &mut self,
        finding: Finding,
        patience: Patience,
        now: UnixMillis,
        explain: &mut dyn FnMut(&Finding) -> Brief,
        step: &mut Step,
    ) {
        if patience.for_ms <= 0 {
            self.fire(finding, now, now, explain, step);
            return;
        }
        let state = AlertState {
            phase: Phase::Pending,
            severity: finding.severity,
            since: now,
            brief: text::bounded(finding.brief),
        };
        self.set(finding.key, state, step);
    }

    fn fire(
        &mut self,
        finding: Finding,
        since: UnixMillis,
        now: UnixMillis,
        explain: &mut dyn FnMut(&Finding) -> Brief,
        step: &mut Step,
    ) {
        let state = AlertState {
            phase: Phase::Firing { fired: now, last_true: now },
            severity: finding.severity,
            since,
            brief: text::bounded(explain(&finding)),
        };
        self.set(finding.key.clone(), state.clone(), step);
        let status = NoticeStatus::Firing;
        step.events.push(Event { status, key: finding.key, state, fired: now, ended: None });
    }

    fn fire_again(
        &mut self,
        finding: Finding,
        old: AlertState,
        fired: UnixMillis,
        now: UnixMillis,
        explain: &mut dyn FnMut(&Finding) -> Brief,
        step: &mut Step,
    ) {
        let state = AlertState {
            phase: Phase::Firing { fired, last_true: now },
            severity: finding.severity,
            brief: text::bounded(explain(&finding)),
            ..old
        };
        self.set(finding.key.clone(), state.clone(), step);
        let status = NoticeStatus::Firing;
        step.events.push(Event { status, key: finding.key, state, fired, ended: None });
    }

    fn end_if_over(
        &mut self,
        key: AlertKey,
        state: AlertState,
        patience: Patience,
        now: UnixMillis,
        step: &mut Step,
    ) {
        match state.phase {
            Phase::Pending => {
                self.states.remove(&key);
                step.changes.push(AlertChange::Clear(key));
            }
            Phase::Firing { fired, last_true } => {
                if now.0 - last_true.min(now).0 >= patience.keep_ms {
                    self.states.remove(&key);
                    step.changes.push(AlertChange::Clear(key.clone()));
                    let (status, ended) = (NoticeStatus::Resolved, Some(now));
                    step.events.push(Event { status, key, state, fired, ended });
                }
            }
        }
    }

    fn set(&mut self, key: AlertKey, state: AlertState, step: &mut Step) {
        step.changes.push(AlertChange::Set(key.clone(), state.clone()));
        self.states.insert(key, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::alerts::Alerts;
    use crate::model::alert::{AlertName, Severity};
    use proptest::prelude::*;

    const START: UnixMillis = UnixMillis(1_800_000_000_000);

    fn finding(level: Level, severity: Severity) -> Finding {
        let key = AlertKey::new(AlertName::ThrottleRatio, &[("model", "m")]);
        Finding { key, severity, level, brief: Brief::default() }
    }

    fn rules() -> Rules {
        let mut rules = Rules::default();
        rules.throttled.patience = Patience { for_ms: 60_000, keep_ms: 120_000 };
        rules
    }

    /// Steps through findings by second, and returns when receivers were told what.
    fn told(findings: &[(i64, Option<Level>)]) -> Vec<(i64, NoticeStatus)> {
        let mut machine = Machine::default();
        let mut told = Vec::new();
        for &(second, level) in findings {
            let found = level.map(|level| finding(level, Severity::Ticket)).into_iter().collect();
            let explain = &mut |finding: &Finding| finding.brief.clone();
            let step = machine.step(found, &rules(), START.plus(second * 1_000), explain);
            told.extend(step.events.iter().map(|event| (second, event.status)));
        }
        told
    }

    #[test]
    fn an_alert_is_pending_fires_and_resolves() {
        use Level::{Near, Over};
        use NoticeStatus::{Firing, Resolved};
        let over = Some(Over);
        assert_eq!(told(&[(0, over), (59, over)]), []);
        assert_eq!(told(&[(0, over), (60, over)]), [(60, Firing)]);
        // What flickers while it is pending begins anew.
        assert_eq!(told(&[(0, over), (30, None), (40, over), (90, over)]), []);
        assert_eq!(told(&[(0, over), (30, Some(Near)), (40, over), (90, over)]), []);
        // A firing alert goes on while it is near, and for a while after it was true.
        let firing = [(0, over), (60, over)];
        let after = |more: &[(i64, Option<Level>)]| told(&[&firing, more].concat());
        assert_eq!(after(&[(170, None)]), [(60, Firing)]);
        assert_eq!(after(&[(180, None)]), [(60, Firing), (180, Resolved)]);
        assert_eq!(after(&[(170, Some(Near)), (280, None)]), [(60, Firing)]);
        assert_eq!(after(&[(170, None), (175, over), (290, None)]), [(60, Firing)]);
    }

    #[test]
    fn an_alert_that_becomes_worse_is_told_again_under_its_old_episode() {
        let mut machine = Machine::default();
        let explain = &mut |finding: &Finding| finding.brief.clone();
        let mut step = |severity, second: i64| {
            let found = vec![finding(Level::Over, severity)];
            machine.step(found, &rules(), START.plus(second * 1_000), explain).events
        };
        assert_eq!(step(Severity::Ticket, 0), []);
        assert_eq!(step(Severity::Ticket, 60).len(), 1);
        let worse = step(Severity::Page, 70);
        assert_eq!((worse[0].fired, worse[0].state.severity), (START.plus(60_000), Severity::Page));
        assert_eq!(step(Severity::Page, 75), []);
        assert_eq!(step(Severity::Ticket, 80), []);
    }

    #[test]
    fn a_clock_that_steps_does_not_end_or_start_anything_at_once() {
        use NoticeStatus::{Firing, Resolved};
        let over = Some(Level::Over);
        // An hour back: what was pending counts from then on.
        assert_eq!(told(&[(3_600, over), (0, over), (60, over)]), []);
        assert_eq!(told(&[(3_600, over), (3_660, over), (0, over), (1, None)]), [(3_660, Firing)]);
        // A day forward: the alert is over once, and that is told once.
        assert_eq!(
            told(&[(0, over), (60, over), (86_400, None), (86_401, None)]),
            [(60, Firing), (86_400, Resolved)]
        );
    }

    #[test]
    fn labels_of_a_hostile_log_do_not_fill_the_ledger() {
        let mut machine = Machine::default();
        let found = |n: usize| {
            let key = AlertKey::new(AlertName::ThrottleRatio, &[("model", &n.to_string())]);
            Finding { key, ..finding(Level::Over, Severity::Ticket) }
        };
        let explain = &mut |finding: &Finding| finding.brief.clone();
        let step = machine.step((0..3_000).map(found).collect(), &rules(), START, explain);
        assert_eq!((machine.states().len(), step.refused), (ALERTS_MAX, 3_000 - ALERTS_MAX));
    }

    proptest! {
        /// Whatever is found when: notices of one alert alternate between firing and resolved, states
        /// in the ledger are those of the machine, and a restart in between changes nothing.
        #[test]
        fn notices_alternate_and_restarts_change_nothing(
            steps in proptest::collection::vec((0i64..200, 0u8..3, any::<bool>()), 1..60),
        ) {
            let (mut machine, mut restarted) = (Machine::default(), Machine::default());
            let mut ledger = Alerts::default();
            let (mut now, mut firing) = (START, false);
            for (wait, level, restart) in steps {
                now = now.plus(wait * 1_000);
                let level = [None, Some(Level::Near), Some(Level::Over)][usize::from(level)];
                let found: Vec<_> =
                    level.map(|level| finding(level, Severity::Page)).into_iter().collect();
                let explain = &mut |finding: &Finding| finding.brief.clone();
                let step = machine.step(found.clone(), &rules(), now, explain);
                if restart {
                    restarted = Machine::new(ledger.states());
                }
                prop_assert_eq!(&restarted.step(found, &rules(), now, explain), &step);
                step.changes.iter().for_each(|change| ledger.apply(change));
                prop_assert_eq!(ledger.states(), machine.states());
                for event in step.events {
                    prop_assert_eq!(event.status == NoticeStatus::Firing, !firing);
                    firing = !firing;
                }
            }
        }
    }
}
