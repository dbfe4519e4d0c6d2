//! Clicks: ranges, groups, filters, tables, light and dark. Whatever is chosen is in the address, so that a link shows the same and
//! *back* leads back.

use serde_json::{Value, json};

use super::{SHOWN, amount, open, stage};
use crate::support::browser::Browser;

/// What is shown, without what time changes.
const VIEW: &str = r"[
  document.querySelector('#usage h2').textContent,
  [...document.querySelectorAll('#controls [aria-pressed=true]')].map((node) => node.textContent),
  document.querySelector('[data-key=by]').value, document.querySelector('[data-key=show]').value,
  [...document.querySelectorAll('.chips li')].map((node) => node.textContent),
  [...document.querySelectorAll('#models tbody th')].map((node) => node.textContent),
  !!document.querySelector('#usage table'), document.querySelectorAll('#usage .part').length > 0,
]";

fn click_and_wait(browser: &Browser, css: &str) {
    browser.click(css);
    browser.wait(SHOWN);
}

fn choose(browser: &Browser, key: &str, value: &str) {
    click_and_wait(browser, &format!("[data-key={key}] option[value='{value}']"));
}

#[test]
fn what_is_clicked_is_in_the_address_and_back_leads_back() {
    let Some(browser) = Browser::start("clicks on the page") else { return };
    let stage = stage::shared();
    browser.look(1280, "light");
    open(&browser, &stage.daemon, "");
    let mut views = vec![browser.value(VIEW)];
    let mut see = |browser: &Browser, address: &str| {
        assert_eq!(browser.value("location.search"), address);
        let view = browser.value(VIEW);
        assert_ne!(Some(&view), views.last(), "{address} shows something else");
        views.push(view);
    };
    click_and_wait(&browser, "[data-key='range 7d']");
    see(&browser, "?range=7d");
    choose(&browser, "by", "principal");
    see(&browser, "?range=7d&by=principal");
    choose(&browser, "show", "calls");
    see(&browser, "?range=7d&by=principal&show=calls");
    click_and_wait(&browser, "#usage [data-key='table usage']");
    see(&browser, "?range=7d&by=principal&show=calls&table=usage");
    click_and_wait(&browser, "#models [data-key='top model anthropic.claude-v2:1']");
    let filtered =
        "?range=7d&by=principal&show=calls&where=model%3D%3Danthropic.claude-v2%3A1&table=usage";
    see(&browser, filtered);
    assert_eq!(browser.value("document.querySelectorAll('#models tbody tr').length"), 1);

    let other = Browser::start("a link to the page").unwrap();
    other.look(1280, "light");
    open(&other, &stage.daemon, filtered);
    assert_eq!(other.value(VIEW), views[5], "a link shows the same");
    assert_eq!(other.errors(), Vec::<String>::new());

    for view in views.iter().rev().skip(1) {
        browser.back();
        browser.wait(SHOWN);
        assert_eq!(&browser.value(VIEW), view);
    }
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_part_of_a_bar_filters_and_the_filter_can_be_removed() {
    let Some(browser) = Browser::start("filters of the page") else { return };
    let stage = stage::shared();
    browser.look(1280, "light");
    open(&browser, &stage.daemon, "?by=principal");
    let all = amount(&browser, "#tiles");
    // The tallest part can be hit for sure.
    let key = browser.value(
        "[...document.querySelectorAll('#usage .part')].sort((a, b) => b.getAttribute('height') - a.getAttribute('height'))[0].dataset.key",
    );
    let principal = key.as_str().unwrap().rsplit_once('=').unwrap().1.to_owned();
    click_and_wait(&browser, &format!("#usage .part[data-key='{}']", key.as_str().unwrap()));
    assert_eq!(browser.value("document.querySelectorAll('.chips li').length"), 1);
    let chip = browser.value("document.querySelector('.chips li').textContent");
    assert_eq!(chip, format!("principal {principal}×"));
    assert_ne!(amount(&browser, "#tiles"), all);
    assert_eq!(browser.value("document.querySelectorAll('#principals tbody tr').length"), 1);
    click_and_wait(&browser, "#models tbody button");
    assert_eq!(browser.value("document.querySelectorAll('.chips li:not(.bare)').length"), 2);
    browser.click_path("//button[.='remove all']");
    browser.wait(SHOWN);
    assert_eq!(amount(&browser, "#tiles"), all);
    assert_eq!(browser.value("location.search"), "?by=principal");
}

#[test]
fn a_drag_over_bars_looks_closer_at_them() {
    let Some(browser) = Browser::start("a drag over the chart") else { return };
    let stage = stage::shared();
    browser.look(1280, "light");
    open(&browser, &stage.daemon, "?range=7d");
    let start = |bar: u32| {
        let css = format!("#usage .slot[data-bar='{bar}']");
        let key = browser.run("return document.querySelector(arguments[0]).parentNode.querySelector('.part').dataset.key.split(' ')[1]", &[json!(css)]);
        key.as_str().unwrap().parse::<i64>().unwrap()
    };
    let (from, to) = (start(10), start(14));
    browser.drag("#usage .slot[data-bar='10']", "#usage .slot[data-bar='13']");
    browser.wait(SHOWN);
    let shown = browser.value(
        "['from', 'to'].map((name) => Date.parse(new URLSearchParams(location.search).get(name)))",
    );
    assert_eq!(shown, json!([from, to]));
    assert_eq!(
        browser.value("document.querySelectorAll('.chips li').length"),
        0,
        "a drag is no click"
    );
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_custom_range_is_asked_in_the_zone_that_is_shown() {
    let Some(browser) = Browser::start("a range of one's own") else { return };
    let stage = stage::shared();
    browser
        .devtools("Emulation.setTimezoneOverride", &json!({ "timezoneId": "Australia/Adelaide" }));
    open(&browser, &stage.daemon, "");
    let set = "const fields = document.querySelectorAll('.custom input'); fields[0].value = arguments[0]; fields[1].value = arguments[1];";
    for (zone, from, to) in [
        ("Australia/Adelaide", "2026-01-02T10:30", "2026-01-03T10:30"),
        ("UTC", "2026-01-02T00:00", "2026-01-03T00:00"),
    ] {
        choose(&browser, "zone", zone);
        browser.click(".custom summary");
        browser.run(set, &[json!(from), json!(to)]);
        browser.click("[data-key=apply]");
        browser.wait(SHOWN);
        let query = browser.value("location.search");
        let query = query.as_str().unwrap();
        assert!(
            query.starts_with("?from=2026-01-02T00%3A00%3A00.000Z&to=2026-01-03T00%3A00%3A00.000Z"),
            "{query}"
        );
        assert!(browser.text("#usage").contains("Nothing was spent in this range."), "{query}");
    }
    // Days begin at the midnight of the zone: 13:30 in UTC.
    open(&browser, &stage.daemon, "?range=30d");
    let marks = browser.value("[...document.querySelectorAll('#usage .slot')].length");
    assert_eq!(marks, 30);
    open(&browser, &stage.daemon, "?from=2027-01-01T00:00:00Z&to=2026-01-01T00:00:00Z");
    assert_eq!(
        browser.value("document.querySelector(\"[data-key='range 24h']\").ariaPressed"),
        "true"
    );
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn light_and_dark_can_be_chosen_and_stay() {
    let Some(browser) = Browser::start("light and dark") else { return };
    let stage = stage::shared();
    browser.look(1280, "light");
    open(&browser, &stage.daemon, "");
    let back = || browser.value("getComputedStyle(document.body).backgroundColor");
    let light = back();
    assert_eq!(browser.text("#theme"), "Dark");
    browser.click("#theme");
    let dark = back();
    assert_ne!(light, dark);
    open(&browser, &stage.daemon, "?range=6h");
    assert_eq!((back(), browser.text("#theme")), (dark.clone(), "Light".to_owned()));
    browser.look(1280, "dark");
    assert_eq!(back(), dark);
    browser.click("#theme");
    assert_eq!(back(), light, "what was chosen comes before what the system says");
    let picked: Value = browser.value("localStorage.getItem('theme')");
    assert_eq!(picked, "light");
}
