//! `[[provisioned]]` and `[[fixed_cost]]`: what is not paid by token.

use std::collections::BTreeMap;

use super::budget::{check_label, dollars, read_name};
use super::section::{Section, nearest};
use crate::budget::scope::{Label, Matcher, Scope};
use crate::charge::{Capacity, HourPrice, Item, Rate, Source, Throughput};
use crate::model::model_ref::ModelRef;
use crate::model::money::Usd;
use crate::model::names::{Route, Tier};
use crate::model::series::{
    ContextBand, LABEL_CHARS_MAX, NONE, OTHER, PROVIDER_BEDROCK, SeriesKey, UNKNOWN,
};
use crate::model::time::UnixMillis;
use crate::price::{Term, Validity};

/// Most items of a config: each is looked at with every commit.
const ITEMS_MAX: usize = 100;
/// Model units of one throughput, and endpoints and the like of one fixed cost.
const COUNT_MAX: u64 = 1_000_000;
/// Records are of this time or later (`decode` refuses others).
const FIRST: UnixMillis = UnixMillis(946_684_800_000);
/// Largest price of an hour, a call or a gigabyte: far above any, far below overflow.
const USD_MAX: i128 = 1_000_000_000 * crate::model::money::PICODOLLARS_PER_USD;

const ARN: &str = "the ARN of provisioned throughput, for example \
                   `arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abcdefabcdef`";
const MODEL: &str = "the id of a base model, for example `anthropic.claude-v2:1`";
const TERM: &str = "`none`, `1_month` or `6_months`";
const PRICE: &str = "dollars above 0, at most 1000000000, for example `63` or `\"0.01\"`";
const INSTANT: &str = "a day (its first instant in UTC) or an instant since 2000, for example `2026-06-01` or \
                       `2026-06-01T10:30:00Z`";
const GIGABYTE: &str = "`2^30` or `10^9`";
const LABEL: &str = "a text that is not empty, at most 128 characters";

/// Everything that is not paid by token.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) provisioned: Vec<Throughput>,
    pub(super) fixed_costs: Vec<Item>,
}

/// When something is paid.
struct Time {
    from: Option<UnixMillis>,
    to: Option<UnixMillis>,
}

/// Reads all items. `attributes` are the keys of request metadata that series have, `sources` the names of
/// the sources.
pub(super) fn read(root: &mut Section<'_, '_>, attributes: &[String], sources: &[String]) -> Items {
    let mut items = Items::default();
    let mut names: Vec<String> = Vec::new();
    for mut section in root.sections("provisioned") {
        let name = unique_name(&mut section, &mut names, "provisioned_model");
        if let Some(found) = read_provisioned(&mut section, name) {
            check_arn(&section, &items.provisioned, &found);
            items.provisioned.push(found);
        }
        section.finish();
    }
    for mut section in root.sections("fixed_cost") {
        let name = unique_name(&mut section, &mut names, "item");
        items.fixed_costs.extend(read_fixed(&mut section, name, attributes, sources));
        section.finish();
    }
    if names.len() > ITEMS_MAX {
        let count = names.len();
        root.report(format!(
            "found {count} `[[provisioned]]` and `[[fixed_cost]]`, expected at most {ITEMS_MAX}"
        ));
    }
    items
}

/// Calls name the ARN of provisioned throughput: its model stands behind it.
pub(super) fn map_models(
    root: &Section<'_, '_>,
    models: &mut BTreeMap<String, String>,
    items: &Items,
) {
    for Throughput { name, arn, model, .. } in &items.provisioned {
        match models.get(arn) {
            Some(target) if ModelRef::parse(target).model != *model => root.report(format!(
                "`[models]` maps the ARN of `{name}` to `{target}`, expected nothing or its model `{model}`"
            )),
            _ => {
                models.insert(arn.clone(), model.clone());
            }
        }
    }
}

fn unique_name(
    section: &mut Section<'_, '_>,
    names: &mut Vec<String>,
    label: &str,
) -> Option<String> {
    let name = read_name(section, label)?;
    if [NONE, OTHER, UNKNOWN].contains(&name.as_str()) {
        section.report(format!(
            "found the name `{name}`, expected another: this one stands for calls"
        ));
        return None;
    }
    if names.contains(&name) {
        section.report(format!(
            "found a second `[[provisioned]]` or `[[fixed_cost]]` named `{name}`; what is charged is known by \
             that name"
        ));
    }
    names.push(name.clone());
    Some(name)
}

fn read_provisioned(section: &mut Section<'_, '_>, name: Option<String>) -> Option<Throughput> {
    let arn = section.parsed("arn", ARN, parse_arn);
    let model = section.parsed("model", MODEL, |text| {
        let model = ModelRef::parse(text);
        (model.route == Route::InRegion && !model.opaque && model.model == text)
            .then_some(model.model)
    });
    let units = section.number("units", 1..=COUNT_MAX);
    let price = read_hour_price(section);
    let time = read_time(section, true);
    let mut per_minute = |key| section.number(key, 1..=u64::from(u32::MAX));
    let per_unit = Capacity {
        input: per_minute("input_tokens_per_minute_per_unit"),
        output: per_minute("output_tokens_per_minute_per_unit"),
    };
    for (key, is_there) in
        [("arn", arn.is_some()), ("model", model.is_some()), ("units", units.is_some())]
    {
        if !is_there && !section.was_there(key) {
            let expected = match key {
                "arn" => ARN,
                "model" => MODEL,
                _ => "the number of model units",
            };
            section.report(format!("`{key}` is missing, expected {expected}"));
        }
    }
    let (arn, account, region) = arn?;
    Some(Throughput {
        name: name?,
        arn,
        model: model?,
        account,
        region,
        units: u32::try_from(units?).ok()?,
        price: price?,
        from: time.from?,
        to: time.to,
        per_unit,
    })
}

/// Returns an ARN with its account and region.
fn parse_arn(text: &str) -> Option<(String, String, String)> {
    let mut parts = text.strip_prefix("arn:")?.splitn(5, ':').skip(1);
    let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
    let id = parts.next()?.strip_prefix("provisioned-model/")?;
    let is_whole =
        service == "bedrock" && !region.is_empty() && !account.is_empty() && !id.is_empty();
    let fits = text.chars().count() <= LABEL_CHARS_MAX;
    (is_whole && fits).then(|| (text.to_owned(), account.to_owned(), region.to_owned()))
}

fn read_hour_price(section: &mut Section<'_, '_>) -> Option<HourPrice> {
    let has = ["hourly_usd_per_unit", "term"].map(|key| section.has(key));
    let given = section.scalar("hourly_usd_per_unit", PRICE, price);
    let term = section.parsed("term", TERM, Term::from_name);
    match has {
        [true, false] => given.map(HourPrice::Given),
        [false, true] => term.map(HourPrice::OfTerm),
        [false, false] => {
            section.report(format!(
                "the price is missing, expected `hourly_usd_per_unit` ({PRICE}) or a `term` that the price \
                 book has ({TERM})"
            ));
            None
        }
        [true, true] => {
            section
                .report("found `hourly_usd_per_unit` and `term`, expected one of them".to_owned());
            None
        }
    }
}

/// One ARN may be paid at two prices, one after the other.
fn check_arn(section: &Section<'_, '_>, known: &[Throughput], found: &Throughput) {
    let valid =
        |one: &Throughput| Validity { from: one.from, to: one.to.unwrap_or(Validity::ALWAYS.to) };
    for other in known.iter().filter(|other| other.arn == found.arn) {
        if valid(other).overlaps(valid(found)) {
            let name = &other.name;
            section.report(format!("found the ARN of `{name}` once more, at times that overlap"));
        }
        if other.model != found.model {
            let (name, model) = (&other.name, &other.model);
            section.report(format!(
                "found another model than that of `{name}` with this ARN, `{model}`"
            ));
        }
    }
}

fn read_fixed(
    section: &mut Section<'_, '_>,
    name: Option<String>,
    attributes: &[String],
    sources: &[String],
) -> Option<Item> {
    let rate = read_rate(section, attributes, sources);
    let is_hourly = matches!(rate, Some(Rate::Hourly(_)));
    let time = read_time(section, is_hourly);
    let mut label = |key| {
        section.parsed(key, LABEL, |text| {
            (1..=LABEL_CHARS_MAX).contains(&text.chars().count()).then(|| text.to_owned())
        })
    };
    let [account, region, model] =
        ["account", "region", "model"].map(|key| label(key).unwrap_or_else(|| NONE.to_owned()));
    let key = SeriesKey {
        provider: PROVIDER_BEDROCK.to_owned(),
        account,
        region,
        model,
        route: Route::Unknown,
        geo: String::new(),
        tier: Tier::Standard,
        principal: NONE.to_owned(),
        attributes: Vec::new(),
        context: ContextBand::default(),
        item: name?,
    };
    let from = if is_hourly { time.from? } else { time.from.unwrap_or(Validity::ALWAYS.from) };
    Some(Item { key, rate: rate?, from, to: time.to })
}

fn read_rate(
    section: &mut Section<'_, '_>,
    attributes: &[String],
    sources: &[String],
) -> Option<Rate> {
    let has = ["hourly_usd", "per_call_usd", "per_gb_usd"].map(|key| section.has(key));
    let hourly = section.scalar("hourly_usd", PRICE, price);
    let per_call = section.scalar("per_call_usd", PRICE, price);
    let per_gb = section.scalar("per_gb_usd", PRICE, price);
    let own = [("count", has[0]), ("scope", has[1]), ("source", has[2]), ("gigabyte", has[2])];
    for (key, _) in own.into_iter().filter(|(key, is_own)| !is_own && section.has(key)) {
        let price = match key {
            "count" => "hourly_usd",
            "scope" => "per_call_usd",
            _ => "per_gb_usd",
        };
        section.report(format!("found `{key}`, which goes with `{price}` only"));
    }
    let count = section.number("count", 1..=COUNT_MAX).unwrap_or(1);
    let scope = section.text_lists("scope", |name| match check_label(name, attributes)? {
        Label::Item => Err("there is no such label of calls".to_owned()),
        _ => Ok(()),
    });
    let source = section.checked("source", |text| known_source(text, sources));
    let gigabyte = section.parsed("gigabyte", GIGABYTE, |text| match text {
        "2^30" => Some(1 << 30),
        "10^9" => Some(1_000_000_000),
        _ => None,
    });
    if has.iter().filter(|is_there| **is_there).count() != 1 {
        section.report(format!(
            "expected one of `hourly_usd`, `per_call_usd` and `per_gb_usd` ({PRICE}); two prices are two \
             fixed costs"
        ));
        return None;
    }
    if let Some(usd) = hourly {
        return Some(Rate::Hourly(usd.times(count)));
    }
    if let Some(usd) = per_call {
        let matchers = scope.iter().filter_map(|(name, globs)| {
            Some(Matcher::new(Label::parse(name)?, globs.iter().map(String::as_str)))
        });
        return Some(Rate::PerCall { usd, scope: Scope { matchers: matchers.collect() } });
    }
    if source.is_none() && !section.was_there("source") {
        section
            .report("`source` is missing; name the `[[source]]` whose bytes are paid".to_owned());
    }
    Some(Rate::PerGigabyte {
        usd: per_gb?,
        gigabyte: gigabyte.unwrap_or(1 << 30),
        source: Source(source?),
    })
}

fn known_source(text: &str, sources: &[String]) -> Result<String, String> {
    if sources.iter().any(|known| known == text) {
        return Ok(text.to_owned());
    }
    let near = nearest(text, sources.iter().map(String::as_str));
    let hint = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    Err(format!("found `{text}`, expected the name of a `[[source]]`{hint}"))
}

fn price(text: &str) -> Result<Usd, String> {
    let usd = dollars(text, 1, PRICE)?;
    if usd.0 > USD_MAX { Err(format!("expected {PRICE}")) } else { Ok(usd) }
}

fn read_time(section: &mut Section<'_, '_>, is_needed: bool) -> Time {
    let is_there = section.has("from");
    let instant = |text: &str| {
        let at = UnixMillis::parse_day(text).or_else(|| UnixMillis::parse_rfc3339(text));
        at.filter(|at| *at >= FIRST)
    };
    let from = section.instant("from", INSTANT, instant);
    let to = section.instant("to", INSTANT, instant);
    if is_needed && !is_there {
        section.report(format!(
            "`from` is missing, expected {INSTANT}: it is paid from then on, also what lies in the past"
        ));
    }
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        section.report("found a `to` that is not after `from`".to_owned());
    }
    Time { from, to }
}

#[cfg(test)]
mod tests;
