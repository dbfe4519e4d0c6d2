//! No secret is shown: not in a log line, an answer, an error or a file of the ledger, which is its user's alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::doors::{basic, config, hash, start};
use crate::support::daemon::output_of;
use crate::support::http::request_with;
use crate::support::tls::{Authority, request};
use crate::support::work_dir::{WorkDir, files_under};

const PASSWORD: &str = "c4n4ry-password";
const TOKEN: &str = "c4n4ry-token";
const SIGNING: &str = "c4n4ry-signing";
const WRONG: &str = "c4n4ry-wrong";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What must not be found: every secret, the hash of the password, and the encoded login.
fn canaries() -> Vec<String> {
    let login = basic("bob", PASSWORD);
    vec!["c4n4ry".to_owned(), hash(PASSWORD), login.rsplit(' ').next().unwrap().to_owned()]
}

fn assert_clean(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for canary in canaries() {
        assert!(!text.contains(&canary), "{what} has `{canary}` in it:\n{text}");
    }
}

#[test]
fn no_secret_is_in_any_answer_log_line_or_file() {
    let (work, authority) = (WorkDir::new("doors-secrets"), Authority::new());
    let server = authority.issue("127.0.0.1");
    work.file("server.crt", &server.certificate);
    work.file("server.key", &server.key);
    work.file("token", TOKEN);
    work.file("signing", SIGNING);
    let tls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";
    work.file("web.yml", format!("{tls}basic_auth_users:\n  bob: {}\n", hash(PASSWORD)));
    let file = config(
        &work,
        "[ledger]\ndir = \"ledger\"\n[web]\nconfig_file = \"web.yml\"\n\
         [[web.token]]\nname = \"t\"\nfile = \"token\"\nright = \"admin\"\n\
         [[alerts.route]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1\"\n\
         secret_file = \"signing\"\nbearer_token_file = \"token\"",
    );
    let daemon = start(&file);
    let address = daemon.address().unwrap();
    let good = [basic("bob", PASSWORD), format!("Authorization: Bearer {TOKEN}")];
    let bad = [
        basic("bob", WRONG),
        basic(WRONG, PASSWORD),
        format!("Authorization: Bearer {WRONG}"),
        format!("Authorization: {WRONG}"),
    ];
    for path in ["/", "/metrics", "/healthz", "/nothing", "/api/v1/gate?budget=none", "/-/reload"] {
        for (header, method) in good.iter().chain(&bad).zip(["GET", "POST"].into_iter().cycle()) {
            let answer = request(method, &address, path, &[header], &authority.pem, None).unwrap();
            assert_clean(path, format!("{}\n{}", answer.head, answer.body).as_bytes());
        }
    }
    // A head that breaks off in the middle of a secret, without and with TLS around it.
    drop(request_with("GET", &address, "/metrics", &[&good[1]]));
    drop(request(
        "GET",
        &address,
        "/metrics",
        &[&format!("{}\n\u{1}", good[1])],
        &authority.pem,
        None,
    ));
    let (_, _, stderr) = daemon.terminate();
    assert!(stderr.contains("refused a login"), "{stderr}");
    assert_clean("the log", stderr.as_bytes());
    for file in files_under(&work.join("ledger")) {
        assert_clean(&file.display().to_string(), &fs::read(&file).unwrap());
        assert_eq!(mode(&file) & 0o077, 0, "{}", file.display());
    }
    assert_eq!(mode(&work.join("ledger")), 0o700);
}

#[test]
fn no_secret_is_in_any_error() {
    let work = WorkDir::new("doors-secret-errors");
    let authority = Authority::new();
    let server = authority.issue("127.0.0.1");
    work.file("server.crt", &server.certificate);
    work.file("c4n4ry.key", format!("-----BEGIN PRIVATE KEY-----\n{PASSWORD}\n"));
    work.file("two-lines", format!("{TOKEN}\n{TOKEN}"));
    let tls = "tls_server_config:\n  cert_file: server.crt\n  key_file: other.key\n";
    fs::copy(work.join("c4n4ry.key"), work.join("other.key")).unwrap();
    let hashed = hash(PASSWORD);
    for (web, yaml) in [
        ("config_file = \"web.yml\"", format!("basic_auth_users:\n  bob: {PASSWORD}\n")),
        ("config_file = \"web.yml\"", format!("basic_auth_users:\n  bob: {hashed}x\n")),
        ("config_file = \"web.yml\"", format!("basic_auth_users:\n  bob: {hashed}\n bad\n")),
        ("config_file = \"web.yml\"", format!("basic_auth_users: \"{hashed}\n")),
        ("config_file = \"web.yml\"", format!("basic_auth_users: {{bob: {hashed}: {PASSWORD}}}\n")),
        ("config_file = \"web.yml\"", format!("basic_auth_users:\n  - {PASSWORD}\n")),
        ("config_file = \"web.yml\"", tls.to_owned()),
        ("config_file = \"web.yml\"", format!("{tls}  key: {PASSWORD}\n")),
        ("[[web.token]]\nname = \"t\"\ntoken = \"c4n4ry-token\"", String::new()),
        ("[[web.token]]\nname = \"t\"\nenv = \"c4n4ry-token\"", String::new()),
        ("[[web.token]]\nname = \"t\"\nfile = \"two-lines\"", String::new()),
    ] {
        work.file("web.yml", yaml);
        let file = config(&work, &format!("[web]\n{web}"));
        let output = output_of(&["run".as_ref(), file.as_os_str()]);
        assert_eq!(output.status.code(), Some(2), "{web}");
        assert_clean(web, &output.stderr);
        assert_clean(web, &output.stdout);
    }
}

#[test]
fn a_ledger_that_others_can_read_is_told_with_what_to_do() {
    let work = WorkDir::new("doors-ledger");
    let file = config(&work, "[ledger]\ndir = \"ledger\"");
    let ledger = work.folder("ledger");
    fs::set_permissions(&ledger, Permissions::from_mode(0o755)).unwrap();
    let (_, _, stderr) = start(&file).terminate();
    assert!(stderr.contains("chmod 700 '"), "{stderr}");
    assert_eq!(mode(&ledger), 0o755);
    fs::set_permissions(&ledger, Permissions::from_mode(0o700)).unwrap();
    let (_, _, stderr) = start(&file).terminate();
    assert!(!stderr.contains("chmod"), "{stderr}");
}
