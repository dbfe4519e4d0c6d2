//! Tollkeeper keeps the toll of every LLM call: tokens, dollars, throttles.
//!
//! The modules stand in the order in which they may name each other: each one uses only those above
//! it (`tests/tidy.rs` checks this). The first ones, up to `watch`, are the core: plain functions over plain data,
//! without I/O, clock, threads or logging. ARCHITECTURE.md tells the long story.
//!
//! # Invariants
//!
//! 1. Position, deduplication ids and amounts reach the disk in one atomic, durable commit
//!    (`ledger::delta`, `store`; checked by `tests/crash`).
//! 2. Only committed state is shown: readers get the snapshot published after a commit
//!    (`daemon::committer`; checked by `tests/crash`).
//! 3. Money is integer picodollars, and a token without a price is unpriced, never $0
//!    (`model::money`, `price`; checked by their properties).
//! 4. A record has no body field: prompts never leave `decode` (checked by `tests/it/canary.rs`).
//!    `find --show-body` prints the line itself, to a terminal only (checked by `tests/it/find.rs`).
//! 5. A batch of lines is accepted only where the stored position ends (`model::span`).
//! 6. Secrets are read from files and the environment, and shown nowhere (`secret::Secret`; checked by
//!    `tests/it/alert_test.rs` and `tests/it/doors_secrets.rs`).
//! 7. Text of a log is text on every page, never markup, and no script comes from elsewhere (`serve::page`; checked
//!    by `tests/it/page/hostile.rs` and `tests/it/page/server.rs`).

pub mod model;
pub mod decode;
pub mod price;
pub mod ledger;
pub mod quota;
pub mod budget;
pub mod charge;
pub mod plan;
pub mod watch;
pub mod query;
pub mod secret;
pub mod config;
pub mod store;
pub mod source;
pub mod metrics;
pub mod serve;
pub mod alert;
pub mod daemon;
pub mod cli;
