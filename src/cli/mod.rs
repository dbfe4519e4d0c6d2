//! The command line: what was typed, made into calls of the other modules, and their results made
//! readable.
//!
//! [`args`] parses; one file per command. It may use everything above it, and it alone knows
//! terminals and exit codes. Data goes to stdout, words go to stderr.

mod alert;
mod allocator;
pub mod args;
mod ask;
mod check;
mod doctor;
mod export;
mod failure;
mod find;
mod input;
mod manual;
mod plan;
mod quota;
mod report;
mod rules;
mod run;
mod scan;
mod simulate;
mod table;
mod top;

pub use failure::Failure;

use crate::daemon::clock;
use args::{Args, CheckCommand, Command};

/// Runs the command that was typed.
///
/// # Errors
/// Everything that keeps the command from doing what was asked, for a person to read.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Run(args) => run::run(args),
        Command::Scan(args) => scan::scan(&args),
        Command::Find(args) => find::find(&args, clock::now()),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Report(args) => report::report(&args),
        Command::Top(args) => top::top(&args),
        Command::Export(args) => export::export(&args.command),
        Command::Check(args) => match args.command {
            CheckCommand::Config { file } => check::config(&file),
            CheckCommand::Ledger(args) => check::ledger(&args),
        },
        Command::Alert(args) => alert::alert(&args.command),
        Command::Plan(args) => plan::plan(&args, clock::now()),
        Command::Quota(args) => quota::quota(&args, clock::now()),
        Command::Rules(args) => rules::rules(&args),
        Command::Reference => manual::reference(),
        Command::Completions(args) => manual::completions(args.shell),
        Command::Man(args) => manual::man(args.out.as_deref()),
        Command::Simulate(args) => simulate::simulate(&args, clock::now),
    }
}
