//! The ledger on disk: deltas in, the same ledger out after any crash.
//!
//! [`engine`] is the seam: a few verbs over sorted keys and streams, free of any database's types; [`sled`] is
//! the one that ships, with files of its own for streams. [`ledger_store`] says what is stored; [`keys`] how keys
//! are laid out; [`verify`] checks that the parts belong together. It may use the core. It must never be
//! written to by anyone but the committer, and never acknowledge what is not durable.

mod census;
mod codec;
pub mod engine;
mod error;
mod fold;
mod history;
mod id_streams;
pub mod keys;
pub mod ledger_store;
mod past;
mod pending;
mod skim;
pub mod sled;
mod streams;
mod usage;
pub mod verify;

pub use error::StoreError;
pub use history::History;
pub use ledger_store::LedgerStore;
pub use past::Past;
pub use usage::UsageError;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod memory;
