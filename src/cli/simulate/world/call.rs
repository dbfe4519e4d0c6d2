//! One call: how many tokens, how long, how it ended, and what the function and the gateway in front of
//! it made of that.
#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is drawn is made up, and no amount of money"
)]

use super::cast::{Door, Speech};
use super::incident::Strain;
use super::random::Random;
use super::workload::Workload;
use crate::model::names::Outcome;
use crate::model::time::UnixMillis;
use crate::model::tokens::{TokenClass, TokenCounts};

/// Part of the calls that fail for another reason than throttling, and how.
const FAILURES: [(f64, Outcome); 4] = [
    (0.001, Outcome::Validation),
    (0.0003, Outcome::ModelError),
    (0.0002, Outcome::Timeout),
    (0.0005, Outcome::Filtered),
];
/// Part of the calls that have far more input than usual.
const LONG_PROMPTS: f64 = 0.0015;
/// Most input tokens of a call that is not part of an incident, and of one that is: below the 200,000
/// from which some models cost more, so that a spike has one reason.
const INPUT_MAX: f64 = 100_000.0;
const INPUT_MAX_OF_INCIDENT: f64 = 180_000.0;
/// Context of the embedding model.
const EMBEDDED_MAX: f64 = 8_000.0;
/// When a gateway gives up (API Gateway's default), and the functions behind it with it.
pub(in crate::cli::simulate) const GATEWAY_LIMIT_MS: u64 = 29_000;
/// When a function that reads a queue gives up.
const FUNCTION_LIMIT_MS: u64 = 60_000;

/// One call.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::simulate) struct Call {
    /// When the model was called.
    pub(in crate::cli::simulate) at: UnixMillis,
    pub(in crate::cli::simulate) request_id: u128,
    /// Names the session of the caller.
    pub(in crate::cli::simulate) session: u64,
    pub(in crate::cli::simulate) outcome: Outcome,
    pub(in crate::cli::simulate) tokens: TokenCounts,
    /// Whether the answer was cut at the most tokens allowed.
    pub(in crate::cli::simulate) is_cut: bool,
    pub(in crate::cli::simulate) latency_ms: u64,
    pub(in crate::cli::simulate) first_token_ms: u64,
    /// The run of the function that made the call, if one did.
    pub(in crate::cli::simulate) run: Option<Run>,
}

/// A run of a Lambda function.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::simulate) struct Run {
    pub(in crate::cli::simulate) request_id: u128,
    /// Id of the gateway's request.
    pub(in crate::cli::simulate) gateway_id: u128,
    /// When the request came.
    pub(in crate::cli::simulate) from: UnixMillis,
    /// Without the start of a new instance.
    pub(in crate::cli::simulate) duration_us: u64,
    /// How long a new instance took to start, if one did.
    pub(in crate::cli::simulate) init_us: Option<u64>,
    pub(in crate::cli::simulate) memory_used_mb: u64,
    pub(in crate::cli::simulate) timed_out: bool,
    /// What the gateway took beside the function.
    pub(in crate::cli::simulate) gateway_ms: u64,
}

impl Call {
    /// Draws the call that a request at `at` leads to. The same number of draws is made whatever comes
    /// out, so what an incident changes is what it is said to change.
    pub(super) fn draw(workload: &Workload, at: i64, mut random: Random, strain: Strain) -> Self {
        let request_id = random.uuid();
        let session = random.below(40);
        let outcome = outcome(workload, random.uniform(), strain);
        let (input, output, is_long) = (random.normal(), random.normal(), random.uniform());
        let (is_hit, slow_start, slow_tokens) =
            (random.chance(workload.cache_hits), random.normal(), random.normal());
        let run = Dice::throw(&mut random);

        let output = workload.output.0 * libm::exp(workload.output.1 * output);
        let is_cut = output > workload.max_tokens as f64;
        let output = output.clamp(1.0, workload.max_tokens as f64) as u64;
        let mut tokens = TokenCounts::default();
        tokens.set(TokenClass::Input, input_tokens(workload, input, is_long, strain));
        if workload.speech != Speech::Embedding {
            tokens.set(TokenClass::Output, output);
        }
        let class = if is_hit { TokenClass::CacheRead } else { TokenClass::CacheWrite5m };
        tokens.set(class, workload.cached);
        let first_token_ms =
            220.0 * libm::exp(0.35 * slow_start) + tokens.get(TokenClass::Input) as f64 * 0.02;
        let answer_ms = tokens.get(TokenClass::Output) as f64
            * workload.model.token_ms
            * libm::exp(0.2 * slow_tokens);
        let answered = matches!(outcome, Outcome::Ok | Outcome::Filtered);
        let latency_ms = first_token_ms + if answered { answer_ms } else { 0.0 };
        let mut call = Self {
            at: UnixMillis(at),
            request_id,
            session,
            outcome,
            tokens: if answered { tokens } else { TokenCounts::default() },
            is_cut: is_cut && answered,
            latency_ms: latency_ms as u64,
            first_token_ms: first_token_ms as u64,
            run: None,
        };
        if matches!(workload.door, Door::Gateway(_) | Door::Function) {
            call.add_run(workload, &run, strain);
        }
        call
    }

    fn add_run(&mut self, workload: &Workload, dice: &Dice, strain: Strain) {
        let is_cold = dice.cold < workload.cold + strain.cold;
        let init_us = is_cold.then(|| (650_000.0 * libm::exp(0.3 * dice.init)) as u64);
        let from = self.at;
        self.at = from.plus((init_us.unwrap_or(0) / 1_000 + 4 + dice.overhead % 20).cast_signed());
        // A client tries again a few times before it tells of a throttle.
        let waits_ms = if self.outcome == Outcome::Throttled { 1_500 + dice.waits } else { 0 };
        let is_stuck = dice.stuck < strain.stuck;
        let mut duration_us = (self.latency_ms + waits_ms + 12) * 1_000 + dice.overhead % 30_000;
        let limit_ms = match workload.door {
            Door::Gateway(_) => GATEWAY_LIMIT_MS,
            _ => FUNCTION_LIMIT_MS,
        };
        let timed_out = is_stuck || duration_us >= limit_ms * 1_000;
        if timed_out {
            duration_us = limit_ms * 1_000;
        }
        self.run = Some(Run {
            request_id: dice.run_id,
            gateway_id: dice.gateway_id,
            from,
            duration_us,
            init_us,
            memory_used_mb: 90 + dice.overhead % 70,
            timed_out,
            gateway_ms: 4 + dice.overhead % 17,
        });
    }
}

/// What decides about the run of a function.
struct Dice {
    run_id: u128,
    gateway_id: u128,
    cold: f64,
    init: f64,
    stuck: f64,
    waits: u64,
    overhead: u64,
}

impl Dice {
    fn throw(random: &mut Random) -> Self {
        Self {
            run_id: random.uuid(),
            gateway_id: random.uuid(),
            cold: random.uniform(),
            init: random.normal(),
            stuck: random.uniform(),
            waits: random.below(9_000),
            overhead: random.below(1 << 30),
        }
    }
}

fn outcome(workload: &Workload, roll: f64, strain: Strain) -> Outcome {
    let throttled = workload.throttled + strain.throttled;
    if roll < throttled {
        return Outcome::Throttled;
    }
    let mut edge = throttled;
    for (part, outcome) in FAILURES {
        edge += part;
        if roll < edge {
            // An embedding has no text that could be withheld.
            let is_withheld = outcome == Outcome::Filtered;
            let can_be = workload.speech == Speech::Converse || workload.door == Door::Mantle;
            return if is_withheld && !can_be { Outcome::Ok } else { outcome };
        }
    }
    Outcome::Ok
}

fn input_tokens(workload: &Workload, normal: f64, is_long: f64, strain: Strain) -> u64 {
    let (median, spread) = workload.input;
    let mut tokens = median * libm::exp(spread * normal);
    if is_long < LONG_PROMPTS {
        tokens *= 8.0 + 16.0 * is_long / LONG_PROMPTS;
    }
    let max = match workload.speech {
        Speech::Embedding => EMBEDDED_MAX,
        _ => INPUT_MAX,
    };
    tokens = tokens.clamp(1.0, max);
    if strain.input > 0.0 {
        tokens = (tokens * strain.input).clamp(1.0, INPUT_MAX_OF_INCIDENT);
    }
    tokens as u64
}
