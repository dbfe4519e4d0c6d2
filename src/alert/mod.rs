//! Delivery: what is in the committed outbox reaches the receivers, at least once and in order.
//!
//! `route` makes a configured route ready, `delivery` runs a task for each, `retry` says when to try again,
//! `message` words what a person reads, `receiver` knows the receivers' APIs, `client` speaks HTTP.
//! It may use the core, `config` and `metrics`. It must never write to the
//! ledger: it is given what is committed, and reports what arrived. It must never show a secret.

mod client;
mod delivery;
mod message;
mod receiver;
mod retry;
mod route;

pub use client::{TlsError, connector};
pub use delivery::{Deliverer, Settled, Wiring};
pub use message::Links;
pub use retry::AttemptResult;
pub use route::{Attempt, Route, RouteError, RouteErrors, prepare};
