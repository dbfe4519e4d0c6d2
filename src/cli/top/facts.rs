//! What is shown: asked of the daemon, ready for the screen.

use serde_json::Value;

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
    /// Spend an hour at the pace of the last minutes, and what is usual at this time.
    pub(super) rate: Option<(Usd, Option<Usd>)>,
    /// Why calls were throttled in the last minutes, the latest of each quota.
    pub(super) throttles: Vec<Throttle>,
}

/// A minute in which calls were throttled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Throttle {
    pub(super) minute: String,
    /// Model, route and region.
    pub(super) pool: String,
    pub(super) calls: u64,
    /// The reason, and what to do.
    pub(super) texts: Vec<String>,
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
        let [budgets, spend, quotas] =
            ["budgets", "spend", "quotas"].map(|name| daemon.json(&format!("/api/v1/{name}")));
        Ok(Self {
            budgets: budgets_of(&budgets?),
            rate: rate(&spend?),
            throttles: throttles(&quotas?),
            ..Self::of(&hour, &day)
        })
    }

    /// Puts together what two answers say.
    fn of(hour: &Answer, day: &Answer) -> Self {
        let callers =
            hour.groups.iter().map(|group| (group.labels.join(" "), (&group.sums).into()));
        let today = day.total.steps.last().map(|step| Spend::from(&step.sums));
        Self {
            newest: instant::text(hour.of.newest),
            minutes: minutes(hour),
            hour: (&hour.total.sums).into(),
            today: today.unwrap_or_default(),
            callers: callers.collect(),
            ..Self::default()
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

/// Returns the budgets, the fullest first.
fn budgets_of(answer: &Value) -> Vec<Budget> {
    let mut budgets: Vec<Budget> = list(answer, "budgets").iter().filter_map(budget).collect();
    budgets.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.name.cmp(&b.name)));
    budgets
}

fn budget(one: &Value) -> Option<Budget> {
    let name = text(one, "budget");
    let value = text(one, "value");
    let name = if value.is_empty() { name } else { format!("{name} {value}") };
    let ratio = one.get("used_ratio")?.as_number()?.to_string();
    let used = Usd::parse_truncating(&ratio).ok()?.0 / 1_000_000_000;
    Some(Budget { name, used: u64::try_from(used).unwrap_or(0) })
}

fn rate(answer: &Value) -> Option<(Usd, Option<Usd>)> {
    let total = list(answer, "spend").iter().find(|one| text(one, "dimension") == "total")?;
    let amount = |key: &str| Usd::parse_exact(&text(total, key)).ok();
    Some((amount("usd_per_hour")?, amount("usual_usd_per_hour")))
}

fn throttles(answer: &Value) -> Vec<Throttle> {
    let latest = |pool: &Value| {
        let minute = list(pool, "throttled_minutes").first()?;
        let number = |key: &str| minute.get(key).and_then(Value::as_u64).unwrap_or(0);
        let advice = list(minute, "advice").iter().filter_map(Value::as_str).map(str::to_owned);
        Some(Throttle {
            minute: text(minute, "minute"),
            pool: ["model", "route", "region"].map(|key| text(pool, key)).join(" "),
            calls: number("throttled_requests") + number("throttled_requests_elsewhere"),
            texts: std::iter::once(text(minute, "text")).chain(advice).collect(),
        })
    };
    let mut throttles: Vec<Throttle> = list(answer, "pools").iter().filter_map(latest).collect();
    throttles.sort_by(|a, b| b.minute.cmp(&a.minute).then(b.calls.cmp(&a.calls)));
    throttles
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_become_facts() {
        let budgets = json!({ "budgets": [
            { "budget": "all", "value": null, "used_ratio": 0.25 },
            { "budget": "team", "value": "search", "used_ratio": 1.0551 },
        ] });
        let found = budgets_of(&budgets);
        let found: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.used)).collect();
        assert_eq!(found, [("team search", 1_055), ("all", 250)]);
        let spend = json!({ "spend": [
            { "dimension": "model", "usd_per_hour": "1" },
            { "dimension": "total", "usd_per_hour": "3.5", "usual_usd_per_hour": null },
        ] });
        assert_eq!(rate(&spend), Some((Usd(3_500_000_000_000), None)));
        let quotas = json!({ "pools": [
            { "model": "m", "route": "geo", "region": "r", "throttled_minutes": [] },
            { "model": "n", "route": "geo", "region": "r", "throttled_minutes": [
                { "minute": "T", "throttled_requests": 3, "throttled_requests_elsewhere": 2,
                  "text": "why", "advice": ["do"] },
            ] },
        ] });
        let [one] = &throttles(&quotas)[..] else { panic!() };
        assert_eq!((one.pool.as_str(), one.calls), ("n geo r", 5));
        assert_eq!(one.texts, ["why", "do"]);
    }
}
