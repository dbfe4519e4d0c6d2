//! Where there is nothing to show, the page says what to do.

use serde_json::json;

use super::open;
use crate::doors::hash;
use crate::support::browser::Browser;
use crate::support::daemon::Daemon;
use crate::support::http::request_with;
use crate::support::log::Call;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

const CONFIG: &str = "listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"ledger\"\n[[source]]\nname = \"a\"\ninclude = [\"logs/*.log\"]\n";

#[test]
fn an_empty_ledger_says_what_to_do_and_fills_by_itself() {
    let Some(browser) = Browser::start("an empty page") else { return };
    let work = WorkDir::new("page-empty");
    work.folder("logs");
    let daemon = Daemon::start_with(&[work.file("t.toml", CONFIG).as_os_str()]);
    browser.look(360, "light");
    open(&browser, &daemon, "");
    for (css, sentence) in [
        (
            "#notices",
            "Nothing has been read yet. The ledger is open and waits for the files that the [[source]] entries of the config name.",
        ),
        ("#alerts", "No alert fires."),
        ("#usage", "Nothing has been read yet: see below which sources there are."),
        ("#models", "Nothing was used in this range."),
        ("#budgets", "No budget is set. A [[budget]] in the config"),
        ("#quotas", "No throttled call in the last ten minutes."),
    ] {
        let text = browser.text(css);
        assert!(text.contains(sentence), "{css}: {text}");
    }
    let call = Call { at: tollkeeper::daemon::clock::now().0 / 1000, ..Call::example() };
    work.file("logs/a.log", call.bedrock_line());
    browser.wait("document.querySelector('#notices').textContent === ''");
    browser.wait("document.querySelectorAll('#usage .part').length === 1");
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn who_is_locked_out_is_told_to_log_in_again() {
    let Some(browser) = Browser::start("a page behind a login") else { return };
    let work = WorkDir::new("page-login");
    work.file("logs/a.log", Call::example().bedrock_line());
    work.file("page.token", "old-token");
    let token = "[[web.token]]\nname = \"page\"\nfile = \"page.token\"\n";
    let config = work.file("t.toml", format!("{CONFIG}{token}"));
    let mut daemon = Daemon::spawn(&[config.as_os_str()]);
    daemon.wait_open();
    let address = daemon.address().unwrap();
    // A proxy that knows the token would send it. With passwords the browser itself would ask for a new one.
    browser.devtools("Network.enable", &json!({}));
    let headers = json!({ "headers": { "Authorization": "Bearer old-token" } });
    browser.devtools("Network.setExtraHTTPHeaders", &headers);
    open(&browser, &daemon, "");
    browser.wait("document.querySelector('#live').textContent === 'Live'");
    work.file("page.token", "new-token");
    daemon.signal("HUP");
    wait_until(SOON, "the new token", || {
        let login = "Authorization: Bearer new-token";
        let answer = request_with("GET", &address, "/metrics", &[login]);
        (answer.ok()?.status == 200).then_some(())
    });
    browser.wait("document.querySelector('#stale').textContent.includes('You are not logged in any more. Load the page again to log in.')");
    assert!(browser.text("#stale").starts_with("Stale since "), "{}", browser.text("#stale"));
}

#[test]
fn a_name_and_password_in_the_address_let_the_page_in() {
    let Some(browser) = Browser::start("a password in the address") else { return };
    let work = WorkDir::new("page-password");
    work.file("logs/a.log", Call::example().bedrock_line());
    work.file("web.yml", format!("basic_auth_users:\n  bob: {}\n", hash("builder")));
    let config = work.file("t.toml", format!("{CONFIG}[web]\nconfig_file = \"web.yml\"\n"));
    let mut daemon = Daemon::spawn(&[config.as_os_str()]);
    daemon.wait_open();
    browser.go(&format!("http://bob:builder@{}/", daemon.address().unwrap()));
    browser.wait(super::SHOWN);
    browser.wait("document.querySelector('#live').textContent === 'Live'");
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_ledger_that_is_being_opened_is_waited_for() {
    let Some(browser) = Browser::start("a page before the ledger is open") else { return };
    let work = WorkDir::new("page-opening");
    work.file("logs/a.log", Call::example().bedrock_line());
    let daemon = Daemon::start_with(&[work.file("t.toml", CONFIG).as_os_str()]);
    // What the daemon answers while it opens the ledger, as often as the page asks in its first second.
    let answer = "const real = window.fetch; window.fetch = async (...all) => window.isOpen ? real(...all) : \
        new Response(JSON.stringify({ title: 'Service Unavailable', status: 503, detail: 'the ledger is being opened' }), { status: 503 });";
    browser.devtools(
        "Page.addScriptToEvaluateOnNewDocument",
        &serde_json::json!({ "source": answer }),
    );
    browser.go(&format!("http://{}/", daemon.address().unwrap()));
    browser.wait("document.querySelector('#stale').textContent === 'The ledger is being opened. This page fills by itself as soon as it is.'");
    browser.run("window.isOpen = true", &[]);
    browser.wait(super::SHOWN);
    browser.wait("document.querySelector('#stale').textContent === ''");
    assert_eq!(browser.errors(), Vec::<String>::new());
}
