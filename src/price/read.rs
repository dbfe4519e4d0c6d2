//! Reads the rows of one price file and checks everything about them that one file can tell.
//!
//! Prices are decimal text in dollars per million tokens and leave here as exact picodollars per
//! token. Nothing is rounded, and nothing is left out in silence: what is not understood is a
//! problem.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::book::{Hourly, Term, UnitPrice};
use super::problem::BookProblem;
use super::timeline::Validity;
use super::walk::{Place, Value, Walk, found, unknown};
use crate::model::money::Usd;
use crate::model::names::{Route, Tier};
use crate::model::series::{CONTEXT_STEPS, PROVIDER_BEDROCK};
use crate::model::time::UnixMillis;
use crate::model::tokens::{ByClass, TokenClass};

/// Tokens that a written price is for.
const TOKENS_PER_PRICE: i128 = 1_000_000;
/// Routes that are paid by the token, as written in files.
const PAID_ROUTES: &[&str] = &["in_region", "geo", "global"];
/// Keys of `[[price]]` beside the tables of prices.
const PRICE_KEYS: &[&str] =
    &["model", "provider", "route", "geo", "region", "from", "to", "source"];
const HOURLY_KEYS: &[&str] = &["model", "provider", "region", "term", "usd_per_hour", "source"];
const UNIT_KEYS: &[&str] =
    &["model", "provider", "route", "geo", "region", "variant", "unit", "usd", "source"];
/// Classes with a price of their own. Writes of unknown duration take that of five minutes.
const PRICED_CLASSES: [TokenClass; 5] = [
    TokenClass::Input,
    TokenClass::CacheRead,
    TokenClass::CacheWrite5m,
    TokenClass::CacheWrite1h,
    TokenClass::Output,
];

/// Prices per token by class; `None` where the row names none.
pub(super) type Listed = ByClass<Option<Usd>>;

/// The regions that a row is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Region {
    /// Every region: the row names none.
    Every,
    /// `*`: the regions without a row of their own, for which the price is an assumption.
    Assumed,
    /// This one.
    Named(String),
}

/// One table of prices in a row: `standard`, `batch_above_200k`, …
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) tier: Tier,
    /// Input tokens that a call must exceed; 0 for the table of all other calls.
    pub(super) above: u64,
    pub(super) prices: Listed,
}

/// One `[[price]]`.
#[derive(Clone, Debug)]
pub(super) struct PriceRow {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) route: Route,
    /// Geographic prefixes; one empty text on other routes.
    pub(super) geos: Vec<String>,
    pub(super) regions: Vec<Region>,
    pub(super) valid: Validity,
    pub(super) sheets: Vec<Sheet>,
    pub(super) source: Arc<str>,
    index: usize,
    span: Range<usize>,
}

/// Everything in one file.
#[derive(Debug, Default)]
pub(super) struct BookFile {
    pub(super) published: Option<UnixMillis>,
    pub(super) prices: Vec<PriceRow>,
    pub(super) hourly: Vec<Hourly>,
    pub(super) units: Vec<UnitPrice>,
}

/// Reads the price file `text`, called `file` in problems.
pub(super) fn read(file: &str, text: &str) -> Result<BookFile, Vec<BookProblem>> {
    let (walk, tree) = Walk::parse(file, text);
    let mut reader = Reader { walk, source: Arc::from(file) };
    let book = reader.read_file(&tree);
    let problems = reader.walk.finish();
    if problems.is_empty() { Ok(book) } else { Err(problems) }
}

struct Reader<'t> {
    walk: Walk<'t>,
    /// The source of rows that name none.
    source: Arc<str>,
}

impl<'t> Reader<'t> {
    fn read_file(&mut self, tree: &DeTable<'t>) -> BookFile {
        self.walk.check_keys(None, tree, &["published", "source", "price", "hourly", "unit"]);
        let mut book = BookFile::default();
        if let Some(value) = tree.get("source") {
            match value.get_ref().as_str() {
                Some(source) => self.source = Arc::from(source),
                None => self.top_problem("source", value, "is not a text; write it in quotes"),
            }
        }
        if let Some(value) = tree.get("published") {
            book.published = day_of(value);
            if book.published.is_none() {
                self.top_problem("published", value, "is not a day such as `2026-11-23`");
            }
        }
        self.rows(tree, "price", |reader, place, row, span| {
            if let Some(price) = reader.price_row(place, row, span) {
                book.prices.push(price);
            }
        });
        self.rows(tree, "hourly", |reader, place, row, span| {
            if let Some(hourly) = reader.hourly_row(place, row, span) {
                book.hourly.push(hourly);
            }
        });
        self.rows(tree, "unit", |reader, place, row, span| {
            if let Some(unit) = reader.unit_row(place, row, span) {
                book.units.push(unit);
            }
        });
        self.check_overlaps(&book.prices);
        book
    }

    fn top_problem(&mut self, key: &str, value: &Value<'t>, text: &str) {
        self.walk.report(&value.span(), key.to_owned(), format!("{} {text}", found(value)));
    }

    /// Calls `each` for every row of `section`.
    fn rows(
        &mut self,
        tree: &DeTable<'t>,
        section: &str,
        mut each: impl FnMut(&mut Self, Place<'_>, &DeTable<'t>, &Range<usize>),
    ) {
        let Some(value) = tree.get(section) else { return };
        let Some(list) = value.get_ref().as_array() else {
            self.top_problem(section, value, &format!("is not a list; write `[[{section}]]`"));
            return;
        };
        for (index, item) in list.iter().enumerate() {
            let place = Place { section, index, table: None };
            match item.get_ref().as_table() {
                Some(row) => each(self, place, row, &item.span()),
                None => {
                    let text = format!("{} is not a row; write `[[{section}]]`", found(item));
                    self.walk.problem(place, "", &item.span(), text);
                }
            }
        }
    }

    fn price_row(
        &mut self,
        place: Place<'_>,
        row: &DeTable<'t>,
        span: &Range<usize>,
    ) -> Option<PriceRow> {
        let model = self.walk.required(place, row, span, "model").map(|(text, _)| text.to_owned());
        let route = self.required_route(place, row, span);
        let geos = self.geos(place, row, span, route);
        let regions = self.regions(place, row);
        let valid = self.validity(place, row);
        let sheets = self.sheets(place, row, span);
        Some(PriceRow {
            provider: self.provider(place, row),
            model: model?,
            route: route?,
            geos,
            regions,
            valid: valid?,
            sheets,
            source: self.source_of(place, row),
            index: place.index,
            span: span.clone(),
        })
    }

    fn provider(&mut self, place: Place<'_>, row: &DeTable<'t>) -> String {
        let provider = self.walk.text(place, row, "provider");
        provider.map_or(PROVIDER_BEDROCK, |(text, _)| text).to_owned()
    }

    fn source_of(&mut self, place: Place<'_>, row: &DeTable<'t>) -> Arc<str> {
        let source = self.walk.text(place, row, "source");
        source.map_or_else(|| Arc::clone(&self.source), |(text, _)| Arc::from(text))
    }

    fn required_route(
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

    fn geos(
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

    fn regions(&mut self, place: Place<'_>, row: &DeTable<'t>) -> Vec<Region> {
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

    fn validity(&mut self, place: Place<'_>, row: &DeTable<'t>) -> Option<Validity> {
        let from = self.day(place, row, "from").unwrap_or(Some(Validity::ALWAYS.from));
        let to = self.day(place, row, "to").unwrap_or(Some(Validity::ALWAYS.to));
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

    /// Returns nothing if `key` is absent, `Some(None)` if it is wrong.
    fn day(
        &mut self,
        place: Place<'_>,
        row: &DeTable<'t>,
        key: &str,
    ) -> Option<Option<UnixMillis>> {
        let value = row.get(key)?;
        let day = day_of(value);
        if day.is_none() {
            let text = format!("{} is not a day such as `2026-11-23`", found(value));
            self.walk.problem(place, key, &value.span(), text);
        }
        Some(day)
    }

    /// Reads the tables of prices: every key that is no key of the row itself.
    fn sheets(&mut self, place: Place<'_>, row: &DeTable<'t>, span: &Range<usize>) -> Vec<Sheet> {
        let mut sheets = Vec::new();
        let mut seen = false;
        for (key, value) in row {
            let name = key.get_ref().as_ref();
            if PRICE_KEYS.contains(&name) {
                continue;
            }
            seen = true;
            match sheet_name(name) {
                Err(text) => self.walk.problem(place, name, &key.span(), text),
                Ok((tier, above)) => match value.get_ref().as_table() {
                    Some(table) => {
                        let place = Place { table: Some(name), ..place };
                        let prices = self.listed(place, table, &value.span());
                        sheets.push(Sheet { tier, above, prices });
                    }
                    None => {
                        let text = format!(
                            "{} is not a table; write `{{ input = \"3\", output = \"15\" }}`",
                            found(value)
                        );
                        self.walk.problem(place, name, &value.span(), text);
                    }
                },
            }
        }
        if !seen {
            let text = "has no prices; add a table such as `standard = { input = \"3\" }`";
            self.walk.problem(place, "", span, text.to_owned());
        }
        sheets
    }

    fn listed(&mut self, place: Place<'_>, table: &DeTable<'t>, span: &Range<usize>) -> Listed {
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

    fn per_token(
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
    fn usd(
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

    fn required_usd(
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

    fn hourly_row(
        &mut self,
        place: Place<'_>,
        row: &DeTable<'t>,
        span: &Range<usize>,
    ) -> Option<Hourly> {
        self.walk.check_keys(Some(place), row, HOURLY_KEYS);
        let model = self.walk.required(place, row, span, "model").map(|(text, _)| text.to_owned());
        let region =
            self.walk.required(place, row, span, "region").map(|(text, _)| text.to_owned());
        let usd_per_hour = self.required_usd(place, row, span, "usd_per_hour", "63");
        let (name, at) = self.walk.required(place, row, span, "term")?;
        let term = Term::from_name(name);
        if term.is_none() {
            self.walk.problem(place, "term", &at, unknown(name, &Term::ALL.map(Term::as_str)));
        }
        Some(Hourly {
            provider: self.provider(place, row),
            model: model?,
            region: region?,
            term: term?,
            usd_per_hour: usd_per_hour?,
            source: self.source_of(place, row),
        })
    }

    fn unit_row(
        &mut self,
        place: Place<'_>,
        row: &DeTable<'t>,
        span: &Range<usize>,
    ) -> Option<UnitPrice> {
        self.walk.check_keys(Some(place), row, UNIT_KEYS);
        let model = self.walk.required(place, row, span, "model").map(|(text, _)| text.to_owned());
        let unit = self.walk.required(place, row, span, "unit").map(|(text, _)| text.to_owned());
        let usd = self.required_usd(place, row, span, "usd", "0.04");
        let route = match row.contains_key("route") {
            true => self.required_route(place, row, span),
            false => Some(Route::InRegion),
        };
        let mut optional = |key| {
            self.walk.text(place, row, key).map_or_else(String::new, |(text, _)| text.to_owned())
        };
        let (geo, region, variant) = (optional("geo"), optional("region"), optional("variant"));
        Some(UnitPrice {
            provider: self.provider(place, row),
            model: model?,
            route: route?,
            geo,
            region,
            variant,
            unit: unit?,
            usd: usd?,
            source: self.source_of(place, row),
        })
    }

    /// Two rows of one file must not both hold the price of the same thing at the same time.
    fn check_overlaps(&mut self, rows: &[PriceRow]) {
        let mut seen: HashMap<_, Vec<&PriceRow>> = HashMap::new();
        for row in rows {
            let places = row.geos.iter().flat_map(|geo| row.regions.iter().map(move |r| (geo, r)));
            for ((geo, region), sheet) in
                places.flat_map(|place| row.sheets.iter().map(move |sheet| (place, sheet)))
            {
                let key =
                    (&row.provider, &row.model, row.route, geo, region, sheet.tier, sheet.above);
                let others = seen.entry(key).or_default();
                if let Some(other) = others.iter().find(|other| other.valid.overlaps(row.valid)) {
                    let place = Place { section: "price", index: row.index, table: None };
                    let text = format!(
                        "overlaps `price[{}]` in time for `{}` of `{}`; end the older one with `to`",
                        other.index,
                        written(sheet),
                        row.model
                    );
                    self.walk.problem(place, &written(sheet), &row.span, text);
                    break;
                }
                others.push(row);
            }
        }
    }
}

/// Returns how a file names the table.
fn written(sheet: &Sheet) -> String {
    match sheet.above {
        0 => sheet.tier.as_str().to_owned(),
        above => format!("{}_above_{}k", sheet.tier.as_str(), above / 1000),
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
    match above.filter(|above| CONTEXT_STEPS.contains(above)) {
        Some(above) => Ok((tier, above)),
        None => {
            let steps = CONTEXT_STEPS.map(|step| format!("{}k", step / 1000));
            Err(format!(
                "`{step}` is not a size that calls are told apart by; known are `{}`",
                steps.join("`, `")
            ))
        }
    }
}

/// Reads a day, quoted or not, as its first instant in UTC.
fn day_of(value: &Value<'_>) -> Option<UnixMillis> {
    let day = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        _ => return None,
    };
    (day.len() == "2026-11-23".len())
        .then(|| UnixMillis::parse_rfc3339(&format!("{day}T00:00:00Z")))
        .flatten()
}

/// Tells whether `text` is made of words of `allowed` bytes, joined by `-`.
fn is_name(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.split('-').all(|word| !word.is_empty() && word.bytes().all(&allowed))
}
