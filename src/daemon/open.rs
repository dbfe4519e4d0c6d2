//! Opening what the daemon works with: the ledger, the price files and the limits.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::QuotaConfig;
use crate::ledger::state::{Ledger, Settings};
use crate::model::time::UnixMillis;
use crate::price::{Book, BookError};
use crate::quota::export::{Export, ExportError};
use crate::quota::limits::Limits;
use crate::quota::shipped::{Shipped, ShippedError};
use crate::store::ledger_store::Identity;
use crate::store::sled::SledEngine;
use crate::store::{LedgerStore, StoreError};

/// Why a ledger does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// As the store says.
    #[error("can't open the ledger `{}`", dir.display())]
    Store {
        /// The ledger's folder.
        dir: PathBuf,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// It is broken, and was moved aside.
    #[error(
        "the ledger `{}` is broken and was moved to `{}`; nothing was deleted. Start again to build a \
         new ledger from the logs that are still there",
        dir.display(), aside.display()
    )]
    MovedAside {
        /// Where it was.
        dir: PathBuf,
        /// Where it is now.
        aside: PathBuf,
        /// What is broken.
        #[source]
        source: StoreError,
    },
}

/// Why a price file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BookFileError {
    /// The shipped book is wrong, which is our mistake.
    #[error(transparent)]
    Shipped(#[from] BookError),
    /// The file can't be read.
    #[error("can't read the price file `{}`; correct `[prices] files`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is wrong.
    #[error("{text}")]
    Wrong {
        /// Every mistake, a line each.
        text: String,
    },
}

/// Why limits can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// The shipped files are wrong, which is our mistake.
    #[error(transparent)]
    Shipped(#[from] ShippedError),
    /// The file can't be read.
    #[error("can't read the quota file `{}`; correct `[quota] service_quotas`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is no export.
    #[error(transparent)]
    Wrong(#[from] ExportError),
}

/// Opens the ledger in `dir`, or makes a new one. A broken one is moved aside, never deleted.
///
/// # Errors
/// See [`OpenError`].
pub fn open_ledger(
    dir: &Path,
    settings: Settings,
    now: UnixMillis,
) -> Result<(LedgerStore, Ledger), OpenError> {
    // The standard library seeds its hashers from the system's randomness.
    let seed = RandomState::new().build_hasher().finish();
    let opened = SledEngine::open(dir).and_then(|engine| {
        LedgerStore::open(Box::new(engine), settings, Identity { seed, created: now })
    });
    match opened {
        Err(error @ StoreError::Corrupt { .. }) => Err(move_aside(dir, now, error)),
        other => other.map_err(|source| OpenError::Store { dir: dir.to_owned(), source }),
    }
}

fn move_aside(dir: &Path, now: UnixMillis, source: StoreError) -> OpenError {
    let mut name = dir.as_os_str().to_owned();
    name.push(format!(".broken-{}", now.0));
    let aside = PathBuf::from(name);
    match std::fs::rename(dir, &aside) {
        Ok(()) => OpenError::MovedAside { dir: dir.to_owned(), aside, source },
        Err(error) => {
            let (action, path) = ("move aside the broken ledger", dir.to_owned());
            let source = StoreError::Io { action, path, source: error };
            OpenError::Store { dir: dir.to_owned(), source }
        }
    }
}

/// Largest config, price or quota file. The first two are written by people, the third is of a
/// thousand quotas or two; what is larger is another file by
/// mistake, such as a log, and would keep the parser busy for minutes.
const TEXT_BYTES_MAX: u64 = 4 << 20;

/// Reads a config, price or quota file.
///
/// # Errors
/// Those of the system, and one for a file that is too large to be any of them.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(TEXT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > TEXT_BYTES_MAX {
        let why = format!(
            "it is larger than {} MiB, so it is no config, price or quota file",
            TEXT_BYTES_MAX >> 20
        );
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, why));
    }
    Ok(text)
}

/// Returns the shipped price book with the user's files laid over it in order.
///
/// # Errors
/// See [`BookFileError`]; with every mistake of the first file that has any.
pub fn load_book<P: AsRef<Path>>(files: &[P]) -> Result<Book, BookFileError> {
    let mut book = Book::shipped()?;
    for file in files {
        let path = file.as_ref();
        let text = read_text(path)
            .map_err(|source| BookFileError::Read { path: path.to_owned(), source })?;
        book.overlay(&path.display().to_string(), &text).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            BookFileError::Wrong { text: lines.join("\n") }
        })?;
    }
    Ok(book)
}

/// Returns the limits that the config and its files give, and what each file holds, in order.
///
/// # Errors
/// See [`LimitsError`]; of the first file that is wrong.
pub fn load_limits(config: &QuotaConfig) -> Result<(Limits, Vec<Export>), LimitsError> {
    let shipped = Arc::new(Shipped::load()?);
    let mut exports = Vec::new();
    for path in &config.files {
        let text =
            read_text(path).map_err(|source| LimitsError::Read { path: path.clone(), source })?;
        let name = path.display().to_string();
        exports.push(Export::read(&name, &text, &shipped, &config.settings)?);
    }
    Ok((Limits::new(shipped, config.settings.clone(), &exports), exports))
}

/// Returns a line for each file and for each contradiction between files.
pub fn limits_told(limits: &Limits, exports: &[Export]) -> Vec<String> {
    let files = exports.iter().map(ToString::to_string);
    files.chain(limits.conflicts().iter().map(ToString::to_string)).collect()
}
