//! `tollkeeper simulate`: logs of calls that were never made, for demos, tests and benches.
//!
//! `world` draws what happens, `lines` says how that looks in each log, `stream` puts lines in order:
//! plain functions of a seed and times. `out` writes files, `follow` waits for what is due, and `truth`
//! tells what was written. None of it uses the decoder or the price book, so what `scan` and
//! `run` make of these logs can be held against the truth.

mod follow;
mod lines;
mod out;
mod plan;
mod stream;
mod truth;
mod world;

use std::io::Write as _;

use self::follow::Clock;
use self::out::Out;
use self::plan::{Pace, Plan};
use self::stream::Stream;
use self::truth::Truth;
use super::args::SimulateArgs;
use super::failure::Failure;
use super::table::grouped;
use crate::model::time::UnixMillis;

pub(super) fn simulate(args: &SimulateArgs, clock: Clock) -> Result<(), Failure> {
    let (plan, world) = Plan::of(args, clock())?;
    let mut truth = Truth::new(&plan, &world);
    let mut out = Out::open(&plan)?;
    let mut stream = Stream::new(world, &plan.logs, plan.from, plan.to);
    // Whoever watches wants to know the culprit before it is over.
    truth.save(&plan, &stream, false)?;
    match plan.pace {
        Pace::AtOnce => write_all(&mut stream, &mut out, &mut truth)?,
        Pace::Follow { .. } => {
            say(&following_text(&plan, &truth));
            follow::follow(&plan, &mut stream, &mut out, &mut truth, clock)?;
        }
    }
    out.flush()?;
    truth.save(&plan, &stream, true)?;
    say(&format!(
        "{} calls in {} lines ({} bytes) written to {}",
        grouped(truth.calls()),
        grouped(truth.lines()),
        grouped(truth.bytes()),
        plan.place_text(),
    ));
    Ok(())
}

fn write_all(stream: &mut Stream, out: &mut Out, truth: &mut Truth) -> Result<(), Failure> {
    while stream.advance() {
        for (line, text) in stream.lines() {
            out.write(line.log, text)?;
            truth.count(line, text.len());
        }
    }
    Ok(())
}

fn following_text(plan: &Plan, truth: &Truth) -> String {
    let culprit = truth.culprit_text().map_or_else(String::new, |text| format!("; {text}"));
    format!("writing to {} until SIGTERM or ctrl-C{culprit}", plan.place_text())
}

/// Tells a person; if stderr is gone, there is nobody to tell.
fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Returns an instant for a person and for JSON.
fn instant_text(at: UnixMillis) -> String {
    match at.to_chrono() {
        Some(at) => at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        None => at.second_text(),
    }
}
