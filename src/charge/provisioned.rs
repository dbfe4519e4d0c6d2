//! Provisioned throughput as the config describes it, and its price from the price book.

use super::item::{Item, Rate};
use crate::model::money::Usd;
use crate::model::names::{Route, Tier};
use crate::model::series::{ContextBand, NONE, PROVIDER_BEDROCK, SeriesKey};
use crate::model::time::UnixMillis;
use crate::price::{Book, Term};

/// Provisioned throughput.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throughput {
    /// Unique among what is not paid by token.
    pub name: String,
    /// What calls name as their model.
    pub arn: String,
    /// Base model id.
    pub model: String,
    /// AWS account id.
    pub account: String,
    /// Region.
    pub region: String,
    /// Model units.
    pub units: u32,
    /// What a model unit costs an hour.
    pub price: HourPrice,
    /// From when on it is paid.
    pub from: UnixMillis,
    /// The first instant at which it is not any more.
    pub to: Option<UnixMillis>,
    /// What a model unit can do.
    pub per_unit: Capacity,
}

/// What a model unit costs an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HourPrice {
    /// As the config says.
    Given(Usd),
    /// As the price book says for this commitment.
    OfTerm(Term),
}

/// Tokens a minute, where the config declares them: AWS publishes no figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Input tokens.
    pub input: Option<u64>,
    /// Output tokens.
    pub output: Option<u64>,
}

/// The price book has no price for a model unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "provisioned throughput `{name}`: the price book has no hourly price of `{model}` in `{region}` for \
     the term `{}`; it has {known}. Give `hourly_usd_per_unit`, or add the price to a file of \
     `[prices] files`",
    term.as_str()
)]
pub struct NoHourPrice {
    /// Name of the throughput.
    pub name: String,
    /// Base model id.
    pub model: String,
    /// Region.
    pub region: String,
    /// Commitment.
    pub term: Term,
    /// What the book has of the model.
    pub known: String,
}

impl Throughput {
    /// Returns what it costs, at the price that the config gives or `book` has.
    ///
    /// # Errors
    /// There is no price: it is never taken for free.
    pub fn item(&self, book: &Book) -> Result<Item, NoHourPrice> {
        let per_unit = match self.price {
            HourPrice::Given(usd) => usd,
            HourPrice::OfTerm(term) => self.look_up(book, term)?,
        };
        Ok(Item {
            key: self.key(),
            rate: Rate::Hourly(per_unit.times(u64::from(self.units))),
            from: self.from,
            to: self.to,
        })
    }

    /// Returns the labels of what it costs.
    pub fn key(&self) -> SeriesKey {
        SeriesKey {
            provider: PROVIDER_BEDROCK.to_owned(),
            account: self.account.clone(),
            region: self.region.clone(),
            model: self.model.clone(),
            route: Route::Provisioned,
            geo: String::new(),
            tier: Tier::Standard,
            principal: NONE.to_owned(),
            attributes: Vec::new(),
            context: ContextBand::default(),
            item: self.name.clone(),
        }
    }

    /// Returns what all units together can do in a minute.
    pub fn capacity(&self) -> Capacity {
        let all = |per_unit: Option<u64>| per_unit.map(|one| one.saturating_mul(self.units.into()));
        Capacity { input: all(self.per_unit.input), output: all(self.per_unit.output) }
    }

    /// Tells whether it is paid for at `at`.
    pub fn is_in_force(&self, at: UnixMillis) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    /// A price for the region wins over one whose source names no region (`*`).
    fn look_up(&self, book: &Book, term: Term) -> Result<Usd, NoHourPrice> {
        let of_model = || {
            let rows = book.hourly().iter();
            rows.filter(|row| row.provider == PROVIDER_BEDROCK && row.model == self.model)
        };
        let find = |region: &str| of_model().find(|row| row.term == term && row.region == region);
        if let Some(row) = find(&self.region).or_else(|| find("*")) {
            return Ok(row.usd_per_hour);
        }
        let rows = of_model().map(|row| format!("`{}` in `{}`", row.term.as_str(), row.region));
        let known: Vec<String> = rows.collect();
        let known =
            if known.is_empty() { "none of that model".to_owned() } else { known.join(", ") };
        let (name, model, region) = (self.name.clone(), self.model.clone(), self.region.clone());
        Err(NoHourPrice { name, model, region, term, known })
    }
}
