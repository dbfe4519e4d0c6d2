//! `tollkeeper alert`: does a route reach its receiver, and what would have rung?

mod replay;
mod test;

use super::args::AlertCommand;
use super::failure::Failure;

pub(super) fn alert(command: &AlertCommand) -> Result<(), Failure> {
    match command {
        AlertCommand::Test(args) => test::test(args),
        AlertCommand::Replay(args) => replay::replay(args),
    }
}
