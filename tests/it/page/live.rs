//! The page while things change: it follows without being loaded again, and says so when it can't.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::server::Events;
use super::{SHOWN, amount, open};
use crate::support::browser::Browser;
use crate::support::daemon::Daemon;
use crate::support::log::Call;
use crate::support::work_dir::WorkDir;

fn append(log: &Path, id: u32) {
    let at = tollkeeper::daemon::clock::now().0 / 1000;
    let call = Call { at, request_id: Some(format!("live-{id}")), ..Call::example() };
    let mut file = OpenOptions::new().append(true).create(true).open(log).unwrap();
    file.write_all(call.bedrock_line().as_bytes()).unwrap();
}

/// A config with an address that stays the same when the daemon starts again.
fn config(work: &WorkDir, address: &str) -> PathBuf {
    work.file(
        "t.toml",
        format!("listen = \"{address}\"\n[ledger]\ndir = \"ledger\"\n[[source]]\nname = \"a\"\ninclude = [\"logs/*.log\"]\n"),
    )
}

/// A daemon that has counted one call of just now, and the log to append to.
fn with_one_call(work: &WorkDir) -> (Daemon, PathBuf) {
    work.folder("logs");
    let log = work.join("logs/a.log");
    append(&log, 1);
    let daemon = Daemon::start_with(&[config(work, "127.0.0.1:0").as_os_str()]);
    daemon.wait_for_requests(1);
    (daemon, log)
}

#[test]
fn a_line_that_is_appended_shows_up_without_loading_the_page_again() {
    let Some(browser) = Browser::start("a live page") else { return };
    let work = WorkDir::new("page-live");
    let (daemon, log) = with_one_call(&work);
    open(&browser, &daemon, "?range=1h");
    browser.wait("document.querySelector('#live').textContent === 'Live'");
    let before = amount(&browser, "#tiles");
    browser.run(
        "window.isSamePage = true; document.querySelector(\"[data-key='range 1h']\").focus()",
        &[],
    );
    append(&log, 2);
    browser.wait(&format!("document.querySelector('#tiles data').value !== '{before}'"));
    // 4,502 input and 128 output tokens of Claude 2.1, twice.
    assert_eq!((before.as_str(), amount(&browser, "#tiles").as_str()), ("0.039088", "0.078176"));
    assert_eq!(browser.value("window.isSamePage"), true);
    assert_eq!(browser.value("document.activeElement.dataset.key"), "range 1h");
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_daemon_that_is_gone_makes_the_page_stale_until_it_is_back() {
    let Some(browser) = Browser::start("a stale page") else { return };
    let work = WorkDir::new("page-stale");
    let (daemon, log) = with_one_call(&work);
    let address = daemon.address().unwrap();
    open(&browser, &daemon, "?range=1h");
    assert_eq!(browser.text("#stale"), "");
    assert!(daemon.terminate().0.success());
    browser.wait("document.querySelector('#stale').textContent.startsWith('Stale since ')");
    assert!(
        browser.text("#stale").contains("The daemon does not answer"),
        "{}",
        browser.text("#stale")
    );
    assert_eq!(amount(&browser, "#tiles"), "0.039088", "what was known is still there");

    append(&log, 2);
    let mut daemon = Daemon::spawn(&[config(&work, &address).as_os_str()]);
    daemon.wait_ready();
    browser.wait("document.querySelector('#stale').textContent === '' && document.querySelector('#live').textContent === 'Live'");
    browser.wait("document.querySelector('#tiles data').value === '0.078176'");
    // What failed meanwhile is in the console, and nothing else is.
    let other: Vec<String> =
        browser.errors().into_iter().filter(|error| !error.contains("net::ERR")).collect();
    assert_eq!(other, Vec::<String>::new());
}

#[test]
fn without_a_stream_the_page_asks_now_and_then() {
    let Some(browser) = Browser::start("a page without a stream") else { return };
    let work = WorkDir::new("page-polling");
    let (daemon, log) = with_one_call(&work);
    let mut taken: Vec<Events> = (0..64).map(|_| Events::open(&daemon, "")).collect();
    for stream in &mut taken {
        stream.next("retry: ").expect("a stream");
    }
    open(&browser, &daemon, "?range=1h");
    browser.wait("document.querySelector('#live').textContent === 'Polling'");
    append(&log, 2);
    browser.wait("document.querySelector('#tiles data').value === '0.078176'");
    assert_eq!(browser.text("#stale"), "", "what is shown is not stale");
    drop(taken);
    browser.wait("document.querySelector('#live').textContent === 'Live'");
    let other: Vec<String> =
        browser.errors().into_iter().filter(|error| !error.contains("/api/v1/events")).collect();
    assert_eq!(other, Vec::<String>::new());
}

#[test]
fn nothing_is_asked_while_nobody_looks() {
    let Some(browser) = Browser::start("a page nobody looks at") else { return };
    let work = WorkDir::new("page-hidden");
    let (daemon, log) = with_one_call(&work);
    open(&browser, &daemon, "?range=1h");
    browser.wait("document.querySelector('#live').textContent === 'Live'");
    // Headless pages are never hidden, so the page is told that it is.
    let hide = "Object.defineProperty(document, 'hidden', { value: arguments[0], configurable: true }); document.dispatchEvent(new Event('visibilitychange'));";
    browser.run(hide, &[true.into()]);
    assert_eq!(browser.text("#live"), "Paused");
    let asked = "performance.getEntriesByType('resource').filter(({ name }) => !name.endsWith('events')).length";
    let before = browser.value(asked);
    append(&log, 2);
    daemon.wait_for_requests(2);
    crate::support::wait::holds_for(std::time::Duration::from_secs(3), "nothing is asked", || {
        browser.value(asked) == before
    });
    browser.run(hide, &[false.into()]);
    browser.wait(SHOWN);
    browser.wait("document.querySelector('#tiles data').value === '0.078176'");
}
