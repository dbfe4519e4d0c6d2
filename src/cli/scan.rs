//! `tollkeeper scan`: one pass over logs without a ledger, with the same decoding and rating as
//! `run`.

mod group;
mod print;

use std::sync::Arc;

use indicatif::ProgressBar;

pub(super) use self::group::Tally;
use self::group::{By, Groups};
use super::args::{Format, ScanArgs};
use super::failure::Failure;
use super::input::{Inputs, in_threads, progress_bar};
use super::run::load_config;
use crate::config::Config;
use crate::daemon;
use crate::ledger::batch::Rated;
use crate::ledger::meter::{Meter, Rules};

pub(super) fn scan(args: &ScanArgs) -> Result<(), Failure> {
    let by = args.by.iter().map(|key| By::parse(key)).collect::<Result<Vec<By>, Failure>>()?;
    let config = args.config.as_deref().map(load_config).transpose()?;
    let attributes = by.iter().filter_map(By::attribute).collect();
    let rules = Rules { ids: args.dedup, ..rules(config.as_ref(), attributes, args.plain)? };
    let inputs = Inputs::open(&args.files)?;
    let bar = progress_bar(inputs.bytes());
    let tally = Tally::new(args.dedup);
    let parts =
        in_threads(args.threads, || count(Meter::new(rules.clone()), &inputs, &tally, &by, &bar))?;
    bar.finish_and_clear();
    let groups = Groups::merged(parts);
    let page = match args.format {
        Format::Table => print::table(&by, &groups, &tally) + &inputs.noise_text(),
        Format::Json => print::json(&by, &groups, &tally)?,
        Format::Csv => print::csv(&by, &groups, &tally),
    };
    std::io::Write::write_all(&mut std::io::stdout().lock(), page.as_bytes())?;
    inputs.finish()
}

/// Counts chunks until none is left.
fn count(mut meter: Meter, inputs: &Inputs, tally: &Tally, by: &[By], bar: &ProgressBar) -> Groups {
    let mut groups = Groups::new(by);
    let mut rated = Rated::default();
    while let Some(mut piece) = inputs.next() {
        while let Some(chunk) = piece.next_chunk() {
            tally.oversized(chunk.oversized);
            rated.clear();
            meter.rate_into(&chunk.lines, &chunk.frames, &mut rated);
            groups.add(&rated, tally);
            bar.inc(chunk.lines.len() as u64);
            piece.give_back(chunk);
        }
    }
    groups
}

/// Returns the rules of a pass without a ledger, with `[models]`, `[[provisioned]]`,
/// `[prices]` and `[[format]]` of a config.
pub(super) fn rules(
    config: Option<&Config>,
    attributes: Vec<String>,
    plain: bool,
) -> Result<Rules, Failure> {
    let files = config.map_or(&[][..], |config| &config.price_files);
    Ok(Rules {
        book: Arc::new(daemon::load_book(files)?),
        models: Arc::new(config.map(|config| config.models.clone()).unwrap_or_default()),
        provisioned: Arc::new(config.map(Config::paid_by_hour).unwrap_or_default()),
        attributes: attributes.into(),
        formats: config.map_or(&[][..], |config| &config.formats).into(),
        seed: 0,
        ids: true,
        plain,
    })
}
