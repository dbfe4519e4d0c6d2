//! `tollkeeper scan`: one pass over logs without a ledger, with the same decoding and rating as
//! `run`.

mod group;
mod input;
mod print;

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use self::group::{By, Groups, Tally};
use self::input::Inputs;
use super::args::{Format, ScanArgs};
use super::failure::Failure;
use super::run::load_config;
use crate::ledger::meter::{Meter, Rules};
use crate::price::Book;

pub(super) fn scan(args: &ScanArgs) -> Result<(), Failure> {
    let by = args.by.iter().map(|key| By::parse(key)).collect::<Result<Vec<By>, Failure>>()?;
    let rules = rules(args, &by)?;
    let inputs = Inputs::open(&args.files)?;
    let bar = progress_bar(inputs.bytes());
    let threads = match args.threads {
        Some(threads) => threads.get(),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let tally = Tally::new(args.dedup);
    let parts: Vec<Groups> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| count(Meter::new(rules.clone()), &inputs, &tally, &by, &bar)))
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    if parts.len() < threads {
        return Err("a thread of the scan ended early; the numbers would be too small".into());
    }
    bar.finish_and_clear();
    let groups = Groups::merged(parts);
    let page = match args.format {
        Format::Table => print::table(&by, &groups, &tally),
        Format::Json => print::json(&by, &groups, &tally)?,
        Format::Csv => print::csv(&by, &groups, &tally),
    };
    std::io::Write::write_all(&mut std::io::stdout().lock(), page.as_bytes())?;
    inputs.finish()
}

/// Counts chunks until none is left.
fn count(mut meter: Meter, inputs: &Inputs, tally: &Tally, by: &[By], bar: &ProgressBar) -> Groups {
    let mut groups = Groups::new(by);
    while let Some(mut piece) = inputs.next() {
        while let Some(chunk) = piece.next_chunk() {
            tally.oversized(chunk.oversized);
            groups.add(&meter.rate(&chunk.lines), tally);
            bar.inc(chunk.lines.len() as u64);
        }
    }
    groups
}

fn rules(args: &ScanArgs, by: &[By]) -> Result<Rules, Failure> {
    let config = args.config.as_deref().map(load_config).transpose()?;
    let (models, files) = match config {
        Some(config) => (config.models, config.price_files),
        None => Default::default(),
    };
    let attributes: Vec<String> = by.iter().filter_map(By::attribute).collect();
    Ok(Rules {
        book: Arc::new(load_book(&files)?),
        models: Arc::new(models),
        attributes: attributes.into(),
        seed: 0,
        plain: args.plain,
    })
}

/// Returns the shipped price book with the user's files over it.
pub(super) fn load_book<P: AsRef<Path>>(files: &[P]) -> Result<Book, Failure> {
    Ok(crate::daemon::load_book(files)?)
}

fn progress_bar(bytes: Option<u64>) -> ProgressBar {
    let (Some(bytes), true) = (bytes, std::io::stderr().is_terminal()) else {
        return ProgressBar::hidden();
    };
    let style = ProgressStyle::with_template(
        "{bar:40} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
    );
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
