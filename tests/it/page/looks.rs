//! What the page looks like at three widths, light and dark: it fits, it can be read, and the browser has nothing against it.
//!
//! The pictures are in `target/page/`. With `TOLLKEEPER_SCREENSHOTS` those of README.md are made anew.

use std::path::Path;

use serde_json::Value;

use super::{open, stage};
use crate::support::browser::Browser;

/// Finds text that stands out too little: the contrast of WCAG 2.2 (1.4.3, AA), computed from what the browser shows.
const CONTRAST: &str = r"
  const parse = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((c, at) => c * a + under[at] * (1 - a));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.unshift(parse(getComputedStyle(at).backgroundColor));
    return layers.reduce((under, layer) => layer[3] === 0 ? under : over(layer, under), [255, 255, 255]);
  };
  const poor = [];
  let seen = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility() || node.closest('.unseen, noscript, option, title')) continue;
    seen += 1;
    const style = getComputedStyle(node);
    const back = behind(node);
    const ink = node.closest('svg') ? style.fill : style.color;
    const [one, other] = [light(over(parse(ink), back)), light(back)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 4.5) poor.push(`${contrast.toFixed(2)} ${node.tagName}.${node.className} ${text.data.slice(0, 40)}`);
  }
  for (const shape of document.querySelectorAll('.part, .swatch, .so-far')) {
    const style = getComputedStyle(shape);
    const ink = parse(shape.matches('.so-far') ? style.stroke : shape.matches('.part') ? style.fill : style.backgroundColor);
    const [one, other] = [light(ink), light(behind(shape.parentElement))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 3) poor.push(`${contrast.toFixed(2)} ${shape.tagName} ${shape.getAttribute('class')}`);
  }
  return [seen, poor];
";

/// What sticks out of the window to the right, but for what scrolls by itself.
const TOO_WIDE: &str = r"
  const wide = [...document.querySelectorAll('body *')].filter((node) =>
    node.getBoundingClientRect().right > innerWidth + 0.5 && !node.closest('.scroll, .unseen, svg') && node.checkVisibility());
  return [document.documentElement.scrollWidth - innerWidth, wide.map((node) => node.outerHTML.slice(0, 90))];
";

fn expect_good(browser: &Browser, what: &str) {
    let contrast = browser.run(CONTRAST, &[]);
    assert!(contrast[0].as_u64().unwrap() > 200, "{what}: few texts were seen: {contrast}");
    assert_eq!(contrast[1], Value::Array(Vec::new()), "{what}: text that can hardly be read");
    let wide = browser.run(TOO_WIDE, &[]);
    assert_eq!(wide, serde_json::json!([0, []]), "{what}: wider than the window");
    assert_eq!(browser.errors(), Vec::<String>::new(), "{what}");
}

#[test]
fn it_fits_and_can_be_read_at_every_width_in_light_and_dark() {
    let Some(browser) = Browser::start("the looks of the page") else { return };
    let stage = stage::shared();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for scheme in ["light", "dark"] {
        for width in [360, 768, 1280] {
            browser.look(width, scheme);
            open(&browser, &stage.daemon, "");
            browser.wait("document.querySelectorAll('#usage .part').length > 50");
            let file = format!("target/page/{width}-{scheme}.png");
            browser.screenshot(&root.join(file), 20_000);
            expect_good(&browser, &format!("{width} {scheme}"));
            open(&browser, &stage.daemon, "?range=7d&by=principal&table=usage&table=month");
            expect_good(&browser, &format!("{width} {scheme}, tables"));
        }
    }
    if std::env::var_os("TOLLKEEPER_SCREENSHOTS").is_some() {
        for (name, width, scheme, query, height) in [
            ("overview-light", 1280, "light", "", 1_000),
            ("week-dark", 1280, "dark", "?range=7d&by=principal", 1_000),
            ("phone", 360, "light", "", 1_000),
        ] {
            browser.look(width, scheme);
            open(&browser, &stage.daemon, query);
            browser.wait("document.querySelectorAll('#usage .part').length > 50");
            browser.screenshot(&root.join(format!("examples/screenshots/{name}.png")), height);
        }
    }
}

#[test]
fn nothing_moves_for_who_wants_no_motion() {
    let Some(browser) = Browser::start("the page without motion") else { return };
    let stage = stage::shared();
    let features = serde_json::json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
    browser.devtools("Emulation.setEmulatedMedia", &features);
    open(&browser, &stage.daemon, "");
    let moving = browser.value(
        "[...document.querySelectorAll('*')].filter((node) => { const style = getComputedStyle(node); \
         return parseFloat(style.transitionDuration) > 0 || style.animationName !== 'none'; }).length",
    );
    assert_eq!(moving, 0);
}
