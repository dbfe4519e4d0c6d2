//! `[plan]`: what `tollkeeper plan` compares besides what the price book has.

use super::budget::{dollars, read_name};
use super::section::Section;
use crate::charge::Capacity;
use crate::model::model_ref::ModelRef;
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::names::Route;
use crate::plan::{Alternative, ModelCapacity, SelfHosted, Settings};

/// Most rows of a kind: every kind of traffic is priced on each.
const ROWS_MAX: usize = 50;
/// Tokens of a minute or a second, and instances: far above any, far below overflow.
const TOKENS_MAX: u64 = u32::MAX as u64;
const INSTANCES_MAX: u64 = 1_000_000;
const USD_MAX: i128 = 1_000_000_000 * PICODOLLARS_PER_USD;

const MODEL: &str = "the id of a base model, for example `anthropic.claude-v2:1`";
const ALTERNATIVE: &str = "a model id as a call names it, for example `amazon.nova-lite-v1:0` or \
                           `us.anthropic.claude-haiku-4-5-20251001-v1:0`";
const PRICE: &str = "dollars above 0, at most 1000000000, for example `4.1` or `\"0.75\"`";

/// Reads `[plan]`.
pub(super) fn read(root: &mut Section<'_, '_>) -> Settings {
    let mut section = root.section("plan");
    let settings = Settings {
        capacities: read_capacities(&mut section),
        alternatives: read_alternatives(&mut section),
        self_hosted: read_self_hosted(&mut section),
    };
    section.finish();
    settings
}

fn rows<'r, 'i>(section: &mut Section<'r, 'i>, key: &'static str) -> Vec<Section<'r, 'i>> {
    let rows = section.sections(key);
    if rows.len() > ROWS_MAX {
        let count = rows.len();
        section.report(format!("found {count} `[[plan.{key}]]`, expected at most {ROWS_MAX}"));
    }
    rows
}

fn miss(row: &Section<'_, '_>, key: &str, expected: &str) {
    if !row.was_there(key) {
        row.report(format!("`{key}` is missing, expected {expected}"));
    }
}

fn read_capacities(section: &mut Section<'_, '_>) -> Vec<ModelCapacity> {
    let mut capacities: Vec<ModelCapacity> = Vec::new();
    for mut row in rows(section, "capacity") {
        let model = row.parsed("model", MODEL, base_model);
        miss(&row, "model", MODEL);
        let keys = ["input_tokens_per_minute", "output_tokens_per_minute"];
        let [input, output] = keys.map(|key| row.number(key, 1..=TOKENS_MAX));
        if !keys.iter().any(|key| row.was_there(key)) {
            row.report(format!(
                "there is no capacity, expected `{}`, `{}` or both",
                keys[0], keys[1]
            ));
        }
        if let Some(model) = model {
            if capacities.iter().any(|known| known.model == model) {
                row.report(format!("found a second capacity of `{model}`"));
            }
            capacities.push(ModelCapacity { model, per_unit: Capacity { input, output } });
        }
        row.finish();
    }
    capacities
}

fn base_model(text: &str) -> Option<String> {
    let model = ModelRef::parse(text);
    (model.route == Route::InRegion && !model.opaque && model.model == text).then_some(model.model)
}

fn read_alternatives(section: &mut Section<'_, '_>) -> Vec<Alternative> {
    let mut alternatives: Vec<Alternative> = Vec::new();
    for mut row in rows(section, "alternative") {
        let found = row.parsed("model", ALTERNATIVE, |text| {
            let ModelRef { model, route, geo, opaque } = ModelRef::parse(text);
            let is_paid_by_token = matches!(route, Route::InRegion | Route::Geo | Route::Global);
            (is_paid_by_token && !opaque && !model.is_empty()).then(|| Alternative {
                name: text.to_owned(),
                model,
                route,
                geo,
            })
        });
        miss(&row, "model", ALTERNATIVE);
        if let Some(found) = found {
            let name = &found.name;
            if alternatives.iter().any(|known| {
                (&known.model, known.route, &known.geo) == (&found.model, found.route, &found.geo)
            }) {
                row.report(format!("found `{name}` a second time"));
            }
            alternatives.push(found);
        }
        row.finish();
    }
    alternatives
}

fn read_self_hosted(section: &mut Section<'_, '_>) -> Vec<SelfHosted> {
    let mut machines: Vec<SelfHosted> = Vec::new();
    for mut row in rows(section, "self_hosted") {
        let name = read_name(&mut row, "option");
        let per_hour = row.scalar("hourly_usd", PRICE, price);
        miss(&row, "hourly_usd", PRICE);
        let keys = ["input_tokens_per_second", "output_tokens_per_second"];
        let [input, output] = keys.map(|key| row.number(key, 1..=TOKENS_MAX));
        for key in keys {
            miss(&row, key, "the tokens that one instance was measured to do in a second");
        }
        let least = row.number("min_instances", 1..=INSTANCES_MAX).unwrap_or(1);
        if let (Some(name), Some(per_hour), Some(input), Some(output)) =
            (name, per_hour, input, output)
        {
            if machines.iter().any(|known| known.name == name) {
                row.report(format!("found a second `[[plan.self_hosted]]` named `{name}`"));
            }
            let (input_per_second, output_per_second) = (input, output);
            machines.push(SelfHosted {
                name,
                per_hour,
                input_per_second,
                output_per_second,
                least,
            });
        }
        row.finish();
    }
    machines
}

fn price(text: &str) -> Result<Usd, String> {
    let usd = dollars(text, 1, PRICE)?;
    if usd.0 <= USD_MAX { Ok(usd) } else { Err(format!("expected {PRICE}")) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    const SOURCE: &str = "[[source]]\nname = \"a\"\ninclude = [\"*.log\"]\n";

    #[test]
    fn options_are_read() {
        let text = "[[plan.capacity]]\nmodel = \"anthropic.claude-v2:1\"\ninput_tokens_per_minute = 10_000\n\
                    [[plan.alternative]]\nmodel = \"us.amazon.nova-lite-v1:0\"\n\
                    [[plan.self_hosted]]\nname = \"h100\"\nhourly_usd = 4.1\ninput_tokens_per_second = 20000\n\
                    output_tokens_per_second = 2500\n";
        let config = Config::parse("t.toml", &format!("{SOURCE}{text}"), Path::new("")).unwrap();
        let Settings { capacities, alternatives, self_hosted } = config.plan;
        assert_eq!(capacities[0].per_unit, Capacity { input: Some(10_000), output: None });
        let found = &alternatives[0];
        assert_eq!(
            (found.model.as_str(), found.route, found.geo.as_str()),
            ("amazon.nova-lite-v1:0", Route::Geo, "us")
        );
        assert_eq!((self_hosted[0].per_hour, self_hosted[0].least), (Usd(4_100_000_000_000), 1));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let text = "[[plan.capacity]]\nmodel = \"us.anthropic.claude-v2:1\"\n\
                    [[plan.capacity]]\nmodel = \"a.b\"\ninput_tokens_per_minute = 0\n\
                    [[plan.capacity]]\nmodel = \"a.b\"\noutput_tokens_per_minute = 1\n\
                    [[plan.alternative]]\nmodel = \"arn:aws:bedrock:us-east-1:1:provisioned-model/a\"\n\
                    [[plan.alternative]]\n[[plan.self_hosted]]\nname = \"h\"\nhourly_usd = 0\nmin_instance = 2\n\
                    [plan.batch]\n";
        let found = Config::parse("t.toml", &format!("{SOURCE}{text}"), Path::new(""));
        let told = found.unwrap_err().to_string();
        for expected in [
            "found `us.anthropic.claude-v2:1`, expected the id of a base model",
            "there is no capacity, expected `input_tokens_per_minute`",
            "found `0`, expected a whole number from 1 to 4294967295",
            "found a second capacity of `a.b`",
            "provisioned-model/a`, expected a model id as a call names it",
            "`model` is missing, expected a model id as a call names it",
            "found `0`, expected dollars above 0",
            "`output_tokens_per_second` is missing",
            "did you mean `min_instances`?",
            "plan.batch",
        ] {
            assert!(told.contains(expected), "{expected}\n{told}");
        }
    }
}
