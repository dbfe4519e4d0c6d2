//! Who may come in: users, tokens, their rights, reloads, and what a stranger learns.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::daemon::{Daemon, output_of};
use crate::support::http::{Response, request_with};
use crate::support::log::Call;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

/// A config with one log; `web` is the part about who may come in.
pub(crate) fn config(work: &WorkDir, web: &str) -> std::path::PathBuf {
    work.file("logs/app.log", Call::example().bedrock_line());
    work.file(
        "t.toml",
        format!("listen = \"127.0.0.1:0\"\n{web}\n[[source]]\nname = \"a\"\ninclude = [\"logs/app.log\"]\n"),
    )
}

pub(crate) fn start(config: &Path) -> Daemon {
    let mut daemon = Daemon::spawn(&[config.as_os_str()]);
    daemon.wait_open();
    daemon
}

/// A bcrypt hash as `htpasswd` makes it, at the lowest cost.
pub(crate) fn hash(password: &str) -> String {
    bcrypt::hash_with_salt(password, 4, [7; 16]).unwrap().format_for_version(bcrypt::Version::TwoY)
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn ask(daemon: &Daemon, method: &str, path: &str, headers: &[&str]) -> Response {
    request_with(method, &daemon.address().unwrap(), path, headers).unwrap()
}

/// Alice may do everything, Bob may look; so may two bearers.
fn locked(work: &WorkDir) -> std::path::PathBuf {
    let users =
        format!("basic_auth_users:\n  alice: {}\n  bob: {}\n", hash("wonderland"), hash("builder"));
    work.file("web.yml", users);
    work.file("deploy.token", "deploy-token\n");
    work.file("prometheus.token", "prometheus-token\n");
    config(
        work,
        "[web]\nconfig_file = \"web.yml\"\nadmin_users = [\"alice\"]\n\
         [[web.token]]\nname = \"prometheus\"\nfile = \"prometheus.token\"\n\
         [[web.token]]\nname = \"deploy\"\nfile = \"deploy.token\"\nright = \"admin\"",
    )
}

#[test]
fn users_and_tokens_get_in_with_their_right_and_nobody_else_does() {
    let work = WorkDir::new("doors");
    let daemon = start(&locked(&work));
    let (alice, bob) = (basic("alice", "wonderland"), basic("bob", "builder"));
    let (scraper, deploy) =
        ("Authorization: Bearer prometheus-token", "Authorization: Bearer deploy-token");
    let wrong = [basic("bob", "wonderland"), basic("eve", "builder"), basic("", "")];
    for _ in 0..2 {
        for good in [alice.as_str(), &bob, scraper, deploy] {
            let answer = ask(&daemon, "GET", "/metrics", &[good]);
            assert_eq!(answer.status, 200, "{good}");
            assert!(answer.body.contains("tollkeeper_"), "{good}");
            assert_eq!(ask(&daemon, "GET", "/nothing", &[good]).status, 404, "{good}");
        }
        for bad in wrong.iter().map(String::as_str).chain(["Authorization: Bearer x", "A: b"]) {
            for path in ["/", "/metrics", "/api/v1/gate?budget=x", "/nothing", "/-/reload"] {
                let answer = ask(&daemon, "GET", path, &[bad]);
                assert_eq!(answer.status, 401, "{path} {bad}");
                assert!(answer.head.contains("www-authenticate: basic realm"), "{}", answer.head);
                assert!(answer.head.contains("www-authenticate: bearer realm"), "{}", answer.head);
                assert!(!answer.body.contains("tollkeeper_"), "{}", answer.body);
            }
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(&daemon, "GET", path, &[]).status, 200, "{path}");
    }
    let problem = ask(&daemon, "GET", "/api/v1/gate?budget=x", &[]);
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    assert!(problem.body.contains("\"status\":401"), "{}", problem.body);
    for (who, status) in [(bob.as_str(), 403), (scraper, 403), (&alice, 200), (deploy, 200)] {
        let answer = ask(&daemon, "POST", "/-/reload", &[who]);
        assert_eq!(answer.status, status, "{who} {}", answer.body);
    }
    let foreign = ask(&daemon, "POST", "/-/reload", &[&alice, "Origin: https://evil.example"]);
    assert_eq!(foreign.status, 403, "{}", foreign.body);
    let own = format!("Origin: http://{}", daemon.address().unwrap());
    assert_eq!(ask(&daemon, "POST", "/-/reload", &[&alice, &own]).status, 200);
    let (_, _, stderr) = daemon.terminate();
    assert!(stderr.contains("refused a login"), "{stderr}");
}

#[test]
fn a_reload_changes_the_locks_and_a_wrong_one_changes_nothing() {
    let work = WorkDir::new("doors-reload");
    let mut daemon = start(&locked(&work));
    let (old, new) = (basic("alice", "wonderland"), basic("alice", "looking-glass"));
    assert_eq!(ask(&daemon, "GET", "/metrics", &[&old]).status, 200);
    work.file("web.yml", "basic_auth_users:\n  alice: looking-glass\n");
    let refused = ask(&daemon, "POST", "/-/reload", &[&old]);
    assert_eq!(refused.status, 400);
    assert!(
        refused.body.contains("web.yml:2:10: basic_auth_users.alice: expected a bcrypt hash"),
        "{}",
        refused.body
    );
    assert!(!refused.body.contains("looking-glass"), "{}", refused.body);
    assert_eq!(ask(&daemon, "GET", "/metrics", &[&old]).status, 200);
    work.file("web.yml", format!("basic_auth_users:\n  alice: {}\n", hash("looking-glass")));
    daemon.signal("HUP");
    daemon.wait_said("files reloaded");
    wait_until(SOON, "the new password", || {
        (ask(&daemon, "GET", "/metrics", &[&new]).status == 200).then_some(())
    });
    assert_eq!(ask(&daemon, "GET", "/metrics", &[&old]).status, 401);
}

#[test]
fn every_answer_is_safe_to_show_and_names_no_program() {
    let work = WorkDir::new("doors-headers");
    let daemon = start(&locked(&work));
    let bob = basic("bob", "builder");
    for (path, headers) in
        [("/metrics", vec![bob.as_str()]), ("/", vec![&bob]), ("/healthz", vec![]), ("/", vec![])]
    {
        let answer = ask(&daemon, "GET", path, &headers);
        for (name, value) in [
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "deny"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {}", answer.head);
        }
        assert_eq!(answer.header("server"), None, "{}", answer.head);
        assert!(!answer.head.contains("tollkeeper/"), "{}", answer.head);
    }
    let stranger = ask(&daemon, "GET", "/healthz", &[]);
    assert!(!stranger.body.contains(env!("CARGO_PKG_VERSION")) && stranger.body == "ok\n");
    drop(daemon);
    work.file("web.yml", "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=60\n    X-Frame-Options: sameorigin\n");
    let daemon = start(&config(&work, "[web]\nconfig_file = \"web.yml\""));
    let answer = ask(&daemon, "GET", "/metrics", &[]);
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=60"));
    assert_eq!(answer.header("x-frame-options"), Some("sameorigin"));
}

#[test]
fn what_is_wrong_about_the_locks_is_told_before_anything_starts() {
    let work = WorkDir::new("doors-wrong");
    work.file("web.yml", format!("basic_auth_users:\n  bob: {}\n", hash("b")));
    work.file("bad.yml", "tls_server_config:\n  cert_file: none.pem\n  key_file: none.key\n  min_version: TLS11\nbasic_auth_user: {}\n");
    work.file("files.yml", "tls_server_config:\n  cert_file: none.pem\n  key_file: none.key\n");
    for (web, expected, is_checked) in [
        ("config_file = \"none.yml\"", "none.yml`; correct `[web] config_file`", true),
        (
            "config_file = \"web.yml\"\nadmin_users = [\"alice\"]",
            "`[web] admin_users` names `alice`",
            true,
        ),
        ("config_file = \"bad.yml\"", "wrong in 2 places", true),
        ("config_file = \"files.yml\"", "none.pem`; correct `cert_file`", false),
        ("[[web.token]]\nname = \"t\"\nfile = \"none.token\"", "the token `t` can't be had", false),
    ] {
        let config = config(&work, &format!("[web]\n{web}"));
        for (arguments, is_told) in [(vec!["run"], true), (vec!["check", "config"], is_checked)] {
            let mut all: Vec<&std::ffi::OsStr> = arguments.iter().map(AsRef::as_ref).collect();
            all.push(config.as_os_str());
            let output = output_of(&all);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(if is_told { 2 } else { 0 }), "{stderr}");
            assert!(!is_told || stderr.contains(expected), "{stderr}");
        }
    }
}

#[test]
fn a_door_that_others_can_reach_is_warned_of_once() {
    let work = WorkDir::new("doors-open");
    let file = config(&work, "");
    let arguments: [&std::ffi::OsStr; 3] =
        [file.as_os_str(), "--listen".as_ref(), "0.0.0.0:0".as_ref()];
    let mut daemon = Daemon::spawn(&arguments);
    daemon.wait_open();
    let (_, _, stderr) = daemon.terminate();
    assert_eq!(stderr.matches("can be reached from other machines").count(), 1, "{stderr}");
    let mut daemon = Daemon::spawn(&[file.as_os_str()]);
    daemon.wait_open();
    let (_, _, stderr) = daemon.terminate();
    assert!(!stderr.contains("can be reached"), "{stderr}");
}
