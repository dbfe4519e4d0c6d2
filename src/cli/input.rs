//! The inputs of a pass over logs (`scan`, `find`), handed out to its threads piece by piece, and the
//! threads.
//!
//! A plain file is divided into ranges. Gzip can only be read from its start, so a gzip file is one
//! thread's own. What can't be divided (a pipe, one long document) is shared: each thread takes
//! the next chunk of it.

mod ranges;

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use self::ranges::{Next, Ranges};
use super::failure::Failure;
use super::table::grouped;
use crate::config::FileSourceConfig;
use crate::source::file::lines::{Admitted, LineChunks};
use crate::source::file::{decoded_reader, files_of, is_delivery_noise};

/// Bytes read at a time: few enough that a chunk and what is made of it stay in a core's own cache
/// until they are done with.
const CHUNK_BYTES: usize = 256 << 10;
/// Longest line that is decoded, unless the config of a source says otherwise.
const LINE_BYTES_MAX: usize = 8 << 20;

type Chunks = LineChunks<Box<dyn Read + Send>>;

/// All inputs of a pass.
pub(super) struct Inputs {
    /// What the inputs are called, in their order.
    names: Vec<String>,
    /// Which of the names or sources that were asked for each input belongs to.
    owners: Vec<usize>,
    /// Files left out, by the name or source that they belong to: they hold no records by their place.
    noise: Vec<usize>,
    state: Mutex<State>,
    bytes: Option<u64>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(usize, Input)>,
    open: Option<(usize, Open)>,
    /// Chunks of what is shared that are done with: their memory is used again.
    done: Vec<Admitted>,
    /// What read a range to its end, with memory for the next one.
    idle: Vec<Chunks>,
    failed: Vec<String>,
}

enum Input {
    Stdin,
    File { path: PathBuf, line_bytes_max: usize },
}

/// An input that several threads read.
enum Open {
    Ranges(Ranges, usize),
    Shared(Chunks),
}

/// What an input is, once it is open.
enum Opened {
    Many(Open),
    Own(Chunks),
}

/// What one thread works on until it is used up.
pub(super) struct Piece<'i> {
    inputs: &'i Inputs,
    /// Which of the inputs it is a piece of.
    pub(super) input: usize,
    work: Work,
}

enum Work {
    /// A chunk of a shared file.
    Chunk(Option<Admitted>),
    /// A file or range of one's own; nothing once it is read.
    Own(Option<Chunks>),
}

impl Inputs {
    /// Finds the files. A name that is not a file is taken for a glob.
    pub(super) fn open(names: &[String]) -> Result<Self, Failure> {
        let (mut inputs, mut owners, mut noise) = (Vec::new(), Vec::new(), vec![0; names.len()]);
        for ((owner, name), noise) in names.iter().enumerate().zip(&mut noise) {
            if name == "-" {
                inputs.push(Input::Stdin);
            } else {
                let found = expand(name)?;
                let all = found.len();
                for path in found.into_iter().filter(|path| !is_delivery_noise(path)) {
                    inputs.push(Input::File { path, line_bytes_max: LINE_BYTES_MAX });
                }
                *noise = all + owners.len() - inputs.len();
            }
            owners.resize(inputs.len(), owner);
        }
        Ok(Self { owners, noise, ..Self::new(inputs)? })
    }

    /// Takes the files that the globs of these sources match now, a file of two sources once. What
    /// can't be listed makes [`Self::finish`] fail.
    pub(super) fn of_sources(sources: &[FileSourceConfig]) -> Result<Self, Failure> {
        let (mut inputs, mut failed) = (Vec::new(), Vec::new());
        let (mut known, mut owners, mut noise) = (HashSet::new(), Vec::new(), Vec::new());
        for (owner, source) in sources.iter().enumerate() {
            let matched = files_of(source);
            failed.extend(matched.problems.iter().map(ToString::to_string));
            noise.push(matched.noise);
            for path in matched.paths.into_iter().filter(|path| known.insert(path.clone())) {
                inputs.push(Input::File { path, line_bytes_max: source.line_bytes_max });
            }
            owners.resize(inputs.len(), owner);
        }
        let mut all = Self { owners, noise, ..Self::new(inputs)? };
        all.state.get_mut().unwrap_or_else(PoisonError::into_inner).failed = failed;
        Ok(all)
    }

    fn new(inputs: Vec<Input>) -> Result<Self, Failure> {
        let mut bytes = Some(0u64);
        for input in &inputs {
            let Input::File { path, .. } = input else {
                bytes = None;
                continue;
            };
            let metadata = path.metadata().map_err(|error| cannot_read(path, &error))?;
            if metadata.is_dir() {
                let text = format!("`{}` is a folder; name files in it, or a glob", path.display());
                return Err(text.into());
            }
            bytes = bytes.map(|sum| sum.saturating_add(metadata.len()));
        }
        let names = inputs.iter().map(Input::name).collect();
        let waiting = inputs.into_iter().enumerate().collect();
        let state = State { waiting, ..State::default() };
        let (owners, noise) = (Vec::new(), Vec::new());
        Ok(Self { names, owners, noise, state: Mutex::new(state), bytes })
    }

    /// Returns what the inputs are called, in their order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the place of the name or source, of those asked for, that an input belongs to.
    pub(super) fn owner_of(&self, input: usize) -> usize {
        self.owners.get(input).copied().unwrap_or(0)
    }

    /// Returns how many files of a name or source, of those asked for, are left out since they hold no
    /// records by their place.
    pub(super) fn noise_of(&self, owner: usize) -> usize {
        self.noise.get(owner).copied().unwrap_or(0)
    }

    /// Returns a line that says how many files are left out, or nothing if none is.
    pub(super) fn noise_text(&self) -> String {
        match self.noise.iter().sum::<usize>() {
            0 => String::new(),
            1 => "1 file left out: it holds no records but bodies or a marker of a delivery\n"
                .to_owned(),
            files => format!(
                "{} files left out: they hold no records but bodies and markers of a delivery\n",
                grouped(files as u64)
            ),
        }
    }

    /// Returns how many bytes there are to read, if that is known.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// Returns the next piece of work.
    pub(super) fn next(&self) -> Option<Piece<'_>> {
        let mut state = self.lock();
        loop {
            let Some((input, mut open)) = state.open.take() else {
                let (input, waiting) = state.waiting.pop_front()?;
                match waiting.open() {
                    Ok(Opened::Many(open)) => state.open = Some((input, open)),
                    Ok(Opened::Own(chunks)) => return Some(self.own(input, chunks)),
                    Err(error) => state.failed.push(error),
                }
                continue;
            };
            match state.next_of(&mut open) {
                Ok(Some(work)) => {
                    state.open = Some((input, open));
                    return Some(Piece { inputs: self, input, work });
                }
                Ok(None) => {}
                Err(error) => state.fail(self.cut_short(input, &error)),
            }
        }
    }

    fn own(&self, input: usize, chunks: Chunks) -> Piece<'_> {
        Piece { inputs: self, input, work: Work::Own(Some(chunks)) }
    }

    fn cut_short(&self, input: usize, error: &io::Error) -> String {
        let name = self.names.get(input).map_or("", String::as_str);
        format!("`{name}` can't be read to its end: {error}")
    }

    /// Fails if an input could not be read.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_empty() {
            return Ok(());
        }
        let text = state.failed.join("; ");
        Err(Failure::with_hint(text, "what is printed is without the rest of these files"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the next piece of an input that several threads read.
    fn next_of(&mut self, open: &mut Open) -> io::Result<Option<Work>> {
        if let Open::Ranges(ranges, line_bytes_max) = open {
            match ranges.next()? {
                None => return Ok(None),
                Some(Next::Range(from, range)) => {
                    let chunks = self.chunks(Box::new(range), from, *line_bytes_max);
                    return Ok(Some(Work::Own(Some(chunks))));
                }
                Some(Next::Rest(from, rest)) => {
                    let chunks = self.chunks(Box::new(rest), from, *line_bytes_max);
                    *open = Open::Shared(chunks);
                }
            }
        }
        let Open::Shared(chunks) = open else { return Ok(None) };
        if let Some(done) = self.done.pop() {
            chunks.give_back(done);
        }
        Ok(chunks.next_chunk()?.map(|chunk| Work::Chunk(Some(chunk))))
    }

    /// Returns what reads chunks of `reader`, which begins at `from` in its input.
    fn chunks(&mut self, reader: Box<dyn Read + Send>, from: u64, line_bytes_max: usize) -> Chunks {
        let idle = self.idle.iter().rposition(|idle| idle.line_bytes_max() == line_bytes_max);
        match idle.map(|place| self.idle.swap_remove(place)) {
            Some(mut chunks) => {
                chunks.restart(reader, from);
                chunks
            }
            None => LineChunks::new(reader, CHUNK_BYTES, line_bytes_max).beginning_at(from),
        }
    }

    /// Notes what can't be read; many ranges of one file may say the same of it.
    fn fail(&mut self, text: String) {
        if !self.failed.contains(&text) {
            self.failed.push(text);
        }
    }
}

impl Piece<'_> {
    /// Returns the next lines of this piece.
    pub(super) fn next_chunk(&mut self) -> Option<Admitted> {
        match &mut self.work {
            Work::Chunk(chunk) => chunk.take(),
            Work::Own(own) => {
                let chunk = own.as_mut()?.next_chunk();
                if let Ok(Some(chunk)) = chunk {
                    return Some(chunk);
                }
                let mut state = self.inputs.lock();
                state.idle.extend(own.take());
                if let Err(error) = chunk {
                    state.fail(self.inputs.cut_short(self.input, &error));
                }
                None
            }
        }
    }

    /// Gives back lines that are done with.
    pub(super) fn give_back(&mut self, chunk: Admitted) {
        match &mut self.work {
            Work::Chunk(_) => self.inputs.lock().done.push(chunk),
            Work::Own(Some(chunks)) => chunks.give_back(chunk),
            Work::Own(None) => {}
        }
    }
}

impl Input {
    fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".to_owned(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    fn open(self) -> Result<Opened, String> {
        let shared = |reader, max| Open::Shared(LineChunks::new(reader, CHUNK_BYTES, max));
        let Self::File { path, line_bytes_max } = self else {
            return Ok(Opened::Many(shared(Box::new(io::stdin()), LINE_BYTES_MAX)));
        };
        let open = || {
            let file = File::open(&path)?;
            if is_gzip(&file) {
                let reader = decoded_reader(file)?;
                return Ok(Opened::Own(LineChunks::new(reader, CHUNK_BYTES, line_bytes_max)));
            }
            Ok(Opened::Many(if file.metadata()?.is_file() {
                Open::Ranges(Ranges::of(file), line_bytes_max)
            } else {
                shared(decoded_reader(file)?, line_bytes_max)
            }))
        };
        open().map_err(|error| cannot_read(&path, &error))
    }
}

/// Runs `work` on so many threads (all cores if not told) and returns what each made.
pub(super) fn in_threads<T: Send>(
    threads: Option<NonZeroUsize>,
    work: impl Fn() -> T + Sync,
) -> Result<Vec<T>, Failure> {
    let threads = threads.or_else(|| thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZeroUsize::get);
    let parts: Vec<T> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    if parts.len() < threads {
        return Err("a thread ended early; the result would be without what it read".into());
    }
    Ok(parts)
}

/// Returns a bar over the bytes to read; hidden if their number is not known or nobody looks.
pub(super) fn progress_bar(bytes: Option<u64>) -> ProgressBar {
    let (Some(bytes), true) = (bytes, io::stderr().is_terminal()) else {
        return ProgressBar::hidden();
    };
    let style = ProgressStyle::with_template(
        "{bar:40} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
    );
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
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
