//! Why a store does not open or does not go on, and what to do.

use std::path::PathBuf;

/// What can go wrong between the ledger and its disk.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the store open.
    #[error(
        "the ledger `{}` is in use by another process; stop it, or choose another `[ledger] dir`",
        dir.display()
    )]
    Locked {
        /// The ledger's folder.
        dir: PathBuf,
    },
    /// The folder holds something else.
    #[error(
        "`{}` is a folder with other files in it and not a ledger; choose an empty or new folder",
        dir.display()
    )]
    NotALedger {
        /// The folder.
        dir: PathBuf,
    },
    /// There is no ledger to look at.
    #[error("there is no ledger in `{}`; name the folder of `[ledger] dir`", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// A later build wrote the store.
    #[error(
        "the ledger has schema {found} but this build reads up to {supported}; \
         run the newer tollkeeper that wrote it"
    )]
    NewerSchema {
        /// Schema of the store.
        found: u32,
        /// Schema of this build.
        supported: u32,
    },
    /// A build before the first release wrote the store.
    #[error(
        "the ledger has schema {found}, of a build before the first release, which this one can't \
         read; move its folder aside and start again: what the logs still hold is counted anew"
    )]
    OlderSchema {
        /// Schema of the store.
        found: u32,
    },
    /// The bytes of the store are not what was written.
    #[error("the ledger is broken: {what}")]
    Corrupt {
        /// What was found.
        what: String,
    },
    /// The operating system refused.
    #[error("can't {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database refused.
    #[error("the ledger's database failed to {action}: {what}")]
    Engine {
        /// What was tried.
        action: &'static str,
        /// What it said.
        what: String,
    },
    /// A write failed before, and nothing may be written any more.
    #[error(
        "the ledger refuses all work after a failed write; restart, and it resumes from what is on disk"
    )]
    Poisoned,
}
