//! What a route may be, what is refused, and that no secret is repeated.

use std::path::Path;

use super::*;
use crate::config::Config;

const SOURCE: &str = "[[source]]\nname = \"a\"\ninclude = [\"x\"]\n";
const CANARY: &str = "c4n4ry";

fn parse(text: &str) -> Result<DeliveryConfig, String> {
    let config = Config::parse("t.toml", &format!("{SOURCE}{text}"), Path::new("/etc/tk"));
    config.map(|config| config.delivery).map_err(|problems| problems.to_string())
}

#[test]
fn every_kind_of_route_is_read() {
    let text = r#"
        [alerts]
        dashboard_url = "https://grafana.example/d/1"
        give_up_after = "2h"
        [[alerts.route]]
        name = "am"
        kind = "alertmanager"
        url = "http://127.0.0.1:9093"
        username = "u"
        password_env = "AM_PASSWORD"
        resend = "30s"
        [[alerts.route]]
        name = "pager"
        kind = "pagerduty"
        routing_key_file = "pager.key"
        min_severity = "page"
        alerts = ["TollkeeperBudget*", "TollkeeperSpendSpike"]
        timeout = "5s"
        [[alerts.route]]
        name = "chat"
        kind = "slack"
        url_file = "/run/secrets/slack"
        min_severity = "ticket"
        [[alerts.route]]
        name = "hook"
        kind = "webhook"
        url = "https://hook.example/x"
        secret_env = "HOOK"
        bearer_token_file = "token"
        ca_file = "ca.pem"
        [[alerts.route]]
        name = "out"
        kind = "stdout"
        format = "json"
    "#;
    let delivery = parse(text).unwrap();
    assert_eq!(delivery.give_up_after_ms, 2 * HOUR_MS);
    let kinds: Vec<&str> = delivery.routes.iter().map(|route| route.receiver.kind()).collect();
    assert_eq!(kinds, ["alertmanager", "pagerduty", "slack", "webhook", "stdout"]);
    let file = |path: &str| SecretSource::File(path.into());
    assert_eq!(
        delivery.routes[0].receiver,
        ReceiverConfig::Alertmanager {
            url: Place::Url("http://127.0.0.1:9093".to_owned()),
            login: Login::Basic {
                username: "u".to_owned(),
                password: SecretSource::Env("AM_PASSWORD".to_owned()),
            },
            resend_ms: 30_000,
        }
    );
    assert_eq!(
        delivery.routes[1].receiver,
        ReceiverConfig::PagerDuty {
            url: Place::Url(PAGERDUTY_URL.to_owned()),
            routing_key: file("/etc/tk/pager.key"),
        }
    );
    assert_eq!(
        delivery.routes[2].receiver,
        ReceiverConfig::Slack { url: Place::Secret(file("/run/secrets/slack")) }
    );
    assert_eq!(delivery.routes[1].timeout_ms, 5_000);
    assert_eq!(delivery.routes[3].ca_file.as_deref(), Some(Path::new("/etc/tk/ca.pem")));
    assert_eq!(delivery.routes[4].receiver, ReceiverConfig::Stdout { json: true });

    let taking = |name, severity| delivery.routes_for(name, severity).collect::<Vec<_>>();
    assert_eq!(
        taking(AlertName::BudgetForecast, Severity::Page),
        ["am", "pager", "chat", "hook", "out"]
    );
    assert_eq!(taking(AlertName::BudgetForecast, Severity::Ticket), ["am", "chat", "hook", "out"]);
    assert_eq!(taking(AlertName::IngestLag, Severity::Page), ["am", "chat", "hook", "out"]);
    assert_eq!(taking(AlertName::IngestLag, Severity::Notice), ["am", "hook", "out"]);
}

#[test]
fn without_routes_nothing_is_sent() {
    assert_eq!(parse("").unwrap(), DeliveryConfig::default());
}

#[test]
fn every_mistake_is_told_with_its_place_and_no_secret() {
    let cases = [
        (
            "kind = \"slack\"\nurl = \"https://hooks.slack.example/c4n4ry\"",
            "alerts.route[0].url: this is a secret and does not belong in the config; write it to a file \
             that `url_file` names, or to an environment variable that `url_env` names",
        ),
        (
            "kind = \"pagerduty\"\nrouting_key = \"c4n4ry\"",
            "alerts.route[0].routing_key: this is a secret and does not belong in the config; write it \
             to a file that `routing_key_file` names, or to an environment variable that \
             `routing_key_env` names",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://x.example\"\nsecret = \"c4n4ry\"",
            "alerts.route[0].secret: this is a secret",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://x.example\"\nbearer_token = 17",
            "alerts.route[0].bearer_token: this is a secret",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://me:c4n4ry@x.example\"",
            "alerts.route[0].url: this URL holds a user name or password",
        ),
        (
            "kind = \"webhook\"\nurl = \"ftp://x.example/c4n4ry\"",
            "alerts.route[0].url: this URL does not begin with http:// or https://",
        ),
        ("kind = \"webhook\"\nurl = \"https://c4n4ry x\"", "alerts.route[0].url: this is no URL"),
        ("kind = \"webhook\"", "alerts.route[0]: `url` is missing"),
        ("kind = \"pagerduty\"", "`routing_key_file` or `routing_key_env` is missing"),
        ("url = \"https://x.example\"", "alerts.route[0]: `kind` is missing"),
        ("kind = \"email\"", "alerts.route[0].kind: found `email`, expected `alertmanager`,"),
        (
            "kind = \"stdout\"\nalerts = [\"TollkeeperBadget*\"]",
            "alerts.route[0].alerts[0]: found `TollkeeperBadget*`, expected a name or glob of one",
        ),
        (
            "kind = \"stdout\"\nmin_severity = \"critical\"",
            "found `critical`, expected `notice`, `ticket` or `page`",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://x.example\"\nusername = \"u\"",
            "`username` and `password_file` (or `password_env`) belong together",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://x.example\"\nurl_env = \"X\"",
            "found `url` and another place of it",
        ),
        (
            "kind = \"webhook\"\nurl_env = \"1 X\"",
            "alerts.route[0].url_env: expected the name of an environment variable",
        ),
        ("kind = \"stdout\"\nurl_file = \"x\"", "url_file: there is no such key"),
        ("kind = \"stdout\"\ntimeout = \"1h\"", "found `1h`, expected a duration from `100ms`"),
    ];
    for (text, expected) in cases {
        let found = parse(&format!("[[alerts.route]]\nname = \"r\"\n{text}\n")).unwrap_err();
        assert!(found.contains(expected), "{text}\n{found}");
        assert!(!found.contains(CANARY), "{text}\n{found}");
        assert_eq!(found.lines().count(), 1, "{text}\n{found}");
    }
}

#[test]
fn names_are_fit_for_labels_and_differ() {
    let two = "[[alerts.route]]\nname = \"r\"\nkind = \"stdout\"\n".repeat(2);
    let found = parse(&two).unwrap_err();
    assert!(found.ends_with("alerts.route[1]: found a second route named `r`"), "{found}");
    let found = parse("[[alerts.route]]\nname = \"a b\"\nkind = \"stdout\"\n").unwrap_err();
    assert!(found.contains("found `a b`, expected a name of at most 64"), "{found}");
    let found = parse("[[alerts.route]]\nkind = \"stdout\"\n").unwrap_err();
    assert!(found.contains("`name` is missing"), "{found}");
}
