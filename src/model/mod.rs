//! The words of the project: tokens, money, time, names, model references, spans.
//!
//! Everything here is plain data with its arithmetic. It must never do I/O, read a clock, log, or
//! know any log format; those words stand for the same thing in every other module:
//! *record* (one decoded log line: a call, or a *signal* of something else), *span* (the bytes of a log that a batch covers), *position*
//! (how far a log is committed), *generation* (one life of a log file between truncations),
//! *series* (one combination of labels), *reject* (why a line could not be counted).

pub mod alert;
pub mod digits;
pub mod error_class;
pub mod hash;
pub mod log_format;
pub mod model_ref;
pub mod money;
pub mod names;
pub mod principal;
pub mod series;
pub mod signal;
pub mod span;
pub mod time;
pub mod tokens;
