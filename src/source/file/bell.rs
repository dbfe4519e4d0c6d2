//! A bell that rings when something may have changed in the folders of the globs.
//!
//! It watches folders and never opens a file. A ring is a hint and nothing more: events get lost
//! (queue overflow, network file systems, new folder trees), so whoever listens also looks on
//! time. It must never decide what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// What a ring says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Something happened at these paths.
    Changed(Vec<PathBuf>),
    /// Events were lost, or one could not be read, or folders came or went: look at everything,
    /// and [`Bell::watch`].
    Everything,
}

/// A folder that can't be watched; it is only looked at on time.
#[derive(Debug, thiserror::Error)]
#[error("`{}` can't be watched, so its files are only looked at every `rescan`; {}", folder.display(), self.advice())]
pub struct WatchProblem {
    /// The folder.
    pub folder: PathBuf,
    /// What the watcher said.
    #[source]
    pub error: notify::Error,
}

impl WatchProblem {
    /// Returns what to do about it, the same text for the same cause.
    pub fn advice(&self) -> &'static str {
        let no_space = |error: &std::io::Error| error.kind() == std::io::ErrorKind::StorageFull;
        match &self.error.kind {
            ErrorKind::MaxFilesWatch => LIMIT_ADVICE,
            ErrorKind::Io(error) if no_space(error) => LIMIT_ADVICE,
            ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                "give the user that runs the daemon read permission on the folder"
            }
            _ => "lines are counted later, and none is lost",
        }
    }
}

const LIMIT_ADVICE: &str = "the system allows no more watches: raise the limit (`sysctl -w \
                            fs.inotify.max_user_watches=524288`)";

/// Watches the folders of globs.
#[derive(Debug)]
pub struct Bell {
    watcher: Option<RecommendedWatcher>,
    watched: Folders,
    refused: BTreeSet<PathBuf>,
}

/// The watched folders, shared with the thread of the watcher. That thread also serves requests,
/// so nothing may be asked of the watcher while they are locked.
#[derive(Clone, Debug, Default)]
struct Folders(Arc<Mutex<BTreeMap<PathBuf, Watch>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    Live,
    /// Its folder was removed or renamed; at its path there may be another one.
    Lost,
}

impl Folders {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Watch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether `folder` is one of them.
    fn lose(&self, folder: &Path) -> bool {
        self.lock().get_mut(folder).map(|watch| *watch = Watch::Lost).is_some()
    }

    /// Takes out those that are lost or not in `wanted`.
    fn take_surplus(&self, wanted: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let mut watched = self.lock();
        let surplus = watched
            .extract_if(.., |folder, watch| *watch == Watch::Lost || !wanted.contains(folder));
        surplus.map(|(folder, _)| folder).collect()
    }

    /// Returns whether `folder` was not among them.
    fn add(&self, folder: &Path) -> bool {
        let mut watched = self.lock();
        !watched.contains_key(folder) && watched.insert(folder.to_owned(), Watch::Live).is_none()
    }

    fn remove(&self, folder: &Path) {
        self.lock().remove(folder);
    }
}

impl Bell {
    /// Rings `ring` from a thread of the watcher. Without any watcher the bell is silent, and the
    /// reason is returned beside it.
    pub fn new(mut ring: impl FnMut(Ring) + Send + 'static) -> (Self, Option<notify::Error>) {
        let watched = Folders::default();
        let folders = watched.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Some(rung) = rung(event, &folders) {
                ring(rung);
            }
        });
        let (watcher, error) = match watcher {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error)),
        };
        (Self { watcher, watched, refused: BTreeSet::new() }, error)
    }

    /// Watches the folders that `patterns` (absolute globs) reach now. Call it with every look at
    /// everything: folders that are new are watched from then on, and a folder that was renamed
    /// and made again is watched again. Returns the folders that newly can't be watched.
    pub fn watch(&mut self, patterns: &[String]) -> Vec<WatchProblem> {
        let Some(watcher) = self.watcher.as_mut() else { return Vec::new() };
        let folders: BTreeSet<PathBuf> =
            patterns.iter().flat_map(|text| folders_of(text)).collect();
        for gone in self.watched.take_surplus(&folders) {
            // The folder may be gone already, and with it the watch.
            drop(watcher.unwatch(&gone));
        }
        self.refused.retain(|folder| folders.contains(folder));
        let mut problems = Vec::new();
        for folder in folders {
            // Added first, so that a folder that vanishes meanwhile is known as lost.
            if !self.watched.add(&folder) {
                continue;
            }
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.refused.remove(&folder)),
                Err(error) => {
                    self.watched.remove(&folder);
                    if self.refused.insert(folder.clone()) {
                        problems.push(WatchProblem { folder, error });
                    }
                }
            }
        }
        problems
    }

    /// Returns how many folders are watched.
    #[cfg(test)]
    fn watched_folders(&self) -> usize {
        self.watched.lock().values().filter(|watch| **watch == Watch::Live).count()
    }
}

fn rung(event: notify::Result<Event>, watched: &Folders) -> Option<Ring> {
    match event {
        Ok(event) if event.need_rescan() || event.paths.is_empty() => Some(Ring::Everything),
        // Opening and reading, also our own, changes nothing.
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => None,
        Ok(event) if moves_folders(&event, watched) => Some(Ring::Everything),
        Ok(event) => Some(Ring::Changed(event.paths)),
        Err(_) => Some(Ring::Everything),
    }
}

/// Returns whether folders came or went, and notes which watches died with them.
fn moves_folders(event: &Event, watched: &Folders) -> bool {
    let is_folder = match event.kind {
        EventKind::Create(CreateKind::Folder) => return true,
        EventKind::Remove(kind) => kind == RemoveKind::Folder,
        EventKind::Modify(ModifyKind::Name(_)) => event.paths.iter().any(|path| path.is_dir()),
        _ => return false,
    };
    // All of them, hence no `any`.
    event.paths.iter().fold(is_folder, |moved, path| watched.lose(path) || moved)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::{Duration, Instant};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn what_can_not_be_watched_tells_what_to_do() {
        let io = |kind| ErrorKind::Io(std::io::Error::from(kind));
        for (kind, advice) in [
            (ErrorKind::MaxFilesWatch, "fs.inotify.max_user_watches"),
            (io(std::io::ErrorKind::StorageFull), "fs.inotify.max_user_watches"),
            (io(std::io::ErrorKind::PermissionDenied), "read permission"),
            (ErrorKind::PathNotFound, "none is lost"),
        ] {
            let error = notify::Error::new(kind);
            let text = WatchProblem { folder: PathBuf::from("/var/log/app"), error }.to_string();
            let says_all =
                ["/var/log/app", "`rescan`", advice].iter().all(|part| text.contains(part));
            assert!(says_all, "{text}");
        }
    }

    struct Rung {
        folder: tempfile::TempDir,
        bell: Bell,
        rings: Receiver<Ring>,
        patterns: Vec<String>,
    }

    impl Rung {
        fn new(glob: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (sender, rings) = channel();
            let (bell, error) = Bell::new(move |ring| drop(sender.send(ring)));
            assert!(error.is_none(), "{error:?}");
            let patterns = vec![folder.path().join(glob).display().to_string()];
            Self { folder, bell, rings, patterns }
        }

        fn watch(&mut self) {
            let problems = self.bell.watch(&self.patterns);
            assert!(problems.is_empty(), "{problems:?}");
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        #[track_caller]
        fn wait_for(&self, expected: impl Fn(&Ring) -> bool) {
            let end = Instant::now() + DEADLINE;
            let mut heard = Vec::new();
            while let Ok(ring) = self.rings.recv_timeout(end - Instant::now()) {
                if expected(&ring) {
                    return;
                }
                heard.push(ring);
            }
            panic!("nothing but {heard:?}");
        }

        #[track_caller]
        fn wait_for_change_of(&self, name: &str) {
            let path = self.path(name);
            self.wait_for(|ring| matches!(ring, Ring::Changed(paths) if paths.contains(&path)));
        }

        #[track_caller]
        fn wait_for_everything(&self) {
            self.wait_for(|ring| *ring == Ring::Everything);
        }
    }

    #[test]
    fn a_write_rings_with_its_path() {
        let mut rung = Rung::new("*.log");
        rung.watch();
        fs::write(rung.path("app.log"), "line\n").unwrap();
        rung.wait_for_change_of("app.log");
        assert_eq!(rung.bell.watched_folders(), 1);
    }

    #[test]
    fn a_file_is_heard_of_in_a_folder_that_is_new() {
        // For `logs` does not exist when the bell is hung up, nor does `a`.
        let mut rung = Rung::new("logs/*/*.log");
        rung.watch();
        for folder in ["logs", "logs/a"] {
            fs::create_dir(rung.path(folder)).unwrap();
            rung.wait_for_everything();
            rung.watch();
        }
        fs::write(rung.path("logs/a/app.log"), "line\n").unwrap();
        rung.wait_for_change_of("logs/a/app.log");
    }

    #[test]
    fn a_folder_that_is_made_again_is_watched_again() {
        for renamed in [false, true] {
            let mut rung = Rung::new("logs/*.log");
            fs::create_dir(rung.path("logs")).unwrap();
            rung.watch();
            if renamed {
                fs::rename(rung.path("logs"), rung.path("old")).unwrap();
            } else {
                fs::remove_dir(rung.path("logs")).unwrap();
            }
            fs::create_dir(rung.path("logs")).unwrap();
            rung.wait_for_everything();
            rung.watch();
            assert_eq!(rung.bell.watched_folders(), 1, "{renamed}");
            fs::write(rung.path("logs/app.log"), "line\n").unwrap();
            rung.wait_for_change_of("logs/app.log");
        }
    }

    #[test]
    fn a_file_that_is_removed_or_renamed_is_no_reason_to_look_at_everything() {
        let mut rung = Rung::new("*.log");
        fs::write(rung.path("a.log"), "line\n").unwrap();
        rung.watch();
        fs::rename(rung.path("a.log"), rung.path("a.log.1")).unwrap();
        fs::remove_file(rung.path("a.log.1")).unwrap();
        fs::write(rung.path("b.log"), "line\n").unwrap();
        let path = rung.path("b.log");
        rung.wait_for(|ring| match ring {
            Ring::Changed(paths) => paths.contains(&path),
            Ring::Everything => panic!("everything"),
        });
    }
}
