//! Quotas: what one limit is shared by, where limits come from, and what a call takes of them.
//!
//! Pure functions over plain data; it may use `model`, `price` and `ledger`. It must never open a file (callers
//! hand it the text), read a clock, or apply a limit to another model, route or account than its own: what is
//! not known is said, and never taken for "no limit". `data/` holds the shipped facts with their sources.

pub mod advice;
mod exact;
pub mod explain;
pub mod export;
pub mod flow;
pub mod kind;
pub mod lane;
#[cfg(test)]
mod limiter;
pub mod limits;
mod model_text;
pub mod names;
pub mod pool;
pub mod settings;
pub mod settle;
pub mod shipped;
pub mod status;
pub mod told;
pub mod tracker;

#[cfg(test)]
mod tests;
