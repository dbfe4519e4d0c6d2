//! The fields of a row: routes, regions, days, and tables of prices.
//!
//! Each reader notes what is wrong and goes on, so that one run finds every mistake of a row.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::walk::{Place, Value, found, unknown};
use super::{Listed, Reader, Region, Sheet};
use crate::model::money::Usd;
use crate::model::names::{Route, Tier};
use crate::model::series::{CONTEXT_STEPS, PROVIDER_BEDROCK};
use crate::model::time::UnixMillis;
use crate::model::tokens::TokenClass;
use crate::price::timeline::Validity;

/// Tokens that a written price is for.
const TOKENS_PER_PRICE: i128 = 1_000_000;
/// Routes that are paid by the token, as written in files.
const PAID_ROUTES: &[&str] = &["in_region", "geo", "global"];
/// Keys of `[[price]]` beside the tables of prices.
const PRICE_KEYS: &[&str] =
    &["model", "provider", "route", "geo", "region", "from", "to", "source"];
/// Classes with a price of their own. Writes of unknown duration take that of five minutes.
const PRICED_CLASSES: [TokenClass; 5] = [
    TokenClass::Input,
    TokenClass::CacheRead,
    TokenClass::CacheWrite5m,
    TokenClass::CacheWrite1h,
    TokenClass::Output,
];

impl<'t> Reader<'t> {
    pub(super) fn provider(&mut self, place: Place<'_>, row: &DeTable<'t>) -> String {
        let provider = self.walk.text(place, row, "provider");
        provider.map_or(PROVIDER_BEDROCK, |(text, _)| text).to_owned()
    }

    pub(super) fn source_of(&mut self, place: Place<'_>, row: &DeTable<'t>) -> Arc<str> {
        let source = self.walk.text(place, row, "source");
        source.map_or_else(|| Arc::clone(&self.source), |(text, _)| Arc::from(text))
    }

    pub(super) fn required_route(
        &mut self,
        place: Place<'_>,
        row: &DeTable<'t>,
        span: &Range<usize>,
    ) -> Option<Route> {
        let (text, span) = self.walk.required(place, row, span, "route")?;
        let route = Route::from_name(text).filter(|_| PAID_ROUTES.contains(&text));
        if route.is_none() {
            self.walk.problem(place, "route", &span, unknown(text, PAID_ROUTES));
        }
        route
    }

    pub(super) fn geos(
        &mut self,
        place: Place<'_>,
        row: &DeTable<'t>,
        span: &Range<usize>,
        route: Option<Route>,
    ) -> Vec<String> {
        let geos = self.walk.texts(place, row, "geo");
        match (route, row.get("geo")) {
            (Some(Route::Geo), None) => {
                let text = "`geo` is missing; name the prefix of the profile, for example `us`";
                self.walk.problem(place, "geo", span, text.to_owned());
            }
            (Some(Route::InRegion | Route::Global), Some(value)) => {
                let text = "only rows with route `geo` have one; remove it or change the route";
                self.walk.problem(place, "geo", &value.span(), text.to_owned());
            }
            _ => (),
        }
        for (text, span) in &geos {
            if !is_name(text, |byte| byte.is_ascii_lowercase()) {
                let text = format!("`{text}` is not a prefix such as `us` or `us-gov`");
                self.walk.problem(place, "geo", span, text);
            }
        }
        if geos.is_empty() {
            return vec![String::new()];
        }
        geos.into_iter().map(|(text, _)| text.to_owned()).collect()
    }

    pub(super) fn regions(&mut self, place: Place<'_>, row: &DeTable<'t>) -> Vec<Region> {
        let mut regions = Vec::new();
        for (text, span) in self.walk.texts(place, row, "region") {
            if text == "*" {
                regions.push(Region::Assumed);
            } else if is_name(text, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
                regions.push(Region::Named(text.to_owned()));
            } else {
                let text = format!("`{text}` is not a region such as `us-east-1`, and not `*`");
                self.walk.problem(place, "region", &span, text);
            }
        }
        if regions.is_empty() {
            regions.push(Region::Every);
        }
        regions
    }

    pub(super) fn validity(&mut self, place: Place<'_>, row: &DeTable<'t>) -> Option<Validity> {
        let from = self.day(place, row, "from", Validity::ALWAYS.from);
        let to = self.day(place, row, "to", Validity::ALWAYS.to);
        let valid = Validity { from: from?, to: to? };
        if valid.to <= valid.from {
            let span = row.get("to").map_or(0..0, Value::span);
            let text = format!(
                "`{}` is not after `from`; it names the first day on which the price is gone",
                valid.to.day_text()
            );
            self.walk.problem(place, "to", &span, text);
            return None;
        }
        Some(valid)
    }

    /// Returns the day under `key`, or `absent` if there is none; nothing if it is wrong.
    pub(super) fn day(
        &mut self,
        place: Place<'_>,
        row: &DeTable<'t>,
        key: &str,
        absent: UnixMillis,
    ) -> Option<UnixMillis> {
        let Some(value) = row.get(key) else { return Some(absent) };
        let day = day_of(value);
        if day.is_none() {
            let text = format!("{} is not a day such as `2026-11-23`", found(value));
            self.walk.problem(place, key, &value.span(), text);
        }
        day
    }

    /// Reads the tables of prices: every key that is no key of the row itself.
    pub(super) fn sheets(
        &mut self,
        place: Place<'_>,
        row: &DeTable<'t>,
        span: &Range<usize>,
    ) -> Vec<Sheet> {
        let mut sheets = Vec::new();
        let mut seen = false;
        for (key, value) in row {
            let name = key.get_ref().as_ref();
            if PRICE_KEYS.contains(&name) {
                continue;
            }
            seen = true;
            let (tier, above) = match sheet_name(name) {
                Ok(sheet) => sheet,
                Err(text) => {
                    self.walk.problem(place, name, &key.span(), text);
                    continue;
                }
            };
            if let Some(table) = value.get_ref().as_table() {
                let place = Place { table: Some(name), ..place };
                let prices = self.listed(place, table, &value.span());
                sheets.push(Sheet { tier, above, prices });
            } else {
                let text = format!(
                    "{} is not a table; write `{{ input = \"3\", output = \"15\" }}`",
                    found(value)
                );
                self.walk.problem(place, name, &value.span(), text);
            }
        }
        if !seen {
            let text = "has no prices; add a table such as `standard = { input = \"3\" }`";
            self.walk.problem(place, "", span, text.to_owned());
        }
        sheets
    }

    pub(super) fn listed(
        &mut self,
        place: Place<'_>,
        table: &DeTable<'t>,
        span: &Range<usize>,
    ) -> Listed {
        let names = PRICED_CLASSES.map(TokenClass::as_str);
        self.walk.check_keys(Some(place), table, &names);
        if table.is_empty() {
            let text = format!("is empty; known are `{}`", names.join("`, `"));
            self.walk.problem(place, "", span, text);
        }
        let mut prices = Listed::default();
        for class in PRICED_CLASSES {
            if let Some(value) = table.get(class.as_str()) {
                let usd = self.usd(place, class.as_str(), value, "3.75");
                prices.set(class, usd.and_then(|usd| self.per_token(place, class, value, usd)));
            }
        }
        prices.set(TokenClass::CacheWriteUnknownTtl, prices.get(TokenClass::CacheWrite5m));
        prices
    }

    pub(super) fn per_token(
        &mut self,
        place: Place<'_>,
        class: TokenClass,
        value: &Value<'t>,
        per_million: Usd,
    ) -> Option<Usd> {
        if per_million.0 % TOKENS_PER_PRICE != 0 {
            let text = format!(
                "`{per_million}` per million is finer than a picodollar per token; write at most 6 decimals"
            );
            self.walk.problem(place, class.as_str(), &value.span(), text);
            return None;
        }
        Some(Usd(per_million.0 / TOKENS_PER_PRICE))
    }

    /// Reads an amount of dollars, which has to be decimal text: TOML's own numbers are floats.
    pub(super) fn usd(
        &mut self,
        place: Place<'_>,
        key: &str,
        value: &Value<'t>,
        example: &str,
    ) -> Option<Usd> {
        let problem = match value.get_ref() {
            DeValue::String(text) => match Usd::parse_exact(text) {
                Ok(usd) if usd >= Usd::ZERO => return Some(usd),
                Ok(_) => format!("`{text}` is negative; a price is `0` or more"),
                Err(error) => format!("`{text}` is {error}"),
            },
            DeValue::Integer(_) | DeValue::Float(_) => format!(
                "{} is not a text; write prices in quotes, for example `\"{example}\"`",
                found(value)
            ),
            _ => format!("{} is not a price such as `\"{example}\"`", found(value)),
        };
        self.walk.problem(place, key, &value.span(), problem);
        None
    }

    pub(super) fn required_usd(
        &mut self,
        place: Place<'_>,
        row: &DeTable<'t>,
        span: &Range<usize>,
        key: &str,
        example: &str,
    ) -> Option<Usd> {
        if let Some(value) = row.get(key) {
            return self.usd(place, key, value, example);
        }
        self.walk.problem(place, key, span, format!("`{key}` is missing; add it to this row"));
        None
    }
}

/// Reads the name of a table of prices: a tier, or a tier above one of the known context steps.
fn sheet_name(name: &str) -> Result<(Tier, u64), String> {
    let (tier_name, step) = match name.split_once("_above_") {
        Some((tier, step)) => (tier, Some(step)),
        None => (name, None),
    };
    let Some(tier) = Tier::from_name(tier_name) else {
        let tiers = Tier::ALL.iter().map(|tier| tier.as_str());
        let known: Vec<_> = PRICE_KEYS.iter().copied().chain(tiers).collect();
        return Err(unknown(name, &known));
    };
    let Some(step) = step else { return Ok((tier, 0)) };
    let thousands: Option<u64> = step.strip_suffix('k').and_then(|digits| digits.parse().ok());
    let above = thousands.and_then(|thousands| thousands.checked_mul(1000));
    above.filter(|above| CONTEXT_STEPS.contains(above)).map(|above| (tier, above)).ok_or_else(
        || {
            let steps = CONTEXT_STEPS.map(|step| format!("{}k", step / 1000));
            format!(
                "`{step}` is not a size that calls are told apart by; known are `{}`",
                steps.join("`, `")
            )
        },
    )
}

/// Reads a day, quoted or not, as its first instant in UTC.
pub(super) fn day_of(value: &Value<'_>) -> Option<UnixMillis> {
    let day = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        _ => return None,
    };
    UnixMillis::parse_day(&day)
}

/// Tells whether `text` is made of words of `allowed` bytes, joined by `-`.
fn is_name(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.split('-').all(|word| !word.is_empty() && word.bytes().all(&allowed))
}
