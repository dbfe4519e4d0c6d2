//! The inputs of a scan, handed out to its threads piece by piece.
//!
//! A plain file is shared: each thread takes the next chunk of it. A gzip file is one thread's own,
//! since it can only be read from the start.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cli::failure::Failure;
use crate::source::file::decoded_reader;
use crate::source::file::lines::{Admitted, LineChunks};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Longest line that is decoded.
const LINE_BYTES_MAX: usize = 8 << 20;

type Chunks = LineChunks<Box<dyn Read + Send>>;

/// All inputs of a scan.
pub(super) struct Inputs {
    state: Mutex<State>,
    bytes: Option<u64>,
}

struct State {
    waiting: VecDeque<Input>,
    shared: Option<(String, Chunks)>,
    failed: Vec<String>,
}

enum Input {
    Stdin,
    File(PathBuf),
}

/// What one thread works on until it is used up.
pub(super) struct Piece<'i> {
    inputs: &'i Inputs,
    work: Work,
}

enum Work {
    /// A chunk of a shared file.
    Chunk(Option<Admitted>),
    /// A file of one's own.
    Whole(String, Chunks),
}

impl Inputs {
    /// Finds the files. A name that is not a file is taken for a glob.
    pub(super) fn open(names: &[String]) -> Result<Self, Failure> {
        let mut waiting = VecDeque::new();
        let mut bytes = Some(0u64);
        for name in names {
            if name == "-" {
                waiting.push_back(Input::Stdin);
                bytes = None;
                continue;
            }
            for path in expand(name)? {
                let metadata = path.metadata().map_err(|error| cannot_read(&path, &error))?;
                if metadata.is_dir() {
                    let text =
                        format!("`{}` is a folder; name files in it, or a glob", path.display());
                    return Err(text.into());
                }
                bytes = bytes.map(|sum| sum.saturating_add(metadata.len()));
                waiting.push_back(Input::File(path));
            }
        }
        let state = State { waiting, shared: None, failed: Vec::new() };
        Ok(Self { state: Mutex::new(state), bytes })
    }

    /// Returns how many bytes there are to read, if that is known.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// Returns the next piece of work.
    pub(super) fn next(&self) -> Option<Piece<'_>> {
        let mut state = self.lock();
        loop {
            if let Some((name, chunks)) = &mut state.shared {
                match chunks.next_chunk() {
                    Ok(Some(chunk)) => {
                        return Some(Piece { inputs: self, work: Work::Chunk(Some(chunk)) });
                    }
                    Ok(None) => state.shared = None,
                    Err(error) => {
                        let text = format!("`{name}` can't be read to its end: {error}");
                        state.failed.push(text);
                        state.shared = None;
                    }
                }
                continue;
            }
            match state.waiting.pop_front()?.open() {
                Ok((name, chunks, true)) => {
                    return Some(Piece { inputs: self, work: Work::Whole(name, chunks) });
                }
                Ok((name, chunks, false)) => state.shared = Some((name, chunks)),
                Err(error) => state.failed.push(error),
            }
        }
    }

    /// Fails if an input could not be read.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_empty() {
            return Ok(());
        }
        let text = state.failed.join("; ");
        Err(Failure::with_hint(text, "the numbers above are without these files"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece<'_> {
    /// Returns the next lines of this piece.
    pub(super) fn next_chunk(&mut self) -> Option<Admitted> {
        match &mut self.work {
            Work::Chunk(chunk) => chunk.take(),
            Work::Whole(name, chunks) => chunks.next_chunk().unwrap_or_else(|error| {
                let text = format!("`{name}` can't be read to its end: {error}");
                self.inputs.lock().failed.push(text);
                None
            }),
        }
    }
}

impl Input {
    /// Opens the input; the flag says whether it is one thread's own.
    fn open(self) -> Result<(String, Chunks, bool), String> {
        let (name, reader, own): (String, Box<dyn Read + Send>, bool) = match self {
            Self::Stdin => ("stdin".to_owned(), Box::new(io::stdin()), false),
            Self::File(path) => {
                let open = || {
                    let file = File::open(&path)?;
                    let own = is_gzip(&file);
                    Ok((decoded_reader(file)?, own))
                };
                let (reader, own) = open().map_err(|error| cannot_read(&path, &error))?;
                (path.display().to_string(), reader, own)
            }
        };
        Ok((name, LineChunks::new(reader, CHUNK_BYTES, LINE_BYTES_MAX), own))
    }
}

/// Tells whether a file begins like gzip. What can't be read at a place (a pipe) is shared.
fn is_gzip(file: &File) -> bool {
    let mut magic = [0; 2];
    file.read_exact_at(&mut magic, 0).is_ok() && magic == [0x1f, 0x8b]
}

fn expand(name: &str) -> Result<Vec<PathBuf>, Failure> {
    let path = PathBuf::from(name);
    if path.exists() {
        return Ok(vec![path]);
    }
    let found: Vec<PathBuf> = glob::glob(name)
        .map_err(|error| format!("`{name}` is neither a file nor a glob: {error}"))?
        .filter_map(Result::ok)
        .filter(|path| path.is_file())
        .collect();
    if found.is_empty() {
        return Err(format!("there is no file `{name}`").into());
    }
    Ok(found)
}

fn cannot_read(path: &std::path::Path, error: &io::Error) -> String {
    format!("can't read `{}`: {error}", path.display())
}
