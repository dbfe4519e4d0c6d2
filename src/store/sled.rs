//! sled 0.34.7 behind the seam, with the barrier that makes its commits durable.
//!
//! sled's own `flush` uses `sync_file_range`, which is no barrier: after a power cut two thirds of
//! the stores had lost acknowledged commits, were torn, or did not open. So every small file and
//! the folders are synced once after opening, and each commit is one batch on one tree, `flush`, and
//! `fdatasync` on a descriptor of our own of sled's `db` file. Values stay below 128 KiB: sled puts
//! larger ones into files that it never syncs.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::engine::{Engine, Pair, WriteBatch};
use super::error::StoreError;

/// Bytes of pages that sled may cache; keeps a daemon with 2,000 series well below 64 MiB.
const CACHE_BYTES: u64 = 8 << 20;
/// Largest value; larger ones would leave the file that the barrier covers.
pub const VALUE_BYTES_MAX: usize = 120 << 10;

/// A store in one folder.
pub struct SledEngine {
    db: ::sled::Db,
    db_file: File,
    poisoned: bool,
}

impl SledEngine {
    /// Opens the store in `dir`, creating it (mode 0700) if `dir` is missing or empty.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { action, path, source }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(io("create the folder", dir))?;
        let is_store = dir.join("db").exists() || dir.join("conf").exists();
        let mut entries = fs::read_dir(dir).map_err(io("read the folder", dir))?;
        if !is_store && entries.next().is_some() {
            return Err(StoreError::NotALedger { dir: dir.to_owned() });
        }
        let db = open_db(dir)?;
        sync_files(dir)?;
        let db_path = dir.join("db");
        let db_file = File::open(&db_path).map_err(io("open", &db_path))?;
        Ok(Self { db, db_file, poisoned: false })
    }

    fn refuse_if_poisoned(&self) -> Result<(), StoreError> {
        if self.poisoned { Err(StoreError::Poisoned) } else { Ok(()) }
    }

    fn commit_durably(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut changes = ::sled::Batch::default();
        for (key, value) in batch.0 {
            match value {
                Some(value) if value.len() > VALUE_BYTES_MAX => {
                    let what = format!("a value of {} bytes is too large", value.len());
                    return Err(StoreError::Engine { action: "take a value", what });
                }
                Some(value) => changes.insert(key, value),
                None => changes.remove(key),
            }
        }
        self.db.apply_batch(changes).map_err(failed("apply a batch"))?;
        self.db.flush().map_err(failed("flush"))?;
        self.db_file.sync_data().map_err(|source| StoreError::Engine {
            action: "sync its file to the disk",
            what: source.to_string(),
        })
    }
}

impl Engine for SledEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.refuse_if_poisoned()?;
        let value = self.db.get(key).map_err(failed("read"))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        self.refuse_if_poisoned()?;
        self.db
            .range(from..to)
            .take(limit)
            .map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec())))
            .collect::<Result<_, _>>()
            .map_err(failed("read"))
    }

    fn commit(&mut self, batch: WriteBatch) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        // A sync that failed once may succeed the second time without the data being on the disk,
        // so nothing is ever tried again.
        let result = self.commit_durably(batch);
        self.poisoned = result.is_err();
        result
    }

    fn bytes_on_disk(&self) -> u64 {
        self.db_file.metadata().map_or(0, |metadata| metadata.len())
    }
}

fn open_db(dir: &Path) -> Result<::sled::Db, StoreError> {
    let config = ::sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None)
        .mode(::sled::Mode::LowSpace);
    // sled can panic on a damaged file; to the user that is the same as an error.
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(::sled::Error::Io(source))) if is_lock_conflict(&source) => {
            Err(StoreError::Locked { dir: dir.to_owned() })
        }
        Ok(Err(::sled::Error::Io(source))) => {
            Err(StoreError::Io { action: "open the ledger in", path: dir.to_owned(), source })
        }
        Ok(Err(error)) => Err(StoreError::Corrupt { what: error.to_string() }),
        Err(_) => Err(StoreError::Corrupt { what: "its database can't be read".to_owned() }),
    }
}

/// sled wraps the refused lock into an error of its own kind, with the system's words inside.
fn is_lock_conflict(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock || error.to_string().contains("lock")
}

/// Syncs every regular file that sled made on opening, its folder and the folder above.
fn sync_files(dir: &Path) -> Result<(), StoreError> {
    let sync = |path: PathBuf| {
        File::open(&path).and_then(|file| file.sync_all()).map_err(|source| StoreError::Io {
            action: "sync",
            path,
            source,
        })
    };
    let read = |source| StoreError::Io { action: "read the folder", path: dir.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(read)? {
        let entry = entry.map_err(read)?;
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            sync(entry.path())?;
        }
    }
    sync(dir.to_owned())?;
    let absolute = fs::canonicalize(dir).map_err(read)?;
    absolute.parent().map_or(Ok(()), |parent| sync(parent.to_owned()))
}

fn failed(action: &'static str) -> impl Fn(::sled::Error) -> StoreError {
    move |error| StoreError::Engine { action, what: error.to_string() }
}
