//! Parses, runs, prints what failed, and exits; nothing else.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use tollkeeper::cli::{self, args::Args};

fn main() -> ExitCode {
    let Err(failure) = cli::run(Args::parse()) else { return ExitCode::SUCCESS };
    let Some(text) = failure.text() else { return ExitCode::SUCCESS };
    // If stderr is gone, there is nobody left to tell.
    drop(std::io::stderr().write_all(text.as_bytes()));
    ExitCode::from(failure.code())
}
