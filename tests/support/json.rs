//! Short ways into JSON answers. A missing place is a failure that shows the whole value.

use std::collections::BTreeMap;

use serde_json::Value;

/// Parses a text; panics with it when it is not JSON.
pub(crate) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The whole number at a JSON pointer.
pub(crate) fn number(value: &Value, pointer: &str) -> u64 {
    value
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("no whole number at {pointer}: {value:#}"))
}

/// The text at a JSON pointer.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text at {pointer}: {value:#}"))
}

/// The counts of an object at a JSON pointer, without zeros.
pub(crate) fn counts(value: &Value, pointer: &str) -> BTreeMap<String, u64> {
    value
        .pointer(pointer)
        .and_then(Value::as_object)
        .unwrap_or_else(|| panic!("no object at {pointer}: {value:#}"))
        .iter()
        .map(|(name, count)| (name.clone(), count.as_u64().expect("a whole number")))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// The items of an array that is a whole text.
pub(crate) fn items(text: &str) -> Vec<Value> {
    match parse(text) {
        Value::Array(items) => items,
        other => panic!("no array: {other:#}"),
    }
}
