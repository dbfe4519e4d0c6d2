//! Records of several lines: they wait until they are whole, and no position is inside of one.

use super::*;

fn pretty(n: u64) -> String {
    format!("{{\n  \"request\": {n},\n  \"more\": []\n}}")
}

/// Every way to stop in the middle of a record.
fn halves(whole: &str) -> impl Iterator<Item = (&str, &str)> {
    (1..whole.len()).map(|at| whole.split_at(at))
}

fn expect_units(rig: &Rig, units: &[&str]) {
    let expected: BTreeMap<String, u64> = units.iter().map(|&unit| (unit.to_owned(), 1)).collect();
    assert_eq!(rig.counted, expected);
}

#[test]
fn half_a_record_of_several_lines_waits_for_its_end() {
    let whole = pretty(1) + "\n";
    for (head, rest) in halves(&whole) {
        for restart in [false, true] {
            let mut rig = Rig::new(&["*"]);
            rig.append("app.log", &format!("{}{head}", lines(0, 2)));
            rig.sweep();
            rig.settle();
            assert_eq!(rig.counted.len(), 2, "{head}");
            if restart {
                rig.restart();
                rig.sweep();
            }
            rig.append("app.log", rest);
            rig.sweep();
            assert_eq!(rig.counted.get(&pretty(1)), Some(&1), "{head}");
            assert_eq!((rig.counted.len(), rig.truncated), (3, 0));
        }
    }
}

#[test]
fn a_record_that_is_half_written_at_rotation_is_finished_in_its_file() {
    let whole = pretty(1) + "\n";
    for (head, rest) in halves(&whole) {
        for down in [false, true] {
            let mut rig = Rig::new(&["app.log"]);
            rig.append("app.log", &format!("{}{head}", lines(0, 2)));
            rig.sweep();
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", &format!("{}\n", pretty(2)));
            if down {
                rig.restart();
            }
            rig.sweep();
            rig.append("app.log.1", rest);
            rig.settle();
            rig.restart();
            rig.settle();
            let first = lines(0, 2);
            let mut expected: Vec<&str> = first.lines().collect();
            let (one, two) = (pretty(1), pretty(2));
            expected.extend([one.as_str(), two.as_str()]);
            expect_units(&rig, &expected);
            assert_eq!((rig.truncated, rig.lost), (0, 0));
        }
    }
}

#[test]
fn the_last_record_of_a_finished_file_needs_no_line_feed() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", &format!("{}\n{}", pretty(0), pretty(1)));
    rig.settle();
    expect_units(&rig, &[&pretty(0)]);
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", &format!("{}\n", pretty(2)));
    rig.settle();
    expect_units(&rig, &[&pretty(0), &pretty(1), &pretty(2)]);
    assert_eq!((rig.truncated, rig.lost), (0, 0));
}

#[test]
fn what_is_open_at_the_end_of_a_finished_file_falls_apart() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", &format!("{}\n{{\n{{\"a\":1}}\n{{\n  \"re", pretty(0)));
    rig.settle();
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", &lines(0, 1));
    rig.settle();
    let line = lines(0, 1);
    let other = "{\"a\":1}";
    assert_eq!(rig.counted.remove("{"), Some(2));
    expect_units(&rig, &[&pretty(0), other, line.trim_end()]);
    assert_eq!((rig.truncated, rig.lost), (1, 0));
}

#[test]
fn records_that_touch_are_counted_where_each_ends() {
    let mut rig = Rig::new(&["*"]);
    let all: String = (0..200).map(pretty).collect();
    for piece in all.as_bytes().chunks(333) {
        rig.append("app.log", std::str::from_utf8(piece).unwrap());
        rig.sweep_once(Look::Everything, usize::MAX);
        rig.restart();
    }
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", &lines(0, 1));
    rig.settle();
    assert_eq!(rig.counted.len(), 201);
    assert!(rig.counted.values().all(|&times| times == 1));
    assert_eq!(rig.truncated, 0);
}

#[test]
fn a_record_larger_than_a_chunk_is_read_whole() {
    let long: Vec<String> = (0..40_000).map(|n| format!("  \"key-{n}\": {n}")).collect();
    let long = format!("{{\n{}\n}}", long.join(",\n"));
    for max in [8 << 20, 600_000] {
        let mut rig = Rig::with(&["*"], |config| config.line_bytes_max = max);
        rig.append("app.log", &format!("{long}\n{}", lines(0, 2)));
        rig.sweep();
        let whole = rig.counted.get(&long).copied().unwrap_or(0);
        assert_eq!(whole, u64::from(long.len() <= max));
        assert_eq!(rig.counted.len(), if whole == 1 { 3 } else { 40_004 });
    }
}

#[test]
fn documents_in_a_line_that_is_too_long_are_counted_each() {
    let documents: String = lines(0, 100).replace('\n', "");
    let cut = format!("{documents}{{\"request\":");
    for (text, finish, truncated) in
        [(format!("{documents}\n"), false, 0), (documents.clone(), true, 0), (cut.clone(), true, 1)]
    {
        let mut rig = Rig::with(&["app.log"], |config| config.line_bytes_max = 1000);
        for piece in text.as_bytes().chunks(777) {
            rig.append("app.log", std::str::from_utf8(piece).unwrap());
            rig.sweep();
            rig.restart();
        }
        if finish {
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", &lines(100, 101));
        }
        rig.settle();
        let counted: u64 = rig.counted.values().sum();
        // Those in the end of the line that is short enough are one unit until they are decoded.
        let text: String = rig.counted.keys().map(String::as_str).collect();
        assert_eq!(text.matches("request").count(), 100 + usize::from(finish), "{truncated}");
        assert!(counted >= 90, "{counted}");
        assert_eq!((rig.oversized, rig.truncated, rig.lost), (0, truncated, 0));
    }
}

#[test]
fn pieces_of_a_container_wait_for_the_rest() {
    let piece = |tag: &str, text: &str| format!("2026-06-01T08:00:00Z stdout {tag} {text}\n");
    let mut rig = Rig::new(&["*"]);
    rig.append("app.log", &piece("P", "{\"request\":"));
    rig.sweep();
    assert_eq!(rig.counted.len(), 0);
    rig.restart();
    rig.append("app.log", "2026-06-01T08:00:00Z std");
    rig.sweep();
    rig.append("app.log", "err F oh no\n");
    rig.append("app.log", &piece("F", "1}"));
    rig.sweep();
    assert_eq!(rig.counted.len(), 1);
}

/// What every log begins with identifies none, also if it takes more than a line.
#[test]
fn half_a_record_that_was_given_up_is_not_the_beginning_of_the_next_log() {
    let half = "{\n  \"request\": ";
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", half);
    rig.sweep();
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", &lines(0, 1));
    rig.settle();
    rig.remove("app.log.1");
    rig.settle();
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", &format!("{}\n", pretty(1)));
    rig.settle();
    assert_eq!(rig.counted.get(&pretty(1)), Some(&1));
}

/// The copy ends inside of a record that the original has in full, and is not counted again.
#[test]
fn a_copy_that_ends_inside_a_record_is_known_as_a_copy() {
    let mut rig = Rig::new(&["app.log"]);
    let first: String = (0..4).map(|n| pretty(n) + "\n").collect();
    let (head, rest) = "{\n  \"request\": 4,\n  \"more\": []\n}".split_at(20);
    rig.append("app.log", &format!("{first}{head}"));
    rig.sweep();
    rig.copy("app.log", "app.log.1");
    rig.append("app.log", &format!("{rest}\n"));
    rig.sweep();
    rig.truncate("app.log");
    rig.append("app.log", &format!("{}\n", pretty(5)));
    rig.settle();
    rig.restart();
    rig.settle();
    let all: Vec<String> = (0..6).map(pretty).collect();
    expect_units(&rig, &all.iter().map(String::as_str).collect::<Vec<_>>());
}
