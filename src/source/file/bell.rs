//! A bell that rings when something may have changed in the folders of the globs.
//!
//! It watches folders and never opens a file. A ring is a hint and nothing more: events get lost
//! (queue overflow, network file systems, new folder trees), so whoever listens also looks on
//! time. It must never decide what changed.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// What a ring says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Something happened at these paths.
    Changed(Vec<PathBuf>),
    /// Events were lost, or one could not be read: look at everything.
    Everything,
}

/// A folder that can't be watched; it is only looked at on time.
#[derive(Debug, thiserror::Error)]
#[error("`{}` can't be watched and is polled instead; raise `fs.inotify.max_user_watches` if the limit is reached", folder.display())]
pub struct WatchProblem {
    /// The folder.
    pub folder: PathBuf,
    /// What the watcher said.
    #[source]
    pub error: notify::Error,
}

/// Watches the folders of globs.
#[derive(Debug)]
pub struct Bell {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    refused: BTreeSet<PathBuf>,
}

impl Bell {
    /// Rings `ring` from a thread of the watcher. Without any watcher the bell is silent, and the
    /// reason is returned beside it.
    pub fn new(mut ring: impl FnMut(Ring) + Send + 'static) -> (Self, Option<notify::Error>) {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Some(rung) = rung(event) {
                ring(rung);
            }
        });
        let (watcher, error) = match watcher {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error)),
        };
        (Self { watcher, watched: BTreeSet::new(), refused: BTreeSet::new() }, error)
    }

    /// Watches the folders that `patterns` (absolute globs) reach now. Call it with every look at
    /// everything: folders that are new are watched from then on, and a folder that was renamed
    /// and made again is watched again. Returns the folders that newly can't be watched.
    pub fn watch(&mut self, patterns: &[String]) -> Vec<WatchProblem> {
        let Some(watcher) = self.watcher.as_mut() else { return Vec::new() };
        let folders: BTreeSet<PathBuf> =
            patterns.iter().flat_map(|text| folders_of(text)).collect();
        for gone in self.watched.difference(&folders) {
            // The folder may be gone already, and with it the watch.
            drop(watcher.unwatch(gone));
        }
        self.watched.retain(|folder| folders.contains(folder));
        self.refused.retain(|folder| folders.contains(folder));
        let mut problems = Vec::new();
        for folder in folders {
            if self.watched.contains(&folder) {
                continue;
            }
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.refused.remove(&folder);
                    self.watched.insert(folder);
                }
                Err(error) if self.refused.insert(folder.clone()) => {
                    problems.push(WatchProblem { folder, error });
                }
                Err(_) => {}
            }
        }
        problems
    }

    /// Says that the watch of `folder` died with the folder: it is watched anew by the next
    /// [`Bell::watch`]. Call it for folders that were removed or renamed.
    pub fn lost(&mut self, folder: &Path) {
        if self.watched.remove(folder)
            && let Some(watcher) = self.watcher.as_mut()
        {
            drop(watcher.unwatch(folder));
        }
    }

    /// Returns how many folders are watched.
    pub fn watched_folders(&self) -> usize {
        self.watched.len()
    }
}

fn rung(event: notify::Result<Event>) -> Option<Ring> {
    match event {
        Ok(event) if event.need_rescan() || event.paths.is_empty() => Some(Ring::Everything),
        // Opening and reading, also our own, changes nothing.
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => None,
        Ok(event) => Some(Ring::Changed(event.paths)),
        Err(_) => Some(Ring::Everything),
    }
}

/// Returns the folders in which the last part of a glob may match, and those in which a folder on
/// the way there may appear.
fn folders_of(pattern: &str) -> BTreeSet<PathBuf> {
    let mut fixed = PathBuf::new();
    let mut rest = Path::new(pattern).components().peekable();
    while let Some(part) = rest.peek() {
        let text = part.as_os_str().to_string_lossy();
        if text.contains(['*', '?', '[']) {
            break;
        }
        fixed.push(part);
        rest.next();
    }
    let parts: Vec<Component<'_>> = rest.collect();
    if parts.is_empty() {
        // A plain path: the folder it is in.
        return nearest(fixed.parent().unwrap_or(&fixed)).into_iter().collect();
    }
    let mut folders: BTreeSet<PathBuf> = nearest(&fixed).into_iter().collect();
    let mut prefix = glob::Pattern::escape(&fixed.to_string_lossy());
    let way = parts.len().saturating_sub(1);
    for part in parts.into_iter().take(way) {
        prefix = format!("{}/{}", prefix.trim_end_matches('/'), part.as_os_str().to_string_lossy());
        let found = glob::glob(&prefix).into_iter().flatten().filter_map(Result::ok);
        folders.extend(found.filter(|path| path.is_dir()));
    }
    folders
}

/// Returns the folder, or the nearest one above it that exists: it will appear in there.
fn nearest(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|above| above.is_dir()).map(Path::to_owned)
}
