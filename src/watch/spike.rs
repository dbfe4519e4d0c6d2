//! Spikes: spend of the last minutes against what is usual at this hour, without any budget.

use std::collections::{BTreeMap, BTreeSet};

use super::overlap::Overlaps;
use super::recent::Costs;
use super::rules::SpikeRule;
use super::subjects::Subjects;
use super::text;
use super::usual::{Baseline, Histories, History, SLICE_MS, Subject};
use super::{Finding, Level};
use crate::model::alert::{AlertKey, AlertName, Brief, Severity};
use crate::model::money::Usd;
use crate::model::time::{HOUR_MS, MINUTE_MS, UnixMillis};

/// The window in which spend is looked at: full minutes, and the one that is not over.
pub const WINDOW_MS: i64 = SLICE_MS;
/// How far above bursts that are usual spend must be, in percent.
const MARGIN_PERCENT: i128 = 130;
/// The part of the limit, in percent, at which a spike that fires goes on; less where nothing is known of
/// what is usual, so that a busy first day is one alert.
const NEAR_PERCENT: i128 = 70;
const NEAR_WITHOUT_HISTORY_PERCENT: i128 = 20;
/// A caller with this part of an increase, in percent, decides alone whether it is usual.
const DECIDING_PERCENT: i128 = 60;
/// So many principals at once are no culprits: something that they share has changed.
const CULPRITS_MAX: usize = 3;
/// Callers whose usual bursts are looked at.
const BURSTS_MAX: usize = 32;
/// Spend above the floor by this factor pages although nothing is known of what is usual.
pub const SURE_WITHOUT_HISTORY: i128 = 10;

/// What a subject spends in the window, against what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// Dollars an hour.
    pub per_hour: Usd,
    /// Dollars an hour above which it is a spike.
    pub limit: Usd,
    /// Dollars an hour above which it is not usual, if that is known.
    pub usual: Option<Usd>,
    /// What is usual, where there is history.
    pub baseline: Option<Baseline>,
}

impl Spend {
    /// Returns how far it is above what is usual, dollars an hour.
    pub fn increase(&self) -> Usd {
        let usual = self.baseline.map_or(Usd::ZERO, |baseline| baseline.middle);
        Usd((self.per_hour.0 - usual.0).max(0))
    }

    /// Returns the rate divided by the limit.
    #[expect(clippy::float_arithmetic, reason = "a ratio to be shown")]
    pub fn score(&self) -> f64 {
        self.per_hour.to_f64() / self.limit.to_f64().max(f64::MIN_POSITIVE)
    }

    fn level(&self) -> Option<Level> {
        let near = if self.usual.is_some() { NEAR_PERCENT } else { NEAR_WITHOUT_HISTORY_PERCENT };
        if self.per_hour > self.limit {
            Some(Level::Over)
        } else if self.per_hour.0 * 100 > self.limit.0 * near {
            Some(Level::Near)
        } else {
            None
        }
    }
}

/// Returns the start of the window at `now`, and its length so far in milliseconds.
pub fn window(now: UnixMillis) -> (UnixMillis, i64) {
    let from = now.floor(MINUTE_MS).plus(-WINDOW_MS);
    (from, now.0 - from.0)
}

/// Returns what each subject spends. `costs` are those of the window.
pub fn spending<'s>(
    rule: &SpikeRule,
    costs: &Costs,
    subjects: &'s Subjects,
    histories: &Histories,
    now: UnixMillis,
) -> BTreeMap<&'s Subject, Spend> {
    let (_, length) = window(now);
    let least = rule.floor.0 * NEAR_WITHOUT_HISTORY_PERCENT;
    let spend = |(subject, cost): (&'s Subject, Usd)| {
        let per_hour = Usd(cost.0 * i128::from(HOUR_MS) / i128::from(length.max(1)));
        // There may be many of these, and nothing is told or shown of small ones.
        if matches!(subject, Subject::Use { .. }) && per_hour.0 * 100 < least {
            return None;
        }
        let baseline = histories.baseline(subject, now);
        let usual = baseline.map(|baseline| {
            let percent = i128::from(baseline.burst_percent);
            Usd(baseline.top.0 * percent * MARGIN_PERCENT / 10_000)
        });
        let limit = rule.floor.max(usual.unwrap_or_default());
        Some((subject, Spend { per_hour, limit, usual, baseline }))
    };
    subjects.sums(costs).filter_map(spend).collect()
}

/// Returns the spikes that are worth an alert: of subjects that share one increase, only one. Those of
/// `firing`, whose alerts are pending or firing, come first, then the narrowest.
pub fn spikes<'s>(
    spending: &BTreeMap<&'s Subject, Spend>,
    costs: &Costs,
    subjects: &'s Subjects,
    firing: &BTreeSet<Subject>,
) -> Vec<(&'s Subject, Level)> {
    let whole = spending.iter().find(|(subject, _)| ***subject == Subject::Total);
    // The only account is no more to name than everything is.
    let is_whole = |subject: &Subject, spend: &Spend| {
        matches!(subject, Subject::Account(_))
            && whole.is_some_and(|(_, whole)| whole.per_hour == spend.per_hour)
    };
    let mut candidates: Vec<_> = spending
        .iter()
        .filter(|(subject, spend)| !is_whole(subject, spend) || firing.contains(subject))
        // Where nothing is known of anyone, only the whole is told.
        .filter(|(subject, spend)| spend.usual.is_some() || ***subject == Subject::Total)
        .filter_map(|(&subject, spend)| Some((subject, spend, spend.level()?)))
        .filter(|(subject, _, level)| *level == Level::Over || firing.contains(subject))
        .collect();
    let culprit = |subject: &Subject| caller(subject).is_some();
    let culprits: BTreeSet<&str> = candidates
        .iter()
        .filter(|(.., level)| *level == Level::Over)
        .filter_map(|(subject, ..)| caller(subject))
        .collect();
    if culprits.len() > CULPRITS_MAX {
        candidates.retain(|(subject, ..)| !culprit(subject) || firing.contains(subject));
        if let Some((&subject, spend)) = whole {
            candidates.retain(|(subject, ..)| **subject != Subject::Total);
            candidates.push((subject, spend, Level::Over));
        }
    }
    // The derived order of subjects is from the widest to the narrowest.
    candidates
        .sort_by_key(|(subject, ..)| (!firing.contains(subject), std::cmp::Reverse(*subject)));
    let bursts = usual_bursts(spending);
    let in_question = candidates.iter().map(|(subject, ..)| *subject);
    let in_question: BTreeSet<&Subject> =
        in_question.chain(bursts.iter().map(|(subject, _)| *subject)).collect();
    let overlaps = Overlaps::new(in_question.into_iter(), costs, subjects);
    let mut chosen: Vec<(&Subject, Level)> = Vec::new();
    for (subject, spend, level) in candidates {
        let explained: Usd = chosen
            .iter()
            .filter_map(|(other, _)| {
                let shared = spending.get(other)?.increase().min(spend.increase());
                Some(overlaps.part(shared, other, subject))
            })
            .sum();
        let is_news = spend.per_hour.0 - explained.0 > spend.limit.0
            && !is_usual_of_one(&bursts, &overlaps, subject, spend);
        if is_news || firing.contains(subject) {
            chosen.push((subject, level));
        }
    }
    chosen
}

/// Returns the principal that a subject is about.
fn caller(subject: &Subject) -> Option<&str> {
    match subject {
        Subject::Principal(principal) | Subject::Use { principal, .. } => Some(principal),
        Subject::Total | Subject::Account(_) | Subject::Model(_) => None,
    }
}

/// Tells whether one caller makes most of an increase of what it is part of, and usually does so: then the
/// whole is only where its burst shows.
fn is_usual_of_one<'s>(
    bursts: &[(&'s Subject, &Spend)],
    overlaps: &Overlaps<'s>,
    subject: &Subject,
    spend: &Spend,
) -> bool {
    let decides = |part: Usd| part.0 * 100 > spend.increase().0 * DECIDING_PERCENT;
    caller(subject).is_none()
        && bursts.iter().any(|(caller, of_caller)| {
            let shared = of_caller.increase().min(spend.increase());
            decides(shared) && decides(overlaps.part(shared, caller, subject))
        })
}

/// Returns the callers that spend as they usually do, the largest increases first: only few can make most
/// of anything.
fn usual_bursts<'s, 'p>(
    spending: &'p BTreeMap<&'s Subject, Spend>,
) -> Vec<(&'s Subject, &'p Spend)> {
    let mut bursts: Vec<_> = spending
        .iter()
        .filter(|(subject, _)| matches!(subject, Subject::Principal(_)))
        .filter(|(_, spend)| spend.usual.is_some_and(|usual| spend.per_hour <= usual))
        .map(|(&subject, spend)| (subject, spend))
        .collect();
    bursts.sort_by_key(|(subject, spend)| (std::cmp::Reverse(spend.increase()), *subject));
    bursts.truncate(BURSTS_MAX);
    bursts
}

/// Returns the alert key of a spike.
pub fn key(subject: &Subject) -> AlertKey {
    let label = match subject {
        Subject::Total => return AlertKey::new(AlertName::SpendSpike, &[]),
        Subject::Account(account) => ("account", account.as_str()),
        Subject::Model(model) => ("model", model.as_str()),
        Subject::Principal(principal) => ("principal", principal.as_str()),
        Subject::Use { principal, model } => {
            let labels = [("model", model.as_str()), ("principal", principal.as_str())];
            return AlertKey::new(AlertName::SpendSpike, &labels);
        }
    };
    AlertKey::new(AlertName::SpendSpike, &[label])
}

/// Returns the subject of the alert with this key.
pub fn subject(key: &AlertKey) -> Option<Subject> {
    if key.name != AlertName::SpendSpike {
        return None;
    }
    if let (Some(principal), Some(model)) = (key.labels.get("principal"), key.labels.get("model")) {
        return Some(Subject::Use { principal: principal.clone(), model: model.clone() });
    }
    let label = key.labels.first_key_value().map(|(name, value)| (name.as_str(), value.clone()));
    match label {
        None => Some(Subject::Total),
        Some(("account", account)) => Some(Subject::Account(account)),
        Some(("model", model)) => Some(Subject::Model(model)),
        Some(("principal", principal)) => Some(Subject::Principal(principal)),
        Some(_) => None,
    }
}

/// Returns the finding of a spike.
pub fn finding(subject: &Subject, spend: &Spend, level: Level, rule: &SpikeRule) -> Finding {
    let who = match subject {
        Subject::Total => "all callers together spend".to_owned(),
        Subject::Account(account) => format!("account {account} spends"),
        Subject::Model(name) | Subject::Principal(name) => format!("{name} spends"),
        Subject::Use { principal, model } => format!("{principal} on {model} spends"),
    };
    let rate = text::dollars(spend.per_hour);
    let (summary, known) = match spend.baseline {
        Some(baseline) => (
            format!("{who} {rate}/h, usually {}/h at this hour", text::dollars(baseline.middle)),
            history_text(&baseline),
        ),
        None => (
            format!("{who} {rate}/h; there is no history to compare with"),
            format!(
                "Only the floor of {}/h was compared with: whether this is usual can't be known yet.",
                text::dollars(rule.floor)
            ),
        ),
    };
    let is_sure =
        spend.baseline.is_some() || spend.per_hour.0 > rule.floor.0 * SURE_WITHOUT_HISTORY;
    let mut brief = Brief { summary, details: vec![known], ..Brief::default() };
    let mut value =
        |name: &str, amount: Usd| brief.values.insert(name.to_owned(), amount.to_string());
    value("spend_usd_per_hour", spend.per_hour);
    value("limit_usd_per_hour", spend.limit);
    if let Some(baseline) = spend.baseline {
        value("baseline_usd_per_hour", baseline.middle);
    }
    let severity = if is_sure { Severity::Page } else { Severity::Ticket };
    Finding { key: key(subject), severity, level, brief }
}

fn history_text(baseline: &Baseline) -> String {
    let top = text::dollars(baseline.top);
    match baseline.history {
        History::Weeks(1) => format!("Usual is up to {top}/h, by this hour of one earlier week."),
        History::Weeks(weeks) => {
            format!("Usual is up to {top}/h, by this hour of {weeks} earlier weeks.")
        }
        History::Days(1) => {
            format!("Usual is up to {top}/h, by this hour of one earlier day: a wide guess.")
        }
        History::Days(days) => {
            format!("Usual is up to {top}/h, by this hour of {days} earlier days: a wide guess.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::delta::SeriesId;
    use crate::ledger::rollup::{Bucket, HourCuts, Level as RollupLevel};
    use crate::model::money::PICODOLLARS_PER_USD;
    use crate::model::time::DAY_MS;

    /// Twelve o'clock, so that a window is five minutes long.
    const NOW: UnixMillis = UnixMillis(20_780 * DAY_MS + 12 * HOUR_MS);
    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    fn dollars(amount: i64) -> Usd {
        Usd(i128::from(amount) * PICODOLLARS_PER_USD)
    }

    fn principal(name: &str) -> Subject {
        Subject::Principal(format!("role/{name}"))
    }

    /// Subjects of series 0, 1, …: each is a principal of its own, all are one model.
    fn subjects() -> Vec<Vec<Subject>> {
        let of =
            |name: &&str| vec![Subject::Total, Subject::Model("m".to_owned()), principal(name)];
        NAMES.iter().map(of).collect()
    }

    /// Every principal spends 60 dollars an hour for so many days.
    fn histories(days: i64) -> Histories {
        let mut histories = Histories::new(100);
        let mut add = |at: UnixMillis, level, amount| {
            let bucket = Bucket::holding(level, at, HourCuts::default());
            for subject in subjects().iter().flatten() {
                histories.add(subject, bucket, amount, NOW);
            }
        };
        for hour in 1..=days * 24 {
            let at = NOW.plus(-hour * HOUR_MS);
            // Of the last day also minutes are known: spend is even.
            if hour > 26 {
                add(at, RollupLevel::Hour, dollars(60));
            } else {
                (0..60).for_each(|minute| {
                    add(at.plus(minute * MINUTE_MS), RollupLevel::Minute, dollars(1));
                });
            }
        }
        histories
    }

    /// Returns what is chosen if principals spend so many dollars an hour in the window.
    fn chosen(days: i64, per_hour: &[i64], firing: &[Subject]) -> Vec<Subject> {
        let rule = super::super::rules::Rules::default().spike;
        let mut all = Subjects::default();
        for of_series in subjects() {
            all.push(of_series.into_iter());
        }
        let costs: Costs = (0..)
            .map(SeriesId)
            .zip(per_hour)
            .map(|(series, &amount)| (series, Usd(dollars(amount).0 / 12)))
            .collect();
        let histories = histories(days);
        let spending = spending(&rule, &costs, &all, &histories, NOW);
        let firing = firing.iter().cloned().collect();
        let spikes = spikes(&spending, &costs, &all, &firing);
        let over = spikes.into_iter().filter(|(_, level)| *level == Level::Over);
        over.map(|(subject, _)| subject.clone()).collect()
    }

    #[test]
    fn usual_spend_is_no_spike_and_the_culprit_is_named_once() {
        assert_eq!(chosen(28, &[60; 6], &[]), []);
        assert_eq!(chosen(28, &[110; 6], &[]), []);
        assert_eq!(chosen(28, &[60, 60, 4_000, 60, 60, 60], &[]), [principal("c")]);
        let two = chosen(28, &[60, 5_000, 4_000, 60, 60, 60], &[]);
        assert_eq!(two.len(), 2);
        assert!(two.contains(&principal("b")) && two.contains(&principal("c")));
    }

    #[test]
    fn what_many_principals_share_is_one_spike_of_what_they_share() {
        assert_eq!(chosen(28, &[2_000; 6], &[]), [Subject::Model("m".to_owned())]);
    }

    #[test]
    fn an_alert_that_fires_is_not_joined_by_another_for_the_same_increase() {
        let spend = [60, 60, 4_000, 60, 60, 60];
        assert_eq!(chosen(28, &spend, &[Subject::Total]), [Subject::Total]);
        assert_eq!(chosen(28, &spend, &[principal("c")]), [principal("c")]);
    }

    #[test]
    fn without_history_only_the_floor_counts_and_the_finding_says_so() {
        let rule = super::super::rules::Rules::default().spike;
        assert_eq!(chosen(0, &[40], &[]), []);
        assert_eq!(chosen(0, &[60], &[]), [Subject::Total]);
        let spend = |amount| {
            let per_hour = dollars(amount);
            Spend { per_hour, limit: rule.floor, usual: None, baseline: None }
        };
        let unsure = finding(&Subject::Total, &spend(60), Level::Over, &rule);
        assert_eq!(unsure.severity, Severity::Ticket);
        assert_eq!(
            unsure.brief.summary,
            "all callers together spend $60.00/h; there is no history to compare with"
        );
        assert!(unsure.brief.details[0].contains("can't be known yet"));
        assert_eq!(
            finding(&Subject::Total, &spend(600), Level::Over, &rule).severity,
            Severity::Page
        );
    }

    #[test]
    fn a_key_leads_back_to_its_subject() {
        for subject in subjects().concat().into_iter().chain([Subject::Account("1".to_owned())]) {
            assert_eq!(super::subject(&key(&subject)), Some(subject));
        }
    }
}
