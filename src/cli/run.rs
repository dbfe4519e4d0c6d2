//! `tollkeeper run`: from what was typed to a running daemon.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use super::allocator;
use super::args::RunArgs;
use super::failure::Failure;
use crate::config::{Config, LISTEN_DEFAULT, Problems};
use crate::daemon::{self, Reload};

/// Why a config file can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    #[error("can't read the config file `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the config is wrong in {} place{}\n{problems}", problems.0.len(), if problems.0.len() == 1 { "" } else { "s" })]
    Wrong { problems: Problems },
}

pub(super) fn run(args: RunArgs) -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_writer(|| daemon::LogLines)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    allocator::start_anew_with_settings();
    let config = config_of(&args)?;
    let reload: Reload = Box::new(move || config_of(&args).map_err(|error| error.to_string()));
    Ok(daemon::run(config, &reload, environment)?)
}

fn config_of(args: &RunArgs) -> Result<Config, ConfigError> {
    let mut config = match args.inputs.as_slice() {
        [file] if is_config(file) => load_config(Path::new(file))?,
        files => match LISTEN_DEFAULT.parse() {
            Ok(listen) => Config::for_files(files.to_vec(), listen),
            Err(_) => return Err(ConfigError::Wrong { problems: Problems(Vec::new()) }),
        },
    };
    if let Some(dir) = &args.ledger {
        config.ledger_dir.clone_from(dir);
    }
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if let Some(file) = &args.web_file {
        config.web.file = Some(file.clone());
    }
    Ok(config)
}

fn is_config(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

/// Reads and checks a config file.
pub(super) fn load_config(path: &Path) -> Result<Config, ConfigError> {
    let text = daemon::read_text(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let wrong = |problems| ConfigError::Wrong { problems };
    Config::parse(&path.display().to_string(), &text, folder).map_err(wrong)
}

/// Reads an environment variable that is text.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
