//! `tollkeeper find`: the records that fit, with file and offset, from one pass over logs.
//!
//! Decoding, rating and threads are those of `scan`. It must never print a line of a log to anything
//! but a terminal.

mod criteria;
mod matches;
mod print;

use std::io::{IsTerminal as _, Write as _};

use indicatif::ProgressBar;

pub(super) use self::criteria::parse_time;
use self::criteria::{Criteria, Memo, Verdict};
use self::matches::Matches;
use super::args::{FindArgs, Format};
use super::failure::Failure;
use super::input::{Inputs, in_threads, progress_bar};
use super::run::load_config;
use super::scan::rules;
use crate::ledger::meter::{Meter, Seen};
use crate::model::time::UnixMillis;

pub(super) fn find(args: &FindArgs, now: UnixMillis) -> Result<(), Failure> {
    if args.show_body && !(args.format == Format::Table && std::io::stdout().is_terminal()) {
        let text = "`--show-body` prints prompts and answers, so it works only on a terminal and \
                    with `--format table`";
        return Err(Failure::with_hint(text, "leave it out, or do not redirect the output"));
    }
    let (criteria, files) = Criteria::of(args, now)?;
    let config = args.config.as_deref().map(load_config).transpose()?;
    let rules = rules(config.as_ref(), Vec::new(), false)?;
    let inputs = match (&config, files) {
        (Some(config), []) => Inputs::of_sources(&config.sources)?,
        (None, []) => {
            let text = "there is nothing to look through; name files, or `--config FILE` for the \
                        files of its sources";
            return Err(text.into());
        }
        (_, files) => Inputs::open(files)?,
    };
    if inputs.names().is_empty() {
        return Err("the sources of the config match no file; correct `include`".into());
    }
    let bar = progress_bar(inputs.bytes());
    let parts = in_threads(args.threads, || {
        let matches = Matches::new(args.limit.get(), args.show_body);
        collect(Meter::new(rules.clone()), &inputs, &criteria, matches, &bar)
    })?;
    bar.finish_and_clear();
    let matches = Matches::merged(args.limit.get(), parts);
    let page = match args.format {
        Format::Table => print::table(&matches, inputs.names()),
        Format::Json => print::json(&matches, inputs.names())?,
        Format::Csv => print::csv(&matches, inputs.names()),
    };
    std::io::stdout().lock().write_all(page.as_bytes())?;
    let hints = if args.format == Format::Table { print::hints(&matches) } else { String::new() };
    let remarks = hints + &print::remarks(&matches) + &inputs.noise_text();
    std::io::stderr().lock().write_all(remarks.as_bytes())?;
    inputs.finish()?;
    if matches.total == 0 {
        return Err(Failure::no("no record matches"));
    }
    Ok(())
}

/// Looks through pieces of the inputs until none is left.
fn collect(
    mut meter: Meter,
    inputs: &Inputs,
    criteria: &Criteria,
    mut matches: Matches,
    bar: &ProgressBar,
) -> Matches {
    while let Some(mut piece) = inputs.next() {
        while let Some(chunk) = piece.next_chunk() {
            matches.oversized(chunk.oversized);
            let mut memo = Memo::default();
            let rated = meter.rate_seen(&chunk.lines, &chunk.frames, |seen| {
                let Seen::Record(sight) = seen else { return };
                match criteria.judge(sight, &mut memo) {
                    Verdict::Fits => matches.add(piece.input, &chunk, sight),
                    Verdict::CostUnknown => matches.cost_unknown += 1,
                    Verdict::Differs => {}
                }
            });
            matches.rejected.merge(&rated.rejected);
            bar.inc(chunk.lines.len() as u64);
            piece.give_back(chunk);
        }
    }
    matches
}
