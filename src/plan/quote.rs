//! What one option would have cost for one kind of traffic.

use super::curve::Curve;
use super::fleet::{Fleet, Sized};
use super::minutes::{Minutes, Percentile};
use super::offer::{NoPrice, Offer};
use super::settings::{SelfHosted, Settings};
use super::{MONTH_HOURS, Stretch, Traffic, Window};
use crate::charge::Throughput;
use crate::model::money::Usd;
use crate::model::names::{Approximations, Route};
use crate::model::series::PROVIDER_BEDROCK;
use crate::price::{Book, Term};

/// An option with what it costs, or why that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The option.
    pub offer: Offer,
    /// What it costs.
    pub cost: Result<Cost, NoPrice>,
    /// What the price book had to assume.
    pub approximations: Approximations,
    /// What a month costs at a steady load.
    pub curve: Option<Curve>,
    /// The price of a unit an hour and the load at which it pays, also where its capacity is not known.
    pub unit: Option<UnitPrice>,
}

/// What a unit costs, and when that pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitPrice {
    /// Dollars an hour.
    pub per_hour: Usd,
    /// Tokens a minute, all day, at which the fewest units cost no more than on demand; `None` where on demand
    /// has no price.
    pub break_even: Option<u64>,
}

/// What an option costs over the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Dollars.
    pub usd: Usd,
    /// Of what is paid by the hour, how.
    pub fleet: Option<FleetCost>,
}

/// What units cost, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetCost {
    /// The cheapest number of them, or all that the busiest minute takes where on demand has no price.
    pub chosen: Sized,
    /// Fewest units.
    pub least: u64,
    /// Tokens of this traffic's mix that one unit serves a minute; `None` if its limits are not about this mix.
    pub unit_tokens: Option<u64>,
    /// What is owed at least for the commitment, if there is one: full months.
    pub committed: Option<Usd>,
    /// Numbers of units that serve such shares of the known minutes whole, and what they come to; with overflow
    /// only where on demand has a price.
    pub sizes: Vec<SizedFor>,
}

impl FleetCost {
    /// Tells whether the fewest units serve the load from which on they pay.
    pub fn can_pay(&self, break_even: Option<u64>) -> bool {
        match (break_even, self.unit_tokens) {
            (Some(load), Some(unit)) => load <= unit.saturating_mul(self.least),
            _ => true,
        }
    }
}

/// A number of units by the share of minutes that it serves whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizedFor {
    /// The share.
    pub percentile: Percentile,
    /// The units, and what they come to.
    pub sized: Sized,
    /// Whether overflow has a price. If not, it is not in the dollars.
    pub is_priced: bool,
}

/// What all quotes of one kind of traffic are made of.
pub(super) struct Quoter<'a> {
    pub(super) traffic: &'a Traffic,
    pub(super) stretches: &'a [Stretch],
    pub(super) minutes: &'a Minutes,
    pub(super) window: Window,
}

impl Quoter<'_> {
    /// Returns every option, in a fixed order.
    pub(super) fn quotes(
        &self,
        book: &Book,
        settings: &Settings,
        provisioned: &[Throughput],
    ) -> Vec<Quote> {
        let is_same = |offer: &Offer| {
            let Offer::Model(name) = offer else { return false };
            let other = settings.alternatives.iter().find(|other| other.name == *name);
            let key = &self.traffic.key;
            other.is_some_and(|other| {
                (&other.model, other.route, &other.geo) == (&key.model, key.route, &key.geo)
            })
        };
        let by_token = |is_model: bool| {
            let sums = self.traffic.by_token.iter();
            let wanted = sums.filter(move |sum| matches!(sum.offer, Offer::Model(_)) == is_model);
            wanted.filter(|sum| !is_same(&sum.offer)).map(|sum| Quote {
                offer: sum.offer.clone(),
                cost: match sum.missing {
                    None => Ok(Cost { usd: sum.usd, fleet: None }),
                    Some(missing) => Err(missing),
                },
                approximations: sum.approximations,
                curve: sum
                    .missing
                    .is_none()
                    .then_some(Curve::Line { usd: sum.usd, tokens: self.traffic.tokens.total() }),
                unit: None,
            })
        };
        let mut quotes: Vec<Quote> = by_token(false).collect();
        if self.traffic.key.provider == PROVIDER_BEDROCK {
            let terms = Term::ALL.into_iter();
            quotes.extend(terms.map(|term| self.provisioned(term, book, settings, provisioned)));
        }
        quotes.extend(by_token(true));
        quotes.extend(settings.self_hosted.iter().map(|machine| self.self_hosted(machine)));
        quotes
    }

    fn provisioned(
        &self,
        term: Term,
        book: &Book,
        settings: &Settings,
        provisioned: &[Throughput],
    ) -> Quote {
        let offer = Offer::Provisioned(term);
        let key = &self.traffic.key;
        // Custom and imported models have no base model whose units these would be.
        let is_base = !matches!(key.route, Route::Custom | Route::Imported | Route::Unknown);
        let row = is_base.then(|| book.hourly_price(&key.provider, &key.model, &key.region, term));
        let Some(row) = row.flatten() else { return Quote::without(offer, NoPrice::Hours) };
        let per_hour = row.usd_per_hour;
        let Some(per_unit) = settings.capacity(provisioned, &key.model) else {
            let unit = Some(UnitPrice { per_hour, break_even: self.break_even(per_hour, 1) });
            return Quote { unit, ..Quote::without(offer, NoPrice::NoCapacity) };
        };
        let fleet = Fleet { per_hour, input: per_unit.input, output: per_unit.output, least: 1 };
        self.fleet(offer, fleet, months(term))
    }

    fn self_hosted(&self, machine: &SelfHosted) -> Quote {
        let fleet = Fleet {
            per_hour: machine.per_hour,
            input: Some(machine.input_per_second.saturating_mul(60)),
            output: Some(machine.output_per_second.saturating_mul(60)),
            least: machine.least,
        };
        self.fleet(Offer::SelfHosted(machine.name.clone()), fleet, 0)
    }

    fn fleet(&self, offer: Offer, fleet: Fleet, months: u64) -> Quote {
        let hours = self.window.hours();
        let is_priced = self.traffic.on_demand().is_some();
        let chosen = if is_priced {
            fleet.cheapest(self.stretches, hours)
        } else {
            let all = self.stretches.iter().map(|stretch| fleet.needed(stretch)).max();
            fleet.sized(all.unwrap_or(fleet.least), self.stretches, hours)
        };
        let sizes = self.minutes.units(&fleet).into_iter().map(|(percentile, units)| {
            let mut sized = fleet.sized(units, self.stretches, hours);
            if !is_priced {
                sized.overflow = Usd::ZERO;
            }
            let is_priced = is_priced || sized.overflow_tokens == 0;
            SizedFor { percentile, sized, is_priced }
        });
        let output = self.traffic.tokens.get(crate::model::tokens::TokenClass::Output);
        let curve = Curve::of_fleet(&fleet, self.traffic.tokens.total_input(), output);
        let unit_tokens = match curve {
            Curve::Steps { unit, .. } if unit < u64::MAX => Some(unit),
            Curve::Steps { .. } | Curve::Line { .. } => None,
        };
        let least = fleet.least;
        let committed = (months > 0).then(|| {
            let months = months.max(hours.div_ceil(MONTH_HOURS));
            fleet.per_hour.times(chosen.units).times(months * MONTH_HOURS)
        });
        let break_even = self.break_even(fleet.per_hour, fleet.least);
        let sizes = sizes.collect();
        let fleet_cost = FleetCost { chosen, least, unit_tokens, committed, sizes };
        Quote {
            offer,
            cost: Ok(Cost { usd: chosen.total(), fleet: Some(fleet_cost) }),
            approximations: Approximations::default(),
            curve: Some(curve),
            unit: Some(UnitPrice { per_hour: fleet.per_hour, break_even }),
        }
    }

    fn break_even(&self, per_hour: Usd, least: u64) -> Option<u64> {
        Curve::break_even(per_hour, least, self.traffic.on_demand()?, self.traffic.tokens.total())
    }
}

impl Quote {
    fn without(offer: Offer, reason: NoPrice) -> Self {
        let approximations = Approximations::default();
        Self { offer, cost: Err(reason), approximations, curve: None, unit: None }
    }
}

/// Returns the fewest months that a term is paid for.
fn months(term: Term) -> u64 {
    match term {
        Term::None => 0,
        Term::OneMonth => 1,
        Term::SixMonths => 6,
    }
}
