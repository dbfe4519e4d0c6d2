//! The uncompressed content of a file by offset, whether the file is plain or gzip.
//!
//! A plain file is read in place. Gzip is decoded forwards through a window; reading before the
//! window starts the decoder again, which is right but slow, so callers read forwards. It must
//! never interpret what it reads.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use rustix::buffer::spare_capacity;

/// Device and inode: what the operating system calls the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileKey {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileKey {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Returns the modification time in nanoseconds since 1970.
pub(super) fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// Returns a reader over the uncompressed content of `file`, gzip or not, told by its first bytes.
pub fn decoded_reader(mut file: File) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::new();
    file.by_ref().take(2).read_to_end(&mut magic)?;
    // A pipe can't be rewound, so the bytes that were looked at are put in front again.
    let whole = io::Cursor::new(magic.clone()).chain(file);
    Ok(if magic == GZIP_MAGIC { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Bytes decoded at a time.
const DECODE_BYTES: usize = 64 << 10;
/// Bytes kept before the place up to which a window was released: a mark reaches back so far.
const KEPT_BYTES: u64 = crate::ledger::position::MARK_BYTES;

/// How the end of a gzip stream looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GzipEnd {
    /// The last member is complete.
    Clean,
    /// The stream stops in the middle: still being written, or cut.
    Cut,
    /// The stream is damaged.
    Damaged,
}

#[derive(Debug)]
pub(super) enum Content {
    Plain(File),
    Gzip(Box<Gzip>),
}

impl Content {
    /// Opens `path` if it still is the file `key`; anything else there is `NotFound`.
    pub(super) fn open(path: &Path, key: FileKey) -> io::Result<Self> {
        // A pipe may have come there since the look, and opening it would wait for a writer.
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || FileKey::of(&metadata) != key {
            return Err(io::Error::new(io::ErrorKind::NotFound, "another file took its place"));
        }
        let mut magic = [0; 2];
        let read = file.read_at(&mut magic, 0)?;
        if read == 2 && magic == GZIP_MAGIC {
            return Ok(Self::Gzip(Box::new(Gzip::new(file)?)));
        }
        Ok(Self::Plain(file))
    }

    pub(super) fn compressed(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    /// Returns the state of the file behind an open handle.
    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        match self {
            Self::Plain(file) => file.metadata(),
            Self::Gzip(gzip) => gzip.file.metadata(),
        }
    }

    /// Appends the bytes from `at` on to `out`, `wanted` of them or fewer at the end of what
    /// exists. Returns how many.
    pub(super) fn read_at(
        &mut self,
        at: u64,
        wanted: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<usize> {
        match self {
            Self::Plain(file) => read_plain(file, at, wanted, out),
            Self::Gzip(gzip) => gzip.read_at(at, wanted, out),
        }
    }

    /// Returns the bytes `from..to`, or `None` if they do not all exist.
    pub(super) fn range(&mut self, from: u64, to: u64) -> io::Result<Option<Vec<u8>>> {
        let wanted = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        let read = self.read_at(from, wanted, &mut bytes)?;
        Ok((read == wanted).then_some(bytes))
    }

    /// Says that nothing before `at` (but for what a mark there covers) is read again soon.
    pub(super) fn release(&mut self, at: u64) {
        if let Self::Gzip(gzip) = self {
            gzip.release(at.saturating_sub(KEPT_BYTES));
        }
    }

    /// How the stream ends, once its end was reached; `None` for plain files.
    pub(super) fn gzip_end(&self) -> Option<GzipEnd> {
        match self {
            Self::Plain(_) => None,
            Self::Gzip(gzip) => gzip.end,
        }
    }
}

/// Reads into memory that nothing was written to: to fill it with zeros first takes a fifth as long as
/// to read from the cache of the system.
fn read_plain(file: &File, at: u64, wanted: usize, out: &mut Vec<u8>) -> io::Result<usize> {
    let start = out.len();
    out.reserve_exact(wanted);
    let result = loop {
        let done = out.len().saturating_sub(start);
        if done >= wanted {
            break Ok(());
        }
        match rustix::io::pread(file, spare_capacity(out), at.saturating_add(done as u64)) {
            Ok(0) => break Ok(()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => break Err(error.into()),
        }
    };
    out.truncate(start.saturating_add(wanted));
    result.map(|()| out.len().saturating_sub(start))
}

#[derive(Debug)]
pub(super) struct Gzip {
    file: File,
    decoder: MultiGzDecoder<io::BufReader<File>>,
    /// Decoded bytes from `from` on.
    window: Vec<u8>,
    from: u64,
    end: Option<GzipEnd>,
}

impl Gzip {
    fn new(file: File) -> io::Result<Self> {
        let mut source = file.try_clone()?;
        source.rewind()?;
        let decoder = MultiGzDecoder::new(io::BufReader::with_capacity(DECODE_BYTES, source));
        Ok(Self { file, decoder, window: Vec::new(), from: 0, end: None })
    }

    fn decoded_to(&self) -> u64 {
        self.from.saturating_add(self.window.len() as u64)
    }

    fn release(&mut self, to: u64) {
        let surplus = to.saturating_sub(self.from).min(self.window.len() as u64);
        let count = usize::try_from(surplus).unwrap_or(self.window.len());
        drop(self.window.drain(..count));
        self.from = self.from.saturating_add(surplus);
    }

    fn read_at(&mut self, at: u64, wanted: usize, out: &mut Vec<u8>) -> io::Result<usize> {
        if at < self.from {
            *self = Self::new(self.file.try_clone()?)?;
        }
        let to = at.saturating_add(wanted as u64);
        while self.decoded_to() < to && self.end.is_none() {
            if self.decoded_to() < at {
                // On the way to `at` only the end of the window can still matter.
                self.release(self.decoded_to().saturating_sub(KEPT_BYTES));
            }
            self.decode()?;
        }
        let skipped = usize::try_from(at.saturating_sub(self.from)).unwrap_or(usize::MAX);
        let rest = self.window.get(skipped..).unwrap_or_default();
        let found = rest.get(..wanted).unwrap_or(rest);
        out.extend_from_slice(found);
        Ok(found.len())
    }

    fn decode(&mut self) -> io::Result<()> {
        let start = self.window.len();
        self.window.resize(start.saturating_add(DECODE_BYTES), 0);
        let space = self.window.get_mut(start..).unwrap_or_default();
        let result = self.decoder.read(space);
        let read = result.as_ref().copied().unwrap_or(0);
        self.window.truncate(start.saturating_add(read));
        match result {
            Ok(0) => self.end = Some(GzipEnd::Clean),
            Ok(_) => {}
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::UnexpectedEof => self.end = Some(GzipEnd::Cut),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                    self.end = Some(GzipEnd::Damaged);
                }
                _ => return Err(error),
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::Command;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(file: File) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        decoded_reader(file)?.read_to_end(&mut content)?;
        Ok(content)
    }

    fn decoded_file(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        decoded(file)
    }

    #[test]
    fn decoded_reader_tells_gzip_by_its_first_bytes_only() {
        let two_members = [gzip(b"one\n"), gzip(b"two\n")].concat();
        let cases: &[(&[u8], &[u8])] = &[
            (b"", b""),
            (b"{", b"{"),
            (b"\x1f", b"\x1f"),
            (b"{}\n{}\n", b"{}\n{}\n"),
            (b"a\x1f\x8b", b"a\x1f\x8b"),
            (&gzip(b""), b""),
            (&two_members, b"one\ntwo\n"),
        ];
        for (bytes, content) in cases {
            assert_eq!(decoded_file(bytes).unwrap(), *content, "{bytes:?}");
        }
    }

    #[test]
    fn decoded_reader_says_that_gzip_is_cut_or_damaged() {
        let whole = gzip(&b"a line of a log\n".repeat(100));
        let cut = decoded_file(&whole[..whole.len() - 4]).unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
        assert!(decoded_file(b"\x1f\x8bthis is not gzip").is_err());
    }

    #[test]
    fn decoded_reader_reads_a_pipe_from_its_first_byte() {
        for bytes in [b"{}\n".to_vec(), gzip(b"{}\n")] {
            let (reader, mut writer) = io::pipe().unwrap();
            let feeder = thread::spawn(move || {
                // Byte by byte: the first two need not come together.
                bytes.iter().try_for_each(|byte| writer.write_all(&[*byte]))
            });
            let file = File::from(std::os::fd::OwnedFd::from(reader));
            assert_eq!(decoded(file).unwrap(), b"{}\n");
            feeder.join().unwrap().unwrap();
        }
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let made = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        // Also when the pipe got the inode number of the file that was there.
        let same = FileKey::of(&path.metadata().unwrap());
        let another = FileKey { inode: same.inode.wrapping_add(1), ..same };
        for key in [same, another] {
            let (opened, result) = mpsc::channel();
            let path = path.clone();
            thread::spawn(move || {
                let outcome = Content::open(&path, key).map(drop).map_err(|error| error.kind());
                opened.send(outcome)
            });
            let outcome = result.recv_timeout(Duration::from_secs(10));
            assert_eq!(outcome, Ok(Err(io::ErrorKind::NotFound)));
        }
    }
}
