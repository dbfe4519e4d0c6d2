//! The file source from outside: real files in a folder of their own, sweeps driven by hand, and
//! a ledger that checks every batch. Time is a number; nothing waits.
#![allow(
    clippy::string_slice,
    clippy::print_stderr,
    clippy::format_collect,
    clippy::cast_possible_truncation,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::duration_suboptimal_units,
    reason = "a test may stop, and names its seed"
)]

mod cases;
mod damage;
mod frames;
mod model;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::{FileSource, LogIds, Look, Problem, Sweep};
use crate::config::FileSourceConfig;
use crate::decode::frame::units;
use crate::ledger::position::{LogId, LogPosition};
use crate::model::time::UnixMillis;
use crate::source::{Batch, FileChange};

/// Longer than `finished_after_ms`.
const LONG_MS: i64 = 3_000;

struct Rig {
    folder: tempfile::TempDir,
    config: FileSourceConfig,
    source: FileSource,
    now_ms: i64,
    stored: BTreeMap<LogId, LogPosition>,
    counted: BTreeMap<String, u64>,
    oversized: u64,
    truncated: u64,
    lost: u64,
    changes: Vec<FileChange>,
    problems: Vec<Problem>,
    last: Sweep,
}

fn is_whole(line: &[u8]) -> bool {
    line.starts_with(b"{") && line.ends_with(b"}")
}

impl Rig {
    fn new(include: &[&str]) -> Self {
        Self::with(include, |_| {})
    }

    fn with(include: &[&str], change: impl FnOnce(&mut FileSourceConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let globs = include.iter().map(|glob| format!("{}/{glob}", folder.path().display()));
        let mut config = FileSourceConfig::new("test", globs.collect());
        change(&mut config);
        let source = FileSource::new(config.clone(), Vec::new(), LogIds::after(None), is_whole);
        Self {
            folder,
            config,
            source,
            now_ms: 1_800_000_000_000,
            stored: BTreeMap::new(),
            counted: BTreeMap::new(),
            oversized: 0,
            truncated: 0,
            lost: 0,
            changes: Vec::new(),
            problems: Vec::new(),
            last: Sweep::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
    }

    fn truncate(&self, name: &str) {
        OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(0).unwrap();
    }

    /// Compresses as gzip does: the new file, with the old time, then the old one is removed.
    fn gzip(&self, name: &str) {
        let modified = fs::metadata(self.path(name)).unwrap().modified().unwrap();
        let bytes = gzipped(&fs::read(self.path(name)).unwrap());
        let to = self.path(&format!("{name}.gz"));
        fs::write(&to, bytes).unwrap();
        File::options().write(true).open(&to).unwrap().set_modified(modified).unwrap();
        self.remove(name);
    }

    fn make_old(&self, name: &str) {
        let file = File::options().write(true).open(self.path(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
    }

    fn add_batch(&mut self, batch: &Batch) {
        if let Some(stored) = self.stored.get(&batch.log) {
            assert_eq!(batch.span.advance(stored.offset), Ok(batch.position.offset), "{batch:?}");
        }
        let position = batch.position.as_ref();
        assert_eq!(position.offset, batch.span.to);
        assert_eq!(position.marks.last().map_or(0, |mark| mark.at), position.offset);
        self.stored.insert(batch.log, position.clone());
        for unit in units(&batch.lines, &batch.frames) {
            let text = String::from_utf8_lossy(&batch.lines[unit.range]);
            *self.counted.entry(text.trim_end_matches('\n').to_owned()).or_default() += 1;
        }
        self.oversized += batch.oversized_lines;
        self.truncated += batch.truncated_lines;
        self.lost += batch.lost_bytes;
        self.changes.extend(&batch.changes);
    }

    /// One sweep, of which only the first `committed` batches reach the ledger.
    fn sweep_once(&mut self, look: Look<'_>, committed: usize) -> usize {
        let mut batches = Vec::new();
        let mut emit = |batch| {
            batches.push(batch);
            ControlFlow::Continue(())
        };
        self.last = self.source.sweep(UnixMillis(self.now_ms), look, &mut emit);
        self.problems.append(&mut self.last.problems);
        for batch in batches.iter().take(committed) {
            self.add_batch(batch);
        }
        if batches.len() <= committed {
            for id in &self.last.forget {
                self.stored.remove(id);
            }
        }
        batches.len()
    }

    /// Sweeps until nothing is due at once.
    fn sweep(&mut self) {
        for _ in 0..50 {
            self.sweep_once(Look::Everything, usize::MAX);
            if self.last.next_wake_ms != Some(0) {
                return;
            }
        }
        panic!("the sweeps find no end: {:?}", self.last);
    }

    /// Lets time pass and sweeps, until everything that waits for quiet is decided.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.sweep();
            self.now_ms += LONG_MS;
        }
        self.sweep();
    }

    /// Stops without a word and starts from what is stored.
    fn restart(&mut self) {
        let positions: Vec<_> = self.stored.iter().map(|(&id, at)| (id, at.clone())).collect();
        let ids = LogIds::after(self.stored.keys().last().copied());
        self.source = FileSource::new(self.config.clone(), positions, ids, is_whole);
        self.now_ms += 10;
    }

    #[track_caller]
    fn expect_once(&self, lines: &str) {
        let expected: BTreeMap<String, u64> =
            lines.lines().map(|line| (line.to_owned(), 1)).collect();
        assert_eq!(self.counted, expected, "{:#?}", self.stored);
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Lines `from..to`, each about as long as a short log line and unlike the others.
fn lines(from: u64, to: u64) -> String {
    (from..to).map(|n| format!("{{\"request\":{n},\"text\":\"{}\"}}\n", "x".repeat(90))).collect()
}
