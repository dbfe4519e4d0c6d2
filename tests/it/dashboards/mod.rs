//! `dashboards/`: the boards are what is said here of them, hold together, and every query of theirs gives data in a
//! real Prometheus.
//!
//! The boards are made by `spend`, `quota` and `meter` out of `panel` and `board`, so that panels of a kind look
//! alike; `TOLLKEEPER_WRITE_BOARDS=1 cargo test --test it dashboards` writes the files anew.

mod board;
mod live;
mod meter;
mod panel;
mod provisioning;
mod quota;
mod spend;
mod structure;
mod sums;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::json;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("dashboards")
}

/// Every board with the name of its file.
fn made() -> [(&'static str, String); 3] {
    [
        ("spend.json", spend::board().text()),
        ("quota-and-reliability.json", quota::board().text()),
        ("meter-health.json", meter::board().text()),
    ]
}

/// The boards as shipped.
fn shipped() -> Vec<Value> {
    made().iter().map(|(name, _)| json::parse(&text(&folder().join(name)))).collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The panels of a board that show something: all but the heads of rows.
fn panels(board: &Value) -> Vec<&Value> {
    let panels = board["panels"].as_array().unwrap();
    panels.iter().filter(|panel| panel["type"] != "row").collect()
}

/// One expression of a board, with where it stands.
struct Query<'b> {
    place: String,
    expr: &'b str,
    /// Whether it asks for values over time, and not just for the last ones.
    is_range: bool,
    /// Seconds from one value to the next, where the panel wants more than others.
    step: Option<i64>,
}

/// Every query of the boards: of panels, and of what is marked on all panels.
fn queries(boards: &[Value]) -> Vec<Query<'_>> {
    let mut queries = Vec::new();
    for board in boards {
        let title = board["title"].as_str().unwrap();
        for panel in panels(board) {
            let step = (panel["interval"] == "1d").then_some(86_400);
            for target in panel["targets"].as_array().unwrap() {
                let part = [&panel["title"], &target["refId"]].map(|text| text.as_str().unwrap());
                let place = format!("{title}: {}", part.join(": "));
                let is_range = target["range"] == true;
                let expr = target["expr"].as_str().unwrap();
                queries.push(Query { place, expr, is_range, step });
            }
        }
        for mark in board["annotations"]["list"].as_array().unwrap() {
            let place = format!("{title}: annotation {}", mark["name"]);
            assert_eq!(mark["expr"], mark["target"]["expr"]);
            let expr = mark["expr"].as_str().unwrap();
            queries.push(Query { place, expr, is_range: true, step: None });
        }
    }
    queries
}

#[test]
fn the_files_are_what_is_made() {
    let is_writing = std::env::var_os("TOLLKEEPER_WRITE_BOARDS").is_some();
    for (name, made) in made() {
        let path = folder().join(name);
        if is_writing {
            fs::write(&path, &made).unwrap();
        }
        assert!(
            text(&path) == made,
            "dashboards/{name} is not what is made; change it in tests/it/dashboards and write it with \
             TOLLKEEPER_WRITE_BOARDS=1"
        );
    }
    assert_eq!(fs::read_dir(folder()).unwrap().count(), made().len(), "a file of another board");
}
