//! A folder of its own for each test: deleted on success, kept and printed on failure.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of one test.
pub(crate) struct WorkDir {
    folder: Option<tempfile::TempDir>,
}

impl WorkDir {
    pub(crate) fn new(test: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(&format!("{test}-"))
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a folder under target/tmp");
        Self { folder: Some(folder) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.as_ref().expect("present until dropped").path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Makes and returns a folder inside.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(&path).expect("a folder in the work folder");
        path
    }

    /// Writes a file inside and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).expect("a folder in the work folder");
        }
        fs::write(&path, content).expect("a file in the work folder");
        path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take()
            && std::thread::panicking()
        {
            println!("the files of the failed test are in {}", folder.keep().display());
        }
    }
}

/// Every file under a folder, for looking through what the daemon wrote.
pub(crate) fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
