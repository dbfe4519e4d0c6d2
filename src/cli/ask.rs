//! Answers about usage, from wherever they are to be had: a ledger that no other process has open, or the daemon
//! that has it.

mod remote;

use std::path::{Path, PathBuf};

use super::args::AskArgs;
use super::check::open_as_it_is;
use super::failure::Failure;
use super::run::load_config;
use crate::config::{Config, LEDGER_DIR_DEFAULT, LISTEN_DEFAULT};
use crate::daemon::{OpenError, clock};
use crate::ledger::state::Ledger;
use crate::query::{Answer, Parameters, Question, Refusal};
use crate::store::{LedgerStore, StoreError, UsageError};

pub(super) use self::remote::Remote;

/// The config that is taken if none is named.
const CONFIG_DEFAULT: &str = "tollkeeper.toml";

/// Who answers.
pub(super) enum Source {
    /// The ledger itself, open here.
    Ledger(Box<(LedgerStore, Ledger)>),
    /// The daemon that has it open.
    Daemon(Remote),
}

/// Most steps of all groups in an answer of a ledger that is open here: some 400 MB.
const CELLS_MAX: usize = 1_000_000;

impl Source {
    /// Finds who can answer.
    pub(super) fn find(args: &AskArgs) -> Result<Self, Failure> {
        if let Some(url) = &args.daemon.url {
            return Ok(Self::Daemon(Remote::new(url, &args.daemon)?));
        }
        // Who names a ledger does not mean the config that happens to be here.
        let config = match (&args.daemon.config, &args.ledger) {
            (None, Some(_)) => None,
            (named, _) => config_or_here(named.as_deref())?,
        };
        let of_config = || config.as_ref().map(|config| config.ledger_dir.clone());
        let dir = args.ledger.clone().or_else(of_config);
        let dir = dir.unwrap_or_else(|| PathBuf::from(LEDGER_DIR_DEFAULT));
        match open_as_it_is(&dir) {
            Ok(books) => Ok(Self::Ledger(Box::new(books))),
            Err(StoreError::Locked { .. }) => {
                let listen = listen_of(config.as_ref());
                Ok(Self::Daemon(
                    Remote::new(&format!("http://{listen}"), &args.daemon)?.instead_of(&dir),
                ))
            }
            Err(source) => Err(OpenError::Store { dir, source }.into()),
        }
    }

    /// Asks one question.
    pub(super) fn ask(&self, parameters: &Parameters) -> Result<Answer, AskError> {
        match self {
            Self::Daemon(remote) => remote.ask(parameters),
            Self::Ledger(books) => {
                let question = Question::parse(parameters, clock::now())?;
                books.0.history().usage(&question, CELLS_MAX).map_err(|error| match error {
                    UsageError::Refused(refusal) => refusal.into(),
                    UsageError::Store(error) => AskError::Failed(error.into()),
                })
            }
        }
    }
}

/// Reads the config that is named, or the one that is here.
pub(super) fn config_or_here(named: Option<&Path>) -> Result<Option<Config>, Failure> {
    let here = Path::new(CONFIG_DEFAULT);
    let chosen = named.or_else(|| here.is_file().then_some(here));
    Ok(chosen.map(load_config).transpose()?)
}

/// Returns the address at which the daemon of a config is reached.
fn listen_of(config: Option<&Config>) -> String {
    config.map_or_else(
        || LISTEN_DEFAULT.to_owned(),
        |config| remote::reachable(config.listen).to_string(),
    )
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum AskError {
    /// The question is refused.
    Refused(Refusal),
    /// Something else.
    Failed(Failure),
}

impl From<Refusal> for AskError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(refusal) => refusal.into(),
            AskError::Failed(failure) => failure,
        }
    }
}
