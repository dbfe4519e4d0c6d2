//! Finds files: expands the globs, and lists the rotated siblings of a path.
//!
//! It stats and lists, and never opens a file. What can't be read is a problem of the sweep and
//! stops nothing; a file that vanishes between listing and stat is nobody's problem.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::content::{FileKey, modified_ns};
use super::{Problem, ProblemKind};
use crate::config::FileSourceConfig;

/// A regular file as one look found it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) key: FileKey,
    /// Where the file really is: no link at its end, folder canonical.
    pub(super) path: PathBuf,
    /// The path that the glob matched; `None` if it was only found as the sibling of another.
    pub(super) seat: Option<PathBuf>,
    pub(super) size: u64,
    pub(super) modified_ns: i64,
}

impl Found {
    fn new(path: PathBuf, seat: Option<PathBuf>, metadata: &Metadata) -> Self {
        Self {
            key: FileKey::of(metadata),
            path,
            seat,
            size: metadata.len(),
            modified_ns: modified_ns(metadata),
        }
    }
}

/// Everything that one look found; hard links and symlinks to one file are one entry.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) files: BTreeMap<FileKey, Found>,
    /// Matched path, to the file behind it.
    pub(super) seats: BTreeMap<PathBuf, FileKey>,
    listings: BTreeMap<PathBuf, Vec<PathBuf>>,
    folders: BTreeMap<PathBuf, PathBuf>,
    pub(super) problems: Vec<Problem>,
    /// Files that match and hold no records by their place.
    pub(super) noise: usize,
}

impl View {
    /// Stats `path` and adds what is there; returns it.
    pub(super) fn add(&mut self, path: &Path, seat: bool) -> Option<FileKey> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return None,
            Err(error) => {
                self.problem(path, ProblemKind::Stat, error);
                return None;
            }
        };
        let key = FileKey::of(&metadata);
        let real = self.real_path(path)?;
        let seat = seat.then(|| path.to_owned());
        if let Some(seat) = &seat {
            self.seats.insert(seat.clone(), key);
        }
        let found = Found::new(real, seat, &metadata);
        match self.files.get_mut(&key) {
            // Of several names the first stays, but a matched one is better than a sibling.
            Some(known) if known.seat.is_some() || found.seat.is_none() => {}
            _ => drop(self.files.insert(key, found)),
        }
        Some(key)
    }

    fn real_path(&mut self, path: &Path) -> Option<PathBuf> {
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        let (Some(folder), Some(name), false) = (path.parent(), path.file_name(), is_link) else {
            return std::fs::canonicalize(path).ok();
        };
        if let Some(real) = self.folders.get(folder) {
            return Some(real.join(name));
        }
        let real = std::fs::canonicalize(folder).ok()?;
        self.folders.insert(folder.to_owned(), real.clone());
        Some(real.join(name))
    }

    /// Adds the regular files in `folder` whose names are rotated forms of one of `bases`, and
    /// returns them.
    pub(super) fn add_siblings(
        &mut self,
        folder: &Path,
        bases: &BTreeSet<Vec<u8>>,
    ) -> Vec<FileKey> {
        if !self.listings.contains_key(folder) {
            let listing = match std::fs::read_dir(folder) {
                Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
                Err(error) => {
                    self.problem(folder, ProblemKind::List, error);
                    Vec::new()
                }
            };
            self.listings.insert(folder.to_owned(), listing);
        }
        let listing = self.listings.get(folder).map(Vec::as_slice).unwrap_or_default();
        let rotated = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().as_bytes();
            bases.iter().any(|base| base == name || is_rotated_name(base, name))
        };
        let siblings: Vec<PathBuf> = listing.iter().filter(rotated).cloned().collect();
        siblings.iter().filter_map(|path| self.add(path, false)).collect()
    }

    fn problem(&mut self, path: &Path, kind: ProblemKind, error: io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            self.problems.push(Problem { path: path.to_owned(), kind, error: Some(error) });
        }
    }
}

/// Returns whether `name` is what rotation makes of `base`: `app.log` becomes `app.log.1`,
/// `app.log-20261123.gz`, `app-2026-11-23.log`, ….
pub(super) fn is_rotated_name(base: &[u8], name: &[u8]) -> bool {
    let separated = |rest: &[u8]| rest.first().is_some_and(|byte| b".-_~".contains(byte));
    if base.is_empty() || base == name {
        return false;
    }
    if name.strip_prefix(base).is_some_and(separated) {
        return true;
    }
    let Some(dot) = memchr::memrchr(b'.', base).filter(|&dot| dot > 0) else { return false };
    let stem = base.get(..dot).unwrap_or_default();
    let rest = name.strip_prefix(stem).unwrap_or_default();
    separated(rest) && rest.get(1).is_some_and(u8::is_ascii_digit)
}

/// Returns whether a file that was at `before` and is at `after` now was put aside by rotation, and
/// not renamed to a name under which it may be written on.
pub(super) fn is_put_aside(before: &Path, after: &Path) -> bool {
    let name = |path: &'_ Path| path.file_name().unwrap_or_default().to_owned();
    let (before, after) = (name(before), name(after));
    bases_of(&before).iter().any(|base| is_rotated_name(base, after.as_bytes()))
}

/// Returns the names under which a file called `name` may have been rotated before: the name
/// itself, and without `.gz` and the number or date at its end.
pub(super) fn bases_of(name: &OsStr) -> BTreeSet<Vec<u8>> {
    let mut bases = BTreeSet::from([name.as_bytes().to_vec()]);
    let mut rest = name.as_bytes();
    rest = rest.strip_suffix(b".gz").unwrap_or(rest);
    bases.insert(rest.to_vec());
    let counts = |byte: &u8| byte.is_ascii_digit() || b".-_T".contains(byte);
    let end = rest.iter().rposition(|byte| !counts(byte)).map_or(0, |at| at.saturating_add(1));
    if end > 0 {
        bases.insert(rest.get(..end).unwrap_or_default().to_vec());
    }
    bases
}

/// Returns whether S3 delivery put something at `path` that holds no records: bodies that were
/// too large for a record, and markers of a permission check or of an export of `CloudWatch` Logs.
/// Bodies are anybody's text, which may look like a record.
///
/// Source: part A1 of the collected Bedrock facts (`.../BedrockModelInvocationLogs/.../data/`).
pub fn is_delivery_noise(path: &Path) -> bool {
    let mut in_logs = false;
    for part in path.components() {
        let part = part.as_os_str().as_bytes();
        if in_logs && part == b"data" {
            return true;
        }
        in_logs |= part == b"BedrockModelInvocationLogs";
    }
    let name = path.file_name().unwrap_or_default().as_bytes();
    memchr::memmem::find(name, b"permission-check").is_some() || name == b"aws-logs-write-test"
}

/// The globs of a source.
#[derive(Debug)]
pub(super) struct Globs {
    include: Vec<String>,
    included: Vec<glob::Pattern>,
    excluded: Vec<glob::Pattern>,
    problems: Vec<Problem>,
}

const MATCHING: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

impl Globs {
    pub(super) fn new(config: &FileSourceConfig) -> Self {
        let mut globs = Self {
            include: Vec::new(),
            included: Vec::new(),
            excluded: Vec::new(),
            problems: Vec::new(),
        };
        let here = std::env::current_dir().unwrap_or_default();
        let here = glob::Pattern::escape(&here.to_string_lossy());
        let absolute = |pattern: &String| match pattern.as_str() {
            pattern if pattern.starts_with('/') => pattern.to_owned(),
            pattern => format!("{here}/{}", pattern.strip_prefix("./").unwrap_or(pattern)),
        };
        globs.include = config.include.iter().map(absolute).collect();
        globs.included = globs.compile(globs.include.clone());
        globs.excluded = globs.compile(config.exclude.iter().map(absolute).collect());
        globs
    }

    fn compile(&mut self, patterns: Vec<String>) -> Vec<glob::Pattern> {
        let mut compiled = Vec::new();
        for text in patterns {
            match glob::Pattern::new(&text) {
                Ok(pattern) => compiled.push(pattern),
                Err(error) => self.problems.push(Problem {
                    path: PathBuf::from(text),
                    kind: ProblemKind::Glob,
                    error: Some(io::Error::new(io::ErrorKind::InvalidInput, error)),
                }),
            }
        }
        compiled
    }

    /// Returns the absolute patterns, for watching their folders.
    pub(super) fn patterns(&self) -> &[String] {
        &self.include
    }

    fn wanted(&self, path: &Path) -> bool {
        !is_delivery_noise(path)
            && !self.excluded.iter().any(|pattern| pattern.matches_path_with(path, MATCHING))
    }

    /// Returns whether the globs match `path`.
    pub(super) fn matches(&self, path: &Path) -> bool {
        self.included.iter().any(|pattern| pattern.matches_path_with(path, MATCHING))
            && self.wanted(path)
    }

    /// Lists and stats everything that matches.
    pub(super) fn look(&mut self) -> View {
        let mut view = View::default();
        view.problems.append(&mut self.problems);
        for pattern in &self.include {
            let Ok(paths) = glob::glob_with(pattern, MATCHING) else { continue };
            for path in paths {
                match path {
                    Ok(path) if self.wanted(&path) => drop(view.add(&path, true)),
                    Ok(path) => view.noise += usize::from(is_delivery_noise(&path)),
                    Err(error) => {
                        let path = error.path().to_owned();
                        view.problem(&path, ProblemKind::List, error.into());
                    }
                }
            }
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names_are_told_from_other_names() {
        for (base, name, rotated) in [
            ("app.log", "app.log", false),
            ("app.log", "app.log.1", true),
            ("app.log", "app.log.1.gz", true),
            ("app.log", "app.log-20261123", true),
            ("app.log", "app.log.2026-11-23-10", true),
            ("app.log", "app-20261123.log.gz", true),
            ("app.log", "app.1.log", true),
            ("app.log", "app-errors.log", false),
            ("app.log", "app.logger", false),
            ("app.log", "apple.log", false),
            ("app", "app-1", true),
            (".log", ".1", false),
        ] {
            assert_eq!(is_rotated_name(base.as_bytes(), name.as_bytes()), rotated, "{base} {name}");
        }
    }

    #[test]
    fn the_name_before_rotation_is_found_again() {
        for (name, base) in [
            ("app.log.12", "app.log"),
            ("app.log.3.gz", "app.log"),
            ("app.log-2026-11-23T10.gz", "app.log"),
            ("app.log", "app.log"),
        ] {
            let bases = bases_of(OsStr::new(name));
            assert!(bases.contains(base.as_bytes()), "{name} {bases:?}");
        }
    }

    #[test]
    fn bodies_and_markers_of_s3_delivery_are_left_out() {
        let logs = "/b/AWSLogs/1/BedrockModelInvocationLogs/us-east-1/2026/11/23/10";
        for (path, noise) in [
            (format!("{logs}/20261123T100000Z_1.json.gz"), false),
            (format!("{logs}/data/req_input.json.gz"), true),
            (format!("{logs}/amazon-bedrock-logs-permission-check"), true),
            ("/export/aws-logs-write-test".to_owned(), true),
            ("/export/aws-logs-write-test/000000.gz".to_owned(), false),
            ("/data/BedrockModelInvocationLogs/a.json.gz".to_owned(), false),
            ("/srv/data/app.log".to_owned(), false),
        ] {
            assert_eq!(is_delivery_noise(Path::new(&path)), noise, "{path}");
        }
    }
}
