//! The incident: one caller on one model goes wild, and what that does to others.
#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a probability is made up, and no amount of money"
)]

use super::random::Key;
use super::workload::Workload;
use crate::model::time::{MINUTE_MS, UnixMillis};

/// How long throttles take to reach their level: the quota of a minute has to be used up first.
const RAMP_MS: i64 = 3 * MINUTE_MS;
/// How long new instances of a function start, one after the other.
const SCALING_MS: i64 = 5 * MINUTE_MS;
/// What those who share the quota get of the culprit's throttles.
const SHARED: f64 = 0.1;

/// What goes wrong, when, and by how much.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::simulate) struct Incident {
    /// Place of the culprit in the list of workloads.
    pub(in crate::cli::simulate) culprit: usize,
    /// The first instant of it.
    pub(in crate::cli::simulate) from: UnixMillis,
    /// The first instant behind it, if it ends.
    pub(in crate::cli::simulate) to: Option<UnixMillis>,
    /// Calls, as a multiple of the usual ones.
    pub(in crate::cli::simulate) calls: f64,
    /// Input tokens of a call, without cached ones, as a multiple of the usual ones.
    pub(in crate::cli::simulate) input: f64,
    /// Part of the culprit's calls that are throttled on top, about.
    pub(in crate::cli::simulate) throttled: f64,
}

/// What an incident does to one call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Strain {
    /// Probability to be throttled on top.
    pub(super) throttled: f64,
    /// Probability that the function behind a gateway does not answer in time.
    pub(super) stuck: f64,
    /// Probability of a cold start on top.
    pub(super) cold: f64,
    /// Multiple of the input tokens; 0 for the usual ones.
    pub(super) input: f64,
}

impl Incident {
    pub(in crate::cli::simulate) fn is_on(&self, at: UnixMillis) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    /// Returns what it does to a call of `workload`, which stands at `place` in `all`.
    pub(super) fn strain(
        &self,
        seed: u64,
        all: &[Workload],
        place: usize,
        at: UnixMillis,
    ) -> Strain {
        let since = at.0.saturating_sub(self.from.0);
        let (Some(culprit), Some(workload)) = (all.get(self.culprit), all.get(place)) else {
            return Strain::default();
        };
        let shares_quota =
            culprit.place == workload.place && culprit.model.base == workload.model.base;
        if !self.is_on(at) || !shares_quota {
            return Strain::default();
        }
        let ramp = since.min(RAMP_MS) as f64 / RAMP_MS as f64;
        let sway =
            0.75 + 0.5 * Key::new(seed, "throttles").at(at.0.div_euclid(MINUTE_MS)).uniform();
        let throttled = (self.throttled * ramp * sway).min(1.0);
        if place == self.culprit {
            let cold = if since < SCALING_MS { 0.15 } else { 0.0 };
            Strain { throttled, stuck: throttled * 0.8, cold, input: self.input }
        } else {
            let throttled = throttled * SHARED;
            Strain { throttled, stuck: throttled, cold: 0.0, input: 0.0 }
        }
    }
}
