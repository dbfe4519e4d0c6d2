//! Behaviour of the real binary, seen from outside: arguments, files, signals, HTTP.
//!
//! One test binary, one file for each subject. Programs that may be missing are looked for, and
//! their absence is said on a line that begins with `skipped:`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::float_arithmetic,
    clippy::print_stdout,
    dead_code,
    reason = "a test may stop, compares floats of /metrics, and uses a part of the support"
)]

#[path = "../support/mod.rs"]
mod support;

mod alert_delivery;
mod alert_failures;
mod alert_test;
mod alertmanager;
mod alerts;
mod api;
mod bad_input;
mod canary;
mod charges;
mod cli;
mod dashboards;
mod doctor;
mod doors;
mod doors_limits;
mod doors_secrets;
mod doors_tls;
mod export;
mod find;
mod formats;
mod frames;
mod golden;
mod incident;
mod ledger;
mod manual;
mod metrics;
mod openapi;
mod page;
mod plan;
mod quota_limits;
mod quotas;
mod report;
mod rotation;
mod rules;
mod shipped;
mod signals;
mod simulate;
mod top;
mod wrappings;
