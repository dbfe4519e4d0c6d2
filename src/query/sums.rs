//! What is told of any usage: sums of rows, and their form in JSON with amounts as decimal texts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::used::Used;
use crate::ledger::counts::Counts;
use crate::model::money::Usd;
use crate::model::names::Outcome;
use crate::model::tokens::{ByClass, TokenClass, TokenCounts};

/// Sums over calls, and over what is not paid by call. Adding two is exact and commutative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Sums {
    /// Calls by outcome.
    pub outcomes: Counts<Outcome>,
    /// Tokens by class.
    pub tokens: TokenCounts,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Cost by class, of the tokens that have a price.
    pub cost: ByClass<Usd>,
    /// Cost of the tokens of calls that failed, a part of `cost`.
    pub wasted: Usd,
    /// What is paid by time, bytes or calls and not by token.
    pub charge: Usd,
    /// What the applications' own logs claim.
    pub reported: Usd,
    /// Tokens without a price, by class; a part of `tokens`.
    pub unpriced: TokenCounts,
}

/// The form of [`Sums`] in JSON. Whatever is 0 may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wire {
    requests: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    outcomes: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tokens: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "is_zero")]
    reasoning_tokens: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    unpriced_tokens: BTreeMap<String, u64>,
    cost_usd: Dollars,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    cost_usd_by_class: BTreeMap<String, Dollars>,
    #[serde(skip_serializing_if = "Dollars::is_zero")]
    charge_usd: Dollars,
    #[serde(skip_serializing_if = "Dollars::is_zero")]
    wasted_usd: Dollars,
    #[serde(skip_serializing_if = "Dollars::is_zero")]
    reported_cost_usd: Dollars,
}

/// An amount as its exact decimal, in a text: JSON's numbers are floats to most who read them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dollars(pub Usd);

impl Dollars {
    fn is_zero(&self) -> bool {
        self.0 == Usd::ZERO
    }
}

impl Serialize for Dollars {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_string())
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Usd::parse_exact(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks it this way")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Sums {
    /// Adds what a row tells.
    pub fn add_used(&mut self, used: &Used) {
        for (outcome, count) in &used.outcomes {
            self.outcomes.add(*outcome, *count);
        }
        self.tokens += &used.tokens;
        self.reasoning_tokens += used.reasoning_tokens;
        self.cost += &used.cost;
        self.wasted += used.wasted;
        self.charge += used.charge;
        self.reported += used.reported;
        self.unpriced += &used.unpriced;
    }

    /// Adds everything in `other`.
    pub fn add(&mut self, other: &Self) {
        self.outcomes.merge(&other.outcomes);
        self.tokens += &other.tokens;
        self.reasoning_tokens += other.reasoning_tokens;
        self.cost += &other.cost;
        self.wasted += other.wasted;
        self.charge += other.charge;
        self.reported += other.reported;
        self.unpriced += &other.unpriced;
    }

    /// Returns how many calls there were.
    pub fn requests(&self) -> u64 {
        self.outcomes.total()
    }

    /// Returns the cost of the tokens that have a price.
    pub fn token_cost(&self) -> Usd {
        self.cost.0.iter().copied().sum()
    }

    /// Returns everything that is paid, as far as it has a price.
    pub fn spent(&self) -> Usd {
        self.token_cost() + self.charge
    }

    /// Tells whether there is nothing in it at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn by_name<T: Copy + Default + PartialEq, W: From<T>>(values: &ByClass<T>) -> BTreeMap<String, W> {
    let used = values.iter().filter(|(_, value)| *value != T::default());
    used.map(|(class, value)| (class.as_str().to_owned(), value.into())).collect()
}

fn by_class<W, T: Copy + Default>(
    map: BTreeMap<String, W>,
    value_of: impl Fn(W) -> T,
) -> Result<ByClass<T>, String> {
    let mut values = ByClass::default();
    for (name, value) in map {
        let class = TokenClass::ALL.into_iter().find(|class| class.as_str() == name);
        values.set(
            class.ok_or_else(|| format!("there is no token class `{name}`"))?,
            value_of(value),
        );
    }
    Ok(values)
}

impl From<Usd> for Dollars {
    fn from(amount: Usd) -> Self {
        Self(amount)
    }
}

impl From<Sums> for Wire {
    fn from(sums: Sums) -> Self {
        Self {
            requests: sums.requests(),
            outcomes: sums
                .outcomes
                .iter()
                .map(|(outcome, count)| (outcome.as_str().to_owned(), count))
                .collect(),
            tokens: by_name(&sums.tokens),
            reasoning_tokens: sums.reasoning_tokens,
            unpriced_tokens: by_name(&sums.unpriced),
            cost_usd: Dollars(sums.token_cost()),
            cost_usd_by_class: by_name(&sums.cost),
            charge_usd: Dollars(sums.charge),
            wasted_usd: Dollars(sums.wasted),
            reported_cost_usd: Dollars(sums.reported),
        }
    }
}

impl TryFrom<Wire> for Sums {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        let mut outcomes = Counts::default();
        for (name, count) in wire.outcomes {
            let outcome = Outcome::from_name(&name);
            outcomes.add(outcome.ok_or_else(|| format!("there is no outcome `{name}`"))?, count);
        }
        let sums = Self {
            outcomes,
            tokens: by_class(wire.tokens, |count| count)?,
            reasoning_tokens: wire.reasoning_tokens,
            cost: by_class(wire.cost_usd_by_class, |amount: Dollars| amount.0)?,
            wasted: wire.wasted_usd.0,
            charge: wire.charge_usd.0,
            reported: wire.reported_cost_usd.0,
            unpriced: by_class(wire.unpriced_tokens, |count| count)?,
        };
        // What does not add up was cut or made by something else.
        if sums.requests() != wire.requests || sums.token_cost() != wire.cost_usd.0 {
            return Err("its parts do not sum to its totals".to_owned());
        }
        Ok(sums)
    }
}
