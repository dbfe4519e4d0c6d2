//! Budgets: the periods they hold for, what is in their scope, what was spent, how fast, and what the
//! period will come to.
//!
//! Pure functions of the ledger's rollups and a given time; it may use `model` and `ledger`. It must
//! never do I/O, read a clock, remember what it said before, or hold money in a float: floats are
//! ratios and estimates.

pub mod amount;
pub mod burn;
pub mod forecast;
pub mod pace;
pub mod period;
pub mod plan;
mod rows;
pub mod scope;
pub mod status;
pub mod track;
pub mod tracks;
pub mod zone;

#[cfg(test)]
mod tests;
