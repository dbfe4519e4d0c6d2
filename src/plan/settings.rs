//! What the config says about options: capacities, other models, machines.

use crate::charge::{Capacity, Throughput};
use crate::model::money::Usd;
use crate::model::names::Route;

/// What is to be compared besides what the price book has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What a model unit of a model can do.
    pub capacities: Vec<ModelCapacity>,
    /// Models to compare with.
    pub alternatives: Vec<Alternative>,
    /// Machines to compare with.
    pub self_hosted: Vec<SelfHosted>,
}

/// What one model unit can do in a minute: AWS publishes no figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCapacity {
    /// Base model id.
    pub model: String,
    /// Tokens a minute.
    pub per_unit: Capacity,
}

/// A model to compare with, reached as a call that names it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// As the config names it.
    pub name: String,
    /// Base model id.
    pub model: String,
    /// How it is reached.
    pub route: Route,
    /// Geographic prefix, or empty.
    pub geo: String,
}

/// A machine that serves a model of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfHosted {
    /// Its name.
    pub name: String,
    /// What an instance costs an hour.
    pub per_hour: Usd,
    /// Input tokens that an instance takes a second, while it also writes.
    pub input_per_second: u64,
    /// Output tokens that an instance writes a second, while it also reads.
    pub output_per_second: u64,
    /// Fewest instances.
    pub least: u64,
}

impl Settings {
    /// Returns what a unit of `model` can do: as `[[plan.capacity]]` says, else as the first `provisioned` of
    /// that model does.
    pub(super) fn capacity(&self, provisioned: &[Throughput], model: &str) -> Option<Capacity> {
        let declared = self.capacities.iter().find(|known| known.model == model);
        let of_throughput = || {
            let of_model = provisioned.iter().filter(|one| one.model == model);
            let mut declared = of_model.map(|one| one.per_unit);
            declared.find(|per_unit| *per_unit != Capacity::default())
        };
        declared.map(|known| known.per_unit).or_else(of_throughput)
    }
}
