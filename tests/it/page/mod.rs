//! The page at `/`, in a real browser: what it shows is what the API and the logs say, a person can use it with a mouse, a
//! keyboard or a phone, and no text of a log becomes more than text.
//!
//! `stage` feeds a daemon with two weeks of simulated calls and an incident; it is shared by the tests that only look.
//! Without the browser they print `skipped: …`.

mod hands;
mod hostile;
mod keyboard;
mod live;
mod looks;
mod modules;
mod numbers;
mod server;
mod stage;
mod words;

use crate::support::browser::Browser;
use crate::support::daemon::Daemon;

/// True once everything is shown that was asked for.
const SHOWN: &str =
    "document.body.dataset.shown !== undefined && !document.body.hasAttribute('aria-busy')";

/// Opens the page of a daemon; `query` is what stands behind the address.
fn open(browser: &Browser, daemon: &Daemon, query: &str) {
    browser.go(&format!("http://{}/{query}", daemon.address().unwrap()));
    browser.wait(SHOWN);
}

/// The exact amount behind the first `<data>` in an element.
fn amount(browser: &Browser, css: &str) -> String {
    let script = "return document.querySelector(arguments[0])?.value";
    let value = browser.run(script, &[serde_json::json!(format!("{css} data"))]);
    value.as_str().unwrap_or_else(|| panic!("no amount in {css}")).to_owned()
}
