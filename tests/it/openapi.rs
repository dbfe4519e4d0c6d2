//! The description of `/api/v1`: real answers of every kind are what it says, down to the last field.

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::quotas::{config, last_minute, log};
use crate::support::daemon::Daemon;
use crate::support::json;
use crate::support::work_dir::WorkDir;

fn started(work: &WorkDir) -> Daemon {
    // The calls may be of the day before, whose budget would not be used up today.
    work.file("logs/bedrock.jsonl", log(last_minute()));
    let config = config(
        work,
        "[[budget]]\nname = \"small\"\nlimit_usd = 0.01\nperiod = \"rolling 1d\"\n\
         [[budget]]\nname = \"tokens\"\nlimit_tokens = 1000000\nperiod = \"month\"\nper = \"principal\"\n\
         [[fixed_cost]]\nname = \"endpoint\"\nhourly_usd = 0.01\nfrom = \"2026-01-01\"\n",
    );
    Daemon::start_with(&[config.as_os_str()])
}

/// Lets an object have no field that is not described.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// What an answer with this status of an operation must be, with nothing beside.
fn validator(description: &Value, path: &str, status: u16) -> Validator {
    let status = status.to_string();
    let mut response = &description["paths"][path]["get"]["responses"][&status];
    if let Some(name) = response["$ref"].as_str() {
        response = description.pointer(name.trim_start_matches('#')).expect("a response");
    }
    let content = response["content"].as_object().unwrap_or_else(|| panic!("{path} {status}"));
    let mut schema = content.values().next().unwrap()["schema"].clone();
    schema["components"] = description["components"].clone();
    close(&mut schema["components"]["schemas"]);
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn check(daemon: &Daemon, description: &Value, path: &str, query: &str) -> Value {
    let response = daemon.get(&format!("{path}{query}"));
    let value = json::parse(&response.body);
    let validator = validator(description, path, response.status);
    let wrong: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(wrong, [""; 0], "{path}{query}: {value:#}");
    value
}

#[test]
fn answers_are_what_the_description_says() {
    let work = WorkDir::new("openapi");
    let daemon = started(&work);
    daemon.wait_for("everything to be told", |page| {
        page.text.contains("tollkeeper_throttled_requests_explained{")
            && page.text.contains("{alert=\"TollkeeperBudgetThreshold\"} 1")
    });
    let response = daemon.get("/api/v1/openapi.json");
    assert_eq!((response.status, response.header("etag").is_some()), (200, true));
    let description = json::parse(&response.body);
    assert_eq!(json::text(&description, "/openapi"), "3.1.0");
    for (path, list) in [
        ("/api/v1/budgets", "budgets"),
        ("/api/v1/quotas", "pools"),
        ("/api/v1/alerts", "alerts"),
        ("/api/v1/sources", "sources"),
        ("/api/v1/spend", "spend"),
    ] {
        let value = check(&daemon, &description, path, "");
        assert!(value[list].as_array().is_some_and(|list| !list.is_empty()), "{path}: {value:#}");
    }
    let month = &daemon.get("/api/v1/spend").body;
    assert!(json::parse(month)["month"].is_object(), "{month}");
    let ledger = check(&daemon, &description, "/api/v1/ledger", "");
    assert!(ledger["newest_record"].is_string(), "{ledger}");
    for query in [
        "",
        "?by=*&step=hour&since=7d",
        "?by=model,principal&top=1&principal=role/*",
        "?since=never",
    ] {
        check(&daemon, &description, "/api/v1/usage", query);
    }
    let huge = "?step=minute&since=2000-01-01&by=*";
    check(&daemon, &description, "/api/v1/usage", huge);
    for query in ["?budget=small", "?budget=tokens&principal=role/agent", "?budget=nothing", ""] {
        check(&daemon, &description, "/api/v1/gate", query);
    }
}
