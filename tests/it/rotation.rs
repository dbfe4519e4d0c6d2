//! Every way a file changes, with the daemon up and with the daemon down.
//!
//! One table of changes, each run in both states and with rotated files inside and outside the
//! glob where that makes sense. The truth is always the generator's.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::daemon::Daemon;
use crate::support::rotation::{Logrotate, append, copy_truncate, gzip, open_log, with_suffix};
use crate::support::tools;
use crate::support::truth::Generator;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

/// Whether the daemon runs while a file changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Down,
}

/// A log, the daemon that reads it (or not), and the truth.
struct Scene {
    work: WorkDir,
    log: PathBuf,
    pattern: PathBuf,
    daemon: Option<Daemon>,
    generator: Generator,
}

impl Scene {
    /// A log with some counted lines; `pattern` is the glob inside the folder of logs.
    fn new(test: &str, pattern: &str) -> Self {
        let work = WorkDir::new(test);
        let logs = work.folder("logs");
        let mut scene = Self {
            log: logs.join("app.log"),
            pattern: logs.join(pattern),
            work,
            daemon: None,
            generator: Generator::new(test, 21),
        };
        scene.grow(50);
        scene.start();
        scene.settle();
        scene
    }

    fn ledger(&self) -> PathBuf {
        self.work.join("ledger")
    }

    fn start(&mut self) {
        self.daemon = Some(Daemon::start(&self.pattern, &self.ledger()));
    }

    /// Stops the daemon for [`State::Down`].
    fn enter(&mut self, state: State) {
        if state == State::Down {
            let (status, _, stderr) = self.daemon.take().unwrap().terminate();
            assert!(status.success(), "{status}: {stderr}");
        }
    }

    /// Appends lines to the log under its own name.
    fn grow(&mut self, lines: usize) {
        append(&self.log, &self.generator.lines(lines));
    }

    /// Waits until everything that was written is counted, where somebody counts.
    fn settle(&self) {
        if let Some(daemon) = &self.daemon {
            daemon.wait_for_requests(self.generator.truth().total().requests);
        }
    }

    fn suffixed(&self, suffix: &str) -> PathBuf {
        with_suffix(&self.log, suffix)
    }

    /// Starts what is down, and compares, also after one more start.
    fn finish(mut self) {
        if self.daemon.is_none() {
            self.start();
        }
        let daemon = self.daemon.take().unwrap();
        daemon.wait_for_truth(self.generator.truth());
        daemon.terminate();
        self.start();
        let daemon = self.daemon.take().unwrap();
        self.generator.truth().assert_in(&daemon.scrape());
    }
}

/// Runs one change in both states. What it needs read before it can go is waited for by itself.
fn in_both_states(test: &str, pattern: &str, change: impl Fn(&mut Scene)) {
    for state in [State::Up, State::Down] {
        println!("{test}, {pattern}, daemon {state:?}");
        let mut scene = Scene::new(test, pattern);
        scene.enter(state);
        change(&mut scene);
        scene.finish();
    }
}

/// The glob with and without the rotated files.
const INSIDE: &str = "app.log*";
const OUTSIDE: &str = "app.log";

#[test]
fn a_file_that_grows_is_read_on() {
    in_both_states("grow", OUTSIDE, |scene| {
        scene.grow(1);
        scene.grow(300);
    });
}

#[test]
fn a_line_in_two_pieces_counts_when_it_is_whole() {
    in_both_states("pieces", OUTSIDE, |scene| {
        let before = scene.generator.truth().total().requests;
        let line = scene.generator.lines(1);
        let (first, second) = line.split_at(line.len() / 2);
        append(&scene.log, first);
        if let Some(daemon) = &scene.daemon {
            daemon.wait_for("the first piece to be seen", |scrape| {
                scrape.sum("tollkeeper_ingest_backlog_bytes", &[]) > 0.0
                    || scrape.count("tollkeeper_requests_total", &[]) == before
            });
        }
        append(&scene.log, second);
        scene.grow(3);
    });
}

#[test]
fn a_renamed_file_is_read_to_its_end_while_the_writer_still_writes_to_it() {
    for pattern in [INSIDE, OUTSIDE] {
        in_both_states("rename", pattern, |scene| {
            let mut old = open_log(&scene.log);
            fs::rename(&scene.log, scene.suffixed(".1")).unwrap();
            scene.grow(40);
            old.write_all(scene.generator.lines(40).as_bytes()).unwrap();
            scene.grow(40);
        });
    }
}

#[test]
fn several_rotations_are_followed_through_their_new_names() {
    for pattern in [INSIDE, OUTSIDE] {
        in_both_states("shift", pattern, |scene| {
            for rotation in 1..=4 {
                for number in (1..rotation).rev() {
                    let from = scene.suffixed(&format!(".{number}"));
                    fs::rename(from, scene.suffixed(&format!(".{}", number + 1))).unwrap();
                }
                fs::rename(&scene.log, scene.suffixed(".1")).unwrap();
                scene.grow(30);
            }
        });
    }
}

#[test]
fn a_copied_and_truncated_file_loses_nothing_that_the_copy_holds() {
    for pattern in [INSIDE, OUTSIDE] {
        in_both_states("copytruncate", pattern, |scene| {
            scene.grow(60);
            copy_truncate(&scene.log, &scene.suffixed(".1"));
            // Longer than it was: its size alone does not tell that it was cut.
            scene.grow(400);
        });
    }
}

#[test]
fn a_file_compressed_after_its_rename_is_not_read_again() {
    for pattern in [INSIDE, OUTSIDE] {
        in_both_states("gzip", pattern, |scene| {
            scene.grow(60);
            fs::rename(&scene.log, scene.suffixed(".1")).unwrap();
            gzip(&scene.suffixed(".1"));
            scene.grow(40);
        });
    }
}

#[test]
fn dated_names_are_nothing_special() {
    in_both_states("dateext", INSIDE, |scene| {
        for day in 1..=3 {
            fs::rename(&scene.log, scene.suffixed(&format!("-2026060{day}"))).unwrap();
            scene.grow(30);
        }
    });
}

#[test]
fn a_deleted_file_that_was_read_keeps_its_amounts() {
    in_both_states("delete", OUTSIDE, |scene| {
        fs::remove_file(&scene.log).unwrap();
        scene.grow(40);
    });
}

#[test]
fn a_new_file_with_the_inode_number_of_the_deleted_one_is_a_new_file() {
    in_both_states("inode", OUTSIDE, |scene| {
        let before = fs::metadata(&scene.log).unwrap().ino();
        fs::remove_file(&scene.log).unwrap();
        scene.grow(400);
        if fs::metadata(&scene.log).unwrap().ino() != before {
            println!("the file system did not give the inode number away again");
        }
    });
}

#[test]
fn two_files_that_begin_with_the_same_lines_count_each() {
    in_both_states("twins", "*.log", |scene| {
        // The lines that both begin with have no request ids: nothing but the files tells them apart.
        let mut twin = Generator::new("twin", 5);
        let common = twin.anonymous_lines(20);
        scene.generator.absorb(twin.truth());
        for name in ["left.log", "right.log"] {
            let path = scene.log.with_file_name(name);
            append(&path, &format!("{common}{}", twin.lines(30)));
        }
        scene.generator.absorb(twin.truth());
    });
}

#[test]
fn a_symbolic_link_counts_as_the_file_behind_it() {
    in_both_states("symlink", "*.log", |scene| {
        let target = scene.work.folder("elsewhere").join("real.txt");
        append(&target, &scene.generator.lines(30));
        symlink(&target, scene.log.with_file_name("link.log")).unwrap();
        // A second name of a file that is read already adds nothing.
        symlink(&scene.log, scene.log.with_file_name("again.log")).unwrap();
        append(&target, &scene.generator.lines(30));
    });
}

#[test]
fn a_file_that_is_replaced_by_a_rename_is_a_new_file() {
    in_both_states("replace", OUTSIDE, |scene| {
        let fresh = scene.work.join("fresh.txt");
        append(&fresh, &scene.generator.lines(80));
        fs::rename(&fresh, &scene.log).unwrap();
        scene.grow(10);
    });
}

#[test]
fn compressed_history_counts_once() {
    in_both_states("history", INSIDE, |scene| {
        for number in 1..=3 {
            let old = scene.suffixed(&format!(".{number}"));
            append(&old, &scene.generator.lines(50));
            gzip(&old);
        }
        scene.grow(10);
    });
}

#[test]
fn an_empty_file_is_no_error() {
    in_both_states("empty", "*.log", |scene| {
        File::create(scene.log.with_file_name("empty.log")).unwrap();
        scene.grow(5);
    });
}

#[test]
fn the_last_line_without_line_feed_counts_when_its_file_is_finished() {
    in_both_states("last", INSIDE, |scene| {
        let line = scene.generator.lines(1);
        append(&scene.log, line.trim_end());
        fs::rename(&scene.log, scene.suffixed(".1")).unwrap();
        scene.grow(5);
    });
}

#[test]
fn thousands_of_files_are_read_with_few_handles() {
    let work = WorkDir::new("thousands");
    let logs = work.folder("logs");
    let mut generator = Generator::new("many", 8);
    for number in 0..3_000 {
        append(&logs.join(format!("{number:04}.log")), &generator.lines(2));
    }
    let daemon = Daemon::start(&logs.join("*.log"), &work.join("ledger"));
    daemon.wait_for_requests(generator.truth().total().requests);
    let handles = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    assert!(handles < 400, "{handles} open handles");
    append(&logs.join("1234.log"), &generator.lines(2));
    daemon.wait_for_truth(generator.truth());
}

#[test]
fn a_new_file_is_seen_without_waiting_for_the_next_scan() {
    let mut scene = Scene::new("seen", "*.log");
    let text = scene.generator.lines(10);
    append(&scene.log.with_file_name("new.log"), &text);
    let daemon = scene.daemon.as_ref().unwrap();
    let expected = scene.generator.truth().total().requests;
    let start = std::time::Instant::now();
    daemon.wait_for_requests(expected);
    assert!(start.elapsed() < Duration::from_millis(1_500), "took {:?}", start.elapsed());
    scene.finish();
}

/// Rotates with the real logrotate, some lines before and after each time.
fn with_logrotate(test: &str, pattern: &str, directives: &[&str]) {
    if tools::find("logrotate", test).is_none() {
        return;
    }
    in_both_states(test, pattern, |scene| {
        let folder = scene.work.folder("logrotate");
        let rotate = Logrotate::new(&folder, test, &scene.log, directives).unwrap();
        for _ in 0..4 {
            scene.grow(25);
            rotate.rotate();
            scene.grow(25);
        }
    });
}

#[test]
fn logrotate_with_create_is_followed() {
    with_logrotate("lr-create", INSIDE, &["rotate 9", "create"]);
    with_logrotate("lr-create-out", OUTSIDE, &["rotate 9", "create"]);
}

#[test]
fn logrotate_with_copytruncate_is_followed() {
    with_logrotate("lr-copytruncate", INSIDE, &["rotate 9", "copytruncate"]);
    with_logrotate("lr-copytruncate-out", OUTSIDE, &["rotate 9", "copytruncate"]);
}

#[test]
fn logrotate_with_compress_is_followed() {
    with_logrotate("lr-compress", INSIDE, &["rotate 9", "create", "compress"]);
    with_logrotate("lr-delay", INSIDE, &["rotate 9", "create", "compress", "delaycompress"]);
    with_logrotate("lr-both", INSIDE, &["rotate 9", "copytruncate", "compress"]);
}

#[test]
fn logrotate_with_dateext_is_followed() {
    let format = "dateformat -%Y%m%d-%s";
    if tools::find("logrotate", "lr-dateext").is_none() {
        return;
    }
    in_both_states("lr-dateext", INSIDE, |scene| {
        let folder = scene.work.folder("logrotate");
        let directives = ["rotate 9", "create", "dateext", format];
        let rotate = Logrotate::new(&folder, "lr-dateext", &scene.log, &directives).unwrap();
        for _ in 0..2 {
            scene.grow(25);
            rotate_in_a_new_second(&rotate, &scene.log);
            scene.grow(25);
        }
    });
}

/// logrotate refuses a name that is taken, and the name has the second in it.
fn rotate_in_a_new_second(rotate: &Logrotate, log: &Path) {
    let before = fs::metadata(log).unwrap().ino();
    wait_until(SOON, "logrotate to rename the log", || {
        let content = rotate.try_rotate();
        let now = fs::metadata(log).map(|file| file.ino()).ok()?;
        (content && now != before).then_some(())
    });
}
