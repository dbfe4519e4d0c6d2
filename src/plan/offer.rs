//! What traffic can be served by, and why an option has no price.

use crate::model::names::{Tier, UnpricedReason};
use crate::model::tokens::TokenClass;
use crate::price::Term;

/// The tiers that are compared; the first is on demand as AWS calls it.
pub(super) const TIERS: [Tier; 4] = [Tier::Standard, Tier::Priority, Tier::Flex, Tier::Batch];

/// An option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The same model by the token, on this tier.
    Tier(Tier),
    /// Model units of provisioned throughput.
    Provisioned(Term),
    /// Another model by the token, as the config names it.
    Model(String),
    /// Machines of one's own.
    SelfHosted(String),
}

impl Offer {
    /// Returns the kind of option, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tier(Tier::Standard) => "on_demand",
            Self::Tier(tier) => tier.as_str(),
            Self::Provisioned(Term::None) => "provisioned",
            Self::Provisioned(Term::OneMonth) => "provisioned_1_month",
            Self::Provisioned(Term::SixMonths) => "provisioned_6_months",
            Self::Model(_) => "model",
            Self::SelfHosted(_) => "self_hosted",
        }
    }

    /// Returns the option as a person reads it.
    pub fn title(&self) -> String {
        match self {
            Self::Tier(Tier::Standard) => "on demand".to_owned(),
            Self::Tier(tier) => tier.as_str().to_owned(),
            Self::Provisioned(Term::None) => "provisioned, no commitment".to_owned(),
            Self::Provisioned(Term::OneMonth) => "provisioned, 1 month".to_owned(),
            Self::Provisioned(Term::SixMonths) => "provisioned, 6 months".to_owned(),
            Self::Model(name) => format!("model {name}"),
            Self::SelfHosted(name) => format!("self-hosted {name}"),
        }
    }

    /// Returns how a price of the option is called.
    fn price(&self) -> String {
        match self {
            Self::Tier(Tier::Standard) => "on-demand price".to_owned(),
            Self::Tier(tier) => format!("{} price", tier.as_str()),
            Self::Provisioned(term) => format!("hourly price of the term `{}`", term.as_str()),
            Self::Model(name) => format!("on-demand price of `{name}`"),
            Self::SelfHosted(name) => format!("price of `{name}`"),
        }
    }
}

/// Why an option has no price. It is never $0, and never the price of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPrice {
    /// The price book has none for some of the tokens.
    Tokens {
        /// Why.
        reason: UnpricedReason,
        /// A class of those.
        class: TokenClass,
        /// How many of all tokens have no price.
        tokens: u64,
    },
    /// The price book has no hourly price.
    Hours,
    /// Nobody said what a model unit can do.
    NoCapacity,
}

impl NoPrice {
    /// Returns the reason for a person, of `offer`.
    pub fn text(&self, offer: &Offer) -> String {
        let price = offer.price();
        match self {
            Self::Hours => format!("no {price} in the price book"),
            Self::NoCapacity => "capacity per unit not declared".to_owned(),
            Self::Tokens { reason, class, .. } => match reason {
                UnpricedReason::UnknownModel => "the price book does not know the model".to_owned(),
                UnpricedReason::OpaqueModel => {
                    "the model behind the ARN is not known; map it in `[models]`".to_owned()
                }
                UnpricedReason::NoPriceForRoute => format!("no {price} in the price book"),
                UnpricedReason::NoPriceForClass => {
                    format!("no {price} for {} tokens in the price book", class.as_str())
                }
                UnpricedReason::NoPriceAtTime => {
                    format!("no {price} in the price book at the time of some calls")
                }
                UnpricedReason::NotPaidByToken => "the model is not paid by the token".to_owned(),
                UnpricedReason::ProvisionedNotDeclared => {
                    "provisioned throughput is not paid by the token".to_owned()
                }
            },
        }
    }

    /// Returns the reason for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Tokens { reason, .. } => reason.as_str(),
            Self::Hours => "no_hourly_price",
            Self::NoCapacity => "capacity_not_declared",
        }
    }
}
