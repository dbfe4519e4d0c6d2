//! Text of a log on the page: whatever it holds, it is text, and it neither breaks the page nor turns it around.

use serde_json::json;

use super::{SHOWN, open};
use crate::support::browser::Browser;
use crate::support::daemon::Daemon;
use crate::support::log::Call;
use crate::support::work_dir::WorkDir;

/// Markup, quotes, globs, a colour of a terminal, what turns text around, and a line feed.
const MODEL: &str = "<img src=x onerror=\"window.hit=1\">'\"&*?\u{202e}live\u{1b}[31m\nred=!";
const PRINCIPAL: &str = "<img src=y onerror=window.hit=2>";

#[test]
fn markup_in_names_is_shown_as_text_and_can_be_filtered_by() {
    let Some(browser) = Browser::start("hostile names") else { return };
    let work = WorkDir::new("page-hostile");
    let at = tollkeeper::daemon::clock::now().0 / 1000;
    let call = |id: u32, model: &str, principal: &str| {
        Call {
            at,
            model_id: model.to_owned(),
            request_id: Some(format!("h-{id}")),
            identity_arn: format!("arn:aws:iam::111122223333:user/{principal}"),
            ..Call::example()
        }
        .bedrock_line()
    };
    work.file("logs/a.log", call(1, MODEL, PRINCIPAL) + &call(2, "anthropic.claude-v2:1", "bob"));
    let daemon = Daemon::start(&work.join("logs/*.log"), &work.join("ledger"));
    daemon.wait_for_requests(2);
    browser.look(360, "light");
    for by in ["model", "principal"] {
        open(&browser, &daemon, &format!("?range=1h&by={by}&show=tokens&table=usage"));
        assert_eq!(browser.value("document.querySelectorAll('main img, main script').length"), 0);
        assert_eq!(browser.value("window.hit === undefined"), true);
        assert_eq!(browser.value("document.documentElement.scrollWidth - innerWidth"), 0);
    }
    let known = daemon.get("/api/v1/usage?by=model,principal");
    let known = crate::support::json::parse(&known.body);
    let of_hostile = known["groups"]
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["labels"][0] != "anthropic.claude-v2:1");
    let labels = &of_hostile.unwrap_or_else(|| panic!("{known:#}"))["labels"];
    let (model, principal) = (labels[0].as_str().unwrap(), labels[1].as_str().unwrap());
    assert!(model.contains("<img") && principal.contains("<img src=y"), "{labels}");

    let shown = browser.text("#models");
    assert!(shown.contains("<img src=x onerror=\"window.hit=1\">"), "{shown}");
    assert!(!shown.contains('\u{202e}') && !shown.contains('\u{1b}'), "{shown}");
    assert!(browser.text("#principals").contains("<img src=y onerror=window.hit=2>"));
    assert!(
        browser.text("#notices").contains("tokens have no price"),
        "a model without a price is said loud"
    );
    assert!(browser.text("#notices").contains("<img src=x"), "and named");

    // By a click: the filter is this very value, and a link holds it.
    let click = "[...document.querySelectorAll('#models tbody button')].find((node) => node.dataset.key === arguments[0]).click()";
    browser.run(click, &[json!(format!("top model {model}"))]);
    browser.wait(SHOWN);
    assert_eq!(browser.value("document.querySelectorAll('#models tbody tr').length"), 1);
    let address = browser.value("location.href");
    browser.go(address.as_str().unwrap());
    browser.wait(SHOWN);
    assert_eq!(browser.value("document.querySelectorAll('.chips li').length"), 1);
    assert_eq!(browser.value("document.querySelectorAll('#principals tbody tr').length"), 1);
    assert!(browser.text(".chips").contains("<img src=x"), "{}", browser.text(".chips"));
    assert_eq!(browser.value("window.hit === undefined"), true);
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn an_address_that_somebody_made_up_does_no_harm() {
    let Some(browser) = Browser::start("hostile addresses") else { return };
    let work = WorkDir::new("page-address");
    work.file("logs/a.log", Call::example().bedrock_line());
    let daemon = Daemon::start(&work.join("logs/*.log"), &work.join("ledger"));
    daemon.wait_for_requests(1);
    for query in [
        "?range=1000y&by=%3Cimg%3E&show=__proto__&zone=Mars&table=%3Cimg%3E&where=%3D&where=model",
        "?range=constructor&show=toString&from=x&to=y",
        "?where=model=%3Cimg%20src%3Dx%3E&where=principal=!*",
    ] {
        open(&browser, &daemon, query);
        assert_eq!(
            browser.value("document.querySelectorAll('main img, nav img').length"),
            0,
            "{query}"
        );
        assert_eq!(browser.errors(), Vec::<String>::new(), "{query}");
    }
    // A label that nothing has is refused by the daemon, in words.
    browser.go(&format!("http://{}/?by=nonsense", daemon.address().unwrap()));
    browser
        .wait("document.querySelector('#stale').textContent.includes('`nonsense` is not known')");
}
