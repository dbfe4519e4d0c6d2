//! `/api/v1/…`: what is known now, as JSON: whole, tagged, and refused in words.

use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::http::request_with;
use crate::support::json;
use crate::support::truth::Generator;
use crate::support::work_dir::WorkDir;

fn started(work: &WorkDir) -> (Daemon, Generator) {
    let mut generator = Generator::new("a", 61);
    work.file("logs/app.log", generator.lines(300));
    let config = work.file(
        "tollkeeper.toml",
        "listen = \"127.0.0.1:0\"\n[ledger]\ndir = \"ledger\"\n[[source]]\nname = \"app\"\n\
         include = [\"logs/*.log\"]\n[[budget]]\nname = \"all\"\nlimit_usd = 5\nperiod = \"month\"\n",
    );
    let daemon = Daemon::start_with(&[config.as_os_str()]);
    daemon.wait_for_truth(generator.truth());
    (daemon, generator)
}

fn get(daemon: &Daemon, path: &str) -> Value {
    let response = daemon.get(path);
    assert_eq!(response.status, 200, "{path}: {}", response.body);
    assert_eq!(response.header("content-type"), Some("application/json"), "{path}");
    json::parse(&response.body)
}

#[test]
fn what_is_known_is_told_as_json() {
    let work = WorkDir::new("api");
    let (daemon, generator) = started(&work);
    let truth = generator.truth();
    let sources = get(&daemon, "/api/v1/sources");
    let source = &sources["sources"][0];
    assert_eq!(json::text(source, "/source"), "app");
    assert_eq!(json::number(source, "/backlog_bytes"), 0);
    let bytes = std::fs::metadata(work.join("logs/app.log")).unwrap().len();
    assert_eq!(json::number(source, "/bytes"), bytes);
    let lines: u64 = json::counts(source, "/lines").values().sum();
    assert_eq!(lines, truth.lines());

    daemon.wait_for("the budget to be evaluated", |_| {
        get(&daemon, "/api/v1/budgets")["budgets"].as_array().is_some_and(|all| !all.is_empty())
    });
    let budgets = get(&daemon, "/api/v1/budgets");
    let budget = &budgets["budgets"][0];
    assert_eq!(json::text(budget, "/budget"), "all");
    assert_eq!(json::text(budget, "/limit"), "5");
    assert!(budget["burn_rates"]["1h"].is_number());
    for path in ["/api/v1/alerts", "/api/v1/quotas", "/api/v1/spend"] {
        assert!(get(&daemon, path).is_object(), "{path}");
    }
}

#[test]
fn an_answer_that_is_held_is_not_sent_again_and_a_wrong_path_is_a_problem() {
    let work = WorkDir::new("api-tag");
    let (daemon, _) = started(&work);
    let first = daemon.get("/api/v1/sources");
    let tag = first.header("etag").expect("an ETag").to_owned();
    let address = daemon.address().unwrap();
    let held = |tag: &str| {
        let header = format!("If-None-Match: {tag}");
        request_with("GET", &address, "/api/v1/sources", &[&header]).unwrap()
    };
    assert_eq!((held(&tag).status, held(&tag).body.as_str()), (304, ""));
    let other = held("\"0000000000000000\"");
    assert_eq!((other.status, other.body.as_str()), (200, first.body.as_str()));
    let wrong = daemon.get("/api/v1/nothing");
    assert_eq!(wrong.status, 404);
    assert_eq!(wrong.header("content-type"), Some("application/problem+json"));
    assert_eq!(json::number(&json::parse(&wrong.body), "/status"), 404);
    assert_eq!(daemon.request("POST", "/api/v1/sources").status, 405);
    assert_eq!(daemon.request("POST", "/api/v1/gate?budget=all").status, 200, "as calls come");
    assert_eq!(daemon.request("TRACE", "/api/v1/gate?budget=all").status, 405);
}
