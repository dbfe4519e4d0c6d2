//! Reads the rows of one price file and checks everything about them that one file can tell.
//!
//! Prices are decimal text in dollars per million tokens and leave here as exact picodollars per
//! token. Nothing is rounded, and nothing is left out in silence: what is not understood is a
//! problem.

mod fields;
mod walk;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use self::fields::day_of;
use self::walk::{Place, Value, Walk, found, unknown};
use super::book::{Hourly, Term, UnitPrice};
use super::problem::BookProblem;
use super::timeline::Validity;
use crate::model::money::Usd;
use crate::model::names::{Route, Tier};
use crate::model::time::UnixMillis;
use crate::model::tokens::ByClass;

const HOURLY_KEYS: &[&str] = &["model", "provider", "region", "term", "usd_per_hour", "source"];
const UNIT_KEYS: &[&str] =
    &["model", "provider", "route", "geo", "region", "variant", "unit", "usd", "source"];
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
    if walk.has_problems() {
        // What stands behind broken syntax was read as something else: no need to tell of it.
        return Err(walk.finish());
    }
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
            if let Some(row) = item.get_ref().as_table() {
                each(self, place, row, &item.span());
            } else {
                let text = format!("{} is not a row; write `[[{section}]]`", found(item));
                self.walk.problem(place, "", &item.span(), text);
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
        let route = if row.contains_key("route") {
            self.required_route(place, row, span)
        } else {
            Some(Route::InRegion)
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
