//! The lines that a call leaves behind, each as the service writes it that writes it.
//!
//! Texts are put together by hand, which is some ten times as fast as building JSON values, and all
//! that goes into them is made here. Nothing is read, and no line ever holds more than what
//! `world` drew.

mod application;
mod bedrock;
mod gateway;
mod lambda;

pub(super) use crate::cli::args::SimulatedLog as Log;

use super::world::{Call, Workload};
use crate::model::names::Outcome;
use crate::model::time::UnixMillis;
use crate::model::tokens::TokenCounts;

impl Log {
    /// Returns the name of the file.
    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Bedrock => "bedrock.jsonl",
            Self::Lambda => "lambda.log",
            Self::Gateway => "gateway.jsonl",
            Self::Application => "application.jsonl",
        }
    }
}

/// What a line adds to the truth.
#[derive(Clone, Copy, Debug)]
pub(super) enum Note {
    Nothing,
    /// A call, of the workload at this place.
    Call {
        workload: usize,
        outcome: Outcome,
        tokens: TokenCounts,
    },
    /// A run of a function that ended.
    Run {
        is_cold: bool,
        timed_out: bool,
    },
    /// A request at the gateway, with the status that it was answered.
    Request {
        status: u64,
    },
}

/// Hands out the lines of a call: to which log each belongs, when it is written, what it counts, and its
/// text. `text` is where they are put together, and is left empty.
pub(super) fn of_call(
    workload: &Workload,
    place: usize,
    call: &Call,
    text: &mut String,
    mut each: impl FnMut(Log, UnixMillis, Note, &str),
) {
    let note = Note::Call { workload: place, outcome: call.outcome, tokens: call.tokens };
    let mut hand_out = |log, at, note, text: &mut String| {
        each(log, at, note, text);
        text.clear();
    };
    if workload.door == super::world::Door::Mantle {
        application::push_call(text, workload, call);
        hand_out(Log::Application, call.at, note, text);
        if application::push_message(text, call) {
            hand_out(Log::Application, call.at, Note::Nothing, text);
        }
        return;
    }
    bedrock::push(text, workload, call);
    hand_out(Log::Bedrock, call.at, note, text);
    let Some(run) = &call.run else { return };
    lambda::each_line(text, workload, run, |at, note, text| hand_out(Log::Lambda, at, note, text));
    if let super::world::Door::Gateway(path) = workload.door {
        let status = gateway::push(text, path, call, run);
        hand_out(Log::Gateway, run.from, Note::Request { status }, text);
    }
}

fn push_number(text: &mut String, number: u64) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// Adds a number with so many digits at least, with zeros in front.
fn push_padded(text: &mut String, number: u64, digits: usize) {
    let mut buffer = itoa::Buffer::new();
    let plain = buffer.format(number);
    for _ in plain.len()..digits {
        text.push('0');
    }
    text.push_str(plain);
}

/// Adds microseconds as milliseconds with two decimals, as Lambda writes them.
fn push_ms(text: &mut String, us: u64) {
    push_number(text, us / 1_000);
    text.push('.');
    push_padded(text, us % 1_000 / 10, 2);
}

/// Adds `2026-11-23T10:00:00.123Z`.
fn push_instant(text: &mut String, at: UnixMillis) {
    text.push_str(at.second_text().trim_end_matches('Z'));
    text.push('.');
    push_padded(text, at.0.rem_euclid(1_000).unsigned_abs(), 3);
    text.push('Z');
}

/// Adds hexadecimal digits of the lowest bits.
fn push_hex(text: &mut String, bits: u128, digits: u32) {
    for place in (0..digits).rev() {
        let digit = u32::try_from((bits >> (4 * place)) & 0xf).unwrap_or(0);
        text.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
}

/// Adds a UUID: `6f6db592-6333-4b52-a8a0-2934173593cc`.
fn push_uuid(text: &mut String, id: u128) {
    let parts = [(96, 8), (80, 4), (64, 4), (48, 4), (0, 12)];
    for (index, (shift, digits)) in parts.into_iter().enumerate() {
        if index > 0 {
            text.push('-');
        }
        push_hex(text, id >> shift, digits);
    }
}

/// The error code with which the API says how a call ended, or nothing for an answer.
fn error_code(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Throttled => Some("ThrottlingException"),
        Outcome::Validation => Some("ValidationException"),
        Outcome::ModelError => Some("ModelErrorException"),
        Outcome::Timeout => Some("ModelTimeoutException"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ids_and_times_have_their_usual_forms() {
        let mut text = String::new();
        push_ms(&mut text, 6_123_449);
        text.push(' ');
        push_uuid(&mut text, 0x6f6d_b592_6333_4b52_a8a0_0934_1735_93cc);
        text.push(' ');
        push_instant(&mut text, UnixMillis(1_795_428_000_007));
        assert_eq!(text, "6123.44 6f6db592-6333-4b52-a8a0-0934173593cc 2026-11-23T10:00:00.007Z");
    }
}
