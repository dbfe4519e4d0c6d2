//! What files can have wrong: half lines, long lines, garbage, no permission; and the limits.

use super::super::{ProblemKind, SWEEP_BYTES_MAX};
use super::*;

#[test]
fn a_half_written_line_waits_for_its_end() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", "{\"a\":1}\n{\"b\"");
    rig.settle();
    rig.expect_once("{\"a\":1}");
    rig.restart();
    rig.append("a.log", ":2}");
    rig.settle();
    rig.append("a.log", "\n");
    rig.settle();
    rig.expect_once("{\"a\":1}\n{\"b\":2}");
}

#[test]
fn the_last_line_of_a_finished_file_counts_if_it_is_whole() {
    for (tail, whole) in [("{\"b\":2}", true), ("{\"b\":", false)] {
        for finish in ["rename", "delete", "gzip"] {
            let mut rig = Rig::new(&["app*"]);
            rig.append("app.log", &format!("{{\"a\":1}}\n{tail}"));
            rig.sweep();
            match finish {
                "rename" => rig.rename("app.log", "app.log.1"),
                "delete" => rig.remove("app.log"),
                _ => rig.gzip("app.log"),
            }
            rig.sweep();
            rig.settle();
            rig.restart();
            rig.settle();
            let expected = if whole { format!("{{\"a\":1}}\n{tail}") } else { "{\"a\":1}".into() };
            rig.expect_once(&expected);
            assert_eq!((rig.truncated, rig.lost), (u64::from(!whole), 0), "{tail} {finish}");
        }
    }
}

#[test]
fn a_line_completed_after_the_rename_is_counted_whole() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", "{\"a\":1}\n{\"b\"");
    rig.sweep();
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "{\"c\":3}\n");
    rig.sweep();
    rig.append("app.log.1", ":2}\n");
    rig.settle();
    rig.expect_once("{\"a\":1}\n{\"b\":2}\n{\"c\":3}");
    assert_eq!(rig.truncated, 0);
}

#[test]
fn lines_that_are_too_long_are_skipped_and_counted() {
    for compressed in [false, true] {
        let mut rig = Rig::with(&["*"], |config| config.line_bytes_max = 1000);
        let text = format!(
            "{{\"a\":1}}\n{}\n{}{}\n{{\"z\":1}}\n",
            "y".repeat(1001),
            lines(0, 4000),
            "y".repeat(3 << 20)
        );
        if compressed {
            fs::write(rig.path("a.gz"), gzipped(text.as_bytes())).unwrap();
        } else {
            let (head, rest) = text.split_at(1 << 20);
            rig.append("a.log", head);
            rig.sweep();
            rig.append("a.log", rest);
        }
        rig.settle();
        rig.expect_once(&format!("{{\"a\":1}}\n{}{{\"z\":1}}\n", lines(0, 4000)));
        assert_eq!(rig.oversized, 2);
    }
}

#[test]
fn a_line_longer_than_a_chunk_is_read_whole() {
    let mut rig = Rig::new(&["*.log"]);
    let long = format!("{{{}}}", "y".repeat(3 << 20));
    rig.append("a.log", &long[..2 << 20]);
    rig.sweep();
    rig.append("a.log", &format!("{}\n{}", &long[2 << 20..], lines(0, 2)));
    rig.sweep();
    rig.expect_once(&format!("{long}\n{}", lines(0, 2)));
}

#[test]
fn a_file_filled_in_advance_is_read_as_it_is_written() {
    use std::os::unix::fs::FileExt;
    let mut rig = Rig::new(&["*.log"]);
    let file = File::create(rig.path("a.log")).unwrap();
    file.set_len(1 << 20).unwrap();
    let text = lines(0, 20);
    let mut written = 0;
    for piece in text.as_bytes().chunks(77) {
        file.write_all_at(piece, written).unwrap();
        written += piece.len() as u64;
        file.set_modified(SystemTime::now() + Duration::from_secs(written)).unwrap();
        rig.sweep();
    }
    rig.expect_once(&text);
    assert_eq!(rig.lost, 0);
}

#[test]
fn damaged_and_cut_gzip_is_a_problem_and_stops_nothing() {
    let whole = gzipped(lines(0, 3000).as_bytes());
    let mut damaged = whole.clone();
    damaged[whole.len() - 8] ^= 0xff;
    for (bytes, kind) in [
        (whole[..whole.len() / 2].to_vec(), ProblemKind::GzipCut),
        (damaged, ProblemKind::GzipDamaged),
    ] {
        let mut rig = Rig::new(&["*"]);
        fs::write(rig.path("a.gz"), bytes).unwrap();
        rig.append("z.log", "{\"z\":1}\n");
        rig.settle();
        assert_eq!(rig.counted["{\"z\":1}"], 1);
        assert!(rig.counted.contains_key(lines(0, 1).trim_end()));
        let kinds: Vec<ProblemKind> = rig.problems.iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, [kind]);
        assert_eq!(rig.last.next_wake_ms, None);
        fs::write(rig.path("a.gz"), &whole).unwrap();
        rig.settle();
        assert!(rig.counted.contains_key(lines(2999, 3000).trim_end()), "{kind:?}");
    }
}

#[test]
fn what_is_no_regular_file_is_left_alone() {
    let mut rig = Rig::new(&["*"]);
    fs::create_dir(rig.path("folder")).unwrap();
    std::os::unix::fs::symlink(rig.path("nowhere"), rig.path("dangling")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(rig.path("socket")).unwrap();
    rig.append("a.log", &lines(0, 2));
    rig.append("empty.log", "");
    rig.settle();
    rig.expect_once(&lines(0, 2));
    assert!(rig.problems.is_empty(), "{:?}", rig.problems);
}

#[test]
fn a_wrong_glob_is_a_problem_once() {
    let mut rig = Rig::new(&["a***b", "*.log"]);
    rig.append("a.log", &lines(0, 2));
    rig.settle();
    rig.expect_once(&lines(0, 2));
    assert_eq!(rig.problems.len(), 1);
    assert_eq!(rig.problems[0].kind, ProblemKind::Glob);
}

#[test]
fn handles_are_bounded_with_thousands_of_files() {
    let mut rig = Rig::with(&["*.log"], |config| config.open_files_max = 10);
    for n in 0..1000 {
        rig.append(&format!("{n}.log"), &lines(n, n + 1));
    }
    rig.sweep();
    for n in 0..1000 {
        rig.append(&format!("{n}.log"), &lines(1000 + n, 1001 + n));
    }
    rig.sweep();
    rig.expect_once(&lines(0, 2000));
    assert_eq!((rig.last.open_files, rig.last.tracked_files), (10, 1000));
}

#[test]
fn a_sweep_ends_with_more_to_do_when_there_is_much() {
    let mut rig = Rig::new(&["*.log"]);
    let megabytes = (SWEEP_BYTES_MAX >> 20) + 4;
    let text: String = (0..megabytes).map(|n| format!("{n}{}\n", "x".repeat(1 << 20))).collect();
    rig.write("a.log", &text);
    rig.append("b.log", &lines(0, 2));
    rig.sweep_once(Look::Everything, usize::MAX);
    assert_eq!(rig.last.next_wake_ms, Some(0));
    assert!(rig.last.backlog_bytes > 1 << 20, "{:?}", rig.last);
    assert!(rig.counted.contains_key(lines(1, 2).trim_end()));
    rig.sweep();
    rig.expect_once(&format!("{text}{}", lines(0, 2)));
    assert_eq!(rig.last.backlog_bytes, 0);
}

#[test]
fn generations_that_are_gone_are_forgotten_in_time() {
    let mut rig = Rig::with(&["*.log"], |config| config.forget_after_ms = 60_000);
    rig.append("a.log", &lines(0, 3));
    rig.append("b.log", &lines(3, 5));
    rig.sweep();
    rig.remove("a.log");
    rig.settle();
    assert_eq!(rig.stored.len(), 2);
    rig.now_ms += 61_000;
    rig.sweep();
    assert_eq!(rig.stored.len(), 1);
    // What is there stays known over a restart however long nothing is written to it.
    rig.now_ms += 30_000;
    rig.sweep();
    rig.now_ms += 59_000;
    rig.restart();
    rig.settle();
    rig.expect_once(&lines(0, 5));
    assert_eq!(rig.stored.len(), 1);
}

#[test]
fn emit_can_stop_a_sweep() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", &lines(0, 9000));
    let mut batches = 0;
    let sweep = rig.source.sweep(UnixMillis(rig.now_ms), Look::Everything, &mut |_| {
        batches += 1;
        ControlFlow::Break(())
    });
    assert!(sweep.stopped);
    assert_eq!(batches, 1);
}
