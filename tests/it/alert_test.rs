//! `tollkeeper alert test` from outside: what it sends, says and answers, TLS, and that no secret is shown.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use crate::support::daemon::{output_of, tollkeeper};
use crate::support::receiver::{Receiver, Reply};
use crate::support::work_dir::WorkDir;

const CANARY: &str = "c4n4ry";

fn config(work: &WorkDir, routes: &str) -> std::path::PathBuf {
    work.file("t.toml", format!("[[source]]\nname = \"a\"\ninclude = [\"x\"]\n{routes}"))
}

fn test(config: &Path, arguments: &[&str]) -> Output {
    let mut all = ["alert", "test", "--config"].map(AsRef::as_ref).to_vec();
    all.push(config.as_os_str());
    all.extend(arguments.iter().map(AsRef::<std::ffi::OsStr>::as_ref));
    output_of(&all)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn webhook(name: &str, url: &str) -> String {
    format!(
        "[[alerts.route]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"{url}\"\ntimeout = \"5s\"\n"
    )
}

#[test]
fn a_route_that_works_gets_a_begin_and_an_end() {
    let (work, receiver) = (WorkDir::new("alert-test"), Receiver::good());
    let config = config(&work, &webhook("hook", &receiver.url()));
    let output = test(&config, &["hook"]);
    assert!(output.status.success(), "{output:?}");
    let said = stdout(&output);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    let target = format!("hook (webhook, {})", receiver.url());
    assert!(lines[0].starts_with(&format!("{target}: firing: delivered after ")), "{said}");
    assert!(lines[1].starts_with(&format!("{target}: resolved: delivered after ")), "{said}");
    assert!(lines[0].ends_with(" ms: 200 OK"), "{said}");
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].json()["alert"], "TollkeeperTest");
    assert_eq!(received[0].json()["severity"], "page");
    assert_eq!(received[1].json()["status"], "resolved");
    assert_eq!(received[0].json()["deduplication_key"], received[1].json()["deduplication_key"]);
}

#[test]
fn a_route_that_fails_says_why_and_the_others_are_tested_all_the_same() {
    let (work, good) = (WorkDir::new("alert-test-all"), Receiver::good());
    let bad = Receiver::start(|_, _| Reply::body(500, "out of\r\norder"));
    let routes = [
        webhook("bad", &bad.url()),
        webhook("missing", "https://127.0.0.1:1")
            .replace("timeout", "secret_file = \"none\"\ntimeout"),
        webhook("good", &good.url()),
    ];
    let output = test(&config(&work, &routes.concat()), &["--all"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = stdout(&output);
    assert!(said.contains("firing: server_error after "), "{said}");
    assert!(said.contains("500 Internal Server Error, `out of  order`"), "{said}");
    assert!(said.contains("route `missing`: can't read the file `"), "{said}");
    assert!(said.contains("No such file or directory"), "{said}");
    assert!(said.contains("good (webhook"), "{said}");
    assert!(
        stderr(&output).starts_with("error: the test did not arrive through `bad`, `missing`\n"),
        "{output:?}"
    );
    assert_eq!((bad.received().len(), good.received().len()), (2, 2));
}

#[test]
fn a_typo_is_answered_with_the_nearest_route() {
    let work = WorkDir::new("alert-test-typo");
    let routes = [webhook("pager", "http://127.0.0.1:1"), webhook("chat", "http://127.0.0.1:1")];
    let config = config(&work, &routes.concat());
    let output = test(&config, &["pagr"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("has no route `pagr`"), "{output:?}");
    assert!(stderr(&output).contains("hint: did you mean `pager`?"), "{output:?}");
    let output = test(&config, &["something-else"]);
    assert!(stderr(&output).contains("hint: its routes are `pager`, `chat`"), "{output:?}");
}

#[test]
fn standard_output_is_a_route() {
    let work = WorkDir::new("alert-test-stdout");
    let routes = "[[alerts.route]]\nname = \"text\"\nkind = \"stdout\"\n\
                  [[alerts.route]]\nname = \"json\"\nkind = \"stdout\"\nformat = \"json\"\n";
    let output = test(&config(&work, routes), &["--all"]);
    assert!(output.status.success(), "{output:?}");
    let said = stdout(&output);
    assert!(
        said.starts_with(
            "ALERT [page] TollkeeperTest route=text: this is a test, nothing is wrong | since "
        ),
        "{said}"
    );
    let json = said.lines().find(|line| line.starts_with('{')).unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!((json["version"].as_u64(), json["status"].as_str()), (Some(1), Some("firing")));
}

/// A receiver that repeats everything it was sent is the worst that can happen to a secret.
#[test]
fn no_secret_is_shown_by_anything() {
    let work = WorkDir::new("secrets");
    let echo = Receiver::start(|_, request| {
        Reply::body(400, &format!("{}{}{}", request.path, request.body, request.head))
    });
    for (name, text) in [("p", "c4n4ry-pager"), ("h", "c4n4ry-hook"), ("t", "c4n4ry-token")] {
        work.file(name, text);
    }
    work.file("s", format!("{}/services/c4n4ry-slack", echo.url()));
    let url = echo.url();
    let routes = format!(
        "[[alerts.route]]\nname = \"pager\"\nkind = \"pagerduty\"\nurl = \"{url}\"\nrouting_key_file = \"p\"\n\
         [[alerts.route]]\nname = \"chat\"\nkind = \"slack\"\nurl_file = \"s\"\n\
         [[alerts.route]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\nsecret_file = \"h\"\n\
         bearer_token_file = \"t\"\n\
         [[alerts.route]]\nname = \"am\"\nkind = \"alertmanager\"\nurl = \"{url}\"\nusername = \"u\"\n\
         password_env = \"TK_TEST_PASSWORD\"\n\
         [[alerts.route]]\nname = \"down\"\nkind = \"slack\"\nurl_env = \"TK_TEST_URL\"\ntimeout = \"1s\"\n"
    );
    let config = config(&work, &routes);
    let output = tollkeeper()
        .args(["alert", "test", "--all", "--config"])
        .arg(&config)
        .env("TK_TEST_PASSWORD", "c4n4ry-password")
        .env("TK_TEST_URL", "http://127.0.0.1:1/c4n4ry-down")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let received = echo.received();
    assert_eq!(received.len(), 8, "each of four was sent two");
    let parts = received.iter().flat_map(|one| [&one.path, &one.head, &one.body]);
    let sent: String = parts.map(String::as_str).collect();
    for secret in
        ["c4n4ry-pager", "c4n4ry-slack", "Bearer c4n4ry-token", "Basic dTpjNG40cnktcGFzc3dvcmQ="]
    {
        assert!(sent.contains(secret), "the receiver needs it: {secret}\n{sent}");
    }
    assert!(!sent.contains("c4n4ry-hook"), "the key of the signature is not sent");
    let shown = stdout(&output) + &stderr(&output);
    assert!(shown.contains("<secret>"), "{shown}");
    for secret in [CANARY, "dTpjNG40cnk"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let checked = output_of(&["check".as_ref(), "config".as_ref(), config.as_os_str()]);
    assert!(checked.status.success(), "{checked:?}");
    assert!(stdout(&checked).contains("5 alert routes: ok"), "{checked:?}");
    assert!(!format!("{checked:?}").contains(CANARY));
}

#[test]
fn what_is_wrong_with_a_secret_is_said_without_it() {
    let work = WorkDir::new("secret-errors");
    work.file("two", "c4n4ry\nand more");
    work.file("url", "c4n4ry is no URL");
    work.file("empty", "\n");
    let slack = |name: &str, line: &str| {
        format!("[[alerts.route]]\nname = \"{name}\"\nkind = \"slack\"\n{line}\n")
    };
    let routes = [
        slack("two", "url_file = \"two\""),
        slack("url", "url_file = \"url\""),
        slack("empty", "url_file = \"empty\""),
        slack("unset", "url_env = \"TK_TEST_UNSET\""),
    ];
    let output = test(&config(&work, &routes.concat()), &["--all"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(
        lines[0].contains("route `two`: the file `") && lines[0].contains("more than one line"),
        "{said}"
    );
    assert!(lines[1].contains("route `url`: the URL in the file `"), "{said}");
    assert!(lines[2].contains("is empty; put the secret into it"), "{said}");
    assert!(lines[3].contains("the environment variable `TK_TEST_UNSET` is not set"), "{said}");
    assert!(!format!("{output:?}").contains(CANARY));
}

#[test]
fn the_example_has_every_kind_of_route() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/alerts.toml");
    let output = output_of(&["check".as_ref(), "config".as_ref(), file.as_os_str()]);
    assert!(output.status.success(), "{output:?}");
    assert!(stdout(&output).contains("5 alert routes: ok"), "{output:?}");
    let text = std::fs::read_to_string(file).unwrap();
    for kind in ["alertmanager", "pagerduty", "slack", "webhook", "stdout"] {
        assert!(text.contains(&format!("kind = \"{kind}\"")), "{kind}");
    }
}

/// An authority of our own, and a server with a certificate of it.
fn tls() -> (String, ServerConfig) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (authority_pem, config)
}

#[test]
fn a_receiver_with_tls_is_trusted_by_its_authority_only() {
    let work = WorkDir::new("tls");
    let (authority, server) = tls();
    let (other, _) = tls();
    work.file("ca.pem", authority);
    work.file("other.pem", other);
    work.file("none.pem", "nothing");
    let receiver = Receiver::start_tls(server);
    let url = receiver.url().replace("http:", "https:");
    let with = |name: &str, line: &str| format!("{}{line}\n", webhook(name, &url));
    let routes = [
        with("right", "ca_file = \"ca.pem\""),
        with("wrong", "ca_file = \"other.pem\""),
        with("none", "ca_file = \"none.pem\""),
        with("absent", "ca_file = \"absent.pem\""),
    ];
    let config = config(&work, &routes.concat());
    let output = test(&config, &["right"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(receiver.received().len(), 2);

    let output = test(&config, &["wrong", "none", "absent"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = stdout(&output);
    assert!(said.contains("firing: network_error after "), "{said}");
    assert!(said.contains("invalid peer certificate"), "{said}");
    assert!(said.contains("none.pem` holds no certificate that can be used"), "{said}");
    assert!(said.contains("absent.pem`; correct `ca_file`"), "{said}");
    assert_eq!(receiver.received().len(), 2, "nothing is sent to who is not trusted");
}
