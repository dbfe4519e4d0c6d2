//! A plan as tables and sentences for a person.

use crate::cli::table::{self, Align, dollars, grouped, printable};
use crate::model::money::Usd;
use crate::model::names::{Route, Tier};
use crate::model::tokens::TokenClass;
use crate::plan::{
    FleetCost, Offer, Percentile, Plan, Quote, SizedFor, TrafficKey, TrafficPlan, UnitPrice,
};

const OPTIONS: [(&str, Align); 6] = [
    ("OPTION", Align::Left),
    ("USD", Align::Right),
    ("VS ON DEMAND", Align::Right),
    ("UNITS", Align::Right),
    ("PAYS FROM TOKENS/MIN", Align::Right),
    ("REMARK", Align::Left),
];
const SIZES: [(&str, Align); 6] = [
    ("WHOLE FOR", Align::Left),
    ("OPTION", Align::Left),
    ("UNITS", Align::Right),
    ("UNITS USD", Align::Right),
    ("OVERFLOW USD", Align::Right),
    ("USD", Align::Right),
];
const TOTALS: [(&str, Align); 4] = [
    ("ALL TRAFFIC", Align::Left),
    ("USD", Align::Right),
    ("THE SAME ON DEMAND", Align::Right),
    ("HAS A PRICE", Align::Right),
];
const ITEMS: [(&str, Align); 3] =
    [("PAID BESIDE ALL OF THIS", Align::Left), ("MODEL", Align::Left), ("USD", Align::Right)];
/// Characters of a line of sentences.
const LINE_CHARS: usize = 100;

/// Returns the page.
pub(super) fn page(plan: &Plan) -> String {
    let window = plan.window;
    let mut page = format!(
        "what the same traffic would have cost, from {} to {} ({} hours)\n",
        window.from.second_text(),
        window.to.second_text(),
        grouped(window.hours()),
    );
    for traffic in &plan.traffic {
        page.push_str(&format!("\n{}\n{}\n\n", title(&traffic.key), facts(traffic)));
        page.push_str(&options(traffic));
        page.push_str(&sizes(traffic));
    }
    page.push_str(&totals(plan));
    if !plan.items.is_empty() {
        let row = |item: &crate::plan::ItemCost| {
            vec![item.name.clone(), item.model.clone(), dollars(item.usd)]
        };
        let rows: Vec<_> = plan.items.iter().map(row).collect();
        page.push_str(&format!("\n{}", table::table(&ITEMS, &rows, 0)));
    }
    page.push_str("\nassumed:\n");
    for sentence in &plan.assumptions {
        page.push_str(&folded(&printable(sentence)));
    }
    page
}

/// Returns what traffic is, in one line.
pub(super) fn title(key: &TrafficKey) -> String {
    let route = match key.route {
        Route::Geo => format!("geo {}", key.geo),
        route => route.as_str().replace('_', "-"),
    };
    let text = format!("{} · {route} · {} · account {}", key.model, key.region, key.account);
    printable(&text)
}

fn facts(traffic: &TrafficPlan) -> String {
    let output = traffic.tokens.get(TokenClass::Output);
    let mut text = format!(
        "{} calls, {} input and {} output tokens; the ledger has ${} for them",
        grouped(traffic.requests),
        grouped(traffic.tokens.total_input()),
        grouped(output),
        dollars(traffic.booked),
    );
    if traffic.booked_unpriced > 0 {
        text.push_str(&format!(", and {} unpriced tokens", grouped(traffic.booked_unpriced)));
    }
    let minutes = &traffic.minutes;
    let spread = Percentile::ALL.into_iter().filter_map(|percentile| {
        let tokens = minutes.tokens(percentile)?;
        Some(format!("{} {}", percentile.as_str(), grouped(tokens)))
    });
    let spread: Vec<String> = spread.collect();
    if !spread.is_empty() {
        text.push_str(&format!("\ntokens a minute: {}", spread.join(", ")));
    }
    let busiest = minutes.tokens(Percentile::Max).unwrap_or(0);
    if let Some(mean) = minutes.longer_mean_max.filter(|mean| *mean > busiest) {
        let mean = grouped(mean);
        text.push_str(&format!(
            "\nan hour or day before minutes were known had {mean} tokens a minute on average"
        ));
    }
    text
}

fn options(traffic: &TrafficPlan) -> String {
    let on_demand = traffic.usd(&Offer::Tier(Tier::Standard));
    let rows: Vec<_> = traffic.quotes.iter().map(|quote| option(quote, on_demand)).collect();
    table::table(&OPTIONS, &rows, 0)
}

fn option(quote: &Quote, on_demand: Option<Usd>) -> Vec<String> {
    let title = quote.offer.title();
    let pays = quote.unit.and_then(|unit| unit.break_even).map_or_else(String::new, grouped);
    let cost = match &quote.cost {
        Ok(cost) => cost,
        Err(reason) => {
            let mut remark = reason.text(&quote.offer);
            if let Some(UnitPrice { per_hour, .. }) = quote.unit {
                remark.push_str(&format!("; a unit costs ${per_hour} an hour"));
            }
            return vec![title, "-".to_owned(), String::new(), String::new(), pays, remark];
        }
    };
    let mark = if quote.approximations.is_empty() { "" } else { "~" };
    let against = on_demand.filter(|_| quote.offer.kind() != "on_demand");
    let against = against.map_or_else(String::new, |usd| difference(cost.usd, usd));
    let units = cost.fleet.as_ref().map_or_else(String::new, |fleet| grouped(fleet.chosen.units));
    let remark = cost.fleet.as_ref().map_or_else(String::new, |fleet| remark(quote, fleet));
    vec![title, format!("{mark}{}", dollars(cost.usd)), against, units, pays, remark]
}

fn remark(quote: &Quote, fleet: &FleetCost) -> String {
    let mut parts = Vec::new();
    let break_even = quote.unit.and_then(|unit| unit.break_even);
    let unit = fleet.unit_tokens.map_or_else(|| "any".to_owned(), grouped);
    parts.push(format!("a unit does {unit} tokens/min"));
    if !fleet.can_pay(break_even) {
        parts.push("full before it pays".to_owned());
    }
    if fleet.chosen.overflow > Usd::ZERO {
        parts.push(format!("${} of it overflow", dollars(fleet.chosen.overflow)));
    }
    if let Some(committed) = fleet.committed {
        parts.push(format!("${committed} committed at least"));
    }
    parts.join("; ")
}

/// Returns how much more or less `usd` is than `base`, in per cent with one decimal.
fn difference(usd: Usd, base: Usd) -> String {
    if base <= Usd::ZERO {
        return String::new();
    }
    let thousandths = (usd.0 - base.0).saturating_mul(1_000) / base.0;
    let sign = if thousandths < 0 { "-" } else { "+" };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{} %", grouped(size / 10), size % 10)
}

fn sizes(traffic: &TrafficPlan) -> String {
    let mut rows = Vec::new();
    for quote in &traffic.quotes {
        let Some(fleet) = quote.cost.as_ref().ok().and_then(|cost| cost.fleet.as_ref()) else {
            continue;
        };
        // Shares of minutes that take the same number of units are one row.
        for same in fleet.sizes.chunk_by(|one, next| one.sized.units == next.sized.units) {
            let Some(size) = same.last() else { continue };
            let share = match size.percentile {
                Percentile::Max => "every minute".to_owned(),
                percentile => format!("{} of minutes", percentile.as_str()),
            };
            rows.push(size_row(share, quote, size));
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{}", table::table(&SIZES, &rows, 0))
}

fn size_row(share: String, quote: &Quote, size: &SizedFor) -> Vec<String> {
    let sized = &size.sized;
    let (overflow, usd) = if size.is_priced {
        (dollars(sized.overflow), dollars(sized.total()))
    } else {
        ("no price".to_owned(), "-".to_owned())
    };
    let (units, fixed) = (grouped(sized.units), dollars(sized.fixed));
    vec![share, quote.offer.title(), units, fixed, overflow, usd]
}

fn totals(plan: &Plan) -> String {
    let of = plan.traffic.len();
    let mut rows: Vec<Vec<String>> = plan
        .totals()
        .into_iter()
        .map(|total| {
            let is_priced = total.priced > 0;
            let usd = |usd| if is_priced { dollars(usd) } else { "-".to_owned() };
            let cells = [usd(total.usd), usd(total.on_demand), format!("{} of {of}", total.priced)];
            [total.offer.title()].into_iter().chain(cells).collect()
        })
        .collect();
    let booked: Usd = plan.traffic.iter().map(|traffic| traffic.booked).sum();
    rows.insert(0, vec!["in the ledger".to_owned(), dollars(booked), String::new(), String::new()]);
    let mut text = format!("\n{}", table::table(&TOTALS, &rows, 0));
    if plan.without_tokens > 0 {
        let count = plan.without_tokens;
        text.push_str(&format!("{count} more, without any token, are left out\n"));
    }
    text
}

/// Returns a sentence as an item of a list, in lines.
fn folded(sentence: &str) -> String {
    let mut text = String::from("-");
    let mut chars = 1;
    for word in sentence.split(' ') {
        let length = word.chars().count() + 1;
        if chars + length > LINE_CHARS {
            text.push_str("\n ");
            chars = 1;
        }
        text.push(' ');
        text.push_str(word);
        chars += length;
    }
    text.push('\n');
    text
}
