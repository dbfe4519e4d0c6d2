//! A disk may keep any of the writes that no sync has covered, in any order, and tear them between
//! sectors. The writer is traced, and its files are rebuilt as such a disk may leave them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::trace::{self, Event, What};
use crate::{Outcome, Random, WRITER_COMMITS, WRITER_DIR, tool, workload};

/// Commits of the traced run, with several folds and compactions among them.
const COMMITS: u64 = 200;
/// The unit in which a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Which files there are, by name.
type Names = BTreeMap<String, Option<usize>>;

pub(crate) fn run(rounds: u64, random: &mut Random) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().canonicalize().unwrap().join("ledger");
    let file = home.path().join("trace");
    let strace = tool("strace");
    let traced = Command::new(&strace)
        .args(["-f", "-y", "-xx", "-s", "4000000", "-e", trace::CALLS, "-o"])
        .arg(&file)
        .arg(std::env::current_exe().unwrap())
        .env(WRITER_DIR, &dir)
        .env(WRITER_COMMITS, COMMITS.to_string())
        .stdout(Stdio::null())
        .output();
    let traced = match traced {
        Ok(traced) if traced.status.success() => traced,
        Ok(traced) => {
            let words = String::from_utf8_lossy(&traced.stderr).into_owned();
            assert!(words.contains("ptrace"), "the writer failed: {words}");
            return Outcome::Skipped(format!("processes can't be traced: {}", words.trim()));
        }
        Err(error) => {
            return Outcome::Skipped(format!("can't run `{}`: {error}", strace.display()));
        }
    };
    assert!(traced.status.success());
    let events = trace::parse(&fs::read_to_string(&file).unwrap(), dir.to_str().unwrap());
    let acks = events.iter().filter(|event| matches!(event.what, What::Ack(_))).count();
    assert_eq!(acks as u64, COMMITS, "the trace holds every acknowledgement");

    for round in 0..rounds {
        let cut = random_cut(&events, random);
        let wrong = attempt(&events, cut, |_| true, random).err();
        assert_eq!(wrong, None, "round {round}, cut after {cut} of {} calls", events.len());
    }
    // The same rig without one of the barriers: it must find what they are for.
    let is_barrier = |what: &What| matches!(what, What::Sync { data_only: true, .. });
    let of_streams =
        |what: &What| matches!(what, What::Sync { name, .. } if name.starts_with("streams"));
    let mut lost = |counts: &dyn Fn(&What) -> bool| {
        let cuts = (0..rounds).filter(|_| {
            let cut = random_cut(&events, random);
            attempt(&events, cut, counts, random).is_err()
        });
        let lost = cuts.count();
        assert!(lost > 0, "without a barrier {rounds} rounds of {rounds} were exact: a blind test");
        lost
    };
    let without = lost(&|what| !is_barrier(what));
    let without_streams = lost(&|what| !(is_barrier(what) && of_streams(what)));
    Outcome::Passed(format!(
        "{rounds} of {rounds} exact; without the barrier {without} were not, without that of streams \
         {without_streams}"
    ))
}

/// Returns a moment after the first acknowledgement; before it nothing is promised.
fn random_cut(events: &[Event], random: &mut Random) -> usize {
    let first = events.iter().position(|event| matches!(event.what, What::Ack(_))).unwrap();
    first + 1 + usize::try_from(random.below((events.len() - first) as u64)).unwrap()
}

fn attempt(
    events: &[Event],
    cut: usize,
    counts: impl Fn(&What) -> bool,
    random: &mut Random,
) -> Result<(), String> {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let done = &events[..cut];
    rebuild(done, counts, &dir, random);
    let acked = done.iter().rev().find_map(|event| match event.what {
        What::Ack(number) => Some(number),
        _ => None,
    });
    workload::check(&dir, acked.unwrap_or(0))
}

/// A write or a change of length of a file that has a number instead of a name.
struct Change<'e> {
    at: usize,
    file: usize,
    what: &'e What,
}

/// A sync of the file with this number; `None` is the folder.
struct Synced {
    began: usize,
    file: Option<usize>,
}

fn rebuild(done: &[Event], counts: impl Fn(&What) -> bool, dir: &Path, random: &mut Random) {
    let mut names = Names::new();
    // Every state of the folder, with the call that led to it.
    let mut history = vec![(0, names.clone())];
    let mut changes = Vec::new();
    let mut syncs = Vec::new();
    let mut files = 0;
    for (at, event) in done.iter().enumerate() {
        let before = history.len();
        match &event.what {
            What::Create { name } => {
                names.insert(name.clone(), Some(files));
                files += 1;
                history.push((at, names.clone()));
            }
            What::MakeFolder { name } => {
                names.insert(name.clone(), None);
                history.push((at, names.clone()));
            }
            What::Rename { from, to } => {
                let file = names.remove(from).unwrap();
                names.insert(to.clone(), file);
                history.push((at, names.clone()));
            }
            What::Remove { name } => {
                names.remove(name).unwrap();
                history.push((at, names.clone()));
            }
            what @ (What::Write { name, .. } | What::Resize { name, .. }) => {
                changes.push(Change { at, file: names[name].unwrap(), what });
            }
            what @ What::Sync { name, .. } if counts(what) => {
                let file = names.get(name).copied().flatten();
                syncs.push(Synced { began: event.began, file });
            }
            What::Sync { .. } | What::Ack(_) => {}
        }
        debug_assert!(history.len() <= before + 1);
    }
    let durable = |at: usize, file: Option<usize>| {
        syncs.iter().any(|sync| sync.file == file && at < sync.began)
    };
    // Journaling file systems keep the order of changes to folders, but not to what files hold.
    let surely = history.iter().rposition(|&(at, _)| durable(at, None)).unwrap_or(0);
    let kept = surely + usize::try_from(random.below((history.len() - surely) as u64)).unwrap();
    let chance = [0, 10, 50, 90, 100][usize::try_from(random.below(5)).unwrap()];
    let mut contents: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    for change in &changes {
        let sure = durable(change.at, Some(change.file));
        let content = contents.entry(change.file).or_default();
        apply(content, change.what, |random| sure || random.below(100) < chance, random);
    }
    fs::create_dir(dir).unwrap();
    for (name, file) in &history[kept].1 {
        match file {
            None if name.is_empty() => {}
            None => fs::create_dir(dir.join(name)).unwrap(),
            Some(file) => {
                fs::write(dir.join(name), contents.get(file).map_or(&[][..], Vec::as_slice))
                    .unwrap();
            }
        }
    }
}

fn apply(
    content: &mut Vec<u8>,
    what: &What,
    keeps: impl Fn(&mut Random) -> bool,
    random: &mut Random,
) {
    match what {
        What::Resize { len, .. } if keeps(random) => content.resize(*len, 0),
        What::Write { offset, data, .. } => {
            let mut at = *offset;
            let mut rest = data.as_slice();
            while !rest.is_empty() {
                let len = rest.len().min(SECTOR - at % SECTOR);
                let (sector, next) = rest.split_at(len);
                if keeps(random) {
                    if content.len() < at + len {
                        content.resize(at + len, 0);
                    }
                    content[at..at + len].copy_from_slice(sector);
                }
                (at, rest) = (at + len, next);
            }
        }
        _ => {}
    }
}
