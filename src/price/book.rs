//! The price book: the shipped files, the user's files over them, and the way from a series to its
//! card.
//!
//! Callers read files and hand the text over. A file with a mistake changes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::card::RateCard;
use super::problem::{BookError, BookProblem};
use super::read::{self, BookFile, PriceRow, Region};
use super::resolve::ModelPrices;
use super::timeline::Validity;
use crate::model::hash::{RunningHash, stored_hash};
use crate::model::money::Usd;
use crate::model::names::{Route, UnpricedReason};
use crate::model::series::SeriesKey;
use crate::model::time::UnixMillis;

/// The files that every build carries, one for each maker of models; `book/README.md` tells from
/// where they are.
const SHIPPED: &[(&str, &str)] = &[
    ("ai21.toml", include_str!("book/ai21.toml")),
    ("amazon.toml", include_str!("book/amazon.toml")),
    ("anthropic.toml", include_str!("book/anthropic.toml")),
    ("cohere.toml", include_str!("book/cohere.toml")),
    ("deepseek.toml", include_str!("book/deepseek.toml")),
    ("google.toml", include_str!("book/google.toml")),
    ("meta.toml", include_str!("book/meta.toml")),
    ("minimax.toml", include_str!("book/minimax.toml")),
    ("mistral.toml", include_str!("book/mistral.toml")),
    ("moonshotai.toml", include_str!("book/moonshotai.toml")),
    ("nvidia.toml", include_str!("book/nvidia.toml")),
    ("openai.toml", include_str!("book/openai.toml")),
    ("qwen.toml", include_str!("book/qwen.toml")),
    ("stability.toml", include_str!("book/stability.toml")),
    ("twelvelabs.toml", include_str!("book/twelvelabs.toml")),
    ("writer.toml", include_str!("book/writer.toml")),
    ("xai.toml", include_str!("book/xai.toml")),
    ("zai.toml", include_str!("book/zai.toml")),
];

/// How long provisioned throughput is committed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// Not at all.
    None,
    /// One month.
    OneMonth,
    /// Six months.
    SixMonths,
}

impl Term {
    /// Every term.
    pub const ALL: [Self; 3] = [Self::None, Self::OneMonth, Self::SixMonths];

    /// Returns the name used in price files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OneMonth => "1_month",
            Self::SixMonths => "6_months",
        }
    }

    /// Returns the term with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|term| term.as_str() == name)
    }
}

/// The price of one model unit of provisioned throughput.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hourly {
    /// Who serves the model.
    pub provider: String,
    /// Base model id.
    pub model: String,
    /// Region, or `*` where the source names none.
    pub region: String,
    /// Commitment.
    pub term: Term,
    /// Dollars per model unit and hour.
    pub usd_per_hour: Usd,
    /// Where the price is from.
    pub source: Arc<str>,
}

/// A price that is not per token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPrice {
    /// Who serves the model.
    pub provider: String,
    /// Base model id, or `guardrails`.
    pub model: String,
    /// How the model is reached.
    pub route: Route,
    /// Geographic prefix, or empty.
    pub geo: String,
    /// Region, or empty for all.
    pub region: String,
    /// Size and quality of an image, or empty.
    pub variant: String,
    /// What is counted: `output_image`, `query`, `input_video_second`, …
    pub unit: String,
    /// Dollars per unit.
    pub usd: Usd,
    /// Where the price is from.
    pub source: Arc<str>,
}

impl UnitPrice {
    /// Returns everything that tells two rows apart.
    fn key(&self) -> (&str, &str, Route, [&str; 4]) {
        let rest = [&self.geo, &self.region, &self.variant, &self.unit].map(String::as_str);
        (&self.provider, &self.model, self.route, rest)
    }
}

/// One file of the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookPart {
    /// Name, as given.
    pub name: String,
    /// Whether this build carries it.
    pub shipped: bool,
    /// Hash of the content.
    pub hash: u64,
    /// The day on which its prices were looked up, if it says so.
    pub published: Option<UnixMillis>,
}

/// Everything known about one model.
#[derive(Clone, Debug, Default)]
struct Model {
    prices: ModelPrices,
    /// Whether some unit other than tokens has a price.
    by_unit: bool,
}

/// All prices. Cheap to ask, but callers keep the [`RateCard`] of a series anyway.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// By provider, then by base model id.
    models: HashMap<String, HashMap<String, Model>>,
    hourly: Vec<Hourly>,
    units: Vec<UnitPrice>,
    parts: Vec<BookPart>,
}

impl Book {
    /// Returns the book that this build carries.
    pub fn shipped() -> Result<Self, BookError> {
        let mut book = Self::default();
        let mut problems = Vec::new();
        for (name, text) in SHIPPED {
            if let Err(found) = book.overlay(name, text) {
                problems.extend(found);
            }
        }
        for part in &mut book.parts {
            part.shipped = true;
        }
        if problems.is_empty() { Ok(book) } else { Err(BookError { problems }) }
    }

    /// Lays the file `text`, called `name` in problems, over the book.
    ///
    /// A table of prices replaces the one of the same provider, model, route, geography, region,
    /// tier and context size, as a whole and for the time that its row covers; everything else
    /// stays. A row without regions is for all of them. With any problem the book stays as it is.
    pub fn overlay(&mut self, name: &str, text: &str) -> Result<(), Vec<BookProblem>> {
        let file = read::read(name, text)?;
        self.parts.push(BookPart {
            name: name.to_owned(),
            shipped: false,
            hash: stored_hash(text.as_bytes()),
            published: file.published,
        });
        self.put(file);
        Ok(())
    }

    fn put(&mut self, file: BookFile) {
        for row in &file.prices {
            self.model(&row.provider, &row.model).prices.open_regions(row);
        }
        let assumed: fn(&Region) -> bool = |region| *region == Region::Assumed;
        let every: fn(&Region) -> bool = |region| *region == Region::Every;
        let named: fn(&Region) -> bool = |region| matches!(region, Region::Named(_));
        for wanted in [assumed, every, named] {
            for row in &file.prices {
                self.put_regions(row, wanted);
            }
        }
        for hourly in file.hourly {
            self.model(&hourly.provider, &hourly.model);
            self.hourly.retain(|old| {
                (&old.provider, &old.model, &old.region, old.term)
                    != (&hourly.provider, &hourly.model, &hourly.region, hourly.term)
            });
            self.hourly.push(hourly);
        }
        for unit in file.units {
            self.model(&unit.provider, &unit.model).by_unit = true;
            self.units.retain(|old| old.key() != unit.key());
            self.units.push(unit);
        }
    }

    fn put_regions(&mut self, row: &PriceRow, wanted: fn(&Region) -> bool) {
        for region in row.regions.iter().filter(|region| wanted(region)) {
            self.model(&row.provider, &row.model).prices.put(row, region);
        }
    }

    fn model(&mut self, provider: &str, model: &str) -> &mut Model {
        self.models.entry(provider.to_owned()).or_default().entry(model.to_owned()).or_default()
    }

    fn find(&self, provider: &str, model: &str) -> Option<&Model> {
        let models = self.models.get(provider)?;
        models.get(model).or_else(|| models.get(without_context(model)?))
    }

    /// Returns the prices of a series at `at`, and for how long they hold.
    ///
    /// Provisioned throughput is paid by the hour ([`Self::hourly`]); whether that is counted is not known
    /// here, so its tokens are unpriced ([`RateCard::of_provisioned`] tells of those that are). Custom models run on provisioned throughput and imported models are paid
    /// by the minute, so their tokens have no price either, and it is not known which hour or
    /// minute to charge: they are unpriced.
    pub fn rate_card(&self, key: &SeriesKey, at: UnixMillis) -> RateCard {
        match key.route {
            Route::Provisioned => {
                return RateCard::unpriced(
                    UnpricedReason::ProvisionedNotDeclared,
                    Validity::ALWAYS,
                );
            }
            Route::Custom | Route::Imported => {
                return RateCard::unpriced(UnpricedReason::NotPaidByToken, Validity::ALWAYS);
            }
            Route::InRegion | Route::Geo | Route::Global | Route::Unknown => (),
        }
        let reason = match self.find(&key.provider, &key.model) {
            Some(model) if !model.prices.is_empty() => return model.prices.card(key, at),
            Some(model) if model.by_unit => UnpricedReason::NotPaidByToken,
            Some(_) => UnpricedReason::NoPriceForRoute,
            // What is left of an ARN has a slash in it; model ids have none.
            None if key.route == Route::Unknown || key.model.contains('/') => {
                UnpricedReason::OpaqueModel
            }
            None => UnpricedReason::UnknownModel,
        };
        RateCard::unpriced(reason, Validity::ALWAYS)
    }

    /// Tells whether any provider has a row for the base model id `model`, in whatever unit.
    pub fn knows(&self, model: &str) -> bool {
        self.models.keys().any(|provider| self.find(provider, model).is_some())
    }

    /// Returns the prices of provisioned throughput.
    pub fn hourly(&self) -> &[Hourly] {
        &self.hourly
    }

    /// Returns the prices that are not per token.
    pub fn units(&self) -> &[UnitPrice] {
        &self.units
    }

    /// Returns the files of the book, the ones that win last.
    pub fn parts(&self) -> &[BookPart] {
        &self.parts
    }

    /// Returns the latest day on which prices were looked up: that of the newest file.
    pub fn published_at(&self) -> Option<UnixMillis> {
        self.parts.iter().filter_map(|part| part.published).max()
    }

    /// Returns a short name of exactly this content: its newest day and a hash over all files.
    pub fn version(&self) -> String {
        let mut hash = RunningHash::default();
        for part in &self.parts {
            hash.update(&part.hash.to_be_bytes());
        }
        let day = self.published_at().map_or_else(|| "undated".to_owned(), UnixMillis::day_text);
        format!("{day}-{:08x}", hash.value() >> 32)
    }
}

/// Returns the id of which `model` is a context variant (`…:200k`, `…:0:28k`): the same model with
/// another window, at the same price.
pub(crate) fn without_context(model: &str) -> Option<&str> {
    let (base, window) = model.rsplit_once(':')?;
    let digits = window.strip_suffix('k')?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(base)
}
