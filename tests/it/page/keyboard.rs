//! Everything by keyboard alone, and what a screen reader is told.

use serde_json::Value;

use super::{SHOWN, open, stage};
use crate::support::browser::{Browser, END, ENTER, ESCAPE, HOME, LEFT, RIGHT, TAB, UP};

const FOCUSED: &str = "(document.activeElement.dataset.key ?? document.activeElement.id)";

/// Presses Tab until something has the focus.
fn tab_to(browser: &Browser, condition: &str) {
    for _ in 0..80 {
        if browser.value(condition) == true {
            return;
        }
        browser.press(&[TAB]);
    }
    panic!("Tab does not lead to {condition}; it is at {}", browser.value(FOCUSED));
}

#[test]
fn a_person_without_a_mouse_gets_everywhere_and_keeps_the_place() {
    let Some(browser) = Browser::start("the page by keyboard") else { return };
    let stage = stage::shared();
    browser.look(1280, "light");
    open(&browser, &stage.daemon, "");
    browser.press(&[TAB]);
    assert_eq!(browser.value("document.activeElement.className"), "skip");

    tab_to(&browser, "document.activeElement.dataset.key === 'range 7d'");
    let outline = browser.value("getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(outline, "solid", "what has the focus can be seen");
    browser.press(&[ENTER]);
    browser.wait(SHOWN);
    assert_eq!(browser.value(FOCUSED), "range 7d", "what was pressed keeps the focus");

    browser.press(&[TAB]);
    tab_to(&browser, "document.activeElement.dataset.key === 'custom'");
    browser.press(&[ENTER]);
    browser.wait("document.querySelector('.custom').open");
    browser.press(&[TAB, ESCAPE]);
    browser.wait("!document.querySelector('.custom').open");
    assert_eq!(browser.value(FOCUSED), "custom");

    tab_to(&browser, "document.activeElement.matches('#usage .part')");
    let place =
        |what: &str| browser.value(&format!("Number(document.activeElement.dataset.{what})"));
    let number = |value: &Value| value.as_u64().unwrap();
    browser.press(&[HOME]);
    let first = number(&place("bar"));
    browser.press(&[RIGHT, RIGHT, UP]);
    assert_eq!((number(&place("bar")), number(&place("part"))), (first + 2, 1));
    let label = browser.value("document.activeElement.ariaLabel");
    assert!(label.as_str().unwrap().contains(" $"), "{label}");
    let readout = browser.text("#usage .readout");
    assert!(readout.contains(" of which "), "{readout}");
    browser.press(&[LEFT, END]);
    assert!(number(&place("bar")) > first + 40);
    browser.press(&[HOME, ENTER]);
    browser.wait(SHOWN);
    browser.wait("document.querySelectorAll('.chips li').length === 1");

    tab_to(&browser, "document.activeElement.matches('#usage [data-key=\"table usage\"]')");
    browser.press(&[ENTER]);
    browser.wait("document.querySelectorAll('#usage table tbody tr').length > 10");
    assert_eq!(browser.value(FOCUSED), "table usage");
    browser.wait(SHOWN);
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn every_chart_and_control_says_what_it_is() {
    let Some(browser) = Browser::start("names of controls") else { return };
    let stage = stage::shared();
    open(&browser, &stage.daemon, "?where=model=*claude*");
    let nameless = browser.value(
        "[...document.querySelectorAll('button, select, input, a, svg, [role=region]')].filter((node) => \
         !(node.ariaLabel || node.textContent.trim() || node.closest('label')?.textContent.trim())).map((node) => node.outerHTML)",
    );
    assert_eq!(nameless, serde_json::json!([]));
    let charts = browser.value(
        "[...document.querySelectorAll('svg.chart')].map((node) => [node.getAttribute('role'), node.closest('section').querySelector('[data-key^=table]').textContent])",
    );
    assert_eq!(charts, serde_json::json!([["group", "Table"], ["img", "Table"]]));
    // Quiet: only how the page is connected and what goes wrong is told by itself.
    let spoken = browser.value(
        "[...document.querySelectorAll('[aria-live], [role=status], [role=alert]')].map((node) => node.id).filter(Boolean)",
    );
    assert_eq!(spoken, serde_json::json!(["live", "stale"]));
    let headings = browser
        .value("[...document.querySelectorAll('h1, h2')].map((node) => node.textContent).length");
    assert_eq!(headings, 9);
    let twice = browser.value(
        "(() => { const ids = [...document.querySelectorAll('[id]')].map((node) => node.id); return ids.length - new Set(ids).size; })()",
    );
    assert_eq!(twice, 0);
}
