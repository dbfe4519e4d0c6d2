//! What the tests of this module share.

use proptest::prelude::*;

use super::amount::{Amount, Sums};
use super::period::{Cycle, Period};
use super::plan::{Budget, Fail};
use super::scope::Scope;
use super::zone::Zone;
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::names::{Route, Tier};
use crate::model::series::{ContextBand, SeriesKey};

/// Returns labels that differ in who called which model, with attributes.
pub(super) fn key(principal: &str, model: &str, attributes: &[(&str, &str)]) -> SeriesKey {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    SeriesKey {
        provider: "aws.bedrock".to_owned(),
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        model: model.to_owned(),
        route: Route::InRegion,
        geo: String::new(),
        tier: Tier::Standard,
        principal: principal.to_owned(),
        attributes: attributes.iter().map(owned).collect(),
        context: ContextBand(0),
        item: String::new(),
    }
}

/// Sums of any size, also of more than 64 bits of picodollars.
pub(super) fn any_sums() -> impl Strategy<Value = Sums> {
    let cost =
        prop_oneof![0i128..1 << 50, Just(0), (1i128 << 63)..(1i128 << 70), -(1i128 << 66)..0];
    let standing = prop_oneof![Just(0i128), 0i128..1 << 50, (1i128 << 63)..(1i128 << 66)];
    let unpriced = prop_oneof![Just(0u64), 0u64..1 << 40];
    (cost, standing, 0u64..1 << 40, unpriced, 0u64..1 << 20).prop_map(
        |(cost, standing, tokens, unpriced_tokens, calls)| Sums {
            cost: Usd(cost),
            standing: Usd(standing),
            tokens,
            unpriced_tokens,
            calls,
        },
    )
}

/// Returns a budget for everything, in UTC, with a floor of a dollar.
pub(super) fn budget(cycle: Cycle, dollars: i128) -> Budget {
    Budget {
        name: "b".to_owned(),
        limit: Amount::Usd(Usd(dollars * PICODOLLARS_PER_USD)),
        period: Period { cycle, zone: Zone::UTC },
        scope: Scope::default(),
        thresholds: vec![],
        carry_over: false,
        per: None,
        enforce: false,
        fail: Fail::Open,
        floor: Usd(PICODOLLARS_PER_USD),
    }
}
