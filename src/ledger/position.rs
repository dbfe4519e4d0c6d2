//! How far a log is counted, and how the log is known again after it was renamed, copied,
//! compressed, truncated or replaced.

/// Bytes at the beginning of a log whose hash is part of its identity.
pub const HEAD_BYTES_MAX: u64 = 1024;
/// Bytes before a [`Mark`] that its hash covers.
pub const MARK_BYTES: u64 = 256;
/// How many marks a position keeps; older ones thin out.
pub const MARKS_MAX: usize = 16;

/// Names one generation of one log within a ledger. Never used twice.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct LogId(pub u64);

/// A fingerprint inside a log: the hash of the (up to) [`MARK_BYTES`] bytes before `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// Offset in the uncompressed content.
    pub at: u64,
    /// `stored_hash` of the bytes before `at`.
    pub hash: u64,
}

/// Everything that is stored about one generation of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LogPosition {
    /// The path under which the file was last seen, as raw bytes of the operating system.
    pub path: Vec<u8>,
    /// Name of the source that reads it.
    pub source: String,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Whether the file is gzip; offsets always count uncompressed bytes.
    pub compressed: bool,
    /// How many bytes `head_hash` covers: `min(offset, HEAD_BYTES_MAX)`.
    pub head_bytes: u64,
    /// `stored_hash` of the first `head_bytes` bytes.
    pub head_hash: u64,
    /// Everything before this offset is counted.
    pub offset: u64,
    /// Fingerprints in rising order; the last one is at `offset` (none while `offset` is 0).
    pub marks: Vec<Mark>,
    /// Modification time of the file when it was last read, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Whether this generation will not grow any more (truncated, deleted, or read to its end
    /// after it was compressed); it is kept to recognise its copies.
    pub ended: bool,
    /// Everything before here was seen to exist; what of it no file holds any more is lost.
    pub owed_to: u64,
    /// Until when copies of a generation that was cut may turn up, in milliseconds since 1970; what
    /// is lost of it is known only then.
    pub grace_until_ms: Option<i64>,
    /// When this generation was last seen, in milliseconds since 1970, for forgetting it.
    pub seen_ms: i64,
}
