//! A plan as JSON. Dollars are texts, exact to the picodollar; tokens and units are numbers.

use serde_json::{Map, Value, json};

use crate::model::names::Approximation;
use crate::plan::{FleetCost, NoPrice, Percentile, Plan, Quote, TrafficPlan};

/// Returns all of a plan.
pub(super) fn object(plan: &Plan) -> Value {
    let window = plan.window;
    json!({
        "from": window.from.second_text(),
        "to": window.to.second_text(),
        "hours": window.hours(),
        "minutes_from": window.minutes_from.second_text(),
        "known_minutes": window.known_minutes(),
        "traffic": plan.traffic.iter().map(traffic).collect::<Vec<_>>(),
        "without_tokens": plan.without_tokens,
        "totals": plan.totals().iter().map(|total| json!({
            "option": total.offer.kind(),
            "usd": (total.priced > 0).then(|| total.usd.to_string()),
            "on_demand_usd": (total.priced > 0).then(|| total.on_demand.to_string()),
            "priced": total.priced,
            "of": plan.traffic.len(),
        })).collect::<Vec<_>>(),
        "fixed_costs": plan.items.iter().map(|item| json!({
            "item": item.name,
            "model": item.model,
            "usd": item.usd.to_string(),
        })).collect::<Vec<_>>(),
        "assumptions": plan.assumptions,
    })
}

fn traffic(traffic: &TrafficPlan) -> Value {
    let tokens: Map<String, Value> =
        traffic.tokens.iter().map(|(class, n)| (class.as_str().to_owned(), json!(n))).collect();
    let spread: Map<String, Value> = Percentile::ALL
        .into_iter()
        .filter_map(|one| Some((one.as_str().to_owned(), json!(traffic.minutes.tokens(one)?))))
        .collect();
    let key = &traffic.key;
    json!({
        "provider": key.provider,
        "model": key.model,
        "account": key.account,
        "region": key.region,
        "route": key.route.as_str(),
        "geo": key.geo,
        "requests": traffic.requests,
        "tokens": tokens,
        "booked_usd": traffic.booked.to_string(),
        "booked_unpriced_tokens": traffic.booked_unpriced,
        "tokens_per_minute": spread,
        "tokens_per_minute_mean_of_longer_rows_max": traffic.minutes.longer_mean_max,
        "options": traffic.quotes.iter().map(option).collect::<Vec<_>>(),
    })
}

fn option(quote: &Quote) -> Value {
    let (cost, reason) = match &quote.cost {
        Ok(cost) => (Some(cost), None),
        Err(reason) => (None, Some(reason)),
    };
    let unit = quote.unit;
    json!({
        "option": quote.offer.kind(),
        "title": quote.offer.title(),
        "usd": cost.map(|cost| cost.usd.to_string()),
        "no_price": reason.map(NoPrice::as_str),
        "no_price_text": reason.map(|reason| reason.text(&quote.offer)),
        "approximations": quote.approximations.iter().map(Approximation::as_str).collect::<Vec<_>>(),
        "unit_hourly_usd": unit.map(|unit| unit.per_hour.to_string()),
        "break_even_tokens_per_minute": unit.and_then(|unit| unit.break_even),
        "fleet": cost.and_then(|cost| cost.fleet.as_ref()).map(fleet),
    })
}

fn fleet(fleet: &FleetCost) -> Value {
    let sizes = fleet.sizes.iter().map(|size| {
        let priced = |usd: crate::model::money::Usd| size.is_priced.then(|| usd.to_string());
        json!({
            "minutes": size.percentile.as_str(),
            "units": size.sized.units,
            "units_usd": size.sized.fixed.to_string(),
            "overflow_usd": priced(size.sized.overflow),
            "overflow_tokens": size.sized.overflow_tokens,
            "usd": priced(size.sized.total()),
        })
    });
    json!({
        "units": fleet.chosen.units,
        "units_usd": fleet.chosen.fixed.to_string(),
        "overflow_usd": fleet.chosen.overflow.to_string(),
        "overflow_tokens": fleet.chosen.overflow_tokens,
        "unit_tokens_per_minute": fleet.unit_tokens,
        "committed_usd": fleet.committed.map(|usd| usd.to_string()),
        "sizes": sizes.collect::<Vec<_>>(),
    })
}
