//! Rate cards: the prices of one series at one time, and the arithmetic that applies them.
//!
//! A card is self-contained, so that callers keep it until `valid` ends. It must never round: a
//! price is whole picodollars per token, and so is every amount made from it.

use std::sync::Arc;

use super::timeline::Validity;
use crate::model::money::Usd;
use crate::model::names::{Approximation, Approximations, UnpricedReason};
use crate::model::time::UnixMillis;
use crate::model::tokens::{ByClass, TokenClass, TokenCounts};

/// The price of one token of a class, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// Dollars per token.
    Priced(Usd),
    /// Tokens of this class have no price: they must be counted as unpriced, never as free.
    Unpriced(UnpricedReason),
}

/// The prices of one series, from the beginning to the end of [`Self::valid`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateCard {
    /// When this very card holds.
    pub valid: Validity,
    /// Price per token, by class.
    pub prices: ByClass<Price>,
    /// What is assumed for every call that this card prices. What depends on the call's tokens is
    /// only in [`Charge::approximations`].
    pub approximations: Approximations,
    /// Where the prices are from; `None` where there is no row.
    pub source: Option<Arc<str>>,
}

/// What some tokens cost by one card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// Dollars by class; a class without a price has none, and its tokens are in `unpriced`.
    pub cost: ByClass<Usd>,
    /// Tokens without a price; the reason is in [`RateCard::prices`].
    pub unpriced: TokenCounts,
    /// What was assumed.
    pub approximations: Approximations,
}

impl Charge {
    /// Returns the dollars of all classes.
    pub fn total(&self) -> Usd {
        self.cost.iter().map(|(_, usd)| usd).sum()
    }
}

impl RateCard {
    /// Returns a card on which no class has a price, for `reason`.
    pub(super) fn unpriced(reason: UnpricedReason, valid: Validity) -> Self {
        Self::uniform(Price::Unpriced(reason), valid)
    }

    /// Returns a card with one price for all classes.
    pub(super) fn uniform(price: Price, valid: Validity) -> Self {
        let prices = ByClass([price; crate::model::tokens::TOKEN_CLASSES]);
        Self { valid, prices, approximations: Approximations::default(), source: None }
    }

    /// Returns the card of tokens on provisioned throughput whose hours are paid in `times`: they cost
    /// exactly nothing then. At other times nobody said what they cost, so they are unpriced.
    pub fn of_provisioned(times: &[Validity], at: UnixMillis) -> Self {
        if let Some(valid) = times.iter().find(|valid| valid.holds_at(at)) {
            return Self::uniform(Price::Priced(Usd::ZERO), *valid);
        }
        let before = times.iter().map(|valid| valid.to).filter(|to| *to <= at).max();
        let after = times.iter().map(|valid| valid.from).filter(|from| *from > at).min();
        let valid = Validity {
            from: before.unwrap_or(Validity::ALWAYS.from),
            to: after.unwrap_or(Validity::ALWAYS.to),
        };
        Self::unpriced(UnpricedReason::ProvisionedNotDeclared, valid)
    }

    /// Returns what `tokens` cost: the same for one call or for the sum of many.
    pub fn charge(&self, tokens: &TokenCounts) -> Charge {
        let mut charge = Charge::default();
        let mut priced = false;
        for (class, count) in tokens.iter().filter(|&(_, count)| count > 0) {
            match self.prices.get(class) {
                Price::Priced(each) => {
                    charge.cost.set(class, each.times(count));
                    priced = true;
                    // On provisioned throughput every class is free, so nothing is assumed.
                    if class == TokenClass::CacheWriteUnknownTtl && each != Usd::ZERO {
                        charge.approximations =
                            charge.approximations.with(Approximation::CacheTtlUnknown);
                    }
                }
                Price::Unpriced(_) => charge.unpriced.set(class, count),
            }
        }
        if priced {
            charge.approximations = charge.approximations.union(self.approximations);
        }
        charge
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn card() -> impl Strategy<Value = RateCard> {
        prop::array::uniform6(prop::option::of(0i128..1_000_000_000)).prop_map(|prices| RateCard {
            prices: ByClass(prices.map(|price| match price {
                Some(each) => Price::Priced(Usd(each)),
                None => Price::Unpriced(UnpricedReason::NoPriceForClass),
            })),
            ..RateCard::unpriced(UnpricedReason::UnknownModel, Validity::ALWAYS)
        })
    }

    fn tokens() -> impl Strategy<Value = TokenCounts> {
        prop::array::uniform6(0u64..1 << 40).prop_map(ByClass)
    }

    proptest! {
        #[test]
        fn the_cost_of_a_sum_is_the_sum_of_the_costs(
            card in card(), one in tokens(), other in tokens()
        ) {
            let mut both = one;
            both += &other;
            let (a, b, sum) = (card.charge(&one), card.charge(&other), card.charge(&both));
            prop_assert_eq!(sum.total(), a.total() + b.total());
            let mut unpriced = a.unpriced;
            unpriced += &b.unpriced;
            prop_assert_eq!(sum.unpriced, unpriced);
        }

        #[test]
        fn cost_is_proportional_to_tokens(
            card in card(), one in tokens(), times in 0u64..1000
        ) {
            let many = ByClass(one.0.map(|count| count * times));
            prop_assert_eq!(card.charge(&many).total(), card.charge(&one).total().times(times));
        }

        #[test]
        fn no_token_is_both_paid_and_unpriced_or_neither(card in card(), tokens in tokens()) {
            let charge = card.charge(&tokens);
            for (class, count) in tokens.iter() {
                let expected = match card.prices.get(class) {
                    Price::Priced(each) => (each.times(count), 0),
                    Price::Unpriced(_) => (Usd::ZERO, count),
                };
                prop_assert_eq!((charge.cost.get(class), charge.unpriced.get(class)), expected);
            }
        }
    }

    #[test]
    fn approximations_are_told_only_for_tokens_that_they_touch() {
        let mut card = RateCard::uniform(Price::Priced(Usd(1)), Validity::ALWAYS);
        card.approximations = card.approximations.with(Approximation::RegionUnknown);
        let mut tokens = TokenCounts::default();
        assert!(card.charge(&tokens).approximations.is_empty());
        tokens.set(TokenClass::Input, 1);
        let found: Vec<_> = card.charge(&tokens).approximations.iter().collect();
        assert_eq!(found, [Approximation::RegionUnknown]);
        tokens.set(TokenClass::CacheWriteUnknownTtl, 1);
        let found: Vec<_> = card.charge(&tokens).approximations.iter().collect();
        assert_eq!(found, [Approximation::CacheTtlUnknown, Approximation::RegionUnknown]);
    }
}
