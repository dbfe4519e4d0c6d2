//! An engine in memory for tests: it keeps what is durable apart from itself, and fails on command.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::engine::{Engine, Pair, Reader, Visit, WriteBatch};
use super::error::StoreError;

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(pub(super) Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>);

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
            let disk = self.disk.0.lock().unwrap();
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
        Ok(self.disk.0.lock().unwrap().get(key).cloned())
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
        if failure != Some(Failure::Before) {
            let mut disk = self.disk.0.lock().unwrap();
            for (key, value) in batch.0 {
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
        match failure {
            Some(_) => Err(StoreError::Engine { action: "flush", what: "no disk".to_owned() }),
            None => Ok(()),
        }
    }

    fn bytes_on_disk(&self) -> u64 {
        0
    }
}
