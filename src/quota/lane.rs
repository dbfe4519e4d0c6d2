//! The calls of one principal in one pool, as far as explanations need them.

use super::flow::{Flow, Toll};
use crate::ledger::counts::Counts;
use crate::ledger::inflight::{Inflight, Load, Settled, size_class_max};
use crate::model::time::UnixMillis;

/// The part of outputs, in percent, that a suggested limit is to have room for.
const QUANTILE_PERCENT: u64 = 99;

/// Calls of one principal in one pool, by the minute in which they are booked.
#[derive(Clone, Debug)]
pub struct Lane<'f> {
    /// Who calls.
    pub principal: &'f str,
    /// The minutes with their calls; one minute may come more than once.
    pub minutes: Vec<(UnixMillis, &'f Inflight)>,
}

/// Sums over a lane.
#[derive(Clone, Debug, Default)]
pub struct LaneSums {
    /// What its calls held when they began.
    pub load: Load,
    /// What they took when they had ended.
    pub settled: Settled,
    /// Calls of which the log does not tell how much they may write.
    pub unlimited: u64,
    /// Its throttled calls.
    pub throttled: u64,
    outputs: Counts<u8>,
}

impl Lane<'_> {
    /// Returns its calls by the second.
    pub fn flow(&self, toll: Toll) -> Flow {
        let mut flow = Flow::default();
        for (minute, inflight) in &self.minutes {
            flow.add(*minute, inflight, toll);
        }
        flow
    }

    /// Returns its calls by the second, had none of them been let write more than `max_tokens`.
    pub fn flow_with(&self, max_tokens: u64, toll: Toll) -> Flow {
        let mut flow = Flow::default();
        for (minute, inflight) in &self.minutes {
            let mut inflight = Inflight::clone(inflight);
            let loads = inflight.opened.iter_mut().map(|(_, load)| load);
            let loads = loads.chain(inflight.closed.iter_mut().map(|(_, load, _)| load));
            for load in loads {
                let unset = u64::from(load.unset) * u64::from(toll.max_output.unwrap_or(0));
                let most = u64::from(load.calls) * max_tokens;
                load.max_tokens = load.max_tokens.saturating_add(unset).min(most);
                load.unset = 0;
            }
            flow.add(*minute, &inflight, toll);
        }
        flow
    }

    /// Returns the sums over its calls.
    pub fn sums(&self) -> LaneSums {
        let mut sums = LaneSums::default();
        for (_, inflight) in &self.minutes {
            inflight.opened.iter().for_each(|(_, load)| sums.load.add(load));
            inflight.closed.iter().for_each(|(.., settled)| sums.settled.add(settled));
            sums.unlimited += u64::from(inflight.unlimited);
            let throttled = inflight.throttled.iter().map(|&(_, calls)| u64::from(calls));
            sums.throttled += throttled.sum::<u64>();
            sums.outputs.merge(&inflight.outputs);
        }
        sums
    }
}

impl LaneSums {
    /// Returns what one of its calls holds, on average; none without calls.
    pub fn mean_held(&self, toll: Toll) -> Option<u64> {
        toll.held(&self.load).checked_div(self.load.calls.into())
    }

    /// Returns what one of its calls takes in the end, on average; none without calls.
    pub fn mean_taken(&self, toll: Toll) -> Option<u64> {
        toll.taken(&self.settled).checked_div(self.load.calls.into())
    }

    /// Returns how much one of its calls may write, on average of those of which it is known.
    pub fn mean_limit(&self, toll: Toll) -> Option<u64> {
        let unset = u64::from(self.load.unset) * u64::from(toll.max_output?);
        let known = u64::from(self.load.calls).saturating_sub(self.unlimited);
        self.load.max_tokens.saturating_add(unset).checked_div(known)
    }

    /// Returns the most that 99 of 100 of its calls write, rounded up by an eighth at most; none if the log
    /// tells of none how much it may write.
    pub fn output_quantile(&self) -> Option<u64> {
        let total = self.outputs.total();
        if total == 0 {
            return None;
        }
        let wanted = (total * QUANTILE_PERCENT).div_ceil(100);
        let mut seen = 0;
        let class = self.outputs.iter().find(|&(_, calls)| {
            seen += calls;
            seen >= wanted
        });
        class.map(|(class, _)| size_class_max(class))
    }
}
