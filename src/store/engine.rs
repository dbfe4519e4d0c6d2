//! The seam between the ledger and an embedded database: sorted keys, and streams beside them.
//!
//! A *stream* is bytes that are only added to, for what comes in hundreds of kilobytes and is read back
//! whole: a tree would write it many times. It does not know how long it is. Bytes count once a key of
//! the same batch says so; what stands behind them is what a crash left, and is written over.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::error::StoreError;

/// Changes that become durable together.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    /// By key: a value to put, or `None` to delete the key.
    pub pairs: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// What is written to streams.
    pub written: Vec<StreamPart>,
    /// Streams that go as soon as the batch is durable.
    pub ended: Vec<u64>,
}

/// Bytes of a stream.
#[derive(Clone, Debug)]
pub struct StreamPart {
    /// Number of the stream, which begins if it is not there.
    pub stream: u64,
    /// Where they stand in it.
    pub from: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A key with its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Takes a key and its value, and says whether to go on.
pub type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'v;

/// Sorted keys and values that can be read.
pub trait Reader: Send {
    /// Visits the pairs with `from <= key < to` in order, until `visit` says that it is enough or fails. What is
    /// written meanwhile may be among them or not.
    fn visit(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError>;
}

/// Sorted keys and values, and streams, with atomic and durable commits.
///
/// [`super::sled::SledEngine`] ships; tests have one that fails on command.
pub trait Engine: Reader {
    /// Returns the value of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns a reader of its own, for another thread: it sees what was committed when it looks.
    fn reader(&self) -> Box<dyn Reader>;

    /// Makes all of `batch` durable, or nothing of it. After an error the engine refuses everything.
    fn commit(&mut self, batch: WriteBatch) -> Result<(), StoreError>;

    /// Visits the first `len` bytes of a stream in pieces, of which all but the last have a length that
    /// eight divides. Fails if there are fewer.
    fn read_stream(
        &self,
        stream: u64,
        len: u64,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), StoreError>;

    /// Ends every stream but those in `kept`: a crash may come before the end of a stream that a batch
    /// has ended, and after the beginning of one of a batch that is not durable.
    fn end_streams_but(&mut self, kept: &BTreeSet<u64>) -> Result<(), StoreError>;

    /// Returns the bytes taken on disk.
    fn bytes_on_disk(&self) -> u64;
}

impl WriteBatch {
    /// Puts a value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.pairs.insert(key, Some(value));
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.pairs.insert(key, None);
    }

    /// Tells whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.written.is_empty() && self.ended.is_empty()
    }
}

/// Visits every pair with `from <= key < to`, in order.
pub fn each(
    reader: &dyn Reader,
    from: &[u8],
    to: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    while_wanted(reader, from, to, |key, value| {
        visit(key, value)?;
        Ok(ControlFlow::Continue(()))
    })
}

/// Visits pairs with `from <= key < to` in order, until `visit` says that it is enough.
pub fn while_wanted(
    reader: &dyn Reader,
    from: &[u8],
    to: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    if from < to { reader.visit(from, to, &mut visit) } else { Ok(()) }
}

/// Visits the keys with `from <= key < to` in order, until `visit` took `limit` of them, which it says.
pub fn each_key(
    reader: &dyn Reader,
    from: &[u8],
    to: &[u8],
    limit: usize,
    mut visit: impl FnMut(&[u8]) -> bool,
) -> Result<(), StoreError> {
    let mut left = limit;
    while_wanted(reader, from, to, |key, _| {
        if left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        left -= usize::from(visit(key));
        Ok(ControlFlow::Continue(()))
    })
}

/// Returns the first pair with `from <= key < to`.
pub fn first_pair(reader: &dyn Reader, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError> {
    let mut found = None;
    while_wanted(reader, from, to, |key, value| {
        found = Some((key.to_vec(), value.to_vec()));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}
