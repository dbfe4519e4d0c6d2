//! All of a plan, as it is printed.

use super::gather::{Gatherer, TrafficKey};
use super::minutes::Minutes;
use super::offer::{Offer, TIERS};
use super::quote::{Quote, Quoter};
use super::settings::Settings;
use super::{Window, assume};
use crate::charge::Throughput;
use crate::model::money::Usd;
use crate::model::tokens::TokenCounts;
use crate::price::Book;

/// What traffic would have cost otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The time it is about.
    pub window: Window,
    /// Kinds of traffic with tokens, the dearest first.
    pub traffic: Vec<TrafficPlan>,
    /// Kinds of traffic without a token: nothing can be said of those.
    pub without_tokens: usize,
    /// What is not paid by token, in the same time.
    pub items: Vec<ItemCost>,
    /// What all of it rests on.
    pub assumptions: Vec<String>,
}

/// One kind of traffic and its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficPlan {
    /// What it is.
    pub key: TrafficKey,
    /// Calls, refused ones too.
    pub requests: u64,
    /// Tokens by class.
    pub tokens: TokenCounts,
    /// What the ledger has for it.
    pub booked: Usd,
    /// What of it has no price in the ledger.
    pub booked_unpriced: u64,
    /// How it is spread over minutes.
    pub minutes: Minutes,
    /// The options.
    pub quotes: Vec<Quote>,
}

impl TrafficPlan {
    /// Returns what an option costs, if that has a price.
    pub fn usd(&self, offer: &Offer) -> Option<Usd> {
        let quote = self.quotes.iter().find(|quote| quote.offer == *offer)?;
        quote.cost.as_ref().ok().map(|cost| cost.usd)
    }
}

/// What something that is not paid by token cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemCost {
    /// Its name.
    pub name: String,
    /// The model that it is about.
    pub model: String,
    /// Dollars.
    pub usd: Usd,
}

impl Plan {
    /// Returns the plan for what was gathered in `window`.
    pub fn of(
        mut gatherer: Gatherer<'_>,
        window: Window,
        book: &Book,
        settings: &Settings,
        provisioned: &[Throughput],
    ) -> Self {
        let (gathered, without_tokens, window) = gatherer.finish(window);
        let items = std::mem::take(&mut gatherer.items).into_iter();
        let items: Vec<ItemCost> =
            items.map(|((name, model), usd)| ItemCost { name, model, usd }).collect();
        let plan_of = |one: super::Traffic| {
            let stretches = one.stretches();
            let minutes = Minutes::of(&stretches, window.known_minutes());
            let quoter = Quoter { traffic: &one, stretches: &stretches, minutes: &minutes, window };
            let quotes = quoter.quotes(book, settings, provisioned);
            TrafficPlan {
                key: one.key.clone(),
                requests: one.requests,
                tokens: one.tokens,
                booked: one.booked,
                booked_unpriced: one.booked_unpriced,
                minutes,
                quotes,
            }
        };
        let traffic: Vec<TrafficPlan> = gathered.into_iter().map(plan_of).collect();
        let assumptions = assume::assumptions(&traffic, window, book, settings, !items.is_empty());
        Self { window, traffic, without_tokens, items, assumptions }
    }
}

/// What one option comes to over all traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// The option.
    pub offer: Offer,
    /// Dollars of the traffic that has a price on it.
    pub usd: Usd,
    /// What the same traffic comes to on demand, as far as that has a price.
    pub on_demand: Usd,
    /// How many kinds of traffic have a price on it.
    pub priced: usize,
}

impl Plan {
    /// Returns what every tier comes to; options that are chosen for each traffic by itself have no common sum.
    pub fn totals(&self) -> Vec<Total> {
        let of = |tier| {
            let offer = Offer::Tier(tier);
            let mut total = Total { offer, usd: Usd::ZERO, on_demand: Usd::ZERO, priced: 0 };
            for traffic in &self.traffic {
                let Some(usd) = traffic.usd(&total.offer) else { continue };
                total.usd += usd;
                total.on_demand += traffic.usd(&Offer::Tier(TIERS[0])).unwrap_or_default();
                total.priced += 1;
            }
            total
        };
        TIERS.into_iter().map(of).collect()
    }
}
