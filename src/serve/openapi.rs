//! `/api/v1/openapi.json`: the description of `/api/v1` for programs that make clients from it (`OpenAPI` 3.1).
//!
//! Names that an answer may hold come from where they are made, so none can be missing. What an answer looks
//! like is said in [`schemas`]; a test holds real answers against it.

mod schemas;

use serde_json::{Map, Value, json};

use super::reply::{JSON_TYPE, Pending, ready, tagged};
use super::router::Asked;
use super::{events, gate, problem};
use crate::query::dimension::Dimension;

/// The path.
pub(super) const PATH: &str = "/api/v1/openapi.json";

pub(super) fn reply(asked: &Asked) -> Pending {
    let held = asked.request.headers().get(hyper::header::IF_NONE_MATCH);
    ready(tagged(JSON_TYPE, format!("{}\n", description()), held))
}

/// Returns the description.
pub(super) fn description() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tollkeeper",
            "version": "1",
            "description": "What LLM calls cost and why they are throttled, as far as it is committed. Amounts are \
                            exact decimals in texts, times are RFC 3339 in UTC. Fields may be added; ask for what you need.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths(),
        "components": {
            "schemas": schemas::all(),
            "responses": { "Problem": problem_response() },
            "securitySchemes": {
                "basic": { "type": "http", "scheme": "basic" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
        // Without any user or token in the web file nobody is asked.
        "security": [{}, { "basic": [] }, { "bearer": [] }],
    })
}

fn paths() -> Map<String, Value> {
    let operations = [
        (
            "usage",
            "What was used and what it cost",
            "Usage",
            usage_parameters(),
            &[400, 422, 500, 503][..],
        ),
        ("budgets", "Where budgets stand", "Budgets", json!([]), &[503]),
        (
            "quotas",
            "What calls take of quotas, and why they were throttled",
            "Quotas",
            json!([]),
            &[503],
        ),
        ("alerts", "Alerts that are pending or fire", "Alerts", json!([]), &[503]),
        (
            "sources",
            "What was read of each source, and how far behind it is",
            "Sources",
            json!([]),
            &[503],
        ),
        (
            "spend",
            "Spend of the last minutes against the usual, and what this month will come to",
            "Spend",
            json!([]),
            &[503],
        ),
        (
            "ledger",
            "What usage can be told apart by, and what was read last",
            "Ledger",
            json!([]),
            &[503],
        ),
    ];
    let mut paths: Map<String, Value> = operations
        .into_iter()
        .map(|(name, summary, schema, parameters, problems)| {
            let get = operation(name, summary, &parameters, &responses(schema, problems));
            (format!("/api/v1/{name}"), json!({ "get": get }))
        })
        .collect();
    paths.insert(gate::PATH.to_owned(), json!({ "get": gate_operation() }));
    paths.insert(events::PATH.to_owned(), json!({ "get": events_operation() }));
    let own = json!({
        "200": { "description": "this description", "content": { "application/json": { "schema": { "type": "object" } } } },
        "304": { "description": "it is what `If-None-Match` names" },
        "401": problem_reference(),
    });
    paths.insert(
        PATH.to_owned(),
        json!({ "get": operation("openapi", "This description", &json!([]), &own) }),
    );
    paths
}

fn operation(id: &str, summary: &str, parameters: &Value, responses: &Value) -> Value {
    json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": responses })
}

fn responses(schema: &str, problems: &[u16]) -> Value {
    let tag = json!({
        "description": "names this answer; send it as `If-None-Match`",
        "schema": { "type": "string" },
    });
    let known = json!({
        "description": "what is known",
        "headers": { "ETag": tag },
        "content": { "application/json": { "schema": reference(schema) } },
    });
    let held = json!({ "description": "the answer is the one that `If-None-Match` names" });
    let problems = [401, 421].iter().chain(problems);
    let problems = problems.map(|status| (status.to_string(), problem_reference()));
    let good = [("200".to_owned(), known), ("304".to_owned(), held)];
    Value::Object(good.into_iter().chain(problems).collect())
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn problem_reference() -> Value {
    json!({ "$ref": "#/components/responses/Problem" })
}

fn problem_response() -> Value {
    json!({
        "description": "why there is no answer, and what to do (RFC 9457)",
        "content": { problem::PROBLEM_TYPE: { "schema": reference("Problem") } },
    })
}

/// What times look like; not everything that does is one.
const TIME: &str = "^(now|[0-9]{1,5}[smhdw]|[0-9]{4}-[0-9]{2}(-[0-9]{2}(T.+)?)?)$";
const STEP: &str = "^(minute|hour|day|week|month|quarter|[1-9][0-9]{0,4}[mhd])$";
const NUMBER: &str = "^[1-9][0-9]{0,8}$";

/// What a question about usage is made of; each has an example that is one.
fn usage_parameters() -> Value {
    let time = "an age as `7d`, a month `2026-11`, a day `2026-11-23`, or RFC 3339";
    let step =
        "pieces of time: `minute`, `hour`, `day`, `week`, `month`, `quarter`, or as `15m`, `6h`";
    let zone = "whose days are meant, of the IANA time zone database; UTC without it";
    let by = "labels to tell usage apart by, with commas between them; `*` for all";
    let patterned = |pattern| json!({ "type": "string", "pattern": pattern });
    let since = format!("from then on: {time}; everything without it");
    let until = format!("until before then: {time}");
    let mut parameters = vec![
        parameter("since", &since, &patterned(TIME), &json!("7d")),
        parameter("until", &until, &patterned(TIME), &json!("now")),
        parameter("step", step, &patterned(STEP), &json!("day")),
        parameter("zone", zone, &any_text(), &json!("Europe/Berlin")),
        parameter("by", by, &any_text(), &json!("model,principal")),
        parameter("top", "how many groups to tell one by one", &patterned(NUMBER), &json!("10")),
    ];
    let filter = "only where this label matches the glob (or is the text behind a `=`), or with `!` before it does not; more than once for more. \
                  Keys of the request metadata are `attr:KEY`";
    let globs = json!({ "type": "array", "items": any_text() });
    parameters.extend(
        Dimension::named()
            .iter()
            .map(|dimension| parameter(&dimension.name(), filter, &globs, &json!(["*"]))),
    );
    Value::Array(parameters)
}

fn any_text() -> Value {
    json!({ "type": "string" })
}

fn parameter(name: &str, description: &str, schema: &Value, example: &Value) -> Value {
    json!({
        "name": name, "in": "query", "required": false, "description": description,
        "schema": schema, "example": example,
    })
}

fn events_operation() -> Value {
    let stream = json!({
        "description": "events `commit`, `evaluation` and `beat`, each with the time as JSON: then there is something new",
        "content": { events::KIND: { "schema": any_text() } },
    });
    let responses = json!({
        "200": stream,
        "401": problem_reference(),
        "421": problem_reference(),
        "503": problem_reference(),
    });
    operation("events", "A stream that says when to ask again", &json!([]), &responses)
}

fn gate_operation() -> Value {
    let budget = "the name of a budget; without it those whose scope the labels tell";
    let deny = json!({ "type": "string", "enum": ["401", "403"] });
    let label = "a label of the call, like any other label of budgets";
    let parameters = json!([
        parameter("budget", budget, &any_text(), &json!("all")),
        parameter("deny", "status of a refusal instead of 429", &deny, &json!("403")),
        parameter("principal", label, &any_text(), &json!("role/app")),
    ]);
    let verdict = |description: &str| {
        let schema = json!({ "schema": reference("Verdict") });
        json!({ "description": description, "content": { "application/json": schema } })
    };
    let refusal = "the budget is used up; `Retry-After` says until when";
    let responses = json!({
        "200": verdict("the call may go on"),
        "401": problem_reference(),
        "403": verdict(refusal),
        "404": problem_reference(),
        "429": verdict(refusal),
    });
    let summary = "May a call go on? Labels may also come as headers `X-Tollkeeper-…`";
    operation("gate", summary, &parameters, &responses)
}

#[cfg(test)]
mod tests {
    use super::super::router::ROUTES;
    use super::*;
    use crate::model::time::UnixMillis;
    use crate::query::Question;

    #[test]
    fn every_path_of_the_api_is_described_and_no_other() {
        let described: Vec<String> = paths().keys().cloned().collect();
        let mut known: Vec<&str> = ROUTES
            .iter()
            .map(|route| route.path)
            .filter(|path| path.starts_with("/api/"))
            .collect();
        known.sort_unstable();
        let mut sorted = described.clone();
        sorted.sort();
        assert_eq!(sorted, known);
    }

    #[test]
    fn examples_of_parameters_are_good_ones() {
        let examples = usage_parameters();
        for parameter in examples.as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap().to_owned();
            let example = &parameter["example"];
            let value = example.as_str().or_else(|| example[0].as_str()).unwrap().to_owned();
            let parsed = Question::parse(&[(name, value)], UnixMillis(1_800_000_000_000));
            assert!(parsed.is_ok(), "{parameter}: {parsed:?}");
        }
    }

    /// Every reference leads somewhere, and nothing is described that nobody refers to.
    #[test]
    fn references_and_schemas_belong_together() {
        let text = description().to_string();
        let all = schemas::all();
        for name in all.keys() {
            assert!(
                text.contains(&format!("\"#/components/schemas/{name}\"")),
                "{name} is not used"
            );
        }
        for piece in text.split("#/components/schemas/").skip(1) {
            let name = piece.split('"').next().unwrap();
            assert!(all.contains_key(name), "{name}");
        }
    }
}
