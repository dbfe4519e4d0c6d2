//! Rows of the ledger as traffic: what it took, what it would have cost by the token, and when.
//!
//! A row is priced at its own time by the card of its own labels with another tier or model, as the ledger
//! prices it: cost is linear in tokens while a card holds, so sums are priced and not calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fleet::Stretch;
use super::offer::{NoPrice, Offer, TIERS};
use super::settings::Alternative;
use super::window::{self, Window};
use crate::ledger::amounts::Row;
use crate::ledger::delta::SeriesId;
use crate::ledger::rollup::{Bucket, Horizons, Level};
use crate::model::money::Usd;
use crate::model::names::{Approximations, Route};
use crate::model::series::{PROVIDER_BEDROCK, SeriesKey};
use crate::model::time::{MINUTE_MS, UnixMillis};
use crate::model::tokens::{TokenClass, TokenCounts};
use crate::price::{Book, Charge, Price, RateCard, Validity};

/// What traffic is kept apart by: what serves one of these could serve all of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrafficKey {
    /// Who serves the model.
    pub provider: String,
    /// Base model id.
    pub model: String,
    /// AWS account id.
    pub account: String,
    /// Region.
    pub region: String,
    /// How the model was reached.
    pub route: Route,
    /// Geographic prefix, or empty.
    pub geo: String,
}

/// What all tokens would have cost on one option that is paid by the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ByToken {
    pub(super) offer: Offer,
    pub(super) usd: Usd,
    pub(super) missing: Option<NoPrice>,
    pub(super) approximations: Approximations,
}

/// Traffic of one kind, summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// What it is.
    pub key: TrafficKey,
    /// Calls, refused ones too.
    pub requests: u64,
    /// Tokens by class.
    pub tokens: TokenCounts,
    /// What the ledger has for them.
    pub booked: Usd,
    /// What of them has no price in the ledger.
    pub booked_unpriced: u64,
    pub(super) by_token: Vec<ByToken>,
    pub(super) stretches: BTreeMap<Bucket, Stretch>,
}

/// A series, and its prices on every option while they hold.
#[derive(Debug)]
struct Series {
    /// Where its traffic is.
    place: usize,
    keys: Vec<SeriesKey>,
    cards: Vec<RateCard>,
    valid: Validity,
    /// Tokens that are not priced yet.
    tokens: TokenCounts,
}

/// Makes traffic of rows, in whatever order they come.
#[derive(Debug)]
pub struct Gatherer<'b> {
    book: &'b Book,
    horizons: Horizons,
    alternatives: &'b [Alternative],
    series: Vec<Option<Series>>,
    places: BTreeMap<TrafficKey, usize>,
    traffic: Vec<Traffic>,
    /// What is not paid by token, by name and model.
    pub(super) items: BTreeMap<(String, String), Usd>,
    first: Option<UnixMillis>,
}

impl<'b> Gatherer<'b> {
    /// Returns one without rows. `horizons` are those of the ledger.
    pub fn new(book: &'b Book, horizons: Horizons, alternatives: &'b [Alternative]) -> Self {
        Self {
            book,
            horizons,
            alternatives,
            series: Vec::new(),
            places: BTreeMap::new(),
            traffic: Vec::new(),
            items: BTreeMap::new(),
            first: None,
        }
    }

    /// Takes note that calls were known at the time of a row, whichever they were.
    pub fn see(&mut self, bucket: Bucket) {
        let start = bucket.start();
        self.first = Some(self.first.map_or(start, |first| first.min(start)));
    }

    /// Adds a row of the series `key`, whose number is `id`. Rows of [`Level::Ever`] have no date, and no place
    /// here.
    pub fn add(&mut self, id: SeriesId, key: &Arc<SeriesKey>, bucket: Bucket, row: &Row) {
        if !key.item.is_empty() {
            // What is paid by time may have begun long before the first call that is known.
            let name = (key.item.clone(), key.model.clone());
            *self.items.entry(name).or_default() += row.charge;
            return;
        }
        self.see(bucket);
        let at = bucket.start();
        let id = usize::try_from(id.0).unwrap_or(usize::MAX);
        if self.series.len() <= id {
            self.series.resize_with(id + 1, || None);
        }
        let place = match self.series.get(id) {
            Some(Some(series)) => series.place,
            _ => self.place_of(key),
        };
        let alternatives = self.alternatives;
        let Some(series) = self.series.get_mut(id) else { return };
        let series = series.get_or_insert_with(|| Series::new(place, key, alternatives));
        let Some(traffic) = self.traffic.get_mut(place) else { return };
        if !series.valid.holds_at(at) || series.cards.is_empty() {
            series.settle(traffic);
            series.price(self.book, at);
        }
        series.tokens += &row.tokens;
        traffic.requests += row.outcomes.total();
        traffic.tokens += &row.tokens;
        traffic.booked += row.cost.0.into_iter().sum();
        traffic.booked_unpriced += row.unpriced.total();
        let on_demand = series.cards.first().map(|card| card.charge(&row.tokens).total());
        traffic.stretch(bucket, &self.horizons, &row.tokens, on_demand.unwrap_or_default());
    }

    fn place_of(&mut self, key: &SeriesKey) -> usize {
        let wanted = TrafficKey {
            provider: key.provider.clone(),
            model: key.model.clone(),
            account: key.account.clone(),
            region: key.region.clone(),
            route: key.route,
            geo: key.geo.clone(),
        };
        if let Some(&place) = self.places.get(&wanted) {
            return place;
        }
        let place = self.traffic.len();
        self.traffic.push(Traffic::new(wanted.clone(), self.alternatives));
        self.places.insert(wanted, place);
        place
    }

    /// Returns all traffic that took tokens, the dearest first, the number of kinds that took none, and `window`
    /// from when on something is known.
    pub fn finish(&mut self, window: Window) -> (Vec<Traffic>, usize, Window) {
        for series in self.series.iter_mut().flatten() {
            if let Some(traffic) = self.traffic.get_mut(series.place) {
                series.settle(traffic);
            }
        }
        let (mut used, unused): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.traffic).into_iter().partition(|one| one.tokens.total() > 0);
        used.sort_by(|a, b| b.on_demand().cmp(&a.on_demand()).then_with(|| a.key.cmp(&b.key)));
        (used, unused.len(), window.beginning_at(self.first.unwrap_or(window.from)))
    }
}

impl Series {
    fn new(place: usize, key: &SeriesKey, alternatives: &[Alternative]) -> Self {
        let mut keys: Vec<SeriesKey> = TIERS
            .into_iter()
            .map(|tier| {
                let mut key = SeriesKey { tier, ..key.clone() };
                // Provisioned throughput is no price by the token; in its region the model has one.
                if key.route == Route::Provisioned {
                    key.route = Route::InRegion;
                }
                key
            })
            .collect();
        keys.extend(alternatives.iter().map(|other| SeriesKey {
            provider: PROVIDER_BEDROCK.to_owned(),
            model: other.model.clone(),
            route: other.route,
            geo: other.geo.clone(),
            tier: TIERS[0],
            ..key.clone()
        }));
        let tokens = TokenCounts::default();
        Self { place, keys, cards: Vec::new(), valid: Validity::ALWAYS, tokens }
    }

    /// Takes the prices at `at`.
    fn price(&mut self, book: &Book, at: UnixMillis) {
        self.cards = self.keys.iter().map(|key| book.rate_card(key, at)).collect();
        self.valid = self.cards.iter().fold(Validity::ALWAYS, |all, card| Validity {
            from: all.from.max(card.valid.from),
            to: all.to.min(card.valid.to),
        });
    }

    /// Prices the tokens that have been added since the prices were taken.
    fn settle(&mut self, traffic: &mut Traffic) {
        let tokens = std::mem::take(&mut self.tokens);
        for (card, sum) in self.cards.iter().zip(&mut traffic.by_token) {
            let charge = card.charge(&tokens);
            sum.usd += charge.total();
            sum.approximations = sum.approximations.union(charge.approximations);
            sum.miss(card, &charge);
        }
    }
}

impl ByToken {
    fn new(offer: Offer) -> Self {
        Self { offer, usd: Usd::ZERO, missing: None, approximations: Approximations::default() }
    }

    /// Counts what has no price; the reason is that of the class first in order, whatever came first.
    fn miss(&mut self, card: &RateCard, charge: &Charge) {
        for (class, count) in charge.unpriced.iter().filter(|&(_, count)| count > 0) {
            let Price::Unpriced(reason) = card.prices.get(class) else { continue };
            self.missing = Some(match self.missing {
                Some(NoPrice::Tokens { reason: known, class: first, tokens }) => {
                    let (class, reason) = (first, known).min((class, reason));
                    NoPrice::Tokens { reason, class, tokens: tokens + count }
                }
                _ => NoPrice::Tokens { reason, class, tokens: count },
            });
        }
    }
}

impl Traffic {
    fn new(key: TrafficKey, alternatives: &[Alternative]) -> Self {
        let tiers = TIERS.into_iter().map(Offer::Tier);
        let models = alternatives.iter().map(|other| Offer::Model(other.name.clone()));
        Self {
            key,
            requests: 0,
            tokens: TokenCounts::default(),
            booked: Usd::ZERO,
            booked_unpriced: 0,
            by_token: tiers.chain(models).map(ByToken::new).collect(),
            stretches: BTreeMap::new(),
        }
    }

    fn stretch(
        &mut self,
        bucket: Bucket,
        horizons: &Horizons,
        tokens: &TokenCounts,
        on_demand: Usd,
    ) {
        // A row that is on its way to a coarser level is a part of one there.
        let level = bucket.level.max(horizons.bucket(bucket.start()).level);
        let holding = match level {
            Level::Ever => return,
            level => Bucket::holding(level, bucket.start(), horizons.cuts),
        };
        let stretch = self.stretches.entry(holding).or_insert_with(|| {
            let ms = window::end(holding, horizons).0 - holding.start().0;
            Stretch { minutes: (ms / MINUTE_MS).unsigned_abs(), ..Stretch::default() }
        });
        stretch.input += tokens.total_input();
        stretch.output += tokens.get(TokenClass::Output);
        stretch.on_demand += on_demand;
    }

    /// Returns what it would have cost on demand, if all of it has a price.
    pub fn on_demand(&self) -> Option<Usd> {
        let first = self.by_token.first()?;
        first.missing.is_none().then_some(first.usd)
    }

    /// Returns the parts of time in which there was any.
    pub fn stretches(&self) -> Vec<Stretch> {
        self.stretches.values().copied().collect()
    }
}
