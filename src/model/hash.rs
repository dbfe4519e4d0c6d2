//! The hashes that reach the disk. They are fixed here so that a store written by one build is
//! understood by the next; in-memory maps may hash as they like.

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

/// Returns the stored 64-bit hash of `bytes`.
pub fn stored_hash(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Returns the stored 64-bit hash of `bytes` under a secret `seed`, so that whoever writes a log
/// can't choose colliding ids.
pub fn seeded_hash(bytes: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}

/// A running [`stored_hash`] over a stream of bytes.
#[derive(Clone, Default)]
pub struct RunningHash(Xxh3);

impl RunningHash {
    /// Adds the next bytes of the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the hash of everything added so far.
    pub fn value(&self) -> u64 {
        self.0.digest()
    }
}

impl std::fmt::Debug for RunningHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunningHash({:016x})", self.value())
    }
}
