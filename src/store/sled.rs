//! sled 0.34.7 behind the seam, with the barrier that makes its commits durable.
//!
//! sled's own `flush` uses `sync_file_range`, which is no barrier: after a power cut two thirds of
//! the stores had lost acknowledged commits, were torn, or did not open. So every small file and
//! the folders are synced once after opening, and each commit is one batch on one tree, `flush`, and
//! `fdatasync` on a descriptor of our own of sled's `db` file. Values stay small: sled writes a whole
//! leaf of up to 20 pairs at once, and what is above 128 KiB goes into files that it never syncs. What
//! a batch writes to streams is synced before, and counts by that batch.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::engine::{Engine, Reader, Visit, WriteBatch};
use super::error::StoreError;
use super::streams::Streams;

/// Bytes of pages that sled may cache. What it drops stands in the cache of the system.
const CACHE_BYTES: u64 = 1 << 20;
/// Largest value. A leaf splits when it holds more than 16 pairs, and one of up to 3 is merged into
/// its neighbour (sled's `Node::should_split`, `should_merge`); 20 pairs of this size still fit into
/// a quarter of a segment of 512 KiB, above which sled writes a file of its own (`blobs/`).
pub const VALUE_BYTES_MAX: usize = 6_000;

/// A store in one folder.
pub struct SledEngine {
    // Dropped in this order, see `DbFile`.
    db: ::sled::Db,
    db_file: DbFile,
    streams: Streams,
    poisoned: bool,
}

/// Our own descriptor of sled's `db` file. Threads of sled keep the file locked for some moments
/// after its handle is dropped; dropping this waits for them, so that the ledger can be opened again.
struct DbFile(File);

impl Drop for DbFile {
    fn drop(&mut self) {
        for _ in 0..RELEASE_TRIES {
            match self.0.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                // Closing the file gives the lock back.
                Ok(()) | Err(TryLockError::Error(_)) => break,
            }
        }
    }
}

/// How many milliseconds to wait for sled's threads; they need some of a sync of the disk.
const RELEASE_TRIES: usize = 1_000;

impl SledEngine {
    /// Opens the store in `dir`, creating it (mode 0700) if `dir` is missing or empty.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { action, path, source }
        };
        // The empty path above a relative one is the folder we are in, which `exists` denies.
        let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let missing: Vec<_> = dir.ancestors().take_while(is_missing).map(Path::to_owned).collect();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(io("create the folder", dir))?;
        if !may_be_ledger(dir).map_err(io("read the folder", dir))? {
            return Err(StoreError::NotALedger { dir: dir.to_owned() });
        }
        let db = open_db(dir)?;
        let streams = Streams::open(dir)?;
        sync_files(dir)?;
        sync_parents(dir, &missing)?;
        let db_path = dir.join("db");
        let db_file = DbFile(File::open(&db_path).map_err(io("open", &db_path))?);
        Ok(Self { db, db_file, streams, poisoned: false })
    }

    fn refuse_if_poisoned(&self) -> Result<(), StoreError> {
        if self.poisoned { Err(StoreError::Poisoned) } else { Ok(()) }
    }

    fn commit_durably(&mut self, batch: WriteBatch) -> Result<(), StoreError> {
        self.streams.write(&batch.written)?;
        drop(batch.written);
        let mut changes = ::sled::Batch::default();
        for (key, value) in batch.pairs {
            match value {
                Some(value) if value.len() > VALUE_BYTES_MAX => {
                    let what = format!("a value of {} bytes is too large", value.len());
                    return Err(StoreError::Engine { action: "take a value", what });
                }
                Some(value) => changes.insert(key, value),
                None => changes.remove(key),
            }
        }
        guarded("apply a batch", || self.db.apply_batch(changes))?;
        guarded("flush", || self.db.flush())?;
        self.db_file.0.sync_data().map_err(|source| StoreError::Engine {
            action: "sync its file to the disk",
            what: source.to_string(),
        })?;
        batch.ended.into_iter().try_for_each(|stream| self.streams.end(stream))
    }
}

impl Reader for SledEngine {
    fn visit(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        each_of(&self.db, from, to, visit)
    }
}

/// Reads beside the thread that writes; sled's trees are made for that.
struct SledReader {
    db: ::sled::Db,
}

impl Reader for SledReader {
    fn visit(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        each_of(&self.db, from, to, visit)
    }
}

fn each_of(
    db: &::sled::Db,
    from: &[u8],
    to: &[u8],
    visit: &mut Visit<'_>,
) -> Result<(), StoreError> {
    let mut pairs = db.range(from..to);
    while let Some((key, value)) = guarded("read", || pairs.next().transpose())? {
        if visit(&key, &value)?.is_break() {
            break;
        }
    }
    Ok(())
}

impl Engine for SledEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.refuse_if_poisoned()?;
        let value = guarded("read", || self.db.get(key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(SledReader { db: self.db.clone() })
    }

    fn commit(&mut self, batch: WriteBatch) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        // A sync that failed once may succeed the second time without the data being on the disk,
        // so nothing is ever tried again.
        let result = self.commit_durably(batch);
        self.poisoned = result.is_err();
        result
    }

    fn read_stream(
        &self,
        stream: u64,
        len: u64,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        self.streams.read(stream, len, visit)
    }

    fn end_streams_but(&mut self, kept: &BTreeSet<u64>) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        let ended = self.streams.numbers().into_iter().filter(|stream| !kept.contains(stream));
        ended.collect::<Vec<_>>().into_iter().try_for_each(|stream| self.streams.end(stream))
    }

    fn bytes_on_disk(&self) -> u64 {
        let db = self.db_file.0.metadata().map_or(0, |metadata| metadata.len());
        db.saturating_add(self.streams.bytes())
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
        Ok(Err(error)) => Err(StoreError::Corrupt { what: text_of(&error) }),
        Err(_) => Err(StoreError::Corrupt { what: "its database can't be read".to_owned() }),
    }
}

/// Says for a person what sled says for its makers.
fn text_of(error: &::sled::Error) -> String {
    match error {
        ::sled::Error::Corruption { .. } => {
            "some bytes of its database are not those that were written".to_owned()
        }
        other => other.to_string(),
    }
}

/// sled wraps the refused lock into an error of its own kind, with the system's words inside.
fn is_lock_conflict(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock || error.to_string().contains("lock")
}

/// Tells whether sled may open `dir`: it takes whatever it finds for its own. It makes `blobs`, then
/// `conf`, then `db`, and may have been interrupted.
fn may_be_ledger(dir: &Path) -> std::io::Result<bool> {
    if dir.join("conf").exists() {
        return Ok(true);
    }
    for entry in fs::read_dir(dir)? {
        if entry?.file_name() != "blobs" {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Syncs every regular file that sled made on opening, and its folder.
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
    sync(dir.to_owned())
}

/// Syncs the folders that hold `dir` and the folders `made` for it.
fn sync_parents(dir: &Path, made: &[PathBuf]) -> Result<(), StoreError> {
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { action, path, source }
    };
    for child in std::iter::once(dir).chain(made.iter().map(PathBuf::as_path)) {
        let child = fs::canonicalize(child).map_err(io("find", child))?;
        let Some(parent) = child.parent() else { continue };
        match File::open(parent).and_then(|folder| folder.sync_all()) {
            // A folder that may be passed but not read was made by someone else before us.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
            result => result.map_err(io("sync", parent))?,
        }
    }
    Ok(())
}

/// Runs `work` of sled, whose panics on damaged files are to the user the same as an error.
fn guarded<T>(
    action: &'static str,
    work: impl FnOnce() -> Result<T, ::sled::Error>,
) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(StoreError::Engine { action, what: text_of(&error) }),
        Err(_) => Err(StoreError::Corrupt { what: format!("its database failed to {action}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::{Pair, StreamPart, each};
    use super::*;
    use std::process::Command;

    /// Set for the process that [`a_ledger_is_open_in_one_process_only`] starts.
    const OTHER_PROCESS: &str = "TOLLKEEPER_TEST_LOCKED_DIR";

    fn pairs(engine: &SledEngine, from: &[u8], to: &[u8]) -> Result<Vec<Pair>, StoreError> {
        let mut pairs = Vec::new();
        each(engine, from, to, |key, value| {
            pairs.push((key.to_vec(), value.to_vec()));
            Ok(())
        })?;
        Ok(pairs)
    }

    fn put(key: &[u8], value: &[u8]) -> WriteBatch {
        let mut batch = WriteBatch::default();
        batch.put(key.to_vec(), value.to_vec());
        batch
    }

    #[test]
    fn what_was_committed_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("made/on/the/way");
        let mut engine = SledEngine::open(&dir).unwrap();
        engine.commit(put(b"a", b"1")).unwrap();
        let mut both = put(b"b", b"2");
        both.delete(b"a".to_vec());
        engine.commit(both).unwrap();
        drop(engine);
        let engine = SledEngine::open(&dir).unwrap();
        assert_eq!(engine.get(b"a").unwrap(), None);
        assert_eq!(pairs(&engine, b"", b"z").unwrap(), [(b"b".to_vec(), b"2".to_vec())]);
        assert!(engine.bytes_on_disk() > 0);
    }

    fn stream(stream: u64, from: u64, bytes: &[u8]) -> WriteBatch {
        let part = StreamPart { stream, from, bytes: bytes.to_vec() };
        WriteBatch { written: vec![part], ..WriteBatch::default() }
    }

    fn read(engine: &SledEngine, stream: u64, len: u64) -> Result<Vec<u8>, StoreError> {
        let mut all = Vec::new();
        engine.read_stream(stream, len, &mut |bytes| all.extend_from_slice(bytes))?;
        Ok(all)
    }

    #[test]
    fn streams_grow_are_read_back_and_end() {
        let dir = tempfile::tempdir().unwrap();
        let long: Vec<u8> = (0..200_000u32).flat_map(u32::to_be_bytes).collect();
        let mut engine = SledEngine::open(dir.path()).unwrap();
        let empty = engine.bytes_on_disk();
        engine.commit(stream(3, 0, &long[..500_000])).unwrap();
        // What no key counted is written over.
        engine.commit(stream(3, 100, &long[100..])).unwrap();
        let mut both = stream(4, 0, b"other");
        both.ended.push(3);
        assert_eq!(read(&engine, 3, 800_000).unwrap(), long);
        drop(engine);
        let mut engine = SledEngine::open(dir.path()).unwrap();
        assert_eq!(read(&engine, 3, 800_000).unwrap(), long);
        assert!(engine.bytes_on_disk() >= empty + 800_000);
        assert!(matches!(read(&engine, 3, 800_001), Err(StoreError::Corrupt { .. })));
        assert!(matches!(read(&engine, 5, 1), Err(StoreError::Corrupt { .. })));
        engine.commit(both).unwrap();
        assert!(matches!(read(&engine, 3, 1), Err(StoreError::Corrupt { .. })));
        engine.commit(stream(9, 0, b"left over")).unwrap();
        engine.end_streams_but(&BTreeSet::from([4])).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path().join("streams"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["4"]);
        assert_eq!(read(&engine, 4, 5).unwrap(), b"other");
    }

    #[test]
    fn what_is_no_stream_of_ours_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = SledEngine::open(dir.path()).unwrap();
        engine.commit(stream(7, 0, b"ours")).unwrap();
        drop(engine);
        let streams = dir.path().join("streams");
        for name in ["+7", "007", "notes"] {
            fs::write(streams.join(name), "").unwrap();
        }
        fs::create_dir(streams.join("9")).unwrap();
        let mut engine = SledEngine::open(dir.path()).unwrap();
        engine.end_streams_but(&BTreeSet::from([7])).unwrap();
        assert_eq!(read(&engine, 7, 4).unwrap(), b"ours");
        assert_eq!(fs::read_dir(&streams).unwrap().count(), 5);
        // One that is gone already has ended.
        fs::remove_file(streams.join("7")).unwrap();
        engine.end_streams_but(&BTreeSet::new()).unwrap();
    }

    #[test]
    fn a_stream_that_somebody_removed_does_not_begin_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = SledEngine::open(dir.path()).unwrap();
        engine.commit(stream(7, 0, b"counted")).unwrap();
        drop(engine);
        let mut engine = SledEngine::open(dir.path()).unwrap();
        fs::remove_file(dir.path().join("streams/7")).unwrap();
        assert!(matches!(engine.commit(stream(7, 7, b"more")), Err(StoreError::Io { .. })));
        assert!(matches!(engine.commit(put(b"a", b"1")), Err(StoreError::Poisoned)));
    }

    #[test]
    fn a_value_that_the_barrier_would_not_cover_is_refused_and_poisons() {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = SledEngine::open(dir.path()).unwrap();
        let large = put(b"a", &vec![0; VALUE_BYTES_MAX + 1]);
        assert!(matches!(engine.commit(large), Err(StoreError::Engine { .. })));
        assert!(matches!(engine.commit(put(b"a", b"1")), Err(StoreError::Poisoned)));
        assert!(matches!(engine.get(b"a"), Err(StoreError::Poisoned)));
        drop(engine);
        assert_eq!(SledEngine::open(dir.path()).unwrap().get(b"a").unwrap(), None);
    }

    /// The barrier syncs one file, so everything has to be in it.
    #[test]
    fn values_of_the_largest_size_stay_in_the_file_that_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = SledEngine::open(dir.path()).unwrap();
        let value = vec![7; VALUE_BYTES_MAX];
        let mut random = 1u64;
        for round in 0..60u64 {
            let mut batch = WriteBatch::default();
            for _ in 0..60 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round | 1);
                let key = (random >> 48).to_be_bytes().to_vec();
                match random >> 33 & 3 {
                    0 => batch.delete(key),
                    _ => batch.put(key, value.clone()),
                }
            }
            engine.commit(batch).unwrap();
            let blobs = fs::read_dir(dir.path().join("blobs")).unwrap().count();
            assert_eq!(blobs, 0, "in round {round}");
        }
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        for name in ["notes.txt", "db"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(name), "not a ledger").unwrap();
            let found = SledEngine::open(dir.path()).map(drop);
            assert!(matches!(found, Err(StoreError::NotALedger { .. })), "{name}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
            assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"not a ledger");
        }
    }

    #[test]
    fn a_start_that_was_interrupted_before_its_first_file_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("blobs")).unwrap();
        SledEngine::open(dir.path()).unwrap();
    }

    #[test]
    fn a_ledger_is_open_in_one_process_only() {
        if let Some(dir) = std::env::var_os(OTHER_PROCESS) {
            let found = SledEngine::open(Path::new(&dir)).map(drop);
            assert!(matches!(found, Err(StoreError::Locked { .. })), "{found:?}");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let engine = SledEngine::open(dir.path()).unwrap();
        let again = SledEngine::open(dir.path()).map(drop);
        assert!(matches!(again, Err(StoreError::Locked { .. })), "{again:?}");
        let name = "store::sled::tests::a_ledger_is_open_in_one_process_only";
        let other = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(OTHER_PROCESS, dir.path())
            .output()
            .unwrap();
        assert!(other.status.success(), "{}", String::from_utf8_lossy(&other.stdout));
        assert!(String::from_utf8_lossy(&other.stdout).contains("1 passed"));
        drop(engine);
        SledEngine::open(dir.path()).unwrap();
    }

    #[test]
    fn a_damaged_file_gives_an_error_or_what_was_committed() {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = SledEngine::open(dir.path()).unwrap();
        for number in 0..50u8 {
            engine.commit(put(&[number], &[number; 900])).unwrap();
        }
        drop(engine);
        let sound = fs::read(dir.path().join("db")).unwrap();
        for part in 0..24 {
            let mut damaged = sound.clone();
            for byte in damaged.iter_mut().skip(part * sound.len() / 24).take(64) {
                *byte ^= 0x55;
            }
            fs::write(dir.path().join("db"), &damaged).unwrap();
            let engine = match SledEngine::open(dir.path()) {
                Ok(engine) => engine,
                Err(error) => {
                    assert!(!error.to_string().contains("backtrace"), "{error}");
                    continue;
                }
            };
            if let Ok(pairs) = pairs(&engine, &[], &[u8::MAX]) {
                for (key, value) in pairs {
                    assert_eq!(value, vec![key[0]; 900], "part {part}");
                }
            }
        }
    }
}
