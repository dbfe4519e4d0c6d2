//! An engine in memory for tests: it keeps what is durable apart from itself, and fails on command.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::engine::{Engine, Pair, Reader, StreamPart, Visit, WriteBatch};
use super::error::StoreError;

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) pairs: Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>,
    pub(super) streams: Arc<Mutex<BTreeMap<u64, Vec<u8>>>>,
}

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing of it is durable.
    Before,
    /// All of it is durable, but the caller is told that it failed.
    After,
}

pub(super) struct MemoryEngine {
    disk: Disk,
    commits: Arc<Mutex<usize>>,
    fail: Option<(usize, Failure)>,
    poisoned: bool,
}

impl MemoryEngine {
    pub(super) fn new(disk: &Disk) -> Self {
        Self { disk: disk.clone(), commits: Arc::default(), fail: None, poisoned: false }
    }

    /// Counts commits in `commits` and fails the one with this number, counted from 0.
    pub(super) fn failing(
        disk: &Disk,
        commits: &Arc<Mutex<usize>>,
        fail: Option<(usize, Failure)>,
    ) -> Self {
        Self { disk: disk.clone(), commits: Arc::clone(commits), fail, poisoned: false }
    }
}

impl Reader for MemoryEngine {
    fn visit(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        // A copy, so that who visits may look at the engine.
        let range: Vec<Pair> = {
            let disk = self.disk.pairs.lock().unwrap();
            let range = disk.range(from.to_vec()..to.to_vec());
            range.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        for (key, value) in range {
            if visit(&key, &value)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Engine for MemoryEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        Ok(self.disk.pairs.lock().unwrap().get(key).cloned())
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Self::new(&self.disk))
    }

    fn commit(&mut self, batch: WriteBatch) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        let number = {
            let mut commits = self.commits.lock().unwrap();
            *commits += 1;
            *commits - 1
        };
        let failure = self.fail.filter(|&(fail, _)| fail == number).map(|(_, failure)| failure);
        self.poisoned = failure.is_some();
        let mut streams = self.disk.streams.lock().unwrap();
        // Also where the batch fails: bytes of streams are written first.
        for StreamPart { stream, from, bytes } in batch.written {
            let stream = streams.entry(stream).or_default();
            let from = usize::try_from(from).unwrap();
            assert!(from <= stream.len(), "a stream has a hole");
            stream.truncate(from);
            stream.extend(bytes);
        }
        if failure != Some(Failure::Before) {
            let mut disk = self.disk.pairs.lock().unwrap();
            for (key, value) in batch.pairs {
                match value {
                    Some(value) => {
                        assert!(
                            value.len() <= super::sled::VALUE_BYTES_MAX,
                            "a value is too large"
                        );
                        disk.insert(key, value);
                    }
                    None => {
                        disk.remove(&key);
                    }
                }
            }
        }
        if failure.is_some() {
            return Err(StoreError::Engine { action: "flush", what: "no disk".to_owned() });
        }
        streams.retain(|stream, _| !batch.ended.contains(stream));
        Ok(())
    }

    fn read_stream(
        &self,
        stream: u64,
        len: u64,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        let streams = self.disk.streams.lock().unwrap();
        let bytes = streams.get(&stream).and_then(|bytes| bytes.get(..usize::try_from(len).ok()?));
        let what = || format!("stream {stream} has no {len} bytes");
        let bytes = bytes.ok_or_else(|| StoreError::Corrupt { what: what() })?;
        bytes.chunks(16).for_each(visit);
        Ok(())
    }

    fn end_streams_but(&mut self, kept: &BTreeSet<u64>) -> Result<(), StoreError> {
        self.disk.streams.lock().unwrap().retain(|stream, _| kept.contains(stream));
        Ok(())
    }

    fn bytes_on_disk(&self) -> u64 {
        0
    }
}
