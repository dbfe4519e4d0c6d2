//! What the file of certificates and users may say, and what is said of mistakes in it.

use std::path::Path;

use super::*;

const HASH: &str = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze";

fn parse(text: &str) -> Result<WebFile, String> {
    WebFile::parse("web.yml", text, Path::new("/etc/tk")).map_err(|problems| problems.to_string())
}

#[test]
fn the_sample_of_the_format_is_read() {
    let text = format!(
        "# TLS and basic authentication configuration example.\n\
         tls_server_config:\n  cert_file: server.crt\n  key_file: /keys/server.key\n\
         basic_auth_users:\n  alice: {HASH}\n  'bob b': \"{HASH}\"\n"
    );
    let file = parse(&text).unwrap();
    let tls = file.tls.unwrap();
    assert_eq!(tls.cert_file, Path::new("/etc/tk/server.crt"));
    assert_eq!(tls.key_file, Path::new("/keys/server.key"));
    assert_eq!(
        (tls.client, tls.min, tls.max),
        (ClientAuth::No, TlsVersion::Tls12, TlsVersion::Tls13)
    );
    assert_eq!(file.users.keys().collect::<Vec<_>>(), ["alice", "bob b"]);
    assert!(!format!("{:?}", file.users).contains("mDwo"));
    for nothing in ["", "# nothing\n", "---\n", "basic_auth_users:\n", "tls_server_config: ~\n"] {
        assert_eq!(parse(nothing).unwrap(), WebFile::default(), "{nothing:?}");
    }
}

#[test]
fn every_key_of_the_format_is_read() {
    let file = parse(
        "tls_server_config:\n  cert_file: a\n  key_file: b\n  client_ca_file: c\n  \
         client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus.example.org, 10.0.0.1]\n  \
         min_version: TLS13\n  max_version: TLS13\n  prefer_server_cipher_suites: false\n  \
         cipher_suites:\n    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n  curve_preferences: [CurveP256]\n\
         http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: sameorigin\n    \
         Strict-Transport-Security: max-age=31536000\n    Content-Security-Policy: ''\n",
    )
    .unwrap();
    let tls = file.tls.unwrap();
    assert_eq!(
        (tls.client, tls.min, tls.server_order),
        (ClientAuth::Required, TlsVersion::Tls13, false)
    );
    assert_eq!(tls.client_names, ["prometheus.example.org", "10.0.0.1"]);
    assert_eq!((tls.suites, tls.curves), (vec![SUITES[4]], vec!["CurveP256"]));
    let headers =
        [("Strict-Transport-Security", "max-age=31536000"), ("X-Frame-Options", "sameorigin")];
    assert_eq!(file.headers, headers.map(|(name, text)| (name, text.to_owned())));
}

#[test]
fn every_mistake_is_told_with_its_place_and_no_value_is_shown() {
    let tls = "tls_server_config:\n  cert_file: a\n  key_file: b\n  ";
    for (text, problem) in [
        (
            "basic_auth_user:\n  a: b\n".to_owned(),
            "web.yml:1:1: basic_auth_user: there is no such key; did you mean `basic_auth_users`?",
        ),
        (
            "basic_auth_users:\n  alice: s3cr3t\n".to_owned(),
            "web.yml:2:10: basic_auth_users.alice: expected a bcrypt hash",
        ),
        (
            format!("basic_auth_users:\n  alice: {}\n", HASH.replace("$10$", "$17$")),
            "found a hash of cost 17, expected at most 16",
        ),
        ("basic_auth_users:\n  a: [s3cr3t]\n".to_owned(), "found a list, expected a text"),
        (format!("basic_auth_users:\n  a: {HASH}\n  a: {HASH}\n"), "web.yml:3:3: found `a` twice"),
        ("basic_auth_users: s3cr3t\n".to_owned(), "found a text, expected keys"),
        (
            "tls_server_config:\n  cert_file: a\n".to_owned(),
            "`cert_file` and `key_file` are both needed",
        ),
        (
            format!("{tls}key: s3cr3t\n"),
            "tls_server_config.key: write it to a file of its own and name that with `key_file`",
        ),
        (
            format!("{tls}client_auth_type: RequireAnyClientCert\n"),
            "which rustls does not do; use `VerifyClientCertIfGiven`",
        ),
        (
            format!("{tls}client_auth_type: RequireAndVerifyClientCert\n"),
            "`client_auth_type` needs `client_ca_file`",
        ),
        (
            format!("{tls}client_ca_file: c\n"),
            "found `client_ca_file` without a `client_auth_type`",
        ),
        (
            format!("{tls}client_allowed_sans: ['spiffe://x/y']\n"),
            "client_allowed_sans[0]: expected a DNS name or an IP address",
        ),
        (
            format!("{tls}min_version: TLS10\n"),
            "web.yml:4:16: tls_server_config.min_version: `TLS10` is broken",
        ),
        (
            format!("{tls}cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n"),
            "this can't be had with rustls",
        ),
        (
            format!("{tls}curve_preferences: [CurveP521]\n"),
            "expected `X25519`, `CurveP256`, `CurveP384`",
        ),
        (format!("{tls}min_version: TLS13\n  max_version: TLS12\n"), "`min_version` is newer"),
        ("http_server_config:\n  http2: true\n".to_owned(), "only HTTP/1.1 is spoken here"),
        (
            "http_server_config:\n  http2: 'false'\n".to_owned(),
            "expected `true` or `false`, without quotes",
        ),
        (
            "http_server_config:\n  headers:\n    Server: x\n".to_owned(),
            "http_server_config.headers.Server: there is no such key",
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: maybe\n".to_owned(),
            "expected `deny` or `sameorigin`",
        ),
        ("rate_limit:\n  burst: 20\n".to_owned(), "requests can't be limited by rate here"),
        ("a: &x s3cr3t\nb: *x\n".to_owned(), "web.yml:1:4: anchors, aliases and tags"),
        ("a: !!binary s3cr3t\n".to_owned(), "anchors, aliases and tags"),
        ("basic_auth_users: {}\n---\nb: 1\n".to_owned(), "found a second document"),
        ("- s3cr3t\n".to_owned(), "found a list, expected keys"),
        ("basic_auth_users:\n  alice: \"s3cr3t\n".to_owned(), "this is no YAML"),
        ("basic_auth_users: [s3cr3t\n".to_owned(), "this is no YAML"),
        ("[".repeat(100_000), "web.yml:1:"),
    ] {
        let found = parse(&text).unwrap_err();
        assert!(found.contains(problem), "{text:.80}: {found}");
        assert!(!found.contains("s3cr3t") && !found.contains("mDwo"), "{found}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[ -~\n]{0,200}") {
        drop(parse(&text));
    }

    #[test]
    fn no_text_in_the_shape_of_the_format_panics(
        words in proptest::collection::vec("(basic_auth_users|tls_server_config|headers|[:\\[\\]{}&*!\n ,'\"-]|a)", 0..40)
    ) {
        drop(parse(&words.concat()));
    }
}
