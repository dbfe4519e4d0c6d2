//! TLS: with and without certificates of the clients, renewed ones, and a real Prometheus.

use std::io::Read as _;
use std::path::PathBuf;

use crate::doors::{basic, config, hash, start};
use crate::support::daemon::{Daemon, run_arguments};
use crate::support::http;
use crate::support::servers::Prometheus;
use crate::support::tls::{Authority, Pair, request};
use crate::support::tools;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

/// Writes the files of a server and a web config with `more` in its TLS part, and `rest` behind.
fn files(work: &WorkDir, server: &Pair, more: &str, rest: &str) -> PathBuf {
    work.file("server.crt", &server.certificate);
    work.file("server.key", &server.key);
    let tls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";
    work.file("web.yml", format!("{tls}{more}{rest}"));
    config(work, "[web]\nconfig_file = \"web.yml\"")
}

#[test]
fn who_trusts_the_authority_gets_an_answer_and_plain_http_gets_none() {
    let (work, authority) = (WorkDir::new("tls"), Authority::new());
    let users = format!("basic_auth_users:\n  bob: {}\n", hash("builder"));
    let daemon = start(&files(&work, &authority.issue("127.0.0.1"), "", &users));
    let address = daemon.address().unwrap();
    let bob = basic("bob", "builder");
    let get = |headers: &[&str], trusted: &str| {
        request("GET", &address, "/metrics", headers, trusted, None)
    };
    assert_eq!(get(&[&bob], &authority.pem).unwrap().status, 200);
    assert_eq!(get(&[], &authority.pem).unwrap().status, 401);
    assert!(get(&[&bob], &Authority::new().pem).is_err());
    assert!(http::request("GET", &address, "/metrics").is_err());
    assert_eq!(get(&[&bob], &authority.pem).unwrap().status, 200);
    assert!(daemon.stderr().contains("listening on https://"), "{}", daemon.stderr());
}

#[test]
fn the_option_of_other_exporters_names_the_file_and_who_says_nothing_is_cut_off() {
    let (work, authority) = (WorkDir::new("tls-option"), Authority::new());
    let server = authority.issue("127.0.0.1");
    files(&work, &server, "", "");
    let log = work.join("logs/app.log");
    let (ledger, web) = (work.join("ledger"), work.join("web.yml"));
    let mut arguments = run_arguments(&log, &ledger).to_vec();
    arguments.extend(["--web.config.file".as_ref(), web.as_os_str()]);
    let mut daemon = Daemon::spawn(&arguments);
    daemon.wait_open();
    let address = daemon.address().unwrap();
    let mut silent = http::connect(&address).unwrap();
    silent.set_read_timeout(Some(SOON)).unwrap();
    let answer = request("GET", &address, "/metrics", &[], &authority.pem, None).unwrap();
    assert_eq!(answer.status, 200);
    // The end of the connection, and not the deadline of the read.
    assert_eq!(silent.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn clients_show_certificates_as_the_config_wants_them() {
    let (work, authority, others) = (WorkDir::new("mtls"), Authority::new(), Authority::new());
    let server = authority.issue("127.0.0.1");
    work.file("clients.pem", &authority.pem);
    let (known, unknown, stranger) = (
        authority.issue("prometheus.example"),
        authority.issue("other.example"),
        others.issue("prometheus.example"),
    );
    for (kind, none, other) in [
        ("RequireAndVerifyClientCert", false, true),
        ("VerifyClientCertIfGiven", true, true),
        ("RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus.example]", false, false),
    ] {
        let more = format!("  client_ca_file: clients.pem\n  client_auth_type: {kind}\n");
        let daemon = start(&files(&work, &server, &more, ""));
        let address = daemon.address().unwrap();
        let is_let_in = |shown| {
            let answer = request("GET", &address, "/metrics", &[], &authority.pem, shown);
            answer.is_ok_and(|answer| answer.status == 200)
        };
        assert!(is_let_in(Some(&known)), "{kind}");
        assert_eq!(is_let_in(None), none, "{kind}");
        assert_eq!(is_let_in(Some(&unknown)), other, "{kind}");
        assert!(!is_let_in(Some(&stranger)), "{kind}");
    }
}

#[test]
fn only_the_versions_of_the_config_are_spoken() {
    let Some(openssl) = tools::find("openssl", "versions of TLS") else { return };
    let (work, authority) = (WorkDir::new("tls-versions"), Authority::new());
    let more = "  min_version: TLS13\n";
    let daemon = start(&files(&work, &authority.issue("127.0.0.1"), more, ""));
    let speaks = |version: &str| {
        let mut command = std::process::Command::new(&openssl);
        command.args(["s_client", "-connect", &daemon.address().unwrap(), version]);
        command.stdin(std::process::Stdio::null()).output().unwrap().status.success()
    };
    assert!(speaks("-tls1_3"));
    assert!(!speaks("-tls1_2"));
}

#[test]
fn a_renewed_certificate_is_shown_without_a_reload_and_a_broken_one_is_not() {
    let (work, old, new) = (WorkDir::new("tls-renewed"), Authority::new(), Authority::new());
    let mut daemon = start(&files(&work, &old.issue("127.0.0.1"), "", ""));
    let address = daemon.address().unwrap();
    let get = |trusted: &str| request("GET", &address, "/healthz", &[], trusted, None);
    assert_eq!(get(&old.pem).unwrap().status, 200);
    work.file("server.crt", "-----BEGIN CERTIFICATE-----\nhalf");
    assert_eq!(get(&old.pem).unwrap().status, 200);
    daemon.wait_said("the certificates have changed and are wrong");
    let renewed = new.issue("127.0.0.1");
    work.file("server.key", &renewed.key);
    work.file("server.crt", &renewed.certificate);
    assert_eq!(get(&new.pem).unwrap().status, 200);
    assert!(get(&old.pem).is_err());
    daemon.wait_said("the certificates have changed and were read again");
}

#[test]
fn a_real_prometheus_scrapes_with_tls_and_a_password() {
    let Some(program) = tools::find("prometheus", "scrape over TLS by a real Prometheus") else {
        return;
    };
    let (work, authority) = (WorkDir::new("tls-prometheus"), Authority::new());
    let more = "  client_ca_file: clients.pem\n  client_auth_type: RequireAndVerifyClientCert\n";
    work.file("clients.pem", &authority.pem);
    let users = format!("basic_auth_users:\n  prometheus: {}\n", hash("scrape"));
    let daemon = start(&files(&work, &authority.issue("127.0.0.1"), more, &users));
    let client = authority.issue("prometheus.example");
    work.file("client.crt", &client.certificate);
    work.file("client.key", &client.key);
    let lines = "    scheme: https\n    basic_auth:\n      username: prometheus\n      password: scrape\n    \
                 tls_config:\n      ca_file: clients.pem\n      cert_file: client.crt\n      key_file: client.key\n";
    let prometheus = Prometheus::start_with(&program, &work, &daemon.address().unwrap(), lines);
    wait_until(SOON, "Prometheus to have scraped", || {
        prometheus.query("up{job=\"tollkeeper\"}").filter(|up| *up > 0.0)
    });
    assert_eq!(prometheus.query("sum(tollkeeper_requests_total)"), Some(1.0));
}
