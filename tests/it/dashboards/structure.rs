//! What holds of every board by itself: places, names, units, links, and that no data source is named.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tollkeeper::metrics::names;

use super::board::{GRID_COLUMNS, data_source};
use super::{panels, queries, root, shipped, text};

/// What Prometheus adds to the name of a histogram.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];
/// Kinds of panels that Grafana 11 and 12 bring along.
const KINDS: [&str; 6] = ["timeseries", "stat", "bargauge", "table", "heatmap", "row"];

/// The names of metrics in an expression: words with an underscore that begin like those of ours.
pub(super) fn metrics(expr: &str) -> BTreeSet<&str> {
    let words =
        expr.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words.filter(|word| word.starts_with("tollkeeper_") || word.starts_with("process_")).collect()
}

#[test]
fn every_metric_of_a_query_exists() {
    let known: BTreeSet<&str> = names::ALL.iter().map(|metric| metric.name).collect();
    let is_known = |name: &str| {
        known.contains(name)
            || SUFFIXES
                .iter()
                .any(|end| name.strip_suffix(end).is_some_and(|it| known.contains(it)))
    };
    let boards = shipped();
    for query in queries(&boards) {
        let names = metrics(query.expr);
        assert!(!names.is_empty(), "{}: {}", query.place, query.expr);
        for name in names {
            // What the process is measured by is not ours; the live test sees that it is there.
            assert!(name.starts_with("process_") || is_known(name), "{}: {name}", query.place);
        }
    }
}

#[test]
fn panels_say_what_they_show_in_what_unit_and_when_it_can_be_wrong() {
    for board in shipped() {
        for panel in panels(&board) {
            let title = panel["title"].as_str().unwrap();
            assert!(!title.is_empty() && !title.ends_with('.'), "{title}");
            let description = panel["description"].as_str().unwrap();
            assert!(description.len() > 20 && description.ends_with('.'), "{title}: {description}");
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap();
            assert!(!unit.is_empty(), "{title}");
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title}");
        }
    }
}

#[test]
fn panels_have_their_own_number_and_place() {
    for board in shipped() {
        let all = board["panels"].as_array().unwrap();
        let mut taken: BTreeMap<(u64, u64), &str> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        let mut titles = BTreeSet::new();
        for panel in all {
            let title = panel["title"].as_str().unwrap();
            assert!(KINDS.contains(&panel["type"].as_str().unwrap()), "{title}");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is twice");
            assert!(titles.insert(title), "{title} is twice");
            let [x, y, width, height] =
                ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(width > 0 && height > 0 && x + width <= GRID_COLUMNS, "{title}");
            for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
                let before = taken.insert(cell, title);
                assert_eq!(before, None, "{title} is on another panel at {cell:?}");
            }
        }
        assert_eq!(board["panels"][0]["type"], "row");
    }
}

/// Every object under a key of this name.
fn under<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key));
            fields.values().for_each(|field| under(field, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| under(item, key, found)),
        _ => {}
    }
}

#[test]
fn boards_name_no_data_source_and_ask_for_nothing_on_import() {
    for board in shipped() {
        let mut sources = Vec::new();
        under(&board, "datasource", &mut sources);
        assert!(sources.len() > 50);
        assert!(sources.iter().all(|source| **source == data_source()), "{sources:?}");
        let mut uids = Vec::new();
        under(&board, "uid", &mut uids);
        let own = board["uid"].as_str().unwrap();
        assert!(uids.iter().all(|uid| **uid == own || **uid == "${datasource}"), "{uids:?}");
        assert_eq!(board.get("__inputs"), None);
        assert_eq!(board["id"], Value::Null);
        assert!(board["schemaVersion"].as_u64().unwrap() >= 39);
        assert!(board["refresh"].is_string() && board["time"]["from"].is_string());
        assert_eq!(board["tags"], serde_json::json!(["tollkeeper"]));
    }
    let uids: BTreeSet<String> = shipped().iter().map(|board| board["uid"].to_string()).collect();
    assert_eq!(uids.len(), shipped().len(), "{uids:?}");
}

/// The variables of a board by name.
pub(super) fn variables(board: &Value) -> BTreeMap<&str, &Value> {
    let list = board["templating"]["list"].as_array().unwrap();
    list.iter().map(|variable| (variable["name"].as_str().unwrap(), variable)).collect()
}

#[test]
fn every_variable_that_is_used_is_declared_and_all_of_a_label_matches_its_absence() {
    for board in shipped() {
        let variables = variables(&board);
        for name in ["datasource", "account", "region", "model", "route", "principal"] {
            assert!(variables.contains_key(name), "{name}");
        }
        let text = board.to_string();
        for (at, _) in text.match_indices('$') {
            let name: String = text[at + 1..]
                .trim_start_matches('{')
                .chars()
                .take_while(|character| character.is_ascii_alphanumeric() || *character == '_')
                .collect();
            assert!(name.starts_with("__") || variables.contains_key(&*name), "{name}");
        }
        for variable in variables.values().filter(|variable| variable["multi"] == true) {
            assert_eq!(variable["allValue"], ".*", "{variable}");
            assert_eq!(variable["current"]["value"], serde_json::json!(["$__all"]));
        }
    }
}

#[test]
fn panels_lead_to_sections_of_the_runbook() {
    let runbook = text(&root().join("alerts/RUNBOOK.md"));
    let headings = runbook.lines().filter_map(|line| line.strip_prefix("## "));
    let sections: BTreeSet<String> = headings.map(str::to_ascii_lowercase).collect();
    let mut linked = BTreeSet::new();
    for board in shipped() {
        for panel in panels(&board) {
            for link in panel["links"].as_array().into_iter().flatten() {
                let url = link["url"].as_str().unwrap();
                let section = url.strip_prefix("${runbook_url}#").unwrap();
                assert!(sections.contains(section), "{}: {section}", panel["title"]);
                linked.insert(section.to_owned());
            }
        }
        let links = board["links"].as_array().unwrap();
        assert!(links.iter().any(|link| link["url"] == "${runbook_url}"));
        assert!(links.iter().any(|link| link["type"] == "dashboards" && link["keepTime"] == true));
    }
    assert!(linked.len() >= 15, "{linked:?}");
}
