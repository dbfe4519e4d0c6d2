//! What traffic that was made would have cost otherwise: on other tiers, on provisioned throughput, on another
//! model, on machines of one's own; and how much of each it takes.
//!
//! It may use what stands above it: rows of the ledger, the price book, capacities of model units. It must
//! never read a clock or a file, hold money in a float, or give a price that nobody listed: an option
//! without one says why it has none ([`NoPrice`]), and what a figure rests on is told with it
//! ([`Plan::assumptions`]).

mod assume;
mod curve;
mod fleet;
mod gather;
mod minutes;
mod offer;
mod quote;
mod report;
mod settings;
mod window;

#[cfg(test)]
mod tests;

pub use curve::{Curve, MONTH_HOURS};
pub use fleet::{Fleet, Sized, Stretch};
pub use gather::{Gatherer, Traffic, TrafficKey};
pub use minutes::{Minutes, Percentile};
pub use offer::{NoPrice, Offer};
pub use quote::{Cost, FleetCost, Quote, SizedFor, UnitPrice};
pub use report::{ItemCost, Plan, Total, TrafficPlan};
pub use settings::{Alternative, ModelCapacity, SelfHosted, Settings};
pub use window::Window;
