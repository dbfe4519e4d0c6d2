//! Every way in which a file changes, one test each, daemon up and down.

use super::*;

/// Runs `change` with the daemon up, and once more with a restart before it looks again; with the
/// rotated files inside and outside the glob.
fn in_all_ways(change: impl Fn(&mut Rig), expected: &str) -> Vec<Rig> {
    let mut rigs = Vec::new();
    for glob in ["app.log", "app*"] {
        for down in [false, true] {
            let mut rig = Rig::new(&[glob]);
            rig.append("app.log", &lines(0, 20));
            rig.sweep();
            change(&mut rig);
            if down {
                rig.restart();
            }
            rig.settle();
            rig.restart();
            rig.settle();
            rig.expect_once(expected);
            assert_eq!(rig.last.next_wake_ms, None, "{glob} {down}");
            rigs.push(rig);
        }
    }
    rigs
}

#[test]
fn appended_lines_are_counted_once() {
    in_all_ways(|rig| rig.append("app.log", &lines(20, 30)), &lines(0, 30));
}

#[test]
fn a_new_file_is_read_from_its_beginning() {
    let mut rig = Rig::new(&["*/*.log"]);
    rig.sweep();
    fs::create_dir(rig.path("a")).unwrap();
    rig.append("a/x.log", &lines(0, 3));
    rig.sweep();
    rig.expect_once(&lines(0, 3));
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_the_new_one_too() {
    for rig in in_all_ways(
        |rig| {
            rig.append("app.log", &lines(20, 25));
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", &lines(30, 35));
            rig.append("app.log.1", &lines(25, 30));
        },
        &lines(0, 35),
    ) {
        assert_eq!(rig.changes, [FileChange::Rename]);
        assert_eq!(rig.lost, 0);
    }
}

#[test]
fn a_writer_may_go_on_in_the_renamed_file_for_long() {
    for glob in ["app.log", "app*"] {
        let mut rig = Rig::new(&[glob]);
        rig.append("app.log", &lines(0, 3));
        rig.sweep();
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", &lines(3, 5));
        rig.settle();
        rig.append("app.log.1", &lines(5, 8));
        rig.settle();
        rig.expect_once(&lines(0, 8));
    }
}

#[test]
fn what_the_copy_of_a_truncated_file_holds_is_read_from_the_copy() {
    for rig in in_all_ways(
        |rig| {
            rig.append("app.log", &lines(20, 25));
            rig.copy("app.log", "app.log.1");
            rig.truncate("app.log");
            rig.append("app.log", &lines(25, 30));
        },
        &lines(0, 30),
    ) {
        assert_eq!(rig.changes, [FileChange::Truncate]);
        assert_eq!(rig.lost, 0);
    }
}

#[test]
fn what_no_copy_of_a_truncated_file_holds_is_lost_and_counted() {
    let mut rig = Rig::new(&["app*"]);
    rig.append("app.log", &lines(0, 10));
    rig.append("app.log", "{\"half\":");
    rig.sweep();
    rig.truncate("app.log");
    rig.append("app.log", &lines(10, 11));
    rig.settle();
    rig.expect_once(&lines(0, 11));
    assert_eq!(rig.lost, 8);
}

#[test]
fn what_is_lost_is_counted_once_also_after_a_restart() {
    for case in ["cut before", "cut meanwhile", "removed meanwhile"] {
        let mut rig = Rig::new(&["app*"]);
        rig.append("app.log", &lines(0, 10));
        rig.sweep();
        rig.append("app.log", "{\"half\":");
        rig.sweep();
        let mut expected = lines(0, 10);
        if case == "removed meanwhile" {
            rig.remove("app.log");
        } else {
            rig.truncate("app.log");
            rig.append("app.log", &lines(10, 11));
            expected += &lines(10, 11);
        }
        if case == "cut before" {
            rig.sweep();
        }
        for _ in 0..3 {
            rig.restart();
            rig.settle();
        }
        rig.expect_once(&expected);
        assert_eq!(rig.lost, 8, "{case}");
    }
}

#[test]
fn what_a_copy_holds_is_not_lost_after_a_restart() {
    let mut rig = Rig::new(&["app*"]);
    rig.append("app.log", &lines(0, 10));
    rig.append("app.log", "{\"half\":");
    rig.sweep();
    rig.copy("app.log", "app.log.1");
    rig.truncate("app.log");
    rig.append("app.log", &lines(10, 11));
    rig.restart();
    rig.sweep();
    rig.restart();
    rig.settle();
    rig.expect_once(&lines(0, 11));
    assert_eq!((rig.truncated, rig.lost), (1, 0));
}

#[test]
fn a_copy_that_grows_while_it_is_looked_at_is_read_behind_the_position() {
    let mut rig = Rig::new(&["app*"]);
    let whole = lines(0, 400);
    rig.write("app.log", &whole[..20_000]);
    rig.sweep();
    rig.write("app.log", &whole);
    rig.write("app.log.1", &whole[..15_000]);
    rig.truncate("app.log");
    rig.sweep();
    rig.write("app.log.1", &whole[..30_000]);
    rig.sweep();
    rig.append("app.log", &lines(400, 402));
    rig.sweep();
    rig.write("app.log.1", &whole);
    rig.settle();
    rig.expect_once(&lines(0, 402));
    assert_eq!(rig.lost, 0);
}

#[test]
fn a_truncated_file_that_grew_past_the_position_is_another() {
    in_all_ways(
        |rig| {
            rig.copy("app.log", "app.log.1");
            rig.truncate("app.log");
            rig.append("app.log", &lines(20, 60));
        },
        &lines(0, 60),
    );
}

#[test]
fn a_hole_that_a_writer_leaves_after_truncation_is_padding() {
    in_all_ways(
        |rig| {
            let end = fs::metadata(rig.path("app.log")).unwrap().len();
            rig.copy("app.log", "app.log.1");
            rig.truncate("app.log");
            let file = File::options().write(true).open(rig.path("app.log")).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, lines(20, 30).as_bytes(), end).unwrap();
        },
        &lines(0, 30),
    );
}

#[test]
fn a_file_renamed_and_compressed_is_counted_once() {
    for rig in in_all_ways(
        |rig| {
            rig.append("app.log", &lines(20, 25));
            rig.rename("app.log", "app.log.1");
            rig.gzip("app.log.1");
            rig.append("app.log", &lines(25, 28));
        },
        &lines(0, 28),
    ) {
        assert!(rig.changes.contains(&FileChange::Compress), "{:?}", rig.changes);
        assert_eq!(rig.lost, 0);
    }
}

#[test]
fn a_file_compressed_long_after_its_rotation_is_counted_once() {
    for glob in ["app.log", "app*"] {
        let mut rig = Rig::new(&[glob]);
        rig.append("app.log", &lines(0, 30));
        rig.sweep();
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", &lines(30, 40));
        rig.settle();
        rig.rename("app.log.1", "app.log.2");
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", &lines(40, 50));
        rig.gzip("app.log.2");
        rig.settle();
        rig.rename("app.log.2.gz", "app.log.3.gz");
        rig.gzip("app.log.1");
        rig.restart();
        rig.settle();
        rig.expect_once(&lines(0, 50));
    }
}

#[test]
fn names_with_dates_are_known_again() {
    in_all_ways(
        |rig| {
            rig.append("app.log", &lines(20, 22));
            rig.rename("app.log", "app.log-20261123");
            rig.append("app.log", &lines(22, 24));
            rig.sweep();
            rig.gzip("app.log-20261123");
            rig.rename("app.log", "app-20261124.log");
            rig.append("app.log", &lines(24, 26));
        },
        &lines(0, 26),
    );
}

#[test]
fn several_rotations_unseen_lose_nothing() {
    in_all_ways(
        |rig| {
            rig.append("app.log", &lines(20, 25));
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", &lines(25, 40));
            rig.gzip("app.log.1");
            rig.rename("app.log.1.gz", "app.log.2.gz");
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", &lines(40, 50));
            rig.rename("app.log.2.gz", "app.log.3.gz");
            rig.gzip("app.log.1");
            rig.rename("app.log.1.gz", "app.log.2.gz");
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", &lines(50, 60));
        },
        &lines(0, 60),
    );
}

#[test]
fn rotations_are_followed_from_a_file_of_which_no_line_was_read() {
    for begin in ["", "{\"half\":"] {
        let mut rig = Rig::new(&["app.log"]);
        rig.append("app.log", begin);
        rig.sweep();
        rig.append("app.log", "1}\n");
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", &lines(0, 3));
        rig.restart();
        rig.settle();
        rig.expect_once(&format!("{begin}1}}\n{}", lines(0, 3)));
    }
}

#[test]
fn an_unseen_rotation_is_read_also_if_it_is_judged_when_its_siblings_are_looked_through_no_more() {
    let mut rig = Rig::new(&["app.log"]);
    fs::write(rig.path("app.log.9.gz"), gzipped(lines(100, 110).as_bytes())).unwrap();
    rig.make_old("app.log.9.gz");
    rig.append("app.log", &lines(0, 10));
    rig.sweep();
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", &lines(10, 12));
    rig.sweep();
    // Written over in place: gzip got the inode of a file that was known as history. So it looks
    // as if it were still growing, and rests before it is judged.
    fs::write(rig.path("app.log.9.gz"), gzipped(lines(12, 20).as_bytes())).unwrap();
    rig.rename("app.log.9.gz", "app.log.2.gz");
    rig.rename("app.log", "app.log.3");
    rig.append("app.log", &lines(20, 22));
    rig.sweep();
    rig.expect_once(&format!("{}{}", lines(0, 12), lines(20, 22)));
    rig.settle();
    rig.expect_once(&lines(0, 22));
}

#[test]
fn unseen_rotations_are_read_also_if_only_some_batches_are_committed() {
    for committed in 0..8 {
        let mut rig = Rig::new(&["app.log"]);
        rig.append("app.log", &lines(0, 10));
        rig.sweep();
        rig.append("app.log", &lines(10, 12));
        rig.rename("app.log", "app.log.3");
        rig.append("app.log.2", &lines(12, 20));
        rig.gzip("app.log.2");
        rig.append("app.log.1", &lines(20, 30));
        rig.append("app.log", &lines(30, 40));
        rig.sweep_once(Look::Everything, committed);
        rig.restart();
        rig.settle();
        rig.expect_once(&lines(0, 40));
    }
}

#[test]
fn a_copy_that_is_removed_beside_its_original_is_no_loss() {
    for glob in ["a*", "a.log"] {
        let mut rig = Rig::new(&[glob]);
        rig.append("a.log", &lines(0, 30));
        rig.sweep();
        rig.copy("a.log", "a.log.1");
        rig.sweep();
        rig.copy("a.log", "a.log.2");
        rig.gzip("a.log.2");
        rig.sweep();
        rig.settle();
        rig.remove("a.log.1");
        rig.remove("a.log.2.gz");
        rig.settle();
        rig.expect_once(&lines(0, 30));
        assert_eq!((rig.lost, rig.changes.as_slice()), (0, [].as_slice()), "{glob}");
    }
}

#[test]
fn history_outside_the_glob_is_not_read() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log.1", &lines(100, 110));
    rig.make_old("app.log.1");
    rig.append("app.log", &lines(0, 10));
    rig.sweep();
    rig.rename("app.log.1", "app.log.2");
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", &lines(10, 12));
    rig.settle();
    rig.expect_once(&lines(0, 12));
}

#[test]
fn a_deleted_file_is_read_to_its_end() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("app.log", &lines(0, 3));
    rig.sweep();
    rig.append("app.log", &lines(3, 9));
    rig.remove("app.log");
    rig.settle();
    rig.expect_once(&lines(0, 9));
    assert_eq!((rig.lost, rig.changes.as_slice()), (0, [FileChange::Delete].as_slice()));
}

#[test]
fn a_deleted_file_that_could_not_be_held_open_is_lost_and_counted() {
    let mut rig = Rig::with(&["*.log"], |config| config.open_files_max = 1);
    rig.append("app.log", &format!("{}half", lines(0, 3)));
    rig.append("b.log", &lines(3, 5));
    rig.sweep();
    assert_eq!(rig.last.open_files, 1);
    rig.append("b.log", &lines(5, 6));
    rig.sweep();
    rig.remove("app.log");
    rig.settle();
    rig.expect_once(&lines(0, 6));
    assert_eq!(rig.lost, 4);
}

#[test]
fn a_file_deleted_and_made_again_is_another_also_with_the_same_inode() {
    for extra in [0, 40] {
        let mut rig = Rig::with(&["*.log"], |config| config.open_files_max = 1);
        rig.append("app.log", &lines(0, 20));
        rig.sweep();
        // Written over in place, so that the inode is the same for certain.
        rig.write("app.log", &lines(20, 30 + extra));
        rig.restart();
        rig.settle();
        rig.remove("app.log");
        rig.append("app.log", &lines(100, 101));
        rig.settle();
        rig.expect_once(&format!("{}{}{}", lines(0, 20), lines(20, 30 + extra), lines(100, 101)));
    }
}

#[test]
fn two_files_that_begin_alike_and_then_differ_are_both_counted() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", &lines(0, 30));
    rig.append("b.log", &lines(0, 15));
    rig.append("b.log", &lines(50, 60));
    rig.settle();
    for n in [0, 14, 29, 50, 59] {
        let line = lines(n, n + 1);
        let times = if n < 15 { 2 } else { 1 };
        assert_eq!(rig.counted.get(line.trim_end()), Some(&times), "{n}");
    }
}

#[test]
fn short_files_that_begin_alike_are_both_counted() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", "# begin\na1\na2\n");
    rig.append("b.log", "# begin\nb1\n");
    rig.settle();
    rig.append("a.log", "a3\n");
    rig.append("b.log", "b2\n");
    rig.settle();
    let once: Vec<&String> = rig.counted.iter().filter(|(_, n)| **n == 1).map(|(l, _)| l).collect();
    assert_eq!(once, ["a1", "a2", "a3", "b1", "b2"]);
    assert_eq!(rig.counted["# begin"], 2);
}

#[test]
fn a_copy_that_stays_beside_its_original_is_not_counted_again() {
    let mut rig = Rig::new(&["*"]);
    rig.append("a.log", &format!("{}half", lines(0, 30)));
    rig.sweep();
    rig.copy("a.log", "b.log");
    rig.settle();
    rig.append("a.log", &format!("\n{}", lines(30, 40)));
    rig.settle();
    rig.restart();
    rig.settle();
    rig.expect_once(&format!("{}half\n{}", lines(0, 30), lines(30, 40)));
}

#[test]
fn a_copy_that_is_written_on_counts_from_where_it_parts() {
    let mut rig = Rig::new(&["*"]);
    rig.append("a.log", &lines(0, 30));
    rig.sweep();
    rig.copy("a.log", "b.log");
    rig.append("b.log", &lines(30, 40));
    rig.settle();
    rig.append("a.log", &lines(40, 50));
    rig.append("b.log", &lines(50, 60));
    rig.settle();
    rig.expect_once(&lines(0, 60));
}

#[test]
fn a_file_replaced_by_a_longer_copy_of_itself_is_read_on() {
    in_all_ways(
        |rig| {
            rig.copy("app.log", "tmp");
            rig.append("tmp", &lines(20, 30));
            rig.rename("tmp", "app.log");
        },
        &lines(0, 30),
    );
}

#[test]
fn links_to_one_file_are_one_file() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", &lines(0, 5));
    fs::hard_link(rig.path("a.log"), rig.path("b.log")).unwrap();
    std::os::unix::fs::symlink(rig.path("a.log"), rig.path("c.log")).unwrap();
    rig.sweep();
    rig.append("c.log", &lines(5, 8));
    rig.settle();
    rig.expect_once(&lines(0, 8));
    assert_eq!(rig.changes, []);
}

#[test]
fn a_switched_link_is_followed_and_its_old_target_read_to_the_end() {
    for down in [false, true] {
        let mut rig = Rig::new(&["app.log"]);
        let link = |rig: &Rig, to: &str| {
            drop(fs::remove_file(rig.path("app.log")));
            std::os::unix::fs::symlink(rig.path(to), rig.path("app.log")).unwrap();
        };
        rig.append("app-2026-11-21.log", &lines(0, 5));
        link(&rig, "app-2026-11-21.log");
        rig.sweep();
        rig.append("app-2026-11-21.log", &lines(5, 7));
        rig.append("app-2026-11-22.log", &lines(7, 9));
        rig.append("app-2026-11-23.log", &lines(9, 12));
        link(&rig, "app-2026-11-23.log");
        if down {
            rig.restart();
        }
        rig.settle();
        rig.expect_once(&lines(0, 12));
    }
}

#[test]
fn gzip_history_in_the_glob_is_read_once() {
    let mut rig = Rig::new(&["*"]);
    let members = [gzipped(lines(0, 50).as_bytes()), gzipped(lines(50, 5000).as_bytes())].concat();
    fs::write(rig.path("a.json.gz"), members).unwrap();
    let last = format!("{}{{\"last\":1}}", lines(5000, 5001));
    fs::write(rig.path("b.json.gz"), gzipped(last.as_bytes())).unwrap();
    let batches = rig.sweep_once(Look::Everything, 3);
    assert!(batches > 3);
    rig.restart();
    rig.sweep();
    rig.settle();
    rig.expect_once(&format!("{}{last}", lines(0, 5000)));
    assert_eq!(rig.last.open_files, 0);
    assert!(rig.stored.values().all(|position| position.ended));
}

#[test]
fn gzip_in_progress_is_waited_for() {
    for glob in ["app.log", "app*"] {
        let mut rig = Rig::new(&[glob]);
        rig.append("app.log", &lines(0, 2000));
        rig.sweep();
        rig.append("app.log", &lines(2000, 2010));
        rig.rename("app.log", "app.log.1");
        let whole = gzipped(&fs::read(rig.path("app.log.1")).unwrap());
        rig.restart();
        for part in [10, whole.len() / 2, whole.len() - 4] {
            fs::write(rig.path("app.log.1.gz"), &whole[..part]).unwrap();
            rig.sweep();
            rig.now_ms += 1000;
        }
        fs::write(rig.path("app.log.1.gz"), &whole).unwrap();
        rig.remove("app.log.1");
        rig.settle();
        rig.expect_once(&lines(0, 2010));
        assert_eq!(rig.lost, 0);
    }
}

#[test]
fn a_changed_path_is_read_without_looking_at_everything() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", &lines(0, 3));
    rig.append("b.log", &lines(3, 5));
    rig.sweep();
    rig.append("a.log", &lines(5, 6));
    rig.append("b.log", &lines(6, 7));
    let paths = [rig.path("a.log")];
    rig.sweep_once(Look::Changed(&paths), usize::MAX);
    rig.expect_once(&format!("{}{}", lines(0, 5), lines(5, 6)));
    rig.rename("b.log", "b.log.1");
    rig.append("b.log", &lines(7, 8));
    let paths = [rig.path("b.log")];
    rig.sweep_once(Look::Changed(&paths), usize::MAX);
    rig.expect_once(&lines(0, 8));
}

#[test]
fn what_was_not_committed_is_read_again() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", &lines(0, 9000));
    for _ in 0..3 {
        rig.sweep_once(Look::Everything, 2);
        rig.restart();
    }
    rig.sweep();
    rig.expect_once(&lines(0, 9000));
}
