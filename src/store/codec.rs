//! How values become bytes: postcard, and a checksum that ties them to their key. A value that was
//! damaged, cut or moved to another key must never become a number.

use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

use super::engine::WriteBatch;
use super::error::StoreError;
use crate::model::hash::RunningHash;

/// Bytes of the checksum at the end of every value but the schema version.
const SUM_BYTES: usize = 4;

/// Puts `value` under `key`.
pub(super) fn put<T: Serialize + ?Sized>(
    batch: &mut WriteBatch,
    key: Vec<u8>,
    value: &T,
) -> Result<(), StoreError> {
    seal(batch, key, encode(value)?);
    Ok(())
}

/// Puts bytes under `key`.
pub(super) fn put_bytes(batch: &mut WriteBatch, key: Vec<u8>, bytes: &[u8]) {
    let mut value = Vec::with_capacity(bytes.len() + SUM_BYTES);
    value.extend_from_slice(bytes);
    seal(batch, key, value);
}

fn seal(batch: &mut WriteBatch, key: Vec<u8>, mut bytes: Vec<u8>) {
    bytes.extend_from_slice(&checksum(&key, &bytes));
    batch.put(key, bytes);
}

/// Returns the bytes of `value`, without a checksum.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, StoreError> {
    let encoding = |error: postcard::Error| StoreError::Engine {
        action: "encode a value",
        what: error.to_string(),
    };
    postcard::to_stdvec(value).map_err(encoding)
}

/// Returns what was put under `key`.
pub(super) fn get<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, StoreError> {
    decode(key, get_bytes(key, value)?)
}

/// Reads what was put under `key` with `seed`.
pub(super) fn get_with<'v, S: DeserializeSeed<'v>>(
    key: &[u8],
    value: &'v [u8],
    seed: S,
) -> Result<S::Value, StoreError> {
    let mut deserializer = postcard::Deserializer::from_bytes(get_bytes(key, value)?);
    let read = seed.deserialize(&mut deserializer);
    let whole = read.and_then(|value| Ok((value, deserializer.finalize()?)));
    match whole {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(corrupt(key, &format!("has {} bytes too many", rest.len()))),
        Err(error) => Err(corrupt(key, &format!("does not decode ({error})"))),
    }
}

/// Returns the bytes that were put under `key`.
pub(super) fn get_bytes<'v>(key: &[u8], value: &'v [u8]) -> Result<&'v [u8], StoreError> {
    match value.split_last_chunk::<SUM_BYTES>() {
        Some((bytes, sum)) if *sum == checksum(key, bytes) => Ok(bytes),
        _ => Err(corrupt(key, "has another checksum")),
    }
}

/// Returns the value of bytes without a checksum; `key` is for the error.
pub(super) fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(corrupt(key, &format!("has {} bytes too many", rest.len()))),
        Err(error) => Err(corrupt(key, &format!("does not decode ({error})"))),
    }
}

/// Returns the error about a key that no build writes.
pub(super) fn misplaced(key: &[u8]) -> StoreError {
    corrupt(key, "is of no kind that there is")
}

fn corrupt(key: &[u8], what: &str) -> StoreError {
    StoreError::Corrupt { what: format!("the value of key {key:02x?} {what}") }
}

#[expect(clippy::cast_possible_truncation, reason = "half of a 64-bit hash is a 32-bit hash")]
fn checksum(key: &[u8], bytes: &[u8]) -> [u8; SUM_BYTES] {
    let mut hash = RunningHash::default();
    hash.update(key);
    hash.update(bytes);
    (hash.value() as u32).to_be_bytes()
}
