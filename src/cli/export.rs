//! `tollkeeper export`: the ledger's history for other programs.

mod focus;
mod openmetrics;
mod pieces;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::args::ExportCommand;
use super::failure::Failure;

pub(super) fn export(command: &ExportCommand) -> Result<(), Failure> {
    match command {
        ExportCommand::Focus(args) => focus::focus(args),
        ExportCommand::OpenMetrics(args) => openmetrics::openmetrics(args),
    }
}

/// Opens what is written to: a file, or stdout.
fn output(path: Option<&Path>) -> Result<Box<dyn Write + Send>, Failure> {
    let Some(path) = path else { return Ok(Box::new(BufWriter::new(io::stdout()))) };
    let file =
        File::create(path).map_err(|error| format!("can't write `{}`: {error}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}
