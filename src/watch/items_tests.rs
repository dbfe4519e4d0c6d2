//! What is not paid by token, as budgets and spikes see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::facts::Facts;
use super::lookout::{Evaluation, Lookout, World};
use super::rules::Rules;
use super::usual::Subject;
use crate::budget::amount::Amount;
use crate::budget::period::{Cycle, Period};
use crate::budget::plan::{Budget, Fail};
use crate::budget::scope::{Label, Matcher, Scope};
use crate::budget::zone::Zone;
use crate::charge::{Item, Rate};
use crate::ledger::delta::SeriesId;
use crate::ledger::rollup::{Bucket, Horizons, HourCuts, Level};
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::names::{Route, Tier};
use crate::model::series::{ContextBand, SeriesKey};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};
use crate::quota::limits::Limits;

const NOON: UnixMillis = UnixMillis(20_780 * DAY_MS + 12 * HOUR_MS);
const DOLLAR: i128 = PICODOLLARS_PER_USD;

fn key(item: &str, model: &str) -> SeriesKey {
    SeriesKey {
        provider: "aws.bedrock".to_owned(),
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        model: model.to_owned(),
        route: Route::InRegion,
        geo: String::new(),
        tier: Tier::Standard,
        principal: "role/a".to_owned(),
        attributes: Vec::new(),
        context: ContextBand::default(),
        item: item.to_owned(),
    }
}

/// A dollar a minute since yesterday.
fn hourly(name: &str, model: &str) -> Item {
    let rate = Rate::Hourly(Usd(60 * DOLLAR));
    Item { key: key(name, model), rate, from: NOON.plus(-DAY_MS), to: None }
}

fn plan(label: Option<(&str, &str)>) -> Budget {
    let matcher = |(name, glob)| Matcher::new(Label::parse(name).unwrap(), [glob]);
    Budget {
        name: "b".to_owned(),
        limit: Amount::Usd(Usd(10_000 * DOLLAR)),
        period: Period { cycle: Cycle::Day, zone: Zone::UTC },
        scope: Scope { matchers: label.map(matcher).into_iter().collect() },
        thresholds: vec![],
        carry_over: false,
        per: None,
        enforce: false,
        fail: Fail::Open,
        floor: Usd(DOLLAR),
    }
}

/// Twelve hours of a dollar a minute for each of two items, and half a dollar for calls.
fn evaluated(plans: &[Budget], is_reversed: bool) -> Evaluation {
    let items = [hourly("endpoint", "none"), hourly("units", "m")];
    let limits = Arc::new(Limits::shipped().unwrap());
    let horizons = Horizons::default();
    let mut lookout =
        Lookout::new(Rules::default(), plans.into(), limits, horizons, &BTreeMap::new())
            .with_items(items.as_slice().into(), Arc::default());
    let keys = [key("", "m"), items[0].key.clone(), items[1].key.clone()];
    for (id, key) in (0..).map(SeriesId).zip(keys) {
        lookout.learn(id, &Arc::new(key));
    }
    let mut rows: Vec<(u32, i64)> =
        (0..720).flat_map(|minute| [(0, minute), (1, minute), (2, minute)]).collect();
    if is_reversed {
        rows.reverse();
    }
    for (series, minute) in rows {
        let at = NOON.plus((minute - 720) * MINUTE_MS);
        let facts = match series {
            0 => Facts { calls: 1, cost: Usd(DOLLAR / 2), ..Facts::default() },
            _ => Facts { charge: Usd(DOLLAR), ..Facts::default() },
        };
        let bucket = Bucket::holding(Level::Minute, at, HourCuts::default());
        lookout.add(SeriesId(series), bucket, &facts, NOON);
    }
    let mut world = World { sources: Vec::new(), book_made: None };
    lookout.evaluate(&mut world, &mut |_, _| BTreeMap::new(), NOON).0
}

/// A budget counts what is not paid by token where its scope says so, whatever the order of rows, and
/// knows what the rest of its period costs.
#[test]
fn budgets_count_items_in_their_scope_and_nothing_else_sees_them() {
    let scopes = [
        None,
        Some(("item", "none")),
        Some(("item", "!none")),
        Some(("model", "m")),
        Some(("item", "units")),
    ];
    let plans: Vec<Budget> = scopes.into_iter().map(plan).collect();
    for evaluation in [evaluated(&plans, false), evaluated(&plans, true)] {
        let found = evaluation.budgets.iter().map(|state| {
            let forecast = state.status.forecast.unwrap().expected;
            (state.status.spent.number() / DOLLAR, forecast.number() / DOLLAR)
        });
        let found: Vec<(i128, i128)> = found.collect();
        let expected = [(1_800, 3_600), (360, 720), (1_440, 2_880), (1_080, 2_160), (720, 1_440)];
        assert_eq!(found, expected);
        // They are nobody's spike.
        let total = evaluation.spending.iter().find(|(subject, _)| *subject == Subject::Total);
        assert_eq!(total.unwrap().1.per_hour, Usd(30 * DOLLAR));
        let nobody = Subject::Model("none".to_owned());
        assert!(evaluation.spending.iter().all(|(subject, _)| *subject != nobody));
    }
}
