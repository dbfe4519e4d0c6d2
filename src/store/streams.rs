//! Streams (see [`super::engine`]) as files of a folder of their own, beside those of the database. It
//! must never end a stream on its own account, nor leave one unsynced that a batch counts on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::engine::StreamPart;
use super::error::StoreError;

/// The folder, in that of the ledger.
const FOLDER: &str = "streams";
/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// The streams of one ledger.
pub(super) struct Streams {
    dir: PathBuf,
    folder: File,
    /// By number; those that were written to since the ledger was opened are open.
    files: BTreeMap<u64, Stream>,
}

struct Stream {
    file: Option<File>,
    len: u64,
}

impl Streams {
    /// Opens the streams of the ledger in `ledger`, whose folder the caller syncs.
    pub(super) fn open(ledger: &Path) -> Result<Self, StoreError> {
        let dir = ledger.join(FOLDER);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(io("create the folder", &dir))?;
        let folder = File::open(&dir).map_err(io("open", &dir))?;
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&dir).map_err(io("read the folder", &dir))? {
            let entry = entry.map_err(io("read the folder", &dir))?;
            // What is not named by a number as we write it, or is no file, is not ours.
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let number = name.parse().ok().filter(|number: &u64| number.to_string() == name);
            let about = entry.metadata().map_err(io("look at", &entry.path()))?;
            if let Some(number) = number.filter(|_| about.is_file()) {
                files.insert(number, Stream { file: None, len: about.len() });
            }
        }
        Ok(Self { dir, folder, files })
    }

    /// Writes parts and syncs the streams that they are of.
    pub(super) fn write(&mut self, parts: &[StreamPart]) -> Result<(), StoreError> {
        let mut has_new = false;
        let mut touched = BTreeSet::new();
        for StreamPart { stream, from, bytes } in parts {
            let path = self.path(*stream);
            let is_new = !self.files.contains_key(stream);
            has_new |= is_new;
            let known = self.files.entry(*stream).or_insert(Stream { file: None, len: 0 });
            let file = match known.file.take() {
                Some(file) => file,
                // One that somebody removed must not begin anew with a hole.
                None => writable(&path, is_new).map_err(io("open", &path))?,
            };
            file.write_all_at(bytes, *from).map_err(io("write to", &path))?;
            known.len = known.len.max(from.saturating_add(bytes.len() as u64));
            known.file = Some(file);
            touched.insert(*stream);
        }
        for stream in touched {
            if let Some(file) = self.files.get(&stream).and_then(|known| known.file.as_ref()) {
                file.sync_data().map_err(io("sync", &self.path(stream)))?;
            }
        }
        if has_new { self.folder.sync_all().map_err(io("sync", &self.dir)) } else { Ok(()) }
    }

    /// Visits the first `len` bytes of a stream in pieces.
    pub(super) fn read(
        &self,
        stream: u64,
        len: u64,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        let path = self.path(stream);
        let there = self.files.get(&stream).map_or(0, |known| known.len);
        if there < len {
            let path = path.display();
            let what = format!("`{path}` has {there} bytes, where {len} were committed");
            return Err(StoreError::Corrupt { what });
        }
        let file = File::open(&path).map_err(io("open", &path))?;
        let mut buffer = vec![0; READ_BYTES];
        let mut at = 0;
        while at < len {
            let rest = usize::try_from(len - at).unwrap_or(usize::MAX);
            let piece = buffer.split_at_mut(rest.min(READ_BYTES)).0;
            file.read_exact_at(piece, at).map_err(io("read", &path))?;
            visit(piece);
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// Removes a stream. It may be there again after a power cut.
    pub(super) fn end(&mut self, stream: u64) -> Result<(), StoreError> {
        let path = self.path(stream);
        match self.files.remove(&stream) {
            Some(_) => match fs::remove_file(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                removed => removed.map_err(io("remove", &path)),
            },
            None => Ok(()),
        }
    }

    /// Returns the numbers of all streams.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.files.keys().copied().collect()
    }

    /// Returns the bytes of all streams.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|known| known.len).sum()
    }

    fn path(&self, stream: u64) -> PathBuf {
        self.dir.join(stream.to_string())
    }
}

fn writable(path: &Path, is_new: bool) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(is_new).mode(0o600).open(path)
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}
