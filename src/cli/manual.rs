//! `tollkeeper completions`, `man` and `reference`: made from the same descriptions as the help and the checks.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::Args;
use super::failure::Failure;
use crate::config;

/// Why the pages can't be written.
#[derive(Debug, thiserror::Error)]
#[error("can't write the manual pages to `{}`; it must be a folder that you may write to", dir.display())]
struct PagesError {
    dir: PathBuf,
    #[source]
    source: std::io::Error,
}

pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    // Not straight to stdout: the library panics where the reader goes away.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "tollkeeper", &mut script);
    Ok(std::io::stdout().lock().write_all(&script)?)
}

pub(super) fn reference() -> Result<(), Failure> {
    Ok(std::io::stdout().lock().write_all(config::reference().as_bytes())?)
}

pub(super) fn man(out: Option<&Path>) -> Result<(), Failure> {
    let command = Args::command();
    let Some(dir) = out else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        return Ok(std::io::stdout().lock().write_all(&page)?);
    };
    let written = clap_mangen::generate_to(command, dir);
    written.map_err(|source| PagesError { dir: dir.to_owned(), source })?;
    Ok(())
}
