//! What is shown: asked of the daemon, ready for the screen.

use crate::cli::ask::Remote;
use crate::cli::failure::Failure;
use crate::model::money::Usd;
use crate::model::names::Outcome;
use crate::model::time::{MINUTE_MS, UnixMillis};
use crate::query::{Answer, Parameters, Sums, instant};

/// Minutes of the chart.
pub(super) const MINUTES: usize = 60;
/// Callers that are shown.
const CALLERS: &str = "15";

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Latest event time, as text.
    pub(super) newest: String,
    /// Spent in each of the last minutes, in microdollars, the oldest first.
    pub(super) minutes: Vec<u64>,
    pub(super) hour: Spend,
    pub(super) today: Spend,
    pub(super) callers: Vec<(String, Spend)>,
    pub(super) budgets: Vec<Budget>,
}

/// What was spent, and how calls went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spend {
    pub(super) spent: Usd,
    pub(super) requests: u64,
    pub(super) throttled: u64,
    pub(super) unpriced: u64,
}

/// A budget, or the part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) name: String,
    /// Parts of a thousand of the limit that are used.
    pub(super) used: u64,
}

impl From<&Sums> for Spend {
    fn from(sums: &Sums) -> Self {
        Self {
            spent: sums.spent(),
            requests: sums.requests(),
            throttled: sums.outcomes.get(Outcome::Throttled),
            unpriced: sums.unpriced.total(),
        }
    }
}

impl Facts {
    /// Asks the daemon.
    pub(super) fn load(daemon: &Remote) -> Result<Self, Failure> {
        let ask = |asked: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let parameters: Parameters = asked.iter().map(owned).collect();
            daemon.ask(&parameters).map_err(Failure::from)
        };
        let hour =
            ask(&[("since", "1h"), ("step", "minute"), ("by", "principal"), ("top", CALLERS)])?;
        let day = ask(&[("step", "day"), ("since", "24h")])?;
        Ok(Self::of(&hour, &day, &daemon.text("/metrics")?))
    }

    /// Puts together what two answers and a page of metrics say.
    pub(super) fn of(hour: &Answer, day: &Answer, metrics: &str) -> Self {
        let callers =
            hour.groups.iter().map(|group| (group.labels.join(" "), (&group.sums).into()));
        let today = day.total.steps.last().map(|step| Spend::from(&step.sums));
        let mut budgets: Vec<Budget> = metrics.lines().filter_map(budget).collect();
        budgets.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.name.cmp(&b.name)));
        Self {
            newest: instant::text(hour.of.newest),
            minutes: minutes(hour),
            hour: (&hour.total.sums).into(),
            today: today.unwrap_or_default(),
            callers: callers.collect(),
            budgets,
        }
    }
}

fn minutes(hour: &Answer) -> Vec<u64> {
    let first = hour.from.unwrap_or(UnixMillis(0)).floor(MINUTE_MS);
    let mut minutes = vec![0; MINUTES];
    for step in &hour.total.steps {
        let place = step.start.0.saturating_sub(first.0) / MINUTE_MS;
        // The first minute is cut, and what is behind the last one is not over.
        let place = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
        if let Some(minute) = place.and_then(|place| minutes.get_mut(place)) {
            *minute = u64::try_from(step.sums.spent().0 / 1_000_000).unwrap_or(0);
        }
    }
    minutes
}

/// Reads a line of `tollkeeper_budget_used_ratio`.
fn budget(line: &str) -> Option<Budget> {
    let labels = line.strip_prefix("tollkeeper_budget_used_ratio{")?;
    let (labels, ratio) = labels.rsplit_once("} ")?;
    let of = |name: &str| {
        let start = labels.find(&format!("{name}=\""))? + name.len() + 2;
        labels.split_at_checked(start)?.1.split('"').next()
    };
    let value = of("value").filter(|value| !value.is_empty());
    let name = of("budget")?;
    let name = value.map_or_else(|| name.to_owned(), |value| format!("{name} {value}"));
    let used = Usd::parse_truncating(ratio.split(' ').next()?).ok()?.0 / 1_000_000_000;
    Some(Budget { name, used: u64::try_from(used).unwrap_or(0) })
}
