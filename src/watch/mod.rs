//! What is worth an alert: spend far above the usual, ratios that are too high, logs that stopped;
//! who explains it; and how an alert goes from pending over firing to resolved.
//!
//! Pure functions over sums and a given time; it may use the core above it. It must never do I/O or
//! read a clock, and never decide who is told: it finds, explains and keeps state.

pub mod budget;
pub mod condition;
pub mod evidence;
pub mod explain;
pub mod facts;
pub mod gate;
pub mod lookout;
pub mod machine;
mod month;
mod overlap;
pub mod provisioned;
pub mod question;
pub mod recent;
pub mod rules;
pub mod spike;
pub mod subjects;
pub mod text;
pub mod throttle;
pub mod usual;

#[cfg(test)]
mod items_tests;

use crate::model::alert::{AlertKey, Brief, Severity};

/// Something that holds at the time of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub key: AlertKey,
    /// How urgent it is.
    pub severity: Severity,
    /// Whether it is over its threshold, or only so near that an alert that fires goes on.
    pub level: Level,
    /// What is told, without who explains it.
    pub brief: Brief,
}

/// How far a finding goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not over the threshold any more, but not clearly below either: it starts nothing and ends nothing.
    Near,
    /// Over the threshold.
    Over,
}
