//! What the tests of the real binary share: a work folder, the daemon's process, its HTTP answers,
//! the Prometheus text, the programs that may be there, and a log generator that owns the truth.
//!
//! It knows the binary from outside only: arguments, files, HTTP. It must never use the crate's own
//! code to compute what it expects.

pub(crate) mod browser;
pub(crate) mod daemon;
pub(crate) mod desk;
pub(crate) mod http;
pub(crate) mod json;
pub(crate) mod log;
pub(crate) mod prometheus;
pub(crate) mod random;
pub(crate) mod receiver;
pub(crate) mod rotation;
pub(crate) mod servers;
pub(crate) mod tls;
pub(crate) mod tools;
pub(crate) mod truth;
pub(crate) mod wait;
pub(crate) mod work_dir;
