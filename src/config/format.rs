//! `[[format]]`: logs whose fields have names of their own.

use super::section::Section;
use crate::model::log_format::{Condition, FormatField, JsonPath, LogFormat};

/// Most formats of a config, and most conditions of one.
const FORMATS_MAX: usize = 16;
const CONDITIONS_MAX: usize = 8;
/// What a path may be.
const PATH: &str = "a JSON path such as `llm.usage.in`, `choices[].reason` or `tags.\"a.b\"`";
/// What a condition may be.
const CONDITION: &str = "a JSON path that must be there, or `path = value`";

/// Reads all formats.
pub(super) fn read(root: &mut Section<'_, '_>) -> Vec<LogFormat> {
    let mut formats: Vec<LogFormat> = Vec::new();
    let sections = root.sections("format");
    if sections.len() > FORMATS_MAX {
        let count = sections.len();
        root.report(format!("found {count} `[[format]]`, expected at most {FORMATS_MAX}"));
    }
    for mut section in sections {
        let format = read_one(&mut section);
        if formats.iter().any(|known| known.name == format.name) {
            section.report(format!("found a second format named `{}`", format.name));
        }
        section.finish();
        formats.push(format);
    }
    formats
}

fn read_one(section: &mut Section<'_, '_>) -> LogFormat {
    let name = section.text("name");
    if name.is_none() {
        section.report("`name` is missing".to_owned());
    }
    let when = section.list("when", CONDITION, Condition::parse).unwrap_or_default();
    if when.is_empty() || when.len() > CONDITIONS_MAX {
        section.report(format!(
            "`when` has {} conditions, expected 1 to {CONDITIONS_MAX}, each {CONDITION}",
            when.len()
        ));
    }
    let mut fields = Vec::new();
    for field in FormatField::ALL {
        if let Some(path) = section.parsed(field.as_str(), PATH, JsonPath::parse) {
            fields.push((*field, path));
        }
    }
    let has = |wanted: &[FormatField]| fields.iter().any(|(field, _)| wanted.contains(field));
    if !has(&[FormatField::Model]) {
        section.report(format!("`model` is missing, expected {PATH}"));
    }
    if !has(&[FormatField::InputTokens, FormatField::OutputTokens]) {
        section.report(
            "`input_tokens` and `output_tokens` are missing, expected one at least".to_owned(),
        );
    }
    let cached_in_input = section.flag("cached_in_input");
    if cached_in_input.is_none() && has(&[FormatField::CacheRead, FormatField::CacheWrite]) {
        section.report(
            "`cached_in_input` is missing; say `true` if `input_tokens` hold the cached tokens, else \
             `false`"
                .to_owned(),
        );
    }
    LogFormat {
        name: name.unwrap_or_default(),
        when,
        fields,
        cached_in_input: cached_in_input.unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    const SOURCE: &str = "[[source]]\nname = \"a\"\ninclude = [\"x\"]\n";

    #[test]
    fn a_format_is_read_with_its_paths() {
        let text = format!(
            "{SOURCE}[[format]]\nname = \"gateway\"\nwhen = [\"llm.model\", \"kind = call\"]\n\
             model = \"llm.model\"\ninput_tokens = \"llm.usage.in\"\ncache_read = \"llm.usage.hit\"\n\
             cached_in_input = true\n"
        );
        let config = Config::parse("t.toml", &text, Path::new(".")).unwrap();
        let [format] = config.formats.as_slice() else { panic!("{config:?}") };
        assert_eq!((format.name.as_str(), format.when.len()), ("gateway", 2));
        assert!(format.cached_in_input);
        let path = |text| JsonPath::parse(text).unwrap();
        assert_eq!(
            format.fields,
            [
                (FormatField::Model, path("llm.model")),
                (FormatField::InputTokens, path("llm.usage.in")),
                (FormatField::CacheRead, path("llm.usage.hit")),
            ]
        );
    }

    #[test]
    fn every_mistake_in_a_format_is_told_with_its_place() {
        let text = format!(
            "{SOURCE}[[format]]\nname = \"g\"\nwhen = [\"a..b\"]\nmodle = \"m\"\ninput_tokens = \"a b\"\n\
             cache_write = \"c\"\n[[format]]\nname = \"g\"\nwhen = [\"a\"]\nmodel = 5\noutput_tokens = \"o\"\n"
        );
        let problems = Config::parse("t.toml", &text, Path::new(".")).unwrap_err().to_string();
        let path = "a JSON path such as `llm.usage.in`, `choices[].reason` or `tags.\"a.b\"`";
        let expected = [
            format!("t.toml:4:1: format[0]: `when` has 0 conditions, expected 1 to 8, each {CONDITION}"),
            format!("t.toml:4:1: format[0]: `model` is missing, expected {path}"),
            "t.toml:4:1: format[0]: `input_tokens` and `output_tokens` are missing, expected one at least"
                .to_owned(),
            "t.toml:4:1: format[0]: `cached_in_input` is missing; say `true` if `input_tokens` hold the \
             cached tokens, else `false`"
                .to_owned(),
            format!("t.toml:6:9: format[0].when[0]: found `a..b`, expected {CONDITION}"),
            "t.toml:7:1: format[0].modle: there is no such key; did you mean `model`?".to_owned(),
            format!("t.toml:8:16: format[0].input_tokens: found `a b`, expected {path}"),
            format!("t.toml:10:1: format[1]: `model` is missing, expected {path}"),
            "t.toml:10:1: format[1]: found a second format named `g`".to_owned(),
            format!("t.toml:13:9: format[1].model: found integer, expected {path}"),
        ];
        assert_eq!(problems, expected.join("\n"));
    }
}
