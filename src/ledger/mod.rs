//! The arithmetic of the ledger: records to deltas, deltas to totals and rollups, deduplication.
//!
//! Pure functions over plain data; it may use `model`, `decode` and `price`. It must never do I/O,
//! read a clock, or hold an amount that no delta brought.

pub mod alerts;
pub mod amounts;
pub mod batch;
pub mod booking;
mod catalog;
pub mod cells;
mod combination;
pub mod counts;
pub mod delta;
pub mod histogram;
mod id_filter;
mod id_table;
pub mod inflight;
pub mod meter;
pub mod new_ids;
pub mod position;
mod recalled;
mod record_ids;
pub mod rollup;
pub mod seen;
pub mod signals;
pub mod state;
mod tellers;
