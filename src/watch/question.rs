//! Questions about alerts, and their answers: which calls explain one, and which calls of earlier times
//! they are compared with. It must never decide what is worth an alert.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::condition;
use super::explain::{self, Contributor, Period};
use super::facts::Facts;
use super::recent::{BySeries, Recent};
use super::subjects::Subjects;
use super::usual::{Histories, Subject, WEEKS};
use super::{Finding, text};
use crate::budget::scope::{Label, Scope};
use crate::ledger::delta::SeriesId;
use crate::model::alert::{AlertName, Brief};
use crate::model::digits;
use crate::model::series::SeriesKey;
use crate::model::time::{DAY_MS, HOUR_MS, UnixMillis};

/// Returns sums by series of rows that start in a time which is over: what the ledger still holds of it.
pub type Past<'p> = &'p mut dyn FnMut(UnixMillis, UnixMillis) -> BTreeMap<SeriesId, Facts>;

/// What an alert is about, so that it can be explained.
pub(super) struct Question<'q> {
    pub(super) scope: Option<&'q Scope>,
    /// The label and value of a budget that is divided.
    pub(super) value: Option<(Label, Arc<str>)>,
    pub(super) subject: Option<Subject>,
    pub(super) model: Option<String>,
    pub(super) window_ms: i64,
}

impl Question<'_> {
    /// The question about what no caller explains.
    pub(super) fn nobody() -> Self {
        Self { scope: None, value: None, subject: None, model: None, window_ms: 0 }
    }
}

/// What explanations are made from.
pub(super) struct Explainer<'e> {
    pub(super) keys: &'e [Arc<SeriesKey>],
    pub(super) subjects: &'e Subjects,
    pub(super) recent: &'e Recent,
    pub(super) histories: &'e Histories,
}

impl Explainer<'_> {
    /// Adds to what is told who explains it.
    pub(super) fn complete(
        &self,
        finding: &Finding,
        question: Option<&Question<'_>>,
        past: Past<'_>,
        now: UnixMillis,
    ) -> Brief {
        let mut brief = finding.brief.clone();
        let Some(question) = question else { return brief };
        if let Some(model) = &question.model {
            brief.details.splice(0..0, self.callers(finding.key.name, model, now));
        } else if question.scope.is_some() || question.subject.is_some() {
            let (now, before) = self.periods(question, past, now);
            let usual = explain::spenders(&now, &before);
            let contributors = explain::contributors(&now, &before);
            if usual.is_empty() {
                let lines = contributors.iter().map(Contributor::line);
                brief.details.splice(0..0, lines.collect::<Vec<_>>());
                if let Some(first) = contributors.first() {
                    brief.values.insert("culprit_principal".to_owned(), first.principal.clone());
                    brief.values.insert("culprit_model".to_owned(), first.model.clone());
                }
            } else {
                brief.details.splice(0..0, usual);
            }
        }
        brief
    }

    /// Returns the calls in question, and those of the times that they are compared with.
    fn periods(
        &self,
        question: &Question<'_>,
        past: Past<'_>,
        now: UnixMillis,
    ) -> (Period<'_>, Period<'_>) {
        let from = now.plus(-question.window_ms);
        let kept_from = Recent::kept_from(now);
        let mut sums = self.recent.by_series(from.max(kept_from), now);
        if from < kept_from {
            merge(&mut sums, past(from, kept_from));
        }
        let mut before = BySeries::default();
        let mut length_ms = 0;
        for (from, to) in self.histories.earlier(from, now) {
            merge(&mut before, past(from, to));
            length_ms += to.0 - from.0;
        }
        let now = Period { calls: self.labelled(&sums, question), length_ms: question.window_ms };
        (now, Period { calls: self.labelled(&before, question), length_ms })
    }

    fn labelled(&self, sums: &BySeries, question: &Question<'_>) -> Vec<(&SeriesKey, Facts)> {
        let in_question = |series: SeriesId, key: &SeriesKey| {
            question.scope.is_none_or(|scope| scope.matches(key))
                && question.value.as_ref().is_none_or(|(label, value)| label.of(key) == &**value)
                && question
                    .subject
                    .as_ref()
                    .is_none_or(|subject| self.subjects.of(series).any(|of| of == subject))
        };
        sums.iter()
            .filter_map(|(&series, facts)| {
                let key = key_of(self.keys, series).filter(|key| in_question(series, key))?;
                Some((key, *facts))
            })
            .collect()
    }

    /// Returns who has most of the calls that a condition is about.
    fn callers(&self, name: AlertName, model: &str, now: UnixMillis) -> Option<String> {
        let part = condition::counted(name)?;
        let mut callers: BTreeMap<&str, u64> = BTreeMap::new();
        self.recent.each(now.plus(-condition::WINDOW_MS), now, |series, facts| {
            if let Some(key) = key_of(self.keys, series).filter(|key| key.model == model) {
                *callers.entry(key.principal.as_str()).or_default() += u64::from(part(facts));
            }
        });
        let all: u64 = callers.values().sum();
        let (principal, most) = callers.into_iter().max_by_key(|(_, calls)| *calls)?;
        let share = text::share(most, all);
        (most > 0).then(|| format!("{principal}: {} of them, {share}", digits::grouped(most)))
    }
}

/// Returns the labels of a series.
pub(super) fn key_of(keys: &[Arc<SeriesKey>], series: SeriesId) -> Option<&SeriesKey> {
    usize::try_from(series.0).ok().and_then(|place| keys.get(place)).map(|key| &**key)
}

fn merge(sums: &mut BySeries, more: BTreeMap<SeriesId, Facts>) {
    for (series, facts) in more {
        sums.entry(series).or_default().merge(&facts);
    }
}

impl Histories {
    /// Returns the times that `from..now` is compared with, in whole hours: the same hours of earlier
    /// weeks, else of earlier days, else the hour before.
    fn earlier(&self, from: UnixMillis, now: UnixMillis) -> Vec<(UnixMillis, UnixMillis)> {
        let start = from.floor(HOUR_MS);
        let end = now.floor(HOUR_MS).plus(HOUR_MS);
        let shifted = |period: i64, count: i64| {
            let times =
                (1..=count).map(|back| (start.plus(-back * period), end.plus(-back * period)));
            times.filter(|(start, _)| *start >= self.first()).collect::<Vec<_>>()
        };
        let weeks = shifted(7 * DAY_MS, WEEKS);
        if !weeks.is_empty() {
            return weeks;
        }
        let days = shifted(DAY_MS, 6);
        if days.is_empty() { vec![(from.plus(-HOUR_MS), from)] } else { days }
    }
}
