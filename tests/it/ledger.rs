//! A ledger that can't be used: a clear error that says what to do, and nothing deleted.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::daemon::{Daemon, output_of, run_arguments, tollkeeper};
use crate::support::truth::Generator;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::{WorkDir, files_under};

/// A ledger with something in it, of a daemon that ended well.
fn filled(work: &WorkDir) -> (PathBuf, PathBuf, Generator) {
    let mut generator = Generator::new("f", 61);
    let log = work.file("logs/app.log", generator.lines(2_000));
    let ledger = work.join("ledger");
    let daemon = Daemon::start(&log, &ledger);
    daemon.wait_for_truth(generator.truth());
    daemon.terminate();
    (log, ledger, generator)
}

#[test]
fn a_ledger_named_without_a_folder_is_made_where_one_is() {
    let work = WorkDir::new("relative");
    let mut generator = Generator::new("r", 62);
    work.file("app.log", generator.lines(20));
    let mut command = tollkeeper();
    command.arg("run").args(run_arguments(Path::new("app.log"), Path::new("ledger")));
    let mut daemon = Daemon::spawn_command(command.current_dir(work.path())).unwrap();
    daemon.wait_ready();
    daemon.wait_for_truth(generator.truth());
    assert!(work.join("ledger/db").is_file());
}

fn run(log: &Path, ledger: &Path) -> Output {
    let mut arguments: Vec<&OsStr> = vec!["run".as_ref()];
    arguments.extend(run_arguments(log, ledger));
    output_of(&arguments)
}

fn check(ledger: &Path) -> Output {
    output_of(&["check".as_ref(), "ledger".as_ref(), ledger.as_os_str()])
}

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files_under(folder).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Panics unless the command ended with an error that names the ledger and says what to do.
fn assert_clear_error(output: &Output, ledger: &Path) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("error: "), "{stderr}");
    assert!(stderr.contains(ledger.to_str().unwrap()), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_good_ledger_passes_the_check() {
    let work = WorkDir::new("good");
    let (_, ledger, _) = filled(&work);
    let output = check(&ledger);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_locked_ledger_is_refused_and_its_owner_not_disturbed() {
    let work = WorkDir::new("locked");
    let mut generator = Generator::new("o", 62);
    let log = work.file("logs/app.log", generator.lines(100));
    let ledger = work.join("ledger");
    let owner = Daemon::start(&log, &ledger);
    owner.wait_for_requests(1);
    let output = run(&log, &ledger);
    assert_clear_error(&output, &ledger);
    let stderr = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(stderr.contains("another") || stderr.contains("lock"), "{stderr}");
    owner.wait_for_truth(generator.truth());
}

#[test]
fn a_ledger_that_was_cut_short_is_refused_or_exact_and_never_deleted() {
    let work = WorkDir::new("cut");
    let (log, ledger, generator) = filled(&work);
    let database = files_under(&ledger)
        .into_iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let length = fs::metadata(&database).unwrap().len();
    fs::OpenOptions::new().write(true).open(&database).unwrap().set_len(length / 3).unwrap();
    let files = files_under(&ledger).len();
    let mut daemon = Daemon::spawn(&run_arguments(&log, &ledger));
    // Either it sees that something is missing, or what is missing did not matter.
    let ended = wait_until(SOON, "an end or an address", || {
        if daemon.address().is_some() { Some(false) } else { daemon.ended().map(|_| true) }
    });
    if ended {
        assert_eq!(daemon.wait_exit().code(), Some(2), "{}", daemon.stderr());
        assert!(daemon.stderr().contains("error: "), "{}", daemon.stderr());
    } else {
        daemon.wait_ready();
        daemon.wait_for_truth(generator.truth());
    }
    let beside =
        files_under(work.path()).into_iter().filter(|path| !path.starts_with(work.join("logs")));
    assert!(beside.count() >= files, "files are gone");
}

#[test]
fn a_ledger_full_of_garbage_is_refused_and_left_as_it_is() {
    let work = WorkDir::new("garbage");
    let (log, ledger, _) = filled(&work);
    for path in files_under(&ledger) {
        let length = fs::metadata(&path).unwrap().len();
        fs::write(&path, vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
    }
    let before = contents(&ledger);
    assert_clear_error(&check(&ledger), &ledger);
    assert_clear_error(&run(&log, &ledger), &ledger);
    // Moved aside is as good as left alone.
    let after: Vec<Vec<u8>> = contents(work.path()).into_values().collect();
    assert!(before.values().all(|bytes| after.contains(bytes)), "bytes of the ledger are gone");
}

/// Makes a ledger that says it is from a version far ahead: the schema version is the first key.
fn write_newer_schema(ledger: &Path) {
    let database = sled::open(ledger).unwrap();
    database.insert([0_u8], &999_u32.to_be_bytes()).unwrap();
    database.flush().unwrap();
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_and_not_changed() {
    let work = WorkDir::new("newer");
    let log = work.file("logs/app.log", "");
    let ledger = work.folder("ledger");
    write_newer_schema(&ledger);
    assert_clear_error(&run(&log, &ledger), &ledger);
    assert_clear_error(&check(&ledger), &ledger);
    let output = run(&log, &ledger);
    let stderr = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(stderr.contains("schema") && stderr.contains("newer"), "{stderr}");
}
