//! The reference of the config: a template with words and defaults, and what each key takes as the code that reads
//! it says. Tests hold the template against the code: no key is missing, none is made up, and what it shows
//! as default is the default.

use std::collections::BTreeMap;

use super::check;
use super::section::Reader;

/// Keys that are not set by default stand behind a `#` without a space; words behind one with.
const TEMPLATE: &str = include_str!("reference.toml");

/// Returns a config with every key, what it takes and its default.
pub fn reference() -> String {
    let takes = takes();
    let mut text = String::new();
    let mut table = String::new();
    for line in TEMPLATE.lines() {
        if let Some(name) = table_of(line) {
            name.clone_into(&mut table);
        }
        let takes = key_of(line).and_then(|key| takes.get(&join(&table, key)));
        if let Some(takes) = takes {
            text.push_str(&format!("# = {takes}\n"));
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// What the code that reads the template says of each key.
fn takes() -> BTreeMap<String, String> {
    let reader = Reader::new("reference.toml", TEMPLATE);
    drop(check::read(&reader, std::path::Path::new("")));
    reader.asked().into_iter().collect()
}

/// The name of a table, of one or of many.
fn table_of(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?.split(']').next()?;
    Some(name.trim_start_matches('['))
}

/// The key of a line, also one that is not set.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.trim_start_matches('#').split_once(" = ")?;
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (!key.is_empty() && key.chars().all(is_name)).then_some(key)
}

fn join(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    /// The keys and tables of the template; those of tables with free keys are examples.
    fn shown(takes: &BTreeMap<String, String>) -> BTreeSet<String> {
        let mut table = String::new();
        let mut shown = BTreeSet::new();
        for line in TEMPLATE.lines() {
            if let Some(name) = table_of(line) {
                name.clone_into(&mut table);
                shown.insert(table.clone());
            }
            let is_free = takes.get(&table).is_some_and(|takes| takes.starts_with("a table;"));
            if let Some(key) = key_of(line).filter(|_| !is_free) {
                shown.insert(join(&table, key));
            }
        }
        shown
    }

    #[test]
    fn the_reference_has_every_key_that_is_read_and_no_other() {
        let takes = takes();
        let read: BTreeSet<String> = takes.keys().cloned().collect();
        let shown = shown(&takes);
        let missing: Vec<&String> = read.difference(&shown).collect();
        let made_up: Vec<&String> = shown.difference(&read).collect();
        assert!(missing.is_empty(), "src/config/reference.toml lacks {missing:#?}");
        assert!(made_up.is_empty(), "src/config/reference.toml has {made_up:#?}");
    }

    #[test]
    fn the_reference_is_a_config_and_its_defaults_are_the_defaults() {
        let parse = |text: &str| Config::parse("reference.toml", text, Path::new("/")).unwrap();
        let shown = parse(&reference());
        let source = &shown.sources[0];
        let include: Vec<String> = source.include.iter().map(|glob| format!("{glob:?}")).collect();
        let plain = parse(&format!(
            "[[source]]\nname = {:?}\ninclude = [{}]\n",
            source.name,
            include.join(", ")
        ));
        assert_eq!(plain.sources[0], *source);
        assert_eq!((plain.listen, plain.workers), (shown.listen, shown.workers));
        assert_eq!(plain.ledger_dir, shown.ledger_dir);
        assert_eq!((plain.ledger, plain.labels), (shown.ledger, shown.labels));
        assert_eq!(plain.rules, shown.rules);
        assert_eq!(plain.delivery.give_up_after_ms, shown.delivery.give_up_after_ms);
        assert_eq!(plain.web.admin_users, shown.web.admin_users);
    }

    #[test]
    fn every_key_that_is_shown_says_what_it_takes() {
        let text = reference();
        assert!(text.contains("# = a duration from `1h` to `366d`"), "{text}");
        assert!(text.contains("# = `read` or `admin`\n"), "{text}");
    }
}
