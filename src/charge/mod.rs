//! What is not paid by token: provisioned throughput and fixed costs, by the hour, the gigabyte or the
//! call, and what of it is due at a given time.
//!
//! Pure functions of the config, of what was charged before, and of a given time; it may use `model`,
//! `price`, `ledger` and `budget`. It must never do I/O, read a clock, hold money in a float, or say that
//! something is due twice.

mod believed;
mod item;
mod provisioned;
mod usage;

#[cfg(test)]
mod tests;

pub use believed::Believed;
pub use item::{Due, Item, Rate, Source};
pub use provisioned::{Capacity, HourPrice, NoHourPrice, Throughput};
pub use usage::{Bytes, Calls};
