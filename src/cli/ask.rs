//! Answers about usage, from wherever they are to be had: a ledger that no other process has open, or the daemon
//! that has it.

mod remote;

use std::path::{Path, PathBuf};

use super::args::AskArgs;
use super::failure::Failure;
use super::run::load_config;
use crate::config::{LEDGER_DIR_DEFAULT, LISTEN_DEFAULT, SETTINGS_DEFAULT};
use crate::daemon::{OpenError, clock};
use crate::query::{Answer, Parameters, Question, Refusal};
use crate::store::ledger_store::Identity;
use crate::store::sled::SledEngine;
use crate::store::{LedgerStore, StoreError, UsageError};

use self::remote::Remote;

/// The config that is taken if none is named.
const CONFIG_DEFAULT: &str = "tollkeeper.toml";

/// Who answers.
pub(super) enum Source {
    /// The ledger itself, open here.
    Ledger(Box<LedgerStore>),
    /// The daemon that has it open.
    Daemon(Remote),
}

/// Most steps of all groups in an answer of a ledger that is open here: some 400 MB.
const CELLS_MAX: usize = 1_000_000;

impl Source {
    /// Finds who can answer.
    pub(super) fn find(args: &AskArgs) -> Result<Self, Failure> {
        if let Some(url) = &args.url {
            return Ok(Self::Daemon(Remote::new(url, args)?));
        }
        let named = args.config.as_deref();
        // Who names a ledger does not mean the config that happens to be here.
        let around = || {
            let here = Path::new(CONFIG_DEFAULT);
            (args.ledger.is_none() && here.is_file()).then_some(here)
        };
        let config = named.or_else(around).map(load_config).transpose()?;
        let of_config = || config.as_ref().map(|config| config.ledger_dir.clone());
        let dir = args.ledger.clone().or_else(of_config);
        let dir = dir.unwrap_or_else(|| PathBuf::from(LEDGER_DIR_DEFAULT));
        match open(&dir) {
            Ok(store) => Ok(Self::Ledger(Box::new(store))),
            Err(StoreError::Locked { .. }) => {
                let listen = config.map_or_else(
                    || LISTEN_DEFAULT.to_owned(),
                    |config| remote::reachable(config.listen).to_string(),
                );
                Ok(Self::Daemon(Remote::new(&format!("http://{listen}"), args)?.instead_of(&dir)))
            }
            Err(source) => Err(OpenError::Store { dir, source }.into()),
        }
    }

    /// Asks one question.
    pub(super) fn ask(&self, parameters: &Parameters) -> Result<Answer, AskError> {
        match self {
            Self::Daemon(remote) => remote.ask(parameters),
            Self::Ledger(store) => {
                let question = Question::parse(parameters, clock::now())?;
                store.history().usage(&question, CELLS_MAX).map_err(|error| match error {
                    UsageError::Refused(refusal) => refusal.into(),
                    UsageError::Store(error) => AskError::Failed(error.into()),
                })
            }
        }
    }
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

/// Opens a ledger as it is: nothing is made anew or moved aside.
fn open(dir: &Path) -> Result<LedgerStore, StoreError> {
    if !dir.join("db").exists() {
        return Err(StoreError::Missing { dir: dir.to_owned() });
    }
    let engine = SledEngine::open(dir)?;
    let fresh = Identity { seed: 0, created: clock::now() };
    Ok(LedgerStore::open(Box::new(engine), SETTINGS_DEFAULT, fresh)?.0)
}
