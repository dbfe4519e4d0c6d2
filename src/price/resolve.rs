//! The prices of one model over routes, regions, tiers, context sizes and time, and which of them
//! apply to a call.
//!
//! Files are laid over each other here. It must never fall back to another route, tier or model.

use std::sync::Arc;

use super::card::{Price, RateCard};
use super::read::{Listed, PriceRow, Region, Sheet};
use super::timeline::{Period, Timeline, Validity};
use crate::model::names::{Approximation, Approximations, Route, Tier, UnpricedReason};
use crate::model::series::{SeriesKey, UNKNOWN};
use crate::model::time::UnixMillis;
use crate::model::tokens::{ByClass, TokenClass};

/// What holds during one period of a cell.
#[derive(Clone, Debug)]
struct Entry {
    prices: Listed,
    /// Whether the price is only assumed for this region.
    assumed: bool,
    source: Arc<str>,
}

/// Prices of one tier and context size over time.
#[derive(Clone, Debug)]
struct Cell {
    tier: Tier,
    /// Input tokens that a call must exceed.
    above: u64,
    over_time: Timeline<Entry>,
}

/// The cells of one region, or of all regions without cells of their own.
#[derive(Clone, Debug, Default)]
struct Cells(Vec<Cell>);

impl Cells {
    fn put(&mut self, sheet: &Sheet, valid: Validity, entry: Entry) {
        let same = |cell: &&mut Cell| cell.tier == sheet.tier && cell.above == sheet.above;
        if let Some(cell) = self.0.iter_mut().find(same) {
            cell.over_time.put(valid, entry);
            return;
        }
        let mut over_time = Timeline::default();
        over_time.put(valid, entry);
        self.0.push(Cell { tier: sheet.tier, above: sheet.above, over_time });
        // The largest step first, which is the order in which they are tried.
        self.0.sort_by_key(|cell| std::cmp::Reverse(cell.above));
    }
}

/// Prices on one route through one geography.
#[derive(Clone, Debug)]
struct Road {
    route: Route,
    geo: String,
    /// By name of the region.
    regions: Vec<(String, Cells)>,
    elsewhere: Cells,
}

impl Road {
    fn region(&self, name: &str) -> &Cells {
        let own = self.regions.iter().find(|(region, _)| region == name);
        own.map_or(&self.elsewhere, |(_, cells)| cells)
    }
}

/// Every price per token of one model.
#[derive(Clone, Debug, Default)]
pub(super) struct ModelPrices(Vec<Road>);

impl ModelPrices {
    /// Tells whether nothing about the model is paid by the token.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn road(&mut self, route: Route, geo: &str) -> Option<&mut Road> {
        if !self.0.iter().any(|road| road.route == route && road.geo == geo) {
            self.0.push(Road {
                route,
                geo: geo.to_owned(),
                regions: Vec::new(),
                elsewhere: Cells::default(),
            });
        }
        self.0.iter_mut().find(|road| road.route == route && road.geo == geo)
    }

    /// Gives every region that `row` names cells of its own, as it was priced until now.
    ///
    /// To be called for all rows of a file before the first [`Self::put`] of that file, so that a
    /// region starts from what older files say and not from half of this one.
    pub(super) fn open_regions(&mut self, row: &PriceRow) {
        for geo in &row.geos {
            let Some(road) = self.road(row.route, geo) else { continue };
            for region in &row.regions {
                let Region::Named(name) = region else { continue };
                if !road.regions.iter().any(|(known, _)| known == name) {
                    road.regions.push((name.clone(), road.elsewhere.clone()));
                }
            }
        }
    }

    /// Lays the part of `row` that is for `region` over what is there.
    ///
    /// Within a file the caller puts `*` first, then rows for every region, then named regions, so
    /// that the more exact one wins.
    pub(super) fn put(&mut self, row: &PriceRow, region: &Region) {
        for geo in &row.geos {
            let Some(road) = self.road(row.route, geo) else { continue };
            for sheet in &row.sheets {
                let entry = |assumed| Entry {
                    prices: sheet.prices,
                    assumed,
                    source: Arc::clone(&row.source),
                };
                match region {
                    Region::Assumed => road.elsewhere.put(sheet, row.valid, entry(true)),
                    Region::Every => {
                        road.elsewhere.put(sheet, row.valid, entry(false));
                        for (_, cells) in &mut road.regions {
                            cells.put(sheet, row.valid, entry(false));
                        }
                    }
                    Region::Named(name) => {
                        let own = road.regions.iter_mut().find(|(known, _)| known == name);
                        if let Some((_, cells)) = own {
                            cells.put(sheet, row.valid, entry(false));
                        }
                    }
                }
            }
        }
    }

    /// Returns the card of a series at `at`.
    pub(super) fn card(&self, key: &SeriesKey, at: UnixMillis) -> RateCard {
        let geo = if key.route == Route::Geo { key.geo.as_str() } else { "" };
        let Some(road) = self.0.iter().find(|road| road.route == key.route && road.geo == geo)
        else {
            return RateCard::unpriced(UnpricedReason::NoPriceForRoute, Validity::ALWAYS);
        };
        let cells = &road.region(&key.region).0;
        let mut candidates = Vec::new();
        let mut valid = Validity::ALWAYS;
        for cell in cells {
            let applies = cell.above == 0 || key.context.is_above(cell.above);
            if applies && cell.tier == key.tier {
                valid = cell.over_time.narrow(at, valid);
                candidates.push(cell);
            }
        }
        if surcharge_unknown(cells, &candidates, key) {
            return RateCard::unpriced(UnpricedReason::NoPriceForRoute, Validity::ALWAYS);
        }
        let now = candidates.iter().find_map(|cell| cell.over_time.at(at));
        let next = || candidates.iter().find_map(|cell| cell.over_time.after(at));
        let unpriced = if candidates.is_empty() {
            UnpricedReason::NoPriceForRoute
        } else {
            UnpricedReason::NoPriceAtTime
        };
        match (now, now.or_else(next)) {
            (Some(period), _) => made_from(period, key, valid, Approximations::default()),
            (None, Some(period)) => {
                let early = Approximations::default().with(Approximation::PriceBeforeFirst);
                made_from(period, key, valid, early)
            }
            (None, None) => RateCard::unpriced(unpriced, valid),
        }
    }
}

/// Tells whether the call is so large that the model costs more, while only the price of smaller
/// calls is known for the tier. That one would be too low, so there is none.
fn surcharge_unknown(cells: &[Cell], candidates: &[&Cell], key: &SeriesKey) -> bool {
    let dearer = |cell: &Cell| cell.above > 0 && key.context.is_above(cell.above);
    !candidates.iter().any(|cell| dearer(cell))
        && cells.iter().any(|cell| cell.tier == Tier::Standard && dearer(cell))
}

fn made_from(
    period: &Period<Entry>,
    key: &SeriesKey,
    valid: Validity,
    mut approximations: Approximations,
) -> RateCard {
    let Entry { prices, assumed, source } = &period.value;
    if *assumed {
        approximations = approximations.with(if key.region == UNKNOWN {
            Approximation::RegionUnknown
        } else {
            Approximation::RegionPriceAssumed
        });
    }
    let mut listed =
        ByClass([Price::Unpriced(UnpricedReason::NoPriceForClass); TokenClass::ALL.len()]);
    for (class, price) in prices.iter() {
        if let Some(usd) = price {
            listed.set(class, Price::Priced(usd));
        }
    }
    RateCard { valid, prices: listed, approximations, source: Some(Arc::clone(source)) }
}
