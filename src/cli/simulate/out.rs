//! Where lines are written: files of their own that may be rotated, or stdout. Only whole lines are
//! handed to the system, so no reader ever sees a part of one for long.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::lines::Log;
use super::plan::Plan;
use crate::cli::failure::Failure;

/// How much is put together before it is written.
const PENDING_BYTES_MAX: usize = 256 << 10;

/// Everything that is open.
pub(super) enum Out {
    Stdout(Vec<u8>),
    Files { files: Vec<LogFile>, rotate_bytes: u64 },
}

/// One log.
pub(super) struct LogFile {
    log: Log,
    path: PathBuf,
    file: File,
    /// Size with what is pending.
    bytes: u64,
    pending: Vec<u8>,
}

/// Why a log can't be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutError {
    #[error("can't make the folder `{}`", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("can't write `{}`", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("can't rotate `{}`", path.display())]
    Rotate {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Out {
    /// Opens the logs of a plan.
    pub(super) fn open(plan: &Plan) -> Result<Self, Failure> {
        let Some(dir) = &plan.dir else { return Ok(Self::Stdout(Vec::new())) };
        fs::create_dir_all(dir).map_err(|source| OutError::Folder { path: dir.clone(), source })?;
        let logs = Log::ALL.into_iter().filter(|log| plan.logs.contains(log));
        let paths: Vec<(Log, PathBuf)> = logs.map(|log| (log, dir.join(log.file_name()))).collect();
        let there = paths.iter().find(|(_, path)| fs::symlink_metadata(path).is_ok());
        if let Some((_, path)) = there.filter(|_| !plan.append) {
            let hint = "choose another folder with `--out`, or write behind it with `--append`";
            let text = format!("`{}` is there already", path.display());
            return Err(Failure::with_hint(text, hint));
        }
        let opened = paths.into_iter().map(|(log, path)| LogFile::open(log, path));
        let files = opened.collect::<Result<_, OutError>>()?;
        Ok(Self::Files { files, rotate_bytes: plan.rotate_bytes.unwrap_or(u64::MAX) })
    }

    /// Takes a line; it is written at the next flush at the latest.
    pub(super) fn write(&mut self, log: Log, line: &str) -> Result<(), Failure> {
        match self {
            Self::Stdout(pending) => {
                pending.extend_from_slice(line.as_bytes());
                if pending.len() >= PENDING_BYTES_MAX {
                    self.flush()?;
                }
            }
            Self::Files { files, rotate_bytes } => {
                if let Some(file) = files.iter_mut().find(|file| file.log == log) {
                    file.write(line, *rotate_bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Writes what was taken.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Self::Stdout(pending) => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(pending)?;
                stdout.flush()?;
                pending.clear();
            }
            Self::Files { files, .. } => {
                for file in files {
                    file.flush()?;
                }
            }
        }
        Ok(())
    }
}

impl LogFile {
    fn open(log: Log, path: PathBuf) -> Result<Self, OutError> {
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        let opened = opened.and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((bytes, file)) => Ok(Self { log, path, file, bytes, pending: Vec::new() }),
            Err(source) => Err(OutError::Write { path, source }),
        }
    }

    fn write(&mut self, line: &str, rotate_bytes: u64) -> Result<(), OutError> {
        let length = line.len() as u64;
        if self.bytes > 0 && self.bytes.saturating_add(length) > rotate_bytes {
            self.flush()?;
            self.file = rotate(&self.path)
                .map_err(|source| OutError::Rotate { path: self.path.clone(), source })?;
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(length);
        self.pending.extend_from_slice(line.as_bytes());
        if self.pending.len() >= PENDING_BYTES_MAX { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), OutError> {
        let written = self.file.write_all(&self.pending);
        written.map_err(|source| OutError::Write { path: self.path.clone(), source })?;
        self.pending.clear();
        Ok(())
    }
}

/// Renames a file to `NAME.1`, those of earlier rotations to the next number, and returns a new file.
fn rotate(path: &Path) -> io::Result<File> {
    let numbered = |number: u64| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let mut last = 0;
    while fs::symlink_metadata(numbered(last + 1)).is_ok() {
        last += 1;
    }
    for number in (1..=last).rev() {
        fs::rename(numbered(number), numbered(number + 1))?;
    }
    fs::rename(path, numbered(1))?;
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Writes a small file so that a reader sees either the old one or the new one.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), OutError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| OutError::Write { path: path.to_owned(), source })
}
