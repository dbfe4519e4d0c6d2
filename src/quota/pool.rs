//! What one limit is shared by.

use crate::model::names::{Route, Tier};
use crate::model::series::{OTHER, PROVIDER_BEDROCK, SeriesKey, UNKNOWN};
use crate::price::without_context;

/// The calls that take from one quota.
///
/// AWS counts per model and region over all runtime APIs and over the tiers standard, priority and flex (Bedrock
/// user guide, "Quotas for the bedrock-runtime endpoint"); through inference profiles it counts in the region
/// that was called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pool {
    /// AWS account id, or [`UNKNOWN`] where the log names none.
    pub account: String,
    /// Region that was called, or [`UNKNOWN`].
    pub region: String,
    /// Base model id, without the size of its context.
    pub model: String,
    /// [`Route::InRegion`], [`Route::Geo`] or [`Route::Global`].
    pub route: Route,
}

/// Tells whether calls on this route take from the quotas of on-demand inference.
pub fn is_on_demand(route: Route) -> bool {
    matches!(route, Route::InRegion | Route::Geo | Route::Global)
}

impl Pool {
    /// Returns the pool that the calls of a series take from.
    ///
    /// None for what takes from no runtime quota that we know: provisioned, custom and imported models, models
    /// that the log does not tell, the tiers `batch` and `reserved`, which have quotas of their own, and other
    /// endpoints than Bedrock's runtime.
    pub fn of(key: &SeriesKey) -> Option<Self> {
        let is_shared = matches!(key.tier, Tier::Standard | Tier::Priority | Tier::Flex);
        if key.provider != PROVIDER_BEDROCK || !is_shared {
            return None;
        }
        Self::on_demand(&key.account, &key.region, &key.model, key.route)
    }

    /// Returns the pool of calls of a model on a route; none for what [`Self::of`] has none for by these.
    pub fn on_demand(account: &str, region: &str, model: &str, route: Route) -> Option<Self> {
        // What is left of an ARN has a slash in it; model ids have none.
        let is_opaque = model == UNKNOWN || model == OTHER || model.contains('/');
        (is_on_demand(route) && !is_opaque).then(|| Self {
            account: account.to_owned(),
            region: region.to_owned(),
            model: without_context(model).unwrap_or(model).to_owned(),
            route,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::series::ContextBand;

    fn series(model: &str, route: Route, tier: Tier) -> SeriesKey {
        SeriesKey {
            provider: PROVIDER_BEDROCK.to_owned(),
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            model: model.to_owned(),
            route,
            geo: "us".to_owned(),
            tier,
            principal: "p".to_owned(),
            attributes: Vec::new(),
            context: ContextBand(0),
            item: String::new(),
        }
    }

    #[test]
    fn only_on_demand_calls_of_known_models_share_a_runtime_quota() {
        let model = "anthropic.claude-v2:1";
        for route in Route::ALL {
            let expected = ["in_region", "geo", "global"].contains(&route.as_str());
            assert_eq!(Pool::of(&series(model, *route, Tier::Standard)).is_some(), expected);
        }
        for tier in Tier::ALL {
            let expected = ["standard", "priority", "flex"].contains(&tier.as_str());
            assert_eq!(Pool::of(&series(model, Route::Geo, *tier)).is_some(), expected);
        }
        for opaque in ["unknown", "other", "application-inference-profile/a1b2c3d4e5f6"] {
            assert_eq!(Pool::of(&series(opaque, Route::Geo, Tier::Standard)), None, "{opaque}");
        }
        let mut mantle = series(model, Route::InRegion, Tier::Standard);
        mantle.provider = "aws.bedrock-mantle".to_owned();
        assert_eq!(Pool::of(&mantle), None);
    }

    #[test]
    fn context_variants_share_the_pool_of_their_model() {
        let pool = |model| Pool::of(&series(model, Route::InRegion, Tier::Flex)).unwrap().model;
        assert_eq!(pool("anthropic.claude-v2:1:200k"), "anthropic.claude-v2:1");
        assert_eq!(pool("anthropic.claude-v2:1"), "anthropic.claude-v2:1");
        assert_eq!(pool("amazon.nova-lite-v1:0:24k"), "amazon.nova-lite-v1:0");
    }
}
