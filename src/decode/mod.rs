//! Bytes of a line in, [`Invocation`] or [`Reject`] out.
//!
//! What lives here: one file per log shape and the JSON walkers under them. It may use `model` only.
//! It must never keep, copy or report body text: bodies are skipped, and only the named paths are
//! picked out of them, found by their place in the JSON and not by their spelling.

mod invocation;

pub use crate::model::names::Reject;
pub use invocation::Invocation;
