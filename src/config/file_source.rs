//! Settings of one `[[source]]` of files.

/// A checked `[[source]]` with `type = "file"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSourceConfig {
    /// Label value of the source.
    pub name: String,
    /// Globs (absolute, or relative to the working directory).
    pub include: Vec<String>,
    /// Globs whose files are left out although `include` matches them.
    pub exclude: Vec<String>,
    /// Sources that tell of the same calls: what no id connects with theirs is not counted again.
    pub corroborates: Vec<String>,
    /// Longer lines are skipped and counted.
    pub line_bytes_max: usize,
    /// File handles kept open between sweeps.
    pub open_files_max: usize,
    /// Milliseconds between two expansions of the globs when no event came.
    pub rescan_ms: u64,
    /// Milliseconds without a change after which a rotated or deleted file counts as finished.
    pub finished_after_ms: u64,
    /// Milliseconds after which a generation that was not seen any more is forgotten.
    pub forget_after_ms: u64,
}

impl FileSourceConfig {
    /// Returns a source named `name` over `include` with the default settings.
    pub fn new(name: &str, include: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            include,
            exclude: Vec::new(),
            corroborates: Vec::new(),
            line_bytes_max: 8 << 20,
            open_files_max: 256,
            rescan_ms: 2_000,
            finished_after_ms: 2_000,
            forget_after_ms: 30 * 24 * 3_600_000,
        }
    }
}
