//! Request ids on their way to the store: those that one commit adds to one slice. It must never hold ids
//! of two slices.

use serde::{Deserialize, Serialize};

/// So many ids of one slice are stored apart from the journal. Tests have few ids, and both ways all
/// the same.
const APART_MIN: usize = if cfg!(test) { 3 } else { 600 };

/// Request ids, eight bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdList(pub Vec<u64>);

/// The ids that one commit adds to one slice. Many are stored at once where they stay, since most of what
/// a commit holds in a backlog is ids, and the journal is written to be deleted. Few wait in the
/// journal for the next fold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewIds {
    count: u64,
    /// All of them, if they are stored apart; not in the journal.
    #[serde(skip)]
    apart: Vec<u64>,
    /// All of them, if they are not.
    listed: IdList,
}

impl NewIds {
    /// Adds an id.
    pub fn push(&mut self, id: u64) {
        self.count += 1;
        if !self.apart.is_empty() {
            self.apart.push(id);
            return;
        }
        self.listed.0.push(id);
        if self.listed.0.len() == APART_MIN {
            self.apart = std::mem::take(&mut self.listed.0);
        }
    }

    /// Returns how many ids there are, whether they are at hand or not.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the ids that are stored apart. There are none behind what was read from a journal.
    pub fn apart(&self) -> &[u64] {
        &self.apart
    }

    /// Returns the ids that the journal holds.
    pub fn listed(&self) -> &[u64] {
        &self.listed.0
    }
}

/// Returns ids as they are stored, eight bytes each.
pub fn bytes_of(ids: &[u64]) -> Vec<u8> {
    // Written into place, since to push byte by byte takes many times as long.
    let mut bytes = vec![0; size_of_val(ids)];
    for (place, id) in bytes.as_chunks_mut().0.iter_mut().zip(ids) {
        *place = id.to_be_bytes();
    }
    bytes
}

/// Returns the ids of stored bytes; what is left over of the last eight is none.
pub fn ids_of(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|id| u64::from_be_bytes(*id))
}

/// Ids are random, so the varints of the rest would make them longer: they are stored as they are.
impl Serialize for IdList {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&bytes_of(&self.0))
    }
}

impl<'de> Deserialize<'de> for IdList {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        if bytes.len().is_multiple_of(size_of::<u64>()) {
            Ok(Self(ids_of(bytes).collect()))
        } else {
            Err(serde::de::Error::custom("a list of ids is not a multiple of eight bytes"))
        }
    }
}
