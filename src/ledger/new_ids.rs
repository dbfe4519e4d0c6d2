//! Request ids on their way to the store: those that one commit adds to one slice, in the pieces in
//! which they are stored. It must never hold ids of two slices.

use serde::{Deserialize, Serialize};

/// Ids in one stored piece, eight bytes each: they must fit into the largest value. Tests have few
/// ids, and pieces all the same.
pub const IDS_PER_PIECE: usize = if cfg!(test) { 3 } else { 600 };

/// Request ids, eight bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdList(pub Vec<u64>);

/// The ids that one commit adds to one slice. Full pieces are stored under keys of their own at once,
/// since most of what a commit holds in a backlog is ids, and the journal is written to be deleted.
/// The rest waits in the journal until it is enough for a piece.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewIds {
    /// How many full pieces there are; all that the journal says of them.
    pieces: u32,
    #[serde(skip)]
    full: Vec<IdList>,
    rest: IdList,
}

impl NewIds {
    /// Adds an id.
    pub fn push(&mut self, id: u64) {
        if self.rest.0.is_empty() {
            self.rest.0.reserve_exact(IDS_PER_PIECE);
        }
        self.rest.0.push(id);
        if self.rest.0.len() == IDS_PER_PIECE {
            self.full.push(std::mem::take(&mut self.rest));
            self.pieces += 1;
        }
    }

    /// Returns how many full pieces there are, whether they are at hand or not.
    pub fn pieces(&self) -> u32 {
        self.pieces
    }

    /// Returns the full pieces. There are none behind what was read from a journal.
    pub fn full(&self) -> &[IdList] {
        &self.full
    }

    /// Returns what is left over by the full pieces.
    pub fn rest(&self) -> &[u64] {
        &self.rest.0
    }

    /// Gives the full pieces to what was read from a journal.
    pub fn restore(&mut self, full: Vec<IdList>) {
        self.full = full;
    }

    /// Iterates over the ids in pieces.
    pub fn lists(&self) -> impl Iterator<Item = &[u64]> {
        self.full.iter().chain(std::iter::once(&self.rest)).map(|list| list.0.as_slice())
    }
}

/// Ids are random, so the varints of the rest would make them longer: they are stored as they are.
impl Serialize for IdList {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Written into place, since to push byte by byte takes many times as long.
        let mut bytes = vec![0; self.0.len() * size_of::<u64>()];
        for (place, id) in bytes.as_chunks_mut().0.iter_mut().zip(&self.0) {
            *place = id.to_be_bytes();
        }
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for IdList {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        let (ids, rest) = bytes.as_chunks::<8>();
        if rest.is_empty() {
            Ok(Self(ids.iter().map(|id| u64::from_be_bytes(*id)).collect()))
        } else {
            Err(serde::de::Error::custom("a list of ids is not a multiple of eight bytes"))
        }
    }
}
