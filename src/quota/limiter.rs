//! A limiter as the Bedrock user guide describes it ("Token burndown"), for tests: it holds a call's reservation
//! while the call is open and what it settled to for a minute afterwards, and counts calls and the tokens of the
//! day. It shares names with what it tests, and no arithmetic.

use std::collections::VecDeque;

use super::explain::Reason;

/// Limits of one pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) tokens_per_minute: u64,
    pub(super) requests_per_minute: u64,
    pub(super) tokens_per_day: u64,
    pub(super) burndown: u64,
    /// How the minute is counted.
    pub(super) minute: Minute,
}

/// What a minute is, which AWS does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Minute {
    /// The last sixty seconds.
    Sliding,
    /// Since the clock's full minute.
    Fixed,
}

/// A call that wants to begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) at_ms: i64,
    pub(super) duration_ms: i64,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) max_tokens: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Limiter {
    rules: Rules,
    open: Vec<Ask>,
    /// When calls ended and what they settled to.
    ended: VecDeque<(i64, u64)>,
    begun: VecDeque<i64>,
    day: u64,
}

impl Limiter {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, open: Vec::new(), ended: VecDeque::new(), begun: VecDeque::new(), day: 0 }
    }

    fn settled(&self, ask: &Ask) -> u64 {
        ask.input + ask.output * self.rules.burndown
    }

    fn advance(&mut self, now: i64) {
        let mut ended: Vec<Ask> = Vec::new();
        self.open.retain(|ask| {
            let is_open = ask.at_ms + ask.duration_ms > now;
            if !is_open {
                ended.push(*ask);
            }
            is_open
        });
        ended.sort_by_key(|ask| ask.at_ms + ask.duration_ms);
        for ask in ended {
            let settled = self.settled(&ask);
            self.ended.push_back((ask.at_ms + ask.duration_ms, settled));
            self.day += settled;
        }
        let from = match self.rules.minute {
            Minute::Sliding => now - 60_000,
            Minute::Fixed => now.div_euclid(60_000) * 60_000 - 1,
        };
        while self.ended.front().is_some_and(|(at, _)| *at <= from) {
            self.ended.pop_front();
        }
        while self.begun.front().is_some_and(|at| *at <= from) {
            self.begun.pop_front();
        }
    }

    /// Lets a call begin, or returns everything that stands against it.
    pub(super) fn ask(&mut self, ask: Ask) -> Result<(), Vec<Reason>> {
        self.advance(ask.at_ms);
        let rules = self.rules;
        let held: u64 = self.open.iter().map(|open| open.input + open.max_tokens).sum();
        let need = ask.input + ask.max_tokens;
        let settled: u64 = self.ended.iter().map(|(_, settled)| settled).sum();
        let will_settle: u64 = self.open.iter().map(|open| self.settled(open)).sum();
        let used = settled + will_settle + self.settled(&ask);
        let mut against = Vec::new();
        if self.begun.len() as u64 >= rules.requests_per_minute {
            against.push(Reason::Requests);
        }
        if self.day + held + need > rules.tokens_per_day {
            against.push(Reason::Daily);
        }
        if settled + held + need > rules.tokens_per_minute {
            // Either what calls use in the end was too much already, or only what is held for them.
            let is_used_up = used > rules.tokens_per_minute;
            against.push(if is_used_up { Reason::Settled } else { Reason::Reservation });
        }
        if !against.is_empty() {
            return Err(against);
        }
        self.open.push(ask);
        self.begun.push_back(ask.at_ms);
        Ok(())
    }
}
