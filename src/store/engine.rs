//! The seam between the ledger and an embedded database.

use std::collections::BTreeMap;

use super::error::StoreError;

/// Changes that become durable together: a value to put, or `None` to delete the key.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch(pub BTreeMap<Vec<u8>, Option<Vec<u8>>>);

/// A key with its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Sorted keys and values that can be read.
pub trait Reader: Send {
    /// Returns the first `limit` pairs with `from <= key < to`, in order.
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError>;
}

/// Sorted keys and values with atomic, durable commits.
///
/// [`super::sled::SledEngine`] ships; tests have one that fails on command.
pub trait Engine: Reader {
    /// Returns the value of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns a reader of its own, for another thread: it sees what was committed when it looks.
    fn reader(&self) -> Box<dyn Reader>;

    /// Makes all of `batch` durable, or nothing of it. After an error the engine refuses everything.
    fn commit(&mut self, batch: WriteBatch) -> Result<(), StoreError>;

    /// Returns the bytes taken on disk.
    fn bytes_on_disk(&self) -> u64;
}

impl WriteBatch {
    /// Puts a value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert(key, Some(value));
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.0.insert(key, None);
    }
}

/// How many pairs [`each`] reads at a time: with values of at most 120 KiB, 8 MiB.
const PAGE: usize = 64;

/// Visits every pair with `from <= key < to`, in order, a page at a time.
pub fn each(
    reader: &dyn Reader,
    from: &[u8],
    to: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut next = from.to_vec();
    while next.as_slice() < to {
        let page = reader.range(&next, to, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        next.clone_from(last);
        next.push(0);
        for (key, value) in &page {
            visit(key, value)?;
        }
    }
    Ok(())
}

/// Visits the keys with `from <= key < to` in order, until `visit` took `limit` of them, which it says;
/// holds a page of values at most.
pub fn each_key(
    reader: &dyn Reader,
    from: &[u8],
    to: &[u8],
    limit: usize,
    mut visit: impl FnMut(&[u8]) -> bool,
) -> Result<(), StoreError> {
    let mut next = from.to_vec();
    let mut left = limit;
    while left > 0 && next.as_slice() < to {
        let page = reader.range(&next, to, left.min(PAGE))?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        next.clone_from(last);
        next.push(0);
        left -= page.iter().filter(|(key, _)| visit(key)).count();
    }
    Ok(())
}
