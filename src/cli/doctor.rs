//! `tollkeeper doctor`: what logs hold, what of it is not understood, and what can't be known from
//! them, in one pass with the decoding and rating of `scan`.
//!
//! `exam` collects, `diagnosis` says what it means, `print` and `json` show it. It must never show the
//! text of a line: what is not understood comes as shapes out of the decoder.

mod diagnosis;
mod exam;
mod ids;
mod json;
mod print;
mod shapes;
mod times;

use std::io::Write as _;

use indicatif::ProgressBar;

use self::diagnosis::Diagnosis;
use self::exam::Exam;
use self::ids::Ids;
use super::args::{DoctorArgs, TextFormat};
use super::failure::Failure;
use super::input::{Inputs, in_threads, progress_bar};
use super::run::load_config;
use super::scan::rules;
use crate::config::SETTINGS_DEFAULT;
use crate::ledger::meter::Meter;

pub(super) fn doctor(args: &DoctorArgs) -> Result<(), Failure> {
    let config = args.config.as_deref().map(load_config).transpose()?;
    let rules = rules(config.as_ref(), Vec::new(), false)?;
    let (sources, inputs): (Vec<String>, Inputs) = match (&config, args.files.as_slice()) {
        (Some(config), []) => {
            let names = config.sources.iter().map(|source| source.name.clone());
            (names.collect(), Inputs::of_sources(&config.sources)?)
        }
        (None, []) => {
            let text = "there is nothing to look at; name files, or `--config FILE` for the files \
                        of its sources";
            return Err(text.into());
        }
        (_, files) => (files.to_vec(), Inputs::open(files)?),
    };
    let bar = progress_bar(inputs.bytes());
    let ids = Ids::new(sources.len());
    let parts = in_threads(args.threads, || {
        examine(Meter::new(rules.clone()), &inputs, &ids, sources.len(), &bar)
    })?;
    bar.finish_and_clear();
    let window =
        config.as_ref().map_or(SETTINGS_DEFAULT.window_ms, |config| config.ledger.window_ms);
    let diagnosis = Diagnosis::of(&sources, &inputs, merged(parts), &ids, window);
    let page = match args.format {
        TextFormat::Text => print::text(&diagnosis),
        TextFormat::Json => json::json(&diagnosis)?,
    };
    std::io::stdout().lock().write_all(page.as_bytes())?;
    inputs.finish()
}

/// Looks at pieces of the inputs until none is left; returns what each of the sources holds.
fn examine(
    mut meter: Meter,
    inputs: &Inputs,
    ids: &Ids,
    sources: usize,
    bar: &ProgressBar,
) -> Vec<Exam> {
    let mut exams: Vec<Exam> = (0..sources).map(|_| Exam::default()).collect();
    while let Some(mut piece) = inputs.next() {
        let owner = inputs.owner_of(piece.input);
        while let Some(chunk) = piece.next_chunk() {
            if let Some(exam) = exams.get_mut(owner) {
                exam.read(&mut meter, (owner, piece.input), &chunk, ids);
            }
            bar.inc(chunk.lines.len() as u64);
            piece.give_back(chunk);
        }
    }
    exams
}

fn merged(parts: Vec<Vec<Exam>>) -> Vec<Exam> {
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap_or_default();
    for part in parts {
        for (exam, other) in all.iter_mut().zip(part) {
            exam.merge(other);
        }
    }
    all.iter_mut().for_each(Exam::settle);
    all
}
